/*
 * json_schema_compile.c
 *		From a schema document to a graph of nodes with typed checks.
 *
 * First every subschema that stands where a keyword of its draft puts one becomes a node and its names are
 * registered (er_js_scan); then the keywords of each node are compiled, and references find their nodes. Both walk
 * lists, so depth costs no stack. A keyword with a value it cannot have is an error here: an instance is never
 * judged by a schema that is not understood. Unknown keywords are ignored, as the specification says.
 */
#include "postgres.h"

#include "json_schema_keyword.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

static const ErJsKeyword *find_keyword(const char *name, uint32 len, ErJsDraft draft);
static void add_child(ErJsSchema *schema, ErJsNode *node, const ErJsKeyword *kw, const ErJsValue *v,
					  const char *key, uint32 len, int64 index);
static void compile_node(ErJsSchema *schema, ErJsNode *node);

#define COMPILER(name) \
	static void name(ErJsSchema *schema, ErJsNode *node, const ErJsKeyword *kw, const ErJsValue *v)
COMPILER(compile_ref);
COMPILER(compile_dynamic_ref);
COMPILER(compile_list);
COMPILER(compile_single);
COMPILER(compile_const);
COMPILER(compile_count);
COMPILER(compile_dependencies);
COMPILER(compile_enum);
COMPILER(compile_format);
COMPILER(compile_items);
COMPILER(compile_number);
COMPILER(compile_pattern);
COMPILER(compile_pattern_properties);
COMPILER(compile_properties);
COMPILER(compile_type);
COMPILER(compile_unique);

#define D7 ER_JS_DRAFT7
#define D20 ER_JS_DRAFT2020
#define BOTH (D7 | D20)
#define MULTIPLE_OF_BYTES (4 + 251 * 2)	/* a numeric of 1000 digits, wherever its point stands */
#define IN_NUMBER(field) NUMBER_CHECKS, offsetof(ErJsNumberChecks, field)
#define IN_STRING(field) STRING_CHECKS, offsetof(ErJsStringChecks, field)
#define IN_ARRAY(field) ARRAY_CHECKS, offsetof(ErJsArrayChecks, field)
#define IN_OBJECT(field) OBJECT_CHECKS, offsetof(ErJsObjectChecks, field)
#define APPLIES(field) APPLICATORS, offsetof(ErJsApplicators, field)

