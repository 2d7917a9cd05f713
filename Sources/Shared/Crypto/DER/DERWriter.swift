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
            let size = (Int.bitWidth - count.leadingZeroBitCount + 7) / 8
            bytes[start - 1] = 0x80 | UInt8(size)
            for shift in 0..<size {
                bytes.insert(UInt8(truncatingIfNeeded: count >> (8 * shift)), at: start)
            }
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
        let size = (Int.bitWidth - count.leadingZeroBitCount + 7) / 8
        bytes.append(0x80 | UInt8(size))
        for shift in stride(from: size - 1, through: 0, by: -1) {
            bytes.append(UInt8(truncatingIfNeeded: count >> (8 * shift)))
        }
    }
}
