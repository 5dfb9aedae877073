-- backfill_walk: a random walk through everything that can happen to a queue, in simulated time. Before each claim the
-- tables alone say what it has to give out; after each step the rows of the collections say what their segments say.
BEGIN;
SELECT plan(8);

SELECT tenant_id FROM execreport.create_tenant(924);
SET LOCAL execreport.tenant_id = 924;
SELECT execreport.create_workflow('walk') AS workflow \gset

CREATE FUNCTION pg_temp.wrong() RETURNS bigint LANGUAGE sql AS $$
SELECT count(*) FROM execreport.report_data_collections AS c
  LEFT JOIN LATERAL (SELECT count(*) FILTER (WHERE status = 'pending') AS p, count(*) FILTER (WHERE status = 'running') AS r, count(*) FILTER (WHERE status = 'completed') AS c,
                            count(*) FILTER (WHERE status = 'failed') AS f, count(*) FILTER (WHERE status = 'cancelled') AS x,
                            coalesce(array_agg(segment_id ORDER BY segment_id) FILTER (WHERE status = 'running'), '{}') AS ids,
                            bool_or(status = 'running' AND lease_until < c.check_at
                                    OR status = 'pending' AND CASE ready_at WHEN '-infinity' THEN segment_start < c.next_start ELSE ready_at < c.retry_at END) AS overlooked
                       FROM execreport.report_data_segments AS s WHERE s.tenant_id = c.tenant_id AND s.collection_id = c.collection_id) AS n ON true
 WHERE c.tenant_id = 924
   AND ((c.pending_segments, c.running_segments, c.completed_segments, c.failed_segments, c.cancelled_segments) <> (n.p, n.r, n.c, n.f, n.x)
        OR ARRAY(SELECT id FROM unnest(c.running_ids) AS id ORDER BY id) <> n.ids OR n.overlooked
        OR n.r > c.parallel_limit
        OR c.status <> CASE WHEN n.p + n.r > 0 THEN CASE WHEN c.started_at IS NULL THEN 'pending' ELSE 'in_progress' END WHEN n.c + n.f + n.x = 0 THEN 'pending'
                            WHEN n.f + n.x = 0 THEN 'completed' WHEN n.c = 0 THEN 'failed' ELSE 'partial' END::execreport.backfill_status_enum) $$;

-- what a claim has to give: ready segments and those whose lease is over, the oldest first, up to the limit of each collection
CREATE FUNCTION pg_temp.expected(batch integer, one uuid, at timestamptz) RETURNS uuid[] LANGUAGE plpgsql AS $$
DECLARE
    c record;
    answer uuid[] := '{}';
BEGIN
    FOR c IN SELECT * FROM execreport.report_data_collections AS stored
              WHERE stored.tenant_id = 924 AND control = 'active' AND (one IS NULL OR collection_id = one) ORDER BY collection_id LOOP
        answer := answer || ARRAY(
            SELECT s.segment_id FROM execreport.report_data_segments AS s
             WHERE s.tenant_id = 924 AND s.collection_id = c.collection_id
               AND (s.status = 'pending' AND s.ready_at <= at OR s.status = 'running' AND s.lease_until <= at AND s.attempt < c.max_attempts)
             ORDER BY s.segment_start
             LIMIT least(batch - cardinality(answer), c.parallel_limit - (SELECT count(*) FROM execreport.report_data_segments AS r
                 WHERE r.tenant_id = 924 AND r.collection_id = c.collection_id AND r.status = 'running' AND r.lease_until > at)));
        EXIT WHEN cardinality(answer) = batch;
    END LOOP;
    RETURN answer;
END $$;

