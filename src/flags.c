/*
 * flags.c
 *		Feature flags: is this feature on for this tenant, and this user?
 *
 * What is known of a tenant as a whole is one byte for each flag in the session's cache (flags_cache.c); a user's
 * override is another one. Only flags whose rules ask for more are decided anew at each call (flags_decide.c).
 */
#include "flags_cache.h"

#include "utils/builtins.h"

#include "tenancy.h"

static ErFlagState lookup(FunctionCallInfo fcinfo, ErFlag **flag);
static int32 tenant_argument(FunctionCallInfo fcinfo);
static ErFlagState state_for(ErFlag *flag, ErFlagTenant *tenant, const text *user, const int32 *configuration_id);
static ErFlagState decide_for(ErFlag *flag, ErFlagTenant *tenant, const text *user, const int32 *configuration_id);

PG_FUNCTION_INFO_V1(er_is_flag_enabled);
PG_FUNCTION_INFO_V1(er_require_flag);
PG_FUNCTION_INFO_V1(er_get_flags);
PG_FUNCTION_INFO_V1(er_tenant_flag);

Datum
er_is_flag_enabled(PG_FUNCTION_ARGS)
{
	ErFlag	   *flag;

	PG_RETURN_BOOL(lookup(fcinfo, &flag) == ER_FLAG_ON);
}

/*
 * The same for other files of ours. user and configuration_id may be NULL.
 */
bool
er_flag_is_on(int32 tenant_id, const char *flag, const text *user, const int32 *configuration_id)
{
	ErFlagKey	key = {flag, strlen(flag), 0};
	ErFlag	   *found;

	er_require_tenant_persona(tenant_id, ER_VIEWER);
	er_flags_refresh(er_watch_further(&er_flags_watch));
	found = er_flags_require(key);
	er_flags_turn_hour();
	if (!found->asked)
		er_flags_note(found);
	return state_for(found, er_flags_tenant(tenant_id), user, configuration_id) == ER_FLAG_ON;
}

Datum
er_require_flag(PG_FUNCTION_ARGS)
{
	ErFlag	   *flag;
	ErFlagState state = lookup(fcinfo, &flag);
	int			tenant_id = PG_GETARG_INT32(0);
	const char *key = flag->key.data;

	if (state != ER_FLAG_ON)
		ereport(ERROR,
				(errcode(MAKE_SQLSTATE('P', 'T', '5', '0', '3')),
				 errmsg("%s", flag->refusal),
				 errdetail("FEATURE_DISABLED"),
				 state == ER_FLAG_KILLED_EVERYWHERE ?
				 errhint("Its kill switch is engaged everywhere; execreport.set_kill_switch('%s', false, 'reason') releases it.",
						 key) :
				 state == ER_FLAG_KILLED ?
				 errhint("Its kill switch is engaged for tenant %d; execreport.set_kill_switch('%s', false, 'reason', %d) releases it.",
						 tenant_id, key, tenant_id) :
				 state == ER_FLAG_BLOCKED ?
				 errhint("It needs another flag; SELECT metadata FROM execreport.evaluate_flag('%s', 'false', '{\"tenantId\": %d}') names it.",
						 key, tenant_id) :
				 errhint("Switch it on with execreport.update_flags(%d, '{\"%s\": true}').", tenant_id, key)));
	PG_RETURN_VOID();
}

/*
 * On or off for the tenant as a whole; NULL: it depends on who asks.
 */
Datum
er_tenant_flag(PG_FUNCTION_ARGS)
{
	int32		tenant_id = tenant_argument(fcinfo);
	ErFlag	   *flag;
	ErFlagTenant *tenant;
	ErFlagState state;

	if (PG_ARGISNULL(1))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("flag is null")));
	er_flags_refresh(er_watch_further(&er_flags_watch));
	flag = er_flags_require(er_flag_text_key(PG_GETARG_TEXT_PP(1), 0));
	tenant = er_flags_tenant(tenant_id);
	state = tenant->states[flag->number];
	if (state == ER_FLAG_UNSETTLED)
		state = er_flag_settle(flag, tenant);
	if (state == ER_FLAG_RULED)
		PG_RETURN_NULL();
	PG_RETURN_BOOL(state == ER_FLAG_ON);
}

/*
 * All flags of a tenant, or of one of its users, as one flat object.
 */
