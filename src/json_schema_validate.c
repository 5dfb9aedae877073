/*
 * json_schema_validate.c
 *		Judging an instance by a compiled schema.
 *
 * The walk stops at the first problem unless the caller collects problems. Errors of a branch (anyOf, oneOf) are
 * provisional: they are dropped when the branch turns out not to matter. What unevaluatedItems and
 * unevaluatedProperties may look at is kept as one bit per item or member, and only below a schema that has such a
 * keyword; the bits of a subschema that failed are dropped.
 *
 * References may lead back to the same schema at the same place of the instance: a chain of in-place applications
 * longer than there are schemas can only be such a loop, and is an error. Without a loop they may still multiply, when
 * each level applies the next one twice: far more steps than there are pairs of a schema and a value are an error, too.
 */
#include "postgres.h"

#include "execreport.h"
#include "json_schema.h"

#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"

/* The resources we are inside of, innermost first. */
typedef struct Scope
{
	const struct Scope *up;
	const ErJsResource *resource;
} Scope;

/* Which items or members of one value were evaluated. */
typedef struct Seen
{
	uint32		count;
	bool		all;
	uint8	   *bits;			/* NULL: none */
} Seen;

typedef struct Run
{
	ErJsSchema *schema;
	bool		assert_format;
	uint32		chain;			/* in-place applications since the walk last went down in the instance */
	uint64		steps;			/* how many more times a schema may be applied */
	const Scope *scope;
	ErJsErrors *errors;			/* NULL: problems are not collected, and the first one decides */
} Run;

/* Notes a problem when problems are collected; only then are its words made, in memory that is given back. Always false. */
#define problem(run, ...) \
	((run)->errors != NULL && (er_js_begin_problem((run)->errors), er_js_add_problem((run)->errors, __VA_ARGS__)))

static bool evaluate(Run *run, const ErJsNode *node, const ErJsValue *v, const ErJsPlace *at, Seen *seen);
static bool evaluate_below(Run *run, const ErJsNode *node, const ErJsValue *v, const ErJsPlace *up,
						   const char *key, uint32 len, uint32 index);
static bool evaluate_in_place(Run *run, const ErJsNode *node, const ErJsValue *v, const ErJsPlace *at, Seen *seen);
static bool evaluate_quietly(Run *run, const ErJsNode *node, const ErJsValue *v, const ErJsPlace *at, Seen *seen);
static bool check_types(Run *run, const ErJsNode *node, const ErJsValue *v, const ErJsPlace *at);
static bool check_values(Run *run, const ErJsNode *node, const ErJsValue *v, const ErJsPlace *at);
static bool check_number(Run *run, const ErJsNode *node, const ErJsValue *v, const ErJsPlace *at);
static bool check_string(Run *run, const ErJsNode *node, const ErJsValue *v, const ErJsPlace *at);
static bool check_array(Run *run, const ErJsNode *node, const ErJsValue *v, const ErJsPlace *at, Seen *seen);
static bool check_object(Run *run, const ErJsNode *node, const ErJsValue *v, const ErJsPlace *at, Seen *seen);
static bool apply_in_place(Run *run, const ErJsNode *node, const ErJsValue *v, const ErJsPlace *at, Seen *seen);
static bool apply_dependencies(Run *run, const ErJsNode *node, const ErJsValue *v, const ErJsPlace *at, Seen *seen);
static bool check_unevaluated(Run *run, const ErJsNode *node, const ErJsValue *v, const ErJsPlace *at, Seen *seen);

/* Whether the instance is valid; with errors, its problems too. */
bool
er_js_validate(ErJsSchema *schema, const ErJsValue *instance, ErJsErrors *errors)
{
	Run			run = {0};

	run.schema = schema;
	run.assert_format = er_json_schema_format_assertion;
	run.errors = errors;
	/* a second's work for any instance; each value within it has an entry of its own */
	run.steps = 10000000 + 8 * (uint64) schema->nnodes * (instance->kind >= JS_ARRAY ? instance->len / sizeof(JEntry) : 1);
	return evaluate(&run, schema->root, instance, NULL, NULL);
}

/* The next check is needed when all went well so far, or while problems are collected. */
static inline bool
go_on(const Run *run, bool ok)
{
	return ok || (run->errors != NULL && !run->errors->full);
}

/* ---- evaluated items and members ---- */

