-- Hostile answers: each kind is the valid answer with one thing made wrong, and the path that must be named is the path of
-- that change. Nothing of them may reach the catalogue.
BEGIN;
SELECT plan(9);
SELECT count(*) FROM execreport.create_tenant(601) \gset
SET LOCAL execreport.tenant_id = 601;
SELECT count(*) FROM execreport.update_flags(601, '{"import_generation": true}') \gset

CREATE TEMP TABLE valid AS SELECT '{
  "scenario_metadata": {"name": "Plan", "description": "d", "scenario_type": "growth", "horizon_months": 12, "planning_horizon_months": 12, "confidence_score": 0.5},
  "capabilities": [
    {"id": "CAP-0", "name": "A", "required_level": 2, "competencies": [{"id": "C-0", "name": "A1", "required_level": 2, "skills": ["x", {"id": "S-0", "name": "y", "required_level": 1}]}]},
    {"id": "CAP-1", "name": "B", "competencies": [
      {"id": "C-1", "name": "B1", "skills": ["x", "y", {"id": "S-1", "name": "z", "description": "d", "required_level": 5}]},
      {"id": "C-2", "name": "B2", "required_level": 3, "skills": ["w"]}]}],
  "suggested_roles": [
    {"id": "R-0", "name": "R", "estimated_fte": 1, "key_competencies": ["C-0", "b2"], "talent_composition": {"human_percentage": 60, "synthetic_percentage": 40, "strategy_suggestion": "Hybrid", "logic_justification": "j"}},
    {"id": "R-1", "name": "Q", "talent_composition": {"human_percentage": 0, "synthetic_percentage": 100, "strategy_suggestion": "Synthetic"}}],
  "impact_analysis": [], "assumptions": []}'::jsonb AS document;

-- how a path is written, from the path of the change
CREATE FUNCTION pg_temp.written(path text[]) RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(nullif(ltrim(string_agg(CASE WHEN p.part ~ '^\d+$' THEN '[' || p.part || ']' ELSE '.' || p.part END, '' ORDER BY p.n), '.'), ''), '$')
      FROM unnest(path) WITH ORDINALITY AS p (part, n) $$;

CREATE TEMP TABLE hostile (kind serial, what text, document jsonb, expected text);

