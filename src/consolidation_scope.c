/*
 * consolidation_scope.c
 *		The negative scope: which recommendations touch what a configuration excludes.
 *
 * Words are matched whole, after normalisation, in a recommendation's action and in its rationale. An exact exclusion
 * is hit when its words stand together in one of them; a semantic one when the share of its words found is at least
 * 0.3, 0.5 or 0.7 for high, medium or low sensitivity; a use case of the plain list also when two of its words longer
 * than three characters are found. Entries past expires_at are skipped.
 *
 * Exclusions are looked up by phrase and by word, so the work follows the texts, not texts times exclusions.
 */
#include "compat.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/memutils.h"

#include "consolidation.h"

enum scope_field
{
	SCOPE_PLAIN = 1,			/* one for each kind, in snake_case and camelCase */
	SCOPE_RULES = SCOPE_PLAIN + 8,
	SCOPE_FIELDS = SCOPE_RULES + 7
};
static const ErJsonKey scope_keys[] = {
	{"excluded_categories", SCOPE_PLAIN}, {"excludedCategories", SCOPE_PLAIN + 1},
	{"excluded_keywords", SCOPE_PLAIN + 2}, {"excludedKeywords", SCOPE_PLAIN + 3},
	{"excluded_use_cases", SCOPE_PLAIN + 4}, {"excludedUseCases", SCOPE_PLAIN + 5},
	{"excluded_competitors", SCOPE_PLAIN + 6}, {"excludedCompetitors", SCOPE_PLAIN + 7},
	{"category_exclusions", SCOPE_RULES}, {"categoryExclusions", SCOPE_RULES + 1},
	{"keyword_exclusions", SCOPE_RULES + 2}, {"keywordExclusions", SCOPE_RULES + 3},
	{"use_case_exclusions", SCOPE_RULES + 4}, {"useCaseExclusions", SCOPE_RULES + 5},
	{"competitor_exclusions", SCOPE_RULES + 6}, {"competitorExclusions", SCOPE_RULES + 7},
	{NULL, 0}
};

enum rule_field
{
	RULE_VALUE = 1, RULE_TYPE, RULE_TYPE_, RULE_SENSITIVITY, RULE_SENSITIVITY_, RULE_EXPIRES, RULE_EXPIRES_,
	RULE_FIELDS = RULE_EXPIRES_
};
static const ErJsonKey rule_keys[] = {
	{"value", RULE_VALUE}, {"match_type", RULE_TYPE}, {"matchType", RULE_TYPE_},
	{"semantic_sensitivity", RULE_SENSITIVITY}, {"semanticSensitivity", RULE_SENSITIVITY_},
	{"expires_at", RULE_EXPIRES}, {"expiresAt", RULE_EXPIRES_}, {NULL, 0}
};

static const char *const reasons[] = {
	"the configuration excludes this category", "the configuration excludes this keyword",
	"the configuration excludes this use case", "the configuration excludes this competitor"
};
#define USE_CASE 2

typedef struct Exclusion
{
	ErText		value;			/* as the scope says it */
	uint8		kind;
	bool		by_words;		/* semantic, or a use case */
	uint32		words;			/* distinct words that count */
	uint32		needed;			/* of them */
	uint32		next_phrase;	/* the next exclusion of the same phrase, or ER_NONE */
	uint32		seen_in;		/* text in which words were counted last */
	uint32		seen;			/* how many */
	uint32		hit_by;			/* recommendation that hit it last */
} Exclusion;

/* A whole phrase, or a word of one. */
typedef struct Phrase
{
	ErText		key;
	uint32		first;			/* exclusion */
	ErList		exclusions;		/* of a word: Exclusion numbers */
	uint32		seen_in;		/* text in which this word was seen last */
} Phrase;

typedef struct Scope
{
	ErArena		arena;
	ErTextBuffer buffer;
	ErList		exclusions;
	ErTable		phrases;
	ErTable		words;
	ErIdSet		lengths;		/* words of a phrase, of all exact exclusions */
	TimestampTz as_of;
	uint32		text;			/* number of the text being looked through */
	ErTokens	tokens;
	ErList		hits;
} Scope;

