-- segmentation: segments against dateutil's, the laws every tiling obeys, and every malformed segmentation.
BEGIN;
SELECT plan(32);

-- 1. Segments: test/data/calendar_oracle.py wrote what is right (md5 of the first days, joined by commas).
CREATE TEMP TABLE told (first date, last date, kind text, align text, many integer, starts text);
\copy told FROM 'test/data/segmentation.csv' (FORMAT csv)

SELECT is(count(*)::integer, 2400, 'the oracle has 2400 cases') FROM told;
SELECT is_empty($$SELECT * FROM told
                   WHERE md5((SELECT string_agg(to_char(s.segment_start, 'YYYY-MM-DD'), ',' ORDER BY s.segment_number)
                                FROM execreport.calculate_segmentation_intervals(first, last, kind, align) AS s)) <> starts$$,
                'calculate_segmentation_intervals agrees with dateutil');
SELECT is_empty($$SELECT * FROM told
                   WHERE md5((SELECT string_agg(to_char(day, 'YYYY-MM-DD'), ',' ORDER BY n)
                                FROM unnest(execreport.segment_starts(first, last, kind, align)) WITH ORDINALITY AS u(day, n))) <> starts$$,
                'segment_starts agrees with dateutil');
SELECT is_empty('SELECT * FROM told WHERE execreport.segment_count(first, last, kind, align) <> many',
                'segment_count agrees with dateutil');
SELECT is_empty($$SELECT * FROM told, execreport.lookback_segments(jsonb_build_object('type', 'custom', 'startDate', first, 'endDate', last),
                                                                   jsonb_build_object('type', kind, 'align', align)) AS s
                  EXCEPT
                  SELECT * FROM told, execreport.calculate_segmentation_intervals(first, last, kind, align) AS s$$,
                'lookback_segments agrees with calculate_segmentation_intervals');

-- 2. Laws, over every kind and alignment and many windows.
CREATE TEMP TABLE cut AS
SELECT w.first, w.last, k.kind, a.align, s.*,
       lead(s.segment_start) OVER win AS next_start, lag(s.segment_end) OVER win AS earlier_end, count(*) OVER win_all AS many
  FROM (SELECT date '2023-12-01' + i * 7 % 430 AS first, date '2023-12-01' + i * 7 % 430 + i * i % 800 AS last FROM generate_series(0, 120) AS i) AS w,
       unnest(ARRAY['daily', 'weekly', 'monthly', 'quarterly']) AS k(kind), unnest(ARRAY['anchor', 'calendar']) AS a(align),
       LATERAL execreport.calculate_segmentation_intervals(w.first, w.last, k.kind, a.align) AS s
WINDOW win AS (PARTITION BY w.first, w.last, k.kind, a.align ORDER BY s.segment_number),
       win_all AS (PARTITION BY w.first, w.last, k.kind, a.align);
SELECT is_empty($$SELECT * FROM cut WHERE segment_end < segment_start OR next_start <> segment_end + 1$$, 'no gap, no overlap, no empty segment');
SELECT is_empty($$SELECT * FROM cut WHERE (next_start IS NULL) <> (segment_end = last) OR (earlier_end IS NULL) <> (segment_start = first)$$,
                'the segments begin and end with the window');
SELECT is_empty($$SELECT * FROM cut WHERE (earlier_end IS NULL) <> (segment_number = 1)$$, 'numbers begin at 1');
SELECT is_empty($$SELECT * FROM cut WHERE execreport.segment_at(first, last, kind, segment_number, align)
                                          IS DISTINCT FROM ROW(segment_start, segment_end, segment_number)$$, 'segment_at(n) is row n');
SELECT is_empty($$SELECT * FROM cut WHERE execreport.segment_count(first, last, kind, align) <> many
                      OR cardinality(execreport.segment_starts(first, last, kind, align)) <> many
                      OR (execreport.segment_starts(first, last, kind, align))[segment_number] <> segment_start$$,
                'count, array and rows agree');
SELECT is_empty($$SELECT * FROM cut WHERE align = 'calendar' AND earlier_end IS NOT NULL AND segment_start <> date_trunc(
                      CASE kind WHEN 'daily' THEN 'day' WHEN 'weekly' THEN 'week' WHEN 'monthly' THEN 'month' ELSE 'quarter' END, segment_start)$$,
                'calendar segments begin on Mondays, first days of months and of quarters');
