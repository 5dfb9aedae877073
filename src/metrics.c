/*
 * metrics.c
 *		Counters and histograms in shared memory: the families, and recording.
 *
 * Recording takes no lock and outlives a rollback: that is the point of having it in shared memory, for a failure is
 * counted although its transaction leaves no row. A record is an atomic addition to the series' totals and a
 * compare-and-exchange on a cell of its ring of one-minute slices (see metrics.h), so windows need no scraper. A record
 * too old for its slice of the ring is in the totals only.
 *
 * A session finds a series once and keeps its address (ErSeriesHandle). A call from SQL is remembered by the bytes of its
 * arguments, so the same call again neither parses its labels nor looks anything up.
 */
#include "metrics.h"

#include <float.h>
#include <math.h>

#include "common/hashfn.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#define SITES				256 /* remembered calls, a power of two */
#define SITE_BYTES			256 /* of their family and labels */
#define MAX_SHOWN			64	/* bytes of a value in an error */
#define MINUTE_OFFSET		INT64CONST(1000000000)	/* minute 0 is long ago, so that dates before 2000 have a minute too */
#define BILLION				1000000000

#define DURATION_BOUNDS		10, {0.1, 0.5, 1, 2, 5, 10, 15, 30, 60, 300}

/* In the order of ErMetric */
const ErMetricFamily er_metric_families[ER_METRICS] = {
	{"exec_reports_created_total", "Total number of ExecReports created",
	false, 2, {{"module_id", true}, {"success"}}},
	{"master_reports_created_total", "Total number of MasterReports created",
	false, 1, {{"success"}}},
	{"report_generation_duration_seconds", "Time taken to generate reports",
	true, 2, {{"type"}, {"module_id", true}}, DURATION_BOUNDS},
	{"consolidation_duration_seconds", "Time taken to consolidate insights/recommendations",
	true, 0, {{NULL}}, 8, {0.1, 0.5, 1, 2, 5, 10, 30, 60}},
	{"scenario_imports_total", "Total number of scenario imports",
	false, 1, {{"result"}}},
	{"execreport_tick_step_duration_seconds", "Time taken by a step of tick()",
	true, 2, {{"step"}, {"result"}}, 9, {0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300}}
};

/* A call of a recording function, and what it recorded into. Overwritten in place, so a pointer to one stays good. */
typedef struct Site
{
	int32		tenant_id;
	ErMetric	metric;
	int			family_len;
	int			labels_len;
	ErSeriesHandle handle;
	char		bytes[SITE_BYTES];	/* the family's name and the stored labels */
} Site;

static Site *sites = NULL;

static void record_call(FunctionCallInfo fcinfo, bool histogram);
static Site *find_site(int32 tenant_id, const text *family, const text *labels, bool histogram, FunctionCallInfo fcinfo);
static bool same_call(const Site *site, int32 tenant_id, const text *family, const text *labels);
static ErSeriesHandle checked_handle(Site *site, FunctionCallInfo fcinfo);
static void refuse(ErRefusal why);
static char *list_families(void);
static char *list_labels(const ErMetricFamily *family);

PG_FUNCTION_INFO_V1(er_sql_metric_add);
PG_FUNCTION_INFO_V1(er_sql_metric_observe);

/* _metric_add(tenant_id, family, labels, amount, at) */
Datum
er_sql_metric_add(PG_FUNCTION_ARGS)
{
	record_call(fcinfo, false);
	PG_RETURN_VOID();
}

/* _metric_observe(tenant_id, family, labels, value, at) */
Datum
er_sql_metric_observe(PG_FUNCTION_ARGS)
{
	record_call(fcinfo, true);
	PG_RETURN_VOID();
}

/*
 * A call is remembered with the bytes of its arguments, at its place in the query and in the session: the same ones
 * again go straight to the series.
 */
