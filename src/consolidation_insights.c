/*
 * consolidation_insights.c
 *		Merging insights, and writing them in order.
 *
 * Insights of one type and one normalised title are one group. Within a report a group counts once, however often
 * the report says it. The group's severity and confidence are the highest that anybody gave; its title, description
 * and category come from its strongest insight: severity, confidence, then bytewise.
 */
#include "compat.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "consolidation.h"

#define FIRST_RECALLS 1024
#define FORESEEN (ER_FORESIGHT / 4)	/* items between two levels of pointers that are foreseen */
#define STRENGTH(severity, confidence) ((int32) (severity) * 16384 + (confidence) + 1)
#define HUNDREDTHS(fixed8) ((int32) (((fixed8) + 500000) / 1000000))

static inline const ErInsight *foreseen(const ErConsolidation *state, uint32 pending);
static uint32 group_of(ErConsolidation *state, const ErPending *item);
static uint32 recall(const ErConsolidation *state, const ErPending *item);
static inline uint32 find_recall(const ErConsolidation *state, uint32 hash);
static void remember(ErConsolidation *state, uint32 hash, uint32 group);
static void grow_recalls(ErConsolidation *state);
static inline void place_recall(ErConsolidation *state, uint32 hash, uint32 place);
static void said_stronger(ErConsolidation *state, ErInsight *insight, int16 severity, int32 confidence);
static uint32 word_number(ErConsolidation *state, ErText word);
static uint32 keyword_number(ErConsolidation *state, ErText text);
static void keep_text(ErArena *arena, ErText *kept, uint32 *room, ErText text);
static int	compare_source(const ErConsolidation *state, int32 strength, ErText report, uint32 module,
						   const ErSource *source);

/* The fingerprint of each insight, by its number. */
typedef uint8 Fingerprint[ER_FINGERPRINT_BYTES];

typedef struct InsightOrder
{
	uint64		first;			/* severity, modules */
	uint64		second;			/* confidence, occurrences */
	uint64		title;			/* its first bytes */
	uint32		number;
} InsightOrder;

typedef struct Ordering
{
	const ErConsolidation *state;
	Fingerprint *fingerprints;
} Ordering;

static inline void foresee(const ErConsolidation *state, const InsightOrder *order, uint32 count, uint32 i);
static Fingerprint *fingerprint_insights(const ErConsolidation *state);
static InsightOrder *order_insights(const ErConsolidation *state, Fingerprint *fingerprints);
static int	compare_insights(const void *a, const void *b, void *arg);
static void write_keywords(ErJsonWriter *writer, const ErConsolidation *state, ErRanks *ranks, const ErIdSet *set);

const ErKnownWord er_type_words[] = {
	ER_WORD("opportunity"), ER_WORD("risk"), ER_WORD("observation"), ER_WORD("trend"), ER_WORD("gap"), {NULL}
};

static const char *const insight_keys[] = {
	"type", "title", "sources", "category", "evidence", "position", "severity", "moduleIds", "confidence",
	"description", "fingerprint", "occurrences", "groupPosition", "relatedKeywords"
};
static const ErJsonShape insight_shape = {lengthof(insight_keys), insight_keys};

ErConsolidation *
er_consolidation_create(MemoryContext context, bool insights_only)
{
	MemoryContext own = AllocSetContextCreate(context, "consolidation", ALLOCSET_DEFAULT_SIZES);
	ErConsolidation *state = MemoryContextAllocZero(own, sizeof(ErConsolidation));

	er_keep_freed_memory();
	state->context = own;
	state->temporary = AllocSetContextCreate(own, "consolidation of one report", ALLOCSET_DEFAULT_SIZES);
	state->arena.context = own;
	state->buffer.context = own;
	state->insights_only = insights_only;
	state->as_of = ER_UNKNOWN_TIME;
	return state;
}

ErPending *
er_insight_next(ErConsolidation *state)
{
	ErPending  *item;

	if (unlikely(state->pending.count == state->pending.size))
		er_list_grow(&state->arena, &state->pending, sizeof(ErPending));
	item = er_item(&state->pending, ErPending, state->pending.count++);
	item->group = ER_NONE;
	return item;
}

/*
 * Groups lie anywhere in more memory than the processor's cache holds. Each insight that waits to be taken comes through
 * here four times, FORESEEN insights apart, and asks for what the next level of pointers leads to, so that the waits
 * overlap. The call for the insight `coming` serves those before it too.
 */