Datum
er_get_flags(PG_FUNCTION_ARGS)
{
	int32		tenant_id = tenant_argument(fcinfo);
	const text *user = PG_NARGS() > 1 && !PG_ARGISNULL(1) ? PG_GETARG_TEXT_PP(1) : NULL;
	ErFlagTenant *tenant;
	JsonbParseState *state = NULL;
	JsonbValue *object;

	er_flags_refresh(er_watch_further(&er_flags_watch));
	tenant = er_flags_tenant(tenant_id);
	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i < er_flags.nflags; i++)
	{
		JsonbValue	v;

		if (er_flags.flags[i].archived)
			continue;
		v.type = jbvString;
		v.val.string.val = unconstify(char *, er_flags.flags[i].key.data);
		v.val.string.len = er_flags.flags[i].key.len;
		pushJsonbValue(&state, WJB_KEY, &v);
		v.type = jbvBool;
		v.val.boolean = state_for(&er_flags.flags[i], tenant, user, NULL) == ER_FLAG_ON;
		pushJsonbValue(&state, WJB_VALUE, &v);
	}
	object = pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	PG_RETURN_JSONB_P(JsonbValueToJsonb(object));
}

/*
 * The state of flag (argument 1) for the tenant (argument 0) and, when given, the user (argument 2) and the
 * configuration (argument 3).
 */
static ErFlagState
lookup(FunctionCallInfo fcinfo, ErFlag **flag)
{
	int32		tenant_id = tenant_argument(fcinfo);
	int32		configuration_id;
	const int32 *configuration = NULL;

	if (PG_ARGISNULL(1))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("flag is null")));
	er_flags_refresh(er_watch_further(&er_flags_watch));	/* the check of the tenant has just accepted messages */
	*flag = er_flags_require(er_flag_text_key(PG_GETARG_TEXT_PP(1), 0));
	/* once per call site is often enough to look at the clock; called from C there is no place to remember that */
	if (unlikely(fcinfo->flinfo == NULL || fcinfo->flinfo->fn_extra == NULL))
	{
		if (fcinfo->flinfo != NULL)
			fcinfo->flinfo->fn_extra = fcinfo->flinfo;
		er_flags_turn_hour();
	}
	if (unlikely(!(*flag)->asked))
		er_flags_note(*flag);
	if (PG_NARGS() > 3 && !PG_ARGISNULL(3))
	{
		configuration_id = PG_GETARG_INT32(3);
		configuration = &configuration_id;
	}
	return state_for(*flag, er_flags_tenant(tenant_id),
					 PG_NARGS() > 2 && !PG_ARGISNULL(2) ? PG_GETARG_TEXT_PP(2) : NULL, configuration);
}

static int32
tenant_argument(FunctionCallInfo fcinfo)
{
	int32		tenant_id;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("tenant_id is null"),
				 errhint("Name a tenant, such as execreport.current_tenant().")));
	tenant_id = PG_GETARG_INT32(0);
	er_require_tenant_persona(tenant_id, ER_VIEWER);
	return tenant_id;
}

static ErFlagState
state_for(ErFlag *flag, ErFlagTenant *tenant, const text *user, const int32 *configuration_id)
{
	ErFlagState state = tenant->states[flag->number];
	ErFlagUser *entry;

	if (unlikely(state == ER_FLAG_UNSETTLED))
		state = er_flag_settle(flag, tenant);
	if (unlikely(state == ER_FLAG_RULED))
		return decide_for(flag, tenant, user, configuration_id);
	if (user == NULL || state > ER_FLAG_UNSAID)
		return state;
	entry = er_flags_user(tenant, er_flag_text_key(user, tenant->tenant_id));
	if (entry == NULL || entry->states[flag->number] == ER_FLAG_UNSAID)
		return state;
	return entry->states[flag->number];
}

/*
 * With all that the arguments say, and the setting execreport.context for what they cannot say.
 */
static ErFlagState
decide_for(ErFlag *flag, ErFlagTenant *tenant, const text *user, const int32 *configuration_id)
{
	ErFlagContext context = {false, tenant->tenant_id, tenant->size};
	ErFlagDecision decision;
	ErFlagAnswer answer;

	if (user != NULL)
	{
		context.user.data = VARDATA_ANY(user);
		context.user.len = VARSIZE_ANY_EXHDR(user);
	}
	if (configuration_id != NULL)
	{
		context.has_configuration = true;
		context.configuration_id = *configuration_id;
	}
	context.setting = er_flag_setting_context(NULL);
	answer = er_flag_decide(flag, tenant, &context, &decision, 0);
	if (decision.cause == ER_CAUSE_PREREQUISITE)
		return ER_FLAG_BLOCKED;
	return answer == ER_FLAG_YES ? ER_FLAG_ON : ER_FLAG_OFF;
}
