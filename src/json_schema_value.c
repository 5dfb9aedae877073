/*
 * json_schema_value.c
 *		Values inside a jsonb: finding members, a total order that is equality of JSON values, numbers.
 *
 * Two values are equal when JSON Schema says so: numbers by mathematical value, strings by code points, objects
 * whatever the order of their members. er_js_compare orders everything, by bytes and never by a collation, so
 * sorting finds equal values.
 */
#include "postgres.h"

#include "json_schema.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

static int	compare_boxes(const ErJsValue *a, const ErJsValue *b);

/* The value of a whole document. */
void
er_js_root(Jsonb *doc, ErJsValue *v)
{
	if (JB_ROOT_IS_SCALAR(doc))
	{
		ErJsWalk	w;

		er_js_walk(&w, &doc->root);
		if (!er_js_next_element(&w, v))
			ereport(ERROR,
					(errcode(ERRCODE_DATA_CORRUPTED),
					 errmsg("jsonb scalar without a value")));
		return;
	}
	v->kind = JB_ROOT_IS_OBJECT(doc) ? JS_OBJECT : JS_ARRAY;
	v->len = VARSIZE(doc) - VARHDRSZ;
	v->slot = (const JEntry *) &doc->root;
	v->u.box = &doc->root;
}

/* Member of an object, by binary search. */
bool
er_js_member(const JsonbContainer *box, const char *key, uint32 len, ErJsValue *v)
{
	uint32		count = JsonContainerSize(box);
	const char *data = (const char *) &box->children[count * 2];
	uint32		low = 0,
				high = count;

	while (low < high)
	{
		uint32		mid = low + (high - low) / 2;
		uint32		off = getJsonbOffset(box, mid);
		int			cmp = er_js_key_cmp(data + off, getJsonbLength(box, mid), key, len);

		if (cmp == 0)
		{
			off = getJsonbOffset(box, mid + count);
			er_js_decode(data, &box->children[mid + count], off, getJsonbLength(box, mid + count), v);
			return true;
		}
		if (cmp < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return false;
}

bool
er_js_element(const JsonbContainer *box, uint32 index, ErJsValue *v)
{
	uint32		count = JsonContainerSize(box);

	if (index >= count)
		return false;
	er_js_decode((const char *) &box->children[count], &box->children[index],
				 getJsonbOffset(box, index), getJsonbLength(box, index), v);
	return true;
}

int
er_js_compare(const ErJsValue *a, const ErJsValue *b)
{
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;

	switch (a->kind)
	{
		case JS_BOOL:
			return (int) a->boolean - (int) b->boolean;
		case JS_STRING:
			return er_js_key_cmp(a->u.str, a->len, b->u.str, b->len);
		case JS_NUMBER:
			{
				int64		x,
							y;

				if (er_js_small_integer(a->u.num, &x) && er_js_small_integer(b->u.num, &y))
					return x < y ? -1 : x > y;
				return DatumGetInt32(DirectFunctionCall2(numeric_cmp, NumericGetDatum(a->u.num),
														 NumericGetDatum(b->u.num)));
			}
		case JS_ARRAY:
		case JS_OBJECT:
			return compare_boxes(a, b);
		default:
			return 0;
	}
}

static int
compare_boxes(const ErJsValue *a, const ErJsValue *b)
{
	ErJsWalk	wa,
				wb;
	ErJsValue	va,
				vb;

	CHECK_FOR_INTERRUPTS();
	check_stack_depth();

	er_js_walk(&wa, a->u.box);
	er_js_walk(&wb, b->u.box);
	if (wa.count != wb.count)
		return wa.count < wb.count ? -1 : 1;
	for (;;)
	{
		int			cmp;

		if (a->kind == JS_OBJECT)
		{
			const char *ka,
					   *kb;
			uint32		la,
						lb;

			if (!er_js_next_pair(&wa, &ka, &la, &va) || !er_js_next_pair(&wb, &kb, &lb, &vb))
				return 0;
			cmp = er_js_key_cmp(ka, la, kb, lb);
			if (cmp != 0)
				return cmp;
		}
		else if (!er_js_next_element(&wa, &va) || !er_js_next_element(&wb, &vb))
			return 0;
		cmp = er_js_compare(&va, &vb);
		if (cmp != 0)
			return cmp;
	}
}

/* For qsort. */
int
er_js_compare_sort(const void *a, const void *b)
{
	CHECK_FOR_INTERRUPTS();
	return er_js_compare((const ErJsValue *) a, (const ErJsValue *) b);
}

/*
 * Numbers are read straight from their stored form (base 10,000 digits without trailing zero digits, the same in
 * every server version since it is on disk), because the checks below run once per number of an instance.
 */
#define NUM_SIGN_MASK		0xC000
#define NUM_NEG				0x4000
#define NUM_SHORT			0x8000
#define NUM_SPECIAL			0xC000
#define NUM_SHORT_NEG		0x2000
#define NUM_SHORT_W_SIGN	0x0040
#define NUM_SHORT_W_MASK	0x003F

/* Digits, weight and sign of a number; false for NaN and infinities, which jsonb cannot hold anyway. */
static inline bool
number_parts(Numeric num, const int16 **digits, int *ndigits, int *weight, bool *negative)
{
	const char *data = VARDATA(num);
	Size		size = VARSIZE(num) - VARHDRSZ;
	uint16		header = *(const uint16 *) data;

	if ((header & NUM_SIGN_MASK) == NUM_SPECIAL)
		return false;
	if (header & NUM_SHORT)
	{
		*weight = (header & NUM_SHORT_W_SIGN) ?
			(int) (header & NUM_SHORT_W_MASK) - (NUM_SHORT_W_MASK + 1) : (int) (header & NUM_SHORT_W_MASK);
		*negative = (header & NUM_SHORT_NEG) != 0;
		*digits = (const int16 *) (data + sizeof(uint16));
		*ndigits = (size - sizeof(uint16)) / sizeof(int16);
	}
	else
	{
		*weight = *(const int16 *) (data + sizeof(uint16));
		*negative = (header & NUM_SIGN_MASK) == NUM_NEG;
		*digits = (const int16 *) (data + sizeof(uint16) + sizeof(int16));
		*ndigits = (size - sizeof(uint16) - sizeof(int16)) / sizeof(int16);
	}
	return true;
}

bool
er_js_is_integer(Numeric num)
{
	const int16 *digits;
	int			ndigits,
				weight;
	bool		negative;

	return number_parts(num, &digits, &ndigits, &weight, &negative) &&
		(ndigits == 0 || ndigits - 1 <= weight);
}

/* An integer of at most 16 decimal digits; false for every other number. */
bool
er_js_small_integer(Numeric num, int64 *result)
{
	const int16 *digits;
	int			ndigits,
				weight;
	bool		negative;
	int64		value = 0;

	if (!number_parts(num, &digits, &ndigits, &weight, &negative))
		return false;
	if (ndigits == 0)
	{
		*result = 0;
		return true;
	}
	if (weight < 0 || weight > 3 || ndigits - 1 > weight)
		return false;
	for (int i = 0; i <= weight; i++)
		value = value * 10000 + (i < ndigits ? digits[i] : 0);
	*result = negative ? -value : value;
	return true;
}

/* A value for a message: short, whole for small scalars. */
char *
er_js_describe(const ErJsValue *v)
{
	switch (v->kind)
	{
		case JS_NULL:
			return pstrdup("null");
		case JS_BOOL:
			return pstrdup(v->boolean ? "true" : "false");
		case JS_NUMBER:
			{
				char	   *text = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(v->u.num)));

				return er_js_clip(text, strlen(text), 60);
			}
		case JS_STRING:
			return psprintf("\"%s\"", er_js_clip(v->u.str, v->len, 60));
		case JS_ARRAY:
		case JS_OBJECT:
			if (v->len <= 100)
			{
				char	   *text = JsonbToCString(NULL, v->u.box, v->len);

				return er_js_clip(text, strlen(text), 60);
			}
			if (v->kind == JS_OBJECT)
				return psprintf("an object of %u members", JsonContainerSize(v->u.box));
			return psprintf("an array of %u items", JsonContainerSize(v->u.box));
		default:
			return pstrdup("no JSON value");
	}
}

/* A copy of at most limit bytes, cut between characters and then marked. */
char *
er_js_clip(const char *text, int len, int limit)
{
	if (len <= limit)
		return pnstrdup(text, len);
	return psprintf("%.*s...", pg_mbcliplen(text, len, limit), text);
}
