/*
 * consolidation.c
 *		The SQL face of the consolidation machine: three aggregates and three plain functions over one state.
 *
 * The transition functions share one state type. consolidate_insights leaves out what only recommendations and the
 * synthesis need. negative_scope and as_of are arguments of a whole result, so they must be the same for every row.
 */
#include "compat.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "consolidation.h"

#define PATH_BYTES 64

PG_FUNCTION_INFO_V1(er_consolidate_insights_step);
PG_FUNCTION_INFO_V1(er_consolidate_step);
PG_FUNCTION_INFO_V1(er_consolidate_combine);
PG_FUNCTION_INFO_V1(er_consolidate_serialize);
PG_FUNCTION_INFO_V1(er_consolidate_deserialize);
PG_FUNCTION_INFO_V1(er_consolidate_insights_final);
PG_FUNCTION_INFO_V1(er_consolidate_recommendations_final);
PG_FUNCTION_INFO_V1(er_consolidate_final);
PG_FUNCTION_INFO_V1(er_consolidate_insights_of);
PG_FUNCTION_INFO_V1(er_consolidate_recommendations_of);
PG_FUNCTION_INFO_V1(er_consolidate_exec_reports_of);

static Datum step(FunctionCallInfo fcinfo, bool insights_only, bool with_arguments);
static void take_arguments(ErConsolidation *state, FunctionCallInfo fcinfo);
static ErText text_argument(FunctionCallInfo fcinfo, int number);
static ErJson document_argument(FunctionCallInfo fcinfo, int number);
static TimestampTz instant_argument(FunctionCallInfo fcinfo, int number);
static MemoryContext aggregate_context(FunctionCallInfo fcinfo);
static ErConsolidation *state_argument(FunctionCallInfo fcinfo);
static ErConsolidation *state_of_array(FunctionCallInfo fcinfo, bool insights_only);

Datum
er_consolidate_insights_step(PG_FUNCTION_ARGS)
{
	return step(fcinfo, true, false);
}

Datum
er_consolidate_step(PG_FUNCTION_ARGS)
{
	return step(fcinfo, false, PG_NARGS() > 6);
}

/* (state, exec_report_id, module_id, executed_at, output, playbook_result [, negative_scope, as_of]) */
static Datum
step(FunctionCallInfo fcinfo, bool insights_only, bool with_arguments)
{
	MemoryContext context = aggregate_context(fcinfo);
	ErConsolidation *state;

	state = PG_ARGISNULL(0) ? er_consolidation_create(context, insights_only) : (ErConsolidation *) PG_GETARG_POINTER(0);
	if (with_arguments)
		take_arguments(state, fcinfo);

	/* the empty row of an outer join */
	if (PG_ARGISNULL(1) && PG_ARGISNULL(2) && PG_ARGISNULL(4) && PG_ARGISNULL(5))
		PG_RETURN_POINTER(state);

	er_consolidate_report(state, text_argument(fcinfo, 1), text_argument(fcinfo, 2), instant_argument(fcinfo, 3),
						  document_argument(fcinfo, 4), document_argument(fcinfo, 5));
	PG_RETURN_POINTER(state);
}

/* One report of a table, into the state. */
void
er_consolidate_report(ErConsolidation *state, ErText id, ErText module, TimestampTz executed_at, ErJson output, ErJson playbook)
{
	ErReportInput input = {id, module, executed_at, output, playbook};
	char		path[PATH_BYTES + 16] = "";

	if (id.ptr != NULL)
	{
		int			len = pg_mbcliplen(id.ptr, id.len, PATH_BYTES);

		memcpy(path, id.ptr, len);
		strcpy(path + len, len < (int) id.len ? "...: " : ": ");
	}
	input.path = path;
	er_read_report(state, &input);
}

static void
take_arguments(ErConsolidation *state, FunctionCallInfo fcinfo)
{
	TimestampTz as_of = instant_argument(fcinfo, 7);
	Jsonb	   *scope = PG_ARGISNULL(6) ? NULL : PG_GETARG_JSONB_P(6);

	if (!state->has_arguments)
	{
		state->has_arguments = true;
		state->as_of = as_of;
		if (scope != NULL)
		{
			state->negative_scope = MemoryContextAllocHuge(state->context, VARSIZE(scope));
			memcpy(state->negative_scope, scope, VARSIZE(scope));
		}
		return;
	}
	if (as_of != state->as_of)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("as_of differs between the rows of one consolidation"),
				 errhint("Pass one instant for the whole group, for example now().")));
	if ((scope == NULL) != (state->negative_scope == NULL) ||
		(scope != NULL && (VARSIZE(scope) != VARSIZE(state->negative_scope) ||
						   memcmp(scope, state->negative_scope, VARSIZE(scope)) != 0)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("negative_scope differs between the rows of one consolidation"),
				 errhint("Group by the configuration, and pass its negative scope.")));
}

