/*
 * consolidation_state.c
 *		A state as bytes, for parallel workers, and two states made one.
 *
 * The bytes are read only by the server that wrote them, but every length and number in them is checked all the same.
 * A state that comes from bytes is only ever merged into another: its texts point into the bytes, and its tables have
 * no index.
 */
#include "compat.h"

#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "utils/memutils.h"

#include "consolidation.h"

#define STATE_MARK 0x45524331	/* changes with the format */
#define STATE_LIMIT (MaxAllocSize - BLCKSZ)	/* it travels as the only column of a tuple */

typedef struct Reader
{
	const char *at;
	const char *end;
} Reader;

static inline void put(StringInfo out, const void *bytes, Size len);
static void put_text(StringInfo out, ErText text);
static void put_modules(StringInfo out, const ErModuleSet *set);
static void put_ids(StringInfo out, const ErIdSet *set);
static void put_values(StringInfo out, const ErValueSet *set);
static void put_sources(StringInfo out, const ErSources *sources);
static void put_recommendations(StringInfo out, const ErTable *table);

static void take(Reader *in, void *bytes, Size len);
static uint32 take_number(Reader *in, uint32 below);
static uint32 take_count(Reader *in, Size least_size);
static ErText take_text(Reader *in);
static void take_modules(Reader *in, ErModuleSet *set, uint32 modules);
static void take_ids(Reader *in, ErIdSet *set, uint32 below);
static void take_values(Reader *in, ErValueSet *set);
static void take_sources(Reader *in, ErSources *sources, uint32 reports);
static void take_recommendations(Reader *in, ErTable *table, const ErConsolidation *state);
static void *take_list(Reader *in, ErList *list, Size item_size, Size least_size);
pg_noreturn static void damaged(void);

typedef struct Maps
{
	uint32	   *modules;
	uint32	   *words;
	uint32	   *keywords;
	uint32	   *recommendations;
	uint32	   *reports;		/* places in the sources of the result, or ER_NONE */
} Maps;

static uint32 *number_map(uint32 count);
static void merge_modules(ErConsolidation *into, ErModuleSet *set, const ErModuleSet *more, const Maps *maps);
static void merge_values(ErConsolidation *into, ErValueSet *set, const ErValueSet *more);
static void merge_sources(ErConsolidation *into, ErSources *sources, const ErConsolidation *from,
						  const ErSources *more, Maps *maps);
static void merge_recommendations(ErConsolidation *into, ErTable *table, const ErConsolidation *from,
								  const ErTable *more, Maps *maps, uint32 *numbers);

#define PUT(value) put(&out, &(value), sizeof(value))
#define TAKE(value) take(&in, &(value), sizeof(value))

