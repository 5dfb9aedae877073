/*
 * json_schema_format.c
 *		The formats that are checked when format is an assertion. Each rule follows its RFC; all of them look at
 *		bytes, since every legal text is ASCII.
 */
#include "postgres.h"

#include "json_schema.h"

static bool check_date(const char *s, uint32 len);
static bool check_time(const char *s, uint32 len);
static bool check_date_time(const char *s, uint32 len);
static bool check_duration(const char *s, uint32 len);
static bool check_email(const char *s, uint32 len);
static bool check_uuid(const char *s, uint32 len);
static bool check_uri(const char *s, uint32 len);
static bool check_ipv4(const char *s, uint32 len);
static bool check_ipv6(const char *s, uint32 len);
static bool check_json_pointer(const char *s, uint32 len);

static const ErJsFormat formats[] = {
	{"date", check_date},
	{"time", check_time},
	{"date-time", check_date_time},
	{"duration", check_duration},
	{"email", check_email},
	{"uuid", check_uuid},
	{"uri", check_uri},
	{"ipv4", check_ipv4},
	{"ipv6", check_ipv6},
	{"regex", er_js_is_regex},
	{"json-pointer", check_json_pointer}
};

/* The rule of a format, NULL when we know none: an unknown format checks nothing, as the specification says. */
const ErJsFormat *
er_js_format(const char *name, uint32 len)
{
	for (int i = 0; i < lengthof(formats); i++)
		if (strlen(formats[i].name) == len && memcmp(formats[i].name, name, len) == 0)
			return &formats[i];
	return NULL;
}

static inline bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool
is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline bool
is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Exactly n digits at s, or -1. */
static int
digits(const char *s, int n)
{
	int			value = 0;

	for (int i = 0; i < n; i++)
	{
		if (!is_digit(s[i]))
			return -1;
		value = value * 10 + (s[i] - '0');
	}
	return value;
}

/* RFC 3339, full-date */
static bool
check_date(const char *s, uint32 len)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int			year,
				month,
				day,
				last;

	if (len != 10 || s[4] != '-' || s[7] != '-')
		return false;
	year = digits(s, 4);
	month = digits(s + 5, 2);
	day = digits(s + 8, 2);
	if (year < 0 || month < 1 || month > 12 || day < 1)
		return false;
	last = days[month - 1];
	if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
		last = 29;
	return day <= last;
}

/* RFC 3339, full-time: a leap second only where it is 23:59:60 in UTC */
static bool
check_time(const char *s, uint32 len)
{
	int			hour,
				minute,
				second,
				offset = 0;
	uint32		i = 8;

	if (len < 9 || s[2] != ':' || s[5] != ':')
		return false;
	hour = digits(s, 2);
	minute = digits(s + 3, 2);
	second = digits(s + 6, 2);
	if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60)
		return false;
	if (s[i] == '.')
	{
		uint32		start = ++i;

		while (i < len && is_digit(s[i]))
			i++;
		if (i == start)
			return false;
	}
	if (i >= len)
		return false;
	if (s[i] == 'Z' || s[i] == 'z')
		i++;
	else if (s[i] == '+' || s[i] == '-')
	{
		int			off_hour,
					off_minute;

		if (len - i != 6 || s[i + 3] != ':')
			return false;
		off_hour = digits(s + i + 1, 2);
		off_minute = digits(s + i + 4, 2);
		if (off_hour < 0 || off_hour > 23 || off_minute < 0 || off_minute > 59)
			return false;
		offset = (off_hour * 60 + off_minute) * (s[i] == '+' ? 1 : -1);
		i += 6;
	}
	else
		return false;
	if (i != len)
		return false;
	return second < 60 || (hour * 60 + minute - offset + 2880) % 1440 == 1439;
}

/* RFC 3339, date-time */
static bool
check_date_time(const char *s, uint32 len)
{
	return len > 11 && (s[10] == 'T' || s[10] == 't') && check_date(s, 10) && check_time(s + 11, len - 11);
}

/*
 * RFC 3339, appendix A: units in descending order without a gap, or weeks alone.
 */
