import Crypto
import Foundation
import Mesh
import Observability
import Support
import TLS
import Testing
import Wire

/// What a running agent's mesh port refuses, and that each refusal is counted and reaches evidence
/// under an id of its own.
@Suite(.timeLimit(.minutes(10))) struct MeshPortAdversariesTests {
    /// One peer that must not be served.
    private struct Adversary: Sendable {
        let what: String
        let reason: DecisionReason
        let attack: @Sendable (StandHost, UInt16) throws -> Bool

        /// `attack` gives whether the peer was served.
        init(
            _ what: String,
            _ reason: DecisionReason,
            _ attack: @escaping @Sendable (StandHost, UInt16) throws -> Bool
        ) {
            self.what = what
            self.reason = reason
            self.attack = attack
        }

        /// A peer that shows a certificate of the mesh's own issuer.
        static func showing(
            _ what: String,
            _ reason: DecisionReason,
            _ leaf: @escaping @Sendable (StandHost) throws -> TestMesh.Leaf?
        ) -> Adversary {
            Adversary(what, reason) { host, port in
                try MeshProbe.run(port: port, serverName: host.databaseName, leaf: leaf(host))
                    == .answered([1, 2, 3])
            }
        }

        /// A peer whose certificate holds these names.
        static func named(
            _ what: String,
            _ reason: DecisionReason,
            _ names: [GeneralName]
        ) -> Adversary {
            showing(what, reason) { host in
                try host.mesh.leaf(.peer(names: names, roles: [.client, .server]))
            }
        }

        /// A peer that shows a good certificate and asks for something else.
        static func asking(
            _ what: String,
            _ reason: DecisionReason,
            _ serverName: String?,
            _ protocols: [String] = ["turnpike/1"]
        ) -> Adversary {
            Adversary(what, reason) { host, port in
                try MeshProbe.run(
                    port: port,
                    serverName: serverName,
                    leaf: host.mesh.leaf(of: host.web),
                    protocols: protocols
                ) == .answered([1, 2, 3])
            }
        }

        /// A peer that sends bytes and ends, whatever comes back.
        static func saying(
            _ what: String,
            _ reason: DecisionReason,
            _ bytes: [UInt8]
        ) -> Adversary {
            Adversary(what, reason) { _, port in
                guard let socket = LoopbackSocket.connect(port: port) else { return true }
                socket.send(bytes)
                socket.finishSending()
                let answer = socket.receiveAll().bytes
                return bytes.count > 3 && answer.starts(with: bytes.prefix(3))
            }
        }

        /// A peer that is the `openssl` command.
        static func openSSL(
            _ what: String,
            _ reason: DecisionReason,
            _ arguments: [String]
        ) -> Adversary {
            Adversary(what, reason) { _, port in
                let command = OpenSSLCommand(
                    ["s_client", "-connect", "127.0.0.1:\(port)", "-quiet"] + arguments
                )
                command?.write("abc")
                let end = command?.finish()
                return end?.output.hasSuffix("abc") ?? true
            }
        }
    }

    private static let ours = "spiffe://mesh.example/ns/default/svc/web"
    private static let database = "db.default.svc.mesh.example"

    private static let adversaries: [Adversary] =
        names + [
            .showing("no certificate", .noClientCertificate) { _ in nil },
            .showing("expired", .leafExpired) { host in
                try host.mesh.leaf(of: host.web, notAfter: host.mesh.now - .seconds(5))
            },
            .showing("not yet valid", .leafNotYetValid) { host in
                try host.mesh.leaf(of: host.web, notBefore: host.mesh.now + .seconds(600))
            },
            .showing("our names under a root of its own", .untrustedChain) { host in
                try TestMesh(now: host.mesh.now).leaf(of: host.web)
            },
            .showing("the issuer itself", .notAService) { host in
                TestMesh.Leaf(
                    chain: [host.mesh.intermediate.certificate.encoded],
                    key: host.mesh.intermediateKey
                )
            },
            .showing("for servers only", .wrongEKUs) { host in
                try host.mesh.leaf(.peer(names: [.uri(ours)], roles: [.server]))
            },
            .showing("another service", .defaultDeny) { host in
                try host.mesh.leaf(of: ServiceName("stranger"))
            },
            .asking("an unknown name", .unknownSNI, "other.default.svc.mesh.example"),
            .asking("no name", .unknownSNI, nil),
            .asking("a longer name", .unknownSNI, database + ".evil.example"),
            .asking("another protocol", .alpnMismatch, database, ["h2"]),
            .openSSL("an address as the name", .unknownSNI, ["-servername", "127.0.0.1"]),
            .openSSL("TLS 1.2", .tlsVersion, ["-tls1_2", "-servername", database]),
            .saying("HTTP", .tlsVersion, [UInt8]("GET / HTTP/1.1\r\nHost: db\r\n\r\n".utf8)),
            .saying(
                "garbage in a record",
                .tlsHandshakeFailed,
                [22, 3, 1, 0, 200] + [UInt8](repeating: 7, count: 200)
            ),
            .saying("a record that is cut off", .tlsHandshakeFailed, [22, 3, 1, 0, 200, 1, 0]),
        ]

    private static let names: [Adversary] =
        [
            .named(
                "another trust domain under our root",
                .foreignTrustDomain,
                [.uri("spiffe://other.example/ns/default/svc/web")]
            ),
            .named("two URI names", .multipleURISANs, [.uri(ours), .uri(ours + "2")]),
            .named("our name twice", .multipleURISANs, [.uri(ours), .uri(ours)]),
            .named("no URI name", .malformedSPIFFEID, [.dns("web.default.svc.mesh.example")]),
            .named("an agent", .notAService, [.uri("spiffe://mesh.example/agent/host-1")]),
            .named("no path", .notAService, [.uri("spiffe://mesh.example")]),
            .named("half a path", .notAService, [.uri("spiffe://mesh.example/ns/default/svc")]),
            .named("a server", .notAService, [.uri("spiffe://mesh.example/server/control-1")]),
        ]
        + [
            "https://mesh.example/ns/default/svc/web", "spiffe:/mesh.example/ns/default/svc/web",
            "spiffe://mesh.example/ns/default/svc/web/",
            "spiffe://mesh.example//ns/default/svc/web",
            "spiffe://mesh.example/ns/default/svc/../svc/web",
            "spiffe://mesh.example/ns/default/svc/web?x",
            "spiffe://mesh.example/ns/default/svc/web#x",
            "spiffe://user@mesh.example/ns/default/svc/web",
            "spiffe://mesh.example:1/ns/default/svc/web",
            "spiffe://mesh.example/ns/default/svc/w%65b",
            "spiffe://MESH.example/ns/default/svc/web",
        ].map { .named($0, .malformedSPIFFEID, [.uri($0)]) }

    @Test func eachIsRefusedCountedAndPutOnRecord() async throws {
        let host = try await StandHost()
        let agent = try await host.start()
        try await host.allow(agent)
        let port = agent.meshPort
        var expected: [DecisionReason: Int] = [:]
        for adversary in Self.adversaries {
            let isServed = try await onThread {
                Result { try adversary.attack(host, port) }
            }.get()
            #expect(!isServed, "\(adversary.what) was served")
            expected[adversary.reason, default: 0] += 1
            let count = expected[adversary.reason] ?? 0
            let isCounted = try await eventually(within: .seconds(5)) {
                try await agent.metric(MetricNames.agentRefusals, adversary.reason.rawValue)
                    == count
            }
            #expect(isCounted, "\(adversary.what) is not counted as \(adversary.reason)")
        }
        let isOnRecord = try await eventually {
            host.decisions.count == Self.adversaries.count
        }
        #expect(isOnRecord)
        let decisions = host.decisions
        #expect(Set(decisions.map(\.id)).count == Self.adversaries.count)
        #expect(decisions.allSatisfy { $0.verdict == .deny && $0.peerAddress != nil })
        for (reason, count) in expected {
            #expect(decisions.count { $0.reason == reason } == count, "\(reason)")
        }
        let stranger = decisions.first { $0.reason == .defaultDeny }
        #expect(stranger?.source?.description == "spiffe://mesh.example/ns/default/svc/stranger")
        #expect(try await host.probe(agent) == .answered([1, 2, 3]))
        #expect(await agent.end() == 0)
        await host.stop()
    }
}
