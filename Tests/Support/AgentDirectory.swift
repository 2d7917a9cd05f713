import Crypto
import Foundation
package import Mesh
import Reactor
import Snapshot
package import Wire

/// A data directory of an agent that was prepared without a server.
package final class AgentDirectory: Sendable {
    package let path: String
    package let agent: AgentName
    private let mesh: TestMesh

    /// An enrolled agent without a snapshot; removed with the last reference.
    package init(_ mesh: TestMesh, agent: String, servers: [String] = []) throws {
        self.mesh = mesh
        self.agent = try AgentName(agent)
        path = FileManager.default.temporaryDirectory.path + "/turnpike-agent-\(UUID())"
        for directory in [path, path + "/snapshot", path + "/leaves", path + "/evidence"] {
            try FileSystem.makeDirectory(directory)
        }
        try FileSystem.replace(path + "/trust.json", with: mesh.trust.envelope.encoded)
        let enrolment = Document.fields([
            "agent": .string(agent),
            "trust_domain": .string(mesh.trustDomain.text),
            "servers": .list(servers),
        ])
        try FileSystem.replace(path + "/enrolment.json", with: JSON.canonical(enrolment))
        try writeOwnCertificate()
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    /// Gives the agent a certificate of its own.
    package func writeOwnCertificate(notAfter: Timestamp? = nil) throws {
        let leaf = try mesh.leaf(
            .leaf(
                spiffeID: SPIFFEID(agent: agent, in: mesh.trustDomain).description,
                dnsNames: []
            ),
            notAfter: notAfter
        )
        try write(leaf, certificate: "agent.pem", key: "agent.key")
    }

    /// Gives the agent the certificate of a service.
    package func writeLeaf(
        of service: ServiceName,
        notAfter: Timestamp? = nil,
        issuedBy other: TestMesh? = nil
    ) throws {
        let name = "leaves/\(service.namespace.text).\(service.name.text)"
        let leaf = try (other ?? mesh).leaf(of: service, notAfter: notAfter)
        try write(leaf, certificate: name + ".pem", key: name + ".key")
    }

    /// Puts a snapshot where the agent finds it.
    package func write(_ signed: TestMesh.Signed) throws {
        for (hash, bytes) in signed.sections {
            try write(SnapshotFiles.sectionName(hash), bytes)
        }
        try write(SnapshotFiles.manifestName, signed.envelope)
        try write(SnapshotFiles.markName, signed.snapshot.mark.encoded)
    }

    /// Writes one file of the snapshot.
    package func write(_ name: String, _ bytes: [UInt8]) throws {
        try FileSystem.replace("\(path)/snapshot/\(name)", with: bytes)
    }

    private func write(_ leaf: TestMesh.Leaf, certificate: String, key: String) throws {
        let blocks = leaf.chain.map { PEM.Block(label: Certificate.pemLabel, bytes: $0) }
        try FileSystem.replace("\(path)/\(certificate)", with: Array(PEM.encode(blocks).utf8))
        try FileSystem.replace("\(path)/\(key)", with: Array(try leaf.key.pem().utf8))
    }
}

extension TestMesh {
    /// A snapshot in which the agent hosts one service that another one may reach.
    package func hosting(
        _ service: ServiceName,
        on agent: AgentName,
        port: UInt16 = 5_432,
        source: String = "web",
        verdict: Verdict = .allow,
        revision: UInt64 = 1,
        issued: Timestamp? = nil,
        expires: Timestamp? = nil
    ) throws -> Signed {
        try snapshot(
            for: agent,
            revision: revision,
            issued: issued,
            expires: expires,
            [
                .inbound(
                    InboundSection(
                        service: service,
                        applicationProtocol: .tcp,
                        leafLifetime: .seconds(3_600),
                        trustDomain: trustDomain,
                        rules: [try Self.rule(verdict, from: source, to: service)]
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
                                        name: .ofPort(port),
                                        port: port
                                    )
                                ]
                            )
                        ]
                    )
                ),
            ]
        )
    }
}
