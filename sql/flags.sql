-- flags: is a feature on for this tenant, and this user?
--
-- The first that has an answer wins: kill switch, prerequisites, user, tenant, rules, the setting execreport.feature_flags,
-- default. Prerequisites and rules are in flags_rules. Lookups are answered from a cache of each session; whoever changes
-- one of the tables announces a change of flags.

CREATE TABLE execreport.flags (
    key             text COLLATE "C" NOT NULL PRIMARY KEY CHECK (key <> ''),
    default_enabled boolean NOT NULL DEFAULT false,
    refusal         text NOT NULL,
    description     text NOT NULL,
    builtin         boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE execreport.flags IS
'The feature flags there are, the same for all tenants: default, what require_flag() says when the feature is off, and
what the flag guards.';

INSERT INTO execreport.flags (key, refusal, description, builtin) VALUES
    ('execReportsEnabled', 'ExecReports feature not available',
     'Exec reports are stored: create_exec_report() works, and module executions keep their report.', true),
    ('masterReportsEnabled', 'MasterReports feature not available',
     'Master reports are created and generated.', true),
    ('reportsApiEnabled', 'Reports API not available',
     'The API''s answers and documents are given out.', true),
    ('reportsUiEnabled', 'Reports UI not available',
     'Pages are rendered.', true),
    ('consolidationEnabled', 'Consolidation feature not available',
     'Master reports carry consolidated insights and recommendations; off: the lists are empty.', true),
    ('councilSynthesisEnabled', 'Council synthesis feature not available',
     'Master reports carry the synthesis; off: its lists are empty.', true);

CREATE TABLE execreport.flag_overrides (
    tenant_id  integer NOT NULL DEFAULT execreport.current_tenant() CHECK (tenant_id > 0),
    user_id    text COLLATE "C" NOT NULL DEFAULT '' CHECK (octet_length(user_id) <= 512),
    flag       text COLLATE "C" NOT NULL,
    enabled    boolean NOT NULL,
    changed_by text NOT NULL DEFAULT execreport.current_user_id(),
    changed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, user_id, flag)
);
COMMENT ON TABLE execreport.flag_overrides IS
'Flags set for a tenant (user_id is empty) or for one of its users. Written by update_flags() and update_user_flags().';

CREATE TABLE execreport.kill_switches (
    tenant_id  integer NOT NULL CHECK (tenant_id >= 0),
    flag       text COLLATE "C" NOT NULL,
    reason     text,
    engaged_by text NOT NULL DEFAULT execreport.current_user_id(),
    engaged_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, flag)
);
COMMENT ON TABLE execreport.kill_switches IS
'The engaged kill switches: the flag is off, whatever else says it is on. tenant_id 0 means in every tenant; members see
those and their own. Written by set_kill_switch().';

CALL execreport._hold('execreport.flags', 'everyone', dumped => 'WHERE NOT builtin');
CALL execreport._hold('execreport.flag_overrides');
CALL execreport._hold('execreport.kill_switches', condition => 'tenant_id IN (0, (SELECT execreport.current_tenant()))');

CREATE FUNCTION execreport.is_flag_enabled(tenant_id integer, flag text, user_id text DEFAULT NULL) RETURNS boolean
LANGUAGE c STABLE PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'er_is_flag_enabled';
COMMENT ON FUNCTION execreport.is_flag_enabled(integer, text, text) IS
'Is the feature on for this tenant, and when user_id is given, for this user? The first that has an answer wins: kill
switch (off), a prerequisite that is not met (off), the user''s override, the tenant''s override, rules (on when any holds;
what they ask for beyond tenant and user is taken from the setting execreport.context), the setting
execreport.feature_flags, the flag''s default.
The latest committed state counts, also inside an open transaction and at every isolation level. Never NULL.
Errors: 42704 for an unknown or archived flag; 42501 when the caller is not a member of the tenant (superusers may ask for
any; one that nobody created has no overrides); 22004 for a NULL tenant or flag.
Example: SELECT execreport.is_flag_enabled(1, ''execReportsEnabled'', ''ana@example.com'');';

CREATE FUNCTION execreport.get_flags(tenant_id integer) RETURNS jsonb
LANGUAGE c STABLE PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'er_get_flags';
COMMENT ON FUNCTION execreport.get_flags(integer) IS
'All flags of a tenant as one flat object, every known flag with true or false, as is_flag_enabled() answers without a
user.
Errors: 42501 when the caller is not a member of the tenant; 22004 for a NULL tenant.
Example: SELECT execreport.get_flags(1);  -- {"execReportsEnabled": false, ...}';

CREATE FUNCTION execreport._user_flags(tenant_id integer, user_id text) RETURNS jsonb
LANGUAGE c STABLE PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'er_get_flags';
COMMENT ON FUNCTION execreport._user_flags(integer, text) IS
'The same for one user of the tenant.';

