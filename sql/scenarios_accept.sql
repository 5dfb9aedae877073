-- scenarios_accept: a generation is judged, accepted once, and imported into the catalogue.
--
-- Invariant: a generation has at most one scenario. Whoever accepts holds the lock of the generation's row until the end of
-- the transaction; the unique key over source_generation_id stands behind that.
-- Invariant: nothing is written before the answer has been judged, and what an attempt writes stays as a whole or not at
-- all: scenario, entities and links are made in one sub-transaction. The audit row of the attempt is written outside of it.
-- Entities are locked and inserted in the order of their keys, so that two imports at once wait for each other and never in a circle.

-- Judging -------------------------------------------------------------------------------------------------------------

CREATE FUNCTION execreport._unwrap_scenario(response jsonb, OUT document jsonb, OUT errors jsonb)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    place     text := '';
    content   text;
    candidate text;
    problem   text;
BEGIN
    document := response;
    FOR depth IN 1 .. 5 LOOP
        content := NULL;
        IF jsonb_typeof(document) = 'string' THEN
            content := document #>> '{}';
        ELSIF jsonb_typeof(document) = 'object' AND document ? 'content'
              AND NOT document ?| '{scenario_metadata,scenarioMetadata,escenario,metadatos_escenario,capabilities,capacidades}' THEN
            place := ltrim(place || '.content', '.');
            document := document -> 'content';
            IF jsonb_typeof(document) = 'array' THEN    -- parts of a message
                document := to_jsonb(coalesce((
                    SELECT string_agg(p.part ->> 'text', '' ORDER BY p.n)
                      FROM jsonb_array_elements(document) WITH ORDINALITY AS p (part, n)
                     WHERE jsonb_typeof(p.part -> 'text') = 'string'), ''));
            END IF;
            CONTINUE;
        ELSE
            EXIT;
        END IF;
        -- the JSON may stand between fences or words: from the narrowest reading to the widest
        document := NULL;
        problem := NULL;
        FOREACH candidate IN ARRAY ARRAY[CASE WHEN content ~ E'^\\s*[{["]' OR content !~ '[{[]' THEN content END,
            substring(content FROM E'```[A-Za-z0-9]*?\\s*?([{[].*?)```'), substring(content FROM E'```[A-Za-z0-9]*\\s*([{[].*)```'),
            substring(content FROM E'\\{.*\\}'), content] LOOP
            CONTINUE WHEN candidate IS NULL;
            BEGIN
                document := candidate::jsonb;
                EXIT;
            EXCEPTION WHEN OTHERS THEN
                problem := coalesce(problem, left(SQLERRM, 200));
            END;
        END LOOP;
        IF document IS NULL THEN
            errors := jsonb_build_array(jsonb_build_object('path', coalesce(nullif(place, ''), '$'), 'message', format('is not JSON: %s', problem)));
            RETURN;
        END IF;
        EXIT WHEN jsonb_typeof(document) <> 'string' AND NOT (jsonb_typeof(document) = 'object' AND document ? 'content');
    END LOOP;
    document := execreport._scenario_spelling(document);
