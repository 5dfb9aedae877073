-- Guards with a margin: who has a feature beside who has not. test/data/guard_oracle.py worked out the bounds, with 50 digits and by
-- statsmodels.
BEGIN;
SELECT plan(46);
SELECT execreport.reset_metrics() IS NOT NULL AS reset;    -- what others recorded, in other years, is out of the way
SELECT setseed(0.20261121);

-- 1. the bound
CREATE TEMP TABLE told (k bigint, n bigint, base_k bigint, base_n bigint, confidence double precision, bound double precision);
\copy told FROM 'test/data/guard_difference.csv' (FORMAT csv, HEADER)
SELECT is((SELECT count(*) FROM told), 2000::bigint, 'there are cases');
SELECT is_empty($$ SELECT t.*, execreport.difference_lower_bound(k, n, base_k, base_n, confidence) FROM told AS t
    WHERE abs(execreport.difference_lower_bound(k, n, base_k, base_n, confidence) - bound) > 1e-14 + 1e-12 * abs(bound) $$, 'the bound is that of the oracle to 12 digits');
SELECT is(execreport.difference_lower_bound(0, 0, 1, 2), NULL, 'no samples, no bound');
SELECT is(execreport.difference_lower_bound(1, 2, 0, 0), NULL, 'on neither side');
SELECT throws_ok('SELECT execreport.difference_lower_bound(5, 4, 0, 1)', '22023', 'k is 5');
SELECT throws_ok('SELECT execreport.difference_lower_bound(0, 4, 2, 1)', '22023', 'base_k is 2');
SELECT throws_ok('SELECT execreport.difference_lower_bound(0, 4, 0, -1)', '22023', 'base_n is -1');
SELECT throws_ok($$ SELECT execreport.difference_lower_bound(1, 4, 1, 4, 'NaN') $$, '22023', 'confidence is NaN');

-- 2. the verdict
SELECT is(execreport._baseline_verdict(18, 60, 30, 600, 0.1, 0.95, 20), 'breach', '30 % beside 5 % are surely more than 10 points');
SELECT is(execreport._baseline_verdict(18, 60, 30, 600, 0.2, 0.95, 20), 'ok', 'and not surely more than 20');
SELECT is(execreport._baseline_verdict(18, 60, 30, 600, 0.25, 0, 20), 'ok', 'without confidence: no more than the margin');
SELECT is(execreport._baseline_verdict(18, 60, 30, 600, 0.249, 0, 20), 'breach', 'more than the margin');
SELECT is(execreport._baseline_verdict(30, 600, 18, 60, 0, 0.95, 20), 'ok', 'those without the feature may be worse off');
SELECT is(execreport._baseline_verdict(60, 60, 600, 600, 0, 0.95, 20), 'ok', 'an outage of all is not the feature''s');
SELECT is(execreport._baseline_verdict(19, 19, 0, 600, 0.1, 0.95, 20), 'insufficient', 'too few with it');
SELECT is(execreport._baseline_verdict(60, 60, 0, 0, 0.1, 0.95, 1), 'insufficient', 'nobody without it');
SELECT is(execreport._baseline_verdict(60, 60, 0, NULL, 0.1, 0.95, 20), 'error', 'not measured');

-- 200 days at 6 requests a minute with the feature and 120 without, both with 5 % errors, margin 0.1
CREATE FUNCTION pg_temp.draw(n integer, share double precision) RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT count(*) FROM generate_series(1, n) WHERE random() < share $$;
CREATE TEMP TABLE days AS
SELECT run, step, execreport._baseline_verdict(pg_temp.draw(30, 0.05 + 0 * (step + run)), 30, 30, 600, 0.1, 0.95, 20) AS verdict
  FROM generate_series(1, 200) AS run, generate_series(1, 288) AS step;
SELECT cmp_ok((SELECT count(DISTINCT run)::integer FROM (SELECT run, verdict = 'breach' AND lag(verdict) OVER (PARTITION BY run ORDER BY step) = 'breach' AS fires FROM days) AS d
                WHERE fires), '<=', 1, 'at most 1 of 200 days sees a rollback');
SELECT diag(format('%s breaches in 57600 windows', (SELECT count(*) FROM days WHERE verdict = 'breach')));
-- then 30 % with it: half an hour
CREATE TEMP TABLE bad AS
SELECT run, step, execreport._baseline_verdict(pg_temp.draw(30, 0.3 + 0 * (step + run)), 30, 30, 600, 0.1, 0.95, 20) AS verdict
  FROM generate_series(1, 200) AS run, generate_series(1, 24) AS step;
SELECT is((SELECT count(DISTINCT run)::integer FROM (SELECT run, verdict = 'breach' AND lag(verdict) OVER (PARTITION BY run ORDER BY step) = 'breach' AS fires FROM bad) AS d
            WHERE fires) >= 195, true, '30 % with the feature are found');
