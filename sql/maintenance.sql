-- maintenance: a switch that stops writing, and tick, which does everything that only the passing of time asks for.
--
-- tick works in steps, each in a transaction of its own under the lock of its row in tick_steps, so any number of callers may
-- tick at once: who finds a step locked passes it by. A step that fails is rolled back alone, recorded, and notified once until
-- it has worked again. A step that many rows wait for (retention) and one that has a part for each tenant (schedules, leases)
-- commit in between. Nothing but the committed state of the tables says what is to be done, so a caller that dies in any step
-- loses nothing and doubles nothing: the next tick does the step again.

CREATE TABLE execreport._maintenance (
    tenant_id  integer NOT NULL PRIMARY KEY CHECK (tenant_id >= 0),
    message    text NOT NULL CHECK (message <> ''),
    engaged_by text NOT NULL DEFAULT execreport.current_user_id(),
    engaged_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE execreport._maintenance IS
'Where maintenance is engaged: in a tenant, or everywhere (tenant_id 0). Read the view maintenance. Columns are read by number in
src/maintenance.c.';

CREATE TABLE execreport.tick_steps (
    step             text NOT NULL PRIMARY KEY,
    last_started_at  timestamptz,
    last_finished_at timestamptz,
    last_seconds     double precision,
    last_result      text CHECK (last_result IN ('ok', 'failed')),
    last_count       bigint,
    last_ok_at       timestamptz,
    error            text,
    failing_since    timestamptz,
    runs             bigint NOT NULL DEFAULT 0,
    failures         bigint NOT NULL DEFAULT 0,
    state            jsonb NOT NULL DEFAULT '{}'
);
COMMENT ON TABLE execreport.tick_steps IS
'One row for each step of tick(): when it was done last, how long that took (seconds), with which result (ok; failed, then error
says why and failing_since since when), what it counted, and how often it was done and
failed. state: what the step remembers. For superusers.';

CREATE VIEW execreport.maintenance WITH (security_barrier) AS
SELECT m.tenant_id, m.message, m.engaged_by, m.engaged_at
  FROM execreport._maintenance AS m
 WHERE m.tenant_id IN (0, (SELECT execreport.current_tenant())) OR (SELECT execreport._caller_is_superuser());
COMMENT ON VIEW execreport.maintenance IS
'Where maintenance is engaged: everywhere (tenant_id 0) and in the own tenant; superusers see all. No row: nowhere.';

CALL execreport._hold('execreport._maintenance', condition => 'tenant_id = (SELECT execreport.current_tenant()) OR tenant_id = 0');
CALL execreport._hold('execreport.tick_steps', 'superusers');

CREATE FUNCTION execreport._in_maintenance(tenant_id integer) RETURNS boolean
LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'er_in_maintenance';
COMMENT ON FUNCTION execreport._in_maintenance(integer) IS
'Is maintenance engaged in this tenant, or everywhere? For tenant 0: everywhere?';

CREATE FUNCTION execreport.set_maintenance(engaged boolean, message text DEFAULT NULL, tenant_id integer DEFAULT NULL)
RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    scope constant integer := coalesce(set_maintenance.tenant_id, 0);
    previous execreport._maintenance;
