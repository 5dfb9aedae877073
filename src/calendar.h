/*
 * calendar.h
 *		What the calendar machines share: month arithmetic on day numbers, and the door through which their small
 *		configuration objects come in.
 *
 * A configuration is read where it lies, by jsonb's own layout: no detoasting copy for a short row value, no
 * JsonbValue, no allocation. So every load goes through memcpy, because a short value may start at any address.
 */
#ifndef ER_CALENDAR_H
#define ER_CALENDAR_H

#include "compat.h"

#include "access/htup_details.h"
#include "miscadmin.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/jsonb.h"

/* The instants that documents hold: of the years 1 to 9999 */
#define ER_FIRST_MOMENT	((int64) (1721426 - POSTGRES_EPOCH_JDATE) * USECS_PER_DAY)
#define ER_AFTER_LAST_MOMENT	((int64) (5373485 - POSTGRES_EPOCH_JDATE) * USECS_PER_DAY)

/* ---- faults: raised at once, or collected for a caller that wants them all ---- */

#define ER_MAX_FAULTS 20

typedef struct ErFault
{
	int			sqlstate;
	const char *path;			/* key as the caller spelled it, "$" for the whole document */
	const char *message;
} ErFault;

typedef struct ErFaults
{
	int			count;
	ErFault		item[ER_MAX_FAULTS];	/* further ones are not kept */
} ErFaults;

/* faults = NULL raises; otherwise the fault is noted and the caller goes on */
extern void er_fault(ErFaults *faults, int sqlstate, const char *path,
					 const char *message, const char *detail, const char *hint);

/* Time to stop looking: a hostile document may have millions of faults. */
static inline bool
er_faults_full(const ErFaults *faults)
{
	return faults != NULL && faults->count == ER_MAX_FAULTS;
}

/* ---- members of a jsonb object, in place ---- */

typedef struct ErMember
{
	const char *key;			/* not terminated */
	int			key_len;
	uint32		kind;			/* JENTRY_ISSTRING and so on */
	const char *data;			/* string: its bytes; numeric: its varlena; container: its header */
	int			len;
} ErMember;

typedef struct ErMembers
{
	const char *entries;
	const char *data;
	uint32		count;
	uint32		next;
	uint32		key_at;
	uint32		value_at;
} ErMembers;

typedef enum ErWhole
{
	ER_WHOLE_OK,
	ER_WHOLE_NOT_A_NUMBER,
	ER_WHOLE_FRACTION,
	ER_WHOLE_TOO_LARGE
} ErWhole;

extern bool er_elements_open(ErMembers *elements, const ErMember *array);
extern bool er_elements_next(ErMembers *elements, ErMember *element);
extern ErWhole er_member_whole(const ErMember *member, int64 *value);
extern char *er_member_name(const ErMember *member);
extern char *er_member_describe(const ErMember *member);
extern char *er_root_describe(const char *root);
extern char *er_clip(const char *text, int len);

static inline uint32
er_load32(const char *at)
{
	uint32		value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static inline uint16
er_load16(const char *at)
{
	uint16		value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static inline uint32
er_entry_end(uint32 entry, uint32 start)
{
	return JBE_HAS_OFF(entry) ? JBE_OFFLENFLD(entry) : start + JBE_OFFLENFLD(entry);
}

/* Stands before the first member; false when the document is not an object. */
static inline bool
er_members_open(ErMembers *members, const char *root)
{
	uint32		header = er_load32(root);

	if ((header & JB_FOBJECT) == 0)
		return false;

	members->count = header & JB_CMASK;
	members->next = 0;
	members->entries = root + sizeof(uint32);
	members->data = members->entries + (Size) members->count * 2 * sizeof(JEntry);
	members->key_at = 0;
	members->value_at = 0;
	/* all keys come first, then all values */
	for (uint32 i = 0; i < members->count; i++)
	{
		if ((i & 0xFFFF) == 0xFFFF)
			CHECK_FOR_INTERRUPTS();
		members->value_at = er_entry_end(er_load32(members->entries + i * sizeof(JEntry)), members->value_at);
	}
	return true;
}

static inline bool
er_members_next(ErMembers *members, ErMember *member)
{
	uint32		i = members->next;
	uint32		key_entry;
	uint32		value_entry;
	uint32		end;

	if (i >= members->count)
		return false;
	members->next++;
	if ((i & 0xFFFF) == 0xFFFF)
		CHECK_FOR_INTERRUPTS();

	key_entry = er_load32(members->entries + (Size) i * sizeof(JEntry));
	end = er_entry_end(key_entry, members->key_at);
	member->key = members->data + members->key_at;
	member->key_len = end - members->key_at;
	members->key_at = end;

	value_entry = er_load32(members->entries + ((Size) members->count + i) * sizeof(JEntry));
	end = er_entry_end(value_entry, members->value_at);
	member->kind = value_entry & JENTRY_TYPEMASK;
	if (member->kind == JENTRY_ISNUMERIC || member->kind == JENTRY_ISCONTAINER)
		members->value_at = INTALIGN(members->value_at);
	member->data = members->data + members->value_at;
	member->len = end - members->value_at;
	members->value_at = end;
	return true;
}

static inline bool
er_bytes_are(const char *bytes, int len, const char *literal, int literal_len)
{
	return len == literal_len && memcmp(bytes, literal, literal_len) == 0;
}

#define ER_KEY_IS(member, literal) \
	er_bytes_are((member)->key, (member)->key_len, literal, sizeof(literal) - 1)
#define ER_STRING_IS(member, literal) \
	((member)->kind == JENTRY_ISSTRING && \
	 er_bytes_are((member)->data, (member)->len, literal, sizeof(literal) - 1))

/* ---- dates ---- */

#define ER_MIN_DATE		(DATETIME_MIN_JULIAN - POSTGRES_EPOCH_JDATE)

extern int	er_month_number(DateADT date, int *day);
extern int	er_month_day(int month, int day);
extern DateADT er_months_before(DateADT date, int months);
extern const char *er_date_text(DateADT date);

/* The number these digits write, negative when one of them is no digit. */
static inline int
er_decimal(const char *text, int digits)
{
	int			number = 0;

	for (int i = 0; i < digits; i++)
	{
		if (text[i] < '0' || text[i] > '9')
			return -1;
		number = number * 10 + (text[i] - '0');
	}
	return number;
}

/* YYYY-MM-DD and nothing else, whatever DateStyle says. */
static inline bool
er_parse_iso_date(const char *text, int len, DateADT *date, int *sqlstate)
{
	int			year;
	int			month;
	int			day;

	*sqlstate = ERRCODE_INVALID_DATETIME_FORMAT;
	if (len != 10 || text[4] != '-' || text[7] != '-')
		return false;
	year = er_decimal(text, 4);
	month = er_decimal(text + 5, 2);
	day = er_decimal(text + 8, 2);
	if ((year | month | day) < 0)
		return false;

	*sqlstate = ERRCODE_DATETIME_FIELD_OVERFLOW;
	if (year < 1 || month < 1 || month > MONTHS_PER_YEAR || day < 1 || day > day_tab[isleap(year)][month - 1])
		return false;
	*date = date2j(year, month, day) - POSTGRES_EPOCH_JDATE;
	return true;
}

/* ---- rows ---- */

#define ER_ROW_COLUMNS(row)		((void *) ((char *) (row) + (row)->t_hoff))

extern HeapTupleHeader er_row_image(int columns, const char *const *names, const Oid *types);
extern HeapTupleHeader er_row_copy(HeapTupleHeader image);

#endif							/* ER_CALENDAR_H */