/* Sorted by name, for bsearch; of two with the same name each serves its draft. */
static const ErJsKeyword keywords[] = {
	{"$anchor", D20, ER_JS_V_CORE, TEXT, NULL},
	{"$comment", BOTH, ER_JS_V_CORE, TEXT, NULL},
	{"$defs", D20, ER_JS_V_CORE, SCHEMA_MAP, NULL},
	{"$dynamicAnchor", D20, ER_JS_V_CORE, TEXT, NULL},
	{"$dynamicRef", D20, ER_JS_V_CORE, TEXT, compile_dynamic_ref},
	{"$id", BOTH, ER_JS_V_CORE, TEXT, NULL},
	{"$ref", BOTH, ER_JS_V_CORE, TEXT, compile_ref},
	{"$schema", BOTH, ER_JS_V_CORE, TEXT, NULL},
	{"$vocabulary", D20, ER_JS_V_CORE, MAP, NULL},
	{"additionalItems", D7, ER_JS_V_APPLICATOR, SCHEMA, compile_items},
	{"additionalProperties", BOTH, ER_JS_V_APPLICATOR, SCHEMA, compile_single, IN_OBJECT(additional)},
	{"allOf", BOTH, ER_JS_V_APPLICATOR, SCHEMA_LIST, compile_list, APPLIES(all)},
	{"anyOf", BOTH, ER_JS_V_APPLICATOR, SCHEMA_LIST, compile_list, APPLIES(any)},
	{"const", BOTH, ER_JS_V_VALIDATION, ANY, compile_const},
	{"contains", BOTH, ER_JS_V_APPLICATOR, SCHEMA, compile_single, IN_ARRAY(contains)},
	{"contentEncoding", BOTH, ER_JS_V_CONTENT, TEXT, NULL},
	{"contentMediaType", BOTH, ER_JS_V_CONTENT, TEXT, NULL},
	{"contentSchema", D20, ER_JS_V_CONTENT, SCHEMA, NULL},
	{"default", BOTH, ER_JS_V_METADATA, ANY, NULL},
	{"definitions", BOTH, ER_JS_V_CORE, SCHEMA_MAP, NULL},
	{"dependencies", BOTH, ER_JS_V_APPLICATOR, DEPENDENCIES, compile_dependencies},
	{"dependentRequired", D20, ER_JS_V_VALIDATION, MAP, compile_dependencies},
	{"dependentSchemas", D20, ER_JS_V_APPLICATOR, SCHEMA_MAP, compile_dependencies},
	{"deprecated", D20, ER_JS_V_METADATA, FLAG, NULL},
	{"description", BOTH, ER_JS_V_METADATA, TEXT, NULL},
	{"else", BOTH, ER_JS_V_APPLICATOR, SCHEMA, compile_single, APPLIES(else_)},
	{"enum", BOTH, ER_JS_V_VALIDATION, LIST, compile_enum},
	{"examples", BOTH, ER_JS_V_METADATA, LIST, NULL},
	{"exclusiveMaximum", BOTH, ER_JS_V_VALIDATION, NUMBER, compile_number, IN_NUMBER(exclusive_maximum)},
	{"exclusiveMinimum", BOTH, ER_JS_V_VALIDATION, NUMBER, compile_number, IN_NUMBER(exclusive_minimum)},
	{"format", BOTH, ER_JS_V_FORMAT, TEXT, compile_format},
	{"if", BOTH, ER_JS_V_APPLICATOR, SCHEMA, compile_single, APPLIES(if_)},
	{"items", D20, ER_JS_V_APPLICATOR, SCHEMA, compile_items},
	{"items", D7, ER_JS_V_APPLICATOR, SCHEMA_OR_LIST, compile_items},
	{"maxContains", D20, ER_JS_V_VALIDATION, COUNT, compile_count, IN_ARRAY(max_contains)},
	{"maxItems", BOTH, ER_JS_V_VALIDATION, COUNT, compile_count, IN_ARRAY(max_items)},
	{"maxLength", BOTH, ER_JS_V_VALIDATION, COUNT, compile_count, IN_STRING(max_length)},
	{"maxProperties", BOTH, ER_JS_V_VALIDATION, COUNT, compile_count, IN_OBJECT(max_properties)},
	{"maximum", BOTH, ER_JS_V_VALIDATION, NUMBER, compile_number, IN_NUMBER(maximum)},
	{"minContains", D20, ER_JS_V_VALIDATION, COUNT, compile_count, IN_ARRAY(min_contains)},
	{"minItems", BOTH, ER_JS_V_VALIDATION, COUNT, compile_count, IN_ARRAY(min_items)},
	{"minLength", BOTH, ER_JS_V_VALIDATION, COUNT, compile_count, IN_STRING(min_length)},
	{"minProperties", BOTH, ER_JS_V_VALIDATION, COUNT, compile_count, IN_OBJECT(min_properties)},
	{"minimum", BOTH, ER_JS_V_VALIDATION, NUMBER, compile_number, IN_NUMBER(minimum)},
	{"multipleOf", BOTH, ER_JS_V_VALIDATION, NUMBER, compile_number, IN_NUMBER(multiple_of)},
	{"not", BOTH, ER_JS_V_APPLICATOR, SCHEMA, compile_single, APPLIES(not)},
	{"oneOf", BOTH, ER_JS_V_APPLICATOR, SCHEMA_LIST, compile_list, APPLIES(one)},
	{"pattern", BOTH, ER_JS_V_VALIDATION, TEXT, compile_pattern},
	{"patternProperties", BOTH, ER_JS_V_APPLICATOR, SCHEMA_MAP, compile_pattern_properties},
	{"prefixItems", D20, ER_JS_V_APPLICATOR, SCHEMA_LIST, compile_items},
	{"properties", BOTH, ER_JS_V_APPLICATOR, SCHEMA_MAP, compile_properties},
	{"propertyNames", BOTH, ER_JS_V_APPLICATOR, SCHEMA, compile_single, IN_OBJECT(names)},
	{"readOnly", BOTH, ER_JS_V_METADATA, FLAG, NULL},
	{"required", BOTH, ER_JS_V_VALIDATION, LIST, compile_properties},
	{"then", BOTH, ER_JS_V_APPLICATOR, SCHEMA, compile_single, APPLIES(then)},
	{"title", BOTH, ER_JS_V_METADATA, TEXT, NULL},
	{"type", BOTH, ER_JS_V_VALIDATION, ANY, compile_type},
	{"unevaluatedItems", D20, ER_JS_V_UNEVALUATED, SCHEMA, compile_single, IN_ARRAY(unevaluated)},
	{"unevaluatedProperties", D20, ER_JS_V_UNEVALUATED, SCHEMA, compile_single, IN_OBJECT(unevaluated)},
	{"uniqueItems", BOTH, ER_JS_V_VALIDATION, FLAG, compile_unique},
	{"writeOnly", BOTH, ER_JS_V_METADATA, FLAG, NULL}
};