SELECT diag(format('found after %s minutes in the mean', (SELECT round(avg(5 * first), 1) FROM (SELECT run, min(step) AS first
    FROM (SELECT run, step, verdict = 'breach' AND lag(verdict) OVER (PARTITION BY run ORDER BY step) = 'breach' AS fires FROM bad) AS d WHERE fires GROUP BY run) AS f)));

-- 3. groups of tenants. Minutes of 2041, so nothing else is recorded there
SELECT execreport.create_tenant(t) IS NOT NULL FROM generate_series(580, 589) AS t;
SELECT execreport.define_flag('newEngine', '{"description": "Reports are made by the new engine."}') IS NOT NULL;
SELECT execreport.define_guard('health_check', '{"enabled": false}') IS NOT NULL, execreport.define_guard('error_rate', '{"enabled": false}') IS NOT NULL;
SELECT results_eq($$ SELECT kind, scope, margin, threshold, flags FROM execreport.define_guard('engine', '{"kind": "error_rate", "flags": ["newEngine"], "margin": 0.1}') $$,
    $$ VALUES ('error_rate', 'everywhere', 0.1::double precision, 0.1::double precision, '{newEngine}'::text[]) $$, 'a guard with a margin is one for all tenants');
CREATE FUNCTION pg_temp.calls(tenant integer, good integer, bad integer, at timestamptz) RETURNS void LANGUAGE sql AS $$
    SELECT execreport._metric_add(tenant, 'exec_reports_created_total', '{"module_id": "m", "success": "true"}', good, at),
           execreport._metric_add(tenant, 'exec_reports_created_total', '{"module_id": "m", "success": "false"}', bad, at);
$$;
CREATE FUNCTION pg_temp.judged(at timestamptz) RETURNS TABLE (t integer, v text, n bigint, k bigint, beside jsonb) LANGUAGE sql AS $$
    SELECT tenant_id, verdict, samples, failures, (details -> 'baseline') - 'tenants' FROM execreport._judge_guards(at) WHERE guard = 'engine' ORDER BY tenant_id $$;
SELECT pg_temp.calls(580, 30, 10, '2041-04-01 10:00Z'), pg_temp.calls(581, 20, 10, '2041-04-01 10:04:59Z'), pg_temp.calls(582, 95, 5, '2041-04-01 10:02Z'),
       pg_temp.calls(583, 96, 4, '2041-04-01 10:03Z'), pg_temp.calls(584, 0, 100, '2041-04-01 09:59:59Z'), pg_temp.calls(584, 0, 100, '2041-04-01 10:05Z');
SELECT results_eq($$ SELECT * FROM pg_temp.judged('2041-04-01 10:05:30Z') $$,
    $$ VALUES (0, 'insufficient', 0::bigint, 0::bigint, '{"samples": 270, "failures": 29}'::jsonb) $$, 'nobody has it: nothing to compare');
SELECT execreport.update_flags(580, '{"newEngine": true}'), execreport.update_flags(581, '{"newEngine": true}');
SELECT results_eq($$ SELECT * FROM pg_temp.judged('2041-04-01 10:05:30Z') $$,
    $$ VALUES (0, 'breach', 70::bigint, 20::bigint, '{"samples": 200, "failures": 9}'::jsonb) $$, 'who has it beside who has not, and only this window');
SELECT results_eq($$ SELECT bound = execreport.difference_lower_bound(20, 70, 9, 200), details -> 'difference', details #> '{baseline,tenants}', breaches, action
                       FROM execreport._judge_guards('2041-04-01 10:05:30Z') WHERE guard = 'engine' $$,
    $$ VALUES (true, '0.240714'::jsonb, '2'::jsonb, 1, NULL::text) $$, 'with its figures; one window does not decide');
