/*
 * json_schema.h
 *		What the parts of the JSON Schema machine share: a value inside a jsonb, the compiled schema, and the
 *		calls from one part to the next.
 *
 * The parts: json_schema.c (SQL functions), json_schema_cache.c (compiled schemas of the session),
 * json_schema_compile.c (keywords), json_schema_shape.c (their values), json_schema_resolve.c (names and
 * references), json_schema_validate.c (judging an instance), json_schema_errors.c (its problems),
 * json_schema_value.c (comparing values), json_schema_pattern.c (matching patterns), json_schema_regex.c with
 * json_schema_escape.c, json_schema_charset.c and json_schema_unicode.c (translating them), json_schema_format.c
 * (formats) and json_schema_meta.c (the official meta-schemas).
 *
 * A compiled schema lives in one memory context of its own and is never changed once it is compiled.
 */
#ifndef ER_JSON_SCHEMA_H
#define ER_JSON_SCHEMA_H

#include "compat.h"

#include "mb/pg_wchar.h"
#include "regex/regex.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

/* Kinds of value, as bits, so that "type" is one mask. */
#define JS_NULL		0x01
#define JS_BOOL		0x02
#define JS_NUMBER	0x04
#define JS_STRING	0x08
#define JS_ARRAY	0x10
#define JS_OBJECT	0x20
#define JS_INTEGER	0x40		/* only in a type mask: a number without fraction */
#define JS_ANY		0x7f

/* A value where it stands inside a jsonb: nothing is copied. */
typedef struct ErJsValue
{
	uint8		kind;
	bool		boolean;
	uint32		len;			/* bytes of a string, array or object */
	const JEntry *slot;			/* entry of this value in its container: identifies the place */
	union
	{
		const char *str;
		Numeric		num;
		JsonbContainer *box;
	}			u;
} ErJsValue;

/* A walk over the members of one array or object, in stored order. */
typedef struct ErJsWalk
{
	const JsonbContainer *box;
	const char *data;
	uint32		count;
	uint32		next;
	uint32		key_off;
	uint32		off;
} ErJsWalk;

static inline void
er_js_decode(const char *data, const JEntry *slot, uint32 off, uint32 len, ErJsValue *v)
{
	JEntry		entry = *slot;

	v->slot = slot;
	v->len = len;
	switch (entry & JENTRY_TYPEMASK)
	{
		case JENTRY_ISSTRING:
			v->kind = JS_STRING;
			v->u.str = data + off;
			break;
		case JENTRY_ISNUMERIC:
			v->kind = JS_NUMBER;
			v->u.num = (Numeric) (data + INTALIGN(off));
			break;
		case JENTRY_ISCONTAINER:
			v->u.box = (JsonbContainer *) (data + INTALIGN(off));
			v->kind = JsonContainerIsObject(v->u.box) ? JS_OBJECT : JS_ARRAY;
			break;
		case JENTRY_ISNULL:
			v->kind = JS_NULL;
			break;
		default:
			v->kind = JS_BOOL;
			v->boolean = JBE_ISBOOL_TRUE(entry);
			break;
	}
}

static inline void
er_js_walk(ErJsWalk *w, const JsonbContainer *box)
{
	w->box = box;
	w->count = JsonContainerSize(box);
	w->next = 0;
	w->key_off = 0;
	if (JsonContainerIsObject(box))
	{
		w->data = (const char *) &box->children[w->count * 2];
		w->off = w->count > 0 ? getJsonbOffset(box, w->count) : 0;
	}
	else
	{
		w->data = (const char *) &box->children[w->count];
		w->off = 0;
	}
}

static inline uint32
er_js_entry_len(JEntry entry, uint32 off)
{
	return JBE_HAS_OFF(entry) ? JBE_OFFLENFLD(entry) - off : JBE_OFFLENFLD(entry);
}

static inline bool
er_js_next_element(ErJsWalk *w, ErJsValue *v)
{
	const JEntry *slot;
	uint32		len;

	if (w->next >= w->count)
		return false;
	slot = &w->box->children[w->next++];
	len = er_js_entry_len(*slot, w->off);
	er_js_decode(w->data, slot, w->off, len, v);
	w->off += len;
	return true;
}

static inline bool
er_js_next_pair(ErJsWalk *w, const char **key, uint32 *keylen, ErJsValue *v)
{
	const JEntry *slot;
	uint32		len;

	if (w->next >= w->count)
		return false;
	*keylen = er_js_entry_len(w->box->children[w->next], w->key_off);
	*key = w->data + w->key_off;
	w->key_off += *keylen;
	slot = &w->box->children[w->count + w->next++];
	len = er_js_entry_len(*slot, w->off);
	er_js_decode(w->data, slot, w->off, len, v);
	w->off += len;
	return true;
}

