/*
 * flags_cache.c
 *		What a session has read of the flags: definitions, per tenant one byte for each flag, its users.
 *
 * Lookups come by the million, so each session keeps what it has read. A tenant is read when it is first asked for. Its
 * users are read when a user of it is first asked for: all at once while they are few, else one by one. A definition is
 * read and compiled when its flag is first asked for. Invariants:
 *
 *	- Everything cached rests on one generation of the table flags, which every writer announces whichever of the flag
 *	  tables it changed, on one of the tenants, and on one of the setting. When any has moved on, all of it is dropped.
 *	- Flag numbers are positions in the definitions and mean nothing outside of one such generation.
 *	- A tenant or a user is entered when all its rows are read: an error while reading leaves nothing half known.
 *	- The cache is dropped when it has grown beyond CACHE_LIMIT, at the next lookup, never under a caller's feet.
 *
 * This file reads tables of ours (through session_cache.c), because flags are operating controls: the latest committed
 * state counts at every isolation level and in parallel workers, which no query of the session would see.
 */
#include "flags_cache.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/rel.h"

#include "execreport.h"

/* Column numbers of the tables */
#define FLAG_KEY			1
#define FLAG_DEFAULT		2
#define FLAG_REFUSAL		3
#define OVERRIDE_TENANT_ID	1
#define OVERRIDE_USER_ID	2
#define OVERRIDE_FLAG		3
#define OVERRIDE_ENABLED	4
#define KILL_TENANT_ID		1
#define KILL_FLAG			2
#define DEFINITION_KEY		1
#define DEFINITION_DOCUMENT	2
#define DEFINITION_VERSION	3
#define DEFINITION_ARCHIVED	4
#define SEGMENT_KEY			1
#define SEGMENT_DOCUMENT	2
#define ROLLOUT_FLAG		1
#define ROLLOUT_USERS		2
#define ROLLOUT_PERCENTAGE	3
#define ROLLOUT_MAX_SIZE	4
#define ROLLOUT_GROUP_ID	5
#define TENANT_TENANT_ID	1
#define TENANT_SIZE			3

#define EVERY_TENANT		0	/* tenant_id of a kill switch that holds everywhere */
#define FEW_USER_ROWS		200 /* so many are read in less than 100 microseconds */
#define CACHE_LIMIT			(16 * 1024 * 1024)

ErFlagCache er_flags;
ErWatch		er_flags_watch = {"flags"};
ErWatch		er_flag_tenants_watch = {"_tenants"};

/* not announced themselves: looked up again with each reload */
static ErWatch overrides_watch = {"flag_overrides"};
static ErWatch kills_watch = {"kill_switches"};
static ErWatch definitions_watch = {"flag_definitions"};
static ErWatch segments_watch = {"flag_segments"};
static ErWatch rollouts_watch = {"flag_rollouts"};

static void read_flags(void);
static void apply_setting(void);
static void read_definitions(void);
static void read_rollouts(void);
static void read_users(ErFlagRollout *rollout, Datum users);
static ErFlag *flag_of(HeapTuple tuple, TupleDesc desc, int column);
static void read_kill_switches(int32 tenant_id, ErFlagState killed, ErFlagState *states);
static const char *read_size(int32 tenant_id);
static void read_all_users(ErFlagTenant *tenant);
static ErFlagUser *enter_user(ErFlagKey user, ErFlagState *states);
static void read_overrides(ErFlagKey user, ErFlagState *states);
static ErFlagState *new_states(void);
static void limit_cache(void);
static Jsonb *read_definition(ErFlagText key);
static Jsonb *read_segment(ErFlagText key);
static Jsonb *read_document(ErWatch *watch, int key_column, int document_column, ErFlagText key);

void
er_flags_reload(uint64 generation)
{
	er_flags.generation = 0;
	/* not announced, so never woken: the extension may have been dropped and created anew */
	overrides_watch.relid = InvalidOid;
	kills_watch.relid = InvalidOid;
	definitions_watch.relid = InvalidOid;
	segments_watch.relid = InvalidOid;
	rollouts_watch.relid = InvalidOid;
	if (er_flags.context == NULL)
		er_flags.context = AllocSetContextCreate(CacheMemoryContext, "execreport flags", ALLOCSET_DEFAULT_SIZES);
	er_flags.nflags = 0;		/* none are left, should an error come before they are read */
	MemoryContextReset(er_flags.context);
	er_flags.numbers = flagtable_create(er_flags.context, 16, NULL);
	er_flags.tenants = tenanttable_create(er_flags.context, 16, NULL);
	er_flags.users = usertable_create(er_flags.context, 16, NULL);
	er_flags.setting = er_flag_setting_generation;
	er_flags.ruled = false;
	(void) er_watch_relid(&er_flag_tenants_watch);
	er_flags.tenants_generation = er_flag_tenants_watch.generation;
	read_flags();
	apply_setting();
	read_definitions();
	read_rollouts();
	er_flags.generation = generation;
}

