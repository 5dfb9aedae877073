-- guards: rules that watch the metrics and say when a feature has to be turned off.
--
-- Time is cut into aligned windows that do not overlap; a window is judged once, when it is over. One verdict stands for
-- each guard, scope (a tenant, or all of them: 0) and window, and carries the state of the guard after it, so the
-- verdict before is all that a guard has to remember. This part only judges; rollback acts.

CREATE TABLE execreport._guards (
    guard             text COLLATE "C" NOT NULL PRIMARY KEY CHECK (guard <> ''),
    kind              text NOT NULL CHECK (kind IN ('error_rate', 'performance', 'health_check', 'manual')),
    action            text NOT NULL,
    flags             text[] NOT NULL CHECK (cardinality(flags) > 0),
    severity          text NOT NULL CHECK (severity IN ('medium', 'high', 'critical')),
    scope             text NOT NULL CHECK (scope IN ('tenant', 'everywhere')),
    family            text,
    labels            jsonb NOT NULL,
    failure_labels    jsonb NOT NULL,
    components        text[] NOT NULL,
    threshold         double precision,
    recover_threshold double precision,
    quantile          double precision,
    margin            double precision,
    window_length     interval NOT NULL,
    min_samples       integer NOT NULL,
    confidence        double precision NOT NULL,
    consecutive       integer NOT NULL,
    error_limit       integer NOT NULL,
    cooldown          interval NOT NULL,
    escalate_tenants  integer,
    enabled           boolean NOT NULL,
    dry_run           boolean NOT NULL,
    changed_by        text NOT NULL,
    changed_at        timestamptz NOT NULL
);
COMMENT ON TABLE execreport._guards IS
'Guards that define_guard() stored: own ones, and installed ones that were changed. Read the view guards.';

CREATE FUNCTION execreport._guard_defaults(guard text, kind text) RETURNS execreport._guards
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT g.guard, g.kind, 'disable_flags', '{}'::text[], CASE g.kind WHEN 'error_rate' THEN 'high' WHEN 'performance' THEN 'medium' ELSE 'critical' END,
           CASE WHEN g.kind IN ('error_rate', 'performance') THEN 'tenant' ELSE 'everywhere' END,
           CASE g.kind WHEN 'error_rate' THEN 'exec_reports_created_total' WHEN 'performance' THEN 'report_generation_duration_seconds' END,
           '{}'::jsonb, CASE g.kind WHEN 'error_rate' THEN '{"success": "false"}' ELSE '{}' END::jsonb,
           CASE g.kind WHEN 'health_check' THEN '{exec_reports,master_reports}' ELSE '{}' END::text[],
           CASE g.kind WHEN 'error_rate' THEN 0.1 WHEN 'performance' THEN 15 END, NULL::double precision,
           CASE g.kind WHEN 'performance' THEN 0.95 END, NULL::double precision,
           CASE g.kind WHEN 'health_check' THEN interval '1 minute' ELSE interval '5 minutes' END,
           CASE g.kind WHEN 'health_check' THEN 1 ELSE 20 END, 0.95::double precision,
           CASE g.kind WHEN 'health_check' THEN 3 ELSE 2 END, 4, interval '30 minutes',
           CASE WHEN g.kind IN ('error_rate', 'performance') THEN 3 END, true, false, ''::text, '-infinity'::timestamptz
      FROM (SELECT _guard_defaults.guard, _guard_defaults.kind) AS g;
END;
COMMENT ON FUNCTION execreport._guard_defaults(text, text) IS
'What holds for a guard of that kind when its definition does not say otherwise.';

CREATE FUNCTION execreport._action_flags(action text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE action WHEN 'disable_exec_reports' THEN '{execReportsEnabled}'::text[]
                   WHEN 'disable_master_reports' THEN '{masterReportsEnabled}'::text[]
                   WHEN 'disable_all_reports' THEN '{execReportsEnabled,masterReportsEnabled,reportsApiEnabled}'::text[] END;
COMMENT ON FUNCTION execreport._action_flags(text) IS
'The flags that an action by this name turns off; NULL for disable_flags, whose guard names them.';

CREATE FUNCTION execreport._installed_guards() RETURNS SETOF execreport._guards
LANGUAGE sql STABLE ROWS 4
BEGIN ATOMIC
    SELECT d.guard, d.kind, i.action, execreport._action_flags(i.action), i.severity, d.scope, d.family, i.labels, d.failure_labels,
           d.components, d.threshold, d.threshold * 4 / 5, d.quantile, d.margin, d.window_length, d.min_samples, d.confidence,
           -- what is critical does not wait for a second look
           CASE WHEN d.kind = 'health_check' THEN 1 ELSE d.consecutive END,
           d.error_limit, d.cooldown, d.escalate_tenants, d.enabled, d.dry_run, d.changed_by, d.changed_at
      FROM (VALUES ('error_rate', 'disable_exec_reports', 'high', '{}'::jsonb),
                   ('performance', 'disable_master_reports', 'medium', '{"type": "master"}'),
                   ('health_check', 'disable_all_reports', 'critical', '{}'),
                   ('manual', 'disable_all_reports', 'critical', '{}')) AS i (guard, action, severity, labels),
           LATERAL execreport._guard_defaults(i.guard, i.guard) AS d;
END;
COMMENT ON FUNCTION execreport._installed_guards() IS
'The guards that come with the extension.';

CREATE VIEW execreport.guards WITH (security_barrier) AS
SELECT g.* FROM execreport._guards AS g
UNION ALL
SELECT i.* FROM execreport._installed_guards() AS i
 WHERE NOT EXISTS (SELECT FROM execreport._guards AS g WHERE g.guard = i.guard);
COMMENT ON VIEW execreport.guards IS
'The guards: what each measures (kind, family, labels, failure_labels, components), when it breaches (threshold: a share of failures,
or seconds for quantile; margin: it compares those who have the flags with those who have not; window_length, min_samples, confidence,
consecutive), when it is armed again (recover_threshold), what it
does then (action, flags, severity, scope, escalate_tenants, cooldown), and whether it may (enabled, dry_run). The four installed ones
are there from the start; define_guard() changes them and adds others. kind manual stands for people: emergency_rollback().';