/* jsonb keeps object keys in this order, and so do we: shorter first, then by bytes. */
static inline int
er_js_key_cmp(const char *a, uint32 alen, const char *b, uint32 blen)
{
	if (alen != blen)
		return alen < blen ? -1 : 1;
	return memcmp(a, b, alen);
}

/* ---- names to pointers (json_schema_resolve.c) ---- */

typedef struct ErJsMapEntry
{
	const void *scope;
	const char *key;
	uint32		len;
	void	   *value;
} ErJsMapEntry;

typedef struct ErJsMap
{
	ErJsMapEntry *entries;
	uint32		size;			/* a power of two */
	uint32		used;
} ErJsMap;

/* ---- the compiled schema ---- */

typedef enum ErJsDraft
{
	ER_JS_DRAFT7 = 1,
	ER_JS_DRAFT2020 = 2
} ErJsDraft;

/* Vocabularies, as bits. */
#define ER_JS_V_CORE		0x01
#define ER_JS_V_APPLICATOR	0x02
#define ER_JS_V_UNEVALUATED	0x04
#define ER_JS_V_VALIDATION	0x08
#define ER_JS_V_METADATA	0x10
#define ER_JS_V_FORMAT		0x20
#define ER_JS_V_FORMAT_ASSERT	0x40
#define ER_JS_V_CONTENT		0x80
#define ER_JS_V_DEFAULT		(0xff & ~ER_JS_V_FORMAT_ASSERT)

typedef struct ErJsNode ErJsNode;
typedef struct ErJsPattern ErJsPattern;

/* The schemas of a keyword that holds several, in order. */
typedef struct ErJsNodes
{
	uint32		count;
	ErJsNode  **list;			/* NULL: the keyword is absent */
} ErJsNodes;

/* A schema resource: a document or an embedded part with an identifier of its own. */
typedef struct ErJsResource
{
	const char *uri;			/* absolute, without fragment; "" for a root without $id */
	ErJsNode   *root;
	struct ErJsResource *parent;
	ErJsDraft	draft;
	int			vocabularies;	/* 0 until known */
	ErJsValue	dialect;		/* the value of its own $schema; kind 0: none */
} ErJsResource;

/* What an anchor names; dynamic when $dynamicAnchor made it. */
typedef struct ErJsAnchor
{
	ErJsNode   *node;
	bool		dynamic;
} ErJsAnchor;

typedef struct ErJsNumber
{
	Numeric		num;			/* NULL: the keyword is absent */
	bool		small;			/* the value is in "integer" */
	int64		integer;
} ErJsNumber;

typedef struct ErJsNumberChecks
{
	ErJsNumber	minimum;
	ErJsNumber	maximum;
	ErJsNumber	exclusive_minimum;
	ErJsNumber	exclusive_maximum;
	ErJsNumber	multiple_of;
} ErJsNumberChecks;

/* Limits on sizes: a maximum of -1 is none. */
typedef struct ErJsStringChecks
{
	int64		min_length;
	int64		max_length;
	ErJsPattern *pattern;
	const struct ErJsFormat *format;
	bool		format_always;	/* the format-assertion vocabulary is in force */
} ErJsStringChecks;

typedef struct ErJsArrayChecks
{
	int64		min_items;
	int64		max_items;
	bool		unique;
	ErJsNodes	prefix;
	const char *prefix_keyword; /* prefixItems, or items of draft-07 */
	ErJsNode   *items;			/* for the items after the prefix */
	ErJsNode   *contains;
	int64		min_contains;
	int64		max_contains;
	ErJsNode   *unevaluated;
} ErJsArrayChecks;

typedef struct ErJsProperty
{
	const char *name;
	uint32		len;
	bool		required;
	ErJsNode   *node;			/* NULL: only required */
} ErJsProperty;

typedef struct ErJsPatternProperty
{
	ErJsPattern *pattern;
	ErJsNode   *node;
} ErJsPatternProperty;

typedef struct ErJsDependency
{
	const char *keyword;
	const char *name;
	uint32		len;
	ErJsNode   *node;			/* NULL: the names below are required */
	uint32		nrequired;
	ErJsValue  *required;
} ErJsDependency;

typedef struct ErJsObjectChecks
{
	int64		min_properties;
	int64		max_properties;
	uint32		nproperties;	/* sorted by er_js_key_cmp */
	uint32		nrequired;
	ErJsProperty *properties;
	uint32		npatterns;
	ErJsPatternProperty *patterns;
	ErJsNode   *additional;
	ErJsNode   *names;
	uint32		ndependencies;
	ErJsDependency *dependencies;
	ErJsNode   *unevaluated;
} ErJsObjectChecks;