static void
read_flags(void)
{
	Relation	rel = table_open(er_watch_relid(&er_flags_watch), AccessShareLock);
	Relation	index = index_open(er_primary_key_index(rel), AccessShareLock);
	SysScanDesc scan = systable_beginscan_ordered(rel, index, NULL, 0, NULL);
	HeapTuple	tuple;
	int			space = 16;
	MemoryContext before = MemoryContextSwitchTo(er_flags.context);

	er_flags.flags = palloc(space * sizeof(ErFlag));
	while (HeapTupleIsValid(tuple = systable_getnext_ordered(scan, ForwardScanDirection)))
	{
		bool		isnull;
		ErFlag	   *flag;
		ErFlagEntry *entry;
		bool		found;

		CHECK_FOR_INTERRUPTS();
		if (er_flags.nflags == space)
			er_flags.flags = repalloc(er_flags.flags, (space *= 2) * sizeof(ErFlag));
		flag = &er_flags.flags[er_flags.nflags];
		memset(flag, 0, sizeof(ErFlag));
		flag->number = er_flags.nflags++;
		flag->key.data = TextDatumGetCString(heap_getattr(tuple, FLAG_KEY, RelationGetDescr(rel), &isnull));
		flag->key.len = strlen(flag->key.data);
		flag->state = DatumGetBool(heap_getattr(tuple, FLAG_DEFAULT, RelationGetDescr(rel), &isnull)) ?
			ER_FLAG_ON : ER_FLAG_OFF;
		flag->refusal = TextDatumGetCString(heap_getattr(tuple, FLAG_REFUSAL, RelationGetDescr(rel), &isnull));
		entry = flagtable_insert(er_flags.numbers, flag->key, &found);
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
		ErFlagKey	key = {setting.flag, setting.len, 0};
		ErFlag	   *flag = er_flags_find(key);

		if (flag != NULL)
		{
			flag->state = setting.enabled ? ER_FLAG_ON : ER_FLAG_OFF;
			flag->by_setting = true;
		}
		else if (warned_of != er_flag_setting_generation)
			ereport(WARNING,
					(errcode(ERRCODE_UNDEFINED_OBJECT),
					 errmsg("unknown flag %s in the setting execreport.feature_flags", er_flags_show(key.data, key.len)),
					 errdetail("Known flags: %s. This one has no effect.", er_flags_list())));
	}
	warned_of = er_flag_setting_generation;
}

/*
 * Which flags have a definition, and which of those are archived. The document is read when it is needed.
 */
static void
read_definitions(void)
{
	Relation	rel = table_open(er_watch_relid(&definitions_watch), AccessShareLock);
	SysScanDesc scan = systable_beginscan(rel, InvalidOid, false, NULL, 0, NULL);
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		TupleDesc	desc = RelationGetDescr(rel);
		ErFlag	   *flag = flag_of(tuple, desc, DEFINITION_KEY);
		bool		isnull;

		CHECK_FOR_INTERRUPTS();
		if (flag == NULL)
			continue;
		flag->version = DatumGetInt32(heap_getattr(tuple, DEFINITION_VERSION, desc, &isnull));
		(void) heap_getattr(tuple, DEFINITION_ARCHIVED, desc, &isnull);
		flag->archived = !isnull;
		er_flags.ruled = true;
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
}

static void
read_rollouts(void)
{
	Relation	rel = table_open(er_watch_relid(&rollouts_watch), AccessShareLock);
	SysScanDesc scan = systable_beginscan(rel, InvalidOid, false, NULL, 0, NULL);
	HeapTuple	tuple;
	MemoryContext before = MemoryContextSwitchTo(er_flags.context);

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		TupleDesc	desc = RelationGetDescr(rel);
		ErFlag	   *flag = flag_of(tuple, desc, ROLLOUT_FLAG);
		ErFlagRollout *rollout;
		Datum		value;
		bool		isnull;

		CHECK_FOR_INTERRUPTS();
		if (flag == NULL)
			continue;
		rollout = palloc0(sizeof(ErFlagRollout));
		read_users(rollout, heap_getattr(tuple, ROLLOUT_USERS, desc, &isnull));
		value = heap_getattr(tuple, ROLLOUT_PERCENTAGE, desc, &isnull);
		rollout->percentage = DatumGetFloat8(DirectFunctionCall1(numeric_float8, value));
		value = heap_getattr(tuple, ROLLOUT_MAX_SIZE, desc, &isnull);
		rollout->max_size = isnull ? NULL : TextDatumGetCString(value);
		rollout->group.data = TextDatumGetCString(heap_getattr(tuple, ROLLOUT_GROUP_ID, desc, &isnull));
		rollout->group.len = strlen(rollout->group.data);
		flag->rollout = rollout;
		er_flags.ruled = true;
	}
	MemoryContextSwitchTo(before);
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
}

