/*
 * calendar.c
 *		Shared ground of the calendar machines; see calendar.h.
 *
 * Months are counted from year -4800, the origin of PostgreSQL's own j2date(), so that a month number of any
 * valid date is positive and plain division works.
 */
#include "calendar.h"

#include "access/htup_details.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

#define FIRST_YEAR		(-4800)
#define CLIP_BYTES		60

/* The on-disk head of a numeric (numeric.c keeps these to itself; pg_upgrade holds them still). */
#define NUMERIC_KIND_MASK		0xC000
#define NUMERIC_KIND_LONG_MINUS	0x4000
#define NUMERIC_KIND_SPECIAL	0xC000
#define NUMERIC_IS_SHORT_FORM	0x8000
#define NUMERIC_SHORT_MINUS		0x2000
#define NUMERIC_SHORT_WEIGHT	0x003F
#define NUMERIC_SHORT_WEIGHT_MINUS 0x0040
#define NUMERIC_BASE			10000

static const char *container_kind(const char *container);

void
er_fault(ErFaults *faults, int sqlstate, const char *path,
		 const char *message, const char *detail, const char *hint)
{
	if (faults == NULL)
		ereport(ERROR,
				errcode(sqlstate),
				errmsg_internal("%s", message),
				detail ? errdetail_internal("%s", detail) : 0,
				hint ? errhint("%s", hint) : 0);

	if (faults->count < ER_MAX_FAULTS)
	{
		ErFault    *fault = &faults->item[faults->count++];

		fault->sqlstate = sqlstate;
		fault->path = path;
		fault->message = message;
	}
}

/* Stands before the first element; false when the value is not an array. */
bool
er_elements_open(ErMembers *elements, const ErMember *array)
{
	uint32		header;

	if (array->kind != JENTRY_ISCONTAINER)
		return false;
	header = er_load32(array->data);
	if ((header & JB_FARRAY) == 0)
		return false;

	elements->count = header & JB_CMASK;
	elements->next = 0;
	elements->entries = array->data + sizeof(uint32);
	elements->data = elements->entries + (Size) elements->count * sizeof(JEntry);
	elements->key_at = 0;
	elements->value_at = 0;
	return true;
}

/* An element is a member without a key. */
bool
er_elements_next(ErMembers *elements, ErMember *element)
{
	uint32		i = elements->next;
	uint32		entry;
	uint32		end;

	if (i >= elements->count)
		return false;
	elements->next++;
	if ((i & 0xFFFF) == 0xFFFF)
		CHECK_FOR_INTERRUPTS();

	entry = er_load32(elements->entries + (Size) i * sizeof(JEntry));
	end = er_entry_end(entry, elements->value_at);
	element->key = "";
	element->key_len = 0;
	element->kind = entry & JENTRY_TYPEMASK;
	if (element->kind == JENTRY_ISNUMERIC || element->kind == JENTRY_ISCONTAINER)
		elements->value_at = INTALIGN(elements->value_at);
	element->data = elements->data + elements->value_at;
	element->len = end - elements->value_at;
	elements->value_at = end;
	return true;
}

/*
 * The member as a whole number. 7.0 is one; 7.5 and "7" are not. A numeric keeps no trailing zero digits, so a
 * digit to the right of the point is a real fraction.
 */
ErWhole
er_member_whole(const ErMember *member, int64 *value)
{
	const char *head = member->data + VARHDRSZ;
	const char *digits;
	uint16		header;
	bool		minus;
	int			weight;
	int			count;
	int64		whole = 0;

	if (member->kind != JENTRY_ISNUMERIC)
		return ER_WHOLE_NOT_A_NUMBER;

	header = er_load16(head);
	if ((header & NUMERIC_KIND_MASK) == NUMERIC_KIND_SPECIAL)
		return ER_WHOLE_NOT_A_NUMBER;
	if (header & NUMERIC_IS_SHORT_FORM)
	{
		minus = (header & NUMERIC_SHORT_MINUS) != 0;
		weight = header & NUMERIC_SHORT_WEIGHT;
		if (header & NUMERIC_SHORT_WEIGHT_MINUS)
			weight -= NUMERIC_SHORT_WEIGHT_MINUS;
		digits = head + sizeof(uint16);
	}
	else
	{
		minus = (header & NUMERIC_KIND_MASK) == NUMERIC_KIND_LONG_MINUS;
		weight = (int16) er_load16(head + sizeof(uint16));
		digits = head + 2 * sizeof(uint16);
	}
	count = (member->data + member->len - digits) / (int) sizeof(int16);

	if (count > weight + 1)
		return ER_WHOLE_FRACTION;
	if (count == 0)
	{
		*value = 0;
		return ER_WHOLE_OK;
	}
	if (weight > 3)				/* 10^16 and more */
		return ER_WHOLE_TOO_LARGE;
	for (int i = 0; i <= weight; i++)
		whole = whole * NUMERIC_BASE + (i < count ? er_load16(digits + i * sizeof(int16)) : 0);
	*value = minus ? -whole : whole;
	return ER_WHOLE_OK;
}

