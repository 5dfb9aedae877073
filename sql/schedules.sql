-- schedules: workflows that run by the calendar, and the record of every run that was made, missed or skipped.
--
-- run_due_schedules(now) makes the runs; any number of sessions may call it at once. Invariant: whoever reads or changes
-- what belongs to a schedule, its runs included, first locks the schedule's row; retention alone does not, for what it takes
-- nobody asks for any more. scheduled_through is the instant up to which every occurrence of the rule has, or had, its row in
-- schedule_runs, so none is lost and none is made twice, and a clock
-- that jumps back makes nothing.

CREATE TABLE execreport._schedules (
    tenant_id              integer NOT NULL DEFAULT execreport.current_tenant(),
    schedule_id            uuid NOT NULL DEFAULT execreport._uuid7(),
    workflow_id            uuid NOT NULL,
    schedule_config        jsonb NOT NULL,
    parameters             jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(parameters) = 'object'),
    catchup                text NOT NULL CHECK (catchup IN ('latest', 'none', 'all')),
    catchup_window         interval NOT NULL,
    max_catchup            integer NOT NULL CHECK (max_catchup > 0),
    overlap                text NOT NULL CHECK (overlap IN ('skip', 'queue_one', 'allow', 'cancel_previous')),
    run_timeout            interval NOT NULL,
    pause_after_failures   integer CHECK (pause_after_failures > 0),
    consecutive_failures   integer NOT NULL DEFAULT 0,
    status                 text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'paused', 'ended')),
    pause_reason           text,
    paused_at              timestamptz,
    paused_until           timestamptz,
    scheduled_through      timestamptz NOT NULL,
    next_run_at            timestamptz,
    wake_at                timestamptz,
    last_run_at            timestamptz,
    last_run_number        integer NOT NULL DEFAULT 0,
    backfill_collection_id uuid,
    user_id                text NOT NULL DEFAULT execreport.current_user_id(),
    created_at             timestamptz NOT NULL DEFAULT now(),
    ended_at               timestamptz,
    PRIMARY KEY (tenant_id, schedule_id)
) WITH (fillfactor = 70);
CREATE INDEX schedules_wake_idx ON execreport._schedules (tenant_id, wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX schedules_workflow_idx ON execreport._schedules (tenant_id, workflow_id, schedule_id);
CREATE INDEX schedules_user_idx ON execreport._schedules (tenant_id, user_id) WHERE status <> 'ended';
CREATE INDEX schedules_backfill_idx ON execreport._schedules (tenant_id, backfill_collection_id)
    WHERE backfill_collection_id IS NOT NULL;
COMMENT ON TABLE execreport._schedules IS
'Schedules; read the view workflow_schedules. wake_at: when run_due_schedules() has to look at the row again.';

CREATE TABLE execreport.schedule_runs (
    tenant_id     integer NOT NULL DEFAULT execreport.current_tenant(),
    run_id        uuid NOT NULL DEFAULT execreport._uuid7(),
    schedule_id   uuid NOT NULL,
    run_number    integer NOT NULL,
    scheduled_at  timestamptz NOT NULL,
    source        text NOT NULL DEFAULT 'schedule' CHECK (source IN ('schedule', 'manual')),
    status        text NOT NULL
                  CHECK (status IN ('pending', 'running', 'completed', 'failed', 'cancelled', 'skipped', 'missed')),
    reason        text CHECK (reason IS NOT NULL OR status NOT IN ('cancelled', 'skipped', 'missed')),
    created_at    timestamptz NOT NULL DEFAULT now(),
    started_at    timestamptz,
    completed_at  timestamptz,
    row_count     bigint,
    result        jsonb,
    error_message text,
    PRIMARY KEY (tenant_id, run_id),
    UNIQUE (tenant_id, schedule_id, scheduled_at)
);
CREATE INDEX schedule_runs_open_idx ON execreport.schedule_runs (tenant_id, schedule_id, scheduled_at)
    WHERE status IN ('pending', 'running');
CREATE INDEX schedule_runs_over_idx ON execreport.schedule_runs (created_at) WHERE status NOT IN ('pending', 'running');
COMMENT ON TABLE execreport.schedule_runs IS
'One row for every occurrence of a schedule and every manual run. status: running (whoever called run_due_schedules() has
it to do), pending (waits for an earlier run to end), completed, failed, cancelled (another run took its place), skipped
(an earlier run was not over), missed (not made in time). reason: why, for the last three, and "caught up" for a late run.
Kept for execreport.schedule_run_retention after it is over. Written by the functions of the schedules.';

CREATE VIEW execreport.workflow_schedules WITH (security_barrier) AS
SELECT s.tenant_id, s.schedule_id, s.workflow_id, s.schedule_config, s.parameters, s.catchup, s.catchup_window, s.max_catchup,
       s.overlap, s.run_timeout, s.pause_after_failures, s.consecutive_failures, s.status,
       CASE s.status WHEN 'paused' THEN s.pause_reason END AS pause_reason, CASE s.status WHEN 'paused' THEN s.paused_at END AS paused_at,
       CASE s.status WHEN 'paused' THEN s.paused_until END AS paused_until, s.next_run_at, s.last_run_at, s.backfill_collection_id, c.status AS backfill_status, s.user_id,
       s.created_at, s.ended_at
  FROM execreport._schedules AS s
  LEFT JOIN execreport.report_data_collections AS c
         ON c.tenant_id = s.tenant_id AND c.collection_id = s.backfill_collection_id
 WHERE s.tenant_id = (SELECT execreport.current_tenant());
