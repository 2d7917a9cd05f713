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

/// libpq prints notices on standard error unless told otherwise, and they may quote data.
static inline void cpostgres_drop_notice(void *context, const PGresult *notice) {
    (void)context;
    (void)notice;
}

static inline void cpostgres_silence(PGconn *connection) {
    PQsetNoticeReceiver(connection, cpostgres_drop_notice, 0);
}

/// The fields of an error report; the macros behind them are characters, which Swift imports as such.
static const int CPOSTGRES_FIELD_SEVERITY = PG_DIAG_SEVERITY_NONLOCALIZED;
static const int CPOSTGRES_FIELD_STATE = PG_DIAG_SQLSTATE;
static const int CPOSTGRES_FIELD_MESSAGE = PG_DIAG_MESSAGE_PRIMARY;
static const int CPOSTGRES_FIELD_SCHEMA = PG_DIAG_SCHEMA_NAME;
static const int CPOSTGRES_FIELD_TABLE = PG_DIAG_TABLE_NAME;
static const int CPOSTGRES_FIELD_COLUMN = PG_DIAG_COLUMN_NAME;
static const int CPOSTGRES_FIELD_FUNCTION = PG_DIAG_SOURCE_FUNCTION;
static const int CPOSTGRES_FIELD_CONSTRAINT = PG_DIAG_CONSTRAINT_NAME;

#endif
