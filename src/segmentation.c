/*
 * segmentation.c
 *		A window of days cut into daily, weekly, monthly or quarterly segments.
 *
 * Invariants: segments tile the window exactly, in order, without gap or overlap. They follow periods that are counted
 * from one fixed day (the start of the window, or with align = 'calendar' the beginning of the ISO week, month or
 * quarter it lies in), never from the segment before: so months from the 31st do not drift, and any segment is
 * found without making the ones before it. Segment n is period n cut to the window.
 *
 * The rows come one call at a time, and the executor looks for interrupts between calls; arrays look by themselves.
 */
#include "lookback.h"

#include "catalog/pg_type_d.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "nodes/supportnodes.h"
#include "optimizer/optimizer.h"
#include "utils/array.h"
#include "utils/builtins.h"

#define CHECK_INTERVAL			4096
#define LARGEST_PARALLEL_LIMIT	10

typedef enum SegmentType
{
	SEGMENT_DAILY,
	SEGMENT_WEEKLY,
	SEGMENT_MONTHLY,
	SEGMENT_QUARTERLY,
	SEGMENT_UNKNOWN
} SegmentType;

typedef enum SegmentAlign
{
	ALIGN_ANCHOR,
	ALIGN_CALENDAR,
	ALIGN_UNKNOWN
} SegmentAlign;

typedef struct Segments
{
	ErWindow	window;
	bool		by_month;
	int			step;			/* days or months in a period */
	int			first;			/* first period: day number, or month number */
	int			first_day;		/* by month: the day of the month, clamped where a month is shorter */
	int			count;
} Segments;

typedef struct SegmentRows
{
	Segments	segments;
	int			next;			/* number of the next segment, from 1 */
	DateADT		start;			/* where it starts */
	HeapTupleHeader row;		/* handed out again and again, with new numbers in it */
} SegmentRows;

/* Members that only the workers use: checked here, and both spellings compared. */
typedef struct SegmentationSpelling
{
	const char *limit_key;
	int64		limit;
	const char *retry_key;
	uint32		retry;
} SegmentationSpelling;

/* The columns of a row. */
typedef struct SegmentColumns
{
	DateADT		start;
	DateADT		end;
	int32		number;
} SegmentColumns;

static Segments segments_of_call(FunctionCallInfo fcinfo, int align_arg);
static Segments segments_of_lookback(FunctionCallInfo fcinfo);
static Datum next_row(FunctionCallInfo fcinfo, Segments (*segments_of) (FunctionCallInfo fcinfo));
static Segments segments_of_interval_call(FunctionCallInfo fcinfo);
static bool cut(ErWindow window, SegmentType type, SegmentAlign align, Segments *segments);
static inline DateADT period_start(const Segments *segments, int number);
static inline DateADT segment_end(const Segments *segments, int number, DateADT *next_start);
static HeapTupleHeader empty_row(void);
static DateADT bound(FunctionCallInfo fcinfo, int arg, const char *name);
static SegmentType type_of_bytes(const char *text, int len);
static SegmentAlign align_of_bytes(const char *text, int len);
static void unknown_type(const char *path, const char *subject, const char *given, ErFaults *faults);
static void unknown_align(const char *path, const char *subject, const char *given, ErFaults *faults);
static bool read_segmentation(const char *root, SegmentType *type, SegmentAlign *align, ErFaults *faults);
static void read_member(const ErMember *member, SegmentType *type, SegmentAlign *align,
						SegmentationSpelling *spelling, ErFaults *faults);
static void check_parallel_limit(const ErMember *member, const char *key, SegmentationSpelling *spelling,
								 ErFaults *faults);
static void check_retry_failed(const ErMember *member, const char *key, SegmentationSpelling *spelling,
							   ErFaults *faults);
static void disagree(const char *key, const char *other, ErFaults *faults);
static double estimate_interval(PlannerInfo *root, List *args);
static double estimate_lookback(PlannerInfo *root, List *args);
static bool known_argument(PlannerInfo *root, List *args, int n, Datum *value);