COMMENT ON VIEW execreport.workflow_schedules IS
'The schedules of the tenant. next_run_at: the next occurrence, NULL while paused or after the end. backfill_status: that
of the backfill that belongs to the schedule, as its segments say; NULL when there is none.';

CALL execreport._hold('execreport._schedules');
CALL execreport._hold('execreport.schedule_runs');

CREATE FUNCTION execreport._schedule_delay(schedule_id uuid, schedule_config jsonb) RETURNS interval
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT (('x' || left(md5(_schedule_delay.schedule_id::text), 8))::bit(32)::bigint
            % (coalesce((_schedule_delay.schedule_config -> 'jitter')::integer, 0) + 1)) * interval '1 s';
END;
COMMENT ON FUNCTION execreport._schedule_delay(uuid, jsonb) IS
'How long after its time a run of this schedule is made: 0 to jitter seconds, by the schedule''s id, so always the same.';

CREATE FUNCTION execreport.create_schedule(workflow_id uuid, schedule_config jsonb, parameters jsonb DEFAULT '{}',
    catchup text DEFAULT 'latest', catchup_window interval DEFAULT '24 hours', max_catchup integer DEFAULT 10,
    overlap text DEFAULT 'skip', pause_after_failures integer DEFAULT NULL, run_timeout interval DEFAULT '24 hours',
    backfill_collection_id uuid DEFAULT NULL, now timestamptz DEFAULT now())
RETURNS uuid
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    tenant integer := execreport._require_persona('editor');
    first_run timestamptz := execreport.next_run(create_schedule.schedule_config, create_schedule.now);
    result uuid := execreport._uuid7();
BEGIN
    PERFORM execreport._check_word('catchup', create_schedule.catchup, '{latest,none,all}'),
            execreport._check_word('overlap', create_schedule.overlap, '{skip,queue_one,allow,cancel_previous}'),
            execreport._check_positive('catchup_window', create_schedule.catchup_window),
            execreport._check_positive('run_timeout', create_schedule.run_timeout),
            execreport._check_now(create_schedule.now);
    IF create_schedule.max_catchup IS NULL OR create_schedule.max_catchup < 1 THEN
        RAISE EXCEPTION 'max_catchup is %', coalesce(create_schedule.max_catchup::text, 'null')
            USING ERRCODE = '22023', HINT = 'Give a number of runs from 1 on, or catchup => ''none''.';
    ELSIF create_schedule.pause_after_failures < 1 THEN
        RAISE EXCEPTION 'pause_after_failures is %', create_schedule.pause_after_failures
            USING ERRCODE = '22023', HINT = 'Give a number of failures from 1 on, or NULL for never.';
    ELSIF jsonb_typeof(create_schedule.parameters) IS DISTINCT FROM 'object' THEN
        RAISE EXCEPTION 'parameters is %', coalesce(jsonb_typeof(create_schedule.parameters), 'null')
            USING ERRCODE = '22023', DETAIL = 'Parameters are a JSON object, {} when there are none.';
    ELSIF first_run IS NULL THEN
        RAISE EXCEPTION 'the schedule has no run after %', execreport._second(create_schedule.now)
            USING ERRCODE = '22023', DETAIL = 'Its end or its only day lies in the past, or its day never comes.',
                  HINT = 'See execreport.preview_runs(config, after, count).';
    ELSIF NOT EXISTS (SELECT FROM execreport.workflows AS w
                       WHERE w.tenant_id = tenant AND w.workflow_id = create_schedule.workflow_id) THEN
        RAISE EXCEPTION 'workflow % does not exist', coalesce(create_schedule.workflow_id::text, 'null')
            USING ERRCODE = 'P0002', HINT = 'Create it with execreport.create_workflow(name).';
    ELSIF create_schedule.backfill_collection_id IS NOT NULL
          AND NOT EXISTS (SELECT FROM execreport.report_data_collections AS c
                           WHERE c.tenant_id = tenant AND c.collection_id = create_schedule.backfill_collection_id) THEN
        RAISE EXCEPTION 'collection % does not exist', create_schedule.backfill_collection_id
            USING ERRCODE = 'P0002', HINT = 'Start it with execreport.start_backfill().';
    END IF;

    INSERT INTO execreport._schedules (tenant_id, schedule_id, workflow_id, schedule_config, parameters, catchup, catchup_window,
        max_catchup, overlap, run_timeout, pause_after_failures, scheduled_through, next_run_at, wake_at, backfill_collection_id)
    VALUES (tenant, result, create_schedule.workflow_id, create_schedule.schedule_config, create_schedule.parameters,
        create_schedule.catchup, create_schedule.catchup_window, create_schedule.max_catchup, create_schedule.overlap,
        create_schedule.run_timeout, create_schedule.pause_after_failures, create_schedule.now, first_run,
        first_run + execreport._schedule_delay(result, create_schedule.schedule_config), create_schedule.backfill_collection_id);
    PERFORM execreport._audit(tenant, 'create', 'schedule', result::text, NULL,
        jsonb_build_object('workflow_id', create_schedule.workflow_id, 'schedule_config', create_schedule.schedule_config,
                           'catchup', create_schedule.catchup, 'overlap', create_schedule.overlap));
    RETURN result;
