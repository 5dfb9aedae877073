/*
 * metrics_text.c
 *		The metrics as Prometheus reads them, and as rows.
 *
 * Two text formats: Prometheus' 0.0.4 and OpenMetrics 1.0. In both, a family's lines stand together behind its HELP and
 * TYPE, label sets are unique and in order, buckets are cumulative and end in +Inf, which equals _count. The series of
 * all tenants are added up, so that the labels are those of the family and nothing else. Only what overflowed shows a
 * label of its own: overflow="true" in place of the values that had no room.
 */
#include "metrics.h"

#include <math.h>

#include "common/shortest_dec.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/lwlock.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/json.h"
#include "utils/timestamp.h"

#include "rows.h"
#include "tenancy.h"

#define MAX_SHOWN			64
#define UNIX_EPOCH			946684800	/* 2000-01-01 in seconds since 1970 */

/* A series as it is shown */
typedef struct Row
{
	uint16		metric;
	bool		overflow;
	const char *values[ER_MAX_LABELS];
	double		sum;
	uint64		buckets[ER_MAX_CELLS];
} Row;

typedef struct Label
{
	const char *name;
	const char *value;
} Label;

/* Where the samples go: a text, or a set of rows */
typedef struct Sink
{
	StringInfo	text;
	bool		openmetrics;
	ReturnSetInfo *rows;
	const char *family;
	const char *type;
} Sink;

static void write_metrics(Sink *sink, bool all_tenants, int32 tenant_id);
static Row *gather(bool all_tenants, int32 tenant_id, int *count);
static void add_row(Row *rows, int *count, const ErSeries *series);
static void add_zero(Row *rows, int *count, ErMetric metric, const char *value);
static int	compare_rows(const void *a, const void *b);
static void write_row(Sink *sink, const Row *row);
static void write_own(Sink *sink);
static void begin_family(Sink *sink, const char *name, const char *type, const char *help);
static void sample(Sink *sink, const char *suffix, const Label *labels, int nlabels, const double *le, double value);
static void write_label(StringInfo text, bool *first, const char *name, const char *value);
static void write_number(StringInfo text, double value, bool fraction);
static Datum labels_jsonb(const Label *labels, int nlabels);

PG_FUNCTION_INFO_V1(er_metrics);
PG_FUNCTION_INFO_V1(er_metrics_rows);

/* metrics(format) */
Datum
er_metrics(PG_FUNCTION_ARGS)
{
	StringInfoData out;
	Sink		sink = {&out};
	char	   *format;

	if (!er_metrics_reads_all())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("only superusers and members of pg_monitor read the metrics of all tenants"),
				 errhint("execreport.metrics_rows() shows those of your tenant.")));
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	format = text_to_cstring(PG_GETARG_TEXT_PP(0));
	sink.openmetrics = strcmp(format, "openmetrics") == 0;
	if (!sink.openmetrics && strcmp(format, "prometheus") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown format \"%.*s\"", pg_mbcliplen(format, strlen(format), MAX_SHOWN), format),
				 errdetail("The formats are prometheus and openmetrics.")));

	initStringInfo(&out);
	write_metrics(&sink, true, 0);
	if (sink.openmetrics)
		appendStringInfoString(&out, "# EOF\n");
	PG_RETURN_TEXT_P(cstring_to_text_with_len(out.data, out.len));
}

/* metrics_rows(): (name, type, labels, value, le) */
Datum
er_metrics_rows(PG_FUNCTION_ARGS)
{
	Sink		sink = {NULL};
	bool		all_tenants = er_metrics_reads_all();

	sink.rows = er_return_rows(fcinfo);
	write_metrics(&sink, all_tenants, all_tenants ? 0 : er_current_tenant_id());
	return (Datum) 0;
}

static void
write_metrics(Sink *sink, bool all_tenants, int32 tenant_id)
{
	const double available = er_metrics_shared != NULL;
	Row		   *rows;
	int			count;
	int			next = 0;

	if (er_metrics_shared == NULL)
	{
		/* OpenMetrics has no comments, so it says it in HELP alone */
		if (sink->text != NULL && !sink->openmetrics)
			appendStringInfoString(sink->text,
								   "# execreport is not among shared_preload_libraries: nothing is measured.\n"
								   "# Add it to shared_preload_libraries in postgresql.conf and restart the server.\n");
		begin_family(sink, "execreport_metrics_available", "gauge",
					 "Whether metrics are kept: 0 until execreport is added to shared_preload_libraries");
		sample(sink, "", NULL, 0, NULL, available);
		return;
	}

	rows = gather(all_tenants, tenant_id, &count);
	for (int metric = 0; metric < ER_METRICS; metric++)
	{
		const ErMetricFamily *family = &er_metric_families[metric];

		CHECK_FOR_INTERRUPTS();
		begin_family(sink, family->name, family->histogram ? "histogram" : "counter", family->help);
		for (; next < count && rows[next].metric == metric; next++)
			write_row(sink, &rows[next]);
	}
	if (all_tenants)
	{
		begin_family(sink, "execreport_metrics_available", "gauge",
					 "Whether metrics are kept: 0 until execreport is added to shared_preload_libraries");
		sample(sink, "", NULL, 0, NULL, available);
		write_own(sink);
	}
}

