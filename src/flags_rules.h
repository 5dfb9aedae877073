/*
 * flags_rules.h
 *		What decides a flag beyond overrides, compiled from its definition, and the context it is asked in.
 *
 * The parts: flags_compile.c (document to program), flags_match.c (constraints against a context), flags_hash.c
 * (buckets), flags_context.c (what is known of who asks), flags_decide.c (the order of answers), flags_openfeature.c
 * (answers with value, variant and reason). A program lives in the session's cache of flags and is never changed.
 */
#ifndef ER_FLAGS_RULES_H
#define ER_FLAGS_RULES_H

#include "compat.h"

#include "datatype/timestamp.h"
#include "regex/regex.h"
#include "utils/jsonb.h"

/* Bytes, not terminated; data NULL: there is none. */
typedef struct ErFlagText
{
	const char *data;
	int			len;
} ErFlagText;

typedef enum ErFlagAlgorithm
{
	ER_FLAG_UNLEASH,
	ER_FLAG_UNLEASH_NODE,
	ER_FLAG_FLAGD
} ErFlagAlgorithm;

/* An answer when not everything need be known: maybe it depends on a field that is not the tenant's. */
typedef enum ErFlagAnswer
{
	ER_FLAG_NO,
	ER_FLAG_YES,
	ER_FLAG_MAYBE
} ErFlagAnswer;

typedef enum ErFlagFieldKind
{
	ER_FIELD_USER,				/* userId, targetingKey */
	ER_FIELD_TENANT,
	ER_FIELD_SIZE,
	ER_FIELD_CONFIGURATION,
	ER_FIELD_TIME,
	ER_FIELD_PROPERTY,			/* sessionId and any other */
	ER_FIELD_DEFAULT,			/* stickiness alone: the user, else the session, else chance */
	ER_FIELD_RANDOM				/* stickiness alone: chance */
} ErFlagFieldKind;

typedef struct ErFlagField
{
	ErFlagFieldKind kind;
	ErFlagText	name;
} ErFlagField;

typedef enum ErFlagOperator
{
	ER_FLAG_IN,
	ER_FLAG_NOT_IN,
	ER_FLAG_STR_CONTAINS,
	ER_FLAG_STR_STARTS_WITH,
	ER_FLAG_STR_ENDS_WITH,
	ER_FLAG_NUM_EQ,
	ER_FLAG_NUM_GT,
	ER_FLAG_NUM_GTE,
	ER_FLAG_NUM_LT,
	ER_FLAG_NUM_LTE,
	ER_FLAG_DATE_AFTER,
	ER_FLAG_DATE_BEFORE,
	ER_FLAG_SEMVER_EQ,
	ER_FLAG_SEMVER_GT,
	ER_FLAG_SEMVER_GTE,
	ER_FLAG_SEMVER_LT,
	ER_FLAG_SEMVER_LTE,
	ER_FLAG_REGEX,
	ER_FLAG_CIDR,
	ER_FLAG_NEVER				/* unknown or faulty: never true, inverted or not */
} ErFlagOperator;

/* 1.2.3-pre; build metadata does not count */
typedef struct ErFlagVersion
{
	ErFlagText	part[3];		/* digits without leading zeros */
	ErFlagText	pre;
} ErFlagVersion;

typedef struct ErFlagNet
{
	int			bytes;			/* of the address: 4 or 16 */
	int			bits;
	uint8		address[16];
} ErFlagNet;

typedef struct ErFlagConstraint
{
	ErFlagOperator operator;
	bool		inverted;
	bool		case_insensitive;
	ErFlagField field;
	int			nvalues;
	ErFlagText *values;			/* IN, NOT_IN: sorted by er_flag_compare_text */
	ErFlagNet  *nets;			/* CIDR: nvalues of them */
	double		number;
	TimestampTz time;
	ErFlagVersion version;
	pg_regex_t *regex;
} ErFlagConstraint;

typedef struct ErFlagOverride
{
	ErFlagField field;
	int			nvalues;
	ErFlagText *values;
} ErFlagOverride;

typedef struct ErFlagVariant
{
	ErFlagText	name;
	uint32		weight;
	Jsonb	   *value;
	int			noverrides;
	ErFlagOverride *overrides;
} ErFlagVariant;