SELECT is(execreport.segment_count('2024-06-15', '2025-06-14', kind), many, '365 days ' || kind)
  FROM (VALUES ('daily', 365), ('weekly', 53), ('monthly', 12), ('quarterly', 4)) AS v(kind, many);

-- 3. The ends of time.
SELECT is(execreport.segment_count('4714-11-24 BC', '5874897-12-31', 'daily'), 2147483494, 'all days there are');
SELECT is(execreport.segment_at('4714-11-24 BC', '5874897-12-31', 'weekly', 306783357, 'calendar')::text,
          '(5874897-12-30,5874897-12-31,306783357)', 'the last week there is');
SELECT is_empty($$SELECT 1 FROM (VALUES ('monthly'), ('quarterly')) AS k(kind), (VALUES ('anchor'), ('calendar')) AS a(align),
                         execreport.segment_count('4714-11-24 BC', '5874897-12-31', kind, align) AS n,
                         execreport.segment_at('4714-11-24 BC', '5874897-12-31', kind, n, align) AS s
                   WHERE s.segment_end <> '5874897-12-31' OR s.segment_start NOT BETWEEN '5874897-10-01' AND '5874897-12-24'$$,
                'the last months there are');
SELECT is(pg_column_size(execreport.segment_starts('2026-01-01', '2026-01-03', 'daily')), pg_column_size(ARRAY['2026-01-01', '2026-01-02', '2026-01-03']::date[]),
          'an array as long as PostgreSQL makes it');
SELECT is(execreport.segment_starts('5874897-12-31', '5874897-12-31', 'monthly'), ARRAY[date '5874897-12-31'], 'the last day there is');
SELECT throws_ok($$SELECT execreport.segment_starts('4714-11-24 BC', '5874897-12-31', 'daily')$$, '54000', NULL, 'too many for an array');

-- 4. Malformed segmentations of lookback_segments.
CREATE TEMP TABLE bad (segmentation jsonb, path text, state text);
INSERT INTO bad SELECT d::jsonb, '$', '22023'
  FROM unnest(ARRAY['[]', '[{}]', '"weekly"', '""', '1', '-1', '1e400', 'true', 'false', 'null', '[null]', '["weekly"]', '[[[]]]', '"{}"']) AS d;
INSERT INTO bad SELECT jsonb_build_object(k, v::jsonb), k, '22023'
  FROM unnest(ARRAY['type', 'align']) AS k,
       unnest(ARRAY['null', 'true', 'false', '0', '1', '7.5', '1e400', '[]', '["weekly"]', '{}', '{"type":"weekly"}', '""', '" "', '"Weekly"', '"WEEKLY"',
                    '"weekly "', '" weekly"', '"week"', '"yearly"', '"hourly"', '"none"', '"null"', '"\u0001"', '"\n"', '"Anchor"', '"CALENDAR"', '"iso"',
                    '"start"', '"semanal"', '"día"', '"wéekly"', '"weeklyweekly"', '"anchor\t"', '"calendar,anchor"']) AS v;
INSERT INTO bad SELECT jsonb_build_object('type', v), 'type', '22023' FROM unnest(ARRAY['anchor', 'calendar', 'month', 'day', 'quarter']) AS v;
INSERT INTO bad SELECT jsonb_build_object('align', v), 'align', '22023' FROM unnest(ARRAY['daily', 'weekly', 'monthly', 'quarterly']) AS v;
INSERT INTO bad SELECT jsonb_build_object('type', 'daily', k, v::jsonb), k, '22023'
  FROM unnest(ARRAY['parallel_limit', 'parallelLimit']) AS k,
       unnest(ARRAY['null', 'true', 'false', '""', '"5"', '[]', '[5]', '{}', '0', '-0', '-1', '11', '100', '0.5', '1.5', '10.0001', '1e2', '1e30', '-1e30',
                    '1e-30', '2147483648', '99999999999999999999', '1e1000', '"ten"']) AS v;
