import Crypto
package import Mesh
import Observability
import Postgres
package import Reactor
import Snapshot
import Store
import Wire

/// Publishes snapshots to the agents that are connected to this replica.
///
/// One task (`run`) follows the revision and signs; streams only come, go and hand on what agents
/// say. A notification of the database wakes it, and a periodic comparison heals what was lost. A
/// burst of changes becomes one snapshot per agent, and an agent that does not read holds nobody
/// up.
package actor Distribution: ReactorBound {
    package nonisolated let reactor: Reactor
    package nonisolated let control: ControlPlane
    nonisolated let services: DistributionServices
    nonisolated let signer: ManifestSigner

    /// How often the revision is compared without being told.
    static let comparisonInterval = Duration.seconds(5)
    /// How often this replica says that it is alive, and its agents with it.
    static let lifeSignInterval = Duration.seconds(5)
    /// How often what nobody needs any more is removed.
    static let housekeepingInterval = Duration.seconds(3_600)
    /// Streams that must have been opened, with no more to follow, before the memory that their
    /// handshakes have left behind goes back to the kernel.
    static let openedMinToTrim = 256
    /// The most manifests that are signed and stored in one transaction.
    static let manifestsPerTransactionMax = 200

    /// Whether snapshots are published.
    package enum Condition: Equatable, Sendable {
        /// The configuration is not read yet.
        case starting
        case publishing(revision: Int64)
        /// The database was out of reach for too long: others may have published more since.
        case outOfTouch
        /// An agent enforces something newer than the database knows; an operator must decide.
        case halted(String)
    }

    var compiler: SectionCompiler
    /// The revision of the compiler's configuration; nil before the first load.
    var revision: Int64?
    /// The trust documents since the first, the one in force last.
    var trust: [TrustAnchor] = []
    var haltReason: String?
    /// How long this replica may still show what it signs.
    var lease = PublishingLease()
    /// Whether there were other live replicas when that was read last.
    var hasPeers = false
    /// Agents that were asked to move to another replica, and when.
    var asked: [AgentName: ContinuousClock.Instant] = [:]

    var sessions: [AgentName: AgentSession] = [:]
    /// What was published to connected agents.
    var published: [AgentName: PublishedSnapshot] = [:]
    /// Connected agents that must be looked at.
    var unpublished: Set<AgentName> = []
    /// Agents that were not looked at since they connected, as the database has it.
    var unsettled: Set<AgentName> = []
    /// What connected agents said they enforce.
    var floors: [AgentName: SnapshotMark] = [:]
    /// Connected agents that do not enforce what was published to them.
    var lagging: Set<AgentName> = []
    /// Agents that got a revision of their own in this process; a second time would be a loop.
    var superseded: Set<AgentName> = []
    /// When agents last said that they are reached elsewhere.
    var moves: [AgentName: [ContinuousClock.Instant]] = [:]
    /// How often an agent may move within `movesPeriod`; each move is a revision for everybody.
    static let movesMax = 8
    static let movesPeriod = Duration.seconds(240)
    /// Sections that are stored for certain.
    var storedSections: Set<SHA256Digest> = []

    /// What greeted agents can read; nothing is made for an agent that has not said it.
    var features: [AgentName: Set<Feature>] = [:]
    /// What agents said of their instances, as it is stored.
    var reported: [AgentName: AgentHealth] = [:]
    /// What hosts weigh whose instances are partly or all down.
    var downWeights: [ServiceName: [AgentName: Int]] = [:]
    /// What connected agents were told of that.
    var shownHealth: [AgentName: HealthNotice] = [:]
    var isHealthStale = true
    var nextHealthReading: ContinuousClock.Instant?

    var answers: [AgentName: AgentAcknowledgement] = [:]
    /// Agents whose stream has ended, and whether they are gone for good.
    var departed: [AgentName: Bool] = [:]
    var isFlushing = false
    /// Greetings that are not in the database yet, and who waits for them.
    var greetings: [(AgentGreeting, CheckedContinuation<ControlError?, Never>)] = []
    var isEntering = false

    private var listener: PostgresConnection?
    private var isWoken = false
    private var sleeper: CheckedContinuation<Void, Never>?
    private var nextLifeSign: ContinuousClock.Instant?
    private var nextHousekeeping: ContinuousClock.Instant?
    /// Streams that were opened since memory was given back, and how many there were at the last
    /// life sign.
    var opened = (count: 0, seen: 0)

    /// Publishes nothing before `run`.
    package init(control: ControlPlane, services: DistributionServices, on reactor: Reactor) {
        self.control = control
        self.services = services
        self.reactor = reactor
        compiler = SectionCompiler(trustDomain: control.trustDomain)
        signer = ManifestSigner(on: reactor)
    }

    /// Whether this replica publishes, for the readiness probe.
    package var condition: Condition {
        if let haltReason { return .halted(haltReason) }
        guard let revision, lease.wasGranted else { return .starting }
        return holdsLease ? .publishing(revision: revision) : .outOfTouch
    }

    /// The agents that are connected to this replica.
    package var connectedAgents: [AgentName] { sessions.keys.sorted() }

    /// Follows the revision until the task is cancelled, then closes every stream.
    package func run() async {
        let watching = Task { await watchLease() }
        await withTaskCancellationHandler {
            await follow()
        } onCancel: {
            reactor.post { [self] _ in assumeIsolated { $0.wake() } }
        }
        watching.cancel()
        await watching.value
        await end()
    }

    private func follow() async {
        var failures = 0
        var isStarted = false
        while !Task.isCancelled {
            do throws(ControlError) {
                if !isStarted {
                    let server = control.serverName.text
                    try await control.write { database in
                        try await AgentStateRepository.disconnectAll(from: server, in: database)
                    }
                    isStarted = true
                }
                await listen()
                try await renewLapsedLease()
                try await catchUp()
                try await followHealth()
                try await giveLifeSign()
                try await keepHouse()
                failures = 0
            } catch {
                failures += 1
                control.logger.warning(
                    "snapshots are not published now",
                    ["error": .describing(error), "attempt": .integer(failures)]
                )
            }
            await sleep(for: failures == 0 ? Self.comparisonInterval : .milliseconds(500))
        }
    }

    private func end() async {
        await listener?.close()
        listener = nil
        await withTaskGroup(of: Void.self) { group in
            for session in sessions.values {
                group.addTask {
                    await session.close(
                        StreamRefusal(code: "draining", text: "the server shuts down")
                    )
                }
            }
        }
        await flush()
        let server = control.serverName.text
        _ = try? await control.write { database in
            try await AgentStateRepository.disconnectAll(from: server, in: database)
            try await AgentStateRepository.retire(server, in: database)
        }
    }

    /// Looks for changes now.
    func wake() {
        isWoken = true
        sleeper?.resume()
        sleeper = nil
    }

    /// A change was committed; what is known already, or is no revision, wakes nobody.
    private func hear(_ notification: PostgresNotification) {
        guard notification.channel != HealthRepository.channel.name else {
            return heardOfHealth()
        }
        guard let told = Int64(notification.payload), told > revision ?? -1 else { return }
        wake()
    }

    private func sleep(for duration: Duration) async {
        guard !isWoken, !Task.isCancelled else { return isWoken = false }
        let timer = reactor.schedule(after: duration) { [weak self] _ in
            self?.assumeIsolated { $0.wake() }
        }
        await withCheckedContinuation { sleeper = $0 }
        reactor.cancel(timer)
        isWoken = false
    }

    /// Hears of changes as long as the connection holds; without it the comparison must do.
    private func listen() async {
        if let listener, await listener.isOpen { return }
        listener = nil
        do throws(PostgresError) {
            let connection = try await PostgresConnection.connect(
                control.pool.settings,
                on: reactor
            )
            await connection.onNotification { [weak self] notification in
                self?.assumeIsolated { $0.hear(notification) }
            }
            await connection.onEnd { [weak self] _ in self?.assumeIsolated { $0.wake() } }
            try await connection.listen(to: RevisionRepository.channel)
            try await connection.listen(to: HealthRepository.channel)
            listener = connection
        } catch {
            control.logger.warning(
                "changes are found by comparison only",
                ["error": .describing(error)]
            )
        }
    }

    private func keepHouse() async throws(ControlError) {
        let now = control.surroundings.instant()
        guard nextHousekeeping.map({ now >= $0 }) ?? true else { return }
        nextHousekeeping = now + Self.housekeepingInterval
        // What is removed must be stored again before it is named again.
        storedSections = []
        try await Revocations(control).collect()
        try await control.write { database in
            _ = try await PublicationRepository.collectSections(in: database)
            try await EvidenceRepository.forgetBatches(in: database)
        }
    }

    /// Going through the heap takes a while, so it waits until no more streams come.
    private func trimAfterTheRush() {
        defer { opened.seen = opened.count }
        guard opened.count >= Self.openedMinToTrim, opened.count == opened.seen else { return }
        opened.count = 0
        ProcessLimits.trimHeap()
    }

    private func giveLifeSign() async throws(ControlError) {
        let now = control.surroundings.instant()
        guard nextLifeSign.map({ now >= $0 }) ?? true, let revision, haltReason == nil else {
            return
        }
        // After a lapse the round begins anew, with a comparison.
        guard holdsLease || !lease.wasGranted else { return wake() }
        nextLifeSign = now + Self.lifeSignInterval
        trimAfterTheRush()
        let server = control.serverName.text
        let agents = Array(sessions.keys)
        let loads = try await control.write { database in
            try await AgentStateRepository.seen(agents, by: server, in: database)
            try await AgentStateRepository.published(revision, by: server, in: database)
            return try await AgentStateRepository.loads(in: database)
        }
        lease.renewed(at: now)
        hasPeers = loads.contains { $0.server != server }
        await rebalance(loads, now: now)
    }
}
