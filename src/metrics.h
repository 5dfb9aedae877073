/*
 * metrics.h
 *		Counters and histograms in shared memory: what to call to record, and what its own files share.
 *
 * Every function here may be called whether or not the library is preloaded: without shared memory nothing is
 * recorded and nothing fails.
 */
#ifndef ER_METRICS_H
#define ER_METRICS_H

#include "compat.h"

#include "datatype/timestamp.h"
#include "port/atomics.h"
#include "utils/jsonb.h"

/* --- For the other files --- */

typedef enum ErMetric
{
	ER_EXEC_REPORTS_CREATED = 0,	/* module_id, success */
	ER_MASTER_REPORTS_CREATED,	/* success */
	ER_REPORT_GENERATION_SECONDS,	/* type, module_id */
	ER_CONSOLIDATION_SECONDS,
	ER_SCENARIO_IMPORTS,		/* result */
	ER_TICK_STEP_SECONDS,		/* step, result */
	ER_METRICS					/* their number */
} ErMetric;

typedef enum ErAttemptKind
{
	ER_ATTEMPT_EXEC = 0,
	ER_ATTEMPT_MASTER,
	ER_ATTEMPT_CONSOLIDATION	/* its duration only */
} ErAttemptKind;

/*
 * The making of a report. Begin after the refusals (rights, flag, maintenance), end when it is stored. A success and its
 * duration count at commit; an attempt whose (sub)transaction aborts before its end counts as a failure at once; one that
 * ended with nothing made does not count. module_id: "" for master reports.
 */
extern void er_attempt_begin(ErAttemptKind kind, int32 tenant_id, const char *module_id, int module_id_len);
extern void er_attempt_end(bool made);

/* --- For execreport.c --- */

extern int	er_max_series;		/* execreport.max_series */
extern int	er_metric_slices;	/* execreport.metric_slices */
extern void er_metrics_init(void);

/* --- For the metrics' own files --- */

#define ER_MAX_LABELS		2
#define ER_MAX_BOUNDS		10
#define ER_MAX_CELLS		(ER_MAX_BOUNDS + 1)
#define ER_SHARDS			2	/* of a series, so that two backends seldom wait for each other */
#define ER_LABEL_BYTES		492 /* a module_id of 100 characters always fits */

/* A label's values come from our code (few) or from users (any number) */
typedef struct ErMetricLabel
{
	const char *name;
	bool		unbounded;
} ErMetricLabel;

typedef struct ErMetricFamily
{
	const char *name;
	const char *help;
	bool		histogram;
	int			nlabels;
	ErMetricLabel labels[ER_MAX_LABELS];
	int			nbounds;
	double		bounds[ER_MAX_BOUNDS];	/* finite upper bounds, ascending */
} ErMetricFamily;

extern const ErMetricFamily er_metric_families[ER_METRICS];

/* What a record stands under. Compared and hashed as bytes: every gap is zero. */
typedef struct ErSeriesKey
{
	Oid			database;
	int32		tenant_id;		/* 0: none, or all whose own series found no room */
	uint16		metric;
	uint16		overflow;		/* ER_OVERFLOW_... */
	char		labels[ER_LABEL_BYTES]; /* the values one after the other, each with its final NUL */
} ErSeriesKey;

#define ER_OVERFLOW_NONE	0
#define ER_OVERFLOW_TENANT	1	/* what a tenant has no room for: values of users are left out */
#define ER_OVERFLOW_ALL		2	/* what nobody has room for: the tenant is left out as well */

/*
 * One series. The lock guards `key` and `used`, which change under it exclusively, and nothing else.
 * A cell of the ring holds its minute in the upper half and a count in the lower one, so a single compare-and-exchange
 * both counts and, when the cell still holds an older minute, begins the new one: no reset, no race.
 * Each shard has a ring of its own. Counters use cell 0 for whole units and cell 1 for billionths, histograms one cell a bucket.
 */
