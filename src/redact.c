/*
 * redact.c
 *		Takes what nobody else should read out of texts: addresses, numbers of people and cards, secrets.
 *
 *	[email]		an address with a domain
 *	[card]		13 to 19 digits, also in groups, whose check digit (Luhn) is right, or four groups of four
 *	[ssn]		123-45-6789
 *	[phone]		+ and 8 to 15 digits, or 9 to 15 digits, also in groups; but no date, no list of years
 *	[token]		what follows Bearer
 *	[token-1f3a9c]	a word of 20 characters or more of letters and digits mixed; a JSON Web Token. It may just as well be an id that
 *				something else refers to: the same word is the same mark everywhere, another word another.
 *	[key]		what follows a name that ends with api_key, apikey, token, secret or password and = or :; words that begin
 *				as keys do (sk-, ghp_, AKIA)
 *
 * UUIDs, hyphenated names and plain words stay. One pass, no regular expressions: an answer may have megabytes. In
 * documents only strings change; the string under a key such as api_key is taken out whole, and ids stay.
 */
#include "compat.h"

#include "common/hashfn.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#define IS_DIGIT(c) ((c) >= '0' && (c) <= '9')
#define IS_CAPITAL(c) ((c) >= 'A' && (c) <= 'Z')
#define IS_LETTER(c) (((c) >= 'a' && (c) <= 'z') || IS_CAPITAL(c))
#define IS_ALNUM(c) (IS_DIGIT(c) || IS_LETTER(c))
#define IS_WORD(c) (IS_ALNUM(c) || (c) == '_' || (c) == '-' || ((c) & 0x80))
#define IS_BLANK(c) ((c) == ' ' || (c) == '\t')

#define LONGEST_NAME 64			/* bytes of a word that may be the name of a secret */

/* The word before = or :, or its end, such as that of DB_PASSWORD and dbPassword; small letters without _ and - */
static const char *const secret_names[] = {
	"apikey", "token", "accesstoken", "refreshtoken", "authtoken", "secret", "clientsecret", "secretkey", "accesskey",
	"password", "passwd", "pwd", "authorization", "privatekey", "contrasena"
};
static const char *const key_beginnings[] = {
	"sk-", "sk_", "pk_", "rk_", "ghp_", "gho_", "ghs_", "ghu_", "github_pat_", "glpat-", "xoxb-", "xoxp-", "xoxa-", "AKIA", "ASIA", "AIza", "ya29."
};

static int	settled_length(const char *text, int len);
static bool redact(const char *text, int len, StringInfo out);
static int	secret_at(const char *text, int at, int len, StringInfo out);
static int	email_at(const char *text, int at, int len, StringInfo out);
static int	digits_at(const char *text, int at, int len, StringInfo out);
static int	key_at(const char *text, int at, int len, StringInfo out);
static int	skip_quotes(const char *text, int at, int len);
static bool is_secret_name(const char *name, int len);
static bool is_secret_word(const char *name, int len);
static bool is_id_name(const char *name, int len);
static bool looks_random(const char *word, int len);
static bool passes_luhn(const char *digits, int count);
static void redact_container(JsonbParseState **state, JsonbContainer *from, JsonbValue **result);
static void redact_value(JsonbValue *value);

PG_FUNCTION_INFO_V1(er_redact);
PG_FUNCTION_INFO_V1(er_redact_document);

Datum
er_redact(PG_FUNCTION_ARGS)
{
	text	   *from = PG_GETARG_TEXT_PP(0);
	bool		growing = PG_GETARG_BOOL(1);
	int			whole = VARSIZE_ANY_EXHDR(from);
	int			len = growing ? settled_length(VARDATA_ANY(from), whole) : whole;
	StringInfoData out;

	initStringInfo(&out);
	if (!redact(VARDATA_ANY(from), len, &out) && len == whole)
		PG_RETURN_TEXT_P(from);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(out.data, out.len));
}

Datum
er_redact_document(PG_FUNCTION_ARGS)
{
	Jsonb	   *document = PG_GETARG_JSONB_P(0);
	JsonbParseState *state = NULL;
	JsonbValue *result = NULL;

	redact_container(&state, &document->root, &result);
	PG_RETURN_JSONB_P(JsonbValueToJsonb(result));
}

