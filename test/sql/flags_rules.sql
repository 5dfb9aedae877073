\set SHOW_CONTEXT never
-- definitions: new flags, built-in ones, the same again, what is faulty
SELECT tenant_id FROM execreport.create_tenant(510, 'Small', 'small');
SELECT tenant_id FROM execreport.create_tenant(511, 'Large', 'large');
SET execreport.tenant_id = 510;
SELECT execreport.define_flag('rulesNew', '{"description": "charts", "rules": [{"percentage": 30, "stickiness": "tenantId"}]}');
SELECT execreport.define_flag('rulesNew', '{"description": "charts", "rules": [{"percentage": 30, "stickiness": "tenantId"}]}') AS same;
SELECT key, default_enabled, refusal, description, builtin FROM execreport.flags WHERE key = 'rulesNew';
SELECT execreport.is_flag_enabled(t, 'rulesNew'), execreport.flag_bucket('rulesNew', t::text) FROM unnest(ARRAY[510, 511, 512]) AS t;
SELECT execreport.require_flag(510, 'rulesNew');
SELECT * FROM execreport.evaluate_flag('rulesNew', 'false', '{"tenantId": 512}');
SELECT execreport.define_flag('rulesNew', '{"default": true, "refusal": "not yet"}') AS version;
SELECT key, default_enabled, refusal FROM execreport.flags WHERE key = 'rulesNew';
SELECT * FROM execreport.evaluate_flag('rulesNew', 'false', '{"tenantId": 511}');
SELECT execreport.define_flag('reportsUiEnabled', '{"default": true}') AS version;
SELECT execreport.is_flag_enabled(510, 'reportsUiEnabled') AS on, default_enabled FROM execreport.flags WHERE key = 'reportsUiEnabled';
SELECT execreport.define_flag('reportsUiEnabled', '{}') AS version;
SELECT execreport.is_flag_enabled(510, 'reportsUiEnabled') AS on;

SELECT execreport.define_flag('rulesBad', '{"rules": [{"percent": 5}, {"percentage": 101}, {"constraints": [{"operator": "IN"}, {"contextName": "x", "operator": "LIKE", "value": "a"}]}], "enabled": true}');
SELECT execreport.define_flag('rulesBad', '[]');
SELECT execreport.define_flag('rulesBad', NULL);
SELECT execreport.define_flag(NULL, '{}');
SELECT execreport.define_flag('two words', '{}');
SELECT execreport.define_flag('', '{}');
SELECT execreport.define_flag('rulesBad', '{"rules": [{"percentage": 0.5}, {"segments": ["nobody"], "constraints": [
    {"contextName": "x", "operator": "NUM_GT", "value": "many"}, {"contextName": "x", "operator": "NUM_GT", "value": 5},
    {"contextName": "x", "operator": "DATE_AFTER", "value": "2026-02-30T00:00:00Z"}, {"contextName": "x", "operator": "SEMVER_EQ", "value": "v1.2"},
    {"contextName": "x", "operator": "REGEX", "value": "(a"}, {"contextName": "x", "operator": "CIDR", "values": ["10.0.0.0/8", "10.0.0.0/33"]}]}],
  "variants": [{"name": "a", "weight": 0}, {"name": "a", "weight": 0}], "offVariant": "b", "prerequisites": [{"flag": "nothing"}]}');
SELECT execreport.define_flag('rulesBad', '{"algorithm": "flagd", "rules": [{"percentage": 0.0005}]}');
SELECT count(*) AS stored FROM execreport.flag_definitions WHERE key = 'rulesBad';

-- segments
SELECT execreport.define_segment('rulesStaff', '{"constraints": [{"contextName": "email", "operator": "STR_ENDS_WITH", "values": ["@EXAMPLE.com"], "caseInsensitive": true}]}');
SELECT execreport.define_flag('rulesStaffOnly', '{"rules": [{"segments": ["rulesStaff"], "constraints": [{"contextName": "configurationId", "operator": "IN", "values": [7, "8"]}]}]}');
SELECT context ->> 'email' AS email, context ->> 'configurationId' AS configuration, e.value, e.reason
  FROM unnest(ARRAY['{"email": "ana@example.com", "configurationId": 7}', '{"email": "ana@example.com", "configurationId": 9}', '{"email": "eve@example.org", "configurationId": 8}',
                    '{"properties": {"email": "bob@Example.com"}, "configurationId": "8"}', '{}']::jsonb[]) WITH ORDINALITY AS c (context, n),
       execreport.evaluate_flag('rulesStaffOnly', 'false', context) AS e ORDER BY n;
