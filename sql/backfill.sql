-- backfill: collections of segments, how they begin, and how they are paused, cancelled and run again.
--
-- A collection is a window of days cut into segments. A segment is pending, running, completed, failed or cancelled.
-- Invariant: the counters of a collection's row are the numbers of its segments in each state, and its status follows
-- from them. Whatever moves segments therefore calls _count_transitions() (src/backfill_queue.c), and nothing else writes
-- counters or status.
-- Invariant: pending segments leave that state only under a lock of the collection's row. Who holds it sees a settled
-- set of pending segments and an exact number of running ones. Locks are taken segment first, then collection, or
-- collection first and then only segments that nobody has locked, so there is no deadlock.
-- Invariant: running_ids of a collection are its running segments; no lease of them ends before check_at (-infinity: one
-- ends with a statement). No pending segment is ready before retry_at, but for those with ready_at -infinity, and none of
-- these starts before next_start. So a claim finds what it needs without an index over states, and changes no index.

CREATE TYPE execreport.backfill_status_enum AS ENUM ('pending', 'in_progress', 'completed', 'failed', 'partial');
COMMENT ON TYPE execreport.backfill_status_enum IS
'pending: nothing has begun; in_progress; completed: every segment is; failed: all is over and no segment is completed;
partial: all is over and some are completed.';
CREATE TYPE execreport.segment_status_enum AS ENUM ('pending', 'running', 'completed', 'failed', 'cancelled');
COMMENT ON TYPE execreport.segment_status_enum IS
'failed: attempts are used up, or the error was permanent, or failures are not retried; redrive_segments() tries again.';

-- What the queue reads and writes stands in front; src/backfill_queue.c counts on the order of the columns of both tables.
CREATE TABLE execreport.report_data_collections (
    tenant_id           integer NOT NULL DEFAULT execreport.current_tenant(),
    collection_id       uuid NOT NULL DEFAULT execreport._uuid7(),
    parallel_limit      integer NOT NULL DEFAULT 10 CHECK (parallel_limit > 0),
    pending_segments    integer NOT NULL DEFAULT 0,
    running_segments    integer NOT NULL DEFAULT 0,
    completed_segments  integer NOT NULL DEFAULT 0,
    failed_segments     integer NOT NULL DEFAULT 0,
    cancelled_segments  integer NOT NULL DEFAULT 0,
    status              execreport.backfill_status_enum NOT NULL DEFAULT 'pending',
    next_start          date NOT NULL DEFAULT '-infinity',
    retry_at            timestamptz NOT NULL DEFAULT 'infinity',
    check_at            timestamptz NOT NULL DEFAULT 'infinity',
    control             text NOT NULL DEFAULT 'active' CHECK (control IN ('active', 'paused', 'cancelled')),
    running_ids         uuid[] NOT NULL DEFAULT '{}',
    started_at          timestamptz,
    finished_at         timestamptz,
    pace_from           timestamptz,
    pace_seconds        double precision,
    workflow_id         uuid,
    user_id             text NOT NULL DEFAULT execreport.current_user_id(),
    lookback_config     jsonb NOT NULL DEFAULT '{}',
    segmentation_config jsonb NOT NULL DEFAULT '{}',
    parameters          jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(parameters) = 'object'),
    start_date          date,
    end_date            date,
    request_key         text,
    max_attempts        integer NOT NULL DEFAULT 5 CHECK (max_attempts > 0),
    retry_failed        boolean NOT NULL DEFAULT true,
    control_reason      text,
    created_at          timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, collection_id),
    CHECK (start_date <= end_date)
) WITH (fillfactor = 50);
-- None of these indexes names a counter: so a counter changes without touching them. And none but the primary key serves a
-- search for one collection: so a plan made over a small table stays good for a large one.
CREATE UNIQUE INDEX report_data_collections_request_idx ON execreport.report_data_collections (tenant_id, request_key)
    WHERE request_key IS NOT NULL;
