\set SHOW_CONTEXT never
SET TimeZone = 'UTC'; SET DateStyle = 'ISO';
-- master reports: made from the newest successful run of each module, once for the same input
SELECT tenant_id FROM execreport.create_tenant(141, 'Generating');
SELECT tenant_id FROM execreport.create_tenant(142, 'Neighbour');
SET execreport.tenant_id = 141;
SELECT context_hash AS hash FROM execreport.save_configuration(1, '{"brand": {"name": "Acme"}, "strategicIntent": {"primaryGoal": "grow"}}') \gset
\set VERBOSITY sqlstate
SELECT execreport.generate_master_report(1);
SELECT execreport.generate_master_reports();
SELECT execreport.create_master_report('{}');
\set VERBOSITY default
SELECT execreport.update_flags(141, '{"execReportsEnabled": true, "masterReportsEnabled": true, "reportsApiEnabled": true, "consolidationEnabled": true, "councilSynthesisEnabled": true}') IS NULL AS nothing \gset

-- unknown, or nothing to report
SELECT execreport.generate_master_report(9);
SELECT execreport.generate_master_report(NULL);
SELECT execreport.generate_master_report(1, 2);
SELECT execreport.generate_master_report(1, as_of => '2026-03-02 12:00Z');
SELECT execreport.generate_master_report(1, as_of => '-infinity');

SELECT id FROM execreport.create_exec_report(1, 'market-demand', '{"hasData": true, "confidence": 0.9,
    "insights": [{"title": "Old", "severity": "high", "category": "risk"}]}', executed_at => '2026-03-01 08:00Z', id => 'd-old');
SELECT id FROM execreport.create_exec_report(1, 'market-demand', '{"hasData": true, "confidence": 0.8, "insights": [{"title": "Demand rises", "severity": "high", "category": "opportunity"}],
    "recommendations": [{"id": "a", "action": "Publish a guide", "impact": "high", "effort": "low"}]}', executed_at => '2026-03-02 08:00Z', id => 'd-new');
SELECT id FROM execreport.create_exec_report(1, 'market-demand', '{"hasData": false, "confidence": 0}', executed_at => '2026-03-02 09:00Z', id => 'd-empty');
SELECT id FROM execreport.create_exec_report(1, 'market-demand', '{"errors": ["timeout"]}', executed_at => '2026-03-02 10:00Z', id => 'd-failed');
SELECT id FROM execreport.create_exec_report(1, 'keyword-gap', '{"confidence": 60, "insights": [{"title": "demand rises!", "priority": "medium", "type": "opportunity"}]}',
    '{"councilPrompt": "We suggest a guide."}', executed_at => '2026-03-02 07:00Z', id => 'k');

SELECT id AS first, id ~ '^master-1-1-[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$' AS form, context_version, context_hash = :'hash' AS hash,
       generated_at, modules_included, overall_confidence, confidence_basis, data_freshness, features
  FROM execreport.generate_master_report(1, as_of => '2026-03-02 12:00Z') \gset
SELECT :'form' AS form, :'hash' AS hash, :'generated_at' AS generated_at, :'modules_included' AS modules, :'overall_confidence' AS confidence,
       :'confidence_basis' AS basis, :'data_freshness' AS freshness, :'features' AS features;
SELECT section, position, "group", title, severity, score, modules, detail FROM execreport.master_report_items(:'first');
SELECT r.value ->> 'id' AS exec_report FROM execreport.get_latest_master_report(1), jsonb_array_elements(exec_reports) AS r ORDER BY 1;
SELECT ucr_snapshot FROM execreport.get_latest_master_report(1);

