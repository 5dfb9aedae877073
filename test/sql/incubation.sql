\set SHOW_CONTEXT never
-- what a scenario brought is listed, promoted, rejected, approved; strangers are refused, and all of it is audited
CREATE ROLE er_inc_creator; CREATE ROLE er_inc_operator; CREATE ROLE er_inc_editor; CREATE ROLE er_inc_viewer; CREATE ROLE er_inc_abroad;
SELECT tenant_id FROM execreport.create_tenant(620);
SELECT tenant_id FROM execreport.create_tenant(621);
SELECT execreport.grant_access('er_inc_creator', 620, 'editor'), execreport.grant_access('er_inc_operator', 620, 'operator'),
       execreport.grant_access('er_inc_editor', 620, 'editor'), execreport.grant_access('er_inc_viewer', 620, 'viewer'),
       execreport.grant_access('er_inc_abroad', 621, 'operator');
SELECT execreport.update_flags(620, '{"import_generation": true}') ->> 'import_generation' AS import_generation;

-- a scenario of a document, made by whoever calls
CREATE FUNCTION er_incubate(plan text, capabilities jsonb, roles jsonb DEFAULT '[]') RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
    generation uuid := execreport.request_generation('Plan ' || plan);
    answer jsonb;
BEGIN
    PERFORM execreport.complete_generation(generation, jsonb_build_object('scenario_metadata', jsonb_build_object('name', plan),
        'capabilities', capabilities, 'suggested_roles', roles));
    answer := execreport.accept_generation(generation, true);
    IF NOT (answer ->> 'accepted')::boolean THEN
        RAISE EXCEPTION '%', answer;
    END IF;
    RETURN answer ->> 'scenarioId';
END $$;
CREATE FUNCTION er_items(VARIADIC names text[]) RETURNS jsonb LANGUAGE sql AS $$
    SELECT coalesce(jsonb_agg(jsonb_build_object('type', c.type, 'id', c.id) ORDER BY array_position(names, c.name)), '[]')
      FROM execreport.catalogue AS c WHERE c.name = ANY (names) $$;
-- an answer without its ids
CREATE FUNCTION er_plain(answer jsonb) RETURNS jsonb LANGUAGE sql AS $$
    SELECT answer - 'items' - 'scenarios' - 'scenarioId' - 'approvedAt' - 'approvedBy'
           || CASE WHEN answer ? 'items'
                   THEN jsonb_build_object('items', (SELECT jsonb_agg(i.value - 'id' ORDER BY i.n) FROM jsonb_array_elements(answer -> 'items') WITH ORDINALITY AS i (value, n)))
                   ELSE '{}' END $$;
CREATE FUNCTION er_state() RETURNS TABLE (scenario text, status text, waiting bigint) LANGUAGE sql AS $$
    SELECT s.name, s.status, (SELECT count(*) FROM execreport.list_incubated(s.id)) FROM execreport.scenarios AS s ORDER BY s.name $$;

SET ROLE er_inc_creator;
SELECT er_incubate('Data', '[{"id": "CAP-01", "name": "Data Platform", "competencies": [
        {"id": "C1", "name": "Data Engineering", "skills": ["SQL", "Stream Processing", {"id": "S3", "name": "Data Quality"}]},
        {"id": "C2", "name": "Data Modelling", "skills": ["Dimensional Models"]}]}]',
    '[{"name": "Data Engineer", "key_competencies": ["C1"], "talent_composition": {"human_percentage": 71, "synthetic_percentage": 29}},
      {"name": "Model Keeper", "key_competencies": ["C2"], "talent_composition": {"human_percentage": 70, "synthetic_percentage": 30}},
      {"name": "Report Bot", "key_competencies": ["C2"], "talent_composition": {"human_percentage": 40, "synthetic_percentage": 60}},
      {"name": "Adviser", "key_competencies": ["C2"]}]') AS data \gset
SELECT type, name, similarities FROM execreport.list_incubated(:'data');
SELECT * FROM er_state();
SELECT name, archetype FROM execreport.roles ORDER BY name;

-- one by one: some waiting, twice the same, one that is active then, one that nobody knows
SELECT jsonb_pretty(er_plain(execreport.promote(er_items('SQL', 'Data Engineer') || er_items('SQL'))));
SELECT jsonb_pretty(er_plain(execreport.promote(er_items('SQL', 'Adviser') || '[{"type": "skill", "id": "00000000-0000-0000-0000-000000000000"}]')));
-- the type has to be the entity's
SELECT er_plain(execreport.promote(jsonb_set(er_items('Report Bot'), '{0,type}', '"skill"')));
-- also beside the right one
BEGIN;
SELECT er_plain(execreport.promote(er_items('Report Bot') || jsonb_set(er_items('Report Bot'), '{0,type}', '"skill"')));
ROLLBACK;
BEGIN;
SELECT er_plain(execreport.reject(er_items('Report Bot') || jsonb_set(er_items('Report Bot'), '{0,type}', '"skill"')));
SELECT action, entity_type, reason FROM execreport.audit_logs WHERE tenant_id = 620 AND action LIKE 'reject%' ORDER BY audit_id;
ROLLBACK;
SELECT er_plain(execreport.promote('[]'));
SELECT * FROM er_state();
SELECT type, name, status, discovered_in_scenario_id = :'data' AS from_data FROM execreport.catalogue ORDER BY execreport._type_order(type), name;

