/*
 * consolidation_read.c
 *		Reading exec reports: both spellings of every field at the door, one inside.
 *
 * Of two spellings the one named first is taken when it is known. Recommendations are read by
 * consolidation_read_recommendations.c; both read single fields by consolidation_fields.h.
 */
#include "compat.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "consolidation.h"
#include "consolidation_fields.h"

#define INSIGHTS_AT_ONCE 64		/* read before they are taken, for the scale of their confidences */
#define UNIT_SCALE INT64CONST(100000000)	/* 1, in 0.00000001 */

/* The fields of a report, its two documents, and an insight. */
enum report_field
{
	REPORT_ID = 1, REPORT_MODULE, REPORT_MODULE_, REPORT_EXECUTED, REPORT_EXECUTED_, REPORT_OUTPUT,
	REPORT_PLAYBOOK, REPORT_PLAYBOOK_, REPORT_FIELDS = REPORT_PLAYBOOK_
};
static const ErJsonKey report_keys[] = {
	{"id", REPORT_ID}, {"moduleId", REPORT_MODULE}, {"module_id", REPORT_MODULE_}, {"executedAt", REPORT_EXECUTED},
	{"executed_at", REPORT_EXECUTED_}, {"output", REPORT_OUTPUT}, {"playbookResult", REPORT_PLAYBOOK},
	{"playbook_result", REPORT_PLAYBOOK_}, {NULL, 0}
};

const ErJsonKey er_document_keys[] = {
	{"insights", DOC_INSIGHTS}, {"recommendations", DOC_RECOMMENDATIONS}, {"deprioritized", DOC_DEPRIORITIZED},
	{"councilPrompt", DOC_PROMPT}, {"council_prompt", DOC_PROMPT_}, {"confidence", DOC_CONFIDENCE},
	{"moduleId", DOC_MODULE}, {"module_id", DOC_MODULE_}, {NULL, 0}
};

enum insight_field
{
	IN_ID = 1, IN_TYPE, IN_CATEGORY, IN_TITLE, IN_MESSAGE, IN_DESCRIPTION, IN_CONTENT, IN_DETAILS, IN_SEVERITY,
	IN_PRIORITY, IN_CONFIDENCE, IN_RELATED, IN_RELATED_, IN_KEYWORDS, IN_EVIDENCE, IN_DATA_POINT, IN_DATA_POINT_,
	IN_FIELDS = IN_DATA_POINT_
};
static const ErJsonKey insight_keys[] = {
	{"id", IN_ID}, {"type", IN_TYPE}, {"category", IN_CATEGORY}, {"title", IN_TITLE}, {"message", IN_MESSAGE},
	{"description", IN_DESCRIPTION}, {"content", IN_CONTENT}, {"details", IN_DETAILS}, {"severity", IN_SEVERITY},
	{"priority", IN_PRIORITY}, {"confidence", IN_CONFIDENCE}, {"relatedKeywords", IN_RELATED},
	{"related_keywords", IN_RELATED_}, {"keywords", IN_KEYWORDS}, {"evidence", IN_EVIDENCE},
	{"dataPoint", IN_DATA_POINT}, {"data_point", IN_DATA_POINT_}, {NULL, 0}
};

static void read_insights(ErConsolidation *state, ErPlace *playbook_place, const ErJson *playbook, ErPlace *output_place,
						  const ErJson *output);
static int64 highest_confidence(ErConsolidation *state, ErPlace *place, const ErJson *list, uint32 count);
static int64 read_insight(ErConsolidation *state, ErPlace *place, const ErJson *element, bool playbook);
static void take_insights(ErConsolidation *state, ErPlace **places, ErArena *arena, ErTable *twins);
static void take_insight(ErConsolidation *state, ErPlace *place, ErPending *item, ErArena *arena, ErTable *twins);
static inline void add_evidence(ErConsolidation *state, ErValueSet *evidence, const ErJson *value, uint32 hint);

static int64 confidence_field(const ErPlace *place, const ErJson *values, int field);
static int	severity_of(ErText text);

