/*
 * jsonb_write.c
 *		Writing jsonb directly in its stored form (see jsonb_write.h).
 *
 * A container is a header, one entry for each child, then the children's bytes. An entry holds a length, every
 * JB_OFFSET_STRIDE-th one the offset of its end instead. Numbers and containers are aligned to four bytes, and the
 * padding counts as theirs.
 */
#include "compat.h"

#include "utils/memutils.h"

#include "jsonb_write.h"

static void reserve(ErJsonWriter *writer, Size more);
static void pad(ErJsonWriter *writer);
static void begin_container(ErJsonWriter *writer, uint32 header, uint32 count);
static inline void set_entry(ErJsonWriter *writer, ErJsonLevel *level, uint32 type, Size begin);
static inline void add_child(ErJsonWriter *writer, uint32 type, Size begin);
pg_noreturn static void too_large(void);

void
er_json_start(ErJsonWriter *writer, Size expected)
{
	writer->size = Max(expected, 64);
	writer->buffer = MemoryContextAllocHuge(CurrentMemoryContext, writer->size);
	writer->used = VARHDRSZ;
	writer->depth = 0;
	for (int i = 0; i < ER_JSON_MAX_DEPTH; i++)
		writer->keys[i].shape = NULL;
}

Jsonb *
er_json_finish(ErJsonWriter *writer)
{
	Assert(writer->depth == 0);
	if (writer->used > MaxAllocSize)
		too_large();
	SET_VARSIZE(writer->buffer, writer->used);
	return (Jsonb *) writer->buffer;
}

void
er_json_begin_array(ErJsonWriter *writer, uint32 count)
{
	if (count > JB_CMASK)
		too_large();
	begin_container(writer, count | JB_FARRAY, count);
}

void
er_json_begin_object(ErJsonWriter *writer, const ErJsonShape *shape)
{
	ErJsonKeys *written = &writer->keys[writer->depth];
	ErJsonLevel *level;

	begin_container(writer, shape->nkeys | JB_FOBJECT, shape->nkeys * 2);
	level = &writer->levels[writer->depth - 1];
	if (written->shape == shape)
	{
		reserve(writer, written->size);
		memcpy(writer->buffer + level->entries, writer->buffer + written->entries, shape->nkeys * sizeof(JEntry));
		memcpy(writer->buffer + level->data, writer->buffer + written->data, written->size);
		writer->used += written->size;
		level->next = shape->nkeys;
		return;
	}
	for (int i = 0; i < shape->nkeys; i++)
	{
		Size		begin = writer->used;
		Size		len = strlen(shape->keys[i]);

		reserve(writer, len);
		memcpy(writer->buffer + writer->used, shape->keys[i], len);
		writer->used += len;
		set_entry(writer, level, JENTRY_ISSTRING, begin);
	}
	written->shape = shape;
	written->entries = level->entries;
	written->data = level->data;
	written->size = writer->used - level->data;
}

void
er_json_end(ErJsonWriter *writer)
{
	ErJsonLevel *level = &writer->levels[--writer->depth];

	Assert(level->next == level->count);
	add_child(writer, JENTRY_ISCONTAINER, level->begin);
}

void
er_json_null(ErJsonWriter *writer)
{
	add_child(writer, JENTRY_ISNULL, writer->used);
}

void
er_json_bool(ErJsonWriter *writer, bool value)
{
	add_child(writer, value ? JENTRY_ISBOOL_TRUE : JENTRY_ISBOOL_FALSE, writer->used);
}

void
er_json_text(ErJsonWriter *writer, const char *text, uint32 len)
{
	if (text == NULL)
		er_json_null(writer);
	else
		er_json_copy(writer, JENTRY_ISSTRING, text, len);
}

