import Observability
import Postgres
import Store

extension ControlError {
    /// What a caller is told about a transaction that did not commit; the log hears the rest.
    init(_ failure: SpineFailure, logger: Logger) {
        switch failure {
        case .database(let error): self.init(error, logger: logger)
        case .tooManyChanges:
            self = .invalid(
                Complaint(
                    "change.too_large",
                    "one change may touch at most \(ChangeTransaction.changesMax) rows; split it"
                ),
                fields: []
            )
        case .body(let error as ControlError): self = error
        case .body(let error as PostgresError): self.init(error, logger: logger)
        case .body(let error):
            let text = (error as? KeyError)?.description ?? "\(type(of: error))"
            logger.error("a transaction failed", ["error": .text(text)])
            self = .faulted(
                Complaint("internal", "the server failed; its log says why, by this request's id")
            )
        }
    }

    private init(_ error: PostgresError, logger: Logger) {
        switch error {
        case .outcomeUnknown:
            logger.error("the outcome of a commit is unknown")
            self = .unavailable(
                Complaint(
                    "storage.outcome_unknown",
                    "the connection to the database was lost during the commit: read whether the"
                        + " change happened before you repeat it"
                )
            )
        case .connectFailed, .connectionLost, .timedOut, .cancelled, .tooManyWaiting, .closed,
            .unsupportedServer:
            logger.warning("the database is unavailable", ["error": .describing(error)])
            self = .unavailable(
                Complaint(
                    "storage.unavailable",
                    "the database does not answer; nothing was changed, try again"
                )
            )
        case .server(let answer):
            self.init(answer, recourse: error.recourse, logger: logger)
        case .undecodable, .missingColumn, .unexpectedRowCount, .unexpectedColumnCount,
            .statementTooLarge, .transactionAborted, .protocolViolation:
            logger.error("the database answered unexpectedly", ["error": .describing(error)])
            self = .faulted(Self.storageFault)
        }
    }

    private init(_ answer: ServerError, recourse: PostgresError.Recourse, logger: Logger) {
        switch answer.state {
        case .uniqueViolation:
            self = .conflict(Complaint("storage.duplicate", "it exists already"))
        case .foreignKeyViolation:
            self = .conflict(
                Complaint("storage.referenced", "it refers to, or is used by, something else")
            )
        case .diskFull:
            logger.error("the database's disk is full", ["error": .describing(answer)])
            self = .unavailable(
                Complaint(
                    "storage.full",
                    "the database has no room left on its disk; nothing was changed: make room,"
                        + " then try again"
                )
            )
        case .tooManyConnections:
            logger.error("the database is out of connections", ["error": .describing(answer)])
            self = .unavailable(
                Complaint(
                    "storage.connections",
                    "the database admits no further connection; nothing was changed, try again"
                )
            )
        case _ where answer.state.classCode == "53":
            logger.error("the database is out of resources", ["error": .describing(answer)])
            self = .unavailable(
                Complaint(
                    "storage.resources",
                    "the database is out of resources; nothing was changed, try again"
                )
            )
        case _ where recourse == .runAgain, .lockNotAvailable:
            logger.warning("the database is busy", ["error": .describing(answer)])
            self = .unavailable(
                Complaint("storage.busy", "the database is busy; nothing was changed, try again")
            )
        default:
            logger.error("the database refused", ["error": .describing(answer)])
            self = .faulted(Self.storageFault)
        }
    }

    private static let storageFault = Complaint(
        "storage.fault",
        "the server failed to use its database; its log says why"
    )
}
