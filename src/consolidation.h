/*
 * consolidation.h
 *		The consolidation machine: exec reports in, one set of insights, recommendations and synthesis out.
 *
 * A report is read once (consolidation_read*.c), its items are merged into a state (…_insights.c, …_recommendations.c),
 * and a final step orders and writes them. Invariants:
 *
 * - Nothing in the result depends on the order of the reports or on how workers shared them: every merge takes the
 *   maximum of a total order, a sum or a union, and every list is sorted by an order that ends in a unique key.
 * - The final step changes nothing in the state, so it may run again after more reports.
 * - Everything in a state lives in its arena. Texts are copied into it only when the state keeps them.
 * - An index (number) of a module, word, keyword or group is valid within one state only.
 */
#ifndef ER_CONSOLIDATION_H
#define ER_CONSOLIDATION_H

#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "jsonb_read.h"
#include "jsonb_write.h"

#define ER_NONE PG_UINT32_MAX	/* no index */
#define ER_SOURCES_KEPT 20		/* strongest sources kept of an item */
#define ER_CONFLICTS_KEPT 20	/* conflicts listed per kind of a recommendation */
#define ER_THEMES 5
#define ER_ACTIONS 10			/* prioritized actions: recommendations, and again sentences */
#define ER_FINGERPRINT_BYTES 16
#define ER_UNKNOWN_TIME PG_INT64_MIN
#define ER_UNKNOWN_CONFIDENCE (-1)	/* confidences are hundredths of a percent, 0 .. 10000 */

/* ---- texts, arena, sets and indexes: consolidation_store.c ---- */

typedef struct ErText
{
	const char *ptr;			/* NULL: unknown */
	uint32		len;
} ErText;

typedef struct ErArena
{
	MemoryContext context;
	char	   *free;
	Size		left;
	Size		chunk;
} ErArena;

extern void er_keep_freed_memory(void);
extern void *er_arena_alloc(ErArena *arena, Size size);
extern ErText er_arena_text(ErArena *arena, ErText text);

/* An array that grows, of elements of one size. */
typedef struct ErList
{
	char	   *items;
	uint32		count;
	uint32		size;
} ErList;

extern void er_list_grow(ErArena *arena, ErList *list, Size item_size);

/* A new item at the end, zeroed. */
static inline void *
er_list_add(ErArena *arena, ErList *list, Size item_size)
{
	if (unlikely(list->count == list->size))
		er_list_grow(arena, list, item_size);
	return memset(list->items + (Size) list->count++ * item_size, 0, item_size);
}

#define er_item(list, type, number) (&((type *) (list)->items)[number])

/* Hash index over a list whose elements begin with their ErText key. */
typedef struct ErIndexSlot
{
	uint64		hash;
	uint32		place;			/* index + 1; 0 is free */
} ErIndexSlot;

typedef struct ErIndex
{
	ErIndexSlot *slots;
	uint32		mask;
	uint32		used;
} ErIndex;

typedef struct ErTable
{
	ErList		list;
	ErIndex		index;
} ErTable;

/* Most texts have less than 32 bytes; for them without a loop, whose end a processor cannot foresee. */
static inline bool
er_same_bytes(const char *a, const char *b, Size len)
{
	uint64		one,
				two,
				three,
				four;

#define DIFFERENCE(to, at) \
	do { \
		uint64 other_; \
		memcpy(&(to), a + (at), 8); \
		memcpy(&other_, b + (at), 8); \
		(to) ^= other_; \
	} while (0)

	if (len > 32)
		return memcmp(a, b, len) == 0;
	if (len < 4)
		return len == 0 || (a[0] == b[0] && a[len / 2] == b[len / 2] && a[len - 1] == b[len - 1]);
	if (len < 8)
	{
		uint32		parts[4];

		memcpy(&parts[0], a, 4);
		memcpy(&parts[1], b, 4);
		memcpy(&parts[2], a + len - 4, 4);
		memcpy(&parts[3], b + len - 4, 4);
		return ((parts[0] ^ parts[1]) | (parts[2] ^ parts[3])) == 0;
	}
	DIFFERENCE(one, 0);
	DIFFERENCE(two, len - 8);
	if (len <= 16)
		return (one | two) == 0;
	DIFFERENCE(three, 8);
	DIFFERENCE(four, len - 16);
	return (one | two | three | four) == 0;
#undef DIFFERENCE
}

/* Blank: nothing but ASCII space. */
static inline bool
er_is_blank(const char *text, uint32 len)
{
	uint32		i = 0;

	while (i < len && (text[i] == ' ' || (text[i] >= '\t' && text[i] <= '\r')))
		i++;
	return i == len;
}