static ErText
text_argument(FunctionCallInfo fcinfo, int number)
{
	ErText		result = {NULL, 0};

	return PG_ARGISNULL(number) ? result : er_said_text(PG_GETARG_TEXT_PP(number));
}

/* A blank one is unknown. */
ErText
er_said_text(const text *value)
{
	ErText		result = {VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)};

	if (er_is_blank(result.ptr, result.len))
		result.ptr = NULL;
	return result;
}

static ErJson
document_argument(FunctionCallInfo fcinfo, int number)
{
	ErJson		missing = {ER_JSON_ABSENT};

	return PG_ARGISNULL(number) ? missing : er_json_root(PG_GETARG_JSONB_P(number));
}

/* Infinite instants are as old, or as new, as can be. */
static TimestampTz
instant_argument(FunctionCallInfo fcinfo, int number)
{
	TimestampTz value;

	if (PG_ARGISNULL(number))
		return ER_UNKNOWN_TIME;
	value = PG_GETARG_TIMESTAMPTZ(number);
	return value == DT_NOBEGIN ? MIN_TIMESTAMP : value == DT_NOEND ? END_TIMESTAMP : value;
}

Datum
er_consolidate_combine(PG_FUNCTION_ARGS)
{
	MemoryContext context = aggregate_context(fcinfo);
	ErConsolidation *into = PG_ARGISNULL(0) ? NULL : (ErConsolidation *) PG_GETARG_POINTER(0);
	ErConsolidation *from = PG_ARGISNULL(1) ? NULL : (ErConsolidation *) PG_GETARG_POINTER(1);

	if (from == NULL)
	{
		if (into == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(into);
	}
	if (into == NULL)
		into = er_consolidation_create(context, from->insights_only);
	er_state_merge(into, from);
	PG_RETURN_POINTER(into);
}

Datum
er_consolidate_serialize(PG_FUNCTION_ARGS)
{
	PG_RETURN_BYTEA_P(er_state_serialize(state_argument(fcinfo)));
}

Datum
er_consolidate_deserialize(PG_FUNCTION_ARGS)
{
	(void) aggregate_context(fcinfo);
	PG_RETURN_POINTER(er_state_deserialize(PG_GETARG_BYTEA_PP(0)));
}

Datum
er_consolidate_insights_final(PG_FUNCTION_ARGS)
{
	PG_RETURN_JSONB_P(er_write_only_insights(state_argument(fcinfo)));
}

Datum
er_consolidate_recommendations_final(PG_FUNCTION_ARGS)
{
	PG_RETURN_JSONB_P(er_write_only_recommendations(state_argument(fcinfo)));
}

Datum
er_consolidate_final(PG_FUNCTION_ARGS)
{
	PG_RETURN_JSONB_P(er_write_everything(state_argument(fcinfo)));
}

Datum
er_consolidate_insights_of(PG_FUNCTION_ARGS)
{
	PG_RETURN_JSONB_P(er_write_only_insights(state_of_array(fcinfo, true)));
}

Datum
er_consolidate_recommendations_of(PG_FUNCTION_ARGS)
{
	PG_RETURN_JSONB_P(er_write_only_recommendations(state_of_array(fcinfo, false)));
}

/* (reports, negative_scope, as_of) */
Datum
er_consolidate_exec_reports_of(PG_FUNCTION_ARGS)
{
	ErConsolidation *state;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	state = state_of_array(fcinfo, false);
	if (!PG_ARGISNULL(1))
		state->negative_scope = PG_GETARG_JSONB_P(1);
	state->as_of = instant_argument(fcinfo, 2);
	PG_RETURN_JSONB_P(er_write_everything(state));
}

static MemoryContext
aggregate_context(FunctionCallInfo fcinfo)
{
	MemoryContext context;

	if (!AggCheckCallContext(fcinfo, &context))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("this function is a part of an aggregate and cannot be called by itself"),
				 errhint("Call consolidate_insights, consolidate_recommendations or consolidate_exec_reports.")));
	return context;
}

/* The state, or an empty one: no rows consolidate to empty lists. */
static ErConsolidation *
state_argument(FunctionCallInfo fcinfo)
{
	(void) aggregate_context(fcinfo);
	return PG_ARGISNULL(0) ? er_consolidation_create(CurrentMemoryContext, false) :
		(ErConsolidation *) PG_GETARG_POINTER(0);
}

static ErConsolidation *
state_of_array(FunctionCallInfo fcinfo, bool insights_only)
{
	ErConsolidation *state = er_consolidation_create(CurrentMemoryContext, insights_only);

	er_read_reports(state, PG_GETARG_JSONB_P(0));
	return state;
}
