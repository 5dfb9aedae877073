/*
 * consolidation_store.c
 *		What a consolidation state is made of: an arena, lists, hash indexes and sets.
 *
 * Hashes are seeded per process, so nobody can prepare documents that collide; nothing in a result or in a serialised
 * state depends on a hash. Sets and tables compare the full key after the hash.
 */
#include "compat.h"

#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "utils/memutils.h"

#include "consolidation.h"

#define FIRST_CHUNK 8192
#define KEPT_FREE (4 * 1024 * 1024)
#define LARGEST_CHUNK (1024 * 1024)
#define LINEAR_MEMBERS 16

uint64		er_hash_seed = 0;

static inline uint32 hash_id(uint32 id);
static void index_grow(ErArena *arena, ErTable *table);
static void idset_hash(ErArena *arena, ErIdSet *set);
static void valueset_hash(ErArena *arena, ErValueSet *set);
static inline bool same_value(const ErValue *value, uint64 hash, uint32 type, const char *bytes, uint32 len);

/*
 * The C library gives what is freed at the end of its heap back to the kernel, and takes it again, page by page, for the
 * next report. With glibc, freeing one block of this size raises that limit for the rest of the session to twice its size
 * (mallopt(3), M_TRIM_THRESHOLD); elsewhere it does no harm.
 */
void
er_keep_freed_memory(void)
{
	static bool done = false;

	if (!done)
		pfree(palloc(KEPT_FREE));
	done = true;
}

void *
er_arena_alloc(ErArena *arena, Size size)
{
	char	   *result;

	size = MAXALIGN(size);
	if (unlikely(size > arena->left))
	{
		if (size > arena->chunk / 4 && arena->chunk > 0)
			return MemoryContextAllocHuge(arena->context, size);
		arena->chunk = arena->chunk == 0 ? FIRST_CHUNK : Min(arena->chunk * 2, LARGEST_CHUNK);
		if (size > arena->chunk)
			return MemoryContextAllocHuge(arena->context, size);
		arena->free = MemoryContextAlloc(arena->context, arena->chunk);
		arena->left = arena->chunk;
	}
	result = arena->free;
	arena->free += size;
	arena->left -= size;
	return result;
}

ErText
er_arena_text(ErArena *arena, ErText text)
{
	ErText		copy = text;

	if (text.ptr != NULL)
	{
		char	   *bytes = er_arena_alloc(arena, Max(text.len, 1));

		memcpy(bytes, text.ptr, text.len);
		copy.ptr = bytes;
	}
	return copy;
}

void
er_list_grow(ErArena *arena, ErList *list, Size item_size)
{
	Size		size = list->size == 0 ? 8 : (Size) list->size * 2;

	if (size >= ER_NONE)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many distinct items in one consolidation")));
	if (list->items == NULL)
		list->items = MemoryContextAllocHuge(arena->context, size * item_size);
	else
		list->items = repalloc_huge(list->items, size * item_size);
	list->size = size;
}

/* Called by er_hash before the first hash of this process. */
void
er_hash_choose_seed(void)
{
	if (!pg_strong_random(&er_hash_seed, sizeof(er_hash_seed)))
		er_hash_seed = (uint64) MyProcPid * UINT64CONST(0x9E3779B97F4A7C15);
	er_hash_seed |= 1;
}

uint32
er_table_find(const ErTable *table, Size item_size, ErText key, uint64 hash)
{
	const ErIndex *index = &table->index;

	if (index->slots == NULL)
		return ER_NONE;
	for (uint32 at = hash & index->mask;; at = (at + 1) & index->mask)
	{
		const ErIndexSlot *slot = &index->slots[at];

		if (slot->place == 0)
			return ER_NONE;
		if (slot->hash == hash)
		{
			const ErText *other = (const ErText *) (table->list.items + (Size) (slot->place - 1) * item_size);

			if (other->len == key.len && er_same_bytes(other->ptr, key.ptr, key.len))
				return slot->place - 1;
		}
	}
}

uint32
er_table_add(ErArena *arena, ErTable *table, Size item_size, ErText key, uint64 hash)
{
	ErIndex    *index = &table->index;
	uint32		at;

	if (index->slots == NULL || index->used >= index->mask - index->mask / 4)
		index_grow(arena, table);
	for (at = hash & index->mask; index->slots[at].place != 0; at = (at + 1) & index->mask)
		;
	*(ErText *) er_list_add(arena, &table->list, item_size) = key;
	index->slots[at].hash = hash;
	index->slots[at].place = table->list.count;
	index->used++;
	return table->list.count - 1;
}

uint32
er_table_intern(ErArena *arena, ErTable *table, Size item_size, ErText key, bool *added)
{
	uint64		hash = er_hash(key.ptr, key.len);
	uint32		number = er_table_find(table, item_size, key, hash);

	if (added != NULL)
		*added = number == ER_NONE;
	if (number == ER_NONE)
		number = er_table_add(arena, table, item_size, er_arena_text(arena, key), hash);
	return number;
}

static inline uint32
hash_id(uint32 id)
{
	id *= 0x9E3779B1u;
	return id ^ (id >> 15);
}

