/// What happened to one statement, for evidence; it holds no value of it.
package struct StatementRecord: Equatable, Sendable {
    /// How it ended.
    package enum Outcome: Equatable, Sendable {
        /// The target did it; the rows of its tag, where the tag has them.
        case done(rows: UInt64?)
        /// The target's error code; nil where it sent none that is one.
        case failed(sqlState: String?)
        /// The agent did not pass it on.
        case refused(StatementRefusal)
    }

    /// Nil where there is nothing that can be read, or a prepared statement that is not known.
    package let fingerprint: StatementFingerprint?
    package let kind: StatementClass
    package let outcome: Outcome
    /// From the moment it went on to the moment its end came back.
    package let duration: Duration
}

/// Whether a session is in a transaction, as `ReadyForQuery` says it.
package enum TransactionState: UInt8, Equatable, Sendable {
    case idle = 0x49
    case open = 0x54
    case failed = 0x45
}

/// The tag of a command that is complete.
enum CommandTag {
    /// The rows that it counts: the number behind its last blank (`INSERT 0 5`, `SELECT 3`).
    static func rows(_ head: [UInt8]) -> UInt64? {
        let tag = head.prefix { $0 != 0 }
        guard tag.count < head.count, let blank = tag.lastIndex(of: 0x20) else { return nil }
        return UInt64(String(decoding: tag[(blank + 1)...], as: UTF8.self))
    }
}
