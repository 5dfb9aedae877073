/*
 * lookback.c
 *		From a lookback configuration to its window of days, and whether those days can still be had.
 *
 *		{"type": "relative", "value": 14, "unit": "days|weeks|months", "lagDays": 2}
 *		{"type": "custom", "startDate": "2025-01-01", "endDate": "2025-01-31"}
 *		{}	means the last 7 days
 *
 * Invariants: a window has at least one day and both its ends belong to it, so "N days" is N days; it never begins
 * before 0001-01-01, the first day an ISO date can name. Whatever is not in the grammar above is a fault that
 * names its key; nothing is guessed. The functions differ in one thing only: all but check_lookback raise the first
 * fault they meet, check_lookback collects them.
 */
#include "lookback.h"

#include "catalog/pg_type_d.h"
#include "execreport.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#define RETENTION_DAYS		425
#define RETENTION_MONTHS	14
#define DEFAULT_DAYS		7
#define LARGEST_NUMBER		4000000 /* days; more than all years from 1 to 9999 */

#define EXAMPLE \
	"Write {\"type\": \"relative\", \"value\": 7, \"unit\": \"days\"} or " \
	"{\"type\": \"custom\", \"startDate\": \"2025-01-01\", \"endDate\": \"2025-01-31\"}."

typedef enum LookbackType
{
	LOOKBACK_NOT_SAID,
	LOOKBACK_RELATIVE,
	LOOKBACK_CUSTOM,
	LOOKBACK_FAULTY
} LookbackType;

typedef enum LookbackUnit
{
	UNIT_DAYS,
	UNIT_WEEKS,
	UNIT_MONTHS
} LookbackUnit;

/* One member of the configuration: the key as the caller spelled it, NULL when absent. */
typedef struct WholeMember
{
	const char *key;
	int64		number;
} WholeMember;

typedef struct DateMember
{
	const char *key;
	DateADT		date;
} DateMember;

typedef struct LookbackConfig
{
	bool		empty;
	LookbackType type;
	const char *unit_key;
	LookbackUnit unit;
	WholeMember value;
	WholeMember lag;
	DateMember	start;
	DateMember	end;
} LookbackConfig;

static inline bool window_of(const char *root, DateADT as_of, ErWindow *window, ErFaults *faults);
static inline ErWindow window_of_call(FunctionCallInfo fcinfo, int as_of_arg, DateADT *as_of);
static inline const char *config_bytes(FunctionCallInfo fcinfo, ErFaults *faults);
static inline DateADT as_of_date(FunctionCallInfo fcinfo, int arg, ErFaults *faults);
static bool read_config(const char *root, LookbackConfig *config, ErFaults *faults);
static void read_member(const ErMember *member, LookbackConfig *config, ErFaults *faults);
static void read_type(const ErMember *member, LookbackConfig *config, ErFaults *faults);
static void read_unit(const ErMember *member, LookbackConfig *config, ErFaults *faults);
static void read_whole(const ErMember *member, const char *key, int64 least, WholeMember *into, ErFaults *faults);
static void read_date(const ErMember *member, const char *key, DateMember *into, ErFaults *faults);
static void check_members(const LookbackConfig *config, ErFaults *faults);
static void refuse(const char *key, const char *type, ErFaults *faults);
static void demand(const char *key, const char *missing, const char *type, ErFaults *faults);
static bool relative_window(const LookbackConfig *config, DateADT as_of, ErWindow *window, ErFaults *faults);
static bool custom_window(const LookbackConfig *config, ErWindow *window, ErFaults *faults);
static DateADT earliest_start(DateADT as_of);
static void push_string(JsonbParseState **state, const char *key, const char *text);
static void push_number(JsonbParseState **state, const char *key, int64 number);
static void push_key(JsonbParseState **state, const char *key);
static void push_error(JsonbParseState **state, const char *path, const char *code, const char *message);

PG_FUNCTION_INFO_V1(er_lookback_start);
PG_FUNCTION_INFO_V1(er_lookback_end);
PG_FUNCTION_INFO_V1(er_lookback_both);
PG_FUNCTION_INFO_V1(er_validate_lookback_limit);
PG_FUNCTION_INFO_V1(er_check_lookback);

