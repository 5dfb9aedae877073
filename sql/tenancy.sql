-- tenancy: tenants, the roles that work for them, and row security.
--
-- A role works for a tenant when grant_access() has enrolled it there. The caller of a function is always the outer
-- role (the session's, or the one chosen by SET ROLE), also inside SECURITY DEFINER functions.

CREATE TABLE execreport._tenants (
    tenant_id  integer NOT NULL PRIMARY KEY CHECK (tenant_id > 0),
    name       text CHECK (name <> ''),
    size       text CHECK (size IN ('small', 'medium', 'large')),
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE execreport._tenants IS
'Tenants that somebody created or described. Tenant 1 is there without a row; read the view tenants.';

CREATE TABLE execreport.tenant_members (
    tenant_id  integer NOT NULL CHECK (tenant_id > 0),
    role_name  name NOT NULL,
    persona    text NOT NULL CHECK (persona IN ('viewer', 'editor', 'operator', 'admin')),
    granted_by text NOT NULL,
    granted_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, role_name)
);
COMMENT ON TABLE execreport.tenant_members IS
'Which role works for which tenant, as viewer (reads), editor (writes reports and configurations), operator (also flags
and deletions) or admin (also access). Written by grant_access() and revoke_access().';

CREATE FUNCTION execreport.current_tenant() RETURNS integer
LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'er_current_tenant';
COMMENT ON FUNCTION execreport.current_tenant() IS
'The tenant that the caller works for: the setting execreport.tenant_id when it is set, else the only tenant that the
role is a member of, and 1 for superusers.
Errors: 42501 when the role is not a member of that tenant or of any; 22023 when it is a member of several and none is
chosen; 42704 when a superuser chose a tenant that does not exist.
Example: SET execreport.tenant_id = 7; SELECT execreport.current_tenant();  -- 7';

CREATE FUNCTION execreport.current_user_id() RETURNS text
LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'er_current_user_id';
COMMENT ON FUNCTION execreport.current_user_id() IS
'The application''s user on whose behalf the session works: the setting execreport.user_id, else the role''s name.
Example: SET execreport.user_id = ''ana@example.com''; SELECT execreport.current_user_id();  -- ana@example.com';

CREATE FUNCTION execreport._require_persona(minimum text) RETURNS integer
LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'er_require_persona';
COMMENT ON FUNCTION execreport._require_persona(text) IS
'The current tenant, for a caller whose persona in it is at least this one; else error 42501. From editor on, error PT503 while
maintenance is engaged: the application''s writers begin with it.';

CREATE FUNCTION execreport._require_tenant(tenant_id integer, minimum text) RETURNS integer
LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'er_require_tenant';
COMMENT ON FUNCTION execreport._require_tenant(integer, text) IS
'The given tenant, for a caller whose persona in it is at least this one; else error 42501. Superusers pass for any. Also in
maintenance: what operates the system begins with it.';

CREATE FUNCTION execreport._caller_is_superuser() RETURNS boolean
LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'er_caller_is_superuser';

CREATE FUNCTION execreport._caller_role() RETURNS name
LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'er_caller_role';
COMMENT ON FUNCTION execreport._caller_role() IS
'The outer role: the session''s, or the one chosen by SET ROLE.';

CREATE FUNCTION execreport._has_persona(minimum text) RETURNS boolean
LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'er_has_persona';
COMMENT ON FUNCTION execreport._has_persona(text) IS
'Has the caller at least this persona in the current tenant? True for superusers.';

CREATE VIEW execreport.tenants WITH (security_barrier) AS
SELECT t.tenant_id, t.name, t.size, t.created_at
  FROM (SELECT stored.tenant_id, stored.name, stored.size, stored.created_at
          FROM execreport._tenants AS stored
        UNION ALL
        SELECT 1, NULL, NULL, NULL
         WHERE NOT EXISTS (SELECT FROM execreport._tenants AS stored WHERE stored.tenant_id = 1)) AS t
 WHERE (SELECT execreport._caller_is_superuser()) OR t.tenant_id = (SELECT execreport.current_tenant());
COMMENT ON VIEW execreport.tenants IS
'The tenants: number, name, size (small, medium, large; NULL when unknown). Members see their own, superusers all.
Tenant 1 is always there. Create others with create_tenant().';

CALL execreport._hold('execreport._tenants');
CALL execreport._hold('execreport.tenant_members');

