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

-- rules name users of any tenant: not for everybody's eyes
CALL execreport._hold('execreport.flag_definitions', 'superusers');
CALL execreport._hold('execreport.flag_segments', 'superusers');
CALL execreport._hold('execreport.flag_rollouts', 'superusers');

INSERT INTO execreport.contracts (tenant_id, name, version, schema, registered_by, registered_at, builtin) VALUES

(0, 'flag-definition', '1', $json$ {
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "What decides a feature flag: rules, variants, prerequisites",
  "description": "Read by define_flag(), which also judges what needs a table or a parser: names of segments and flags, versions, dates, patterns.",
  "type": "object",
  "properties": {
    "description":   {"type": "string"},
    "refusal":       {"type": "string", "minLength": 1},
    "default":       {"type": "boolean"},
    "algorithm":     {"enum": ["unleash", "unleash_node", "flagd"]},
    "groupId":       {"$ref": "#/$defs/name"},
    "stickiness":    {"$ref": "#/$defs/name"},
    "redeal":        {"type": "boolean"},
    "prerequisites": {"type": "array", "maxItems": 20, "items": {"$ref": "#/$defs/prerequisite"}},
    "rules":         {"type": "array", "maxItems": 100, "items": {"$ref": "#/$defs/rule"}},
    "variants":      {"type": "array", "maxItems": 100, "items": {"$ref": "#/$defs/variant"}},
    "offVariant":    {"$ref": "#/$defs/name"}
  },
  "additionalProperties": false,
  "$defs": {
    "name":    {"type": "string", "minLength": 1, "maxLength": 200},
    "strings": {"type": "array", "maxItems": 100000, "items": {"type": ["string", "number"]}},
    "prerequisite": {
      "type": "object",
      "required": ["flag"],
      "properties": {
        "flag":     {"$ref": "#/$defs/name"},
        "enabled":  {"type": "boolean"},
        "variants": {"type": "array", "items": {"$ref": "#/$defs/name"}}
      },
      "additionalProperties": false
    },
    "rule": {
      "type": "object",
      "properties": {
        "description": {"type": "string"},
        "constraints": {"type": "array", "maxItems": 100, "items": {"$ref": "#/$defs/constraint"}},
        "segments":    {"type": "array", "maxItems": 100, "items": {"$ref": "#/$defs/name"}},
        "percentage":  {"type": "number", "minimum": 0, "maximum": 100},
        "groupId":     {"$ref": "#/$defs/name"},
        "stickiness":  {"$ref": "#/$defs/name"},
        "variants":    {"type": "array", "maxItems": 100, "items": {"$ref": "#/$defs/variant"}}
      },
      "additionalProperties": false
    },
    "constraint": {
      "type": "object",
      "required": ["contextName", "operator"],
      "properties": {
        "contextName":     {"$ref": "#/$defs/name"},
        "operator":        {"enum": ["IN", "NOT_IN", "STR_CONTAINS", "STR_STARTS_WITH", "STR_ENDS_WITH",
                                     "NUM_EQ", "NUM_GT", "NUM_GTE", "NUM_LT", "NUM_LTE", "DATE_AFTER", "DATE_BEFORE",
                                     "SEMVER_EQ", "SEMVER_GT", "SEMVER_GTE", "SEMVER_LT", "SEMVER_LTE", "REGEX", "CIDR", "IN_CIDR"]},
        "values":          {"$ref": "#/$defs/strings"},
        "value":           {"type": ["string", "number"]},
        "inverted":        {"type": "boolean"},
        "caseInsensitive": {"type": "boolean"}
      },
      "additionalProperties": false,
      "if":   {"properties": {"operator": {"enum": ["IN", "NOT_IN", "STR_CONTAINS", "STR_STARTS_WITH", "STR_ENDS_WITH", "CIDR", "IN_CIDR"]}}},
      "then": {"required": ["values"]},
      "else": {"required": ["value"]}
    },
    "variant": {
      "type": "object",
      "required": ["name"],
      "properties": {
        "name":       {"$ref": "#/$defs/name"},
        "weight":     {"type": "integer", "minimum": 0, "maximum": 2147483647},
        "value":      true,
        "stickiness": {"$ref": "#/$defs/name"},
        "overrides":  {"type": "array", "maxItems": 100, "items": {
          "type": "object",
          "required": ["contextName", "values"],
          "properties": {"contextName": {"$ref": "#/$defs/name"}, "values": {"$ref": "#/$defs/strings"}},
          "additionalProperties": false
        }}
      },
      "additionalProperties": false
    }
  }
} $json$, 'execreport', '-infinity', true),

(0, 'flag-segment', '1', $json$ {
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "Constraints under one name, for the rules of many flags",
  "type": "object",
  "required": ["constraints"],
  "properties": {
    "description": {"type": "string"},
    "constraints": {"type": "array", "minItems": 1, "maxItems": 100,
                    "items": {"$ref": "contract:flag-definition#/$defs/constraint"}}
  },
  "additionalProperties": false
} $json$, 'execreport', '-infinity', true);

UPDATE execreport.contracts AS c
   SET bundle = execreport._bundle_contract(c.tenant_id, c.name, c.schema)
 WHERE c.builtin AND c.name IN ('flag-definition', 'flag-segment');

