/*
 * master_reports_make.c
 *		A new master report: consolidate, write the documents, store the row.
 *
 * Each exec report is read from its table once. What it is stored from, the document of all reports and the parts of the
 * consolidation, is written in its stored form and goes into the table without another copy.
 *
 * Sessions that generate at once make the same row; one stores it. So the row is inserted as by INSERT ... ON CONFLICT DO
 * NOTHING, by way of a speculative insertion; the others find it by the SQL function. Constraints of the table
 * are not checked, for they hold by what we write.
 */
#include "master_reports.h"

#include "access/detoast.h"
#include "access/heaptoast.h"
#include "access/htup_details.h"
#include "access/tableam.h"
#include "access/toast_internals.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/snapmgr.h"

#include "consolidation.h"
#include "exec_reports.h"
#include "metrics.h"
#include "statement.h"

extern Datum er_uuid7(PG_FUNCTION_ARGS);

#define INSTANT_BYTES 40

static const Oid whole_types[] = {JSONBOID};
static ErStatement whole_result = {"SELECT execreport._whole_playbook_result($1)", 1, whole_types};

static void refuse_too_large(ErMaster *report);
static bool lock_configuration(const ErMaster *report);
static Jsonb *consolidate(const ErMaster *report, ErConsolidated *parts);
static Jsonb *whole_playbook(Jsonb *playbook);
static int	instant_text(TimestampTz instant, char *buffer);
static Jsonb *empty_array(void);
static Jsonb *empty_synthesis(void);
static Jsonb *ucr_snapshot(const ErMaster *report);
static Jsonb *features(const ErMaster *report);
static text *new_id(const ErMaster *report);
static void compress(TupleDesc desc, Datum *values);
static bool insert_report(ErMaster *report, Datum *values, bool *isnull);

bool
er_make_master_report(ErMaster *report)
{
	Datum		values[MASTER_COLUMNS];
	bool		isnull[MASTER_COLUMNS] = {false};
	ErConsolidated parts;
	Jsonb	   *documents;

	if (report->follows == NULL)
		return false;
	refuse_too_large(report);
	if (!lock_configuration(report))
		return false;
	documents = consolidate(report, &parts);
	if (documents == NULL)
		return false;
	if (!report->consolidation)
		parts.insights = parts.recommendations = parts.deprioritized = empty_array();
	if (!report->synthesis)
		parts.synthesis = empty_synthesis();

	values[MASTER_TENANT_ID] = Int32GetDatum(report->tenant_id);
	values[MASTER_ID] = PointerGetDatum(new_id(report));
	values[MASTER_CONFIGURATION_ID] = Int32GetDatum(report->configuration_id);
	values[MASTER_CONTEXT_VERSION] = Int32GetDatum(report->context_version);
	values[MASTER_CONTEXT_HASH] = PointerGetDatum(report->context_hash);
	values[MASTER_GENERATED_AT] = TimestampTzGetDatum(report->moment);
	values[MASTER_UCR_SNAPSHOT] = JsonbPGetDatum(ucr_snapshot(report));
	values[MASTER_EXEC_REPORTS] = JsonbPGetDatum(documents);
	values[MASTER_INSIGHTS] = JsonbPGetDatum(parts.insights);
	values[MASTER_RECOMMENDATIONS] = JsonbPGetDatum(parts.recommendations);
	values[MASTER_SYNTHESIS] = JsonbPGetDatum(parts.synthesis);
	values[MASTER_MODULES] = JsonbPGetDatum(parts.modules);
	values[MASTER_CONFIDENCE] = Int32GetDatum((int32) parts.confidence);
	values[MASTER_FRESHNESS] = PointerGetDatum(cstring_to_text(report->freshness));
	values[MASTER_CREATED_AT] = TimestampTzGetDatum(GetCurrentTransactionStartTimestamp());
	values[MASTER_CREATED_BY] = PointerGetDatum(report->user);
	values[MASTER_CONFIDENCE_BASIS] = Int32GetDatum((int32) parts.confidence_basis);
	values[MASTER_DEPRIORITIZED] = JsonbPGetDatum(parts.deprioritized);
	values[MASTER_FEATURES] = JsonbPGetDatum(features(report));
	values[MASTER_INPUT_DIGEST] = PointerGetDatum(report->digest);
	values[MASTER_FOLLOWS] = PointerGetDatum(report->follows);
	compress(RelationGetDescr(report->stored), values);
	LockRelationOid(RelationGetRelid(report->stored), RowExclusiveLock);
	if (report->stored->trigdesc != NULL)	/* made since the table was opened */
		return false;
	return insert_report(report, values, isnull);
}

