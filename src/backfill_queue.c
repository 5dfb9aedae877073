/*
 * backfill_queue.c
 *		The hot path of the backfill queue: claiming and completing segments, and the counters of their collections.
 *
 * This file is an exception to "C computes, SQL declares": it reads and writes execreport.report_data_collections and
 * report_data_segments through the table access methods. As PL/pgSQL the same work took seven statements and 500 us of
 * server time for each segment with 8 workers, and 43 us in batches of 100; with two statements for a claim and one for a
 * completion it was 330 and 13 us, because setting up the executor took more than the work; here it is 100 and 8.5 us, and
 * a plain SKIP LOCKED table takes 97 and 9.5 us. Everything that is rare stays in SQL: see execreport._tend_collection()
 * and _due_collections(), which are called from here.
 *
 * Rules that hold here and in sql/backfill*.sql:
 * - Segments leave the state pending only under a lock of their collection's row. Counters, running_ids and status of a
 *   collection change in er_move_segments() alone, except that SQL takes ids out of running_ids itself.
 * - No pending segment whose ready_at is -infinity starts before next_start, so a claim begins to look there. Pending
 *   ones with a later ready_at become such ones by _tend_collection(), which is due at retry_at.
 * - No lease of a running segment ends before check_at: until then there is nothing to take back.
 * - A claim or a completion changes no indexed column of a segment, and of a collection only when it begins or ends. So
 *   their updates are heap-only, and index entries are needed rarely.
 * - Locks: segments, then collections in ascending order. A claim passes locked collections by. It waits for one only
 *   with empty hands, and then for none before those it has locked in vain.
 *
 * Under REPEATABLE READ whatever has changed since the snapshot is error 40001, as for an UPDATE.
 */
#include "backfill_rows.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "parser/parse_func.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/snapmgr.h"
#include "utils/tuplestore.h"

#include "calendar.h"
#include "maintenance.h"
#include "rows.h"
#include "tenancy.h"

/* What a claim asks for */
typedef struct Claim
{
	ErQueue		queue;
	Datum		worker;
	int			missing;		/* segments still to be given */
	TimestampTz until;
	bool		statement_lease;
	pg_uuid_t	held;			/* collections up to this one are locked, if any is */
	bool		holds;
	bool		passed;			/* somebody else has locked a collection that may have something for us */
	pg_uuid_t  *due;			/* such ones with leases to take back */
	int			due_count;
	ReturnSetInfo *leases;
} Claim;

/* A segment that a call has completed */
typedef struct Done
{
	pg_uuid_t	segment_id;
	pg_uuid_t	collection_id;
} Done;

static void check_worker(FunctionCallInfo fcinfo);
static void check_batch(FunctionCallInfo fcinfo);
static void claim_one(Claim *claim, Datum collection_id);
static void take_back_due(Claim *claim);
static bool any_due(ErQueue *queue, Snapshot snapshot);
static void claim_any(Claim *claim, bool waits);
static bool is_due(Claim *claim, Datum collection_id);
static void hold(Claim *claim, Datum collection_id);
static bool claimable(ErQueue *queue, TupleTableSlot *collection);
static void tend(Claim *claim, Datum collection_id);
static bool claim_from(Claim *claim);
static void give(Claim *claim, ItemPointer tid, const Datum *values, const bool *nulls, Snapshot snapshot);
static Datum complete(ErQueue *queue, int n, Datum *ids, bool *id_nulls, Datum *tokens, bool *token_nulls, Datum *counts,
					  bool *count_nulls, Datum result, bool has_result, int *done_count);
static bool complete_one(ErQueue *queue, IndexScanDesc scan, Datum id, int64 token, bool has_count, Datum count, bool has_result,
						 Datum result, Snapshot snapshot, Done *done);
static bool is_current(const Datum *values, const bool *nulls, int64 token);
static void count_completed(ErQueue *queue, Done *done, int n);
static int	compare_done(const void *a, const void *b);
static void check_row_count(int64 row_count);
static TimestampTz time_or_clock(FunctionCallInfo fcinfo, int argument);
static Interval *check_lease(FunctionCallInfo fcinfo, int argument);

