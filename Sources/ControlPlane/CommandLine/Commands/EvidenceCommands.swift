import Mesh
import Wire

/// What is and what happened: status, explain, audit, certificates.
enum EvidenceCommands {
    static let all = [
        Command(
            "status",
            "show what the server and its cluster look like",
            requests: ["GET /v1/status"]
        ) { invocation, session async throws(Failure) in
            let status = try await session.get(APIPath("status"))
            if invocation.isJSON {
                session.printJSON(status)
            } else {
                session.print(StatusText.text(status, now: session.surroundings.now()))
            }
            return .success
        },
        Command(
            "explain",
            "tell why a source may or may not reach a destination, or what became of an id",
            operands: [
                Command.Operand(
                    name: "SOURCE|ID",
                    summary: "a service; alone the id of a decision, connection or request"
                ),
                Command.Operand(
                    name: "DESTINATION",
                    summary: "a service",
                    isOptional: true
                ),
            ],
            requests: ["GET /v1/explain"],
            notes: ["Exits with 0 when the answer is allow, with 1 when it is deny."],
            operation: explain
        ),
        Command(
            "audit list",
            "list what happened, newest first",
            options: auditFilters + [
                Command.Option(
                    name: "--limit",
                    value: "N",
                    summary: "print at most so many; 50 unless given"
                ),
                Command.Option(
                    name: "--after",
                    value: "MARK",
                    summary: "continue a list where it stopped"
                ),
            ],
            requests: ["GET /v1/audit"],
            operation: listAudit
        ),
        Command(
            "audit verify",
            "recompute the hash chain of every writer, or of one",
            options: [
                Command.Option(name: "--writer", value: "NAME", summary: "only this chain")
            ],
            requests: ["GET /v1/audit/heads", "GET /v1/audit/verification"],
            notes: ["Exits with 1 when a chain is broken."],
            operation: verifyAudit
        ),
        Command(
            "ca",
            "show the certificate authorities of the mesh",
            requests: ["GET /v1/ca"]
        ) { invocation, session async throws(Failure) in
            let answer = try await session.get(APIPath("ca"))
            if invocation.isJSON {
                session.printJSON(answer)
            } else {
                session.print(AuthorityText.text(answer, now: session.surroundings.now()))
            }
            return .success
        },
        Command(
            "certificate list",
            "list certificates that were issued",
            options: certificateFilters + [.limit],
            requests: ["GET /v1/ca/certificates"]
        ) { invocation, session async throws(Failure) in
            let limit = try invocation.number("--limit", in: 1...100_000)
            let path = try invocation.filtered(
                APIPath("ca", "certificates"),
                by: certificateFilters
            )
            let (items, next) = try await session.list(path, limit: limit)
            let now = session.surroundings.now()
            return session.printList(
                items,
                [
                    Column("SERIAL", "serial"), Column("KIND", "kind"),
                    Column("SPIFFE ID", "spiffe_id"), Column("AGENT", "agent"),
                    Column("EXPIRES") { Age.text($0["not_after"], now: now) },
                    Column("REVOKED") { Age.text($0["revoked_at"], now: now) },
                ],
                invocation,
                next: next
            )
        },
    ]

    private static func explain(
        _ invocation: Invocation,
        _ session: Session
    ) async throws(Failure) -> ExitCode {
        let first = try invocation.operand("SOURCE|ID")
        let path: APIPath
        if let destination = invocation.operands["DESTINATION"] {
            func service(_ text: String, _ name: String) throws(Failure) -> String {
                try Invocation.value(text, of: name) { text throws(NameError) in
                    try ServiceName(text)
                }.description
            }
            path = APIPath("explain").with("source", try service(first, "SOURCE"))
                .with("destination", try service(destination, "DESTINATION"))
        } else {
            guard let id = try? UUIDv7(parsing: first) else {
                throw .usage(
                    "one argument alone is the id of a decision or a request, and this is none",
                    hint: "for two services: turnpike explain SOURCE DESTINATION"
                )
            }
            path = APIPath("explain").with("id", id.description)
        }
        let answer = try await session.get(path)
        if invocation.isJSON {
            session.printJSON(answer)
        } else {
            session.print(ExplanationText.text(answer, now: session.surroundings.now()))
        }
        return answer.shown("verdict") == "allow" ? .success : .difference
    }

    private static let auditFilters = [
        Command.Option(
            name: "--actor",
            value: "TEXT",
            summary: "who acted, such as token/ACCESSOR"
        ),
        Command.Option(
            name: "--action",
            value: "TEXT",
            summary: "what was done, such as token.create"
        ),
        Command.Option(
            name: "--resource",
            value: "PATH",
            summary: "the beginning of the resource's path"
        ),
        Command.Option(
            name: "--outcome",
            value: "TEXT",
            summary: "how it ended, such as success"
        ),
        Command.Option(name: "--request", value: "ID", summary: "the request that caused it"),
        Command.Option(name: "--since", value: "TIME", summary: "from this time on"),
        Command.Option(name: "--until", value: "TIME", summary: "before this time"),
    ]

    private static let auditLimitDefault = 50

    private static let certificateFilters = [
        Command.Option(
            name: "--spiffe-id",
            value: "ID",
            summary: "only those of this identity"
        ),
        Command.Option(
            name: "--agent",
            value: "AGENT",
            summary: "only what this agent asked for"
        ),
    ]

    private static func listAudit(
        _ invocation: Invocation,
        _ session: Session
    ) async throws(Failure) -> ExitCode {
        let limit = try invocation.number("--limit", in: 1...100_000) ?? auditLimitDefault
        _ = try invocation.timestamp("--since")
        _ = try invocation.timestamp("--until")
        let (items, next) = try await session.list(
            try invocation.filtered(APIPath("audit"), by: auditFilters),
            limit: limit,
            after: invocation.option("--after")
        )
        let code = session.printList(
            items,
            [
                Column("TIME", "at"), Column("ACTOR", "actor"), Column("ACTION", "action"),
                Column("RESOURCE", "resource"), Column("OUTCOME", "outcome"),
                Column("REVISION", "revision"), Column("REASON", "reason"),
            ],
            invocation,
            next: next
        )
        if let next, !invocation.isJSON {
            session.note("there is more: --after \(Terminal.line(next))\n")
        }
        return code
    }

    private static func verifyAudit(
        _ invocation: Invocation,
        _ session: Session
    ) async throws(Failure) -> ExitCode {
        var writers: [String] = []
        if let writer = invocation.option("--writer") {
            writers = [writer]
        } else {
            let heads = try await session.get(APIPath("audit", "heads"))
            writers = heads.list("items").compactMap { $0["writer"]?.text }
        }
        var verdicts: [Document] = []
        for writer in writers {
            let path = APIPath("audit", "verification").with("writer", writer)
            verdicts.append(try await session.get(path))
        }
        _ = session.printList(
            verdicts,
            [
                Column("WRITER", "writer"),
                Column("CHAIN") { $0["intact"]?.bool == true ? "intact" : "BROKEN" },
                Column("RECORDS", "records"), Column("LAST GOOD", "sequence"),
                Column("FAULT", "fault"),
            ],
            invocation
        )
        return verdicts.allSatisfy { $0["intact"]?.bool == true } ? .success : .difference
    }
}
