/*
 * tenancy.c
 *		Who calls, for which tenant, and what they may do there.
 *
 * The caller is always the outer role: the session's role or the one chosen by SET ROLE, not the owner of a SECURITY
 * DEFINER function we may be inside of. Memberships stand in execreport.tenant_members under the role's name and count
 * for every role that has the privileges of the enrolled one. Superusers are admins of every tenant.
 *
 * The exception is code that PostgreSQL itself runs as the owner of a table: see caller().
 *
 * Row security asks for the current tenant in each query, so the last answer is kept per session together with
 * everything it rests on: the role, the setting, and the generations of the two tables and of the roles.
 *
 * This file reads two tables of ours, tenant_members and _tenants (through session_cache.c): it is the ground that
 * row security stands on, so it cannot itself go through a query that row security filters.
 */
#include "tenancy.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"

#include "execreport.h"
#include "maintenance.h"
#include "session_cache.h"

/* Column numbers of execreport.tenant_members and execreport._tenants */
#define MEMBER_TENANT_ID	1
#define MEMBER_ROLE_NAME	2
#define MEMBER_PERSONA		3
#define TENANT_TENANT_ID	1

/* The tenant that is there from the start and needs no row */
#define BUILTIN_TENANT		1

/* What an answer rests on */
typedef struct Basis
{
	Oid			role;
	uint64		members;
	uint64		tenants;
	uint64		roles;
} Basis;

static ErWatch members_watch = {"tenant_members"};
static ErWatch tenants_watch = {"_tenants"};

static const char *const persona_names[] = {NULL, "viewer", "editor", "operator", "admin"};

static Oid caller(void);
static bool basis_holds(Basis *basis);
static int32 choose_tenant(Oid role);
static bool tenant_exists(int32 tenant_id);
static List *tenants_of(Oid role);
static int	compare_tenants(const ListCell *a, const ListCell *b);
static ErPersona persona_in(Oid role, int32 tenant_id);
static ErPersona parse_persona(const text *name);
static char *format_tenants(List *tenants);
static char *role_name(Oid role);

PG_FUNCTION_INFO_V1(er_current_tenant);
PG_FUNCTION_INFO_V1(er_current_user_id);
PG_FUNCTION_INFO_V1(er_require_persona);
PG_FUNCTION_INFO_V1(er_require_tenant);
PG_FUNCTION_INFO_V1(er_caller_is_superuser);
PG_FUNCTION_INFO_V1(er_caller_role);
PG_FUNCTION_INFO_V1(er_has_persona);

Datum
er_current_tenant(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(er_current_tenant_id());
}

int32
er_current_tenant_id(void)
{
	static Basis basis;
	static int	setting = -1;
	static int32 answer;

	if (basis_holds(&basis) && setting == er_tenant_id)
		return answer;

	setting = -1;				/* no answer while we may fail */
	answer = choose_tenant(basis.role);
	setting = er_tenant_id;
	return answer;
}

Datum
er_current_user_id(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(er_current_user_text());
}

text *
er_current_user_text(void)
{
	if (er_user_id != NULL && er_user_id[0] != '\0')
		return cstring_to_text(er_user_id);
	return cstring_to_text(role_name(caller()));
}

/* The current tenant, for a caller who has at least the given persona in it, and may write now if it is an editor's. */
Datum
er_require_persona(PG_FUNCTION_ARGS)
{
	int32		tenant_id = er_current_tenant_id();
	ErPersona	minimum = parse_persona(PG_GETARG_TEXT_PP(0));

	er_require_tenant_persona(tenant_id, minimum);
	if (minimum >= ER_EDITOR)
		er_refuse_in_maintenance(tenant_id);
	PG_RETURN_INT32(tenant_id);
}

/* The same for a tenant that is named, and for those who operate it: also in maintenance. */
Datum
er_require_tenant(PG_FUNCTION_ARGS)
{
	int32		tenant_id;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("tenant_id is null"),
				 errhint("Name a tenant, such as execreport.current_tenant().")));
	tenant_id = PG_GETARG_INT32(0);
	er_require_tenant_persona(tenant_id, parse_persona(PG_GETARG_TEXT_PP(1)));
	PG_RETURN_INT32(tenant_id);
}

Datum
er_caller_is_superuser(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(superuser_arg(caller()));
}

Datum
er_caller_role(PG_FUNCTION_ARGS)
{
	Name		result = palloc0(NAMEDATALEN);

	namestrcpy(result, role_name(caller()));
	PG_RETURN_NAME(result);
}

