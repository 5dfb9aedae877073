-- backfill_queue: segments are claimed, kept alive, completed, failed and put off; progress; the executor.
--
-- Delivery is at least once, and a fencing token says whose call still counts: it rises with every claim, and a call with
-- an older one changes nothing.
--
-- Claims and completions, the hot path, are in src/backfill_queue.c. Whatever is rare is here: leases that are lost, retries,
-- failures. A queue's statistics are never true, so its statements are kept from plans that would be good if they were: they are
-- planned once, without walks over whole tables (SET of heartbeat_segment and others). What runs has a lease (lease_until),
-- and only that. An executor's writes and its completion commit together, so their effect is exactly once.

CREATE TYPE execreport.segment_lease AS (
    segment_id    uuid,
    collection_id uuid,
    segment_start date,
    segment_end   date,
    attempt       integer,
    fencing_token bigint,
    lease_until   timestamptz
);
COMMENT ON TYPE execreport.segment_lease IS
'A claimed segment: its days (both inclusive), the number of the attempt, the token that later calls must show, and the
end of the lease.';

CREATE FUNCTION execreport._statement_runs(pid integer, started timestamptz, statement timestamptz) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- what this transaction has seen of the backends before may be out of date
    PERFORM pg_stat_clear_snapshot();
    RETURN EXISTS (SELECT FROM pg_stat_get_activity(pid) AS a
                    WHERE a.backend_start = started
                      AND (a.query_start = statement AND a.state = 'active' OR coalesce(a.state, 'disabled') = 'disabled'));
END
$$;
COMMENT ON FUNCTION execreport._statement_runs(integer, timestamptz, timestamptz) IS
'Does this backend still run this statement? Where a backend does not report its activity: is it still the same one?';

CREATE FUNCTION execreport._due_collections(tenant integer, at timestamptz) RETURNS uuid[]
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT coalesce(array_agg(c.collection_id ORDER BY c.collection_id), '{}')
      FROM execreport.report_data_collections AS c
     WHERE c.tenant_id = _due_collections.tenant AND c.check_at <= _due_collections.at AND c.check_at < 'infinity'
       -- leases that end with a statement are asked for by every claim: lock only where one has ended
       AND (c.check_at > '-infinity'
            OR EXISTS (SELECT FROM execreport.report_data_segments AS s
                        WHERE s.tenant_id = c.tenant_id AND s.segment_id = ANY (c.running_ids) AND s.status = 'running'
                          AND (s.lease_until <= _due_collections.at
                               OR s.backend_pid IS NOT NULL
                                  AND NOT execreport._statement_runs(s.backend_pid, s.backend_start, s.backend_statement))));
END;
COMMENT ON FUNCTION execreport._due_collections(integer, timestamptz) IS
'Collections to be tended: some of their leases may have ended. In ascending order.';

CREATE FUNCTION execreport._tend_collection(tenant integer, collection uuid, at timestamptz) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off AS $$
DECLARE
    c execreport.report_data_collections := execreport._lock_collection(tenant, collection);
    lost record;
    becomes execreport.segment_status_enum;
    first date := c.next_start;     -- of the segments that are pending now
