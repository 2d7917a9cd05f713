import Crypto
import Mesh
import Store
import Wire

/// Logins of workloads by the certificate that they have from their agent: the token counts only together
/// with that very certificate.
package struct CertificateLogins: Sendable {
    private let control: ControlPlane

    init(_ control: ControlPlane) { self.control = control }

    /// The name of a root in a role: nil for a text that is no certificate of an authority.
    package static func root(ofPEM text: String) -> String? {
        guard let certificate = try? Certificate(pem: text), certificate.isCA else { return nil }
        return certificate.fingerprint.hex
    }

    // MARK: Login

    /// Gives a token to a workload that a role admits: the one that is named, or the first.
    package func logIn(
        with certificate: PresentedCertificate?,
        role name: String?,
        at mount: String,
        by caller: Caller
    ) async throws(ControlError) -> GrantedToken {
        try await control.gated(caller) { () async throws(ControlError) in
            try await judge(certificate, name, mount, caller)
        }
    }

    private typealias Match = (row: AuthEntryRow, role: CertificateRole)

    private func judge(
        _ certificate: PresentedCertificate?,
        _ name: String?,
        _ mount: String,
        _ caller: Caller
    ) async throws(ControlError) -> GrantedToken {
        let found = try await control.authMounts.require(mount, .cert)
        let place = "auth/\(mount)"
        guard let certificate else {
            throw await control.refuseLogin("no_certificate", caller, at: place)
        }
        let prefix = "\(place)/certs/"
        let (entries, isStanding, now) = try await control.read { database in
            let now = try await ServerRepository.time(in: database)
            let isStanding = try await certificate.isStanding(at: now, in: database)
            let entries = try await AuthEntryRepository.list(
                below: prefix,
                kind: .certificateRole,
                guardedBy: control.rowGuard,
                in: database
            )
            return (entries, isStanding, now)
        }
        guard isStanding else {
            throw await control.refuseLogin("certificate_revoked", caller, at: place)
        }
        let wanted = name.flatMap { $0.isEmpty ? nil : prefix + $0 }
        guard let match = Self.match(entries, wanted, certificate) else {
            throw await control.refuseLogin("no_role", caller, at: place)
        }
        guard certificate.notAfter > now else {
            throw await control.refuseLogin("certificate_expired", caller, at: match.row.path)
        }
        guard Identity.mayCome(from: caller.sourceAddress, match.role.grant.boundCIDRs) else {
            _ = await control.refuseLogin("elsewhere", caller, at: match.row.path)
            throw .forbidden(Complaint("access.denied", "permission denied"))
        }
        let roleName = String(match.row.path.dropFirst(prefix.count))
        return try await control.tokens.grant(
            login(found, match, roleName, certificate),
            by: caller
        )
    }

    private static func match(
        _ entries: [AuthEntryRow],
        _ wanted: String?,
        _ certificate: PresentedCertificate
    ) -> Match? {
        let root = Hex.encode(certificate.root)
        for row in entries where wanted == nil || row.path == wanted {
            if let role = CertificateRole(row.document),
                role.admits(certificate.spiffeID, root: root)
            {
                return (row, role)
            }
        }
        return nil
    }

    private func login(
        _ mount: AuthMount,
        _ match: Match,
        _ name: String,
        _ certificate: PresentedCertificate
    ) -> Tokens.Login {
        let shown = match.role.displayName.isEmpty ? name : match.role.displayName
        var login = Tokens.Login(
            mount: mount,
            role: match.row,
            grant: match.role.grant,
            displayName: "\(mount.path)-\(shown)",
            metadata: [
                "cert_name": name,
                "common_name": "",
                "serial_number": Hex.encode(certificate.serialNumber),
                "spiffe_id": certificate.spiffeID,
            ]
        )
        login.certificate = certificate
        login.endsBefore = certificate.notAfter
        return login
    }
}

extension ControlPlane {
    /// Logins of workloads by certificate.
    package var certificateLogins: CertificateLogins { CertificateLogins(self) }
}
