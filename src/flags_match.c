/*
 * flags_match.c
 *		Constraints against a context, with Unleash's operators and rules.
 *
 * A field that is absent or that the operator cannot read makes the constraint false; "inverted" turns that round, as
 * Unleash does. Nothing in here raises an error: contexts come from anywhere. Numbers are compared as double precision,
 * like every SDK does.
 */
#include "flags_rules.h"

#include <math.h>
#include <sys/socket.h>

#include "access/xact.h"
#include "catalog/pg_collation.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/formatting.h"
#include "utils/inet.h"
#include "utils/timestamp.h"

#define SHORT_TEXT	256

static bool compare(const ErFlagConstraint *constraint, ErFlagText value, bool present);
static bool is_in(const ErFlagConstraint *constraint, ErFlagText value);
static bool string_matches(const ErFlagConstraint *constraint, ErFlagText value);
static bool contains(ErFlagText text, ErFlagText part);
static bool number_matches(ErFlagOperator operator, double value, double limit);
static bool regex_matches(pg_regex_t *regex, ErFlagText value);
static bool in_nets(const ErFlagConstraint *constraint, ErFlagText value);
static bool version_matches(ErFlagOperator operator, int order);
static int	compare_versions(const ErFlagVersion *a, const ErFlagVersion *b);
static int	compare_digits(ErFlagText a, ErFlagText b);
static int	compare_pre(ErFlagText a, ErFlagText b);
static bool next_identifier(ErFlagText *rest, ErFlagText *identifier);
static bool good_identifiers(ErFlagText text, bool numbers_strict);
static bool all_digits(ErFlagText text);
static int	fixed_digits(const char *p, const char *end, int n);

ErFlagAnswer
er_flag_matches(const ErFlagConstraint *constraint, const ErFlagContext *context)
{
	ErFlagText	value = {NULL, 0};
	ErFlagAnswer present;

	if (constraint->operator == ER_FLAG_NEVER)
		return ER_FLAG_NO;
	present = er_flag_field(context, &constraint->field, &value);
	if (present == ER_FLAG_MAYBE)
		return ER_FLAG_MAYBE;
	return compare(constraint, value, present == ER_FLAG_YES) != constraint->inverted ? ER_FLAG_YES : ER_FLAG_NO;
}

static bool
compare(const ErFlagConstraint *constraint, ErFlagText value, bool present)
{
	double		number;
	TimestampTz time;
	ErFlagVersion version;

	switch (constraint->operator)
	{
		case ER_FLAG_IN:
			return present && is_in(constraint, value);
		case ER_FLAG_NOT_IN:
			return !present || !is_in(constraint, value);
		case ER_FLAG_STR_CONTAINS:
		case ER_FLAG_STR_STARTS_WITH:
		case ER_FLAG_STR_ENDS_WITH:
			return present && string_matches(constraint, value);
		case ER_FLAG_NUM_EQ:
		case ER_FLAG_NUM_GT:
		case ER_FLAG_NUM_GTE:
		case ER_FLAG_NUM_LT:
		case ER_FLAG_NUM_LTE:
			return present && er_flag_parse_number(value, &number) &&
				number_matches(constraint->operator, number, constraint->number);
		case ER_FLAG_DATE_AFTER:
		case ER_FLAG_DATE_BEFORE:
			if (!present && constraint->field.kind == ER_FIELD_TIME)
				time = GetCurrentStatementStartTimestamp();
			else if (!present || !er_flag_parse_time(value, &time))
				return false;
			return constraint->operator == ER_FLAG_DATE_AFTER ? time > constraint->time : time < constraint->time;
		case ER_FLAG_SEMVER_EQ:
		case ER_FLAG_SEMVER_GT:
		case ER_FLAG_SEMVER_GTE:
		case ER_FLAG_SEMVER_LT:
		case ER_FLAG_SEMVER_LTE:
			return present && er_flag_parse_version(value, &version) &&
				version_matches(constraint->operator, compare_versions(&version, &constraint->version));
		case ER_FLAG_REGEX:
			return present && regex_matches(constraint->regex, value);
		case ER_FLAG_CIDR:
			return present && in_nets(constraint, value);
		case ER_FLAG_NEVER:
			break;
	}
	return false;
}

