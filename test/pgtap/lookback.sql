-- lookback: every window against dateutil's, every malformed configuration against its SQLSTATE and its key.
BEGIN;
SELECT plan(37);

-- 1. Windows and limits: test/data/calendar_oracle.py wrote what is right.
CREATE TEMP TABLE case_ (kind text, value integer, unit text, lag integer, first date, last date, as_of date, max_days integer,
                         start_date date, end_date date, retained boolean);
\copy case_ FROM 'test/data/lookback.csv' (FORMAT csv)
CREATE TEMP TABLE told AS
SELECT c.*, jsonb_strip_nulls(CASE WHEN row_number() OVER () % 2 = 0
           THEN jsonb_build_object('type', kind, 'value', value, 'unit', unit, 'lagDays', lag, 'startDate', first, 'endDate', last)
           ELSE jsonb_build_object('type', kind, 'value', value, 'unit', unit, 'lag_days', lag, 'start_date', first, 'end_date', last)
       END) AS config
  FROM case_ AS c;

SELECT is(count(*)::integer, 3000, 'the oracle has 3000 cases') FROM told;
SELECT is_empty('SELECT t.*, d.* FROM told AS t, execreport.calculate_lookback_dates(t.config, t.as_of) AS d
                  WHERE (d.start_date, d.end_date) IS DISTINCT FROM (t.start_date, t.end_date)',
                'calculate_lookback_dates agrees with dateutil');
SELECT is_empty('SELECT * FROM told WHERE execreport.lookback_start(config, as_of) IS DISTINCT FROM start_date',
                'lookback_start agrees with dateutil');
SELECT is_empty('SELECT * FROM told WHERE execreport.lookback_end(config, as_of) IS DISTINCT FROM end_date',
                'lookback_end agrees with dateutil');
SELECT is_empty('SELECT * FROM told WHERE execreport.lookback_window(config, as_of) IS DISTINCT FROM ROW(start_date, end_date)',
                'lookback_window agrees with dateutil');
SELECT is_empty('SELECT * FROM told WHERE execreport.validate_lookback_limit(config, max_days, as_of) IS DISTINCT FROM retained',
                'validate_lookback_limit agrees with dateutil');
SELECT is_empty($$SELECT * FROM told, execreport.check_lookback(config, as_of) AS c(answer)
                   WHERE max_days IS NULL
                     AND ((answer->>'valid')::boolean IS DISTINCT FROM retained
                          OR answer->'window' IS DISTINCT FROM jsonb_build_object('startDate', start_date, 'endDate', end_date)
                          OR (answer->>'days')::integer IS DISTINCT FROM end_date - start_date + 1
                          OR (answer->'errors' = '[]') IS DISTINCT FROM retained)$$,
                'check_lookback agrees with dateutil');
SELECT is_empty($$SELECT * FROM generate_series(1, 400) AS n, (VALUES (date '2024-02-29'), ('2025-06-15'), ('0600-01-01')) AS a(as_of),
                         execreport.calculate_lookback_dates(jsonb_build_object('type', 'relative', 'value', n, 'unit', 'days'), as_of) AS d
                   WHERE d.end_date - d.start_date + 1 <> n OR d.end_date <> as_of$$,
                'N days are exactly N days');
SELECT is_empty($$SELECT * FROM generate_series(date '1999-12-25', '2029-01-05', '1 day') AS day
                   WHERE NOT execreport.validate_lookback_limit('{"type": "relative", "value": 14, "unit": "months"}', NULL, day::date)$$,
                'a window of 14 months passes on every day');
