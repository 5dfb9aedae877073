/*
 * flags_cache.h
 *		What a session keeps of the flags, for flags_cache.c, which reads it, and for those who look it up.
 *
 * Call er_flags_refresh() before anything else: pointers into the cache are good until the next one.
 */
#ifndef ER_FLAGS_CACHE_H
#define ER_FLAGS_CACHE_H

#include "flags_rules.h"

#include "common/hashfn.h"

#include "flags.h"
#include "session_cache.h"

#define ER_MAX_USER_ID	512		/* bytes; the table checks the same */

/* What is known of a flag at one level */
typedef uint8 ErFlagState;

#define ER_FLAG_OFF			0
#define ER_FLAG_ON			1
#define ER_FLAG_UNSAID		2	/* no override */
/* from here on no user's override counts */
#define ER_FLAG_KILLED		3	/* by the tenant's kill switch */
#define ER_FLAG_KILLED_EVERYWHERE 4
#define ER_FLAG_BLOCKED		5	/* by a prerequisite, for the whole tenant */
#define ER_FLAG_RULED		6	/* depends on who asks, and when: decide each time */
#define ER_FLAG_UNSETTLED	7	/* has rules that nobody has looked at yet */

/* A flag's key, or a user of a tenant (owner) */
typedef struct ErFlagKey
{
	const char *data;
	uint32		len;
	int32		owner;
} ErFlagKey;

typedef struct ErFlag
{
	ErFlagKey	key;
	int			number;			/* position in er_flags.flags */
	ErFlagState state;			/* without any tenant: the default, or what the setting says */
	bool		by_setting;
	bool		archived;
	bool		asked;			/* noted in this hour that somebody asks for it */
	int			version;		/* of its definition; 0: it has none */
	ErFlagRollout *rollout;		/* NULL: it has none */
	ErFlagProgram *program;		/* NULL: none, or not compiled yet */
	const char *refusal;		/* message of require_flag() */
} ErFlag;

typedef struct ErFlagEntry
{
	ErFlagKey	key;
	uint32		hash;
	char		status;
	int			number;
} ErFlagEntry;

typedef struct ErFlagUser
{
	ErFlagKey	key;
	uint32		hash;
	char		status;
	ErFlagState *states;
} ErFlagUser;

typedef enum ErFlagUsers
{
	ER_USERS_UNREAD,
	ER_USERS_ALL,				/* who is not entered has no override */
	ER_USERS_ASKED				/* too many: only those asked for are entered */
} ErFlagUsers;

typedef struct ErFlagTenant
{
	int32		tenant_id;
	char		status;
	uint8		users;			/* ErFlagUsers */
	bool		has_users;		/* some user has an override; once users are read */
	ErFlagState *states;		/* of the tenant as a whole, as far as it goes without knowing who asks */
	ErFlagState *overrides;		/* ON, OFF or UNSAID */
	const char *size;			/* NULL: unknown */
} ErFlagTenant;

static inline uint32
er_flag_hash_key(ErFlagKey name)
{
	const uint64 factor = UINT64CONST(0x9E3779B97F4A7C15);
	uint64		hash = (uint32) name.owner ^ ((uint64) name.len << 32);
	const char *p = name.data;
	uint32		left = name.len;
	uint64		word;

	for (; left >= 8; left -= 8, p += 8)
	{
		memcpy(&word, p, 8);
		hash = (hash ^ word) * factor;
		hash ^= hash >> 32;
	}
	for (word = 0; left > 0; left--)
		word = (word << 8) | (uint8) *p++;
	hash = (hash ^ word) * factor;
	return (uint32) (hash >> 32);
}

static inline bool
er_flag_same_key(ErFlagKey a, ErFlagKey b)
{
	return a.len == b.len && a.owner == b.owner && memcmp(a.data, b.data, a.len) == 0;
}

#define SH_PREFIX flagtable
#define SH_ELEMENT_TYPE ErFlagEntry
#define SH_KEY_TYPE ErFlagKey
#define SH_KEY key
#define SH_HASH_KEY(tb, k) er_flag_hash_key(k)
#define SH_EQUAL(tb, a, b) er_flag_same_key(a, b)
#define SH_STORE_HASH
#define SH_GET_HASH(tb, a) (a)->hash
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

#define SH_PREFIX usertable
#define SH_ELEMENT_TYPE ErFlagUser
#define SH_KEY_TYPE ErFlagKey
#define SH_KEY key
#define SH_HASH_KEY(tb, k) er_flag_hash_key(k)
#define SH_EQUAL(tb, a, b) er_flag_same_key(a, b)
#define SH_STORE_HASH
#define SH_GET_HASH(tb, a) (a)->hash
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

