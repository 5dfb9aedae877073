/*
 * consolidation_recommendations.c
 *		Merging recommendations, and writing them in order.
 *
 * Recommendations of one normalised action are one group. The strongest of them represents it as a whole, so impact
 * and effort are one module's judgment: impact high first, effort low first, with a rationale, with a timeline, then
 * bytewise. The same rules hold for the deprioritized, which are kept apart.
 */
#include "compat.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "consolidation.h"

#define THEME_WORDS 4

/* The keywords as themes. Few words of a text begin like any of them, by two bytes: the others need no look-up. */
typedef struct Themes
{
	uint32	   *rank;			/* of each keyword */
	uint8		begins[0x10000 / 8];	/* a bit for each two bytes */
} Themes;

static ErText recommendation_key(ErConsolidation *state, const ErSaying *saying, ErText id);
static int	compare_sayings(const ErSaying *a, const ErSaying *b);
static uint32 *order_groups(const ErTable *table);
static int	compare_groups(const void *a, const void *b, void *arg);
static const char *quadrant_of(const ErSaying *saying);
static void begin_themes(const ErConsolidation *state, const ErRanks *ranks, Themes *themes);
static uint32 begin_of(const char *from, const char *end);
static ErText theme_of(const ErConsolidation *state, const Themes *themes, const ErRecommendation *group,
					   ErTextBuffer *buffer);
static uint32 best_theme(const ErConsolidation *state, const Themes *themes, ErText normalised);
static void write_conflicts(ErJsonWriter *writer, const ErConflictList *list);
static void write_fingerprint(ErJsonWriter *writer, ErText key);

static const char *const recommendation_keys[] = {
	"theme", "action", "effort", "impact", "sources", "position", "quadrant", "timeline", "conflicts", "moduleIds",
	"rationale", "fingerprint", "occurrences", "dependencies"
};
static const ErJsonShape recommendation_shape = {lengthof(recommendation_keys), recommendation_keys};
static const char *const deprioritized_keys[] = {
	"ids", "action", "effort", "impact", "sources", "position", "conflicts", "moduleIds", "rationale", "fingerprint",
	"occurrences"
};
static const ErJsonShape deprioritized_shape = {lengthof(deprioritized_keys), deprioritized_keys};
static const char *const conflict_keys[] = {"kind", "with", "reason"};
static const ErJsonShape conflict_shape = {lengthof(conflict_keys), conflict_keys};

/* Takes one recommendation of the report being read into a table; returns its group. */
uint32
er_recommendation_take(ErConsolidation *state, ErTable *table, const ErSaying *saying, ErText id, uint32 twin)
{
	uint32		number = twin;
	ErRecommendation *group;

	if (number == ER_NONE)
	{
		ErText		key = recommendation_key(state, saying, id);

		number = er_table_intern(&state->arena, table, sizeof(ErRecommendation), key, NULL);
		er_recommendation_represent(state, er_item(&table->list, ErRecommendation, number), saying);
	}
	group = er_item(&table->list, ErRecommendation, number);
	if (table == &state->deprioritized && id.ptr != NULL)
		er_valueset_add(&state->arena, &group->ids, JENTRY_ISSTRING, id.ptr, id.len);
	if (group->report != state->report)
	{
		group->report = state->report;
		group->occurrences++;
		er_modules_add(&state->arena, &group->modules, state->module);
		er_source_add(state, &group->sources, saying->impact_rank * 8 + 4 - saying->effort_rank, state->id,
					  state->module, &state->source);
	}
	return number;
}

/* The normalised action; without one the rationale; without that the id behind a separator. */
static ErText
recommendation_key(ErConsolidation *state, const ErSaying *saying, ErText id)
{
	ErText		key;

	if (saying->action.ptr != NULL)
		return er_normalise(&state->buffer, saying->action, 0);
	if (saying->rationale.ptr != NULL)
		return er_normalise(&state->buffer, saying->rationale, 0);
	if (id.ptr == NULL)
		id.ptr = "";
	key = er_normalise(&state->buffer, id, 1);
	state->buffer.text[0] = '\x1f';
	key.ptr = state->buffer.text;
	key.len++;
	return key;
}

void
er_recommendation_represent(ErConsolidation *state, ErRecommendation *group, const ErSaying *saying)
{
	if (group->said && compare_sayings(saying, &group->saying) >= 0)
		return;
	group->said = true;
	group->saying = *saying;
	group->saying.action = er_arena_text(&state->arena, saying->action);
	group->saying.rationale = er_arena_text(&state->arena, saying->rationale);
	group->saying.impact = er_arena_text(&state->arena, saying->impact);
	group->saying.effort = er_arena_text(&state->arena, saying->effort);
	group->saying.timeline = er_arena_text(&state->arena, saying->timeline);
	group->saying.theme = er_arena_text(&state->arena, saying->theme);
}