char *
er_member_name(const ErMember *member)
{
	return er_clip(member->key, member->key_len);
}

/* For messages: the kind of the value, and the value itself as far as it is short. */
char *
er_member_describe(const ErMember *member)
{
	switch (member->kind)
	{
		case JENTRY_ISSTRING:
			return psprintf("\"%s\"", er_clip(member->data, member->len));
		case JENTRY_ISNUMERIC:
			{
				char	   *aligned = palloc(member->len);
				char	   *text;

				memcpy(aligned, member->data, member->len);
				text = DatumGetCString(DirectFunctionCall1(numeric_out, PointerGetDatum(aligned)));
				return er_clip(text, strlen(text));
			}
		case JENTRY_ISBOOL_FALSE:
			return "false";
		case JENTRY_ISBOOL_TRUE:
			return "true";
		case JENTRY_ISNULL:
			return "null";
		default:
			return pstrdup(container_kind(member->data));
	}
}

/* For messages: what a document that is no object is instead. */
char *
er_root_describe(const char *root)
{
	return pstrdup(container_kind(root));
}

char *
er_clip(const char *text, int len)
{
	int			keep;

	if (len <= CLIP_BYTES)
		return pnstrdup(text, len);
	keep = pg_mbcliplen(text, len, CLIP_BYTES);
	return psprintf("%.*s...", keep, text);
}

static const char *
container_kind(const char *container)
{
	uint32		header = er_load32(container);

	if (header & JB_FOBJECT)
		return "an object";
	if ((header & JB_FSCALAR) == 0)
		return "an array";
	switch (er_load32(container + sizeof(uint32)) & JENTRY_TYPEMASK)
	{
		case JENTRY_ISSTRING:
			return "a string";
		case JENTRY_ISNUMERIC:
			return "a number";
		case JENTRY_ISNULL:
			return "null";
		default:
			return "a boolean";
	}
}

/* The month that the date lies in, counted from FIRST_YEAR, and its day of the month. */
int
er_month_number(DateADT date, int *day)
{
	int			year;
	int			month;

	j2date(date + POSTGRES_EPOCH_JDATE, &year, &month, day);
	return (year - FIRST_YEAR) * MONTHS_PER_YEAR + month - 1;
}

/* That day of that month, or the last one the month has. Returns the day number of date. */
int
er_month_day(int month, int day)
{
	int			year = month / MONTHS_PER_YEAR + FIRST_YEAR;
	int			last = day_tab[isleap(year)][month % MONTHS_PER_YEAR];

	return date2j(year, month % MONTHS_PER_YEAR + 1, Min(day, last)) - POSTGRES_EPOCH_JDATE;
}

/* Not before the first date there is. */
DateADT
er_months_before(DateADT date, int months)
{
	int			day;
	int			month = er_month_number(date, &day) - months;

	if (month < 0)
		return ER_MIN_DATE;
	return Max(er_month_day(month, day), ER_MIN_DATE);
}

/* ISO, whatever DateStyle says. */
const char *
er_date_text(DateADT date)
{
	char		text[MAXDATELEN + 1];
	struct pg_tm tm;

	if (DATE_NOT_FINITE(date))
		return DATE_IS_NOBEGIN(date) ? "-infinity" : "infinity";
	j2date(date + POSTGRES_EPOCH_JDATE, &tm.tm_year, &tm.tm_mon, &tm.tm_mday);
	EncodeDateOnly(&tm, USE_ISO_DATES, text);
	return pstrdup(text);
}

/*
 * An anonymous row of four-byte columns, all zero: blessed once per session, then only copied. Its columns lie side
 * by side from ER_ROW_COLUMNS on.
 */
HeapTupleHeader
er_row_image(int columns, const char *const *names, const Oid *types)
{
	MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);
	TupleDesc	desc = CreateTemplateTupleDesc(columns);
	Datum	   *values = palloc0(columns * sizeof(Datum));
	bool	   *nulls = palloc0(columns * sizeof(bool));
	HeapTupleHeader image;

	for (int i = 0; i < columns; i++)
		TupleDescInitEntry(desc, i + 1, names[i], types[i], -1, 0);
	BlessTupleDesc(desc);
	image = DatumGetHeapTupleHeader(HeapTupleGetDatum(heap_form_tuple(desc, values, nulls)));
	MemoryContextSwitchTo(old);
	return image;
}

HeapTupleHeader
er_row_copy(HeapTupleHeader image)
{
	Size		size = HeapTupleHeaderGetDatumLength(image);

	return memcpy(palloc(size), image, size);
}