static void
mark(Seen *seen, uint32 index)
{
	if (seen->all)
		return;
	if (seen->bits == NULL)
		seen->bits = palloc0(seen->count / 8 + 1);
	seen->bits[index / 8] |= 1 << (index % 8);
}

static inline bool
is_marked(const Seen *seen, uint32 index)
{
	return seen->all || (seen->bits != NULL && (seen->bits[index / 8] & (1 << (index % 8))));
}

/* Adds the marks of a subschema that succeeded, or forgets them. */
static void
settle(Seen *into, Seen *from, bool keep)
{
	if (keep && into != NULL && !into->all)
	{
		if (from->all)
			into->all = true;
		else if (from->bits != NULL && into->bits == NULL)
		{
			into->bits = from->bits;
			from->bits = NULL;
		}
		else if (from->bits != NULL)
			for (uint32 i = 0; i <= from->count / 8; i++)
				into->bits[i] |= from->bits[i];
	}
	if (from->bits != NULL)
	{
		pfree(from->bits);
		from->bits = NULL;
	}
}

/* ---- one schema ---- */

static bool
evaluate(Run *run, const ErJsNode *node, const ErJsValue *v, const ErJsPlace *at, Seen *seen)
{
	Seen		own = {0};
	Seen	   *track = NULL;
	const Scope *outer = run->scope;
	Scope		inner;
	bool		ok = true,
				applied = true;

	CHECK_FOR_INTERRUPTS();
	if (unlikely(run->steps-- == 0))
		ereport(ERROR,
				(errcode(ERRCODE_STATEMENT_TOO_COMPLEX),
				 errmsg("schema at \"%s\" is applied too often", er_js_node_path(node)),
				 errdetail("The references to it multiply: level after level, several lead to the same schema for the same value."),
				 errhint("Refer to a schema once for a value, not from several branches of \"allOf\", \"anyOf\" or \"oneOf\".")));
	if (node->source.kind == JS_BOOL)
		return node->source.boolean || (run->errors != NULL && er_js_add_forbidden(run->errors, node, at));
	check_stack_depth();

	if (run->schema->has_dynamic && (outer == NULL || outer->resource != node->resource))
	{
		inner.up = outer;
		inner.resource = node->resource;
		/* taken back below; an error ends the run */
		/* cppcheck-suppress autoVariables */
		run->scope = &inner;
	}
	if (v->kind >= JS_ARRAY &&
		(seen != NULL || (v->kind == JS_ARRAY && node->array && node->array->unevaluated) ||
		 (v->kind == JS_OBJECT && node->object && node->object->unevaluated)))
	{
		own.count = JsonContainerSize(v->u.box);
		track = &own;
	}

#define CHECK(present, call) \
	do { \
		if ((present) && go_on(run, ok) && !(call)) \
			ok = false; \
	} while (0)

	CHECK(node->types != 0, check_types(run, node, v, at));
	CHECK(node->enumeration || node->constant, check_values(run, node, v, at));
	switch (v->kind)
	{
		case JS_NUMBER:
			CHECK(node->number, check_number(run, node, v, at));
			break;
		case JS_STRING:
			CHECK(node->string, check_string(run, node, v, at));
			break;
		case JS_ARRAY:
			CHECK(node->array, check_array(run, node, v, at, track));
			break;
		case JS_OBJECT:
			CHECK(node->object, check_object(run, node, v, at, track));
			break;
		default:
			break;
	}
	CHECK(node->apply, applied = apply_in_place(run, node, v, at, track));
	if (v->kind == JS_OBJECT && node->object)
		CHECK(node->object->dependencies, apply_dependencies(run, node, v, at, track) || (applied = false));
	if (track != NULL)
	{
		/* after a subschema failed, what it looked at is unknown, and would only add noise */
		CHECK(applied && ((v->kind == JS_ARRAY && node->array && node->array->unevaluated) ||
						   (v->kind == JS_OBJECT && node->object && node->object->unevaluated)),
			  check_unevaluated(run, node, v, at, track));
		settle(seen, track, ok);
	}
	run->scope = outer;
	return ok;
}