-- a place, what must not stand there
INSERT INTO hostile (what, document, expected)
SELECT place.path || ' = ' || left(bad.value::text, 40), jsonb_set(v.document, place.path::text[], bad.value), pg_temp.written(place.path::text[])
  FROM valid AS v,
       (VALUES ('name',   ARRAY['{scenario_metadata,name}', '{capabilities,1,name}', '{capabilities,1,competencies,0,name}',
                                '{capabilities,1,competencies,0,skills,2,name}', '{suggested_roles,1,name}']),
               ('array',  ARRAY['{capabilities}', '{capabilities,1,competencies}', '{capabilities,1,competencies,1,skills}', '{suggested_roles}',
                                '{suggested_roles,0,key_competencies}', '{impact_analysis}', '{assumptions}']),
               ('filled', ARRAY['{capabilities,0,competencies}', '{capabilities,1,competencies,0,skills}']),
               ('object', ARRAY['{scenario_metadata}', '{capabilities,0}', '{capabilities,1,competencies,1}', '{suggested_roles,0}']),
               ('object?', ARRAY['{suggested_roles,0,talent_composition}']),
               ('skill',  ARRAY['{capabilities,0,competencies,0,skills,0}', '{capabilities,1,competencies,0,skills,1}']),
               ('level',  ARRAY['{capabilities,0,required_level}', '{capabilities,1,competencies,1,required_level}',
                                '{capabilities,1,competencies,0,skills,2,required_level}']),
               ('id',     ARRAY['{capabilities,0,id}', '{capabilities,1,competencies,1,id}', '{capabilities,1,competencies,0,skills,2,id}', '{suggested_roles,1,id}']),
               ('months', ARRAY['{scenario_metadata,horizon_months}', '{scenario_metadata,planning_horizon_months}']),
               ('share',  ARRAY['{scenario_metadata,confidence_score}', '{confidence_score}']),
               ('percent', ARRAY['{suggested_roles,0,talent_composition,human_percentage}', '{suggested_roles,0,talent_composition,synthetic_percentage}']),
               ('strategy', ARRAY['{suggested_roles,0,talent_composition,strategy_suggestion}']),
               ('fte',    ARRAY['{suggested_roles,0,estimated_fte}']),
               ('text',   ARRAY['{scenario_metadata,description}', '{scenario_metadata,scenario_type}', '{capabilities,0,description}',
                                '{capabilities,1,competencies,0,skills,2,description}', '{suggested_roles,0,talent_composition,logic_justification}']),
               ('reference', ARRAY['{suggested_roles,0,key_competencies,0}', '{suggested_roles,0,key_competencies,1}'])) AS places (kind, paths),
       LATERAL unnest(places.paths) AS place (path),
       LATERAL (SELECT b.value FROM (VALUES
           ('name', ARRAY['null', '5', 'true', '[]', '{}', '""', '"   "', '"\t\n"', '"\u200b\u200d"', to_json(repeat('n', 256))::text]),
           ('array', ARRAY['{}', '"text"', '5', 'true', '{"0": {"name": "list as object"}}']),
           ('filled', ARRAY['[]', 'null']),
           ('object', ARRAY['null', '5', '"text"', '[]', 'true']),
           ('object?', ARRAY['5', '"text"', '[]', 'true']),
           ('skill', ARRAY['null', '5', 'true', '[]', '""', '" "', '"\u2060"', to_json(repeat('s', 256))::text]),
           ('level', ARRAY['0', '6', '-1', '2.5', '"3"', 'true', '[]', '{}', '1e300', '-1e-300']),
           ('id', ARRAY['5', 'true', '[]', '{}', to_json(repeat('i', 192))::text]),
           ('months', ARRAY['0', '-1', '1201', '1.5', '"12"', '[]', '1e100']),
           ('share', ARRAY['-0.1', '1.1', '80', '"0.8"', '{}']),
           ('percent', ARRAY['-1', '101', '"60"', 'true', '1e30']),
           ('strategy', ARRAY['"Rent"', '"buy"', '""', '5', '[]']),
           ('fte', ARRAY['-1', '"1"', '[]', '1e400']),
           ('text', ARRAY['5', '[]', '{}']),
           ('reference', ARRAY['"C-9"', '"C-"', '""', '" "', 'null', '5', '{"id": "C-0"}', '"CAP-0"', '"x"'])) AS bads (kind, all_of),
           LATERAL (SELECT a::jsonb AS value FROM unnest(bads.all_of) AS a) AS b
         WHERE bads.kind = places.kind) AS bad;

-- what must be there and is not
INSERT INTO hostile (what, document, expected)
SELECT 'without ' || path, v.document #- path::text[], pg_temp.written(path::text[])
  FROM valid AS v, unnest(ARRAY['{scenario_metadata}', '{scenario_metadata,name}', '{capabilities,0,name}', '{capabilities,1,competencies,1,name}',
       '{capabilities,1,competencies,0,skills,2,name}', '{suggested_roles,0,name}', '{capabilities,1,competencies}', '{capabilities,0,competencies,0,skills}']) AS path;

-- too many of something
INSERT INTO hostile (what, document, expected)
SELECT 'too many in ' || t.path, jsonb_set(v.document, t.path::text[], (SELECT jsonb_agg(jsonb_set(t.item, '{name}', to_jsonb('n' || i))) FROM generate_series(1, t.count) AS i)),
       pg_temp.written(t.path::text[])
  FROM valid AS v, (VALUES
       ('{capabilities}', '{"competencies": [{"name": "A1", "skills": ["s"]}, {"name": "B2", "skills": ["s"]}]}'::jsonb, 11),
       ('{capabilities,0,competencies}', '{"skills": ["s"]}', 11), ('{capabilities,1,competencies,0,skills}', '{}', 11), ('{suggested_roles}', '{}', 21),
       ('{roles}', '{}', 21)) AS t (path, item, count);
INSERT INTO hostile (what, document, expected)
SELECT '10 roles and 11 suggested ones', v.document || jsonb_build_object('suggested_roles', (SELECT jsonb_agg(jsonb_build_object('name', 'r' || i)) FROM generate_series(1, 11) AS i),
       'roles', (SELECT jsonb_agg(jsonb_build_object('name', 'q' || i)) FROM generate_series(1, 10) AS i)), 'roles' FROM valid AS v;