ErMember *
er_idset_add(ErArena *arena, ErIdSet *set, uint32 id)
{
	uint32		at = 0;

	if (set->slots == NULL)
	{
		for (uint32 i = 0; i < set->count; i++)
			if (set->members[i].id == id)
				return &set->members[i];
	}
	else
		for (at = hash_id(id) & set->mask; set->slots[at] != 0; at = (at + 1) & set->mask)
			if (set->members[set->slots[at] - 1].id == id)
				return &set->members[set->slots[at] - 1];

	if (set->count == set->size)
	{
		uint32		size = set->size == 0 ? 4 : set->size * 2;
		ErMember   *members = er_arena_alloc(arena, size * sizeof(ErMember));

		if (set->count > 0)
			memcpy(members, set->members, set->count * sizeof(ErMember));
		set->members = members;
		set->size = size;
		if (size > LINEAR_MEMBERS)
		{
			idset_hash(arena, set);
			for (at = hash_id(id) & set->mask; set->slots[at] != 0; at = (at + 1) & set->mask)
				;
		}
	}
	set->members[set->count].id = id;
	set->members[set->count].stamp = 0;
	if (set->slots != NULL)
		set->slots[at] = set->count + 1;
	return &set->members[set->count++];
}

static void
idset_hash(ErArena *arena, ErIdSet *set)
{
	Size		slots = (Size) set->size * 2;

	set->mask = slots - 1;
	set->slots = er_arena_alloc(arena, slots * sizeof(uint32));
	memset(set->slots, 0, slots * sizeof(uint32));
	for (uint32 i = 0; i < set->count; i++)
	{
		uint32		at = hash_id(set->members[i].id) & set->mask;

		while (set->slots[at] != 0)
			at = (at + 1) & set->mask;
		set->slots[at] = i + 1;
	}
}

bool
er_idset_has(const ErIdSet *set, uint32 id)
{
	if (set->slots == NULL)
	{
		for (uint32 i = 0; i < set->count; i++)
			if (set->members[i].id == id)
				return true;
		return false;
	}
	for (uint32 at = hash_id(id) & set->mask; set->slots[at] != 0; at = (at + 1) & set->mask)
		if (set->members[set->slots[at] - 1].id == id)
			return true;
	return false;
}

uint32
er_modules_count(const ErModuleSet *set)
{
	return pg_popcount64(set->bits) + set->more.count;
}

uint32
er_modules_list(const ErModuleSet *set, uint32 *modules)
{
	uint64		bits = set->bits;
	uint32		count = 0;

	while (bits != 0)
	{
		modules[count++] = pg_rightmost_one_pos64(bits);
		bits &= bits - 1;
	}
	for (uint32 i = 0; i < set->more.count; i++)
		modules[count++] = set->more.members[i].id;
	return count;
}

void
er_valueset_add(ErArena *arena, ErValueSet *set, uint32 type, const char *bytes, uint32 len)
{
	uint64		hash = er_hash(bytes, len) + type;
	ErText		copy = {bytes, len};
	uint32		at = 0;

	if (set->slots == NULL)
	{
		for (uint32 i = 0; i < set->count; i++)
			if (same_value(&set->values[i], hash, type, bytes, len))
				return;
	}
	else
		for (at = hash & set->mask; set->slots[at] != 0; at = (at + 1) & set->mask)
			if (same_value(&set->values[set->slots[at] - 1], hash, type, bytes, len))
				return;

	if (set->count == set->size)
	{
		uint32		size = set->size == 0 ? 4 : set->size * 2;
		ErValue    *values = er_arena_alloc(arena, size * sizeof(ErValue));

		if (set->count > 0)
			memcpy(values, set->values, set->count * sizeof(ErValue));
		set->values = values;
		set->size = size;
		if (size > LINEAR_MEMBERS)
		{
			valueset_hash(arena, set);
			for (at = hash & set->mask; set->slots[at] != 0; at = (at + 1) & set->mask)
				;
		}
	}
	copy = er_arena_text(arena, copy);
	set->values[set->count].hash = hash;
	set->values[set->count].ptr = copy.ptr;
	set->values[set->count].len = len;
	set->values[set->count].type = type;
	set->count++;
	if (set->slots != NULL)
		set->slots[at] = set->count;
}

static void
valueset_hash(ErArena *arena, ErValueSet *set)
{
	Size		slots = (Size) set->size * 2;

	set->mask = slots - 1;
	set->slots = er_arena_alloc(arena, slots * sizeof(uint32));
	memset(set->slots, 0, slots * sizeof(uint32));
	for (uint32 i = 0; i < set->count; i++)
	{
		uint32		at = set->values[i].hash & set->mask;

		while (set->slots[at] != 0)
			at = (at + 1) & set->mask;
		set->slots[at] = i + 1;
	}
}

static bool
same_value(const ErValue *value, uint64 hash, uint32 type, const char *bytes, uint32 len)
{
	return value->hash == hash && value->len == len && value->type == type && er_same_bytes(value->ptr, bytes, len);
}

/* Texts first, in bytewise order; then the other kinds of value. */
int
er_value_compare(const void *a, const void *b)
{
	const ErValue *one = a;
	const ErValue *two = b;
	int			order;

	CHECK_FOR_INTERRUPTS();
	if (one->type != two->type)
		return one->type < two->type ? -1 : 1;
	order = memcmp(one->ptr, two->ptr, Min(one->len, two->len));
	if (order != 0)
		return order;
	return (one->len > two->len) - (one->len < two->len);
}

static void
index_grow(ErArena *arena, ErTable *table)
{
	ErIndex    *index = &table->index;
	Size		size = index->slots == NULL ? 16 : ((Size) index->mask + 1) * 2;
	ErIndexSlot *slots = MemoryContextAllocExtended(arena->context, size * sizeof(ErIndexSlot),
													MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);

	if (index->slots != NULL)
	{
		for (Size i = 0; i <= index->mask; i++)
		{
			ErIndexSlot slot = index->slots[i];
			uint32		at = slot.hash & (size - 1);

			if (slot.place == 0)
				continue;
			while (slots[at].place != 0)
				at = (at + 1) & (size - 1);
			slots[at] = slot;
		}
		pfree(index->slots);
	}
	index->slots = slots;
	index->mask = size - 1;
}
