\set SHOW_CONTEXT never
-- who works for which tenant
CREATE ROLE er_ana; CREATE ROLE er_bob; CREATE ROLE er_group; CREATE ROLE er_child IN ROLE er_group;

SELECT execreport.current_tenant() AS newcomer;
SELECT tenant_id, name, size FROM execreport.tenants WHERE tenant_id < 110 ORDER BY 1;

SELECT tenant_id, name, size FROM execreport.create_tenant(101, 'Acme', 'small');
SELECT tenant_id, name, size FROM execreport.create_tenant(101);
SELECT tenant_id, name, size FROM execreport.create_tenant(101, size => 'large');
SELECT tenant_id, name, size FROM execreport.create_tenant(102);
SELECT tenant_id, name, size FROM execreport.create_tenant(1, 'First');
SELECT tenant_id, name, size FROM execreport.tenants WHERE tenant_id < 110 ORDER BY 1;
SELECT execreport.create_tenant(0);
SELECT execreport.create_tenant(NULL);
SELECT execreport.create_tenant(103, 'x', 'huge');
SELECT execreport.create_tenant(103, '');

SET execreport.tenant_id = 102;
SELECT execreport.current_tenant();
SET execreport.tenant_id = 999;
SELECT execreport.current_tenant();
RESET execreport.tenant_id;

-- a role that nobody enrolled reaches nothing
SET ROLE er_ana;
SELECT execreport.current_tenant();
RESET ROLE;

SELECT execreport.grant_access('er_ana', 101, 'viewer');
SELECT execreport.grant_access('er_bob', 101, 'admin');
SELECT execreport.grant_access('er_bob', 102, 'editor');
SELECT execreport.grant_access('er_group', 102, 'operator');
SELECT execreport.grant_access('er_nobody', 101, 'viewer');
SELECT execreport.grant_access('er_ana', 999, 'viewer');
SELECT execreport.grant_access('er_ana', 101, 'king');

SET ROLE er_ana;
SELECT execreport.current_tenant(), execreport.current_user_id();
SET execreport.user_id = 'ana@example.com';
SELECT execreport.current_user_id();
RESET execreport.user_id;
SELECT tenant_id FROM execreport.tenants;
SELECT role_name, persona FROM execreport.tenant_members ORDER BY 1;
SET execreport.tenant_id = 102;
SELECT execreport.current_tenant();
RESET execreport.tenant_id;
SELECT execreport._require_persona('viewer');
SELECT execreport._require_persona('editor');
SELECT execreport._require_tenant(102, 'viewer');
SELECT execreport.create_tenant(104);
SELECT execreport.grant_access('er_ana', 101, 'admin');
INSERT INTO execreport.tenant_members VALUES (102, 'er_ana', 'admin', 'x');
SELECT * FROM execreport._tenants;
RESET ROLE;

-- several tenants: one must be chosen
SET ROLE er_bob;
SELECT execreport.current_tenant();
SET execreport.tenant_id = 101;
SELECT execreport.current_tenant();
SELECT execreport.grant_access('er_ana', 101, 'editor');
SELECT execreport.grant_access('er_ana', 102, 'editor');
RESET execreport.tenant_id;
RESET ROLE;
SET ROLE er_ana;
SELECT execreport._require_persona('editor');
RESET ROLE;

-- through the role it inherits from
SET ROLE er_child;
SELECT execreport.current_tenant(), execreport._require_persona('operator');
RESET ROLE;
REVOKE er_group FROM er_child;
SET ROLE er_child;
SELECT execreport.current_tenant();
RESET ROLE;

-- the caller stays the caller inside a SECURITY DEFINER function
CREATE FUNCTION public.er_as_owner() RETURNS integer LANGUAGE sql SECURITY DEFINER AS 'SELECT execreport.current_tenant()';
SET ROLE er_ana;
SELECT public.er_as_owner();
RESET ROLE;
DROP FUNCTION public.er_as_owner();

-- a membership taken back within a transaction is back after its rollback
BEGIN;
SELECT execreport.revoke_access('er_ana', 101);
SET LOCAL ROLE er_ana;
SELECT execreport.current_tenant();
ROLLBACK;
SET ROLE er_ana;
SELECT execreport.current_tenant();
RESET ROLE;

SELECT execreport.revoke_access('er_ana', 101);
SELECT execreport.revoke_access('er_ana', 101);
SET ROLE er_ana;
SELECT execreport.current_tenant();
RESET ROLE;

SELECT execreport.revoke_access('er_bob', 101), execreport.revoke_access('er_bob', 102), execreport.revoke_access('er_group', 102);
DROP ROLE er_ana; DROP ROLE er_bob; DROP ROLE er_child; DROP ROLE er_group;
