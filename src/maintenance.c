/*
 * maintenance.c
 *		Refusing to write while maintenance is engaged.
 *
 * What is engaged stands in execreport._maintenance: one row for everywhere (tenant 0), one for each tenant. Every
 * writer asks, so the rows are cached per session (session_cache.c says how): asking costs no table read.
 */
#include "maintenance.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_extension.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "session_cache.h"

/* Column numbers of execreport._maintenance */
#define MAINTENANCE_TENANT_ID	1
#define MAINTENANCE_MESSAGE		2

#define EVERYWHERE	0

typedef struct Engaged
{
	int32		tenant_id;
	char	   *message;
} Engaged;

static ErWatch maintenance_watch = {"_maintenance"};

/* the rows, as of that generation */
static MemoryContext cache_context = NULL;
static uint64 cached_generation = 0;
static List *cached_rows = NIL;

static Engaged *find_engaged(int32 tenant_id, uint64 generation);
static void load_rows(void);

PG_FUNCTION_INFO_V1(er_in_maintenance);

Datum
er_in_maintenance(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(find_engaged(PG_GETARG_INT32(0), er_watch_generation(&maintenance_watch)) != NULL);
}

/* Called right after the caller's rights were checked, which has accepted the messages of other sessions. */
void
er_refuse_in_maintenance(int32 tenant_id)
{
	Engaged    *engaged = find_engaged(tenant_id, er_watch_further(&maintenance_watch));

	if (likely(engaged == NULL))
		return;
	ereport(ERROR,
			(errcode(MAKE_SQLSTATE('P', 'T', '5', '0', '3')),
			 errmsg_internal("%s", engaged->message),
			 errdetail("MAINTENANCE"),
			 engaged->tenant_id == EVERYWHERE ?
			 errhint("Reading goes on. Try again later; a superuser ends it with execreport.set_maintenance(false).") :
			 errhint("Reading goes on. Try again later; an admin ends it with execreport.set_maintenance(false, tenant_id => %d).",
					 engaged->tenant_id)));
}

static Engaged *
find_engaged(int32 tenant_id, uint64 generation)
{
	ListCell   *cell;

	if (cached_generation != generation)
	{
		cached_generation = 0;
		load_rows();
		cached_generation = generation;
	}
	foreach(cell, cached_rows)
	{
		Engaged    *engaged = lfirst(cell);

		if (engaged->tenant_id == EVERYWHERE || engaged->tenant_id == tenant_id)
			return engaged;
	}
	return NULL;
}

static void
load_rows(void)
{
	Relation	rel = table_open(er_watch_relid(&maintenance_watch), AccessShareLock);
	SysScanDesc scan;
	HeapTuple	tuple;
	MemoryContext caller_context;

	if (cache_context == NULL)
		cache_context = AllocSetContextCreate(CacheMemoryContext, "execreport maintenance", ALLOCSET_SMALL_SIZES);
	cached_rows = NIL;
	MemoryContextReset(cache_context);

	scan = systable_beginscan(rel, InvalidOid, false, NULL, 0, NULL);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		bool		isnull;
		Engaged    *engaged;

		CHECK_FOR_INTERRUPTS();
		caller_context = MemoryContextSwitchTo(cache_context);
		engaged = palloc(sizeof(Engaged));
		engaged->tenant_id = DatumGetInt32(heap_getattr(tuple, MAINTENANCE_TENANT_ID, RelationGetDescr(rel), &isnull));
		engaged->message = TextDatumGetCString(heap_getattr(tuple, MAINTENANCE_MESSAGE, RelationGetDescr(rel), &isnull));
		cached_rows = lappend(cached_rows, engaged);
		MemoryContextSwitchTo(caller_context);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
}

PG_FUNCTION_INFO_V1(er_require_no_transaction);

/* What commits in between says so before it has done anything. */
Datum
er_require_no_transaction(PG_FUNCTION_ARGS)
{
	if (IsTransactionBlock())
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("%s cannot run inside a transaction block", text_to_cstring(PG_GETARG_TEXT_PP(0))),
				 errdetail("It commits what it has done, step by step."),
				 errhint("Call it in a statement of its own.")));
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(er_hold_extension);

/* DROP EXTENSION locks the extension before its tables: so it waits for our transaction, where else the two would deadlock. */
Datum
er_hold_extension(PG_FUNCTION_ARGS)
{
	LockDatabaseObject(ExtensionRelationId, get_extension_oid("execreport", false), 0, AccessShareLock);
	PG_RETURN_VOID();
}
