/*
 * events.h
 *		The bell that tells listeners of new events.
 */
#ifndef ER_EVENTS_H
#define ER_EVENTS_H

#include "compat.h"

#define ER_EVENT_CHANNEL "execreport_events"

/* execreport.notify_mode: who rings */
typedef enum ErNotifyMode
{
	ER_NOTIFY_OFF,
	ER_NOTIFY_COMMIT,			/* the transaction that emits */
	ER_NOTIFY_WORKER			/* the worker; where none runs, the transaction */
} ErNotifyMode;

extern int	er_notify_mode;

extern void er_notify_bell(void);

#endif							/* ER_EVENTS_H */
