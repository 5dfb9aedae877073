/*
 * exec_reports_create.c
 *		create_exec_report(): the everyday case in one step, all others by _create_exec_report().
 *
 * The everyday case is a new report, without an id of the caller's, of the current version of a configuration, with
 * documents that fit. Whatever does not go through here, be it refused, repeated or of an earlier version, is judged
 * anew by the SQL function, which holds all rules and words all errors. The same goes for tables that carry triggers:
 * someone else has plans with them, as when they are distributed over several servers.
 *
 * Besides backfill_queue.c this is the one place where C writes a table of ours, for speed alone. A report is stored for each
 * run of each module; as SQL, in PL/pgSQL, the checks and the statement took as long as all the rest of the transaction
 * (62 of 155 microseconds), because expressions and plans are set up anew each time.
 */
#include "compat.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "calendar.h"
#include "exec_reports.h"
#include "flags.h"
#include "json_schema.h"
#include "maintenance.h"
#include "metrics.h"
#include "session_cache.h"
#include "statement.h"
#include "tenancy.h"

extern Datum er_uuid7(PG_FUNCTION_ARGS);

/* Its arguments */
enum
{
	ARG_CONFIGURATION, ARG_MODULE, ARG_OUTPUT, ARG_PLAYBOOK, ARG_VERSION, ARG_EXECUTED_AT, ARG_ID, ARGS
};

#define MAX_MODULE 100			/* characters */
#define UUID_TEXT 36

/* A contract of the extension, as read once */
typedef struct Contract
{
	const char *query;
	Jsonb	   *schema;
	ErJsKept	compiled;
} Contract;

/* Columns of execreport.exec_reports */
enum
{
	REPORT_TENANT_ID, REPORT_ID, REPORT_CONFIGURATION_ID, REPORT_MODULE_ID, REPORT_CONTEXT_VERSION, REPORT_CONTEXT_HASH,
	REPORT_EXECUTED_AT, REPORT_OUTPUT, REPORT_PLAYBOOK_RESULT, REPORT_CREATED_AT, REPORT_CREATED_BY, REPORT_COLUMNS
};

/* Column numbers of execreport.configurations and execreport.modules */
#define CONFIGURATION_TENANT_ID	1
#define CONFIGURATION_ID		2
#define CONFIGURATION_VERSION	3
#define CONFIGURATION_HASH		4
#define MODULE_TENANT_ID		1
#define MODULE_ID				2
#define MODULE_CONTRACT			5

static const Oid full_types[] = {INT4OID, TEXTOID, JSONBOID, JSONBOID, INT4OID, TIMESTAMPTZOID, TEXTOID};
static ErStatement full = {
	"SELECT r.* FROM execreport._create_exec_report($1, $2, $3, $4, $5, $6, $7) AS r", ARGS, full_types
};

/* What a session keeps. The contracts may be others when the extension was created anew. */
static ErWatch contracts_watch = {"contracts"};
static uint64 contracts_generation;
static Contract output_contract = {"SELECT execreport._exec_report_output_contract()"};
static Contract playbook_contract = {"SELECT execreport._playbook_result_contract()"};

static ErWatch reports_watch = {"exec_reports"};
static ErWatch configurations_watch = {"configurations"};
static ErWatch modules_watch = {"modules"};

static bool create_report(FunctionCallInfo fcinfo, int32 tenant_id, text *user, Datum *result);
static void begin_attempt(int32 tenant_id, FunctionCallInfo fcinfo);
static bool fits(const Jsonb *document, Contract *contract);
static bool module_has_contract(int32 tenant_id, Datum module);
static bool lock_configuration(int32 tenant_id, int32 configuration_id, Datum *values);
static bool insert_report(Datum *values, bool *isnull, Datum *result);
static text *new_id(const text *module);
static Datum create_in_full(NullableDatum *args);
static void read_contracts(void);
static void read_contract(Contract *contract);

PG_FUNCTION_INFO_V1(er_create_exec_report);