typedef struct ErFlagVariants
{
	int			count;
	int			weighty;		/* variants with a weight above 0 */
	uint32		total;			/* of the weights; 0: none is ever chosen */
	bool		overridden;		/* some variant has overrides */
	ErFlagField stickiness;
	ErFlagVariant *list;
} ErFlagVariants;

typedef struct ErFlagRule
{
	bool		never;			/* a segment is missing */
	bool		partial;		/* has a percentage below 100 */
	int			nconstraints;
	ErFlagConstraint *constraints;	/* those of its segments, too */
	double		percentage;		/* negative: the rule has none */
	uint32		share;			/* the same in thousandths of a percent */
	ErFlagText	group;			/* UTF-8 */
	ErFlagField stickiness;
	ErFlagVariants variants;	/* of the rule's own; count 0: the flag's */
} ErFlagRule;

typedef struct ErFlagPrerequisite
{
	ErFlagText	flag;
	bool		enabled;		/* what the other flag has to be */
	int			nvariants;
	ErFlagText *variants;		/* and when on, the variant it has to give; none: any */
} ErFlagPrerequisite;

typedef struct ErFlagProgram
{
	ErFlagAlgorithm algorithm;
	ErFlagText	group;			/* of the flag's variants, UTF-8 */
	bool		has_default;
	bool		default_enabled;
	int			nprerequisites;
	ErFlagPrerequisite *prerequisites;
	int			nrules;			/* with those of the rollout */
	int			nown;			/* without */
	ErFlagRule *rules;
	double		percentage;		/* the highest of all rules; negative: none has one */
	ErFlagVariants variants;
	bool		has_variants;	/* of the flag's own or a rule's: it gives those, not true or false */
	int			off_variant;	/* -1: none */
} ErFlagProgram;

/* How far a flag is rolled out: a row of flag_rollouts */
typedef struct ErFlagRollout
{
	int			nusers;
	ErFlagText *users;
	double		percentage;
	const char *max_size;		/* NULL: not by size */
	ErFlagText	group;
} ErFlagRollout;

/* Who asks, and when. Fields that are not the tenant's are looked up when a rule wants them. */
typedef struct ErFlagContext
{
	bool		tenant_only;	/* nothing but the tenant is known yet */
	int32		tenant_id;
	const char *size;			/* NULL: unknown */
	ErFlagText	user;
	bool		has_configuration;
	int32		configuration_id;
	const JsonbContainer *given;	/* the argument; NULL: none */
	const JsonbContainer *setting;	/* execreport.context; NULL: none */
} ErFlagContext;

extern char *er_flag_context_setting;	/* execreport.context */
extern uint64 er_flag_context_generation;

/* flags_compile.c */
typedef Jsonb *(*ErFlagSegmentReader) (ErFlagText key);
extern ErFlagProgram *er_flag_compile(ErFlagText key, Jsonb *document, const ErFlagRollout *rollout,
									  ErFlagSegmentReader segment);
extern int	er_flag_compare_text(const void *a, const void *b);
extern bool er_flag_text_is(ErFlagText text, const char *literal);

/* flags_context.c */
extern bool er_check_flag_context(char **newval, void **extra, GucSource source);
extern void er_assign_flag_context(const char *newval, void *extra);
extern const JsonbContainer *er_flag_setting_context(bool *faulty);
extern bool er_flag_member(const JsonbContainer *object, const char *name, int len, JsonbValue *value);
extern ErFlagText er_flag_scalar_text(const JsonbValue *value);
extern ErFlagAnswer er_flag_field(const ErFlagContext *context, const ErFlagField *field, ErFlagText *value);

/* flags_match.c */
extern ErFlagAnswer er_flag_matches(const ErFlagConstraint *constraint, const ErFlagContext *context);
extern bool er_flag_parse_number(ErFlagText text, double *number);
extern bool er_flag_parse_time(ErFlagText text, TimestampTz *time);
extern bool er_flag_parse_version(ErFlagText text, ErFlagVersion *version);
extern bool er_flag_parse_net(ErFlagText text, ErFlagNet *net);

/* flags_hash.c */
extern uint32 er_murmur3(const char *data, int len, uint32 seed);
extern uint32 er_flag_dealt(ErFlagAlgorithm algorithm, ErFlagText group, ErFlagText id, bool variant, uint32 total);
extern ErFlagText er_flag_utf8(ErFlagText value);

#endif							/* ER_FLAGS_RULES_H */