END
$$;
COMMENT ON FUNCTION execreport._unwrap_scenario(jsonb) IS
'The scenario within an answer, with English keys: the answer itself, or what stands in content as an object, as JSON in a
text, between ``` fences, or in the parts of a message. errors: one problem, when there is no JSON in it.';

CREATE FUNCTION execreport._scenario_contract() RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    contract jsonb := (execreport._contract('generated-scenario', NULL)).schema;
    maximum  constant jsonb := jsonb_build_object(
        'capabilities', execreport._setting('max_capabilities')::integer,
        'competencies', execreport._setting('max_competencies')::integer,
        'skills', execreport._setting('max_skills')::integer,
        'roles', execreport._setting('max_roles')::integer);
    whole    constant boolean := execreport._setting('strict_validation')::boolean;
    other    record;
BEGIN
    contract := jsonb_set(contract, '{properties}', contract -> 'properties' || jsonb_build_object(
        'suggested_roles', contract #> '{properties,suggested_roles}' || jsonb_build_object('maxItems', maximum -> 'roles'),
        'capabilities', contract #> '{properties,capabilities}' || jsonb_build_object('maxItems', maximum -> 'capabilities')));
    FOR other IN VALUES ('{$defs,capability}'::text[], 'competencies'), ('{$defs,competency}', 'skills') LOOP
        contract := jsonb_set(contract, other.column1 || ARRAY['properties', other.column2],
            contract #> (other.column1 || ARRAY['properties', other.column2]) || jsonb_build_object('maxItems', maximum -> other.column2)
            || CASE WHEN whole THEN '{"type": "array", "minItems": 1}' ELSE '{}'::jsonb END);
        IF whole THEN
            contract := jsonb_set(contract, other.column1 || '{required}', jsonb_build_array('name', other.column2));
        END IF;
    END LOOP;
    contract := jsonb_set(contract, '{$defs,name}', contract #> '{$defs,name}' || '{"maxLength": 255}');
    contract := jsonb_set(contract, '{$defs,skill}', contract #> '{$defs,skill}' || '{"maxLength": 255}');
    FOR other IN VALUES ('{properties,scenario_metadata}'::text[]), ('{$defs,capability}'), ('{$defs,competency}'), ('{$defs,skill}'), ('{$defs,role}') LOOP
        contract := jsonb_set(contract, other.column1 || '{properties,description,maxLength}', '20000');
    END LOOP;
    contract := jsonb_set(contract, '{properties,scenario_metadata,properties,scenario_type,maxLength}', '100');
    -- spelled twice: what is left of the other spelling has no place
    FOR other IN VALUES ('{properties}'::text[], '{escenario,scenarioMetadata,capacidades,roles_sugeridos,suggestedRoles}'::text[]),
                        ('{properties,scenario_metadata,properties}', '{nombre,descripcion,horizonMonths,scenarioType}'),
                        ('{$defs,capability,properties}', '{nombre,descripcion,competencias,requiredLevel,nivel_requerido}'),
                        ('{$defs,competency,properties}', '{nombre,descripcion,habilidades,requiredLevel,nivel_requerido}'),
                        ('{$defs,skill,properties}', '{nombre,descripcion,requiredLevel,nivel_requerido}'),
                        ('{$defs,role,properties}', '{nombre,descripcion,keyCompetencies,competencias_clave,talentComposition}') LOOP
        contract := jsonb_set(contract, other.column1, contract #> other.column1
            || (SELECT jsonb_object_agg(k, false) FROM unnest(other.column2) AS k));
    END LOOP;
    RETURN contract;
END
$$;
COMMENT ON FUNCTION execreport._scenario_contract() IS
'The contract generated-scenario with the maxima and the strictness that the settings say.';

CREATE FUNCTION execreport._json_number(value jsonb) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN jsonb_typeof(value) = 'number' THEN (value #>> '{}')::numeric END;
COMMENT ON FUNCTION execreport._json_number(jsonb) IS 'The number, NULL for anything else.';

CREATE FUNCTION execreport._percentage(value jsonb) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN execreport._json_number(value) BETWEEN 0 AND 100 THEN execreport._json_number(value) END;
COMMENT ON FUNCTION execreport._percentage(jsonb) IS 'The number from 0 to 100, NULL for anything else.';

CREATE FUNCTION execreport._json_text(value jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN jsonb_typeof(value) = 'string' THEN value #>> '{}' END;
COMMENT ON FUNCTION execreport._json_text(jsonb) IS 'The text of a string, NULL for anything else.';

CREATE FUNCTION execreport._json_array(value jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN jsonb_typeof(value) = 'array' THEN value ELSE '[]'::jsonb END;
COMMENT ON FUNCTION execreport._json_array(jsonb) IS 'The array, an empty one for anything else.';

CREATE FUNCTION execreport._scenario_items(document jsonb)
RETURNS TABLE (kind text, n bigint, parent bigint, path text, item jsonb)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1000
BEGIN ATOMIC
    WITH capability AS MATERIALIZED (
        SELECT c.n, pg_catalog.format('capabilities[%s]', c.n - 1) AS path, c.item
          FROM pg_catalog.jsonb_array_elements(execreport._json_array(document -> 'capabilities')) WITH ORDINALITY AS c (item, n)
    ), competency AS MATERIALIZED (
        SELECT pg_catalog.row_number() OVER (ORDER BY p.n, c.n) AS n, p.n AS parent, p.path || '.competencies[' || (c.n - 1) || ']' AS path, c.item
          FROM capability AS p,
               pg_catalog.jsonb_array_elements(execreport._json_array(p.item -> 'competencies')) WITH ORDINALITY AS c (item, n)
    )
    SELECT 'capability', c.n, NULL::bigint, c.path, c.item FROM capability AS c
    UNION ALL
    SELECT 'competency', c.n, c.parent, c.path, c.item FROM competency AS c
    UNION ALL
    SELECT 'skill', c.n * 1000000 + s.n, c.n, c.path || '.skills[' || (s.n - 1) || ']', s.item
      FROM competency AS c,
           pg_catalog.jsonb_array_elements(execreport._json_array(c.item -> 'skills')) WITH ORDINALITY AS s (item, n)
    UNION ALL
    SELECT 'role', k.base + r.n, NULL, k.key || '[' || (r.n - 1) || ']', r.item
      FROM (VALUES ('suggested_roles', 0), ('roles', 1000000)) AS k (key, base),
           pg_catalog.jsonb_array_elements(execreport._json_array(document -> k.key)) WITH ORDINALITY AS r (item, n);
END;
COMMENT ON FUNCTION execreport._scenario_items(jsonb) IS
'The capabilities, competencies, skills and roles of a document, each with its place: n numbers those of a kind, parent is
the n of the capability or competency above. Whatever is no array has no items.';

CREATE FUNCTION execreport._scenario_errors(document jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE
    contract jsonb := execreport._scenario_contract();
    result   jsonb;
    roles    integer;
    maximum  integer := execreport._setting('max_roles')::integer;
BEGIN
    IF NOT execreport.json_matches_schema(contract, document) THEN
        SELECT jsonb_agg(jsonb_build_object(
                   'path', coalesce(nullif(ltrim(CASE e.keyword WHEN 'required' THEN p.path || '.' || substring(e.message FROM '"(.*)"')
                                                                ELSE p.path END, '.'), ''), '$'),
                   'message', CASE WHEN e.keyword = 'required' THEN 'is missing'
                                   WHEN e.keyword = 'pattern' THEN 'is blank'
                                   WHEN e.keyword = 'enum' THEN e.message || ': ' || left((contract #> string_to_array(substr(e.schema_path, 2), '/'))::text, 200)
                                   WHEN contract #> string_to_array(substr(e.schema_path, 2), '/') = 'false' THEN 'is given in two spellings'
                                   ELSE e.message END) ORDER BY e.n)
          INTO result
          FROM execreport.json_schema_errors(contract, document, 100000) WITH ORDINALITY
                   AS e (instance_path, schema_path, keyword, message, n),
               LATERAL (SELECT execreport._contract_path('', e.instance_path) AS path) AS p;
    END IF;
    IF jsonb_typeof(document) <> 'object' THEN
        RETURN result;
    END IF;

    -- what a schema cannot say
    WITH items AS MATERIALIZED (
        SELECT i.kind, i.n, i.path, i.item, execreport._json_text(i.item -> 'id') AS id,
               CASE jsonb_typeof(i.item) WHEN 'string' THEN i.item #>> '{}' WHEN 'object' THEN execreport._json_text(i.item -> 'name') END AS name
          FROM execreport._scenario_items(document) AS i
    ), problems (kind, n, path, message) AS (
        SELECT i.kind, i.n, i.path || '.id', format('id "%s" is used at %s, too', left(i.id, 64), i.first)
          FROM (SELECT j.kind, j.n, j.path, j.id, first_value(j.path) OVER (PARTITION BY j.kind, j.id ORDER BY j.n) AS first
                  FROM items AS j WHERE j.id IS NOT NULL) AS i
         WHERE i.path <> i.first
        UNION ALL
        SELECT i.kind, i.n, i.path || CASE jsonb_typeof(i.item) WHEN 'object' THEN '.name' ELSE '' END, 'has no visible characters'
          FROM items AS i
         WHERE i.name ~ E'\\S' AND length(i.name) <= 255 AND execreport._name_key(i.name) IS NULL
        UNION ALL
        SELECT i.kind, i.n, i.path || '.key_competencies[' || (k.n - 1) || ']',
               format('"%s" is neither the id nor the name of a competency here', left(k.name #>> '{}', 64))
          FROM items AS i, jsonb_array_elements(execreport._json_array(i.item -> 'key_competencies')) WITH ORDINALITY AS k (name, n)
         WHERE i.kind = 'role' AND jsonb_typeof(k.name) = 'string' AND k.name #>> '{}' ~ E'\\S'
           AND NOT EXISTS (SELECT FROM items AS c WHERE c.kind = 'competency' AND c.id = k.name #>> '{}')
           AND NOT EXISTS (SELECT FROM items AS c WHERE c.kind = 'competency' AND execreport._name_key(c.name) = execreport._name_key(k.name #>> '{}'))
        UNION ALL
        SELECT i.kind, i.n, i.path || '.talent_composition',
               format('human_percentage %s and synthetic_percentage %s make %s, not 100', i.human, i.synthetic, i.human + i.synthetic)
          FROM (SELECT j.*, execreport._json_number(j.item #> '{talent_composition,human_percentage}') AS human,
                       execreport._json_number(j.item #> '{talent_composition,synthetic_percentage}') AS synthetic
                  FROM items AS j WHERE j.kind = 'role') AS i
         WHERE i.human BETWEEN 0 AND 100 AND i.synthetic BETWEEN 0 AND 100 AND i.human + i.synthetic <> 100
        UNION ALL
        SELECT i.kind, i.n, i.path || '.talent_composition.strategy_suggestion',
               format('Synthetic takes a synthetic_percentage of 100; it is %s', coalesce(left(i.item #>> '{talent_composition,synthetic_percentage}', 64), 'missing'))
          FROM items AS i
         WHERE i.kind = 'role' AND i.item #>> '{talent_composition,strategy_suggestion}' = 'Synthetic'
           AND execreport._json_number(i.item #> '{talent_composition,synthetic_percentage}') IS DISTINCT FROM 100
        UNION ALL
        SELECT 'scenario', 0, 'scenario_metadata.planning_horizon_months',
               format('is %s, and horizon_months is %s', left(m ->> 'planning_horizon_months', 64), left(m ->> 'horizon_months', 64))
          FROM (SELECT document -> 'scenario_metadata' AS m) AS d
         WHERE execreport._json_number(m -> 'planning_horizon_months') <> execreport._json_number(m -> 'horizon_months')
        UNION ALL
        SELECT 'scenario', 0, 'scenario_metadata.name', 'has no visible characters'
          FROM (SELECT execreport._json_text(document #> '{scenario_metadata,name}') AS name) AS d
         WHERE d.name ~ E'\\S' AND length(d.name) <= 255 AND execreport._name_key(d.name) IS NULL
        UNION ALL
        SELECT 'role', 0, 'roles', format('there are %s roles and suggested_roles together, at most %s may be', count(*), maximum)
          FROM items AS i
         WHERE i.kind = 'role'
        HAVING count(*) > maximum AND count(*) FILTER (WHERE i.n < 1000000) BETWEEN 1 AND maximum
               AND count(*) FILTER (WHERE i.n > 1000000) BETWEEN 1 AND maximum
    )
    SELECT nullif(coalesce(result, '[]') || coalesce(jsonb_agg(jsonb_build_object('path', p.path, 'message', p.message)
                                                               ORDER BY p.kind, p.n, p.path), '[]'), '[]') INTO result
      FROM problems AS p;
    RETURN result;
END
$$;
COMMENT ON FUNCTION execreport._scenario_errors(jsonb) IS
'All problems of a scenario as [{path, message}], NULL when there is none: against the contract, and what no schema can say.';

CREATE FUNCTION execreport._judge_response(response jsonb, OUT document jsonb, OUT errors jsonb)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    SELECT u.document, u.errors INTO document, errors FROM execreport._unwrap_scenario(response) AS u;
    IF errors IS NULL THEN
        errors := execreport._scenario_errors(document);
    END IF;
END
$$;
COMMENT ON FUNCTION execreport._judge_response(jsonb) IS
'The scenario in an answer, and what is wrong with it (NULL: nothing).';

CREATE FUNCTION execreport.validate_generation(generation_id uuid) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    tenant     integer := execreport._require_persona('viewer');
    generation execreport._scenario_generations := execreport._generation(tenant, validate_generation.generation_id);
    problems   jsonb;
BEGIN
    IF generation.status <> 'complete' THEN
        problems := jsonb_build_array(jsonb_build_object('path', 'status', 'message', format('the generation is %s, not complete', generation.status)));
    ELSE
        problems := (execreport._judge_response(generation.response)).errors;
    END IF;
    RETURN jsonb_build_object('valid', problems IS NULL, 'errors', coalesce(problems, '[]'));
END
$$;
COMMENT ON FUNCTION execreport.validate_generation(uuid) IS
'Is the answer a scenario that can be imported: {valid, errors: [{path, message}]}, with all problems. path as in
capabilities[0].competencies[1].skills[2].name; $ is the whole document. The answer may be the scenario itself or have it
in content, as an object or as JSON in a text, also between ``` fences. Keys may be Spanish (escenario, nombre, capacidades,
competencias, habilidades ...) or in camelCase; paths name the English ones. It is held to the contract
generated-scenario, at most execreport.max_capabilities (10), max_competencies (10 each), max_skills (10 each) and
max_roles (20); with execreport.strict_validation (on) every capability must have competencies, and these skills. Besides:
ids are unique within a kind; key_competencies are ids or names of competencies of the document; human and synthetic
percentages add up to 100; Synthetic takes 100 per cent of it. Needs persona viewer.
Errors: P0002 for an unknown generation; 22004 for NULL; 42501.
Example: SELECT execreport.validate_generation(id) FROM execreport.scenario_generations WHERE status = ''complete'';';

