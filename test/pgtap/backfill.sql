-- backfill: created segments are the tiles of the window, status and counters follow from the segments, bad input is
-- refused by name, and tenants are apart.
BEGIN;
SELECT plan(47);

SELECT execreport.create_workflow('backfill test') AS workflow \gset

-- 1. 1,000 random windows x 4 types x 2 alignments. The laws are checked without our machine: by dates alone.
CREATE TEMP TABLE asked AS
SELECT w.n, w.first, w.first + w.days AS last, k.kind, a.align
  FROM (SELECT n, date '2019-12-20' + (hashint4(n) & 2047) AS first,
               CASE WHEN n % 10 = 0 THEN 365 + (n / 10) % 3 WHEN n % 10 = 1 THEN n / 10 % 35
                    ELSE (hashint4(n + 5000) & 127) END AS days
          FROM generate_series(1, 1000) AS n) AS w,
       unnest(ARRAY['daily', 'weekly', 'monthly', 'quarterly']) AS k (kind), unnest(ARRAY['anchor', 'calendar']) AS a (align);
SELECT is(count(*)::integer, 8000, '1,000 windows in eight ways') FROM asked;
CREATE TEMP TABLE made AS
SELECT asked.*, execreport.start_backfill(:'workflow', first, last, jsonb_build_object('type', kind, 'align', align)) AS id FROM asked;
ANALYZE execreport.report_data_collections;
ANALYZE execreport.report_data_segments;
CREATE TEMP TABLE tiles AS
SELECT m.*, s.segment_start, s.segment_end, s.status, row_number() OVER win AS nth,
       lag(s.segment_end) OVER win AS before, lead(s.segment_start) OVER win AS after
  FROM made AS m JOIN execreport.report_data_segments AS s ON s.tenant_id = 1 AND s.collection_id = m.id
WINDOW win AS (PARTITION BY m.id ORDER BY s.segment_start);
SELECT is((SELECT count(DISTINCT id) FROM tiles), 8000::bigint, 'every window has segments');
SELECT is_empty($$ SELECT * FROM tiles WHERE segment_end < segment_start OR after <> segment_end + 1 $$, 'no gap, no overlap, no empty segment');
SELECT is_empty($$ SELECT * FROM tiles WHERE (before IS NULL) <> (segment_start = first) OR (after IS NULL) <> (segment_end = last) $$,
    'they begin and end with the window');
SELECT is_empty($$ SELECT id, sum(segment_end - segment_start + 1) FROM tiles GROUP BY id, first, last HAVING sum(segment_end - segment_start + 1) <> last - first + 1 $$,
    'they have as many days as the window');
SELECT is_empty($$ SELECT * FROM tiles WHERE align = 'anchor' AND segment_start <> CASE kind
    WHEN 'daily' THEN first + (nth - 1)::integer WHEN 'weekly' THEN first + 7 * (nth - 1)::integer
    WHEN 'monthly' THEN (first + (nth - 1) * interval '1 month')::date ELSE (first + (nth - 1) * interval '3 months')::date END $$,
    'anchored segments begin a whole number of periods after the first day');
SELECT is_empty($$ SELECT * FROM tiles WHERE align = 'calendar' AND before IS NOT NULL AND segment_start <> date_trunc(
    CASE kind WHEN 'daily' THEN 'day' WHEN 'weekly' THEN 'week' WHEN 'monthly' THEN 'month' ELSE 'quarter' END, segment_start)::date $$,
    'calendar segments begin with their week, month or quarter');
SELECT is_empty($$ SELECT * FROM tiles WHERE align = 'calendar' AND after IS NOT NULL AND kind <> 'daily' AND segment_end <> date_trunc(
    CASE kind WHEN 'weekly' THEN 'week' WHEN 'monthly' THEN 'month' ELSE 'quarter' END, segment_end + 1)::date - 1 $$, 'and end with it');
SELECT is_empty($$ (SELECT id, segment_start, segment_end FROM tiles
                    EXCEPT SELECT id, p.segment_start, p.segment_end FROM made, execreport.calculate_segmentation_intervals(first, last, kind, align) AS p)
                   UNION ALL
                   (SELECT id, p.segment_start, p.segment_end FROM made, execreport.calculate_segmentation_intervals(first, last, kind, align) AS p
                    EXCEPT SELECT id, segment_start, segment_end FROM tiles) $$, 'the created segments are the previewed ones');