/*
 * How much of a text that still grows will not be read otherwise when more of it has come. Nothing that is taken out, nor
 * the name before it, goes past one of these characters; what stands behind the last of them may be half a secret.
 */
static int
settled_length(const char *text, int len)
{
	while (len > 0 && strchr(",;]}\n\r", text[len - 1]) == NULL)
		len--;
	return len;
}

/* False when nothing was to be taken out; then out has the text as it is. */
static bool
redact(const char *text, int len, StringInfo out)
{
	bool		changed = false;
	int			at = 0;
	uint32		steps = 0;

	while (at < len)
	{
		unsigned char c = text[at];
		int			start = at;
		int			next = -1;

		if ((++steps & 0xFFF) == 0)
			CHECK_FOR_INTERRUPTS();
		/* something may begin where a word begins */
		if (IS_ALNUM(c) || c == '+' || c == '(' || c == '_' || c == '-' || (c & 0x80))
		{
			next = email_at(text, at, len, out);
			if (next < 0)
				next = secret_at(text, at, len, out);
			if (next < 0)
				next = digits_at(text, at, len, out);
			if (next < 0)
				next = key_at(text, at, len, out);
		}
		if (next >= 0)
		{
			changed = true;
			at = next;
			continue;
		}
		/* else the whole word is plain; a line break or a tab as JSON writes it is no part of the next one */
		at++;
		if (c == '\\' && at < len && strchr("nrt", text[at]) != NULL && text[at] != '\0')
			at++;
		else if (IS_WORD(c))
			while (at < len && IS_WORD((unsigned char) text[at]))
				at++;
		appendBinaryStringInfo(out, text + start, at - start);
	}
	return changed;
}

/* name = value, and Bearer value: the name stays. Where the next text begins, or -1. */
static int
secret_at(const char *text, int at, int len, StringInfo out)
{
	int			end = at;
	int			value;
	int			stop;

	while (end < len && end - at < LONGEST_NAME && IS_WORD((unsigned char) text[end]))
		end++;
	/* api key = ... */
	if (end - at == 3 && pg_strncasecmp(text + at, "api", 3) == 0 && end + 4 <= len && text[end] == ' ' &&
		pg_strncasecmp(text + end + 1, "key", 3) == 0)
		end += 4;
	value = end;
	while (value < len && IS_BLANK(text[value]))
		value++;
	if (end - at == 6 && pg_strncasecmp(text + at, "bearer", 6) == 0 && value > end)
	{
		bool		digit = false;

		for (stop = value; stop < len && (IS_ALNUM(text[stop]) || strchr("._~+/=-", text[stop]) != NULL) && text[stop] != '\0'; stop++)
			digit |= IS_DIGIT(text[stop]);
		if (stop - value < 8 || (!digit && stop - value < 20))
			return -1;
		appendBinaryStringInfo(out, text + at, value - at);
		appendStringInfoString(out, "[token]");
		return stop;
	}
	value = skip_quotes(text, value, len);
	if (value == len || (text[value] != '=' && text[value] != ':') || !is_secret_name(text + at, end - at))
		return -1;
	value = skip_quotes(text, value + 1, len);
	if (len - value > 7 && pg_strncasecmp(text + value, "bearer ", 7) == 0)
		value += 7;
	else if (len - value > 6 && pg_strncasecmp(text + value, "basic ", 6) == 0)
		value += 6;
	if (value < len && text[value] == '[')
		return -1;				/* a mark of ours, or a list */
	for (stop = value; stop < len && (unsigned char) text[stop] > ' ' && strchr("\"',;)}]", text[stop]) == NULL; stop++)
		if (text[stop] == '\\' && stop + 1 < len && text[stop + 1] == '"')
			break;
	if (stop - value < 6)
		return -1;
	appendBinaryStringInfo(out, text + at, value - at);
	appendStringInfoString(out, "[key]");
	return stop;
}