END
$$;
COMMENT ON FUNCTION execreport.create_schedule(uuid, jsonb, jsonb, text, interval, integer, text, integer, interval, uuid, timestamptz) IS
'Lets a workflow run by a schedule and returns the schedule''s id; the first run is the first occurrence after now.
schedule_config: as for next_run. parameters: kept for whoever does the runs. catchup: which runs that were not made within
an hour are made later: latest (only the newest), none, or all (the newest max_catchup, one after the other); none
that is older than catchup_window. overlap: what happens when a run falls due and an earlier one is not over: skip it, queue_one
(one waits, more are skipped), allow both, or cancel_previous. pause_after_failures: pause after so many failures in a row;
NULL: never. run_timeout: a run that is not reported within it has failed. For editors.
Errors: 42501 for others; those of next_run; 22023 another wrong argument, or a schedule without any run; P0002 no such workflow
or collection.
Example: SELECT execreport.create_schedule(w.workflow_id, ''{"frequency": "daily", "time": "09:00", "timezone": "UTC"}'') FROM execreport.workflows AS w;';

CREATE FUNCTION execreport._check_word(path text, word text, allowed text[]) RETURNS void
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF word IS NULL OR word <> ALL (allowed) THEN
        RAISE EXCEPTION '% is unknown: %', path, coalesce('"' || left(word, 64) || '"', 'null')
            USING ERRCODE = '22023', DETAIL = format('Allowed are %s.', array_to_string(allowed, ', '));
    END IF;
END
$$;

CREATE FUNCTION execreport._check_positive(path text, length interval) RETURNS void
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF length IS NULL OR length <= interval '0' OR length > interval '10 years' THEN
        RAISE EXCEPTION '% is %', path, coalesce(length::text, 'null')
            USING ERRCODE = '22023', HINT = 'Give an interval of more than nothing and at most 10 years.';
    END IF;
END
$$;

CREATE FUNCTION execreport._locked_schedule(tenant_id integer, schedule_id uuid) RETURNS execreport._schedules
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    result execreport._schedules;
BEGIN
    SELECT s.* INTO result
      FROM execreport._schedules AS s
     WHERE s.tenant_id = _locked_schedule.tenant_id AND s.schedule_id = _locked_schedule.schedule_id
       FOR UPDATE;
    IF result.schedule_id IS NULL THEN
        RAISE EXCEPTION 'schedule % does not exist', coalesce(_locked_schedule.schedule_id::text, 'null')
            USING ERRCODE = 'P0002', HINT = 'See execreport.workflow_schedules.';
    END IF;
    RETURN result;
END
$$;
COMMENT ON FUNCTION execreport._locked_schedule(integer, uuid) IS
'The schedule''s row, locked until the transaction ends; error P0002 when there is none.';

CREATE FUNCTION execreport.run_due_schedules(now timestamptz DEFAULT now()) RETURNS SETOF execreport.schedule_runs
LANGUAGE plpgsql VOLATILE SECURITY DEFINER ROWS 100 SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    tenant integer := execreport._require_persona('editor');
    due uuid[];
BEGIN
    PERFORM execreport._check_now(run_due_schedules.now);
    due := ARRAY(SELECT s.schedule_id
                   FROM execreport._schedules AS s
                  WHERE s.tenant_id = tenant AND s.wake_at <= run_due_schedules.now
                  ORDER BY s.schedule_id
                    FOR UPDATE SKIP LOCKED);
    IF due <> '{}' THEN
        RETURN QUERY SELECT * FROM execreport._make_runs(tenant, due, run_due_schedules.now);
    END IF;
END
$$;
COMMENT ON FUNCTION execreport.run_due_schedules(timestamptz) IS
'Makes the runs that have fallen due in the current tenant and returns those that the caller has to do now (status running),
in no particular order; report each with complete_schedule_run() or fail_schedule_run(). Occurrences that are not
run are recorded in schedule_runs with the reason. Any number of sessions may call it at once: a schedule that another one
works on is left to it, and no run is made twice. now: the instant that counts as the present; all occurrences until then
fall due, and what they leave behind stays. For editors.
Errors: 42501 for others; 22023 when now is NULL or not of the years 1 to 9999.
Example: SELECT run_id, schedule_id, scheduled_at FROM execreport.run_due_schedules();';

-- An occurrence is on time within an hour. Late ones are made or missed as catchup says.
CREATE FUNCTION execreport._make_runs(tenant_id integer, due uuid[], now timestamptz) RETURNS SETOF execreport.schedule_runs
LANGUAGE plpgsql VOLATILE ROWS 100 SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    tenant integer := _make_runs.tenant_id;
    overdue record;
    made uuid[];
    replacing uuid[];
    begun uuid[];
