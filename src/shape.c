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

#include "jsonb_read.h"

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
	int			length;			/* of the name */
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

#define MEMBER(name, ...) {name, sizeof(name) - 1, __VA_ARGS__}
#define MEMBERS(list) {list, lengthof(list), false}
#define CLOSED_MEMBERS(list) {list, lengthof(list), true}

static const Member insight_list[] = {
	MEMBER("id", STRING | NUMBER),
	MEMBER("type", STRING),
	MEMBER("title", STRING),
	MEMBER("source", STRING),
	MEMBER("content", STRING),
	MEMBER("details", STRING),
	MEMBER("message", STRING),
	MEMBER("category", STRING),
	MEMBER("evidence", ARRAY),
	MEMBER("keywords", ARRAY, STRING),
	MEMBER("priority", STRING),
	MEMBER("severity", STRING),
	MEMBER("confidence", NUMBER | PERCENT),
	MEMBER("description", STRING),
	MEMBER("whyItMatters", STRING),
	MEMBER("relatedKeywords", ARRAY, STRING),
	MEMBER("related_keywords", ARRAY, STRING),
};
static const Members insight = MEMBERS(insight_list);

static const Member recommendation_list[] = {
	MEMBER("id", STRING | NUMBER),
	MEMBER("theme", STRING),
	MEMBER("title", STRING),
	MEMBER("action", STRING),
	MEMBER("effort", STRING),
	MEMBER("impact", STRING),
	MEMBER("reason", STRING),
	MEMBER("category", STRING),
	MEMBER("priority", STRING),
	MEMBER("timeline", STRING),
	MEMBER("rationale", STRING),
	MEMBER("dependencies", ARRAY, STRING | NUMBER),
	MEMBER("estimatedImpact", STRING),
	MEMBER("estimated_impact", STRING),
};
static const Members recommendation = MEMBERS(recommendation_list);

static const Member council_context_list[] = {
	MEMBER("dataQuality", STRING),
	MEMBER("keyFindings", ARRAY, STRING),
	MEMBER("analysisDepth", STRING),
};
static const Members council_context = MEMBERS(council_context_list);

static const Member freshness_list[] = {
	MEMBER("status", STRING),
	MEMBER("ageDays", NUMBER),
	MEMBER("warning", STRING),
};
static const Members freshness = MEMBERS(freshness_list);

static const Member output_list[] = {
	MEMBER("errors", ARRAY),
	MEMBER("hasData", BOOLEAN),
	MEMBER("insights", ARRAY, OBJECT, &insight),
	MEMBER("moduleId", STRING),
	MEMBER("module_id", STRING),
	MEMBER("chartsData", ARRAY, OBJECT),
	MEMBER("confidence", NUMBER | PERCENT),
	MEMBER("dataSources", ARRAY),
	MEMBER("dataTimestamp", STRING),
	MEMBER("councilContext", OBJECT, 0, &council_context),
	MEMBER("freshnessStatus", OBJECT, 0, &freshness),
	MEMBER("recommendations", ARRAY, OBJECT, &recommendation),
};
static const Members output = MEMBERS(output_list);

static const Member playbook_list[] = {
	MEMBER("insights", ARRAY, OBJECT, &insight),
	MEMBER("councilPrompt", STRING),
	MEMBER("deprioritized", ARRAY, STRING),
	MEMBER("council_prompt", STRING),
	MEMBER("recommendations", ARRAY, OBJECT, &recommendation),
};
static const Members playbook = MEMBERS(playbook_list);

/* The sections of a configuration; of their members those that the gate and the guardrails read. */
static const Member exclusion_list[] = {
	MEMBER("value", STRING | REQUIRED | FILLED),
	MEMBER("reason", STRING),
	MEMBER("expires_at", STRING),
	MEMBER("match_type", STRING),
	MEMBER("semantic_sensitivity", STRING),
};
static const Members exclusion = MEMBERS(exclusion_list);

static const Member rules_list[] = {
	MEMBER("hard_exclusion", BOOLEAN),
	MEMBER("allow_model_suggestion", BOOLEAN),
	MEMBER("require_human_override_for_expansion", BOOLEAN),
};
static const Members rules = MEMBERS(rules_list);

static const Member negative_scope_list[] = {
	MEMBER("audit_log", ARRAY, OBJECT),
	MEMBER("enforcement_rules", OBJECT, 0, &rules),
	MEMBER("excluded_keywords", ARRAY, STRING),
	MEMBER("excluded_use_cases", ARRAY, STRING),
	MEMBER("keyword_exclusions", ARRAY, OBJECT, &exclusion),
	MEMBER("category_exclusions", ARRAY, OBJECT, &exclusion),
	MEMBER("excluded_categories", ARRAY, STRING),
	MEMBER("use_case_exclusions", ARRAY, OBJECT, &exclusion),
	MEMBER("excluded_competitors", ARRAY, STRING),
	MEMBER("competitor_exclusions", ARRAY, OBJECT, &exclusion),
};
static const Members negative_scope = MEMBERS(negative_scope_list);

