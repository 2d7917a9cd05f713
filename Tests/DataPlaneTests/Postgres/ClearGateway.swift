import Crypto
import Foundation
import Reactor
import Support
import Synchronization
import TLS

@testable import DataPlane

/// The protocol core between real programs and a real server, each connection on threads of its own.
final class ClearGateway: Sendable {
    /// What one connection came to.
    struct Ends: Sendable {
        var records: [StatementRecord] = []
        var faults: [String] = []
        var bindings = 0
    }

    let account: PostgresLogin.Account
    let rules: StatementRules
    private let target: UInt16
    private let context: TLSContext
    private let verifier: PeerVerifier
    private let breaksBinding: Bool
    private let listener = LoopbackSocket.listen()
    private let keys = Mutex(PostgresCancelKeys(capacity: 100))
    private let ends = Mutex(Ends())

    init(
        to target: UInt16,
        trusting authorityPath: String,
        account: PostgresLogin.Account,
        rules: StatementRules = StatementRules(),
        breaksBinding: Bool = false
    ) throws {
        self.target = target
        self.account = account
        self.rules = rules
        self.breaksBinding = breaksBinding
        let root = try Certificate(pem: String(contentsOfFile: authorityPath, encoding: .utf8))
        context = try TLSContext(
            client: TLSClientConfiguration(
                verifier: { _ in .refuse(PeerRefusal(.otherIdentity, reason: "no name")) }
            )
        )
        let clock = TestClock()
        verifier =
            HostNameVerifier(roots: [root], host: "db.example.com", clock: { clock.now }).verifier
        inBackground { [self] in
            while let program = listener.acceptNext() {
                inBackground { [self] in serve(program) }
            }
        }
    }

    var port: UInt16 { listener.port }

    func stop() { listener.shutDown() }

    /// What was recorded so far.
    func taken() -> Ends {
        ends.withLock { ends in
            defer { ends = Ends() }
            return ends
        }
    }

    private func note(_ fault: any Error) {
        ends.withLock { $0.faults.append("\(fault)") }
    }

    private func serve(_ program: LoopbackSocket) {
        var greeting = PostgresGreeting(rules: rules)
        do {
            while true {
                let part = program.receive(upTo: 4_096)
                guard part.end == .open else { return }
                var offset = 0
                while offset < part.bytes.count {
                    switch try greeting.receive(part.bytes, from: &offset) {
                    case .incomplete: continue
                    case .declined: program.send([UInt8(ascii: "N")])
                    case .cancel(let key): return try cancel(key)
                    case .start(let start): return try open(program, start)
                    }
                }
            }
        } catch let refusal as PostgresRefusal {
            note(refusal)
            program.send(refusal.bytes)
        } catch {
            note(error)
        }
    }

    private func cancel(_ key: PostgresCancelKey) throws {
        let session = keys.withLock { $0.session(of: key, port: 15_432) }
        guard let session else { return }
        let channel = try SecureChannel(to: target, context, verifier)
        channel.send(PostgresWriting.cancel(process: session.key.process, key: session.key.secret))
        _ = channel.receive()
    }

    private func open(_ program: LoopbackSocket, _ start: PostgresStart) throws {
        program.send(start.negotiation)
        let channel = try SecureChannel(to: target, context, verifier)
        var login = PostgresLogin(
            account: account,
            options: start.options,
            random: Randomness.bytes(SCRAMClient.nonceByteCount)
        )
        try login.tlsWasAnswered(channel.answer)
        var endPoint = channel.endPoint
        if breaksBinding { endPoint = endPoint.map { $0.map { $0 ^ 1 } } }
        if endPoint != nil { ends.withLock { $0.bindings += 1 } }
        channel.send(try login.begin(endPoint: endPoint))
        var welcome: PostgresLogin.Welcome?
        var rest: [UInt8] = []
        while welcome == nil {
            guard let bytes = channel.receive() else { throw ChannelEnd() }
            var offset = 0
            logging: while true {
                switch try login.receive(bytes.span, from: &offset) {
                case .wait: break logging
                case .send(let answer): channel.send(answer)
                case .ready(let opened):
                    welcome = opened
                    rest = Array(bytes[offset...])
                    break logging
                }
            }
        }
        guard let welcome, rest.isEmpty else { throw ChannelEnd() }
        relay(program, channel, welcome, start)
    }

