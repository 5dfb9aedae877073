/*
 * jsonb_read.c
 *		Reading jsonb in place (see jsonb_read.h).
 */
#include "compat.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

#include "jsonb_read.h"

#define DESCRIBED_BYTES 40

/* the parts of a stored numeric that we read */
#define SHORT_FLAG 0x8000
#define SHORT_NEGATIVE 0x2000
#define SHORT_WEIGHT_SIGN 0x0040
#define SHORT_WEIGHT_MASK 0x003F
#define LONG_SIGN_MASK 0xC000
#define LONG_NEGATIVE 0x4000

static uint8 code_of_key(const ErJsonKey *keys, const char *name, uint32 len);

void
er_json_fields(const ErJson *object, const ErJsonKey *keys, int ncodes, ErJsonLayout *layout, ErJson *out)
{
	const JsonbContainer *container = (const JsonbContainer *) object->ptr;
	uint32		n = JsonContainerSize(container);
	const JEntry *entry = container->children;
	const char *base = (const char *) (container->children + 2 * (Size) n);
	uint32		offset = 0;
	uint32		start;

	for (int i = 1; i <= ncodes; i++)
		out[i].type = ER_JSON_ABSENT;

	if (n == 0)
		return;

	if (n != layout->nkeys || memcmp(entry, layout->entries, n * sizeof(JEntry)) != 0 ||
		memcmp(base, layout->bytes, layout->nbytes) != 0)
	{
		uint8	   *codes = layout->codes;
		uint32		nbytes = 0;

		if (n > ER_LAYOUT_KEYS)
			codes = palloc(n);
		layout->nkeys = 0;
		for (uint32 i = 0; i < n; i++)
		{
			start = nbytes;
			JBE_ADVANCE_OFFSET(nbytes, entry[i]);
			codes[i] = code_of_key(keys, base + start, nbytes - start);
			if ((i & 0xFFFF) == 0xFFFF)
				CHECK_FOR_INTERRUPTS();
		}
		if (n > ER_LAYOUT_KEYS || nbytes > ER_LAYOUT_BYTES)
		{
			offset = nbytes;
			for (uint32 i = 0; i < n; i++)
			{
				start = offset;
				JBE_ADVANCE_OFFSET(offset, entry[n + i]);
				if (codes[i] != 0)
					er_json_set(&out[codes[i]], entry[n + i], base, start, offset);
			}
			if (codes != layout->codes)
				pfree(codes);
			return;
		}
		layout->nkeys = n;
		layout->nbytes = nbytes;
		memcpy(layout->entries, entry, n * sizeof(JEntry));
		memcpy(layout->bytes, base, nbytes);
	}

	entry += n;
	offset = layout->nbytes;
	for (uint32 i = 0; i < n; i++)
	{
		start = offset;
		JBE_ADVANCE_OFFSET(offset, entry[i]);
		if (layout->codes[i] != 0)
			er_json_set(&out[layout->codes[i]], entry[i], base, start, offset);
	}
}

static uint8
code_of_key(const ErJsonKey *keys, const char *name, uint32 len)
{
	for (; keys->name != NULL; keys++)
		if (strncmp(keys->name, name, len) == 0 && keys->name[len] == '\0')
			return keys->code;
	return 0;
}

ErJson
er_json_root(const Jsonb *document)
{
	ErJson		root;

	root.type = JENTRY_ISCONTAINER;
	root.ptr = (const char *) &document->root;
	root.len = VARSIZE(document) - VARHDRSZ;
	if (JsonContainerIsScalar(&document->root))
	{
		ErJsonWalk	walk;
		ErJson		array = root;

		er_json_walk(&walk, &array);
		er_json_next(&walk, &root);
	}
	return root;
}

bool
er_json_fixed8(const ErJson *number, int64 *result)
{
	static const int64 place[] = {INT64CONST(1000000000000), 100000000, 10000, 1};	/* 10000^1 .. 10000^-2 */
	const char *data = VARDATA_ANY(number->ptr);
	int			size = VARSIZE_ANY_EXHDR(number->ptr);
	const int16 *digits;
	uint16		header;
	int			weight;
	int			ndigits;
	bool		negative;
	int64		sum = 0;

	memcpy(&header, data, sizeof(header));
	if (header & SHORT_FLAG)
	{
		weight = header & SHORT_WEIGHT_MASK;
		if (header & SHORT_WEIGHT_SIGN)
			weight |= ~SHORT_WEIGHT_MASK;
		negative = (header & SHORT_NEGATIVE) != 0;
		digits = (const int16 *) (data + 2);
		ndigits = (size - 2) / 2;
	}
	else
	{
		int16		long_weight;

		memcpy(&long_weight, data + 2, sizeof(long_weight));
		weight = long_weight;
		negative = (header & LONG_SIGN_MASK) == LONG_NEGATIVE;
		digits = (const int16 *) (data + 4);
		ndigits = (size - 4) / 2;
	}
	if (ndigits > 0 && weight > 1)
		return false;
	for (int i = 0; i < ndigits; i++)
	{
		int			at = 1 - (weight - i);

		if (at > 3)
			break;
		sum += digits[i] * place[at];
	}
	*result = negative ? -sum : sum;
	return true;
}

char *
er_json_describe(const ErJson *value)
{
	char	   *text;
	int			len;

	switch (value->type)
	{
		case JENTRY_ISSTRING:
			len = pg_mbcliplen(value->ptr, value->len, DESCRIBED_BYTES);
			return psprintf("the string \"%.*s%s\"", len, value->ptr, len < (int) value->len ? "..." : "");
		case JENTRY_ISNUMERIC:
			text = numeric_normalize((Numeric) value->ptr);
			len = strlen(text);
			return psprintf("the number %.*s%s", Min(len, DESCRIBED_BYTES), text, len > DESCRIBED_BYTES ? "..." : "");
		case JENTRY_ISBOOL_FALSE:
			return "false";
		case JENTRY_ISBOOL_TRUE:
			return "true";
		case JENTRY_ISCONTAINER:
			return er_json_is_object(value) ? "an object" : "an array";
		case JENTRY_ISNULL:
			return "null";
		default:
			return "missing";
	}
}