/* Compiles a schema into a context of its own below the current one. */
ErJsSchema *
er_js_compile(Jsonb *source)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "execreport json schema",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	ErJsSchema *schema = palloc0(sizeof(ErJsSchema));

	schema->context = context;
	schema->source = palloc(VARSIZE(source));
	memcpy(schema->source, source, VARSIZE(source));
	er_js_load_document(schema, schema->source, "");
	schema->root = schema->nodes[0];
	er_js_scan(schema);
	for (uint32 i = 0; i < schema->nnodes; i++)
		compile_node(schema, schema->nodes[i]);
	MemoryContextSwitchTo(caller);
	return schema;
}

/* Finds the subschemas and names of all nodes that were not looked at yet. */
void
er_js_scan(ErJsSchema *schema)
{
	while (schema->scanned < schema->nnodes)
	{
		ErJsNode   *node = schema->nodes[schema->scanned++];
		ErJsWalk	members;
		ErJsValue	v,
					child;
		const char *name;
		uint32		len;

		CHECK_FOR_INTERRUPTS();
		if (node->source.kind != JS_OBJECT)
			continue;
		er_js_identify(schema, node);
		er_js_walk(&members, node->source.u.box);
		while (er_js_next_pair(&members, &name, &len, &v))
		{
			const ErJsKeyword *kw = find_keyword(name, len, node->resource->draft);
			ErJsWalk	inner;
			const char *key;
			uint32		keylen;

			if (kw == NULL || kw->shape > DEPENDENCIES)
				continue;
			if ((kw->shape == SCHEMA_LIST || kw->shape == SCHEMA_OR_LIST) && v.kind == JS_ARRAY)
			{
				er_js_walk(&inner, v.u.box);
				while (er_js_next_element(&inner, &child))
					add_child(schema, node, kw, &child, NULL, 0, inner.next - 1);
			}
			else if ((kw->shape == SCHEMA_MAP || kw->shape == DEPENDENCIES) && v.kind == JS_OBJECT)
			{
				er_js_walk(&inner, v.u.box);
				while (er_js_next_pair(&inner, &key, &keylen, &child))
					add_child(schema, node, kw, &child, key, keylen, -1);
			}
			else if (kw->shape == SCHEMA || kw->shape == SCHEMA_OR_LIST)
				add_child(schema, node, kw, &v, NULL, 0, -1);
		}
	}
}