-- a second scenario links what is there, whatever its state, and brings names that are alike
RESET ROLE; SET execreport.tenant_id = 620; SET ROLE er_inc_operator; SET execreport.user_id = 'olga';
SELECT er_incubate('Analytics', '[{"id": "CAP-01", "name": "Data Platforms", "competencies": [
        {"id": "C1", "name": "data engineering", "skills": ["sql", "stream  processing", "Stream-Processing", "Data Qualities"]}]}]',
    '[{"name": "Data Engineers", "talent_composition": {"human_percentage": 100, "synthetic_percentage": 0}}]') AS analytics \gset
SELECT type, name, s ->> 'name' AS alike, s ->> 'status' AS status, s -> 'similarity' AS similarity, s -> 'marked' AS marked
  FROM execreport.list_incubated(:'analytics') LEFT JOIN LATERAL jsonb_array_elements(similarities) AS s ON true;
SELECT * FROM er_state();
RESET ROLE; RESET execreport.user_id;

-- strangers: a member who did not create it, one who only reads, and somebody who works elsewhere
SET ROLE er_inc_editor;
SELECT er_plain(execreport.promote(er_items('Data Platform', 'Data Platforms')));
SELECT er_plain(execreport.reject(er_items('Data Platform')));
SELECT er_plain(execreport.promote_all(:'data'));
SELECT er_plain(execreport.approve_scenario(:'data'));
RESET ROLE; SET ROLE er_inc_viewer;
SELECT er_plain(execreport.promote(er_items('Data Platform')));
SELECT er_plain(execreport.approve_scenario(:'analytics'));
SELECT count(*) AS viewers_may_read FROM execreport.list_incubated(:'data');
RESET ROLE; RESET execreport.tenant_id; SET ROLE er_inc_abroad;
SELECT er_plain(execreport.promote_all(:'data'));
SELECT er_plain(execreport.approve_scenario(:'data'));
SELECT count(*) AS seen_abroad FROM execreport.list_incubated(:'data');
SELECT execreport.scenario_document(:'data') IS NULL AS unseen_abroad;
RESET ROLE; SET execreport.tenant_id = 620;
-- the same user under another role is somebody else
SET ROLE er_inc_editor; SET execreport.user_id = 'er_inc_creator';
SELECT execreport.promote_all(:'data') ->> 'code' AS code;
RESET ROLE; RESET execreport.user_id;
SELECT tenant_id, db_role = session_user AS by_session, user_id, action, entity_type, reason, metadata - 'scenarioId' AS metadata
  FROM execreport.audit_logs WHERE tenant_id IN (620, 621) AND action LIKE '%refused' ORDER BY audit_id;
SELECT * FROM er_state();

-- reject: what another scenario uses stays, a whole branch goes, half a branch leaves its upper part inactive
SET ROLE er_inc_creator;
SELECT jsonb_pretty(er_plain(execreport.reject(er_items('Stream Processing', 'Data Engineering', 'SQL', 'Data Quality'))));
SELECT er_plain(execreport.reject(er_items('Stream Processing')));
SELECT er_plain(execreport.reject(er_items('Data Modelling')));
SELECT er_plain(execreport.reject(er_items('Data Modelling')));
SELECT er_plain(execreport.promote(er_items('Data Modelling')));
SELECT er_plain(execreport.reject(er_items('Report Bot', 'Model Keeper')));
SELECT * FROM er_state();
SELECT type, name, status FROM execreport.catalogue WHERE discovered_in_scenario_id = :'data' ORDER BY execreport._type_order(type), name;
SELECT (SELECT count(*) FROM execreport.role_competencies WHERE scenario_id = :'data') AS role_links,
       (SELECT count(*) FROM execreport.competency_skills WHERE scenario_id = :'data') AS skill_links,
       (SELECT count(*) FROM execreport.capability_competencies WHERE scenario_id = :'data') AS competency_links;

-- three that are alike, also where five are the same but for their marks
BEGIN;
SELECT er_incubate('C', '[{"name": "Languages", "competencies": [{"name": "Programming", "skills": ["C", "C#", "C!", "C?", "C."]}]}]') AS c \gset
SELECT name, jsonb_array_length(similarities) FROM execreport.list_incubated(:'c') WHERE type = 'skill' ORDER BY name COLLATE "C";
ROLLBACK;

