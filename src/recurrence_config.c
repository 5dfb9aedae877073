/*
 * recurrence_config.c
 *		Reads a schedule's configuration into a rule.
 *
 *		{"frequency": "once|daily|weekly|monthly", "time": "09:00", "timezone": "America/New_York",
 *		 "daysOfWeek": [1, 3, 5], "dayOfMonth": 15, "interval": 2, "startDate": "2025-01-01", "endDate": "2025-12-31",
 *		 "endsAt": "2025-12-31T12:00:00Z", "maxRuns": 10, "monthEnd": "clamp|skip", "dstGap": "shift|skip",
 *		 "dstOverlap": "first|second|both", "jitter": 600}, or the same in snake_case
 *
 * Invariants: whatever is not in this grammar is an error that names its key; nothing is guessed. daysOfWeek and
 * dayOfMonth may stand beside any frequency, for a form sends all its fields: they are checked, and used by their own
 * frequency alone. jitter is for whoever makes the runs: it is checked here, and changes no run's time. Nothing in the
 * rule points into the configuration.
 */
#include "recurrence.h"

#define LARGEST_INTERVAL	1000
#define LARGEST_MAX_RUNS	100000
#define LARGEST_JITTER		3600

#define EXAMPLE \
	"Write {\"frequency\": \"weekly\", \"time\": \"09:00\", \"timezone\": \"America/New_York\", " \
	"\"daysOfWeek\": [1, 3, 5]}."
#define ZONE_HINT	"Write a full name such as \"America/New_York\" or \"UTC\"; the view pg_timezone_names lists them."

typedef enum Key
{
	KEY_FREQUENCY,
	KEY_TIME,
	KEY_TIMEZONE,
	KEY_DAYS_OF_WEEK,
	KEY_DAY_OF_MONTH,
	KEY_INTERVAL,
	KEY_START_DATE,
	KEY_END_DATE,
	KEY_ENDS_AT,
	KEY_MAX_RUNS,
	KEY_MONTH_END,
	KEY_DST_GAP,
	KEY_DST_OVERLAP,
	KEY_JITTER,
	KEY_COUNT
} Key;

typedef void (*KeyReader) (const ErMember *member, const char *name, ErRule *rule);

typedef struct KeyName
{
	const char *name;
	int			len;
	Key			key;
	KeyReader	read;
} KeyName;

/* A key that was given: how it was spelled, and its value. */
typedef struct GivenKey
{
	const char *name;
	ErMember	member;
} GivenKey;

static void read_member(const ErMember *member, GivenKey *given, ErRule *rule);
static void read_frequency(const ErMember *member, const char *name, ErRule *rule);
static void read_time(const ErMember *member, const char *name, ErRule *rule);
static void read_timezone(const ErMember *member, const char *name, ErRule *rule);
static bool is_plausible_zone(const char *name, int len);
static void read_days_of_week(const ErMember *member, const char *name, ErRule *rule);
static void read_day_of_month(const ErMember *member, const char *name, ErRule *rule);
static void read_interval(const ErMember *member, const char *name, ErRule *rule);
static void read_start_date(const ErMember *member, const char *name, ErRule *rule);
static void read_end_date(const ErMember *member, const char *name, ErRule *rule);
static DateADT read_date(const ErMember *member, const char *name);
static void read_ends_at(const ErMember *member, const char *name, ErRule *rule);
static bool parse_instant(const char *text, int len, int64 *seconds);
static int	parse_time(const char *text, int len);
static void read_max_runs(const ErMember *member, const char *name, ErRule *rule);
static int	read_whole(const ErMember *member, const char *name, int least, int largest);
static void read_month_end(const ErMember *member, const char *name, ErRule *rule);
static void read_dst_gap(const ErMember *member, const char *name, ErRule *rule);
static void read_dst_overlap(const ErMember *member, const char *name, ErRule *rule);
static void read_jitter(const ErMember *member, const char *name, ErRule *rule);
static int	read_word(const ErMember *member, const char *name, const char *const *words, const char *allowed);
static void check_keys(const GivenKey *given, const ErRule *rule);
static void demand(const GivenKey *given, Key key, const char *name, const char *detail);
static void refuse_once(const GivenKey *given, Key key);

