-- configurations: what a brand wants reported on, and what must never appear: one document of eight sections per
-- configuration, with a version and a hash, and the gate that a module passes before it runs.

CREATE FUNCTION execreport._snake_case(document jsonb) RETURNS jsonb
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 50 AS 'MODULE_PATHNAME', 'er_snake_case';
COMMENT ON FUNCTION execreport._snake_case(jsonb) IS
'The document with camelCase members renamed to snake_case at every depth. Error 22023 where an object has a member in
both spellings with different values.';

CREATE TABLE execreport.configurations (
    tenant_id           integer NOT NULL DEFAULT execreport.current_tenant(),
    configuration_id    integer NOT NULL CHECK (configuration_id > 0),
    context_version     integer NOT NULL CHECK (context_version > 0),
    context_hash        text NOT NULL,
    name                text,
    brand               jsonb,
    category_definition jsonb,
    competitors         jsonb,
    demand_definition   jsonb,
    strategic_intent    jsonb,
    channel_context     jsonb,
    negative_scope      jsonb,
    governance          jsonb,
    edit_reason         text,
    edited_by           text NOT NULL DEFAULT execreport.current_user_id(),
    created_at          timestamptz NOT NULL DEFAULT now(),
    updated_at          timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, configuration_id)
);
COMMENT ON TABLE execreport.configurations IS
'The current version of each configuration, one column per section (snake_case inside). context_hash is the SHA-256 of
the whole document. Written by save_configuration() and delete_configuration().';

CREATE TABLE execreport.configuration_versions (
    LIKE execreport.configurations,
    PRIMARY KEY (tenant_id, configuration_id, context_version)
);
ALTER TABLE execreport.configuration_versions ALTER COLUMN tenant_id SET DEFAULT execreport.current_tenant();
COMMENT ON TABLE execreport.configuration_versions IS
'Earlier versions of the configurations, as they stood in configurations until the next save.';

CREATE TABLE execreport._configuration_ids (
    tenant_id integer NOT NULL DEFAULT execreport.current_tenant() PRIMARY KEY,
    last_id   integer NOT NULL
);
COMMENT ON TABLE execreport._configuration_ids IS
'The highest configuration_id that a tenant has ever used: an id is never given twice, not even after a deletion.';

CALL execreport._hold('execreport.configurations');
CALL execreport._hold('execreport.configuration_versions');
CALL execreport._hold('execreport._configuration_ids');

-- Not parallel safe, nor is what calls it: catching an error takes a sub-transaction, and parallel queries have none.
CREATE FUNCTION execreport._instant(value text, path text) RETURNS timestamptz
LANGUAGE plpgsql STABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF value ~ E'^\\d{4}-\\d\\d-\\d\\d$' THEN
        RETURN (value::date + 1)::timestamp AT TIME ZONE 'UTC';
    ELSIF value ~ E'^\\d{4}-\\d\\d-\\d\\d[T ]\\d\\d:\\d\\d(:\\d\\d(\\.\\d{1,6}\\d*)?)?(Z|[+-]\\d\\d(:?\\d\\d)?)$' THEN
        RETURN value::timestamptz;
    ELSIF value ~ E'^\\d{4}-\\d\\d-\\d\\d[T ]\\d\\d:\\d\\d(:\\d\\d(\\.\\d{1,6}\\d*)?)?$' THEN
        RETURN value::timestamp AT TIME ZONE 'UTC';
    END IF;
    RAISE EXCEPTION '% is not a date or an instant', path
        USING ERRCODE = '22023', DETAIL = format('It is "%s".', left(value, 64)),
              HINT = 'Write 2026-03-31 or 2026-03-31T12:00:00Z.';
EXCEPTION WHEN datetime_field_overflow OR invalid_datetime_format OR invalid_time_zone_displacement_value THEN
    RAISE EXCEPTION '% is not a date or an instant', path
        USING ERRCODE = '22023', DETAIL = format('There is no "%s".', left(value, 64));
END
$$;
COMMENT ON FUNCTION execreport._instant(text, text) IS
'The instant at which a limit written in ISO 8601 is over: a day ends with its last moment in UTC. Error 22023 that
names the path.';