BEGIN
    IF set_maintenance.tenant_id IS NOT NULL THEN
        PERFORM execreport._require_tenant(set_maintenance.tenant_id, 'admin');
        IF set_maintenance.tenant_id < 1 THEN
            RAISE EXCEPTION 'tenant_id % is not a positive number', set_maintenance.tenant_id
                USING ERRCODE = '22023', HINT = 'Leave it out for every tenant.';
        END IF;
    ELSIF NOT execreport._caller_is_superuser() THEN
        RAISE EXCEPTION 'only a superuser engages maintenance for every tenant'
            USING ERRCODE = '42501', HINT = 'Name the tenant as the third argument.';
    END IF;
    IF set_maintenance.engaged IS NULL THEN
        RAISE EXCEPTION 'engaged is null' USING ERRCODE = '22004', HINT = 'true stops writing, false lets it go on.';
    ELSIF set_maintenance.engaged AND coalesce(set_maintenance.message, '') = '' THEN
        RAISE EXCEPTION 'message is %', CASE WHEN set_maintenance.message IS NULL THEN 'null' ELSE 'empty' END
            USING ERRCODE = CASE WHEN set_maintenance.message IS NULL THEN '22004' ELSE '22023' END,
                  HINT = 'Say what those who are refused shall read.';
    ELSIF octet_length(set_maintenance.message) > 1000 THEN
        RAISE EXCEPTION 'message has % bytes', octet_length(set_maintenance.message)
            USING ERRCODE = '22023', DETAIL = 'It has 1 to 1000 bytes.';
    END IF;

    LOCK TABLE execreport._maintenance IN SHARE ROW EXCLUSIVE MODE;
    SELECT m.* INTO previous FROM execreport._maintenance AS m WHERE m.tenant_id = scope;
    IF set_maintenance.engaged THEN
        IF previous.message = set_maintenance.message THEN
            RETURN false;
        END IF;
        INSERT INTO execreport._maintenance AS m (tenant_id, message) VALUES (scope, set_maintenance.message)
        ON CONFLICT (tenant_id) DO UPDATE SET message = excluded.message;
    ELSE
        IF previous.tenant_id IS NULL THEN
            RETURN false;
        END IF;
        DELETE FROM execreport._maintenance AS m WHERE m.tenant_id = scope;
    END IF;
    PERFORM execreport._announce_change('execreport._maintenance'),
            execreport._audit(coalesce(set_maintenance.tenant_id, execreport.current_tenant()), 'set_maintenance', 'maintenance',
                CASE scope WHEN 0 THEN 'everywhere' ELSE scope::text END,
                jsonb_build_object('engaged', previous.tenant_id IS NOT NULL, 'message', previous.message),
                jsonb_build_object('engaged', set_maintenance.engaged,
                                   'message', CASE WHEN set_maintenance.engaged THEN set_maintenance.message END),
                CASE WHEN NOT set_maintenance.engaged THEN set_maintenance.message END),
            execreport._emit(scope, 'maintenance', CASE WHEN set_maintenance.engaged THEN 'engaged' ELSE 'released' END, NULL,
                jsonb_build_object('message', set_maintenance.message));
    RETURN true;
END
$$;
COMMENT ON FUNCTION execreport.set_maintenance(boolean, text, integer) IS
'Stops writing (true) or lets it go on (false): while maintenance is engaged, functions that write for the application raise
SQLSTATE PT503 with this message and DETAIL MAINTENANCE. Reading goes on, and so does what operates the system: flags, kill
switches, rollout, rollback, access, tenants, notifications, workers'' heartbeats and completions, tick(), and this function. It
counts from the commit on, in every session''s next statement. message: what the refused read, 1 to 1000 bytes; when releasing,
a reason for the log. tenant_id NULL: everywhere, for superusers; else in one tenant, also for its admins. The two are
independent. Returns true when something changed. Audited, with an event of topic maintenance.
Errors: 42501 for others; 22004, 22023 engaged or message missing, empty or too long.
Example: SELECT execreport.set_maintenance(true, ''Back at 14:00 UTC''); SELECT execreport.set_maintenance(false, ''done'');';

-- ---------------------------------------------------------------------------------------------------------------------
-- The steps, in the order of _tick_plan(): first what protects, then what goes ahead, then what tidies up.

CREATE FUNCTION execreport._hold_extension() RETURNS void
LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'er_hold_extension';
COMMENT ON FUNCTION execreport._hold_extension() IS
'DROP EXTENSION waits until this transaction has ended. For what works by itself, before it locks anything else.';