/* A subschema for an item (key NULL) or a member of the value. */
static bool
evaluate_below(Run *run, const ErJsNode *node, const ErJsValue *v, const ErJsPlace *up,
			   const char *key, uint32 len, uint32 index)
{
	ErJsPlace	at = {up, key, len, index};
	uint32		chain = run->chain;
	bool		ok;

	if (node->accepts & v->kind)
		return true;
	run->chain = 0;
	ok = evaluate(run, node, v, &at, NULL);
	run->chain = chain;
	return ok;
}

/* A subschema for the same value. */
static bool
evaluate_in_place(Run *run, const ErJsNode *node, const ErJsValue *v, const ErJsPlace *at, Seen *seen)
{
	bool		ok;

	if (++run->chain > run->schema->nnodes)
		ereport(ERROR,
				(errcode(ERRCODE_STATEMENT_TOO_COMPLEX),
				 errmsg("schema at \"%s\" refers to itself without end for one value", er_js_node_path(node)),
				 errdetail("Its references lead back to it without going down into the instance."),
				 errhint("Put the reference below \"properties\", \"items\" or another keyword for a part of the value.")));
	ok = evaluate(run, node, v, at, seen);
	run->chain--;
	return ok;
}

/* The same, when a failure is no problem. */
static bool
evaluate_quietly(Run *run, const ErJsNode *node, const ErJsValue *v, const ErJsPlace *at, Seen *seen)
{
	ErJsErrors *errors = run->errors;
	bool		ok;

	run->errors = NULL;
	ok = evaluate_in_place(run, node, v, at, seen);
	run->errors = errors;
	return ok;
}

/* ---- any type ---- */

static const char *
type_name(const ErJsValue *v)
{
	switch (v->kind)
	{
		case JS_NULL:
			return "null";
		case JS_BOOL:
			return "boolean";
		case JS_NUMBER:
			return er_js_is_integer(v->u.num) ? "integer" : "number";
		case JS_STRING:
			return "string";
		case JS_ARRAY:
			return "array";
		default:
			return "object";
	}
}

static char *
type_list(int types)
{
	static const char *const names[] = {"null", "boolean", "number", "string", "array", "object", "integer"};
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < lengthof(names); i++)
		if (types & (1 << i))
			appendStringInfo(&buf, "%s%s", buf.len > 0 ? " or " : "", names[i]);
	return buf.data;
}

static bool
check_types(Run *run, const ErJsNode *node, const ErJsValue *v, const ErJsPlace *at)
{
	if (node->types & v->kind)
		return true;
	if (v->kind == JS_NUMBER && (node->types & JS_INTEGER) && er_js_is_integer(v->u.num))
		return true;
	return problem(run, node, "type", at, "value is of type %s, must be %s", type_name(v), type_list(node->types));
}

/* enum and const */
static bool
check_values(Run *run, const ErJsNode *node, const ErJsValue *v, const ErJsPlace *at)
{
	bool		ok = true;

	if (node->enumeration != NULL &&
		bsearch(v, node->enumeration, node->nenum, sizeof(ErJsValue), er_js_compare_sort) == NULL)
		ok = problem(run, node, "enum", at, "value %s is none of the %u allowed values",
					 er_js_describe(v), node->nenum);
	if (node->constant != NULL && er_js_compare(v, node->constant) != 0)
		ok = problem(run, node, "const", at, "value %s must be %s", er_js_describe(v), er_js_describe(node->constant));
	return ok;
}

/* ---- numbers ---- */

/* A number of the instance, with its integer when it is a small one. */
static int
compare_number(const ErJsNumber *a, const ErJsNumber *b)
{
	if (a->small && b->small)
		return a->integer < b->integer ? -1 : a->integer > b->integer;
	return DatumGetInt32(DirectFunctionCall2(numeric_cmp, NumericGetDatum(a->num), NumericGetDatum(b->num)));
}

static bool
is_multiple(const ErJsNumber *a, const ErJsNumber *b)
{
	Numeric		rest;
	Datum		zero;
	bool		result;

	if (a->small && b->small)
		return a->integer % b->integer == 0;
	rest = DatumGetNumeric(DirectFunctionCall2(numeric_mod, NumericGetDatum(a->num), NumericGetDatum(b->num)));
	zero = NumericGetDatum(int64_to_numeric(0));
	result = DatumGetBool(DirectFunctionCall2(numeric_eq, NumericGetDatum(rest), zero));
	pfree(rest);
	pfree(DatumGetPointer(zero));
	return result;
}

