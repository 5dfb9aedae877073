-- maintenance: what the steps of tick do. Other capabilities' functions that a step asks are replaced by ones that answer what the
-- test wants.
\set QUIET on
BEGIN;
SET LOCAL client_min_messages = error;
SET LOCAL timezone = 'UTC';
\o /dev/null
SELECT count(execreport.create_tenant(t)) FROM generate_series(570, 572) AS t;
DELETE FROM execreport.notifications;
DELETE FROM execreport.tick_steps;
SELECT setval('execreport._notification_ids', 1, false);
DO $$
DECLARE
    f record;
BEGIN
    FOR f IN SELECT p.oid::regprocedure AS signature, p.proname FROM pg_proc AS p
              WHERE p.pronamespace = 'execreport'::regnamespace AND p.proname IN ('check_health', 'rollout_status') LOOP
        EXECUTE format('ALTER FUNCTION %s RENAME TO %I', f.signature, f.proname || ' itself');
    END LOOP;
    ALTER TABLE IF EXISTS execreport.guard_verdicts RENAME TO "guard_verdicts itself";
END
$$;
CREATE TABLE answers (component text, status text, message text, checked_at timestamptz, error text, metrics jsonb);
CREATE FUNCTION execreport.check_health() RETURNS SETOF answers LANGUAGE sql AS 'SELECT * FROM public.answers';
CREATE FUNCTION execreport.rollout_status() RETURNS TABLE (phase text, share numeric) LANGUAGE sql AS $$ SELECT 'canary', 5.0 $$;
CREATE TABLE execreport.guard_verdicts (tenant_id integer, guard text, window_start timestamptz, verdict text);
CREATE FUNCTION pg_temp.tick(step text, now timestamptz, unit integer DEFAULT 0) RETURNS text LANGUAGE sql AS
    $$ SELECT execreport._tick_run(step, unit, now) $$;
CREATE FUNCTION pg_temp.told() RETURNS SETOF text LANGUAGE sql AS $$
    WITH gone AS (DELETE FROM execreport.notifications RETURNING *)
    SELECT concat_ws(' ', channel, severity, message) FROM gone ORDER BY notification_id $$;
\o
SELECT plan(46);

-- health: changes are told once, a minute apart
INSERT INTO answers VALUES ('storage', 'healthy', 'fine'), ('consolidation', 'healthy', 'fine');
SELECT is(pg_temp.tick('health', '2030-01-01 00:00:00'), 'ok', 'a healthy system');
SELECT is_empty('SELECT pg_temp.told()', 'is no news');
UPDATE answers SET status = 'unhealthy', message = 'no space', error = '53100' WHERE component = 'storage';
SELECT is(pg_temp.tick('health', '2030-01-01 00:00:54'), 'ok', 'within a minute');
SELECT is_empty('SELECT pg_temp.told()', 'nobody looks again');
SELECT is(pg_temp.tick('health', '2030-01-01 00:00:55'), 'ok', 'a minute later');
SELECT is((SELECT details - 'checkedAt' FROM execreport.notifications), '{"component": "storage", "status": "unhealthy", "before": "healthy", "error": "53100"}',
    'with its details');
SELECT results_eq('SELECT pg_temp.told()', $$ VALUES ('#health critical storage is unhealthy: no space') $$, 'what has become unhealthy is told');
SELECT is(pg_temp.tick('health', '2030-01-01 00:02:00'), 'ok', 'and again a minute later');
SELECT is_empty('SELECT pg_temp.told()', 'it is known by now');
UPDATE answers SET status = 'degraded', message = 'slow';
SELECT is(pg_temp.tick('health', '2030-01-01 00:03:00'), 'ok', 'two changes');
SELECT set_eq('SELECT pg_temp.told()', $$ VALUES ('#health high storage is degraded: slow'), ('#health high consolidation is degraded: slow') $$, 'are both told');
UPDATE answers SET status = 'healthy', message = 'fine';
SELECT is(pg_temp.tick('health', '2030-01-01 00:04:00'), 'ok', 'well again');
SELECT set_eq('SELECT pg_temp.told()', $$ VALUES ('#health info storage is healthy: fine'), ('#health info consolidation is healthy: fine') $$, 'is news, too');

-- whoever stops the writing, somewhere or everywhere, does not stop the watching
SELECT execreport.set_maintenance(true, 'moving', 1) \g /dev/null
UPDATE answers SET status = 'unhealthy', message = 'gone';
SELECT is(pg_temp.tick('health', '2030-01-01 00:05:00'), 'ok', 'in maintenance');
SELECT results_eq('SELECT count(*) FROM pg_temp.told()', $$ VALUES (2::bigint) $$, 'it is told as ever');
SELECT execreport.set_maintenance(false, NULL, 1) \g /dev/null
DELETE FROM execreport.notifications;