CREATE FUNCTION execreport._tick_plan(now timestamptz) RETURNS TABLE (step text, unit integer)
LANGUAGE plpgsql VOLATILE ROWS 20 SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM execreport._hold_extension();
    IF NOT execreport._caller_is_superuser() THEN
        RAISE EXCEPTION 'only a superuser ticks'
            USING ERRCODE = '42501', HINT = 'The background worker does, or a job that install_cron_jobs() has made.';
    END IF;
    PERFORM execreport._check_now(now);
    RETURN QUERY
    SELECT s.step, coalesce(u.unit, 0)
      FROM unnest('{health,guards,flag_changes,rollouts,schedules,leases,notifications,digest,generations,expire_events,
                    expire_notifications,expire_verdicts,expire_submissions,expire_runs}'::text[]) WITH ORDINALITY AS s (step, n)
      LEFT JOIN (SELECT 'schedules' AS step, d.tenant_id AS unit
                   FROM (SELECT DISTINCT due.tenant_id FROM execreport._schedules AS due WHERE due.wake_at <= now) AS d
                  WHERE NOT execreport._in_maintenance(d.tenant_id)
                 UNION ALL
                 SELECT DISTINCT 'leases', c.tenant_id
                   FROM execreport.report_data_collections AS c
                  WHERE c.check_at <= now AND c.check_at < 'infinity') AS u ON u.step = s.step
     WHERE u.unit IS NOT NULL OR s.step NOT IN ('schedules', 'leases')
     ORDER BY s.n, u.unit;
END
$$;
COMMENT ON FUNCTION execreport._tick_plan(timestamptz) IS
'The steps of a tick in their order; one that has a part for each tenant comes once for each that waits for it (unit).';

CREATE FUNCTION execreport._tick_step(step text, unit integer, now timestamptz) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    CASE step
        WHEN 'health' THEN RETURN execreport._tick_health(now);
        WHEN 'guards' THEN RETURN (SELECT count(*) FROM execreport.run_guards(now));
        WHEN 'flag_changes' THEN RETURN execreport._apply_due_changes(now);
        WHEN 'rollouts' THEN RETURN execreport._advance_due_rollouts(now);
        WHEN 'schedules' THEN RETURN execreport._tick_schedules(unit, now);
        WHEN 'leases' THEN RETURN execreport._tick_leases(unit, now);
        WHEN 'notifications' THEN RETURN execreport._give_up_notifications(now);
        WHEN 'digest' THEN RETURN execreport._tick_digest(now);
        WHEN 'generations' THEN
            PERFORM execreport._compact_generations(now);
            RETURN NULL;
        WHEN 'expire_events' THEN RETURN execreport._expire_events(now);
        WHEN 'expire_notifications' THEN RETURN execreport._expire_notifications(now);
        WHEN 'expire_verdicts' THEN RETURN execreport._expire_verdicts(now);
        WHEN 'expire_submissions' THEN RETURN execreport._expire_submissions(now);
        WHEN 'expire_runs' THEN RETURN execreport._expire_runs(now);
    END CASE;
END
$$;
COMMENT ON FUNCTION execreport._tick_step(text, integer, timestamptz) IS
'Does one step, for a tenant where it has parts, and returns what it counts.';

CREATE FUNCTION execreport._tick_run(step text, unit integer, now timestamptz) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    batch constant integer := 1000;
    started constant timestamptz := clock_timestamp();
    before execreport.tick_steps;
    result text := 'ok';
    done bigint;
    failure text;
    seconds double precision;
