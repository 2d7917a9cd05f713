import Crypto
import Mesh
import Snapshot
import Wire

/// Keys, names and sections that all runs share: making them anew would only take time.
struct Fixture: Sendable {
    static let start = Timestamp(secondsSinceEpoch: 1_900_000_000)
    static let agentCount = 3

    let trustDomain: TrustDomain
    let agents: [AgentName]
    let services: [ServiceName]
    let source: ServiceName
    let trustKey: SigningKey
    let snapshotKeys: [SigningKey]
    /// A key that nobody has ever trusted.
    let strangerKey: SigningKey
    /// By agent: the sections with the pair denied, and with it allowed.
    let sections: [[Bool: [EncodedSection]]]
    /// Agents of all runs are shown much the same; who has asked whether a key has signed some
    /// bytes has asked for all of them.
    let memory = SignatureMemory(countMax: 1 << 16)

    init() throws {
        trustDomain = try TrustDomain("mesh.example")
        agents = try (0..<Self.agentCount).map { try AgentName("host-\($0)") }
        services = try (0..<Self.agentCount).map { try ServiceName("svc-\($0)") }
        source = try ServiceName("web")
        trustKey = try Self.key(1)
        snapshotKeys = try (2...5).map { try Self.key($0) }
        strangerKey = try Self.key(9)
        sections = try zip(agents, services).map { agent, service in
            var byVerdict: [Bool: [EncodedSection]] = [:]
            for isAllowed in [false, true] {
                byVerdict[isAllowed] = try Self.contents(agent, service, isAllowed).map {
                    try EncodedSection(checking: $0)
                }
            }
            return byVerdict
        }
    }

    /// An Ed25519 key that is the same in every process (RFC 8410 section 7).
    private static func key(_ number: UInt8) throws -> SigningKey {
        let prefix: [UInt8] = [
            0x30, 0x2E, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x04, 0x22,
            0x04, 0x20,
        ]
        return try SigningKey(pkcs8: prefix + SHA256.digest(of: [number]).bytes)
    }

    private static func contents(
        _ agent: AgentName,
        _ service: ServiceName,
        _ isAllowed: Bool
    ) throws -> [SectionContent] {
        let rule = Intention(
            id: try RuleID("rule-1"),
            source: try ServicePattern("default/web"),
            destination: .exact(service),
            effect: .action(isAllowed ? .allow : .deny)
        )
        return [
            .inbound(
                InboundSection(
                    service: service,
                    applicationProtocol: .tcp,
                    leafLifetime: .seconds(3_600),
                    trustDomain: try TrustDomain("mesh.example"),
                    rules: [rule]
                )
            ),
            .hosted(
                HostedSection(
                    agent: agent,
                    services: [
                        HostedService(
                            service: service,
                            instances: [
                                Instance(
                                    service: service,
                                    agent: agent,
                                    name: .ofPort(5_432),
                                    port: 5_432
                                )
                            ]
                        )
                    ]
                )
            ),
        ]
    }
}

/// Where in the order of configurations something stands.
struct Place: Hashable, Comparable {
    let epoch: UInt64
    let revision: UInt64

    static func < (left: Place, right: Place) -> Bool {
        (left.epoch, left.revision) < (right.epoch, right.revision)
    }
}

/// The database: every configuration that was ever committed, and the trust documents.
final class Authority {
    struct State {
        let place: Place
        /// By agent: whether the one pair that leads to it is allowed.
        let isAllowed: [Bool]
        /// How many trust documents there were.
        let trustCount: Int
    }

    let fixture: Fixture
    private(set) var states: [State]
    private(set) var trust: [TrustAnchor] = []
    /// Every manifest that a snapshot key has signed: its agent and what it says.
    private(set) var signed: [SHA256Digest: (agent: Int, place: Place, isAllowed: Bool)] = [:]

    init(_ fixture: Fixture, _ random: inout SeededRandom) throws {
        self.fixture = fixture
        states = []
        try addTrust(epoch: 1, keys: [0], at: Fixture.start)
        let isAllowed = (0..<Fixture.agentCount).map { _ in random.chance(50) }
        states = [State(place: Place(epoch: 1, revision: 1), isAllowed: isAllowed, trustCount: 1)]
    }

    var latest: State { states[states.count - 1] }
    /// The places of the snapshot keys that the newest trust document names.
    private(set) var currentKeys: [Int] = []