Datum
er_create_exec_report(PG_FUNCTION_ARGS)
{
	int32		tenant_id = er_current_tenant_id();
	int32		configuration_id;
	text	   *user;
	Datum		result;

	er_require_tenant_persona(tenant_id, ER_EDITOR);
	er_refuse_in_maintenance(tenant_id);
	user = er_current_user_text();
	configuration_id = PG_GETARG_INT32(ARG_CONFIGURATION);
	if (!er_flag_is_on(tenant_id, "execReportsEnabled", user, PG_ARGISNULL(ARG_CONFIGURATION) ? NULL : &configuration_id))
		return create_in_full(fcinfo->args);	/* which says so */

	begin_attempt(tenant_id, fcinfo);
	if (!create_report(fcinfo, tenant_id, user, &result))
		result = create_in_full(fcinfo->args);
	er_attempt_end(true);
	PG_RETURN_DATUM(result);
}

/*
 * The everyday case; false, and nothing stored, when it is another.
 */
static bool
create_report(FunctionCallInfo fcinfo, int32 tenant_id, text *user, Datum *result)
{
	Datum		values[REPORT_COLUMNS];
	bool		isnull[REPORT_COLUMNS] = {false};
	text	   *module;
	Jsonb	   *output;
	Jsonb	   *playbook = NULL;
	TimestampTz moment;

	if (PG_ARGISNULL(ARG_CONFIGURATION) || PG_ARGISNULL(ARG_MODULE) || PG_ARGISNULL(ARG_OUTPUT) || !PG_ARGISNULL(ARG_ID))
		return false;
	if (XactReadOnly || IsInParallelMode())
		return false;			/* the executor refuses it; heaps themselves do not */

	module = PG_GETARG_TEXT_PP(ARG_MODULE);
	if (VARSIZE_ANY_EXHDR(module) == 0 ||
		pg_mbstrlen_with_len(VARDATA_ANY(module), VARSIZE_ANY_EXHDR(module)) > MAX_MODULE)
		return false;
	moment = PG_ARGISNULL(ARG_EXECUTED_AT) ? GetCurrentTransactionStartTimestamp() : PG_GETARG_TIMESTAMPTZ(ARG_EXECUTED_AT);
	if (moment < ER_FIRST_MOMENT || moment >= ER_AFTER_LAST_MOMENT)
		return false;

	read_contracts();
	output = PG_GETARG_JSONB_P(ARG_OUTPUT);
	if (!PG_ARGISNULL(ARG_PLAYBOOK))
	{
		JsonbValue	value;

		playbook = PG_GETARG_JSONB_P(ARG_PLAYBOOK);
		if (JB_ROOT_IS_SCALAR(playbook) && JsonbExtractScalar(&playbook->root, &value) && value.type == jbvNull)
			playbook = NULL;
	}
	if (!fits(output, &output_contract) || (playbook != NULL && !fits(playbook, &playbook_contract)) ||
		module_has_contract(tenant_id, PointerGetDatum(module)))
		return false;

	/* as each statement of a function: what this command has done so far is seen */
	CommandCounterIncrement();
	if (!lock_configuration(tenant_id, PG_GETARG_INT32(ARG_CONFIGURATION), values) ||
		(!PG_ARGISNULL(ARG_VERSION) && PG_GETARG_INT32(ARG_VERSION) != DatumGetInt32(values[REPORT_CONTEXT_VERSION])))
		return false;
	values[REPORT_TENANT_ID] = Int32GetDatum(tenant_id);
	values[REPORT_ID] = PointerGetDatum(new_id(module));
	values[REPORT_CONFIGURATION_ID] = PG_GETARG_DATUM(ARG_CONFIGURATION);
	values[REPORT_MODULE_ID] = PointerGetDatum(module);
	values[REPORT_EXECUTED_AT] = TimestampTzGetDatum(moment);
	values[REPORT_OUTPUT] = PointerGetDatum(output);
	values[REPORT_PLAYBOOK_RESULT] = PointerGetDatum(playbook);
	isnull[REPORT_PLAYBOOK_RESULT] = playbook == NULL;
	values[REPORT_CREATED_AT] = TimestampTzGetDatum(GetCurrentTransactionStartTimestamp());
	values[REPORT_CREATED_BY] = PointerGetDatum(user);
	return insert_report(values, isnull, result);
}

/* From here on a failure counts as one. */
static void
begin_attempt(int32 tenant_id, FunctionCallInfo fcinfo)
{
	const text *module = PG_ARGISNULL(ARG_MODULE) ? NULL : PG_GETARG_TEXT_PP(ARG_MODULE);

	if (module == NULL || VARSIZE_ANY_EXHDR(module) > MAX_MODULE * MAX_MULTIBYTE_CHAR_LEN)
		er_attempt_begin(ER_ATTEMPT_EXEC, tenant_id, "", 0);
	else
		er_attempt_begin(ER_ATTEMPT_EXEC, tenant_id, VARDATA_ANY(module), VARSIZE_ANY_EXHDR(module));
}

