-- Properties of the consolidation machine: order of input, workers, wrong documents, hostile documents.
BEGIN;
SELECT plan(38);

-- ---- 400 reports of 100 modules, with everything in them ----
CREATE TABLE public.consolidation_reports (n integer, id text, module text, at timestamptz, output jsonb, playbook jsonb, part integer);
INSERT INTO public.consolidation_reports
SELECT n, 'exec-' || n, 'module-' || n % 100, timestamptz '2026-01-01 00:00+00' + n * interval '17 minutes',
       jsonb_build_object('confidence', n % 10 / 10.0,
         'insights', (SELECT jsonb_agg(jsonb_build_object('id', 'i' || i, 'title', 'Title ' || (n * 7 + i * 13) % 97,
              'description', 'said by ' || n % 5, 'severity', (ARRAY['high', 'medium', 'low', NULL])[1 + (n + i) % 4],
              'category', (ARRAY['risk', 'gap', 'trend'])[1 + i % 3], 'confidence', (n * i) % 101 / 100.0,
              'keywords', jsonb_build_array('k' || (n + i) % 40, 'K' || (n + i) % 40, 'word ' || i), 'evidence', jsonb_build_array('e' || n % 30, n % 3)))
            FROM generate_series(1, 10) AS i) || '{"title": "Everywhere", "category": "risk"}',
         'recommendations', (SELECT jsonb_agg(jsonb_build_object('id', 'r' || i, 'action',
              (ARRAY['Increase', 'Reduce', 'Review'])[1 + (n + i) % 3] || ' thing ' || (n + i * 3) % 23,
              'impact', (ARRAY['high', 'low', 'some'])[1 + n % 3], 'effort', (ARRAY['low', 'high'])[1 + i % 2],
              'rationale', 'because of word ' || i, 'dependencies', jsonb_build_array('r' || (i + 1) % 6, 'thing')))
            FROM generate_series(1, 5) AS i)),
       CASE WHEN n % 3 = 0 THEN jsonb_build_object('deprioritized', jsonb_build_array('r' || n % 6), 'councilPrompt',
            'Consider it. We recommend plan ' || n % 15 || '. And suggest more.',
            'insights', jsonb_build_array(jsonb_build_object('id', 'i1', 'title', 'Title ' || n % 97, 'severity', 'high'))) END,
       n % 8
  FROM generate_series(1, 400) AS n;
CREATE FUNCTION pg_temp.everything() RETURNS jsonb LANGUAGE sql AS $$
    SELECT execreport.consolidate_exec_reports(id, module, at, output, playbook,
             '{"excluded_keywords": ["thing 7"], "use_case_exclusions": [{"value": "review some thing", "match_type": "semantic"}]}',
             '2026-01-20 00:00+00')
      FROM public.consolidation_reports $$;
SET LOCAL max_parallel_workers_per_gather = 0;
CREATE TEMP TABLE expected AS
SELECT pg_temp.everything() AS everything,
       (SELECT execreport.consolidate_insights(id, module, at, output, playbook) FROM public.consolidation_reports) AS insights,
       (SELECT execreport.consolidate_recommendations(id, module, at, output, playbook) FROM public.consolidation_reports) AS recommendations;

SELECT ok(everything::text::jsonb = everything AND everything::text::jsonb::text = everything::text, 'what is written is sound jsonb')
  FROM expected;
SELECT is(everything->'insights', insights, 'insights alone are the insights of everything') FROM expected;
SELECT ok(jsonb_array_length(everything->'recommendations') > 50 AND jsonb_array_length(everything->'deprioritized') > 20,
          'the reports have something of everything') FROM expected;
SELECT is((SELECT i->'moduleIds' FROM jsonb_array_elements(everything->'insights') AS i WHERE i->>'title' = 'Everywhere'),
          (SELECT jsonb_agg('module-' || m ORDER BY ('module-' || m) COLLATE "C") FROM generate_series(0, 99) AS m), 'more modules than a word has bits') FROM expected;