CREATE TABLE execreport.guard_verdicts (
    tenant_id    integer NOT NULL DEFAULT execreport.current_tenant() CHECK (tenant_id >= 0),
    guard        text COLLATE "C" NOT NULL,
    window_start timestamptz NOT NULL,
    verdict      text NOT NULL CHECK (verdict IN ('ok', 'breach', 'insufficient', 'error', 'discarded')),
    samples      bigint,
    failures     bigint,
    bound        double precision,
    p95          double precision,
    armed        boolean NOT NULL,
    breaches     integer NOT NULL,
    oks          integer NOT NULL,
    errors       integer NOT NULL,
    action       text,
    outcome      text CHECK (outcome IN ('rollback', 'noop', 'superseded', 'dry_run')),
    details      jsonb NOT NULL DEFAULT '{}',
    judged_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, guard, window_start)
);
CREATE INDEX guard_verdicts_window_idx ON execreport.guard_verdicts (window_start);
COMMENT ON TABLE execreport.guard_verdicts IS
'What run_guards() found in each window: one row for each guard and tenant, and one for all tenants together (tenant_id 0, for
superusers). verdict: ok, breach, insufficient (too few samples), error (it could not be measured), discarded (the window began
before a rollback or its end; with a margin also: before the last change of who has the flags). failures: failed, or slower than the
threshold; bound: what is compared, the lower bound of their share, or with a margin of how much it exceeds that of the others, who
stand in details; p95 in seconds. armed, breaches, oks, errors: the guard after this window. action: what it had to do; outcome: whether it
did (rollback), all was off already (noop), a wider action did it (superseded), or it is only trying (dry_run).';

CALL execreport._hold('execreport._guards', 'everyone');
CALL execreport._hold('execreport.guard_verdicts');

-- the machine: figures in, a verdict and the next state out

CREATE FUNCTION execreport.wilson_lower_bound(k bigint, n bigint, confidence double precision DEFAULT 0.95) RETURNS double precision
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'er_wilson_lower_bound';
COMMENT ON FUNCTION execreport.wilson_lower_bound(bigint, bigint, double precision) IS
'k of n samples failed: the share that is exceeded with this confidence, one-sided; 0 to 1, below k / n. confidence: 0.5 to less
than 1; 0 gives k / n itself. NULL without samples. Formula: Wilson (1927), score interval without continuity correction.
Errors: 22023 when k is not 0 to n, n is negative, or confidence out of range.
Example: SELECT execreport.wilson_lower_bound(9, 30);  -- 0.1837: 30 % failed, surely more than 18 %';

CREATE FUNCTION execreport.difference_lower_bound(k bigint, n bigint, base_k bigint, base_n bigint, confidence double precision DEFAULT 0.95)
RETURNS double precision
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'er_difference_lower_bound';
COMMENT ON FUNCTION execreport.difference_lower_bound(bigint, bigint, bigint, bigint, double precision) IS
'k of n samples failed here and base_k of base_n elsewhere: by how much this share exceeds that one with this confidence, one-sided;
at most k / n - base_k / base_n, below 0 when chance can explain it. confidence: 0.5 to less than 1; 0 gives that difference itself. NULL without samples on either
side. Formula: two-proportion z-test with the pooled share; the bound is above a margin exactly when the test rejects that the
difference is no more than the margin.
Errors: 22023 when k is not 0 to n, n is negative (base_k and base_n alike), or confidence out of range.
Example: SELECT execreport.difference_lower_bound(18, 60, 30, 600);  -- 0.1923: 30 % beside 5 %, surely more than 19 points';

CREATE FUNCTION execreport._guard_verdict(k bigint, n bigint, threshold double precision, confidence double precision, min_samples integer)
RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN k IS NULL OR n IS NULL THEN 'error'
            WHEN n < greatest(min_samples, 1) THEN 'insufficient'
            WHEN execreport.wilson_lower_bound(k, n, confidence) > threshold THEN 'breach'
            ELSE 'ok' END;
COMMENT ON FUNCTION execreport._guard_verdict(bigint, bigint, double precision, double precision, integer) IS
'What k failures among n samples mean; NULL counts could not be measured.';

CREATE FUNCTION execreport._guard_step(armed boolean, breaches integer, oks integer, errors integer, verdict text, recovered boolean,
    consecutive integer)
RETURNS TABLE (next_armed boolean, next_breaches integer, next_oks integer, next_errors integer, fires boolean)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 1
BEGIN ATOMIC
    -- only breach and ok move the counters; windows without data say nothing
    SELECT CASE WHEN s.fires THEN false WHEN s.oks >= _guard_step.consecutive THEN true ELSE _guard_step.armed END,
           s.breaches,
           CASE WHEN s.oks >= _guard_step.consecutive THEN 0 ELSE s.oks END,
           s.errors, s.fires
      FROM (SELECT c.*, _guard_step.verdict = 'breach' AND _guard_step.armed AND c.breaches >= _guard_step.consecutive AS fires
              FROM (SELECT CASE _guard_step.verdict WHEN 'breach' THEN _guard_step.breaches + 1 WHEN 'ok' THEN 0
                                ELSE _guard_step.breaches END AS breaches,
                           CASE _guard_step.verdict WHEN 'breach' THEN 0
                                WHEN 'ok' THEN CASE WHEN NOT _guard_step.armed AND _guard_step.recovered THEN _guard_step.oks + 1 ELSE 0 END
                                ELSE _guard_step.oks END AS oks,
                           CASE _guard_step.verdict WHEN 'error' THEN _guard_step.errors + 1 ELSE 0 END AS errors) AS c) AS s;
