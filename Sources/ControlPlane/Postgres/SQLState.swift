/// The five characters by which PostgreSQL names an outcome (its documentation, appendix A).
package struct SQLState: Equatable, Hashable, Sendable {
    package let code: String

    package init(code: String) { self.code = code }

    package static let uniqueViolation = SQLState(code: "23505")
    package static let foreignKeyViolation = SQLState(code: "23503")
    package static let checkViolation = SQLState(code: "23514")
    package static let notNullViolation = SQLState(code: "23502")
    package static let exclusionViolation = SQLState(code: "23P01")
    package static let serializationFailure = SQLState(code: "40001")
    package static let deadlockDetected = SQLState(code: "40P01")
    package static let queryCanceled = SQLState(code: "57014")
    package static let adminShutdown = SQLState(code: "57P01")
    package static let crashShutdown = SQLState(code: "57P02")
    package static let cannotConnectNow = SQLState(code: "57P03")
    package static let idleSessionTimeout = SQLState(code: "57P05")
    package static let tooManyConnections = SQLState(code: "53300")
    package static let diskFull = SQLState(code: "53100")
    package static let lockNotAvailable = SQLState(code: "55P03")
    package static let insufficientPrivilege = SQLState(code: "42501")
    package static let readOnlyTransaction = SQLState(code: "25006")
    package static let idleInTransactionTimeout = SQLState(code: "25P03")
    package static let featureNotSupported = SQLState(code: "0A000")
    package static let invalidStatementName = SQLState(code: "26000")
    package static let duplicateDatabase = SQLState(code: "42P04")
    package static let raisedByFunction = SQLState(code: "P0001")

    /// The first two characters.
    package var classCode: String { String(code.prefix(2)) }
}

extension SQLState: CustomStringConvertible {
    package var description: String { code }
}

/// An error that the server answered, without the values that its texts may quote.
package struct ServerError: Equatable, Sendable {
    package let state: SQLState
    /// The server's sentence, kept only for classes whose sentences quote no data.
    package let message: String?
    package let schema: String?
    package let table: String?
    package let column: String?
    package let constraint: String?
    /// A table has changed since the statement was prepared; it will be prepared anew.
    package let isStalePlan: Bool

    /// Drops the message if its class quotes data.
    package init(
        state: SQLState,
        message: String? = nil,
        schema: String? = nil,
        table: String? = nil,
        column: String? = nil,
        constraint: String? = nil,
        isStalePlan: Bool = false
    ) {
        self.state = state
        self.message = ServerError.quietClasses.contains(state.classCode) ? message : nil
        self.schema = schema
        self.table = table
        self.column = column
        self.constraint = constraint
        self.isStalePlan = isStalePlan
    }

    /// Classes about the statement's text, privileges, resources and the server itself.
    ///
    /// Data exceptions (22), constraint violations (23) and raised ones (P0) quote values.
    private static let quietClasses: Set<String> = [
        "08", "0A", "25", "26", "28", "2B", "3D", "3F", "40", "42", "53", "54", "55", "57", "58",
        "XX",
    ]
}

extension ServerError: CustomStringConvertible {
    package var description: String {
        var text = "PostgreSQL answered \(state)"
        if let constraint { text += ", constraint \(constraint)" }
        if let table { text += ", table \(table)" }
        if let column { text += ", column \(column)" }
        if let message { text += ": \(message)" }
        return text
    }
}