-- the record of a step
SELECT results_eq('SELECT last_result, last_count, error, failing_since, runs, failures, last_seconds >= 0, last_finished_at >= last_started_at FROM execreport.tick_steps WHERE step = ''health''',
    $$ VALUES ('ok', 2::bigint, NULL, NULL::timestamptz, 7::bigint, 0::bigint, true, true) $$, 'how often, with what, for how long');
DROP FUNCTION execreport.check_health();
SELECT is(pg_temp.tick('health', '2030-01-01 00:07:00'), 'failed', 'a step that cannot be done fails');
SELECT is(pg_temp.tick('health', '2030-01-01 00:08:00'), 'failed', 'again');
SELECT results_eq('SELECT last_result, error LIKE ''42883: %check_health%'', failing_since IS NOT NULL, runs, failures, last_ok_at IS NOT NULL FROM execreport.tick_steps WHERE step = ''health''',
    $$ VALUES ('failed', true, true, 9::bigint, 2::bigint, true) $$, 'which is recorded');
SELECT results_eq('SELECT pg_temp.told()', $$ VALUES ('#engineering high tick: step health fails') $$, 'and told once');
SELECT is(pg_temp.tick('nosuch', '2030-01-01'), 'failed', 'an unknown step fails as well');
SELECT is(current_setting('execreport.tenant_id') || current_setting('lock_timeout'), '00', 'a step leaves no settings behind');
DELETE FROM execreport.notifications;

-- the digest
DELETE FROM execreport.tick_steps WHERE step = 'nosuch';
INSERT INTO execreport.guard_verdicts SELECT 570, 'error_rate', '2030-03-01 00:00+00'::timestamptz + i * interval '5 minutes', CASE WHEN i < 5 THEN 'breach' ELSE 'ok' END
  FROM generate_series(-10, 400) AS i;
\o /dev/null
INSERT INTO execreport.audit_logs (tenant_id, action, entity_type, entity_id, reason, created_at) VALUES
    (570, 'rollback', 'feature_flag', 'x', 'early', '2030-02-28 23:59:59+00'), (570, 'rollback', 'feature_flag', 'x', 'breach', '2030-03-01 00:00+00'),
    (571, 'emergency_rollback', 'feature_flag', 'y', 'by hand', '2030-03-01 23:59:59+00'), (570, 'rollback', 'feature_flag', 'x', 'late', '2030-03-02 00:00+00'),
    (570, 'update_flags', 'feature_flag', 'x', 'other', '2030-03-01 12:00+00');
INSERT INTO execreport.notifications (tenant_id, channel, message, severity, state, next_try, created_at) VALUES
    (570, '#alerts', 'x', 'info', 'held', NULL, '2030-03-01 10:00+00'), (570, '#alerts', 'x', 'info', 'held', NULL, '2030-03-01 10:00+00'),
    (570, '#alerts', 'x', 'info', 'sent', NULL, '2030-03-01 10:00+00'), (570, '#alerts', 'x', 'info', 'held', NULL, '2030-03-02 10:00+00');
\o
SELECT is(pg_temp.tick('digest', '2030-03-02 00:00+00'), 'ok', 'the digest of a day that is over');
SELECT is(message, 'Digest of 2030-03-01: 2 rollbacks, 2 notifications held back, 1 steps of tick failing', 'says in short') FROM execreport.notifications WHERE tenant_id = 0;
SELECT is((SELECT jsonb_path_query_array(details, '$.rollbacks[*].reason') FROM execreport.notifications WHERE tenant_id = 0), '["breach", "by hand"]', 'its rollbacks, with both ends of the day');
SELECT is((SELECT details -> 'guardVerdicts' FROM execreport.notifications WHERE tenant_id = 0), '{"error_rate": {"breach": 5, "ok": 283}}', 'the verdicts of its 288 windows');
SELECT is((SELECT details -> 'notifications' FROM execreport.notifications WHERE tenant_id = 0), '{"held": 2, "sent": 1}', 'its notifications');
SELECT is((SELECT details -> 'rollouts' FROM execreport.notifications WHERE tenant_id = 0), '[{"phase": "canary", "share": 5.0}]', 'the rollouts as they are');
SELECT is((SELECT array_agg(k) FROM execreport.notifications, jsonb_object_keys(details -> 'failingSteps') AS k WHERE tenant_id = 0), '{health}', 'and what fails');
SET LOCAL DateStyle = 'German, DMY';
SELECT is(pg_temp.tick('digest', '2030-03-02 23:59:59+00'), 'ok', 'later that day, in a session that writes dates in another way');
RESET DateStyle;
SELECT is((SELECT count(*) FROM execreport.notifications WHERE tenant_id = 0), 1::bigint, 'there is no other');
SELECT is(pg_temp.tick('digest', '2030-03-03 00:00+00'), 'ok', 'the next day');
SELECT is((SELECT count(*) FROM execreport.notifications WHERE tenant_id = 0), 2::bigint, 'there is');

