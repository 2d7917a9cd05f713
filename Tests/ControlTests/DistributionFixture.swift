import Control
import Crypto
import Mesh
import Postgres
import Reactor
import Snapshot
import Store
import Support
import Synchronization
import Testing
import Transport
import Wire

/// A control plane that publishes to agents over loopback streams without TLS.
struct DistributionFixture: Sendable {
    let base: ControlFixture
    let authority: TestAuthority

    var control: ControlPlane { base.control }

    static func with<Value>(
        _ body: (DistributionFixture) async throws -> Value
    ) async throws -> Value {
        try await ControlFixture.with { base in
            let authority = try TestAuthority(trustDomain: base.control.trustDomain)
            return try await body(DistributionFixture(base: base, authority: authority))
        }
    }

    /// Rows that only the server's other rooms write.
    func addAgents(_ names: String...) async throws { try await base.addAgents(names) }

    /// Writes resources with one revision.
    @discardableResult
    func put(_ resources: [Resource]) async throws -> Int64 {
        try await control.change(base.admin, action: "test.put", resource: "services") { change in
            let order = Resource.Kind.allCases
            let parts = resources.flatMap(\.parts).sorted { left, right in
                (order.firstIndex(of: left.kind) ?? 0) < (order.firstIndex(of: right.kind) ?? 0)
            }
            for resource in parts {
                guard let kind = Change.Kind(rawValue: resource.kind.rawValue) else { continue }
                let row = Stored(
                    resource,
                    revision: change.revision,
                    createdAt: change.at,
                    updatedAt: change.at,
                    createdBy: "test"
                )
                try await change.database.query(
                    CatalogRepository.put(row, guardedBy: control.rowGuard)
                )
                let key = resource.path.split(separator: "/").dropFirst().joined(separator: "/")
                change.record(kind, key: key, .update)
            }
            return change.revision
        }
    }

    func rule(_ action: Verdict, from source: String = "shop/web") throws -> Resource {
        .intention(
            Intention(
                id: try RuleID(control.makeID().description),
                source: try ServicePattern(source),
                destination: try ServicePattern("shop/db"),
                effect: .action(action)
            )
        )
    }

    /// `web` on host-a reaches `db` on host-b.
    @discardableResult
    func addSmallMesh() async throws -> Int64 {
        try await addAgents("host-a", "host-b", "host-c")
        return try await put(
            [.namespace(Namespace(name: try NamespaceName("shop")))]
                + SmallMesh.resources().filter { $0.kind == .service } + [rule(.allow)]
        )
    }

    /// Runs a replica's distribution as long as the body runs.
    func publishing<Value: Sendable>(
        _ body: (Distribution) async throws -> Value
    ) async throws -> Value {
        let distribution = Distribution(
            control: control,
            services: authority.services,
            on: TestDatabase.reactor
        )
        let running = Task(executorPreference: TestDatabase.reactor) { await distribution.run() }
        let outcome: Result<Value, any Error>
        do {
            try await until("the configuration is read") {
                await distribution.condition != .starting
            }
            outcome = .success(try await body(distribution))
        } catch {
            outcome = .failure(error)
        }
        running.cancel()
        await running.value
        return try outcome.get()
    }

    /// A stream of an agent to a distribution.
    func connect(
        _ agent: TestAgent,
        to distribution: Distribution,
        as peerName: String? = nil
    ) async throws {
        let spiffeID = SPIFFEID(
            agent: try AgentName(peerName ?? agent.name.text),
            in: control.trustDomain
        )
        let server = try await StreamServer.start(
            on: .loopback(),
            reactors: [TestDatabase.reactor],
            security: nil
        ) { connection, _ in
            await distribution.serve(
                connection,
                peer: AgentPeer(
                    spiffeID: spiffeID.description,
                    serialNumber: [1],
                    leafDigest: [],
                    address: "192.0.2.9"
                )
            )
        }
        try await agent.connect(to: server)
    }
}

/// Stands in the place of the authority: real keys and a real trust document.
final class TestAuthority: Sendable {
    let trustKey: SigningKey
    let snapshotKey: SigningKey
    let anchor: TrustAnchor
    private let revoked = Mutex<Set<String>>([])

    init(trustDomain: TrustDomain) throws {
        trustKey = try SigningKey.generate(.ed25519)
        snapshotKey = try SigningKey.generate(.ed25519)
        let document = TrustDocument(
            trustDomain: trustDomain,
            version: 1,
            epoch: 1,
            authorities: [TrustDocument.Authority(certificate: [1, 2, 3], state: .active)],
            snapshotKeys: [
                TrustDocument.SnapshotKey(
                    key: snapshotKey.publicKey,
                    notBefore: .epoch,
                    notAfter: .distantFuture
                )
            ],
            trustKeys: [trustKey.publicKey],
            threshold: 1,
            issued: Timestamp(secondsSinceEpoch: 1_700_000_000)
        )
        anchor = try TrustAnchor.first(
            try document.signed(by: [trustKey]),
            trustDomain: trustDomain,
            pinnedHash: nil
        )
    }

