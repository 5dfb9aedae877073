/*
 * backfill_rows.c
 *		Reading, locking and changing the rows of the backfill queue's two tables, and the counters of collections.
 *
 * Why this goes without statements, and the rules that it keeps, stand in backfill_queue.c.
 *
 * A table is used only as the extension has made it: without triggers and rules, with the columns that we know, none of
 * which may be null that was not. Constraints that somebody has added are checked. A row that is locked or read stands in the slot `stored`, its next version is put together in `changed`.
 */
#include "backfill_rows.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_enum.h"
#include "catalog/pg_type.h"
#include "commands/async.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "exec_reports.h"
#include "session_cache.h"

static const char *const segment_labels[] = {"pending", "running", "completed", "failed", "cancelled"};

/* execreport.backfill_status_enum */
typedef enum BackfillStatus
{
	BACKFILL_PENDING, BACKFILL_IN_PROGRESS, BACKFILL_COMPLETED, BACKFILL_FAILED, BACKFILL_PARTIAL, BACKFILL_STATES
} BackfillStatus;
static const char *const backfill_labels[] = {"pending", "in_progress", "completed", "failed", "partial"};

#define MAX_LABELS	5

/* What sql/backfill.sql says of the tables, beside the order of their columns */
typedef struct Made
{
	int			columns;
	int			checks;
	uint64		nullable;		/* a bit for each column */
} Made;

#define BIT(column) (UINT64CONST(1) << (column))

static const Made collections_made = {C_COLUMNS, 5,
	BIT(C_STARTED_AT) | BIT(C_FINISHED_AT) | BIT(C_PACE_FROM) | BIT(C_PACE_SECONDS) | BIT(C_WORKFLOW_ID) | BIT(C_START_DATE) |
	BIT(C_END_DATE) | BIT(C_REQUEST_KEY) | BIT(C_CONTROL_REASON)};
static const Made segments_made = {S_COLUMNS, 2,
	BIT(S_LEASE_UNTIL) | BIT(S_CLAIMED_AT) | BIT(S_COMPLETED_AT) | BIT(S_ROW_COUNT) | BIT(S_WORKER) | BIT(S_BACKEND_PID) |
	BIT(S_BACKEND_START) | BIT(S_BACKEND_STATEMENT) | BIT(S_ERROR_MESSAGE) | BIT(S_ERRORS) | BIT(S_RESULT)};

/* The OIDs of an enum's labels, for as long as the type has this OID */
typedef struct Labels
{
	Oid			type;
	Oid			oids[MAX_LABELS];
} Labels;

static Labels segment_states;
static Labels backfill_states;

static ErWatch collections_watch = {"report_data_collections"};
static ErWatch segments_watch = {"report_data_segments"};

static BackfillStatus backfill_status(const int32 *counters, bool started);
static int	stored_ids(const ArrayType *ids);
static ArrayType *with_ids(ArrayType *ids, const pg_uuid_t *more, int n);
static ArrayType *without_ids(ArrayType *ids, const pg_uuid_t *gone, int n);
static void open_table(ErQueueTable *table, ErWatch *watch, const Made *made);
static bool is_as_made(Relation rel, const Made *made);
static void close_table(ErQueueTable *table);
static bool has_more_constraints(TupleDesc desc, const Made *made);
static void check_constraints(ErQueueTable *table);
static void insert_index_entries(ErQueueTable *table, ErUpdateIndexes indexes);
static Oid	label_oid(Labels *labels, Relation rel, int column, const char *const *names, int index);

