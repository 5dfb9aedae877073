/*
 * consolidation_conflicts.c
 *		Which recommendations contradict each other.
 *
 * opposite: one wants more of an object, another less. An action is read as [not] verb object: fillers and articles are
 * dropped, the verb says more or less, a negation turns it round. Actions meet in a hash by object, never in pairs.
 * deprioritized: one module does what another dropped. exclusion: see consolidation_scope.c. dependency: what a
 * recommendation depends on is missing, or depends on it in turn (strongly connected components, without recursion).
 *
 * At most ER_CONFLICTS_KEPT of a kind are listed for a recommendation, those with the strongest others.
 */
#include "compat.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "consolidation.h"

#define NAMED_BYTES 200			/* of an object, in a reason */
#define MORE 1
#define LESS (-1)

/* The first forms of English verbs; -ing is taken off before looking. */
static const char *const english_more[] = {
	"accelerate", "acquire", "activate", "add", "adopt", "allow", "amplify", "begin", "boost", "broaden", "build",
	"buy", "centralize", "continue", "create", "double", "enable", "enlarge", "enter", "expand", "extend", "grow",
	"hire", "include", "increase", "intensify", "introduce", "invest", "keep", "launch", "maintain", "maximise",
	"maximize", "merge", "open", "prioritise", "prioritize", "promote", "raise", "reactivate", "restore", "resume",
	"retain", "scale", "start", "strengthen", "triple"
};
static const char *const english_less[] = {
	"abandon", "block", "cancel", "cease", "close", "contract", "cut", "deactivate", "decentralize", "decrease",
	"delay", "delete", "demote", "deprioritise", "deprioritize", "disable", "discontinue", "divest", "drop",
	"eliminate", "end", "exclude", "exit", "fire", "freeze", "halt", "halve", "kill", "limit", "lower", "minimise",
	"minimize", "narrow", "pause", "postpone", "pull", "reduce", "remove", "restrict", "retire", "sell", "shrink", "shut", "slash",
	"slow", "split", "suspend", "terminate", "trim", "weaken"
};

/* Stems of Spanish verbs, without accents; they take one of the endings. */
static const char *const spanish_more[] = {
	"aceler", "activ", "adopt", "agreg", "ampli", "anad", "añad", "aument", "comenz", "comienz", "compr", "conserv",
	"continu", "contrat", "cre", "crec", "dupliqu", "duplic", "elev", "empez", "empiez", "expand", "habilit",
	"increment", "incluy", "inclu", "inici", "intensific", "intensifiqu", "introduc", "introduzc", "inviert", "invert",
	"lanc", "lanz", "manten", "mantien", "manteng", "maximiz", "potenci", "prioric", "prioriz", "reanud", "reforz",
	"refuerz", "sub"
};
static const char *const spanish_less[] = {
	"abandon", "acort", "aplac", "aplaz", "baj", "borr", "cancel", "cerr", "cierr", "congel", "desactiv",
	"deshabilit", "despid", "desped", "desprioriz", "deten", "detien", "deteng", "disminu", "disminuy", "elimin",
	"exclu", "excluy", "finalic", "finaliz", "fren", "limit", "minimiz", "par", "paus", "pospon", "posterg",
	"quit", "recort", "reduc", "reduzc", "restring", "restrinj", "retir", "suspend", "termin", "vend"
};
static const char *const spanish_endings[] = {
	"a", "amos", "an", "ando", "ar", "e", "emos", "en", "er", "iendo", "ir"
};

static const char *const fillers[] = {
	"also", "can", "consider", "considerar", "could", "debe", "deberia", "debemos", "gradually", "hay", "immediately",
	"must", "now", "please", "plan", "que", "recommend", "se", "should", "to", "try", "we", "you"
};
static const char *const negators[] = {
	"avoid", "cease", "deja", "dejar", "deje", "dont", "evita", "evitar", "evite", "never", "no", "not", "nunca", "stop"
};
/* what does not tell two objects apart */
static const char *const small_words[] = {
	"a", "al", "an", "con", "de", "del", "el", "en", "for", "from", "in", "into", "its", "la", "las", "los", "nuestra",
	"nuestras", "nuestro", "nuestros", "of", "on", "our", "para", "su", "sus", "the", "their", "to", "tu", "tus",
	"un", "una", "unas", "unos", "with", "your"
};
static const char *const particle_verbs[] = {
	"close", "cut", "dial", "open", "phase", "pull", "ramp", "roll", "scale", "shut", "slow", "turn", "wind"
};