/* lookback_start(config jsonb, as_of date) RETURNS date */
Datum
er_lookback_start(PG_FUNCTION_ARGS)
{
	DateADT		as_of;

	PG_RETURN_DATEADT(window_of_call(fcinfo, 1, &as_of).start);
}

/* lookback_end(config jsonb, as_of date) RETURNS date */
Datum
er_lookback_end(PG_FUNCTION_ARGS)
{
	DateADT		as_of;

	PG_RETURN_DATEADT(window_of_call(fcinfo, 1, &as_of).end);
}

/* lookback_window(config jsonb, as_of date, OUT start_date date, OUT end_date date) */
Datum
er_lookback_both(PG_FUNCTION_ARGS)
{
	static const char *const names[] = {"start_date", "end_date"};
	static const Oid types[] = {DATEOID, DATEOID};
	static HeapTupleHeader image = NULL;
	DateADT		as_of;
	ErWindow	window = window_of_call(fcinfo, 1, &as_of);
	HeapTupleHeader row;

	if (image == NULL)
		image = er_row_image(2, names, types);
	row = er_row_copy(image);
	*(ErWindow *) ER_ROW_COLUMNS(row) = window;
	PG_RETURN_HEAPTUPLEHEADER(row);
}

/* validate_lookback_limit(config jsonb, max_days integer, as_of date) RETURNS boolean */
Datum
er_validate_lookback_limit(PG_FUNCTION_ARGS)
{
	DateADT		as_of;
	ErWindow	window = window_of_call(fcinfo, 2, &as_of);
	int64		earliest;

	if (PG_ARGISNULL(1))
		earliest = earliest_start(as_of);
	else
	{
		int32		max_days = PG_GETARG_INT32(1);

		if (max_days < 1)
			er_fault(NULL, ERRCODE_INVALID_PARAMETER_VALUE, "max_days",
					 psprintf("max_days must be 1 or more, not %d", max_days),
					 "max_days says how many days before as_of a window may begin.",
					 "Give a number of days, or NULL for the usual limit of 425 days or 14 months.");
		earliest = (int64) as_of - max_days;
	}
	PG_RETURN_BOOL(window.start >= earliest && window.end <= as_of);
}

/* check_lookback(config jsonb, as_of date) RETURNS jsonb: all that is wrong, as data */
Datum
er_check_lookback(PG_FUNCTION_ARGS)
{
	ErFaults	faults = {0};
	DateADT		as_of = as_of_date(fcinfo, 1, &faults);
	const char *root = config_bytes(fcinfo, &faults);
	bool		as_of_known = !DATE_NOT_FINITE(as_of);
	DateADT		earliest = as_of_known ? earliest_start(as_of) : 0;
	bool		has_window = false;
	bool		valid;
	ErWindow	window = {0, 0};
	LookbackConfig config;
	JsonbParseState *state = NULL;
	JsonbValue	null = {.type = jbvNull};
	JsonbValue	flag = {.type = jbvBool};

	if (root != NULL && read_config(root, &config, &faults) && as_of_known)
		has_window = window_of(root, as_of, &window, &faults);
	valid = has_window && window.start >= earliest && window.end <= as_of;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	push_key(&state, "valid");
	flag.val.boolean = valid;
	pushJsonbValue(&state, WJB_VALUE, &flag);

	push_key(&state, "window");
	if (has_window)
	{
		pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
		push_string(&state, "startDate", er_date_text(window.start));
		push_string(&state, "endDate", er_date_text(window.end));
		pushJsonbValue(&state, WJB_END_OBJECT, NULL);
		push_number(&state, "days", (int64) window.end - window.start + 1);
	}
	else
	{
		pushJsonbValue(&state, WJB_VALUE, &null);
		push_key(&state, "days");
		pushJsonbValue(&state, WJB_VALUE, &null);
	}

	push_key(&state, "errors");
	pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	for (int i = 0; i < faults.count; i++)
		push_error(&state, faults.item[i].path, "INVALID_LOOKBACK_RANGE", faults.item[i].message);
	if (has_window && window.start < earliest)
		push_error(&state, config.start.key ? config.start.key : config.value.key ? config.value.key : "$",
				   "RETENTION_EXCEEDED",
				   psprintf("the window begins on %s, but data before %s no longer exists",
							er_date_text(window.start), er_date_text(earliest)));
	if (has_window && window.end > as_of)
		push_error(&state, config.end.key ? config.end.key : "$",
				   "FUTURE_DATES",
				   psprintf("the window ends on %s, which is after %s",
							er_date_text(window.end), er_date_text(as_of)));
	pushJsonbValue(&state, WJB_END_ARRAY, NULL);

	if (as_of_known)
	{
		push_string(&state, "earliestStart", er_date_text(earliest));
		push_string(&state, "latestEnd", er_date_text(as_of));
		push_number(&state, "maxDays", (int64) as_of - earliest + 1);
	}
	else
	{
		push_key(&state, "earliestStart");
		pushJsonbValue(&state, WJB_VALUE, &null);
		push_key(&state, "latestEnd");
		pushJsonbValue(&state, WJB_VALUE, &null);
		push_key(&state, "maxDays");
		pushJsonbValue(&state, WJB_VALUE, &null);
	}
	push_key(&state, "suggested");
	pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	push_number(&state, NULL, 7);
	push_number(&state, NULL, 14);
	push_number(&state, NULL, 30);
	pushJsonbValue(&state, WJB_END_ARRAY, NULL);

	PG_RETURN_JSONB_P(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL)));
}

