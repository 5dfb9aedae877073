-- rollout: a feature reaches its users step by step: the team, a share of the tenants, tenants up to a size.
--
-- How far a flag reaches stands in flag_rollouts, one rule a flag, written here alone: nobody is picked, tenants are dealt
-- by hash when a flag is asked for, so new tenants fall under the rule. Sets only grow: users are added, percentage and size
-- never fall but by abort(). A rollout is a plan of stages over that: one mechanism for the reports and for any other flag.
-- Invariant: whoever changes a rollout locks its row first, then the flags' rows in the order of their names.

CREATE TABLE execreport.rollouts (
    rollout       text COLLATE "C" NOT NULL PRIMARY KEY CHECK (rollout <> ''),
    flags         text[] NOT NULL CHECK (flags <> '{}'),
    status        text NOT NULL CHECK (status IN ('running', 'held', 'aborted', 'completed')),
    stage         integer NOT NULL CHECK (stage > 0),
    stage_since   timestamptz NOT NULL,
    watched_since timestamptz NOT NULL,
    automatic     boolean NOT NULL,
    reason        text,
    started_at    timestamptz NOT NULL,
    changed_at    timestamptz NOT NULL,
    changed_by    text NOT NULL DEFAULT execreport.current_user_id()
);
COMMENT ON TABLE execreport.rollouts IS
'The rollouts: which flags go together, which of the rollout_stages they are in and since when. status: running, held, aborted or
completed (in the last stage). watched_since: when the stage began or went on after a hold; its minimum hold counts from there, and
verdicts of guards from before do not count. automatic: tick() advances it. reason: of the last hold or abort. Written by
start_rollout(), advance_rollout(), hold(), continue_rollout() and abort().';

CREATE TABLE execreport.rollout_stages (
    rollout      text COLLATE "C" NOT NULL,
    stage        integer NOT NULL CHECK (stage > 0),
    phase        text NOT NULL,
    users        text[],
    percentage   numeric CHECK (percentage BETWEEN 0 AND 100),
    max_size     text CHECK (max_size IN ('small', 'medium', 'large')),
    minimum_hold interval NOT NULL CHECK (minimum_hold >= interval '0'),
    PRIMARY KEY (rollout, stage),
    UNIQUE (rollout, phase)
);
COMMENT ON TABLE execreport.rollout_stages IS
'The plan of each rollout: what a stage adds to the flags'' rule (NULL: nothing), and how long it lasts at least. A stage without a
minimum hold may be left at once; the others also wait for a good verdict of a guard. Written by start_rollout().';

CREATE TABLE execreport.rollout_decisions (
    decision_id uuid NOT NULL PRIMARY KEY DEFAULT execreport._uuid7(),
    flag        text COLLATE "C" NOT NULL,
    decision    text NOT NULL,
    rollout     text COLLATE "C",
    phase       text,
    users       text[] NOT NULL,
    percentage  numeric NOT NULL,
    max_size    text,
    reason      text,
    decided_at  timestamptz NOT NULL,
    decided_by  text NOT NULL DEFAULT execreport.current_user_id()
);
CREATE INDEX rollout_decisions_flag_idx ON execreport.rollout_decisions (flag, decision_id);
COMMENT ON TABLE execreport.rollout_decisions IS
'What was decided about the rollout of each flag, and how far it reached afterwards: since when a tenant has a feature follows
from it. Append-only.';

CALL execreport._hold('execreport.rollouts', 'superusers');
CALL execreport._hold('execreport.rollout_stages', 'superusers');
CALL execreport._hold('execreport.rollout_decisions', 'superusers');

-- What the arguments have to be.

CREATE FUNCTION execreport._rollout_flags(flags text[]) RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF flags IS NULL THEN
        RETURN '{execReportsEnabled,masterReportsEnabled,reportsApiEnabled}';
    ELSIF cardinality(flags) = 0 THEN
        RAISE EXCEPTION 'flags is empty' USING ERRCODE = '22023', HINT = 'Leave it out for exec reports, master reports and API.';
    END IF;
    PERFORM execreport._check_flag(f) FROM unnest(flags) AS f;
    RETURN ARRAY(SELECT DISTINCT f COLLATE "C" FROM unnest(flags) AS f ORDER BY 1);
END
$$;
COMMENT ON FUNCTION execreport._rollout_flags(text[]) IS
'The flags, each once and in order, all of them known; NULL stands for those of the reports.';

