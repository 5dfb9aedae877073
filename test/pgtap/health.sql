-- Health: every component answers, by use, and nothing is left behind; what is broken is a row and no error.
BEGIN;
SELECT plan(28);

-- the rows of every table, the values of every sequence and metric
CREATE FUNCTION pg_temp.census() RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(c.relname || ' ' || (xpath('/row/n/text()', query_to_xml(format(CASE c.relkind WHEN 'S' THEN 'SELECT last_value AS n FROM execreport.%I'
                          ELSE 'SELECT count(*) AS n FROM execreport.%I' END, c.relname), false, true, '')))[1]::text, ', ' ORDER BY c.relname)
           || coalesce((SELECT string_agg(m::text, ', ' ORDER BY m::text) FROM execreport.metrics_rows() AS m WHERE m.name !~ '^execreport_'), '')
      FROM pg_class AS c WHERE c.relnamespace = 'execreport'::regnamespace AND c.relkind IN ('r', 'S') $$;
CREATE TEMP TABLE before AS SELECT pg_temp.census() AS what;

SELECT results_eq($$ SELECT component, status, message, error FROM execreport.check_health() LIMIT 2 $$,
    $$ VALUES ('exec_reports', 'healthy', 'ExecReports functioning normally', NULL), ('master_reports', 'healthy', 'MasterReports functioning normally', NULL) $$, 'reports work, though their flags are off');
SELECT results_eq($$ SELECT metrics -> 'insightsConsolidated', (metrics ->> 'consolidationTime')::numeric BETWEEN 0.001 AND 1000 FROM execreport.check_health() WHERE component = 'master_reports' $$,
    $$ VALUES ('4'::jsonb, true) $$, 'six insights become four, and the time it took is known');
SELECT is_empty($$ SELECT * FROM unnest('{exec_reports,master_reports,flags,metrics,schedules,queue,notifications,guards}'::text[]) AS wanted (name)
    WHERE NOT EXISTS (SELECT FROM execreport.check_health() AS h WHERE h.component = wanted.name AND h.checked_at > now()) $$, 'all components are there');
SELECT is_empty($$ SELECT component, message FROM execreport.check_health() WHERE status NOT IN ('healthy', 'degraded') $$, 'none is unhealthy');
SELECT is(pg_temp.census(), (SELECT what FROM before), 'nothing is left behind: no row, no number, no count');

-- others than superusers
CREATE ROLE er_health_operator; CREATE ROLE er_health_editor;
SELECT execreport.create_tenant(590) IS NOT NULL, execreport.grant_access('er_health_operator', 590, 'operator'), execreport.grant_access('er_health_editor', 590, 'editor');
SELECT execreport.set_kill_switch('execReportsEnabled', true, 'x'), execreport.set_kill_switch('masterReportsEnabled', true, 'x', 590);
SET LOCAL ROLE er_health_operator;
SELECT results_eq($$ SELECT component, status FROM execreport.check_health() LIMIT 2 $$, $$ VALUES ('exec_reports', 'healthy'), ('master_reports', 'healthy') $$, 'an operator checks, whatever is switched off');
SELECT is((SELECT metrics -> 'killSwitches' FROM execreport.check_health() WHERE component = 'flags'), '2'::jsonb, 'and sees the switches of the own tenant');
SET LOCAL ROLE er_health_editor;
SELECT throws_ok('SELECT * FROM execreport.check_health()', '42501');
RESET ROLE;

-- components of one's own; errors, and what takes too long
CREATE FUNCTION execreport._health_test_error(OUT status text, OUT message text, OUT metrics jsonb) LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO execreport.kill_switches (tenant_id, flag) VALUES (590, 'left behind');
    RAISE EXCEPTION 'the disk is full' USING ERRCODE = '53100', DETAIL = 'Really.';
END $$;
CREATE FUNCTION execreport._health_test_slow(OUT status text, OUT message text, OUT metrics jsonb) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_sleep(100);
END $$;
CREATE FUNCTION execreport._health_test_writes(OUT status text, OUT message text, OUT metrics jsonb) LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO execreport.kill_switches (tenant_id, flag) VALUES (590, 'left behind');
    status := 'degraded'; message := 'late'; metrics := '{"lag": 7}';
