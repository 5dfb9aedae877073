/*
 * compat.h
 *		Every difference between PostgreSQL 14 and 18 that we meet, in one place.
 *		No other file tests PG_VERSION_NUM.
 */
#ifndef ER_COMPAT_H
#define ER_COMPAT_H

#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "utils/guc.h"

#if PG_VERSION_NUM < 140000
#error "execreport needs PostgreSQL 14 or later"
#endif

/* 18 puts it in front of the declaration; the attribute may stand there in all versions. */
#ifndef pg_noreturn
#define pg_noreturn pg_attribute_noreturn()
#endif

#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

/* 16 declares it in fmgr.h; before that each module does. */
#if PG_VERSION_NUM < 160000
extern PGDLLEXPORT void _PG_init(void);
#endif

/* What SQL calls is all that the library shows (see Makefile); 16 says so itself. */
#if PG_VERSION_NUM < 160000
#undef PG_FUNCTION_INFO_V1
#define PG_FUNCTION_INFO_V1(funcname) \
extern PGDLLEXPORT Datum funcname(PG_FUNCTION_ARGS); \
extern PGDLLEXPORT const Pg_finfo_record *CppConcat(pg_finfo_,funcname)(void); \
const Pg_finfo_record * \
CppConcat(pg_finfo_,funcname) (void) \
{ \
	static const Pg_finfo_record my_finfo = { 1 }; \
	return &my_finfo; \
} \
extern int	no_such_variable
#endif

#if PG_VERSION_NUM < 150000
#define MarkGUCPrefixReserved(prefix) EmitWarningsOnPlaceholders(prefix)
#endif

#if PG_VERSION_NUM >= 180000
#define er_primary_key_index(rel) RelationGetPrimaryKeyIndex(rel, false)
#else
#define er_primary_key_index(rel) RelationGetPrimaryKeyIndex(rel)
#endif

/* From 15 on, shared memory is asked for in a hook; before, while the library is preloaded. */
#if PG_VERSION_NUM >= 150000
#define er_on_shmem_request(previous, hook) ((previous) = shmem_request_hook, shmem_request_hook = (hook))
#else
typedef void (*shmem_request_hook_type) (void);
#define er_on_shmem_request(previous, hook) ((void) (previous), (hook) ())
#endif

/* A small number that differs from one running backend to the next. */
#if PG_VERSION_NUM >= 170000
#include "storage/procnumber.h"
#define er_backend_number() ((uint32) MyProcNumber)
#else
#include "storage/backendid.h"
#define er_backend_number() ((uint32) MyBackendId)
#endif

/* 18 counts an index scan's searches where it is told to. */
#if PG_VERSION_NUM >= 180000
#define er_index_beginscan(rel, index, snapshot, nkeys) index_beginscan(rel, index, snapshot, NULL, nkeys, 0)
#else
#define er_index_beginscan(rel, index, snapshot, nkeys) index_beginscan(rel, index, snapshot, nkeys, 0)
#endif

/* Which indexes a new version of a row needs entries in: 16 tells those with summaries (BRIN) apart. */
#if PG_VERSION_NUM >= 160000
#define ErUpdateIndexes TU_UpdateIndexes
#define ER_NO_INDEXES TU_None
#define er_insert_speculative_index_tuples(target, slot, estate, conflict) \
	ExecInsertIndexTuples(target, slot, estate, false, true, conflict, NIL, false)
#define er_insert_index_tuples(target, slot, estate, indexes) \
	ExecInsertIndexTuples(target, slot, estate, false, false, NULL, NIL, (indexes) == TU_Summarizing)
#else
#define ErUpdateIndexes bool
#define ER_NO_INDEXES false
#define er_insert_speculative_index_tuples(target, slot, estate, conflict) \
	ExecInsertIndexTuples(target, slot, estate, false, true, conflict, NIL)
#define er_insert_index_tuples(target, slot, estate, indexes) \
	ExecInsertIndexTuples(target, slot, estate, false, false, NULL, NIL)
#endif

/* Would a new row conflict with one in a unique index? 18 may leave a row that is in the table already out of account. */
#if PG_VERSION_NUM >= 180000
#define er_check_unique(target, slot, estate, conflict, none) \
	ExecCheckIndexConstraints(target, slot, estate, conflict, none, NIL)
#else
#define er_check_unique(target, slot, estate, conflict, none) \
	((void) (none), ExecCheckIndexConstraints(target, slot, estate, conflict, NIL))
#endif

#endif							/* ER_COMPAT_H */
