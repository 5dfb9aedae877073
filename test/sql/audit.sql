\set SHOW_CONTEXT never
-- the audit log takes the statement that applications already send, and keeps what it has taken
CREATE ROLE er_auditor; CREATE ROLE er_other;
SELECT tenant_id FROM execreport.create_tenant(111, 'Audited');
SELECT tenant_id FROM execreport.create_tenant(112, 'Other');
SELECT execreport.grant_access('er_auditor', 111, 'viewer');
SELECT execreport.grant_access('er_other', 112, 'admin');

BEGIN;
SET LOCAL search_path = execreport;
INSERT INTO audit_logs (tenant_id, user_id, action, entity_type, entity_id, reason)
VALUES (1, 'system', 'rollback', 'feature_flag', 'reports', 'Emergency rollback');
SELECT tenant_id, user_id, action, entity_type, entity_id, previous_value, new_value, reason, metadata, created_at = now() AS now
  FROM audit_logs WHERE tenant_id = 1 AND entity_id = 'reports';
ROLLBACK;

SET ROLE er_auditor;
INSERT INTO execreport.audit_logs (action, entity_type, entity_id) VALUES ('view', 'report', 'r-1');
INSERT INTO execreport.audit_logs (tenant_id, action, entity_type) VALUES (112, 'view', 'report');
INSERT INTO execreport.audit_logs (action, entity_type, db_role) VALUES ('view', 'report', 'postgres');
INSERT INTO execreport.audit_logs (action, entity_type, created_at) VALUES ('view', 'report', '2000-01-01');
INSERT INTO execreport.audit_logs (action, entity_type) VALUES ('', 'report');
UPDATE execreport.audit_logs SET reason = 'other';
DELETE FROM execreport.audit_logs;
TRUNCATE execreport.audit_logs;
SELECT tenant_id, user_id, action, entity_id FROM execreport.audit_logs WHERE entity_type = 'report';
RESET ROLE;
SET ROLE er_other;
SELECT count(*) FROM execreport.audit_logs WHERE tenant_id <> 112;
RESET ROLE;

DELETE FROM execreport.audit_logs WHERE tenant_id = 111;
SELECT execreport.revoke_access('er_auditor', 111), execreport.revoke_access('er_other', 112);
DROP ROLE er_auditor; DROP ROLE er_other;
