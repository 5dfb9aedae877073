/*
 * flags_hash.c
 *		Which of n buckets an id falls into: MurmurHash3 x86 32, as Unleash and flagd use it.
 *
 * Unleash hashes "group:id" and counts buckets from 1: of 100 with seed 0 for percentages, of the sum of weights with
 * seed 86028157 for variants. Its SDKs in Rust and Go hash the UTF-8 bytes, and so do we; the one for Node hashes the
 * low byte of each UTF-16 unit, which is the same for ASCII alone and has a name of its own here. flagd hashes the
 * group and the id with nothing between them, seed 0, and takes the high part of the product with the sum of weights.
 */
#include "flags_rules.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#define VARIANT_SEED	86028157
#define SHORT_INPUT		256

static char *join(ErFlagAlgorithm algorithm, ErFlagText group, ErFlagText id, char *buffer, int *len);
static char *low_bytes(char *utf8, int *len);
static ErFlagText utf8_argument(text *value);

PG_FUNCTION_INFO_V1(er_flag_bucket);
PG_FUNCTION_INFO_V1(er_flag_variant_bucket);
PG_FUNCTION_INFO_V1(er_murmur3_bytes);

Datum
er_flag_bucket(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(er_flag_dealt(ER_FLAG_UNLEASH, utf8_argument(PG_GETARG_TEXT_PP(0)),
								  utf8_argument(PG_GETARG_TEXT_PP(1)), false, 100));
}

Datum
er_flag_variant_bucket(PG_FUNCTION_ARGS)
{
	int32		total = PG_GETARG_INT32(2);

	if (total < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("total is %d", total),
				 errdetail("It is the sum of the weights, at least 1.")));
	PG_RETURN_INT32(er_flag_dealt(ER_FLAG_UNLEASH, utf8_argument(PG_GETARG_TEXT_PP(0)),
								  utf8_argument(PG_GETARG_TEXT_PP(1)), true, total));
}

/* The bare hash, as published vectors have it. */
Datum
er_murmur3_bytes(PG_FUNCTION_ARGS)
{
	bytea	   *data = PG_GETARG_BYTEA_PP(0);

	PG_RETURN_INT64(er_murmur3(VARDATA_ANY(data), VARSIZE_ANY_EXHDR(data), (uint32) PG_GETARG_INT64(1)));
}

/*
 * The bucket of an id, 1 to total. Group and id are UTF-8.
 */
uint32
er_flag_dealt(ErFlagAlgorithm algorithm, ErFlagText group, ErFlagText id, bool variant, uint32 total)
{
	char		buffer[SHORT_INPUT];
	int			len;
	char	   *input = join(algorithm, group, id, buffer, &len);
	uint32		hash;

	if (algorithm == ER_FLAG_UNLEASH_NODE)
		input = low_bytes(input, &len);
	hash = er_murmur3(input, len, variant && algorithm != ER_FLAG_FLAGD ? VARIANT_SEED : 0);
	if (algorithm == ER_FLAG_FLAGD)
		return (uint32) (((uint64) hash * total) >> 32) + 1;
	return hash % total + 1;
}

/*
 * MurmurHash3_x86_32 (Austin Appleby, public domain): blocks of four bytes, little-endian.
 */
uint32
er_murmur3(const char *data, int len, uint32 seed)
{
	const uint8 *p = (const uint8 *) data;
	uint32		hash = seed;
	uint32		k;
	int			left = len;

#define ROTATE(x, bits) (((x) << (bits)) | ((x) >> (32 - (bits))))
	for (; left >= 4; left -= 4, p += 4)
	{
		k = p[0] | (uint32) p[1] << 8 | (uint32) p[2] << 16 | (uint32) p[3] << 24;
		k *= 0xcc9e2d51;
		k = ROTATE(k, 15) * 0x1b873593;
		hash ^= k;
		hash = ROTATE(hash, 13) * 5 + 0xe6546b64;
	}
	if (left > 0)
	{
		k = 0;
		while (left > 0)
			k = k << 8 | p[--left];
		k *= 0xcc9e2d51;
		hash ^= ROTATE(k, 15) * 0x1b873593;
	}
#undef ROTATE
	hash ^= (uint32) len;
	hash = (hash ^ hash >> 16) * 0x85ebca6b;
	hash = (hash ^ hash >> 13) * 0xc2b2ae35;
	return hash ^ hash >> 16;
}

static char *
join(ErFlagAlgorithm algorithm, ErFlagText group, ErFlagText id, char *buffer, int *len)
{
	Size		size = (Size) group.len + id.len + 1;
	char	   *p;

	if (size > SHORT_INPUT)
		buffer = MemoryContextAllocHuge(CurrentMemoryContext, size);
	memcpy(buffer, group.data, group.len);
	p = buffer + group.len;
	if (algorithm != ER_FLAG_FLAGD)
		*p++ = ':';
	memcpy(p, id.data, id.len);
	*len = (int) Min(p + id.len - buffer, INT_MAX);
	return buffer;
}

/* In place: no character has more UTF-16 units than UTF-8 bytes. */
static char *
low_bytes(char *utf8, int *len)
{
	char	   *out = utf8;

	for (char *p = utf8; p < utf8 + *len;)
	{
		int			bytes = Min(pg_utf_mblen((unsigned char *) p), utf8 + *len - p);
		pg_wchar	c = bytes == pg_utf_mblen((unsigned char *) p) ? utf8_to_unicode((unsigned char *) p) : (uint8) *p;

		p += bytes;
		if (c >= 0x10000)
		{
			*out++ = (char) ((0xD800 + ((c - 0x10000) >> 10)) & 0xFF);
			c = 0xDC00 + ((c - 0x10000) & 0x3FF);
		}
		*out++ = (char) (c & 0xFF);
	}
	*len = (int) (out - utf8);
	return utf8;
}

/* Text of the database in UTF-8. */
ErFlagText
er_flag_utf8(ErFlagText value)
{
	if (GetDatabaseEncoding() != PG_UTF8 && GetDatabaseEncoding() != PG_SQL_ASCII)
	{
		const char *converted = pg_server_to_any(value.data, value.len, PG_UTF8);

		if (converted != value.data)
		{
			value.data = converted;
			value.len = strlen(converted);
		}
	}
	return value;
}

static ErFlagText
utf8_argument(text *value)
{
	ErFlagText	result = {VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)};

	return er_flag_utf8(result);
}
