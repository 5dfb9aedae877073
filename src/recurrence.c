/*
 * recurrence.c
 *		The instants at which a schedule runs.
 *
 * A rule names local days and a time of day; each such local time becomes an instant by RFC 5545, 3.3.5: a time that
 * the clock skips is taken with the offset before the gap, so the run moves later by the gap's length; of a time that
 * comes twice the first is taken. dstGap and dstOverlap choose otherwise.
 *
 * Invariants: a run is the smallest instant of the rule that is greater than the one before, so runs increase strictly
 * and equal instants are one run (Apia's noon of 30 December 2011, a day that never was, is the noon of the 31st). Days
 * are always computed from the rule, never from the run before, so nothing drifts. No clock is read. Runs fall on local
 * days from 0001-01-01 to 9999-12-31, which bounds every search.
 *
 * An offset is less than a day. So an instant lies within a day of its local time read as UTC, and where no change
 * of offset is nearer than MARGIN, days in order give instants in order.
 */
#include "recurrence.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#define MARGIN			(2 * SECS_PER_DAY)
#define MONDAY			2		/* 2000-01-03, as days from 2000-01-01 */

/* A rule, and a stretch of time in which the zone's offset is known to be constant. */
typedef struct Walk
{
	ErRule		rule;
	int64		known_from;
	int64		known_to;		/* known_from when nothing is known */
	int64		offset;
} Walk;

/* What the rows of a call need. */
typedef struct Runs
{
	Walk		walk;
	int64		after;			/* the run before the next one */
	int64		until;
	int			number;
	int			count;
} Runs;

static Datum next_row(FunctionCallInfo fcinfo, void (*begin) (FunctionCallInfo fcinfo, Runs *runs));
static void begin_preview(FunctionCallInfo fcinfo, Runs *runs);
static void begin_occurrences(FunctionCallInfo fcinfo, Runs *runs);
static void begin_walk(FunctionCallInfo fcinfo, Walk *walk);
static void end_after_max_runs(Walk *walk);
static int64 instant_of_call(FunctionCallInfo fcinfo, int arg, const char *name);
static char *local_text(int64 instant, pg_tz *zone);
static bool next_run(Walk *walk, int64 after, int64 *run);
static DateADT first_candidate(Walk *walk, int64 after);
static bool next_day(const ErRule *rule, DateADT from, DateADT *day);
static DateADT next_day_of_week(const ErRule *rule, DateADT from);
static DateADT next_day_of_month(const ErRule *rule, DateADT from);
static int	instants_of(Walk *walk, int64 local, int64 *instants, bool *plain);
static int	instants_near_change(const Walk *walk, int64 local, int64 *instants);
static void learn_offset(Walk *walk, int64 from);
static int64 end_of_offset(pg_tz *zone, int64 from, int64 *before, int64 *after);

static inline int64
floor_div(int64 number, int64 by)
{
	return number / by - (number % by < 0 ? 1 : 0);
}

static inline TimestampTz
timestamp_of(int64 instant)
{
	return (instant + (int64) ER_UNIX_EPOCH_DATE * SECS_PER_DAY) * USECS_PER_SEC;
}

PG_FUNCTION_INFO_V1(er_next_run);
PG_FUNCTION_INFO_V1(er_preview_runs);
PG_FUNCTION_INFO_V1(er_occurrences);

/* next_run(config jsonb, after timestamptz) RETURNS timestamptz */
Datum
er_next_run(PG_FUNCTION_ARGS)
{
	Walk		walk;
	int64		run;

	begin_walk(fcinfo, &walk);
	if (!next_run(&walk, instant_of_call(fcinfo, 1, "after"), &run))
		PG_RETURN_NULL();
	PG_RETURN_TIMESTAMPTZ(timestamp_of(run));
}

/* preview_runs(config jsonb, after timestamptz, count integer) */
Datum
er_preview_runs(PG_FUNCTION_ARGS)
{
	return next_row(fcinfo, begin_preview);
}

/* occurrences(config jsonb, after timestamptz, until timestamptz) */
Datum
er_occurrences(PG_FUNCTION_ARGS)
{
	return next_row(fcinfo, begin_occurrences);
}

