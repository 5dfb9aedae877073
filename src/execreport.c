/*
 * execreport.c
 *		Entry point of the library: the magic block, the settings and nothing else.
 *
 * The library may be preloaded or loaded on first use. Either way the settings exist from then on; values given
 * before are kept by PostgreSQL as placeholders and taken over here.
 */
#include "execreport.h"

#include <limits.h>

#include "flags.h"

PG_MODULE_MAGIC;

int			er_tenant_id = 0;
char	   *er_user_id = NULL;
int			er_data_lag_days = 0;
char	   *er_feature_flags = NULL;

void
_PG_init(void)
{
	DefineCustomIntVariable("execreport.tenant_id",
							"The tenant this session works for.",
							"0 means not set: the only tenant that the role is a member of, and 1 for superusers.",
							&er_tenant_id, 0, 0, INT_MAX,
							PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("execreport.user_id",
							   "The application's user on whose behalf this session works.",
							   "Empty means not set: the role's name is used.",
							   &er_user_id, "",
							   PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("execreport.data_lag_days",
							"How many of the newest days are not complete yet.",
							"A relative lookback window ends that many days before as_of, unless its own lagDays says otherwise.",
							&er_data_lag_days, 0, 0, 3650,
							PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("execreport.feature_flags",
							   "Feature flags for the whole server, such as \"execReportsEnabled=true\".",
							   "They stand above the built-in defaults and below what is stored for a tenant or a user.",
							   &er_feature_flags, "",
							   PGC_SUSET, 0, er_check_feature_flags, er_assign_feature_flags, NULL);
	MarkGUCPrefixReserved("execreport");
}