SELECT is((SELECT array_agg(DISTINCT c->>'kind' ORDER BY c->>'kind') FROM jsonb_array_elements(everything->'recommendations') AS r,
           jsonb_array_elements(r->'conflicts') AS c),
          ARRAY['dependency', 'deprioritized', 'exclusion', 'opposite'], 'all four kinds of conflict are there') FROM expected;

-- jsonb that others wrote and ours are the same, byte for byte
SELECT is(md5(jsonb_send(everything)), md5(jsonb_send(everything::text::jsonb)), 'the same on the wire') FROM expected;
SELECT is(pg_column_size(everything || '{}'::jsonb), pg_column_size(everything::text::jsonb || '{}'::jsonb), 'the same size') FROM expected;
SELECT ok(everything @> jsonb_build_object('modulesIncluded', jsonb_build_array('module-3')) AND
          everything #>> '{insights,40,position}' = '41' AND everything #> '{insights,96}' IS NOT NULL, 'jsonb operators find their way in it')
  FROM expected;

-- ---- order ----
SELECT is((SELECT execreport.consolidate_exec_reports(id, module, at, output, playbook,
             '{"excluded_keywords": ["thing 7"], "use_case_exclusions": [{"value": "review some thing", "match_type": "semantic"}]}',
             '2026-01-20 00:00+00' ORDER BY md5(n || round::text)) FROM public.consolidation_reports), everything,
          'shuffled ' || round) FROM expected, generate_series(1, 5) AS round;
SELECT is((SELECT execreport.consolidate_exec_reports(id, module, at, output, playbook,
             '{"excluded_keywords": ["thing 7"], "use_case_exclusions": [{"value": "review some thing", "match_type": "semantic"}]}',
             '2026-01-20 00:00+00' ORDER BY n DESC) FROM public.consolidation_reports), everything, 'backwards') FROM expected;

-- ---- workers ----
SET LOCAL max_parallel_workers_per_gather = 3;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
ALTER TABLE public.consolidation_reports SET (parallel_workers = 3);
ANALYZE public.consolidation_reports;
CREATE FUNCTION pg_temp.plan_of(query text, options text DEFAULT 'COSTS OFF') RETURNS text LANGUAGE plpgsql AS $$
DECLARE line text; plan text := ''; BEGIN FOR line IN EXECUTE format('EXPLAIN (%s) ', options) || query LOOP plan := plan || line; END LOOP; RETURN plan; END $$;
-- A query beside a function such as is(), or one read through a cursor, would never be given workers.
CREATE FUNCTION pg_temp.in_workers(query text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE plan text := pg_temp.plan_of(query, 'ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF'); result jsonb;
BEGIN
    IF plan !~ 'Workers Launched: [1-9].*Partial ' THEN RAISE 'no workers: %', plan; END IF;
    EXECUTE query INTO result;
    RETURN result;
END $$;
CREATE FUNCTION pg_temp.everything_in_workers() RETURNS jsonb LANGUAGE sql AS $$
    SELECT pg_temp.in_workers((SELECT prosrc FROM pg_catalog.pg_proc WHERE oid = 'pg_temp.everything()'::regprocedure)) $$;
SELECT is(pg_temp.everything_in_workers(), everything, 'with workers: everything') FROM expected;
SELECT is(pg_temp.in_workers('SELECT execreport.consolidate_insights(id, module, at, output, playbook) FROM public.consolidation_reports'), insights,
          'with workers: insights') FROM expected;
SELECT is(pg_temp.in_workers('SELECT execreport.consolidate_recommendations(id, module, at, output, playbook) FROM public.consolidation_reports'),
          recommendations, 'with workers: recommendations') FROM expected;
SET LOCAL parallel_leader_participation = off;
SELECT is(pg_temp.everything_in_workers(), everything, 'with workers alone') FROM expected;
SELECT is(pg_temp.in_workers($$SELECT jsonb_agg(everything ORDER BY k) FROM (SELECT part AS k,
              execreport.consolidate_exec_reports(id, module, at, output, playbook, NULL, '2026-01-20 00:00+00') AS everything
              FROM public.consolidation_reports GROUP BY part) AS g$$),
          (SELECT jsonb_agg(everything ORDER BY k) FROM (SELECT part AS k,
              execreport.consolidate_exec_reports(id, module, at, output, playbook, NULL, '2026-01-20 00:00+00') AS everything
              FROM public.consolidation_reports GROUP BY part) AS g), 'grouped, with workers');
SET LOCAL max_parallel_workers_per_gather = 0;
SELECT is((SELECT all_of FROM (SELECT execreport.consolidate_insights(id, module, at, output, playbook) OVER (ORDER BY n) AS all_of, n
            FROM public.consolidation_reports WHERE n <= 30) AS w WHERE n = 30),
          (SELECT execreport.consolidate_insights(id, module, at, output, playbook) FROM public.consolidation_reports WHERE n <= 30),
          'as a window: a final step leaves the state as it was');

-- two partial states that differ, whichever comes first: partitions are merged in their order
CREATE TABLE public.consolidation_halves (half integer, id text, module text, output jsonb) PARTITION BY LIST (half);
CREATE TABLE public.consolidation_half_1 PARTITION OF public.consolidation_halves FOR VALUES IN (1);
CREATE TABLE public.consolidation_half_2 PARTITION OF public.consolidation_halves FOR VALUES IN (2);
INSERT INTO public.consolidation_halves VALUES
  (1, 'a', 'm1', '{"insights": [{"title": "One", "severity": "high", "confidence": 0.9, "content": "strong"}, {"title": "two", "severity": "low", "confidence": 0.2}]}'),
  (2, 'b', 'm2', '{"insights": [{"title": "one", "severity": "low", "confidence": 0.2}, {"title": "Two", "severity": "high", "confidence": 0.9, "content": "strong"}]}');
SET LOCAL enable_partitionwise_aggregate = on;
SET LOCAL cpu_tuple_cost = 1000;
SELECT ok(pg_temp.plan_of('SELECT execreport.consolidate_insights(id, module, NULL, output, NULL) FROM public.consolidation_halves')
          ~ 'Finalize Aggregate.*Partial Aggregate.*Partial Aggregate', 'each partition has a state of its own');
SELECT is((SELECT array_agg(concat_ws('/', i->>'title', i->>'severity', i->>'confidence', i->>'occurrences', i->>'description',
                                      i->>'moduleIds', i->'sources'->0->>'execReportId') ORDER BY i->>'title')
             FROM (SELECT execreport.consolidate_insights(id, module, NULL, output, NULL) AS all_of FROM public.consolidation_halves) AS c,
                  jsonb_array_elements(all_of) AS i),
          ARRAY['One/high/90/2/strong/["m1", "m2"]/a', 'Two/high/90/2/strong/["m1", "m2"]/b'], 'what the stronger state says is kept');
RESET cpu_tuple_cost;
RESET enable_partitionwise_aggregate;

-- ---- wrong documents: every value at every path ----
CREATE TEMP TABLE bad_values AS
SELECT v::jsonb AS value FROM unnest(ARRAY['null', 'true', 'false', '0', '-1', '42', '1e400', '-1e-400', '0.000000000000000000001', '""', '" "', '"text"',
    '"\u0001\u001f\u007f"', '"\ud83d\ude00"', '[]', '[null]', '[[]]', '[{}]', '[1]', '["x", 2]', '{}', '{"id": {}}', '{"a": [{"b": []}]}']) AS v
UNION ALL SELECT (repeat('[', 5000) || repeat(']', 5000))::jsonb
UNION ALL SELECT to_jsonb(repeat('long ', 20000));
CREATE TEMP TABLE bad_reports AS
SELECT path, value, jsonb_set('{"id": "exec-x", "moduleId": "m", "executedAt": "2026-01-01T00:00:00Z",
   "output": {"moduleId": "m", "confidence": 0.5, "insights": [{"title": "t", "keywords": ["k"], "evidence": ["e"]}],
              "recommendations": [{"id": "r", "action": "a", "dependencies": ["r"]}]},
   "playbookResult": {"insights": [{"title": "t"}], "recommendations": [{"id": "s"}], "deprioritized": ["s"], "councilPrompt": "We recommend it."}}',
   path::text[], value, true) AS report
  FROM bad_values, unnest(ARRAY['{id}', '{moduleId}', '{executedAt}', '{output}', '{playbookResult}', '{output,insights}', '{output,recommendations}',
    '{output,confidence}', '{output,insights,0}', '{output,insights,0,id}', '{output,insights,0,title}', '{output,insights,0,message}',
    '{output,insights,0,type}', '{output,insights,0,category}', '{output,insights,0,severity}', '{output,insights,0,priority}',
    '{output,insights,0,description}', '{output,insights,0,content}', '{output,insights,0,confidence}', '{output,insights,0,keywords}',
    '{output,insights,0,keywords,0}', '{output,insights,0,evidence}', '{output,insights,0,evidence,0}', '{output,insights,0,dataPoint}',
    '{output,recommendations,0}', '{output,recommendations,0,id}', '{output,recommendations,0,action}', '{output,recommendations,0,rationale}',
    '{output,recommendations,0,impact}', '{output,recommendations,0,effort}', '{output,recommendations,0,timeline}', '{output,recommendations,0,theme}',
    '{output,recommendations,0,dependencies}', '{output,recommendations,0,dependencies,0}', '{playbookResult,insights}',
    '{playbookResult,recommendations}', '{playbookResult,deprioritized}', '{playbookResult,deprioritized,0}', '{playbookResult,councilPrompt}']) AS path;
CREATE FUNCTION pg_temp.tried(how text, report jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE result jsonb;
BEGIN
    CASE how
        WHEN 'insights' THEN result := execreport.consolidate_insights(jsonb_build_array(report));
        WHEN 'recommendations' THEN result := execreport.consolidate_recommendations(jsonb_build_array(report));
        WHEN 'everything' THEN result := execreport.consolidate_exec_reports(jsonb_build_array(report));
        WHEN 'aggregate' THEN SELECT execreport.consolidate_exec_reports(report->>'id', report->>'moduleId', now(), report->'output',
            report->'playbookResult', '{"excluded_keywords": ["x"]}', now()) INTO result;
        WHEN 'scope' THEN result := execreport.consolidate_exec_reports('[{"id": "x", "moduleId": "m", "output": {"recommendations": [{"action": "buy x"}]}}]', report);
    END CASE;
    RETURN CASE WHEN result::text::jsonb = result THEN 'ok' ELSE 'unsound' END;
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
SELECT cmp_ok((SELECT count(*) FROM bad_reports), '>', 900::bigint, 'more than 900 wrong documents for each function');
SELECT is((SELECT string_agg(DISTINCT outcome, E'\n') FROM (SELECT pg_temp.tried(how, report) AS outcome FROM bad_reports) AS o
            WHERE outcome <> 'ok' AND outcome !~ '^22023 (reports\[0\]\.?|exec-x: |[^ ]+: |)(id|moduleId|executedAt|output|playbookResult)?[][a-zA-Z0-9.]* is '), NULL,
          how || ': an answer, or an error that names the path')
  FROM unnest(ARRAY['insights', 'recommendations', 'everything', 'aggregate']) AS how;
SELECT is(pg_temp.tried('everything', jsonb_set('{"id": "e", "moduleId": "m", "output": {"insights": [{}, {}]}}', '{output,insights,1,title}', '[]')),
          '22023 reports[0].output.insights[1].title is an array', 'the path is the right one');
SELECT is((SELECT string_agg(DISTINCT outcome, E'\n') FROM (SELECT pg_temp.tried('scope', jsonb_set(
              '{"excluded_keywords": ["x"], "keyword_exclusions": [{"value": "x"}]}', path::text[], value, true)) AS outcome
              FROM bad_values, unnest(ARRAY['{excluded_keywords}', '{excluded_keywords,0}', '{excludedUseCases}', '{keyword_exclusions}', '{keyword_exclusions,0}',
                '{keyword_exclusions,0,value}', '{keyword_exclusions,0,match_type}', '{keyword_exclusions,0,matchType}', '{keyword_exclusions,0,semantic_sensitivity}', '{keyword_exclusions,0,expires_at}']) AS path) AS o
            WHERE outcome <> 'ok' AND outcome !~ '^22023 negative_scope\.'), NULL, 'a wrong scope: an answer, or an error that names the path');

-- ---- hostile documents: quadratic work would take hours here ----
SET LOCAL statement_timeout = '5min';
SELECT is(jsonb_array_length(execreport.consolidate_insights(jsonb_build_array(jsonb_build_object('id', 'x', 'moduleId', 'm', 'output', jsonb_build_object('insights', jsonb_build_array(
           jsonb_build_object('title', 't', 'keywords', (SELECT jsonb_agg('keyword ' || i) FROM generate_series(1, 100000) AS i),
                              'evidence', (SELECT jsonb_agg('evidence ' || i) FROM generate_series(1, 100000) AS i)))))))->0->'relatedKeywords'),
       100000, 'one group with 100,000 keywords and as much evidence');
SELECT is((SELECT max(jsonb_array_length(r->'conflicts')) FROM jsonb_array_elements(
           execreport.consolidate_recommendations(jsonb_build_array(jsonb_build_object('id', 'x', 'moduleId', 'm', 'output', jsonb_build_object('recommendations',
           (SELECT jsonb_agg(jsonb_build_object('id', i, 'action', CASE WHEN i % 2 = 0 THEN 'increase' ELSE 'reduce' END || repeat(' the', i % 500) || ' budget' || repeat(' our', i / 500),
                             'dependencies', jsonb_build_array(i + 1, 'none'))) FROM generate_series(1, 20000) AS i)))))) AS r), 22,
       '20,000 opposite actions on one object: 20 of them are listed, beside what is missing');
SELECT is(execreport.consolidate_insights(jsonb_build_array(jsonb_build_object('id', 'x', 'moduleId', 'm', 'output', jsonb_build_object('insights', jsonb_build_array(
           jsonb_build_object('title', repeat(U&'\0301\0327', 300000)))))))->0->'occurrences', '1', 'half a million combining marks');
-- confidences beyond the eighth decimal
CREATE FUNCTION pg_temp.said(said numeric, insight boolean) RETURNS jsonb LANGUAGE sql AS $$
    SELECT execreport.consolidate_exec_reports(jsonb_build_array(jsonb_build_object('id', 'x', 'moduleId', 'm', 'output',
        CASE WHEN insight THEN jsonb_build_object('insights', jsonb_build_array(jsonb_build_object('title', 't', 'confidence', said)))
             ELSE jsonb_build_object('confidence', said) END))) -> 'overallConfidence' $$;
SELECT throws_ok(format('SELECT pg_temp.said(%s, %L)', said, insight), '22023', NULL, format('%s is not from 0 to 100', said))
  FROM unnest('{100.0000000001,-0.0000000001}'::numeric[]) AS said, unnest('{true,false}'::boolean[]) AS insight;
SELECT is((pg_temp.said(1.0000000001, insight), pg_temp.said(1.0000000000, insight))::text, '(1,100)', 'what is above 1 is on the scale to 100') FROM unnest('{true,false}'::boolean[]) AS insight;

SELECT * FROM finish();
ROLLBACK;
