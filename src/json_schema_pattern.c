/*
 * json_schema_pattern.c
 *		Patterns, compiled and matched by PostgreSQL's regular expression engine over code points.
 *
 * Pattern and string are handed to the engine as Unicode whatever the encoding of the database is, under the C
 * collation. Before PostgreSQL 16 the engine takes its memory from malloc, so a callback of the memory context that
 * owns a pattern gives it back. Matching can be cancelled.
 */
#include "postgres.h"

#include "json_schema.h"

#include "catalog/pg_collation.h"
#include "miscadmin.h"
#include "utils/memutils.h"

struct ErJsPattern
{
	char	   *text;
	pg_regex_t	regex;
	MemoryContextCallback release;
};

static pg_wchar *code_points(const char *str, uint32 len, pg_wchar *buffer, Size space, int *count);
static void release_regex(void *arg);

/*
 * Compiles a pattern into the current memory context, which owns it from then on. NULL with state and problem
 * when that is not possible.
 */
ErJsPattern *
er_js_pattern(const char *src, uint32 len, ErJsRegexState *state, const char **problem, Size *bytes)
{
	ErJsTranslation t;
	ErJsPattern *pattern;
	pg_wchar   *wide;
	int			count;
	int			rc;
	char		message[200];

	wide = code_points(src, len, NULL, 0, &count);
	if (!er_js_translate(wide, count, false, &t))
	{
		*state = t.state;
		*problem = t.problem;
		return NULL;
	}
	pattern = MemoryContextAllocZero(CurrentMemoryContext, sizeof(ErJsPattern));
	pattern->text = pnstrdup(src, len);
	rc = pg_regcomp(&pattern->regex, t.pattern, t.len,
					REG_ADVANCED | (t.has_references ? 0 : REG_NOSUB), C_COLLATION_OID);
	if (rc != REG_OKAY)
	{
		CHECK_FOR_INTERRUPTS();
		pg_regerror(rc, &pattern->regex, message, sizeof(message));
		*state = rc == REG_ETOOBIG || rc == REG_ESPACE || rc == REG_ECOLORS ?
			ER_JS_REGEX_TOO_BIG : ER_JS_REGEX_UNSUPPORTED;
		*problem = psprintf("The regular expression engine says: %s.", message);
		return NULL;
	}
	pattern->release.func = release_regex;
	pattern->release.arg = pattern;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &pattern->release);

	/* the engine does not tell what it holds: measured at about 20 kB and some 100 bytes a character */
	*bytes += 20000 + (Size) t.len * 100;
	pfree(t.pattern);
	pfree(wide);
	return pattern;
}

static void
release_regex(void *arg)
{
	pg_regfree(&((ErJsPattern *) arg)->regex);
}

const char *
er_js_pattern_text(const ErJsPattern *pattern)
{
	return pattern->text;
}

bool
er_js_pattern_matches(ErJsPattern *pattern, const char *str, uint32 len)
{
	pg_wchar	buffer[256];
	pg_wchar   *wide;
	int			count;
	int			rc;
	char		message[200];

	wide = code_points(str, len, buffer, lengthof(buffer), &count);
	rc = pg_regexec(&pattern->regex, wide, count, 0, NULL, 0, NULL, 0);
	if (wide != buffer)
		pfree(wide);
	if (rc == REG_OKAY || rc == REG_NOMATCH)
		return rc == REG_OKAY;
	CHECK_FOR_INTERRUPTS();
	pg_regerror(rc, &pattern->regex, message, sizeof(message));
	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("pattern \"%s\" could not be matched: %s", er_js_clip(pattern->text, strlen(pattern->text), 200),
					message)));
	return false;
}

/* Whether a text is a regular expression of ECMA-262, for the format "regex". A document may have many: nothing is kept. */
bool
er_js_is_regex(const char *src, uint32 len)
{
	MemoryContext own = AllocSetContextCreate(CurrentMemoryContext, "execreport regex", ALLOCSET_SMALL_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(own);
	ErJsTranslation t;
	pg_wchar   *wide;
	int			count;
	bool		ok;

	wide = code_points(src, len, NULL, 0, &count);
	ok = er_js_translate(wide, count, true, &t) || t.state != ER_JS_REGEX_INVALID;
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(own);
	return ok;
}

/* Text of the database as Unicode code points, in the buffer when it fits. */
static pg_wchar *
code_points(const char *str, uint32 len, pg_wchar *buffer, Size space, int *count)
{
	const unsigned char *s;
	const unsigned char *end;
	char	   *converted = NULL;
	pg_wchar   *out = buffer;
	int			n = 0;

	if (GetDatabaseEncoding() != PG_UTF8 && GetDatabaseEncoding() != PG_SQL_ASCII)
	{
		converted = pg_server_to_any(str, len, PG_UTF8);
		if (converted != str)
		{
			str = converted;
			len = strlen(str);
		}
	}
	if (len > MaxAllocSize / sizeof(pg_wchar) - 1)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("string of %u bytes is too long to be matched with a pattern", len)));
	if (len >= space)
		out = palloc(sizeof(pg_wchar) * ((Size) len + 1));
	s = (const unsigned char *) str;
	for (end = s + len; s < end; n++)
	{
		int			bytes = *s < 0x80 ? 1 : Min(pg_utf_mblen(s), (int) (end - s));

		if (bytes == 1)
			out[n] = *s;
		else if (bytes == 2)
			out[n] = ((s[0] & 0x1f) << 6) | (s[1] & 0x3f);
		else if (bytes == 3)
			out[n] = ((s[0] & 0x0f) << 12) | ((s[1] & 0x3f) << 6) | (s[2] & 0x3f);
		else
			out[n] = ((s[0] & 0x07) << 18) | ((s[1] & 0x3f) << 12) | ((s[2] & 0x3f) << 6) | (s[3] & 0x3f);
		s += bytes;
	}
	out[n] = 0;
	*count = n;
	if (converted != NULL && converted == str)
		pfree(converted);
	return out;
}
