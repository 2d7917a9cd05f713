import HTTP
import Mesh
import Reactor
import Wire

/// Credentials with an end.
enum LeaseCommands {
    private static let lease = Command.Operand(
        name: "LEASE",
        summary: "the name of a lease, such as database/creds/reader/…"
    )
    private static let template = "/v1/leases/database/creds/{profile}/{lease}"

    static let all = [issueCommand, listCommand, showCommand, renewCommand, revokeCommand, release]

    // MARK: Issue

    private static let issueCommand = Command(
        "lease issue",
        "ask for a credential; it is shown this once",
        operands: [TargetCommands.profileName],
        options: [
            Command.Option(
                name: "--ttl",
                value: "DURATION",
                summary: "how long; what the profile says unless given"
            ),
            Command.Option(
                name: "--pgpass",
                value: "FILE",
                summary:
                    "write user and password there for PGPASSFILE, mode 0600, and print no password"
            ),
            Command.Option(
                name: "--idempotency-key",
                value: "TEXT",
                summary: "names the request: repeating it gives the same role another password"
            ),
        ],
        requests: ["POST /v1/leases"],
        notes: [
            "`turnpike lease issue reader --pgpass FILE`, then `PGPASSFILE=FILE psql -U USERNAME …`."
        ]
    ) { invocation, session async throws(Failure) in
        let profile = try invocation.operand("PROFILE") { text throws(NameError) in
            try ProfileName(text)
        }
        let answer = try await session.send(
            .post,
            APIPath("leases"),
            body: .fields([
                "profile": .string(profile.text),
                "ttl": try invocation.duration("--ttl").map { .duration($0) },
                "idempotency_key": invocation.option("--idempotency-key").map { .string($0) },
            ])
        )
        return try show(answer, invocation, session)
    }

    private static func show(
        _ answer: Document,
        _ invocation: Invocation,
        _ session: Session
    ) throws(Failure) -> ExitCode {
        guard let username = answer["username"]?.text, let password = answer["password"]?.text
        else {
            throw Failure(.unreachable, "the server's answer holds no credential")
        }
        var shown = Document.fields([:])
        for name in ["lease_id", "username", "password", "expires_at", "max_expires_at"] {
            shown.set(name, answer[name] ?? .null)
        }
        var whole = answer
        if let file = invocation.option("--pgpass") {
            do throws(FileError) {
                try FileSystem.replace(file, with: Array("*:*:*:\(username):\(password)\n".utf8))
            } catch {
                throw .usage(
                    "--pgpass: \(error)",
                    hint: "end the lease: turnpike lease revoke \(answer.shown("lease_id"))"
                )
            }
            shown = shown.without("password")
            whole = whole.without("password")
        }
        for warning in answer.list("warnings") { session.note("\(Terminal.line(warning.shown))\n") }
        return session.printResource(invocation.isJSON ? whole : shown, invocation)
    }

    // MARK: Look

    private static let listCommand = Command(
        "lease list",
        "list open leases that the token may read",
        options: [
            Command.Option(
                name: "--profile",
                value: "PROFILE",
                summary: "only those of this profile"
            ),
            Command.Option(name: "--all", value: nil, summary: "also those that have ended"),
            .limit,
        ],
        requests: ["GET /v1/leases"]
    ) { invocation, session async throws(Failure) in
        let limit = try invocation.number("--limit", in: 1...100_000)
        let path = APIPath("leases").with("profile", invocation.option("--profile"))
            .with("all", invocation.has("--all") ? "true" : nil)
        let (items, next) = try await session.list(path, limit: limit)
        let now = session.surroundings.now()
        return session.printList(
            items,
            [
                Column("LEASE", "lease_id"), Column("TARGET", "target"),
                Column("PRINCIPAL", "principal"), Column("STATE", "state"),
                Column("EXPIRES") { Age.text($0["expires_at"], now: now) },
                Column("ACCESS ENDED") { Age.text($0["access_ended_at"], now: now) },
                Column("REASON", "end_reason"), Column("ERROR", "last_error"),
            ],
            invocation,
            next: next
        )
    }

    private static let showCommand = Command(
        "lease show",
        "show a lease; never its credential",
        operands: [lease],
        requests: ["GET \(template)"]
    ) { invocation, session async throws(Failure) in
        session.printResource(try await session.get(try path(invocation)), invocation)
    }

    // MARK: Renew and end

    private static let renewCommand = Command(
        "lease renew",
        "let a lease live longer, counted from now, up to its latest end",
        operands: [lease],
        options: [
            Command.Option(
                name: "--increment",
                value: "DURATION",
                summary: "how long from now; what the profile says unless given"
            )
        ],
        requests: ["POST \(template)/renew"]
    ) { invocation, session async throws(Failure) in
        let answer = try await session.send(
            .post,
            try path(invocation, "renew"),
            body: .fields([
                "increment": try invocation.duration("--increment").map { .duration($0) }
            ])
        )
        for warning in answer.list("warnings") { session.note("\(Terminal.line(warning.shown))\n") }
        return session.conclude(
            answer,
            invocation,
            "lives until \(answer.shown("expires_at")), at the latest until"
                + " \(answer.shown("max_expires_at"))\n"
        )
    }

    private static let revokeCommand = Command(
        "lease revoke",
        "end a lease for ever",
        operands: [lease],
        options: [
            Command.Option(
                name: "--sync",
                value: nil,
                summary: "answer when nobody has access by it any more, or after 10s"
            )
        ],
        requests: ["DELETE \(template)"]
    ) { invocation, session async throws(Failure) in
        let isAwaited = invocation.has("--sync")
        let answer = try await session.send(
            .delete,
            try path(invocation).with("sync", isAwaited ? "true" : nil)
        )
        guard let end = answer["access_ended_at"]?.text else {
            let code = session.conclude(answer, invocation, "revoked; its access is being ended\n")
            return isAwaited ? .waitTimedOut : code
        }
        return session.conclude(answer, invocation, "revoked; its access ended at \(end)\n")
    }

    private static let release = Command(
        "lease release",
        "let leases end by themselves again after a restore",
        requests: ["POST /v1/leases/release"]
    ) { invocation, session async throws(Failure) in
        let answer = try await session.send(.post, APIPath("leases", "release"), body: .fields([:]))
        let text = answer["released"]?.bool == true ? "released\n" : "nothing was held\n"
        return session.conclude(answer, invocation, text)
    }

    private static func path(
        _ invocation: Invocation,
        _ rest: String...
    ) throws(Failure) -> APIPath {
        let name = try invocation.operand("LEASE") { text throws(NameError) in try LeaseID(text) }
        return APIPath(["leases", "database", "creds", name.profile.text, name.key] + rest)
    }
}

extension Document {
    /// The map without one of its fields.
    fileprivate func without(_ field: String) -> Document {
        Document(.map((entries ?? []).filter { $0.key != field }))
    }
}
