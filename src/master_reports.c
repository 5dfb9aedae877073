/*
 * master_reports.c
 *		generate_master_report(): the everyday case in one step, all others by _generate_master_report().
 *
 * Everyday is a report of a configuration's current version. Most often its inputs have not changed since the last one:
 * then the stored row is the answer, and finding that out takes some index look-ups and no statement, no lock, and no
 * transaction id. Otherwise master_reports_make.c makes it. Whatever does not go through here (earlier versions, nothing to
 * report, refusals, a neighbour who was faster) is judged anew by the SQL function, which holds all rules and words
 * all errors. The same goes for tables that carry triggers: someone else has plans with them.
 *
 * The row is handed on as it is stored: what is large stays in its table until somebody reads it.
 *
 * Invariants, which the SQL function keeps too: the digest stands for all that goes into a report, so equal
 * digests mean equal reports; of the exec reports of a module the newest by (executed_at, id) up to the moment counts; a
 * report follows the newest one of its version not after the moment.
 */
#include "master_reports.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

#include "calendar.h"
#include "exec_reports.h"
#include "flags.h"
#include "maintenance.h"
#include "metrics.h"
#include "rows.h"
#include "session_cache.h"
#include "statement.h"
#include "tenancy.h"

extern Datum er_canonical_hash(PG_FUNCTION_ARGS);

/* Its arguments */
enum
{
	ARG_CONFIGURATION, ARG_VERSION, ARG_AS_OF, ARGS
};

/* Column numbers of the indexes that we walk */
enum
{
	BY_MODULE_TENANT_ID = 1, BY_MODULE_CONFIGURATION_ID, BY_MODULE_CONTEXT_VERSION, BY_MODULE_MODULE_ID, BY_MODULE_EXECUTED_AT
};
enum
{
	BY_TIME_TENANT_ID = 1, BY_TIME_CONFIGURATION_ID, BY_TIME_GENERATED_AT
};

/* After so many entries that tell nothing new, a fresh descent into the index is cheaper. */
#define STEPS 8

/* Column numbers of execreport.report_epochs */
#define EPOCH_TENANT_ID	1
#define EPOCH_EPOCH		2
#define EVERYWHERE		0

#define MASTER_CHECKS	2

#define DIGESTS			16		/* remembered */
#define DIGEST_LENGTH	64

static const Oid full_types[] = {INT4OID, INT4OID, TIMESTAMPTZOID};
static ErStatement full = {"SELECT m.* FROM execreport._generate_master_report($1, $2, $3) AS m", ARGS, full_types};

static ErWatch configurations_watch = {"configurations"};
static ErWatch reports_watch = {"exec_reports"};
static ErWatch epochs_watch = {"report_epochs"};
static ErWatch stored_watch = {"master_reports"};

/* A digest and what it was made of */
typedef struct Digest
{
	Size		size;			/* 0: none */
	char		input[2048];
	char		digest[DIGEST_LENGTH];
} Digest;

/* The newest reports of modules, while they are collected */
typedef struct Walk
{
	ErMaster   *report;
	Relation	index;
	IndexScanDesc scan;
	ScanKeyData keys[5];
	TupleTableSlot *slot;
	bool		within;			/* one module only */
	int			size;
	TimestampTz oldest;
} Walk;

