/*
 * flags_asked.c
 *		When was a flag last asked for? To the hour, for the report of stale flags.
 *
 * One table in shared memory, of fixed size: per database and flag (by a 64-bit hash of its key) the hour of the last
 * lookup. A session notes a flag once an hour, so lookups stay as fast as they are. The table is there when the library
 * is preloaded; it begins empty when the server starts, and says since when it knows. When it is full, flags without a
 * place count as unknown. The lock guards all of it; a place, once taken, stays.
 */
#include "flags_cache.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#define PLACES		4096
#define HOUR		(INT64CONST(3600) * USECS_PER_SEC)

typedef struct Place
{
	Oid			database;		/* InvalidOid: free */
	uint64		key;
	TimestampTz last;
} Place;

typedef struct Asked
{
	LWLock	   *lock;
	TimestampTz since;
	int			taken;
	Place		places[PLACES];
} Asked;

static Asked *asked = NULL;
static int64 noted_hour = 0;

static shmem_request_hook_type next_request = NULL;
static shmem_startup_hook_type next_startup = NULL;

static void request_memory(void);
static void start_up(void);
static Place *find_place(uint64 key, bool take);
static uint64 hash_of(ErFlagKey key);

PG_FUNCTION_INFO_V1(er_flag_asked);
PG_FUNCTION_INFO_V1(er_flags_asked_since);

/* Called while the library is preloaded. */
void
er_flags_asked_init(void)
{
	er_on_shmem_request(next_request, request_memory);
	next_startup = shmem_startup_hook;
	shmem_startup_hook = start_up;
}

static void
request_memory(void)
{
	if (next_request != NULL)
		next_request();
	RequestAddinShmemSpace(MAXALIGN(sizeof(Asked)));
	RequestNamedLWLockTranche("execreport flags asked", 1);
}

static void
start_up(void)
{
	bool		found;

	if (next_startup != NULL)
		next_startup();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	asked = ShmemInitStruct("execreport flags asked", sizeof(Asked), &found);
	if (!found)
	{
		memset(asked, 0, sizeof(Asked));
		asked->lock = &GetNamedLWLockTranche("execreport flags asked")->lock;
		asked->since = GetCurrentTimestamp();
	}
	LWLockRelease(AddinShmemInitLock);
}

/* A new hour: every flag is noted once more. */
void
er_flags_turn_hour(void)
{
	int64		hour = GetCurrentStatementStartTimestamp() / HOUR;

	if (likely(hour == noted_hour))
		return;
	for (int i = 0; i < er_flags.nflags; i++)
		er_flags.flags[i].asked = false;
	noted_hour = hour;
}

void
er_flags_note(ErFlag *flag)
{
	Place	   *place;
	uint64		key;
	TimestampTz now;

	flag->asked = true;
	if (asked == NULL)
		return;
	key = hash_of(flag->key);
	now = GetCurrentStatementStartTimestamp();
	LWLockAcquire(asked->lock, LW_SHARED);
	place = find_place(key, false);
	if (place != NULL && place->last / HOUR == now / HOUR)
	{
		LWLockRelease(asked->lock);
		return;
	}
	LWLockRelease(asked->lock);
	LWLockAcquire(asked->lock, LW_EXCLUSIVE);
	place = find_place(key, true);
	if (place != NULL)
		place->last = Max(place->last, now);
	LWLockRelease(asked->lock);
}

/* Linear probing; places are never given back, so a free one ends the search. */
static Place *
find_place(uint64 key, bool take)
{
	for (int i = 0; i < PLACES; i++)
	{
		Place	   *place = &asked->places[(key + MyDatabaseId + i) % PLACES];

		if (place->database == MyDatabaseId && place->key == key)
			return place;
		if (!OidIsValid(place->database))
		{
			if (!take)
				return NULL;
			place->database = MyDatabaseId;
			place->key = key;
			asked->taken++;
			return place;
		}
	}
	return NULL;
}

static uint64
hash_of(ErFlagKey key)
{
	return DatumGetUInt64(hash_any_extended((const unsigned char *) key.data, key.len, 0));
}

/*
 * When this flag was last asked for; NULL: not since the server started, or nobody knows.
 */
Datum
er_flag_asked(PG_FUNCTION_ARGS)
{
	Place	   *place;
	TimestampTz last = 0;

	if (asked == NULL)
		PG_RETURN_NULL();
	LWLockAcquire(asked->lock, LW_SHARED);
	place = find_place(hash_of(er_flag_text_key(PG_GETARG_TEXT_PP(0), 0)), false);
	if (place != NULL)
		last = place->last;
	LWLockRelease(asked->lock);
	if (last == 0)
		PG_RETURN_NULL();
	PG_RETURN_TIMESTAMPTZ(last / HOUR * HOUR);
}

/*
 * Since when that is known; NULL: it is not, for the library is not preloaded or the table is full.
 */
Datum
er_flags_asked_since(PG_FUNCTION_ARGS)
{
	bool		full;

	if (asked == NULL)
		PG_RETURN_NULL();
	LWLockAcquire(asked->lock, LW_SHARED);
	full = asked->taken == PLACES;
	LWLockRelease(asked->lock);
	if (full)
		PG_RETURN_NULL();
	PG_RETURN_TIMESTAMPTZ(asked->since);
}
