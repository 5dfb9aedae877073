/*
 * flags_openfeature.c
 *		Flags as OpenFeature asks for them: value, variant, reason, error; and as documents of its remote protocol.
 *
 * An evaluation raises no error, whatever its arguments: it gives the caller's default and says what was wrong. Two kinds
 * of refusal come from the tenancy as errors (the caller is no member, or has chosen no tenant); nothing is held when
 * they are raised, so they are caught without a subtransaction, which parallel workers could not have. What passes
 * through is what every query is subject to: cancellation, no memory, a broken disk.
 */
#include "flags_cache.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

#include "tenancy.h"

#define MAX_SHOWN	64			/* bytes of a value in a message */

typedef struct Evaluation
{
	Jsonb	   *value;			/* NULL: the caller's default */
	ErFlagText	variant;		/* data NULL: none */
	const char *reason;
	const char *error_code;		/* NULL: no error */
	const char *error_message;
	Jsonb	   *metadata;		/* NULL: empty */
} Evaluation;

static void evaluate_named(FunctionCallInfo fcinfo, int context_argument, Evaluation *result);
static ErFlagTenant *begin(FunctionCallInfo fcinfo, int context_argument, ErFlagContext *context, Evaluation *result);
static bool read_context(ErFlagContext *context, Evaluation *result);
static bool read_user(ErFlagContext *context, Evaluation *result);
static bool read_whole(const ErFlagContext *context, const char *name, bool *found, int32 *number, Evaluation *result);
static bool read_size(ErFlagContext *context, Evaluation *result);
static bool context_value(const ErFlagContext *context, const char *name, JsonbValue *value);
static bool wrong_value(const char *name, const JsonbValue *value, const char *wanted, Evaluation *result);
static bool choose_tenant(ErFlagContext *context, bool named, Evaluation *result);
static void evaluate(ErFlag *flag, ErFlagTenant *tenant, const ErFlagContext *context, Evaluation *result);
static const char *reason_of(const ErFlagProgram *program, const ErFlagDecision *decision);
static Jsonb *metadata_of(const ErFlag *flag, const ErFlagTenant *tenant, const ErFlagDecision *decision);
static void check_type(Jsonb *default_value, Evaluation *result);
static int	json_type(Jsonb *value);
static bool fail(Evaluation *result, const char *code, const char *message);
static Jsonb *ofrep_single(FunctionCallInfo fcinfo);
static Jsonb *ofrep_bulk(FunctionCallInfo fcinfo);
static void push_evaluation(JsonbParseState **state, ErFlagText key, const Evaluation *result);
static void push_failure(JsonbParseState **state, const Evaluation *result);
static bool same_etag(const text *given, const char *etag);
static void push_key(JsonbParseState **state, const char *key);
static void push_text(JsonbParseState **state, const char *key, ErFlagText value);
static void push_cstring(JsonbParseState **state, const char *key, const char *value);
static void push_number(JsonbParseState **state, const char *key, double value);
static void push_jsonb(JsonbParseState **state, const char *key, Jsonb *value);
static Jsonb *boolean(bool value);

PG_FUNCTION_INFO_V1(er_evaluate_flag);
PG_FUNCTION_INFO_V1(er_ofrep);

/*
 * evaluate_flag(key, default_value, context): one row.
 */
Datum
er_evaluate_flag(PG_FUNCTION_ARGS)
{
	Evaluation	result = {0};
	TupleDesc	desc = fcinfo->flinfo->fn_extra;
	Datum		values[6];
	bool		nulls[6] = {0};

	if (desc == NULL)
	{
		MemoryContext before = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);

		if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE || desc->natts != 6)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("evaluate_flag is called where its columns are not known")));
		desc = BlessTupleDesc(CreateTupleDescCopy(desc));
		fcinfo->flinfo->fn_extra = desc;
		MemoryContextSwitchTo(before);
	}

	evaluate_named(fcinfo, 2, &result);
	if (result.error_code == NULL && result.value != NULL && !PG_ARGISNULL(1))
		check_type(PG_GETARG_JSONB_P(1), &result);
	if (result.error_code != NULL)
	{
		result.reason = "ERROR";
		result.value = NULL;
		result.variant.data = NULL;
	}

	nulls[0] = result.value == NULL && PG_ARGISNULL(1);
	if (!nulls[0])
		values[0] = result.value != NULL ? JsonbPGetDatum(result.value) : PG_GETARG_DATUM(1);
	nulls[1] = result.variant.data == NULL;
	if (!nulls[1])
		values[1] = PointerGetDatum(cstring_to_text_with_len(result.variant.data, result.variant.len));
	values[2] = CStringGetTextDatum(result.reason);
	nulls[3] = nulls[4] = result.error_code == NULL;
	if (result.error_code != NULL)
	{
		values[3] = CStringGetTextDatum(result.error_code);
		values[4] = CStringGetTextDatum(result.error_message);
	}
	if (result.metadata == NULL)
	{
		JsonbParseState *state = NULL;

		pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
		result.metadata = JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
	}
	values[5] = JsonbPGetDatum(result.metadata);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, values, nulls)));
}

