/*
 * statement.h
 *		A statement that a session prepares once.
 */
#ifndef ER_STATEMENT_H
#define ER_STATEMENT_H

#include "postgres.h"

#include "executor/spi.h"

typedef struct ErStatement
{
	const char *sql;
	int			nargs;
	const Oid  *types;
	SPIPlanPtr	plan;			/* NULL: not prepared yet */
} ErStatement;

extern SPIPlanPtr er_statement_plan(ErStatement *statement);

#endif							/* ER_STATEMENT_H */
