/*
 * flags.c
 *		Feature flags: is this feature on for this tenant, and this user?
 *
 * The first that has an answer wins: kill switch, user, tenant, the setting execreport.feature_flags, default.
 *
 * Lookups come by the million, so each session keeps what it has read: the definitions, and per tenant one byte for
 * each flag, loaded when a tenant is first asked for. A tenant's users are loaded when a user of it is first asked
 * for: all at once while they are few, else one by one. Invariants:
 *
 *	- Everything cached rests on one generation of the table flags, which every writer announces whichever of the three
 *	  tables it changed, and on one generation of the setting. When either has moved on, all of it is dropped.
 *	- Flag numbers are positions in the definitions and mean nothing outside of one such generation.
 *	- A tenant or a user is entered when all its rows are read: an error while reading leaves nothing half known.
 *	- The cache is dropped when it has grown beyond CACHE_LIMIT, at the next lookup, never under a caller's feet.
 *
 * This file reads three tables of ours (through session_cache.c), because flags are operating controls: the latest
 * committed state counts at every isolation level and in parallel workers, which no query of the session would see.
 */
#include "flags.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/formatting.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/varlena.h"

#include "execreport.h"
#include "session_cache.h"
#include "tenancy.h"

/* Column numbers of execreport.flags, flag_overrides and kill_switches */
#define FLAG_KEY			1
#define FLAG_DEFAULT		2
#define FLAG_REFUSAL		3
#define OVERRIDE_TENANT_ID	1
#define OVERRIDE_USER_ID	2
#define OVERRIDE_FLAG		3
#define OVERRIDE_ENABLED	4
#define KILL_TENANT_ID		1
#define KILL_FLAG			2

#define EVERY_TENANT		0	/* tenant_id of a kill switch that holds everywhere */
#define MAX_USER_ID			512 /* bytes; the table checks the same */
#define FEW_USER_ROWS		200 /* so many are read in less than 100 microseconds */
#define CACHE_LIMIT			(16 * 1024 * 1024)
#define MAX_LISTED			20	/* names in an error's detail */
#define MAX_SHOWN			64	/* bytes of a value in an error */

/* What is known of a flag at one level */
typedef uint8 FlagState;

#define FLAG_OFF				0
#define FLAG_ON					1
#define FLAG_KILLED				2	/* by the tenant's kill switch */
#define FLAG_KILLED_EVERYWHERE	3
#define FLAG_UNSAID				4	/* no override */

/* A flag's key, or a user of a tenant (owner) */
typedef struct Key
{
	const char *data;
	uint32		len;
	int32		owner;
} Key;

typedef struct Flag
{
	Key		key;
	int			number;			/* position in cache.flags */
	FlagState	state;			/* without any tenant */
	const char *refusal;		/* message of require_flag() */
} Flag;

typedef struct FlagEntry
{
	Key		key;
	uint32		hash;
	char		status;
	int			number;
} FlagEntry;

typedef struct UserEntry
{
	Key		key;
	uint32		hash;
	char		status;
	FlagState  *states;			/* NULL: no override at all */
} UserEntry;

typedef enum UsersKnown
{
	USERS_UNREAD,
	USERS_ALL,					/* who is not entered has no override */
	USERS_ASKED					/* too many: only those asked for are entered */
} UsersKnown;

typedef struct TenantEntry
{
	int32		tenant_id;
	char		status;
	uint8		users;			/* UsersKnown */
	FlagState  *states;			/* of the tenant as a whole */
} TenantEntry;

static inline uint32
hash_key(Key name)
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
same_key(Key a, Key b)
{
	return a.len == b.len && a.owner == b.owner && memcmp(a.data, b.data, a.len) == 0;
}

#define SH_PREFIX flagtable
#define SH_ELEMENT_TYPE FlagEntry
#define SH_KEY_TYPE Key
#define SH_KEY key
#define SH_HASH_KEY(tb, k) hash_key(k)
#define SH_EQUAL(tb, a, b) same_key(a, b)
#define SH_STORE_HASH
#define SH_GET_HASH(tb, a) (a)->hash
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

