/*
 * metrics_window.c
 *		Reading the rings: how much was recorded in a stretch of time, rates and quantiles.
 *
 * A minute whose cell of the ring holds a later one was overwritten: what it held is not known, and then the answer is
 * NULL. A minute whose cell is empty or holds an earlier one held nothing. What a series that overflowed may hide is
 * not known either, as soon as it was recorded into in that time.
 *
 * Quantiles are those of Prometheus' histogram_quantile(): linear within a bucket, the first bucket begins at 0, and
 * what lies above the last finite bound counts as that bound.
 */
#include "metrics.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/lwlock.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/timestamp.h"

#include "rows.h"
#include "tenancy.h"

#define LONGEST_DAYS	366000	/* a thousand years: longer than anything is kept */

/* How a series meets a filter */
typedef enum Match
{
	MATCH_NO,
	MATCH_YES,
	MATCH_MAYBE					/* it holds others as well, or does not tell */
} Match;

/* Whole minutes: first <= minute < end; empty when end <= first */
typedef struct Window
{
	uint32		first;
	uint32		end;
} Window;

static ErMetricFilter internal_filter(FunctionCallInfo fcinfo, int family, int tenant, int labels);
static ErMetricFilter public_filter(const text *family, Jsonb *labels);
static bool sum_windows(const ErMetricFilter *filter, const Window *windows, const double *weights, int nwindows,
						double *cells);
static Match match(const ErSeries *series, const ErMetricFilter *filter);
static bool sum_series(const ErSeries *series, Window window, double weight, double *cells);
static bool aligned_window(TimestampTz since, TimestampTz until, Window *window);
static bool sum_last(const ErMetricFilter *filter, const Interval *length, TimestampTz now, double *cells, double *seconds);
static double counter_value(const double *cells);
static double quantile(const ErMetricFamily *family, const double *cells, double q);
static void require_histogram(ErMetric metric);

PG_FUNCTION_INFO_V1(er_metric_delta);
PG_FUNCTION_INFO_V1(er_metric_buckets);
PG_FUNCTION_INFO_V1(er_metric_bounds);
PG_FUNCTION_INFO_V1(er_metric_tenants);
PG_FUNCTION_INFO_V1(er_metric_rate);
PG_FUNCTION_INFO_V1(er_metric_quantile);

/* _metric_delta(tenant_id, family, labels, since, until) */
Datum
er_metric_delta(PG_FUNCTION_ARGS)
{
	ErMetricFilter filter = internal_filter(fcinfo, 1, 0, 2);
	double		cells[ER_MAX_CELLS] = {0};
	double		weight = 1;
	double		sum = 0;
	Window		window;

	if (er_metrics_shared == NULL || PG_ARGISNULL(3) || PG_ARGISNULL(4) ||
		!aligned_window(PG_GETARG_TIMESTAMPTZ(3), PG_GETARG_TIMESTAMPTZ(4), &window) ||
		!sum_windows(&filter, &window, &weight, 1, cells))
		PG_RETURN_NULL();
	if (!er_metric_families[filter.metric].histogram)
		PG_RETURN_FLOAT8(counter_value(cells));
	for (int i = 0; i < ER_MAX_CELLS; i++)
		sum += cells[i];
	PG_RETURN_FLOAT8(sum);
}

