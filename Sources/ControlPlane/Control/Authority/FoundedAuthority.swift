package import Crypto
package import Mesh
package import Snapshot
package import Wire

/// All that the authority of a new mesh consists of, made of a time and random bytes.
///
/// Who keeps the keys, and where, is for the caller: a cluster seals them in its database, the
/// offline signer writes them into a directory or forgets them.
package struct FoundedAuthority: Sendable {
    /// A CA with its key.
    package struct Issuer: Sendable {
        package let authority: CertificateAuthority
        package let key: SigningKey

        package init(authority: CertificateAuthority, key: SigningKey) {
            self.authority = authority
            self.key = key
        }
    }

    /// The root of the mesh, in the trust document.
    package let root: Issuer
    /// Signs leaves.
    package let intermediate: Issuer
    /// Signs manifests.
    package let snapshotKey: SigningKey
    /// Signs the next trust document.
    package let trustKey: SigningKey
    /// The first trust document.
    package let trust: TrustAnchor

    package init(
        root: Issuer,
        intermediate: Issuer,
        snapshotKey: SigningKey,
        trustKey: SigningKey,
        trust: TrustAnchor
    ) {
        self.root = root
        self.intermediate = intermediate
        self.snapshotKey = snapshotKey
        self.trustKey = trustKey
        self.trust = trust
    }

    /// Makes roots, keys and the trust document of a mesh that begins now.
    ///
    /// `otherRoots` are certificates (DER) that are trusted beside the new root.
    package static func found(
        _ trustDomain: TrustDomain,
        now: Timestamp,
        otherRoots: [[UInt8]] = [],
        randomBytes: (Int) -> [UInt8]
    ) throws -> FoundedAuthority {
        let root = try meshRoot(of: trustDomain, now: now, randomBytes: randomBytes)
        let key = try SigningKey.generate(.ecdsaP256)
        let intermediate = try root.authority.intermediate(
            CertificateTemplate(
                serialBytes: randomBytes(CertificateTemplate.serialByteCount),
                notBefore: now - AuthorityLifetimes.backdating,
                notAfter: now + AuthorityLifetimes.intermediate,
                subject: DistinguishedName(commonName: "Turnpike mesh intermediate"),
                purpose: .intermediate(trustDomain: trustDomain.text)
            ),
            key: key
        )
        let snapshotKey = try SigningKey.generate(.ed25519)
        let trustKey = try SigningKey.generate(.ed25519)
        let document = TrustDocument(
            trustDomain: trustDomain,
            version: 1,
            epoch: 1,
            authorities: ([root.authority.certificate.encoded] + otherRoots).map {
                TrustDocument.Authority(certificate: $0, state: .active)
            },
            snapshotKeys: [
                TrustDocument.SnapshotKey(
                    key: snapshotKey.publicKey,
                    notBefore: now - AuthorityLifetimes.backdating,
                    notAfter: now + AuthorityLifetimes.snapshotKey
                )
            ],
            trustKeys: [trustKey.publicKey],
            threshold: 1,
            issued: now
        )
        return FoundedAuthority(
            root: root,
            intermediate: Issuer(authority: intermediate, key: key),
            snapshotKey: snapshotKey,
            trustKey: trustKey,
            trust: try TrustAnchor.first(
                try document.signed(by: [trustKey]),
                trustDomain: trustDomain,
                pinnedHash: nil
            )
        )
    }

    /// A new root of the mesh.
    static func meshRoot(
        of trustDomain: TrustDomain,
        now: Timestamp,
        randomBytes: (Int) -> [UInt8]
    ) throws -> Issuer {
        try root(meshRootPurpose, of: trustDomain, now: now, randomBytes: randomBytes)
    }

    /// What a root of the mesh that was made here is called, as no operator calls one.
    static func meshRootName(of trustDomain: TrustDomain) -> DistinguishedName {
        DistinguishedName(commonName: "\(meshRootPurpose) \(trustDomain)")
    }

    private static let meshRootPurpose = "Turnpike mesh root"

    /// A new root, named after what it is for and the trust domain.
    package static func root(
        _ name: String,
        of trustDomain: TrustDomain,
        now: Timestamp,
        randomBytes: (Int) -> [UInt8]
    ) throws -> Issuer {
        let key = try SigningKey.generate(.ecdsaP256)
        let authority = try CertificateAuthority.root(
            CertificateTemplate(
                serialBytes: randomBytes(CertificateTemplate.serialByteCount),
                notBefore: now - AuthorityLifetimes.backdating,
                notAfter: now + AuthorityLifetimes.root,
                subject: DistinguishedName(commonName: "\(name) \(trustDomain)"),
                purpose: .root
            ),
            key: key
        )
        return Issuer(authority: authority, key: key)
    }
}
