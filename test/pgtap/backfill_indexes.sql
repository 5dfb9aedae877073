-- Each index of collections and segments serves the query that it is for, over 100,000 rows of each and two tenants.
BEGIN;
SELECT plan(18);

SELECT tenant_id FROM execreport.create_tenant(921);
INSERT INTO execreport.workflows (tenant_id, workflow_id, name)
SELECT 921, md5('w' || n)::uuid, 'w' || n FROM generate_series(1, 50) AS n;
INSERT INTO execreport.report_data_collections (tenant_id, collection_id, workflow_id, user_id, lookback_config, segmentation_config, start_date, end_date,
                                               request_key, started_at, pending_segments, completed_segments, status, check_at)
SELECT 921, md5('c' || n)::uuid, md5('w' || 1 + n % 50)::uuid, 'user ' || n / 500 % 20,
       jsonb_build_object('type', 'custom', 'startDate', date '2020-01-01' + n % 2000, 'endDate', date '2020-01-10' + n % 2000),
       jsonb_build_object('type', (ARRAY['daily', 'weekly', 'monthly'])[1 + n % 3], 'parallel_limit', 1 + n % 10, 'tag', n % 1000),
       date '2020-01-01' + n % 2000, date '2020-01-10' + n % 2000, 'key ' || n, now(), (n % 500 = 0)::integer, 10,
       CASE WHEN n % 500 = 0 THEN 'in_progress' ELSE 'completed' END::execreport.backfill_status_enum,
       CASE WHEN n % 1000 = 0 THEN now() + n * interval '1 s' ELSE 'infinity' END
  FROM generate_series(1, 100000) AS n;
INSERT INTO execreport.report_data_segments (tenant_id, collection_id, segment_start, segment_end, status, lease_until, ready_at)
SELECT 921, md5('c' || 1 + n % 2000)::uuid, date '2020-01-01' + n / 2000 * 7, date '2020-01-07' + n / 2000 * 7, s.status::execreport.segment_status_enum,
       CASE s.status WHEN 'running' THEN now() + n * interval '1 s' END,
       CASE WHEN s.status = 'pending' AND n % 3 = 0 THEN now() + n * interval '1 s' ELSE '-infinity' END
  FROM generate_series(0, 99999) AS n,
       LATERAL (SELECT CASE WHEN n % 300 = 0 THEN 'running' WHEN n % 100 = 1 THEN 'pending' WHEN n % 1000 = 2 THEN 'failed' ELSE 'completed' END AS status) AS s;
ANALYZE execreport.report_data_collections, execreport.report_data_segments, execreport.workflows;
SET LOCAL execreport.tenant_id = 921;

CREATE FUNCTION pg_temp.indexes(query text) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
    plan jsonb;