BEGIN
    FOR overdue IN
        SELECT r.schedule_id, r.run_id, s.run_timeout
          FROM execreport.schedule_runs AS r
          JOIN execreport._schedules AS s ON s.tenant_id = tenant AND s.schedule_id = r.schedule_id
         WHERE r.tenant_id = tenant AND r.schedule_id = ANY (due) AND r.status = 'running'
           AND r.started_at + s.run_timeout <= _make_runs.now
         ORDER BY r.schedule_id, r.scheduled_at
    LOOP
        PERFORM execreport._end_run(tenant, overdue.schedule_id, overdue.run_id, 'failed', _make_runs.now,
            error => format('not reported within %s', overdue.run_timeout));
    END LOOP;

    WITH open AS MATERIALIZED (
        -- its delay makes a schedule look at the past: to it, so late is it now
        SELECT s.*, r.running, r.waiting, _make_runs.now - execreport._schedule_delay(s.schedule_id, s.schedule_config) AS present
          FROM execreport._schedules AS s,
               LATERAL (SELECT count(*) FILTER (WHERE r.status = 'running') AS running,
                               count(*) FILTER (WHERE r.status = 'pending') AS waiting
                          FROM execreport.schedule_runs AS r
                         WHERE r.tenant_id = tenant AND r.schedule_id = s.schedule_id AND r.status IN ('pending', 'running')) AS r
         WHERE s.tenant_id = tenant AND s.schedule_id = ANY (due)
           AND (s.status = 'active' OR s.status = 'paused' AND s.paused_until <= _make_runs.now)
    ), fallen AS (
        SELECT s.schedule_id, s.overlap, s.catchup, s.catchup_window, s.max_catchup, s.pause_reason, s.running, s.waiting, o.run_at, s.present,
               o.run_at < s.present - interval '1 hour' OR during.pause AS late, during.pause AS paused,
               row_number() OVER (PARTITION BY s.schedule_id ORDER BY o.run_at DESC) AS age, s.last_run_number + o.run_number AS number
          FROM open AS s,
               LATERAL execreport.occurrences(s.schedule_config, s.scheduled_through, greatest(s.present, s.scheduled_through)) AS o,
               LATERAL (SELECT coalesce(o.run_at > s.paused_at AND o.run_at <= s.paused_until, false) AS pause) AS during
         -- a manual run may stand at that instant; a scalar subquery, so that each is looked up by its key
         WHERE (SELECT r.run_id FROM execreport.schedule_runs AS r
                 WHERE r.tenant_id = tenant AND r.schedule_id = s.schedule_id AND r.scheduled_at = o.run_at) IS NULL
    ), judged AS (
        SELECT f.*, CASE WHEN NOT f.late THEN NULL
                         WHEN f.catchup = 'none' THEN 'late, and catchup is none'
                         WHEN f.run_at < f.present - f.catchup_window THEN 'older than catchup_window'
                         WHEN f.catchup = 'latest' AND f.age > 1 THEN 'late, and a later run takes its place'
                         WHEN f.age > f.max_catchup THEN 'late, and more than max_catchup' END AS missed
          FROM fallen AS f
    ), ordered AS (
        SELECT j.*, row_number() OVER forward AS position, count(*) OVER (PARTITION BY j.schedule_id, j.missed IS NULL) AS many
          FROM judged AS j
        WINDOW forward AS (PARTITION BY j.schedule_id, j.missed IS NULL ORDER BY j.run_at)
    ), decided AS (
        SELECT o.*, o.position > 1 OR o.running + o.waiting > 0 AS overlapping,
               -- the first of the new ones runs at once when nothing is open; what stands before it waits
               o.waiting + o.position - 1 - CASE WHEN o.position > 1 AND o.running + o.waiting = 0 THEN 1 ELSE 0 END AS ahead
          FROM ordered AS o
    ), fated AS (
        SELECT d.*, CASE WHEN d.missed IS NOT NULL THEN 'missed'
                         WHEN d.overlap = 'allow' THEN 'running'
                         WHEN d.overlap = 'cancel_previous' THEN CASE WHEN d.position = d.many THEN 'running' ELSE 'skipped' END
                         WHEN NOT d.overlapping THEN 'running'
                         WHEN d.late AND d.catchup = 'all' OR d.overlap = 'queue_one' AND d.ahead = 0 THEN 'pending'
                         ELSE 'skipped' END AS status
          FROM decided AS d
    ), recorded AS (
        INSERT INTO execreport.schedule_runs (tenant_id, schedule_id, run_number, scheduled_at, status, reason, created_at, started_at)
        SELECT tenant, f.schedule_id, f.number, f.run_at, f.status,
               CASE WHEN f.status = 'missed' AND f.paused THEN concat_ws(': ', 'paused', f.pause_reason)
                    WHEN f.status = 'missed' THEN f.missed
                    WHEN f.status = 'skipped' AND f.overlap = 'cancel_previous' THEN 'a later run takes its place'
                    WHEN f.status = 'skipped' AND f.overlap = 'queue_one' THEN 'another run waits already'
                    WHEN f.status = 'skipped' THEN 'an earlier run is not over'
                    WHEN f.late THEN 'caught up' END,
               _make_runs.now, CASE f.status WHEN 'running' THEN _make_runs.now END
          FROM fated AS f
         ORDER BY f.schedule_id, f.run_at
        RETURNING schedule_id, run_id, status
    )
    SELECT array_agg(r.run_id), array_agg(r.schedule_id) FILTER (WHERE s.overlap = 'cancel_previous') INTO made, replacing
      FROM recorded AS r JOIN open AS s USING (schedule_id)
     WHERE r.status = 'running';

    IF replacing IS NOT NULL THEN
        UPDATE execreport.schedule_runs AS r
           SET status = 'cancelled', reason = 'a later run takes its place', completed_at = _make_runs.now
         WHERE r.tenant_id = tenant AND r.schedule_id = ANY (replacing) AND r.status IN ('pending', 'running')
           AND r.run_id <> ALL (made);
    END IF;

    -- the next of those that wait
    WITH next AS (
        SELECT DISTINCT ON (r.schedule_id) r.run_id
          FROM execreport.schedule_runs AS r
          JOIN execreport._schedules AS s ON s.tenant_id = tenant AND s.schedule_id = r.schedule_id
                 AND (s.status <> 'paused' OR s.paused_until <= _make_runs.now)
         WHERE r.tenant_id = tenant AND r.schedule_id = ANY (due) AND r.status = 'pending'
           AND NOT EXISTS (SELECT FROM execreport.schedule_runs AS other
                            WHERE other.tenant_id = tenant AND other.schedule_id = r.schedule_id AND other.status = 'running')
         ORDER BY r.schedule_id, r.scheduled_at
    ), started AS (
        UPDATE execreport.schedule_runs AS r
           SET status = 'running', started_at = _make_runs.now
          FROM next
         WHERE r.tenant_id = tenant AND r.run_id = next.run_id
        RETURNING r.run_id
    )
    SELECT array_agg(run_id) INTO begun FROM started;

    UPDATE execreport._schedules AS s
       SET status = CASE WHEN s.status = 'ended' THEN 'ended' WHEN n.next_run IS NULL THEN 'ended' ELSE 'active' END,
           ended_at = CASE WHEN s.status = 'ended' THEN s.ended_at WHEN n.next_run IS NULL THEN _make_runs.now END,
           scheduled_through = greatest(s.scheduled_through, _make_runs.now - n.delay),
           next_run_at = n.next_run, wake_at = least(n.next_run + n.delay, last.started_at + s.run_timeout),
           pause_reason = NULL, paused_at = NULL, paused_until = NULL,
           last_run_number = coalesce(last.run_number, s.last_run_number), last_run_at = coalesce(last.scheduled_at, s.last_run_at)
      FROM execreport._schedules AS old
      CROSS JOIN LATERAL (SELECT d.delay, CASE WHEN old.status <> 'ended' THEN
                execreport.next_run(old.schedule_config, greatest(old.scheduled_through, _make_runs.now - d.delay)) END AS next_run
                            FROM execreport._schedule_delay(old.schedule_id, old.schedule_config) AS d (delay)) AS n
      LEFT JOIN LATERAL (SELECT max(r.run_number) AS run_number,
                                max(r.scheduled_at) FILTER (WHERE r.status NOT IN ('missed', 'skipped')) AS scheduled_at,
                                (SELECT min(o.started_at) FROM execreport.schedule_runs AS o
                                  WHERE o.tenant_id = tenant AND o.schedule_id = old.schedule_id AND o.status = 'running') AS started_at
                           FROM execreport.schedule_runs AS r
                          WHERE r.tenant_id = tenant AND r.schedule_id = old.schedule_id AND r.scheduled_at > old.scheduled_through) AS last ON true
     WHERE old.tenant_id = tenant AND old.schedule_id = ANY (due)
       AND (old.status <> 'paused' OR old.paused_until <= _make_runs.now)
       AND s.tenant_id = tenant AND s.schedule_id = old.schedule_id;

    RETURN QUERY SELECT r.* FROM execreport.schedule_runs AS r WHERE r.tenant_id = tenant AND r.run_id = ANY (made || begun);
