/*
 * tenancy.h
 *		Who calls, for which tenant, and what they may do there.
 */
#ifndef ER_TENANCY_H
#define ER_TENANCY_H

#include "compat.h"

/* Each persona may do all that those before it may. */
typedef enum ErPersona
{
	ER_NO_MEMBER = 0,
	ER_VIEWER,
	ER_EDITOR,
	ER_OPERATOR,
	ER_ADMIN
} ErPersona;

extern int32 er_current_tenant_id(void);
extern text *er_current_user_text(void);
extern void er_require_tenant_persona(int32 tenant_id, ErPersona minimum);

#endif							/* ER_TENANCY_H */