    private func relay(
        _ program: LoopbackSocket,
        _ channel: SecureChannel,
        _ welcome: PostgresLogin.Welcome,
        _ start: PostgresStart
    ) {
        program.send(PostgresWriting.message("R", [0, 0, 0, 0]) + welcome.parameterBytes)
        let random = Randomness.bytes(4 + start.cancelKeyByteCount)
        let key = welcome.cancelKey.flatMap { key in
            keys.withLock {
                $0.issue(for: PostgresCancelKeys.Session(key: key, port: 15_432), random: random)
            }
        }
        if let key { program.send(PostgresWriting.backendKey(key)) }
        program.send(PostgresWriting.message("Z", [UInt8(ascii: "I")]))
        let nonce = "0123456789abcdef\(random[0])\(random[1])"
        let box = SessionBox(PostgresSession(rules: rules, welcome: welcome, nonce: nonce))
        inBackground { [self] in
            defer { channel.shutDown() }
            while true {
                let part = program.receive()
                guard part.end == .open else { return }
                let passed = Result {
                    try box.session.withLock { session in
                        let now = Reactor.Instant.now
                        return try session.receiveFromApplication(part.bytes.span, at: now)
                            .all(of: part.bytes.span)
                    }
                }
                switch passed {
                case .success(let bytes): channel.send(bytes)
                case .failure(let fault): return note(fault)
                }
            }
        }
        while let bytes = channel.receive() {
            let passed = Result {
                try box.session.withLock { session in
                    let now = Reactor.Instant.now
                    return try session.receiveFromTarget(bytes.span, at: now)
                        .all(of: bytes.span)
                }
            }
            switch passed {
            case .success(let bytes): program.send(bytes)
            case .failure(let fault): note(fault)
            }
            let records = box.session.withLock { $0.takeRecords().records }
            ends.withLock { $0.records += records }
        }
        let records = box.session.withLock { $0.takeRecords().records }
        ends.withLock { $0.records += records }
        if let key { keys.withLock { $0.remove(key) } }
        program.shutDown()
    }
}

/// Lends a lock to two threads.
private final class SessionBox: Sendable {
    let session: Mutex<PostgresSession>

    init(_ session: PostgresSession) { self.session = Mutex(session) }
}

private struct ChannelEnd: Error {}

/// TLS to a PostgreSQL server, read by one thread and written by another.
private final class SecureChannel: @unchecked Sendable {
    // The session is touched under the lock only.
    private let lock = NSLock()
    private let socket: LoopbackSocket
    private let session: TLSSession
    private let leaf = Mutex<[UInt8]>([])
    let answer: [UInt8]

    init(to port: UInt16, _ context: TLSContext, _ verifier: @escaping PeerVerifier) throws {
        guard let socket = LoopbackSocket.connect(port: port) else { throw ChannelEnd() }
        self.socket = socket
        socket.send(PostgresLogin.tlsRequest)
        answer = socket.receive(upTo: 16).bytes
        let seen = Seen()
        session = try TLSSession(
            client: context,
            serverName: "db.example.com",
            verifier: { chain in
                seen.leaf.withLock { $0 = chain.certificates.first ?? [] }
                return verifier(chain)
            }
        )
        var room = [UInt8](repeating: 0, count: 16_384)
        var span = room.mutableSpan
        let progress = session.start(ciphertext: &span)
        socket.send(Array(room.prefix(progress.ciphertextByteCount)))
        while session.status == .handshaking {
            let part = socket.receive()
            guard part.end == .open else { throw ChannelEnd() }
            early += decrypt(part.bytes)
        }
        guard session.status == .open else { throw ChannelEnd() }
        let bytes = seen.leaf.withLock { $0 }
        leaf.withLock { $0 = bytes }
    }

    private final class Seen: Sendable {
        let leaf = Mutex<[UInt8]>([])
    }

    private var early: [UInt8] = []

    var endPoint: [UInt8]? {
        (try? Certificate(der: leaf.withLock { $0 }))?.serverEndPoint
    }

    func shutDown() { socket.shutDown() }

    /// Decrypted bytes; nil at the end.
    func receive() -> [UInt8]? {
        if !early.isEmpty {
            defer { early = [] }
            return early
        }
        while true {
            let part = socket.receive(upTo: 16_384)
            guard part.end == .open else { return nil }
            let bytes = lock.withLock { decrypt(part.bytes) }
            if !bytes.isEmpty { return bytes }
            guard session.status == .open else { return nil }
        }
    }

    func send(_ bytes: [UInt8]) {
        guard !bytes.isEmpty else { return }
        let sealed = lock.withLock {
            var room = [UInt8](
                repeating: 0,
                count: TLSLimits.ciphertextRoom(forPlaintext: bytes.count)
            )
            var span = room.mutableSpan
            let progress = session.send(bytes.span, ciphertext: &span)
            return Array(room.prefix(progress.ciphertextByteCount))
        }
        socket.send(sealed)
    }

    private func decrypt(_ bytes: [UInt8]) -> [UInt8] {
        var plaintext = [UInt8](
            repeating: 0,
            count: TLSLimits.plaintextRoom(forCiphertext: bytes.count)
        )
        var ciphertext = [UInt8](repeating: 0, count: 16_384)
        var room = plaintext.mutableSpan
        var reply = ciphertext.mutableSpan
        let progress = session.receive(bytes.span, plaintext: &room, ciphertext: &reply)
        socket.send(Array(ciphertext.prefix(progress.ciphertextByteCount)))
        return Array(plaintext.prefix(progress.plaintextByteCount))
    }
}
