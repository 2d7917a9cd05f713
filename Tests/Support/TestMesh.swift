package import Crypto
package import Mesh
package import Snapshot
package import Wire

/// The authorities, keys and documents of a small mesh, made in this process.
package struct TestMesh: Sendable {
    /// A chain with its key.
    package struct Leaf: Sendable {
        /// DER, the leaf first, without the root.
        package let chain: [[UInt8]]
        package let key: SigningKey

        package init(chain: [[UInt8]], key: SigningKey) {
            self.chain = chain
            self.key = key
        }

        /// PKCS#8 DER.
        package var privateKey: [UInt8] {
            get throws {
                try key.pkcs8().withBytes { span in span.indices.map { span[$0] } }
            }
        }
    }

    /// A signed snapshot with everything that a disk would hold.
    package struct Signed: Sendable {
        package let envelope: [UInt8]
        package let sections: [SHA256Digest: [UInt8]]
        package let snapshot: ValidatedSnapshot
    }

    package let trustDomain: TrustDomain
    package let now: Timestamp
    package let root: CertificateAuthority
    package let intermediate: CertificateAuthority
    package let intermediateKey: SigningKey
    package let trustKey: SigningKey
    package let snapshotKey: SigningKey
    package let trust: TrustAnchor

    /// Everything is valid from a day before `now`.
    package init(
        _ trustDomain: String = "mesh.example",
        now: Timestamp
    ) throws {
        self.trustDomain = try TrustDomain(trustDomain)
        self.now = now
        root = try CertificateAuthority.root(
            Self.template(.root, now - .seconds(172_800), now + .seconds(315_360_000), "Root"),
            key: .generate(.ecdsaP256)
        )
        intermediateKey = try SigningKey.generate(.ecdsaP256)
        intermediate = try root.intermediate(
            Self.template(
                .intermediate(trustDomain: trustDomain),
                now - .seconds(172_800),
                now + .seconds(31_536_000),
                "Issuer"
            ),
            key: intermediateKey
        )
        trustKey = try SigningKey.generate(.ed25519)
        snapshotKey = try SigningKey.generate(.ed25519)
        let document = TrustDocument(
            trustDomain: self.trustDomain,
            version: 1,
            epoch: 1,
            authorities: [
                TrustDocument.Authority(certificate: root.certificate.encoded, state: .active)
            ],
            snapshotKeys: [
                TrustDocument.SnapshotKey(
                    key: snapshotKey.publicKey,
                    notBefore: now - .seconds(172_800),
                    notAfter: now + .seconds(86_400 * 30)
                )
            ],
            trustKeys: [trustKey.publicKey],
            threshold: 1,
            issued: now
        )
        trust = try TrustAnchor.first(
            try document.signed(by: [trustKey]),
            trustDomain: self.trustDomain,
            pinnedHash: SHA256.digest(of: document.encoded)
        )
    }

    private static func template(
        _ purpose: CertificateTemplate.Purpose,
        _ notBefore: Timestamp,
        _ notAfter: Timestamp,
        _ name: String? = nil
    ) -> CertificateTemplate {
        CertificateTemplate(
            serialBytes: Randomness.bytes(CertificateTemplate.serialByteCount),
            notBefore: notBefore,
            notAfter: notAfter,
            subject: name.map {
                DistinguishedName(commonName: $0, organization: "Turnpike tests")
            } ?? .empty,
            purpose: purpose
        )
    }

    /// A leaf as the control plane issues it to a service.
    package func leaf(
        of service: ServiceName,
        notBefore: Timestamp? = nil,
        notAfter: Timestamp? = nil
    ) throws -> Leaf {
        try leaf(
            .leaf(
                spiffeID: SPIFFEID(service: service, in: trustDomain).description,
                dnsNames: [meshName(service, in: trustDomain)]
            ),
            notBefore: notBefore,
            notAfter: notAfter
        )
    }

    /// A leaf with whatever it shall say.
    package func leaf(
        _ purpose: CertificateTemplate.Purpose,
        notBefore: Timestamp? = nil,
        notAfter: Timestamp? = nil
    ) throws -> Leaf {
        let key = try SigningKey.generate(.ecdsaP256)
        let template = Self.template(
            purpose,
            notBefore ?? now - .seconds(60),
            notAfter ?? now + .seconds(3_600)
        )
        return Leaf(
            chain: [
                try intermediate.issue(template, for: key.publicKey),
                intermediate.certificate.encoded,
            ],
            key: key
        )
    }

    /// A snapshot for an agent, signed, verified and assembled as an agent does it.
    package func snapshot(
        for agent: AgentName,
        revision: UInt64 = 1,
        issued: Timestamp? = nil,
        expires: Timestamp? = nil,
        _ contents: [SectionContent]
    ) throws -> Signed {
        var sections: [SHA256Digest: [UInt8]] = [:]
        var references: [SectionReference] = []
        for content in contents {
            let section = try EncodedSection(checking: content)
            sections[section.reference.hash] = section.bytes
            references.append(section.reference)
        }
        let manifest = Manifest(
            trustDomain: trustDomain,
            agent: agent,
            epoch: 1,
            revision: revision,
            previous: nil,
            issued: issued ?? now - .seconds(1),
            expires: expires ?? now + .seconds(3_600),
            trustVersion: trust.document.version,
            trustHash: trust.hash,
            sections: references
        )
        let envelope = try manifest.signed(by: snapshotKey).encoded
        let verifier = SnapshotVerifier(agent: agent, trust: trust, mark: nil)
        guard
            case .accepted(let verified) = try verifier.verify(
                envelope,
                origin: .restored,
                now: now
            )
        else { throw TestMeshError.unchanged }
        return Signed(
            envelope: envelope,
            sections: sections,
            snapshot: try verifier.assemble(verified) { sections[$0] }
        )
    }

    /// The rule that lets one service reach another, or keeps it away.
    package static func rule(
        _ verdict: Verdict,
        from source: String,
        to destination: ServiceName,
        id: String = "rule-1",
        notAfter: Timestamp? = nil
    ) throws -> Intention {
        Intention(
            id: try RuleID(id),
            source: try ServicePattern(source),
            destination: .exact(destination),
            effect: .action(verdict),
            notAfter: notAfter
        )
    }
}

/// Why a fixture could not be made.
package enum TestMeshError: Error {
    case unchanged
}