static void
read_users(ErFlagRollout *rollout, Datum users)
{
	ArrayType  *array = DatumGetArrayTypePCopy(users);
	Datum	   *elements;
	bool	   *nulls;
	int			count;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &count);
	rollout->users = palloc(Max(count, 1) * sizeof(ErFlagText));
	for (int i = 0; i < count; i++)
	{
		text	   *user;

		if (nulls[i])
			continue;
		user = DatumGetTextPP(elements[i]);
		rollout->users[rollout->nusers].data = VARDATA_ANY(user);
		rollout->users[rollout->nusers++].len = VARSIZE_ANY_EXHDR(user);
	}
}

static ErFlag *
flag_of(HeapTuple tuple, TupleDesc desc, int column)
{
	bool		isnull;

	return er_flags_find(er_flag_text_key(DatumGetTextPP(heap_getattr(tuple, column, desc, &isnull)), 0));
}

/*
 * A tenant that is not cached yet.
 */
ErFlagTenant *
er_flags_read_tenant(int32 tenant_id)
{
	ErFlagTenant *tenant;
	ErFlagKey	whole = {"", 0, tenant_id};
	ErFlagState *states = new_states();
	ErFlagState *overrides;
	const char *size = NULL;
	bool		found;

	read_overrides(whole, states);
	overrides = memcpy(new_states(), states, er_flags.nflags);
	if (er_flags.ruled)
		size = read_size(tenant_id);
	for (int i = 0; i < er_flags.nflags; i++)
	{
		if (er_flags.flags[i].version != 0 || er_flags.flags[i].rollout != NULL)
			states[i] = ER_FLAG_UNSETTLED;
		else if (states[i] == ER_FLAG_UNSAID)
			states[i] = er_flags.flags[i].state;
	}
	read_kill_switches(tenant_id, ER_FLAG_KILLED, states);
	read_kill_switches(EVERY_TENANT, ER_FLAG_KILLED_EVERYWHERE, states);

	tenant = tenanttable_insert(er_flags.tenants, tenant_id, &found);
	tenant->users = ER_USERS_UNREAD;
	tenant->has_users = false;
	tenant->states = states;
	tenant->overrides = overrides;
	tenant->size = size;
	limit_cache();
	return tenant;
}