PG_FUNCTION_INFO_V1(er_segmentation_intervals);
PG_FUNCTION_INFO_V1(er_lookback_segments);
PG_FUNCTION_INFO_V1(er_segment_starts);
PG_FUNCTION_INFO_V1(er_segment_count);
PG_FUNCTION_INFO_V1(er_segment_at);
PG_FUNCTION_INFO_V1(er_segmentation_support);

/* calculate_segmentation_intervals(start_date date, end_date date, segment_type text, align text) */
Datum
er_segmentation_intervals(PG_FUNCTION_ARGS)
{
	return next_row(fcinfo, segments_of_interval_call);
}

/* lookback_segments(lookback jsonb, segmentation jsonb, as_of date) */
Datum
er_lookback_segments(PG_FUNCTION_ARGS)
{
	return next_row(fcinfo, segments_of_lookback);
}

/* segment_starts(start_date date, end_date date, segment_type text, align text) RETURNS date[] */
Datum
er_segment_starts(PG_FUNCTION_ARGS)
{
	Segments	segments = segments_of_call(fcinfo, 3);
	Size		size = ARR_OVERHEAD_NONULLS(1) + (Size) segments.count * sizeof(DateADT);
	ArrayType  *array;
	DateADT    *start;

	if (segments.count > MaxArraySize || !AllocSizeIsValid(size))
		ereport(ERROR,
				errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				errmsg("%d segments are too many for an array", segments.count),
				errdetail("An array holds at most %d elements.", (int) MaxArraySize),
				errhint("Read them as rows of calculate_segmentation_intervals, or ask for longer segments."));

	array = palloc(size);
	SET_VARSIZE(array, size);
	array->ndim = 1;
	array->dataoffset = 0;
	array->elemtype = DATEOID;
	ARR_DIMS(array)[0] = segments.count;
	ARR_LBOUND(array)[0] = 1;
	start = (DateADT *) ARR_DATA_PTR(array);
	start[0] = segments.window.start;
	for (int i = 1; i < segments.count; i++)
	{
		if (i % CHECK_INTERVAL == 0)
			CHECK_FOR_INTERRUPTS();
		start[i] = period_start(&segments, i + 1);
	}
	PG_RETURN_ARRAYTYPE_P(array);
}

/* segment_count(start_date date, end_date date, segment_type text, align text) RETURNS integer */
Datum
er_segment_count(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(segments_of_call(fcinfo, 3).count);
}

/* segment_at(start_date date, end_date date, segment_type text, n integer, align text, OUT one row) */
Datum
er_segment_at(PG_FUNCTION_ARGS)
{
	Segments	segments = segments_of_call(fcinfo, 4);
	int			n;
	DateADT		next_start;
	HeapTupleHeader row;
	SegmentColumns *columns;

	if (PG_ARGISNULL(3))
		er_fault(NULL, ERRCODE_NULL_VALUE_NOT_ALLOWED, "n", "n must not be null",
				 "Segments are numbered from 1.", "Give the number of a segment.");
	n = PG_GETARG_INT32(3);
	if (n < 1 || n > segments.count)
		er_fault(NULL, ERRCODE_INVALID_PARAMETER_VALUE, "n",
				 psprintf("n must be a segment of the window, not %d", n),
				 psprintf("The window has the segments 1 to %d.", segments.count),
				 "Ask segment_count for their number first.");

	row = empty_row();
	columns = ER_ROW_COLUMNS(row);
	columns->start = n == 1 ? segments.window.start : period_start(&segments, n);
	columns->end = segment_end(&segments, n, &next_start);
	columns->number = n;
	PG_RETURN_HEAPTUPLEHEADER(row);
}