#define SH_PREFIX usertable
#define SH_ELEMENT_TYPE UserEntry
#define SH_KEY_TYPE Key
#define SH_KEY key
#define SH_HASH_KEY(tb, k) hash_key(k)
#define SH_EQUAL(tb, a, b) same_key(a, b)
#define SH_STORE_HASH
#define SH_GET_HASH(tb, a) (a)->hash
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

#define SH_PREFIX tenanttable
#define SH_ELEMENT_TYPE TenantEntry
#define SH_KEY_TYPE int32
#define SH_KEY tenant_id
#define SH_HASH_KEY(tb, k) murmurhash32((uint32) (k))
#define SH_EQUAL(tb, a, b) ((a) == (b))
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

static struct
{
	MemoryContext context;
	uint64		generation;		/* of flags_watch; 0 = nothing is cached */
	uint64		setting;		/* of the setting */
	Flag	   *flags;			/* in order of key */
	int			nflags;
	flagtable_hash *numbers;
	tenanttable_hash *tenants;
	usertable_hash *users;
} cache;

static ErWatch flags_watch = {"flags"};
static ErWatch overrides_watch = {"flag_overrides"};
static ErWatch kills_watch = {"kill_switches"};

static FlagState lookup(FunctionCallInfo fcinfo, Flag **flag);
static int32 tenant_argument(FunctionCallInfo fcinfo);
static Key text_key(const text *value, int32 owner);
static FlagState state_for(TenantEntry *tenant, const text *user, int number);
static void refresh(uint64 generation);
static void read_flags(void);
static void apply_setting(void);
static TenantEntry *find_tenant(int32 tenant_id);
static void read_kill_switches(int32 tenant_id, FlagState killed, FlagState *states);
static UserEntry *find_user(TenantEntry *tenant, Key user);
static void read_all_users(TenantEntry *tenant);
static UserEntry *enter_user(Key user, FlagState *states);
static void read_overrides(Key user, FlagState *states);
static FlagState *new_states(void);
static void limit_cache(void);
static Flag *find_flag(Key key);
static Flag *require_known(Key key);
static const char *nearest_flag(Key key);
static char *list_flags(void);
static char *show(const char *data, int len);
static const char *type_name(const JsonbValue *v);

PG_FUNCTION_INFO_V1(er_is_flag_enabled);
PG_FUNCTION_INFO_V1(er_require_flag);
PG_FUNCTION_INFO_V1(er_get_flags);
PG_FUNCTION_INFO_V1(er_check_flag);
PG_FUNCTION_INFO_V1(er_check_flags);

Datum
er_is_flag_enabled(PG_FUNCTION_ARGS)
{
	Flag	   *flag;

	PG_RETURN_BOOL(lookup(fcinfo, &flag) == FLAG_ON);
}

Datum
er_require_flag(PG_FUNCTION_ARGS)
{
	Flag	   *flag;
	FlagState	state = lookup(fcinfo, &flag);
	int			tenant_id = PG_GETARG_INT32(0);
	const char *key = flag->key.data;

	if (state != FLAG_ON)
		ereport(ERROR,
				(errcode(MAKE_SQLSTATE('P', 'T', '5', '0', '3')),
				 errmsg("%s", flag->refusal),
				 errdetail("FEATURE_DISABLED"),
				 state == FLAG_KILLED_EVERYWHERE ?
				 errhint("Its kill switch is engaged everywhere; execreport.set_kill_switch('%s', false, 'reason') releases it.",
						 key) :
				 state == FLAG_KILLED ?
				 errhint("Its kill switch is engaged for tenant %d; execreport.set_kill_switch('%s', false, 'reason', %d) releases it.",
						 tenant_id, key, tenant_id) :
				 errhint("Switch it on with execreport.update_flags(%d, '{\"%s\": true}').", tenant_id, key)));
	PG_RETURN_VOID();
}

/*
 * All flags of a tenant, or of one of its users, as one flat object.
 */
