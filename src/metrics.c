/*
 * metrics.c
 *		Counters and histograms in shared memory: the series, and recording into them.
 *
 * Recording takes no lock and outlives a rollback: that is the point of having it in shared memory, for a failure is
 * counted although its transaction leaves no row. A record is an atomic addition to the series' totals and a
 * compare-and-exchange on a cell of its ring of one-minute slices (see ErSeries), so windows need no scraper.
 *
 * Invariants:
 *	- A slot's key changes only under the lock held exclusively. A session finds a series once and keeps its address
 *	  together with the generation; freeing slots raises the generation. (A record caught between its look at the
 *	  generation and its addition by a reset and a new series in the same slot lands there: a reset breaks figures anyway.)
 *	- The number of series is fixed at start. The last quarter of them is kept for what overflows, one series a tenant
 *	  and family, so that a tenant with too many modules leaves the windows of the others whole. Where even those find
 *	  no room, a reserve holds one series for all tenants. Labels whose values come from our own code are kept.
 *	- Totals and windows of a series are its own: a record too old for its slice of the ring is in the totals only.
 *
 * A crash of a backend makes PostgreSQL set up shared memory anew: everything here begins at 0 again.
 */
#include "metrics.h"

#include <float.h>
#include <math.h>

#include "common/hashfn.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#define TRANCHE				"execreport_metrics"
#define RESERVE				64	/* series for what finds no room within max_series */
#define SITES				256 /* remembered calls, a power of two */
#define SITE_BYTES			256 /* of their family and labels */
#define MAX_SHOWN			64	/* bytes of a value in an error */
#define MINUTE_OFFSET		INT64CONST(1000000000)	/* minute 0 is long ago, so that dates before 2000 have a minute too */
#define BILLION				1000000000

#define DURATION_BOUNDS		10, {0.1, 0.5, 1, 2, 5, 10, 15, 30, 60, 300}

