-- rollback: what guards and people turn off, and how it is turned on again.
--
-- A rollback engages kill switches, so it stands above overrides, rules and rollouts; it stays until a person resumes the flag
-- (the latch). Everything that belongs to one decision is in one transaction: verdicts, switches, latch, epoch of the
-- reports, audit row, notification, event. Whoever stores the verdict on all tenants together has the window; every other
-- caller finds it taken and does nothing.

CREATE FUNCTION execreport._enabled_in(tenant_id integer, flag text) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    IF _enabled_in.tenant_id > 0 THEN
        RETURN execreport.is_flag_enabled(_enabled_in.tenant_id, _enabled_in.flag);
    END IF;
    RETURN NOT EXISTS (SELECT FROM execreport.kill_switches AS k WHERE k.tenant_id = 0 AND k.flag = _enabled_in.flag)
           AND EXISTS (SELECT FROM execreport.tenants AS t WHERE execreport.is_flag_enabled(t.tenant_id, _enabled_in.flag));
EXCEPTION WHEN OTHERS THEN
    RETURN NULL;    -- a rollback does not depend on what was before
END
$$;
COMMENT ON FUNCTION execreport._enabled_in(integer, text) IS
'Is the flag on in the tenant; for 0: in any tenant? NULL when flags do not answer.';

