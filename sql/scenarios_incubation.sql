-- scenarios_incubation: what came from a model waits in incubation until a person promotes or rejects it.
--
-- Whoever may not decide gets a document that says so, {accepted: false, code, errors}, and not an error: an error would
-- take the audit row with it. The scenario's state follows from its entities in one place, _settle_scenarios(). Every
-- change locks first the scenarios it concerns, in the order of their ids, then the entities, by type and
-- name, as an import does; so two decisions about one scenario come one after the other. Whoever links an entity that is in
-- incubation locks it (FOR KEY SHARE) against being rejected meanwhile.

CREATE FUNCTION execreport._name_similarity(a text, b text) RETURNS double precision
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'er_name_similarity';
COMMENT ON FUNCTION execreport._name_similarity(text, text) IS
'How alike two names are, 0 to 1: the trigrams that both have by those that at least one has, as pg_trgm does it, after
normalising (NFKC, case, punctuation and spaces).';

CREATE FUNCTION execreport._similar_names(names text[], others text[], threshold double precision, most integer)
RETURNS TABLE (name_number integer, other_number integer, similarity double precision)
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10000 ROWS 100 AS 'MODULE_PATHNAME', 'er_similar_names';
COMMENT ON FUNCTION execreport._similar_names(text[], text[], double precision, integer) IS
'For each of the names the others that are more alike than threshold (0.1 to 1), the most alike first and at most that many
(1 to 20): numbers of elements, counted from 1. Not every pair is looked at.';

CREATE INDEX capabilities_incubated_idx ON execreport._capabilities (tenant_id, discovered_in) WHERE status = 'in_incubation';
CREATE INDEX competencies_incubated_idx ON execreport._competencies (tenant_id, discovered_in) WHERE status = 'in_incubation';
CREATE INDEX skills_incubated_idx ON execreport._skills (tenant_id, discovered_in) WHERE status = 'in_incubation';
CREATE INDEX roles_incubated_idx ON execreport._roles (tenant_id, discovered_in) WHERE status = 'in_incubation';

CREATE VIEW execreport.catalogue WITH (security_barrier) AS
SELECT e.tenant_id, 'capability' AS type, e.id, e.name, e.description, e.status, e.discovered_in AS discovered_in_scenario_id,
       e.created_at, e.updated_at
  FROM execreport._capabilities AS e WHERE e.tenant_id = (SELECT execreport.current_tenant())
UNION ALL
SELECT e.tenant_id, 'competency', e.id, e.name, e.description, e.status, e.discovered_in, e.created_at, e.updated_at
  FROM execreport._competencies AS e WHERE e.tenant_id = (SELECT execreport.current_tenant())
UNION ALL
SELECT e.tenant_id, 'skill', e.id, e.name, e.description, e.status, e.discovered_in, e.created_at, e.updated_at
  FROM execreport._skills AS e WHERE e.tenant_id = (SELECT execreport.current_tenant())
UNION ALL
SELECT e.tenant_id, 'role', e.id, e.name, e.description, e.status, e.discovered_in, e.created_at, e.updated_at
  FROM execreport._roles AS e WHERE e.tenant_id = (SELECT execreport.current_tenant());
COMMENT ON VIEW execreport.catalogue IS
'Every capability, competency, skill and role once, without its links. status: active, in_incubation
(discovered_in_scenario_id brought it, promote() makes it active) or inactive (rejected).';

CREATE FUNCTION execreport._type_order(type text) RETURNS integer
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN pg_catalog.array_position(ARRAY['capability', 'competency', 'skill', 'role'], type);

CREATE FUNCTION execreport.list_incubated(scenario_id uuid)
RETURNS TABLE (type text, id uuid, name text, description text, discovered_at timestamptz, similarities jsonb)
LANGUAGE plpgsql STABLE ROWS 100 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    tenant constant integer := execreport.current_tenant();
    kind text;
    ids uuid[];
    names text[];
    other_ids uuid[];
    other_names text[];
    other_states text[];
BEGIN
    FOREACH kind IN ARRAY ARRAY['capability', 'competency', 'skill', 'role'] LOOP
        SELECT array_agg(c.id ORDER BY c.id), array_agg(c.name ORDER BY c.id) INTO ids, names
          FROM execreport.catalogue AS c
         WHERE c.tenant_id = tenant AND c.type = kind AND c.status = 'in_incubation'
           AND c.discovered_in_scenario_id = list_incubated.scenario_id;
        CONTINUE WHEN ids IS NULL;
        -- the known first, so that they are named first among equals
        SELECT array_agg(c.id ORDER BY c.status, c.id), array_agg(c.name ORDER BY c.status, c.id),
               array_agg(c.status ORDER BY c.status, c.id)
          INTO other_ids, other_names, other_states
          FROM execreport.catalogue AS c
         WHERE c.tenant_id = tenant AND c.type = kind AND c.status <> 'inactive';
        RETURN QUERY
        WITH alike AS (
            SELECT s.name_number, jsonb_agg(jsonb_build_object('id', other_ids[s.other_number], 'name', other_names[s.other_number],
                       'status', other_states[s.other_number], 'similarity', round(s.similarity::numeric, 4),
                       'marked', s.similarity > CASE kind WHEN 'role' THEN 0.85 ELSE 0.90 END)
                       ORDER BY s.similarity DESC, s.other_number) - 3 AS found
              FROM execreport._similar_names(names, other_names, 0.75, 4) AS s    -- three others and, mostly, itself
             WHERE other_ids[s.other_number] <> ids[s.name_number]
             GROUP BY s.name_number)
        SELECT kind, c.id, c.name, c.description, c.created_at, coalesce(a.found, '[]')
          FROM unnest(ids) WITH ORDINALITY AS i (id, n)
          JOIN execreport.catalogue AS c ON c.tenant_id = tenant AND c.type = kind AND c.id = i.id
          LEFT JOIN alike AS a ON a.name_number = i.n
         ORDER BY i.n;
    END LOOP;