END;
COMMENT ON FUNCTION execreport._guard_step(boolean, integer, integer, integer, text, boolean, integer) IS
'The state of a guard after a window. It fires at the consecutive-th breach in a row; then it is not armed until as many ok windows
in a row have recovered.';

CREATE FUNCTION execreport._bucket_quantile(q double precision, bounds double precision[], counts bigint[]) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
    -- as Prometheus does: linear within the bucket, the lowest begins at 0, the last finite bound for what lies above it
    SELECT CASE WHEN h.upper = 'Infinity' THEN (SELECT max(f.bound) FROM unnest(_bucket_quantile.bounds) AS f (bound) WHERE f.bound < 'Infinity')
                WHEN h.upper <= 0 THEN h.upper
                ELSE h.lower + (h.upper - h.lower) * (h.rank - h.below) / nullif(h.within - h.below, 0) END
      FROM (SELECT b.bound AS upper, coalesce(lag(b.bound) OVER w, 0) AS lower, b.total AS within, coalesce(lag(b.total) OVER w, 0) AS below,
                   _bucket_quantile.q * max(b.total) OVER () AS rank, max(b.total) OVER () AS n
              FROM unnest(_bucket_quantile.bounds, _bucket_quantile.counts) AS b (bound, total)
            WINDOW w AS (ORDER BY b.bound)) AS h
     WHERE h.n > 0 AND h.within >= h.rank
     ORDER BY h.upper LIMIT 1;
END;
COMMENT ON FUNCTION execreport._bucket_quantile(double precision, double precision[], bigint[]) IS
'The quantile of a histogram given by its upper bounds (the last is Infinity) and cumulative counts, in the way of Prometheus''s
histogram_quantile(); NULL without samples.';

-- measuring and judging

CREATE FUNCTION execreport._measured_tenants(g execreport._guards, own integer, since timestamptz, until timestamptz) RETURNS SETOF integer
LANGUAGE plpgsql VOLATILE ROWS 100 SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF own IS NOT NULL THEN     -- who asks for one tenant may not read the others
        RETURN NEXT own;
        RETURN;
    END IF;
    RETURN NEXT 0;
    IF g.scope = 'tenant' THEN
        RETURN QUERY SELECT m.tenant_id FROM execreport._metric_tenants(g.family, since, until) AS m (tenant_id) WHERE m.tenant_id > 0;
    END IF;
END
$$;
COMMENT ON FUNCTION execreport._measured_tenants(execreport._guards, integer, timestamptz, timestamptz) IS
'The scopes that a guard judges in a window: 0 for all together, and each tenant with samples; or the one tenant that is asked for.';

CREATE FUNCTION execreport._measure_rate(g execreport._guards, own integer, since timestamptz, until timestamptz)
RETURNS TABLE (tenant_id integer, k bigint, n bigint, p95 double precision)
LANGUAGE sql VOLATILE
BEGIN ATOMIC
    SELECT t.tenant_id,
           execreport._metric_delta(nullif(t.tenant_id, 0), g.family, g.labels || g.failure_labels, _measure_rate.since, _measure_rate.until)::bigint,
           execreport._metric_delta(nullif(t.tenant_id, 0), g.family, g.labels, _measure_rate.since, _measure_rate.until)::bigint,
           NULL::double precision
      FROM execreport._measured_tenants(g, _measure_rate.own, _measure_rate.since, _measure_rate.until) AS t (tenant_id);
END;
COMMENT ON FUNCTION execreport._measure_rate(execreport._guards, integer, timestamptz, timestamptz) IS
'How many samples there were (n) and how many failed (k): in each tenant, and together (tenant_id 0).';

CREATE FUNCTION execreport._measure_latency(g execreport._guards, own integer, since timestamptz, until timestamptz)
RETURNS TABLE (tenant_id integer, k bigint, n bigint, p95 double precision)
LANGUAGE sql VOLATILE
BEGIN ATOMIC
    SELECT t.tenant_id, b.n - b.within, b.n, execreport._bucket_quantile(0.95, b.bounds, b.counts)
      FROM execreport._measured_tenants(g, _measure_latency.own, _measure_latency.since, _measure_latency.until) AS t (tenant_id),
           LATERAL (SELECT CASE WHEN execreport._metrics_available() THEN coalesce(max(c.count), 0) END AS n,
                           coalesce(max(c.count) FILTER (WHERE c.le <= g.threshold), 0) AS within,
                           array_agg(c.le ORDER BY c.le) AS bounds, array_agg(c.count ORDER BY c.le) AS counts
                      FROM execreport._metric_buckets(nullif(t.tenant_id, 0), g.family, g.labels, _measure_latency.since,
                                                      _measure_latency.until) AS c) AS b;
END;
COMMENT ON FUNCTION execreport._measure_latency(execreport._guards, integer, timestamptz, timestamptz) IS
'How many samples there were (n), how many took longer than the threshold (k), and p95: in each tenant, and together (tenant_id 0).';

CREATE FUNCTION execreport._no_metrics() RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN 'no metrics: execreport is not among shared_preload_libraries, has more series than execreport.max_series, or the window is too old';