SELECT pg_temp.calls(582, 0, 100, '2041-04-01 10:02Z');
SELECT is((SELECT v FROM pg_temp.judged('2041-04-01 10:05:30Z')), 'ok', 'when the others fail as well, it is not the feature');
SELECT pg_temp.calls(582, 2000, 0, '2041-04-01 10:02Z');
SELECT is((SELECT v FROM pg_temp.judged('2041-04-01 10:05:30Z')), 'breach', 'the shares count, not the numbers');
-- who is on neither side
SELECT execreport.define_flag('newEngine', '{"rules": [{"constraints": [{"contextName": "userId", "operator": "IN", "values": ["ana"]}]}]}') IS NOT NULL;
SELECT is((SELECT beside FROM pg_temp.judged('2041-04-01 10:05:30Z')), '{"samples": 0, "failures": 0}', 'tenants some of whose users have it are on neither side');
SELECT execreport.define_flag('newEngine', '{}') IS NOT NULL;
SAVEPOINT team;
SELECT count(*) FROM execreport.enable_for_team('{ana}', '{newEngine}', '2041-03-01');
SELECT results_eq($$ SELECT v, n, beside -> 'samples' FROM pg_temp.judged('2041-04-01 10:05:30Z') $$, $$ VALUES ('breach', 70::bigint, '2300'::jsonb) $$, 'a team has it wherever its users work: their tenants have not');
SELECT execreport.define_flag('newEngine', '{"prerequisites": [{"flag": "ofSome"}]}') FROM execreport.define_flag('ofSome', '{"rules": [{"constraints": [{"contextName": "userId", "operator": "IN", "values": ["ana"]}]}]}');
SELECT is((SELECT n + (beside -> 'samples')::bigint FROM pg_temp.judged('2041-04-01 10:05:30Z')), 0::bigint, 'unless more than a team depends on the user');
ROLLBACK TO team;
SAVEPOINT overridden;
UPDATE execreport.flag_overrides SET changed_at = '2041-04-01 10:02Z' WHERE tenant_id = 581 AND flag = 'newEngine';
SELECT is((SELECT n FROM pg_temp.judged('2041-04-01 10:05:30Z')), 40::bigint, 'neither is a tenant that got it within the window');
ROLLBACK TO overridden;
SAVEPOINT killed;
INSERT INTO execreport.kill_switches (tenant_id, flag, engaged_at) VALUES (581, 'newEngine', '2041-04-01 10:02Z');
SELECT execreport._announce_change('execreport.flags');
SELECT results_eq($$ SELECT n, beside -> 'samples' FROM pg_temp.judged('2041-04-01 10:05:30Z') $$, $$ VALUES (40::bigint, '2300'::jsonb) $$, 'nor one that a kill switch took it from');
ROLLBACK TO killed;
INSERT INTO execreport.flag_latches (tenant_id, flag, guard, reason, rolled_back_at, cooldown, resumed_at)
VALUES (581, 'newEngine', 'manual', 'it failed', '2041-04-01 09:50Z', '30 minutes', '2041-04-01 10:02Z');
SELECT results_eq($$ SELECT n, beside -> 'samples' FROM pg_temp.judged('2041-04-01 10:05:30Z') $$, $$ VALUES (40::bigint, '2300'::jsonb) $$, 'or that has it again since a rollback');
ROLLBACK TO killed;
SAVEPOINT widened;
SELECT count(*) FROM execreport.enable_for_percentage(5, '{newEngine}', '2041-04-01 10:04Z');
SELECT is((SELECT v FROM pg_temp.judged('2041-04-01 10:05:30Z')), 'discarded', 'a window in which the rollout moved does not count');
ROLLBACK TO widened;
SAVEPOINT everybody;
SELECT execreport.define_flag('newEngine', '{"default": true}') IS NOT NULL;
SELECT is((SELECT v FROM pg_temp.judged('2041-04-01 10:05:30Z')), 'insufficient', 'everybody has it: nothing to compare');
ROLLBACK TO everybody;
SAVEPOINT hundredth;
SELECT count((execreport.create_tenant(t)).tenant_id) FROM generate_series(58000, 58200) AS t;
SELECT is((SELECT v FROM pg_temp.judged('2041-04-01 10:05:30Z')), 'insufficient', 'less than 1 % of the tenants are not a share yet');
ROLLBACK TO hundredth;

-- 4. latency: the share of slow ones, beside that of the others
SELECT execreport.define_guard('slow', '{"kind": "performance", "labels": {"type": "exec"}, "threshold": 5, "margin": 0.05, "flags": ["newEngine"]}') IS NOT NULL;
SELECT execreport._metric_observe(t, 'report_generation_duration_seconds', '{"type": "exec", "module_id": "m"}', s, '2041-04-01 10:01Z')
  FROM (VALUES (580, 40, 20), (582, 90, 10), (583, 90, 10)) AS w (t, quick, late), LATERAL unnest(array_fill(0.4::double precision, ARRAY[quick]) || array_fill(8::double precision, ARRAY[late])) AS s;
SELECT results_eq($$ SELECT verdict, samples, failures, p95 > 5, (details -> 'baseline') - 'p95' FROM execreport._judge_guards('2041-04-01 10:05:30Z') WHERE guard = 'slow' $$,
    $$ VALUES ('breach', 60::bigint, 20::bigint, true, '{"tenants": 2, "samples": 200, "failures": 20}'::jsonb) $$, 'samples above 5 s on both sides');
SELECT execreport.drop_guard('slow');