CREATE FUNCTION execreport._rollout_users(users text[]) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    wrong record;
BEGIN
    IF users IS NULL OR cardinality(users) = 0 THEN
        RAISE EXCEPTION 'users is %', CASE WHEN users IS NULL THEN 'null' ELSE 'empty' END
            USING ERRCODE = CASE WHEN users IS NULL THEN '22004' ELSE '22023' END,
                  HINT = 'Give the user ids of the team, such as ARRAY[''ana@example.com''].';
    ELSIF cardinality(users) > 10000 THEN
        RAISE EXCEPTION 'users has % elements', cardinality(users)
            USING ERRCODE = '54000', DETAIL = 'A team has at most 10000 users.',
                  HINT = 'Reach more with execreport.enable_for_percentage().';
    END IF;
    SELECT n, u INTO wrong FROM unnest(users) WITH ORDINALITY AS x (u, n)
     WHERE u IS NULL OR u = '' OR octet_length(u) > 512 ORDER BY n LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'users[%] is %', wrong.n,
                        CASE WHEN wrong.u IS NULL THEN 'null' WHEN wrong.u = '' THEN 'empty' ELSE '"' || left(wrong.u, 64) || '"' END
            USING ERRCODE = CASE WHEN wrong.u IS NULL THEN '22004' ELSE '22023' END, DETAIL = 'A user id has 1 to 512 bytes.';
    END IF;
    RETURN users;
END
$$;

CREATE FUNCTION execreport._rollout_percent(percent numeric) RETURNS numeric
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF percent IS NULL THEN
        RAISE EXCEPTION 'percent is null' USING ERRCODE = '22004', HINT = 'Give a number from 0 to 100.';
    ELSIF NOT percent BETWEEN 0 AND 100 THEN
        RAISE EXCEPTION 'percent is %', left(percent::text, 64)
            USING ERRCODE = '22023', DETAIL = 'A percentage is a number from 0 to 100: 5 means 5 % of the tenants.';
    ELSIF percent > 0 AND percent < 1 THEN
        RAISE EXCEPTION 'percent is %', left(percent::text, 64)
            USING ERRCODE = '22023', DETAIL = 'Tenants are dealt in steps of 1 %: less than 1 would reach nobody.',
                  HINT = CASE WHEN percent = 0.05 THEN 'Give 5 for 5 %.' ELSE 'Give 1, or a share as percent: 5 for 5 %.' END;
    END IF;
    RETURN trim_scale(percent);
END
$$;