BEGIN
    FOR lost IN
        SELECT s.segment_id, s.segment_start, s.attempt, s.worker
          FROM execreport.report_data_segments AS s
         WHERE s.tenant_id = tenant AND s.segment_id = ANY (c.running_ids) AND s.status = 'running'
           AND (s.lease_until <= at
                OR s.backend_pid IS NOT NULL
                   AND NOT execreport._statement_runs(s.backend_pid, s.backend_start, s.backend_statement))
         ORDER BY s.segment_start
           FOR NO KEY UPDATE OF s SKIP LOCKED  -- who has it locked is just completing it
    LOOP
        becomes := CASE WHEN c.control = 'cancelled' THEN 'cancelled'
                        WHEN lost.attempt >= c.max_attempts THEN 'failed' ELSE 'pending' END;
        UPDATE execreport.report_data_segments AS s
           SET status = becomes, ready_at = '-infinity', lease_until = NULL, backend_pid = NULL, backend_start = NULL,
               backend_statement = NULL, lost_leases = s.lost_leases + 1, error_message = 'the lease was lost',
               errors = execreport._add_error(s.errors, lost.attempt, 'lost', 'the lease was lost', lost.worker, at)
         WHERE s.tenant_id = tenant AND s.segment_id = lost.segment_id;
        PERFORM execreport._count_transitions(tenant, ARRAY[collection], ARRAY[1], 'running', becomes, at, false);
        c.running_ids := array_remove(c.running_ids, lost.segment_id);
        IF becomes = 'pending' THEN
            first := least(first, lost.segment_start);
        END IF;
    END LOOP;

    IF c.retry_at <= at THEN
        WITH ready AS (
            UPDATE execreport.report_data_segments AS s SET ready_at = '-infinity'
             WHERE s.tenant_id = tenant AND s.collection_id = collection AND s.ready_at > '-infinity' AND s.ready_at <= at
               AND s.status = 'pending'
            RETURNING s.segment_start)
        SELECT least(first, min(r.segment_start)) INTO first FROM ready AS r;
    END IF;

    UPDATE execreport.report_data_collections AS stored
       SET running_ids = c.running_ids, next_start = first,
           check_at = CASE WHEN stored.running_segments = 0 THEN 'infinity'
                           ELSE coalesce((SELECT min(CASE s.lease_until WHEN 'infinity' THEN '-infinity' ELSE s.lease_until END)
                                            FROM execreport.report_data_segments AS s
                                           WHERE s.tenant_id = tenant AND s.segment_id = ANY (c.running_ids) AND s.status = 'running'),
                                         'infinity') END,
           retry_at = coalesce((SELECT min(s.ready_at)
                                  FROM execreport.report_data_segments AS s
                                 WHERE s.tenant_id = tenant AND s.collection_id = collection AND s.ready_at > '-infinity'
                                   AND s.status = 'pending'), 'infinity')
     WHERE stored.tenant_id = tenant AND stored.collection_id = collection;
END
$$;
COMMENT ON FUNCTION execreport._tend_collection(integer, uuid, timestamptz) IS
'Takes back what is running without a living lease in a collection that the caller has locked: it can be claimed at once; an
attempt is used up by it. Makes retries ready whose time has come. Then says anew when to look again.';

CREATE FUNCTION execreport._add_error(errors jsonb, attempt integer, class text, error text, worker text, at timestamptz)
RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE WHEN pg_catalog.jsonb_array_length(_add_error.errors) >= 50 THEN _add_error.errors - 0
                ELSE coalesce(_add_error.errors, '[]'::jsonb) END
           || pg_catalog.jsonb_build_array(pg_catalog.jsonb_build_object('attempt', _add_error.attempt, 'class', _add_error.class,
                  'error', pg_catalog.left(_add_error.error, 2000), 'worker', _add_error.worker, 'at', _add_error.at));
END;
COMMENT ON FUNCTION execreport._add_error(jsonb, integer, text, text, text, timestamptz) IS
'The history with one more entry; the last 50 are kept.';

CREATE FUNCTION execreport._check_lease(lease interval) RETURNS interval
LANGUAGE c IMMUTABLE AS 'MODULE_PATHNAME', 'er_check_lease';

CREATE FUNCTION execreport.claim_segments(worker text, batch integer DEFAULT 1, lease interval DEFAULT '60 s',
    collection_id uuid DEFAULT NULL, now timestamptz DEFAULT NULL, statement_lease boolean DEFAULT false)
RETURNS SETOF execreport.segment_lease
LANGUAGE c VOLATILE SECURITY DEFINER ROWS 10 AS 'MODULE_PATHNAME', 'er_claim_segments';
COMMENT ON FUNCTION execreport.claim_segments(text, integer, interval, uuid, timestamptz, boolean) IS
'Gives a worker segments to run, oldest collection and oldest days first: at most batch (1..1000), of one collection or of all
of the tenant, never more of a collection at once than its parallel_limit. Leases that have run out are taken back before.
worker: a name, 1 to 200 bytes. lease: how long the segments stay the worker''s without a heartbeat, up to 7 days. now: the
time to go by; NULL is the clock. statement_lease: the lease lasts as long as the statement that this session is running,
instead; run_backfill() works with it. No rows: nothing can be claimed now; LISTEN execreport_segments, or ask
next_segment_at() when to look again. For editors.
Errors: 42501 for others; 22004, 22023 a worker, batch or lease out of bounds; P0002 an unknown collection.
Example: SELECT * FROM execreport.claim_segments(''worker 1'', batch => 5);';

