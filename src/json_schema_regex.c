/*
 * json_schema_regex.c
 *		Patterns of ECMA-262 (as read with its "u" flag) by way of PostgreSQL's regular expressions.
 *
 * A pattern is parsed and written anew as an advanced regular expression in code points: every class and escape
 * becomes an explicit set of ranges, so neither the collation nor the encoding of the database changes a meaning.
 * PostgreSQL knows look-around, lazy quantifiers and back references; what it does not know the same way is
 * refused as unsupported, never approximated.
 *
 * A group captures only when the pattern has back references: the others run as plain automata, in time linear in
 * the string. Matching can be cancelled.
 */
#include "postgres.h"

#include "json_schema.h"

#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"

#define MAX_CODE 0x10FFFF
#define MAX_REPEAT 255			/* the largest bound PostgreSQL takes; larger ones are spelled out */
#define MAX_OUTPUT 200000		/* characters of a translated pattern */

typedef struct Bracket
{
	const char *name;
	int			parent;			/* enclosing bracket of any kind, 0 for the pattern itself */
	int			number;			/* of a capturing group, from 1; 0 for others */
	int			out_number;		/* in the translation; 0: does not capture there */
	bool		optional;		/* may be skipped: quantified from 0, or inside an alternation or look-around */
	bool		closed;
	bool		alternation;	/* has "|" at its top level */
	bool		lookaround;
} Bracket;

typedef struct BackReference
{
	int			group;			/* index into groups, -1 until its name is known */
	int			from;			/* bracket that holds the reference */
} BackReference;

typedef struct Translator
{
	const pg_wchar *src;
	int			len;
	int			pos;
	bool		strict;
	int			captures;		/* capturing groups in the whole pattern */
	bool		has_references;
	pg_wchar   *out;
	int			out_len;
	int			out_space;
	Bracket	   *groups;			/* [0] is the pattern itself */
	int			ngroups;
	int			space_groups;
	int			next_number;
	int			next_out_number;
	BackReference *references;
	int			nreferences;
	ErJsRegexState state;
	const char *problem;
	const char *unsupported;
	List	   *early_names;	/* of groups that were referred to before they ended */
} Translator;

static bool translate(Translator *t);
static bool disjunction(Translator *t, int group);
static bool term(Translator *t, int group);
static bool open_bracket(Translator *t, int group, bool *quantifiable, int *index);
static bool atom_escape(Translator *t, int group, bool *quantifiable);
static bool quantifier(Translator *t, int start, int first_group);
static bool class_set(Translator *t, ErJsSet *set);
static bool escape_set(Translator *t, pg_wchar c, ErJsSet *set);
static bool character_escape(Translator *t, bool in_class, pg_wchar *result);
static bool property_set(Translator *t, bool negated, ErJsSet *set);
static bool check_references(Translator *t);
/* Reads a pattern of ECMA-262 and writes it anew; false with state and problem when that is not possible. */
bool
er_js_translate(const pg_wchar *src, int len, bool strict, ErJsTranslation *result)
{
	Translator	t = {0};
	bool		ok;

	t.src = src;
	t.len = len;
	t.strict = strict;
	ok = translate(&t);
	result->pattern = t.out;
	result->len = t.out_len;
	result->has_references = t.has_references;
	result->state = t.state;
	result->problem = t.problem;
	return ok;
}

/* ---- writing ---- */

static bool
fail(Translator *t, ErJsRegexState state, const char *problem)
{
	if (t->state == ER_JS_REGEX_OK)
	{
		t->state = state;
		t->problem = problem;
	}
	return false;
}

/* Notes what cannot be expressed. Reading goes on, since what follows may still be malformed. */
static bool
unsupported(Translator *t, const char *problem)
{
	if (t->unsupported == NULL)
		t->unsupported = problem;
	return true;
}

#define INVALID(problem) fail(t, ER_JS_REGEX_INVALID, problem)
#define UNSUPPORTED(problem) unsupported(t, problem)

static bool
put(Translator *t, pg_wchar c)
{
	if (t->out_len >= MAX_OUTPUT)
		return fail(t, ER_JS_REGEX_TOO_BIG, "The pattern is too long once its repetitions are spelled out.");
	if (t->out_len == t->out_space)
	{
		t->out_space = t->out_space == 0 ? 128 : t->out_space * 2;
		t->out = t->out == NULL ? palloc(sizeof(pg_wchar) * t->out_space) :
			repalloc(t->out, sizeof(pg_wchar) * t->out_space);
	}
	t->out[t->out_len++] = c;
	return true;
}