static void
record_call(FunctionCallInfo fcinfo, bool histogram)
{
	int32		tenant_id = PG_ARGISNULL(0) ? 0 : PG_GETARG_INT32(0);
	const text *family;
	const text *labels;
	Site	   *site;
	ErSeriesHandle handle;

	er_metrics_require_own();
	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("family is null"),
				 errdetail("The families are %s.", list_families())));
	family = PG_GETARG_TEXT_PP(1);
	labels = PG_ARGISNULL(2) ? NULL : (text *) PG_DETOAST_DATUM_PACKED(PG_GETARG_DATUM(2));

	site = fcinfo->flinfo->fn_extra;
	if (site == NULL || !same_call(site, tenant_id, family, labels))
		site = find_site(tenant_id, family, labels, histogram, fcinfo);
	handle = checked_handle(site, fcinfo);
	if (PG_ARGISNULL(3))
		return;					/* nothing was measured */
	er_metrics_record(handle, PG_GETARG_FLOAT8(3), PG_ARGISNULL(4) ? GetCurrentTimestamp() : PG_GETARG_TIMESTAMPTZ(4));
}

/*
 * Figures decide over rollbacks, so nobody makes them up: only what runs with the rights of our functions' owner, who is
 * a superuser, records.
 */
void
er_metrics_require_own(void)
{
	if (unlikely(!superuser()))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("only functions of execreport record metrics")));
}

static Site *
find_site(int32 tenant_id, const text *family, const text *labels, bool histogram, FunctionCallInfo fcinfo)
{
	int			family_len = VARSIZE_ANY_EXHDR(family);
	int			labels_len = labels == NULL ? 0 : VARSIZE_ANY_EXHDR(labels);
	bool		fits = family_len + labels_len <= SITE_BYTES;
	uint32		hash = hash_bytes((const unsigned char *) VARDATA_ANY(family), family_len) ^ murmurhash32((uint32) tenant_id);
	Site	   *site;
	ErMetric	metric;
	bool		known;

	if (sites == NULL)
	{
		sites = MemoryContextAllocZero(TopMemoryContext, SITES * sizeof(Site));
		for (int i = 0; i < SITES; i++)
			sites[i].family_len = -1;
	}
	if (labels != NULL)
		hash = hash_combine(hash, hash_bytes((const unsigned char *) VARDATA_ANY(labels), labels_len));
	site = &sites[hash % SITES];
	known = same_call(site, tenant_id, family, labels);
	metric = known ? site->metric : er_metrics_family(family);
	if (er_metric_families[metric].histogram != histogram)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("family %s is a %s", er_metric_families[metric].name, histogram ? "counter" : "histogram"),
				 errhint("Counters are added to, histograms observe.")));
	if (!known)
	{
		site->family_len = -1;	/* remembers nothing while the labels may be refused */
		site->tenant_id = tenant_id;
		site->metric = metric;
		site->handle.series = NULL;
		site->handle.generation = 0;
		(void) checked_handle(site, fcinfo);
		if (fits)
		{
			memcpy(site->bytes, VARDATA_ANY(family), family_len);
			if (labels != NULL)
				memcpy(site->bytes + family_len, VARDATA_ANY(labels), labels_len);
			site->family_len = family_len;
			site->labels_len = labels_len;
		}
	}
	fcinfo->flinfo->fn_extra = site;
	return site;
}

static bool
same_call(const Site *site, int32 tenant_id, const text *family, const text *labels)
{
	int			labels_len = labels == NULL ? 0 : VARSIZE_ANY_EXHDR(labels);

	return site->tenant_id == tenant_id &&
		site->family_len == VARSIZE_ANY_EXHDR(family) && site->labels_len == labels_len &&
		memcmp(site->bytes, VARDATA_ANY(family), site->family_len) == 0 &&
		(labels == NULL || memcmp(site->bytes + site->family_len, VARDATA_ANY(labels), labels_len) == 0);
}

/* The site's series, found again when slots were freed since. */
static ErSeriesHandle
checked_handle(Site *site, FunctionCallInfo fcinfo)
{
	const char *values[ER_MAX_LABELS];

	if (likely(er_metrics_shared != NULL &&
			   site->handle.generation == pg_atomic_read_u32(&er_metrics_shared->generation)))
		return site->handle;
	er_metrics_label_values(site->metric, PG_ARGISNULL(2) ? NULL : PG_GETARG_JSONB_P(2), values);
	site->handle = er_metrics_handle(site->tenant_id, site->metric, values);
	return site->handle;
}