CREATE FUNCTION execreport.flag_bucket(group_id text, id text) RETURNS integer
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'er_flag_bucket';
COMMENT ON FUNCTION execreport.flag_bucket(text, text) IS
'The bucket, 1 to 100, that an id falls into within a group: it is among the first n percent when its bucket is at most n.
MurmurHash3 x86 32, seed 0, over the UTF-8 bytes of group_id:id, modulo 100, plus 1, as Unleash deals. NULL for NULL.
Example: SELECT execreport.flag_bucket(''gr1'', ''123'');  -- 73';

CREATE FUNCTION execreport.flag_variant_bucket(group_id text, id text, total integer) RETURNS integer
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'er_flag_variant_bucket';
COMMENT ON FUNCTION execreport.flag_variant_bucket(text, text, integer) IS
'The bucket, 1 to total, that an id falls into when variants are dealt; total is the sum of their weights. The id gets the
first variant whose weight, added to those before it, reaches the bucket. The hash of flag_bucket() with seed 86028157, as
Unleash deals variants. NULL for NULL.
Errors: 22023 for a total below 1.
Example: SELECT execreport.flag_variant_bucket(''gr1'', ''123'', 100);  -- 96';

CREATE FUNCTION execreport._murmur3(data bytea, seed bigint) RETURNS bigint
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'er_murmur3_bytes';
COMMENT ON FUNCTION execreport._murmur3(bytea, bigint) IS
'MurmurHash3 x86 32, as a number from 0 to 2^32 - 1; of the seed the low 32 bits count.';

CREATE FUNCTION execreport._flag_value_fault(operator text, value text) RETURNS text
LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'er_flag_value_fault';
COMMENT ON FUNCTION execreport._flag_value_fault(text, text) IS
'What is wrong with a value of a constraint with this operator; NULL when nothing is.';

