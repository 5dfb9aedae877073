-- Configurations: the gate, the hash, and malformed documents.
BEGIN;
SELECT plan(75);

CREATE FUNCTION pg_temp.outcome(document jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    told text;
BEGIN
    PERFORM execreport.save_configuration(NULL, document);
    RETURN 'stored';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS told = MESSAGE_TEXT;
    RETURN SQLSTATE || ' ' || told;
END $$;

-- a context that is valid on 2026-03-01
CREATE TEMP TABLE good AS SELECT '{
    "brand": {"name": "Acme", "domain": "acme.example"},
    "category_definition": {"primary_category": "shoes", "included": ["shoes"]},
    "competitors": {"direct": ["Other"]},
    "demand_definition": {"brand_keywords": {"seed_terms": ["acme"], "top_n": 10}},
    "negative_scope": {"excluded_keywords": ["cheap"], "enforcement_rules": {"hard_exclusion": true}},
    "governance": {"validation_status": "complete", "human_verified": true, "context_valid_until": "2026-05-30",
                   "last_reviewed": "2026-02-20", "quality_score": {"grade": "high"}}}'::jsonb AS document;
CREATE FUNCTION pg_temp.context(document jsonb, as_of timestamptz DEFAULT '2026-03-01 12:00Z') RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
    PERFORM execreport.save_configuration(1, document);
    RETURN execreport.check_context(1, as_of);
END $$;
CREATE FUNCTION pg_temp.status(document jsonb, as_of timestamptz DEFAULT '2026-03-01 12:00Z') RETURNS text LANGUAGE sql AS
$$ SELECT pg_temp.context(document, as_of) ->> 'status' $$;

SELECT is(execreport.check_context(1) ->> 'status', 'no_context', 'no configuration, no context');
SELECT is(pg_temp.context(document), '{"status": "valid", "valid": true, "cmoSafe": true, "errors": [], "warnings": []}', 'a good context') FROM good;
SELECT is(pg_temp.status(document - section), 'incomplete', section || ' is required')
  FROM good, unnest('{brand,category_definition,competitors,demand_definition,negative_scope}'::text[]) AS section;
SELECT is(pg_temp.status(jsonb_set(document, ARRAY[section], '{"a": null, "b": [], "c": "", "d": {}}')), 'incomplete', section || ' with nothing in it is missing')
  FROM good, unnest('{brand,category_definition,competitors,demand_definition}'::text[]) AS section;
SELECT is(pg_temp.context(document - 'brand') -> 'errors', '["section brand is missing"]', 'the error names the section') FROM good;
SELECT is(pg_temp.status(document - 'governance'), 'valid', 'governance is not required') FROM good;
SELECT is(pg_temp.context(document - 'governance') ->> 'cmoSafe', 'false', 'but nothing is safe without it') FROM good;

SELECT is(pg_temp.status(jsonb_set(document, '{negative_scope}', scope)), status, 'negative scope ' || scope::text)
  FROM good, (VALUES
    ('{"excluded_keywords": ["cheap"]}'::jsonb, 'incomplete'),
    ('{"excluded_keywords": ["cheap"], "enforcement_rules": {"hard_exclusion": false}}', 'incomplete'),
    ('{"excluded_keywords": [], "enforcement_rules": {"hard_exclusion": true}}', 'incomplete'),
    ('{"excluded_keywords": [" "], "enforcement_rules": {"hard_exclusion": true}}', 'incomplete'),
    ('{"excluded_use_cases": ["diving"], "enforcement_rules": {"hard_exclusion": true}}', 'valid'),
    ('{"competitor_exclusions": [{"value": "Other"}], "enforcement_rules": {"hard_exclusion": true}}', 'valid'),
    ('{"category_exclusions": [{"value": "boots", "expires_at": "2026-02-28"}], "enforcement_rules": {"hard_exclusion": true}}', 'incomplete'),
    ('{"category_exclusions": [{"value": "boots", "expires_at": "2026-03-01"}], "enforcement_rules": {"hard_exclusion": true}}', 'incomplete'),
    ('{"category_exclusions": [{"value": "boots", "expires_at": "2026-03-02"}], "enforcement_rules": {"hard_exclusion": true}}', 'valid'),
    ('{"category_exclusions": [{"value": "boots", "expires_at": "2026-03-01T12:00:00Z"}], "enforcement_rules": {"hard_exclusion": true}}', 'incomplete'),
    ('{"category_exclusions": [{"value": "boots", "expires_at": "2026-03-01T14:00:00+01:00"}], "enforcement_rules": {"hard_exclusion": true}}', 'valid')) AS s (scope, status);

