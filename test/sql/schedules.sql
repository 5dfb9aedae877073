-- schedules: the life of a schedule, in simulated time
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set SHOW_CONTEXT never
SET execreport.tenant_id = 931;
SELECT tenant_id FROM execreport.create_tenant(931);
CREATE FUNCTION pg_temp.runs() RETURNS TABLE (name text, n integer, scheduled timestamptz, source text, status text, reason text, error text)
LANGUAGE sql STABLE AS $$
    SELECT w.name, r.run_number, r.scheduled_at, r.source, r.status, r.reason, r.error_message
      FROM execreport.schedule_runs AS r JOIN execreport.workflow_schedules AS s USING (schedule_id) JOIN execreport.workflows AS w USING (workflow_id)
     ORDER BY w.name, r.scheduled_at $$;
CREATE FUNCTION pg_temp.plan(name text) RETURNS uuid LANGUAGE sql STABLE AS $$
    SELECT s.schedule_id FROM execreport.workflow_schedules AS s JOIN execreport.workflows AS w USING (workflow_id) WHERE w.name = plan.name $$;
CREATE FUNCTION pg_temp.daily(name text, catchup text, overlap text, pause_after integer DEFAULT NULL) RETURNS timestamptz LANGUAGE plpgsql AS $$
BEGIN
    PERFORM execreport.create_schedule(execreport.create_workflow(name), '{"frequency": "daily", "time": "09:00", "timezone": "UTC"}',
        catchup => daily.catchup, overlap => daily.overlap, pause_after_failures => pause_after, now => '2026-01-01 08:00');
    RETURN (SELECT next_run_at FROM execreport.workflow_schedules WHERE schedule_id = pg_temp.plan(name));
END $$;
CREATE FUNCTION pg_temp.due(t timestamptz) RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT string_agg(w.name || ' ' || to_char(r.scheduled_at, 'MM-DD HH24:MI'), ', ' ORDER BY w.name, r.scheduled_at)
      FROM execreport.run_due_schedules(t) AS r JOIN execreport.workflow_schedules AS s USING (schedule_id) JOIN execreport.workflows AS w USING (workflow_id) $$;
CREATE FUNCTION pg_temp.done(name text, t timestamptz) RETURNS boolean LANGUAGE sql VOLATILE AS $$
    SELECT execreport.complete_schedule_run(run_id, 5, '{"ok": true}', t) FROM execreport.schedule_runs
     WHERE schedule_id = pg_temp.plan(name) AND schedule_runs.status = 'running' $$;
CREATE FUNCTION pg_temp.broke(name text, t timestamptz) RETURNS boolean LANGUAGE sql VOLATILE AS $$
    SELECT execreport.fail_schedule_run(run_id, 'no connection', t) FROM execreport.schedule_runs
     WHERE schedule_id = pg_temp.plan(name) AND schedule_runs.status = 'running' $$;

-- day by day
SELECT pg_temp.daily('plain', 'latest', 'skip');
SELECT pg_temp.due('2026-01-01 08:59:59') AS early, pg_temp.due('2026-01-01 09:00') AS due, pg_temp.due('2026-01-01 09:00') AS again;
SELECT pg_temp.done('plain', '2026-01-01 09:10'), pg_temp.done('plain', '2026-01-01 09:11') AS again;
SELECT pg_temp.due('2026-01-02 09:05'), pg_temp.due('2026-01-01 12:00') AS clock_back;
-- one not reported: the next is skipped, a third is made when the first has timed out
SELECT pg_temp.due('2026-01-03 09:00'), pg_temp.due('2026-01-04 09:00');
-- the server was down for four days
SELECT pg_temp.done('plain', '2026-01-04 10:00'), pg_temp.due('2026-01-08 20:00'), pg_temp.done('plain', '2026-01-08 21:00');
SELECT status, next_run_at, last_run_at, consecutive_failures FROM execreport.workflow_schedules WHERE schedule_id = pg_temp.plan('plain');
SELECT * FROM pg_temp.runs() WHERE name = 'plain';
SELECT execreport.end_schedule(pg_temp.plan('plain'), 'over', '2026-01-09'), execreport.end_schedule(pg_temp.plan('plain'));