#if defined(__GNUC__) || defined(__clang__)
#define er_prefetch(address) __builtin_prefetch(address)
#else
#define er_prefetch(address) ((void) 0)
#endif

extern uint64 er_hash_seed;
extern void er_hash_choose_seed(void);

static inline uint64
er_hash_mix(uint64 a, uint64 b)
{
#ifdef HAVE_INT128
	uint128		product = (uint128) a * b;

	return (uint64) product ^ (uint64) (product >> 64);
#else
	a *= b | 1;
	return a ^ (a >> 32);
#endif
}

/*
 * Multiply and fold, sixteen bytes a step, the last sixteen overlapping. Good for tables; it is the same nowhere else,
 * not even in another process.
 */
static inline uint64
er_hash(const char *bytes, Size len)
{
	const uint64 one = UINT64CONST(0x9E3779B97F4A7C15);
	const uint64 two = UINT64CONST(0xD1B54A32D192ED03);
	uint64		hash;
	uint64		a = 0;
	uint64		b = 0;

	if (unlikely(er_hash_seed == 0))
		er_hash_choose_seed();
	hash = er_hash_seed ^ (len * one);
	if (likely(len >= 8))
	{
		const char *last = bytes + len - 8;

		for (; len > 16; bytes += 16, len -= 16)
		{
			memcpy(&a, bytes, 8);
			memcpy(&b, bytes + 8, 8);
			hash = er_hash_mix(a ^ one, b ^ hash);
		}
		memcpy(&a, len > 8 ? bytes : last, 8);
		memcpy(&b, last, 8);
	}
	else if (len >= 4)
	{
		uint32		part;

		memcpy(&part, bytes, 4);
		a = part;
		memcpy(&part, bytes + len - 4, 4);
		b = part;
	}
	else if (len > 0)
		a = (uint64) (unsigned char) bytes[0] << 16 | (uint64) (unsigned char) bytes[len / 2] << 8 |
			(unsigned char) bytes[len - 1];
	return er_hash_mix(two, er_hash_mix(a ^ two, b ^ hash) ^ one);
}
extern uint32 er_table_find(const ErTable *table, Size item_size, ErText key, uint64 hash);
/* Adds a zeroed item; the key is not copied. */
extern uint32 er_table_add(ErArena *arena, ErTable *table, Size item_size, ErText key, uint64 hash);
/* Finds, or adds with the key copied into the arena. */
extern uint32 er_table_intern(ErArena *arena, ErTable *table, Size item_size, ErText key, bool *added);

/* A set of indexes, hashed above 16 members. The stamp belongs to whoever fills the set. */
typedef struct ErMember
{
	uint32		id;
	uint32		stamp;
} ErMember;

typedef struct ErIdSet
{
	ErMember   *members;
	uint32	   *slots;
	uint32		count;
	uint32		size;
	uint32		mask;
} ErIdSet;

extern ErMember *er_idset_add(ErArena *arena, ErIdSet *set, uint32 id);
extern bool er_idset_has(const ErIdSet *set, uint32 id);

/* A set of modules: the first 64 of a state are bits. */
typedef struct ErModuleSet
{
	uint64		bits;
	ErIdSet		more;
} ErModuleSet;

static inline void
er_modules_add(ErArena *arena, ErModuleSet *set, uint32 module)
{
	if (likely(module < 64))
		set->bits |= UINT64CONST(1) << module;
	else
		er_idset_add(arena, &set->more, module);
}

extern uint32 er_modules_count(const ErModuleSet *set);
/* the members, not ordered; the array is the caller's */
extern uint32 er_modules_list(const ErModuleSet *set, uint32 *modules);

/* A set of jsonb values, hashed above 16 members. */
typedef struct ErValue
{
	uint64		hash;
	const char *ptr;
	uint32		len;
	uint32		type;
} ErValue;

typedef struct ErValueSet
{
	ErValue    *values;
	uint32	   *slots;
	uint32		count;
	uint32		size;
	uint32		mask;
} ErValueSet;

extern void er_valueset_add(ErArena *arena, ErValueSet *set, uint32 type, const char *bytes, uint32 len);
extern int	er_value_compare(const void *a, const void *b);

static inline int
er_text_compare(ErText a, ErText b)
{
	int			order;

	/* unknown comes last */
	if (a.ptr == NULL || b.ptr == NULL)
		return (a.ptr == NULL) - (b.ptr == NULL);
	order = memcmp(a.ptr, b.ptr, Min(a.len, b.len));
	if (order != 0)
		return order;
	return (a.len > b.len) - (a.len < b.len);
}