CREATE FUNCTION execreport.heartbeat_segment(segment_id uuid, fencing_token bigint, lease interval DEFAULT '60 s',
                                             now timestamptz DEFAULT NULL)
RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
    tenant integer := execreport._require_tenant(execreport.current_tenant(), 'editor');
    lasts interval := execreport._check_lease(heartbeat_segment.lease);
    until timestamptz;
    collection uuid;
    state text;
    looked_at timestamptz;
BEGIN
    IF heartbeat_segment.now IS NOT NULL THEN   -- a lease from the end of time would never end
        PERFORM execreport._check_now(heartbeat_segment.now);
    END IF;
    until := coalesce(heartbeat_segment.now, clock_timestamp()) + lasts;
    UPDATE execreport.report_data_segments AS s
       SET lease_until = CASE s.lease_until WHEN 'infinity' THEN s.lease_until ELSE until END
     WHERE s.tenant_id = tenant AND s.segment_id = heartbeat_segment.segment_id AND s.lease_until IS NOT NULL
       AND s.fencing_token = heartbeat_segment.fencing_token
    RETURNING s.collection_id INTO collection;
    IF NOT FOUND THEN
        RETURN 'lost';
    END IF;
    SELECT c.control, c.check_at INTO state, looked_at
      FROM execreport.report_data_collections AS c WHERE c.tenant_id = tenant AND c.collection_id = collection;
    IF looked_at > until THEN   -- the lease ends earlier than before
        UPDATE execreport.report_data_collections AS c SET check_at = least(c.check_at, until)
         WHERE c.tenant_id = tenant AND c.collection_id = collection;
    END IF;
    RETURN CASE state WHEN 'cancelled' THEN 'cancel' ELSE 'continue' END;
END
$$;
COMMENT ON FUNCTION execreport.heartbeat_segment(uuid, bigint, interval, timestamptz) IS
'Says that the worker is alive, and makes the lease last for this long from now. Returns continue, cancel (the backfill was
cancelled: stop, and call fail_segment) or lost (the segment is no longer the worker''s: stop and write nothing). Send one
every third of the lease. For editors. Errors: 42501; 22004, 22023 a lease that is not longer than nothing or above 7 days;
22023 when now is not of the years 1 to 9999.
Example: SELECT execreport.heartbeat_segment(segment_id, fencing_token) FROM execreport.claim_segments(''worker 1'');';

CREATE FUNCTION execreport.complete_segment(segment_id uuid, fencing_token bigint, row_count bigint DEFAULT NULL,
                                            result jsonb DEFAULT NULL, now timestamptz DEFAULT NULL)
RETURNS boolean
LANGUAGE c VOLATILE SECURITY DEFINER AS 'MODULE_PATHNAME', 'er_complete_segment';
COMMENT ON FUNCTION execreport.complete_segment(uuid, bigint, bigint, jsonb, timestamptz) IS
'Reports that a segment is done. row_count: rows written, 0 or more; NULL unknown. result: anything to keep with it. now: NULL
is the clock. Returns false, and changes nothing, when the token is not the segment''s newest or it is not running any more:
then somebody else has it, and what was written for it has to be rolled back. For editors. Errors: 42501; 22023 a negative row_count.
Example: SELECT execreport.complete_segment(segment_id, fencing_token, 42) FROM execreport.claim_segments(''worker 1'');';

CREATE FUNCTION execreport.complete_segments(segment_ids uuid[], fencing_tokens bigint[], row_counts bigint[] DEFAULT NULL,
                                             now timestamptz DEFAULT NULL)
RETURNS uuid[]
LANGUAGE c VOLATILE SECURITY DEFINER AS 'MODULE_PATHNAME', 'er_complete_segments';
COMMENT ON FUNCTION execreport.complete_segments(uuid[], bigint[], bigint[], timestamptz) IS
'complete_segment for many at once: a token, and a row_count or none at all, for each segment. Returns the ids of those that
are completed now; one that is not among them was lost. For editors.
Errors: 42501; 22004 NULL lists; 22023 lists of different length, a negative row_count.
Example: SELECT execreport.complete_segments(array_agg(segment_id), array_agg(fencing_token)) FROM execreport.claim_segments(''worker 1'', 10);';