/* Their documents become one of jsonb's containers: whether that can hold them is known before any is read. */
static void
refuse_too_large(ErMaster *report)
{
	TupleDesc	desc = RelationGetDescr(report->exec_reports);
	const text *largest = NULL;
	Size		largest_size = 0;
	Size		sum = 0;

	for (int i = 0; i < report->ninputs; i++)
	{
		Size		size = 0;

		for (int column = EXEC_OUTPUT; column <= EXEC_PLAYBOOK_RESULT; column++)
		{
			bool		isnull;
			Datum		value = heap_getattr(report->inputs[i].tuple, column + 1, desc, &isnull);

			if (!isnull)
				size += toast_raw_datum_size(value) - VARHDRSZ;
		}
		sum += size;
		if (largest == NULL || size > largest_size)
		{
			largest = report->inputs[i].id;
			largest_size = size;
		}
	}
	report->input_bytes = sum;
	if (likely(sum <= JENTRY_OFFLENMASK))
		return;
	report->refused = true;
	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg(ER_TOO_LARGE, report->configuration_id),
			 errdetail("They have %llu bytes together, of which \"%s\" has %llu; a master report holds at most %u.",
					   (unsigned long long) sum, text_to_cstring(largest), (unsigned long long) largest_size, JENTRY_OFFLENMASK),
			 errhint(ER_TOO_LARGE_HINT)));
}

/*
 * KEY SHARE keeps the configuration from being deleted until we commit. False when it is gone, or is another version by now.
 */
static bool
lock_configuration(const ErMaster *report)
{
	TupleTableSlot *slot = table_slot_create(report->configurations, NULL);
	ItemPointerData tid = report->configuration->t_self;
	TM_FailureData failure;
	uint8		flags = IsolationUsesXactSnapshot() ? 0 : TUPLE_LOCK_FLAG_FIND_LAST_VERSION;
	bool		locked;
	bool		isnull;

	LockRelationOid(RelationGetRelid(report->configurations), RowShareLock);
	locked = table_tuple_lock(report->configurations, &tid, report->snapshot, slot, GetCurrentCommandId(false), LockTupleKeyShare,
							  LockWaitBlock, flags, &failure) == TM_Ok &&
		DatumGetInt32(slot_getattr(slot, CONFIGURATION_VERSION + 1, &isnull)) == report->context_version;
	ExecDropSingleTupleTableSlot(slot);
	return locked;
}

/* The document of all exec reports, and what they say together. NULL when one is not as we know them. */
static Jsonb *
consolidate(const ErMaster *report, ErConsolidated *parts)
{
	TupleDesc	desc = RelationGetDescr(report->exec_reports);
	ErConsolidation *state = er_consolidation_create(CurrentMemoryContext, false);
	ErJsonWriter writer;
	Datum	   *values = palloc(sizeof(Datum) * desc->natts);
	bool	   *isnull = palloc(sizeof(bool) * desc->natts);
	bool		scope_is_null;
	Datum		scope = heap_getattr(report->configuration, CONFIGURATION_NEGATIVE_SCOPE + 1,
									 RelationGetDescr(report->configurations), &scope_is_null);

	er_attempt_begin(ER_ATTEMPT_CONSOLIDATION, report->tenant_id, "", 0);
	er_json_start(&writer, report->input_bytes + (Size) 1024 * report->ninputs);
	er_json_begin_array(&writer, report->ninputs);
	state->as_of = report->moment;
	if (!scope_is_null)
		state->negative_scope = DatumGetJsonbP(scope);
	for (int i = 0; i < report->ninputs; i++)
	{
		const ErMasterInput *input = &report->inputs[i];
		ErExecReport document;
		char		executed_at[INSTANT_BYTES];
		Jsonb	   *output;
		Jsonb	   *playbook;
		ErJson		missing = {ER_JSON_ABSENT};

		CHECK_FOR_INTERRUPTS();
		heap_deform_tuple(input->tuple, desc, values, isnull);
		output = DatumGetJsonbP(values[EXEC_OUTPUT]);
		playbook = isnull[EXEC_PLAYBOOK_RESULT] ? NULL : DatumGetJsonbP(values[EXEC_PLAYBOOK_RESULT]);
		er_consolidate_report(state, er_said_text(input->id), er_said_text(input->module_id),
							  DatumGetTimestampTz(values[EXEC_EXECUTED_AT]), er_json_root(output),
							  playbook == NULL ? missing : er_json_root(playbook));

		document.id = input->id;
		document.module_id = input->module_id;
		document.configuration_id = DatumGetInt32(values[EXEC_CONFIGURATION_ID]);
		document.context_version = DatumGetInt32(values[EXEC_CONTEXT_VERSION]);
		document.context_hash = DatumGetTextPP(values[EXEC_CONTEXT_HASH]);
		document.executed_at = executed_at;
		document.executed_at_len = instant_text(DatumGetTimestampTz(values[EXEC_EXECUTED_AT]), executed_at);
		document.output = output;
		document.playbook = playbook == NULL ? NULL : whole_playbook(playbook);
		if (document.executed_at_len < 0)
		{
			er_attempt_end(false);
			return NULL;
		}
		er_write_exec_report(&writer, &document);
	}
	er_json_end(&writer);
	er_write_parts(state, report->consolidation, report->synthesis, parts);
	er_attempt_end(true);
	return er_json_finish(&writer);
}

