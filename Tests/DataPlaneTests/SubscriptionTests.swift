import Crypto
import DataPlane
import Foundation
import Mesh
import Observability
import Reactor
import Snapshot
import Support
import Synchronization
import Testing
import Transport
import Wire

/// A subscription on a real data path, with a data directory of its own.
private final class Stand: Sendable {
    let mesh: TestMesh
    let directory: AgentDirectory
    let control: ControlStand
    let subscription: Subscription
    let plane: DataPlane
    let service: ServiceName
    private let thread: ReactorThread
    private let group: ReactorGroup
    private let resolver: WorkerPool

    static let now: @Sendable () -> Timestamp = {
        Timestamp(nanosecondsSinceEpoch: WallClock.nanoseconds())
    }

    init(
        servers: [String],
        mesh: TestMesh,
        control: ControlStand,
        directory: AgentDirectory,
        evidence: ByteCount = .mebibytes(1)
    ) throws {
        self.mesh = mesh
        self.control = control
        self.directory = directory
        service = try ServiceName("db")
        thread = try ReactorThread(name: "control")
        group = try ReactorGroup(count: 2, name: "traffic")
        resolver = try WorkerPool(name: "resolver", threadCount: 1)
        let metrics = MetricRegistry()
        plane = try DataPlane(
            settings: DataPlaneSettings(meshAddress: .loopback()),
            reactors: group.reactors,
            metrics: metrics,
            logger: .silent
        )
        var settings = SubscriptionSettings(
            software: "test",
            now: Self.now,
            jitter: { 0 }
        )
        settings.servers = servers
        settings.meshAddress = "127.0.0.1:7443"
        settings.evidenceByteCountMax = evidence
        subscription = try Subscription(
            folder: AgentFolder(directory.path),
            settings: settings,
            dataPlane: plane,
            reactor: thread.reactor,
            resolver: resolver,
            metrics: metrics,
            logger: .silent
        )
    }

    func stop() async {
        await subscription.stop()
        await plane.stop()
        let (thread, group, resolver) = (thread, group, resolver)
        await onThread {
            thread.stop()
            group.stop()
            resolver.stop()
        }
    }

    func waitUntilReady() async throws -> Bool {
        for _ in 0..<1_000 {
            if await subscription.isReady { return true }
            try await Task.sleep(for: .milliseconds(10))
        }
        return false
    }
}

struct SubscriptionTests {
    private let mesh: TestMesh
    private let service: ServiceName

    init() throws {
        mesh = try TestMesh(now: Stand.now())
        service = try ServiceName("db")
    }

    @Test func withoutServersWhatIsOnDiskIsEnforced() async throws {
        let directory = try AgentDirectory(mesh, agent: "host-1")
        try directory.write(try mesh.hosting(service, on: directory.agent, revision: 4))
        try directory.writeLeaf(of: service)
        let stand = try Stand(
            servers: [],
            mesh: mesh,
            control: try ControlStand(mesh, now: Stand.now),
            directory: directory
        )
        await stand.subscription.start()
        #expect(await stand.subscription.isReady)
        let status = await stand.subscription.status()
        #expect(status.mark?.revision == 4)
        #expect(status.dataPlane?.revision == 4)
        #expect(status.certificates.map(\.subject) == ["agent", "default/db"])
        #expect((status.budget ?? .zero) > .seconds(3_000))
        await stand.stop()
    }

    @Test func aPublishedSnapshotIsPersistedAppliedAndAcknowledged() async throws {
        let control = try ControlStand(mesh, now: Stand.now)
        let server = try await control.start()
        let directory = try AgentDirectory(mesh, agent: "host-1")
        let signed = try mesh.hosting(service, on: directory.agent, revision: 9)
        try control.publish(signed)
        let stand = try Stand(
            servers: ["\(server.localAddress)"],
            mesh: mesh,
            control: control,
            directory: directory
        )
        await stand.subscription.start()
        let isAcknowledged = try await control.wait { state in
            state.acknowledgements.contains { $0.mark?.revision == 9 && $0.appliedAt != nil }
        }
        #expect(isAcknowledged)
        // The acknowledgement comes last: disk and reactors are there already.
        let restored = SnapshotFolder(AgentFolder(directory.path)).restore(
            agent: directory.agent,
            trustDomain: mesh.trustDomain,
            now: Stand.now()
        )
        #expect(restored.restoration.snapshot?.value == signed.snapshot)
        #expect(await stand.plane.status().revision == 9)
        // The service's certificate is asked for with a key that was made here.
        #expect(try await stand.waitUntilReady())
        let requests = control.state.withLock { $0.requests.map(\.service) }
        #expect(requests == [service])
        let hello = control.state.withLock { $0.hellos.first }
        #expect(hello?.meshAddress == "127.0.0.1:7443")
        let leaf = try LeafFolder(AgentFolder(directory.path)).read(service)
        #expect(leaf != nil)
        let mode = try FileSystem.status(directory.path + "/leaves/default.db.pem")?.mode
        #expect(mode == 0o600)
        await stand.stop()
        await control.stop(server)
    }

