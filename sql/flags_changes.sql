-- flags_changes: changes of flags that wait: for a second pair of eyes, for their hour, or for both.
--
-- A change is requested (waits for an approval), scheduled (waits for apply_at), and at last applied, failed, rejected or
-- cancelled. _apply_flag_change() alone knows what the kinds of changes do, and it is tried out, and taken back, before a change
-- is accepted, so that what cannot be done is refused at once. Invariant: who decides about a change locks its row first,
-- and _apply_due_changes() works in one session at a time, in the order of apply_at.

CREATE TABLE execreport.flag_changes (
    tenant_id       integer NOT NULL DEFAULT execreport.current_tenant(),
    change_id       uuid NOT NULL DEFAULT execreport._uuid7(),
    key             text COLLATE "C" NOT NULL,
    change          jsonb NOT NULL CHECK (jsonb_typeof(change) = 'object'),
    status          text NOT NULL CHECK (status IN ('requested', 'scheduled', 'applied', 'failed', 'rejected', 'cancelled')),
    apply_at        timestamptz CHECK (apply_at IS NOT NULL OR status <> 'scheduled'),
    reason          text,
    previous        jsonb,
    requested_by    text NOT NULL DEFAULT execreport.current_user_id(),
    requested_role  name NOT NULL DEFAULT session_user,
    requested_at    timestamptz NOT NULL,
    decided_by      text,
    decided_role    name,
    decided_at      timestamptz,
    decision_reason text,
    applied_at      timestamptz,
    error           text,
    PRIMARY KEY (tenant_id, change_id)
);
CREATE INDEX flag_changes_due_idx ON execreport.flag_changes (apply_at, change_id) WHERE status = 'scheduled';
CREATE INDEX flag_changes_id_idx ON execreport.flag_changes (change_id);
COMMENT ON TABLE execreport.flag_changes IS
'Changes of flags that wait or waited. status: requested (for an approval), scheduled (for apply_at), applied, failed (see
error), rejected, cancelled. change: the flag''s new definition, or {"users": [...], "percentage": 25, "size": "small", "flags":
[...]}, {"segment": {...}}, {"start": {...}} and {"advance": true} of a rollout. previous: what it replaces, as it was when it was requested; if that
changes, the change cannot be approved any more. tenant_id: the tenant that the requester worked for; its admins approve, too.
Written by the functions of this name, and where execreport.require_approval is on by whatever changes a flag for every tenant.';

CALL execreport._hold('execreport.flag_changes');

CREATE FUNCTION execreport._approval_required() RETURNS boolean
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT execreport._setting('require_approval')::boolean;
END;
COMMENT ON FUNCTION execreport._approval_required() IS
'Do changes of flags for every tenant need the approval of another person?';

CREATE FUNCTION execreport._require_operator() RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT execreport._caller_is_superuser() THEN
        RAISE EXCEPTION 'only a superuser changes flags for every tenant'
            USING ERRCODE = '42501', HINT = 'execreport.update_flags() changes those of one tenant.';
    END IF;
END
$$;

CREATE FUNCTION execreport._second(at timestamptz) RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE
RETURN pg_catalog.date_trunc('second', at + interval '999999 us')::pg_catalog.text;
COMMENT ON FUNCTION execreport._second(timestamptz) IS
'An instant as sentences name it: to the second, rounded up, so that what lasts until then is over.';

CREATE FUNCTION execreport._check_now(now timestamptz) RETURNS void
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF now IS NULL OR now < '0001-01-01 00:00+00' OR now >= '10000-01-01 00:00+00' THEN
        RAISE EXCEPTION 'now is %', coalesce(now::text, 'null')
            USING ERRCODE = '22023', DETAIL = 'It is an instant of the years 1 to 9999.',
                  HINT = 'Give an instant, or leave it out for the present one.';
    END IF;
END
$$;
COMMENT ON FUNCTION execreport._check_now(timestamptz) IS
'An error unless now is an instant of the years 1 to 9999: so far from the ends of time that any length may be counted from it.';

