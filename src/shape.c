/*
 * shape.c
 *		Does a document have the shape that its readers rely on? One walk, the first fault is reported by its path.
 *
 * A shape says for the members that somebody reads which JSON types they may have. Members it does not name are free,
 * unless it is closed. A null stands for an absent member. The names in a table stand in jsonb's own order of keys
 * (shorter first, then bytewise), so an object and its table are walked side by side, once, straight over the jsonb's
 * memory. The depth of the walk is the depth of the tables, whatever the document is like.
 */
#include "compat.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

/* JSON types, as a set */
#define STRING		0x01
#define NUMBER		0x02
#define BOOLEAN		0x04
#define OBJECT		0x08
#define ARRAY		0x10
#define NONE		0x20		/* null: allowed in members that are not REQUIRED */

/* What else a member must be */
#define REQUIRED	0x0100
#define PERCENT		0x0200		/* 0..100 */
#define COUNT		0x0400		/* a whole number from 0 to 2147483647 */
#define IDENTIFIER	0x0800		/* a whole number from 1 to 2147483647 */
#define FILLED		0x1000		/* not '' */

typedef struct Member
{
	const char *name;
	int			types;			/* of the value, and the rules above */
	int			elements;		/* types of an array's elements; 0 = any */
	const struct Members *members;	/* of the object, or of each element that is one */
} Member;

typedef struct Members
{
	const Member *list;
	int			count;
	bool		closed;			/* no other members */
} Members;

typedef struct Shape
{
	const char *name;
	Member		root;
} Shape;

/* The way to a value, from the inside out: on the stack of the walk */
typedef struct Path
{
	const struct Path *parent;
	const char *name;			/* member, or NULL for an element */
	int			length;
	int			index;
} Path;

#define MEMBERS(list) {list, lengthof(list), false}
#define CLOSED_MEMBERS(list) {list, lengthof(list), true}

static const Member insight_list[] = {
	{"id", STRING | NUMBER},
	{"type", STRING},
	{"title", STRING},
	{"source", STRING},
	{"content", STRING},
	{"details", STRING},
	{"message", STRING},
	{"category", STRING},
	{"evidence", ARRAY},
	{"keywords", ARRAY, STRING},
	{"priority", STRING},
	{"severity", STRING},
	{"confidence", NUMBER | PERCENT},
	{"description", STRING},
	{"whyItMatters", STRING},
	{"relatedKeywords", ARRAY, STRING},
};
static const Members insight = MEMBERS(insight_list);

static const Member recommendation_list[] = {
	{"id", STRING | NUMBER},
	{"title", STRING},
	{"action", STRING},
	{"effort", STRING},
	{"impact", STRING},
	{"reason", STRING},
	{"priority", STRING | NUMBER},
	{"timeline", STRING},
	{"rationale", STRING},
	{"dependencies", ARRAY},
	{"estimatedImpact", STRING},
};
static const Members recommendation = MEMBERS(recommendation_list);

static const Member council_context_list[] = {
	{"dataQuality", STRING},
	{"keyFindings", ARRAY, STRING},
	{"analysisDepth", STRING},
};
static const Members council_context = MEMBERS(council_context_list);

static const Member freshness_list[] = {
	{"status", STRING},
	{"ageDays", NUMBER},
	{"warning", STRING},
};
static const Members freshness = MEMBERS(freshness_list);

static const Member output_list[] = {
	{"errors", ARRAY},
	{"hasData", BOOLEAN},
	{"insights", ARRAY, OBJECT, &insight},
	{"moduleId", STRING},
	{"chartsData", ARRAY, OBJECT},
	{"confidence", NUMBER | PERCENT},
	{"dataSources", ARRAY},
	{"dataTimestamp", STRING},
	{"councilContext", OBJECT, 0, &council_context},
	{"freshnessStatus", OBJECT, 0, &freshness},
	{"recommendations", ARRAY, OBJECT, &recommendation},
};
static const Members output = MEMBERS(output_list);

static const Member playbook_list[] = {
	{"insights", ARRAY, OBJECT, &insight},
	{"councilPrompt", STRING},
	{"deprioritized", ARRAY, STRING},
	{"recommendations", ARRAY, OBJECT, &recommendation},
};
static const Members playbook = MEMBERS(playbook_list);

/* The sections of a configuration; of their members those that the gate and the guardrails read. */
static const Member exclusion_list[] = {
	{"value", STRING | REQUIRED | FILLED},
	{"reason", STRING},
	{"expires_at", STRING},
	{"match_type", STRING},
	{"semantic_sensitivity", STRING},
};
static const Members exclusion = MEMBERS(exclusion_list);