END
$$;
COMMENT ON FUNCTION execreport._make_runs(integer, uuid[], timestamptz) IS
'Makes and records the runs of these schedules, whose rows the caller has locked, up to now; returns those to do now.';

CREATE FUNCTION execreport._end_run(tenant_id integer, schedule_id uuid, run_id uuid, status text, now timestamptz,
    error text DEFAULT NULL, row_count bigint DEFAULT NULL, result jsonb DEFAULT NULL)
RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    tenant integer := _end_run.tenant_id;
    s execreport._schedules;
BEGIN
    UPDATE execreport.schedule_runs AS r
       SET status = _end_run.status, completed_at = _end_run.now, error_message = _end_run.error,
           row_count = _end_run.row_count, result = _end_run.result
     WHERE r.tenant_id = tenant AND r.run_id = _end_run.run_id AND r.status = 'running';
    IF NOT FOUND THEN
        RETURN false;
    END IF;

    UPDATE execreport._schedules AS stored
       SET consecutive_failures = CASE _end_run.status WHEN 'failed' THEN stored.consecutive_failures + 1 ELSE 0 END,
           wake_at = CASE WHEN stored.status <> 'paused'
                           AND EXISTS (SELECT FROM execreport.schedule_runs AS r
                                        WHERE r.tenant_id = tenant AND r.schedule_id = _end_run.schedule_id AND r.status = 'pending')
                          THEN least(stored.wake_at, _end_run.now) ELSE stored.wake_at END
     WHERE stored.tenant_id = tenant AND stored.schedule_id = _end_run.schedule_id
    RETURNING stored.* INTO s;
    IF _end_run.status = 'failed' AND s.status = 'active' AND s.consecutive_failures >= s.pause_after_failures THEN
        PERFORM execreport._pause(tenant, _end_run.schedule_id, format('%s failures in a row', s.consecutive_failures), NULL, _end_run.now);
    END IF;
    RETURN true;
