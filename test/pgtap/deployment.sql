-- Deployment: six checks before and six after, each of which can fail, and none of which leaves anything.
BEGIN;
SELECT plan(25);

CREATE FUNCTION pg_temp.census() RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(c.relname || ' ' || (xpath('/row/n/text()', query_to_xml(format(CASE c.relkind WHEN 'S' THEN 'SELECT last_value AS n FROM execreport.%I'
                          ELSE 'SELECT count(*) AS n FROM execreport.%I' END, c.relname), false, true, '')))[1]::text, ', ' ORDER BY c.relname)
           || coalesce((SELECT string_agg(m::text, ', ' ORDER BY m::text) FROM execreport.metrics_rows() AS m WHERE m.name !~ '^execreport_'), '')
      FROM pg_class AS c WHERE c.relnamespace = 'execreport'::regnamespace AND c.relkind = 'r' $$;
CREATE FUNCTION pg_temp.failed(expected jsonb DEFAULT NULL) RETURNS TABLE (name text, details text, summary text) LANGUAGE sql AS $$
    SELECT name, details, summary FROM execreport.predeploy_check(expected) WHERE NOT passed $$;
SELECT execreport.create_tenant(591) IS NOT NULL;
CREATE TEMP TABLE before AS SELECT pg_temp.census() AS what;

SELECT results_eq($$ SELECT name, passed, severity, summary FROM execreport.predeploy_check() $$,
    $$ VALUES ('Database Migration', true, 'critical', '6/6'), ('Feature Flags', true, 'high', '6/6'), ('API Endpoints', true, 'critical', '6/6'),
              ('Performance', true, 'medium', '6/6'), ('Security', true, 'critical', '6/6'), ('Documentation', true, 'medium', '6/6') $$, 'six checks, by name, all passed');
SELECT is_empty($$ SELECT * FROM execreport.predeploy_check() WHERE details IS NULL OR duration IS NULL OR duration > '3 s' $$, 'with details and duration');
SELECT is(pg_temp.census(), (SELECT what FROM before), 'nothing is left behind');
SELECT ok(NOT EXISTS (SELECT FROM execreport.kill_switches), 'no switch either');

SELECT execreport.set_maintenance(true, 'a deployment'), execreport.set_maintenance(true, 'a deployment', 1);
SELECT is_empty('SELECT * FROM pg_temp.failed()', 'maintenance mode does not matter');
SELECT throws_ok('SELECT execreport.save_configuration(NULL, ''{}'')', 'PT503', 'a deployment', 'and goes on');
SELECT execreport.set_maintenance(false), execreport.set_maintenance(false, NULL, 1);

-- each can fail
SELECT execreport.update_flags(591, '{"execReportsEnabled": true, "reportsUiEnabled": true}') IS NOT NULL;
SELECT results_eq('SELECT * FROM pg_temp.failed()', $$ VALUES ('Feature Flags', 'Flags enabled: execReportsEnabled (tenant 591), reportsUiEnabled (tenant 591)', '5/6') $$, 'flags that are on');
SELECT is_empty($$ SELECT * FROM pg_temp.failed('{"execReportsEnabled": null, "reportsUiEnabled": null}') $$, 'those that may be either way are not looked at');
SELECT matches((SELECT details FROM pg_temp.failed('{"execReportsEnabled": true, "reportsUiEnabled": true}')), '^Flags disabled: execReportsEnabled \(tenant 1', 'expected to be on everywhere, it is not in tenant 1');
SELECT matches((SELECT details FROM pg_temp.failed('{"execReports": true}')), '^42704: ', 'an expectation that makes no sense has failed');
CREATE ROLE er_deployment_operator; CREATE ROLE er_deployment_viewer;
SELECT execreport.grant_access('er_deployment_operator', 591, 'operator'), execreport.grant_access('er_deployment_viewer', 591, 'viewer');
SET LOCAL ROLE er_deployment_operator;
SELECT is((SELECT min(summary) FROM execreport.predeploy_check('{"execReportsEnabled": true, "reportsUiEnabled": true}')), '6/6', 'an operator checks the own tenant');
SET LOCAL ROLE er_deployment_viewer;
SELECT throws_ok('SELECT * FROM execreport.predeploy_check()', '42501');
SELECT throws_ok('SELECT * FROM execreport.postdeploy_check()', '42501');
RESET ROLE;
SELECT execreport.update_flags(591, '{"execReportsEnabled": null, "reportsUiEnabled": null}') IS NOT NULL;

