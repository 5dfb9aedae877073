-- report_builder_submit: the four steps: validate_parameters, preview_schedule, review_report, submit_report.
--
-- The first three read and never raise an error for what a document says. submit_report() carries out the plan that the
-- preview shows, all of it or nothing.

CREATE FUNCTION execreport._builder_work(collect jsonb, at timestamptz) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    -- half an hour for each batch of segments that run side by side
    SELECT jsonb_build_object('totalSegments', collect -> 'segments', 'segmentType', collect -> 'type', 'align', collect -> 'align',
               'parallelLimit', collect -> 'parallelLimit', 'totalBatches', b.batches, 'estimatedCompletionHours', b.batches * 0.5,
               'estimatedCompletionTime', execreport._builder_instant(_builder_work.at + b.batches * interval '30 minutes'))
      FROM (SELECT ceil((collect -> 'segments')::numeric / (collect -> 'parallelLimit')::numeric)::integer) AS b(batches)
     WHERE collect <> 'null';
END;
COMMENT ON FUNCTION execreport._builder_work(jsonb, timestamptz) IS
'How much a plan has to collect and how long that takes; NULL when nothing.';

CREATE FUNCTION execreport._builder_range(collect jsonb) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT jsonb_build_object('start', collect -> 'startDate', 'end', collect -> 'endDate', 'days', collect -> 'days') WHERE collect <> 'null';
END;
COMMENT ON FUNCTION execreport._builder_range(jsonb) IS 'The window of a plan as a form shows it; NULL when nothing is collected.';

CREATE FUNCTION execreport._builder_points(plan jsonb) RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
        SELECT ceil((plan #>> '{lookback,days}')::numeric * coalesce((
            SELECT sum(s.row_count) / sum(s.segment_end - s.segment_start + 1)
              FROM execreport.report_data_collections AS c
              JOIN execreport.report_data_segments AS s ON s.tenant_id = c.tenant_id AND s.collection_id = c.collection_id
             WHERE c.tenant_id = execreport.current_tenant() AND c.collection_id = (
                   SELECT last.collection_id FROM execreport.report_data_collections AS last
                    WHERE last.tenant_id = execreport.current_tenant() AND last.workflow_id = (plan ->> 'workflowId')::uuid
                      AND last.status IN ('completed', 'partial')
                    ORDER BY last.collection_id DESC LIMIT 1)
               AND s.status = 'completed' AND s.row_count IS NOT NULL), 1))::bigint);
END
$$;
COMMENT ON FUNCTION execreport._builder_points(jsonb) IS
'How many rows the window will have: as many a day as the workflow''s newest finished backfill had, one a day when there is none.';

