/*
 * jsonb_write.h
 *		Writing jsonb directly in its stored form, front to back, without building a tree first.
 *
 * The writer is told how many children a container gets before they come. Objects have fixed keys, given once, in
 * jsonb's order (by length, then bytewise), and their values come in that order.
 */
#ifndef ER_JSONB_WRITE_H
#define ER_JSONB_WRITE_H

#include "postgres.h"

#include "utils/jsonb.h"

#define ER_JSON_MAX_DEPTH 8

typedef struct ErJsonLevel
{
	uint32		entries;		/* where the entries stand in the buffer */
	uint32		data;			/* where the children's bytes begin */
	uint32		begin;			/* where the container itself begins, before its alignment */
	uint32		next;			/* number of the next child */
	uint32		count;			/* children altogether; of an object, keys and values */
} ErJsonLevel;

typedef struct ErJsonShape
{
	int			nkeys;
	const char *const *keys;	/* in jsonb's order */
} ErJsonShape;

/* Where the entries and bytes of a shape's keys were written last: the same ones serve the next object of that shape. */
typedef struct ErJsonKeys
{
	const ErJsonShape *shape;
	uint32		entries;
	uint32		data;
	uint32		size;			/* of the bytes */
} ErJsonKeys;

typedef struct ErJsonWriter
{
	char	   *buffer;
	Size		used;
	Size		size;
	int			depth;
	ErJsonLevel levels[ER_JSON_MAX_DEPTH];
	ErJsonKeys	keys[ER_JSON_MAX_DEPTH];	/* of the last object at each depth */
} ErJsonWriter;

extern void er_json_start(ErJsonWriter *writer, Size expected);
extern Jsonb *er_json_finish(ErJsonWriter *writer);

extern void er_json_begin_array(ErJsonWriter *writer, uint32 count);
extern void er_json_begin_object(ErJsonWriter *writer, const ErJsonShape *shape);
extern void er_json_end(ErJsonWriter *writer);

extern void er_json_null(ErJsonWriter *writer);
extern void er_json_bool(ErJsonWriter *writer, bool value);
/* NULL text is null */
extern void er_json_text(ErJsonWriter *writer, const char *text, uint32 len);
/* value / 10^decimals with trailing zeros removed; decimals is 0 or 2 */
extern void er_json_decimal(ErJsonWriter *writer, uint64 value, int decimals);
/* bytes of a stored value of this entry type, as read from another document */
extern void er_json_copy(ErJsonWriter *writer, uint32 type, const char *bytes, uint32 len);

#endif							/* ER_JSONB_WRITE_H */