/*
 * ofrep(key, context, etag): the answer to a request of the OpenFeature Remote Evaluation Protocol.
 */
Datum
er_ofrep(PG_FUNCTION_ARGS)
{
	PG_RETURN_JSONB_P(PG_ARGISNULL(0) ? ofrep_bulk(fcinfo) : ofrep_single(fcinfo));
}

/* The flag of the first argument. */
static void
evaluate_named(FunctionCallInfo fcinfo, int context_argument, Evaluation *result)
{
	ErFlagContext context = {0};
	ErFlagTenant *tenant;
	ErFlag	   *flag;
	ErFlagKey	key;

	if (PG_ARGISNULL(0))
	{
		fail(result, "FLAG_NOT_FOUND", "key is null");
		return;
	}
	tenant = begin(fcinfo, context_argument, &context, result);
	if (tenant == NULL)
		return;
	key = er_flag_text_key(PG_GETARG_TEXT_PP(0), 0);
	flag = er_flags_find(key);
	if (flag == NULL || flag->archived)
		fail(result, "FLAG_NOT_FOUND",
			 psprintf("flag %s %s", er_flags_show(key.data, key.len), flag == NULL ? "is not known" : "is archived"));
	else
		evaluate(flag, tenant, &context, result);
}

/*
 * Reads the context and finds the tenant. NULL when that is not possible; then the result says why.
 */
static ErFlagTenant *
begin(FunctionCallInfo fcinfo, int context_argument, ErFlagContext *context, Evaluation *result)
{
	ErFlagTenant *tenant;
	bool		faulty;

	if (!PG_ARGISNULL(context_argument))
	{
		Jsonb	   *given = PG_GETARG_JSONB_P(context_argument);

		if (!JB_ROOT_IS_OBJECT(given))
		{
			fail(result, "INVALID_CONTEXT", "context is not an object");
			return NULL;
		}
		context->given = &given->root;
	}
	context->setting = er_flag_setting_context(&faulty);
	if (faulty)
	{
		fail(result, "INVALID_CONTEXT", "the setting execreport.context is not an object");
		return NULL;
	}
	if (!read_context(context, result))
		return NULL;
	er_flags_refresh(er_watch_generation(&er_flags_watch));
	er_flags_turn_hour();
	tenant = er_flags_tenant(context->tenant_id);
	if (context->size == NULL)
		context->size = tenant->size;
	return tenant;
}

/*
 * The fields that have a meaning of their own: user, tenant, its size, configuration.
 */
static bool
read_context(ErFlagContext *context, Evaluation *result)
{
	bool		named;

	return read_user(context, result) && read_size(context, result) &&
		read_whole(context, "configurationId", &context->has_configuration, &context->configuration_id, result) &&
		read_whole(context, "tenantId", &named, &context->tenant_id, result) &&
		choose_tenant(context, named, result);
}

/* targetingKey, or userId, of the argument; else of the setting. */
static bool
read_user(ErFlagContext *context, Evaluation *result)
{
	const JsonbContainer *const places[] = {context->given, context->setting};
	static const char *const names[] = {"targetingKey", "userId"};

	for (int i = 0; i < lengthof(places); i++)
	{
		for (int j = 0; j < lengthof(names) && places[i] != NULL; j++)
		{
			JsonbValue	value;

			if (!er_flag_member(places[i], names[j], strlen(names[j]), &value) || value.type == jbvNull)
				continue;
			if (value.type != jbvString && (j == 0 || value.type != jbvNumeric))
				return wrong_value(names[j], &value, "a string", result);
			context->user = er_flag_scalar_text(&value);
			return true;
		}
	}
	return true;
}