SET execreport.context = '{"email": "ana@example.com"}';
SELECT execreport._flag_enabled(510, 'rulesStaffOnly', NULL, 7), execreport._flag_enabled(510, 'rulesStaffOnly', NULL, 9), execreport._flag_enabled(510, 'rulesStaffOnly', NULL, NULL);
SELECT execreport._require_flag(510, 'rulesStaffOnly', NULL, 9);
SELECT execreport._require_flag(510, 'rulesStaffOnly', NULL, 8) IS NOT NULL AS on;
RESET execreport.context;
SELECT execreport.define_segment('rulesStaff', '{"constraints": []}');
SELECT execreport.define_segment('rulesStaff', '{"constraints": [{"contextName": "x", "operator": "NUM_EQ", "value": "x"}]}');
SELECT execreport.drop_segment('rulesStaff');
SELECT execreport.drop_segment('nothing');

-- prerequisites
SELECT execreport.define_flag('rulesParent', '{"variants": [{"name": "a", "value": 1}], "default": true}');
SELECT execreport.define_flag('rulesChild', '{"default": true, "prerequisites": [{"flag": "rulesParent", "variants": ["a"]}]}');
SELECT execreport.is_flag_enabled(510, 'rulesChild');
SELECT execreport.define_flag('rulesParent', '{"prerequisites": [{"flag": "rulesChild"}]}');
SELECT execreport.define_flag('rulesSelf', '{"prerequisites": [{"flag": "rulesSelf"}]}');
SELECT execreport.define_flag('rulesGrandchild', '{"default": true, "prerequisites": [{"flag": "rulesChild"}]}');
SELECT execreport.define_flag('rulesParent', '{"prerequisites": [{"flag": "rulesGrandchild"}]}');
SELECT execreport.update_flags(510, '{"rulesParent": false}') ->> 'rulesGrandchild' AS grandchild;
SELECT * FROM execreport.evaluate_flag('rulesGrandchild', 'true', '{}');
SELECT execreport.require_flag(510, 'rulesGrandchild');
SELECT execreport.is_flag_enabled(511, 'rulesGrandchild');
SELECT execreport.update_flags(510, '{"rulesParent": null}') ->> 'rulesGrandchild' AS grandchild;

-- variants of any JSON type; overrides; a variant while off; a rule's own
SELECT execreport.define_flag('rulesColour', '{"rules": [{"constraints": [{"contextName": "beta", "operator": "IN", "values": ["true"]}], "variants": [{"name": "beta", "value": ["b"]}]},
    {"percentage": 100, "stickiness": "userId"}],
  "variants": [{"name": "blue", "weight": 600, "value": {"rgb": "00f"}}, {"name": "red", "weight": 400, "value": 7, "overrides": [{"contextName": "country", "values": ["FR"]}]},
               {"name": "none", "weight": 0, "value": null}], "offVariant": "none"}');
SELECT c.context, e.value, e.variant, e.reason, e.error_code, e.metadata
  FROM unnest(ARRAY['{"targetingKey": "u1"}', '{"targetingKey": "u2"}', '{"targetingKey": "u2", "country": "FR"}', '{"beta": true}', '{}']::jsonb[]) WITH ORDINALITY AS c (context, n),
       execreport.evaluate_flag('rulesColour', NULL, context) AS e ORDER BY n;