-- schedules and leases are done for each tenant
\o /dev/null
SET LOCAL execreport.tenant_id = 571;
SELECT execreport.create_schedule(execreport.create_workflow('steps'), '{"frequency": "daily", "time": "09:00", "timezone": "UTC"}', now => '2030-01-01') AS schedule_id \gset
RESET execreport.tenant_id;
\o
SELECT results_eq($$ SELECT step, unit FROM execreport._tick_plan('2030-01-01 09:00') WHERE step = 'schedules' $$, $$ VALUES ('schedules', 571) $$, 'a schedule that is due');
SELECT is(pg_temp.tick('schedules', '2030-01-01 09:00', 571), 'ok', 'is run');
SELECT results_eq($$ SELECT e.kind, e.key::uuid, e.payload ->> 'scheduleId', e.payload ->> 'runNumber' FROM execreport.events AS e WHERE e.tenant_id = 571 AND e.topic = 'schedules' $$,
    format($$ SELECT 'run', run_id, %L, '1' FROM execreport.schedule_runs WHERE tenant_id = 571 $$, :'schedule_id'), 'and whoever does the run hears of it');
SELECT is_empty($$ SELECT FROM execreport._tick_plan('2030-01-02 08:59') WHERE step = 'schedules' $$, 'nothing more is due');
SELECT is((SELECT count(*) FROM execreport._tick_plan('2030-01-02 08:59') WHERE step NOT IN ('schedules', 'leases')), 12::bigint, 'the other steps always are');

-- runs that are over stay for 90 days: 0 missed, 1 completed, 2 running, 3 made by hand for an instant to come
\o /dev/null
SET LOCAL execreport.tenant_id = 571;
SELECT execreport.complete_schedule_run(run_id, now => '2030-01-01 10:00') FROM execreport.schedule_runs WHERE tenant_id = 571;
SELECT * FROM execreport.run_due_schedules('2030-01-02 09:00');
INSERT INTO execreport.schedule_runs (tenant_id, schedule_id, run_number, scheduled_at, status, reason, created_at) VALUES (571, :'schedule_id', 0, '2030-01-01 09:01', 'missed', 'late', '2030-01-01 09:01');
SELECT execreport.run_schedule_now(:'schedule_id', '2030-01-03 09:00') AS by_hand \gset
SELECT execreport.complete_schedule_run(:'by_hand', now => '2030-01-03 09:01');
RESET execreport.tenant_id;
CREATE FUNCTION pg_temp.runs() RETURNS integer[] LANGUAGE sql AS $$ SELECT array_agg(run_number ORDER BY run_number) FROM execreport.schedule_runs WHERE tenant_id = 571 $$;
\o
SELECT is(pg_temp.tick('expire_runs', '2030-04-01 09:01') || pg_temp.runs()::text, 'ok{0,1,2,3}', 'not earlier than they were over');
SELECT is(pg_temp.tick('expire_runs', '2030-04-01 10:00') || pg_temp.runs()::text, 'ok{1,2,3}', 'what was missed was over when it was recorded');
SELECT is(pg_temp.tick('expire_runs', '2030-04-01 10:00:01') || pg_temp.runs()::text, 'ok{2,3}', 'then they go');
SELECT is(pg_temp.tick('expire_runs', '2033-01-01') || pg_temp.runs()::text, 'ok{2,3}', 'but not what still runs, nor what keeps an occurrence from being made twice');
SET LOCAL execreport.tenant_id = 571;
SELECT is_empty($$ SELECT FROM execreport.run_due_schedules('2030-01-01 12:00') $$, 'what is gone is not made again');
SELECT is((SELECT count(*) FROM execreport.run_due_schedules('2030-01-03 09:00')), 0::bigint, 'neither is the one made by hand');
RESET execreport.tenant_id;
SET LOCAL execreport.schedule_run_retention = '30d';
SELECT is(execreport._expire_runs('2033-01-01', 1), 1::bigint, 'in batches');
SELECT is(pg_temp.runs(), '{3}', 'the oldest first');

SELECT * FROM finish();
ROLLBACK;
