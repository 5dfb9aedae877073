-- Three sample answers from request to catalogue, and the rules on the way. The numbers are counted by hand in test/data.
\set transformation `cat test/data/scenario_transformation.json`
\set gestion `cat test/data/scenario_gestion.json`
\set wrapped `cat test/data/scenario_wrapped.json`
BEGIN;
SELECT plan(173);
SELECT count(execreport.create_tenant(t)) FROM unnest('{600,602}'::int[]) AS t \gset
CREATE ROLE er_sc_app; CREATE ROLE er_sc_editor; CREATE ROLE er_sc_viewer; CREATE ROLE er_sc_operator; CREATE ROLE er_sc_admin; CREATE ROLE er_sc_other;
SELECT count(execreport.grant_access(('er_sc_' || r.role)::name, r.tenant, r.persona)) FROM (VALUES ('app', 600, 'editor'), ('editor', 600, 'editor'),
    ('viewer', 600, 'viewer'), ('operator', 600, 'operator'), ('admin', 600, 'admin'), ('other', 602, 'admin')) AS r (role, tenant, persona) \gset
GRANT CREATE, USAGE ON SCHEMA public TO PUBLIC;
SET LOCAL execreport.tenant_id = 600;
SET LOCAL search_path = execreport, public;

CREATE FUNCTION pg_temp.level(created int, linked int, updated int, skipped int) RETURNS jsonb LANGUAGE sql AS
$$ SELECT jsonb_build_object('created', created, 'linked', linked, 'updated', updated, 'skipped', skipped) $$;

CREATE FUNCTION pg_temp.counted(result text) RETURNS double precision LANGUAGE sql AS
$$ SELECT execreport._metric_delta(600, 'scenario_imports_total', jsonb_build_object('result', result), now() - interval '1 hour', now() + interval '1 hour') $$;
CREATE TEMP TABLE counts AS SELECT r.result, r.n, pg_temp.counted(r.result) AS before
  FROM (VALUES ('success', 4::double precision), ('failed', 2), ('validation_failed', 2), ('validation_error', 1), ('skipped_feature_flag', 1)) AS r (result, n);

-- names ---------------------------------------------------------------------------------------------------------------
SELECT is(_name_key(a), _name_key(b), 'the same: ' || why)
  FROM (VALUES ('Gestión', U&'GESTIO\0301N', 'composed and decomposed, small and capital'), ('straße', 'STRASSE', 'full case folding'),
               ('  Data   Engineering ', U&'data\00A0engineering', 'spaces of all kinds'), (E'a\t\n b', 'A B', 'control characters'),
               (U&'da\00ADta', 'data', 'a soft hyphen'), (U&'\03A3\03AF\03C3\03C5\03C6\03BF\03C2', U&'\03C3\03AF\03C3\03C5\03C6\03BF\03C3', 'final sigma')) AS t (a, b, why);
SELECT isnt(_name_key(a), _name_key(b), format('not the same: %s and %s', a, b))
  FROM (VALUES ('C', 'C++'), ('C', 'C#'), ('C++', 'C#'), ('Gestión', 'Gestion'), ('0', 'O'), ('data engineering', 'data-engineering')) AS t (a, b);
SELECT is(_name_key('0'), '0', 'a name may be 0');
-- Unicode 14.0, behind the control characters: White_Space, and of the format characters those that nobody sees
SELECT is((SELECT string_agg(to_hex(c), ' ' ORDER BY c) FROM generate_series(160, 65279) AS c
            WHERE c NOT BETWEEN 55296 AND 57343 AND _name_key('a' || chr(c) || 'b') = 'a b'),
          'a0 1680 2000 2001 2002 2003 2004 2005 2006 2007 2008 2009 200a 2028 2029 202f 205f 3000', 'spaces');
SELECT is((SELECT string_agg(to_hex(c), ' ' ORDER BY c) FROM generate_series(128, 65279) AS c
            WHERE c NOT BETWEEN 55296 AND 57343 AND _name_key('a' || chr(c) || 'b') = 'ab'),
          'ad 200b 200c 200d 200e 200f 202a 202b 202c 202d 202e 2060 2061 2062 2063 2064 2066 2067 2068 2069 206a 206b 206c 206d 206e 206f feff', 'what nobody sees');
SELECT ok(_name_key(t) IS NULL, 'no name: ' || left(quote_literal(t), 20)) FROM unnest(ARRAY['', '   ', U&'\200B\FEFF', repeat('n', 256)]) AS t;
SELECT is(_name_text(U&'  Gestio\0301n   de datos '), 'Gestión de datos', 'a stored name keeps its capitals');
SELECT is(_name_text(U&'a\200D\0301'), U&'\00E1', 'what nobody sees does not keep a letter and its mark apart');
SELECT is(_name_key(_name_text(t)), _name_key(t), 'the key of the stored name') FROM unnest(ARRAY[U&'\0345\200B\093Ci', U&'\03B9\200D\0345\200D\093CA']) AS t;
SELECT is(length(_name_key(repeat('ß', 255))), 510, 'the longest name');

