import Crypto
import Mesh
import Observability
import Reactor
import Snapshot
import TLS
import Wire

/// The part of the data path that lives on one reactor: its listeners and its connections.
///
/// Touched on its reactor's thread only; `DataPlane` holds it in a `Confined` box.
final class DataPlaneReactor {
    let reactor: Reactor
    let settings: DataPlaneSettings
    let metrics: DataPlaneMetrics
    let logger: Logger
    let evidence: EvidenceQueue
    let connectionsMax: Int
    let verification: Confined<PeerVerification>
    let serverContext: TLSContext
    let clientContext: TLSContext
    let outsideContext: TLSContext
    let outside: Confined<OutsideView>

    var configuration: EnforcedConfiguration?
    private(set) var live = LiveConnections()
    private(set) var meshListener: Listener?
    private(set) var upstreamListeners: [UInt16: Listener] = [:]
    private(set) var upstreamFailures: [UInt16: SystemError] = [:]
    private(set) var isDraining = false
    /// Sockets of the process before this one, which are taken instead of new ones.
    var inherited: ListeningSockets?
    /// Those of them that were more than this process has reactors, with their upstream ports.
    var adoptedListeners: [(port: UInt16?, listener: Listener)] = []
    var balancer: Balancer
    var health = HealthView()
    let circuits: CircuitTable
    /// The box that this lane lives in, for what waits on its reactor.
    weak var box: Confined<DataPlaneReactor>?
    /// Sessions of programs with databases, from before their first decision to their end.
    var programs: [ObjectIdentifier: PostgresConnection] = [:]
    var leases: [LeaseNeed: PostgresLease] = [:]
    let postgres: PostgresDesk

    private var warm: [RelayConnection] = []
    private var trimming = HeapTrimming()
    private var sweepTimer = TimerToken.none
    private var sweepCount = 0
    private var strangers = StrangerBudget()
    var acceptFailureCount = 0
    /// Inbound connections whose peers have not proved who they are.
    var pendingHandshakes = PendingHandshakes()
    let handshakesMax: Int
    /// When and what for all connections are decided again.
    var decisionTimer = TimerToken.none
    var decisionEdge = Timestamp.distantFuture
    var latestDecision = (wall: Timestamp.distantPast, instant: Reactor.Instant.now)
    var latestLossCheck = Reactor.Instant.now
    /// What the process may occupy; nil without a limit.
    var memory: MemoryBudget?
    var memoryTimer = TimerToken.none
    var latestMemoryTrim = Reactor.Instant.now

    init(
        reactor: Reactor,
        settings: DataPlaneSettings,
        connectionsMax: Int,
        handshakesMax: Int,
        circuits: CircuitTable,
        postgres: PostgresDesk,
        metrics: DataPlaneMetrics,
        logger: Logger
    ) throws(TLSConfigurationError) {
        self.reactor = reactor
        self.settings = settings
        self.connectionsMax = connectionsMax
        self.handshakesMax = handshakesMax
        self.circuits = circuits
        self.postgres = postgres
        balancer = Balancer(seed: Randomness.bytes(8).reduce(0) { $0 << 8 | UInt64($1) })
        self.metrics = metrics
        self.logger = logger
        evidence = EvidenceQueue()
        memory = settings.memoryLimit.map { MemoryBudget(limit: $0) }
        let verification = Confined(
            PeerVerification(now: settings.now, cacheHits: metrics.verifiedLeafHits),
            to: reactor
        )
        self.verification = verification
        outside = Confined(OutsideView(), to: reactor)
        outsideContext = try Self.outsideContext()
        serverContext = try TLSContext(
            server: TLSServerConfiguration(
                credentials: { verification.value.credentials(for: $0) },
                clientCertificate: .required,
                verifier: { verification.value.verify($0) },
                applicationProtocols: [Self.applicationProtocol]
            )
        )
        clientContext = try TLSContext(
            client: TLSClientConfiguration(
                verifier: { _ in
                    .refuse(PeerRefusal(.otherIdentity, reason: "no identity was asked for"))
                },
                applicationProtocols: [Self.applicationProtocol]
            )
        )
    }

    /// What agents speak to each other.
    static let applicationProtocol = "turnpike/1"
}