bytea *
er_state_serialize(const ErConsolidation *state)
{
	StringInfoData out;
	uint32		mark = STATE_MARK;
	bool		has_scope = state->negative_scope != NULL;
	uint32		n;

	initStringInfo(&out);
	enlargeStringInfo(&out, VARHDRSZ);
	out.len = VARHDRSZ;
	PUT(mark);
	PUT(state->insights_only);
	PUT(state->has_arguments);
	PUT(state->as_of);
	PUT(has_scope);
	if (has_scope)
	{
		ErText		scope = {(const char *) state->negative_scope, VARSIZE(state->negative_scope)};

		put_text(&out, scope);
	}
	n = state->modules.list.count;
	PUT(n);
	for (uint32 i = 0; i < n; i++)
	{
		const ErModule *module = er_item(&state->modules.list, ErModule, i);

		put_text(&out, module->name);
		PUT(module->newest);
		PUT(module->said_at);
		put_text(&out, module->said_in);
		PUT(module->confidence);
	}
	n = state->words.list.count;
	PUT(n);
	for (uint32 i = 0; i < n; i++)
		put_text(&out, er_item(&state->words.list, ErWord, i)->text);
	n = state->keywords.list.count;
	PUT(n);
	for (uint32 i = 0; i < n; i++)
	{
		const ErKeyword *keyword = er_item(&state->keywords.list, ErKeyword, i);

		put_text(&out, keyword->key);
		put_text(&out, keyword->spelling);
		put_modules(&out, &keyword->modules);
		PUT(keyword->count);
	}
	n = state->sources.count;
	PUT(n);
	for (uint32 i = 0; i < n; i++)
	{
		const ErReport *report = er_item(&state->sources, ErReport, i);

		put_text(&out, report->id);
		PUT(report->module);
	}
	n = state->insights.list.count;
	PUT(n);
	for (uint32 i = 0; i < n; i++)
	{
		const ErInsight *insight = er_item(&state->insights.list, ErInsight, i);

		CHECK_FOR_INTERRUPTS();
		put_text(&out, insight->key);
		PUT(insight->type);
		PUT(insight->category);
		PUT(insight->strength);
		put_text(&out, insight->title);
		put_text(&out, insight->description);
		PUT(insight->severity);
		PUT(insight->confidence);
		PUT(insight->occurrences);
		put_modules(&out, &insight->modules);
		put_ids(&out, &insight->keywords);
		put_values(&out, &insight->evidence);
		put_sources(&out, &insight->sources);
	}
	put_recommendations(&out, &state->recommendations);
	put_recommendations(&out, &state->deprioritized);
	n = state->identities.list.count;
	PUT(n);
	for (uint32 i = 0; i < n; i++)
	{
		const ErIdentity *identity = er_item(&state->identities.list, ErIdentity, i);

		put_text(&out, identity->id);
		put_ids(&out, &identity->groups);
	}
	n = state->sentences.list.count;
	PUT(n);
	for (uint32 i = 0; i < n; i++)
	{
		const ErSentence *sentence = er_item(&state->sentences.list, ErSentence, i);

		put_text(&out, sentence->key);
		put_text(&out, sentence->text);
		put_text(&out, sentence->module);
		put_text(&out, sentence->report);
		PUT(sentence->place);
	}
	SET_VARSIZE(out.data, out.len);
	return (bytea *) out.data;
}

ErConsolidation *
er_state_deserialize(bytea *bytes)
{
	ErConsolidation *state = palloc0(sizeof(ErConsolidation));
	Reader		in = {VARDATA_ANY(bytes), VARDATA_ANY(bytes) + VARSIZE_ANY_EXHDR(bytes)};
	uint32		mark;
	bool		has_scope;

	TAKE(mark);
	if (mark != STATE_MARK)
		damaged();
	TAKE(state->insights_only);
	TAKE(state->has_arguments);
	TAKE(state->as_of);
	TAKE(has_scope);
	if (has_scope)
	{
		ErText		scope = take_text(&in);

		if (scope.len < VARHDRSZ + sizeof(uint32))
			damaged();
		state->negative_scope = palloc(scope.len);
		memcpy(state->negative_scope, scope.ptr, scope.len);
		if (VARSIZE(state->negative_scope) != scope.len)
			damaged();
	}
	take_list(&in, &state->modules.list, sizeof(ErModule), 28);
	for (uint32 i = 0; i < state->modules.list.count; i++)
	{
		ErModule   *module = er_item(&state->modules.list, ErModule, i);

		module->name = take_text(&in);
		TAKE(module->newest);
		TAKE(module->said_at);
		module->said_in = take_text(&in);
		TAKE(module->confidence);
	}
	take_list(&in, &state->words.list, sizeof(ErWord), 4);
	for (uint32 i = 0; i < state->words.list.count; i++)
		er_item(&state->words.list, ErWord, i)->text = take_text(&in);
	take_list(&in, &state->keywords.list, sizeof(ErKeyword), 28);
	for (uint32 i = 0; i < state->keywords.list.count; i++)
	{
		ErKeyword  *keyword = er_item(&state->keywords.list, ErKeyword, i);

		keyword->key = take_text(&in);
		keyword->spelling = take_text(&in);
		take_modules(&in, &keyword->modules, state->modules.list.count);
		TAKE(keyword->count);
	}
	take_list(&in, &state->sources, sizeof(ErReport), 8);
	for (uint32 i = 0; i < state->sources.count; i++)
	{
		ErReport   *report = er_item(&state->sources, ErReport, i);

		report->id = take_text(&in);
		report->module = take_number(&in, state->modules.list.count);
	}
	take_list(&in, &state->insights.list, sizeof(ErInsight), 58);
	for (uint32 i = 0; i < state->insights.list.count; i++)
	{
		ErInsight  *insight = er_item(&state->insights.list, ErInsight, i);

		CHECK_FOR_INTERRUPTS();
		insight->key = take_text(&in);
		TAKE(insight->type);
		TAKE(insight->category);
		if ((insight->type != ER_NONE && insight->type >= state->words.list.count) ||
			(insight->category != ER_NONE && insight->category >= state->words.list.count))
			damaged();
		TAKE(insight->strength);
		insight->title = take_text(&in);
		insight->description = take_text(&in);
		TAKE(insight->severity);
		if (insight->severity < 0 || insight->severity > 4)
			damaged();
		TAKE(insight->confidence);
		TAKE(insight->occurrences);
		take_modules(&in, &insight->modules, state->modules.list.count);
		take_ids(&in, &insight->keywords, state->keywords.list.count);
		take_values(&in, &insight->evidence);
		take_sources(&in, &insight->sources, state->sources.count);
	}
	take_recommendations(&in, &state->recommendations, state);
	take_recommendations(&in, &state->deprioritized, state);
	take_list(&in, &state->identities.list, sizeof(ErIdentity), 8);
	for (uint32 i = 0; i < state->identities.list.count; i++)
	{
		ErIdentity *identity = er_item(&state->identities.list, ErIdentity, i);

		identity->id = take_text(&in);
		take_ids(&in, &identity->groups, state->recommendations.list.count);
	}
	take_list(&in, &state->sentences.list, sizeof(ErSentence), 20);
	for (uint32 i = 0; i < state->sentences.list.count; i++)
	{
		ErSentence *sentence = er_item(&state->sentences.list, ErSentence, i);

		sentence->key = take_text(&in);
		sentence->text = take_text(&in);
		sentence->module = take_text(&in);
		sentence->report = take_text(&in);
		TAKE(sentence->place);
	}
	if (in.at != in.end)
		damaged();
	return state;
}

