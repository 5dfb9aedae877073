/*
 * flags_compile.c
 *		A flag's definition as a program: everything parsed that can be parsed before anybody asks.
 *
 * Documents are held to the contract flag-definition and to er_flag_value_fault() when they are stored. Here they are
 * read as they come, for rows may stem from a restore: what is not as it must be never holds, and nothing raises an
 * error. All memory is taken from the current context, which owns the documents, too: texts point into them.
 */
#include "flags_rules.h"

#include <math.h>

#include "catalog/pg_collation.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/formatting.h"
#include "utils/memutils.h"

#include "json_schema.h"

#define MAX_TOTAL_WEIGHT	INT_MAX

typedef struct Compiler
{
	ErFlagText	key;
	ErFlagSegmentReader segment;
	ErFlagText	group;			/* of the document */
	ErFlagField stickiness;
} Compiler;

static const struct
{
	const char *name;
	ErFlagOperator operator;
}			operators[] = {
	{"IN", ER_FLAG_IN},
	{"NOT_IN", ER_FLAG_NOT_IN},
	{"STR_CONTAINS", ER_FLAG_STR_CONTAINS},
	{"STR_STARTS_WITH", ER_FLAG_STR_STARTS_WITH},
	{"STR_ENDS_WITH", ER_FLAG_STR_ENDS_WITH},
	{"NUM_EQ", ER_FLAG_NUM_EQ},
	{"NUM_GT", ER_FLAG_NUM_GT},
	{"NUM_GTE", ER_FLAG_NUM_GTE},
	{"NUM_LT", ER_FLAG_NUM_LT},
	{"NUM_LTE", ER_FLAG_NUM_LTE},
	{"DATE_AFTER", ER_FLAG_DATE_AFTER},
	{"DATE_BEFORE", ER_FLAG_DATE_BEFORE},
	{"SEMVER_EQ", ER_FLAG_SEMVER_EQ},
	{"SEMVER_GT", ER_FLAG_SEMVER_GT},
	{"SEMVER_GTE", ER_FLAG_SEMVER_GTE},
	{"SEMVER_LT", ER_FLAG_SEMVER_LT},
	{"SEMVER_LTE", ER_FLAG_SEMVER_LTE},
	{"REGEX", ER_FLAG_REGEX},
	{"CIDR", ER_FLAG_CIDR},
	{"IN_CIDR", ER_FLAG_CIDR},
};

static const char *const sizes[] = {"small", "medium", "large"};

static void compile_document(Compiler *compiler, ErFlagProgram *program, const ErJsValue *document);
static ErFlagAlgorithm compile_algorithm(const ErJsValue *value);
static void compile_prerequisites(ErFlagProgram *program, const ErJsValue *list);
static void compile_rule(Compiler *compiler, ErFlagRule *rule, const ErJsValue *value);
static void compile_percentage(ErFlagRule *rule, double percentage);
static void compile_segments(Compiler *compiler, ErFlagRule *rule, const ErJsValue *list);
static void add_constraints(ErFlagRule *rule, const ErJsValue *list);
static void compile_constraint(ErFlagConstraint *constraint, const ErJsValue *value);
static bool compile_operand(ErFlagConstraint *constraint, ErFlagText value);
static ErFlagOperator compile_operator(ErFlagText name);
static pg_regex_t *compile_regex(ErFlagText pattern, bool case_insensitive, char **problem);
static void release_regex(void *arg);
static void compile_variants(ErFlagVariants *variants, const ErJsValue *list, ErFlagField stickiness);
static void compile_overrides(ErFlagVariant *variant, const ErJsValue *list);
static void add_rollout(ErFlagProgram *program, const ErFlagRollout *rollout);
static ErFlagRule *empty_rule(ErFlagRule *rule, ErFlagText group);
static ErFlagField field_of(ErFlagText name);
static ErFlagField stickiness_of(ErFlagText name, ErFlagField otherwise);
static int	texts_of(const ErJsValue *list, ErFlagText **texts, bool trim);
static bool member(const ErJsValue *object, const char *name, ErJsValue *value);
static bool true_member(const ErJsValue *object, const char *name);
static ErFlagText text_member(const ErJsValue *object, const char *name);
static ErFlagText text_of(const ErJsValue *value);
static ErFlagText trimmed(ErFlagText text);
static uint32 count_of(const ErJsValue *list);