static Datum
next_row(FunctionCallInfo fcinfo, void (*begin) (FunctionCallInfo fcinfo, Runs *runs))
{
	FuncCallContext *call;
	Runs	   *runs;
	int64		run;
	Datum		values[3];
	bool		nulls[3] = {false, false, false};

	if (SRF_IS_FIRSTCALL())
	{
		MemoryContext old;

		call = SRF_FIRSTCALL_INIT();
		old = MemoryContextSwitchTo(call->multi_call_memory_ctx);
		runs = palloc0(sizeof(Runs));
		begin(fcinfo, runs);
		if (get_call_result_type(fcinfo, NULL, &call->tuple_desc) != TYPEFUNC_COMPOSITE)
			ereport(ERROR,
					errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					errmsg("runs cannot be returned where no row is expected"));
		call->tuple_desc = BlessTupleDesc(call->tuple_desc);
		call->user_fctx = runs;
		MemoryContextSwitchTo(old);
	}

	call = SRF_PERCALL_SETUP();
	runs = call->user_fctx;
	if (runs->number >= runs->count || !next_run(&runs->walk, runs->after, &run) || run > runs->until)
		SRF_RETURN_DONE(call);

	runs->after = run;
	runs->number++;
	values[0] = Int32GetDatum(runs->number);
	values[1] = TimestampTzGetDatum(timestamp_of(run));
	values[2] = CStringGetTextDatum(local_text(run, runs->walk.rule.zone));
	SRF_RETURN_NEXT(call, HeapTupleGetDatum(heap_form_tuple(call->tuple_desc, values, nulls)));
}

static void
begin_preview(FunctionCallInfo fcinfo, Runs *runs)
{
	begin_walk(fcinfo, &runs->walk);
	runs->after = instant_of_call(fcinfo, 1, "after");
	runs->until = PG_INT64_MAX;
	if (PG_ARGISNULL(2))
		er_fault(NULL, ERRCODE_NULL_VALUE_NOT_ALLOWED, "count", "count must not be null",
				 "It is the number of runs to show.", "Give a number, such as 5.");
	runs->count = PG_GETARG_INT32(2);
	if (runs->count < 0)
		er_fault(NULL, ERRCODE_INVALID_PARAMETER_VALUE, "count",
				 psprintf("count must be 0 or more, not %d", runs->count),
				 "It is the number of runs to show.", "Give a number, such as 5.");
}

static void
begin_occurrences(FunctionCallInfo fcinfo, Runs *runs)
{
	begin_walk(fcinfo, &runs->walk);
	runs->after = instant_of_call(fcinfo, 1, "after");
	runs->until = instant_of_call(fcinfo, 2, "until");
	runs->count = PG_INT32_MAX;
	if (PG_GETARG_TIMESTAMPTZ(1) > PG_GETARG_TIMESTAMPTZ(2))
		er_fault(NULL, ERRCODE_INVALID_PARAMETER_VALUE, "after",
				 psprintf("after %s is later than until %s",
						  pstrdup(timestamptz_to_str(PG_GETARG_TIMESTAMPTZ(1))),	/* a static buffer */
						  pstrdup(timestamptz_to_str(PG_GETARG_TIMESTAMPTZ(2)))),
				 "Runs are listed that are later than the one and not later than the other.", "Exchange the two.");
}

static void
begin_walk(FunctionCallInfo fcinfo, Walk *walk)
{
	if (PG_ARGISNULL(0))
		er_fault(NULL, ERRCODE_NULL_VALUE_NOT_ALLOWED, "$", "schedule must not be null",
				 "A schedule is a JSON object with frequency, time and timezone.",
				 "Write {\"frequency\": \"daily\", \"time\": \"09:00\", \"timezone\": \"UTC\"}.");
	er_rule_read(VARDATA_ANY(PG_DETOAST_DATUM_PACKED(PG_GETARG_DATUM(0))), &walk->rule);
	walk->known_from = walk->known_to = 0;
	if (walk->rule.max_runs > 0)
		end_after_max_runs(walk);
}

