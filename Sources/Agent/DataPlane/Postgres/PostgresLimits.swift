/// The bounds of what either side of a PostgreSQL session may say.
package enum PostgresLimits {
    /// The longest start-up message, as PostgreSQL bounds it.
    package static let startByteCountMax = 10_000
    /// The most options of a start-up message.
    package static let optionsMax = 32
    /// The longest body of a message that is only passed on, as PostgreSQL bounds it.
    package static let messageByteCountMax = 0x3FFF_FFFF
    /// The longest statement, or several of one message; longer ones are refused.
    package static let statementByteCountMax = 1 << 20
    /// The longest name of a prepared statement or portal.
    package static let nameByteCountMax = 256
    /// The most prepared statements, and portals, that are known by their fingerprints; the uses of
    /// others are recorded without one.
    package static let namesMax = 1_024
    /// Statements sent and not answered, beyond which the application is read no further.
    package static let pendingMax = 4_096
    /// Records of statements that wait for evidence; more are counted.
    package static let recordsMax = 1_024
    /// The longest authentication request.
    package static let authenticationByteCountMax = 4 << 10
    /// The longest parameter status.
    package static let parameterByteCountMax = 4 << 10
    /// The most parameter statuses before a session is ready.
    package static let parametersMax = 128
    /// The longest cancel key (protocol 3.2).
    package static let cancelKeyByteCountMax = 256
    /// Bytes of the cancel keys that the agent gives in protocol 3.2.
    package static let cancelKeyByteCount = 32
    /// How much of an error is looked at: its code comes first.
    package static let errorHeadByteCount = 2 << 10
    /// How much of a command's tag is looked at.
    package static let tagHeadByteCount = 64
    /// How long a program waits for a lease.
    package static let leaseTimeout = Duration.seconds(10)
    /// How long a program that is cut may take to read why.
    package static let farewellTimeout = Duration.milliseconds(500)
    /// Reads of one direction before other connections of the reactor have their turn.
    package static let readsPerTurnMax = 16
    /// The most sessions of an agent that can be cancelled.
    package static let cancelKeysMax = 16_384
    /// How much of a statement's shape is kept.
    package static let shapeByteCountMax = 2 << 10
}