static bool
fits(const Jsonb *document, Contract *contract)
{
	ErJsSchema *schema = er_js_schema_kept(&contract->compiled, contract->schema);
	ErJsValue	root;

	er_js_root(unconstify(Jsonb *, document), &root);
	return er_js_validate(schema, &root, NULL);
}

/*
 * Is the output of this module held to a contract of its own? Only the tenants that have such modules are worth a look.
 */
static bool
module_has_contract(int32 tenant_id, Datum module)
{
	static uint64 known_generation;
	static int32 known_tenant;
	static bool known_none;
	uint64		generation = er_watch_further(&modules_watch);
	ScanKeyData keys[2];
	Relation	rel;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		any = false;
	bool		found = false;

	if (known_none && known_generation == generation && known_tenant == tenant_id)
		return false;

	rel = table_open(er_watch_relid(&modules_watch), AccessShareLock);
	ScanKeyInit(&keys[0], MODULE_TENANT_ID, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(tenant_id));
	ScanKeyInit(&keys[1], MODULE_ID, BTEqualStrategyNumber, F_TEXTEQ, module);
	keys[1].sk_collation = C_COLLATION_OID;
	for (int nkeys = 2; nkeys > 0 && !found; nkeys--)
	{
		if (nkeys == 1 && known_generation == generation && known_tenant == tenant_id)
			break;				/* it has some: known */
		any = false;
		scan = systable_beginscan(rel, er_primary_key_index(rel), true, NULL, nkeys, keys);
		while (!any && HeapTupleIsValid(tuple = systable_getnext(scan)))
		{
			(void) heap_getattr(tuple, MODULE_CONTRACT, RelationGetDescr(rel), &any);
			any = !any;
		}
		systable_endscan(scan);
		if (nkeys == 2)
			found = any;
		else
		{
			known_generation = generation;
			known_tenant = tenant_id;
			known_none = !any;
		}
	}
	table_close(rel, AccessShareLock);
	return found;
}

/*
 * The version and hash of the configuration, locked against deletion (KEY SHARE) until we commit. False when there is no
 * such configuration, or it cannot be locked just so.
 */
static bool
lock_configuration(int32 tenant_id, int32 configuration_id, Datum *values)
{
	Relation	rel = table_open(er_watch_relid(&configurations_watch), RowShareLock);
	Snapshot	snapshot = RegisterSnapshot(GetTransactionSnapshot());
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		locked = false;

	ScanKeyInit(&keys[0], CONFIGURATION_TENANT_ID, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(tenant_id));
	ScanKeyInit(&keys[1], CONFIGURATION_ID, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(configuration_id));
	scan = systable_beginscan(rel, er_primary_key_index(rel), true, snapshot, 2, keys);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple) && rel->trigdesc == NULL)
	{
		TM_FailureData failure;
		uint8		flags = IsolationUsesXactSnapshot() ? 0 : TUPLE_LOCK_FLAG_FIND_LAST_VERSION;

		if (table_tuple_lock(rel, &tuple->t_self, snapshot, slot, GetCurrentCommandId(false), LockTupleKeyShare,
							 LockWaitBlock, flags, &failure) == TM_Ok)
		{
			bool		no_hash;
			bool		no_version;
			Datum		hash = slot_getattr(slot, CONFIGURATION_HASH, &no_hash);

			values[REPORT_CONTEXT_VERSION] = slot_getattr(slot, CONFIGURATION_VERSION, &no_version);
			locked = !no_hash && !no_version;
			if (locked)
				values[REPORT_CONTEXT_HASH] = PointerGetDatum(PG_DETOAST_DATUM_COPY(hash));
		}
	}
	systable_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	UnregisterSnapshot(snapshot);
	table_close(rel, NoLock);
	return locked;
}

/*
 * Insert the row as the executor would, and give it back as a composite value. False when the table is not as we know it.
 */
