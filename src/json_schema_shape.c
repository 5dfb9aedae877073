/*
 * json_schema_shape.c
 *		What the value of a keyword may look like, and the errors for any other.
 */
#include "postgres.h"

#include "json_schema_keyword.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"

static void check_list(ErJsNode *node, const ErJsKeyword *kw, const ErJsValue *v);
static void check_map(ErJsNode *node, const ErJsKeyword *kw, const ErJsValue *v);

/* An error unless the keyword has a value of its shape. */
void
er_js_check_shape(ErJsNode *node, const ErJsKeyword *kw, const ErJsValue *v)
{
	switch (kw->shape)
	{
		case SCHEMA:
			if (!er_js_is_schema(v))
				er_js_bad_value(node, kw, v, "a schema: an object, true or false");
			break;
		case SCHEMA_OR_LIST:
			if (v->kind == JS_ARRAY)
				check_list(node, kw, v);
			else if (!er_js_is_schema(v))
				er_js_bad_value(node, kw, v, "a schema or an array of schemas");
			break;
		case SCHEMA_LIST:
			check_list(node, kw, v);
			break;
		case SCHEMA_MAP:
		case DEPENDENCIES:
			check_map(node, kw, v);
			break;
		case TEXT:
			if (v->kind != JS_STRING)
				er_js_bad_value(node, kw, v, "a string");
			break;
		case FLAG:
			if (v->kind != JS_BOOL)
				er_js_bad_value(node, kw, v, "true or false");
			break;
		case LIST:
			if (v->kind != JS_ARRAY)
				er_js_bad_value(node, kw, v, "an array");
			break;
		case MAP:
			if (v->kind != JS_OBJECT)
				er_js_bad_value(node, kw, v, "an object");
			break;
		case NUMBER:
			if (v->kind != JS_NUMBER)
				er_js_bad_value(node, kw, v, "a number");
			break;
		case COUNT:
			if (v->kind != JS_NUMBER || !er_js_is_integer(v->u.num) || er_js_compare_zero(v->u.num) < 0)
				er_js_bad_value(node, kw, v, "a non-negative integer");
			break;
		case ANY:
			break;
	}
}

static void
check_list(ErJsNode *node, const ErJsKeyword *kw, const ErJsValue *v)
{
	ErJsWalk	w;
	ErJsValue	child;

	if (v->kind != JS_ARRAY || (JsonContainerSize(v->u.box) == 0 && kw->shape == SCHEMA_LIST))
		er_js_bad_value(node, kw, v, "an array of at least one schema");
	er_js_walk(&w, v->u.box);
	while (er_js_next_element(&w, &child))
		if (!er_js_is_schema(&child))
			er_js_schema_error(node, er_js_keyword_index(kw, w.next - 1), &child, ERRCODE_INVALID_PARAMETER_VALUE,
							   "a schema: an object, true or false");
}

static void
check_map(ErJsNode *node, const ErJsKeyword *kw, const ErJsValue *v)
{
	ErJsWalk	w;
	ErJsValue	child;
	const char *key;
	uint32		len;

	if (v->kind != JS_OBJECT)
		er_js_bad_value(node, kw, v, "an object of schemas");
	er_js_walk(&w, v->u.box);
	while (er_js_next_pair(&w, &key, &len, &child))
		if (!er_js_is_schema(&child) && !(kw->shape == DEPENDENCIES && child.kind == JS_ARRAY))
			er_js_schema_error(node, er_js_keyword_member(kw, key, len), &child, ERRCODE_INVALID_PARAMETER_VALUE,
							   "a schema: an object, true or false");
}

/* As qsort's functions compare: the number with 0. */
int
er_js_compare_zero(Numeric num)
{
	return DatumGetInt32(DirectFunctionCall2(numeric_cmp, NumericGetDatum(num), NumericGetDatum(int64_to_numeric(0))));
}

void
er_js_bad_value(ErJsNode *node, const ErJsKeyword *kw, const ErJsValue *got, const char *allowed)
{
	er_js_schema_error(node, kw->name, got, ERRCODE_INVALID_PARAMETER_VALUE, allowed);
}

/* A keyword has a value it cannot have. keyword may be a path below the node, such as "type/1". */
void
er_js_schema_error(ErJsNode *node, const char *keyword, const ErJsValue *got, int sqlstate, const char *allowed)
{
	ereport(ERROR,
			(errcode(sqlstate),
			 errmsg("invalid schema at %s/%s: %s", er_js_node_path(node), keyword, er_js_describe(got)),
			 errdetail("Allowed is %s.", allowed)));
}

char *
er_js_keyword_index(const ErJsKeyword *kw, uint32 index)
{
	return psprintf("%s/%u", kw->name, index);
}

char *
er_js_keyword_member(const ErJsKeyword *kw, const char *key, uint32 len)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfoString(&buf, kw->name);
	er_js_append_token(&buf, key, len);
	return buf.data;
}