-- the same input: the same report, also a little later or earlier, and among many
SELECT id = :'first' AS same FROM execreport.generate_master_report(1, 1, '2026-03-02 12:00Z');
SELECT id = :'first' AS same FROM execreport.generate_master_report(1, as_of => '2026-03-02 15:00Z');
SELECT id = :'first' AS same FROM execreport.generate_master_report(1, as_of => '2026-03-02 11:00Z');
-- another: an earlier moment, the edges of freshness, other flags, another run, another version
SELECT id <> :'first' AS another, jsonb_array_length(exec_reports) AS reports, data_freshness, overall_confidence FROM execreport.generate_master_report(1, as_of => '2026-03-02 06:00Z');
SELECT id = :'first' AS same, data_freshness FROM execreport.generate_master_report(1, as_of => '2026-03-03 06:59:59.999999Z');
SELECT id <> :'first' AS another, data_freshness FROM execreport.generate_master_report(1, as_of => '2026-03-03 07:00Z');
SELECT data_freshness FROM execreport.generate_master_report(1, as_of => '2026-03-09 06:59:59.999999Z');
SELECT data_freshness FROM execreport.generate_master_report(1, as_of => '2026-03-09 07:00Z');
SELECT execreport.update_flags(141, '{"consolidationEnabled": false}') IS NULL AS nothing \gset
SELECT consolidated_insights, consolidated_recommendations, deprioritized, council_synthesis <> '{}' AS synthesis, overall_confidence, features
  FROM execreport.generate_master_report(1, as_of => '2026-03-10 00:00Z');
SELECT execreport.update_flags(141, '{"consolidationEnabled": true, "councilSynthesisEnabled": false}') IS NULL AS nothing \gset
SELECT jsonb_array_length(consolidated_insights) AS insights, council_synthesis, features
  FROM execreport.generate_master_report(1, as_of => '2026-03-10 00:00Z');
SELECT execreport.update_flags(141, '{"councilSynthesisEnabled": true}') IS NULL AS nothing \gset
SELECT features FROM execreport.generate_master_report(1, as_of => '2026-03-10 00:00Z');
SELECT features FROM execreport.get_latest_master_report(1);
SELECT execreport.delete_exec_report('d-new', 'wrong data');
SELECT r.value ->> 'id' AS exec_report FROM execreport.generate_master_report(1, as_of => '2026-03-11 00:00Z'), jsonb_array_elements(exec_reports) AS r ORDER BY 1;
SELECT context_version FROM execreport.save_configuration(1, '{"brand": {"name": "Acme Inc"}}');
SELECT execreport.generate_master_report(1, as_of => '2026-03-11 00:00Z');
SELECT id FROM execreport.create_exec_report(1, 'keyword-gap', '{"confidence": 1}', executed_at => '2026-03-10 23:00Z', id => 'k2');
SELECT context_version, ucr_snapshot, overall_confidence, data_freshness FROM execreport.generate_master_report(1, as_of => '2026-03-11 00:00Z');
SELECT context_version, overall_confidence FROM execreport.generate_master_report(1, 1, '2026-03-11 00:00Z');
SELECT context_version, generated_at FROM execreport.get_latest_master_report(1);
SELECT context_version, generated_at FROM execreport.get_master_reports_by_configuration(1);
SELECT count(*) FROM execreport.get_master_reports_by_configuration(9);
SELECT count(*) FROM execreport.get_latest_master_report(9);
SELECT count(*) FROM execreport.master_report_items('nobody');

-- several configurations: without reports, skipped
SELECT configuration_id FROM execreport.save_configuration(2, '{}');
SELECT configuration_id FROM execreport.save_configuration(3, '{}');
SELECT id FROM execreport.create_exec_report(3, 'keyword-gap', '{"confidence": 0}', id => 'k3');
SELECT configuration_id, context_version, overall_confidence, confidence_basis FROM execreport.generate_master_reports();
SELECT configuration_id FROM execreport.generate_master_reports('{3,2,3}');
SELECT configuration_id FROM execreport.generate_master_reports('{2}');
SELECT configuration_id FROM execreport.generate_master_reports('{}');
SELECT configuration_id FROM execreport.generate_master_reports('{1,9}');

-- documents
SELECT key, jsonb_typeof(value) FROM jsonb_each(execreport.master_report_document(:'first')) ORDER BY 1;
SELECT execreport.master_report_document(:'first') ->> 'generatedAt' AS generated_at;
SELECT execreport.master_report_document('nobody') IS NULL AS unknown;
SELECT execreport.master_reports_response(3) = jsonb_build_object('masterReports', jsonb_build_array(d), 'latest', d) AS answer
  FROM execreport.get_latest_master_report(3) AS m, execreport.master_report_document(m.id) AS d;
