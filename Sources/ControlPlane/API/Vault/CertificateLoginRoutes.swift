import Control
import HTTP
import Mesh
import Wire

/// The roles of the login by certificate, as clients of Vault write them below `certs/`.
enum CertificateLoginRoutes {
    static func routes(_ control: ControlPlane) -> [Route] {
        [
            route(.list, "", "vaultListCertificateRoles", "The names of the roles of a login") {
                mount,
                _ throws(ControlError) in
                .keys(try await control.certificateLogins.roles(mount), mountType: "cert")
            },
            route(.get, "/{role}", "vaultReadCertificateRole", "One role of a login by certificate")
            {
                mount,
                request throws(ControlError) in
                let name = request.capture("role")
                guard let role = try await control.certificateLogins.role(name, at: mount) else {
                    throw .notFound(Complaint("auth.not_found", "there is no such role"))
                }
                return .data(show(role), mountType: "cert")
            },
            route(
                .post,
                "/{role}",
                "vaultWriteCertificateRole",
                "Say which workloads log in by their certificate, and what the login gives"
            ) { mount, request throws(ControlError) in
                try await control.certificateLogins.put(
                    read(VaultFields(request.body)),
                    named: request.capture("role"),
                    at: mount,
                    by: request.caller
                )
                return .nothing
            },
            route(
                .delete,
                "/{role}",
                "vaultDeleteCertificateRole",
                "Remove a role; tokens that it gave live on"
            ) { mount, request throws(ControlError) in
                try await control.certificateLogins.removeRole(
                    request.capture("role"),
                    at: mount,
                    by: request.caller
                )
                return .nothing
            },
        ]
    }

    private static func route(
        _ method: Method,
        _ suffix: String,
        _ name: String,
        _ summary: String,
        _ operation:
            @escaping @Sendable (String, RouteRequest) async throws(ControlError) -> VaultReply
    ) -> Route {
        Route.vault(
            method,
            "/v1/auth/{mount}/certs\(suffix)",
            name,
            room: LoginRoutes.room,
            summary
        ) { request throws(ControlError) in
            let mount = request.capture("mount")
            return try await LoginRoutes.orAbsent(mount) { () async throws(ControlError) in
                try await operation(mount, request)
            }
        }
    }

    /// The authority is always the mesh's, of which `certificate` may name one root: other constraints
    /// than on that and the SPIFFE id are refused, not passed over.
    private static func read(_ fields: VaultFields) throws(ControlError) -> CertificateRole {
        for name in [
            "allowed_names", "allowed_common_names", "allowed_dns_sans",
            "allowed_email_sans", "allowed_organizational_units", "required_extensions",
            "ocsp_ca_certificates",
        ] {
            guard try fields.texts(name)?.allSatisfy(\.isEmpty) ?? true else {
                throw VaultFields.wrong(
                    name,
                    "workloads are verified under the mesh's authority by allowed_uri_sans only"
                )
            }
        }
        var role = CertificateRole()
        role.identities = try fields.texts("allowed_uri_sans") ?? []
        guard role.identities.count <= CertificateRole.boundsMax,
            role.identities.allSatisfy({ (1...TextGlob.bytesMax).contains($0.utf8.count) })
        else {
            throw VaultFields.wrong(
                "allowed_uri_sans",
                "must have at most \(CertificateRole.boundsMax) SPIFFE ids"
            )
        }
        if let text = try fields.text("certificate"), !text.isEmpty {
            guard let root = CertificateLogins.root(ofPEM: text) else {
                throw VaultFields.wrong("certificate", "must be one root of the mesh, PEM")
            }
            role.root = root
        }
        role.displayName = try fields.text("display_name") ?? ""
        guard role.displayName.utf8.count <= AuthMounts.nameBytesMax,
            Text.isPrintable(role.displayName)
        else { throw VaultFields.wrong("display_name", "must be short and printable") }
        role.grant = try TokenGrantFields.read(fields)
        return role
    }

    private static func show(_ role: CertificateRole) -> Document {
        var data = Document.fields([
            "allowed_uri_sans": .list(role.identities),
            "root_fingerprint": .string(role.root),
            "display_name": .string(role.displayName),
        ])
        for (name, value) in TokenGrantFields.show(role.grant) { data.set(name, value) }
        return data
    }
}
