-- maintenance: every writer of the application refuses, everything that operates or reads goes on; what tick's steps do.
\set QUIET on
BEGIN;
SET LOCAL client_min_messages = error;
SET LOCAL timezone = 'UTC';
\o /dev/null
SELECT count(execreport.create_tenant(t)) FROM generate_series(566, 568) AS t;
CREATE ROLE er_admin_566;
CREATE ROLE er_operator_566;
SELECT execreport.grant_access('er_admin_566', 566, 'admin'), execreport.grant_access('er_operator_566', 566, 'operator');
\o
SELECT plan(41);

-- What operates the system goes on. A new function that runs with the owner's rights belongs here, or it refuses.
CREATE TEMP TABLE operating (name text PRIMARY KEY);
INSERT INTO operating VALUES
    ('set_maintenance'), ('create_tenant'), ('delete_tenant'), ('grant_access'), ('revoke_access'), ('refresh_access'),
    ('update_flags'), ('update_user_flags'), ('set_kill_switch'),
    ('define_flag'), ('archive_flag'), ('restore_flag'), ('define_segment'), ('drop_segment'), ('refresh_flags'), ('stale_flags'),
    ('check_health'), ('define_guard'), ('drop_guard'), ('run_guards'), ('resume'), ('emergency_rollback'),
    ('predeploy_check'), ('postdeploy_check'),
    ('enable_for_team'), ('enable_for_percentage'), ('enable_by_tenant_size'), ('start_rollout'), ('advance_rollout'), ('hold'),
    ('continue_rollout'), ('abort'), ('schedule_flag_change'), ('request_flag_change'), ('approve_flag_change'),
    ('reject_flag_change'), ('cancel_flag_change'),
    ('claim_notifications'), ('notification_sent'), ('notification_failed'), ('redrive_notifications'),
    -- workers finish what they have
    ('heartbeat_segment'), ('complete_segment'), ('complete_segments'), ('fail_segment'), ('snooze_segment'),
    ('complete_schedule_run'), ('fail_schedule_run'),
    -- the backfill of prompts is done under maintenance
    ('backfill_accepted_prompts'), ('fill_accepted_prompts'), ('revert_backfill');

-- every public function that runs with the owner's rights, called with NULLs; by hand where an argument is looked at first
CREATE TEMP TABLE walk (name text, signature text, answer text);
CREATE FUNCTION pg_temp.walk() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    f record;
BEGIN
    FOR f IN SELECT p.proname::text AS name, p.oid::regprocedure::text AS signature,
                    (SELECT string_agg(CASE p.proname WHEN 'reprocess_backfill' THEN CASE u.n WHEN 2 THEN '''all''' ELSE 'NULL::uuid' END
                                       ELSE format('NULL::%s', format_type(u.t, NULL)) END, ', ' ORDER BY u.n)
                       FROM unnest(p.proargtypes) WITH ORDINALITY AS u (t, n)) AS args
               FROM pg_proc AS p
              WHERE p.pronamespace = 'execreport'::regnamespace AND p.prokind = 'f' AND p.proname NOT LIKE '\_%'
                AND p.prosecdef AND p.provolatile = 'v' AND NOT p.proisstrict
              ORDER BY 2
    LOOP
        BEGIN
            EXECUTE format('SELECT * FROM execreport.%I(%s)', f.name, f.args);
            INSERT INTO walk VALUES (f.name, f.signature, 'passed');
        EXCEPTION WHEN OTHERS THEN
            INSERT INTO walk VALUES (f.name, f.signature, SQLSTATE || ' ' || SQLERRM);
        END;
    END LOOP;
END
$$;

SELECT is(execreport.set_maintenance(true, 'Back at 14:00 UTC'), true, 'engaged everywhere');
SELECT is(execreport.set_maintenance(true, 'Back at 14:00 UTC'), false, 'engaging it again changes nothing');
SELECT pg_temp.walk() \g /dev/null
SELECT is_empty($$ SELECT signature, answer FROM walk WHERE answer <> 'PT503 Back at 14:00 UTC' AND name NOT IN (SELECT name FROM operating) ORDER BY 1 $$,
    'every function that writes for the application refuses with the message');
SELECT is_empty($$ SELECT signature, answer FROM walk WHERE answer LIKE 'PT503%' AND name IN (SELECT name FROM operating) ORDER BY 1 $$,
    'what operates the system goes on');
SELECT is_empty($$ SELECT name FROM operating EXCEPT SELECT name FROM walk ORDER BY 1 $$, 'the list of what operates names nothing that is not there');
SELECT cmp_ok((SELECT count(*) FROM walk WHERE answer LIKE 'PT503%'), '>=', 27::bigint, 'there are writers to refuse');
-- a STRICT one would have answered NULL to the walk, and would have to be looked at another way
SELECT is_empty($$ SELECT p.oid::regprocedure FROM pg_proc AS p WHERE p.pronamespace = 'execreport'::regnamespace AND p.prosecdef
                      AND p.proname NOT LIKE '\_%' AND p.proisstrict AND p.provolatile = 'v' $$, 'no writer is STRICT');
SELECT throws_ok($$ SELECT execreport.record_module_execution(1, 'keyword-gap', '{}') $$, 'PT503', 'Back at 14:00 UTC', 'a writer through a writer');
CREATE FUNCTION pg_temp.refusal() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    d text;
    h text;
BEGIN
    PERFORM execreport.create_workflow('x');
    RETURN 'passed';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS d = PG_EXCEPTION_DETAIL, h = PG_EXCEPTION_HINT;
    RETURN concat_ws('|', SQLSTATE, SQLERRM, d, h);
