/*
 * flags_decide.c
 *		The order of answers, in full. The first that has one wins:
 *
 *		kill switch, prerequisites, the user's override, the tenant's, rules (any of them), setting, default
 *
 * A decision can be asked for with nothing but the tenant known. It is "maybe" when it depends on more; else it holds for
 * everybody in the tenant, and the lookup keeps it.
 */
#include "flags_cache.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/builtins.h"

/* Cycles are refused when they are written, but rows may come from anywhere, and a net of flags has many ways through. */
#define MAX_DEPTH	32			/* of prerequisites */
#define MAX_VISITS	1000		/* of them, in one decision */

static int	visits;				/* of prerequisites, in this decision */

static ErFlagAnswer prerequisites_met(const ErFlagProgram *program, ErFlagTenant *tenant, const ErFlagContext *context,
									  ErFlagDecision *decision, int depth);
static ErFlagAnswer prerequisite_met(const ErFlagPrerequisite *prerequisite, ErFlagTenant *tenant,
									 const ErFlagContext *context, int depth);
static ErFlagState user_override(const ErFlag *flag, ErFlagTenant *tenant, const ErFlagContext *context);
static ErFlagAnswer rule_holds(const ErFlagProgram *program, const ErFlagRule *rule, const ErFlagContext *context,
							   bool *no_key);
static ErFlagAnswer dealt_in(const ErFlagProgram *program, const ErFlagRule *rule, const ErFlagContext *context,
							 bool *no_key);
static bool overridden(const ErFlagVariant *variant, const ErFlagContext *context);
static double chance(void);

ErFlagAnswer
er_flag_decide(ErFlag *flag, ErFlagTenant *tenant, const ErFlagContext *context, ErFlagDecision *decision, int depth)
{
	ErFlagState state = tenant->states[flag->number];
	ErFlagProgram *program = er_flags_program(flag);
	ErFlagAnswer maybe = ER_FLAG_NO;

	decision->no_key = false;
	decision->prerequisite = NULL;
	if (state == ER_FLAG_KILLED || state == ER_FLAG_KILLED_EVERYWHERE)
	{
		decision->cause = ER_CAUSE_KILLED;
		return ER_FLAG_NO;
	}
	if (program != NULL && program->nprerequisites > 0)
	{
		ErFlagAnswer met;

		if (depth == 0)
			visits = 0;
		met = prerequisites_met(program, tenant, context, decision, depth);
		decision->cause = ER_CAUSE_PREREQUISITE;
		if (met != ER_FLAG_YES)
			return met;
	}

	state = user_override(flag, tenant, context);
	decision->cause = ER_CAUSE_USER;
	if (state == ER_FLAG_UNSAID)
	{
		state = tenant->overrides[flag->number];
		decision->cause = ER_CAUSE_TENANT;
	}
	if (state != ER_FLAG_UNSAID)
		return state == ER_FLAG_ON ? ER_FLAG_YES : ER_FLAG_NO;

	for (int i = 0; program != NULL && i < program->nrules; i++)
	{
		ErFlagAnswer holds = rule_holds(program, &program->rules[i], context, &decision->no_key);

		if (holds == ER_FLAG_YES)
		{
			decision->cause = ER_CAUSE_RULE;
			decision->rule = i;
			return ER_FLAG_YES;
		}
		if (holds == ER_FLAG_MAYBE)
			maybe = ER_FLAG_MAYBE;
	}
	if (maybe == ER_FLAG_MAYBE)
		return ER_FLAG_MAYBE;

	state = flag->state;
	if (flag->by_setting)
		decision->cause = ER_CAUSE_SETTING;
	else
	{
		decision->cause = program != NULL && program->nrules > 0 ? ER_CAUSE_NO_RULE : ER_CAUSE_DEFAULT;
		if (program != NULL && program->has_default)
			state = program->default_enabled ? ER_FLAG_ON : ER_FLAG_OFF;
	}
	return state == ER_FLAG_ON ? ER_FLAG_YES : ER_FLAG_NO;
}

/*
 * What holds for the tenant as a whole, for its quick lookups.
 */
