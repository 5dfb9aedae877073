/*
 * json_schema_resolve.c
 *		Names in a schema: identifiers, anchors, dialects, and what a reference points at.
 *
 * A reference resolves inside the document that was handed in (its embedded resources included) and among the
 * official meta-schemas, which are parsed when the first reference asks for one. Nothing is ever fetched. All of
 * this happens while a schema is compiled; everything allocated here lives as long as the compiled schema.
 */
#include "postgres.h"

#include "json_schema.h"

#include "common/hashfn.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#define DRAFT_2020 "https://json-schema.org/draft/2020-12/schema"
#define DRAFT_7 "http://json-schema.org/draft-07/schema"
#define VOCABULARY "https://json-schema.org/draft/2020-12/vocab/"

/* More subschemas than this are refused. */
#define MAX_NODES 200000

typedef struct Uri
{
	const char *scheme;
	uint32		scheme_len;
	bool		has_authority;
	const char *authority;
	uint32		authority_len;
	const char *path;
	uint32		path_len;
	bool		has_query;
	const char *query;
	uint32		query_len;
} Uri;

static ErJsResource *find_resource(ErJsSchema *schema, const char *uri);
static void add_resource(ErJsSchema *schema, ErJsNode *node, const char *uri, const ErJsValue *id);
static void add_anchor(ErJsSchema *schema, ErJsNode *node, const char *keyword, const ErJsValue *got,
					   const char *name, uint32 len, bool dynamic);
static ErJsNode *walk_pointer(ErJsSchema *schema, ErJsNode *node, const char *keyword, const ErJsValue *ref,
							  ErJsResource *resource, const char *pointer);
static char *fragment_text(const ErJsValue *ref);
pg_noreturn static void reference_error(ErJsNode *node, const char *keyword, const ErJsValue *ref, const char *why);
static char *resolve_uri(const char *base, const char *ref, uint32 len);

/* ---- map ---- */

static inline uint32
map_hash(const void *scope, const char *key, uint32 len)
{
	uint32		h = murmurhash32((uint32) ((uintptr_t) scope >> 2));

	return len > 0 ? hash_combine(h, hash_bytes((const unsigned char *) key, len)) : h;
}

static ErJsMapEntry *
map_find(const ErJsMap *map, const void *scope, const char *key, uint32 len)
{
	uint32		i = map_hash(scope, key, len) & (map->size - 1);

	while (map->entries[i].value != NULL)
	{
		ErJsMapEntry *e = &map->entries[i];

		if (e->scope == scope && e->len == len && (len == 0 || memcmp(e->key, key, len) == 0))
			return e;
		i = (i + 1) & (map->size - 1);
	}
	return &map->entries[i];
}

void *
er_js_map_get(const ErJsMap *map, const void *scope, const char *key, uint32 len)
{
	return map->size == 0 ? NULL : map_find(map, scope, key, len)->value;
}

/* Adds a name; false when it is there already. The key is not copied. */
bool
er_js_map_put(ErJsMap *map, const void *scope, const char *key, uint32 len, void *value)
{
	ErJsMapEntry *e;

	if (map->used * 2 >= map->size)
	{
		ErJsMap		bigger;

		bigger.size = map->size == 0 ? 64 : map->size * 2;
		bigger.used = map->used;
		bigger.entries = palloc0(sizeof(ErJsMapEntry) * bigger.size);
		for (uint32 i = 0; i < map->size; i++)
		{
			ErJsMapEntry *old = &map->entries[i];

			if (old->value != NULL)
				*map_find(&bigger, old->scope, old->key, old->len) = *old;
		}
		if (map->entries != NULL)
			pfree(map->entries);
		*map = bigger;
	}
	e = map_find(map, scope, key, len);
	if (e->value != NULL)
		return false;
	e->scope = scope;
	e->key = key;
	e->len = len;
	e->value = value;
	map->used++;
	return true;
}

/* ---- nodes ---- */