PG_FUNCTION_INFO_V1(er_claim_segments);
PG_FUNCTION_INFO_V1(er_complete_segment);
PG_FUNCTION_INFO_V1(er_complete_segments);
PG_FUNCTION_INFO_V1(er_count_transitions);
PG_FUNCTION_INFO_V1(er_check_lease);

/*
 * claim_segments(worker text, batch integer, lease interval, collection_id uuid, now timestamptz, statement_lease boolean)
 */
Datum
er_claim_segments(PG_FUNCTION_ARGS)
{
	Claim		claim = {0};
	int32		tenant = er_current_tenant_id();

	er_require_tenant_persona(tenant, ER_EDITOR);
	er_refuse_in_maintenance(tenant);
	check_worker(fcinfo);
	check_batch(fcinfo);
	claim.worker = PG_GETARG_DATUM(0);
	claim.missing = PG_GETARG_INT32(1);
	claim.queue.at = time_or_clock(fcinfo, 4);
	claim.statement_lease = !PG_ARGISNULL(5) && PG_GETARG_BOOL(5);
	claim.until = claim.statement_lease ? DT_NOEND
		: DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval, TimestampTzGetDatum(claim.queue.at),
												  PointerGetDatum(check_lease(fcinfo, 2))));
	claim.leases = er_return_rows(fcinfo);

	er_open_queue(&claim.queue, tenant, claim.queue.at, "claim_segments()");
	if (!PG_ARGISNULL(3))
		claim_one(&claim, PG_GETARG_DATUM(3));
	else
	{
		take_back_due(&claim);
		claim_any(&claim, false);
	}
	er_close_queue(&claim.queue);
	return (Datum) 0;
}

static void
check_worker(FunctionCallInfo fcinfo)
{
	Size		bytes = PG_ARGISNULL(0) ? 0 : VARSIZE_ANY_EXHDR(PG_GETARG_TEXT_PP(0));

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("worker is null"),
				 errdetail("The name of a worker has 1 to 200 bytes.")));
	if (bytes == 0 || bytes > 200)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("worker has %zu bytes", bytes),
				 errdetail("The name of a worker has 1 to 200 bytes.")));
}

static void
check_batch(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("batch is null"),
				 errdetail("A batch has 1 to 1000 segments.")));
	if (PG_GETARG_INT32(1) < 1 || PG_GETARG_INT32(1) > 1000)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("batch is %d", PG_GETARG_INT32(1)),
				 errdetail("A batch has 1 to 1000 segments.")));
}

/* Of this collection; when somebody has it locked, wait. */
static void
claim_one(Claim *claim, Datum collection_id)
{
	ErQueue *queue = &claim->queue;

	if (!er_lock_collection(queue, collection_id, LockWaitBlock))
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("collection_id %s does not exist", DatumGetCString(DirectFunctionCall1(uuid_out, collection_id))),
				 errhint("SELECT * FROM execreport.list_collections() lists them.")));
	slot_getallattrs(queue->collections.stored);
	if (DatumGetTimestampTz(queue->collections.stored->tts_values[C_CHECK_AT]) <= queue->at)
		tend(claim, collection_id);
	if (claimable(queue, queue->collections.stored))
		(void) claim_from(claim);
}