/* Write the row of the collection that is locked anew, with these segments moved from one state to another. */
void
er_move_segments(ErQueue *queue, const ErMove *move)
{
	ErQueueTable *table = &queue->collections;
	Datum	   *old = table->stored->tts_values;
	bool	   *null = table->stored->tts_isnull;
	int32		counters[SEGMENT_STATES];
	bool		begins = move->becomes == SEGMENT_RUNNING;
	bool		completes = move->becomes == SEGMENT_COMPLETED;
	bool		starts;
	BackfillStatus status;

	slot_getallattrs(table->stored);
	er_begin_change(table, old, null);
	for (int i = 0; i < SEGMENT_STATES; i++)
		counters[i] = DatumGetInt32(old[C_PENDING + i]);
	if (move->was != SEGMENT_NEW)
		counters[move->was] -= move->moved;
	counters[move->becomes] += move->moved;
	for (int i = 0; i < SEGMENT_STATES; i++)
		er_set_column(table, C_PENDING + i, Int32GetDatum(counters[i]));

	if (begins && move->moved > 0 && null[C_STARTED_AT])
		er_set_column(table, C_STARTED_AT, TimestampTzGetDatum(queue->at));
	if (counters[SEGMENT_PENDING] + counters[SEGMENT_RUNNING] == 0)
	{
		er_set_column(table, C_FINISHED_AT, TimestampTzGetDatum(queue->at));
		er_set_column(table, C_CHECK_AT, TimestampTzGetDatum(DT_NOEND));
	}
	else
		er_set_null(table, C_FINISHED_AT);
	status = backfill_status(counters, !table->changed->tts_isnull[C_STARTED_AT]);
	er_set_column(table, C_STATUS, ObjectIdGetDatum(label_oid(&backfill_states, table->rel, C_STATUS, backfill_labels, status)));

	/* the pace counts from the moment that work goes on after a rest */
	starts = begins && move->moved > 0 && DatumGetInt32(old[C_RUNNING]) == 0;
	if (completes || starts)
		er_set_column(table, C_PACE_FROM, TimestampTzGetDatum(queue->at));
	if (completes)
	{
		double		pace = null[C_PACE_SECONDS] ? 0 : DatumGetFloat8(old[C_PACE_SECONDS]);
		double		seconds = null[C_PACE_FROM] ? 0
			: Max(0, (queue->at - DatumGetTimestampTz(old[C_PACE_FROM])) / (double) USECS_PER_SEC);
		double		weight = null[C_PACE_SECONDS] ? 1
			: Min(1, move->moved * Max(0.1, 1.0 / counters[SEGMENT_COMPLETED]));

		er_set_column(table, C_PACE_SECONDS, Float8GetDatum(pace + (seconds / move->moved - pace) * weight));
	}

	if (move->sets_next_start)
		er_set_column(table, C_NEXT_START, DateADTGetDatum(move->next_start));
	if (move->ids != NULL && move->moved > 0)
	{
		ArrayType  *ids = DatumGetArrayTypeP(old[C_RUNNING_IDS]);

		er_set_column(table, C_RUNNING_IDS, PointerGetDatum(begins ? with_ids(ids, move->ids, move->moved)
														 : without_ids(ids, move->ids, move->moved)));
		/* a lease that lasts as long as a statement may be over at any time */
		if (begins)
			er_set_column(table, C_CHECK_AT, TimestampTzGetDatum(TIMESTAMP_IS_NOEND(move->until) ? DT_NOBEGIN
				: Min(DatumGetTimestampTz(old[C_CHECK_AT]), move->until)));
	}

	/* the bell rings when a full collection has a free slot */
	if (move->was == SEGMENT_RUNNING && counters[SEGMENT_PENDING] > 0 &&
		DatumGetInt32(old[C_RUNNING]) >= DatumGetInt32(old[C_PARALLEL_LIMIT]) && er_text_is(old[C_CONTROL], "active"))
		queue->bell = true;
	if (er_write_change(table, &table->stored->tts_tid, NULL) != TM_Ok)
		elog(ERROR, "a locked collection has changed");
}

/* The one place that says what the status of a backfill is. */
static BackfillStatus
backfill_status(const int32 *counters, bool started)
{
	if (counters[SEGMENT_PENDING] + counters[SEGMENT_RUNNING] > 0)
		return started ? BACKFILL_IN_PROGRESS : BACKFILL_PENDING;
	if (counters[SEGMENT_COMPLETED] + counters[SEGMENT_FAILED] + counters[SEGMENT_CANCELLED] == 0)
		return BACKFILL_PENDING;
	if (counters[SEGMENT_FAILED] + counters[SEGMENT_CANCELLED] == 0)
		return BACKFILL_COMPLETED;
	return counters[SEGMENT_COMPLETED] == 0 ? BACKFILL_FAILED : BACKFILL_PARTIAL;
}

/* Nulls take no room among the data, so they are left out. */
static int
stored_ids(const ArrayType *ids)
{
	return (ARR_SIZE(ids) - (ARR_DATA_PTR(ids) - (const char *) ids)) / UUID_LEN;
}

static ArrayType *
with_ids(ArrayType *ids, const pg_uuid_t *more, int n)
{
	int			old = stored_ids(ids);
	Datum	   *elements = palloc(sizeof(Datum) * (old + n));

	for (int i = 0; i < old; i++)
		elements[i] = UUIDPGetDatum((pg_uuid_t *) ARR_DATA_PTR(ids) + i);
	for (int i = 0; i < n; i++)
		elements[old + i] = UUIDPGetDatum(more + i);
	return construct_array(elements, old + n, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR);
}

static ArrayType *
without_ids(ArrayType *ids, const pg_uuid_t *gone, int n)
{
	int			old = stored_ids(ids);
	Datum	   *elements = palloc(sizeof(Datum) * Max(old, 1));
	int			kept = 0;

	for (int i = 0; i < old; i++)
	{
		pg_uuid_t  *id = (pg_uuid_t *) ARR_DATA_PTR(ids) + i;
		bool		goes = false;

		for (int j = 0; j < n && !goes; j++)
			goes = memcmp(id, gone + j, UUID_LEN) == 0;
		if (!goes)
			elements[kept++] = UUIDPGetDatum(id);
	}
	return construct_array(elements, kept, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR);
}

