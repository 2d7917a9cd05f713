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
            requests: ["PUT /v1/agents/{agent}", "POST /v1/agents/{agent}/join-tokens"],
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
            requests: ["GET /v1/agents"],
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
            "agent revoke",
            "put an agent out: its certificates and join tokens count no longer",
            operands: [nameOperand],
            options: Command.Option.writing,
            requests: ["DELETE /v1/agents/{agent}"]
        ) { invocation, session async throws(Failure) in
            let answer = try await session.write(.delete, try path(invocation), invocation)
            RevocationCommands.noteTooOld(answer, invocation, session)
            // An older server does not say it.
            let denied = answer["certificates"]?.integer.map { ": \($0) certificates are denied" }
            return session.conclude(
                answer,
                invocation,
                "revoked at revision \(answer.shown("revision"))\(denied ?? "")\n"
            )
        },
    ]

    private static let agentOperand = Command.Operand(
        name: "AGENT",
        summary: "the name of the agent"
    )

    static let joinTokens = [
        Command(
            "join-token list",
            "list the join tokens of an agent, without their secrets",
            operands: [agentOperand],
            requests: ["GET /v1/agents/{agent}/join-tokens"]
        ) { invocation, session async throws(Failure) in
            let answer = try await session.get(try joinTokensPath(invocation))
            let now = session.surroundings.now()
            return session.printList(
                answer.list("items"),
                [
                    Column("ID", "id"), Column("CREATED BY", "created_by"),
                    Column("EXPIRES") { Age.text($0["expires_at"], now: now) },
                    Column("REDEEMED") { Age.text($0["redeemed_at"], now: now) },
                    Column("REVOKED") { Age.text($0["revoked_at"], now: now) },
                ],
                invocation
            )
        },
        Command(
            "join-token revoke",
            "end a join token before its time",
            operands: [
                agentOperand, Command.Operand(name: "ID", summary: "from `join-token list`"),
            ],
            requests: ["DELETE /v1/agents/{agent}/join-tokens/{id}"]
        ) { invocation, session async throws(Failure) in
            let id = try invocation.operand("ID")
            let path = try joinTokensPath(invocation, id)
            return session.conclude(
                try await session.send(.delete, path),
                invocation,
                "revoked\n"
            )
        },
    ]

    private static func joinTokensPath(
        _ invocation: Invocation,
        _ id: String...
    ) throws(Failure) -> APIPath {
        let agent = try invocation.operand("AGENT") { text throws(NameError) in
            try AgentName(text)
        }
        return APIPath(["agents", agent.text, "join-tokens"] + id)
    }

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
        if let description = invocation.option("--description") {
            let body = Document.fields(["description": .string(description)])
            _ = try await session.send(.put, APIPath("agents", name.text), body: body)
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
        let now = session.surroundings.now()
        return session.printList(
            items,
            [
                Column("AGENT", "name"), Column("STATE", "state"),
                Column("REVISION", "enforced_revision"), Column("LAG", "lag"),
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
}