pg_noreturn static void tell_too_large(int32 configuration_id);
static void generate(FunctionCallInfo fcinfo, ErMaster *report, ReturnSetInfo *result);
static bool is_everyday(FunctionCallInfo fcinfo, ErMaster *report);
static bool open_tables(ErMaster *report);
static void close_tables(ErMaster *report);
static Relation open_as_made(ErWatch *watch, int columns);
static Relation open_index_named(Relation rel, const char *name);
static bool find_configuration(ErMaster *report);
static bool find_inputs(ErMaster *report);
static void begin_scan(Walk *walk, int nkeys);
static void go_to(Walk *walk, const text *module, bool within);
static bool next_entry(Walk *walk, const text *module);
static void take_input(Walk *walk, const text *module);
static int	compare_inputs(const void *a, const void *b);
static const char *freshness(TimestampTz oldest, TimestampTz moment);
static text *digest(const ErMaster *report);
static text *digest_of(const ErMaster *report, Jsonb *input);
static uint64 epoch(const ErMaster *report);
static bool is_stored(ErMaster *report);
static bool find_neighbour(ErMaster *report, Relation index, StrategyNumber strategy, RegProcedure compare, ScanDirection direction);
static bool same_text(const text *a, const text *b);
static void generate_in_full(FunctionCallInfo fcinfo, ReturnSetInfo *result);

PG_FUNCTION_INFO_V1(er_generate_master_report);

Datum
er_generate_master_report(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = er_return_slots(fcinfo);
	ErMaster   *report = palloc0(sizeof(ErMaster));
	MemoryContext context = CurrentMemoryContext;

	report->tenant_id = er_current_tenant_id();
	er_require_tenant_persona(report->tenant_id, ER_EDITOR);
	er_refuse_in_maintenance(report->tenant_id);
	PG_TRY();
	{
		if (!is_everyday(fcinfo, report))
			generate_in_full(fcinfo, result);
		else
			generate(fcinfo, report, result);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		if (geterrcode() == ERRCODE_PROGRAM_LIMIT_EXCEEDED && !report->refused)
			tell_too_large(PG_GETARG_INT32(ARG_CONFIGURATION));
		PG_RE_THROW();
	}
	PG_END_TRY();
	return (Datum) 0;
}

/* Whichever limit was met, of a document or of the consolidation: say whose reports met it, and what to do. */
static void
tell_too_large(int32 configuration_id)
{
	ErrorData  *error = CopyErrorData();

	FlushErrorState();
	/* a row that must stay on its page: columns that go out of line take any report */
	if (error->funcname != NULL && strcmp(error->funcname, "RelationGetBufferForTuple") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the master report of configuration %d does not fit into a row of \"execreport.master_reports\"", configuration_id),
				 errdetail("It was refused with: %s.", error->message),
				 errhint("The extension made its columns with STORAGE EXTENDED; give it back with ALTER TABLE.")));
	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg(ER_TOO_LARGE, configuration_id),
			 errdetail("It was refused with: %s.", error->message),
			 errhint(ER_TOO_LARGE_HINT)));
}

/* Everything that the arguments alone tell, and the flags. */
static bool
is_everyday(FunctionCallInfo fcinfo, ErMaster *report)
{
	if (PG_ARGISNULL(ARG_CONFIGURATION) || XactReadOnly || IsInParallelMode())
		return false;
	report->configuration_id = PG_GETARG_INT32(ARG_CONFIGURATION);
	report->moment = PG_ARGISNULL(ARG_AS_OF) ? GetCurrentTransactionStartTimestamp() : PG_GETARG_TIMESTAMPTZ(ARG_AS_OF);
	if (report->moment < ER_FIRST_MOMENT || report->moment >= ER_AFTER_LAST_MOMENT)
		return false;
	report->user = er_current_user_text();
	if (!er_flag_is_on(report->tenant_id, "masterReportsEnabled", report->user, &report->configuration_id))
		return false;
	report->consolidation = er_flag_is_on(report->tenant_id, "consolidationEnabled", report->user, &report->configuration_id);
	report->synthesis = er_flag_is_on(report->tenant_id, "councilSynthesisEnabled", report->user, &report->configuration_id);
	return true;
}