BEGIN
    IF NOT execreport._caller_is_superuser() THEN
        RAISE EXCEPTION 'only a superuser ticks' USING ERRCODE = '42501';
    END IF;
    PERFORM execreport._hold_extension();
    INSERT INTO execreport.tick_steps (step) SELECT _tick_run.step
     WHERE NOT EXISTS (SELECT FROM execreport.tick_steps AS t WHERE t.step = _tick_run.step)
    ON CONFLICT DO NOTHING;
    SELECT t.* INTO before FROM execreport.tick_steps AS t WHERE t.step = _tick_run.step FOR UPDATE SKIP LOCKED;
    IF before.step IS NULL THEN
        RETURN 'locked';
    END IF;

    BEGIN
        PERFORM set_config('lock_timeout', '10s', true),
                set_config('execreport.user_id', 'tick', true),
                set_config('execreport.tenant_id', CASE WHEN _tick_run.unit > 0 THEN _tick_run.unit::text ELSE '0' END, true);
        done := execreport._tick_step(_tick_run.step, _tick_run.unit, _tick_run.now);
    EXCEPTION WHEN OTHERS THEN
        result := 'failed';
        failure := left(format('%s: %s', SQLSTATE, SQLERRM), 2000);
    END;
    -- what the step was done with ends here, also when the caller's transaction goes on
    PERFORM set_config('lock_timeout', '0', true), set_config('execreport.tenant_id', '0', true);

    seconds := extract(epoch FROM clock_timestamp() - started);
    UPDATE execreport.tick_steps AS t
       SET last_started_at = started, last_finished_at = clock_timestamp(), last_seconds = seconds, last_result = result,
           last_count = done, error = failure, runs = t.runs + 1,
           last_ok_at = CASE result WHEN 'ok' THEN clock_timestamp() ELSE t.last_ok_at END,
           failures = t.failures + (result = 'failed')::integer,
           failing_since = CASE result WHEN 'failed' THEN coalesce(t.failing_since, started) END
     WHERE t.step = _tick_run.step;
    IF result = 'failed' THEN
        RAISE WARNING 'tick: step % failed: %', _tick_run.step, failure;
        IF before.failing_since IS NULL THEN
            PERFORM execreport._notify(0, '#engineering', format('tick: step %s fails', _tick_run.step), 'high',
                jsonb_build_object('step', _tick_run.step, 'tenant_id', nullif(_tick_run.unit, 0), 'error', failure));
        END IF;
    END IF;
    BEGIN
        PERFORM execreport._metric_observe(0, 'execreport_tick_step_duration_seconds',
            jsonb_build_object('step', _tick_run.step, 'result', result), seconds);
    EXCEPTION WHEN OTHERS THEN
        RAISE WARNING 'tick: step % is not measured: %', _tick_run.step, SQLERRM;
    END;
    RETURN CASE WHEN result = 'ok' AND _tick_run.step LIKE 'expire%' AND done >= batch THEN 'more' ELSE result END;
END
$$;
COMMENT ON FUNCTION execreport._tick_run(text, integer, timestamptz) IS
'Does one step of a tick under the lock of its row, records it, and returns ok, failed, locked (another session is at it)
or more (it is to be done again at once, in a new transaction).';

CREATE FUNCTION execreport._require_no_transaction(what text) RETURNS void
LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'er_require_no_transaction';
COMMENT ON FUNCTION execreport._require_no_transaction(text) IS
'Error 25001 inside a transaction block.';

-- It commits, so it cannot pin the search path: every name in it is qualified. No COMMIT stands inside an EXCEPTION block. At a
-- higher isolation level a step that another session has just done would be an error, whatever the session's default is.
CREATE PROCEDURE execreport.tick(now timestamptz DEFAULT now())
LANGUAGE plpgsql AS $$
DECLARE
    steps pg_catalog.text[];
    units pg_catalog.int4[];
    result pg_catalog.text;
    i pg_catalog.int4;
    busy pg_catalog.text;
BEGIN
    PERFORM execreport._require_no_transaction('tick()');
    COMMIT;
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    SELECT pg_catalog.array_agg(p.step), pg_catalog.array_agg(p.unit) INTO steps, units FROM execreport._tick_plan(now) AS p;
    COMMIT;
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    FOR i IN 1 .. pg_catalog.cardinality(steps) LOOP
        LOOP
            result := execreport._tick_run(steps[i], units[i], now);
            COMMIT;
            SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
            EXIT WHEN pg_catalog.textne(result, 'more');
        END LOOP;
        IF pg_catalog.texteq(result, 'locked') THEN
            busy := pg_catalog.concat_ws(', ', busy, steps[i]);
        END IF;
    END LOOP;
    IF busy IS NOT NULL THEN
        RAISE NOTICE 'another session is doing %', busy;
    END IF;
END
$$;
COMMENT ON PROCEDURE execreport.tick(timestamptz) IS
'Does everything that time asks for, step by step: health checks, guards, scheduled flag changes, rollout stages, schedules, leases
that have run out, notifications and the daily digest, compaction, retention. now: the instant that counts as the present, any of the years 1 to 9999: what falls due or expires until then
does so at once, and for good. The
worker calls it every execreport.naptime; a cron job may. Any number of sessions may call it at once: a step that another one
is doing is left to it, with a NOTICE. A step that fails does not stop the others: it raises a WARNING, stands in tick_steps, and
is notified once in #engineering until it has worked again. Each step commits by itself, at READ COMMITTED; not inside a transaction block.
For superusers.
Errors: 42501 for others; 25001 inside a transaction block, 2D000 inside a function; 22023 now is NULL or not of the years 1 to 9999.
Example: CALL execreport.tick();';

