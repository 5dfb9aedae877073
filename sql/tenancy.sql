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
'The current tenant, for a caller whose persona in it is at least this one; else error 42501.';

CREATE FUNCTION execreport._require_tenant(tenant_id integer, minimum text) RETURNS integer
LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'er_require_tenant';
COMMENT ON FUNCTION execreport._require_tenant(integer, text) IS
'The given tenant, for a caller whose persona in it is at least this one; else error 42501. Superusers pass for any.';

CREATE FUNCTION execreport._caller_is_superuser() RETURNS boolean
LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'er_caller_is_superuser';

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

CREATE FUNCTION execreport.create_tenant(tenant_id integer, name text DEFAULT NULL, size text DEFAULT NULL)
RETURNS execreport.tenants
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    result execreport.tenants;
BEGIN
    IF NOT execreport._caller_is_superuser() THEN
        RAISE EXCEPTION 'only a superuser creates tenants' USING ERRCODE = '42501';
    END IF;
    IF create_tenant.tenant_id IS NULL OR create_tenant.tenant_id < 1 THEN
        RAISE EXCEPTION 'tenant_id % is not a positive number', coalesce(create_tenant.tenant_id::text, 'null')
            USING ERRCODE = '22023', HINT = 'Tenants are numbered from 1.';
    END IF;
    IF create_tenant.size NOT IN ('small', 'medium', 'large') THEN
        RAISE EXCEPTION 'unknown size "%"', left(create_tenant.size, 64)
            USING ERRCODE = '22023', DETAIL = 'A size is small, medium or large, or null when it is unknown.';
    END IF;
    IF create_tenant.name = '' THEN
        RAISE EXCEPTION 'name is empty' USING ERRCODE = '22023', HINT = 'Leave it out when it is unknown.';
    END IF;

    INSERT INTO execreport._tenants AS stored (tenant_id, name, size)
    VALUES (create_tenant.tenant_id, create_tenant.name, create_tenant.size)
    ON CONFLICT (tenant_id) DO UPDATE
       SET name = coalesce(excluded.name, stored.name), size = coalesce(excluded.size, stored.size)
     WHERE (coalesce(excluded.name, stored.name), coalesce(excluded.size, stored.size))
           IS DISTINCT FROM (stored.name, stored.size);
    PERFORM execreport._announce_change('execreport._tenants');

    SELECT t.* INTO result
      FROM execreport._tenants AS t WHERE t.tenant_id = create_tenant.tenant_id;
    RETURN result;
END
$$;
COMMENT ON FUNCTION execreport.create_tenant(integer, text, text) IS
'Creates a tenant, or completes the one that is there: name and size change only when given, so a repeated call changes
nothing. Returns its row of tenants. For superusers.
Errors: 42501 for others; 22023 for a number below 1, an empty name or a size other than small, medium, large.
Example: SELECT * FROM execreport.create_tenant(7, ''Acme'', ''small'');';

CREATE FUNCTION execreport.grant_access(role name, tenant_id integer, persona text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    PERFORM execreport._require_tenant(grant_access.tenant_id, 'admin');
    IF grant_access.tenant_id <> 1    -- the view shows a member only the tenant that the session has chosen
       AND NOT EXISTS (SELECT FROM execreport._tenants AS t WHERE t.tenant_id = grant_access.tenant_id) THEN
        RAISE EXCEPTION 'tenant % does not exist', grant_access.tenant_id
            USING ERRCODE = '42704', HINT = format('Create it with execreport.create_tenant(%s).', grant_access.tenant_id);
    END IF;
    IF grant_access.persona IS NULL OR grant_access.persona NOT IN ('viewer', 'editor', 'operator', 'admin') THEN
        RAISE EXCEPTION 'unknown persona %', coalesce('"' || left(grant_access.persona, 64) || '"', 'null')
            USING ERRCODE = '22023', DETAIL = 'A persona is viewer, editor, operator or admin.';
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = grant_access.role) THEN
        RAISE EXCEPTION 'role % does not exist', coalesce('"' || grant_access.role || '"', 'null')
            USING ERRCODE = '42704', HINT = 'Create it first with CREATE ROLE.';
    END IF;
    -- a role with two tenants has to choose one: an administrator must not do that to another tenant's roles
    IF NOT execreport._caller_is_superuser()
       AND NOT EXISTS (SELECT FROM execreport.tenant_members AS m
                        WHERE m.tenant_id = grant_access.tenant_id AND m.role_name = grant_access.role)
       AND EXISTS (SELECT FROM pg_roles AS heir, execreport.tenant_members AS m JOIN pg_roles AS other ON other.rolname = m.role_name
                    WHERE NOT heir.rolsuper AND pg_has_role(heir.oid, grant_access.role, 'USAGE')
                      AND m.tenant_id <> grant_access.tenant_id AND pg_has_role(heir.oid, other.oid, 'USAGE')) THEN
        RAISE EXCEPTION 'role "%" works for another tenant', grant_access.role
            USING ERRCODE = '42501', HINT = 'A superuser enrols a role in several tenants.';
    END IF;

    LOCK TABLE execreport.tenant_members IN SHARE ROW EXCLUSIVE MODE;  -- two GRANTs on one object at once would collide
    INSERT INTO execreport.tenant_members AS m (tenant_id, role_name, persona, granted_by)
    VALUES (grant_access.tenant_id, grant_access.role, grant_access.persona, execreport.current_user_id())
    ON CONFLICT (tenant_id, role_name) DO UPDATE
       SET persona = excluded.persona, granted_by = excluded.granted_by, granted_at = now()
     WHERE m.persona <> excluded.persona;
    PERFORM execreport._announce_change('execreport.tenant_members');
    PERFORM execreport._grant_objects(grant_access.role);
