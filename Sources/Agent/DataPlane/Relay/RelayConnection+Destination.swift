import Mesh
import Observability
import Reactor
import Snapshot

// Which of several addresses the agent's own socket goes to, and what is counted about it.
extension RelayConnection {
    /// The connection that was begun did not come about, if one was.
    func destinationFailed() {
        guard let destination else { return }
        lane.balancer.ended(destination)
        if lane.balancer.failed(destination, now: reactor.now) {
            lane.metrics.ejections.increment()
            lane.logger.warning(
                "left out for a while: connections to it fail",
                ["address": .describing(destination.address)]
            )
        }
        tried = destination
        self.destination = nil
    }

    /// The connection is made, and from now on bytes are relayed.
    func destinationAnswered() {
        tried = nil
        if let destination { lane.balancer.succeeded(destination) }
        settleCircuit()
    }

    /// The connection is over.
    func leaveDestination() {
        if let destination { lane.balancer.ended(destination) }
        destination = nil
    }

    /// Takes a place among the upstream port's connections; the reason why there is none.
    func enterCircuit(of upstream: Upstream) -> DecisionReason? {
        let circuit = lane.circuits.circuit(of: upstream.port)
        if let reason = circuit.enter(upstream.traffic) { return reason }
        self.circuit = circuit
        isPending = true
        return nil
    }

    private func settleCircuit() {
        guard isPending else { return }
        isPending = false
        circuit?.settled()
    }

    /// Gives the place among the upstream port's connections back.
    func leaveCircuit() {
        settleCircuit()
        circuit?.ended()
        circuit = nil
    }

    /// Whether the instance was deregistered so long ago that its connections must end.
    var isDrained: Bool {
        destination?.drainEnd.map { reactor.now >= $0 } ?? false
    }
}

extension DataPlaneReactor {
    /// Where the connection may go next; nil when there is nowhere left.
    func chooseDestination(for connection: RelayConnection) -> Destination? {
        guard let snapshot = configuration?.snapshot else { return nil }
        let pool: Balancer.Pool
        var balance = UpstreamTraffic.Balance.leastRequest
        if connection.isInbound {
            guard let service = connection.permit?.destination else { return nil }
            pool = connection.outside == nil ? .instances(service) : .outside(service)
        } else {
            guard let port = connection.localUser?.port, let route = snapshot.routesByPort[port]
            else { return nil }
            pool = .upstream(port)
            balance = route.upstream.traffic.balance
        }
        return balancer.choose(
            among: targets(of: pool, snapshot),
            of: pool,
            by: balance,
            without: connection.tried,
            now: reactor.now
        )
    }

    /// What the snapshot names, with what is known of its health.
    func targets(of pool: Balancer.Pool, _ snapshot: ValidatedSnapshot) -> [Target] {
        switch pool {
        case .instances(let service):
            let name = meshName(service, in: snapshot.trustDomain)
            return (snapshot.hostedByMeshName[name]?.instances ?? []).map { instance in
                let key = InstanceKey(service: service, name: instance.name)
                return Target(
                    address: instance.address,
                    port: instance.port,
                    weight: instance.weight,
                    isDown: health.downInstances.contains(key)
                )
            }
        case .outside(let service):
            return outsideTargets(of: service)
        case .upstream(let port):
            guard let route = snapshot.routesByPort[port] else { return [] }
            let weights = health.weights[route.upstream.destination]
            return route.endpoints.map { endpoint in
                let known = weights?[endpoint.agent]
                return Target(
                    address: endpoint.address,
                    port: endpoint.port,
                    // All of it is down: it keeps its share for the case that all others are too.
                    weight: known.map { $0 == 0 ? endpoint.weight : min($0, endpoint.weight) }
                        ?? endpoint.weight,
                    isDown: known == 0 && endpoint.weight > 0
                )
            }
        }
    }

    /// Forgets what another snapshot does not name any more, and lets connections to instances that
    /// are gone finish for a while.
    func followDestinations(of snapshot: ValidatedSnapshot) {
        let drains = balancer.follow(
            drainEnd: reactor.now.advanced(by: settings.drainTimeout)
        ) { pool in targets(of: pool, snapshot) }
        guard drains else { return }
        reactor.schedule(after: settings.drainTimeout) { [weak self] _ in self?.decideAll() }
    }
}
