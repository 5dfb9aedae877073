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

static const uint8 *learn_layout(const JsonbContainer *container, const ErJsonKey *keys, int ncodes, ErJsonLayout *layout,
								 uint32 *nbytes);
static uint8 code_of_key(const ErJsonKey *keys, const char *name, uint32 len);

ErJson *
er_json_fields(const ErJson *object, const ErJsonKey *keys, int ncodes, ErJsonLayout *layout)
{
	const JsonbContainer *container = (const JsonbContainer *) object->ptr;
	uint32		n = JsonContainerSize(container);
	const JEntry *entry = container->children;
	const char *base = (const char *) (container->children + 2 * (Size) n);
	const uint8 *codes = layout->codes;
	uint32		offset = layout->nbytes;

	if (unlikely(n == 0 || n != layout->nkeys || memcmp(entry, layout->entries, n * sizeof(JEntry)) != 0 ||
				 memcmp(base, layout->bytes, layout->nbytes) != 0))
		codes = learn_layout(container, keys, ncodes, layout, &offset);

	entry += n;
	for (uint32 i = 0; i < n; i++)
	{
		uint32		start = offset;

		JBE_ADVANCE_OFFSET(offset, entry[i]);
		er_json_set(&layout->values[codes[i]], entry[i], base, start, offset);
	}
	if (unlikely(codes != layout->codes))
		pfree((void *) codes);
	return layout->values;
}

/* The codes of the object's keys, and how many bytes they have. Where there are too many, they are not kept. */
static const uint8 *
learn_layout(const JsonbContainer *container, const ErJsonKey *keys, int ncodes, ErJsonLayout *layout, uint32 *nbytes)
{
	uint32		n = JsonContainerSize(container);
	const JEntry *entry = container->children;
	const char *base = (const char *) (container->children + 2 * (Size) n);
	uint8	   *codes = layout->codes;
	bool		kept;

	Assert(ncodes <= ER_LAYOUT_CODES);
	for (int i = 0; i <= ncodes; i++)
		layout->values[i].type = ER_JSON_ABSENT;
	layout->nkeys = *nbytes = 0;
	for (uint32 i = 0; i < n; i++)
		JBE_ADVANCE_OFFSET(*nbytes, entry[i]);
	kept = n <= ER_LAYOUT_KEYS && *nbytes <= ER_LAYOUT_BYTES;
	if (!kept)
		codes = palloc(n);
	for (uint32 i = 0, start = 0, end = 0; i < n; i++, start = end)
	{
		JBE_ADVANCE_OFFSET(end, entry[i]);
		codes[i] = code_of_key(keys, base + start, end - start);
		if ((i & 0xFFFF) == 0xFFFF)
			CHECK_FOR_INTERRUPTS();
	}
	if (kept)
	{
		layout->nkeys = n;
		layout->nbytes = *nbytes;
		memcpy(layout->entries, entry, n * sizeof(JEntry));
		memcpy(layout->bytes, base, *nbytes);
	}
	return codes;
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
		{
			sum |= 1;			/* numerics end in a digit that is not 0 */
			break;
		}
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
