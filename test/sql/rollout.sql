\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET intervalstyle = 'postgres';
-- Everything here counts for every tenant, so nothing of it stays.
BEGIN;
\set ON_ERROR_ROLLBACK on
DELETE FROM execreport._tenants;
DELETE FROM execreport.notifications;
DELETE FROM execreport.guard_verdicts;
-- small, medium, large, unknown in turn; tenant 1 is there by itself
SELECT count(*) AS tenants FROM generate_series(520, 539) AS i,
       LATERAL execreport.create_tenant(i, NULL, (ARRAY['small', 'medium', 'large', NULL])[1 + i % 4]);
CREATE FUNCTION pg_temp.on_for(flag text DEFAULT 'execReportsEnabled', user_id text DEFAULT NULL) RETURNS text LANGUAGE sql AS
$$ SELECT coalesce(string_agg(tenant_id::text, ' ' ORDER BY tenant_id), '-') FROM execreport.tenants
    WHERE execreport.is_flag_enabled(tenant_id, flag, user_id) $$;
CREATE FUNCTION pg_temp.verdict(guard text, window_start timestamptz, verdict text, tenant_id integer DEFAULT 0) RETURNS void LANGUAGE sql AS
$$ INSERT INTO execreport.guard_verdicts (tenant_id, guard, window_start, verdict, samples, failures, armed, breaches, oks, errors)
   VALUES (tenant_id, guard, window_start, verdict, 40, 0, true, 0, 0, 0) $$;

-- the team: users in any tenant, added to those before
SELECT * FROM execreport.enable_for_team(ARRAY['ana']);
SELECT * FROM execreport.enable_for_team(ARRAY['bob', 'ana', 'bob']);
SELECT * FROM execreport.enable_for_team(ARRAY['ana', 'bob']);
SELECT pg_temp.on_for() AS tenants, pg_temp.on_for(user_id => 'eve') AS eve,
       pg_temp.on_for(user_id => 'bob') = (SELECT string_agg(tenant_id::text, ' ' ORDER BY tenant_id) FROM execreport.tenants) AS bob_everywhere,
       pg_temp.on_for('reportsUiEnabled', 'bob') AS bob_ui;

-- a percentage: 12.5 acts as 12, and it does not fall
SELECT * FROM execreport.enable_for_percentage(5);
SELECT pg_temp.on_for(), pg_temp.on_for('reportsApiEnabled') AS api;
SELECT * FROM execreport.enable_for_percentage(12.5);
SELECT pg_temp.on_for();
SELECT * FROM execreport.enable_for_percentage(12.50);
SELECT * FROM execreport.enable_for_percentage(12);
SELECT * FROM execreport.enable_for_percentage(25, '{reportsUiEnabled,execReportsEnabled,reportsUiEnabled}');
SELECT pg_temp.on_for(), pg_temp.on_for('reportsUiEnabled') AS ui, pg_temp.on_for('masterReportsEnabled') AS master;
SELECT * FROM execreport.enable_for_percentage(20);

-- sizes: up to, beside the percentage; an unknown size is not reached
SELECT * FROM execreport.enable_by_tenant_size('small');
SELECT pg_temp.on_for('masterReportsEnabled');
SELECT * FROM execreport.enable_by_tenant_size('medium', '{consolidationEnabled}');
SELECT pg_temp.on_for('consolidationEnabled');
SELECT * FROM execreport.enable_by_tenant_size('small', '{consolidationEnabled}');
-- a tenant that comes or grows falls under the rule
SELECT tenant_id, execreport.is_flag_enabled(tenant_id, 'consolidationEnabled') AS on FROM execreport.create_tenant(519, NULL, 'medium');
SELECT tenant_id, execreport.is_flag_enabled(tenant_id, 'consolidationEnabled') AS on FROM execreport.create_tenant(519, NULL, 'large');
DELETE FROM execreport._tenants WHERE tenant_id = 519;

-- a kill switch stands above, and the answer says so
SELECT execreport.set_kill_switch('consolidationEnabled', true, 'test');
SELECT * FROM execreport.enable_for_percentage(50, '{consolidationEnabled}');
SELECT pg_temp.on_for('consolidationEnabled');
SELECT execreport.set_kill_switch('consolidationEnabled', false, 'test');

