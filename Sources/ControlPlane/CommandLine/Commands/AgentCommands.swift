import HTTP
import Mesh
import Wire

/// Hosts and how they join.
enum AgentCommands {
    private static let nameOperand = Command.Operand(
        name: "NAME",
        summary: "the name of the agent"
    )

    static let all = [
        Command(
            "agent invite",
            "make a join token for a host, and the agent itself if it is new",
            operands: [nameOperand],
            options: [
                Command.Option(
                    name: "--place",
                    value: "SERVICE",
                    summary: "a service that the agent may host from then on",
                    isRepeatable: true
                ),
                Command.Option(
                    name: "--ttl",
                    value: "DURATION",
                    summary: "how long the token can be redeemed, up to 1h"
                ),
                .description,
            ],
            requests: [
                "GET /v1/agents/{agent}", "PUT /v1/agents/{agent}",
                "POST /v1/agents/{agent}/join-tokens",
            ],
            notes: [
                "The token goes to standard output, everything else to standard error:"
                    + " `turnpike agent invite host-1 > join.token`."
            ],
            operation: invite
        ),
        Command(
            "agent list",
            "list agents: what they enforce, how far behind they are, when they were last seen",
            options: [.limit],
            requests: ["GET /v1/agents", "GET /v1/status"],
            operation: list
        ),
        Command(
            "agent show",
            "show an agent",
            operands: [nameOperand],
            requests: ["GET /v1/agents/{agent}"]
        ) { invocation, session async throws(Failure) in
            session.printResource(try await session.get(try path(invocation)), invocation)
        },
        Command(
            "agent delete",
            "delete an agent and revoke its certificates",
            operands: [nameOperand],
            options: Command.Option.writing,
            requests: ["DELETE /v1/agents/{agent}"]
        ) { invocation, session async throws(Failure) in
            let answer = try await session.write(.delete, try path(invocation), invocation)
            return session.conclude(
                answer,
                invocation,
                "deleted at revision \(answer.shown("revision"))\n"
            )
        },
    ]

    private static func name(_ invocation: Invocation) throws(Failure) -> AgentName {
        try invocation.operand("NAME") { text throws(NameError) in try AgentName(text) }
    }

    private static func path(_ invocation: Invocation) throws(Failure) -> APIPath {
        APIPath("agents", try name(invocation).text)
    }

    private static func invite(
        _ invocation: Invocation,
        _ session: Session
    ) async throws(Failure) -> ExitCode {
        let name = try name(invocation)
        var services: [ServiceName] = []
        for text in invocation.all("--place") {
            services.append(
                try Invocation.value(text, of: "--place") { text throws(NameError) in
                    try ServiceName(text)
                }
            )
        }
        let lifetime = try invocation.duration("--ttl")
        let path = APIPath("agents", name.text)
        if try await session.find(path) == nil {
            let body = Document.fields([
                "description": invocation.option("--description").map { .string($0) }
            ])
            _ = try await session.send(.put, path, body: body)
            session.note("agent \(name) created\n")
        }
        let answer = try await session.send(
            .post,
            APIPath("agents", name.text, "join-tokens"),
            body: .fields([
                "placements": .list(services.map(\.description)),
                "ttl": lifetime.map { .duration($0) },
            ])
        )
        if invocation.isJSON {
            session.printJSON(answer)
            return .success
        }
        guard let token = answer["token"]?.text else {
            throw Failure(.unreachable, "the server's answer holds no join token")
        }
        let end = answer["expires_at"]?.text.map { " until \($0)" } ?? ""
        session.note(
            "On the host of \(name), as root, with the token below in a file of mode 0600"
                + "\(Terminal.line(end)):\n\n  turnpike-agent join --token-file FILE\n\n"
        )
        session.print(token + "\n")
        return .success
    }

    private static func list(
        _ invocation: Invocation,
        _ session: Session
    ) async throws(Failure) -> ExitCode {
        let limit = try invocation.number("--limit", in: 1...100_000)
        let (items, next) = try await session.list(APIPath("agents"), limit: limit)
        let latest = invocation.isJSON ? nil : await revision(session)
        let now = session.surroundings.now()
        return session.printList(
            items,
            [
                Column("AGENT", "name"), Column("STATE", "state"),
                Column("REVISION") { $0.enforcedRevision?.shown ?? Document.absentMark },
                Column("LAG") { agent in
                    guard let latest, let own = agent.enforcedRevision?.integer else {
                        return Document.absentMark
                    }
                    return "\(max(0, latest - own))"
                },
                Column("LAST SEEN") { Age.text($0["last_seen"], now: now) },
                Column("OUTAGE BUDGET") { agent in
                    agent["budget_seconds"]?.integer.map(Age.rounded) ?? Document.absentMark
                },
                Column("MESH ADDRESS", "mesh_address"), Column("VERSION", "version"),
            ],
            invocation,
            next: next
        )
    }

    /// The last revision; nil for those who may not read it.
    private static func revision(_ session: Session) async -> Int64? {
        let status = try? await session.get(APIPath("status"))
        return status?["revision"]?.integer
    }
}

extension Document {
    /// What an agent acknowledged last, apart from the revision of its own row.
    fileprivate var enforcedRevision: Document? {
        self["enforced_revision"] ?? self["acknowledged_revision"]
    }
}
