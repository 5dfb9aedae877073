-- backfill_recount.sql: included by the tests of backfills.

-- rows of collections that do not say what their segments say
CREATE FUNCTION pg_temp.recount() RETURNS bigint LANGUAGE sql AS $$
SELECT count(*) FROM execreport.report_data_collections AS c
  LEFT JOIN LATERAL (SELECT count(*) FILTER (WHERE status = 'pending') AS p, count(*) FILTER (WHERE status = 'running') AS r, count(*) FILTER (WHERE status = 'completed') AS c,
                            count(*) FILTER (WHERE status = 'failed') AS f, count(*) FILTER (WHERE status = 'cancelled') AS x,
                            coalesce(array_agg(segment_id ORDER BY segment_id) FILTER (WHERE status = 'running'), '{}') AS ids,
                            bool_or(status = 'running' AND CASE lease_until WHEN 'infinity' THEN '-infinity' ELSE lease_until END < c.check_at
                                    OR status = 'pending' AND CASE ready_at WHEN '-infinity' THEN segment_start < c.next_start ELSE ready_at < c.retry_at END) AS overlooked
                       FROM execreport.report_data_segments AS s WHERE s.tenant_id = c.tenant_id AND s.collection_id = c.collection_id) AS n ON true
 WHERE (c.pending_segments, c.running_segments, c.completed_segments, c.failed_segments, c.cancelled_segments) <> (n.p, n.r, n.c, n.f, n.x)
    OR ARRAY(SELECT id FROM unnest(c.running_ids) AS id ORDER BY id) <> n.ids OR n.overlooked
    OR c.status <> CASE WHEN n.p + n.r > 0 THEN CASE WHEN c.started_at IS NULL THEN 'pending' ELSE 'in_progress' END WHEN n.c + n.f + n.x = 0 THEN 'pending'
                        WHEN n.f + n.x = 0 THEN 'completed' WHEN n.c = 0 THEN 'failed' ELSE 'partial' END::execreport.backfill_status_enum $$;