// Listening.
extension DataPlaneReactor {
    /// Begins to accept other agents; gives the address, whose port the other reactors share.
    func listen(on address: SocketAddress) throws(SystemError) -> SocketAddress {
        let socket = try socket(on: address, instead: inherited?.mesh)
        let listener = try listener(socket, port: nil)
        meshListener = listener
        if inherited != nil, let configuration { followUpstreams(of: configuration) }
        return listener.localAddress
    }

    private func socket(
        on address: SocketAddress,
        instead inherited: PassedDescriptors?
    ) throws(SystemError) -> Descriptor {
        if let inherited {
            let socket = inherited.takeFirst()
            if socket.isOpen { return socket }
        }
        return try Socket.listen(on: address, sharesPort: true)
    }

    /// Accepts the mesh port's connections, or those of an upstream port.
    func listener(
        _ socket: consuming Descriptor,
        port: UInt16?
    ) throws(SystemError) -> Listener {
        try Listener(socket, on: reactor) { [unowned self] descriptor, peer, _ in
            accepted(descriptor, peer, port: port)
        }
    }

    /// Takes a connection in; it is registered before anything is decided about it.
    private func accepted(
        _ descriptor: consuming Descriptor,
        _ peer: SocketAddress,
        port: UInt16?
    ) {
        if let port, configuration?.snapshot.routesByPort[port]?.upstream.postgres != nil {
            return acceptedProgram(descriptor, peer, port: port)
        }
        let connection = RelayConnection(
            lane: self,
            isInbound: port == nil,
            peerAddress: peer
        )
        live.insert(connection)
        watchClosely()
        if port == nil { metrics.inbound.increment() } else { metrics.outbound.increment() }
        guard connectionCount <= connectionsMax, !isDraining else {
            // The descriptor closes here: there is no session yet whose alert could tell more.
            return connection.refuse(.refused(isDraining ? .agentDraining : .overloaded))
        }
        if memory?.isShedding == true {
            return connection.refuse(.refused(.overloaded), detail: "the memory limit is near")
        }
        if let port {
            connection.beginOutbound(descriptor, port: port)
        } else {
            pendingHandshakes.insert(connection)
            connection.beginInbound(descriptor)
            shedHandshakes()
        }
    }

    /// Both kinds of connections.
    var connectionCount: Int { live.count + programs.count }

    /// From the first connection on the clock is watched closely.
    func watchClosely() {
        guard connectionCount == 1 else { return }
        armDecision(settings.now())
        armMemory()
    }

    /// Gives up the oldest handshakes when there are too many: those of peers that hold them open,
    /// for an honest one is over long before it is the oldest.
    private func shedHandshakes() {
        while pendingHandshakes.count > handshakesMax, let oldest = pendingHandshakes.takeOldest() {
            oldest.refuse(.refused(.overloaded))
        }
    }

    /// Opens the upstream ports that are new and closes those that are gone; no other is touched.
    func followUpstreams(of configuration: EnforcedConfiguration) {
        // What was inherited is accepted on together with the mesh port, when nothing can fail.
        guard inherited == nil || meshListener != nil else { return }
        let wanted = configuration.snapshot.routesByPort
        for (port, listener) in upstreamListeners where wanted[port] == nil {
            listener.close()
            upstreamListeners[port] = nil
        }
        adoptedListeners.removeAll { port, listener in
            guard let port, wanted[port] == nil else { return false }
            listener.close()
            return true
        }
        upstreamFailures = [:]
        guard case .ip(let host, _) = settings.upstreamAddress else { return }
        for port in wanted.keys.sorted() where upstreamListeners[port] == nil {
            do throws(SystemError) {
                let socket = try socket(
                    on: .ip(host, port: port),
                    instead: inherited?.upstreams[port]
                )
                upstreamListeners[port] = try listener(socket, port: port)
            } catch {
                upstreamFailures[port] = error
                logger.error(
                    "upstream port cannot be opened",
                    ["port": .integer(port), "error": .describing(error)]
                )
            }
        }
    }

    /// Stops accepting; connections go on.
    func stopListening() {
        isDraining = true
        meshListener?.close()
        meshListener = nil
        for listener in upstreamListeners.values { listener.close() }
        upstreamListeners = [:]
        for (_, listener) in adoptedListeners { listener.close() }
        adoptedListeners = []
    }

    /// Cuts what is left and lets go of every timer.
    func stop() {
        if !isDraining { stopListening() }
        for connection in live.all {
            connection.cut(.refused(.agentDraining))
            connection.end(resetting: false)
        }
        cutPrograms(.refused(.agentDraining))
        reactor.cancel(sweepTimer)
        reactor.cancel(decisionTimer)
        reactor.cancel(memoryTimer)
    }
}