CREATE FUNCTION execreport.require_flag(tenant_id integer, flag text) RETURNS void
LANGUAGE c STABLE PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'er_require_flag';
COMMENT ON FUNCTION execreport.require_flag(integer, text) IS
'Guard: returns when the flag is on for the tenant, else raises an error.
Errors: PT503 with DETAIL FEATURE_DISABLED when it is off (PostgREST answers 503); otherwise those of is_flag_enabled().
Example: SELECT execreport.require_flag(1, ''reportsApiEnabled'');  -- ERROR:  Reports API not available';

CREATE FUNCTION execreport._require_flag(tenant_id integer, flag text, user_id text) RETURNS void
LANGUAGE c STABLE PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'er_require_flag';
COMMENT ON FUNCTION execreport._require_flag(integer, text, text) IS
'The same guard for one user of the tenant, whose own overrides count.';

CREATE FUNCTION execreport._check_flag(flag text) RETURNS void
LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'er_check_flag';
COMMENT ON FUNCTION execreport._check_flag(text) IS
'Error 42704 unless the flag is known.';

CREATE FUNCTION execreport._check_flags(flags jsonb) RETURNS void
LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'er_check_flags';
COMMENT ON FUNCTION execreport._check_flags(jsonb) IS
'An error unless this is an object of known flags (else 42704), each true, false or null (else 22023).';

CREATE FUNCTION execreport._require_flag_writer(tenant_id integer) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    PERFORM execreport._require_tenant(_require_flag_writer.tenant_id, 'operator');
    -- a tenant with members is there; the view shows a member only the one that the session has chosen
    IF execreport._caller_is_superuser()
       AND NOT EXISTS (SELECT FROM execreport.tenants AS t WHERE t.tenant_id = _require_flag_writer.tenant_id) THEN
        RAISE EXCEPTION 'tenant % does not exist', _require_flag_writer.tenant_id
            USING ERRCODE = '42704',
                  HINT = format('Create it with execreport.create_tenant(%s).', _require_flag_writer.tenant_id);
    END IF;
END
$$;
COMMENT ON FUNCTION execreport._require_flag_writer(integer) IS
'An error unless the tenant exists and the caller is at least an operator in it.';

CREATE FUNCTION execreport._merge_flags(tenant_id integer, user_id text, flags jsonb, reason text,
    action text, entity_id text)
RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    change record;
    previous boolean;
    before jsonb := '{}';
    after jsonb := '{}';