/* ---- what a state holds ---- */

typedef struct ErReport
{
	ErText		id;				/* may be unknown */
	uint32		module;
} ErReport;

typedef struct ErSource
{
	int32		strength;		/* higher is stronger */
	uint32		report;
} ErSource;

typedef struct ErSources
{
	ErSource   *sources;
	uint32		count;
	uint32		size;
	int32		weakest;		/* strength of the last, when no more are kept */
} ErSources;

typedef struct ErModule
{
	ErText		name;
	TimestampTz newest;			/* of its reports; ER_UNKNOWN_TIME */
	TimestampTz said_at;		/* the report its confidence comes from */
	ErText		said_in;
	int32		confidence;
} ErModule;

typedef struct ErWord
{
	ErText		text;
} ErWord;

/* A word that is read in any case and kept as it stands here; a list of them ends with NULL */
typedef struct ErKnownWord
{
	const char *word;
	uint32		len;
} ErKnownWord;

#define ER_WORD(word) {(word), sizeof(word) - 1}

typedef struct ErKeyword
{
	ErText		key;			/* normalised */
	ErText		spelling;		/* the bytewise smallest seen */
	ErModuleSet modules;
	uint64		count;			/* distinct insights per report that carry it */
} ErKeyword;

typedef struct ErSpelling
{
	ErText		text;
	uint32		keyword;
} ErSpelling;

/* What every insight touches comes first. */
typedef struct ErInsight
{
	ErText		key;			/* type, separator, normalised title */
	ErText		title;			/* of the strongest */
	uint32		type;			/* word, or ER_NONE */
	uint32		report;			/* number of the last report that had it */
	uint32		occurrences;
	int32		strength;		/* of the strongest: severity and confidence */
	int32		confidence;		/* the highest */
	int32		said_confidence;	/* the highest in that report */
	int16		said_severity;
	int16		severity;		/* the highest */
	uint32		category;		/* word of the strongest, or ER_NONE */
	ErSources	sources;
	ErIdSet		keywords;		/* stamp: last report that was counted */
	ErValueSet	evidence;
	ErModuleSet modules;
	ErText		description;
	uint32		title_room;		/* bytes that may be written over */
	uint32		description_room;
} ErInsight;

/* What one recommendation says; the strongest saying represents its group. */
typedef struct ErSaying
{
	int8		impact_rank;	/* 3 high, 2 medium, 1 low, 0 unknown */
	int8		effort_rank;	/* 1 low, 2 medium, 3 high, 4 unknown */
	ErText		action;
	ErText		rationale;
	ErText		impact;
	ErText		effort;
	ErText		timeline;
	ErText		theme;
} ErSaying;

typedef struct ErRecommendation
{
	ErText		key;			/* normalised action */
	bool		said;			/* the saying is filled */
	uint32		report;
	uint32		occurrences;
	ErSaying	saying;
	ErModuleSet modules;
	ErIdSet		needs;			/* recommendations it depends on, named by an id of the same report */
	ErValueSet	dependencies;	/* as the documents name them */
	ErValueSet	open;			/* those that no recommendation of the same report answers to */
	ErValueSet	lost;			/* those that the same report deprioritized */
	ErValueSet	ids;			/* of deprioritized recommendations only */
	ErSources	sources;
} ErRecommendation;

typedef struct ErIdentity
{
	ErText		id;				/* a recommendation's id in some report */
	ErIdSet		groups;
} ErIdentity;

typedef struct ErSentence
{
	ErText		key;			/* normalised */
	ErText		text;
	ErText		module;			/* the first that says it: by module, report, place */
	ErText		report;
	uint32		place;
} ErSentence;

/* One insight of the report being read. */
typedef struct ErPending
{
	/* as the document says it */
	ErText		id;
	ErText		type;
	ErText		category;
	ErText		title;
	ErText		description;
	int64		confidence;		/* 0.00000001, or -1 */
	int16		severity;		/* 4 critical, 3 high, 2 medium, 1 low, 0 unknown */
	bool		playbook;		/* from the playbook's list */
	uint32		number;			/* in its list */
	ErJson		lists[6];		/* keywords three times, evidence, two data points */

	uint32		group;			/* given when it is a twin of the playbook's, else ER_NONE until taken */
	uint32		said;			/* hash of type and title */
	uint32		foreseen;		/* the group that it may belong to, or ER_NONE */
} ErPending;

/* The group that an insight of this type and title belonged to; checked against the group's title before use. */
typedef struct ErRecall
{
	uint32		hash;
	uint32		place;			/* group + 1; 0 is free */
} ErRecall;