// What connections report.
extension DataPlaneReactor {
    func relayBegan(_ connection: RelayConnection, _ permit: ConnectionPermit) {
        (connection.isInbound ? metrics.openInbound : metrics.openOutbound).add(1)
        // Even one that never moves a byte has buffers of its handshake to give back.
        becameWarm(connection)
        guard connection.isInbound else { return }
        var amounts = FlowAmounts()
        amounts.opened = 1
        evidence.count(permit, amounts, now: settings.now())
    }

    func handshakeEnded(_ connection: RelayConnection) {
        pendingHandshakes.remove(connection)
    }

    func ended(_ connection: RelayConnection) {
        pendingHandshakes.remove(connection)
        live.remove(connection)
    }

    func relayEnded(_ connection: RelayConnection) {
        (connection.isInbound ? metrics.openInbound : metrics.openOutbound).add(-1)
        report(connection, closed: 1)
    }

    private func report(_ connection: RelayConnection, closed: UInt64) {
        var amounts = connection.takeUnreportedBytes()
        amounts.closed = closed
        guard amounts != FlowAmounts() else { return }
        metrics.bytesSent.increment(by: Int(clamping: amounts.bytesSent))
        metrics.bytesReceived.increment(by: Int(clamping: amounts.bytesReceived))
        // The destination's agent counts flows, so that they are counted once.
        guard connection.isInbound, let permit = connection.permit else { return }
        evidence.count(permit, amounts, now: settings.now())
    }

    /// Records a refusal or a cut; gives the decision's id.
    @discardableResult
    func record(
        _ ruling: Ruling,
        source: SPIFFEID?,
        destination: ServiceName?,
        peerAddress: SocketAddress,
        detail: String?
    ) -> UUIDv7 {
        let now = settings.now()
        let id = UUIDv7(timestamp: now, random: Randomness.bytes(UUIDv7.randomByteCount))
        metrics.countRefusal(ruling.reason)
        // Strangers must not be able to fill the log.
        logger.log(
            source == nil ? .debug : .info,
            "refused",
            [
                "decision": .describing(id), "reason": .text(ruling.reason.rawValue),
                "source": .text(source?.description ?? "-"),
                "destination": .text(destination?.description ?? "-"),
                "peer": .describing(peerAddress), "detail": .text(detail ?? "-"),
            ]
        )
        // Without a snapshot the agent has no name yet under which it could give evidence.
        guard let snapshot = configuration?.snapshot else { return id }
        guard source != nil || strangers.admits(peerAddress.ipAddress, now: now) else {
            evidence.drop()
            return id
        }
        evidence.add(
            Decision(
                id: id,
                time: now,
                agent: snapshot.manifest.manifest.agent,
                source: source,
                destination: destination,
                ruling: ruling,
                revision: snapshot.revision,
                peerAddress: peerAddress.description
            )
        )
        return id
    }
}

// Quiet connections.
extension DataPlaneReactor {
    /// Looks after a connection that began to move bytes.
    func becameWarm(_ connection: RelayConnection) {
        connection.isWarm = true
        connection.disarm()
        warm.append(connection)
        if sweepTimer == .none { armSweep() }
    }

    private func armSweep() {
        sweepTimer = reactor.schedule(after: DataPlaneLimits.sweepInterval) { [weak self] _ in
            self?.sweep()
        }
    }

    /// Connections that moved nothing since the last sweep give TLS's buffers back.
    private func sweep() {
        sweepTimer = .none
        sweepCount += 1
        let reports = sweepCount % DataPlaneLimits.sweepsPerReport == 0
        var remaining: [RelayConnection] = []
        var releasedCount = 0
        for connection in warm where connection.phase == .relaying {
            if connection.hasMoved {
                connection.hasMoved = false
                if reports { report(connection, closed: 0) }
                remaining.append(connection)
            } else {
                connection.isWarm = false
                connection.session?.releaseBuffers()
                connection.outsideSession?.releaseBuffers()
                releasedCount += 1
                report(connection, closed: 0)
                if let idle = settings.idleTimeout { connection.arm(idle) }
            }
        }
        warm = remaining
        if trimming.swept(released: releasedCount, now: reactor.now) { ProcessLimits.trimHeap() }
        if !warm.isEmpty || trimming.isWaiting { armSweep() }
    }
}
