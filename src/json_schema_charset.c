/*
 * json_schema_charset.c
 *		Sets of code points: what the classes of a pattern mean.
 */
#include "postgres.h"

#include "json_schema.h"

#define MAX_CODE 0x10FFFF
#define MANY_RANGES 4096

void
er_js_set_add(ErJsSet *set, pg_wchar first, pg_wchar last)
{
	if (set->count == set->space)
	{
		/* a class may name the same ranges again and again: those need no room twice */
		if (set->count >= MANY_RANGES)
			er_js_set_normalise(set);
		if (set->count >= set->space / 2)
		{
			set->space = set->space == 0 ? 16 : set->space * 2;
			set->ranges = set->ranges == NULL ? palloc(sizeof(ErJsRange) * set->space) :
				repalloc(set->ranges, sizeof(ErJsRange) * set->space);
		}
	}
	set->ranges[set->count].first = first;
	set->ranges[set->count++].last = last;
}

static int
compare_ranges(const void *a, const void *b)
{
	const ErJsRange *x = a,
			   *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

/* Ascending ranges that neither touch nor overlap. */
void
er_js_set_normalise(ErJsSet *set)
{
	int			n = 0;

	if (set->count == 0)
		return;
	qsort(set->ranges, set->count, sizeof(ErJsRange), compare_ranges);
	for (int i = 1; i < set->count; i++)
	{
		if (set->ranges[i].first <= set->ranges[n].last + 1)
			set->ranges[n].last = Max(set->ranges[n].last, set->ranges[i].last);
		else
			set->ranges[++n] = set->ranges[i];
	}
	set->count = n + 1;
}

void
er_js_set_invert(ErJsSet *set)
{
	ErJsSet			result = {0};
	pg_wchar	next = 0;

	er_js_set_normalise(set);
	for (int i = 0; i < set->count; i++)
	{
		if (set->ranges[i].first > next)
			er_js_set_add(&result, next, set->ranges[i].first - 1);
		next = set->ranges[i].last + 1;
	}
	if (next <= MAX_CODE)
		er_js_set_add(&result, next, MAX_CODE);
	if (set->ranges != NULL)
		pfree(set->ranges);
	*set = result;
}

/* Adds the set of a property of \p{...}: general categories by all their names, Any, Assigned and ASCII. False: unknown. */
bool
er_js_set_property(ErJsSet *set, const char *name, bool negated)
{
	/* the names of PropertyValueAliases.txt; the first letters select the categories */
	static const struct
	{
		const char *category;
		const char *name;
		const char *other;
	}			categories[] = {
		{"C", "Other", NULL}, {"Cc", "Control", "cntrl"}, {"Cf", "Format", NULL}, {"Cn", "Unassigned", NULL},
		{"Co", "Private_Use", NULL}, {"Cs", "Surrogate", NULL}, {"L", "Letter", NULL},
		{"LC", "Cased_Letter", NULL}, {"Ll", "Lowercase_Letter", NULL}, {"Lm", "Modifier_Letter", NULL},
		{"Lo", "Other_Letter", NULL}, {"Lt", "Titlecase_Letter", NULL}, {"Lu", "Uppercase_Letter", NULL},
		{"M", "Mark", "Combining_Mark"}, {"Mc", "Spacing_Mark", NULL}, {"Me", "Enclosing_Mark", NULL},
		{"Mn", "Nonspacing_Mark", NULL}, {"N", "Number", NULL}, {"Nd", "Decimal_Number", "digit"},
		{"Nl", "Letter_Number", NULL}, {"No", "Other_Number", NULL}, {"P", "Punctuation", "punct"},
		{"Pc", "Connector_Punctuation", NULL}, {"Pd", "Dash_Punctuation", NULL}, {"Pe", "Close_Punctuation", NULL},
		{"Pf", "Final_Punctuation", NULL}, {"Pi", "Initial_Punctuation", NULL}, {"Po", "Other_Punctuation", NULL},
		{"Ps", "Open_Punctuation", NULL}, {"S", "Symbol", NULL}, {"Sc", "Currency_Symbol", NULL},
		{"Sk", "Modifier_Symbol", NULL}, {"Sm", "Math_Symbol", NULL}, {"So", "Other_Symbol", NULL},
		{"Z", "Separator", NULL}, {"Zl", "Line_Separator", NULL}, {"Zp", "Paragraph_Separator", NULL},
		{"Zs", "Space_Separator", NULL}
	};
	const char *category = NULL;
	bool		unassigned;

	if (strncmp(name, "General_Category=", 17) == 0)
		name += 17;
	else if (strncmp(name, "gc=", 3) == 0)
		name += 3;
	else if (strcmp(name, "Any") == 0 || strcmp(name, "ASCII") == 0)
	{
		er_js_set_add(set, 0, name[1] == 'n' ? MAX_CODE : 0x7f);
		if (negated)
			er_js_set_invert(set);
		return true;
	}
	else if (strcmp(name, "Assigned") == 0)
	{
		name = "Cn";
		negated = !negated;
	}
	for (int i = 0; i < lengthof(categories); i++)
		if (strcmp(categories[i].category, name) == 0 || strcmp(categories[i].name, name) == 0 ||
			(categories[i].other && strcmp(categories[i].other, name) == 0))
			category = categories[i].category;
	if (category == NULL)
		return false;

	unassigned = strcmp(category, "C") == 0 || strcmp(category, "Cn") == 0;
	if (unassigned)
	{
		/* whatever has no category, or no category but those of C */
		for (int i = 0; i < er_js_category_range_count; i++)
			if (category[1] != '\0' || er_js_category_names[er_js_category_ranges[i].category][0] != 'C')
				er_js_set_add(set, er_js_category_ranges[i].first, er_js_category_ranges[i].last);
		er_js_set_invert(set);
	}
	else
		for (int i = 0; i < er_js_category_range_count; i++)
		{
			const char *c = er_js_category_names[er_js_category_ranges[i].category];

			if (c[0] == category[0] &&
				(category[1] == '\0' || category[1] == c[1] || (category[1] == 'C' && strchr("ult", c[1]) != NULL)))
				er_js_set_add(set, er_js_category_ranges[i].first, er_js_category_ranges[i].last);
		}
	if (negated)
		er_js_set_invert(set);
	return true;
}