CREATE FUNCTION execreport._check_present(now timestamptz) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM execreport._check_now(now);
    IF now > clock_timestamp() + interval '1 day' AND NOT execreport._caller_is_superuser() THEN
        RAISE EXCEPTION 'now is %', now
            USING ERRCODE = '22023', DETAIL = 'It may be a day after the clock; only superusers try out what comes later.',
                  HINT = 'Leave it out for the present instant.';
    END IF;
END
$$;
COMMENT ON FUNCTION execreport._check_present(timestamptz) IS
'An error unless now is an instant, and for all but superusers one that is at most a day to come. For what members do that concerns
more than their tenant: cooldowns and changes of flags hold for all.';

CREATE FUNCTION execreport.schedule_flag_change(key text, change jsonb, at timestamptz, reason text DEFAULT NULL,
    now timestamptz DEFAULT now())
RETURNS uuid
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM execreport._require_operator(), execreport._check_now(schedule_flag_change.now), execreport._check_reason(schedule_flag_change.reason);
    IF schedule_flag_change.at IS NULL OR NOT isfinite(schedule_flag_change.at)
       OR schedule_flag_change.at <= schedule_flag_change.now THEN
        RAISE EXCEPTION 'at is %', coalesce(schedule_flag_change.at::text, 'null')
            USING ERRCODE = '22023', DETAIL = format('A change is scheduled for an instant after %s.', execreport._second(schedule_flag_change.now)),
                  HINT = 'Make it with execreport.define_flag() or a function of the rollout when it shall count at once.';
    END IF;
    RETURN execreport._add_flag_change(schedule_flag_change.key, schedule_flag_change.change, schedule_flag_change.at,
        schedule_flag_change.reason, execreport._approval_required(), schedule_flag_change.now);
END
$$;
COMMENT ON FUNCTION execreport.schedule_flag_change(text, jsonb, timestamptz, text, timestamptz) IS
'Has a flag changed at an instant to come, by tick(), and returns the change''s id. change: a definition as for define_flag(), or
{"users": ["ana@example.com"], "percentage": 25, "size": "small"}, each optional, which widens the flag''s rollout as
enable_for_team(), enable_for_percentage() and enable_by_tenant_size() do; "flags": [...] beside them widens several together;
{"segment": {...}} with the name of a segment as key; {"advance": true} with that of a rollout. What could not be done now is
refused now. A change that fails when its hour comes is marked failed with its error. When execreport.require_approval is on it also waits for an approval.
The changes stand in execreport.flag_changes; cancel_flag_change() takes one back. Audited. For superusers.
Errors: 42501 for others; 22023 when at is not to come, or change is not an object; those of the function that makes the change.
Example: SELECT execreport.schedule_flag_change(''reportsUiEnabled'', ''{"percentage": 25}'', ''2030-01-07 09:00+01'', ''second wave'');';

CREATE FUNCTION execreport.request_flag_change(key text, change jsonb, reason text DEFAULT NULL, now timestamptz DEFAULT now())
RETURNS uuid
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM execreport._require_operator(), execreport._check_now(request_flag_change.now), execreport._check_reason(request_flag_change.reason);
    RETURN execreport._add_flag_change(request_flag_change.key, request_flag_change.change, NULL,
        request_flag_change.reason, true, request_flag_change.now);
END
$$;
COMMENT ON FUNCTION execreport.request_flag_change(text, jsonb, text, timestamptz) IS
'Asks for a change of a flag that another person has to approve, and returns its id. change: as for schedule_flag_change(). When
execreport.require_approval is on, define_flag(), define_segment(), the enable functions, start_rollout() and advance_rollout() make
such a request by themselves; what turns a feature off never waits. Audited. For superusers.
Errors: 42501 for others; 22023 when change is not an object; those of the function that makes the change.
Example: SELECT execreport.request_flag_change(''reportsUiEnabled'', ''{"percentage": 25}'', ''second wave'');';

CREATE FUNCTION execreport._await_approval(key text, change jsonb) RETURNS integer
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE NOTICE 'waits for approval: change %', execreport._add_flag_change(key, change, NULL, NULL, true, now())
        USING HINT = 'Another person approves it with execreport.approve_flag_change().';
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION execreport._await_approval(text, jsonb) IS
'For functions that return a version: asks for an approval, says so, and returns that there is no new version.';

CREATE FUNCTION execreport._add_flag_change(key text, change jsonb, apply_at timestamptz, reason text, needs_approval boolean,
    now timestamptz)