-- 5. two windows: it goes off, once, everywhere
SELECT count(*) FROM execreport.run_guards('2041-04-01 10:05:30Z');
SELECT pg_temp.calls(580, 30, 12, '2041-04-01 10:06Z'), pg_temp.calls(583, 96, 4, '2041-04-01 10:06Z');
SELECT is_empty($$ SELECT * FROM execreport.check_rollback_conditions('2041-04-01 10:10:30Z') $$, 'the first breach does not decide');
SELECT pg_temp.calls(584, 1000, 0, '2041-04-01 10:05Z');
SELECT results_eq($$ SELECT trigger, threshold, action, severity, reason, figures -> 'margin', figures ? 'threshold', figures ? 'tenantId'
                       FROM execreport.check_rollback_conditions('2041-04-01 10:10:30Z') $$,
    $$ VALUES ('error_rate', 0.1::double precision, 'disable_flags', 'high', 'Error rate 0.2857 exceeds the 0.0867 of those without the feature by more than 0.1', '0.1'::jsonb, false, false) $$,
    'the second breach decides');
SELECT count(*) FROM execreport.run_guards('2041-04-01 10:10:30Z');
SELECT results_eq($$ SELECT tenant_id, flag FROM execreport.kill_switches WHERE flag = 'newEngine' $$, $$ VALUES (0, 'newEngine' COLLATE "C") $$, 'it is off everywhere');
SELECT is((SELECT verdict FROM execreport.run_guards('2041-04-01 10:20:30Z') WHERE guard = 'engine'), 'insufficient', 'and then there is nothing to compare');

-- 6. a rollout by itself, minute by minute, that only such a guard watches: 40 tenants, in all of which 1 of 10 reports fails
SELECT execreport.resume('newEngine', 'next try', NULL, '2041-05-31');
SELECT execreport.update_flags(t, '{"newEngine": null}') FROM generate_series(580, 581) AS t;
SELECT count((execreport.create_tenant(t, NULL, (ARRAY['small', 'large'])[1 + t % 2])).tenant_id) FROM generate_series(58000, 58039) AS t;
CREATE FUNCTION pg_temp.minutes(first timestamptz, many integer, bad integer) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    minute timestamptz;
BEGIN
    FOR n IN 0 .. many - 1 LOOP
        minute := first + n * interval '1 minute';
        PERFORM pg_temp.calls(t, 10 - b, b, minute)
           FROM (SELECT t, CASE WHEN execreport._tenant_flag(t, 'newEngine') THEN bad ELSE 1 END AS b FROM generate_series(58000, 58039) AS t) AS w;
        minute := minute + interval '1 minute';
        PERFORM count(*) FROM execreport.run_guards(minute);
        PERFORM execreport._advance_due_rollouts(minute);
    END LOOP;
    RETURN (SELECT phase || ' ' || status FROM execreport.rollouts AS r JOIN execreport.rollout_stages USING (rollout, stage) WHERE r.rollout = 'engine');
END
$$;
SELECT execreport.start_rollout('engine', '{ana}', '{newEngine}', automatic => true, now => '2041-06-01 10:00Z');
SELECT is(pg_temp.minutes('2041-06-01 10:00Z', 120, 1), '100percent completed', 'with the feature it is as without: it walks to its end');
SELECT execreport.abort('engine'), execreport.start_rollout('engine', '{ana}', '{newEngine}', automatic => true, now => '2041-06-01 13:00Z');
SELECT is(pg_temp.minutes('2041-06-01 13:00Z', 20, 1), 'small running', 'again');
SELECT is(pg_temp.minutes('2041-06-01 13:20Z', 9, 4), 'small running', 'now 4 of 10 fail with it');
SELECT is(pg_temp.minutes('2041-06-01 13:29Z', 6, 4), 'small held', 'after two windows it is off, and the rollout stops');
SELECT results_eq($$ SELECT tenant_id, guard FROM execreport.flag_latches WHERE flag = 'newEngine' AND resumed_at IS NULL $$, $$ VALUES (0, 'engine') $$, 'everywhere');

-- 7. definitions
SELECT is((SELECT scope || coalesce(margin::text, ' without') FROM execreport.define_guard('engine', '{"margin": null}')), 'tenant without', 'without a margin it is a guard of tenants again');
SELECT is_empty($$ SELECT d.document, r.* FROM (VALUES
        ('{"kind": "error_rate", "flags": ["newEngine"], "margin": 1}', 'margin is 1'), ('{"kind": "error_rate", "flags": ["newEngine"], "margin": -0.1}', 'margin is -0.1'),
        ('{"kind": "error_rate", "flags": ["newEngine"], "margin": 0.1, "scope": "tenant"}', 'scope is tenant'),
        ('{"kind": "health_check", "flags": ["newEngine"], "margin": 0.1}', 'margin is 0.1')) AS d (document, message),
      LATERAL execreport._refusal(format('SELECT execreport.define_guard(''x'', %L)', d.document)) AS r
    WHERE r.state IS DISTINCT FROM '22023' OR r.message <> d.message $$, 'what cannot work is refused by name');

SELECT * FROM finish();
ROLLBACK;