/* With all four members that readers of the document expect. */
static Jsonb *
whole_playbook(Jsonb *playbook)
{
	static const char *const lists[] = {"insights", "recommendations", "deprioritized"};
	JsonbContainer *root = &playbook->root;
	JsonbValue	value;
	bool		whole = JB_ROOT_IS_OBJECT(playbook);
	Jsonb	   *result;
	Datum		argument = JsonbPGetDatum(playbook);
	bool		isnull;

	for (int i = 0; i < lengthof(lists) && whole; i++)
		whole = getKeyJsonValueFromContainer(root, lists[i], strlen(lists[i]), &value) != NULL &&
			value.type == jbvBinary && JsonContainerIsArray(value.val.binary.data);
	if (whole && getKeyJsonValueFromContainer(root, "councilPrompt", strlen("councilPrompt"), &value) != NULL &&
		value.type == jbvString)
		return playbook;

	SPI_connect();
	if (SPI_execute_plan(er_statement_plan(&whole_result), &argument, NULL, true, 1) != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "could not run \"%s\"", whole_result.sql);
	argument = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	result = (Jsonb *) DatumGetPointer(SPI_datumTransfer(argument, false, -1));
	SPI_finish();
	return (Jsonb *) PG_DETOAST_DATUM(PointerGetDatum(result));
}

/* As _instant_text() writes it; -1 outside the years 1 to 9999. */
static int
instant_text(TimestampTz instant, char *buffer)
{
	struct pg_tm tm;
	fsec_t		fsec;

	if (TIMESTAMP_NOT_FINITE(instant) || timestamp2tm(instant, NULL, &tm, &fsec, NULL, NULL) != 0 ||
		tm.tm_year < 1 || tm.tm_year > 9999)
		return -1;
	return snprintf(buffer, INSTANT_BYTES, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", tm.tm_year, tm.tm_mon, tm.tm_mday,
					tm.tm_hour, tm.tm_min, tm.tm_sec, (int) fsec);
}

static Jsonb *
empty_array(void)
{
	ErJsonWriter writer;

	er_json_start(&writer, 64);
	er_json_begin_array(&writer, 0);
	er_json_end(&writer);
	return er_json_finish(&writer);
}

static Jsonb *
empty_synthesis(void)
{
	static const char *const keys[] = {"keyThemes", "prioritizedActions", "crossModulePatterns"};
	static const ErJsonShape shape = {lengthof(keys), keys};
	ErJsonWriter writer;

	er_json_start(&writer, 128);
	er_json_begin_object(&writer, &shape);
	for (int i = 0; i < lengthof(keys); i++)
	{
		er_json_begin_array(&writer, 0);
		er_json_end(&writer);
	}
	er_json_end(&writer);
	return er_json_finish(&writer);
}

/* The parts of the configuration that the API names. */
static Jsonb *
ucr_snapshot(const ErMaster *report)
{
	static const char *const keys[] = {"brand", "negativeScope", "strategicIntent"};
	static const int columns[] = {CONFIGURATION_BRAND, CONFIGURATION_NEGATIVE_SCOPE, CONFIGURATION_STRATEGIC_INTENT};
	static const ErJsonShape shape = {lengthof(keys), keys};
	ErJsonWriter writer;

	er_json_start(&writer, 1024);
	er_json_begin_object(&writer, &shape);
	for (int i = 0; i < lengthof(columns); i++)
	{
		bool		isnull;
		Datum		value = heap_getattr(report->configuration, columns[i] + 1, RelationGetDescr(report->configurations), &isnull);

		if (isnull)
			er_json_null(&writer);
		else
			er_write_jsonb(&writer, DatumGetJsonbP(value));
	}
	er_json_end(&writer);
	return er_json_finish(&writer);
}

