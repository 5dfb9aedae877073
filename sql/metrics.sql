-- metrics: counters and histograms in shared memory.
--
-- Recording is part of the function that does the work, and outlives a rollback. Everything answers without shared
-- memory, too: recording does nothing, and what cannot be known is NULL.

CREATE FUNCTION execreport._metric_add(tenant_id integer, family text, labels jsonb, amount double precision DEFAULT 1,
    at timestamptz DEFAULT clock_timestamp())
RETURNS void
LANGUAGE c VOLATILE PARALLEL RESTRICTED COST 1 AS 'MODULE_PATHNAME', 'er_sql_metric_add';
COMMENT ON FUNCTION execreport._metric_add(integer, text, jsonb, double precision, timestamptz) IS
'Adds to a counter of this tenant (NULL: of none in particular). A label that is left out is empty. A NULL amount records
nothing, though the series is there from then on; what is negative or not finite is refused and counted.
Errors: 42704 for an unknown family; 22023 for an unknown label or a histogram; 42501 outside functions of execreport.';

CREATE FUNCTION execreport._metric_observe(tenant_id integer, family text, labels jsonb, value double precision,
    at timestamptz DEFAULT clock_timestamp())
RETURNS void
LANGUAGE c VOLATILE PARALLEL RESTRICTED COST 1 AS 'MODULE_PATHNAME', 'er_sql_metric_observe';
COMMENT ON FUNCTION execreport._metric_observe(integer, text, jsonb, double precision, timestamptz) IS
'Puts a value, in seconds, into a histogram of this tenant. Otherwise as _metric_add().';

CREATE FUNCTION execreport._attempt_begin(kind text, module_id text) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'er_sql_attempt_begin';
COMMENT ON FUNCTION execreport._attempt_begin(text, text) IS
'The making of a report (exec or master), or a consolidation for one, begins for the current tenant: after the refusals. When its (sub)transaction
aborts before _attempt_end(), that is a failure, counted at once.';

CREATE FUNCTION execreport._attempt_end(made boolean DEFAULT true) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'er_sql_attempt_end';
COMMENT ON FUNCTION execreport._attempt_end(boolean) IS
'The report of the attempt that was begun last is stored. The success and its duration count at commit. made false: there was
nothing to make, so nothing counts.';

CREATE FUNCTION execreport._metrics_available() RETURNS boolean
LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'er_metrics_available';
COMMENT ON FUNCTION execreport._metrics_available() IS
'Is there shared memory for metrics, so that anything is recorded?';

CREATE FUNCTION execreport._metric_delta(tenant_id integer, family text, labels jsonb, since timestamptz, until timestamptz)
RETURNS double precision
LANGUAGE c VOLATILE PARALLEL SAFE AS 'MODULE_PATHNAME', 'er_metric_delta';
COMMENT ON FUNCTION execreport._metric_delta(integer, text, jsonb, timestamptz, timestamptz) IS
'What a counter rose by, or how many values a histogram observed, in the minutes that begin in [since, until), over all
series with these labels. tenant_id NULL: of all tenants. 0 when there was nothing; NULL when it cannot be known: not
preloaded, older than the ring, or hidden in a series that overflowed.';

CREATE FUNCTION execreport._metric_buckets(tenant_id integer, family text, labels jsonb, since timestamptz, until timestamptz)
RETURNS TABLE (le double precision, count bigint)
LANGUAGE c VOLATILE PARALLEL SAFE ROWS 12 AS 'MODULE_PATHNAME', 'er_metric_buckets';
COMMENT ON FUNCTION execreport._metric_buckets(integer, text, jsonb, timestamptz, timestamptz) IS
'A histogram''s cumulative buckets in the same stretch of time; the last le is Infinity. No row when it cannot be known.';

CREATE FUNCTION execreport._metric_bounds(family text) RETURNS double precision[]
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'er_metric_bounds';
COMMENT ON FUNCTION execreport._metric_bounds(text) IS
'The finite upper bounds of a histogram''s buckets, ascending.';

CREATE FUNCTION execreport._metric_tenants(family text, since timestamptz, until timestamptz) RETURNS SETOF integer
LANGUAGE c VOLATILE PARALLEL SAFE ROWS 100 AS 'MODULE_PATHNAME', 'er_metric_tenants';
COMMENT ON FUNCTION execreport._metric_tenants(text, timestamptz, timestamptz) IS
'The tenants for which something was recorded in those minutes, or may have been.';

