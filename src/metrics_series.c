/*
 * metrics_series.c
 *		The shared memory of the metrics: its layout, and who has which series.
 *
 * Invariants:
 *	- A slot's key changes only under the lock held exclusively. A session keeps a series' address together with the
 *	  generation; freeing slots raises the generation. (A record caught between its look at the generation and its
 *	  addition by a reset and a new series in the same slot lands there: a reset breaks figures anyway.)
 *	- The number of series is fixed at start. The last quarter of them is kept for what overflows, one series a tenant
 *	  and family, so that a tenant with too many modules leaves the windows of the others whole. Where even those find
 *	  no room, a reserve holds one series for all tenants. Labels whose values come from our own code are kept.
 *	- A series is never evicted: its total would fall, and whoever scrapes would take that for a restart.
 *
 * A crash of a backend makes PostgreSQL set up shared memory anew: everything here begins at 0 again.
 */
#include "metrics.h"

#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#define TRANCHE				"execreport_metrics"
#define RESERVE				64	/* series for what finds no room within max_series */

int			er_max_series = 1000;
int			er_metric_slices = 120;
ErMetricsShared *er_metrics_shared = NULL;

static shmem_request_hook_type previous_request = NULL;
static shmem_startup_hook_type previous_startup = NULL;

static void request(void);
static void startup(void);
static int	index_size(void);
static Size shared_size(void);
static ErSeries *resolve(int32 tenant_id, ErMetric metric, const char *const *values);
static bool make_key(ErSeriesKey *key, int32 tenant_id, ErMetric metric, const char *const *values, uint16 overflow);
static bool has_unbounded(ErMetric metric);
static ErSeries *find_or_enter(const ErSeriesKey *key, int limit);
static ErSeries *find(const ErSeriesKey *key, uint32 hash);
static void enter_index(int slot);
static void clear_slot(ErSeries *series);
static List *databases_without_catalog(void);

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
	char	   *p;

	memset(key, 0, sizeof(*key));
	p = key->labels;
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

/* The value of the family's label of that number in a key */
const char *
er_metrics_value(const ErSeriesKey *key, int label)
{
	const char *value = key->labels;

	while (label-- > 0)
		value += strlen(value) + 1;
	return value;
}
