import Control
import Mesh
import Wire

/// A role of the login `cert` as clients of Vault write it below `certs/`, and read it.
extension CertificateRole: VaultLoginRole {
    /// The authority is always the mesh's, of which `certificate` may name one root: other constraints
    /// than on that and the SPIFFE id are refused, not passed over.
    static func read(
        _ fields: VaultFields,
        _ old: CertificateRole?
    ) throws(ControlError) -> CertificateRole {
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

    var fields: Document {
        var data = Document.fields([
            "allowed_uri_sans": .list(identities),
            "root_fingerprint": .string(root),
            "display_name": .string(displayName),
        ])
        for (name, value) in TokenGrantFields.show(grant) { data.set(name, value) }
        return data
    }
}