static const Member rules_list[] = {
	{"hard_exclusion", BOOLEAN},
	{"allow_model_suggestion", BOOLEAN},
	{"require_human_override_for_expansion", BOOLEAN},
};
static const Members rules = MEMBERS(rules_list);

static const Member negative_scope_list[] = {
	{"audit_log", ARRAY, OBJECT},
	{"enforcement_rules", OBJECT, 0, &rules},
	{"excluded_keywords", ARRAY, STRING},
	{"excluded_use_cases", ARRAY, STRING},
	{"keyword_exclusions", ARRAY, OBJECT, &exclusion},
	{"category_exclusions", ARRAY, OBJECT, &exclusion},
	{"excluded_categories", ARRAY, STRING},
	{"use_case_exclusions", ARRAY, OBJECT, &exclusion},
	{"excluded_competitors", ARRAY, STRING},
	{"competitor_exclusions", ARRAY, OBJECT, &exclusion},
};
static const Members negative_scope = MEMBERS(negative_scope_list);

static const Member quality_list[] = {
	{"grade", STRING},
	{"overall", NUMBER | PERCENT},
};
static const Members quality = MEMBERS(quality_list);

static const Member governance_list[] = {
	{"cmo_safe", BOOLEAN},
	{"reviewed_by", STRING},
	{"last_reviewed", STRING},
	{"quality_score", OBJECT, 0, &quality},
	{"human_verified", BOOLEAN},
	{"blocked_reasons", ARRAY, STRING},
	{"validation_status", STRING},
	{"context_valid_until", STRING},
};
static const Members governance = MEMBERS(governance_list);

static const Member configuration_list[] = {
	{"name", STRING | FILLED},
	{"brand", OBJECT},
	{"governance", OBJECT, 0, &governance},
	{"competitors", OBJECT},
	{"negative_scope", OBJECT, 0, &negative_scope},
	{"channel_context", OBJECT},
	{"strategic_intent", OBJECT},
	{"demand_definition", OBJECT},
	{"category_definition", OBJECT},
};
static const Members configuration = CLOSED_MEMBERS(configuration_list);

static const Member synthesis_list[] = {
	{"keyThemes", ARRAY | REQUIRED, STRING},
	{"prioritizedActions", ARRAY | REQUIRED, STRING},
	{"crossModulePatterns", ARRAY | REQUIRED, STRING},
};
static const Members synthesis = MEMBERS(synthesis_list);

static const Member master_report_list[] = {
	{"id", STRING | FILLED},
	{"contextHash", STRING | FILLED},
	{"execReports", ARRAY | REQUIRED, OBJECT},
	{"generatedAt", STRING},
	{"ucrSnapshot", OBJECT | REQUIRED},
	{"dataFreshness", STRING | REQUIRED},
	{"contextVersion", NUMBER | IDENTIFIER},
	{"confidenceBasis", NUMBER | COUNT},
	{"configurationId", NUMBER | IDENTIFIER | REQUIRED},
	{"modulesIncluded", ARRAY | REQUIRED, STRING},
	{"councilSynthesis", OBJECT | REQUIRED, 0, &synthesis},
	{"overallConfidence", NUMBER | PERCENT | REQUIRED},
	{"consolidatedInsights", ARRAY | REQUIRED, OBJECT},
	{"consolidatedRecommendations", ARRAY | REQUIRED, OBJECT},
};
static const Members master_report = CLOSED_MEMBERS(master_report_list);

static const Shape shapes[] = {
	{"output", {"output", OBJECT | REQUIRED, 0, &output}},
	{"playbookResult", {"playbookResult", OBJECT | REQUIRED, 0, &playbook}},
	{"configuration", {"document", OBJECT | REQUIRED, 0, &configuration}},
	{"masterReport", {"document", OBJECT | REQUIRED, 0, &master_report}},
};

static void check_object(const JsonbContainer *object, const Members *members, const Path *path);
static void check_absent(const Member *member, const Path *path);
static void check_array(const JsonbContainer *array, const Member *member, const Path *path);
static void check_value(JEntry entry, char *value, int length, int types, const Path *path);
static void check_number(Numeric number, int rules, const Path *path);
static int	compare_keys(const char *a, int a_length, const char *b, int b_length);
static int	type_of(JEntry entry, const char *value);
static char *value_text(JEntry entry, char *value, int length);
static char *path_text(const Path *path);
static const char *describe_types(int types);
static void refuse_unknown(const Members *members, const Path *path) pg_attribute_noreturn();
static void refuse(const Path *path, const char *fault, const char *detail) pg_attribute_noreturn();

PG_FUNCTION_INFO_V1(er_check_shape);

