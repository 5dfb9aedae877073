/*
 * session_cache.c
 *		Knowing, in one session, that the rows of a table may have changed in another.
 *
 * Rows that are asked for all the time (memberships, flags) are cached per session. Whoever changes such a table
 * calls execreport._announce_change(table) in the same transaction: it queues a relation-cache invalidation, which
 * PostgreSQL delivers to every session at commit, to our own session at the end of the command, and once more to our
 * own session when the transaction or a subtransaction rolls back. The callback only raises a counter, for it can
 * run inside any catalog access.
 *
 * The rule for a cache:
 *
 *		generation = er_watch_generation(&watch);
 *		if (cache.generation != generation) { reload; cache.generation = generation; }
 *
 * The counter is taken before the reload, so a change that arrives while loading is noticed by the next call.
 * Messages are accepted at each call, so a change is seen also inside an open transaction. Load through
 * systable_beginscan(..., NULL snapshot, ...): such a scan takes a fresh snapshot at any isolation level, works in
 * parallel workers, and sees what our own transaction has done; rows loaded under an older snapshot would outlive the
 * message that announced their change.
 */
#include "session_cache.h"

#include "catalog/namespace.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

static ErWatch *watches = NULL;
static uint64 role_generation = 1;
static bool callbacks_registered = false;

static void register_watch(ErWatch *watch);
static void register_callbacks(void);
static void relation_changed(Datum arg, Oid relid);
static void roles_changed(Datum arg, int cacheid, uint32 hashvalue);

uint64
er_watch_generation(ErWatch *watch)
{
	register_watch(watch);
	AcceptInvalidationMessages();
	return watch->generation;
}

/*
 * The table's OID, looked up again after each change, for an extension can be dropped and created anew.
 */
Oid
er_watch_relid(ErWatch *watch)
{
	register_watch(watch);
	if (!OidIsValid(watch->relid))
	{
		Oid			schema = get_namespace_oid("execreport", true);

		if (OidIsValid(schema))
			watch->relid = get_relname_relid(watch->table, schema);
		if (!OidIsValid(watch->relid))
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_TABLE),
					 errmsg("table execreport.%s does not exist", watch->table),
					 errhint("The extension execreport is not installed in this database.")));
	}
	return watch->relid;
}

uint64
er_role_generation(void)
{
	register_callbacks();
	return role_generation;
}

static void
register_watch(ErWatch *watch)
{
	if (likely(watch->registered))
		return;
	register_callbacks();
	watch->registered = true;
	watch->generation = 1;
	watch->next = watches;
	watches = watch;
}

/*
 * Callbacks cannot be taken back and their number is limited: once per session.
 */
static void
register_callbacks(void)
{
	if (likely(callbacks_registered))
		return;
	CacheRegisterRelcacheCallback(relation_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHOID, roles_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHMEMROLEMEM, roles_changed, (Datum) 0);
	callbacks_registered = true;
}

static void
relation_changed(Datum arg, Oid relid)
{
	for (ErWatch *watch = watches; watch != NULL; watch = watch->next)
	{
		if (!OidIsValid(relid) || !OidIsValid(watch->relid) || relid == watch->relid)
		{
			watch->generation++;
			watch->relid = InvalidOid;
		}
	}
}

static void
roles_changed(Datum arg, int cacheid, uint32 hashvalue)
{
	role_generation++;
}

PG_FUNCTION_INFO_V1(er_announce_change);

Datum
er_announce_change(PG_FUNCTION_ARGS)
{
	CacheInvalidateRelcacheByRelid(PG_GETARG_OID(0));
	PG_RETURN_VOID();
}
