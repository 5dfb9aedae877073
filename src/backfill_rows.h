/*
 * backfill_rows.h
 *		Reading, locking and changing the rows of the backfill queue's two tables.
 */
#ifndef ER_BACKFILL_ROWS_H
#define ER_BACKFILL_ROWS_H

#include "compat.h"

#include "access/tableam.h"
#include "utils/date.h"
#include "utils/rel.h"
#include "utils/snapshot.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

/* Columns of report_data_collections and report_data_segments, as sql/backfill.sql has them */
enum
{
	C_TENANT_ID, C_COLLECTION_ID, C_PARALLEL_LIMIT, C_PENDING, C_RUNNING, C_COMPLETED, C_FAILED, C_CANCELLED, C_STATUS,
	C_NEXT_START, C_RETRY_AT, C_CHECK_AT, C_CONTROL, C_RUNNING_IDS, C_STARTED_AT, C_FINISHED_AT, C_PACE_FROM, C_PACE_SECONDS,
	C_WORKFLOW_ID, C_USER_ID, C_LOOKBACK_CONFIG, C_SEGMENTATION_CONFIG, C_PARAMETERS, C_START_DATE, C_END_DATE,
	C_REQUEST_KEY, C_MAX_ATTEMPTS, C_RETRY_FAILED, C_CONTROL_REASON, C_CREATED_AT, C_COLUMNS
};
enum
{
	S_TENANT_ID, S_SEGMENT_ID, S_COLLECTION_ID, S_SEGMENT_START, S_SEGMENT_END, S_STATUS, S_ATTEMPT, S_FENCING_TOKEN,
	S_READY_AT, S_LEASE_UNTIL, S_CLAIMED_AT, S_COMPLETED_AT, S_ROW_COUNT, S_WORKER, S_BACKEND_PID, S_BACKEND_START,
	S_BACKEND_STATEMENT, S_LOST_LEASES, S_ERROR_MESSAGE, S_ERRORS, S_RESULT, S_COLUMNS
};

/* execreport.segment_status_enum; the counters of a collection stand in the same order */
typedef enum ErSegmentStatus
{
	SEGMENT_PENDING, SEGMENT_RUNNING, SEGMENT_COMPLETED, SEGMENT_FAILED, SEGMENT_CANCELLED, SEGMENT_STATES,
	SEGMENT_NEW = -1
} ErSegmentStatus;

/* One of the two tables, open for a call */
typedef struct ErQueueTable
{
	Relation	rel;
	int			columns;		/* ours; behind them stand only such as were dropped */
	TupleTableSlot *stored;		/* the version that is locked */
	TupleTableSlot *changed;	/* the version to be written */
	bool		constrained;	/* somebody has added constraints to ours, which keep themselves */
} ErQueueTable;

typedef struct ErQueue
{
	int32		tenant;
	TimestampTz at;
	ErQueueTable collections;
	ErQueueTable segments;
	Relation	collections_key;
	bool		bell;
} ErQueue;

/* A change of a collection's counters, and of what goes with it */
typedef struct ErMove
{
	ErSegmentStatus was;
	ErSegmentStatus becomes;
	int			moved;
	const pg_uuid_t *ids;		/* the segments, when they begin or cease to run; NULL: running_ids is kept */
	bool		sets_next_start;
	DateADT		next_start;
	TimestampTz until;			/* of the leases of those that begin to run */
} ErMove;

extern void er_move_segments(ErQueue *queue, const ErMove *move);
extern void er_open_queue(ErQueue *queue, int32 tenant, TimestampTz at, const char *caller);
extern void er_close_queue(ErQueue *queue);
extern Relation er_open_index(Relation rel, const char *name);
extern Snapshot er_fresh_snapshot(void);
extern bool er_lock_collection(ErQueue *queue, Datum collection_id, LockWaitPolicy policy);
extern bool er_lock_row(ErQueueTable *table, ItemPointer tid, Snapshot snapshot, LockWaitPolicy policy);
extern void er_begin_change(ErQueueTable *table, const Datum *values, const bool *nulls);
extern TM_Result er_write_change(ErQueueTable *table, ItemPointer tid, Snapshot snapshot);
extern ErSegmentStatus er_segment_status(ErQueue *queue, Oid label);
extern bool er_text_is(Datum value, const char *expected);
extern Oid	er_segment_label(ErQueue *queue, ErSegmentStatus status);

static inline void
er_set_column(ErQueueTable *table, int column, Datum value)
{
	table->changed->tts_values[column] = value;
	table->changed->tts_isnull[column] = false;
}

static inline void
er_set_null(ErQueueTable *table, int column)
{
	table->changed->tts_values[column] = (Datum) 0;
	table->changed->tts_isnull[column] = true;
}

#endif							/* ER_BACKFILL_ROWS_H */
