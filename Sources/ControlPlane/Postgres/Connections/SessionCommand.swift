/// The fence's own vocabulary: what it says to a session on its own account.
enum SessionCommand {
    static let hideParameters: SQL = "SET log_parameter_max_length = 0"
    static let showParameterLogging: SQL =
        "SELECT current_setting('log_parameter_max_length')"
    static let signOfLife: SQL = "SELECT 1"
    static let commit: SQL = "COMMIT"
    static let rollback: SQL = "ROLLBACK"

    /// The channel's name was checked when it was made.
    static func listen(_ channel: PostgresChannel) -> SQL {
        SQL(command: "LISTEN \(channel.name)")
    }

    static func begin(_ isolation: TransactionIsolation, _ access: TransactionAccess) -> SQL {
        switch (isolation, access) {
        case (.readCommitted, .readWrite): "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
        case (.readCommitted, .readOnly): "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY"
        case (.repeatableRead, .readWrite): "BEGIN ISOLATION LEVEL REPEATABLE READ READ WRITE"
        case (.repeatableRead, .readOnly): "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
        case (.serializable, .readWrite): "BEGIN ISOLATION LEVEL SERIALIZABLE READ WRITE"
        case (.serializable, .readOnly): "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY"
        }
    }
}

/// What a transaction may see of others, as in SQL.
package enum TransactionIsolation: Equatable, Sendable, CaseIterable {
    case readCommitted, repeatableRead, serializable
}

/// Whether a transaction may change anything.
package enum TransactionAccess: Equatable, Sendable {
    case readWrite, readOnly
}