SELECT is_empty($$SELECT * FROM generate_series(date '2019-12-25', '2029-01-05', '1 day') AS day, execreport.check_lookback('{}', day::date) AS c(answer)
                   WHERE NOT execreport.validate_lookback_limit(
                             jsonb_build_object('type', 'relative', 'value', answer->'maxDays', 'unit', 'days'), NULL, day::date)
                      OR execreport.validate_lookback_limit(
                             jsonb_build_object('type', 'relative', 'value', (answer->>'maxDays')::integer + 1, 'unit', 'days'), NULL, day::date)
                      OR NOT execreport.validate_lookback_limit(
                             jsonb_build_object('type', 'custom', 'startDate', answer->'earliestStart', 'endDate', answer->'latestEnd'), NULL, day::date)
                      OR (answer->>'latestEnd')::date - (answer->>'earliestStart')::date + 1 <> (answer->>'maxDays')::integer$$,
                'maxDays, earliestStart and latestEnd are the limits of validate_lookback_limit');
SELECT is_empty($$SELECT day, answer FROM generate_series(date '2019-12-25', '2029-01-05', '1 day') AS day, execreport.check_lookback('{}', day::date) AS c(answer)
                   WHERE (answer->>'earliestStart')::date IS DISTINCT FROM least(day::date - 425, (day - interval '14 months')::date)$$,
                'earliestStart is the earlier of 425 days and 14 months');

-- 2. Numbers of every storage form.
SELECT is(execreport.lookback_start('{"type":"relative","unit":"days","value":7.0}', '2025-06-15'), '2025-06-09', '7.0 is 7');
SELECT is(execreport.lookback_start('{"type":"relative","unit":"days","value":7e0}', '2025-06-15'), '2025-06-09', '7e0 is 7');
SELECT is(execreport.lookback_start(('{"type":"relative","unit":"days","value":7.' || repeat('0', 100) || '}')::jsonb, '2025-06-15'),
          '2025-06-09', '7 with a hundred zeros is 7');
SELECT is_empty($$SELECT n FROM unnest(ARRAY[1, 9999, 10000, 10001, 20000, 99999, 100000, 700000]) AS n
                   WHERE execreport.lookback_start(jsonb_build_object('type', 'relative', 'value', n, 'unit', 'days'), '2025-06-15')
                         <> date '2025-06-16' - n$$, 'numbers of more than four digits');

-- 3. Malformed configurations: what each raises, and that the message names the key.
CREATE TEMP TABLE bad (config jsonb, path text, state text);
-- not an object
INSERT INTO bad SELECT d::jsonb, '$', '22023'
  FROM unnest(ARRAY['[]', '[{}]', '[1]', '"x"', '""', '"{}"', '1', '-0.5', '1e100', 'true', 'false', 'null', '[null]', '[[]]',
                    '[{"type":"relative","value":7,"unit":"days"}]', '["type","relative"]']) AS d;
-- wrong values of each key, beside right ones
INSERT INTO bad SELECT jsonb_build_object('value', 7, 'unit', 'days') || jsonb_build_object('type', v::jsonb), 'type', '22023'
  FROM unnest(ARRAY['null', 'true', '0', '1', '[]', '{}', '""', '" "', '"Relative"', '"RELATIVE"', '"relative "', '"rolling"', '"fixed"',
                    '["relative"]', '{"type":"relative"}', '"relativ"', '"relativee"', '"\u0001"', '"customs"', '"días"', '7.5', '"null"']) AS v;
INSERT INTO bad SELECT jsonb_build_object('type', 'relative', 'value', 7) || jsonb_build_object('unit', v::jsonb), 'unit', '22023'
  FROM unnest(ARRAY['null', 'true', '0', '[]', '{}', '""', '"Days"', '"DAYS"', '"day"', '"week"', '"month"', '"years"', '"quarters"', '"hours"',
                    '"days "', '" days"', '["days"]', '"d"', '"dias"', '"\n"', '"días"', '30']) AS v;
