-- recurrence: runs against Python's zoneinfo, the laws that runs obey, and every malformed schedule.
BEGIN;
SELECT plan(20);
SET LOCAL timezone = 'UTC';

-- 1. 120,000 schedules. test/data/recurrence_oracle.py makes the same ones and wrote what is right.
CREATE TEMP TABLE digits AS
SELECT n, md5('recurrence' || n) || md5('recurrence' || n || 'x') AS d FROM generate_series(0, 119999) AS n;
CREATE FUNCTION pg_temp.p(d text, i integer) RETURNS integer LANGUAGE sql IMMUTABLE
RETURN ('x' || substr(d, i * 4 + 1, 4))::bit(16)::integer;
CREATE TEMP TABLE parameters AS
WITH p AS MATERIALIZED (
    SELECT n, pg_temp.p(d, 0) AS p0, pg_temp.p(d, 1) AS p1, pg_temp.p(d, 2) AS p2, pg_temp.p(d, 3) AS p3, pg_temp.p(d, 4) AS p4,
           pg_temp.p(d, 5) AS p5, pg_temp.p(d, 6) AS p6, pg_temp.p(d, 7) AS p7, pg_temp.p(d, 8) AS p8, pg_temp.p(d, 9) AS p9,
           pg_temp.p(d, 10) AS p10, pg_temp.p(d, 11) AS p11, pg_temp.p(d, 12) AS p12, pg_temp.p(d, 13) AS p13,
           pg_temp.p(d, 14) AS p14, pg_temp.p(d, 15) AS p15, p.hot_month, p.hot_day
      FROM digits, LATERAL (SELECT ('{3,11,3,10,10,4,9,2,10,12}'::integer[])[pg_temp.p(d, 3) % 10 + 1] AS hot_month,
                                   ('{8,1,25,25,1,1,24,15,15,26}'::integer[])[pg_temp.p(d, 3) % 10 + 1] AS hot_day) AS p),
a AS MATERIALIZED (
    SELECT *, p1 % 3 > 0 AS hot, (ARRAY[1, 1, 1, 2, 2, 3, 3, 0])[p8 % 8 + 1] AS frequency,
           CASE WHEN p11 % 7 < 2 THEN 1 + p11 % 5 ELSE 1 END AS every,
           CASE WHEN p1 % 30 = 1 THEN 2011 ELSE 2000 + p2 % 24 END AS year FROM p),
b AS MATERIALIZED (
    SELECT *, CASE WHEN NOT (every > 1 OR p12 % 5 = 0 OR frequency = 0) THEN NULL WHEN p13 % 4 = 0 THEN p12 % 30 ELSE -(p12 % 400) END AS start
      FROM a)
SELECT n, p0 % 24 AS zone,
       extract(epoch FROM CASE WHEN hot THEN make_date(year, hot_month, greatest(hot_day + p4 % 7 - 1, 1))
                               ELSE make_date(year, 1 + p3 % 12, 1 + p4 % 28) END)::bigint + p7 * 7 % 172800 AS after,
       CASE WHEN hot THEN p5 % 20 * 900 ELSE p5 % 1440 * 60 + CASE WHEN p6 % 7 = 0 THEN p6 % 60 ELSE 0 END END AS time,
       frequency, p9 % 127 + 1 AS weekdays,
       CASE WHEN p10 % 3 = 0 THEN (ARRAY[31, 30, 29, -1, -2, -30, -31, -29])[p10 / 3 % 8 + 1] ELSE p10 % 31 + 1 END AS day_of_month,
       every, start,
       CASE WHEN p13 % 6 = 1 AND frequency <> 0 THEN p13 % 60 + greatest(coalesce(start, 0), 0) END AS last,
       CASE WHEN start IS NOT NULL AND p14 % 5 = 0 AND frequency <> 0 THEN 1 + p14 % 40 END AS most,
       p15 % 3 AS month_end, p15 / 3 % 3 AS gap, p15 / 9 % 4 AS overlap
  FROM b;