-- Importing -----------------------------------------------------------------------------------------------------------

CREATE FUNCTION execreport._import_level(tenant integer, scenario uuid, catalogue regclass, names text[], keys text[],
    descriptions text[], OUT ids uuid[], OUT created integer, OUT updated integer)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    wanted integer := (SELECT count(DISTINCT k COLLATE "C") FROM unnest(keys) AS k);
    added  integer;
    gone   integer;
BEGIN
    -- what was rejected once and is proposed again comes back into incubation; everything else that is there stays as it is
    EXECUTE format($query$
        UPDATE %1$s AS e SET status = 'in_incubation', discovered_in = $2, updated_at = now()
          FROM (SELECT i.id FROM %1$s AS i
                 WHERE i.tenant_id = $1 AND i.status = 'inactive' AND i.name_key IN (SELECT k FROM unnest($3) AS k)
                 ORDER BY i.name_key FOR NO KEY UPDATE) AS i
         WHERE e.tenant_id = $1 AND e.id = i.id $query$, catalogue)
      USING tenant, scenario, keys;
    GET DIAGNOSTICS updated = ROW_COUNT;
    created := 0;
    LOOP
        EXECUTE format($query$
            INSERT INTO %1$s (tenant_id, name_key, name, description, status, discovered_in)
            SELECT $1, m.key, m.name, m.description, 'in_incubation', $2
              FROM (SELECT DISTINCT ON (u.key COLLATE "C") u.key, u.name, u.description
                      FROM unnest($3, $4, $5) WITH ORDINALITY AS u (name, key, description, n)
                     WHERE u.key IS NOT NULL ORDER BY u.key COLLATE "C", u.n) AS m
            ON CONFLICT (tenant_id, name_key) DO NOTHING $query$, catalogue)
          USING tenant, scenario, names, keys, descriptions;
        GET DIAGNOSTICS added = ROW_COUNT;
        created := created + added;
        -- what was there must not go before it is linked
        IF created < wanted THEN
            EXECUTE format($query$
                SELECT FROM %1$s AS e
                 WHERE e.tenant_id = $1 AND e.discovered_in IS DISTINCT FROM $2 AND e.name_key IN (SELECT k FROM unnest($3) AS k)
                 ORDER BY e.name_key FOR KEY SHARE $query$, catalogue)
              USING tenant, scenario, keys;
        END IF;
        EXECUTE format($query$
            SELECT array_agg(e.id ORDER BY u.n), count(*) FILTER (WHERE u.key IS NOT NULL AND e.id IS NULL)
              FROM unnest($2) WITH ORDINALITY AS u (key, n)
              LEFT JOIN %1$s AS e ON e.tenant_id = $1 AND e.name_key = u.key $query$, catalogue)
           INTO ids, gone USING tenant, keys;
        EXIT WHEN gone = 0;    -- else somebody deleted one that we had found
    END LOOP;
