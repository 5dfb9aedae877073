-- guards_define: how a guard is added, changed and removed, and what is refused.
--
-- A definition is a document; what it leaves out stays as it was, or is the default of its kind. A changed guard begins anew, for
-- what it remembers was judged by other rules.

CREATE FUNCTION execreport._check_guard_document(document jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    types CONSTANT jsonb := '{"kind": "string", "action": "string", "flags": "array", "severity": "string", "scope": "string", "family": "string",
        "labels": "object", "failure_labels": "object", "components": "array", "threshold": "number", "recover_threshold": "number",
        "quantile": "number", "margin": "number", "window": "interval", "min_samples": "number", "confidence": "number", "consecutive": "number",
        "error_limit": "number", "cooldown": "interval", "escalate_tenants": "number", "enabled": "boolean", "dry_run": "boolean"}';
    given jsonb;
    member record;
    result jsonb := '{}';
BEGIN
    IF jsonb_typeof(document) IS DISTINCT FROM 'object' THEN
        RAISE EXCEPTION 'document is %', coalesce(jsonb_typeof(document), 'null')
            USING ERRCODE = CASE WHEN document IS NULL THEN '22004' ELSE '22023' END, DETAIL = 'A guard is an object.',
                  HINT = 'For example {"kind": "error_rate", "action": "disable_exec_reports", "threshold": 0.2}.';
    END IF;
    given := execreport._snake_case(document - '{labels,failureLabels,failure_labels}'::text[])
             || CASE WHEN document ? 'labels' THEN jsonb_build_object('labels', document -> 'labels') ELSE '{}' END
             || CASE WHEN document ?| '{failureLabels,failure_labels}' THEN
                     jsonb_build_object('failure_labels', coalesce(document -> 'failureLabels', document -> 'failure_labels')) ELSE '{}' END;
    FOR member IN SELECT e.key, e.value, jsonb_typeof(e.value) AS type, types ->> e.key AS wanted FROM jsonb_each(given) AS e LOOP
        IF member.wanted IS NULL THEN
            RAISE EXCEPTION 'unknown member "%"', left(member.key, 64)
                USING ERRCODE = '22023', DETAIL = format('A guard has %s.', (SELECT string_agg(k, ', ' ORDER BY k) FROM jsonb_object_keys(types) AS k));
        ELSIF member.type = 'null' THEN
            CONTINUE WHEN member.key NOT IN ('escalate_tenants', 'margin');
        ELSIF (CASE member.wanted WHEN 'interval' THEN member.type NOT IN ('string', 'number') ELSE member.type <> member.wanted END) THEN
            RAISE EXCEPTION '% is %', member.key, CASE WHEN member.type IN ('object', 'array') THEN member.type ELSE left(member.value::text, 64) END
                USING ERRCODE = '22023', DETAIL = format('It is %s.', CASE member.wanted WHEN 'interval' THEN 'a length of time such as "5 minutes", or a number of minutes'
                    WHEN 'array' THEN 'an array of strings' ELSE 'of type ' || member.wanted END);
        ELSIF member.wanted = 'array' AND jsonb_path_exists(member.value, 'strict $[*] ? (@.type() != "string")') THEN
            RAISE EXCEPTION '% has an element that is no string', member.key USING ERRCODE = '22023', DETAIL = 'It is an array of strings.';
        END IF;
        IF member.wanted = 'interval' THEN
            BEGIN
                result := result || jsonb_build_object(CASE member.key WHEN 'window' THEN 'window_length' ELSE member.key END,
                    CASE member.type WHEN 'number' THEN make_interval(secs => 60 * (member.value #>> '{}')::double precision)
                                     ELSE (member.value #>> '{}')::interval END);
                PERFORM (result ->> CASE member.key WHEN 'window' THEN 'window_length' ELSE member.key END)::interval;   -- it is read so again
                IF member.type = 'string' AND member.value #>> '{}' ~ '^[-+0-9. ]+$' AND (member.value #>> '{}')::interval <> '0' THEN
                    RAISE invalid_datetime_format;      -- as a number it is minutes, to PostgreSQL seconds
                END IF;
            EXCEPTION WHEN invalid_datetime_format OR datetime_field_overflow OR interval_field_overflow OR numeric_value_out_of_range THEN
                RAISE EXCEPTION '% is %', member.key, left(member.value::text, 64)
                    USING ERRCODE = '22023', DETAIL = 'It is a length of time such as "5 minutes", or a number of minutes.';
            END;
        ELSIF member.key IN ('min_samples', 'consecutive', 'error_limit', 'escalate_tenants')
              AND (member.value #>> '{}')::numeric NOT BETWEEN 1 AND 1000000 OR member.value #>> '{}' ~ E'\\.\\d*[1-9]' AND member.key IN
                  ('min_samples', 'consecutive', 'error_limit', 'escalate_tenants') THEN
            RAISE EXCEPTION '% is %', member.key, left(member.value::text, 64)
                USING ERRCODE = '22023', DETAIL = 'It is a whole number, 1 or more.';
        ELSIF member.wanted = 'number' AND member.value <> '0' AND abs((member.value #>> '{}')::numeric) NOT BETWEEN 1e-9 AND 1e9 THEN
            RAISE EXCEPTION '% is %', member.key, left(member.value::text, 64)
                USING ERRCODE = '22023', DETAIL = 'It is 0, or a number from 1e-9 to 1e9.';
        ELSE
            result := result || jsonb_build_object(member.key, CASE WHEN member.value = '"latency_quantile"' AND member.key = 'kind' THEN '"performance"'
                                                                    WHEN member.wanted = 'number' THEN to_jsonb(trim_scale((member.value #>> '{}')::numeric))
                                                                    ELSE member.value END);
        END IF;
    END LOOP;
    RETURN result;
END
$$;
COMMENT ON FUNCTION execreport._check_guard_document(jsonb) IS
'The members of a guard''s definition under the names of the columns; error 22023 for unknown ones and wrong types.';

CREATE FUNCTION execreport._check_guard(g execreport._guards) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    bounds double precision[];
    name text;
    rule text;      -- what is broken: member, value, what is allowed
    value text;
    allowed text;
BEGIN
    IF g.guard IS NULL OR g.guard !~ '^[A-Za-z0-9_.-]{1,100}$' THEN
        RAISE EXCEPTION 'guard is %', coalesce('"' || left(g.guard, 64) || '"', 'null')
            USING ERRCODE = CASE WHEN g.guard IS NULL THEN '22004' ELSE '22023' END, DETAIL = 'A name has 1 to 100 letters, digits, and _ . -';
    END IF;
    IF g.kind = 'performance' THEN
        bounds := execreport._metric_bounds(g.family);
    END IF;
    SELECT r.rule, r.value, r.allowed INTO rule, value, allowed FROM (VALUES
        (1, g.severity IN ('medium', 'high', 'critical'), 'severity', g.severity, 'It is medium, high or critical.'),
        (2, g.scope = 'everywhere' OR g.scope = 'tenant' AND g.kind IN ('error_rate', 'performance'), 'scope', g.scope,
            'It is tenant (for error_rate and performance) or everywhere.'),
        (3, g.action = 'disable_flags' OR execreport._action_flags(g.action) = g.flags, 'action', g.action,
            'It is disable_exec_reports, disable_master_reports, disable_all_reports, which name their flags, or disable_flags, where flags names them.'),
        (4, cardinality(g.flags) > 0, 'flags', g.flags::text, 'It names the flags to turn off, at least one.'),
        (5, g.kind <> 'error_rate' OR g.threshold > 0 AND g.threshold < 1, 'threshold', g.threshold::text, 'A share of failures is above 0 and below 1.'),
        (6, g.kind <> 'performance' OR g.threshold = ANY (bounds), 'threshold', g.threshold::text,
            format('It is one of the bucket bounds of %s in seconds, for only those are counted exactly: %s.', g.family, array_to_string(bounds, ', '))),
        (7, g.kind NOT IN ('error_rate', 'performance') OR g.recover_threshold >= 0 AND g.recover_threshold <= g.threshold,
            'recover_threshold', g.recover_threshold::text, 'It is at most the threshold.'),
        (8, g.kind <> 'performance' OR g.quantile > 0 AND g.quantile < 1, 'quantile', g.quantile::text, 'It is above 0 and below 1.'),
        (9, g.confidence = 0 OR g.confidence >= 0.5 AND g.confidence < 1, 'confidence', g.confidence::text, 'It is at least 0.5 and below 1, or 0 for none.'),
        (10, g.window_length BETWEEN interval '1 minute' AND interval '1 hour' AND extract(epoch FROM g.window_length)::numeric % 60 = 0,
            'window', g.window_length::text, 'It is 1 to 60 whole minutes.'),
        (11, g.cooldown BETWEEN interval '0' AND interval '365 days', 'cooldown', g.cooldown::text, 'It is 0 to 365 days.'),
        (12, g.margin IS NULL OR g.kind IN ('error_rate', 'performance') AND g.margin >= 0 AND g.margin < 1, 'margin', g.margin::text,
            'It is a difference of two shares, 0 or more and below 1, for error_rate and performance; null for none.'),
        (13, g.margin IS NULL OR g.scope = 'everywhere', 'scope', g.scope, 'With a margin it is everywhere: tenants are compared with each other.'),
        (14, g.kind <> 'health_check' OR cardinality(g.components) > 0, 'components', g.components::text, 'It names components of check_health().')
        ) AS r (n, is_right, rule, value, allowed)
     WHERE r.is_right IS NOT TRUE ORDER BY r.n LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION '% is %', rule, coalesce(left(value, 64), 'null') USING ERRCODE = '22023', DETAIL = allowed;
    END IF;
    FOREACH name IN ARRAY g.flags LOOP
        PERFORM execreport._check_flag(name);
    END LOOP;
    FOREACH name IN ARRAY g.components LOOP
        IF NOT EXISTS (SELECT FROM pg_proc AS p WHERE p.pronamespace = 'execreport'::regnamespace AND p.proname = '_health_' || name AND p.pronargs = 0) THEN
            RAISE EXCEPTION 'unknown component "%"', left(name, 64)
                USING ERRCODE = '42704', DETAIL = format('There are %s.', (SELECT string_agg(substr(p.proname, 9), ', ' ORDER BY p.proname) FROM pg_proc AS p
                    WHERE p.pronamespace = 'execreport'::regnamespace AND p.proname LIKE E'\\_health\\_%' AND p.pronargs = 0));
        END IF;
    END LOOP;
    IF g.kind IN ('error_rate', 'performance') THEN
        PERFORM execreport._metric_delta(NULL, g.family, g.labels || g.failure_labels, now() - g.window_length, now());
    END IF;
END
$$;
COMMENT ON FUNCTION execreport._check_guard(execreport._guards) IS
'An error when a guard cannot work: 22023 for a value out of range, 42704 for an unknown flag, family or component.';

CREATE FUNCTION execreport.define_guard(guard text, document jsonb, reason text DEFAULT NULL) RETURNS execreport.guards
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    given CONSTANT jsonb := execreport._check_guard_document(define_guard.document);
    previous execreport._guards;
    wanted execreport._guards;
    result execreport.guards;
BEGIN
    IF NOT execreport._caller_is_superuser() THEN
        RAISE EXCEPTION 'only a superuser defines guards' USING ERRCODE = '42501', DETAIL = 'Guards watch every tenant.';
    END IF;
    PERFORM execreport._check_reason(define_guard.reason);
    LOCK TABLE execreport._guards IN SHARE ROW EXCLUSIVE MODE;
    SELECT * INTO previous FROM execreport.guards AS g WHERE g.guard = define_guard.guard;
    IF FOUND AND given ->> 'kind' <> previous.kind THEN
        RAISE EXCEPTION 'kind is "%"', left(given ->> 'kind', 64)
            USING ERRCODE = '22023', DETAIL = format('The guard %s is of kind %s.', previous.guard, previous.kind), HINT = 'Drop it first, or choose another name.';
    ELSIF NOT FOUND AND coalesce(given ->> 'kind' NOT IN ('error_rate', 'performance', 'health_check'), true) THEN
        RAISE EXCEPTION 'kind is %', coalesce('"' || left(given ->> 'kind', 64) || '"', 'missing')
            USING ERRCODE = '22023', DETAIL = 'A guard is of kind error_rate, performance or health_check.';
    END IF;
    wanted := CASE WHEN previous.guard IS NOT NULL THEN previous ELSE execreport._guard_defaults(define_guard.guard, given ->> 'kind') END;
    wanted := jsonb_populate_record(wanted, given);
    IF given ? 'margin' AND NOT given ? 'scope' AND wanted.kind <> 'health_check' AND (wanted.margin IS NULL) <> (previous.margin IS NULL) THEN
        wanted.scope := CASE WHEN wanted.margin IS NULL THEN 'tenant' ELSE 'everywhere' END;
    END IF;
    IF given ? 'flags' AND NOT given ? 'action' THEN
        wanted.action := 'disable_flags';
    ELSIF given ? 'action' AND NOT given ? 'flags' AND execreport._action_flags(wanted.action) IS NOT NULL THEN
        wanted.flags := execreport._action_flags(wanted.action);
    END IF;
    IF NOT given ? 'recover_threshold' AND (given ? 'threshold' OR previous.guard IS NULL) THEN
        wanted.recover_threshold := wanted.threshold * 4 / 5;
    END IF;
    IF wanted.kind = 'health_check' AND previous.guard IS NULL AND NOT given ? 'consecutive' THEN
        wanted.consecutive := CASE wanted.severity WHEN 'critical' THEN 1 ELSE 3 END;   -- what is critical does not wait for a second look
    END IF;
    wanted.changed_by := execreport.current_user_id();
    wanted.changed_at := now();
    PERFORM execreport._check_guard(wanted);

    DELETE FROM execreport._guards AS g WHERE g.guard = define_guard.guard;
    INSERT INTO execreport._guards SELECT wanted.*;
    PERFORM execreport._forget_verdicts(define_guard.guard);
    PERFORM execreport._audit(execreport.current_tenant(), 'define_guard', 'guard', define_guard.guard,
        CASE WHEN previous.guard IS NOT NULL THEN to_jsonb(previous) END, to_jsonb(wanted), define_guard.reason, '{"scope": "everywhere"}');
    SELECT * INTO result FROM execreport.guards AS g WHERE g.guard = define_guard.guard;
    RETURN result;
END
$$;
COMMENT ON FUNCTION execreport.define_guard(text, jsonb, text) IS
'Adds a guard, or changes one: members that are not given stay as they are, or have their defaults. Returns its row of guards.
document: {"kind": error_rate, performance (or latency_quantile) or health_check, "action": disable_exec_reports, disable_master_reports or
disable_all_reports, or "flags": ["any"], "severity": medium, high or critical, "scope": tenant or everywhere, "family", "labels",
"failureLabels": what is counted, "components": of check_health(), "threshold": a share of failures above 0 and below 1, or seconds
that are a bucket bound of the family, "recoverThreshold" (default 0.8 x threshold), "quantile" (0.95), "margin": compare the tenants
that have the flags with those that have not, and breach by a difference of their shares above it (none; with it the scope is
everywhere), "window" (5 minutes; health 1), "minSamples" (20), "confidence" (0.95; 0 = compare the plain share), "consecutive" (2; health 3, when it is critical 1), "errorLimit" (4), "cooldown" (30
minutes), "escalateTenants" (3; null = never), "enabled", "dryRun"}. Its state begins anew. Audited. For superusers.
Errors: 42501; 22023 for a wrong member, also a latency bound that is no bucket bound; 42704 for an unknown flag, family or component;
22004 for NULL.
Example: SELECT execreport.define_guard(''error_rate'', ''{"threshold": 0.2, "dryRun": true}'', ''a first week of watching'');';

CREATE FUNCTION execreport._forget_verdicts(guard text) RETURNS void
LANGUAGE sql VOLATILE
BEGIN ATOMIC
    UPDATE execreport.guard_verdicts AS v SET armed = true, breaches = 0, oks = 0, errors = 0
     WHERE v.guard = _forget_verdicts.guard AND (NOT v.armed OR v.breaches > 0 OR v.oks > 0 OR v.errors > 0);
END;
COMMENT ON FUNCTION execreport._forget_verdicts(text) IS
'Lets a guard begin anew: what it remembers was judged by other rules.';

CREATE FUNCTION execreport.drop_guard(guard text, reason text DEFAULT NULL) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    previous execreport._guards;
BEGIN
    IF NOT execreport._caller_is_superuser() THEN
        RAISE EXCEPTION 'only a superuser drops guards' USING ERRCODE = '42501', DETAIL = 'Guards watch every tenant.';
    END IF;
    PERFORM execreport._check_reason(drop_guard.reason);
    DELETE FROM execreport._guards AS g WHERE g.guard = drop_guard.guard RETURNING * INTO previous;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM execreport._forget_verdicts(drop_guard.guard);
    PERFORM execreport._audit(execreport.current_tenant(), 'drop_guard', 'guard', drop_guard.guard, to_jsonb(previous), NULL,
                              drop_guard.reason, '{"scope": "everywhere"}');
    RETURN true;
END
$$;
COMMENT ON FUNCTION execreport.drop_guard(text, text) IS
'Removes a guard of one''s own; an installed one is again as it was installed (to switch it off, define it with "enabled": false), and
begins anew. Its verdicts stay. Returns false when there was nothing to remove. Audited. For superusers; others get 42501.
Example: SELECT execreport.drop_guard(''error_rate'', ''back to the installed one'');';
