-- Guards: the bound, the machine, what is measured, and how they are defined. test/data/guard_oracle.py worked out the first two.
BEGIN;
SELECT plan(52);
SELECT execreport.reset_metrics() IS NOT NULL AS reset;    -- what others recorded, in other years, is out of the way

-- 1. Wilson's bound
CREATE TEMP TABLE told (k bigint, n bigint, confidence double precision, bound double precision);
\copy told FROM 'test/data/guard_wilson.csv' (FORMAT csv, HEADER)
SELECT cmp_ok((SELECT count(*) FROM told)::integer, '>', 500, 'there are cases');
SELECT is_empty($$ SELECT t.*, execreport.wilson_lower_bound(k, n, confidence) FROM told AS t
    WHERE abs(execreport.wilson_lower_bound(k, n, confidence) - bound) > 1e-14 + 1e-12 * bound $$, 'the bound is that of the oracle to 12 digits');
SELECT is(execreport.wilson_lower_bound(0, 0), NULL, 'no samples, no bound');
SELECT ok(execreport.wilson_lower_bound(9, 30) > 0.1 AND execreport.wilson_lower_bound(5, 30) < 0.1, '9 of 30 are surely more than 10 %, 5 are not');
SELECT throws_ok('SELECT execreport.wilson_lower_bound(5, 4)', '22023', 'k is 5');
SELECT throws_ok('SELECT execreport.wilson_lower_bound(-1, 4)', '22023', 'k is -1');
SELECT throws_ok('SELECT execreport.wilson_lower_bound(0, -1)', '22023', 'n is -1');
SELECT throws_ok($$ SELECT execreport.wilson_lower_bound(1, 4, 1) $$, '22023', 'confidence is 1');
SELECT throws_ok($$ SELECT execreport.wilson_lower_bound(1, 4, 0.4) $$, '22023', 'confidence is 0.4');
SELECT throws_ok($$ SELECT execreport.wilson_lower_bound(1, 4, 'NaN') $$, '22023', 'confidence is NaN');

-- 2. the machine, walked through 60 runs of 40 windows
CREATE TEMP TABLE walk (run integer, step integer, consecutive integer, min_samples integer, threshold double precision, recover double precision,
    confidence double precision, k bigint, n bigint, verdict text, fires boolean, armed boolean, breaches integer, oks integer, errors integer);
\copy walk FROM 'test/data/guard_machine.csv' (FORMAT csv, HEADER)
SELECT cmp_ok((SELECT count(*) FILTER (WHERE fires) FROM walk)::integer, '>', 50, 'guards fire on the way');
SELECT is_empty($$ SELECT * FROM walk WHERE verdict <> execreport._guard_verdict(k, n, threshold, confidence, min_samples) $$, 'every verdict is that of the oracle');
SELECT is_empty($$
    SELECT w.*, s.* FROM (SELECT *, lag(armed, 1, true) OVER w AS was_armed, lag(breaches, 1, 0) OVER w AS b, lag(oks, 1, 0) OVER w AS o, lag(errors, 1, 0) OVER w AS e
                            FROM walk WINDOW w AS (PARTITION BY run ORDER BY step)) AS w,
           LATERAL execreport._guard_step(was_armed, b, o, e, verdict, k < recover * n, consecutive) AS s
     WHERE (s.fires, s.next_armed, s.next_breaches, s.next_oks, s.next_errors) IS DISTINCT FROM (w.fires, w.armed, w.breaches, w.oks, w.errors) $$,
    'every state is that of the oracle');

-- 3. windows
SELECT is(execreport._guard_window('5 minutes', '2041-04-01 10:09:59.999Z'), '2041-04-01 10:00Z', 'the window that is over, not the one that runs');
SELECT is(execreport._guard_window('5 minutes', '2041-04-01 10:10Z'), '2041-04-01 10:05Z', 'at its end it is over');
SELECT is(execreport._guard_window('7 minutes', '1969-12-31 23:59Z'), '1969-12-31 23:46Z', 'cut from 1970 on, and before');

SELECT throws_ok(format('SELECT * FROM execreport.%s(%L)', f, now), '22023', NULL, format('%s at %s', f, now))
  FROM unnest('{run_guards,check_rollback_conditions}'::text[]) AS f, unnest('{infinity,4713-01-01 BC,294276-12-31 23:59:59.999999+00}'::text[]) AS now;

