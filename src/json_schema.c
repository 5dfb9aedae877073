/*
 * json_schema.c
 *		The SQL functions of the JSON Schema machine.
 *
 * The machine reads no table and fetches nothing: a schema and an instance come in, problems go out. A valid
 * instance is judged in one pass; only an invalid one is judged again to collect its problems.
 */
#include "postgres.h"

#include "json_schema.h"
#include "rows.h"

#include "catalog/pg_type_d.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(er_json_schema_errors);
PG_FUNCTION_INFO_V1(er_json_matches_schema);
PG_FUNCTION_INFO_V1(er_json_schema_check);

static void return_errors(FunctionCallInfo fcinfo, ErJsErrors *errors);
static ErJsDraft draft_of(const ErJsValue *schema, ErJsDraft otherwise);
static Jsonb *without_bundled(Jsonb *source, const char *holder, ErJsDraft draft);
static void check_form(const ErJsValue *schema, const char *path, ErJsDraft draft);

/* json_matches_schema(schema jsonb, instance jsonb) RETURNS boolean */
Datum
er_json_matches_schema(PG_FUNCTION_ARGS)
{
	ErJsSchema *schema = er_js_schema_of_argument(fcinfo, 0);
	Jsonb	   *instance = PG_GETARG_JSONB_P(1);
	ErJsValue	root;
	bool		valid;

	er_js_root(instance, &root);
	valid = er_js_validate(schema, &root, NULL);
	PG_FREE_IF_COPY(instance, 1);
	PG_RETURN_BOOL(valid);
}

/* json_schema_errors(schema jsonb, instance jsonb, max_errors integer) RETURNS TABLE (...) */
Datum
er_json_schema_errors(PG_FUNCTION_ARGS)
{
	static const char *const names[] = {"schema", "instance", "max_errors"};
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	ErJsErrors	errors = {0};
	ErJsSchema *schema;
	ErJsValue	root;

	if (rsinfo == NULL || !IsA(rsinfo, ReturnSetInfo) || !(rsinfo->allowedModes & SFRM_Materialize))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("json_schema_errors is called where no set of rows can be returned")));
	for (int i = 0; i < 3; i++)
		if (PG_ARGISNULL(i))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("%s is null", names[i]),
					 errdetail("Without it nothing can be judged, and no rows would mean a valid instance.")));
	errors.limit = PG_GETARG_INT32(2);
	if (errors.limit < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max_errors is %d", errors.limit),
				 errdetail("Allowed is 1 and more; more than %d is taken as %d.", ER_JS_MAX_ERRORS, ER_JS_MAX_ERRORS)));
	errors.limit = Min(errors.limit, ER_JS_MAX_ERRORS);

	schema = er_js_schema_of_argument(fcinfo, 0);
	er_js_root(PG_GETARG_JSONB_P(1), &root);
	rsinfo->returnMode = SFRM_Materialize;
	if (!er_js_validate(schema, &root, NULL))
	{
		er_js_validate(schema, &root, &errors);
		return_errors(fcinfo, &errors);
	}
	PG_RETURN_NULL();
}

static void
return_errors(FunctionCallInfo fcinfo, ErJsErrors *errors)
{
	ReturnSetInfo *result = er_return_rows(fcinfo);

	for (int i = 0; i < errors->count; i++)
	{
		ErJsError  *e = &errors->list[i];
		Datum		values[4];
		bool		nulls[4] = {false};

		CHECK_FOR_INTERRUPTS();
		values[0] = CStringGetTextDatum(e->instance_path);
		values[1] = CStringGetTextDatum(e->schema_path);
		values[2] = CStringGetTextDatum(e->keyword);
		values[3] = CStringGetTextDatum(e->message);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
		for (int c = 0; c < 4; c++)
			pfree(DatumGetPointer(values[c]));
	}
}

/*
 * json_schema_check(schema jsonb) RETURNS void
 *
 * Two sieves: the meta-schema of its draft lists every problem of form, compiling finds what a meta-schema cannot
 * see, such as a reference to nowhere.
 */
