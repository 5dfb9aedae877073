/*
 * canonical_hash.c
 *		SHA-256 over canonical jsonb.
 *
 * The canonical text of a document is PostgreSQL's own text form of jsonb (object keys ordered by length, then by
 * byte, and unique; ", " between members and ": " after keys) with trailing zeros of fractions removed, so 1, 1.0
 * and 1e0 are equal while the order of lists counts. Any language can repeat it. Documents are never held as text as
 * a whole: the text goes to the digest in pieces.
 */
#include "compat.h"

#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

#include "sha256.h"

#define PIECE_SIZE (64 * 1024)

static void append_scalar(StringInfo buf, const JsonbValue *v);
static void append_string(StringInfo buf, const char *data, int len);
static void feed(StringInfo buf);

PG_FUNCTION_INFO_V1(er_canonical_hash);

Datum
er_canonical_hash(PG_FUNCTION_ARGS)
{
	Jsonb	   *document = PG_GETARG_JSONB_P(0);
	uint8		sum[PG_SHA256_DIGEST_LENGTH];
	char		hex[2 * PG_SHA256_DIGEST_LENGTH + 1];
	StringInfoData buf;
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	v;
	bool		first = true;	/* the next member or element is its container's first */
	bool		scalar = JB_ROOT_IS_SCALAR(document);	/* jsonb keeps a scalar in an array of its own */

	er_sha256_begin();
	initStringInfo(&buf);
	it = JsonbIteratorInit(&document->root);
	while ((token = JsonbIteratorNext(&it, &v, false)) != WJB_DONE)
	{
		switch (token)
		{
			case WJB_BEGIN_ARRAY:
			case WJB_BEGIN_OBJECT:
				if (!first)
					appendStringInfoString(&buf, ", ");
				if (!scalar)
					appendStringInfoChar(&buf, token == WJB_BEGIN_ARRAY ? '[' : '{');
				first = true;
				break;
			case WJB_KEY:
				if (!first)
					appendStringInfoString(&buf, ", ");
				append_scalar(&buf, &v);
				appendStringInfoString(&buf, ": ");
				first = true;	/* no comma before the value */
				break;
			case WJB_VALUE:
			case WJB_ELEM:
				if (!first)
					appendStringInfoString(&buf, ", ");
				append_scalar(&buf, &v);
				first = false;
				break;
			case WJB_END_ARRAY:
			case WJB_END_OBJECT:
				if (!scalar)
					appendStringInfoChar(&buf, token == WJB_END_ARRAY ? ']' : '}');
				first = false;
				break;
			default:
				break;
		}
		if (buf.len >= PIECE_SIZE)
			feed(&buf);
	}
	feed(&buf);

	er_sha256_end(sum);

	hex_encode((char *) sum, sizeof(sum), hex);
	hex[sizeof(hex) - 1] = '\0';
	PG_RETURN_TEXT_P(cstring_to_text(hex));
}

static void
append_scalar(StringInfo buf, const JsonbValue *v)
{
	switch (v->type)
	{
		case jbvNull:
			appendStringInfoString(buf, "null");
			break;
		case jbvBool:
			appendStringInfoString(buf, v->val.boolean ? "true" : "false");
			break;
		case jbvNumeric:
			{
				char	   *digits = numeric_normalize(v->val.numeric);

				appendStringInfoString(buf, digits);
				pfree(digits);
				break;
			}
		case jbvString:
			append_string(buf, v->val.string.val, v->val.string.len);
			break;
		default:
			elog(ERROR, "unexpected jsonb scalar type %d", (int) v->type);
	}
}

/*
 * A string as JSON writes it, in pieces. They may be cut inside a character: what is escaped is ASCII, and no server
 * encoding has such bytes within a longer character.
 */
static void
append_string(StringInfo buf, const char *data, int len)
{
	StringInfoData escaped;

	initStringInfo(&escaped);
	appendStringInfoChar(buf, '"');
	for (int done = 0, piece; done < len; done += piece)
	{
		char	   *copy;

		piece = Min(len - done, PIECE_SIZE);
		copy = pnstrdup(data + done, piece);
		resetStringInfo(&escaped);
		escape_json(&escaped, copy);
		appendBinaryStringInfo(buf, escaped.data + 1, escaped.len - 2);
		pfree(copy);
		if (buf->len >= PIECE_SIZE)
			feed(buf);
	}
	appendStringInfoChar(buf, '"');
	pfree(escaped.data);
}

static void
feed(StringInfo buf)
{
	CHECK_FOR_INTERRUPTS();
	er_sha256_add(buf->data, buf->len);
	resetStringInfo(buf);
}
