-- Rollback: what a decision does, once and for whom; latch, cooldown, dry run; emergencies. Windows of 2041.
BEGIN;
SELECT plan(75);
CREATE FUNCTION pg_temp.report_epoch(tenant integer) RETURNS bigint LANGUAGE sql AS
    $$ SELECT coalesce(sum(epoch), 0)::bigint FROM execreport.report_epochs WHERE tenant_id IN (0, tenant) $$;
SELECT execreport.reset_metrics() IS NOT NULL AS reset;    -- what others recorded, in other years, is out of the way

SELECT execreport.create_tenant(t) IS NOT NULL FROM generate_series(580, 589) AS t;
SELECT execreport.update_flags(t, '{"execReportsEnabled": true, "masterReportsEnabled": true, "reportsApiEnabled": true}') IS NOT NULL FROM generate_series(580, 589) AS t;
SELECT execreport.define_guard('health_check', '{"enabled": false}') IS NOT NULL;
SET LOCAL execreport.user_id = 'night watch';

CREATE FUNCTION pg_temp.calls(tenant integer, good integer, bad integer, at timestamptz) RETURNS void LANGUAGE sql AS $$
    SELECT execreport._metric_add(tenant, 'exec_reports_created_total', '{"module_id": "m", "success": "true"}', good, at),
           execreport._metric_add(tenant, 'exec_reports_created_total', '{"module_id": "m", "success": "false"}', bad, at);
$$;
CREATE FUNCTION pg_temp.outcomes(at timestamptz) RETURNS TABLE (t integer, v text, o text) LANGUAGE sql AS $$
    SELECT tenant_id, verdict, outcome FROM execreport.run_guards(at) WHERE guard = 'error_rate' ORDER BY tenant_id $$;
CREATE VIEW notices AS SELECT tenant_id, channel, severity, message, details FROM execreport.notifications WHERE channel = '#alerts' AND severity <> 'info' AND tenant_id IN (0, 580, 581, 582, 583);
CREATE VIEW trail AS SELECT * FROM execreport.audit_logs WHERE action = 'rollback' AND entity_type = 'feature_flag';

