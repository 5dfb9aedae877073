-- rollout_guards: an automatic rollout under the real guards and metrics, minute by minute: it walks when all is well, waits when there
-- is too little to see, and stops when a guard has turned the feature off.
BEGIN;
SELECT plan(14);
SELECT execreport._metrics_available() AS available \gset
\if :available
DELETE FROM execreport.guard_verdicts;
DELETE FROM execreport._guards;
DELETE FROM execreport.flag_latches;
DELETE FROM execreport.notifications;
SELECT count(*) FROM generate_series(520, 539) AS i, LATERAL execreport.create_tenant(i, NULL, (ARRAY['small', 'medium', 'large'])[1 + i % 3]) \g /dev/null
CREATE TEMP TABLE entered (run integer, phase text, at timestamptz, status text);
CREATE FUNCTION pg_temp.minutes(run integer, first timestamptz, many integer, good integer, bad integer, tenant integer DEFAULT 521) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    minute timestamptz;
BEGIN
    FOR n IN 0 .. many - 1 LOOP
        minute := first + n * interval '1 minute';
        PERFORM execreport._metric_add(tenant, 'exec_reports_created_total', '{"module_id": "m", "success": "true"}', good, minute) WHERE good > 0;
        PERFORM execreport._metric_add(tenant, 'exec_reports_created_total', '{"module_id": "m", "success": "false"}', bad, minute) WHERE bad > 0;
        minute := minute + interval '1 minute';     -- the minute is over: what tick() does then
        PERFORM count(*) FROM execreport.run_guards(minute);
        PERFORM execreport._advance_due_rollouts(minute);
        INSERT INTO entered
        SELECT minutes.run, s.phase, minute, r.status FROM execreport.rollouts AS r JOIN execreport.rollout_stages AS s USING (rollout, stage)
         WHERE r.rollout = 'reports' AND NOT EXISTS (SELECT FROM entered AS e WHERE e.run = minutes.run AND e.phase = s.phase AND e.status = r.status);
    END LOOP;
    RETURN (SELECT phase || ' ' || status FROM execreport.rollouts AS r JOIN execreport.rollout_stages USING (rollout, stage) WHERE r.rollout = 'reports');
END
$$;

-- 1. All is well: 10 reports a minute, every 20th fails.
SELECT execreport.start_rollout(users => '{ana}', automatic => true, now => '2041-09-01 10:00Z') \g /dev/null
SELECT is(pg_temp.minutes(1, '2041-09-01 10:00Z', 120, 19, 1), '100percent completed', 'under healthy traffic it walks to its end');
SELECT results_eq($$ SELECT phase, to_char(at AT TIME ZONE 'UTC', 'HH24:MI') FROM entered WHERE run = 1 ORDER BY at $$,
    $$ VALUES ('5percent', '10:01'), ('small', '10:16'), ('25percent', '10:46'), ('50percent', '11:16'), ('100percent', '11:46') $$,
    'each phase as soon as its time is over, and no sooner');
SELECT is((SELECT count(*)::integer FROM execreport.audit_logs WHERE action = 'advance_rollout' AND entity_type = 'rollout' AND created_at = now()), 5,
    'one record a step, though it was asked every minute');

-- 2. Hardly any traffic: too little data holds, and is told once.
SELECT execreport.abort() \g /dev/null
SET LOCAL execreport.rollout_max_hold = '30min';
SELECT execreport.start_rollout(users => '{ana}', automatic => true, now => '2041-09-01 13:00Z') \g /dev/null
SELECT is(pg_temp.minutes(2, '2041-09-01 13:00Z', 55, 1, 0), '5percent running', 'five reports in a window are not enough to go on');
SELECT is((SELECT count(*)::integer FROM execreport.notifications WHERE message LIKE 'rollout reports has been waiting%'), 1, 'somebody is told, once');
SELECT matches((SELECT waits_for FROM execreport.rollout_status('2041-09-01 13:55Z') LIMIT 1), '^no guard has said ok since 2041', 'the status says why');
SELECT is(pg_temp.minutes(2, '2041-09-01 13:55Z', 6, 19, 1), 'small running', 'a good window lets it go on');

-- 3. Half of the reports of a tenant fail: the guard turns the feature off there, and the rollout stops.
SELECT is(pg_temp.minutes(3, '2041-09-01 14:01Z', 35, 5, 5), 'small held', 'a breach stops it');
SELECT results_eq($$ SELECT tenant_id, flag FROM execreport.kill_switches WHERE tenant_id BETWEEN 520 AND 539 $$, $$ VALUES (521, 'execReportsEnabled' COLLATE "C") $$,
    'the guard has turned the feature off in that tenant');
SELECT matches((SELECT reason FROM execreport.rollouts WHERE rollout = 'reports'), 'kill switch of execReportsEnabled is engaged in tenant 521', 'the hold says why');
SELECT execreport.resume('execReportsEnabled', 'fixed', 521, '2041-09-01 14:40Z') \g /dev/null
SELECT is(pg_temp.minutes(4, '2041-09-01 14:40Z', 40, 19, 1), 'small held', 'it does not go on by itself when the switch is released');
SELECT execreport.continue_rollout(now => '2041-09-01 15:20Z') \g /dev/null
SELECT is(pg_temp.minutes(5, '2041-09-01 15:20Z', 29, 19, 1), 'small running', 'somebody lets it go on: its minimum counts anew');
SELECT is(pg_temp.minutes(5, '2041-09-01 15:49Z', 1, 19, 1), '25percent running', 'and then it goes on');
SELECT throws_ok($$ SELECT execreport.advance_rollout(now => '2041-09-01 15:51Z') $$, '55000', NULL, 'a person has to wait as long as the machine');
\else
SELECT skip('execreport is not preloaded', 14);
\endif
SELECT * FROM finish();
ROLLBACK;