/* Whether er_require_persona would let the caller pass. */
Datum
er_has_persona(PG_FUNCTION_ARGS)
{
	ErPersona	minimum = parse_persona(PG_GETARG_TEXT_PP(0));
	Oid			role = caller();

	PG_RETURN_BOOL(superuser_arg(role) || persona_in(role, er_current_tenant_id()) >= minimum);
}

/*
 * An error unless the caller has at least the given persona in that tenant. A superuser passes for any number, also
 * for a tenant nobody has created.
 */
void
er_require_tenant_persona(int32 tenant_id, ErPersona minimum)
{
	static Basis basis;
	static bool is_superuser;
	static int32 last_tenant;
	static ErPersona last_persona = ER_NO_MEMBER;

	if (!basis_holds(&basis))
	{
		Oid			role = basis.role;

		basis.role = InvalidOid;	/* no answer while we may fail */
		is_superuser = superuser_arg(role);
		last_persona = ER_NO_MEMBER;
		basis.role = role;
	}
	if (is_superuser)
		return;
	if (last_persona == ER_NO_MEMBER || last_tenant != tenant_id)
	{
		last_persona = ER_NO_MEMBER;
		last_persona = persona_in(basis.role, tenant_id);
		last_tenant = tenant_id;
	}

	if (last_persona == ER_NO_MEMBER)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("role \"%s\" is not a member of tenant %d", role_name(basis.role), tenant_id),
				 errhint("An administrator enrols it with execreport.grant_access('%s', %d, 'viewer').",
						 role_name(basis.role), tenant_id)));
	if (last_persona < minimum)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("role \"%s\" may not do this in tenant %d", role_name(basis.role), tenant_id),
				 errdetail("It takes persona %s; the role's persona is %s.",
						   persona_names[minimum], persona_names[last_persona]),
				 errhint("An administrator raises it with execreport.grant_access('%s', %d, '%s').",
						 role_name(basis.role), tenant_id, persona_names[minimum])));
}

/*
 * The role that counts.
 *
 * Maintenance (ANALYZE, autovacuum, REINDEX, REFRESH MATERIALIZED VIEW ...) runs code that the owner of a table wrote, while
 * the outer role is whoever happens to vacuum: often a superuser. There the owner counts. In a SECURITY DEFINER function
 * that such code calls nobody can tell who the owner was, nor in the actions of foreign keys: refuse.
 */
static Oid
caller(void)
{
	Oid			user;
	int			context;

	GetUserIdAndSecContext(&user, &context);
	if (likely((context & (SECURITY_RESTRICTED_OPERATION | SECURITY_NOFORCE_RLS)) == 0))
		return GetOuterUserId();

	if (context & (SECURITY_LOCAL_USERID_CHANGE | SECURITY_NOFORCE_RLS))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("the caller is not known here"),
				 errdetail("Index expressions and materialized views may read only; the triggers of a foreign key's action may not even read."),
				 errhint("Call the function in a statement of its own.")));
	return user;
}

/*
 * Is everything the last answer rests on still the same? If not, note what the next one will rest on.
 */
static bool
basis_holds(Basis *basis)
{
	Basis		now;

	now.role = caller();
	now.members = er_watch_generation(&members_watch);
	now.tenants = er_watch_further(&tenants_watch);
	now.roles = er_role_generation();
	if (basis->role == now.role && basis->members == now.members &&
		basis->tenants == now.tenants && basis->roles == now.roles)
		return true;
	/* a watch that knows its table is not woken by changes of others */
	(void) er_watch_relid(&members_watch);
	(void) er_watch_relid(&tenants_watch);
	*basis = now;				/* last: an error above must leave the old answer with its old basis */
	return false;
}

static int32
choose_tenant(Oid role)
{
	int32		wanted = er_tenant_id;
	List	   *tenants;

	if (superuser_arg(role))
	{
		if (wanted == 0)
			return BUILTIN_TENANT;
		if (!tenant_exists(wanted))
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_OBJECT),
					 errmsg("tenant %d does not exist", wanted),
					 errdetail("The setting execreport.tenant_id names it."),
					 errhint("Create it with execreport.create_tenant(%d).", wanted)));
		return wanted;
	}

	if (wanted != 0)
	{
		if (persona_in(role, wanted) == ER_NO_MEMBER)
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("role \"%s\" is not a member of tenant %d", role_name(role), wanted),
					 errdetail("The setting execreport.tenant_id names it; the role is a member of %s.",
							   format_tenants(tenants_of(role)))));
		return wanted;
	}

	tenants = tenants_of(role);
	if (tenants == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("role \"%s\" is not a member of any tenant", role_name(role)),
				 errhint("An administrator enrols it with execreport.grant_access('%s', 1, 'viewer').",
						 role_name(role))));
	if (list_length(tenants) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("role \"%s\" is a member of several tenants and has chosen none", role_name(role)),
				 errdetail("It is a member of %s.", format_tenants(tenants)),
				 errhint("Choose one with SET execreport.tenant_id = %d.", linitial_int(tenants))));
	return linitial_int(tenants);
}

