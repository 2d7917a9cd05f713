/// A SubjectPublicKeyInfo (RFC 5280 §4.1.2.7) taken apart without OpenSSL, so that no kind of key
/// and no encoding gets through that is not listed here.
struct SubjectPublicKey: Sendable, Hashable {
    /// RSA below this many bits is refused (NIST SP 800-131A).
    static let rsaBitsMin = 2048
    /// RSA above this many bits costs more than any signature is worth.
    static let rsaBitsMax = 8192
    /// The longest encoding that is looked at: RSA 8192 with room for the frame.
    static let encodedBytesMax = 1200

    static let ed25519Algorithm: [UInt8] = [0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70]
    static let p256Algorithm: [UInt8] = [
        0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06, 0x08, 0x2A, 0x86,
        0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07,
    ]
    static let p384Algorithm: [UInt8] = [
        0x30, 0x10, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06, 0x05, 0x2B, 0x81,
        0x04, 0x00, 0x22,
    ]
    static let p521Algorithm: [UInt8] = [
        0x30, 0x10, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06, 0x05, 0x2B, 0x81,
        0x04, 0x00, 0x23,
    ]
    static let rsaAlgorithm: [UInt8] = [
        0x30, 0x0D, 0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01, 0x05, 0x00,
    ]

    let kind: KeyKind
    /// The whole encoding.
    let encoded: [UInt8]
    /// The contents of the BIT STRING: a point, 32 bytes, or an RSAPublicKey.
    let keyBytes: [UInt8]

    init(_ element: DERElement) throws(CryptoError) {
        do {
            try self.init(strictly: element)
        } catch let error as DERError {
            throw error.inField("public key")
        } catch let error as CryptoError {
            throw error
        } catch {
            throw .malformed(field: "public key", problem: "it cannot be read")
        }
    }

    init(_ bytes: [UInt8]) throws(CryptoError) {
        guard bytes.count <= Self.encodedBytesMax else {
            throw .malformed(field: "public key", problem: "at most \(Self.encodedBytesMax) bytes")
        }
        let element: DERElement
        do {
            element = try DERReader.single(DERTag.sequence, in: bytes)
        } catch {
            throw error.inField("public key")
        }
        try self.init(element)
    }

    private init(strictly element: DERElement) throws {
        var reader = DERReader(element)
        let algorithm = try reader.next(DERTag.sequence)
        let bits = try reader.next(DERTag.bitString).bitStringBytes()
        try reader.finish()
        let name = algorithm.encoded
        if name.elementsEqual(Self.ed25519Algorithm) {
            kind = .ed25519
            guard bits.count == 32 else {
                throw CryptoError.malformed(field: "Ed25519 key", problem: "it has 32 bytes")
            }
        } else if name.elementsEqual(Self.p256Algorithm) {
            kind = .ecdsaP256
            try Self.checkPoint(bits, count: 65)
        } else if name.elementsEqual(Self.p384Algorithm) {
            kind = .ecdsaP384
            try Self.checkPoint(bits, count: 97)
        } else if name.elementsEqual(Self.p521Algorithm) {
            kind = .ecdsaP521
            try Self.checkPoint(bits, count: 133)
        } else if name.elementsEqual(Self.rsaAlgorithm) {
            let start = bits.startIndex
            kind = .rsa(bits: try Self.rsaBitCount(element.source, in: start..<bits.endIndex))
        } else {
            throw CryptoError.unsupported(
                field: "public key",
                problem: "it must be Ed25519, ECDSA on P-256, P-384 or P-521, or RSA"
            )
        }
        encoded = Array(element.encoded)
        keyBytes = Array(bits)
    }

    /// Uncompressed points only: one key has one encoding, and one key id.
    private static func checkPoint(_ bytes: ArraySlice<UInt8>, count: Int) throws(CryptoError) {
        guard bytes.count == count, bytes.first == 0x04 else {
            throw .malformed(
                field: "ECDSA key",
                problem: "the point must be uncompressed and \(count) bytes long"
            )
        }
    }

    private static func rsaBitCount(_ source: [UInt8], in range: Range<Int>) throws -> Int {
        var outer = DERReader(source, in: range)
        var reader = DERReader(try outer.next(DERTag.sequence))
        try outer.finish()
        let modulus = try reader.next(DERTag.integer).magnitude()
        let exponent = try reader.next(DERTag.integer).magnitude()
        try reader.finish()
        guard let top = modulus.first, let low = modulus.last else {
            throw CryptoError.malformed(field: "RSA key", problem: "the modulus is zero")
        }
        let bits = modulus.count * 8 - top.leadingZeroBitCount
        guard rsaBitsMin...rsaBitsMax ~= bits, low & 1 == 1 else {
            throw CryptoError.unsupported(
                field: "RSA key",
                problem: "the modulus must be odd and have 2048 to 8192 bits"
            )
        }
        let value = exponent.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard exponent.count <= 5, value >= 3, value & 1 == 1 else {
            throw CryptoError.unsupported(
                field: "RSA key",
                problem: "the exponent must be odd, at least 3 and at most five bytes long"
            )
        }
        return bits
    }
}