static const Member quality_list[] = {
	MEMBER("grade", STRING),
	MEMBER("overall", NUMBER | PERCENT),
};
static const Members quality = MEMBERS(quality_list);

static const Member governance_list[] = {
	MEMBER("cmo_safe", BOOLEAN),
	MEMBER("reviewed_by", STRING),
	MEMBER("last_reviewed", STRING),
	MEMBER("quality_score", OBJECT, 0, &quality),
	MEMBER("human_verified", BOOLEAN),
	MEMBER("blocked_reasons", ARRAY, STRING),
	MEMBER("validation_status", STRING),
	MEMBER("context_valid_until", STRING),
};
static const Members governance = MEMBERS(governance_list);

static const Member configuration_list[] = {
	MEMBER("name", STRING | FILLED),
	MEMBER("brand", OBJECT),
	MEMBER("governance", OBJECT, 0, &governance),
	MEMBER("competitors", OBJECT),
	MEMBER("negative_scope", OBJECT, 0, &negative_scope),
	MEMBER("channel_context", OBJECT),
	MEMBER("strategic_intent", OBJECT),
	MEMBER("demand_definition", OBJECT),
	MEMBER("category_definition", OBJECT),
};
static const Members configuration = CLOSED_MEMBERS(configuration_list);

static const Member synthesis_list[] = {
	MEMBER("keyThemes", ARRAY | REQUIRED, STRING),
	MEMBER("prioritizedActions", ARRAY | REQUIRED, STRING),
	MEMBER("crossModulePatterns", ARRAY | REQUIRED, STRING),
};
static const Members synthesis = MEMBERS(synthesis_list);

static const Member master_report_list[] = {
	MEMBER("id", STRING | FILLED),
	MEMBER("contextHash", STRING | FILLED),
	MEMBER("execReports", ARRAY | REQUIRED, OBJECT),
	MEMBER("generatedAt", STRING),
	MEMBER("ucrSnapshot", OBJECT | REQUIRED),
	MEMBER("dataFreshness", STRING | REQUIRED),
	MEMBER("contextVersion", NUMBER | IDENTIFIER),
	MEMBER("confidenceBasis", NUMBER | COUNT),
	MEMBER("configurationId", NUMBER | IDENTIFIER | REQUIRED),
	MEMBER("modulesIncluded", ARRAY | REQUIRED, STRING),
	MEMBER("councilSynthesis", OBJECT | REQUIRED, 0, &synthesis),
	MEMBER("overallConfidence", NUMBER | PERCENT | REQUIRED),
	MEMBER("consolidatedInsights", ARRAY | REQUIRED, OBJECT),
	MEMBER("consolidatedRecommendations", ARRAY | REQUIRED, OBJECT),
};
static const Members master_report = CLOSED_MEMBERS(master_report_list);

static const Shape shapes[] = {
	{"output", MEMBER("output", OBJECT | REQUIRED, 0, &output)},
	{"playbookResult", MEMBER("playbookResult", OBJECT | REQUIRED, 0, &playbook)},
	{"configuration", MEMBER("document", OBJECT | REQUIRED, 0, &configuration)},
	{"masterReport", MEMBER("document", OBJECT | REQUIRED, 0, &master_report)},
};

static void check_object(const JsonbContainer *object, const Members *members, const Path *path);
static void check_absent(const Member *member, const Path *path);
static void check_array(const JsonbContainer *array, const Member *member, const Path *path);
static void check_value(JEntry entry, char *value, int length, int types, const Path *path);
static void check_number(Numeric number, int rules, const Path *path);
static inline int compare_keys(const char *a, int a_length, const char *b, int b_length);
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
	path.length = shape->root.length;
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
			int			order = compare_keys(members->list[next].name, members->list[next].length, key, path.length);

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
	Path		path = {parent, member->name, member->length};

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
	ErJson		json = {JENTRY_ISNUMERIC, VARSIZE_ANY(number), (const char *) number};
	int64		fixed;

	/* nearly all: a confidence between 0 and 100, both excluded, for digits after the eighth are not seen here */
	if ((rules & PERCENT) && er_json_fixed8(&json, &fixed) && fixed > 0 && fixed < INT64CONST(10000000000))
		return;

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
static inline int
compare_keys(const char *a, int a_length, const char *b, int b_length)
{
	if (a_length != b_length)
		return a_length < b_length ? -1 : 1;
	if (a_length > 0 && *a != *b)
		return (unsigned char) *a < (unsigned char) *b ? -1 : 1;
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