static bool
check_duration(const char *s, uint32 len)
{
	static const char date_units[] = "YMD";
	static const char time_units[] = "HMS";
	const char *units = date_units;
	const char *unit = NULL;
	uint32		i = 1;

	if (len < 3 || s[0] != 'P')
		return false;
	while (i < len)
	{
		uint32		start;
		const char *found;

		if (s[i] == 'T')
		{
			if (units == time_units)
				return false;
			units = time_units;
			unit = NULL;
			if (++i == len)
				return false;
			continue;
		}
		start = i;
		while (i < len && is_digit(s[i]))
			i++;
		if (i == start || i == len)
			return false;
		if (s[i] == 'W')
			return start == 1 && i == len - 1;
		found = strchr(units, s[i]);
		if (s[i] == '\0' || found == NULL || (unit != NULL && found != unit + 1))
			return false;
		unit = found;
		i++;
	}
	return true;
}

static bool
check_ipv4(const char *s, uint32 len)
{
	uint32		i = 0;

	for (int part = 0; part < 4; part++)
	{
		int			value = 0;
		uint32		start;

		if (part > 0 && (i >= len || s[i++] != '.'))
			return false;
		start = i;
		while (i < len && is_digit(s[i]) && i - start < 3)
			value = value * 10 + (s[i++] - '0');
		if (i == start || value > 255 || (i - start > 1 && s[start] == '0'))
			return false;
	}
	return i == len;
}

/* RFC 4291, section 2.2: eight groups, one run of them as "::", the last two also as an IPv4 address */
static bool
check_ipv6(const char *s, uint32 len)
{
	int			groups = 0;
	bool		gap = false;
	uint32		i = 0;

	if (len >= 2 && s[0] == ':' && s[1] == ':')
	{
		gap = true;
		i = 2;
		if (i == len)
			return true;
	}
	for (;;)
	{
		uint32		start = i;

		while (i < len && is_hex(s[i]) && i - start < 4)
			i++;
		if (i == start)
			return false;
		if (i < len && s[i] == '.')
		{
			groups += 2;
			return check_ipv4(s + start, len - start) && (gap ? groups <= 7 : groups == 8);
		}
		groups++;
		if (i == len)
			break;
		if (s[i++] != ':')
			return false;
		if (i < len && s[i] == ':')
		{
			if (gap)
				return false;
			gap = true;
			if (++i == len)
				break;
		}
		else if (i == len)
			return false;
		if (groups > 8)
			return false;
	}
	return gap ? groups <= 7 : groups == 8;
}

/* A host name of RFC 5321: labels of letters, digits and inner hyphens */
static bool
check_domain(const char *s, uint32 len)
{
	uint32		start = 0;

	if (len == 0 || len > 255)
		return false;
	for (uint32 i = 0; i <= len; i++)
	{
		if (i == len || s[i] == '.')
		{
			if (i == start || i - start > 63 || s[start] == '-' || s[i - 1] == '-')
				return false;
			start = i + 1;
		}
		else if (!is_alpha(s[i]) && !is_digit(s[i]) && s[i] != '-')
			return false;
	}
	return true;
}

/* RFC 5321, Mailbox: local part as atoms or quoted, then a domain or an address literal */
static bool
check_email(const char *s, uint32 len)
{
	uint32		i = 0;

	if (len > 0 && s[0] == '"')
	{
		for (i = 1; i < len && s[i] != '"'; i++)
		{
			if (s[i] == '\\' && ++i >= len)
				return false;
			if (s[i] < ' ' || s[i] > '~')
				return false;
		}
		if (i++ >= len)
			return false;
	}
	else
	{
		bool		dot = true;

		for (; i < len && s[i] != '@'; i++)
		{
			if (s[i] == '.')
			{
				if (dot)
					return false;
				dot = true;
				continue;
			}
			if (!is_alpha(s[i]) && !is_digit(s[i]) && (s[i] == '\0' || strchr("!#$%&'*+-/=?^_`{|}~", s[i]) == NULL))
				return false;
			dot = false;
		}
		if (dot)
			return false;
	}
	if (i > 64 || i >= len || s[i++] != '@')
		return false;
	s += i;
	len -= i;
	if (len > 2 && s[0] == '[' && s[len - 1] == ']')
	{
		if (len > 7 && pg_strncasecmp(s, "[IPv6:", 6) == 0)
			return check_ipv6(s + 6, len - 7);
		return check_ipv4(s + 1, len - 2);
	}
	return check_domain(s, len);
}