END $$;
CREATE FUNCTION execreport._health_test_says(OUT status text, OUT message text, OUT error text, OUT metrics jsonb) LANGUAGE sql AS
$$ SELECT 'degraded', 'slow', 'PT000: because of it', NULL::jsonb $$;
SET LOCAL statement_timeout = '1s';
CREATE TEMP TABLE answers AS SELECT * FROM execreport.check_health();
SET LOCAL statement_timeout = 0;
SELECT results_eq($$ SELECT status, message, error, metrics FROM answers WHERE component = 'test_error' $$,
    $$ VALUES ('unhealthy', 'test_error error: the disk is full', '53100: the disk is full; Really.', NULL::jsonb) $$, 'an error is a row, with its SQLSTATE');
SELECT results_eq($$ SELECT status, error FROM answers WHERE component = 'test_slow' $$, $$ VALUES ('unhealthy', '57014: canceling statement due to statement timeout') $$, 'so is a timeout');
SELECT results_eq($$ SELECT status, message, metrics FROM answers WHERE component = 'test_writes' $$, $$ VALUES ('degraded', 'late', '{"lag": 7}'::jsonb) $$, 'those after it are checked');
SELECT results_eq($$ SELECT status, error, metrics FROM answers WHERE component = 'test_says' $$, $$ VALUES ('degraded', 'PT000: because of it', NULL::jsonb) $$, 'a component may say what is wrong');
SELECT is((SELECT count(*) FROM execreport.kill_switches WHERE flag = 'left behind'), 0::bigint, 'what a check writes is rolled back');
SELECT is((SELECT status FROM answers WHERE component = 'exec_reports'), 'healthy', 'and the others are well');
DROP FUNCTION execreport._health_test_slow();