static bool
check_number(Run *run, const ErJsNode *node, const ErJsValue *v, const ErJsPlace *at)
{
	const ErJsNumberChecks *c = node->number;
	ErJsNumber	n;
	bool		ok = true;

	n.num = v->u.num;
	n.small = er_js_small_integer(v->u.num, &n.integer);

#define LIMIT(field, keyword, wrong, words) \
	do { \
		if (c->field.num != NULL && (ok || run->errors != NULL) && (wrong)) \
		{ \
			ErJsValue limit = {JS_NUMBER}; \
			limit.u.num = c->field.num; \
			ok = problem(run, node, keyword, at, "value %s must be " words " %s", \
						 er_js_describe(v), er_js_describe(&limit)); \
		} \
	} while (0)

	LIMIT(minimum, "minimum", compare_number(&n, &c->minimum) < 0, "at least");
	LIMIT(maximum, "maximum", compare_number(&n, &c->maximum) > 0, "at most");
	LIMIT(exclusive_minimum, "exclusiveMinimum", compare_number(&n, &c->exclusive_minimum) <= 0, "greater than");
	LIMIT(exclusive_maximum, "exclusiveMaximum", compare_number(&n, &c->exclusive_maximum) >= 0, "less than");
	LIMIT(multiple_of, "multipleOf", !is_multiple(&n, &c->multiple_of), "a multiple of");
	return ok;
}

/* ---- strings ---- */

static bool
check_string(Run *run, const ErJsNode *node, const ErJsValue *v, const ErJsPlace *at)
{
	const ErJsStringChecks *c = node->string;
	bool		ok = true;

	/* characters never outnumber bytes, so most strings need no count */
	if (c->min_length > 0 || (c->max_length >= 0 && v->len > c->max_length))
	{
		int64		length = pg_mbstrlen_with_len(v->u.str, v->len);

		if (length < c->min_length)
			ok = problem(run, node, "minLength", at,
						 "string has " INT64_FORMAT " characters, must have at least " INT64_FORMAT,
						 length, c->min_length);
		if (c->max_length >= 0 && length > c->max_length)
			ok = problem(run, node, "maxLength", at,
						 "string has " INT64_FORMAT " characters, must have at most " INT64_FORMAT,
						 length, c->max_length);
	}
	if (c->pattern != NULL && (ok || run->errors != NULL) && !er_js_pattern_matches(c->pattern, v->u.str, v->len))
		ok = problem(run, node, "pattern", at, "string %s does not match the pattern \"%s\"",
					 er_js_describe(v), er_js_pattern_text(c->pattern));
	if (c->format != NULL && (ok || run->errors != NULL) && (run->assert_format || c->format_always) &&
		!c->format->check(v->u.str, v->len))
		ok = problem(run, node, "format", at, "string %s is no %s", er_js_describe(v), c->format->name);
	return ok;
}

/* ---- arrays ---- */

/* The index of an item that repeats another one, or -1. */
static int64
find_duplicate(const ErJsValue *v)
{
	uint32		count = JsonContainerSize(v->u.box);
	ErJsValue  *items;
	ErJsWalk	w;
	int64		found = -1;

	if (count < 2)
		return -1;
	items = palloc_extended(sizeof(ErJsValue) * count, MCXT_ALLOC_HUGE);
	er_js_walk(&w, v->u.box);
	for (uint32 i = 0; er_js_next_element(&w, &items[i]); i++)
		;
	qsort(items, count, sizeof(ErJsValue), er_js_compare_sort);
	for (uint32 i = 1; i < count && found < 0; i++)
		if (er_js_compare(&items[i - 1], &items[i]) == 0)
			found = Max(items[i].slot, items[i - 1].slot) - v->u.box->children;
	pfree(items);
	return found;
}

static bool
check_contains(Run *run, const ErJsNode *node, const ErJsValue *v, const ErJsPlace *at, Seen *seen)
{
	const ErJsArrayChecks *c = node->array;
	ErJsErrors *errors = run->errors;
	int64		matches = 0;
	ErJsWalk	w;
	ErJsValue	item;

	run->errors = NULL;
	er_js_walk(&w, v->u.box);
	while (er_js_next_element(&w, &item))
	{
		if (!evaluate_below(run, c->contains, &item, at, NULL, 0, w.next - 1))
			continue;
		matches++;
		if (seen != NULL)
			mark(seen, w.next - 1);
		else if (matches >= c->min_contains && c->max_contains < 0)
			break;
	}
	run->errors = errors;
	if (matches < c->min_contains)
		return problem(run, node, c->min_contains == 1 ? "contains" : "minContains", at,
					   "array has " INT64_FORMAT " items that match \"contains\", must have at least " INT64_FORMAT,
					   matches, c->min_contains);
	if (c->max_contains >= 0 && matches > c->max_contains)
		return problem(run, node, "maxContains", at,
					   "array has " INT64_FORMAT " items that match \"contains\", must have at most " INT64_FORMAT,
					   matches, c->max_contains);
	return true;
}