CREATE FUNCTION execreport._end_attempt(segment uuid, token bigint, becomes execreport.segment_status_enum,
    wake timestamptz, error text, class text, at timestamptz)
RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    tenant integer := execreport._require_tenant(execreport.current_tenant(), 'editor');
    s execreport.report_data_segments;
    c execreport.report_data_collections;
    base double precision := CASE class WHEN 'rate_limited' THEN 10 ELSE 1 END;
BEGIN
    SELECT stored.* INTO s
      FROM execreport.report_data_segments AS stored
     WHERE stored.tenant_id = tenant AND stored.segment_id = segment AND stored.lease_until IS NOT NULL
       AND stored.fencing_token = token
       FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    c := execreport._lock_collection(tenant, s.collection_id);

    IF c.control = 'cancelled' THEN
        becomes := 'cancelled';
    ELSIF class IS NOT NULL THEN
        becomes := CASE WHEN class = 'permanent' OR NOT c.retry_failed OR s.attempt >= c.max_attempts THEN 'failed' ELSE 'pending' END;
        -- full jitter: anywhere between now and the exponential bound
        wake := at + random() * least(300, base * 2 ^ (s.attempt - 1)) * interval '1 s';
    END IF;
    UPDATE execreport.report_data_segments AS stored
       SET status = becomes, ready_at = CASE becomes WHEN 'pending' THEN wake ELSE '-infinity' END, lease_until = NULL,
           attempt = CASE WHEN class IS NULL THEN s.attempt - 1 ELSE s.attempt END,
           error_message = coalesce(left(error, 2000), s.error_message),
           errors = CASE WHEN class IS NULL THEN s.errors
                         ELSE execreport._add_error(s.errors, s.attempt, class, error, s.worker, at) END,
           backend_pid = NULL, backend_start = NULL, backend_statement = NULL
     WHERE stored.tenant_id = tenant AND stored.segment_id = segment;
    UPDATE execreport.report_data_collections AS stored
       SET running_ids = array_remove(stored.running_ids, segment),
           retry_at = CASE WHEN becomes = 'pending' AND wake > '-infinity' THEN least(stored.retry_at, wake) ELSE stored.retry_at END,
           next_start = CASE WHEN becomes = 'pending' AND wake = '-infinity' THEN least(stored.next_start, s.segment_start)
                             ELSE stored.next_start END
     WHERE stored.tenant_id = tenant AND stored.collection_id = s.collection_id;
    PERFORM execreport._count_transitions(tenant, ARRAY[s.collection_id], '{1}', 'running', becomes, at, false);
    RETURN true;
END
$$;
COMMENT ON FUNCTION execreport._end_attempt(uuid, bigint, execreport.segment_status_enum, timestamptz, text, text, timestamptz) IS
'Ends an attempt that brought no result: by failure of a class, or (class NULL) without using it up, until wake.';

CREATE FUNCTION execreport.fail_segment(segment_id uuid, fencing_token bigint, error text, class text DEFAULT 'retryable',
                                        now timestamptz DEFAULT NULL)
RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off AS $$
BEGIN
    IF class IS NULL OR class NOT IN ('retryable', 'rate_limited', 'permanent') THEN
        RAISE EXCEPTION 'unknown class %', coalesce('"' || left(class, 64) || '"', 'null')
            USING ERRCODE = CASE WHEN class IS NULL THEN '22004' ELSE '22023' END,
                  DETAIL = 'A class is retryable, rate_limited or permanent.';
    END IF;
    IF error IS NULL THEN
        RAISE EXCEPTION 'error is null' USING ERRCODE = '22004', HINT = 'Say what went wrong.';
    END IF;
    IF fail_segment.now IS NOT NULL THEN
        PERFORM execreport._check_now(fail_segment.now);
    END IF;
    RETURN execreport._end_attempt(segment_id, fencing_token, 'failed', NULL, error, class,
                                   coalesce(fail_segment.now, clock_timestamp()));