-- redaction -----------------------------------------------------------------------------------------------------------
SELECT is(regexp_replace(_redact(t.clear), '-[0-9a-f]{6}\]', ']'), t.redacted, 'redact: ' || t.clear)
  FROM (VALUES ('Ask ana.maria+x@mail.example.co.uk.', 'Ask [email].'), ('call +34 612 345 678 now', 'call [phone] now'), ('(212) 555-0123', '[phone]'),
               ('tel. 612345678', 'tel. [phone]'), ('card 4111 1111 1111 1111', 'card [card]'), ('5555555555554444', '[card]'), ('4111 1111 1111 1112', '[card]'), ('no card: 4111111111111112', 'no card: 4111111111111112'),
               ('ssn 078-05-1120', 'ssn [ssn]'), ('Authorization: Bearer abcDEF123456789', 'Authorization: Bearer [key]'), ('send Bearer abc.DEF-123456', 'send Bearer [token]'),
               ('bearer of bad news', 'bearer of bad news'), ('api_key=Zx81abQ9', 'api_key=[key]'), ('password: "hunter22"', 'password: "[key]"'), ('API key: q1w2e3r4', 'API key: [key]'),
               ('Authorization: Basic dXNlcjpwYXNzd29yZA==', 'Authorization: Basic [key]'), ('DB_PASSWORD=hunter22', 'DB_PASSWORD=[key]'), ('dbPassword: "hunter22"', 'dbPassword: "[key]"'),
               ('AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY', 'AWS_SECRET_ACCESS_KEY=[key]'), ('x-api-key: abc123def', 'x-api-key: [key]'),
               ('passwords: two of them', 'passwords: two of them'), ('secret_sauce: tomatoes', 'secret_sauce: tomatoes'),
               ('sk-abcdefghijklmnopqrst', '[key]'), ('key AKIAIOSFODNN7EXAMPLE', 'key [key]'), ('eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-def', '[token]'),
               ('0123456789abcdef0123456789abcdef', '[token]'), ('on 2026-02-07 at 12:00', 'on 2026-02-07 at 12:00'), ('plans 2024 2025 2026', 'plans 2024 2025 2026'),
               ('id 0190a6c2-7b1e-7c3d-9e4f-0123456789ab', 'id 0190a6c2-7b1e-7c3d-9e4f-0123456789ab'), ('competency-data-engineering-01', 'competency-data-engineering-01'),
               ('Tel:\n555-123-4567', 'Tel:\n[phone]'), ('{\"password\": \"hunter22\", \"n\": 1}', '{\"password\": \"[key]\", \"n\": 1}'),
               ('the secret of success is: work', 'the secret of success is: work'), ('12 % of 3,000 people', '12 % of 3,000 people'), ('Facilitación', 'Facilitación')) AS t (clear, redacted);
SELECT is(_redact_document('{"a": ["x@y.zz", 612345678, {"password": "hunter22", "n": null}], "tokens": 5}'),
          '{"a": ["[email]", 612345678, {"password": "[key]", "n": null}], "tokens": 5}', 'in documents strings alone change');
SELECT is(_redact('id 0123456789abcdef0123456789abcdef.'), 'id ' || _redact('0123456789abcdef0123456789abcdef') || '.', 'the same word has the same mark');
SELECT is(_redact(t.clear), t.redacted, 'how long a token is: ' || t.clear)
  FROM (VALUES ('Bearer abcdef12', 'Bearer [token]'), ('Bearer abcde12', 'Bearer abcde12'), ('Bearer abcdefghijklmnopqrst', 'Bearer [token]'),
               ('Bearer abcdefghijklmnopqrs', 'Bearer abcdefghijklmnopqrs')) AS t (clear, redacted);
SET LOCAL statement_timeout = '1s';
SELECT is(length(_redact(repeat('token=[', 150000))), 1050000, 'values that are none take no time');
SET LOCAL statement_timeout = 0;
SELECT isnt(_redact('0123456789abcdef0123456789abcdef'), _redact('0123456789abcdef0123456789abcdee'), 'another word has another');
SELECT is(_redact_document('[{"id": "0123456789abcdef0123456789abcdef", "key_competencies": ["0123456789abcdef0123456789abcde0"], "x": ["x@y.zz"]}, "x@y.zz"]'),
          '[{"id": "0123456789abcdef0123456789abcdef", "key_competencies": ["0123456789abcdef0123456789abcde0"], "x": ["[email]"]}, "[email]"]', 'ids stay');
SELECT is(_redact_document('{"dbPassword": "hunter22", "refresh_token": "hunter22", "tokens_used": "hunter22"}'),
          '{"dbPassword": "[key]", "refresh_token": "[key]", "tokens_used": "hunter22"}', 'names that end with that of a secret');