void
er_json_decimal(ErJsonWriter *writer, uint64 value, int decimals)
{
	Size		begin = writer->used;
	uint64		whole = decimals == 2 ? value / 100 : value;
	uint32		cents = decimals == 2 ? value % 100 : 0;
	int			scale = cents == 0 ? 0 : cents % 10 == 0 ? 1 : 2;
	int16		digits[6];
	int			first = 5;		/* digits[5] is the fraction, digits[4] the ones, ... */
	int			last = 5;
	int			weight;
	uint16		header;

	digits[5] = cents * 100;
	do
	{
		digits[--first] = whole % 10000;
		whole /= 10000;
	} while (whole > 0 && first > 0);
	weight = 4 - first;
	while (first <= last && digits[first] == 0)
	{
		first++;
		weight--;
	}
	while (last >= first && digits[last] == 0)
		last--;
	if (first > last)
		weight = 0;

	/* the short form of numeric: flag, scale, weight; then digits to the base 10000 */
	header = 0x8000 | (scale << 7) | (weight < 0 ? 0x0040 : 0) | (weight & 0x003F);
	pad(writer);
	reserve(writer, VARHDRSZ + sizeof(header) + sizeof(digits));
	SET_VARSIZE(writer->buffer + writer->used, VARHDRSZ + sizeof(header) + (last - first + 1) * sizeof(int16));
	memcpy(writer->buffer + writer->used + VARHDRSZ, &header, sizeof(header));
	memcpy(writer->buffer + writer->used + VARHDRSZ + sizeof(header), digits + first, (last - first + 1) * sizeof(int16));
	writer->used += VARHDRSZ + sizeof(header) + (last - first + 1) * sizeof(int16);
	add_child(writer, JENTRY_ISNUMERIC, begin);
}

void
er_json_copy(ErJsonWriter *writer, uint32 type, const char *bytes, uint32 len)
{
	Size		begin = writer->used;

	if (type == JENTRY_ISNUMERIC || type == JENTRY_ISCONTAINER)
		pad(writer);
	reserve(writer, len);
	if (len > 0)
		memcpy(writer->buffer + writer->used, bytes, len);
	writer->used += len;
	add_child(writer, type, begin);
}

static void
reserve(ErJsonWriter *writer, Size more)
{
	Size		need = writer->used + more;

	if (likely(need <= writer->size))
		return;
	if (need > MaxAllocSize)
		too_large();
	writer->size = Min(MaxAllocSize, need * 2);
	writer->buffer = repalloc_huge(writer->buffer, writer->size);
}

static void
pad(ErJsonWriter *writer)
{
	reserve(writer, 3);
	while (writer->used & 3)
		writer->buffer[writer->used++] = '\0';
}

static void
begin_container(ErJsonWriter *writer, uint32 header, uint32 count)
{
	ErJsonLevel *level = &writer->levels[writer->depth++];

	Assert(writer->depth <= ER_JSON_MAX_DEPTH);
	level->begin = writer->used;
	pad(writer);
	reserve(writer, sizeof(header) + count * sizeof(JEntry));
	memcpy(writer->buffer + writer->used, &header, sizeof(header));
	level->entries = writer->used + sizeof(header);
	level->data = level->entries + count * sizeof(JEntry);
	level->next = 0;
	level->count = count;
	writer->used = level->data;
}

static inline void
set_entry(ErJsonWriter *writer, ErJsonLevel *level, uint32 type, Size begin)
{
	Size		end = writer->used - level->data;
	uint32		entry;

	Assert(level->next < level->count);
	if (end > JENTRY_OFFLENMASK)
		too_large();
	if (level->next % JB_OFFSET_STRIDE == 0)
		entry = type | (uint32) end | JENTRY_HAS_OFF;
	else
		entry = type | (uint32) (writer->used - begin);
	memcpy(writer->buffer + level->entries + level->next * sizeof(JEntry), &entry, sizeof(entry));
	level->next++;
}

static inline void
add_child(ErJsonWriter *writer, uint32 type, Size begin)
{
	if (writer->depth > 0)
		set_entry(writer, &writer->levels[writer->depth - 1], type, begin);
}

static void
too_large(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("the consolidated document is too large"),
			 errdetail("A jsonb container holds at most %u bytes.", JENTRY_OFFLENMASK),
			 errhint("Consolidate fewer reports at a time.")));
}