END
$$;
COMMENT ON FUNCTION execreport.fail_segment(uuid, bigint, text, text, timestamptz) IS
'Reports that an attempt has failed. class: retryable (again after a random time up to 1, 2, 4 ... s, at most 5 min),
rate_limited (up to 10, 20, 40 ... s) or permanent (not again). After the fifth attempt, and at once where retry_failed is
false, the segment is failed and waits for redrive_segments(). error is kept in the segment''s history. Returns false, and
changes nothing, when the token is not the segment''s newest. now: NULL is the clock. For editors.
Errors: 42501; 22004 a NULL error or class; 22023 another class, or when now is not of the years 1 to 9999.
Example: SELECT execreport.fail_segment(segment_id, fencing_token, ''HTTP 429'', ''rate_limited'') FROM execreport.claim_segments(''worker 1'');';

CREATE FUNCTION execreport.snooze_segment(segment_id uuid, fencing_token bigint, until timestamptz) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off AS $$
BEGIN
    IF until IS NULL OR until = 'infinity' THEN
        RAISE EXCEPTION 'until is %', coalesce(until::text, 'null')
            USING ERRCODE = CASE WHEN until IS NULL THEN '22004' ELSE '22023' END, HINT = 'Name the time to try again.';
    END IF;
    RETURN execreport._end_attempt(segment_id, fencing_token, 'pending', until, NULL, NULL, clock_timestamp());
END
$$;
COMMENT ON FUNCTION execreport.snooze_segment(uuid, bigint, timestamptz) IS
'Puts a claimed segment off until a time, for instance because its data is not there yet. It uses up no attempt. Returns
false, and changes nothing, when the token is not the segment''s newest. For editors. Errors: 42501; 22004, 22023 until is NULL or infinity; -infinity is at once.
Example: SELECT execreport.snooze_segment(segment_id, fencing_token, now() + ''1 hour'') FROM execreport.claim_segments(''worker 1'');';

CREATE FUNCTION execreport.next_segment_at(collection_id uuid DEFAULT NULL) RETURNS timestamptz
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT least(
        (SELECT min(CASE WHEN EXISTS (SELECT FROM execreport.report_data_segments AS s
                                       WHERE s.tenant_id = c.tenant_id AND s.collection_id = c.collection_id
                                         AND s.segment_start >= c.next_start AND s.status = 'pending' AND s.ready_at = '-infinity')
                         THEN '-infinity'
                         ELSE (SELECT min(s.ready_at)
                                 FROM execreport.report_data_segments AS s
                                WHERE s.tenant_id = c.tenant_id AND s.collection_id = c.collection_id
                                  AND s.ready_at > '-infinity' AND s.status = 'pending') END)
           FROM execreport.report_data_collections AS c
          WHERE c.tenant_id = (SELECT execreport.current_tenant()) AND c.status IN ('pending', 'in_progress') AND c.control = 'active'
            AND c.running_segments < c.parallel_limit AND c.pending_segments > 0
            AND (next_segment_at.collection_id IS NULL OR c.collection_id = next_segment_at.collection_id)),
        (SELECT min(s.lease_until)
           FROM execreport.report_data_collections AS c
           JOIN execreport.report_data_segments AS s ON s.tenant_id = c.tenant_id AND s.segment_id = ANY (c.running_ids) AND s.status = 'running'
          WHERE c.tenant_id = (SELECT execreport.current_tenant()) AND c.status IN ('pending', 'in_progress')
            AND (next_segment_at.collection_id IS NULL OR c.collection_id = next_segment_at.collection_id)));
END;
COMMENT ON FUNCTION execreport.next_segment_at(uuid) IS
'When a segment can be claimed next, as things stand: the earliest retry, or the end of a lease whose worker has died; -infinity
when one is ready, infinity when all that run are leased to statements (run_backfill), NULL when nothing is left. New work and free slots ring the bell (LISTEN execreport_segments) before that.
Example: SELECT execreport.next_segment_at();';

CREATE FUNCTION execreport.backfill_progress(collection_id uuid)
RETURNS TABLE (status execreport.backfill_status_enum, total integer, completed integer, failed integer, running integer,
    pending integer, percent numeric, segments_per_minute numeric, eta timestamptz, oldest_running timestamptz)