bool
er_lookback_window(const char *config, DateADT as_of, ErWindow *window, ErFaults *faults)
{
	return window_of(config, as_of, window, faults);
}

ErWindow
er_lookback_of_call(FunctionCallInfo fcinfo, int as_of_arg, DateADT *as_of)
{
	return window_of_call(fcinfo, as_of_arg, as_of);
}

static inline bool
window_of(const char *root, DateADT as_of, ErWindow *window, ErFaults *faults)
{
	LookbackConfig config;

	if (!read_config(root, &config, faults))
		return false;
	if (config.type == LOOKBACK_CUSTOM)
		return custom_window(&config, window, faults);
	return relative_window(&config, as_of, window, faults);
}

static inline ErWindow
window_of_call(FunctionCallInfo fcinfo, int as_of_arg, DateADT *as_of)
{
	ErWindow	window = {0, 0};
	const char *root = config_bytes(fcinfo, NULL);

	*as_of = as_of_date(fcinfo, as_of_arg, NULL);
	window_of(root, *as_of, &window, NULL);
	return window;
}

static inline const char *
config_bytes(FunctionCallInfo fcinfo, ErFaults *faults)
{
	if (PG_ARGISNULL(0))
	{
		er_fault(faults, ERRCODE_NULL_VALUE_NOT_ALLOWED, "$", "lookback must not be null",
				 "A lookback is a JSON object; {} is the last 7 days.", EXAMPLE);
		return NULL;
	}
	return VARDATA_ANY(PG_DETOAST_DATUM_PACKED(PG_GETARG_DATUM(0)));
}

/* NULL is today in the session's time zone. */
static inline DateADT
as_of_date(FunctionCallInfo fcinfo, int arg, ErFaults *faults)
{
	DateADT		as_of = PG_ARGISNULL(arg) ? GetSQLCurrentDate() : PG_GETARG_DATEADT(arg);

	if (DATE_NOT_FINITE(as_of))
		er_fault(faults, ERRCODE_DATETIME_VALUE_OUT_OF_RANGE, "as_of",
				 psprintf("as_of must be a day, not %s", er_date_text(as_of)),
				 "The window is counted back from as_of.", "Give a date, or NULL for today.");
	return as_of;
}