SELECT execreport.master_reports_response(2);
SELECT execreport.generate_master_report_response(3) = jsonb_build_object('masterReport', execreport.master_report_document(id)) AS answer
  FROM execreport.get_latest_master_report(3);
SELECT execreport.update_flags(141, '{"reportsApiEnabled": false}') IS NULL AS nothing \gset
\set VERBOSITY sqlstate
SELECT execreport.master_report_document(:'first');
SELECT execreport.master_reports_response(1);
SELECT execreport.generate_master_report_response(1);
\set VERBOSITY default
SELECT execreport.update_flags(141, '{"reportsApiEnabled": true}') IS NULL AS nothing \gset

-- one made elsewhere
\set document '{"id": "master-1-2-x", "configurationId": 1, "contextVersion": 2, "generatedAt": "2026-03-12T10:00:00Z", "ucrSnapshot": {"brand": null}, "execReports": [], "consolidatedInsights": [{"message": "m", "priority": "low"}], "consolidatedRecommendations": [], "councilSynthesis": {"keyThemes": ["t"], "crossModulePatterns": [], "prioritizedActions": []}, "modulesIncluded": ["m1"], "overallConfidence": 72.5, "dataFreshness": "fresh"}'
SELECT id, context_version, generated_at, overall_confidence, data_freshness, features FROM execreport.create_master_report(:'document');
SELECT id FROM execreport.create_master_report(:'document');
SELECT execreport.create_master_report(jsonb_set(:'document', '{overallConfidence}', '12'));
SELECT execreport.create_master_report(jsonb_set(:'document', '{configurationId}', '9'));
SELECT execreport.create_master_report(jsonb_set(:'document', '{contextVersion}', '3'));
SELECT execreport.create_master_report(jsonb_set(:'document', '{contextVersion}', '1.5'));
SELECT execreport.create_master_report(jsonb_set(:'document', '{dataFreshness}', '"old"'));
SELECT execreport.create_master_report(:'document'::jsonb - 'councilSynthesis');
SELECT execreport.create_master_report(:'document'::jsonb || '{"notes": 1}');
SELECT execreport.create_master_report(NULL);
SELECT context_version, id <> 'master-1-2-x' AS newer FROM execreport.get_latest_master_report(1);
SELECT section, title, severity, modules FROM execreport.master_report_items('master-1-2-x');

-- the neighbour, with the same numbers
CREATE ROLE er_master_viewer; CREATE ROLE er_master_other;
SELECT execreport.grant_access('er_master_viewer', 141, 'viewer'), execreport.grant_access('er_master_other', 142, 'admin');
SET execreport.tenant_id = 142;
SELECT execreport.update_flags(142, '{"execReportsEnabled": true, "masterReportsEnabled": true, "reportsApiEnabled": true}') IS NULL AS nothing \gset
RESET execreport.tenant_id;
SET ROLE er_master_viewer;
SELECT context_version, id <> 'master-1-2-x' AS newer FROM execreport.get_latest_master_report(1);
SELECT count(*) FROM execreport.master_report_items(:'first');
SELECT execreport.generate_master_report(1);
SELECT execreport.generate_master_reports();
SELECT execreport.create_master_report(:'document');
DELETE FROM execreport.master_reports;
SET ROLE er_master_other;
SELECT count(*) FROM execreport.get_master_reports_by_configuration(1);
SELECT count(*) FROM execreport.master_report_items(:'first');
SELECT execreport.master_report_document(:'first') IS NULL AS unknown;
SELECT execreport.generate_master_report(1);
SELECT count(*) FROM execreport.save_configuration(1, '{}');
SELECT id FROM execreport.create_master_report(:'document'::jsonb - 'contextVersion');
SELECT id, tenant_id FROM execreport.master_reports;
SELECT execreport.delete_configuration(1, 'ours alone');
RESET ROLE;
SELECT count(*) FROM execreport.master_reports WHERE tenant_id = 141 AND id = 'master-1-2-x';

SELECT execreport.delete_tenant(141, 'test is over'), execreport.delete_tenant(142, 'test is over');
SELECT count(*) FROM execreport.master_reports WHERE tenant_id IN (141, 142);
DROP ROLE er_master_viewer; DROP ROLE er_master_other;
DELETE FROM execreport.audit_logs WHERE tenant_id IN (141, 142);