static bool
is_in(const ErFlagConstraint *constraint, ErFlagText value)
{
	int			low = 0;
	int			high = constraint->nvalues - 1;

	while (low <= high)
	{
		int			middle = (low + high) / 2;
		int			order = er_flag_compare_text(&value, &constraint->values[middle]);

		if (order == 0)
			return true;
		if (order < 0)
			high = middle - 1;
		else
			low = middle + 1;
	}
	return false;
}

static bool
string_matches(const ErFlagConstraint *constraint, ErFlagText value)
{
	if (constraint->case_insensitive)
	{
		value.data = str_tolower(value.data, value.len, DEFAULT_COLLATION_OID);
		value.len = strlen(value.data);
	}
	for (int i = 0; i < constraint->nvalues; i++)
	{
		ErFlagText	part = constraint->values[i];

		if (part.len > value.len)
			continue;
		if (constraint->operator == ER_FLAG_STR_CONTAINS ? contains(value, part) :
			constraint->operator == ER_FLAG_STR_STARTS_WITH ? memcmp(value.data, part.data, part.len) == 0 :
			memcmp(value.data + value.len - part.len, part.data, part.len) == 0)
			return true;
	}
	return false;
}

static bool
contains(ErFlagText text, ErFlagText part)
{
	const char *last = text.data + text.len - part.len;

	if (part.len == 0)
		return true;
	for (const char *p = text.data; p <= last; p++)
	{
		p = memchr(p, part.data[0], last - p + 1);
		if (p == NULL)
			return false;
		if (memcmp(p, part.data, part.len) == 0)
			return true;
	}
	return false;
}

static bool
number_matches(ErFlagOperator operator, double value, double limit)
{
	switch (operator)
	{
		case ER_FLAG_NUM_EQ:
			return value == limit;
		case ER_FLAG_NUM_GT:
			return value > limit;
		case ER_FLAG_NUM_GTE:
			return value >= limit;
		case ER_FLAG_NUM_LT:
			return value < limit;
		default:
			return value <= limit;
	}
}

static bool
regex_matches(pg_regex_t *regex, ErFlagText value)
{
	pg_wchar	buffer[SHORT_TEXT + 1];
	pg_wchar   *wide = buffer;
	int			len;
	int			rc;

	if (value.len > SHORT_TEXT)
		wide = MemoryContextAllocHuge(CurrentMemoryContext, ((Size) value.len + 1) * sizeof(pg_wchar));
	len = pg_mb2wchar_with_len(value.data, wide, value.len);
	rc = pg_regexec(regex, wide, len, 0, NULL, 0, NULL, 0);
	if (wide != buffer)
		pfree(wide);
	if (rc != REG_OKAY && rc != REG_NOMATCH)
		CHECK_FOR_INTERRUPTS();
	return rc == REG_OKAY;
}

static bool
in_nets(const ErFlagConstraint *constraint, ErFlagText value)
{
	ErFlagNet	address;

	if (!er_flag_parse_net(value, &address))
		return false;
	for (int i = 0; i < constraint->nvalues; i++)
	{
		const ErFlagNet *net = &constraint->nets[i];
		int			whole = net->bits / 8;
		int			rest = net->bits % 8;

		if (net->bytes == address.bytes && address.bits >= net->bits &&
			memcmp(net->address, address.address, whole) == 0 &&
			(rest == 0 || ((net->address[whole] ^ address.address[whole]) >> (8 - rest)) == 0))
			return true;
	}
	return false;
}

/*
 * A finite decimal number, such as -12, 1.5 or 1e3, and nothing else.
 */
bool
er_flag_parse_number(ErFlagText text, double *number)
{
	char		buffer[SHORT_TEXT];
	const char *p = text.data;
	const char *end = p + text.len;
	int			digits = 0;

	if (text.len == 0 || text.len >= SHORT_TEXT)
		return false;
	if (*p == '-' || *p == '+')
		p++;
	for (; p < end && *p >= '0' && *p <= '9'; p++)
		digits++;
	if (p < end && *p == '.')
	{
		for (p++; p < end && *p >= '0' && *p <= '9'; p++)
			digits++;
	}
	if (digits == 0)
		return false;
	if (p < end && (*p == 'e' || *p == 'E'))
	{
		p++;
		if (p < end && (*p == '-' || *p == '+'))
			p++;
		if (p == end)
			return false;
		while (p < end && *p >= '0' && *p <= '9')
			p++;
		if (p[-1] < '0' || p[-1] > '9')
			return false;
	}
	if (p < end)
		return false;
	memcpy(buffer, text.data, text.len);
	buffer[text.len] = '\0';
	*number = strtod(buffer, NULL);
	return isfinite(*number);
}

