/*
 * recurrence.h
 *		A recurrence rule as recurrence_config.c reads it and recurrence.c walks it.
 */
#ifndef ER_RECURRENCE_H
#define ER_RECURRENCE_H

#include "calendar.h"

#include "pgtime.h"

typedef enum ErFrequency
{
	ER_FREQUENCY_NOT_SAID,
	ER_FREQUENCY_ONCE,
	ER_FREQUENCY_DAILY,
	ER_FREQUENCY_WEEKLY,
	ER_FREQUENCY_MONTHLY
} ErFrequency;

typedef enum ErOverlap
{
	ER_OVERLAP_FIRST,
	ER_OVERLAP_SECOND,
	ER_OVERLAP_BOTH
} ErOverlap;

/* Seconds are counted from 1970, in UTC or, where it says so, on the wall clock of the zone. */
typedef struct ErRule
{
	ErFrequency frequency;
	int			time;			/* seconds after local midnight */
	pg_tz	   *zone;
	uint8		weekdays;		/* bit 0 is Monday */
	int			day_of_month;	/* 1..31, or -1..-31 from the end */
	int			interval;
	DateADT		first;			/* no run on an earlier local day; intervals are counted from it */
	DateADT		last;			/* no run on a later local day */
	int64		ends_at;		/* no run after this instant; INT64_MAX when there is no such end */
	int			max_runs;		/* 0 when there is no such end */
	bool		clamp_month_end;
	bool		shift_gap;
	ErOverlap	overlap;
} ErRule;

#define ER_UNIX_EPOCH_DATE	(UNIX_EPOCH_JDATE - POSTGRES_EPOCH_JDATE)

extern void er_rule_read(const char *root, ErRule *rule);

#endif							/* ER_RECURRENCE_H */