RETURNS uuid
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    added execreport.flag_changes;
BEGIN
    IF jsonb_typeof(_add_flag_change.change) IS DISTINCT FROM 'object' OR _add_flag_change.change = '{}' THEN
        RAISE EXCEPTION 'change is %', coalesce(left(_add_flag_change.change::text, 64), 'null')
            USING ERRCODE = '22023', DETAIL = 'A change is a JSON object.',
                  HINT = 'Such as {"percentage": 25}, or a definition as for execreport.define_flag().';
    ELSIF coalesce(_add_flag_change.key, '') = '' THEN
        RAISE EXCEPTION 'key is %', CASE WHEN _add_flag_change.key IS NULL THEN 'null' ELSE 'empty' END
            USING ERRCODE = CASE WHEN _add_flag_change.key IS NULL THEN '22004' ELSE '22023' END,
                  HINT = 'Name the flag, or the rollout, that shall change.';
    END IF;
    SELECT c.* INTO added
      FROM execreport.flag_changes AS c
     WHERE _add_flag_change.needs_approval AND c.status = 'requested' AND c.key = _add_flag_change.key
       AND c.change = _add_flag_change.change AND c.apply_at IS NOT DISTINCT FROM _add_flag_change.apply_at
       AND c.requested_by = execreport.current_user_id() AND c.requested_role = session_user
     ORDER BY c.change_id LIMIT 1;
    IF FOUND THEN
        RETURN added.change_id;     -- asked for already
    END IF;
    PERFORM execreport._try_flag_change(_add_flag_change.key, _add_flag_change.change, _add_flag_change.now);

    INSERT INTO execreport.flag_changes (key, change, status, apply_at, reason, previous, requested_at)
    VALUES (_add_flag_change.key, _add_flag_change.change, CASE WHEN _add_flag_change.needs_approval THEN 'requested' ELSE 'scheduled' END,
            _add_flag_change.apply_at, _add_flag_change.reason,
            execreport._changed_by_flag_change(_add_flag_change.key, _add_flag_change.change), _add_flag_change.now)
    RETURNING * INTO added;
    IF _add_flag_change.needs_approval THEN
        PERFORM execreport._ask_for_approval(added);
    ELSE
        PERFORM execreport._audit_flag_change('schedule_flag_change', added);
    END IF;
    RETURN added.change_id;
END
$$;
COMMENT ON FUNCTION execreport._add_flag_change(text, jsonb, timestamptz, text, boolean, timestamptz) IS
'Writes down a change that waits, after trying it out, and returns its id; that of the same request when it waits already.
apply_at NULL: it is made when it is approved.';

CREATE FUNCTION execreport._audit_flag_change(action text, changed execreport.flag_changes, reason text DEFAULT NULL) RETURNS void
LANGUAGE sql VOLATILE
BEGIN ATOMIC
    SELECT execreport._audit((changed).tenant_id, action, 'flag_change', (changed).change_id::text, (changed).previous, (changed).change,
        coalesce(reason, (changed).reason),
        pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object('key', (changed).key, 'status', (changed).status,
            'applyAt', (changed).apply_at, 'requestedBy', (changed).requested_by, 'error', (changed).error)));
END;

CREATE FUNCTION execreport._ask_for_approval(asked execreport.flag_changes) RETURNS void
LANGUAGE sql VOLATILE
BEGIN ATOMIC
    SELECT execreport._audit_flag_change('request_flag_change', asked),
           execreport._notify(0, '#engineering',
               pg_catalog.format('%s asks to change %s: an approval is needed', (asked).requested_by, (asked).key), 'info',
               pg_catalog.jsonb_build_object('changeId', (asked).change_id, 'change', (asked).change, 'reason', (asked).reason),
               'flag_change:' || (asked).change_id);
END;