/* RFC 4122: 8-4-4-4-12 hexadecimal digits */
static bool
check_uuid(const char *s, uint32 len)
{
	if (len != 36)
		return false;
	for (uint32 i = 0; i < len; i++)
	{
		bool		hyphen = i == 8 || i == 13 || i == 18 || i == 23;

		if (hyphen ? s[i] != '-' : !is_hex(s[i]))
			return false;
	}
	return true;
}

/* Characters of RFC 3986 in [s, end): unreserved, sub-delims, those in extra, and percent escapes */
static bool
uri_chars(const char *s, const char *end, const char *extra)
{
	for (; s < end; s++)
	{
		if (*s == '%')
		{
			if (end - s < 3 || !is_hex(s[1]) || !is_hex(s[2]))
				return false;
			s += 2;
		}
		else if (!is_alpha(*s) && !is_digit(*s) &&
				 (*s == '\0' || (strchr("-._~!$&'()*+,;=", *s) == NULL && strchr(extra, *s) == NULL)))
			return false;
	}
	return true;
}

/* authority = [ userinfo "@" ] host [ ":" port ] */
static bool
uri_authority(const char *s, const char *end)
{
	const char *at = memchr(s, '@', end - s);
	const char *host_end = end;

	if (at != NULL)
	{
		if (!uri_chars(s, at, ":"))
			return false;
		s = at + 1;
	}
	while (host_end > s && is_digit(host_end[-1]))
		host_end--;
	if (host_end > s && host_end[-1] == ':')
		host_end--;
	else
		host_end = end;
	if (s < host_end && *s == '[')
	{
		if (host_end[-1] != ']' || host_end - s < 3)
			return false;
		if (s[1] == 'v' || s[1] == 'V')
		{
			const char *dot = memchr(s, '.', host_end - s);

			if (dot == NULL || dot - s < 3 || host_end - dot < 3)
				return false;
			for (const char *p = s + 2; p < dot; p++)
				if (!is_hex(*p))
					return false;
			return memchr(dot, '%', host_end - dot) == NULL && uri_chars(dot + 1, host_end - 1, ":");
		}
		return check_ipv6(s + 1, host_end - s - 2);
	}
	return uri_chars(s, host_end, "");
}

/* RFC 3986, URI: a scheme is required */
static bool
check_uri(const char *s, uint32 len)
{
	const char *end = s + len;
	const char *p = s;
	const char *path_end;
	const char *hash = memchr(s, '#', len);
	const char *query;

	if (len == 0 || !is_alpha(*p))
		return false;
	while (p < end && (is_alpha(*p) || is_digit(*p) || *p == '+' || *p == '-' || *p == '.'))
		p++;
	if (p == end || *p++ != ':')
		return false;
	if (hash != NULL)
	{
		if (!uri_chars(hash + 1, end, ":@/?"))
			return false;
		end = hash;
	}
	query = p <= end ? memchr(p, '?', end - p) : NULL;
	path_end = end;
	if (query != NULL)
	{
		if (!uri_chars(query + 1, end, ":@/?"))
			return false;
		path_end = query;
	}
	if (path_end - p >= 2 && p[0] == '/' && p[1] == '/')
	{
		const char *slash = memchr(p + 2, '/', path_end - p - 2);

		if (slash == NULL)
			slash = path_end;
		if (!uri_authority(p + 2, slash))
			return false;
		p = slash;
	}
	return uri_chars(p, path_end, ":@/");
}

/* RFC 6901: empty, or tokens after slashes, "~" only as ~0 and ~1 */
static bool
check_json_pointer(const char *s, uint32 len)
{
	if (len > 0 && s[0] != '/')
		return false;
	for (uint32 i = 0; i < len; i++)
		if (s[i] == '~' && (i + 1 >= len || (s[i + 1] != '0' && s[i + 1] != '1')))
			return false;
	return true;
}
