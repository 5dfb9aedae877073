/*
 * consolidation_text.c
 *		Normalised text and fingerprints.
 *
 * Two titles are the same when they are equal after: NFKC; full case folding; format characters dropped; every run of
 * punctuation, space and control characters one space, none at the ends. Symbols (+ $ < = > ^ ` | ~, currency, arrows)
 * are no punctuation and stay. A text in which nothing is left is compared as it is.
 *
 * ASCII goes through a map of bytes, everyday characters through a table; the rest through PostgreSQL's NFKC and our own
 * tables of folding and classes, so the result does not depend on the locale, and on the server's version only in characters
 * that are younger than PostgreSQL 14. In a database whose encoding is not UTF8 only ASCII is folded and collapsed, and all
 * other bytes stay as they are.
 *
 * NFKC is done in pieces of at most 128 characters, cut before an ASCII character where there is one. A piece is
 * bounded because the normalisation is quadratic in a run of combining marks and cannot be interrupted.
 */
#include "compat.h"

#include "common/unicode_norm.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "utils/datetime.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

#include "consolidation.h"
#include "consolidation_unicode.h"
#include "sha256.h"

#define LONG_NUMBER 100
#define PIECE 128
#define ASCII_PIECE (256 * 1024)

/* What becomes of an ASCII byte: itself, its lower case, or a space. */
static const unsigned char ascii_map[128] = {
	' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ',
	' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ',
	' ', ' ', ' ', ' ', '$', ' ', ' ', ' ', ' ', ' ', ' ', '+', ' ', ' ', ' ', ' ',
	'0', '1', '2', '3', '4', '5', '6', '7', '8', '9', ' ', ' ', '<', '=', '>', ' ',
	' ', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o',
	'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', ' ', ' ', ' ', '^', ' ',
	'`', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o',
	'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', ' ', '|', ' ', '~', ' ',
};

static void text_room(ErTextBuffer *buffer, Size size);
static bool is_ascii(const char *bytes, uint32 len);
static Size normalise_ascii(char *out, Size start, const char *bytes, uint32 len);
#ifndef WORDS_BIGENDIAN
static inline uint32 normalise_eight(char *out, const char *bytes, bool after_space);
#endif
static Size normalise_bytes(char *out, Size start, const char *bytes, uint32 len);
static bool normalise_common(char *out, Size start, const char *bytes, uint32 len, Size *used);
static Size normalise_unicode(ErTextBuffer *buffer, Size start, const char *bytes, uint32 len);
static uint32 take_piece(const unsigned char **at, const unsigned char *end, pg_wchar *piece);
static pg_wchar *normalise_piece(pg_wchar *piece);
static pg_wchar *fold_piece(const pg_wchar *piece, bool *beyond_ascii);
static int	class_of(pg_wchar c);
static bool take_digits(const char **at, const char *end, int count, int *number);

ErText
er_normalise(ErTextBuffer *buffer, ErText text, Size room_before)
{
	ErText		result;
	Size		used;

	text_room(buffer, room_before + (Size) text.len + 8);
	if (likely(is_ascii(text.ptr, text.len)))
		used = normalise_ascii(buffer->text, room_before, text.ptr, text.len);
	else if (GetDatabaseEncoding() != PG_UTF8)
		used = normalise_bytes(buffer->text, room_before, text.ptr, text.len);
	else if (!normalise_common(buffer->text, room_before, text.ptr, text.len, &used))
		used = normalise_unicode(buffer, room_before, text.ptr, text.len);

	if (used > room_before && buffer->text[used - 1] == ' ')
		used--;
	if (used == room_before)
	{
		text_room(buffer, room_before + (Size) text.len + 8);
		memcpy(buffer->text + room_before, text.ptr, text.len);
		used += text.len;
	}
	if (used - room_before > MaxAllocSize)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a text is too long to be normalised")));
	result.ptr = buffer->text + room_before;
	result.len = used - room_before;
	return result;
}