CREATE FUNCTION execreport._tick_health(now timestamptz) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    state jsonb := (SELECT t.state FROM execreport.tick_steps AS t WHERE t.step = 'health');
    checked_at constant timestamptz := state ->> 'checkedAt';
    known jsonb := coalesce(state -> 'components', '{}');
    answer record;
    checked bigint := 0;
BEGIN
    -- the check writes and rolls back: once a minute is enough, however often somebody ticks
    IF checked_at <= now AND now < checked_at + interval '55 s' THEN
        RETURN 0;
    END IF;
    FOR answer IN SELECT h.component, h.status, h.message, h.checked_at, h.error FROM execreport.check_health() AS h LOOP
        checked := checked + 1;
        -- a component is taken for healthy until it says otherwise; every change is told once
        IF coalesce(known ->> answer.component, 'healthy') <> answer.status THEN
            PERFORM execreport._notify(0, '#health', format('%s is %s: %s', answer.component, answer.status, answer.message),
                CASE answer.status WHEN 'healthy' THEN 'info' WHEN 'unhealthy' THEN 'critical' ELSE 'high' END,
                jsonb_build_object('component', answer.component, 'status', answer.status,
                                   'before', coalesce(known ->> answer.component, 'healthy'),
                                   'error', answer.error, 'checkedAt', answer.checked_at));
        END IF;
        known := known || jsonb_build_object(answer.component, answer.status);
    END LOOP;
    UPDATE execreport.tick_steps AS t SET state = jsonb_build_object('checkedAt', now, 'components', known) WHERE t.step = 'health';
    RETURN checked;
END
$$;
COMMENT ON FUNCTION execreport._tick_health(timestamptz) IS
'Checks health, at most once a minute, and tells #health of each component whose status has changed. Returns how many were checked.';

CREATE FUNCTION execreport._tick_schedules(tenant integer, now timestamptz) RETURNS bigint
LANGUAGE sql VOLATILE
BEGIN ATOMIC
    -- nobody waits for the answer here: whoever does the runs hears of them by their events
    SELECT count(execreport._emit(_tick_schedules.tenant, 'schedules', 'run', r.run_id::text,
               jsonb_build_object('runId', r.run_id, 'scheduleId', r.schedule_id, 'runNumber', r.run_number, 'scheduledAt', r.scheduled_at)))
      FROM execreport.run_due_schedules(_tick_schedules.now) AS r;
END;
COMMENT ON FUNCTION execreport._tick_schedules(integer, timestamptz) IS
'Makes the runs of the current tenant that have fallen due, each with an event of topic schedules, and returns how many there are to do.';

CREATE FUNCTION execreport._tick_leases(tenant integer, now timestamptz) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    collection uuid;
    tended bigint := 0;
BEGIN
    FOR collection IN
        SELECT c.collection_id FROM execreport.report_data_collections AS c
         WHERE c.tenant_id = tenant AND c.collection_id = ANY (execreport._due_collections(tenant, now))
         ORDER BY c.collection_id FOR NO KEY UPDATE SKIP LOCKED
    LOOP
        PERFORM execreport._tend_collection(tenant, collection, now);
        tended := tended + 1;
    END LOOP;
    RETURN tended;
END
$$;
COMMENT ON FUNCTION execreport._tick_leases(integer, timestamptz) IS
'Takes back the leases of a tenant that have run out, and returns in how many collections; one that is locked can wait.';

CREATE FUNCTION execreport._tick_digest(now timestamptz) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    day_begins constant timestamptz := date_trunc('day', now AT TIME ZONE 'UTC' - interval '1 day') AT TIME ZONE 'UTC';
    day_ends constant timestamptz := day_begins + interval '24 hours';
    day constant text := to_char(day_begins AT TIME ZONE 'UTC', 'YYYY-MM-DD');     -- whatever DateStyle says
    rollouts jsonb;
    rollbacks jsonb;
    verdicts jsonb;
    notifications jsonb;
    steps jsonb;