Datum
er_get_flags(PG_FUNCTION_ARGS)
{
	int32		tenant_id = tenant_argument(fcinfo);
	const text *user = PG_NARGS() > 1 && !PG_ARGISNULL(1) ? PG_GETARG_TEXT_PP(1) : NULL;
	TenantEntry *tenant;
	JsonbParseState *state = NULL;
	JsonbValue *object;

	refresh(er_watch_further(&flags_watch));
	tenant = find_tenant(tenant_id);
	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i < cache.nflags; i++)
	{
		JsonbValue	v;

		v.type = jbvString;
		v.val.string.val = unconstify(char *, cache.flags[i].key.data);
		v.val.string.len = cache.flags[i].key.len;
		pushJsonbValue(&state, WJB_KEY, &v);
		v.type = jbvBool;
		v.val.boolean = state_for(tenant, user, i) == FLAG_ON;
		pushJsonbValue(&state, WJB_VALUE, &v);
	}
	object = pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	PG_RETURN_JSONB_P(JsonbValueToJsonb(object));
}

/*
 * An error unless the flag is known.
 */
Datum
er_check_flag(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("flag is null")));
	refresh(er_watch_generation(&flags_watch));
	require_known(text_key(PG_GETARG_TEXT_PP(0), 0));
	PG_RETURN_VOID();
}

/*
 * An error unless this is an object of known flags, each true, false or null.
 */
Datum
er_check_flags(PG_FUNCTION_ARGS)
{
	Jsonb	   *flags;
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	v;
	Key		key = {0};

	if (PG_ARGISNULL(0))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("flags is null")));
	flags = PG_GETARG_JSONB_P(0);
	refresh(er_watch_generation(&flags_watch));

	if (!JB_ROOT_IS_OBJECT(flags))
	{
		if (!JsonbExtractScalar(&flags->root, &v))
			v.type = jbvArray;
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("flags is not an object"),
				 errdetail("It is %s.", type_name(&v)),
				 errhint("Give flags and their values, such as {\"execReportsEnabled\": true}.")));
	}

	it = JsonbIteratorInit(&flags->root);
	while ((token = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
		{
			key.data = v.val.string.val;
			key.len = v.val.string.len;
			require_known(key);
		}
		else if (token == WJB_VALUE && v.type != jbvBool && v.type != jbvNull)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 v.type == jbvString ?
					 errmsg("flags.%s is %s", pnstrdup(key.data, key.len), show(v.val.string.val, v.val.string.len)) :
					 errmsg("flags.%s is %s", pnstrdup(key.data, key.len), type_name(&v)),
					 errdetail("A flag is true or false; null removes the override.")));
		CHECK_FOR_INTERRUPTS();
	}
	PG_RETURN_VOID();
}

/*
 * The state of flag (argument 1) for the tenant (argument 0) and, when given, the user (argument 2).
 */
static FlagState
lookup(FunctionCallInfo fcinfo, Flag **flag)
{
	int32		tenant_id = tenant_argument(fcinfo);

	if (PG_ARGISNULL(1))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("flag is null")));
	refresh(er_watch_further(&flags_watch));	/* the check of the tenant has just accepted messages */
	*flag = require_known(text_key(PG_GETARG_TEXT_PP(1), 0));
	return state_for(find_tenant(tenant_id),
					 PG_NARGS() > 2 && !PG_ARGISNULL(2) ? PG_GETARG_TEXT_PP(2) : NULL, (*flag)->number);
}

static int32
tenant_argument(FunctionCallInfo fcinfo)
{
	int32		tenant_id;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("tenant_id is null"),
				 errhint("Name a tenant, such as execreport.current_tenant().")));
	tenant_id = PG_GETARG_INT32(0);
	er_require_tenant_persona(tenant_id, ER_VIEWER);
	return tenant_id;
}

static Key
text_key(const text *value, int32 owner)
{
	Key		name;

	name.data = VARDATA_ANY(value);
	name.len = VARSIZE_ANY_EXHDR(value);
	name.owner = owner;
	return name;
}

static FlagState
state_for(TenantEntry *tenant, const text *user, int number)
{
	FlagState	state = tenant->states[number];
	UserEntry  *entry;

	if (user == NULL || state == FLAG_KILLED || state == FLAG_KILLED_EVERYWHERE)
		return state;
	entry = find_user(tenant, text_key(user, tenant->tenant_id));
	if (entry == NULL || entry->states == NULL || entry->states[number] == FLAG_UNSAID)
		return state;
	return entry->states[number];
}

