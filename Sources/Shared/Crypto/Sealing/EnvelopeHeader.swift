import Wire

/// What stands before every sealed value and MAC: how it was made, and with which key.
///
/// `u8` format, `u8` algorithm, keyring name with its length in one byte, `u32` key version.
package struct EnvelopeHeader: Sendable, Hashable {
    /// The only format there is; any other is an error, never a reason to try an older one.
    static let format: UInt8 = 1

    enum Algorithm: UInt8, Sendable {
        /// AES-256-GCM under a key of the row's own, drawn by HKDF-SHA-256.
        case sealed = 1
        /// HMAC-SHA-256 under a key drawn by HKDF-SHA-256.
        case authenticated = 2
    }

    /// The keyring's name.
    package let keyring: String
    /// Which key of the keyring.
    package let keyVersion: UInt32

    let algorithm: Algorithm

    init(key: KeyringKey, algorithm: Algorithm) {
        keyring = key.keyring
        keyVersion = key.version
        self.algorithm = algorithm
    }

    /// Reads the header of a sealed value or a MAC, so that its key can be found.
    package init(of envelope: [UInt8]) throws(CryptoError) {
        var reader = ByteReader(envelope)
        try self.init(&reader)
    }

    init(_ reader: inout ByteReader) throws(CryptoError) {
        let parts: (format: UInt8, algorithm: UInt8, keyring: [UInt8], version: UInt32)
        do {
            parts.format = try reader.readUInt8()
            parts.algorithm = try reader.readUInt8()
            parts.keyring = try reader.readPrefixed8()
            parts.version = try reader.readUInt32()
        } catch {
            throw .malformed(field: "envelope", problem: "it is cut short")
        }
        guard parts.format == Self.format, let algorithm = Algorithm(rawValue: parts.algorithm)
        else {
            throw .unsupported(
                field: "envelope",
                problem: "format \(parts.format) with algorithm \(parts.algorithm) is unknown"
            )
        }
        guard let name = Text.decode(parts.keyring), !name.isEmpty else {
            throw .malformed(field: "envelope", problem: "the keyring's name is not UTF-8")
        }
        keyring = name
        keyVersion = parts.version
        self.algorithm = algorithm
    }

    var bytes: [UInt8] {
        var result: [UInt8] = [Self.format, algorithm.rawValue, UInt8(keyring.utf8.count)]
        result.append(contentsOf: keyring.utf8)
        for shift in stride(from: 24, through: 0, by: -8) {
            result.append(UInt8(truncatingIfNeeded: keyVersion >> UInt32(shift)))
        }
        return result
    }

    /// Refuses a key that is not the one that the header names.
    func expect(_ key: KeyringKey, _ algorithm: Algorithm) throws(CryptoError) {
        guard self.algorithm == algorithm else {
            throw .malformed(field: "envelope", problem: "it is of the other kind")
        }
        guard keyring == key.keyring, keyVersion == key.version else {
            throw .malformed(field: "envelope", problem: "it was made with another key")
        }
    }
}
