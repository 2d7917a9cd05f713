package import Crypto
package import Wire

/// How far a writer's chain has come: what is signed and kept outside the database.
///
/// A chain in one database proves nothing about a cut tail or a full rewrite; a head that
/// somebody else remembers does.
package struct AuditHead: Hashable, Sendable {
    /// Whose chain it is.
    package var writer: String
    /// The sequence of the last record; 0 for a chain without one.
    package var sequence: UInt64
    /// The hash of the last record.
    package var hash: SHA256Digest
    /// When the head was taken.
    package var time: Timestamp

    package init(writer: String, sequence: UInt64, hash: SHA256Digest, time: Timestamp) {
        self.writer = writer
        self.sequence = sequence
        self.hash = hash
        self.time = time
    }

    /// The head of a chain that has no record yet.
    package static func beginning(of writer: String, at time: Timestamp) -> AuditHead {
        AuditHead(
            writer: writer,
            sequence: 0,
            hash: AuditChain.beginning(of: writer),
            time: time
        )
    }

    /// The head after `record`.
    package init(after record: AuditRecord, at time: Timestamp) {
        self.init(
            writer: record.writer,
            sequence: record.sequence,
            hash: record.hash,
            time: time
        )
    }

    /// Signs the head with an Ed25519 key.
    package func signed(by key: SigningKey) throws(CryptoError) -> SignedAuditHead {
        SignedAuditHead(
            head: self,
            keyID: key.publicKey.keyID,
            signature: try key.sign(image, as: .ed25519)
        )
    }

    /// The bytes that are signed.
    var image: [UInt8] {
        var image = HashImage("turnpike audit head 1")
        image.add(writer)
        image.add(sequence)
        image.add(hash.bytes)
        image.add(UInt64(bitPattern: time.microsecondsSinceEpoch))
        return image.image
    }
}

/// A head and a signature that has not been checked yet.
package struct SignedAuditHead: Hashable, Sendable {
    /// What was signed.
    package let head: AuditHead
    /// SHA-256 of the signer's SubjectPublicKeyInfo.
    package let keyID: SHA256Digest
    /// 64 bytes of Ed25519.
    package let signature: [UInt8]

    package init(head: AuditHead, keyID: SHA256Digest, signature: [UInt8]) {
        self.head = head
        self.keyID = keyID
        self.signature = signature
    }

    /// The head, if one of the keys signed it; nil otherwise.
    package func verified(by keys: some Sequence<PublicKey>) -> AuditHead? {
        guard let key = keys.first(where: { $0.keyID == keyID }),
            key.isValid(signature: signature, of: head.image, as: .ed25519)
        else { return nil }
        return head
    }
}
