/*
 * json_schema_errors.c
 *		The problems that the judging of an instance finds.
 *
 * A list takes no more than its limit says, nor more than MAX_ERROR_BYTES of text. Problems of the branches of anyOf
 * and oneOf are provisional: a list that is full only for now has room again when they are dropped.
 */
#include "postgres.h"

#include "json_schema.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"

#define MAX_ERROR_BYTES ((Size) 64 * 1024 * 1024)

static bool has_room(ErJsErrors *errors);
static void add_error(ErJsErrors *errors, const ErJsPlace *at, char *schema_path, const char *keyword, char *message);
static char *instance_path(const ErJsPlace *at);
static Size error_bytes(const ErJsError *e);

/* What is allocated from here on lives until er_js_add_problem(): many problems of branches are noted only to be dropped. */
void
er_js_begin_problem(ErJsErrors *errors)
{
	if (errors->words == NULL)
		errors->words = AllocSetContextCreate(CurrentMemoryContext, "execreport words of a problem", ALLOCSET_SMALL_SIZES);
	errors->caller = MemoryContextSwitchTo(errors->words);
}

/* Notes a problem that er_js_begin_problem() began. Always false. */
bool
er_js_add_problem(ErJsErrors *errors, const ErJsNode *node, const char *keyword, const ErJsPlace *at,
				  const char *fmt,...)
{
	StringInfoData buf;
	char	   *path;
	va_list		args;
	int			need;

	MemoryContextSwitchTo(errors->caller);
	if (!has_room(errors))
	{
		MemoryContextReset(errors->words);
		return false;
	}
	initStringInfo(&buf);
	for (;;)
	{
		va_start(args, fmt);
		need = appendStringInfoVA(&buf, fmt, args);
		va_end(args);
		if (need == 0)
			break;
		enlargeStringInfo(&buf, need);
	}
	MemoryContextReset(errors->words);
	path = er_js_node_path(node);
	add_error(errors, at, psprintf("%s/%s", path, keyword), keyword, buf.data);
	pfree(path);
	return false;
}

/* The same for a false schema. */
bool
er_js_add_forbidden(ErJsErrors *errors, const ErJsNode *node, const ErJsPlace *at)
{
	char	   *message;

	if (!has_room(errors))
		return false;
	if (at == NULL || strcmp(node->keyword, "propertyNames") == 0)
		message = pstrdup("no value is allowed here");
	else if (at->key != NULL)
		message = psprintf("property \"%s\" is not allowed", er_js_clip(at->key, at->len, 200));
	else
		message = psprintf("item %u is not allowed", at->index);
	add_error(errors, at, er_js_node_path(node), node->keyword[0] == '\0' ? "false" : node->keyword, message);
	return false;
}

/* What is noted from here on may be dropped: returns what er_js_end_provisional() takes. errors may be NULL. */
int
er_js_begin_provisional(ErJsErrors *errors)
{
	if (errors == NULL)
		return 0;
	errors->provisional++;
	return errors->count;
}

/* Keeps what was noted since then, or drops it. */
void
er_js_end_provisional(ErJsErrors *errors, int start, bool drop)
{
	if (errors == NULL)
		return;
	errors->provisional--;
	while (drop && errors->count > start)
	{
		ErJsError  *e = &errors->list[--errors->count];

		errors->bytes -= error_bytes(e);
		pfree(e->instance_path);
		pfree(e->schema_path);
		pfree(e->keyword);
		pfree(e->message);
	}
}

/* Room for one more error; a list that is full for good says so. */
static bool
has_room(ErJsErrors *errors)
{
	if (errors->count < errors->limit && errors->bytes < MAX_ERROR_BYTES)
		return true;
	errors->full = errors->provisional == 0;
	return false;
}

static void
add_error(ErJsErrors *errors, const ErJsPlace *at, char *schema_path, const char *keyword, char *message)
{
	ErJsError  *e;

	if (errors->count == errors->space)
	{
		errors->space = errors->space == 0 ? 16 : errors->space * 2;
		errors->list = errors->list == NULL ?
			palloc(sizeof(ErJsError) * errors->space) :
			repalloc(errors->list, sizeof(ErJsError) * errors->space);
	}
	e = &errors->list[errors->count++];
	e->instance_path = instance_path(at);
	e->schema_path = schema_path;
	e->keyword = pstrdup(keyword);
	e->message = message;
	errors->bytes += error_bytes(e);
}

static char *
instance_path(const ErJsPlace *at)
{
	StringInfoData buf;
	const ErJsPlace **chain;
	int			depth = 0;

	for (const ErJsPlace *p = at; p != NULL; p = p->up)
		depth++;
	chain = palloc(sizeof(ErJsPlace *) * Max(depth, 1));
	for (int i = depth; i > 0; at = at->up)
		chain[--i] = at;
	initStringInfo(&buf);
	for (int i = 0; i < depth; i++)
	{
		if (chain[i]->key != NULL)
			er_js_append_token(&buf, chain[i]->key, chain[i]->len);
		else
			appendStringInfo(&buf, "/%u", chain[i]->index);
	}
	pfree(chain);
	return buf.data;
}

static Size
error_bytes(const ErJsError *e)
{
	return strlen(e->instance_path) + strlen(e->schema_path) + strlen(e->keyword) + strlen(e->message) + 256;
}
