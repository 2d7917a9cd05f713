package import Control
import HTTP
import Mesh
import Wire

/// An operator's own CA: a request to sign outside, and what comes back.
package enum AuthorityImportRoutes {
    private static let request: Schema = .object([
        .readOnly("csr", .text(), "The request, PKCS#10 in PEM"),
        .readOnly("key_sha256", .text(), "SHA-256 of its public key"),
        .readOnly("created_at", .text(format: "date-time"), "When it was made"),
        .readOnly("new", .boolean, "Whether this call made it"),
    ])

    private static let outcome: Schema = .object([
        .readOnly("summary", .text(), "What was done and what comes next"),
        .readOnly("proposal", .text(), "The next trust document, Base64, to be signed"),
        .readOnly("differences", .list(.text()), "What it does otherwise, a line each"),
        .readOnly("warnings", .list(.text()), "What works, but should be done otherwise"),
    ])

    /// Makes requests and takes certificates.
    package static func routes(_ imports: AuthorityImport) -> [Route] {
        [ask(imports), take(imports)]
    }

    private static func ask(_ imports: AuthorityImport) -> Route {
        Route(
            .post,
            "/v1/ca/csr",
            "requestIntermediate",
            room: "authority",
            "The request for an intermediate that an outside CA is to sign; made where none waits",
            access: .resource(.update) { _ throws(ControlError) in "ca/csr" }
        ) { request throws(ControlError) in
            let renewed = try request.read { value throws(FieldError) in
                try value.map { reader throws(FieldError) in
                    try reader.optionalBool("new") ?? false
                }
            }
            let made = try await imports.request(renewed: renewed, by: request.caller)
            return Answer(
                .fields([
                    "csr": .string(made.pem),
                    "key_sha256": .string(made.keyID),
                    "created_at": .timestamp(made.createdAt),
                    "new": .bool(made.isNew),
                ])
            )
        }
        .taking(
            .object([
                .optional("new", .boolean, "Forget the request that waits, with its key")
            ])
        )
        .answering(request)
    }

    private static func take(_ imports: AuthorityImport) -> Route {
        Route(
            .post,
            "/v1/ca/import",
            "importAuthority",
            room: "authority",
            "Takes an operator's CA in: a certificate for the request that waits, or one with its key",
            access: .resource(.update) { _ throws(ControlError) in "ca/import" }
        ) { request throws(ControlError) in
            let outcome = try await imports.take(try material(request), by: request.caller)
            return Answer(
                .fields([
                    "summary": .string(outcome.summary),
                    "proposal": outcome.encodedProposal.map { .string(Base64.encode($0)) },
                    "differences": .list(outcome.differences),
                    "warnings": .list(outcome.warnings),
                ])
            )
        }
        .taking(
            .object([
                .required("certificate", .text(), "PEM: the CA that is to sign, or a root"),
                .optional(
                    "chain",
                    .text(),
                    "PEM: every CA above it up to its root; left out for a root alone"
                ),
                .optional(
                    "private_key",
                    .text(),
                    "PKCS#8 in PEM, sealed and never shown again; left out for the request that waits"
                ),
            ]),
            limit: 3 * AuthorityImport.textBytesMax
        )
        .answering(outcome)
    }

    private static func material(
        _ request: RouteRequest
    ) throws(ControlError) -> AuthorityImport.Material {
        let text = 0...AuthorityImport.textBytesMax
        return try request.read { value throws(FieldError) in
            try value.map { reader throws(FieldError) in
                AuthorityImport.Material(
                    certificate: try reader.required("certificate").string(bytes: text),
                    chain: try reader.optional("chain")?.string(bytes: text) ?? "",
                    privateKey: try reader.optional("private_key")?.string(bytes: text)
                )
            }
        }
    }
}