    @Test func aRefusedSnapshotIsAcknowledgedWithItsReasonAndTheOldOneStays() async throws {
        let control = try ControlStand(mesh, now: Stand.now)
        let server = try await control.start()
        let directory = try AgentDirectory(mesh, agent: "host-1")
        try directory.write(try mesh.hosting(service, on: directory.agent, revision: 4))
        try directory.writeLeaf(of: service)
        // The revision that is held, with another content: a fork.
        try control.publish(
            try mesh.hosting(
                service,
                on: directory.agent,
                verdict: .deny,
                revision: 4,
                issued: Stand.now()
            )
        )
        let stand = try Stand(
            servers: ["\(server.localAddress)"],
            mesh: mesh,
            control: control,
            directory: directory
        )
        await stand.subscription.start()
        let isRefused = try await control.wait { state in
            state.acknowledgements.contains { $0.errors.first == "fork" }
        }
        #expect(isRefused)
        let status = await stand.subscription.status()
        #expect(status.lastRefusal?.reason.contains("fork") == true)
        #expect(await stand.subscription.isReady)
        await stand.stop()
        await control.stop(server)
    }

    @Test func aFullOrReadOnlyDiskRefusesTheSnapshotAndKeepsTheOldOne() async throws {
        let control = try ControlStand(mesh, now: Stand.now)
        let server = try await control.start()
        let directory = try AgentDirectory(mesh, agent: "host-1")
        try directory.write(try mesh.hosting(service, on: directory.agent, revision: 4))
        try directory.writeLeaf(of: service)
        let stand = try Stand(
            servers: ["\(server.localAddress)"],
            mesh: mesh,
            control: control,
            directory: directory
        )
        // Nothing can be written where the folder was.
        try FileSystem.rename(directory.path + "/snapshot", to: directory.path + "/away")
        await stand.subscription.start()
        try control.publish(
            try mesh.hosting(service, on: directory.agent, verdict: .deny, revision: 5)
        )
        let isRefused = try await control.wait { state in
            state.acknowledgements.contains { $0.errors.first == "not_persisted" }
        }
        #expect(isRefused)
        #expect(await stand.plane.status().revision == 4)
        await stand.stop()
        await control.stop(server)
    }

    @Test func aLostConnectionIsMadeAgainAndTheSnapshotIsNotFetchedTwice() async throws {
        let control = try ControlStand(mesh, now: Stand.now)
        let server = try await control.start()
        let directory = try AgentDirectory(mesh, agent: "host-1")
        try control.publish(try mesh.hosting(service, on: directory.agent, revision: 2))
        let stand = try Stand(
            servers: ["\(server.localAddress)"],
            mesh: mesh,
            control: control,
            directory: directory
        )
        await stand.subscription.start()
        #expect(try await stand.waitUntilReady())
        await control.cut()
        #expect(try await control.wait { $0.hellos.count >= 2 })
        let second = control.state.withLock { $0.hellos.last }
        #expect(second?.mark?.revision == 2)
        #expect(second?.held.isEmpty == false)
        await stand.stop()
        await control.stop(server)
    }

    @Test(arguments: ["/agent/host-9", "/ns/default/svc/db"])
    func whoIsNoServerLearnsNothing(_ path: String) async throws {
        let control = try ControlStand(mesh, spiffePath: path, now: Stand.now)
        let server = try await control.start()
        let directory = try AgentDirectory(mesh, agent: "host-1")
        let stand = try Stand(
            servers: ["\(server.localAddress)"],
            mesh: mesh,
            control: control,
            directory: directory
        )
        await stand.subscription.start()
        for _ in 0..<500 {
            if await stand.subscription.status().linkProblem != nil { break }
            try await Task.sleep(for: .milliseconds(10))
        }
        #expect(await stand.subscription.status().linkProblem != nil)
        #expect(control.state.withLock { $0.hellos.isEmpty })
        await stand.stop()
        await control.stop(server)
    }