typedef struct ErTextBuffer
{
	MemoryContext context;
	char	   *text;
	Size		size;
} ErTextBuffer;

typedef struct ErConsolidation
{
	MemoryContext context;
	MemoryContext temporary;	/* emptied after each report */
	ErArena		arena;
	bool		insights_only;
	uint32		report;			/* number of the report being read */

	/* the arguments that are the same for every report */
	bool		has_arguments;
	TimestampTz as_of;			/* ER_UNKNOWN_TIME */
	Jsonb	   *negative_scope; /* or NULL */

	ErTable		modules;
	ErTable		words;			/* types and categories */
	ErTable		keywords;
	ErTable		spellings;
	ErTable		insights;
	ErTable		recommendations;
	ErTable		deprioritized;
	ErTable		identities;
	ErTable		sentences;
	ErList		sources;		/* ErReport */

	/* of the report being read */
	uint32		source;			/* its place in sources, or ER_NONE */
	bool		unit_scale;		/* its insights' confidences are 0 .. 1 */
	int64		confidence_sum; /* over its distinct insights that state one */
	int64		confidence_count;
	ErText		id;
	uint32		module;
	ErList		pending;
	ErRecall   *recalls;		/* by type and title as they stand in the documents */
	uint32		recall_mask;
	uint32		known_words[8]; /* number + 1 of er_type_words */
	ErTextBuffer buffer;
	ErJsonLayout layouts[4];
} ErConsolidation;

/* ---- consolidation_read.c ---- */

typedef struct ErReportInput
{
	ErText		id;				/* may be unknown */
	ErText		module;
	TimestampTz executed_at;	/* ER_UNKNOWN_TIME */
	ErJson		output;			/* may be missing */
	ErJson		playbook;
	const char *path;			/* how messages begin: `exec-x: ` or `reports[3].` */
} ErReportInput;

extern void er_read_report(ErConsolidation *state, const ErReportInput *input);
/* An array of {id, moduleId, executedAt, output, playbookResult}. */
extern void er_read_reports(ErConsolidation *state, const Jsonb *reports);

/* The error of a value that has the wrong type or range; the path is its place in the document. */
pg_noreturn extern void er_wrong(const char *path, const ErJson *value, const char *expected);
/* An ISO 8601 instant; without a zone it is UTC. False when it is none. */
extern bool er_read_instant(ErText text, TimestampTz *instant);

/* ---- consolidation.c ---- */

extern ErText er_said_text(const text *value);
/* A report of a table: id and module are unknown when blank. */
extern void er_consolidate_report(ErConsolidation *state, ErText id, ErText module, TimestampTz executed_at, ErJson output,
								  ErJson playbook);

/* ---- consolidation_text.c ---- */

/* Normalises into the buffer, which the next call overwrites. */
extern ErText er_normalise(ErTextBuffer *buffer, ErText text, Size room_before);
/* Full case folding of one character into at most three; how many. */
extern int	er_fold_character(unsigned int c, unsigned int *to);
extern void er_fingerprint(ErText key, uint8 *fingerprint);
/* The text of a number: its digits, with an exponent where there are many and that is shorter. */
extern ErText er_number_text(const ErJson *number);

/* ---- consolidation_insights.c ---- */

extern ErConsolidation *er_consolidation_create(MemoryContext context, bool insights_only);
extern const ErKnownWord er_type_words[];
/* The next insight of the report being read, to be filled. */
extern ErPending *er_insight_next(ErConsolidation *state);
/* Called for each number from 0 up, ER_FORESIGHT ahead of the insight that is taken. */
#define ER_FORESIGHT 16
extern void er_insight_foresee(ErConsolidation *state, uint32 coming);
/* Merges it into its group, which it finds or makes. */
extern void er_insight_take(ErConsolidation *state, ErPending *item);
extern void er_insight_keyword(ErConsolidation *state, uint32 group, ErText keyword, uint32 hint);
extern void er_insight_represent(ErConsolidation *state, ErInsight *insight, int32 strength, ErText title,
								 ErText description, uint32 category);
/* A source of an item, kept when it is among the strongest. *place is its place in state->sources, or ER_NONE. */
extern void er_source_add(ErConsolidation *state, ErSources *sources, int32 strength, ErText report, uint32 module,
						  uint32 *place);

/* ---- the final step ---- */

typedef struct ErRanks
{
	uint32	   *module_rank;	/* by name */
	uint32	   *module_order;
	uint32	   *keyword_rank;	/* by spelling */
	uint32	   *keyword_order;
	uint32	   *keyword_themes; /* by modules, count, spelling */
	Jsonb	  **source_objects; /* of each report that is a source, once written */
	uint32	   *scratch;		/* room for all modules, or all members of one set */
	Size		scratch_size;
} ErRanks;