/* Take back what is running without a living lease, in collections that nobody has locked. */
static void
take_back_due(Claim *claim)
{
	ErQueue *queue = &claim->queue;
	Snapshot	snapshot = er_fresh_snapshot();
	bool		due = any_due(queue, snapshot);
	Oid			types[] = {INT4OID, TIMESTAMPTZOID};
	ArrayType  *ids;
	Datum	   *elements;
	int			n;

	UnregisterSnapshot(snapshot);
	if (!due)
		return;
	ids = DatumGetArrayTypeP(OidFunctionCall2(
		LookupFuncName(list_make2(makeString("execreport"), makeString("_due_collections")), 2, types, false),
		Int32GetDatum(queue->tenant), TimestampTzGetDatum(queue->at)));
	deconstruct_array(ids, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR, &elements, NULL, &n);
	claim->due = palloc(sizeof(pg_uuid_t) * Max(n, 1));
	for (int i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (er_lock_collection(queue, elements[i], LockWaitSkip))
		{
			tend(claim, elements[i]);
			hold(claim, elements[i]);
		}
		else
		{
			claim->due[claim->due_count++] = *DatumGetUUIDP(elements[i]);
			claim->passed = true;
		}
	}
}

static bool
any_due(ErQueue *queue, Snapshot snapshot)
{
	Relation	index = er_open_index(queue->collections.rel, "report_data_collections_check_idx");
	SysScanDesc scan;
	ScanKeyData keys[2];
	bool		found;

	ScanKeyInit(&keys[0], C_TENANT_ID + 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(queue->tenant));
	ScanKeyInit(&keys[1], C_CHECK_AT + 1, BTLessEqualStrategyNumber, F_TIMESTAMPTZ_LE, TimestampTzGetDatum(queue->at));
	scan = systable_beginscan_ordered(queue->collections.rel, index, snapshot, 2, keys);
	found = HeapTupleIsValid(systable_getnext_ordered(scan, ForwardScanDirection));
	systable_endscan_ordered(scan);
	index_close(index, NoLock);
	return found;
}

/*
 * From any collections of the tenant, the oldest first. Without waits, locked ones are passed by; when nothing came of
 * that, wait for the first of them.
 */
static void
claim_any(Claim *claim, bool waits)
{
	ErQueue *queue = &claim->queue;
	int			wanted = claim->missing;
	Relation	index = er_open_index(queue->collections.rel, "report_data_collections_open_idx");
	Snapshot	snapshot = er_fresh_snapshot();
	TupleTableSlot *seen = MakeSingleTupleTableSlot(RelationGetDescr(queue->collections.rel), &TTSOpsHeapTuple);
	SysScanDesc scan;
	ScanKeyData keys[2];
	HeapTuple	tuple;

	ScanKeyInit(&keys[0], C_TENANT_ID + 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(queue->tenant));
	ScanKeyInit(&keys[1], C_COLLECTION_ID + 1, BTGreaterStrategyNumber, F_UUID_GT, UUIDPGetDatum(&claim->held));
	scan = systable_beginscan_ordered(queue->collections.rel, index, snapshot, waits && claim->holds ? 2 : 1, keys);
	while (claim->missing > 0 && (!waits || claim->missing == wanted) &&
		   HeapTupleIsValid(tuple = systable_getnext_ordered(scan, ForwardScanDirection)))
	{
		bool		due;

		CHECK_FOR_INTERRUPTS();
		ExecStoreHeapTuple(tuple, seen, false);
		slot_getsomeattrs(seen, C_COLLECTION_ID + 1);
		due = waits && is_due(claim, seen->tts_values[C_COLLECTION_ID]);
		if (!due && !claimable(queue, seen))
		{
			/* what this transaction has claimed before is locked, too */
			if (TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(tuple->t_data)))
				hold(claim, seen->tts_values[C_COLLECTION_ID]);
			continue;
		}
		if (!er_lock_row(&queue->collections, &tuple->t_self, snapshot, waits ? LockWaitBlock : LockWaitSkip))
		{
			claim->passed = true;
			continue;
		}
		if (due)
			tend(claim, seen->tts_values[C_COLLECTION_ID]);
		if (!claimable(queue, queue->collections.stored) || !claim_from(claim))
		{
			/* locked in vain: it is no longer as the snapshot shows it */
			hold(claim, queue->collections.stored->tts_values[C_COLLECTION_ID]);
		}
	}
	systable_endscan_ordered(scan);
	ExecDropSingleTupleTableSlot(seen);
	UnregisterSnapshot(snapshot);
	index_close(index, NoLock);

	if (claim->passed && !waits && claim->missing == wanted)
		claim_any(claim, true);
}

