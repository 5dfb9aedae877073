/*
 * consolidation_fields.h
 *		Single fields of reports, checked: for consolidation_read.c and consolidation_read_recommendations.c.
 *
 * A missing field, a null and a blank text are all unknown. A value of the wrong type, or a confidence that is none, is an
 * error that names the place.
 */
#ifndef ER_CONSOLIDATION_FIELDS_H
#define ER_CONSOLIDATION_FIELDS_H

#include "consolidation.h"

/* The members of a report's two documents. */
enum document_field
{
	DOC_INSIGHTS = 1, DOC_RECOMMENDATIONS, DOC_DEPRIORITIZED, DOC_PROMPT, DOC_PROMPT_, DOC_CONFIDENCE, DOC_MODULE,
	DOC_MODULE_, DOC_FIELDS = DOC_MODULE_
};
extern const ErJsonKey er_document_keys[];

/* Where we are, for messages only. */
typedef struct ErPlace
{
	const char *path;			/* of the report */
	const char *document;		/* output or playbookResult */
	const char *list;			/* insights or recommendations, or NULL */
	uint32		number;
	const ErJsonKey *keys;
} ErPlace;

/* The ids of one list of a report, and what has them. */
typedef struct ErLocalId
{
	ErText		id;
	uint32		group;
	bool		used;
} ErLocalId;

/* ---- consolidation_read_recommendations.c ---- */

/* Both lists of a report, and what was deprioritized; the documents' values by er_document_keys. */
extern void er_read_recommendations(ErConsolidation *state, ErPlace *playbook_place, const ErJson *playbook,
									ErPlace *output_place, const ErJson *output);

/* ---- consolidation_read.c ---- */

pg_noreturn extern void er_wrong_field(const ErPlace *place, int field, const ErJson *value, const char *expected);
pg_noreturn extern void er_wrong_element(const ErPlace *place, int field, uint32 number, const ErJson *value,
										 const char *expected);
/* For example `exec-x: output.insights[3].title`; field 0 is the element itself. */
extern char *er_place_path(const ErPlace *place, int field);

/* ---- fields ---- */

static inline ErText
er_trim(ErText text)
{
	/* mostly there is nothing to trim */
	if (likely(text.len > 0 && (unsigned char) text.ptr[0] > ' ' && (unsigned char) text.ptr[text.len - 1] > ' '))
		return text;
	while (text.len > 0 && (text.ptr[0] == ' ' || (text.ptr[0] >= '\t' && text.ptr[0] <= '\r')))
	{
		text.ptr++;
		text.len--;
	}
	while (text.len > 0 && (text.ptr[text.len - 1] == ' ' ||
							(text.ptr[text.len - 1] >= '\t' && text.ptr[text.len - 1] <= '\r')))
		text.len--;
	return text;
}

static inline ErText
er_text_field(const ErPlace *place, const ErJson *values, int field)
{
	const ErJson *value = &values[field];
	ErText		text = {NULL, 0};

	if (likely(value->type == JENTRY_ISSTRING))
	{
		if (!er_is_blank(value->ptr, value->len))
		{
			text.ptr = value->ptr;
			text.len = value->len;
		}
	}
	else if (!er_json_is_missing(value))
		er_wrong_field(place, field, value, "a string");
	return text;
}

/* Both are checked, the first that is known is taken. */
static inline ErText
er_text_of_two(const ErPlace *place, const ErJson *values, int first, int second)
{
	ErText		one = er_text_field(place, values, first);
	ErText		two = er_text_field(place, values, second);

	return one.ptr != NULL ? one : two;
}

/* An id is a string; a number is read as its text. False when it is neither, nor missing. */
static inline bool
er_id_of(const ErJson *value, ErText *id)
{
	id->ptr = NULL;
	id->len = 0;
	if (value->type == JENTRY_ISNUMERIC)
		*id = er_number_text(value);
	else if (value->type != JENTRY_ISSTRING)
		return er_json_is_missing(value);
	else if (!er_is_blank(value->ptr, value->len))
	{
		id->ptr = value->ptr;
		id->len = value->len;
		*id = er_trim(*id);
	}
	return true;
}

static inline ErText
er_id_field(const ErPlace *place, const ErJson *values, int field)
{
	ErText		id;

	if (!er_id_of(&values[field], &id))
		er_wrong_field(place, field, &values[field], "a string or a number");
	return id;
}

static inline bool
er_list_field(const ErPlace *place, const ErJson *values, int field)
{
	if (er_json_is_missing(&values[field]))
		return false;
	if (!er_json_is_array(&values[field]))
		er_wrong_field(place, field, &values[field], "an array");
	return true;
}

/* The text, but for case, is this word. Mostly it is in lower case already. */
static inline bool
er_same_word(ErText text, const ErKnownWord *known)
{
	if (text.len != known->len || (text.ptr[0] | 0x20) != known->word[0])
		return false;
	if (likely(er_same_bytes(text.ptr, known->word, text.len)))
		return true;
	for (uint32 i = 0; i < text.len; i++)
	{
		unsigned char c = text.ptr[i];

		if ((c >= 'A' && c <= 'Z' ? c | 0x20 : c) != (unsigned char) known->word[i])
			return false;
	}
	return true;
}

/* One of the words in any case, as it stands in the list; other text as it is. */
static inline ErText
er_word_field(ErText text, const ErKnownWord *words)
{
	text = er_trim(text);
	for (; text.ptr != NULL && words->word != NULL; words++)
		if (er_same_word(text, words))
		{
			text.ptr = words->word;
			break;
		}
	return text;
}

#endif							/* ER_CONSOLIDATION_FIELDS_H */
