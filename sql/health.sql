-- health: does it work, right now? Each component is one function _health_NAME(), found by its name; a capability that
-- wants to be watched brings its own.
--
-- Every component is checked in a sub-transaction that is always rolled back, under a time limit, and one that fails
-- keeps no other from being checked.

CREATE FUNCTION execreport._limit_time(milliseconds integer) RETURNS timestamptz
LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'er_limit_time';
COMMENT ON FUNCTION execreport._limit_time(integer) IS
'From now on the running statement has that long, then it fails with 57014 as by statement_timeout; a shorter limit that is set
stays. Returns what _restore_time() takes to set the limit from before again.';

CREATE FUNCTION execreport._restore_time(before timestamptz) RETURNS void
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'er_restore_time';
COMMENT ON FUNCTION execreport._restore_time(timestamptz) IS
'Ends a time limit of _limit_time().';

CREATE FUNCTION execreport._probe_reports() RETURNS text[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    -- three modules: two say the same, so four insights are left of six
    outputs CONSTANT jsonb[] := ARRAY[
        '{"hasData": true, "confidence": 80, "recommendations": [],
          "insights": [{"title": "Probe: demand grows", "category": "opportunity", "severity": "high", "confidence": 80},
                       {"title": "Probe: rivals lead", "category": "risk", "severity": "medium", "confidence": 60}]}',
        '{"hasData": true, "confidence": 70, "recommendations": [],
          "insights": [{"title": "Probe: demand grows!", "category": "opportunity", "severity": "medium", "confidence": 70},
                       {"title": "Probe: season begins", "category": "opportunity", "severity": "low", "confidence": 50}]}',
        '{"hasData": true, "confidence": 60, "recommendations": [],
          "insights": [{"title": "probe: demand grows", "category": "opportunity", "severity": "low", "confidence": 40},
                       {"title": "Probe: a gap in content", "category": "gap", "severity": "high", "confidence": 90}]}'];
    modules CONSTANT text[] := '{keyword-gap,market-demand,share-of-voice}';
    ids text[];
BEGIN
    FOR i IN 1 .. 3 LOOP
        IF execreport._exec_report_fits(outputs[i], NULL) IS NOT TRUE THEN
            RAISE EXCEPTION 'the contract exec-report-output refuses a valid report';
        END IF;
        -- no configuration has the number 0, so nobody meets the probe
        INSERT INTO execreport.exec_reports (tenant_id, id, configuration_id, module_id, context_version, context_hash, executed_at, output)
        VALUES (execreport.current_tenant(), format('health-test-%s', execreport._uuid7()), 0, modules[i], 1, 'test-hash', now(), outputs[i]);
    END LOOP;
    SELECT r.ids INTO ids FROM execreport._latest_exec_reports(execreport.current_tenant(), 0, 1, now()) AS r;
    IF cardinality(ids) IS DISTINCT FROM 3 THEN
        RAISE EXCEPTION '3 exec reports were stored, and % found', coalesce(cardinality(ids), 0);
    END IF;
    RETURN ids;
END
$$;
COMMENT ON FUNCTION execreport._probe_reports() IS
'Stores three exec reports in the current tenant, the way create_exec_report() does it but without its gates and counters, and
reads them back. For a sub-transaction that is rolled back.';

CREATE FUNCTION execreport._health_exec_reports(OUT status text, OUT message text, OUT metrics jsonb)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    ids text[];
BEGIN
    status := 'skipped';
    message := 'not checked: ' || execreport._read_only_because();
    IF message IS NOT NULL THEN
        RETURN;
    END IF;
    ids := execreport._probe_reports();
    DELETE FROM execreport.exec_reports AS r WHERE r.tenant_id = execreport.current_tenant() AND r.id = ANY (ids);
    status := 'healthy';
    message := 'ExecReports functioning normally';
END
$$;
COMMENT ON FUNCTION execreport._health_exec_reports() IS
'Are exec reports stored, found and deleted?';

CREATE FUNCTION execreport._health_master_reports(OUT status text, OUT message text, OUT metrics jsonb)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    ids text[];
    began timestamptz;
    report jsonb;
    stored execreport.master_reports;
