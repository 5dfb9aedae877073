/*
 * json_schema_keyword.h
 *		A keyword of a schema: the value it may have, and what becomes of it.
 */
#ifndef ER_JSON_SCHEMA_KEYWORD_H
#define ER_JSON_SCHEMA_KEYWORD_H

#include "json_schema.h"

/* What the value of a keyword looks like; the first five hold subschemas. */
typedef enum ErJsShape
{
	SCHEMA,
	SCHEMA_LIST,
	SCHEMA_MAP,
	SCHEMA_OR_LIST,
	DEPENDENCIES,
	TEXT,
	FLAG,
	LIST,
	MAP,
	COUNT,
	NUMBER,
	ANY
} ErJsShape;

/* The group of checks of a node that a keyword belongs to. */
typedef enum ErJsChecks
{
	NO_CHECKS,
	NUMBER_CHECKS,
	STRING_CHECKS,
	ARRAY_CHECKS,
	OBJECT_CHECKS,
	APPLICATORS
} ErJsChecks;

typedef struct ErJsKeyword
{
	const char *name;
	int			drafts;
	int			vocabulary;
	ErJsShape	shape;
	void		(*compile) (ErJsSchema *schema, ErJsNode *node, const struct ErJsKeyword *kw, const ErJsValue *v);
	ErJsChecks	checks;			/* with offset: where a keyword that says one thing has its place */
	size_t		offset;
} ErJsKeyword;

static inline bool
er_js_is_schema(const ErJsValue *v)
{
	return v->kind == JS_OBJECT || v->kind == JS_BOOL;
}

/* json_schema_shape.c */
extern void er_js_check_shape(ErJsNode *node, const ErJsKeyword *kw, const ErJsValue *v);
pg_noreturn extern void er_js_bad_value(ErJsNode *node, const ErJsKeyword *kw, const ErJsValue *got,
										const char *allowed);
extern char *er_js_keyword_index(const ErJsKeyword *kw, uint32 index);
extern char *er_js_keyword_member(const ErJsKeyword *kw, const char *key, uint32 len);
extern int	er_js_compare_zero(Numeric num);

#endif							/* ER_JSON_SCHEMA_KEYWORD_H */
