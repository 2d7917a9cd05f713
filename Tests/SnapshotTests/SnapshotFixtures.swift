import Crypto
import Mesh
import Snapshot
import Testing
import Wire

/// A small mesh with one agent, its keys and what is signed for it.
struct World: Sendable {
    static let now = Timestamp(secondsSinceEpoch: 1_900_000_000)

    let trustDomain: TrustDomain
    let agent: AgentName
    let trustKey: SigningKey
    let snapshotKey: SigningKey
    let trust: TrustAnchor
    let web: ServiceName
    let database: ServiceName

    init() throws {
        trustDomain = try TrustDomain("mesh.example")
        agent = try AgentName("host-1")
        trustKey = try SigningKey.generate(.ed25519)
        snapshotKey = try SigningKey.generate(.ed25519)
        web = try ServiceName("shop/web")
        database = try ServiceName("shop/db")
        let document = Self.trustDocument(
            trustDomain: trustDomain,
            version: 1,
            epoch: 1,
            snapshotKeys: [snapshotKey.publicKey],
            trustKeys: [trustKey.publicKey]
        )
        trust = try TrustAnchor.first(
            try document.signed(by: [trustKey]),
            trustDomain: trustDomain,
            pinnedHash: SHA256.digest(of: document.encoded)
        )
    }

    static func trustDocument(
        trustDomain: TrustDomain,
        version: UInt64,
        epoch: UInt64,
        snapshotKeys: [PublicKey],
        trustKeys: [PublicKey],
        threshold: Int = 1
    ) -> TrustDocument {
        TrustDocument(
            trustDomain: trustDomain,
            version: version,
            epoch: epoch,
            authorities: [TrustDocument.Authority(certificate: [1, 2, 3], state: .active)],
            snapshotKeys: snapshotKeys.map {
                TrustDocument.SnapshotKey(
                    key: $0,
                    notBefore: now - .seconds(86_400),
                    notAfter: now + .seconds(86_400 * 30)
                )
            },
            trustKeys: trustKeys,
            threshold: threshold,
            issued: now
        )
    }

    /// A later version of the trust document, signed as it must be.
    func nextTrust(
        after last: TrustAnchor? = nil,
        epoch: UInt64,
        snapshotKeys: [PublicKey]? = nil
    ) throws -> TrustAnchor {
        let last = last ?? trust
        let document = Self.trustDocument(
            trustDomain: trustDomain,
            version: last.document.version + 1,
            epoch: epoch,
            snapshotKeys: snapshotKeys ?? [snapshotKey.publicKey],
            trustKeys: [trustKey.publicKey]
        )
        return try last.succeeded(by: try document.signed(by: [trustKey]))
    }

    func rule(_ action: Verdict, from source: String = "shop/web") throws -> Intention {
        Intention(
            id: try RuleID("rule-1"),
            source: try ServicePattern(source),
            destination: .exact(database),
            effect: .action(action),
            description: "not part of a section"
        )
    }

    /// What this agent shall enforce: the database is hosted, and reached from the web service.
    func sections(_ action: Verdict = .allow, padding: Int = 0) throws -> [EncodedSection] {
        var rules = [try rule(action)]
        for number in 0..<padding {
            var extra = try rule(.deny, from: "shop/x\(number)")
            extra.id = try RuleID("pad-\(number)")
            rules.append(extra)
        }
        let instance = Instance(
            service: database,
            agent: agent,
            name: .ofPort(5432),
            port: 5432
        )
        let endpoint = Endpoint(
            agent: agent,
            address: .loopback,
            port: 7443,
            weight: 1,
            trustDomain: trustDomain
        )
        let upstream = Upstream(
            agent: agent,
            source: web,
            destination: database,
            port: 5433,
            users: .only([1000])
        )
        return try [
            .inbound(
                InboundSection(
                    service: database,
                    applicationProtocol: .tcp,
                    leafLifetime: .seconds(3600),
                    trustDomain: trustDomain,
                    rules: rules
                )
            ),
            .endpoints(EndpointsSection(service: database, endpoints: [endpoint])),
            .hosted(
                HostedSection(
                    agent: agent,
                    services: [HostedService(service: database, instances: [instance])]
                )
            ),
            .upstreams(UpstreamsSection(agent: agent, upstreams: [upstream])),
        ].map { content throws(SnapshotFormatError) in try EncodedSection(checking: content) }
    }

    func manifest(revision: UInt64, sections: [EncodedSection]) -> Manifest {
        Manifest(
            trustDomain: trustDomain,
            agent: agent,
            epoch: 1,
            revision: revision,
            previous: nil,
            issued: Self.now,
            expires: Self.now + .seconds(3600),
            trustVersion: trust.document.version,
            trustHash: trust.hash,
            auditHeads: [
                Manifest.AuditHeadNote(
                    writer: "server-1",
                    sequence: 7,
                    hash: SHA256.digest(of: [7])
                )
            ],
            sections: sections.map(\.reference)
        )
    }

    func publication(
        revision: UInt64,
        sections: [EncodedSection],
        issued: Timestamp = World.now,
        signedBy key: SigningKey? = nil
    ) throws -> Publication {
        var manifest = manifest(revision: revision, sections: sections)
        manifest.issued = issued
        return try #require(
            Publication(
                manifest: manifest,
                envelope: try manifest.signed(by: key ?? snapshotKey),
                sections: sections
            )
        )
    }

    func verifier(mark: SnapshotMark? = nil) -> SnapshotVerifier {
        SnapshotVerifier(agent: agent, trust: trust, mark: mark)
    }

    func snapshot(revision: UInt64, sections: [EncodedSection]) throws -> ValidatedSnapshot {
        let publication = try publication(revision: revision, sections: sections)
        let acceptance = try verifier().verify(
            publication.envelope,
            origin: .received,
            now: Self.now
        )
        guard case .accepted(let verified) = acceptance else {
            throw SnapshotRefusal.expired
        }
        return try verifier().assemble(verified) { hash in
            sections.first { $0.reference.hash == hash }?.bytes
        }
    }
}
