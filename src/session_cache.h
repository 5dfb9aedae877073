/*
 * session_cache.h
 *		Knowing, in one session, that the rows of a table may have changed in another.
 */
#ifndef ER_SESSION_CACHE_H
#define ER_SESSION_CACHE_H

#include "compat.h"

/*
 * One table of the schema execreport whose rows a session caches. Static, one per table and file; only `table` is
 * set by its owner.
 */
typedef struct ErWatch
{
	const char *table;			/* name in schema execreport */
	Oid			relid;			/* its OID, InvalidOid until looked up */
	uint64		generation;		/* rises whenever cached rows may be out of date */
	bool		registered;
	struct ErWatch *next;
} ErWatch;

extern uint64 er_watch_generation(ErWatch *watch);
extern Oid	er_watch_relid(ErWatch *watch);

/* The same for a further table in one breath, right after er_watch_generation() has accepted the messages. */
static inline uint64
er_watch_further(ErWatch *watch)
{
	return likely(watch->registered) ? watch->generation : er_watch_generation(watch);
}

/* Rises whenever roles or their memberships may have changed. */
extern uint64 er_role_generation(void);

#endif							/* ER_SESSION_CACHE_H */