/* Runs are counted from startDate: the last one that counts is the end. */
static void
end_after_max_runs(Walk *walk)
{
	int64		run = ((int64) walk->rule.first - ER_UNIX_EPOCH_DATE) * SECS_PER_DAY - MARGIN;

	for (int i = 0; i < walk->rule.max_runs; i++)
	{
		if (!next_run(walk, run, &run))
			return;
	}
	walk->rule.ends_at = run;
}

/* In whole seconds, rounded down: runs stand on whole seconds, so the comparison is the same. */
static int64
instant_of_call(FunctionCallInfo fcinfo, int arg, const char *name)
{
	TimestampTz given;

	if (PG_ARGISNULL(arg))
		er_fault(NULL, ERRCODE_NULL_VALUE_NOT_ALLOWED, name, psprintf("%s must not be null", name),
				 "Runs are counted from an instant; no clock is read.", "Give an instant, such as now().");
	given = PG_GETARG_TIMESTAMPTZ(arg);
	if (TIMESTAMP_NOT_FINITE(given))
		er_fault(NULL, ERRCODE_DATETIME_VALUE_OUT_OF_RANGE, name,
				 psprintf("%s must be an instant, not %s", name, TIMESTAMP_IS_NOBEGIN(given) ? "-infinity" : "infinity"),
				 "Runs are counted from an instant.", "Give an instant, such as now().");
	return floor_div(given, USECS_PER_SEC) - (int64) ER_UNIX_EPOCH_DATE * SECS_PER_DAY;
}

static char *
local_text(int64 instant, pg_tz *zone)
{
	pg_time_t	at = instant;
	struct pg_tm *tm = pg_localtime(&at, zone);

	return psprintf("%04d-%02d-%02d %02d:%02d:%02d", tm->tm_year + 1900, tm->tm_mon + 1, tm->tm_mday,
					tm->tm_hour, tm->tm_min, tm->tm_sec);
}

/* The smallest run greater than that instant; false when there is none. */
static bool
next_run(Walk *walk, int64 after, int64 *run)
{
	const ErRule *rule = &walk->rule;
	DateADT		day;
	int64		best = PG_INT64_MAX;

	if (after >= rule->ends_at)
		return false;
	for (DateADT from = first_candidate(walk, after); next_day(rule, from, &day); from = day + 1)
	{
		int64		local = ((int64) day - ER_UNIX_EPOCH_DATE) * SECS_PER_DAY + rule->time;
		int64		instants[2];
		bool		plain;
		int			count;

		CHECK_FOR_INTERRUPTS();
		if (best != PG_INT64_MAX && local - SECS_PER_DAY > best)
			break;
		count = instants_of(walk, local, instants, &plain);
		for (int i = 0; i < count; i++)
		{
			if (instants[i] > after && instants[i] < best)
				best = instants[i];
		}
		if (plain && best != PG_INT64_MAX)
			break;
	}
	*run = best;
	return best != PG_INT64_MAX && best <= rule->ends_at;
}

/* No earlier local day has a run later than that instant. */
static DateADT
first_candidate(Walk *walk, int64 after)
{
	const ErRule *rule = &walk->rule;
	int64		day;

	if (after - MARGIN < walk->known_from || after >= walk->known_to)
		learn_offset(walk, after - MARGIN);
	day = after + MARGIN < walk->known_to ? floor_div(after + walk->offset, SECS_PER_DAY)
		: floor_div(after, SECS_PER_DAY) - 2;
	day += ER_UNIX_EPOCH_DATE;
	if (day < rule->first)
		return rule->first;
	return day > rule->last ? rule->last + 1 : (DateADT) day;
}

/* The first day of the rule that is not before `from`. */
static bool
next_day(const ErRule *rule, DateADT from, DateADT *day)
{
	*day = Max(from, rule->first);
	switch (rule->frequency)
	{
		case ER_FREQUENCY_DAILY:
			if (rule->interval > 1)
				*day += (rule->interval - (*day - rule->first) % rule->interval) % rule->interval;
			break;
		case ER_FREQUENCY_WEEKLY:
			*day = next_day_of_week(rule, *day);
			break;
		case ER_FREQUENCY_MONTHLY:
			*day = next_day_of_month(rule, *day);
			break;
		default:				/* once */
			return *day == rule->first;
	}
	return *day <= rule->last;
}