/* Are there leases to take back in this collection, which was locked by somebody else? */
static bool
is_due(Claim *claim, Datum collection_id)
{
	for (int i = 0; i < claim->due_count; i++)
		if (memcmp(DatumGetUUIDP(collection_id), &claim->due[i], UUID_LEN) == 0)
			return true;
	return false;
}

/* We have this collection locked, and claim nothing from it: from now on, never wait for one before it. */
static void
hold(Claim *claim, Datum collection_id)
{
	pg_uuid_t  *id = DatumGetUUIDP(collection_id);

	if (!claim->holds || memcmp(id, &claim->held, UUID_LEN) > 0)
		claim->held = *id;
	claim->holds = true;
}

/* Can segments of this collection be claimed, as far as its row tells? */
static bool
claimable(ErQueue *queue, TupleTableSlot *collection)
{
	Datum	   *value = collection->tts_values;

	slot_getsomeattrs(collection, C_CONTROL + 1);
	return DatumGetInt32(value[C_PENDING]) > 0 &&
		DatumGetInt32(value[C_RUNNING]) < DatumGetInt32(value[C_PARALLEL_LIMIT]) &&
		(!DATE_IS_NOEND(DatumGetDateADT(value[C_NEXT_START])) ||
		 DatumGetTimestampTz(value[C_RETRY_AT]) <= queue->at) &&
		er_text_is(value[C_CONTROL], "active");
}

/* Lost leases and retries that are due, of the collection that we have locked; then read its row again. */
static void
tend(Claim *claim, Datum collection_id)
{
	ErQueue *queue = &claim->queue;
	Oid			types[] = {INT4OID, UUIDOID, TIMESTAMPTZOID};

	OidFunctionCall3(LookupFuncName(list_make2(makeString("execreport"), makeString("_tend_collection")), 3, types, false),
					 Int32GetDatum(queue->tenant), collection_id, TimestampTzGetDatum(queue->at));
	if (!er_lock_collection(queue, collection_id, LockWaitBlock))
		elog(ERROR, "a locked collection has vanished");
	slot_getallattrs(queue->collections.stored);
}

/*
 * Give out segments of the collection that is locked, the oldest first, as many as its limit allows. False when there
 * was none. The snapshot is younger than the lock, so it shows all pending segments there are.
 */