/*
 * An instant of RFC 3339, such as 2026-01-31T09:00:00.5+02:00; seconds may be missing. A bare date is its first moment
 * in UTC.
 */
bool
er_flag_parse_time(ErFlagText text, TimestampTz *time)
{
	const char *p = text.data;
	const char *end = p + text.len;
	int			year,
				month,
				day;
	int64		micros = 0;

	if (text.len < 10 || p[4] != '-' || p[7] != '-')
		return false;
	year = fixed_digits(p, end, 4);
	month = fixed_digits(p + 5, end, 2);
	day = fixed_digits(p + 8, end, 2);
	if (year < 1 || month < 1 || month > MONTHS_PER_YEAR || day < 1 || day > day_tab[isleap(year)][month - 1])
		return false;
	p += 10;
	if (p < end)
	{
		int			hour,
					minute,
					second = 0,
					off_hour,
					off_minute;

		if (*p != 'T' && *p != 't' && *p != ' ')
			return false;
		hour = fixed_digits(p + 1, end, 2);
		minute = end - p > 3 && p[3] == ':' ? fixed_digits(p + 4, end, 2) : -1;
		if (hour < 0 || hour > 23 || minute < 0 || minute > 59)
			return false;
		p += 6;
		if (p < end && *p == ':')
		{
			second = fixed_digits(p + 1, end, 2);
			if (second < 0 || second > 60)
				return false;
			p += 3;
			if (p < end && *p == '.')
			{
				int64		unit = USECS_PER_SEC / 10;
				const char *start = ++p;

				for (; p < end && *p >= '0' && *p <= '9'; p++, unit /= 10)
					micros += (*p - '0') * unit;
				if (p == start)
					return false;
			}
		}
		micros += ((hour * 60 + minute) * INT64CONST(60) + second) * USECS_PER_SEC;
		if (p < end && (*p == '+' || *p == '-') && end - p == 6 && p[3] == ':')
		{
			off_hour = fixed_digits(p + 1, end, 2);
			off_minute = fixed_digits(p + 4, end, 2);
			if (off_hour < 0 || off_hour > 23 || off_minute < 0 || off_minute > 59)
				return false;
			micros -= (*p == '+' ? 1 : -1) * (off_hour * 60 + off_minute) * INT64CONST(60) * USECS_PER_SEC;
		}
		else if (p == end || (*p != 'Z' && *p != 'z') || p + 1 != end)
			return false;
	}
	*time = (int64) (date2j(year, month, day) - POSTGRES_EPOCH_JDATE) * USECS_PER_DAY + micros;
	return true;
}

static int
fixed_digits(const char *p, const char *end, int n)
{
	int			value = 0;

	if (end - p < n)
		return -1;
	for (int i = 0; i < n; i++)
	{
		if (p[i] < '0' || p[i] > '9')
			return -1;
		value = value * 10 + (p[i] - '0');
	}
	return value;
}

/*
 * Semantic Versioning 2.0.0: three numbers without leading zeros, then -identifiers and +build.
 */
bool
er_flag_parse_version(ErFlagText text, ErFlagVersion *version)
{
	const char *p = text.data;
	const char *end = p + text.len;

	version->pre.data = NULL;
	version->pre.len = 0;
	for (int i = 0; i < 3; i++)
	{
		const char *start = p;

		while (p < end && *p >= '0' && *p <= '9')
			p++;
		version->part[i].data = start;
		version->part[i].len = p - start;
		if (p == start || (*start == '0' && p - start > 1))
			return false;
		if (i < 2 && (p == end || *p++ != '.'))
			return false;
	}
	if (p < end && *p == '-')
	{
		version->pre.data = ++p;
		while (p < end && *p != '+')
			p++;
		version->pre.len = p - version->pre.data;
		if (!good_identifiers(version->pre, true))
			return false;
	}
	if (p < end && *p == '+')
	{
		ErFlagText	build = {p + 1, end - p - 1};

		return good_identifiers(build, false);
	}
	return p == end;
}