#define KEY_NAME(name, key, read)	{name, sizeof(name) - 1, key, read}

static const KeyName key_names[] = {
	KEY_NAME("frequency", KEY_FREQUENCY, read_frequency),
	KEY_NAME("time", KEY_TIME, read_time),
	KEY_NAME("timezone", KEY_TIMEZONE, read_timezone),
	KEY_NAME("daysOfWeek", KEY_DAYS_OF_WEEK, read_days_of_week),
	KEY_NAME("days_of_week", KEY_DAYS_OF_WEEK, read_days_of_week),
	KEY_NAME("dayOfMonth", KEY_DAY_OF_MONTH, read_day_of_month),
	KEY_NAME("day_of_month", KEY_DAY_OF_MONTH, read_day_of_month),
	KEY_NAME("interval", KEY_INTERVAL, read_interval),
	KEY_NAME("startDate", KEY_START_DATE, read_start_date),
	KEY_NAME("start_date", KEY_START_DATE, read_start_date),
	KEY_NAME("endDate", KEY_END_DATE, read_end_date),
	KEY_NAME("end_date", KEY_END_DATE, read_end_date),
	KEY_NAME("endsAt", KEY_ENDS_AT, read_ends_at),
	KEY_NAME("ends_at", KEY_ENDS_AT, read_ends_at),
	KEY_NAME("maxRuns", KEY_MAX_RUNS, read_max_runs),
	KEY_NAME("max_runs", KEY_MAX_RUNS, read_max_runs),
	KEY_NAME("monthEnd", KEY_MONTH_END, read_month_end),
	KEY_NAME("month_end", KEY_MONTH_END, read_month_end),
	KEY_NAME("dstGap", KEY_DST_GAP, read_dst_gap),
	KEY_NAME("dst_gap", KEY_DST_GAP, read_dst_gap),
	KEY_NAME("dstOverlap", KEY_DST_OVERLAP, read_dst_overlap),
	KEY_NAME("dst_overlap", KEY_DST_OVERLAP, read_dst_overlap),
	KEY_NAME("jitter", KEY_JITTER, read_jitter),
};

void
er_rule_read(const char *root, ErRule *rule)
{
	ErMembers	members;
	ErMember	member;
	GivenKey	given[KEY_COUNT] = {0};

	if (!er_members_open(&members, root))
	{
		er_fault(NULL, ERRCODE_INVALID_PARAMETER_VALUE, "$",
				 psprintf("schedule must be a JSON object, not %s", er_root_describe(root)),
				 "A schedule is a JSON object with frequency, time and timezone.", EXAMPLE);
		return;
	}

	memset(rule, 0, sizeof(*rule));
	rule->interval = 1;
	rule->first = date2j(1, 1, 1) - POSTGRES_EPOCH_JDATE;
	rule->last = date2j(9999, 12, 31) - POSTGRES_EPOCH_JDATE;
	rule->ends_at = PG_INT64_MAX;
	rule->clamp_month_end = true;
	rule->shift_gap = true;

	while (er_members_next(&members, &member))
		read_member(&member, given, rule);
	check_keys(given, rule);
}

