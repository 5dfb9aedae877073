/*
 * exec_reports.h
 *		Exec reports as documents.
 */
#ifndef ER_EXEC_REPORTS_H
#define ER_EXEC_REPORTS_H

#include "compat.h"

#include "access/tupdesc.h"
#include "utils/jsonb.h"

#include "jsonb_write.h"

/* What the document of an exec report is made of */
typedef struct ErExecReport
{
	const text *id;
	const text *module_id;
	int32		configuration_id;
	int32		context_version;
	const text *context_hash;
	const char *executed_at;	/* as documents hold instants; executed_at_len bytes */
	int			executed_at_len;
	const Jsonb *output;
	const Jsonb *playbook;		/* or NULL */
} ErExecReport;

extern void er_write_exec_report(ErJsonWriter *writer, const ErExecReport *report);
/* A whole document as one value */
extern void er_write_jsonb(ErJsonWriter *writer, const Jsonb *value);

/* Has a table these columns of ours, and beside them none but such as were dropped? */
extern bool er_has_columns(TupleDesc desc, int columns);

#endif							/* ER_EXEC_REPORTS_H */