/* The planner's question how many rows a call gives: exact where the arguments are known. */
Datum
er_segmentation_support(PG_FUNCTION_ARGS)
{
	Node	   *request = (Node *) PG_GETARG_POINTER(0);
	SupportRequestRows *rows;
	List	   *args;
	double		count;

	if (!IsA(request, SupportRequestRows))
		PG_RETURN_POINTER(NULL);
	rows = (SupportRequestRows *) request;
	if (!is_funcclause(rows->node))
		PG_RETURN_POINTER(NULL);

	args = ((FuncExpr *) rows->node)->args;
	count = list_length(args) == 4 ? estimate_interval(rows->root, args) : estimate_lookback(rows->root, args);
	if (count < 1)
		PG_RETURN_POINTER(NULL);
	rows->rows = count;
	PG_RETURN_POINTER(request);
}

static Segments
segments_of_interval_call(FunctionCallInfo fcinfo)
{
	return segments_of_call(fcinfo, 3);
}

static Segments
segments_of_call(FunctionCallInfo fcinfo, int align_arg)
{
	ErWindow	window = {bound(fcinfo, 0, "start_date"), bound(fcinfo, 1, "end_date")};
	SegmentType type;
	SegmentAlign align;
	text	   *word;
	Segments	segments;

	if (window.start > window.end)
		er_fault(NULL, ERRCODE_INVALID_PARAMETER_VALUE, "start_date",
				 psprintf("start_date %s is after end_date %s",
						  er_date_text(window.start), er_date_text(window.end)),
				 "Both days belong to the window, so they may be equal.", "Exchange the two dates.");

	if (PG_ARGISNULL(2))
		unknown_type("segment_type", "segment_type", "null", NULL);
	word = PG_GETARG_TEXT_PP(2);
	type = type_of_bytes(VARDATA_ANY(word), VARSIZE_ANY_EXHDR(word));
	if (type == SEGMENT_UNKNOWN)
		unknown_type("segment_type", "segment_type",
					 psprintf("\"%s\"", er_clip(VARDATA_ANY(word), VARSIZE_ANY_EXHDR(word))), NULL);

	if (PG_ARGISNULL(align_arg))
		unknown_align("align", "align", "null", NULL);
	word = PG_GETARG_TEXT_PP(align_arg);
	align = align_of_bytes(VARDATA_ANY(word), VARSIZE_ANY_EXHDR(word));
	if (align == ALIGN_UNKNOWN)
		unknown_align("align", "align",
					  psprintf("\"%s\"", er_clip(VARDATA_ANY(word), VARSIZE_ANY_EXHDR(word))), NULL);

	cut(window, type, align, &segments);
	return segments;
}

static Segments
segments_of_lookback(FunctionCallInfo fcinfo)
{
	DateADT		as_of;
	ErWindow	window = er_lookback_of_call(fcinfo, 2, &as_of);
	SegmentType type;
	SegmentAlign align;
	Segments	segments;

	if (PG_ARGISNULL(1))
		er_fault(NULL, ERRCODE_NULL_VALUE_NOT_ALLOWED, "$", "segmentation must not be null",
				 "A segmentation is a JSON object.", "Write {} for weekly segments from the start of the window.");
	read_segmentation(VARDATA_ANY(PG_DETOAST_DATUM_PACKED(PG_GETARG_DATUM(1))), &type, &align, NULL);
	cut(window, type, align, &segments);
	return segments;
}

/* The value-per-call protocol over one row that is filled anew each time. */
static Datum
next_row(FunctionCallInfo fcinfo, Segments (*segments_of) (FunctionCallInfo fcinfo))
{
	FuncCallContext *call;
	SegmentRows *rows;
	SegmentColumns *columns;

	if (SRF_IS_FIRSTCALL())
	{
		MemoryContext old;
		Segments	segments = segments_of(fcinfo);

		call = SRF_FIRSTCALL_INIT();
		old = MemoryContextSwitchTo(call->multi_call_memory_ctx);
		rows = palloc(sizeof(SegmentRows));
		rows->segments = segments;
		rows->next = 1;
		rows->start = segments.window.start;
		rows->row = empty_row();
		call->user_fctx = rows;
		MemoryContextSwitchTo(old);
	}

	call = SRF_PERCALL_SETUP();
	rows = call->user_fctx;
	if (rows->next > rows->segments.count)
		SRF_RETURN_DONE(call);

	columns = ER_ROW_COLUMNS(rows->row);
	columns->start = rows->start;
	columns->end = segment_end(&rows->segments, rows->next, &rows->start);
	columns->number = rows->next++;
	SRF_RETURN_NEXT(call, HeapTupleHeaderGetDatum(rows->row));
}