END
$$;
COMMENT ON FUNCTION execreport._import_level(integer, uuid, regclass, text[], text[], text[]) IS
'Puts the entities of one kind into the catalogue: new ones in incubation, one row for each key. ids: the entity of each
mention, NULL where the key is.';

CREATE FUNCTION execreport._level_report(mentions integer, links integer, created integer, updated integer) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN jsonb_build_object('created', created, 'linked', links - created - updated, 'updated', updated, 'skipped', mentions - links);
COMMENT ON FUNCTION execreport._level_report(integer, integer, integer, integer) IS
'Every mention counts once: it made an entity, or brought a rejected one back, or linked one that was there, or did nothing.';

CREATE FUNCTION execreport._import_scenario(tenant integer, scenario uuid, document jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE
    level   record;
    item    record;
    report  jsonb := '{}';
    links   integer;
    capability_ids uuid[];
    competency_ids uuid[];
    competency_keys text[];
    competency_external text[];
    unresolved jsonb;
BEGIN
    -- the mentions of a kind, as arrays in the order of the document: one pass over it each
    SELECT array_agg(t.name) AS names, array_agg(execreport._name_key(t.name)) AS keys,
           array_agg(t.description) AS descriptions, array_agg(t.external_id) AS external_ids,
           array_agg(t.required_level) AS levels, count(*)::integer AS mentions
      INTO item
      FROM (SELECT i.n, f.* FROM jsonb_array_elements(execreport._json_array(document -> 'capabilities')) WITH ORDINALITY AS i (item, n),
                   execreport._entity_fields(i.item) AS f ORDER BY i.n) AS t;
    level := execreport._import_level(tenant, scenario, 'execreport._capabilities', item.names, item.keys, item.descriptions);
    INSERT INTO execreport.scenario_capabilities (tenant_id, scenario_id, capability_id, external_id, required_level)
    SELECT DISTINCT ON (u.id) tenant, scenario, u.id, u.external_id, u.level
      FROM unnest(level.ids, item.external_ids, item.levels) WITH ORDINALITY AS u (id, external_id, level, n)
     WHERE u.id IS NOT NULL
     ORDER BY u.id, u.n
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS links = ROW_COUNT;
    report := report || jsonb_build_object('capabilities', execreport._level_report(item.mentions, links, level.created, level.updated));
    capability_ids := level.ids;

    SELECT array_agg(t.name) AS names, array_agg(execreport._name_key(t.name)) AS keys,
           array_agg(t.description) AS descriptions, array_agg(t.external_id) AS external_ids,
           array_agg(t.required_level) AS levels, array_agg(t.parent) AS parents, count(*)::integer AS mentions
      INTO item
      FROM (SELECT row_number() OVER (ORDER BY p.n, i.n) AS n, p.n AS parent, f.*
              FROM jsonb_array_elements(execreport._json_array(document -> 'capabilities')) WITH ORDINALITY AS p (item, n),
                   jsonb_array_elements(execreport._json_array(p.item -> 'competencies')) WITH ORDINALITY AS i (item, n),
                   execreport._entity_fields(i.item) AS f ORDER BY 1) AS t;
    level := execreport._import_level(tenant, scenario, 'execreport._competencies', item.names, item.keys, item.descriptions);
    INSERT INTO execreport.capability_competencies (tenant_id, scenario_id, capability_id, competency_id, external_id, required_level)
    SELECT DISTINCT ON (c.id, u.id) tenant, scenario, c.id, u.id, u.external_id, u.level
      FROM unnest(level.ids, item.parents, item.external_ids, item.levels) WITH ORDINALITY AS u (id, parent, external_id, level, n)
      JOIN unnest(capability_ids) WITH ORDINALITY AS c (id, n) ON c.n = u.parent
     WHERE u.id IS NOT NULL AND c.id IS NOT NULL
     ORDER BY c.id, u.id, u.n
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS links = ROW_COUNT;
    report := report || jsonb_build_object('competencies', execreport._level_report(item.mentions, links, level.created, level.updated));
    competency_ids := level.ids;
    competency_keys := item.keys;
    competency_external := item.external_ids;

    SELECT array_agg(t.name) AS names, array_agg(execreport._name_key(t.name)) AS keys,
           array_agg(t.description) AS descriptions, array_agg(t.external_id) AS external_ids,
           array_agg(t.required_level) AS levels, array_agg(t.parent) AS parents, count(*)::integer AS mentions
      INTO item
      FROM (SELECT row_number() OVER (ORDER BY p.n, i.n) AS n, p.n AS parent, f.*
              FROM (SELECT row_number() OVER (ORDER BY c.n, k.n) AS n, k.item
                      FROM jsonb_array_elements(execreport._json_array(document -> 'capabilities')) WITH ORDINALITY AS c (item, n),
                           jsonb_array_elements(execreport._json_array(c.item -> 'competencies')) WITH ORDINALITY AS k (item, n)) AS p,
                   jsonb_array_elements(execreport._json_array(p.item -> 'skills')) WITH ORDINALITY AS i (item, n),
                   execreport._entity_fields(i.item) AS f ORDER BY 1) AS t;
    level := execreport._import_level(tenant, scenario, 'execreport._skills', item.names, item.keys, item.descriptions);
    INSERT INTO execreport.competency_skills (tenant_id, scenario_id, competency_id, skill_id, external_id, required_level)
    SELECT DISTINCT ON (c.id, u.id) tenant, scenario, c.id, u.id, u.external_id, u.level
      FROM unnest(level.ids, item.parents, item.external_ids, item.levels) WITH ORDINALITY AS u (id, parent, external_id, level, n)
      JOIN unnest(competency_ids) WITH ORDINALITY AS c (id, n) ON c.n = u.parent
     WHERE u.id IS NOT NULL AND c.id IS NOT NULL
     ORDER BY c.id, u.id, u.n
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS links = ROW_COUNT;
    report := report || jsonb_build_object('skills', execreport._level_report(item.mentions, links, level.created, level.updated));

    SELECT array_agg(t.name) AS names, array_agg(execreport._name_key(t.name)) AS keys,
           array_agg(t.description) AS descriptions, array_agg(t.external_id) AS external_ids,
           array_agg(t.item) AS items, count(*)::integer AS mentions
      INTO item
      FROM (SELECT row_number() OVER (ORDER BY k.n, i.n) AS n, i.item, f.*
              FROM (VALUES ('suggested_roles', 1), ('roles', 2)) AS k (key, n),
                   jsonb_array_elements(execreport._json_array(document -> k.key)) WITH ORDINALITY AS i (item, n),
                   execreport._entity_fields(i.item) AS f ORDER BY 1) AS t;
    level := execreport._import_level(tenant, scenario, 'execreport._roles', item.names, item.keys, item.descriptions);
    INSERT INTO execreport.scenario_roles (tenant_id, scenario_id, role_id, external_id, estimated_fte, human_percentage,
                                           synthetic_percentage, strategy, justification, archetype)
    SELECT DISTINCT ON (u.id) tenant, scenario, u.id, u.external_id,
           CASE WHEN execreport._json_number(u.item -> 'estimated_fte') BETWEEN 0 AND 1000000 THEN execreport._json_number(u.item -> 'estimated_fte') END,
           f.human, f.synthetic,
           CASE WHEN t.talent ->> 'strategy_suggestion' IN ('Buy', 'Build', 'Borrow', 'Synthetic', 'Hybrid') THEN t.talent ->> 'strategy_suggestion' END,
           execreport._json_text(t.talent -> 'logic_justification'),
           CASE WHEN f.human > 70 THEN 'E' WHEN f.human > 40 THEN 'T' WHEN f.human IS NOT NULL THEN 'O' END
      FROM unnest(level.ids, item.external_ids, item.items) WITH ORDINALITY AS u (id, external_id, item, n),
           LATERAL (SELECT u.item -> 'talent_composition' AS talent) AS t,
           LATERAL (SELECT execreport._percentage(t.talent -> 'human_percentage') AS human,
                           execreport._percentage(t.talent -> 'synthetic_percentage') AS synthetic) AS f
     WHERE u.id IS NOT NULL
     ORDER BY u.id, u.n
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS links = ROW_COUNT;
    report := report || jsonb_build_object('roles', execreport._level_report(item.mentions, links, level.created, level.updated));

    -- key competencies: by id, then by name
    WITH wanted AS MATERIALIZED (
        SELECT u.id AS role_id, u.n, k.n AS place, k.name, coalesce(
                   (SELECT c.id FROM unnest(competency_ids, competency_external) WITH ORDINALITY AS c (id, external_id, n)
                     WHERE c.external_id = k.name AND c.id IS NOT NULL ORDER BY c.n LIMIT 1),
                   (SELECT c.id FROM unnest(competency_ids, competency_keys) WITH ORDINALITY AS c (id, key, n)
                     WHERE c.key = execreport._name_key(k.name) ORDER BY c.n LIMIT 1)) AS competency_id
          FROM unnest(level.ids, item.items) WITH ORDINALITY AS u (id, item, n),
               jsonb_array_elements_text(execreport._json_array(u.item -> 'key_competencies')) WITH ORDINALITY AS k (name, n)
         WHERE u.id IS NOT NULL
    ), made AS (
        INSERT INTO execreport.role_competencies (tenant_id, scenario_id, role_id, competency_id)
        SELECT DISTINCT tenant, scenario, w.role_id, w.competency_id FROM wanted AS w WHERE w.competency_id IS NOT NULL
        ON CONFLICT DO NOTHING
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM made) AS links, (SELECT count(*) FROM wanted) AS mentions,
           (SELECT jsonb_agg(left(w.name, 191) ORDER BY w.n, w.place) FROM wanted AS w WHERE w.competency_id IS NULL) AS unresolved INTO item;
    RETURN report || jsonb_build_object('keyCompetencies', jsonb_build_object('linked', item.links,
        'skipped', item.mentions - item.links, 'unresolved', coalesce(item.unresolved, '[]')));
END
$$;
COMMENT ON FUNCTION execreport._import_scenario(integer, uuid, jsonb) IS
'Puts a scenario''s document into the catalogue and links it. Existing entities are linked and stay what they are. Returns
{capabilities: {created, linked, updated, skipped}, competencies, skills, roles: the same, keyCompetencies: {linked, skipped,
unresolved}}. Takes also what was never judged: what has no usable name is skipped, a level outside 1 to 5 is clamped.';

CREATE FUNCTION execreport._entity_fields(item jsonb)
RETURNS TABLE (name text, description text, external_id text, required_level integer)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 1
BEGIN ATOMIC
    SELECT execreport._name_text(CASE pg_catalog.jsonb_typeof(_entity_fields.item)
                                     WHEN 'string' THEN _entity_fields.item #>> '{}'
                                     WHEN 'object' THEN execreport._json_text(_entity_fields.item -> 'name') END),
           execreport._json_text(_entity_fields.item -> 'description'),
           pg_catalog.left(execreport._json_text(_entity_fields.item -> 'id'), 191),
           least(greatest(coalesce(execreport._json_number(_entity_fields.item -> 'required_level'), 3), 1), 5)::integer;
END;
COMMENT ON FUNCTION execreport._entity_fields(jsonb) IS
'What a mention says: an object, or a name alone. NULL where it says nothing; a level is 1 to 5, 3 when it is not said.';

-- Accepting -----------------------------------------------------------------------------------------------------------

CREATE FUNCTION execreport._import_attempt(tenant integer, generation uuid, scenario uuid, import boolean, result text,
    errors jsonb, report jsonb)
RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO execreport.import_audit (tenant_id, generation_id, scenario_id, import, result, errors, report)
    VALUES (tenant, generation, scenario, _import_attempt.import, _import_attempt.result,
            CASE WHEN jsonb_array_length(_import_attempt.errors) <= 100 THEN _import_attempt.errors
                 ELSE (SELECT jsonb_agg(e.error ORDER BY e.n) FROM jsonb_array_elements(_import_attempt.errors) WITH ORDINALITY AS e (error, n) WHERE e.n <= 100)
                      || jsonb_build_object('path', '$', 'message', format('and %s problems more', jsonb_array_length(_import_attempt.errors) - 100)) END,
            _import_attempt.report);
    IF _import_attempt.import THEN
        PERFORM execreport._metric_add(tenant, 'scenario_imports_total', jsonb_build_object('result', _import_attempt.result));
    END IF;
END
$$;
COMMENT ON FUNCTION execreport._import_attempt(integer, uuid, uuid, boolean, text, jsonb, jsonb) IS
'Notes an attempt in import_audit, with its first 100 errors, and one to import in the counter scenario_imports_total.';

CREATE FUNCTION execreport._accepted_prompt_metadata(generation execreport._scenario_generations, accepted_by text) RETURNS jsonb
LANGUAGE sql STABLE
RETURN pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object('generationId', generation.id, 'model', generation.model,
    'confidence', generation.confidence, 'generatedAt', generation.completed_at, 'acceptedBy', accepted_by,
    'request', generation.metadata));
