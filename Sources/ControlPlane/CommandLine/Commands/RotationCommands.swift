import HTTP
import Wire

/// Replacing keys and CAs, and the trust document by which agents learn of it.
enum RotationCommands {
    private static let force = Command.Option(
        name: "--force",
        value: nil,
        summary: "go on without agents that have not acknowledged, or cut what is still in use"
    )

    static let all = [
        rotation(
            "snapshot-key",
            "replace the key that signs snapshots",
            steps: "prepare, activate, retire; or replace: at once, for a stolen key",
            options: [force],
            proposes: true
        ),
        rotation(
            "root",
            "replace the root of the mesh",
            steps: "prepare, activate, retire",
            proposes: true
        ),
        rotation(
            "intermediate",
            "replace the CA that signs certificates; it is also renewed by itself",
            steps: "replace"
        ),
        rotation(
            "kek",
            "let go of key-encryption keys other than the one in use (`keys.new_kek_file` adds one)",
            steps: "retire"
        ),
        Command(
            "trust show",
            "print the trust document that holds, for `turnpike-server trust`",
            requests: ["GET /v1/ca/trust"],
            notes: [
                "The document goes to standard output, who has not acknowledged it to"
                    + " standard error."
            ],
            operation: show
        ),
        Command(
            "trust submit",
            "give a signed trust document, from standard input, to the servers and all agents",
            options: [force],
            requests: ["PUT /v1/ca/trust"],
            operation: submit
        ),
    ]

    private static func rotation(
        _ subject: String,
        _ summary: String,
        steps: String,
        options: [Command.Option] = [],
        proposes: Bool = false
    ) -> Command {
        Command(
            "rotate \(subject)",
            summary,
            operands: [Command.Operand(name: "STEP", summary: steps)],
            options: options,
            requests: ["POST /v1/ca/rotations/{subject}/{step}", "GET /v1/ca/trust"],
            notes: proposes
                ? [
                    "A proposal for the trust keys goes to standard output: `turnpike rotate"
                        + " \(subject) STEP > proposal.json`, then `turnpike-server trust sign`."
                ] : []
        ) { invocation, session async throws(Failure) in
            try await take(subject, invocation, session)
        }
    }

    private static func take(
        _ subject: String,
        _ invocation: Invocation,
        _ session: Session
    ) async throws(Failure) -> ExitCode {
        let current = try await session.get(APIPath("ca", "trust"))
        let answer = try await session.send(
            .post,
            APIPath("ca", "rotations", subject, try invocation.operand("STEP")),
            body: .fields(["force": .bool(invocation.has("--force"))])
        )
        show(answer, after: current, session)
        return .success
    }

    /// Tells what a step did; its proposal, beside the document that holds, is the output.
    static func show(_ answer: Document, after current: Document, _ session: Session) {
        session.note("\(Terminal.line(answer.shown("summary")))\n")
        for line in answer.list("differences") {
            session.note("  \(Terminal.line(line.shown))\n")
        }
        for warning in answer.list("warnings") {
            session.note("turnpike: warning: \(Terminal.line(warning.shown))\n")
        }
        noteBehind(answer, session)
        guard let next = answer["proposal"]?.text else { return }
        session.printJSON(
            .fields(["current": current["envelope"] ?? .null, "next": .string(next)])
        )
    }

    private static func show(
        _ invocation: Invocation,
        _ session: Session
    ) async throws(Failure) -> ExitCode {
        let answer = try await session.get(APIPath("ca", "trust"))
        session.note(
            "trust document \(answer.shown("version")), epoch \(answer.shown("epoch"))\n"
        )
        noteBehind(answer, session)
        session.printJSON(.fields(["current": answer["envelope"] ?? .null]))
        return .success
    }

    private static func submit(
        _ invocation: Invocation,
        _ session: Session
    ) async throws(Failure) -> ExitCode {
        let envelope = session.surroundings.readInput()
        let answer = try await session.send(
            .put,
            APIPath("ca", "trust"),
            body: .fields([
                "envelope": .string(Base64.encode(envelope)),
                "force": .bool(invocation.has("--force")),
            ])
        )
        if invocation.isJSON {
            session.printJSON(answer)
            return .success
        }
        session.print(
            "trust document \(answer.shown("version")), epoch \(answer.shown("epoch")), holds\n"
        )
        for line in answer.list("differences") {
            session.print("  \(Terminal.line(line.shown))\n")
        }
        noteBehind(answer, session)
        return .success
    }

    private static func noteBehind(_ answer: Document, _ session: Session) {
        let behind = answer.list("not_acknowledged").map(\.shown).joined(separator: ", ")
        if !behind.isEmpty { session.note("not acknowledged by \(Terminal.line(behind))\n") }
    }
}