typedef struct ErTotals
{
	pg_atomic_uint64 sum;		/* bits of a double: the counter's value, or the sum of the observed values */
	pg_atomic_uint64 buckets[ER_MAX_CELLS]; /* observations, not cumulative */
	char		pad[PG_CACHE_LINE_SIZE - (1 + ER_MAX_CELLS) * sizeof(pg_atomic_uint64)];
} ErTotals;

/* Its size is a multiple of a cache line, so that no two shards share one. */
typedef struct ErSeries
{
	ErTotals	totals[ER_SHARDS];
	ErSeriesKey key;
	pg_atomic_uint32 first;		/* the earliest minute ever recorded: before it, nothing was overwritten */
	bool		used;
} ErSeries;

StaticAssertDecl(sizeof(ErSeries) % PG_CACHE_LINE_SIZE == 0, "series share cache lines");

/* Why a record was refused */
typedef enum ErRefusal
{
	ER_REFUSED_NAN = 0,
	ER_REFUSED_INFINITE,
	ER_REFUSED_NEGATIVE,
	ER_REFUSED_TIME,
	ER_REFUSALS
} ErRefusal;

typedef struct ErMetricsShared
{
	struct LWLock *lock;		/* guards the slots' keys and the index below */
	int			max_series;
	int			nslots;			/* max_series and the reserve for what overflows */
	int			nslices;
	int			nindex;			/* a power of two */
	int			used;			/* slots taken within max_series */
	int			reserve_used;	/* and behind it */
	pg_atomic_uint32 generation;	/* rises when slots are freed */
	pg_atomic_uint64 dropped[ER_METRICS];	/* label sets without a series of their own */
	pg_atomic_uint64 refused[ER_REFUSALS];
	pg_atomic_uint64 reset_at;	/* TimestampTz */
	char		data[FLEXIBLE_ARRAY_MEMBER];	/* int32 index[nindex], ErSeries slots[nslots], uint64 cells[] */
} ErMetricsShared;

extern ErMetricsShared *er_metrics_shared;

extern ErSeries *er_metrics_slot(int slot);
extern pg_atomic_uint64 *er_metrics_cells(const ErSeries *series, int shard, uint32 minute);
extern ErSeries *er_metrics_enter(const ErSeriesKey *key);	/* the lock held exclusively */
extern void er_metrics_count(pg_atomic_uint64 *cell, uint32 minute, uint64 count);
extern void er_metrics_begin(ErSeries *series, uint32 minute);
extern double er_metrics_sum(const ErSeries *series);
extern uint64 er_metrics_bucket(const ErSeries *series, int bucket);
extern void er_metrics_add_sum(ErTotals *totals, double amount);
extern bool er_metrics_minute(TimestampTz at, uint32 *minute);
extern void er_metrics_require_own(void);
extern ErMetric er_metrics_family(const text *name);
extern void er_metrics_label_values(ErMetric metric, Jsonb *labels, const char **values);
extern const char *er_metrics_value(const ErSeriesKey *key, int label);
extern void er_metrics_empty(void);
extern void er_metrics_save(int code, Datum arg);
extern void er_metrics_restore(void);

/* Which series a reader means */
typedef struct ErMetricFilter
{
	ErMetric	metric;
	bool		all_tenants;
	int32		tenant_id;
	const char *values[ER_MAX_LABELS];	/* NULL: any */
} ErMetricFilter;

extern bool er_metrics_reads_all(void);

/* Handles of attempts: a series, good while no slot was freed since */
typedef struct ErSeriesHandle
{
	ErSeries   *series;
	uint32		generation;
} ErSeriesHandle;

extern ErSeriesHandle er_metrics_handle(int32 tenant_id, ErMetric metric, const char *const *values);
extern void er_metrics_record(ErSeriesHandle handle, double value, TimestampTz at);
extern void er_metrics_record_many(ErSeriesHandle handle, const uint32 *buckets, double sum, TimestampTz at);

#endif							/* ER_METRICS_H */