static bool
check_array(Run *run, const ErJsNode *node, const ErJsValue *v, const ErJsPlace *at, Seen *seen)
{
	const ErJsArrayChecks *c = node->array;
	int64		count = JsonContainerSize(v->u.box);
	bool		ok = true;

	if (count < c->min_items)
		ok = problem(run, node, "minItems", at,
					 "array has " INT64_FORMAT " items, must have at least " INT64_FORMAT, count, c->min_items);
	if (c->max_items >= 0 && count > c->max_items)
		ok = problem(run, node, "maxItems", at,
					 "array has " INT64_FORMAT " items, must have at most " INT64_FORMAT, count, c->max_items);
	if ((ok || run->errors != NULL) && (c->items != NULL || c->prefix.count > 0))
	{
		ErJsWalk	w;
		ErJsValue	item;

		er_js_walk(&w, v->u.box);
		while (go_on(run, ok) && er_js_next_element(&w, &item))
		{
			uint32		i = w.next - 1;
			const ErJsNode *judge = i < c->prefix.count ? c->prefix.list[i] : c->items;

			if (judge == NULL)
				break;
			if (seen != NULL && i < c->prefix.count)
				mark(seen, i);
			if (!evaluate_below(run, judge, &item, at, NULL, 0, i))
				ok = false;
		}
		if (seen != NULL && c->items != NULL)
			seen->all = true;
	}
	if (c->contains != NULL && (ok || run->errors != NULL) && !check_contains(run, node, v, at, seen))
		ok = false;
	if (c->unique && (ok || run->errors != NULL))
	{
		int64		duplicate = find_duplicate(v);

		if (duplicate >= 0)
			ok = problem(run, node, "uniqueItems", at, "item " INT64_FORMAT " repeats an earlier item", duplicate);
	}
	return ok;
}

/* ---- objects ---- */

static bool
missing(Run *run, const ErJsNode *node, const ErJsProperty *p, const ErJsPlace *at)
{
	return problem(run, node, "required", at, "property \"%s\" is missing", er_js_clip(p->name, p->len, 200));
}

/* A member that properties may or may not have named: patterns, then the rest, then its name. */
static bool
check_member(Run *run, const ErJsNode *node, bool matched, const char *key, uint32 len, uint32 index,
			 const ErJsValue *member, const ErJsPlace *at, Seen *seen)
{
	const ErJsObjectChecks *c = node->object;
	bool		ok = true;

	for (uint32 i = 0; i < c->npatterns && (ok || run->errors != NULL); i++)
	{
		if (!er_js_pattern_matches(c->patterns[i].pattern, key, len))
			continue;
		matched = true;
		if (seen != NULL)
			mark(seen, index);
		if (!evaluate_below(run, c->patterns[i].node, member, at, key, len, index))
			ok = false;
	}
	if (c->additional != NULL && !matched && (ok || run->errors != NULL))
	{
		if (seen != NULL)
			mark(seen, index);
		if (!evaluate_below(run, c->additional, member, at, key, len, index))
			ok = false;
	}
	if (c->names != NULL && (ok || run->errors != NULL))
	{
		ErJsValue	name = {JS_STRING};
		uint32		chain = run->chain;

		name.u.str = key;
		name.len = len;
		run->chain = 0;
		if (!evaluate(run, c->names, &name, at, NULL))
			ok = problem(run, node, "propertyNames", at, "property name \"%s\" is not allowed",
						 er_js_clip(key, len, 200));
		run->chain = chain;
	}
	return ok;
}

/*
 * Members and properties are sorted alike, so one merge finds every match and every missing name. With far more
 * properties than members, each member is searched instead.
 */