/* The first bytes of SHA-256 over the key. */
void
er_fingerprint(ErText key, uint8 *fingerprint)
{
	uint8		bytes[PG_SHA256_DIGEST_LENGTH];

	er_sha256_begin();
	er_sha256_add(key.ptr, key.len);
	er_sha256_end(bytes);
	memcpy(fingerprint, bytes, ER_FINGERPRINT_BYTES);
}

/* 1e131071 has twelve bytes in a document and 131,072 digits: a list of such would take more memory than there is. */
ErText
er_number_text(const ErJson *number)
{
	char	   *digits = numeric_normalize((Numeric) number->ptr);
	ErText		text = {digits, strlen(digits)};

	if (text.len > LONG_NUMBER)
	{
		const char *end = digits + text.len;
		const char *first = digits + strspn(digits, "-0.");
		const char *point = memchr(digits, '.', text.len);
		int			whole = point == NULL || point < first ? 0 : point - first;
		char	   *shorter;

		CHECK_FOR_INTERRUPTS();
		while (point == NULL && end[-1] == '0')
			end--;
		shorter = psprintf("%s%.*s%.*se%d", *digits == '-' ? "-" : "", whole, first,
						   (int) (end - first) - whole - (whole > 0), first + whole + (whole > 0),
						   point == NULL ? (int) (digits + text.len - end) : (int) (point + 1 - end));
		if (strlen(shorter) < text.len)
		{
			text.ptr = shorter;
			text.len = strlen(shorter);
			pfree(digits);
		}
	}
	return text;
}

static void
text_room(ErTextBuffer *buffer, Size size)
{
	if (likely(size <= buffer->size))
		return;
	size = Max(size + size / 2, 1024);
	if (buffer->text == NULL)
		buffer->text = MemoryContextAllocHuge(buffer->context, size);
	else
		buffer->text = repalloc_huge(buffer->text, size);
	buffer->size = size;
}

static bool
is_ascii(const char *bytes, uint32 len)
{
	uint64		all = 0;
	uint64		part;

	for (; len >= 8; bytes += 8, len -= 8)
	{
		memcpy(&part, bytes, 8);
		all |= part;
	}
	for (; len > 0; bytes++, len--)
		all |= (unsigned char) *bytes;
	return (all & UINT64CONST(0x8080808080808080)) == 0;
}

/*
 * A byte becomes itself, its lower case or a space, and is kept unless it is a space after a space; a space counts as
 * standing before the first. Leaves at most one space at the end. The room behind the result may be written over.
 */
static Size
normalise_ascii(char *out, Size start, const char *bytes, uint32 len)
{
	Size		used = start;
	char		before = ' ';

	while (len > 0)
	{
		uint32		piece = Min(len, ASCII_PIECE);
		uint32		i = 0;

#ifndef WORDS_BIGENDIAN
		for (; i + 8 <= piece; i += 8)
		{
			used += normalise_eight(out + used, bytes + i, before == ' ');
			before = used > start ? out[used - 1] : ' ';
		}
#endif
		for (; i < piece; i++)
		{
			char		c = ascii_map[(unsigned char) bytes[i]];

			out[used] = c;
			used += (c != ' ') | (before != ' ');
			before = c;
		}
		bytes += piece;
		len -= piece;
		if (len > 0)
			CHECK_FOR_INTERRUPTS();
	}
	return used;
}

#ifndef WORDS_BIGENDIAN

#define EACH(byte) (UINT64CONST(0x0101010101010101) * (byte))
/* The high bit of each byte of an ASCII word that is at least, or that is, this one. */
#define AT_LEAST(word, byte) (((word) + EACH(0x80 - (byte))) & EACH(0x80))
#define BETWEEN(word, low, high) (AT_LEAST(word, low) & ~AT_LEAST(word, (high) + 1))
#define EQUAL(word, byte) (~(((word) ^ EACH(byte)) + EACH(0x7F)) & EACH(0x80))

