import Mesh
import Postgres
import Store
package import Wire

/// The certificate of a workload that a connection has shown and proved to hold; its path to the mesh's
/// roots was verified in the handshake.
package struct PresentedCertificate: Equatable, Sendable {
    package let spiffeID: String
    /// Big-endian.
    package let serialNumber: [UInt8]
    /// SHA-256 of its DER.
    package let digest: [UInt8]
    package let notAfter: Timestamp
    /// SHA-256 of the root that it was verified under.
    package let root: [UInt8]

    package init(
        spiffeID: String,
        serialNumber: [UInt8],
        digest: [UInt8],
        notAfter: Timestamp,
        root: [UInt8]
    ) {
        self.root = root
        self.spiffeID = spiffeID
        self.serialNumber = serialNumber
        self.digest = digest
        self.notAfter = notAfter
    }

    /// What a token is bound to.
    package var thumbprint: String { Hex.encode(digest) }

    /// Whether it was issued to a service and neither it nor that service was revoked since.
    func isStanding(
        at now: Timestamp,
        in database: PostgresTransaction
    ) async throws(PostgresError) -> Bool {
        guard let row = try await CertificateRepository.find(serialNumber, in: database),
            row.kind == .service, let service = row.service, row.revokedAt == nil,
            row.notAfter > now, row.spiffeID.utf8.elementsEqual(spiffeID.utf8)
        else { return false }
        return try await RevocationRepository.find(service, in: database) == nil
    }
}
