import Crypto
import Mesh
import Observability
import Reactor
import Snapshot
import Transport
import Wire

/// One connection of a local program that speaks PostgreSQL, from its first byte to its end.
///
/// The program shows no password: whoever may use the port and is allowed by an intention gets a
/// session of the leased role. Its lane decides it again with every snapshot, and cuts it.
actor PostgresConnection: ReactorBound {
    /// Who connected where.
    struct Visitor: Sendable {
        /// Nil where the owner of the socket could not be found.
        let uid: UInt32?
        let port: UInt16
        let address: SocketAddress
    }

    /// Why there is no session.
    enum Ending: Error {
        /// A decision, on record; `sqlState` is the program's to act on.
        case refused(Ruling, sqlState: String, detail: String?)
        /// The program broke the protocol, or asked for what it may not have.
        case told([UInt8])
        /// Nothing is to be said.
        case left

        static func refused(_ reason: DecisionReason, _ detail: String? = nil) -> Ending {
            .refused(.refused(reason), sqlState: "08006", detail: detail)
        }
    }

    nonisolated let reactor: Reactor
    let lane: Confined<DataPlaneReactor>
    let application: StreamConnection
    let visitor: Visitor

    var permit: ConnectionPermit?
    /// What the port leases for, as it was when the session was allowed.
    var access: PostgresAccess?
    var lease: PostgresLease?
    var target: StreamConnection?
    var session: PostgresSession?
    var ownKey: PostgresCancelKey?
    var circuit: Circuit?
    var isPending = false
    var isOver = false
    /// Whether it ends as soon as it is idle.
    var isDraining = false
    var isCounted = false
    /// Waits until the target has answered enough.
    var roomWaiter: CheckedContinuation<Void, Never>?
    var amounts = FlowAmounts()

    init(_ application: StreamConnection, visitor: Visitor, lane: Confined<DataPlaneReactor>) {
        reactor = application.reactor
        self.application = application
        self.visitor = visitor
        self.lane = lane
    }

    /// Serves the program until one of the sides ends.
    func run() async {
        do throws(Ending) {
            try await serve()
        } catch {
            await tell(error)
        }
        await leave()
    }

    private func serve() async throws(Ending) {
        // Said after the program's greeting, which is where programs listen.
        let refusal = decide()
        if refusal == nil { lease = await usableLease() }
        let rules = StatementRules(
            isStrict: access?.isStrict ?? true,
            mayListen: access?.mayListen ?? false,
            settings: lease?.account.settings ?? []
        )
        let start = try await greet(rules, mayCancel: refusal == nil)
        if let refusal { throw refusal }
        let (welcome, surplus) = try await open(start)
        guard let target, !isOver else { throw .left }
        settleCircuit()
        try await admit(start, welcome, rules)
        await relay(with: target, surplus)
    }

    /// Decides the connection; why there will be no session.
    private func decide() -> Ending? {
        let lane = lane.value
        guard let configuration = lane.configuration,
            let route = configuration.snapshot.routesByPort[visitor.port]
        else { return .refused(.snapshotMissing) }
        guard let uid = visitor.uid else { return .refused(.socketOwnerUnknown) }
        let now = lane.settings.now()
        switch ConnectionPermit.program(
            uid: uid,
            port: visitor.port,
            snapshot: configuration.snapshot,
            now: now
        ) {
        case .failure(let refusal):
            return .refused(refusal.ruling, sqlState: "28000", detail: nil)
        case .success(let permit):
            self.permit = permit
        }
        access = route.upstream.postgres
        if case .refused(let reason) = configuration.identity(of: route.upstream.source, at: now) {
            return .refused(reason)
        }
        let circuit = lane.circuits.circuit(of: visitor.port)
        if let reason = circuit.enter(route.upstream.traffic) {
            return .refused(.refused(reason), sqlState: "53300", detail: nil)
        }
        self.circuit = circuit
        isPending = true
        return nil
    }

    /// The lease to use now, once there is one and its host's address is known; nil if that takes too
    /// long.
    func usableLease(otherThan discarded: LeaseID? = nil) async -> PostgresLease? {
        guard let source = permit?.source, case .service(let service) = source.subject, let access
        else { return nil }
        let need = LeaseNeed(source: service, profile: access.profile)
        let deadline = reactor.now.advanced(by: PostgresLimits.leaseTimeout)
        while !isOver {
            let lane = lane.value
            if let found = lane.leases[need], found.account.lease != discarded,
                found.deadline.duty(at: lane.settings.now(), isIdle: true) == .serve,
                lane.addresses(of: found) != nil
            {
                return found
            }
            guard reactor.now < deadline,
                (try? await reactor.sleep(for: .milliseconds(20))) != nil
            else { return nil }
        }
        return nil
    }

    private func greet(
        _ rules: StatementRules,
        mayCancel: Bool
    ) async throws(Ending) -> PostgresStart {
        var greeting = PostgresGreeting(rules: rules)
        let deadline = reactor.now.advanced(by: lane.value.settings.handshakeTimeout)
        while let bytes = try? await application.read(deadline: deadline) {
            var offset = 0
            while offset < bytes.count {
                let event: PostgresGreeting.Event
                do throws(PostgresRefusal) {
                    event = try greeting.receive(bytes, from: &offset)
                } catch {
                    throw .told(error.bytes)
                }
                switch event {
                case .incomplete: break
                case .declined: await say([UInt8(ascii: "N")])
                case .cancel(let key):
                    if mayCancel { await cancel(key) }
                    throw .left
                case .start(let start):
                    guard offset == bytes.count else {
                        throw .told(PostgresRefusal.startMalformed.bytes)
                    }
                    return start
                }
            }
        }
        throw .left
    }

    /// Lets the program in: all that the target said of the session, and a cancel key of our own.
    private func admit(
        _ start: PostgresStart,
        _ welcome: PostgresLogin.Welcome,
        _ rules: StatementRules
    ) async throws(Ending) {
        var bytes = start.negotiation + PostgresWriting.message("R", [0, 0, 0, 0])
        bytes += welcome.parameterBytes
        if let key = welcome.cancelKey {
            ownKey = lane.value.postgres.issue(
                for: PostgresCancelKeys.Session(key: key, port: visitor.port),
                random: Randomness.bytes(4 + start.cancelKeyByteCount)
            )
        }
        if let ownKey { bytes += PostgresWriting.backendKey(ownKey) }
        bytes += PostgresWriting.message("Z", [TransactionState.idle.rawValue])
        session = PostgresSession(
            rules: rules,
            welcome: welcome,
            nonce: Hex.encode(Randomness.bytes(16))
        )
        lane.value.metrics.openOutbound.add(1)
        isCounted = true
        amounts.opened = 1
        report()
        guard await say(bytes), !isOver else { throw .left }
    }

    /// Writes to the program; false once it is gone.
    @discardableResult
    func say(_ bytes: [UInt8]) async -> Bool {
        (try? await application.write(bytes)) != nil
    }
}