void
er_state_merge(ErConsolidation *into, const ErConsolidation *from)
{
	Maps		maps;

	if (from->has_arguments)
	{
		if (into->has_arguments &&
			(into->as_of != from->as_of || (into->negative_scope == NULL) != (from->negative_scope == NULL) ||
			 (into->negative_scope != NULL &&
			  (VARSIZE(into->negative_scope) != VARSIZE(from->negative_scope) ||
			   memcmp(into->negative_scope, from->negative_scope, VARSIZE(into->negative_scope)) != 0))))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("negative_scope or as_of differs between the rows of one consolidation"),
					 errhint("Pass the same values for the whole group.")));
		if (!into->has_arguments && from->negative_scope != NULL)
		{
			into->negative_scope = MemoryContextAllocHuge(into->context, VARSIZE(from->negative_scope));
			memcpy(into->negative_scope, from->negative_scope, VARSIZE(from->negative_scope));
		}
		into->has_arguments = true;
		into->as_of = from->as_of;
	}

	maps.modules = number_map(from->modules.list.count);
	maps.words = number_map(from->words.list.count);
	maps.keywords = number_map(from->keywords.list.count);
	maps.recommendations = number_map(from->recommendations.list.count);
	maps.reports = number_map(from->sources.count);

	for (uint32 i = 0; i < from->modules.list.count; i++)
	{
		const ErModule *module = er_item(&from->modules.list, ErModule, i);
		bool		added;
		uint32		number = er_table_intern(&into->arena, &into->modules, sizeof(ErModule), module->name, &added);
		ErModule   *merged = er_item(&into->modules.list, ErModule, number);

		if (added)
		{
			merged->newest = merged->said_at = ER_UNKNOWN_TIME;
			merged->confidence = ER_UNKNOWN_CONFIDENCE;
		}
		merged->newest = Max(merged->newest, module->newest);
		if (module->confidence >= 0)
			er_module_said(into, number, module->said_at, module->said_in, module->confidence);
		maps.modules[i] = number;
	}
	for (uint32 i = 0; i < from->words.list.count; i++)
		maps.words[i] = er_table_intern(&into->arena, &into->words, sizeof(ErWord),
										er_item(&from->words.list, ErWord, i)->text, NULL);
	for (uint32 i = 0; i < from->keywords.list.count; i++)
	{
		const ErKeyword *keyword = er_item(&from->keywords.list, ErKeyword, i);
		bool		added;
		uint32		number = er_table_intern(&into->arena, &into->keywords, sizeof(ErKeyword), keyword->key, &added);
		ErKeyword  *merged = er_item(&into->keywords.list, ErKeyword, number);

		if (added || er_text_compare(keyword->spelling, merged->spelling) < 0)
			merged->spelling = er_arena_text(&into->arena, keyword->spelling);
		merged->count += keyword->count;
		merge_modules(into, &merged->modules, &keyword->modules, &maps);
		maps.keywords[i] = number;
	}
	for (uint32 i = 0; i < from->insights.list.count; i++)
	{
		const ErInsight *insight = er_item(&from->insights.list, ErInsight, i);
		bool		added;
		uint32		number = er_table_intern(&into->arena, &into->insights, sizeof(ErInsight), insight->key, &added);
		ErInsight  *merged = er_item(&into->insights.list, ErInsight, number);

		CHECK_FOR_INTERRUPTS();
		if (added)
		{
			merged->type = insight->type == ER_NONE ? ER_NONE : maps.words[insight->type];
			merged->category = ER_NONE;
			merged->strength = -1;
			merged->confidence = ER_UNKNOWN_CONFIDENCE;
		}
		er_insight_represent(into, merged, insight->strength, insight->title, insight->description,
							 insight->category == ER_NONE ? ER_NONE : maps.words[insight->category]);
		merged->severity = Max(merged->severity, insight->severity);
		merged->confidence = Max(merged->confidence, insight->confidence);
		merged->occurrences += insight->occurrences;
		merge_modules(into, &merged->modules, &insight->modules, &maps);
		for (uint32 k = 0; k < insight->keywords.count; k++)
			er_idset_add(&into->arena, &merged->keywords, maps.keywords[insight->keywords.members[k].id]);
		merge_values(into, &merged->evidence, &insight->evidence);
		merge_sources(into, &merged->sources, from, &insight->sources, &maps);
	}
	merge_recommendations(into, &into->recommendations, from, &from->recommendations, &maps, maps.recommendations);
	merge_recommendations(into, &into->deprioritized, from, &from->deprioritized, &maps, NULL);
	for (uint32 i = 0; i < from->identities.list.count; i++)
	{
		const ErIdentity *identity = er_item(&from->identities.list, ErIdentity, i);
		uint32		number = er_table_intern(&into->arena, &into->identities, sizeof(ErIdentity), identity->id, NULL);

		for (uint32 g = 0; g < identity->groups.count; g++)
			er_idset_add(&into->arena, &er_item(&into->identities.list, ErIdentity, number)->groups,
						 maps.recommendations[identity->groups.members[g].id]);
	}
	for (uint32 i = 0; i < from->sentences.list.count; i++)
	{
		const ErSentence *sentence = er_item(&from->sentences.list, ErSentence, i);

		er_sentence_take(into, sentence->key, sentence->text, sentence->module, sentence->report, sentence->place);
	}
}

