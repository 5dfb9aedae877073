\set SHOW_CONTEXT never
-- The surface of metrics: what is refused and how it is said, and who may read what.
BEGIN;
CREATE ROLE regress_metrics_viewer;
CREATE ROLE regress_metrics_monitor IN ROLE pg_monitor;
CREATE ROLE regress_metrics_nobody;
SELECT tenant_id FROM execreport.create_tenant(550);
SELECT execreport.grant_access('regress_metrics_viewer', 550, 'viewer');

-- what cannot be meant
\set ON_ERROR_ROLLBACK on
SELECT execreport.metrics('json');
SELECT execreport.metric_rate('exec_reports', '{}', '5 minutes');
SELECT execreport.metric_rate(repeat('é', 100), '{}', '5 minutes');
SELECT execreport.metric_rate('exec_reports_created_total', '{"modul": "a"}', '5 minutes');
SELECT execreport.metric_rate('consolidation_duration_seconds', '{"module_id": "a"}', '5 minutes');
SELECT execreport.metric_rate('exec_reports_created_total', '["a"]', '5 minutes');
SELECT execreport.metric_rate('exec_reports_created_total', '{"module_id": {"a": 1}}', '5 minutes');
SELECT execreport.metric_rate('exec_reports_created_total', '{}', '30 seconds');
SELECT execreport.metric_quantile('exec_reports_created_total', 0.95, '5 minutes');
SELECT execreport._metric_add(550, 'consolidation_duration_seconds', NULL);
SELECT execreport._metric_observe(550, 'scenario_imports_total', '{"result": "imported"}', 1);
SELECT execreport._metric_add(550, NULL, NULL);
SELECT execreport._metric_add(550, 'scenario_imports_total', '{"outcome": "imported"}');
SELECT execreport._metric_bounds('scenario_imports_total');
SELECT execreport._attempt_begin('report', 'a');
SELECT execreport._attempt_begin(NULL, 'a');

-- NULL asks nothing
SELECT execreport.metrics(NULL) IS NULL AS text, execreport.metric_rate(NULL, '{}', '5 minutes') IS NULL AS rate,
       execreport.metric_quantile('consolidation_duration_seconds', NULL, '5 minutes') IS NULL AS quantile;
-- an end without a beginning is nothing
SELECT execreport._attempt_end();

-- a member reads the own tenant's, and makes up nothing
SET ROLE regress_metrics_viewer;
SELECT count(*) > 0 AS rows FROM execreport.metrics_rows();
SELECT execreport.metrics();
SELECT execreport.reset_metrics();
SELECT execreport._metric_add(550, 'exec_reports_created_total', '{"success": "false"}', 1000);
SELECT execreport._metric_observe(550, 'consolidation_duration_seconds', NULL, 1000);
SELECT execreport._attempt_begin('exec', 'a');
SELECT execreport._attempt_end();
SELECT execreport._metric_delta(NULL, 'exec_reports_created_total', NULL, now(), now());
SELECT execreport._metric_delta(551, 'exec_reports_created_total', NULL, now(), now());
SELECT count(*) FROM execreport._metric_tenants('exec_reports_created_total', now(), now());

-- a monitor reads all, and resets nothing
SET ROLE regress_metrics_monitor;
SELECT execreport.metrics() LIKE '%execreport_metrics_available %' AS text;
SELECT count(*) > 0 AS rows FROM execreport.metrics_rows() WHERE name = 'execreport_metrics_available';
SELECT execreport.metric_rate('consolidation_duration_seconds', NULL, NULL) IS NULL AS rate;
SELECT execreport.reset_metrics();

SET ROLE regress_metrics_nobody;
SELECT execreport.metrics();
RESET ROLE;
\unset ON_ERROR_ROLLBACK
ROLLBACK;