CREATE FUNCTION execreport._rollout_size(size text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF size IS NULL OR size NOT IN ('small', 'medium', 'large') THEN
        RAISE EXCEPTION 'size is %', coalesce('"' || left(size, 64) || '"', 'null')
            USING ERRCODE = CASE WHEN size IS NULL THEN '22004' ELSE '22023' END,
                  DETAIL = 'A size is small, medium or large, and means tenants up to it.';
    END IF;
    RETURN size;
END
$$;

CREATE FUNCTION execreport._size_rank(size text) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE size WHEN 'small' THEN 1 WHEN 'medium' THEN 2 WHEN 'large' THEN 3 ELSE 0 END;
END;

CREATE FUNCTION execreport._rollout_rule(users text[], percentage numeric, max_size text) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT pg_catalog.jsonb_build_object('users', users, 'percentage', percentage, 'maxSize', max_size);
END;

CREATE FUNCTION execreport._rollout_reach(users text[], percentage numeric, max_size text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT coalesce(nullif(pg_catalog.concat_ws(', ',
        CASE pg_catalog.cardinality(users) WHEN 0 THEN NULL WHEN 1 THEN '1 user' ELSE pg_catalog.cardinality(users) || ' users' END,
        CASE WHEN percentage >= 1 THEN percentage || ' % of the tenants' END,
        CASE max_size WHEN 'small' THEN 'small tenants' WHEN 'medium' THEN 'small and medium tenants'
                      WHEN 'large' THEN 'tenants of any known size' END),
        ''), 'nobody');
END;
COMMENT ON FUNCTION execreport._rollout_reach(text[], numeric, text) IS
'A rule in words.';

CREATE FUNCTION execreport._rollout_tenants(group_id text, percentage numeric, max_size text, OUT reached bigint, OUT of bigint)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT pg_catalog.count(*) FILTER (WHERE execreport.flag_bucket(_rollout_tenants.group_id, t.tenant_id::text) <= _rollout_tenants.percentage
                                          OR execreport._size_rank(t.size) BETWEEN 1 AND execreport._size_rank(_rollout_tenants.max_size)),
           pg_catalog.count(*)
      FROM execreport.tenants AS t;
END;
COMMENT ON FUNCTION execreport._rollout_tenants(text, numeric, text) IS
'How many of the tenants that are there a rule reaches.';

CREATE FUNCTION execreport._rollout_tenants_text(group_id text, percentage numeric, max_size text) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT t.reached || ' of ' || t.of FROM execreport._rollout_tenants(group_id, percentage, max_size) AS t;
END;

-- Widening: the one writer of flag_rollouts beside abort().

CREATE FUNCTION execreport._widen_rollout(flags text[], users text[], percent numeric, size text, decision text, rollout text,
    reason text, now timestamptz, phase text DEFAULT NULL)
RETURNS text[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    key text;
    r execreport.flag_rollouts;
    before jsonb;
    changed text[] := '{}';
BEGIN
    FOREACH key IN ARRAY _widen_rollout.flags LOOP
        INSERT INTO execreport.flag_rollouts (flag, group_id) VALUES (key, coalesce(_widen_rollout.rollout, 'reports')) ON CONFLICT DO NOTHING;
        SELECT f.* INTO r FROM execreport.flag_rollouts AS f WHERE f.flag = key FOR UPDATE;
        before := execreport._rollout_rule(r.users, r.percentage, r.max_size);
        IF _widen_rollout.phase IS NULL    -- where a flag reaches more already, a stage adds what is left
           AND (_widen_rollout.percent < r.percentage
                OR _widen_rollout.size IS NOT NULL AND execreport._size_rank(_widen_rollout.size) < execreport._size_rank(r.max_size)) THEN
            RAISE EXCEPTION '%', CASE WHEN _widen_rollout.percent < r.percentage
                    THEN format('percent %s is less than the %s of %s', _widen_rollout.percent, r.percentage, key)
                    ELSE format('size %s is less than %s of %s', _widen_rollout.size, r.max_size, key) END
                USING ERRCODE = '55000',
                      DETAIL = 'A rollout only grows: nobody who has the feature loses it by a step.',
                      HINT = format('execreport.abort(%L) takes the whole rollout back; '
                                    'execreport.emergency_rollback() or set_kill_switch() turns the feature off.', key);
        END IF;
        -- a rule that deals no tenants yet may take another group without dealing anybody anew
        IF r.percentage = 0 AND _widen_rollout.rollout IS NOT NULL THEN
            r.group_id := _widen_rollout.rollout;
        END IF;
        r.users := ARRAY(SELECT DISTINCT u COLLATE "C" FROM unnest(r.users || _widen_rollout.users) AS u ORDER BY 1);
        r.percentage := greatest(r.percentage, _widen_rollout.percent);
        IF execreport._size_rank(_widen_rollout.size) > execreport._size_rank(r.max_size) THEN
            r.max_size := _widen_rollout.size;
        END IF;
        IF r.users <> '{}' THEN
            PERFORM execreport._rollout_users(r.users);     -- not too many by now
        END IF;
        CONTINUE WHEN before = execreport._rollout_rule(r.users, r.percentage, r.max_size);

        UPDATE execreport.flag_rollouts AS f
           SET users = r.users, percentage = r.percentage, max_size = r.max_size, group_id = r.group_id
         WHERE f.flag = key;
        changed := changed || key;
        PERFORM execreport._record_decision(r, _widen_rollout.decision, _widen_rollout.rollout, _widen_rollout.phase, before,
                                            _widen_rollout.reason, _widen_rollout.now);
    END LOOP;
    IF changed <> '{}' THEN
        PERFORM execreport._announce_change('execreport.flags');
    END IF;
    RETURN changed;
END
$$;
COMMENT ON FUNCTION execreport._widen_rollout(text[], text[], numeric, text, text, text, text, timestamptz, text) IS
'Adds users, percentage and size (each NULL: leave it) to the rules of flags, one audit row a flag that changes, and returns
those. Error 55000, and nothing changes, when percentage or size would fall, but for a phase.';

CREATE FUNCTION execreport._record_decision(r execreport.flag_rollouts, decision text, rollout text, phase text, before jsonb, reason text,
    now timestamptz)
RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO execreport.rollout_decisions (flag, decision, rollout, phase, users, percentage, max_size, reason, decided_at)
    VALUES (r.flag, _record_decision.decision, _record_decision.rollout, _record_decision.phase, r.users, r.percentage, r.max_size,
            _record_decision.reason, _record_decision.now);
    PERFORM execreport._audit(execreport.current_tenant(), _record_decision.decision, 'feature_flag', r.flag, before,
        execreport._rollout_rule(r.users, r.percentage, r.max_size), _record_decision.reason,
        jsonb_strip_nulls(jsonb_build_object('scope', 'everywhere', 'rollout', _record_decision.rollout, 'phase', _record_decision.phase)));
END
$$;

CREATE FUNCTION execreport._refuse_widening(flags text[], now timestamptz) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    key text;
    held record;
    ready timestamptz;
BEGIN
    SELECT r.rollout, r.changed_at, r.reason INTO held
      FROM execreport.rollouts AS r WHERE r.status = 'held' AND r.flags && _refuse_widening.flags ORDER BY 1 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'rollout "%" is on hold', held.rollout
            USING ERRCODE = '55000', DETAIL = format('Since %s%s.', execreport._second(held.changed_at), coalesce(': ' || held.reason, '')),
                  HINT = format('execreport.continue_rollout(%L) lets it go on.', held.rollout);
    END IF;
    FOREACH key IN ARRAY _refuse_widening.flags LOOP
        ready := execreport._cooldown_until(key);
        IF ready = 'infinity' THEN
            RAISE EXCEPTION '% is rolled back', key
                USING ERRCODE = '55000', DETAIL = 'It was turned off for every tenant.',
                      HINT = 'execreport.resume() ends that when the cause is found; after its cooldown the rollout may go on.';
        ELSIF ready > _refuse_widening.now THEN
            RAISE EXCEPTION '% cools down until %', key, execreport._second(ready)
                USING ERRCODE = '55000', DETAIL = 'It was rolled back a short while ago.', HINT = 'Widen the rollout after that.';
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION execreport._refuse_widening(text[], timestamptz) IS
'An error while a rollout of one of the flags is on hold or one of them cools down after a rollback.';

-- The three ways to reach somebody.

CREATE FUNCTION execreport._enable(flags text[], users text[], percent numeric, size text, decision text, now timestamptz)
RETURNS TABLE (flag text, reaches text, reached_before text, tenants text, note text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    before jsonb;
    changed text[] := '{}';
    request uuid;
BEGIN
    PERFORM execreport._check_now(_enable.now);
    IF _enable.users IS NULL THEN
        PERFORM execreport._refuse_widening(_enable.flags, _enable.now);
    END IF;
    SELECT jsonb_object_agg(r.flag, execreport._rollout_reach(r.users, r.percentage, r.max_size)) INTO before
      FROM execreport.flag_rollouts AS r WHERE r.flag = ANY (_enable.flags);
    IF execreport._approval_required() AND EXISTS (
           SELECT FROM unnest(_enable.flags) AS f (key) LEFT JOIN execreport.flag_rollouts AS r ON r.flag = f.key
            WHERE (r.users @> coalesce(_enable.users, '{}') AND r.percentage = coalesce(_enable.percent, r.percentage)
                   AND r.max_size IS NOT DISTINCT FROM coalesce(_enable.size, r.max_size)) IS NOT TRUE) THEN
        request := execreport._add_flag_change(array_to_string(_enable.flags, ', '), jsonb_strip_nulls(jsonb_build_object(
            'flags', _enable.flags, 'users', _enable.users, 'percentage', _enable.percent, 'size', _enable.size)), NULL, NULL, true, _enable.now);
    ELSE
        changed := execreport._widen_rollout(_enable.flags, _enable.users, _enable.percent, _enable.size, _enable.decision, NULL, NULL, _enable.now);
    END IF;
    RETURN QUERY
    SELECT f.key, coalesce(execreport._rollout_reach(r.users, r.percentage, r.max_size), 'nobody'), coalesce(before ->> f.key, 'nobody'),
           execreport._rollout_tenants_text(r.group_id, r.percentage, r.max_size),
           concat_ws('; ',
               CASE WHEN request IS NOT NULL THEN format('waits for approval: change %s', request)
                    WHEN f.key <> ALL (changed) THEN 'nothing changed' END,
               CASE WHEN _enable.percent <> trunc(_enable.percent) THEN format('%s %% acts as %s %%', _enable.percent, trunc(_enable.percent)) END,
               (SELECT 'off all the same: a kill switch is engaged' FROM execreport.kill_switches AS k WHERE k.tenant_id = 0 AND k.flag = f.key))
      FROM unnest(_enable.flags) AS f (key)
      LEFT JOIN execreport.flag_rollouts AS r ON r.flag = f.key
     ORDER BY 1;
END
$$;

CREATE FUNCTION execreport.enable_for_team(users text[], flags text[] DEFAULT NULL, now timestamptz DEFAULT now())
RETURNS TABLE (flag text, reaches text, reached_before text, tenants text, note text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER ROWS 3 SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM execreport._require_operator();
    RETURN QUERY SELECT * FROM execreport._enable(execreport._rollout_flags(enable_for_team.flags),
        execreport._rollout_users(enable_for_team.users), NULL, NULL, 'enable_for_team', enable_for_team.now);
END
$$;
COMMENT ON FUNCTION execreport.enable_for_team(text[], text[], timestamptz) IS
'Turns flags on for these users, whatever tenant they work in; those that have them already keep them. users: user ids as the
application names them, 1 to 512 bytes each. flags: by default execReportsEnabled, masterReportsEnabled and reportsApiEnabled.
now: the instant that counts as the present. Returns one row a flag: whom the rollout reaches now and whom before, how many of the tenants,
and a note, "nothing changed" among them. Kill switches and overrides stand above. Audited. For superusers.
Errors: 42501 for others; 42704 an unknown flag; 22004 NULL and 22023 no users, or an empty or longer name; 54000 more than 10000.
Example: SELECT * FROM execreport.enable_for_team(ARRAY[''ana@example.com'', ''bob@example.com'']);';

CREATE FUNCTION execreport.enable_for_percentage(percent numeric, flags text[] DEFAULT NULL, now timestamptz DEFAULT now())
RETURNS TABLE (flag text, reaches text, reached_before text, tenants text, note text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER ROWS 3 SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM execreport._require_operator();
    RETURN QUERY SELECT * FROM execreport._enable(execreport._rollout_flags(enable_for_percentage.flags), NULL,
        execreport._rollout_percent(enable_for_percentage.percent), NULL, 'enable_for_percentage', enable_for_percentage.now);
END
$$;
COMMENT ON FUNCTION execreport.enable_for_percentage(numeric, text[], timestamptz) IS
'Turns flags on for a percentage of the tenants, 0 to 100. Who they are is decided by flag_bucket(group, tenant): always the same
ones, more with each step, and new tenants fall under the rule. Steps are of 1 %, as Unleash''s are: 12.5 acts as 12, and the note
says so. Rows, flags and now as for enable_for_team(). Audited. For superusers.
Errors: 42501 for others; 42704 an unknown flag; 22004 NULL; 22023 not in 0 to 100, or between 0 and 1; 55000 less than before,
on hold, or cooling down after a rollback.
Example: SELECT * FROM execreport.enable_for_percentage(5);';

CREATE FUNCTION execreport.enable_by_tenant_size(size text, flags text[] DEFAULT NULL, now timestamptz DEFAULT now())
RETURNS TABLE (flag text, reaches text, reached_before text, tenants text, note text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER ROWS 3 SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM execreport._require_operator();
    RETURN QUERY SELECT * FROM execreport._enable(execreport._rollout_flags(enable_by_tenant_size.flags), NULL, NULL,
        execreport._rollout_size(enable_by_tenant_size.size), 'enable_by_tenant_size', enable_by_tenant_size.now);
END
$$;
COMMENT ON FUNCTION execreport.enable_by_tenant_size(text, text[], timestamptz) IS
'Turns flags on for tenants up to a size: small < medium < large. A tenant whose size is unknown is not reached; one that
is created or changes its size falls under the rule. Rows, flags and now as for enable_for_team(). Audited. For superusers.
Errors: 42501 for others; 42704 an unknown flag; 22004 NULL; 22023 another size; 55000 a smaller size than before, on hold, or
cooling down after a rollback.
Example: SELECT * FROM execreport.enable_by_tenant_size(''small'');';
