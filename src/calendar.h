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
#include "access/tupdesc.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/jsonb.h"

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

extern bool er_members_open(ErMembers *members, const char *root);
extern bool er_members_next(ErMembers *members, ErMember *member);
extern ErWhole er_member_whole(const ErMember *member, int64 *value);
extern char *er_member_name(const ErMember *member);
extern char *er_member_describe(const ErMember *member);
extern char *er_root_describe(const char *root);
extern char *er_clip(const char *text, int len);

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

/* ---- rows ---- */

#define ER_ROW_COLUMNS(row)		((void *) ((char *) (row) + (row)->t_hoff))

extern HeapTupleHeader er_row_image(int columns, const char *const *names, const Oid *types);
extern HeapTupleHeader er_row_copy(HeapTupleHeader image);

#endif							/* ER_CALENDAR_H */