CREATE FUNCTION execreport._measured(g execreport._guards, own integer, since timestamptz, until timestamptz)
RETURNS TABLE (tenant_id integer, verdict text, recovered boolean, samples bigint, failures bigint, bound double precision,
    p95 double precision, details jsonb)
LANGUAGE sql VOLATILE
BEGIN ATOMIC
    WITH limits AS MATERIALIZED (
        SELECT CASE g.kind WHEN 'performance' THEN 1 - g.quantile ELSE g.threshold END AS share
    ), sampled AS MATERIALIZED (
        SELECT r.* FROM execreport._measure_rate(g, _measured.own, _measured.since, _measured.until) AS r WHERE g.kind = 'error_rate'
        UNION ALL
        SELECT l.* FROM execreport._measure_latency(g, _measured.own, _measured.since, _measured.until) AS l WHERE g.kind = 'performance'
    ), judged AS MATERIALIZED (
        SELECT s.*, execreport._guard_verdict(s.k, s.n, l.share, g.confidence, g.min_samples) AS verdict,
               CASE g.kind WHEN 'performance' THEN s.p95 < g.recover_threshold ELSE s.k < g.recover_threshold * s.n END AS recovered
          FROM sampled AS s, limits AS l
    ), rest AS MATERIALIZED (
        -- tenants with too few samples each: together they may be enough, when several of them fail
        SELECT count(*) AS tenants, count(*) FILTER (WHERE j.k > l.share * j.n) AS failing, sum(j.k)::bigint AS k, sum(j.n)::bigint AS n,
               coalesce(execreport._guard_verdict(sum(j.k)::bigint, sum(j.n)::bigint, max(l.share), g.confidence, g.min_samples) = 'breach'
                        AND count(*) FILTER (WHERE j.k > l.share * j.n) >= g.escalate_tenants, false) AS breached
          FROM judged AS j, limits AS l
         WHERE j.tenant_id > 0 AND j.verdict = 'insufficient'
    )
    SELECT j.tenant_id,
           CASE WHEN j.tenant_id > 0 OR g.scope = 'everywhere' OR j.verdict IN ('insufficient', 'error') THEN j.verdict
                WHEN r.breached THEN 'breach'
                WHEN j.verdict = 'breach' THEN 'insufficient'
                ELSE 'ok' END,
           j.recovered, j.n, j.k, execreport.wilson_lower_bound(j.k, nullif(j.n, 0), g.confidence), j.p95,
           CASE WHEN j.verdict = 'error' THEN pg_catalog.jsonb_build_object('error', execreport._no_metrics())
                WHEN j.tenant_id = 0 AND g.scope = 'tenant' AND r.tenants > 0 THEN
                    pg_catalog.jsonb_build_object('smallTenants', pg_catalog.jsonb_build_object('tenants', r.tenants, 'failing', r.failing,
                        'samples', r.n, 'failures', r.k))
                ELSE '{}' END
      FROM judged AS j, rest AS r;
END;
COMMENT ON FUNCTION execreport._measured(execreport._guards, integer, timestamptz, timestamptz) IS
'What a window of the metrics means for a guard: in each tenant, and together (tenant_id 0). A guard of tenants breaches for all
together only by tenants that have too few samples of their own, when at least escalate_tenants of them fail too much.';

CREATE TABLE execreport.flag_latches (
    tenant_id      integer NOT NULL DEFAULT execreport.current_tenant() CHECK (tenant_id >= 0),
    flag           text COLLATE "C" NOT NULL,
    guard          text NOT NULL,
    reason         text NOT NULL,
    rolled_back_at timestamptz NOT NULL,
    cooldown       interval NOT NULL,
    resumed_at     timestamptz,
    PRIMARY KEY (tenant_id, flag)
);
COMMENT ON TABLE execreport.flag_latches IS
'The last rollback of each flag, in a tenant or everywhere (tenant_id 0), by which guard (manual: a person), and when resume() ended
it. Windows that began before either do not count for guards, and for the cooldown after resumed_at no rollout goes on.';
CALL execreport._hold('execreport.flag_latches', condition => 'tenant_id IN (0, (SELECT execreport.current_tenant()))');

-- guards with a margin: who has the flags beside who has not, in the same window

CREATE FUNCTION execreport._flag_groups(flags text[], since timestamptz) RETURNS TABLE (tenant_id integer, has boolean)
LANGUAGE sql STABLE ROWS 100
BEGIN ATOMIC
    WITH teams AS MATERIALIZED (
        SELECT f.flag, EXISTS (SELECT FROM execreport.flag_rollouts AS r WHERE r.flag = f.flag AND r.users <> '{}')
                       AND NOT EXISTS (SELECT FROM execreport.flag_definitions AS d
                                        WHERE d.key = f.flag AND (jsonb_array_length(d.document -> 'rules') > 0 OR jsonb_array_length(d.document -> 'prerequisites') > 0)) AS by_team
          FROM unnest(_flag_groups.flags) AS f (flag)
    )
    SELECT t.tenant_id,
           CASE WHEN s.known < s.flags
                  OR EXISTS (SELECT FROM execreport.flag_overrides AS o
                              WHERE o.tenant_id = t.tenant_id AND o.flag = ANY (_flag_groups.flags) AND o.changed_at > _flag_groups.since)
                  OR EXISTS (SELECT FROM execreport.kill_switches AS k
                              WHERE k.tenant_id = t.tenant_id AND k.flag = ANY (_flag_groups.flags) AND k.engaged_at > _flag_groups.since)
                  OR EXISTS (SELECT FROM execreport.flag_latches AS l
                              WHERE l.tenant_id = t.tenant_id AND l.flag = ANY (_flag_groups.flags)
                                AND greatest(l.rolled_back_at, l.resumed_at) > _flag_groups.since) THEN NULL
                WHEN s.on_flags = s.flags THEN true
                WHEN s.on_flags = 0 THEN false END
      FROM execreport.tenants AS t,
           LATERAL (SELECT count(*) AS flags, count(e.is_on) AS known, count(*) FILTER (WHERE e.is_on) AS on_flags
                      -- a team has it wherever its users work, and that makes no tenant one that has it
                      FROM (SELECT coalesce(execreport._tenant_flag(t.tenant_id, f.flag), CASE WHEN f.by_team THEN false END) AS is_on
                              FROM teams AS f) AS e) AS s;