/* The node of the schema at this place; made, and queued for scanning, when it is met for the first time. */
ErJsNode *
er_js_node_at(ErJsSchema *schema, const ErJsValue *source, ErJsNode *parent, const char *tail, const char *keyword)
{
	ErJsNode   *node = er_js_map_get(&schema->places, source->slot, NULL, 0);

	if (node != NULL)
		return node;
	if (schema->nnodes >= MAX_NODES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("schema has more than %d subschemas", MAX_NODES)));
	node = palloc0(sizeof(ErJsNode));
	node->parent = parent;
	node->tail = tail;
	node->keyword = keyword;
	node->source = *source;
	if (parent != NULL)
		node->resource = parent->resource;
	if (schema->nnodes == schema->maxnodes)
	{
		schema->maxnodes = schema->maxnodes == 0 ? 32 : schema->maxnodes * 2;
		schema->nodes = schema->nodes == NULL ?
			palloc(sizeof(ErJsNode *) * schema->maxnodes) :
			repalloc(schema->nodes, sizeof(ErJsNode *) * schema->maxnodes);
	}
	schema->nodes[schema->nnodes++] = node;
	er_js_map_put(&schema->places, source->slot, NULL, 0, node);
	return node;
}

/* Makes a document part of the schema. Its root is the last node then. */
void
er_js_load_document(ErJsSchema *schema, Jsonb *source, const char *uri)
{
	ErJsValue	root;
	ErJsNode   *node;
	ErJsResource *resource = palloc0(sizeof(ErJsResource));

	er_js_root(source, &root);
	node = er_js_node_at(schema, &root, NULL, uri[0] == '\0' ? "" : psprintf("%s#", uri), "");
	resource->uri = uri;
	resource->root = node;
	resource->draft = ER_JS_DRAFT2020;
	node->resource = resource;
	er_js_map_put(&schema->resources, NULL, uri, strlen(uri), resource);
}

/* JSON Pointer of a schema inside its document; for a built-in document after its URI and "#". */
char *
er_js_node_path(const ErJsNode *node)
{
	StringInfoData buf;
	const ErJsNode **chain;
	int			depth = 0;

	for (const ErJsNode *n = node; n != NULL; n = n->parent)
		depth++;
	chain = palloc(sizeof(ErJsNode *) * depth);
	for (int i = depth; i > 0; node = node->parent)
		chain[--i] = node;
	initStringInfo(&buf);
	for (int i = 0; i < depth; i++)
		appendStringInfoString(&buf, chain[i]->tail);
	pfree(chain);
	return buf.data;
}

/* Adds "/token" with the escapes of RFC 6901. */
void
er_js_append_token(StringInfo buf, const char *token, uint32 len)
{
	appendStringInfoChar(buf, '/');
	for (uint32 i = 0; i < len; i++)
	{
		if (token[i] == '~')
			appendStringInfoString(buf, "~0");
		else if (token[i] == '/')
			appendStringInfoString(buf, "~1");
		else
			appendStringInfoChar(buf, token[i]);
	}
}

/* ---- identifiers ---- */

/* The member as a string when it is there; another type is an error. */
static bool
string_member(ErJsNode *node, const char *keyword, ErJsValue *v)
{
	if (!er_js_member(node->source.u.box, keyword, strlen(keyword), v))
		return false;
	if (v->kind != JS_STRING)
		er_js_schema_error(node, keyword, v, ERRCODE_INVALID_PARAMETER_VALUE, "a string");
	return true;
}

/* Reads $schema, $id and the anchors of a schema object. */
void
er_js_identify(ErJsSchema *schema, ErJsNode *node)
{
	ErJsValue	v,
				dialect = {0},
				ref;
	ErJsDraft	draft = node->resource->draft;
	bool		is_root = node->resource->root == node;

	if (node->source.kind != JS_OBJECT)
		return;

	if (string_member(node, "$schema", &dialect))
		draft = er_js_draft_of(&dialect, draft);
	else
		dialect.kind = 0;
	if (is_root)
	{
		node->resource->draft = draft;
		node->resource->dialect = dialect;
	}

	/* draft-07 ignores whatever stands beside $ref */
	if (!(draft == ER_JS_DRAFT7 && er_js_member(node->source.u.box, "$ref", 4, &ref)) &&
		string_member(node, "$id", &v))
	{
		const char *hash = memchr(v.u.str, '#', v.len);
		uint32		uri_len = hash ? hash - v.u.str : v.len;
		uint32		name_len = hash ? v.len - uri_len - 1 : 0;

		if (name_len > 0 && draft != ER_JS_DRAFT7)
			er_js_schema_error(node, "$id", &v, ERRCODE_INVALID_PARAMETER_VALUE,
							   "a URI reference without fragment");
		if (uri_len > 0)
		{
			char	   *uri = resolve_uri(node->resource->uri, v.u.str, uri_len);

			add_resource(schema, node, uri, &v);
			node->resource->draft = draft;
			if (dialect.kind != 0)
				node->resource->dialect = dialect;
		}
		if (name_len > 0)
			add_anchor(schema, node, "$id", &v, hash + 1, name_len, false);
	}
	if (draft == ER_JS_DRAFT7)
		return;
	if (string_member(node, "$anchor", &v))
		add_anchor(schema, node, "$anchor", &v, v.u.str, v.len, false);
	if (string_member(node, "$dynamicAnchor", &v))
		add_anchor(schema, node, "$dynamicAnchor", &v, v.u.str, v.len, true);
}