BEGIN
    EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
    RETURN (SELECT array_agg(DISTINCT i #>> '{}' ORDER BY i #>> '{}') FROM jsonb_path_query(plan, 'strict $.**."Index Name"') AS i);
END $$;
CREATE FUNCTION pg_temp.served(query text, index text) RETURNS text LANGUAGE sql AS $$
SELECT is(pg_temp.indexes(query), ARRAY[index], index || ' serves ' || left(query, 120)) $$;

SELECT pg_temp.served($$ SELECT * FROM execreport.report_data_collections WHERE tenant_id = 921 AND lookback_config @> '{"startDate": "2021-05-05"}' $$, 'report_data_collections_lookback_idx');
SELECT pg_temp.served($$ SELECT * FROM execreport.report_data_collections WHERE tenant_id = 921 AND segmentation_config @> '{"tag": 77, "type": "weekly"}' $$, 'report_data_collections_segmentation_idx');
SELECT pg_temp.served($$ SELECT * FROM execreport.report_data_collections WHERE tenant_id = 921 AND workflow_id = md5('w7')::uuid $$, 'report_data_collections_workflow_idx');
SELECT pg_temp.served($$ SELECT * FROM execreport.report_data_collections WHERE tenant_id = 921 AND status IN ('pending', 'in_progress') ORDER BY collection_id LIMIT 20 $$, 'report_data_collections_open_idx');
SELECT pg_temp.served($$ SELECT count(*) FROM execreport.report_data_collections WHERE tenant_id = 921 AND user_id = 'user 7' AND status IN ('pending', 'in_progress') $$, 'report_data_collections_user_idx');
SELECT pg_temp.served($$ SELECT * FROM execreport.report_data_collections WHERE tenant_id = 921 AND request_key = 'key 4711' $$, 'report_data_collections_request_idx');
SELECT pg_temp.served($$ SELECT * FROM execreport.report_data_weeks WHERE week_start BETWEEN '2020-03-04' AND '2020-03-10' AND week_end <= '2020-03-12' $$, 'report_data_segments_range_idx');
SELECT is(pg_temp.indexes($$ SELECT * FROM execreport.report_data_weeks WHERE collection_id = md5('c9')::uuid AND week_start BETWEEN '2020-03-01' AND '2020-04-01' $$),
    (SELECT array_agg(c.relname::text) FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid WHERE indrelid = 'execreport.report_data_segments'::regclass AND indisunique AND NOT indisprimary),
    'the unique key serves a collection''s range of days');
SELECT pg_temp.served($$ SELECT * FROM execreport.report_data_segments WHERE tenant_id = 921 AND collection_id = md5('c2')::uuid AND segment_start >= '2020-03-01' AND status = 'pending' ORDER BY segment_start LIMIT 10 $$, 'report_data_segments_days_key');
SELECT pg_temp.served($$ SELECT status, count(*) FROM execreport.report_data_segments WHERE tenant_id = 921 AND collection_id = md5('c2')::uuid GROUP BY status $$, 'report_data_segments_days_key');
SELECT pg_temp.served($$ SELECT status, completed_segments, pending_segments FROM execreport.report_data_collections WHERE tenant_id = 921 AND collection_id = md5('c2')::uuid $$, 'report_data_collections_pkey');
SELECT pg_temp.served($$ SELECT * FROM execreport.report_data_collections WHERE tenant_id = 921 AND check_at <= now() + interval '1 min' AND check_at < 'infinity' $$, 'report_data_collections_check_idx');
SELECT pg_temp.served($$ SELECT min(ready_at) FROM execreport.report_data_segments WHERE tenant_id = 921 AND collection_id = md5('c2')::uuid AND ready_at > '-infinity' AND status = 'pending' $$, 'report_data_segments_retry_idx');
SELECT pg_temp.served($$ SELECT * FROM execreport.report_data_segments WHERE tenant_id = 921 AND segment_id = md5('x')::uuid AND lease_until IS NOT NULL $$, 'report_data_segments_pkey');

-- src/backfill_queue.c counts on the order of the columns, and on updates that change no index
SELECT is((SELECT string_agg(attname, ' ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'execreport.report_data_collections'::regclass AND attnum > 0),
    'tenant_id collection_id parallel_limit pending_segments running_segments completed_segments failed_segments cancelled_segments status '
    'next_start retry_at check_at control running_ids started_at finished_at pace_from pace_seconds workflow_id user_id lookback_config '
    'segmentation_config parameters start_date end_date request_key max_attempts retry_failed control_reason created_at', 'the columns of collections');
SELECT is((SELECT string_agg(attname, ' ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'execreport.report_data_segments'::regclass AND attnum > 0),
    'tenant_id segment_id collection_id segment_start segment_end status attempt fencing_token ready_at lease_until claimed_at completed_at '
    'row_count worker backend_pid backend_start backend_statement lost_leases error_message errors result', 'the columns of segments');
SELECT is_empty($$
    SELECT c.relname, a.attname FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
      JOIN pg_attribute AS a ON a.attrelid = i.indrelid
     WHERE i.indrelid = 'execreport.report_data_segments'::regclass
       AND a.attname IN ('status', 'attempt', 'fencing_token', 'lease_until', 'claimed_at', 'completed_at', 'row_count', 'worker', 'result')
       AND EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid AND d.refobjid = i.indrelid AND d.refobjsubid = a.attnum) $$,
    'no index of segments names a column that a claim or a completion changes');
SELECT is((SELECT count(*) FROM execreport.list_collections('{"lookback": {"startDate": "2021-05-05"}}')), 50::bigint, 'list_collections finds the same');

SELECT * FROM finish();
ROLLBACK;