END;
COMMENT ON FUNCTION execreport._flag_groups(text[], timestamptz) IS
'Has a tenant all of the flags, or none? NULL when it is neither: some of them, some of its users (but for the team of its rollout), or by an override, a
kill switch, a rollback or its end newer than that.';

CREATE FUNCTION execreport._flags_changed(flags text[], since timestamptz) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN EXISTS (SELECT FROM execreport.rollout_decisions AS d WHERE d.flag = ANY (flags) AND d.decided_at > since)
        OR EXISTS (SELECT FROM execreport.flag_definitions AS d WHERE d.key = ANY (flags) AND d.changed_at > since);
END
$$;
COMMENT ON FUNCTION execreport._flags_changed(text[], timestamptz) IS
'Did the rollout or the definition of one of the flags change after that, so that others have it now than had it then?';

CREATE FUNCTION execreport._measure_groups(g execreport._guards, since timestamptz, until timestamptz)
RETURNS TABLE (has boolean, reach bigint, tenants bigint, k bigint, n bigint, p95 double precision)
LANGUAGE sql VOLATILE ROWS 2
BEGIN ATOMIC
    WITH grouped AS MATERIALIZED (
        SELECT f.tenant_id, f.has FROM execreport._flag_groups(g.flags, _measure_groups.since) AS f WHERE f.has IS NOT NULL
    ), sampled AS MATERIALIZED (
        SELECT m.tenant_id, q.has
          FROM execreport._metric_tenants(g.family, _measure_groups.since, _measure_groups.until) AS m (tenant_id)
          JOIN grouped AS q ON q.tenant_id = m.tenant_id
    ), counted AS (
        SELECT s.has, count(*) AS tenants, CASE WHEN count(c.k) = count(*) THEN sum(c.k) END AS k, CASE WHEN count(c.n) = count(*) THEN sum(c.n) END AS n,
               NULL::double precision AS p95
          FROM sampled AS s,
               LATERAL (SELECT execreport._metric_delta(s.tenant_id, g.family, g.labels || g.failure_labels, _measure_groups.since, _measure_groups.until) AS k,
                               execreport._metric_delta(s.tenant_id, g.family, g.labels, _measure_groups.since, _measure_groups.until) AS n) AS c
         WHERE g.kind = 'error_rate'
         GROUP BY s.has
        UNION ALL
        SELECT b.has, max(b.tenants), max(b.count) - coalesce(max(b.count) FILTER (WHERE b.le <= g.threshold), 0), max(b.count),
               execreport._bucket_quantile(0.95, array_agg(b.le ORDER BY b.le), array_agg(b.count ORDER BY b.le))
          FROM (SELECT s.has, c.le, count(*) AS tenants, sum(c.count)::bigint AS count
                  FROM sampled AS s,
                       LATERAL execreport._metric_buckets(s.tenant_id, g.family, g.labels, _measure_groups.since, _measure_groups.until) AS c
                 GROUP BY s.has, c.le) AS b
         WHERE g.kind = 'performance'
         GROUP BY b.has
    ), known AS MATERIALIZED (
        SELECT execreport._metric_delta(NULL, g.family, g.labels, _measure_groups.since, _measure_groups.until) IS NOT NULL AS is_known
    )
    SELECT side.has, (SELECT count(*) FROM grouped AS q WHERE q.has = side.has), coalesce(c.tenants, 0),
           CASE WHEN NOT known.is_known THEN NULL WHEN c.has IS NULL THEN 0 ELSE c.k END::bigint,
           CASE WHEN NOT known.is_known THEN NULL WHEN c.has IS NULL THEN 0 ELSE c.n END::bigint, c.p95
      FROM (VALUES (true), (false)) AS side (has) CROSS JOIN known
      LEFT JOIN counted AS c ON c.has = side.has;
END;
COMMENT ON FUNCTION execreport._measure_groups(execreport._guards, timestamptz, timestamptz) IS
'Those who have the guard''s flags and those who have not: how many tenants that are (reach), how many of them have samples, how many
samples there were (n), how many of those failed or were too slow (k; both NULL when it is not known), and p95.';

CREATE FUNCTION execreport._baseline_verdict(k bigint, n bigint, base_k bigint, base_n bigint, margin double precision, confidence double precision,
    min_samples integer)
RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN num_nulls(k, n, base_k, base_n) > 0 THEN 'error'
            WHEN least(n, base_n) < greatest(min_samples, 1) THEN 'insufficient'
            WHEN execreport.difference_lower_bound(k, n, base_k, base_n, confidence) > margin THEN 'breach'
            ELSE 'ok' END;
COMMENT ON FUNCTION execreport._baseline_verdict(bigint, bigint, bigint, bigint, double precision, double precision, integer) IS
'What k failures among n samples mean beside base_k among base_n; NULL counts could not be measured.';

CREATE FUNCTION execreport._baseline_measured(g execreport._guards, since timestamptz, until timestamptz)
RETURNS TABLE (tenant_id integer, verdict text, recovered boolean, samples bigint, failures bigint, bound double precision,
    p95 double precision, details jsonb)