BEGIN
    IF EXISTS (SELECT FROM execreport.notifications AS n
                WHERE n.tenant_id = 0 AND n.channel = '#engineering' AND n.dedupe_key = 'digest ' || day) THEN
        RETURN 0;
    END IF;
    rollouts := (SELECT coalesce(jsonb_agg(to_jsonb(r)), '[]') FROM execreport.rollout_status() AS r);
    rollbacks := (SELECT coalesce(jsonb_agg(jsonb_build_object('tenant_id', a.tenant_id, 'action', a.action, 'entity_id', a.entity_id,
                                      'reason', a.reason, 'at', a.created_at) ORDER BY a.created_at, a.audit_id), '[]')
                    FROM execreport.audit_logs AS a
                   WHERE a.created_at >= day_begins AND a.created_at < day_ends AND a.action LIKE '%rollback%');
    verdicts := (SELECT coalesce(jsonb_object_agg(g.guard, g.counts), '{}')
                   FROM (SELECT v.guard, jsonb_object_agg(v.verdict, v.n) AS counts
                           FROM (SELECT o.guard, o.verdict, count(*) AS n FROM execreport.guard_verdicts AS o
                                  WHERE o.window_start >= day_begins AND o.window_start < day_ends
                                  GROUP BY o.guard, o.verdict) AS v
                          GROUP BY v.guard) AS g);
    notifications := (SELECT coalesce(jsonb_object_agg(c.state, c.n), '{}')
                        FROM (SELECT n.state, count(*) AS n FROM execreport.notifications AS n
                               WHERE n.created_at >= day_begins AND n.created_at < day_ends GROUP BY n.state) AS c);
    steps := (SELECT coalesce(jsonb_object_agg(t.step, jsonb_build_object('since', t.failing_since, 'error', t.error)), '{}')
                FROM execreport.tick_steps AS t WHERE t.failing_since IS NOT NULL);
    RETURN (execreport._notify(0, '#engineering',
        format('Digest of %s: %s rollbacks, %s notifications held back, %s steps of tick failing', day,
               jsonb_array_length(rollbacks), coalesce(notifications ->> 'held', '0'),
               (SELECT count(*) FROM jsonb_object_keys(steps))),
        'info', jsonb_build_object('day', day, 'rollouts', rollouts, 'rollbacks', rollbacks, 'guardVerdicts', verdicts,
                                   'notifications', notifications, 'failingSteps', steps),
        'digest ' || day) IS NOT NULL)::integer;
END
$$;
COMMENT ON FUNCTION execreport._tick_digest(timestamptz) IS
'The daily digest for #engineering, once for each day (UTC) that is over: rollouts, rollbacks, verdicts of guards by kind, notifications
by state, failing steps. Returns 1 when it was written.';

CREATE FUNCTION execreport._expire_submissions(now timestamptz, batch integer DEFAULT 1000) RETURNS integer
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    result integer;
BEGIN
    -- who submits holds the lock of his row
    DELETE FROM execreport._submit_rates AS r
     USING (SELECT o.tenant_id, o.user_id FROM execreport._submit_rates AS o
             WHERE NOT EXISTS (SELECT FROM unnest(o.recent) AS t (at) WHERE t.at > _expire_submissions.now - interval '1 minute')
               FOR UPDATE SKIP LOCKED) AS idle
     WHERE r.tenant_id = idle.tenant_id AND r.user_id = idle.user_id;

    DELETE FROM execreport.report_submissions AS s
     USING (SELECT o.tenant_id, o.submission_id
              FROM execreport.report_submissions AS o
             WHERE o.created_at < _expire_submissions.now - execreport._setting('submission_retention')::integer * interval '1 s'
               AND NOT EXISTS (SELECT FROM execreport.report_data_collections AS c
                                WHERE c.tenant_id = o.tenant_id AND c.collection_id = o.collection_id
                                  AND c.status IN ('pending', 'in_progress'))
               AND NOT EXISTS (SELECT FROM execreport._schedules AS c
                                WHERE c.tenant_id = o.tenant_id AND c.schedule_id = o.schedule_id AND c.status <> 'ended')
             LIMIT batch
               FOR UPDATE OF o SKIP LOCKED) AS old
     WHERE s.tenant_id = old.tenant_id AND s.submission_id = old.submission_id;
    GET DIAGNOSTICS result = ROW_COUNT;
    RETURN result;