-- bad arguments change nothing
SELECT execreport.enable_for_team(NULL);
SELECT execreport.enable_for_team('{}');
SELECT execreport.enable_for_team(ARRAY['carl', NULL]);
SELECT execreport.enable_for_team(ARRAY['carl', '']);
SELECT execreport.enable_for_team(ARRAY[repeat('x', 513)]);
SELECT execreport.enable_for_team(array_fill('x'::text, ARRAY[10001]));
SELECT execreport.enable_for_team(ARRAY['carl'], '{}');
SELECT execreport.enable_for_team(ARRAY['carl'], '{nope}');
SELECT execreport.enable_for_team(ARRAY['carl'], '{execReportsEnabled,NULL}');
SELECT execreport.enable_for_percentage(NULL);
SELECT execreport.enable_for_percentage(-1);
SELECT execreport.enable_for_percentage(100.01);
SELECT execreport.enable_for_percentage('NaN');
SELECT execreport.enable_for_percentage('Infinity');
SELECT execreport.enable_for_percentage(0.5);
SELECT execreport.enable_for_percentage(0.05);
SELECT execreport.enable_for_percentage(50, now => NULL);
SELECT execreport.enable_for_percentage(50, now => 'infinity');
SELECT execreport.enable_by_tenant_size(NULL);
SELECT execreport.enable_by_tenant_size('Small');
SELECT execreport.enable_by_tenant_size('huge', '{nope}');
SELECT * FROM execreport.flag_rollouts ORDER BY flag;

-- taking back: by the name of a flag, and all of the reports'
SELECT execreport.abort('consolidationEnabled', 'not ready');
SELECT execreport.abort('consolidationEnabled', 'not ready');
SELECT execreport.abort(reason => 'start anew');
SELECT execreport.abort(reason => 'start anew');
SELECT execreport.abort('nope');
SELECT execreport.abort(NULL);
SELECT execreport.abort('reportsUiEnabled');
SELECT pg_temp.on_for(), pg_temp.on_for(user_id => 'ana') AS ana, pg_temp.on_for('consolidationEnabled') AS consolidation;

-- through all phases
SELECT execreport.advance_rollout();
SELECT execreport.hold();
SELECT execreport.continue_rollout();
SELECT execreport.start_rollout();
SELECT execreport.start_rollout(users => '{ana,bob}', now => '2026-01-01 10:00');
SELECT execreport.start_rollout(users => '{ana,bob}', now => '2026-01-01 10:00');
SELECT execreport.start_rollout('mine', '{ana}', '{reportsApiEnabled}');
SELECT execreport.advance_rollout(now => '2026-01-01 09:59');
SELECT execreport.advance_rollout(now => '2026-01-01 10:01');
SELECT pg_temp.on_for();
SELECT execreport.advance_rollout(now => '2026-01-01 10:15:59.999999');
SELECT execreport.advance_rollout(now => '2026-01-01 10:16');           -- no verdict
SELECT pg_temp.verdict('error_rate', '2026-01-01 10:00', 'ok');           -- of a window before the phase
SELECT pg_temp.verdict('error_rate', '2026-01-01 10:05', 'insufficient'), pg_temp.verdict('health_check', '2026-01-01 10:10', 'ok');
SELECT execreport.advance_rollout(now => '2026-01-01 10:16');
SELECT pg_temp.verdict('error_rate', '2026-01-01 10:10', 'ok');
SELECT execreport.advance_rollout(now => '2026-01-01 10:16');
SELECT pg_temp.on_for();
-- on hold: nothing grows, and what was seen before does not count afterwards
SELECT pg_temp.verdict('error_rate', '2026-01-01 10:20', 'ok');
SELECT execreport.hold(reason => 'lunch', now => '2026-01-01 10:47');
SELECT execreport.hold(reason => 'lunch', now => '2026-01-01 10:47');
SELECT execreport.advance_rollout(now => '2026-01-01 10:48');
SELECT execreport.enable_for_percentage(50);
SELECT execreport.enable_by_tenant_size('large', '{masterReportsEnabled}');
SELECT flag, note FROM execreport.enable_for_team('{ana}');
SELECT execreport.continue_rollout('masterReportsEnabled', now => '2026-01-01 11:00');
SELECT execreport.continue_rollout(now => '2026-01-01 11:00');
SELECT execreport.advance_rollout(now => '2026-01-01 11:01');
SELECT execreport.advance_rollout(now => '2026-01-01 11:30');
-- a breach, in one tenant, is the last word of that guard there
SELECT pg_temp.verdict('error_rate', '2026-01-01 11:00', 'ok'), pg_temp.verdict('error_rate', '2026-01-01 11:05', 'breach', 530);
SELECT execreport.advance_rollout(now => '2026-01-01 11:30');
SELECT pg_temp.verdict('error_rate', '2026-01-01 11:10', 'ok', 530);
-- a kill switch: everywhere, or in a tenant since the rollout began
SELECT execreport.set_kill_switch('masterReportsEnabled', true, 'slow', 530);
SELECT execreport.advance_rollout(now => '2026-01-01 11:30');
SELECT execreport.set_kill_switch('masterReportsEnabled', true, 'slow');
SELECT execreport.advance_rollout(now => '2026-01-01 11:30');
SELECT execreport.set_kill_switch('masterReportsEnabled', false, 'slow'), execreport.set_kill_switch('masterReportsEnabled', false, 'slow', 530);
SELECT execreport.advance_rollout('reportsApiEnabled', now => '2026-01-01 11:30');
SELECT pg_temp.on_for();
SELECT rollout, flag, phase, status, since, reaches, percentage, tenants, share, last_decision, last_decision_at, last_verdict, next_phase, next_at, waits_for
  FROM execreport.rollout_status('2026-01-01 11:40');
