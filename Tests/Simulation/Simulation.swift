import Crypto
import Mesh
import Snapshot
import Wire

/// A control plane and its agents on a fake clock, network and disk, all from one seed.
///
/// The machines are the real ones (`Publisher`, `Subscriber`, `SnapshotVerifier`, `SnapshotFiles`);
/// this drives them as the server and the agent do. A time of faults, then calm, in which
/// everything must converge.
final class Simulation {
    static let replicaCount = 2
    static let calmLasts = Duration.seconds(400)
    /// Every so manyth run is a long one.
    static let longRunEvery: UInt64 = 32

    let seed: UInt64
    /// How long faults happen: in a long run past the life of what is signed and over several
    /// rotations, in the others just long enough for faults to meet.
    let faultsLast: Duration
    /// The longest pause between two of them; half of it is the usual one.
    let faultPauseMilliseconds: Int
    let isTraced: Bool
    var random: SeededRandom
    var timeline = Timeline(now: Fixture.start)
    let authority: Authority
    let replicas: [Replica]
    let agents: [SimulatedAgent]
    var links: [Link] = []
    var recorded: [[[UInt8]]]
    var forbidden: Set<SHA256Digest> = []
    var isCalm = false
    var ledger = EvidenceLedger()
    var tally = Tally()
    private(set) var violations: [String] = []

    /// What happened, so that a test can tell a simulation from an idle one.
    struct Tally: Equatable {
        var applied = 0
        var refused = 0
        var restarts = 0
        var hostileFrames = 0
        var acknowledged = 0
        /// Decisions that reached the database.
        var decided = 0

        static func += (left: inout Tally, right: Tally) {
            left.applied += right.applied
            left.refused += right.refused
            left.restarts += right.restarts
            left.hostileFrames += right.hostileFrames
            left.acknowledged += right.acknowledged
            left.decided += right.decided
        }
    }

    init(seed: UInt64, fixture: Fixture, isTraced: Bool = false) throws {
        self.seed = seed
        self.isTraced = isTraced
        let isLong = seed % Self.longRunEvery == 0
        faultsLast = .seconds(isLong ? 1_800 : 120)
        faultPauseMilliseconds = isLong ? 120_000 : 24_000
        var random = SeededRandom(seed: seed)
        let authority = try Authority(fixture, &random)
        self.authority = authority
        replicas = (0..<Self.replicaCount).map { Replica(index: $0) }
        agents = (0..<Fixture.agentCount).map { index in
            SimulatedAgent(
                index: index,
                trust: authority.trust[0],
                skew: .milliseconds(random.number(below: 40_000) - 20_000)
            )
        }
        recorded = Array(repeating: [], count: Fixture.agentCount)
        self.random = random
    }

    /// Runs to the end; gives what was violated, at best nothing.
    func run() throws -> [String] {
        for agent in agents {
            start(agent)
            planDecisions(of: agent)
        }
        planFault()
        planSignatures()
        let faultsEnd = Fixture.start + faultsLast
        try work(until: faultsEnd)
        calm()
        try work(until: faultsEnd + Self.calmLasts)
        for agent in agents { checkConvergence(agent) }
        checkEvidence()
        tally.decided = ledger.storedCount
        // What is still planned holds on to all of this.
        timeline = Timeline(now: timeline.now)
        return violations
    }

    func violated(_ what: String) {
        let second = (timeline.now - Fixture.start).components.seconds
        violations.append("seed \(seed), second \(second): \(what)")
    }

    /// What happened, for whoever replays one seed.
    func trace(_ agent: Int, _ what: @autoclosure () -> String) {
        guard isTraced else { return }
        let second = (timeline.now - Fixture.start).components.seconds
        print("\(second) agent \(agent) \(what())")
    }

    func plan(_ after: Duration, _ work: @escaping () -> Void) {
        timeline.plan(at: timeline.now + after, work)
    }

    /// Does what may throw only for reasons that are bugs of the simulation itself.
    func attempt(_ what: String, _ body: () throws -> Void) {
        do {
            try body()
        } catch {
            violated("\(what): \(error)")
        }
    }

    private func work(until end: Timestamp) throws {
        while violations.isEmpty, let work = timeline.takeNext(before: end) { work() }
    }