/*
 * Make the cache rest on this generation of flags, taken before anything is read.
 */
static void
refresh(uint64 generation)
{
	if (likely(cache.generation == generation && cache.setting == er_flag_setting_generation))
		return;

	cache.generation = 0;
	/* not announced, so never woken: the extension may have been dropped and created anew */
	overrides_watch.relid = InvalidOid;
	kills_watch.relid = InvalidOid;
	if (cache.context == NULL)
		cache.context = AllocSetContextCreate(CacheMemoryContext, "execreport flags", ALLOCSET_DEFAULT_SIZES);
	MemoryContextReset(cache.context);
	cache.numbers = flagtable_create(cache.context, 16, NULL);
	cache.tenants = tenanttable_create(cache.context, 16, NULL);
	cache.users = usertable_create(cache.context, 16, NULL);
	cache.setting = er_flag_setting_generation;
	read_flags();
	apply_setting();
	cache.generation = generation;
}

static void
read_flags(void)
{
	Relation	rel = table_open(er_watch_relid(&flags_watch), AccessShareLock);
	Relation	index = index_open(er_primary_key_index(rel), AccessShareLock);
	SysScanDesc scan = systable_beginscan_ordered(rel, index, NULL, 0, NULL);
	HeapTuple	tuple;
	int			space = 16;
	MemoryContext before = MemoryContextSwitchTo(cache.context);

	cache.nflags = 0;
	cache.flags = palloc(space * sizeof(Flag));
	while (HeapTupleIsValid(tuple = systable_getnext_ordered(scan, ForwardScanDirection)))
	{
		bool		isnull;
		Flag	   *flag;
		FlagEntry  *entry;
		bool		found;

		CHECK_FOR_INTERRUPTS();
		if (cache.nflags == space)
			cache.flags = repalloc(cache.flags, (space *= 2) * sizeof(Flag));
		flag = &cache.flags[cache.nflags];
		flag->number = cache.nflags++;
		flag->key.data = TextDatumGetCString(heap_getattr(tuple, FLAG_KEY, RelationGetDescr(rel), &isnull));
		flag->key.len = strlen(flag->key.data);
		flag->key.owner = 0;
		flag->state = DatumGetBool(heap_getattr(tuple, FLAG_DEFAULT, RelationGetDescr(rel), &isnull)) ?
			FLAG_ON : FLAG_OFF;
		flag->refusal = TextDatumGetCString(heap_getattr(tuple, FLAG_REFUSAL, RelationGetDescr(rel), &isnull));
		entry = flagtable_insert(cache.numbers, flag->key, &found);
		entry->number = flag->number;
	}
	systable_endscan_ordered(scan);
	index_close(index, AccessShareLock);
	table_close(rel, AccessShareLock);
	MemoryContextSwitchTo(before);
}

static void
apply_setting(void)
{
	static uint64 warned_of = 0;
	const char *fault;
	ErFlagSetting setting;

	for (const char *p = er_next_flag_setting(er_feature_flags, &setting, &fault); p != NULL;
		 p = er_next_flag_setting(p, &setting, &fault))
	{
		Key			key = {setting.flag, setting.len, 0};
		Flag	   *flag = find_flag(key);

		if (flag != NULL)
			flag->state = setting.enabled ? FLAG_ON : FLAG_OFF;
		else if (warned_of != er_flag_setting_generation)
			ereport(WARNING,
					(errcode(ERRCODE_UNDEFINED_OBJECT),
					 errmsg("unknown flag %s in the setting execreport.feature_flags", show(key.data, key.len)),
					 errdetail("Known flags: %s. This one has no effect.", list_flags())));
	}
	warned_of = er_flag_setting_generation;
}

/*
 * The tenant as cached, read now when it was not.
 */