Datum
er_json_schema_check(PG_FUNCTION_ARGS)
{
	Jsonb	   *source = PG_GETARG_JSONB_P(0);
	ErJsDraft	draft;
	ErJsValue	root;

	er_js_root(source, &root);
	draft = draft_of(&root, ER_JS_DRAFT2020);
	er_js_root(without_bundled(without_bundled(source, "$defs", draft), "definitions", draft), &root);
	check_form(&root, "", draft);
	er_js_schema_of_jsonb(source);
	PG_RETURN_VOID();
}

/* The draft that a schema names itself, or the other one given. */
static ErJsDraft
draft_of(const ErJsValue *schema, ErJsDraft otherwise)
{
	ErJsValue	dialect;

	if (schema->kind == JS_OBJECT && er_js_member(schema->u.box, "$schema", 7, &dialect) && dialect.kind == JS_STRING)
		return er_js_draft_of(&dialect, otherwise);
	return otherwise;
}

/* The schema without those of another draft that are bundled in it: they are held to their own meta-schema, here. */
static Jsonb *
without_bundled(Jsonb *source, const char *holder, ErJsDraft draft)
{
	ErJsValue	root,
				held,
				child,
				id;
	ErJsWalk	w;
	const char *key;
	uint32		len;
	Datum	   *names;
	int			count = 0;
	Datum		rest;

	er_js_root(source, &root);
	if (root.kind != JS_OBJECT || !er_js_member(root.u.box, holder, strlen(holder), &held) || held.kind != JS_OBJECT)
		return source;
	names = palloc(sizeof(Datum) * (JsonContainerSize(held.u.box) + 1));
	er_js_walk(&w, held.u.box);
	while (er_js_next_pair(&w, &key, &len, &child))
	{
		StringInfoData path;

		CHECK_FOR_INTERRUPTS();
		if (draft_of(&child, draft) == draft || !er_js_member(child.u.box, "$id", 3, &id))
			continue;
		initStringInfo(&path);
		er_js_append_token(&path, holder, strlen(holder));
		er_js_append_token(&path, key, len);
		check_form(&child, path.data, draft_of(&child, draft));
		names[count++] = PointerGetDatum(cstring_to_text_with_len(key, len));
	}
	if (count == 0)
		return source;
	rest = DirectFunctionCall2(jsonb_object_field, JsonbPGetDatum(source), CStringGetTextDatum(holder));
	rest = DirectFunctionCall2(jsonb_delete_array, rest,
							   PointerGetDatum(construct_array(names, count, TEXTOID, -1, false, TYPALIGN_INT)));
	names[0] = CStringGetTextDatum(holder);
	return DatumGetJsonbP(DirectFunctionCall4(jsonb_set, JsonbPGetDatum(source),
											  PointerGetDatum(construct_array(names, 1, TEXTOID, -1, false, TYPALIGN_INT)),
											  rest, BoolGetDatum(false)));
}

/* An error that lists what the meta-schema of the draft finds. */
static void
check_form(const ErJsValue *schema, const char *path, ErJsDraft draft)
{
	const char *meta = draft == ER_JS_DRAFT7 ? "{\"$ref\": \"http://json-schema.org/draft-07/schema\"}" :
		"{\"$ref\": \"https://json-schema.org/draft/2020-12/schema\"}";
	ErJsErrors	errors = {0};
	StringInfoData all;
	int			lines = 0;

	errors.limit = 100;
	if (er_js_validate(er_js_schema_of_jsonb(DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(meta)))),
					   schema, &errors))
		return;
	initStringInfo(&all);
	for (int i = 0; i < errors.count; i++)
	{
		const char *at = psprintf("%s%s", path, errors.list[i].instance_path);

		/* several vocabularies may say the same */
		if (i > 0 && strcmp(errors.list[i].message, errors.list[i - 1].message) == 0 &&
			strcmp(errors.list[i].instance_path, errors.list[i - 1].instance_path) == 0)
			continue;
		appendStringInfo(&all, "%s%s: %s", lines++ > 0 ? "\n" : "", at[0] ? at : "\"\"", errors.list[i].message);
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid schema at %s: %s",
					errors.count > 0 && (path[0] || errors.list[0].instance_path[0]) ?
					psprintf("%s%s", path, errors.list[0].instance_path) : "\"\"",
					errors.count > 0 ? errors.list[0].message : "too many problems"),
			 lines > 1 ? errdetail("%s", all.data) : 0,
			 errhint("The schema must be valid against its meta-schema, JSON Schema 2020-12 unless $schema says draft-07.")));
}
