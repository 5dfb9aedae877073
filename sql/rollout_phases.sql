-- rollout_phases: a rollout walks through its stages, held by whoever and whatever says that it is not time yet.

CREATE FUNCTION execreport.start_rollout(rollout text DEFAULT 'reports', users text[] DEFAULT NULL, flags text[] DEFAULT NULL,
    stages jsonb DEFAULT NULL, automatic boolean DEFAULT false, reason text DEFAULT NULL, now timestamptz DEFAULT now())
RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    plan jsonb := jsonb_strip_nulls(jsonb_build_object('users', users, 'flags', flags, 'stages', stages, 'automatic', automatic));
BEGIN
    PERFORM execreport._require_operator(), execreport._check_now(start_rollout.now), execreport._check_reason(start_rollout.reason);
    IF execreport._approval_required() THEN
        RETURN format('%s: waits for approval: change %s', start_rollout.rollout, execreport._add_flag_change(start_rollout.rollout,
            jsonb_build_object('start', plan), NULL, start_rollout.reason, true, start_rollout.now));
    END IF;
    RETURN execreport._start_rollout(start_rollout.rollout, plan, start_rollout.reason, start_rollout.now);
END
$$;
COMMENT ON FUNCTION execreport.start_rollout(text, text[], text[], jsonb, boolean, text, timestamptz) IS
'Starts a rollout in its first stage and says in a sentence where it stands. Without stages: team (the users), 5percent (for 15 minutes
at least), small (tenants), 25percent, 50percent (30 minutes each) and 100percent. stages, at most 100: [{"phase": "canary", "percentage": 5,
"hold": "15 minutes"}, {"phase": "friends", "users": ["ana"], "size": "small", "hold": "1 day"}, ...]; each adds to the ones before. users: the
team, who come with the first stage; may be left out when enable_for_team() was called before. flags: by default those of
the reports, for another name the flag of that name. They go together: a tenant gets all or none. automatic: tick() advances it when nothing is in the
way. A rollout that was aborted or is completed may be started again. Audited; told to #engineering. For superusers.
Errors: 42501 for others; 42704 an unknown flag; 22004 and 22023 wrong stages or users; 55000 it is under way, one of its flags is in
another one, a kill switch of one is engaged, or one cools down after a rollback.
Example: SELECT execreport.start_rollout(users => ARRAY[''ana@example.com'']);';

CREATE FUNCTION execreport._start_rollout(rollout text, plan jsonb, reason text, now timestamptz) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    team text[] := CASE WHEN plan ? 'users' THEN execreport._rollout_users(execreport._text_array('users', plan -> 'users')) END;
    r execreport.rollouts;
    previous execreport.rollouts;
    other record;
    obstacle record;
BEGIN
    IF coalesce(_start_rollout.rollout, '') = '' OR octet_length(_start_rollout.rollout) > 128 THEN
        RAISE EXCEPTION 'rollout is %', CASE WHEN _start_rollout.rollout IS NULL THEN 'null' WHEN _start_rollout.rollout = '' THEN 'empty'
                                             ELSE 'too long' END
            USING ERRCODE = '22023', DETAIL = 'The name of a rollout has 1 to 128 bytes.';
    END IF;
    r.rollout := _start_rollout.rollout;
    r.flags := execreport._rollout_flags(CASE WHEN plan ? 'flags' THEN execreport._text_array('flags', plan -> 'flags')
                                              WHEN r.rollout <> 'reports' THEN ARRAY[r.rollout] END);
    LOCK TABLE execreport.rollouts IN SHARE ROW EXCLUSIVE MODE;     -- no flag in two rollouts at once
    SELECT s.* INTO previous FROM execreport.rollouts AS s WHERE s.rollout = r.rollout;
    SELECT s.rollout, s.status, array_to_string(s.flags, ', ') AS flags INTO other
      FROM execreport.rollouts AS s
     WHERE s.status IN ('running', 'held') AND (s.rollout = r.rollout OR s.flags && r.flags) ORDER BY s.rollout <> r.rollout, s.rollout LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'rollout "%" is under way', other.rollout
            USING ERRCODE = '55000', DETAIL = format('It is %s, with %s.', other.status, other.flags),
                  HINT = format('execreport.advance_rollout(%L) takes its next step, abort(%L) takes it back.', other.rollout, other.rollout);
    END IF;

    r.status := 'running'; r.stage := 1; r.automatic := coalesce((plan ->> 'automatic')::boolean, false);
    r.stage_since := now; r.watched_since := now; r.started_at := now; r.changed_at := now;
    r.changed_by := execreport.current_user_id();
    SELECT * INTO obstacle FROM execreport._rollout_obstacle(r, now) WHERE kind IN ('kill_switch', 'cooldown');
    IF FOUND THEN
        RAISE EXCEPTION 'rollout "%" cannot start: %', r.rollout, obstacle.what USING ERRCODE = '55000', HINT = obstacle.advice;
    END IF;
    IF NOT plan ? 'stages' AND team IS NULL
       AND NOT EXISTS (SELECT FROM execreport.flag_rollouts AS f WHERE f.flag = ANY (r.flags) AND f.users <> '{}') THEN
        RAISE EXCEPTION 'users is null' USING ERRCODE = '22004', DETAIL = 'The first phase is for the team, and nobody is in it yet.',
            HINT = 'Give users => ARRAY[...], or stages that begin otherwise.';
    END IF;
    DELETE FROM execreport.rollouts AS s WHERE s.rollout = r.rollout;
    DELETE FROM execreport.rollout_stages AS s WHERE s.rollout = r.rollout;
    PERFORM execreport._store_stages(r.rollout, team, plan -> 'stages');
    INSERT INTO execreport.rollouts SELECT r.*;
    RETURN execreport._enter_stage(r, previous, 'start_rollout', reason, now);