CREATE INDEX report_data_collections_lookback_idx ON execreport.report_data_collections USING gin (lookback_config);
CREATE INDEX report_data_collections_segmentation_idx ON execreport.report_data_collections USING gin (segmentation_config);
CREATE INDEX report_data_collections_workflow_idx ON execreport.report_data_collections (workflow_id, created_at);
CREATE INDEX report_data_collections_open_idx ON execreport.report_data_collections (tenant_id, collection_id)
    WHERE status IN ('pending', 'in_progress');
CREATE INDEX report_data_collections_user_idx ON execreport.report_data_collections (tenant_id, user_id)
    WHERE status IN ('pending', 'in_progress');
CREATE INDEX report_data_collections_check_idx ON execreport.report_data_collections (tenant_id, check_at)
    WHERE check_at < 'infinity';
COMMENT ON TABLE execreport.report_data_collections IS
'Backfills: a workflow''s window of days (both ends inclusive), how it is cut, and how far it is. The counters and status
follow from the segments. control: active, paused or cancelled. pace_seconds: smoothed time between two completions.
next_start: where the next claim begins to look; retry_at, check_at: when retries and leases are to be looked at again;
running_ids: the running segments.';

CREATE TABLE execreport.report_data_segments (
    tenant_id        integer NOT NULL DEFAULT execreport.current_tenant(),
    segment_id       uuid NOT NULL DEFAULT execreport._uuid7(),
    collection_id    uuid NOT NULL,
    segment_start    date NOT NULL,
    segment_end      date NOT NULL,
    status           execreport.segment_status_enum NOT NULL DEFAULT 'pending',
    attempt          integer NOT NULL DEFAULT 0,
    fencing_token    bigint NOT NULL DEFAULT 0,
    ready_at         timestamptz NOT NULL DEFAULT '-infinity',
    lease_until      timestamptz,
    claimed_at       timestamptz,
    completed_at     timestamptz,
    row_count        bigint,
    worker           text,
    backend_pid      integer,
    backend_start    timestamptz,
    backend_statement timestamptz,
    lost_leases      integer NOT NULL DEFAULT 0,
    error_message    text,
    errors           jsonb,
    result           jsonb,
    PRIMARY KEY (tenant_id, segment_id),
    CONSTRAINT report_data_segments_days_key UNIQUE (tenant_id, collection_id, segment_start) INCLUDE (segment_end),
    CHECK (segment_start <= segment_end),
    CHECK ((status = 'running') = (lease_until IS NOT NULL))
) WITH (fillfactor = 45);
-- No index names a column that changes with a claim or a completion: those updates stay on their page, which has room for
-- a second version of each row. The progress of a backfill is read from its collection's row.
CREATE INDEX report_data_segments_range_idx ON execreport.report_data_segments (tenant_id, segment_start, segment_end);
CREATE INDEX report_data_segments_retry_idx ON execreport.report_data_segments (tenant_id, collection_id, ready_at)
    WHERE ready_at > '-infinity';
COMMENT ON TABLE execreport.report_data_segments IS
'The segments of collections: days (both inclusive), state, attempts, the lease of the worker that runs it, and what came
out. fencing_token rises with every claim. lease_until infinity: the lease ends with a statement of a backend (backend_*).
errors: history of failures and lost leases. Written by the functions of the queue.';

CREATE VIEW execreport.report_data_weeks WITH (security_barrier) AS
SELECT s.tenant_id, s.segment_id, s.collection_id, s.segment_start AS week_start, s.segment_end AS week_end,
       s.segment_start AS week_start_date, s.segment_end AS week_end_date, s.status, s.row_count,
       greatest(s.attempt - 1, 0) AS retry_count, s.claimed_at AS started_at, s.completed_at, s.error_message
  FROM execreport.report_data_segments AS s
 WHERE s.tenant_id = (SELECT execreport.current_tenant());
COMMENT ON VIEW execreport.report_data_weeks IS
'The segments under the names of a weekly report: week_start and week_end (also week_start_date, week_end_date), both
inclusive; segments may just as well be days or months.';

CALL execreport._hold('execreport.report_data_collections');
CALL execreport._hold('execreport.report_data_segments');

