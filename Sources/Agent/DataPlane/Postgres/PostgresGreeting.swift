import Wire

/// How a program begins: what it asks for first, and the session that it wants.
///
/// The program speaks in clear on loopback: requests for TLS and GSSAPI are answered with no, and the
/// user that it names is nobody's identity.
package struct PostgresGreeting: Sendable {
    /// What the program wants.
    package enum Event: Equatable, Sendable {
        /// More bytes are needed.
        case incomplete
        /// It asked for TLS or GSSAPI: the answer is the one byte `N`.
        case declined
        /// It asked to cancel what the session of this key does; the connection ends with that.
        case cancel(PostgresCancelKey)
        /// It wants a session.
        case start(PostgresStart)
    }

    static let cancelCode: UInt32 = 80_877_102
    private static let tlsCode: UInt32 = 80_877_103
    private static let gssCode: UInt32 = 80_877_104
    /// The first byte of a TLS record.
    private static let tlsRecord: UInt8 = 0x16

    private let rules: StatementRules
    private var held: [UInt8] = []
    private var hasAskedForTLS = false
    private var hasAskedForGSS = false

    /// Waits for the first byte; `rules` say which options nobody may set.
    package init(rules: StatementRules) {
        self.rules = rules
    }

    /// What the bytes of `input` from `offset` on mean; `offset` moves behind what was taken.
    ///
    /// Nothing behind a start-up or a cancellation is taken.
    package mutating func receive(
        _ input: [UInt8],
        from offset: inout Int
    ) throws(PostgresRefusal) -> Event {
        take(4, from: input, &offset)
        if held.first == Self.tlsRecord { throw .directTLS }
        guard held.count >= 4 else { return .incomplete }
        let length = held.prefix(4).reduce(0) { $0 << 8 | Int($1) }
        guard 8...PostgresLimits.startByteCountMax ~= length else { throw .startMalformed }
        take(length, from: input, &offset)
        guard held.count == length else { return .incomplete }
        var reader = ByteReader(Array(held.dropFirst(4)))
        held = []
        guard let code = try? reader.readUInt32() else { throw .startMalformed }
        switch code {
        case Self.tlsCode:
            guard reader.isAtEnd, !hasAskedForTLS else { throw .startMalformed }
            hasAskedForTLS = true
            return .declined
        case Self.gssCode:
            guard reader.isAtEnd, !hasAskedForGSS else { throw .startMalformed }
            hasAskedForGSS = true
            return .declined
        case Self.cancelCode:
            guard let process = try? reader.readUInt32() else { throw .startMalformed }
            let secret = reader.readRest()
            guard 1...PostgresLimits.cancelKeyByteCountMax ~= secret.count else {
                throw .startMalformed
            }
            return .cancel(PostgresCancelKey(process: process, secret: secret))
        default:
            return .start(try PostgresStart(version: code, &reader, rules: rules))
        }
    }

    private mutating func take(_ count: Int, from input: [UInt8], _ offset: inout Int) {
        let taken = min(max(0, count - held.count), max(0, input.count - offset))
        held += input[offset..<(offset + taken)]
        offset += taken
    }
}

/// What a program asked for in its start-up message, as far as it may be passed on.
package struct PostgresStart: Equatable, Sendable {
    /// One option that goes to the target as it is.
    package struct Option: Equatable, Sendable {
        /// In lower case.
        package let name: String
        package let value: String
    }

    /// The highest minor version of protocol 3 that the agent speaks.
    static let minorVersionMax: UInt32 = 2

    /// The minor version of protocol 3 that is spoken with the program: 0 or 2.
    package let minorVersion: UInt32
    /// Whether the program has to be told that version, since it asked for more.
    package let mustNegotiate: Bool
    /// Options of the protocol that the agent does not know.
    package let unknownProtocolOptions: [String]
    /// What it calls itself; a wish, never an identity.
    package let user: String
    /// Which database it wants; nil leaves it to the upstream.
    package let database: String?
    /// Options to pass on, each once.
    package let options: [Option]

    /// Reads what follows the version.
    init(
        version: UInt32,
        _ reader: inout ByteReader,
        rules: StatementRules
    ) throws(PostgresRefusal) {
        guard version >> 16 == 3 else { throw .protocolVersion }
        let asked = version & 0xFFFF
        // There is no 3.1: who asks for it is answered as if it had asked for 3.0.
        minorVersion = asked >= Self.minorVersionMax ? Self.minorVersionMax : 0
        var user: String?
        var database: String?
        var unknown: [String] = []
        var options = PostgresOptions(rules: rules)
        var count = 0
        while true {
            guard let name = reader.readCString(limit: PostgresLimits.nameByteCountMax) else {
                throw .startMalformed
            }
            if name.isEmpty { break }
            guard let value = reader.readCString(limit: PostgresLimits.startByteCountMax) else {
                throw .startMalformed
            }
            count += 1
            guard count <= PostgresLimits.optionsMax else { throw .startMalformed }
            switch name {
            case "user": user = value
            case "database": database = value.isEmpty ? nil : value
            case _ where name.hasPrefix("_pq_."): unknown.append(name)
            default: try options.take(name, value)
            }
        }
        guard reader.isAtEnd else { throw .startMalformed }
        guard let user, !user.isEmpty else { throw .userMissing }
        self.user = user
        self.database = database
        self.options = options.taken
        unknownProtocolOptions = unknown
        mustNegotiate = asked != minorVersion || !unknown.isEmpty
    }

    /// What the program is told before it is let in, if it asked for more than there is.
    package var negotiation: [UInt8] {
        guard mustNegotiate else { return [] }
        var writer = ByteWriter()
        writer.writeUInt32(3 << 16 | minorVersion)
        writer.writeUInt32(UInt32(unknownProtocolOptions.count))
        for name in unknownProtocolOptions { writer.writeBytes(PostgresWriting.cString(name)) }
        return PostgresWriting.message("v", writer.bytes)
    }

    /// How many bytes the secret of a cancel key may have in the version that is spoken.
    package var cancelKeyByteCount: Int {
        minorVersion >= 2 ? PostgresLimits.cancelKeyByteCount : 4
    }
}

/// Why a program gets no session; said to it as a FATAL error.
package enum PostgresRefusal: Error, Equatable, Sendable {
    /// TLS without asking for it.
    case directTLS
    /// No start-up message.
    case startMalformed
    /// Another major version than 3.
    case protocolVersion
    /// The start-up message names no user.
    case userMissing
    /// An option that the agent does not pass on.
    case option(String)
    /// An option that would change who the session is, or what it may do.
    case guardedOption(String)

    /// The code of the error.
    package var sqlState: String {
        switch self {
        case .directTLS, .startMalformed: "08P01"
        case .protocolVersion: "0A000"
        case .userMissing: "28000"
        case .option, .guardedOption: "42501"
        }
    }

    /// What is wrong and what would be right.
    package var message: String {
        switch self {
        case .directTLS: "this port speaks no TLS: connect with sslmode=disable"
        case .startMalformed: "the start-up message cannot be read"
        case .protocolVersion: "only version 3 of the protocol is spoken here"
        case .userMissing: "the start-up message must name a user, which may be any"
        case .option(let name): "the option \"\(name)\" is not passed on: leave it out"
        case .guardedOption(let name):
            "the option \"\(name)\" is fixed by the lease's profile: leave it out"
        }
    }

    /// The error as it is sent.
    package var bytes: [UInt8] {
        PostgresWriting.error(isFatal: true, sqlState: sqlState, message: message)
    }
}