/* Weeks begin on Monday; an interval counts them from the one that startDate lies in. */
static DateADT
next_day_of_week(const ErRule *rule, DateADT from)
{
	int			week = floor_div(from - MONDAY, 7);
	int			weekday = from - MONDAY - week * 7;
	int			left = 0;
	int			first;

	if (rule->interval > 1)
		left = (week - (int) floor_div(rule->first - MONDAY, 7)) % rule->interval;
	if (left == 0)
	{
		for (; weekday < 7; weekday++)
		{
			if (rule->weekdays & (1 << weekday))
				return MONDAY + week * 7 + weekday;
		}
	}
	for (first = 0; (rule->weekdays & (1 << first)) == 0; first++)
		;
	return MONDAY + (week + rule->interval - left) * 7 + first;
}

/* May be later than the rule's last day when months without such a day are skipped. */
static DateADT
next_day_of_month(const ErRule *rule, DateADT from)
{
	int			ignored;
	int			month = er_month_number(from, &ignored);
	DateADT		date;

	if (rule->interval > 1)
		month += (rule->interval - (month - er_month_number(rule->first, &ignored)) % rule->interval) % rule->interval;
	for (;; month += rule->interval)
	{
		DateADT		begin = er_month_day(month, 1);
		int			length = er_month_day(month, 31) - begin + 1;
		int			day = rule->day_of_month > 0 ? rule->day_of_month : length + 1 + rule->day_of_month;

		CHECK_FOR_INTERRUPTS();
		if (begin > rule->last)
			return begin;
		if (!rule->clamp_month_end && (day < 1 || day > length))
			continue;
		date = begin + Max(Min(day, length), 1) - 1;
		if (date >= from)
			return date;
	}
}

/*
 * The instants of a local time, at most two, in order. Plain: no change of offset is near, so that later days have
 * later instants.
 */
static int
instants_of(Walk *walk, int64 local, int64 *instants, bool *plain)
{
	if (local - MARGIN < walk->known_from || local + MARGIN >= walk->known_to)
		learn_offset(walk, local - MARGIN);
	*plain = local + MARGIN < walk->known_to;
	if (!*plain)
		return instants_near_change(walk, local, instants);
	instants[0] = local - walk->offset;
	return 1;
}

static int
instants_near_change(const Walk *walk, int64 local, int64 *instants)
{
	int64		from = local - MARGIN;
	int64		shifted = PG_INT64_MAX;
	int			count = 0;

	while (from <= local + MARGIN)
	{
		int64		before;
		int64		after;
		int64		to = end_of_offset(walk->rule.zone, from, &before, &after);
		int64		instant = local - before;

		if (instant >= from && instant < to)
		{
			/* should there be three, the first and the last count */
			instants[Min(count, 1)] = instant;
			count = Min(count + 1, 2);
		}
		else if (instant >= to && local - after < to && shifted == PG_INT64_MAX)
			shifted = instant;
		from = to;
	}

	if (count == 0)
	{
		instants[0] = shifted;
		return walk->rule.shift_gap && shifted != PG_INT64_MAX ? 1 : 0;
	}
	if (count == 2 && walk->rule.overlap == ER_OVERLAP_SECOND)
		instants[0] = instants[1];
	return walk->rule.overlap == ER_OVERLAP_BOTH ? count : 1;
}

static void
learn_offset(Walk *walk, int64 from)
{
	int64		after;

	walk->known_from = from;
	walk->known_to = end_of_offset(walk->rule.zone, from, &walk->offset, &after);
}

/* The offset at that instant, when it ends, and the one after it. */
static int64
end_of_offset(pg_tz *zone, int64 from, int64 *before, int64 *after)
{
	pg_time_t	at = from;
	pg_time_t	boundary;
	long int	before_offset;
	long int	after_offset;
	int			ignored;
	int			found = pg_next_dst_boundary(&at, &before_offset, &ignored, &boundary, &after_offset, &ignored, zone);

	if (found < 0)
		ereport(ERROR,
				errcode(ERRCODE_INTERNAL_ERROR),
				errmsg("the time zone \"%s\" has no rules near this time", pg_get_timezone_name(zone)));
	*before = before_offset;
	*after = found > 0 ? after_offset : before_offset;
	return found > 0 ? boundary : PG_INT64_MAX;
}