-- catch-up
SELECT pg_temp.daily('none', 'none', 'skip'), pg_temp.daily('all', 'all', 'skip'), pg_temp.daily('both', 'all', 'allow');
SELECT pg_temp.due('2026-01-01 09:30');
SELECT pg_temp.done('none', '2026-01-01 10:00'), pg_temp.done('all', '2026-01-01 10:00'), pg_temp.done('both', '2026-01-01 10:00');
UPDATE execreport._schedules SET catchup_window = '60 hours', max_catchup = 2 WHERE tenant_id = 931 AND catchup = 'all';
SELECT pg_temp.due('2026-01-05 20:00');
SELECT pg_temp.due('2026-01-05 21:00') AS nothing, pg_temp.done('all', '2026-01-05 22:00'), pg_temp.due('2026-01-05 22:00') AS next, pg_temp.done('all', '2026-01-05 23:00');
SELECT * FROM pg_temp.runs() WHERE name IN ('none', 'all', 'both');
SELECT count(execreport.end_schedule(schedule_id)) FROM execreport.workflow_schedules WHERE status <> 'ended';

-- overlap
SELECT pg_temp.daily('o_allow', 'latest', 'allow'), pg_temp.daily('o_cancel', 'latest', 'cancel_previous'), pg_temp.daily('o_queue', 'latest', 'queue_one'), pg_temp.daily('o_skip', 'latest', 'skip');
UPDATE execreport._schedules SET run_timeout = '10 days' WHERE tenant_id = 931;
SELECT pg_temp.due('2026-01-01 09:00') AS d1, pg_temp.due('2026-01-02 09:00') AS d2, pg_temp.due('2026-01-03 09:00') AS d3;
SELECT pg_temp.done('o_queue', '2026-01-03 10:00'), pg_temp.due('2026-01-03 10:00') AS queued, pg_temp.done('o_queue', '2026-01-03 11:00'), pg_temp.due('2026-01-03 11:00') AS nothing;
SELECT * FROM pg_temp.runs() WHERE name LIKE 'o!_%' ESCAPE '!';
SELECT count(execreport.end_schedule(schedule_id)) FROM execreport.workflow_schedules WHERE status <> 'ended';

-- pause, resume, run now
SELECT pg_temp.daily('p', 'latest', 'skip');
SELECT execreport.pause_schedule(pg_temp.plan('p'), 'holidays', '2026-01-03 12:00', '2026-01-01 08:30');
SELECT status, pause_reason, paused_until, next_run_at FROM execreport.workflow_schedules WHERE schedule_id = pg_temp.plan('p');
SELECT pg_temp.due('2026-01-02 09:00') AS nothing, execreport.run_schedule_now(pg_temp.plan('p'), '2026-01-02 10:00') IS NOT NULL AS by_hand, pg_temp.done('p', '2026-01-02 11:00');
SELECT pg_temp.due('2026-01-03 12:00') AS over, pg_temp.done('p', '2026-01-03 12:10');
SELECT execreport.pause_schedule(pg_temp.plan('p'), NULL, NULL, '2026-01-03 13:00'), pg_temp.due('2026-01-10 12:00') AS nothing;
SELECT execreport.resume_schedule(pg_temp.plan('p'), '2026-01-10 12:00'), execreport.resume_schedule(pg_temp.plan('none'));
-- it is active at once, with the first run that nobody has made; so there is nothing to resume, and it may be paused again
SELECT status, pause_reason, paused_at, paused_until, next_run_at, execreport.resume_schedule(schedule_id, '2026-01-10 12:00') AS again
  FROM execreport.workflow_schedules WHERE schedule_id = pg_temp.plan('p');
