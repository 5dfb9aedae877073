-- contracts: which shape documents have. One judge, JSON Schema, for what we take, what we give, and what tenants add.
--
-- The machine reads no table. A contract that refers to others is stored together with them, as they stood when it was
-- registered, so a version of a contract judges the same way for ever.

CREATE TABLE execreport.contracts (
    tenant_id     integer NOT NULL CHECK (tenant_id >= 0),
    name          text COLLATE "C" NOT NULL CHECK (name ~ '^[a-z0-9][a-z0-9._-]{0,99}$'),
    version       text COLLATE "C" NOT NULL CHECK (length(version) BETWEEN 1 AND 100),
    schema        jsonb NOT NULL,
    bundle        jsonb,
    registered_by text NOT NULL DEFAULT execreport.current_user_id(),
    registered_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    builtin       boolean NOT NULL DEFAULT false,
    PRIMARY KEY (tenant_id, name, version)
);
COMMENT ON TABLE execreport.contracts IS
'JSON Schemas under a name, all their versions; the one registered last counts. tenant_id 0: built in, for every tenant.
bundle: the schema with the contracts it refers to, NULL when there are none. Written by register_contract().';

CREATE TABLE execreport.modules (
    tenant_id       integer NOT NULL DEFAULT execreport.current_tenant(),
    module_id       text COLLATE "C" NOT NULL CHECK (length(module_id) BETWEEN 1 AND 100),
    name            text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    category        text NOT NULL CHECK (category IN ('demand', 'visibility', 'competitive', 'strategy', 'performance')),
    output_contract text COLLATE "C",
    registered_by   text NOT NULL DEFAULT execreport.current_user_id(),
    registered_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, module_id)
);
COMMENT ON TABLE execreport.modules IS
'Modules that a tenant has registered. output_contract: what their outputs are held to besides exec-report-output, which
holds for all. Modules need not be registered. Written by register_module().';

CALL execreport._hold('execreport.contracts', condition => 'tenant_id IN (0, (SELECT execreport.current_tenant()))', dumped => 'WHERE NOT builtin');
CALL execreport._hold('execreport.modules');