/* ---- writing ---- */

static inline void
put(StringInfo out, const void *bytes, Size len)
{
	if (unlikely(len > STATE_LIMIT - out->len))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the state of a parallel consolidation is too large"),
				 errdetail("A worker hands over at most %zu bytes.", (Size) STATE_LIMIT),
				 errhint("Consolidate fewer reports at once, or without workers: SET max_parallel_workers_per_gather = 0.")));
	appendBinaryStringInfoNT(out, bytes, len);
}

/* a length, or ER_NONE for unknown; then the bytes */
static void
put_text(StringInfo out, ErText text)
{
	uint32		len = text.ptr == NULL ? ER_NONE : text.len;

	put(out, &len, sizeof(len));
	if (text.ptr != NULL)
		put(out, text.ptr, text.len);
}

static void
put_modules(StringInfo out, const ErModuleSet *set)
{
	put(out, &set->bits, sizeof(set->bits));
	put_ids(out, &set->more);
}

static void
put_ids(StringInfo out, const ErIdSet *set)
{
	put(out, &set->count, sizeof(set->count));
	for (uint32 i = 0; i < set->count; i++)
		put(out, &set->members[i].id, sizeof(uint32));
}

static void
put_values(StringInfo out, const ErValueSet *set)
{
	put(out, &set->count, sizeof(set->count));
	for (uint32 i = 0; i < set->count; i++)
	{
		ErText		text = {set->values[i].ptr, set->values[i].len};

		put(out, &set->values[i].type, sizeof(uint32));
		put_text(out, text);
	}
}

