/*
 * jsonb_read.h
 *		Reading jsonb in place: no iterator, no copies, one pass over each object.
 *
 * The values point into the document, which must be detoasted (so aligned) and must outlive them. The layout read
 * here is jsonb's stored form, which is the same from PostgreSQL 14 to 18.
 */
#ifndef ER_JSONB_READ_H
#define ER_JSONB_READ_H

#include "postgres.h"

#include "utils/jsonb.h"

/* A value: its jsonb entry type, and its bytes where it has any. */
typedef struct ErJson
{
	uint32		type;			/* JENTRY_IS..., or ER_JSON_ABSENT */
	uint32		len;
	const char *ptr;
} ErJson;

#define ER_JSON_ABSENT 0xFFFFFFFFu

static inline bool
er_json_is_missing(const ErJson *value)
{
	return value->type == ER_JSON_ABSENT || value->type == JENTRY_ISNULL;
}

static inline bool
er_json_is_object(const ErJson *value)
{
	return value->type == JENTRY_ISCONTAINER && JsonContainerIsObject((const JsonbContainer *) value->ptr);
}

static inline bool
er_json_is_array(const ErJson *value)
{
	return value->type == JENTRY_ISCONTAINER && JsonContainerIsArray((const JsonbContainer *) value->ptr) &&
		!JsonContainerIsScalar((const JsonbContainer *) value->ptr);
}

static inline uint32
er_json_count(const ErJson *container)
{
	return JsonContainerSize((const JsonbContainer *) container->ptr);
}

/* Walks an array: prepare once, then take exactly er_json_count() elements. */
typedef struct ErJsonWalk
{
	const JEntry *entry;
	const char *base;
	uint32		offset;
} ErJsonWalk;

static inline void
er_json_set(ErJson *value, JEntry entry, const char *base, uint32 start, uint32 end)
{
	value->type = entry & JENTRY_TYPEMASK;
	/* a number or a container, and no other type, has these two bits so */
	if ((value->type & JENTRY_ISBOOL_TRUE) == JENTRY_ISNUMERIC)
		start = INTALIGN(start);
	value->ptr = base + start;
	value->len = end - start;
}

static inline void
er_json_walk(ErJsonWalk *walk, const ErJson *array)
{
	const JsonbContainer *container = (const JsonbContainer *) array->ptr;

	walk->entry = container->children;
	walk->base = (const char *) (container->children + JsonContainerSize(container));
	walk->offset = 0;
}

static inline void
er_json_next(ErJsonWalk *walk, ErJson *value)
{
	JEntry		entry = *walk->entry++;
	uint32		start = walk->offset;

	JBE_ADVANCE_OFFSET(walk->offset, entry);
	er_json_set(value, entry, walk->base, start, walk->offset);
}

StaticAssertDecl((JENTRY_ISCONTAINER & JENTRY_ISBOOL_TRUE) == JENTRY_ISNUMERIC, "containers and numbers are aligned");

/*
 * Reading known keys of an object. A key table names the keys, each with a code from 1 on; several names may share
 * none: each name has its own code. Objects of one list mostly have the same keys, so the places found for one
 * object are kept in an ErJsonLayout and taken over when the next object's keys are byte for byte the same.
 */
typedef struct ErJsonKey
{
	const char *name;
	uint8		code;
} ErJsonKey;

#define ER_LAYOUT_CODES 24
#define ER_LAYOUT_KEYS 48
#define ER_LAYOUT_BYTES 768

typedef struct ErJsonLayout
{
	uint32		nkeys;			/* 0: nothing kept yet */
	uint32		nbytes;
	uint8		codes[ER_LAYOUT_KEYS];
	JEntry		entries[ER_LAYOUT_KEYS];
	char		bytes[ER_LAYOUT_BYTES];
	ErJson		values[ER_LAYOUT_CODES + 1];	/* of the object read last; [0] takes what has no code */
} ErJsonLayout;

/*
 * The values of an object by their codes; keys that it does not have are ER_JSON_ABSENT. They stand in the layout, and
 * its next object overwrites them.
 */
extern ErJson *er_json_fields(const ErJson *object, const ErJsonKey *keys, int ncodes, ErJsonLayout *layout);

/* The root of a document as a value: an object, an array, or the scalar itself. */
extern ErJson er_json_root(const Jsonb *document);

/*
 * A number in units of 0.00000001, cut after the eighth decimal. What is cut off makes the last digit odd, so that
 * the result compares with even numbers as the number itself. False when its absolute value is 100,000,000 or more,
 * which no caller takes.
 */
extern bool er_json_fixed8(const ErJson *number, int64 *result);

/* A short text of a value for messages: `the number 42`, `an object`. */
extern char *er_json_describe(const ErJson *value);

#endif							/* ER_JSONB_READ_H */