END
$$;
COMMENT ON FUNCTION execreport._end_run(integer, uuid, uuid, text, timestamptz, text, bigint, jsonb) IS
'Ends a running run of a schedule whose row the caller has locked; false when it does not run any more.';

CREATE FUNCTION execreport._pause(tenant_id integer, schedule_id uuid, reason text, until timestamptz, now timestamptz) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    UPDATE execreport._schedules AS s
       SET status = 'paused', pause_reason = _pause.reason, paused_at = coalesce(s.paused_at, _pause.now), paused_until = _pause.until,
           next_run_at = NULL, wake_at = _pause.until
     WHERE s.tenant_id = _pause.tenant_id AND s.schedule_id = _pause.schedule_id;
    PERFORM execreport._audit(_pause.tenant_id, 'pause', 'schedule', _pause.schedule_id::text, NULL,
        jsonb_build_object('until', _pause.until), _pause.reason);
END
$$;

CREATE FUNCTION execreport.pause_schedule(schedule_id uuid, reason text DEFAULT NULL, until timestamptz DEFAULT NULL,
    now timestamptz DEFAULT now())
RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    tenant integer := execreport._require_persona('editor');
    s execreport._schedules := execreport._locked_schedule(tenant, pause_schedule.schedule_id);
BEGIN
    PERFORM execreport._check_reason(pause_schedule.reason), execreport._check_now(pause_schedule.now);
    IF pause_schedule.until <= pause_schedule.now OR NOT isfinite(pause_schedule.until) THEN
        RAISE EXCEPTION 'until % is not later than now', pause_schedule.until
            USING ERRCODE = '22023', DETAIL = format('Now is %s.', execreport._second(pause_schedule.now)),
                  HINT = 'Give a later instant, or none to pause until resume_schedule() is called.';
    END IF;
    IF s.status = 'ended' THEN
        RETURN false;
    END IF;
    PERFORM execreport._pause(tenant, pause_schedule.schedule_id, pause_schedule.reason, pause_schedule.until, pause_schedule.now);
    RETURN true;
END
$$;
COMMENT ON FUNCTION execreport.pause_schedule(uuid, text, timestamptz, timestamptz) IS
'Stops making runs until the given instant, or until resume_schedule() is called. A run that is being done goes on. Pausing
again changes reason and instant. What fell due in the meantime is caught up or missed as the schedule''s catchup says.
Returns true, false when the schedule has ended. For editors.
Errors: 42501 for others; P0002 no such schedule; 22023 until is not later than now, or now is NULL or not of the years 1 to 9999.
Example: SELECT execreport.pause_schedule(schedule_id, ''holidays'', ''2027-01-07 00:00+00'') FROM execreport.workflow_schedules;';

CREATE FUNCTION execreport.resume_schedule(schedule_id uuid, now timestamptz DEFAULT now()) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    tenant integer := execreport._require_persona('editor');
    s execreport._schedules := execreport._locked_schedule(tenant, resume_schedule.schedule_id);
BEGIN
    PERFORM execreport._check_now(resume_schedule.now);
    IF s.status <> 'paused' THEN
        RETURN false;
    END IF;
    -- from when to when it was paused is kept until the runs of that time are made or missed
    UPDATE execreport._schedules AS stored
       SET status = 'active', paused_until = greatest(resume_schedule.now, stored.paused_at), wake_at = greatest(resume_schedule.now, stored.paused_at),
           next_run_at = execreport.next_run(stored.schedule_config, stored.scheduled_through), consecutive_failures = 0
     WHERE stored.tenant_id = tenant AND stored.schedule_id = resume_schedule.schedule_id;
    PERFORM execreport._audit(tenant, 'resume', 'schedule', resume_schedule.schedule_id::text,
        jsonb_build_object('paused_at', s.paused_at, 'reason', s.pause_reason));
    RETURN true;
END
$$;
COMMENT ON FUNCTION execreport.resume_schedule(uuid, timestamptz) IS
'Ends a pause; the count of failures begins anew. The next run_due_schedules() makes what catchup asks for: next_run_at is
the first run that is neither made nor missed, in the pause or after it. Returns true, false when the schedule was not paused. For editors.
Errors: 42501 for others; P0002 no such schedule; 22023 now is NULL or not of the years 1 to 9999.
Example: SELECT execreport.resume_schedule(schedule_id) FROM execreport.workflow_schedules WHERE status = ''paused'';';

CREATE FUNCTION execreport.run_schedule_now(schedule_id uuid, now timestamptz DEFAULT now()) RETURNS uuid
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    tenant integer := execreport._require_persona('editor');
    s execreport._schedules := execreport._locked_schedule(tenant, run_schedule_now.schedule_id);
    result uuid;
