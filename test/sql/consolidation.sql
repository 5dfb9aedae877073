-- consolidation: small cases whose answers are worked out by hand from the rules in docs/consolidation.md
BEGIN;

CREATE TEMP TABLE reports (id text, module text, at timestamptz, output jsonb, playbook jsonb);
INSERT INTO reports VALUES
('exec-a-1', 'market-demand', '2026-01-05 09:00+00',
 '{"confidence": 0.9, "insights": [
    {"id": "i1", "title": "Demand grows", "content": "Searches are up", "severity": "medium", "category": "opportunity",
     "confidence": 0.7, "dataPoint": "+12 %"},
    {"id": "i2", "title": "Stock is low", "severity": "high", "category": "risk", "confidence": 0.5}],
   "recommendations": [
    {"id": "r1", "action": "Increase the search budget", "priority": "high", "estimatedImpact": "High", "effort": "low"},
    {"id": "r2", "action": "Order more stock", "estimatedImpact": "+5 % revenue", "effort": "medium", "dependencies": ["r1"]}]}',
 '{"insights": [
    {"id": "i1", "title": "Demand grows", "content": "Searches are up", "severity": "medium", "category": "opportunity",
     "confidence": 0.7, "relatedKeywords": ["seo", "demand"]}],
   "deprioritized": ["r9"], "councilPrompt": "Look here. We recommend care. It rains."}'),
('exec-b-1', 'keyword-gap', '2026-01-03 09:00+00',
 '{"insights": [
    {"type": "Opportunity", "message": "  demand  GROWS! ", "description": "Also here", "priority": "high",
     "confidence": 1, "keywords": ["SEO"], "evidence": ["chart 7"]},
    {"type": "gap", "title": "No pages on prices", "confidence": 0}],
   "recommendations": [
    {"id": "r1", "title": "Reduce search budget", "reason": "costs", "impact": "HIGH", "effort": "high"},
    {"id": "r2", "title": "Order more stock", "impact": "low", "effort": "low"}]}',
 '{"recommendations": [{"id": "r2", "action": "Order more stock", "impact": "low", "effort": "low"}],
   "deprioritized": ["r2"], "council_prompt": null}');

\echo -- insights: merged by type and normalised title, strongest first, each report once
SELECT item->'position' AS n, item->'groupPosition' AS g, item->>'type' AS type, item->>'category' AS category,
       item->>'title' AS title, item->>'description' AS description, item->>'severity' AS severity,
       item->'confidence' AS confidence, item->'occurrences' AS times
  FROM (SELECT execreport.consolidate_insights(id, module, at, output, playbook) AS all_of FROM reports) AS c,
       jsonb_array_elements(all_of) AS item ORDER BY 1;
SELECT item->'position' AS n, item->'moduleIds' AS modules, item->'relatedKeywords' AS keywords, item->'evidence' AS evidence,
       item->'sources' AS sources
  FROM (SELECT execreport.consolidate_insights(id, module, at, output, playbook) AS all_of FROM reports) AS c,
       jsonb_array_elements(all_of) AS item ORDER BY 1;

\echo -- the fingerprint: SHA-256 over type, unit separator, normalised title; 16 bytes in hex
SELECT item->>'fingerprint' = encode(substr(sha256(convert_to('opportunity' || chr(31) || 'demand grows', 'UTF8')), 1, 16), 'hex') AS same
  FROM (SELECT execreport.consolidate_insights(id, module, at, output, playbook) AS all_of FROM reports) AS c,
       jsonb_array_elements(all_of) AS item WHERE item->>'title' ILIKE '%demand%';

\echo -- recommendations: what a report deprioritized is not among them
SELECT item->'position' AS n, item->>'action' AS action, item->>'impact' AS impact, item->>'effort' AS effort,
       item->>'quadrant' AS quadrant, item->>'theme' AS theme, item->>'rationale' AS rationale,
       item->'moduleIds' AS modules, item->'dependencies' AS needs
  FROM (SELECT execreport.consolidate_recommendations(id, module, at, output, playbook) AS all_of FROM reports) AS c,
       jsonb_array_elements(all_of) AS item ORDER BY 1;
SELECT item->'position' AS n, conflict->>'kind' AS kind, conflict->>'with' AS "with", conflict->>'reason' AS reason
  FROM (SELECT execreport.consolidate_exec_reports(id, module, at, output, playbook,
                 '{"excluded_keywords": ["stock"], "keyword_exclusions": [
                    {"value": "search", "expires_at": "2026-01-05"},
                    {"value": "cheap search budget now", "match_type": "semantic", "semantic_sensitivity": "medium"}]}',
                 '2026-01-05 12:00+00') AS all_of FROM reports) AS c,
       jsonb_array_elements(all_of->'recommendations') AS item, jsonb_array_elements(item->'conflicts') AS conflict
 ORDER BY 1, 2, 3, 4;