CREATE TEMP TABLE steps (n integer, action text, wrong text);
CREATE FUNCTION pg_temp.walk(workflow uuid, count integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    at timestamptz := '2025-06-01 00:00+00';
    ids uuid[];
    one uuid;
    dice double precision;
    action text;
    wrong text;
    batch integer;
    expect uuid[];
    given uuid[];
    s record;
    before integer;
BEGIN
    FOR n IN 1 .. count LOOP
        dice := random();
        wrong := NULL;
        at := at + random() * CASE WHEN random() < 0.03 THEN 400 ELSE 4 END * interval '1 s';
        ids := ARRAY(SELECT collection_id FROM execreport.report_data_collections AS c WHERE c.tenant_id = 924 ORDER BY 1);
        one := ids[1 + floor(random() * cardinality(ids))];
        -- some segment that runs or has run, with its newest token or an old one
        SELECT r.* INTO s FROM execreport.report_data_segments AS r
         WHERE r.tenant_id = 924 AND r.fencing_token > 0 AND (r.status = 'running' OR random() < 0.05) ORDER BY random() LIMIT 1;
        IF cardinality(ids) < 4 OR dice < 0.004 THEN
            action := 'start';
            PERFORM execreport.start_backfill(workflow, '2025-01-01', date '2025-01-01' + (random() * 30)::integer,
                jsonb_build_object('type', 'daily', 'parallel_limit', 1 + floor(random() * 10), 'retry_failed', random() < 0.8));
        ELSIF dice < 0.40 THEN
            action := 'claim';
            batch := 1 + floor(random() * random() * 25);
            IF random() < 0.5 THEN
                one := NULL;
            END IF;
            expect := pg_temp.expected(batch, one, at);
            given := ARRAY(SELECT g.segment_id FROM execreport.claim_segments('w', batch, (1 + random() * 60) * interval '1 s', one, at) AS g);
            IF given <> expect THEN
                wrong := format('%s instead of %s', given, expect);
            END IF;
        ELSIF dice < 0.65 AND s.segment_id IS NOT NULL THEN
            action := 'complete';
            IF execreport.complete_segment(s.segment_id, s.fencing_token, 1, now => at) <> (s.status = 'running')
               OR execreport.complete_segment(s.segment_id, s.fencing_token - 1, 1, now => at) THEN
                wrong := 'answer';
            END IF;
        ELSIF dice < 0.72 THEN
            action := 'complete many';
            SELECT count(*) INTO before FROM execreport.report_data_segments AS r WHERE r.tenant_id = 924 AND r.segment_start < '2025-01-10' AND r.status = 'running';
            IF cardinality(execreport.complete_segments(ARRAY(SELECT r.segment_id FROM execreport.report_data_segments AS r WHERE r.tenant_id = 924 AND r.segment_start < '2025-01-10' ORDER BY 1),
                                                        ARRAY(SELECT r.fencing_token FROM execreport.report_data_segments AS r WHERE r.tenant_id = 924 AND r.segment_start < '2025-01-10' ORDER BY r.segment_id),
                                                        now => at)) <> before THEN
                wrong := 'answer';
            END IF;
        ELSIF dice < 0.83 AND s.segment_id IS NOT NULL THEN
            action := 'fail';
            IF execreport.fail_segment(s.segment_id, s.fencing_token, 'e', (ARRAY['retryable', 'rate_limited', 'permanent'])[1 + floor(random() * random() * 3)], at) <> (s.status = 'running') THEN
                wrong := 'answer';
            END IF;
        ELSIF dice < 0.86 AND s.segment_id IS NOT NULL THEN
            action := 'snooze';
            IF execreport.snooze_segment(s.segment_id, s.fencing_token, CASE WHEN random() < 0.1 THEN '-infinity' ELSE at + random() * 60 * interval '1 s' END) <> (s.status = 'running') THEN
                wrong := 'answer';
            END IF;
        ELSIF dice < 0.90 AND s.segment_id IS NOT NULL THEN
            action := 'heartbeat';
            IF (execreport.heartbeat_segment(s.segment_id, s.fencing_token, (1 + random() * 60) * interval '1 s', at) = 'lost') <> (s.status <> 'running') THEN
                wrong := 'answer';
            END IF;
        ELSIF dice < 0.92 THEN
            action := 'pause';
            PERFORM execreport.pause_backfill(one);
        ELSIF dice < 0.955 THEN
            action := 'resume';
            PERFORM execreport.resume_backfill(one);
        ELSIF dice < 0.965 THEN
            action := 'cancel';
            PERFORM execreport.cancel_backfill(one);
        ELSIF dice < 0.98 THEN
            action := 'redrive';
            PERFORM execreport.redrive_segments(one);
        ELSE
            action := 'reprocess';
            PERFORM execreport.reprocess_backfill(one, (ARRAY['missing', 'failed', 'all'])[1 + floor(random() * 3)]);
        END IF;
        IF pg_temp.wrong() > 0 THEN
            wrong := coalesce(wrong || ' and ', '') || 'miscounted';
        END IF;
        INSERT INTO steps VALUES (n, action, wrong);
    END LOOP;
END $$;

SELECT setseed(0.4711);
SELECT pg_temp.walk(:'workflow', 800);
SELECT is_empty('SELECT * FROM steps WHERE wrong IS NOT NULL ORDER BY n LIMIT 5', 'every claim gives what it has to, every answer is right, every row is');
SELECT is((SELECT count(DISTINCT action) FROM steps), 12::bigint, 'all kinds of steps were taken');
SELECT ok((SELECT count(*) FROM execreport.report_data_segments AS s WHERE s.tenant_id = 924 AND s.status = 'completed') > 50
          AND (SELECT sum(s.lost_leases) FROM execreport.report_data_segments AS s WHERE s.tenant_id = 924) > 50, 'segments were completed, leases were lost');

-- the tables are the queue's: with a trigger or a further column it refuses
SELECT execreport.start_backfill(:'workflow', '2025-01-01', '2025-01-03', '{"type": "daily"}') AS id \gset
SELECT lives_ok('SELECT execreport.claim_segments(''w'')', 'a claim');
CREATE TRIGGER er_strange BEFORE UPDATE ON execreport.report_data_segments FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
SELECT throws_ok('SELECT execreport.claim_segments(''w'')', '0A000', NULL, 'not with a trigger');
DROP TRIGGER er_strange ON execreport.report_data_segments;
SELECT lives_ok('SELECT execreport.claim_segments(''w'')', 'without it again');

-- the same segment twice in one list, and lists with gaps
SELECT segment_id, fencing_token FROM execreport.claim_segments('w', 1, collection_id => :'id') \gset
SELECT is(execreport.complete_segments(ARRAY[:'segment_id', :'segment_id', NULL]::uuid[], ARRAY[:fencing_token, :fencing_token, 1]::bigint[]), ARRAY[:'segment_id']::uuid[], 'completed once');
SELECT is(pg_temp.wrong(), 0::bigint, 'and counted once');

SELECT * FROM finish();
ROLLBACK;