BEGIN
    PERFORM execreport._check_now(run_schedule_now.now);
    IF s.status = 'ended' THEN
        RAISE EXCEPTION 'schedule % has ended', run_schedule_now.schedule_id
            USING ERRCODE = '55000', HINT = 'Create a new schedule.';
    ELSIF EXISTS (SELECT FROM execreport.schedule_runs AS r
                   WHERE r.tenant_id = tenant AND r.schedule_id = run_schedule_now.schedule_id
                     AND r.scheduled_at = run_schedule_now.now) THEN
        RAISE EXCEPTION 'schedule % has a run at % already', run_schedule_now.schedule_id, run_schedule_now.now
            USING ERRCODE = '23505', HINT = 'A schedule has one run at an instant.';
    END IF;
    INSERT INTO execreport.schedule_runs (tenant_id, schedule_id, run_number, scheduled_at, source, status, created_at, started_at)
    VALUES (tenant, run_schedule_now.schedule_id, s.last_run_number + 1, run_schedule_now.now, 'manual', 'running',
            run_schedule_now.now, run_schedule_now.now)
    RETURNING run_id INTO result;
    UPDATE execreport._schedules AS stored
       SET last_run_number = stored.last_run_number + 1, last_run_at = greatest(stored.last_run_at, run_schedule_now.now)
     WHERE stored.tenant_id = tenant AND stored.schedule_id = run_schedule_now.schedule_id;
    PERFORM execreport._audit(tenant, 'run', 'schedule', run_schedule_now.schedule_id::text, NULL, jsonb_build_object('run_id', result));
    RETURN result;
END
$$;
COMMENT ON FUNCTION execreport.run_schedule_now(uuid, timestamptz) IS
'Makes a run by hand, also while the schedule is paused, and returns its id; the caller has to do it and to report it. The
rhythm of the schedule stays as it is, and overlap is not asked: the caller knows best. For editors.
Errors: 42501 for others; P0002 no such schedule; 55000 it has ended; 23505 it has a run at this very instant; 22023 now is NULL or not of the years 1 to 9999.
Example: SELECT execreport.run_schedule_now(schedule_id) FROM execreport.workflow_schedules;';

CREATE FUNCTION execreport.end_schedule(schedule_id uuid, reason text DEFAULT NULL, now timestamptz DEFAULT now()) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    tenant integer := execreport._require_persona('editor');
    s execreport._schedules := execreport._locked_schedule(tenant, end_schedule.schedule_id);
BEGIN
    PERFORM execreport._check_reason(end_schedule.reason), execreport._check_now(end_schedule.now);
    IF s.status = 'ended' THEN
        RETURN false;
    END IF;
    UPDATE execreport.schedule_runs AS r
       SET status = 'cancelled', reason = 'the schedule has ended', completed_at = end_schedule.now
     WHERE r.tenant_id = tenant AND r.schedule_id = end_schedule.schedule_id AND r.status = 'pending';
    UPDATE execreport._schedules AS stored
       SET status = 'ended', ended_at = end_schedule.now, next_run_at = NULL, wake_at = NULL,
           pause_reason = NULL, paused_at = NULL, paused_until = NULL
     WHERE stored.tenant_id = tenant AND stored.schedule_id = end_schedule.schedule_id;
    PERFORM execreport._audit(tenant, 'end', 'schedule', end_schedule.schedule_id::text, jsonb_build_object('status', s.status), NULL,
        end_schedule.reason);
    RETURN true;
END
$$;
COMMENT ON FUNCTION execreport.end_schedule(uuid, text, timestamptz) IS
'Ends a schedule for good: no more runs; those that wait are cancelled, one that is being done goes on. Its record stays.
Returns true, false when it had ended before. For editors.
Errors: 42501 for others; P0002 no such schedule; 22023 now is NULL or not of the years 1 to 9999.
Example: SELECT execreport.end_schedule(schedule_id, ''report retired'') FROM execreport.workflow_schedules;';

CREATE FUNCTION execreport.change_schedule(schedule_id uuid, schedule_config jsonb, now timestamptz DEFAULT now()) RETURNS timestamptz
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    tenant integer := execreport._require_persona('editor');
    s execreport._schedules := execreport._locked_schedule(tenant, change_schedule.schedule_id);
    next_run timestamptz := execreport.next_run(change_schedule.schedule_config, greatest(change_schedule.now, s.scheduled_through));
    delay interval := execreport._schedule_delay(s.schedule_id, s.schedule_config);
    due timestamptz := CASE WHEN s.status = 'active' THEN s.next_run_at
                            WHEN s.paused_until <= change_schedule.now THEN execreport.next_run(s.schedule_config, s.scheduled_through) END;
    missed integer := 0;
