/*
 * consolidation_read_recommendations.c
 *		Reading the recommendations of a report: both its lists, and what its playbook deprioritized.
 *
 * The deprioritized come first, for a recommendation that is one of them goes to the table of those. An output's
 * recommendation with the id of a playbook's is its twin, and belongs to its group. Dependencies wait until all ids of the
 * report are known.
 */
#include "compat.h"

#include "miscadmin.h"

#include "consolidation.h"
#include "consolidation_fields.h"

enum recommendation_field
{
	RE_ID = 1, RE_ACTION, RE_TITLE, RE_RATIONALE, RE_REASON, RE_IMPACT, RE_ESTIMATED, RE_ESTIMATED_, RE_PRIORITY,
	RE_EFFORT, RE_TIMELINE, RE_DEPENDENCIES, RE_THEME, RE_CATEGORY, RE_FIELDS = RE_CATEGORY
};
static const ErJsonKey recommendation_keys[] = {
	{"id", RE_ID}, {"action", RE_ACTION}, {"title", RE_TITLE}, {"rationale", RE_RATIONALE}, {"reason", RE_REASON},
	{"impact", RE_IMPACT}, {"estimatedImpact", RE_ESTIMATED}, {"estimated_impact", RE_ESTIMATED_},
	{"priority", RE_PRIORITY}, {"effort", RE_EFFORT}, {"timeline", RE_TIMELINE}, {"dependencies", RE_DEPENDENCIES},
	{"theme", RE_THEME}, {"category", RE_CATEGORY}, {NULL, 0}
};

/* A dependency that waits until all recommendations of its report are known. */
typedef struct Need
{
	uint32		group;
	ErText		on;
} Need;

typedef struct Recommendations
{
	ErArena		arena;			/* of the temporary context */
	ErTable		ids;			/* ErLocalId: all of this report */
	ErTable		playbook_ids;	/* ErLocalId: of the playbook's list */
	ErTable		dropped;		/* ErLocalId: the deprioritized */
	ErList		needs;
} Recommendations;

static void read_deprioritized(ErPlace *place, const ErJson *list, Recommendations *report);
static void read_list(ErConsolidation *state, ErPlace *place, const ErJson *list, Recommendations *report, bool playbook);
static void finish_recommendations(ErConsolidation *state, Recommendations *report);

/* Both places stand at the document itself. */
void
er_read_recommendations(ErConsolidation *state, ErPlace *playbook_place, const ErJson *playbook, ErPlace *output_place,
						const ErJson *output)
{
	Recommendations report = {{state->temporary}};

	read_deprioritized(playbook_place, &playbook[DOC_DEPRIORITIZED], &report);
	read_list(state, playbook_place, &playbook[DOC_RECOMMENDATIONS], &report, true);
	read_list(state, output_place, &output[DOC_RECOMMENDATIONS], &report, false);
	finish_recommendations(state, &report);
}

static void
read_deprioritized(ErPlace *place, const ErJson *list, Recommendations *report)
{
	ErJson		element;
	ErJsonWalk	walk;
	uint32		count;

	if (er_json_is_missing(list))
		return;
	if (!er_json_is_array(list))
		er_wrong_field(place, DOC_DEPRIORITIZED, list, "an array of recommendation ids");
	count = er_json_count(list);
	er_json_walk(&walk, list);
	for (uint32 i = 0; i < count; i++)
	{
		ErText		id;
		uint64		hash;

		if ((i & 0xFFF) == 0xFFF)
			CHECK_FOR_INTERRUPTS();
		er_json_next(&walk, &element);
		if (!er_id_of(&element, &id))
			er_wrong_element(place, DOC_DEPRIORITIZED, i, &element, "the id of a recommendation");
		if (id.ptr == NULL)
			continue;
		hash = er_hash(id.ptr, id.len);
		if (er_table_find(&report->dropped, sizeof(ErLocalId), id, hash) == ER_NONE)
			er_table_add(&report->arena, &report->dropped, sizeof(ErLocalId), id, hash);
	}
}

