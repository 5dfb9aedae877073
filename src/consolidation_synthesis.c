/*
 * consolidation_synthesis.c
 *		The final step: ranks, themes, patterns, prioritized actions, confidence, freshness, and the whole document.
 */
#include "compat.h"

#include "common/int.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "consolidation.h"

#define HOURS(n) ((n) * USECS_PER_HOUR)
#define SENTENCES_OF_PROMPT 2

static void write_all_modules(ErJsonWriter *writer, const ErConsolidation *state, const ErRanks *ranks);
static bool calls_to_act(const char *text, uint32 len);
static int	compare_module_names(const void *a, const void *b, void *arg);
static int	compare_spellings(const void *a, const void *b, void *arg);
static int	compare_themes(const void *a, const void *b, void *arg);
static int	compare_sentences(const void *a, const void *b, void *arg);
static int	compare_uint32(const void *a, const void *b);
static Size expected_size(const ErConsolidation *state);
static void write_synthesis(ErJsonWriter *writer, const ErConsolidation *state, ErRanks *ranks, const ErRanked *ranked);
static void write_themes(ErJsonWriter *writer, const ErConsolidation *state, const ErRanks *ranks);
static void write_patterns(ErJsonWriter *writer, const ErConsolidation *state);
static void write_actions(ErJsonWriter *writer, const ErConsolidation *state, const ErRanked *ranked);
static const char *freshness(const ErConsolidation *state);
static void confidence(const ErConsolidation *state, uint32 *overall, uint32 *basis);

static const char *const report_keys[] = {
	"insights", "dataFreshness", "deprioritized", "confidenceBasis", "modulesIncluded", "recommendations",
	"councilSynthesis", "overallConfidence"
};
static const ErJsonShape report_shape = {lengthof(report_keys), report_keys};
static const char *const synthesis_keys[] = {"keyThemes", "prioritizedActions", "crossModulePatterns"};
static const ErJsonShape synthesis_shape = {lengthof(synthesis_keys), synthesis_keys};

/* About as many bytes as the insights will take: a buffer that must grow takes twice the memory. */
static Size
expected_size(const ErConsolidation *state)
{
	Size		size = 1024;

	for (uint32 i = 0; i < state->insights.list.count; i++)
	{
		const ErInsight *insight = er_item(&state->insights.list, ErInsight, i);

		size += 400 + insight->title.len + insight->description.len + insight->sources.count * 112 +
			insight->keywords.count * 24 + insight->evidence.count * 48;
	}
	return Min(size, MaxAllocSize);
}

Jsonb *
er_write_everything(const ErConsolidation *state)
{
	ErJsonWriter writer;
	ErRanks		ranks;
	ErRanked	ranked;
	uint32		overall;
	uint32		basis;

	er_ranks(state, &ranks);
	er_rank_recommendations(state, &ranks, &ranked);
	confidence(state, &overall, &basis);
	er_json_start(&writer, expected_size(state));
	er_json_begin_object(&writer, &report_shape);
	er_write_insights(&writer, state, &ranks);
	er_write_string(&writer, freshness(state));
	er_write_deprioritized(&writer, state, &ranks, &ranked);
	er_json_decimal(&writer, basis, 0);
	write_all_modules(&writer, state, &ranks);
	er_write_recommendations(&writer, state, &ranks, &ranked);
	write_synthesis(&writer, state, &ranks, &ranked);
	er_json_decimal(&writer, overall, 0);
	er_json_end(&writer);
	return er_json_finish(&writer);
}

void
er_write_parts(const ErConsolidation *state, bool lists, bool synthesis, ErConsolidated *parts)
{
	ErJsonWriter writer;
	ErRanks		ranks;
	ErRanked	ranked;

	er_ranks(state, &ranks);
	er_rank_recommendations(state, &ranks, &ranked);
	memset(parts, 0, sizeof(*parts));
	confidence(state, &parts->confidence, &parts->confidence_basis);
	if (lists)
	{
		er_json_start(&writer, expected_size(state));
		er_write_insights(&writer, state, &ranks);
		parts->insights = er_json_finish(&writer);
		er_json_start(&writer, (Size) ranked.count * 512);
		er_write_recommendations(&writer, state, &ranks, &ranked);
		parts->recommendations = er_json_finish(&writer);
		er_json_start(&writer, (Size) ranked.dropped * 512);
		er_write_deprioritized(&writer, state, &ranks, &ranked);
		parts->deprioritized = er_json_finish(&writer);
	}
	if (synthesis)
	{
		er_json_start(&writer, 2048);
		write_synthesis(&writer, state, &ranks, &ranked);
		parts->synthesis = er_json_finish(&writer);
	}
	er_json_start(&writer, 256);
	write_all_modules(&writer, state, &ranks);
	parts->modules = er_json_finish(&writer);
}

