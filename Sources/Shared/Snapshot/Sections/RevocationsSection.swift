import Wire

/// Certificates that count no longer although they have not ended.
///
/// Only serial numbers: whose they are is in the audit trail. One leaves the list when its
/// certificate has ended, so the list is as long as what was revoked within a leaf's life.
package struct RevocationsSection: Hashable, Sendable {
    /// The one name of such a section: there is one for the whole mesh.
    package static let name = "mesh"
    /// The most serial numbers; a revocation beyond is refused when it is written.
    package static let serialsMax = 50_000
    /// The longest serial number (RFC 5280 section 4.1.2.2).
    package static let serialMaxBytes = 20

    /// Big-endian, ascending, each once.
    package let serials: [[UInt8]]

    /// Puts the serial numbers into the one order that they have.
    package init(serials: some Sequence<[UInt8]>) {
        self.serials = Set(serials).sorted { $0.lexicographicallyPrecedes($1) }
    }
}

extension RevocationsSection {
    init(from reader: inout FieldReader) throws(FieldError) {
        self.init(
            serials: try reader.list("serials", limit: Self.serialsMax) {
                serial throws(FieldError) in
                let text = try serial.string(bytes: 2...(2 * Self.serialMaxBytes))
                guard let bytes = try? Hex.decode(text), Hex.encode(bytes) == text else {
                    throw serial.error("this is no serial number", hint: "write it in hexadecimal")
                }
                return bytes
            }
        )
    }
}

/// The certificates that an agent believes no longer, whoever shows them.
package struct Revocations: Hashable, Sendable {
    private let serials: Set<[UInt8]>
    /// Whether the list could not be read, so that no certificate counts.
    private let isUnknown: Bool

    /// Nothing is revoked.
    package static let none = Revocations(serials: [], isUnknown: false)
    /// Nobody can tell what is revoked, so everything is.
    package static let unknown = Revocations(serials: [], isUnknown: true)

    private init(serials: Set<[UInt8]>, isUnknown: Bool) {
        self.serials = serials
        self.isUnknown = isUnknown
    }

    /// What a section lists.
    package init(_ section: RevocationsSection) {
        self.init(serials: Set(section.serials), isUnknown: false)
    }

    /// Whether there is anything to ask.
    package var isEmpty: Bool { serials.isEmpty && !isUnknown }

    /// Whether a certificate counts no longer; the serial number is big-endian without sign byte.
    package func contains(_ serialNumber: [UInt8]) -> Bool {
        isUnknown || !serials.isEmpty && serials.contains(serialNumber)
    }
}