void
er_insight_foresee(ErConsolidation *state, uint32 coming)
{
	uint32		count = state->pending.count;

	if (coming < count)
	{
		ErPending  *item = er_item(&state->pending, ErPending, coming);

		item->said = er_hash(item->title.ptr, item->title.len);
		if (item->type.ptr != NULL)
			item->said += item->type.len << 8 | (unsigned char) item->type.ptr[0];
		if (state->recalls != NULL)
			er_prefetch(&state->recalls[item->said & state->recall_mask & ~1]);
	}
	/* below 0 is above count */
	if (coming - FORESEEN < count)
	{
		ErPending  *item = er_item(&state->pending, ErPending, coming - FORESEEN);
		const char *insight;

		item->foreseen = find_recall(state, item->said);
		insight = (const char *) foreseen(state, coming - FORESEEN);
		for (Size line = 0; insight != NULL && line < sizeof(ErInsight); line += 64)
			er_prefetch(insight + line);
	}
	if (coming - 2 * FORESEEN < count)
	{
		const ErInsight *insight = foreseen(state, coming - 2 * FORESEEN);

		if (insight != NULL)
		{
			er_prefetch(insight->title.ptr);
			er_prefetch(insight->keywords.members);
			er_prefetch(insight->evidence.slots);
			er_prefetch(insight->evidence.values);
			if (insight->evidence.count > 3)
				er_prefetch(insight->evidence.values + 3);
			er_prefetch(insight->sources.sources + insight->sources.count / 2);
			er_prefetch(insight->sources.sources + insight->sources.count);
		}
	}
	if (coming - 3 * FORESEEN < count)
	{
		const ErInsight *insight = foreseen(state, coming - 3 * FORESEEN);

		if (insight != NULL)
			for (uint32 v = 0; v < Min(insight->evidence.count, 4); v++)
				er_prefetch(insight->evidence.values[v].ptr);
	}
}

static inline const ErInsight *
foreseen(const ErConsolidation *state, uint32 pending)
{
	uint32		group = er_item(&state->pending, ErPending, pending)->foreseen;

	return group == ER_NONE ? NULL : er_item(&state->insights.list, ErInsight, group);
}

void
er_insight_take(ErConsolidation *state, ErPending *item)
{
	bool		twin = item->group != ER_NONE;
	int32		confidence = item->confidence < 0 ? ER_UNKNOWN_CONFIDENCE :
		HUNDREDTHS(state->unit_scale ? item->confidence * 100 : item->confidence);
	ErInsight  *insight;

	if (!twin)
		item->group = group_of(state, item);
	insight = er_item(&state->insights.list, ErInsight, item->group);
	insight->severity = Max(insight->severity, item->severity);
	insight->confidence = Max(insight->confidence, confidence);
	if (!twin && STRENGTH(item->severity, confidence) >= insight->strength)
		er_insight_represent(state, insight, STRENGTH(item->severity, confidence), item->title, item->description,
							 word_number(state, item->category));

	if (likely(insight->report != state->report))
	{
		insight->report = state->report;
		insight->said_severity = item->severity;
		insight->said_confidence = confidence;
		insight->occurrences++;
		er_modules_add(&state->arena, &insight->modules, state->module);
		er_source_add(state, &insight->sources, STRENGTH(item->severity, confidence), state->id, state->module,
					  &state->source);
		state->confidence_sum += Max(confidence, 0);
		state->confidence_count += confidence >= 0;
	}
	else if (item->severity > insight->said_severity || confidence > insight->said_confidence)
		said_stronger(state, insight, item->severity, confidence);
}

/*
 * The group it belongs to, a new one if there is none. Its key: type, a separator, and the normalised title; without a title the
 * description, without that the id.
 */