static void
read_member(const ErMember *member, GivenKey *given, ErRule *rule)
{
	for (int i = 0; i < lengthof(key_names); i++)
	{
		const KeyName *known = &key_names[i];
		GivenKey   *seen = &given[known->key];

		if (!er_bytes_are(member->key, member->key_len, known->name, known->len))
			continue;
		if (seen->name != NULL &&
			(seen->member.kind != member->kind || seen->member.len != member->len ||
			 memcmp(seen->member.data, member->data, member->len) != 0))
			er_fault(NULL, ERRCODE_INVALID_PARAMETER_VALUE, known->name,
					 psprintf("schedule has both \"%s\" %s and \"%s\" %s",
							  seen->name, er_member_describe(&seen->member), known->name, er_member_describe(member)),
					 "Two spellings of one key must agree.", "Keep one of the two keys.");
		seen->name = known->name;
		seen->member = *member;
		known->read(member, known->name, rule);
		return;
	}

	er_fault(NULL, ERRCODE_INVALID_PARAMETER_VALUE, "$",
			 psprintf("schedule has the unknown key \"%s\"", er_member_name(member)),
			 "Known keys are frequency, time, timezone, daysOfWeek, dayOfMonth, interval, startDate, endDate, endsAt, "
			 "maxRuns, monthEnd, dstGap, dstOverlap and jitter, or the same in snake_case.",
			 "Remove the key, or correct its spelling.");
}

static void
read_frequency(const ErMember *member, const char *name, ErRule *rule)
{
	static const char *const words[] = {"once", "daily", "weekly", "monthly", NULL};

	rule->frequency = ER_FREQUENCY_ONCE +
		read_word(member, name, words, "Allowed are \"once\", \"daily\", \"weekly\" and \"monthly\".");
}

static void
read_time(const ErMember *member, const char *name, ErRule *rule)
{
	rule->time = member->kind == JENTRY_ISSTRING ? parse_time(member->data, member->len) : -1;
	if (rule->time < 0)
		er_fault(NULL, ERRCODE_INVALID_PARAMETER_VALUE, name,
				 psprintf("schedule \"%s\" must be a time as HH:MM or HH:MM:SS, not %s",
						  name, er_member_describe(member)),
				 "Allowed are the times from 00:00 to 23:59:59, with two digits each.",
				 "Write the time like \"09:00\"; midnight is \"00:00\".");
}

/*
 * Only names of the IANA database that say a place: an abbreviation such as EST has no summer time, and in a POSIX
 * specification such as UTC+3 the sign means the opposite of what people take it for. pg_tzset() knows both, and
 * keeps whatever it was asked for until the session ends; so names that cannot be zones do not get there.
 */
static void
read_timezone(const ErMember *member, const char *name, ErRule *rule)
{
	char		zone[TZ_STRLEN_MAX + 1];
	const char *spelled;

	if (member->kind != JENTRY_ISSTRING || !is_plausible_zone(member->data, member->len))
		er_fault(NULL, ERRCODE_INVALID_PARAMETER_VALUE, name,
				 psprintf("schedule \"%s\" must be the full name of a time zone, not %s",
						  name, er_member_describe(member)),
				 "Abbreviations, offsets and names without a place are not allowed, for they have no rules of summer time.",
				 ZONE_HINT);

	memcpy(zone, member->data, member->len);
	zone[member->len] = '\0';
	rule->zone = pg_tzset(zone);
	if (rule->zone == NULL || !pg_tz_acceptable(rule->zone))
		er_fault(NULL, ERRCODE_INVALID_PARAMETER_VALUE, name,
				 psprintf("schedule \"%s\" is no known time zone: \"%s\"", name, er_clip(zone, member->len)),
				 "The name is not in this server's time zone database.", ZONE_HINT);
	/* a POSIX specification comes back in capitals, a zone as its file is spelled */
	spelled = pg_get_timezone_name(rule->zone);
	if (strcmp(spelled, zone) != 0)
		er_fault(NULL, ERRCODE_INVALID_PARAMETER_VALUE, name,
				 psprintf("schedule \"%s\" is no known time zone: \"%s\"", name, er_clip(zone, member->len)),
				 pg_strcasecmp(spelled, zone) == 0 && strpbrk(spelled, "abcdefghijklmnopqrstuvwxyz") != NULL
				 ? psprintf("The zone is spelled \"%s\".", spelled)
				 : "The name is not in this server's time zone database.",
				 ZONE_HINT);
}

