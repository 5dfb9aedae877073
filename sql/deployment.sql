-- deployment: is it ready to be used, and does it work now that it is? Every check does the real thing, in a sub-transaction
-- that is rolled back; one that crashes has failed. It gives a fault (NULL: it has passed), and details for when there is none.

CREATE FUNCTION execreport._refusal(statement text, OUT state text, OUT message text, OUT detail text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
END
$$;
COMMENT ON FUNCTION execreport._refusal(text) IS
'The error that a statement of ours ends with; NULL when it succeeds.';

CREATE FUNCTION execreport._release_maintenance() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM execreport._maintenance;
    PERFORM execreport._announce_change('execreport._maintenance');
END
$$;
COMMENT ON FUNCTION execreport._release_maintenance() IS
'Ends maintenance wherever it is engaged, for a sub-transaction that is rolled back: a deployment is checked before it is over.';

CREATE FUNCTION execreport._flag_differences(expected jsonb) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    wanted CONSTANT jsonb := (SELECT coalesce(jsonb_object_agg(f.key, f.default_enabled), '{}') FROM execreport.flags AS f WHERE f.builtin) || coalesce(expected, '{}');
BEGIN
    PERFORM execreport._check_flags(coalesce(expected, '{}'));
    -- superusers see every tenant, others their own
    RETURN (SELECT string_agg(d.what, '; ' ORDER BY d.is_on DESC)
              FROM (SELECT w.value <> 'true' AS is_on, format('Flags %s: %s', CASE WHEN w.value = 'true' THEN 'disabled' ELSE 'enabled' END,
                               string_agg(w.key || ' (tenant ' || t.tenants || ')', ', ' ORDER BY w.key)) AS what
                      FROM jsonb_each(wanted) AS w,
                           LATERAL (SELECT string_agg(s.tenant_id::text, ', ' ORDER BY s.tenant_id) FILTER (WHERE s.n <= 5)
                                           || CASE WHEN max(s.n) > 5 THEN format(' and %s more', max(s.n) - 5) ELSE '' END AS tenants
                                      FROM (SELECT o.tenant_id, row_number() OVER (ORDER BY o.tenant_id) AS n FROM execreport.tenants AS o
                                             WHERE (execreport._caller_is_superuser() OR o.tenant_id = execreport.current_tenant())
                                               AND to_jsonb(execreport.is_flag_enabled(o.tenant_id, w.key)) <> w.value) AS s) AS t
                     WHERE t.tenants IS NOT NULL AND w.value <> 'null'
                     GROUP BY w.value) AS d);
END
$$;
COMMENT ON FUNCTION execreport._flag_differences(jsonb) IS
'Where the tenants'' built-in flags are not as expected (default: as they come, all features off); NULL when they are.';

CREATE FUNCTION execreport._predeploy_database_migration(expected jsonb, OUT fault text, OUT details text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    version record := execreport._installed_version();
    faults text[];
BEGIN
    faults := array_remove(ARRAY[
        version.fault,
        (SELECT 'indexes that are not valid: ' || string_agg(i.indexrelid::regclass::text, ', ' ORDER BY 1) FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indrelid
          WHERE c.relnamespace = 'execreport'::regnamespace AND NOT i.indisvalid),
        (SELECT 'constraints that are not valid: ' || string_agg(k.conname, ', ' ORDER BY 1) FROM pg_constraint AS k
          WHERE k.connamespace = 'execreport'::regnamespace AND NOT k.convalidated),
        (SELECT format('%s tables that a dump leaves out', count(*)) FROM pg_class AS c JOIN pg_depend AS d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid
          JOIN pg_extension AS e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e' AND e.extname = 'execreport'
          WHERE c.relkind IN ('r', 'p') AND NOT c.oid = ANY (e.extconfig) HAVING count(*) > 0)], NULL);
    -- and the tables take and give rows
    PERFORM execreport._probe_reports();
    fault := nullif(array_to_string(faults, '; '), '');
    details := format('version %s', version.installed);
END
$$;
COMMENT ON FUNCTION execreport._predeploy_database_migration(jsonb) IS
'Is the newest version installed, whole, and do its tables take rows?';

CREATE FUNCTION execreport._predeploy_feature_flags(expected jsonb, OUT fault text, OUT details text)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT execreport._flag_differences(expected), 'as expected';
END;
COMMENT ON FUNCTION execreport._predeploy_feature_flags(jsonb) IS
'Are the flags as they are expected to be?';

CREATE FUNCTION execreport._predeploy_api_endpoints(expected jsonb, OUT fault text, OUT details text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    flags CONSTANT text[] := execreport._target_flags('all');
BEGIN
    PERFORM execreport._release_maintenance(),
            execreport._engage(execreport.current_tenant(), flags, 'predeploy_check');
    SELECT string_agg(format('%s gave %s instead of the feature disabled response', c.call, coalesce(r.state || ' ' || r.message, 'an answer')), '; ' ORDER BY c.call)
      INTO fault
      FROM (VALUES ('create_exec_report(0, ''keyword-gap'', ''{}'')'), ('create_master_report(''{}'')'), ('generate_master_report(0)'),
                   ('generate_master_reports(''{0}'')'), ('exec_report_document(''-'')'), ('exec_reports_response(0)'), ('master_report_document(''-'')'),
                   ('master_reports_response(0)'), ('generate_master_report_response(0)')) AS named (call),
           LATERAL (SELECT named.call
                    UNION ALL
                    SELECT format('require_flag(%s, %L)', execreport.current_tenant(), f.flag) FROM unnest(flags) AS f (flag)
                     WHERE named.call LIKE 'create_exec_report%') AS c,
           LATERAL execreport._refusal('SELECT * FROM execreport.' || c.call) AS r
     WHERE (r.state, r.detail) IS DISTINCT FROM ('PT503', 'FEATURE_DISABLED');
    details := 'with the flags off, all answer PT503 FEATURE_DISABLED';
END
$$;
COMMENT ON FUNCTION execreport._predeploy_api_endpoints(jsonb) IS
'Do the gated functions refuse when their flags are off?';

CREATE FUNCTION execreport._predeploy_performance(expected jsonb, OUT fault text, OUT details text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    began CONSTANT timestamptz := clock_timestamp();
    probe record;
    took numeric;
BEGIN
    SELECT * INTO probe FROM execreport._health_master_reports();
    took := round((extract(epoch FROM clock_timestamp() - began) * 1000)::numeric, 1);
    details := format('Baseline execution took %sms', took);
    fault := CASE WHEN probe.status <> 'healthy' THEN probe.message WHEN took >= 3000 THEN details END;
END
$$;
COMMENT ON FUNCTION execreport._predeploy_performance(jsonb) IS
'Are three exec reports stored and consolidated into a master report within 3 seconds?';

CREATE FUNCTION execreport._predeploy_security(expected jsonb, OUT fault text, OUT details text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    -- U+2028, which ends a line in JavaScript; not every encoding has it
    separator constant text := CASE getdatabaseencoding() WHEN 'UTF8' THEN convert_from(E'\\xe280a8', getdatabaseencoding()) ELSE '' END;
    hostile text;
    document jsonb;
    configuration integer;
    back jsonb;
    wrong text;
    refused record;
    faults text[] := '{}';
BEGIN
    PERFORM execreport._release_maintenance();
    -- injection and escaping: whatever a text says, it comes back as it was, and nothing else happens
    FOREACH hostile IN ARRAY ARRAY[$q$'; DROP TABLE execreport.exec_reports; --$q$, $q$" OR 1=1 --$q$, '$' || '$; SELECT 1/0; $' || '$', E'\\''; x',
                                   '<script>alert(1)</script>', '"><img src=x onerror=alert(1)>', 'a' || separator || E'</title>\u0007"\\'] LOOP
        document := jsonb_build_object('hasData', true, 'insights', jsonb_build_array(jsonb_build_object('title', 'x' || hostile, 'category', hostile)));
        configuration := (execreport.save_configuration(NULL, jsonb_build_object('brand', jsonb_build_object('name', hostile)))).configuration_id;
        SELECT c.brand INTO back FROM execreport.configurations AS c
         WHERE c.tenant_id = execreport.current_tenant() AND c.configuration_id = configuration;
        IF back ->> 'name' IS DISTINCT FROM hostile OR back::text::jsonb ->> 'name' IS DISTINCT FROM hostile THEN
            faults := faults || format('a configuration changes %L', hostile);
        END IF;
        back := execreport.consolidate_exec_reports(jsonb_build_array(jsonb_build_object('id', hostile, 'moduleId', hostile, 'output', document)));
        IF back::text::jsonb #>> '{insights,0,title}' IS DISTINCT FROM 'x' || hostile THEN
            faults := faults || format('consolidation changes %L', hostile);
        END IF;
        SELECT string_agg(c.call || ' gave ' || coalesce(r.state, 'an answer'), ', ') INTO wrong
          FROM (VALUES (format('set_kill_switch(%L, true, ''x'', %s)', hostile, execreport.current_tenant()), '42704'),
                       (format('require_flag(%s, %L)', execreport.current_tenant(), hostile), '42704'),
                       (format('emergency_rollback(%L, NULL, ''x'')', hostile), '22023')) AS c (call, wanted),
               LATERAL execreport._refusal('SELECT * FROM execreport.' || c.call) AS r
         WHERE r.state IS DISTINCT FROM c.wanted;
        IF wrong IS NOT NULL OR EXISTS (SELECT FROM execreport.help(hostile)) OR EXISTS (SELECT FROM execreport.get_exec_report_by_id(hostile)) THEN
            faults := faults || format('%L is not refused: %s', hostile, coalesce(wrong, 'it is found'));
        END IF;
    END LOOP;
    IF to_regclass('execreport.exec_reports') IS NULL THEN
        faults := faults || 'a text was run as a statement'::text;
    END IF;

    -- rate limit
    INSERT INTO execreport._submit_rates AS r (tenant_id, user_id, recent)
    VALUES (execreport.current_tenant(), execreport.current_user_id(),
            array_fill(clock_timestamp(), ARRAY[execreport._setting('max_submits_per_minute')::integer]))
    ON CONFLICT (tenant_id, user_id) DO UPDATE SET recent = excluded.recent;
    SELECT * INTO refused FROM execreport._refusal('SELECT execreport.submit_report(''{}'')');
    IF refused.state IS DISTINCT FROM 'PT429' THEN
        faults := faults || format('submit_report() beyond its rate gave %s', coalesce(refused.state || ' ' || refused.message, 'an answer'));
    END IF;

    -- who may do what
    faults := faults || array_remove(ARRAY[
        (SELECT 'PUBLIC may use ' || string_agg(x.name, ', ' ORDER BY x.name)
           FROM (SELECT p.proname::text AS name, coalesce(p.proacl, acldefault('f', p.proowner)) AS acl FROM pg_proc AS p WHERE p.pronamespace = 'execreport'::regnamespace
                 UNION ALL
                 SELECT c.relname, c.relacl FROM pg_class AS c WHERE c.relnamespace = 'execreport'::regnamespace AND c.relkind IN ('r', 'p', 'v')) AS x
          WHERE EXISTS (SELECT FROM aclexplode(x.acl) AS a WHERE a.grantee = 0)),
        (SELECT 'no row security on ' || string_agg(c.relname, ', ' ORDER BY c.relname) FROM pg_class AS c
          WHERE c.relnamespace = 'execreport'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relrowsecurity),
        (SELECT 'no pinned search path in ' || string_agg(p.proname, ', ' ORDER BY p.proname) FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang
          WHERE p.pronamespace = 'execreport'::regnamespace AND p.prosecdef AND l.lanname <> 'c' AND NOT coalesce(p.proconfig @> '{"search_path=pg_catalog, pg_temp"}', false))], NULL);
    fault := nullif(array_to_string(faults, '; '), '');
    details := 'injection, escaping, rate limit and privileges are as they should be';
END
$$;
COMMENT ON FUNCTION execreport._predeploy_security(jsonb) IS
'Do hostile texts stay texts, does the rate limit hold, and has PUBLIC no privileges?';

CREATE FUNCTION execreport._predeploy_documentation(expected jsonb, OUT fault text, OUT details text)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT 'API documentation not updated: ' || string_agg(format('%s(%s)', p.proname, pg_get_function_identity_arguments(p.oid)), ', ' ORDER BY p.proname),
           'every public function is described, with an example'
      FROM pg_proc AS p JOIN pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
     WHERE p.pronamespace = 'execreport'::regnamespace AND p.proname NOT LIKE E'\\_%'
       AND coalesce(obj_description(p.oid, 'pg_proc'), '') !~ 'Example:';
END;
COMMENT ON FUNCTION execreport._predeploy_documentation(jsonb) IS
'Has every public function a description with an example?';

CREATE FUNCTION execreport._run_checks(prefix text, names text[], severities text[], expected jsonb)
RETURNS TABLE (name text, passed boolean, severity text, details text, duration interval, summary text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY
        SELECT c.name, c.passed, c.severity, c.details, c.duration, format('%s/%s', count(*) FILTER (WHERE c.passed) OVER (), count(*) OVER ())
          FROM (SELECT k.*, a.duration, a.result IS NOT NULL AND a.result ->> 'fault' IS NULL AS passed,
                       coalesce(a.result ->> 'fault', a.result ->> 'details', a.state || ': ' || a.error) AS details
                  FROM unnest(names, severities) WITH ORDINALITY AS k (name, severity, n),
                       LATERAL execreport._rehearse(prefix || lower(replace(k.name, ' ', '_')), format('%L', expected), 10000) AS a) AS c
         ORDER BY c.n;
END
$$;
COMMENT ON FUNCTION execreport._run_checks(text, text[], text[], jsonb) IS
'Runs the checks of these names, one function each; nothing that they do is left behind. One that raises an error or takes 10 s has
failed.';

CREATE FUNCTION execreport.predeploy_check(expected jsonb DEFAULT NULL)
RETURNS TABLE (name text, passed boolean, severity text, details text, duration interval, summary text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER ROWS 6 SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' AS $$
BEGIN
    PERFORM execreport._require_tenant(execreport.current_tenant(), 'operator');
    RETURN QUERY SELECT c.* FROM execreport._run_checks('_predeploy_', 
        '{Database Migration,Feature Flags,API Endpoints,Performance,Security,Documentation}',
        '{critical,high,critical,medium,critical,medium}', predeploy_check.expected) AS c;
END
$$;
COMMENT ON FUNCTION execreport.predeploy_check(jsonb) IS
'Is all ready for a deployment? Six rows, in this order: Database Migration (newest version, whole), Feature Flags (as expected, in every
tenant for superusers, in their own for operators), API Endpoints (refuse with PT503 when flags are off), Performance (baseline execution
below 3 s), Security (injection, escaping, rate limit, privileges), Documentation (every public function). passed; severity: of a
failure; details: what is wrong; duration; summary: such as 5/6, the same in every row. A check that crashes or takes 10 s has failed. All
of it happens in sub-transactions that are rolled back. Maintenance mode does not matter.
expected: the flags as they should be, such as {"execReportsEnabled": true}; those not named are expected to be off, null is not checked.
Errors: 42501 unless superuser or operator.
Example: SELECT name, passed, details, summary FROM execreport.predeploy_check();';

CREATE FUNCTION execreport._postdeploy_health(expected jsonb, OUT fault text, OUT details text)
LANGUAGE sql VOLATILE
BEGIN ATOMIC
    SELECT CASE WHEN h.ill THEN h.news END, coalesce(h.news, 'all healthy')
      FROM (SELECT bool_or(c.status = 'unhealthy') AS ill,
                   string_agg(c.message, '; ' ORDER BY c.status DESC, c.component) FILTER (WHERE c.status NOT IN ('healthy', 'skipped')) AS news
              FROM execreport.check_health() AS c) AS h;
END;
CREATE FUNCTION execreport._postdeploy_feature_flags(expected jsonb, OUT fault text, OUT details text)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT execreport._flag_differences(coalesce(jsonb_object_agg(f.key, NULL::boolean), '{}') || coalesce(expected, '{}')), 'as expected'
      FROM execreport.flags AS f;
END;
CREATE FUNCTION execreport._postdeploy_kill_switches(expected jsonb, OUT fault text, OUT details text)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT 'engaged: ' || string_agg(format('%s%s (%s)', k.flag, CASE WHEN k.tenant_id > 0 THEN ' in tenant ' || k.tenant_id ELSE '' END,
                                            coalesce(k.reason, 'no reason given')), ', ' ORDER BY k.tenant_id, k.flag),
           'none is engaged'
      FROM execreport.kill_switches AS k
     WHERE execreport._caller_is_superuser() OR k.tenant_id IN (0, execreport.current_tenant());
END;
CREATE FUNCTION execreport._postdeploy_guards(expected jsonb, OUT fault text, OUT details text)
LANGUAGE sql VOLATILE
BEGIN ATOMIC
    SELECT string_agg(c.reason, '; '), 'no guard has a reason to act' FROM execreport.check_rollback_conditions() AS c;
END;
CREATE FUNCTION execreport._postdeploy_metrics(expected jsonb, OUT fault text, OUT details text)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT CASE WHEN h.status <> 'healthy' THEN h.message END, h.message FROM execreport._health_metrics() AS h;
END;
CREATE FUNCTION execreport._postdeploy_notifications(expected jsonb, OUT fault text, OUT details text)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT string_agg(n.message, '; ' ORDER BY n.notification_id), 'no alarm in the last hour'
      FROM execreport.notifications AS n
     WHERE n.severity IN ('high', 'critical') AND n.created_at > now() - interval '1 hour'
       AND (execreport._caller_is_superuser() OR n.tenant_id = execreport.current_tenant());
END;

CREATE FUNCTION execreport.postdeploy_check(expected jsonb DEFAULT NULL)
RETURNS TABLE (name text, passed boolean, severity text, details text, duration interval, summary text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER ROWS 6 SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' AS $$
BEGIN
    PERFORM execreport._require_tenant(execreport.current_tenant(), 'operator');
    RETURN QUERY SELECT c.* FROM execreport._run_checks('_postdeploy_', 
        '{Health,Feature Flags,Kill Switches,Guards,Metrics,Notifications}',
        '{critical,high,high,high,medium,medium}', postdeploy_check.expected) AS c;
END
$$;
COMMENT ON FUNCTION execreport.postdeploy_check(jsonb) IS
'Does all work after a deployment? Six rows with the columns of predeploy_check(): Health (no component of check_health() is unhealthy),
Feature Flags (as expected), Kill Switches (none is engaged), Guards (none has a reason to act), Metrics (they are collected),
Notifications (none of severity high or critical within the last hour). Nothing is left behind.
expected: the flags as they should be, such as {"execReportsEnabled": true}; those not named are not checked.
Errors: 42501 unless superuser or operator.
Example: SELECT name, passed, details, summary FROM execreport.postdeploy_check(''{"execReportsEnabled": true}'');';