static void
read_kill_switches(int32 tenant_id, ErFlagState killed, ErFlagState *states)
{
	Relation	rel = table_open(er_watch_relid(&kills_watch), AccessShareLock);
	SysScanDesc scan;
	ScanKeyData key;
	HeapTuple	tuple;

	ScanKeyInit(&key, KILL_TENANT_ID, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(tenant_id));
	scan = systable_beginscan(rel, er_primary_key_index(rel), true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		ErFlag	   *flag = flag_of(tuple, RelationGetDescr(rel), KILL_FLAG);

		if (flag != NULL)
			states[flag->number] = killed;
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
}

static const char *
read_size(int32 tenant_id)
{
	Relation	rel = table_open(er_watch_relid(&er_flag_tenants_watch), AccessShareLock);
	SysScanDesc scan;
	ScanKeyData key;
	HeapTuple	tuple;
	const char *size = NULL;

	ScanKeyInit(&key, TENANT_TENANT_ID, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(tenant_id));
	scan = systable_beginscan(rel, er_primary_key_index(rel), true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		bool		isnull;
		Datum		value = heap_getattr(tuple, TENANT_SIZE, RelationGetDescr(rel), &isnull);

		if (!isnull)
			size = MemoryContextStrdup(er_flags.context, TextDatumGetCString(value));
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return size;
}

/*
 * The user as cached, read now when it was not. NULL: has no override.
 */
ErFlagUser *
er_flags_user(ErFlagTenant *tenant, ErFlagKey user)
{
	ErFlagUser *entry;
	ErFlagState *states;

	if (user.len == 0 || user.len > ER_MAX_USER_ID)
		return NULL;
	if (unlikely(tenant->users == ER_USERS_UNREAD))
		read_all_users(tenant);
	entry = usertable_lookup(er_flags.users, user);
	if (entry != NULL || tenant->users == ER_USERS_ALL)
		return entry;

	states = new_states();
	read_overrides(user, states);
	entry = enter_user(user, states);
	limit_cache();
	return entry;
}

/* Does any user of the tenant have an override? */
bool
er_flags_has_users(ErFlagTenant *tenant)
{
	if (tenant->users == ER_USERS_UNREAD)
		read_all_users(tenant);
	return tenant->has_users;
}

/*
 * Read all users of a tenant while they are few. The rows come ordered by user, those of the tenant itself first.
 */
static void
read_all_users(ErFlagTenant *tenant)
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
		ErFlagKey	user = er_flag_text_key(DatumGetTextPP(heap_getattr(tuple, OVERRIDE_USER_ID, desc, &isnull)),
											tenant->tenant_id);
		ErFlag	   *flag = flag_of(tuple, desc, OVERRIDE_FLAG);
		ErFlagUser *entry = usertable_lookup(er_flags.users, user);

		rows++;
		if (flag == NULL)
			continue;
		if (entry == NULL)
			entry = enter_user(user, new_states());
		entry->states[flag->number] =
			DatumGetBool(heap_getattr(tuple, OVERRIDE_ENABLED, desc, &isnull)) ? ER_FLAG_ON : ER_FLAG_OFF;
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	tenant->has_users = rows > 0;
	tenant->users = rows <= FEW_USER_ROWS ? ER_USERS_ALL : ER_USERS_ASKED;
}

static ErFlagUser *
enter_user(ErFlagKey user, ErFlagState *states)
{
	ErFlagUser *entry;
	bool		found;

	user.data = memcpy(MemoryContextAlloc(er_flags.context, user.len), user.data, user.len);
	entry = usertable_insert(er_flags.users, user, &found);
	entry->states = states;
	return entry;
}

/*
 * The overrides of one user; the user "" stands for the tenant as a whole.
 */
static void
read_overrides(ErFlagKey user, ErFlagState *states)
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
		ErFlag	   *flag = flag_of(tuple, desc, OVERRIDE_FLAG);

		if (flag != NULL)
			states[flag->number] =
				DatumGetBool(heap_getattr(tuple, OVERRIDE_ENABLED, desc, &isnull)) ? ER_FLAG_ON : ER_FLAG_OFF;
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
}

static ErFlagState *
new_states(void)
{
	ErFlagState *states = MemoryContextAlloc(er_flags.context, Max(er_flags.nflags, 1));

	memset(states, ER_FLAG_UNSAID, er_flags.nflags);
	return states;
}

/*
 * Too big: start afresh at the next lookup. Pointers into the cache stay good until then.
 */
static void
limit_cache(void)
{
	if (MemoryContextMemAllocated(er_flags.context, true) > CACHE_LIMIT)
		er_flags.generation = 0;
}

/*
 * What decides the flag, read and compiled now when it was not. NULL: it has neither definition nor rollout.
 */
ErFlagProgram *
er_flags_program(ErFlag *flag)
{
	ErFlagText	key = {flag->key.data, flag->key.len};
	MemoryContext context;
	MemoryContext before;

	if (flag->program != NULL || (flag->version == 0 && flag->rollout == NULL))
		return flag->program;
	/* a context of its own, which an error on the way takes along */
	context = AllocSetContextCreate(CurrentMemoryContext, "execreport flag", ALLOCSET_SMALL_SIZES);
	before = MemoryContextSwitchTo(context);
	flag->program = er_flag_compile(key, flag->version == 0 ? NULL : read_definition(key), flag->rollout, read_segment);
	MemoryContextSwitchTo(before);
	MemoryContextSetParent(context, er_flags.context);
	limit_cache();
	return flag->program;
}

static Jsonb *
read_definition(ErFlagText key)
{
	return read_document(&definitions_watch, DEFINITION_KEY, DEFINITION_DOCUMENT, key);
}

static Jsonb *
read_segment(ErFlagText key)
{
	return read_document(&segments_watch, SEGMENT_KEY, SEGMENT_DOCUMENT, key);
}

/* A copy in the current context; NULL when there is none. */
static Jsonb *
read_document(ErWatch *watch, int key_column, int document_column, ErFlagText key)
{
	Relation	rel = table_open(er_watch_relid(watch), AccessShareLock);
	SysScanDesc scan;
	ScanKeyData keys[1];
	HeapTuple	tuple;
	Jsonb	   *document = NULL;

	ScanKeyInit(&keys[0], key_column, BTEqualStrategyNumber, F_TEXTEQ,
				PointerGetDatum(cstring_to_text_with_len(key.data, key.len)));
	scan = systable_beginscan(rel, er_primary_key_index(rel), true, NULL, 1, keys);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		bool		isnull;
		Datum		value = heap_getattr(tuple, document_column, RelationGetDescr(rel), &isnull);

		if (!isnull)
			document = DatumGetJsonbPCopy(value);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return document;
}