Jsonb *
er_write_only_insights(const ErConsolidation *state)
{
	ErJsonWriter writer;
	ErRanks		ranks;

	er_ranks(state, &ranks);
	er_json_start(&writer, expected_size(state));
	er_write_insights(&writer, state, &ranks);
	return er_json_finish(&writer);
}

Jsonb *
er_write_only_recommendations(const ErConsolidation *state)
{
	ErJsonWriter writer;
	ErRanks		ranks;
	ErRanked	ranked;

	er_ranks(state, &ranks);
	er_rank_recommendations(state, &ranks, &ranked);
	er_json_start(&writer, (Size) ranked.count * 512);
	er_write_recommendations(&writer, state, &ranks, &ranked);
	return er_json_finish(&writer);
}

static void
write_all_modules(ErJsonWriter *writer, const ErConsolidation *state, const ErRanks *ranks)
{
	er_json_begin_array(writer, state->modules.list.count);
	for (uint32 i = 0; i < state->modules.list.count; i++)
		er_write_text(writer, er_item(&state->modules.list, ErModule, ranks->module_order[i])->name);
	er_json_end(writer);
}

/* ---- taking ---- */

/* A module's confidence is that of its newest report that states one; of two at the same time, the greater id's. */
void
er_module_said(ErConsolidation *state, uint32 number, TimestampTz at, ErText report, int32 confidence)
{
	ErModule   *module = er_item(&state->modules.list, ErModule, number);

	if (module->confidence >= 0)
	{
		int			order = at != module->said_at ? (at < module->said_at ? -1 : 1) :
			-er_text_compare(module->said_in, report);

		if (report.ptr == NULL || module->said_in.ptr == NULL)
			order = at != module->said_at ? order : (report.ptr != NULL) - (module->said_in.ptr != NULL);
		if (order == 0)
			order = confidence - module->confidence;
		if (order <= 0)
			return;
	}
	module->said_at = at;
	module->said_in = er_arena_text(&state->arena, report);
	module->confidence = confidence;
}

/* The first sentences of a council prompt that call to act, in their own words. */
void
er_take_prompt(ErConsolidation *state, ErText prompt)
{
	const char *at = prompt.ptr;
	const char *end = at + prompt.len;
	uint32		taken = 0;

	while (at < end && taken < SENTENCES_OF_PROMPT)
	{
		const char *stop = at;
		ErText		sentence;

		while (stop < end && *stop != '\n' &&
			   !((*stop == '.' || *stop == '!' || *stop == '?') &&
				 (stop + 1 == end || stop[1] == ' ' || (stop[1] >= '\t' && stop[1] <= '\r'))))
			stop++;
		CHECK_FOR_INTERRUPTS();
		if (stop < end && *stop != '\n')
			stop++;
		while (at < stop && (*at == ' ' || (*at >= '\t' && *at <= '\r')))
			at++;
		sentence.ptr = at;
		sentence.len = stop - at;
		while (sentence.len > 0 && (at[sentence.len - 1] == ' ' ||
									(at[sentence.len - 1] >= '\t' && at[sentence.len - 1] <= '\r')))
			sentence.len--;
		if (sentence.len > 0 && calls_to_act(sentence.ptr, sentence.len))
			er_sentence_take(state, er_normalise(&state->buffer, sentence, 0), sentence,
							 er_item(&state->modules.list, ErModule, state->module)->name, state->id, taken++);
		at = stop < end && *stop == '\n' ? stop + 1 : stop;
	}
}