static bool
insert_report(Datum *values, bool *isnull, Datum *result)
{
	Relation	rel = table_open(er_watch_relid(&reports_watch), RowExclusiveLock);
	TupleDesc	desc = RelationGetDescr(rel);
	EState	   *estate;
	ResultRelInfo *target;
	TupleTableSlot *slot;
	HeapTuple	row;

	if (!er_has_columns(desc, REPORT_COLUMNS) || rel->trigdesc != NULL || rel->rd_rules != NULL || rel->rd_rel->relforcerowsecurity ||
		rel->rd_rel->relkind != RELKIND_RELATION)
	{
		table_close(rel, NoLock);
		return false;
	}

	estate = CreateExecutorState();
	estate->es_output_cid = GetCurrentCommandId(true);
	target = makeNode(ResultRelInfo);
	InitResultRelInfo(target, rel, 0, NULL, 0);
	ExecOpenIndices(target, false);
	slot = MakeSingleTupleTableSlot(desc, &TTSOpsVirtual);
	memcpy(slot->tts_values, values, sizeof(Datum) * REPORT_COLUMNS);
	memset(slot->tts_isnull, true, sizeof(bool) * desc->natts);
	memcpy(slot->tts_isnull, isnull, sizeof(bool) * REPORT_COLUMNS);
	ExecStoreVirtualTuple(slot);
	PushActiveSnapshot(GetTransactionSnapshot());	/* for the expressions of indexes */
	ExecSimpleRelationInsert(target, estate, slot);
	PopActiveSnapshot();
	ExecCloseIndices(target);
	row = heap_form_tuple(desc, slot->tts_values, slot->tts_isnull);
	ExecDropSingleTupleTableSlot(slot);
	FreeExecutorState(estate);
	CommandCounterIncrement();

	*result = HeapTupleGetDatum(row);
	table_close(rel, NoLock);
	return true;
}

bool
er_has_columns(TupleDesc desc, int columns)
{
	for (int i = 0; i < desc->natts; i++)
	{
		if (TupleDescAttr(desc, i)->attisdropped != (i >= columns))
			return false;
	}
	return desc->natts >= columns;
}

/* exec-<module>-<UUIDv7> */
static text *
new_id(const text *module)
{
	LOCAL_FCINFO(call, 0);
	char	   *uuid;
	int			len = VARSIZE_ANY_EXHDR(module);
	Size		size = VARHDRSZ + strlen("exec-") + len + strlen("-") + UUID_TEXT;
	text	   *id = palloc(size + 1);

	InitFunctionCallInfoData(*call, NULL, 0, InvalidOid, NULL, NULL);
	uuid = DatumGetCString(DirectFunctionCall1(uuid_out, er_uuid7(call)));
	SET_VARSIZE(id, size);
	snprintf(VARDATA(id), size - VARHDRSZ + 1, "exec-%.*s-%s", len, VARDATA_ANY(module), uuid);
	return id;
}

static Datum
create_in_full(NullableDatum *args)
{
	Datum		values[ARGS];
	char		nulls[ARGS];
	Datum		result;

	SPI_connect();
	for (int i = 0; i < ARGS; i++)
	{
		values[i] = args[i].value;
		nulls[i] = args[i].isnull ? 'n' : ' ';
	}
	if (SPI_execute_plan(er_statement_plan(&full), values, nulls, false, 1) != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "could not run \"%s\"", full.sql);
	result = PointerGetDatum(SPI_returntuple(SPI_tuptable->vals[0], SPI_tuptable->tupdesc));
	SPI_finish();
	return result;
}

/* Once in a session, unless the extension was created anew. */
static void
read_contracts(void)
{
	uint64		generation = er_watch_further(&contracts_watch);

	if (likely(contracts_generation == generation))
		return;
	(void) er_watch_relid(&contracts_watch);
	contracts_generation = 0;
	SPI_connect();
	read_contract(&output_contract);
	read_contract(&playbook_contract);
	SPI_finish();
	contracts_generation = generation;
}

static void
read_contract(Contract *contract)
{
	bool		isnull;
	Jsonb	   *schema;

	if (SPI_execute(contract->query, true, 1) != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "could not run \"%s\"", contract->query);
	schema = DatumGetJsonbP(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	contract->compiled.schema = NULL;
	if (contract->schema != NULL)
		pfree(contract->schema);
	contract->schema = NULL;
	contract->schema = memcpy(MemoryContextAlloc(TopMemoryContext, VARSIZE(schema)), schema, VARSIZE(schema));
}