typedef struct ErJsApplicators
{
	ErJsNodes	all;
	ErJsNodes	any;
	ErJsNodes	one;
	ErJsNode   *not;
	ErJsNode   *if_;
	ErJsNode   *then;
	ErJsNode   *else_;
	ErJsNode   *ref;
	ErJsNode   *dynamic_ref;
	const char *dynamic_name;	/* NULL: dynamic_ref is like ref */
	uint32		dynamic_len;
} ErJsApplicators;

struct ErJsNode
{
	/* place: path of the parent, then tail; for the root of a built-in document tail is its URI */
	ErJsNode   *parent;
	const char *tail;
	const char *keyword;		/* keyword that holds this schema */
	ErJsResource *resource;
	ErJsValue	source;

	uint16		accepts;		/* kinds of value that pass without a further look */

	/* checks; NULL where the schema has none of that sort */
	uint16		types;			/* 0: any */
	uint32		nenum;			/* sorted by er_js_compare */
	ErJsValue  *enumeration;
	ErJsValue  *constant;
	ErJsNumberChecks *number;
	ErJsStringChecks *string;
	ErJsArrayChecks *array;
	ErJsObjectChecks *object;
	ErJsApplicators *apply;
};

typedef struct ErJsSchema
{
	MemoryContext context;
	Jsonb	   *source;
	ErJsNode   *root;
	uint32		nnodes;
	uint32		maxnodes;
	ErJsNode  **nodes;
	uint32		npatterns;
	Size		regex_bytes;	/* estimate of what the regular expressions hold */
	bool		has_dynamic;
	ErJsMap		places;			/* value slot -> ErJsNode */
	ErJsMap		resources;		/* URI -> ErJsResource */
	ErJsMap		anchors;		/* (resource, name) -> ErJsAnchor */
	bool		builtins_loaded;
	uint32		scanned;		/* nodes whose subschemas are known */
} ErJsSchema;

typedef struct ErJsError
{
	char	   *instance_path;
	char	   *schema_path;
	char	   *keyword;
	char	   *message;
} ErJsError;

typedef struct ErJsErrors
{
	ErJsError  *list;
	int			count;
	int			limit;
	int			space;
	Size		bytes;
	MemoryContext words;		/* for the values in a message, emptied after each */
	MemoryContext caller;
	int			provisional;	/* how many branches we are in whose errors may be dropped again */
	bool		full;			/* and nothing in it is provisional */
} ErJsErrors;

/* Where we are in an instance. */
typedef struct ErJsPlace
{
	const struct ErJsPlace *up;
	const char *key;			/* NULL: an array item */
	uint32		len;
	uint32		index;
} ErJsPlace;

/* More errors than this are never collected, whatever the caller asks for. */
#define ER_JS_MAX_ERRORS	100000

/* Where a caller keeps the compiled form of one schema of its own; all zeros at first. */
typedef struct ErJsKept
{
	ErJsSchema *schema;
	uint64		evictions;
} ErJsKept;

/* json_schema_cache.c */
extern ErJsSchema *er_js_schema_of_argument(FunctionCallInfo fcinfo, int argno);
extern ErJsSchema *er_js_schema_of_jsonb(Jsonb *source);
extern ErJsSchema *er_js_schema_kept(ErJsKept *kept, Jsonb *source);

/* json_schema_compile.c */
extern ErJsSchema *er_js_compile(Jsonb *source);
extern void er_js_scan(ErJsSchema *schema);

/* json_schema_shape.c */
pg_noreturn extern void er_js_schema_error(ErJsNode *node, const char *keyword, const ErJsValue *got, int sqlstate,
										   const char *allowed);

/* json_schema_resolve.c */
extern void *er_js_map_get(const ErJsMap *map, const void *scope, const char *key, uint32 len);
extern bool er_js_map_put(ErJsMap *map, const void *scope, const char *key, uint32 len, void *value);
extern ErJsNode *er_js_node_at(ErJsSchema *schema, const ErJsValue *source, ErJsNode *parent, const char *tail,
							   const char *keyword);
extern void er_js_load_document(ErJsSchema *schema, Jsonb *source, const char *uri);
extern ErJsDraft er_js_draft_of(const ErJsValue *dialect, ErJsDraft otherwise);
extern void er_js_identify(ErJsSchema *schema, ErJsNode *node);
extern void er_js_settle_dialect(ErJsSchema *schema, ErJsNode *node);
extern ErJsNode *er_js_resolve(ErJsSchema *schema, ErJsNode *node, const char *keyword, const ErJsValue *ref,
							   const char **dynamic_name, uint32 *dynamic_len);
extern char *er_js_node_path(const ErJsNode *node);
extern void er_js_append_token(StringInfo buf, const char *token, uint32 len);

/* json_schema_validate.c */
extern bool er_js_validate(ErJsSchema *schema, const ErJsValue *instance, ErJsErrors *errors);