static ErJsResource *
find_resource(ErJsSchema *schema, const char *uri)
{
	return er_js_map_get(&schema->resources, NULL, uri, strlen(uri));
}

static void
add_resource(ErJsSchema *schema, ErJsNode *node, const char *uri, const ErJsValue *id)
{
	ErJsResource *resource = node->resource;

	if (resource->root == node)
	{
		if (strcmp(resource->uri, uri) == 0)
			return;
		resource->uri = uri;
	}
	else
	{
		resource = palloc0(sizeof(ErJsResource));
		resource->uri = uri;
		resource->root = node;
		resource->parent = node->resource;
		node->resource = resource;
	}
	if (!er_js_map_put(&schema->resources, NULL, uri, strlen(uri), resource))
		er_js_schema_error(node, "$id", id, ERRCODE_INVALID_PARAMETER_VALUE,
						   "an identifier that no other schema of the document has");
}

static void
add_anchor(ErJsSchema *schema, ErJsNode *node, const char *keyword, const ErJsValue *got,
		   const char *name, uint32 len, bool dynamic)
{
	ErJsAnchor *anchor;

	for (uint32 i = 0; i <= len; i++)
	{
		char		c = i < len ? name[i] : 'a';
		bool		letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';

		if (len == 0 || !(letter || (i > 0 && ((c >= '0' && c <= '9') || c == '-' || c == '.' || c == ':'))))
			er_js_schema_error(node, keyword, got, ERRCODE_INVALID_PARAMETER_VALUE,
							   "a name of letters, digits, \"_\", \"-\" and \".\" that begins with a letter or \"_\"");
	}
	anchor = er_js_map_get(&schema->anchors, node->resource, name, len);
	if (anchor != NULL && anchor->node == node)
	{
		anchor->dynamic |= dynamic;
		return;
	}
	if (anchor != NULL)
		er_js_schema_error(node, keyword, got, ERRCODE_INVALID_PARAMETER_VALUE,
						   "a name that no other schema of the resource has");
	anchor = palloc(sizeof(ErJsAnchor));
	anchor->node = node;
	anchor->dynamic = dynamic;
	er_js_map_put(&schema->anchors, node->resource, name, len, anchor);
}

/* ---- dialects ---- */

static bool
dialect_is(const ErJsValue *dialect, const char *uri)
{
	uint32		len = dialect->len;

	if (len > 0 && dialect->u.str[len - 1] == '#')
		len--;
	return strlen(uri) == len && memcmp(uri, dialect->u.str, len) == 0;
}

/* The draft that a $schema names, or the other one given. */
ErJsDraft
er_js_draft_of(const ErJsValue *dialect, ErJsDraft otherwise)
{
	if (dialect_is(dialect, DRAFT_7) || dialect_is(dialect, "https://json-schema.org/draft-07/schema"))
		return ER_JS_DRAFT7;
	if (dialect_is(dialect, DRAFT_2020))
		return ER_JS_DRAFT2020;
	return otherwise;
}

static int
vocabulary_of(const char *uri, uint32 len)
{
	static const struct
	{
		const char *name;
		int			bit;
	}			known[] = {
		{VOCABULARY "core", ER_JS_V_CORE},
		{VOCABULARY "applicator", ER_JS_V_APPLICATOR},
		{VOCABULARY "unevaluated", ER_JS_V_UNEVALUATED},
		{VOCABULARY "validation", ER_JS_V_VALIDATION},
		{VOCABULARY "meta-data", ER_JS_V_METADATA},
		{VOCABULARY "format-annotation", ER_JS_V_FORMAT},
		{VOCABULARY "format-assertion", ER_JS_V_FORMAT | ER_JS_V_FORMAT_ASSERT},
		{VOCABULARY "content", ER_JS_V_CONTENT}
	};

	for (int i = 0; i < lengthof(known); i++)
		if (strlen(known[i].name) == len && memcmp(known[i].name, uri, len) == 0)
			return known[i].bit;
	return 0;
}