static bool
good_identifiers(ErFlagText text, bool numbers_strict)
{
	ErFlagText	identifier;

	if (text.len == 0 || text.data[text.len - 1] == '.')
		return false;
	while (next_identifier(&text, &identifier))
	{
		if (identifier.len == 0 ||
			(numbers_strict && identifier.len > 1 && identifier.data[0] == '0' && all_digits(identifier)))
			return false;
		for (int i = 0; i < identifier.len; i++)
		{
			char		c = identifier.data[i];

			if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-'))
				return false;
		}
	}
	return true;
}

static bool
next_identifier(ErFlagText *rest, ErFlagText *identifier)
{
	const char *dot;

	if (rest->len <= 0)
		return false;
	dot = memchr(rest->data, '.', rest->len);
	identifier->data = rest->data;
	identifier->len = dot == NULL ? rest->len : dot - rest->data;
	rest->data += identifier->len + 1;
	rest->len -= identifier->len + 1;
	return true;
}

static bool
all_digits(ErFlagText text)
{
	for (int i = 0; i < text.len; i++)
	{
		if (text.data[i] < '0' || text.data[i] > '9')
			return false;
	}
	return true;
}

static bool
version_matches(ErFlagOperator operator, int order)
{
	switch (operator)
	{
		case ER_FLAG_SEMVER_EQ:
			return order == 0;
		case ER_FLAG_SEMVER_GT:
			return order > 0;
		case ER_FLAG_SEMVER_GTE:
			return order >= 0;
		case ER_FLAG_SEMVER_LT:
			return order < 0;
		default:
			return order <= 0;
	}
}

static int
compare_versions(const ErFlagVersion *a, const ErFlagVersion *b)
{
	for (int i = 0; i < 3; i++)
	{
		int			order = compare_digits(a->part[i], b->part[i]);

		if (order != 0)
			return order;
	}
	if (a->pre.data == NULL || b->pre.data == NULL)
		return (a->pre.data == NULL) - (b->pre.data == NULL);
	return compare_pre(a->pre, b->pre);
}

static int
compare_digits(ErFlagText a, ErFlagText b)
{
	return a.len != b.len ? a.len - b.len : memcmp(a.data, b.data, a.len);
}

/* Identifier by identifier; numbers before words, the shorter list first. */
static int
compare_pre(ErFlagText a, ErFlagText b)
{
	ErFlagText	x,
				y;

	for (;;)
	{
		bool		more_a = next_identifier(&a, &x);
		bool		more_b = next_identifier(&b, &y);
		bool		number_a,
					number_b;
		int			order;

		if (!more_a || !more_b)
			return more_a - more_b;
		number_a = all_digits(x);
		number_b = all_digits(y);
		if (number_a != number_b)
			return number_b - number_a;
		if (number_a)
			order = compare_digits(x, y);
		else
		{
			order = memcmp(x.data, y.data, Min(x.len, y.len));
			if (order == 0)
				order = x.len - y.len;
		}
		if (order != 0)
			return order;
	}
}

/*
 * An address or a network of IPv4 or IPv6: 10.0.0.0/8, 2001:db8::1.
 */
bool
er_flag_parse_net(ErFlagText text, ErFlagNet *net)
{
	char		buffer[64];
	uint8		bytes[16];
	bool		v6;

	if (text.len == 0 || text.len >= sizeof(buffer))
		return false;
	memcpy(buffer, text.data, text.len);
	buffer[text.len] = '\0';
	v6 = strchr(buffer, ':') != NULL;
	memset(bytes, 0, sizeof(bytes));
	net->bits = pg_inet_net_pton(v6 ? PGSQL_AF_INET6 : PGSQL_AF_INET, buffer, bytes, -1);
	if (net->bits < 0)
		return false;
	net->bytes = v6 ? 16 : 4;
	memcpy(net->address, bytes, 16);
	return true;
}
