\set SHOW_CONTEXT never
-- workflows: what can be run, stored by name; who may make them; what is refused
CREATE ROLE er_flow; CREATE ROLE er_flow_viewer;
SELECT tenant_id FROM execreport.create_tenant(503);
SELECT execreport.grant_access('er_flow', 503, 'editor'), execreport.grant_access('er_flow_viewer', 503, 'viewer');
CREATE FUNCTION public.er_flow_fill(first date, last date, parameters jsonb) RETURNS bigint LANGUAGE sql AS 'SELECT (last - first + 1)::bigint';
CREATE FUNCTION public.er_flow_wrong(day text) RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint';
SET ROLE er_flow;
SET execreport.user_id = 'ana';

SELECT execreport.create_workflow('by hand') AS plain \gset
SELECT execreport.create_workflow('filled', 'public.er_flow_fill(date, date, jsonb)', '{"market": "DE"}') AS filled \gset
SELECT tenant_id, name, executor, parameters FROM execreport.workflows ORDER BY name;

-- it runs by the name that is stored
SELECT execreport.start_backfill(:'filled', '2025-01-01', '2025-01-10') AS id \gset
\set VERBOSITY terse
CALL execreport.run_backfill(:'id');
\set VERBOSITY default
SELECT segment_start, segment_end, status, row_count FROM execreport.report_data_segments WHERE collection_id = :'id' ORDER BY 1;
-- several sessions may work on it, so it does so at READ COMMITTED, whatever the session's default is
RESET ROLE;
CREATE FUNCTION public.er_flow_level(first date, last date, parameters jsonb) RETURNS bigint LANGUAGE plpgsql AS
$$ BEGIN RAISE INFO '%', current_setting('transaction_isolation'); RETURN 1; END $$;
SET ROLE er_flow;
SELECT execreport.start_backfill(execreport.create_workflow('level', 'public.er_flow_level(date, date, jsonb)'), '2025-01-01', '2025-01-14') AS id \gset
SET default_transaction_isolation = 'serializable';
\set VERBOSITY terse
CALL execreport.run_backfill(:'id');
\set VERBOSITY default
RESET default_transaction_isolation;
-- one without an executor is for workers outside
SELECT execreport.start_backfill(:'plain', '2025-01-01', '2025-01-10') AS id \gset
CALL execreport.run_backfill(:'id');

-- refused
SELECT execreport.create_workflow(NULL);
SELECT execreport.create_workflow(' ');
SELECT execreport.create_workflow('x', 'public.er_flow_wrong(text)');
SELECT execreport.create_workflow('x', 'public.er_flow_none(date, date, jsonb)');
SELECT execreport.create_workflow('x', NULL, '[]');
RESET ROLE;
DROP FUNCTION public.er_flow_fill(date, date, jsonb);
SET ROLE er_flow;
SELECT execreport.start_backfill(:'filled', '2025-02-01', '2025-02-03') AS id \gset
CALL execreport.run_backfill(:'id');

-- a viewer sees them and makes none
SET ROLE er_flow_viewer;
SELECT name FROM execreport.workflows ORDER BY name;
SELECT execreport.create_workflow('mine');

RESET ROLE;
RESET execreport.user_id;
DROP FUNCTION public.er_flow_wrong(text);