ErFlagState
er_flag_settle(ErFlag *flag, ErFlagTenant *tenant)
{
	ErFlagContext context = {true, tenant->tenant_id, tenant->size};
	ErFlagDecision decision;
	ErFlagAnswer answer = er_flag_decide(flag, tenant, &context, &decision, 0);
	ErFlagState state;

	if (answer == ER_FLAG_MAYBE)
		state = ER_FLAG_RULED;
	else if (decision.cause == ER_CAUSE_PREREQUISITE)
		state = ER_FLAG_BLOCKED;
	else
		state = answer == ER_FLAG_YES ? ER_FLAG_ON : ER_FLAG_OFF;
	tenant->states[flag->number] = state;
	return state;
}

static ErFlagAnswer
prerequisites_met(const ErFlagProgram *program, ErFlagTenant *tenant, const ErFlagContext *context,
				  ErFlagDecision *decision, int depth)
{
	ErFlagAnswer result = ER_FLAG_YES;

	for (int i = 0; i < program->nprerequisites; i++)
	{
		ErFlagAnswer met = depth >= MAX_DEPTH || ++visits > MAX_VISITS ? ER_FLAG_NO :
			prerequisite_met(&program->prerequisites[i], tenant, context, depth + 1);

		if (met == ER_FLAG_NO)
		{
			decision->prerequisite = &program->prerequisites[i];
			return ER_FLAG_NO;
		}
		if (met == ER_FLAG_MAYBE)
			result = ER_FLAG_MAYBE;
	}
	return result;
}

static ErFlagAnswer
prerequisite_met(const ErFlagPrerequisite *prerequisite, ErFlagTenant *tenant, const ErFlagContext *context, int depth)
{
	ErFlagKey	key = {prerequisite->flag.data, prerequisite->flag.len, 0};
	ErFlag	   *parent = prerequisite->flag.data == NULL ? NULL : er_flags_find(key);
	ErFlagDecision decision;
	ErFlagAnswer answer;
	const ErFlagVariant *variant;
	bool		dealt;

	check_stack_depth();
	if (parent == NULL || parent->archived)
		return ER_FLAG_NO;
	answer = er_flag_decide(parent, tenant, context, &decision, depth);
	if (answer == ER_FLAG_MAYBE ||
		(context->tenant_only && decision.cause > ER_CAUSE_PREREQUISITE && er_flags_has_users(tenant)))
		return ER_FLAG_MAYBE;
	if ((answer == ER_FLAG_YES) != prerequisite->enabled)
		return ER_FLAG_NO;
	if (!prerequisite->enabled || prerequisite->nvariants == 0)
		return ER_FLAG_YES;
	if (context->tenant_only)
		return ER_FLAG_MAYBE;
	variant = er_flag_variant(parent, context, &decision, &dealt);
	for (int i = 0; variant != NULL && i < prerequisite->nvariants; i++)
	{
		if (er_flag_compare_text(&variant->name, &prerequisite->variants[i]) == 0)
			return ER_FLAG_YES;
	}
	return ER_FLAG_NO;
}

static ErFlagState
user_override(const ErFlag *flag, ErFlagTenant *tenant, const ErFlagContext *context)
{
	ErFlagKey	key = {context->user.data, context->user.len, tenant->tenant_id};
	ErFlagUser *user;

	if (context->user.data == NULL)
		return ER_FLAG_UNSAID;
	user = er_flags_user(tenant, key);
	return user == NULL ? ER_FLAG_UNSAID : user->states[flag->number];
}

/*
 * All constraints, and then the percentage.
 */
static ErFlagAnswer
rule_holds(const ErFlagProgram *program, const ErFlagRule *rule, const ErFlagContext *context, bool *no_key)
{
	ErFlagAnswer result = ER_FLAG_YES;

	if (rule->never)
		return ER_FLAG_NO;
	for (int i = 0; i < rule->nconstraints; i++)
	{
		ErFlagAnswer matches = er_flag_matches(&rule->constraints[i], context);

		if (matches == ER_FLAG_NO)
			return ER_FLAG_NO;
		if (matches == ER_FLAG_MAYBE)
			result = ER_FLAG_MAYBE;
	}
	if (rule->percentage >= 0)
	{
		ErFlagAnswer dealt = dealt_in(program, rule, context, no_key);

		if (dealt != ER_FLAG_YES)
			return dealt;
	}
	return result;
}

