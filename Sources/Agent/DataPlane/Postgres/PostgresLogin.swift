package import Crypto
import Wire

/// The way into a target: TLS asked for in clear, then a proof by SCRAM from both sides.
///
/// The driver speaks TLS between `tlsWasAnswered` and `begin`; every byte after that goes through
/// `receive`. A fault is final.
package struct PostgresLogin: Sendable {
    /// Who logs in, where.
    package struct Account: Sendable {
        /// The leased role.
        package let role: String
        package let database: String
        package let keys: SCRAM.Keys

        package init(role: String, database: String, keys: SCRAM.Keys) {
            self.role = role
            self.database = database
            self.keys = keys
        }
    }

    /// What the target said of the session that it opened.
    package struct Welcome: Equatable, Sendable {
        /// The target's key for requests to cancel; some targets give none.
        package var cancelKey: PostgresCancelKey?
        /// What it tells about its settings, by their names.
        package var parameters: [String: String] = [:]
        /// Those messages as they came, for the program.
        package var parameterBytes: [UInt8] = []

        /// Nothing yet.
        package init() {}
    }

    /// What the driver does next.
    package enum Step: Equatable, Sendable {
        /// More bytes are needed.
        case wait
        /// Send these, then go on.
        case send([UInt8])
        /// The session is open and idle; bytes behind it are the session's.
        case ready(Welcome)
    }

    private enum Stage: Equatable {
        case askingForTLS
        case starting
        case awaitingMethods
        case awaitingSalt
        case awaitingSignature
        case awaitingPermission
        case awaitingReady
        case ended
    }

    /// What asks a PostgreSQL server for TLS.
    package static let tlsRequest: [UInt8] = [0, 0, 0, 8, 0x04, 0xD2, 0x16, 0x2F]

    private let account: Account
    private let options: [PostgresStart.Option]
    private let nonce: String
    private var stage = Stage.askingForTLS
    private var framing = PostgresFraming(.target)
    private var endPoint: [UInt8]?
    private var client: SCRAMClient?
    private var welcome = Welcome()
    /// How many settings the target told, of one name too.
    private var parameterCount = 0

    /// - Parameters:
    ///   - account: who logs in.
    ///   - options: what the program asked for and may have.
    ///   - random: `SCRAMClient.nonceByteCount` bytes that were never used.
    package init(account: Account, options: [PostgresStart.Option], random: [UInt8]) {
        self.account = account
        self.options = options
        nonce = Base64.encode(random)
    }

    /// Takes the answer to `tlsRequest`, which is one byte.
    ///
    /// Whatever came with it was sent in clear by who knows whom, and must not be taken for what the
    /// target says in TLS (CVE-2021-23222).
    package mutating func tlsWasAnswered(_ bytes: [UInt8]) throws(PostgresLoginFault) {
        guard stage == .askingForTLS else { throw fail(.unexpected) }
        guard bytes.count == 1 else { throw fail(.surplusBeforeTLS) }
        guard bytes.first == UInt8(ascii: "S") else { throw fail(.noTLS) }
        stage = .starting
    }

    /// The start-up message, once TLS has proved who the target is.
    ///
    /// `endPoint` is the hash of the certificate that it showed, where that has one.
    package mutating func begin(
        endPoint: [UInt8]?
    ) throws(PostgresLoginFault) -> [UInt8] {
        guard stage == .starting else { throw fail(.unexpected) }
        self.endPoint = endPoint
        stage = .awaitingMethods
        return PostgresWriting.start(
            [("user", account.role), ("database", account.database)]
                + options.map { ($0.name, $0.value) }
        )
    }

    /// Takes in what the target sent; `offset` moves behind what was taken.
    package mutating func receive(
        _ input: Span<UInt8>,
        from offset: inout Int
    ) throws(PostgresLoginFault) -> Step {
        while true {
            let piece: PostgresFraming.Piece
            do {
                piece = try framing.next(in: input, from: &offset)
            } catch {
                throw fail(.protocolFault(error))
            }
            switch piece {
            case .incomplete: return .wait
            case .rest: continue
            case .message(let message):
                let step = try take(message)
                if step != .wait { return step }
            }
        }
    }

    private mutating func take(
        _ message: PostgresMessage
    ) throws(PostgresLoginFault) -> Step {
        switch message.type {
        case UInt8(ascii: "R"): return try authenticate(message.head)
        case UInt8(ascii: "E"):
            throw fail(.refused(sqlState: PostgresErrorFields(message.head).sqlState))
        case UInt8(ascii: "N"): return .wait
        case UInt8(ascii: "S") where stage == .awaitingReady:
            try takeParameter(message)
            return .wait
        case UInt8(ascii: "K") where stage == .awaitingReady && welcome.cancelKey == nil:
            var reader = ByteReader(message.head)
            guard let process = try? reader.readUInt32(), !reader.isAtEnd else {
                throw fail(.unexpected)
            }
            welcome.cancelKey = PostgresCancelKey(process: process, secret: reader.readRest())
            return .wait
        case UInt8(ascii: "Z") where stage == .awaitingReady:
            guard message.head == [UInt8(ascii: "I")] else { throw fail(.unexpected) }
            stage = .ended
            return .ready(welcome)
        default: throw fail(.unexpected)
        }
    }

    private mutating func takeParameter(
        _ message: PostgresMessage
    ) throws(PostgresLoginFault) {
        guard let parameter = PostgresParameter(message.head),
            parameterCount < PostgresLimits.parametersMax
        else { throw fail(.unexpected) }
        parameterCount += 1
        welcome.parameters[parameter.name] = parameter.value
        welcome.parameterBytes += PostgresWriting.message("S", message.head)
    }

    private mutating func authenticate(
        _ body: [UInt8]
    ) throws(PostgresLoginFault) -> Step {
        var reader = ByteReader(body)
        guard let request = try? reader.readUInt32() else { throw fail(.unexpected) }
        switch (request, stage) {
        case (10, .awaitingMethods):
            return .send(try beginProof(&reader))
        case (11, .awaitingSalt):
            let challenge = reader.readRest()
            let answer = try prove { client throws(SCRAMFault) in try client.answer(challenge) }
            stage = .awaitingSignature
            return .send(PostgresWriting.message("p", answer))
        case (12, .awaitingSignature):
            let signature = reader.readRest()
            try prove { client throws(SCRAMFault) in try client.finish(signature) }
            client = nil
            stage = .awaitingPermission
            return .wait
        case (0, .awaitingPermission) where reader.isAtEnd:
            stage = .awaitingReady
            return .wait
        case (3, _), (5, _): throw fail(.weakMethod)
        // A target that lets anybody in has not proved that it knows the verifier.
        case (0, _): throw fail(.noProof)
        default: throw fail(.unexpected)
        }
    }

    private mutating func prove<Value>(
        _ body: (inout SCRAMClient) throws(SCRAMFault) -> Value
    ) throws(PostgresLoginFault) -> Value {
        guard var client else { throw fail(.unexpected) }
        do {
            let value = try body(&client)
            self.client = client
            return value
        } catch {
            throw fail(.proof(error))
        }
    }

    private mutating func beginProof(
        _ reader: inout ByteReader
    ) throws(PostgresLoginFault) -> [UInt8] {
        var methods: Set<String> = []
        while true {
            guard let method = reader.readCString(limit: 64) else { throw fail(.unexpected) }
            if method.isEmpty { break }
            methods.insert(method)
        }
        guard reader.isAtEnd else { throw fail(.unexpected) }
        let binding: SCRAMClient.ChannelBinding
        if let endPoint {
            binding =
                methods.contains(SCRAMClient.mechanismPlus)
                ? .serverEndPoint(endPoint) : .notOffered
        } else {
            binding = .none
        }
        var client = SCRAMClient(keys: account.keys, nonce: nonce, binding: binding)
        guard methods.contains(client.mechanism) else { throw fail(.weakMethod) }
        let first = client.begin()
        var writer = ByteWriter()
        writer.writeBytes(PostgresWriting.cString(client.mechanism))
        writer.writeUInt32(UInt32(truncatingIfNeeded: first.count))
        writer.writeBytes(first)
        self.client = client
        stage = .awaitingSalt
        return PostgresWriting.message("p", writer.bytes)
    }

    private mutating func fail(_ fault: PostgresLoginFault) -> PostgresLoginFault {
        stage = .ended
        client = nil
        return fault
    }
}

