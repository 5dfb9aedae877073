/*
 * worker.c
 *		The background workers: they tick, and ring the bell for those who emit events.
 *
 * Where the library is preloaded there is one launcher. It keeps one worker running for each database that
 * execreport.databases lists and that is there; a worker whose database does not have the extension ends at once, and is
 * tried again after a naptime. A worker that fails (an error outside a step of tick, a signal) ends as well: the launcher is
 * what starts it anew, so nothing here has to clean up after an error. The launcher itself is restarted by the
 * postmaster, also after a crash, and finds the workers that are still there by their slots in shared memory.
 *
 * A session that emits an event tells the worker of its database after the commit, by the bell of its slot; the worker rings
 * once for all that came within BELL_INTERVAL. A worker that starts rings in any case, for what its predecessor
 * may not have come to ring for.
 *
 * Slots are guarded by the spinlock; the bells are atomic.
 */
#include "worker.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "port/atomics.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "storage/shmem.h"
#include "storage/spin.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"

#include "events.h"

#define MAX_WORKERS			64
#define BELL_INTERVAL		100		/* milliseconds between two rings */
#define LAUNCHER_RESTART	2		/* seconds until a launcher that has failed starts again */

typedef struct Slot
{
	Oid			database;		/* InvalidOid: the slot is free */
	Latch	   *latch;			/* of a PGPROC, so it can always be set */
	pg_atomic_uint32 bell;		/* there are events to ring for */
} Slot;

typedef struct Shared
{
	slock_t		mutex;
	Slot		slots[MAX_WORKERS];
} Shared;

/* What the launcher knows of a database */
typedef struct Served
{
	Oid			database;
	BackgroundWorkerHandle *handle;
	TimestampTz last_start;
} Served;

/* One step of a tick */
typedef struct Step
{
	char	   *name;
	int32		unit;
} Step;

char	   *er_worker_databases = NULL;
int			er_worker_naptime = 10;

static Shared *shared = NULL;
static Slot *my_slot = NULL;
static TimestampTz last_ring = 0;
static bool bell_is_due = false;	/* of the running transaction */
static shmem_request_hook_type previous_request = NULL;
static shmem_startup_hook_type previous_startup = NULL;

static void request(void);
static void startup(void);
static void transaction_ends(XactEvent event, void *arg);
static Slot *find_slot(Oid database);
static List *listed_databases(void);
static void serve(Served *served);
static bool take_slot(void);
static void release_slot(int code, Datum arg);
static bool is_wanted(void);
static void tick(void);
static List *plan_tick(TimestampTz now);
static bool run_step(const Step *step, TimestampTz now);
static void nap(TimestampTz until);
static void ring(void);
static void begin_work(const char *activity);
static void end_work(void);
static void wait_for(long milliseconds);

PGDLLEXPORT void er_launcher_main(Datum arg);
PGDLLEXPORT void er_worker_main(Datum arg);

bool
er_check_databases(char **newval, void **extra, GucSource source)
{
	List	   *names;

	if (SplitIdentifierString(pstrdup(*newval), ',', &names))
		return true;
	GUC_check_errdetail("It is a list of names with commas between them, in double quotes where a name is not in lower case.");
	return false;
}

/* Called by _PG_init when the library is preloaded. */
void
er_worker_init(void)
{
	BackgroundWorker launcher;

	er_on_shmem_request(previous_request, request);
	previous_startup = shmem_startup_hook;
	shmem_startup_hook = startup;

	if (IsBinaryUpgrade)
		return;
	memset(&launcher, 0, sizeof(launcher));
	launcher.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	launcher.bgw_start_time = BgWorkerStart_RecoveryFinished;
	launcher.bgw_restart_time = LAUNCHER_RESTART;
	snprintf(launcher.bgw_library_name, sizeof(launcher.bgw_library_name), "execreport");
	snprintf(launcher.bgw_function_name, sizeof(launcher.bgw_function_name), "er_launcher_main");
	snprintf(launcher.bgw_name, sizeof(launcher.bgw_name), "execreport launcher");
	snprintf(launcher.bgw_type, sizeof(launcher.bgw_type), "execreport launcher");
	RegisterBackgroundWorker(&launcher);
}