/* json_schema_errors.c */
pg_attribute_cold extern void er_js_begin_problem(ErJsErrors *errors);
pg_attribute_cold extern bool er_js_add_problem(ErJsErrors *errors, const ErJsNode *node, const char *keyword,
												const ErJsPlace *at, const char *fmt,...) pg_attribute_printf(5, 6);
pg_attribute_cold extern bool er_js_add_forbidden(ErJsErrors *errors, const ErJsNode *node, const ErJsPlace *at);
extern int	er_js_begin_provisional(ErJsErrors *errors);
extern void er_js_end_provisional(ErJsErrors *errors, int start, bool drop);

/* json_schema_value.c */
extern void er_js_root(Jsonb *doc, ErJsValue *v);
extern bool er_js_member(const JsonbContainer *box, const char *key, uint32 len, ErJsValue *v);
extern bool er_js_element(const JsonbContainer *box, uint32 index, ErJsValue *v);
extern int	er_js_compare(const ErJsValue *a, const ErJsValue *b);
extern int	er_js_compare_sort(const void *a, const void *b);
extern bool er_js_is_integer(Numeric num);
extern bool er_js_small_integer(Numeric num, int64 *result);
extern char *er_js_describe(const ErJsValue *v);
extern char *er_js_clip(const char *text, int len, int limit);

/* json_schema_regex.c */
typedef enum ErJsRegexState
{
	ER_JS_REGEX_OK,
	ER_JS_REGEX_INVALID,		/* no regular expression of ECMA-262 */
	ER_JS_REGEX_UNSUPPORTED,	/* cannot be said in PostgreSQL's regular expressions */
	ER_JS_REGEX_TOO_BIG
} ErJsRegexState;

typedef struct ErJsTranslation
{
	pg_wchar   *pattern;
	int			len;
	bool		has_references;
	ErJsRegexState state;
	const char *problem;
} ErJsTranslation;

extern bool er_js_translate(const pg_wchar *src, int len, bool strict, ErJsTranslation *result);

/* json_schema_charset.c */
typedef struct ErJsRange
{
	pg_wchar	first;
	pg_wchar	last;
} ErJsRange;

typedef struct ErJsSet
{
	ErJsRange  *ranges;
	int			count;
	int			space;
} ErJsSet;

extern void er_js_set_add(ErJsSet *set, pg_wchar first, pg_wchar last);
extern void er_js_set_normalise(ErJsSet *set);
extern void er_js_set_invert(ErJsSet *set);
extern bool er_js_set_property(ErJsSet *set, const char *name, bool negated);

/* json_schema_escape.c */
typedef struct ErJsPatternReader
{
	const pg_wchar *src;
	int			len;
	int			pos;
	bool		strict;			/* only escapes that have a meaning */
	ErJsRegexState state;
	const char *problem;
	const char *unsupported;	/* NULL: everything so far can be expressed */
} ErJsPatternReader;

static inline pg_wchar
er_js_pattern_peek(const ErJsPatternReader *r, int offset)
{
	return r->pos + offset < r->len ? r->src[r->pos + offset] : 0;
}

extern bool er_js_pattern_fails(ErJsPatternReader *r, ErJsRegexState state, const char *problem);
extern bool er_js_pattern_is_unsupported(ErJsPatternReader *r, const char *problem);
extern bool er_js_class_set(ErJsPatternReader *r, ErJsSet *set);
extern bool er_js_escape_set(ErJsPatternReader *r, pg_wchar c, ErJsSet *set);
extern int	er_js_hex_digit(pg_wchar c);
extern bool er_js_escaped_character(ErJsPatternReader *r, bool in_class, pg_wchar *result);

/* json_schema_pattern.c */
extern ErJsPattern *er_js_pattern(const char *src, uint32 len, ErJsRegexState *state, const char **problem,
								  Size *bytes);
extern bool er_js_pattern_matches(ErJsPattern *pattern, const char *str, uint32 len);
extern const char *er_js_pattern_text(const ErJsPattern *pattern);
extern bool er_js_is_regex(const char *src, uint32 len);

/* json_schema_unicode.c */
typedef struct ErJsCategoryRange
{
	uint32		first;
	uint32		last:24;
	uint32		category:8;
} ErJsCategoryRange;

extern const ErJsCategoryRange er_js_category_ranges[];
extern const int er_js_category_range_count;
extern const char *const er_js_category_names[];

/* json_schema_format.c */
typedef struct ErJsFormat
{
	const char *name;
	bool		(*check) (const char *str, uint32 len);
} ErJsFormat;

extern const ErJsFormat *er_js_format(const char *name, uint32 len);

/* json_schema_meta.c */
typedef struct ErJsMetaSchema
{
	const char *uri;
	const char *text;
} ErJsMetaSchema;

extern const ErJsMetaSchema er_js_meta_schemas[];
extern const int er_js_meta_schema_count;

#endif							/* ER_JSON_SCHEMA_H */
