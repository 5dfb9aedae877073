-- rollout_status: where the rollouts stand, for operators, and what a tenant has and why, for support.

CREATE FUNCTION execreport._flag_figures(flag text, since timestamptz, until timestamptz, OUT error_rate double precision, OUT p95 double precision)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    kind text := CASE flag WHEN 'execReportsEnabled' THEN 'exec' WHEN 'masterReportsEnabled' THEN 'master' END;
BEGIN
    IF kind IS NULL THEN
        RETURN;
    END IF;
    error_rate := execreport._metric_delta(NULL, kind || '_reports_created_total', '{"success": "false"}', since, until)
                  / nullif(execreport._metric_delta(NULL, kind || '_reports_created_total', '{}', since, until), 0);
    p95 := execreport.metric_quantile('report_generation_duration_seconds', 0.95, greatest(until - since, interval '1 minute'),
                                      jsonb_build_object('type', kind), until);
END
$$;
COMMENT ON FUNCTION execreport._flag_figures(text, timestamptz, timestamptz) IS
'Share of failures and p95 in seconds of what a flag guards, all tenants together; NULL when nothing was measured or the flag guards
nothing that is.';

CREATE FUNCTION execreport.rollout_status(now timestamptz DEFAULT now())
RETURNS TABLE (rollout text, flag text, phase text, status text, since timestamptz, reaches text, percentage numeric, tenants text,
               share numeric, error_rate double precision, p95 double precision, last_decision text, last_decision_at timestamptz,
               last_verdict text, next_phase text, next_at timestamptz, waits_for text)
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 10 SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    IF NOT execreport._caller_is_superuser() THEN
        RAISE EXCEPTION 'only a superuser reads the status of rollouts'
            USING ERRCODE = '42501', DETAIL = 'It counts every tenant.', HINT = 'execreport.feature_availability() shows what one tenant has, and why.';
    END IF;
    PERFORM execreport._check_now(rollout_status.now);
    RETURN QUERY
    SELECT r.rollout, f.key, s.phase, coalesce(r.status, 'by hand'), r.stage_since,
           execreport._rollout_reach(f.users, f.percentage, f.max_size), f.percentage, t.reached || ' of ' || t.of,
           round(100.0 * t.reached / nullif(t.of, 0), 1), m.error_rate, m.p95,
           CASE WHEN r.status = 'held' THEN 'hold' ELSE d.decision END
               || coalesce(': ' || CASE WHEN r.status IN ('held', 'aborted') THEN r.reason ELSE d.reason END, ''),
           CASE WHEN r.status = 'held' THEN r.changed_at ELSE d.decided_at END,
           v.said, n.phase,
           CASE WHEN n.phase IS NOT NULL AND r.status = 'running'
                THEN nullif(greatest(r.watched_since + s.minimum_hold,
                                     (SELECT max(execreport._cooldown_until(c)) FROM unnest(r.flags) AS c)), 'infinity') END,
           CASE WHEN r.status IN ('running', 'held') THEN o.what END
      FROM (SELECT coalesce(l.flag, x.flag) AS key, x.rollout, coalesce(l.users, '{}') AS users, coalesce(l.percentage, 0) AS percentage,
                   l.max_size, coalesce(l.group_id, x.rollout) AS group_id
              FROM execreport.flag_rollouts AS l
              FULL JOIN (SELECT DISTINCT ON (u.flag) u.flag, y.rollout
                           FROM execreport.rollouts AS y, unnest(y.flags) AS u (flag)
                          ORDER BY u.flag, y.status IN ('running', 'held') DESC, y.started_at DESC, y.rollout) AS x ON x.flag = l.flag
             WHERE x.rollout IS NOT NULL OR l.users <> '{}' OR l.percentage > 0 OR l.max_size IS NOT NULL) AS f
      LEFT JOIN execreport.rollouts AS r ON r.rollout = f.rollout
      LEFT JOIN execreport.rollout_stages AS s ON s.rollout = r.rollout AND s.stage = r.stage
      LEFT JOIN execreport.rollout_stages AS n ON n.rollout = r.rollout AND n.stage = r.stage + 1 AND r.status IN ('running', 'held')
      LEFT JOIN LATERAL (SELECT y.decision, y.reason, y.decided_at FROM execreport.rollout_decisions AS y
                          WHERE y.flag = f.key ORDER BY y.decision_id DESC LIMIT 1) AS d ON true
      LEFT JOIN LATERAL (SELECT format('%s: %s, window of %s', j.guard, j.verdict, execreport._second(j.window_start)) AS said
                           FROM execreport.guard_verdicts AS j JOIN execreport.guards AS g ON g.guard = j.guard
                          WHERE f.key = ANY (g.flags)
                            AND j.window_start BETWEEN rollout_status.now - interval '1 day' AND rollout_status.now
                          ORDER BY j.window_start DESC, j.tenant_id, j.guard LIMIT 1) AS v ON true
      CROSS JOIN LATERAL execreport._rollout_tenants(f.group_id, f.percentage, f.max_size) AS t
      CROSS JOIN LATERAL execreport._flag_figures(f.key, greatest(r.stage_since, rollout_status.now - interval '1 hour'), rollout_status.now) AS m
      LEFT JOIN LATERAL execreport._rollout_obstacle(r, rollout_status.now) AS o ON r.rollout IS NOT NULL
     ORDER BY r.rollout NULLS LAST, f.key;