/* _metric_buckets(tenant_id, family, labels, since, until): (le, count), cumulative; no row when it is not known */
Datum
er_metric_buckets(PG_FUNCTION_ARGS)
{
	ErMetricFilter filter = internal_filter(fcinfo, 1, 0, 2);
	const ErMetricFamily *family = &er_metric_families[filter.metric];
	ReturnSetInfo *result = er_return_rows(fcinfo);
	double		cells[ER_MAX_CELLS] = {0};
	double		weight = 1;
	int64		count = 0;
	Window		window;

	require_histogram(filter.metric);
	if (er_metrics_shared == NULL || PG_ARGISNULL(3) || PG_ARGISNULL(4) ||
		!aligned_window(PG_GETARG_TIMESTAMPTZ(3), PG_GETARG_TIMESTAMPTZ(4), &window) ||
		!sum_windows(&filter, &window, &weight, 1, cells))
		return (Datum) 0;
	for (int i = 0; i <= family->nbounds; i++)
	{
		Datum		values[2];
		bool		nulls[2] = {false, false};

		count += (int64) cells[i];
		values[0] = Float8GetDatum(i < family->nbounds ? family->bounds[i] : get_float8_infinity());
		values[1] = Int64GetDatum(count);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* _metric_bounds(family) */
Datum
er_metric_bounds(PG_FUNCTION_ARGS)
{
	ErMetric	metric = er_metrics_family(PG_GETARG_TEXT_PP(0));
	const ErMetricFamily *family = &er_metric_families[metric];
	Datum		bounds[ER_MAX_BOUNDS];

	require_histogram(metric);
	for (int i = 0; i < family->nbounds; i++)
		bounds[i] = Float8GetDatum(family->bounds[i]);
	PG_RETURN_ARRAYTYPE_P(construct_array(bounds, family->nbounds, FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

/* _metric_tenants(family, since, until): the tenants for which anything was, or may have been, recorded */
Datum
er_metric_tenants(PG_FUNCTION_ARGS)
{
	ErMetricFilter filter = internal_filter(fcinfo, 0, -1, -1);
	ReturnSetInfo *result = er_return_rows(fcinfo);
	List	   *tenants = NIL;
	ListCell   *cell;
	Window		window;

	if (er_metrics_shared == NULL || PG_ARGISNULL(1) || PG_ARGISNULL(2) ||
		!aligned_window(PG_GETARG_TIMESTAMPTZ(1), PG_GETARG_TIMESTAMPTZ(2), &window))
		return (Datum) 0;
	for (int slot = 0; slot < er_metrics_shared->nslots; slot++)
	{
		const ErSeries *series = er_metrics_slot(slot);
		double		cells[ER_MAX_CELLS] = {0};
		double		sum = 0;
		bool		known;
		int32		tenant_id;

		CHECK_FOR_INTERRUPTS();
		LWLockAcquire(er_metrics_shared->lock, LW_SHARED);
		tenant_id = series->key.tenant_id;
		known = match(series, &filter) == MATCH_NO || tenant_id == 0 || sum_series(series, window, 1, cells);
		LWLockRelease(er_metrics_shared->lock);
		for (int i = 0; i < ER_MAX_CELLS; i++)
			sum += cells[i];
		if (!known || sum > 0)
			tenants = list_append_unique_int(tenants, tenant_id);
	}
	foreach(cell, tenants)
	{
		Datum		value = Int32GetDatum(lfirst_int(cell));
		bool		isnull = false;

		tuplestore_putvalues(result->setResult, result->setDesc, &value, &isnull);
	}
	return (Datum) 0;
}

/* metric_rate(family, labels, window, now) */
Datum
er_metric_rate(PG_FUNCTION_ARGS)
{
	double		cells[ER_MAX_CELLS] = {0};
	double		sum = 0;
	double		seconds;
	ErMetricFilter filter;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(2) || PG_ARGISNULL(3))
		PG_RETURN_NULL();
	filter = public_filter(PG_GETARG_TEXT_PP(0), PG_ARGISNULL(1) ? NULL : PG_GETARG_JSONB_P(1));
	if (!sum_last(&filter, PG_GETARG_INTERVAL_P(2), PG_GETARG_TIMESTAMPTZ(3), cells, &seconds))
		PG_RETURN_NULL();
	if (!er_metric_families[filter.metric].histogram)
		sum = counter_value(cells);
	else
	{
		for (int i = 0; i < ER_MAX_CELLS; i++)
			sum += cells[i];
	}
	PG_RETURN_FLOAT8(sum / seconds);
}

/* metric_quantile(family, q, window, labels, now) */
Datum
er_metric_quantile(PG_FUNCTION_ARGS)
{
	double		cells[ER_MAX_CELLS] = {0};
	double		sum = 0;
	double		seconds;
	ErMetricFilter filter;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2) || PG_ARGISNULL(4))
		PG_RETURN_NULL();
	filter = public_filter(PG_GETARG_TEXT_PP(0), PG_ARGISNULL(3) ? NULL : PG_GETARG_JSONB_P(3));
	require_histogram(filter.metric);
	if (!sum_last(&filter, PG_GETARG_INTERVAL_P(2), PG_GETARG_TIMESTAMPTZ(4), cells, &seconds))
		PG_RETURN_NULL();
	for (int i = 0; i < ER_MAX_CELLS; i++)
		sum += cells[i];
	if (sum == 0)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(quantile(&er_metric_families[filter.metric], cells, PG_GETARG_FLOAT8(1)));
}

/*
 * What an internal function reads: a tenant that is named, or all for NULL. Our own functions, which run with their
 * owner's rights, read any; who calls it directly, what the public functions would show.
 */
static ErMetricFilter
internal_filter(FunctionCallInfo fcinfo, int family, int tenant, int labels)
{
	ErMetricFilter filter = {0};

	if (PG_ARGISNULL(family))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("family is null")));
	filter.metric = er_metrics_family(PG_GETARG_TEXT_PP(family));
	filter.all_tenants = tenant < 0 || PG_ARGISNULL(tenant);
	if (!filter.all_tenants)
		filter.tenant_id = PG_GETARG_INT32(tenant);
	if (labels >= 0)
		er_metrics_label_values(filter.metric, PG_ARGISNULL(labels) ? NULL : PG_GETARG_JSONB_P(labels), filter.values);

	if (!superuser() && !er_metrics_reads_all())
	{
		if (filter.all_tenants)
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("only superusers and members of pg_monitor read the metrics of all tenants")));
		er_require_tenant_persona(filter.tenant_id, ER_VIEWER);
	}
	return filter;
}

