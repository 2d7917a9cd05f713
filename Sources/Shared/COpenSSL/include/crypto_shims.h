#ifndef TURNPIKE_CRYPTO_SHIMS_H
#define TURNPIKE_CRYPTO_SHIMS_H

// Shims for the room Crypto: digests, ciphers, keys, signatures.

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

// EVP_EC_gen is a macro over a variadic function.
static inline EVP_PKEY *tp_ec_generate(const char *group) {
    return EVP_PKEY_Q_keygen(NULL, NULL, "EC", group);
}

// EVP_PKEY_Q_keygen is variadic.
static inline EVP_PKEY *tp_ed25519_generate(void) {
    return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
}

static inline EVP_PKEY *tp_rsa_generate(size_t bits) {
    return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", bits);
}

// OPENSSL_cleanse stays out of the optimiser's reach, which a Swift loop would not.
static inline void tp_cleanse(void *bytes, size_t count) { OPENSSL_cleanse(bytes, count); }

static inline void tp_openssl_free(void *pointer) { OPENSSL_free(pointer); }

#endif
