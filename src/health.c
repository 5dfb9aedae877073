/*
 * health.c
 *		A time limit for a part of a statement.
 *
 * statement_timeout counts from the start of the statement that the client sent, and does not work at all in a
 * background worker. A probe needs a limit of its own: this uses the server's timer for statement_timeout, so what it
 * stops fails with the same error (57014), and gives the timer back as it was. A limit never lasts longer than the one
 * that was set already.
 */
#include "compat.h"

#include "utils/timeout.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(er_limit_time);
PG_FUNCTION_INFO_V1(er_restore_time);

/*
 * _limit_time(milliseconds): from now on; returns when the timer would have gone off before, or NULL.
 */
Datum
er_limit_time(PG_FUNCTION_ARGS)
{
	int32		milliseconds = PG_GETARG_INT32(0);
	TimestampTz limit = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), milliseconds);
	TimestampTz before;

	if (milliseconds <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a time limit of %d ms", milliseconds)));
	if (!get_timeout_active(STATEMENT_TIMEOUT))
	{
		enable_timeout_at(STATEMENT_TIMEOUT, limit);
		PG_RETURN_NULL();
	}
	before = get_timeout_finish_time(STATEMENT_TIMEOUT);
	if (limit < before)
		enable_timeout_at(STATEMENT_TIMEOUT, limit);
	PG_RETURN_TIMESTAMPTZ(before);
}

/*
 * _restore_time(before): what _limit_time() returned. A timer that has gone off meanwhile does not go off again.
 */
Datum
er_restore_time(PG_FUNCTION_ARGS)
{
	disable_timeout(STATEMENT_TIMEOUT, false);
	if (!PG_ARGISNULL(0) && PG_GETARG_TIMESTAMPTZ(0) > GetCurrentTimestamp())
		enable_timeout_at(STATEMENT_TIMEOUT, PG_GETARG_TIMESTAMPTZ(0));
	PG_RETURN_VOID();
}