/* "UTC", or Area/Place in letters, "_" and "-"; digits only in "Etc/GMT+5" and its like. */
static bool
is_plausible_zone(const char *name, int len)
{
	bool		slash = false;
	bool		small = false;
	bool		etc = len > 7 && memcmp(name, "Etc/GMT", 7) == 0;

	if (er_bytes_are(name, len, "UTC", 3))
		return true;
	if (len > TZ_STRLEN_MAX ||
		(len > 6 && (memcmp(name, "posix/", 6) == 0 || memcmp(name, "right/", 6) == 0)))
		return false;
	for (int i = 0; i < len; i++)
	{
		char		c = name[i];

		if (c == '/')
			slash = true;
		else if (c >= 'a' && c <= 'z')
			small = true;
		else if (!(c >= 'A' && c <= 'Z') && c != '_' && c != '-' && !(etc && (c == '+' || (c >= '0' && c <= '9'))))
			return false;
	}
	return slash && small;
}

static void
read_days_of_week(const ErMember *member, const char *name, ErRule *rule)
{
	ErMembers	elements;
	ErMember	element;
	int			number = 0;

	if (!er_elements_open(&elements, member) || elements.count == 0)
		er_fault(NULL, ERRCODE_INVALID_PARAMETER_VALUE, name,
				 psprintf("schedule \"%s\" must be a list of weekdays, not %s", name,
						  member->kind == JENTRY_ISCONTAINER && (er_load32(member->data) & JB_FARRAY)
						  ? "an empty one" : er_member_describe(member)),
				 "Weekdays are 1 (Monday) to 7 (Sunday); 0 is Sunday, too.", EXAMPLE);

	rule->weekdays = 0;
	while (er_elements_next(&elements, &element))
	{
		int64		day;

		if (er_member_whole(&element, &day) != ER_WHOLE_OK || day < 0 || day > 7)
			er_fault(NULL, ERRCODE_INVALID_PARAMETER_VALUE, name,
					 psprintf("schedule \"%s[%d]\" must be a weekday from 0 to 7, not %s",
							  name, number, er_member_describe(&element)),
					 "Weekdays are 1 (Monday) to 7 (Sunday); 0 is Sunday, too.", EXAMPLE);
		rule->weekdays |= 1 << (day + 6) % 7;
		number++;
	}
}

static void
read_day_of_month(const ErMember *member, const char *name, ErRule *rule)
{
	int64		day;

	if (er_member_whole(member, &day) != ER_WHOLE_OK || day < -31 || day > 31 || day == 0)
		er_fault(NULL, ERRCODE_INVALID_PARAMETER_VALUE, name,
				 psprintf("schedule \"%s\" must be a day of the month, not %s", name, er_member_describe(member)),
				 "Allowed are the whole numbers 1 to 31, and -1 (the last day) to -31 counted from the end.",
				 "Write -1 for the last day of each month.");
	rule->day_of_month = day;
}

static void
read_interval(const ErMember *member, const char *name, ErRule *rule)
{
	rule->interval = read_whole(member, name, 1, LARGEST_INTERVAL);
}

static void
read_start_date(const ErMember *member, const char *name, ErRule *rule)
{
	rule->first = read_date(member, name);
}

static void
read_end_date(const ErMember *member, const char *name, ErRule *rule)
{
	rule->last = read_date(member, name);
}

static DateADT
read_date(const ErMember *member, const char *name)
{
	DateADT		date = 0;
	int			sqlstate = ERRCODE_INVALID_PARAMETER_VALUE;

	if (member->kind != JENTRY_ISSTRING || !er_parse_iso_date(member->data, member->len, &date, &sqlstate))
		er_fault(NULL, sqlstate, name,
				 sqlstate == ERRCODE_DATETIME_FIELD_OVERFLOW
				 ? psprintf("schedule \"%s\" is a day that does not exist: %s", name, er_member_describe(member))
				 : psprintf("schedule \"%s\" must be a date as YYYY-MM-DD, not %s", name, er_member_describe(member)),
				 "Allowed are the days from 0001-01-01 to 9999-12-31, written YYYY-MM-DD.",
				 "Write the date like \"2025-01-31\".");
	return date;
}