static void
generate(FunctionCallInfo fcinfo, ErMaster *report, ReturnSetInfo *result)
{
	bool		known = false;
	bool		made = false;

	er_attempt_begin(ER_ATTEMPT_MASTER, report->tenant_id, "", 0);
	CommandCounterIncrement();	/* as for each statement of a function: what this command has done so far is seen */
	if (open_tables(report))
	{
		if (find_configuration(report) &&
			(PG_ARGISNULL(ARG_VERSION) || PG_GETARG_INT32(ARG_VERSION) == report->context_version) &&
			find_inputs(report))
		{
			report->digest = digest(report);
			known = is_stored(report);
			made = !known && er_make_master_report(report);
		}
		if (known || made)
			tuplestore_puttupleslot(result->setResult, report->row);
	}
	close_tables(report);
	er_attempt_end(made);
	if (!known && !made)
		generate_in_full(fcinfo, result);
}

/* False when one of them is not as the extension made it. */
static bool
open_tables(ErMaster *report)
{
	report->configurations = open_as_made(&configurations_watch, CONFIGURATION_COLUMNS);
	report->exec_reports = open_as_made(&reports_watch, EXEC_COLUMNS);
	report->stored = open_as_made(&stored_watch, MASTER_COLUMNS);
	if (report->configurations == NULL || report->exec_reports == NULL || report->stored == NULL ||
		RelationGetDescr(report->stored)->constr->num_check != MASTER_CHECKS)
		return false;
	report->snapshot = RegisterSnapshot(GetTransactionSnapshot());
	report->row = table_slot_create(report->stored, NULL);
	return true;
}

static void
close_tables(ErMaster *report)
{
	if (report->row != NULL)
	{
		ExecDropSingleTupleTableSlot(report->row);
		UnregisterSnapshot(report->snapshot);
	}
	if (report->configurations != NULL)
		table_close(report->configurations, NoLock);
	if (report->exec_reports != NULL)
		table_close(report->exec_reports, NoLock);
	if (report->stored != NULL)
		table_close(report->stored, NoLock);
}

static Relation
open_as_made(ErWatch *watch, int columns)
{
	Relation	rel = table_open(er_watch_relid(watch), AccessShareLock);

	if (rel->rd_rel->relkind == RELKIND_RELATION && er_has_columns(RelationGetDescr(rel), columns) && rel->trigdesc == NULL &&
		rel->rd_rules == NULL && !rel->rd_rel->relforcerowsecurity)
		return rel;
	table_close(rel, NoLock);
	return NULL;
}

/* NULL when there is none, or it does not show all rows. */
static Relation
open_index_named(Relation rel, const char *name)
{
	Oid			oid = get_relname_relid(name, RelationGetNamespace(rel));
	Relation	index;

	if (!OidIsValid(oid))
		return NULL;
	index = index_open(oid, AccessShareLock);
	if (index->rd_index->indrelid == RelationGetRelid(rel) && index->rd_index->indisvalid && !index->rd_index->indcheckxmin)
		return index;
	index_close(index, NoLock);
	return NULL;
}

static bool
find_configuration(ErMaster *report)
{
	TupleDesc	desc = RelationGetDescr(report->configurations);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		isnull;

	ScanKeyInit(&keys[0], CONFIGURATION_TENANT_ID + 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(report->tenant_id));
	ScanKeyInit(&keys[1], CONFIGURATION_ID + 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(report->configuration_id));
	scan = systable_beginscan(report->configurations, er_primary_key_index(report->configurations), true, report->snapshot, 2, keys);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		report->configuration = heap_copytuple(tuple);
		report->context_version = DatumGetInt32(heap_getattr(report->configuration, CONFIGURATION_VERSION + 1, desc, &isnull));
		report->context_hash = DatumGetTextPP(heap_getattr(report->configuration, CONFIGURATION_HASH + 1, desc, &isnull));
	}
	systable_endscan(scan);
	return HeapTupleIsValid(tuple);
}

/*
 * The newest successful exec report of each module, as idx_exec_reports_context has them: module by module, the
 * newest first. Modules with many entries are skipped over. False when there is none.
 */