static void read_scope(Scope *scope, const Jsonb *document);
static void read_rule(Scope *scope, const ErJson *rule, int kind, const char *path);
pg_noreturn static void wrong_rule(const char *path, const ErJson *values, int field, const char *expected);
static void add_exclusion(Scope *scope, int kind, ErText value, float needed_share, bool use_case);
static void look_through(Scope *scope, ErText normalised, uint32 recommendation);
static void hit(Scope *scope, uint32 number, uint32 recommendation);
static int	compare_hits(const void *a, const void *b, void *arg);
static bool is_word(ErText text, const char *word);

void
er_find_exclusions(const ErConsolidation *state, ErRanked *ranked)
{
	Scope		scope = {{CurrentMemoryContext}, {CurrentMemoryContext}};
	ErTextBuffer buffer = {CurrentMemoryContext};

	if (state->negative_scope == NULL)
		return;
	scope.as_of = state->as_of;
	read_scope(&scope, state->negative_scope);
	if (scope.exclusions.count == 0)
		return;
	for (uint32 i = 0; i < ranked->count; i++)
	{
		const ErRecommendation *group = er_item(&state->recommendations.list, ErRecommendation, i);
		ErConflictList *list = &ranked->conflicts[i];

		CHECK_FOR_INTERRUPTS();
		er_conflict_kind(list);
		scope.hits.count = 0;
		if (group->saying.action.ptr != NULL)
			look_through(&scope, group->key, i);
		if (group->saying.rationale.ptr != NULL)
			look_through(&scope, er_normalise(&buffer, group->saying.rationale, 0), i);
		qsort_arg(scope.hits.items, scope.hits.count, sizeof(uint32), compare_hits, &scope);
		for (uint32 h = 0; h < scope.hits.count; h++)
		{
			const Exclusion *exclusion = er_item(&scope.exclusions, Exclusion, *er_item(&scope.hits, uint32, h));

			/* the same exclusion in both lists is named once */
			if (h > 0)
			{
				const Exclusion *before = er_item(&scope.exclusions, Exclusion, *er_item(&scope.hits, uint32, h - 1));

				if (before->kind == exclusion->kind && er_text_compare(before->value, exclusion->value) == 0)
					continue;
			}
			if (!er_conflict_add(list, "exclusion", exclusion->value, reasons[exclusion->kind]))
				break;
		}
	}
}

static void
read_scope(Scope *scope, const Jsonb *document)
{
	ErJson		root = er_json_root(document);
	ErJson	   *values;
	ErJsonLayout layout = {0};

	if (root.type == JENTRY_ISNULL)
		return;
	if (!er_json_is_object(&root))
		er_wrong("negative_scope", &root, "an object");
	values = er_json_fields(&root, scope_keys, SCOPE_FIELDS, &layout);
	for (int field = 1; field <= SCOPE_FIELDS; field++)
	{
		const char *name = scope_keys[field - 1].name;
		bool		plain = field < SCOPE_RULES;
		int			kind = (plain ? field - SCOPE_PLAIN : field - SCOPE_RULES) / 2;
		ErJson		element;
		ErJsonWalk	walk;
		uint32		count;

		if (er_json_is_missing(&values[field]))
			continue;
		if (!er_json_is_array(&values[field]))
			er_wrong(psprintf("negative_scope.%s", name), &values[field], "an array");
		count = er_json_count(&values[field]);
		er_json_walk(&walk, &values[field]);
		for (uint32 i = 0; i < count; i++)
		{
			char		path[96];

			CHECK_FOR_INTERRUPTS();
			er_json_next(&walk, &element);
			snprintf(path, sizeof(path), "negative_scope.%s[%u]", name, i);
			if (plain)
			{
				ErText		value = {element.ptr, element.len};

				if (element.type == JENTRY_ISNULL)
					continue;
				if (element.type != JENTRY_ISSTRING)
					er_wrong(path, &element, "a string");
				add_exclusion(scope, kind, value, 0, kind == USE_CASE);
			}
			else
				read_rule(scope, &element, kind, path);
		}
	}
}