/* In the order of ErMetric */
const ErMetricFamily er_metric_families[ER_METRICS] = {
	{"exec_reports_created_total", "Total number of ExecReports created.",
	false, 2, {{"module_id", true}, {"success"}}},
	{"master_reports_created_total", "Total number of MasterReports created.",
	false, 1, {{"success"}}},
	{"report_generation_duration_seconds", "Time taken to generate reports.",
	true, 2, {{"type"}, {"module_id", true}}, DURATION_BOUNDS},
	{"consolidation_duration_seconds", "Time taken to consolidate insights and recommendations.",
	true, 0, {{NULL}}, 8, {0.1, 0.5, 1, 2, 5, 10, 30, 60}},
	{"scenario_imports_total", "Total number of scenario imports.",
	false, 1, {{"result"}}},
	{"execreport_tick_step_duration_seconds", "Time taken by a step of tick().",
	true, 2, {{"step"}, {"result"}}, 9, {0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300}},
	{"execreport_events_total", "Events written to the outbox.",
	false, 1, {{"topic", true}}},
	{"execreport_notifications_total", "Notifications written to the outbox.",
	false, 2, {{"channel"}, {"severity"}}}
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

int			er_max_series = 1000;
int			er_metric_slices = 120;
ErMetricsShared *er_metrics_shared = NULL;

static shmem_request_hook_type previous_request = NULL;
static shmem_startup_hook_type previous_startup = NULL;
static Site *sites = NULL;

static void request(void);
static void startup(void);
static int	index_size(void);
static Size shared_size(void);
static void record_call(FunctionCallInfo fcinfo, bool histogram);
static Site *find_site(int32 tenant_id, const text *family, const text *labels, bool histogram, FunctionCallInfo fcinfo);
static bool same_call(const Site *site, int32 tenant_id, const text *family, const text *labels);
static ErSeriesHandle checked_handle(Site *site, FunctionCallInfo fcinfo);
static void refuse(ErRefusal why);
static bool make_key(ErSeriesKey *key, int32 tenant_id, ErMetric metric, const char *const *values, uint16 overflow);
static bool has_unbounded(ErMetric metric);
static ErSeries *resolve(int32 tenant_id, ErMetric metric, const char *const *values);
static ErSeries *find(const ErSeriesKey *key, uint32 hash);
static ErSeries *find_or_enter(const ErSeriesKey *key, int limit);
static void enter_index(int slot);
static void clear_slot(ErSeries *series);
static List *databases_without_catalog(void);
static char *list_families(void);
static char *list_labels(const ErMetricFamily *family);

PG_FUNCTION_INFO_V1(er_sql_metric_add);
PG_FUNCTION_INFO_V1(er_sql_metric_observe);
PG_FUNCTION_INFO_V1(er_reset_metrics);
PG_FUNCTION_INFO_V1(er_metrics_available);

static inline int32 *
slot_index(void)
{
	return (int32 *) ((char *) er_metrics_shared + CACHELINEALIGN(offsetof(ErMetricsShared, data)));
}

/* Called by _PG_init when the library is preloaded. */
void
er_metrics_init(void)
{
	er_on_shmem_request(previous_request, request);
	previous_startup = shmem_startup_hook;
	shmem_startup_hook = startup;
}

static void
request(void)
{
	if (previous_request != NULL)
		previous_request();
	RequestAddinShmemSpace(shared_size());
	RequestNamedLWLockTranche(TRANCHE, 1);
}

static void
startup(void)
{
	bool		found;

	if (previous_startup != NULL)
		previous_startup();

	sites = NULL;				/* after a crash: of the memory that was */
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	er_metrics_shared = ShmemInitStruct("execreport metrics", shared_size(), &found);
	if (!found)
	{
		memset(er_metrics_shared, 0, shared_size());
		er_metrics_shared->lock = &(GetNamedLWLockTranche(TRANCHE))->lock;
		er_metrics_shared->max_series = er_max_series;
		er_metrics_shared->nslots = er_max_series + RESERVE;
		er_metrics_shared->nslices = er_metric_slices;
		er_metrics_shared->nindex = index_size();
		pg_atomic_init_u32(&er_metrics_shared->generation, 1);
		er_metrics_empty();
	}
	LWLockRelease(AddinShmemInitLock);

	/* as the statistics of PostgreSQL itself: kept by the postmaster over a clean restart */
	if (!IsUnderPostmaster)
		on_shmem_exit(er_metrics_save, (Datum) 0);
	if (!found)
		er_metrics_restore();
}

/* As at the very first start. Nobody else is attached yet. */
void
er_metrics_empty(void)
{
	memset(slot_index(), 0, er_metrics_shared->nindex * sizeof(int32));
	er_metrics_shared->used = 0;
	er_metrics_shared->reserve_used = 0;
	for (int i = 0; i < ER_METRICS; i++)
		pg_atomic_init_u64(&er_metrics_shared->dropped[i], 0);
	for (int i = 0; i < ER_REFUSALS; i++)
		pg_atomic_init_u64(&er_metrics_shared->refused[i], 0);
	pg_atomic_init_u64(&er_metrics_shared->reset_at, (uint64) GetCurrentTimestamp());
	for (int i = 0; i < er_metrics_shared->nslots; i++)
		clear_slot(er_metrics_slot(i));
}

static int
index_size(void)
{
	int			size = 64;

	while (size < 2 * (er_max_series + RESERVE))
		size *= 2;
	return size;
}

static Size
shared_size(void)
{
	Size		slots = er_max_series + RESERVE;
	Size		size = CACHELINEALIGN(offsetof(ErMetricsShared, data));

	size = add_size(size, CACHELINEALIGN(mul_size(index_size(), sizeof(int32))));
	size = add_size(size, mul_size(slots, sizeof(ErSeries)));
	return add_size(size, mul_size(mul_size(slots, ER_SHARDS * er_metric_slices), ER_MAX_CELLS * sizeof(pg_atomic_uint64)));
}

ErSeries *
er_metrics_slot(int slot)
{
	return (ErSeries *) ((char *) slot_index() + CACHELINEALIGN(er_metrics_shared->nindex * sizeof(int32))) + slot;
}

/* The cells of the slice that this minute falls into. The shards' rings lie apart. */
pg_atomic_uint64 *
er_metrics_cells(const ErSeries *series, int shard, uint32 minute)
{
	Size		ring = (series - er_metrics_slot(0)) * ER_SHARDS + shard;

	return (pg_atomic_uint64 *) er_metrics_slot(er_metrics_shared->nslots) +
		(ring * er_metrics_shared->nslices + minute % er_metrics_shared->nslices) * ER_MAX_CELLS;
}

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

void
er_metric_add(int32 tenant_id, ErMetric metric, const char *const *values, double amount)
{
	Assert(!er_metric_families[metric].histogram);
	er_metrics_record(er_metrics_handle(tenant_id, metric, values), amount, GetCurrentTimestamp());
}

void
er_metric_observe(int32 tenant_id, ErMetric metric, const char *const *values, double value)
{
	Assert(er_metric_families[metric].histogram);
	er_metrics_record(er_metrics_handle(tenant_id, metric, values), value, GetCurrentTimestamp());
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

ErSeriesHandle
er_metrics_handle(int32 tenant_id, ErMetric metric, const char *const *values)
{
	ErSeriesHandle handle = {NULL, 0};

	if (er_metrics_shared != NULL)
	{
		handle.generation = pg_atomic_read_u32(&er_metrics_shared->generation);
		handle.series = resolve(tenant_id, metric, values);
	}
	return handle;
}

/*
 * The series of these labels, or the one they overflow into; NULL when even the reserve is taken.
 */
static ErSeries *
resolve(int32 tenant_id, ErMetric metric, const char *const *values)
{
	ErSeriesKey key;
	ErSeries   *series = NULL;
	int			limit = er_metrics_shared->max_series;

	if (has_unbounded(metric))
	{
		if (make_key(&key, tenant_id, metric, values, ER_OVERFLOW_NONE))
			series = find_or_enter(&key, limit - limit / 4);
		if (series != NULL)
			return series;
		pg_atomic_fetch_add_u64(&er_metrics_shared->dropped[metric], 1);
		if (make_key(&key, tenant_id, metric, values, ER_OVERFLOW_TENANT))
			series = find_or_enter(&key, limit);
	}
	else
	{
		if (make_key(&key, tenant_id, metric, values, ER_OVERFLOW_NONE))
			series = find_or_enter(&key, limit);
		if (series == NULL)
			pg_atomic_fetch_add_u64(&er_metrics_shared->dropped[metric], 1);
	}
	if (series == NULL && make_key(&key, 0, metric, values, ER_OVERFLOW_ALL))
		series = find_or_enter(&key, 0);
	return series;
}

/* False when the values are too long for a series. */
static bool
make_key(ErSeriesKey *key, int32 tenant_id, ErMetric metric, const char *const *values, uint16 overflow)
{
	const ErMetricFamily *family = &er_metric_families[metric];
	char	   *p = key->labels;

	memset(key, 0, sizeof(*key));
	key->database = MyDatabaseId;
	key->tenant_id = tenant_id;
	key->metric = metric;
	key->overflow = overflow;
	for (int i = 0; i < family->nlabels; i++)
	{
		const char *value = values[i] == NULL || (overflow != ER_OVERFLOW_NONE && family->labels[i].unbounded) ? "" : values[i];
		Size		len = strlen(value) + 1;

		if (p + len > key->labels + ER_LABEL_BYTES)
			return false;
		memcpy(p, value, len);
		p += len;
	}
	return true;
}

static bool
has_unbounded(ErMetric metric)
{
	for (int i = 0; i < er_metric_families[metric].nlabels; i++)
	{
		if (er_metric_families[metric].labels[i].unbounded)
			return true;
	}
	return false;
}

/* limit: how many slots may be taken by then; 0 = in the reserve */
static ErSeries *
find_or_enter(const ErSeriesKey *key, int limit)
{
	uint32		hash = hash_bytes((const unsigned char *) key, sizeof(*key));
	ErSeries   *series;

	LWLockAcquire(er_metrics_shared->lock, LW_SHARED);
	series = find(key, hash);
	LWLockRelease(er_metrics_shared->lock);
	if (series != NULL)
		return series;

	LWLockAcquire(er_metrics_shared->lock, LW_EXCLUSIVE);
	series = find(key, hash);
	if (series == NULL && (limit == 0 || er_metrics_shared->used < limit))
		series = er_metrics_enter(key);
	LWLockRelease(er_metrics_shared->lock);
	return series;
}

static ErSeries *
find(const ErSeriesKey *key, uint32 hash)
{
	uint32		mask = er_metrics_shared->nindex - 1;

	for (uint32 i = hash & mask; slot_index()[i] != 0; i = (i + 1) & mask)
	{
		ErSeries   *series = er_metrics_slot(slot_index()[i] - 1);

		if (memcmp(&series->key, key, sizeof(*key)) == 0)
			return series;
	}
	return NULL;
}

/* A new series for a key that has none; NULL when there is no room. The lock is held exclusively. */
ErSeries *
er_metrics_enter(const ErSeriesKey *key)
{
	bool		reserve = key->overflow == ER_OVERFLOW_ALL;
	int			first = reserve ? er_metrics_shared->max_series : 0;
	int			end = reserve ? er_metrics_shared->nslots : er_metrics_shared->max_series;

	for (int slot = first; slot < end; slot++)
	{
		ErSeries   *series = er_metrics_slot(slot);

		if (series->used)
			continue;
		series->key = *key;
		series->used = true;
		enter_index(slot);
		if (reserve)
			er_metrics_shared->reserve_used++;
		else
			er_metrics_shared->used++;
		return series;
	}
	return NULL;
}

static void
enter_index(int slot)
{
	uint32		mask = er_metrics_shared->nindex - 1;
	uint32		i = hash_bytes((const unsigned char *) &er_metrics_slot(slot)->key, sizeof(ErSeriesKey)) & mask;

	while (slot_index()[i] != 0)
		i = (i + 1) & mask;
	slot_index()[i] = slot + 1;
}

static void
clear_slot(ErSeries *series)
{
	memset(&series->key, 0, sizeof(series->key));
	series->used = false;
	pg_atomic_init_u32(&series->first, PG_UINT32_MAX);
	for (int shard = 0; shard < ER_SHARDS; shard++)
	{
		pg_atomic_uint64 *cells = er_metrics_cells(series, shard, 0);

		pg_atomic_init_u64(&series->totals[shard].sum, 0);
		for (int i = 0; i < ER_MAX_CELLS; i++)
			pg_atomic_init_u64(&series->totals[shard].buckets[i], 0);
		for (int i = 0; i < er_metrics_shared->nslices * ER_MAX_CELLS; i++)
			pg_atomic_init_u64(&cells[i], 0);
	}
}

/*
 * reset_metrics(): frees the series of this database, and of databases that are no more.
 */
Datum
er_reset_metrics(PG_FUNCTION_ARGS)
{
	TimestampTz now = GetCurrentTimestamp();
	List	   *gone;

	if (!superuser_arg(GetOuterUserId()))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("only a superuser resets metrics")));
	if (er_metrics_shared == NULL)
		PG_RETURN_NULL();

	gone = databases_without_catalog();
	LWLockAcquire(er_metrics_shared->lock, LW_EXCLUSIVE);
	pg_atomic_fetch_add_u32(&er_metrics_shared->generation, 1);
	memset(slot_index(), 0, er_metrics_shared->nindex * sizeof(int32));
	for (int slot = 0; slot < er_metrics_shared->nslots; slot++)
	{
		ErSeries   *series = er_metrics_slot(slot);

		if (!series->used)
			continue;
		if (series->key.database != MyDatabaseId && !list_member_oid(gone, series->key.database))
		{
			enter_index(slot);
			continue;
		}
		clear_slot(series);
		if (slot < er_metrics_shared->max_series)
			er_metrics_shared->used--;
		else
			er_metrics_shared->reserve_used--;
	}
	for (int i = 0; i < ER_METRICS; i++)
		pg_atomic_write_u64(&er_metrics_shared->dropped[i], 0);
	for (int i = 0; i < ER_REFUSALS; i++)
		pg_atomic_write_u64(&er_metrics_shared->refused[i], 0);
	pg_atomic_write_u64(&er_metrics_shared->reset_at, (uint64) now);
	LWLockRelease(er_metrics_shared->lock);
	PG_RETURN_TIMESTAMPTZ(now);
}

static List *
databases_without_catalog(void)
{
	Oid		   *databases = palloc(er_metrics_shared->nslots * sizeof(Oid));
	int			count = 0;
	List	   *gone = NIL;

	LWLockAcquire(er_metrics_shared->lock, LW_SHARED);
	for (int slot = 0; slot < er_metrics_shared->nslots; slot++)
	{
		ErSeries   *series = er_metrics_slot(slot);

		if (series->used && (count == 0 || databases[count - 1] != series->key.database))
			databases[count++] = series->key.database;
	}
	LWLockRelease(er_metrics_shared->lock);
	for (int i = 0; i < count; i++)
	{
		if (!SearchSysCacheExists1(DATABASEOID, ObjectIdGetDatum(databases[i])))
			gone = list_append_unique_oid(gone, databases[i]);
	}
	return gone;
}

Datum
er_metrics_available(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(er_metrics_shared != NULL);
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

/* The value of the family's label of that number in a key */
const char *
er_metrics_value(const ErSeriesKey *key, int label)
{
	const char *value = key->labels;

	while (label-- > 0)
		value += strlen(value) + 1;
	return value;
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