CREATE FUNCTION execreport._apply_flag_change(key text, change jsonb, reason text, guarded boolean, now timestamptz) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    flags text[];
BEGIN
    CASE execreport._flag_change_kind(_apply_flag_change.change)
    WHEN 'definition' THEN
        PERFORM execreport._store_definition(_apply_flag_change.key, _apply_flag_change.change, _apply_flag_change.reason);
    WHEN 'segment' THEN
        PERFORM execreport._store_segment(_apply_flag_change.key, _apply_flag_change.change -> 'segment', _apply_flag_change.reason);
    WHEN 'rule' THEN
        flags := execreport._rollout_flags(execreport._flag_change_flags(_apply_flag_change.key, _apply_flag_change.change));
        IF _apply_flag_change.guarded THEN
            PERFORM execreport._refuse_widening(flags, _apply_flag_change.now);
        END IF;
        PERFORM execreport._widen_rollout(flags,
            CASE WHEN _apply_flag_change.change ? 'users' THEN execreport._rollout_users(
                execreport._text_array('change.users', _apply_flag_change.change -> 'users')) END,
            CASE WHEN _apply_flag_change.change ? 'percentage' THEN execreport._rollout_percent(
                execreport._json_number('change.percentage', _apply_flag_change.change -> 'percentage')) END,
            CASE WHEN _apply_flag_change.change ? 'size' THEN execreport._rollout_size(_apply_flag_change.change ->> 'size') END,
            'widen', NULL, _apply_flag_change.reason, _apply_flag_change.now);
    WHEN 'start' THEN
        PERFORM execreport._start_rollout(_apply_flag_change.key, _apply_flag_change.change -> 'start', _apply_flag_change.reason,
            _apply_flag_change.now);
    WHEN 'advance' THEN
        IF _apply_flag_change.guarded THEN
            PERFORM execreport._advance_rollout(_apply_flag_change.key, _apply_flag_change.reason, _apply_flag_change.now);
        ELSE
            PERFORM execreport._locked_rollout(_apply_flag_change.key);
        END IF;
    END CASE;
END
$$;
COMMENT ON FUNCTION execreport._apply_flag_change(text, jsonb, text, boolean, timestamptz) IS
'Makes a change. guarded false leaves out what only counts at the hour of the change: holds, cooldowns and verdicts.
It calls functions of the rollout, which stands above, because a rollout''s steps wait for approval like any other change.';

CREATE FUNCTION execreport._flag_change_kind(change jsonb) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    unknown text;
BEGIN
    IF change ?| '{users,percentage,size,flags}' THEN
        SELECT k INTO unknown FROM jsonb_object_keys(change) AS k WHERE k NOT IN ('users', 'percentage', 'size', 'flags') ORDER BY 1 LIMIT 1;
        IF unknown IS NOT NULL OR NOT change ?| '{users,percentage,size}' THEN
            RAISE EXCEPTION '%', CASE WHEN unknown IS NULL THEN 'change widens nothing'
                                      ELSE format('change.%s is unknown', left(unknown, 64)) END
                USING ERRCODE = '22023', DETAIL = 'A rollout is widened by users, percentage and size, and flags says of which flags.';
        END IF;
        RETURN 'rule';
    ELSIF change ?| '{segment,start,advance}' THEN
        IF (SELECT count(*) FROM jsonb_object_keys(change)) > 1 OR change ? 'advance' AND change -> 'advance' <> 'true' THEN
            RAISE EXCEPTION 'change is %', left(change::text, 64)
                USING ERRCODE = '22023', DETAIL = 'segment, start and advance stand alone, and a rollout advances by {"advance": true}.';
        END IF;
        RETURN (SELECT k FROM jsonb_object_keys(change) AS k);
    END IF;
    RETURN 'definition';
END
$$;

