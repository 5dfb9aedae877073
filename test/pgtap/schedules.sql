-- schedules: a year of 1,000 schedules in simulated time, over every change of clocks; the indexes serve what they are for.
--
-- Each step of the walk is a transaction of its own, as in life; the rows are deleted in the end.
SET timezone = 'UTC';
SET execreport.tenant_id = 932;
SET client_min_messages = warning;
\o /dev/null
SELECT tenant_id FROM execreport.create_tenant(932);
SELECT execreport.create_workflow('walk') AS workflow_id \gset

CREATE TEMP TABLE walked AS
SELECT i, execreport.create_schedule(:'workflow_id', config, catchup => CASE i / 10 % 3 WHEN 2 THEN 'all' ELSE 'latest' END, overlap => 'allow',
                                     run_timeout => '5 years', now => '2025-12-31 18:00') AS schedule_id, config
  FROM generate_series(0, 999) AS i,
       LATERAL (SELECT jsonb_build_object(
           'timezone', ('{America/New_York,Europe/London,Europe/Lisbon,Australia/Lord_Howe,Pacific/Apia,America/Sao_Paulo,Africa/Casablanca,Asia/Kathmandu,Pacific/Chatham,Europe/Dublin}'::text[])[1 + i % 10],
           'time', to_char(make_interval(mins => i * 17 % 300), 'HH24:MI'), 'dstOverlap', (ARRAY['first', 'second', 'both'])[1 + i / 10 % 3],
           'dstGap', (ARRAY['shift', 'skip'])[1 + i / 30 % 2])
         || CASE i % 14 WHEN 0 THEN '{"frequency": "daily"}'::jsonb WHEN 1 THEN '{"frequency": "daily", "interval": 3, "startDate": "2025-12-01"}'
                        WHEN 2 THEN '{"frequency": "monthly", "dayOfMonth": 31}' WHEN 3 THEN '{"frequency": "monthly", "dayOfMonth": -1}'
                        WHEN 4 THEN '{"frequency": "weekly", "daysOfWeek": [1, 3, 5, 7]}'
                        WHEN 5 THEN '{"frequency": "weekly", "daysOfWeek": [7], "interval": 2, "startDate": "2025-12-30", "maxRuns": 12}'
                        ELSE '{"frequency": "weekly", "daysOfWeek": [0]}' END AS config) AS c;
CREATE TEMP TABLE given (schedule_id uuid, scheduled_at timestamptz, at timestamptz);
DO $$
DECLARE
    t timestamptz := '2025-12-31 18:00';
BEGIN
    FOR step IN 1 .. 730 LOOP
        t := least(t + interval '12 hours', '2026-12-31 18:00');
        INSERT INTO given SELECT r.schedule_id, r.scheduled_at, t FROM execreport.run_due_schedules(t) AS r;
        UPDATE execreport.schedule_runs SET status = 'completed' WHERE tenant_id = 932 AND schedule_runs.status = 'running';
        COMMIT;
        IF step % 100 = 10 THEN
            ANALYZE execreport.schedule_runs;
        END IF;
    END LOOP;
END $$;
\o

BEGIN;
SELECT plan(12);
CREATE TEMP TABLE wanted AS
SELECT w.schedule_id, o.run_at FROM walked AS w, LATERAL execreport.occurrences(w.config, '2025-12-31 18:00', '2026-12-31 18:00') AS o;
SELECT cmp_ok(count(*), '>', 50000::bigint, 'a year of 1,000 schedules has many runs') FROM wanted;
SELECT is_empty($$SELECT schedule_id, scheduled_at FROM given EXCEPT ALL SELECT schedule_id, run_at FROM wanted$$, 'no run that is no occurrence, and none twice');
SELECT is_empty($$SELECT schedule_id, run_at FROM wanted EXCEPT ALL SELECT schedule_id, scheduled_at FROM given$$, 'no occurrence without its run');
SELECT is_empty($$SELECT * FROM given WHERE at < scheduled_at OR at > scheduled_at + interval '12 hours'$$, 'each run at the first call after it is due');
SELECT is_empty($$SELECT schedule_id, count(*), max(run_number) FROM execreport.schedule_runs WHERE tenant_id = 932
                   GROUP BY schedule_id HAVING count(*) <> max(run_number) OR min(run_number) <> 1$$, 'runs are numbered without gaps');