END
$$;
COMMENT ON FUNCTION execreport.rollout_status(timestamptz) IS
'Where the rollouts stand: one row for each flag that is or was in one, or was enabled with the enable functions (rollout NULL, status
"by hand"). since: when the phase began. reaches: the flag''s rule in words; tenants: how many of those there are it reaches; share: the
same in percent. error_rate (0 to 1) and p95 (seconds): of the reports that the flag guards, since the phase began, at most an hour back;
NULL when unknown. last_verdict: what a guard of the flag said last, within a day. next_at: when the next phase may begin at the
earliest, NULL when that is not known; waits_for: what is in its way now, NULL when nothing is. now: the instant that counts
as the present. For superusers.
Errors: 42501 for others; 22023 when now is NULL or not of the years 1 to 9999.
Example: SELECT flag, phase, status, reaches, tenants, error_rate, p95, next_phase, next_at, waits_for FROM execreport.rollout_status();';

-- Since when the rule has reached a tenant: the first decision after the last abort that reached it.
CREATE FUNCTION execreport._reached_since(flag text, bucket integer, size_rank integer) RETURNS timestamptz
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT pg_catalog.min(d.decided_at)
      FROM execreport.rollout_decisions AS d
     WHERE d.flag = _reached_since.flag
       AND (_reached_since.bucket <= d.percentage OR _reached_since.size_rank BETWEEN 1 AND execreport._size_rank(d.max_size))
       AND NOT EXISTS (SELECT FROM execreport.rollout_decisions AS a
                        WHERE a.flag = d.flag AND a.decision = 'abort' AND a.decision_id > d.decision_id);
END;

CREATE FUNCTION execreport.feature_availability(tenant integer)
RETURNS TABLE (flag text, available boolean, why text, since timestamptz, percentage numeric, bucket integer)
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 10 SET search_path = pg_catalog, pg_temp SET execreport.context = '' AS $$
#variable_conflict use_column
DECLARE
    asked integer := feature_availability.tenant;
    size text;
    created timestamptz;