-- 4. p95 as promtool tells it for the same buckets: linear, 0 at the bottom, the last finite bound at the top
SELECT is(execreport._bucket_quantile(0.95, '{10,15,30,Infinity}', '{50,90,100,100}'), 22.5::double precision, 'within a bucket');
SELECT is(execreport._bucket_quantile(0.95, '{10,15,Infinity}', '{100,100,100}'), 9.5::double precision, 'in the first one');
SELECT is(execreport._bucket_quantile(0.95, '{10,15,Infinity}', '{10,20,100}'), 15::double precision, 'above all bounds');
SELECT is(execreport._bucket_quantile(0.95, '{10,15,Infinity}', '{0,0,0}'), NULL, 'without samples');

-- 5. what a window means. Minutes of 2041, so nothing else is recorded there
SELECT execreport.create_tenant(t) IS NOT NULL FROM generate_series(580, 589) AS t;
CREATE FUNCTION pg_temp.calls(tenant integer, good integer, bad integer, at timestamptz) RETURNS void LANGUAGE sql AS $$
    SELECT execreport._metric_add(tenant, 'exec_reports_created_total', '{"module_id": "m", "success": "true"}', good, at),
           execreport._metric_add(tenant, 'exec_reports_created_total', '{"module_id": "m", "success": "false"}', bad, at);
$$;
CREATE FUNCTION pg_temp.judged(at timestamptz) RETURNS TABLE (t integer, v text, n bigint, k bigint) LANGUAGE sql AS $$
    SELECT tenant_id, verdict, samples, failures FROM execreport._judge_guards(at) WHERE guard = 'error_rate' ORDER BY tenant_id $$;
SELECT pg_temp.calls(580, 100, 5, '2041-04-01 10:00Z'), pg_temp.calls(581, 20, 20, '2041-04-01 10:04:59Z'), pg_temp.calls(582, 3, 4, '2041-04-01 10:02Z'),
       pg_temp.calls(583, 100, 100, '2041-04-01 10:05Z'), pg_temp.calls(584, 100, 100, '2041-04-01 09:59:59Z');
SELECT results_eq($$ SELECT * FROM pg_temp.judged('2041-04-01 10:05:30Z') $$,
    $$ VALUES (0, 'insufficient', 152::bigint, 29::bigint), (580, 'ok', 105, 5), (581, 'breach', 40, 20), (582, 'insufficient', 7, 4) $$,
    'each tenant by itself and only this window; that one tenant fails is not the matter of all');
-- three tenants with too few samples each
SELECT pg_temp.calls(580, 500, 5, '2041-04-01 11:00Z'), pg_temp.calls(581, 2, 10, '2041-04-01 11:01Z'), pg_temp.calls(582, 0, 9, '2041-04-01 11:02Z');
SELECT results_eq($$ SELECT * FROM pg_temp.judged('2041-04-01 11:05:30Z') $$,
    $$ VALUES (0, 'ok', 526::bigint, 24::bigint), (580, 'ok', 505, 5), (581, 'insufficient', 12, 10), (582, 'insufficient', 9, 9) $$,
    'two small tenants are not everywhere');
SELECT pg_temp.calls(583, 5, 5, '2041-04-01 11:03Z');
SELECT results_eq($$ SELECT * FROM pg_temp.judged('2041-04-01 11:05:30Z') WHERE t = 0 $$,
    $$ VALUES (0, 'breach', 536::bigint, 29::bigint) $$, 'three small tenants that fail are, whatever a big healthy one adds');
-- latency: exact at the bucket's bound
SELECT execreport._metric_observe(580, 'report_generation_duration_seconds', '{"type": "master", "module_id": ""}', s, '2041-04-01 12:00Z')
  FROM unnest(array_fill(15.0::double precision, '{97}') || array_fill(15.1::double precision, '{3}')) AS s;
SELECT execreport._metric_observe(581, 'report_generation_duration_seconds', '{"type": "master", "module_id": ""}', s, '2041-04-01 12:00Z')
  FROM unnest(array_fill(1.0::double precision, '{85}') || array_fill(20.0::double precision, '{15}')) AS s;
SELECT execreport._metric_observe(582, 'report_generation_duration_seconds', '{"type": "exec", "module_id": "m"}', 100, '2041-04-01 12:00Z') FROM generate_series(1, 50);
SELECT results_eq($$ SELECT tenant_id, verdict, samples, failures, round(p95::numeric, 3) FROM execreport._judge_guards('2041-04-01 12:05Z') WHERE guard = 'performance' ORDER BY 1 $$,
    $$ VALUES (0, 'insufficient', 200::bigint, 18::bigint, 21.667), (580, 'ok', 100, 3, 14.897), (581, 'breach', 100, 15, 25),
              (582, 'insufficient', 0, 0, NULL) $$, 'samples above 15 s are counted, those of other types are not');

