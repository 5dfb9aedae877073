/*
 * flags.h
 *		What other files may ask of the flags, and the setting execreport.feature_flags.
 */
#ifndef ER_FLAGS_H
#define ER_FLAGS_H

#include "compat.h"

/* One "flag=true" of it */
typedef struct ErFlagSetting
{
	const char *flag;			/* not terminated */
	int			len;
	bool		enabled;
} ErFlagSetting;

extern uint64 er_flag_setting_generation;	/* rises with each new value */

/* Is the flag on? An error when it is unknown, or the caller no member of the tenant. user and configuration_id may be NULL. */
extern bool er_flag_is_on(int32 tenant_id, const char *flag, const text *user, const int32 *configuration_id);

extern bool er_check_feature_flags(char **newval, void **extra, GucSource source);
extern void er_assign_feature_flags(const char *newval, void *extra);
extern const char *er_next_flag_setting(const char *p, ErFlagSetting *setting, const char **fault);

#endif							/* ER_FLAGS_H */