BEGIN
    PERFORM execreport._check_flags(_merge_flags.flags);
    -- jsonb hands out its keys in one order, so writers that meet wait for each other and never in a circle
    FOR change IN SELECT f.key, (f.value #>> '{}')::boolean AS enabled FROM jsonb_each(_merge_flags.flags) AS f LOOP
        LOOP
            SELECT o.enabled INTO previous
              FROM execreport.flag_overrides AS o
             WHERE o.tenant_id = _merge_flags.tenant_id AND o.user_id = _merge_flags.user_id AND o.flag = change.key
               FOR UPDATE;
            EXIT WHEN FOUND OR change.enabled IS NULL;
            INSERT INTO execreport.flag_overrides (tenant_id, user_id, flag, enabled)
            VALUES (_merge_flags.tenant_id, _merge_flags.user_id, change.key, change.enabled)
            ON CONFLICT DO NOTHING;
            EXIT WHEN FOUND;    -- else another session has just committed the row: lock that one
        END LOOP;
        CONTINUE WHEN previous IS NOT DISTINCT FROM change.enabled;

        IF change.enabled IS NULL THEN
            DELETE FROM execreport.flag_overrides AS o
             WHERE o.tenant_id = _merge_flags.tenant_id AND o.user_id = _merge_flags.user_id AND o.flag = change.key;
        ELSIF previous IS NOT NULL THEN
            UPDATE execreport.flag_overrides AS o
               SET enabled = change.enabled, changed_by = execreport.current_user_id(), changed_at = now()
             WHERE o.tenant_id = _merge_flags.tenant_id AND o.user_id = _merge_flags.user_id AND o.flag = change.key;
        END IF;
        before := before || jsonb_build_object(change.key, previous);
        after := after || jsonb_build_object(change.key, change.enabled);
    END LOOP;

    IF after <> '{}' THEN
        PERFORM execreport._announce_change('execreport.flags');
        PERFORM execreport._audit(_merge_flags.tenant_id, _merge_flags.action, 'feature_flag', _merge_flags.entity_id,
                                  before, after, _merge_flags.reason);
    END IF;
END
$$;
COMMENT ON FUNCTION execreport._merge_flags(integer, text, jsonb, text, text, text) IS
'Merges overrides of a tenant (user_id is empty) or a user, and writes one audit row with the overrides that changed,
before and after; null stands for none. Nothing when nothing changes.';

CREATE FUNCTION execreport.update_flags(tenant_id integer, flags jsonb, reason text DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM execreport._require_flag_writer(update_flags.tenant_id), execreport._check_reason(update_flags.reason);
    PERFORM execreport._merge_flags(update_flags.tenant_id, '', update_flags.flags, update_flags.reason,
                                    'update_flags', update_flags.tenant_id::text);
    RETURN execreport.get_flags(update_flags.tenant_id);
END
$$;
COMMENT ON FUNCTION execreport.update_flags(integer, jsonb, text) IS
'Sets flags of a tenant: {"flag": true | false | null, ...}. Flags not named stay as they are; null removes the tenant''s
override. Returns all flags of the tenant as they are now, as get_flags() does. Audited as update_flags with the
overrides before and after and the reason; update_flags(tenant_id, previous_value) takes the change back.
For superusers and operators of the tenant.
Errors: 42704 for an unknown flag or tenant; 22023 when flags is not an object or a value is not true, false or null;
22004 for NULL; 42501 for other callers.
Example: SELECT execreport.update_flags(1, ''{"execReportsEnabled": true}'', ''pilot'');';

CREATE FUNCTION execreport.update_user_flags(user_id text, flags jsonb, reason text DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    tenant integer := execreport.current_tenant();
BEGIN
    PERFORM execreport._require_flag_writer(tenant), execreport._check_reason(update_user_flags.reason);
    IF update_user_flags.user_id IS NULL THEN
        RAISE EXCEPTION 'user_id is null' USING ERRCODE = '22004', HINT = 'update_flags() sets flags for a whole tenant.';
    END IF;
    IF update_user_flags.user_id = '' OR octet_length(update_user_flags.user_id) > 512 THEN
        RAISE EXCEPTION 'user_id has % bytes', octet_length(update_user_flags.user_id)
            USING ERRCODE = '22023', DETAIL = 'A user_id has 1 to 512 bytes.';
    END IF;
    PERFORM execreport._merge_flags(tenant, update_user_flags.user_id, update_user_flags.flags, update_user_flags.reason,
                                    'update_user_flags', update_user_flags.user_id);
    RETURN execreport._user_flags(tenant, update_user_flags.user_id);
END
$$;
COMMENT ON FUNCTION execreport.update_user_flags(text, jsonb, text) IS
'Sets flags for one user of the current tenant, above those of the tenant: {"flag": true | false | null, ...}. Flags not
named stay as they are; null removes the user''s override. Returns all flags as they are now for this user. Audited as
update_user_flags. user_id: the application''s name for the user, 1 to 512 bytes. For superusers and operators of the tenant.
Errors: those of update_flags(); 22023 for an empty or longer user_id.
Example: SELECT execreport.update_user_flags(''ana@example.com'', ''{"execReportsEnabled": true}'', ''tester'');';

CREATE FUNCTION execreport.set_kill_switch(flag text, engaged boolean, reason text, tenant_id integer DEFAULT NULL)
RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    scope integer := coalesce(set_kill_switch.tenant_id, 0);
    log_tenant integer := coalesce(set_kill_switch.tenant_id, execreport.current_tenant());
BEGIN
    IF set_kill_switch.tenant_id IS NOT NULL THEN
        PERFORM execreport._require_flag_writer(set_kill_switch.tenant_id);
    ELSIF NOT execreport._caller_is_superuser() THEN
        RAISE EXCEPTION 'only a superuser sets kill switches for every tenant'
            USING ERRCODE = '42501', HINT = 'Name the tenant as the fourth argument.';
    END IF;
    PERFORM execreport._check_flag(set_kill_switch.flag), execreport._check_reason(set_kill_switch.reason);
    IF set_kill_switch.engaged IS NULL THEN
        RAISE EXCEPTION 'engaged is null' USING ERRCODE = '22004', HINT = 'true engages the switch, false releases it.';
    END IF;

    IF set_kill_switch.engaged THEN
        INSERT INTO execreport.kill_switches (tenant_id, flag, reason)
        VALUES (scope, set_kill_switch.flag, set_kill_switch.reason)
        ON CONFLICT DO NOTHING;
    ELSE
        DELETE FROM execreport.kill_switches AS k WHERE k.tenant_id = scope AND k.flag = set_kill_switch.flag;
    END IF;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM execreport._announce_change('execreport.flags');
    PERFORM execreport._audit(log_tenant, 'set_kill_switch', 'feature_flag', set_kill_switch.flag,
        jsonb_build_object('engaged', NOT set_kill_switch.engaged), jsonb_build_object('engaged', set_kill_switch.engaged),
        set_kill_switch.reason, jsonb_build_object('scope', CASE scope WHEN 0 THEN 'everywhere' ELSE 'tenant' END));
    RETURN true;
END
$$;
COMMENT ON FUNCTION execreport.set_kill_switch(text, boolean, text, integer) IS
'Engages (true) or releases (false) a kill switch: while it is engaged the flag is off, whatever overrides, setting and
default say. tenant_id NULL means every tenant and is for superusers; a tenant''s is also for its operators. The two are
independent: releasing one leaves the other. Returns true when something changed. Audited as set_kill_switch (one for
every tenant in the log of the caller''s current tenant).
Errors: 42704 for an unknown flag or tenant; 42501 for other callers; 22004 for a NULL flag or engaged.
Example: SELECT execreport.set_kill_switch(''execReportsEnabled'', true, ''error rate above 10 %'');';