    private func checkConvergence(_ agent: SimulatedAgent) {
        guard violations.isEmpty else { return }
        let latest = authority.latest
        guard agent.enforced.map({ Place($0) }) == latest.place else {
            return violated(
                "agent \(agent.index) enforces \(agent.enforced.map { "\(Place($0))" } ?? "nothing")"
                    + " in the end, not \(latest.place)"
            )
        }
        check(agent)
        guard agent.subscriber?.isConnected == true else {
            return violated("agent \(agent.index) has no server in the end")
        }
    }

    /// Compares what an agent lets in with what its revision says.
    func check(_ agent: SimulatedAgent) {
        let isAllowed = agent.isAllowed(authority.fixture, now: timeline.now)
        let hash = agent.enforced?.manifest.hash
        let wanted = hash.flatMap { authority.signed[$0]?.isAllowed } ?? false
        guard isAllowed != wanted else { return }
        violated("agent \(agent.index) answers \(isAllowed) where its revision says \(wanted)")
    }
}

extension Place {
    init(_ snapshot: ValidatedSnapshot) {
        self.init(epoch: snapshot.mark.epoch, revision: snapshot.mark.revision)
    }
}

// The agent's driver.
extension Simulation {
    /// Starts an agent's process from its disk.
    func start(_ agent: SimulatedAgent) {
        agent.incarnation += 1
        agent.isRunning = true
        let now = timeline.now + agent.skew
        let restored = SnapshotFiles.restore(
            agent: authority.fixture.agents[agent.index],
            trustDomain: authority.fixture.trustDomain,
            now: now,
            remembering: authority.fixture.memory
        ) { agent.disk.files[$0] }
        guard let trust = restored.trust else {
            return violated("agent \(agent.index) lost its trust document")
        }
        if let snapshot = restored.snapshot {
            enforce(snapshot.value, on: agent)
        } else if let floor = agent.floor, !agent.isDamaged, isStillTrusted(agent, trust) {
            violated("agent \(agent.index) lost its snapshot, which was at \(floor)")
        }
        agent.subscriber = Subscriber(
            agent: authority.fixture.agents[agent.index],
            software: "simulation",
            trust: trust,
            mark: restored.mark,
            restored: restored.snapshot,
            remembering: authority.fixture.memory,
            serverCount: replicas.count
        )
        openSpool(of: agent)
        let first = random.number(below: replicas.count)
        perform(agent.subscriber?.started(firstServer: first) ?? [], on: agent)
    }

    /// Whether the key that signed what lies on the disk is one that the agent still trusts.
    private func isStillTrusted(_ agent: SimulatedAgent, _ trust: TrustAnchor) -> Bool {
        guard let bytes = agent.disk.files[SnapshotFiles.manifestName],
            let envelope = try? Envelope(encoded: bytes)
        else { return true }
        let keys = trust.document.snapshotKeys.map(\.key)
        return !envelope.signers(among: keys, remembering: authority.fixture.memory).isEmpty
    }

    func enforce(_ snapshot: ValidatedSnapshot, on agent: SimulatedAgent) {
        if forbidden.contains(snapshot.manifest.hash) {
            violated("agent \(agent.index) enforces what a thief has signed")
        }
        if let fault = agent.enforce(snapshot, authority) {
            violated("agent \(agent.index) enforces \(fault)")
        }
        check(agent)
    }

    func perform(_ actions: [Subscriber.Action], on agent: SimulatedAgent) {
        let incarnation = agent.incarnation
        for action in actions {
            guard agent.incarnation == incarnation, violations.isEmpty else { return }
            trace(agent.index, action.summary)
            switch action {
            case .connect(let server): connect(agent, to: server, after: .zero)
            case .reconnect(let pause, let server): connect(agent, to: server, after: pause)
            case .send(let message): send(message, from: agent)
            case .persist(let stored): persist(stored, on: agent)
            case .persistTrust(let anchor): persist(anchor, on: agent)
            case .apply(let snapshot): apply(snapshot, on: agent)
            case .adoptTrust: break
            case .refused: tally.refused += 1
            case .retry(let pause):
                plan(pause) { [self] in
                    guard agent.incarnation == incarnation else { return }
                    let now = timeline.now + agent.skew
                    perform(agent.subscriber?.retryDue(now: now) ?? [], on: agent)
                }
            case .close(let reason):
                if agent.link?.isRogue == false {
                    violated("agent \(agent.index) leaves an honest server: \(reason)")
                }
                agent.link.map { breakLink($0) }
            }
        }
    }