/* The vocabularies of a meta-schema that came with the schema. */
static int
custom_vocabularies(ErJsNode *node, ErJsNode *meta)
{
	ErJsValue	list,
				v;
	ErJsWalk	w;
	const char *key;
	uint32		len;
	int			result = ER_JS_V_CORE;

	if (meta->source.kind != JS_OBJECT || !er_js_member(meta->source.u.box, "$vocabulary", 11, &list))
		return ER_JS_V_DEFAULT;
	if (list.kind != JS_OBJECT)
		er_js_schema_error(meta, "$vocabulary", &list, ERRCODE_INVALID_PARAMETER_VALUE, "an object");
	er_js_walk(&w, list.u.box);
	while (er_js_next_pair(&w, &key, &len, &v))
	{
		int			bit = vocabulary_of(key, len);

		if (v.kind != JS_BOOL)
			er_js_schema_error(meta, "$vocabulary", &v, ERRCODE_INVALID_PARAMETER_VALUE, "true or false per vocabulary");
		if (bit == 0 && v.boolean)
			er_js_schema_error(node, "$schema", &node->resource->dialect, ERRCODE_FEATURE_NOT_SUPPORTED,
							   psprintf("a meta-schema without the required vocabulary \"%s\"",
										er_js_clip(key, len, 200)));
		result |= bit;
	}
	return result;
}

/* Settles which vocabularies hold for a node's resource; every schema is known by then. */
void
er_js_settle_dialect(ErJsSchema *schema, ErJsNode *node)
{
	ErJsResource *resource = node->resource;
	ErJsResource *owner = resource;

	if (resource->vocabularies != 0)
		return;
	while (owner->dialect.kind == 0 && owner->parent != NULL)
		owner = owner->parent;
	if (owner->vocabularies == 0)
	{
		ErJsValue  *dialect = &owner->dialect;
		ErJsDraft	none = (ErJsDraft) 0;

		owner->vocabularies = ER_JS_V_DEFAULT;
		if (dialect->kind != 0 && er_js_draft_of(dialect, none) == none)
		{
			char	   *uri = resolve_uri("", dialect->u.str,
										  dialect->len - (dialect->len > 0 && dialect->u.str[dialect->len - 1] == '#'));
			ErJsResource *meta = uri[0] == '\0' ? NULL : find_resource(schema, uri);

			if (meta == NULL)
				er_js_schema_error(owner->root, "$schema", dialect, ERRCODE_FEATURE_NOT_SUPPORTED,
								   "\"" DRAFT_2020 "\", \"" DRAFT_7 "#\" or the $id of a meta-schema in $defs");
			owner->vocabularies = custom_vocabularies(owner->root, meta->root);
		}
	}
	resource->vocabularies = owner->vocabularies;
}

/* ---- references ---- */

static char *
percent_decode(const char *s, uint32 len)
{
	char	   *out = palloc(len + 1);
	uint32		n = 0;

	for (uint32 i = 0; i < len; i++)
	{
		int			high = s[i] == '%' && i + 2 < len ? er_js_hex_digit((unsigned char) s[i + 1]) : -1;
		int			low = high >= 0 ? er_js_hex_digit((unsigned char) s[i + 2]) : -1;

		if (low >= 0 && (high | low) != 0)
		{
			out[n++] = (char) (high * 16 + low);
			i += 2;
		}
		else
			out[n++] = s[i];
	}
	out[n] = '\0';
	return out;
}

/* Parses the official meta-schemas into the schema, except what the document brings itself. */
static void
load_builtins(ErJsSchema *schema)
{
	schema->builtins_loaded = true;
	for (int i = 0; i < er_js_meta_schema_count; i++)
	{
		const ErJsMetaSchema *meta = &er_js_meta_schemas[i];

		if (find_resource(schema, meta->uri) == NULL)
			er_js_load_document(schema,
								DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(meta->text))),
								meta->uri);
	}
	er_js_scan(schema);
}