BEGIN
    status := 'skipped';
    message := 'not checked: ' || execreport._read_only_because();
    IF message IS NOT NULL THEN
        RETURN;
    END IF;
    ids := execreport._probe_reports();
    began := clock_timestamp();
    SELECT execreport.consolidate_exec_reports(r.id, r.module_id, r.executed_at, r.output, r.playbook_result, NULL, now()) INTO report
      FROM execreport.exec_reports AS r WHERE r.tenant_id = execreport.current_tenant() AND r.id = ANY (ids);
    metrics := jsonb_build_object('consolidationTime', round((extract(epoch FROM clock_timestamp() - began) * 1000)::numeric, 3),
                                  'insightsConsolidated', jsonb_array_length(report -> 'insights'));
    IF (metrics -> 'insightsConsolidated', report -> 'overallConfidence') IS DISTINCT FROM ('4'::jsonb, '70'::jsonb) THEN
        RAISE EXCEPTION '6 insights of 3 modules became % with confidence %, not 4 with confidence 70',
            metrics -> 'insightsConsolidated', report -> 'overallConfidence';
    END IF;

    INSERT INTO execreport.master_reports (tenant_id, id, configuration_id, context_version, context_hash, ucr_snapshot, exec_reports,
        consolidated_insights, consolidated_recommendations, council_synthesis, modules_included, overall_confidence, data_freshness)
    VALUES (execreport.current_tenant(), format('health-test-%s', execreport._uuid7()), 0, 1, 'test-hash', '{}', '[]', report -> 'insights',
        report -> 'recommendations', report -> 'councilSynthesis', report -> 'modulesIncluded',
        (report -> 'overallConfidence')::integer, report ->> 'dataFreshness')
    RETURNING * INTO stored;
    IF execreport._master_report_document(stored) #>> '{consolidatedInsights,0,title}' IS NULL THEN
        RAISE EXCEPTION 'the document of a master report has no insights';
    END IF;
    status := 'healthy';
    message := 'MasterReports functioning normally';
END
$$;
COMMENT ON FUNCTION execreport._health_master_reports() IS
'Are exec reports consolidated into a master report as they should, and is it stored? metrics: consolidationTime in ms,
insightsConsolidated.';

CREATE FUNCTION execreport._health_flags(OUT status text, OUT message text, OUT metrics jsonb)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    answers CONSTANT jsonb := execreport.get_flags(execreport.current_tenant());
    engaged CONSTANT bigint := (SELECT count(*) FROM execreport.kill_switches AS k WHERE k.tenant_id IN (0, execreport.current_tenant()));
BEGIN
    IF execreport.is_flag_enabled(execreport.current_tenant(), 'execReportsEnabled') IS DISTINCT FROM (answers -> 'execReportsEnabled')::boolean THEN
        RAISE EXCEPTION 'two lookups of one flag disagree';
    END IF;
    status := 'healthy';
    message := format('%s flags answer, %s kill switches are engaged', (SELECT count(*) FROM jsonb_object_keys(answers)), engaged);
    metrics := jsonb_build_object('flags', (SELECT count(*) FROM jsonb_object_keys(answers)), 'killSwitches', engaged);
END
$$;
COMMENT ON FUNCTION execreport._health_flags() IS
'Do flags answer? metrics: flags, killSwitches (engaged for the tenant).';

CREATE FUNCTION execreport._health_metrics(OUT status text, OUT message text, OUT metrics jsonb)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF execreport._metrics_available() THEN
        status := 'healthy';
        message := 'metrics are collected';
    ELSE
        status := 'degraded';
        message := 'no metrics: execreport is not among shared_preload_libraries, so guards cannot measure';
    END IF;
END
$$;
COMMENT ON FUNCTION execreport._health_metrics() IS
'Are metrics collected?';

CREATE FUNCTION execreport._health_of_work(in_time text, late text, waiting bigint, lag numeric, OUT status text, OUT message text, OUT metrics jsonb)
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
    SELECT CASE WHEN lag > 900 THEN 'degraded' ELSE 'healthy' END,
           CASE WHEN lag > 900 THEN format(late, waiting, round(lag)) ELSE in_time END,
           jsonb_build_object('lagSeconds', coalesce(round(lag, 1), 0));
END;
COMMENT ON FUNCTION execreport._health_of_work(text, text, bigint, numeric) IS
'Is work taken up within 15 minutes? waiting: how many pieces are late, lag: for how many seconds the oldest; late: the message
then, with places for both. metrics: lagSeconds.';

CREATE FUNCTION execreport._health_schedules(OUT status text, OUT message text, OUT metrics jsonb)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    SELECT h.status, h.message, h.metrics || jsonb_build_object('due', w.due) INTO status, message, metrics
      FROM (SELECT count(*) AS due, extract(epoch FROM now() - min(s.wake_at)) AS lag
              FROM execreport._schedules AS s
             WHERE s.wake_at < now() AND (execreport._caller_is_superuser() OR s.tenant_id = execreport.current_tenant())
               AND NOT execreport._in_maintenance(s.tenant_id)) AS w,   -- there they wait on purpose
           execreport._health_of_work('schedules run in time',
               '%s schedules are due, the oldest for %s s: nobody calls tick()', w.due, w.lag) AS h;
END
$$;
COMMENT ON FUNCTION execreport._health_schedules() IS
'Do schedules run in time (within 15 minutes)? metrics: due, lagSeconds.';

CREATE FUNCTION execreport._health_queue(OUT status text, OUT message text, OUT metrics jsonb)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    SELECT h.status, h.message, h.metrics || jsonb_build_object('running', w.running, 'abandoned', w.abandoned) INTO status, message, metrics
      FROM (SELECT count(*) AS running, count(*) FILTER (WHERE s.lease_until < now()) AS abandoned,
                   extract(epoch FROM now() - min(s.lease_until) FILTER (WHERE s.lease_until < now())) AS lag
              FROM execreport.report_data_segments AS s
             WHERE s.status = 'running' AND (execreport._caller_is_superuser() OR s.tenant_id = execreport.current_tenant())) AS w,
           execreport._health_of_work('segments are worked off',
               'the leases of %s segments ended up to %s s ago: no worker takes them over', w.abandoned, w.lag) AS h;