static void
request(void)
{
	if (previous_request != NULL)
		previous_request();
	RequestAddinShmemSpace(MAXALIGN(sizeof(Shared)));
}

static void
startup(void)
{
	bool		found;

	if (previous_startup != NULL)
		previous_startup();

	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	shared = ShmemInitStruct("execreport workers", sizeof(Shared), &found);
	if (!found)
	{
		memset(shared, 0, sizeof(Shared));
		SpinLockInit(&shared->mutex);
		for (int i = 0; i < MAX_WORKERS; i++)
			pg_atomic_init_u32(&shared->slots[i].bell, 0);
	}
	LWLockRelease(AddinShmemInitLock);
}

/*
 * Let the worker of this database ring when the transaction has committed. False when there is none: then the
 * transaction has to ring itself.
 */
bool
er_worker_rings(void)
{
	static bool registered = false;

	if (bell_is_due)
		return true;
	if (shared == NULL || find_slot(MyDatabaseId) == NULL)
		return false;
	if (!registered)
		RegisterXactCallback(transaction_ends, NULL);
	registered = true;
	bell_is_due = true;
	return true;
}

static void
transaction_ends(XactEvent event, void *arg)
{
	Slot	   *slot;

	if (!bell_is_due)
		return;
	switch (event)
	{
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_PREPARE:
			bell_is_due = false;
			slot = find_slot(MyDatabaseId);
			if (slot == NULL)
				return;
			pg_atomic_write_u32(&slot->bell, 1);
			SetLatch(slot->latch);
			break;
		case XACT_EVENT_ABORT:
			bell_is_due = false;
			break;
		default:
			break;
	}
}

static Slot *
find_slot(Oid database)
{
	Slot	   *found = NULL;

	SpinLockAcquire(&shared->mutex);
	for (int i = 0; i < MAX_WORKERS && found == NULL; i++)
	{
		if (shared->slots[i].database == database)
			found = &shared->slots[i];
	}
	SpinLockRelease(&shared->mutex);
	return found;
}

/* ------------------------------------------------------------------------------------------------------------------ */

void
er_launcher_main(Datum arg)
{
	List	   *known = NIL;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	pgstat_report_activity(STATE_IDLE, "waiting for databases to serve");

	for (;;)
	{
		List	   *databases = listed_databases();
		ListCell   *cell;
		long		wait = 60 * 1000L;

		foreach(cell, databases)
		{
			Served	   *served = NULL;
			ListCell   *other;

			foreach(other, known)
			{
				if (((Served *) lfirst(other))->database == lfirst_oid(cell))
					served = lfirst(other);
			}
			if (served == NULL)
			{
				MemoryContext caller_context = MemoryContextSwitchTo(TopMemoryContext);

				served = palloc0(sizeof(Served));
				served->database = lfirst_oid(cell);
				known = lappend(known, served);
				MemoryContextSwitchTo(caller_context);
			}
			serve(served);
		}
		list_free(databases);
		/* also for databases that are listed and not there yet */
		if (er_worker_databases[0] != '\0')
			wait = er_worker_naptime * 1000L;
		wait_for(wait);
	}
}

/*
 * The databases of the setting that are there and take connections. The launcher has none of its own, so pg_database, which
 * can be read nevertheless, is read without an index.
 */
static List *
listed_databases(void)
{
	MemoryContext caller_context = CurrentMemoryContext;
	List	   *names;
	List	   *databases = NIL;
	Relation	rel;
	SysScanDesc scan;
	HeapTuple	tuple;

	if (er_worker_databases[0] == '\0')
		return NIL;
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	(void) SplitIdentifierString(pstrdup(er_worker_databases), ',', &names);	/* checked when it was set */
	rel = table_open(DatabaseRelationId, AccessShareLock);
	scan = systable_beginscan(rel, InvalidOid, false, NULL, 0, NULL);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_database database = (Form_pg_database) GETSTRUCT(tuple);
		ListCell   *cell;

		foreach(cell, names)
		{
			if (database->datallowconn && strcmp(lfirst(cell), NameStr(database->datname)) == 0)
			{
				MemoryContext transaction_context = MemoryContextSwitchTo(caller_context);

				databases = list_append_unique_oid(databases, database->oid);
				MemoryContextSwitchTo(transaction_context);
			}
		}
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	CommitTransactionCommand();
	MemoryContextSwitchTo(caller_context);
	return databases;
}

