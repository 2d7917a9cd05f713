/// A Name (RFC 5280 §4.1.2.4): relative distinguished names from the root of the tree downwards.
package struct DistinguishedName: Sendable, Hashable {
    /// The most relative names and attributes that a name may have.
    static let attributesMax = 64

    /// The DER encoding as it was found or made.
    package let encoded: [UInt8]

    // What comparisons see: per relative name its attributes, normalised and in order.
    private let normalised: [[[UInt8]]]
    private let emailAddresses: [[UInt8]]
    private let commonNames: [String]

    /// The name without any attribute.
    package static let empty = DistinguishedName(encoded: [0x30, 0x00])

    /// A name with one common name and, where given, one organization above it.
    package init(commonName: String, organization: String? = nil) {
        var writer = DERWriter()
        writer.sequence { writer in
            let attributes = [
                (ObjectIdentifier.organization, organization),
                (ObjectIdentifier.commonName, commonName),
            ]
            for (type, value) in attributes {
                guard let value else { continue }
                writer.element(DERTag.set) { writer in
                    writer.sequence { writer in
                        writer.element(DERTag.objectIdentifier, type)
                        writer.element(DERTag.utf8String, Array(value.utf8))
                    }
                }
            }
        }
        self.init(encoded: writer.bytes)
    }

    private init(encoded: [UInt8]) {
        // Only encodings of our own writing come here, so that reading them back cannot fail.
        guard
            let element = try? DERReader.single(DERTag.sequence, in: encoded),
            let name = try? DistinguishedName(element)
        else { preconditionFailure("a name of our own making must be DER") }
        self = name
    }

    init(_ element: DERElement) throws(DERError) {
        guard element.tag == DERTag.sequence else {
            throw DERError(element.offset, "a name is a SEQUENCE")
        }
        var normalised: [[[UInt8]]] = []
        var emailAddresses: [[UInt8]] = []
        var commonNames: [String] = []
        var count = 0
        var names = DERReader(element)
        while !names.isAtEnd {
            var attributes = DERReader(try names.next(DERTag.set))
            var relative: [[UInt8]] = []
            var previous: ArraySlice<UInt8> = []
            repeat {
                let pair = try attributes.next(DERTag.sequence)
                // The elements of a SET OF stand in the order of their encodings (X.690 §11.6).
                guard !pair.encoded.lexicographicallyPrecedes(previous) else {
                    throw DERError(pair.offset, "the attributes of a name are not in order")
                }
                previous = pair.encoded
                var attribute = DERReader(pair)
                let type = try attribute.next(DERTag.objectIdentifier)
                let value = try attribute.next()
                try attribute.finish()
                try Self.check(type: type.objectIdentifier(), value: value)
                count += 1
                guard count <= Self.attributesMax else {
                    throw DERError(element.offset, "a name has too many attributes")
                }
                relative.append(Self.normalise(type: type, value: value))
                if type.content.elementsEqual(ObjectIdentifier.emailAddress) {
                    emailAddresses.append(Array(value.content))
                }
                if type.content.elementsEqual(ObjectIdentifier.commonName) {
                    commonNames.append(String(decoding: value.content, as: UTF8.self))
                }
            } while !attributes.isAtEnd
            relative.sort { $0.lexicographicallyPrecedes($1) }
            normalised.append(relative)
        }
        self.normalised = normalised
        self.emailAddresses = emailAddresses
        self.commonNames = commonNames
        encoded = Array(element.encoded)
    }

    /// Whether there is no attribute.
    package var isEmpty: Bool { normalised.isEmpty }

    /// The first common name, for people only: it identifies nothing.
    package var commonName: String? { commonNames.first }

    /// The contents of emailAddress attributes, which constraints of mailboxes apply to.
    var emails: [[UInt8]] { emailAddresses }

    /// Whether this name lies in the subtree below `base` (RFC 5280 §4.2.1.10).
    func isWithin(_ base: DistinguishedName) -> Bool {
        normalised.starts(with: base.normalised)
    }

    /// The same attributes; letter case and runs of blanks do not count (RFC 5280 §7.1).
    package static func == (left: DistinguishedName, right: DistinguishedName) -> Bool {
        left.encoded == right.encoded || left.normalised == right.normalised
    }

    /// Hashes what equality compares.
    package func hash(into hasher: inout Hasher) {
        hasher.combine(normalised)
    }

    /// The attributes of X.520 are text of one of its types, but for one that is bits (RFC 5280 §A.1).
    private static func check(
        type: ArraySlice<UInt8>,
        value: DERElement
    ) throws(DERError) {
        guard type.starts(with: ObjectIdentifier.attributes),
            !type.elementsEqual(ObjectIdentifier.uniqueIdentifier)
        else { return }
        let isText =
            switch value.tag {
            case DERTag.utf8String:
                String(validating: value.content, as: UTF8.self) != nil
            case DERTag.printableString, DERTag.ia5String, DERTag.numericString:
                value.content.allSatisfy { $0 < 0x80 }
            case DERTag.teletexString, DERTag.universalString, DERTag.bmpString:
                true
            default:
                false
            }
        guard isText else { throw DERError(value.offset, "an attribute of a name is no text") }
    }

    private static func normalise(type: DERElement, value: DERElement) -> [UInt8] {
        var result = Array(type.encoded)
        guard value.tag == DERTag.printableString || value.tag == DERTag.utf8String else {
            result.append(contentsOf: value.encoded)
            return result
        }
        // Both text types compare as one: CAs change the type of a name when they are renewed.
        result.append(DERTag.utf8String)
        var pendingBlank = false
        let start = result.count
        for byte in value.content {
            if byte == 0x20 {
                pendingBlank = result.count > start
                continue
            }
            if pendingBlank { result.append(0x20) }
            pendingBlank = false
            result.append(0x41...0x5A ~= byte ? byte + 0x20 : byte)
        }
        return result
    }
}
