-- Master reports: the sample from end to end, and malformed documents.
BEGIN;
SELECT plan(34);
\o /dev/null
\ir ../data/sample.sql
\o

-- The sample has seven modules; of two of them another run, older or failed. Worked out by hand from its text.
SELECT id AS report FROM execreport.generate_master_report(1) \gset
CREATE TEMP TABLE m AS SELECT * FROM execreport.get_latest_master_report(1);
CREATE TEMP TABLE item AS SELECT * FROM execreport.master_report_items(:'report');
SELECT is(modules_included, '["channel-attribution", "competitive-positioning", "content-performance", "keyword-gap", "market-demand", "pricing-intelligence", "strategic-summary"]', 'each module once, sorted') FROM m;
SELECT is(jsonb_array_length(exec_reports), 7, 'one exec report per module') FROM m;
SELECT is(overall_confidence, 72, 'the mean of 86, 78, 70, 64, 81, 58 and 69') FROM m;
SELECT is(confidence_basis, 7, 'rests on seven modules') FROM m;
SELECT is(data_freshness, 'fresh', 'the oldest is eight hours old') FROM m;
SELECT is((SELECT count(*) FROM item WHERE section = 'insight'), 11::bigint, '16 findings are 11 insights');
SELECT is((SELECT count(*) FROM item WHERE section = 'recommendation'), 10::bigint, '15 recommendations, 3 of them dropped, are 10');
SELECT results_eq($$ SELECT title FROM item WHERE section = 'deprioritized' ORDER BY title COLLATE "C" $$,
    $$ VALUES ('Bid on brand terms of competitors'), ('Merge competing product pages'), ('Stop the weekly magazine') $$, 'what modules dropped');
SELECT is((SELECT modules FROM item WHERE section = 'insight' AND title ILIKE 'waterproof trail shoes peak in october%'), '{keyword-gap,market-demand}'::text[], 'two spellings of one insight are one');
SELECT is((SELECT severity FROM item WHERE section = 'insight' AND title = 'Wide toe box demand keeps growing'), 'high', 'the highest severity counts');
SELECT is((SELECT count(*) FROM item WHERE title IN ('An older finding')), 0::bigint, 'an older run does not count');
SELECT is((SELECT array_agg(DISTINCT c ->> 'kind' ORDER BY c ->> 'kind') FROM m, jsonb_array_elements(consolidated_recommendations) AS r, jsonb_array_elements(r -> 'conflicts') AS c),
    '{dependency,deprioritized,exclusion,opposite}'::text[], 'conflicts of all four kinds');