    func revoke(_ agent: String) { revoked.withLock { _ = $0.insert(agent) } }

    var services: DistributionServices {
        DistributionServices(
            agentIdentity: { [self] peer throws(ControlError) in
                guard case .agent(let agent) = (try? SPIFFEID(peer.spiffeID))?.subject,
                    !revoked.withLock({ $0.contains(agent.text) })
                else { throw .unauthenticated(Complaint("agent.revoked", "join again")) }
                return agent
            },
            issueLeaf: { request throws(ControlError) in
                guard request.service?.name.text == "web" else {
                    throw .forbidden(Complaint("service.not_placed", "not placed here"))
                }
                return [[1, 2, 3], [4]]
            },
            snapshotKey: { [self] () throws(ControlError) in snapshotKey },
            trustChain: { [self] () throws(ControlError) in [anchor] }
        )
    }
}

/// An agent whose disk is memory and whose reactors swap at once, on a real stream.
actor TestAgent: ReactorBound {
    nonisolated let reactor = TestDatabase.reactor
    nonisolated let name: AgentName
    private var machine: Subscriber
    private var server: StreamServer?
    private var connection: StreamConnection?
    private var reading: Task<Void, Never>?
    private(set) var enforced: ValidatedSnapshot?
    private(set) var manifestCount = 0
    private(set) var refusals: [String] = []
    /// Everything else that the server said.
    private(set) var others: [Message] = []
    private(set) var isConnected = false
    /// Whether it applies what it gets.
    var applies = true
    var reads = true

    init(_ name: String, _ authority: TestAuthority, meshAddress: String? = nil) throws {
        self.name = try AgentName(name)
        machine = Subscriber(
            agent: self.name,
            software: "test 1",
            meshAddress: meshAddress,
            trust: authority.anchor,
            mark: nil,
            restored: nil,
            serverCount: 1
        )
    }

    var revision: UInt64 { enforced?.revision ?? 0 }

    func setApplies(_ value: Bool) { applies = value }
    func setReads(_ value: Bool) { reads = value }

    func connect(to server: StreamServer) async throws {
        self.server = server
        let connection = try await StreamConnection.connect(
            to: server.localAddress,
            on: reactor,
            security: .none,
            deadline: .now + .seconds(20)
        )
        self.connection = connection
        isConnected = true
        _ = machine.started(firstServer: 0)
        await run(machine.connected())
        reading = Task { await read(connection) }
    }

    func disconnect() async {
        await connection?.close()
        await reading?.value
        _ = machine.disconnected(jitter: 0.5)
        await server?.drain(grace: .seconds(5))
    }

    func send(_ message: Message) async {
        guard let frame = try? Frame.encode(message) else { return }
        try? await connection?.write(frame)
    }

    private func read(_ connection: StreamConnection) async {
        var decoder = FrameDecoder()
        while true {
            while !reads { try? await reactor.sleep(for: .milliseconds(20)) }
            guard let bytes = try? await connection.read() else { break }
            decoder.append(bytes)
            while let message = try? decoder.next() { await take(message) }
        }
        isConnected = false
        await connection.close()
    }

    private func take(_ message: Message) async {
        let now = Timestamp(nanosecondsSinceEpoch: WallClock.nanoseconds())
        switch message {
        case .manifest(let envelope):
            manifestCount += 1
            if applies { await run(machine.manifestReceived(envelope, now: now)) }
        case .section(let chunk): await run(machine.sectionReceived(chunk))
        case .trust(let envelope): await run(machine.trustReceived(envelope))
        default: others.append(message)
        }
    }

    private func run(_ actions: [Subscriber.Action]) async {
        let now = Timestamp(nanosecondsSinceEpoch: WallClock.nanoseconds())
        var pending = actions
        while !pending.isEmpty {
            switch pending.removeFirst() {
            case .send(let message): await send(message)
            case .persist: pending += machine.persisted()
            case .apply(let snapshot):
                enforced = snapshot
                pending += machine.applied(at: now)
            case .persistTrust: pending += machine.trustPersisted(now: now)
            case .refused(let reason): refusals.append(reason)
            case .close: await connection?.close()
            case .connect, .reconnect, .adoptTrust, .retry: break
            }
        }
    }
}

struct TookTooLong: Error { let what: String }

/// Looks again and again until something holds.
func until(_ what: String, _ condition: () async throws -> Bool) async throws {
    for _ in 0..<1_000 {
        if try await condition() { return }
        try await TestDatabase.reactor.sleep(for: .milliseconds(20))
    }
    throw TookTooLong(what: what)
}