static uint32
group_of(ErConsolidation *state, const ErPending *item)
{
	ErText		named = item->title.ptr != NULL ? item->title :
		item->description.ptr != NULL ? item->description : item->id;
	Size		prefix = (item->type.ptr == NULL ? 0 : item->type.len) + 1;
	uint32		group = recall(state, item);
	ErText		key;
	uint64		hash;

	if (group != ER_NONE)
		return group;

	if (named.ptr == NULL)
		named.ptr = "";
	key = er_normalise(&state->buffer, named, prefix);
	key.ptr = state->buffer.text;
	key.len += prefix;
	if (prefix > 1)
		memcpy(state->buffer.text, item->type.ptr, prefix - 1);
	state->buffer.text[prefix - 1] = '\x1f';
	hash = er_hash(key.ptr, key.len);
	group = er_table_find(&state->insights, sizeof(ErInsight), key, hash);
	if (group == ER_NONE)
	{
		ErInsight  *insight;

		group = er_table_add(&state->arena, &state->insights, sizeof(ErInsight), er_arena_text(&state->arena, key), hash);
		insight = er_item(&state->insights.list, ErInsight, group);
		insight->type = word_number(state, item->type);
		insight->category = ER_NONE;
		insight->strength = -1;
		insight->confidence = ER_UNKNOWN_CONFIDENCE;
	}
	if (item->title.ptr != NULL)
		remember(state, item->said, group);
	return group;
}

/*
 * The group whose strongest insight has this type and title, if we came by it lately. Reports repeat most titles letter by letter,
 * and a group found again so costs a tenth of normalising the title. Each hash has two places side by side.
 */
static uint32
recall(const ErConsolidation *state, const ErPending *item)
{
	uint32		group = item->title.ptr == NULL ? ER_NONE : find_recall(state, item->said);
	const ErInsight *insight;
	ErText		type = {NULL, 0};

	if (group == ER_NONE)
		return ER_NONE;
	insight = er_item(&state->insights.list, ErInsight, group);
	if (insight->type != ER_NONE)
		type = er_item(&state->words.list, ErWord, insight->type)->text;
	if (insight->title.len != item->title.len || type.len != item->type.len || insight->title.ptr == NULL ||
		!er_same_bytes(insight->title.ptr, item->title.ptr, item->title.len) ||
		!er_same_bytes(type.ptr, item->type.ptr, type.len))
		return ER_NONE;
	return group;
}

/* The group that was kept with this hash, or ER_NONE. */
static inline uint32
find_recall(const ErConsolidation *state, uint32 hash)
{
	const ErRecall *slot;

	if (state->recalls == NULL)
		return ER_NONE;
	slot = &state->recalls[hash & state->recall_mask & ~1];
	if (slot->hash != hash)
		slot++;
	return slot->place == 0 || slot->hash != hash ? ER_NONE : slot->place - 1;
}

static void
remember(ErConsolidation *state, uint32 hash, uint32 group)
{
	if (state->recalls == NULL || state->insights.list.count > state->recall_mask / 2)
		grow_recalls(state);
	place_recall(state, hash, group + 1);
}

static void
grow_recalls(ErConsolidation *state)
{
	ErRecall   *known = state->recalls;
	uint32		count = known == NULL ? 0 : state->recall_mask + 1;
	uint32		size = known == NULL ? FIRST_RECALLS : count * 4;

	if (size == 0)
		return;
	state->recalls = memset(er_arena_alloc(&state->arena, size * sizeof(ErRecall)), 0, size * sizeof(ErRecall));
	state->recall_mask = size - 1;
	for (uint32 i = 0; i < count; i++)
		if (known[i].place != 0)
			place_recall(state, known[i].hash, known[i].place);
}

static inline void
place_recall(ErConsolidation *state, uint32 hash, uint32 place)
{
	ErRecall   *slot = &state->recalls[hash & state->recall_mask & ~1];

	if (slot->hash != hash)
		slot[1] = slot[0];
	slot->hash = hash;
	slot->place = place;
}

/* The report says the same insight again, and more strongly: it is still one source, with one confidence. */
static void
said_stronger(ErConsolidation *state, ErInsight *insight, int16 severity, int32 confidence)
{
	ErSources  *sources = &insight->sources;

	if (confidence > insight->said_confidence)
	{
		state->confidence_sum += confidence - Max(insight->said_confidence, 0);
		state->confidence_count += insight->said_confidence < 0;
		insight->said_confidence = confidence;
	}
	insight->said_severity = Max(insight->said_severity, severity);
	for (uint32 i = 0; i < sources->count; i++)
		if (sources->sources[i].report == state->source)
		{
			memmove(&sources->sources[i], &sources->sources[i + 1], (sources->count - i - 1) * sizeof(ErSource));
			sources->count--;
			break;
		}
	er_source_add(state, sources, STRENGTH(insight->said_severity, insight->said_confidence), state->id, state->module,
				  &state->source);
}