-- ---------------------------------------------------------------------------------------------------------------------

CREATE FUNCTION execreport._count_transitions(tenant integer, collection_ids uuid[], moved integer[],
    was execreport.segment_status_enum, becomes execreport.segment_status_enum, at timestamptz, bell boolean)
RETURNS void
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'er_count_transitions';
COMMENT ON FUNCTION execreport._count_transitions(integer, uuid[], integer[], execreport.segment_status_enum,
    execreport.segment_status_enum, timestamptz, boolean) IS
'The one place where counters of collections change: moved[i] segments of collection_ids[i] went from one state (NULL:
they are new) to another. Collections in ascending order, so that two callers never wait for each other. bell: the
segments can be claimed now; it also rings when a full collection has a free slot. Error 42501 outside functions of execreport.';

CREATE FUNCTION execreport._lock_collection(tenant integer, collection uuid)
RETURNS execreport.report_data_collections
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    result execreport.report_data_collections;
BEGIN
    IF collection IS NULL THEN
        RAISE EXCEPTION 'collection_id is null' USING ERRCODE = '22004', HINT = 'start_backfill() returns it.';
    END IF;
    SELECT c.* INTO result
      FROM execreport.report_data_collections AS c
     WHERE c.tenant_id = tenant AND c.collection_id = collection
       FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'collection_id % does not exist', collection
            USING ERRCODE = 'P0002', HINT = 'SELECT * FROM execreport.list_collections() lists them.';
    END IF;
    RETURN result;
END
$$;

CREATE FUNCTION execreport._new_collection(tenant integer, workflow uuid, lookback jsonb, segmentation jsonb,
    first_day date, last_day date, request_key text, parameters jsonb DEFAULT '{}')
RETURNS uuid
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    most constant integer := 100000;
    plan jsonb;
    result uuid;
    found_workflow uuid;
    many integer;
BEGIN
    -- one that cannot be cut, or not in this way, is refused here
    many := execreport.segment_count(first_day, last_day,
        (SELECT coalesce(segmentation ->> 'type', 'weekly')
           FROM execreport.lookback_segments('{"type": "relative", "value": 1, "unit": "days"}', segmentation) LIMIT 1),
        coalesce(segmentation ->> 'align', 'anchor'));
    IF many > most THEN
        RAISE EXCEPTION 'the window has % segments', many
            USING ERRCODE = '54000', DETAIL = format('A backfill has at most %s.', most),
                  HINT = 'Take a shorter window or longer segments.';
    END IF;
    plan := jsonb_build_object('type', coalesce(segmentation ->> 'type', 'weekly'), 'align', coalesce(segmentation ->> 'align', 'anchor'),
        'parallel_limit', coalesce(segmentation -> 'parallel_limit', segmentation -> 'parallelLimit', '10')::numeric::integer,
        'retry_failed', coalesce(segmentation -> 'retry_failed', segmentation -> 'retryFailed', 'true'));

    SELECT w.workflow_id INTO found_workflow
      FROM execreport.workflows AS w WHERE w.tenant_id = tenant AND w.workflow_id = workflow FOR KEY SHARE;
    IF found_workflow IS NULL THEN
        RAISE EXCEPTION 'workflow_id % does not exist', coalesce(workflow::text, 'null')
            USING ERRCODE = CASE WHEN workflow IS NULL THEN '22004' ELSE 'P0002' END,
                  HINT = 'Create it with execreport.create_workflow().';
    END IF;
    IF _new_collection.request_key = '' OR octet_length(_new_collection.request_key) > 512 THEN
        RAISE EXCEPTION 'request_key has % bytes', octet_length(_new_collection.request_key)
            USING ERRCODE = '22023', DETAIL = 'A request_key has 1 to 512 bytes.';
    END IF;

    INSERT INTO execreport.report_data_collections AS c (tenant_id, workflow_id, lookback_config, segmentation_config,
                                                         parameters, start_date, end_date, request_key, parallel_limit, retry_failed)
    VALUES (tenant, workflow, lookback, plan, _new_collection.parameters, first_day, last_day, _new_collection.request_key,
            (plan -> 'parallel_limit')::integer, (plan -> 'retry_failed')::boolean)
    ON CONFLICT (tenant_id, request_key) WHERE request_key IS NOT NULL DO NOTHING
    RETURNING c.collection_id INTO result;
    IF result IS NULL THEN
        SELECT c.collection_id INTO result
          FROM execreport.report_data_collections AS c
         WHERE c.tenant_id = tenant AND c.request_key = _new_collection.request_key AND c.workflow_id = workflow
           AND c.lookback_config = lookback AND c.segmentation_config = plan
           AND (c.start_date, c.end_date) = (first_day, last_day);
        IF result IS NULL THEN
            RAISE EXCEPTION 'request_key "%" stands for another backfill', left(_new_collection.request_key, 64)
                USING ERRCODE = '23505', HINT = 'Repeat a request with the same arguments, or take a new key.';
        END IF;
        RETURN result;
    END IF;

    PERFORM execreport._add_missing_segments(tenant, result, clock_timestamp());
    PERFORM execreport._audit(tenant, 'start_backfill', 'collection', result::text, NULL,
        jsonb_build_object('workflowId', workflow, 'startDate', first_day, 'endDate', last_day, 'lookback', lookback,
                           'segmentation', plan, 'segments', many));
    RETURN result;
