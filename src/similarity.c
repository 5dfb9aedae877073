/*
 * similarity.c
 *		How alike two names are, and which names of a list have one like them in another list.
 *
 * The measure is that of pg_trgm, which need not be installed: a name is normalised (consolidation_text.c), each of its
 * words gets two blanks before and one behind, and the similarity is the number of three-character pieces (trigrams)
 * that both names have, divided by the number that at least one has. Of a long name the first 4096 bytes count.
 *
 * Two lists are not compared pair by pair. Sets A and B can be more alike than t only if |B| lies between t|A| and
 * |A|/t, and if they share one of the first |A| - ceil(t|A|) + 1 members of A and likewise of B, once both are sorted
 * by one order (prefix filter, Chaudhuri et al. 2006). That order is: rarest trigram of the second list first, so few
 * pairs are looked at. And where the first member that they share stands says how many they can share at most
 * (positional filter, Xiao et al. 2008).
 */
#include "compat.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

#include "consolidation.h"
#include "rows.h"

#define MAX_KEPT 20				/* most names that are kept of those like one */
#define MAX_BYTES 4096			/* of a name that count */

/* The trigrams of a name, each once: by value at first, by rank (rarest first) later. */
typedef struct Name
{
	uint64	   *trigrams;
	uint32		count;
	uint32		unseen;			/* trigrams that no name of the other list has; they come first and are not stored */
} NameSet;

/* A name of the second list that has a trigram in its prefix. */
typedef struct Posting
{
	uint32		number;
	uint32		size;			/* trigrams of that name */
	uint32		place;			/* of this one among them */
} Posting;

typedef struct Rank
{
	uint64		trigram;
	uint32		names;			/* of the second list that have it */
	uint32		rank;
} Rank;

typedef struct Found
{
	uint32		number;
	double		similarity;
} Found;

static NameSet *read_names(ArrayType *array, uint32 *count);
static NameSet trigrams_of(ErTextBuffer *buffer, const char *bytes, int len);
static uint32 sort_unique(uint64 *values, uint32 count);
static HTAB *rank_trigrams(const NameSet *names, uint32 count);
static void use_ranks(NameSet *names, uint32 count, HTAB *ranks);
static uint32 prefix_of(const NameSet *name, double threshold);
static uint32 common(const NameSet *a, const NameSet *b, double needed);
static double ratio(const NameSet *a, const NameSet *b, uint32 shared);
static void keep(Found *kept, uint32 *count, uint32 most, uint32 number, double similarity);
static int	compare_trigrams(const void *a, const void *b);
static int	compare_rarity(const void *a, const void *b);

PG_FUNCTION_INFO_V1(er_name_similarity);
PG_FUNCTION_INFO_V1(er_similar_names);

Datum
er_name_similarity(PG_FUNCTION_ARGS)
{
	text	   *a = PG_GETARG_TEXT_PP(0);
	text	   *b = PG_GETARG_TEXT_PP(1);
	ErTextBuffer buffer = {.context = CurrentMemoryContext};
	NameSet		first = trigrams_of(&buffer, VARDATA_ANY(a), VARSIZE_ANY_EXHDR(a));
	NameSet		second = trigrams_of(&buffer, VARDATA_ANY(b), VARSIZE_ANY_EXHDR(b));

	PG_RETURN_FLOAT8(ratio(&first, &second, common(&first, &second, 0)));
}