/* _check_shape(shape text, document jsonb): true, or an error that names the path */
Datum
er_check_shape(PG_FUNCTION_ARGS)
{
	text	   *wanted = PG_GETARG_TEXT_PP(0);
	Jsonb	   *document = PG_GETARG_JSONB_P(1);
	const Shape *shape = NULL;
	Path		path = {NULL};

	for (int i = 0; i < lengthof(shapes) && shape == NULL; i++)
	{
		if (strlen(shapes[i].name) == VARSIZE_ANY_EXHDR(wanted) &&
			memcmp(shapes[i].name, VARDATA_ANY(wanted), VARSIZE_ANY_EXHDR(wanted)) == 0)
			shape = &shapes[i];
	}
	if (shape == NULL)
		elog(ERROR, "unknown shape");

	path.name = shape->root.name;
	path.length = strlen(path.name);
	if (!JB_ROOT_IS_OBJECT(document))
	{
		JEntry		entry = JENTRY_ISCONTAINER;
		char	   *value = (char *) &document->root;
		int			length = VARSIZE(document) - VARHDRSZ;

		if (JB_ROOT_IS_SCALAR(document))
		{
			entry = document->root.children[0];
			length = JBE_OFFLENFLD(entry);
			value = (char *) &document->root.children[1];
		}
		check_value(entry, value, length, shape->root.types, &path);
	}
	check_object(&document->root, shape->root.members, &path);
	PG_RETURN_BOOL(true);
}

/*
 * Walks an object's keys and the table of its members side by side.
 */
static void
check_object(const JsonbContainer *object, const Members *members, const Path *parent)
{
	int			count = JsonContainerSize(object);
	char	   *base = (char *) &object->children[2 * count];
	uint32		key_offset = 0;
	uint32		offset = count > 0 ? getJsonbOffset(object, count) : 0;
	int			next = 0;
	Path		path = {parent};

	for (int i = 0; i < count; i++)
	{
		char	   *key = base + key_offset;
		uint32		start = offset;
		JEntry		entry = object->children[count + i];
		const Member *member = NULL;

		JBE_ADVANCE_OFFSET(key_offset, object->children[i]);
		JBE_ADVANCE_OFFSET(offset, entry);
		path.name = key;
		path.length = base + key_offset - key;

		for (; next < members->count && member == NULL; next++)
		{
			int			order = compare_keys(members->list[next].name, strlen(members->list[next].name),
											 key, path.length);

			if (order > 0)
				break;
			if (order == 0)
				member = &members->list[next];
			else
				check_absent(&members->list[next], parent);
		}
		if (member == NULL)
		{
			if (members->closed)
				refuse_unknown(members, &path);
			continue;
		}

		if (JBE_ISNUMERIC(entry) || JBE_ISCONTAINER(entry))
			start = INTALIGN(start);
		check_value(entry, base + start, offset - start, member->types, &path);
		if (!JBE_ISCONTAINER(entry))
			continue;
		if (JsonContainerIsArray((JsonbContainer *) (base + start)))
			check_array((JsonbContainer *) (base + start), member, &path);
		else if (member->members != NULL)
			check_object((JsonbContainer *) (base + start), member->members, &path);
	}

	for (; next < members->count; next++)
		check_absent(&members->list[next], parent);
}

static void
check_absent(const Member *member, const Path *parent)
{
	Path		path = {parent, member->name, strlen(member->name)};

	if (member->types & REQUIRED)
		refuse(&path, "is missing", NULL);
}

static void
check_array(const JsonbContainer *array, const Member *member, const Path *parent)
{
	int			count = JsonContainerSize(array);
	char	   *base = (char *) &array->children[count];
	uint32		offset = 0;
	Path		path = {parent};

	if (member->elements == 0)
		return;
	for (int i = 0; i < count; i++)
	{
		uint32		start = offset;
		JEntry		entry = array->children[i];

		if ((i & 1023) == 1023)
			CHECK_FOR_INTERRUPTS();
		JBE_ADVANCE_OFFSET(offset, entry);
		if (JBE_ISNUMERIC(entry) || JBE_ISCONTAINER(entry))
			start = INTALIGN(start);
		path.index = i;
		check_value(entry, base + start, offset - start, member->elements | REQUIRED, &path);
		if (member->members != NULL)
			check_object((JsonbContainer *) (base + start), member->members, &path);
	}
}