END
$$;
COMMENT ON FUNCTION execreport._expire_submissions(timestamptz, integer) IS
'Removes what was submitted more than execreport.submission_retention ago and neither runs nor is scheduled any more, at most a
batch; and the rates of users who have not submitted for a minute.';

CREATE FUNCTION execreport._expire_runs(now timestamptz, batch integer DEFAULT 1000) RETURNS bigint
LANGUAGE sql VOLATILE
BEGIN ATOMIC
    WITH old AS (
        SELECT r.tenant_id, r.run_id
          FROM execreport.schedule_runs AS r
          JOIN execreport._schedules AS s ON s.tenant_id = r.tenant_id AND s.schedule_id = r.schedule_id
         WHERE r.status NOT IN ('pending', 'running')
           AND r.created_at < _expire_runs.now - execreport._setting('schedule_run_retention')::integer * interval '1 s'
           AND coalesce(r.completed_at, r.created_at) < _expire_runs.now - execreport._setting('schedule_run_retention')::integer * interval '1 s'
           -- an occurrence that is still to come has been run by hand: its row is what keeps it from running again
           AND r.scheduled_at <= s.scheduled_through
         ORDER BY r.created_at
         LIMIT _expire_runs.batch
           FOR UPDATE OF r SKIP LOCKED
    ), gone AS (
        DELETE FROM execreport.schedule_runs AS r USING old WHERE r.tenant_id = old.tenant_id AND r.run_id = old.run_id
        RETURNING 1)
    SELECT count(*) FROM gone;
END;
COMMENT ON FUNCTION execreport._expire_runs(timestamptz, integer) IS
'Removes runs of schedules that were over more than execreport.schedule_run_retention ago, whatever became of them, at most a batch,
the oldest first, and returns how many.';

-- ---------------------------------------------------------------------------------------------------------------------

CREATE FUNCTION execreport.install_cron_jobs(schedule text DEFAULT '* * * * *') RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    result bigint;
BEGIN
    PERFORM execreport._require_cron();
    EXECUTE 'SELECT cron.schedule($1, $2, $3)' INTO result USING 'execreport tick', install_cron_jobs.schedule, 'CALL execreport.tick()';
    RETURN result;
END
$$;
COMMENT ON FUNCTION execreport.install_cron_jobs(text) IS
'Lets pg_cron call tick(), and returns the number of its job; called again it changes the job. schedule: as pg_cron reads it, every
minute when left out. Not needed where the background worker serves the database. For superusers.
Errors: 42501 for others; 55000 when pg_cron is not installed in this database.
Example: SELECT execreport.install_cron_jobs(''*/5 * * * *'') WHERE EXISTS (SELECT FROM pg_extension WHERE extname = ''pg_cron'');';

CREATE FUNCTION execreport.remove_cron_jobs() RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    result boolean;
BEGIN
    PERFORM execreport._require_cron();
    EXECUTE 'SELECT coalesce(bool_or(cron.unschedule(j.jobid)), false) FROM cron.job AS j
              WHERE j.jobname = $1 AND j.username = current_user AND j.database = current_database()'
       INTO result USING 'execreport tick';
    RETURN result;
END
$$;
COMMENT ON FUNCTION execreport.remove_cron_jobs() IS
'Takes the job of install_cron_jobs() away; true when there was one. For superusers. Errors: as install_cron_jobs().
Example: SELECT execreport.remove_cron_jobs() WHERE EXISTS (SELECT FROM pg_extension WHERE extname = ''pg_cron'');';

CREATE FUNCTION execreport._require_cron() RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT execreport._caller_is_superuser() THEN
        RAISE EXCEPTION 'only a superuser sets up jobs of tick()' USING ERRCODE = '42501';
    ELSIF NOT EXISTS (SELECT FROM pg_extension AS e WHERE e.extname = 'pg_cron') THEN
        RAISE EXCEPTION 'pg_cron is not installed in database "%"', current_database()
            USING ERRCODE = '55000',
                  DETAIL = format('It is the Debian package postgresql-%s-cron.', current_setting('server_version_num')::integer / 10000),
                  HINT = 'Add pg_cron to shared_preload_libraries, set cron.database_name to this database, restart, and CREATE EXTENSION pg_cron; or let execreport''s own worker serve the database (execreport.databases).';
    END IF;
END
$$;