-- What a change replaces, to be shown beside it.
CREATE FUNCTION execreport._changed_by_flag_change(key text, change jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    CASE execreport._flag_change_kind(_changed_by_flag_change.change)
    WHEN 'definition' THEN
        RETURN (SELECT d.document FROM execreport.flag_definitions AS d WHERE d.key = _changed_by_flag_change.key);
    WHEN 'segment' THEN
        RETURN (SELECT s.document FROM execreport.flag_segments AS s WHERE s.key = _changed_by_flag_change.key);
    WHEN 'rule' THEN
        RETURN (SELECT jsonb_object_agg(r.flag, execreport._rollout_rule(r.users, r.percentage, r.max_size))
                  FROM execreport.flag_rollouts AS r
                 WHERE r.flag = ANY (execreport._flag_change_flags(_changed_by_flag_change.key, _changed_by_flag_change.change)));
    ELSE
        RETURN (SELECT jsonb_build_object('status', r.status, 'stage', r.stage)
                  FROM execreport.rollouts AS r WHERE r.rollout = _changed_by_flag_change.key);
    END CASE;
END
$$;

-- Makes the change and takes it back, so that its errors come now.
CREATE FUNCTION execreport._try_flag_change(key text, change jsonb, now timestamptz) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM execreport._apply_flag_change(key, change, NULL, false, now);
    RAISE EXCEPTION 'it can be done' USING ERRCODE = 'ER000';
EXCEPTION
    WHEN SQLSTATE 'ER000' THEN
        NULL;
END
$$;

CREATE FUNCTION execreport._flag_change_flags(key text, change jsonb) RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN CASE WHEN change ? 'flags' THEN execreport._text_array('change.flags', change -> 'flags') ELSE ARRAY[key] END;
END
$$;

CREATE FUNCTION execreport._text_array(path text, list jsonb) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    other record;
BEGIN
    IF jsonb_typeof(list) <> 'array' THEN
        RAISE EXCEPTION '% is %', path, left(list::text, 64) USING ERRCODE = '22023', DETAIL = 'It is an array of strings.';
    END IF;
    SELECT n - 1 AS n, e INTO other
      FROM jsonb_array_elements(list) WITH ORDINALITY AS x (e, n) WHERE jsonb_typeof(e) <> 'string' ORDER BY n LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION '%[%] is %', path, other.n, left(other.e::text, 64)
            USING ERRCODE = '22023', DETAIL = 'It is an array of strings.';
    END IF;
    RETURN ARRAY(SELECT e FROM jsonb_array_elements_text(list) WITH ORDINALITY AS x (e, n) ORDER BY n);
END
$$;

CREATE FUNCTION execreport._json_number(path text, value jsonb) RETURNS numeric
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF jsonb_typeof(value) <> 'number' THEN
        RAISE EXCEPTION '% is %', path, left(value::text, 64) USING ERRCODE = '22023', DETAIL = 'It is a number.';
    END IF;
    RETURN value::numeric;
END
$$;

CREATE FUNCTION execreport._locked_flag_change(change_id uuid) RETURNS execreport.flag_changes
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    result execreport.flag_changes;
BEGIN
    SELECT c.* INTO result
      FROM execreport.flag_changes AS c WHERE c.change_id = _locked_flag_change.change_id FOR UPDATE;
    IF result.change_id IS NULL THEN
        RAISE EXCEPTION 'change % does not exist', coalesce(_locked_flag_change.change_id::text, 'null')
            USING ERRCODE = 'P0002', HINT = 'See execreport.flag_changes.';
    END IF;
    PERFORM execreport._require_tenant(result.tenant_id, 'admin');
    RETURN result;
END
$$;
COMMENT ON FUNCTION execreport._locked_flag_change(uuid) IS
'The change, locked until the transaction ends, for a superuser or an admin of the tenant that its requester worked for.';

-- Ends the wait of a change, or sends it on to wait for its hour.
CREATE FUNCTION execreport._decide_flag_change(changed execreport.flag_changes, status text, action text, reason text, now timestamptz)
RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    UPDATE execreport.flag_changes AS c
       SET status = _decide_flag_change.status, decided_by = execreport.current_user_id(), decided_role = session_user,
           decided_at = _decide_flag_change.now, decision_reason = _decide_flag_change.reason,
           applied_at = CASE _decide_flag_change.status WHEN 'applied' THEN _decide_flag_change.now END
     WHERE c.tenant_id = changed.tenant_id AND c.change_id = changed.change_id
    RETURNING c.* INTO changed;
    PERFORM execreport._audit_flag_change(_decide_flag_change.action, changed, _decide_flag_change.reason);
END
$$;

CREATE FUNCTION execreport.approve_flag_change(change_id uuid, reason text DEFAULT NULL, now timestamptz DEFAULT now()) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c execreport.flag_changes := execreport._locked_flag_change(approve_flag_change.change_id);
    outcome text := CASE WHEN c.apply_at > approve_flag_change.now THEN 'scheduled' ELSE 'applied' END;
BEGIN
    PERFORM execreport._check_present(approve_flag_change.now), execreport._check_reason(approve_flag_change.reason);
    IF c.status <> 'requested' THEN
        RAISE EXCEPTION 'change % waits for no approval', c.change_id
            USING ERRCODE = '55000', DETAIL = format('It is %s.', c.status), HINT = 'See execreport.flag_changes.';
    ELSIF c.requested_by = execreport.current_user_id() OR c.requested_role = session_user THEN
        RAISE EXCEPTION 'change % cannot be approved by who requested it', c.change_id
            USING ERRCODE = '42501',
                  DETAIL = format('It was requested by %s, logged in as role %s; you are %s, logged in as %s.',
                                  c.requested_by, c.requested_role, execreport.current_user_id(), session_user),
                  HINT = 'Another person approves it, with a role of their own.';
    END IF;
    -- what it replaces stays as it is until the change is made; what widens rules is added to whatever they are by then
    CASE execreport._flag_change_kind(c.change)
        WHEN 'definition', 'segment' THEN LOCK TABLE execreport.flag_definitions IN SHARE ROW EXCLUSIVE MODE;
        WHEN 'advance' THEN PERFORM FROM execreport.rollouts AS r WHERE r.rollout = c.key FOR UPDATE;
        ELSE NULL;
    END CASE;
    IF c.previous IS DISTINCT FROM execreport._changed_by_flag_change(c.key, c.change) THEN
        RAISE EXCEPTION 'change % was requested for another state of %', c.change_id, c.key
            USING ERRCODE = '55000', DETAIL = 'What it replaces has changed since then.',
                  HINT = 'Reject it with execreport.reject_flag_change() and request it anew.';
    END IF;
    IF outcome = 'applied' THEN
        PERFORM execreport._apply_flag_change(c.key, c.change, c.reason, true, approve_flag_change.now);
    END IF;
    PERFORM execreport._decide_flag_change(c, outcome, 'approve_flag_change', approve_flag_change.reason, approve_flag_change.now);
    RETURN outcome;
END
$$;
COMMENT ON FUNCTION execreport.approve_flag_change(uuid, text, timestamptz) IS
'Approves a requested change: returns "applied" when it is made at once, "scheduled" when it is made at its apply_at. When it
cannot be made, its error is raised and it goes on waiting. For superusers and admins of the tenant that the requester worked for;
never for the requester: user_id and login role have to be others. Audited.
Errors: 42501 for others and for the requester; P0002 no such change; 55000 it does not wait, or what it replaces has changed since.
Example: SELECT key, execreport.approve_flag_change(change_id, ''seen'') FROM execreport.flag_changes WHERE status = ''requested'';';

CREATE FUNCTION execreport.reject_flag_change(change_id uuid, reason text DEFAULT NULL, now timestamptz DEFAULT now()) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c execreport.flag_changes := execreport._locked_flag_change(reject_flag_change.change_id);
BEGIN
    PERFORM execreport._check_now(reject_flag_change.now), execreport._check_reason(reject_flag_change.reason);
    IF c.status NOT IN ('requested', 'rejected') THEN
        RAISE EXCEPTION 'change % waits for no approval', c.change_id
            USING ERRCODE = '55000', DETAIL = format('It is %s.', c.status),
                  HINT = 'execreport.cancel_flag_change() takes back what is scheduled.';
    ELSIF c.status = 'requested' THEN
        PERFORM execreport._decide_flag_change(c, 'rejected', 'reject_flag_change', reject_flag_change.reason, reject_flag_change.now);
    END IF;
    RETURN c.status = 'requested';
END
$$;
COMMENT ON FUNCTION execreport.reject_flag_change(uuid, text, timestamptz) IS
'Rejects a requested change: true, and false when it was rejected before. For superusers and admins of the tenant that the
requester worked for. Audited.
Errors: 42501 for others; P0002 no such change; 55000 it does not wait for an approval.
Example: SELECT execreport.reject_flag_change(change_id, ''too early'') FROM execreport.flag_changes WHERE status = ''requested'';';

CREATE FUNCTION execreport.cancel_flag_change(change_id uuid, reason text DEFAULT NULL, now timestamptz DEFAULT now()) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c execreport.flag_changes := execreport._locked_flag_change(cancel_flag_change.change_id);
BEGIN
    PERFORM execreport._check_now(cancel_flag_change.now), execreport._check_reason(cancel_flag_change.reason);
    IF c.status NOT IN ('requested', 'scheduled', 'cancelled') THEN
        RAISE EXCEPTION 'change % does not wait any more', c.change_id
            USING ERRCODE = '55000', DETAIL = format('It is %s.', c.status),
                  HINT = 'Make another change to take back what it did.';
    ELSIF c.status <> 'cancelled' THEN
        PERFORM execreport._decide_flag_change(c, 'cancelled', 'cancel_flag_change', cancel_flag_change.reason, cancel_flag_change.now);
    END IF;
    RETURN c.status <> 'cancelled';
END
$$;
COMMENT ON FUNCTION execreport.cancel_flag_change(uuid, text, timestamptz) IS
'Takes back a change that waits, for its hour or for an approval: true, and false when it was cancelled before. For superusers
and admins of the tenant that the requester worked for. Audited.
Errors: 42501 for others; P0002 no such change; 55000 it does not wait any more.
Example: SELECT execreport.cancel_flag_change(change_id) FROM execreport.flag_changes WHERE status = ''scheduled'';';

-- One session at a time, in the order of apply_at: of two changes of one flag the later one has to win. A change that met a
-- passing trouble, such as a deadlock, is tried again by the next call, and the ones after it wait.
CREATE FUNCTION execreport._apply_due_changes(now timestamptz) RETURNS integer
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    c execreport.flag_changes;
    state text; message text; detail text;
    applied integer := 0;
BEGIN
    PERFORM execreport._check_now(_apply_due_changes.now);
    IF NOT EXISTS (SELECT FROM execreport.flag_changes AS f WHERE f.status = 'scheduled' AND f.apply_at <= _apply_due_changes.now)
       OR NOT pg_try_advisory_xact_lock(hashtextextended('execreport.flag_changes', 0)) THEN
        RETURN 0;
    END IF;
    LOOP
        SELECT f.* INTO c
          FROM execreport.flag_changes AS f
         WHERE f.status = 'scheduled' AND f.apply_at <= _apply_due_changes.now
         ORDER BY f.apply_at, f.change_id
         LIMIT 1 FOR UPDATE;
        EXIT WHEN NOT FOUND;
        IF c.decided_by IS NULL AND execreport._approval_required() THEN     -- scheduled before approval was asked for
            UPDATE execreport.flag_changes AS f SET status = 'requested'
             WHERE f.tenant_id = c.tenant_id AND f.change_id = c.change_id RETURNING f.* INTO c;
            PERFORM execreport._ask_for_approval(c);
            CONTINUE;
        END IF;
        state := NULL;
        BEGIN
            PERFORM execreport._apply_flag_change(c.key, c.change, c.reason, true, _apply_due_changes.now);
        EXCEPTION WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
        END;
        EXIT WHEN state ~ '^(40|53|55P03|57|58)';
        UPDATE execreport.flag_changes AS f
           SET status = CASE WHEN state IS NULL THEN 'applied' ELSE 'failed' END,
               applied_at = CASE WHEN state IS NULL THEN _apply_due_changes.now END,
               error = left(state || ': ' || message || coalesce(' (' || nullif(detail, '') || ')', ''), 2000)
         WHERE f.tenant_id = c.tenant_id AND f.change_id = c.change_id
        RETURNING f.* INTO c;
        PERFORM execreport._audit_flag_change(CASE c.status WHEN 'applied' THEN 'apply_flag_change' ELSE 'fail_flag_change' END, c);
        IF c.status = 'applied' THEN
            applied := applied + 1;
        ELSE
            PERFORM execreport._notify(0, '#engineering', format('the scheduled change of %s has failed', c.key), 'warning',
                jsonb_build_object('changeId', c.change_id, 'error', c.error), 'flag_change_failed:' || c.change_id);
        END IF;
    END LOOP;
    RETURN applied;
END
$$;
COMMENT ON FUNCTION execreport._apply_due_changes(timestamptz) IS
'Makes the scheduled changes whose hour has come, each once, whoever calls; returns how many were made. One that fails is marked
and the others go on. Called by tick().';