/* False when faults were noted. */
static bool
read_config(const char *root, LookbackConfig *config, ErFaults *faults)
{
	ErMembers	members;
	ErMember	member;
	int			before = faults ? faults->count : 0;

	config->type = LOOKBACK_NOT_SAID;
	config->unit = UNIT_DAYS;
	config->unit_key = config->value.key = config->lag.key = config->start.key = config->end.key = NULL;
	if (!er_members_open(&members, root))
	{
		er_fault(faults, ERRCODE_INVALID_PARAMETER_VALUE, "$",
				 psprintf("lookback must be a JSON object, not %s", er_root_describe(root)),
				 "A lookback is a JSON object; {} is the last 7 days.", EXAMPLE);
		return false;
	}
	config->empty = members.count == 0;
	while (!er_faults_full(faults) && er_members_next(&members, &member))
		read_member(&member, config, faults);
	check_members(config, faults);
	return faults == NULL || faults->count == before;
}

static void
read_member(const ErMember *member, LookbackConfig *config, ErFaults *faults)
{
	if (ER_KEY_IS(member, "type"))
		read_type(member, config, faults);
	else if (ER_KEY_IS(member, "unit"))
		read_unit(member, config, faults);
	else if (ER_KEY_IS(member, "value"))
		read_whole(member, "value", 1, &config->value, faults);
	else if (ER_KEY_IS(member, "lagDays"))
		read_whole(member, "lagDays", 0, &config->lag, faults);
	else if (ER_KEY_IS(member, "lag_days"))
		read_whole(member, "lag_days", 0, &config->lag, faults);
	else if (ER_KEY_IS(member, "startDate"))
		read_date(member, "startDate", &config->start, faults);
	else if (ER_KEY_IS(member, "start_date"))
		read_date(member, "start_date", &config->start, faults);
	else if (ER_KEY_IS(member, "endDate"))
		read_date(member, "endDate", &config->end, faults);
	else if (ER_KEY_IS(member, "end_date"))
		read_date(member, "end_date", &config->end, faults);
	else
	{
		const char *name = er_member_name(member);

		er_fault(faults, ERRCODE_INVALID_PARAMETER_VALUE, name,
				 psprintf("lookback has the unknown key \"%s\"", name),
				 "Known keys are type, value, unit, lagDays, startDate and endDate, or the same in snake_case.",
				 "Remove the key, or correct its spelling.");
	}
}

static void
read_type(const ErMember *member, LookbackConfig *config, ErFaults *faults)
{
	if (ER_STRING_IS(member, "relative"))
		config->type = LOOKBACK_RELATIVE;
	else if (ER_STRING_IS(member, "custom"))
		config->type = LOOKBACK_CUSTOM;
	else
	{
		config->type = LOOKBACK_FAULTY;
		er_fault(faults, ERRCODE_INVALID_PARAMETER_VALUE, "type",
				 psprintf("lookback \"type\" is unknown: %s", er_member_describe(member)),
				 "Allowed are \"relative\" and \"custom\".", EXAMPLE);
	}
}

static void
read_unit(const ErMember *member, LookbackConfig *config, ErFaults *faults)
{
	config->unit_key = "unit";
	if (ER_STRING_IS(member, "days"))
		config->unit = UNIT_DAYS;
	else if (ER_STRING_IS(member, "weeks"))
		config->unit = UNIT_WEEKS;
	else if (ER_STRING_IS(member, "months"))
		config->unit = UNIT_MONTHS;
	else
		er_fault(faults, ERRCODE_INVALID_PARAMETER_VALUE, "unit",
				 psprintf("lookback \"unit\" is unknown: %s", er_member_describe(member)),
				 "Allowed are \"days\", \"weeks\" and \"months\", in small letters.", EXAMPLE);
}