    private func connect(_ agent: SimulatedAgent, to server: Int, after pause: Duration) {
        let incarnation = agent.incarnation
        plan(pause + random.milliseconds(5...300)) { [self] in
            guard agent.incarnation == incarnation else { return }
            let replica = replicas[server]
            let isRogue = !isCalm && random.chance(15)
            guard !agent.isPartitioned, replica.isUp || isRogue else {
                return disconnected(agent)
            }
            let known = authority.trust.prefix(replica.state(authority).trustCount)
            let link = Link(
                agent: agent.index,
                replica: server,
                isRogue: isRogue,
                publisher: Publisher(
                    agent: authority.fixture.agents[agent.index],
                    trustChain: Array(known)
                ),
                now: timeline.now
            )
            agent.link = link
            links.append(link)
            if !isRogue { publish(on: link) }
            perform(agent.subscriber?.connected() ?? [], on: agent)
        }
    }

    func disconnected(_ agent: SimulatedAgent) {
        let jitter = random.share()
        perform(agent.subscriber?.disconnected(jitter: jitter) ?? [], on: agent)
    }

    private func send(_ message: Message, from agent: SimulatedAgent) {
        if case .acknowledgement(let acknowledgement) = message,
            let fault = agent.fault(in: acknowledgement)
        {
            violated("agent \(agent.index) \(fault)")
        }
        guard let link = agent.link, link.isOpen else { return }
        attempt("an agent's frame") { deliver(try Frame.encode(message), overToServer: link) }
    }

    private func persist(_ stored: StoredSnapshot, on agent: SimulatedAgent) {
        let steps = SnapshotFiles.steps(for: stored)
        switch agent.disk.perform(steps, stoppingAt: diskFault(steps.count)) {
        case .durable:
            agent.isDamaged = false
            perform(agent.subscriber?.persisted() ?? [], on: agent)
        case .failed:
            let now = timeline.now + agent.skew
            perform(agent.subscriber?.persistFailed("disk full", now: now) ?? [], on: agent)
        case .killed:
            kill(agent)
        }
    }

    private func persist(_ anchor: TrustAnchor, on agent: SimulatedAgent) {
        let step = SnapshotFiles.Step.write(
            name: SnapshotFiles.trustName,
            bytes: anchor.envelope.encoded
        )
        let now = timeline.now + agent.skew
        switch agent.disk.perform([step], stoppingAt: diskFault(1)) {
        case .durable: perform(agent.subscriber?.trustPersisted(now: now) ?? [], on: agent)
        case .failed:
            perform(agent.subscriber?.trustPersistFailed("disk full", now: now) ?? [], on: agent)
        case .killed: kill(agent)
        }
    }

    private func diskFault(_ stepCount: Int) -> (step: Int, outcome: FakeDisk.Outcome)? {
        guard !isCalm, random.chance(10) else { return nil }
        return (random.number(below: stepCount), random.chance(50) ? .failed : .killed)
    }

    private func apply(_ snapshot: ValidatedSnapshot, on agent: SimulatedAgent) {
        let incarnation = agent.incarnation
        plan(random.milliseconds(0...200)) { [self] in
            guard agent.incarnation == incarnation else { return }
            tally.applied += 1
            enforce(snapshot, on: agent)
            let now = timeline.now + agent.skew
            perform(agent.subscriber?.applied(at: now) ?? [], on: agent)
        }
    }
}

extension Subscriber.Action {
    fileprivate var summary: String {
        switch self {
        case .connect(let server): "connects to \(server)"
        case .reconnect(let pause, let server): "connects to \(server) in \(pause)"
        case .send(.hello(let hello)):
            "says hello at \(hello.mark?.revision ?? 0), shows \(hello.head == nil ? "no head" : "its head")"
        case .send(.want(let want)):
            "wants \(want.sections.count) sections of \(want.manifest.short)"
        case .send(.acknowledgement(let answer)):
            "answers \(answer.manifest.short): \(answer.errors.first ?? "applied")"
        case .send: "sends"
        case .persist(let stored): "persists revision \(stored.mark.revision)"
        case .persistTrust(let anchor): "persists trust \(anchor.document.version)"
        case .apply(let snapshot): "applies revision \(snapshot.mark.revision)"
        case .adoptTrust(let anchor): "adopts trust \(anchor.document.version)"
        case .refused(let reason): "refuses: \(reason)"
        case .retry(let pause): "tries again in \(pause)"
        case .close(let reason): "closes: \(reason)"
        }
    }
}

extension SHA256Digest {
    /// Enough to tell the few of one run apart.
    fileprivate var short: String { String("\(self)".prefix(8)) }
}
