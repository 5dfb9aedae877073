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

#endif							/* ER_COMPAT_H */
