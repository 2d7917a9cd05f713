import Control
import HTTP
import Mesh
import Wire

/// Asking for a credential, and what may be done with one.
enum LeaseHolderRoutes {
    private static let fields: [Schema.Field] = [
        .readOnly("lease_id", .text(), "Its name: database/creds/<profile>/<26 characters>"),
        .readOnly("profile", .text(), "What it may do"),
        .readOnly("target", .text(), "Where"),
        .readOnly("principal", .text(), "Who asked"),
        .readOnly("state", .text(allowed: LeaseState.allCases.map(\.rawValue)), "Where it is"),
        .readOnly("issued_at", .text(format: "date-time"), "When it was given out"),
        .readOnly("renewed_at", .text(format: "date-time"), "When it was last renewed"),
        .readOnly("expires_at", .text(format: "date-time"), "When it ends"),
        .readOnly("max_expires_at", .text(format: "date-time"), "When it ends at the latest"),
        .readOnly("end_reason", .text(), "Why it was ended before its time"),
        .readOnly(
            "access_ended_at",
            .text(format: "date-time"),
            "When nobody could use it any more"
        ),
        .readOnly("cleaned_at", .text(format: "date-time"), "When nothing of it was left"),
        .readOnly("last_error", .text(), "Why it could not be ended yet"),
    ]
    private static let shape: Schema = .object(fields)
    private static let issued: Schema = .object(
        fields + [
            .readOnly("username", .text(), "The role"),
            .readOnly(
                "password",
                .text(),
                "Shown this once, and kept nowhere; absent where a verifier was sent"
            ),
            .readOnly("lease_duration", .integer(nil), "Seconds until it ends"),
            .readOnly("warnings", .list(.text()), "What was cut from what was asked for"),
        ]
    )
    private static let renewed: Schema = .object(
        fields + [
            .readOnly("lease_duration", .integer(nil), "Seconds until it ends"),
            .readOnly("warnings", .list(.text()), "What was cut from what was asked for"),
        ]
    )

    static func routes(_ control: ControlPlane) -> [Route] {
        [
            issue(control), list(control), get(control), renew(control), revoke(control),
            release(control),
        ]
    }

    private static func issue(_ control: ControlPlane) -> Route {
        Route(
            .post,
            "/v1/leases",
            "issueLease",
            room: "leases",
            "Ask for a credential; the same idempotency_key gives the same role another password",
            access: .objects { request throws(ControlError) in
                [RequiredRight(.read, on: Leases.path(try wanted(request).request.profile))]
            }
        ) { request throws(ControlError) in
            let (wanted, verifier) = try wanted(request)
            guard let verifier else {
                let role = try await control.leases.issue(wanted, by: request.caller)
                var answer = role.lease.document
                describe(role.username, role.remaining, role.warnings, in: &answer)
                answer.set("password", .string(role.password))
                return Answer(answer)
            }
            let role = try await control.leases.issue(
                wanted,
                verifier: verifier,
                by: request.caller
            )
            var answer = role.lease.document
            describe(role.username, role.remaining, role.warnings, in: &answer)
            return Answer(answer)
        }
        .taking(
            .object([
                .required("profile", .text(), "What for"),
                .optional(
                    "ttl",
                    .text(example: "10m"),
                    "How long; what the profile says if absent"
                ),
                .optional("idempotency_key", .text(), "Names this request, 1 to 255 bytes"),
                .optional(
                    "verifier",
                    .text(example: "SCRAM-SHA-256$4096:<salt>$<StoredKey>:<ServerKey>"),
                    "Of a password of your own, which then nobody else ever has"
                ),
            ])
        )
        .answering(issued, status: .created)
    }

    private static func describe(
        _ username: String,
        _ remaining: Duration,
        _ warnings: [String],
        in answer: inout Document
    ) {
        answer.set("username", .string(username))
        answer.set("lease_duration", .number(remaining.components.seconds))
        answer.set("warnings", .list(warnings))
    }

    private static func wanted(
        _ request: RouteRequest
    ) throws(ControlError) -> (request: LeaseRequest, verifier: SCRAMVerifier?) {
        try request.read { value throws(FieldError) in
            try value.map { reader throws(FieldError) in
                (
                    LeaseRequest(
                        profile: try reader.required("profile").profileName(),
                        ttl: try reader.optionalDuration(
                            "ttl",
                            in: .seconds(1)...(.seconds(86_400))
                        ),
                        idempotencyKey: try reader.optionalString(
                            "idempotency_key",
                            bytes: 1...LeaseRequest.idempotencyKeyBytesMax
                        )
                    ),
                    try reader.optional("verifier")?.scramVerifier()
                )
            }
        }
    }