static const ErJsKeyword *
find_keyword(const char *name, uint32 len, ErJsDraft draft)
{
	int			low = 0,
				high = lengthof(keywords);

	while (low < high)
	{
		int			mid = (low + high) / 2;
		int			cmp = strncmp(keywords[mid].name, name, len);

		if (cmp == 0 && keywords[mid].name[len] != '\0')
			cmp = 1;
		if (cmp == 0)
		{
			for (int i = Max(mid - 1, 0); i <= mid + 1 && i < lengthof(keywords); i++)
				if (strcmp(keywords[i].name, keywords[mid].name) == 0 && (keywords[i].drafts & draft))
					return &keywords[i];
			return NULL;
		}
		if (cmp < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

static void
add_child(ErJsSchema *schema, ErJsNode *node, const ErJsKeyword *kw, const ErJsValue *v,
		  const char *key, uint32 len, int64 index)
{
	StringInfoData tail;

	if (v->kind != JS_OBJECT && v->kind != JS_BOOL)
		return;
	initStringInfo(&tail);
	er_js_append_token(&tail, kw->name, strlen(kw->name));
	if (key != NULL)
		er_js_append_token(&tail, key, len);
	if (index >= 0)
		appendStringInfo(&tail, "/" INT64_FORMAT, index);
	er_js_node_at(schema, v, node, pstrdup(tail.data), kw->name);
	pfree(tail.data);
}

static void
compile_node(ErJsSchema *schema, ErJsNode *node)
{
	ErJsWalk	members;
	ErJsValue	v;
	const char *name;
	uint32		len;
	ErJsDraft	draft = node->resource->draft;
	bool		only_ref;

	CHECK_FOR_INTERRUPTS();
	if (node->source.kind == JS_BOOL)
	{
		node->accepts = node->source.boolean ? JS_ANY : 0;
		return;
	}
	if (node->source.kind != JS_OBJECT)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid schema at \"\": %s", er_js_describe(&node->source)),
				 errdetail("Allowed is an object, true or false.")));
	er_js_settle_dialect(schema, node);
	only_ref = draft == ER_JS_DRAFT7 && er_js_member(node->source.u.box, "$ref", 4, &v);

	er_js_walk(&members, node->source.u.box);
	while (er_js_next_pair(&members, &name, &len, &v))
	{
		const ErJsKeyword *kw = find_keyword(name, len, draft);

		if (kw == NULL || (kw->vocabulary & node->resource->vocabularies) == 0)
			continue;
		if (only_ref && strcmp(kw->name, "$ref") != 0)
			continue;
		er_js_check_shape(node, kw, &v);
		if (kw->compile != NULL)
			kw->compile(schema, node, kw, &v);
	}
	if (node->enumeration == NULL && node->constant == NULL && node->apply == NULL)
		node->accepts = (node->types != 0 ? node->types : JS_ANY) &
			~((node->number ? JS_NUMBER : 0) | (node->string ? JS_STRING : 0) |
			  (node->array ? JS_ARRAY : 0) | (node->object ? JS_OBJECT : 0));
}

/* ---- groups of checks, made when the first of them is met ---- */

static ErJsStringChecks *
string_checks(ErJsNode *node)
{
	if (node->string == NULL)
	{
		node->string = palloc0(sizeof(ErJsStringChecks));
		node->string->max_length = -1;
	}
	return node->string;
}

static ErJsArrayChecks *
array_checks(ErJsNode *node)
{
	if (node->array == NULL)
	{
		node->array = palloc0(sizeof(ErJsArrayChecks));
		node->array->max_items = -1;
		node->array->min_contains = 1;
		node->array->max_contains = -1;
	}
	return node->array;
}

static ErJsObjectChecks *
object_checks(ErJsNode *node)
{
	if (node->object == NULL)
	{
		node->object = palloc0(sizeof(ErJsObjectChecks));
		node->object->max_properties = -1;
	}
	return node->object;
}

static ErJsApplicators *
applicators(ErJsNode *node)
{
	if (node->apply == NULL)
		node->apply = palloc0(sizeof(ErJsApplicators));
	return node->apply;
}

static ErJsNumberChecks *
number_checks(ErJsNode *node)
{
	if (node->number == NULL)
		node->number = palloc0(sizeof(ErJsNumberChecks));
	return node->number;
}

/* Where the node keeps what the keyword says. */
static void *
place_of(ErJsNode *node, const ErJsKeyword *kw)
{
	void	   *checks = kw->checks == NUMBER_CHECKS ? (void *) number_checks(node) :
		kw->checks == STRING_CHECKS ? (void *) string_checks(node) :
		kw->checks == ARRAY_CHECKS ? (void *) array_checks(node) :
		kw->checks == OBJECT_CHECKS ? (void *) object_checks(node) : (void *) applicators(node);

	return (char *) checks + kw->offset;
}

/* The node of a subschema; the scan has made it. */
static ErJsNode *
child_node(ErJsSchema *schema, const ErJsValue *v)
{
	ErJsNode   *child = er_js_map_get(&schema->places, v->slot, NULL, 0);

	if (child == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("subschema was not scanned")));
	return child;
}

static void
child_nodes(ErJsSchema *schema, const ErJsValue *v, ErJsNodes *nodes)
{
	ErJsWalk	w;
	ErJsValue	child;

	er_js_walk(&w, v->u.box);
	nodes->count = w.count;
	nodes->list = palloc(sizeof(ErJsNode *) * Max(w.count, 1));
	while (er_js_next_element(&w, &child))
		nodes->list[w.next - 1] = child_node(schema, &child);
}