END
$$;
COMMENT ON FUNCTION execreport._new_collection(integer, uuid, jsonb, jsonb, date, date, text, jsonb) IS
'Makes a collection and its segments, or finds the one that was made under this request key. parameters: handed to the
executor over those of the workflow.';

CREATE FUNCTION execreport._add_missing_segments(tenant integer, collection uuid, at timestamptz) RETURNS integer
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    added integer;
BEGIN
    INSERT INTO execreport.report_data_segments (tenant_id, collection_id, segment_start, segment_end)
    SELECT tenant, collection, s.segment_start, s.segment_end
      FROM execreport.report_data_collections AS c,
           LATERAL execreport.calculate_segmentation_intervals(c.start_date, c.end_date, c.segmentation_config ->> 'type',
                                                               c.segmentation_config ->> 'align') AS s
     WHERE c.tenant_id = tenant AND c.collection_id = collection AND c.start_date IS NOT NULL
     ORDER BY s.segment_number
    ON CONFLICT (tenant_id, collection_id, segment_start) DO NOTHING;
    GET DIAGNOSTICS added = ROW_COUNT;
    PERFORM execreport._count_transitions(tenant, ARRAY[collection], ARRAY[added], NULL, 'pending', at, added > 0);
    RETURN added;
END
$$;
COMMENT ON FUNCTION execreport._add_missing_segments(integer, uuid, timestamptz) IS
'Cuts the collection''s window and adds the segments that are not there: all of them for a new collection.';

CREATE FUNCTION execreport.start_backfill(workflow_id uuid, start_date date, end_date date, segmentation jsonb DEFAULT '{}',
                                          request_key text DEFAULT NULL)
RETURNS uuid
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN execreport._new_collection(execreport._require_persona('editor'), workflow_id,
        jsonb_build_object('type', 'custom', 'startDate', start_date, 'endDate', end_date), segmentation,
        start_date, end_date, request_key);
END
$$;
COMMENT ON FUNCTION execreport.start_backfill(uuid, date, date, jsonb, text) IS
'Starts a backfill: makes a collection of the window''s segments, ready to be claimed, and returns its id.
start_date, end_date: first and last day, both inclusive. segmentation: {"type": "daily|weekly|monthly|quarterly", "align":
"anchor|calendar", "parallel_limit": 1..10, "retry_failed": boolean}; {} is weekly from the first day, 10 at a time, with
retries. request_key: given again with the same arguments, the call returns the same collection. For editors.
Errors: 42501 for others; 22004 a NULL date, workflow or segmentation; 22008 an infinite date; 22023 a reversed window or a
wrong segmentation; P0002 an unknown workflow; 54000 more than 100,000 segments; 23505 a request_key of another backfill.
Example: SELECT execreport.start_backfill(execreport.create_workflow(''sales''), ''2024-06-15'', ''2025-06-14'', ''{"type": "daily"}'');';

