/*
 * sha256.c
 *		SHA-256, by the library that the server itself was built with (see sha256.h).
 *
 * PostgreSQL's own pg_cryptohash has OpenSSL look the algorithm up again for each digest, which takes three times as
 * long as hashing a short key. Here it is looked up once in a process, and one context serves all digests. A server
 * without OpenSSL has only pg_cryptohash.
 */
#include "compat.h"

#ifdef USE_OPENSSL
#include <openssl/evp.h>
#else
#include "common/cryptohash.h"
#include "utils/memutils.h"
#endif

#include "sha256.h"

#ifdef USE_OPENSSL
static const EVP_MD *algorithm = NULL;
static EVP_MD_CTX *context = NULL;
#else
static pg_cryptohash_ctx *context = NULL;
#endif

pg_noreturn static void failed(void);

void
er_sha256_begin(void)
{
#ifdef USE_OPENSSL
	if (algorithm == NULL)
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
		algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
#else
		algorithm = EVP_sha256();
#endif
	if (context == NULL)
		context = EVP_MD_CTX_new();
	if (algorithm == NULL || context == NULL || EVP_DigestInit_ex(context, algorithm, NULL) != 1)
		failed();
#else
	if (context == NULL)
	{
		MemoryContext caller = MemoryContextSwitchTo(TopMemoryContext);

		context = pg_cryptohash_create(PG_SHA256);
		MemoryContextSwitchTo(caller);
	}
	if (context == NULL || pg_cryptohash_init(context) < 0)
		failed();
#endif
}

void
er_sha256_add(const char *bytes, Size len)
{
#ifdef USE_OPENSSL
	if (EVP_DigestUpdate(context, bytes, len) != 1)
#else
	if (pg_cryptohash_update(context, (const uint8 *) bytes, len) < 0)
#endif
		failed();
}

void
er_sha256_end(uint8 digest[PG_SHA256_DIGEST_LENGTH])
{
#ifdef USE_OPENSSL
	if (EVP_DigestFinal_ex(context, digest, NULL) != 1)
#else
	if (pg_cryptohash_final(context, digest, PG_SHA256_DIGEST_LENGTH) < 0)
#endif
		failed();
}

static void
failed(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_INTERNAL_ERROR),
			 errmsg("could not compute a SHA-256 digest")));
}