-- 6. consecutive windows; what cannot be measured; members
SELECT execreport.define_guard('health_check', '{"enabled": false}') IS NOT NULL;
SELECT is_empty($$ SELECT * FROM execreport.check_rollback_conditions('2041-04-01 10:05:30Z') $$, 'one window does not decide');
SELECT count(*) > 0 FROM execreport.run_guards('2041-04-01 10:05:30Z');
SELECT pg_temp.calls(581, 21, 19, '2041-04-01 10:07Z');
SELECT results_eq($$ SELECT trigger, threshold, "window", action, reason, severity, figures ->> 'tenantId', figures -> 'samples', figures -> 'failures', figures -> 'breaches'
                       FROM execreport.check_rollback_conditions('2041-04-01 10:10:30Z') WHERE figures ->> 'tenantId' = '581' $$,
    $$ VALUES ('error_rate', 0.1::double precision, interval '5 minutes', 'disable_exec_reports', 'Error rate 0.4750 exceeds threshold 0.1', 'high', '581',
               '40'::jsonb, '19'::jsonb, '2'::jsonb) $$, 'the second one does, with all its figures');
SELECT is((SELECT count(*) FROM execreport.kill_switches WHERE tenant_id = 581), 0::bigint, 'reading changes nothing');
CREATE ROLE er_guards_viewer; CREATE ROLE er_guards_other;
SELECT execreport.grant_access('er_guards_viewer', 581, 'viewer'), execreport.grant_access('er_guards_other', 580, 'operator');
SET LOCAL ROLE er_guards_viewer;
SELECT results_eq($$ SELECT trigger, figures ->> 'tenantId' FROM execreport.check_rollback_conditions('2041-04-01 10:10:30Z') $$, $$ VALUES ('error_rate', '581') $$,
    'a member reads the decision on its tenant');
SELECT throws_ok($$ SELECT execreport.run_guards() $$, '42501', 'only a superuser runs the guards');
SELECT throws_ok($$ SELECT execreport.define_guard('error_rate', '{}') $$, '42501', 'only a superuser defines guards');
SELECT throws_ok($$ SELECT execreport.drop_guard('error_rate') $$, '42501', 'only a superuser drops guards');
SET LOCAL ROLE er_guards_other;
SELECT is_empty($$ SELECT * FROM execreport.check_rollback_conditions('2041-04-01 10:10:30Z') $$, 'others do not');
RESET ROLE;

-- 7. definitions
SELECT is((SELECT count(*) FROM execreport.guards WHERE guard IN ('error_rate', 'performance', 'health_check', 'manual')), 4::bigint, 'four guards are installed');
SELECT results_eq($$ SELECT guard, kind, flags, threshold, recover_threshold, window_length, min_samples, confidence, consecutive, error_limit, cooldown, escalate_tenants, scope
                       FROM execreport.define_guard('ui', '{"kind": "latency_quantile", "flags": ["reportsUiEnabled"], "threshold": 10, "window": 10, "minSamples": 50.0}') $$,
    $$ VALUES ('ui' COLLATE "C", 'performance', '{reportsUiEnabled}'::text[], 10::double precision, 8::double precision, interval '10 minutes', 50, 0.95::double precision, 2, 4,
               interval '30 minutes', 3, 'tenant') $$, 'a guard of one''s own, with defaults');
SELECT is((SELECT severity FROM execreport.define_guard('ui', '{"severity": "high"}')), 'high', 'only what is given changes');
SELECT ok(execreport.drop_guard('ui') AND NOT execreport.drop_guard('ui'), 'dropped once');
SELECT is((SELECT dry_run FROM execreport.define_guard('error_rate', '{"dryRun": true}')), true, 'an installed one changes');
UPDATE execreport.guard_verdicts SET armed = false, breaches = 1 WHERE guard = 'error_rate';
SELECT execreport.drop_guard('error_rate');
SELECT is_empty($$ SELECT FROM execreport.guard_verdicts WHERE guard = 'error_rate' AND (NOT armed OR breaches > 0) $$, 'what it remembers goes with its rules');
SELECT ok(NOT (SELECT dry_run FROM execreport.guards WHERE guard = 'error_rate'), 'and dropping it brings the installed one back');
SELECT is((SELECT count(*) FROM execreport.audit_logs WHERE entity_type = 'guard' AND entity_id IN ('ui', 'error_rate')), 5::bigint, 'every change is audited');
SELECT throws_ok($$ SELECT execreport.define_guard('x', '{"kind": "performance", "flags": ["reportsUiEnabled"], "threshold": 12}') $$, '22023', 'threshold is 12',
    'a latency that is no bucket bound is refused');