INSERT INTO bad SELECT jsonb_build_object('type', 'daily', k, v::jsonb), k, '22023'
  FROM unnest(ARRAY['retry_failed', 'retryFailed']) AS k,
       unnest(ARRAY['null', '0', '1', '-1', '""', '"true"', '"false"', '"yes"', '[]', '[true]', '{}', '{"a":true}', '1e100']) AS v;
INSERT INTO bad SELECT jsonb_build_object('type', 'weekly', k, v::jsonb), left(k, 60), '22023'
  FROM unnest(ARRAY['', ' ', 'Type', 'TYPE', 'types', 'segment_type', 'segmentType', 'alignment', 'Align', 'parallel', 'parallellimit', 'retry', 'retryfailed',
                    'unit', 'value', 'size', 'timezone', E'ty\npe', E'\x7f', 'clé', repeat('long', 100)]) AS k,
       unnest(ARRAY['null', '1', '"x"']) AS v;
INSERT INTO bad VALUES
    ('{"parallel_limit":5,"parallelLimit":6}', 'parallel_limit', '22023'), ('{"retry_failed":true,"retryFailed":false}', 'retry_failed', '22023'),
    (NULL, '$', '22004');
INSERT INTO bad SELECT jsonb_build_object('type', repeat('w', 3000000)), 'type', '22023';
INSERT INTO bad SELECT jsonb_build_object(repeat('k', 3000000), 1), repeat('k', 57), '22023';
INSERT INTO bad SELECT (repeat('[', 2000) || repeat(']', 2000))::jsonb, '$', '22023';
INSERT INTO bad SELECT jsonb_build_object('align', (repeat('{"a":', 2000) || '1' || repeat('}', 2000))::jsonb), 'align', '22023';
SELECT cmp_ok(count(*), '>=', 200::bigint, 'there are at least 200 malformed segmentations') FROM bad;

\ir ../data/refusals.sql
SELECT is_empty($$SELECT left(segmentation::text, 100), path, answer
                    FROM bad, pg_temp.refused('execreport.lookback_segments(''{}'', $1, ''2025-06-15'')', segmentation, 'segmentation', path, state) AS answer
                   WHERE answer IS NOT NULL$$,
                'refuses what is malformed');
SELECT throws_ok($$SELECT * FROM execreport.lookback_segments('{}', jsonb_build_object('type', repeat('x', 100000000)))$$, '22023', NULL, 'a text of 100 MB');
SELECT is(count(*)::integer, 7, 'accepts both spellings that agree')
  FROM execreport.lookback_segments('{}', '{"type":"daily","align":"calendar","parallel_limit":10,"parallelLimit":10.0,"retry_failed":true,"retryFailed":true}');

-- 5. Malformed arguments of the others.
CREATE TEMP TABLE call (sql text);
INSERT INTO call SELECT unnest(ARRAY['SELECT count(*) FROM execreport.calculate_segmentation_intervals(%s, %s, %s, align => %s)',
                                     'SELECT execreport.segment_starts(%s, %s, %s, align => %s)', 'SELECT execreport.segment_count(%s, %s, %s, align => %s)',
                                     'SELECT execreport.segment_at(%s, %s, %s, 1, align => %s)']);
CREATE TEMP TABLE bad_call AS
SELECT format(c.sql, first, last, kind, align) AS sql, path, state
  FROM call AS c,
       (VALUES ('NULL', '''2025-01-31''', '''daily''', '''anchor''', 'start_date', '22004'),
               ('''2025-01-01''', 'NULL', '''daily''', '''anchor''', 'end_date', '22004'),
               ('''infinity''', '''infinity''', '''daily''', '''anchor''', 'start_date', '22008'),
               ('''-infinity''', '''2025-01-31''', '''monthly''', '''anchor''', 'start_date', '22008'),
               ('''2025-01-01''', '''infinity''', '''quarterly''', '''calendar''', 'end_date', '22008'),
               ('''2025-01-02''', '''2025-01-01''', '''daily''', '''anchor''', 'start_date', '22023'),
               ('''2025-01-01''', '''2025-01-31''', 'NULL', '''anchor''', 'segment_type', '22023'),
               ('''2025-01-01''', '''2025-01-31''', '''weekly''', 'NULL', 'align', '22023')) AS a(first, last, kind, align, path, state)
