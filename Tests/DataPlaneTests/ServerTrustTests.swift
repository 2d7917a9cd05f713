import Crypto
import HTTP
import Mesh
import Observability
import Support
import TLS
import Testing
import Wire

@testable import DataPlane

struct ServerTrustTests {
    private let mesh: TestMesh
    private let roots: MeshRoots
    private let now = Timestamp(secondsSinceEpoch: 1_900_000_000)

    init() throws {
        mesh = try TestMesh(now: now)
        roots = try MeshRoots(
            certificates: [mesh.root.certificate.encoded],
            trustDomain: mesh.trustDomain
        )
    }

    private func leaf(_ path: String, notAfter: Timestamp? = nil) throws -> TestMesh.Leaf {
        try mesh.leaf(
            .leaf(spiffeID: "spiffe://mesh.example\(path)", dnsNames: []),
            notAfter: notAfter
        )
    }

    @Test func aChainCountsOnlyForItsKeyItsNameAndItsTime() throws {
        let agent = SPIFFEID(agent: try AgentName("host-1"), in: mesh.trustDomain)
        let issued = try leaf("/agent/host-1")
        try roots.check(issued.chain, key: issued.key.publicKey, identity: agent, now: now)
        let other = try SigningKey.generate(.ecdsaP256)
        #expect(throws: IssuedChainError.otherKey) {
            try roots.check(issued.chain, key: other.publicKey, identity: agent, now: now)
        }
        let foreign = try leaf("/agent/host-2")
        #expect(throws: IssuedChainError.otherIdentity("spiffe://mesh.example/agent/host-2")) {
            try roots.check(foreign.chain, key: foreign.key.publicKey, identity: agent, now: now)
        }
        #expect(throws: IssuedChainError.empty) {
            try roots.check([], key: other.publicKey, identity: agent, now: now)
        }
        #expect(throws: IssuedChainError.self) {
            try roots.check(
                issued.chain,
                key: issued.key.publicKey,
                identity: agent,
                now: now + .seconds(7_200)
            )
        }
    }

    @Test func theKeyOfAServiceIsReadFromItsOwnFileOrFromTheChains() throws {
        let directory = try AgentDirectory(mesh, agent: "host-1")
        let service = try ServiceName("db")
        let leaves = LeafFolder(AgentFolder(directory.path))
        #expect(try leaves.read(service) == nil)
        try directory.writeLeaf(of: service)
        #expect(try leaves.read(service) != nil)
        let issued = try mesh.leaf(of: service)
        _ = try leaves.write(chain: issued.chain, key: issued.key, of: service)
        #expect(try leaves.read(service)?.notAfter == now + .seconds(3_600))
        #expect(try leaves.services() == [service])
        try leaves.forget(service)
        #expect(try leaves.services() == [])
    }

    @Test func theFirstHandshakeOfAJoinIsJudgedOnceTheRootsAreKnown() throws {
        let seen = SeenChain(now: { Timestamp(secondsSinceEpoch: 1_900_000_000) })
        #expect(seen.require(roots) != nil)
    }

    @Test(arguments: ["localhost", "127.0.0.1", "127.9.9.9:80", "[::1]", "LOCALHOST:7410"])
    func theStatusEndpointAnswersUnderLocalNames(_ host: String) throws {
        #expect(StatusEndpoint.isLocal(Authority(host)))
    }

    @Test(arguments: ["evil.example", "127.0.0.1.example", "10.0.0.1", "[fe80::1]", "localhost.x"])
    func theStatusEndpointIsSilentUnderOtherNames(_ host: String) throws {
        #expect(!StatusEndpoint.isLocal(Authority(host)))
    }

    @Test func theBudgetOfACertificateIsAMetricUntilItIsForgotten() throws {
        let registry = MetricRegistry()
        let metrics = SubscriptionMetrics(registry)
        let subject = CertificateSubject.service(try ServiceName("db"))
        metrics.setBudget(90, of: subject)
        #expect(registry.prometheusText().contains("subject=\"default/db\"} 90"))
        metrics.forget(subject)
        #expect(!registry.prometheusText().contains("default/db"))
    }

    @Test func theStatusHoldsTheLeastBudget() throws {
        var status = AgentStatus(
            software: "test",
            agent: try AgentName("host-1"),
            trustDomain: mesh.trustDomain,
            trustVersion: 1
        )
        #expect(status.budget == nil)
        status.certificates = [
            .init(subject: "agent", notAfter: nil, budget: .zero, state: "missing"),
            .init(subject: "a/b", notAfter: now, budget: .seconds(9), state: "fresh"),
            .init(subject: "a/c", notAfter: now, budget: .seconds(5), state: "fresh"),
        ]
        #expect(status.document["budget_seconds"]?.integer == 5)
    }
}