LANGUAGE sql STABLE ROWS 1
BEGIN ATOMIC
    SELECT c.status,
           c.pending_segments + c.running_segments + c.completed_segments + c.failed_segments + c.cancelled_segments,
           c.completed_segments, c.failed_segments, c.running_segments, c.pending_segments,
           round(100.0 * c.completed_segments
                 / nullif(c.pending_segments + c.running_segments + c.completed_segments + c.failed_segments + c.cancelled_segments, 0), 2),
           round((60 / nullif(c.pace_seconds, 0))::numeric, 2),
           CASE WHEN c.pending_segments + c.running_segments > 0 AND c.control <> 'paused' AND c.pace_seconds IS NOT NULL
                THEN greatest(clock_timestamp(), c.pace_from + c.pace_seconds * (c.pending_segments + c.running_segments) * interval '1 s') END,
           (SELECT min(s.claimed_at)
              FROM execreport.report_data_segments AS s
             WHERE s.tenant_id = c.tenant_id AND s.segment_id = ANY (c.running_ids) AND s.status = 'running')
      FROM execreport.report_data_collections AS c
     WHERE c.tenant_id = (SELECT execreport.current_tenant()) AND c.collection_id = backfill_progress.collection_id;
END;
COMMENT ON FUNCTION execreport.backfill_progress(uuid) IS
'How far a backfill is: its status, the numbers of segments (total counts cancelled ones, too), percent completed (0 to 100),
the recent pace in segments per minute, when it will be finished at that pace, and since when the oldest running segment runs.
NULL where it is not known yet. One row, read in constant time; none for an unknown collection.
Example: SELECT p.* FROM execreport.list_collections() AS c, execreport.backfill_progress(c.collection_id) AS p;';

-- ---------------------------------------------------------------------------------------------------------------------

CREATE FUNCTION execreport._backfill_executor(collection uuid, OUT call text, OUT parameters jsonb)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    workflow record;
BEGIN
    SELECT w.name, w.executor, w.parameters || c.parameters AS parameters INTO workflow
      FROM execreport.report_data_collections AS c
      LEFT JOIN execreport.workflows AS w ON w.tenant_id = c.tenant_id AND w.workflow_id = c.workflow_id
     WHERE c.tenant_id = (SELECT execreport.current_tenant()) AND c.collection_id = collection;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'collection_id % does not exist', coalesce(collection::text, 'null')
            USING ERRCODE = CASE WHEN collection IS NULL THEN '22004' ELSE 'P0002' END,
                  HINT = 'SELECT * FROM execreport.list_collections() lists them.';
    END IF;
    IF workflow.executor IS NULL THEN
        RAISE EXCEPTION 'workflow % names no executor', coalesce('"' || left(workflow.name, 64) || '"', 'null')
            USING ERRCODE = '55000', HINT = 'Name a function in create_workflow(), or let workers claim the segments.';
    END IF;
    call := execreport._executor_call(workflow.executor);
    parameters := workflow.parameters;
END
$$;

CREATE FUNCTION execreport._backfill_rest(collection uuid) RETURNS double precision
LANGUAGE sql VOLATILE
BEGIN ATOMIC
    -- a new look twice a second, for a worker that has died in between, and at once for a retry that is due
    SELECT CASE WHEN c.status IN ('pending', 'in_progress') AND c.control <> 'paused'
                THEN extract(epoch FROM least(greatest(coalesce(execreport.next_segment_at(c.collection_id), 'infinity'),
                                                       t.now + interval '5 ms'), t.now + interval '500 ms') - t.now)
           END::double precision
      FROM execreport.report_data_collections AS c, (SELECT clock_timestamp() AS now OFFSET 0) AS t
     WHERE c.tenant_id = (SELECT execreport.current_tenant()) AND c.collection_id = _backfill_rest.collection;
END;
COMMENT ON FUNCTION execreport._backfill_rest(uuid) IS
'Seconds to wait before the next look at a backfill that has nothing to claim; NULL when there will be nothing.';