static bool
find_inputs(ErMaster *report)
{
	Walk		walk = {report};
	const text *module = NULL;
	bool		taken = false;
	int			steps = 0;

	walk.index = open_index_named(report->exec_reports, "idx_exec_reports_context");
	if (walk.index == NULL)
		return false;
	ScanKeyInit(&walk.keys[0], BY_MODULE_TENANT_ID, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(report->tenant_id));
	ScanKeyInit(&walk.keys[1], BY_MODULE_CONFIGURATION_ID, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(report->configuration_id));
	ScanKeyInit(&walk.keys[2], BY_MODULE_CONTEXT_VERSION, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(report->context_version));
	walk.slot = table_slot_create(report->exec_reports, NULL);
	begin_scan(&walk, 3);
	while (next_entry(&walk, module))
	{
		text	   *found;

		CHECK_FOR_INTERRUPTS();
		slot_getsomeattrs(walk.slot, EXEC_EXECUTED_AT + 1);
		found = DatumGetTextPP(walk.slot->tts_values[EXEC_MODULE_ID]);
		if (module == NULL || !same_text(found, module))
		{
			Size		size = VARSIZE_ANY(found);

			module = memcpy(palloc(size), found, size);
			taken = false;
			steps = 0;
		}
		if (!taken && DatumGetTimestampTz(walk.slot->tts_values[EXEC_EXECUTED_AT]) <= report->moment)
		{
			take_input(&walk, module);
			taken = true;
			steps = 0;
		}
		else if (++steps == STEPS)
			go_to(&walk, module, !taken);
	}
	index_endscan(walk.scan);
	index_close(walk.index, NoLock);
	ExecDropSingleTupleTableSlot(walk.slot);
	if (report->ninputs == 0)
		return false;
	qsort(report->inputs, report->ninputs, sizeof(ErMasterInput), compare_inputs);
	report->freshness = freshness(walk.oldest, report->moment);
	return true;
}

static void
begin_scan(Walk *walk, int nkeys)
{
	if (walk->scan != NULL)
		index_endscan(walk->scan);
	walk->scan = er_index_beginscan(walk->report->exec_reports, walk->index, walk->report->snapshot, nkeys);
	index_rescan(walk->scan, walk->keys, nkeys, NULL, 0);
}

/* Go on within this module, with the reports up to the moment; or with the module after it. */
static void
go_to(Walk *walk, const text *module, bool within)
{
	ScanKeyEntryInitialize(&walk->keys[3], 0, BY_MODULE_MODULE_ID, within ? BTEqualStrategyNumber : BTGreaterStrategyNumber,
						   InvalidOid, walk->index->rd_indcollation[BY_MODULE_MODULE_ID - 1], within ? F_TEXTEQ : F_TEXT_GT,
						   PointerGetDatum(module));
	ScanKeyInit(&walk->keys[4], BY_MODULE_EXECUTED_AT, BTLessEqualStrategyNumber, F_TIMESTAMPTZ_LE,
				TimestampTzGetDatum(walk->report->moment));
	begin_scan(walk, within ? 5 : 4);
	walk->within = within;
}

static bool
next_entry(Walk *walk, const text *module)
{
	while (!index_getnext_slot(walk->scan, ForwardScanDirection, walk->slot))
	{
		if (!walk->within)
			return false;
		go_to(walk, module, false);
	}
	return true;
}

static void
take_input(Walk *walk, const text *module)
{
	ErMaster   *report = walk->report;
	ErMasterInput *input;
	TimestampTz executed_at = DatumGetTimestampTz(walk->slot->tts_values[EXEC_EXECUTED_AT]);
	bool		isnull;

	if (report->ninputs == walk->size)
	{
		walk->size = Max(16, walk->size * 2);
		report->inputs = report->inputs == NULL ? palloc(walk->size * sizeof(ErMasterInput))
			: repalloc_huge(report->inputs, walk->size * sizeof(ErMasterInput));
	}
	if (report->ninputs == 0 || executed_at < walk->oldest)
		walk->oldest = executed_at;
	input = &report->inputs[report->ninputs++];
	input->tuple = ExecCopySlotHeapTuple(walk->slot);
	input->id = DatumGetTextPP(heap_getattr(input->tuple, EXEC_ID + 1, RelationGetDescr(report->exec_reports), &isnull));
	input->module_id = module;
}

