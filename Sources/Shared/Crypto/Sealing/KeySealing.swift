import Wire

/// Secrets at rest: one envelope per value, bound to the row that holds it.
///
/// Envelope: header, 16 bytes of salt, 12 of nonce, ciphertext, 16 of tag. The key is drawn from the
/// keyring key, the salt and the row's identity; header and identity are authenticated.
package enum KeySealing {
    /// How many random bytes separate the keys of two envelopes.
    package static let saltByteCount = 16
    /// The longest secret.
    package static let plaintextBytesMax = 1 << 20

    /// Seals; salt and nonce are fresh random bytes.
    package static func seal(
        _ plaintext: SecretBytes,
        as identity: RowIdentity,
        with key: KeyringKey,
        salt: [UInt8],
        nonce: [UInt8]
    ) throws(CryptoError) -> [UInt8] {
        guard salt.count == saltByteCount else {
            throw .malformed(field: "salt", problem: "it has \(saltByteCount) bytes")
        }
        guard plaintext.count <= plaintextBytesMax else {
            throw .malformed(field: "secret", problem: "at most \(plaintextBytesMax) bytes")
        }
        let header = EnvelopeHeader(key: key, algorithm: .sealed).bytes
        let rowKey = try rowKey(of: identity, with: key, salt: salt)
        let associatedData = associatedData(header: header, identity: identity)
        let sealed = try plaintext.withBytes { (bytes) throws(CryptoError) in
            try AEAD.seal(bytes, key: rowKey, nonce: nonce, associatedData: associatedData)
        }
        return header + salt + nonce + sealed
    }

    /// Seals with salt and nonce from the system's generator.
    package static func seal(
        _ plaintext: SecretBytes,
        as identity: RowIdentity,
        with key: KeyringKey
    ) throws(CryptoError) -> [UInt8] {
        try seal(
            plaintext,
            as: identity,
            with: key,
            salt: Randomness.bytes(saltByteCount),
            nonce: Randomness.bytes(AEAD.nonceByteCount)
        )
    }

    /// Opens; throws `authenticationFailed` when a bit, the row or the key is another one.
    package static func open(
        _ envelope: [UInt8],
        as identity: RowIdentity,
        with key: KeyringKey
    ) throws(CryptoError) -> SecretBytes {
        var reader = ByteReader(envelope)
        let header = try EnvelopeHeader(&reader)
        try header.expect(key, .sealed)
        let salt: [UInt8]
        let nonce: [UInt8]
        do {
            salt = try reader.readBytes(saltByteCount)
            nonce = try reader.readBytes(AEAD.nonceByteCount)
        } catch {
            throw .malformed(field: "envelope", problem: "it is cut short")
        }
        var plaintext = try AEAD.open(
            reader.readRest(),
            key: rowKey(of: identity, with: key, salt: salt),
            nonce: nonce,
            associatedData: associatedData(header: header.bytes, identity: identity)
        )
        return SecretBytes(taking: &plaintext)
    }

    private static func rowKey(
        of identity: RowIdentity,
        with key: KeyringKey,
        salt: [UInt8]
    ) throws(CryptoError) -> SecretBytes {
        var info = CanonicalBytes(label: "turnpike row key 1")
        identity.append(to: &info)
        return try HKDF.derive(from: key.key, salt: salt, info: info.bytes, count: 32)
    }

    private static func associatedData(header: [UInt8], identity: RowIdentity) -> [UInt8] {
        var canonical = CanonicalBytes(label: "turnpike sealed row 1")
        canonical.append(header)
        identity.append(to: &canonical)
        return canonical.bytes
    }
}