CREATE FUNCTION execreport._engage(tenant_id integer, flags text[], reason text) RETURNS text[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    result text[];
BEGIN
    WITH engaged AS (
        INSERT INTO execreport.kill_switches (tenant_id, flag, reason)
        SELECT _engage.tenant_id, f.flag, _engage.reason FROM unnest(_engage.flags) AS f (flag) ORDER BY f.flag
        ON CONFLICT DO NOTHING
        RETURNING flag)
    SELECT coalesce(array_agg(e.flag ORDER BY array_position(_engage.flags, e.flag)), '{}') INTO result FROM engaged AS e;
    IF result <> '{}' THEN
        PERFORM execreport._announce_change('execreport.flags');
    END IF;
    RETURN result;
END
$$;
COMMENT ON FUNCTION execreport._engage(integer, text[], text) IS
'Engages the kill switches of these flags in a tenant, or everywhere (0), and returns those that were not engaged.';

CREATE FUNCTION execreport._latch(tenant_id integer, flags text[], guard text, reason text, cooldown interval, now timestamptz) RETURNS void
LANGUAGE sql VOLATILE
BEGIN ATOMIC
    INSERT INTO execreport.flag_latches (tenant_id, flag, guard, reason, rolled_back_at, cooldown)
    SELECT _latch.tenant_id, f.flag, _latch.guard, _latch.reason, _latch.now, _latch.cooldown FROM unnest(_latch.flags) AS f (flag) ORDER BY f.flag
    ON CONFLICT (tenant_id, flag) DO UPDATE
       SET guard = excluded.guard, reason = excluded.reason, rolled_back_at = excluded.rolled_back_at, cooldown = excluded.cooldown, resumed_at = NULL;
END;
COMMENT ON FUNCTION execreport._latch(integer, text[], text, text, interval, timestamptz) IS
'Notes a rollback of these flags.';

CREATE FUNCTION execreport._settle_latches(now timestamptz) RETURNS void
LANGUAGE sql VOLATILE
BEGIN ATOMIC
    UPDATE execreport.flag_latches AS l SET resumed_at = greatest(_settle_latches.now, l.rolled_back_at)
     WHERE l.resumed_at IS NULL
       AND NOT EXISTS (SELECT FROM execreport.kill_switches AS k WHERE k.tenant_id IN (0, l.tenant_id) AND k.flag = l.flag);
END;
COMMENT ON FUNCTION execreport._settle_latches(timestamptz) IS
'A kill switch that was released by hand ends the rollback, too.';

CREATE FUNCTION execreport._action_message(action text, tenant_id integer) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE action WHEN 'disable_exec_reports' THEN 'ExecReports disabled due to issues'
                   WHEN 'disable_master_reports' THEN 'MasterReports disabled due to performance issues'
                   WHEN 'disable_all_reports' THEN 'All reports features disabled due to critical issues'
                   ELSE 'Features disabled due to issues' END
       || CASE WHEN tenant_id > 0 THEN ' in tenant ' || tenant_id ELSE '' END;

CREATE FUNCTION execreport._roll_back(tenant_id integer, guard text, action text, flags text[], severity text, dry_run boolean,
    reason text, figures jsonb, since timestamptz, now timestamptz)
RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    log_tenant CONSTANT integer := CASE WHEN _roll_back.tenant_id > 0 THEN _roll_back.tenant_id ELSE execreport.current_tenant() END;
    message CONSTANT text := CASE WHEN _roll_back.dry_run THEN '[dry run] ' ELSE '' END
        || execreport._action_message(_roll_back.action, _roll_back.tenant_id) || ': ' || _roll_back.reason;
    previous CONSTANT jsonb := (SELECT jsonb_object_agg(f.flag, execreport._enabled_in(_roll_back.tenant_id, f.flag)) FROM unnest(_roll_back.flags) AS f (flag));
    after jsonb := previous;
    engaged text[];
    metadata jsonb;
BEGIN
    -- what is off everywhere needs no guard; a person who says so has it off here all the same
    engaged := ARRAY(SELECT f.flag FROM unnest(_roll_back.flags) WITH ORDINALITY AS f (flag, n)
                      WHERE NOT EXISTS (SELECT FROM execreport.kill_switches AS k
                                         WHERE k.tenant_id IN (0, _roll_back.tenant_id) AND k.flag = f.flag) ORDER BY f.n);
    IF NOT _roll_back.dry_run THEN
        engaged := execreport._engage(_roll_back.tenant_id, engaged, _roll_back.reason);
    END IF;
    IF engaged = '{}' THEN
        RETURN 'noop';
    END IF;
    IF NOT _roll_back.dry_run THEN
        PERFORM execreport._latch(_roll_back.tenant_id, _roll_back.flags, _roll_back.guard, _roll_back.reason,
                    coalesce((SELECT g.cooldown FROM execreport.guards AS g WHERE g.guard = _roll_back.guard), interval '30 minutes'), _roll_back.now),
                execreport._invalidate_reports(nullif(_roll_back.tenant_id, 0), _roll_back.since);
        SELECT jsonb_object_agg(f.flag, execreport._enabled_in(_roll_back.tenant_id, f.flag)) INTO after FROM unnest(_roll_back.flags) AS f (flag);
    END IF;
    metadata := _roll_back.figures || jsonb_build_object('action', _roll_back.action, 'severity', _roll_back.severity, 'flags', _roll_back.flags,
        'killSwitches', engaged, 'scope', CASE WHEN _roll_back.tenant_id > 0 THEN 'tenant' ELSE 'everywhere' END);
    PERFORM execreport._audit(log_tenant, 'rollback', 'feature_flag',
                CASE WHEN cardinality(_roll_back.flags) = 1 THEN _roll_back.flags[1] ELSE 'reports' END, previous, after, _roll_back.reason, metadata),
            execreport._notify(_roll_back.tenant_id, '#alerts', message, _roll_back.severity, metadata,
                format('rollback:%s:%s', _roll_back.guard, execreport._instant_text(_roll_back.since))),
            execreport._emit(_roll_back.tenant_id, 'flags', CASE WHEN _roll_back.dry_run THEN 'rollback_dry_run' ELSE 'rollback' END, _roll_back.guard,
                jsonb_build_object('flags', _roll_back.flags, 'action', _roll_back.action, 'severity', _roll_back.severity));
    RETURN CASE WHEN _roll_back.dry_run THEN 'dry_run' ELSE 'rollback' END;
END
$$;
COMMENT ON FUNCTION execreport._roll_back(integer, text, text, text[], text, boolean, text, jsonb, timestamptz, timestamptz) IS
'Carries out one decision: kill switches, latch, invalid reports, one audit row, one notification, one event. noop when all switches
were engaged already; a dry run writes and tells, and changes nothing.';

CREATE FUNCTION execreport.run_guards(now timestamptz DEFAULT now()) RETURNS SETOF execreport.guard_verdicts
LANGUAGE plpgsql VOLATILE SECURITY DEFINER ROWS 100 SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    moment CONSTANT timestamptz := coalesce(run_guards.now, now());
    judged execreport.guard_verdicts[];
    taken text[];
    fired integer[];
    turned_off text[] := '{}';     -- scope:flag of what this call did
    decision record;
    state text;
BEGIN
    IF NOT execreport._caller_is_superuser() THEN
        RAISE EXCEPTION 'only a superuser runs the guards' USING ERRCODE = '42501', DETAIL = 'Guards watch every tenant.',
              HINT = 'execreport.check_rollback_conditions() shows what they would do in your tenant.';
    END IF;
    PERFORM execreport._check_now(moment), execreport._settle_latches(moment);
    judged := ARRAY(SELECT v FROM execreport._judge_guards(moment) AS v);

    -- who stores the verdict on all tenants has the window
    WITH stored AS (
        INSERT INTO execreport.guard_verdicts
        SELECT v.* FROM unnest(judged) AS v WHERE v.tenant_id = 0 ORDER BY v.guard
        ON CONFLICT DO NOTHING
        RETURNING guard)
    SELECT coalesce(array_agg(s.guard), '{}') INTO taken FROM stored AS s;
    IF taken = '{}' THEN
        RETURN;
    END IF;
    judged := ARRAY(SELECT v FROM unnest(judged) AS v WHERE v.guard = ANY (taken));
    INSERT INTO execreport.guard_verdicts SELECT v.* FROM unnest(judged) AS v WHERE v.tenant_id > 0;
    fired := ARRAY(SELECT v.tenant_id FROM unnest(judged) AS v WHERE v.action IS NOT NULL);

    FOR decision IN SELECT d.*, d.window_start - (g.consecutive - 1) * g.window_length AS since
                      FROM execreport._decisions(judged) WITH ORDINALITY AS d (guard, tenant_id, window_start, action, flags, severity, dry_run, reason, figures, n)
                      JOIN execreport.guards AS g ON g.guard = d.guard ORDER BY d.n LOOP
        state := 'superseded';
        IF EXISTS (SELECT FROM unnest(decision.flags) AS f (flag)
                    WHERE NOT turned_off && ARRAY['0:' || f.flag, decision.tenant_id || ':' || f.flag]) THEN
            state := execreport._roll_back(decision.tenant_id, decision.guard, decision.action, decision.flags, decision.severity,
                         decision.dry_run, decision.reason, decision.figures, decision.since, moment);
        END IF;
        IF state = 'rollback' THEN
            turned_off := turned_off || ARRAY(SELECT decision.tenant_id || ':' || f.flag FROM unnest(decision.flags) AS f (flag));
        END IF;
        UPDATE execreport.guard_verdicts AS v SET action = decision.action, outcome = state
         WHERE v.tenant_id = decision.tenant_id AND v.guard = decision.guard AND v.window_start = decision.window_start;
        IF decision.tenant_id = 0 THEN  -- tenants whose guard fired, too: it is done for all
            UPDATE execreport.guard_verdicts AS v SET outcome = 'superseded'
             WHERE v.guard = decision.guard AND v.window_start = decision.window_start AND v.tenant_id = ANY (fired) AND v.outcome IS NULL AND v.action IS NOT NULL;
        END IF;
    END LOOP;
    PERFORM execreport._notify(0, '#alerts', format('Guard %s could not measure in %s windows in a row%s: %s', e.guard, e.error_limit,
                CASE WHEN e.everywhere THEN '' ELSE format(' in %s tenants', cardinality(e.tenants)) END, e.error), 'warning',
                jsonb_build_object('guard', e.guard, 'tenants', e.tenants[:100], 'error', e.error),
                format('guard-error:%s:%s', e.guard, execreport._instant_text(e.window_start)))
       FROM (SELECT v.guard, v.window_start, g.error_limit, bool_or(v.tenant_id = 0) AS everywhere, min(v.details ->> 'error') AS error,
                    array_remove(array_agg(v.tenant_id ORDER BY v.tenant_id), 0) AS tenants
               FROM unnest(judged) AS v JOIN execreport.guards AS g ON g.guard = v.guard
              WHERE v.verdict = 'error' AND v.errors = g.error_limit GROUP BY v.guard, v.window_start, g.error_limit) AS e;
    RETURN QUERY
        SELECT (CASE WHEN j.action IS NULL AND j.tenant_id > 0 THEN j
                     ELSE (SELECT v FROM execreport.guard_verdicts AS v
                            WHERE v.tenant_id = j.tenant_id AND v.guard = j.guard AND v.window_start = j.window_start) END).*
          FROM unnest(judged) AS j ORDER BY j.guard, j.tenant_id;
END
$$;
COMMENT ON FUNCTION execreport.run_guards(timestamptz) IS
'Judges the windows that are over, stores the verdicts, and does what they ask for: a rollback engages kill switches (for a tenant, or
everywhere when escalate_tenants of them breach at once), invalidates reusable reports of its scope, and writes one row of audit_logs
(action rollback), one notification (#alerts) and one event. Returns the verdicts of this call; no rows when all windows were
judged already. Call it every minute, from as many sessions as you like: each window is judged and acted on once, in one transaction.
A flag that was rolled back stays off until resume(). A guard that cannot measure never acts; after error_limit windows it says
so in #alerts.
now: the instant to judge from, any of the years 1 to 9999: a later one stands for what would happen then, and what it does stays. For
superusers.
Errors: 42501 for others; 22023 when now is not of the years 1 to 9999.
Example: SELECT guard, tenant_id, verdict, outcome FROM execreport.run_guards();';

CREATE FUNCTION execreport._expire_verdicts(now timestamptz, batch integer DEFAULT 1000) RETURNS bigint
LANGUAGE sql VOLATILE
BEGIN ATOMIC
    WITH old AS (
        SELECT v.tenant_id, v.guard, v.window_start
          FROM execreport.guard_verdicts AS v
         WHERE v.window_start < _expire_verdicts.now - interval '30 days'
           -- the last one of each scope is what its guard remembers
           AND EXISTS (SELECT FROM execreport.guard_verdicts AS later
                        WHERE later.tenant_id = v.tenant_id AND later.guard = v.guard AND later.window_start > v.window_start)
         LIMIT _expire_verdicts.batch
    ), gone AS (
        DELETE FROM execreport.guard_verdicts AS v USING old
         WHERE v.tenant_id = old.tenant_id AND v.guard = old.guard AND v.window_start = old.window_start
        RETURNING 1)
    SELECT count(*) FROM gone;
END;
COMMENT ON FUNCTION execreport._expire_verdicts(timestamptz, integer) IS
'Removes verdicts that are older than 30 days, at most a batch, and returns how many; call it again until it returns less.';

CREATE FUNCTION execreport._cooldown_until(flag text) RETURNS timestamptz
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT max(CASE WHEN l.resumed_at IS NOT NULL THEN l.resumed_at + l.cooldown
                    WHEN l.tenant_id > 0 THEN l.rolled_back_at + l.cooldown
                    WHEN EXISTS (SELECT FROM execreport.kill_switches AS k WHERE k.tenant_id = 0 AND k.flag = l.flag) THEN 'infinity'
                    ELSE l.rolled_back_at + l.cooldown END)
      FROM execreport.flag_latches AS l WHERE l.flag = _cooldown_until.flag;
END;
COMMENT ON FUNCTION execreport._cooldown_until(text) IS
'Until when no rollout of the flag may go on: infinity while it is rolled back everywhere, else the cooldown after the last rollback in
a tenant, or after the last end of one. NULL when there was none; an instant in the past forbids nothing.';

CREATE FUNCTION execreport._target_flags(target text) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    result CONSTANT text[] := CASE target
        WHEN 'exec-reports' THEN '{execReportsEnabled}'::text[]
        WHEN 'master-reports' THEN '{masterReportsEnabled}'
        WHEN 'reports-api' THEN '{reportsApiEnabled}'
        WHEN 'reports-ui' THEN '{reportsUiEnabled}'
        WHEN 'all' THEN '{execReportsEnabled,masterReportsEnabled,reportsApiEnabled,reportsUiEnabled,consolidationEnabled,councilSynthesisEnabled}' END;
BEGIN
    IF result IS NULL THEN
        RAISE EXCEPTION 'unknown target %', coalesce('"' || left(target, 64) || '"', 'null')
            USING ERRCODE = '22023', DETAIL = 'A target is exec-reports, master-reports, reports-api, reports-ui or all.',
                  HINT = 'all turns off all six flags. execreport.set_kill_switch() does it for any other flag.';
    END IF;
    RETURN result;
END
$$;
COMMENT ON FUNCTION execreport._target_flags(text) IS
'The flags of a target of emergency_rollback().';

CREATE FUNCTION execreport._scope_tenants(scope integer[]) RETURNS integer[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    tenant integer;
BEGIN
    IF scope IS NULL THEN
        IF NOT execreport._caller_is_superuser() THEN
            RAISE EXCEPTION 'only a superuser turns features off for every tenant'
                USING ERRCODE = '42501', HINT = format('Name your tenant: scope => ARRAY[%s].', execreport.current_tenant());
        END IF;
        RETURN '{0}';
    ELSIF cardinality(scope) = 0 OR num_nulls(VARIADIC scope) > 0 THEN
        RAISE EXCEPTION 'scope is %', left(scope::text, 64)
            USING ERRCODE = '22023', DETAIL = 'A scope is a list of tenants, at least one, or null for every tenant.';
    ELSIF 0 = ANY (scope) THEN      -- as tables write every tenant
        RAISE EXCEPTION 'tenant 0 does not exist' USING ERRCODE = '42704', HINT = 'Leave the tenant out for every tenant.';
    END IF;
    FOREACH tenant IN ARRAY scope LOOP
        PERFORM execreport._require_flag_writer(tenant);
    END LOOP;
    RETURN ARRAY(SELECT DISTINCT s.tenant FROM unnest(scope) AS s (tenant) ORDER BY 1);
END
$$;
COMMENT ON FUNCTION execreport._scope_tenants(integer[]) IS
'The tenants of a scope, each once; 0 for all of them. An error unless the caller may change flags there.';

CREATE FUNCTION execreport.emergency_rollback(target text, scope integer[] DEFAULT NULL, reason text DEFAULT NULL)
RETURNS TABLE (tenant_id integer, flag text, previous_value boolean, new_value boolean, changed boolean)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER ROWS 6 SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' AS $$
#variable_conflict use_column
DECLARE
    flags CONSTANT text[] := execreport._target_flags(emergency_rollback.target);
    tenants integer[];
    tenant integer;
    log_tenant integer;
    before jsonb;
    after jsonb;
    engaged text[];
    metadata jsonb;
BEGIN
    PERFORM execreport._check_reason(emergency_rollback.reason, 'A rollback is audited: say why.');
    tenants := execreport._scope_tenants(emergency_rollback.scope);
    FOREACH tenant IN ARRAY tenants LOOP
        SELECT jsonb_object_agg(f.flag, execreport._enabled_in(tenant, f.flag)) INTO before FROM unnest(flags) AS f (flag);
        engaged := execreport._engage(tenant, flags, emergency_rollback.reason);
        SELECT jsonb_object_agg(f.flag, execreport._enabled_in(tenant, f.flag)) INTO after FROM unnest(flags) AS f (flag);
        IF engaged <> '{}' THEN
            log_tenant := CASE tenant WHEN 0 THEN execreport.current_tenant() ELSE tenant END;
            metadata := jsonb_build_object('trigger', 'manual', 'target', emergency_rollback.target, 'flags', flags, 'killSwitches', engaged,
                'scope', CASE tenant WHEN 0 THEN 'everywhere' ELSE 'tenant' END);
            PERFORM execreport._audit(log_tenant, 'rollback', 'feature_flag', CASE WHEN cardinality(flags) = 1 THEN flags[1] ELSE 'reports' END,
                before, after, emergency_rollback.reason, metadata);
            BEGIN   -- off is off, whether or not it can be told and noted
                PERFORM execreport._latch(tenant, flags, 'manual', emergency_rollback.reason,
                            coalesce((SELECT g.cooldown FROM execreport.guards AS g WHERE g.guard = 'manual'), interval '30 minutes'), now()),
                        execreport._invalidate_reports(nullif(tenant, 0), now());
            EXCEPTION WHEN OTHERS THEN
                RAISE WARNING 'the rollback is done, but not noted for guards: %', SQLERRM;
            END;
            BEGIN
                PERFORM execreport._notify(tenant, '#alerts', format('Emergency rollback: %s%s: %s', emergency_rollback.target,
                            CASE WHEN tenant > 0 THEN ' in tenant ' || tenant ELSE '' END, emergency_rollback.reason), 'critical', metadata),
                        execreport._emit(tenant, 'flags', 'rollback', 'manual', jsonb_build_object('flags', flags, 'severity', 'critical'));
            EXCEPTION WHEN OTHERS THEN
                RAISE WARNING 'the rollback is done, but nobody is notified: %', SQLERRM;
            END;
        END IF;
        RETURN QUERY SELECT nullif(tenant, 0), f.flag, (before -> f.flag)::text::boolean, (after -> f.flag)::text::boolean, f.flag = ANY (engaged)
                       FROM unnest(flags) WITH ORDINALITY AS f (flag, n) ORDER BY f.n;
    END LOOP;
END
$$;
COMMENT ON FUNCTION execreport.emergency_rollback(text, integer[], text) IS
'Turns features off at once, by kill switch, and returns what that changed: one row for each tenant (NULL: every tenant) and flag, on or
off before and after (everywhere: on in any tenant; NULL when flags do not answer), and whether its kill switch was engaged now.
target: exec-reports, master-reports, reports-api, reports-ui, or all (all six flags). scope: a list of tenants, for their operators, or
NULL for every tenant, for superusers. reason: has to be given. It evaluates nothing and needs neither guards, metrics nor notifications to work; it waits at most
2 s for a lock. One row of audit_logs (action rollback), one notification and one event for each tenant; reusable reports are invalid
from now on. resume() ends it.
Errors: 22023 an unknown target, an empty scope or reason; 22004 a NULL reason; 42704 an unknown tenant; 42501; 55P03 when a lock is held.
Example: SELECT * FROM execreport.emergency_rollback(''all'', NULL, ''wrong numbers in every report'');';

CREATE FUNCTION execreport.resume(flag text, reason text, tenant_id integer DEFAULT NULL, now timestamptz DEFAULT now()) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    scope integer;
    log_tenant integer;
    switch execreport.kill_switches;
    before boolean;
BEGIN
    PERFORM execreport._check_flag(resume.flag);
    PERFORM execreport._check_reason(resume.reason, 'Ending a rollback is audited: say why.'),
            execreport._check_present(coalesce(resume.now, now()));
    IF resume.tenant_id IS NULL AND NOT execreport._caller_is_superuser() THEN
        RAISE EXCEPTION 'only a superuser ends the rollback for every tenant'
            USING ERRCODE = '42501', HINT = format('Name your tenant: tenant_id => %s.', execreport.current_tenant());
    END IF;
    scope := (execreport._scope_tenants(CASE WHEN resume.tenant_id IS NOT NULL THEN ARRAY[resume.tenant_id] END))[1];
    log_tenant := CASE scope WHEN 0 THEN execreport.current_tenant() ELSE scope END;
    before := execreport._enabled_in(scope, resume.flag);
    DELETE FROM execreport.kill_switches AS k WHERE k.tenant_id = scope AND k.flag = resume.flag RETURNING * INTO switch;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM execreport._announce_change('execreport.flags');
    UPDATE execreport.flag_latches AS l SET resumed_at = greatest(coalesce(resume.now, now()), l.rolled_back_at)
     WHERE l.tenant_id = scope AND l.flag = resume.flag AND l.resumed_at IS NULL;
    PERFORM execreport._audit(log_tenant, 'resume', 'feature_flag', resume.flag, jsonb_build_object(resume.flag, before),
                jsonb_build_object(resume.flag, execreport._enabled_in(scope, resume.flag)), resume.reason,
                jsonb_build_object('scope', CASE scope WHEN 0 THEN 'everywhere' ELSE 'tenant' END, 'rolledBackFor', switch.reason,
                                   'engagedBy', switch.engaged_by, 'engagedAt', execreport._instant_text(switch.engaged_at))),
            execreport._notify(scope, '#alerts', format('%s resumed%s: %s', resume.flag, CASE WHEN scope > 0 THEN ' in tenant ' || scope ELSE '' END,
                resume.reason), 'info'),
            execreport._emit(scope, 'flags', 'resumed', resume.flag);
    RETURN true;
END
$$;
COMMENT ON FUNCTION execreport.resume(text, text, integer, timestamptz) IS
'Ends a rollback: releases the kill switch of a flag, for a tenant or (tenant_id NULL) the one for every tenant, so overrides and
rollouts decide again. Returns false when no switch was engaged there. Guards begin anew: windows that began before now do not
count. No rollout of the flag goes on for the guard''s cooldown (30 minutes). One row of audit_logs (action resume), one notification
and one event. For operators of the tenant; everywhere for superusers.
now: the instant that counts as the present; for all but superusers at most a day after the clock.
Errors: 42704 an unknown flag or tenant; 22004, 22023 no reason; 22023 another now; 42501.
Example: SELECT execreport.resume(''execReportsEnabled'', ''fixed in release 42'');';