SELECT count(*) AS resumed FROM execreport.audit_logs WHERE entity_type = 'schedule' AND entity_id = pg_temp.plan('p')::text AND action = 'resume';
SELECT execreport.pause_schedule(pg_temp.plan('p'), 'once more', NULL, '2026-01-10 12:00'), execreport.resume_schedule(pg_temp.plan('p'), '2026-01-10 12:00');
SELECT pg_temp.due('2026-01-10 12:00'), pg_temp.done('p', '2026-01-10 12:10');
SELECT * FROM pg_temp.runs() WHERE name = 'p';
SELECT status, pause_reason, paused_until, next_run_at FROM execreport.workflow_schedules WHERE schedule_id = pg_temp.plan('p');
SELECT execreport.change_schedule(pg_temp.plan('p'), '{"frequency": "weekly", "time": "10:00", "timezone": "UTC", "daysOfWeek": [1]}', '2026-01-10 13:00');
SELECT pg_temp.due('2026-01-12 10:00'), pg_temp.done('p', '2026-01-12 10:10');
-- another rule in a pause: the Mondays in it are missed, with the reason; a pause that is over has runs that are due first
SELECT execreport.pause_schedule(pg_temp.plan('p'), 'moving', '2026-02-02 12:00', '2026-01-13 00:00');
SELECT execreport.change_schedule(pg_temp.plan('p'), '{"frequency": "weekly", "time": "11:00", "timezone": "UTC", "daysOfWeek": [1]}', '2026-01-27 00:00');
\set VERBOSITY sqlstate
SELECT execreport.change_schedule(pg_temp.plan('p'), '{"frequency": "weekly", "time": "10:00", "timezone": "UTC", "daysOfWeek": [2]}', '2026-02-03 00:00');
\set VERBOSITY default
SELECT pg_temp.due('2026-02-03 00:00'), pg_temp.done('p', '2026-02-03 00:10');
SELECT * FROM pg_temp.runs() WHERE name = 'p' OFFSET 11;
SELECT count(execreport.end_schedule(schedule_id)) FROM execreport.workflow_schedules WHERE status <> 'ended';

-- failures in a row: paused at the third; after a resume the count begins anew; a success resets it
SELECT pg_temp.daily('f', 'none', 'skip', 3);
SELECT d, pg_temp.due(d), pg_temp.broke('f', d + interval '1 minute') FROM generate_series(timestamptz '2026-01-01 09:00', '2026-01-04 09:00', '1 day') AS d;
SELECT status, pause_reason, consecutive_failures FROM execreport.workflow_schedules WHERE schedule_id = pg_temp.plan('f');
SELECT execreport.resume_schedule(pg_temp.plan('f'), '2026-01-05 08:00'), pg_temp.due('2026-01-05 08:00') AS nothing;
SELECT d, pg_temp.due(d), CASE WHEN d = '2026-01-07 09:00' THEN pg_temp.done('f', d + interval '1 minute') ELSE pg_temp.broke('f', d + interval '1 minute') END
  FROM generate_series(timestamptz '2026-01-05 09:00', '2026-01-09 09:00', '1 day') AS d;
SELECT status, pause_reason, consecutive_failures FROM execreport.workflow_schedules WHERE schedule_id = pg_temp.plan('f');
SELECT * FROM pg_temp.runs() WHERE name = 'f';
SELECT count(execreport.end_schedule(schedule_id)) FROM execreport.workflow_schedules WHERE status <> 'ended';

-- a rule that ends, ends the schedule; a run that is not reported has failed, also when it is the last
SELECT execreport.create_schedule(execreport.create_workflow('once'), '{"frequency": "once", "time": "09:00", "timezone": "UTC", "startDate": "2026-02-01"}',
                                  run_timeout => '2 hours', now => '2026-01-01') IS NOT NULL AS created;
SELECT pg_temp.due('2026-02-01 09:00');
SELECT status, next_run_at, ended_at FROM execreport.workflow_schedules WHERE schedule_id = pg_temp.plan('once');
SELECT pg_temp.due('2026-02-01 11:00');
SELECT * FROM pg_temp.runs() WHERE name = 'once';