typedef struct Object
{
	ErText		key;
	ErList		more;			/* group numbers, strongest first */
	ErList		less;
} Object;

typedef struct Opposites
{
	ErArena		arena;
	ErTable		objects;
	ErTokens	tokens;
	StringInfoData text;
	StringInfoData object;
} Opposites;

static void find_opposites(const ErConsolidation *state, ErRanked *ranked);
static void read_action(Opposites *found, ErText key, uint32 group);
static uint32 after_fillers(const ErTokens *tokens, uint32 at);
static void add_object(Opposites *found, uint32 from, bool plain, int polarity, uint32 group);
static int	verb_polarity(ErText word);
static int	particle_polarity(ErText verb, ErText particle);
static void append_stem(StringInfo out, ErText word);
static void without_accents(StringInfo out, ErText text);
static bool in_words(const char *const *words, int count, ErText word);
static void list_opposites(const ErConsolidation *state, ErRanked *ranked, const ErList *ours, const ErList *others,
						   const char *reason);
static void find_dropped(const ErConsolidation *state, ErRanks *ranks, ErRanked *ranked);
static void find_dependencies(const ErConsolidation *state, ErRanked *ranked);
static uint32 answer_to(const ErConsolidation *state, const ErRanked *ranked, ErTextBuffer *buffer, ErText need);
static void find_components(const ErIdSet *edges, uint32 count, uint32 *component);
static int	compare_numbers(const void *a, const void *b);

#define IN_WORDS(words, word) in_words(words, lengthof(words), word)

void
er_find_conflicts(const ErConsolidation *state, ErRanks *ranks, ErRanked *ranked)
{
	find_opposites(state, ranked);
	find_dropped(state, ranks, ranked);
	er_find_exclusions(state, ranked);	/* a wrong scope is an error also where there is nothing to exclude */
	find_dependencies(state, ranked);
}

/* Begins a kind of conflict in a list. */
void
er_conflict_kind(ErConflictList *list)
{
	list->kept = 0;
}

/* False when the list has enough of this kind. */
bool
er_conflict_add(ErConflictList *list, const char *kind, ErText with, const char *reason)
{
	if (list->kept == ER_CONFLICTS_KEPT)
		return false;
	if (list->count == list->size)
	{
		list->size = list->size == 0 ? 4 : list->size * 2;
		if (list->conflicts == NULL)
			list->conflicts = palloc(list->size * sizeof(ErConflict));
		else
			list->conflicts = repalloc(list->conflicts, list->size * sizeof(ErConflict));
	}
	list->conflicts[list->count].kind = kind;
	list->conflicts[list->count].with = with;
	list->conflicts[list->count].reason = reason;
	list->count++;
	list->kept++;
	return true;
}

/* How another recommendation calls this one. */
ErText
er_recommendation_name(const ErRecommendation *group)
{
	ErText		name = group->saying.action.ptr != NULL ? group->saying.action : group->saying.rationale;

	if (name.ptr == NULL)
	{
		name.ptr = group->key.ptr + 1;
		name.len = group->key.len - 1;
	}
	return name;
}

/* Words are what stands between single spaces. */
void
er_tokenize(ErText normalised, ErTokens *tokens)
{
	const char *at = normalised.ptr;
	const char *end = at + normalised.len;

	tokens->count = 0;
	while (at < end)
	{
		const char *space = memchr(at, ' ', end - at);

		if (space == NULL)
			space = end;
		if (tokens->count == tokens->size)
		{
			tokens->size = tokens->size == 0 ? 32 : tokens->size * 2;
			if (tokens->words == NULL)
				tokens->words = palloc_extended(tokens->size * sizeof(ErText), MCXT_ALLOC_HUGE);
			else
				tokens->words = repalloc_huge(tokens->words, tokens->size * sizeof(ErText));
		}
		if (space > at)
		{
			tokens->words[tokens->count].ptr = at;
			tokens->words[tokens->count].len = space - at;
			tokens->count++;
		}
		if ((tokens->count & 0xFFFF) == 0xFFFF)
			CHECK_FOR_INTERRUPTS();
		at = space + 1;
	}
}

/* ---- opposite ---- */