static void
read_whole(const ErMember *member, const char *key, int64 least, WholeMember *into, ErFaults *faults)
{
	int64		number;
	ErWhole		whole = er_member_whole(member, &number);

	if (whole == ER_WHOLE_OK && number >= least && number <= LARGEST_NUMBER)
	{
		if (into->key != NULL && into->number != number)
			er_fault(faults, ERRCODE_INVALID_PARAMETER_VALUE, key,
					 psprintf("lookback has both \"%s\" %lld and \"%s\" %lld",
							  into->key, (long long) into->number, key, (long long) number),
					 "Two spellings of one key must agree.", "Keep one of the two keys.");
		into->number = number;
	}
	else if (whole == ER_WHOLE_NOT_A_NUMBER || whole == ER_WHOLE_FRACTION)
		er_fault(faults, ERRCODE_INVALID_PARAMETER_VALUE, key,
				 psprintf("lookback \"%s\" must be a whole number, not %s", key, er_member_describe(member)),
				 psprintf("Allowed are whole numbers of %lld or more, as JSON numbers.", (long long) least),
				 EXAMPLE);
	else if (whole == ER_WHOLE_OK && number < least)
		er_fault(faults, ERRCODE_INVALID_PARAMETER_VALUE, key,
				 psprintf("lookback \"%s\" must be %lld or more, not %s",
						  key, (long long) least, er_member_describe(member)),
				 psprintf("Allowed are whole numbers of %lld or more.", (long long) least),
				 "Give a positive number: lookbacks count backwards by themselves.");
	else
		er_fault(faults, ERRCODE_INVALID_PARAMETER_VALUE, key,
				 psprintf("lookback \"%s\" is too large: %s", key, er_member_describe(member)),
				 psprintf("Allowed are whole numbers from %lld to %d.", (long long) least, LARGEST_NUMBER),
				 "Give a smaller number.");
	into->key = key;
}

static void
read_date(const ErMember *member, const char *key, DateMember *into, ErFaults *faults)
{
	DateADT		date;
	int			sqlstate = ERRCODE_INVALID_PARAMETER_VALUE;

	if (member->kind != JENTRY_ISSTRING || !er_parse_iso_date(member->data, member->len, &date, &sqlstate))
		er_fault(faults, sqlstate, key,
				 sqlstate == ERRCODE_DATETIME_FIELD_OVERFLOW
				 ? psprintf("lookback \"%s\" is a day that does not exist: %s", key, er_member_describe(member))
				 : psprintf("lookback \"%s\" must be a date as YYYY-MM-DD, not %s", key, er_member_describe(member)),
				 "Allowed are the days from 0001-01-01 to 9999-12-31, written YYYY-MM-DD.",
				 "Write the date like \"2025-01-31\".");
	else
	{
		if (into->key != NULL && into->date != date)
			er_fault(faults, ERRCODE_INVALID_PARAMETER_VALUE, key,
					 psprintf("lookback has both \"%s\" %s and \"%s\" %s",
							  into->key, er_date_text(into->date), key, er_date_text(date)),
					 "Two spellings of one key must agree.", "Keep one of the two keys.");
		into->date = date;
	}
	into->key = key;
}

/* Which members belong to which type. */
static void
check_members(const LookbackConfig *config, ErFaults *faults)
{
	switch (config->type)
	{
		case LOOKBACK_RELATIVE:
			demand(config->value.key, "value", "relative", faults);
			demand(config->unit_key, "unit", "relative", faults);
			refuse(config->start.key, "relative", faults);
			refuse(config->end.key, "relative", faults);
			break;
		case LOOKBACK_CUSTOM:
			demand(config->start.key, "startDate", "custom", faults);
			demand(config->end.key, "endDate", "custom", faults);
			refuse(config->value.key, "custom", faults);
			refuse(config->unit_key, "custom", faults);
			refuse(config->lag.key, "custom", faults);
			break;
		case LOOKBACK_NOT_SAID:
			if (!config->empty)
				er_fault(faults, ERRCODE_INVALID_PARAMETER_VALUE, "type",
						 "lookback has no \"type\"",
						 "Allowed are \"relative\" and \"custom\"; only an empty object needs no type.", EXAMPLE);
			break;
		case LOOKBACK_FAULTY:
			break;
	}
}

static void
refuse(const char *key, const char *type, ErFaults *faults)
{
	if (key != NULL)
		er_fault(faults, ERRCODE_INVALID_PARAMETER_VALUE, key,
				 psprintf("lookback \"%s\" does not belong to type \"%s\"", key, type),
				 "A relative lookback has value, unit and lagDays; a custom one has startDate and endDate.",
				 "Remove the key, or choose the other type.");
}

static void
demand(const char *key, const char *missing, const char *type, ErFaults *faults)
{
	if (key == NULL)
		er_fault(faults, ERRCODE_INVALID_PARAMETER_VALUE, missing,
				 psprintf("lookback of type \"%s\" has no \"%s\"", type, missing),
				 "A relative lookback has value, unit and lagDays; a custom one has startDate and endDate.",
				 EXAMPLE);
}