/* Eight ASCII bytes by the rules of ascii_map; always writes eight, says how many count. */
static inline uint32
normalise_eight(char *out, const char *bytes, bool after_space)
{
	uint64		word;
	uint64		other;
	uint64		repeated;
	uint32		count = 8;

	memcpy(&word, bytes, 8);
	word |= BETWEEN(word, 'A', 'Z') >> 2;
	other = EACH(0x80) & ~(BETWEEN(word, 'a', 'z') | BETWEEN(word, '0', '9'));
	if (other & ~EQUAL(word, ' '))
	{
		/* '@' and '[' .. '_' are not letters, so they still are what they were */
		other &= ~(BETWEEN(word, '<', '>') | EQUAL(word, '$') | EQUAL(word, '+') | EQUAL(word, '^') |
				   EQUAL(word, '`') | EQUAL(word, '|') | EQUAL(word, '~'));
		repeated = (other >> 7) * 0xFF;
		word = (word & ~repeated) | (EACH(' ') & repeated);
	}
	for (repeated = other & (other << 8 | (after_space ? 0x80 : 0)); repeated != 0; count--)
	{
		/* the last of them first, so the others keep their places */
		int			shift = pg_leftmost_one_pos64(repeated) - 7;
		uint64		below = (UINT64CONST(1) << shift) - 1;

		word = (word & below) | (word >> 8 & ~below);
		repeated &= below;
	}
	memcpy(out, &word, 8);
	return count;
}

#endif

static Size
normalise_bytes(char *out, Size start, const char *bytes, uint32 len)
{
	Size		used = start;
	char		before = ' ';

	for (uint32 i = 0; i < len; i++)
	{
		unsigned char byte = bytes[i];
		char		c = byte < 128 ? ascii_map[byte] : bytes[i];

		out[used] = c;
		used += (c != ' ') | (before != ' ');
		before = c;
		if (i % ASCII_PIECE == ASCII_PIECE - 1)
			CHECK_FOR_INTERRUPTS();
	}
	return used;
}

/*
 * ASCII, letters with accents, dashes, quotes, currencies. False at any other character: then nothing is done. What comes
 * out is never longer than what goes in.
 */
static bool
normalise_common(char *out, Size start, const char *bytes, uint32 len, Size *used)
{
	bool		after_space = true;

	*used = start;
	for (uint32 i = 0; i < len;)
	{
		unsigned char byte = bytes[i];
		uint32		c;

		if (byte < 0x80)
		{
			c = ascii_map[byte];
			if (c == ' ')
				c = 0;
			i++;
		}
		else if (byte >= 0xC2 && byte <= 0xC9)
		{
			c = (byte & 0x1F) << 6 | (bytes[i + 1] & 0x3F);
			c = c > COMMON_HIGH ? COMMON_NOT : common[c - COMMON_LOW];
			i += 2;
		}
		else if (byte == 0xE2)
		{
			c = 0x2000 | (bytes[i + 1] & 0x3F) << 6 | (bytes[i + 2] & 0x3F);
			c = c < COMMON_LOW2 || c > COMMON_HIGH2 ? COMMON_NOT : common2[c - COMMON_LOW2];
			i += 3;
		}
		else
			return false;

		if (c > 1 && c < 0x80)
			out[(*used)++] = c;
		else if (c == 0)
		{
			out[*used] = ' ';
			*used += !after_space;
		}
		else if (c == COMMON_NOT)
			return false;
		else if (c > 1)
		{
			unicode_to_utf8(c, (unsigned char *) out + *used);
			*used += c < 0x800 ? 2 : 3;
		}
		if (c != 1)
			after_space = c == 0;
		if ((i & (ASCII_PIECE - 1)) < 3)
			CHECK_FOR_INTERRUPTS();
	}
	return true;
}