static bool
put_text(Translator *t, const char *s)
{
	for (; *s; s++)
		if (!put(t, (unsigned char) *s))
			return false;
	return true;
}

/* A character that stands for itself, in or outside of a bracket expression. */
static bool
put_literal(Translator *t, pg_wchar c)
{
	char		escape[12];

	if (c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
		return put(t, c);
	snprintf(escape, sizeof(escape), "\\u%04x", (unsigned) c);
	return put_text(t, escape);
}

static bool
put_set(Translator *t, ErJsSet *set)
{
	bool		ok;

	er_js_set_normalise(set);
	if (set->count == 0)
		return put_text(t, "(?:(?!))");
	ok = put(t, '[');
	for (int i = 0; i < set->count && ok; i++)
	{
		ok = put_literal(t, set->ranges[i].first);
		if (ok && set->ranges[i].last > set->ranges[i].first)
			ok = put(t, '-') && put_literal(t, set->ranges[i].last);
	}
	if (set->ranges != NULL)
		pfree(set->ranges);
	return ok && put(t, ']');
}

/* ---- reading ---- */

#define PEEK(offset) (t->pos + (offset) < t->len ? t->src[t->pos + (offset)] : 0)

static bool
at_text(Translator *t, const char *s)
{
	for (int i = 0; s[i]; i++)
		if (t->pos + i >= t->len || t->src[t->pos + i] != (unsigned char) s[i])
			return false;
	return true;
}

/* How many groups capture, and whether anything refers to one. */
static void
survey(Translator *t)
{
	bool		in_class = false;

	for (int i = 0; i < t->len; i++)
	{
		pg_wchar	c = t->src[i];
		pg_wchar	next = i + 1 < t->len ? t->src[i + 1] : 0;

		if (c == '\\')
		{
			if (!in_class && ((next >= '1' && next <= '9') || next == 'k'))
				t->has_references = true;
			i++;
		}
		else if (c == '[')
			in_class = true;
		else if (c == ']')
			in_class = false;
		else if (c == '(' && !in_class)
		{
			pg_wchar	third = i + 2 < t->len ? t->src[i + 2] : 0;
			pg_wchar	fourth = i + 3 < t->len ? t->src[i + 3] : 0;

			if (next != '?' || (third == '<' && fourth != '=' && fourth != '!'))
				t->captures++;
		}
	}
}

static int
new_group(Translator *t, int parent)
{
	if (t->ngroups == t->space_groups)
	{
		t->space_groups = t->space_groups == 0 ? 16 : t->space_groups * 2;
		t->groups = t->groups == NULL ? palloc(sizeof(Bracket) * t->space_groups) :
			repalloc(t->groups, sizeof(Bracket) * t->space_groups);
	}
	memset(&t->groups[t->ngroups], 0, sizeof(Bracket));
	t->groups[t->ngroups].parent = parent;
	return t->ngroups++;
}

static bool
translate(Translator *t)
{
	survey(t);
	new_group(t, 0);
	if (!disjunction(t, 0))
		return false;
	if (t->pos < t->len)
		return INVALID("A closing parenthesis has no opening one.");
	if (!check_references(t))
		return false;
	if (t->unsupported != NULL)
		return fail(t, ER_JS_REGEX_UNSUPPORTED, t->unsupported);
	return put(t, 0) && t->out_len-- > 0;
}

static bool
disjunction(Translator *t, int group)
{
	CHECK_FOR_INTERRUPTS();
	check_stack_depth();
	while (t->pos < t->len && t->src[t->pos] != ')')
	{
		if (t->src[t->pos] == '|')
		{
			t->groups[group].alternation = true;
			t->pos++;
			if (!put(t, '|'))
				return false;
		}
		else if (!term(t, group))
			return false;
	}
	return true;
}

static bool
term(Translator *t, int group)
{
	static const char word[] = "[0-9A-Z\\u005fa-z]";
	pg_wchar	c = t->src[t->pos];
	int			start = t->out_len;
	int			first_group = t->ngroups;
	bool		quantifiable = true;
	int			index;
	ErJsSet			set = {0};

	switch (c)
	{
		case '^':
		case '$':
			t->pos++;
			return put(t, c);
		case '(':
			if (!open_bracket(t, group, &quantifiable, &index))
				return false;
			break;
		case '.':
			t->pos++;
			er_js_set_add(&set, '\n', '\n');
			er_js_set_add(&set, '\r', '\r');
			er_js_set_add(&set, 0x2028, 0x2029);
			er_js_set_invert(&set);
			if (!put_set(t, &set))
				return false;
			break;
		case '[':
			if (!class_set(t, &set) || !put_set(t, &set))
				return false;
			break;
		case '\\':
			if (PEEK(1) == 'b' || PEEK(1) == 'B')
			{
				const char *same = PEEK(1) == 'b' ? "!" : "=";
				const char *other = PEEK(1) == 'b' ? "=" : "!";
				char		buf[200];

				t->pos += 2;
				snprintf(buf, sizeof(buf), "(?:(?<=%s)(?%s%s)|(?<!%s)(?%s%s))", word, same, word, word, other, word);
				return put_text(t, buf);
			}
			if (!atom_escape(t, group, &quantifiable))
				return false;
			break;
		case '*':
		case '+':
		case '?':
			return INVALID("A quantifier has nothing to repeat.");
		case '{':
		case '}':
		case ']':
			if (t->strict)
				return INVALID("A brace or bracket stands alone.");
			if (c == '{' && PEEK(1) >= '0' && PEEK(1) <= '9')
				return INVALID("A quantifier has nothing to repeat.");
			/* FALLTHROUGH */
		default:
			t->pos++;
			if (!put_literal(t, c))
				return false;
			break;
	}
	if (!quantifiable)
	{
		c = PEEK(0);
		if (c == '*' || c == '+' || c == '?' || (c == '{' && PEEK(1) >= '0' && PEEK(1) <= '9'))
			return INVALID("A look-around cannot be repeated.");
		return true;
	}
	return quantifier(t, start, first_group);
}

/* A group or look-around, up to its closing parenthesis. */
static bool
open_bracket(Translator *t, int group, bool *quantifiable, int *index)
{
	int			g = *index = new_group(t, group);
	bool		inside = t->groups[group].lookaround;

	t->groups[g].lookaround = inside;
	if (at_text(t, "(?:"))
	{
		t->pos += 3;
		if (!put_text(t, "(?:"))
			return false;
	}
	else if (at_text(t, "(?=") || at_text(t, "(?!") || at_text(t, "(?<=") || at_text(t, "(?<!"))
	{
		int			n = t->src[t->pos + 2] == '<' ? 4 : 3;

		for (int i = 0; i < n; i++)
			if (!put(t, t->src[t->pos + i]))
				return false;
		t->pos += n;
		t->groups[g].lookaround = true;
		*quantifiable = false;
	}
	else
	{
		if (at_text(t, "(?<"))
		{
			int			start = t->pos += 3;
			StringInfoData name;

			initStringInfo(&name);
			while (t->pos < t->len && t->src[t->pos] != '>')
			{
				pg_wchar	c = t->src[t->pos++];
				unsigned char utf8[8] = {0};

				if (c < 0x80 && !(c == '_' || c == '$' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
								  (c >= '0' && c <= '9' && t->pos - 1 > start)))
					return INVALID("The name of a group is not an identifier.");
				unicode_to_utf8(c, utf8);
				appendStringInfoString(&name, (char *) utf8);
			}
			if (t->pos >= t->len || name.len == 0)
				return INVALID("A group has no name.");
			t->pos++;
			for (int i = 1; i < g; i++)
				if (t->groups[i].name && strcmp(t->groups[i].name, name.data) == 0)
					return INVALID("Two groups have the same name.");
			t->groups[g].name = name.data;
		}
		else if (at_text(t, "(?"))
			return INVALID("What follows \"(?\" is no group.");
		else
			t->pos++;
		t->groups[g].number = ++t->next_number;
		if (t->has_references && !inside)
			t->groups[g].out_number = ++t->next_out_number;
		if (!put_text(t, t->groups[g].out_number > 0 ? "(" : "(?:"))
			return false;
	}
	if (!disjunction(t, g))
		return false;
	if (PEEK(0) != ')' || t->pos >= t->len)
		return INVALID("A parenthesis is not closed.");
	t->pos++;
	t->groups[g].closed = true;
	return put(t, ')');
}

/* Whether a reference from inside a bracket is inside the group too. */
static bool
encloses(Translator *t, int group, int bracket)
{
	while (bracket != 0 && bracket != group)
		bracket = t->groups[bracket].parent;
	return bracket == group;
}

/*
 * A back reference means the same in both languages only when its group has surely matched before: ECMA-262 lets
 * the reference to a group that did not match stand for nothing, PostgreSQL lets it fail.
 */
static bool
check_references(Translator *t)
{
	ListCell   *lc;

	foreach(lc, t->early_names)
	{
		bool		known = false;

		for (int g = 1; g < t->ngroups; g++)
			known |= t->groups[g].name != NULL && strcmp(t->groups[g].name, lfirst(lc)) == 0;
		if (!known)
			return INVALID("\\k names no group.");
	}
	for (int i = 0; i < t->nreferences; i++)
	{
		int			g = t->references[i].group;
		int			from = t->references[i].from;

		if (t->groups[g].out_number == 0 || t->groups[from].lookaround)
			UNSUPPORTED("A back reference into or inside a look-around cannot be expressed.");
		for (; !encloses(t, g, from); g = t->groups[g].parent)
			if (t->groups[g].optional || t->groups[t->groups[g].parent].alternation)
				UNSUPPORTED("A back reference to a group that may not have matched cannot be expressed.");
	}
	return true;
}

static bool
add_reference(Translator *t, int group, int number, const char *name)
{
	char		buf[24];

	for (int g = 1; g < t->ngroups; g++)
	{
		if (name == NULL ? t->groups[g].number != number :
			t->groups[g].name == NULL || strcmp(t->groups[g].name, name) != 0)
			continue;
		if (!t->groups[g].closed)
			break;
		t->references = t->references == NULL ? palloc(sizeof(BackReference)) :
			repalloc(t->references, sizeof(BackReference) * (t->nreferences + 1));
		t->references[t->nreferences].group = g;
		t->references[t->nreferences++].from = group;
		snprintf(buf, sizeof(buf), "(?:\\%d)", t->groups[g].out_number);
		return put_text(t, buf);
	}
	if (name != NULL)
		t->early_names = lappend(t->early_names, pstrdup(name));
	return UNSUPPORTED("A back reference before the end of its group cannot be expressed.");
}

/* An escape outside of a class, \b and \B excepted. */
static bool
atom_escape(Translator *t, int group, bool *quantifiable)
{
	pg_wchar	c = PEEK(1);
	ErJsSet			set = {0};

	if (t->pos + 1 >= t->len)
		return INVALID("The pattern ends with a backslash.");
	if (c >= '1' && c <= '9')
	{
		int			number = 0;

		for (t->pos++; PEEK(0) >= '0' && PEEK(0) <= '9' && number < 100000; t->pos++)
			number = number * 10 + (PEEK(0) - '0');
		if (number > t->captures)
			return INVALID("A back reference has no group.");
		return add_reference(t, group, number, NULL);
	}
	if (c == 'k')
	{
		StringInfoData name;

		initStringInfo(&name);
		t->pos += 2;
		if (PEEK(0) != '<')
			return INVALID("\\k needs the name of a group.");
		for (t->pos++; t->pos < t->len && PEEK(0) != '>'; t->pos++)
		{
			unsigned char utf8[8] = {0};

			unicode_to_utf8(PEEK(0), utf8);
			appendStringInfoString(&name, (char *) utf8);
		}
		if (t->pos++ >= t->len)
			return INVALID("\\k needs the name of a group.");
		return add_reference(t, group, 0, name.data);
	}
	t->pos += 2;
	if (escape_set(t, c, &set))
		return put_set(t, &set);
	if (t->state != ER_JS_REGEX_OK)
		return false;
	t->pos -= 2;
	return character_escape(t, false, &c) && put_literal(t, c);
}

/* A number in a quantifier; large ones all mean the same: too large. */
static int
repeat_count(Translator *t)
{
	int			n = 0;

	for (; PEEK(0) >= '0' && PEEK(0) <= '9'; t->pos++)
		n = Min(n * 10 + (int) (PEEK(0) - '0'), 1000000);
	return n;
}

static bool
repeat_atom(Translator *t, const pg_wchar *atom, int len, int min, int max, bool lazy)
{
	char		buf[40];

	for (int i = 0; i < len; i++)
		if (!put(t, atom[i]))
			return false;
	if (max < 0)
		snprintf(buf, sizeof(buf), "{%d,}%s", min, lazy ? "?" : "");
	else
		snprintf(buf, sizeof(buf), "{%d,%d}%s", min, max, lazy ? "?" : "");
	return put_text(t, buf);
}

/*
 * What follows an atom, which stands in the output from start on. A bound above 255 becomes a row of copies:
 * x{300,} is x{255}x{45,}, and x{0,300} is x{0,255}x{0,45}.
 */
static bool
quantifier(Translator *t, int start, int first_group)
{
	pg_wchar	c = PEEK(0);
	int			min,
				max;
	bool		lazy;

	if (t->pos >= t->len)
		return true;
	if (c == '*' || c == '+' || c == '?')
	{
		min = c == '+' ? 1 : 0;
		max = c == '?' ? 1 : -1;
		t->pos++;
	}
	else if (c == '{')
	{
		int			back = t->pos;

		t->pos++;
		if (!(PEEK(0) >= '0' && PEEK(0) <= '9'))
		{
			t->pos = back;
			return t->strict ? INVALID("A brace begins no quantifier.") : true;
		}
		min = max = repeat_count(t);
		if (PEEK(0) == ',')
		{
			t->pos++;
			max = -1;
			if (PEEK(0) >= '0' && PEEK(0) <= '9')
				max = repeat_count(t);
		}
		if (PEEK(0) != '}')
		{
			t->pos = back;
			return t->strict ? INVALID("A brace begins no quantifier.") : true;
		}
		t->pos++;
		if (max >= 0 && max < min)
			return INVALID("A quantifier has its bounds in the wrong order.");
	}
	else
		return true;

	lazy = PEEK(0) == '?';
	if (lazy)
		t->pos++;
	if (min == 0)
		for (int g = first_group; g < t->ngroups; g++)
			t->groups[g].optional = true;

	if (min <= MAX_REPEAT && max <= MAX_REPEAT)
	{
		char		buf[40];

		if (max < 0 && min <= 1)
			snprintf(buf, sizeof(buf), "%s%s", min == 0 ? "*" : "+", lazy ? "?" : "");
		else if (max < 0)
			snprintf(buf, sizeof(buf), "{%d,}%s", min, lazy ? "?" : "");
		else if (min == max)
			snprintf(buf, sizeof(buf), "{%d}%s", min, lazy ? "?" : "");
		else
			snprintf(buf, sizeof(buf), "{%d,%d}%s", min, max, lazy ? "?" : "");
		return put_text(t, buf);
	}
	else
	{
		int			len = t->out_len - start;
		pg_wchar   *atom = palloc(sizeof(pg_wchar) * len);
		int			more = max < 0 ? -1 : max - min;
		bool		ok;

		memcpy(atom, t->out + start, sizeof(pg_wchar) * len);
		for (int g = first_group; g < t->ngroups; g++)
			if (t->groups[g].out_number > 0)
				UNSUPPORTED("A group of a pattern with back references cannot be repeated more than 255 times.");
		t->out_len = start;
		ok = put_text(t, "(?:");
		for (; ok && min > 0; min -= Min(min, MAX_REPEAT))
			ok = repeat_atom(t, atom, len, Min(min, MAX_REPEAT), Min(min, MAX_REPEAT), lazy);
		if (ok && more < 0)
			ok = repeat_atom(t, atom, len, 0, -1, lazy);
		for (; ok && more > 0; more -= Min(more, MAX_REPEAT))
			ok = repeat_atom(t, atom, len, 0, Min(more, MAX_REPEAT), lazy);
		pfree(atom);
		return ok && put(t, ')');
	}
}

/* ---- classes ---- */

/* A bracketed class as a set. */
static bool
class_set(Translator *t, ErJsSet *set)
{
	bool		negated = false;

	t->pos++;
	if (PEEK(0) == '^')
	{
		negated = true;
		t->pos++;
	}
	for (;;)
	{
		pg_wchar	first,
					last;
		bool		is_set = false;

		if (t->pos >= t->len)
			return INVALID("A class is not closed.");
		first = PEEK(0);
		if (first == ']')
			break;
		if (first == '\\' && t->pos + 1 < t->len)
		{
			t->pos += 2;
			is_set = escape_set(t, t->src[t->pos - 1], set);
			if (t->state != ER_JS_REGEX_OK)
				return false;
			if (!is_set)
			{
				t->pos -= 2;
				if (!character_escape(t, true, &first))
					return false;
			}
		}
		else
			t->pos++;

		if (PEEK(0) != '-' || t->pos + 1 >= t->len || PEEK(1) == ']')
		{
			if (!is_set)
				er_js_set_add(set, first, first);
			continue;
		}
		t->pos++;
		last = PEEK(0);
		if (last == '\\' && t->pos + 1 < t->len)
		{
			ErJsSet			dummy = {0};
			bool		last_set;

			t->pos += 2;
			last_set = escape_set(t, t->src[t->pos - 1], &dummy);
			if (t->state != ER_JS_REGEX_OK)
				return false;
			if (last_set)
				return INVALID("A range of a class ends with a class.");
			t->pos -= 2;
			if (!character_escape(t, true, &last))
				return false;
		}
		else
			t->pos++;
		if (is_set)
			return INVALID("A range of a class begins with a class.");
		if (last < first)
			return INVALID("A range of a class has its ends in the wrong order.");
		er_js_set_add(set, first, last);
	}
	t->pos++;
	if (negated)
		er_js_set_invert(set);
	return true;
}

/* The set of \d, \w, \s, \p and their complements; false for another escape. The position is after the letter. */
static bool
escape_set(Translator *t, pg_wchar c, ErJsSet *set)
{
	ErJsSet			own = {0};

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
			if (!property_set(t, c == 'P', &own))
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
property_set(Translator *t, bool negated, ErJsSet *set)
{
	char		buf[64];
	int			n = 0;

	if (PEEK(0) != '{')
		return INVALID("\\p needs a property in braces.");
	for (t->pos++; t->pos < t->len && PEEK(0) != '}'; t->pos++)
	{
		pg_wchar	c = PEEK(0);

		if (!(c == '_' || c == '=' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) ||
			n >= (int) sizeof(buf) - 1)
			return INVALID("The name of a property is malformed.");
		buf[n++] = (char) c;
	}
	if (t->pos++ >= t->len || n == 0)
		return INVALID("\\p needs a property in braces.");
	buf[n] = '\0';
	if (!er_js_set_property(set, buf, negated))
		return UNSUPPORTED("Of the Unicode properties only general categories, Any, Assigned and ASCII are known.");
	return true;
}

static int
hex_digit(pg_wchar c)
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
hex_digits(Translator *t, int n, pg_wchar *result)
{
	*result = 0;
	for (int i = 0; i < n; i++)
	{
		int			d = t->pos < t->len ? hex_digit(PEEK(0)) : -1;

		if (d < 0)
			return INVALID("An escape needs more hexadecimal digits.");
		*result = *result * 16 + d;
		t->pos++;
	}
	return true;
}

/* An escape for one character; the position is on the backslash. */
static bool
character_escape(Translator *t, bool in_class, pg_wchar *result)
{
	pg_wchar	c = PEEK(1);

	if (t->pos + 1 >= t->len)
		return INVALID("The pattern ends with a backslash.");
	t->pos += 2;
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
			t->pos++;
			*result = c % 32;
			return true;
		case 'x':
			return hex_digits(t, 2, result);
		case 'u':
			if (PEEK(0) == '{')
			{
				int			digits = 0;

				*result = 0;
				for (t->pos++; hex_digit(PEEK(0)) >= 0 && t->pos < t->len; t->pos++, digits++)
				{
					*result = *result * 16 + hex_digit(PEEK(0));
					if (*result > MAX_CODE)
						return INVALID("An escape is above the last code point.");
				}
				if (digits == 0 || PEEK(0) != '}')
					return INVALID("An escape needs hexadecimal digits in braces.");
				t->pos++;
				return true;
			}
			if (!hex_digits(t, 4, result))
				return false;
			if (*result >= 0xd800 && *result <= 0xdbff && PEEK(0) == '\\' && PEEK(1) == 'u' && PEEK(2) != '{')
			{
				pg_wchar	low;
				int			back = t->pos;

				t->pos += 2;
				if (!hex_digits(t, 4, &low))
					return false;
				if (low >= 0xdc00 && low <= 0xdfff)
					*result = 0x10000 + ((*result - 0xd800) << 10) + (low - 0xdc00);
				else
					t->pos = back;
			}
			return true;
		default:
			/* a mark may stand escaped for itself; strictly only those with a meaning of their own */
			if (c == '-' ? in_class || !t->strict : c < 0x80 &&
				strchr(t->strict ? "^$\\.*+?()[]{}|/" : "^$\\.*+?()[]{}|/!\"#%&',:;<=>@_`~ ", (int) c) != NULL && c != 0)
			{
				*result = c;
				return true;
			}
			return INVALID("A character is escaped that has no such escape.");
	}
}