PG_FUNCTION_INFO_V1(er_flag_value_fault);

ErFlagProgram *
er_flag_compile(ErFlagText key, Jsonb *document, const ErFlagRollout *rollout, ErFlagSegmentReader segment)
{
	ErFlagProgram *program = palloc0(sizeof(ErFlagProgram));
	Compiler	compiler = {key, segment, key, {ER_FIELD_DEFAULT}};
	ErJsValue	root;

	program->off_variant = -1;
	program->percentage = -1;
	program->group = er_flag_utf8(key);
	if (document != NULL && JB_ROOT_IS_OBJECT(document))
	{
		er_js_root(document, &root);
		compile_document(&compiler, program, &root);
	}
	program->nown = program->nrules;
	if (rollout != NULL)
		add_rollout(program, rollout);
	program->has_variants = program->variants.count > 0;
	for (int i = 0; i < program->nrules; i++)
	{
		program->percentage = Max(program->percentage, program->rules[i].percentage);
		program->has_variants = program->has_variants || program->rules[i].variants.count > 0;
	}
	return program;
}

static void
compile_document(Compiler *compiler, ErFlagProgram *program, const ErJsValue *document)
{
	ErJsValue	value;
	ErJsWalk	walk;
	ErFlagText	text;

	if (member(document, "default", &value) && value.kind == JS_BOOL)
	{
		program->has_default = true;
		program->default_enabled = value.boolean;
	}
	if (member(document, "algorithm", &value))
		program->algorithm = compile_algorithm(&value);
	text = text_member(document, "groupId");
	if (text.data != NULL)
		compiler->group = text;
	program->group = er_flag_utf8(compiler->group);
	compiler->stickiness = stickiness_of(text_member(document, "stickiness"), compiler->stickiness);
	if (member(document, "prerequisites", &value))
		compile_prerequisites(program, &value);
	if (member(document, "rules", &value) && value.kind == JS_ARRAY)
	{
		program->rules = palloc0(Max(count_of(&value), 1) * sizeof(ErFlagRule));
		er_js_walk(&walk, value.u.box);
		while (er_js_next_element(&walk, &value))
			compile_rule(compiler, &program->rules[program->nrules++], &value);
	}
	if (member(document, "variants", &value))
		compile_variants(&program->variants, &value, compiler->stickiness);
	text = text_member(document, "offVariant");
	for (int i = 0; i < program->variants.count && text.data != NULL; i++)
	{
		if (er_flag_compare_text(&text, &program->variants.list[i].name) == 0)
			program->off_variant = i;
	}
}

static ErFlagAlgorithm
compile_algorithm(const ErJsValue *value)
{
	ErFlagText	name = text_of(value);

	return er_flag_text_is(name, "flagd") ? ER_FLAG_FLAGD :
		er_flag_text_is(name, "unleash_node") ? ER_FLAG_UNLEASH_NODE : ER_FLAG_UNLEASH;
}

static void
compile_prerequisites(ErFlagProgram *program, const ErJsValue *list)
{
	ErJsWalk	walk;
	ErJsValue	item,
				value;

	if (list->kind != JS_ARRAY)
		return;
	program->prerequisites = palloc0(Max(count_of(list), 1) * sizeof(ErFlagPrerequisite));
	er_js_walk(&walk, list->u.box);
	while (er_js_next_element(&walk, &item))
	{
		ErFlagPrerequisite *prerequisite = &program->prerequisites[program->nprerequisites++];

		/* one that names no flag is never met */
		prerequisite->flag = text_member(&item, "flag");
		prerequisite->enabled = !(member(&item, "enabled", &value) && value.kind == JS_BOOL && !value.boolean);
		if (member(&item, "variants", &value))
			prerequisite->nvariants = texts_of(&value, &prerequisite->variants, false);
	}
}