INSERT INTO bad SELECT jsonb_build_object('type', 'relative', 'unit', u) || jsonb_build_object('value', v::jsonb), 'value', '22023'
  FROM unnest(ARRAY['days', 'weeks', 'months']) AS u,
       unnest(ARRAY['null', 'true', 'false', '""', '"7"', '"seven"', '[]', '[7]', '{}', '{"value":7}', '0', '-0', '0.0', '-1', '-7', '-9000', '7.5', '0.1',
                    '-0.5', '1e-20', '7.00000000000000000001', '3000000', '4000001', '2147483648', '99999999999', '9223372036854775808', '1e17', '1e30', '-1e30',
                    '1e1000', '-1e1000', '9999999999999999', '18446744073709551623', '"NaN"', '"Infinity"']) AS v;
INSERT INTO bad SELECT jsonb_build_object('type', 'relative', 'value', 7, 'unit', 'days') || jsonb_build_object(k, v::jsonb), k, '22023'
  FROM unnest(ARRAY['lagDays', 'lag_days']) AS k,
       unnest(ARRAY['null', 'true', '""', '"1"', '[]', '{}', '-1', '-0.5', '0.5', '1e-9', '1e30', '2147483648', '3000000', '-9223372036854775809']) AS v;
INSERT INTO bad SELECT jsonb_build_object('type', 'custom', other, '2025-01-15') || jsonb_build_object(k, v::jsonb), k, '22023'
  FROM (VALUES ('startDate', 'endDate'), ('start_date', 'end_date'), ('endDate', 'startDate'), ('end_date', 'startDate')) AS s(k, other),
       unnest(ARRAY['null', 'true', '20250101', '0', '1.5', '[]', '{}', '["2025-01-01"]', '[2025,1,1]']) AS v;
INSERT INTO bad SELECT jsonb_build_object('type', 'custom', other, '2025-01-15') || jsonb_build_object(k, v), k, '22007'
  FROM (VALUES ('startDate', 'endDate'), ('end_date', 'start_date')) AS s(k, other),
       unnest(ARRAY['', ' ', 'today', 'now', 'epoch', 'infinity', '-infinity', 'NULL', '2025-1-1', '2025/01/01', '03/04/2025', '01.02.2025', '20250101',
                    '2025-01-01T00:00:00Z', '2025-01-01 00:00', '2025-01-01 ', ' 2025-01-01', '2025-01', '2025', '10000-01-01', '-2025-01-01',
                    '2025-01-0a', '2025-O1-01', '2025_01_01', '2025-01-01 BC', 'J2451545', '２０２５-01-01', '2025-W01-1', '2025-001', '25-01-01',
                    E'2025-01-0\n', '2025--1-01', '+025-01-01', 'Jan 1 2025']) AS v;
INSERT INTO bad SELECT jsonb_build_object('type', 'custom', other, '2025-01-15') || jsonb_build_object(k, v), k, '22008'
  FROM (VALUES ('start_date', 'endDate'), ('endDate', 'start_date')) AS s(k, other),
       unnest(ARRAY['0000-01-01', '2025-00-10', '2025-13-01', '2025-02-29', '2024-02-30', '1900-02-29', '2025-04-31', '9999-12-32', '2025-01-00',
                    '2025-99-99', '0000-00-00']) AS v;
-- unknown keys
INSERT INTO bad SELECT jsonb_build_object('type', 'relative', 'value', 7, 'unit', 'days') || jsonb_build_object(k, 1), left(k, 60), '22023'
  FROM unnest(ARRAY['', ' ', 'Type', 'TYPE', 'values', 'Unit', 'start', 'end', 'from', 'to', 'days', 'lookback', 'startdate', 'StartDate', 'END_DATE', 'lag',
                    'lagdays', 'timezone', 'type ', E'ty\npe', E'\x01', 'clé', repeat('long', 100)]) AS k;
INSERT INTO bad SELECT jsonb_build_object(k, v::jsonb), k, '22023'
  FROM unnest(ARRAY['x', 'days', 'config', 'Value']) AS k, unnest(ARRAY['null', '{}', '[]']) AS v;