LANGUAGE sql VOLATILE ROWS 1
BEGIN ATOMIC
    WITH measured AS MATERIALIZED (
        SELECT m.* FROM execreport._measure_groups(g, _baseline_measured.since, _baseline_measured.until) AS m
    ), judged AS MATERIALIZED (
        SELECT w.*, o.reach AS base_reach, o.tenants AS base_tenants, o.k AS base_k, o.n AS base_n, o.p95 AS base_p95,
               execreport._baseline_verdict(w.k, w.n, o.k, o.n, g.margin, g.confidence, g.min_samples) AS verdict,
               w.k::double precision / nullif(w.n, 0) - o.k::double precision / nullif(o.n, 0) AS difference
          FROM measured AS w, measured AS o WHERE w.has AND NOT o.has
    )
    SELECT 0,
           CASE WHEN j.verdict = 'error' THEN 'error'
                WHEN execreport._flags_changed(g.flags, _baseline_measured.since) THEN 'discarded'
                -- at the ends of a rollout there are not two groups to compare
                WHEN j.reach * 100 < j.reach + j.base_reach OR j.base_reach * 100 < j.reach + j.base_reach THEN 'insufficient'
                ELSE j.verdict END,
           j.difference < g.margin * 4 / 5, j.n, j.k, execreport.difference_lower_bound(j.k, j.n, j.base_k, j.base_n, g.confidence), j.p95,
           pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object('error', CASE WHEN j.verdict = 'error' THEN execreport._no_metrics() END,
               'difference', round(j.difference::numeric, 6), 'reach', round(j.reach::numeric / nullif(j.reach + j.base_reach, 0), 4),
               'baseline', pg_catalog.jsonb_build_object('tenants', j.base_tenants, 'samples', j.base_n, 'failures', j.base_k, 'p95', j.base_p95)))
      FROM judged AS j;
END;
COMMENT ON FUNCTION execreport._baseline_measured(execreport._guards, timestamptz, timestamptz) IS
'What a window of the metrics means for a guard with a margin: are those who have its flags worse off than those who have not?';

CREATE FUNCTION execreport._health_measured(g execreport._guards)
RETURNS TABLE (tenant_id integer, verdict text, recovered boolean, samples bigint, failures bigint, bound double precision,
    p95 double precision, details jsonb)
LANGUAGE sql VOLATILE
BEGIN ATOMIC
    SELECT 0, CASE WHEN h.failures > 0 THEN 'breach' WHEN h.samples > 0 THEN 'ok' ELSE 'insufficient' END, h.failures = 0,
           h.samples, h.failures, NULL::double precision, NULL::double precision, pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object('unhealthy', h.unhealthy))
      FROM (SELECT count(*) FILTER (WHERE c.status <> 'skipped') AS samples, count(*) FILTER (WHERE c.status = 'unhealthy') AS failures,
                   pg_catalog.jsonb_agg(pg_catalog.to_jsonb(c) ORDER BY c.component) FILTER (WHERE c.status = 'unhealthy') AS unhealthy
              FROM execreport.check_health() AS c WHERE c.component = ANY (g.components)) AS h;
END;
COMMENT ON FUNCTION execreport._health_measured(execreport._guards) IS
'What check_health() means for a guard.';

CREATE FUNCTION execreport._guard_window(window_length interval, now timestamptz) RETURNS timestamptz
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN to_timestamp((floor(extract(epoch FROM now) / extract(epoch FROM window_length)) - 1) * extract(epoch FROM window_length));
COMMENT ON FUNCTION execreport._guard_window(interval, timestamptz) IS
'The start of the last window that is over: windows are cut at multiples of their length since 1970 UTC.';

CREATE FUNCTION execreport._judged(g execreport._guards, own integer, since timestamptz, error text) RETURNS SETOF execreport.guard_verdicts
LANGUAGE sql VOLATILE ROWS 100
BEGIN ATOMIC
    WITH found AS MATERIALIZED (
        SELECT m.* FROM execreport._measured(g, _judged.own, _judged.since, _judged.since + g.window_length) AS m
         WHERE _judged.error IS NULL AND g.kind IN ('error_rate', 'performance') AND g.margin IS NULL
        UNION ALL
        SELECT b.* FROM execreport._baseline_measured(g, _judged.since, _judged.since + g.window_length) AS b
         WHERE _judged.error IS NULL AND g.margin IS NOT NULL
        UNION ALL
        SELECT h.* FROM execreport._health_measured(g) AS h WHERE _judged.error IS NULL AND g.kind = 'health_check'
        UNION ALL
        SELECT coalesce(_judged.own, 0), 'error', NULL, NULL, NULL, NULL, NULL, pg_catalog.jsonb_build_object('error', _judged.error)
         WHERE _judged.error IS NOT NULL
    ), changes AS MATERIALIZED (
        SELECT l.tenant_id, max(greatest(l.rolled_back_at, l.resumed_at)) AS last, max(l.resumed_at) AS resumed
          FROM execreport.flag_latches AS l WHERE l.flag = ANY (g.flags) GROUP BY l.tenant_id
    ), judged AS MATERIALIZED (
        SELECT f.*, CASE WHEN _judged.since < greatest(own.last, everywhere.last) THEN 'discarded' ELSE f.verdict END AS final,
               coalesce(greatest(own.resumed, everywhere.resumed), '-infinity') AS resumed
          FROM found AS f
          LEFT JOIN changes AS own ON own.tenant_id = f.tenant_id
          LEFT JOIN changes AS everywhere ON everywhere.tenant_id = 0
    )
    SELECT j.tenant_id, g.guard, _judged.since, j.final, j.samples, j.failures, j.bound, j.p95, s.next_armed, s.next_breaches, s.next_oks,
           s.next_errors, CASE WHEN s.fires THEN g.action END, NULL, j.details, now()
      FROM judged AS j
      LEFT JOIN LATERAL (SELECT v.armed, v.breaches, v.oks, v.errors
                           FROM execreport.guard_verdicts AS v
                          WHERE v.tenant_id = j.tenant_id AND v.guard = g.guard AND v.window_start < _judged.since AND v.window_start >= j.resumed
                          ORDER BY v.window_start DESC LIMIT 1) AS before ON true,
           LATERAL execreport._guard_step(coalesce(before.armed, true), coalesce(before.breaches, 0), coalesce(before.oks, 0),
                       coalesce(before.errors, 0), j.final, j.recovered, g.consecutive) AS s;