CREATE FUNCTION execreport.create_collection(workflow_id uuid, lookback_config jsonb, segmentation_config jsonb,
                                             as_of date DEFAULT NULL)
RETURNS uuid
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    tenant integer := execreport._require_persona('editor');
    span record;
BEGIN
    SELECT d.start_date, d.end_date INTO span
      FROM execreport.calculate_lookback_dates(create_collection.lookback_config, create_collection.as_of) AS d;
    RETURN execreport._new_collection(tenant, create_collection.workflow_id, create_collection.lookback_config,
        create_collection.segmentation_config, span.start_date, span.end_date, NULL);
END
$$;
COMMENT ON FUNCTION execreport.create_collection(uuid, jsonb, jsonb, date) IS
'Starts a backfill over a lookback window, as calculate_lookback_dates gives it, and returns the collection''s id. The days
are settled now; the segments are ready to be claimed.
lookback_config, as_of: as for calculate_lookback_dates. workflow_id, segmentation_config: as for start_backfill. For editors.
Errors: those of calculate_lookback_dates and of start_backfill.
Example: SELECT execreport.create_collection(execreport.create_workflow(''sales''), ''{"type": "relative", "value": 30, "unit": "days"}'',
''{"type": "weekly"}'');';

CREATE FUNCTION execreport.list_collections(filter jsonb DEFAULT '{}')
RETURNS TABLE (collection_id uuid, workflow_id uuid, workflow_name text, user_id text, status execreport.backfill_status_enum,
    control text, start_date date, end_date date, lookback_config jsonb, segmentation_config jsonb, total integer,
    completed integer, failed integer, running integer, pending integer, cancelled integer, created_at timestamptz,
    finished_at timestamptz)
LANGUAGE plpgsql STABLE ROWS 100 SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    f jsonb := '{}';
    given record;
    canonical text;
    most integer;
