\set SHOW_CONTEXT never
SET TimeZone = 'UTC'; SET DateStyle = 'ISO';
-- configurations: versions, hash, the gate, deletions
SELECT tenant_id FROM execreport.create_tenant(121, 'Configured');
SELECT tenant_id FROM execreport.create_tenant(122, 'Neighbour');
SET execreport.tenant_id = 121;
SET execreport.user_id = 'ana@example.com';

-- two spellings inside of two spellings: the work grows with the document, not with 2 to the power of its depth
CREATE FUNCTION pg_temp.twins(depth integer) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE one text := '[{"xY": 1}]'; two text := '[{"x_y": 1}]';
BEGIN
    FOR i IN 1 .. depth LOOP one := format('{"aB": %s, "a_b": %s}', one, two); two := format('{"a_b": %s}', two); END LOOP;
    RETURN one;
END $$;
SET statement_timeout = '10s';
SELECT execreport._snake_case(pg_temp.twins(2)), execreport._snake_case(pg_temp.twins(40)) = (repeat('{"a_b": ', 40) || '[{"x_y": 1}]' || repeat('}', 40))::jsonb AS deep;
RESET statement_timeout;

-- a new one, in camelCase; the hash is that of the canonical snake_case document
SELECT configuration_id, context_version, context_hash, name, brand, negative_scope, edit_reason, edited_by
  FROM execreport.save_configuration(NULL, '{"name": "US", "brand": {"name": "Acme", "revenueBand": "1M"}, "negativeScope": {"excludedKeywords": ["cheap"]}}');
SELECT context_hash = encode(sha256('{"name": "US", "brand": {"name": "Acme", "revenue_band": "1M"}, "negative_scope": {"excluded_keywords": ["cheap"]}}'), 'hex') AS hash
  FROM execreport.configurations WHERE configuration_id = 1;

-- the same again in another spelling, another order of keys, with nulls for what is absent: nothing changes
SELECT context_version FROM execreport.save_configuration(1, '{"negative_scope": {"excluded_keywords": ["cheap"]}, "name": "US", "brand": {"revenueBand": "1M", "revenue_band": "1M", "name": "Acme"}, "governance": null}', 'no change');
-- changed: the next version; the earlier one is kept
SELECT context_version, edit_reason, brand FROM execreport.save_configuration(1, '{"name": "US", "brand": {"name": "Acme", "revenueBand": "5M"}}', 'grown');
SELECT context_version, edit_reason FROM execreport.save_configuration(1, '{"name": "US", "brand": {"name": "Acme", "revenueBand": "9M"}}');
SELECT context_version, brand, negative_scope, edit_reason, edited_by FROM execreport.configuration_versions WHERE configuration_id = 1 ORDER BY 1;
SELECT action, entity_type, entity_id, user_id, previous_value -> 'contextVersion' AS before, new_value -> 'contextVersion' AS after, reason
  FROM execreport.audit_logs WHERE tenant_id = 121 ORDER BY audit_id;

-- what governance says about version and hash is not its to say
SELECT context_version, governance FROM execreport.save_configuration(NULL, '{"governance": {"contextHash": "x", "context_version": 9, "cmo_safe": true}}');
SELECT context_version, governance FROM execreport.save_configuration(2, '{"governance": {"contextHash": "y", "cmoSafe": true}}');

-- refused
SELECT execreport.save_configuration(1, NULL);
SELECT execreport.save_configuration(0, '{}');
SELECT execreport.save_configuration(1, '{}', 'why');
SELECT execreport.save_configuration(1, '[]');
SELECT execreport.save_configuration(1, '"x"');
SELECT execreport.save_configuration(1, '{"brands": {}}');
SELECT execreport.save_configuration(1, '{"brand": ["Acme"]}');
SELECT execreport.save_configuration(1, '{"brand": {"revenueBand": "1M", "revenue_band": "2M"}}');
SELECT execreport.save_configuration(1, '{"negativeScope": {"auditLog": [{"a": 1}, {"userId": 1, "user_id": [1]}]}}');
SELECT execreport.save_configuration(1, '{"negativeScope": {}, "negative_scope": {"excluded_keywords": []}}');
SELECT execreport.save_configuration(1, '{"negativeScope": {"keywordExclusions": [{"value": "a"}, {"value": "b", "expiresAt": "soon"}]}}');
SELECT execreport.save_configuration(1, '{"governance": {"contextValidUntil": "2026-02-30"}}');
SELECT execreport.save_configuration(1, '{"governance": {"validationStatus": "fine"}}');
SELECT context_version FROM execreport.configurations WHERE configuration_id = 1;