void
er_read_report(ErConsolidation *state, const ErReportInput *input)
{
	MemoryContext caller = MemoryContextSwitchTo(state->temporary);
	ErPlace		place = {input->path, "output", NULL, 0, er_document_keys};
	ErPlace		playbook_place = {input->path, "playbookResult", NULL, 0, er_document_keys};
	ErJson		none[DOC_FIELDS + 1];
	const ErJson *output = none;
	const ErJson *playbook = none;
	ErText		module_id = input->module;
	ErModule   *module;
	bool		added;
	int64		said;
	int32		mean;

	for (int i = 0; i <= DOC_FIELDS; i++)
		none[i].type = ER_JSON_ABSENT;
	if (!er_json_is_missing(&input->output))
	{
		if (!er_json_is_object(&input->output))
			er_wrong(psprintf("%soutput", input->path), &input->output, "an object");
		output = er_json_fields(&input->output, er_document_keys, DOC_FIELDS, &state->layouts[0]);
	}
	if (!er_json_is_missing(&input->playbook))
	{
		if (!er_json_is_object(&input->playbook))
			er_wrong(psprintf("%splaybookResult", input->path), &input->playbook, "an object");
		playbook = er_json_fields(&input->playbook, er_document_keys, DOC_FIELDS, &state->layouts[1]);
	}
	if (module_id.ptr == NULL)
		module_id = er_text_of_two(&place, output, DOC_MODULE, DOC_MODULE_);
	if (module_id.ptr == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%smoduleId is missing", input->path),
				 errdetail("Every exec report names the module that made it."),
				 errhint("Pass the module's id with the report, or as moduleId of its output.")));

	if (++state->report == ER_NONE)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many exec reports in one consolidation")));
	state->id = input->id;
	state->module = er_table_intern(&state->arena, &state->modules, sizeof(ErModule), module_id, &added);
	module = er_item(&state->modules.list, ErModule, state->module);
	if (added)
	{
		module->newest = module->said_at = ER_UNKNOWN_TIME;
		module->confidence = ER_UNKNOWN_CONFIDENCE;
	}
	module->newest = Max(module->newest, input->executed_at);

	state->source = ER_NONE;
	read_insights(state, &playbook_place, &playbook[DOC_INSIGHTS], &place, &output[DOC_INSIGHTS]);
	mean = state->confidence_count == 0 ? ER_UNKNOWN_CONFIDENCE :
		(int32) ((state->confidence_sum + state->confidence_count / 2) / state->confidence_count);
	place.list = playbook_place.list = NULL;
	place.keys = playbook_place.keys = er_document_keys;

	said = confidence_field(&place, output, DOC_CONFIDENCE);
	if (said >= 0)
		mean = (int32) ((said <= 100000000 ? said * 100 + 500000 : said + 500000) / 1000000);
	if (mean >= 0)
		er_module_said(state, state->module, input->executed_at, input->id, mean);

	if (!state->insights_only)
	{
		ErText		prompt;

		er_read_recommendations(state, &playbook_place, playbook, &place, output);
		playbook_place.list = NULL;
		playbook_place.keys = er_document_keys;
		prompt = er_text_of_two(&playbook_place, playbook, DOC_PROMPT, DOC_PROMPT_);
		if (prompt.ptr != NULL)
			er_take_prompt(state, prompt);
	}
	MemoryContextSwitchTo(caller);
	MemoryContextReset(state->temporary);
}