/*
 * The node that a $ref or $dynamicRef points at. For a $dynamicRef that lands on a $dynamicAnchor, dynamic_name
 * gets its name: then the outermost resource with the same dynamic anchor decides, while an instance is judged.
 */
ErJsNode *
er_js_resolve(ErJsSchema *schema, ErJsNode *node, const char *keyword, const ErJsValue *ref,
			  const char **dynamic_name, uint32 *dynamic_len)
{
	const char *hash = memchr(ref->u.str, '#', ref->len);
	uint32		uri_len = hash ? hash - ref->u.str : ref->len;
	ErJsResource *resource = node->resource;
	char	   *fragment;
	ErJsAnchor *anchor;

	if (uri_len > 0)
	{
		char	   *uri = resolve_uri(resource->uri, ref->u.str, uri_len);

		resource = find_resource(schema, uri);
		if (resource == NULL && !schema->builtins_loaded)
		{
			load_builtins(schema);
			resource = find_resource(schema, uri);
		}
		if (resource == NULL)
			reference_error(node, keyword, ref, psprintf("no schema of the document has the identifier \"%s\"",
														 er_js_clip(uri, strlen(uri), 200)));
	}
	fragment = hash ? percent_decode(hash + 1, ref->len - uri_len - 1) : "";
	if (fragment[0] == '\0')
		return resource->root;
	if (fragment[0] == '/')
		return walk_pointer(schema, node, keyword, ref, resource, fragment);

	anchor = er_js_map_get(&schema->anchors, resource, fragment, strlen(fragment));
	if (anchor == NULL)
		reference_error(node, keyword, ref, "the schema has no such anchor");
	if (dynamic_name != NULL && anchor->dynamic)
	{
		*dynamic_name = fragment;
		*dynamic_len = strlen(fragment);
	}
	return anchor->node;
}

static ErJsNode *
walk_pointer(ErJsSchema *schema, ErJsNode *node, const char *keyword, const ErJsValue *ref,
			 ErJsResource *resource, const char *pointer)
{
	ErJsNode   *near = resource->root;
	ErJsValue	at = near->source;
	StringInfoData tail,
				token;
	const char *p = pointer;

	initStringInfo(&tail);
	initStringInfo(&token);
	while (*p == '/')
	{
		ErJsNode   *known;
		bool		found = false;

		resetStringInfo(&token);
		for (p++; *p != '\0' && *p != '/'; p++)
		{
			if (p[0] == '~' && (p[1] == '0' || p[1] == '1'))
				appendStringInfoChar(&token, *++p == '0' ? '~' : '/');
			else
				appendStringInfoChar(&token, *p);
		}
		er_js_append_token(&tail, token.data, token.len);
		if (at.kind == JS_OBJECT)
			found = er_js_member(at.u.box, token.data, token.len, &at);
		else if (at.kind == JS_ARRAY && token.len > 0 && token.len < 10 &&
				 strspn(token.data, "0123456789") == token.len && (token.data[0] != '0' || token.len == 1))
			found = er_js_element(at.u.box, (uint32) atoi(token.data), &at);
		if (!found)
			reference_error(node, keyword, ref, psprintf("nothing is at \"%s\"", fragment_text(ref)));
		known = er_js_map_get(&schema->places, at.slot, NULL, 0);
		if (known != NULL)
		{
			near = known;
			resetStringInfo(&tail);
		}
	}
	if (tail.len == 0)
		return near;
	if (at.kind != JS_OBJECT && at.kind != JS_BOOL)
		reference_error(node, keyword, ref, psprintf("%s is no schema", er_js_describe(&at)));
	near = er_js_node_at(schema, &at, near, tail.data, keyword);
	er_js_scan(schema);
	return near;
}

/* As it was written: decoded, it may be no text of the database. */
static char *
fragment_text(const ErJsValue *ref)
{
	const char *fragment = (const char *) memchr(ref->u.str, '#', ref->len) + 1;

	return er_js_clip(fragment, ref->len - (fragment - ref->u.str), 200);
}