extern void er_sort_numbers(uint32 *numbers, uint32 count);
extern void er_ranks(const ErConsolidation *state, ErRanks *ranks);
extern uint32 er_ranked_modules(ErRanks *ranks, const ErModuleSet *set, uint32 **names);
extern void er_write_modules(ErJsonWriter *writer, const ErConsolidation *state, ErRanks *ranks, const ErModuleSet *set);
extern void er_write_sources(ErJsonWriter *writer, const ErConsolidation *state, ErRanks *ranks,
							 const ErSources *sources);
extern void er_write_values(ErJsonWriter *writer, const ErValueSet *set);
extern void er_write_text(ErJsonWriter *writer, ErText text);
extern void er_write_string(ErJsonWriter *writer, const char *text);

extern void er_write_fingerprint(ErJsonWriter *writer, const uint8 *fingerprint);
extern void er_write_insights(ErJsonWriter *writer, const ErConsolidation *state, ErRanks *ranks);

/* ---- consolidation_recommendations.c ---- */

typedef struct ErConflict
{
	const char *kind;
	ErText		with;
	const char *reason;
} ErConflict;

typedef struct ErConflictList
{
	ErConflict *conflicts;
	uint32		count;
	uint32		size;
	uint32		kept;			/* of the kind being added */
} ErConflictList;

/* The recommendations in order, with what the final step finds out about each. */
typedef struct ErRanked
{
	uint32	   *order;			/* group numbers, strongest first */
	uint32	   *position;		/* of each group */
	ErConflictList *conflicts;	/* of each group */
	uint32		count;
	uint32	   *dropped_order;
	ErConflictList *dropped_conflicts;
	uint32		dropped;
} ErRanked;

extern uint32 er_recommendation_take(ErConsolidation *state, ErTable *table, const ErSaying *saying, ErText id,
									 uint32 twin);
extern void er_recommendation_represent(ErConsolidation *state, ErRecommendation *group, const ErSaying *saying);
extern void er_rank_recommendations(const ErConsolidation *state, ErRanks *ranks, ErRanked *ranked);
extern void er_write_recommendations(ErJsonWriter *writer, const ErConsolidation *state, ErRanks *ranks,
									 const ErRanked *ranked);
extern void er_write_deprioritized(ErJsonWriter *writer, const ErConsolidation *state, ErRanks *ranks,
								   const ErRanked *ranked);

/* ---- consolidation_conflicts.c, consolidation_scope.c ---- */

extern void er_find_conflicts(const ErConsolidation *state, ErRanks *ranks, ErRanked *ranked);
extern void er_conflict_kind(ErConflictList *list);
extern bool er_conflict_add(ErConflictList *list, const char *kind, ErText with, const char *reason);
extern ErText er_recommendation_name(const ErRecommendation *group);
extern void er_find_exclusions(const ErConsolidation *state, ErRanked *ranked);

/* Words of a normalised text. */
typedef struct ErTokens
{
	ErText	   *words;
	uint32		count;
	uint32		size;
} ErTokens;

extern void er_tokenize(ErText normalised, ErTokens *tokens);

/* ---- consolidation_synthesis.c ---- */

extern void er_take_prompt(ErConsolidation *state, ErText prompt);
extern void er_sentence_take(ErConsolidation *state, ErText key, ErText text, ErText module, ErText report, uint32 place);
extern Jsonb *er_write_everything(const ErConsolidation *state);

/* The same, each part by itself; freshness is left to whoever stores it. */
typedef struct ErConsolidated
{
	Jsonb	   *insights;
	Jsonb	   *recommendations;
	Jsonb	   *deprioritized;
	Jsonb	   *synthesis;
	Jsonb	   *modules;
	uint32		confidence;
	uint32		confidence_basis;
} ErConsolidated;

/* The lists and the synthesis are NULL when they are not asked for. */
extern void er_write_parts(const ErConsolidation *state, bool lists, bool synthesis, ErConsolidated *parts);
extern Jsonb *er_write_only_insights(const ErConsolidation *state);
extern Jsonb *er_write_only_recommendations(const ErConsolidation *state);
extern void er_module_said(ErConsolidation *state, uint32 module, TimestampTz at, ErText report, int32 confidence);

/* ---- consolidation_state.c ---- */

extern bytea *er_state_serialize(const ErConsolidation *state);
extern ErConsolidation *er_state_deserialize(bytea *bytes);
extern void er_state_merge(ErConsolidation *into, const ErConsolidation *from);

#endif							/* ER_CONSOLIDATION_H */