void
er_read_reports(ErConsolidation *state, const Jsonb *reports)
{
	ErJson		root = er_json_root(reports);
	ErJson		report;
	ErJsonWalk	walk;
	ErJsonLayout layout = {0};
	uint32		count;

	if (!er_json_is_array(&root))
		er_wrong("reports", &root, "an array of exec reports");
	count = er_json_count(&root);
	er_json_walk(&walk, &root);
	for (uint32 i = 0; i < count; i++)
	{
		const ErJson *values;
		char		path[64];
		ErPlace		place = {path, NULL, NULL, 0, report_keys};
		ErReportInput input;
		ErText		executed;
		int			said;

		CHECK_FOR_INTERRUPTS();
		snprintf(path, sizeof(path), "reports[%u].", i);
		er_json_next(&walk, &report);
		if (!er_json_is_object(&report))
		{
			path[strlen(path) - 1] = '\0';
			er_wrong(path, &report, "an object {id, moduleId, executedAt, output, playbookResult}");
		}
		values = er_json_fields(&report, report_keys, REPORT_FIELDS, &layout);
		input.path = path;
		input.id = er_text_field(&place, values, REPORT_ID);
		input.module = er_text_of_two(&place, values, REPORT_MODULE, REPORT_MODULE_);
		input.executed_at = ER_UNKNOWN_TIME;
		executed = er_text_of_two(&place, values, REPORT_EXECUTED, REPORT_EXECUTED_);
		said = er_text_field(&place, values, REPORT_EXECUTED).ptr != NULL ? REPORT_EXECUTED : REPORT_EXECUTED_;
		if (executed.ptr != NULL && !er_read_instant(executed, &input.executed_at))
			er_wrong_field(&place, said, &values[said], "an ISO 8601 date and time");
		input.output = values[REPORT_OUTPUT];
		input.playbook = values[er_json_is_missing(&values[REPORT_PLAYBOOK]) ? REPORT_PLAYBOOK_ : REPORT_PLAYBOOK];
		er_read_report(state, &input);
	}
}

/*
 * Both lists of a report, the playbook's first. The scale of the confidences must be known before the first is taken:
 * a few insights are all read before, of more the confidences are looked at in advance.
 */
static void
read_insights(ErConsolidation *state, ErPlace *playbook_place, const ErJson *playbook, ErPlace *output_place,
			  const ErJson *output)
{
	ErArena		arena = {state->temporary};
	ErTable		twins = {{0}};
	ErPlace	   *places[] = {playbook_place, output_place};
	const ErJson *lists[] = {playbook, output};
	uint64		counts[] = {0, 0};
	int64		highest = -1;
	bool		few;

	for (int l = 0; l < 2; l++)
	{
		if (er_json_is_missing(lists[l]))
			continue;
		if (!er_json_is_array(lists[l]))
			er_wrong_field(places[l], DOC_INSIGHTS, lists[l], "an array");
		counts[l] = er_json_count(lists[l]);
		places[l]->list = "insights";
		places[l]->keys = insight_keys;
	}
	few = counts[0] + counts[1] <= INSIGHTS_AT_ONCE;
	state->pending.count = 0;
	state->confidence_sum = state->confidence_count = 0;
	if (!few)
	{
		for (int l = 0; l < 2; l++)
			highest = Max(highest, highest_confidence(state, places[l], lists[l], counts[l]));
		state->unit_scale = highest <= UNIT_SCALE;
	}

	for (int l = 0; l < 2; l++)
	{
		ErJson		element;
		ErJsonWalk	walk;

		if (counts[l] > 0)
			er_json_walk(&walk, lists[l]);
		for (uint32 i = 0; i < counts[l]; i++)
		{
			CHECK_FOR_INTERRUPTS();
			places[l]->number = i;
			er_json_next(&walk, &element);
			highest = Max(highest, read_insight(state, places[l], &element, l == 0));
			if (!few && state->pending.count == INSIGHTS_AT_ONCE)
				take_insights(state, places, &arena, &twins);
		}
	}
	if (few)
		state->unit_scale = highest <= UNIT_SCALE;
	take_insights(state, places, &arena, &twins);
}

static int64
highest_confidence(ErConsolidation *state, ErPlace *place, const ErJson *list, uint32 count)
{
	int64		highest = -1;
	ErJson		element;
	ErJsonWalk	walk;

	if (count > 0)
		er_json_walk(&walk, list);
	for (uint32 i = 0; i < count; i++)
	{
		const ErJson *values;

		CHECK_FOR_INTERRUPTS();
		place->number = i;
		er_json_next(&walk, &element);
		if (!er_json_is_object(&element))
			er_wrong(er_place_path(place, 0), &element, "an object");
		values = er_json_fields(&element, insight_keys, IN_FIELDS, &state->layouts[2]);
		highest = Max(highest, confidence_field(place, values, IN_CONFIDENCE));
	}
	return highest;
}