    /// Commits another verdict for one pair.
    func flip(_ agent: Int) {
        var isAllowed = latest.isAllowed
        isAllowed[agent].toggle()
        let place = Place(epoch: latest.place.epoch, revision: latest.place.revision + 1)
        states.append(State(place: place, isAllowed: isAllowed, trustCount: trust.count))
    }

    /// An old backup is restored: revisions go back, so the epoch goes up.
    func restoreBackup(by revisions: UInt64, at now: Timestamp) throws {
        let epoch = latest.place.epoch + 1
        try addTrust(epoch: epoch, keys: currentKeys, at: now)
        let revision = max(1, latest.place.revision - min(revisions, latest.place.revision - 1))
        let old = states.last { $0.place.revision == revision } ?? latest
        states.append(
            State(
                place: Place(epoch: epoch, revision: revision),
                isAllowed: old.isAllowed,
                trustCount: trust.count
            )
        )
    }

    /// A new trust document with other snapshot keys; servers sign with the last of them.
    func rotate(to keys: [Int], at now: Timestamp) throws {
        try addTrust(epoch: latest.place.epoch, keys: keys, at: now)
        states.append(
            State(
                place: Place(epoch: latest.place.epoch, revision: latest.place.revision + 1),
                isAllowed: latest.isAllowed,
                trustCount: trust.count
            )
        )
    }

    private func addTrust(epoch: UInt64, keys: [Int], at now: Timestamp) throws {
        currentKeys = keys
        let document = TrustDocument(
            trustDomain: fixture.trustDomain,
            version: UInt64(trust.count + 1),
            epoch: epoch,
            authorities: [],
            snapshotKeys: keys.map {
                TrustDocument.SnapshotKey(
                    key: fixture.snapshotKeys[$0].publicKey,
                    notBefore: Fixture.start - .seconds(86_400),
                    notAfter: Fixture.start + .seconds(30 * 86_400)
                )
            },
            trustKeys: [fixture.trustKey.publicKey],
            threshold: 1,
            issued: now
        )
        let envelope = try document.signed(by: [fixture.trustKey], remembering: fixture.memory)
        trust.append(
            try trust.last?.succeeded(by: envelope, remembering: fixture.memory)
                ?? TrustAnchor.first(
                    envelope,
                    trustDomain: fixture.trustDomain,
                    pinnedHash: nil,
                    remembering: fixture.memory
                )
        )
    }

    /// What a replica that has seen `state` publishes to an agent.
    func publication(
        _ state: State,
        for agent: Int,
        at now: Timestamp
    ) throws -> Publication? {
        let anchor = trust[state.trustCount - 1]
        let named = Set(anchor.document.snapshotKeys.map(\.key.keyID))
        guard let key = fixture.snapshotKeys.last(where: { named.contains($0.publicKey.keyID) })
        else { return nil }
        let manifest = manifest(state.place, state.isAllowed[agent], for: agent, at: now)
        let envelope = try sign(manifest, with: key, as: agent, isAllowed: state.isAllowed[agent])
        return Publication(
            manifest: manifest,
            envelope: envelope,
            sections: fixture.sections[agent][state.isAllowed[agent]] ?? []
        )
    }

    func manifest(
        _ place: Place,
        _ isAllowed: Bool,
        for agent: Int,
        at now: Timestamp,
        life: Duration = .seconds(3_600)
    ) -> Manifest {
        Manifest(
            trustDomain: fixture.trustDomain,
            agent: fixture.agents[agent],
            epoch: place.epoch,
            revision: place.revision,
            previous: nil,
            issued: now,
            expires: now + life,
            trustVersion: UInt64(trust.count),
            trustHash: trust[trust.count - 1].hash,
            sections: (fixture.sections[agent][isAllowed] ?? []).map(\.reference)
        )
    }

    func sign(
        _ manifest: Manifest,
        with key: SigningKey,
        as agent: Int,
        isAllowed: Bool
    ) throws -> Envelope {
        let envelope = try manifest.signed(by: key, remembering: fixture.memory)
        if key.publicKey != fixture.strangerKey.publicKey {
            signed[envelope.payloadHash] = (
                agent, Place(epoch: manifest.epoch, revision: manifest.revision), isAllowed
            )
        }
        return envelope
    }
}
