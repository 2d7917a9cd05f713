/// A GeneralName (RFC 5280 §4.2.1.6).
package enum GeneralName: Sendable, Hashable {
    case email(String)
    case dns(String)
    case uri(String)
    /// 4 or 16 bytes; in a constraint twice as many, address and mask.
    case ip([UInt8])
    case directory(DistinguishedName)
    /// A form that nothing here understands, by its tag number.
    case other(tag: UInt8)

    var isURI: Bool { if case .uri = self { true } else { false } }

    /// The most names that one extension may hold.
    static let namesMax = 100_000

    /// Reads all names of a GeneralNames, of which there must be one at least.
    static func list(_ element: DERElement) throws(DERError) -> [GeneralName] {
        var reader = DERReader(element)
        var names: [GeneralName] = []
        repeat {
            guard names.count < namesMax else {
                throw DERError(element.offset, "there are too many names")
            }
            names.append(try GeneralName(&reader))
        } while !reader.isAtEnd
        return names
    }

    init(_ reader: inout DERReader) throws(DERError) {
        let element = try reader.next()
        switch element.tag {
        case DERTag.context(1): self = .email(try Self.text(element))
        case DERTag.context(2): self = .dns(try Self.text(element))
        case DERTag.context(6): self = .uri(try Self.text(element))
        case DERTag.context(7): self = .ip(Array(element.content))
        case DERTag.constructed(4):
            var inner = DERReader(element)
            self = .directory(try DistinguishedName(try inner.next(DERTag.sequence)))
            try inner.finish()
        case DERTag.constructed(0):
            var inner = DERReader(element)
            _ = try inner.nextObjectIdentifier()
            _ = try inner.next(DERTag.constructed(0))
            try inner.finish()
            self = .other(tag: 0)
        case DERTag.context(8):
            _ = try element.objectIdentifier()
            self = .other(tag: 8)
        case DERTag.constructed(3), DERTag.constructed(5):
            self = .other(tag: element.tag & 0x1F)
        default:
            throw DERError(element.offset, "a name has an unknown form")
        }
    }

    func write(to writer: inout DERWriter) {
        switch self {
        case .email(let text): writer.element(DERTag.context(1), Array(text.utf8))
        case .dns(let text): writer.element(DERTag.context(2), Array(text.utf8))
        case .uri(let text): writer.element(DERTag.context(6), Array(text.utf8))
        case .ip(let bytes): writer.element(DERTag.context(7), bytes)
        case .directory(let name):
            writer.element(DERTag.constructed(4)) { $0.raw(name.encoded) }
        case .other: break
        }
    }

    /// IA5String without control characters: a NUL in a name is an attack, never a name.
    private static func text(_ element: DERElement) throws(DERError) -> String {
        guard element.content.allSatisfy({ 0x20...0x7E ~= $0 }) else {
            throw DERError(element.offset, "a name holds other than printable ASCII")
        }
        return String(decoding: element.content, as: UTF8.self)
    }
}