static Size
normalise_unicode(ErTextBuffer *buffer, Size start, const char *bytes, uint32 len)
{
	const unsigned char *at = (const unsigned char *) bytes;
	const unsigned char *end = at + len;
	Size		used = start;
	bool		after_space = true;

	while (at < end)
	{
		pg_wchar	piece[PIECE + 1];
		pg_wchar   *normal;
		pg_wchar   *folded;
		bool		beyond_ascii;
		uint32		count = take_piece(&at, end, piece);

		CHECK_FOR_INTERRUPTS();
		piece[count] = 0;
		normal = normalise_piece(piece);
		folded = fold_piece(normal, &beyond_ascii);
		if (normal != piece)
			pfree(normal);
		if (beyond_ascii)
		{
			normal = normalise_piece(folded);
			if (normal != folded)
				pfree(folded);
			folded = normal;
		}
		for (const pg_wchar *c = folded; *c != 0; c++)
		{
			int			class = class_of(*c);

			if (class == CLASS_IGNORED || (class == CLASS_SEPARATOR && after_space))
				continue;
			text_room(buffer, used + 8);
			after_space = class == CLASS_SEPARATOR;
			if (after_space)
				buffer->text[used++] = ' ';
			else
			{
				unicode_to_utf8(*c, (unsigned char *) buffer->text + used);
				used += pg_utf_mblen((unsigned char *) buffer->text + used);
			}
		}
		pfree(folded);
	}
	return used;
}

/* The next characters that are normalised together. */
static uint32
take_piece(const unsigned char **at, const unsigned char *end, pg_wchar *piece)
{
	const unsigned char *next = *at;
	const unsigned char *cut = NULL;
	uint32		cut_count = 0;
	uint32		count = 0;

	while (next < end && count < PIECE)
	{
		int			size = pg_utf_mblen(next);

		if (next + size > end)
			break;
		if (*next < 128 && count > 0)
		{
			cut = next;
			cut_count = count;
		}
		piece[count++] = utf8_to_unicode(next);
		next += size;
	}
	if (count == 0)
		next = end;				/* cannot be: jsonb holds whole characters */
	else if (next < end && *next >= 128 && cut != NULL)
	{
		next = cut;
		count = cut_count;
	}
	*at = next;
	return count;
}

static pg_wchar *
normalise_piece(pg_wchar *piece)
{
	if (unicode_is_normalized_quickcheck(UNICODE_NFKC, piece) == UNICODE_NORM_QC_YES)
		return piece;
	return unicode_normalize(UNICODE_NFKC, piece);
}

static pg_wchar *
fold_piece(const pg_wchar *piece, bool *beyond_ascii)
{
	Size		count = 0;
	pg_wchar   *folded;

	while (piece[count] != 0)
		count++;
	folded = palloc((count * 3 + 1) * sizeof(pg_wchar));
	*beyond_ascii = false;
	count = 0;
	for (; *piece != 0; piece++)
	{
		count += er_fold_character(*piece, folded + count);
		*beyond_ascii |= *piece >= 128;
	}
	folded[count] = 0;
	return folded;
}

int
er_fold_character(pg_wchar c, pg_wchar *to)
{
	int			low = 0;
	int			high = lengthof(fold_ranges) - 1;

	to[0] = c;
	if (c < 128)
	{
		if (c >= 'A' && c <= 'Z')
			to[0] = c + ('a' - 'A');
		return 1;
	}
	while (low <= high)
	{
		int			middle = (low + high) / 2;
		const FoldRange *range = &fold_ranges[middle];

		if (c < range->first)
			high = middle - 1;
		else if (c > range->last)
			low = middle + 1;
		else
		{
			if ((c - range->first) % range->step == 0)
			{
				to[0] = c + range->delta;
				return 1;
			}
			break;
		}
	}
	low = 0;
	high = lengthof(fold_many) - 1;
	while (low <= high)
	{
		int			middle = (low + high) / 2;
		const FoldMany *many = &fold_many[middle];

		if (c < many->from)
			high = middle - 1;
		else if (c > many->from)
			low = middle + 1;
		else
		{
			to[1] = many->to[1];
			to[2] = many->to[2];
			to[0] = many->to[0];
			return many->to[2] != 0 ? 3 : 2;
		}
	}
	return 1;
}