static void
find_opposites(const ErConsolidation *state, ErRanked *ranked)
{
	Opposites	found = {{CurrentMemoryContext}};

	initStringInfo(&found.text);
	initStringInfo(&found.object);
	for (uint32 i = 0; i < ranked->count; i++)
	{
		const ErRecommendation *group = er_item(&state->recommendations.list, ErRecommendation, ranked->order[i]);

		CHECK_FOR_INTERRUPTS();
		if (group->saying.action.ptr != NULL && group->key.len < MaxAllocSize / 4)
			read_action(&found, group->key, ranked->order[i]);
	}
	for (uint32 i = 0; i < found.objects.list.count; i++)
	{
		const Object *object = er_item(&found.objects.list, Object, i);
		ErText		name = object->key;
		const char *reason;

		CHECK_FOR_INTERRUPTS();
		if (object->more.count == 0 || object->less.count == 0)
			continue;
		if (name.ptr[0] == '\x1f')
			reason = "one is the negation of the other";	/* the object begins with a stem, which is no word */
		else
			reason = psprintf("opposite actions on \"%.*s\"", pg_mbcliplen(name.ptr, name.len, NAMED_BYTES), name.ptr);
		list_opposites(state, ranked, &object->more, &object->less, reason);
		list_opposites(state, ranked, &object->less, &object->more, reason);
	}
}

/* Reads an action as [filler …] [negator] [filler …] verb [particle] object, and files it under its object. */
static void
read_action(Opposites *found, ErText key, uint32 group)
{
	ErText	   *words;
	uint32		count;
	uint32		at;
	bool		negated = false;
	ErText		negator = {NULL, 0};
	int			polarity;

	without_accents(&found->text, key);
	key.ptr = found->text.data;
	key.len = found->text.len;
	er_tokenize(key, &found->tokens);
	words = found->tokens.words;
	count = found->tokens.count;

	at = after_fillers(&found->tokens, 0);
	if (at + 1 < count && (strncmp(words[at].ptr, "do not", 6) == 0 || strncmp(words[at].ptr, "don t", 5) == 0) &&
		words[at].len <= 3)
		at++;
	if (at < count && (IN_WORDS(negators, words[at]) || (words[at].len == 1 && words[at].ptr[0] == 't' && at > 0)))
	{
		negated = true;
		negator = words[at++];
		if (at < count && words[at].len == 2 && memcmp(words[at].ptr, "de", 2) == 0)
			at++;
		at = after_fillers(&found->tokens, at);
	}
	if (at == count)
		return;

	polarity = verb_polarity(words[at]);
	if (polarity != 0)
	{
		uint32		object = at + 1;

		if (object < count)
		{
			int			particle = particle_polarity(words[at], words[object]);

			if (particle != 0)
			{
				polarity = particle;
				object++;
			}
		}
		add_object(found, object, false, negated ? -polarity : polarity, group);
		return;
	}
	/* a phrase without a verb we know: only its negation is its opposite */
	add_object(found, at, true, negated ? LESS : MORE, group);
	if (negated && !(negator.len == 2 && memcmp(negator.ptr, "no", 2) == 0))
		add_object(found, at, false, LESS, group);
}

static uint32
after_fillers(const ErTokens *tokens, uint32 at)
{
	for (; at < tokens->count && IN_WORDS(fillers, tokens->words[at]); at++)
		if ((at & 0xFFFF) == 0xFFFF)
			CHECK_FOR_INTERRUPTS();
	return at;
}

static void
add_object(Opposites *found, uint32 from, bool plain, int polarity, uint32 group)
{
	ErText		key;
	uint32		number;
	Object	   *object;
	ErList	   *side;

	resetStringInfo(&found->object);
	if (plain)
		appendStringInfoChar(&found->object, '\x1f');
	for (uint32 i = from; i < found->tokens.count; i++)
	{
		ErText		word = found->tokens.words[i];

		if ((i & 0xFFFF) == 0xFFFF)
			CHECK_FOR_INTERRUPTS();
		if (IN_WORDS(small_words, word))
			continue;
		if (found->object.len > (plain ? 1 : 0))
			appendStringInfoChar(&found->object, ' ');
		if (plain && i == from)
			append_stem(&found->object, word);
		else
			appendBinaryStringInfo(&found->object, word.ptr, word.len);
	}
	if (found->object.len <= (plain ? 1 : 0))
		return;
	key.ptr = found->object.data;
	key.len = found->object.len;
	number = er_table_intern(&found->arena, &found->objects, sizeof(Object), key, NULL);
	object = er_item(&found->objects.list, Object, number);
	side = polarity > 0 ? &object->more : &object->less;
	*(uint32 *) er_list_add(&found->arena, side, sizeof(uint32)) = group;
}