END
$$;
COMMENT ON FUNCTION execreport._health_queue() IS
'Are segments whose worker died taken over (within 15 minutes)? metrics: running, abandoned, lagSeconds.';

CREATE FUNCTION execreport._health_notifications(OUT status text, OUT message text, OUT metrics jsonb)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    SELECT h.status, h.message, h.metrics || jsonb_build_object('waiting', w.waiting) INTO status, message, metrics
      FROM (SELECT count(*) AS waiting, extract(epoch FROM now() - min(n.next_try)) AS lag
              FROM execreport.notifications AS n
             WHERE n.state = 'pending' AND n.next_try < now()
               AND (execreport._caller_is_superuser() OR n.tenant_id = execreport.current_tenant())) AS w,
           execreport._health_of_work('notifications are sent',
               '%s notifications wait, the oldest for %s s: no sender takes them', w.waiting, w.lag) AS h;
END
$$;
COMMENT ON FUNCTION execreport._health_notifications() IS
'Does a sender take the notifications (within 15 minutes)? metrics: waiting, lagSeconds.';

CREATE FUNCTION execreport._rehearse(function text, arguments text, limit_ms integer,
    OUT result jsonb, OUT state text, OUT error text, OUT detail text, OUT duration interval)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    began CONSTANT timestamptz := clock_timestamp();
    before timestamptz;
BEGIN
    BEGIN
        before := execreport._limit_time(limit_ms);
        EXECUTE format('SELECT pg_catalog.to_jsonb(r) FROM execreport.%I(%s) AS r', function, arguments) INTO result;
        RAISE EXCEPTION 'rolled back' USING ERRCODE = 'ER000';
    EXCEPTION
        WHEN SQLSTATE 'ER000' THEN
            NULL;   -- variables keep what they have; everything else is as it was
        WHEN query_canceled THEN
            -- somebody cancels us, or time is over: that is for the probe only when it is ours
            IF clock_timestamp() < least(before, began + limit_ms * interval '1 ms') THEN
                PERFORM execreport._restore_time(before);
                RAISE;
            END IF;
            GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, error = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
        WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, error = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
    END;
    PERFORM execreport._restore_time(before);
    duration := clock_timestamp() - began;
END
$$;
COMMENT ON FUNCTION execreport._rehearse(text, text, integer) IS
'Calls a function of ours that returns a row, in a sub-transaction that is always rolled back, for at most that many
milliseconds. result: the row, as an object; else state (SQLSTATE), error and detail.';

CREATE FUNCTION execreport.check_health()
RETURNS TABLE (component text, status text, message text, checked_at timestamptz, error text, metrics jsonb)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER ROWS 10 SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
    probe record;
    answer record;
BEGIN
    PERFORM execreport._require_tenant(execreport.current_tenant(), 'operator');
    FOR probe IN SELECT p.proname AS function, substr(p.proname, length('_health_') + 1) AS name
                   FROM pg_proc AS p
                  WHERE p.pronamespace = 'execreport'::regnamespace AND p.proname LIKE E'\\_health\\_%' AND p.pronargs = 0
                  ORDER BY p.proname <> '_health_exec_reports', p.proname <> '_health_master_reports', p.proname
    LOOP
        SELECT * INTO answer FROM execreport._rehearse(probe.function, '', 5000);
        component := probe.name;
        status := coalesce(answer.result ->> 'status', 'unhealthy');
        message := coalesce(answer.result ->> 'message',
            CASE probe.name WHEN 'exec_reports' THEN 'ExecReports' WHEN 'master_reports' THEN 'MasterReports' ELSE probe.name END
            || ' error: ' || coalesce(answer.error, 'no answer'));
        checked_at := clock_timestamp();
        error := coalesce(answer.state || ': ' || answer.error || coalesce('; ' || nullif(answer.detail, ''), ''), answer.result ->> 'error');
        metrics := nullif(answer.result -> 'metrics', 'null');
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION execreport.check_health() IS
'Checks that everything works, by using it: stores and consolidates three exec reports in the current tenant, in a
sub-transaction that is always rolled back, so neither rows nor counters are left. Flags and maintenance mode do not matter.
One row for each component: exec_reports, master_reports, flags, metrics, schedules, queue, notifications, guards and others.
status: healthy; degraded (it works, but something is missing or late); unhealthy (an error, a lock that was not granted in
2 s, or no answer in 5 s); skipped (exec_reports and master_reports on a standby and in a transaction that is read only).
error: SQLSTATE and message, or what the component says. metrics: of master_reports consolidationTime (ms) and insightsConsolidated. An error in one component
is a row, never an error of the call. For superusers and operators, who see their own tenant''s schedules and queue.
Errors: 42501 for others.
Example: SELECT component, status, message FROM execreport.check_health() WHERE status <> ''healthy'';';