static void
read_rule(Scope *scope, const ErJson *rule, int kind, const char *path)
{
	ErJson	   *values;
	ErJsonLayout layout = {0};
	ErText		text[RULE_FIELDS + 1];
	int			type;			/* as the rule spells it */
	int			sensitivity;
	int			expires_at;
	bool		semantic = false;
	float		share = 0.5;

	if (!er_json_is_object(rule))
		er_wrong(path, rule, "an object {value, match_type, semantic_sensitivity, expires_at}");
	values = er_json_fields(rule, rule_keys, RULE_FIELDS, &layout);
	for (int field = 1; field <= RULE_FIELDS; field++)
	{
		text[field].ptr = NULL;
		text[field].len = 0;
		if (er_json_is_missing(&values[field]))
			continue;
		if (values[field].type != JENTRY_ISSTRING)
			wrong_rule(path, values, field, "a string");
		if (er_is_blank(values[field].ptr, values[field].len))
			continue;
		text[field].ptr = values[field].ptr;
		text[field].len = values[field].len;
	}
	type = text[RULE_TYPE].ptr != NULL ? RULE_TYPE : RULE_TYPE_;
	sensitivity = text[RULE_SENSITIVITY].ptr != NULL ? RULE_SENSITIVITY : RULE_SENSITIVITY_;
	expires_at = text[RULE_EXPIRES].ptr != NULL ? RULE_EXPIRES : RULE_EXPIRES_;

	if (text[type].ptr != NULL && !is_word(text[type], "exact"))
	{
		if (!is_word(text[type], "semantic"))
			wrong_rule(path, values, type, "\"exact\" or \"semantic\"");
		semantic = true;
	}
	if (text[sensitivity].ptr != NULL)
	{
		if (is_word(text[sensitivity], "high"))
			share = 0.3;
		else if (is_word(text[sensitivity], "low"))
			share = 0.7;
		else if (!is_word(text[sensitivity], "medium"))
			wrong_rule(path, values, sensitivity, "\"low\", \"medium\" or \"high\"");
	}
	if (text[expires_at].ptr != NULL)
	{
		TimestampTz expires;

		if (!er_read_instant(text[expires_at], &expires))
			wrong_rule(path, values, expires_at, "an ISO 8601 date and time");
		if (scope->as_of != ER_UNKNOWN_TIME && expires <= scope->as_of)
			return;
	}
	if (text[RULE_VALUE].ptr != NULL)
		add_exclusion(scope, kind, text[RULE_VALUE], semantic ? share : 0, false);
}

static void
wrong_rule(const char *path, const ErJson *values, int field, const char *expected)
{
	er_wrong(psprintf("%s.%s", path, rule_keys[field - 1].name), &values[field], expected);
}

/* A share of 0 asks for the whole phrase. */
static void
add_exclusion(Scope *scope, int kind, ErText value, float needed_share, bool use_case)
{
	uint32		number = scope->exclusions.count;
	Exclusion  *exclusion;
	ErText		normalised;
	bool		added;

	if (value.len == 0 || er_is_blank(value.ptr, value.len))
		return;
	normalised = er_arena_text(&scope->arena, er_normalise(&scope->buffer, value, 0));
	er_tokenize(normalised, &scope->tokens);
	exclusion = er_list_add(&scope->arena, &scope->exclusions, sizeof(Exclusion));
	exclusion->value = value;
	exclusion->kind = kind;
	exclusion->next_phrase = ER_NONE;
	exclusion->hit_by = ER_NONE;
	exclusion->by_words = needed_share > 0 || use_case;

	if (exclusion->by_words)
	{
		for (uint32 i = 0; i < scope->tokens.count; i++)
		{
			uint32		word;
			ErList	   *list;

			if (use_case && scope->tokens.words[i].len <= 3)
				continue;
			word = er_table_intern(&scope->arena, &scope->words, sizeof(Phrase), scope->tokens.words[i], NULL);
			list = &er_item(&scope->words.list, Phrase, word)->exclusions;
			if (list->count > 0 && *er_item(list, uint32, list->count - 1) == number)
				continue;
			*(uint32 *) er_list_add(&scope->arena, list, sizeof(uint32)) = number;
			exclusion->words++;
		}
		exclusion->needed = use_case ? 2 : (uint32) ceilf(needed_share * exclusion->words - 0.0001f);
		exclusion->needed = Max(exclusion->needed, 1);
	}
	if (!exclusion->by_words || use_case)
	{
		uint32		phrase = er_table_intern(&scope->arena, &scope->phrases, sizeof(Phrase), normalised, &added);
		Phrase	   *entry = er_item(&scope->phrases.list, Phrase, phrase);

		exclusion->next_phrase = added ? ER_NONE : entry->first;
		entry->first = number;
		er_idset_add(&scope->arena, &scope->lengths, scope->tokens.count);
	}
}

