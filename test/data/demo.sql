-- demo.sql: shows the main job on the data of sample.sql
\pset linestyle unicode
\pset border 2
\pset format wrapped
\pset columns 118
\pset footer off
\pset null '–'

\pset title 'What the modules reported'
SELECT module_id AS module, jsonb_array_length(coalesce(output -> 'insights', '[]')) AS insights,
       jsonb_array_length(coalesce(output -> 'recommendations', '[]')) AS recommendations,
       output ->> 'confidence' AS confidence
  FROM execreport.get_exec_reports_by_configuration(1)
 ORDER BY module_id;

SELECT id AS report FROM execreport.generate_master_report(1) \gset

\pset title 'The master report'
SELECT c.brand ->> 'name' AS brand, m.context_version AS version, cardinality(m.modules) AS modules,
       m.overall_confidence || ' of 100' AS confidence, m.data_freshness AS freshness,
       jsonb_array_length(m.consolidated_insights) AS insights,
       jsonb_array_length(m.consolidated_recommendations) AS recommendations
  FROM (SELECT *, ARRAY(SELECT jsonb_array_elements_text(modules_included)) AS modules
          FROM execreport.get_latest_master_report(1)) AS m
  JOIN execreport.configurations AS c USING (tenant_id, configuration_id);

\pset title 'Insights, the gravest first'
SELECT position AS "no.", "group", severity, score AS conf, title, array_to_string(modules, E'\n') AS modules
  FROM execreport.master_report_items(:'report') WHERE section = 'insight' ORDER BY position;

\pset title 'Recommendations, quick wins first'
SELECT position AS "no.", title AS action, severity AS impact, detail
  FROM execreport.master_report_items(:'report') WHERE section = 'recommendation' ORDER BY position;

\pset title 'Dropped by a module'
SELECT title, array_to_string(modules, ', ') AS by FROM execreport.master_report_items(:'report')
 WHERE section = 'deprioritized' ORDER BY position;

\pset title 'Across the modules'
SELECT section, position AS "no.", title AS finding FROM execreport.master_report_items(:'report')
 WHERE section IN ('theme', 'pattern', 'action')
 ORDER BY array_position(ARRAY['theme', 'pattern', 'action'], section), position;