SELECT is_empty($$SELECT * FROM execreport.workflow_schedules AS s
                   WHERE s.next_run_at IS DISTINCT FROM execreport.next_run(s.schedule_config, '2026-12-31 18:00') OR (s.status = 'ended') <> (s.next_run_at IS NULL)$$,
                'afterwards each knows its next run, and those without one have ended');

-- the server was down for a month: every occurrence is recorded once, the reasons add up
CREATE TEMP TABLE late AS SELECT * FROM execreport.run_due_schedules('2027-01-31 18:00');
SELECT is_empty($$SELECT w.schedule_id, o.run_at FROM walked AS w, LATERAL execreport.occurrences(w.config, '2026-12-31 18:00', '2027-01-31 18:00') AS o
                  EXCEPT ALL
                  SELECT schedule_id, scheduled_at FROM execreport.schedule_runs WHERE tenant_id = 932 AND scheduled_at > '2026-12-31 18:00'
                     AND (status = 'running' AND reason = 'caught up' OR status = 'missed' AND reason ~ '^late|^older')$$,
                'after a downtime every occurrence is caught up or missed with its reason');

-- the planner takes the indexes for what they are made for
INSERT INTO execreport._schedules (workflow_id, schedule_config, catchup, catchup_window, max_catchup, overlap, run_timeout, scheduled_through, wake_at)
SELECT :'workflow_id', '{}', 'none', '1 day', 1, 'skip', '1 day', '2027-01-01', '2027-02-01'::timestamptz + n * interval '1 minute' FROM generate_series(1, 99000) AS n;
ANALYZE execreport._schedules;
ANALYZE execreport.schedule_runs;
CREATE FUNCTION pg_temp.uses(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
        RETURN QUERY SELECT substring(line FROM '(?:using|on) (\w+)') WHERE line ~ 'Index';
    END LOOP;
END $$;
SELECT ok('schedules_wake_idx' IN (SELECT pg_temp.uses($$SELECT FROM execreport._schedules WHERE tenant_id = 932 AND wake_at <= '2027-01-31 19:00' FOR UPDATE SKIP LOCKED$$)),
          'what is due is found by its index');
SELECT ok('schedule_runs_open_idx' IN (SELECT pg_temp.uses(format($$SELECT FROM execreport.schedule_runs WHERE tenant_id = 932 AND schedule_id = %L AND status IN ('pending', 'running')$$,
                                                                  (SELECT schedule_id FROM walked WHERE i = 0)))), 'what is open is found by its index');
SELECT ok('schedule_runs_over_idx' IN (SELECT pg_temp.uses($$SELECT FROM execreport.schedule_runs WHERE status NOT IN ('pending', 'running') AND created_at < '2026-01-01' ORDER BY created_at LIMIT 1000$$)),
          'what may go is found by its index');

-- retention: a quarter is kept, and what is gone is not made again
SELECT cmp_ok(execreport._expire_runs('2026-12-31 18:00', 1000000), '=', (SELECT count(*) FROM given WHERE at < '2026-10-02 18:00'), 'runs that were over 90 days ago go');
SELECT is_empty($$SELECT * FROM execreport.run_due_schedules('2026-06-01')$$, 'a clock that jumps back makes none of them again');
SELECT * FROM finish();
ROLLBACK;

DELETE FROM execreport.schedule_runs WHERE tenant_id = 932;
DELETE FROM execreport._schedules WHERE tenant_id = 932;
DELETE FROM execreport.workflows WHERE tenant_id = 932;
