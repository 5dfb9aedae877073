\set SHOW_CONTEXT never
-- a report in four steps, by a role that works for tenant 501
CREATE ROLE er_builder; CREATE ROLE er_looker; CREATE ROLE er_stranger;
SELECT tenant_id FROM execreport.create_tenant(501);
SELECT tenant_id FROM execreport.create_tenant(502);
SELECT execreport.grant_access('er_builder', 501, 'editor'), execreport.grant_access('er_looker', 501, 'viewer'), execreport.grant_access('er_stranger', 502, 'editor');
SET ROLE er_builder;
SET execreport.user_id = 'ana';
SELECT execreport.create_workflow('sales') AS w \gset

SELECT execreport.save_draft(NULL, 'parameters', jsonb_build_object('workflow_id', :'w', 'asOf', '2025-06-15') || '{"lookback_config": {"type": "relative", "value": 14, "unit": "days"}}') AS d \gset
SELECT execreport.validate_parameters(jsonb_build_object('draftId', :'d'));
SELECT execreport.save_draft(:'d', 'schedule', '{"scheduleType": "backfill_with_schedule", "backfillConfig": {"periods": 3, "segmentation": "monthly"},
    "scheduleConfig": {"frequency": "daily", "time": "09:00", "timezone": "America/New_York"}}') = :'d' AS kept;
SELECT jsonb_pretty(execreport.preview_schedule(jsonb_build_object('draftId', :'d')));
SELECT execreport.review_report(jsonb_build_object('draftId', :'d')) #>> '{summary,text}' AS text;
SELECT execreport.submit_report(jsonb_build_object('draftId', :'d')) AS answer \gset
SELECT :'answer'::jsonb - 'submissionId' - 'collectionId' - 'scheduleId' AS answer;
SELECT s.segment_start, s.segment_end, s.status FROM execreport.report_data_segments AS s ORDER BY 1;
SELECT next_run_at AT TIME ZONE 'UTC' AS next_run, status, backfill_status, user_id FROM execreport.workflow_schedules;
SELECT step_completed, user_id, workflow_name, lookback_config, schedule_type, backfill_config FROM execreport.report_builder_activity ORDER BY created_at, audit_id;

-- again: the same answer; another document under the same key, and the same schedule anew, are refused
SELECT execreport.submit_report(jsonb_build_object('draftId', :'d')) = :'answer' AS same;
\set VERBOSITY sqlstate
SELECT execreport.submit_report(jsonb_build_object('draftId', :'d', 'asOf', '2025-06-16'));
SELECT execreport.submit_report(jsonb_build_object('workflowId', :'w', 'asOf', '2025-06-16') || '{"lookbackConfig": {"type": "relative", "value": 14, "unit": "days"},
    "scheduleConfig": {"frequency": "daily", "time": "09:00:00", "timezone": "America/New_York"}}');
SELECT execreport.submit_report('{"lookbackConfig": {"type": "relative", "value": 0, "unit": "days"}}');
SELECT execreport.save_draft(:'d', 'parameters', '{}');
SELECT execreport.save_draft(NULL, 'payment', '{}');
SELECT execreport.save_draft(NULL, 'review', '{"color": "red"}');
SELECT execreport.report_builder_history('{"step": "payment"}');
SELECT execreport.report_builder_history('{"workflowId": "x"}');
SELECT execreport.report_builder_history('{"from": "soon"}');
SELECT execreport.report_builder_history('{"from": "2025-06-15", "until": "2025-06-31T00:00:00Z"}');
SELECT execreport.report_builder_history('{"userId": 7}');
\set VERBOSITY default

-- what a scheduled run collects: the window of its own day
SELECT execreport.collect_schedule_run(r.run_id) AS c, r.run_id AS r FROM execreport.run_due_schedules('2025-06-15 13:00+00') AS r \gset
SELECT start_date, end_date, total FROM execreport.list_collections() WHERE collection_id = :'c';
SELECT execreport.collect_schedule_run(:'r') = :'c' AS same;

-- drafts belong to their user
SELECT execreport.save_draft(NULL, 'parameters', '{"lookbackConfig": {}}') AS d \gset
SET execreport.user_id = 'bob';
SELECT execreport.get_draft(:'d');
SELECT execreport.validate_parameters(jsonb_build_object('draftId', :'d')) #>> '{errors,0,code}' AS code;
RESET execreport.user_id;

-- another tenant's workflow does not exist; viewers look; nobody else comes in
SET ROLE er_stranger;
SELECT execreport.review_report(jsonb_build_object('workflowId', :'w', 'lookbackConfig', '{}'::jsonb)) #>> '{errors,0,code}' AS code;
\set VERBOSITY sqlstate
SELECT execreport.submit_report(jsonb_build_object('workflowId', :'w', 'lookbackConfig', '{}'::jsonb));
SELECT count(*) FROM execreport.report_submissions;
SELECT count(*) FROM execreport.report_builder_history();
SELECT execreport._submit_report(501, jsonb_build_object('workflowId', :'w', 'lookbackConfig', '{}'::jsonb), now());
SET ROLE er_looker;
SELECT execreport.preview_schedule(jsonb_build_object('workflowId', :'w', 'lookbackConfig', '{}'::jsonb)) -> 'valid' AS valid;
SELECT execreport.submit_report(jsonb_build_object('workflowId', :'w', 'lookbackConfig', '{}'::jsonb));
SELECT execreport.save_draft(NULL, 'parameters', '{}');
INSERT INTO execreport.report_drafts (step, steps, document) VALUES ('review', '{}', '{}');
SET execreport.max_submits_per_minute = 1000;
RESET ROLE;

SELECT execreport.revoke_access('er_builder', 501), execreport.revoke_access('er_looker', 501), execreport.revoke_access('er_stranger', 502);
DROP ROLE er_builder; DROP ROLE er_looker; DROP ROLE er_stranger;