SELECT is_empty($$ SELECT t.id FROM (SELECT id, first, last, count(*)::integer AS many FROM tiles GROUP BY id, first, last) AS t
      JOIN execreport.report_data_collections AS c ON c.collection_id = t.id
     WHERE (c.start_date, c.end_date, c.pending_segments, c.status) IS DISTINCT FROM (t.first, t.last, t.many, 'pending'::execreport.backfill_status_enum) $$,
    'the collection counts them');
DELETE FROM execreport.report_data_segments;
DELETE FROM execreport.report_data_collections;

-- 2. A collection from a lookback.
SELECT execreport.create_collection(:'workflow', '{"type": "relative", "value": 14, "unit": "days"}', '{"type": "daily", "parallelLimit": 3}', '2025-03-20') AS id \gset
SELECT is((SELECT (start_date, end_date, total, status, segmentation_config)::text FROM execreport.list_collections()),
    (date '2025-03-07', date '2025-03-20', 14, 'pending', '{"type": "daily", "align": "anchor", "parallel_limit": 3, "retry_failed": true}'::jsonb)::text,
    'the window is settled, the segmentation spelled out');
SELECT is((SELECT parallel_limit FROM execreport.report_data_collections), 3, 'both spellings of a limit are read');
SELECT is((SELECT count(*) FROM execreport.list_collections('{"lookback": {"value": 14}, "segmentation": {"type": "daily"}, "status": ["pending"]}')), 1::bigint, 'found by what it contains');
SELECT is((SELECT count(*) FROM execreport.list_collections(jsonb_build_object('workflow_id', :'workflow', 'startDate', '2025-03-20', 'endDate', '2025-03-20', 'limit', 5))), 1::bigint, 'found by a day of its window');
SELECT is((SELECT count(*) FROM execreport.list_collections('{"startDate": "2025-03-21"}')) + (SELECT count(*) FROM execreport.list_collections('{"endDate": "2025-03-06"}'))
    + (SELECT count(*) FROM execreport.list_collections('{"status": "failed"}')) + (SELECT count(*) FROM execreport.list_collections('{"userId": "nobody"}')), 0::bigint, 'and not by others');
SELECT is((SELECT count(*) FROM execreport.report_data_weeks WHERE week_start = week_end AND week_start_date = '2025-03-07' AND status = 'pending'), 1::bigint, 'report_data_weeks shows the segments');

