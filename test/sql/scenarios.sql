\set SHOW_CONTEXT never
-- what generations refuse, and how they say so
SET execreport.user_id = 'ana';
SELECT count(execreport.create_tenant(604)) AS tenants;
SET execreport.tenant_id = 604;
SELECT execreport.request_generation('Plan') AS g \gset

SELECT execreport.request_generation(NULL);
SELECT execreport.request_generation(E' \n\t');
SELECT execreport.request_generation(repeat('p', 100001));
SELECT execreport.request_generation('p', '[]');
SELECT execreport.request_generation('p', 'null');
SELECT execreport.request_generation('p', jsonb_build_object('m', repeat('x', 70000)));
SELECT execreport.request_generation('p', NULL) IS NOT NULL AS metadata_may_be_null;

SELECT execreport.append_generation_chunk(NULL, 1, 'a');
SELECT execreport.append_generation_chunk('00000000-0000-7000-8000-000000000000', 1, 'a');
SELECT execreport.append_generation_chunk(:'g', NULL, 'a');
SELECT execreport.append_generation_chunk(:'g', 1, NULL);
SELECT execreport.append_generation_chunk(:'g', 0, 'a');
SELECT execreport.append_generation_chunk(:'g', 1000001, 'a');
SELECT execreport.append_generation_chunk(:'g', 1, repeat('a', 1048577));
SELECT execreport.generation_progress(:'g', -1);
SELECT execreport.generation_progress('00000000-0000-7000-8000-000000000000');
SELECT execreport.assemble_generation('00000000-0000-7000-8000-000000000000');
SELECT execreport.complete_generation(:'g', NULL);
SELECT execreport.complete_generation(NULL, '{}');
SELECT execreport.fail_generation(:'g', 'x', 'other');
SELECT execreport.fail_generation(:'g', 'x', NULL);
SELECT execreport.fail_generation(:'g', 'x', 'rate_limit_exceeded', '-1 s');
SELECT execreport.fail_generation(:'g', 'x', 'rate_limit_exceeded', '8 days');
SELECT execreport.validate_generation('00000000-0000-7000-8000-000000000000');
SELECT execreport.validate_generation(NULL);
SELECT execreport.accept_generation('00000000-0000-7000-8000-000000000000');
SELECT execreport.accept_generation(NULL, true);

-- a gap, without the id in it
SELECT execreport.append_generation_chunk(:'g', n, 'x') FROM generate_series(1, 60, 2) AS n;
DO $$
DECLARE message text; detail text;
BEGIN
    PERFORM execreport.assemble_generation(id) FROM execreport.scenario_generations WHERE status = 'processing';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
    RAISE INFO '% % | %', SQLSTATE, regexp_replace(message, '[0-9a-f-]{36}', 'ID'), detail;
END
$$;
SELECT execreport.fail_generation(:'g', 'no more'), execreport.fail_generation(:'g', 'no more');

-- several wrong things in one answer: all of them are named, in the order of the document and then of kinds
SELECT execreport.request_generation('Wrong') AS w \gset
SELECT execreport.complete_generation(:'w', '{"scenario_metadata": {"name": "", "horizon_months": 0}, "capabilities": [
    {"id": "A", "name": "a", "competencies": [{"id": "K", "name": "k", "skills": ["x", {"name": 5}, " "]}]},
    {"id": "A", "name": "b", "competencies": []}],
    "suggested_roles": [{"name": "r", "key_competencies": ["K", "L"], "talent_composition": {"human_percentage": 80, "synthetic_percentage": 30, "strategy_suggestion": "Synthetic"}}]}');
SELECT e ->> 'path' AS path, e ->> 'message' AS message
  FROM jsonb_array_elements(execreport.validate_generation(:'w') -> 'errors') WITH ORDINALITY AS t (e, n) ORDER BY n;
SET execreport.strict_validation = off;
SELECT count(*) AS less_strict FROM jsonb_array_elements(execreport.validate_generation(:'w') -> 'errors');
RESET execreport.strict_validation;

-- where the scenario stands in the answer
SELECT what, execreport._unwrap_scenario(answer) AS unwrapped
  FROM (VALUES (1, 'itself', '{"escenario": {"nombre": "n"}}'::jsonb),
               (2, 'an object in content', '{"content": {"scenarioMetadata": {"name": "n"}}, "provider": "acme"}'),
               (3, 'JSON in content', '{"content": " {\"capacidades\": []} "}'),
               (4, 'between fences', '{"content": "Here:\n```json\n{\"capabilities\": []}\n```\nOr rather:\n```json\n{\"capabilities\": [1]}\n```"}'),
               (5, 'with fences inside', '{"content": "```\n{\"capabilities\": [\"```\"]}\n```"}'),
               (6, 'between words', '"Sure: {\"capabilities\": []} - anything else?"'),
               (7, 'parts of a message', '{"role": "assistant", "content": [{"type": "text", "text": "{\"capabil"}, {"type": "image"}, {"type": "text", "text": "ities\": []}"}]}'),
               (8, 'text in text', to_jsonb(to_jsonb('{"capabilities": []}'::text)::text)),
               (9, 'content as a name of its own', '{"scenario_metadata": {"name": "n"}, "content": "x"}'),
               (10, 'kept as it is', '{"capabilities": [], "assumptions": [{"nombre": "n"}], "impact_analysis": {"nombre": "n"}}')) AS t (n, what, answer)
 ORDER BY n;

-- nothing is left behind
RESET execreport.tenant_id;
SELECT execreport.delete_tenant(604, 'test is over');
SELECT count(*) FROM execreport._scenario_generations WHERE tenant_id = 604;
DELETE FROM execreport.audit_logs WHERE tenant_id = 604;