BEGIN
    IF s.status = 'ended' OR next_run IS NULL THEN
        RAISE EXCEPTION 'schedule % %', change_schedule.schedule_id, CASE s.status WHEN 'ended' THEN 'has ended' ELSE 'would have no more run' END
            USING ERRCODE = CASE s.status WHEN 'ended' THEN '55000' ELSE '22023' END,
                  HINT = CASE s.status WHEN 'ended' THEN 'Create a new schedule.' ELSE 'Use execreport.end_schedule() to end it.' END;
    ELSIF due <= change_schedule.now THEN
        RAISE EXCEPTION 'schedule % has runs that are due', change_schedule.schedule_id
            USING ERRCODE = '55000', DETAIL = format('The next one was due at %s.', execreport._second(due)),
                  HINT = CASE WHEN due + delay <= change_schedule.now THEN 'Call execreport.run_due_schedules() first.'
                              ELSE format('Its jitter delays it; call execreport.run_due_schedules() first, from %s on.', execreport._second(due + delay)) END;
    END IF;
    IF s.status = 'paused' THEN
        -- the old rule's runs in the pause: no later call will see them
        INSERT INTO execreport.schedule_runs (tenant_id, schedule_id, run_number, scheduled_at, status, reason, created_at)
        SELECT tenant, s.schedule_id, s.last_run_number + row_number() OVER (ORDER BY o.run_at), o.run_at, 'missed',
               concat_ws(': ', 'paused', s.pause_reason), change_schedule.now
          FROM execreport.occurrences(s.schedule_config, s.scheduled_through, greatest(change_schedule.now, s.scheduled_through)) AS o
         WHERE NOT EXISTS (SELECT FROM execreport.schedule_runs AS r
                            WHERE r.tenant_id = tenant AND r.schedule_id = s.schedule_id AND r.scheduled_at = o.run_at);
        GET DIAGNOSTICS missed = ROW_COUNT;
    END IF;
    UPDATE execreport._schedules AS stored
       SET schedule_config = change_schedule.schedule_config, scheduled_through = greatest(change_schedule.now, stored.scheduled_through),
           last_run_number = stored.last_run_number + missed,
           next_run_at = CASE stored.status WHEN 'active' THEN next_run END,
           wake_at = CASE stored.status WHEN 'active' THEN least(next_run + execreport._schedule_delay(stored.schedule_id, change_schedule.schedule_config),
                              CASE WHEN stored.wake_at < stored.next_run_at + delay THEN stored.wake_at END)
                          ELSE stored.wake_at END
     WHERE stored.tenant_id = tenant AND stored.schedule_id = change_schedule.schedule_id;
    PERFORM execreport._audit(tenant, 'update', 'schedule', change_schedule.schedule_id::text,
        jsonb_build_object('schedule_config', s.schedule_config), jsonb_build_object('schedule_config', change_schedule.schedule_config));
    RETURN next_run;
END
$$;
COMMENT ON FUNCTION execreport.change_schedule(uuid, jsonb, timestamptz) IS
'Gives a schedule another rule, which counts from now on; runs that were made stay, and those that fell into a pause until
now are missed. Returns the next run. For editors.
Errors: 42501 for others; P0002 no such schedule; those of next_run; 22023 the rule has no more run; 55000 it has ended, or has
runs that are due and not made yet.
Example: SELECT execreport.change_schedule(schedule_id, schedule_config || ''{"time": "10:00"}'') FROM execreport.workflow_schedules;';

CREATE FUNCTION execreport._report_run(run_id uuid, status text, now timestamptz, error text, row_count bigint, result jsonb) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    tenant integer := execreport._require_tenant(execreport.current_tenant(), 'editor');
    schedule uuid;
BEGIN
    PERFORM execreport._check_now(_report_run.now);
    SELECT r.schedule_id INTO schedule
      FROM execreport.schedule_runs AS r WHERE r.tenant_id = tenant AND r.run_id = _report_run.run_id;
    IF schedule IS NULL THEN
        RAISE EXCEPTION 'run % does not exist', coalesce(_report_run.run_id::text, 'null')
            USING ERRCODE = 'P0002', HINT = 'Runs are made by execreport.run_due_schedules() and listed in execreport.schedule_runs.';
    END IF;
    PERFORM execreport._locked_schedule(tenant, schedule);
    RETURN execreport._end_run(tenant, schedule, _report_run.run_id, _report_run.status, _report_run.now,
                               _report_run.error, _report_run.row_count, _report_run.result);
END
$$;

CREATE FUNCTION execreport.complete_schedule_run(run_id uuid, row_count bigint DEFAULT NULL, result jsonb DEFAULT NULL,
    now timestamptz DEFAULT now())
RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN execreport._report_run(complete_schedule_run.run_id, 'completed', complete_schedule_run.now, NULL,
                                  complete_schedule_run.row_count, complete_schedule_run.result);
END
$$;
COMMENT ON FUNCTION execreport.complete_schedule_run(uuid, bigint, jsonb, timestamptz) IS
'Reports that a run is done; the schedule''s count of failures is 0 again. A run that waits for it is started by the next
run_due_schedules(). Returns true; false, and nothing changes, when the run is not running any more. For editors.
Errors: 42501 for others; P0002 no such run; 22023 now is NULL or not of the years 1 to 9999.
Example: SELECT execreport.complete_schedule_run(run_id, 42) FROM execreport.schedule_runs WHERE status = ''running'';';

CREATE FUNCTION execreport.fail_schedule_run(run_id uuid, error text, now timestamptz DEFAULT now()) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN execreport._report_run(fail_schedule_run.run_id, 'failed', fail_schedule_run.now,
                                  coalesce(fail_schedule_run.error, 'no error was given'), NULL, NULL);
END
$$;
COMMENT ON FUNCTION execreport.fail_schedule_run(uuid, text, timestamptz) IS
'Reports that a run has failed. After pause_after_failures failures in a row the schedule is paused. Returns true; false,
and nothing changes, when the run is not running any more. For editors.
Errors: 42501 for others; P0002 no such run; 22023 now is NULL or not of the years 1 to 9999.
Example: SELECT execreport.fail_schedule_run(run_id, ''no connection'') FROM execreport.schedule_runs WHERE status = ''running'';';