-- a whole tree at once leaves nothing; the state follows
SELECT er_incubate('Gone', '[{"name": "Gone A", "competencies": [{"name": "Gone B", "skills": ["Gone C"]}]}]') AS gone \gset
SELECT er_plain(execreport.reject(execreport.scenario_document(:'gone') -> 'incubated'));
SELECT execreport.scenario_document(:'gone') - 'id' - 'createdAt' - 'updatedAt' - 'startDate' - 'endDate' - 'fiscalYear' - 'sourceGenerationId' - 'acceptedPromptMetadata' AS gone;

-- everything, then everything again; what was rejected stays so
SELECT er_plain(execreport.promote_all(:'data'));
SELECT er_plain(execreport.promote_all(:'data'));
SELECT * FROM er_state();
SELECT name, status FROM execreport.catalogue WHERE status <> 'active' ORDER BY name;

-- approval: the whole tree, with what an older scenario discovered
SELECT er_incubate('Older', '[{"name": "Shared A", "competencies": [{"name": "Shared B", "skills": ["Shared C", "Own C"]}]}]') AS older \gset
SELECT er_incubate('Newer', '[{"name": "Shared A", "competencies": [{"name": "Shared B", "skills": ["Shared C", "New C"]}]}]') AS newer \gset
SELECT * FROM er_state() WHERE scenario IN ('Older', 'Newer');
SELECT er_plain(execreport.approve_scenario(:'newer'));
SELECT er_plain(execreport.approve_scenario(:'newer'));
SELECT * FROM er_state() WHERE scenario IN ('Older', 'Newer');
SELECT DISTINCT s.name, c.maturity AS capability, k.maturity AS skill FROM execreport.scenarios AS s
  JOIN execreport.capabilities AS c ON c.scenario_id = s.id JOIN execreport.skills AS k ON k.scenario_id = s.id
 WHERE s.name IN ('Older', 'Newer') ORDER BY 1;
SELECT approved_by, approved_at IS NOT NULL AS approved FROM execreport.scenarios WHERE name = 'Newer';
RESET ROLE;
UPDATE execreport._scenarios SET status = 'archived' WHERE tenant_id = 620 AND name = 'Older';
SELECT er_plain(execreport.approve_scenario(:'older'));
SELECT er_plain(execreport.approve_scenario('00000000-0000-0000-0000-000000000000'));

-- roles: the part of people decides; a link that the import left without gets it
SELECT er_incubate('Roles', '[{"name": "Roles A", "competencies": [{"name": "Roles B", "skills": ["Roles C"]}]}]',
    (SELECT jsonb_agg(jsonb_build_object('name', n)) FROM unnest('{R 70.1,R 70,R 40.1,R 40,R 0,R null}'::text[]) AS n)) AS roles \gset
UPDATE execreport.scenario_roles AS l SET human_percentage = nullif(substr(r.name, 3), 'null')::numeric
  FROM execreport._roles AS r WHERE l.tenant_id = 620 AND l.scenario_id = :'roles' AND r.tenant_id = 620 AND r.id = l.role_id;
SELECT er_plain(execreport.promote_all(:'roles'));
SELECT name, human_percentage, archetype FROM execreport.roles WHERE scenario_id = :'roles' ORDER BY human_percentage;

-- every change has its row
SELECT action, entity_type, previous_value, new_value, reason, count(*), count(DISTINCT entity_id) AS entities
  FROM execreport.audit_logs WHERE tenant_id = 620 AND action IN ('promote', 'reject', 'approve')
 GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5;

-- wrong calls
SELECT execreport.promote(NULL);
SELECT execreport.promote('{"type": "skill"}');
SELECT execreport.promote('[1]');
SELECT execreport.promote('[{"id": "00000000-0000-0000-0000-000000000000"}]');
SELECT execreport.promote('[{"type": "skill", "id": "00000000-0000-0000-0000-000000000000"}, {"type": "skills", "id": "00000000-0000-0000-0000-000000000000"}]');
SELECT execreport.reject('[{"type": "role", "id": "17"}]');
SELECT execreport.reject('[{"type": "role"}]');
SELECT execreport.reject(jsonb_build_array(jsonb_build_object('type', repeat('x', 200), 'id', 1)));
SELECT execreport.promote_all(NULL);
SELECT execreport.approve_scenario(NULL);
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT execreport.reject(er_items('Roles A'));
ROLLBACK;
-- who works for no tenant cannot call at all, and the functions say nothing to them
CREATE ROLE er_inc_nobody;
SET ROLE er_inc_nobody;
SELECT execreport.promote_all('00000000-0000-0000-0000-000000000000');
RESET ROLE;
SELECT * FROM execreport.list_incubated(NULL);
SELECT execreport.scenario_document(NULL);

RESET execreport.tenant_id;
DROP FUNCTION er_incubate, er_items, er_plain, er_state;
SELECT execreport.delete_tenant(620, 'test is over'), execreport.delete_tenant(621, 'test is over');
DROP ROLE er_inc_creator, er_inc_operator, er_inc_editor, er_inc_viewer, er_inc_abroad, er_inc_nobody;