-- the time limit
CREATE FUNCTION pg_temp.canceled(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    RETURN 'no';
EXCEPTION WHEN query_canceled THEN
    RETURN SQLSTATE;
END $$;
SELECT is(pg_temp.canceled('SELECT execreport._limit_time(100), pg_sleep(10)'), '57014', 'a limit stops what takes longer');
SELECT is(pg_temp.canceled('SELECT execreport._restore_time(execreport._limit_time(100)), pg_sleep(0.3)'), 'no', 'until it is taken back');
SET LOCAL statement_timeout = '1s';
SELECT is(pg_temp.canceled('SELECT (SELECT count(*) FROM execreport.check_health()), pg_sleep(10)'), '57014', 'statement_timeout goes on after a check');
SELECT is(pg_temp.canceled('SELECT execreport._limit_time(60000), pg_sleep(10)'), '57014', 'and is not made longer by one');
SET LOCAL statement_timeout = 0;
SELECT throws_ok('SELECT execreport._limit_time(0)', '22023');

-- broken on purpose
ALTER TABLE execreport.exec_reports ADD CONSTRAINT broken CHECK (configuration_id > 0) NOT VALID;
SELECT results_eq($$ SELECT component, status, split_part(error, ':', 1) FROM execreport.check_health() LIMIT 2 $$,
    $$ VALUES ('exec_reports', 'unhealthy', '23514'), ('master_reports', 'unhealthy', '23514') $$, 'reports that cannot be stored are found');
ALTER TABLE execreport.exec_reports DROP CONSTRAINT broken;
ALTER TABLE execreport.master_reports RENAME TO gone;
SELECT results_eq($$ SELECT component, status, split_part(error, ':', 1) FROM execreport.check_health() LIMIT 2 $$,
    $$ VALUES ('exec_reports', 'healthy', NULL), ('master_reports', 'unhealthy', '42P01') $$, 'master reports alone');
ALTER TABLE execreport.gone RENAME TO master_reports;
SELECT results_eq($$ SELECT guard, verdict, outcome FROM execreport.run_guards('2041-06-01 10:01Z') WHERE guard = 'health_check' $$, $$ VALUES ('health_check' COLLATE "C", 'ok', NULL) $$, 'the guard agrees that all is well');
ALTER TABLE execreport.exec_reports ADD CONSTRAINT broken CHECK (configuration_id > 0) NOT VALID;
SELECT results_eq($$ SELECT trigger, action, severity, reason FROM execreport.check_rollback_conditions('2041-06-01 10:02Z') WHERE trigger = 'health_check' $$,
    $$ SELECT 'health_check', 'disable_all_reports', 'critical', 'Health check failed: ' || message FROM execreport.check_health() WHERE component = 'exec_reports' $$, 'or would act at once: it is critical');
SELECT results_eq($$ SELECT verdict, failures, outcome FROM execreport.run_guards('2041-06-01 10:02Z') WHERE guard = 'health_check' $$, $$ VALUES ('breach', 2::bigint, 'rollback') $$, 'and does');

-- work that nobody takes up. 1000 seconds are too long, 900 are not.
DELETE FROM execreport.notifications;
CREATE FUNCTION pg_temp.work() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT concat_ws(' ', component, status, message, metrics) FROM execreport.check_health()
     WHERE component IN ('schedules', 'queue', 'notifications') ORDER BY component $$;
SELECT results_eq('SELECT * FROM pg_temp.work()', ARRAY['notifications healthy notifications are sent {"waiting": 0, "lagSeconds": 0}',
    'queue healthy segments are worked off {"running": 0, "abandoned": 0, "lagSeconds": 0}', 'schedules healthy schedules run in time {"due": 0, "lagSeconds": 0}'], 'there is none');
INSERT INTO execreport._schedules (tenant_id, workflow_id, schedule_config, catchup, catchup_window, max_catchup, overlap, run_timeout, scheduled_through, wake_at)
SELECT 590, execreport._uuid7(), '{}', 'none', '0', 1, 'skip', '1 h', now(), now() - seconds * interval '1 s' FROM unnest('{-1000,900,7}'::integer[]) AS seconds;
INSERT INTO execreport.report_data_segments (tenant_id, collection_id, segment_start, segment_end, status, lease_until)
SELECT 590, '00000000-0000-0000-0000-000000000590', date '2041-01-01' + n::integer, date '2041-01-01' + n::integer, 'running', until
  FROM unnest('{infinity,infinity}'::timestamptz[]) WITH ORDINALITY AS u (until, n);
INSERT INTO execreport.notifications (tenant_id, channel, message, severity, next_try)
SELECT 590, '#alerts', 'x', 'info', now() - seconds * interval '1 s' FROM unnest('{-5,2.25,900}'::numeric[]) AS seconds;
SELECT results_eq('SELECT * FROM pg_temp.work()', ARRAY['notifications healthy notifications are sent {"waiting": 2, "lagSeconds": 900.0}',
    'queue healthy segments are worked off {"running": 2, "abandoned": 0, "lagSeconds": 0}', 'schedules healthy schedules run in time {"due": 2, "lagSeconds": 900.0}'],
    'it is taken up in time; a lease that ends with a statement never ends');
UPDATE execreport._schedules SET wake_at = wake_at - interval '100 s' WHERE tenant_id = 590;
UPDATE execreport.report_data_segments SET lease_until = now() - interval '1000.04 s' WHERE tenant_id = 590 AND segment_start = '2041-01-02';
UPDATE execreport.notifications SET next_try = next_try - interval '100 s' WHERE tenant_id = 590;
SELECT results_eq('SELECT * FROM pg_temp.work()', ARRAY[
    'notifications degraded 3 notifications wait, the oldest for 1000 s: no sender takes them {"waiting": 3, "lagSeconds": 1000.0}',
    'queue degraded the leases of 1 segments ended up to 1000 s ago: no worker takes them over {"running": 2, "abandoned": 1, "lagSeconds": 1000.0}',
    'schedules degraded 2 schedules are due, the oldest for 1000 s: nobody calls tick() {"due": 2, "lagSeconds": 1000.0}'], 'it is not');

SET LOCAL transaction_read_only = on;
SELECT results_eq($$ SELECT component, status, message FROM execreport.check_health() LIMIT 2 $$,
    $$ VALUES ('exec_reports', 'skipped', 'not checked: the transaction is read only'), ('master_reports', 'skipped', 'not checked: the transaction is read only') $$, 'where nothing can be written, it says so');
SELECT * FROM finish();
ROLLBACK;