static void
put_sources(StringInfo out, const ErSources *sources)
{
	put(out, &sources->count, sizeof(sources->count));
	put(out, sources->sources, sources->count * sizeof(ErSource));
}

static void
put_recommendations(StringInfo out, const ErTable *table)
{
	put(out, &table->list.count, sizeof(uint32));
	for (uint32 i = 0; i < table->list.count; i++)
	{
		const ErRecommendation *group = er_item(&table->list, ErRecommendation, i);

		CHECK_FOR_INTERRUPTS();
		put_text(out, group->key);
		put(out, &group->occurrences, sizeof(group->occurrences));
		put(out, &group->saying.impact_rank, sizeof(group->saying.impact_rank));
		put(out, &group->saying.effort_rank, sizeof(group->saying.effort_rank));
		put_text(out, group->saying.action);
		put_text(out, group->saying.rationale);
		put_text(out, group->saying.impact);
		put_text(out, group->saying.effort);
		put_text(out, group->saying.timeline);
		put_text(out, group->saying.theme);
		put_modules(out, &group->modules);
		put_ids(out, &group->needs);
		put_values(out, &group->dependencies);
		put_values(out, &group->open);
		put_values(out, &group->lost);
		put_values(out, &group->ids);
		put_sources(out, &group->sources);
	}
}

/* ---- reading ---- */

static void
take(Reader *in, void *bytes, Size len)
{
	if ((Size) (in->end - in->at) < len)
		damaged();
	if (len > 0)
		memcpy(bytes, in->at, len);
	in->at += len;
}

static uint32
take_number(Reader *in, uint32 below)
{
	uint32		number;

	take(in, &number, sizeof(number));
	if (number >= below)
		damaged();
	return number;
}

/* A count of things that take at least so many bytes each. */
static uint32
take_count(Reader *in, Size least_size)
{
	uint32		count;

	take(in, &count, sizeof(count));
	if (count > (Size) (in->end - in->at) / least_size)
		damaged();
	return count;
}

static ErText
take_text(Reader *in)
{
	ErText		text = {NULL, 0};
	uint32		len;

	take(in, &len, sizeof(len));
	if (len == ER_NONE)
		return text;
	if ((Size) (in->end - in->at) < len)
		damaged();
	text.ptr = in->at;
	text.len = len;
	in->at += len;
	return text;
}

static void
take_modules(Reader *in, ErModuleSet *set, uint32 modules)
{
	take(in, &set->bits, sizeof(set->bits));
	if (modules < 64 && (set->bits >> modules) != 0)
		damaged();
	take_ids(in, &set->more, modules);
}

static void
take_ids(Reader *in, ErIdSet *set, uint32 below)
{
	set->count = set->size = take_count(in, sizeof(uint32));
	if (set->count > 0)
		set->members = palloc_extended(set->count * sizeof(ErMember), MCXT_ALLOC_HUGE);
	for (uint32 i = 0; i < set->count; i++)
	{
		set->members[i].id = take_number(in, below);
		set->members[i].stamp = 0;
	}
}

static void
take_values(Reader *in, ErValueSet *set)
{
	set->count = set->size = take_count(in, 2 * sizeof(uint32));
	if (set->count > 0)
		set->values = palloc_extended(set->count * sizeof(ErValue), MCXT_ALLOC_HUGE);
	for (uint32 i = 0; i < set->count; i++)
	{
		ErText		text;

		take(in, &set->values[i].type, sizeof(uint32));
		text = take_text(in);
		if (text.ptr == NULL || (set->values[i].type & ~JENTRY_TYPEMASK) != 0)
			damaged();
		set->values[i].ptr = text.ptr;
		set->values[i].len = text.len;
		set->values[i].hash = 0;
	}
}

static void
take_sources(Reader *in, ErSources *sources, uint32 reports)
{
	sources->count = take_count(in, sizeof(ErSource));
	if (sources->count > ER_SOURCES_KEPT)
		damaged();
	sources->sources = palloc(sources->count * sizeof(ErSource));
	take(in, sources->sources, sources->count * sizeof(ErSource));
	for (uint32 i = 0; i < sources->count; i++)
		if (sources->sources[i].report >= reports)
			damaged();
}

