package import Control
import HTTP
import Mesh
import Wire

/// Who signs for the mesh, and everything that was signed.
package enum AuthorityRoutes {
    private static let certificate: Schema = .object([
        .readOnly("state", .text(), "What it is good for now"),
        .readOnly(
            "zone",
            .text(allowed: ["fresh", "late", "critical", "expired"]),
            "How close to its end: late from 80 % of its life on, critical from 90 %"
        ),
        .readOnly("certificate", .text(), "PEM"),
        .readOnly("sha256", .text(), "Hash of its DER"),
        .readOnly("not_before", .text(format: "date-time"), "From then on"),
        .readOnly("not_after", .text(format: "date-time"), "Until then"),
    ])

    private static let trust: Schema = .object([
        .readOnly("version", .integer(nil), "Each change makes a new one"),
        .readOnly("epoch", .integer(nil), "What snapshots must carry"),
        .readOnly("hash", .text(), "SHA-256 of the document; join tokens name it"),
        .readOnly("issued", .text(format: "date-time"), "When this version was made"),
        .readOnly("snapshot_keys", .list(.any), "Who signs snapshots, and from when until when"),
        .readOnly("trust_keys", .list(.text()), "Who signs the next version"),
        .readOnly("threshold", .integer(nil), "How many of them must"),
    ])

    private static let authorities: Schema = .object([
        .readOnly("trust_domain", .text(), "Whom all this is for"),
        .readOnly("roots", .list(certificate), "The roots in the trust document"),
        .readOnly(
            "root_key",
            .text(allowed: ["here", "outside"]),
            "Whether the root that signs can sign here, or only at its owner's"
        ),
        .readOnly("intermediates", .list(certificate), "What signs the leaves"),
        .readOnly("trust_document", trust, "The one that holds now"),
    ])

    private static let issued: Schema = .object([
        .readOnly("serial", .text(), "Hexadecimal"),
        .readOnly("kind", .text(allowed: ["service", "agent", "server"]), "Whose it is"),
        .readOnly("spiffe_id", .text(), "The identity"),
        .readOnly("agent", .text(), "The agent that asked for it"),
        .readOnly("service", .text(), "The service that it is for"),
        .readOnly("issuer", .text(format: "uuid"), "The intermediate that signed it"),
        .readOnly("key_sha256", .text(), "Hash of the public key"),
        .readOnly("not_before", .text(format: "date-time"), "From then on"),
        .readOnly("not_after", .text(format: "date-time"), "Until then"),
        .readOnly("revoked_at", .text(format: "date-time"), "When it was revoked"),
        .readOnly("revocation_reason", .text(), "Why it was revoked"),
    ])

    /// Reads the authority and its certificates.
    package static func routes(_ authority: AuthorityView) -> [Route] {
        [
            Route(
                .get,
                "/v1/ca",
                "getAuthority",
                room: "authority",
                "The roots and intermediates of the mesh, and its trust document",
                access: .resource(.read) { _ throws(ControlError) in "ca" }
            ) { _ throws(ControlError) in Answer(try authority.document()) }
            .answering(authorities),
            Route(
                .get,
                "/v1/ca/certificates",
                "listCertificates",
                room: "authority",
                "Every certificate that was issued, the latest first",
                access: .resource(.read) { _ throws(ControlError) in "ca/certificates" }
            ) { request throws(ControlError) in
                let (limit, after) = try request.page()
                let page = try await authority.certificates(
                    spiffeID: try request.parameter("spiffe_id"),
                    agent: try request.parameter("agent", as: AgentName.init),
                    after: after,
                    limit: limit
                )
                return .page(page.items, next: page.next)
            }
            .answeringPages(of: issued)
            .filtered(
                by: Route.Parameter("spiffe_id", .text(), "Only of this identity"),
                Route.Parameter("agent", .text(), "Only what this agent asked for")
            ),
        ]
    }
}