/* A word that begins like one of these. */
static bool
calls_to_act(const char *text, uint32 len)
{
	static const char *const stems[] = {
		"action", "accion", "acci\xc3\xb3n", "recommend", "recomend", "recomiend", "suggest", "suger", "sugier",
		"prioriti", "prioriz"
	};
	bool		in_word = false;

	for (uint32 i = 0; i < len; i++)
	{
		unsigned char c = pg_ascii_tolower((unsigned char) text[i]);
		bool		letter = (c >= 'a' && c <= 'z') || c >= 128;

		if (letter && !in_word && (c == 'a' || c == 'r' || c == 's' || c == 'p'))
			for (int s = 0; s < lengthof(stems); s++)
			{
				uint32		at = 0;

				while (stems[s][at] != '\0' && i + at < len &&
					   (char) pg_ascii_tolower((unsigned char) text[i + at]) == stems[s][at])
					at++;
				if (stems[s][at] == '\0')
					return true;
			}
		in_word = letter;
		if ((i & 0xFFFFF) == 0xFFFFF)
			CHECK_FOR_INTERRUPTS();
	}
	return false;
}

/* Of one sentence said several times, the first by module, report and place stays. */
void
er_sentence_take(ErConsolidation *state, ErText key, ErText text, ErText module, ErText report, uint32 place)
{
	bool		added;
	uint32		number = er_table_intern(&state->arena, &state->sentences, sizeof(ErSentence), key, &added);
	ErSentence *sentence = er_item(&state->sentences.list, ErSentence, number);

	if (!added)
	{
		int			order = er_text_compare(module, sentence->module);

		if (order == 0)
			order = er_text_compare(report, sentence->report);
		if (order == 0)
			order = (place > sentence->place) - (place < sentence->place);
		if (order == 0)
			order = er_text_compare(text, sentence->text);
		if (order >= 0)
			return;
	}
	sentence->text = er_arena_text(&state->arena, text);
	sentence->module = er_arena_text(&state->arena, module);
	sentence->report = er_arena_text(&state->arena, report);
	sentence->place = place;
}

/* ---- ranks ---- */

