/*
 * json_schema_escape.c
 *		Reading the classes and escapes of a pattern of ECMA-262.
 *
 * A reader stands in the pattern and moves on over what it has read. The first thing that is malformed is what the
 * pattern fails with; what is well-formed but cannot be expressed is noted, and reading goes on, since what follows may
 * still be malformed.
 */
#include "postgres.h"

#include "json_schema.h"

#include "miscadmin.h"

#define MAX_CODE 0x10FFFF

static bool property_set(ErJsPatternReader *r, bool negated, ErJsSet *set);
static bool hex_digits(ErJsPatternReader *r, int n, pg_wchar *result);

#define PEEK(offset) er_js_pattern_peek(r, offset)
#define INVALID(problem) er_js_pattern_fails(r, ER_JS_REGEX_INVALID, problem)

/* Notes why the pattern cannot be translated. Always false. */
bool
er_js_pattern_fails(ErJsPatternReader *r, ErJsRegexState state, const char *problem)
{
	if (r->state == ER_JS_REGEX_OK)
	{
		r->state = state;
		r->problem = problem;
	}
	return false;
}

/* Notes what cannot be expressed. Always true. */
bool
er_js_pattern_is_unsupported(ErJsPatternReader *r, const char *problem)
{
	if (r->unsupported == NULL)
		r->unsupported = problem;
	return true;
}


/* A bracketed class as a set. */
bool
er_js_class_set(ErJsPatternReader *r, ErJsSet *set)
{
	bool		negated = false;

	r->pos++;
	if (PEEK(0) == '^')
	{
		negated = true;
		r->pos++;
	}
	for (;;)
	{
		pg_wchar	first,
					last;
		bool		is_set = false;

		CHECK_FOR_INTERRUPTS();
		if (r->pos >= r->len)
			return INVALID("A class is not closed.");
		first = PEEK(0);
		if (first == ']')
			break;
		if (first == '\\' && r->pos + 1 < r->len)
		{
			r->pos += 2;
			is_set = er_js_escape_set(r, r->src[r->pos - 1], set);
			if (r->state != ER_JS_REGEX_OK)
				return false;
			if (!is_set)
			{
				r->pos -= 2;
				if (!er_js_escaped_character(r, true, &first))
					return false;
			}
		}
		else
			r->pos++;

		if (PEEK(0) != '-' || r->pos + 1 >= r->len || PEEK(1) == ']')
		{
			if (!is_set)
				er_js_set_add(set, first, first);
			continue;
		}
		r->pos++;
		last = PEEK(0);
		if (last == '\\' && r->pos + 1 < r->len)
		{
			ErJsSet		dummy = {0};
			bool		last_set;

			r->pos += 2;
			last_set = er_js_escape_set(r, r->src[r->pos - 1], &dummy);
			if (r->state != ER_JS_REGEX_OK)
				return false;
			if (last_set)
				return INVALID("A range of a class ends with a class.");
			r->pos -= 2;
			if (!er_js_escaped_character(r, true, &last))
				return false;
		}
		else
			r->pos++;
		if (is_set)
			return INVALID("A range of a class begins with a class.");
		if (last < first)
			return INVALID("A range of a class has its ends in the wrong order.");
		er_js_set_add(set, first, last);
	}
	r->pos++;
	if (negated)
		er_js_set_invert(set);
	return true;
}

/* The set of \d, \w, \s, \p and their complements; false for another escape. The position is after the letter. */
bool
er_js_escape_set(ErJsPatternReader *r, pg_wchar c, ErJsSet *set)
{
	ErJsSet		own = {0};

	switch (c)
	{
		case 'd':
		case 'D':
			er_js_set_add(&own, '0', '9');
			break;
		case 'w':
		case 'W':
			er_js_set_add(&own, '0', '9');
			er_js_set_add(&own, 'A', 'Z');
			er_js_set_add(&own, '_', '_');
			er_js_set_add(&own, 'a', 'z');
			break;
		case 's':
		case 'S':
			er_js_set_add(&own, '\t', '\r');
			er_js_set_add(&own, ' ', ' ');
			er_js_set_add(&own, 0xa0, 0xa0);
			er_js_set_add(&own, 0x1680, 0x1680);
			er_js_set_add(&own, 0x2000, 0x200a);
			er_js_set_add(&own, 0x2028, 0x2029);
			er_js_set_add(&own, 0x202f, 0x202f);
			er_js_set_add(&own, 0x205f, 0x205f);
			er_js_set_add(&own, 0x3000, 0x3000);
			er_js_set_add(&own, 0xfeff, 0xfeff);
			break;
		case 'p':
		case 'P':
			if (!property_set(r, c == 'P', &own))
				return false;
			break;
		default:
			return false;
	}
	if (c == 'D' || c == 'W' || c == 'S')
		er_js_set_invert(&own);
	for (int i = 0; i < own.count; i++)
		er_js_set_add(set, own.ranges[i].first, own.ranges[i].last);
	if (own.ranges != NULL)
		pfree(own.ranges);
	return true;
}