-- rolled back, resumed, cooling down
SELECT execreport.emergency_rollback('exec-reports', NULL, 'test') IS NOT NULL AS ok;
SELECT execreport.advance_rollout(now => '2026-01-01 12:00');
SELECT execreport.enable_for_percentage(50, '{execReportsEnabled}');
SELECT execreport.resume('execReportsEnabled', 'fixed');
UPDATE execreport.flag_latches SET rolled_back_at = '2026-01-01 11:40', resumed_at = '2026-01-01 11:45';
SELECT execreport.advance_rollout(now => '2026-01-01 12:00');
SELECT execreport.enable_for_percentage(50, '{execReportsEnabled}', '2026-01-01 12:14:59');
SELECT flag, note FROM execreport.enable_for_team('{ana}', '{execReportsEnabled}', '2026-01-01 12:14:59');
SELECT flag, next_at, waits_for FROM execreport.rollout_status('2026-01-01 12:00');
-- without verdicts
SET LOCAL execreport.rollout_require_verdict = off;
SELECT execreport.advance_rollout(reason => 'looks good', now => '2026-01-01 12:15');
SELECT pg_temp.on_for();
SELECT execreport.advance_rollout(now => '2026-01-01 12:45');
SELECT pg_temp.on_for();
SELECT execreport.advance_rollout(now => '2026-01-01 13:30');
SELECT execreport.hold(now => '2026-01-01 13:30');
SELECT execreport.abort(reason => 'customers complain', now => '2026-01-01 13:40');
SELECT execreport.abort(reason => 'customers complain', now => '2026-01-01 13:40');
SELECT execreport.advance_rollout(now => '2026-01-01 20:00');
SELECT execreport.continue_rollout(now => '2026-01-01 20:00');
SELECT execreport._advance_due_rollouts('2026-01-02');
SELECT pg_temp.on_for(), pg_temp.on_for(user_id => 'ana') AS ana;
SELECT rollout, flag, phase, status, reaches, last_decision, waits_for FROM execreport.rollout_status('2026-01-01 20:00');
RESET execreport.rollout_require_verdict;

-- what the record says
SELECT entity_type, action, previous_value ->> 'phase' AS before, previous_value ->> 'status' AS was, new_value ->> 'phase' AS after,
       new_value ->> 'status' AS is, reason
  FROM execreport.audit_logs WHERE created_at = now() AND entity_type = 'rollout' ORDER BY audit_id;