COMMENT ON FUNCTION execreport._accepted_prompt_metadata(execreport._scenario_generations, text) IS
'What is kept with an accepted prompt.';

CREATE FUNCTION execreport._create_scenario(generation execreport._scenario_generations, document jsonb) RETURNS uuid
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    about  jsonb := document -> 'scenario_metadata';
    months integer := least(greatest(trunc(coalesce(execreport._json_number(about -> 'horizon_months'),
                                                    execreport._json_number(about -> 'planning_horizon_months'), 12)), 1), 1200);
    result uuid;
BEGIN
    INSERT INTO execreport._scenarios AS s (tenant_id, name, description, scenario_type, horizon_months, fiscal_year, start_date, end_date,
        confidence, impact_analysis, assumptions, source_generation_id, accepted_prompt, accepted_prompt_redacted, accepted_prompt_metadata,
        created_by, created_role)
    VALUES (generation.tenant_id,
        coalesce(execreport._name_text(execreport._json_text(about -> 'name')), 'Generated Scenario ' || generation.id),
        execreport._json_text(about -> 'description'),
        coalesce(nullif(left(trim(execreport._json_text(about -> 'scenario_type')), 100), ''), 'transformation'),
        months, extract(year FROM current_date), current_date, (current_date + make_interval(months => months))::date,
        generation.confidence, document -> 'impact_analysis', document -> 'assumptions', generation.id, generation.prompt, generation.redacted_prompt,
        execreport._accepted_prompt_metadata(generation, execreport.current_user_id()),
        generation.created_by, generation.created_role)
    RETURNING s.id INTO result;
    RETURN result;