-- roles under their other name are held to the same
INSERT INTO hostile (what, document, expected)
SELECT 'roles: ' || r.role::text, v.document || jsonb_build_object('roles', jsonb_build_array(r.role)), r.expected
  FROM valid AS v, (VALUES ('{}'::jsonb, 'roles[0].name'), ('{"name": " "}', 'roles[0].name'), ('{"name": "r", "key_competencies": ["nobody"]}', 'roles[0].key_competencies[0]'),
       ('{"name": "r", "talent_composition": {"human_percentage": 50, "synthetic_percentage": 40}}', 'roles[0].talent_composition')) AS r (role, expected);

-- an id that is used twice, with the same name or another
INSERT INTO hostile (what, document, expected)
SELECT 'twice ' || t.path, jsonb_set(v.document, t.path::text[], to_jsonb(t.id)), pg_temp.written(t.path::text[])
  FROM valid AS v, (VALUES ('{capabilities,1,id}', 'CAP-0'), ('{capabilities,1,competencies,0,id}', 'C-0'), ('{capabilities,1,competencies,1,id}', 'C-1'),
       ('{capabilities,1,competencies,0,skills,2,id}', 'S-0'), ('{suggested_roles,1,id}', 'R-0')) AS t (path, id)
UNION ALL
SELECT 'a capability twice', jsonb_insert(v.document, '{capabilities,2}', v.document #> '{capabilities,0}'), 'capabilities[2].id' FROM valid AS v
UNION ALL
SELECT 'a skill twice', jsonb_insert(v.document, '{capabilities,1,competencies,0,skills,3}', v.document #> '{capabilities,1,competencies,0,skills,2}'),
       'capabilities[1].competencies[0].skills[3].id' FROM valid AS v;

-- numbers that do not go together
INSERT INTO hostile (what, document, expected)
SELECT t.what, jsonb_set(v.document, t.path::text[], t.value), t.expected
  FROM valid AS v, (VALUES
       ('99 per cent', '{suggested_roles,0,talent_composition,human_percentage}', '59'::jsonb, 'suggested_roles[0].talent_composition'),
       ('100.5 per cent', '{suggested_roles,0,talent_composition,synthetic_percentage}', '40.5', 'suggested_roles[0].talent_composition'),
       ('200 per cent', '{suggested_roles,1,talent_composition,human_percentage}', '100', 'suggested_roles[1].talent_composition'),
       ('nothing at all', '{suggested_roles,1,talent_composition,synthetic_percentage}', '0', 'suggested_roles[1].talent_composition'),
       ('Synthetic, but people', '{suggested_roles,0,talent_composition,strategy_suggestion}', '"Synthetic"', 'suggested_roles[0].talent_composition.strategy_suggestion'),
       ('Synthetic, not said how much', '{suggested_roles,1,talent_composition}', '{"strategy_suggestion": "Synthetic"}', 'suggested_roles[1].talent_composition.strategy_suggestion'),
       ('two horizons', '{scenario_metadata,planning_horizon_months}', '24', 'scenario_metadata.planning_horizon_months')) AS t (what, path, value, expected);

-- both spellings of one thing
INSERT INTO hostile (what, document, expected)
SELECT 'two spellings of ' || t.path, jsonb_set(v.document, t.path::text[], t.value), pg_temp.written(t.path::text[])
  FROM valid AS v, (VALUES ('{scenario_metadata,nombre}', '"Other"'::jsonb), ('{escenario}', '{"nombre": "Other"}'), ('{capacidades}', '[]'), ('{capabilities,0,nombre}', '"Other"'),
       ('{capabilities,1,competencies,1,habilidades}', '["v"]'), ('{suggested_roles,0,nombre}', '"Other"')) AS t (path, value);

-- what is no scenario at all
INSERT INTO hostile (what, document, expected)
VALUES ('null', 'null', '$'), ('number', '5', '$'), ('true', 'true', '$'), ('list', '[]', '$'), ('list of scenarios', '[{"scenario_metadata": {"name": "x"}}]', '$'),
       ('empty object', '{}', 'scenario_metadata'), ('words', '"I cannot help with that."', '$'), ('empty text', '""', '$'), ('half of JSON', '"{\"scenario_metadata\": {\"na"', '$'),
       ('content: words', '{"content": "I cannot help with that."}', 'content'), ('content: half of JSON', '{"content": "{\"scenario_metadata\": {"}', 'content'),
       ('content: broken between fences', '{"content": "```json\n{\"a\": ]}\n```"}', 'content'), ('content: null', '{"content": null}', '$'),
       ('content: a number', '{"content": 5}', '$'), ('content: list', '{"content": []}', 'content'), ('content: NUL', '{"content": "{\"scenario_metadata\": {\"name\": \"a\\u0000\"}}"}', 'content'),
       ('content: wrong inside', '{"content": "{\"scenario_metadata\": {\"name\": \"\"}}"}', 'scenario_metadata.name'),
       ('Spanish: without a name', '{"escenario": {"descripcion": "d"}, "capacidades": []}', 'scenario_metadata.name'),
       ('Spanish: a blank skill', '{"escenario": {"nombre": "n"}, "capacidades": [{"nombre": "c", "competencias": [{"nombre": "k", "habilidades": [" "]}]}]}', 'capabilities[0].competencies[0].skills[0]');
INSERT INTO hostile (what, document, expected)
SELECT '20,000 levels deep', jsonb_build_object('content', repeat('[', 20000) || repeat(']', 20000)), 'content'
UNION ALL
SELECT '2,000 levels deep for a name', jsonb_set(v.document, '{capabilities,0,name}', (repeat('[', 2000) || repeat(']', 2000))::jsonb), 'capabilities[0].name' FROM valid AS v
UNION ALL
SELECT 'a description of 20,001 characters', jsonb_set(v.document, '{capabilities,0,description}', to_jsonb(repeat('d', 20001))), 'capabilities[0].description' FROM valid AS v;

CREATE TEMP TABLE tried AS
SELECT h.*, g.id AS generation_id FROM hostile AS h, LATERAL (SELECT execreport.request_generation('kind ' || h.kind) AS id) AS g;
INSERT INTO tried SELECT 0, 'the valid one', v.document, NULL, execreport.request_generation('valid') FROM valid AS v;
SELECT count(execreport.complete_generation(t.generation_id, t.document)) FROM tried AS t \gset
CREATE TEMP TABLE judged AS SELECT t.*, execreport.validate_generation(t.generation_id) AS verdict FROM tried AS t;
CREATE TEMP TABLE attempted AS SELECT j.*, execreport.accept_generation(j.generation_id, true) AS answer FROM judged AS j WHERE j.kind > 0;

SELECT cmp_ok((SELECT count(*) FROM hostile), '>=', 200::bigint, 'there are 200 kinds and more');
SELECT is((SELECT verdict FROM judged WHERE kind = 0), '{"valid": true, "errors": []}', 'the answer they are made of is valid');
SELECT is((SELECT count(DISTINCT document) FROM hostile), (SELECT count(*) FROM hostile), 'no kind is there twice');
SELECT is_empty($$ SELECT what FROM judged WHERE kind > 0 AND (verdict ->> 'valid')::boolean $$, 'every kind is refused');
SELECT is_empty($$
    SELECT what, expected, jsonb_path_query_array(verdict, '$.errors[*].path') FROM judged
     WHERE kind > 0 AND NOT verdict -> 'errors' @> jsonb_build_array(jsonb_build_object('path', expected)) $$, 'every refusal names the path of what is wrong');
SELECT is_empty($$
    SELECT what, e FROM judged, jsonb_array_elements(verdict -> 'errors') AS e
     WHERE (SELECT array_agg(k ORDER BY k) FROM jsonb_object_keys(e) AS k) <> '{message,path}' OR e ->> 'path' = '' OR e ->> 'message' !~ '\w'
        OR length(e ->> 'message') > 600 $$, 'every problem has a path and a message that can be read');
SELECT is_empty($$ SELECT what, answer FROM attempted WHERE answer <> jsonb_build_object('accepted', false, 'code', 'validation_failed', 'errors', verdict -> 'errors') $$,
    'accepting refuses them with the same problems');
SELECT is((SELECT count(*) FROM execreport.import_audit AS a JOIN attempted AS t USING (generation_id) WHERE a.result = 'validation_failed' AND jsonb_array_length(a.errors) > 0),
    (SELECT count(*) FROM hostile), 'each attempt is in the audit, with what was wrong');
SELECT is((SELECT (SELECT count(*) FROM execreport.scenarios) + (SELECT count(*) FROM execreport.capabilities) + (SELECT count(*) FROM execreport.competencies)
                  + (SELECT count(*) FROM execreport.skills) + (SELECT count(*) FROM execreport.roles)), 0::bigint, 'and nothing of them is anywhere');
SELECT * FROM finish();
ROLLBACK;