SELECT action, previous_value, new_value, reason, metadata
  FROM execreport.audit_logs WHERE created_at = now() AND entity_type = 'feature_flag' AND entity_id = 'masterReportsEnabled' ORDER BY audit_id;
SELECT channel, severity, message FROM execreport.notifications WHERE message LIKE 'rollout%' ORDER BY notification_id;

-- a plan of one's own, for any flag, by itself
SELECT execreport.start_rollout('reportsUiEnabled', automatic => true, now => '2026-02-01', stages =>
    '[{"percentage": 1, "hold": "0"}, {"phase": "friends", "users": ["eve"], "size": "small", "hold": "1 hour"}, {"phase": "watch", "hold": "1 day"}, {"percentage": 12.5, "hold": "0"}]');
SELECT stage, phase, users, percentage, max_size, minimum_hold FROM execreport.rollout_stages WHERE rollout = 'reportsUiEnabled' ORDER BY stage;
SELECT group_id FROM execreport.flag_rollouts WHERE flag = 'reportsUiEnabled';
SELECT execreport._advance_due_rollouts('2026-02-01'), execreport._advance_due_rollouts('2026-02-01');
SELECT execreport._advance_due_rollouts('2026-02-01 00:59');
SELECT execreport._advance_due_rollouts('2026-02-01 01:00');      -- no guard watches the flag: nothing to wait for
SELECT execreport._advance_due_rollouts('2026-02-02 00:59');
SELECT phase, status, reaches, next_phase, next_at FROM execreport.rollout_status('2026-02-02') WHERE flag = 'reportsUiEnabled';
SELECT execreport.set_kill_switch('reportsUiEnabled', true, 'test');
SELECT execreport._advance_due_rollouts('2026-02-02 01:00');
SELECT phase, status, last_decision, waits_for FROM execreport.rollout_status('2026-02-02 01:00') WHERE flag = 'reportsUiEnabled';
SELECT execreport.set_kill_switch('reportsUiEnabled', false, 'test');
SELECT execreport._advance_due_rollouts('2026-02-03');
SELECT execreport._advance_due_rollouts('2026-02-03 01:01'), execreport._advance_due_rollouts('2026-02-03 01:02');
SELECT severity, message FROM execreport.notifications WHERE message LIKE 'rollout%waiting%' ORDER BY notification_id;
SELECT execreport.continue_rollout('reportsUiEnabled', now => '2026-02-03');
SELECT execreport._advance_due_rollouts('2026-02-04');
SELECT phase, status, reaches, next_phase, next_at FROM execreport.rollout_status('2026-02-04') WHERE flag = 'reportsUiEnabled';
-- completed and started again: it only grows
SELECT execreport.start_rollout('reportsUiEnabled', stages => '[{"percentage": 5, "hold": "1 hour"}, {"percentage": 50, "hold": "0"}]', now => '2026-03-01');
SELECT users, percentage, max_size FROM execreport.flag_rollouts WHERE flag = 'reportsUiEnabled';