void
er_ranks(const ErConsolidation *state, ErRanks *ranks)
{
	uint32		modules = state->modules.list.count;
	uint32		keywords = state->keywords.list.count;

	ranks->module_rank = palloc_extended(Max(modules, 1) * sizeof(uint32), MCXT_ALLOC_HUGE);
	ranks->module_order = palloc_extended(Max(modules, 1) * sizeof(uint32), MCXT_ALLOC_HUGE);
	ranks->keyword_rank = palloc_extended(Max(keywords, 1) * sizeof(uint32), MCXT_ALLOC_HUGE);
	ranks->keyword_order = palloc_extended(Max(keywords, 1) * sizeof(uint32), MCXT_ALLOC_HUGE);
	ranks->keyword_themes = palloc_extended(Max(keywords, 1) * sizeof(uint32), MCXT_ALLOC_HUGE);
	for (uint32 i = 0; i < modules; i++)
		ranks->module_order[i] = i;
	for (uint32 i = 0; i < keywords; i++)
		ranks->keyword_order[i] = ranks->keyword_themes[i] = i;
	qsort_arg(ranks->module_order, modules, sizeof(uint32), compare_module_names, (void *) state);
	qsort_arg(ranks->keyword_order, keywords, sizeof(uint32), compare_spellings, (void *) state);
	if (!state->insights_only)
		qsort_arg(ranks->keyword_themes, keywords, sizeof(uint32), compare_themes, (void *) state);
	for (uint32 i = 0; i < modules; i++)
		ranks->module_rank[ranks->module_order[i]] = i;
	for (uint32 i = 0; i < keywords; i++)
		ranks->keyword_rank[ranks->keyword_order[i]] = i;
	ranks->source_objects = palloc_extended(Max(state->sources.count, 1) * sizeof(Jsonb *), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	ranks->scratch_size = Max(modules, 64);
	ranks->scratch = palloc_extended(ranks->scratch_size * sizeof(uint32), MCXT_ALLOC_HUGE);
}

/* The modules of a set by name; the array is good until the next call. */
uint32
er_ranked_modules(ErRanks *ranks, const ErModuleSet *set, uint32 **names)
{
	uint32		count = er_modules_list(set, ranks->scratch);

	for (uint32 i = 0; i < count; i++)
		ranks->scratch[i] = ranks->module_rank[ranks->scratch[i]];
	er_sort_numbers(ranks->scratch, count);
	for (uint32 i = 0; i < count; i++)
		ranks->scratch[i] = ranks->module_order[ranks->scratch[i]];
	*names = ranks->scratch;
	return count;
}

void
er_sort_numbers(uint32 *numbers, uint32 count)
{
	if (count > 16)
	{
		qsort(numbers, count, sizeof(uint32), compare_uint32);
		return;
	}
	for (uint32 i = 1; i < count; i++)
	{
		uint32		number = numbers[i];
		uint32		at = i;

		for (; at > 0 && numbers[at - 1] > number; at--)
			numbers[at] = numbers[at - 1];
		numbers[at] = number;
	}
}

static int
compare_uint32(const void *a, const void *b)
{
	uint32		one = *(const uint32 *) a;
	uint32		two = *(const uint32 *) b;

	CHECK_FOR_INTERRUPTS();
	return (one > two) - (one < two);
}

static int
compare_module_names(const void *a, const void *b, void *arg)
{
	const ErTable *modules = &((const ErConsolidation *) arg)->modules;

	CHECK_FOR_INTERRUPTS();
	return er_text_compare(er_item(&modules->list, ErModule, *(const uint32 *) a)->name,
						   er_item(&modules->list, ErModule, *(const uint32 *) b)->name);
}

static int
compare_spellings(const void *a, const void *b, void *arg)
{
	const ErTable *keywords = &((const ErConsolidation *) arg)->keywords;

	CHECK_FOR_INTERRUPTS();
	return er_text_compare(er_item(&keywords->list, ErKeyword, *(const uint32 *) a)->spelling,
						   er_item(&keywords->list, ErKeyword, *(const uint32 *) b)->spelling);
}

static int
compare_themes(const void *a, const void *b, void *arg)
{
	const ErTable *keywords = &((const ErConsolidation *) arg)->keywords;
	const ErKeyword *one = er_item(&keywords->list, ErKeyword, *(const uint32 *) a);
	const ErKeyword *two = er_item(&keywords->list, ErKeyword, *(const uint32 *) b);
	uint32		one_modules = er_modules_count(&one->modules);
	uint32		two_modules = er_modules_count(&two->modules);

	CHECK_FOR_INTERRUPTS();
	if (one_modules != two_modules)
		return one_modules > two_modules ? -1 : 1;
	if (one->count != two->count)
		return one->count > two->count ? -1 : 1;
	return er_text_compare(one->spelling, two->spelling);
}

/* ---- writing ---- */

void
er_write_text(ErJsonWriter *writer, ErText text)
{
	er_json_text(writer, text.ptr, text.len);
}

void
er_write_string(ErJsonWriter *writer, const char *text)
{
	er_json_text(writer, text, text == NULL ? 0 : strlen(text));
}

/* in hex */
void
er_write_fingerprint(ErJsonWriter *writer, const uint8 *fingerprint)
{
	static const char digits[] = "0123456789abcdef";
	char		hex[2 * ER_FINGERPRINT_BYTES];

	for (int i = 0; i < ER_FINGERPRINT_BYTES; i++)
	{
		hex[2 * i] = digits[fingerprint[i] >> 4];
		hex[2 * i + 1] = digits[fingerprint[i] & 15];
	}
	er_json_text(writer, hex, sizeof(hex));
}

void
er_write_modules(ErJsonWriter *writer, const ErConsolidation *state, ErRanks *ranks, const ErModuleSet *set)
{
	uint32	   *names;
	uint32		count = er_ranked_modules(ranks, set, &names);

	er_json_begin_array(writer, count);
	for (uint32 i = 0; i < count; i++)
		er_write_text(writer, er_item(&state->modules.list, ErModule, names[i])->name);
	er_json_end(writer);
}

/* The object of a report is the same wherever it stands, so it is built once and copied. */
void
er_write_sources(ErJsonWriter *writer, const ErConsolidation *state, ErRanks *ranks, const ErSources *sources)
{
	static const char *const keys[] = {"moduleId", "execReportId"};
	static const ErJsonShape shape = {lengthof(keys), keys};

	er_json_begin_array(writer, sources->count);
	for (uint32 i = 0; i < sources->count; i++)
	{
		uint32		number = sources->sources[i].report;
		Jsonb	   *object = ranks->source_objects[number];

		if (object == NULL)
		{
			const ErReport *report = er_item(&state->sources, ErReport, number);
			ErJsonWriter own;

			er_json_start(&own, 128);
			er_json_begin_object(&own, &shape);
			er_write_text(&own, er_item(&state->modules.list, ErModule, report->module)->name);
			er_write_text(&own, report->id);
			er_json_end(&own);
			object = ranks->source_objects[number] = er_json_finish(&own);
		}
		er_json_copy(writer, JENTRY_ISCONTAINER, VARDATA(object), VARSIZE(object) - VARHDRSZ);
	}
	er_json_end(writer);
}

void
er_write_values(ErJsonWriter *writer, const ErValueSet *set)
{
	ErValue		few[8];
	ErValue    *values = few;

	if (set->count > lengthof(few))
		values = palloc_extended(set->count * sizeof(ErValue), MCXT_ALLOC_HUGE);
	if (set->count > 0)
		memcpy(values, set->values, set->count * sizeof(ErValue));
	if (set->count > lengthof(few))
		qsort(values, set->count, sizeof(ErValue), er_value_compare);
	else
		for (uint32 i = 1; i < set->count; i++)
			for (uint32 at = i; at > 0 && er_value_compare(&values[at - 1], &values[at]) > 0; at--)
			{
				ErValue		swap = values[at];

				values[at] = values[at - 1];
				values[at - 1] = swap;
			}
	er_json_begin_array(writer, set->count);
	for (uint32 i = 0; i < set->count; i++)
		er_json_copy(writer, values[i].type, values[i].ptr, values[i].len);
	er_json_end(writer);
	if (values != few)
		pfree(values);
}

static void
write_synthesis(ErJsonWriter *writer, const ErConsolidation *state, ErRanks *ranks, const ErRanked *ranked)
{
	er_json_begin_object(writer, &synthesis_shape);
	write_themes(writer, state, ranks);
	write_actions(writer, state, ranked);
	write_patterns(writer, state);
	er_json_end(writer);
}

static void
write_themes(ErJsonWriter *writer, const ErConsolidation *state, const ErRanks *ranks)
{
	uint32		count = Min(state->keywords.list.count, ER_THEMES);

	er_json_begin_array(writer, count);
	for (uint32 i = 0; i < count; i++)
		er_write_text(writer, er_item(&state->keywords.list, ErKeyword, ranks->keyword_themes[i])->spelling);
	er_json_end(writer);
}

/* The strongest recommendations that nothing speaks against, then what the council prompts say themselves. */
static void
write_actions(ErJsonWriter *writer, const ErConsolidation *state, const ErRanked *ranked)
{
	uint32	   *sentences = palloc_extended(Max(state->sentences.list.count, 1) * sizeof(uint32), MCXT_ALLOC_HUGE);
	ErText		actions[2 * ER_ACTIONS];
	uint32		count = 0;
	uint32		said = 0;

	for (uint32 i = 0; i < ranked->count && count < ER_ACTIONS; i++)
	{
		const ErRecommendation *group = er_item(&state->recommendations.list, ErRecommendation, ranked->order[i]);

		if (ranked->conflicts[ranked->order[i]].count == 0 && group->saying.action.ptr != NULL)
			actions[count++] = group->saying.action;
	}
	for (uint32 i = 0; i < state->sentences.list.count; i++)
		sentences[i] = i;
	qsort_arg(sentences, state->sentences.list.count, sizeof(uint32), compare_sentences, (void *) state);
	for (uint32 i = 0; i < state->sentences.list.count && said < ER_ACTIONS; i++)
	{
		const ErSentence *sentence = er_item(&state->sentences.list, ErSentence, sentences[i]);

		/* a sentence that is a recommendation was ranked, or spoken against, as one */
		if (er_table_find(&state->recommendations, sizeof(ErRecommendation), sentence->key,
						  er_hash(sentence->key.ptr, sentence->key.len)) != ER_NONE)
			continue;
		actions[count++] = sentence->text;
		said++;
	}
	er_json_begin_array(writer, count);
	for (uint32 i = 0; i < count; i++)
		er_write_text(writer, actions[i]);
	er_json_end(writer);
	pfree(sentences);
}

static int
compare_sentences(const void *a, const void *b, void *arg)
{
	const ErTable *sentences = &((const ErConsolidation *) arg)->sentences;
	const ErSentence *one = er_item(&sentences->list, ErSentence, *(const uint32 *) a);
	const ErSentence *two = er_item(&sentences->list, ErSentence, *(const uint32 *) b);
	int			order = er_text_compare(one->module, two->module);

	CHECK_FOR_INTERRUPTS();
	if (order == 0)
		order = er_text_compare(one->report, two->report);
	if (order == 0 && one->place != two->place)
		return one->place < two->place ? -1 : 1;
	return order != 0 ? order : er_text_compare(one->key, two->key);
}

typedef struct Pattern
{
	ErText		type;
	uint32		modules;
} Pattern;

static int
compare_patterns(const void *a, const void *b)
{
	const Pattern *one = a;
	const Pattern *two = b;

	if (one->modules != two->modules)
		return one->modules > two->modules ? -1 : 1;
	return er_text_compare(one->type, two->type);
}

/* A type that at least two modules, and at least half of them, bring insights of. */
static void
write_patterns(ErJsonWriter *writer, const ErConsolidation *state)
{
	uint32		types = state->words.list.count;
	uint32		all = state->modules.list.count;
	ErArena		arena = {CurrentMemoryContext};
	ErModuleSet *modules = palloc_extended(Max(types, 1) * sizeof(ErModuleSet), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	Pattern    *patterns = palloc_extended(Max(types, 1) * sizeof(Pattern), MCXT_ALLOC_HUGE);
	uint32		count = 0;

	for (uint32 i = 0; i < state->insights.list.count; i++)
	{
		const ErInsight *insight = er_item(&state->insights.list, ErInsight, i);

		CHECK_FOR_INTERRUPTS();
		if (insight->type == ER_NONE)
			continue;
		modules[insight->type].bits |= insight->modules.bits;
		for (uint32 m = 0; m < insight->modules.more.count; m++)
			er_idset_add(&arena, &modules[insight->type].more, insight->modules.more.members[m].id);
	}
	for (uint32 i = 0; i < types; i++)
	{
		uint32		of_type = er_modules_count(&modules[i]);

		if (of_type < 2 || of_type < all - of_type)
			continue;
		patterns[count].type = er_item(&state->words.list, ErWord, i)->text;
		patterns[count++].modules = of_type;
	}
	qsort(patterns, count, sizeof(Pattern), compare_patterns);
	er_json_begin_array(writer, count);
	for (uint32 i = 0; i < count; i++)
	{
		StringInfoData text;

		initStringInfo(&text);
		appendBinaryStringInfo(&text, patterns[i].type.ptr, patterns[i].type.len);
		appendStringInfo(&text, " identified across %u of %u modules", patterns[i].modules, all);
		er_json_text(writer, text.data, text.len);
		pfree(text.data);
	}
	er_json_end(writer);
}

/* From the oldest of the modules' newest reports; unknown when no time is known. */
static const char *
freshness(const ErConsolidation *state)
{
	TimestampTz oldest = ER_UNKNOWN_TIME;
	int64		age;

	for (uint32 i = 0; i < state->modules.list.count; i++)
	{
		TimestampTz newest = er_item(&state->modules.list, ErModule, i)->newest;

		if (newest != ER_UNKNOWN_TIME && (oldest == ER_UNKNOWN_TIME || newest < oldest))
			oldest = newest;
	}
	if (oldest == ER_UNKNOWN_TIME || state->as_of == ER_UNKNOWN_TIME)
		return NULL;
	if (pg_sub_s64_overflow(state->as_of, oldest, &age))
		age = PG_INT64_MAX;
	return age < HOURS(24) ? "fresh" : age < HOURS(168) ? "moderate" : "stale";
}

/* The mean over the modules that state one, in whole percent. */
static void
confidence(const ErConsolidation *state, uint32 *overall, uint32 *basis)
{
	uint64		sum = 0;

	*basis = 0;
	for (uint32 i = 0; i < state->modules.list.count; i++)
	{
		int32		said = er_item(&state->modules.list, ErModule, i)->confidence;

		if (said < 0)
			continue;
		sum += said;
		(*basis)++;
	}
	*overall = *basis == 0 ? 0 : (uint32) ((sum + (uint64) *basis * 50) / ((uint64) *basis * 100));
}
