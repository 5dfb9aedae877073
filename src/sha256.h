/*
 * sha256.h
 *		SHA-256, by the library that the server itself was built with.
 */
#ifndef ER_SHA256_H
#define ER_SHA256_H

#include "postgres.h"

#include "common/sha2.h"

/* One digest at a time: begin, add any number of pieces, end. A digest that an error left open is given up by the next begin. */
extern void er_sha256_begin(void);
extern void er_sha256_add(const char *bytes, Size len);
extern void er_sha256_end(uint8 digest[PG_SHA256_DIGEST_LENGTH]);

#endif							/* ER_SHA256_H */