static uint32
word_number(ErConsolidation *state, ErText word)
{
	if (word.ptr == NULL)
		return ER_NONE;
	for (int i = 0; er_type_words[i].word != NULL; i++)
		if (word.ptr == er_type_words[i].word)
		{
			if (state->known_words[i] == 0)
				state->known_words[i] = er_table_intern(&state->arena, &state->words, sizeof(ErWord), word, NULL) + 1;
			return state->known_words[i] - 1;
		}
	return er_table_intern(&state->arena, &state->words, sizeof(ErWord), word, NULL);
}

/* The hint says which of the group's keywords it may be: reports mostly list them in the same order. */
void
er_insight_keyword(ErConsolidation *state, uint32 group, ErText text, uint32 hint)
{
	ErInsight  *insight = er_item(&state->insights.list, ErInsight, group);
	ErMember   *member = NULL;

	if (hint < insight->keywords.count)
	{
		ErText		spelling;

		member = &insight->keywords.members[hint];
		spelling = er_item(&state->keywords.list, ErKeyword, member->id)->spelling;
		if (spelling.len != text.len || !er_same_bytes(spelling.ptr, text.ptr, text.len))
			member = NULL;
	}
	if (member == NULL)
		member = er_idset_add(&state->arena, &insight->keywords, keyword_number(state, text));
	if (member->stamp != state->report)
	{
		member->stamp = state->report;
		if (!state->insights_only)
		{
			ErKeyword  *keyword = er_item(&state->keywords.list, ErKeyword, member->id);

			keyword->count++;
			er_modules_add(&state->arena, &keyword->modules, state->module);
		}
	}
}

/* Each spelling is normalised once. */
static pg_noinline uint32
keyword_number(ErConsolidation *state, ErText text)
{
	uint64		hash = er_hash(text.ptr, text.len);
	uint32		spelling = er_table_find(&state->spellings, sizeof(ErSpelling), text, hash);

	if (spelling == ER_NONE)
	{
		bool		added;
		uint32		number = er_table_intern(&state->arena, &state->keywords, sizeof(ErKeyword),
											 er_normalise(&state->buffer, text, 0), &added);
		ErKeyword  *keyword = er_item(&state->keywords.list, ErKeyword, number);

		text = er_arena_text(&state->arena, text);
		if (added || er_text_compare(text, keyword->spelling) < 0)
			keyword->spelling = text;
		spelling = er_table_add(&state->arena, &state->spellings, sizeof(ErSpelling), text, hash);
		er_item(&state->spellings.list, ErSpelling, spelling)->keyword = number;
	}
	return er_item(&state->spellings.list, ErSpelling, spelling)->keyword;
}

/* The strongest insight lends its text: one with a description before one without, then bytewise. */
void
er_insight_represent(ErConsolidation *state, ErInsight *insight, int32 strength, ErText title, ErText description,
					 uint32 category)
{
	if (strength < insight->strength)
		return;
	if (strength == insight->strength)
	{
		ErText		none = {NULL, 0};
		int			order = (insight->description.ptr != NULL) - (description.ptr != NULL);

		if (order == 0)
			order = er_text_compare(title, insight->title);
		if (order == 0)
			order = er_text_compare(description, insight->description);
		if (order == 0)
			order = er_text_compare(
				category == ER_NONE ? none : er_item(&state->words.list, ErWord, category)->text,
				insight->category == ER_NONE ? none : er_item(&state->words.list, ErWord, insight->category)->text);
		if (order >= 0)
			return;
	}
	insight->strength = strength;
	insight->category = category;
	keep_text(&state->arena, &insight->title, &insight->title_room, title);
	keep_text(&state->arena, &insight->description, &insight->description_room, description);
}

/* Copies a text over the one it replaces, when there is room. */
static void
keep_text(ErArena *arena, ErText *kept, uint32 *room, ErText text)
{
	if (text.ptr != NULL && kept->ptr != NULL && text.len <= *room)
	{
		memcpy((char *) kept->ptr, text.ptr, text.len);
		kept->len = text.len;
		return;
	}
	*kept = er_arena_text(arena, text);
	*room = text.ptr == NULL ? 0 : text.len;
}

