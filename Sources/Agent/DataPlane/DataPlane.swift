import Mesh
package import Observability
package import Reactor
import Snapshot
package import TLS

/// The traffic path of an agent: the mesh port, the upstream ports and everything between.
///
/// Its methods may be called from any task; they return when every reactor has done its part.
package final class DataPlane: Sendable {
    let lanes: [Confined<DataPlaneReactor>]
    private let settings: DataPlaneSettings
    private let circuits: CircuitTable
    let postgres = PostgresDesk()
    /// One queue for each reactor, to be drained by the spool.
    package let evidenceQueues: [EvidenceQueue]

    /// Makes one part for each reactor; nothing listens yet.
    package init(
        settings: DataPlaneSettings,
        reactors: [Reactor],
        metrics: MetricRegistry,
        logger: Logger
    ) throws(TLSConfigurationError) {
        let counters = DataPlaneMetrics(metrics)
        let circuits = CircuitTable()
        let share = { (limit: Int) in max(1, limit / max(1, reactors.count)) }
        var settings = settings
        settings.reactorCount = reactors.count
        var lanes: [Confined<DataPlaneReactor>] = []
        var queues: [EvidenceQueue] = []
        for reactor in reactors {
            let lane = try DataPlaneReactor(
                reactor: reactor,
                settings: settings,
                connectionsMax: share(settings.connectionsMax),
                handshakesMax: share(settings.handshakesMax),
                circuits: circuits,
                postgres: postgres,
                metrics: counters,
                logger: logger
            )
            queues.append(lane.evidence)
            lanes.append(Confined(lane, to: reactor))
        }
        self.settings = settings
        self.circuits = circuits
        self.lanes = lanes
        evidenceQueues = queues
    }

    /// Begins to listen on the mesh port; gives its address.
    package func start() async throws(SystemError) -> SocketAddress {
        var address = settings.meshAddress
        for box in lanes {
            let wanted = address
            let result = await box.run { lane in
                lane.box = box
                return Result { () throws(SystemError) in try lane.listen(on: wanted) }
            }
            address = try result.get()
        }
        return address
    }

    /// Enforces a configuration; returns after the last reactor swapped it and decided every live
    /// connection again, which is what an acknowledgement means.
    package func apply(_ configuration: EnforcedConfiguration) async {
        for lane in lanes { await lane.run { $0.apply(configuration) } }
        circuits.keep(Set(configuration.snapshot.routesByPort.keys))
    }

    /// Takes over which instances and hosts are in order; connections that are open stay.
    package func apply(_ health: HealthView) async {
        for lane in lanes { await lane.run { $0.health = health } }
    }

    /// Takes over where the names of external targets lead; connections that are open stay.
    package func apply(_ addresses: OutsideAddresses) async {
        for lane in lanes { await lane.run { $0.apply(addresses) } }
    }

    /// Takes over which roles are leased for local programs; sessions of earlier ones go on.
    package func apply(_ leases: [LeaseNeed: PostgresLease]) async {
        for lane in lanes { await lane.run { $0.apply(leases) } }
    }

    /// Stops accepting, lets connections finish for `drainTimeout`, then cuts the rest.
    package func drain() async {
        for lane in lanes { await lane.run { $0.stopListening() } }
        for lane in lanes { await lane.waitUntilEmpty(for: settings.drainTimeout) }
        await stop()
    }

    /// Cuts everything now.
    package func stop() async {
        for lane in lanes { await lane.run { $0.stop() } }
    }

    /// What is listened on, connected and enforced now.
    package func status() async -> DataPlaneStatus {
        var status = DataPlaneStatus()
        for (index, lane) in lanes.enumerated() {
            let part = await lane.run { $0.status }
            status.connectionCount += part.connectionCount
            status.heldByteCount += part.heldByteCount
            status.ejectedCount += part.ejectedCount
            status.flows.merge(part.flows) { $0 + $1 }
            guard index == 0 else { continue }
            status.meshAddress = part.meshAddress
            status.upstreams = part.upstreams.map { upstream in
                let circuit = circuits.circuit(of: upstream.declared.port)
                return upstream.with(open: circuit.open, pending: circuit.pending)
            }
            status.leafEnds = part.leafEnds
            status.revision = part.revision
            status.manifestExpires = part.manifestExpires
        }
        return status
    }
}

extension DataPlaneReactor {
    var status: DataPlaneStatus {
        var status = DataPlaneStatus()
        status.meshAddress = meshListener?.localAddress
        status.connectionCount = connectionCount
        status.flows = live.flowCounts
        status.ejectedCount = balancer.ejectedCount(at: reactor.now)
        status.heldByteCount = live.all.reduce(0) {
            $0 + $1.heldForPlain.count + $1.heldForSecure.count + $1.heldForOutside.count
        }
        guard let configuration else { return status }
        let routes = configuration.snapshot.routesByPort.values
        status.upstreams = routes.map(\.upstream).sorted { $0.port < $1.port }.map { upstream in
            DataPlaneStatus.Upstream(
                declared: upstream,
                failure: upstreamFailures[upstream.port]
            )
        }
        status.leafEnds = configuration.identities.mapValues(\.notAfter)
        status.revision = configuration.snapshot.revision
        status.manifestExpires = configuration.snapshot.expires
        return status
    }
}

extension Confined<DataPlaneReactor> {
    /// Runs work on the reactor and waits for its result.
    func run<Result: Sendable>(
        _ work: @escaping @Sendable (DataPlaneReactor) -> Result
    ) async -> Result {
        await withCheckedContinuation { continuation in
            reactor.execute { _ in continuation.resume(returning: work(self.value)) }
        }
    }

    /// Waits until no connection is left, at most so long.
    func waitUntilEmpty(for timeout: Duration) async {
        await withCheckedContinuation { continuation in
            reactor.execute { reactor in
                let deadline = reactor.now.advanced(by: timeout)
                self.poll(until: deadline) { continuation.resume() }
            }
        }
    }

    private func poll(until deadline: Reactor.Instant, _ done: @escaping () -> Void) {
        guard value.connectionCount > 0, reactor.now < deadline else { return done() }
        reactor.schedule(after: .milliseconds(20)) { _ in self.poll(until: deadline, done) }
    }
}