CREATE FUNCTION execreport._constraint_faults(path text, constraints jsonb) RETURNS SETOF text
LANGUAGE sql STABLE ROWS 1
BEGIN ATOMIC
    SELECT pg_catalog.format('%s[%s].%s: %s %s', _constraint_faults.path, c.n - 1, v.name,
                             pg_catalog.left(v.value::pg_catalog.text, 64),
                             execreport._flag_value_fault(c.document ->> 'operator', v.value #>> '{}'))
      FROM pg_catalog.jsonb_array_elements(_constraint_faults.constraints) WITH ORDINALITY AS c (document, n),
           LATERAL (SELECT 'value', c.document -> 'value', 0::pg_catalog.int8
                    UNION ALL
                    SELECT 'values[' || e.n - 1 || ']', e.value, e.n
                      FROM pg_catalog.jsonb_array_elements(c.document -> 'values') WITH ORDINALITY AS e (value, n)) AS v (name, value, n)
     WHERE v.value IS NOT NULL
       AND (v.n > 0) = (c.document ->> 'operator' IN ('CIDR', 'IN_CIDR'))
       AND execreport._flag_value_fault(c.document ->> 'operator', v.value #>> '{}') IS NOT NULL
     ORDER BY c.n, v.n
     LIMIT 100;
END;
COMMENT ON FUNCTION execreport._constraint_faults(text, jsonb) IS
'What is wrong with the values of constraints, each with its path.';

CREATE FUNCTION execreport._variant_faults(path text, variants jsonb, algorithm text) RETURNS SETOF text
LANGUAGE plpgsql STABLE ROWS 1 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    total numeric;
BEGIN
    RETURN QUERY
        SELECT format('%s[%s].name: %s stands twice', path, v.n - 1, v.document -> 'name')
          FROM jsonb_array_elements(variants) WITH ORDINALITY AS v (document, n)
         WHERE EXISTS (SELECT FROM jsonb_array_elements(variants) WITH ORDINALITY AS w (document, n)
                        WHERE w.n < v.n AND w.document ->> 'name' = v.document ->> 'name')
         ORDER BY v.n;
    SELECT sum(coalesce((v.document ->> 'weight')::numeric, 1)) INTO total FROM jsonb_array_elements(variants) AS v (document);
    IF total NOT BETWEEN 1 AND 2147483647 THEN
        RETURN NEXT format('%s: the weights add up to %s; 1 to 2147483647 is possible', path, total);
    END IF;
END
$$;
COMMENT ON FUNCTION execreport._variant_faults(text, jsonb, text) IS
'What is wrong with variants beyond the contract, each with its path.';

CREATE FUNCTION execreport._prerequisite_cycle(key text, document jsonb) RETURNS text[]
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH RECURSIVE needs (flag, needed) AS (
        SELECT _prerequisite_cycle.key, p.value ->> 'flag'
          FROM pg_catalog.jsonb_array_elements(_prerequisite_cycle.document -> 'prerequisites') AS p (value)
        UNION ALL
        SELECT d.key, p.value ->> 'flag'
          FROM execreport.flag_definitions AS d, pg_catalog.jsonb_array_elements(d.document -> 'prerequisites') AS p (value)
         WHERE d.key <> _prerequisite_cycle.key
    ), walk (path, at) AS (
        SELECT ARRAY[n.flag, n.needed], n.needed FROM needs AS n WHERE n.flag = _prerequisite_cycle.key
        UNION ALL
        SELECT w.path || n.needed, n.needed
          FROM walk AS w JOIN needs AS n ON n.flag = w.at
         WHERE w.at <> _prerequisite_cycle.key AND pg_catalog.cardinality(w.path) <= 16
    )
    -- in a net of flags there may be very many ways; the shortest come first
    SELECT w.path FROM (SELECT walk.path, walk.at, pg_catalog.row_number() OVER () AS n FROM walk LIMIT 1001) AS w
     WHERE w.at = _prerequisite_cycle.key OR pg_catalog.cardinality(w.path) > 16 OR w.n > 1000
     ORDER BY w.at = _prerequisite_cycle.key DESC, w.n LIMIT 1;
END;
COMMENT ON FUNCTION execreport._prerequisite_cycle(text, jsonb) IS
'The chain of prerequisites that would come back to the flag, go on for more than 16 flags, or be one of more than 1000; NULL
when there is none.';

CREATE FUNCTION execreport._definition_faults(key text, document jsonb) RETURNS SETOF text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    algorithm text := coalesce(document ->> 'algorithm', 'unleash');
    rule record;
    cycle text[];
BEGIN
    FOR rule IN
        SELECT format('document.rules[%s]', r.n - 1) AS path, r.document
          FROM jsonb_array_elements(_definition_faults.document -> 'rules') WITH ORDINALITY AS r (document, n) ORDER BY r.n
    LOOP
        RETURN QUERY SELECT * FROM execreport._constraint_faults(rule.path || '.constraints', rule.document -> 'constraints');
        RETURN QUERY
            SELECT format('%s.segments[%s]: segment %s does not exist', rule.path, s.n - 1, to_json(s.name))
              FROM jsonb_array_elements_text(rule.document -> 'segments') WITH ORDINALITY AS s (name, n)
             WHERE NOT EXISTS (SELECT FROM execreport.flag_segments AS f WHERE f.key = s.name) ORDER BY s.n;
        IF algorithm = 'flagd' AND scale(trim_scale((rule.document ->> 'percentage')::numeric)) > 3 THEN
            RETURN NEXT format('%s.percentage: %s is finer than a thousandth of a percent', rule.path, rule.document ->> 'percentage');
        ELSIF algorithm <> 'flagd' AND scale(trim_scale((rule.document ->> 'percentage')::numeric)) > 0 THEN
            RETURN NEXT format('%s.percentage: %s is no whole number, and algorithm %s deals whole percents; flagd deals thousandths',
                               rule.path, rule.document ->> 'percentage', algorithm);
        END IF;
        RETURN QUERY SELECT * FROM execreport._variant_faults(rule.path || '.variants', rule.document -> 'variants', algorithm);
    END LOOP;
    RETURN QUERY SELECT * FROM execreport._variant_faults('document.variants', _definition_faults.document -> 'variants', algorithm);
    IF _definition_faults.document ? 'offVariant'
       AND NOT coalesce(_definition_faults.document -> 'variants', '[]')
               @> jsonb_build_array(jsonb_build_object('name', _definition_faults.document -> 'offVariant')) THEN
        RETURN NEXT format('document.offVariant: %s is none of document.variants', _definition_faults.document -> 'offVariant');
    END IF;
    RETURN QUERY
        SELECT format('document.prerequisites[%s].flag: flag %s %s', p.n - 1, p.document -> 'flag',
                      CASE WHEN d.archived_at IS NULL THEN 'does not exist' ELSE 'is archived' END)
          FROM jsonb_array_elements(_definition_faults.document -> 'prerequisites') WITH ORDINALITY AS p (document, n)
          LEFT JOIN execreport.flags AS f ON f.key = p.document ->> 'flag'
          LEFT JOIN execreport.flag_definitions AS d ON d.key = f.key
         WHERE (f.key IS NULL AND p.document ->> 'flag' <> _definition_faults.key) OR d.archived_at IS NOT NULL ORDER BY p.n;
    cycle := execreport._prerequisite_cycle(_definition_faults.key, _definition_faults.document);
    IF cycle[cardinality(cycle)] = _definition_faults.key THEN
        RETURN NEXT format('document.prerequisites: %s is a cycle', array_to_string(cycle, ' needs '));
    ELSIF cycle IS NOT NULL THEN
        RETURN NEXT format('document.prerequisites: %s is too much; chains of 16 flags and 1000 of them are possible', array_to_string(cycle, ' needs '));
    END IF;
END
$$;
COMMENT ON FUNCTION execreport._definition_faults(text, jsonb) IS
'What is wrong with a definition beyond its contract, each with its path.';

CREATE FUNCTION execreport._raise_faults(faults text[], hint text) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF cardinality(faults) > 0 THEN
        RAISE EXCEPTION '%', faults[1] USING ERRCODE = '22023', DETAIL = array_to_string(faults, E'\n'), HINT = hint;
    END IF;
END
$$;
COMMENT ON FUNCTION execreport._raise_faults(text[], text) IS
'One error with all faults in its detail; nothing when there are none.';

CREATE FUNCTION execreport._flag_deals(key text, document jsonb) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT coalesce(pg_catalog.array_agg(DISTINCT pg_catalog.format('algorithm %s, group %s, stickiness %s',
                        coalesce(_flag_deals.document ->> 'algorithm', 'unleash'),
                        coalesce(d.group_id, _flag_deals.document ->> 'groupId', _flag_deals.key),
                        coalesce(d.stickiness, _flag_deals.document ->> 'stickiness', 'default'))), '{}')
      FROM (SELECT r.value ->> 'groupId', r.value ->> 'stickiness'
              FROM pg_catalog.jsonb_array_elements(_flag_deals.document -> 'rules') AS r (value)
             WHERE r.value -> 'percentage' IS NOT NULL
            UNION ALL
            SELECT r.value ->> 'groupId', coalesce(r.value #>> '{variants,0,stickiness}', r.value ->> 'stickiness')
              FROM pg_catalog.jsonb_array_elements(_flag_deals.document -> 'rules') AS r (value)
             WHERE pg_catalog.jsonb_array_length(r.value -> 'variants') > 0
            UNION ALL
            SELECT NULL, _flag_deals.document #>> '{variants,0,stickiness}'
             WHERE pg_catalog.jsonb_array_length(_flag_deals.document -> 'variants') > 0) AS d (group_id, stickiness);
END;
COMMENT ON FUNCTION execreport._flag_deals(text, jsonb) IS
'How a definition deals its percentages and variants. When that changes, everybody is dealt anew.';

CREATE FUNCTION execreport._store_definition(key text, document jsonb, reason text) RETURNS integer
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    previous execreport.flag_definitions;
    stored jsonb := _store_definition.document - 'redeal';
    deals_before text[];
    deals_after text[];
    result integer;
BEGIN
    IF _store_definition.key IS NULL OR _store_definition.document IS NULL THEN
        RAISE EXCEPTION '% is null', CASE WHEN _store_definition.key IS NULL THEN 'key' ELSE 'document' END
            USING ERRCODE = '22004', HINT = 'Write define_flag(''newCharts'', ''{"rules": [{"percentage": 25}]}'').';
    ELSIF _store_definition.key !~ E'^[^\\s=,"''[:cntrl:]]{1,200}$' THEN
        RAISE EXCEPTION 'key % is no name of a flag', to_json(left(_store_definition.key, 64))
            USING ERRCODE = '22023',
                  DETAIL = 'Allowed are 1 to 200 characters without blanks, commas, quotes and equals signs.';
    END IF;
    PERFORM execreport._require_contract('flag-definition', _store_definition.document, 'document', NULL);

    -- one definition at a time: two could close a cycle together
    LOCK TABLE execreport.flag_definitions IN SHARE ROW EXCLUSIVE MODE;
    SELECT * INTO previous FROM execreport.flag_definitions AS d WHERE d.key = _store_definition.key;
    IF previous.archived_at IS NOT NULL THEN
        RAISE EXCEPTION 'flag "%" is archived', _store_definition.key
            USING ERRCODE = '55000', HINT = format('Bring it back first: execreport.restore_flag(%L, ''reason'').', _store_definition.key);
    ELSIF previous.document = stored THEN
        RETURN previous.version;
    END IF;
    PERFORM execreport._raise_faults(ARRAY(SELECT execreport._definition_faults(_store_definition.key, stored)),
                                     'Nothing has been stored.');
    deals_before := execreport._flag_deals(_store_definition.key, previous.document);
    deals_after := execreport._flag_deals(_store_definition.key, stored);
    IF NOT (deals_before <@ deals_after OR deals_after <@ deals_before)
       AND NOT coalesce((_store_definition.document ->> 'redeal')::boolean, false) THEN
        RAISE EXCEPTION 'document deals everybody anew'
            USING ERRCODE = '55000',
                  DETAIL = format('Now: %s. Then: %s.', array_to_string(deals_before, '; '), array_to_string(deals_after, '; ')),
                  HINT = 'Who is in may be out then. When that is meant, add "redeal": true to the document.';
    END IF;

    INSERT INTO execreport.flags AS f (key, default_enabled, refusal, description)
    VALUES (_store_definition.key, coalesce((stored ->> 'default')::boolean, false),
            coalesce(stored ->> 'refusal', format('Feature %s not available', _store_definition.key)),
            coalesce(stored ->> 'description', ''))
    ON CONFLICT (key) DO UPDATE
       SET default_enabled = coalesce((stored ->> 'default')::boolean, previous.key IS NULL AND f.default_enabled),
           refusal = coalesce(stored ->> 'refusal', f.refusal), description = coalesce(stored ->> 'description', f.description)
     WHERE NOT f.builtin;
    INSERT INTO execreport.flag_definitions AS d (key, document)
    VALUES (_store_definition.key, stored)
    ON CONFLICT (key) DO UPDATE
       SET document = excluded.document, version = d.version + 1, changed_by = excluded.changed_by, changed_at = now()
    RETURNING d.version INTO result;
    PERFORM execreport._announce_change('execreport.flags');
    PERFORM execreport._audit(execreport.current_tenant(), 'define_flag', 'feature_flag', _store_definition.key,
                              previous.document, stored, _store_definition.reason,
                              jsonb_build_object('scope', 'everywhere', 'version', result)
                              || CASE WHEN deals_before <@ deals_after OR deals_after <@ deals_before THEN '{}'::jsonb
                                      ELSE '{"redealt": true}' END);
    RETURN result;
END
$$;
COMMENT ON FUNCTION execreport._store_definition(text, jsonb, text) IS
'Stores a definition: checks it, counts up its version, writes the audit row and announces the change. Returns the version.
A document that is there already changes nothing.';

CREATE FUNCTION execreport._require_flag_definer() RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT execreport._caller_is_superuser() THEN
        RAISE EXCEPTION 'only a superuser defines flags'
            USING ERRCODE = '42501',
                  HINT = 'Definitions hold for every tenant; execreport.update_flags() sets flags of one.';
    END IF;
END
$$;
COMMENT ON FUNCTION execreport._require_flag_definer() IS
'Error 42501 unless the caller is a superuser.';

CREATE FUNCTION execreport.define_flag(key text, document jsonb) RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM execreport._require_flag_definer();
    IF execreport._approval_required() THEN
        RETURN execreport._await_approval(define_flag.key, define_flag.document);
    END IF;
    RETURN execreport._store_definition(define_flag.key, define_flag.document, NULL);
END
$$;
COMMENT ON FUNCTION execreport.define_flag(text, jsonb) IS
'Creates a flag, or gives one that is there (the built-in ones, too) new rules; returns the definition''s version. The
document replaces the one before and is held to the contract flag-definition, all members optional: description, refusal
(message of require_flag(); built-in flags keep both), default (boolean: when no rule holds), rules (any that holds switches the flag on; a rule
holds when all its constraints and segments do and the caller is among its percentage), variants (name, weight, value of any
JSON type), offVariant, prerequisites (other flags), stickiness, groupId, algorithm (unleash, unleash_node, flagd). When
algorithm, group or stickiness of a flag change, everybody is dealt anew: that takes "redeal": true. Kill switches and
overrides stand above the rules. When execreport.require_approval is on, it asks for an approval instead (see
request_flag_change()) and returns NULL. Audited as define_flag. For superusers.
Errors: 22023 for a faulty document (the first fault with its path in the message, all of them in DETAIL); 55000 for an
archived flag, or one that would be dealt anew; 22004 for NULL; 42501 for other callers.
Example: SELECT execreport.define_flag(''newCharts'', ''{"rules": [{"percentage": 25, "stickiness": "tenantId"}]}'');';

CREATE FUNCTION execreport._store_segment(key text, document jsonb, reason text) RETURNS integer
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    previous execreport.flag_segments;
    result integer;
BEGIN
    IF _store_segment.key IS NULL OR _store_segment.document IS NULL THEN
        RAISE EXCEPTION '% is null', CASE WHEN _store_segment.key IS NULL THEN 'key' ELSE 'document' END
            USING ERRCODE = '22004', HINT = 'Write define_segment(''staff'', ''{"constraints": [...]}'').';
    ELSIF length(_store_segment.key) NOT BETWEEN 1 AND 200 THEN
        RAISE EXCEPTION 'key has % characters', length(_store_segment.key)
            USING ERRCODE = '22023', DETAIL = 'It may have 1 to 200.';
    END IF;
    PERFORM execreport._require_contract('flag-segment', _store_segment.document, 'document', NULL);
    PERFORM execreport._raise_faults(
        ARRAY(SELECT execreport._constraint_faults('document.constraints', _store_segment.document -> 'constraints')),
        'Nothing has been stored.');
    LOCK TABLE execreport.flag_definitions IN SHARE ROW EXCLUSIVE MODE;
    SELECT * INTO previous FROM execreport.flag_segments AS s WHERE s.key = _store_segment.key;
    IF previous.document = _store_segment.document THEN
        RETURN previous.version;
    END IF;
    INSERT INTO execreport.flag_segments AS s (key, document)
    VALUES (_store_segment.key, _store_segment.document)
    ON CONFLICT (key) DO UPDATE
       SET document = excluded.document, version = s.version + 1, changed_by = excluded.changed_by, changed_at = now()
    RETURNING s.version INTO result;
    PERFORM execreport._announce_change('execreport.flags');
    PERFORM execreport._audit(execreport.current_tenant(), 'define_segment', 'flag_segment', _store_segment.key,
                              previous.document, _store_segment.document, _store_segment.reason,
                              jsonb_build_object('scope', 'everywhere', 'version', result));
    RETURN result;
END
$$;
COMMENT ON FUNCTION execreport._store_segment(text, jsonb, text) IS
'Stores a segment: checks it, counts up its version, writes the audit row and announces the change. Returns the version.';

CREATE FUNCTION execreport.define_segment(key text, document jsonb) RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM execreport._require_flag_definer();
    IF execreport._approval_required() THEN
        RETURN execreport._await_approval(define_segment.key, jsonb_build_object('segment', define_segment.document));
    END IF;
    RETURN execreport._store_segment(define_segment.key, define_segment.document, NULL);
END
$$;
COMMENT ON FUNCTION execreport.define_segment(text, jsonb) IS
'Creates or replaces a segment: constraints under one name, which rules of many flags refer to in "segments". All of its
constraints have to hold. Returns its version; a change counts at once in every flag that uses it. The document is held to
the contract flag-segment. When execreport.require_approval is on, it asks for an approval instead and returns NULL. Audited as
define_segment. For superusers.
Errors: 22023 for a faulty document, all faults in DETAIL; 22004 for NULL; 42501 for other callers.
Example: SELECT execreport.define_segment(''staff'', ''{"constraints":
[{"contextName": "email", "operator": "STR_ENDS_WITH", "values": ["@example.com"]}]}'');';

CREATE FUNCTION execreport.drop_segment(key text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    users text;
    previous jsonb;
BEGIN
    PERFORM execreport._require_flag_definer();
    LOCK TABLE execreport.flag_definitions IN SHARE ROW EXCLUSIVE MODE;
    SELECT string_agg(d.key, ', ' ORDER BY d.key) INTO users
      FROM execreport.flag_definitions AS d
     WHERE d.document @> jsonb_build_object('rules', jsonb_build_array(jsonb_build_object('segments', jsonb_build_array(drop_segment.key))));
    IF users IS NOT NULL THEN
        RAISE EXCEPTION 'segment % is in use', to_json(left(drop_segment.key, 64))
            USING ERRCODE = '2BP01', DETAIL = format('Flags: %s.', left(users, 500)), HINT = 'Give those flags other rules first.';
    END IF;
    DELETE FROM execreport.flag_segments AS s WHERE s.key = drop_segment.key RETURNING s.document INTO previous;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM execreport._announce_change('execreport.flags');
    PERFORM execreport._audit(execreport.current_tenant(), 'drop_segment', 'flag_segment', drop_segment.key, previous, NULL, NULL,
                              '{"scope": "everywhere"}');
    RETURN true;
END
$$;
COMMENT ON FUNCTION execreport.drop_segment(text) IS
'Removes a segment that no rule refers to; false when there is none of this name. Audited. For superusers.
Errors: 2BP01 while a flag uses it, also an archived one; 42501 for other callers.
Example: SELECT execreport.drop_segment(''staff'');';

CREATE FUNCTION execreport._archive_flag(key text, archive boolean, reason text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    flag execreport.flags;
    current execreport.flag_definitions;
    users text;
BEGIN
    PERFORM execreport._require_flag_definer(), execreport._check_reason(_archive_flag.reason);
    LOCK TABLE execreport.flag_definitions IN SHARE ROW EXCLUSIVE MODE;
    SELECT * INTO current FROM execreport.flag_definitions AS d WHERE d.key = _archive_flag.key;
    IF current.archived_at IS NULL THEN
        PERFORM execreport._check_flag(_archive_flag.key);
    END IF;
    IF (current.archived_at IS NOT NULL) = archive THEN
        RETURN false;
    END IF;
    SELECT * INTO flag FROM execreport.flags AS f WHERE f.key = _archive_flag.key;
    IF flag.builtin THEN
        RAISE EXCEPTION 'flag "%" is built in', flag.key
            USING ERRCODE = '42939', HINT = 'The extension asks for it; a kill switch turns it off.';
    END IF;
    SELECT string_agg(d.key, ', ' ORDER BY d.key) INTO users
      FROM execreport.flag_definitions AS d
     WHERE d.archived_at IS NULL
       AND d.document @> jsonb_build_object('prerequisites', jsonb_build_array(jsonb_build_object('flag', _archive_flag.key)));
    IF archive AND users IS NOT NULL THEN
        RAISE EXCEPTION 'flag "%" is a prerequisite', flag.key
            USING ERRCODE = '2BP01', DETAIL = format('Of: %s.', left(users, 500)), HINT = 'Archive those first, or take it from their prerequisites.';
    END IF;
    IF NOT archive THEN
        PERFORM execreport._raise_faults(ARRAY(SELECT execreport._definition_faults(_archive_flag.key, current.document)),
                                         'The flag stays archived.');
    END IF;
    INSERT INTO execreport.flag_definitions AS d (key, document, archived_at, archived_reason)
    VALUES (_archive_flag.key, jsonb_build_object('default', flag.default_enabled), now(), _archive_flag.reason)
    ON CONFLICT (key) DO UPDATE
       SET archived_at = CASE WHEN archive THEN now() END,
           archived_reason = CASE WHEN archive THEN _archive_flag.reason END,
           version = d.version + 1, changed_by = excluded.changed_by, changed_at = now();
    PERFORM execreport._announce_change('execreport.flags');
    PERFORM execreport._audit(execreport.current_tenant(), CASE WHEN archive THEN 'archive_flag' ELSE 'restore_flag' END,
                              'feature_flag', _archive_flag.key, jsonb_build_object('archived', NOT archive),
                              jsonb_build_object('archived', archive), _archive_flag.reason, '{"scope": "everywhere"}');
    RETURN true;
END
$$;
COMMENT ON FUNCTION execreport._archive_flag(text, boolean, text) IS
'archive_flag() and restore_flag().';

CREATE FUNCTION execreport.archive_flag(key text, reason text) RETURNS boolean
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
RETURN execreport._archive_flag(archive_flag.key, true, archive_flag.reason);
COMMENT ON FUNCTION execreport.archive_flag(text, text) IS
'Puts a flag away that no code asks for any more: it is unknown from then on (is_flag_enabled() raises 42704,
evaluate_flag() gives the default), its definition and overrides are kept. Returns false when it was archived already.
stale_flags() lists candidates; restore_flag() brings it back. Audited. For superusers.
Errors: 42704 for an unknown flag; 42939 for a built-in one; 2BP01 while another flag needs it; 42501 for other callers.
Example: SELECT execreport.archive_flag(''newCharts'', ''on for everybody since May'');';

CREATE FUNCTION execreport.restore_flag(key text, reason text) RETURNS boolean
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
RETURN execreport._archive_flag(restore_flag.key, false, restore_flag.reason);
COMMENT ON FUNCTION execreport.restore_flag(text, text) IS
'Brings an archived flag back as it was; false when it was not archived. Audited. For superusers.
Errors: 42704 for an unknown flag; 22023 when its definition refers to what is gone; 42501 for other callers.
Example: SELECT execreport.restore_flag(''newCharts'', ''still in use'');';

CREATE FUNCTION execreport.refresh_flags() RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT execreport._caller_is_superuser() THEN
        RAISE EXCEPTION 'only a superuser refreshes flags'
            USING ERRCODE = '42501', DETAIL = 'Every session reads them anew.', HINT = 'The functions that change flags do that themselves.';
    END IF;
    PERFORM execreport._announce_change('execreport.flags');
END
$$;
COMMENT ON FUNCTION execreport.refresh_flags() IS
'Makes every session read the flags anew, from the commit on: for who has changed their tables by hand, or restored
them. The functions that change flags do that themselves. For superusers, others get 42501.
Example: SELECT execreport.refresh_flags();';

CREATE FUNCTION execreport._flag_enabled(tenant_id integer, flag text, user_id text, configuration_id integer) RETURNS boolean
LANGUAGE c STABLE PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'er_is_flag_enabled';
COMMENT ON FUNCTION execreport._flag_enabled(integer, text, text, integer) IS
'is_flag_enabled() for a user and a configuration, either of which may be NULL.';

CREATE FUNCTION execreport._require_flag(tenant_id integer, flag text, user_id text, configuration_id integer) RETURNS void
LANGUAGE c STABLE PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'er_require_flag';
COMMENT ON FUNCTION execreport._require_flag(integer, text, text, integer) IS
'require_flag() for a user and a configuration, either of which may be NULL.';

CREATE FUNCTION execreport.evaluate_flag(key text, default_value jsonb, context jsonb)
RETURNS TABLE (value jsonb, variant text, reason text, error_code text, error_message text, metadata jsonb)
LANGUAGE c STABLE PARALLEL SAFE ROWS 1 COST 10 AS 'MODULE_PATHNAME', 'er_evaluate_flag';
COMMENT ON FUNCTION execreport.evaluate_flag(text, jsonb, jsonb) IS
'One row: the flag''s value, as OpenFeature asks for it. Never raises: when something is wrong, value is default_value,
reason ERROR, and error_code says what. context: an object with targetingKey (or userId), tenantId (else the
current tenant), tenantSize (else what is stored), configurationId, sessionId, currentTime, and any field that rules ask
for, at the top or in "properties"; fields it lacks are taken from the setting execreport.context.
variant: on or off, or the name of a variant. reason: STATIC (no rules), DEFAULT (none holds), TARGETING_MATCH
(override or rule), SPLIT (percentage or weights), DISABLED (kill switch or prerequisite), ERROR. error_code: FLAG_NOT_FOUND,
TYPE_MISMATCH (with the default), INVALID_CONTEXT, TARGETING_KEY_MISSING (flagd alone), GENERAL (not a member of the
tenant). metadata, never NULL: version, rolloutPercentage, rule or rollout (which one held), killSwitch, prerequisite.
Source: OpenFeature specification, types and flag evaluation.
Example: SELECT value, reason FROM execreport.evaluate_flag(''reportsUiEnabled'', ''false'', ''{"targetingKey": "ana"}'');';

CREATE FUNCTION execreport.ofrep(key text DEFAULT NULL, context jsonb DEFAULT NULL, etag text DEFAULT NULL) RETURNS jsonb
LANGUAGE c STABLE PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'er_ofrep';
COMMENT ON FUNCTION execreport.ofrep(text, jsonb, text) IS
'The body of an answer of the OpenFeature Remote Evaluation Protocol. With a key, of one flag: key, value, reason,
variant, metadata, or key, errorCode, errorDetails (HTTP status 404 for FLAG_NOT_FOUND, else 400). Without a key, of all: {"flags": [...],
"metadata": {"etag": "..."}}; when etag is the one of this answer, {"status": 304, "etag": "..."}, to be answered with status 304
and no body. context as for evaluate_flag(). Reason DEFAULT is called UNKNOWN there; an answer without value stands for
the default in the code. Never raises.
Source: OFREP OpenAPI 0.3.0.
Example: SELECT execreport.ofrep(''reportsUiEnabled'', ''{"targetingKey": "ana"}'');';

CREATE FUNCTION execreport._tenant_flag(tenant_id integer, flag text) RETURNS boolean
LANGUAGE c STABLE PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'er_tenant_flag';
COMMENT ON FUNCTION execreport._tenant_flag(integer, text) IS
'Is the feature on for the whole tenant? NULL: its rules depend on who asks.';

CREATE VIEW execreport.feature_flags WITH (security_barrier) AS
SELECT t.tenant_id,
       execreport._tenant_flag(t.tenant_id, 'execReportsEnabled') AS exec_reports_enabled,
       execreport._tenant_flag(t.tenant_id, 'masterReportsEnabled') AS master_reports_enabled,
       execreport._tenant_flag(t.tenant_id, 'reportsApiEnabled') AS reports_api_enabled,
       execreport._tenant_flag(t.tenant_id, 'reportsUiEnabled') AS reports_ui_enabled,
       execreport._tenant_flag(t.tenant_id, 'consolidationEnabled') AS consolidation_enabled,
       execreport._tenant_flag(t.tenant_id, 'councilSynthesisEnabled') AS council_synthesis_enabled
  FROM execreport.tenants AS t;
COMMENT ON VIEW execreport.feature_flags IS
'The built-in flags of reports for every tenant (members see their own), one row each; NULL where rules make it depend on who asks. An
UPDATE sets overrides of the tenant, as update_flags() does, audited; NULL removes one. For operators and superusers.
Example: UPDATE execreport.feature_flags SET exec_reports_enabled = false WHERE tenant_id = 1;';

CREATE FUNCTION execreport._update_feature_flags() RETURNS trigger
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    changes jsonb;
BEGIN
    IF NEW.tenant_id IS DISTINCT FROM OLD.tenant_id THEN
        RAISE EXCEPTION 'tenant_id of feature_flags cannot be changed'
            USING ERRCODE = '0A000', HINT = 'Update the row of the other tenant.';
    END IF;
    SELECT coalesce(jsonb_object_agg(c.flag, c.new), '{}') INTO changes
      FROM (VALUES ('execReportsEnabled', OLD.exec_reports_enabled, NEW.exec_reports_enabled),
                   ('masterReportsEnabled', OLD.master_reports_enabled, NEW.master_reports_enabled),
                   ('reportsApiEnabled', OLD.reports_api_enabled, NEW.reports_api_enabled),
                   ('reportsUiEnabled', OLD.reports_ui_enabled, NEW.reports_ui_enabled),
                   ('consolidationEnabled', OLD.consolidation_enabled, NEW.consolidation_enabled),
                   ('councilSynthesisEnabled', OLD.council_synthesis_enabled, NEW.council_synthesis_enabled)) AS c (flag, old, new)
     WHERE c.new IS DISTINCT FROM c.old;
    PERFORM execreport.update_flags(OLD.tenant_id, changes, 'UPDATE of feature_flags');
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION execreport._update_feature_flags() IS
'Makes overrides of the tenant out of an UPDATE of feature_flags.';
CREATE TRIGGER update_flags INSTEAD OF UPDATE ON execreport.feature_flags
    FOR EACH ROW EXECUTE FUNCTION execreport._update_feature_flags();

CREATE FUNCTION execreport._flag_asked(key text) RETURNS timestamptz
LANGUAGE c VOLATILE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'er_flag_asked';
COMMENT ON FUNCTION execreport._flag_asked(text) IS
'The hour in which the flag was last asked for; NULL when nobody has since the server started, or it is not known.';

CREATE FUNCTION execreport._flags_asked_since() RETURNS timestamptz
LANGUAGE c VOLATILE PARALLEL SAFE AS 'MODULE_PATHNAME', 'er_flags_asked_since';
COMMENT ON FUNCTION execreport._flags_asked_since() IS
'Since when _flag_asked() knows; NULL: it does not, for the library is not preloaded.';

CREATE FUNCTION execreport.stale_flags(days integer DEFAULT 30, now timestamptz DEFAULT now())
RETURNS TABLE (key text, reasons text[], last_evaluated timestamptz, evaluations_known_since timestamptz,
    changed_at timestamptz, version integer)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    before timestamptz;
    known_since timestamptz := execreport._flags_asked_since();
BEGIN
    IF NOT execreport._caller_is_superuser() THEN
        RAISE EXCEPTION 'only a superuser lists stale flags'
            USING ERRCODE = '42501', DETAIL = 'Whether a flag is stale depends on every tenant.',
                  HINT = 'execreport.feature_availability() shows the flags of one tenant.';
    ELSIF stale_flags.days IS NULL OR stale_flags.days NOT BETWEEN 0 AND 100000 THEN
        RAISE EXCEPTION 'days is %', coalesce(stale_flags.days::text, 'null')
            USING ERRCODE = CASE WHEN stale_flags.days IS NULL THEN '22004' ELSE '22023' END, DETAIL = 'It is 0 to 100000.';
    END IF;
    PERFORM execreport._check_now(stale_flags.now);
    before := stale_flags.now - stale_flags.days * interval '1 day';
    RETURN QUERY
    SELECT s.key, s.reasons, s.asked, known_since, s.changed_at, s.version
      FROM (SELECT f.key, f.asked, d.changed_at, d.version,
                   array_remove(ARRAY[
                       CASE WHEN coalesce(f.asked + interval '1 hour', known_since) < before THEN 'not evaluated' END,
                       CASE WHEN d.changed_at < before
                             AND (f.default_enabled OR r.percentage = 100
                                  OR EXISTS (SELECT FROM jsonb_array_elements(d.document -> 'rules') AS rule (document)
                                              WHERE coalesce((rule.document ->> 'percentage')::numeric, 100) = 100
                                                AND coalesce(jsonb_array_length(rule.document -> 'constraints'), 0) = 0
                                                AND coalesce(jsonb_array_length(rule.document -> 'segments'), 0) = 0))
                            THEN 'on for everybody' END,
                       CASE WHEN d.changed_at < before THEN 'not changed' END], NULL) AS reasons
              FROM (SELECT flags.*, execreport._flag_asked(flags.key) AS asked FROM execreport.flags) AS f
              LEFT JOIN execreport.flag_definitions AS d ON d.key = f.key
              LEFT JOIN execreport.flag_rollouts AS r ON r.flag = f.key
             WHERE NOT f.builtin AND d.archived_at IS NULL) AS s
     WHERE s.reasons <> '{}'
     ORDER BY s.key;
END
$$;
COMMENT ON FUNCTION execreport.stale_flags(integer, timestamptz) IS
'Flags that may be ripe for archive_flag(), for at least so many days: not evaluated (to the hour; known since the server
started, evaluations_known_since, and not at all without preloading: NULL), on for everybody, not changed. Built-in and
archived flags are not listed; changed_at and version are NULL without a definition. For superusers.
Errors: 42501 for other callers; 22004 or 22023 for days that are NULL or below 0; 22023 when now is NULL or not of the years 1 to 9999.
Example: SELECT key, reasons FROM execreport.stale_flags(90);';