-- 1. one tenant, two windows
SELECT pg_temp.calls(580, 30, 10, '2041-05-01 10:00Z'), pg_temp.calls(581, 40, 0, '2041-05-01 10:00Z');
SELECT results_eq($$ SELECT * FROM pg_temp.outcomes('2041-05-01 10:05:10Z') $$, $$ VALUES (0, 'ok', NULL), (580, 'breach', NULL), (581, 'ok', NULL) $$, 'the first window: nothing is done');
SELECT is_empty($$ SELECT * FROM execreport.run_guards('2041-05-01 10:06:10Z') $$, 'a window is judged once');
SELECT pg_temp.calls(580, 30, 12, '2041-05-01 10:05Z'), pg_temp.calls(581, 40, 0, '2041-05-01 10:05Z');
SELECT results_eq($$ SELECT * FROM pg_temp.outcomes('2041-05-01 10:10:10Z') $$, $$ VALUES (0, 'ok', NULL), (580, 'breach', 'rollback'), (581, 'ok', NULL) $$, 'the second: a rollback');
SELECT is(execreport.is_flag_enabled(580, 'execReportsEnabled'), false, 'its exec reports are off');
SELECT ok(execreport.is_flag_enabled(580, 'masterReportsEnabled') AND execreport.is_flag_enabled(581, 'execReportsEnabled'), 'nothing else is');
SELECT results_eq($$ SELECT tenant_id, user_id, entity_id, previous_value, new_value, reason, metadata - '{windowStart,bound}'::text[] FROM trail $$,
    $$ VALUES (580, 'night watch', 'execReportsEnabled', '{"execReportsEnabled": true}'::jsonb, '{"execReportsEnabled": false}'::jsonb, 'Error rate 0.2857 exceeds threshold 0.1',
        '{"kind": "error_rate", "rate": 0.285714, "flags": ["execReportsEnabled"], "guard": "error_rate", "scope": "tenant", "action": "disable_exec_reports", "dryRun": false,
          "samples": 42, "failures": 12, "breaches": 2, "severity": "high", "tenantId": 580, "threshold": 0.1, "confidence": 0.95, "consecutive": 2, "killSwitches": ["execReportsEnabled"],
          "windowSeconds": 300.000000}'::jsonb) $$, 'one audit row: who, before, after, why, and the figures');
SELECT is((SELECT (metadata ->> 'bound')::double precision FROM trail), round(execreport.wilson_lower_bound(12, 42)::numeric, 6)::double precision, 'with the bound');
SELECT results_eq('SELECT tenant_id, severity, message FROM notices', $$ VALUES (580, 'high', 'ExecReports disabled due to issues in tenant 580: Error rate 0.2857 exceeds threshold 0.1') $$, 'one notification');
SELECT results_eq($$ SELECT tenant_id, kind, key, payload FROM execreport.events WHERE topic = 'flags' AND kind LIKE 'rollback%' $$,
    $$ VALUES (580, 'rollback', 'error_rate', '{"flags": ["execReportsEnabled"], "action": "disable_exec_reports", "severity": "high"}'::jsonb) $$, 'one event');
SELECT is((SELECT doubtful_since FROM execreport.report_epochs WHERE tenant_id = 580), '2041-05-01 10:00Z'::timestamptz, 'reports since the first bad window are doubtful');
SELECT is(ARRAY[pg_temp.report_epoch(580), pg_temp.report_epoch(581)], '{1,0}'::bigint[], 'and those of the tenant are not reused');
-- requests that were under way still fail: nothing more is done
SELECT pg_temp.calls(580, 0, 30, '2041-05-01 10:10Z'), pg_temp.calls(580, 0, 30, '2041-05-01 10:15Z');
SELECT results_eq($$ SELECT * FROM pg_temp.outcomes('2041-05-01 10:15:10Z') WHERE t > 0 $$, $$ VALUES (580, 'discarded', NULL) $$, 'a window that began before the rollback does not count');
SELECT results_eq($$ SELECT * FROM pg_temp.outcomes('2041-05-01 10:20:10Z') WHERE t > 0 $$, $$ VALUES (580, 'breach', NULL) $$, 'no second decision while it goes on');
SELECT is((SELECT count(*) FROM notices), 1::bigint, 'and no second notification');

-- 2. the latch, and what comes after it
SELECT is(execreport._cooldown_until('execReportsEnabled'), '2041-05-01 10:40:10Z'::timestamptz, 'a rollback in a tenant holds a rollout for the cooldown');
SELECT throws_ok($$ SELECT execreport.resume('execReportsEnabled', 'for good', 580, 'infinity') $$, '22023', 'now is infinity', 'not so that guards never count again');
SELECT is(execreport.resume('execReportsEnabled', 'fixed', 580, '2041-05-01 11:02Z'), true, 'a person ends it');
SELECT is(execreport.is_flag_enabled(580, 'execReportsEnabled'), true, 'it is on again');
SELECT is(execreport.resume('execReportsEnabled', 'fixed', 580), false, 'once');
SELECT is(execreport._cooldown_until('execReportsEnabled'), '2041-05-01 11:32Z'::timestamptz, 'the cooldown begins');
SELECT results_eq($$ SELECT previous_value, new_value, reason, metadata ->> 'rolledBackFor' FROM execreport.audit_logs WHERE action = 'resume' $$,
    $$ VALUES ('{"execReportsEnabled": false}'::jsonb, '{"execReportsEnabled": true}'::jsonb, 'fixed', 'Error rate 0.2857 exceeds threshold 0.1') $$, 'and is audited');
SELECT pg_temp.calls(580, 0, 30, '2041-05-01 11:01Z');
SELECT results_eq($$ SELECT * FROM pg_temp.outcomes('2041-05-01 11:05:10Z') WHERE t > 0 $$, $$ VALUES (580, 'discarded', NULL) $$, 'a window that began before does not count');
SELECT pg_temp.calls(580, 0, 30, '2041-05-01 11:06Z');
SELECT results_eq($$ SELECT * FROM pg_temp.outcomes('2041-05-01 11:10:10Z') WHERE t > 0 $$, $$ VALUES (580, 'breach', NULL) $$, 'the guard counts from the beginning');
SELECT pg_temp.calls(580, 0, 30, '2041-05-01 11:11Z');
SELECT results_eq($$ SELECT * FROM pg_temp.outcomes('2041-05-01 11:15:10Z') WHERE t > 0 $$, $$ VALUES (580, 'breach', 'rollback') $$, 'and acts again');
SELECT is((SELECT count(*) FROM trail), 2::bigint, 'with an audit row of its own');
SELECT execreport.set_kill_switch('execReportsEnabled', false, 'by hand', 580);
SELECT count(*) FROM execreport.run_guards('2041-05-01 11:20:10Z');
SELECT is((SELECT resumed_at FROM execreport.flag_latches WHERE tenant_id = 580), '2041-05-01 11:20:10Z'::timestamptz, 'a switch released by hand ends a rollback, too');

-- 3. escalation: three tenants at once
DELETE FROM execreport.notifications WHERE tenant_id IN (0, 580); DELETE FROM execreport.audit_logs WHERE action = 'rollback';
SELECT pg_temp.calls(t, 20, 20, '2041-05-02 10:00Z'), pg_temp.calls(t, 20, 20, '2041-05-02 10:05Z') FROM unnest('{581,582}'::integer[]) AS t;
SELECT pg_temp.calls(583, 20, 20, '2041-05-02 10:05Z');
SELECT count(*) FROM execreport.run_guards('2041-05-02 10:05:01Z');
SELECT results_eq($$ SELECT * FROM pg_temp.outcomes('2041-05-02 10:10:01Z') $$,
    $$ VALUES (0, 'insufficient', 'rollback'), (581, 'breach', 'superseded'), (582, 'breach', 'superseded'), (583, 'breach', NULL) $$, 'two fire, a third breaches in the same window: everywhere');
SELECT is(execreport.is_flag_enabled(589, 'execReportsEnabled'), false, 'off everywhere');
SELECT results_eq($$ SELECT entity_id, previous_value, new_value, reason, metadata -> 'scope', metadata -> 'tenants' FROM trail $$,
    $$ VALUES ('execReportsEnabled', '{"execReportsEnabled": true}'::jsonb, '{"execReportsEnabled": false}'::jsonb, 'Error rate 0.5000 exceeds threshold 0.1 in 3 tenants', '"everywhere"'::jsonb, '3'::jsonb) $$, 'one audit row');
SELECT results_eq('SELECT tenant_id, severity FROM notices', $$ VALUES (0, 'high') $$, 'one notification, for everybody');
SELECT is(execreport._cooldown_until('execReportsEnabled'), 'infinity'::timestamptz, 'no rollout while it is off everywhere');
SELECT ok(pg_temp.report_epoch(589) = 1, 'no report is reused anywhere');

-- 4. already off: noop
DELETE FROM execreport.notifications WHERE tenant_id IN (0, 580); DELETE FROM execreport.audit_logs WHERE action = 'rollback';
SELECT execreport.resume('execReportsEnabled', 'fixed', NULL, '2041-05-03 09:59Z'), execreport.set_kill_switch('execReportsEnabled', true, 'somebody was quicker', 582);
SELECT pg_temp.calls(582, 0, 40, '2041-05-03 10:00Z'), pg_temp.calls(582, 0, 40, '2041-05-03 10:05Z');
SELECT count(*) FROM execreport.run_guards('2041-05-03 10:05:01Z');
SELECT results_eq($$ SELECT * FROM pg_temp.outcomes('2041-05-03 10:10:01Z') WHERE t > 0 $$, $$ VALUES (582, 'breach', 'noop') $$, 'nothing to turn off');
SELECT is((SELECT count(*) FROM notices) + (SELECT count(*) FROM trail), 0::bigint, 'so nobody is told');
SELECT execreport.set_kill_switch('execReportsEnabled', false, 'x', 582);

-- 5. dry run: everything but the change
SELECT execreport.define_guard('error_rate', '{"dryRun": true}') IS NOT NULL;
SELECT pg_temp.calls(581, 0, 40, '2041-05-04 10:00Z'), pg_temp.calls(581, 0, 40, '2041-05-04 10:05Z'), pg_temp.calls(581, 0, 40, '2041-05-04 10:10Z'),
       pg_temp.calls(581, 40, 0, '2041-05-04 10:15Z'), pg_temp.calls(581, 37, 3, '2041-05-04 10:20Z'), pg_temp.calls(581, 40, 0, '2041-05-04 10:25Z'),
       pg_temp.calls(581, 40, 0, '2041-05-04 10:30Z'), pg_temp.calls(581, 0, 40, '2041-05-04 10:35Z'), pg_temp.calls(581, 0, 40, '2041-05-04 10:40Z');
SELECT results_eq($$ SELECT o.v, o.o FROM generate_series('2041-05-04 10:05Z'::timestamptz, '2041-05-04 10:45Z', '5 min') AS m, LATERAL pg_temp.outcomes(m) AS o WHERE o.t = 581 ORDER BY m $$,
    $$ VALUES ('breach', NULL), ('breach', 'dry_run'), ('breach', NULL), ('ok', NULL), ('ok', NULL), ('ok', NULL), ('ok', NULL), ('breach', NULL), ('breach', 'dry_run') $$,
    'it fires again only after two windows in a row that have recovered');
SELECT is(execreport.is_flag_enabled(581, 'execReportsEnabled'), true, 'the flag stays on');
SELECT results_eq($$ SELECT count(*), bool_and((metadata -> 'dryRun')::boolean), bool_and(previous_value = new_value) FROM trail $$, $$ VALUES (2::bigint, true, true) $$, 'it is audited');
SELECT results_eq('SELECT DISTINCT message FROM notices', $$ VALUES ('[dry run] ExecReports disabled due to issues in tenant 581: Error rate 1.0000 exceeds threshold 0.1') $$, 'and told');
SELECT execreport.drop_guard('error_rate');

-- 6. the widest action wins, as severe as the worst it stands for
DELETE FROM execreport.notifications WHERE tenant_id IN (0, 581); DELETE FROM execreport.audit_logs WHERE action = 'rollback';
CREATE FUNCTION execreport._health_test_heart(OUT status text, OUT message text, OUT metrics jsonb) LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'it does not beat' USING ERRCODE = '58030';
END $$;
SELECT execreport.define_guard('heart', '{"kind": "health_check", "components": ["test_heart"], "action": "disable_all_reports", "severity": "medium", "consecutive": 2, "window": 5}') IS NOT NULL;
SELECT pg_temp.calls(580, 20, 20, '2041-05-05 10:00Z'), pg_temp.calls(580, 20, 20, '2041-05-05 10:05Z');
SELECT count(*) FROM execreport.run_guards('2041-05-05 10:05:01Z');
SELECT results_eq($$ SELECT trigger, action, severity, reason FROM execreport.check_rollback_conditions('2041-05-05 10:10:01Z') $$,
    $$ VALUES ('health_check', 'disable_all_reports', 'high', 'Health check failed: test_heart error: it does not beat'),
              ('error_rate', 'disable_exec_reports', 'high', 'Error rate 0.5000 exceeds threshold 0.1') $$, 'the decisions, the widest first');
SELECT results_eq($$ SELECT guard, tenant_id, outcome FROM execreport.run_guards('2041-05-05 10:10:01Z') WHERE outcome IS NOT NULL ORDER BY 1, 2 $$,
    $$ VALUES ('error_rate' COLLATE "C", 580, 'superseded'), ('heart', 0, 'rollback') $$, 'one acts, the other is superseded');
SELECT results_eq('SELECT entity_id, new_value FROM trail',
    $$ VALUES ('reports', '{"execReportsEnabled": false, "masterReportsEnabled": false, "reportsApiEnabled": false}'::jsonb) $$, 'three flags, one audit row');
SELECT is((SELECT metadata #>> '{unhealthy,0,error}' FROM trail), '58030: it does not beat', 'with the SQLSTATE');
SELECT execreport.drop_guard('heart'), execreport.resume(f, 'fixed') FROM unnest(execreport._action_flags('disable_all_reports')) AS f;

-- 7. what cannot be measured is no reason to act: an hour later, those minutes are overwritten
DELETE FROM execreport.notifications WHERE tenant_id = 0;
SELECT pg_temp.calls(580, 1, 0, '2041-05-06 10:00Z'::timestamptz + m * interval '1 min') FROM generate_series(0, 119) AS m;
SELECT results_eq($$ SELECT v.verdict, v.errors, v.outcome FROM generate_series('2041-05-06 08:05Z'::timestamptz, '2041-05-06 08:30Z', '5 min') AS m, LATERAL execreport.run_guards(m) AS v
    WHERE v.guard = 'error_rate' AND v.tenant_id = 0 ORDER BY m $$, $$ VALUES ('error', 1, NULL), ('error', 2, NULL), ('error', 3, NULL), ('error', 4, NULL), ('error', 5, NULL), ('error', 6, NULL) $$, 'errors have a counter of their own');
SELECT results_eq($$ SELECT severity, left(message, 52) FROM execreport.notifications WHERE tenant_id = 0 AND message ~ 'error_rate' $$, $$ VALUES ('warning', 'Guard error_rate could not measure in 4 windows in a') $$, 'at the fourth it is told, once');
SELECT results_eq($$ SELECT details -> 'tenants' FROM execreport.notifications WHERE tenant_id = 0 AND message ~ 'error_rate' $$, $$ VALUES ('[580]'::jsonb) $$, 'with the tenants that cannot be seen');

-- 8. what breaks in the middle leaves nothing half done
SELECT pg_temp.calls(583, 0, 40, '2041-05-07 10:00Z'), pg_temp.calls(583, 0, 40, '2041-05-07 10:05Z');
SELECT count(*) FROM execreport.run_guards('2041-05-07 10:05:01Z');
ALTER TABLE execreport.events RENAME TO gone;
SELECT throws_ok($$ SELECT * FROM execreport.run_guards('2041-05-07 10:10:01Z') $$, '42P01');
SELECT is_empty($$ SELECT FROM execreport.guard_verdicts WHERE window_start = '2041-05-07 10:05Z' UNION ALL SELECT FROM execreport.kill_switches WHERE tenant_id = 583
    UNION ALL SELECT FROM execreport.flag_latches WHERE tenant_id = 583 UNION ALL SELECT FROM trail WHERE tenant_id = 583 UNION ALL SELECT FROM notices WHERE tenant_id = 583 $$, 'neither verdict nor switch, latch, audit, notification');
ALTER TABLE execreport.gone RENAME TO events;
SELECT results_eq($$ SELECT * FROM pg_temp.outcomes('2041-05-07 10:10:05Z') WHERE t > 0 $$, $$ VALUES (583, 'breach', 'rollback') $$, 'the next call does all of it');

-- 9. retention keeps what the guards remember
SELECT is(execreport._expire_verdicts('2041-07-01', 5), 5::bigint, 'verdicts go by batches');
SELECT cmp_ok(execreport._expire_verdicts('2041-07-01')::integer, '>', 5, 'the rest');
SELECT is_empty($$ SELECT tenant_id, guard FROM execreport.guard_verdicts WHERE window_start BETWEEN '2041-01-01' AND '2041-06-01' GROUP BY 1, 2 HAVING count(*) <> 1 $$, 'the last of each scope stays');

-- 10. emergencies
DELETE FROM execreport.notifications WHERE tenant_id IN (0, 583, 584, 585); DELETE FROM execreport.audit_logs WHERE action = 'rollback'; DELETE FROM execreport.kill_switches; SELECT execreport._announce_change('execreport.flags');
SELECT results_eq($$ SELECT * FROM execreport.emergency_rollback('exec-reports', '{585,584,585}', 'wrong numbers') $$,
    $$ VALUES (584, 'execReportsEnabled', true, false, true), (585, 'execReportsEnabled', true, false, true) $$, 'two tenants');
SELECT results_eq($$ SELECT tenant_id, entity_id, previous_value, new_value, reason FROM trail ORDER BY 1 $$,
    $$ VALUES (584, 'execReportsEnabled', '{"execReportsEnabled": true}'::jsonb, '{"execReportsEnabled": false}'::jsonb, 'wrong numbers'),
              (585, 'execReportsEnabled', '{"execReportsEnabled": true}', '{"execReportsEnabled": false}', 'wrong numbers') $$, 'an audit row each');
SELECT is((SELECT count(*) FROM execreport.notifications WHERE tenant_id IN (584, 585) AND severity = 'critical'), 2::bigint, 'and a notification each');
SELECT results_eq($$ SELECT flag, previous_value, new_value, changed FROM execreport.emergency_rollback('all', NULL, 'everything') $$,
    $$ VALUES ('execReportsEnabled', true, false, true), ('masterReportsEnabled', true, false, true), ('reportsApiEnabled', true, false, true), ('reportsUiEnabled', false, false, true),
              ('consolidationEnabled', false, false, true), ('councilSynthesisEnabled', false, false, true) $$, 'all six flags, everywhere');
SELECT ok((SELECT bool_and(NOT execreport.is_flag_enabled(580, key)) FROM execreport.flags WHERE key LIKE '%Enabled'), 'all are off');
SELECT results_eq($$ SELECT DISTINCT changed FROM execreport.emergency_rollback('all', NULL, 'once more') $$, 'VALUES (false)', 'again: nothing changes');
SELECT is((SELECT count(*) FROM trail), 3::bigint, 'and nothing is audited');
SELECT results_eq($$ SELECT changed FROM execreport.emergency_rollback('exec-reports', '{588}', 'and here') $$, 'VALUES (true)', 'a tenant of its own, although it is off everywhere');
SELECT execreport.resume(key, 'fixed') FROM execreport.flags WHERE builtin;
SELECT is(execreport.is_flag_enabled(588, 'execReportsEnabled'), false, 'so it stays off there');
SELECT execreport.resume('execReportsEnabled', 'fixed', 588);
SELECT results_eq($$ SELECT t, array_agg(e.flag) FROM unnest('{exec-reports,master-reports,reports-api,reports-ui}'::text[]) AS t, LATERAL execreport.emergency_rollback(t, '{586}', 'x') AS e GROUP BY t ORDER BY t $$,
    $$ VALUES ('exec-reports', '{execReportsEnabled}'::text[]), ('master-reports', '{masterReportsEnabled}'), ('reports-api', '{reportsApiEnabled}'), ('reports-ui', '{reportsUiEnabled}') $$, 'each target its flag');
SELECT results_eq($$ SELECT r.state, r.message, r.detail FROM execreport._refusal('SELECT execreport.emergency_rollback(''everything'', NULL, ''x'')') AS r $$,
    $$ VALUES ('22023', 'unknown target "everything"', 'A target is exec-reports, master-reports, reports-api, reports-ui or all.') $$, 'an unknown target lists them');
SELECT is_empty($$ SELECT c.call, r.state FROM (VALUES ('''all'', NULL, NULL', '22004'), ('''all''', '22004'), ('''all'', NULL, '' ''', '22023'), ('NULL, NULL, ''x''', '22023'), ('''all'', ''{}'', ''x''', '22023'), ('''all'', ''{0}'', ''x''', '42704'), ('''all'', ''{{1,NULL}}'', ''x''', '22023'),
    ('''all'', ''{NULL}'', ''x''', '22023'), ('''all'', ''{999999}'', ''x''', '42704')) AS c (call, state), LATERAL execreport._refusal('SELECT execreport.emergency_rollback(' || c.call || ')') AS r WHERE r.state IS DISTINCT FROM c.state $$, 'bad arguments');
CREATE ROLE er_rollback_operator; CREATE ROLE er_rollback_editor;
SELECT execreport.grant_access('er_rollback_operator', 587, 'operator'), execreport.grant_access('er_rollback_editor', 587, 'editor');
SET LOCAL ROLE er_rollback_editor;
SELECT throws_ok($$ SELECT execreport.emergency_rollback('all', '{587}', 'x') $$, '42501');
SET LOCAL ROLE er_rollback_operator;
SELECT throws_ok($$ SELECT execreport.emergency_rollback('all', NULL, 'x') $$, '42501', 'only a superuser turns features off for every tenant');
SELECT throws_ok($$ SELECT execreport.emergency_rollback('all', '{588}', 'x') $$, '42501');
SELECT is((SELECT count(*) FROM execreport.emergency_rollback('all', '{587}', 'mine')), 6::bigint, 'an operator does it in the own tenant');
SELECT is((SELECT count(*) FROM execreport.resume('masterReportsEnabled', 'mine', 587)), 1::bigint, 'and ends it there');
SELECT throws_ok($$ SELECT execreport.resume('execReportsEnabled', 'mine', 587, now() + interval '2 days') $$, '22023', NULL, 'but not in a time to come, until which no rollout of any tenant would go on');
SELECT is(execreport.resume('execReportsEnabled', 'mine', 587, now() + interval '23 hours'), true, 'clocks may differ');
RESET ROLE;
CREATE ROLE er_rollback_admin;
SELECT execreport.grant_access('er_rollback_admin', 587, 'admin'), set_config('execreport.tenant_id', '587', true);
SELECT execreport.request_flag_change('reportsUiEnabled', '{"percentage": 5}') AS change \gset
SET LOCAL ROLE er_rollback_admin;
SELECT throws_ok(format($$ SELECT execreport.approve_flag_change(%L, now => now() + interval '2 years') $$, :'change'), '22023', NULL, 'nor is what lies ahead approved as if it had come');
RESET ROLE;
SELECT set_config('execreport.tenant_id', '0', true);
SET LOCAL ROLE er_rollback_operator;
SELECT throws_ok($$ SELECT execreport.resume('masterReportsEnabled', 'x') $$, '42501', 'only a superuser ends the rollback for every tenant');
RESET ROLE;
-- by hand, as in the script of the application
SELECT execreport.resume(key, 'fixed') FROM execreport.flags WHERE builtin;
SELECT execreport.update_flags(1, '{"execReportsEnabled": true, "masterReportsEnabled": true, "reportsApiEnabled": true, "reportsUiEnabled": true}') IS NOT NULL;
SET LOCAL search_path = execreport, public;
UPDATE feature_flags
SET exec_reports_enabled = false,
    master_reports_enabled = false,
    reports_api_enabled = false,
    reports_ui_enabled = false
WHERE tenant_id = 1;
INSERT INTO audit_logs (tenant_id, user_id, action, entity_type, entity_id, reason)
VALUES (1, 'system', 'rollback', 'feature_flag', 'reports', 'Emergency rollback');
RESET search_path;
SELECT is((SELECT count(*) FROM jsonb_each(execreport.get_flags(1)) WHERE value = 'true' AND key LIKE '%Enabled'), 0::bigint, 'rows of feature_flags turn off as well');
SELECT is((SELECT count(*) FROM trail WHERE user_id = 'system' AND tenant_id = 1), 1::bigint, 'and the log takes its row');
-- everything else is dead
ALTER TABLE execreport._guards RENAME TO gone_guards; ALTER TABLE execreport.flag_latches RENAME TO gone_latches; ALTER TABLE execreport.notifications RENAME TO gone_notifications;
SET LOCAL client_min_messages = error;
SELECT results_eq($$ SELECT flag, changed FROM execreport.emergency_rollback('master-reports', '{588}', 'the guards are dead') $$, $$ VALUES ('masterReportsEnabled', true) $$, 'it works with guards and notifications dead');

SELECT * FROM finish();
ROLLBACK;