static ErMetricFilter
public_filter(const text *family, Jsonb *labels)
{
	ErMetricFilter filter = {0};

	filter.metric = er_metrics_family(family);
	filter.all_tenants = er_metrics_reads_all();
	if (!filter.all_tenants)
		filter.tenant_id = er_current_tenant_id();
	er_metrics_label_values(filter.metric, labels, filter.values);
	return filter;
}

/* May the caller see the metrics of all tenants? */
bool
er_metrics_reads_all(void)
{
	return superuser_arg(GetOuterUserId()) || has_privs_of_role(GetOuterUserId(), ROLE_PG_MONITOR);
}

/*
 * Adds up the cells of all series that the filter means, each window with its weight. False when they cannot be
 * known.
 */
static bool
sum_windows(const ErMetricFilter *filter, const Window *windows, const double *weights, int nwindows, double *cells)
{
	bool		known = true;

	for (int slot = 0; slot < er_metrics_shared->nslots && known; slot++)
	{
		const ErSeries *series = er_metrics_slot(slot);
		double		maybe[ER_MAX_CELLS] = {0};
		Match		found;

		if (!series->used)
			continue;
		CHECK_FOR_INTERRUPTS();
		LWLockAcquire(er_metrics_shared->lock, LW_SHARED);
		found = match(series, filter);
		for (int i = 0; i < nwindows && known && found != MATCH_NO; i++)
			known = sum_series(series, windows[i], weights[i], found == MATCH_YES ? cells : maybe);
		LWLockRelease(er_metrics_shared->lock);
		for (int i = 0; i < ER_MAX_CELLS; i++)
			known = known && maybe[i] == 0;
	}
	return known;
}

/* The lock is held. */
static Match
match(const ErSeries *series, const ErMetricFilter *filter)
{
	const ErMetricFamily *family = &er_metric_families[filter->metric];
	Match		found = MATCH_YES;

	if (!series->used || series->key.database != MyDatabaseId || series->key.metric != filter->metric)
		return MATCH_NO;
	if (!filter->all_tenants && series->key.overflow == ER_OVERFLOW_ALL)
		found = MATCH_MAYBE;
	else if (!filter->all_tenants && series->key.tenant_id != filter->tenant_id)
		return MATCH_NO;
	for (int i = 0; i < family->nlabels; i++)
	{
		if (filter->values[i] == NULL)
			continue;
		if (series->key.overflow != ER_OVERFLOW_NONE && family->labels[i].unbounded)
			found = MATCH_MAYBE;
		else if (strcmp(filter->values[i], er_metrics_value(&series->key, i)) != 0)
			return MATCH_NO;
	}
	return found;
}