END
$$;
COMMENT ON FUNCTION execreport._create_scenario(execreport._scenario_generations, jsonb) IS
'The scenario of a generation, a draft: what the document does not say has a default.';

CREATE FUNCTION execreport.accept_generation(generation_id uuid, import boolean DEFAULT false) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    tenant     integer := execreport._require_persona('editor');
    generation execreport._scenario_generations := execreport._lock_generation(tenant, accept_generation.generation_id);
    feed       boolean := coalesce(accept_generation.import, false);
    judged     record;
    scenario   uuid := generation.scenario_id;
    report     jsonb;
    code       text;
    problems   jsonb;
BEGIN
    IF generation.scenario_id IS NOT NULL AND (generation.imported_at IS NOT NULL OR NOT feed) THEN
        RETURN jsonb_build_object('accepted', true, 'scenarioId', generation.scenario_id,
            'imported', generation.imported_at IS NOT NULL, 'report', generation.import_report);
    END IF;

    IF generation.status <> 'complete' THEN
        code := 'not_complete';
        problems := jsonb_build_array(jsonb_build_object('path', 'status', 'message', format('the generation is %s, not complete', generation.status)));
    ELSIF feed AND NOT execreport.is_flag_enabled(tenant, 'import_generation', execreport.current_user_id()) THEN
        code := 'skipped_feature_flag';
        problems := jsonb_build_array(jsonb_build_object('path', 'flags.import_generation', 'message', 'the flag is off'));
    ELSE
        BEGIN
            IF execreport.is_flag_enabled(tenant, 'validate_llm_response', execreport.current_user_id()) THEN
                judged := execreport._judge_response(generation.response);
            ELSE
                judged := execreport._unwrap_scenario(generation.response);
                IF NOT feed THEN
                    judged.errors := NULL;
                END IF;
            END IF;
            IF judged.errors IS NOT NULL THEN
                code := 'validation_failed';
                problems := judged.errors;
            END IF;
        EXCEPTION WHEN OTHERS THEN
            code := 'validation_error';
            problems := jsonb_build_array(jsonb_build_object('path', '$', 'message', SQLERRM, 'sqlstate', SQLSTATE));
        END;
    END IF;

    IF code IS NULL THEN
        BEGIN
            IF scenario IS NULL THEN
                scenario := execreport._create_scenario(generation, judged.document);
            END IF;
            IF feed THEN
                report := execreport._import_scenario(tenant, scenario, judged.document);
                UPDATE execreport._scenarios AS s
                   SET status = CASE WHEN s.status <> 'draft' THEN s.status
                                     WHEN jsonb_path_exists(report, '$.* ? (@.created > 0 || @.updated > 0)') THEN 'incubating'
                                     ELSE 'incubated' END,
                       updated_at = now()
                 WHERE s.tenant_id = tenant AND s.id = scenario;
            END IF;
            UPDATE execreport._scenario_generations AS g
               SET scenario_id = scenario, accepted_at = coalesce(g.accepted_at, now()),
                   accepted_by = coalesce(g.accepted_by, execreport.current_user_id()),
                   imported_at = CASE WHEN feed THEN now() END, import_report = report
             WHERE g.tenant_id = tenant AND g.id = generation.id;
            PERFORM execreport._audit(tenant, 'accept', 'scenario', scenario::text, NULL,
                jsonb_build_object('generationId', generation.id, 'imported', feed));
        EXCEPTION WHEN OTHERS THEN
            IF SQLSTATE LIKE '40%' THEN    -- for the caller to try again
                RAISE;
            END IF;
            code := 'failed';
            scenario := generation.scenario_id;
            report := NULL;
            problems := jsonb_build_array(jsonb_build_object('path', '$', 'message', SQLERRM, 'sqlstate', SQLSTATE));
        END;
    END IF;

    PERFORM execreport._import_attempt(tenant, generation.id, scenario, feed,
        coalesce(code, CASE WHEN feed THEN 'success' ELSE 'accepted' END), problems, report);
    IF code IS NOT NULL THEN
        RETURN jsonb_build_object('accepted', false, 'code', code, 'errors', problems);
    END IF;
    RETURN jsonb_build_object('accepted', true, 'scenarioId', scenario, 'imported', feed, 'report', report);
END
$$;
COMMENT ON FUNCTION execreport.accept_generation(uuid, boolean) IS
'Makes the scenario of a complete generation, and with import feeds the catalogue, too: {accepted: true, scenarioId, imported,
report}. However often it is called, at once or again, a generation has one scenario; a call that has nothing left to do
returns the same answer and changes nothing, and a scenario accepted without import can be imported later. report:
created, linked, updated and skipped mentions of capabilities, competencies, skills and roles; keyCompetencies.
New entities are in_incubation; those that are there are linked and stay as they are.
An attempt that comes to nothing changes nothing and returns {accepted: false, code, errors: [{path, message}]}:
not_complete; skipped_feature_flag (import, but the flag import_generation is off); validation_failed (the flag
validate_llm_response is on, as by default); validation_error (the validator itself failed); failed (scenario, entities and
links are rolled back together). Every attempt has its row in import_audit. For the generation''s creator (persona editor) and operators.
Errors: P0002 for an unknown generation; 42501 for a stranger; 22004 for NULL; PT503 in maintenance; class 40 when the
transaction has to be tried again.
Example: SELECT execreport.accept_generation(id, import => true) FROM execreport.scenario_generations WHERE status = ''complete'';';