static void
read_ends_at(const ErMember *member, const char *name, ErRule *rule)
{
	if (member->kind != JENTRY_ISSTRING || !parse_instant(member->data, member->len, &rule->ends_at))
		er_fault(NULL, ERRCODE_INVALID_PARAMETER_VALUE, name,
				 psprintf("schedule \"%s\" must be an instant with its offset, not %s",
						  name, er_member_describe(member)),
				 "Allowed is ISO 8601: YYYY-MM-DDTHH:MM[:SS[.ffffff]] followed by Z or an offset as +HH:MM.",
				 "Write it like \"2025-12-31T12:00:00Z\"; for the end of a local day use endDate.");
}

/* A fraction of a second is dropped: runs stand on whole seconds. */
static bool
parse_instant(const char *text, int len, int64 *seconds)
{
	DateADT		date;
	int			ignored;
	int			time;
	int			time_len = 5;
	int			at;
	int			offset = 0;

	if (len < 17 || !er_parse_iso_date(text, 10, &date, &ignored) || (text[10] != 'T' && text[10] != ' '))
		return false;
	if (len > 19 && text[16] == ':')
		time_len = 8;
	time = parse_time(text + 11, time_len);
	if (time < 0)
		return false;
	at = 11 + time_len;
	if (time_len == 8 && text[at] == '.')
	{
		int			digits = 0;

		for (at++; at < len && text[at] >= '0' && text[at] <= '9'; at++)
			digits++;
		if (digits < 1 || digits > 6)
			return false;
	}
	if (at < len && text[at] == 'Z')
	{
		if (at + 1 != len)
			return false;
	}
	else
	{
		if (at + 6 != len || (text[at] != '+' && text[at] != '-'))
			return false;
		offset = parse_time(text + at + 1, 5);
		if (offset < 0)
			return false;
		if (text[at] == '-')
			offset = -offset;
	}
	*seconds = ((int64) date - ER_UNIX_EPOCH_DATE) * SECS_PER_DAY + time - offset;
	return true;
}

/* HH:MM or HH:MM:SS as seconds, negative when it is neither. */
static int
parse_time(const char *text, int len)
{
	int			hour;
	int			minute;
	int			second = 0;

	if ((len != 5 && len != 8) || text[2] != ':' || (len == 8 && text[5] != ':'))
		return -1;
	hour = er_decimal(text, 2);
	minute = er_decimal(text + 3, 2);
	if (len == 8)
		second = er_decimal(text + 6, 2);
	if ((hour | minute | second) < 0 || hour > 23 || minute > 59 || second > 59)
		return -1;
	return (hour * MINS_PER_HOUR + minute) * SECS_PER_MINUTE + second;
}

static void
read_max_runs(const ErMember *member, const char *name, ErRule *rule)
{
	rule->max_runs = read_whole(member, name, 1, LARGEST_MAX_RUNS);
}

static int
read_whole(const ErMember *member, const char *name, int least, int largest)
{
	int64		number;

	if (er_member_whole(member, &number) != ER_WHOLE_OK || number < least || number > largest)
		er_fault(NULL, ERRCODE_INVALID_PARAMETER_VALUE, name,
				 psprintf("schedule \"%s\" must be a whole number from %d to %d, not %s",
						  name, least, largest, er_member_describe(member)),
				 psprintf("Allowed are the whole numbers from %d to %d, as JSON numbers.", least, largest),
				 "Leave the key out when it is not needed.");
	return (int) number;
}

static void
read_month_end(const ErMember *member, const char *name, ErRule *rule)
{
	static const char *const words[] = {"clamp", "skip", NULL};

	rule->clamp_month_end = read_word(member, name, words,
									  "Allowed are \"clamp\" (the nearest day that the month has) and \"skip\" (no run in that month).") == 0;
}

static void
read_dst_gap(const ErMember *member, const char *name, ErRule *rule)
{
	static const char *const words[] = {"shift", "skip", NULL};

	rule->shift_gap = read_word(member, name, words,
								"Allowed are \"shift\" (later by the length of the gap) and \"skip\" (no run on that day).") == 0;
}

