/*
 * flags_names.c
 *		Which flags there are: checks of names and of documents of flags, and the error for one nobody knows.
 */
#include "flags_cache.h"

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/formatting.h"
#include "utils/json.h"
#include "utils/varlena.h"

#define MAX_LISTED			20	/* names in an error's detail */
#define MAX_SHOWN			64	/* bytes of a value in an error */

static const char *nearest_flag(ErFlagKey key);
static const char *type_name(const JsonbValue *v);

PG_FUNCTION_INFO_V1(er_check_flag);
PG_FUNCTION_INFO_V1(er_check_flags);

/*
 * An error unless the flag is known.
 */
Datum
er_check_flag(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("flag is null")));
	er_flags_refresh(er_watch_generation(&er_flags_watch));
	(void) er_flags_require(er_flag_text_key(PG_GETARG_TEXT_PP(0), 0));
	PG_RETURN_VOID();
}

/*
 * An error unless this is an object of known flags, each true, false or null.
 */
Datum
er_check_flags(PG_FUNCTION_ARGS)
{
	Jsonb	   *flags;
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	v;
	ErFlagKey	key = {0};

	if (PG_ARGISNULL(0))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("flags is null")));
	flags = PG_GETARG_JSONB_P(0);
	er_flags_refresh(er_watch_generation(&er_flags_watch));

	if (!JB_ROOT_IS_OBJECT(flags))
	{
		if (!JsonbExtractScalar(&flags->root, &v))
			v.type = jbvArray;
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("flags is not an object"),
				 errdetail("It is %s.", type_name(&v)),
				 errhint("Give flags and their values, such as {\"execReportsEnabled\": true}.")));
	}

	it = JsonbIteratorInit(&flags->root);
	while ((token = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
		{
			key.data = v.val.string.val;
			key.len = v.val.string.len;
			(void) er_flags_require(key);
		}
		else if (token == WJB_VALUE && v.type != jbvBool && v.type != jbvNull)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 v.type == jbvString ?
					 errmsg("flags.%s is %s", pnstrdup(key.data, key.len), er_flags_show(v.val.string.val, v.val.string.len)) :
					 errmsg("flags.%s is %s", pnstrdup(key.data, key.len), type_name(&v)),
					 errdetail("A flag is true or false; null removes the override.")));
		CHECK_FOR_INTERRUPTS();
	}
	PG_RETURN_VOID();
}

void
er_flags_unknown(ErFlagKey key)
{
	ErFlag	   *flag = er_flags_find(key);
	const char *nearest = nearest_flag(key);

	if (flag != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("flag %s is archived", er_flags_show(key.data, key.len)),
				 errdetail("execreport.archive_flag() has put it away."),
				 errhint("A superuser brings it back with execreport.restore_flag().")));
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("unknown flag %s", er_flags_show(key.data, key.len)),
			 errdetail("Known flags: %s.", er_flags_list()),
			 nearest == NULL ? 0 : errhint("Perhaps you mean \"%s\".", nearest)));
}

/*
 * The known flag that takes fewest edits, case aside, and not more than a third of its length.
 */
static const char *
nearest_flag(ErFlagKey key)
{
	const char *nearest = NULL;
	int			least = INT_MAX;
	char	   *lower;

	if (key.len == 0 || key.len > MAX_SHOWN)
		return NULL;
	lower = asc_tolower(key.data, key.len);
	for (int i = 0; i < er_flags.nflags; i++)
	{
		const ErFlag *flag = &er_flags.flags[i];
		int			edits;

		if (flag->archived || flag->key.len > MAX_SHOWN)
			continue;
		edits = varstr_levenshtein(lower, key.len, asc_tolower(flag->key.data, flag->key.len), flag->key.len,
								   1, 1, 1, true);
		if (edits < least && edits <= flag->key.len / 3)
		{
			nearest = flag->key.data;
			least = edits;
		}
	}
	return nearest;
}

char *
er_flags_list(void)
{
	StringInfoData buf;
	int			known = 0;

	initStringInfo(&buf);
	for (int i = 0; i < er_flags.nflags; i++)
	{
		if (er_flags.flags[i].archived)
			continue;
		if (known++ < MAX_LISTED)
			appendStringInfo(&buf, "%s%s", known == 1 ? "" : ", ", er_flags.flags[i].key.data);
	}
	if (known > MAX_LISTED)
		appendStringInfo(&buf, " and %d more", known - MAX_LISTED);
	return buf.data;
}

/* Quoted as JSON does it, and clipped. */
char *
er_flags_show(const char *data, int len)
{
	StringInfoData buf;
	int			shown = pg_mbcliplen(data, len, MAX_SHOWN);

	initStringInfo(&buf);
	escape_json(&buf, pnstrdup(data, shown));
	if (shown < len)
		appendStringInfoString(&buf, "...");
	return buf.data;
}

static const char *
type_name(const JsonbValue *v)
{
	switch (v->type)
	{
		case jbvNull:
			return "null";
		case jbvString:
			return "a string";
		case jbvNumeric:
			return "a number";
		case jbvBool:
			return "a boolean";
		case jbvBinary:
			return JsonContainerIsObject(v->val.binary.data) ? "an object" : "an array";
		default:
			return "an array";
	}
}
