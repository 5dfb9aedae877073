/*
 * flags.h
 *		The setting execreport.feature_flags, for its definition and for the lookup of flags.
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

extern bool er_check_feature_flags(char **newval, void **extra, GucSource source);
extern void er_assign_feature_flags(const char *newval, void *extra);
extern const char *er_next_flag_setting(const char *p, ErFlagSetting *setting, const char **fault);

#endif							/* ER_FLAGS_H */
