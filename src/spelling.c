/*
 * spelling.c
 *		Documents with camelCase members, brought to snake_case at every depth.
 *
 * A key is translated when it looks like camelCase: letters and digits alone, beginning with a small letter. An
 * underscore goes before a capital that follows a small letter or digit, and before the last capital of a run that a
 * small letter follows: isCMOSafe is is_cmo_safe. Other keys stay as they are. Where an object has a member in both
 * spellings, the two must be equal.
 */
#include "compat.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

typedef struct Path
{
	const struct Path *parent;
	const char *name;			/* member, or NULL for an element */
	int			index;
} Path;

typedef struct Pair
{
	JsonbValue	key;			/* as written */
	JsonbValue	value;
	char	   *snake;
	int			snake_length;
} Pair;

static void convert(JsonbParseState **state, const JsonbContainer *from, const Path *path, JsonbValue **result);
static void convert_object(JsonbParseState **state, const JsonbContainer *from, const Path *path, JsonbValue **result);
static int	compare_pairs(const void *a, const void *b);
static char *snake_case(const char *key, int length, int *snake_length);
static char *path_text(const Path *path);

PG_FUNCTION_INFO_V1(er_snake_case);

Datum
er_snake_case(PG_FUNCTION_ARGS)
{
	Jsonb	   *document = PG_GETARG_JSONB_P(0);
	JsonbParseState *state = NULL;
	JsonbValue *result = NULL;
	Path		path = {NULL, "document", 0};

	if (JB_ROOT_IS_SCALAR(document))
		PG_RETURN_JSONB_P(document);
	convert(&state, &document->root, &path, &result);
	PG_RETURN_JSONB_P(JsonbValueToJsonb(result));
}

static void
convert(JsonbParseState **state, const JsonbContainer *from, const Path *parent, JsonbValue **result)
{
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	v;
	Path		path = {parent, NULL, 0};

	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	if (JsonContainerIsObject(from))
	{
		convert_object(state, from, parent, result);
		return;
	}

	it = JsonbIteratorInit((JsonbContainer *) from);
	while ((token = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
	{
		if (token == WJB_ELEM && v.type == jbvBinary)
			convert(state, v.val.binary.data, &path, result);
		else
			*result = pushJsonbValue(state, token, token == WJB_ELEM ? &v : NULL);
		if (token == WJB_ELEM)
			path.index++;
	}
}

static void
convert_object(JsonbParseState **state, const JsonbContainer *from, const Path *parent, JsonbValue **result)
{
	int			count = JsonContainerSize(from);
	Pair	   *pairs = palloc(sizeof(Pair) * Max(count, 1));
	Pair	   *pair = pairs;
	const Pair *written = NULL;
	Jsonb	   *written_value = NULL;
	JsonbIterator *it = JsonbIteratorInit((JsonbContainer *) from);
	JsonbIteratorToken token;
	JsonbValue	v;

	while ((token = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
		{
			pair->key = v;
			pair->snake = snake_case(v.val.string.val, v.val.string.len, &pair->snake_length);
		}
		else if (token == WJB_VALUE)
			(pair++)->value = v;
	}
	qsort(pairs, count, sizeof(Pair), compare_pairs);

	*result = pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	for (pair = pairs; pair < pairs + count; pair++)
	{
		Path		path = {parent, pair->snake, 0};
		JsonbValue	key;
		JsonbValue	value = pair->value;
		bool		built = false;
		bool		again = written != NULL && written->snake_length == pair->snake_length &&
			memcmp(written->snake, pair->snake, pair->snake_length) == 0;

		/* whoever stands beside its twin is built apart, to be compared */
		if (again || (pair + 1 < pairs + count && compare_pairs(pair, pair + 1) == 0))
		{
			Jsonb	   *apart;

			if (value.type == jbvBinary)
			{
				JsonbParseState *own_state = NULL;
				JsonbValue *own_result = NULL;

				convert(&own_state, value.val.binary.data, &path, &own_result);
				apart = JsonbValueToJsonb(own_result);
				/* taken over as it is: building it once more would double the work at every level of twins */
				value.val.binary.data = &apart->root;
				value.val.binary.len = VARSIZE(apart) - VARHDRSZ;
				built = true;
			}
			else
				apart = JsonbValueToJsonb(&value);
			if (again)
			{
				if (compareJsonbContainers(&written_value->root, &apart->root) != 0)
					ereport(ERROR,
							(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							 errmsg("%s is given in two spellings with different values", path_text(&path)),
							 errdetail("They are \"%s\" and \"%s\".",
									   pnstrdup(written->key.val.string.val, Min(written->key.val.string.len, 64)),
									   pnstrdup(pair->key.val.string.val, Min(pair->key.val.string.len, 64))),
							 errhint("Give it once.")));
				continue;
			}
			written_value = apart;
		}

		key.type = jbvString;
		key.val.string.val = pair->snake;
		key.val.string.len = pair->snake_length;
		*result = pushJsonbValue(state, WJB_KEY, &key);
		if (value.type == jbvBinary && !built)
			convert(state, value.val.binary.data, &path, result);
		else
			*result = pushJsonbValue(state, WJB_VALUE, &value);
		written = pair;
	}
	*result = pushJsonbValue(state, WJB_END_OBJECT, NULL);
}

static int
compare_pairs(const void *a, const void *b)
{
	const Pair *x = a;
	const Pair *y = b;

	if (x->snake_length != y->snake_length)
		return x->snake_length < y->snake_length ? -1 : 1;
	return memcmp(x->snake, y->snake, x->snake_length);
}

static char *
snake_case(const char *key, int length, int *snake_length)
{
	char	   *snake;
	int			n = 0;

#define IS_SMALL(c) ((c) >= 'a' && (c) <= 'z')
#define IS_CAPITAL(c) ((c) >= 'A' && (c) <= 'Z')
#define IS_DIGIT(c) ((c) >= '0' && (c) <= '9')
	*snake_length = length;
	if (length == 0 || !IS_SMALL(key[0]))
		return pnstrdup(key, length);
	for (int i = 0; i < length; i++)
	{
		if (!IS_SMALL(key[i]) && !IS_CAPITAL(key[i]) && !IS_DIGIT(key[i]))
			return pnstrdup(key, length);
	}

	snake = palloc(2 * length + 1);
	for (int i = 0; i < length; i++)
	{
		if (IS_CAPITAL(key[i]))
		{
			if (!IS_CAPITAL(key[i - 1]) || (i + 1 < length && IS_SMALL(key[i + 1])))
				snake[n++] = '_';
			snake[n++] = key[i] + ('a' - 'A');
		}
		else
			snake[n++] = key[i];
	}
	snake[n] = '\0';
	*snake_length = n;
	return snake;
}

static char *
path_text(const Path *path)
{
	char	   *before = path->parent == NULL ? "" : path_text(path->parent);

	if (path->name == NULL)
		return psprintf("%s[%d]", before, path->index);
	return psprintf("%s%s%s", before, *before == '\0' ? "" : ".",
					pnstrdup(path->name, pg_mbcliplen(path->name, strlen(path->name), 64)));
}