-- 3. Status follows from the segments: all ways through three segments, each ended in one of three ways.
\ir ../data/backfill_recount.sql
CREATE FUNCTION pg_temp.walk(workflow uuid, ways text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    id uuid := execreport.start_backfill(workflow, '2025-01-01', '2025-01-03', '{"type": "daily", "parallel_limit": 1}');
    seen text := (SELECT status FROM execreport.backfill_progress(id));
    s record;
    bad bigint := 0;
BEGIN
    FOR i IN 1 .. 3 LOOP
        IF substr(ways, i, 1) = 'x' THEN
            PERFORM execreport.cancel_backfill(id);
            EXIT;
        END IF;
        SELECT * INTO STRICT s FROM execreport.claim_segments('w', 1, collection_id => id);
        seen := seen || ' ' || (SELECT status FROM execreport.backfill_progress(id));
        IF substr(ways, i, 1) = 'c' THEN
            PERFORM execreport.complete_segment(s.segment_id, s.fencing_token, 1);
        ELSE
            PERFORM execreport.fail_segment(s.segment_id, s.fencing_token, 'no', 'permanent');
        END IF;
        bad := bad + pg_temp.recount();
    END LOOP;
    RETURN seen || ' ' || (SELECT status FROM execreport.backfill_progress(id)) || CASE WHEN bad + pg_temp.recount() > 0 THEN ' MISCOUNTED' ELSE '' END;
END $$;
SELECT is(pg_temp.walk(:'workflow', ways), 'pending ' || repeat('in_progress ', coalesce(nullif(strpos(ways, 'x'), 0) - 1, 3)) || last, 'status after ' || ways)
  FROM (VALUES ('ccc', 'completed'), ('ccf', 'partial'), ('fcf', 'partial'), ('fff', 'failed'), ('x', 'failed'), ('cx', 'partial'), ('fx', 'failed')) AS v (ways, last);

-- 4. Pausing, running again.
SELECT is(execreport.pause_backfill(:'id', 'wait'), true, 'paused');
SELECT is(execreport.pause_backfill(:'id'), false, 'once');
SELECT is((SELECT count(*) FROM execreport.claim_segments('w', 5, collection_id => :'id')), 0::bigint, 'nothing is given out');
SELECT is((SELECT count(*) FROM execreport.claim_segments('w', 5)), 0::bigint, 'to nobody');
SELECT is(execreport.resume_backfill(:'id'), true, 'resumed');
SELECT is((SELECT count(*) FROM execreport.claim_segments('w', 5, collection_id => :'id')), 3::bigint, 'and it goes on, up to the limit');
SELECT is(execreport.cancel_backfill(:'id', 'stop'), true, 'cancelled');
SELECT is((SELECT (status, total, running, pending)::text FROM execreport.backfill_progress(:'id')), '(in_progress,14,3,0)', 'what runs may end');
SELECT is((SELECT array_agg(DISTINCT execreport.heartbeat_segment(segment_id, fencing_token)) FROM execreport.report_data_segments WHERE status = 'running'), '{cancel}', 'and is told to stop');
SELECT is((SELECT cardinality(execreport.complete_segments(array_agg(segment_id ORDER BY segment_start), array_agg(fencing_token ORDER BY segment_start)))
             FROM execreport.report_data_segments WHERE status = 'running'), 3, 'or ends its work');
SELECT is(execreport.reprocess_backfill(:'id', 'failed'), 0, 'none has failed');
SELECT is(execreport.reprocess_backfill(:'id'), 11, 'missing: the cancelled ones');
DELETE FROM execreport.report_data_segments WHERE collection_id = :'id' AND segment_start = '2025-03-07';
UPDATE execreport.report_data_collections SET completed_segments = completed_segments - 1 WHERE collection_id = :'id';
SELECT is(execreport.reprocess_backfill(:'id', 'missing'), 1, 'missing: a row that is gone');
SELECT is((SELECT count(*) FROM execreport.claim_segments('w', 1, collection_id => :'id')), 1::bigint, 'one runs');
SELECT is(execreport.reprocess_backfill(:'id', 'all'), 2, 'all: the completed ones; what is pending or running is not doubled');
SELECT is((SELECT (total, running, pending)::text FROM execreport.backfill_progress(:'id')), '(14,1,13)', 'still one running');
SELECT is(pg_temp.recount(), 0::bigint, 'the counters are the numbers of segments');

-- 5. Request keys.
SELECT execreport.start_backfill(:'workflow', '2025-01-01', '2025-01-31', request_key => 'k') AS k \gset
SELECT is(execreport.start_backfill(:'workflow', '2025-01-01', '2025-01-31', '{"type": "weekly"}', 'k'), :'k'::uuid, 'the same request is the same backfill');
SELECT throws_ok(format($$ SELECT execreport.start_backfill(%L, '2025-01-01', '2025-01-30', request_key => 'k') $$, :'workflow'), '23505', 'request_key "k" stands for another backfill', 'another one is not');

-- 6. Bad input: nothing raises anything but the state it should, and nothing has changed.
CREATE TEMP TABLE bad (call text, state text);
INSERT INTO bad SELECT format('execreport.start_backfill(%L, %s, %s)', :'workflow', a, b), state
  FROM (VALUES ('NULL', '''2025-01-01''', '22004'), ('''2025-01-01''', 'NULL', '22004'), ('''2025-01-02''', '''2025-01-01''', '22023'),
               ('''infinity''', '''infinity''', '22008'), ('''-infinity''', '''2025-01-01''', '22008'), ('''2025-01-01''', '''infinity''', '22008')) AS v (a, b, state);
INSERT INTO bad SELECT format('execreport.start_backfill(%L, ''1000-01-01'', ''2025-01-01'', ''{"type": "daily"}'')', :'workflow'), '54000';
INSERT INTO bad SELECT format('execreport.start_backfill(%L, ''2025-01-01'', ''2025-01-31'', %s)', :'workflow', coalesce(quote_literal(s), 'NULL')), CASE WHEN s IS NULL THEN '22004' ELSE '22023' END
  FROM unnest(ARRAY[NULL, 'null', '[]', '1', '"weekly"', '{"type": "hourly"}', '{"type": null}', '{"type": 1}', '{"align": "left"}', '{"kind": "daily"}',
      '{"parallel_limit": 0}', '{"parallel_limit": 11}', '{"parallel_limit": "3"}', '{"parallel_limit": 1.5}', '{"parallel_limit": null}', '{"parallel_limit": 1e400}',
      '{"retry_failed": 1}', '{"retry_failed": null}', '{"retry_failed": true, "retryFailed": false}', '{"type": "daily", "parallel_limit": 2, "parallelLimit": 3}']) AS s;
INSERT INTO bad VALUES ('execreport.start_backfill(NULL, ''2025-01-01'', ''2025-01-31'')', '22004'),
    ('execreport.start_backfill(execreport._uuid7(), ''2025-01-01'', ''2025-01-31'')', 'P0002');
INSERT INTO bad SELECT format('execreport.start_backfill(%L, ''2025-01-01'', ''2025-01-31'', ''{}'', %L)', :'workflow', key), '22023' FROM unnest(ARRAY['', repeat('x', 513)]) AS key;
INSERT INTO bad SELECT format('execreport.create_collection(%L, %s, %s)', :'workflow', coalesce(quote_literal(l), 'NULL'), coalesce(quote_literal(s), 'NULL')), state
  FROM (VALUES (NULL, '{}', '22004'), ('{}', NULL, '22004'), ('[]', '{}', '22023'), ('{"type": "relative", "value": 0, "unit": "days"}', '{}', '22023'),
               ('{"type": "custom", "startDate": "2025-02-30", "endDate": "2025-03-01"}', '{}', '22008'), ('{"type": "custom"}', '{}', '22023'), ('{}', '{"type": "x"}', '22023')) AS v (l, s, state);
INSERT INTO bad SELECT format('(SELECT count(*) FROM execreport.claim_segments(%s))', args), state
  FROM (VALUES ('NULL', '22004'), ('''''', '22023'), ('repeat(''w'', 201)', '22023'), ('''w'', 0', '22023'), ('''w'', -1', '22023'), ('''w'', 1001', '22023'), ('''w'', NULL', '22004'),
      ('''w'', 1, NULL', '22004'), ('''w'', 1, ''0 s''', '22023'), ('''w'', 1, ''-1 s''', '22023'), ('''w'', 1, ''8 days''', '22023'), ('''w'', collection_id => execreport._uuid7()', 'P0002')) AS v (args, state);
INSERT INTO bad SELECT format(f, 'execreport._uuid7(), 1'), state
  FROM (VALUES ('execreport.heartbeat_segment(%s, NULL)', '22004'), ('execreport.heartbeat_segment(%s, ''0 s'')', '22023'), ('execreport.complete_segment(%s, -1)', '22023'),
      ('execreport.fail_segment(%s, NULL)', '22004'), ('execreport.fail_segment(%s, ''e'', NULL)', '22004'), ('execreport.fail_segment(%s, ''e'', ''fatal'')', '22023'),
      ('execreport.snooze_segment(%s, NULL)', '22004'), ('execreport.snooze_segment(%s, ''infinity'')', '22023')) AS v (f, state);
INSERT INTO bad VALUES ('execreport.complete_segments(NULL, ''{1}'')', '22004'), ('execreport.complete_segments(''{}'', NULL)', '22004'),
    ('execreport.complete_segments(''{}'', ''{1}'')', '22023'), ('execreport.complete_segments(ARRAY[execreport._uuid7()], ''{1}'', ''{}'')', '22023'),
    ('execreport.complete_segments(ARRAY[execreport._uuid7()], ''{1}'', ''{-1}'')', '22023');
INSERT INTO bad SELECT format('execreport.%s(%s)', f, coalesce(quote_literal(id), 'NULL')), CASE WHEN id IS NULL THEN '22004' ELSE 'P0002' END
  FROM unnest(ARRAY['pause_backfill', 'resume_backfill', 'cancel_backfill', 'redrive_segments', 'reprocess_backfill']) AS f, unnest(ARRAY[NULL, execreport._uuid7()::text]) AS id;
INSERT INTO bad SELECT format('execreport.reprocess_backfill(%L, %L)', :'id', what), '22023' FROM unnest(ARRAY['', 'Missing', 'some', 'all ']) AS what;
INSERT INTO bad VALUES (format('execreport.reprocess_backfill(%L, NULL)', :'id'), '22004');
INSERT INTO bad SELECT format('(SELECT count(*) FROM execreport.list_collections(%s))', coalesce(quote_literal(f), 'NULL')), CASE WHEN f IS NULL THEN '22004' WHEN f ~ '"2025"|"2025/' THEN '22007' WHEN f ~ '02-30' THEN '22008' ELSE '22023' END
  FROM unnest(ARRAY[NULL, '[]', '"x"', 'null', '{"x": 1}', '{"workflowId": 1}', '{"workflowId": "x"}', '{"status": "done"}', '{"status": ["pending", 1]}', '{"status": {}}', '{"lookback": "x"}',
      '{"segmentation": []}', '{"startDate": "2025"}', '{"endDate": "2025/01/01"}', '{"startDate": "2025-02-30"}', '{"limit": 0}', '{"limit": 1.5}', '{"limit": 1e9}', '{"limit": "5"}',
      '{"userId": null}', '{"user_id": "a", "userId": "b"}']) AS f;
INSERT INTO bad SELECT format('execreport.create_workflow(%s)', args), state
  FROM (VALUES ('NULL', '22004'), ('''''', '22023'), ('''  ''', '22023'), ('''w'', NULL, NULL', '22004'), ('''w'', NULL, ''[]''', '22023'), ('''w'', NULL, ''"x"''', '22023'), ('''w'', ''now()''', '42883'),
      ('''w'', ''pg_catalog.count("any")''', '42883'), ('''w'', ''generate_series(integer,integer)''', '42883'), ('''w'', ''no_such()''', '42883'), ('''w'', 0::regprocedure', '42883'),
      ('''w'', ''execreport.segment_starts(date,date,text,text)''', '42883')) AS v (args, state);
CREATE FUNCTION pg_temp.outcome(call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    message text;
BEGIN
    EXECUTE 'SELECT ' || call;
    RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT;
    RETURN SQLSTATE || CASE WHEN message ~ '^[A-Z]|[^.]\.$' THEN ' ' || message ELSE '' END;
END $$;
CREATE TEMP TABLE before AS SELECT (SELECT count(*) FROM execreport.report_data_collections) AS c, (SELECT count(*) FROM execreport.report_data_segments) AS s,
    (SELECT count(*) FROM execreport.workflows) AS w, (SELECT count(*) FROM execreport.audit_logs) AS a;
SELECT ok(count(*) > 100, 'more than a hundred bad calls') FROM bad;
SELECT is_empty($$ SELECT call, state, pg_temp.outcome(call) FROM bad WHERE pg_temp.outcome(call) <> state $$, 'each bad call fails with its own error');
SELECT results_eq('SELECT (SELECT count(*) FROM execreport.report_data_collections), (SELECT count(*) FROM execreport.report_data_segments), (SELECT count(*) FROM execreport.workflows), (SELECT count(*) FROM execreport.audit_logs)',
    'SELECT c, s, w, a FROM before', 'and changes nothing');
SELECT is((execreport.complete_segment(execreport._uuid7(), 1), execreport.fail_segment(execreport._uuid7(), 1, 'x'), execreport.heartbeat_segment(NULL, NULL))::text, '(f,f,lost)', 'an unknown segment is a lost one');

SELECT throws_ok($$ SELECT execreport.list_collections('{"startDate": "2025-02-30"}') $$, '22008', 'filter.startDate is a day that does not exist: "2025-02-30"', 'a wrong day is named by its path');

SELECT * FROM finish();
ROLLBACK;
