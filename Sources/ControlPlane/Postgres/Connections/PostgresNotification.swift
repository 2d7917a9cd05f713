/// A message of `NOTIFY`.
///
/// It only wakes: what changed is always read from tables.
package struct PostgresNotification: Equatable, Sendable {
    package let channel: String
    package let payload: String
    package let senderProcessID: Int32
}

/// The name of a channel of `LISTEN`, written as a literal in the source.
package struct PostgresChannel: Equatable, Hashable, Sendable {
    package let name: String

    /// Lower-case letters, digits and underscores, at most 63; anything else is a bug of ours.
    package init(_ literal: StaticString) {
        name = literal.description
        let isPlain = name.utf8.allSatisfy { byte in
            (97...122).contains(byte) || (48...57).contains(byte) || byte == 95
        }
        precondition(isPlain && (1...63).contains(name.utf8.count), "not a plain channel name")
    }
}
