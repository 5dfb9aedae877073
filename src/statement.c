/*
 * statement.c
 *		A statement that a session prepares once. The plan looks after itself when tables or functions change.
 */
#include "statement.h"

/* Between SPI_connect() and SPI_finish() only. */
SPIPlanPtr
er_statement_plan(ErStatement *statement)
{
	SPIPlanPtr	prepared;

	if (statement->plan != NULL)
		return statement->plan;
	prepared = SPI_prepare(statement->sql, statement->nargs, unconstify(Oid *, statement->types));
	if (prepared == NULL || SPI_keepplan(prepared) != 0)
		elog(ERROR, "could not prepare \"%s\"", statement->sql);
	statement->plan = prepared;	/* last: an error above leaves nothing half done */
	return prepared;
}