/*
 * The series of this database, added up over the tenants, in order. What only our own code names begins at 0.
 */
static Row *
gather(bool all_tenants, int32 tenant_id, int *count)
{
	Row		   *rows = palloc_extended((er_metrics_shared->nslots + 8) * sizeof(Row), MCXT_ALLOC_HUGE);
	int			merged = 0;

	*count = 0;
	LWLockAcquire(er_metrics_shared->lock, LW_SHARED);
	for (int slot = 0; slot < er_metrics_shared->nslots; slot++)
	{
		const ErSeries *series = er_metrics_slot(slot);

		if (series->used && series->key.database == MyDatabaseId &&
			(all_tenants || (series->key.tenant_id == tenant_id && series->key.overflow != ER_OVERFLOW_ALL)))
			add_row(rows, count, series);
	}
	LWLockRelease(er_metrics_shared->lock);
	add_zero(rows, count, ER_MASTER_REPORTS_CREATED, "true");
	add_zero(rows, count, ER_MASTER_REPORTS_CREATED, "false");
	add_zero(rows, count, ER_CONSOLIDATION_SECONDS, NULL);

	qsort(rows, *count, sizeof(Row), compare_rows);
	for (int i = 1; i < *count; i++)
	{
		Row		   *row = &rows[merged];

		if (compare_rows(row, &rows[i]) != 0)
		{
			rows[++merged] = rows[i];
			continue;
		}
		row->sum += rows[i].sum;
		for (int cell = 0; cell < ER_MAX_CELLS; cell++)
			row->buckets[cell] += rows[i].buckets[cell];
	}
	*count = merged + 1;
	return rows;
}

static void
add_row(Row *rows, int *count, const ErSeries *series)
{
	Row		   *row = &rows[(*count)++];
	const ErMetricFamily *family = &er_metric_families[series->key.metric];

	memset(row, 0, sizeof(*row));
	row->metric = series->key.metric;
	row->overflow = series->key.overflow != ER_OVERFLOW_NONE;
	for (int i = 0; i < family->nlabels; i++)
		row->values[i] = pstrdup(er_metrics_value(&series->key, i));
	row->sum = er_metrics_sum(series);
	for (int i = 0; i < ER_MAX_CELLS; i++)
		row->buckets[i] = er_metrics_bucket(series, i);
}

static void
add_zero(Row *rows, int *count, ErMetric metric, const char *value)
{
	Row		   *row = &rows[(*count)++];

	memset(row, 0, sizeof(*row));
	row->metric = metric;
	row->values[0] = value;
}

static int
compare_rows(const void *a, const void *b)
{
	const Row  *x = a;
	const Row  *y = b;
	int			order = (int) x->metric - (int) y->metric;

	if (order == 0)
		order = (int) x->overflow - (int) y->overflow;
	for (int i = 0; i < er_metric_families[x->metric].nlabels && order == 0; i++)
		order = strcmp(x->values[i], y->values[i]);
	return order;
}

static void
write_row(Sink *sink, const Row *row)
{
	const ErMetricFamily *family = &er_metric_families[row->metric];
	Label		labels[ER_MAX_LABELS + 1];
	int			nlabels = 0;
	uint64		count = 0;

	for (int i = 0; i < family->nlabels; i++)
	{
		if (!row->overflow || !family->labels[i].unbounded)
			labels[nlabels++] = (Label) {family->labels[i].name, row->values[i]};
	}
	if (row->overflow)
		labels[nlabels++] = (Label) {"overflow", "true"};

	if (!family->histogram)
	{
		sample(sink, "", labels, nlabels, NULL, row->sum);
		return;
	}
	for (int i = 0; i <= family->nbounds; i++)
	{
		double		le = i < family->nbounds ? family->bounds[i] : get_float8_infinity();

		count += row->buckets[i];
		sample(sink, "_bucket", labels, nlabels, &le, count);
	}
	sample(sink, "_sum", labels, nlabels, NULL, row->sum);
	sample(sink, "_count", labels, nlabels, NULL, count);
}

