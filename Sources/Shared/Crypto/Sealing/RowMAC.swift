import Wire

/// The MAC of a row that grants something: a row without a right one does not exist.
///
/// Encoding: header, 32 bytes of tag over header, identity and content.
package enum RowMAC {
    /// The MAC of a row; the order of the fields counts, so it is that of the table.
    package static func make(
        over content: [(name: String, value: [UInt8])],
        as identity: RowIdentity,
        with key: KeyringKey
    ) throws(CryptoError) -> [UInt8] {
        let header = EnvelopeHeader(key: key, algorithm: .authenticated).bytes
        return try header
            + tag(header: header, content: content, identity: identity, key: key).bytes
    }

    /// Whether `mac` is the MAC of exactly this row; throws when it is of an unknown form or key.
    package static func isValid(
        _ mac: [UInt8],
        over content: [(name: String, value: [UInt8])],
        as identity: RowIdentity,
        with key: KeyringKey
    ) throws(CryptoError) -> Bool {
        var reader = ByteReader(mac)
        let header = try EnvelopeHeader(&reader)
        try header.expect(key, .authenticated)
        guard let found = SHA256Digest(reader.readRest()) else { return false }
        return try tag(header: header.bytes, content: content, identity: identity, key: key)
            .equalsInConstantTime(found)
    }

    private static func tag(
        header: [UInt8],
        content: [(name: String, value: [UInt8])],
        identity: RowIdentity,
        key: KeyringKey
    ) throws(CryptoError) -> SHA256Digest {
        // A key of its own: one keyring key may seal and authenticate without mixing the two.
        let info = CanonicalBytes(label: "turnpike row mac key 1").bytes
        let macKey = try HKDF.derive(from: key.key, info: info, count: 32)
        var canonical = CanonicalBytes(label: "turnpike row mac 1")
        canonical.append(header)
        identity.append(to: &canonical)
        canonical.append(UInt64(content.count))
        for field in content {
            canonical.append(field.name)
            canonical.append(field.value)
        }
        return HMACSHA256.tag(of: canonical.bytes, key: macKey)
    }
}
