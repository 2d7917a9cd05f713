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
#include <openssl/sha.h>
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

// A null message of length zero, which an empty Swift span is, would be refused.
static inline int tp_digest_verify(EVP_MD_CTX *context, const unsigned char *signature,
                                   size_t signature_count, const unsigned char *message,
                                   size_t count) {
    return EVP_DigestVerify(context, signature, signature_count,
                            message ? message : (const unsigned char *)"", count);
}

// OPENSSL_cleanse stays out of the optimiser's reach, which a Swift loop would not.
static inline void tp_cleanse(void *bytes, size_t count) {
    if (bytes) OPENSSL_cleanse(bytes, count);
}

// Passwords are bytes, not characters that end with zero; an empty Swift span is null.
static inline int tp_scrypt(const unsigned char *password, size_t password_count,
                            const unsigned char *salt, size_t salt_count, uint64_t cost,
                            uint64_t block_size, uint64_t parallelism, uint64_t memory_max,
                            unsigned char *output, size_t output_count) {
    return EVP_PBE_scrypt(password ? (const char *)password : "", password_count, salt, salt_count,
                          cost, block_size, parallelism, memory_max, output, output_count);
}

static inline void tp_openssl_free(void *pointer) { OPENSSL_free(pointer); }

// The low-level digests are plain structs: a hash state can live in a Swift value, be copied and cost
// no allocation. OpenSSL 3 marks them deprecated in favour of fetched ones, which can do none of that.
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wdeprecated-declarations"
static inline void tp_sha256_init(SHA256_CTX *context) { SHA256_Init(context); }
static inline void tp_sha256_update(SHA256_CTX *context, const void *bytes, size_t count) {
    SHA256_Update(context, bytes, count);
}
static inline void tp_sha256_final(unsigned char *digest, SHA256_CTX *context) {
    SHA256_Final(digest, context);
}
static inline void tp_sha384_init(SHA512_CTX *context) { SHA384_Init(context); }
static inline void tp_sha512_init(SHA512_CTX *context) { SHA512_Init(context); }
static inline void tp_sha512_update(SHA512_CTX *context, const void *bytes, size_t count) {
    SHA512_Update(context, bytes, count);
}
static inline void tp_sha384_final(unsigned char *digest, SHA512_CTX *context) {
    SHA384_Final(digest, context);
}
static inline void tp_sha512_final(unsigned char *digest, SHA512_CTX *context) {
    SHA512_Final(digest, context);
}
#pragma clang diagnostic pop

#endif
