/// Reads DER strictly (ITU-T X.690 §10): definite and shortest lengths, low tag numbers, no rest.
struct DERReader {
    /// The longest length field: four bytes, which no allowed input fills.
    private static let lengthBytesMax = 4

    private let bytes: [UInt8]
    private let end: Int
    private(set) var offset: Int

    /// Reads all of `bytes`.
    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        offset = 0
        end = bytes.count
    }

    /// Reads the contents of a constructed element.
    init(_ element: DERElement) {
        bytes = element.source
        offset = element.contentRange.lowerBound
        end = element.contentRange.upperBound
    }

    /// Reads the contents of an OCTET STRING, or the whole bytes of a BIT STRING, as DER of its own.
    init(_ bytes: [UInt8], in range: Range<Int>) {
        self.bytes = bytes
        offset = range.lowerBound
        end = range.upperBound
    }

    var isAtEnd: Bool { offset == end }

    /// The tag of the next element, or nil at the end.
    var peekTag: UInt8? { offset < end ? bytes[offset] : nil }

    /// The next element, which must have `tag`.
    mutating func next(_ tag: UInt8) throws(DERError) -> DERElement {
        guard offset < end else { throw DERError(offset, "an element is missing") }
        guard bytes[offset] == tag else { throw DERError(offset, "an element has another type") }
        return try next()
    }

    /// The contents of the next element, which must be an OBJECT IDENTIFIER.
    mutating func nextObjectIdentifier() throws(DERError) -> ArraySlice<UInt8> {
        try next(DERTag.objectIdentifier).objectIdentifier()
    }

    /// The next element if it has `tag`.
    mutating func nextIf(_ tag: UInt8) throws(DERError) -> DERElement? {
        peekTag == tag ? try next() : nil
    }

    /// The next element, of any type.
    mutating func next() throws(DERError) -> DERElement {
        let start = offset
        guard end - start >= 2 else { throw DERError(start, "an element is cut short") }
        let tag = bytes[start]
        guard tag & 0x1F != 0x1F else { throw DERError(start, "a tag number is too high") }
        var position = start + 2
        var length = Int(bytes[start + 1])
        if length >= 0x80 {
            let count = length & 0x7F
            guard 1...Self.lengthBytesMax ~= count, end - position >= count else {
                throw DERError(start + 1, "a length is indefinite, too long or cut short")
            }
            length = bytes[position..<position + count].reduce(0) { $0 << 8 | Int($1) }
            guard length >= 0x80, count == 1 || length >> (8 * (count - 1)) != 0 else {
                throw DERError(start + 1, "a length is not in its shortest form")
            }
            position += count
        }
        guard length <= end - position else { throw DERError(start, "an element is cut short") }
        offset = position + length
        return DERElement(
            tag: tag,
            source: bytes,
            range: start..<offset,
            contentRange: position..<offset
        )
    }

    /// Refuses what follows the last element.
    func finish() throws(DERError) {
        guard isAtEnd else { throw DERError(offset, "bytes follow the last element") }
    }

    /// A whole value: one element with `tag` and nothing after it.
    static func single(_ tag: UInt8, in bytes: [UInt8]) throws(DERError) -> DERElement {
        var reader = DERReader(bytes)
        let element = try reader.next(tag)
        try reader.finish()
        return element
    }
}
