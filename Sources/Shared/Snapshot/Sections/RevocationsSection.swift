package import Mesh
package import Wire

/// Certificates that count no longer although they have not ended.
///
/// Only serial numbers: whose they are is in the audit trail. One leaves the list when its
/// certificate has ended, so the list is as long as what was revoked within a leaf's life.
/// Connections outlive certificates; for those that have, the service is named instead.
package struct RevocationsSection: Hashable, Sendable {
    /// The one name of such a section: there is one for the whole mesh.
    package static let name = "mesh"
    /// The most serial numbers; a revocation beyond is refused when it is written.
    package static let serialsMax = 50_000
    /// The longest serial number (RFC 5280 section 4.1.2.2).
    package static let serialMaxBytes = 20

    /// The most services that are named.
    package static let cutoffsMax = 10_000

    /// Big-endian, ascending, each once.
    package let serials: [[UInt8]]
    /// By service: a certificate that has ended, and had to by this time, vouches for no
    /// connection any more.
    package let cutoffs: [ServiceName: Timestamp]

    /// Puts the serial numbers into the one order that they have.
    package init(serials: some Sequence<[UInt8]>, cutoffs: [ServiceName: Timestamp] = [:]) {
        self.serials = Set(serials).sorted { $0.lexicographicallyPrecedes($1) }
        self.cutoffs = cutoffs
    }

    /// Whether it says nothing.
    package var isEmpty: Bool { serials.isEmpty && cutoffs.isEmpty }

    var cutoffDocuments: [Document] {
        cutoffs.sorted { $0.key < $1.key }.map { service, end in
            .fields(["service": .string(service.description), "until": .timestamp(end)])
        }
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
            },
            cutoffs: Dictionary(
                try reader.maps("cutoffs", limit: Self.cutoffsMax) { cutoff throws(FieldError) in
                    (
                        try cutoff.required("service").serviceName(),
                        try cutoff.timestamp("until")
                    )
                }
            ) { max($0, $1) }
        )
    }
}

/// The certificates that an agent believes no longer, whoever shows them.
package struct Revocations: Hashable, Sendable {
    private let serials: Set<[UInt8]>
    private let cutoffs: [ServiceName: Timestamp]
    /// Whether the list could not be read, so that no certificate counts.
    private let isUnknown: Bool

    /// Nothing is revoked.
    package static let none = Revocations(serials: [], cutoffs: [:], isUnknown: false)
    /// Nobody can tell what is revoked, so everything is.
    package static let unknown = Revocations(serials: [], cutoffs: [:], isUnknown: true)

    private init(
        serials: Set<[UInt8]>,
        cutoffs: [ServiceName: Timestamp],
        isUnknown: Bool
    ) {
        self.serials = serials
        self.cutoffs = cutoffs
        self.isUnknown = isUnknown
    }

    /// What a section lists.
    package init(_ section: RevocationsSection) {
        self.init(serials: Set(section.serials), cutoffs: section.cutoffs, isUnknown: false)
    }

    /// Whether there is anything to ask.
    package var isEmpty: Bool { serials.isEmpty && cutoffs.isEmpty && !isUnknown }

    /// Whether a certificate counts no longer; the serial number is big-endian without sign byte.
    package func contains(_ serialNumber: [UInt8]) -> Bool {
        isUnknown || !serials.isEmpty && serials.contains(serialNumber)
    }

    /// Whether a connection counts no longer that has outlived its peer's certificate.
    ///
    /// The serial number of that one may have left the list, or was never put on it.
    package func contains(outlived service: ServiceName, endedAt end: Timestamp) -> Bool {
        isUnknown || cutoffs[service].map { end <= $0 } ?? false
    }
}