static void
compile_rule(Compiler *compiler, ErFlagRule *rule, const ErJsValue *value)
{
	ErFlagText	group = text_member(value, "groupId");
	ErJsValue	part;

	empty_rule(rule, er_flag_utf8(group.data != NULL ? group : compiler->group));
	rule->stickiness = stickiness_of(text_member(value, "stickiness"), compiler->stickiness);
	if (value->kind != JS_OBJECT)
	{
		rule->never = true;
		return;
	}
	if (member(value, "constraints", &part))
		add_constraints(rule, &part);
	if (member(value, "segments", &part))
		compile_segments(compiler, rule, &part);
	if (member(value, "percentage", &part))
	{
		double		percentage;

		if (part.kind == JS_NUMBER && er_flag_parse_number(text_of(&part), &percentage))
			compile_percentage(rule, percentage);
		else
			rule->never = true;
	}
	if (member(value, "variants", &part))
		compile_variants(&rule->variants, &part, rule->stickiness);
}

static void
compile_percentage(ErFlagRule *rule, double percentage)
{
	rule->percentage = Max(Min(percentage, 100), 0);
	rule->share = (uint32) rint(rule->percentage * 1000);
	rule->partial = rule->percentage < 100;
}

static void
compile_segments(Compiler *compiler, ErFlagRule *rule, const ErJsValue *list)
{
	ErFlagText *names;
	int			count = texts_of(list, &names, false);

	for (int i = 0; i < count; i++)
	{
		Jsonb	   *document = compiler->segment(names[i]);
		ErJsValue	root,
					constraints;

		if (document == NULL || !JB_ROOT_IS_OBJECT(document))
		{
			rule->never = true;
			continue;
		}
		er_js_root(document, &root);
		if (member(&root, "constraints", &constraints))
			add_constraints(rule, &constraints);
	}
}

static void
add_constraints(ErFlagRule *rule, const ErJsValue *list)
{
	ErJsWalk	walk;
	ErJsValue	item;
	Size		size;

	if (list->kind != JS_ARRAY)
	{
		rule->never = true;
		return;
	}
	size = ((Size) rule->nconstraints + count_of(list) + 1) * sizeof(ErFlagConstraint);
	rule->constraints = rule->constraints == NULL ? palloc(size) : repalloc(rule->constraints, size);
	er_js_walk(&walk, list->u.box);
	while (er_js_next_element(&walk, &item))
		compile_constraint(&rule->constraints[rule->nconstraints++], &item);
}

static void
compile_constraint(ErFlagConstraint *constraint, const ErJsValue *value)
{
	ErFlagText	name = text_member(value, "contextName");
	ErJsValue	operand;
	bool		good = true;

	memset(constraint, 0, sizeof(ErFlagConstraint));
	constraint->operator = compile_operator(text_member(value, "operator"));
	constraint->inverted = true_member(value, "inverted");
	constraint->case_insensitive = true_member(value, "caseInsensitive");
	if (name.data != NULL)
		constraint->field = field_of(name);
	else
		good = false;

	switch (constraint->operator)
	{
		case ER_FLAG_IN:
		case ER_FLAG_NOT_IN:
		case ER_FLAG_STR_CONTAINS:
		case ER_FLAG_STR_STARTS_WITH:
		case ER_FLAG_STR_ENDS_WITH:
		case ER_FLAG_CIDR:
			if (member(value, "values", &operand))
				constraint->nvalues = texts_of(&operand, &constraint->values, true);
			else
				good = false;
			break;
		default:
			good = good && member(value, "value", &operand) && compile_operand(constraint, text_of(&operand));
			break;
	}

	if (constraint->operator == ER_FLAG_IN || constraint->operator == ER_FLAG_NOT_IN)
	{
		if (constraint->nvalues > 1)
			qsort(constraint->values, constraint->nvalues, sizeof(ErFlagText), er_flag_compare_text);
	}
	else if (constraint->operator == ER_FLAG_CIDR)
	{
		int			nets = 0;

		constraint->nets = palloc0(Max(constraint->nvalues, 1) * sizeof(ErFlagNet));
		for (int i = 0; i < constraint->nvalues; i++)
			nets += er_flag_parse_net(constraint->values[i], &constraint->nets[nets]);
		constraint->nvalues = nets;
	}
	else if (constraint->case_insensitive)
	{
		for (int i = 0; i < constraint->nvalues; i++)
		{
			constraint->values[i].data = str_tolower(constraint->values[i].data, constraint->values[i].len,
													 DEFAULT_COLLATION_OID);
			constraint->values[i].len = strlen(constraint->values[i].data);
		}
	}
	if (!good)
		constraint->operator = ER_FLAG_NEVER;
}