static bool
claim_from(Claim *claim)
{
	ErQueue *queue = &claim->queue;
	TupleTableSlot *collection = queue->collections.stored;
	Relation	index;
	Snapshot	snapshot;
	SysScanDesc scan;
	ScanKeyData keys[3];
	HeapTuple	tuple;
	pg_uuid_t	id = *DatumGetUUIDP(collection->tts_values[C_COLLECTION_ID]);
	Oid			pending = er_segment_label(queue, SEGMENT_PENDING);
	TupleDesc	desc = RelationGetDescr(queue->segments.rel);
	ErMove		move = {.was = SEGMENT_PENDING, .becomes = SEGMENT_RUNNING, .sets_next_start = true};
	pg_uuid_t  *ids;
	int			most;

	if (DatumGetTimestampTz(collection->tts_values[C_RETRY_AT]) <= queue->at)
	{
		tend(claim, UUIDPGetDatum(&id));
		if (!claimable(queue, collection))
			return false;
	}
	most = Min(claim->missing, DatumGetInt32(collection->tts_values[C_PARALLEL_LIMIT]) -
			   DatumGetInt32(collection->tts_values[C_RUNNING]));
	move.ids = ids = palloc(sizeof(pg_uuid_t) * most);
	move.next_start = DATEVAL_NOEND;
	move.until = claim->until;

	index = er_open_index(queue->segments.rel, "report_data_segments_days_key");
	snapshot = er_fresh_snapshot();
	ScanKeyInit(&keys[0], S_TENANT_ID + 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(queue->tenant));
	ScanKeyInit(&keys[1], S_COLLECTION_ID + 1, BTEqualStrategyNumber, F_UUID_EQ, UUIDPGetDatum(&id));
	ScanKeyInit(&keys[2], S_SEGMENT_START + 1, BTGreaterEqualStrategyNumber, F_DATE_GE,
				collection->tts_values[C_NEXT_START]);
	scan = systable_beginscan_ordered(queue->segments.rel, index, snapshot, 3, keys);
	while (HeapTupleIsValid(tuple = systable_getnext_ordered(scan, ForwardScanDirection)))
	{
		Datum		values[S_COLUMNS];
		bool		nulls[S_COLUMNS];

		CHECK_FOR_INTERRUPTS();
		heap_deform_tuple(tuple, desc, values, nulls);
		if (DatumGetObjectId(values[S_STATUS]) != pending || !TIMESTAMP_IS_NOBEGIN(DatumGetTimestampTz(values[S_READY_AT])))
			continue;
		if (move.moved == most)
		{
			move.next_start = DatumGetDateADT(values[S_SEGMENT_START]);
			break;
		}
		ids[move.moved++] = *DatumGetUUIDP(values[S_SEGMENT_ID]);
		give(claim, &tuple->t_self, values, nulls, snapshot);
	}
	systable_endscan_ordered(scan);
	UnregisterSnapshot(snapshot);
	index_close(index, NoLock);

	er_move_segments(queue, &move);
	claim->missing -= move.moved;
	return move.moved > 0;
}

/* The segment runs from now on: write that, and add a row to the answer. */
static void
give(Claim *claim, ItemPointer tid, const Datum *values, const bool *nulls, Snapshot snapshot)
{
	ErQueue *queue = &claim->queue;
	ErQueueTable *table = &queue->segments;
	Datum		answer[7];
	bool		answer_nulls[7] = {false};

	er_begin_change(table, values, nulls);
	er_set_column(table, S_STATUS, ObjectIdGetDatum(er_segment_label(queue, SEGMENT_RUNNING)));
	er_set_column(table, S_ATTEMPT, Int32GetDatum(DatumGetInt32(values[S_ATTEMPT]) + 1));
	er_set_column(table, S_FENCING_TOKEN, Int64GetDatum(DatumGetInt64(values[S_FENCING_TOKEN]) + 1));
	er_set_column(table, S_LEASE_UNTIL, TimestampTzGetDatum(claim->until));
	er_set_column(table, S_CLAIMED_AT, TimestampTzGetDatum(queue->at));
	er_set_column(table, S_WORKER, claim->worker);
	if (claim->statement_lease)
	{
		er_set_column(table, S_BACKEND_PID, Int32GetDatum(MyProcPid));
		er_set_column(table, S_BACKEND_START, TimestampTzGetDatum(MyStartTimestamp));
		er_set_column(table, S_BACKEND_STATEMENT, TimestampTzGetDatum(GetCurrentStatementStartTimestamp()));
	}
	answer[0] = values[S_SEGMENT_ID];
	answer[1] = values[S_COLLECTION_ID];
	answer[2] = values[S_SEGMENT_START];
	answer[3] = values[S_SEGMENT_END];
	answer[4] = table->changed->tts_values[S_ATTEMPT];
	answer[5] = table->changed->tts_values[S_FENCING_TOKEN];
	answer[6] = table->changed->tts_values[S_LEASE_UNTIL];
	tuplestore_putvalues(claim->leases->setResult, claim->leases->setDesc, answer, answer_nulls);
	if (er_write_change(table, tid, snapshot) != TM_Ok)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("a pending segment was changed by somebody who has not locked its collection")));
}