CREATE FUNCTION execreport.validate_parameters(document jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    plan jsonb := execreport._builder_plan(document, 'parameters', now());
    span jsonb := CASE jsonb_typeof(plan #> '{lookback,window}') WHEN 'object' THEN plan #> '{lookback,window}' END;
BEGIN
    RETURN jsonb_build_object('valid', plan -> 'errors' = '[]',
        'dateRange', CASE WHEN span IS NOT NULL THEN
            jsonb_build_object('start', span -> 'startDate', 'end', span -> 'endDate', 'days', plan #> '{lookback,days}') END,
        'errors', plan -> 'errors', 'warnings', plan -> 'warnings',
        'estimatedDataPoints', CASE WHEN span IS NOT NULL THEN execreport._builder_points(plan) END);
END
$$;
COMMENT ON FUNCTION execreport.validate_parameters(jsonb) IS
'Step 1 of the report builder: are these parameters right, and which days do they mean? Never an error for what the
document says.
document: {"workflowId", "parameters": {...}, "lookbackConfig": as for calculate_lookback_dates, "segmentationConfig",
"asOf": a day or an instant, now when left out, "draftId"}; the members of later steps may be there; snake_case is read too.
Returns {"valid", "dateRange": {"start", "end", "days"}, both days inclusive, or null, "errors" and "warnings": lists of
{"code", "message", "path", "details"}, "estimatedDataPoints": rows, by what the workflow''s last backfill had a day, else one
a day}. Codes: INVALID_DOCUMENT, INVALID_WORKFLOW, UNKNOWN_WORKFLOW, INVALID_PARAMETERS, INVALID_LOOKBACK_RANGE, RETENTION_EXCEEDED,
FUTURE_DATES, INVALID_SEGMENTATION, LIMIT_EXCEEDED, INVALID_SCHEDULE_TYPE, INVALID_AS_OF, UNKNOWN_DRAFT.
Errors: 42501 for roles that work for no tenant.
Example: SELECT execreport.validate_parameters(''{"lookbackConfig": {"type": "relative", "value": 14, "unit": "days"}}'');';

CREATE FUNCTION execreport.preview_schedule(document jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    plan jsonb := execreport._builder_plan(document, 'schedule', now());
    collect jsonb := CASE WHEN plan -> 'errors' = '[]' THEN plan -> 'collect' ELSE 'null' END;
    work jsonb := execreport._builder_work(collect, (plan ->> 'at')::timestamptz);
BEGIN
    RETURN jsonb_build_object('valid', plan -> 'errors' = '[]', 'scheduleType', plan -> 'scheduleType',
        'errors', plan -> 'errors', 'warnings', plan -> 'warnings',
        'dateRange', execreport._builder_range(collect),
        'totalExecutions', CASE WHEN plan -> 'errors' = '[]' THEN coalesce((work -> 'totalSegments')::integer, 0) END,
        'segments', CASE WHEN work IS NULL THEN '[]' ELSE (
            SELECT jsonb_agg(jsonb_build_object('segmentNumber', s.segment_number, 'startDate', s.segment_start,
                                                'endDate', s.segment_end) ORDER BY s.segment_number)
              FROM execreport.calculate_segmentation_intervals((collect ->> 'startDate')::date, (collect ->> 'endDate')::date,
                                                               collect ->> 'type', collect ->> 'align') AS s) END,
        'nextRuns', plan -> 'runs', 'nextScheduledRun', plan #> '{runs,0,runAt}',
        'backfill', CASE WHEN plan ->> 'scheduleType' = 'backfill_with_schedule' THEN work - 'estimatedCompletionTime' END,
        'estimatedCompletionTime', work -> 'estimatedCompletionTime');
END
$$;
COMMENT ON FUNCTION execreport.preview_schedule(jsonb) IS
'Step 2 of the report builder: what would submit_report() collect now, and when would the schedule run? Never an error for
what the document says.
document: as for validate_parameters, with "scheduleType": once (collects the window of lookbackConfig now), scheduled (runs of
scheduleConfig, each collects the window of its day) or backfill_with_schedule (the same, and the history of backfillConfig
now); left out, it follows from the configurations that are there. "scheduleConfig": as for next_run. "backfillConfig":
{"days": 365 when left out, or "periods": so many segments, "segmentType" or "segmentation": daily, weekly, monthly or
quarterly, "parallelLimit": 1..10, 5 when left out, "includeCurrent": false leaves out the day or period that is not over}.
Returns {"valid", "scheduleType", "errors", "warnings", "dateRange": the window to collect now, or null, "totalExecutions":
how many segments that is, "segments": [{"segmentNumber", "startDate", "endDate"}], days inclusive, "nextRuns": the next five
[{"runNumber", "runAt", "localTime"}], "nextScheduledRun", "backfill": {"totalSegments", "segmentType", "align", "parallelLimit",
"totalBatches", "estimatedCompletionHours": half an hour per batch} or null, "estimatedCompletionTime"}.
Codes: those of validate_parameters, INVALID_SCHEDULE, SCHEDULE_TOO_FREQUENT, INVALID_BACKFILL.
Errors: 42501 for roles that work for no tenant.
Example: SELECT execreport.preview_schedule(''{"scheduleType": "backfill_with_schedule", "asOf": "2025-06-15",
"scheduleConfig": {"frequency": "daily", "time": "09:00", "timezone": "America/New_York"}}'') -> ''totalExecutions'';  -- 53';

CREATE FUNCTION execreport._schedule_identity(config jsonb) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    -- two configurations with the same runs: spelling, defaults, and what another frequency would need do not matter
    WITH given AS (SELECT execreport._camel_case(e.key) AS key, e.value FROM jsonb_each(config) AS e WHERE e.value <> 'null')
    SELECT coalesce(jsonb_object_agg(g.key,
               CASE g.key WHEN 'daysOfWeek' THEN (SELECT jsonb_agg(DISTINCT CASE d.day WHEN '0' THEN '7' ELSE d.day END) FROM jsonb_array_elements(g.value) AS d(day))
                          WHEN 'time' THEN to_jsonb(regexp_replace(g.value #>> '{}', E'^(\\d\\d:\\d\\d):00$', E'\\1'))
                          ELSE g.value END), '{}')
      FROM given AS g
     WHERE (g.key, g.value) NOT IN (('interval', '1'), ('monthEnd', '"clamp"'), ('dstGap', '"shift"'), ('dstOverlap', '"first"'))
       AND g.key <> 'jitter'
       AND (g.key <> 'daysOfWeek' OR config ->> 'frequency' = 'weekly')
       AND (g.key <> 'dayOfMonth' OR config ->> 'frequency' = 'monthly');
END;
COMMENT ON FUNCTION execreport._schedule_identity(jsonb) IS 'The same for every spelling of a schedule.';

CREATE FUNCTION execreport._builder_run_parameters(document jsonb) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT jsonb_build_object('parameters', coalesce(document -> 'parameters', '{}'), 'lookbackConfig', coalesce(document -> 'lookbackConfig', '{}'),
                              'segmentationConfig', coalesce(document -> 'segmentationConfig', '{}'));
END;
COMMENT ON FUNCTION execreport._builder_run_parameters(jsonb) IS
'What a schedule keeps for its runs: {"parameters", "lookbackConfig", "segmentationConfig"}.';

CREATE FUNCTION execreport._builder_conflicts(plan jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    RETURN (
        WITH wish AS (
            SELECT execreport.current_tenant() AS tenant, execreport.current_user_id() AS user_id,
                   (plan ->> 'workflowId')::uuid AS workflow, plan -> 'document' AS document,
                   nullif(plan -> 'collect', 'null') AS collect
        ), same_collection AS (
            SELECT c.collection_id
              FROM wish AS w
              JOIN execreport.report_data_collections AS c ON c.tenant_id = w.tenant AND c.workflow_id = w.workflow
             WHERE c.status IN ('pending', 'in_progress') AND c.control <> 'cancelled'
               AND c.start_date = (w.collect ->> 'startDate')::date AND c.end_date = (w.collect ->> 'endDate')::date
               AND c.segmentation_config ->> 'type' = w.collect ->> 'type' AND c.segmentation_config ->> 'align' = w.collect ->> 'align'
               AND c.parameters = coalesce(w.document -> 'parameters', '{}')
             ORDER BY c.collection_id LIMIT 1
        ), same_schedule AS (
            SELECT d.schedule_id
              FROM wish AS w
              JOIN execreport.workflow_schedules AS d ON d.tenant_id = w.tenant AND d.workflow_id = w.workflow
             WHERE d.status <> 'ended' AND plan ->> 'scheduleType' <> 'once'
               AND execreport._schedule_identity(d.schedule_config) = execreport._schedule_identity(w.document -> 'scheduleConfig')
               AND d.parameters = execreport._builder_run_parameters(w.document)
             ORDER BY d.schedule_id LIMIT 1
        ), load AS (
            SELECT (SELECT count(*)::integer FROM execreport.report_data_collections AS c
                     WHERE c.tenant_id = w.tenant AND c.user_id = w.user_id AND c.status IN ('pending', 'in_progress')
                       AND c.control <> 'cancelled' AND w.collect IS NOT NULL) AS backfills,
                   (SELECT count(*)::integer FROM execreport.workflow_schedules AS d
                     WHERE d.tenant_id = w.tenant AND d.user_id = w.user_id AND d.status <> 'ended'
                       AND plan ->> 'scheduleType' <> 'once') AS schedules,
                   execreport._setting('max_concurrent_backfills')::integer AS most_backfills,
                   execreport._setting('max_active_schedules')::integer AS most_schedules
              FROM wish AS w
        )
        SELECT jsonb_build_object(
            'duplicates',
                (SELECT coalesce(jsonb_agg(execreport._builder_error('DUPLICATE', 'scheduleConfig', 'the same schedule is active',
                            jsonb_build_object('scheduleId', d.schedule_id))), '[]') FROM same_schedule AS d)
                || (SELECT coalesce(jsonb_agg(execreport._builder_error('DUPLICATE', CASE plan ->> 'scheduleType' WHEN 'once' THEN 'lookbackConfig' ELSE 'backfillConfig' END,
                            'the same backfill is not finished yet', jsonb_build_object('collectionId', c.collection_id))), '[]') FROM same_collection AS c),
            'limits',
                (SELECT CASE WHEN l.backfills < l.most_backfills THEN '[]' ELSE jsonb_build_array(execreport._builder_error('LIMIT_EXCEEDED', 'scheduleType',
                            format('%s of %s backfills are not finished yet', l.backfills, l.most_backfills),
                            jsonb_build_object('limit', l.most_backfills, 'current', l.backfills, 'setting', 'execreport.max_concurrent_backfills'))) END
                     || CASE WHEN l.schedules < l.most_schedules THEN '[]' ELSE jsonb_build_array(execreport._builder_error('LIMIT_EXCEEDED', 'scheduleType',
                            format('%s of %s schedules are active', l.schedules, l.most_schedules),
                            jsonb_build_object('limit', l.most_schedules, 'current', l.schedules, 'setting', 'execreport.max_active_schedules'))) END
                   FROM load AS l)));
END
$$;
COMMENT ON FUNCTION execreport._builder_conflicts(jsonb) IS
'What stands against a plan that is right in itself: {"duplicates": the same work that is under way or scheduled, "limits": of the user}.';

CREATE FUNCTION execreport.review_report(document jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    plan jsonb := execreport._builder_plan(document, 'review', now());
    fine boolean := plan -> 'errors' = '[]';
    conflicts jsonb;
    errors jsonb := plan -> 'errors';
    wish jsonb := plan -> 'document';
    collect jsonb := CASE WHEN fine THEN plan -> 'collect' ELSE 'null' END;
    work jsonb := execreport._builder_work(collect, (plan ->> 'at')::timestamptz);
    kind text := plan ->> 'scheduleType';
BEGIN
    IF fine THEN
        conflicts := execreport._builder_conflicts(plan);
        errors := (conflicts -> 'duplicates') || (conflicts -> 'limits');
    END IF;
    RETURN jsonb_build_object('valid', errors = '[]', 'errors', errors, 'warnings', plan -> 'warnings',
        'summary', CASE WHEN fine THEN jsonb_build_object(
            'workflow', jsonb_build_object('id', plan -> 'workflowId', 'name', plan -> 'workflowName'),
            'parameters', coalesce(wish -> 'parameters', '{}'), 'scheduleType', kind,
            'lookback', jsonb_build_object('config', coalesce(wish -> 'lookbackConfig', '{}'),
                'start', plan #> '{lookback,window,startDate}', 'end', plan #> '{lookback,window,endDate}', 'days', plan #> '{lookback,days}'),
            'schedule', CASE WHEN kind <> 'once' THEN jsonb_build_object('config', wish -> 'scheduleConfig',
                'nextRuns', plan -> 'runs', 'nextScheduledRun', plan #> '{runs,0,runAt}') END,
            'collect', execreport._builder_range(collect) || work,
            'estimatedDataPoints', execreport._builder_points(plan),
            'text', concat_ws(' ',
                format('Workflow "%s".', plan ->> 'workflowName'),
                CASE WHEN work IS NOT NULL THEN format('Now: %s segments (%s), %s to %s, at most %s at a time, about %s hours.', work ->> 'totalSegments', work ->> 'segmentType',
                       collect ->> 'startDate', collect ->> 'endDate', work ->> 'parallelLimit', work ->> 'estimatedCompletionHours') END,
                CASE WHEN kind <> 'once' THEN format('Then %s at %s %s, first on %s.', wish #>> '{scheduleConfig,frequency}', wish #>> '{scheduleConfig,time}',
                       wish #>> '{scheduleConfig,timezone}', left(plan #>> '{runs,0,localTime}', 16)) END)) END);
END
$$;
COMMENT ON FUNCTION execreport.review_report(jsonb) IS
'Step 3 of the report builder: all of it in one place, for a last look. Never an error for what the document says; whatever
submit_report() would refuse is among the errors, except the rate.
document: as for preview_schedule; "workflowId" must be there, and "lookbackConfig" unless there is a history to collect.
Returns {"valid", "errors", "warnings", "summary"}: null when the document is wrong, else {"workflow": {"id", "name"}, "parameters",
"scheduleType", "lookback": {"config", "start", "end", "days"}, "schedule": {"config", "nextRuns", "nextScheduledRun"} or null,
"collect": {"start", "end", "days", "totalSegments", "segmentType", "align", "parallelLimit", "totalBatches", "estimatedCompletionHours",
"estimatedCompletionTime"} or null, "estimatedDataPoints", "text"}.
Codes: those of preview_schedule, DUPLICATE, LIMIT_EXCEEDED.
Errors: 42501 for roles that work for no tenant.
Example: SELECT execreport.review_report(''{"workflowId": "00000000-0000-0000-0000-000000000000", "lookbackConfig": {}}'') -> ''errors'';';

CREATE FUNCTION execreport.submit_report(document jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN execreport._submit_report(execreport._require_persona('editor'), document, clock_timestamp());
END
$$;
COMMENT ON FUNCTION execreport.submit_report(jsonb) IS
'Step 4 of the report builder: makes the collection with its segments, the schedule and the audit rows, all or nothing.
document: as for review_report. "requestKey": given again by the same user with the same document, the call returns the
same answer and makes nothing. "draftId": the draft of save_draft(), below what the document itself says; it is consumed,
and without a requestKey it serves as one. For editors.
Returns {"success": true, "message", "submissionId", "segments": how many were made, "collectionId", "executionId": for once,
the same id, "scheduleId", "nextScheduledRun"}; members that do not apply are left out.
Errors, each with DETAIL {"code", "message", "path", "details"}: PT422 what review_report would list; PT409 DUPLICATE: the same
work is under way or scheduled, or the requestKey stands for another document; PT429 LIMIT_EXCEEDED: too many unfinished
backfills or active schedules (settings execreport.max_concurrent_backfills, max_active_schedules), RATE_LIMITED with
"retryAfter" in seconds (execreport.max_submits_per_minute); 42501 for others.
Example: SELECT execreport.submit_report(jsonb_build_object(''workflowId'', execreport.create_workflow(''sales''),
''lookbackConfig'', ''{"type": "relative", "value": 14, "unit": "days"}''::jsonb, ''requestKey'', ''form-1''));';

CREATE FUNCTION execreport._submit_report(tenant integer, document jsonb, now timestamptz) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    request jsonb := execreport._builder_members(_submit_report.document, '', execreport._builder_keys() || '{requestKey,draftId}');
    key text := coalesce(request #>> '{members,requestKey}', 'draft:' || lower(request #>> '{members,draftId}'));
    hash text := execreport._canonical_hash(request -> 'members');
    caller text := execreport.current_user_id();
    earlier execreport.report_submissions;
    times timestamptz[];
    most integer := execreport._setting('max_submits_per_minute')::integer;
    wait integer;
    plan jsonb;
    conflicts jsonb;
    kind text;
    wish jsonb;
    collect jsonb;
    workflow uuid;
    collection uuid;
    schedule uuid;
    submission uuid := execreport._uuid7();
    answer jsonb;
BEGIN
    -- one submit at a time for each user
    INSERT INTO execreport._submit_rates (tenant_id, user_id) VALUES (tenant, caller) ON CONFLICT (tenant_id, user_id) DO NOTHING;
    SELECT r.recent INTO times FROM execreport._submit_rates AS r WHERE r.tenant_id = tenant AND r.user_id = caller FOR NO KEY UPDATE;

    SELECT s.* INTO earlier
      FROM execreport.report_submissions AS s WHERE s.tenant_id = tenant AND s.user_id = caller AND s.request_key = key;
    IF FOUND THEN
        IF earlier.request_hash <> hash THEN
            PERFORM execreport._builder_refuse('PT409', jsonb_build_array(execreport._builder_error('DUPLICATE',
                CASE WHEN request -> 'members' ? 'requestKey' THEN 'requestKey' ELSE 'draftId' END, 'stands for another document',
                jsonb_build_object('submissionId', earlier.submission_id))));
        END IF;
        RETURN earlier.answer;
    END IF;

    times := ARRAY(SELECT t.at FROM unnest(times) AS t(at)
                     WHERE t.at > _submit_report.now - interval '1 minute' AND t.at <= _submit_report.now ORDER BY t.at);
    IF cardinality(times) >= most THEN
        wait := greatest(1, ceil(extract(epoch FROM times[cardinality(times) - most + 1] + interval '1 minute' - _submit_report.now)));
        PERFORM execreport._builder_refuse('PT429', jsonb_build_array(
            execreport._builder_error('RATE_LIMITED', '$', format('%s reports were submitted within a minute', cardinality(times)),
                jsonb_build_object('limit', most, 'setting', 'execreport.max_submits_per_minute'))
            || jsonb_build_object('retryAfter', wait)));
    END IF;

    plan := execreport._builder_plan(_submit_report.document, 'submit', _submit_report.now);
    IF plan -> 'errors' <> '[]' THEN
        PERFORM execreport._builder_refuse('PT422', plan -> 'errors');
    END IF;
    workflow := plan ->> 'workflowId';
    PERFORM FROM execreport.workflows AS w WHERE w.tenant_id = tenant AND w.workflow_id = workflow FOR NO KEY UPDATE;
    conflicts := execreport._builder_conflicts(plan);
    IF conflicts -> 'duplicates' <> '[]' THEN
        PERFORM execreport._builder_refuse('PT409', conflicts -> 'duplicates');
    ELSIF conflicts -> 'limits' <> '[]' THEN
        PERFORM execreport._builder_refuse('PT429', conflicts -> 'limits');
    END IF;

    kind := plan ->> 'scheduleType';
    wish := plan -> 'document';
    collect := nullif(plan -> 'collect', 'null');
    IF collect IS NOT NULL THEN
        collection := execreport._new_collection(tenant, workflow,
            CASE kind WHEN 'once' THEN wish -> 'lookbackConfig'
                      ELSE jsonb_build_object('type', 'custom', 'startDate', collect -> 'startDate', 'endDate', collect -> 'endDate') END,
            jsonb_build_object('type', collect -> 'type', 'align', collect -> 'align', 'parallel_limit', collect -> 'parallelLimit',
                               'retry_failed', collect -> 'retryFailed'),
            (collect ->> 'startDate')::date, (collect ->> 'endDate')::date, NULL, coalesce(wish -> 'parameters', '{}'));
    END IF;
    IF kind <> 'once' THEN
        schedule := execreport.create_schedule(workflow, wish -> 'scheduleConfig', execreport._builder_run_parameters(wish),
                                               backfill_collection_id => collection, now => (plan ->> 'at')::timestamptz);
    END IF;

    answer := jsonb_strip_nulls(jsonb_build_object('success', true,
        'message', CASE kind WHEN 'once' THEN 'Report submitted' WHEN 'scheduled' THEN 'Schedule created' ELSE 'Backfill started and schedule created' END,
        'submissionId', submission, 'segments', coalesce((collect -> 'segments')::integer, 0), 'collectionId', collection,
        'executionId', CASE kind WHEN 'once' THEN collection END, 'scheduleId', schedule, 'nextScheduledRun', plan #> '{runs,0,runAt}'));
    INSERT INTO execreport.report_submissions (tenant_id, submission_id, user_id, request_key, request_hash, workflow_id, collection_id,
                                               schedule_id, document, answer)
    VALUES (tenant, submission, caller, key, hash, workflow, collection, schedule, wish, answer);
    INSERT INTO execreport.report_builder_audit (tenant_id, user_id, workflow_id, step_completed, configuration)
    VALUES (tenant, caller, workflow, 'submit', wish);
    DELETE FROM execreport.report_drafts AS d
     WHERE d.tenant_id = tenant AND d.user_id = caller AND d.draft_id::text = lower(request #>> '{members,draftId}');
    UPDATE execreport._submit_rates AS r SET recent = times || _submit_report.now WHERE r.tenant_id = tenant AND r.user_id = caller;
    RETURN answer;
END
$$;
COMMENT ON FUNCTION execreport._submit_report(integer, jsonb, timestamptz) IS
'submit_report() at a given moment.';

CREATE FUNCTION execreport.collect_schedule_run(run_id uuid) RETURNS uuid
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    tenant integer := execreport._require_persona('editor');
    run record;
    span record;
BEGIN
    SELECT s.workflow_id, s.parameters, (r.scheduled_at AT TIME ZONE (s.schedule_config ->> 'timezone'))::date AS day INTO run
      FROM execreport.schedule_runs AS r
      JOIN execreport._schedules AS s ON s.tenant_id = r.tenant_id AND s.schedule_id = r.schedule_id
     WHERE r.tenant_id = tenant AND r.run_id = collect_schedule_run.run_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'run % does not exist', coalesce(collect_schedule_run.run_id::text, 'null')
            USING ERRCODE = 'P0002', HINT = 'Runs are made by execreport.run_due_schedules() and listed in execreport.schedule_runs.';
    END IF;
    SELECT d.start_date, d.end_date INTO span
      FROM execreport.calculate_lookback_dates(coalesce(run.parameters -> 'lookbackConfig', '{}'), run.day) AS d;
    RETURN execreport._new_collection(tenant, run.workflow_id, coalesce(run.parameters -> 'lookbackConfig', '{}'),
        coalesce(run.parameters -> 'segmentationConfig', '{}'), span.start_date, span.end_date, 'run:' || collect_schedule_run.run_id,
        coalesce(run.parameters -> 'parameters', '{}'));
END
$$;
COMMENT ON FUNCTION execreport.collect_schedule_run(uuid) IS
'Makes the collection of one run of a submitted schedule and returns its id: the window that the report''s lookbackConfig has
on the day of the run in the schedule''s zone, cut as its segmentationConfig says. Called again it returns the same collection.
When it is done, report the run with complete_schedule_run() or fail_schedule_run(). For editors.
Errors: 42501 for others; P0002 no such run.
Example: SELECT r.run_id, execreport.collect_schedule_run(r.run_id) FROM execreport.run_due_schedules() AS r;';