static bool
compile_operand(ErFlagConstraint *constraint, ErFlagText value)
{
	if (value.data == NULL)
		return false;
	switch (constraint->operator)
	{
		case ER_FLAG_NUM_EQ:
		case ER_FLAG_NUM_GT:
		case ER_FLAG_NUM_GTE:
		case ER_FLAG_NUM_LT:
		case ER_FLAG_NUM_LTE:
			return er_flag_parse_number(value, &constraint->number);
		case ER_FLAG_DATE_AFTER:
		case ER_FLAG_DATE_BEFORE:
			return er_flag_parse_time(value, &constraint->time);
		case ER_FLAG_SEMVER_EQ:
		case ER_FLAG_SEMVER_GT:
		case ER_FLAG_SEMVER_GTE:
		case ER_FLAG_SEMVER_LT:
		case ER_FLAG_SEMVER_LTE:
			return er_flag_parse_version(value, &constraint->version);
		case ER_FLAG_REGEX:
			constraint->regex = compile_regex(value, constraint->case_insensitive, NULL);
			return constraint->regex != NULL;
		default:
			return false;
	}
}

static ErFlagOperator
compile_operator(ErFlagText name)
{
	for (int i = 0; i < lengthof(operators); i++)
	{
		if (er_flag_text_is(name, operators[i].name))
			return operators[i].operator;
	}
	return ER_FLAG_NEVER;
}

/* NULL when it is none; problem (NULL: not wanted) says why. */
static pg_regex_t *
compile_regex(ErFlagText pattern, bool case_insensitive, char **problem)
{
	pg_regex_t *regex = palloc(sizeof(pg_regex_t));
	pg_wchar   *wide = MemoryContextAllocHuge(CurrentMemoryContext, ((Size) pattern.len + 1) * sizeof(pg_wchar));
	int			len = pg_mb2wchar_with_len(pattern.data, wide, pattern.len);
	int			rc = pg_regcomp(regex, wide, len, REG_ADVANCED | REG_NOSUB | (case_insensitive ? REG_ICASE : 0),
								DEFAULT_COLLATION_OID);
	MemoryContextCallback *release;

	pfree(wide);
	if (rc != REG_OKAY)
	{
		char		message[200];

		CHECK_FOR_INTERRUPTS();
		pg_regerror(rc, regex, message, sizeof(message));
		if (problem != NULL)
			*problem = pstrdup(message);
		return NULL;
	}
	release = palloc(sizeof(MemoryContextCallback));
	release->func = release_regex;
	release->arg = regex;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, release);
	return regex;
}

static void
release_regex(void *arg)
{
	pg_regfree((pg_regex_t *) arg);
}