/* ---- keywords ---- */

static void
compile_ref(ErJsSchema *schema, ErJsNode *node, const ErJsKeyword *kw, const ErJsValue *v)
{
	applicators(node)->ref = er_js_resolve(schema, node, kw->name, v, NULL, NULL);
}

static void
compile_dynamic_ref(ErJsSchema *schema, ErJsNode *node, const ErJsKeyword *kw, const ErJsValue *v)
{
	ErJsApplicators *apply = applicators(node);

	apply->dynamic_ref = er_js_resolve(schema, node, kw->name, v, &apply->dynamic_name, &apply->dynamic_len);
	if (apply->dynamic_name != NULL)
		schema->has_dynamic = true;
}

static void
compile_list(ErJsSchema *schema, ErJsNode *node, const ErJsKeyword *kw, const ErJsValue *v)
{
	child_nodes(schema, v, place_of(node, kw));
}

/* Keywords that hold one schema and need nothing else. */
static void
compile_single(ErJsSchema *schema, ErJsNode *node, const ErJsKeyword *kw, const ErJsValue *v)
{
	*(ErJsNode **) place_of(node, kw) = child_node(schema, v);
}

static void
compile_const(ErJsSchema *schema, ErJsNode *node, const ErJsKeyword *kw, const ErJsValue *v)
{
	node->constant = palloc(sizeof(ErJsValue));
	*node->constant = *v;
}

static void
compile_count(ErJsSchema *schema, ErJsNode *node, const ErJsKeyword *kw, const ErJsValue *v)
{
	int64		n;

	/* no instance is as large as a count that does not fit */
	*(int64 *) place_of(node, kw) = er_js_small_integer(v->u.num, &n) ? n : PG_INT64_MAX;
}

/* The strings of a list of names, each once. */
static ErJsValue *
name_list(ErJsNode *node, const char *path, const ErJsValue *v, uint32 *count)
{
	ErJsWalk	w;
	ErJsValue  *names;

	if (v->kind != JS_ARRAY)
		er_js_schema_error(node, path, v, ERRCODE_INVALID_PARAMETER_VALUE, "an array of strings");
	er_js_walk(&w, v->u.box);
	*count = w.count;
	names = palloc(sizeof(ErJsValue) * Max(w.count, 1));
	for (uint32 i = 0; er_js_next_element(&w, &names[i]); i++)
		if (names[i].kind != JS_STRING)
			er_js_schema_error(node, psprintf("%s/%u", path, i), &names[i], ERRCODE_INVALID_PARAMETER_VALUE,
							   "the name of a property");
	qsort(names, *count, sizeof(ErJsValue), er_js_compare_sort);
	for (uint32 i = 1; i < *count; i++)
		if (er_js_compare(&names[i - 1], &names[i]) == 0)
			er_js_schema_error(node, path, &names[i], ERRCODE_INVALID_PARAMETER_VALUE, "each name once");
	return names;
}

/* dependentRequired, dependentSchemas and the older dependencies, which is both */
static void
compile_dependencies(ErJsSchema *schema, ErJsNode *node, const ErJsKeyword *kw, const ErJsValue *v)
{
	ErJsObjectChecks *object = object_checks(node);
	ErJsWalk	w;
	ErJsValue	child;
	const char *key;
	uint32		len;

	er_js_walk(&w, v->u.box);
	if (w.count == 0)
		return;
	object->dependencies = object->dependencies == NULL ?
		palloc(sizeof(ErJsDependency) * w.count) :
		repalloc(object->dependencies, sizeof(ErJsDependency) * (object->ndependencies + w.count));
	while (er_js_next_pair(&w, &key, &len, &child))
	{
		ErJsDependency *d = &object->dependencies[object->ndependencies];

		memset(d, 0, sizeof(ErJsDependency));
		d->keyword = kw->name;
		d->name = key;
		d->len = len;
		if (er_js_is_schema(&child) && kw->shape != MAP)
			d->node = child_node(schema, &child);
		else
			d->required = name_list(node, er_js_keyword_member(kw, key, len), &child, &d->nrequired);
		object->ndependencies++;
	}
}

