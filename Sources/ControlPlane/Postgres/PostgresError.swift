/// Everything that can go wrong between a statement and its rows.
///
/// No case holds a parameter, a column's value or a password.
package enum PostgresError: Error, Equatable, Sendable {
    /// No connection could be made; the text is libpq's, which names hosts and users only.
    case connectFailed(String)
    /// The connection ended and the work in progress had no effect.
    case connectionLost
    /// A statement that takes effect on its own, or a COMMIT, was sent and its answer never
    /// came: it may or may not have happened. Look before doing it again.
    case outcomeUnknown
    /// The server refused.
    case server(ServerError)
    /// The deadline passed and the work had no effect.
    case timedOut(Wait)
    /// The calling task was cancelled and the work had no effect.
    case cancelled
    /// More requests wait for a connection than `PoolLimits.waitersMax`.
    case tooManyWaiting
    /// The pool or the connection was closed by its owner.
    case closed
    /// A column is not what the reader expects.
    case undecodable(column: String, type: PostgresType, PostgresDecodingFailure)
    case missingColumn(String)
    case unexpectedRowCount(Int)
    case unexpectedColumnCount(Int)
    /// A statement exceeds `PostgresLimits`.
    case statementTooLarge
    /// A statement failed earlier and its error was swallowed, so COMMIT rolled back.
    case transactionAborted
    case unsupportedServer(version: Int)
    /// libpq or the server did what the protocol does not allow; the text is ours.
    case protocolViolation(String)

    /// What was waited for.
    package enum Wait: Equatable, Sendable { case connection, answer }

    /// What may be done after an error.
    package enum Recourse: Equatable, Sendable {
        /// The same again fails again.
        case none
        /// The same unit of work may be run again from its start.
        case runAgain
        /// Find out first whether it happened, for example by an idempotency key.
        case lookFirst
    }
}

extension PostgresError {
    /// Whether the same unit of work may be run again, looked at first, or neither.
    package var recourse: Recourse {
        switch self {
        case .connectFailed, .connectionLost: .runAgain
        case .outcomeUnknown: .lookFirst
        case .server(let error):
            error.isStalePlan ? .runAgain : PostgresError.recourse(after: error.state)
        case .timedOut, .cancelled, .tooManyWaiting, .closed, .undecodable, .missingColumn,
            .unexpectedRowCount, .unexpectedColumnCount, .statementTooLarge, .transactionAborted,
            .unsupportedServer, .protocolViolation:
            .none
        }
    }

    /// The answered SQLSTATE, if the server answered one.
    package var state: SQLState? {
        guard case .server(let error) = self else { return nil }
        return error.state
    }

    /// The constraint that was violated, if one was.
    package var violatedConstraint: String? {
        guard case .server(let error) = self, error.state.classCode == "23" else { return nil }
        return error.constraint
    }

    private static func recourse(after state: SQLState) -> Recourse {
        switch state {
        case .serializationFailure, .deadlockDetected, .adminShutdown, .crashShutdown,
            .cannotConnectNow, .tooManyConnections, .idleInTransactionTimeout,
            .idleSessionTimeout, .readOnlyTransaction, .invalidStatementName:
            .runAgain
        default:
            .none
        }
    }
}

extension PostgresError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .connectFailed(let text): "no connection to PostgreSQL: \(text)"
        case .connectionLost: "the connection to PostgreSQL was lost; nothing was changed"
        case .outcomeUnknown:
            "the connection to PostgreSQL was lost after a change was sent; it may have happened"
        case .server(let error): error.description
        case .timedOut(.connection): "no connection to PostgreSQL was free in time"
        case .timedOut(.answer): "PostgreSQL did not answer in time; nothing was changed"
        case .cancelled: "the request was cancelled; nothing was changed"
        case .tooManyWaiting: "too many requests wait for a connection to PostgreSQL"
        case .closed: "the connection to PostgreSQL is closed"
        case .undecodable(let column, let type, let failure):
            "column \(column) of type \(type) cannot be read: \(failure)"
        case .missingColumn(let column): "the result has no column \(column)"
        case .unexpectedRowCount(let count): "exactly one row was expected, got \(count)"
        case .unexpectedColumnCount(let count): "the result has \(count) columns"
        case .statementTooLarge: "a statement is larger than allowed"
        case .transactionAborted: "the transaction had failed and was rolled back at its commit"
        case .unsupportedServer(let version):
            "PostgreSQL \(version / 10_000) is too old; \(PostgresLimits.serverVersionMin / 10_000)"
                + " or newer is needed"
        case .protocolViolation(let text): "unexpected answer of PostgreSQL: \(text)"
        }
    }
}

/// An error type that can carry a `PostgresError`, so that bodies given to `withTransaction`
/// throw their own typed errors and are still run again when the database asks for it.
package protocol PostgresErrorCarrying: Error {
    init(_ error: PostgresError)
    var postgresError: PostgresError? { get }
}

extension PostgresError: PostgresErrorCarrying {
    package init(_ error: PostgresError) { self = error }

    package var postgresError: PostgresError? { self }
}

/// Bounds of the fence.
package enum PostgresLimits {
    /// The protocol counts parameters in 16 bits.
    package static let parametersMax = 65_535
    package static let parameterByteCountMax = 64 * 1_024 * 1_024
    package static let statementsPerBatchMax = 1_024
    /// Batches that may wait for one connection.
    package static let queuedBatchesMax = 256
    /// Notifications kept for a reader that is behind; older ones are dropped and counted.
    package static let notificationsMax = 4_096
    package static let serverVersionMin = 140_000
}