static void
compile_variants(ErFlagVariants *variants, const ErJsValue *list, ErFlagField stickiness)
{
	ErJsWalk	walk;
	ErJsValue	item,
				value;
	int64		total = 0;

	if (list->kind != JS_ARRAY || count_of(list) == 0)
		return;
	variants->list = palloc0(count_of(list) * sizeof(ErFlagVariant));
	variants->stickiness = stickiness;
	er_js_walk(&walk, list->u.box);
	while (er_js_next_element(&walk, &item))
	{
		ErFlagVariant *variant = &variants->list[variants->count];
		double		weight = 1;

		variant->name = text_member(&item, "name");
		if (variant->name.data == NULL)
			continue;
		if (variants->count++ == 0)
			variants->stickiness = stickiness_of(text_member(&item, "stickiness"), stickiness);
		if (member(&item, "weight", &value) && !er_flag_parse_number(text_of(&value), &weight))
			weight = 0;
		variant->weight = weight > 0 && weight <= MAX_TOTAL_WEIGHT ? (uint32) weight : 0;
		total += variant->weight;
		variants->weighty += variant->weight > 0;
		if (member(&item, "value", &value))
		{
			JsonbValue	boxed;

			/* as a document of its own */
			if (value.kind == JS_ARRAY || value.kind == JS_OBJECT)
			{
				boxed.type = jbvBinary;
				boxed.val.binary.data = value.u.box;
				boxed.val.binary.len = value.len;
			}
			else if (value.kind == JS_STRING)
			{
				boxed.type = jbvString;
				boxed.val.string.val = unconstify(char *, value.u.str);
				boxed.val.string.len = value.len;
			}
			else if (value.kind == JS_NUMBER)
			{
				boxed.type = jbvNumeric;
				boxed.val.numeric = value.u.num;
			}
			else if (value.kind == JS_BOOL)
			{
				boxed.type = jbvBool;
				boxed.val.boolean = value.boolean;
			}
			else
				boxed.type = jbvNull;
			variant->value = JsonbValueToJsonb(&boxed);
		}
		else
		{
			JsonbValue	name;

			name.type = jbvString;
			name.val.string.val = unconstify(char *, variant->name.data);
			name.val.string.len = variant->name.len;
			variant->value = JsonbValueToJsonb(&name);
		}
		if (member(&item, "overrides", &value))
			compile_overrides(variant, &value);
		variants->overridden = variants->overridden || variant->noverrides > 0;
	}
	variants->total = total <= MAX_TOTAL_WEIGHT ? (uint32) total : 0;
}

static void
compile_overrides(ErFlagVariant *variant, const ErJsValue *list)
{
	ErJsWalk	walk;
	ErJsValue	item,
				values;

	if (list->kind != JS_ARRAY)
		return;
	variant->overrides = palloc0(Max(count_of(list), 1) * sizeof(ErFlagOverride));
	er_js_walk(&walk, list->u.box);
	while (er_js_next_element(&walk, &item))
	{
		ErFlagOverride *override = &variant->overrides[variant->noverrides];
		ErFlagText	name = text_member(&item, "contextName");

		if (name.data == NULL || !member(&item, "values", &values))
			continue;
		override->field = field_of(name);
		override->nvalues = texts_of(&values, &override->values, false);
		variant->noverrides++;
	}
}

/*
 * Three rules more: these users, so many of the tenants, tenants up to this size.
 */