SELECT is(_redact_document(jsonb_build_object(repeat('_', 1000000), 'hunter22')) = jsonb_build_object(repeat('_', 1000000), 'hunter22'), true, 'long names take no time');
SELECT is(_redact_document('"x@y.zz"'), '"[email]"', 'a document that is a string');
CREATE TEMP TABLE growing (clear text);
INSERT INTO growing VALUES ('Ask ana.lopez@acme.com, or +34 612 345 678; 4111 1111 1111 1111, {"password": "hunter22xyz", "a": "Bearer abc.DEF-123456"}, 0123456789abcdef0123456789abcdef, sk-abcdefghijklmnopqrst, 078-05-1120.'),
    ('{"content": "{\"mail\": \"ana@acme.com\", \"password\": \"hunter22\", \"tel\": \"Call:\n555-123-4567\"}"}');
SELECT is_empty($$ SELECT left(g.clear, n) FROM growing AS g, generate_series(0, length(g.clear)) AS n
                    WHERE NOT starts_with(execreport._redact(g.clear), execreport._redact(left(g.clear, n), true)) $$, 'of a text that grows nothing is shown that is taken out later');
SELECT is(_redact(E'a, b\nc; d@e', true), E'a, b\nc;', 'up to the last separator');

-- the life of a generation --------------------------------------------------------------------------------------------
SET LOCAL execreport.user_id = 'ana';
SELECT request_generation('Ask ana@example.com about the data platform', '{"model": "m-1", "provider": "acme", "contact": "x@y.zz", "importAudit": "forged"}') AS g1 \gset
SELECT results_eq($$ SELECT status, prompt, redacted_prompt, model, created_by, metadata - 'importAudit', metadata -> 'importAudit' FROM scenario_generations $$,
    $$ VALUES ('queued', 'Ask ana@example.com about the data platform', 'Ask [email] about the data platform', 'm-1', 'ana', '{"model": "m-1", "provider": "acme", "contact": "[email]"}'::jsonb, '[]'::jsonb) $$,
    'a generation is queued');
SELECT is(accept_generation(:'g1') - 'errors', '{"accepted": false, "code": "not_complete"}', 'what is not complete is not accepted');
SELECT is(validate_generation(:'g1') #>> '{errors,0,path}', 'status', 'nor valid');
SELECT append_generation_chunk(:'g1', 3, 'c');
SELECT append_generation_chunk(:'g1', 1, 'a');
SELECT append_generation_chunk(:'g1', 1, 'a');
SELECT is(status, 'processing', 'the first chunk makes it processing') FROM scenario_generations WHERE id = :'g1';
SELECT throws_ok(format($$ SELECT execreport.append_generation_chunk(%L, 1, 'b') $$, :'g1'), '23505', NULL, 'a chunk never changes');
SELECT throws_ok(format($$ SELECT execreport.assemble_generation(%L) $$, :'g1'), '22000', format('chunk 2 of generation %s is missing', :'g1'), 'a gap is found');
SELECT is(generation_progress(:'g1', 1, true) #- '{progress,firstChunkAt}' #- '{progress,lastChunkAt}', jsonb_build_object('generationId', :'g1', 'status', 'processing', 'attempts', 0,
    'retryAt', NULL, 'error', NULL, 'progress', '{"receivedChunks": 2, "receivedBytes": 2}'::jsonb, 'chunks', '[{"sequence": 3, "chunk": "c"}]'::jsonb, 'text', 'a'), 'progress, up to the gap');
SELECT append_generation_chunk(:'g1', 2, 'b');
-- FIPS 180-2, appendix B.1
SELECT is(assemble_generation(:'g1') - 'generationId', '{"status": "processing", "chunks": 3, "bytes": 3, "compacted": false, "content": "abc",
    "checksum": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}', 'put together in order, with its checksum');
SELECT is(fail_generation(:'g1', 'HTTP 429 for x@y.zz', 'rate_limit_exceeded', '30 s'), 'queued', 'after a rate limit it is queued again');
SELECT results_eq(format($$ SELECT attempts, retry_at - clock_timestamp() BETWEEN '10 s' AND '30 s', error FROM execreport.scenario_generations WHERE id = %L $$, :'g1'),
    $$ VALUES (1, true, '{"code": "rate_limit_exceeded", "message": "HTTP 429 for [email]"}'::jsonb) $$, 'later, and says why');
SELECT is_empty($$ SELECT FROM generation_chunks $$, 'a new attempt begins without chunks');
SELECT results_eq(format($$ SELECT execreport.fail_generation(%L, 'again', 'rate_limit_exceeded') FROM generate_series(1, 4) $$, :'g1'), $$ VALUES ('queued'), ('queued'), ('queued'), ('failed') $$,
    'five attempts there are');
