-- demo.sql: the master report of the sample, as tables
\pset border 2
\pset linestyle unicode
\pset footer off
\pset null '-'
\pset columns 150
\pset format wrapped
SET TimeZone = 'UTC';
SELECT id FROM execreport.generate_master_report(1) \gset
\echo
SELECT c.name AS "Master report", to_char(m.generated_at, 'YYYY-MM-DD HH24:MI') AS "generated (UTC)", m.context_version AS version,
       jsonb_array_length(m.modules_included) AS modules, m.overall_confidence || ' of 100' AS confidence, m.data_freshness AS data
  FROM execreport.get_latest_master_report(1) AS m JOIN execreport.configurations AS c USING (tenant_id, configuration_id);
\echo Insights, the most severe first
SELECT position AS "#", severity, "group" AS kind, title, array_length(modules, 1) AS modules, score AS confidence
  FROM execreport.master_report_items(:'id') WHERE section = 'insight' ORDER BY position;
\echo Recommendations, the greatest impact for the least effort first
SELECT position AS "#", title AS action, severity AS impact, detail
  FROM execreport.master_report_items(:'id') WHERE section = 'recommendation' ORDER BY position;
\echo What the modules dropped
SELECT title AS action, array_to_string(modules, ', ') AS "dropped by"
  FROM execreport.master_report_items(:'id') WHERE section = 'deprioritized' ORDER BY position;
\echo What it comes to
SELECT section, title FROM execreport.master_report_items(:'id') WHERE section IN ('theme', 'pattern', 'action')
 ORDER BY section <> 'theme', section <> 'pattern', position;