/* See to it that the database has a worker, but start none more often than once in a naptime. */
static void
serve(Served *served)
{
	BackgroundWorker worker;
	pid_t		pid;
	TimestampTz now = GetCurrentTimestamp();

	if (served->handle != NULL)
	{
		BgwHandleStatus status = GetBackgroundWorkerPid(served->handle, &pid);

		if (status == BGWH_STARTED || status == BGWH_NOT_YET_STARTED)
			return;
		pfree(served->handle);
		served->handle = NULL;
	}
	if (find_slot(served->database) != NULL ||
		!TimestampDifferenceExceeds(served->last_start, now, er_worker_naptime * 1000))
		return;

	memset(&worker, 0, sizeof(worker));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	snprintf(worker.bgw_library_name, sizeof(worker.bgw_library_name), "execreport");
	snprintf(worker.bgw_function_name, sizeof(worker.bgw_function_name), "er_worker_main");
	snprintf(worker.bgw_name, sizeof(worker.bgw_name), "execreport worker for database %u", served->database);
	snprintf(worker.bgw_type, sizeof(worker.bgw_type), "execreport worker");
	worker.bgw_main_arg = ObjectIdGetDatum(served->database);
	worker.bgw_notify_pid = MyProcPid;
	served->last_start = now;
	MemoryContextSwitchTo(TopMemoryContext);
	if (!RegisterDynamicBackgroundWorker(&worker, &served->handle))
		ereport(WARNING,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("execreport found no free background worker"),
				 errhint("Raise max_worker_processes.")));
}

/* ------------------------------------------------------------------------------------------------------------------ */

void
er_worker_main(Datum arg)
{
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnectionByOid(DatumGetObjectId(arg), InvalidOid, 0);
	/* above it, a step that another session has just done would be an error */
	SetConfigOption("default_transaction_isolation", "read committed", PGC_SUSET, PGC_S_OVERRIDE);
	/* that is meant for sessions, which may choose otherwise */
	SetConfigOption("default_transaction_read_only", "off", PGC_SUSET, PGC_S_OVERRIDE);

	if (!is_wanted() || !take_slot())
		proc_exit(0);
	if (er_notify_mode == ER_NOTIFY_WORKER)
		pg_atomic_write_u32(&my_slot->bell, 1);

	do
	{
		TimestampTz next = GetCurrentTimestamp() + er_worker_naptime * USECS_PER_SEC;

		tick();
		nap(next);
	} while (is_wanted());
	proc_exit(0);
}

/* A slot for our database, unless another worker serves it. */
static bool
take_slot(void)
{
	Slot	   *empty = NULL;

	SpinLockAcquire(&shared->mutex);
	for (int i = 0; i < MAX_WORKERS; i++)
	{
		if (shared->slots[i].database == MyDatabaseId)
		{
			empty = NULL;
			break;
		}
		if (empty == NULL && !OidIsValid(shared->slots[i].database))
			empty = &shared->slots[i];
	}
	if (empty != NULL)
	{
		empty->database = MyDatabaseId;
		empty->latch = &MyProc->procLatch;
	}
	SpinLockRelease(&shared->mutex);
	my_slot = empty;
	if (empty != NULL)
		before_shmem_exit(release_slot, (Datum) 0);
	return empty != NULL;
}

static void
release_slot(int code, Datum arg)
{
	SpinLockAcquire(&shared->mutex);
	my_slot->database = InvalidOid;
	SpinLockRelease(&shared->mutex);
	my_slot = NULL;
}

/* Is our database still listed, and the extension in it? */
static bool
is_wanted(void)
{
	List	   *databases = listed_databases();
	bool		wanted = list_member_oid(databases, MyDatabaseId);

	list_free(databases);
	if (wanted)
	{
		SetCurrentStatementStartTimestamp();
		StartTransactionCommand();
		wanted = OidIsValid(get_extension_oid("execreport", true));
		CommitTransactionCommand();
	}
	return wanted;
}