SELECT throws_ok(format($$ SELECT execreport.complete_generation(%L, '{}') $$, :'g1'), '55000', NULL, 'a failed one is over');
SELECT retry_generation(:'g1'), retry_generation(:'g1');
SELECT is(status || attempts, 'queued0', 'but can be queued by hand') FROM scenario_generations WHERE id = :'g1';
SELECT append_generation_chunk(:'g1', n, substr(:'transformation', (n - 1) * 1000 + 1, 1000)) FROM generate_series(1, 1 + length(:'transformation') / 1000) AS n;
SELECT complete_generation(:'g1', NULL);
SELECT complete_generation(:'g1', NULL), complete_generation(:'g1', :'transformation');
SELECT results_eq(format($$ SELECT status, response, confidence, error, checksum FROM execreport.scenario_generations WHERE id = %L $$, :'g1'),
    format($$ VALUES ('complete', %L::jsonb, 0.82, NULL::jsonb, encode(sha256(convert_to(%L, 'UTF8')), 'hex')) $$, :'transformation', :'transformation'), 'complete with what the chunks make');
SELECT throws_ok(format($$ SELECT execreport.complete_generation(%L, '{}') $$, :'g1'), '55000', NULL, 'and with nothing else');

-- accepted three times: the flag is off, the answer is not valid, all is well -------------------------------------------
SELECT is(accept_generation(:'g1', true), '{"accepted": false, "code": "skipped_feature_flag", "errors": [{"path": "flags.import_generation", "message": "the flag is off"}]}', 'the flag is off');
SELECT count(*) FROM update_flags(600, '{"import_generation": true}') \gset
SET LOCAL execreport.max_capabilities = 1;
SELECT is(accept_generation(:'g1', true) #- '{errors,0,message}', '{"accepted": false, "code": "validation_failed", "errors": [{"path": "capabilities"}]}', 'the answer is not valid');
RESET execreport.max_capabilities;
-- and an import that fails half way
CREATE FUNCTION pg_temp.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no more skills' USING ERRCODE = '54000'; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON _skills FOR EACH ROW WHEN (new.name_key = 'sql') EXECUTE FUNCTION pg_temp.refuse();
SELECT is(accept_generation(:'g1', true), '{"accepted": false, "code": "failed", "errors": [{"path": "$", "message": "no more skills", "sqlstate": "54000"}]}', 'the import fails half way');
DROP TRIGGER refuse ON _skills;
SELECT is((SELECT (SELECT count(*) FROM scenarios) + (SELECT count(*) FROM capabilities) + (SELECT count(*) FROM competencies) + (SELECT count(*) FROM skills) + (SELECT count(*) FROM roles)
    + (SELECT count(*) FROM scenario_capabilities WHERE tenant_id = 600) + (SELECT count(*) FROM role_competencies WHERE tenant_id = 600)), 0::bigint, 'it leaves nothing');
SELECT is((SELECT array_agg(accepted_at) FROM scenario_generations), '{NULL}', 'it is not accepted');
SELECT accept_generation(:'g1', true) AS a1 \gset
SELECT is(:'a1'::jsonb - 'scenarioId' #- '{report,keyCompetencies}', jsonb_build_object('accepted', true, 'imported', true, 'report', jsonb_build_object(
    'capabilities', pg_temp.level(2, 0, 0, 0), 'competencies', pg_temp.level(3, 0, 0, 0), 'skills', pg_temp.level(6, 1, 0, 0), 'roles', pg_temp.level(2, 0, 0, 0))), 'all is well');
