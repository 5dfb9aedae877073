/*
 * exec_reports.c
 *		Exec reports as documents, and whether a run was a success.
 *
 * The documents are written in jsonb's stored form, with output and playbookResult copied as they are: a master report
 * holds those of all its modules, and taking each apart twice would cost more than the consolidation.
 */
#include "compat.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "exec_reports.h"
#include "jsonb_read.h"

/* In jsonb's order of keys. */
static const char *const document_keys[] = {
	"id", "output", "moduleId", "executedAt", "contextHash", "contextVersion", "configurationId"
};
static const char *const playbook_document_keys[] = {
	"id", "output", "moduleId", "executedAt", "contextHash", "contextVersion", "playbookResult", "configurationId"
};
static const ErJsonShape document = {lengthof(document_keys), document_keys};
static const ErJsonShape playbook_document = {lengthof(playbook_document_keys), playbook_document_keys};

/* A member of the answer to a module execution. */
typedef struct Member
{
	const char *key;
	ErJson		value;			/* absent: an empty array */
} Member;

static void write_text(ErJsonWriter *writer, const text *value);
static void take_members(const Jsonb *object, Member *members, int *count);
static void set_member(Member *members, int *count, const Member *member);
static const Member *find_member(const Member *members, int count, const char *key);
static int	compare_members(const void *a, const void *b);

PG_FUNCTION_INFO_V1(er_exec_report_document);
PG_FUNCTION_INFO_V1(er_jsonb_array);
PG_FUNCTION_INFO_V1(er_module_answer);
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

/*
 * _module_answer(output jsonb, playbook jsonb, added jsonb), three objects: {result: {...output, insights,
 * recommendations, deprioritizedActions, ...added}}, with the playbook's lists before the output's. Values are copied
 * as they are stored.
 */
Datum
er_module_answer(PG_FUNCTION_ARGS)
{
	static const char *const answer_keys[] = {"result"};
	static const ErJsonShape answer = {lengthof(answer_keys), answer_keys};
	static const struct
	{
		const char *key;
		const char *playbook;
	}			lists[] = {
		{"insights", "insights"}, {"recommendations", "recommendations"}, {"deprioritizedActions", "deprioritized"}
	};
	const Jsonb *output = PG_GETARG_JSONB_P(0);
	const Jsonb *playbook = PG_GETARG_JSONB_P(1);
	const Jsonb *added = PG_GETARG_JSONB_P(2);
	Member	   *members = palloc((JB_ROOT_COUNT(output) + JB_ROOT_COUNT(added) + lengthof(lists)) * sizeof(Member));
	Member	   *told = palloc((JB_ROOT_COUNT(playbook) + JB_ROOT_COUNT(added)) * sizeof(Member));
	int			count = 0;
	int			ntold = 0;
	int			kept = 0;
	ErJsonShape result;
	const char **keys;
	ErJsonWriter writer;

	take_members(output, members, &count);
	take_members(playbook, told, &ntold);
	for (int i = 0; i < lengthof(lists); i++)
	{
		const Member *list = find_member(told, ntold, lists[i].playbook);
		Member		member = {lists[i].key, {ER_JSON_ABSENT, 0, NULL}};

		if (list != NULL)
			member.value = list->value;
		else if (strcmp(lists[i].key, lists[i].playbook) == 0 && find_member(members, count, lists[i].key) != NULL)
			continue;
		set_member(members, &count, &member);
	}
	/* an id that the module itself sends is no report of ours */
	for (int i = 0; i < count; i++)
	{
		if (strcmp(members[i].key, "execReportId") != 0)
			members[kept++] = members[i];
	}
	count = kept;
	ntold = 0;
	take_members(added, told, &ntold);
	for (int i = 0; i < ntold; i++)
		set_member(members, &count, &told[i]);
	qsort(members, count, sizeof(Member), compare_members);

	keys = palloc(count * sizeof(char *));
	for (int i = 0; i < count; i++)
		keys[i] = members[i].key;
	result.nkeys = count;
	result.keys = keys;
	er_json_start(&writer, (Size) VARSIZE(output) + VARSIZE(playbook) + VARSIZE(added) + 256);
	er_json_begin_object(&writer, &answer);
	er_json_begin_object(&writer, &result);
	for (int i = 0; i < count; i++)
	{
		if (members[i].value.type != ER_JSON_ABSENT)
			er_json_copy(&writer, members[i].value.type, members[i].value.ptr, members[i].value.len);
		else
		{
			er_json_begin_array(&writer, 0);
			er_json_end(&writer);
		}
	}
	er_json_end(&writer);
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

/* Adds the members of an object: all its keys are stored before all its values. */
static void
take_members(const Jsonb *object, Member *members, int *count)
{
	const JsonbContainer *container = &object->root;
	uint32		nkeys = JsonContainerSize(container);
	const char *base = (const char *) (container->children + (Size) nkeys * 2);
	uint32		offset = 0;

	for (uint32 i = 0; i < nkeys * 2; i++)
	{
		uint32		begin = offset;
		Member	   *member = &members[*count + i % nkeys];

		JBE_ADVANCE_OFFSET(offset, container->children[i]);
		if (i < nkeys)
			member->key = pnstrdup(base + begin, offset - begin);
		else
			er_json_set(&member->value, container->children[i], base, begin, offset);
		if ((i & 0xFFFF) == 0xFFFF)
			CHECK_FOR_INTERRUPTS();
	}
	*count += nkeys;
}

/* In place of the one of the same key, else at the end. */
static void
set_member(Member *members, int *count, const Member *member)
{
	Member	   *old = unconstify(Member *, find_member(members, *count, member->key));

	if (old == NULL)
		old = &members[(*count)++];
	*old = *member;
}

static const Member *
find_member(const Member *members, int count, const char *key)
{
	for (int i = 0; i < count; i++)
	{
		if (strcmp(members[i].key, key) == 0)
			return &members[i];
	}
	return NULL;
}

/* In jsonb's order of keys: by length, then bytewise. */
static int
compare_members(const void *a, const void *b)
{
	const char *one = ((const Member *) a)->key;
	const char *other = ((const Member *) b)->key;
	Size		len = strlen(one);
	Size		other_len = strlen(other);

	if (len != other_len)
		return len < other_len ? -1 : 1;
	return memcmp(one, other, len);
}
