#ifndef TURNPIKE_TLS_SHIMS_H
#define TURNPIKE_TLS_SHIMS_H

// Shims for the room TLS: contexts, sessions, BIOs.

#include <openssl/ssl.h>

#endif