-- errors
SELECT execreport.create_schedule('00000000-0000-0000-0000-000000000000', '{"frequency": "daily", "time": "09:00", "timezone": "UTC"}');
SELECT execreport.create_schedule(w.workflow_id, '{"frequency": "daily", "time": "09:00"}') FROM execreport.workflows AS w WHERE name = 'p';
SELECT execreport.create_schedule(w.workflow_id, '{"frequency": "daily", "time": "09:00", "timezone": "UTC"}', catchup => 'some') FROM execreport.workflows AS w WHERE name = 'p';
SELECT execreport.create_schedule(w.workflow_id, '{"frequency": "daily", "time": "09:00", "timezone": "UTC"}', overlap => NULL) FROM execreport.workflows AS w WHERE name = 'p';
SELECT execreport.create_schedule(w.workflow_id, '{"frequency": "daily", "time": "09:00", "timezone": "UTC"}', max_catchup => 0) FROM execreport.workflows AS w WHERE name = 'p';
SELECT execreport.create_schedule(w.workflow_id, '{"frequency": "daily", "time": "09:00", "timezone": "UTC"}', run_timeout => '-1 s') FROM execreport.workflows AS w WHERE name = 'p';
SELECT execreport.create_schedule(w.workflow_id, '{"frequency": "daily", "time": "09:00", "timezone": "UTC"}', pause_after_failures => 0) FROM execreport.workflows AS w WHERE name = 'p';
SELECT execreport.create_schedule(w.workflow_id, '{"frequency": "daily", "time": "09:00", "timezone": "UTC", "endDate": "2020-01-01"}', now => '2026-01-01') FROM execreport.workflows AS w WHERE name = 'p';
SELECT execreport.pause_schedule('00000000-0000-0000-0000-000000000000');
SELECT execreport.pause_schedule(pg_temp.plan('p'), 'x', '2026-01-01', '2026-01-02');
\set VERBOSITY sqlstate
SELECT execreport.run_schedule_now(pg_temp.plan('p'));
\set VERBOSITY default
SELECT execreport.complete_schedule_run('00000000-0000-0000-0000-000000000000');
SELECT execreport.run_due_schedules(NULL);
SELECT execreport.run_due_schedules('infinity');
SELECT execreport.complete_schedule_run('00000000-0000-0000-0000-000000000000', now => NULL);
SELECT execreport.pause_schedule(pg_temp.plan('p'), now => NULL);
SELECT execreport.resume_schedule(pg_temp.plan('p'), NULL);
SELECT execreport.end_schedule(pg_temp.plan('p'), now => NULL);
SELECT pg_temp.daily('again', 'latest', 'skip');
\set VERBOSITY sqlstate
SELECT execreport.change_schedule(pg_temp.plan('again'), '{"frequency": "daily", "time": "10:00", "timezone": "UTC"}', '2026-01-03');
SELECT execreport.run_schedule_now(pg_temp.plan('again'), '2026-01-01 09:00') IS NOT NULL AS made, pg_temp.due('2026-01-01 09:00') AS nothing_more;
SELECT execreport.run_schedule_now(pg_temp.plan('again'), '2026-01-01 09:00');
\set VERBOSITY default
SELECT execreport.run_schedule_now(execreport.create_schedule(w.workflow_id, '{"frequency": "daily", "time": "09:00", "timezone": "UTC"}', now => '2026-01-01'), NULL) FROM execreport.workflows AS w WHERE name = 'p';

-- who may: a viewer reads its own tenant, and makes nothing
CREATE ROLE er_schedule_viewer;
SELECT execreport.grant_access('er_schedule_viewer', 931, 'viewer');
SET ROLE er_schedule_viewer;
SELECT count(*) > 10 AS reads FROM execreport.workflow_schedules;
SELECT execreport.run_due_schedules();
SELECT execreport.end_schedule(schedule_id) FROM execreport.workflow_schedules LIMIT 1;
RESET ROLE;
SET execreport.tenant_id = 1;
SELECT count(*) AS of_another_tenant FROM execreport.workflow_schedules WHERE tenant_id = 931;
SET execreport.tenant_id = 931;
-- every change has its row in the log
SELECT action, count(*) > 0 AS logged FROM execreport.audit_logs WHERE tenant_id = 931 AND entity_type = 'schedule' GROUP BY action ORDER BY action;

SELECT execreport.revoke_access('er_schedule_viewer', 931);
DROP ROLE er_schedule_viewer;
DELETE FROM execreport.schedule_runs WHERE tenant_id = 931;
DELETE FROM execreport._schedules WHERE tenant_id = 931;
DELETE FROM execreport.workflows WHERE tenant_id = 931;
RESET execreport.tenant_id;