/* False when the word for type or alignment was unknown. */
static bool
cut(ErWindow window, SegmentType type, SegmentAlign align, Segments *segments)
{
	int			ignored;
	int			last;

	segments->window = window;
	segments->by_month = type == SEGMENT_MONTHLY || type == SEGMENT_QUARTERLY;
	if (segments->by_month)
	{
		segments->step = type == SEGMENT_MONTHLY ? 1 : 3;
		segments->first = er_month_number(window.start, &segments->first_day);
		if (align == ALIGN_CALENDAR)
		{
			segments->first -= segments->first % segments->step;
			segments->first_day = 1;
		}
		last = (er_month_number(window.end, &ignored) - segments->first) / segments->step;
		/* the period of the last month may begin after the window's end */
		segments->count = last + 1;
		if (period_start(segments, segments->count) > window.end)
			segments->count--;
	}
	else
	{
		segments->step = type == SEGMENT_WEEKLY ? 7 : 1;
		segments->first = window.start;
		if (type == SEGMENT_WEEKLY && align == ALIGN_CALENDAR)
			segments->first -= (window.start - ER_MIN_DATE) % 7;	/* day 0 of Julian is a Monday */
		segments->count = (window.end - segments->first) / segments->step + 1;
	}
	return type != SEGMENT_UNKNOWN && align != ALIGN_UNKNOWN;
}

/* Where period n begins, n from 1. Only the first may begin before the window. */
static inline DateADT
period_start(const Segments *segments, int number)
{
	if (segments->by_month)
		return er_month_day(segments->first + (number - 1) * segments->step, segments->first_day);
	return segments->first + (number - 1) * segments->step;
}

static inline DateADT
segment_end(const Segments *segments, int number, DateADT *next_start)
{
	if (number == segments->count)
		return segments->window.end;
	*next_start = period_start(segments, number + 1);
	return *next_start - 1;
}

static HeapTupleHeader
empty_row(void)
{
	static const char *const names[] = {"segment_start", "segment_end", "segment_number"};
	static const Oid types[] = {DATEOID, DATEOID, INT4OID};
	static HeapTupleHeader image = NULL;

	if (image == NULL)
		image = er_row_image(3, names, types);
	return er_row_copy(image);
}

static DateADT
bound(FunctionCallInfo fcinfo, int arg, const char *name)
{
	DateADT		date;

	if (PG_ARGISNULL(arg))
		er_fault(NULL, ERRCODE_NULL_VALUE_NOT_ALLOWED, name, psprintf("%s must not be null", name),
				 "A window has a first and a last day.", "Give a date.");
	date = PG_GETARG_DATEADT(arg);
	if (DATE_NOT_FINITE(date))
		er_fault(NULL, ERRCODE_DATETIME_VALUE_OUT_OF_RANGE, name,
				 psprintf("%s must be a day, not %s", name, er_date_text(date)),
				 "A window without end has no number of segments.", "Give a finite date.");
	return date;
}

static SegmentType
type_of_bytes(const char *text, int len)
{
	if (er_bytes_are(text, len, "daily", 5))
		return SEGMENT_DAILY;
	if (er_bytes_are(text, len, "weekly", 6))
		return SEGMENT_WEEKLY;
	if (er_bytes_are(text, len, "monthly", 7))
		return SEGMENT_MONTHLY;
	if (er_bytes_are(text, len, "quarterly", 9))
		return SEGMENT_QUARTERLY;
	return SEGMENT_UNKNOWN;
}

static SegmentAlign
align_of_bytes(const char *text, int len)
{
	if (er_bytes_are(text, len, "anchor", 6))
		return ALIGN_ANCHOR;
	if (er_bytes_are(text, len, "calendar", 8))
		return ALIGN_CALENDAR;
	return ALIGN_UNKNOWN;
}

