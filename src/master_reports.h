/*
 * master_reports.h
 *		What master_reports.c finds for a master report, and master_reports_make.c makes of it.
 */
#ifndef ER_MASTER_REPORTS_H
#define ER_MASTER_REPORTS_H

#include "compat.h"

#include "executor/tuptable.h"
#include "utils/rel.h"
#include "utils/snapshot.h"
#include "utils/timestamp.h"

/* Columns of execreport.configurations, from 0 */
enum
{
	CONFIGURATION_TENANT_ID, CONFIGURATION_ID, CONFIGURATION_VERSION, CONFIGURATION_HASH, CONFIGURATION_NAME,
	CONFIGURATION_BRAND, CONFIGURATION_CATEGORY_DEFINITION, CONFIGURATION_COMPETITORS, CONFIGURATION_DEMAND_DEFINITION,
	CONFIGURATION_STRATEGIC_INTENT, CONFIGURATION_CHANNEL_CONTEXT, CONFIGURATION_NEGATIVE_SCOPE, CONFIGURATION_GOVERNANCE,
	CONFIGURATION_EDIT_REASON, CONFIGURATION_EDITED_BY, CONFIGURATION_CREATED_AT, CONFIGURATION_UPDATED_AT,
	CONFIGURATION_COLUMNS
};

/* Columns of execreport.exec_reports */
enum
{
	EXEC_TENANT_ID, EXEC_ID, EXEC_CONFIGURATION_ID, EXEC_MODULE_ID, EXEC_CONTEXT_VERSION, EXEC_CONTEXT_HASH, EXEC_EXECUTED_AT,
	EXEC_OUTPUT, EXEC_PLAYBOOK_RESULT, EXEC_CREATED_AT, EXEC_CREATED_BY, EXEC_COLUMNS
};

/* Columns of execreport.master_reports */
enum
{
	MASTER_TENANT_ID, MASTER_ID, MASTER_CONFIGURATION_ID, MASTER_CONTEXT_VERSION, MASTER_CONTEXT_HASH, MASTER_GENERATED_AT,
	MASTER_UCR_SNAPSHOT, MASTER_EXEC_REPORTS, MASTER_INSIGHTS, MASTER_RECOMMENDATIONS, MASTER_SYNTHESIS, MASTER_MODULES,
	MASTER_CONFIDENCE, MASTER_FRESHNESS, MASTER_CREATED_AT, MASTER_CREATED_BY, MASTER_CONFIDENCE_BASIS, MASTER_DEPRIORITIZED,
	MASTER_FEATURES, MASTER_INPUT_DIGEST, MASTER_FOLLOWS, MASTER_COLUMNS
};

/* One exec report that goes into it */
typedef struct ErMasterInput
{
	HeapTuple	tuple;
	const text *id;				/* both in the tuple */
	const text *module_id;
} ErMasterInput;

typedef struct ErMaster
{
	int32		tenant_id;
	int32		configuration_id;
	TimestampTz moment;
	text	   *user;
	bool		consolidation;	/* features that are on */
	bool		synthesis;

	Relation	configurations;
	Relation	exec_reports;
	Relation	stored;			/* master_reports */
	Snapshot	snapshot;
	TupleTableSlot *row;		/* of master_reports: the answer */

	HeapTuple	configuration;
	int32		context_version;
	text	   *context_hash;
	ErMasterInput *inputs;		/* in the order of modules, bytewise */
	int			ninputs;
	Size		input_bytes;	/* of their documents, as jsonb */
	const char *freshness;
	text	   *digest;			/* of all that goes into it */
	text	   *follows;		/* the id of the stored report before it, or '' */
	bool		refused;		/* with an error that says everything */
} ErMaster;

#define ER_TOO_LARGE "the exec reports of configuration %d are too large for one master report"
#define ER_TOO_LARGE_HINT "Let its modules return less; a report that is out of proportion goes with execreport.delete_exec_report()."

/* Make it, store it and have its row; false when it is another's turn. */
extern bool er_make_master_report(ErMaster *report);

#endif							/* ER_MASTER_REPORTS_H */