/* What this command has done so far is seen, as by each statement of a function. */
void
er_open_queue(ErQueue *queue, int32 tenant, TimestampTz at, const char *caller)
{
	PreventCommandIfReadOnly(caller);
	PreventCommandIfParallelMode(caller);
	CommandCounterIncrement();
	queue->tenant = tenant;
	queue->at = at;
	queue->bell = false;
	open_table(&queue->collections, &collections_watch, &collections_made);
	open_table(&queue->segments, &segments_watch, &segments_made);
	queue->collections_key = index_open(er_primary_key_index(queue->collections.rel), AccessShareLock);
}

/* An empty message: all of one transaction fold into one, and nothing of a tenant is told to others. */
void
er_close_queue(ErQueue *queue)
{
	if (queue->bell)
		Async_Notify("execreport_segments", "");
	index_close(queue->collections_key, NoLock);
	close_table(&queue->collections);
	close_table(&queue->segments);
	CommandCounterIncrement();
}

static void
open_table(ErQueueTable *table, ErWatch *watch, const Made *made)
{
	Relation	rel = table_open(er_watch_relid(watch), RowExclusiveLock);

	if (!is_as_made(rel, made))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("table \"%s\" has been changed", watch->table),
				 errdetail("The queue works with the table as the extension made it, without triggers, on one server.")));
	CheckCmdReplicaIdentity(rel, CMD_UPDATE);	/* as for an UPDATE, when it is published */
	table->rel = rel;
	table->columns = made->columns;
	table->stored = table_slot_create(rel, NULL);
	table->changed = MakeSingleTupleTableSlot(RelationGetDescr(rel), &TTSOpsVirtual);
	table->constrained = has_more_constraints(RelationGetDescr(rel), made);
}

static bool
is_as_made(Relation rel, const Made *made)
{
	TupleDesc	desc = RelationGetDescr(rel);

	if (rel->rd_rel->relkind != RELKIND_RELATION || !er_has_columns(desc, made->columns) || rel->trigdesc != NULL || rel->rd_rules != NULL)
		return false;
	for (int i = 0; i < made->columns; i++)
		if (!TupleDescAttr(desc, i)->attnotnull && (made->nullable & BIT(i)) == 0)
			return false;
	return true;
}

static bool
has_more_constraints(TupleDesc desc, const Made *made)
{
	for (int i = 0; i < made->columns; i++)
		if (TupleDescAttr(desc, i)->attnotnull && (made->nullable & BIT(i)) != 0)
			return true;
	return desc->constr != NULL && desc->constr->num_check != made->checks;
}

static void
close_table(ErQueueTable *table)
{
	ExecDropSingleTupleTableSlot(table->stored);
	ExecDropSingleTupleTableSlot(table->changed);
	table_close(table->rel, NoLock);
}

Relation
er_open_index(Relation rel, const char *name)
{
	Oid			oid = get_relname_relid(name, RelationGetNamespace(rel));

	if (!OidIsValid(oid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("index \"execreport.%s\" does not exist", name),
				 errdetail("The queue needs it.")));
	return index_open(oid, AccessShareLock);
}

/* To be given back with UnregisterSnapshot(). */
Snapshot
er_fresh_snapshot(void)
{
	return RegisterSnapshot(GetTransactionSnapshot());
}

/* Lock the collection's newest row into its slot; false when there is none, or when it is locked and we do not wait. */
bool
er_lock_collection(ErQueue *queue, Datum collection_id, LockWaitPolicy policy)
{
	Snapshot	snapshot = er_fresh_snapshot();
	SysScanDesc scan;
	ScanKeyData keys[2];
	HeapTuple	tuple;
	bool		locked;

	ScanKeyInit(&keys[0], C_TENANT_ID + 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(queue->tenant));
	ScanKeyInit(&keys[1], C_COLLECTION_ID + 1, BTEqualStrategyNumber, F_UUID_EQ, collection_id);
	scan = systable_beginscan_ordered(queue->collections.rel, queue->collections_key, snapshot, 2, keys);
	tuple = systable_getnext_ordered(scan, ForwardScanDirection);
	locked = HeapTupleIsValid(tuple) && er_lock_row(&queue->collections, &tuple->t_self, snapshot, policy);
	systable_endscan_ordered(scan);
	UnregisterSnapshot(snapshot);
	return locked;
}

