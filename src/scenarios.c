/*
 * scenarios.c
 *		Names that are compared, and documents in the one spelling that is read.
 *
 * Two names are the same when they are equal after: format characters dropped; NFC; full case folding; every run of space
 * and control characters one space, none at the ends. Punctuation counts: C, C++ and C# are three skills. The tables of
 * folding are ours, so the result depends neither on the locale nor on the server's version. In a database whose encoding
 * is not UTF8 only ASCII is folded.
 *
 * The name that people read is the same without folding.
 */
#include "compat.h"

#include "common/unicode_norm.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/bitmapset.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "consolidation.h"

/* A name has at most so many characters; the normalisation is quadratic in a run of combining marks. */
#define MAX_NAME 255

#define SPELLINGS_DEPTH 12

typedef struct Spelling
{
	const char *from;
	const char *to;
} Spelling;

/* In bytewise order of from. */
static const Spelling spellings[] = {
	{"analisis_de_impacto", "impact_analysis"},
	{"analisis_impacto", "impact_analysis"},
	{"capacidades", "capabilities"},
	{"competencias", "competencies"},
	{"competencias_clave", "key_competencies"},
	{"composicion_de_talento", "talent_composition"},
	{"composicion_talento", "talent_composition"},
	{"confianza", "confidence_score"},
	{"confidenceScore", "confidence_score"},
	{"descripcion", "description"},
	{"descripci\xc3\xb3n", "description"},
	{"escenario", "scenario_metadata"},
	{"estimatedFte", "estimated_fte"},
	{"estrategia_sugerida", "strategy_suggestion"},
	{"fte_estimado", "estimated_fte"},
	{"generado_en", "generated_at"},
	{"generatedAt", "generated_at"},
	{"habilidades", "skills"},
	{"horizonMonths", "horizon_months"},
	{"horizonte_meses", "horizon_months"},
	{"humanPercentage", "human_percentage"},
	{"impactAnalysis", "impact_analysis"},
	{"justificacion", "logic_justification"},
	{"justificaci\xc3\xb3n", "logic_justification"},
	{"keyCompetencies", "key_competencies"},
	{"logicJustification", "logic_justification"},
	{"metadatos_escenario", "scenario_metadata"},
	{"nivel_requerido", "required_level"},
	{"nombre", "name"},
	{"planningHorizonMonths", "planning_horizon_months"},
	{"porcentaje_humano", "human_percentage"},
	{"porcentaje_sintetico", "synthetic_percentage"},
	{"requiredLevel", "required_level"},
	{"roles_sugeridos", "suggested_roles"},
	{"scenarioMetadata", "scenario_metadata"},
	{"scenarioType", "scenario_type"},
	{"strategySuggestion", "strategy_suggestion"},
	{"suggestedRoles", "suggested_roles"},
	{"supuestos", "assumptions"},
	{"syntheticPercentage", "synthetic_percentage"},
	{"talentComposition", "talent_composition"},
	{"tipo_escenario", "scenario_type"},
};

static text *normal_name(text *name, bool fold);
static text *ascii_name(const char *bytes, int len, bool fold);
static bool is_space(pg_wchar c);
static bool is_format(pg_wchar c);
static void respell(JsonbParseState **state, JsonbContainer *from, int depth, JsonbValue **result);
static void respell_object(JsonbParseState **state, JsonbContainer *from, int depth, JsonbValue **result);
static const Spelling *find_spelling(const char *key, int len);
static bool is_free(const JsonbValue *key);

PG_FUNCTION_INFO_V1(er_name_key);
PG_FUNCTION_INFO_V1(er_name_text);
PG_FUNCTION_INFO_V1(er_scenario_spelling);