    @Test func anExpiredAgentSaysWhatToDoAndEnforcesOn() async throws {
        let directory = try AgentDirectory(mesh, agent: "host-1")
        try directory.write(try mesh.hosting(service, on: directory.agent, revision: 4))
        try directory.writeLeaf(of: service)
        try directory.writeOwnCertificate(notAfter: Stand.now() - .seconds(10))
        let stand = try Stand(
            servers: ["127.0.0.1:1"],
            mesh: mesh,
            control: try ControlStand(mesh, now: Stand.now),
            directory: directory
        )
        await stand.subscription.start()
        let status = await stand.subscription.status()
        #expect(status.advice?.contains("turnpike agent invite host-1") == true)
        #expect(status.advice?.contains("turnpike-agent join") == true)
        #expect(await stand.subscription.isReady)
        await stand.stop()
    }

    @Test func aCertificateOfOtherRootsOnDiskIsAskedForAnew() async throws {
        let control = try ControlStand(mesh, now: Stand.now)
        let server = try await control.start()
        let directory = try AgentDirectory(mesh, agent: "host-1")
        try directory.write(try mesh.hosting(service, on: directory.agent, revision: 4))
        try directory.writeLeaf(of: service, issuedBy: try TestMesh(now: Stand.now()))
        let stand = try Stand(
            servers: ["\(server.localAddress)"],
            mesh: mesh,
            control: control,
            directory: directory
        )
        await stand.subscription.start()
        let service = service
        #expect(try await control.wait { $0.requests.map(\.service) == [service] })
        #expect(try await stand.waitUntilReady())
        let leaf = try #require(try LeafFolder(AgentFolder(directory.path)).read(service))
        #expect(leaf.chain.last == mesh.intermediate.certificate.encoded)
        await stand.stop()
        await control.stop(server)
    }

    @Test func aRefusedCertificateIsAskedForAgain() async throws {
        let control = try ControlStand(mesh, now: Stand.now)
        control.state.withLock { $0.refusals = 1 }
        let server = try await control.start()
        let directory = try AgentDirectory(mesh, agent: "host-1")
        try control.publish(try mesh.hosting(service, on: directory.agent, revision: 2))
        let stand = try Stand(
            servers: ["\(server.localAddress)"],
            mesh: mesh,
            control: control,
            directory: directory
        )
        await stand.subscription.start()
        #expect(try await stand.waitUntilReady())
        #expect(control.state.withLock { $0.requests.count } >= 2)
        await stand.stop()
        await control.stop(server)
    }

    @Test func evidenceIsDeliveredOnceAndInOneChain() async throws {
        let control = try ControlStand(mesh, now: Stand.now)
        let server = try await control.start()
        let directory = try AgentDirectory(mesh, agent: "host-1")
        let stand = try Stand(
            servers: ["\(server.localAddress)"],
            mesh: mesh,
            control: control,
            directory: directory
        )
        await stand.subscription.start()
        for number in 0..<5 as Range<UInt8> {
            stand.plane.evidenceQueues.first?.add(
                Decision(
                    id: UUIDv7(
                        timestamp: Stand.now(),
                        random: Array(repeating: number, count: 10)
                    ),
                    time: Stand.now(),
                    agent: directory.agent,
                    source: nil,
                    destination: service,
                    ruling: .refused(.unknownSNI),
                    revision: 0,
                    peerAddress: nil
                )
            )
        }
        let isDelivered = try await control.wait { state in
            state.batches.reduce(0) { $0 + $1.decisions.count } == 5
        }
        #expect(isDelivered)
        let first = control.state.withLock { $0.batches.first }
        #expect(first?.previous == .beginning(of: directory.agent))
        for _ in 0..<300 {
            if await stand.subscription.status().spooledBatches == 0 { break }
            try await Task.sleep(for: .milliseconds(10))
        }
        #expect(await stand.subscription.status().spooledBatches == 0)
        await stand.stop()
        await control.stop(server)
    }

    @Test func aDirectoryWithoutTrustRefusesToStart() throws {
        let directory = try AgentDirectory(mesh, agent: "host-1")
        try FileSystem.remove(directory.path + "/trust.json")
        #expect(throws: SubscriptionError.self) {
            _ = try Stand(
                servers: [],
                mesh: mesh,
                control: try ControlStand(mesh, now: Stand.now),
                directory: directory
            )
        }
    }
}