static void
read_list(ErConsolidation *state, ErPlace *place, const ErJson *list, Recommendations *report, bool playbook)
{
	static const ErKnownWord levels[] = {ER_WORD("high"), ER_WORD("medium"), ER_WORD("low"), {NULL}};
	ErJson		element;
	ErJsonWalk	walk;
	uint32		count;

	if (er_json_is_missing(list))
		return;
	if (!er_json_is_array(list))
		er_wrong_field(place, DOC_RECOMMENDATIONS, list, "an array");
	place->list = "recommendations";
	place->keys = recommendation_keys;
	count = er_json_count(list);
	er_json_walk(&walk, list);
	for (uint32 i = 0; i < count; i++)
	{
		const ErJson *values;
		ErSaying	saying;
		ErText		id;
		ErText		priority;
		uint64		hash = 0;
		uint32		at;
		uint32		twin = ER_NONE;
		uint32		group;

		CHECK_FOR_INTERRUPTS();
		place->number = i;
		er_json_next(&walk, &element);
		if (!er_json_is_object(&element))
			er_wrong(er_place_path(place, 0), &element, "an object");
		values = er_json_fields(&element, recommendation_keys, RE_FIELDS, &state->layouts[3]);

		id = er_id_field(place, values, RE_ID);
		saying.action = er_text_of_two(place, values, RE_ACTION, RE_TITLE);
		saying.rationale = er_text_of_two(place, values, RE_RATIONALE, RE_REASON);
		saying.timeline = er_text_field(place, values, RE_TIMELINE);
		saying.theme = er_text_of_two(place, values, RE_THEME, RE_CATEGORY);
		saying.effort = er_word_field(er_text_field(place, values, RE_EFFORT), levels);
		saying.effort_rank = saying.effort.ptr == levels[2].word ? 1 : saying.effort.ptr == levels[1].word ? 2 :
			saying.effort.ptr == levels[0].word ? 3 : 4;
		priority = er_word_field(er_text_field(place, values, RE_PRIORITY), levels);
		saying.impact = er_word_field(er_text_field(place, values, RE_IMPACT), levels);
		if (saying.impact.ptr == NULL)
			saying.impact = er_word_field(er_text_of_two(place, values, RE_ESTIMATED, RE_ESTIMATED_), levels);
		saying.impact_rank = 0;
		for (int level = 0; levels[level].word != NULL; level++)
			if (saying.impact.ptr == levels[level].word)
				saying.impact_rank = 3 - level;
		for (int level = 0; levels[level].word != NULL; level++)
			if (saying.impact_rank == 0 && priority.ptr == levels[level].word)
			{
				saying.impact_rank = 3 - level;
				if (saying.impact.ptr == NULL)
					saying.impact = priority;
			}

		if (id.ptr != NULL)
		{
			hash = er_hash(id.ptr, id.len);
			at = er_table_find(&report->dropped, sizeof(ErLocalId), id, hash);
			if (at != ER_NONE)
			{
				er_item(&report->dropped.list, ErLocalId, at)->used = true;
				er_recommendation_take(state, &state->deprioritized, &saying, id, ER_NONE);
				continue;
			}
			if (!playbook)
			{
				at = er_table_find(&report->playbook_ids, sizeof(ErLocalId), id, hash);
				if (at != ER_NONE)
					twin = er_item(&report->playbook_ids.list, ErLocalId, at)->group;
			}
		}
		group = er_recommendation_take(state, &state->recommendations, &saying, id, twin);
		if (id.ptr != NULL)
		{
			ErTable    *tables[] = {&report->ids, playbook ? &report->playbook_ids : NULL};

			for (int t = 0; t < 2; t++)
				if (tables[t] != NULL && er_table_find(tables[t], sizeof(ErLocalId), id, hash) == ER_NONE)
				{
					at = er_table_add(&report->arena, tables[t], sizeof(ErLocalId), id, hash);
					er_item(&tables[t]->list, ErLocalId, at)->group = group;
				}
			at = er_table_intern(&state->arena, &state->identities, sizeof(ErIdentity), id, NULL);
			er_idset_add(&state->arena, &er_item(&state->identities.list, ErIdentity, at)->groups, group);
		}
		if (er_list_field(place, values, RE_DEPENDENCIES))
		{
			ErJsonWalk	pieces;
			ErJson		piece;
			uint32		piece_count = er_json_count(&values[RE_DEPENDENCIES]);

			er_json_walk(&pieces, &values[RE_DEPENDENCIES]);
			for (uint32 k = 0; k < piece_count; k++)
			{
				Need	   *need;
				ErText		on;

				if ((k & 0xFFF) == 0xFFF)
					CHECK_FOR_INTERRUPTS();
				er_json_next(&pieces, &piece);
				if (!er_id_of(&piece, &on))
					er_wrong_element(place, RE_DEPENDENCIES, k, &piece, "a string or a number");
				if (on.ptr == NULL)
					continue;
				er_valueset_add(&state->arena,
								&er_item(&state->recommendations.list, ErRecommendation, group)->dependencies,
								JENTRY_ISSTRING, on.ptr, on.len);
				need = er_list_add(&report->arena, &report->needs, sizeof(Need));
				need->group = group;
				need->on = on;
			}
		}
	}
}

/* What can only be said when both lists are read: ids that were dropped but named nothing, and what depends on what. */
static void
finish_recommendations(ErConsolidation *state, Recommendations *report)
{
	for (uint32 i = 0; i < report->dropped.list.count; i++)
	{
		const ErLocalId *dropped = er_item(&report->dropped.list, ErLocalId, i);
		ErSaying	nothing = {0, 4};

		if (!dropped->used)
			er_recommendation_take(state, &state->deprioritized, &nothing, dropped->id, ER_NONE);
	}
	for (uint32 i = 0; i < report->needs.count; i++)
	{
		const Need *need = er_item(&report->needs, Need, i);
		ErRecommendation *group = er_item(&state->recommendations.list, ErRecommendation, need->group);
		uint64		hash = er_hash(need->on.ptr, need->on.len);
		uint32		at = er_table_find(&report->ids, sizeof(ErLocalId), need->on, hash);

		if (at != ER_NONE)
			er_idset_add(&state->arena, &group->needs, er_item(&report->ids.list, ErLocalId, at)->group);
		else if (er_table_find(&report->dropped, sizeof(ErLocalId), need->on, hash) != ER_NONE)
			er_valueset_add(&state->arena, &group->lost, JENTRY_ISSTRING, need->on.ptr, need->on.len);
		else
			er_valueset_add(&state->arena, &group->open, JENTRY_ISSTRING, need->on.ptr, need->on.len);
	}
}