static Jsonb *
features(const ErMaster *report)
{
	static const char *const keys[] = {"consolidationEnabled", "councilSynthesisEnabled"};
	static const ErJsonShape shape = {lengthof(keys), keys};
	ErJsonWriter writer;

	er_json_start(&writer, 128);
	er_json_begin_object(&writer, &shape);
	er_json_bool(&writer, report->consolidation);
	er_json_bool(&writer, report->synthesis);
	er_json_end(&writer);
	return er_json_finish(&writer);
}

/* master-<configuration>-<version>-<UUIDv7> */
static text *
new_id(const ErMaster *report)
{
	LOCAL_FCINFO(call, 0);

	InitFunctionCallInfoData(*call, NULL, 0, InvalidOid, NULL, NULL);
	return cstring_to_text(psprintf("master-%d-%d-%s", report->configuration_id, report->context_version,
									DatumGetCString(DirectFunctionCall1(uuid_out, er_uuid7(call)))));
}

/* What the table would compress anyway, before it is copied into a row; which must hold the rest as it is. */
static void
compress(TupleDesc desc, Datum *values)
{
	Size		size = 0;

	static const int columns[] = {MASTER_UCR_SNAPSHOT, MASTER_EXEC_REPORTS, MASTER_INSIGHTS, MASTER_RECOMMENDATIONS,
	MASTER_SYNTHESIS, MASTER_DEPRIORITIZED};

	for (int i = 0; i < lengthof(columns); i++)
	{
		Form_pg_attribute column = TupleDescAttr(desc, columns[i]);

		if (VARSIZE(DatumGetPointer(values[columns[i]])) > TOAST_TUPLE_TARGET && column->attstorage == TYPSTORAGE_EXTENDED)
		{
			Datum		compressed = toast_compress_datum(values[columns[i]], column->attcompression);

			if (DatumGetPointer(compressed) != NULL)
				values[columns[i]] = compressed;
		}
		size += VARSIZE_ANY(DatumGetPointer(values[columns[i]]));
	}
	if (size > MaxAllocSize - BLCKSZ)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the consolidated document is too large")));
}

/* As by INSERT ... ON CONFLICT DO NOTHING. The row as it is stored is then the answer; false on a conflict. */
static bool
insert_report(ErMaster *report, Datum *values, bool *isnull)
{
	Relation	rel = report->stored;
	TupleTableSlot *slot = MakeSingleTupleTableSlot(RelationGetDescr(rel), &TTSOpsVirtual);
	EState	   *estate = CreateExecutorState();
	ResultRelInfo *target = makeNode(ResultRelInfo);
	ItemPointerData other;
	ItemPointerData none;
	bool		stored = false;
	bool		lost = true;

	estate->es_output_cid = GetCurrentCommandId(true);
	InitResultRelInfo(target, rel, 0, NULL, 0);
	ExecOpenIndices(target, true);
	memcpy(slot->tts_values, values, sizeof(Datum) * MASTER_COLUMNS);
	memset(slot->tts_isnull, true, sizeof(bool) * slot->tts_tupleDescriptor->natts);
	memcpy(slot->tts_isnull, isnull, sizeof(bool) * MASTER_COLUMNS);
	ExecStoreVirtualTuple(slot);
	ItemPointerSetInvalid(&none);
	PushActiveSnapshot(GetTransactionSnapshot());	/* for expressions of indexes */
	while (lost && er_check_unique(target, slot, estate, &other, &none))
	{
		uint32		token = SpeculativeInsertionLockAcquire(GetCurrentTransactionId());

		CHECK_FOR_INTERRUPTS();
		lost = false;
		table_tuple_insert_speculative(rel, slot, estate->es_output_cid, 0, NULL, token);
		list_free(er_insert_speculative_index_tuples(target, slot, estate, &lost));
		table_tuple_complete_speculative(rel, slot, token, !lost);
		SpeculativeInsertionLockRelease(GetCurrentTransactionId());
		stored = !lost;
	}
	PopActiveSnapshot();
	if (stored && !table_tuple_fetch_row_version(rel, &slot->tts_tid, SnapshotSelf, report->row))
		elog(ERROR, "a stored report cannot be read");
	ExecCloseIndices(target);
	ExecDropSingleTupleTableSlot(slot);
	FreeExecutorState(estate);
	CommandCounterIncrement();
	return stored;
}