END
$$;
SELECT is(pg_temp.refusal(), 'PT503|Back at 14:00 UTC|MAINTENANCE|Reading goes on. Try again later; a superuser ends it with execreport.set_maintenance(false).',
    'state, message, detail and hint');
SELECT lives_ok($$ SELECT * FROM execreport.list_collections(); SELECT * FROM execreport.workflow_schedules; SELECT execreport.get_flags(1);
                   SELECT * FROM execreport.poll_events() $$, 'reading goes on');
SELECT lives_ok($$ SELECT execreport.update_flags(566, '{"execReportsEnabled": true}'), execreport.set_kill_switch('execReportsEnabled', true, 'test', 566) $$,
    'flags and kill switches do');
SELECT results_eq('SELECT tenant_id, message, engaged_by FROM execreport.maintenance', $$ VALUES (0, 'Back at 14:00 UTC', 'postgres') $$, 'the view says so');
SET ROLE er_operator_566;
SELECT throws_ok($$ SELECT execreport.create_workflow('x') $$, 'PT503', 'Back at 14:00 UTC', 'a member is refused, too');
SELECT results_eq('SELECT tenant_id, message FROM execreport.maintenance', $$ VALUES (0, 'Back at 14:00 UTC') $$, 'and sees why');
SELECT throws_ok($$ SELECT execreport.set_maintenance(false) $$, '42501', 'only a superuser engages maintenance for every tenant', 'but may not end it');
RESET ROLE;
SELECT is(execreport.set_maintenance(true, 'Back at 15:00 UTC'), true, 'another message is a change');
SELECT is(split_part(pg_temp.refusal(), '|', 2), 'Back at 15:00 UTC', 'and counts at once');
SAVEPOINT s;
SELECT is(execreport.set_maintenance(false), true, 'released');
SELECT is(pg_temp.refusal(), 'passed', 'writing goes on');
ROLLBACK TO s;
SELECT is(split_part(pg_temp.refusal(), '|', 1), 'PT503', 'until that is rolled back');
SELECT is(execreport.set_maintenance(false, 'done'), true, 'released again');
SELECT is(execreport.set_maintenance(false), false, 'once');

-- one tenant
SET ROLE er_operator_566;
SELECT throws_ok($$ SELECT execreport.set_maintenance(true, 'x', 566) $$, '42501', NULL, 'an operator does not engage maintenance of the tenant');
SET ROLE er_admin_566;
SELECT is(execreport.set_maintenance(true, 'Moving', 566), true, 'its admin does');
SELECT throws_ok($$ SELECT execreport.set_maintenance(true, 'x', 567) $$, '42501', NULL, 'not that of another tenant');
SELECT is(pg_temp.refusal(), 'PT503|Moving|MAINTENANCE|Reading goes on. Try again later; an admin ends it with execreport.set_maintenance(false, tenant_id => 566).',
    'writing for the tenant is refused');
RESET ROLE;
SET LOCAL execreport.tenant_id = 567;
SELECT is(pg_temp.refusal(), 'passed', 'writing for another one goes on');
RESET execreport.tenant_id;
SELECT results_eq($$ SELECT entity_id, previous_value ->> 'engaged', new_value ->> 'engaged', new_value ->> 'message', reason FROM execreport.audit_logs
                      WHERE entity_type = 'maintenance' AND tenant_id IN (1, 566) ORDER BY tenant_id, audit_id $$,
    $$ VALUES ('everywhere', 'false', 'true', 'Back at 14:00 UTC', NULL), ('everywhere', 'true', 'true', 'Back at 15:00 UTC', NULL),
              ('everywhere', 'true', 'false', NULL, 'done'), ('566', 'false', 'true', 'Moving', NULL) $$, 'all of it is in the log');
SELECT results_eq($$ SELECT tenant_id, kind FROM execreport.events WHERE topic = 'maintenance' AND tenant_id IN (0, 566) ORDER BY seq $$,
    $$ VALUES (0, 'engaged'), (0, 'engaged'), (0, 'released'), (566, 'engaged') $$, 'and has its events');

-- wrong calls
SELECT throws_ok($$ SELECT execreport.set_maintenance(NULL, 'x') $$, '22004', 'engaged is null', 'neither on nor off');
SELECT throws_ok($$ SELECT execreport.set_maintenance(true) $$, '22004', 'message is null', 'no message');
SELECT throws_ok($$ SELECT execreport.set_maintenance(true, '') $$, '22023', 'message is empty', 'an empty message');
SELECT throws_ok($$ SELECT execreport.set_maintenance(true, repeat('x', 1001)) $$, '22023', 'message has 1001 bytes', 'a message too long');
SELECT throws_ok($$ SELECT execreport.set_maintenance(true, 'x', 0) $$, '22023', 'tenant_id 0 is not a positive number', 'no tenant');

-- tick
SET ROLE er_admin_566;
SELECT throws_ok('CALL execreport.tick()', '25001', 'tick() cannot run inside a transaction block', 'tick stands by itself');
SELECT throws_ok('SELECT execreport._tick_run(''digest'', 0, now())', '42501', NULL, 'and is for superusers');
SELECT is_empty('SELECT * FROM execreport.tick_steps', 'its record, too');
RESET ROLE;
SELECT throws_ok('SELECT * FROM execreport._tick_plan(NULL)', '22023', 'now is null', 'now is needed');
SELECT throws_ok('SELECT * FROM execreport._tick_plan(''infinity'')', '22023', 'now is infinity', 'now is finite');
SELECT throws_ok('SELECT execreport.install_cron_jobs()', '55000', format('pg_cron is not installed in database "%s"', current_database()), 'no pg_cron here');
SELECT throws_ok('SELECT execreport.remove_cron_jobs()', '55000', NULL, 'nothing to remove');

SELECT * FROM finish();
ROLLBACK;
