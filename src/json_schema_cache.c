/*
 * json_schema_cache.c
 *		Compiled schemas of this session.
 *
 * They are found by a hash of the schema's jsonb and compared in full, so a collision costs time only. The cache
 * holds at most MAX_ENTRIES schemas and MAX_BYTES of memory and drops the one unused for longest. A schema is a
 * value, so nothing ever goes stale. A call site remembers the schema it used last by the bytes of its argument
 * as they came, toasted or not; "evictions" tells it whether that schema may be gone.
 */
#include "postgres.h"

#include "json_schema.h"

#include "common/hashfn.h"
#include "lib/ilist.h"
#include "utils/memutils.h"

#define MAX_ENTRIES 256
#define MAX_BYTES ((Size) 64 * 1024 * 1024)
#define BUCKETS 256

/* A raw argument longer than this is not remembered at the call site. */
#define MAX_RAW (1024 * 1024)

typedef struct Entry
{
	dlist_node	use;			/* most recently used first */
	dlist_node	bucket;
	uint64		hash;
	Size		bytes;
	ErJsSchema *schema;
} Entry;

typedef struct CallSite
{
	uint64		evictions;
	Size		raw_size;
	Size		raw_space;
	char	   *raw;
	Entry	   *entry;
} CallSite;

static Entry *find_or_compile(Jsonb *source);
static void make_room(void);

static dlist_head in_use = DLIST_STATIC_INIT(in_use);
static dlist_head buckets[BUCKETS];
static bool ready = false;
static int	entry_count = 0;
static Size total_bytes = 0;
static uint64 evictions = 0;

/* The compiled schema for an argument that is not NULL. It is valid until the next call into the cache. */
ErJsSchema *
er_js_schema_of_argument(FunctionCallInfo fcinfo, int argno)
{
	struct varlena *raw = (struct varlena *) DatumGetPointer(PG_GETARG_DATUM(argno));
	Size		size = VARSIZE_ANY(raw);
	CallSite   *site = fcinfo->flinfo->fn_extra;
	Entry	   *entry;

	if (site != NULL && site->entry != NULL && site->evictions == evictions && site->raw_size == size &&
		memcmp(site->raw, raw, size) == 0)
	{
		dlist_move_head(&in_use, &site->entry->use);
		return site->entry->schema;
	}
	entry = find_or_compile(DatumGetJsonbP(PointerGetDatum(raw)));

	/* an expanded or in-memory indirect value may change behind its pointer */
	if (size > MAX_RAW || (VARATT_IS_EXTERNAL(raw) && !VARATT_IS_EXTERNAL_ONDISK(raw)))
		return entry->schema;
	if (site == NULL)
		site = fcinfo->flinfo->fn_extra = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(CallSite));
	if (site->raw_space < size)
	{
		site->entry = NULL;
		if (site->raw != NULL)
			pfree(site->raw);
		site->raw_space = 0;
		site->raw = MemoryContextAlloc(fcinfo->flinfo->fn_mcxt, size);
		site->raw_space = size;
	}
	memcpy(site->raw, raw, size);
	site->raw_size = size;
	site->entry = entry;
	site->evictions = evictions;
	return entry->schema;
}

ErJsSchema *
er_js_schema_of_jsonb(Jsonb *source)
{
	return find_or_compile(source)->schema;
}

/* The same for a source that its owner holds on to and clears `kept` for when it changes. */
ErJsSchema *
er_js_schema_kept(ErJsKept *kept, Jsonb *source)
{
	if (kept->schema == NULL || kept->evictions != evictions)
	{
		kept->schema = NULL;
		kept->schema = find_or_compile(source)->schema;
		kept->evictions = evictions;
	}
	return kept->schema;
}

static Entry *
find_or_compile(Jsonb *source)
{
	uint64		hash = hash_bytes_extended((const unsigned char *) VARDATA(source), VARSIZE(source) - VARHDRSZ, 0);
	dlist_head *bucket = &buckets[hash % BUCKETS];
	dlist_iter	iter;
	ErJsSchema *schema;
	Entry	   *entry;

	if (!ready)
	{
		for (int i = 0; i < BUCKETS; i++)
			dlist_init(&buckets[i]);
		ready = true;
	}
	dlist_foreach(iter, bucket)
	{
		entry = dlist_container(Entry, bucket, iter.cur);
		if (entry->hash == hash && VARSIZE(entry->schema->source) == VARSIZE(source) &&
			memcmp(entry->schema->source, source, VARSIZE(source)) == 0)
		{
			dlist_move_head(&in_use, &entry->use);
			return entry;
		}
	}

	schema = er_js_compile(source);
	entry = MemoryContextAllocZero(schema->context, sizeof(Entry));
	entry->hash = hash;
	entry->schema = schema;
	entry->bytes = MemoryContextMemAllocated(schema->context, true) + schema->regex_bytes;
	MemoryContextSetParent(schema->context, CacheMemoryContext);
	total_bytes += entry->bytes;
	entry_count++;
	dlist_push_head(bucket, &entry->bucket);
	dlist_push_head(&in_use, &entry->use);
	make_room();
	return entry;
}

/* Drops what was not used for longest; the newest stays whatever its size. */
static void
make_room(void)
{
	while (entry_count > 1 && (entry_count > MAX_ENTRIES || total_bytes > MAX_BYTES))
	{
		Entry	   *entry = dlist_tail_element(Entry, use, &in_use);

		dlist_delete(&entry->use);
		dlist_delete(&entry->bucket);
		total_bytes -= entry->bytes;
		entry_count--;
		evictions++;
		MemoryContextDelete(entry->schema->context);
	}
}
