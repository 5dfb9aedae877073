-- report_builder: preview, created segments and independently made tiles are the same; figures made by hand; refusals.
BEGIN;
SELECT plan(80);
SET LOCAL execreport.tenant_id = 1;
SET LOCAL timezone = 'UTC';
SET LOCAL enable_seqscan = off;   -- the tables are empty when the plans are made
SET LOCAL jit = off;

-- the SQLSTATE and the error of a submit that is refused
CREATE FUNCTION pg_temp.refusal(document jsonb, now timestamptz DEFAULT clock_timestamp()) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    detail text;
BEGIN
    PERFORM execreport._submit_report(execreport.current_tenant(), document, now);
    RETURN '{"state": "00000"}';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    RETURN jsonb_build_object('state', SQLSTATE, 'message', SQLERRM, 'error',
        CASE WHEN SQLSTATE LIKE 'PT4%' THEN detail::jsonb ELSE to_jsonb(detail) END);
END
$$;
CREATE TEMP TABLE name_ AS SELECT execreport.create_workflow('pgtap') AS workflow;
CREATE FUNCTION pg_temp.doc(more jsonb) RETURNS jsonb LANGUAGE sql AS
    $$ SELECT jsonb_build_object('workflowId', workflow) || more FROM name_ $$;

-- 1. Random windows, each previewed in every way and created in one. The tiles come from PostgreSQL's own calendar.
CREATE FUNCTION pg_temp.tiles(first date, last date, kind text, align text) RETURNS text LANGUAGE sql AS $$
    WITH unit AS (
        SELECT CASE kind WHEN 'daily' THEN interval '1 day' WHEN 'weekly' THEN interval '7 days' WHEN 'monthly' THEN interval '1 month'
                         ELSE interval '3 months' END AS step,
               CASE WHEN align = 'anchor' THEN first
                    ELSE date_trunc(CASE kind WHEN 'daily' THEN 'day' WHEN 'weekly' THEN 'week' WHEN 'monthly' THEN 'month' ELSE 'quarter' END,
                                    first::timestamp)::date END AS origin
    ), cut AS (
        SELECT greatest((u.origin + n * u.step)::date, first) AS starts FROM unit AS u, generate_series(0, last - first) AS n
         WHERE (u.origin + n * u.step)::date <= last
    )
    SELECT string_agg(starts || '..' || coalesce(next - 1, last), ',' ORDER BY starts)
      FROM (SELECT DISTINCT starts, min(starts) OVER (ORDER BY starts ROWS BETWEEN 1 FOLLOWING AND 1 FOLLOWING) AS next FROM cut) AS c
$$;
SELECT setseed(0.25);
CREATE TEMP TABLE window_ AS
SELECT n, as_of, as_of - back AS last, as_of - back - length + 1 AS first, NULL::uuid AS workflow
  FROM (SELECT n, date '2024-01-01' + (random() * 800)::integer AS as_of, (random() ^ 3 * 60)::integer AS back,
               1 + (random() ^ 3 * 364)::integer AS length FROM generate_series(1, 1000) AS n) AS w;
CREATE TEMP TABLE way AS
SELECT kind, align, row_number() OVER (ORDER BY k, a) AS nth
  FROM unnest('{daily,weekly,monthly,quarterly}'::text[]) WITH ORDINALITY AS kinds(kind, k), unnest('{anchor,calendar}'::text[]) WITH ORDINALITY AS aligns(align, a);
CREATE TEMP TABLE outcome (n integer, kind text, align text, tiles text, previewed text, announced integer, created text);
DO $$
DECLARE
    w record;
    a record;
    workflow uuid;
    document jsonb;
    preview jsonb;
    answer jsonb;
    clock timestamptz := '2030-01-01';
BEGIN
    SET LOCAL execreport.max_concurrent_backfills = 1000000;
    FOR w IN SELECT * FROM window_ LOOP
        workflow := execreport.create_workflow('window ' || w.n);
        PERFORM set_config('execreport.user_id', 'user ' || w.n, true);
        FOR a IN SELECT * FROM way LOOP
            document := jsonb_build_object('workflowId', workflow, 'asOf', w.as_of,
                'lookbackConfig', jsonb_build_object('type', 'custom', 'startDate', w.first, 'endDate', w.last),
                'segmentationConfig', jsonb_build_object('type', a.kind, 'align', a.align));
            preview := execreport.preview_schedule(document);
            clock := clock + interval '1 minute';
            answer := CASE WHEN (w.n + a.nth) % 8 = 0 THEN execreport._submit_report(1, document, clock) END;
            INSERT INTO outcome
            SELECT w.n, a.kind, a.align, pg_temp.tiles(w.first, w.last, a.kind, a.align),
                   (SELECT string_agg((s ->> 'startDate') || '..' || (s ->> 'endDate'), ',' ORDER BY (s -> 'segmentNumber')::integer)
                      FROM jsonb_array_elements(preview -> 'segments') AS s),
                   (preview -> 'totalExecutions')::integer,
                   (SELECT string_agg(s.segment_start || '..' || s.segment_end, ',' ORDER BY s.segment_start)
                      FROM execreport.report_data_segments AS s WHERE s.tenant_id = 1 AND s.collection_id = (answer ->> 'collectionId')::uuid);
        END LOOP;
    END LOOP;
    PERFORM set_config('execreport.user_id', '', true);
    SET LOCAL execreport.max_concurrent_backfills = 5;
