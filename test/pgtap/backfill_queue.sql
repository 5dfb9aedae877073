-- backfill_queue: retries and their delays, dead letters, leases in simulated time, batches, progress, tenants apart.
BEGIN;
SELECT plan(50);
\ir ../data/backfill_recount.sql
SELECT execreport.create_workflow('queue test') AS workflow \gset

-- 1. Five attempts; before the next one a random time up to 1, 2, 4, 8 s, for rate limits ten times that, never above 5 min.
SELECT execreport.start_backfill(:'workflow', '2025-01-01', '2025-01-01') AS id \gset
CREATE TEMP TABLE delays (class text, attempt integer, seconds double precision);
CREATE FUNCTION pg_temp.fail_all(collection uuid, kind text, rounds integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    at timestamptz := '2025-06-01 00:00+00';
    s record;
BEGIN
    FOR i IN 1 .. rounds LOOP
        LOOP
            SELECT * INTO s FROM execreport.claim_segments('w', 1, collection_id => collection, now => at);
            EXIT WHEN NOT FOUND;
            PERFORM execreport.fail_segment(s.segment_id, s.fencing_token, 'error ' || s.attempt, kind, now => at);
            INSERT INTO delays SELECT kind, s.attempt, extract(epoch FROM ready_at - at) FROM execreport.report_data_segments
                                WHERE segment_id = s.segment_id AND status = 'pending';
            at := at + interval '6 min';
        END LOOP;
        EXIT WHEN i = rounds;
        PERFORM execreport.redrive_segments(collection);
    END LOOP;
END $$;
SELECT pg_temp.fail_all(:'id', 'retryable', 100);
SELECT is((SELECT (status, attempt, jsonb_array_length(errors), error_message, fencing_token)::text FROM execreport.report_data_segments WHERE collection_id = :'id'),
    '(failed,5,50,"error 5",500)', 'after the fifth attempt it is failed; the last 50 errors are kept');
SELECT is((SELECT status FROM execreport.backfill_progress(:'id')), 'failed', 'and so is the backfill');
SELECT is((SELECT string_agg(attempt || ':' || n, ' ' ORDER BY attempt) FROM (SELECT attempt, count(*) AS n FROM delays GROUP BY attempt) AS d), '1:100 2:100 3:100 4:100', 'four delays per round');
SELECT is_empty($$ SELECT * FROM delays WHERE seconds < 0 OR seconds > 2 ^ (attempt - 1) $$, 'no delay is above its bound');
SELECT is_empty($$ SELECT attempt, avg(seconds) / 2 ^ (attempt - 1) FROM delays GROUP BY attempt HAVING avg(seconds) / 2 ^ (attempt - 1) NOT BETWEEN 0.3 AND 0.7
                      OR min(seconds) > 0.15 * 2 ^ (attempt - 1) OR max(seconds) < 0.85 * 2 ^ (attempt - 1) $$, 'they fill the whole range: full jitter');
UPDATE execreport.report_data_collections SET max_attempts = 12 WHERE collection_id = :'id';
DELETE FROM delays;
SELECT execreport.redrive_segments(:'id');
SELECT pg_temp.fail_all(:'id', 'rate_limited', 20);
SELECT ok(max(seconds) FILTER (WHERE attempt = 1) BETWEEN 1 AND 10 AND max(seconds) FILTER (WHERE attempt = 3) BETWEEN 4 AND 40, 'a rate limit waits ten times as long') FROM delays;
SELECT ok(max(seconds) BETWEEN 200 AND 300, 'but never above five minutes') FROM delays WHERE attempt >= 6;

-- 2. permanent, and retry_failed false: at once
SELECT execreport.start_backfill(:'workflow', '2025-01-01', '2025-01-02', '{"type": "daily"}') AS id \gset
SELECT execreport.fail_segment(segment_id, fencing_token, 'no', 'permanent') FROM execreport.claim_segments('w', 1, collection_id => :'id');
SELECT is((SELECT (total, failed, pending)::text FROM execreport.backfill_progress(:'id')), '(2,1,1)', 'a permanent error is not tried again');
SELECT is((SELECT errors - 'x' #- '{0,at}' FROM execreport.report_data_segments WHERE collection_id = :'id' AND status = 'failed'),
    '[{"attempt": 1, "class": "permanent", "error": "no", "worker": "w"}]', 'the history says who and why');
SELECT execreport.cancel_backfill(:'id');
SELECT execreport.start_backfill(:'workflow', '2025-01-01', '2025-01-02', '{"type": "daily", "retry_failed": false}') AS id \gset
SELECT execreport.fail_segment(segment_id, fencing_token, 'no') FROM execreport.claim_segments('w', 2, collection_id => :'id');
SELECT is((SELECT (status, failed)::text FROM execreport.backfill_progress(:'id')), '(failed,2)', 'without retries failures wait');
SELECT is((SELECT count(*) FROM execreport.claim_segments('w', 2, collection_id => :'id', now => now() + interval '1 year')), 0::bigint, 'for ever');
SELECT is(execreport.redrive_segments(:'id', ARRAY(SELECT segment_id FROM execreport.report_data_segments WHERE collection_id = :'id' AND segment_start = '2025-01-02')), 1, 'until one of them is redriven');
SELECT is((SELECT string_agg(segment_start || ' ' || attempt || ' ' || fencing_token, ',') FROM execreport.claim_segments('w', 2, collection_id => :'id')), '2025-01-02 1 2', 'and the token goes on rising');
SELECT execreport.cancel_backfill(:'id');

-- 3. Leases in simulated time.
SELECT execreport.start_backfill(:'workflow', '2025-01-01', '2025-01-03', '{"type": "daily", "parallel_limit": 2}') AS id \gset
SELECT count(*) FROM execreport.claim_segments('a', 5, '60 s', :'id', '2025-06-01 00:00:00+00');
SELECT is((SELECT count(*) FROM execreport.claim_segments('b', 5, '60 s', :'id', '2025-06-01 00:00:59.999+00')), 0::bigint, 'the limit holds while the leases do');
SELECT execreport.heartbeat_segment(segment_id, 1, '60 s', '2025-06-01 00:00:30+00') FROM execreport.report_data_segments WHERE collection_id = :'id' AND segment_start = '2025-01-02';
SELECT is((SELECT string_agg(segment_start || ' ' || attempt || ' ' || fencing_token, ',') FROM execreport.claim_segments('b', 5, '60 s', :'id', '2025-06-01 00:01:00+00')),
    '2025-01-01 2 2', 'what is over is retried at once and comes first; a heartbeat has kept the other');
SELECT is((SELECT (lost_leases, errors -> 0 ->> 'class', errors -> 0 ->> 'worker')::text FROM execreport.report_data_segments WHERE collection_id = :'id' AND segment_start = '2025-01-01'), '(1,lost,a)', 'the loss is recorded apart');
SELECT is((SELECT execreport.snooze_segment(segment_id, 2, '2025-06-01 01:00+00') FROM execreport.report_data_segments WHERE collection_id = :'id' AND segment_start = '2025-01-01'), true, 'put off');
SELECT is((SELECT (attempt, status)::text FROM execreport.report_data_segments WHERE collection_id = :'id' AND segment_start = '2025-01-01'), '(1,pending)', 'without using up an attempt');
SELECT is((SELECT string_agg(segment_start || ' ' || attempt, ',') FROM execreport.claim_segments('b', 5, '1 h', :'id', '2025-06-01 00:01:01+00')), '2025-01-03 1', 'meanwhile the next is given out');
SELECT is(execreport.next_segment_at(:'id'), '2025-06-01 00:01:30+00', 'and the next thing to happen is the end of a lease');
SELECT count(*) FROM execreport.claim_segments('c', 5, '1 h', :'id', '2025-06-01 00:10+00') AS again,
       LATERAL (SELECT execreport.complete_segment(again.segment_id, again.fencing_token, now => '2025-06-01 00:11+00')) AS done;
SELECT is(pg_temp.recount(), 0::bigint, 'the counters are the numbers of segments');
SELECT execreport.cancel_backfill(:'id');

-- 4. Five crashes are too many.
SELECT execreport.start_backfill(:'workflow', '2025-01-01', '2025-01-01') AS id \gset
SELECT is((SELECT string_agg(attempt::text, ' ' ORDER BY n) FROM generate_series(1, 7) AS n, execreport.claim_segments('w', 1, '1 s', :'id', '2025-06-01 00:00+00'::timestamptz + n * interval '1 min')),
    '1 2 3 4 5', 'a segment whose workers die is given out five times');
SELECT is((SELECT (status, failed)::text FROM execreport.backfill_progress(:'id')), '(failed,1)', 'then it is failed');

-- 5. Progress: one segment per 30 s.
SELECT execreport.start_backfill(:'workflow', '2025-01-01', '2025-01-10', '{"type": "daily", "parallel_limit": 1}') AS id \gset
SELECT count(execreport.complete_segment(s.segment_id, s.fencing_token, now => at + interval '30 s'))
  FROM (SELECT timestamptz '2025-06-01 00:00+00' + n * interval '30 s' AS at FROM generate_series(0, 5) AS n) AS t,
       LATERAL execreport.claim_segments('w', 1, '1 h', :'id', t.at) AS s;
SELECT is((SELECT (status, total, completed, pending, percent, segments_per_minute)::text FROM execreport.backfill_progress(:'id')), '(in_progress,10,6,4,60.00,2.00)', 'two segments per minute');
UPDATE execreport.report_data_collections SET pace_from = clock_timestamp() WHERE collection_id = :'id';
SELECT ok((SELECT eta - clock_timestamp() BETWEEN interval '100 s' AND interval '120 s' FROM execreport.backfill_progress(:'id')), 'four more take two minutes');
SELECT is_empty($$ SELECT * FROM execreport.backfill_progress(execreport._uuid7()) $$, 'an unknown backfill has none');
SELECT execreport.cancel_backfill(:'id');

-- 6. Two tenants: neither sees, claims nor touches what is the other's.
SELECT tenant_id FROM execreport.create_tenant(922), execreport.create_tenant(923) AS o (other);
CREATE ROLE er_q922; CREATE ROLE er_q923; CREATE ROLE er_q922_viewer;
SELECT execreport.grant_access('er_q922', 922, 'editor'), execreport.grant_access('er_q923', 923, 'editor'), execreport.grant_access('er_q922_viewer', 922, 'viewer');
SET LOCAL ROLE er_q922;
SELECT execreport.start_backfill(execreport.create_workflow('mine'), '2025-01-01', '2025-01-02', '{"type": "daily"}', 'same key') AS mine \gset
SELECT segment_id AS segment FROM execreport.claim_segments('w', 1) \gset
SET LOCAL ROLE er_q923;
SELECT is((SELECT count(*) FROM execreport.claim_segments('w', 100)) + (SELECT count(*) FROM execreport.list_collections()) + (SELECT count(*) FROM execreport.report_data_weeks)
    + (SELECT count(*) FROM execreport.report_data_segments) + (SELECT count(*) FROM execreport.backfill_progress(:'mine')) + (SELECT count(*) FROM execreport.workflows), 0::bigint, 'the other tenant sees and claims nothing');
SELECT is((execreport.complete_segment(:'segment', 1), execreport.fail_segment(:'segment', 1, 'x'), execreport.heartbeat_segment(:'segment', 1), execreport.complete_segments(ARRAY[:'segment']::uuid[], '{1}'))::text, '(f,f,lost,{})', 'nor touches it');
SELECT throws_ok(format('SELECT execreport.cancel_backfill(%L)', :'mine'), 'P0002', NULL, 'nor cancels it');
SELECT throws_ok(format('SELECT execreport._count_transitions(922, ARRAY[%L]::uuid[], ''{1}'', ''pending'', ''completed'', now(), false)', :'mine'), '42501', 'only functions of execreport count segments', 'nor its counters');
SET LOCAL ROLE er_q922_viewer;
SELECT throws_ok('SELECT execreport.claim_segments(''w'')', '42501', NULL, 'a viewer claims nothing');
RESET ROLE;

-- tables that somebody has changed: constraints hold, and what cannot be read is refused
SET LOCAL execreport.tenant_id = 922;
CREATE FUNCTION pg_temp.state_of(statements text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statements;
    RAISE EXCEPTION USING ERRCODE = 'ER000';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE;
END $$;
SELECT is(pg_temp.state_of(s || '; SELECT execreport.claim_segments(''w'', 1)'), state, s)
  FROM (VALUES (1, 'SELECT 1', 'ER000'), (2, 'ALTER TABLE execreport.report_data_collections ALTER control DROP NOT NULL; UPDATE execreport.report_data_collections SET control = NULL', '0A000'),
               (8, 'ALTER TABLE execreport.report_data_segments ADD extra text', '0A000'), (9, 'ALTER TABLE execreport.report_data_collections DROP created_at', '0A000'),
               (3, 'ALTER TABLE execreport.report_data_segments ALTER ready_at DROP NOT NULL', '0A000'), (4, 'ALTER TABLE execreport.report_data_segments ADD CHECK (worker <> ''w'') NOT VALID', '23514'),
               (5, 'ALTER TABLE execreport.report_data_segments ADD CHECK (worker <> ''v'') NOT VALID', 'ER000'), (6, 'ALTER TABLE execreport.report_data_collections ADD CHECK (running_segments < 2)', '23514'),
               (7, 'SET LOCAL client_min_messages = error; ALTER TABLE execreport.report_data_segments REPLICA IDENTITY NOTHING; CREATE PUBLICATION er_queue FOR TABLE execreport.report_data_segments', '55000')) AS v (n, s, state) ORDER BY n;
UPDATE execreport.report_data_collections SET running_ids = ARRAY[NULL, running_ids[1], NULL, NULL] WHERE collection_id = :'mine';
SELECT execreport.claim_segments('w', 1) IS NOT NULL AS claimed \gset
SELECT is((SELECT cardinality(running_ids) FROM execreport.report_data_collections WHERE collection_id = :'mine'), 2, 'nulls among the running ids are left out');
SELECT throws_ok(format('SELECT execreport.claim_segments(''w'', now => %L)', now), '22023', 'now is ' || now, 'a lease has an end')
  FROM unnest(ARRAY['infinity', '-infinity', '294276-12-31 23:59:59.999999+00']) AS now;
SELECT throws_ok(format('SELECT execreport.%s(segment_id, fencing_token, %s now => ''infinity'') FROM execreport.report_data_segments WHERE status = ''running''', f, a), '22023', 'now is infinity', f || ': it would never be tried again')
  FROM (VALUES ('heartbeat_segment', ''), ('fail_segment', '''x'',')) AS v (f, a);
SELECT throws_ok(format('SELECT execreport.%s(segment_id, fencing_token, %s now => ''294276-12-31 23:59:59.999999+00'') FROM execreport.report_data_segments WHERE status = ''running''', f, a), '22023', NULL, f || ': no time counts from the end of the calendar')
  FROM (VALUES ('heartbeat_segment', ''), ('fail_segment', '''x'',')) AS v (f, a);

-- columns that somebody added and dropped again change nothing
ALTER TABLE execreport.report_data_collections ADD extra text NOT NULL DEFAULT repeat('x', 9000); ALTER TABLE execreport.report_data_collections DROP extra;
ALTER TABLE execreport.report_data_segments ADD extra text NOT NULL DEFAULT 'x', ADD more integer; ALTER TABLE execreport.report_data_segments DROP extra, DROP more;
SELECT execreport.start_backfill(execreport.create_workflow('altered'), '2025-01-01', '2025-01-03', '{"type": "daily"}') AS id \gset
CREATE TEMP TABLE taken AS SELECT * FROM execreport.claim_segments('w', 2, collection_id => :'id');
SELECT is((SELECT array_agg(execreport.complete_segment(segment_id, fencing_token, 7)) FROM taken), '{t,t}', 'segments are claimed and completed');
SELECT is((SELECT (completed_segments, pending_segments, row_count)::text FROM execreport.report_data_collections AS c, LATERAL (SELECT sum(s.row_count) AS row_count FROM execreport.report_data_segments AS s WHERE s.collection_id = c.collection_id) AS s
           WHERE c.collection_id = :'id'), '(2,1,14)', 'with what they hold');

SELECT * FROM finish();
ROLLBACK;