static bool
sum_series(const ErSeries *series, Window window, double weight, double *cells)
{
	const ErMetricFamily *family = &er_metric_families[series->key.metric];
	int			ncells = family->histogram ? family->nbounds + 1 : 2;
	uint32		first = pg_atomic_read_u32(unconstify(pg_atomic_uint32 *, &series->first));
	uint32		end = window.end;

	window.first = Max(window.first, first);
	if (window.end <= window.first)
		return true;
	/* beyond one round of the ring, a minute has the cell of an earlier one */
	if (end - window.first > er_metrics_shared->nslices)
		end = window.first + er_metrics_shared->nslices;
	for (uint32 minute = window.first; minute < end; minute++)
	{
		for (int i = 0; i < ncells * ER_SHARDS; i++)
		{
			uint64		cell = pg_atomic_read_u64(&er_metrics_cells(series, i % ER_SHARDS, minute)[i / ER_SHARDS]);
			uint32		held = (uint32) (cell >> 32);

			if (held > minute || (held == minute && (uint32) cell == PG_UINT32_MAX))
				return false;
			if (held == minute)
				cells[i / ER_SHARDS] += weight * (uint32) cell;
		}
	}
	return true;
}

/* The minutes that begin in [since, until) */
static bool
aligned_window(TimestampTz since, TimestampTz until, Window *window)
{
	/* -1 and + 1: a minute that begins at the very instant is meant, too */
	if (TIMESTAMP_NOT_FINITE(since) || TIMESTAMP_NOT_FINITE(until) ||
		!er_metrics_minute(since - 1, &window->first) || !er_metrics_minute(until - 1, &window->end))
		return false;
	window->first++;
	window->end++;
	return true;
}

/*
 * The window that ends now: the minutes wholly in it, the running one, and of the minute that it begins in, the share
 * that lies within.
 */
static bool
sum_last(const ErMetricFilter *filter, const Interval *length, TimestampTz now, double *cells, double *seconds)
{
	TimestampTz since;
	Window		windows[2];
	double		weights[2] = {1, 0};
	int64		into;
	uint32		minute;
	double		days = length->month * 30.0 + length->day + length->time / (double) USECS_PER_DAY;

	if (!er_metrics_minute(now, &minute) || days > LONGEST_DAYS)
		return false;
	/* what takes away more than LONGEST_DAYS could leave the calendar */
	since = days < -LONGEST_DAYS ? now : DatumGetTimestampTz(DirectFunctionCall2(timestamptz_mi_interval, TimestampTzGetDatum(now), IntervalPGetDatum(length)));
	if (since > now - USECS_PER_MINUTE)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("window \"%s\" is shorter than a minute",
						DatumGetCString(DirectFunctionCall1(interval_out, IntervalPGetDatum(length)))),
				 errhint("Metrics are kept in slices of one minute: give a length of time such as '5 minutes'.")));
	*seconds = (now - since) / (double) USECS_PER_SEC;
	if (er_metrics_shared == NULL || !aligned_window(since, now, &windows[0]) || !er_metrics_minute(since, &windows[1].first))
		return false;
	windows[1].end = Min(windows[1].first + 1, windows[0].first);
	into = since % USECS_PER_MINUTE;
	weights[1] = 1 - (into < 0 ? into + USECS_PER_MINUTE : into) / (double) USECS_PER_MINUTE;
	return sum_windows(filter, windows, weights, 2, cells);
}

static double
counter_value(const double *cells)
{
	return cells[0] + cells[1] / 1e9;
}

/* Prometheus' bucketQuantile() over counts that are not cumulative */
static double
quantile(const ErMetricFamily *family, const double *cells, double q)
{
	double		total = 0;
	double		below = 0;
	double		rank;
	int			bucket = 0;

	if (isnan(q))
		return get_float8_nan();
	if (q < 0)
		return -get_float8_infinity();
	if (q > 1)
		return get_float8_infinity();
	for (int i = 0; i <= family->nbounds; i++)
		total += cells[i];
	rank = q * total;
	while (bucket < family->nbounds && below + cells[bucket] < rank)
		below += cells[bucket++];
	if (bucket == family->nbounds)
		return family->bounds[family->nbounds - 1];
	{
		double		start = bucket == 0 ? 0 : family->bounds[bucket - 1];

		return start + (family->bounds[bucket] - start) * ((rank - below) / cells[bucket]);
	}
}

static void
require_histogram(ErMetric metric)
{
	if (!er_metric_families[metric].histogram)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("family %s is a counter", er_metric_families[metric].name),
				 errhint("Only histograms have buckets and quantiles.")));
}