END
$$;
COMMENT ON FUNCTION execreport.list_incubated(uuid) IS
'What a scenario discovered and nobody has promoted or rejected yet: capabilities, competencies, skills, roles, each in the
order of discovery. similarities: up to three entities of the same type, active or in incubation, whose names are more than 0.75
alike: [{id, name, status, similarity, marked}]; marked: above 0.90, roles above 0.85. similarity: the trigrams that two
names share by those that either has, as pg_trgm measures it, whatever the case and punctuation. No rows when nothing waits,
and for an unknown scenario.
Example: SELECT l.* FROM execreport.scenarios AS s, execreport.list_incubated(s.id) AS l WHERE s.status = ''incubating'';';

-- ---------------------------------------------------------------------------------------------------------------------

CREATE FUNCTION execreport._may_decide(tenant integer, scenarios uuid[]) RETURNS boolean
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT (SELECT execreport._has_persona('operator'))
           OR (SELECT execreport._has_persona('editor'))
              AND NOT EXISTS (SELECT FROM execreport._scenarios AS s
                               WHERE s.tenant_id = _may_decide.tenant AND s.id = ANY (_may_decide.scenarios)
                                 AND NOT execreport._is_creator(s.created_by, s.created_role));
END;
COMMENT ON FUNCTION execreport._may_decide(integer, uuid[]) IS
'May the caller promote, reject and approve what these scenarios brought? Operators may, and whoever created them all.';

CREATE FUNCTION execreport._deciding_tenant() RETURNS integer
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF execreport._has_persona('editor') THEN
        RETURN execreport._require_persona('editor');
    END IF;
    RETURN execreport._require_persona('viewer');   -- to be refused, and audited
END
$$;
COMMENT ON FUNCTION execreport._deciding_tenant() IS
'The current tenant. Error PT503 in maintenance for those who could decide, 42501 for whoever works for no tenant.';

CREATE FUNCTION execreport._refuse(tenant integer, operation text, entity_type text, entity_id text, code text, message text)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM execreport._audit(tenant, operation || '_refused', entity_type, entity_id, NULL, NULL, message,
                              jsonb_build_object('code', code));
    RETURN jsonb_build_object('accepted', false, 'code', code, 'errors',
               jsonb_build_array(jsonb_build_object('path', entity_type, 'message', message)));
END
$$;
COMMENT ON FUNCTION execreport._refuse(integer, text, text, text, text, text) IS
'Audits that an operation was refused and gives the document that says so.';

CREATE FUNCTION execreport._lock_scenario(tenant integer, operation text, scenario uuid, OUT s execreport._scenarios, OUT refusal jsonb)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF scenario IS NULL THEN
        RAISE EXCEPTION 'scenario_id is null' USING ERRCODE = '22004';
    END IF;
    IF NOT execreport._may_decide(tenant, ARRAY[scenario]) THEN
        refusal := execreport._refuse(tenant, operation, 'scenario', scenario::text, 'forbidden',
            'the caller is neither an operator nor the creator of the scenario');
        RETURN;
    END IF;
    SELECT stored.* INTO s FROM execreport._scenarios AS stored
     WHERE stored.tenant_id = tenant AND stored.id = scenario FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        refusal := execreport._refuse(tenant, operation, 'scenario', scenario::text, 'not_found', 'the tenant has no such scenario');
    END IF;
END
$$;
COMMENT ON FUNCTION execreport._lock_scenario(integer, text, uuid) IS
'The scenario, locked, for a caller who may decide about it; else the refusal, audited.';

CREATE FUNCTION execreport._settle_scenarios(tenant integer, scenarios uuid[])
RETURNS TABLE (scenario_id uuid, status text, remaining bigint)
LANGUAGE sql VOLATILE
BEGIN ATOMIC
    -- written even when the state stays: at REPEATABLE READ the next decision then fails instead of counting what is no more
    UPDATE execreport._scenarios AS s
       SET status = CASE WHEN s.status IN ('incubating', 'incubated')
                         THEN CASE WHEN n.remaining > 0 THEN 'incubating' ELSE 'incubated' END ELSE s.status END,
           updated_at = pg_catalog.now()
      FROM (SELECT named.id,
                   (SELECT pg_catalog.count(*) FROM execreport._capabilities AS e
                     WHERE e.tenant_id = _settle_scenarios.tenant AND e.discovered_in = named.id AND e.status = 'in_incubation')
                 + (SELECT pg_catalog.count(*) FROM execreport._competencies AS e
                     WHERE e.tenant_id = _settle_scenarios.tenant AND e.discovered_in = named.id AND e.status = 'in_incubation')
                 + (SELECT pg_catalog.count(*) FROM execreport._skills AS e
                     WHERE e.tenant_id = _settle_scenarios.tenant AND e.discovered_in = named.id AND e.status = 'in_incubation')
                 + (SELECT pg_catalog.count(*) FROM execreport._roles AS e
                     WHERE e.tenant_id = _settle_scenarios.tenant AND e.discovered_in = named.id AND e.status = 'in_incubation')
                   AS remaining
              FROM pg_catalog.unnest(_settle_scenarios.scenarios) AS named (id)) AS n
     WHERE s.tenant_id = _settle_scenarios.tenant AND s.id = n.id
    RETURNING s.id, s.status, n.remaining;
END;
COMMENT ON FUNCTION execreport._settle_scenarios(integer, uuid[]) IS
'The one place where a scenario''s state follows from its entities: incubating while one of those it discovered is in
incubation, then incubated; other states stay. For scenarios that the caller has locked.';

CREATE FUNCTION execreport._table_of(type text) RETURNS name
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE type WHEN 'capability' THEN '_capabilities' WHEN 'competency' THEN '_competencies' WHEN 'skill' THEN '_skills'
                 WHEN 'role' THEN '_roles' END::name;