static void
add_rollout(ErFlagProgram *program, const ErFlagRollout *rollout)
{
	Size		size = ((Size) program->nrules + 3) * sizeof(ErFlagRule);
	ErFlagText	user_id = {"userId", 6};
	ErFlagText	tenant_id = {"tenantId", 8};
	ErFlagText	tenant_size = {"tenantSize", 10};
	ErFlagRule *rule;

	program->rules = program->rules == NULL ? palloc(size) : repalloc(program->rules, size);

	rule = empty_rule(&program->rules[program->nrules++], rollout->group);
	rule->never = rollout->nusers == 0;
	rule->nconstraints = 1;
	rule->constraints = palloc0(sizeof(ErFlagConstraint));
	rule->constraints->operator = ER_FLAG_IN;
	rule->constraints->field = field_of(user_id);
	rule->constraints->nvalues = rollout->nusers;
	rule->constraints->values = rollout->users;
	if (rollout->nusers > 1)
		qsort(rollout->users, rollout->nusers, sizeof(ErFlagText), er_flag_compare_text);

	rule = empty_rule(&program->rules[program->nrules++], er_flag_utf8(rollout->group));
	rule->stickiness = field_of(tenant_id);
	compile_percentage(rule, rollout->percentage);

	rule = empty_rule(&program->rules[program->nrules++], rollout->group);
	rule->never = rollout->max_size == NULL;
	rule->nconstraints = 1;
	rule->constraints = palloc0(sizeof(ErFlagConstraint));
	rule->constraints->operator = ER_FLAG_IN;
	rule->constraints->field = field_of(tenant_size);
	rule->constraints->values = palloc(lengthof(sizes) * sizeof(ErFlagText));
	for (int i = 0; i < lengthof(sizes) && rollout->max_size != NULL; i++)
	{
		rule->constraints->values[rule->constraints->nvalues].data = sizes[i];
		rule->constraints->values[rule->constraints->nvalues++].len = strlen(sizes[i]);
		if (strcmp(sizes[i], rollout->max_size) == 0)
			break;
	}
	qsort(rule->constraints->values, rule->constraints->nvalues, sizeof(ErFlagText), er_flag_compare_text);
}

static ErFlagRule *
empty_rule(ErFlagRule *rule, ErFlagText group)
{
	memset(rule, 0, sizeof(ErFlagRule));
	rule->percentage = -1;
	rule->group = group;
	rule->stickiness.kind = ER_FIELD_DEFAULT;
	return rule;
}

static ErFlagField
field_of(ErFlagText name)
{
	ErFlagField field = {ER_FIELD_PROPERTY, name};

	if (er_flag_text_is(name, "userId") || er_flag_text_is(name, "targetingKey"))
		field.kind = ER_FIELD_USER;
	else if (er_flag_text_is(name, "tenantId"))
		field.kind = ER_FIELD_TENANT;
	else if (er_flag_text_is(name, "tenantSize"))
		field.kind = ER_FIELD_SIZE;
	else if (er_flag_text_is(name, "configurationId"))
		field.kind = ER_FIELD_CONFIGURATION;
	else if (er_flag_text_is(name, "currentTime"))
		field.kind = ER_FIELD_TIME;
	return field;
}

static ErFlagField
stickiness_of(ErFlagText name, ErFlagField otherwise)
{
	ErFlagField field = otherwise;

	if (name.data == NULL || name.len == 0)
		return otherwise;
	field.name = name;
	if (er_flag_text_is(name, "default"))
		field.kind = ER_FIELD_DEFAULT;
	else if (er_flag_text_is(name, "random"))
		field.kind = ER_FIELD_RANDOM;
	else
		field = field_of(name);
	return field;
}

/* The strings and numbers of a list; trimmed, without empty ones when so wanted, as Unleash does. */
static int
texts_of(const ErJsValue *list, ErFlagText **texts, bool trim)
{
	ErJsWalk	walk;
	ErJsValue	item;
	int			count = 0;

	*texts = NULL;
	if (list->kind != JS_ARRAY || count_of(list) == 0)
		return 0;
	*texts = palloc(count_of(list) * sizeof(ErFlagText));
	er_js_walk(&walk, list->u.box);
	while (er_js_next_element(&walk, &item))
	{
		ErFlagText	text = text_of(&item);

		if ((count & 0xFFF) == 0xFFF)
			CHECK_FOR_INTERRUPTS();
		if (trim)
			text = trimmed(text);
		if (text.data != NULL && (text.len > 0 || !trim))
			(*texts)[count++] = text;
	}
	return count;
}

static bool
member(const ErJsValue *object, const char *name, ErJsValue *value)
{
	return object->kind == JS_OBJECT && er_js_member(object->u.box, name, strlen(name), value);
}