static int
email_at(const char *text, int at, int len, StringInfo out)
{
	int			name = at;
	int			end;
	int			dot = -1;

	while (name < len && name - at < 64 &&
		   (IS_WORD((unsigned char) text[name]) || text[name] == '.' || text[name] == '%' || text[name] == '+'))
		name++;
	if (name == at || name == len || text[name] != '@')
		return -1;
	for (end = name + 1; end < len && (IS_WORD((unsigned char) text[end]) || (text[end] == '.' && end > name + 1)); end++)
	{
		if (text[end] == '.')
		{
			if (end + 1 >= len || !IS_WORD((unsigned char) text[end + 1]))
				break;			/* the end of a sentence */
			dot = end;
		}
	}
	if (dot < 0 || end - dot < 3)
		return -1;
	appendStringInfoString(out, "[email]");
	return end;
}

/* Digits in groups, with at most two of " -.()/" between two groups. */
static int
digits_at(const char *text, int at, int len, StringInfo out)
{
	char		digits[20];
	int			count = 0;
	int			groups[20];
	int			ngroups = 0;
	int			end = at;
	int			p = at;
	bool		plus = text[at] == '+';
	bool		years = true;
	const char *what;

	if (!plus && text[at] != '(' && !IS_DIGIT(text[at]))
		return -1;
	if (plus)
		p++;
	while (p < len)
	{
		int			group = 0;
		int			gap = 0;

		while (p < len && gap < 2 && strchr(" -.()", text[p]) != NULL && text[p] != '\0')
			p++, gap++;
		if (ngroups > 0 && gap == 0)
			break;
		while (p < len && IS_DIGIT(text[p]) && count < 20)
		{
			digits[count++] = text[p++];
			group++;
		}
		if (group == 0)
			break;
		if (count == 20 || (p < len && IS_WORD((unsigned char) text[p]) && text[p] != '-'))
		{
			/* too many, or part of a word: the groups before it may still be a number */
			if (ngroups == 0)
				return -1;
			count -= group;
			break;
		}
		years &= group == 4 && (strncmp(digits + count - 4, "19", 2) == 0 || strncmp(digits + count - 4, "20", 2) == 0);
		groups[ngroups++] = group;
		end = p;
	}
	if (ngroups == 3 && groups[0] == 3 && groups[1] == 2 && groups[2] == 4 && !plus && text[at + 3] == '-' && text[at + 6] == '-')
		what = "[ssn]";
	else if (!plus && !years && count >= 13 && count <= 19 &&
			 (passes_luhn(digits, count) ||
			  (ngroups == 4 && groups[0] == 4 && groups[1] == 4 && groups[2] == 4 && groups[3] == 4)))
		what = "[card]";
	else if (plus ? count >= 8 && count <= 15 : count >= 9 && count <= 15)
	{
		/* 2026-02-07, 07.02.2026 and what stands behind them; 2024 2025 2026 */
		if (years || (ngroups >= 3 && !plus && groups[0] == 4 && groups[1] == 2 && groups[2] == 2) ||
			(ngroups >= 3 && !plus && groups[0] <= 2 && groups[1] <= 2 && groups[2] == 4))
			return -1;
		what = "[phone]";
	}
	else
		return -1;
	appendStringInfoString(out, what);
	return end;
}

/* A word that no person made up. */
static int
key_at(const char *text, int at, int len, StringInfo out)
{
	int			end = at;
	int			piece = at;
	bool		random = false;
	bool		web_token = len - at > 20 && strncmp(text + at, "eyJ", 3) == 0;

	for (; end < len && (IS_ALNUM(text[end]) || text[end] == '_' || text[end] == '-' || (web_token && text[end] == '.')); end++)
	{
		if (!IS_ALNUM(text[end]))
		{
			random |= looks_random(text + piece, end - piece);
			piece = end + 1;
		}
	}
	random |= looks_random(text + piece, end - piece);
	if (end - at < 20)
		return -1;
	for (int i = 0; i < lengthof(key_beginnings); i++)
	{
		if (strncmp(text + at, key_beginnings[i], Min(strlen(key_beginnings[i]), len - at)) == 0)
		{
			appendStringInfoString(out, "[key]");
			return end;
		}
	}
	if (!random && !web_token)
		return -1;
	appendStringInfo(out, "[token-%06x]", hash_bytes((const unsigned char *) text + at, end - at) & 0xFFFFFF);
	return end;
}

