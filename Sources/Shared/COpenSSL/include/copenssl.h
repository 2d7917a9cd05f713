#ifndef TURNPIKE_COPENSSL_H
#define TURNPIKE_COPENSSL_H

// OpenSSL 3 for Swift. What the importer cannot see (function-like macros, variadic functions) is
// given a `static inline` shim in one of the two headers below; neither holds any logic.
#include "crypto_shims.h"
#include "tls_shims.h"

#endif