static void
unknown_type(const char *path, const char *subject, const char *given, ErFaults *faults)
{
	er_fault(faults, ERRCODE_INVALID_PARAMETER_VALUE, path,
			 psprintf("%s is unknown: %s", subject, given),
			 "Allowed are \"daily\", \"weekly\", \"monthly\" and \"quarterly\", in small letters.",
			 "Give one of the four.");
}

static void
unknown_align(const char *path, const char *subject, const char *given, ErFaults *faults)
{
	er_fault(faults, ERRCODE_INVALID_PARAMETER_VALUE, path,
			 psprintf("%s is unknown: %s", subject, given),
			 "Allowed are \"anchor\" (periods count from the first day) and \"calendar\" (ISO weeks, months, quarters).",
			 "Give one of the two.");
}

/* False when faults were noted. */
static bool
read_segmentation(const char *root, SegmentType *type, SegmentAlign *align, ErFaults *faults)
{
	ErMembers	members;
	ErMember	member;
	SegmentationSpelling spelling = {0};

	*type = SEGMENT_WEEKLY;
	*align = ALIGN_ANCHOR;
	if (!er_members_open(&members, root))
		er_fault(faults, ERRCODE_INVALID_PARAMETER_VALUE, "$",
				 psprintf("segmentation must be a JSON object, not %s", er_root_describe(root)),
				 "A segmentation is a JSON object; {} is weekly segments from the start of the window.",
				 "Write {\"type\": \"weekly\", \"align\": \"anchor\"}.");
	else
		while (!er_faults_full(faults) && er_members_next(&members, &member))
			read_member(&member, type, align, &spelling, faults);
	return faults == NULL || faults->count == 0;
}

static void
read_member(const ErMember *member, SegmentType *type, SegmentAlign *align,
			SegmentationSpelling *spelling, ErFaults *faults)
{
	if (ER_KEY_IS(member, "type"))
	{
		*type = member->kind == JENTRY_ISSTRING ? type_of_bytes(member->data, member->len) : SEGMENT_UNKNOWN;
		if (*type == SEGMENT_UNKNOWN)
			unknown_type("type", "segmentation \"type\"", er_member_describe(member), faults);
	}
	else if (ER_KEY_IS(member, "align"))
	{
		*align = member->kind == JENTRY_ISSTRING ? align_of_bytes(member->data, member->len) : ALIGN_UNKNOWN;
		if (*align == ALIGN_UNKNOWN)
			unknown_align("align", "segmentation \"align\"", er_member_describe(member), faults);
	}
	else if (ER_KEY_IS(member, "parallel_limit"))
		check_parallel_limit(member, "parallel_limit", spelling, faults);
	else if (ER_KEY_IS(member, "parallelLimit"))
		check_parallel_limit(member, "parallelLimit", spelling, faults);
	else if (ER_KEY_IS(member, "retry_failed"))
		check_retry_failed(member, "retry_failed", spelling, faults);
	else if (ER_KEY_IS(member, "retryFailed"))
		check_retry_failed(member, "retryFailed", spelling, faults);
	else
	{
		const char *name = er_member_name(member);

		er_fault(faults, ERRCODE_INVALID_PARAMETER_VALUE, name,
				 psprintf("segmentation has the unknown key \"%s\"", name),
				 "Known keys are type, align, parallel_limit and retry_failed, or the same in camelCase.",
				 "Remove the key, or correct its spelling.");
	}
}

static void
check_parallel_limit(const ErMember *member, const char *key, SegmentationSpelling *spelling, ErFaults *faults)
{
	int64		limit = 0;

	if (er_member_whole(member, &limit) != ER_WHOLE_OK || limit < 1 || limit > LARGEST_PARALLEL_LIMIT)
		er_fault(faults, ERRCODE_INVALID_PARAMETER_VALUE, key,
				 psprintf("segmentation \"%s\" must be a whole number from 1 to %d, not %s",
						  key, LARGEST_PARALLEL_LIMIT, er_member_describe(member)),
				 "It says how many segments of one window may run at once.",
				 "Give a number within the range, or leave the key out.");
	else if (spelling->limit_key != NULL && spelling->limit != limit)
		disagree(key, spelling->limit_key, faults);
	spelling->limit_key = key;
	spelling->limit = limit;
}