/// Why there is no session on the target.
package enum PostgresLoginFault: Error, Equatable, Sendable {
    /// It speaks no TLS.
    case noTLS
    /// More than the answer came before TLS.
    case surplusBeforeTLS
    /// It asks for a password in clear or by MD5, or offers no SCRAM-SHA-256.
    case weakMethod
    /// It let the role in without showing that it knows the verifier.
    case noProof
    /// The proofs do not fit.
    case proof(SCRAMFault)
    /// Its own error, of which only the code counts.
    case refused(sqlState: String?)
    /// A message that does not belong there.
    case unexpected
    /// Bytes that are no messages.
    case protocolFault(PostgresFault)
}

/// One setting that a target tells about.
struct PostgresParameter {
    let name: String
    let value: String

    init?(_ body: [UInt8]) {
        var reader = ByteReader(body)
        let limit = PostgresLimits.parameterByteCountMax
        guard let name = reader.readCString(limit: limit),
            let value = reader.readCString(limit: limit), reader.isAtEnd
        else { return nil }
        self.name = name
        self.value = value
    }
}

/// The fields of an error that the agent looks at; the text of others may hold anything.
struct PostgresErrorFields {
    private(set) var sqlState: String?
    private(set) var message: [UInt8] = []

    /// Reads as far as the head goes.
    init(_ head: [UInt8]) {
        var reader = ByteReader(head)
        while let field = try? reader.readUInt8(), field != 0,
            let value = reader.readCBytes(limit: head.count)
        {
            switch field {
            case UInt8(ascii: "C"):
                let isCode =
                    value.count == 5
                    && value.allSatisfy { 0x30...0x39 ~= $0 || 0x41...0x5A ~= $0 }
                sqlState = isCode ? String(decoding: value, as: UTF8.self) : nil
            case UInt8(ascii: "M"): message = value
            default: break
            }
        }
    }
}
