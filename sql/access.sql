-- access: tenants are created, and roles enrolled in them. Every change is audited.

CREATE FUNCTION execreport.create_tenant(tenant_id integer, name text DEFAULT NULL, size text DEFAULT NULL)
RETURNS execreport.tenants
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    previous jsonb;
    result   execreport.tenants;
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

    SELECT jsonb_build_object('name', t.name, 'size', t.size) INTO previous
      FROM execreport._tenants AS t WHERE t.tenant_id = create_tenant.tenant_id FOR UPDATE;
    INSERT INTO execreport._tenants AS stored (tenant_id, name, size)
    VALUES (create_tenant.tenant_id, create_tenant.name, create_tenant.size)
    ON CONFLICT (tenant_id) DO UPDATE
       SET name = coalesce(excluded.name, stored.name), size = coalesce(excluded.size, stored.size)
     WHERE (coalesce(excluded.name, stored.name), coalesce(excluded.size, stored.size))
           IS DISTINCT FROM (stored.name, stored.size);
    IF FOUND THEN
        PERFORM execreport._announce_change('execreport._tenants'),
                execreport._audit(create_tenant.tenant_id, CASE WHEN previous IS NULL THEN 'create' ELSE 'update' END,
                    'tenant', create_tenant.tenant_id::text, previous,
                    (SELECT jsonb_build_object('name', t.name, 'size', t.size)
                       FROM execreport._tenants AS t WHERE t.tenant_id = create_tenant.tenant_id));
    END IF;

    SELECT t.* INTO result
      FROM execreport._tenants AS t WHERE t.tenant_id = create_tenant.tenant_id;
    RETURN result;
END
$$;
COMMENT ON FUNCTION execreport.create_tenant(integer, text, text) IS
'Creates a tenant, or completes the one that is there: name and size change only when given, so a repeated call changes
nothing. Returns its row of tenants. Audited. For superusers.
Errors: 42501 for others; 22023 for a number below 1, an empty name or a size other than small, medium, large.
Example: SELECT * FROM execreport.create_tenant(7, ''Acme'', ''small'');';

CREATE FUNCTION execreport.grant_access(role name, tenant_id integer, persona text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    previous text;
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
    -- one at a time: two GRANTs on one object at once would collide, and what is asked next holds until the end
    LOCK TABLE execreport.tenant_members IN SHARE ROW EXCLUSIVE MODE;
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

    SELECT m.persona INTO previous FROM execreport.tenant_members AS m
     WHERE m.tenant_id = grant_access.tenant_id AND m.role_name = grant_access.role;
    INSERT INTO execreport.tenant_members AS m (tenant_id, role_name, persona, granted_by)
    VALUES (grant_access.tenant_id, grant_access.role, grant_access.persona, execreport.current_user_id())
    ON CONFLICT (tenant_id, role_name) DO UPDATE
       SET persona = excluded.persona, granted_by = excluded.granted_by, granted_at = now()
     WHERE m.persona <> excluded.persona;
    IF FOUND THEN
        PERFORM execreport._announce_change('execreport.tenant_members'),
                execreport._audit(grant_access.tenant_id, 'grant', 'access', grant_access.role::text, to_jsonb(previous),
                    to_jsonb(grant_access.persona));
    END IF;
    PERFORM execreport._grant_objects(grant_access.role);
END
$$;
COMMENT ON FUNCTION execreport.grant_access(name, integer, text) IS
'Enrols a role in a tenant and grants it what it needs: USAGE on the schema, EXECUTE on its functions, SELECT on its
tables and views (filtered by row security) and INSERT into audit_logs. Calling it again changes the persona: viewer
(reads), editor (writes reports and configurations), operator (also flags and deletions), admin (also access). Roles
that inherit from an enrolled role work for the tenant, too. For superusers and the tenant''s admins; only superusers
enrol a role that works for another tenant already, itself or through roles that inherit from it. Audited.
Errors: 42501 for others; 42704 for an unknown role or tenant; 22023 for another persona.
Example: SELECT execreport.grant_access(''app'', 1, ''editor'');';

CREATE FUNCTION execreport.revoke_access(role name, tenant_id integer) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    previous   text;
    was_member boolean;
BEGIN
    PERFORM execreport._require_tenant(revoke_access.tenant_id, 'admin');
    LOCK TABLE execreport.tenant_members IN SHARE ROW EXCLUSIVE MODE;
    DELETE FROM execreport.tenant_members AS m
     WHERE m.tenant_id = revoke_access.tenant_id AND m.role_name = revoke_access.role
    RETURNING m.persona INTO previous;
    was_member := FOUND;
    IF was_member THEN
        PERFORM execreport._announce_change('execreport.tenant_members'),
                execreport._audit(revoke_access.tenant_id, 'revoke', 'access', revoke_access.role::text, to_jsonb(previous));
    END IF;
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
schema. Audited. For superusers and the tenant''s admins; others get 42501.
Example: SELECT execreport.revoke_access(''app'', 1);';

CREATE FUNCTION execreport.refresh_access() RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    enrolled name;
    roles    integer := 0;
BEGIN
    IF NOT execreport._caller_is_superuser() THEN
        RAISE EXCEPTION 'only a superuser refreshes access' USING ERRCODE = '42501';
    END IF;
    LOCK TABLE execreport.tenant_members IN SHARE ROW EXCLUSIVE MODE;
    FOR enrolled IN
        SELECT DISTINCT m.role_name FROM execreport.tenant_members AS m JOIN pg_roles AS r ON r.rolname = m.role_name ORDER BY 1
    LOOP
        PERFORM execreport._grant_objects(enrolled);
        roles := roles + 1;
    END LOOP;
    RETURN roles;
END
$$;
COMMENT ON FUNCTION execreport.refresh_access() IS
'Grants every enrolled role again what grant_access() grants: to be called after ALTER EXTENSION execreport UPDATE, whose new
functions nobody but their owner may call, and after a restore into a cluster whose roles came later. Personas stay as they are.
Returns the number of roles. For superusers; others get 42501.
Example: SELECT execreport.refresh_access();';

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
       AND (NOT p.prosecdef OR p.proname NOT LIKE E'\\_%')
       AND p.proname <> '_announce_change';
    SELECT string_agg(c.oid::regclass::text, ', ') INTO tables
      FROM pg_class AS c
     WHERE c.relnamespace = 'execreport'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
       AND c.relname NOT LIKE E'\\_%';
    EXECUTE format('GRANT USAGE ON SCHEMA execreport TO %I', role);
    EXECUTE format('GRANT EXECUTE ON ROUTINE %s TO %I', functions, role);
    EXECUTE format('GRANT SELECT ON %s TO %I', tables, role);
    EXECUTE format('GRANT INSERT (tenant_id, user_id, action, entity_type, entity_id, previous_value, new_value, reason, metadata)
                       ON execreport.audit_logs TO %I', role);
    EXECUTE format('GRANT UPDATE ON execreport.feature_flags TO %I', role);
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