/* The property of \p or \P, from the brace on. */
static bool
property_set(ErJsPatternReader *r, bool negated, ErJsSet *set)
{
	char		buf[64];
	int			n = 0;

	if (PEEK(0) != '{')
		return INVALID("\\p needs a property in braces.");
	for (r->pos++; r->pos < r->len && PEEK(0) != '}'; r->pos++)
	{
		pg_wchar	c = PEEK(0);

		if (!(c == '_' || c == '=' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) ||
			n >= (int) sizeof(buf) - 1)
			return INVALID("The name of a property is malformed.");
		buf[n++] = (char) c;
	}
	if (r->pos++ >= r->len || n == 0)
		return INVALID("\\p needs a property in braces.");
	buf[n] = '\0';
	if (!er_js_set_property(set, buf, negated))
		return er_js_pattern_is_unsupported(r,
											"Of the Unicode properties only general categories, Any, Assigned and ASCII are known.");
	return true;
}

/* The value of a hexadecimal digit, -1 for another character. */
int
er_js_hex_digit(pg_wchar c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Exactly n hexadecimal digits at the position. */
static bool
hex_digits(ErJsPatternReader *r, int n, pg_wchar *result)
{
	*result = 0;
	for (int i = 0; i < n; i++)
	{
		int			d = r->pos < r->len ? er_js_hex_digit(PEEK(0)) : -1;

		if (d < 0)
			return INVALID("An escape needs more hexadecimal digits.");
		*result = *result * 16 + d;
		r->pos++;
	}
	return true;
}

/* An escape for one character; the position is on the backslash. */
bool
er_js_escaped_character(ErJsPatternReader *r, bool in_class, pg_wchar *result)
{
	pg_wchar	c = PEEK(1);

	if (r->pos + 1 >= r->len)
		return INVALID("The pattern ends with a backslash.");
	r->pos += 2;
	switch (c)
	{
		case 't':
			*result = '\t';
			return true;
		case 'n':
			*result = '\n';
			return true;
		case 'v':
			*result = '\v';
			return true;
		case 'f':
			*result = '\f';
			return true;
		case 'r':
			*result = '\r';
			return true;
		case 'b':
			*result = '\b';
			return true;
		case '0':
			if (PEEK(0) >= '0' && PEEK(0) <= '9')
				return INVALID("Octal escapes are not allowed.");
			*result = 0;
			return true;
		case 'c':
			c = PEEK(0);
			if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')))
				return INVALID("\\c needs a letter.");
			r->pos++;
			*result = c % 32;
			return true;
		case 'x':
			return hex_digits(r, 2, result);
		case 'u':
			if (PEEK(0) == '{')
			{
				int			digits = 0;

				*result = 0;
				for (r->pos++; er_js_hex_digit(PEEK(0)) >= 0 && r->pos < r->len; r->pos++, digits++)
				{
					*result = *result * 16 + er_js_hex_digit(PEEK(0));
					if (*result > MAX_CODE)
						return INVALID("An escape is above the last code point.");
				}
				if (digits == 0 || PEEK(0) != '}')
					return INVALID("An escape needs hexadecimal digits in braces.");
				r->pos++;
				return true;
			}
			if (!hex_digits(r, 4, result))
				return false;
			if (*result >= 0xd800 && *result <= 0xdbff && PEEK(0) == '\\' && PEEK(1) == 'u' && PEEK(2) != '{')
			{
				pg_wchar	low;
				int			back = r->pos;

				r->pos += 2;
				if (!hex_digits(r, 4, &low))
					return false;
				if (low >= 0xdc00 && low <= 0xdfff)
					*result = 0x10000 + ((*result - 0xd800) << 10) + (low - 0xdc00);
				else
					r->pos = back;
			}
			return true;
		default:
			/* a mark may stand escaped for itself; strictly only those with a meaning of their own */
			if (c == '-' ? in_class || !r->strict : c < 0x80 &&
				strchr(r->strict ? "^$\\.*+?()[]{}|/" : "^$\\.*+?()[]{}|/!\"#%&',:;<=>@_`~ ", (int) c) != NULL && c != 0)
			{
				*result = c;
				return true;
			}
			return INVALID("A character is escaped that has no such escape.");
	}
}