/* N units that end lagDays before as_of. {} is 7 days. */
static bool
relative_window(const LookbackConfig *config, DateADT as_of, ErWindow *window, ErFaults *faults)
{
	static DateADT first_date = 0;	/* 0001-01-01 */
	int64		number = config->empty ? DEFAULT_DAYS : config->value.number;
	int64		lag = config->lag.key ? config->lag.number : er_data_lag_days;
	int64		end = (int64) as_of - lag;
	int64		start;

	if (first_date == 0)
		first_date = date2j(1, 1, 1) - POSTGRES_EPOCH_JDATE;
	if (end < first_date)
		start = end;
	else if (config->unit == UNIT_MONTHS)
		start = er_months_before((DateADT) end + 1, (int) number);
	else
		start = end + 1 - number * (config->unit == UNIT_WEEKS ? 7 : 1);

	if (start < first_date)
	{
		/* the culprit: the lag that was given, the value that was given, or neither */
		const char *key = end < first_date && config->lag.key ? config->lag.key
			: config->value.key ? config->value.key : "as_of";

		er_fault(faults, ERRCODE_INVALID_PARAMETER_VALUE, key,
				 psprintf("lookback \"%s\" gives a window that would begin before 0001-01-01", key),
				 psprintf("It would go back %lld %s and %lld days of lag from %s.", (long long) number,
						  config->unit == UNIT_MONTHS ? "months" : config->unit == UNIT_WEEKS ? "weeks" : "days",
						  (long long) lag, er_date_text(as_of)),
				 "Give a smaller number, or a later as_of.");
		return false;
	}
	window->start = (DateADT) start;
	window->end = (DateADT) end;
	return true;
}

static bool
custom_window(const LookbackConfig *config, ErWindow *window, ErFaults *faults)
{
	if (config->start.date > config->end.date)
	{
		er_fault(faults, ERRCODE_INVALID_PARAMETER_VALUE, config->start.key,
				 psprintf("lookback \"%s\" %s is after \"%s\" %s",
						  config->start.key, er_date_text(config->start.date),
						  config->end.key, er_date_text(config->end.date)),
				 "Both days belong to the window, so they may be equal.", "Exchange the two dates.");
		return false;
	}
	window->start = config->start.date;
	window->end = config->end.date;
	return true;
}

/*
 * The first day still kept: 425 days or 14 calendar months back, whichever is earlier. 14 months are 424 to 428
 * days, and a window of exactly 14 months must pass.
 */
static DateADT
earliest_start(DateADT as_of)
{
	DateADT		by_days = Max(as_of, ER_MIN_DATE + RETENTION_DAYS) - RETENTION_DAYS;

	return Min(by_days, er_months_before(as_of, RETENTION_MONTHS));
}

static void
push_string(JsonbParseState **state, const char *key, const char *text)
{
	JsonbValue	value = {.type = jbvString};

	push_key(state, key);
	value.val.string.val = unconstify(char *, text);
	value.val.string.len = strlen(text);
	pushJsonbValue(state, WJB_VALUE, &value);
}

/* key = NULL: an element of an array */
static void
push_number(JsonbParseState **state, const char *key, int64 number)
{
	JsonbValue	value = {.type = jbvNumeric};

	if (key != NULL)
		push_key(state, key);
	value.val.numeric = int64_to_numeric(number);
	pushJsonbValue(state, key != NULL ? WJB_VALUE : WJB_ELEM, &value);
}

static void
push_key(JsonbParseState **state, const char *key)
{
	JsonbValue	value = {.type = jbvString};

	value.val.string.val = unconstify(char *, key);
	value.val.string.len = strlen(key);
	pushJsonbValue(state, WJB_KEY, &value);
}

static void
push_error(JsonbParseState **state, const char *path, const char *code, const char *message)
{
	pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	push_string(state, "path", path);
	push_string(state, "code", code);
	push_string(state, "message", message);
	pushJsonbValue(state, WJB_END_OBJECT, NULL);
}
