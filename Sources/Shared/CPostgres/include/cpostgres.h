#ifndef TURNPIKE_CPOSTGRES_H
#define TURNPIKE_CPOSTGRES_H

#include <poll.h>
#include <postgresql/libpq-fe.h>

/// Whether a read of the socket would return at once (data, end of stream or an error).
/// libpq reads a socket once per call and does not say whether it emptied it.
static inline int cpostgres_is_readable(int socket) {
    struct pollfd waiting = {.fd = socket, .events = POLLIN, .revents = 0};
    return poll(&waiting, 1, 0) > 0;
}

#endif
