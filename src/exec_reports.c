/*
 * exec_reports.c
 *		Exec reports as documents, and whether a run was a success.
 *
 * The documents are written in jsonb's stored form, with output and playbookResult copied as they are: a master report
 * holds those of all its modules, and taking each apart twice would cost more than the consolidation.
 */
#include "compat.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "exec_reports.h"

/* In jsonb's order of keys. */
static const char *const document_keys[] = {
	"id", "output", "moduleId", "executedAt", "contextHash", "contextVersion", "configurationId"
};
static const char *const playbook_document_keys[] = {
	"id", "output", "moduleId", "executedAt", "contextHash", "contextVersion", "playbookResult", "configurationId"
};
static const ErJsonShape document = {lengthof(document_keys), document_keys};
static const ErJsonShape playbook_document = {lengthof(playbook_document_keys), playbook_document_keys};

static void write_text(ErJsonWriter *writer, const text *value);

PG_FUNCTION_INFO_V1(er_exec_report_document);
PG_FUNCTION_INFO_V1(er_jsonb_array);
PG_FUNCTION_INFO_V1(er_exec_report_succeeded);

/* (id, module_id, configuration_id, context_version, context_hash, executed_at as text, output, playbook_result or NULL) */
Datum
er_exec_report_document(PG_FUNCTION_ARGS)
{
	ErJsonWriter writer;
	ErExecReport report;
	const text *executed_at;

	for (int i = 0; i < 7; i++)
	{
		if (PG_ARGISNULL(i))
			PG_RETURN_NULL();
	}
	executed_at = PG_GETARG_TEXT_PP(5);
	report.id = PG_GETARG_TEXT_PP(0);
	report.module_id = PG_GETARG_TEXT_PP(1);
	report.configuration_id = PG_GETARG_INT32(2);
	report.context_version = PG_GETARG_INT32(3);
	report.context_hash = PG_GETARG_TEXT_PP(4);
	report.executed_at = VARDATA_ANY(executed_at);
	report.executed_at_len = VARSIZE_ANY_EXHDR(executed_at);
	report.output = PG_GETARG_JSONB_P(6);
	report.playbook = PG_ARGISNULL(7) ? NULL : PG_GETARG_JSONB_P(7);
	er_json_start(&writer, VARSIZE(report.output) + (report.playbook == NULL ? 0 : VARSIZE(report.playbook)) + 512);
	er_write_exec_report(&writer, &report);
	PG_RETURN_JSONB_P(er_json_finish(&writer));
}

void
er_write_exec_report(ErJsonWriter *writer, const ErExecReport *report)
{
	er_json_begin_object(writer, report->playbook == NULL ? &document : &playbook_document);
	write_text(writer, report->id);
	er_write_jsonb(writer, report->output);
	write_text(writer, report->module_id);
	er_json_text(writer, report->executed_at, report->executed_at_len);
	write_text(writer, report->context_hash);
	er_json_decimal(writer, Max(report->context_version, 0), 0);
	if (report->playbook != NULL)
		er_write_jsonb(writer, report->playbook);
	er_json_decimal(writer, Max(report->configuration_id, 0), 0);
	er_json_end(writer);
}

/* _jsonb_array(elements jsonb[]): one document that is their array */
Datum
er_jsonb_array(PG_FUNCTION_ARGS)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(0);
	ErJsonWriter writer;
	Datum	   *elements;
	bool	   *nulls;
	int			count;

	deconstruct_array(array, JSONBOID, -1, false, TYPALIGN_INT, &elements, &nulls, &count);
	er_json_start(&writer, VARSIZE(array) + 64);
	er_json_begin_array(&writer, count);
	for (int i = 0; i < count; i++)
	{
		if (nulls[i])
			er_json_null(&writer);
		else
			er_write_jsonb(&writer, DatumGetJsonbP(elements[i]));
	}
	er_json_end(&writer);
	PG_RETURN_JSONB_P(er_json_finish(&writer));
}

/* _exec_report_succeeded(output jsonb): hasData is not false, and errors are absent, null or an empty array */
Datum
er_exec_report_succeeded(PG_FUNCTION_ARGS)
{
	Jsonb	   *output = PG_GETARG_JSONB_P(0);
	JsonbValue	value;

	if (!JB_ROOT_IS_OBJECT(output))
		PG_RETURN_BOOL(true);
	if (getKeyJsonValueFromContainer(&output->root, "hasData", strlen("hasData"), &value) != NULL &&
		value.type == jbvBool && !value.val.boolean)
		PG_RETURN_BOOL(false);
	if (getKeyJsonValueFromContainer(&output->root, "errors", strlen("errors"), &value) == NULL || value.type == jbvNull)
		PG_RETURN_BOOL(true);
	PG_RETURN_BOOL(value.type == jbvBinary && JsonContainerIsArray(value.val.binary.data) &&
				   JsonContainerSize(value.val.binary.data) == 0);
}

static void
write_text(ErJsonWriter *writer, const text *value)
{
	er_json_text(writer, VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
}

/* A scalar stands in an array of its own, which stays behind. */
void
er_write_jsonb(ErJsonWriter *writer, const Jsonb *value)
{
	const JsonbContainer *root = &value->root;

	if (JsonContainerIsScalar(root))
		er_json_copy(writer, root->children[0] & JENTRY_TYPEMASK, (const char *) &root->children[1],
					 JBE_OFFLENFLD(root->children[0]));
	else
		er_json_copy(writer, JENTRY_ISCONTAINER, (const char *) root, VARSIZE(value) - VARHDRSZ);
}