END
$$;
SELECT is(count(*)::integer, 8000, '1000 windows were cut in 8 ways') FROM outcome;
SELECT is_empty('SELECT * FROM outcome WHERE previewed IS DISTINCT FROM tiles', 'what is previewed are the tiles of the window');
SELECT is_empty('SELECT * FROM outcome WHERE created <> previewed', 'what is created is what was previewed');
SELECT results_eq('SELECT count(created)::integer FROM outcome GROUP BY kind, align', 'SELECT 125 FROM way', '1000 of them were created, as many in each way');
SELECT is_empty('SELECT * FROM outcome WHERE announced <> cardinality(string_to_array(tiles, '',''))', 'totalExecutions is their number');
SELECT is((SELECT count(DISTINCT n)::integer FROM outcome WHERE kind = 'daily' AND cardinality(string_to_array(tiles, ',')) > 100) > 50, true,
          'long windows are among them');

-- 2. Figures made by hand
CREATE FUNCTION pg_temp.backfill(as_of text, config jsonb, segmentation jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS $$
    SELECT execreport.preview_schedule(jsonb_build_object('scheduleType', 'backfill_with_schedule', 'asOf', as_of, 'backfillConfig', config,
        'segmentationConfig', segmentation, 'scheduleConfig', '{"frequency": "daily", "time": "09:00", "timezone": "America/New_York"}'::jsonb)) $$;
SELECT results_eq($$
    SELECT kind, align, (p #>> '{backfill,totalSegments}')::integer, (p #>> '{backfill,totalBatches}')::integer,
           (p #>> '{backfill,estimatedCompletionHours}')::numeric, p #>> '{dateRange,start}', p #>> '{dateRange,end}', (p #>> '{dateRange,days}')::integer
      FROM way, pg_temp.backfill('2025-06-15', jsonb_build_object('segmentation', kind), jsonb_build_object('align', align)) AS p ORDER BY nth $$, $$
    VALUES ('daily', 'anchor', 365, 73, 36.5, '2024-06-16', '2025-06-15', 365), ('daily', 'calendar', 365, 73, 36.5, '2024-06-16', '2025-06-15', 365),
           ('weekly', 'anchor', 53, 11, 5.5, '2024-06-16', '2025-06-15', 365), ('weekly', 'calendar', 53, 11, 5.5, '2024-06-16', '2025-06-15', 365),
           ('monthly', 'anchor', 12, 3, 1.5, '2024-06-16', '2025-06-15', 365), ('monthly', 'calendar', 13, 3, 1.5, '2024-06-16', '2025-06-15', 365),
           ('quarterly', 'anchor', 4, 1, 0.5, '2024-06-16', '2025-06-15', 365), ('quarterly', 'calendar', 5, 1, 0.5, '2024-06-16', '2025-06-15', 365) $$,
    '365 days: 365 days, 53 weeks, 12 or 13 months, 4 or 5 quarters; 5 at a time, half an hour each');
SELECT results_eq($$ SELECT jsonb_array_length(pg_temp.backfill('2025-12-31', '{"segmentType": "monthly"}', '{"align": "calendar"}') -> 'segments'),
                            jsonb_array_length(pg_temp.backfill('2024-06-15', '{"segmentType": "monthly"}') -> 'segments') $$,
                  'VALUES (12, 12)', 'a calendar year has 12 months, 365 days over a leap day have 12');
SELECT is(jsonb_array_length(pg_temp.backfill('2025-06-15', '{"periods": 30, "segmentation": "daily"}') -> 'segments'), 30, '30 daily periods are 30 segments');
SELECT is(pg_temp.backfill('2025-06-15', '{"periods": 4, "segmentation": "weekly", "includeCurrent": false}', '{"align": "calendar"}') -> 'dateRange',
          '{"start": "2025-05-12", "end": "2025-06-08", "days": 28}', 'the four ISO weeks before the one that Sunday 15 June ends');
SELECT is(pg_temp.backfill('2025-06-15', '{"days": 7, "segmentation": "daily", "includeCurrent": false}') -> 'dateRange',
          '{"start": "2025-06-08", "end": "2025-06-14", "days": 7}', 'seven days without today');
SELECT is_empty($$
    SELECT d.day, w.kind, w.align, n, p -> 'errors', p -> 'dateRange'
      FROM (SELECT date '2024-01-25' + n * 3 AS day FROM generate_series(0, 180) AS n) AS d, way AS w, generate_series(1, 4) AS n,
           pg_temp.backfill(d.day::text, jsonb_build_object('periods', n, 'segmentType', w.kind), jsonb_build_object('align', w.align)) AS p
     WHERE (w.nth + n + extract(day FROM d.day)) % 4 = 0
       AND (p #>> '{backfill,totalSegments}')::integer IS DISTINCT FROM n $$, 'n periods are n segments, whatever the length of the months');
SELECT results_eq($$
    SELECT v -> 'valid', v #>> '{dateRange,start}', v #>> '{dateRange,end}', (v #>> '{dateRange,days}')::integer, v #>> '{errors,0,code}', v #>> '{errors,0,path}'
      FROM (VALUES (1, '{"type": "relative", "value": 7, "unit": "days"}'::jsonb), (2, '{"type": "custom", "startDate": "2025-01-01", "endDate": "2025-01-31"}'),
                   (3, '{"type": "relative", "value": 420, "unit": "days"}'), (4, '{"type": "relative", "value": 450, "unit": "days"}'),
                   (5, '{"type": "custom", "startDate": "2025-02-01", "endDate": "2025-01-31"}'), (6, '{"type": "custom", "startDate": "2025-06-01", "endDate": "2025-06-16"}'),
                   (7, '{"type": "relative", "value": 0, "unit": "days"}'), (8, '{"type": "relative", "value": -7, "unit": "days"}')) AS c(n, config),
           execreport.validate_parameters(jsonb_build_object('lookbackConfig', config, 'asOf', '2025-06-15')) AS v ORDER BY n $$, $$
    VALUES ('true'::jsonb, '2025-06-09', '2025-06-15', 7, NULL, NULL), ('true', '2025-01-01', '2025-01-31', 31, NULL, NULL),
           ('true', '2024-04-22', '2025-06-15', 420, NULL, NULL),
           ('false', '2024-03-23', '2025-06-15', 450, 'RETENTION_EXCEEDED', 'lookbackConfig.value'),
           ('false', NULL, NULL, NULL, 'INVALID_LOOKBACK_RANGE', 'lookbackConfig.startDate'),
           ('false', '2025-06-01', '2025-06-16', 16, 'FUTURE_DATES', 'lookbackConfig.endDate'),
           ('false', NULL, NULL, NULL, 'INVALID_LOOKBACK_RANGE', 'lookbackConfig.value'), ('false', NULL, NULL, NULL, 'INVALID_LOOKBACK_RANGE', 'lookbackConfig.value') $$,
    'windows that are right and wrong');
SELECT is(execreport.validate_parameters('{"lookbackConfig": {"type": "relative", "value": 450, "unit": "days"}, "asOf": "2025-06-15"}') #> '{errors,0,details}',
          '{"requestedDays": 450, "maximumDays": 427, "earliestStart": "2024-04-15", "latestEnd": "2025-06-15"}', 'details say what was asked for and what there is');
SELECT results_eq($$ SELECT r ->> 'runAt', r ->> 'localTime' FROM jsonb_array_elements(execreport.preview_schedule(
        '{"schedule_type": "scheduled", "as_of": "2026-03-06T15:00:00Z", "schedule_config": {"frequency": "daily", "time": "09:00", "timezone": "America/New_York"}}')
        -> 'nextRuns') AS r $$,
    $$ VALUES ('2026-03-07T14:00:00Z', '2026-03-07 09:00:00'), ('2026-03-08T13:00:00Z', '2026-03-08 09:00:00'), ('2026-03-09T13:00:00Z', '2026-03-09 09:00:00'),
              ('2026-03-10T13:00:00Z', '2026-03-10 09:00:00'), ('2026-03-11T13:00:00Z', '2026-03-11 09:00:00') $$, 'five runs over the start of summer time');
SELECT is(execreport.preview_schedule('{"lookbackConfig": {}, "scheduleType": "once", "asOf": "2025-06-15T23:30:00-04:00", "scheduleConfig": {"timezone": "America/New_York"}}')
          #>> '{dateRange,end}', '2025-06-15', 'today is the schedule''s today');
SELECT is(execreport.preview_schedule('{"lookbackConfig": {}, "asOf": "2025-06-15T23:30:00-04:00"}') #>> '{dateRange,end}', '2025-06-16',
          'without a zone it is the session''s');
SELECT is(execreport.validate_parameters('{"lookbackConfig": {}, "asOf": "2025-06-15", "parameters": {"startDate": "2020-01-01", "market": "DE"}}')
          #> '{warnings}' -> 0 -> 'path', '"parameters.startDate"', 'old dates in parameters are warned of');
SELECT is(execreport.validate_parameters('{"lookbackConfig": {}, "parameters": {"startDate": "2020-01-01", "start_date": "2020-01-01"}}')
          #>> '{errors,0,path}', 'parameters.start_date', 'a parameter in two spellings is an error');
SELECT is(execreport.validate_parameters('{"lookbackConfig": {}, "lookback_config": {"type": "relative", "value": 1, "unit": "days"}}')
          #>> '{errors,0,message}', '"lookbackConfig" and "lookback_config" differ', 'two spellings that differ are an error');
SELECT is(execreport.preview_schedule('{"lookbackConfig": {}, "scheduleType": "once", "backfillConfig": {"days": 3}}') #> '{warnings,0}' ->> 'path', 'backfillConfig',
          'what is not used is warned of');

-- 3. Documents that are wrong: each names its path, and nothing raises but submit, with PT422
CREATE TEMP TABLE pool AS SELECT bad, n FROM unnest(ARRAY['0', '-1', '1.5', '1e300', '99999999999', '123456', '-0.0001', '"abc"', '""', '" "', '"NaN"',
    '"2025-02-30"', '"Weekly"', '"25:00"', '"2025-06-15T10:00"', '"infinity"', '"\u0007"', '"😀"', 'true', 'false', '[]', '[null]', '[1, "x"]', '["daily"]', '{}',
    '{"a": 1}', '[[[[]]]]']::jsonb[]) WITH ORDINALITY AS p(bad, n);
CREATE TEMP TABLE field (path text[], right_ jsonb[], step text);
INSERT INTO field VALUES
    ('{workflowId}', '{}', 'parameters'), ('{parameters}', '{"{}","{\"a\": 1}"}', 'parameters'),
    ('{lookbackConfig}', '{"{}"}', 'parameters'), ('{lookbackConfig,type}', '{}', 'parameters'), ('{lookbackConfig,value}', '{}', 'parameters'),
    ('{lookbackConfig,unit}', '{}', 'parameters'), ('{lookbackConfig,lagDays}', '{0}', 'parameters'), ('{lookbackConfig,other}', '{}', 'parameters'),
    ('{segmentationConfig}', '{"{}"}', 'parameters'), ('{segmentationConfig,type}', '{}', 'parameters'), ('{segmentationConfig,align}', '{}', 'parameters'),
    ('{segmentationConfig,parallelLimit}', '{}', 'parameters'), ('{segmentationConfig,retryFailed}', '{true,false}', 'parameters'),
    ('{scheduleType}', '{}', 'parameters'), ('{asOf}', '{}', 'parameters'), ('{draftId}', '{}', 'parameters'), ('{unknown}', '{}', 'parameters'),
    ('{scheduleConfig}', '{}', 'schedule'), ('{scheduleConfig,frequency}', '{}', 'schedule'), ('{scheduleConfig,time}', '{}', 'schedule'),
    ('{scheduleConfig,timezone}', '{}', 'schedule'), ('{scheduleConfig,daysOfWeek}', '{}', 'schedule'), ('{scheduleConfig,dayOfMonth}', '{-1}', 'schedule'),
    ('{scheduleConfig,interval}', '{}', 'schedule'), ('{scheduleConfig,startDate}', '{}', 'schedule'), ('{scheduleConfig,endDate}', '{}', 'schedule'),
    ('{scheduleConfig,monthEnd}', '{}', 'schedule'), ('{scheduleConfig,dstGap}', '{}', 'schedule'), ('{scheduleConfig,cron}', '{}', 'schedule'),
    ('{backfillConfig}', '{"{}"}', 'schedule'), ('{backfillConfig,days}', '{}', 'schedule'), ('{backfillConfig,segmentation}', '{}', 'schedule'),
    ('{backfillConfig,parallelLimit}', '{}', 'schedule'), ('{backfillConfig,includeCurrent}', '{true,false}', 'schedule');
CREATE TEMP TABLE wrong AS
SELECT array_to_string(f.path, '.') AS path, f.path[1] AS member, f.step, p.n,
       jsonb_set(pg_temp.doc('{"asOf": "2025-06-15", "lookbackConfig": {"type": "relative", "value": 7, "unit": "days"}, "segmentationConfig": {"type": "weekly"},
           "scheduleType": "backfill_with_schedule", "scheduleConfig": {"frequency": "weekly", "time": "09:00", "timezone": "Europe/Berlin", "daysOfWeek": [1]},
           "backfillConfig": {"days": 30}}'), f.path, p.bad) AS document
  FROM field AS f, pool AS p WHERE p.bad <> ALL (f.right_);
INSERT INTO wrong SELECT '$', '$', 'parameters', n, bad FROM pool WHERE jsonb_typeof(bad) <> 'object';
INSERT INTO wrong VALUES ('$', '$', 'parameters', 100, NULL), ('$', '$', 'parameters', 101, 'null');

CREATE FUNCTION pg_temp.faults(step text, document jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    answer jsonb;
BEGIN
    answer := CASE step WHEN 'parameters' THEN execreport.validate_parameters(document) WHEN 'schedule' THEN execreport.preview_schedule(document)
                        ELSE execreport.review_report(document) END;
    RETURN CASE WHEN answer -> 'valid' = 'false' THEN answer -> 'errors' ELSE '[]' END;
EXCEPTION WHEN OTHERS THEN
    RETURN to_jsonb(SQLSTATE || ' ' || SQLERRM);
END
$$;
CREATE TEMP TABLE told AS
SELECT w.*, s.step AS called, pg_temp.faults(s.step, w.document) AS errors
  FROM wrong AS w, unnest('{parameters,schedule,review}'::text[]) AS s(step) WHERE w.step = 'parameters' OR s.step <> 'parameters';
INSERT INTO told
SELECT w.*, 'submit', CASE r ->> 'state' WHEN 'PT422' THEN coalesce(r #> '{error,errors}', jsonb_build_array(r -> 'error')) ELSE r END
  FROM wrong AS w, pg_temp.refusal(w.document) AS r;

SELECT cmp_ok(count(*)::integer, '>=', 200, called || ' meets at least 200 wrong documents') FROM told GROUP BY called ORDER BY called;
SELECT is_empty($$ SELECT called, path, n, document, errors FROM told WHERE jsonb_typeof(errors) <> 'array' LIMIT 5 $$, 'none of them raises but submit, with PT422');
SELECT is_empty($$ SELECT called, path, n, document, errors FROM told AS t WHERE jsonb_typeof(errors) = 'array' AND NOT EXISTS (
    SELECT FROM jsonb_array_elements(t.errors) AS e WHERE split_part(e ->> 'path', '.', 1) = t.member) LIMIT 5 $$, 'each error names the member');
SELECT is_empty($$ SELECT called, path, n, document, errors FROM told AS t WHERE t.path LIKE 'scheduleConfig.%' AND t.n < 20 AND t.path NOT LIKE '%cron' AND NOT EXISTS (
    SELECT FROM jsonb_array_elements(t.errors) AS e WHERE e ->> 'path' LIKE t.path || '%') LIMIT 5 $$, 'and within it the key');
SELECT is_empty($$ SELECT called, errors FROM told, jsonb_array_elements(errors) AS e
    WHERE (SELECT array_agg(k ORDER BY k) FROM jsonb_object_keys(e) AS k) <> '{code,details,message,path}' OR length(e ->> 'message') > 400
       OR jsonb_typeof(e -> 'details') <> 'object' OR e ->> 'code' !~ '^[A-Z_]+$' LIMIT 5 $$, 'every error has code, message, path and details');
SELECT is((SELECT count(*)::integer FROM execreport.report_submissions WHERE workflow_id = (SELECT workflow FROM name_)), 0, 'and nothing was made');

-- three faults at once, at random: no reader ever raises, submit only with PT4xx
SELECT setseed(0.75);
CREATE TEMP TABLE mixed AS
SELECT n, (SELECT jsonb_object_agg(k, v) FROM (
             SELECT DISTINCT ON (k) k, v FROM (
                 SELECT e.key AS k, e.value AS v FROM wrong AS w, jsonb_each(w.document) AS e
                  WHERE jsonb_typeof(w.document) = 'object' AND (w.n * 7919 + n * 104729 + length(w.path)) % 211 = 0
                 UNION ALL SELECT p.bad::text, p.bad FROM pool AS p WHERE n % 40 = p.n) AS u ORDER BY k, md5(v::text || n)) AS o) AS document
  FROM generate_series(1, 400) AS n;
SELECT is_empty($$ SELECT step, e FROM mixed, unnest('{parameters,schedule,review}'::text[]) AS step, pg_temp.faults(step, document) AS e
    WHERE jsonb_typeof(e) <> 'array' LIMIT 5 $$, 'no reader raises for a mixture of faults');
SELECT is_empty($$ SELECT r FROM mixed, pg_temp.refusal(document) AS r WHERE r ->> 'state' NOT IN ('PT422', '00000', 'PT409', 'PT429') LIMIT 5 $$,
    'and submit raises nothing but its own refusals');
SELECT is(jsonb_array_length(execreport.validate_parameters((SELECT jsonb_object_agg('key' || n, n) FROM generate_series(1, 1000) AS n)) -> 'errors'), 20,
    'at most 20 errors are listed');

-- 4. Submit: what it makes
CREATE FUNCTION pg_temp.daily(at text, more jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS $$
    SELECT pg_temp.doc(jsonb_build_object('scheduleType', 'scheduled', 'lookbackConfig', '{"type": "relative", "value": 7, "unit": "days"}'::jsonb,
        'scheduleConfig', jsonb_build_object('frequency', 'daily', 'time', at, 'timezone', 'UTC')) || more) $$;
SET LOCAL execreport.user_id = 'ana';
CREATE TEMP TABLE made AS SELECT execreport.submit_report(pg_temp.doc('{"scheduleType": "backfill_with_schedule", "asOf": "2025-06-15", "requestKey": "k1",
    "parameters": {"market": "DE"}, "lookbackConfig": {"type": "relative", "value": 2, "unit": "weeks"}, "backfillConfig": {"days": 365, "segmentation": "monthly"},
    "scheduleConfig": {"frequency": "weekly", "daysOfWeek": [0, 3], "time": "07:30", "timezone": "Europe/Berlin"}}')) AS answer;
SELECT is(answer - 'collectionId' - 'scheduleId' - 'submissionId', '{"success": true, "message": "Backfill started and schedule created", "segments": 12,
    "nextScheduledRun": "2025-06-15T05:30:00Z"}', 'a backfill and its schedule') FROM made;
SELECT results_eq($$ SELECT c.start_date, c.end_date, c.user_id, c.parallel_limit, c.parameters, c.segmentation_config ->> 'type', c.status::text,
        (SELECT count(*)::integer FROM execreport.report_data_segments AS s WHERE s.collection_id = c.collection_id)
      FROM execreport.report_data_collections AS c JOIN made ON c.collection_id = (answer ->> 'collectionId')::uuid $$,
    $$ VALUES (date '2024-06-16', date '2025-06-15', 'ana', 5, '{"market": "DE"}'::jsonb, 'monthly', 'pending', 12) $$, 'its collection');
SELECT results_eq($$ SELECT s.workflow_id, s.next_run_at, s.backfill_collection_id, s.backfill_status::text, s.parameters, s.user_id
      FROM execreport.workflow_schedules AS s JOIN made ON s.schedule_id = (answer ->> 'scheduleId')::uuid $$,
    $$ SELECT workflow, timestamptz '2025-06-15 05:30+00', (answer ->> 'collectionId')::uuid, 'pending',
       '{"parameters": {"market": "DE"}, "lookbackConfig": {"type": "relative", "value": 2, "unit": "weeks"}, "segmentationConfig": {}}'::jsonb, 'ana' FROM name_, made $$,
    'its schedule');
SELECT results_eq($$ SELECT step_completed, user_id, workflow_name, configuration ->> 'scheduleType' FROM execreport.report_builder_history(
        jsonb_build_object('workflowId', (SELECT workflow FROM name_))) $$, $$ VALUES ('submit', 'ana', 'pgtap', 'backfill_with_schedule') $$, 'its audit row');

-- 5. The same again
SELECT is(execreport.submit_report(pg_temp.doc('{"schedule_type": "backfill_with_schedule", "as_of": "2025-06-15", "request_key": "k1",
    "parameters": {"market": "DE"}, "lookback_config": {"type": "relative", "value": 2, "unit": "weeks"}, "backfill_config": {"days": 365, "segmentation": "monthly"},
    "schedule_config": {"frequency": "weekly", "daysOfWeek": [0, 3], "time": "07:30", "timezone": "Europe/Berlin"}}')), answer,
    'the same request, spelled otherwise, has the same answer') FROM made;
SELECT is(r ->> 'state' || ' ' || (r #>> '{error,code}') || ' ' || (r #>> '{error,path}'), 'PT409 DUPLICATE requestKey', 'the same key with another document')
  FROM pg_temp.refusal(pg_temp.doc('{"requestKey": "k1", "lookbackConfig": {}}')) AS r;
SELECT is(r ->> 'state' || ' ' || (r #>> '{error,code}') || ' ' || (r #>> '{error,path}'), 'PT409 DUPLICATE scheduleConfig', 'the same schedule, spelled otherwise')
  FROM pg_temp.refusal(pg_temp.doc('{"scheduleType": "scheduled", "asOf": "2025-06-16", "parameters": {"market": "DE"}, "lookbackConfig": {"type": "relative", "value": 2, "unit": "weeks"},
    "scheduleConfig": {"frequency": "weekly", "days_of_week": [3, 7, 3], "time": "07:30:00", "timezone": "Europe/Berlin", "interval": 1, "dayOfMonth": 5}}')) AS r;
SELECT is(r ->> 'state', '00000', 'other parameters are another schedule')
  FROM pg_temp.refusal(pg_temp.doc('{"scheduleType": "scheduled", "asOf": "2025-06-16", "lookbackConfig": {"type": "relative", "value": 2, "unit": "weeks"},
    "scheduleConfig": {"frequency": "weekly", "daysOfWeek": [3, 7], "time": "07:30", "timezone": "Europe/Berlin"}}')) AS r;
SELECT is(r ->> 'state' || ' ' || (r #>> '{error,path}'), 'PT409 lookbackConfig', 'the same window that is not collected yet')
  FROM (SELECT execreport.submit_report(pg_temp.doc('{"lookbackConfig": {}, "asOf": "2025-03-01"}'))) AS s,
       LATERAL pg_temp.refusal(pg_temp.doc('{"lookbackConfig": {"type": "relative", "value": 1, "unit": "weeks"}, "asOf": "2025-03-01"}')) AS r;
SELECT is(execreport.review_report(pg_temp.doc('{"lookbackConfig": {}, "asOf": "2025-03-01"}')) #>> '{errors,0,code}', 'DUPLICATE', 'the review says so before');
SELECT is(execreport.cancel_backfill(collection_id), true, 'cancelled')
  FROM execreport.list_collections(jsonb_build_object('workflowId', (SELECT workflow FROM name_), 'startDate', '2025-02-23', 'endDate', '2025-03-01')) WHERE end_date = '2025-03-01';
SELECT is(pg_temp.refusal(pg_temp.doc('{"lookbackConfig": {}, "asOf": "2025-03-01"}')) ->> 'state', '00000', 'it may be submitted anew');
SELECT is(execreport.end_schedule((answer ->> 'scheduleId')::uuid), true, 'a schedule that ended') FROM made;
SELECT is(pg_temp.refusal(pg_temp.doc('{"scheduleType": "scheduled", "asOf": "2025-06-16", "parameters": {"market": "DE"}, "lookbackConfig": {"type": "relative", "value": 2, "unit": "weeks"},
    "scheduleConfig": {"frequency": "weekly", "daysOfWeek": [7, 3], "time": "07:30", "timezone": "Europe/Berlin"}}')) ->> 'state', '00000', 'may be made anew');

-- 6. Limits
SET LOCAL execreport.user_id = 'bob';
SELECT is((SELECT array_agg(pg_temp.refusal(pg_temp.doc(jsonb_build_object('lookbackConfig', '{}'::jsonb, 'asOf', date '2025-01-01' + n))) ->> 'state' ORDER BY n)
             FROM generate_series(1, 5) AS n), '{00000,00000,00000,00000,00000}', 'five backfills at once');
SELECT is(r ->> 'state' || ' ' || (r #>> '{error,code}') || ' ' || (r #>> '{error,details,limit}') || ' ' || (r #>> '{error,details,current}'), 'PT429 LIMIT_EXCEEDED 5 5',
          'not six') FROM pg_temp.refusal(pg_temp.doc('{"lookbackConfig": {}, "asOf": "2025-02-01"}')) AS r;
SELECT is(execreport.review_report(pg_temp.doc('{"lookbackConfig": {}, "asOf": "2025-02-01"}')) #>> '{errors,0,code}', 'LIMIT_EXCEEDED', 'the review says so before');
SELECT is(pg_temp.refusal(pg_temp.daily('05:00')) ->> 'state', '00000', 'a schedule alone does not count');
SET LOCAL execreport.max_concurrent_backfills = 6;
SELECT is(pg_temp.refusal(pg_temp.doc('{"lookbackConfig": {}, "asOf": "2025-02-01"}')) ->> 'state', '00000', 'the limit is a setting');
SET LOCAL execreport.max_active_schedules = 2;
SELECT is(pg_temp.refusal(pg_temp.daily('06:00')) ->> 'state', '00000', 'two schedules');
SELECT is(r ->> 'state' || ' ' || (r #>> '{error,code}') || ' ' || (r #>> '{error,details,setting}'), 'PT429 LIMIT_EXCEEDED execreport.max_active_schedules', 'not three')
  FROM pg_temp.refusal(pg_temp.daily('07:00')) AS r;
SET LOCAL execreport.user_id = 'eve';
SELECT is(pg_temp.refusal(pg_temp.daily('07:00')) ->> 'state', '00000', 'limits are per user');
SELECT is(execreport.preview_schedule('{"scheduleType": "scheduled", "asOf": "2025-06-15", "scheduleConfig": {"frequency": "daily", "time": "02:15", "timezone": "Australia/Lord_Howe",
    "dstOverlap": "both"}}') -> 'errors', '[]', 'no time in Lord Howe is ambiguous at 02:15');
SELECT is(e ->> 'code' || ' ' || (e ->> 'path') || ' ' || (e #>> '{details,minimumSeconds}'), 'SCHEDULE_TOO_FREQUENT scheduleConfig.frequency 3600', 'runs half an hour apart are too close')
  FROM (SELECT execreport.preview_schedule('{"scheduleType": "scheduled", "asOf": "2025-06-15", "scheduleConfig": {"frequency": "daily", "time": "01:45",
    "timezone": "Australia/Lord_Howe", "dstOverlap": "both"}}') #> '{errors,0}') AS s(e);
SET LOCAL execreport.min_schedule_interval = '2d';
SELECT is(r ->> 'state' || ' ' || (r #>> '{error,code}'), 'PT422 SCHEDULE_TOO_FREQUENT', 'the shortest interval is a setting') FROM pg_temp.refusal(pg_temp.daily('08:00')) AS r;
RESET execreport.min_schedule_interval;
SET LOCAL execreport.max_parallel_segments = 4;
SELECT is(pg_temp.backfill('2025-06-15', '{"parallelLimit": 5}') #>> '{errors,0,path}', 'backfillConfig.parallelLimit', 'more segments at once than allowed');
SELECT is((pg_temp.backfill('2025-06-15', '{}') #>> '{backfill,parallelLimit}')::integer, 4, 'the default gives way');
RESET execreport.max_parallel_segments;

-- 7. The rate, by a clock that we move
SET LOCAL execreport.max_active_schedules = 100;
SET LOCAL execreport.max_submits_per_minute = 3;
SET LOCAL execreport.user_id = 'kim';
SELECT is((SELECT array_agg(pg_temp.refusal(pg_temp.daily('1' || n || ':00'), timestamptz '2026-01-01 12:00+00' + n * interval '10 seconds') ->> 'state' ORDER BY n)
             FROM generate_series(0, 2) AS n), '{00000,00000,00000}', 'three submits in a minute');
SELECT is(r - 'message', '{"state": "PT429", "error": {"code": "RATE_LIMITED", "path": "$", "message": "3 reports were submitted within a minute", "retryAfter": 30,
    "details": {"limit": 3, "setting": "execreport.max_submits_per_minute"}}}', 'not a fourth: wait until the first is a minute old')
  FROM pg_temp.refusal(pg_temp.daily('13:00'), '2026-01-01 12:00:30+00') AS r;
SELECT is(pg_temp.refusal(pg_temp.daily('13:00'), '2026-01-01 12:00:59.5+00') #> '{error,retryAfter}', '1', 'the rest of a second counts as one');
SELECT is(pg_temp.refusal(pg_temp.daily('13:00'), '2026-01-01 12:01:00+00') ->> 'state', '00000', 'then it goes on');
SELECT is(pg_temp.refusal(pg_temp.daily('14:00'), '2026-01-01 12:01:00+00') #> '{error,retryAfter}', '10', 'the window slides');
SET LOCAL execreport.user_id = 'lee';
SELECT is(pg_temp.refusal(pg_temp.daily('14:00'), '2026-01-01 12:01:00+00') ->> 'state', '00000', 'the rate is per user');
SET LOCAL execreport.max_submits_per_minute = 60;

SELECT is(execreport.preview_schedule(pg_temp.doc('{"asOf": "2025-06-15", "scheduleType": "backfill_with_schedule", "backfillConfig": {"days": 7.0},
    "scheduleConfig": {"frequency": "daily", "time": "09:00", "timezone": "UTC"}, "lookbackConfig": {"type": "relative", "value": 7.0, "unit": "days", "lagDays": 2.0}}')) -> 'dateRange',
    '{"start": "2025-06-07", "end": "2025-06-13", "days": 7}', 'whole numbers may be written with zeros behind the point');

-- 8. Drafts
SET LOCAL execreport.user_id = 'mia';
CREATE TEMP TABLE draft AS SELECT execreport.save_draft(NULL, 'parameters', pg_temp.doc('{"lookback_config": {"type": "relative", "value": 3, "unit": "days"}, "asOf": "2025-05-01"}')) AS id;
SELECT is(execreport.save_draft(id, 'schedule', '{"scheduleType": "once", "segmentationConfig": {"type": "weekly"}}'), id, 'the next step keeps the draft') FROM draft;
SELECT is(execreport.save_draft(id, 'review', '{"segmentationConfig": {"type": "daily"}, "asOf": null}'), id, 'and the next') FROM draft;
SELECT is(g - 'draftId' - 'createdAt' - 'updatedAt', jsonb_build_object('step', 'review', 'completedSteps', '["parameters", "schedule", "review"]'::jsonb, 'document',
    pg_temp.doc('{"lookbackConfig": {"type": "relative", "value": 3, "unit": "days"}, "scheduleType": "once", "segmentationConfig": {"type": "daily"}}')),
    'a draft holds what all steps said') FROM draft, execreport.get_draft(id) AS g;
SELECT is((execreport.preview_schedule(jsonb_build_object('draftId', id)) -> 'totalExecutions')::integer, 3, 'the steps read it') FROM draft;
CREATE TEMP TABLE sent AS SELECT execreport.submit_report(jsonb_build_object('draftId', id)) AS answer FROM draft;
SELECT is((answer -> 'segments')::integer, 3, 'it can be submitted') FROM sent;
SELECT is(execreport.get_draft(id), NULL, 'which consumes it') FROM draft;
SELECT is(execreport.submit_report(jsonb_build_object('draftId', id)), answer, 'again, it has the same answer') FROM draft, sent;
SELECT throws_ok($$ SELECT execreport.report_builder_history('{"from": "2025-06-15", "until": "soon"}') $$, '22007',
                 'filter.until is not a date or an instant', 'a wrong instant is named');
SELECT results_eq($$ SELECT step_completed FROM execreport.report_builder_history('{"userId": "mia"}') $$, $$ VALUES ('submit'), ('review'), ('schedule'), ('parameters') $$,
    'each step has its row of the trail, newest first');
SET LOCAL DateStyle = 'SQL, DMY'; SET LOCAL TimeZone = 'Asia/Tokyo';
SELECT is((SELECT count(*) FROM execreport.report_builder_history(jsonb_build_object('userId', 'mia', i.key, i.value))), i.n, format('%s %s, in any session', i.key, i.value))
  FROM (SELECT created_at AS at FROM execreport.report_builder_history('{"userId": "mia"}') LIMIT 1) AS r,
       LATERAL (VALUES (1, 'from', to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), 4::bigint), (2, 'until', to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'), 0)) AS i (k, key, value, n) ORDER BY k;
SELECT throws_ok(format('SELECT execreport.report_builder_history(%L)', i), '22007', 'filter.until is not a date or an instant', i)
  FROM (VALUES ('{"until": "03/04/2025"}'), ('{"until": "infinity"}')) AS v (i);

SELECT * FROM finish();
ROLLBACK;