/* complete_segment(segment_id uuid, fencing_token bigint, row_count bigint, result jsonb, now timestamptz) */
Datum
er_complete_segment(PG_FUNCTION_ARGS)
{
	ErQueue		queue;
	int32		tenant = er_current_tenant_id();
	Datum		ids[] = {PG_GETARG_DATUM(0)};
	Datum		tokens[] = {PG_GETARG_DATUM(1)};
	Datum		counts[] = {PG_GETARG_DATUM(2)};
	bool		id_nulls[] = {PG_ARGISNULL(0)};
	bool		token_nulls[] = {PG_ARGISNULL(1)};
	bool		count_nulls[] = {PG_ARGISNULL(2)};
	int			done;

	er_require_tenant_persona(tenant, ER_EDITOR);
	if (!PG_ARGISNULL(2))
		check_row_count(PG_GETARG_INT64(2));
	er_open_queue(&queue, tenant, time_or_clock(fcinfo, 4), "complete_segment()");
	(void) complete(&queue, 1, ids, id_nulls, tokens, token_nulls, counts, count_nulls,
					PG_GETARG_DATUM(3), !PG_ARGISNULL(3), &done);
	er_close_queue(&queue);
	PG_RETURN_BOOL(done == 1);
}

/* complete_segments(segment_ids uuid[], fencing_tokens bigint[], row_counts bigint[], now timestamptz) */
Datum
er_complete_segments(PG_FUNCTION_ARGS)
{
	ErQueue		queue;
	int32		tenant = er_current_tenant_id();
	ArrayType  *ids;
	ArrayType  *tokens;
	ArrayType  *counts = PG_ARGISNULL(2) ? NULL : PG_GETARG_ARRAYTYPE_P(2);
	int			n;
	int			done;
	Datum	   *id_values;
	Datum	   *token_values;
	Datum	   *count_values = NULL;
	bool	   *id_nulls;
	bool	   *token_nulls;
	bool	   *count_nulls = NULL;
	Datum		result;

	er_require_tenant_persona(tenant, ER_EDITOR);
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s is null", PG_ARGISNULL(0) ? "segment_ids" : "fencing_tokens")));
	ids = PG_GETARG_ARRAYTYPE_P(0);
	tokens = PG_GETARG_ARRAYTYPE_P(1);
	deconstruct_array(ids, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR, &id_values, &id_nulls, &n);
	deconstruct_array(tokens, INT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &token_values, &token_nulls, &done);
	if (counts != NULL)
	{
		int			many;

		deconstruct_array(counts, INT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &count_values, &count_nulls, &many);
		if (many != n || done != n)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("there are %d segment_ids, %d fencing_tokens and %d row_counts", n, done, many),
					 errhint("Give a token, and a count or none at all, for each segment.")));
		for (int i = 0; i < n; i++)
			if (!count_nulls[i])
				check_row_count(DatumGetInt64(count_values[i]));
	}
	else if (done != n)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("there are %d segment_ids, %d fencing_tokens and no row_counts", n, done),
				 errhint("Give a token, and a count or none at all, for each segment.")));

	er_open_queue(&queue, tenant, time_or_clock(fcinfo, 3), "complete_segments()");
	result = complete(&queue, n, id_values, id_nulls, token_values, token_nulls, count_values, count_nulls, (Datum) 0, false, &done);
	er_close_queue(&queue);
	PG_RETURN_DATUM(result);
}

/* Complete those whose token is the newest, and count them. Answers with their ids. */
static Datum
complete(ErQueue *queue, int n, Datum *ids, bool *id_nulls, Datum *tokens, bool *token_nulls, Datum *counts,
		 bool *count_nulls, Datum result, bool has_result, int *done_count)
{
	Snapshot	snapshot = er_fresh_snapshot();
	Done	   *done = palloc(sizeof(Done) * Max(n, 1));
	Datum	   *answer = palloc(sizeof(Datum) * Max(n, 1));
	Relation	key = index_open(er_primary_key_index(queue->segments.rel), AccessShareLock);
	IndexScanDesc scan = er_index_beginscan(queue->segments.rel, key, snapshot, 2);
	int			many = 0;

	for (int i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (id_nulls[i] || token_nulls[i])
			continue;
		if (complete_one(queue, scan, ids[i], DatumGetInt64(tokens[i]), counts != NULL && !count_nulls[i],
						 counts != NULL ? counts[i] : (Datum) 0, has_result, result, snapshot, &done[many]))
			answer[many++] = ids[i];
	}
	index_endscan(scan);
	index_close(key, NoLock);
	UnregisterSnapshot(snapshot);
	count_completed(queue, done, many);
	*done_count = many;
	return PointerGetDatum(construct_array(answer, many, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR));
}