/* Negative when the first is stronger. */
static int
compare_sayings(const ErSaying *a, const ErSaying *b)
{
	const ErText texts[][2] = {
		{a->action, b->action}, {a->rationale, b->rationale}, {a->timeline, b->timeline}, {a->impact, b->impact},
		{a->effort, b->effort}, {a->theme, b->theme}
	};
	int			order;

	if (a->impact_rank != b->impact_rank)
		return b->impact_rank - a->impact_rank;
	if (a->effort_rank != b->effort_rank)
		return a->effort_rank - b->effort_rank;
	order = (a->rationale.ptr == NULL) - (b->rationale.ptr == NULL);
	if (order == 0)
		order = (a->timeline.ptr == NULL) - (b->timeline.ptr == NULL);
	for (int i = 0; i < lengthof(texts) && order == 0; i++)
		order = er_text_compare(texts[i][0], texts[i][1]);
	return order;
}

void
er_rank_recommendations(const ErConsolidation *state, ErRanks *ranks, ErRanked *ranked)
{
	ranked->count = state->recommendations.list.count;
	ranked->order = order_groups(&state->recommendations);
	ranked->position = palloc_extended(Max(ranked->count, 1) * sizeof(uint32), MCXT_ALLOC_HUGE);
	for (uint32 i = 0; i < ranked->count; i++)
		ranked->position[ranked->order[i]] = i;
	ranked->conflicts = palloc_extended(Max(ranked->count, 1) * sizeof(ErConflictList), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	ranked->dropped = state->deprioritized.list.count;
	ranked->dropped_order = order_groups(&state->deprioritized);
	ranked->dropped_conflicts = palloc_extended(Max(ranked->dropped, 1) * sizeof(ErConflictList),
												MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	er_find_conflicts(state, ranks, ranked);
}

static uint32 *
order_groups(const ErTable *table)
{
	uint32	   *order = palloc_extended(Max(table->list.count, 1) * sizeof(uint32), MCXT_ALLOC_HUGE);

	for (uint32 i = 0; i < table->list.count; i++)
		order[i] = i;
	qsort_arg(order, table->list.count, sizeof(uint32), compare_groups, (void *) table);
	return order;
}

static int
compare_groups(const void *a, const void *b, void *arg)
{
	const ErTable *table = arg;
	const ErRecommendation *one = er_item(&table->list, ErRecommendation, *(const uint32 *) a);
	const ErRecommendation *two = er_item(&table->list, ErRecommendation, *(const uint32 *) b);
	uint32		one_modules = er_modules_count(&one->modules);
	uint32		two_modules = er_modules_count(&two->modules);
	int			order;

	CHECK_FOR_INTERRUPTS();
	if (one->saying.impact_rank != two->saying.impact_rank)
		return two->saying.impact_rank - one->saying.impact_rank;
	if (one->saying.effort_rank != two->saying.effort_rank)
		return one->saying.effort_rank - two->saying.effort_rank;
	if (one_modules != two_modules)
		return one_modules > two_modules ? -1 : 1;
	order = er_text_compare(one->saying.action, two->saying.action);
	return order != 0 ? order : er_text_compare(one->key, two->key);
}

void
er_write_recommendations(ErJsonWriter *writer, const ErConsolidation *state, ErRanks *ranks, const ErRanked *ranked)
{
	ErTextBuffer buffer = {CurrentMemoryContext};
	Themes	   *themes = palloc(sizeof(Themes));

	begin_themes(state, ranks, themes);
	er_json_begin_array(writer, ranked->count);
	for (uint32 i = 0; i < ranked->count; i++)
	{
		const ErRecommendation *group = er_item(&state->recommendations.list, ErRecommendation, ranked->order[i]);

		CHECK_FOR_INTERRUPTS();
		er_json_begin_object(writer, &recommendation_shape);
		er_write_text(writer, theme_of(state, themes, group, &buffer));
		er_write_text(writer, group->saying.action);
		er_write_text(writer, group->saying.effort);
		er_write_text(writer, group->saying.impact);
		er_write_sources(writer, state, ranks, &group->sources);
		er_json_decimal(writer, i + 1, 0);
		er_write_string(writer, quadrant_of(&group->saying));
		er_write_text(writer, group->saying.timeline);
		write_conflicts(writer, &ranked->conflicts[ranked->order[i]]);
		er_write_modules(writer, state, ranks, &group->modules);
		er_write_text(writer, group->saying.rationale);
		write_fingerprint(writer, group->key);
		er_json_decimal(writer, group->occurrences, 0);
		er_write_values(writer, &group->dependencies);
		er_json_end(writer);
	}
	er_json_end(writer);
}

void
er_write_deprioritized(ErJsonWriter *writer, const ErConsolidation *state, ErRanks *ranks, const ErRanked *ranked)
{
	er_json_begin_array(writer, ranked->dropped);
	for (uint32 i = 0; i < ranked->dropped; i++)
	{
		const ErRecommendation *group = er_item(&state->deprioritized.list, ErRecommendation, ranked->dropped_order[i]);

		CHECK_FOR_INTERRUPTS();
		er_json_begin_object(writer, &deprioritized_shape);
		er_write_values(writer, &group->ids);
		er_write_text(writer, group->saying.action);
		er_write_text(writer, group->saying.effort);
		er_write_text(writer, group->saying.impact);
		er_write_sources(writer, state, ranks, &group->sources);
		er_json_decimal(writer, i + 1, 0);
		write_conflicts(writer, &ranked->dropped_conflicts[ranked->dropped_order[i]]);
		er_write_modules(writer, state, ranks, &group->modules);
		er_write_text(writer, group->saying.rationale);
		write_fingerprint(writer, group->key);
		er_json_decimal(writer, group->occurrences, 0);
		er_json_end(writer);
	}
	er_json_end(writer);
}

/* Unknown impact or effort has no quadrant. */
static const char *
quadrant_of(const ErSaying *saying)
{
	bool		high = saying->impact_rank == 3;
	bool		easy = saying->effort_rank == 1;

	if (saying->impact_rank == 0 || saying->effort_rank == 4)
		return NULL;
	return high ? (easy ? "quick_win" : "major_project") : (easy ? "fill_in" : "avoid");
}

static void
begin_themes(const ErConsolidation *state, const ErRanks *ranks, Themes *themes)
{
	uint32		count = state->keywords.list.count;

	themes->rank = palloc_extended(Max(count, 1) * sizeof(uint32), MCXT_ALLOC_HUGE);
	memset(themes->begins, 0, sizeof(themes->begins));
	for (uint32 i = 0; i < count; i++)
	{
		ErText		key = er_item(&state->keywords.list, ErKeyword, i)->key;
		uint32		begin = begin_of(key.ptr, key.ptr + key.len);

		themes->rank[ranks->keyword_themes[i]] = i;
		themes->begins[begin / 8] |= 1 << begin % 8;
	}
}

/* The first two bytes of what begins here; a text ends as if by a space. */
static uint32
begin_of(const char *from, const char *end)
{
	unsigned char first = from < end ? *from : ' ';
	unsigned char second = from + 1 < end ? from[1] : ' ';

	return first << 8 | second;
}

/* The theme its document names; else the highest theme whose words stand in the action, else in the rationale. */
static ErText
theme_of(const ErConsolidation *state, const Themes *themes, const ErRecommendation *group, ErTextBuffer *buffer)
{
	ErText		none = {NULL, 0};
	uint32		theme = ER_NONE;

	if (group->saying.theme.ptr != NULL)
		return group->saying.theme;
	if (state->keywords.list.count == 0)
		return none;
	if (group->saying.action.ptr != NULL)
		theme = best_theme(state, themes, group->key);
	if (theme == ER_NONE && group->saying.rationale.ptr != NULL)
		theme = best_theme(state, themes, er_normalise(buffer, group->saying.rationale, 0));
	return theme == ER_NONE ? none : er_item(&state->keywords.list, ErKeyword, theme)->spelling;
}

/* A keyword of up to four words that stands in the text as whole words. */
static uint32
best_theme(const ErConsolidation *state, const Themes *themes, ErText normalised)
{
	const char *end = normalised.ptr + normalised.len;
	uint32		best = ER_NONE;
	int			word = 0;

	for (const char *from = normalised.ptr; from < end;)
	{
		const char *next = NULL;
		const char *to = from;
		uint32		begin = begin_of(from, end);

		if ((++word & 0xFFF) == 0)
			CHECK_FOR_INTERRUPTS();
		if ((themes->begins[begin / 8] & (1 << begin % 8)) == 0)
		{
			next = memchr(from, ' ', end - from);
			from = next == NULL ? end : next + 1;
			continue;
		}
		for (int words = 0; words < THEME_WORDS && to < end; words++)
		{
			ErText		phrase;
			uint32		keyword;

			to = memchr(to, ' ', end - to);
			if (to == NULL)
				to = end;
			phrase.ptr = from;
			phrase.len = to - from;
			keyword = er_table_find(&state->keywords, sizeof(ErKeyword), phrase, er_hash(phrase.ptr, phrase.len));
			if (keyword != ER_NONE && (best == ER_NONE || themes->rank[keyword] < themes->rank[best]))
				best = keyword;
			if (to < end)
				to++;
			if (next == NULL)
				next = to;
		}
		from = next;
	}
	return best;
}

static void
write_conflicts(ErJsonWriter *writer, const ErConflictList *list)
{
	er_json_begin_array(writer, list->count);
	for (uint32 i = 0; i < list->count; i++)
	{
		er_json_begin_object(writer, &conflict_shape);
		er_write_string(writer, list->conflicts[i].kind);
		er_write_text(writer, list->conflicts[i].with);
		er_write_string(writer, list->conflicts[i].reason);
		er_json_end(writer);
	}
	er_json_end(writer);
}

static void
write_fingerprint(ErJsonWriter *writer, ErText key)
{
	uint8		fingerprint[ER_FINGERPRINT_BYTES];

	er_fingerprint(key, fingerprint);
	er_write_fingerprint(writer, fingerprint);
}