-- n may be camelCase or snake_case: both are made
CREATE TEMP TABLE schedule AS
SELECT n, after, to_timestamp(after) AS after_at,
       jsonb_strip_nulls(jsonb_build_object(
           'frequency', (ARRAY['once', 'daily', 'weekly', 'monthly'])[frequency + 1],
           'timezone', ('{America/New_York,Europe/London,Europe/Lisbon,Australia/Lord_Howe,Pacific/Apia,America/Sao_Paulo,Africa/Casablanca,Asia/Kathmandu,Pacific/Chatham,UTC,Europe/Dublin,America/St_Johns,Asia/Tehran,Asia/Amman,Africa/Cairo,Asia/Gaza,America/Havana,Asia/Beirut,Pacific/Fakaofo,America/Caracas,Antarctica/Troll,America/Asuncion,Europe/Moscow,America/Los_Angeles}'::text[])[zone + 1],
           'time', to_char(make_interval(secs => time), CASE WHEN time % 60 = 0 THEN 'HH24:MI' ELSE 'HH24:MI:SS' END),
           CASE n % 2 WHEN 0 THEN 'daysOfWeek' ELSE 'days_of_week' END,
           CASE frequency WHEN 2 THEN (SELECT jsonb_agg(CASE WHEN d = 7 AND n % 3 = 0 THEN 0 ELSE d END) FROM generate_series(1, 7) AS d WHERE weekdays >> (d - 1) & 1 = 1) END,
           CASE n % 2 WHEN 0 THEN 'dayOfMonth' ELSE 'day_of_month' END, CASE frequency WHEN 3 THEN day_of_month END,
           'interval', CASE WHEN frequency <> 0 AND every > 1 THEN every END,
           CASE n % 2 WHEN 0 THEN 'startDate' ELSE 'start_date' END, to_timestamp(after)::date + start,
           CASE n % 2 WHEN 0 THEN 'endDate' ELSE 'end_date' END, to_timestamp(after)::date + last,
           CASE n % 2 WHEN 0 THEN 'maxRuns' ELSE 'max_runs' END, most,
           CASE n % 2 WHEN 0 THEN 'monthEnd' ELSE 'month_end' END, (ARRAY['clamp', 'skip'])[month_end],
           CASE n % 2 WHEN 0 THEN 'dstGap' ELSE 'dst_gap' END, (ARRAY['shift', 'skip'])[gap],
           CASE n % 2 WHEN 0 THEN 'dstOverlap' ELSE 'dst_overlap' END, (ARRAY['first', 'second', 'both'])[overlap])) AS config
  FROM parameters;

CREATE TEMP TABLE told (line bigserial, delta integer);
\copy told (delta) FROM 'test/data/recurrence.csv'
CREATE TEMP TABLE told_runs (line bigserial, many integer, digest text);
\copy told_runs (many, digest) FROM 'test/data/recurrence_runs.csv' (FORMAT csv)

SELECT is((SELECT md5(string_agg(concat_ws(',', zone, after, time, frequency, weekdays, day_of_month, every, coalesce(start::text, ''), coalesce(last::text, ''),
                                           coalesce(most::text, ''), month_end, gap, overlap) || E'\n', '' ORDER BY n)) FROM parameters),
          (SELECT digest FROM told_runs WHERE many = -1), 'the schedules are those of the oracle');
SELECT is(count(*)::integer, 120000, 'the oracle has 120000 next runs') FROM told;
CREATE TEMP TABLE mine AS
SELECT n, after, after_at, config, execreport.next_run(config, after_at) AS run_at FROM schedule;
SELECT is_empty($$SELECT m.*, t.delta FROM mine AS m JOIN told AS t ON t.line = m.n + 1
                   WHERE coalesce(extract(epoch FROM run_at)::bigint - after, 0) <> t.delta ORDER BY n LIMIT 20$$,
                'next_run agrees with zoneinfo');
