/*
 * worker.h
 *		The background workers: they tick, and ring the bell for those who emit events.
 */
#ifndef ER_WORKER_H
#define ER_WORKER_H

#include "compat.h"

extern char *er_worker_databases;	/* execreport.databases */
extern int	er_worker_naptime;	/* execreport.naptime, in seconds */

extern bool er_check_databases(char **newval, void **extra, GucSource source);
extern void er_worker_init(void);
extern bool er_worker_rings(void);

#endif							/* ER_WORKER_H */