static bool
check_object(Run *run, const ErJsNode *node, const ErJsValue *v, const ErJsPlace *at, Seen *seen)
{
	const ErJsObjectChecks *c = node->object;
	int64		count = JsonContainerSize(v->u.box);
	bool		search = c->nproperties > 16 && count < c->nproperties / 8;
	bool		others = c->npatterns > 0 || c->additional != NULL || c->names != NULL;
	uint32		p = 0,
				required = 0;
	ErJsWalk	w;
	ErJsValue	member;
	const char *key;
	uint32		len;
	bool		ok = true;

	if (count < c->min_properties)
		ok = problem(run, node, "minProperties", at,
					 "object has " INT64_FORMAT " properties, must have at least " INT64_FORMAT,
					 count, c->min_properties);
	if (c->max_properties >= 0 && count > c->max_properties)
		ok = problem(run, node, "maxProperties", at,
					 "object has " INT64_FORMAT " properties, must have at most " INT64_FORMAT,
					 count, c->max_properties);
	if (c->nproperties == 0 && !others)
		return ok;

	er_js_walk(&w, v->u.box);
	while (go_on(run, ok) && (others || p < c->nproperties) &&
		   er_js_next_pair(&w, &key, &len, &member))
	{
		const ErJsProperty *property = NULL;
		uint32		index = w.next - 1;
		int			cmp;

		if (search)
		{
			uint32		low = 0,
						high = c->nproperties;

			while (low < high)
			{
				uint32		mid = (low + high) / 2;

				cmp = er_js_key_cmp(c->properties[mid].name, c->properties[mid].len, key, len);
				if (cmp == 0)
				{
					property = &c->properties[mid];
					break;
				}
				if (cmp < 0)
					low = mid + 1;
				else
					high = mid;
			}
		}
		else
			for (; p < c->nproperties; p++)
			{
				cmp = er_js_key_cmp(c->properties[p].name, c->properties[p].len, key, len);
				if (cmp > 0)
					break;
				if (cmp == 0)
				{
					property = &c->properties[p++];
					break;
				}
				if (c->properties[p].required && !(ok = missing(run, node, &c->properties[p], at)) &&
					run->errors == NULL)
					return false;
			}
		if (property != NULL && property->required)
			required++;
		if (property != NULL && property->node != NULL)
		{
			if (seen != NULL)
				mark(seen, index);
			if (!evaluate_below(run, property->node, &member, at, key, len, index))
				ok = false;
		}
		else
			property = NULL;
		if (others && (ok || run->errors != NULL) &&
			!check_member(run, node, property != NULL, key, len, index, &member, at, seen))
			ok = false;
	}
	if (!go_on(run, ok))
		return false;
	if (search && required < c->nrequired)
	{
		for (p = 0; p < c->nproperties; p++)
			if (c->properties[p].required &&
				!er_js_member(v->u.box, c->properties[p].name, c->properties[p].len, &member))
				ok = missing(run, node, &c->properties[p], at);
	}
	else if (!search)
		for (; p < c->nproperties; p++)
			if (c->properties[p].required)
				ok = missing(run, node, &c->properties[p], at);
	return ok;
}

static bool
apply_dependencies(Run *run, const ErJsNode *node, const ErJsValue *v, const ErJsPlace *at, Seen *seen)
{
	const ErJsObjectChecks *c = node->object;
	bool		ok = true;
	ErJsValue	member;

	for (uint32 i = 0; i < c->ndependencies && go_on(run, ok); i++)
	{
		const ErJsDependency *d = &c->dependencies[i];

		if (!er_js_member(v->u.box, d->name, d->len, &member))
			continue;
		if (d->node != NULL && !evaluate_in_place(run, d->node, v, at, seen))
			ok = false;
		for (uint32 r = 0; r < d->nrequired; r++)
			if (!er_js_member(v->u.box, d->required[r].u.str, d->required[r].len, &member))
				ok = problem(run, node, d->keyword, at,
							 "property \"%s\" is missing, property \"%s\" needs it",
							 er_js_clip(d->required[r].u.str, d->required[r].len, 200),
							 er_js_clip(d->name, d->len, 200));
	}
	return ok;
}

/* ---- subschemas for the same value ---- */

