-- The backfill fills in what is missing and nothing else, in steps, and is taken back exactly; the checks see what is wrong.
BEGIN;
SELECT plan(59);

SET client_min_messages = warning;
SELECT tenant_id FROM execreport.create_tenant(625) \g /dev/null
SELECT tenant_id FROM execreport.create_tenant(626) \g /dev/null
SET LOCAL execreport.tenant_id = 625;

-- Ten generations with scenarios from before prompts were kept: 3 has some of it, 5 no prompt at all, 7 everything.
CREATE TEMP TABLE made AS
SELECT i, execreport.request_generation(format('Prompt %s of ana@example.com: \ ''%s'' %% $1 "x"', i, repeat('\', i)), '{"model": "m-1", "a": "b"}') AS g
  FROM generate_series(1, 10) AS i;
UPDATE execreport._scenario_generations AS g
   SET status = 'complete', completed_at = '2026-01-01', accepted_at = '2026-01-02', accepted_by = 'ana', confidence = 0.8
 WHERE g.tenant_id = 625;
UPDATE execreport._scenario_generations AS g SET prompt = NULL, redacted_prompt = NULL FROM made AS m WHERE g.id = m.g AND m.i = 5;
INSERT INTO execreport._scenarios (tenant_id, name, source_generation_id, updated_at)
SELECT 625, 'Scenario ' || m.i, m.g, '2026-01-03' FROM made AS m ORDER BY m.i;
INSERT INTO execreport._scenarios (tenant_id, name, updated_at) VALUES (625, 'By hand', '2026-01-03');
UPDATE execreport._scenarios SET accepted_prompt_metadata = '{"kept": true}', accepted_prompt = '' WHERE tenant_id = 625 AND name = 'Scenario 3';
UPDATE execreport._scenarios AS s SET accepted_prompt = 'p', accepted_prompt_redacted = 'r', accepted_prompt_metadata = '{}' WHERE tenant_id = 625 AND name = 'Scenario 7';
UPDATE execreport._scenario_generations AS g SET scenario_id = s.id FROM execreport._scenarios AS s WHERE s.source_generation_id = g.id AND s.name = 'Scenario 7';

CREATE FUNCTION pg_temp.digest() RETURNS text LANGUAGE sql AS $$
    SELECT md5((SELECT string_agg(s::text, chr(10) ORDER BY s.id) FROM execreport._scenarios AS s WHERE s.tenant_id = 625)
               || (SELECT string_agg(g::text, chr(10) ORDER BY g.id) FROM execreport._scenario_generations AS g WHERE g.tenant_id = 625)) $$;
SELECT pg_temp.digest() AS before \gset

-- dry run
SELECT is(execreport.backfill_accepted_prompts(), execreport.backfill_accepted_prompts(false), 'without an argument it is a dry run');
SELECT is(execreport.backfill_accepted_prompts() -> 'toFill',
    '{"acceptedPrompt": 7, "acceptedPromptRedacted": 8, "acceptedPromptMetadata": 8, "generationLink": 9, "scenarios": 9}', 'what is missing');
SELECT is(execreport.backfill_accepted_prompts() #> '{before,fromGenerations}', '10', 'scenarios that come from generations');
SELECT is(execreport.backfill_accepted_prompts() -> 'applied', 'false', 'nothing is applied');
SELECT is(pg_temp.digest(), :'before', 'a dry run changes nothing');
SELECT is_empty('SELECT FROM execreport.prompt_backfills WHERE tenant_id = 625', 'and leaves no run');

-- apply
SELECT execreport.backfill_accepted_prompts(true) AS report \gset
SELECT (:'report'::jsonb ->> 'runId') AS run \gset
SELECT is(:'report'::jsonb -> 'filled', :'report'::jsonb -> 'toFill', 'filled is what was missing');
SELECT is(:'report'::jsonb #> '{after,toFill}',
    '{"acceptedPrompt": 0, "acceptedPromptRedacted": 0, "acceptedPromptMetadata": 0, "generationLink": 0, "scenarios": 0}', 'and nothing is left');
SELECT is(:'report'::jsonb #> '{before,withAcceptedPrompt}', '2', 'prompts before');
SELECT is(:'report'::jsonb #> '{after,withAcceptedPrompt}', '9', 'prompts after: one generation has none');
SELECT is_empty($$ SELECT s.name FROM execreport._scenarios AS s JOIN execreport._scenario_generations AS g ON g.id = s.source_generation_id
    WHERE s.tenant_id = 625 AND s.name NOT IN ('Scenario 3', 'Scenario 7') AND s.accepted_prompt IS DISTINCT FROM g.prompt $$,
    'prompts are those of the generations, byte by byte');
SELECT is((SELECT accepted_prompt FROM execreport._scenarios WHERE tenant_id = 625 AND name = 'Scenario 2'),
    $p$Prompt 2 of ana@example.com: \ '\\' % $1 "x"$p$, 'backslashes and quotes are what they were');
SELECT isnt((SELECT accepted_prompt_redacted FROM execreport._scenarios WHERE tenant_id = 625 AND name = 'Scenario 2'),
    (SELECT accepted_prompt FROM execreport._scenarios WHERE tenant_id = 625 AND name = 'Scenario 2'), 'the redacted form is another');
SELECT is((SELECT accepted_prompt_metadata - 'generationId' - 'generatedAt' FROM execreport._scenarios WHERE tenant_id = 625 AND name = 'Scenario 1'),
    '{"model": "m-1", "confidence": 0.8, "acceptedBy": "ana", "request": {"model": "m-1", "a": "b"}}', 'metadata as accepting writes it');
SELECT results_eq($$ SELECT accepted_prompt, accepted_prompt_metadata FROM execreport._scenarios WHERE tenant_id = 625 AND name = 'Scenario 3' $$,
    $$ VALUES ('', '{"kept": true}'::jsonb) $$, 'what is there is never overwritten, not even an empty prompt');
SELECT results_eq($$ SELECT accepted_prompt, accepted_prompt_redacted, updated_at FROM execreport._scenarios WHERE tenant_id = 625 AND name = 'Scenario 7' $$,
    $$ VALUES ('p', 'r', '2026-01-03'::timestamptz) $$, 'a full scenario is not touched');
SELECT results_eq($$ SELECT accepted_prompt, accepted_prompt_metadata IS NULL, updated_at FROM execreport._scenarios WHERE tenant_id = 625 AND name = 'By hand' $$,
    $$ VALUES (NULL::text, true, '2026-01-03'::timestamptz) $$, 'nor one that comes from no generation');
SELECT is((SELECT accepted_prompt FROM execreport._scenarios WHERE tenant_id = 625 AND name = 'Scenario 5'), NULL, 'an unknown prompt stays unknown');
SELECT cmp_ok((SELECT min(updated_at) FROM execreport._scenarios WHERE tenant_id = 625 AND name IN ('Scenario 1', 'Scenario 3', 'Scenario 5')), '>', '2026-01-03',
    'updated_at says that they changed');
SELECT is_empty($$ SELECT FROM execreport._scenario_generations AS g JOIN execreport._scenarios AS s ON s.source_generation_id = g.id
    WHERE g.tenant_id = 625 AND g.scenario_id IS DISTINCT FROM s.id $$, 'every generation knows its scenario');
SELECT is(execreport.backfill_accepted_prompts(true) #> '{filled,scenarios}', '0', 'a second run finds nothing');

-- back, exactly
SELECT is(execreport.revert_backfill(:'run') -> 'kept', '{"acceptedPrompt": 0, "generationLink": 0, "acceptedPromptMetadata": 0, "acceptedPromptRedacted": 0}',
    'taken back as a whole');
SELECT is(pg_temp.digest(), :'before', 'and everything is as it was');
SELECT is((execreport.revert_backfill(:'run') -> 'unchanged')::text, 'true', 'once');
SELECT is(pg_temp.digest(), :'before', 'a second time changes nothing');

-- what somebody changes in between stays
SELECT execreport.backfill_accepted_prompts(true) ->> 'runId' AS run \gset
UPDATE execreport._scenarios SET accepted_prompt = 'mine' WHERE tenant_id = 625 AND name = 'Scenario 1';
UPDATE execreport._scenarios SET accepted_prompt_metadata = '{}', updated_at = '2026-02-01' WHERE tenant_id = 625 AND name = 'Scenario 2';
UPDATE execreport._scenario_generations AS g SET imported_at = clock_timestamp(), accepted_at = clock_timestamp() FROM made AS m WHERE g.id = m.g AND m.i = 4;
DELETE FROM execreport._scenarios WHERE tenant_id = 625 AND name = 'Scenario 6';
SELECT is(execreport.revert_backfill(:'run') -> 'kept', '{"acceptedPrompt": 2, "generationLink": 1, "acceptedPromptMetadata": 2, "acceptedPromptRedacted": 1}',
    'what was changed, imported or deleted since is kept');
SELECT results_eq($$ SELECT name, accepted_prompt, accepted_prompt_redacted, accepted_prompt_metadata FROM execreport._scenarios
    WHERE tenant_id = 625 AND name IN ('Scenario 1', 'Scenario 2', 'Scenario 4') ORDER BY name $$,
    $$ VALUES ('Scenario 1', 'mine', NULL::text, NULL::jsonb), ('Scenario 2', NULL, NULL, '{}'), ('Scenario 4', NULL, NULL, NULL) $$,
    'column by column');
SELECT is((SELECT count(*) FROM execreport._scenario_generations AS g JOIN made AS m ON m.g = g.id WHERE m.i = 4 AND g.scenario_id IS NOT NULL), 1::bigint,
    'an import since then keeps its link');
SELECT ok((SELECT updated_at > '2026-02-01' FROM execreport._scenarios WHERE tenant_id = 625 AND name = 'Scenario 2'), 'updated_at does not go back behind the change');

-- in steps
DELETE FROM execreport.prompt_backfills WHERE tenant_id = 625;
SELECT results_eq('SELECT filled, done FROM execreport.fill_accepted_prompts(3)', 'VALUES (3, false)', 'a step');
SELECT is((SELECT count(*) FROM execreport._scenarios WHERE tenant_id = 625 AND source_generation_id IS NOT NULL AND accepted_prompt_redacted IS NOT NULL), 4::bigint,
    'three are filled, and one was');
SELECT is((SELECT passed FROM execreport.pre_import_checks() WHERE name = 'no_open_backfill'), false, 'the run is open, say the checks before');
SELECT is((SELECT passed FROM execreport.post_import_checks() WHERE name = 'no_open_backfill'), false, 'and the checks after');
SELECT is((SELECT passed FROM execreport.post_import_checks() WHERE name = 'accepted_prompts_filled'), false, 'something is missing');
SELECT is((SELECT count(DISTINCT f.run_id) FROM execreport.prompt_backfills AS b, execreport.fill_accepted_prompts(3) AS f WHERE b.tenant_id = 625 AND f.run_id = b.run_id),
    1::bigint, 'the next step belongs to the same run');
SELECT execreport.backfill_accepted_prompts(true) AS report \gset
SELECT is(:'report'::jsonb #> '{filled,scenarios}', '8', 'the whole call finishes the open run');
SELECT is((SELECT count(*) FROM execreport.prompt_backfills WHERE tenant_id = 625), 1::bigint, 'one run');
SELECT is((:'report'::jsonb #> '{before,toFill,scenarios}'), '8', 'its before is that of the first step');
-- one that was cut off is taken back, too
SELECT execreport.revert_backfill((:'report'::jsonb ->> 'runId')::uuid) \g /dev/null
SELECT run_id AS run FROM execreport.fill_accepted_prompts(2) \gset
SELECT is(execreport.revert_backfill(:'run') #> '{reverted,acceptedPromptRedacted}', '2', 'an open run is taken back');
SELECT is_empty($$ SELECT FROM execreport.prompt_backfills WHERE tenant_id = 625 AND status = 'running' $$, 'and is open no more');

-- a run belongs to its tenant
SET LOCAL execreport.tenant_id = 626;
SELECT throws_ok(format('SELECT execreport.revert_backfill(%L)', :'run'), 'P0002', NULL, 'another tenant does not have the run');
SELECT is(execreport.backfill_accepted_prompts(true) #> '{before,scenarios}', '0', 'nor the scenarios');
SET LOCAL execreport.tenant_id = 625;
SELECT throws_ok('SELECT execreport.backfill_accepted_prompts(NULL)', '22004', NULL, 'apply or not');
SELECT throws_ok('SELECT execreport.fill_accepted_prompts(0)', '22023', NULL, 'a batch has at least one');
SELECT throws_ok('SELECT execreport.revert_backfill(NULL)', '22004', NULL, 'no run');
CREATE ROLE er_incubation_editor;
SELECT execreport.grant_access('er_incubation_editor', 625, 'editor') \g /dev/null
SET LOCAL ROLE er_incubation_editor;
SELECT throws_ok(format('SELECT execreport.%s', call), '42501', NULL, 'not for editors: ' || call)
  FROM unnest(ARRAY['backfill_accepted_prompts()', 'revert_backfill(''00000000-0000-0000-0000-000000000000'')', 'pre_import_checks()']) AS call;
RESET ROLE;
SELECT bag_eq($$ SELECT DISTINCT action FROM execreport.audit_logs WHERE tenant_id = 625 AND entity_type = 'prompt_backfill' $$,
    $$ VALUES ('backfill'), ('revert') $$, 'runs are audited');

-- the checks: each sees what it is for
SELECT execreport.backfill_accepted_prompts(true) \g /dev/null
UPDATE execreport._scenario_generations AS g SET accepted_at = NULL, scenario_id = NULL, imported_at = NULL FROM made AS m WHERE g.id = m.g AND m.i IN (4, 6);
DELETE FROM execreport._scenarios WHERE tenant_id = 625 AND name = 'Scenario 4';
SELECT is_empty('SELECT name, details FROM execreport.pre_import_checks() WHERE NOT passed', 'checks before: all is well');
SELECT is_empty('SELECT name, details FROM execreport.post_import_checks() WHERE NOT passed', 'checks after: all is well');
CREATE FUNCTION pg_temp.broken(break text, checks text DEFAULT 'post_import_checks') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    found text;
BEGIN
    EXECUTE break;
    EXECUTE format('SELECT string_agg(name, '','' ORDER BY name) FROM execreport.%I() WHERE NOT passed', checks) INTO found;
    RAISE EXCEPTION 'back' USING ERRCODE = 'ER000';
EXCEPTION WHEN SQLSTATE 'ER000' THEN
    RETURN found;
END $$;
SELECT results_eq($$ SELECT n, pg_temp.broken(break, checks) FROM (VALUES
    (1, 'SELECT execreport.update_flags(625, ''{"import_generation": true}'')', 'pre_import_checks'),
    (2, 'SELECT execreport.update_flags(625, ''{"validate_llm_response": false}'')', 'pre_import_checks'),
    (3, 'UPDATE execreport._scenarios SET source_generation_id = ''00000000-0000-0000-0000-000000000001'' WHERE tenant_id = 625 AND name = ''By hand''', 'pre_import_checks'),
    (4, 'UPDATE execreport._scenario_generations SET scenario_id = ''00000000-0000-0000-0000-000000000001'' WHERE tenant_id = 625 AND scenario_id IS NULL', 'pre_import_checks'))
    AS b (n, break, checks) ORDER BY n $$,
    $$ VALUES (1, 'import_generation_off'), (2, 'validate_llm_response_on'), (3, 'sources_exist'), (4, 'links_agree') $$,
    'checks before see what is wrong');
SELECT results_eq($$ SELECT n, pg_temp.broken(break) FROM (VALUES
    (1, 'UPDATE execreport._scenarios SET accepted_prompt_redacted = NULL WHERE tenant_id = 625 AND name = ''Scenario 1'''),
    (2, 'UPDATE execreport._scenario_generations SET accepted_at = NULL WHERE tenant_id = 625'),
    (3, 'UPDATE execreport._scenario_generations SET imported_at = now() WHERE tenant_id = 625'),
    (4, 'INSERT INTO execreport.import_audit (tenant_id, generation_id, import, result) SELECT 625, m.g, true, ''failed'' FROM made AS m'),
    (5, 'INSERT INTO execreport.scenario_capabilities (tenant_id, scenario_id, capability_id) SELECT 625, s.id, s.id FROM execreport._scenarios AS s WHERE s.tenant_id = 625'),
    (6, 'UPDATE execreport._scenarios SET status = ''incubating'' WHERE tenant_id = 625'),
    (7, 'INSERT INTO execreport._skills (tenant_id, name_key, name, status, discovered_in) SELECT 625, ''k'', ''K'', ''active'', s.id FROM execreport._scenarios AS s WHERE s.tenant_id = 625 AND s.name = ''Scenario 1'''),
    (8, 'UPDATE execreport.flags SET default_enabled = true WHERE key = ''import_generation'''),
    (9, 'INSERT INTO execreport._skills (tenant_id, name_key, name, status, discovered_in) SELECT 625, ''k'', ''K'', ''in_incubation'', s.id FROM execreport._scenarios AS s WHERE s.tenant_id = 625 AND s.name = ''Scenario 1''; UPDATE execreport._scenarios SET status = ''incubated'' WHERE tenant_id = 625 AND name = ''Scenario 1'''))
    AS b (n, break) ORDER BY n $$,
    $$ VALUES (1, 'accepted_prompts_filled'), (2, 'counts_agree'), (3, 'imports_audited'), (4, 'no_failed_import'), (5, 'links_whole'), (6, 'states_follow'),
              (7, 'promotions_audited'), (8, 'import_off_by_default'), (9, 'states_follow') $$,
    'checks after see what is wrong');

-- health: a standing failure is unhealthy, one among successes and a stuck generation are degraded
CREATE FUNCTION pg_temp.health() RETURNS text LANGUAGE sql AS $$
    SELECT status || coalesce(': ' || error, '') FROM execreport._health_scenario_import() $$;
DELETE FROM execreport.import_audit WHERE attempted_at > now() - interval '1 hour';
SELECT is(pg_temp.health(), 'healthy', 'nothing happened');
INSERT INTO execreport.import_audit (tenant_id, generation_id, import, result, errors) SELECT 625, g, true, 'failed', '[{"path": "$", "message": "no room"}]' FROM made WHERE i = 1;
SELECT is(pg_temp.health(), 'unhealthy: no room', 'all attempts failed');
INSERT INTO execreport.import_audit (tenant_id, generation_id, import, result) SELECT 625, g, true, 'success' FROM made WHERE i = 2;
SELECT is(pg_temp.health(), 'degraded: no room', 'some did');
UPDATE execreport.import_audit SET result = 'accepted', import = false WHERE tenant_id = 625 AND result = 'success' AND attempted_at > now() - interval '1 hour';
SELECT is(pg_temp.health(), 'degraded: no room', 'what was accepted without an import is a success, too');
UPDATE execreport.import_audit SET attempted_at = now() - interval '61 minutes' WHERE tenant_id = 625;
SELECT is(pg_temp.health(), 'healthy', 'an hour ago');
UPDATE execreport._scenario_generations AS g SET status = 'processing', started_at = now() - interval '61 minutes' FROM made AS m WHERE g.id = m.g AND m.i = 1;
SELECT is(pg_temp.health(), 'degraded', 'a generation is stuck');

SELECT * FROM finish();
ROLLBACK;