static int
verb_polarity(ErText word)
{
	static const struct
	{
		const char *const *stems;
		int			count;
		int			polarity;
	}			spanish[] = {
		{spanish_more, lengthof(spanish_more), MORE},
		{spanish_less, lengthof(spanish_less), LESS}
	};
	ErText		base = word;
	char		with_e[32];

	if (word.len > 24)
		return 0;
	if (IN_WORDS(english_less, word))
		return LESS;
	if (IN_WORDS(english_more, word) || IN_WORDS(particle_verbs, word))
		return MORE;
	if (word.len > 5 && memcmp(word.ptr + word.len - 3, "ing", 3) == 0)
	{
		ErText		full = {with_e, word.len - 2};

		base.len -= 3;
		memcpy(with_e, word.ptr, base.len);
		with_e[base.len] = 'e';
		for (int form = 0; form < 3; form++)
		{
			ErText		try = form == 1 ? full : base;

			if (form == 2)
			{
				if (base.ptr[base.len - 1] != base.ptr[base.len - 2])
					break;
				try.len--;
			}
			if (IN_WORDS(english_less, try))
				return LESS;
			if (IN_WORDS(english_more, try) || IN_WORDS(particle_verbs, try))
				return MORE;
		}
	}
	for (int list = 0; list < lengthof(spanish); list++)
		for (int i = 0; i < spanish[list].count; i++)
		{
			uint32		stem;
			ErText		ending;

			if (spanish[list].stems[i][0] != word.ptr[0])
				continue;
			stem = strlen(spanish[list].stems[i]);
			ending.ptr = word.ptr + stem;
			ending.len = word.len - stem;
			if (word.len > stem && memcmp(word.ptr, spanish[list].stems[i], stem) == 0 &&
				IN_WORDS(spanish_endings, ending))
				return spanish[list].polarity;
		}
	return 0;
}

/* scale up, phase out, roll back … */
static int
particle_polarity(ErText verb, ErText particle)
{
	static const char *const ups[] = {"in", "on", "up"};
	static const char *const downs[] = {"back", "down", "off", "out"};
	static const char *const roll[] = {"roll"};
	static const char *const out[] = {"out"};
	static const char *const without_e[] = {"clos", "cutt", "phas", "scal", "shutt"};

	if (verb.len > 3 && memcmp(verb.ptr + verb.len - 3, "ing", 3) == 0)
	{
		verb.len -= 3;
		if (!IN_WORDS(particle_verbs, verb) && !IN_WORDS(without_e, verb))
			return 0;
	}
	else if (!IN_WORDS(particle_verbs, verb))
		return 0;
	if (IN_WORDS(ups, particle))
		return MORE;
	if (IN_WORDS(downs, particle))
		return IN_WORDS(roll, verb) && IN_WORDS(out, particle) ? MORE : LESS;
	return 0;
}

/* publish and publishing, use and using: without -ing, -e and the second of two equal letters (of ASCII: not half a letter) */
static void
append_stem(StringInfo out, ErText word)
{
	if (word.len > 5 && memcmp(word.ptr + word.len - 3, "ing", 3) == 0)
		word.len -= 3;
	else if (word.len > 2 && word.ptr[word.len - 1] == 'e')
		word.len--;
	if (word.len > 2 && word.ptr[word.len - 1] == word.ptr[word.len - 2] && !IS_HIGHBIT_SET(word.ptr[word.len - 1]))
		word.len--;
	appendBinaryStringInfo(out, word.ptr, word.len);
}

/* á é í ó ú without their accents; in a database whose encoding is not UTF8, the text as it is. */
static void
without_accents(StringInfo out, ErText text)
{
	static const char plain[] = {[0x21] = 'a', [0x29] = 'e', [0x2D] = 'i', [0x33] = 'o', [0x3A] = 'u'};

	resetStringInfo(out);
	if (GetDatabaseEncoding() != PG_UTF8)
	{
		appendBinaryStringInfo(out, text.ptr, text.len);
		return;
	}
	for (uint32 i = 0; i < text.len;)
	{
		uint32		run = i;
		char		letter = 0;

		while (run < text.len && (unsigned char) text.ptr[run] != 0xC3)
			run++;
		appendBinaryStringInfo(out, text.ptr + i, run - i);
		i = run;
		if (i + 1 < text.len)
		{
			unsigned char next = (unsigned char) text.ptr[i + 1] - 0x80;

			letter = next < lengthof(plain) ? plain[next] : 0;
		}
		if (letter != 0)
		{
			appendStringInfoChar(out, letter);
			i += 2;
		}
		else if (i < text.len)
			appendStringInfoChar(out, text.ptr[i++]);
	}
}

