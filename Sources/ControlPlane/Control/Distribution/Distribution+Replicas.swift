import Mesh
import Observability
import Reactor
import Snapshot
import Store

// What a replica does because it is not the only one.

extension Distribution {
    /// How often the lease is looked at.
    private static let leaseCheckInterval = Duration.seconds(1)
    /// An agent is asked to move at most once in this time: its list may name no other server.
    private static let askingInterval = Duration.seconds(600)

    var holdsLease: Bool { lease.holds(at: control.surroundings.instant()) }

    static var isOutOfTouch: ControlError {
        .unavailable(
            Complaint(
                "replica.out_of_touch",
                "this replica was out of touch with its database and compares itself first"
            )
        )
    }

    /// Lets go of the agents once the database has been out of touch for too long.
    ///
    /// A task of its own: the one that publishes may be waiting for the database right now.
    func watchLease() async {
        while !Task.isCancelled {
            try? await reactor.sleep(for: Self.leaseCheckInterval)
            if isOverdue { await fence() }
        }
    }

    /// After a lapse nothing is published before the database has answered anew.
    func renewLapsedLease() async throws(ControlError) {
        guard lease.wasGranted, !holdsLease, haltReason == nil else { return }
        if isOverdue { await fence() }
        let began = control.surroundings.instant()
        _ = try await control.read { database in
            try await RevisionRepository.current(in: database)
        }
        lease.renewed(at: began)
    }

    private var isOverdue: Bool {
        guard haltReason == nil, let end = lease.end else { return false }
        let patience = hasPeers ? .zero : PublishingLease.lonePatience
        return control.surroundings.instant() >= end + patience
    }

    /// Agents are better off with a replica that knows what is in force; where there is none they
    /// keep what they have.
    private func fence() async {
        lease.lost()
        control.metrics.counter(MetricNames.publishingLeasesLost).increment()
        control.logger.error(
            "the database was out of touch for too long: agents are sent to other servers",
            ["agents": .integer(sessions.count)]
        )
        await dismiss(
            Array(sessions.values),
            StreamRefusal(
                code: "out_of_touch",
                text: "this server was out of touch with its database; try another"
            )
        )
        wake()
    }

    private func dismiss(_ sessions: [AgentSession], _ refusal: StreamRefusal) async {
        await withTaskGroup(of: Void.self) { group in
            for session in sessions { group.addTask { await session.close(refusal) } }
        }
    }

    /// Asks agents to move when this replica serves more than its share.
    func rebalance(_ loads: [ReplicaLoad], now: ContinuousClock.Instant) async {
        asked = asked.filter { $0.value.duration(to: now) < Self.askingInterval }
        let others = loads.filter { $0.server != control.serverName.text }.map(\.agentCount)
        let count = Rebalance.movingCount(own: sessions.count, others: others)
        guard count > 0 else { return }
        let movable = sessions.values.filter { session in
            asked[session.agent] == nil && published[session.agent] != nil
        }
        let offset = control.surroundings.randomBytes(2).reduce(0) { $0 << 8 | Int($1) }
        let moving = Rebalance.chosen(
            count,
            of: movable.sorted { $0.agent < $1.agent },
            from: offset
        )
        guard !moving.isEmpty else { return }
        for session in moving { asked[session.agent] = now }
        control.metrics.counter(MetricNames.agentsMoved).increment(by: moving.count)
        control.logger.info(
            "agents are asked to move to servers with fewer of them",
            ["agents": .integer(moving.count), "connected": .integer(sessions.count)]
        )
        await dismiss(
            moving,
            StreamRefusal(
                code: "rebalance",
                text: "this server has more than its share of agents; try the next one"
            )
        )
    }
}

/// How many agents leave a replica that serves more than its share, and which; pure.
enum Rebalance {
    /// The part of the surplus that moves in one round, and the part of the share that is no
    /// surplus yet: replicas that all look at once must not throw agents to and fro.
    static let roundDivisor = 4
    static let toleranceDivisor = 10

    static func movingCount(own: Int, others: [Int]) -> Int {
        guard !others.isEmpty else { return 0 }
        let total = own + others.reduce(0, +)
        let share = (total + others.count) / (others.count + 1)
        let surplus = own - share
        guard surplus > share / toleranceDivisor else { return 0 }
        return max(1, surplus / roundDivisor)
    }

    /// A run of the list that begins somewhere, around its end.
    static func chosen<Element>(_ count: Int, of list: [Element], from offset: Int) -> [Element] {
        guard !list.isEmpty else { return [] }
        let start = offset % list.count
        return (0..<min(count, list.count)).map { list[(start + $0) % list.count] }
    }
}