/* A whole number from 1 on, also as a string of digits. */
static bool
read_whole(const ErFlagContext *context, const char *name, bool *found, int32 *number, Evaluation *result)
{
	JsonbValue	value;
	ErFlagText	text;
	int64		sum = 0;

	*found = context_value(context, name, &value);
	if (!*found)
		return true;
	text = value.type == jbvBool ? (ErFlagText) {NULL, 0} : er_flag_scalar_text(&value);
	for (int i = 0; i < text.len; i++)
	{
		if (text.data[i] < '0' || text.data[i] > '9' || i > 9)
			return wrong_value(name, &value, "a whole number from 1 on", result);
		sum = sum * 10 + (text.data[i] - '0');
	}
	if (sum < 1 || sum > PG_INT32_MAX)
		return wrong_value(name, &value, "a whole number from 1 on", result);
	*number = (int32) sum;
	return true;
}

static bool
read_size(ErFlagContext *context, Evaluation *result)
{
	JsonbValue	value;

	if (!context_value(context, "tenantSize", &value))
		return true;
	if (value.type != jbvString)
		return wrong_value("tenantSize", &value, "small, medium or large", result);
	context->size = pnstrdup(value.val.string.val, value.val.string.len);
	return true;
}

/* False when it is absent or null. */
static bool
context_value(const ErFlagContext *context, const char *name, JsonbValue *value)
{
	bool		found = (context->given != NULL && er_flag_member(context->given, name, strlen(name), value)) ||
		(context->setting != NULL && er_flag_member(context->setting, name, strlen(name), value));

	return found && value->type != jbvNull;
}

static bool
wrong_value(const char *name, const JsonbValue *value, const char *wanted, Evaluation *result)
{
	ErFlagText	text = er_flag_scalar_text(value);
	const char *shown;

	if (value->type == jbvString)
		shown = er_flags_show(text.data, text.len);
	else if (text.data != NULL)
		shown = psprintf("%.*s", Min(text.len, MAX_SHOWN), text.data);
	else
		shown = value->type == jbvBinary && JsonContainerIsObject(value->val.binary.data) ? "an object" : "an array";
	return fail(result, "INVALID_CONTEXT", psprintf("context.%s is %s; it has to be %s", name, shown, wanted));
}

/*
 * The tenant of the context, else the current one, when the caller is a member of it.
 */
static bool
choose_tenant(ErFlagContext *context, bool named, Evaluation *result)
{
	MemoryContext before = CurrentMemoryContext;
	volatile int32 tenant_id = context->tenant_id;
	volatile bool ok = true;

	PG_TRY();
	{
		if (!named)
			tenant_id = er_current_tenant_id();
		er_require_tenant_persona(tenant_id, ER_VIEWER);
	}
	PG_CATCH();
	{
		ErrorData  *error;
		int			code = geterrcode();

		if (code != ERRCODE_INSUFFICIENT_PRIVILEGE && code != ERRCODE_INVALID_PARAMETER_VALUE &&
			code != ERRCODE_UNDEFINED_OBJECT)
			PG_RE_THROW();
		MemoryContextSwitchTo(before);
		error = CopyErrorData();
		FlushErrorState();
		ok = fail(result, "GENERAL", error->message);
	}
	PG_END_TRY();
	context->tenant_id = tenant_id;
	return ok;
}

static void
evaluate(ErFlag *flag, ErFlagTenant *tenant, const ErFlagContext *context, Evaluation *result)
{
	ErFlagDecision decision;
	ErFlagAnswer answer = er_flag_decide(flag, tenant, context, &decision, 0);
	const ErFlagProgram *program = flag->program;
	const ErFlagVariant *variant = NULL;
	bool		dealt = false;

	if (!flag->asked)
		er_flags_note(flag);
	result->metadata = metadata_of(flag, tenant, &decision);
	result->reason = reason_of(program, &decision);
	if (decision.no_key && decision.cause > ER_CAUSE_RULE)
	{
		fail(result, "TARGETING_KEY_MISSING", "context.targetingKey is absent, and a rule of the flag needs it");
		return;
	}
	if (program == NULL || !program->has_variants)
	{
		result->value = boolean(answer == ER_FLAG_YES);
		result->variant.data = answer == ER_FLAG_YES ? "on" : "off";
		result->variant.len = strlen(result->variant.data);
		return;
	}
	if (answer == ER_FLAG_YES)
	{
		variant = er_flag_variant(flag, context, &decision, &dealt);
		if (dealt)
			result->reason = "SPLIT";
	}
	else if (program->off_variant >= 0)
		variant = &program->variants.list[program->off_variant];
	if (variant != NULL)
	{
		result->value = variant->value;
		result->variant = variant->name;
	}
}