END;
COMMENT ON FUNCTION execreport._judged(execreport._guards, integer, timestamptz, text) IS
'The verdicts of a guard on a window, as rows: with the state that follows from the verdict before, and the action when the guard
fires. A resumed flag begins with a new state. own: only this tenant; error: it could not be measured.';

CREATE FUNCTION execreport._judge_guards(now timestamptz) RETURNS SETOF execreport.guard_verdicts
LANGUAGE plpgsql VOLATILE ROWS 100 SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    own CONSTANT integer := CASE WHEN NOT execreport._caller_is_superuser() THEN execreport.current_tenant() END;
    g execreport._guards;
    since timestamptz;
    judged execreport.guard_verdicts[];
BEGIN
    PERFORM execreport._check_now(_judge_guards.now);
    FOR g IN SELECT * FROM execreport.guards AS stored
              WHERE stored.enabled AND stored.kind <> 'manual' AND (own IS NULL OR stored.scope = 'tenant') ORDER BY stored.guard LOOP
        since := execreport._guard_window(g.window_length, _judge_guards.now);
        CONTINUE WHEN EXISTS (SELECT FROM execreport.guard_verdicts AS v
                               WHERE v.tenant_id = coalesce(own, 0) AND v.guard = g.guard AND v.window_start = since);
        BEGIN
            judged := ARRAY(SELECT v FROM execreport._judged(g, own, since, NULL) AS v);
        EXCEPTION WHEN OTHERS THEN
            judged := ARRAY(SELECT v FROM execreport._judged(g, own, since, format('%s: %s', SQLSTATE, SQLERRM)) AS v);
        END;
        RETURN QUERY SELECT v.* FROM unnest(judged) AS v;
    END LOOP;
END
$$;
COMMENT ON FUNCTION execreport._judge_guards(timestamptz) IS
'The verdicts on the last windows that are over and not judged yet, as rows to be stored. A guard that fails has the verdict
error. Members get those on their own tenant.';

CREATE FUNCTION execreport._severity_rank(severity text) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN array_position('{info,warning,medium,high,critical}'::text[], severity);