/* Lock the newest version of a row into its slot. False when it is gone, or locked and we do not wait. */
bool
er_lock_row(ErQueueTable *table, ItemPointer tid, Snapshot snapshot, LockWaitPolicy policy)
{
	TM_FailureData failure;
	ItemPointerData from = *tid;	/* it moves on with the versions */
	uint8		flags = IsolationUsesXactSnapshot() ? 0 : TUPLE_LOCK_FLAG_FIND_LAST_VERSION;

	TM_Result	result = table_tuple_lock(table->rel, &from, snapshot, table->stored, GetCurrentCommandId(true),
										  LockTupleNoKeyExclusive, policy, flags, &failure);

	if (result == TM_Updated || (result == TM_Deleted && IsolationUsesXactSnapshot()))
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 result == TM_Updated ? errmsg("could not serialize access due to concurrent update") :
				 errmsg("could not serialize access due to concurrent delete")));
	return result == TM_Ok;
}

/* Begin a new version of a row. The values must live until it is written. Columns that were dropped are null. */
void
er_begin_change(ErQueueTable *table, const Datum *values, const bool *nulls)
{
	ExecClearTuple(table->changed);
	memset(table->changed->tts_isnull, true, sizeof(bool) * RelationGetDescr(table->rel)->natts);
	memcpy(table->changed->tts_values, values, sizeof(Datum) * table->columns);
	memcpy(table->changed->tts_isnull, nulls, sizeof(bool) * table->columns);
}

/* Write it over the version at tid; when somebody else has changed that, say so. */
TM_Result
er_write_change(ErQueueTable *table, ItemPointer tid, Snapshot snapshot)
{
	TM_FailureData failure;
	LockTupleMode mode;
	ErUpdateIndexes indexes;
	TM_Result	result;

	ExecStoreVirtualTuple(table->changed);
	if (unlikely(table->constrained))
		check_constraints(table);
	result = table_tuple_update(table->rel, tid, table->changed, GetCurrentCommandId(true), snapshot, InvalidSnapshot, true,
								&failure, &mode, &indexes);
	if (result == TM_Ok && indexes != ER_NO_INDEXES)
		insert_index_entries(table, indexes);
	return result;
}

/* Ours hold by what we write. */
static void
check_constraints(ErQueueTable *table)
{
	EState	   *estate = CreateExecutorState();
	ResultRelInfo *target = makeNode(ResultRelInfo);

	InitResultRelInfo(target, table->rel, 0, NULL, 0);
	PushActiveSnapshot(GetTransactionSnapshot());	/* for functions in expressions */
	ExecConstraints(target, table->changed, estate);
	PopActiveSnapshot();
	FreeExecutorState(estate);
}

static void
insert_index_entries(ErQueueTable *table, ErUpdateIndexes indexes)
{
	EState	   *estate = CreateExecutorState();
	ResultRelInfo *target = makeNode(ResultRelInfo);

	InitResultRelInfo(target, table->rel, 0, NULL, 0);
	ExecOpenIndices(target, false);
	PushActiveSnapshot(GetTransactionSnapshot());	/* for the predicates of indexes */
	list_free(er_insert_index_tuples(target, table->changed, estate, indexes));
	PopActiveSnapshot();
	ExecCloseIndices(target);
	FreeExecutorState(estate);
}

/* The OID of a label of the enum that this column has. */
static Oid
label_oid(Labels *labels, Relation rel, int column, const char *const *names, int index)
{
	Oid			type = TupleDescAttr(RelationGetDescr(rel), column)->atttypid;

	if (unlikely(labels->type != type))
	{
		labels->type = InvalidOid;
		for (int i = 0; i < MAX_LABELS; i++)
		{
			labels->oids[i] = GetSysCacheOid2(ENUMTYPOIDNAME, Anum_pg_enum_oid, ObjectIdGetDatum(type), CStringGetDatum(names[i]));
			if (!OidIsValid(labels->oids[i]))
				elog(ERROR, "enum %u has no label \"%s\"", type, names[i]);
		}
		labels->type = type;
	}
	return labels->oids[index];
}

ErSegmentStatus
er_segment_status(ErQueue *queue, Oid label)
{
	for (int i = 0; i < SEGMENT_STATES; i++)
		if (label_oid(&segment_states, queue->segments.rel, S_STATUS, segment_labels, i) == label)
			return (ErSegmentStatus) i;
	elog(ERROR, "unknown segment status %u", label);
}

bool
er_text_is(Datum value, const char *expected)
{
	text	   *t = DatumGetTextPP(value);
	Size		length = strlen(expected);

	return VARSIZE_ANY_EXHDR(t) == length && memcmp(VARDATA_ANY(t), expected, length) == 0;
}

Oid
er_segment_label(ErQueue *queue, ErSegmentStatus status)
{
	return label_oid(&segment_states, queue->segments.rel, S_STATUS, segment_labels, status);
}