    private static func list(_ control: ControlPlane) -> Route {
        Route(
            .get,
            "/v1/leases",
            "listLeases",
            room: "leases",
            "Open leases in the order in which they were asked for; all=true for those that ended too",
            access: .resource(.list) { request throws(ControlError) in
                try profile(request).map { "leases/\($0)" } ?? "leases"
            }
        ) { request throws(ControlError) in
            let (limit, after) = try request.page()
            var id: UUIDv7?
            if let after {
                guard let parsed = try? UUIDv7(parsing: after) else {
                    throw .invalid("request.query", field: "after", "must be the `next` of a page")
                }
                id = parsed
            }
            let all = try request.parameter("all")
            guard all == nil || all == "true" || all == "false" else {
                throw .invalid("request.query", field: "all", "must be true or false")
            }
            let page = try await control.leases.page(
                of: try profile(request),
                openOnly: all != "true",
                after: id,
                limit: limit,
                for: request.caller
            )
            return .page(page.items, next: page.next)
        }
        .filtered(
            by: .init("profile", .text(), "Only those of a profile"),
            .init("all", .boolean, "Also those that have ended")
        )
        .answeringPages(of: shape)
    }

    private static func profile(_ request: RouteRequest) throws(ControlError) -> ProfileName? {
        try request.parameter("profile") { text throws(NameError) in try ProfileName(text) }
    }

    private static let template = "/v1/leases/database/creds/{profile}/{lease}"

    private static func get(_ control: ControlPlane) -> Route {
        Route(
            .get,
            template,
            "getLease",
            room: "leases",
            "One lease; never its credential",
            access: .resource(.read, path)
        ) { request throws(ControlError) in
            Answer(try await control.leases.find(try name(request)).document)
        }
        .answering(shape)
    }

    private static func renew(_ control: ControlPlane) -> Route {
        Route(
            .post,
            template + "/renew",
            "renewLease",
            room: "leases",
            "Let a lease live longer, counted from now, up to its latest end",
            access: .resource(.update, path)
        ) { request throws(ControlError) in
            let increment = try request.read { value throws(FieldError) in
                try value.map { reader throws(FieldError) in
                    try reader.optionalDuration("increment", in: .seconds(1)...(.seconds(86_400)))
                }
            }
            let (lease, remaining, warnings) = try await control.leases.renew(
                try name(request),
                by: increment,
                by: request.caller
            )
            var document = lease.document
            document.set("lease_duration", .number(remaining.components.seconds))
            document.set("warnings", .list(warnings))
            return Answer(document)
        }
        .taking(.object([.optional("increment", .text(example: "10m"), "How long from now")]))
        .answering(renewed)
    }

    private static func revoke(_ control: ControlPlane) -> Route {
        Route(
            .delete,
            template,
            "revokeLease",
            room: "leases",
            "End a lease for ever; sync=true waits until its access has ended",
            access: .resource(.delete, path)
        ) { request throws(ControlError) in
            let sync = try request.parameter("sync")
            guard sync == nil || sync == "true" || sync == "false" else {
                throw .invalid("request.query", field: "sync", "must be true or false")
            }
            let lease = try await control.leases.revoke(
                try name(request),
                isAwaited: sync == "true",
                by: request.caller
            )
            return Answer(lease.document, status: lease.isOver ? .ok : .accepted)
        }
        .filtered(by: .init("sync", .boolean, "Wait, at most 10 s"))
        .answering(shape)
    }

    private static func release(_ control: ControlPlane) -> Route {
        Route(
            .post,
            "/v1/leases/release",
            "releaseLeases",
            room: "leases",
            "Let leases end by themselves again after a restore",
            access: .resource(.sudo) { _ throws(ControlError) in "leases" }
        ) { request throws(ControlError) in
            Answer(
                .fields(["released": .bool(try await control.leases.release(by: request.caller))])
            )
        }
        .answering(.object([.readOnly("released", .boolean, "Whether they were held")]))
    }

    private static func name(_ request: RouteRequest) throws(ControlError) -> LeaseID {
        let profile = try LeaseRoutes.profileName(request)
        return try request.capture("lease") { text throws(NameError) in
            try LeaseID("\(LeaseID.pathPrefix)\(profile)/\(text)")
        }
    }

    private static let path: RouteRequest.PathDerivation = { request throws(ControlError) in
        Leases.path(try name(request))
    }
}