SELECT is(position, row_number, 'positions count up in ' || section) FROM (SELECT DISTINCT ON (section) section, position, row_number FROM (SELECT *, row_number() OVER (PARTITION BY section ORDER BY position)::integer FROM item) AS n ORDER BY section, position DESC) AS last ORDER BY section;
SELECT is(execreport.master_report_document(:'report') #>> '{ucrSnapshot,brand,name}', 'Meridian Trail', 'the snapshot has the brand');
SELECT is((SELECT array_agg(k ORDER BY k) FROM jsonb_object_keys(execreport.master_report_document(:'report') -> 'ucrSnapshot') AS k), '{brand,negativeScope,strategicIntent}'::text[], 'and the parts that the API names');
SELECT is((SELECT count(*) FROM jsonb_array_elements(execreport.master_report_document(:'report') -> 'execReports') AS r
     WHERE NOT r ?& '{id,moduleId,configurationId,contextVersion,contextHash,executedAt,output}'), 0::bigint, 'every exec report is whole');
SELECT is(execreport.check_context(1) ->> 'status', 'valid', 'the sample''s context is valid');
SELECT is((SELECT id FROM execreport.generate_master_report(1)), :'report', 'once more: the same report');
SELECT is((SELECT data_freshness FROM execreport.generate_master_report(1, as_of => now() + interval '15 hours 59 minutes')), 'fresh', '23:59 old');
SELECT is((SELECT data_freshness FROM execreport.generate_master_report(1, as_of => now() + interval '16 hours')), 'moderate', '24 hours old');
SELECT is((SELECT data_freshness FROM execreport.generate_master_report(1, as_of => now() + interval '160 hours')), 'stale', '168 hours old');
SELECT is(execreport._data_freshness('2026-03-01 00:00Z', t.as_of), execreport.consolidate_exec_reports(
              '[{"id": "e", "moduleId": "m", "executedAt": "2026-03-01T00:00:00Z", "output": {}}]', NULL, t.as_of) ->> 'dataFreshness', 'freshness as the consolidation tells it')
  FROM (VALUES ('2026-03-01 23:59:59.999999Z'::timestamptz), ('2026-03-02 00:00Z'), ('2026-03-07 23:59:59.999999Z'), ('2026-03-08 00:00Z')) AS t (as_of);

-- malformed documents
CREATE TEMP TABLE good AS SELECT execreport.master_report_document(:'report') - 'id' AS document;
CREATE FUNCTION pg_temp.outcome(document jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    told text;
BEGIN
    PERFORM execreport.create_master_report(document);
    RETURN 'stored';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS told = MESSAGE_TEXT;
    RETURN SQLSTATE || ' ' || told;
END $$;
CREATE TEMP TABLE value (type text, value jsonb);
INSERT INTO value VALUES ('string', '"text"'), ('string', '""'), ('string', to_jsonb(E'\x01\x1f'::text)), ('number', '5'), ('number', '-1'), ('number', '1e300'), ('number', '0.5'),
    ('boolean', 'true'), ('boolean', 'false'), ('object', '{}'), ('object', '{"a": [1]}'), ('array', '[]'), ('array', '[1]'), ('array', (repeat('[', 1000) || repeat(']', 1000))::jsonb), ('null', 'null');
CREATE TEMP TABLE member (path text[], allowed text, required boolean);
INSERT INTO member VALUES ('{}', 'object', true), ('{id}', 'string', false), ('{configurationId}', 'number', true), ('{contextVersion}', 'number', false), ('{contextHash}', 'string', false),
    ('{generatedAt}', 'string', false), ('{ucrSnapshot}', 'object', true), ('{execReports}', 'array', true), ('{execReports,0}', 'object', true),
    ('{consolidatedInsights}', 'array', true), ('{consolidatedInsights,3}', 'object', true), ('{consolidatedRecommendations}', 'array', true), ('{consolidatedRecommendations,1}', 'object', true),
    ('{councilSynthesis}', 'object', true), ('{councilSynthesis,keyThemes}', 'array', true), ('{councilSynthesis,keyThemes,0}', 'string', true), ('{councilSynthesis,crossModulePatterns}', 'array', true),
    ('{councilSynthesis,prioritizedActions}', 'array', true), ('{modulesIncluded}', 'array', true), ('{modulesIncluded,6}', 'string', true), ('{overallConfidence}', 'number', true),
    ('{dataFreshness}', 'string', true), ('{confidenceBasis}', 'number', false);
CREATE TEMP TABLE trial AS
SELECT m.*, regexp_replace(array_to_string('document'::text || m.path, '.'), '\.(\d+)', '[\1]', 'g') AS shown, v.type, v.value,
       pg_temp.outcome(CASE WHEN m.path = '{}' THEN v.value ELSE jsonb_set(document, m.path, v.value) END) AS outcome
  FROM good, member AS m CROSS JOIN value AS v;
SELECT cmp_ok((SELECT count(*) FROM trial WHERE type <> allowed AND (type <> 'null' OR required)), '>=', 200::bigint, 'at least 200 malformed documents were tried');
SELECT is_empty($$ SELECT shown, type, left(value::text, 40), outcome FROM trial
     WHERE type <> allowed AND (type <> 'null' OR required) AND NOT starts_with(outcome, '22023 ' || shown || ': value is of type ') $$, 'a value of a wrong type is refused by its path');
SELECT is_empty($$ SELECT shown, type, left(value::text, 40), outcome FROM trial WHERE type = allowed AND outcome <> 'stored' AND NOT starts_with(outcome, '22023 ' || shown)
    AND NOT starts_with(outcome, '22023 document.') AND outcome NOT LIKE 'P0002 configuration %' $$, 'one of the right type is stored, or refused for what it says');
SELECT is((SELECT count(*) FROM execreport.master_reports WHERE tenant_id = 1), 3 + (SELECT count(*) FROM trial WHERE outcome = 'stored'), 'refused documents leave no row');
SELECT * FROM finish();
ROLLBACK;