static void
take_recommendations(Reader *in, ErTable *table, const ErConsolidation *state)
{
	take_list(in, &table->list, sizeof(ErRecommendation), 70);
	for (uint32 i = 0; i < table->list.count; i++)
	{
		ErRecommendation *group = er_item(&table->list, ErRecommendation, i);

		CHECK_FOR_INTERRUPTS();
		group->key = take_text(in);
		group->said = true;
		take(in, &group->occurrences, sizeof(group->occurrences));
		take(in, &group->saying.impact_rank, sizeof(group->saying.impact_rank));
		take(in, &group->saying.effort_rank, sizeof(group->saying.effort_rank));
		group->saying.action = take_text(in);
		group->saying.rationale = take_text(in);
		group->saying.impact = take_text(in);
		group->saying.effort = take_text(in);
		group->saying.timeline = take_text(in);
		group->saying.theme = take_text(in);
		take_modules(in, &group->modules, state->modules.list.count);
		take_ids(in, &group->needs, table->list.count);
		take_values(in, &group->dependencies);
		take_values(in, &group->open);
		take_values(in, &group->lost);
		take_values(in, &group->ids);
		take_sources(in, &group->sources, state->sources.count);
	}
}

static void *
take_list(Reader *in, ErList *list, Size item_size, Size least_size)
{
	list->count = list->size = take_count(in, least_size);
	list->items = palloc_extended(Max(list->count, 1) * item_size, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	return list->items;
}

static void
damaged(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("the serialised consolidation state is damaged")));
}

/* ---- merging ---- */

static uint32 *
number_map(uint32 count)
{
	uint32	   *map = palloc_extended(Max(count, 1) * sizeof(uint32), MCXT_ALLOC_HUGE);

	memset(map, 0xFF, Max(count, 1) * sizeof(uint32));
	return map;
}

static void
merge_modules(ErConsolidation *into, ErModuleSet *set, const ErModuleSet *more, const Maps *maps)
{
	for (uint64 bits = more->bits; bits != 0; bits &= bits - 1)
		er_modules_add(&into->arena, set, maps->modules[pg_rightmost_one_pos64(bits)]);
	for (uint32 i = 0; i < more->more.count; i++)
		er_modules_add(&into->arena, set, maps->modules[more->more.members[i].id]);
}

static void
merge_values(ErConsolidation *into, ErValueSet *set, const ErValueSet *more)
{
	for (uint32 i = 0; i < more->count; i++)
		er_valueset_add(&into->arena, set, more->values[i].type, more->values[i].ptr, more->values[i].len);
}

static void
merge_sources(ErConsolidation *into, ErSources *sources, const ErConsolidation *from, const ErSources *more, Maps *maps)
{
	for (uint32 i = 0; i < more->count; i++)
	{
		const ErReport *report = er_item(&from->sources, ErReport, more->sources[i].report);

		er_source_add(into, sources, more->sources[i].strength, report->id, maps->modules[report->module],
					  &maps->reports[more->sources[i].report]);
	}
}

/* Numbers of recommendations are mapped first, because they may depend on any other. */
static void
merge_recommendations(ErConsolidation *into, ErTable *table, const ErConsolidation *from, const ErTable *more,
					  Maps *maps, uint32 *numbers)
{
	if (numbers == NULL)
		numbers = number_map(more->list.count);
	for (uint32 i = 0; i < more->list.count; i++)
		numbers[i] = er_table_intern(&into->arena, table, sizeof(ErRecommendation),
									 er_item(&more->list, ErRecommendation, i)->key, NULL);
	for (uint32 i = 0; i < more->list.count; i++)
	{
		const ErRecommendation *group = er_item(&more->list, ErRecommendation, i);
		ErRecommendation *merged = er_item(&table->list, ErRecommendation, numbers[i]);

		CHECK_FOR_INTERRUPTS();
		er_recommendation_represent(into, merged, &group->saying);
		merged->occurrences += group->occurrences;
		merge_modules(into, &merged->modules, &group->modules, maps);
		for (uint32 n = 0; n < group->needs.count; n++)
			er_idset_add(&into->arena, &merged->needs, numbers[group->needs.members[n].id]);
		merge_values(into, &merged->dependencies, &group->dependencies);
		merge_values(into, &merged->open, &group->open);
		merge_values(into, &merged->lost, &group->lost);
		merge_values(into, &merged->ids, &group->ids);
		merge_sources(into, &merged->sources, from, &group->sources, maps);
	}
}