static void
take_insights(ErConsolidation *state, ErPlace **places, ErArena *arena, ErTable *twins)
{
	for (uint32 i = 0; i < ER_FORESIGHT; i++)
		er_insight_foresee(state, i);
	for (uint32 i = 0; i < state->pending.count; i++)
	{
		ErPending  *item = er_item(&state->pending, ErPending, i);

		er_insight_foresee(state, i + ER_FORESIGHT);
		take_insight(state, places[item->playbook ? 0 : 1], item, arena, twins);
	}
	state->pending.count = 0;
}

/* What the document says, checked; returns its confidence. */
static int64
read_insight(ErConsolidation *state, ErPlace *place, const ErJson *element, bool playbook)
{
	const ErJson *values;
	ErPending  *item;

	if (!er_json_is_object(element))
		er_wrong(er_place_path(place, 0), element, "an object");
	values = er_json_fields(element, insight_keys, IN_FIELDS, &state->layouts[2]);

	item = er_insight_next(state);
	item->number = place->number;
	item->playbook = playbook;
	item->id = er_id_field(place, values, IN_ID);
	item->category = er_word_field(er_text_field(place, values, IN_CATEGORY), er_type_words);
	item->type = er_word_field(er_text_field(place, values, IN_TYPE), er_type_words);
	if (item->type.ptr == NULL)
		item->type = item->category;
	item->title = er_text_of_two(place, values, IN_TITLE, IN_MESSAGE);
	item->description = er_text_of_two(place, values, IN_DESCRIPTION, IN_CONTENT);
	if (item->description.ptr == NULL)
		item->description = er_text_field(place, values, IN_DETAILS);
	item->severity = severity_of(er_text_of_two(place, values, IN_SEVERITY, IN_PRIORITY));
	item->confidence = confidence_field(place, values, IN_CONFIDENCE);
	for (int field = IN_RELATED; field <= IN_EVIDENCE; field++)
		er_list_field(place, values, field);
	memcpy(item->lists, &values[IN_RELATED], sizeof(item->lists));
	return item->confidence;
}

/* Into its group, with its keywords and evidence. */
static void
take_insight(ErConsolidation *state, ErPlace *place, ErPending *item, ErArena *arena, ErTable *twins)
{
	ErValueSet *evidence;
	uint32		twin = ER_NONE;
	uint64		hash = 0;

	place->number = item->number;
	if (item->id.ptr != NULL && (item->playbook || twins->list.count > 0))
	{
		hash = er_hash(item->id.ptr, item->id.len);
		twin = er_table_find(twins, sizeof(ErLocalId), item->id, hash);
		if (twin != ER_NONE && !item->playbook)
			item->group = er_item(&twins->list, ErLocalId, twin)->group;
	}
	er_insight_take(state, item);
	if (item->playbook && item->id.ptr != NULL && twin == ER_NONE)
	{
		twin = er_table_add(arena, twins, sizeof(ErLocalId), item->id, hash);
		er_item(&twins->list, ErLocalId, twin)->group = item->group;
	}

	for (int l = 0; l <= IN_KEYWORDS - IN_RELATED; l++)
	{
		ErJsonWalk	walk;
		ErJson		keyword;
		uint32		count;

		if (er_json_is_missing(&item->lists[l]))
			continue;
		count = er_json_count(&item->lists[l]);
		er_json_walk(&walk, &item->lists[l]);
		for (uint32 k = 0; k < count; k++)
		{
			ErText		text;

			if ((k & 0xFFF) == 0xFFF)
				CHECK_FOR_INTERRUPTS();
			er_json_next(&walk, &keyword);
			if (keyword.type == JENTRY_ISNULL)
				continue;
			if (keyword.type != JENTRY_ISSTRING)
				er_wrong_element(place, IN_RELATED + l, k, &keyword, "a string");
			text.ptr = keyword.ptr;
			text.len = keyword.len;
			text = er_trim(text);
			if (text.len > 0)
				er_insight_keyword(state, item->group, text, k);
		}
	}

	evidence = &er_item(&state->insights.list, ErInsight, item->group)->evidence;
	if (!er_json_is_missing(&item->lists[IN_EVIDENCE - IN_RELATED]))
	{
		ErJsonWalk	walk;
		ErJson		piece;
		uint32		count = er_json_count(&item->lists[IN_EVIDENCE - IN_RELATED]);

		er_json_walk(&walk, &item->lists[IN_EVIDENCE - IN_RELATED]);
		for (uint32 k = 0; k < count; k++)
		{
			if ((k & 0xFFF) == 0xFFF)
				CHECK_FOR_INTERRUPTS();
			er_json_next(&walk, &piece);
			add_evidence(state, evidence, &piece, k);
		}
	}
	for (int l = IN_DATA_POINT - IN_RELATED; l <= IN_DATA_POINT_ - IN_RELATED; l++)
		if (!er_json_is_missing(&item->lists[l]))
			add_evidence(state, evidence, &item->lists[l], 0);
}

