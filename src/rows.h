/*
 * rows.h
 *		Functions that return all their rows at once.
 */
#ifndef ER_ROWS_H
#define ER_ROWS_H

#include "compat.h"

extern ReturnSetInfo *er_return_rows(FunctionCallInfo fcinfo);
extern ReturnSetInfo *er_return_slots(FunctionCallInfo fcinfo);

#endif							/* ER_ROWS_H */