SELECT n, execreport.flag_variant_bucket('rulesColour', 'u' || n, 1000) FROM generate_series(1, 2) AS n;
SELECT value, error_code, error_message FROM execreport.evaluate_flag('rulesColour', '"text"', '{"targetingKey": "u1"}');
SELECT execreport.set_kill_switch('rulesColour', true, 'test');
SELECT * FROM execreport.evaluate_flag('rulesColour', '{}', '{"targetingKey": "u1"}');
SELECT execreport.set_kill_switch('rulesColour', false, 'test');
SELECT execreport.ofrep('rulesColour', '{"targetingKey": "u1"}');
SELECT execreport.ofrep('nothing', '{}');
SELECT execreport.ofrep('rulesColour', '{"tenantId": "x"}');

-- dealing everybody anew takes an explicit word, and is recorded
SELECT execreport.define_flag('rulesDealt', '{"rules": [{"percentage": 30}]}');
SELECT execreport.define_flag('rulesDealt', '{"rules": [{"percentage": 50}, {"percentage": 10, "stickiness": "tenantId"}]}') AS more;
SELECT execreport.define_flag('rulesDealt', '{"rules": [{"percentage": 50}], "algorithm": "flagd"}');
SELECT execreport.define_flag('rulesDealt', '{"rules": [{"percentage": 50}], "groupId": "other"}');
SELECT execreport.define_flag('rulesDealt', '{"rules": [{"percentage": 50}], "groupId": "other", "redeal": true}') AS redealt;
SELECT document, version FROM execreport.flag_definitions WHERE key = 'rulesDealt';

-- archive and restore
SELECT execreport.archive_flag('rulesParent', 'x');
SELECT execreport.archive_flag('rulesDealt', 'done');
SELECT execreport.archive_flag('rulesDealt', 'again');
SELECT execreport.is_flag_enabled(510, 'rulesDealt');
SELECT value, error_code, error_message FROM execreport.evaluate_flag('rulesDealt', 'true', '{}');
SELECT execreport.get_flags(510) ? 'rulesDealt' AS listed, execreport.get_flags(510) ? 'rulesChild' AS others;
SELECT execreport.update_flags(510, '{"rulesDealt": true}');
SELECT execreport.define_flag('rulesDealt', '{}');
SELECT execreport.define_flag('rulesChild', '{"prerequisites": [{"flag": "rulesDealt"}]}');
SELECT execreport.restore_flag('rulesDealt', 'back');
SELECT execreport.restore_flag('rulesDealt', 'again');
SELECT execreport.is_flag_enabled(510, 'rulesDealt', 'u1') IS NOT NULL AS known;
SELECT execreport.archive_flag('nothing', 'x');
SELECT execreport.archive_flag('execReportsEnabled', 'x');

-- feature_flags, as the rollback script writes it
SELECT tenant_id FROM execreport.create_tenant(512);
SET execreport.tenant_id = 512;
SELECT execreport.update_flags(512, '{"execReportsEnabled": true, "masterReportsEnabled": true, "consolidationEnabled": true}') IS NOT NULL AS ok;
BEGIN;
SET LOCAL search_path = execreport;
SELECT * FROM feature_flags WHERE tenant_id = 512;
UPDATE feature_flags
SET exec_reports_enabled = false,
    master_reports_enabled = false,
    reports_api_enabled = false,
    reports_ui_enabled = false
WHERE tenant_id = 512;
SELECT * FROM feature_flags WHERE tenant_id = 512;
COMMIT;
SELECT flag, enabled FROM execreport.flag_overrides WHERE tenant_id = 512 ORDER BY 1;
UPDATE execreport.feature_flags SET consolidation_enabled = NULL WHERE tenant_id = 512;
SELECT flag, enabled FROM execreport.flag_overrides WHERE tenant_id = 512 ORDER BY 1;
UPDATE execreport.feature_flags SET tenant_id = 1 WHERE tenant_id = 512;
SELECT action, previous_value, new_value, reason FROM execreport.audit_logs WHERE tenant_id = 512 AND entity_type = 'feature_flag' ORDER BY audit_id;
SELECT count(*) = (SELECT count(*) FROM execreport.tenants) AS one_row_each, bool_or(tenant_id = 1) AS first_too FROM execreport.feature_flags;
-- where it depends on who asks, nobody can say for the whole tenant; the script turns that off, too
BEGIN;
SELECT execreport.define_flag('execReportsEnabled', '{"rules": [{"constraints": [{"contextName": "userId", "operator": "IN", "values": ["ana"]}]}]}');
DELETE FROM execreport.flag_overrides WHERE tenant_id = 512;
SELECT execreport.refresh_flags();
SELECT exec_reports_enabled, execreport.is_flag_enabled(512, 'execReportsEnabled', 'ana') AS ana FROM execreport.feature_flags WHERE tenant_id = 512;
UPDATE execreport.feature_flags SET exec_reports_enabled = false WHERE tenant_id = 512;
SELECT exec_reports_enabled, execreport.is_flag_enabled(512, 'execReportsEnabled', 'ana') AS ana FROM execreport.feature_flags WHERE tenant_id = 512;
ROLLBACK;