-- a number of one's own; numbers are never given twice
SELECT configuration_id FROM execreport.save_configuration(7, '{}');
SELECT configuration_id FROM execreport.save_configuration(NULL, '{}');
SELECT execreport.delete_configuration(8, 'not needed');
SELECT execreport.delete_configuration(8, 'not needed');
SELECT execreport.delete_configuration(7, '  ');
SELECT execreport.delete_configuration(7, NULL);
SELECT configuration_id FROM execreport.save_configuration(NULL, '{}');
SELECT execreport.delete_configuration(1, 'customer left');
SELECT count(*) FROM execreport.configuration_versions WHERE tenant_id = 121 AND configuration_id = 1;
SELECT entity_id, previous_value, metadata, reason FROM execreport.audit_logs
 WHERE tenant_id = 121 AND action = 'delete' AND entity_id = '1';
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT execreport.delete_configuration(7, 'customer left');
ROLLBACK;

-- who may
CREATE ROLE er_conf_viewer; CREATE ROLE er_conf_editor; CREATE ROLE er_conf_other;
SELECT execreport.grant_access('er_conf_viewer', 121, 'viewer'), execreport.grant_access('er_conf_editor', 121, 'editor'),
       execreport.grant_access('er_conf_other', 122, 'admin');
RESET execreport.tenant_id;
SET ROLE er_conf_viewer;
SELECT configuration_id FROM execreport.configurations ORDER BY 1;
SELECT execreport.check_context(7) ->> 'status';
SELECT execreport.save_configuration(NULL, '{}');
SET ROLE er_conf_editor;
SELECT configuration_id, context_version FROM execreport.save_configuration(7, '{"brand": {"name": "B"}}');
SELECT execreport.delete_configuration(7, 'not mine to delete');
SELECT execreport.delete_tenant(121, 'not mine to delete');
UPDATE execreport.configurations SET name = 'x';
SELECT * FROM execreport._configuration_ids;
-- the neighbour has a configuration 7 of its own
SET ROLE er_conf_other;
SELECT count(*) FROM execreport.configurations;
SELECT execreport.check_context(7) ->> 'status';
SELECT configuration_id, context_version FROM execreport.save_configuration(7, '{"brand": {"name": "N"}}');
SELECT tenant_id, configuration_id, brand FROM execreport.configurations;
SELECT execreport.delete_configuration(2, 'not ours');
SET execreport.tenant_id = 121;
SELECT execreport.save_configuration(7, '{}');
RESET execreport.tenant_id;
RESET ROLE;

-- a tenant and all that is its own, but for the evidence
SELECT execreport.delete_tenant(121, NULL);
SELECT execreport.delete_tenant(129, 'nobody there');
SELECT execreport.delete_tenant(121, 'contract ended');
SELECT count(*) FROM execreport.configurations WHERE tenant_id = 121;
SELECT count(*) FROM execreport.tenants WHERE tenant_id = 121;
SELECT count(*) FROM execreport.tenant_members WHERE tenant_id = 121;
SELECT count(*) FROM execreport.configurations WHERE tenant_id = 122;
SELECT count(*) > 5 AS evidence FROM execreport.audit_logs WHERE tenant_id = 121;
SELECT previous_value, metadata, reason FROM execreport.audit_logs WHERE tenant_id = 121 AND entity_type = 'tenant' AND action = 'delete';
SET ROLE er_conf_viewer;
SELECT execreport.current_tenant();
RESET ROLE;
-- what a session stored that was still at work; the number that stands for all tenants is nobody's
INSERT INTO execreport.workflows (tenant_id, name) VALUES (121, 'of a late session');
INSERT INTO execreport.kill_switches (tenant_id, flag) VALUES (0, 'reportsUiEnabled');
SELECT execreport.delete_tenant(121, 'once more'), execreport.delete_tenant(121, 'and again'), execreport.delete_tenant(0, 'everybody');
SELECT count(*) FROM execreport.workflows WHERE tenant_id = 121;
DELETE FROM execreport.kill_switches WHERE tenant_id = 0 AND flag = 'reportsUiEnabled' RETURNING flag;
SELECT metadata FROM execreport.audit_logs WHERE tenant_id = 121 AND reason = 'once more';
-- the last number
SET execreport.tenant_id = 122;
SELECT configuration_id FROM execreport.save_configuration(2000000000, '{}');
SELECT configuration_id FROM execreport.save_configuration(NULL, '{}');
RESET execreport.tenant_id;
SELECT execreport.delete_tenant(122, 'test is over');
DROP ROLE er_conf_viewer; DROP ROLE er_conf_editor; DROP ROLE er_conf_other;
DELETE FROM execreport.audit_logs WHERE tenant_id IN (121, 122);