-- missing keys, keys of the other type, both spellings, reversed
INSERT INTO bad VALUES
    ('{"value":7,"unit":"days"}', 'type', '22023'), ('{"value":7}', 'type', '22023'), ('{"lagDays":1}', 'type', '22023'),
    ('{"startDate":"2025-01-01","endDate":"2025-01-31"}', 'type', '22023'),
    ('{"type":"relative"}', 'value', '22023'), ('{"type":"relative","unit":"days"}', 'value', '22023'),
    ('{"type":"relative","value":7}', 'unit', '22023'), ('{"type":"custom"}', 'startDate', '22023'),
    ('{"type":"custom","startDate":"2025-01-01"}', 'endDate', '22023'), ('{"type":"custom","start_date":"2025-01-01"}', 'endDate', '22023'),
    ('{"type":"custom","end_date":"2025-01-01"}', 'startDate', '22023'),
    ('{"type":"relative","value":7,"unit":"days","startDate":"2025-01-01"}', 'startDate', '22023'),
    ('{"type":"relative","value":7,"unit":"days","end_date":"2025-01-01"}', 'end_date', '22023'),
    ('{"type":"custom","startDate":"2025-01-01","endDate":"2025-01-31","value":7}', 'value', '22023'),
    ('{"type":"custom","startDate":"2025-01-01","endDate":"2025-01-31","unit":"days"}', 'unit', '22023'),
    ('{"type":"custom","startDate":"2025-01-01","endDate":"2025-01-31","lagDays":0}', 'lagDays', '22023'),
    ('{"type":"custom","startDate":"2025-01-01","endDate":"2025-01-31","lag_days":2}', 'lag_days', '22023'),
    ('{"type":"custom","startDate":"2025-01-01","start_date":"2025-01-02","endDate":"2025-01-31"}', 'start_date', '22023'),
    ('{"type":"custom","startDate":"2025-01-01","endDate":"2025-01-30","end_date":"2025-01-31"}', 'end_date', '22023'),
    ('{"type":"relative","value":7,"unit":"days","lagDays":1,"lag_days":2}', 'lag_days', '22023'),
    ('{"type":"custom","startDate":"2025-01-02","endDate":"2025-01-01"}', 'startDate', '22023'),
    ('{"type":"custom","start_date":"2025-12-31","end_date":"2024-12-31"}', 'start_date', '22023'),
    ('{"type":"relative","value":739053,"unit":"days"}', 'value', '22023'),     -- one day before 0001-01-01
    (NULL, '$', '22004');
-- large and deep ones
INSERT INTO bad SELECT jsonb_build_object('type', repeat('x', 3000000)), 'type', '22023';
INSERT INTO bad SELECT jsonb_build_object(repeat('k', 3000000), 1), repeat('k', 57), '22023';
INSERT INTO bad SELECT (repeat('[', 2000) || repeat(']', 2000))::jsonb, '$', '22023';
INSERT INTO bad SELECT jsonb_build_object('type', (repeat('{"a":', 2000) || '1' || repeat('}', 2000))::jsonb), 'type', '22023';
INSERT INTO bad SELECT jsonb_object_agg('key' || i, i), 'key', '22023' FROM generate_series(1, 50000) AS i;

SELECT cmp_ok(count(*), '>=', 200::bigint, 'there are at least 200 malformed configurations') FROM bad;
SELECT isnt_empty($$SELECT 1 WHERE execreport.lookback_start('{"type":"relative","value":739052,"unit":"days"}', '2024-06-15') = '0001-01-01'$$,
                  'the first day of year 1 is within reach');