-- the consolidation has the same idea of when an exclusion is over
SELECT is(jsonb_array_length(execreport.consolidate_exec_reports('[{"id": "e", "moduleId": "m", "executedAt": "2026-03-01T00:00:00Z", "output": {"recommendations": [{"id": "r", "action": "Sell boots"}]}}]',
        jsonb_build_object('category_exclusions', jsonb_build_array(jsonb_build_object('value', 'boots', 'expires_at', expires_at))), '2026-03-01 12:00Z') #> '{recommendations,0,conflicts}'), conflicts, 'expires ' || expires_at)
  FROM (VALUES ('2026-02-28', 0), ('2026-03-01', 0), ('2026-03-02', 1), ('2026-03-01T12:00:00Z', 0), ('2026-03-01T14:00:00+01:00', 1)) AS e (expires_at, conflicts);

SELECT is(pg_temp.status(jsonb_set(document, '{governance,validation_status}', to_jsonb(given))), status, 'validation_status ' || given)
  FROM good, (VALUES ('complete', 'valid'), ('Complete', 'valid'), ('needs_review', 'valid'), ('incomplete', 'incomplete'), ('BLOCKED', 'blocked')) AS v (given, status);
SELECT is(pg_temp.context(document || '{"governance": {"validation_status": "blocked", "blocked_reasons": ["legal"]}}') -> 'errors',
    '["governance.validation_status is blocked", "blocked: legal"]', 'the reasons of a block are told') FROM good;
SELECT is(pg_temp.status((document - 'brand') || '{"governance": {"validation_status": "blocked"}}'), 'blocked', 'blocked comes before incomplete') FROM good;
SELECT is(pg_temp.status(document, as_of), status, 'valid until 2026-05-30, asked ' || as_of)
  FROM good, (VALUES ('2026-05-30 23:59:59Z'::timestamptz, 'valid'), ('2026-05-31 00:00Z', 'expired'), ('2027-01-01 00:00Z', 'expired')) AS t (as_of, status);
SELECT is(pg_temp.context(document, as_of) -> 'warnings', warnings, 'warnings at ' || as_of)
  FROM good, (VALUES ('2026-03-23 00:00Z'::timestamptz, '[]'::jsonb), ('2026-03-24 00:00Z', '["the context was last reviewed on 2026-02-20"]'),
    ('2026-05-24 00:00Z', '["the context is valid until 2026-05-30 only", "the context was last reviewed on 2026-02-20"]')) AS t (as_of, warnings);
SELECT is(pg_temp.context(jsonb_set(document, path, value)) -> 'cmoSafe', safe, 'safe with ' || array_to_string(path, '.') || ' ' || value::text)
  FROM good, (VALUES ('{governance,human_verified}'::text[], 'false'::jsonb, 'false'::jsonb), ('{governance,quality_score,grade}', '"medium"', 'true'),
    ('{governance,quality_score,grade}', '"low"', 'false')) AS c (path, value, safe);

SELECT is(pg_temp.status(document), 'valid', 'the good one again') FROM good;
SELECT is(execreport.require_valid_context(1, '2026-03-01 12:00Z') ->> 'status', 'valid', 'the gate lets it pass');
SELECT throws_ok($$ SELECT execreport.require_valid_context(1, '2026-06-01') $$, 'PT403', 'configuration 1 is not a valid context: expired', 'not when it has expired');
SELECT throws_ok($$ SELECT execreport.require_valid_context(99) $$, 'PT403', 'configuration 99 is not a valid context: no_context', 'nor an unknown one');
CREATE FUNCTION pg_temp.detail(OUT detail text, OUT hint text) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM execreport.require_valid_context(1, '2026-06-01 00:00Z');
EXCEPTION WHEN SQLSTATE 'PT403' THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
END $$;
SELECT results_eq($$ SELECT * FROM pg_temp.detail() $$, $$ VALUES ('UCR_BLOCKED', 'the context was valid until 2026-05-30') $$, 'DETAIL is the code, HINT the reasons');

-- the hash: the same for one content in any writing, another for any change of a safety field
CREATE FUNCTION pg_temp.hash(document jsonb) RETURNS text LANGUAGE sql AS
$$ SELECT (execreport.save_configuration(2, document)).context_hash $$;
SELECT is(pg_temp.hash('{"demandDefinition": {"brandKeywords": {"topN": 10.0, "seedTerms": ["a", "b"]}}}'),
          pg_temp.hash('{"demand_definition": {"brand_keywords": {"seed_terms": ["a", "b"], "top_n": 10}}}'), 'spelling, order of keys and 10.0 do not matter');
SELECT isnt(pg_temp.hash('{"demandDefinition": {"brandKeywords": {"seedTerms": ["b", "a"], "topN": 10}}}'),
            pg_temp.hash('{"demandDefinition": {"brandKeywords": {"seedTerms": ["a", "b"], "topN": 10}}}'), 'the order of a list does');
SELECT is((SELECT count(DISTINCT pg_temp.hash(jsonb_set(document, path, value))) FROM good, (VALUES
    ('{brand,name}'::text[], '"Acme"'::jsonb), ('{negative_scope,enforcement_rules,hard_exclusion}', 'false'),
    ('{negative_scope,enforcement_rules,allow_model_suggestion}', 'false'), ('{negative_scope,enforcement_rules,allow_model_suggestion}', 'true'),
    ('{negative_scope,enforcement_rules,require_human_override_for_expansion}', 'false'), ('{negative_scope,excluded_keywords}', '["cheap", "x"]'),
    ('{negative_scope,excluded_competitors}', '["x"]'), ('{governance,cmo_safe}', 'true'), ('{governance,human_verified}', 'false'),
    ('{governance,context_valid_until}', '"2026-05-31"')) AS c (path, value)), 10::bigint, 'each safety field changes the hash');

-- malformed documents: sections of a wrong type, members that the gate and the guardrails read
CREATE TEMP TABLE value (type text, value jsonb);
INSERT INTO value VALUES ('string', '"text"'), ('string', to_jsonb(E'\x01\x1f'::text)), ('number', '5'), ('number', '1e300'), ('boolean', 'true'),
    ('object', '{}'), ('object', '{"a": [1]}'), ('array', '[]'), ('array', (repeat('[', 1000) || repeat(']', 1000))::jsonb);
CREATE TEMP TABLE member AS
SELECT ARRAY[s] AS path, 'document.' || s AS shown, 'object' AS allowed
  FROM unnest('{brand,category_definition,competitors,demand_definition,strategic_intent,channel_context,negative_scope,governance}'::text[]) AS s
UNION ALL SELECT '{name}', 'document.name', 'string'
UNION ALL SELECT ARRAY['negative_scope', m], 'document.negative_scope.' || m, 'array'
  FROM unnest('{excluded_categories,excluded_keywords,excluded_use_cases,excluded_competitors,category_exclusions,keyword_exclusions,use_case_exclusions,competitor_exclusions,audit_log}'::text[]) AS m
UNION ALL SELECT ARRAY['negative_scope', 'keyword_exclusions', '0', m], 'document.negative_scope.keyword_exclusions[0].' || m, 'string'
  FROM unnest('{value,match_type,semantic_sensitivity,reason}'::text[]) AS m
UNION ALL SELECT ARRAY['negative_scope', 'enforcement_rules', m], 'document.negative_scope.enforcement_rules.' || m, 'boolean'
  FROM unnest('{hard_exclusion,allow_model_suggestion,require_human_override_for_expansion}'::text[]) AS m
UNION ALL SELECT '{negative_scope,enforcement_rules}', 'document.negative_scope.enforcement_rules', 'object'
UNION ALL SELECT ARRAY['governance', m], 'document.governance.' || m, 'boolean' FROM unnest('{cmo_safe,human_verified}'::text[]) AS m
UNION ALL SELECT '{governance,quality_score}', 'document.governance.quality_score', 'object'
UNION ALL SELECT '{governance,blocked_reasons}', 'document.governance.blocked_reasons', 'array';
CREATE TEMP TABLE trial AS
SELECT m.*, v.type, v.value, pg_temp.outcome(jsonb_set('{"brand": {}, "negative_scope": {"keyword_exclusions": [{"value": "a"}], "enforcement_rules": {}}, "governance": {}}', m.path, v.value)) AS outcome
  FROM member AS m CROSS JOIN value AS v;
SELECT cmp_ok((SELECT count(*) FROM trial WHERE type <> allowed), '>=', 200::bigint, 'at least 200 malformed documents were tried');
SELECT is_empty($$ SELECT shown, type, left(value::text, 40), outcome FROM trial
     WHERE type <> allowed AND outcome NOT LIKE '22023 ' || replace(shown, '_', '\_') || ': value is of type %' $$, 'a value of a wrong type is refused by its path');
SELECT is_empty($$ SELECT shown, left(value::text, 40), outcome FROM trial WHERE type = allowed AND outcome <> 'stored' AND outcome NOT LIKE '22023 ' || replace(shown, '_', '\_') || '[%]: value is of type %'
        AND shown NOT IN ('document.negative_scope.keyword_exclusions[0].match_type', 'document.negative_scope.keyword_exclusions[0].semantic_sensitivity') $$,
    'one of the right type is stored, or an element of it is refused by its path');
SELECT is((SELECT count(*) FROM execreport.configurations WHERE tenant_id = 1), 2 + (SELECT count(*) FROM trial WHERE outcome = 'stored'), 'refused documents leave no row');
SELECT is((SELECT count(*) FROM execreport.audit_logs WHERE tenant_id = 1 AND entity_type = 'configuration' AND action = 'create'),
    (SELECT count(*) FROM execreport.configurations WHERE tenant_id = 1), 'and no trace in the audit log');
SELECT alike(pg_temp.outcome(jsonb_build_object(key, '{}'::jsonb)), '22023 document.' || left(shown, 64) || ': property % is not allowed', 'unknown section ' || left(shown, 10))
  FROM (VALUES ('brands', 'brands'), ('tenantId', 'tenant_id'), (repeat('k', 100000), repeat('k', 100000)), ('id', 'id')) AS k (key, shown);
SELECT is(pg_temp.outcome(jsonb_build_object('governance', jsonb_build_object('context_valid_until', text))), '22023 document.governance.context_valid_until is not a date or an instant', 'no date: ' || text)
  FROM unnest('{now,tomorrow,infinity,2026-02-30,03/04/2025,2026-13-01,2026-01-01T25:00:00Z,2026-01-01T10:00:00+99:00}'::text[]) AS text;
SELECT is(pg_temp.outcome(jsonb_set('{"negativeScope": {"useCaseExclusions": [{"value": "a"}, {"value": "b"}]}}', '{negativeScope,useCaseExclusions,1}', entry)), outcome, 'exclusion ' || entry::text)
  FROM (VALUES ('{"value": "b", "matchType": "fuzzy"}'::jsonb, '22023 document.negative_scope.use_case_exclusions[1].match_type is unknown'),
               ('{"value": "b", "matchType": "Semantic", "semanticSensitivity": "extreme"}', '22023 document.negative_scope.use_case_exclusions[1].semantic_sensitivity is unknown')) AS e (entry, outcome);
SELECT is(pg_temp.outcome(jsonb_build_object('brand', jsonb_build_object('name', repeat('x', 50 * 1024 * 1024)))), 'stored', '50 MB of text are stored');

-- where a query is run in parallel
SELECT configuration_id AS parallel FROM execreport.save_configuration(NULL, '{"governance": {"context_valid_until": "2027-01-01"}}') \gset
SELECT count(set_config(name, 'on', true)) FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query');
SELECT is(execreport.check_context(:parallel) ->> 'status', 'incomplete', 'the gate stands in any query');

SELECT * FROM finish();
ROLLBACK;