static void
read_dst_overlap(const ErMember *member, const char *name, ErRule *rule)
{
	static const char *const words[] = {"first", "second", "both", NULL};

	rule->overlap = ER_OVERLAP_FIRST +
		read_word(member, name, words,
				  "Allowed are \"first\", \"second\" and \"both\": which of the two equal local times runs.");
}

static void
read_jitter(const ErMember *member, const char *name, ErRule *rule)
{
	(void) read_whole(member, name, 0, LARGEST_JITTER);
}

/* Which of the words it is. */
static int
read_word(const ErMember *member, const char *name, const char *const *words, const char *allowed)
{
	if (member->kind == JENTRY_ISSTRING)
	{
		for (int i = 0; words[i] != NULL; i++)
		{
			if (er_bytes_are(member->data, member->len, words[i], strlen(words[i])))
				return i;
		}
	}
	er_fault(NULL, ERRCODE_INVALID_PARAMETER_VALUE, name,
			 psprintf("schedule \"%s\" is unknown: %s", name, er_member_describe(member)), allowed, EXAMPLE);
	return 0;
}

static void
check_keys(const GivenKey *given, const ErRule *rule)
{
	demand(given, KEY_FREQUENCY, "frequency", "Allowed are \"once\", \"daily\", \"weekly\" and \"monthly\".");
	demand(given, KEY_TIME, "time", "A schedule runs at a local time, HH:MM or HH:MM:SS.");
	demand(given, KEY_TIMEZONE, "timezone", "A local time means nothing without its zone.");

	if (rule->frequency == ER_FREQUENCY_ONCE)
	{
		demand(given, KEY_START_DATE, "startDate", "It is the day of the run.");
		refuse_once(given, KEY_INTERVAL);
		refuse_once(given, KEY_END_DATE);
		refuse_once(given, KEY_ENDS_AT);
		refuse_once(given, KEY_MAX_RUNS);
	}
	if (rule->frequency == ER_FREQUENCY_WEEKLY)
		demand(given, KEY_DAYS_OF_WEEK, "daysOfWeek", "Weekdays are 1 (Monday) to 7 (Sunday); 0 is Sunday, too.");
	if (rule->frequency == ER_FREQUENCY_MONTHLY)
		demand(given, KEY_DAY_OF_MONTH, "dayOfMonth", "Days are 1 to 31, or -1 (the last day) to -31 from the end.");
	if (rule->interval > 1)
		demand(given, KEY_START_DATE, "startDate", "An interval is counted from a day.");
	if (rule->max_runs > 0)
		demand(given, KEY_START_DATE, "startDate", "Runs are counted from a day.");

	if (given[KEY_START_DATE].name != NULL && given[KEY_END_DATE].name != NULL && rule->first > rule->last)
		er_fault(NULL, ERRCODE_INVALID_PARAMETER_VALUE, given[KEY_START_DATE].name,
				 psprintf("schedule \"%s\" %s is after \"%s\" %s",
						  given[KEY_START_DATE].name, er_date_text(rule->first),
						  given[KEY_END_DATE].name, er_date_text(rule->last)),
				 "A run may fall on either of the two days.", "Exchange the two dates.");
}

static void
demand(const GivenKey *given, Key key, const char *name, const char *detail)
{
	if (given[key].name == NULL)
		er_fault(NULL, ERRCODE_INVALID_PARAMETER_VALUE, name, psprintf("schedule has no \"%s\"", name), detail,
				 key == KEY_START_DATE ? "Write \"startDate\": \"2025-01-31\"." : EXAMPLE);
}

static void
refuse_once(const GivenKey *given, Key key)
{
	if (given[key].name != NULL)
		er_fault(NULL, ERRCODE_INVALID_PARAMETER_VALUE, given[key].name,
				 psprintf("schedule \"%s\" does not belong to frequency \"once\"", given[key].name),
				 "A single run has time, timezone and startDate.", "Remove the key, or choose another frequency.");
}