/* _similar_names(names, others, threshold, most) */
Datum
er_similar_names(PG_FUNCTION_ARGS)
{
	double		threshold = PG_GETARG_FLOAT8(2);
	int32		most = PG_GETARG_INT32(3);
	ReturnSetInfo *result;
	uint32		name_count,
				other_count,
				rank_count;
	NameSet	   *names,
			   *others;
	HTAB	   *ranks;
	uint32	   *starts,
			   *seen;
	Posting    *postings;

	if (!(threshold >= 0.1 && threshold <= 1) || most < 1 || most > MAX_KEPT)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("threshold is %g and most is %d", threshold, most),
				 errdetail("A threshold is from 0.1 to 1, most from 1 to %d.", MAX_KEPT)));
	result = er_return_rows(fcinfo);

	names = read_names(PG_GETARG_ARRAYTYPE_P(0), &name_count);
	others = read_names(PG_GETARG_ARRAYTYPE_P(1), &other_count);
	ranks = rank_trigrams(others, other_count);
	rank_count = hash_get_num_entries(ranks);
	use_ranks(names, name_count, ranks);
	use_ranks(others, other_count, ranks);
	hash_destroy(ranks);

	/* which of the others have a rank in their prefix: one list per rank, one behind the other */
	starts = MemoryContextAllocExtended(CurrentMemoryContext, sizeof(uint32) * ((Size) rank_count + 2),
										MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (uint32 o = 0; o < other_count; o++)
		for (uint32 i = 0; i < prefix_of(&others[o], threshold); i++)
			starts[others[o].trigrams[i] + 2]++;
	for (uint32 r = 0; r < rank_count; r++)
		starts[r + 2] += starts[r + 1];
	postings = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(Posting) * ((Size) starts[rank_count + 1] + 1));
	for (uint32 o = 0; o < other_count; o++)
		for (uint32 i = 0; i < prefix_of(&others[o], threshold); i++)
			postings[starts[others[o].trigrams[i] + 1]++] = (Posting) {o, others[o].count, i};

	seen = MemoryContextAllocExtended(CurrentMemoryContext, sizeof(uint32) * ((Size) other_count + 1),
									  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (uint32 n = 0; n < name_count; n++)
	{
		const NameSet *name = &names[n];
		uint32		size = name->count + name->unseen;
		uint32		prefix = prefix_of(name, threshold);
		Found		kept[MAX_KEPT];
		uint32		found = 0;

		for (uint32 i = 0; i < prefix; i++)
		{
			uint32		end = starts[name->trigrams[i] + 1];

			for (uint32 p = starts[name->trigrams[i]]; p < end; p++)
			{
				const Posting *posting = &postings[p];
				double		needed = threshold / (1 + threshold) * (size + posting->size) - 1e-9;
				uint32		o = posting->number;
				double		similarity;

				if ((p & 1023) == 0)
					CHECK_FOR_INTERRUPTS();
				if (Min(size - name->unseen - i, posting->size - posting->place) < needed)
					continue;
				if (seen[o] == n + 1)
					continue;
				seen[o] = n + 1;
				similarity = ratio(name, &others[o], common(name, &others[o], needed));
				if (similarity > threshold)
					keep(kept, &found, most, o, similarity);
			}
			CHECK_FOR_INTERRUPTS();
		}
		for (uint32 i = 0; i < found; i++)
		{
			Datum		values[3] = {Int32GetDatum(n + 1), Int32GetDatum(kept[i].number + 1),
			Float8GetDatum(kept[i].similarity)};
			bool		nulls[3] = {false, false, false};

			tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
		}
	}
	return (Datum) 0;
}

/* A NULL has no trigrams, so nothing is like it. */
static NameSet *
read_names(ArrayType *array, uint32 *count)
{
	ErTextBuffer buffer = {.context = CurrentMemoryContext};
	Datum	   *elements;
	bool	   *nulls;
	int			n;
	NameSet	   *names;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &n);
	names = MemoryContextAllocExtended(CurrentMemoryContext, sizeof(NameSet) * ((Size) n + 1), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (int i = 0; i < n; i++)
	{
		if (nulls[i])
			continue;
		CHECK_FOR_INTERRUPTS();
		names[i] = trigrams_of(&buffer, VARDATA_ANY(DatumGetPointer(elements[i])),
							   VARSIZE_ANY_EXHDR(DatumGetPointer(elements[i])));
	}
	*count = n;
	return names;
}

static NameSet
trigrams_of(ErTextBuffer *buffer, const char *bytes, int len)
{
	ErText		text = {bytes, len > MAX_BYTES ? pg_mbcliplen(bytes, len, MAX_BYTES) : len};
	NameSet		name = {0};
	const char *at,
			   *end;
	uint64		piece = 0;
	bool		in_word = false;
	bool		wide = GetDatabaseEncoding() == PG_UTF8;

	text = er_normalise(buffer, text, 0);
	end = text.ptr + text.len;
	/* a word of n characters has n + 1 trigrams, and n + 1 bytes with the blank behind it or more */
	name.trigrams = palloc(sizeof(uint64) * (text.len + 2));
	for (at = text.ptr; at <= end;)
	{
		uint64		character = ' ';

		if (at == end)
			at++;
		else if (wide && IS_HIGHBIT_SET(*at))
		{
			character = utf8_to_unicode((const unsigned char *) at);
			at += pg_utf_mblen((const unsigned char *) at);
		}
		else
			character = (unsigned char) *at++;

		if (character == ' ' && !in_word)
			continue;
		if (!in_word)
			piece = ((uint64) ' ' << 21) | ' ';
		piece = ((piece << 21) | character) & ((UINT64CONST(1) << 63) - 1);
		name.trigrams[name.count++] = piece;
		in_word = character != ' ';
	}
	name.count = sort_unique(name.trigrams, name.count);
	return name;
}