END
$$;
COMMENT ON FUNCTION execreport._start_rollout(text, jsonb, text, timestamptz) IS
'Starts a rollout by plan: {"users": [...], "flags": [...], "stages": [...], "automatic": true}, each optional.';

CREATE FUNCTION execreport._store_stages(rollout text, team text[], stages jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    item record;
    s execreport.rollout_stages;
    path text;
    unknown text;
    percent numeric := 0;
    size text;
BEGIN
    stages := coalesce(stages, '[{"phase": "team", "hold": "0"},
        {"percentage": 5, "hold": "15 minutes"},
        {"phase": "small", "size": "small", "hold": "30 minutes"},
        {"percentage": 25, "hold": "30 minutes"},
        {"percentage": 50, "hold": "30 minutes"},
        {"percentage": 100, "hold": "0"}]');
    IF jsonb_typeof(stages) <> 'array' OR jsonb_array_length(stages) NOT BETWEEN 1 AND 100 THEN
        RAISE EXCEPTION 'stages is %', CASE jsonb_typeof(stages) WHEN 'array' THEN jsonb_array_length(stages) || ' elements long'
                                                                 ELSE left(stages::text, 64) END
            USING ERRCODE = '22023',
                  DETAIL = 'It is an array of 1 to 100 objects, such as {"phase": "canary", "percentage": 5, "hold": "15 minutes"}.';
    END IF;
    FOR item IN SELECT e, n FROM jsonb_array_elements(stages) WITH ORDINALITY AS x (e, n) ORDER BY n LOOP
        path := format('stages[%s]', item.n - 1);
        IF jsonb_typeof(item.e) <> 'object' THEN
            RAISE EXCEPTION '% is %', path, left(item.e::text, 64) USING ERRCODE = '22023', DETAIL = 'A stage is an object.';
        END IF;
        SELECT k INTO unknown FROM jsonb_object_keys(item.e) AS k WHERE k NOT IN ('phase', 'users', 'percentage', 'size', 'hold') ORDER BY 1 LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION '%.% is unknown', path, left(unknown, 64)
                USING ERRCODE = '22023', DETAIL = 'A stage has phase, users, percentage, size and hold.';
        END IF;
        s := NULL;
        s.rollout := _store_stages.rollout;
        s.stage := item.n;
        s.users := CASE WHEN item.e ? 'users' THEN execreport._rollout_users(execreport._text_array(path || '.users', item.e -> 'users')) END;
        IF item.n = 1 THEN
            s.users := coalesce(team || s.users, team, s.users);
        END IF;
        s.percentage := CASE WHEN item.e ? 'percentage'
                             THEN execreport._rollout_percent(execreport._json_number(path || '.percentage', item.e -> 'percentage')) END;
        s.max_size := CASE WHEN item.e ? 'size' THEN execreport._rollout_size(item.e ->> 'size') END;
        s.phase := coalesce(item.e ->> 'phase', s.percentage || 'percent', s.max_size, 'stage' || item.n);
        s.minimum_hold := execreport._stage_hold(path || '.hold', item.e ->> 'hold');
        IF s.percentage < percent OR execreport._size_rank(s.max_size) < execreport._size_rank(size) AND s.max_size IS NOT NULL THEN
            RAISE EXCEPTION '% is smaller than a stage before it', path
                USING ERRCODE = '22023', DETAIL = format('It reaches %s.', execreport._rollout_reach('{}', coalesce(s.percentage, 0), s.max_size)),
                      HINT = 'Each stage adds to the ones before; a rollout only grows.';
        ELSIF EXISTS (SELECT FROM execreport.rollout_stages AS o WHERE o.rollout = s.rollout AND o.phase = s.phase) THEN
            RAISE EXCEPTION '%.phase is "%" again', path, left(s.phase, 64) USING ERRCODE = '22023', DETAIL = 'Each stage has a name of its own.';
        ELSIF s.phase = '' OR octet_length(s.phase) > 128 THEN
            RAISE EXCEPTION '%.phase has % bytes', path, octet_length(s.phase) USING ERRCODE = '22023', DETAIL = 'A name has 1 to 128 bytes.';
        END IF;
        INSERT INTO execreport.rollout_stages SELECT s.*;
        percent := coalesce(s.percentage, percent);
        size := coalesce(s.max_size, size);
    END LOOP;
END
$$;

CREATE FUNCTION execreport._stage_hold(path text, hold text) RETURNS interval
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    result interval;
BEGIN
    BEGIN
        result := hold::interval;
    EXCEPTION WHEN data_exception THEN
        result := NULL;
    END;
    -- a number without its unit would be seconds
    IF result IS NULL OR result < interval '0' OR result > interval '1 year' OR hold ~ '^[-+0-9. ]+$' AND result > interval '0' THEN
        RAISE EXCEPTION '% is %', path, coalesce('"' || left(hold, 64) || '"', 'missing')
            USING ERRCODE = '22023', DETAIL = 'It is how long the stage lasts at least, with its unit, such as "30 minutes"; "0": it may be left at once.';
    END IF;
    RETURN result;
END
$$;

CREATE FUNCTION execreport._find_rollout(rollout text) RETURNS execreport.rollouts
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT r.* FROM execreport.rollouts AS r
     WHERE r.rollout = _find_rollout.rollout OR _find_rollout.rollout = ANY (r.flags) AND r.status <> 'aborted'
     ORDER BY r.rollout = _find_rollout.rollout DESC, r.status = 'completed', r.started_at DESC, r.rollout LIMIT 1;
END;
COMMENT ON FUNCTION execreport._find_rollout(text) IS
'The rollout of this name, else the one with a flag of this name in it.';

CREATE FUNCTION execreport._locked_rollout(rollout text) RETURNS execreport.rollouts
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    result execreport.rollouts;
BEGIN
    SELECT r.* INTO result
      FROM execreport.rollouts AS r WHERE r.rollout = (SELECT f.rollout FROM execreport._find_rollout(_locked_rollout.rollout) AS f) FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'rollout % has not been started', coalesce('"' || left(_locked_rollout.rollout, 64) || '"', 'null')
            USING ERRCODE = 'P0002',
                  DETAIL = (SELECT coalesce('There are ' || string_agg(r.rollout, ', ' ORDER BY r.rollout), 'There is none') || '.'
                              FROM execreport.rollouts AS r),
                  HINT = 'Start it with execreport.start_rollout().';
    END IF;
    RETURN result;
END
$$;
COMMENT ON FUNCTION execreport._locked_rollout(text) IS
'The rollout, found by its name or a flag''s, and locked until the transaction ends; error P0002 when there is none.';

CREATE FUNCTION execreport.advance_rollout(rollout text DEFAULT 'reports', reason text DEFAULT NULL, now timestamptz DEFAULT now())
RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    r execreport.rollouts;
BEGIN
    PERFORM execreport._require_operator(), execreport._check_now(advance_rollout.now), execreport._check_reason(advance_rollout.reason);
    IF execreport._approval_required() THEN
        r := execreport._locked_rollout(advance_rollout.rollout);
        PERFORM execreport._refuse_advance(r, advance_rollout.now);
        RETURN format('%s: waits for approval: change %s', r.rollout, execreport._add_flag_change(r.rollout, '{"advance": true}', NULL,
            advance_rollout.reason, true, advance_rollout.now));
    END IF;
    RETURN execreport._advance_rollout(advance_rollout.rollout, advance_rollout.reason, advance_rollout.now);
END
$$;
COMMENT ON FUNCTION execreport.advance_rollout(text, text, timestamptz) IS
'Takes a rollout to its next stage and says in a sentence where it stands. rollout: its name or that of one of its flags.
Sessions that call at once take one step: the others get an error. Audited; told to #engineering. For superusers.
Errors: 42501 for others; P0002 it was not started; 55000 with what is in the way: it is aborted, completed or on hold; a kill switch of
its flags is engaged (everywhere, or in a tenant since the start); a flag cools down after a rollback; the stage''s minimum hold is not
over; a guard saw a breach last; no guard has said ok since the stage began (setting execreport.rollout_require_verdict).
Example: SELECT execreport.advance_rollout();';

CREATE FUNCTION execreport._advance_rollout(rollout text, reason text, now timestamptz) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    seen execreport.rollouts := execreport._find_rollout(_advance_rollout.rollout);
    r execreport.rollouts := execreport._locked_rollout(_advance_rollout.rollout);
    before execreport.rollouts := r;
BEGIN
    IF (r.stage, r.started_at) IS DISTINCT FROM (seen.stage, seen.started_at) THEN
        RAISE EXCEPTION 'rollout "%" was advanced by another session at this moment', r.rollout
            USING ERRCODE = '55000', DETAIL = execreport._rollout_sentence(r), HINT = 'See execreport.rollout_status().';
    END IF;
    PERFORM execreport._refuse_advance(r, _advance_rollout.now);
    r.stage := r.stage + 1;
    r.stage_since := _advance_rollout.now;
    r.watched_since := _advance_rollout.now;
    RETURN execreport._enter_stage(r, before, 'advance_rollout', _advance_rollout.reason, _advance_rollout.now);
END
$$;

CREATE FUNCTION execreport._refuse_advance(r execreport.rollouts, now timestamptz) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    obstacle record;
BEGIN
    SELECT * INTO obstacle FROM execreport._rollout_obstacle(r, now);
    IF obstacle.kind IS NOT NULL THEN
        RAISE EXCEPTION 'rollout "%" cannot advance: %', r.rollout, obstacle.what
            USING ERRCODE = '55000', DETAIL = execreport._rollout_sentence(r), HINT = obstacle.advice;
    END IF;
END
$$;

CREATE FUNCTION execreport._rollout_obstacle(r execreport.rollouts, now timestamptz, OUT kind text, OUT what text, OUT advice text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    key text;
    tenants text;
    until timestamptz;
BEGIN
    IF r.status = 'aborted' THEN
        kind := 'aborted'; what := 'it is aborted' || coalesce(': ' || r.reason, '');
        advice := format('It does not start again by itself: execreport.start_rollout(%L) starts it from its first stage.', r.rollout);
        RETURN;
    ELSIF r.status = 'completed' THEN
        kind := 'completed'; what := 'it is completed'; advice := format('execreport.abort(%L) would take it back.', r.rollout);
        RETURN;
    ELSIF r.status = 'held' THEN
        kind := 'held'; what := 'it is on hold' || coalesce(': ' || r.reason, '');
        advice := format('execreport.continue_rollout(%L) lets it go on.', r.rollout);
        RETURN;
    END IF;

    SELECT k.flag, CASE min(k.tenant_id) WHEN 0 THEN 'everywhere'
                   ELSE 'in tenant ' || min(k.tenant_id) || CASE count(*) WHEN 1 THEN '' ELSE ' and ' || count(*) - 1 || ' more' END END
      INTO key, tenants
      FROM execreport.kill_switches AS k
     WHERE k.flag = ANY (r.flags)
       AND (k.tenant_id = 0 OR k.engaged_at >= r.started_at
            OR EXISTS (SELECT FROM execreport.flag_latches AS l
                        WHERE l.tenant_id = k.tenant_id AND l.flag = k.flag AND l.rolled_back_at >= r.started_at AND l.resumed_at IS NULL))
     GROUP BY k.flag ORDER BY min(k.tenant_id) > 0, k.flag LIMIT 1;
    IF FOUND THEN
        kind := 'kill_switch'; what := format('the kill switch of %s is engaged %s', key, tenants);
        advice := 'execreport.resume() or set_kill_switch() releases it when the cause is found.';
        RETURN;
    END IF;

    SELECT f, execreport._cooldown_until(f) INTO key, until FROM unnest(r.flags) AS f ORDER BY 2 DESC NULLS LAST, 1 LIMIT 1;
    IF until > now THEN
        kind := 'cooldown'; what := format('%s cools down until %s', key, execreport._second(until));
        advice := 'It was rolled back a short while ago: wait until then.';
        RETURN;
    END IF;

    SELECT r.watched_since + s.minimum_hold INTO until
      FROM execreport.rollout_stages AS s WHERE s.rollout = r.rollout AND s.stage = r.stage;
    IF now < until THEN
        kind := 'minimum_hold'; what := format('its stage lasts until %s', execreport._second(until)); advice := 'Watch it in execreport.rollout_status() until then.';
    ELSIF until > r.watched_since AND execreport._setting('rollout_require_verdict')::boolean THEN
        SELECT v.kind, v.what INTO kind, what FROM execreport._verdict_obstacle(r, now) AS v;
        advice := CASE kind WHEN 'breach' THEN 'execreport.check_rollback_conditions() has the figures; abort() or hold() stops it.'
                            WHEN 'verdict' THEN 'A guard needs enough reports in its window: wait, or see execreport.guard_verdicts.' END;
    END IF;
END
$$;
COMMENT ON FUNCTION execreport._rollout_obstacle(execreport.rollouts, timestamptz) IS
'What is in the way of the rollout''s next step, and what to do about it; NULL when it may be taken. kind: aborted, completed, held,
kill_switch, cooldown, minimum_hold, breach, verdict.';

-- Only windows that began in the stage count: earlier ones saw fewer tenants. What is good is said by guards that measure;
-- a health check says so without any traffic. Where no such guard watches the flags there is nothing to wait for.
CREATE FUNCTION execreport._verdict_obstacle(r execreport.rollouts, now timestamptz, OUT kind text, OUT what text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    breach record;
    good bigint;
    judges bigint;
BEGIN
    SELECT count(*) FILTER (WHERE g.kind IN ('error_rate', 'performance')) INTO judges
      FROM execreport.guards AS g WHERE g.enabled AND g.flags && r.flags;
    SELECT v.guard, v.window_start INTO breach
      FROM (SELECT DISTINCT ON (j.tenant_id, j.guard) j.guard, j.window_start, j.verdict
              FROM execreport.guard_verdicts AS j JOIN execreport.guards AS g ON g.guard = j.guard AND g.enabled AND g.flags && r.flags
             WHERE j.window_start >= r.watched_since AND j.window_start <= _verdict_obstacle.now AND j.verdict IN ('ok', 'breach')
             ORDER BY j.tenant_id, j.guard, j.window_start DESC) AS v
     WHERE v.verdict = 'breach' ORDER BY v.window_start DESC, v.guard LIMIT 1;
    IF FOUND THEN
        kind := 'breach'; what := format('guard %s saw a breach in the window of %s', breach.guard, execreport._second(breach.window_start));
        RETURN;
    END IF;
    SELECT count(*) INTO good
      FROM execreport.guard_verdicts AS j JOIN execreport.guards AS g ON g.guard = j.guard AND g.enabled AND g.flags && r.flags
     WHERE j.window_start >= r.watched_since AND j.window_start <= _verdict_obstacle.now AND j.verdict = 'ok'
       AND g.kind IN ('error_rate', 'performance');
    IF judges > 0 AND good = 0 THEN
        kind := 'verdict'; what := format('no guard has said ok since %s', execreport._second(r.watched_since));
    END IF;
END
$$;

CREATE FUNCTION execreport._enter_stage(r execreport.rollouts, before execreport.rollouts, decision text, reason text, now timestamptz) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    s execreport.rollout_stages;
    sentence text;
BEGIN
    SELECT t.* INTO s FROM execreport.rollout_stages AS t WHERE t.rollout = r.rollout AND t.stage = r.stage;
    PERFORM execreport._widen_rollout(r.flags, s.users, s.percentage, s.max_size, decision, r.rollout, reason, now, s.phase);
    r.status := CASE WHEN EXISTS (SELECT FROM execreport.rollout_stages AS t WHERE t.rollout = r.rollout AND t.stage > r.stage)
                     THEN 'running' ELSE 'completed' END;
    r.reason := NULL;
    PERFORM execreport._store_rollout(r, before, decision, reason, now);
    sentence := execreport._rollout_sentence(r);
    PERFORM execreport._notify(0, '#engineering', 'rollout ' || sentence, 'info',
        jsonb_build_object('rollout', r.rollout, 'flags', r.flags, 'phase', s.phase, 'by', r.changed_by, 'reason', reason));
    RETURN sentence;
END
$$;
COMMENT ON FUNCTION execreport._enter_stage(execreport.rollouts, execreport.rollouts, text, text, timestamptz) IS
'Puts a rollout, which the caller has locked, into the stage that stands in its row: widens, stores, audits, tells.';

CREATE FUNCTION execreport._store_rollout(r execreport.rollouts, before execreport.rollouts, decision text, reason text, now timestamptz) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    UPDATE execreport.rollouts AS s
       SET status = r.status, stage = r.stage, stage_since = r.stage_since, watched_since = r.watched_since, reason = r.reason,
           changed_at = _store_rollout.now, changed_by = execreport.current_user_id()
     WHERE s.rollout = r.rollout;
    PERFORM execreport._audit(execreport.current_tenant(), _store_rollout.decision, 'rollout', r.rollout,
        execreport._rollout_state(before), execreport._rollout_state(r), _store_rollout.reason, '{"scope": "everywhere"}');
END
$$;

CREATE FUNCTION execreport._rollout_state(r execreport.rollouts) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    RETURN CASE WHEN r.rollout IS NOT NULL THEN jsonb_build_object('status', r.status, 'stage', r.stage,
        'phase', (SELECT s.phase FROM execreport.rollout_stages AS s WHERE s.rollout = r.rollout AND s.stage = r.stage), 'flags', r.flags) END;
END
$$;

CREATE FUNCTION execreport._rollout_sentence(r execreport.rollouts) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    RETURN (SELECT format('%s: phase %s%s%s%s', r.rollout, s.phase,
                CASE r.status WHEN 'held' THEN ', on hold' WHEN 'aborted' THEN ', aborted' WHEN 'completed' THEN ', completed' ELSE '' END,
                (SELECT format(', reaches %s (%s tenants)', execreport._rollout_reach(f.users, f.percentage, f.max_size),
                               execreport._rollout_tenants_text(f.group_id, f.percentage, f.max_size))
                   FROM execreport.flag_rollouts AS f WHERE f.flag = r.flags[1]),
                CASE WHEN r.status = 'running' THEN (SELECT format('; next %s, not before %s', n.phase, execreport._second(r.watched_since + s.minimum_hold))
                   FROM execreport.rollout_stages AS n WHERE n.rollout = r.rollout AND n.stage = r.stage + 1) END)
              FROM execreport.rollout_stages AS s WHERE s.rollout = r.rollout AND s.stage = r.stage);
END
$$;
COMMENT ON FUNCTION execreport._rollout_sentence(execreport.rollouts) IS
'Where a rollout stands, in a sentence.';

-- Stopping, going on, and taking back.

CREATE FUNCTION execreport.hold(rollout text DEFAULT 'reports', reason text DEFAULT NULL, now timestamptz DEFAULT now()) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM execreport._require_operator(), execreport._check_now(hold.now), execreport._check_reason(hold.reason);
    RETURN execreport._hold_rollout(execreport._locked_rollout(hold.rollout), hold.reason, hold.now);
END
$$;
COMMENT ON FUNCTION execreport.hold(text, text, timestamptz) IS
'Puts a rollout on hold: everybody keeps what they have, and nobody gets it until continue_rollout(). rollout: its name or that of one of
its flags. Returns a sentence. Audited; told to #engineering. For superusers.
Errors: 42501 for others; P0002 it was not started; 55000 it is aborted or completed.
Example: SELECT execreport.hold(reason => ''waiting for support'');';

CREATE FUNCTION execreport._hold_rollout(r execreport.rollouts, reason text, now timestamptz) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    before execreport.rollouts := r;
BEGIN
    IF r.status = 'held' THEN
        RETURN execreport._rollout_sentence(r) || '; nothing changed';
    ELSIF r.status <> 'running' THEN
        RAISE EXCEPTION 'rollout "%" is %', r.rollout, r.status
            USING ERRCODE = '55000', DETAIL = execreport._rollout_sentence(r), HINT = 'Only a rollout that is under way can be put on hold.';
    END IF;
    r.status := 'held';
    r.reason := _hold_rollout.reason;
    PERFORM execreport._store_rollout(r, before, 'hold', _hold_rollout.reason, _hold_rollout.now),
            execreport._notify(0, '#engineering', format('rollout %s is on hold%s', r.rollout, coalesce(': ' || r.reason, '')), 'info',
                jsonb_build_object('rollout', r.rollout, 'flags', r.flags, 'by', execreport.current_user_id()));
    RETURN execreport._rollout_sentence(r);
END
$$;

CREATE FUNCTION execreport.continue_rollout(rollout text DEFAULT 'reports', reason text DEFAULT NULL, now timestamptz DEFAULT now())
RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    r execreport.rollouts;
    before execreport.rollouts;
BEGIN
    PERFORM execreport._require_operator(), execreport._check_now(continue_rollout.now), execreport._check_reason(continue_rollout.reason);
    r := execreport._locked_rollout(continue_rollout.rollout);
    before := r;
    IF r.status = 'running' THEN
        RETURN execreport._rollout_sentence(r) || '; nothing changed';
    ELSIF r.status <> 'held' THEN
        RAISE EXCEPTION 'rollout "%" is %', r.rollout, r.status
            USING ERRCODE = '55000', DETAIL = execreport._rollout_sentence(r),
                  HINT = format('execreport.start_rollout(%L) starts it from its first stage.', r.rollout);
    END IF;
    r.status := 'running';
    r.reason := NULL;
    r.watched_since := continue_rollout.now;
    PERFORM execreport._store_rollout(r, before, 'continue_rollout', continue_rollout.reason, continue_rollout.now),
            execreport._notify(0, '#engineering', format('rollout %s goes on', r.rollout), 'info',
                jsonb_build_object('rollout', r.rollout, 'flags', r.flags, 'by', execreport.current_user_id()));
    RETURN execreport._rollout_sentence(r);
END
$$;
COMMENT ON FUNCTION execreport.continue_rollout(text, text, timestamptz) IS
'Ends the hold of a rollout. Its stage goes on: the minimum hold counts from now, and so do the verdicts of guards. Returns a
sentence. Audited; told to #engineering. For superusers.
Errors: 42501 for others; P0002 it was not started; 55000 it is aborted or completed.
Example: SELECT execreport.continue_rollout();';

CREATE FUNCTION execreport.abort(rollout text DEFAULT 'reports', reason text DEFAULT NULL, now timestamptz DEFAULT now()) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    r execreport.rollouts;
    before execreport.rollouts;
    keys text[];
    f execreport.flag_rollouts;
    previous jsonb;
    taken text[] := '{}';
BEGIN
    PERFORM execreport._require_operator(), execreport._check_now(abort.now), execreport._check_reason(abort.reason);
    IF EXISTS (SELECT FROM execreport._find_rollout(abort.rollout) AS x WHERE x.rollout IS NOT NULL) THEN
        r := execreport._locked_rollout(abort.rollout);
        before := r;
        keys := r.flags;
    ELSIF abort.rollout = 'reports' OR EXISTS (SELECT FROM execreport.flags AS x WHERE x.key = abort.rollout) THEN
        keys := execreport._rollout_flags(CASE WHEN abort.rollout <> 'reports' THEN ARRAY[abort.rollout] END);
    ELSE
        PERFORM execreport._locked_rollout(abort.rollout);   -- says that there is none
    END IF;

    FOR f IN SELECT s.* FROM execreport.flag_rollouts AS s
              WHERE s.flag = ANY (keys) AND (s.users <> '{}' OR s.percentage > 0 OR s.max_size IS NOT NULL) ORDER BY s.flag FOR UPDATE LOOP
        previous := execreport._rollout_rule(f.users, f.percentage, f.max_size);
        UPDATE execreport.flag_rollouts AS s SET users = '{}', percentage = 0, max_size = NULL
         WHERE s.flag = f.flag RETURNING s.* INTO f;
        taken := taken || f.flag;
        PERFORM execreport._record_decision(f, 'abort', r.rollout, NULL, previous, abort.reason, abort.now);
    END LOOP;
    IF taken <> '{}' THEN
        PERFORM execreport._announce_change('execreport.flags');
    END IF;
    IF r.rollout IS NOT NULL AND r.status <> 'aborted' THEN
        r.status := 'aborted';
        r.reason := abort.reason;
        PERFORM execreport._store_rollout(r, before, 'abort', abort.reason, abort.now);
    ELSIF taken = '{}' THEN
        RETURN format('%s: nothing changed, it reaches nobody', abort.rollout);
    END IF;
    PERFORM execreport._notify(0, '#engineering', format('rollout %s is aborted%s', abort.rollout, coalesce(': ' || abort.reason, '')), 'warning',
        jsonb_build_object('rollout', coalesce(r.rollout, abort.rollout), 'flags', keys, 'by', execreport.current_user_id()));
    RETURN format('%s: aborted; taken back: %s', abort.rollout, coalesce(nullif(array_to_string(taken, ', '), ''), 'nothing'));
END
$$;
COMMENT ON FUNCTION execreport.abort(text, text, timestamptz) IS
'Takes a rollout back: its flags reach nobody by it any more, the team neither. rollout: its name or that of one of its flags; also for
what was only enabled with the enable functions. Overrides of tenants and users, rules and defaults stay: set_kill_switch() and
emergency_rollback() stand above those. It starts again only by start_rollout(). Never waits for approval. Returns a
sentence. Audited; told to #engineering. For superusers.
Errors: 42501 for others; P0002 neither a rollout nor a flag.
Example: SELECT execreport.abort(reason => ''customers see wrong figures'');';

-- Steps by themselves.

CREATE FUNCTION execreport._advance_due_rollouts(now timestamptz) RETURNS integer
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    r execreport.rollouts;
    obstacle record;
    state text; message text;
    longest interval := execreport._setting('rollout_max_hold')::integer * interval '1 min';
    steps integer := 0;
BEGIN
    PERFORM execreport._check_now(_advance_due_rollouts.now);
    FOR r IN SELECT s.* FROM execreport.rollouts AS s
              WHERE s.status = 'held' OR s.automatic AND s.status = 'running' ORDER BY s.rollout FOR UPDATE SKIP LOCKED LOOP
        BEGIN
            state := NULL;
            SELECT * INTO obstacle FROM execreport._rollout_obstacle(r, _advance_due_rollouts.now);
            IF obstacle.kind IS NULL THEN
                PERFORM execreport._advance_rollout(r.rollout, 'automatic', _advance_due_rollouts.now);
                steps := steps + 1;
            ELSIF obstacle.kind = 'kill_switch' THEN
                -- it does not go on by itself when the switch is released: somebody has found the cause by then
                PERFORM execreport._hold_rollout(r, obstacle.what, _advance_due_rollouts.now);
            ELSIF obstacle.kind IN ('held', 'verdict', 'breach') THEN
                PERFORM execreport._tell_long_hold(r, obstacle.what, longest, _advance_due_rollouts.now);
            END IF;
        EXCEPTION WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT;
        END;
        -- a deadlock or the like passes; any other error would come back every minute
        IF state !~ '^(40|53|55P03|57|58)' THEN
            PERFORM execreport._hold_rollout(r, format('the step failed: %s', message), _advance_due_rollouts.now);
        END IF;
    END LOOP;
    RETURN steps;
END
$$;
COMMENT ON FUNCTION execreport._advance_due_rollouts(timestamptz) IS
'Takes the next step of every automatic rollout that may take it, one step each, and returns how many. A rollout that another
session works on is left to it. Puts one on hold when a kill switch is engaged, and tells #engineering when one has been
held for longer than execreport.rollout_max_hold. Called by tick().';

CREATE FUNCTION execreport._tell_long_hold(r execreport.rollouts, what text, longest interval, now timestamptz) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    since timestamptz := CASE r.status WHEN 'held' THEN r.changed_at
        ELSE r.watched_since + (SELECT s.minimum_hold FROM execreport.rollout_stages AS s WHERE s.rollout = r.rollout AND s.stage = r.stage) END;
BEGIN
    IF longest > interval '0' AND _tell_long_hold.now - since > longest THEN
        PERFORM execreport._notify(0, '#engineering', format('rollout %s has been waiting since %s: %s', r.rollout, execreport._second(since), what), 'warning',
            jsonb_build_object('rollout', r.rollout, 'flags', r.flags, 'stage', r.stage, 'since', since),
            format('rollout_hold:%s:%s', r.rollout, extract(epoch FROM since)));
    END IF;
END
$$;
