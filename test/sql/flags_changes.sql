\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET intervalstyle = 'postgres';
-- Everything here counts for every tenant, so nothing of it stays. change_id is not printed: each change has a name of its own.
BEGIN;
\set ON_ERROR_ROLLBACK on
DELETE FROM execreport._tenants;
DELETE FROM execreport.notifications;
DELETE FROM execreport.flag_changes;
CREATE FUNCTION pg_temp.named(reason text) RETURNS uuid LANGUAGE sql AS
$$ SELECT change_id FROM execreport.flag_changes AS c WHERE c.reason = named.reason ORDER BY change_id DESC LIMIT 1 $$;
CREATE FUNCTION pg_temp.attempt(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer text; detail text; hint text;
BEGIN
    EXECUTE statement INTO answer;
    RETURN answer;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN regexp_replace(concat_ws(E'\n', SQLSTATE || ': ' || SQLERRM, detail, hint), '[0-9a-f-]{36}', 'ID', 'g');
END
$$;

-- scheduled: what cannot be done is refused now
SELECT execreport.schedule_flag_change('reportsUiEnabled', '{"percentage": 25}', '2026-01-07 09:00', 'wave two', '2026-01-01') = pg_temp.named('wave two') AS ok;
SELECT execreport.schedule_flag_change('reportsUiEnabled', '{"users": ["ana"], "percentage": 10, "size": "small"}', '2026-01-06 09:00', 'wave one', '2026-01-01') IS NOT NULL AS ok;
SELECT execreport.schedule_flag_change('reportsUiEnabled', '{"percentage": 20}', '2026-01-08 09:00', 'too small by then', '2026-01-01') IS NOT NULL AS ok;
SELECT execreport.schedule_flag_change('reportsUiEnabled', '{"percentage": 30, "flags": ["reportsUiEnabled", "consolidationEnabled"]}', '2026-01-08 09:00', 'two flags', '2026-01-01') IS NOT NULL AS ok;
SELECT execreport.schedule_flag_change('reportsUiEnabled', '{"percentage": 90}', '2026-01-09 09:00', 'taken back', '2026-01-01') IS NOT NULL AS ok;
SELECT execreport.schedule_flag_change('newCheckout', '{"description": "the new checkout"}', '2026-01-06 09:00', 'defined later', '2026-01-01') IS NOT NULL AS ok;
SELECT execreport.schedule_flag_change('reportsUiEnabled', '{"percentage": "x"}', '2026-01-08', now => '2026-01-01');
SELECT execreport.schedule_flag_change('reportsUiEnabled', '{"percentage": 101}', '2026-01-08', now => '2026-01-01');
SELECT execreport.schedule_flag_change('reportsUiEnabled', '{"percentage": null}', '2026-01-08', now => '2026-01-01');
SELECT execreport.schedule_flag_change('reportsUiEnabled', '{"percentage": 5, "foo": 1}', '2026-01-08', now => '2026-01-01');
SELECT execreport.schedule_flag_change('reportsUiEnabled', '{"users": "ana"}', '2026-01-08', now => '2026-01-01');
SELECT execreport.schedule_flag_change('reportsUiEnabled', '{"size": "tiny"}', '2026-01-08', now => '2026-01-01');
SELECT execreport.schedule_flag_change('reportsUiEnabled', '{"flags": ["reportsUiEnabled"]}', '2026-01-08', now => '2026-01-01');
SELECT execreport.schedule_flag_change('nope', '{"percentage": 5}', '2026-01-08', now => '2026-01-01');
SELECT execreport.schedule_flag_change('nope', '{"advance": true}', '2026-01-08', now => '2026-01-01');
SELECT execreport.schedule_flag_change('nope', '{"advance": false}', '2026-01-08', now => '2026-01-01');
SELECT execreport.schedule_flag_change('reportsUiEnabled', '{"percentage": 5}', '2026-01-01', now => '2026-01-01');
SELECT execreport.schedule_flag_change('reportsUiEnabled', '{"percentage": 5}', 'infinity', now => '2026-01-01');
SELECT execreport.schedule_flag_change('reportsUiEnabled', '{"percentage": 5}', NULL, now => '2026-01-01');
SELECT execreport.schedule_flag_change('reportsUiEnabled', '[]', '2026-01-08', now => '2026-01-01');
SELECT execreport.schedule_flag_change('reportsUiEnabled', '{}', '2026-01-08', now => '2026-01-01');
SELECT execreport.schedule_flag_change('reportsUiEnabled', NULL, '2026-01-08', now => '2026-01-01');
SELECT execreport.schedule_flag_change('', '{"percentage": 5}', '2026-01-08', now => '2026-01-01');
SELECT execreport.schedule_flag_change(NULL, '{"percentage": 5}', '2026-01-08', now => '2026-01-01');
SELECT execreport.cancel_flag_change(pg_temp.named('taken back'), 'not now'), execreport.cancel_flag_change(pg_temp.named('taken back'));
SELECT count(*) AS flags_so_far FROM execreport.flag_definitions WHERE key = 'newCheckout';
SELECT execreport._apply_due_changes('2026-01-06 08:59');
SELECT execreport._apply_due_changes('2026-01-06 09:00');
SELECT flag, users, percentage, max_size FROM execreport.flag_rollouts WHERE percentage > 0 ORDER BY flag;
SELECT execreport._apply_due_changes('2026-01-31'), execreport._apply_due_changes('2026-01-31');
SELECT flag, users, percentage, max_size FROM execreport.flag_rollouts WHERE percentage > 0 ORDER BY flag;
SELECT reason, key, change, status, apply_at, applied_at, error FROM execreport.flag_changes ORDER BY apply_at, change_id;
SELECT key, document FROM execreport.flag_definitions WHERE key = 'newCheckout';
SELECT pg_temp.attempt($$SELECT execreport.cancel_flag_change(pg_temp.named('wave one'))$$);
SELECT pg_temp.attempt($$SELECT execreport.approve_flag_change(pg_temp.named('wave one'))$$);
SELECT pg_temp.attempt($$SELECT execreport.reject_flag_change(pg_temp.named('wave one'))$$);
SELECT execreport.cancel_flag_change('01a1fd20-90d8-7aaa-a3fa-783b376063d8');
SELECT execreport.approve_flag_change(NULL);
-- a rollout's step
SELECT execreport.start_rollout(users => '{ana}', now => '2026-02-01') IS NOT NULL AS ok;
SELECT execreport.schedule_flag_change('reports', '{"advance": true}', '2026-02-02', 'monday', '2026-02-01') IS NOT NULL AS ok;
SELECT execreport._apply_due_changes('2026-02-02');
SELECT stage, status, stage_since FROM execreport.rollouts WHERE rollout = 'reports';

-- four eyes; what was scheduled before waits, too
SELECT execreport.schedule_flag_change('reportsUiEnabled', '{"percentage": 31}', '2026-02-03', 'from before', '2026-02-02') IS NOT NULL AS ok;
SET LOCAL execreport.require_approval = on;
SELECT execreport._apply_due_changes('2026-02-03');
SELECT status, execreport.reject_flag_change(change_id) FROM execreport.flag_changes WHERE reason = 'from before';
SELECT flag, reaches, regexp_replace(note, '[0-9a-f-]{36}', 'ID') AS note FROM execreport.enable_for_percentage(50, '{consolidationEnabled}');
SELECT flag, reaches, regexp_replace(note, '[0-9a-f-]{36}', 'ID') AS note FROM execreport.enable_for_percentage(50, '{consolidationEnabled}');
SELECT flag, note FROM execreport.enable_for_percentage(30, '{consolidationEnabled}');
SELECT execreport.enable_for_percentage(20, '{consolidationEnabled}');
SELECT execreport.enable_for_percentage(20, '{nope}');
SELECT regexp_replace(execreport.start_rollout('mine', '{ana}', '{councilSynthesisEnabled}', reason => 'mine'), '[0-9a-f-]{36}', 'ID');
SELECT execreport.start_rollout('other', '{ana}', '{execReportsEnabled}');
SELECT execreport.advance_rollout(now => '2026-02-02 00:01');
SET LOCAL execreport.rollout_require_verdict = off;
SELECT regexp_replace(execreport.advance_rollout(reason => 'step', now => '2026-02-02 00:15'), '[0-9a-f-]{36}', 'ID');
SELECT execreport.schedule_flag_change('reportsUiEnabled', '{"percentage": 50}', '2026-03-01', 'later', '2026-02-02') IS NOT NULL AS ok;
SELECT execreport.request_flag_change('reportsUiEnabled', '{"percentage": 40}', 'stale') IS NOT NULL AS ok;
SELECT reason, key, change, previous, status, apply_at FROM execreport.flag_changes WHERE status = 'requested' ORDER BY change_id;
SELECT execreport._apply_due_changes('2026-12-31');
SET LOCAL client_min_messages = warning;      -- the notices name the changes
SELECT execreport.define_flag('newCheckout', '{"rules": [{"segments": ["staff"]}]}');
SELECT execreport.define_segment('staff', '{"constraints": [{"contextName": "plan", "operator": "IN", "values": ["staff"]}]}');
SELECT execreport.define_flag('newCheckout', '{"rules": [{"percentage": 50}], "description": "half"}');
SELECT execreport.define_flag('newCheckout', '{"rules": [{"percentage": 50}], "description": "half"}');
SELECT execreport.define_flag('newCheckout', '{"rules": [{"percentage": 500}]}');
SET LOCAL client_min_messages = notice;
SELECT key, change, previous, status FROM execreport.flag_changes WHERE status = 'requested' AND reason IS NULL AND key <> 'consolidationEnabled' ORDER BY change_id;
SELECT document FROM execreport.flag_definitions WHERE key = 'newCheckout';
-- not by who asked: neither with another name nor with another role
SELECT pg_temp.attempt($$SELECT execreport.approve_flag_change(pg_temp.named('step'))$$);
SET LOCAL execreport.user_id = 'somebody else';
SELECT pg_temp.attempt($$SELECT execreport.approve_flag_change(pg_temp.named('step'))$$);
RESET execreport.user_id;
CREATE ROLE er_changes_second SUPERUSER;
SET SESSION AUTHORIZATION er_changes_second;
SET LOCAL execreport.user_id = 'postgres';
SELECT pg_temp.attempt($$SELECT execreport.approve_flag_change(pg_temp.named('step'))$$);
SET LOCAL execreport.user_id = 'eve';
SELECT execreport.approve_flag_change(pg_temp.named('step'), 'seen', '2026-02-02 00:14');      -- too early: it goes on waiting
SELECT pg_temp.attempt($$SELECT execreport.approve_flag_change(pg_temp.named('step'), 'seen', '2026-02-02 00:20')$$);
SELECT pg_temp.attempt($$SELECT execreport.approve_flag_change(pg_temp.named('step'), 'seen', '2026-02-02 00:20')$$);
SELECT execreport.approve_flag_change(pg_temp.named('later'), 'seen', '2026-02-03');
SELECT execreport._apply_due_changes('2026-03-01');
SELECT pg_temp.attempt($$SELECT execreport.approve_flag_change(pg_temp.named('stale'))$$);
SELECT execreport.reject_flag_change(pg_temp.named('stale'), 'too small'), execreport.reject_flag_change(pg_temp.named('stale'));
SELECT execreport.approve_flag_change(pg_temp.named('mine'), 'good');
SELECT key, execreport.approve_flag_change(change_id) FROM execreport.flag_changes WHERE status = 'requested' AND key IN ('newCheckout', 'staff') ORDER BY change_id;
SELECT key, document, version FROM execreport.flag_definitions WHERE key = 'newCheckout' UNION ALL SELECT key, document, version FROM execreport.flag_segments WHERE key = 'staff';
-- what turns something off waits for nobody
SELECT execreport.hold() IS NOT NULL AS ok, execreport.abort('mine') IS NOT NULL AS ok, execreport.set_kill_switch('reportsUiEnabled', true, 'test');
RESET SESSION AUTHORIZATION;
RESET execreport.user_id;
SELECT reason, status, requested_by, requested_role, decided_by, decided_role, decided_at = now() AS just_now, decision_reason
  FROM execreport.flag_changes WHERE status <> 'failed' AND decided_by = 'eve' ORDER BY change_id;
SELECT rollout, stage, status FROM execreport.rollouts ORDER BY rollout;

-- an admin of the tenant that the requester worked for approves, too
SELECT tenant_id FROM execreport.create_tenant(538) UNION ALL SELECT tenant_id FROM execreport.create_tenant(539);
CREATE ROLE er_changes_admin; CREATE ROLE er_changes_other; CREATE ROLE er_changes_editor;
SELECT execreport.grant_access('er_changes_admin', 538, 'admin');
SELECT execreport.grant_access('er_changes_editor', 538, 'editor');
SELECT execreport.grant_access('er_changes_other', 539, 'admin');
SET LOCAL execreport.tenant_id = 538;
SELECT execreport.request_flag_change('reportsUiEnabled', '{"percentage": 60}', 'by an admin') IS NOT NULL AS ok;
SELECT execreport.request_flag_change('newCheckout', '{"description": "a third one"}', 'definition') IS NOT NULL AS ok;
RESET execreport.tenant_id;
SET SESSION AUTHORIZATION er_changes_other;
SELECT count(*) AS seen FROM execreport.flag_changes;
RESET SESSION AUTHORIZATION;
SELECT pg_temp.named('by an admin') AS id \gset
SET SESSION AUTHORIZATION er_changes_other;
SELECT left(execreport.approve_flag_change(:'id'), 0);
SET SESSION AUTHORIZATION er_changes_editor;
SELECT left(execreport.approve_flag_change(:'id'), 0);
SELECT execreport.request_flag_change('reportsUiEnabled', '{"percentage": 70}');
SELECT execreport.schedule_flag_change('reportsUiEnabled', '{"percentage": 70}', '2030-01-01');
SELECT execreport._apply_flag_change('reportsUiEnabled', '{"percentage": 100}', NULL, true, now());
SELECT execreport._apply_due_changes('2030-01-01');
SET SESSION AUTHORIZATION er_changes_admin;
SELECT count(*) AS seen FROM execreport.flag_changes;
SELECT execreport.approve_flag_change(:'id', 'good');
SELECT execreport.approve_flag_change(change_id) FROM execreport.flag_changes WHERE reason = 'definition';
RESET SESSION AUTHORIZATION;
SELECT document, version FROM execreport.flag_definitions WHERE key = 'newCheckout';
SELECT percentage FROM execreport.flag_rollouts WHERE flag = 'reportsUiEnabled';

-- what the record says
SELECT action, previous_value, new_value, reason, metadata, user_id
  FROM execreport.audit_logs WHERE created_at = now() AND entity_type = 'flag_change' ORDER BY audit_id;
SELECT severity, message FROM execreport.notifications WHERE message NOT LIKE 'rollout %' ORDER BY notification_id;
ROLLBACK;
\unset ON_ERROR_ROLLBACK
