-- flags_rules: what decides a flag beyond overrides: rules, segments, percentages, variants, prerequisites.
--
-- A definition is one document a flag. All three tables are the same for all tenants and are written by superusers;
-- lookups read them through the session's cache (src/flags.c), so whoever writes one announces a change of flags.

CREATE TABLE execreport.flag_definitions (
    key             text COLLATE "C" NOT NULL PRIMARY KEY CHECK (key <> ''),
    document        jsonb NOT NULL,
    version         integer NOT NULL DEFAULT 1 CHECK (version > 0),
    archived_at     timestamptz,
    archived_reason text,
    changed_by      text NOT NULL DEFAULT execreport.current_user_id(),
    changed_at      timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE execreport.flag_definitions IS
'What define_flag() stored: the document of each flag, its version (counts the changes), and whether it is archived.';

CREATE TABLE execreport.flag_segments (
    key        text COLLATE "C" NOT NULL PRIMARY KEY CHECK (key <> ''),
    document   jsonb NOT NULL,
    version    integer NOT NULL DEFAULT 1 CHECK (version > 0),
    changed_by text NOT NULL DEFAULT execreport.current_user_id(),
    changed_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE execreport.flag_segments IS
'Constraints under one name, for use in the rules of many flags. Written by define_segment().';

CREATE TABLE execreport.flag_rollouts (
    flag       text COLLATE "C" NOT NULL PRIMARY KEY CHECK (flag <> ''),
    users      text[] NOT NULL DEFAULT '{}',
    percentage numeric NOT NULL DEFAULT 0 CHECK (percentage BETWEEN 0 AND 100),
    max_size   text CHECK (max_size IN ('small', 'medium', 'large')),
    group_id   text NOT NULL DEFAULT 'reports'
);
COMMENT ON TABLE execreport.flag_rollouts IS
'How far a flag is rolled out: to these users in any tenant, to this percentage of the tenants (dealt by group_id), to
tenants up to this size. Each is a rule after those of the definition.';

DO $$
BEGIN
    IF 'lz4' = ANY (SELECT unnest(s.enumvals) FROM pg_catalog.pg_settings AS s WHERE s.name = 'default_toast_compression') THEN
        ALTER TABLE execreport.flag_definitions ALTER COLUMN document SET COMPRESSION lz4;
        ALTER TABLE execreport.flag_segments ALTER COLUMN document SET COMPRESSION lz4;
    END IF;
END
$$;

-- rules name users of any tenant: not for everybody's eyes
ALTER TABLE execreport.flag_definitions ENABLE ROW LEVEL SECURITY;
CREATE POLICY superusers ON execreport.flag_definitions USING ((SELECT execreport._caller_is_superuser()));
ALTER TABLE execreport.flag_segments ENABLE ROW LEVEL SECURITY;
CREATE POLICY superusers ON execreport.flag_segments USING ((SELECT execreport._caller_is_superuser()));
ALTER TABLE execreport.flag_rollouts ENABLE ROW LEVEL SECURITY;
CREATE POLICY superusers ON execreport.flag_rollouts USING ((SELECT execreport._caller_is_superuser()));

SELECT pg_catalog.pg_extension_config_dump('execreport.flag_definitions', '');
SELECT pg_catalog.pg_extension_config_dump('execreport.flag_segments', '');
SELECT pg_catalog.pg_extension_config_dump('execreport.flag_rollouts', '');

CREATE FUNCTION execreport._store_definition(key text, document jsonb, reason text) RETURNS integer
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    previous execreport.flag_definitions;
    result integer;
BEGIN
    LOCK TABLE execreport.flag_definitions IN SHARE ROW EXCLUSIVE MODE;
    SELECT * INTO previous FROM execreport.flag_definitions AS d WHERE d.key = _store_definition.key;
    INSERT INTO execreport.flags (key, default_enabled, refusal, description)
    VALUES (_store_definition.key, coalesce((_store_definition.document ->> 'default')::boolean, false),
            coalesce(_store_definition.document ->> 'refusal', format('Feature %s not available', _store_definition.key)),
            coalesce(_store_definition.document ->> 'description', ''))
    ON CONFLICT DO NOTHING;
    INSERT INTO execreport.flag_definitions AS d (key, document)
    VALUES (_store_definition.key, _store_definition.document)
    ON CONFLICT (key) DO UPDATE
       SET document = excluded.document, version = d.version + 1, changed_by = excluded.changed_by, changed_at = now()
    RETURNING d.version INTO result;
    PERFORM execreport._announce_change('execreport.flags');
    PERFORM execreport._audit(execreport.current_tenant(), 'define_flag', 'feature_flag', _store_definition.key,
                              previous.document, _store_definition.document, _store_definition.reason,
                              jsonb_build_object('scope', 'everywhere', 'version', result));
    RETURN result;
END
$$;
COMMENT ON FUNCTION execreport._store_definition(text, jsonb, text) IS
'Stores a definition: checks it, counts up its version, writes the audit row and announces the change. Returns the version.';
