/*
 * lookback.h
 *		The window of a lookback configuration, for machines that cut it up.
 */
#ifndef ER_LOOKBACK_H
#define ER_LOOKBACK_H

#include "calendar.h"

/* Also the columns of a row, so the order counts. */
typedef struct ErWindow
{
	DateADT		start;			/* both days belong to the window */
	DateADT		end;
} ErWindow;

/* False, with the faults noted, when the configuration gives no window; faults = NULL raises them. */
extern bool er_lookback_window(const char *config, DateADT as_of, ErWindow *window, ErFaults *faults);

/* For a function whose first argument is a lookback; raises. */
extern ErWindow er_lookback_of_call(FunctionCallInfo fcinfo, int as_of_arg, DateADT *as_of);

#endif							/* ER_LOOKBACK_H */