CREATE FUNCTION execreport._bundle_contract(tenant_id integer, name text, schema jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    self    text := 'contract:' || _bundle_contract.name;
    held    text := CASE WHEN _bundle_contract.schema ->> '$schema' LIKE '%draft-07%' THEN 'definitions' ELSE '$defs' END;
    pending jsonb[] := ARRAY[_bundle_contract.schema];
    written text;
    uri     text;
    other   record;
    draft   constant jsonb := '{"$schema": "https://json-schema.org/draft/2020-12/schema"}';
    defs    jsonb := '{}';
    recurs  boolean := false;
BEGIN
    WHILE cardinality(pending) > 0 LOOP
        -- in jsonb's own text a member reads like this and nothing else does: quotes inside of strings are escaped
        written := pending[1]::text;
        pending := pending[2:];
        FOR uri IN
            SELECT DISTINCT split_part(('"' || r.found[1] || '"')::jsonb #>> '{}', '#', 1)
              FROM regexp_matches(written, E'"\\$(?:ref|dynamicRef)": "((?:[^"\\\\]|\\\\.)*)"', 'g') AS r (found)
        LOOP
            IF regexp_replace(uri, '^contract:', '') = _bundle_contract.name THEN
                recurs := true;
                CONTINUE;
            END IF;
            -- by name, contract:name or, where the schema has one, $id
            SELECT DISTINCT ON (c.name) c.name, c.schema,
                   coalesce(c.schema ->> '$id', 'contract:' || c.name) AS id INTO other
              FROM execreport.contracts AS c
             WHERE c.tenant_id IN (0, _bundle_contract.tenant_id)
               AND (c.name = regexp_replace(uri, '^contract:', '') OR rtrim(c.schema ->> '$id', '#') = uri)
             ORDER BY c.name, c.registered_at DESC, c.version DESC;
            CONTINUE WHEN NOT FOUND OR uri = '' OR strpos(written, '"$id": ' || to_jsonb(uri)::text) > 0 OR defs ? ('contract:' || other.name);
            -- beside schemas of another draft it says which one is its own
            defs := defs || jsonb_build_object('contract:' || other.name,
                CASE jsonb_typeof(other.schema)
                    WHEN 'object' THEN draft || other.schema || jsonb_build_object('$id', other.id)
                    ELSE jsonb_build_object('$id', other.id, 'not', CASE other.schema WHEN 'true' THEN 'false'::jsonb ELSE 'true' END) END);
            IF other.id <> 'contract:' || other.name THEN
                defs := defs || jsonb_build_object('contract:' || other.name || ' ',
                                                   draft || jsonb_build_object('$id', 'contract:' || other.name, '$ref', other.id));
            END IF;
            pending := pending || other.schema;
        END LOOP;
    END LOOP;
    IF defs = '{}' AND NOT recurs THEN
        RETURN NULL;
    END IF;
    RETURN jsonb_build_object('$id', self) || _bundle_contract.schema
        || CASE WHEN defs = '{}' THEN '{}' ELSE jsonb_build_object(held, coalesce(_bundle_contract.schema -> held, '{}') || defs) END;
END
$$;
COMMENT ON FUNCTION execreport._bundle_contract(integer, text, jsonb) IS
'The schema with all contracts that it refers to, directly or through others, under $defs, and with the name of its own; NULL
when it refers to none.
A reference to something else stays as it is: json_schema_check() finds what resolves to nothing.';

CREATE FUNCTION execreport._check_contract_name(name text, version text) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF name IS NULL OR version IS NULL THEN
        RAISE EXCEPTION '% is null', CASE WHEN name IS NULL THEN 'name' ELSE 'version' END
            USING ERRCODE = '22004', HINT = 'Write register_contract(''order'', ''1'', ''{"type": "object"}'').';
    ELSIF name !~ '^[a-z0-9][a-z0-9._-]{0,99}$' THEN
        RAISE EXCEPTION 'name "%" is no name of a contract', left(name, 64)
            USING ERRCODE = '22023',
                  DETAIL = 'Allowed are 1 to 100 small letters, digits, dots, hyphens and underscores, a letter or digit first.';
    ELSIF length(version) NOT BETWEEN 1 AND 100 THEN
        RAISE EXCEPTION 'version has % characters', length(version)
            USING ERRCODE = '22023', DETAIL = 'It may have 1 to 100.';
    END IF;
END
$$;
COMMENT ON FUNCTION execreport._check_contract_name(text, text) IS
'An error unless a contract may have this name and version.';

CREATE FUNCTION execreport.register_contract(name text, version text, schema jsonb) RETURNS execreport.contracts
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    tenant integer := execreport._require_persona('operator');
    bundle jsonb;
    result execreport.contracts;
BEGIN
    PERFORM execreport._check_contract_name(register_contract.name, register_contract.version);
    IF register_contract.schema IS NULL THEN
        RAISE EXCEPTION 'schema is null' USING ERRCODE = '22004', HINT = 'Write {} for a contract that takes everything.';
    ELSIF EXISTS (SELECT FROM execreport.contracts AS c WHERE c.tenant_id = 0 AND c.name = register_contract.name) THEN
        RAISE EXCEPTION 'contract % is built in', register_contract.name
            USING ERRCODE = '42939', HINT = 'Register yours under another name; it may refer to this one.';
    END IF;

    SELECT * INTO result FROM execreport.contracts AS c
     WHERE c.tenant_id = tenant AND c.name = register_contract.name AND c.version = register_contract.version;
    IF NOT FOUND THEN
        bundle := execreport._bundle_contract(tenant, register_contract.name, register_contract.schema);
        PERFORM execreport.json_schema_check(coalesce(bundle, register_contract.schema));
        INSERT INTO execreport.contracts (tenant_id, name, version, schema, bundle)
        VALUES (tenant, register_contract.name, register_contract.version, register_contract.schema, bundle)
        ON CONFLICT DO NOTHING
        RETURNING * INTO result;
        IF FOUND THEN
            PERFORM execreport._audit(tenant, 'register', 'contract', result.name, NULL,
                jsonb_build_object('version', result.version, 'schemaHash', execreport._canonical_hash(result.schema)));
            RETURN result;
        END IF;
        -- another session was first
        SELECT * INTO result FROM execreport.contracts AS c
         WHERE c.tenant_id = tenant AND c.name = register_contract.name AND c.version = register_contract.version;
    END IF;
    IF result.schema IS DISTINCT FROM register_contract.schema THEN
        RAISE EXCEPTION 'version "%" of contract % exists with another schema', left(result.version, 64), result.name
            USING ERRCODE = '23505', HINT = 'A version never changes: register the schema as a new one.';
    END IF;
    RETURN result;
END
$$;
COMMENT ON FUNCTION execreport.register_contract(text, text, jsonb) IS
'Registers a version of a contract of the current tenant and returns its row. name: 1 to 100 of a-z, 0-9, dot, hyphen and
underscore; version: any text of 1 to 100 characters, the one registered last is the one that counts; schema: JSON Schema
2020-12, or draft-07 when $schema says so. It must be valid against its meta-schema. {"$ref": "contract:NAME"}, the bare
NAME or the $id of another registered contract, each with #/... too, refers to that one as it stands now; nothing else
is fetched. The same version with the same schema returns the stored row. Needs persona operator; audited.
Errors: 22004 for NULL; 22023 for a name, version or schema that cannot be; 42704 for a reference to nowhere; 2201B or 0A000
for a pattern; 54000 or 54001 for a schema too large or too deep; 23505 for a used version with another schema; 42939 for the
name of a built-in contract; 42501.
Example: SELECT version FROM execreport.register_contract(''order'', ''1'', ''{"type": "object", "required": ["id"]}'');';

CREATE FUNCTION execreport.register_contract(name text, version integer, schema jsonb) RETURNS execreport.contracts
LANGUAGE sql VOLATILE
RETURN execreport.register_contract(name, version::pg_catalog.text, schema);
COMMENT ON FUNCTION execreport.register_contract(text, integer, jsonb) IS
'The same with a version that is a number.
Example: SELECT version FROM execreport.register_contract(''order'', 2, ''{"type": "object"}'');';

CREATE FUNCTION execreport._contract(name text, version text) RETURNS execreport.contracts
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    tenant integer := execreport.current_tenant();
    result execreport.contracts;
BEGIN
    SELECT * INTO result
      FROM execreport.contracts AS c
     WHERE c.tenant_id IN (0, tenant) AND c.name = _contract.name
       AND (_contract.version IS NULL OR c.version = _contract.version)
     ORDER BY c.registered_at DESC, c.version DESC LIMIT 1;
    IF FOUND THEN
        RETURN result;
    ELSIF _contract.name IS NULL THEN
        RAISE EXCEPTION 'name is null' USING ERRCODE = '22004', HINT = 'Name the contract.';
    ELSIF EXISTS (SELECT FROM execreport.contracts AS c WHERE c.tenant_id IN (0, tenant) AND c.name = _contract.name) THEN
        RAISE EXCEPTION 'contract % has no version "%"', _contract.name, left(_contract.version, 64)
            USING ERRCODE = '42704',
                  HINT = format('There are %s.', (
                      SELECT string_agg(quote_literal(v.version), ', ' ORDER BY v.registered_at DESC)
                        FROM (SELECT c.version, c.registered_at FROM execreport.contracts AS c
                               WHERE c.tenant_id IN (0, tenant) AND c.name = _contract.name
                               ORDER BY c.registered_at DESC LIMIT 20) AS v));
    END IF;
    RAISE EXCEPTION 'contract "%" does not exist', left(_contract.name, 64)
        USING ERRCODE = '42704',
              HINT = format('Known are %s.', (
                  SELECT string_agg(k.name, ', ' ORDER BY k.name)
                    FROM (SELECT DISTINCT c.name FROM execreport.contracts AS c
                           WHERE c.tenant_id IN (0, tenant) ORDER BY c.name LIMIT 100) AS k));
END
$$;
COMMENT ON FUNCTION execreport._contract(text, text) IS
'A contract of the current tenant or a built-in one, in this version or, with NULL, the newest. Error 42704 when there is none.';

CREATE FUNCTION execreport.check_contract(name text, document jsonb, version text DEFAULT NULL)
RETURNS TABLE (instance_path text, schema_path text, keyword text, message text)
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 1 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    contract execreport.contracts := execreport._contract(check_contract.name, check_contract.version);
BEGIN
    IF check_contract.document IS NULL THEN
        RAISE EXCEPTION 'document is null'
            USING ERRCODE = '22004', DETAIL = 'Without it nothing can be judged, and no rows would mean a valid document.';
    END IF;
    RETURN QUERY SELECT * FROM execreport.json_schema_errors(coalesce(contract.bundle, contract.schema), check_contract.document);
END
$$;
COMMENT ON FUNCTION execreport.check_contract(text, jsonb, text) IS
'The problems of a document against a contract, at most 100 rows as json_schema_errors() gives them; none when it is valid.
name: a built-in contract or one of the tenant''s; version: NULL = the one registered last.
Errors: 42704 for an unknown contract or version, the HINT lists the known ones; 22004 for NULL.
Example: SELECT instance_path, message FROM execreport.check_contract(''lookback-config'', ''{"type": "relative"}'');';

CREATE FUNCTION execreport.require_contract(name text, document jsonb, version text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF require_contract.document IS NULL THEN
        RAISE EXCEPTION 'document is null' USING ERRCODE = '22004', HINT = 'Give a JSON document.';
    END IF;
    PERFORM execreport._require_contract(require_contract.name, require_contract.document, 'document', require_contract.version);
END
$$;
COMMENT ON FUNCTION execreport.require_contract(text, jsonb, text) IS
'Nothing when the document is valid against the contract, else one error: the first problem with its path in the message,
all of them (at most 100) in DETAIL, one a line, with what came and what the contract says. name and version as for check_contract().
Errors: 22023 for an invalid document; 42704 for an unknown contract or version; 22004 for NULL.
Example: SELECT execreport.require_contract(''lookback-config'', ''{"type": "relative", "value": 7, "unit": "days"}'');';

CREATE FUNCTION execreport._require_contract(name text, document jsonb, root text, version text) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    contract execreport.contracts := execreport._contract(_require_contract.name, _require_contract.version);
    schema   jsonb := coalesce(contract.bundle, contract.schema);
    problems text[];
    details  text[];
BEGIN
    IF execreport.json_matches_schema(schema, _require_contract.document) THEN
        RETURN;
    END IF;
    SELECT array_agg(p.problem || CASE p.keyword WHEN 'enum' THEN coalesce(': ' || p.allowed, '') ELSE '' END ORDER BY p.n),
           array_agg(p.problem || coalesce('; it is ' || p.came, '') || coalesce('; the contract says "' || p.keyword || '": ' || p.allowed, '') ORDER BY p.n)
      INTO problems, details
      FROM (SELECT e.n, e.keyword, execreport._contract_path(root, e.instance_path) || ': ' || e.message AS problem,
                   execreport._what_came(document #> execreport._pointer(e.instance_path)) AS came,
                   left((schema #> execreport._pointer(e.schema_path))::text, 200) AS allowed
              FROM execreport.json_schema_errors(schema, _require_contract.document) WITH ORDINALITY
                       AS e (instance_path, schema_path, keyword, message, n)) AS p;
    RAISE EXCEPTION '%', problems[1]
        USING ERRCODE = '22023', DETAIL = array_to_string(details, E'\n'),
              HINT = format('It is held to the contract %s, version %s; execreport.check_contract() lists the problems as rows.',
                            contract.name, contract.version);
END
$$;
COMMENT ON FUNCTION execreport._require_contract(text, jsonb, text, text) IS
'require_contract() for a document that errors call by this name (root).';

CREATE FUNCTION execreport._pointer(pointer text) RETURNS text[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
    SELECT coalesce(pg_catalog.array_agg(pg_catalog.replace(pg_catalog.replace(part.name, '~1', '/'), '~0', '~') ORDER BY part.n), '{}')
      FROM pg_catalog.string_to_table(pointer, '/') WITH ORDINALITY AS part (name, n)
     WHERE part.n > 1;
END;
COMMENT ON FUNCTION execreport._pointer(text) IS
'A JSON Pointer as a path of jsonb.';

CREATE FUNCTION execreport._what_came(value jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE pg_catalog.jsonb_typeof(value)
           WHEN 'object' THEN 'an object'
           WHEN 'array' THEN 'an array of ' || pg_catalog.jsonb_array_length(value)
           ELSE pg_catalog.left(value::pg_catalog.text, 100) END;

CREATE FUNCTION execreport._contract_path(root text, pointer text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
    SELECT root || coalesce(pg_catalog.string_agg(
               CASE WHEN part.name ~ '^[0-9]{1,9}$' THEN '[' || part.name || ']'
                    WHEN part.name = '' THEN '.""'
                    ELSE '.' || pg_catalog.left(pg_catalog.replace(pg_catalog.replace(part.name, '~1', '/'), '~0', '~'), 64) END,
               '' ORDER BY part.n), '')
      FROM pg_catalog.string_to_table(pointer, '/') WITH ORDINALITY AS part (name, n)
     WHERE part.n > 1;
END;
COMMENT ON FUNCTION execreport._contract_path(text, text) IS
'A JSON Pointer as errors write paths: output.insights[1].confidence.';

CREATE FUNCTION execreport.register_module(module_id text, name text, category text, output_contract text DEFAULT NULL)
RETURNS execreport.modules
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    tenant  integer := execreport._require_persona('operator');
    earlier execreport.modules;
    result  execreport.modules;
BEGIN
    IF num_nulls(register_module.module_id, register_module.name, register_module.category) > 0 THEN
        RAISE EXCEPTION '% is null', CASE WHEN register_module.module_id IS NULL THEN 'module_id'
                                          WHEN register_module.name IS NULL THEN 'name' ELSE 'category' END
            USING ERRCODE = '22004', HINT = 'Only output_contract may be left out.';
    ELSIF length(register_module.module_id) NOT BETWEEN 1 AND 100 THEN
        RAISE EXCEPTION 'module_id has % characters', length(register_module.module_id)
            USING ERRCODE = '22023', DETAIL = 'It may have 1 to 100.';
    ELSIF length(register_module.name) NOT BETWEEN 1 AND 200 THEN
        RAISE EXCEPTION 'name has % characters', length(register_module.name)
            USING ERRCODE = '22023', DETAIL = 'It may have 1 to 200.';
    ELSIF register_module.category NOT IN ('demand', 'visibility', 'competitive', 'strategy', 'performance') THEN
        RAISE EXCEPTION 'category "%" is unknown', left(register_module.category, 64)
            USING ERRCODE = '22023', DETAIL = 'It may be demand, visibility, competitive, strategy or performance.';
    ELSIF register_module.output_contract IS NOT NULL THEN
        PERFORM execreport._contract(register_module.output_contract, NULL);
    END IF;

    LOOP
        SELECT * INTO earlier FROM execreport.modules AS m
         WHERE m.tenant_id = tenant AND m.module_id = register_module.module_id FOR UPDATE;
        EXIT WHEN FOUND;
        INSERT INTO execreport.modules (tenant_id, module_id, name, category, output_contract)
        VALUES (tenant, register_module.module_id, register_module.name, register_module.category, register_module.output_contract)
        ON CONFLICT DO NOTHING
        RETURNING * INTO result;
        EXIT WHEN FOUND;    -- else another session has just committed the row: lock that one
    END LOOP;
    IF earlier.module_id IS NOT NULL THEN
        IF (earlier.name, earlier.category, earlier.output_contract) IS NOT DISTINCT FROM
               (register_module.name, register_module.category, register_module.output_contract) THEN
            RETURN earlier;
        END IF;
        UPDATE execreport.modules AS m
           SET name = register_module.name, category = register_module.category,
               output_contract = register_module.output_contract,
               registered_by = execreport.current_user_id(), registered_at = now()
         WHERE m.tenant_id = tenant AND m.module_id = register_module.module_id
        RETURNING m.* INTO result;
    END IF;
    PERFORM execreport._announce_change('execreport.modules'),
            execreport._audit(tenant, 'register', 'module', result.module_id,
        CASE WHEN earlier.module_id IS NOT NULL THEN jsonb_build_object('name', earlier.name, 'category', earlier.category,
                                                                        'outputContract', earlier.output_contract) END,
        jsonb_build_object('name', result.name, 'category', result.category, 'outputContract', result.output_contract));
    RETURN result;
END
$$;
COMMENT ON FUNCTION execreport.register_module(text, text, text, text) IS
'Registers a module of the current tenant, or changes what is registered, and returns its row. category: demand,
visibility, competitive, strategy or performance. output_contract: the name of a contract, in the version registered last,
that create_exec_report() holds this module''s outputs to, besides exec-report-output, which holds for every output; NULL =
that one alone. Needs persona operator; audited.
Errors: 22004 for NULL; 22023 for an unknown category or a length; 42704 for an unknown contract; 42501.
Example: SELECT category FROM execreport.register_module(''keyword-gap'', ''Keyword gap'', ''competitive'');';