CREATE FUNCTION execreport._promote(tenant integer, kind text, ids uuid[], reason text) RETURNS uuid[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    done uuid[];
BEGIN
    EXECUTE format($sql$
        WITH locked AS (
            SELECT e.id FROM execreport.%1$I AS e
             WHERE e.tenant_id = $1 AND e.id = ANY ($2) AND e.status = 'in_incubation'
             ORDER BY e.name_key FOR NO KEY UPDATE),
        promoted AS (
            UPDATE execreport.%1$I AS e SET status = 'active', updated_at = now()
              FROM locked WHERE e.tenant_id = $1 AND e.id = locked.id
            RETURNING e.id, e.name, e.discovered_in),
        audited AS (
            INSERT INTO execreport.audit_logs (tenant_id, action, entity_type, entity_id, previous_value, new_value, reason, metadata)
            SELECT $1, 'promote', %2$L, p.id::text, '{"status": "in_incubation"}', '{"status": "active"}', $3,
                   jsonb_build_object('name', p.name, 'scenarioId', p.discovered_in)
              FROM promoted AS p)
        SELECT array_agg(p.id) FROM promoted AS p $sql$, execreport._table_of(kind), kind)
       INTO done USING tenant, ids, reason;
    IF kind = 'role' AND done IS NOT NULL THEN
        UPDATE execreport.scenario_roles AS l
           SET archetype = CASE WHEN l.human_percentage > 70 THEN 'E' WHEN l.human_percentage > 40 THEN 'T' ELSE 'O' END
         WHERE l.tenant_id = tenant AND l.role_id = ANY (done) AND l.archetype IS NULL AND l.human_percentage IS NOT NULL;
    END IF;
    RETURN coalesce(done, '{}');
END
$$;
COMMENT ON FUNCTION execreport._promote(integer, text, uuid[], text) IS
'Makes entities of one type active that are in incubation, audits each, and gives roles their archetype by the part of
people: E above 70 per cent, T above 40, else O. Returns the ids of those it promoted. Where they came from stays known.';

CREATE FUNCTION execreport._incubation_items(tenant integer, items jsonb)
RETURNS TABLE (number integer, type text, id uuid, name text, status text, scenario_id uuid)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    wrong record;
BEGIN
    IF items IS NULL OR jsonb_typeof(items) <> 'array' THEN
        RAISE EXCEPTION 'items is %', coalesce(jsonb_typeof(items), 'null')
            USING ERRCODE = CASE WHEN items IS NULL THEN '22004' ELSE '22023' END,
                  HINT = 'Give a list like [{"type": "skill", "id": "..."}].';
    END IF;
    SELECT i.n - 1 AS n, CASE WHEN jsonb_typeof(i.value) <> 'object' THEN ''
                              WHEN execreport._type_order(i.value ->> 'type') IS NULL THEN '.type' ELSE '.id' END AS member,
           CASE WHEN jsonb_typeof(i.value) <> 'object' THEN i.value
                WHEN execreport._type_order(i.value ->> 'type') IS NULL THEN i.value -> 'type' ELSE i.value -> 'id' END AS came
      INTO wrong
      FROM jsonb_array_elements(items) WITH ORDINALITY AS i (value, n)
     WHERE NOT coalesce(jsonb_typeof(i.value) = 'object' AND execreport._type_order(i.value ->> 'type') IS NOT NULL
                        AND i.value ->> 'id' ~* '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$', false)
     ORDER BY i.n LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'items[%]% is %', wrong.n, wrong.member, coalesce(left(wrong.came::text, 64), 'missing')
            USING ERRCODE = '22023',
                  DETAIL = CASE wrong.member WHEN '' THEN 'An item is an object with type and id.'
                               WHEN '.type' THEN 'A type is capability, competency, skill or role.' ELSE 'An id is a UUID.' END,
                  HINT = 'list_incubated() gives types and ids.';
    END IF;
    RETURN QUERY
    WITH wanted AS (
        SELECT min(i.n)::integer AS n, i.value ->> 'type' AS type, (i.value ->> 'id')::uuid AS id
          FROM jsonb_array_elements(items) WITH ORDINALITY AS i (value, n)
         GROUP BY 2, 3),
    found AS (
        SELECT w.n, e.name, e.status, e.discovered_in FROM wanted AS w
          JOIN execreport._capabilities AS e ON e.tenant_id = tenant AND e.id = w.id WHERE w.type = 'capability'
        UNION ALL
        SELECT w.n, e.name, e.status, e.discovered_in FROM wanted AS w
          JOIN execreport._competencies AS e ON e.tenant_id = tenant AND e.id = w.id WHERE w.type = 'competency'
        UNION ALL
        SELECT w.n, e.name, e.status, e.discovered_in FROM wanted AS w
          JOIN execreport._skills AS e ON e.tenant_id = tenant AND e.id = w.id WHERE w.type = 'skill'
        UNION ALL
        SELECT w.n, e.name, e.status, e.discovered_in FROM wanted AS w
          JOIN execreport._roles AS e ON e.tenant_id = tenant AND e.id = w.id WHERE w.type = 'role')
    SELECT w.n, w.type, w.id, f.name, f.status, f.discovered_in
      FROM wanted AS w LEFT JOIN found AS f ON f.n = w.n
     ORDER BY w.n;
END
$$;
COMMENT ON FUNCTION execreport._incubation_items(integer, jsonb) IS
'The items of a call, each once, with what they are now; name and status NULL for those the tenant does not have.';

CREATE FUNCTION execreport._decision(tenant integer, operation text, results jsonb, scenarios uuid[]) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    document jsonb;
BEGIN
    INSERT INTO execreport.audit_logs (tenant_id, action, entity_type, entity_id, reason, metadata)
    SELECT tenant, operation || '_refused', r.value ->> 'type', r.value ->> 'id', r.value ->> 'reason',
           jsonb_build_object('code', r.value -> 'code')
      FROM jsonb_array_elements(results) AS r WHERE r.value ->> 'result' = 'refused';
    SELECT jsonb_build_object('accepted', count(*) = 0 OR bool_or(r.value ->> 'result' <> 'refused'),
               'unchanged', count(*) FILTER (WHERE r.value ->> 'result' = 'unchanged'),
               'refused', count(*) FILTER (WHERE r.value ->> 'result' = 'refused'),
               CASE operation WHEN 'promote' THEN 'promoted' ELSE 'rejected' END,
               count(*) FILTER (WHERE r.value ->> 'result' NOT IN ('unchanged', 'refused')), 'items', results)
           || CASE WHEN bool_and(r.value ->> 'result' = 'refused')
                   THEN jsonb_build_object('code', CASE WHEN count(DISTINCT r.value ->> 'code') = 1 THEN min(r.value ->> 'code') ELSE 'refused' END,
                            'errors', jsonb_agg(jsonb_build_object('path', format('items[%s]', r.n - 1), 'message', r.value -> 'reason') ORDER BY r.n))
                   ELSE '{}' END
      INTO document
      FROM jsonb_array_elements(results) WITH ORDINALITY AS r (value, n);
    RETURN document || (
        SELECT jsonb_build_object('remaining', coalesce(sum(s.remaining), 0), 'scenarios', coalesce(jsonb_agg(
                   jsonb_build_object('scenarioId', s.scenario_id, 'status', s.status, 'remaining', s.remaining) ORDER BY s.scenario_id), '[]'))
          FROM execreport._settle_scenarios(tenant, scenarios) AS s);
END
$$;
COMMENT ON FUNCTION execreport._decision(integer, text, jsonb, uuid[]) IS
'The answer of promote() and reject() from what became of each item; audits what was refused and settles the scenarios.';

CREATE FUNCTION execreport.promote(items jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    tenant constant integer := execreport._deciding_tenant();
    wanted uuid[];
    types text[];
    scenarios uuid[];
    kind text;
    done uuid[] := '{}';
    results jsonb;
BEGIN
    SELECT coalesce(array_agg(i.id), '{}'), coalesce(array_agg(i.type), '{}'),
           coalesce(array_agg(DISTINCT i.scenario_id) FILTER (WHERE i.scenario_id IS NOT NULL), '{}')
      INTO wanted, types, scenarios
      FROM execreport._incubation_items(tenant, promote.items) AS i;
    IF NOT execreport._may_decide(tenant, scenarios) THEN
        RETURN execreport._refuse_items(tenant, 'promote', promote.items);
    END IF;
    PERFORM FROM execreport._scenarios AS s WHERE s.tenant_id = tenant AND s.id = ANY (scenarios) ORDER BY s.id FOR NO KEY UPDATE;

    FOREACH kind IN ARRAY ARRAY['capability', 'competency', 'skill', 'role'] LOOP
        done := done || execreport._promote(tenant, kind,
            ARRAY(SELECT w.id FROM unnest(wanted, types) AS w (id, type) WHERE w.type = kind), NULL);
    END LOOP;
    SELECT coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('type', i.type, 'id', i.id, 'name', i.name, 'result', r.result,
               'code', r.code, 'reason', CASE r.code WHEN 'not_found' THEN format('the tenant has no such %s', i.type)
                                                     WHEN 'inactive' THEN 'it was rejected' END)) ORDER BY i.number), '[]')
      INTO results
      FROM execreport._incubation_items(tenant, promote.items) AS i
      LEFT JOIN unnest(done) AS d (id) ON d.id = i.id AND i.status IS NOT NULL,
           LATERAL (SELECT CASE WHEN d.id IS NOT NULL THEN 'promoted' WHEN i.status = 'active' THEN 'unchanged' ELSE 'refused' END,
                           CASE WHEN i.status IS NULL THEN 'not_found' WHEN i.status = 'inactive' THEN 'inactive' END) AS r (result, code);
    PERFORM execreport._require_same_scenarios(tenant, promote.items, scenarios);
    RETURN execreport._decision(tenant, 'promote', results, scenarios);