void
er_source_add(ErConsolidation *state, ErSources *sources, int32 strength, ErText report, uint32 module, uint32 *place)
{
	uint32		at = sources->count;

	if (at == ER_SOURCES_KEPT)
	{
		if (strength < sources->weakest)
			return;
		if (compare_source(state, strength, report, module, &sources->sources[at - 1]) >= 0)
			return;
		at--;
	}
	else if (at == sources->size)
	{
		ErSource   *room;

		sources->size = at == 0 ? 2 : at == 2 ? 8 : ER_SOURCES_KEPT;
		room = er_arena_alloc(&state->arena, sources->size * sizeof(ErSource));
		if (at > 0)
			memcpy(room, sources->sources, at * sizeof(ErSource));
		sources->sources = room;
	}
	if (*place == ER_NONE)
	{
		ErReport   *kept = er_list_add(&state->arena, &state->sources, sizeof(ErReport));

		kept->id = er_arena_text(&state->arena, report);
		kept->module = module;
		*place = state->sources.count - 1;
	}
	while (at > 0 && compare_source(state, strength, report, module, &sources->sources[at - 1]) < 0)
	{
		sources->sources[at] = sources->sources[at - 1];
		at--;
	}
	sources->sources[at].strength = strength;
	sources->sources[at].report = *place;
	if (sources->count < ER_SOURCES_KEPT)
		sources->count++;
	if (sources->count == ER_SOURCES_KEPT)
		sources->weakest = sources->sources[ER_SOURCES_KEPT - 1].strength;
}

/* Negative when the first is stronger: strength, then report id, then module. */
static int
compare_source(const ErConsolidation *state, int32 strength, ErText report, uint32 module, const ErSource *source)
{
	const ErReport *other;
	int			order;

	if (strength != source->strength)
		return strength > source->strength ? -1 : 1;
	other = er_item(&state->sources, ErReport, source->report);
	order = er_text_compare(report, other->id);
	if (order != 0 || module == other->module)
		return order;
	return er_text_compare(er_item(&state->modules.list, ErModule, module)->name,
						   er_item(&state->modules.list, ErModule, other->module)->name);
}

void
er_write_insights(ErJsonWriter *writer, const ErConsolidation *state, ErRanks *ranks)
{
	static const char *const severities[] = {NULL, "low", "medium", "high", "critical"};
	uint32		count = state->insights.list.count;
	Fingerprint *fingerprints = fingerprint_insights(state);
	InsightOrder *order = order_insights(state, fingerprints);
	uint32	   *in_category = palloc0(((Size) state->words.list.count + 1) * sizeof(uint32));
	ErText		none = {NULL, 0};

	er_json_begin_array(writer, count);
	for (uint32 i = 0; i < count; i++)
	{
		const ErInsight *insight = er_item(&state->insights.list, ErInsight, order[i].number);
		uint32		category = insight->category != ER_NONE ? insight->category : insight->type;

		CHECK_FOR_INTERRUPTS();
		foresee(state, order, count, i);
		er_json_begin_object(writer, &insight_shape);
		er_write_text(writer, insight->type == ER_NONE ? none : er_item(&state->words.list, ErWord, insight->type)->text);
		er_write_text(writer, insight->title);
		er_write_sources(writer, state, ranks, &insight->sources);
		er_write_text(writer, category == ER_NONE ? none : er_item(&state->words.list, ErWord, category)->text);
		er_write_values(writer, &insight->evidence);
		er_json_decimal(writer, i + 1, 0);
		er_write_string(writer, severities[insight->severity]);
		er_write_modules(writer, state, ranks, &insight->modules);
		if (insight->confidence < 0)
			er_json_null(writer);
		else
			er_json_decimal(writer, insight->confidence, 2);
		er_write_text(writer, insight->description);
		er_write_fingerprint(writer, fingerprints[order[i].number]);
		er_json_decimal(writer, insight->occurrences, 0);
		er_json_decimal(writer, ++in_category[category == ER_NONE ? state->words.list.count : category], 0);
		write_keywords(writer, state, ranks, &insight->keywords);
		er_json_end(writer);
	}
	er_json_end(writer);
	pfree(fingerprints);
	pfree(order);
	pfree(in_category);
}

/*
 * The groups are written in an order that has nothing to do with where they lie, and are more than the processor's
 * cache holds. Asking for the coming ones, one level of pointers after the other, lets the waits overlap.
 */