\echo -- the rest of the whole document
SELECT all_of->'deprioritized'->0->>'action' AS dropped, all_of->'deprioritized'->0->'moduleIds' AS by,
       all_of->'deprioritized'->1->'ids' AS also, all_of->'overallConfidence' AS confidence,
       all_of->'confidenceBasis' AS basis, all_of->'dataFreshness' AS freshness, all_of->'modulesIncluded' AS modules
  FROM (SELECT execreport.consolidate_exec_reports(id, module, at, output, playbook, NULL, '2026-01-05 12:00+00') AS all_of
          FROM reports) AS c;
SELECT jsonb_pretty(execreport.consolidate_exec_reports(id, module, at, output, playbook, NULL, '2026-01-05 12:00+00')->'councilSynthesis')
  FROM reports;

\echo -- the plain functions over an array say the same
SELECT execreport.consolidate_insights(all_of) = i AS insights, execreport.consolidate_recommendations(all_of) = r AS recommendations,
       execreport.consolidate_exec_reports(all_of, '{"excluded_keywords": ["stock"]}', '2026-01-05 12:00+00') = e AS everything
  FROM (SELECT jsonb_agg(jsonb_build_object('id', id, 'moduleId', module, 'executedAt', at, 'output', output, 'playbookResult', playbook)) AS all_of,
               execreport.consolidate_insights(id, module, at, output, playbook) AS i,
               execreport.consolidate_recommendations(id, module, at, output, playbook) AS r,
               execreport.consolidate_exec_reports(id, module, at, output, playbook, '{"excluded_keywords": ["stock"]}', '2026-01-05 12:00+00') AS e
          FROM reports) AS c;

\echo -- nothing in, nothing out
SELECT execreport.consolidate_insights(id, module, at, output, playbook) AS insights,
       execreport.consolidate_recommendations(id, module, at, output, playbook) AS recommendations FROM reports WHERE false;
SELECT execreport.consolidate_exec_reports(id, module, at, output, playbook, NULL, now()) AS everything FROM reports WHERE false;
SELECT execreport.consolidate_exec_reports('[]') = execreport.consolidate_exec_reports(NULL, NULL, NULL, NULL, NULL, NULL, now()) AS same;
SELECT execreport.consolidate_insights(NULL::jsonb) IS NULL AS null_for_null;

\echo -- quadrants: high or not, low effort or not; unknown has none
SELECT item->>'action' AS impact_effort, item->>'quadrant' AS quadrant
  FROM (SELECT execreport.consolidate_recommendations(jsonb_build_array(jsonb_build_object('id', 'x', 'moduleId', 'm', 'output',
               jsonb_build_object('recommendations', jsonb_agg(jsonb_build_object('action', i || ' ' || e, 'impact', i, 'effort', e)))))) AS all_of
          FROM unnest(ARRAY['high', 'medium', 'low', 'some']) AS i, unnest(ARRAY['low', 'medium', 'high', 'some']) AS e) AS c,
       jsonb_array_elements(all_of) AS item ORDER BY 1;

\echo -- scales of confidence: the insights of a report by themselves, output.confidence by itself
SELECT reports.name, execreport.consolidate_insights(j)->0->'confidence' AS first_insight,
       execreport.consolidate_exec_reports(j)->'overallConfidence' AS overall, execreport.consolidate_exec_reports(j)->'confidenceBasis' AS basis
  FROM (VALUES ('unit', '[{"id":"x","moduleId":"m","output":{"insights":[{"title":"a","confidence":0.875}]}}]'::jsonb),
               ('percent', '[{"id":"x","moduleId":"m","output":{"insights":[{"title":"a","confidence":1,"severity":"high"}]},"playbookResult":{"insights":[{"title":"b","confidence":80}]}}]'),
               ('a real zero', '[{"id":"x","moduleId":"m","output":{"confidence":0,"insights":[{"title":"a","confidence":50}]}}]'),
               ('nobody said', '[{"id":"x","moduleId":"m","output":{"insights":[{"title":"a"}]}}]'),
               ('two modules', '[{"id":"x","moduleId":"m","output":{"confidence":0.95}},{"id":"y","moduleId":"n","output":{"confidence":40}}]'))
       AS reports(name, j);

\echo -- freshness: from the oldest of the newest
SELECT name, execreport.consolidate_exec_reports(j::jsonb, NULL, '2026-01-10 00:00+00')->>'dataFreshness' AS freshness
  FROM (VALUES ('23:59', '[{"id":"x","moduleId":"m","executedAt":"2026-01-09T00:01:00Z"}]'),
               ('24:00', '[{"id":"x","moduleId":"m","executedAt":"2026-01-09T00:00:00Z"}]'),
               ('167:59', '[{"id":"x","moduleId":"m","executedAt":"2026-01-03T00:01:00Z"}]'),
               ('168:00', '[{"id":"x","moduleId":"m","executedAt":"2026-01-03T02:00:00+02:00"}]'),
               ('one module''s old report', '[{"id":"x","moduleId":"m","executedAt":"2025-01-01"},{"id":"y","moduleId":"m","executedAt":"2026-01-09T12:00:00Z"}]'),
               ('another module is old', '[{"id":"x","moduleId":"n","executedAt":"2025-01-01"},{"id":"y","moduleId":"m","executedAt":"2026-01-09T12:00:00Z"}]'),
               ('unknown', '[{"id":"x","moduleId":"m"}]')) AS f(name, j);