static int
compare_inputs(const void *a, const void *b)
{
	const text *one = ((const ErMasterInput *) a)->module_id;
	const text *two = ((const ErMasterInput *) b)->module_id;
	int			one_len = VARSIZE_ANY_EXHDR(one);
	int			two_len = VARSIZE_ANY_EXHDR(two);
	int			order = memcmp(VARDATA_ANY(one), VARDATA_ANY(two), Min(one_len, two_len));

	return order != 0 ? order : one_len - two_len;
}

/* As _data_freshness() has it. The oldest report is not after the moment. */
static const char *
freshness(TimestampTz oldest, TimestampTz moment)
{
	TimestampTz age = moment - oldest;

	return age < 24 * USECS_PER_HOUR ? "fresh" : age < 168 * USECS_PER_HOUR ? "moderate" : "stale";
}

static text *
digest(const ErMaster *report)
{
	/* in jsonb's order of keys */
	static const char *const keys[] = {
		"epoch", "contextHash", "execReports", "dataFreshness", "consolidationEnabled", "councilSynthesisEnabled"
	};
	static const ErJsonShape shape = {lengthof(keys), keys};
	ErJsonWriter writer;

	er_json_start(&writer, 512 + (Size) report->ninputs * 128);
	er_json_begin_object(&writer, &shape);
	er_json_decimal(&writer, epoch(report), 0);
	er_json_text(&writer, VARDATA_ANY(report->context_hash), VARSIZE_ANY_EXHDR(report->context_hash));
	er_json_begin_array(&writer, report->ninputs);
	for (int i = 0; i < report->ninputs; i++)
		er_json_text(&writer, VARDATA_ANY(report->inputs[i].id), VARSIZE_ANY_EXHDR(report->inputs[i].id));
	er_json_end(&writer);
	er_json_text(&writer, report->freshness, strlen(report->freshness));
	er_json_bool(&writer, report->consolidation);
	er_json_bool(&writer, report->synthesis);
	er_json_end(&writer);
	return digest_of(report, er_json_finish(&writer));
}

/* It takes as long as all the rest of an unchanged report, so a session remembers the last ones. */
static text *
digest_of(const ErMaster *report, Jsonb *input)
{
	static Digest remembered[DIGESTS];
	Digest	   *entry = &remembered[((uint32) report->tenant_id * 31 + (uint32) report->configuration_id) % DIGESTS];
	text	   *result;

	if (entry->size == VARSIZE(input) && memcmp(entry->input, input, entry->size) == 0)
		return cstring_to_text_with_len(entry->digest, DIGEST_LENGTH);
	result = DatumGetTextPP(DirectFunctionCall1(er_canonical_hash, JsonbPGetDatum(input)));
	if (VARSIZE(input) <= sizeof(entry->input) && VARSIZE_ANY_EXHDR(result) == DIGEST_LENGTH)
	{
		entry->size = VARSIZE(input);
		memcpy(entry->input, input, entry->size);
		memcpy(entry->digest, VARDATA_ANY(result), DIGEST_LENGTH);
	}
	return result;
}

/* How often stored reports were declared invalid, for all tenants or this one. */
static uint64
epoch(const ErMaster *report)
{
	const int32 scopes[] = {EVERYWHERE, report->tenant_id};
	Relation	rel = table_open(er_watch_relid(&epochs_watch), AccessShareLock);
	uint64		sum = 0;

	for (int i = 0; i < (report->tenant_id == EVERYWHERE ? 1 : 2); i++)
	{
		ScanKeyData key;
		SysScanDesc scan;
		HeapTuple	tuple;
		bool		isnull;

		ScanKeyInit(&key, EPOCH_TENANT_ID, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(scopes[i]));
		scan = systable_beginscan(rel, er_primary_key_index(rel), true, report->snapshot, 1, &key);
		tuple = systable_getnext(scan);
		if (HeapTupleIsValid(tuple))
			sum += DatumGetInt64(heap_getattr(tuple, EPOCH_EPOCH, RelationGetDescr(rel), &isnull));
		systable_endscan(scan);
	}
	table_close(rel, NoLock);
	return sum;
}