SELECT is(:'a1'::jsonb #> '{report,keyCompetencies}', '{"linked": 3, "skipped": 0, "unresolved": []}', 'key competencies are found by id and by name');
SELECT :'a1'::jsonb ->> 'scenarioId' AS s1 \gset
SELECT results_eq(format($$ SELECT import, result, attempted_by, scenario_id FROM execreport.import_audit WHERE generation_id = %L ORDER BY attempted_at $$, :'g1'),
    format($$ VALUES (false, 'not_complete', 'ana', NULL::uuid), (true, 'skipped_feature_flag', 'ana', NULL), (true, 'validation_failed', 'ana', NULL), (true, 'failed', 'ana', NULL), (true, 'success', 'ana', %L) $$, :'s1'),
    'each attempt is in the audit');
SELECT is(jsonb_path_query_array(metadata, '$.importAudit[*].result'), '["not_complete", "skipped_feature_flag", "validation_failed", "failed", "success"]', 'and in the metadata') FROM scenario_generations;
SELECT is((metadata #> '{importAudit,4,report}'), :'a1'::jsonb -> 'report', 'with the report') FROM scenario_generations;
SELECT results_eq($$ SELECT name, description, status, scenario_type, horizon_months, fiscal_year, start_date, end_date, confidence, impact_analysis, assumptions, accepted_prompt, accepted_prompt_redacted, accepted_prompt_metadata ->> 'model' FROM scenarios $$,
    $$ VALUES ('Data platform 2027', 'From nightly batches to a platform that product teams use themselves.', 'incubating', 'transformation', 18, extract(year FROM current_date)::int, current_date,
       (current_date + interval '18 months')::date, 0.82, '[{"area": "Finance", "nombre": "stays as it is"}]'::jsonb, '["No hiring freeze"]'::jsonb, 'Ask ana@example.com about the data platform', 'Ask [email] about the data platform', 'm-1') $$, 'the scenario');
SELECT is_empty($$ SELECT name FROM capabilities WHERE status <> 'in_incubation' OR discovered_in_scenario_id <> scenario_id UNION ALL SELECT name FROM competencies WHERE status <> 'in_incubation'
    UNION ALL SELECT name FROM skills WHERE status <> 'in_incubation' UNION ALL SELECT name FROM roles WHERE status <> 'in_incubation' $$, 'all of it is in incubation');
SELECT results_eq($$ SELECT name, external_id, required_level FROM competencies ORDER BY external_id $$, $$ VALUES ('Pipeline design', 'CAP-01-C1', 4), ('Data modelling', 'CAP-01-C2', 3), ('Data quality', 'CAP-02-C1', 3) $$, 'ids and levels');
SELECT results_eq($$ SELECT name, estimated_fte, human_percentage, synthetic_percentage, strategy, archetype FROM roles ORDER BY name $$,
    $$ VALUES ('Platform engineer', 3.5, 75::numeric, 25::numeric, 'Build', 'E'), ('Quality agent', 1, 0, 100, 'Synthetic', 'O') $$, 'roles');
SELECT results_eq($$ SELECT r.name, c.name FROM role_competencies l JOIN roles r ON r.id = l.role_id JOIN competencies c ON c.id = l.competency_id ORDER BY 1, 2 $$,
    $$ VALUES ('Platform engineer', 'Data modelling'), ('Platform engineer', 'Pipeline design'), ('Quality agent', 'Data quality') $$, 'and their competencies');

-- the runbook's queries, as they stand there
SELECT results_eq('SELECT id, source_generation_id, accepted_prompt IS NOT NULL AS has_prompt
FROM scenarios
WHERE source_generation_id IS NOT NULL
LIMIT 10;', format('VALUES (%L::uuid, %L::uuid, true)', :'s1', :'g1'), 'runbook: prompts');
SELECT is((SELECT COUNT(*) FROM scenario_generations WHERE accepted_at IS NOT NULL), (SELECT COUNT(*) FROM scenarios WHERE source_generation_id IS NOT NULL), 'runbook: counts');
SELECT is((SELECT count(*) FROM (SELECT * FROM capabilities WHERE scenario_id = :'s1' LIMIT 20) t), 2::bigint, 'runbook: capabilities');
SELECT is((SELECT count(*) FROM (SELECT * FROM competencies WHERE capability_id IN (SELECT id FROM capabilities WHERE scenario_id = :'s1')) t), 3::bigint, 'runbook: competencies');
SELECT is((SELECT count(*) FROM (SELECT * FROM skills WHERE competency_id IN (SELECT id FROM competencies WHERE capability_id IN (SELECT id FROM capabilities WHERE scenario_id = :'s1'))) t), 7::bigint, 'runbook: skills');

-- once more changes nothing
CREATE FUNCTION pg_temp.state() RETURNS text LANGUAGE plpgsql AS $$
DECLARE t text; part text; whole text := '';
BEGIN
    FOR t IN SELECT c.oid::regclass FROM pg_class c, pg_extension e WHERE e.extname = 'execreport' AND c.oid = ANY (e.extconfig) AND c.relkind = 'r' ORDER BY 1 LOOP
        EXECUTE format('SELECT coalesce(md5(string_agg(x::text, chr(10) ORDER BY x::text)), '''') FROM %s x', t) INTO part;
        whole := whole || t || ' ' || part || E'\n';
    END LOOP;
    RETURN whole;
END $$;
SELECT pg_temp.state() AS before \gset
SELECT is(accept_generation(:'g1', true), :'a1'::jsonb, 'accepting once more gives the same answer');
SELECT is(accept_generation(:'g1'), :'a1'::jsonb, 'without import, too');
SELECT is(pg_temp.state(), :'before', 'and no row of any table has changed');

-- the second sample: Spanish, and it meets what is there ----------------------------------------------------------------
UPDATE _capabilities SET status = 'active' WHERE tenant_id = 600 AND name_key = 'data engineering';
UPDATE _skills SET status = 'inactive' WHERE tenant_id = 600 AND name_key = 'sql';
SELECT to_jsonb(c)::text AS active FROM _capabilities AS c WHERE c.name_key = 'data engineering' \gset
SELECT request_generation('Gestión del cambio') AS g2 \gset
SELECT complete_generation(:'g2', :'gestion');
SELECT is(validate_generation(:'g2'), '{"valid": true, "errors": []}', 'Spanish keys are read');
SELECT is(accept_generation(:'g2') - 'scenarioId', '{"accepted": true, "imported": false, "report": null}', 'accepted without import');
SELECT results_eq($$ SELECT status FROM scenarios WHERE name = 'Gestión del cambio 2027' $$, $$ VALUES ('draft') $$, 'the scenario is a draft');
CREATE TRIGGER refuse BEFORE INSERT ON competency_skills FOR EACH STATEMENT EXECUTE FUNCTION pg_temp.refuse();
SELECT is(accept_generation(:'g2', true) ->> 'code', 'failed', 'its import fails later');
DROP TRIGGER refuse ON competency_skills;
SELECT results_eq(format($$ SELECT s.status, g.imported_at, a.scenario_id = s.id, (SELECT count(*) FROM execreport.capabilities AS c WHERE c.scenario_id = s.id) FROM execreport.scenarios AS s
    JOIN execreport.scenario_generations AS g ON g.scenario_id = s.id JOIN execreport.import_audit AS a ON a.generation_id = g.id AND a.result = 'failed' WHERE g.id = %L $$, :'g2'),
    $$ VALUES ('draft', NULL::timestamptz, true, 0::bigint) $$, 'the scenario is the draft that it was');
SELECT accept_generation(:'g2', true) AS a2 \gset
SELECT :'a2'::jsonb ->> 'scenarioId' AS s2 \gset
SELECT is(:'a2'::jsonb -> 'report', jsonb_build_object('capabilities', pg_temp.level(1, 1, 0, 0), 'competencies', pg_temp.level(3, 0, 0, 0), 'skills', pg_temp.level(4, 1, 1, 0),
    'roles', pg_temp.level(1, 0, 0, 0), 'keyCompetencies', '{"linked": 2, "skipped": 0, "unresolved": []}'::jsonb), 'imported later: created, linked and brought back');
SELECT is((SELECT count(*) FROM scenarios WHERE source_generation_id = :'g2'), 1::bigint, 'there still is one scenario');
SELECT results_eq(format($$ SELECT status, description, scenario_type, horizon_months FROM execreport.scenarios WHERE id = %L $$, :'s2'),
    $$ VALUES ('incubating', 'Acompañar a 300 personas en el paso a la nube.', 'crecimiento', 24) $$, 'it is incubating');
SELECT is((SELECT to_jsonb(c)::text FROM _capabilities AS c WHERE c.name_key = 'data engineering'), :'active', 'an active capability is linked and stays what it is');
SELECT results_eq(format($$ SELECT status, discovered_in_scenario_id FROM execreport.skills WHERE name = 'SQL' AND scenario_id = %L $$, :'s2'), format($$ VALUES ('in_incubation', %L::uuid) $$, :'s2'), 'a rejected skill is proposed again');
SELECT results_eq($$ SELECT count(DISTINCT id), count(DISTINCT scenario_id) FROM capabilities WHERE external_id = 'CAP-01' $$, $$ VALUES (2::bigint, 2::bigint) $$, 'CAP-01 means another capability in each generation');

-- the third: wrapped in words, its accent decomposed --------------------------------------------------------------------
SELECT request_generation('Support') AS g3 \gset
SELECT complete_generation(:'g3', :'wrapped');
SELECT is(model, 'acme-large-2', 'the model is taken from the answer') FROM scenario_generations WHERE id = :'g3';
UPDATE contracts SET name = 'gone' WHERE name = 'generated-scenario';
SELECT is(accept_generation(:'g3', true) - 'errors', '{"accepted": false, "code": "validation_error"}', 'when the validator itself fails nothing is taken');
UPDATE contracts SET name = 'generated-scenario' WHERE name = 'gone';
SELECT accept_generation(:'g3', true) AS a3 \gset
SELECT is(:'a3'::jsonb -> 'report', jsonb_build_object('capabilities', pg_temp.level(1, 0, 0, 0), 'competencies', pg_temp.level(1, 0, 0, 0), 'skills', pg_temp.level(2, 1, 0, 0),
    'roles', pg_temp.level(1, 0, 0, 0), 'keyCompetencies', '{"linked": 1, "skipped": 0, "unresolved": []}'::jsonb), 'the third sample');
SELECT is((SELECT end_date FROM scenarios WHERE source_generation_id = :'g3'), (current_date + interval '6 months')::date, 'planning_horizon_months is the horizon');
SELECT is((SELECT count(*) FROM _skills WHERE tenant_id = 600), 12::bigint, 'every skill is in the catalogue once');
SELECT results_eq($$ SELECT COUNT(*) FROM scenario_generations WHERE accepted_at IS NOT NULL $$, $$ SELECT COUNT(*) FROM scenarios WHERE source_generation_id IS NOT NULL $$, 'three samples, three scenarios');

-- without validation whatever has a use is taken
SELECT count(*) FROM update_flags(600, '{"validate_llm_response": false}') \gset
SELECT request_generation('Anything') AS g4 \gset
SELECT complete_generation(:'g4', '{"capabilities": [{"name": "Loose", "required_level": 99, "competencies": [{"name": " "}, 5, {"name": "Kept", "required_level": "x", "skills": [{}, null, "Odd", "odd", {"name": "even"}]}]}],
    "suggested_roles": [{"name": "Odd role", "key_competencies": ["kept", "nobody"], "talent_composition": {"human_percentage": 900, "strategy_suggestion": "Rent"}}]}');
SELECT accept_generation(:'g4', true) AS a4 \gset
SELECT is(:'a4'::jsonb -> 'report', jsonb_build_object('capabilities', pg_temp.level(1, 0, 0, 0), 'competencies', pg_temp.level(1, 0, 0, 2), 'skills', pg_temp.level(2, 0, 0, 3),
    'roles', pg_temp.level(1, 0, 0, 0), 'keyCompetencies', '{"linked": 1, "skipped": 1, "unresolved": ["nobody"]}'::jsonb), 'unjudged: what has no name is skipped');
SELECT results_eq($$ SELECT s.name = 'Generated Scenario ' || s.source_generation_id, c.required_level, r.human_percentage, r.strategy FROM scenarios s JOIN capabilities c ON c.scenario_id = s.id JOIN roles r ON r.scenario_id = s.id WHERE c.name = 'Loose' $$,
    $$ VALUES (true, 5, NULL::numeric, NULL::text) $$, 'names have a default, levels are clamped, the rest is unknown');
SELECT request_generation('Words') AS g5 \gset
SELECT complete_generation(:'g5', '"Sorry."');
SELECT is(accept_generation(:'g5', true) ->> 'code', 'validation_failed', 'words cannot be imported');
SELECT count(*) FROM update_flags(600, '{"validate_llm_response": null}') \gset

-- compaction ------------------------------------------------------------------------------------------------------------
SELECT is(_compact_generations(now() + interval '29 days'), 0, 'chunks are kept for 30 days');
SELECT is(_compact_generations(now() + interval '31 days', true), 1, 'a dry run says how many');
SELECT is((SELECT count(*) > 1 FROM generation_chunks WHERE generation_id = :'g1'), true, 'and does nothing');
UPDATE _generation_chunks SET chunk = 'x' || substr(chunk, 2) WHERE generation_id = :'g1' AND sequence = 2;
SET LOCAL client_min_messages = error;
SELECT is(_compact_generations(now() + interval '31 days'), 0, 'what is not what came is left alone');
RESET client_min_messages;
UPDATE _generation_chunks SET chunk = substr(:'transformation', 1001, 1000) WHERE generation_id = :'g1' AND sequence = 2;
SELECT is(_compact_generations(now() + interval '31 days'), 1, 'chunks become one text');
SELECT is(_compact_generations(now() + interval '31 days'), 0, 'once');
SELECT is_empty(format($$ SELECT FROM execreport.generation_chunks WHERE generation_id = %L $$, :'g1'), 'and are gone');
-- as a session does that has asked for nothing yet
DISCARD PLANS;
SELECT is((assemble_generation(:'g1') ->> 'content')::text, :'transformation', 'the text is there');
SELECT is(generation_progress(:'g1', 5, true) ->> 'text', :'transformation', 'also as progress');
SELECT is((assemble_generation(:'g1') ->> 'compacted')::boolean, true, 'compacted');
SET LOCAL ROLE er_sc_viewer;
SELECT is(generation_progress(:'g1', 5, true) ->> 'text', assemble_generation(:'g1') ->> 'content', 'for others, too');
RESET ROLE;

-- who may do and see what -----------------------------------------------------------------------------------------------
SET LOCAL ROLE er_sc_app;
SELECT request_generation('Secret of ana') AS g6 \gset
SELECT complete_generation(:'g6', '{"scenario_metadata": {"name": "Mine"}, "capabilities": []}');
SELECT append_generation_chunk(request_generation('in pieces'), 1, 'piece of ana');
SELECT is((SELECT prompt FROM scenario_generations WHERE id = :'g6'), 'Secret of ana', 'the creator reads the prompt');
SET LOCAL execreport.user_id = 'ben';
SELECT is((SELECT prompt FROM scenario_generations WHERE id = :'g6'), NULL, 'another user of the same application does not');
SELECT throws_ok(format('SELECT execreport.accept_generation(%L)', :'g6'), '42501', NULL, 'and may not accept it');
SET LOCAL ROLE er_sc_editor;
SET LOCAL execreport.user_id = 'ana';
SELECT is((SELECT prompt FROM scenario_generations WHERE id = :'g6'), NULL, 'whoever calls himself ana but comes with another role is not ana');
SELECT throws_ok(format('SELECT execreport.accept_generation(%L)', :'g6'), '42501', NULL, 'and may not accept it');
SELECT throws_ok(format('SELECT execreport.complete_generation(%L, ''{}'')', :'g6'), '42501', NULL, 'nor complete it');
SELECT is((SELECT redacted_prompt FROM scenario_generations WHERE id = :'g6'), 'Secret of ana', 'the redacted prompt is for all members');
SELECT is((SELECT array_agg(chunk) FROM generation_chunks), '{NULL}', 'chunks are not');
SELECT throws_ok('SELECT prompt FROM execreport._scenario_generations', '42501', NULL, 'the table itself is closed');
RESET ROLE;
SELECT request_generation('Whom to ask?') AS g8 \gset
SELECT append_generation_chunk(:'g8', 1, 'Ask ben@acme.com, ');
SELECT append_generation_chunk(:'g8', 2, 'or ana.lopez@acme');
SET LOCAL ROLE er_sc_viewer;
SELECT is(generation_progress(:'g8', 0, true) ->> 'text', 'Ask [email],', 'of an answer that still comes no member sees half an address');
SELECT is(assemble_generation(:'g8') ->> 'content', 'Ask [email],', 'nor here');
RESET ROLE;
SELECT append_generation_chunk(:'g8', 4, '.');
SELECT append_generation_chunk(:'g8', 3, '.com');
SELECT complete_generation(:'g8', NULL);
SET LOCAL ROLE er_sc_viewer;
SELECT is(generation_progress(:'g8', 0, true) ->> 'text', 'Ask [email], or [email].', 'when it is complete, all of it is shown');
SELECT is(assemble_generation(:'g8') ->> 'content', 'Ask [email], or [email].', 'also here');
RESET ROLE;
SELECT request_generation('Whom to ask now?') AS g9 \gset
SELECT append_generation_chunk(:'g9', 1, 'Fine, ask ana.lopez@acme');
SELECT append_generation_chunk(:'g9', 3, '.com');
SELECT complete_generation(:'g9', '{"content": "Ask ana.lopez@acme.com"}');
SET LOCAL ROLE er_sc_viewer;
SELECT is(generation_progress(:'g9', 0, true) ->> 'text', 'Fine,', 'up to a gap, it is as if more were to come');
RESET ROLE;
SELECT request_generation('It fails') AS g10 \gset
SELECT fail_generation(:'g10', repeat('x ', 4990) || 'Ask ana.maria.lopez@acme.com');
SELECT ok((SELECT error ->> 'message' FROM scenario_generations WHERE id = :'g10') LIKE '%x Ask [email]', 'a long message is redacted before it is cut');
SET LOCAL ROLE er_sc_viewer;
SELECT throws_ok(format('SELECT execreport.accept_generation(%L)', :'g6'), '42501', NULL, 'viewers accept nothing');
SELECT throws_ok('SELECT execreport.request_generation(''x'')', '42501', NULL, 'nor request');
SELECT is(validate_generation(:'g6') -> 'valid', 'true', 'but may validate');
SET LOCAL ROLE er_sc_other;
SET LOCAL execreport.tenant_id = 602;
SELECT is_empty('SELECT FROM execreport.scenario_generations', 'another tenant sees nothing');
SELECT throws_ok(format('SELECT execreport.accept_generation(%L)', :'g6'), 'P0002', NULL, 'and finds nothing');
SET LOCAL execreport.tenant_id = 600;
SET LOCAL ROLE er_sc_operator;
SELECT is((accept_generation(:'g6') ->> 'accepted')::boolean, true, 'an operator accepts for others');
SELECT is((SELECT accepted_prompt IS NULL AND accepted_prompt_metadata IS NULL AND accepted_prompt_redacted IS NOT NULL FROM scenarios WHERE source_generation_id = :'g6'), true, 'without reading the prompt');
SET LOCAL ROLE er_sc_admin;
SELECT is((SELECT accepted_prompt FROM scenarios WHERE source_generation_id = :'g6'), 'Secret of ana', 'an admin reads it');
SET LOCAL ROLE er_sc_app;
SELECT is((SELECT accepted_prompt FROM scenarios WHERE source_generation_id = :'g6'), 'Secret of ana', 'and its creator does');
RESET ROLE;
SELECT is((SELECT array_agg(action || ' ' || entity_id ORDER BY created_at, audit_id) FROM audit_logs WHERE entity_type = 'scenario' AND entity_id = :'s1'), ARRAY['accept ' || :'s1'], 'accepting is in the log of changes');

-- what came of the imports is counted; without shared memory nobody knows
SELECT is(coalesce(pg_temp.counted(c.result) - c.before, c.n), c.n, 'counted: ' || c.result) FROM counts AS c;
SELECT * FROM finish();
ROLLBACK;