/* Anything but null and blank text. The hint says which of the evidence it may be: 3 of 100 instructions are saved by it. */
static inline void
add_evidence(ErConsolidation *state, ErValueSet *evidence, const ErJson *value, uint32 hint)
{
	if (hint < evidence->count)
	{
		const ErValue *known = &evidence->values[hint];

		if (known->type == value->type && known->len == value->len && er_same_bytes(known->ptr, value->ptr, value->len))
			return;
	}
	if (value->type == JENTRY_ISNULL || (value->type == JENTRY_ISSTRING && er_is_blank(value->ptr, value->len)))
		return;
	er_valueset_add(&state->arena, evidence, value->type, value->ptr, value->len);
}

/* ---- fields ---- */

/* A confidence in units of 0.00000001, or -1. */
static int64
confidence_field(const ErPlace *place, const ErJson *values, int field)
{
	const ErJson *value = &values[field];
	int64		confidence;

	if (er_json_is_missing(value))
		return -1;
	if (value->type != JENTRY_ISNUMERIC || !er_json_fixed8(value, &confidence) || confidence < 0 ||
		confidence > INT64CONST(10000000000))
		er_wrong_field(place, field, value, "a number from 0 to 1 or from 0 to 100");
	return confidence;
}

/* 4 critical, 3 high, 2 medium, 1 low, 0 unknown. */
static int
severity_of(ErText text)
{
	static const ErKnownWord words[] = {ER_WORD("low"), ER_WORD("medium"), ER_WORD("high"), ER_WORD("critical")};

	text = er_trim(text);
	for (int i = 0; i < lengthof(words) && text.ptr != NULL; i++)
		if (er_same_word(text, &words[i]))
			return i + 1;
	return 0;
}

/* ---- errors ---- */

void
er_wrong(const char *path, const ErJson *value, const char *expected)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s is %s", path, er_json_describe(value)),
			 errdetail("Expected %s.", expected),
			 errhint("Correct the value, or leave it out: what is missing is unknown.")));
}

void
er_wrong_field(const ErPlace *place, int field, const ErJson *value, const char *expected)
{
	er_wrong(er_place_path(place, field), value, expected);
}

void
er_wrong_element(const ErPlace *place, int field, uint32 number, const ErJson *value, const char *expected)
{
	er_wrong(psprintf("%s[%u]", er_place_path(place, field), number), value, expected);
}

char *
er_place_path(const ErPlace *place, int field)
{
	StringInfoData path;

	initStringInfo(&path);
	appendStringInfoString(&path, place->path);
	if (place->document != NULL)
		appendStringInfoString(&path, place->document);
	if (place->list != NULL)
		appendStringInfo(&path, ".%s[%u]", place->list, place->number);
	for (const ErJsonKey *key = place->keys; field != 0 && key->name != NULL; key++)
		if (key->code == field)
			appendStringInfo(&path, "%s%s", place->document != NULL ? "." : "", key->name);
	return path.data;
}