/*
 * The stored reports next in time: does one have the same input? Then its row is the answer. Otherwise the new one is going
 * to follow the one before the moment.
 */
static bool
is_stored(ErMaster *report)
{
	Relation	index = open_index_named(report->stored, "idx_master_reports_config");
	bool		known = false;
	bool		isnull;

	report->follows = NULL;
	if (index == NULL)
		return false;
	if (find_neighbour(report, index, BTLessEqualStrategyNumber, F_TIMESTAMPTZ_LE, ForwardScanDirection))
	{
		Datum		stored_digest = slot_getattr(report->row, MASTER_INPUT_DIGEST + 1, &isnull);

		known = !isnull && same_text(DatumGetTextPP(stored_digest), report->digest);
		report->follows = DatumGetTextPCopy(slot_getattr(report->row, MASTER_ID + 1, &isnull));
	}
	else
		report->follows = cstring_to_text("");
	if (!known && find_neighbour(report, index, BTGreaterStrategyNumber, F_TIMESTAMPTZ_GT, BackwardScanDirection))
	{
		Datum		stored_digest = slot_getattr(report->row, MASTER_INPUT_DIGEST + 1, &isnull);

		known = !isnull && same_text(DatumGetTextPP(stored_digest), report->digest);
	}
	index_close(index, NoLock);
	return known;
}

static bool
find_neighbour(ErMaster *report, Relation index, StrategyNumber strategy, RegProcedure compare, ScanDirection direction)
{
	ScanKeyData keys[3];
	IndexScanDesc scan;
	bool		found = false;

	ScanKeyInit(&keys[0], BY_TIME_TENANT_ID, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(report->tenant_id));
	ScanKeyInit(&keys[1], BY_TIME_CONFIGURATION_ID, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(report->configuration_id));
	ScanKeyInit(&keys[2], BY_TIME_GENERATED_AT, strategy, compare, TimestampTzGetDatum(report->moment));
	scan = er_index_beginscan(report->stored, index, report->snapshot, 3);
	index_rescan(scan, keys, 3, NULL, 0);
	while (!found && index_getnext_slot(scan, direction, report->row))
	{
		bool		isnull;

		CHECK_FOR_INTERRUPTS();
		found = DatumGetInt32(slot_getattr(report->row, MASTER_CONTEXT_VERSION + 1, &isnull)) == report->context_version;
	}
	index_endscan(scan);
	return found;
}

static bool
same_text(const text *a, const text *b)
{
	return VARSIZE_ANY_EXHDR(a) == VARSIZE_ANY_EXHDR(b) && memcmp(VARDATA_ANY(a), VARDATA_ANY(b), VARSIZE_ANY_EXHDR(a)) == 0;
}

static void
generate_in_full(FunctionCallInfo fcinfo, ReturnSetInfo *result)
{
	Datum		values[ARGS];
	char		nulls[ARGS];

	SPI_connect();
	for (int i = 0; i < ARGS; i++)
	{
		values[i] = fcinfo->args[i].value;
		nulls[i] = fcinfo->args[i].isnull ? 'n' : ' ';
	}
	if (SPI_execute_plan(er_statement_plan(&full), values, nulls, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not run \"%s\"", full.sql);
	for (uint64 i = 0; i < SPI_processed; i++)
		tuplestore_puttuple(result->setResult, SPI_tuptable->vals[i]);
	SPI_finish();
}