#define SH_PREFIX tenanttable
#define SH_ELEMENT_TYPE ErFlagTenant
#define SH_KEY_TYPE int32
#define SH_KEY tenant_id
#define SH_HASH_KEY(tb, k) murmurhash32((uint32) (k))
#define SH_EQUAL(tb, a, b) ((a) == (b))
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

typedef struct ErFlagCache
{
	MemoryContext context;
	uint64		generation;		/* of er_flags_watch; 0 = nothing is cached */
	uint64		tenants_generation;
	uint64		setting;		/* of the setting execreport.feature_flags */
	ErFlag	   *flags;			/* in order of key */
	int			nflags;
	bool		ruled;			/* some flag has a definition or a rollout */
	flagtable_hash *numbers;
	tenanttable_hash *tenants;
	usertable_hash *users;
} ErFlagCache;

extern ErFlagCache er_flags;
extern ErWatch er_flags_watch;
extern ErWatch er_flag_tenants_watch;

/* flags_cache.c */
extern void er_flags_reload(uint64 generation);
extern ErFlagTenant *er_flags_read_tenant(int32 tenant_id);
extern ErFlagUser *er_flags_user(ErFlagTenant *tenant, ErFlagKey user);
extern bool er_flags_has_users(ErFlagTenant *tenant);
extern ErFlagProgram *er_flags_program(ErFlag *flag);

/* flags_names.c */
pg_noreturn extern void er_flags_unknown(ErFlagKey key);
extern char *er_flags_list(void);
extern char *er_flags_show(const char *data, int len);

/* flags_asked.c */
extern void er_flags_asked_init(void);
extern void er_flags_note(ErFlag *flag);
extern void er_flags_turn_hour(void);

/* flags_decide.c */
typedef enum ErFlagCause
{
	ER_CAUSE_KILLED,
	ER_CAUSE_PREREQUISITE,
	ER_CAUSE_USER,
	ER_CAUSE_TENANT,
	ER_CAUSE_RULE,
	ER_CAUSE_NO_RULE,			/* there are rules, and none holds */
	ER_CAUSE_SETTING,
	ER_CAUSE_DEFAULT
} ErFlagCause;

typedef struct ErFlagDecision
{
	ErFlagCause cause;
	int			rule;			/* with ER_CAUSE_RULE */
	bool		no_key;			/* a rule wanted a targeting key, and there was none */
	const ErFlagPrerequisite *prerequisite;
} ErFlagDecision;

extern ErFlagAnswer er_flag_decide(ErFlag *flag, ErFlagTenant *tenant, const ErFlagContext *context,
								   ErFlagDecision *decision, int depth);
extern const ErFlagVariant *er_flag_variant(const ErFlag *flag, const ErFlagContext *context,
											const ErFlagDecision *decision, bool *dealt);
extern ErFlagState er_flag_settle(ErFlag *flag, ErFlagTenant *tenant);

/*
 * Make the cache rest on this generation of flags, taken before anything is read.
 */
static inline void
er_flags_refresh(uint64 generation)
{
	if (unlikely(er_flags.generation != generation || er_flags.setting != er_flag_setting_generation ||
				 er_flags.tenants_generation != er_flag_tenants_watch.generation))
		er_flags_reload(generation);
}

/* Archived ones, too. */
static inline ErFlag *
er_flags_find(ErFlagKey key)
{
	ErFlagEntry *entry = flagtable_lookup(er_flags.numbers, key);

	return entry == NULL ? NULL : &er_flags.flags[entry->number];
}

static inline ErFlag *
er_flags_require(ErFlagKey key)
{
	ErFlag	   *flag = er_flags_find(key);

	if (unlikely(flag == NULL || flag->archived))
		er_flags_unknown(key);
	return flag;
}

static inline ErFlagTenant *
er_flags_tenant(int32 tenant_id)
{
	ErFlagTenant *tenant = tenanttable_lookup(er_flags.tenants, tenant_id);

	return likely(tenant != NULL) ? tenant : er_flags_read_tenant(tenant_id);
}

static inline ErFlagKey
er_flag_text_key(const text *value, int32 owner)
{
	ErFlagKey	key;

	key.data = VARDATA_ANY(value);
	key.len = VARSIZE_ANY_EXHDR(value);
	key.owner = owner;
	return key;
}

#endif							/* ER_FLAGS_CACHE_H */