CREATE FUNCTION execreport._decisions(judged execreport.guard_verdicts[])
RETURNS TABLE (guard text, tenant_id integer, window_start timestamptz, action text, flags text[], severity text, dry_run boolean,
    reason text, figures jsonb)
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH verdicts AS MATERIALIZED (
        SELECT v.* FROM unnest(_decisions.judged) AS v
    ), spread AS (
        -- of each guard that fires: in how many tenants it breaches, and whether that is everywhere
        SELECT g.*, s.tenants, s.samples, s.failures, s.tenants >= g.escalate_tenants OR s.fires_everywhere AS is_everywhere
          FROM execreport.guards AS g
          JOIN (SELECT v.guard, count(*) FILTER (WHERE v.tenant_id > 0 AND v.verdict = 'breach') AS tenants,
                       sum(v.samples) FILTER (WHERE v.tenant_id > 0 AND v.verdict = 'breach')::bigint AS samples,
                       sum(v.failures) FILTER (WHERE v.tenant_id > 0 AND v.verdict = 'breach')::bigint AS failures,
                       coalesce(bool_or(v.tenant_id = 0 AND v.action IS NOT NULL), false) AS fires_everywhere
                  FROM verdicts AS v GROUP BY v.guard HAVING bool_or(v.action IS NOT NULL)) AS s ON s.guard = g.guard
    ), decided AS (
        SELECT g.guard, v.tenant_id, v.window_start, g.action, g.flags, g.severity, g.dry_run,
               -- where all together could not be measured, those that breach could
               CASE
                   WHEN g.margin IS NOT NULL THEN pg_catalog.format('%s %s exceeds the %s of those without the feature by more than %s',
                       CASE g.kind WHEN 'error_rate' THEN 'Error rate' ELSE pg_catalog.format('Share above %sms', round((g.threshold * 1000)::numeric)) END,
                       round(v.k::numeric / nullif(v.n, 0), 4), round((v.details #>> '{baseline,failures}')::numeric / nullif((v.details #>> '{baseline,samples}')::numeric, 0), 4), g.margin)
                   WHEN g.kind = 'error_rate' THEN pg_catalog.format('Error rate %s exceeds threshold %s', round(coalesce(v.k, g.failures)::numeric / nullif(coalesce(v.n, g.samples), 0), 4), g.threshold)
                   WHEN g.kind = 'performance' THEN pg_catalog.format('P95 duration %sms exceeds threshold %sms', coalesce(round((v.p95 * 1000)::numeric)::text, 'of unknown '), round((g.threshold * 1000)::numeric))
                   ELSE 'Health check failed: ' || coalesce(v.details #>> '{unhealthy,0,message}', 'unknown') END
               || CASE WHEN v.tenant_id = 0 AND g.tenants > 0 THEN pg_catalog.format(' in %s tenants', g.tenants) ELSE '' END AS reason,
               pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object('guard', g.guard, 'kind', g.kind, 'tenantId', nullif(v.tenant_id, 0),
                   'windowStart', execreport._instant_text(v.window_start), 'windowSeconds', extract(epoch FROM g.window_length),
                   'samples', coalesce(v.n, g.samples), 'failures', coalesce(v.k, g.failures), 'rate', round(coalesce(v.k, g.failures)::numeric / nullif(coalesce(v.n, g.samples), 0), 6),
                   'bound', round(v.bound::numeric, 6), 'p95', v.p95, 'threshold', CASE WHEN g.kind = 'performance' OR g.margin IS NULL THEN g.threshold END, 'margin', g.margin, 'confidence', g.confidence,
                   'consecutive', g.consecutive, 'breaches', v.breaches, 'tenants', CASE WHEN v.tenant_id = 0 THEN g.tenants END,
                   'dryRun', g.dry_run)) || v.details AS figures
          FROM spread AS g
          JOIN (SELECT o.guard, o.tenant_id, o.window_start, o.action, o.bound, o.p95, o.breaches, o.details, o.samples AS n, o.failures AS k
                  FROM verdicts AS o) AS v ON v.guard = g.guard AND (CASE WHEN g.is_everywhere THEN v.tenant_id = 0 ELSE v.action IS NOT NULL END)
    )
    SELECT d.guard, d.tenant_id, d.window_start, d.action, d.flags,
           -- what it stands for is as severe as the most severe decision that it makes needless
           (SELECT o.severity FROM decided AS o
             WHERE o.flags <@ d.flags AND d.tenant_id IN (0, o.tenant_id) AND (NOT o.dry_run OR d.dry_run)
             ORDER BY execreport._severity_rank(o.severity) DESC LIMIT 1),
           d.dry_run, d.reason, d.figures
      FROM decided AS d
     ORDER BY d.tenant_id <> 0, cardinality(d.flags) DESC, execreport._severity_rank(d.severity) DESC, d.tenant_id, d.guard;
END;
COMMENT ON FUNCTION execreport._decisions(execreport.guard_verdicts[]) IS
'What verdicts ask for, the widest first: one decision for each guard that fires, in its tenants, or everywhere when the guard breaches
in at least escalate_tenants of them.';

CREATE FUNCTION execreport.check_rollback_conditions(now timestamptz DEFAULT now())
RETURNS TABLE (trigger text, threshold double precision, "window" interval, action text, reason text, severity text, figures jsonb)
LANGUAGE sql VOLATILE ROWS 4
BEGIN ATOMIC
    SELECT g.kind, CASE g.kind WHEN 'error_rate' THEN coalesce(g.margin, g.threshold) ELSE g.threshold END, g.window_length, d.action, d.reason, d.severity, d.figures
      FROM execreport._decisions(ARRAY(SELECT v FROM execreport._judge_guards(coalesce(check_rollback_conditions.now, now())) AS v)) AS d
      JOIN execreport.guards AS g ON g.guard = d.guard
     ORDER BY d.tenant_id <> 0, cardinality(d.flags) DESC, execreport._severity_rank(d.severity) DESC, d.tenant_id, d.guard;
END;
COMMENT ON FUNCTION execreport.check_rollback_conditions(timestamptz) IS
'What run_guards(now) would decide, without doing it; no rows when all is well or the windows are judged already. Changes nothing.
trigger: error_rate, performance or health_check. threshold: a share of failures (of a guard with a margin, that margin), or seconds for
performance. window: the length of the windows. action: disable_exec_reports, disable_master_reports, disable_all_reports or disable_flags. severity: medium, high,
critical. figures: {guard, tenantId (left out: everywhere), windowStart, samples, failures, rate, bound (the lower bound that is
compared), p95 in seconds, threshold, confidence, consecutive, breaches, tenants, dryRun, unhealthy[]; with a margin also margin,
difference (of the shares), reach (the share of the tenants that have the flags), baseline: {tenants, samples, failures, p95} without them}.
now: the instant to judge from. Superusers see all, members the decisions for their tenant.
Errors: 42501 for roles that work for no tenant; 22023 when now is not of the years 1 to 9999.
Example: SELECT trigger, action, reason, severity FROM execreport.check_rollback_conditions();';

CREATE FUNCTION execreport._health_guards(OUT status text, OUT message text, OUT metrics jsonb)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    late text;
    judged integer;
    oldest double precision;
BEGIN
    SELECT string_agg(g.guard, ', ' ORDER BY g.guard) FILTER (WHERE v.judged_at < now() - greatest(3 * g.window_length, interval '10 minutes')),
           count(v.judged_at), max(extract(epoch FROM now() - v.judged_at)) INTO late, judged, oldest
      FROM execreport.guards AS g
      LEFT JOIN LATERAL (SELECT s.judged_at FROM execreport.guard_verdicts AS s
                          WHERE s.tenant_id = 0 AND s.guard = g.guard ORDER BY s.window_start DESC LIMIT 1) AS v ON true
     WHERE g.enabled AND g.kind <> 'manual';
    status := CASE WHEN late IS NULL THEN 'healthy' ELSE 'degraded' END;
    message := CASE WHEN late IS NOT NULL THEN format('guards are not judged any more: %s; nobody calls tick()', late)
                    WHEN judged = 0 THEN 'guards were never judged: tick() does it'
                    ELSE 'guards judge in time' END;
    metrics := jsonb_build_object('judged', judged, 'lagSeconds', round(oldest::numeric));
END
$$;
COMMENT ON FUNCTION execreport._health_guards() IS
'Are the guards judged in time (three windows, at least 10 minutes)? metrics: judged (guards), lagSeconds.';