END
$$;
COMMENT ON FUNCTION execreport.grant_access(name, integer, text) IS
'Enrols a role in a tenant and grants it what it needs: USAGE on the schema, EXECUTE on its functions, SELECT on its
tables and views (filtered by row security) and INSERT into audit_logs. Calling it again changes the persona: viewer
(reads), editor (writes reports and configurations), operator (also flags and deletions), admin (also access). Roles
that inherit from an enrolled role work for the tenant, too. For superusers and the tenant''s admins; only superusers
enrol a role that works for another tenant already, itself or through roles that inherit from it.
Errors: 42501 for others; 42704 for an unknown role or tenant; 22023 for another persona.
Example: SELECT execreport.grant_access(''app'', 1, ''editor'');';

CREATE FUNCTION execreport.revoke_access(role name, tenant_id integer) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    was_member boolean;
BEGIN
    PERFORM execreport._require_tenant(revoke_access.tenant_id, 'admin');
    LOCK TABLE execreport.tenant_members IN SHARE ROW EXCLUSIVE MODE;
    DELETE FROM execreport.tenant_members AS m
     WHERE m.tenant_id = revoke_access.tenant_id AND m.role_name = revoke_access.role;
    was_member := FOUND;
    PERFORM execreport._announce_change('execreport.tenant_members');
    IF (was_member OR execreport._caller_is_superuser())
       AND NOT EXISTS (SELECT FROM execreport.tenant_members AS m WHERE m.role_name = revoke_access.role)
       AND EXISTS (SELECT FROM pg_roles WHERE rolname = revoke_access.role) THEN
        PERFORM execreport._revoke_objects(revoke_access.role);
    END IF;
    RETURN was_member;
END
$$;
COMMENT ON FUNCTION execreport.revoke_access(name, integer) IS
'Takes a role out of a tenant: true when it was a member. With its last membership it also loses its privileges on the
schema. For superusers and the tenant''s admins; others get 42501.
Example: SELECT execreport.revoke_access(''app'', 1);';

CREATE FUNCTION execreport._grant_objects(role name) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    functions text;
    tables text;
BEGIN
    -- Whatever runs with the caller's own rights is harmless (only messages to every session need no rights at all); of what
    -- runs with the owner's, only the public functions, which check the caller's persona first.
    SELECT string_agg(p.oid::regprocedure::text, ', ') INTO functions
      FROM pg_proc AS p
     WHERE p.pronamespace = 'execreport'::regnamespace
       AND (NOT p.prosecdef OR p.proname NOT LIKE '\_%')
       AND p.proname <> '_announce_change';
    SELECT string_agg(c.oid::regclass::text, ', ') INTO tables
      FROM pg_class AS c
     WHERE c.relnamespace = 'execreport'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
       AND c.relname NOT LIKE '\_%';
    EXECUTE format('GRANT USAGE ON SCHEMA execreport TO %I', role);
    EXECUTE format('GRANT EXECUTE ON ROUTINE %s TO %I', functions, role);
    EXECUTE format('GRANT SELECT ON %s TO %I', tables, role);
    EXECUTE format('GRANT INSERT (tenant_id, user_id, action, entity_type, entity_id, previous_value, new_value, reason, metadata)
                       ON execreport.audit_logs TO %I', role);
END
$$;

CREATE FUNCTION execreport._revoke_objects(role name) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA execreport FROM %I', role);
    EXECUTE format('REVOKE INSERT (tenant_id, user_id, action, entity_type, entity_id, previous_value, new_value, reason, metadata)
                       ON execreport.audit_logs FROM %I', role);
    EXECUTE format('REVOKE ALL ON ALL ROUTINES IN SCHEMA execreport FROM %I', role);
    EXECUTE format('REVOKE ALL ON SCHEMA execreport FROM %I', role);
END
$$;

ALTER TABLE execreport._tenants ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON execreport._tenants
    USING (tenant_id = (SELECT execreport.current_tenant()));
ALTER TABLE execreport.tenant_members ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON execreport.tenant_members
    USING (tenant_id = (SELECT execreport.current_tenant()));

SELECT pg_catalog.pg_extension_config_dump('execreport._tenants', '');
SELECT pg_catalog.pg_extension_config_dump('execreport.tenant_members', '');
