#ifndef TURNPIKE_TLS_SHIMS_H
#define TURNPIKE_TLS_SHIMS_H

// Shims for the room TLS: contexts, sessions, BIOs. Each one gives a macro a name that the importer
// can see.

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/tls1.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

static inline long tp_ssl_ctx_set_mode(SSL_CTX *context, long mode) {
    return SSL_CTX_set_mode(context, mode);
}

static inline int tp_ssl_ctx_only_tls13(SSL_CTX *context) {
    return SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION)
        && SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION);
}

static inline int tp_ssl_ctx_from_tls12(SSL_CTX *context) {
    return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION)
        && SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION);
}

static inline void tp_ssl_ctx_session_cache_off(SSL_CTX *context) {
    (void)SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
}

static inline int tp_ssl_ctx_set_groups(SSL_CTX *context, const char *names) {
    return (int)SSL_CTX_set1_groups_list(context, names);
}

static inline int tp_ssl_ctx_set_signatures(SSL_CTX *context, const char *names) {
    return (int)SSL_CTX_set1_sigalgs_list(context, names);
}

static inline void tp_ssl_ctx_set_max_cert_list(SSL_CTX *context, long count) {
    (void)SSL_CTX_set_max_cert_list(context, count);
}

static inline void tp_ssl_ctx_set_server_name_callback(
    SSL_CTX *context, int (*callback)(SSL *, int *, void *)) {
    (void)SSL_CTX_set_tlsext_servername_callback(context, callback);
}

static inline int tp_ssl_set_server_name(SSL *session, const char *name) {
    return (int)SSL_set_tlsext_host_name(session, name);
}

static inline uint64_t tp_ssl_options(void) {
    return SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION
        | SSL_OP_CIPHER_SERVER_PREFERENCE;
}

// X509 stacks are inline functions over casts that the importer drops.
static inline STACK_OF(X509) *tp_x509_stack_new(void) { return sk_X509_new_null(); }

static inline int tp_x509_stack_push(STACK_OF(X509) *stack, X509 *certificate) {
    return sk_X509_push(stack, certificate);
}

static inline int tp_x509_stack_count(const STACK_OF(X509) *stack) { return sk_X509_num(stack); }

static inline X509 *tp_x509_stack_at(const STACK_OF(X509) *stack, int index) {
    return sk_X509_value(stack, index);
}

static inline void tp_x509_stack_free(STACK_OF(X509) *stack) {
    sk_X509_pop_free(stack, X509_free);
}

static inline void tp_bio_set_retry_read(BIO *bio) { BIO_set_retry_read(bio); }

static inline void tp_bio_set_retry_write(BIO *bio) { BIO_set_retry_write(bio); }

static inline void tp_bio_clear_retry(BIO *bio) { BIO_clear_retry_flags(bio); }

static inline int tp_err_reason(unsigned long code) { return ERR_GET_REASON(code); }

#endif