static bool
apply_any(Run *run, const ErJsNode *node, const ErJsValue *v, const ErJsPlace *at, Seen *seen)
{
	const ErJsApplicators *a = node->apply;
	int			start = er_js_begin_provisional(run->errors);
	bool		any = false;

	(void) problem(run, node, "anyOf", at, "value matches none of the %u alternatives", a->any.count);
	for (uint32 i = 0; i < a->any.count && !(any && seen == NULL); i++)
		if (evaluate_in_place(run, a->any.list[i], v, at, seen))
			any = true;
	er_js_end_provisional(run->errors, start, any);
	return any;
}

static bool
apply_one(Run *run, const ErJsNode *node, const ErJsValue *v, const ErJsPlace *at, Seen *seen)
{
	const ErJsApplicators *a = node->apply;
	int			start = er_js_begin_provisional(run->errors);
	uint32		matches = 0;
	uint32		which[2];

	(void) problem(run, node, "oneOf", at, "value matches none of the %u alternatives", a->one.count);
	for (uint32 i = 0; i < a->one.count && matches < 2; i++)
		if (evaluate_in_place(run, a->one.list[i], v, at, seen))
			which[matches++] = i;
	er_js_end_provisional(run->errors, start, matches > 0);
	if (matches == 2)
		return problem(run, node, "oneOf", at, "value matches alternatives %u and %u, must match exactly one",
					   which[0], which[1]);
	return matches == 1;
}

/* The schema that a dynamic reference means here: the outermost resource with that dynamic anchor decides. */
static const ErJsNode *
dynamic_target(Run *run, const ErJsApplicators *a)
{
	const ErJsNode *target = a->dynamic_ref;

	if (a->dynamic_name != NULL)
		for (const Scope *s = run->scope; s != NULL; s = s->up)
		{
			ErJsAnchor *anchor = er_js_map_get(&run->schema->anchors, s->resource, a->dynamic_name, a->dynamic_len);

			if (anchor != NULL && anchor->dynamic)
				target = anchor->node;
		}
	return target;
}

static bool
apply_in_place(Run *run, const ErJsNode *node, const ErJsValue *v, const ErJsPlace *at, Seen *seen)
{
	const ErJsApplicators *a = node->apply;
	bool		ok = true;

	if (a->ref != NULL && !evaluate_in_place(run, a->ref, v, at, seen))
		ok = false;
	if (a->dynamic_ref != NULL && go_on(run, ok) && !evaluate_in_place(run, dynamic_target(run, a), v, at, seen))
		ok = false;
	for (uint32 i = 0; i < a->all.count && go_on(run, ok); i++)
		if (!evaluate_in_place(run, a->all.list[i], v, at, seen))
			ok = false;
	if (a->any.list != NULL && go_on(run, ok) && !apply_any(run, node, v, at, seen))
		ok = false;
	if (a->one.list != NULL && go_on(run, ok) && !apply_one(run, node, v, at, seen))
		ok = false;
	if (a->not != NULL && go_on(run, ok) && evaluate_quietly(run, a->not, v, at, NULL))
		ok = problem(run, node, "not", at, "value matches the schema it must not match");
	if (a->if_ != NULL && (a->then != NULL || a->else_ != NULL || seen != NULL) && go_on(run, ok))
	{
		const ErJsNode *branch = evaluate_quietly(run, a->if_, v, at, seen) ? a->then : a->else_;

		if (branch != NULL && !evaluate_in_place(run, branch, v, at, seen))
			ok = false;
	}
	return ok;
}

/* What no other keyword of the schema has evaluated. */
static bool
check_unevaluated(Run *run, const ErJsNode *node, const ErJsValue *v, const ErJsPlace *at, Seen *seen)
{
	ErJsWalk	w;
	ErJsValue	part;
	bool		ok = true;

	if (seen->all)
		return true;
	er_js_walk(&w, v->u.box);
	if (v->kind == JS_ARRAY)
	{
		while (go_on(run, ok) && er_js_next_element(&w, &part))
			if (!is_marked(seen, w.next - 1) &&
				!evaluate_below(run, node->array->unevaluated, &part, at, NULL, 0, w.next - 1))
				ok = false;
	}
	else
	{
		const char *key;
		uint32		len;

		while (go_on(run, ok) && er_js_next_pair(&w, &key, &len, &part))
			if (!is_marked(seen, w.next - 1) &&
				!evaluate_below(run, node->object->unevaluated, &part, at, key, len, w.next - 1))
				ok = false;
	}
	seen->all = true;
	return ok;
}