CREATE FUNCTION execreport._instant_text(instant timestamptz) RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE
RETURN pg_catalog.to_char(instant AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');
COMMENT ON FUNCTION execreport._instant_text(timestamptz) IS
'An instant as documents hold it, whatever the session''s zone: ISO 8601 in UTC with microseconds.';

CREATE FUNCTION execreport._exclusions(negative_scope jsonb)
RETURNS TABLE (path text, exclusion text, expires_at text, match_type text, semantic_sensitivity text)
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
    SELECT pg_catalog.format('negative_scope.%s[%s]', list.key, entry.n - 1),
           entry.value ->> 'value', entry.value ->> 'expires_at', entry.value ->> 'match_type',
           entry.value ->> 'semantic_sensitivity'
      FROM pg_catalog.jsonb_each(negative_scope) AS list,
           pg_catalog.jsonb_array_elements(CASE pg_catalog.jsonb_typeof(list.value) WHEN 'array' THEN list.value END)
               WITH ORDINALITY AS entry (value, n)
     WHERE list.key IN ('category_exclusions', 'keyword_exclusions', 'use_case_exclusions', 'competitor_exclusions')
    UNION ALL
    SELECT pg_catalog.format('negative_scope.%s[%s]', list.key, entry.n - 1), entry.value #>> '{}', NULL, NULL, NULL
      FROM pg_catalog.jsonb_each(negative_scope) AS list,
           pg_catalog.jsonb_array_elements(CASE pg_catalog.jsonb_typeof(list.value) WHEN 'array' THEN list.value END)
               WITH ORDINALITY AS entry (value, n)
     WHERE list.key IN ('excluded_categories', 'excluded_keywords', 'excluded_use_cases', 'excluded_competitors');
END;
COMMENT ON FUNCTION execreport._exclusions(jsonb) IS
'The exclusions of a negative scope, from the plain lists and from those with terms.';

CREATE FUNCTION execreport._configuration_content(document jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    content jsonb := execreport._snake_case(document);
    rule    record;
BEGIN
    PERFORM execreport._require_contract('ucr-configuration', content, 'document', NULL);
    SELECT coalesce(jsonb_object_agg(key, value), '{}') INTO content FROM jsonb_each(content) WHERE value <> 'null';
    IF content ? 'governance' THEN
        content := jsonb_set(content, '{governance}', (content -> 'governance') - '{context_hash,context_version}'::text[]);
        PERFORM execreport._instant(content #>> '{governance,context_valid_until}', 'document.governance.context_valid_until'),
                execreport._instant(content #>> '{governance,last_reviewed}', 'document.governance.last_reviewed');
        IF lower(content #>> '{governance,validation_status}') NOT IN ('complete', 'incomplete', 'blocked', 'needs_review') THEN
            RAISE EXCEPTION 'document.governance.validation_status is unknown'
                USING ERRCODE = '22023',
                      DETAIL = format('It is "%s"; it may be complete, incomplete, blocked or needs_review.',
                                      left(content #>> '{governance,validation_status}', 64));
        END IF;
    END IF;
    FOR rule IN SELECT * FROM execreport._exclusions(content -> 'negative_scope') LOOP
        PERFORM execreport._instant(rule.expires_at, format('document.%s.expires_at', rule.path));
        IF lower(rule.match_type) NOT IN ('exact', 'semantic') THEN
            RAISE EXCEPTION 'document.%.match_type is unknown', rule.path
                USING ERRCODE = '22023', DETAIL = format('It is "%s"; it may be exact or semantic.', left(rule.match_type, 64));
        ELSIF lower(rule.semantic_sensitivity) NOT IN ('low', 'medium', 'high') THEN
            RAISE EXCEPTION 'document.%.semantic_sensitivity is unknown', rule.path
                USING ERRCODE = '22023',
                      DETAIL = format('It is "%s"; it may be low, medium or high.', left(rule.semantic_sensitivity, 64));
        END IF;
    END LOOP;
    RETURN content;
END
$$;
COMMENT ON FUNCTION execreport._configuration_content(jsonb) IS
'The document as it is stored and hashed: snake_case, checked, without empty sections and without the version and hash
that governance may carry, for those are ours to give.';

CREATE FUNCTION execreport.save_configuration(configuration_id integer, document jsonb, edit_reason text DEFAULT NULL)
RETURNS execreport.configurations
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    tenant   integer := execreport._require_persona('editor');
    content  jsonb;
    hash     text;
    new_id   integer;
    earlier  execreport.configurations;
    saved    execreport.configurations;
BEGIN
    IF save_configuration.document IS NULL THEN
        RAISE EXCEPTION 'document is null' USING ERRCODE = '22004', HINT = 'Give an object with the sections.';
    END IF;
    IF save_configuration.configuration_id NOT BETWEEN 1 AND 2000000000 THEN  -- the rest is left for numbers of our own
        RAISE EXCEPTION 'configuration_id % is out of range', save_configuration.configuration_id
            USING ERRCODE = '22023', DETAIL = 'It may be from 1 to 2000000000.',
                  HINT = 'Leave it null for a new configuration.';
    END IF;
    PERFORM execreport._check_reason(save_configuration.edit_reason, field => 'edit_reason');
    IF length(btrim(save_configuration.edit_reason)) < 5 THEN
        RAISE EXCEPTION 'edit_reason is too short'
            USING ERRCODE = '22023', DETAIL = format('It is "%s".', save_configuration.edit_reason),
                  HINT = 'Say in at least 5 characters why, or leave it null.';
    END IF;
    content := execreport._configuration_content(save_configuration.document);
    hash := execreport._canonical_hash(content);

    -- A new id comes from the tenant's counter, whose row lock also keeps two sessions from making one configuration.
    SELECT * INTO earlier FROM execreport.configurations AS c
     WHERE c.tenant_id = tenant AND c.configuration_id = save_configuration.configuration_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        INSERT INTO execreport._configuration_ids AS ids (tenant_id, last_id)
        VALUES (tenant, coalesce(save_configuration.configuration_id, 1))
        ON CONFLICT (tenant_id) DO UPDATE
           SET last_id = greatest(ids.last_id + (save_configuration.configuration_id IS NULL)::integer,
                                  save_configuration.configuration_id)
        RETURNING coalesce(save_configuration.configuration_id, last_id) INTO new_id;
        IF new_id > 2000000000 THEN
            RAISE EXCEPTION 'the tenant has used the last number of a configuration'
                USING ERRCODE = '54000', DETAIL = 'They go up to 2000000000.', HINT = 'Give a configuration_id that is not used yet.';
        END IF;
        SELECT * INTO earlier FROM execreport.configurations AS c
         WHERE c.tenant_id = tenant AND c.configuration_id = new_id FOR NO KEY UPDATE;
    END IF;

    IF earlier.configuration_id IS NULL THEN
        INSERT INTO execreport.configurations (tenant_id, configuration_id, context_version, context_hash, name, brand,
            category_definition, competitors, demand_definition, strategic_intent, channel_context, negative_scope,
            governance, edit_reason)
        SELECT tenant, new_id, 1, hash, d.name, d.brand, d.category_definition, d.competitors, d.demand_definition,
               d.strategic_intent, d.channel_context, d.negative_scope, d.governance, save_configuration.edit_reason
          FROM jsonb_populate_record(NULL::execreport.configurations, content) AS d
        RETURNING * INTO saved;
    ELSIF earlier.context_hash = hash THEN
        RETURN earlier;
    ELSE
        INSERT INTO execreport.configuration_versions
        SELECT earlier.tenant_id, earlier.configuration_id, earlier.context_version, earlier.context_hash, earlier.name,
               earlier.brand, earlier.category_definition, earlier.competitors, earlier.demand_definition,
               earlier.strategic_intent, earlier.channel_context, earlier.negative_scope, earlier.governance,
               earlier.edit_reason, earlier.edited_by, earlier.created_at, earlier.updated_at;
        UPDATE execreport.configurations AS c
           SET context_version = c.context_version + 1, context_hash = hash, name = d.name, brand = d.brand,
               category_definition = d.category_definition, competitors = d.competitors,
               demand_definition = d.demand_definition, strategic_intent = d.strategic_intent,
               channel_context = d.channel_context, negative_scope = d.negative_scope, governance = d.governance,
               edit_reason = save_configuration.edit_reason, edited_by = execreport.current_user_id(), updated_at = now()
          FROM jsonb_populate_record(NULL::execreport.configurations, content) AS d
         WHERE c.tenant_id = tenant AND c.configuration_id = earlier.configuration_id
        RETURNING c.* INTO saved;
    END IF;

    PERFORM execreport._audit(tenant, CASE WHEN saved.context_version = 1 THEN 'create' ELSE 'update' END,
        'configuration', saved.configuration_id::text,
        CASE WHEN saved.context_version > 1
             THEN jsonb_build_object('contextVersion', earlier.context_version, 'contextHash', earlier.context_hash) END,
        jsonb_build_object('contextVersion', saved.context_version, 'contextHash', saved.context_hash),
        save_configuration.edit_reason);
    RETURN saved;
END
$$;
COMMENT ON FUNCTION execreport.save_configuration(integer, jsonb, text) IS
'Stores a configuration and returns its row. document is the whole of it, an object with any of: name (text), brand,
category_definition, competitors, demand_definition, strategic_intent, channel_context, negative_scope, governance
(objects); sections and members in camelCase or snake_case. What it leaves out is gone from the new version.
A changed document makes the next context_version, the earlier one moves to configuration_versions; an unchanged one
changes nothing. context_hash: SHA-256 in hex over the canonical document, so the order of keys and 1 versus 1.0 do not
matter; contextHash and contextVersion inside governance are ignored.
configuration_id: NULL makes a new configuration with the tenant''s next number; a number that is not there yet is taken.
edit_reason: why, at least 5 characters when given. Needs persona editor; audited.
Errors: 22004 for a NULL document; 22023 for an unknown section, a wrong type, two spellings with different values (all by
path), a number that is not 1 to 2000000000, a short reason; 54000 when the last number is used; 42501.
Example: SELECT context_version FROM execreport.save_configuration(NULL, ''{"brand": {"name": "Acme"}}'');';

CREATE FUNCTION execreport.check_context(configuration_id integer, as_of timestamptz DEFAULT now()) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    moment   timestamptz := coalesce(check_context.as_of, now());
    c        execreport.configurations;
    section  text;
    missing  text[] := '{}';
    blocked  text[] := '{}';
    expired  text[] := '{}';
    warnings text[] := '{}';
    until    timestamptz;
    reviewed timestamptz;
    status   text;
BEGIN
    SELECT * INTO c FROM execreport.configurations AS stored
     WHERE stored.tenant_id = execreport.current_tenant() AND stored.configuration_id = check_context.configuration_id;
    IF NOT FOUND THEN
        RETURN jsonb_build_object('status', 'no_context', 'valid', false, 'cmoSafe', false, 'warnings', '[]'::jsonb, 'errors',
            jsonb_build_array(format('configuration %s does not exist', coalesce(check_context.configuration_id::text, 'null'))));
    END IF;

    FOREACH section IN ARRAY ARRAY['brand', 'category_definition', 'competitors', 'demand_definition', 'negative_scope'] LOOP
        IF NOT jsonb_path_exists(to_jsonb(c) -> section,
               '$.** ? (@.type() == "string" && @ != "" || @.type() == "number" || @.type() == "boolean")') IS TRUE THEN
            missing := missing || format('section %s is missing', section);
        END IF;
    END LOOP;
    IF c.negative_scope IS NOT NULL THEN
        IF NOT EXISTS (SELECT FROM execreport._exclusions(c.negative_scope) AS e
                        WHERE btrim(e.exclusion) <> ''
                          AND (execreport._instant(regexp_replace(e.expires_at, E'^\\d{4}-\\d\\d-\\d\\d$', E'\\&T00:00:00Z'),
                                                   e.path || '.expires_at') > moment) IS NOT FALSE) THEN
            missing := missing || 'section negative_scope has no exclusion in force'::text;
        END IF;
        IF (c.negative_scope #> '{enforcement_rules,hard_exclusion}') IS DISTINCT FROM 'true' THEN
            missing := missing || 'negative_scope.enforcement_rules.hard_exclusion is not true'::text;
        END IF;
    END IF;

    IF lower(c.governance ->> 'validation_status') = 'blocked' THEN
        blocked := 'governance.validation_status is blocked'::text
            || coalesce(ARRAY(SELECT format('blocked: %s', r.reason)
                                FROM jsonb_array_elements_text(c.governance -> 'blocked_reasons') AS r (reason)
                               WHERE jsonb_typeof(c.governance -> 'blocked_reasons') = 'array'), '{}');
    ELSIF lower(c.governance ->> 'validation_status') = 'incomplete' THEN
        missing := missing || 'governance.validation_status is incomplete'::text;
    ELSIF lower(c.governance ->> 'validation_status') = 'needs_review' THEN
        warnings := warnings || 'governance.validation_status is needs_review'::text;
    END IF;

    until := execreport._instant(c.governance ->> 'context_valid_until', 'governance.context_valid_until');
    IF until <= moment THEN
        expired := ARRAY[format('the context was valid until %s', c.governance ->> 'context_valid_until')];
    ELSIF until <= moment + interval '7 days' THEN
        warnings := warnings || format('the context is valid until %s only', c.governance ->> 'context_valid_until');
    END IF;
    reviewed := execreport._instant(c.governance ->> 'last_reviewed', 'governance.last_reviewed');
    IF reviewed < moment - interval '30 days' THEN
        warnings := warnings || format('the context was last reviewed on %s', c.governance ->> 'last_reviewed');
    END IF;

    status := CASE WHEN cardinality(blocked) > 0 THEN 'blocked' WHEN cardinality(missing) > 0 THEN 'incomplete'
                   WHEN cardinality(expired) > 0 THEN 'expired' ELSE 'valid' END;
    RETURN jsonb_build_object(
        'status', status,
        'valid', status = 'valid',
        'cmoSafe', status = 'valid' AND coalesce(c.governance -> 'human_verified' = 'true', false)
                   AND coalesce(lower(c.governance #>> '{quality_score,grade}') IN ('high', 'medium'), false),
        'errors', to_jsonb(blocked || missing || expired),
        'warnings', to_jsonb(warnings));
END
$$;
COMMENT ON FUNCTION execreport.check_context(integer, timestamptz) IS
'Whether a configuration may be worked with at as_of (default now): {status, valid, cmoSafe, errors[], warnings[]}.
status: no_context (there is no such configuration), else blocked (governance.validation_status says so), else incomplete
(brand, category_definition, competitors, demand_definition or negative_scope missing; no exclusion in force, where one with
a day as expires_at is over when that day begins in UTC; hard_exclusion
not true; validation_status incomplete), else expired (past governance.context_valid_until; a day counts to its end in
UTC; without one it does not expire), else valid. cmoSafe: valid, human_verified, and quality_score.grade high or
medium. Warnings: validation_status needs_review, at most 7 days to expiry, last reviewed more than 30 days ago.
Example: SELECT execreport.check_context(1) ->> ''status'';';

CREATE FUNCTION execreport.require_valid_context(configuration_id integer, as_of timestamptz DEFAULT now()) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    context jsonb := execreport.check_context(configuration_id, as_of);
BEGIN
    IF NOT (context ->> 'valid')::boolean THEN
        RAISE EXCEPTION 'configuration % is not a valid context: %', coalesce(configuration_id::text, 'null'), context ->> 'status'
            USING ERRCODE = 'PT403', DETAIL = 'UCR_BLOCKED',
                  HINT = (SELECT string_agg(reason, '; ' ORDER BY n)
                            FROM jsonb_array_elements_text(context -> 'errors') WITH ORDINALITY AS e (reason, n));
    END IF;
    RETURN context;
END
$$;
COMMENT ON FUNCTION execreport.require_valid_context(integer, timestamptz) IS
'The gate before a module runs: what check_context() says when the configuration is valid at as_of (default now), else
error PT403 with the status in the message, DETAIL UCR_BLOCKED and the reasons in HINT.
Example: SELECT execreport.require_valid_context(1) ->> ''warnings'';';

CREATE FUNCTION execreport._tables_with(columns name[]) RETURNS SETOF regclass
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT c.oid::pg_catalog.regclass
      FROM pg_catalog.pg_depend AS d JOIN pg_catalog.pg_class AS c ON c.oid = d.objid
     WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.deptype = 'e'
       AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
       AND d.refobjid = (SELECT e.oid FROM pg_catalog.pg_extension AS e WHERE e.extname = 'execreport')
       AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname <> 'audit_logs'
       AND columns <@ ARRAY(SELECT a.attname FROM pg_catalog.pg_attribute AS a
                             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
     ORDER BY c.oid DESC;
END;
COMMENT ON FUNCTION execreport._tables_with(name[]) IS
'Our tables that have all these columns, the youngest first, so a table comes before those it refers to. audit_logs is
not among them: it is evidence.';

CREATE FUNCTION execreport._require_read_committed() RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        RAISE EXCEPTION 'deletions of whole configurations and tenants need the isolation level READ COMMITTED'
            USING ERRCODE = '25000', DETAIL = format('It is %s: reports committed meanwhile would be overlooked.',
                                                     upper(current_setting('transaction_isolation')));
    END IF;
END
$$;

CREATE FUNCTION execreport.delete_configuration(configuration_id integer, reason text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    tenant  integer := execreport._require_persona('operator');
    gone    execreport.configurations;
    target  regclass;
    n       bigint;
    counts  jsonb := '{}';
BEGIN
    PERFORM execreport._check_reason(delete_configuration.reason, 'A deletion is audited: say why.');
    PERFORM execreport._require_read_committed();
    -- waits for whoever writes a report of this configuration; the deletions below see what they wrote
    SELECT * INTO gone FROM execreport.configurations AS c
     WHERE c.tenant_id = tenant AND c.configuration_id = delete_configuration.configuration_id FOR UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    FOR target IN SELECT execreport._tables_with('{tenant_id,configuration_id}') LOOP
        EXECUTE format('DELETE FROM %s WHERE tenant_id = $1 AND configuration_id = $2', target)
          USING tenant, delete_configuration.configuration_id;
        GET DIAGNOSTICS n = ROW_COUNT;
        IF n > 0 THEN
            counts := counts || jsonb_build_object(split_part(target::text, '.', 2), n);
        END IF;
    END LOOP;
    PERFORM execreport._audit(tenant, 'delete', 'configuration', gone.configuration_id::text,
        jsonb_strip_nulls(jsonb_build_object('name', gone.name, 'contextVersion', gone.context_version,
                                             'contextHash', gone.context_hash)),
        NULL, delete_configuration.reason, jsonb_build_object('deleted', counts));
    RETURN true;
END
$$;
COMMENT ON FUNCTION execreport.delete_configuration(integer, text) IS
'Deletes a configuration of the current tenant with all its versions, exec reports and master reports: true when there was
one. Its number is not given again. The audit row keeps name, version, hash and the number of rows per table.
Needs persona operator and a reason.
Errors: 22004 or 22023 without a reason; 25000 unless READ COMMITTED; 42501.
Example: SELECT execreport.delete_configuration(7, ''customer left'');';

CREATE FUNCTION execreport.delete_tenant(tenant_id integer, reason text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    gone    execreport.tenants;
    was_there boolean;
    member  name;
    target  regclass;
    n       bigint;
    counts  jsonb := '{}';
BEGIN
    IF NOT execreport._caller_is_superuser() THEN
        RAISE EXCEPTION 'only a superuser deletes tenants' USING ERRCODE = '42501';
    END IF;
    PERFORM execreport._check_reason(delete_tenant.reason, 'A deletion is audited: say why.');
    PERFORM execreport._require_read_committed();
    SELECT * INTO gone FROM execreport.tenants AS t WHERE t.tenant_id = delete_tenant.tenant_id;
    was_there := FOUND;
    IF delete_tenant.tenant_id IS NULL OR delete_tenant.tenant_id < 1 THEN     -- 0 stands for all tenants
        RETURN false;
    END IF;
    FOR member IN SELECT m.role_name FROM execreport.tenant_members AS m WHERE m.tenant_id = delete_tenant.tenant_id LOOP
        PERFORM execreport.revoke_access(member, delete_tenant.tenant_id);
    END LOOP;
    -- waits for whoever writes a report of this tenant
    PERFORM FROM execreport.configurations AS c WHERE c.tenant_id = delete_tenant.tenant_id FOR UPDATE;
    FOR target IN SELECT execreport._tables_with('{tenant_id}') LOOP
        EXECUTE format('DELETE FROM %s WHERE tenant_id = $1', target) USING delete_tenant.tenant_id;
        GET DIAGNOSTICS n = ROW_COUNT;
        IF n > 0 THEN
            counts := counts || jsonb_build_object(split_part(target::text, '.', 2), n);
            PERFORM execreport._announce_change(target);
        END IF;
    END LOOP;
    IF NOT was_there AND counts = '{}' THEN
        RETURN false;
    END IF;
    PERFORM execreport._announce_change('execreport.flags');  -- stands for overrides and kill switches, too
    PERFORM execreport._audit(delete_tenant.tenant_id, 'delete', 'tenant', delete_tenant.tenant_id::text,
        jsonb_strip_nulls(jsonb_build_object('name', gone.name, 'size', gone.size)),
        NULL, delete_tenant.reason, jsonb_build_object('deleted', counts));
    RETURN true;
END
$$;
COMMENT ON FUNCTION execreport.delete_tenant(integer, text) IS
'Deletes every row that a tenant has in any of our tables, but for audit_logs, which is evidence and gains a row with the
number of rows per table; its members lose their access. True when the tenant was there. Tenant 1 is emptied, and stays.
It waits for reports that are being written, and for no other session: what one that is at work for the tenant stores at this
moment stays behind, and is deleted by a second call, which then returns true.
For superusers; a reason is needed.
Errors: 42501 for others; 22004 or 22023 without a reason; 25000 unless READ COMMITTED.
Example: SELECT execreport.delete_tenant(7, ''contract ended'');';
