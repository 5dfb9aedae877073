\set SHOW_CONTEXT never
-- each change of access leaves one row in the audit log, and a repeated call none
CREATE ROLE er_access;
SET execreport.user_id = 'root@example.com';
SELECT tenant_id FROM execreport.create_tenant(161, 'Access');
SELECT tenant_id FROM execreport.create_tenant(161, 'Access');
SELECT tenant_id FROM execreport.create_tenant(161, size => 'medium');
SELECT execreport.grant_access('er_access', 161, 'viewer'), execreport.grant_access('er_access', 161, 'viewer');
SELECT execreport.grant_access('er_access', 161, 'operator');
SELECT execreport.revoke_access('er_access', 161), execreport.revoke_access('er_access', 161);
SELECT user_id, action, entity_type, entity_id, previous_value, new_value
  FROM execreport.audit_logs WHERE tenant_id = 161 ORDER BY audit_id;

-- of a role that works for two tenants, each can be written to by name, whichever the session has chosen
SELECT tenant_id FROM execreport.create_tenant(162);
SELECT execreport.grant_access('er_access', 161, 'operator'), execreport.grant_access('er_access', 162, 'operator');
SET ROLE er_access;
SET execreport.tenant_id = 161;
SELECT execreport.update_flags(162, '{"reportsUiEnabled": true}') ->> 'reportsUiEnabled' AS other_tenant;
RESET execreport.tenant_id;
RESET ROLE;
-- what came after the enrolment, or was taken away, is granted again
REVOKE SELECT ON execreport.master_reports FROM er_access;
SELECT has_table_privilege('er_access', 'execreport.master_reports', 'SELECT') AS before;
SELECT execreport.refresh_access() > 0 AS refreshed;
SELECT has_table_privilege('er_access', 'execreport.master_reports', 'SELECT') AS after,
       has_table_privilege('er_access', 'execreport.master_reports', 'INSERT') AS writes;
SET ROLE er_access;
SELECT execreport.refresh_access();
RESET ROLE;
SELECT execreport.delete_tenant(161, 'test is over'), execreport.delete_tenant(162, 'test is over');
DROP ROLE er_access;