static int
class_of(pg_wchar c)
{
	int			low = 0;
	int			high = lengthof(class_ranges) - 1;

	if (c < 128)
		return ascii_map[c] == ' ' ? CLASS_SEPARATOR : 0;
	while (low <= high)
	{
		int			middle = (low + high) / 2;

		if (c < class_ranges[middle].first)
			high = middle - 1;
		else if (c > class_ranges[middle].last)
			low = middle + 1;
		else
			return class_ranges[middle].class;
	}
	return 0;
}

static bool
take_digits(const char **at, const char *end, int count, int *number)
{
	*number = 0;
	if (end - *at < count)
		return false;
	for (; count > 0; count--, (*at)++)
	{
		if (**at < '0' || **at > '9')
			return false;
		*number = *number * 10 + (**at - '0');
	}
	return true;
}

/* YYYY-MM-DD, then optionally T or a space, HH:MM, :SS, a fraction, and Z or an offset */
bool
er_read_instant(ErText text, TimestampTz *instant)
{
	const char *at = text.ptr;
	const char *end = at + text.len;
	int			year,
				month,
				day;
	int			hour = 0,
				minute = 0,
				second = 0,
				zone_hour = 0,
				zone_minute = 0;
	int			sign = 1;
	int64		micros = 0;
	int64		offset;

	if (!take_digits(&at, end, 4, &year) || at == end || *at++ != '-' || !take_digits(&at, end, 2, &month) ||
		at == end || *at++ != '-' || !take_digits(&at, end, 2, &day))
		return false;
	if (year < 1 || month < 1 || month > 12 || day < 1 || day > day_tab[isleap(year)][month - 1])
		return false;
	if (at < end && (*at == 'T' || *at == 't' || *at == ' '))
	{
		at++;
		if (!take_digits(&at, end, 2, &hour) || at == end || *at++ != ':' || !take_digits(&at, end, 2, &minute) ||
			hour > 24 || minute > 59)
			return false;
		if (at < end && *at == ':')
		{
			at++;
			if (!take_digits(&at, end, 2, &second) || second > 60)
				return false;
			if (at < end && (*at == '.' || *at == ','))
			{
				int64		place = 100000;

				if (++at == end || *at < '0' || *at > '9')
					return false;
				for (; at < end && *at >= '0' && *at <= '9'; at++, place /= 10)
					micros += (*at - '0') * place;
			}
		}
		if (hour == 24 && (minute != 0 || second != 0 || micros != 0))
			return false;
		if (at < end && *at == ' ' && end - at > 1 && (at[1] == '+' || at[1] == '-'))
			at++;
		if (at < end && (*at == 'Z' || *at == 'z'))
			at++;
		else if (at < end && (*at == '+' || *at == '-'))
		{
			sign = *at++ == '+' ? 1 : -1;
			if (!take_digits(&at, end, 2, &zone_hour))
				return false;
			if (at < end && *at == ':')
				at++;
			if (at < end && !take_digits(&at, end, 2, &zone_minute))
				return false;
			if (zone_hour > 15 || zone_minute > 59)
				return false;
		}
	}
	if (at != end)
		return false;
	offset = sign * (zone_hour * INT64CONST(3600) + zone_minute * INT64CONST(60));
	*instant = (int64) (date2j(year, month, day) - POSTGRES_EPOCH_JDATE) * USECS_PER_DAY +
		(hour * INT64CONST(3600) + minute * INT64CONST(60) + second - offset) * USECS_PER_SEC + micros;
	return true;
}