static bool
tenant_exists(int32 tenant_id)
{
	Relation	rel;
	SysScanDesc scan;
	ScanKeyData key;
	bool		found;

	if (tenant_id == BUILTIN_TENANT)
		return true;
	rel = table_open(er_watch_relid(&tenants_watch), AccessShareLock);
	ScanKeyInit(&key, TENANT_TENANT_ID, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(tenant_id));
	scan = systable_beginscan(rel, er_primary_key_index(rel), true, NULL, 1, &key);
	found = HeapTupleIsValid(systable_getnext(scan));
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return found;
}

/* All tenants that the role is a member of, in ascending order, each once. */
static List *
tenants_of(Oid role)
{
	Relation	rel = table_open(er_watch_relid(&members_watch), AccessShareLock);
	SysScanDesc scan = systable_beginscan(rel, InvalidOid, false, NULL, 0, NULL);
	HeapTuple	tuple;
	List	   *tenants = NIL;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		bool		isnull;
		Name		member = DatumGetName(heap_getattr(tuple, MEMBER_ROLE_NAME, RelationGetDescr(rel), &isnull));
		Oid			member_oid = get_role_oid(NameStr(*member), true);

		CHECK_FOR_INTERRUPTS();
		if (OidIsValid(member_oid) && has_privs_of_role(role, member_oid))
			tenants = list_append_unique_int(tenants,
											 DatumGetInt32(heap_getattr(tuple, MEMBER_TENANT_ID,
																		RelationGetDescr(rel), &isnull)));
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	list_sort(tenants, compare_tenants);
	return tenants;
}

/* PostgreSQL 14 has no list_int_cmp. */
static int
compare_tenants(const ListCell *a, const ListCell *b)
{
	return lfirst_int(a) < lfirst_int(b) ? -1 : lfirst_int(a) > lfirst_int(b);
}

/* The highest persona that the role has in the tenant, by itself or through the roles whose privileges it has. */
static ErPersona
persona_in(Oid role, int32 tenant_id)
{
	Relation	rel = table_open(er_watch_relid(&members_watch), AccessShareLock);
	SysScanDesc scan;
	ScanKeyData key;
	HeapTuple	tuple;
	ErPersona	best = ER_NO_MEMBER;

	ScanKeyInit(&key, MEMBER_TENANT_ID, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(tenant_id));
	scan = systable_beginscan(rel, er_primary_key_index(rel), true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		bool		isnull;
		Name		member = DatumGetName(heap_getattr(tuple, MEMBER_ROLE_NAME, RelationGetDescr(rel), &isnull));
		Oid			member_oid = get_role_oid(NameStr(*member), true);
		ErPersona	persona;

		if (!OidIsValid(member_oid) || !has_privs_of_role(role, member_oid))
			continue;
		persona = parse_persona(DatumGetTextPP(heap_getattr(tuple, MEMBER_PERSONA, RelationGetDescr(rel), &isnull)));
		best = Max(best, persona);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return best;
}

static ErPersona
parse_persona(const text *name)
{
	for (int persona = ER_VIEWER; persona <= ER_ADMIN; persona++)
	{
		if (VARSIZE_ANY_EXHDR(name) == strlen(persona_names[persona]) &&
			memcmp(VARDATA_ANY(name), persona_names[persona], VARSIZE_ANY_EXHDR(name)) == 0)
			return persona;
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown persona \"%.*s\"",
					Min((int) VARSIZE_ANY_EXHDR(name), 64), VARDATA_ANY(name)),
			 errdetail("A persona is viewer, editor, operator or admin.")));
}

static char *
format_tenants(List *tenants)
{
	StringInfoData buf;
	ListCell   *cell;

	if (tenants == NIL)
		return "no tenant";
	initStringInfo(&buf);
	appendStringInfoString(&buf, list_length(tenants) == 1 ? "tenant" : "tenants");
	foreach(cell, tenants)
	{
		if (foreach_current_index(cell) == 20)
		{
			appendStringInfo(&buf, " and %d more", list_length(tenants) - 20);
			break;
		}
		appendStringInfo(&buf, "%s %d", foreach_current_index(cell) == 0 ? "" : ",", lfirst_int(cell));
	}
	return buf.data;
}

static char *
role_name(Oid role)
{
	return GetUserNameFromId(role, false);
}
