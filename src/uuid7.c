/*
 * uuid7.c
 *		Time-ordered identifiers: UUID version 7 of RFC 9562.
 *
 * PostgreSQL has uuidv7() from 18 on; we run on 14 too. 48 bits of Unix milliseconds, then 12 bits of the fraction
 * of the millisecond (method 3 of section 6.2), then 62 random bits. Within one session the pair (millisecond,
 * fraction) always rises, also when the clock stands still or is set back, so the order of creation is kept.
 */
#include "compat.h"

#include <sys/time.h>

#include "port/pg_bswap.h"
#include "utils/uuid.h"

PG_FUNCTION_INFO_V1(er_uuid7);

Datum
er_uuid7(PG_FUNCTION_ARGS)
{
	static uint64 last = 0;
	static unsigned char pool[512];
	static int	left = 0;
	pg_uuid_t  *uuid = palloc(sizeof(pg_uuid_t));
	struct timespec now;
	uint64		stamp;			/* milliseconds in the upper 52 bits, 1/4096 ms in the lower 12 */

	clock_gettime(CLOCK_REALTIME, &now);
	stamp = ((uint64) now.tv_sec * 1000 + now.tv_nsec / 1000000) << 12;
	stamp |= (uint64) (now.tv_nsec % 1000000) * 4096 / 1000000;
	if (stamp <= last)
		stamp = last + 1;
	last = stamp;

	/* asking the generator costs far more than a byte of it */
	if (left == 0)
	{
		if (!pg_strong_random(pool, sizeof(pool)))
			ereport(ERROR,
					(errcode(ERRCODE_INTERNAL_ERROR),
					 errmsg("could not generate random values")));
		left = sizeof(pool);
	}
	left -= 8;
	memcpy(uuid->data + 8, pool + left, 8);
	memset(pool + left, 0, 8);

	for (int i = 0; i < 6; i++)
		uuid->data[i] = (unsigned char) (stamp >> (12 + 8 * (5 - i)));
	uuid->data[6] = 0x70 | ((stamp >> 8) & 0x0f);
	uuid->data[7] = stamp & 0xff;
	uuid->data[8] = 0x80 | (uuid->data[8] & 0x3f);

	PG_RETURN_UUID_P(uuid);
}