static void
look_through(Scope *scope, ErText normalised, uint32 recommendation)
{
	ErTokens   *tokens = &scope->tokens;

	er_tokenize(normalised, tokens);
	scope->text++;
	for (uint32 i = 0; i < tokens->count; i++)
	{
		const char *from = tokens->words[i].ptr;
		uint32		number = er_table_find(&scope->words, sizeof(Phrase), tokens->words[i],
										   er_hash(from, tokens->words[i].len));

		if (number != ER_NONE)
		{
			Phrase	   *word = er_item(&scope->words.list, Phrase, number);

			for (uint32 e = 0; word->seen_in != scope->text && e < word->exclusions.count; e++)
			{
				uint32		which = *er_item(&word->exclusions, uint32, e);
				Exclusion  *exclusion = er_item(&scope->exclusions, Exclusion, which);

				if (exclusion->seen_in != scope->text)
				{
					exclusion->seen_in = scope->text;
					exclusion->seen = 0;
				}
				if (++exclusion->seen == exclusion->needed)
					hit(scope, which, recommendation);
				if ((e & 0xFFF) == 0xFFF)
					CHECK_FOR_INTERRUPTS();
			}
			word->seen_in = scope->text;
		}
		CHECK_FOR_INTERRUPTS();
		for (uint32 l = 0; l < scope->lengths.count; l++)
		{
			uint32		words = scope->lengths.members[l].id;
			ErText		phrase;

			if (words == 0 || i + words > tokens->count)
				continue;
			phrase.ptr = from;
			phrase.len = tokens->words[i + words - 1].ptr + tokens->words[i + words - 1].len - from;
			number = er_table_find(&scope->phrases, sizeof(Phrase), phrase, er_hash(phrase.ptr, phrase.len));
			if (number == ER_NONE)
				continue;
			for (uint32 which = er_item(&scope->phrases.list, Phrase, number)->first; which != ER_NONE;
				 which = er_item(&scope->exclusions, Exclusion, which)->next_phrase)
				hit(scope, which, recommendation);
		}
	}
}

static void
hit(Scope *scope, uint32 number, uint32 recommendation)
{
	Exclusion  *exclusion = er_item(&scope->exclusions, Exclusion, number);

	if (exclusion->hit_by == recommendation)
		return;
	exclusion->hit_by = recommendation;
	*(uint32 *) er_list_add(&scope->arena, &scope->hits, sizeof(uint32)) = number;
}

/* In the order of the scope's document: jsonb keeps its lists in order, and its keys in one of its own. */
static int
compare_hits(const void *a, const void *b, void *arg)
{
	const Scope *scope = arg;
	uint32		one = *(const uint32 *) a;
	uint32		two = *(const uint32 *) b;
	const Exclusion *left = er_item(&scope->exclusions, Exclusion, one);
	const Exclusion *right = er_item(&scope->exclusions, Exclusion, two);
	int			order;

	if (left->kind != right->kind)
		return left->kind < right->kind ? -1 : 1;
	order = er_text_compare(left->value, right->value);
	if (order != 0)
		return order;
	return (one > two) - (one < two);
}

static bool
is_word(ErText text, const char *word)
{
	for (uint32 i = 0; i < text.len; i++)
		if (pg_ascii_tolower((unsigned char) text.ptr[i]) != (unsigned char) word[i])
			return false;
	return word[text.len] == '\0';
}