static void
check_value(JEntry entry, char *value, int length, int types, const Path *path)
{
	int			type = type_of(entry, value);

	if (type == NONE && !(types & REQUIRED))
		return;
	if (!(type & types))
		refuse(path, psprintf("is not %s", describe_types(types)),
			   type == NONE ? "It is null." :
			   psprintf("It is %s: %s.", describe_types(type), value_text(entry, value, length)));
	if (type == NUMBER && (types & (PERCENT | COUNT | IDENTIFIER)))
		check_number((Numeric) value, types, path);
	if (type == STRING && (types & FILLED) && length == 0)
		refuse(path, "is empty", NULL);
}

static void
check_number(Numeric number, int rules, const Path *path)
{
	static Numeric bounds[4];	/* 0, 1, 100, 2147483647 */
	int			low = rules & IDENTIFIER ? 1 : 0;
	int			high = rules & PERCENT ? 2 : 3;
	Datum		value = NumericGetDatum(number);

	if (bounds[3] == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

		bounds[0] = int64_to_numeric(0);
		bounds[1] = int64_to_numeric(1);
		bounds[2] = int64_to_numeric(100);
		bounds[3] = int64_to_numeric(PG_INT32_MAX);
		MemoryContextSwitchTo(old);
	}
	if (DatumGetInt32(DirectFunctionCall2(numeric_cmp, value, NumericGetDatum(bounds[low]))) < 0 ||
		DatumGetInt32(DirectFunctionCall2(numeric_cmp, value, NumericGetDatum(bounds[high]))) > 0)
		refuse(path, "is out of range",
			   psprintf("It is %.64s; it may be from %d to %d.", numeric_normalize(number), low,
						rules & PERCENT ? 100 : PG_INT32_MAX));
	if (!(rules & PERCENT) &&
		!DatumGetBool(DirectFunctionCall2(numeric_eq, value, DirectFunctionCall2(numeric_trunc, value, Int32GetDatum(0)))))
		refuse(path, "is not a whole number", psprintf("It is %.64s.", numeric_normalize(number)));
}

/* jsonb's order of keys */
static int
compare_keys(const char *a, int a_length, const char *b, int b_length)
{
	if (a_length != b_length)
		return a_length < b_length ? -1 : 1;
	return memcmp(a, b, a_length);
}

static int
type_of(JEntry entry, const char *value)
{
	if (JBE_ISSTRING(entry))
		return STRING;
	if (JBE_ISNUMERIC(entry))
		return NUMBER;
	if (JBE_ISBOOL(entry))
		return BOOLEAN;
	if (JBE_ISNULL(entry))
		return NONE;
	return JsonContainerIsArray((JsonbContainer *) value) ? ARRAY : OBJECT;
}

/* The value as JSON, clipped */
static char *
value_text(JEntry entry, char *value, int length)
{
	StringInfoData buf;

	if (JBE_ISCONTAINER(entry))
		return JsonContainerIsArray((JsonbContainer *) value)
			? psprintf("[...] with %d elements", (int) JsonContainerSize((JsonbContainer *) value))
			: psprintf("{...} with %d members", (int) JsonContainerSize((JsonbContainer *) value));
	if (JBE_ISNUMERIC(entry))
		return psprintf("%.64s", numeric_normalize((Numeric) value));
	if (JBE_ISBOOL(entry))
		return JBE_ISBOOL_TRUE(entry) ? "true" : "false";
	if (JBE_ISNULL(entry))
		return "null";
	initStringInfo(&buf);
	appendStringInfoChar(&buf, '"');
	appendBinaryStringInfo(&buf, value, pg_mbcliplen(value, length, 64));
	appendStringInfoString(&buf, length > 64 ? "...\"" : "\"");
	return buf.data;
}

static char *
path_text(const Path *path)
{
	char	   *before = path->parent == NULL ? "" : path_text(path->parent);

	if (path->name == NULL)
		return psprintf("%s[%d]", before, path->index);
	return psprintf("%s%s%s", before, *before == '\0' ? "" : ".",
					pnstrdup(path->name, pg_mbcliplen(path->name, path->length, 64)));
}

static const char *
describe_types(int types)
{
	static const char *const names[] = {"a string", "a number", "a boolean", "an object", "an array", "null"};
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < lengthof(names); i++)
	{
		if (types & (1 << i))
			appendStringInfo(&buf, "%s%s", buf.len == 0 ? "" : " or ", names[i]);
	}
	return buf.data;
}

static void
refuse_unknown(const Members *members, const Path *path)
{
	StringInfoData known;

	initStringInfo(&known);
	for (int i = 0; i < members->count; i++)
		appendStringInfo(&known, "%s%s", i == 0 ? "" : ", ", members->list[i].name);
	refuse(path, "is unknown", psprintf("Known are %s.", known.data));
}

static void
refuse(const Path *path, const char *fault, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s %s", path_text(path), fault),
			 detail != NULL ? errdetail("%s", detail) : 0));
}