/* _name_key(name text): what names are compared by; NULL for one that is blank or too long */
Datum
er_name_key(PG_FUNCTION_ARGS)
{
	text	   *result = normal_name(PG_GETARG_TEXT_PP(0), true);

	if (result == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(result);
}

/* _name_text(name text): the name as it is stored; NULL for one that is blank or too long */
Datum
er_name_text(PG_FUNCTION_ARGS)
{
	text	   *result = normal_name(PG_GETARG_TEXT_PP(0), false);

	if (result == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(result);
}

/* _scenario_spelling(document jsonb): the document with English snake_case keys */
Datum
er_scenario_spelling(PG_FUNCTION_ARGS)
{
	Jsonb	   *document = PG_GETARG_JSONB_P(0);
	JsonbParseState *state = NULL;
	JsonbValue *result = NULL;

	if (JB_ROOT_IS_SCALAR(document))
		PG_RETURN_JSONB_P(document);
	respell(&state, &document->root, 0, &result);
	PG_RETURN_JSONB_P(JsonbValueToJsonb(result));
}

static text *
normal_name(text *name, bool fold)
{
	const char *bytes = VARDATA_ANY(name);
	int			len = VARSIZE_ANY_EXHDR(name);
	pg_wchar	wide[MAX_NAME + 1];
	pg_wchar   *normal;
	pg_wchar	folded[MAX_NAME * 3 + 1];
	int			count = 0;
	int			total = 0;
	char	   *out;
	char	   *p;
	bool		beyond_ascii = false;

	if (len > MAX_NAME * 4)
		return NULL;
	for (int i = 0; i < len && !beyond_ascii; i++)
		beyond_ascii = (unsigned char) bytes[i] >= 128;
	if (!beyond_ascii || GetDatabaseEncoding() != PG_UTF8)
		return ascii_name(bytes, len, fold);

	for (const char *at = bytes; at < bytes + len; at += pg_utf_mblen((const unsigned char *) at))
	{
		pg_wchar	c = utf8_to_unicode((const unsigned char *) at);

		if (total++ == MAX_NAME)
			return NULL;
		/* they would keep letters and marks apart that belong together */
		if (!is_format(c))
			wide[count++] = c;
	}
	wide[count] = 0;
	normal = unicode_normalize(UNICODE_NFC, wide);
	count = 0;
	for (const pg_wchar *c = normal; *c != 0; c++)
	{
		if (is_space(*c))
		{
			if (count > 0 && folded[count - 1] != ' ')
				folded[count++] = ' ';
		}
		else if (fold)
			count += er_fold_character(*c, folded + count);
		else
			folded[count++] = *c;
		if (count > MAX_NAME * 3 - 3)
			return NULL;
	}
	if (count > 0 && folded[count - 1] == ' ')
		count--;
	if (count == 0)
		return NULL;
	folded[count] = 0;
	if (fold)
		normal = unicode_normalize(UNICODE_NFC, folded);	/* folding may take letters apart */
	else
		normal = folded;

	p = out = palloc(count * 4 * MAX_MULTIBYTE_CHAR_LEN + 1);
	for (const pg_wchar *c = normal; *c != 0; c++)
	{
		unicode_to_utf8(*c, (unsigned char *) p);
		p += pg_utf_mblen((unsigned char *) p);
	}
	return cstring_to_text_with_len(out, p - out);
}

static text *
ascii_name(const char *bytes, int len, bool fold)
{
	text	   *result;
	char	   *out;
	int			used = 0;

	if (len > MAX_NAME)
		return NULL;
	result = palloc(VARHDRSZ + len);
	out = VARDATA(result);
	for (int i = 0; i < len; i++)
	{
		char		c = bytes[i];

		if (is_space((unsigned char) c))
		{
			if (used > 0 && out[used - 1] != ' ')
				out[used++] = ' ';
		}
		else
			out[used++] = fold && c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
	}
	if (used > 0 && out[used - 1] == ' ')
		used--;
	if (used == 0)
		return NULL;
	SET_VARSIZE(result, VARHDRSZ + used);
	return result;
}

/* White_Space and the control characters */
static bool
is_space(pg_wchar c)
{
	if (c < 128)
		return c <= ' ' || c == 0x7F;
	return (c >= 0x80 && c <= 0xA0) || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 ||
		c == 0x202F || c == 0x205F || c == 0x3000;
}

/* Characters that nobody sees: soft hyphen, zero width, marks of direction, byte order mark */
static bool
is_format(pg_wchar c)
{
	return c == 0xAD || (c >= 0x200B && c <= 0x200F) || (c >= 0x202A && c <= 0x202E) || (c >= 0x2060 && c <= 0x2064) ||
		(c >= 0x2066 && c <= 0x206F) || c == 0xFEFF;
}

static void
respell(JsonbParseState **state, JsonbContainer *from, int depth, JsonbValue **result)
{
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	v;

	check_stack_depth();
	if (JsonContainerIsObject(from))
	{
		respell_object(state, from, depth, result);
		return;
	}
	it = JsonbIteratorInit(from);
	while ((token = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
	{
		CHECK_FOR_INTERRUPTS();
		if (token == WJB_ELEM && v.type == jbvBinary && depth < SPELLINGS_DEPTH)
			respell(state, v.val.binary.data, depth + 1, result);
		else
			*result = pushJsonbValue(state, token, token == WJB_ELEM ? &v : NULL);
	}
}

/* Where an object has both spellings, the other one stays as it is, and the contract refuses it. */
static void
respell_object(JsonbParseState **state, JsonbContainer *from, int depth, JsonbValue **result)
{
	JsonbIterator *it = JsonbIteratorInit(from);
	JsonbIteratorToken token;
	JsonbValue	v;
	bool		free_form = false;
	Bitmapset  *taken = NULL;

	while ((token = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
	{
		CHECK_FOR_INTERRUPTS();
		if (token == WJB_KEY)
		{
			const Spelling *other = find_spelling(v.val.string.val, v.val.string.len);
			JsonbValue	there;

			if (other != NULL && getKeyJsonValueFromContainer(from, other->to, strlen(other->to), &there) == NULL)
			{
				/* of several other spellings of one key the first counts */
				int			first = 0;

				while (strcmp(spellings[first].to, other->to) != 0)
					first++;
				if (!bms_is_member(first, taken))
				{
					taken = bms_add_member(taken, first);
					v.val.string.val = unconstify(char *, other->to);
					v.val.string.len = strlen(other->to);
				}
			}
			free_form = is_free(&v);
			*result = pushJsonbValue(state, token, &v);
		}
		else if (token == WJB_VALUE && v.type == jbvBinary && depth < SPELLINGS_DEPTH && !free_form)
			respell(state, v.val.binary.data, depth + 1, result);
		else
			*result = pushJsonbValue(state, token, token == WJB_VALUE ? &v : NULL);
	}
	bms_free(taken);
}

static const Spelling *
find_spelling(const char *key, int len)
{
	int			low = 0;
	int			high = lengthof(spellings) - 1;

	while (low <= high)
	{
		int			middle = (low + high) / 2;
		int			other = strlen(spellings[middle].from);
		int			order = memcmp(key, spellings[middle].from, Min(len, other));

		if (order == 0)
			order = len - other;
		if (order == 0)
			return &spellings[middle];
		if (order < 0)
			high = middle - 1;
		else
			low = middle + 1;
	}
	return NULL;
}

/* Values that are kept as they came */
static bool
is_free(const JsonbValue *key)
{
	return (key->val.string.len == strlen("impact_analysis") &&
			memcmp(key->val.string.val, "impact_analysis", key->val.string.len) == 0) ||
		(key->val.string.len == strlen("assumptions") &&
		 memcmp(key->val.string.val, "assumptions", key->val.string.len) == 0);
}