static bool
true_member(const ErJsValue *object, const char *name)
{
	ErJsValue	value;

	return member(object, name, &value) && value.kind == JS_BOOL && value.boolean;
}

static ErFlagText
text_member(const ErJsValue *object, const char *name)
{
	ErFlagText	none = {NULL, 0};
	ErJsValue	value;

	return member(object, name, &value) ? text_of(&value) : none;
}

/* Of a string or a number. */
static ErFlagText
text_of(const ErJsValue *value)
{
	ErFlagText	text = {NULL, 0};

	if (value->kind == JS_STRING)
	{
		text.data = value->u.str;
		text.len = value->len;
	}
	else if (value->kind == JS_NUMBER)
	{
		text.data = numeric_normalize(value->u.num);
		text.len = strlen(text.data);
	}
	return text;
}

static ErFlagText
trimmed(ErFlagText text)
{
	static const char *const blank = " \t\r\n\f\v";

	while (text.len > 0 && strchr(blank, text.data[0]) != NULL && text.data[0] != '\0')
	{
		text.data++;
		text.len--;
	}
	while (text.len > 0 && strchr(blank, text.data[text.len - 1]) != NULL && text.data[text.len - 1] != '\0')
		text.len--;
	return text;
}

static uint32
count_of(const ErJsValue *list)
{
	return JsonContainerSize(list->u.box);
}

int
er_flag_compare_text(const void *a, const void *b)
{
	const ErFlagText *x = a;
	const ErFlagText *y = b;

	return x->len != y->len ? (x->len > y->len) - (x->len < y->len) : memcmp(x->data, y->data, x->len);
}

bool
er_flag_text_is(ErFlagText text, const char *literal)
{
	return text.data != NULL && text.len == strlen(literal) && memcmp(text.data, literal, text.len) == 0;
}

/*
 * What is wrong with a value of a constraint (argument 1) for the operator (argument 0): NULL when nothing is.
 */
Datum
er_flag_value_fault(PG_FUNCTION_ARGS)
{
	text	   *name = PG_GETARG_TEXT_PP(0);
	text	   *text_value = PG_GETARG_TEXT_PP(1);
	ErFlagText	operator = {VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name)};
	ErFlagText	value = {VARDATA_ANY(text_value), VARSIZE_ANY_EXHDR(text_value)};
	const char *fault = NULL;
	ErFlagConstraint unused;
	ErFlagNet	net;
	char	   *problem = NULL;

	switch (compile_operator(operator))
	{
		case ER_FLAG_NUM_EQ:
		case ER_FLAG_NUM_GT:
		case ER_FLAG_NUM_GTE:
		case ER_FLAG_NUM_LT:
		case ER_FLAG_NUM_LTE:
			if (!er_flag_parse_number(value, &unused.number))
				fault = "is no number, such as 12 or 1.5";
			break;
		case ER_FLAG_DATE_AFTER:
		case ER_FLAG_DATE_BEFORE:
			if (!er_flag_parse_time(value, &unused.time))
				fault = "is no instant of RFC 3339, such as 2026-01-31T09:00:00Z";
			break;
		case ER_FLAG_SEMVER_EQ:
		case ER_FLAG_SEMVER_GT:
		case ER_FLAG_SEMVER_GTE:
		case ER_FLAG_SEMVER_LT:
		case ER_FLAG_SEMVER_LTE:
			if (!er_flag_parse_version(value, &unused.version))
				fault = "is no version, such as 1.2.3 or 1.2.3-beta.1";
			break;
		case ER_FLAG_REGEX:
			if (compile_regex(value, false, &problem) == NULL)
				fault = psprintf("is no regular expression: %s", problem);
			break;
		case ER_FLAG_CIDR:
			if (!er_flag_parse_net(trimmed(value), &net))
				fault = "is no address or network, such as 10.0.0.0/8";
			break;
		case ER_FLAG_NEVER:
			fault = "has an unknown operator";
			break;
		default:
			break;
	}
	if (fault == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(fault));
}