/* The metrics of the metrics; they are the server's, not a database's. */
static void
write_own(Sink *sink)
{
	static const char *const reasons[] = {"nan", "infinite", "negative", "time"};
	ErMetricsShared *shared = er_metrics_shared;
	TimestampTz reset_at = (TimestampTz) pg_atomic_read_u64(&shared->reset_at);

	begin_family(sink, "execreport_metric_series", "gauge", "Series in use, in all databases");
	sample(sink, "", NULL, 0, NULL, shared->used);
	begin_family(sink, "execreport_metric_series_limit", "gauge", "Series there is room for: the setting execreport.max_series");
	sample(sink, "", NULL, 0, NULL, shared->max_series);
	begin_family(sink, "execreport_metric_series_dropped_total", "counter",
				 "Label sets that found no room and are counted in the series with overflow, once for each session that brought them");
	for (int i = 0; i < ER_METRICS; i++)
	{
		Label		label = {"family", er_metric_families[i].name};

		sample(sink, "", &label, 1, NULL, pg_atomic_read_u64(&shared->dropped[i]));
	}
	begin_family(sink, "execreport_metric_records_refused_total", "counter", "Records refused for their value or time");
	for (int i = 0; i < ER_REFUSALS; i++)
	{
		Label		label = {"reason", reasons[i]};

		sample(sink, "", &label, 1, NULL, pg_atomic_read_u64(&shared->refused[i]));
	}
	begin_family(sink, "execreport_metrics_reset_timestamp_seconds", "gauge",
				 "When the metrics began at 0: the last reset, or the first start after a crash");
	sample(sink, "", NULL, 0, NULL, floor(reset_at / 1e6) + UNIX_EPOCH);
}

static void
begin_family(Sink *sink, const char *name, const char *type, const char *help)
{
	int			len = strlen(name);

	sink->family = name;
	sink->type = type;
	if (sink->text == NULL)
		return;
	/* OpenMetrics' counters have their suffix in the samples only */
	if (sink->openmetrics && strcmp(type, "counter") == 0)
		len -= strlen("_total");
	appendStringInfo(sink->text, "# HELP %.*s %s\n# TYPE %.*s %s\n", len, name, help, len, name, type);
}

static void
sample(Sink *sink, const char *suffix, const Label *labels, int nlabels, const double *le, double value)
{
	bool		first = true;

	if (sink->rows != NULL)
	{
		Datum		values[5];
		bool		nulls[5] = {false};

		values[0] = PointerGetDatum(cstring_to_text(psprintf("%s%s", sink->family, suffix)));
		values[1] = PointerGetDatum(cstring_to_text(sink->type));
		values[2] = labels_jsonb(labels, nlabels);
		values[3] = Float8GetDatum(value);
		values[4] = le == NULL ? (Datum) 0 : Float8GetDatum(*le);
		nulls[4] = le == NULL;
		tuplestore_putvalues(sink->rows->setResult, sink->rows->setDesc, values, nulls);
		return;
	}

	appendStringInfo(sink->text, "%s%s", sink->family, suffix);
	for (int i = 0; i < nlabels; i++)
		write_label(sink->text, &first, labels[i].name, labels[i].value);
	if (le != NULL)
	{
		StringInfoData bound;

		initStringInfo(&bound);
		write_number(&bound, *le, sink->openmetrics);
		write_label(sink->text, &first, "le", bound.data);
		pfree(bound.data);
	}
	if (!first)
		appendStringInfoChar(sink->text, '}');
	appendStringInfoChar(sink->text, ' ');
	write_number(sink->text, value, false);
	appendStringInfoChar(sink->text, '\n');
}

static void
write_label(StringInfo text, bool *first, const char *name, const char *value)
{
	appendStringInfo(text, "%c%s=\"", *first ? '{' : ',', name);
	*first = false;
	for (const char *p = value; *p != '\0'; p++)
	{
		if (*p == '\\' || *p == '"')
			appendStringInfoChar(text, '\\');
		if (*p == '\n')
			appendStringInfoString(text, "\\n");
		else
			appendStringInfoChar(text, *p);
	}
	appendStringInfoChar(text, '"');
}

/* fraction: a whole number is written with .0, as OpenMetrics wants bounds */
static void
write_number(StringInfo text, double value, bool fraction)
{
	char		buf[DOUBLE_SHORTEST_DECIMAL_LEN];

	if (isinf(value))
	{
		appendStringInfoString(text, "+Inf");
		return;
	}
	double_to_shortest_decimal_buf(value, buf);
	appendStringInfoString(text, buf);
	if (fraction && strspn(buf, "0123456789") == strlen(buf))
		appendStringInfoString(text, ".0");
}

static Datum
labels_jsonb(const Label *labels, int nlabels)
{
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfoChar(&json, '{');
	for (int i = 0; i < nlabels; i++)
	{
		appendStringInfoString(&json, i == 0 ? "" : ", ");
		escape_json(&json, labels[i].name);
		appendStringInfoString(&json, ": ");
		escape_json(&json, labels[i].value);
	}
	appendStringInfoChar(&json, '}');
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data));
}