static bool
complete_one(ErQueue *queue, IndexScanDesc scan, Datum id, int64 token, bool has_count, Datum count, bool has_result, Datum result,
			 Snapshot snapshot, Done *done)
{
	ErQueueTable *table = &queue->segments;
	ScanKeyData keys[2];
	ItemPointerData tid;
	Datum	   *values = table->stored->tts_values;
	bool	   *nulls = table->stored->tts_isnull;
	bool		is_ours = false;

	ScanKeyInit(&keys[0], 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(queue->tenant));
	ScanKeyInit(&keys[1], 2, BTEqualStrategyNumber, F_UUID_EQ, id);
	index_rescan(scan, keys, 2, NULL, 0);
	if (index_getnext_slot(scan, ForwardScanDirection, table->stored))
	{
		slot_getallattrs(table->stored);
		is_ours = is_current(values, nulls, token);
	}
	/* somebody may be changing it: then look at what he leaves */
	for (bool locked = false; is_ours;)
	{
		TM_Result	outcome;

		er_begin_change(table, values, nulls);
		er_set_column(table, S_STATUS, ObjectIdGetDatum(er_segment_label(queue, SEGMENT_COMPLETED)));
		er_set_null(table, S_LEASE_UNTIL);
		er_set_column(table, S_COMPLETED_AT, TimestampTzGetDatum(queue->at));
		er_set_null(table, S_ROW_COUNT);
		if (has_count)
			er_set_column(table, S_ROW_COUNT, count);
		er_set_null(table, S_RESULT);
		if (has_result)
			er_set_column(table, S_RESULT, result);
		er_set_null(table, S_ERROR_MESSAGE);
		er_set_null(table, S_BACKEND_PID);
		er_set_null(table, S_BACKEND_START);
		er_set_null(table, S_BACKEND_STATEMENT);
		done->segment_id = *DatumGetUUIDP(id);
		done->collection_id = *DatumGetUUIDP(values[S_COLLECTION_ID]);
		tid = table->stored->tts_tid;
		outcome = er_write_change(table, &tid, snapshot);
		if (outcome == TM_Ok)
			break;
		if (outcome == TM_SelfModified || locked || !er_lock_row(table, &tid, snapshot, LockWaitBlock))
			is_ours = false;	/* twice in one list, or gone */
		else
		{
			locked = true;
			slot_getallattrs(table->stored);
			is_ours = is_current(values, nulls, token);
		}
	}
	return is_ours;
}

/* Does the segment run under this token? */
static bool
is_current(const Datum *values, const bool *nulls, int64 token)
{
	return !nulls[S_LEASE_UNTIL] && DatumGetInt64(values[S_FENCING_TOKEN]) == token;
}

/* Collection by collection, in ascending order. */
static void
count_completed(ErQueue *queue, Done *done, int n)
{
	pg_uuid_t  *ids = palloc(sizeof(pg_uuid_t) * Max(n, 1));
	int			next;

	if (n > 1)
		qsort(done, n, sizeof(Done), compare_done);
	for (int first = 0; first < n; first = next)
	{
		ErMove		move = {.was = SEGMENT_RUNNING, .becomes = SEGMENT_COMPLETED, .ids = ids + first};

		for (next = first; next < n && memcmp(&done[next].collection_id, &done[first].collection_id, UUID_LEN) == 0; next++)
			ids[next] = done[next].segment_id;
		move.moved = next - first;
		if (er_lock_collection(queue, UUIDPGetDatum(&done[first].collection_id), LockWaitBlock))
			er_move_segments(queue, &move);
	}
}