/*
 * The same as CALL execreport.tick(): each step is a transaction. A procedure that commits would need a portal around it.
 */
static void
tick(void)
{
	static MemoryContext tick_context = NULL;
	MemoryContext caller_context;
	TimestampTz now = GetCurrentTimestamp();
	ListCell   *cell;
	List	   *steps;

	if (tick_context == NULL)
		tick_context = AllocSetContextCreate(TopMemoryContext, "execreport tick", ALLOCSET_DEFAULT_SIZES);
	MemoryContextReset(tick_context);
	caller_context = MemoryContextSwitchTo(tick_context);

	steps = plan_tick(now);
	foreach(cell, steps)
	{
		do
		{
			CHECK_FOR_INTERRUPTS();
			ring();
		} while (run_step(lfirst(cell), now));
	}
	MemoryContextSwitchTo(caller_context);
}

static List *
plan_tick(TimestampTz now)
{
	MemoryContext caller_context = CurrentMemoryContext;
	Oid			types[] = {TIMESTAMPTZOID};
	Datum		values[] = {TimestampTzGetDatum(now)};
	List	   *steps = NIL;

	begin_work("execreport tick");
	if (SPI_execute_with_args("SELECT p.step, p.unit FROM execreport._tick_plan($1) AS p", 1, types, values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "the plan of tick is not readable");
	MemoryContextSwitchTo(caller_context);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		Step	   *step = palloc(sizeof(Step));
		bool		isnull;

		step->name = pstrdup(SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1));
		step->unit = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 2, &isnull));
		steps = lappend(steps, step);
	}
	end_work();
	MemoryContextSwitchTo(caller_context);
	return steps;
}

/* True when there is more of this step to do at once. */
static bool
run_step(const Step *step, TimestampTz now)
{
	MemoryContext caller_context = CurrentMemoryContext;
	Oid			types[] = {TEXTOID, INT4OID, TIMESTAMPTZOID};
	Datum		values[] = {CStringGetTextDatum(step->name), Int32GetDatum(step->unit), TimestampTzGetDatum(now)};
	char		activity[100];
	bool		more;

	snprintf(activity, sizeof(activity), "execreport tick: %s", step->name);
	begin_work(activity);
	if (SPI_execute_with_args("SELECT execreport._tick_run($1, $2, $3) OPERATOR(pg_catalog.=) 'more'", 3, types, values, NULL, false, 0) != SPI_OK_SELECT ||
		SPI_processed != 1)
		elog(ERROR, "step %s of tick has no result", step->name);
	more = strcmp(SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1), "t") == 0;
	end_work();
	MemoryContextSwitchTo(caller_context);
	return more;
}

/* Rest until the next round; meanwhile ring for whoever emits. */
static void
nap(TimestampTz until)
{
	for (;;)
	{
		TimestampTz now = GetCurrentTimestamp();
		long		wait;

		ring();
		wait = TimestampDifferenceMilliseconds(now, until);
		if (wait <= 0)
			return;
		if (pg_atomic_read_u32(&my_slot->bell) != 0)
			wait = Min(wait, BELL_INTERVAL);
		wait_for(wait);
	}
}

/* Ring if there is something to ring for, and the last ring is long enough ago. */
static void
ring(void)
{
	TimestampTz now = GetCurrentTimestamp();

	if (pg_atomic_read_u32(&my_slot->bell) == 0 || !TimestampDifferenceExceeds(last_ring, now, BELL_INTERVAL))
		return;
	last_ring = now;
	pg_atomic_write_u32(&my_slot->bell, 0);
	pg_memory_barrier();
	begin_work("execreport bell");
	er_notify_bell();
	end_work();
}

static void
begin_work(const char *activity)
{
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	SPI_connect();
	PushActiveSnapshot(GetTransactionSnapshot());
	pgstat_report_activity(STATE_RUNNING, activity);
}

static void
end_work(void)
{
	SPI_finish();
	PopActiveSnapshot();
	CommitTransactionCommand();
	pgstat_report_stat(true);
	pgstat_report_activity(STATE_IDLE, NULL);
}

/* Until the latch is set or the time is over; then see what signals have brought. */
static void
wait_for(long milliseconds)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, milliseconds, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
	}
}