END
$$;
COMMENT ON FUNCTION execreport.promote(jsonb) IS
'Makes entities active that are in incubation. items: [{"type": capability, competency, skill or role, "id": uuid}], as
list_incubated() gives them; of any scenarios of the tenant. A scenario none of whose entities waits any more is incubated.
Links of promoted roles that have no archetype get it from the part of people: E above 70 per cent, T above 40, else O.
Returns {accepted, promoted, unchanged, refused, remaining, scenarios: [{scenarioId, status, remaining}], items: [{type, id,
name, result, code, reason}]}; result: promoted, unchanged (it was active), refused (not_found, inactive). accepted is false,
with code and errors [{path, message}], when every item is refused, and when the caller may not decide about all of
them (forbidden; then nothing changes). For operators, and for editors who created the scenarios. What is promoted and what
is refused is audited, item by item.
Errors: 42501 for whoever works for no tenant; 22004, 22023 items that are no such list, by path; PT503 in maintenance.
Example: SELECT execreport.promote(execreport.scenario_document(s.id) -> ''incubated'') FROM execreport.scenarios AS s;';

CREATE FUNCTION execreport._require_same_scenarios(tenant integer, items jsonb, scenarios uuid[]) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM execreport._incubation_items(tenant, items) AS i WHERE i.scenario_id IS NOT NULL AND i.scenario_id <> ALL (scenarios)) THEN
        RAISE EXCEPTION 'an import has brought one of the items back meanwhile'
            USING ERRCODE = '40001', HINT = 'Look at list_incubated() and try again.';
    END IF;
END
$$;
COMMENT ON FUNCTION execreport._require_same_scenarios(integer, jsonb, uuid[]) IS
'Error 40001 when, now that they are locked, items belong to a scenario that the caller was not judged by.';