\ir ../data/refusals.sql
SELECT is_empty(format('SELECT left(config::text, 100), path, answer FROM bad, pg_temp.refused(%L, config, ''lookback'', path, state) AS answer WHERE answer IS NOT NULL', call),
                'refuses what is malformed: ' || call)
  FROM unnest(ARRAY['execreport.calculate_lookback_dates($1, ''2024-06-15'')', 'execreport.lookback_start($1, ''2024-06-15'')',
                    'execreport.lookback_end($1, ''2024-06-15'')', 'execreport.lookback_window($1, ''2024-06-15'')',
                    'execreport.validate_lookback_limit($1, 400, ''2024-06-15'')',
                    'execreport.lookback_segments($1, ''{}'', ''2024-06-15'')',
                    '(SELECT count(*) FROM execreport.calculate_lookback_dates($1, ''2024-06-15'')) AS no_column']) AS call;
SELECT is_empty($$SELECT left(config::text, 100), path, answer FROM bad, execreport.check_lookback(config, '2024-06-15') AS c(answer)
                   WHERE (answer->>'valid')::boolean OR answer->'window' <> 'null' OR answer->'days' <> 'null'
                      OR NOT EXISTS (SELECT FROM jsonb_array_elements(answer->'errors') AS e
                                      WHERE strpos(e->>'path', path) = 1 AND e->>'code' = 'INVALID_LOOKBACK_RANGE' AND e->>'message' <> '')
                      OR length(answer::text) > 5000 OR jsonb_array_length(answer->'errors') > 20
                      OR answer->'suggested' <> '[7, 14, 30]'$$,
                'check_lookback lists what is malformed and never raises');
SELECT is(jsonb_array_length(execreport.check_lookback((SELECT jsonb_object_agg('key' || i, i) FROM generate_series(1, 50000) AS i)) -> 'errors'), 20,
          'check_lookback lists twenty of many faults');
SELECT throws_ok($$SELECT execreport.lookback_start(jsonb_build_object('type', repeat('x', 100000000)))$$, '22023', NULL, 'a text of 100 MB');

-- 4. Other arguments.
SELECT throws_ok($$SELECT * FROM execreport.calculate_lookback_dates('{}', 'infinity')$$, '22008', NULL, 'infinite as_of');
SELECT throws_ok($$SELECT execreport.validate_lookback_limit('{}', NULL, '-infinity')$$, '22008', NULL, 'infinite as_of of the limit');
SELECT throws_ok($$SELECT execreport.validate_lookback_limit('{}', 0)$$, '22023', NULL, 'max_days 0');
SELECT throws_ok($$SELECT execreport.validate_lookback_limit('{}', -2147483648)$$, '22023', NULL, 'max_days below 0');
SELECT ok(execreport.validate_lookback_limit('{"type":"custom","startDate":"0001-01-01","endDate":"0001-01-01"}', 2147483647, '2025-06-15'),
          'max_days beyond all dates');
SELECT is(execreport.check_lookback('{}', '-infinity')->'errors'->0->>'path', 'as_of', 'check_lookback names as_of');
SELECT throws_ok($$SELECT execreport.lookback_start('{}', '4714-11-24 BC')$$, '22023', NULL, 'the first date there is');
SELECT is(execreport.lookback_start('{}', '5874897-12-31'), '5874897-12-25', 'the last date there is');

-- 5. What the planner is told.
CREATE FUNCTION pg_temp.plan_text(sql text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    plan json;
BEGIN
    EXECUTE 'EXPLAIN (VERBOSE, FORMAT json) ' || sql INTO plan;
    RETURN plan;
END
$$;
SELECT ok(pg_temp.plan_text('SELECT d.* FROM told AS t, execreport.calculate_lookback_dates(t.config, t.as_of) AS d') !~ 'calculate_lookback_dates',
          'the planner puts the body of calculate_lookback_dates in place of the call');
SELECT is_empty($$SELECT p.oid::regprocedure FROM pg_proc AS p
                   WHERE p.pronamespace = 'execreport'::regnamespace AND p.proname ~ 'lookback'
                     AND (p.provolatile <> 's' OR p.proparallel <> 's' OR p.proisstrict OR obj_description(p.oid, 'pg_proc') IS NULL)$$,
                'stable, parallel safe, not strict, described');
SELECT * FROM finish();
ROLLBACK;
