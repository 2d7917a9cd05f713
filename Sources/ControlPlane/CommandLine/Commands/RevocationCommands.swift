import HTTP
import Mesh
import Wire

/// Putting identities out before their certificates end.
enum RevocationCommands {
    private static let serviceOperand = Command.Operand(
        name: "SERVICE",
        summary: "`name`, or `namespace/name`; `web` is `default/web`"
    )
    private static let reason = Command.Option(
        name: "--reason",
        value: "TEXT",
        summary: "why, for people and the audit trail"
    )

    static let all = [
        Command(
            "revoke identity",
            "sign no more for a service, deny its certificates and cut its connections",
            operands: [serviceOperand],
            options: [reason] + Command.Option.writing,
            requests: ["PUT /v1/ca/revocations/services/{namespace}/{service}"],
            notes: [
                "With `--wait enforced` it tells how long it took until every live agent had cut"
                    + " the connections."
            ]
        ) { invocation, session async throws(Failure) in
            let service = try service(invocation)
            return try await revoke(path(of: service), service.description, invocation, session)
        },
        Command(
            "revoke agent",
            "put an agent out and deny every certificate that it holds, of services too",
            operands: [Command.Operand(name: "NAME", summary: "the name of the agent")],
            options: [reason] + Command.Option.writing,
            requests: ["PUT /v1/ca/revocations/agents/{agent}"]
        ) { invocation, session async throws(Failure) in
            let name: AgentName = try invocation.operand("NAME") { text throws(NameError) in
                try AgentName(text)
            }
            let path = APIPath("ca", "revocations", "agents", name.text)
            return try await revoke(path, name.text, invocation, session)
        },
        Command(
            "revoke list",
            "list the services that nothing is signed for",
            requests: ["GET /v1/ca/revocations"]
        ) { invocation, session async throws(Failure) in
            let answer = try await session.get(APIPath("ca", "revocations"))
            let now = session.surroundings.now()
            return session.printList(
                answer.list("items"),
                [
                    Column("SERVICE", "service"), Column("REASON", "reason"),
                    Column("REVOKED") { Age.text($0["revoked_at"], now: now) },
                    Column("BY", "revoked_by"),
                ],
                invocation
            )
        },
        Command(
            "identity allow",
            "sign for a revoked service again; what was denied stays denied",
            operands: [serviceOperand],
            options: Command.Option.writing,
            requests: ["DELETE /v1/ca/revocations/services/{namespace}/{service}"]
        ) { invocation, session async throws(Failure) in
            let service = try service(invocation)
            let answer = try await session.write(.delete, path(of: service), invocation)
            return session.conclude(
                answer,
                invocation,
                "\(service) is allowed again at revision \(answer.shown("revision"))\n"
            )
        },
    ]

    private static func revoke(
        _ path: APIPath,
        _ name: String,
        _ invocation: Invocation,
        _ session: Session
    ) async throws(Failure) -> ExitCode {
        let body = Document.fields([
            "reason": invocation.option("--reason").map { .string($0) }
        ])
        let answer = try await session.write(.put, path, body: body, invocation)
        noteTooOld(answer, invocation, session)
        return session.conclude(
            answer,
            invocation,
            "\(name) is revoked at revision \(answer.shown("revision")):"
                + " \(answer.shown("certificates")) certificates are denied\n"
        )
    }

    /// Names the agents that go on believing what was revoked.
    static func noteTooOld(_ answer: Document, _ invocation: Invocation, _ session: Session) {
        let old = answer.list("cannot_enforce").map(\.shown).joined(separator: ", ")
        guard !old.isEmpty, !invocation.isJSON else { return }
        session.note(
            "turnpike: too old to be told of revocations, bring them up to date:"
                + " \(Terminal.line(old))\n"
        )
    }

    private static func service(_ invocation: Invocation) throws(Failure) -> ServiceName {
        try invocation.operand("SERVICE") { text throws(NameError) in try ServiceName(text) }
    }

    private static func path(of service: ServiceName) -> APIPath {
        APIPath(
            "ca",
            "revocations",
            "services",
            service.namespace.text,
            service.name.text
        )
    }
}
