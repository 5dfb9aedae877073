/*
 * flags_context.c
 *		What is known of who asks for a flag: the arguments, and beneath them the setting execreport.context.
 *
 * The setting is a JSON object in text. SET refuses anything else; a value from before the library was loaded, or one
 * that the database's encoding cannot hold, is found faulty when it is used.
 */
#include "flags_rules.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

#define MAX_SETTING	65536		/* bytes */

char	   *er_flag_context_setting = NULL;
uint64		er_flag_context_generation = 1;

static Jsonb *parse(const char *text);
static ErFlagAnswer property(const ErFlagContext *context, const char *name, int len, ErFlagText *value);
static bool find_property(const JsonbContainer *object, const char *name, int len, JsonbValue *value);
static ErFlagText whole_number(int32 number);

bool
er_check_flag_context(char **newval, void **extra, GucSource source)
{
	Jsonb	   *parsed;

	if (*newval == NULL || **newval == '\0')
		return true;
	if (strlen(*newval) > MAX_SETTING)
	{
		GUC_check_errdetail("It has %zu bytes; %d are allowed.", strlen(*newval), MAX_SETTING);
		return false;
	}
	parsed = parse(*newval);
	if (parsed == NULL)
	{
		GUC_check_errdetail("It is not a JSON object, such as {\"targetingKey\": \"ana\"}.");
		return false;
	}
	pfree(parsed);
	return true;
}

void
er_assign_flag_context(const char *newval, void *extra)
{
	er_flag_context_generation++;
}

/*
 * The setting's object; NULL when it is empty, or faulty.
 */
const JsonbContainer *
er_flag_setting_context(bool *faulty)
{
	static uint64 generation = 0;
	static Jsonb *parsed = NULL;
	static bool is_faulty = false;

	if (unlikely(generation != er_flag_context_generation))
	{
		MemoryContext before;

		generation = 0;
		if (parsed != NULL)
			pfree(parsed);
		parsed = NULL;
		is_faulty = false;
		if (er_flag_context_setting != NULL && er_flag_context_setting[0] != '\0')
		{
			before = MemoryContextSwitchTo(TopMemoryContext);
			parsed = parse(er_flag_context_setting);
			MemoryContextSwitchTo(before);
			is_faulty = parsed == NULL;
		}
		generation = er_flag_context_generation;
	}
	if (faulty != NULL)
		*faulty = is_faulty;
	return parsed == NULL ? NULL : &parsed->root;
}

/*
 * The text as an object, in the current context; NULL when it is none. Parsing holds nothing but memory, so an error of
 * it can be dropped without a subtransaction.
 */
static Jsonb *
parse(const char *text)
{
	MemoryContext before = CurrentMemoryContext;
	MemoryContext scratch = AllocSetContextCreate(before, "execreport context", ALLOCSET_DEFAULT_SIZES);
	Jsonb	   *volatile result = NULL;

	MemoryContextSwitchTo(scratch);
	PG_TRY();
	{
		Jsonb	   *parsed = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text)));

		if (JB_ROOT_IS_OBJECT(parsed))
			result = memcpy(MemoryContextAlloc(before, VARSIZE(parsed)), parsed, VARSIZE(parsed));
	}
	PG_CATCH();
	{
		int			code = geterrcode();

		MemoryContextSwitchTo(before);
		if (ERRCODE_TO_CATEGORY(code) == ERRCODE_OPERATOR_INTERVENTION || code == ERRCODE_OUT_OF_MEMORY)
		{
			MemoryContextDelete(scratch);
			PG_RE_THROW();
		}
		FlushErrorState();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(before);
	MemoryContextDelete(scratch);
	return result;
}

/*
 * A field of the context: yes with its text, no when it is absent, maybe when it is not known yet.
 */
ErFlagAnswer
er_flag_field(const ErFlagContext *context, const ErFlagField *field, ErFlagText *value)
{
	ErFlagAnswer unknown = context->tenant_only ? ER_FLAG_MAYBE : ER_FLAG_NO;

	switch (field->kind)
	{
		case ER_FIELD_USER:
			*value = context->user;
			return value->data != NULL ? ER_FLAG_YES : unknown;
		case ER_FIELD_TENANT:
			*value = whole_number(context->tenant_id);
			return ER_FLAG_YES;
		case ER_FIELD_SIZE:
			value->data = context->size;
			value->len = context->size == NULL ? 0 : strlen(context->size);
			return context->size != NULL ? ER_FLAG_YES : ER_FLAG_NO;
		case ER_FIELD_CONFIGURATION:
			if (!context->has_configuration)
				return unknown;
			*value = whole_number(context->configuration_id);
			return ER_FLAG_YES;
		case ER_FIELD_DEFAULT:
			*value = context->user;
			if (value->data != NULL && value->len > 0)
				return ER_FLAG_YES;
			return property(context, "sessionId", 9, value);
		case ER_FIELD_RANDOM:
			return unknown;
		default:
			return property(context, field->name.data, field->name.len, value);
	}
}

static ErFlagAnswer
property(const ErFlagContext *context, const char *name, int len, ErFlagText *value)
{
	JsonbValue	found;

	if (context->tenant_only)
		return ER_FLAG_MAYBE;
	/* what the argument says hides the setting, also with null */
	if (!find_property(context->given, name, len, &found) && !find_property(context->setting, name, len, &found))
		return ER_FLAG_NO;
	*value = er_flag_scalar_text(&found);
	return value->data != NULL ? ER_FLAG_YES : ER_FLAG_NO;
}

/* At the top, or among "properties", where Unleash's clients put them. */
static bool
find_property(const JsonbContainer *object, const char *name, int len, JsonbValue *value)
{
	JsonbValue	properties;

	if (object == NULL)
		return false;
	if (er_flag_member(object, name, len, value))
		return true;
	return er_flag_member(object, "properties", 10, &properties) && properties.type == jbvBinary &&
		er_flag_member(properties.val.binary.data, name, len, value);
}

bool
er_flag_member(const JsonbContainer *object, const char *name, int len, JsonbValue *value)
{
	return JsonContainerIsObject(object) &&
		getKeyJsonValueFromContainer(unconstify(JsonbContainer *, object), name, len, value) != NULL;
}

/* Of a string, a number or a boolean; else none. */
ErFlagText
er_flag_scalar_text(const JsonbValue *value)
{
	ErFlagText	text = {NULL, 0};

	switch (value->type)
	{
		case jbvString:
			text.data = value->val.string.val;
			text.len = value->val.string.len;
			break;
		case jbvNumeric:
			text.data = numeric_normalize(value->val.numeric);
			text.len = strlen(text.data);
			break;
		case jbvBool:
			text.data = value->val.boolean ? "true" : "false";
			text.len = strlen(text.data);
			break;
		default:
			break;
	}
	return text;
}

static ErFlagText
whole_number(int32 number)
{
	char	   *digits = palloc(12);
	ErFlagText	text = {digits, pg_ltoa(number, digits)};

	return text;
}