static uint32
sort_unique(uint64 *values, uint32 count)
{
	uint32		used = 0;

	qsort(values, count, sizeof(uint64), compare_trigrams);
	for (uint32 i = 0; i < count; i++)
		if (used == 0 || values[used - 1] != values[i])
			values[used++] = values[i];
	return used;
}

/* Every trigram of the names, with its place in the order by rarity. */
static HTAB *
rank_trigrams(const NameSet *names, uint32 count)
{
	HASHCTL		ctl = {.keysize = sizeof(uint64), .entrysize = sizeof(Rank), .hcxt = CurrentMemoryContext};
	HTAB	   *ranks = hash_create("trigrams", 1024, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	HASH_SEQ_STATUS all;
	Rank	  **list,
			   *rank;
	uint32		used = 0;

	for (uint32 n = 0; n < count; n++)
	{
		CHECK_FOR_INTERRUPTS();
		for (uint32 i = 0; i < names[n].count; i++)
		{
			bool		found;

			rank = hash_search(ranks, &names[n].trigrams[i], HASH_ENTER, &found);
			rank->names = found ? rank->names + 1 : 1;
		}
	}

	list = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(Rank *) * ((Size) hash_get_num_entries(ranks) + 1));
	hash_seq_init(&all, ranks);
	while ((rank = hash_seq_search(&all)) != NULL)
		list[used++] = rank;
	qsort(list, used, sizeof(Rank *), compare_rarity);
	for (uint32 r = 0; r < used; r++)
		list[r]->rank = r;
	pfree(list);
	return ranks;
}

static void
use_ranks(NameSet *names, uint32 count, HTAB *ranks)
{
	for (uint32 n = 0; n < count; n++)
	{
		NameSet	   *name = &names[n];
		uint32		used = 0;

		CHECK_FOR_INTERRUPTS();
		for (uint32 i = 0; i < name->count; i++)
		{
			const Rank *rank = hash_search(ranks, &name->trigrams[i], HASH_FIND, NULL);

			if (rank != NULL)
				name->trigrams[used++] = rank->rank;
		}
		name->unseen = name->count - used;
		name->count = used;
		qsort(name->trigrams, used, sizeof(uint64), compare_trigrams);
	}
}

/* How many of the stored trigrams belong to the prefix. */
static uint32
prefix_of(const NameSet *name, double threshold)
{
	uint32		size = name->count + name->unseen;
	/* a hair less, so that no rounding leaves out a pair */
	uint32		prefix = size - (uint32) ceil(threshold * size - 1e-9) + 1;

	return prefix <= name->unseen ? 0 : Min(prefix - name->unseen, name->count);
}

/* The number of trigrams that both have; some smaller number when it is less than needed. */
static uint32
common(const NameSet *a, const NameSet *b, double needed)
{
	uint32		i = 0,
				j = 0,
				shared = 0;

	while (i < a->count && j < b->count)
	{
		if (a->trigrams[i] == b->trigrams[j])
			shared++, i++, j++;
		else if (a->trigrams[i] < b->trigrams[j])
		{
			i++;
			if (shared + a->count - i < needed)
				break;
		}
		else
		{
			j++;
			if (shared + b->count - j < needed)
				break;
		}
	}
	return shared;
}

static double
ratio(const NameSet *a, const NameSet *b, uint32 shared)
{
	uint32		all = a->count + a->unseen + b->count + b->unseen - shared;

	return all == 0 ? 0 : (double) shared / all;
}

/* The most alike first; of equals the one that stands first in the list. */
static void
keep(Found *kept, uint32 *count, uint32 most, uint32 number, double similarity)
{
	uint32		at = *count;

	while (at > 0 && (kept[at - 1].similarity < similarity ||
					  (kept[at - 1].similarity == similarity && kept[at - 1].number > number)))
		at--;
	if (at == most)
		return;
	if (*count < most)
		(*count)++;
	memmove(&kept[at + 1], &kept[at], sizeof(Found) * (*count - at - 1));
	kept[at] = (Found) {number, similarity};
}

static int
compare_trigrams(const void *a, const void *b)
{
	uint64		x = *(const uint64 *) a,
				y = *(const uint64 *) b;

	return (x > y) - (x < y);
}

static int
compare_rarity(const void *a, const void *b)
{
	const Rank *x = *(Rank *const *) a,
			   *y = *(Rank *const *) b;

	if (x->names != y->names)
		return x->names < y->names ? -1 : 1;
	return compare_trigrams(&x->trigram, &y->trigram);
}
