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
	ErJsPatternReader in;
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
	List	   *early_names;	/* of groups that were referred to before they ended */
} Translator;

static bool translate(Translator *t);
static bool disjunction(Translator *t, int group);
static bool term(Translator *t, int group);
static bool open_bracket(Translator *t, int group, bool *quantifiable, int *index);
static bool atom_escape(Translator *t, int group, bool *quantifiable);
static bool quantifier(Translator *t, int start, int first_group);
static bool check_references(Translator *t);

/* Reads a pattern of ECMA-262 and writes it anew; false with state and problem when that is not possible. */
bool
er_js_translate(const pg_wchar *src, int len, bool strict, ErJsTranslation *result)
{
	Translator	t = {0};
	bool		ok;

	t.in.src = src;
	t.in.len = len;
	t.in.strict = strict;
	ok = translate(&t);
	result->pattern = t.out;
	result->len = t.out_len;
	result->has_references = t.has_references;
	result->state = t.in.state;
	result->problem = t.in.problem;
	return ok;
}

/* ---- writing ---- */

#define INVALID(problem) er_js_pattern_fails(&t->in, ER_JS_REGEX_INVALID, problem)
#define UNSUPPORTED(problem) er_js_pattern_is_unsupported(&t->in, problem)

static bool
put(Translator *t, pg_wchar c)
{
	if (t->out_len >= MAX_OUTPUT)
		return er_js_pattern_fails(&t->in, ER_JS_REGEX_TOO_BIG,
								   "The pattern is too long once its repetitions are spelled out.");
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

#define PEEK(offset) er_js_pattern_peek(&t->in, offset)

static bool
at_text(Translator *t, const char *s)
{
	for (int i = 0; s[i]; i++)
		if (t->in.pos + i >= t->in.len || t->in.src[t->in.pos + i] != (unsigned char) s[i])
			return false;
	return true;
}

/* How many groups capture, and whether anything refers to one. */
static void
survey(Translator *t)
{
	bool		in_class = false;

	for (int i = 0; i < t->in.len; i++)
	{
		pg_wchar	c = t->in.src[i];
		pg_wchar	next = i + 1 < t->in.len ? t->in.src[i + 1] : 0;

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
			pg_wchar	third = i + 2 < t->in.len ? t->in.src[i + 2] : 0;
			pg_wchar	fourth = i + 3 < t->in.len ? t->in.src[i + 3] : 0;

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
	if (t->in.pos < t->in.len)
		return INVALID("A closing parenthesis has no opening one.");
	if (!check_references(t))
		return false;
	if (t->in.unsupported != NULL)
		return er_js_pattern_fails(&t->in, ER_JS_REGEX_UNSUPPORTED, t->in.unsupported);
	return put(t, 0) && t->out_len-- > 0;
}

static bool
disjunction(Translator *t, int group)
{
	check_stack_depth();
	while (t->in.pos < t->in.len && t->in.src[t->in.pos] != ')')
	{
		CHECK_FOR_INTERRUPTS();
		if (t->in.src[t->in.pos] == '|')
		{
			t->groups[group].alternation = true;
			t->in.pos++;
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
	pg_wchar	c = t->in.src[t->in.pos];
	int			start = t->out_len;
	int			first_group = t->ngroups;
	bool		quantifiable = true;
	int			index;
	ErJsSet		set = {0};

	switch (c)
	{
		case '^':
		case '$':
			t->in.pos++;
			return put(t, c);
		case '(':
			if (!open_bracket(t, group, &quantifiable, &index))
				return false;
			break;
		case '.':
			t->in.pos++;
			er_js_set_add(&set, '\n', '\n');
			er_js_set_add(&set, '\r', '\r');
			er_js_set_add(&set, 0x2028, 0x2029);
			er_js_set_invert(&set);
			if (!put_set(t, &set))
				return false;
			break;
		case '[':
			if (!er_js_class_set(&t->in, &set) || !put_set(t, &set))
				return false;
			break;
		case '\\':
			if (PEEK(1) == 'b' || PEEK(1) == 'B')
			{
				const char *same = PEEK(1) == 'b' ? "!" : "=";
				const char *other = PEEK(1) == 'b' ? "=" : "!";
				char		buf[200];

				t->in.pos += 2;
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
			if (t->in.strict)
				return INVALID("A brace or bracket stands alone.");
			if (c == '{' && PEEK(1) >= '0' && PEEK(1) <= '9')
				return INVALID("A quantifier has nothing to repeat.");
			/* FALLTHROUGH */
		default:
			t->in.pos++;
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
		t->in.pos += 3;
		if (!put_text(t, "(?:"))
			return false;
	}
	else if (at_text(t, "(?=") || at_text(t, "(?!") || at_text(t, "(?<=") || at_text(t, "(?<!"))
	{
		int			n = t->in.src[t->in.pos + 2] == '<' ? 4 : 3;

		for (int i = 0; i < n; i++)
			if (!put(t, t->in.src[t->in.pos + i]))
				return false;
		t->in.pos += n;
		t->groups[g].lookaround = true;
		*quantifiable = false;
	}
	else
	{
		if (at_text(t, "(?<"))
		{
			int			start = t->in.pos += 3;
			StringInfoData name;

			initStringInfo(&name);
			while (t->in.pos < t->in.len && t->in.src[t->in.pos] != '>')
			{
				pg_wchar	c = t->in.src[t->in.pos++];
				unsigned char utf8[8] = {0};

				if (c < 0x80 && !(c == '_' || c == '$' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
								  (c >= '0' && c <= '9' && t->in.pos - 1 > start)))
					return INVALID("The name of a group is not an identifier.");
				unicode_to_utf8(c, utf8);
				appendStringInfoString(&name, (char *) utf8);
			}
			if (t->in.pos >= t->in.len || name.len == 0)
				return INVALID("A group has no name.");
			t->in.pos++;
			for (int i = 1; i < g; i++)
				if (t->groups[i].name && strcmp(t->groups[i].name, name.data) == 0)
					return INVALID("Two groups have the same name.");
			t->groups[g].name = name.data;
		}
		else if (at_text(t, "(?"))
			return INVALID("What follows \"(?\" is no group.");
		else
			t->in.pos++;
		t->groups[g].number = ++t->next_number;
		if (t->has_references && !inside)
			t->groups[g].out_number = ++t->next_out_number;
		if (!put_text(t, t->groups[g].out_number > 0 ? "(" : "(?:"))
			return false;
	}
	if (!disjunction(t, g))
		return false;
	if (PEEK(0) != ')' || t->in.pos >= t->in.len)
		return INVALID("A parenthesis is not closed.");
	t->in.pos++;
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

		CHECK_FOR_INTERRUPTS();
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
	ErJsSet		set = {0};

	if (t->in.pos + 1 >= t->in.len)
		return INVALID("The pattern ends with a backslash.");
	if (c >= '1' && c <= '9')
	{
		int			number = 0;

		for (t->in.pos++; PEEK(0) >= '0' && PEEK(0) <= '9' && number < 100000; t->in.pos++)
			number = number * 10 + (PEEK(0) - '0');
		if (number > t->captures)
			return INVALID("A back reference has no group.");
		return add_reference(t, group, number, NULL);
	}
	if (c == 'k')
	{
		StringInfoData name;

		initStringInfo(&name);
		t->in.pos += 2;
		if (PEEK(0) != '<')
			return INVALID("\\k needs the name of a group.");
		for (t->in.pos++; t->in.pos < t->in.len && PEEK(0) != '>'; t->in.pos++)
		{
			unsigned char utf8[8] = {0};

			unicode_to_utf8(PEEK(0), utf8);
			appendStringInfoString(&name, (char *) utf8);
		}
		if (t->in.pos++ >= t->in.len)
			return INVALID("\\k needs the name of a group.");
		return add_reference(t, group, 0, name.data);
	}
	t->in.pos += 2;
	if (er_js_escape_set(&t->in, c, &set))
		return put_set(t, &set);
	if (t->in.state != ER_JS_REGEX_OK)
		return false;
	t->in.pos -= 2;
	return er_js_escaped_character(&t->in, false, &c) && put_literal(t, c);
}

/* A number in a quantifier; large ones all mean the same: too large. */
static int
repeat_count(Translator *t)
{
	int			n = 0;

	for (; PEEK(0) >= '0' && PEEK(0) <= '9'; t->in.pos++)
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

	if (t->in.pos >= t->in.len)
		return true;
	if (c == '*' || c == '+' || c == '?')
	{
		min = c == '+' ? 1 : 0;
		max = c == '?' ? 1 : -1;
		t->in.pos++;
	}
	else if (c == '{')
	{
		int			back = t->in.pos;

		t->in.pos++;
		if (!(PEEK(0) >= '0' && PEEK(0) <= '9'))
		{
			t->in.pos = back;
			return t->in.strict ? INVALID("A brace begins no quantifier.") : true;
		}
		min = max = repeat_count(t);
		if (PEEK(0) == ',')
		{
			t->in.pos++;
			max = -1;
			if (PEEK(0) >= '0' && PEEK(0) <= '9')
				max = repeat_count(t);
		}
		if (PEEK(0) != '}')
		{
			t->in.pos = back;
			return t->in.strict ? INVALID("A brace begins no quantifier.") : true;
		}
		t->in.pos++;
		if (max >= 0 && max < min)
			return INVALID("A quantifier has its bounds in the wrong order.");
	}
	else
		return true;

	lazy = PEEK(0) == '?';
	if (lazy)
		t->in.pos++;
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
