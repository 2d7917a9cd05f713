package import Crypto
package import Mesh
package import Wire

/// Whom a trust domain trusts: the roots of its mesh, the keys that sign snapshots, and the keys
/// that sign the next version of this very document.
package struct TrustDocument: Hashable, Sendable {
    /// The payload type of its envelope.
    package static let payloadType = "application/vnd.turnpike.trust+json"
    /// The only schema there is.
    package static let schema = 1
    /// The most roots or keys of one document.
    package static let entriesMax = 64
    /// The longest certificate or public key.
    package static let entryMaxBytes = 16_384

    /// A root of the mesh.
    package struct Authority: Hashable, Sendable {
        /// What a root is good for now.
        package enum State: String, Hashable, Sendable, CaseIterable {
            /// Trusted, not signing yet: the agents get to know it.
            case next
            case active
            /// Trusted, signing no more: what it signed runs out.
            case retiring
        }

        /// The certificate, DER.
        package var certificate: [UInt8]
        /// Every state is trusted by verifiers.
        package var state: State

        package init(certificate: [UInt8], state: State) {
            self.certificate = certificate
            self.state = state
        }
    }

    /// A key that signs manifests.
    package struct SnapshotKey: Hashable, Sendable {
        /// An Ed25519 key.
        package var key: PublicKey
        /// From this moment on.
        package var notBefore: Timestamp
        /// Until before this moment.
        package var notAfter: Timestamp

        package init(key: PublicKey, notBefore: Timestamp, notAfter: Timestamp) {
            self.key = key
            self.notBefore = notBefore
            self.notAfter = notAfter
        }

        /// Whether the key may sign at that moment.
        package func isValid(at time: Timestamp) -> Bool { notBefore <= time && time < notAfter }
    }

    /// Whom it speaks for.
    package var trustDomain: TrustDomain
    /// Ascending; each version replaces the one before.
    package var version: UInt64
    /// What manifests must carry; raised only here, to leave a line of revisions behind.
    package var epoch: UInt64
    /// The roots of the mesh.
    package var authorities: [Authority]
    /// Who signs manifests.
    package var snapshotKeys: [SnapshotKey]
    /// Who signs the next version of this document.
    package var trustKeys: [PublicKey]
    /// How many of `trustKeys` must sign.
    package var threshold: Int
    /// When this version was made.
    package var issued: Timestamp

    package init(
        trustDomain: TrustDomain,
        version: UInt64,
        epoch: UInt64,
        authorities: [Authority],
        snapshotKeys: [SnapshotKey],
        trustKeys: [PublicKey],
        threshold: Int,
        issued: Timestamp
    ) {
        self.trustDomain = trustDomain
        self.version = version
        self.epoch = epoch
        self.authorities = authorities
        self.snapshotKeys = snapshotKeys
        self.trustKeys = trustKeys
        self.threshold = threshold
        self.issued = issued
    }

    /// The rule of signatures; nil when no set of signatures could meet it.
    package var quorum: KeyQuorum<SHA256Digest>? {
        KeyQuorum(keys: trustKeys.map(\.keyID), threshold: threshold)
    }

    /// The one spelling of this document.
    package var encoded: [UInt8] {
        let authorities: [Document] = authorities.map { authority in
            .fields([
                "certificate": .string(Base64.encode(authority.certificate)),
                "state": .string(authority.state.rawValue),
            ])
        }
        let snapshotKeys: [Document] = snapshotKeys.map { key in
            .fields([
                "key": .string(Base64.encode(key.key.spki)),
                "not_before": .timestamp(key.notBefore),
                "not_after": .timestamp(key.notAfter),
            ])
        }
        return JSON.canonical(
            .fields([
                "schema": .number(Self.schema),
                "trust_domain": .string(trustDomain.text),
                "version": .number(version),
                "epoch": .number(epoch),
                "authorities": .list(authorities),
                "snapshot_keys": .list(snapshotKeys),
                "trust_keys": .list(trustKeys.map { .string(Base64.encode($0.spki)) }),
                "threshold": .number(threshold),
                "issued": .timestamp(issued),
            ])
        )
    }

    /// Signs the document; the keys are those of the version before and of this one.
    package func signed(
        by keys: [SigningKey],
        remembering memory: SignatureMemory? = nil
    ) throws(CryptoError) -> Envelope {
        try Envelope(signing: encoded, type: Self.payloadType, by: keys, remembering: memory)
    }

    /// Reads the one spelling of a document.
    package init(encoded: [UInt8]) throws(SnapshotFormatError) {
        self = try CanonicalJSON.read(encoded) { reader throws(FieldError) in
            _ = try reader.int("schema", in: Self.schema...Self.schema)
            return TrustDocument(
                trustDomain: try reader.required("trust_domain").trustDomain(),
                version: try reader.required("version").counter(),
                epoch: try reader.required("epoch").counter(),
                authorities: try reader.maps("authorities", limit: Self.entriesMax) {
                    entry throws(FieldError) in
                    Authority(
                        certificate: try entry.required("certificate")
                            .bytes(limit: Self.entryMaxBytes),
                        state: try entry.choice("state", as: Authority.State.self)
                    )
                },
                snapshotKeys: try reader.maps("snapshot_keys", limit: Self.entriesMax) {
                    entry throws(FieldError) in
                    SnapshotKey(
                        key: try Self.key(try entry.required("key")),
                        notBefore: try entry.timestamp("not_before"),
                        notAfter: try entry.timestamp("not_after")
                    )
                },
                trustKeys: try reader.list("trust_keys", limit: Self.entriesMax) {
                    entry throws(FieldError) in try Self.key(entry)
                },
                threshold: try reader.int("threshold", in: 1...Self.entriesMax),
                issued: try reader.timestamp("issued")
            )
        }
    }

    private static func key(_ value: FieldValue) throws(FieldError) -> PublicKey {
        let bytes = try value.bytes(limit: entryMaxBytes)
        guard let key = try? PublicKey(spki: bytes), key.kind == .ed25519 else {
            throw value.error("this is no Ed25519 key", hint: "write its SubjectPublicKeyInfo")
        }
        return key
    }
}
