/*
 * events.c
 *		The bell that tells listeners of new events.
 *
 * NOTIFY takes a lock that all notifying commits of a cluster share, and every listener of the database hears it. So
 * the bell is one notification without any payload per commit at most (PostgreSQL folds equal ones of a transaction
 * into one), and where a worker serves the database, the committing session only tells the worker, which rings for
 * all commits of a while at once.
 */
#include "events.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "commands/async.h"
#include "utils/builtins.h"

#include "worker.h"

PG_FUNCTION_INFO_V1(er_system_identifier);
PG_FUNCTION_INFO_V1(er_ring_bell);
PG_FUNCTION_INFO_V1(er_setting);

Datum
er_system_identifier(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64((int64) GetSystemIdentifier());
}

/*
 * The commit is forced to disk in any mode: what a client has read must still be there after a crash, or its cursor
 * would stand after transactions yet to come.
 */
Datum
er_ring_bell(PG_FUNCTION_ARGS)
{
	ForceSyncCommit();
	if (er_notify_mode == ER_NOTIFY_COMMIT || (er_notify_mode == ER_NOTIFY_WORKER && !er_worker_rings()))
		er_notify_bell();
	PG_RETURN_VOID();
}

void
er_notify_bell(void)
{
	Async_Notify(ER_EVENT_CHANNEL, "");
}

/*
 * current_setting() knows our settings only when the library is loaded already, and until then believes whatever the
 * session's user has given them. Calling this loads it.
 */
Datum
er_setting(PG_FUNCTION_ARGS)
{
	char	   *name = psprintf("execreport.%s", text_to_cstring(PG_GETARG_TEXT_PP(0)));
	const char *value = GetConfigOption(name, false, false);

	if (value == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(value));
}
