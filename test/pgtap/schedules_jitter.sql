-- schedules_jitter: runs are made later by a delay of the schedule's own, and keep the time that they are for.
BEGIN;
SELECT plan(11);
SET LOCAL timezone = 'UTC';
SELECT tenant_id FROM execreport.create_tenant(935);
SET LOCAL execreport.tenant_id = 935;
SELECT execreport.create_workflow('jitter') AS workflow \gset

CREATE TEMP TABLE many AS
SELECT n, CASE n % 4 WHEN 0 THEN NULL WHEN 1 THEN 0 ELSE 600 END AS jitter,
       execreport.create_schedule(:'workflow', jsonb_strip_nulls(jsonb_build_object('frequency', 'daily', 'time', '09:00', 'timezone', 'UTC',
           'jitter', CASE n % 4 WHEN 0 THEN NULL WHEN 1 THEN 0 ELSE 600 END)), run_timeout => '1 minute', now => '2026-03-01 12:00') AS id
  FROM generate_series(1, 200) AS n;
-- three days, looked at every ten seconds around the time
CREATE TEMP TABLE made (id uuid, scheduled_at timestamptz, made_at timestamptz);
DO $$
DECLARE
    t timestamptz;
BEGIN
    FOR t IN SELECT d + s * interval '10 s' FROM generate_series('2026-03-02 08:59:50'::timestamptz, '2026-03-04 09:00', '1 day') AS d, generate_series(0, 63) AS s ORDER BY 1 LOOP
        INSERT INTO made SELECT r.schedule_id, r.scheduled_at, t FROM execreport.run_due_schedules(t) AS r;
        PERFORM execreport.complete_schedule_run(r.run_id, now => t) FROM execreport.schedule_runs AS r WHERE r.tenant_id = 935 AND r.status = 'running';
    END LOOP;
END $$;
SELECT is((SELECT count(*) FROM made), 600::bigint, 'each schedule has run on each day');
SELECT is_empty($$ SELECT * FROM made WHERE scheduled_at::time <> '09:00' $$, 'a run keeps the time that it is for');
SELECT is_empty($$ SELECT * FROM made JOIN many USING (id) WHERE jitter IS NOT DISTINCT FROM 600 AND made_at - scheduled_at NOT BETWEEN '0 s' AND '610 s'
                      OR jitter IS DISTINCT FROM 600 AND made_at > scheduled_at $$, 'it is made up to jitter seconds later, without jitter at once');
SELECT is_empty($$ SELECT id FROM made GROUP BY id HAVING count(DISTINCT made_at - scheduled_at) > 1 $$, 'by the same delay on each day');
SELECT ok(count(DISTINCT made_at) > 25 AND min(made_at - scheduled_at) < '120 s' AND max(made_at - scheduled_at) > '480 s', 'the delays are spread over the whole time')
  FROM made JOIN many USING (id) WHERE jitter = 600 AND scheduled_at = '2026-03-02 09:00';
-- the rule: the first 32 bits of the id's MD5, modulo jitter + 1
SELECT is_empty($$ SELECT * FROM made JOIN many USING (id) WHERE jitter = 600
     AND made_at <> scheduled_at + ceil((('x' || substr(md5(id::text), 1, 8))::bit(32)::bigint % 601) / 10.0) * interval '10 s' $$, 'the delay follows from the schedule''s id');
SELECT is((SELECT count(*) FROM execreport.schedule_runs WHERE tenant_id = 935 AND status <> 'completed'), 0::bigint, 'none is late, missed or skipped for it');
SELECT is((SELECT count(DISTINCT next_run_at) FROM execreport.workflow_schedules WHERE tenant_id = 935), 1::bigint, 'and the next run is announced for its own time');

-- a change while a run is delayed would lose it
SELECT id FROM many, LATERAL (SELECT ('x' || substr(md5(id::text), 1, 8))::bit(32)::bigint % 601 AS delay) AS d WHERE jitter = 600 AND delay > 30 ORDER BY n LIMIT 1 \gset
SELECT throws_ok(format('SELECT execreport.change_schedule(%L, %L, ''2026-03-05 09:00:10'')', :'id', '{"frequency": "daily", "time": "10:00", "timezone": "UTC"}'), '55000', NULL, 'refused');
SELECT throws_ok($$ SELECT execreport.next_run('{"frequency": "daily", "time": "09:00", "timezone": "UTC", "jitter": 3601}', now()) $$, '22023',
                 'schedule "jitter" must be a whole number from 0 to 3600, not 3601', 'an hour at most');
SELECT is(execreport.next_run('{"frequency": "daily", "time": "09:00", "timezone": "UTC", "jitter": 3600}', '2026-03-01 00:00'), '2026-03-01 09:00', 'the recurrence itself knows no delay');
SELECT * FROM finish();
ROLLBACK;