BEGIN
    IF jsonb_typeof(filter) IS DISTINCT FROM 'object' THEN
        RAISE EXCEPTION 'filter is %', coalesce(jsonb_typeof(filter), 'null')
            USING ERRCODE = CASE WHEN filter IS NULL THEN '22004' ELSE '22023' END, DETAIL = 'A filter is a JSON object; {} lists all.';
    END IF;
    FOR given IN SELECT e.key, e.value, jsonb_typeof(e.value) AS kind FROM jsonb_each(filter) AS e ORDER BY e.key LOOP
        canonical := CASE given.key WHEN 'workflow_id' THEN 'workflowId' WHEN 'user_id' THEN 'userId'
            WHEN 'lookback_config' THEN 'lookback' WHEN 'lookbackConfig' THEN 'lookback'
            WHEN 'segmentation_config' THEN 'segmentation' WHEN 'segmentationConfig' THEN 'segmentation'
            WHEN 'start_date' THEN 'startDate' WHEN 'end_date' THEN 'endDate' ELSE given.key END;
        IF canonical NOT IN ('workflowId', 'userId', 'status', 'lookback', 'segmentation', 'startDate', 'endDate', 'limit') THEN
            RAISE EXCEPTION 'unknown key "%" in filter', left(given.key, 64) USING ERRCODE = '22023',
                DETAIL = 'A filter has the keys workflowId, userId, status, lookback, segmentation, startDate, endDate and limit.';
        END IF;
        IF f ? canonical AND f -> canonical <> given.value THEN
            RAISE EXCEPTION 'filter gives % twice with different values', canonical USING ERRCODE = '22023';
        END IF;
        IF given.kind <> (CASE canonical WHEN 'lookback' THEN 'object' WHEN 'segmentation' THEN 'object' WHEN 'limit' THEN 'number'
                                         ELSE 'string' END)
           AND NOT (canonical = 'status' AND given.kind = 'array') THEN
            RAISE EXCEPTION 'filter.% is %', given.key, given.kind USING ERRCODE = '22023',
                DETAIL = 'lookback and segmentation are objects, limit is a number, status a text or a list of texts, the others are texts.';
        END IF;
        f := f || jsonb_build_object(canonical, given.value);
    END LOOP;
    IF f ? 'workflowId' AND f ->> 'workflowId' !~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN
        RAISE EXCEPTION 'filter.workflowId is no UUID: "%"', left(f ->> 'workflowId', 64) USING ERRCODE = '22023';
    END IF;
    FOR canonical IN SELECT * FROM unnest(ARRAY['startDate', 'endDate']) LOOP
        IF f ->> canonical !~ E'^\\d{4}-\\d\\d-\\d\\d$' THEN
            RAISE EXCEPTION 'filter.% is no date: "%"', canonical, left(f ->> canonical, 64)
                USING ERRCODE = '22007', HINT = 'Write a date as YYYY-MM-DD.';
        END IF;
        BEGIN
            PERFORM (f ->> canonical)::date;
        EXCEPTION WHEN datetime_field_overflow THEN
            RAISE EXCEPTION 'filter.% is a day that does not exist: "%"', canonical, f ->> canonical USING ERRCODE = '22008';
        END;
    END LOOP;
    FOR given IN SELECT v #>> '{}' AS value, jsonb_typeof(v) AS kind
                   FROM jsonb_array_elements(CASE jsonb_typeof(f -> 'status') WHEN 'array' THEN f -> 'status'
                                             WHEN 'string' THEN jsonb_build_array(f -> 'status') ELSE '[]' END) AS v LOOP
        IF given.kind <> 'string' OR given.value NOT IN ('pending', 'in_progress', 'completed', 'failed', 'partial') THEN
            RAISE EXCEPTION 'unknown status "%" in filter', left(given.value, 64) USING ERRCODE = '22023',
                DETAIL = 'A status is pending, in_progress, completed, failed or partial.';
        END IF;
    END LOOP;
    IF f ? 'limit' AND ((f -> 'limit')::numeric NOT BETWEEN 1 AND 10000 OR (f -> 'limit')::numeric % 1 <> 0) THEN
        RAISE EXCEPTION 'filter.limit is %', left(f ->> 'limit', 64)
            USING ERRCODE = '22023', DETAIL = 'A limit is a whole number from 1 to 10000; it is 1000 when left out.';
    END IF;
    most := coalesce((f -> 'limit')::numeric::integer, 1000);

    RETURN QUERY
    SELECT c.collection_id, c.workflow_id, w.name, c.user_id, c.status, c.control, c.start_date, c.end_date,
           c.lookback_config, c.segmentation_config,
           c.pending_segments + c.running_segments + c.completed_segments + c.failed_segments + c.cancelled_segments,
           c.completed_segments, c.failed_segments, c.running_segments, c.pending_segments, c.cancelled_segments,
           c.created_at, c.finished_at
      FROM execreport.report_data_collections AS c
      LEFT JOIN execreport.workflows AS w ON w.tenant_id = c.tenant_id AND w.workflow_id = c.workflow_id
     WHERE c.tenant_id = (SELECT execreport.current_tenant())
       AND (NOT f ? 'workflowId' OR c.workflow_id = (f ->> 'workflowId')::uuid)
       AND (NOT f ? 'userId' OR c.user_id = f ->> 'userId')
       AND (NOT f ? 'status' OR f -> 'status' ? c.status::text)
       AND (NOT f ? 'lookback' OR c.lookback_config @> (f -> 'lookback'))
       AND (NOT f ? 'segmentation' OR c.segmentation_config @> (f -> 'segmentation'))
       AND (NOT f ? 'startDate' OR c.end_date >= (f ->> 'startDate')::date)
       AND (NOT f ? 'endDate' OR c.start_date <= (f ->> 'endDate')::date)
     ORDER BY c.created_at DESC, c.collection_id DESC
     LIMIT most;