static void
compile_enum(ErJsSchema *schema, ErJsNode *node, const ErJsKeyword *kw, const ErJsValue *v)
{
	ErJsWalk	w;

	er_js_walk(&w, v->u.box);
	node->nenum = w.count;
	node->enumeration = palloc(sizeof(ErJsValue) * Max(w.count, 1));
	for (uint32 i = 0; er_js_next_element(&w, &node->enumeration[i]); i++)
		;
	qsort(node->enumeration, node->nenum, sizeof(ErJsValue), er_js_compare_sort);
}

static void
compile_format(ErJsSchema *schema, ErJsNode *node, const ErJsKeyword *kw, const ErJsValue *v)
{
	ErJsStringChecks *string = string_checks(node);

	string->format = er_js_format(v->u.str, v->len);
	string->format_always = (node->resource->vocabularies & ER_JS_V_FORMAT_ASSERT) != 0;
}

/* prefixItems and items of 2020-12; items and additionalItems of draft-07 */
static void
compile_items(ErJsSchema *schema, ErJsNode *node, const ErJsKeyword *kw, const ErJsValue *v)
{
	ErJsArrayChecks *array = array_checks(node);
	ErJsValue	items;

	if (v->kind == JS_ARRAY)
	{
		child_nodes(schema, v, &array->prefix);
		array->prefix_keyword = kw->name;
	}
	else if (strcmp(kw->name, "items") == 0 ||
			 (er_js_member(node->source.u.box, "items", 5, &items) && items.kind == JS_ARRAY))
		array->items = child_node(schema, v);
}

static void
compile_number(ErJsSchema *schema, ErJsNode *node, const ErJsKeyword *kw, const ErJsValue *v)
{
	ErJsNumber *number = place_of(node, kw);

	number->num = v->u.num;
	number->small = er_js_small_integer(v->u.num, &number->integer);
	if (number != &node->number->multiple_of)
		return;
	if (er_js_compare_zero(v->u.num) <= 0)
		er_js_bad_value(node, kw, v, "a number greater than 0");
	/* numeric divides in one go, in a time that grows with the digits of both */
	if (VARSIZE_ANY_EXHDR(v->u.num) > MULTIPLE_OF_BYTES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("invalid schema at %s/multipleOf: a number of more than 1000 digits", er_js_node_path(node)),
				 errhint("A number of fewer digits, with an exponent where it is large or small, says what is meant.")));
}