/* Nothing here may raise an error: it also runs after a commit and in an abort. */
void
er_metrics_record(ErSeriesHandle handle, double value, TimestampTz at)
{
	const ErMetricFamily *family;
	ErTotals   *totals;
	pg_atomic_uint64 *cells;
	uint32		minute;
	int			shard;

	if (er_metrics_shared == NULL)
		return;
	if (unlikely(!(value >= 0 && value <= DBL_MAX)))
	{
		refuse(isnan(value) ? ER_REFUSED_NAN : isinf(value) ? ER_REFUSED_INFINITE : ER_REFUSED_NEGATIVE);
		return;
	}
	if (unlikely(!er_metrics_minute(at, &minute)))
	{
		refuse(ER_REFUSED_TIME);
		return;
	}
	if (unlikely(handle.series == NULL || handle.generation != pg_atomic_read_u32(&er_metrics_shared->generation)))
		return;

	family = &er_metric_families[handle.series->key.metric];
	shard = er_backend_number() % ER_SHARDS;
	totals = &handle.series->totals[shard];
	cells = er_metrics_cells(handle.series, shard, minute);
	er_metrics_begin(handle.series, minute);
	if (family->histogram)
	{
		int			bucket = 0;

		while (bucket < family->nbounds && value > family->bounds[bucket])
			bucket++;
		pg_atomic_fetch_add_u64(&totals->buckets[bucket], 1);
		er_metrics_count(&cells[bucket], minute, 1);
	}
	else
	{
		double		whole = value == 1 ? 1 : floor(value);

		er_metrics_count(&cells[0], minute, whole > PG_UINT32_MAX ? PG_UINT32_MAX : (uint64) whole);
		if (value != whole)
			er_metrics_count(&cells[1], minute, (uint64) rint((value - whole) * BILLION));
	}
	er_metrics_add_sum(totals, value);
}

/* Several observations of one histogram at once. */
void
er_metrics_record_many(ErSeriesHandle handle, const uint32 *buckets, double sum, TimestampTz at)
{
	int			shard = er_backend_number() % ER_SHARDS;
	pg_atomic_uint64 *cells;
	ErTotals   *totals;
	uint32		minute;

	if (er_metrics_shared == NULL || handle.series == NULL || !er_metrics_minute(at, &minute) ||
		handle.generation != pg_atomic_read_u32(&er_metrics_shared->generation))
		return;
	totals = &handle.series->totals[shard];
	cells = er_metrics_cells(handle.series, shard, minute);
	er_metrics_begin(handle.series, minute);
	for (int i = 0; i <= er_metric_families[handle.series->key.metric].nbounds; i++)
	{
		if (buckets[i] == 0)
			continue;
		pg_atomic_fetch_add_u64(&totals->buckets[i], buckets[i]);
		er_metrics_count(&cells[i], minute, buckets[i]);
	}
	er_metrics_add_sum(totals, sum);
}

static void
refuse(ErRefusal why)
{
	pg_atomic_fetch_add_u64(&er_metrics_shared->refused[why], 1);
}

/* What is full stays full, and readers take it for unknown. */
void
er_metrics_count(pg_atomic_uint64 *cell, uint32 minute, uint64 count)
{
	uint64		old = pg_atomic_read_u64(cell);
	uint64		new;

	do
	{
		uint32		held = (uint32) (old >> 32);

		if (held > minute)
			return;				/* the ring has gone on */
		new = (held == minute ? (uint64) (uint32) old : 0) + count;
		new = Min(new, PG_UINT32_MAX) | ((uint64) minute << 32);
	} while (!pg_atomic_compare_exchange_u64(cell, &old, new));
}

/* Notes that the series was recorded into at that minute, when nothing earlier was. */
void
er_metrics_begin(ErSeries *series, uint32 minute)
{
	uint32		first = pg_atomic_read_u32(&series->first);

	while (unlikely(minute < first) && !pg_atomic_compare_exchange_u32(&series->first, &first, minute))
		;
}

double
er_metrics_sum(const ErSeries *series)
{
	double		sum = 0;

	for (int shard = 0; shard < ER_SHARDS; shard++)
	{
		uint64		bits = pg_atomic_read_u64(unconstify(pg_atomic_uint64 *, &series->totals[shard].sum));
		double		value;

		memcpy(&value, &bits, sizeof(value));
		sum += value;
	}
	return Min(sum, DBL_MAX);
}