-- plans that are refused
SELECT execreport.start_rollout('councilSynthesisEnabled', stages => plan::jsonb) FROM unnest(ARRAY['[]']) AS plan;
SELECT execreport.start_rollout('councilSynthesisEnabled', stages => '"team"');
SELECT execreport.start_rollout('councilSynthesisEnabled', stages => '[5]');
SELECT execreport.start_rollout('councilSynthesisEnabled', stages => '[{"percent": 5, "hold": "0"}]');
SELECT execreport.start_rollout('councilSynthesisEnabled', stages => '[{"percentage": 5}]');
SELECT execreport.start_rollout('councilSynthesisEnabled', stages => '[{"percentage": 5, "hold": "soon"}]');
SELECT execreport.start_rollout('councilSynthesisEnabled', stages => '[{"percentage": 5, "hold": "-1 hour"}]');
SELECT execreport.start_rollout('councilSynthesisEnabled', stages => '[{"percentage": 5, "hold": "15"}]');
SELECT execreport.start_rollout('councilSynthesisEnabled', stages => '[{"percentage": 5, "hold": 15.5}]');
SELECT execreport.start_rollout('councilSynthesisEnabled', stages => '[{"percentage": "5", "hold": "0"}]');
SELECT execreport.start_rollout('councilSynthesisEnabled', stages => '[{"percentage": 25, "hold": "0"}, {"percentage": 5, "hold": "0"}]');
SELECT execreport.start_rollout('councilSynthesisEnabled', stages => '[{"size": "large", "hold": "0"}, {"size": "small", "hold": "0"}]');
SELECT execreport.start_rollout('councilSynthesisEnabled', stages => '[{"percentage": 5, "hold": "0"}, {"percentage": 5, "hold": "0"}]');
SELECT execreport.start_rollout('councilSynthesisEnabled', stages => '[{"users": "ana", "hold": "0"}]');
SELECT execreport.start_rollout('councilSynthesisEnabled', stages => '[{"users": ["ana", 5], "hold": "0"}]');
SELECT execreport.start_rollout('nope', '{ana}');
SELECT execreport.start_rollout('', '{ana}');
SELECT execreport.start_rollout(NULL, '{ana}');
SELECT count(*) AS none FROM execreport.rollouts WHERE rollout = 'councilSynthesisEnabled';

-- what support sees
SELECT flag, note FROM execreport.enable_by_tenant_size('small', '{consolidationEnabled}', '2026-01-05') ORDER BY 1;
SELECT flag, note FROM execreport.enable_for_percentage(12, '{consolidationEnabled}', '2026-01-06') ORDER BY 1;
SELECT flag, note FROM execreport.enable_for_percentage(25, '{consolidationEnabled}', '2026-01-07') ORDER BY 1;
UPDATE execreport._tenants SET created_at = '2025-01-01';
SELECT t.tenant_id, f.available, f.why, f.since, f.percentage, f.bucket
  FROM (VALUES (520), (535), (523), (522)) AS t (tenant_id), LATERAL execreport.feature_availability(t.tenant_id) AS f
 WHERE f.flag = 'consolidationEnabled' ORDER BY 1;
UPDATE execreport._tenants SET created_at = '2026-06-01' WHERE tenant_id = 535;
SELECT execreport.update_flags(523, '{"execReportsEnabled": true}') IS NOT NULL AS ok;
SELECT execreport.set_kill_switch('consolidationEnabled', true, 'wrong figures', 522), execreport.set_kill_switch('masterReportsEnabled', true, 'slow');
SET LOCAL execreport.feature_flags = 'councilSynthesisEnabled=true';
SELECT flag, available, why, since = now() AS just_now, percentage, bucket FROM execreport.feature_availability(523);
SELECT flag, available, why FROM execreport.feature_availability(522) WHERE flag = 'consolidationEnabled';
SELECT since FROM execreport.feature_availability(535) WHERE flag = 'consolidationEnabled';
SELECT execreport.feature_availability(NULL);
SELECT execreport.feature_availability(9520);

-- who may
CREATE ROLE er_rollout_admin;
SELECT execreport.grant_access('er_rollout_admin', 520, 'admin');
SET ROLE er_rollout_admin;
SELECT execreport.enable_for_team('{ana}');
SELECT execreport.enable_for_percentage(5);
SELECT execreport.enable_by_tenant_size('small');
SELECT execreport.start_rollout();
SELECT execreport.advance_rollout();
SELECT execreport.hold();
SELECT execreport.continue_rollout();
SELECT execreport.abort();
SELECT * FROM execreport.rollout_status();
SELECT execreport._widen_rollout('{execReportsEnabled}', NULL, 100, NULL, 'x', NULL, NULL, now());
SELECT execreport._advance_due_rollouts(now());
SELECT (SELECT count(*) FROM execreport.rollouts) + (SELECT count(*) FROM execreport.rollout_stages) + (SELECT count(*) FROM execreport.rollout_decisions) AS seen;
SELECT flag, available, why FROM execreport.feature_availability(520) WHERE flag = 'consolidationEnabled';
SELECT execreport.feature_availability(521);
RESET ROLE;
ROLLBACK;
\unset ON_ERROR_ROLLBACK