CREATE FUNCTION execreport._error_class(state text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE WHEN _error_class.state = 'PT429' THEN 'rate_limited'
                WHEN pg_catalog.left(_error_class.state, 2) IN ('0A', '22', '23', '42') THEN 'permanent'
                ELSE 'retryable' END;
END;
COMMENT ON FUNCTION execreport._error_class(text) IS
'The class of an executor''s error by its SQLSTATE: wrong data, broken constraints and wrong statements are permanent, PT429
is rate_limited, anything else may pass.';

-- It commits, so it cannot pin the search path: every name in it is qualified. It runs the executor with the caller's
-- rights. No COMMIT stands inside an EXCEPTION block. At a higher isolation level sessions that work on one backfill would fail
-- each other, whatever their default is.
CREATE PROCEDURE execreport.run_backfill(collection uuid)
LANGUAGE plpgsql AS $$
DECLARE
    worker pg_catalog.text := pg_catalog.format('run_backfill %s', pg_catalog.pg_backend_pid());
    executor pg_catalog.record;
    segment execreport.segment_lease;
    rows pg_catalog.int8;
    rest pg_catalog.float8;
    counts pg_catalog.record;
    failure pg_catalog.text;
    state pg_catalog.text;
    counted pg_catalog.bool;
BEGIN
    COMMIT;
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    LOOP
        SELECT e.call, e.parameters INTO executor FROM execreport._backfill_executor(collection) AS e;
        SELECT s.* INTO segment
          FROM execreport.claim_segments(worker, collection_id => collection, statement_lease => true) AS s;
        rest := CASE WHEN segment.segment_id IS NULL THEN execreport._backfill_rest(collection) END;
        COMMIT;
        SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
        IF segment.segment_id IS NULL THEN
            EXIT WHEN rest IS NULL;
            PERFORM pg_catalog.pg_sleep(rest);
            COMMIT;
            SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
            CONTINUE;
        END IF;

        failure := NULL;
        BEGIN
            EXECUTE executor.call INTO rows USING segment.segment_start, segment.segment_end, executor.parameters;
            SET CONSTRAINTS ALL IMMEDIATE;
        EXCEPTION WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS failure = MESSAGE_TEXT, state = RETURNED_SQLSTATE;
        END;

        IF failure IS NULL THEN
            counted := execreport.complete_segment(segment.segment_id, segment.fencing_token,
                CASE WHEN pg_catalog.int8lt(rows, 0) THEN NULL ELSE rows END);
            IF NOT counted THEN
                ROLLBACK;
            END IF;
        ELSE
            counted := execreport.fail_segment(segment.segment_id, segment.fencing_token,
                pg_catalog.format('%s: %s', state, failure), execreport._error_class(state));
        END IF;
        SELECT p.completed, p.failed, p.total INTO counts FROM execreport.backfill_progress(collection) AS p;
        COMMIT;
        SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
        IF NOT counted THEN
            RAISE INFO '% to %: lost to another worker', segment.segment_start, segment.segment_end;
        ELSIF failure IS NULL THEN
            RAISE INFO '% to %: % rows, % of % segments completed', segment.segment_start, segment.segment_end,
                coalesce(rows::pg_catalog.text, 'unknown'), counts.completed, counts.total;
        ELSE
            RAISE INFO '% to %: attempt % failed: %', segment.segment_start, segment.segment_end, segment.attempt, failure;
        END IF;
    END LOOP;
END
$$;
COMMENT ON PROCEDURE execreport.run_backfill(uuid) IS
'Runs the segments of a backfill with its workflow''s executor, one transaction per segment, until it is finished, paused or
cancelled; waits for retries and for other workers. Call it in several sessions at once to run several segments at once. An
executor''s error fails the attempt; its writes commit together with the completion, so each segment takes effect exactly
once, also when the session or the server dies on the way: call it again to go on. Reports each segment as INFO; others watch
backfill_progress(). The executor runs with the caller''s rights, at READ COMMITTED. Not inside a transaction block. For editors.
Errors: 42501; P0002 an unknown collection; 55000 a workflow without executor; 42883 an executor that is gone; 2D000 inside a
transaction block.
Example: CALL execreport.run_backfill(execreport.start_backfill(execreport.create_workflow(''sales'', ''public.fill_sales(date, date, jsonb)''),
''2024-06-15'', ''2025-06-14''));';