static const char *
reason_of(const ErFlagProgram *program, const ErFlagDecision *decision)
{
	switch (decision->cause)
	{
		case ER_CAUSE_KILLED:
		case ER_CAUSE_PREREQUISITE:
			return "DISABLED";
		case ER_CAUSE_USER:
		case ER_CAUSE_TENANT:
			return "TARGETING_MATCH";
		case ER_CAUSE_RULE:
			return program->rules[decision->rule].partial ? "SPLIT" : "TARGETING_MATCH";
		case ER_CAUSE_NO_RULE:
			return "DEFAULT";
		case ER_CAUSE_SETTING:
		case ER_CAUSE_DEFAULT:
			break;
	}
	return "STATIC";
}

/*
 * The version of the definition, the share it is rolled out to, and what decided. Scalars only, as the remote protocol
 * wants it.
 */
static Jsonb *
metadata_of(const ErFlag *flag, const ErFlagTenant *tenant, const ErFlagDecision *decision)
{
	static const char *const parts[] = {"users", "percentage", "size"};
	const ErFlagProgram *program = flag->program;
	JsonbParseState *state = NULL;
	double		percentage = program == NULL ? -1 : program->percentage;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	if (flag->version > 0)
		push_number(&state, "version", flag->version);
	if (decision->cause == ER_CAUSE_RULE)
	{
		if (program->rules[decision->rule].percentage >= 0)
			percentage = program->rules[decision->rule].percentage;
		if (decision->rule < program->nown)
			push_number(&state, "rule", decision->rule);
		else
			push_cstring(&state, "rollout", parts[decision->rule - program->nown]);
	}
	if (percentage >= 0)
		push_number(&state, "rolloutPercentage", percentage);
	if (decision->cause == ER_CAUSE_KILLED)
		push_cstring(&state, "killSwitch",
					 tenant->states[flag->number] == ER_FLAG_KILLED_EVERYWHERE ? "everywhere" : "tenant");
	if (decision->prerequisite != NULL && decision->prerequisite->flag.data != NULL)
		push_text(&state, "prerequisite", decision->prerequisite->flag);
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

static void
check_type(Jsonb *default_value, Evaluation *result)
{
	static const char *const names[] = {"null", "a boolean", "a number", "a string", "an array", "an object"};
	int			wanted = json_type(default_value);
	int			got = json_type(result->value);

	if (wanted != 0 && got != wanted)
		fail(result, "TYPE_MISMATCH", psprintf("the flag's value is %s and the default is %s", names[got], names[wanted]));
}

static int
json_type(Jsonb *value)
{
	JsonbValue	scalar;

	if (JB_ROOT_IS_OBJECT(value))
		return 5;
	if (!JB_ROOT_IS_SCALAR(value) || !JsonbExtractScalar(&value->root, &scalar))
		return 4;
	switch (scalar.type)
	{
		case jbvNull:
			return 0;
		case jbvBool:
			return 1;
		case jbvNumeric:
			return 2;
		default:
			return 3;
	}
}

static bool
fail(Evaluation *result, const char *code, const char *message)
{
	result->error_code = code;
	result->error_message = message;
	return false;
}

static Jsonb *
ofrep_single(FunctionCallInfo fcinfo)
{
	Evaluation	result = {0};
	text	   *key = PG_GETARG_TEXT_PP(0);
	ErFlagText	name = {VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key)};
	JsonbParseState *state = NULL;

	evaluate_named(fcinfo, 1, &result);
	push_evaluation(&state, name, &result);
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

/*
 * All flags that are not archived. The entity tag is a hash of the answer: it changes when, and only when, the answer for
 * this context does.
 */
static Jsonb *
ofrep_bulk(FunctionCallInfo fcinfo)
{
	ErFlagContext context = {0};
	Evaluation	failure = {0};
	ErFlagTenant *tenant = begin(fcinfo, 1, &context, &failure);
	JsonbParseState *state = NULL;
	Jsonb	   *flags;
	char		etag[17];

	if (tenant == NULL)
	{
		pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
		push_failure(&state, &failure);
		return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
	}

	pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	for (int i = 0; i < er_flags.nflags; i++)
	{
		ErFlag	   *flag = &er_flags.flags[i];
		ErFlagText	name = {flag->key.data, flag->key.len};
		Evaluation	result = {0};

		CHECK_FOR_INTERRUPTS();
		if (flag->archived)
			continue;
		evaluate(flag, tenant, &context, &result);
		push_evaluation(&state, name, &result);
		pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	}
	flags = JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_ARRAY, NULL));
	snprintf(etag, sizeof(etag), "%016llx",
			 (unsigned long long) DatumGetUInt64(hash_any_extended((unsigned char *) VARDATA(flags),
																   VARSIZE(flags) - VARHDRSZ, 0)));

	state = NULL;
	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	if (!PG_ARGISNULL(2) && same_etag(PG_GETARG_TEXT_PP(2), etag))
	{
		push_number(&state, "status", 304);
		push_cstring(&state, "etag", etag);
	}
	else
	{
		push_jsonb(&state, "flags", flags);
		push_key(&state, "metadata");
		pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
		push_cstring(&state, "etag", etag);
		pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	}
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