/* The lists are sorted by their words' first letters. */
static bool
in_words(const char *const *words, int count, ErText word)
{
	unsigned char first = (unsigned char) word.ptr[0];
	int			low = 0;

	for (int high = count; low < high;)
	{
		int			middle = (low + high) / 2;

		if ((unsigned char) words[middle][0] < first)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < count && (unsigned char) words[low][0] == first; low++)
		if (strncmp(words[low], word.ptr, word.len) == 0 && words[low][word.len] == '\0')
			return true;
	return false;
}

static void
list_opposites(const ErConsolidation *state, ErRanked *ranked, const ErList *ours, const ErList *others, const char *reason)
{
	for (uint32 i = 0; i < ours->count; i++)
	{
		ErConflictList *list = &ranked->conflicts[*er_item(ours, uint32, i)];

		CHECK_FOR_INTERRUPTS();
		for (uint32 j = 0; j < others->count; j++)
		{
			const ErRecommendation *other = er_item(&state->recommendations.list, ErRecommendation,
													*er_item(others, uint32, j));

			if (!er_conflict_add(list, "opposite", er_recommendation_name(other), reason))
				break;
		}
	}
}

/* ---- deprioritized ---- */

static void
find_dropped(const ErConsolidation *state, ErRanks *ranks, ErRanked *ranked)
{
	for (uint32 i = 0; i < ranked->count; i++)
		er_conflict_kind(&ranked->conflicts[i]);
	for (uint32 i = 0; i < ranked->dropped; i++)
	{
		const ErRecommendation *dropped = er_item(&state->deprioritized.list, ErRecommendation, i);
		uint32		number = er_table_find(&state->recommendations, sizeof(ErRecommendation), dropped->key,
										   er_hash(dropped->key.ptr, dropped->key.len));
		const ErRecommendation *done;
		const ErModuleSet *sides[2];
		ErConflictList *lists[2];

		CHECK_FOR_INTERRUPTS();
		if (number == ER_NONE)
			continue;
		done = er_item(&state->recommendations.list, ErRecommendation, number);
		sides[0] = &dropped->modules;
		lists[0] = &ranked->conflicts[number];
		sides[1] = &done->modules;
		lists[1] = &ranked->dropped_conflicts[i];
		for (int side = 0; side < 2; side++)
		{
			uint32	   *modules;
			uint32		count = er_ranked_modules(ranks, sides[1 - side], &modules);
			uint32		itself = count == 1 ? modules[0] : ER_NONE;

			count = er_ranked_modules(ranks, sides[side], &modules);
			for (uint32 m = 0; m < count; m++)
				if (modules[m] != itself &&
					!er_conflict_add(lists[side], "deprioritized",
									 er_item(&state->modules.list, ErModule, modules[m])->name,
									 side == 0 ? "another module deprioritized this action"
									 : "another module recommends this action"))
					break;
		}
	}
}

/* ---- dependency ---- */

