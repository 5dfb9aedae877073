/*
 * flags.h
 *		What the setting execreport.feature_flags needs when it is defined.
 */
#ifndef ER_FLAGS_H
#define ER_FLAGS_H

#include "compat.h"

extern bool er_check_feature_flags(char **newval, void **extra, GucSource source);
extern void er_assign_feature_flags(const char *newval, void *extra);

#endif							/* ER_FLAGS_H */
