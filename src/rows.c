/*
 * rows.c
 *		Functions that return all their rows at once.
 */
#include "postgres.h"

#include "rows.h"

#include "miscadmin.h"
#include "utils/tuplestore.h"

/* The result of the function that is called, still without rows: the caller puts them. */
ReturnSetInfo *
er_return_rows(FunctionCallInfo fcinfo)
{
	ReturnSetInfo *result = er_return_slots(fcinfo);
	MemoryContext caller = MemoryContextSwitchTo(result->econtext->ecxt_per_query_memory);
	TupleDesc	desc;
	Oid			type;

	if (get_call_result_type(fcinfo, &type, &desc) != TYPEFUNC_COMPOSITE)
	{
		desc = CreateTemplateTupleDesc(1);
		TupleDescInitEntry(desc, 1, "value", type, -1, 0);
	}
	result->setDesc = desc;
	MemoryContextSwitchTo(caller);
	return result;
}

/* The same for rows that are slots of the table that the function returns: they need no descriptor. */
ReturnSetInfo *
er_return_slots(FunctionCallInfo fcinfo)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext caller;

	if (result == NULL || !IsA(result, ReturnSetInfo) || (result->allowedModes & SFRM_Materialize) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("set-valued function called in context that cannot accept a set")));
	caller = MemoryContextSwitchTo(result->econtext->ecxt_per_query_memory);
	result->returnMode = SFRM_Materialize;
	result->setResult = tuplestore_begin_heap((result->allowedModes & SFRM_Materialize_Random) != 0, false, work_mem);
	MemoryContextSwitchTo(caller);
	return result;
}