BEGIN
    PERFORM execreport._require_tenant(asked, 'viewer');
    SELECT t.size, t.created_at INTO size, created FROM execreport._tenants AS t WHERE t.tenant_id = asked;
    IF NOT FOUND AND asked <> 1 THEN
        RAISE EXCEPTION 'tenant % does not exist', asked
            USING ERRCODE = '42704', HINT = format('Create it with execreport.create_tenant(%s).', asked);
    END IF;
    RETURN QUERY
    SELECT f.key, f.on, w.why, w.since, nullif(r.percentage, 0), f.bucket
      FROM (SELECT x.key, execreport.is_flag_enabled(asked, x.key) AS on,
                   execreport.flag_bucket(coalesce(y.group_id, 'reports'), asked::text) AS bucket
              FROM execreport.flags AS x
              LEFT JOIN execreport.flag_rollouts AS y ON y.flag = x.key
             WHERE NOT EXISTS (SELECT FROM execreport.flag_definitions AS z WHERE z.key = x.key AND z.archived_at IS NOT NULL)) AS f
      LEFT JOIN execreport.flag_rollouts AS r ON r.flag = f.key
      LEFT JOIN execreport.flag_definitions AS d ON d.key = f.key
      LEFT JOIN execreport.kill_switches AS k ON k.flag = f.key
            AND k.tenant_id = (SELECT min(l.tenant_id) FROM execreport.kill_switches AS l WHERE l.flag = f.key AND l.tenant_id IN (0, asked))
      LEFT JOIN execreport.flag_overrides AS o ON o.tenant_id = asked AND o.user_id = '' AND o.flag = f.key
      LEFT JOIN LATERAL (SELECT btrim(split_part(s, '=', 2)) AS value
                           FROM regexp_split_to_table(execreport._setting('feature_flags'), ',') AS s
                          WHERE btrim(split_part(s, '=', 1)) = f.key LIMIT 1) AS s ON true
      CROSS JOIN LATERAL (SELECT v.metadata AS said
                            FROM execreport.evaluate_flag(f.key, 'false', jsonb_build_object('tenantId', asked)) AS v) AS e
      CROSS JOIN LATERAL (SELECT
            CASE WHEN k.flag IS NOT NULL THEN format('kill switch %s%s', CASE k.tenant_id WHEN 0 THEN 'for every tenant' ELSE 'of this tenant' END,
                                                     coalesce(': ' || k.reason, ''))
                 WHEN e.said ? 'prerequisite' THEN format('depends on %s, which does not hold', e.said ->> 'prerequisite')
                 WHEN o.enabled = f.on THEN 'set for this tenant'
                 WHEN f.on AND e.said ? 'rule' THEN format('rules[%s] of its definition', e.said ->> 'rule')
                 WHEN f.on AND e.said ->> 'rollout' = 'percentage'
                 THEN format('rolled out to %s %% of the tenants, this one among them', r.percentage)
                 WHEN f.on AND e.said ? 'rollout' THEN format('rolled out to %s', execreport._rollout_reach('{}', 0, r.max_size))
                 WHEN s.value = f.on::text THEN 'setting execreport.feature_flags'
                 WHEN f.on THEN 'on by default'
                 WHEN r.percentage > 0 OR r.max_size IS NOT NULL OR cardinality(r.users) > 0
                 THEN format('not yet: rolled out to %s', execreport._rollout_reach(r.users, r.percentage, r.max_size))
                 WHEN jsonb_array_length(d.document -> 'rules') > 0 THEN 'no rule of its definition holds for the whole tenant'
                 ELSE 'off by default' END AS why,
            CASE WHEN k.flag IS NOT NULL THEN k.engaged_at
                 WHEN e.said ? 'prerequisite' THEN NULL
                 WHEN o.enabled = f.on THEN o.changed_at
                 WHEN f.on AND e.said ? 'rollout'
                 THEN greatest(execreport._reached_since(f.key, f.bucket, execreport._size_rank(size)), created) END AS since) AS w
     ORDER BY f.key;
END
$$;
COMMENT ON FUNCTION execreport.feature_availability(integer) IS
'Which features a tenant has, for those who answer its questions: one row a flag that is not archived. available: as
is_flag_enabled() says; why: what decided, in words; since: when that came to be, NULL when unknown. percentage: of the tenants that the flag is rolled out to, NULL when it is not; bucket
(1 to 100): this tenant is among them from that percentage on. Users may have overrides of their own. For superusers and everybody who
works for the tenant.
Errors: 42501 for others; 42704 no such tenant.
Example: SELECT flag, available, why, since FROM execreport.feature_availability(1);';
