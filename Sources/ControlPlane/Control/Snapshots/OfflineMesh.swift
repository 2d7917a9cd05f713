package import Crypto
package import Mesh
import Snapshot
package import Wire

/// A mesh without a control plane: what its agents enforce, compiled, signed and checked with an
/// agent's own eyes, from resources alone.
package struct OfflineMesh: Sendable {
    /// A certificate that was made elsewhere, with its key.
    package struct Leaf: Sendable {
        /// DER, the leaf first, without the root.
        package let chain: [[UInt8]]
        package let key: SigningKey

        package init(chain: [[UInt8]], key: SigningKey) {
            self.chain = chain
            self.key = key
        }
    }

    /// The data directory of an agent: complete, and of nobody else.
    package struct Directory: Sendable {
        package let agent: AgentName
        /// Directories to make, 0700.
        package let folders: [String]
        /// Files to write, 0600, by their names in the directory; in this order.
        package let files: [(name: String, bytes: [UInt8])]
        /// Services that have a certificate there.
        package let services: [ServiceName]
        /// Until when everything in it holds.
        package let expires: Timestamp
    }

    private let authority: FoundedAuthority
    private let revision: UInt64
    private let now: Timestamp
    private let randomBytes: @Sendable (Int) -> [UInt8]

    /// A mesh of this authority at a revision.
    package init(
        _ authority: FoundedAuthority,
        revision: UInt64,
        now: Timestamp,
        randomBytes: @escaping @Sendable (Int) -> [UInt8]
    ) {
        self.authority = authority
        self.revision = revision
        self.now = now
        self.randomBytes = randomBytes
    }

    private var trustDomain: TrustDomain { authority.trust.document.trustDomain }

    /// Signs a file for every one of its agents.
    ///
    /// - Parameters:
    ///   - file: what shall be enforced.
    ///   - brought: the certificates that the file's agents bring, as they were read.
    /// - Returns: the directories, in the order of the file's agents.
    /// - Throws: why nothing was signed: what cannot be enforced is not signed here, not even as a
    ///   denial.
    package func directories(
        of file: OfflineFile,
        brought: [AgentName: [ServiceName: Leaf]]
    ) throws(OfflineProblems) -> [Directory] {
        var compiler = SectionCompiler(
            trustDomain: trustDomain,
            configuration: Configuration(
                resources: file.resources,
                agents: Dictionary(file.agents.map { ($0.name, $0.meshAddress) }) { _, last in last
                }
            )
        )
        var problems: [String] = []
        var directories: [Directory] = []
        for agent in file.agents {
            problems += wrongLeaves(of: agent, in: file.source, brought[agent.name] ?? [:])
            do {
                directories.append(
                    try directory(of: agent, &compiler, brought: brought[agent.name] ?? [:])
                )
            } catch {
                problems.append("\(file.source):\(agent.position.line): \(agent.name): \(error)")
            }
        }
        problems += compiler.takeFaults().map { fault in
            "\(file.source): \(fault.kind.rawValue) of \(fault.name): \(fault.reason)"
        }
        guard problems.isEmpty else { throw OfflineProblems(problems) }
        return directories
    }

    private func directory(
        of agent: OfflineAgent,
        _ compiler: inout SectionCompiler,
        brought: [ServiceName: Leaf]
    ) throws -> Directory {
        let configuration = compiler.configuration
        let signed = try sign(for: agent.name, &compiler)
        let services = signed.value.servicesWithLeaf.sorted()
        let enrolment = AgentEnrolment(agent: agent.name, trustDomain: trustDomain, servers: [])
        let own = try issue(.agent(agent.name, in: trustDomain))
        var files: [(name: String, bytes: [UInt8])] = [
            (SnapshotFiles.trustName, authority.trust.envelope.encoded),
            (AgentFiles.key, Array(try own.key.pem().utf8)),
            (AgentFiles.certificate, Self.pem(own.chain)),
        ]
        for service in services {
            let leaf =
                try brought[service]
                ?? issue(
                    .service(
                        configuration.services[service] ?? Service(name: service),
                        on: agent.name,
                        in: trustDomain
                    )
                )
            files.append(
                (
                    AgentFiles.leaf(of: service),
                    Self.pem(leaf.chain) + Array(try leaf.key.pem().utf8)
                )
            )
        }
        for case .write(let name, let bytes) in SnapshotFiles.steps(for: signed.stored) {
            files.append(("\(AgentFiles.snapshot)/\(name)", bytes))
        }
        files.append((AgentFiles.enrolment, enrolment.encoded))
        return Directory(
            agent: agent.name,
            folders: [AgentFiles.snapshot, AgentFiles.leaves, AgentFiles.evidence],
            files: files,
            services: services,
            expires: signed.value.expires
        )
    }

    /// A signed snapshot that the agent's own verifier took.
    private func sign(
        for agent: AgentName,
        _ compiler: inout SectionCompiler
    ) throws -> (value: ValidatedSnapshot, stored: StoredSnapshot) {
        guard let sections = compiler.sections(of: agent) else {
            throw OfflineRefusal("its sections cannot be compiled")
        }
        let plan = ManifestPlan(
            trustDomain: trustDomain,
            trust: authority.trust,
            revision: revision,
            auditHeads: [],
            now: now
        )
        let outcome = plan.next(
            for: agent,
            after: nil,
            floor: nil,
            sections: sections,
            lifetime: compiler.configuration.manifestLifetime(of: agent)
        )
        guard case .sign(let manifest) = outcome else {
            throw OfflineRefusal("there is nothing to sign")
        }
        let envelope = try manifest.signed(by: authority.snapshotKey).encoded
        let verifier = SnapshotVerifier(agent: agent, trust: authority.trust, mark: nil)
        guard
            case .accepted(let verified) = try verifier.verify(
                envelope,
                origin: .received,
                now: now
            )
        else { throw OfflineRefusal("the manifest is not taken by the agent's verifier") }
        let bytes = Dictionary(sections.map { ($0.reference.hash, $0.bytes) }) { first, _ in first }
        return (
            try verifier.assemble(verified) { bytes[$0] },
            StoredSnapshot(manifest: envelope, mark: verified.mark, added: bytes, removed: [])
        )
    }

    private func issue(_ order: CertificateOrder) throws -> Leaf {
        let key = try SigningKey.generate(.ecdsaP256)
        let issued = try order.issued(
            by: authority.intermediate.authority,
            for: key.publicKey,
            now: now,
            serialBytes: randomBytes(CertificateTemplate.serialByteCount)
        )
        return Leaf(chain: issued.chain, key: key)
    }

    /// What agents would refuse of the certificates that were brought.
    private func wrongLeaves(
        of agent: OfflineAgent,
        in source: String,
        _ brought: [ServiceName: Leaf]
    ) -> [String] {
        agent.leaves.compactMap { leaf in
            guard let content = brought[leaf.service] else { return nil }
            do {
                try check(content, of: leaf.service)
                return nil
            } catch {
                return "\(source):\(leaf.position.line): \(leaf.certificateFile): \(error)"
            }
        }
    }

    private func check(_ leaf: Leaf, of service: ServiceName) throws {
        let chain = try leaf.chain.map { try Certificate(der: $0) }
        guard let first = chain.first else { throw OfflineRefusal("holds no certificate") }
        guard first.spki == leaf.key.publicKey.spki else {
            throw OfflineRefusal("is not for the key beside it")
        }
        let roots = try authority.trust.document.authorities.map {
            try Certificate(der: $0.certificate)
        }
        var question = PathValidator.Question(role: .server, time: now)
        question.intermediates = Array(chain.dropFirst())
        let found = try SVIDValidator(trustDomain: trustDomain.text, roots: roots)
            .validate(first, question)
        let wanted = SPIFFEID(service: service, in: trustDomain).description
        guard found.spiffeID == wanted else {
            throw OfflineRefusal("is that of \(found.spiffeID); agents expect \(wanted)")
        }
    }

    private static func pem(_ chain: [[UInt8]]) -> [UInt8] {
        Array(PEM.encode(chain.map { PEM.Block(label: Certificate.pemLabel, bytes: $0) }).utf8)
    }
}

/// Why one agent's part cannot be signed.
private struct OfflineRefusal: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
