import Crypto
import Mesh
import Snapshot
import Testing
import Wire

@testable import Control

@Suite struct OfflineMeshTests {
    static let file = """
        kind: agent
        name: host-a
        ---
        kind: agent
        name: host-b
        mesh_address: 127.0.0.3:7443
        ---
        kind: service
        name: web
        placements: ["host-a"]
        upstreams:
          - {"agent": "host-a", "destination": "db", "port": 15432, "uids": "any"}
        ---
        kind: service
        name: db
        leaf_ttl: 2h
        placements: ["host-b"]
        instances:
          - {"agent": "host-b", "port": 5432}
        intentions:
          - {"source": "web", "action": "allow"}
        """

    private let now = Timestamp(nanosecondsSinceEpoch: 1_800_000_000_000_000_000)
    private let trustDomain: TrustDomain
    private let authority: FoundedAuthority

    init() throws {
        trustDomain = try TrustDomain("mesh.example")
        authority = try FoundedAuthority.found(
            trustDomain,
            now: now,
            randomBytes: Randomness.bytes
        )
    }

    private func read(_ text: String = file) throws(OfflineProblems) -> OfflineFile {
        try OfflineFile(Array(text.utf8), source: "mesh.yaml")
    }

    private func sign(
        _ text: String = file,
        brought: [AgentName: [ServiceName: OfflineMesh.Leaf]] = [:]
    ) throws -> [OfflineMesh.Directory] {
        try OfflineMesh(authority, revision: 7, now: now, randomBytes: Randomness.bytes)
            .directories(of: try read(text), brought: brought)
    }

    /// What an agent finds after it was started with a directory.
    private func restored(_ directory: OfflineMesh.Directory) -> SnapshotFiles.Restoration {
        SnapshotFiles.restore(agent: directory.agent, trustDomain: trustDomain, now: now) { name in
            let path = name == SnapshotFiles.trustName ? name : "\(AgentFiles.snapshot)/\(name)"
            return directory.files.first { $0.name == path }?.bytes
        }
    }

    private func problems(_ text: String) throws -> [String] {
        do throws(OfflineProblems) {
            _ = try read(text)
            return []
        } catch {
            return error.lines
        }
    }

    @Test func everyAgentFindsWhatItShallEnforceAndNothingElse() throws {
        let directories = try sign()
        #expect(directories.map(\.agent.text) == ["host-a", "host-b"])
        let (web, database) = (try ServiceName("web"), try ServiceName("db"))
        let client = try #require(restored(directories[0]).snapshot?.value)
        let route = try #require(client.routesByPort[15_432])
        #expect(route.upstream.source == web && route.destination.service == database)
        #expect(route.endpoints.map(\.port) == [7443])
        #expect(client.revision == 7 && client.hostedByMeshName.count == 1)
        let server = try #require(restored(directories[1]).snapshot?.value)
        #expect(server.routesByPort.isEmpty)
        #expect(server.expires == now + .seconds(7_200))
        func verdict(_ source: String) throws -> Verdict {
            server.decide(
                name: meshName(database, in: trustDomain),
                source: SourceIdentity(trustDomain: trustDomain, service: try ServiceName(source)),
                question: .connection(requestsAreJudged: false),
                now: now
            ).verdict
        }
        #expect(try verdict("web") == .allow)
        #expect(try verdict("reports") == .deny)
        #expect(restored(directories[0]).faults.isEmpty)
        #expect(restored(directories[0]).mark != nil)
    }

    @Test func aDirectoryHoldsIdentityLeavesAndKeysOfItsAgentOnly() throws {
        let directory = try #require(try sign().last)
        let names = directory.files.map(\.name)
        for name in [
            AgentFiles.key, AgentFiles.certificate, AgentFiles.enrolment, SnapshotFiles.trustName,
            AgentFiles.leaf(of: try ServiceName("db")), "snapshot/manifest.json",
            "snapshot/mark.json",
        ] {
            #expect(names.contains(name), "\(name)")
        }
        #expect(names.filter { $0.hasPrefix(AgentFiles.leaves) }.count == 1)
        func blocks(_ name: String) throws -> [PEM.Block] {
            let bytes = try #require(directory.files.first { $0.name == name }).bytes
            return try PEM.decode(String(decoding: bytes, as: UTF8.self))
        }
        let leaf = try blocks(AgentFiles.leaf(of: try ServiceName("db")))
        #expect(leaf.map(\.label) == [Certificate.pemLabel, Certificate.pemLabel, "PRIVATE KEY"])
        let certificate = try Certificate(der: leaf[0].bytes)
        #expect(certificate.uriNames == ["spiffe://mesh.example/ns/default/svc/db"])
        #expect(certificate.spki == (try SigningKey(pkcs8: leaf[2].bytes)).publicKey.spki)
        #expect(certificate.notAfter == now + .seconds(7_200))
        let own = try Certificate(der: try blocks(AgentFiles.certificate)[0].bytes)
        #expect(own.uriNames == ["spiffe://mesh.example/agent/host-b"])
    }