SELECT is_empty($$SELECT * FROM (SELECT s.n, s.config, t.many, t.digest, count(r.run_at) AS my_many,
                                        md5(coalesce(string_agg(extract(epoch FROM r.run_at)::bigint::text, ',' ORDER BY r.run_number), '')) AS my_digest
                                   FROM schedule AS s JOIN told_runs AS t ON t.line = s.n + 1 AND t.many >= 0
                                   LEFT JOIN LATERAL execreport.preview_runs(s.config, s.after_at, 12) AS r ON true
                                  GROUP BY 1, 2, 3, 4) AS x WHERE many <> my_many OR digest <> my_digest ORDER BY n LIMIT 20$$,
                'the first 12 runs of 4000 schedules agree with zoneinfo');

-- 2. Laws.
CREATE TEMP TABLE previewed AS
SELECT s.n, s.config, s.after_at, r.*, lag(r.run_at, 1, s.after_at) OVER (PARTITION BY s.n ORDER BY r.run_number) AS before
  FROM schedule AS s, LATERAL execreport.preview_runs(s.config, s.after_at, 8) AS r WHERE s.n < 12000;
SELECT is_empty('SELECT * FROM previewed WHERE run_at <= before', 'runs increase strictly');
SELECT is_empty('SELECT * FROM previewed WHERE execreport.next_run(config, before) IS DISTINCT FROM run_at', 'each is the next run after the one before');
SELECT is_empty($$SELECT * FROM previewed WHERE execreport.next_run(config, run_at - interval '1 microsecond') IS DISTINCT FROM run_at$$,
                'a run is found from one microsecond before it');
SELECT is_empty($$SELECT * FROM previewed WHERE to_char(run_at AT TIME ZONE (config->>'timezone'), 'YYYY-MM-DD HH24:MI:SS') <> local_time$$,
                'local_time is the wall clock of the zone');
SELECT is_empty($$SELECT n, config, array_agg(o ORDER BY o.run_number) AS rows FROM (SELECT DISTINCT n, config, after_at, max(run_at) OVER (PARTITION BY n) AS last FROM previewed) AS p,
                         execreport.occurrences(config, after_at, last) AS o GROUP BY 1, 2
                  EXCEPT
                  SELECT n, config, array_agg(ROW(run_number, run_at, local_time) ORDER BY run_number) FROM previewed GROUP BY 1, 2$$,
                'occurrences up to the last run are the previewed runs');
SELECT is_empty($$SELECT 1 FROM schedule, execreport.occurrences(config, after_at, after_at) WHERE n < 2000$$, 'no run lies between an instant and itself');