CREATE FUNCTION execreport.metrics(format text DEFAULT 'prometheus') RETURNS text
LANGUAGE c VOLATILE PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME', 'er_metrics';
COMMENT ON FUNCTION execreport.metrics(text) IS
'The metrics of this database, all tenants together, as text to be scraped: format prometheus (0.0.4, served as
text/plain; version=0.0.4) or openmetrics (1.0). Durations are in seconds. When execreport is not preloaded it says so and
shows execreport_metrics_available 0. For superusers and members of pg_monitor; works on a standby.
Errors: 22023 for another format; 42501 for others.
Source: Prometheus exposition format 0.0.4, OpenMetrics 1.0.
Example: SELECT execreport.metrics();';

CREATE FUNCTION execreport.metrics_rows()
RETURNS TABLE (name text, type text, labels jsonb, value double precision, le double precision)
LANGUAGE c VOLATILE PARALLEL SAFE ROWS 200 COST 1000 AS 'MODULE_PATHNAME', 'er_metrics_rows';
COMMENT ON FUNCTION execreport.metrics_rows() IS
'The same samples as rows, for exporters that read SQL: name with its suffix (_bucket, _sum, _count), type (counter, gauge,
histogram), labels, value, and le, the upper bound of a bucket (the last one Infinity; NULL for what is no bucket).
Members see their tenant''s share, superusers and members of pg_monitor all tenants together.
Example: SELECT labels->>''module_id'' AS module, value FROM execreport.metrics_rows()
 WHERE name = ''exec_reports_created_total'' AND labels->>''success'' = ''false'';';

CREATE FUNCTION execreport.metric_rate(family text, labels jsonb, "window" interval, now timestamptz DEFAULT now())
RETURNS double precision
LANGUAGE c VOLATILE PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'er_metric_rate';
COMMENT ON FUNCTION execreport.metric_rate(text, jsonb, interval, timestamptz) IS
'How fast a counter rose, or how often a histogram observed, per second over the window that ends now, of all series
with these labels (NULL or {}: all). Needs no scraper: slices of one minute are kept for execreport.metric_slices; of the
minute that the window begins in, the share that lies within is taken. 0 when nothing was recorded. NULL when it is not
known: not preloaded, a minute of the window overwritten by a later one, an argument other than labels that is NULL.
Members see their tenant''s share, superusers and members of pg_monitor all tenants together.
Errors: 42704 for an unknown family; 22023 for an unknown label or a window shorter than a minute.
Example: SELECT execreport.metric_rate(''exec_reports_created_total'', ''{"success": "false"}'', ''5 minutes'');';

CREATE FUNCTION execreport.metric_quantile(family text, q double precision, "window" interval, labels jsonb DEFAULT '{}',
    now timestamptz DEFAULT now())
RETURNS double precision
LANGUAGE c VOLATILE PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'er_metric_quantile';
COMMENT ON FUNCTION execreport.metric_quantile(text, double precision, interval, jsonb, timestamptz) IS
'The value, in seconds, below which the share q (0 to 1) of a histogram''s observations lies, over the window that ends
now. As Prometheus'' histogram_quantile(): linear within a bucket, at most the last finite bound, -Infinity for q below 0
and Infinity above 1. NULL when there was no observation or it is not known (see metric_rate()).
Errors: those of metric_rate(), and 22023 for a counter.
Source: Prometheus, promql/quantile.go, bucketQuantile().
Example: SELECT execreport.metric_quantile(''report_generation_duration_seconds'', 0.95, ''5 minutes'');';

CREATE FUNCTION execreport.reset_metrics() RETURNS timestamptz
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'er_reset_metrics';
COMMENT ON FUNCTION execreport.reset_metrics() IS
'Sets the metrics of this database to 0 and frees their series, at once and whatever becomes of the transaction. Returns
the time; NULL when execreport is not preloaded. For superusers; others get 42501.
Example: SELECT execreport.reset_metrics();';

GRANT USAGE ON SCHEMA execreport TO pg_monitor;
GRANT EXECUTE ON FUNCTION execreport.metrics(text), execreport.metrics_rows(),
    execreport.metric_rate(text, jsonb, interval, timestamptz),
    execreport.metric_quantile(text, double precision, interval, jsonb, timestamptz) TO pg_monitor;