/* Behind blanks and quotes, also those of JSON within a text: \" */
static int
skip_quotes(const char *text, int at, int len)
{
	while (at < len && (IS_BLANK(text[at]) || text[at] == '"' || text[at] == '\'' || text[at] == '\\'))
		at++;
	return at;
}

static bool
is_secret_name(const char *name, int len)
{
	for (int from = Max(len - LONGEST_NAME, 0); from < len; from++)
	{
		/* where a part of the name begins */
		if (from > 0 && !(name[from - 1] == '_' || name[from - 1] == '-' ||
						  (IS_CAPITAL(name[from]) && !IS_CAPITAL(name[from - 1]))))
			continue;
		if (is_secret_word(name + from, len - from))
			return true;
	}
	return false;
}

static bool
is_secret_word(const char *name, int len)
{
	char		small[24];
	int			n = 0;

	for (int i = 0; i < len; i++)
	{
		if (name[i] == '_' || name[i] == '-' || name[i] == ' ')
			continue;
		if (n == sizeof(small) - 1)
			return false;
		small[n++] = IS_CAPITAL(name[i]) ? name[i] + ('a' - 'A') : name[i];
	}
	small[n] = '\0';
	for (int i = 0; i < lengthof(secret_names); i++)
		if (strcmp(small, secret_names[i]) == 0)
			return true;
	return false;
}

/* Members whose strings are ids */
static bool
is_id_name(const char *name, int len)
{
	static const char *const names[] = {"id", "key_competencies", "keyCompetencies", "competencias_clave"};

	for (int i = 0; i < lengthof(names); i++)
		if (len == strlen(names[i]) && memcmp(name, names[i], len) == 0)
			return true;
	return false;
}

static bool
looks_random(const char *word, int len)
{
	bool		digit = false;
	bool		letter = false;

	for (int i = 0; i < len; i++)
	{
		digit |= IS_DIGIT(word[i]);
		letter |= IS_LETTER(word[i]);
	}
	return len >= 20 && digit && letter;
}

static bool
passes_luhn(const char *digits, int count)
{
	int			sum = 0;

	for (int i = 0; i < count; i++)
	{
		int			d = digits[count - 1 - i] - '0';

		if (i % 2 == 1)
			d = d * 2 > 9 ? d * 2 - 9 : d * 2;
		sum += d;
	}
	return sum % 10 == 0;
}

static void
redact_container(JsonbParseState **state, JsonbContainer *from, JsonbValue **result)
{
	JsonbIterator *it = JsonbIteratorInit(from);
	JsonbIteratorToken token;
	JsonbValue	v;
	bool		secret = false;
	bool		id = false;
	bool		scalar = JsonContainerIsScalar(from);

	while ((token = JsonbIteratorNext(&it, &v, false)) != WJB_DONE)
	{
		CHECK_FOR_INTERRUPTS();
		if (token == WJB_KEY)
		{
			secret = is_secret_name(v.val.string.val, v.val.string.len);
			id = is_id_name(v.val.string.val, v.val.string.len);
		}
		else if (token == WJB_END_ARRAY || token == WJB_END_OBJECT)
			id = false;
		else if ((token == WJB_VALUE || token == WJB_ELEM) && v.type == jbvString)
		{
			if (secret && token == WJB_VALUE && v.val.string.len >= 6)
			{
				v.val.string.val = "[key]";
				v.val.string.len = strlen("[key]");
			}
			else if (!id)
				redact_value(&v);
		}
		if (token == WJB_BEGIN_ARRAY && scalar)
		{
			*result = pushJsonbValue(state, token, &v);	/* keeps that it is one */
			scalar = false;
		}
		else
			*result = pushJsonbValue(state, token, token < WJB_BEGIN_ARRAY ? &v : NULL);
	}
}

static void
redact_value(JsonbValue *value)
{
	StringInfoData out;

	if (value->val.string.len < (int) strlen("a@b.cc"))
		return;
	initStringInfo(&out);
	if (redact(value->val.string.val, value->val.string.len, &out))
	{
		value->val.string.val = out.data;
		value->val.string.len = out.len;
	}
	else
		pfree(out.data);
}