/* A pattern, or an error that names it: what cannot be expressed never passes silently. */
static ErJsPattern *
make_pattern(ErJsSchema *schema, ErJsNode *node, const char *path, const char *str, uint32 len)
{
	ErJsRegexState state;
	const char *problem;
	ErJsPattern *pattern = er_js_pattern(str, len, &state, &problem, &schema->regex_bytes);

	if (pattern == NULL)
		ereport(ERROR,
				(errcode(state == ER_JS_REGEX_INVALID ? ERRCODE_INVALID_REGULAR_EXPRESSION :
						 state == ER_JS_REGEX_TOO_BIG ? ERRCODE_PROGRAM_LIMIT_EXCEEDED :
						 ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("invalid schema at %s/%s: %s pattern \"%s\"", er_js_node_path(node), path,
						state == ER_JS_REGEX_INVALID ? "malformed" :
						state == ER_JS_REGEX_TOO_BIG ? "too large a" : "unsupported",
						er_js_clip(str, len, 200)),
				 errdetail("%s", problem)));
	schema->npatterns++;
	return pattern;
}

static void
compile_pattern(ErJsSchema *schema, ErJsNode *node, const ErJsKeyword *kw, const ErJsValue *v)
{
	string_checks(node)->pattern = make_pattern(schema, node, kw->name, v->u.str, v->len);
}

static void
compile_pattern_properties(ErJsSchema *schema, ErJsNode *node, const ErJsKeyword *kw, const ErJsValue *v)
{
	ErJsObjectChecks *object = object_checks(node);
	ErJsWalk	w;
	ErJsValue	child;
	const char *key;
	uint32		len;

	er_js_walk(&w, v->u.box);
	object->npatterns = w.count;
	object->patterns = palloc(sizeof(ErJsPatternProperty) * Max(w.count, 1));
	while (er_js_next_pair(&w, &key, &len, &child))
	{
		ErJsPatternProperty *p = &object->patterns[w.next - 1];

		CHECK_FOR_INTERRUPTS();
		p->pattern = make_pattern(schema, node, er_js_keyword_member(kw, key, len), key, len);
		p->node = child_node(schema, &child);
	}
}

static int
compare_properties(const void *a, const void *b)
{
	const ErJsProperty *x = a,
			   *y = b;

	return er_js_key_cmp(x->name, x->len, y->name, y->len);
}

/* properties and required become one list, sorted as jsonb sorts keys; whichever comes first builds it. */
static void
compile_properties(ErJsSchema *schema, ErJsNode *node, const ErJsKeyword *kw, const ErJsValue *v)
{
	ErJsObjectChecks *object = object_checks(node);
	ErJsValue	properties = {0},
				required = {0},
				child;
	ErJsValue  *names = NULL;
	uint32		nnames = 0,
				nprops = 0,
				n = 0;

	if (object->properties != NULL)
		return;
	if (er_js_member(node->source.u.box, "properties", 10, &properties) && properties.kind == JS_OBJECT &&
		(node->resource->vocabularies & ER_JS_V_APPLICATOR))
		nprops = JsonContainerSize(properties.u.box);
	if (er_js_member(node->source.u.box, "required", 8, &required) &&
		(node->resource->vocabularies & ER_JS_V_VALIDATION))
		names = name_list(node, "required", &required, &nnames);

	object->properties = palloc0(sizeof(ErJsProperty) * Max(nprops + nnames, 1));
	if (nprops > 0)
	{
		ErJsWalk	w;
		ErJsProperty *p = object->properties;

		er_js_walk(&w, properties.u.box);
		for (; er_js_next_pair(&w, &p->name, &p->len, &child); p++)
		{
			if (!er_js_is_schema(&child))
				er_js_schema_error(node, er_js_keyword_member(find_keyword("properties", 10, node->resource->draft),
														p->name, p->len),
								   &child, ERRCODE_INVALID_PARAMETER_VALUE, "a schema: an object, true or false");
			p->node = child_node(schema, &child);
			n++;
		}
	}
	for (uint32 i = 0; i < nnames; i++)
	{
		ErJsProperty key = {names[i].u.str, names[i].len, true, NULL};
		ErJsProperty *p = bsearch(&key, object->properties, nprops, sizeof(ErJsProperty), compare_properties);

		if (p != NULL)
			p->required = true;
		else
			object->properties[n++] = key;
	}
	object->nproperties = n;
	object->nrequired = nnames;
	qsort(object->properties, n, sizeof(ErJsProperty), compare_properties);
}

static void
compile_type(ErJsSchema *schema, ErJsNode *node, const ErJsKeyword *kw, const ErJsValue *v)
{
	static const char allowed[] =
	"one of null, boolean, number, integer, string, array, object, or an array of several of them";
	static const struct
	{
		const char *name;
		int			bits;
	}			types[] = {
		{"null", JS_NULL}, {"boolean", JS_BOOL}, {"number", JS_NUMBER}, {"integer", JS_INTEGER},
		{"string", JS_STRING}, {"array", JS_ARRAY}, {"object", JS_OBJECT}
	};
	uint32		count = v->kind == JS_ARRAY ? JsonContainerSize(v->u.box) : 1;
	ErJsValue	one = *v;

	if (count == 0)
		er_js_bad_value(node, kw, v, allowed);
	for (uint32 i = 0; i < count; i++)
	{
		int			bits = 0;

		if (v->kind == JS_ARRAY)
			er_js_element(v->u.box, i, &one);
		for (int t = 0; t < lengthof(types) && one.kind == JS_STRING; t++)
			if (strlen(types[t].name) == one.len && memcmp(types[t].name, one.u.str, one.len) == 0)
				bits = types[t].bits;
		if (bits == 0 || (node->types & bits))
			er_js_schema_error(node, v->kind == JS_ARRAY ? er_js_keyword_index(kw, i) : kw->name, &one,
							   ERRCODE_INVALID_PARAMETER_VALUE, bits == 0 ? allowed : "each type once");
		node->types |= bits;
	}
}

static void
compile_unique(ErJsSchema *schema, ErJsNode *node, const ErJsKeyword *kw, const ErJsValue *v)
{
	array_checks(node)->unique = v->boolean;
}
