\echo Use "CREATE EXTENSION execreport" to load this file. \quit

-- Created by the script itself, so that a schema somebody planted before us makes the installation fail.
CREATE SCHEMA execreport;
COMMENT ON SCHEMA execreport IS
'The reporting layer of an application: date windows, reports, feature flags, audit.
SELECT * FROM execreport.help() lists the functions. Names that begin with an underscore are internal.';

CREATE FUNCTION execreport._uuid7() RETURNS uuid
LANGUAGE c VOLATILE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'er_uuid7';
COMMENT ON FUNCTION execreport._uuid7() IS
'A new UUID of version 7 (RFC 9562): ordered by time of creation, rising within a session, free of collisions.';

CREATE FUNCTION execreport._canonical_hash(document jsonb) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'er_canonical_hash';
COMMENT ON FUNCTION execreport._canonical_hash(jsonb) IS
'SHA-256 in hex over the canonical text of a document: jsonb''s own text (keys ordered by length, then bytewise) with
trailing zeros of fractions removed. The order of keys and 1 versus 1.0 do not matter; the order of lists does.';

CREATE FUNCTION execreport._announce_change(changed regclass) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'er_announce_change';
COMMENT ON FUNCTION execreport._announce_change(regclass) IS
'Tells every session, at commit, to drop what it has cached of this table. Called by the function that changed it.';

CREATE FUNCTION execreport._read_only_because() RETURNS text
LANGUAGE sql STABLE
RETURN CASE WHEN pg_catalog.pg_is_in_recovery() THEN 'the server is a standby'
            WHEN pg_catalog.current_setting('transaction_read_only')::boolean THEN 'the transaction is read only' END;
COMMENT ON FUNCTION execreport._read_only_because() IS 'Why nothing can be written; NULL when it can.';

CREATE FUNCTION execreport._installed_version(OUT installed text, OUT fault text)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT e.extversion, CASE WHEN e.extversion IS DISTINCT FROM a.default_version THEN
               format('version %s is installed, %s is available: ALTER EXTENSION execreport UPDATE', e.extversion, coalesce(a.default_version, 'none')) END
      FROM pg_extension AS e LEFT JOIN pg_available_extensions() AS a ON a.name = e.extname
     WHERE e.extname = 'execreport';
END;
COMMENT ON FUNCTION execreport._installed_version() IS
'The version that is installed; fault: when it is not the one that is available.';

-- What every table of ours gets: row security, its rows in dumps, and lz4 where the server has it (five times cheaper to
-- write than pglz and three times to read) for jsonb and whatever else is large. Only for this script, whose last part
-- drops it.
CREATE PROCEDURE execreport._hold(held regclass, policy name DEFAULT 'own_tenant', condition text DEFAULT NULL,
    dumped text DEFAULT '', large name[] DEFAULT '{}')
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    compressed constant text := (
        SELECT string_agg(format('ALTER COLUMN %I SET COMPRESSION lz4', a.attname), ', ')
          FROM pg_attribute AS a JOIN pg_settings AS s ON s.name = 'default_toast_compression' AND 'lz4' = ANY (s.enumvals)
         WHERE a.attrelid = held AND a.attnum > 0 AND (a.atttypid = 'jsonb'::regtype OR a.attname = ANY (large)));
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', held) || coalesce(', ' || compressed, '');
    EXECUTE format('CREATE POLICY %I ON %s USING (%s)', policy, held, coalesce(condition, CASE policy
        WHEN 'own_tenant' THEN 'tenant_id = (SELECT execreport.current_tenant())'
        WHEN 'superusers' THEN '(SELECT execreport._caller_is_superuser())'
        WHEN 'everyone' THEN 'true' END));
    PERFORM pg_extension_config_dump(held, dumped);
END
$$;