-- 3. All zones of the server: each full name is accepted, whatever else is refused.
CREATE FUNCTION pg_temp.accepts(zone text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM execreport.next_run(jsonb_build_object('frequency', 'daily', 'time', '12:00', 'timezone', zone), '2024-01-01');
    RETURN true;
EXCEPTION WHEN invalid_parameter_value THEN
    RETURN false;
END $$;
SELECT is_empty($$SELECT name FROM pg_timezone_names
                   WHERE pg_temp.accepts(name) <> (name = 'UTC' OR (name ~ '/' AND name !~ '^(posix|right|posixrules|SystemV)'))
                     AND name !~ '^SystemV' ORDER BY 1$$, 'full names are accepted, short ones are refused');
SELECT is_empty($$SELECT abbrev FROM pg_timezone_abbrevs WHERE abbrev <> 'UTC' AND pg_temp.accepts(abbrev)$$, 'abbreviations are refused');

-- 4. The ends of time.
SELECT is(execreport.next_run('{"frequency": "daily", "time": "12:00", "timezone": "UTC"}', '4714-11-24 BC'), '0001-01-01 12:00+00', 'the first run there is');
SELECT is(execreport.next_run('{"frequency": "monthly", "dayOfMonth": -1, "time": "12:00", "timezone": "America/New_York"}', '9999-12-31 18:00+00'), NULL, 'after the last run there is');
SELECT is(execreport.next_run(jsonb_build_object('frequency', f, 'daysOfWeek', '[1]'::jsonb, 'dayOfMonth', 1, 'startDate', '2020-01-01', 'time', '12:00', 'timezone', 'UTC'),
                              '294276-12-31 23:59:59+00'), NULL, f || ' ends before the last instant there is')
  FROM unnest(ARRAY['once', 'daily', 'weekly', 'monthly']) AS f;

-- 5. Malformed schedules.
CREATE TEMP TABLE bad (config jsonb, path text, state text);
INSERT INTO bad SELECT d::jsonb, '$', '22023'
  FROM unnest(ARRAY['[]', '[{}]', '"daily"', '""', '1', '-1', '1e400', 'true', 'false', 'null', '[null]', '[[[]]]', '"{}"']) AS d;
INSERT INTO bad VALUES (NULL, '$', '22004');
CREATE TEMP TABLE good (config jsonb);
INSERT INTO good VALUES ('{"frequency": "daily", "time": "09:00", "timezone": "UTC"}'), ('{"frequency": "weekly", "time": "09:00", "timezone": "UTC", "daysOfWeek": [1]}'),
    ('{"frequency": "monthly", "time": "09:00", "timezone": "UTC", "dayOfMonth": 1}'), ('{"frequency": "once", "time": "09:00", "timezone": "UTC", "startDate": "2025-01-01"}');
INSERT INTO bad SELECT config || jsonb_build_object(k, v::jsonb), k, '22023' FROM good,
    unnest(ARRAY['frequency', 'time', 'timezone', 'monthEnd', 'month_end', 'dstGap', 'dst_gap', 'dstOverlap', 'dst_overlap', 'startDate', 'endDate', 'endsAt', 'ends_at',
                 'daysOfWeek', 'days_of_week']) AS k,
    unnest(ARRAY['null', 'true', 'false', '0', '1', '7.5', '1e400', '[]', '["daily"]', '{}', '{"a":1}', '""', '" "', '"Daily"', '"x"', '"24:00"', '"9:00"', '"09:60"', '"09:00:60"', '"0900"',
                 '"09:00 "', '"09-00"', '"09:00:0"', '"-1:00"', '"２３:00"', '"EST"', '"EST5EDT"', '"UTC+3"', '"+03:00"', '"GMT"', '"Z"', '"local"', '"utc"', '"Mars/Phobos"', '"america/new_york"',
                 '"AMERICA/NEW_YORK"', '"posix/Europe/London"', '"right/Europe/London"', '"Etc/GMT+99"', '"Etc/GMT+5x"', '"A/B5"', '"A/b5"', '"<A/b>5"', '"../../etc/passwd"', '"Europe/../Europe/London"',
                 '"/etc/localtime"', '"Europe"', '"Europe/"', '"/"', '"Europe/London "', '"Europe//London"', '"Europe/LondonXYZ-1"', '"first,second"', '"2025-13-01T00:00Z"', '"2025-01-01T00:00"',
                 '"2025-01-01T25:00Z"', '"2025-01-01T00:00+24:00"', '"2025-01-01T00:00:00.Z"', '"2025-01-01T00:00:00.1234567Z"', '"2025-01-01T00:00ZZ"', '"infinity"', '"now"', '"today"',
                 '[8]', '[-1]', '[1.5]', '["1"]', '[null]', '[[1]]', '[1,2,{}]', '[1,99999999999999999999]', '[true]']) AS v
 WHERE NOT (v IN ('[]') AND false) AND NOT (k IN ('daysOfWeek', 'days_of_week') AND v = '[1]');
INSERT INTO bad SELECT config || jsonb_build_object(k, v::jsonb), k, '22023' FROM good, unnest(ARRAY['dayOfMonth', 'day_of_month', 'interval', 'maxRuns', 'max_runs']) AS k,
    unnest(ARRAY['null', 'true', '""', '"1"', '[]', '[1]', '{}', '0', '-0', '-32', '1000000', '0.5', '1.5', '1e30', '-1e30', '1e-30', '99999999999999999999']) AS v;
INSERT INTO bad SELECT config || jsonb_build_object(k, v), k, '22008' FROM good, unnest(ARRAY['startDate', 'start_date', 'endDate', 'end_date']) AS k, unnest(ARRAY['2025-02-29', '0000-01-01', '2025-00-10', '2025-04-31']) AS v
 WHERE NOT (config ? 'startDate' AND k = 'start_date');
INSERT INTO bad SELECT config || jsonb_build_object(k, v), k, '22007' FROM good, unnest(ARRAY['startDate', 'start_date', 'endDate', 'end_date']) AS k, unnest(ARRAY['01/02/2025', '2025-1-1', '20250101', '2025-01-01T00:00', 'tomorrow', '+2025-01-1']) AS v
 WHERE NOT (config ? 'startDate' AND k = 'start_date');
INSERT INTO bad SELECT config - k, k, '22023' FROM good, unnest(ARRAY['frequency', 'time', 'timezone', 'daysOfWeek', 'dayOfMonth', 'startDate']) AS k WHERE config ? k;
INSERT INTO bad SELECT config || jsonb_build_object(k, v), left(k, 60), '22023'
  FROM good, unnest(ARRAY['', ' ', 'Frequency', 'tz', 'timeZone', 'time_zone', 'cron', 'days', 'dayofmonth', 'start', 'until', 'count', 'lastRun', E'ti\nme', 'clé', repeat('long', 100)]) AS k, unnest(ARRAY['x', '1']) AS v;
INSERT INTO bad VALUES
    ('{"frequency": "daily", "time": "09:00", "timezone": "UTC", "interval": 2}', 'startDate', '22023'),
    ('{"frequency": "daily", "time": "09:00", "timezone": "UTC", "maxRuns": 2}', 'startDate', '22023'),
    ('{"frequency": "once", "time": "09:00", "timezone": "UTC", "startDate": "2025-01-01", "endDate": "2025-01-01"}', 'endDate', '22023'),
    ('{"frequency": "once", "time": "09:00", "timezone": "UTC", "startDate": "2025-01-01", "interval": 1}', 'interval', '22023'),
    ('{"frequency": "once", "time": "09:00", "timezone": "UTC", "startDate": "2025-01-01", "max_runs": 1}', 'max_runs', '22023'),
    ('{"frequency": "once", "time": "09:00", "timezone": "UTC", "startDate": "2025-01-01", "ends_at": "2025-01-01T00:00Z"}', 'ends_at', '22023'),
    ('{"frequency": "daily", "time": "09:00", "timezone": "UTC", "startDate": "2025-01-02", "endDate": "2025-01-01"}', 'startDate', '22023'),
    ('{"frequency": "daily", "time": "09:00", "timezone": "UTC", "startDate": "2025-01-02", "start_date": "2025-01-01"}', 'start_date', '22023'),
    ('{"frequency": "weekly", "time": "09:00", "timezone": "UTC", "daysOfWeek": [1, 2], "days_of_week": [1, 3]}', 'days_of_week', '22023');
INSERT INTO bad SELECT jsonb_build_object('frequency', 'daily', 'time', '09:00', 'timezone', repeat('Aa/', 1000000)), 'timezone', '22023';
INSERT INTO bad SELECT jsonb_build_object('frequency', 'daily', 'time', '09:00', 'timezone', 'UTC', repeat('k', 3000000), 1), repeat('k', 57), '22023';
INSERT INTO bad SELECT jsonb_build_object('daysOfWeek', (repeat('[', 2000) || repeat(']', 2000))::jsonb), 'daysOfWeek', '22023';
DELETE FROM bad WHERE path IN ('startDate', 'endDate') AND state = '22023'
   AND jsonb_typeof(config -> path) = 'string' AND config ->> path !~ '^\d{4}-\d\d-\d\d$';
SELECT cmp_ok(count(*), '>=', 2000::bigint, 'there are at least 2000 malformed schedules') FROM bad;

\ir ../data/refusals.sql
SELECT is_empty($$SELECT left(config::text, 200), path, state, answer
                    FROM bad, pg_temp.refused('execreport.next_run($1, ''2025-06-15'')', config, 'schedule', path, state) AS answer
                   WHERE answer IS NOT NULL LIMIT 40$$,
                'refuses what is malformed');

SELECT * FROM finish();
ROLLBACK;