/*
 * Is who asks among the rule's percentage? A named field that is absent is out; without user and session chance decides
 * (not for flagd, which wants a key).
 */
static ErFlagAnswer
dealt_in(const ErFlagProgram *program, const ErFlagRule *rule, const ErFlagContext *context, bool *no_key)
{
	ErFlagText	id = {NULL, 0};
	ErFlagAnswer known = er_flag_field(context, &rule->stickiness, &id);
	bool		by_chance = rule->stickiness.kind == ER_FIELD_RANDOM || rule->stickiness.kind == ER_FIELD_DEFAULT;

	if (rule->percentage <= 0)
		return ER_FLAG_NO;
	if (known == ER_FLAG_MAYBE)
		return !rule->partial && by_chance && program->algorithm != ER_FLAG_FLAGD ? ER_FLAG_YES : ER_FLAG_MAYBE;
	if (known == ER_FLAG_NO || id.len == 0)
	{
		if (!by_chance)
			return ER_FLAG_NO;
		if (program->algorithm == ER_FLAG_FLAGD && rule->stickiness.kind == ER_FIELD_DEFAULT)
		{
			*no_key = true;
			return ER_FLAG_NO;
		}
		return chance() * 100 < (program->algorithm == ER_FLAG_FLAGD ? rule->percentage : floor(rule->percentage)) ?
			ER_FLAG_YES : ER_FLAG_NO;
	}
	id = er_flag_utf8(id);
	if (program->algorithm == ER_FLAG_FLAGD)
		return er_flag_dealt(ER_FLAG_FLAGD, rule->group, id, false, 100000) <= rule->share ? ER_FLAG_YES : ER_FLAG_NO;
	return er_flag_dealt(program->algorithm, rule->group, id, false, 100) <= rule->percentage ?
		ER_FLAG_YES : ER_FLAG_NO;
}

/*
 * The variant of a flag that is on; NULL when it has none. dealt: weights had a say.
 */
const ErFlagVariant *
er_flag_variant(const ErFlag *flag, const ErFlagContext *context, const ErFlagDecision *decision, bool *dealt)
{
	const ErFlagProgram *program = flag->program;
	const ErFlagVariants *variants;
	ErFlagText	group;
	ErFlagText	id = {NULL, 0};
	uint32		bucket;
	uint64		sum = 0;

	*dealt = false;
	if (program == NULL)
		return NULL;
	variants = &program->variants;
	group = program->group;
	if (decision->cause == ER_CAUSE_RULE && program->rules[decision->rule].variants.count > 0)
	{
		variants = &program->rules[decision->rule].variants;
		group = program->rules[decision->rule].group;
	}
	if (variants->total == 0)
		return NULL;

	for (int i = 0; variants->overridden && i < variants->count; i++)
	{
		if (overridden(&variants->list[i], context))
			return &variants->list[i];
	}
	if (variants->weighty > 1)
		*dealt = true;
	if (er_flag_field(context, &variants->stickiness, &id) == ER_FLAG_YES && id.len > 0)
		bucket = er_flag_dealt(program->algorithm, group, er_flag_utf8(id), true, variants->total);
	else
		bucket = (uint32) (chance() * variants->total) + 1;
	for (int i = 0; i < variants->count; i++)
	{
		sum += variants->list[i].weight;
		if (variants->list[i].weight > 0 && sum >= bucket)
			return &variants->list[i];
	}
	return NULL;
}

static bool
overridden(const ErFlagVariant *variant, const ErFlagContext *context)
{
	for (int i = 0; i < variant->noverrides; i++)
	{
		const ErFlagOverride *override = &variant->overrides[i];
		ErFlagText	value = {NULL, 0};

		if (er_flag_field(context, &override->field, &value) != ER_FLAG_YES)
			continue;
		for (int j = 0; j < override->nvalues; j++)
		{
			if (er_flag_compare_text(&value, &override->values[j]) == 0)
				return true;
		}
	}
	return false;
}

/* From 0 up to, not including, 1. */
static double
chance(void)
{
	return DatumGetFloat8(DirectFunctionCall1(drandom, (Datum) 0));
}
