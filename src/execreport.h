/*
 * execreport.h
 *		The settings that more than one file reads. Each is defined in execreport.c.
 */
#ifndef EXECREPORT_H
#define EXECREPORT_H

#include "compat.h"

extern int	er_tenant_id;		/* execreport.tenant_id; 0 = not set */
extern char *er_user_id;		/* execreport.user_id; "" = not set */
extern int	er_data_lag_days;	/* execreport.data_lag_days */
extern char *er_feature_flags;	/* execreport.feature_flags: "a=true,b=false" */
extern bool er_json_schema_format_assertion;	/* execreport.json_schema_format_assertion */

#endif							/* EXECREPORT_H */