static void
check_retry_failed(const ErMember *member, const char *key, SegmentationSpelling *spelling, ErFaults *faults)
{
	if (member->kind != JENTRY_ISBOOL_TRUE && member->kind != JENTRY_ISBOOL_FALSE)
		er_fault(faults, ERRCODE_INVALID_PARAMETER_VALUE, key,
				 psprintf("segmentation \"%s\" must be true or false, not %s", key, er_member_describe(member)),
				 "It says whether a segment that failed is tried again.",
				 "Write true or false without quotes, or leave the key out.");
	else if (spelling->retry_key != NULL && spelling->retry != member->kind)
		disagree(key, spelling->retry_key, faults);
	spelling->retry_key = key;
	spelling->retry = member->kind;
}

static void
disagree(const char *key, const char *other, ErFaults *faults)
{
	er_fault(faults, ERRCODE_INVALID_PARAMETER_VALUE, key,
			 psprintf("segmentation has \"%s\" and \"%s\" with different values", other, key),
			 "Two spellings of one key must agree.", "Keep one of the two keys.");
}

/* Rows of calculate_segmentation_intervals, 0 when they cannot be known or the call will fail. */
static double
estimate_interval(PlannerInfo *root, List *args)
{
	Datum		value[4];
	ErWindow	window;
	SegmentType type;
	SegmentAlign align;
	Segments	segments;

	for (int i = 0; i < 4; i++)
		if (!known_argument(root, args, i, &value[i]))
			return 0;
	window.start = DatumGetDateADT(value[0]);
	window.end = DatumGetDateADT(value[1]);
	type = type_of_bytes(VARDATA_ANY(DatumGetTextPP(value[2])), VARSIZE_ANY_EXHDR(DatumGetTextPP(value[2])));
	align = align_of_bytes(VARDATA_ANY(DatumGetTextPP(value[3])), VARSIZE_ANY_EXHDR(DatumGetTextPP(value[3])));
	if (DATE_NOT_FINITE(window.start) || DATE_NOT_FINITE(window.end) || window.start > window.end ||
		!cut(window, type, align, &segments))
		return 0;
	return segments.count;
}

/* Rows of lookback_segments; as_of may be NULL, which is today. */
static double
estimate_lookback(PlannerInfo *root, List *args)
{
	Datum		value[3];
	bool		as_of_known = known_argument(root, args, 2, &value[2]);
	DateADT		as_of = as_of_known ? DatumGetDateADT(value[2]) : GetSQLCurrentDate();
	ErFaults	faults = {0};
	ErWindow	window;
	SegmentType type;
	SegmentAlign align;
	Segments	segments;

	if (!known_argument(root, args, 0, &value[0]) || !known_argument(root, args, 1, &value[1]) ||
		DATE_NOT_FINITE(as_of) ||
		!er_lookback_window(VARDATA_ANY(PG_DETOAST_DATUM_PACKED(value[0])), as_of, &window, &faults) ||
		!read_segmentation(VARDATA_ANY(PG_DETOAST_DATUM_PACKED(value[1])), &type, &align, &faults) ||
		!cut(window, type, align, &segments))
		return 0;
	return segments.count;
}

/* True when the planner can tell the argument, and it is not NULL. */
static bool
known_argument(PlannerInfo *root, List *args, int n, Datum *value)
{
	Node	   *arg = list_nth(args, n);

	if (root != NULL)
		arg = estimate_expression_value(root, arg);
	if (!IsA(arg, Const) || ((Const *) arg)->constisnull)
		return false;
	*value = ((Const *) arg)->constvalue;
	return true;
}
