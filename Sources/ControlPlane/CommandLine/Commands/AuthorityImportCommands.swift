import HTTP
import Wire

/// An operator's own CA for the mesh.
enum AuthorityImportCommands {
    static let all = [
        Command(
            "ca csr",
            "print the request for an intermediate that a CA outside is to sign",
            options: [
                Command.Option(
                    name: "--new",
                    value: nil,
                    summary: "forget the request that waits, with its key, and make another"
                )
            ],
            requests: ["POST /v1/ca/csr"],
            notes: [
                "The request goes to standard output: `turnpike ca csr > intermediate.csr`. Its"
                    + " private key stays sealed in the server."
            ],
            operation: ask
        ),
        Command(
            "ca import",
            "take an operator's CA in: what was signed for `ca csr`, or a CA with its key",
            options: [
                Command.Option(
                    name: "--certificate",
                    value: "FILE",
                    summary: "PEM: the CA that is to sign, or a root",
                    isRequired: true
                ),
                Command.Option(
                    name: "--chain",
                    value: "FILE",
                    summary: "PEM: every CA above it up to its root; not for a root alone"
                ),
                Command.Option(
                    name: "--key",
                    value: "FILE",
                    summary: "PEM, PKCS#8, mode 0600, or `-` for standard input; not after `ca csr`"
                ),
            ],
            requests: ["POST /v1/ca/import", "GET /v1/ca/trust"],
            notes: [
                "A proposal for the trust keys goes to standard output: `turnpike ca import"
                    + " --certificate FILE --chain FILE > proposal.json`, then `turnpike-server trust"
                    + " sign`."
            ],
            operation: take
        ),
    ]

    private static func ask(
        _ invocation: Invocation,
        _ session: Session
    ) async throws(Failure) -> ExitCode {
        let answer = try await session.send(
            .post,
            APIPath("ca", "csr"),
            body: .fields(["new": .bool(invocation.has("--new"))])
        )
        if invocation.isJSON {
            session.printJSON(answer)
            return .success
        }
        guard let request = answer["csr"]?.text else {
            throw Failure(.unreachable, "the server's answer holds no request")
        }
        let age = answer["new"]?.bool == true ? "made now" : "made at \(answer.shown("created_at"))"
        session.note(
            Terminal.line(
                "request for the key \(answer.shown("key_sha256")), \(age): have it signed as a CA,"
                    + " then `turnpike ca import --certificate FILE --chain FILE`"
            ) + "\n"
        )
        session.print(request)
        return .success
    }

    private static func take(
        _ invocation: Invocation,
        _ session: Session
    ) async throws(Failure) -> ExitCode {
        let certificate = try session.text(of: invocation.option("--certificate") ?? "")
        let chain = try invocation.option("--chain").map { file throws(Failure) in
            try session.text(of: file)
        }
        let key = try invocation.option("--key").map { file throws(Failure) in
            try session.secret(of: file, "--key")
        }
        let current = try await session.get(APIPath("ca", "trust"))
        let answer = try await session.send(
            .post,
            APIPath("ca", "import"),
            body: .fields([
                "certificate": .string(certificate),
                "chain": chain.map { .string($0) },
                "private_key": key.map { .string($0) },
            ])
        )
        RotationCommands.show(answer, after: current, session)
        return .success
    }
}