static TenantEntry *
find_tenant(int32 tenant_id)
{
	TenantEntry *tenant = tenanttable_lookup(cache.tenants, tenant_id);
	Key		whole = {"", 0, tenant_id};
	FlagState  *states;
	bool		found;

	if (likely(tenant != NULL))
		return tenant;

	states = new_states();
	read_overrides(whole, states);
	for (int i = 0; i < cache.nflags; i++)
	{
		if (states[i] == FLAG_UNSAID)
			states[i] = cache.flags[i].state;
	}
	read_kill_switches(tenant_id, FLAG_KILLED, states);
	read_kill_switches(EVERY_TENANT, FLAG_KILLED_EVERYWHERE, states);

	tenant = tenanttable_insert(cache.tenants, tenant_id, &found);
	tenant->users = USERS_UNREAD;
	tenant->states = states;
	limit_cache();
	return tenant;
}

static void
read_kill_switches(int32 tenant_id, FlagState killed, FlagState *states)
{
	Relation	rel = table_open(er_watch_relid(&kills_watch), AccessShareLock);
	SysScanDesc scan;
	ScanKeyData key;
	HeapTuple	tuple;

	ScanKeyInit(&key, KILL_TENANT_ID, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(tenant_id));
	scan = systable_beginscan(rel, er_primary_key_index(rel), true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		bool		isnull;
		Datum		value = heap_getattr(tuple, KILL_FLAG, RelationGetDescr(rel), &isnull);
		Flag	   *flag = find_flag(text_key(DatumGetTextPP(value), 0));

		if (flag != NULL)
			states[flag->number] = killed;
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
}

/*
 * The user as cached, read now when it was not. NULL: has no override.
 */
static UserEntry *
find_user(TenantEntry *tenant, Key user)
{
	UserEntry  *entry;
	FlagState  *states;

	if (user.len == 0 || user.len > MAX_USER_ID)
		return NULL;
	if (unlikely(tenant->users == USERS_UNREAD))
		read_all_users(tenant);
	entry = usertable_lookup(cache.users, user);
	if (entry != NULL || tenant->users == USERS_ALL)
		return entry;

	states = new_states();
	read_overrides(user, states);
	entry = enter_user(user, states);
	limit_cache();
	return entry;
}

/*
 * Read all users of a tenant while they are few. The rows come ordered by user, those of the tenant itself first.
 */
static void
read_all_users(TenantEntry *tenant)
{
	Relation	rel = table_open(er_watch_relid(&overrides_watch), AccessShareLock);
	SysScanDesc scan;
	ScanKeyData keys[2];
	HeapTuple	tuple;
	int			rows = 0;

	ScanKeyInit(&keys[0], OVERRIDE_TENANT_ID, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(tenant->tenant_id));
	ScanKeyInit(&keys[1], OVERRIDE_USER_ID, BTGreaterStrategyNumber, F_TEXT_GT, CStringGetTextDatum(""));
	scan = systable_beginscan(rel, er_primary_key_index(rel), true, NULL, 2, keys);
	while (rows <= FEW_USER_ROWS && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		TupleDesc	desc = RelationGetDescr(rel);
		bool		isnull;
		Key		user = text_key(DatumGetTextPP(heap_getattr(tuple, OVERRIDE_USER_ID, desc, &isnull)),
									 tenant->tenant_id);
		Flag	   *flag = find_flag(text_key(DatumGetTextPP(heap_getattr(tuple, OVERRIDE_FLAG, desc, &isnull)), 0));
		UserEntry  *entry = usertable_lookup(cache.users, user);

		rows++;
		if (flag == NULL)
			continue;
		if (entry == NULL)
			entry = enter_user(user, new_states());
		entry->states[flag->number] =
			DatumGetBool(heap_getattr(tuple, OVERRIDE_ENABLED, desc, &isnull)) ? FLAG_ON : FLAG_OFF;
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	tenant->users = rows <= FEW_USER_ROWS ? USERS_ALL : USERS_ASKED;
}

static UserEntry *
enter_user(Key user, FlagState *states)
{
	UserEntry  *entry;
	bool		found;

	user.data = memcpy(MemoryContextAlloc(cache.context, user.len), user.data, user.len);
	entry = usertable_insert(cache.users, user, &found);
	entry->states = states;
	return entry;
}

/*
 * The overrides of one user; the user "" stands for the tenant as a whole.
 */
static void
read_overrides(Key user, FlagState *states)
{
	Relation	rel = table_open(er_watch_relid(&overrides_watch), AccessShareLock);
	SysScanDesc scan;
	ScanKeyData keys[2];
	HeapTuple	tuple;

	ScanKeyInit(&keys[0], OVERRIDE_TENANT_ID, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(user.owner));
	ScanKeyInit(&keys[1], OVERRIDE_USER_ID, BTEqualStrategyNumber, F_TEXTEQ,
				PointerGetDatum(cstring_to_text_with_len(user.data, user.len)));
	scan = systable_beginscan(rel, er_primary_key_index(rel), true, NULL, 2, keys);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		TupleDesc	desc = RelationGetDescr(rel);
		bool		isnull;
		Flag	   *flag = find_flag(text_key(DatumGetTextPP(heap_getattr(tuple, OVERRIDE_FLAG, desc, &isnull)), 0));

		if (flag != NULL)
			states[flag->number] =
				DatumGetBool(heap_getattr(tuple, OVERRIDE_ENABLED, desc, &isnull)) ? FLAG_ON : FLAG_OFF;
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
}

static FlagState *
new_states(void)
{
	FlagState  *states = MemoryContextAlloc(cache.context, Max(cache.nflags, 1));

	memset(states, FLAG_UNSAID, cache.nflags);
	return states;
}

/*
 * Too big: start afresh at the next lookup. Pointers into the cache stay good until then.
 */
static void
limit_cache(void)
{
	if (MemoryContextMemAllocated(cache.context, false) > CACHE_LIMIT)
		cache.generation = 0;
}

static Flag *
find_flag(Key key)
{
	FlagEntry  *entry = flagtable_lookup(cache.numbers, key);

	return entry == NULL ? NULL : &cache.flags[entry->number];
}

static Flag *
require_known(Key key)
{
	Flag	   *flag = find_flag(key);
	const char *nearest;

	if (likely(flag != NULL))
		return flag;
	nearest = nearest_flag(key);
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("unknown flag %s", show(key.data, key.len)),
			 errdetail("Known flags: %s.", list_flags()),
			 nearest == NULL ? 0 : errhint("Perhaps you mean \"%s\".", nearest)));
}