-- stale flags
SELECT count(*) AS stale_today FROM execreport.stale_flags(30) WHERE key LIKE 'rules%' AND changed_at IS NOT NULL;
SELECT key, array_remove(reasons, 'not evaluated') AS reasons, version, changed_at IS NOT NULL AS changed FROM execreport.stale_flags(30, now() + interval '31 days') WHERE key LIKE 'rules%' ORDER BY key;
SELECT * FROM execreport.stale_flags(-1);
SELECT * FROM execreport.stale_flags(NULL);
SELECT * FROM execreport.stale_flags(now => NULL);

-- who may
CREATE ROLE er_rules_operator; CREATE ROLE er_rules_viewer;
SELECT execreport.grant_access('er_rules_operator', 510, 'operator'), execreport.grant_access('er_rules_viewer', 510, 'viewer');
RESET execreport.tenant_id;
SET ROLE er_rules_operator;
SELECT execreport.define_flag('rulesMine', '{}');
SELECT execreport.define_segment('rulesMine', '{"constraints": [{"contextName": "x", "operator": "IN", "values": []}]}');
SELECT execreport.drop_segment('rulesStaff');
SELECT execreport.archive_flag('rulesNew', 'x');
SELECT execreport.restore_flag('rulesNew', 'x');
SELECT execreport.refresh_flags();
SELECT * FROM execreport.stale_flags();
SELECT execreport._store_definition('rulesMine', '{}', NULL);
INSERT INTO execreport.flag_definitions (key, document) VALUES ('rulesMine', '{}');
SELECT (SELECT count(*) FROM execreport.flag_definitions) AS definitions, (SELECT count(*) FROM execreport.flag_segments) AS segments, (SELECT count(*) FROM execreport.flag_rollouts) AS rollouts;
SELECT value FROM execreport.evaluate_flag('rulesNew', 'false', '{}');
SELECT tenant_id FROM execreport.feature_flags;
UPDATE execreport.feature_flags SET reports_api_enabled = true WHERE tenant_id IN (510, 511);
SELECT tenant_id, reports_api_enabled FROM execreport.feature_flags;
RESET ROLE;
SET ROLE er_rules_viewer;
UPDATE execreport.feature_flags SET reports_api_enabled = false;
SELECT tenant_id, reports_api_enabled FROM execreport.feature_flags;
RESET ROLE;
SELECT action, entity_type, entity_id, previous_value, new_value, reason, metadata
  FROM execreport.audit_logs WHERE tenant_id = 510 AND entity_type IN ('feature_flag', 'flag_segment')
   AND action IN ('archive_flag', 'restore_flag', 'drop_segment', 'define_segment') OR entity_id = 'rulesDealt' ORDER BY audit_id;

-- leave the database as it was for others
SELECT execreport.revoke_access(r::name, 510) FROM unnest(ARRAY['er_rules_operator', 'er_rules_viewer']) AS r;
DROP ROLE er_rules_operator; DROP ROLE er_rules_viewer;
DELETE FROM execreport.flag_definitions WHERE key LIKE 'rules%' OR key = 'reportsUiEnabled';
DELETE FROM execreport.flag_segments WHERE key LIKE 'rules%';
DELETE FROM execreport.flags WHERE key LIKE 'rules%';
DELETE FROM execreport.flag_overrides WHERE tenant_id IN (510, 511, 512);
SELECT execreport.refresh_flags();
