\set SHOW_CONTEXT never
SET TimeZone = 'UTC'; SET DateStyle = 'ISO';
-- exec reports: stored once, read back, guarded, deleted
SELECT tenant_id FROM execreport.create_tenant(131, 'Reporting');
SELECT tenant_id FROM execreport.create_tenant(132, 'Neighbour');
SET execreport.tenant_id = 131;
SELECT context_hash AS hash1 FROM execreport.save_configuration(1, '{"brand": {"name": "Acme"}}') \gset
SELECT context_hash AS hash2 FROM execreport.save_configuration(1, '{"brand": {"name": "Acme Inc"}}') \gset

-- switched off: nothing is stored, and recording goes on without an id
\set VERBOSITY sqlstate
SELECT execreport.create_exec_report(1, 'keyword-gap', '{}');
\set VERBOSITY default
SELECT (execreport.record_module_execution(1, 'keyword-gap', '{"hasData": true, "insights": "as it comes"}') #- '{result,ucrSnapshot,validatedAt}')
       = jsonb_build_object('result', '{"hasData": true, "insights": "as it comes", "recommendations": [], "deprioritizedActions": []}'::jsonb
             || jsonb_build_object('ucrSnapshot', jsonb_build_object('hash', :'hash2', 'isCMOSafe', false))) AS answer;
SELECT count(*) FROM execreport.exec_reports WHERE tenant_id = 131;

SELECT execreport.update_flags(131, '{"execReportsEnabled": true}') IS NULL AS nothing \gset
SELECT id, configuration_id, module_id, context_version, context_hash = :'hash2' AS hash, executed_at, output, playbook_result,
       created_at = now() AS now, created_by
  FROM execreport.create_exec_report(1, 'keyword-gap', '{"hasData": true, "confidence": 0.8}', executed_at => '2026-03-01 10:00Z', id => 'exec-keyword-gap-a');
-- the same again; other content; another version
SELECT id, created_at < now() AS earlier FROM execreport.create_exec_report(1, 'keyword-gap', '{"confidence": 0.80, "hasData": true}', executed_at => '2026-03-01 10:00Z', id => 'exec-keyword-gap-a');
SELECT id FROM execreport.create_exec_report(1, 'keyword-gap', '{"hasData": true, "confidence": 0.8}', NULL, 2, id => 'exec-keyword-gap-a');
SELECT execreport.create_exec_report(1, 'keyword-gap', '{"hasData": true, "confidence": 0.9}', executed_at => '2026-03-01 10:00Z', id => 'exec-keyword-gap-a');
SELECT execreport.create_exec_report(1, 'keyword-gap', '{"hasData": true, "confidence": 0.8}', '{}', id => 'exec-keyword-gap-a');
SELECT execreport.create_exec_report(1, 'keyword-gap', '{"hasData": true, "confidence": 0.8}', context_version => 1, id => 'exec-keyword-gap-a');
SELECT execreport.create_exec_report(1, 'keyword-gap', '{"hasData": true, "confidence": 0.8}', executed_at => '2026-03-01 11:00Z', id => 'exec-keyword-gap-a');
SELECT id, context_version, context_hash = :'hash1' AS hash
  FROM execreport.create_exec_report(1, 'market-demand', '{}', '{"councilPrompt": "Act."}', 1, '2026-03-02 10:00Z', 'exec-market-demand-a');
-- ids of our own making
SELECT count(DISTINCT id), bool_and(id ~ '^exec-pricing-intelligence-[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$') AS form, count(DISTINCT executed_at) AS times
  FROM generate_series(1, 5) AS n, LATERAL execreport.create_exec_report(1, 'pricing-intelligence', '{}', NULL, 2 + 0 * n, NULL);

-- refused
SELECT execreport.create_exec_report(1, 'keyword-gap', NULL);
SELECT execreport.create_exec_report(1, 'keyword-gap', 'null');
SELECT execreport.create_exec_report(1, 'keyword-gap', '[]');
SELECT execreport.create_exec_report(1, NULL, '{}');
SELECT execreport.create_exec_report(1, '', '{}');
SELECT execreport.create_exec_report(1, 'keyword-gap', '{}', id => '');
SELECT execreport.create_exec_report(1, 'keyword-gap', '{}', executed_at => 'infinity');
SELECT execreport.create_exec_report(9, 'keyword-gap', '{}');
SELECT execreport.create_exec_report(NULL, 'keyword-gap', '{}');
SELECT execreport.create_exec_report(1, 'keyword-gap', '{}', context_version => 3);
SELECT execreport.create_exec_report(1, 'keyword-gap', '{"insights": [{"title": "a"}, {"title": "b", "confidence": 101}]}');
SELECT execreport.create_exec_report(1, 'keyword-gap', '{}', '{"deprioritized": ["r1", {"id": "r2"}]}');
SELECT execreport.create_exec_report(1, 'keyword-gap', '{}', '[]');
SELECT count(*) FROM execreport.exec_reports WHERE tenant_id = 131;

-- reading
SELECT id, context_version FROM execreport.get_exec_reports_by_configuration(1) WHERE module_id <> 'pricing-intelligence';
SELECT id FROM execreport.get_exec_reports_by_configuration(1, 1);
SELECT id FROM execreport.get_exec_reports_by_configuration(9);
SELECT module_id FROM execreport.get_exec_report_by_id('exec-market-demand-a');
SELECT count(*) FROM execreport.get_exec_report_by_id('nobody');
\set VERBOSITY sqlstate
SELECT execreport.exec_report_document('exec-market-demand-a');
SELECT execreport.exec_reports_response(1, 1);
\set VERBOSITY default
SELECT execreport.update_flags(131, '{"reportsApiEnabled": true}') IS NULL AS nothing \gset
SET TimeZone = 'Asia/Tokyo';
SELECT execreport.exec_report_document('exec-market-demand-a') - 'contextHash' AS document;
SET TimeZone = 'UTC';
SELECT execreport.exec_report_document('exec-keyword-gap-a') - 'contextHash' AS document;
SELECT execreport.exec_report_document('nobody') IS NULL AS unknown;
SELECT execreport.exec_reports_response(1, 1) = jsonb_build_object('execReports', jsonb_build_array(execreport.exec_report_document('exec-market-demand-a'))) AS answer;
SELECT execreport.exec_reports_response(9);

-- recording an execution
SELECT execreport.record_module_execution(1, 'content-performance', '{"hasData": true, "extra": 1, "insights": [{"title": "o"}]}',
    '{"insights": [{"title": "p"}], "recommendations": [{"action": "q"}], "deprioritized": ["r1"], "councilPrompt": "s"}') AS answer \gset
SELECT (:'answer'::jsonb -> 'result') - 'ucrSnapshot' - 'execReportId' AS result;
SELECT r.context_version, r.playbook_result ->> 'councilPrompt' AS prompt
  FROM execreport.get_exec_report_by_id(:'answer'::jsonb #>> '{result,execReportId}') AS r;
SELECT (:'answer'::jsonb #> '{result,ucrSnapshot}') - 'validatedAt' - 'hash' AS snapshot, :'answer'::jsonb #>> '{result,ucrSnapshot,hash}' = :'hash2' AS hash;
-- whatever the output holds, the answer is what the operators of jsonb would make of it
SELECT count(*) AS documents, count(*) FILTER (WHERE answer = expected AND answer::text = expected::text) AS equal
  FROM (SELECT execreport._module_answer(output, playbook, added) AS answer,
               jsonb_build_object('result', (output - 'execReportId') || jsonb_build_object(
                   'insights', coalesce(playbook -> 'insights', output -> 'insights', '[]'),
                   'recommendations', coalesce(playbook -> 'recommendations', output -> 'recommendations', '[]'),
                   'deprioritizedActions', coalesce(playbook -> 'deprioritized', '[]')) || added) AS expected
          FROM unnest(ARRAY['{}', '{"execReportId": 1}', '{"insights": null, "ñandú": 1.50, "": {"": [[]]}, "zz": true}',
                   '{"insights": [1], "ucrSnapshot": 5, "deprioritizedActions": ["x"], "recommendations": {"a": -1e40},
                     "confidence": 0.12345678901234567890, "hasData": false, "errors": [null, "e", {"b": [], "a": 2}]}']::jsonb[]) AS output,
               unnest(ARRAY['{}', '{"insights": null, "deprioritized": "r1"}', '{"insights": [{"a": 1.0}], "recommendations": 7,
                   "deprioritized": [], "execReportId": 3}']::jsonb[]) AS playbook,
               unnest(ARRAY['{}', '{"ucrSnapshot": {"hash": "h", "validatedAt": null}, "execReportId": "exec-1"}']::jsonb[]) AS added) AS a;
SELECT execreport.record_module_execution(1, 'content-performance', '{"insights": 5}');
SELECT execreport.record_module_execution(9, 'content-performance', '{}');
SELECT execreport.record_module_execution(1, 'content-performance', NULL);

-- deleting
SELECT execreport.delete_exec_report('exec-market-demand-a', NULL);
SELECT execreport.delete_exec_report('exec-market-demand-a', 'wrong data');
SELECT execreport.delete_exec_report('exec-market-demand-a', 'wrong data');
SELECT entity_id, previous_value - 'contextHash' AS previous_value, reason FROM execreport.audit_logs WHERE tenant_id = 131 AND entity_type = 'exec_report';

-- who may: the neighbour has the same numbers and ids, and its own rows alone
CREATE ROLE er_exec_viewer; CREATE ROLE er_exec_editor; CREATE ROLE er_exec_other;
SELECT execreport.grant_access('er_exec_viewer', 131, 'viewer'), execreport.grant_access('er_exec_editor', 131, 'editor'),
       execreport.grant_access('er_exec_other', 132, 'admin');
SET execreport.tenant_id = 132;
SELECT execreport.update_flags(132, '{"execReportsEnabled": true, "reportsApiEnabled": true}') IS NULL AS nothing \gset
RESET execreport.tenant_id;
SET ROLE er_exec_viewer;
SELECT id FROM execreport.get_exec_report_by_id('exec-keyword-gap-a');
SELECT execreport.exec_report_document('exec-keyword-gap-a') ->> 'moduleId' AS module;
SELECT execreport.create_exec_report(1, 'keyword-gap', '{}');
SELECT execreport.record_module_execution(1, 'keyword-gap', '{}');
SET ROLE er_exec_editor;
SELECT module_id, created_by FROM execreport.create_exec_report(1, 'keyword-gap', '{}');
SELECT execreport.record_module_execution(1, 'keyword-gap', '{}') #>> '{result,execReportId}' IS NOT NULL AS stored;
SELECT execreport.delete_exec_report('exec-keyword-gap-a', 'not mine to delete');
INSERT INTO execreport.exec_reports (id, configuration_id, module_id, context_version, context_hash, output) VALUES ('x', 1, 'x', 1, 'x', '{}');
SET ROLE er_exec_other;
SELECT execreport.create_exec_report(1, 'keyword-gap', '{}');
SELECT count(*) FROM execreport.save_configuration(1, '{}');
SELECT tenant_id, output FROM execreport.create_exec_report(1, 'keyword-gap', '{"hasData": false}', id => 'exec-keyword-gap-a');
SELECT tenant_id, output FROM execreport.get_exec_report_by_id('exec-keyword-gap-a');
SELECT count(*) FROM execreport.get_exec_reports_by_configuration(1);
SELECT count(*) FROM execreport.exec_reports;
SELECT execreport.exec_report_document('exec-keyword-gap-a') -> 'output' AS output;
SELECT execreport.delete_exec_report('exec-keyword-gap-a', 'ours alone');
SET execreport.tenant_id = 131;
SELECT execreport.get_exec_report_by_id('exec-keyword-gap-a');
SELECT execreport.create_exec_report(1, 'keyword-gap', '{}');
RESET execreport.tenant_id;
RESET ROLE;
SELECT count(*) FROM execreport.exec_reports WHERE tenant_id = 131 AND id = 'exec-keyword-gap-a';

SELECT execreport.delete_tenant(131, 'test is over'), execreport.delete_tenant(132, 'test is over');
SELECT count(*) FROM execreport.exec_reports WHERE tenant_id IN (131, 132);
DROP ROLE er_exec_viewer; DROP ROLE er_exec_editor; DROP ROLE er_exec_other;
DELETE FROM execreport.audit_logs WHERE tenant_id IN (131, 132);