    @Test(arguments: [
        (
            "kind: agent\nname: a\n---\nkind: service\nname: web\nplacements: [\"b\"]\n",
            "mesh.yaml:4: placements[0].agent: the file holds no such agent"
        ),
        ("kind: agent\nname: a\n---\nkind: agent\nname: a\n", "mesh.yaml:4: name: the agent a"),
        ("kind: service\nname: web\n", "mesh.yaml: no agent"),
        ("kind: agent\nname: a\nmesh_address: host:7443\n", "mesh.yaml:3:15: mesh_address: "),
        ("kind: agent\nname: a\nmash_address: x\n", "mesh.yaml:3:1: mash_address: "),
        ("kind: agent\nname: a\n---\nkind: servant\nname: b\n", "mesh.yaml:4:7: kind: "),
        (
            "kind: agent\nname: a\n---\nkind: service\nnamespace: shop\nname: web\n",
            "mesh.yaml:4: namespace: there is no namespace shop"
        ),
        (
            "kind: agent\nname: a\n---\nkind: policy\nname: p\npaths:\n  \"x\": [\"read\"]\n",
            "mesh.yaml:4: kind: policies"
        ),
        ("kind: agent\n\tname: a\n", "mesh.yaml:2:"),
    ])
    func aWrongFileIsRefusedByLine(_ text: String, _ expected: String) throws {
        let problems = try problems(text)
        #expect(problems.contains { $0.hasPrefix(expected) }, "\(problems)")
    }

    @Test func everyProblemIsToldAtOnce() throws {
        let problems = try problems(
            "kind: agent\nname: A\n---\nkind: service\nname: B\n---\nkind: agent\nname: c\n"
        )
        #expect(problems.count == 2)
    }

    private func brought(
        _ service: String,
        by root: FoundedAuthority.Issuer,
        key: SigningKey? = nil
    ) throws -> OfflineMesh.Leaf {
        let own = try SigningKey.generate(.ecdsaP256)
        let issued = try CertificateOrder.service(
            Service(name: try ServiceName(service)),
            on: try AgentName("host-b"),
            in: trustDomain
        ).issued(
            by: root.authority,
            for: own.publicKey,
            now: now,
            serialBytes: Randomness.bytes(CertificateTemplate.serialByteCount)
        )
        return OfflineMesh.Leaf(chain: Array(issued.chain.prefix(1)), key: key ?? own)
    }

    @Test func aLeafOfAnotherRootCountsOnceTheTrustDocumentHoldsThatRoot() throws {
        let root = try FoundedAuthority.root(
            "Elsewhere",
            of: trustDomain,
            now: now,
            randomBytes: Randomness.bytes
        )
        let text = Self.file.replacing(
            "mesh_address: 127.0.0.3:7443",
            with: "mesh_address: 127.0.0.3:7443\nleaves:\n"
                + "  - {\"service\": \"db\", \"certificate_file\": \"c\", \"key_file\": \"k\"}"
        )
        let agent = try AgentName("host-b")
        let database = try ServiceName("db")
        func attempt(
            _ leaf: OfflineMesh.Leaf,
            trusting roots: [[UInt8]]
        ) throws -> [OfflineMesh.Directory] {
            let authority = try FoundedAuthority.found(
                trustDomain,
                now: now,
                otherRoots: roots,
                randomBytes: Randomness.bytes
            )
            return try OfflineMesh(
                authority,
                revision: 1,
                now: now,
                randomBytes: Randomness.bytes
            ).directories(of: try read(text), brought: [agent: [database: leaf]])
        }
        func refusal(_ leaf: OfflineMesh.Leaf, trusting roots: [[UInt8]]) throws -> String {
            do {
                _ = try attempt(leaf, trusting: roots)
                return ""
            } catch let error as OfflineProblems {
                return error.lines.joined()
            }
        }
        let der = root.authority.certificate.encoded
        let leaf = try brought("db", by: root)
        let taken = try attempt(leaf, trusting: [der])
        let written = try #require(
            taken.last?.files.first { $0.name == AgentFiles.leaf(of: database) }
        )
        let blocks = try PEM.decode(String(decoding: written.bytes, as: UTF8.self))
        #expect(blocks.first?.bytes == leaf.chain.first)
        #expect(try refusal(leaf, trusting: []).hasPrefix("mesh.yaml:8: c: "))
        #expect(
            try refusal(brought("web", by: root), trusting: [der]).contains("agents expect")
        )
        let stranger = try SigningKey.generate(.ecdsaP256)
        #expect(
            try refusal(brought("db", by: root, key: stranger), trusting: [der])
                .contains("not for the key")
        )
    }

    @Test func anAgentReadsItsAddressAndItsLeaves() throws {
        let agent = try #require(try read().agents.last)
        #expect(agent.meshAddress == (try MeshAddress("127.0.0.3:7443")))
        #expect(OfflineAgent.kind == "agent" && agent.leaves.isEmpty)
    }
}