static void
reference_error(ErJsNode *node, const char *keyword, const ErJsValue *ref, const char *why)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("schema reference at %s/%s does not resolve: %s",
					er_js_node_path(node), keyword, er_js_describe(ref)),
			 errdetail("Resolved against \"%s\": %s.",
					   er_js_clip(node->resource->uri, strlen(node->resource->uri), 200), why),
			 errhint("References resolve inside the document; bundle other schemas under $defs with their $id.")));
}

/* ---- URIs: RFC 3986, section 5.2 ---- */

static void
parse_uri(const char *s, uint32 len, Uri *uri)
{
	const char *end = s + len;
	const char *p = s;

	memset(uri, 0, sizeof(Uri));
	while (p < end && (isalnum((unsigned char) *p) || *p == '+' || *p == '-' || *p == '.'))
		p++;
	if (p > s && p < end && *p == ':' && isalpha((unsigned char) *s))
	{
		uri->scheme = s;
		uri->scheme_len = p - s;
		s = p + 1;
	}
	if (end - s >= 2 && s[0] == '/' && s[1] == '/')
	{
		uri->has_authority = true;
		uri->authority = s + 2;
		for (s += 2; s < end && *s != '/' && *s != '?'; s++)
			;
		uri->authority_len = s - uri->authority;
	}
	uri->path = s;
	while (s < end && *s != '?')
		s++;
	uri->path_len = s - uri->path;
	if (s < end)
	{
		uri->has_query = true;
		uri->query = s + 1;
		uri->query_len = end - s - 1;
	}
}

/* Section 5.2.4, appending to out; segments never go above where out starts. */
static void
append_without_dots(StringInfo out, const char *path, uint32 len)
{
	int			start = out->len;
	const char *end = path + len;

	while (path < end)
	{
		const char *segment = path;
		uint32		n;
		bool		slash = *path == '/';

		if (slash)
			path++;
		while (path < end && *path != '/')
			path++;
		n = path - segment - slash;
		if (n == 1 && segment[slash] == '.')
		{
			if (path == end)
				appendStringInfoChar(out, '/');
		}
		else if (n == 2 && segment[slash] == '.' && segment[slash + 1] == '.')
		{
			while (out->len > start && out->data[--out->len] != '/')
				;
			out->data[out->len] = '\0';
			if (path == end)
				appendStringInfoChar(out, '/');
		}
		else
			appendBinaryStringInfo(out, segment, path - segment);
	}
}

static char *
resolve_uri(const char *base, const char *ref, uint32 len)
{
	Uri			b,
				r;
	StringInfoData out;
	const Uri  *authority = &r;
	const Uri  *query = &r;

	if (len == 0)
		return pstrdup(base);
	parse_uri(base, strlen(base), &b);
	parse_uri(ref, len, &r);
	initStringInfo(&out);
	if (r.scheme == NULL && b.scheme != NULL)
		appendBinaryStringInfo(&out, b.scheme, b.scheme_len + 1);
	else if (r.scheme != NULL)
		appendBinaryStringInfo(&out, r.scheme, r.scheme_len + 1);
	if (r.scheme == NULL && !r.has_authority)
		authority = &b;
	if (authority->has_authority)
	{
		appendStringInfoString(&out, "//");
		appendBinaryStringInfo(&out, authority->authority, authority->authority_len);
	}
	if (r.scheme != NULL || r.has_authority || (r.path_len > 0 && r.path[0] == '/'))
	{
		/* an opaque path such as that of a URN has no segments */
		if (r.path_len > 0 && r.path[0] == '/')
			append_without_dots(&out, r.path, r.path_len);
		else
			appendBinaryStringInfo(&out, r.path, r.path_len);
	}
	else if (r.path_len == 0)
	{
		appendBinaryStringInfo(&out, b.path, b.path_len);
		if (!r.has_query)
			query = &b;
	}
	else
	{
		StringInfoData merged;
		uint32		keep = b.path_len;

		while (keep > 0 && b.path[keep - 1] != '/')
			keep--;
		initStringInfo(&merged);
		if (b.has_authority && b.path_len == 0)
			appendStringInfoChar(&merged, '/');
		appendBinaryStringInfo(&merged, b.path, keep);
		appendBinaryStringInfo(&merged, r.path, r.path_len);
		append_without_dots(&out, merged.data, merged.len);
		pfree(merged.data);
	}
	if (query->has_query)
	{
		appendStringInfoChar(&out, '?');
		appendBinaryStringInfo(&out, query->query, query->query_len);
	}
	return out.data;
}