/* The object is left open. */
static void
push_evaluation(JsonbParseState **state, ErFlagText key, const Evaluation *result)
{
	pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	push_text(state, "key", key);
	if (result->error_code != NULL)
		push_failure(state, result);
	else
	{
		/* the protocol's reasons are fewer; and no value stands for the default in the code */
		push_cstring(state, "reason", strcmp(result->reason, "DEFAULT") == 0 ? "UNKNOWN" : result->reason);
		if (result->value != NULL)
			push_jsonb(state, "value", result->value);
		if (result->variant.data != NULL)
			push_text(state, "variant", result->variant);
	}
	if (result->metadata != NULL)
		push_jsonb(state, "metadata", result->metadata);
}

static void
push_failure(JsonbParseState **state, const Evaluation *result)
{
	push_cstring(state, "errorCode", result->error_code);
	push_cstring(state, "errorDetails", result->error_message);
}

/* As it came, or as HTTP quotes it: "...", W/"..." */
static bool
same_etag(const text *given, const char *etag)
{
	const char *p = VARDATA_ANY(given);
	int			len = VARSIZE_ANY_EXHDR(given);

	if (len > 2 && memcmp(p, "W/", 2) == 0)
	{
		p += 2;
		len -= 2;
	}
	if (len > 2 && p[0] == '"' && p[len - 1] == '"')
	{
		p++;
		len -= 2;
	}
	return len == strlen(etag) && memcmp(p, etag, len) == 0;
}

static void
push_key(JsonbParseState **state, const char *key)
{
	JsonbValue	v;

	v.type = jbvString;
	v.val.string.val = unconstify(char *, key);
	v.val.string.len = strlen(key);
	pushJsonbValue(state, WJB_KEY, &v);
}

static void
push_text(JsonbParseState **state, const char *key, ErFlagText value)
{
	JsonbValue	v;

	push_key(state, key);
	v.type = jbvString;
	v.val.string.val = unconstify(char *, value.data);
	v.val.string.len = value.len;
	pushJsonbValue(state, WJB_VALUE, &v);
}

static void
push_cstring(JsonbParseState **state, const char *key, const char *value)
{
	ErFlagText	text = {value, strlen(value)};

	push_text(state, key, text);
}

static void
push_number(JsonbParseState **state, const char *key, double value)
{
	JsonbValue	v;

	push_key(state, key);
	v.type = jbvNumeric;
	v.val.numeric = DatumGetNumeric(DirectFunctionCall1(float8_numeric, Float8GetDatum(value)));
	pushJsonbValue(state, WJB_VALUE, &v);
}

static void
push_jsonb(JsonbParseState **state, const char *key, Jsonb *value)
{
	JsonbValue	v;

	push_key(state, key);
	if (JB_ROOT_IS_SCALAR(value))
		JsonbExtractScalar(&value->root, &v);
	else
	{
		v.type = jbvBinary;
		v.val.binary.data = &value->root;
		v.val.binary.len = VARSIZE(value) - VARHDRSZ;
	}
	pushJsonbValue(state, WJB_VALUE, &v);
}

static Jsonb *
boolean(bool value)
{
	JsonbValue	v;

	v.type = jbvBool;
	v.val.boolean = value;
	return JsonbValueToJsonb(&v);
}