GRANT EXECUTE ON FUNCTION execreport.run_guards(timestamptz) TO PUBLIC;
SELECT results_eq('SELECT * FROM pg_temp.failed()', $$ VALUES ('Security', 'PUBLIC may use run_guards', '5/6') $$, 'a privilege of PUBLIC');
REVOKE EXECUTE ON FUNCTION execreport.run_guards(timestamptz) FROM PUBLIC;
ALTER TABLE execreport.exec_reports DISABLE ROW LEVEL SECURITY;
SELECT results_eq('SELECT * FROM pg_temp.failed()', $$ VALUES ('Security', 'no row security on exec_reports', '5/6') $$, 'a table without row security');
ALTER TABLE execreport.exec_reports ENABLE ROW LEVEL SECURITY;
COMMENT ON FUNCTION execreport.run_guards(timestamptz) IS 'Runs guards.';
SELECT results_eq('SELECT name, details FROM pg_temp.failed()', $$ VALUES ('Documentation', 'API documentation not updated: run_guards(now timestamp with time zone)') $$, 'a function without an example');
COMMENT ON FUNCTION execreport.run_guards(timestamptz) IS 'Example: x';
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'execreport.idx_exec_reports_config'::regclass;
SELECT results_eq('SELECT name, details FROM pg_temp.failed()', $$ VALUES ('Database Migration', 'indexes that are not valid: execreport.idx_exec_reports_config') $$, 'an index that is not valid');
UPDATE pg_index SET indisvalid = true WHERE indexrelid = 'execreport.idx_exec_reports_config'::regclass;
ALTER FUNCTION execreport.generate_master_report(integer, integer, timestamptz) RENAME TO gone;
CREATE FUNCTION execreport.generate_master_report(integer) RETURNS integer LANGUAGE sql AS 'SELECT 1';
SELECT results_eq($$ SELECT name, details FROM pg_temp.failed() WHERE name = 'API Endpoints' $$, $$ VALUES ('API Endpoints', 'generate_master_report(0) gave an answer instead of the feature disabled response') $$, 'a function that does not ask for its flag');
DROP FUNCTION execreport.generate_master_report(integer);
ALTER FUNCTION execreport.gone(integer, integer, timestamptz) RENAME TO generate_master_report;
ALTER TABLE execreport.exec_reports RENAME TO gone;
SELECT results_eq('SELECT name, left(details, 5), summary FROM pg_temp.failed()', $$ VALUES ('Database Migration', '42P01', '3/6'), ('Performance', '42P01', '3/6'), ('Security', 'a tex', '3/6') $$, 'a check that crashes has failed, the others go on');
ALTER TABLE execreport.gone RENAME TO exec_reports;

-- afterwards
SELECT results_eq($$ SELECT name, severity FROM execreport.postdeploy_check() $$,
    $$ VALUES ('Health', 'critical'), ('Feature Flags', 'high'), ('Kill Switches', 'high'), ('Guards', 'high'), ('Metrics', 'medium'), ('Notifications', 'medium') $$, 'six checks afterwards');
SELECT is((SELECT min(summary) FROM execreport.postdeploy_check()), '6/6', 'all passed');
SELECT results_eq($$ SELECT name, details FROM execreport.postdeploy_check('{"execReportsEnabled": true}') WHERE NOT passed $$,
    $$ VALUES ('Feature Flags', 'Flags disabled: execReportsEnabled (tenant 1, 591)') $$, 'a flag that should be on');
SELECT count(*) FROM execreport.emergency_rollback('reports-ui', '{591}', 'test');
SELECT results_eq($$ SELECT name, details FROM execreport.postdeploy_check() WHERE NOT passed $$,
    $$ VALUES ('Kill Switches', 'engaged: reportsUiEnabled in tenant 591 (test)'), ('Notifications', 'Emergency rollback: reports-ui in tenant 591: test') $$, 'a rollback shows');
ALTER TABLE execreport.exec_reports ADD CONSTRAINT broken CHECK (configuration_id > 0) NOT VALID;
SELECT results_eq($$ SELECT name FROM execreport.postdeploy_check() WHERE NOT passed ORDER BY 1 $$, $$ VALUES ('Guards'), ('Health'), ('Kill Switches'), ('Notifications') $$, 'so does what is broken');
SELECT is((SELECT count(*) FROM execreport.exec_reports WHERE configuration_id = 0) + (SELECT count(*) FROM execreport.master_reports WHERE configuration_id = 0), 0::bigint, 'and nothing is left');

SELECT * FROM finish();
ROLLBACK;