END
$$;
COMMENT ON FUNCTION execreport.list_collections(jsonb) IS
'The backfills of the tenant, newest first, with the numbers of their segments.
filter: any of {"workflowId", "userId", "status": one or a list, "lookback" and "segmentation": what the configuration must
contain, "startDate" and "endDate": days the window must touch, "limit": 1..10000, 1000 when left out}; keys in snake_case are read, too.
Errors: 22004 filter is NULL; 22023 not an object, an unknown key or status, a wrong value; 22007, 22008 a wrong date.
Example: SELECT collection_id, status, completed, total FROM execreport.list_collections(''{"status": ["pending", "in_progress"]}'');';

-- ---------------------------------------------------------------------------------------------------------------------

CREATE FUNCTION execreport._steer(collection uuid, action text, reason text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    tenant integer := execreport._require_persona('editor');
    c execreport.report_data_collections := execreport._lock_collection(tenant, collection);
    target text := CASE action WHEN 'pause' THEN 'paused' WHEN 'resume' THEN 'active' ELSE 'cancelled' END;
    stopped integer;
BEGIN
    PERFORM execreport._check_reason(reason);
    IF c.control = target OR c.status NOT IN ('pending', 'in_progress') OR c.control = 'cancelled' THEN
        RETURN false;
    END IF;
    UPDATE execreport.report_data_collections AS stored
       SET control = target, control_reason = CASE target WHEN 'active' THEN NULL ELSE reason END,
           pace_from = clock_timestamp()
     WHERE stored.tenant_id = tenant AND stored.collection_id = collection;
    IF target = 'cancelled' THEN
        UPDATE execreport.report_data_segments AS s SET status = 'cancelled', ready_at = '-infinity'
         WHERE s.tenant_id = tenant AND s.collection_id = collection AND s.status = 'pending';
        GET DIAGNOSTICS stopped = ROW_COUNT;
        PERFORM execreport._count_transitions(tenant, ARRAY[collection], ARRAY[stopped], 'pending', 'cancelled',
                                              clock_timestamp(), false);
    ELSIF target = 'active' AND c.pending_segments > 0 THEN
        PERFORM pg_notify('execreport_segments', '');
    END IF;
    PERFORM execreport._audit(tenant, action || '_backfill', 'collection', collection::text,
        jsonb_build_object('control', c.control), jsonb_build_object('control', target), reason);
    RETURN true;
END
$$;

CREATE FUNCTION execreport.pause_backfill(collection_id uuid, reason text DEFAULT NULL) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN execreport._steer(collection_id, 'pause', reason);
END
$$;
COMMENT ON FUNCTION execreport.pause_backfill(uuid, text) IS
'Pauses a backfill: no segment of it is given out until resume_backfill(); running ones may finish. Returns true when that
changed something, false when it was paused, cancelled or finished. For editors. Errors: 42501; P0002 an unknown collection.
Example: SELECT execreport.pause_backfill(collection_id, ''quota is used up'') FROM execreport.list_collections(''{"status": "in_progress"}'');';

CREATE FUNCTION execreport.resume_backfill(collection_id uuid) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN execreport._steer(collection_id, 'resume', NULL);
END
$$;
COMMENT ON FUNCTION execreport.resume_backfill(uuid) IS
'Goes on with a paused backfill and wakes the workers. Returns true when it was paused. For editors. Errors: 42501; P0002 an
unknown collection.
Example: SELECT execreport.resume_backfill(collection_id) FROM execreport.list_collections() WHERE control = ''paused'';';

CREATE FUNCTION execreport.cancel_backfill(collection_id uuid, reason text DEFAULT NULL) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN execreport._steer(collection_id, 'cancel', reason);
END
$$;
COMMENT ON FUNCTION execreport.cancel_backfill(uuid, text) IS
'Cancels a backfill: pending segments become cancelled, and the heartbeat of a running one answers cancel; it may still
be completed, but is not tried again. Returns true when that changed something. For editors; reprocess_backfill() begins
again. Errors: 42501; P0002 an unknown collection.
Example: SELECT execreport.cancel_backfill(collection_id, ''wrong market'') FROM execreport.list_collections(''{"status": "pending"}'');';

CREATE FUNCTION execreport._run_again(collection uuid, states execreport.segment_status_enum[], segment_ids uuid[],
                                      add_absent boolean, action text)
RETURNS integer
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    tenant integer := execreport._require_persona('editor');
    c execreport.report_data_collections := execreport._lock_collection(tenant, collection);
    state execreport.segment_status_enum;
    at timestamptz := clock_timestamp();
    moved integer;
    total integer := 0;
BEGIN
    FOREACH state IN ARRAY states LOOP
        UPDATE execreport.report_data_segments AS s
           SET status = 'pending', attempt = 0, ready_at = '-infinity', claimed_at = NULL, completed_at = NULL,
               row_count = NULL, result = NULL, error_message = NULL
         WHERE s.tenant_id = tenant AND s.collection_id = collection AND s.status = state
           AND (segment_ids IS NULL OR s.segment_id = ANY (segment_ids));
        GET DIAGNOSTICS moved = ROW_COUNT;
        PERFORM execreport._count_transitions(tenant, ARRAY[collection], ARRAY[moved], state, 'pending', at, moved > 0);
        total := total + moved;
    END LOOP;
    IF add_absent THEN
        total := total + execreport._add_missing_segments(tenant, collection, at);
    END IF;
    IF total > 0 THEN
        UPDATE execreport.report_data_collections AS stored
           SET next_start = '-infinity',
               control = CASE c.control WHEN 'cancelled' THEN 'active' ELSE c.control END,
               control_reason = CASE c.control WHEN 'cancelled' THEN NULL ELSE c.control_reason END
         WHERE stored.tenant_id = tenant AND stored.collection_id = collection;
        PERFORM execreport._audit(tenant, action, 'collection', collection::text, NULL, jsonb_build_object('segments', total));
    END IF;
    RETURN total;
END
$$;
COMMENT ON FUNCTION execreport._run_again(uuid, execreport.segment_status_enum[], uuid[], boolean, text) IS
'Makes segments in these states pending again, with fresh attempts; running ones are never touched. A cancelled backfill
becomes active again.';

CREATE FUNCTION execreport.redrive_segments(collection_id uuid, segment_ids uuid[] DEFAULT NULL) RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN execreport._run_again(collection_id, '{failed}', segment_ids, false, 'redrive_segments');
END
$$;
COMMENT ON FUNCTION execreport.redrive_segments(uuid, uuid[]) IS
'Gives failed segments of a backfill (these, or all) fresh attempts at once and returns how many; the history of their errors
stays. For editors. Errors: 42501; P0002 an unknown collection.
Example: SELECT execreport.redrive_segments(collection_id) FROM execreport.list_collections(''{"status": ["failed", "partial"]}'');';

CREATE FUNCTION execreport.reprocess_backfill(collection_id uuid, what text DEFAULT 'missing') RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF what IS NULL OR what NOT IN ('missing', 'failed', 'all') THEN
        RAISE EXCEPTION 'unknown what %', coalesce('"' || left(what, 64) || '"', 'null')
            USING ERRCODE = CASE WHEN what IS NULL THEN '22004' ELSE '22023' END,
                  DETAIL = 'It is missing, failed or all.';
    END IF;
    RETURN execreport._run_again(collection_id,
        CASE what WHEN 'missing' THEN '{cancelled}' WHEN 'failed' THEN '{failed}' ELSE '{completed,failed,cancelled}' END
            ::execreport.segment_status_enum[], NULL, what <> 'failed', 'reprocess_backfill');
END
$$;
COMMENT ON FUNCTION execreport.reprocess_backfill(uuid, text) IS
'Makes segments of a backfill pending again and returns how many. what: missing (never came to a result: cancelled, or the
row is gone), failed, or all (also completed ones). A pending or running segment is never doubled. A cancelled backfill
becomes active again. For editors.
Errors: 42501; P0002 an unknown collection; 22004, 22023 another what.
Example: SELECT execreport.reprocess_backfill(collection_id, ''all'') FROM execreport.list_collections(''{"status": "completed"}'');';