SELECT is_empty($$ SELECT d.document, r.* FROM (VALUES
        ('{"kind": "error_rate"}', '22023', 'flags is {}'), ('{"kind": "manual", "flags": ["reportsUiEnabled"]}', '22023', 'kind is "manual"'), ('{}', '22023', 'kind is missing'),
        ('{"kind": "error_rate", "flags": ["reportsUi"]}', '42704', 'unknown flag "reportsUi"'), ('{"kind": "error_rate", "flags": "x"}', '22023', 'flags is "x"'),
        ('{"kind": "error_rate", "flags": [1]}', '22023', 'flags has an element that is no string'), ('{"kind": "error_rate", "action": "disable_reports"}', '22023', 'action is disable_reports'),
        ('{"kind": "error_rate", "action": "disable_exec_reports", "threshold": 1}', '22023', 'threshold is 1'),
        ('{"kind": "error_rate", "action": "disable_exec_reports", "threshold": 1e400}', '22023', 'threshold is 1' || repeat('0', 63)),
        ('{"kind": "error_rate", "action": "disable_exec_reports", "confidence": 1e-400}', '22023', 'confidence is 0.' || repeat('0', 62)),
        ('{"kind": "error_rate", "action": "disable_exec_reports", "recoverThreshold": 0.2}', '22023', 'recover_threshold is 0.2'),
        ('{"kind": "error_rate", "action": "disable_exec_reports", "window": "90 seconds"}', '22023', 'window is 00:01:30'),
        ('{"kind": "error_rate", "action": "disable_exec_reports", "window": "soon"}', '22023', 'window is "soon"'),
        ('{"kind": "error_rate", "action": "disable_exec_reports", "cooldown": 99999999999999999999}', '22023', 'cooldown is 99999999999999999999'),
        ('{"kind": "error_rate", "action": "disable_exec_reports", "cooldown": "30"}', '22023', 'cooldown is "30"'),
        ('{"kind": "error_rate", "action": "disable_exec_reports", "minSamples": 0}', '22023', 'min_samples is 0'),
        ('{"kind": "error_rate", "action": "disable_exec_reports", "consecutive": 1.5}', '22023', 'consecutive is 1.5'),
        ('{"kind": "error_rate", "action": "disable_exec_reports", "confidence": 0.3}', '22023', 'confidence is 0.3'),
        ('{"kind": "error_rate", "action": "disable_exec_reports", "severity": "low"}', '22023', 'severity is low'),
        ('{"kind": "error_rate", "action": "disable_exec_reports", "family": "x"}', '42704', NULL), ('{"kind": "error_rate", "action": "disable_exec_reports", "labels": {"x": "1"}}', '22023', NULL),
        ('{"kind": "health_check", "action": "disable_all_reports", "components": ["moon"]}', '42704', 'unknown component "moon"'),
        ('{"kind": "health_check", "action": "disable_all_reports", "scope": "tenant"}', '22023', 'scope is tenant'),
        ('{"kind": "error_rate", "treshold": 1}', '22023', 'unknown member "treshold"'), ('[]', '22023', 'document is array')) AS d (document, state, message),
      LATERAL execreport._refusal(format('SELECT execreport.define_guard(''x'', %L)', d.document)) AS r
    WHERE r.state IS DISTINCT FROM d.state OR r.message <> d.message $$, 'what cannot work is refused by name');
SELECT is((SELECT consecutive FROM execreport.define_guard('h1', '{"kind": "health_check", "action": "disable_all_reports"}')), 1, 'what is critical does not wait');
SELECT is((SELECT consecutive FROM execreport.define_guard('h3', '{"kind": "health_check", "action": "disable_all_reports", "severity": "high"}')), 3, 'the rest does');
SELECT throws_ok($$ SELECT execreport.define_guard('error_rate', '{"kind": "performance"}') $$, '22023', 'kind is "performance"');
SELECT throws_ok($$ SELECT execreport.define_guard(NULL, '{"kind": "error_rate", "action": "disable_exec_reports"}') $$, '22004', 'guard is null');

SELECT * FROM finish();
ROLLBACK;