uint64
er_metrics_bucket(const ErSeries *series, int bucket)
{
	uint64		count = 0;

	for (int shard = 0; shard < ER_SHARDS; shard++)
		count += pg_atomic_read_u64(unconstify(pg_atomic_uint64 *, &series->totals[shard].buckets[bucket]));
	return count;
}

void
er_metrics_add_sum(ErTotals *totals, double amount)
{
	uint64		old = pg_atomic_read_u64(&totals->sum);
	uint64		new;

	do
	{
		double		value;

		memcpy(&value, &old, sizeof(value));
		value = Min(value + amount, DBL_MAX);
		memcpy(&new, &value, sizeof(new));
	} while (!pg_atomic_compare_exchange_u64(&totals->sum, &old, new));
}

/* The minute that an instant falls into; false for one out of all bounds. */
bool
er_metrics_minute(TimestampTz at, uint32 *minute)
{
	int64		number;

	if (TIMESTAMP_NOT_FINITE(at))
		return false;
	number = at / USECS_PER_MINUTE - (at % USECS_PER_MINUTE < 0) + MINUTE_OFFSET;
	if (number <= 0 || number > PG_UINT32_MAX)
		return false;
	*minute = (uint32) number;
	return true;
}

/* The family of that name, or an error that lists them. */
ErMetric
er_metrics_family(const text *name)
{
	for (int metric = 0; metric < ER_METRICS; metric++)
	{
		const char *known = er_metric_families[metric].name;

		if (strlen(known) == VARSIZE_ANY_EXHDR(name) && memcmp(known, VARDATA_ANY(name), strlen(known)) == 0)
			return metric;
	}
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("unknown family \"%.*s\"", pg_mbcliplen(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name), MAX_SHOWN),
					VARDATA_ANY(name)),
			 errdetail("The families are %s.", list_families())));
}

/*
 * The values of a family's labels in a jsonb object, in the family's order; NULL for one that is not there. Numbers and
 * booleans count as their text.
 */
void
er_metrics_label_values(ErMetric metric, Jsonb *labels, const char **values)
{
	const ErMetricFamily *family = &er_metric_families[metric];
	JsonbIterator *it;
	JsonbValue	v;
	JsonbIteratorToken token;

	for (int i = 0; i < ER_MAX_LABELS; i++)
		values[i] = NULL;
	if (labels == NULL)
		return;
	if (!JB_ROOT_IS_OBJECT(labels))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("labels is not an object"),
				 errhint("Give an object such as {\"success\": \"false\"}.")));

	it = JsonbIteratorInit(&labels->root);
	(void) JsonbIteratorNext(&it, &v, true);
	while ((token = JsonbIteratorNext(&it, &v, true)) == WJB_KEY)
	{
		int			label = 0;
		int			len = v.val.string.len;
		const char *name = v.val.string.val;

		while (label < family->nlabels &&
			   (strlen(family->labels[label].name) != len || memcmp(family->labels[label].name, name, len) != 0))
			label++;
		if (label == family->nlabels)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("labels.%.*s is no label of %s", pg_mbcliplen(name, len, MAX_SHOWN), name, family->name),
					 errdetail("%s", list_labels(family))));

		(void) JsonbIteratorNext(&it, &v, true);
		if (v.type == jbvString)
			values[label] = pnstrdup(v.val.string.val, v.val.string.len);
		else if (v.type == jbvBool)
			values[label] = v.val.boolean ? "true" : "false";
		else if (v.type == jbvNumeric)
			values[label] = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(v.val.numeric)));
		else if (v.type != jbvNull)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("labels.%s is no string", family->labels[label].name)));
	}
}

static char *
list_families(void)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int metric = 0; metric < ER_METRICS; metric++)
		appendStringInfo(&buf, "%s%s", metric == 0 ? "" : metric == ER_METRICS - 1 ? " and " : ", ",
						 er_metric_families[metric].name);
	return buf.data;
}

static char *
list_labels(const ErMetricFamily *family)
{
	StringInfoData buf;

	initStringInfo(&buf);
	if (family->nlabels == 0)
		appendStringInfoString(&buf, "It has no labels.");
	else if (family->nlabels == 1)
		appendStringInfo(&buf, "Its label is %s.", family->labels[0].name);
	else
		appendStringInfo(&buf, "Its labels are %s and %s.", family->labels[0].name, family->labels[1].name);
	return buf.data;
}