static inline void
foresee(const ErConsolidation *state, const InsightOrder *order, uint32 count, uint32 i)
{
	if (i + 3 * FORESEEN < count)
	{
		const char *insight = (const char *) er_item(&state->insights.list, ErInsight, order[i + 3 * FORESEEN].number);

		for (Size line = 0; line < sizeof(ErInsight); line += 64)
			er_prefetch(insight + line);
	}
	if (i + 2 * FORESEEN < count)
	{
		const ErInsight *insight = er_item(&state->insights.list, ErInsight, order[i + 2 * FORESEEN].number);

		er_prefetch(insight->title.ptr);
		for (uint32 line = 0; line < Min(insight->description.len, 256); line += 64)
			er_prefetch(insight->description.ptr + line);
		er_prefetch(insight->keywords.members);
		er_prefetch(insight->evidence.values);
		er_prefetch(insight->sources.sources);
	}
	if (i + FORESEEN < count)
	{
		const ErInsight *insight = er_item(&state->insights.list, ErInsight, order[i + FORESEEN].number);

		for (uint32 v = 0; v < Min(insight->evidence.count, 4); v++)
			er_prefetch(insight->evidence.values[v].ptr);
	}
}

static Fingerprint *
fingerprint_insights(const ErConsolidation *state)
{
	uint32		count = state->insights.list.count;
	Fingerprint *fingerprints = palloc_extended(Max(count, 1) * sizeof(Fingerprint), MCXT_ALLOC_HUGE);

	for (uint32 i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		er_fingerprint(er_item(&state->insights.list, ErInsight, i)->key, fingerprints[i]);
	}
	return fingerprints;
}

static InsightOrder *
order_insights(const ErConsolidation *state, Fingerprint *fingerprints)
{
	Ordering	ordering = {state, fingerprints};
	uint32		count = state->insights.list.count;
	InsightOrder *order = palloc_extended(Max(count, 1) * sizeof(InsightOrder), MCXT_ALLOC_HUGE);

	for (uint32 i = 0; i < count; i++)
	{
		const ErInsight *insight = er_item(&state->insights.list, ErInsight, i);

		order[i].first = ((uint64) (4 - insight->severity) << 32) | (uint32) ~er_modules_count(&insight->modules);
		order[i].second = ((uint64) (10000 - insight->confidence) << 32) | (uint32) ~insight->occurrences;
		order[i].title = 0;
		for (uint32 b = 0; b < 8; b++)
			order[i].title = order[i].title << 8 |
				(insight->title.ptr == NULL ? 0xFF : b < insight->title.len ? (unsigned char) insight->title.ptr[b] : 0);
		order[i].number = i;
	}
	qsort_arg(order, count, sizeof(InsightOrder), compare_insights, &ordering);
	return order;
}

static int
compare_insights(const void *a, const void *b, void *arg)
{
	const Ordering *ordering = arg;
	const ErList *insights = &ordering->state->insights.list;
	const InsightOrder *one = a;
	const InsightOrder *two = b;
	int			order;

	if (one->first != two->first)
		return one->first < two->first ? -1 : 1;
	if (one->second != two->second)
		return one->second < two->second ? -1 : 1;
	if (one->title != two->title)
		return one->title < two->title ? -1 : 1;
	CHECK_FOR_INTERRUPTS();
	order = er_text_compare(er_item(insights, ErInsight, one->number)->title, er_item(insights, ErInsight, two->number)->title);
	if (order != 0)
		return order;
	return memcmp(ordering->fingerprints[one->number], ordering->fingerprints[two->number], sizeof(Fingerprint));
}

static void
write_keywords(ErJsonWriter *writer, const ErConsolidation *state, ErRanks *ranks, const ErIdSet *set)
{
	uint32	   *sorted;

	if (set->count > ranks->scratch_size)
	{
		ranks->scratch_size = set->count;
		ranks->scratch = repalloc_huge(ranks->scratch, ranks->scratch_size * sizeof(uint32));
	}
	sorted = ranks->scratch;
	for (uint32 i = 0; i < set->count; i++)
		sorted[i] = ranks->keyword_rank[set->members[i].id];
	er_sort_numbers(sorted, set->count);
	er_json_begin_array(writer, set->count);
	for (uint32 i = 0; i < set->count; i++)
		er_write_text(writer, er_item(&state->keywords.list, ErKeyword, ranks->keyword_order[sorted[i]])->spelling);
	er_json_end(writer);
}