\echo -- opposite verbs, in two languages, with negations
SELECT name, jsonb_array_length(r->0->'conflicts') + jsonb_array_length(r->1->'conflicts') = 2 AND r->0->'conflicts'->0->>'kind' = 'opposite' AS opposite
  FROM (SELECT a || ' / ' || b AS name, execreport.consolidate_recommendations(jsonb_build_array(jsonb_build_object('id', 'x', 'moduleId', 'm', 'output',
                 jsonb_build_object('recommendations', jsonb_build_array(jsonb_build_object('action', a), jsonb_build_object('action', b)))))) AS r
          FROM (VALUES ('Increase the search budget', 'Reduce search budget'), ('Aumentar el presupuesto', 'Reducir presupuesto'),
                       ('Invierta en la marca', 'Dejar de invertir en marca'), ('Launch TV ads', 'Stop TV ads'),
                       ('Invest in content', 'Stop investing in content'), ('Publish weekly posts', 'Stop publishing weekly posts'),
                       ('Scale up email', 'Scale down email'), ('Don''t cut prices', 'Cut prices'), ('Añadir páginas', 'Eliminar paginas'),
                       ('Increase prices', 'Reduce costs'), ('Increase prices', 'Raise prices')) AS p(a, b)) AS q;

\echo -- circular and missing dependencies, and those that were dropped
SELECT item->>'action' AS action, conflict->>'with' AS "with", conflict->>'reason' AS reason
  FROM jsonb_array_elements(execreport.consolidate_recommendations('[{"id":"x","moduleId":"m","output":{"recommendations":[
         {"id":"1","action":"A","dependencies":["2"]},{"id":"2","action":"B","dependencies":["3"]},{"id":"3","action":"C","dependencies":["1","4"]},
         {"id":"4","action":"D","dependencies":["5","nowhere"]},{"id":"5","action":"E"},{"id":"6","action":"F","dependencies":["b"]}]},
         "playbookResult":{"deprioritized":["5"]}}]')) AS item, jsonb_array_elements(item->'conflicts') AS conflict ORDER BY 1, 2;

\echo -- a module that both recommends and drops an action does not contradict itself, only others
SELECT list, item->'moduleIds' AS modules, item->'conflicts' AS conflicts
  FROM execreport.consolidate_exec_reports('[
         {"id":"x","moduleId":"a","output":{"recommendations":[{"id":"1","action":"Review"},{"id":"2","action":"review"}]},
          "playbookResult":{"deprioritized":["2"]}},
         {"id":"y","moduleId":"b","output":{"recommendations":[{"id":"1","action":"Review"}]},
          "playbookResult":{"deprioritized":["1"]}}]') AS answer,
       unnest(ARRAY['recommendations', 'deprioritized']) AS list, jsonb_array_elements(answer->list) AS item ORDER BY 1 DESC;

\echo -- errors name the place
\set VERBOSITY default
SAVEPOINT s;
SELECT execreport.consolidate_insights('exec-x', 'm', now(), '{"insights": [{}, {"title": 42}]}', NULL);
ROLLBACK TO s;
SELECT execreport.consolidate_insights('exec-x', 'm', now(), '{"insights": [{"confidence": 101}]}', NULL);
ROLLBACK TO s;
SELECT execreport.consolidate_recommendations('exec-x', 'm', now(), '{}', '{"deprioritized": [{"id": "r1"}]}');
ROLLBACK TO s;
SELECT execreport.consolidate_insights('[{"moduleId": "m", "output": {"insights": [{"keywords": ["a", {}]}]}}]');
ROLLBACK TO s;
SELECT execreport.consolidate_insights('[{"id": "x", "output": {}}]');
ROLLBACK TO s;
SELECT execreport.consolidate_exec_reports('[{"id":"x","moduleId":"m","output":{"recommendations":[{"action":"a"}]}}]', '{"keyword_exclusions": [{"value": "a", "match_type": "fuzzy"}]}');
ROLLBACK TO s;
SELECT execreport.consolidate_exec_reports('exec-x', 'm', now(), '{}', NULL, '{"excluded_keywords": [1]}', now());
ROLLBACK TO s;
SELECT execreport.consolidate_exec_reports(id, module, at, output, playbook, NULL, at) FROM reports;
ROLLBACK TO s;
ROLLBACK;