/*
 * The known flag that takes fewest edits, case aside, and not more than a third of its length.
 */
static const char *
nearest_flag(Key key)
{
	const char *nearest = NULL;
	int			least = INT_MAX;
	char	   *lower;

	if (key.len == 0 || key.len > MAX_SHOWN)
		return NULL;
	lower = asc_tolower(key.data, key.len);
	for (int i = 0; i < cache.nflags; i++)
	{
		const Flag *flag = &cache.flags[i];
		int			edits;

		if (flag->key.len > MAX_SHOWN)
			continue;
		edits = varstr_levenshtein(lower, key.len, asc_tolower(flag->key.data, flag->key.len), flag->key.len,
								   1, 1, 1, true);
		if (edits < least && edits <= flag->key.len / 3)
		{
			nearest = flag->key.data;
			least = edits;
		}
	}
	return nearest;
}

static char *
list_flags(void)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < Min(cache.nflags, MAX_LISTED); i++)
		appendStringInfo(&buf, "%s%s", i == 0 ? "" : ", ", cache.flags[i].key.data);
	if (cache.nflags > MAX_LISTED)
		appendStringInfo(&buf, " and %d more", cache.nflags - MAX_LISTED);
	return buf.data;
}

/* Quoted as JSON does it, and clipped. */
static char *
show(const char *data, int len)
{
	StringInfoData buf;
	int			shown = pg_mbcliplen(data, len, MAX_SHOWN);

	initStringInfo(&buf);
	escape_json(&buf, pnstrdup(data, shown));
	if (shown < len)
		appendStringInfoString(&buf, "...");
	return buf.data;
}

static const char *
type_name(const JsonbValue *v)
{
	switch (v->type)
	{
		case jbvNull:
			return "null";
		case jbvString:
			return "a string";
		case jbvNumeric:
			return "a number";
		case jbvBool:
			return "a boolean";
		case jbvBinary:
			return JsonContainerIsObject(v->val.binary.data) ? "an object" : "an array";
		default:
			return "an array";
	}
}
