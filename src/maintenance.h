/*
 * maintenance.h
 *		Refusing to write while maintenance is engaged.
 */
#ifndef ER_MAINTENANCE_H
#define ER_MAINTENANCE_H

#include "compat.h"

/* Error PT503 while maintenance is engaged everywhere or in this tenant. */
extern void er_refuse_in_maintenance(int32 tenant_id);

#endif							/* ER_MAINTENANCE_H */
