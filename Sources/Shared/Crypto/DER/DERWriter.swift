/// Writes DER (ITU-T X.690) into one growing array.
struct DERWriter {
    private(set) var bytes: [UInt8] = []

    init(capacity: Int = 128) {
        bytes.reserveCapacity(capacity)
    }

    /// Bytes that are DER already.
    mutating func raw(_ encoded: some Collection<UInt8>) {
        bytes.append(contentsOf: encoded)
    }

    /// An element whose contents are given.
    mutating func element(_ tag: UInt8, _ content: some Collection<UInt8>) {
        bytes.append(tag)
        appendLength(content.count)
        bytes.append(contentsOf: content)
    }

    /// An element whose contents are written by `body`.
    mutating func element(_ tag: UInt8, _ body: (inout DERWriter) -> Void) {
        bytes.append(tag)
        bytes.append(0)
        let start = bytes.count
        body(&self)
        let count = bytes.count - start
        if count < 0x80 {
            bytes[start - 1] = UInt8(count)
        } else {
            var length = DERWriter(capacity: 5)
            length.appendLength(count)
            bytes.replaceSubrange(start - 1..<start, with: length.bytes)
        }
    }

    mutating func sequence(_ body: (inout DERWriter) -> Void) {
        element(DERTag.sequence, body)
    }

    /// An INTEGER from its magnitude; leading zeros are dropped, a sign byte is added where needed.
    mutating func unsignedInteger(_ magnitude: some Collection<UInt8>) {
        let trimmed = magnitude.drop { $0 == 0 }
        let needsSign = (trimmed.first ?? 0x80) >= 0x80
        bytes.append(DERTag.integer)
        appendLength(trimmed.count + (needsSign ? 1 : 0))
        if needsSign { bytes.append(0) }
        bytes.append(contentsOf: trimmed)
    }

    /// A BIT STRING of whole bytes.
    mutating func bitString(_ content: some Collection<UInt8>) {
        bytes.append(DERTag.bitString)
        appendLength(content.count + 1)
        bytes.append(0)
        bytes.append(contentsOf: content)
    }

    private mutating func appendLength(_ count: Int) {
        if count < 0x80 {
            bytes.append(UInt8(count))
            return
        }
        var octets: [UInt8] = []
        var rest = count
        while rest > 0 {
            octets.append(UInt8(truncatingIfNeeded: rest))
            rest >>= 8
        }
        bytes.append(0x80 | UInt8(octets.count))
        bytes.append(contentsOf: octets.reversed())
    }
}