static void
find_dependencies(const ErConsolidation *state, ErRanked *ranked)
{
	ErArena		arena = {CurrentMemoryContext};
	ErTextBuffer buffer = {CurrentMemoryContext};
	ErIdSet    *edges = palloc_extended(Max(ranked->count, 1) * sizeof(ErIdSet), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	uint32	   *component = palloc_extended(Max(ranked->count, 1) * sizeof(uint32), MCXT_ALLOC_HUGE);
	bool		any = false;

	for (uint32 i = 0; i < ranked->count; i++)
	{
		const ErRecommendation *group = er_item(&state->recommendations.list, ErRecommendation, i);
		const ErValueSet *sets[2] = {&group->open, &group->lost};

		er_conflict_kind(&ranked->conflicts[i]);
		for (uint32 n = 0; n < group->needs.count; n++)
			er_idset_add(&arena, &edges[i], group->needs.members[n].id);
		for (int set = 0; set < 2; set++)
		{
			ErValue    *values;

			if (sets[set]->count == 0)
				continue;
			values = palloc_extended(sets[set]->count * sizeof(ErValue), MCXT_ALLOC_HUGE);
			memcpy(values, sets[set]->values, sets[set]->count * sizeof(ErValue));
			qsort(values, sets[set]->count, sizeof(ErValue), er_value_compare);
			for (uint32 n = 0; n < sets[set]->count; n++)
			{
				ErText		need = {values[n].ptr, values[n].len};
				uint32		answer = set == 0 ? answer_to(state, ranked, &buffer, need) : ER_NONE;

				CHECK_FOR_INTERRUPTS();
				if (answer != ER_NONE)
					er_idset_add(&arena, &edges[i], answer);
				else
					er_conflict_add(&ranked->conflicts[i], "dependency", need,
									set == 0 ? "missing: no recommendation answers to it"
									: "missing: the same report deprioritized it");
			}
			pfree(values);
		}
		any |= edges[i].count > 0;
	}
	if (!any)
		return;

	find_components(edges, ranked->count, component);
	for (uint32 i = 0; i < ranked->count; i++)
	{
		uint32	   *circular = palloc_extended(Max(edges[i].count, 1) * sizeof(uint32), MCXT_ALLOC_HUGE);
		uint32		count = 0;

		CHECK_FOR_INTERRUPTS();
		for (uint32 n = 0; n < edges[i].count; n++)
			if (component[edges[i].members[n].id] == component[i])
				circular[count++] = ranked->position[edges[i].members[n].id];
		qsort(circular, count, sizeof(uint32), compare_numbers);
		for (uint32 n = 0; n < count; n++)
			if (!er_conflict_add(&ranked->conflicts[i], "dependency",
								 er_recommendation_name(er_item(&state->recommendations.list, ErRecommendation,
																ranked->order[circular[n]])),
								 "circular: each depends on the other"))
				break;
		pfree(circular);
	}
}

/* A recommendation whose action is meant, or that has the id in another report. */
static uint32
answer_to(const ErConsolidation *state, const ErRanked *ranked, ErTextBuffer *buffer, ErText need)
{
	ErText		key = er_normalise(buffer, need, 0);
	uint32		number = er_table_find(&state->recommendations, sizeof(ErRecommendation), key, er_hash(key.ptr, key.len));
	const ErIdentity *identity;

	if (number != ER_NONE)
		return number;
	number = er_table_find(&state->identities, sizeof(ErIdentity), need, er_hash(need.ptr, need.len));
	if (number == ER_NONE)
		return ER_NONE;
	identity = er_item(&state->identities.list, ErIdentity, number);
	number = identity->groups.members[0].id;
	for (uint32 i = 1; i < identity->groups.count; i++)
		if (ranked->position[identity->groups.members[i].id] < ranked->position[number])
			number = identity->groups.members[i].id;
	return number;
}

/* Tarjan's strongly connected components with a stack of our own. */
static void
find_components(const ErIdSet *edges, uint32 count, uint32 *component)
{
	uint32	   *visited = palloc_extended(count * sizeof(uint32), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	uint32	   *low = palloc_extended(count * sizeof(uint32), MCXT_ALLOC_HUGE);
	uint32	   *next = palloc_extended(count * sizeof(uint32), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	uint32	   *path = palloc_extended(count * sizeof(uint32), MCXT_ALLOC_HUGE);
	uint32	   *open = palloc_extended(count * sizeof(uint32), MCXT_ALLOC_HUGE);
	uint32		path_len;
	uint32		open_len = 0;
	uint32		time = 0;

	for (uint32 i = 0; i < count; i++)
		component[i] = ER_NONE;
	for (uint32 root = 0; root < count; root++)
	{
		if (visited[root] != 0)
			continue;
		path_len = 0;
		path[path_len++] = root;
		while (path_len > 0)
		{
			uint32		node = path[path_len - 1];

			CHECK_FOR_INTERRUPTS();
			if (visited[node] == 0)
			{
				visited[node] = low[node] = ++time;
				open[open_len++] = node;
			}
			if (next[node] < edges[node].count)
			{
				uint32		to = edges[node].members[next[node]++].id;

				if (visited[to] == 0)
					path[path_len++] = to;
				else if (component[to] == ER_NONE)
					low[node] = Min(low[node], visited[to]);
				continue;
			}
			path_len--;
			if (path_len > 0)
				low[path[path_len - 1]] = Min(low[path[path_len - 1]], low[node]);
			if (low[node] == visited[node])
			{
				uint32		member;

				do
				{
					member = open[--open_len];
					component[member] = node;
				} while (member != node);
			}
		}
	}
	/* a node alone in its component is circular only when it needs itself, which its own edge says */
}

static int
compare_numbers(const void *a, const void *b)
{
	uint32		one = *(const uint32 *) a;
	uint32		two = *(const uint32 *) b;

	return (one > two) - (one < two);
}
