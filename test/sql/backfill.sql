\set SHOW_CONTEXT never
-- backfill: a window from its first claim to its end, as a worker outside the database sees it
CREATE ROLE er_worker; CREATE ROLE er_idler;
SELECT tenant_id FROM execreport.create_tenant(504);
SELECT execreport.grant_access('er_worker', 504, 'editor'), execreport.grant_access('er_idler', 504, 'viewer');
SET ROLE er_worker;
SELECT execreport.create_workflow('by hand') AS workflow \gset
SELECT execreport.start_backfill(:'workflow', '2025-01-01', '2025-02-03', '{"parallel_limit": 3}', 'january') AS id \gset
SELECT status, control, start_date, end_date, segmentation_config, total, pending FROM execreport.list_collections();
SELECT week_start, week_end, status, retry_count FROM execreport.report_data_weeks ORDER BY 1;
SELECT execreport.next_segment_at();

-- three at a time, the oldest first, each under a token of its own
CREATE TEMP TABLE mine AS SELECT * FROM execreport.claim_segments('worker 1', 10, '60 s', :'id', '2025-06-01 00:00+00');
SELECT segment_start, segment_end, attempt, fencing_token, lease_until AT TIME ZONE 'UTC' AS lease_until FROM mine ORDER BY 1;
SELECT * FROM execreport.claim_segments('worker 2', 1, '60 s', :'id', '2025-06-01 00:00+00');
SELECT execreport.heartbeat_segment(segment_id, fencing_token, '10 min', '2025-06-01 00:00:30+00') FROM mine WHERE segment_start = '2025-01-08';
SELECT execreport.complete_segment(segment_id, fencing_token, 700, '{"file": "a.csv"}', '2025-06-01 00:00:40+00') FROM mine WHERE segment_start = '2025-01-01';
SELECT execreport.complete_segment(segment_id, fencing_token) AS again FROM mine WHERE segment_start = '2025-01-01';
SELECT execreport.fail_segment(segment_id, fencing_token, 'HTTP 404', 'permanent', '2025-06-01 00:00:50+00') FROM mine WHERE segment_start = '2025-01-15';
SELECT status, total, completed, failed, running, pending, percent FROM execreport.backfill_progress(:'id');

-- another worker goes on; what its lease has lost comes first
SELECT segment_start, attempt, fencing_token FROM execreport.claim_segments('worker 2', 10, '60 s', now => '2025-06-01 00:10:30+00');
SELECT execreport.complete_segment(segment_id, fencing_token) AS late FROM mine WHERE segment_start = '2025-01-08';
SELECT execreport.heartbeat_segment(segment_id, fencing_token) AS late FROM mine WHERE segment_start = '2025-01-08';
SELECT cardinality(execreport.complete_segments(array_agg(segment_id), array_agg(fencing_token), array_agg(7), '2025-06-01 00:11+00'))
  FROM execreport.report_data_segments WHERE status = 'running';
SELECT segment_start, status, attempt, fencing_token, row_count, result, lost_leases, worker, error_message, errors #- '{0,at}' AS errors
  FROM execreport.report_data_segments ORDER BY 1;
SELECT status, total, completed, failed, running, pending, percent FROM execreport.backfill_progress(:'id');

-- what has failed is run again; then all is
SELECT execreport.redrive_segments(:'id');
SELECT status, pending FROM execreport.backfill_progress(:'id');
SELECT execreport.complete_segment(segment_id, fencing_token, 1) FROM execreport.claim_segments('worker 2');
SELECT status, completed, percent FROM execreport.backfill_progress(:'id');
SELECT execreport.reprocess_backfill(:'id', 'all');
SELECT execreport.pause_backfill(:'id', 'wait'), execreport.pause_backfill(:'id');
SELECT count(*) FROM execreport.claim_segments('worker 2');
SELECT execreport.resume_backfill(:'id'), execreport.cancel_backfill(:'id', 'enough');
SELECT status, total, pending FROM execreport.backfill_progress(:'id');

-- refused
SELECT execreport.start_backfill(:'workflow', '2025-01-01', '2025-01-31', request_key => 'january');
SELECT execreport.start_backfill(:'workflow', '2025-01-02', '2025-01-01');
SELECT execreport.start_backfill(:'workflow', '2025-01-01', '2025-01-31', '{"type": "hourly"}');
SELECT execreport.claim_segments('');
SELECT execreport.claim_segments('w', 1001);
SELECT execreport.claim_segments('w', 1, '0 s');
SELECT execreport.claim_segments('w', 1, NULL);
SELECT execreport.claim_segments('w', collection_id => '018f0000-0000-7000-8000-000000000000');
SELECT execreport.complete_segment('018f0000-0000-7000-8000-000000000000', 1, -1);
SELECT execreport.complete_segments('{018f0000-0000-7000-8000-000000000000}', '{1,2}');
SELECT execreport.complete_segments(NULL, '{1}');
SELECT execreport.fail_segment('018f0000-0000-7000-8000-000000000000', 1, 'x', 'fatal');
BEGIN READ ONLY;
SELECT execreport.claim_segments('w');
ROLLBACK;
SET ROLE er_idler;
SELECT execreport.claim_segments('w');
SELECT execreport.complete_segment('018f0000-0000-7000-8000-000000000000', 1);
RESET ROLE;