CREATE FUNCTION execreport._refuse_items(tenant integer, operation text, items jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    message constant text := 'the caller is neither an operator nor the creator of the scenario';
BEGIN
    INSERT INTO execreport.audit_logs (tenant_id, action, entity_type, entity_id, reason, metadata)
    SELECT tenant, operation || '_refused', i.type, i.id::text, message,
           jsonb_build_object('code', 'forbidden', 'scenarioId', i.scenario_id)
      FROM execreport._incubation_items(tenant, items) AS i;
    RETURN jsonb_build_object('accepted', false, 'code', 'forbidden', 'errors',
               jsonb_build_array(jsonb_build_object('path', 'items', 'message', message)));
END
$$;

CREATE FUNCTION execreport.promote_all(scenario_id uuid) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    tenant constant integer := execreport._deciding_tenant();
    locked record;
    kind text;
    waiting uuid[];
    counts jsonb := '{}';
    promoted integer := 0;
    settled record;
BEGIN
    locked := execreport._lock_scenario(tenant, 'promote', scenario_id);
    IF locked.refusal IS NOT NULL THEN
        RETURN locked.refusal;
    END IF;
    FOREACH kind IN ARRAY ARRAY['capability', 'competency', 'skill', 'role'] LOOP
        EXECUTE format('SELECT array_agg(e.id) FROM execreport.%I AS e
                         WHERE e.tenant_id = $1 AND e.discovered_in = $2 AND e.status = ''in_incubation''', execreport._table_of(kind))
           INTO waiting USING tenant, scenario_id;
        waiting := execreport._promote(tenant, kind, waiting, NULL);
        counts := counts || jsonb_build_object(kind, cardinality(waiting));
        promoted := promoted + cardinality(waiting);
    END LOOP;
    SELECT s.* INTO settled FROM execreport._settle_scenarios(tenant, ARRAY[scenario_id]) AS s;
    IF promoted > 0 THEN
        PERFORM execreport._audit(tenant, 'promote', 'scenario', scenario_id::text,
            jsonb_build_object('status', (locked.s).status), jsonb_build_object('status', settled.status), NULL,
            jsonb_build_object('promoted', counts));
    END IF;
    RETURN jsonb_build_object('accepted', true, 'scenarioId', scenario_id, 'status', settled.status, 'promoted', promoted,
                              'counts', counts, 'remaining', settled.remaining);
END
$$;
COMMENT ON FUNCTION execreport.promote_all(uuid) IS
'Makes everything active that a scenario discovered and that is in incubation. Returns {accepted, scenarioId, status,
promoted, counts: {capability, competency, skill, role}, remaining}; calling it again promotes nothing more. A caller who may
not gets {accepted: false, code: forbidden, errors}, an unknown scenario not_found; both are audited. For operators and for
the editor who created the scenario.
Errors: 42501 for whoever works for no tenant; 22004 for NULL; PT503 in maintenance.
Example: SELECT execreport.promote_all(id) ->> ''promoted'' FROM execreport.scenarios WHERE status = ''incubating'';';

CREATE FUNCTION execreport.reject(items jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    tenant constant integer := execreport._deciding_tenant();
    wanted uuid[];
    types text[];
    origins uuid[];         -- of each, the scenario that discovered it
    scenarios uuid[];
    kind text;
    waiting uuid[] := '{}';
    locked uuid[];
    used uuid[];
    gone uuid[];
    kept uuid[];            -- rejected, but others hang on them
    results jsonb;
BEGIN
    SELECT coalesce(array_agg(i.id), '{}'), coalesce(array_agg(i.type), '{}'), coalesce(array_agg(i.scenario_id), '{}'),
           coalesce(array_agg(DISTINCT i.scenario_id) FILTER (WHERE i.scenario_id IS NOT NULL), '{}')
      INTO wanted, types, origins, scenarios
      FROM execreport._incubation_items(tenant, reject.items) AS i WHERE i.status IS NOT NULL;
    IF NOT execreport._may_decide(tenant, scenarios) THEN
        RETURN execreport._refuse_items(tenant, 'reject', reject.items);
    END IF;
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        RAISE EXCEPTION 'reject() needs the isolation level READ COMMITTED'
            USING ERRCODE = '25000', DETAIL = format('It is %s: what other scenarios link meanwhile would be overlooked.',
                                                     upper(current_setting('transaction_isolation')));
    END IF;
    PERFORM FROM execreport._scenarios AS s WHERE s.tenant_id = tenant AND s.id = ANY (scenarios) ORDER BY s.id FOR NO KEY UPDATE;
    FOREACH kind IN ARRAY ARRAY['capability', 'competency', 'skill', 'role'] LOOP
        EXECUTE format('SELECT array_agg(l.id) FROM (SELECT e.id FROM execreport.%I AS e
                         WHERE e.tenant_id = $1 AND e.id = ANY ($2) AND e.status = ''in_incubation'' ORDER BY e.name_key FOR UPDATE) AS l',
                       execreport._table_of(kind))
           INTO locked USING tenant, ARRAY(SELECT w.id FROM unnest(wanted, types) AS w (id, type) WHERE w.type = kind);
        waiting := waiting || locked;
    END LOOP;

    PERFORM execreport._require_same_scenarios(tenant, reject.items, scenarios);

    -- whoever wanted to link one of them now waits; what was linked before, these statements see
    used := ARRAY(
        SELECT DISTINCT w.id
          FROM unnest(wanted, origins) AS w (id, origin)
          JOIN (SELECT l.capability_id, l.scenario_id FROM execreport.scenario_capabilities AS l
                 WHERE l.tenant_id = tenant AND l.capability_id = ANY (waiting)
                UNION ALL
                SELECT l.capability_id, l.scenario_id FROM execreport.capability_competencies AS l
                 WHERE l.tenant_id = tenant AND l.capability_id = ANY (waiting)
                UNION ALL
                SELECT l.competency_id, l.scenario_id FROM execreport.capability_competencies AS l
                 WHERE l.tenant_id = tenant AND l.competency_id = ANY (waiting)
                UNION ALL
                SELECT l.competency_id, l.scenario_id FROM execreport.competency_skills AS l
                 WHERE l.tenant_id = tenant AND l.competency_id = ANY (waiting)
                UNION ALL
                SELECT l.skill_id, l.scenario_id FROM execreport.competency_skills AS l
                 WHERE l.tenant_id = tenant AND l.skill_id = ANY (waiting)
                UNION ALL
                SELECT l.competency_id, l.scenario_id FROM execreport.role_competencies AS l
                 WHERE l.tenant_id = tenant AND l.competency_id = ANY (waiting)
                UNION ALL
                SELECT l.role_id, l.scenario_id FROM execreport.role_competencies AS l
                 WHERE l.tenant_id = tenant AND l.role_id = ANY (waiting)
                UNION ALL
                SELECT l.role_id, l.scenario_id FROM execreport.scenario_roles AS l
                 WHERE l.tenant_id = tenant AND l.role_id = ANY (waiting)) AS link (id, scenario_id)
            ON link.id = w.id AND link.scenario_id IS DISTINCT FROM w.origin);
    waiting := ARRAY(SELECT w.id FROM unnest(waiting) AS w (id) EXCEPT SELECT u.id FROM unnest(used) AS u (id));

    -- from below: what has something below it that stays is kept, inactive
    kept := ARRAY(SELECT DISTINCT l.competency_id FROM execreport.competency_skills AS l
                   WHERE l.tenant_id = tenant AND l.competency_id = ANY (waiting)
                     AND NOT EXISTS (SELECT FROM unnest(waiting) AS w (id) WHERE w.id = l.skill_id));
    kept := kept || ARRAY(SELECT DISTINCT l.capability_id FROM execreport.capability_competencies AS l
                   WHERE l.tenant_id = tenant AND l.capability_id = ANY (waiting)
                     AND (l.competency_id = ANY (kept) OR NOT EXISTS (SELECT FROM unnest(waiting) AS w (id) WHERE w.id = l.competency_id)));
    gone := ARRAY(SELECT w.id FROM unnest(waiting) AS w (id) EXCEPT SELECT k.id FROM unnest(kept) AS k (id));

    SELECT coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('type', i.type, 'id', i.id, 'name', i.name, 'result', r.result,
               'code', r.code, 'reason', CASE r.code WHEN 'not_found' THEN format('the tenant has no such %s', i.type)
                                                     WHEN 'active' THEN 'it is in the catalogue'
                                                     WHEN 'in_use' THEN 'another scenario uses it'
                                                     WHEN 'has_parts' THEN 'parts of it stay, so it is kept as inactive' END)) ORDER BY i.number), '[]')
      INTO results
      FROM execreport._incubation_items(tenant, reject.items) AS i
      LEFT JOIN unnest(gone) AS g (id) ON g.id = i.id AND i.status IS NOT NULL
      LEFT JOIN unnest(kept) AS k (id) ON k.id = i.id AND i.status IS NOT NULL,
           LATERAL (SELECT CASE WHEN g.id IS NOT NULL THEN 'deleted' WHEN k.id IS NOT NULL THEN 'deactivated'
                                WHEN i.status = 'inactive' THEN 'unchanged' ELSE 'refused' END,
                           CASE WHEN i.status IS NULL THEN 'not_found' WHEN i.status = 'active' THEN 'active'
                                WHEN k.id IS NOT NULL THEN 'has_parts'
                                WHEN i.status = 'in_incubation' AND g.id IS NULL THEN 'in_use' END) AS r (result, code);

    INSERT INTO execreport.audit_logs (tenant_id, action, entity_type, entity_id, previous_value, new_value, metadata)
    SELECT tenant, 'reject', i.type, i.id::text, jsonb_build_object('status', i.status, 'name', i.name),
           CASE WHEN i.id = ANY (kept) THEN '{"status": "inactive"}'::jsonb END, jsonb_build_object('scenarioId', i.scenario_id)
      FROM execreport._incubation_items(tenant, reject.items) AS i
     WHERE i.id = ANY (waiting) AND i.status IS NOT NULL;
    DELETE FROM execreport.scenario_capabilities AS l WHERE l.tenant_id = tenant AND l.capability_id = ANY (gone);
    DELETE FROM execreport.capability_competencies AS l WHERE l.tenant_id = tenant AND l.capability_id = ANY (gone);
    DELETE FROM execreport.capability_competencies AS l WHERE l.tenant_id = tenant AND l.competency_id = ANY (gone);
    DELETE FROM execreport.competency_skills AS l WHERE l.tenant_id = tenant AND l.competency_id = ANY (gone);
    DELETE FROM execreport.competency_skills AS l WHERE l.tenant_id = tenant AND l.skill_id = ANY (gone);
    DELETE FROM execreport.role_competencies AS l WHERE l.tenant_id = tenant AND l.competency_id = ANY (gone);
    DELETE FROM execreport.role_competencies AS l WHERE l.tenant_id = tenant AND l.role_id = ANY (gone);
    DELETE FROM execreport.scenario_roles AS l WHERE l.tenant_id = tenant AND l.role_id = ANY (gone);
    FOREACH kind IN ARRAY ARRAY['capability', 'competency', 'skill', 'role'] LOOP
        EXECUTE format('DELETE FROM execreport.%I AS e WHERE e.tenant_id = $1 AND e.id = ANY ($2)', execreport._table_of(kind))
          USING tenant, gone;
        EXECUTE format('UPDATE execreport.%I AS e SET status = ''inactive'', updated_at = now() WHERE e.tenant_id = $1 AND e.id = ANY ($2)',
                       execreport._table_of(kind))
          USING tenant, kept;
    END LOOP;
    RETURN execreport._decision(tenant, 'reject', results, scenarios);
END
$$;
COMMENT ON FUNCTION execreport.reject(jsonb) IS
'Takes out of the catalogue what a scenario discovered and nobody wants. items: as for promote(). Each is deleted with its
links when only the scenario that discovered it has it; deactivated (has_parts) when parts of it stay that are not among
the items, such as a capability''s competencies; refused when another scenario uses it (in_use), when it is active (active)
or the tenant does not have it (not_found). A scenario none of whose entities waits any more is incubated.
Returns {accepted, rejected, unchanged, refused, remaining, scenarios: [{scenarioId, status, remaining}], items: [{type, id,
name, result, code, reason}]}; result: deleted, deactivated, unchanged (it was inactive), refused. accepted is false, with
code and errors [{path, message}], when every item is refused, and when the caller may not decide about all of them
(forbidden; then nothing changes). For operators, and for editors who created the scenarios. Audited item by item.
Errors: 42501 for whoever works for no tenant; 22004, 22023 items that are no such list, by path; 25000 unless READ COMMITTED;
PT503 in maintenance.
Example: SELECT execreport.reject(coalesce(jsonb_agg(jsonb_build_object(''type'', l.type, ''id'', l.id)), ''[]''))
FROM execreport.scenarios AS s, execreport.list_incubated(s.id) AS l WHERE l.similarities @> ''[{"marked": true}]'';';

CREATE FUNCTION execreport.approve_scenario(id uuid) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    tenant constant integer := execreport._deciding_tenant();
    scenario constant uuid := approve_scenario.id;
    locked record;
    tree uuid[];
    others uuid[];
    kind text;
    done uuid[];
    counts jsonb := '{}';
    promoted integer := 0;
BEGIN
    IF execreport._may_decide(tenant, ARRAY[scenario]) THEN
        -- it may have entities that an older scenario discovered: all are locked in one order
        PERFORM FROM execreport._scenarios AS s
          WHERE s.tenant_id = tenant
            AND s.id IN (SELECT scenario UNION SELECT t.discovered_in FROM execreport._waiting_tree(tenant, scenario) AS t)
          ORDER BY s.id FOR NO KEY UPDATE;
    END IF;
    locked := execreport._lock_scenario(tenant, 'approve', scenario);
    IF locked.refusal IS NOT NULL THEN
        RETURN locked.refusal;
    ELSIF (locked.s).status = 'archived' THEN
        RETURN execreport._refuse(tenant, 'approve', 'scenario', scenario::text, 'archived', 'the scenario is archived');
    END IF;

    SELECT coalesce(array_agg(t.id), '{}'), coalesce(array_agg(DISTINCT t.discovered_in) FILTER (WHERE t.discovered_in IS NOT NULL), '{}')
      INTO tree, others
      FROM execreport._waiting_tree(tenant, scenario) AS t;
    FOREACH kind IN ARRAY ARRAY['capability', 'competency', 'skill', 'role'] LOOP
        done := execreport._promote(tenant, kind, tree, 'the scenario is approved');
        counts := counts || jsonb_build_object(kind, cardinality(done));
        promoted := promoted + cardinality(done);
    END LOOP;
    IF (locked.s).status NOT IN ('approved', 'active', 'completed') THEN
        UPDATE execreport.scenario_capabilities AS l SET maturity = 'established'
         WHERE l.tenant_id = tenant AND l.scenario_id = scenario AND l.maturity IS DISTINCT FROM 'established';
        UPDATE execreport.competency_skills AS l SET maturity = 'established'
         WHERE l.tenant_id = tenant AND l.scenario_id = scenario AND l.maturity IS DISTINCT FROM 'established';
        UPDATE execreport._scenarios AS s
           SET status = 'approved', approved_at = now(), approved_by = execreport.current_user_id(), updated_at = now()
         WHERE s.tenant_id = tenant AND s.id = scenario;
        PERFORM execreport._audit(tenant, 'approve', 'scenario', scenario::text, jsonb_build_object('status', (locked.s).status),
            '{"status": "approved"}', NULL, jsonb_build_object('promoted', counts));
    END IF;
    PERFORM execreport._settle_scenarios(tenant, others);
    RETURN (SELECT jsonb_build_object('accepted', true, 'scenarioId', s.id, 'status', s.status, 'promoted', promoted, 'counts', counts,
                                      'unchanged', (locked.s).status = s.status, 'approvedAt', execreport._instant_text(s.approved_at),
                                      'approvedBy', s.approved_by, 'remaining', 0)
              FROM execreport._scenarios AS s WHERE s.tenant_id = tenant AND s.id = scenario);
END
$$;
COMMENT ON FUNCTION execreport.approve_scenario(uuid) IS
'Approves a scenario with its whole tree: what it discovered or links and what is in incubation becomes active, its capabilities
and skills get the maturity established, the scenario is approved (approved_at, approved_by). What was rejected stays so.
Returns {accepted, scenarioId, status, promoted, counts: {capability, competency, skill, role}, unchanged, approvedAt, approvedBy,
remaining}; unchanged: it was approved before. A caller who may not gets {accepted: false, code: forbidden, errors}, an unknown
scenario not_found, an archived one archived; these are audited, and so is each promotion and the approval. For operators and
for the editor who created the scenario.
Errors: 42501 for whoever works for no tenant; 22004 for NULL; PT503 in maintenance.
Example: SELECT execreport.approve_scenario(id) ->> ''status'' FROM execreport.scenarios WHERE status = ''incubated'';';

CREATE FUNCTION execreport._waiting_tree(tenant integer, scenario uuid) RETURNS TABLE (id uuid, discovered_in uuid)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT e.id, e.discovered_in FROM execreport._capabilities AS e
     WHERE e.tenant_id = _waiting_tree.tenant AND e.status = 'in_incubation'
       AND (e.discovered_in = _waiting_tree.scenario
            OR e.id IN (SELECT l.capability_id FROM execreport.scenario_capabilities AS l
                         WHERE l.tenant_id = _waiting_tree.tenant AND l.scenario_id = _waiting_tree.scenario))
    UNION ALL
    SELECT e.id, e.discovered_in FROM execreport._competencies AS e
     WHERE e.tenant_id = _waiting_tree.tenant AND e.status = 'in_incubation'
       AND (e.discovered_in = _waiting_tree.scenario
            OR e.id IN (SELECT l.competency_id FROM execreport.capability_competencies AS l
                         WHERE l.tenant_id = _waiting_tree.tenant AND l.scenario_id = _waiting_tree.scenario))
    UNION ALL
    SELECT e.id, e.discovered_in FROM execreport._skills AS e
     WHERE e.tenant_id = _waiting_tree.tenant AND e.status = 'in_incubation'
       AND (e.discovered_in = _waiting_tree.scenario
            OR e.id IN (SELECT l.skill_id FROM execreport.competency_skills AS l
                         WHERE l.tenant_id = _waiting_tree.tenant AND l.scenario_id = _waiting_tree.scenario))
    UNION ALL
    SELECT e.id, e.discovered_in FROM execreport._roles AS e
     WHERE e.tenant_id = _waiting_tree.tenant AND e.status = 'in_incubation'
       AND (e.discovered_in = _waiting_tree.scenario
            OR e.id IN (SELECT l.role_id FROM execreport.scenario_roles AS l
                         WHERE l.tenant_id = _waiting_tree.tenant AND l.scenario_id = _waiting_tree.scenario));
END;
COMMENT ON FUNCTION execreport._waiting_tree(integer, uuid) IS
'What of a scenario''s tree is in incubation, also when another scenario discovered it.';

-- ---------------------------------------------------------------------------------------------------------------------

CREATE FUNCTION execreport.scenario_document(id uuid) RETURNS jsonb
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH skills AS MATERIALIZED (
        SELECT k.competency_id, pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('id', k.id, 'externalId', k.external_id, 'name', k.name,
                   'status', k.status, 'category', k.category, 'requiredLevel', k.required_level, 'weight', k.weight,
                   'maturity', k.maturity) ORDER BY k.id) AS list
          FROM execreport.skills AS k WHERE k.scenario_id = scenario_document.id GROUP BY k.competency_id),
    competencies AS MATERIALIZED (
        SELECT c.capability_id, pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('id', c.id, 'externalId', c.external_id, 'name', c.name,
                   'description', c.description, 'status', c.status, 'requiredLevel', c.required_level, 'weight', c.weight,
                   'priority', c.priority, 'isRequired', c.is_required, 'skills', coalesce(k.list, '[]')) ORDER BY c.id) AS list
          FROM execreport.competencies AS c LEFT JOIN skills AS k ON k.competency_id = c.id
         WHERE c.scenario_id = scenario_document.id GROUP BY c.capability_id),
    capabilities AS MATERIALIZED (
        SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('id', c.id, 'externalId', c.external_id, 'name', c.name,
                   'description', c.description, 'status', c.status, 'strategicRole', c.strategic_role,
                   'strategicWeight', c.strategic_weight, 'priority', c.priority, 'requiredLevel', c.required_level,
                   'isCritical', c.is_critical, 'maturity', c.maturity, 'competencies', coalesce(k.list, '[]')) ORDER BY c.id) AS list
          FROM execreport.capabilities AS c LEFT JOIN competencies AS k ON k.capability_id = c.id
         WHERE c.scenario_id = scenario_document.id),
    roles AS MATERIALIZED (
        SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('id', r.id, 'externalId', r.external_id, 'name', r.name,
                   'description', r.description, 'status', r.status, 'estimatedFte', r.estimated_fte,
                   'humanPercentage', r.human_percentage, 'syntheticPercentage', r.synthetic_percentage, 'strategy', r.strategy,
                   'justification', r.justification, 'archetype', r.archetype, 'keyCompetencies', coalesce((
                       SELECT pg_catalog.jsonb_agg(k.competency_id ORDER BY k.competency_id) FROM execreport.role_competencies AS k
                        WHERE k.tenant_id = r.tenant_id AND k.scenario_id = r.scenario_id AND k.role_id = r.id), '[]')) ORDER BY r.id) AS list
          FROM execreport.roles AS r WHERE r.scenario_id = scenario_document.id),
    incubated AS MATERIALIZED (
        SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('type', l.type, 'id', l.id, 'name', l.name, 'description', l.description,
                   'discoveredAt', execreport._instant_text(l.discovered_at), 'similarities', l.similarities)
                   ORDER BY execreport._type_order(l.type), l.id) AS list
          FROM execreport.list_incubated(scenario_document.id) AS l)
    SELECT pg_catalog.jsonb_build_object(
        'id', s.id, 'name', s.name, 'description', s.description, 'status', s.status, 'scenarioType', s.scenario_type,
        'horizonMonths', s.horizon_months, 'fiscalYear', s.fiscal_year, 'startDate', s.start_date, 'endDate', s.end_date,
        'confidence', s.confidence, 'impactAnalysis', s.impact_analysis, 'assumptions', s.assumptions,
        'sourceGenerationId', s.source_generation_id, 'acceptedPrompt', s.accepted_prompt,
        'acceptedPromptRedacted', s.accepted_prompt_redacted, 'acceptedPromptMetadata', s.accepted_prompt_metadata,
        'createdBy', s.created_by, 'createdAt', execreport._instant_text(s.created_at),
        'updatedAt', execreport._instant_text(s.updated_at), 'approvedAt', execreport._instant_text(s.approved_at),
        'approvedBy', s.approved_by)
        || pg_catalog.jsonb_build_object(
        'capabilities', coalesce((SELECT c.list FROM capabilities AS c), '[]'), 'roles', coalesce((SELECT r.list FROM roles AS r), '[]'),
        'incubated', coalesce((SELECT i.list FROM incubated AS i), '[]'))
      FROM execreport.scenarios AS s
     WHERE s.id = scenario_document.id;
END;
COMMENT ON FUNCTION execreport.scenario_document(uuid) IS
'A scenario as the API gives it: {id, name, description, status, scenarioType, horizonMonths, fiscalYear, startDate, endDate,
confidence, impactAnalysis, assumptions, sourceGenerationId, acceptedPrompt, acceptedPromptRedacted, acceptedPromptMetadata,
createdBy, createdAt, updatedAt, approvedAt, approvedBy, capabilities: [{..., competencies: [{..., skills: [...]}]}], roles: [{...,
keyCompetencies: [ids]}], incubated}. incubated: what the scenario discovered and what waits for promote() or reject(), which
take it as it is: [{type, id, name, description, discoveredAt, similarities}], as list_incubated() gives it. acceptedPrompt and
acceptedPromptMetadata are null but for the creator and admins. NULL when there is no such scenario.
Example: SELECT execreport.scenario_document(id) -> ''incubated'' FROM execreport.scenarios;';