static int
compare_done(const void *a, const void *b)
{
	return memcmp(&((const Done *) a)->collection_id, &((const Done *) b)->collection_id, UUID_LEN);
}

/*
 * _count_transitions(tenant integer, collection_ids uuid[], moved integer[], was, becomes segment_status_enum,
 * at timestamptz, bell boolean)
 */
Datum
er_count_transitions(PG_FUNCTION_ARGS)
{
	ErQueue		queue;
	Datum	   *ids;
	Datum	   *moved;
	bool	   *id_nulls;
	bool	   *moved_nulls;
	int			n;
	int			many;
	ErMove		move = {0};

	/* no privileges are checked on this way to the tables: only what runs with the rights of their owner goes it */
	if (!superuser())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("only functions of execreport count segments")));
	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
		PG_RETURN_VOID();
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), UUIDOID, UUID_LEN, false, TYPALIGN_CHAR, &ids, &id_nulls, &n);
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(2), INT4OID, 4, true, TYPALIGN_INT, &moved, &moved_nulls, &many);
	er_open_queue(&queue, PG_GETARG_INT32(0), PG_GETARG_TIMESTAMPTZ(5), "_count_transitions()");
	move.was = PG_ARGISNULL(3) ? SEGMENT_NEW : er_segment_status(&queue, PG_GETARG_OID(3));
	move.becomes = er_segment_status(&queue, PG_GETARG_OID(4));
	for (int i = 0; i < Min(n, many); i++)
	{
		CHECK_FOR_INTERRUPTS();
		move.moved = moved_nulls[i] ? 0 : DatumGetInt32(moved[i]);
		if (move.moved != 0 && !id_nulls[i] && er_lock_collection(&queue, ids[i], LockWaitBlock))
			er_move_segments(&queue, &move);
	}
	queue.bell = queue.bell || PG_GETARG_BOOL(6);
	er_close_queue(&queue);
	PG_RETURN_VOID();
}

static void
check_row_count(int64 row_count)
{
	if (row_count < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("row_count is %lld", (long long) row_count),
				 errdetail("It is 0 or more, or null when unknown.")));
}

static TimestampTz
time_or_clock(FunctionCallInfo fcinfo, int argument)
{
	TimestampTz now;

	if (PG_ARGISNULL(argument))
		return GetCurrentTimestamp();
	now = PG_GETARG_TIMESTAMPTZ(argument);
	if (now < ER_FIRST_MOMENT || now >= ER_AFTER_LAST_MOMENT)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("now is %s", timestamptz_to_str(now)),
				 errdetail("Leases are counted from it, so it is a moment of the years 1 to 9999, or null for the clock.")));
	return now;
}

/* _check_lease(lease interval) */
Datum
er_check_lease(PG_FUNCTION_ARGS)
{
	PG_RETURN_INTERVAL_P(check_lease(fcinfo, 0));
}

static Interval *
check_lease(FunctionCallInfo fcinfo, int argument)
{
	Interval	none = {0};
	Interval	most = {.day = 7};
	Datum		lease;

	if (PG_ARGISNULL(argument))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("lease is null"),
				 errdetail("A lease is longer than nothing and at most 7 days."),
				 errhint("Take 60 s and send a heartbeat every 20 s.")));
	lease = PG_GETARG_DATUM(argument);
	if (DatumGetBool(DirectFunctionCall2(interval_le, lease, PointerGetDatum(&none))) ||
		DatumGetBool(DirectFunctionCall2(interval_gt, lease, PointerGetDatum(&most))))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("lease is %s", DatumGetCString(DirectFunctionCall1(interval_out, lease))),
				 errdetail("A lease is longer than nothing and at most 7 days."),
				 errhint("Take 60 s and send a heartbeat every 20 s.")));
	return DatumGetIntervalP(lease);
}