UNION ALL
SELECT format(c.sql, '''2025-01-01''', '''2025-01-31''', quote_literal(word), '''anchor'''), 'segment_type', '22023'
  FROM call AS c, unnest(ARRAY['', ' ', 'Daily', 'DAILY', 'daily ', 'day', 'yearly', 'anchor', 'd', repeat('x', 1000000), 'mónthly', E'daily\n']) AS word
UNION ALL
SELECT format(c.sql, '''2025-01-01''', '''2025-01-31''', '''weekly''', quote_literal(word)), 'align', '22023'
  FROM call AS c, unnest(ARRAY['', ' ', 'Anchor', 'CALENDAR', 'calendar ', 'iso', 'weekly', 'a', repeat('x', 1000000), 'calendár']) AS word
UNION ALL
SELECT format('SELECT execreport.segment_at(''2025-01-01'', ''2025-01-31'', ''weekly'', %s)', n), 'n', CASE n WHEN 'NULL' THEN '22004' ELSE '22023' END
  FROM unnest(ARRAY['NULL', '0', '-1', '6', '2147483647', '-2147483648']) AS n;
CREATE FUNCTION pg_temp.call_refused(sql text, path text, state text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE sql;
    RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
    RETURN CASE WHEN SQLSTATE <> call_refused.state OR strpos(SQLERRM, path) <> 1 THEN SQLSTATE || ' ' || SQLERRM END;
END
$$;
SELECT is_empty('SELECT left(sql, 200), answer FROM bad_call, pg_temp.call_refused(sql, path, state) AS answer WHERE answer IS NOT NULL',
                'arguments that are wrong are named');

-- 6. What the planner is told.
CREATE FUNCTION pg_temp.planned_rows(sql text) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    plan json;
BEGIN
    EXECUTE 'EXPLAIN (FORMAT json) ' || sql INTO plan;
    RETURN plan->0->'Plan'->>'Plan Rows';
END
$$;
SELECT is_empty($$SELECT kind, align, n FROM unnest(ARRAY['daily', 'weekly', 'monthly', 'quarterly']) AS k(kind), unnest(ARRAY['anchor', 'calendar']) AS a(align),
                         unnest(ARRAY[0, 29, 365, 999]) AS n
                   WHERE pg_temp.planned_rows(format('SELECT * FROM execreport.calculate_segmentation_intervals(%L, %L, %L, %L)',
                                                     '2024-01-31', date '2024-01-31' + n, kind, align))
                         <> execreport.segment_count('2024-01-31', date '2024-01-31' + n, kind, align)$$,
                'exact row count for constant arguments');
SELECT is(pg_temp.planned_rows($$SELECT * FROM execreport.calculate_segmentation_intervals(CURRENT_DATE - 364, CURRENT_DATE, 'daily')$$), 365,
          'stable arguments count as known');
SELECT is(pg_temp.planned_rows($$SELECT * FROM execreport.lookback_segments('{"type":"relative","value":30,"unit":"days"}', '{"type":"daily"}')$$), 30,
          'exact row count of lookback_segments');
SELECT is(pg_temp.planned_rows($$SELECT * FROM execreport.lookback_segments('{"type":"nonsense"}', '{"type":"daily"}')$$), 52,
          'planning a call that will fail does not fail');
SELECT is(pg_temp.planned_rows($$SELECT * FROM execreport.calculate_segmentation_intervals('infinity', NULL, 'x')$$), 52,
          'nor does planning one with impossible arguments');
SELECT is_empty($$SELECT p.oid::regprocedure FROM pg_proc AS p
                   WHERE p.pronamespace = 'execreport'::regnamespace AND p.proname ~ '^(lookback_segments|segment_(starts|count|at)|calculate_segmentation_intervals)$'
                     AND (p.provolatile <> CASE p.proname WHEN 'lookback_segments' THEN 's' ELSE 'i' END
                          OR p.proparallel <> 's' OR p.proisstrict OR obj_description(p.oid, 'pg_proc') IS NULL)$$,
                'volatility, parallel safe, not strict, described');
SELECT * FROM finish();
ROLLBACK;
