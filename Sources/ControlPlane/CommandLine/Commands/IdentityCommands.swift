import HTTP
import Mesh
import Wire

/// Tokens and policies.
enum IdentityCommands {
    private static let accessor = Command.Operand(
        name: "ACCESSOR",
        summary: "the public name of a token, from `token list`"
    )
    private static let policyName = Command.Operand(
        name: "NAME",
        summary: "the name of the policy"
    )

    static let all = tokens + policies

    private static let tokens = [
        Command(
            "token create",
            "make a token; its text is printed this once",
            options: [
                Command.Option(
                    name: "--policy",
                    value: "NAME",
                    summary: "what the token may do",
                    isRepeatable: true,
                    isRequired: true
                ),
                Command.Option(
                    name: "--name",
                    value: "TEXT",
                    summary: "who or what it is for",
                    isRequired: true
                ),
                Command.Option(
                    name: "--ttl",
                    value: "DURATION",
                    summary: "how long it lives; 32d unless given"
                ),
            ],
            requests: ["POST /v1/tokens"],
            notes: [
                "The token goes to standard output, everything else to standard error:"
                    + " `turnpike token create --policy admin --name me > me.token`."
            ],
            operation: createToken
        ),
        Command(
            "token list",
            "list tokens, without anything that can be used to call",
            options: [.limit],
            requests: ["GET /v1/tokens"]
        ) { invocation, session async throws(Failure) in
            let limit = try invocation.number("--limit", in: 1...100_000)
            let (items, next) = try await session.list(APIPath("tokens"), limit: limit)
            let now = session.surroundings.now()
            return session.printList(
                items,
                [
                    Column("ACCESSOR", "accessor"), Column("NAME", "display_name"),
                    Column("KIND", "kind"), Column("POLICIES", "policies"),
                    Column("EXPIRES") { Age.text($0["expires_at"], now: now) },
                    Column("REVOKED") { Age.text($0["revoked_at"], now: now) },
                ],
                invocation,
                next: next
            )
        },
        Command(
            "token show",
            "show a token, by default the one of this call",
            operands: [
                Command.Operand(
                    name: "ACCESSOR",
                    summary: "the public name of a token, from `token list`",
                    isOptional: true
                )
            ],
            requests: ["GET /v1/tokens/{accessor}", "GET /v1/tokens/self"]
        ) { invocation, session async throws(Failure) in
            let accessor = invocation.operands["ACCESSOR"] ?? "self"
            return session.printResource(
                try await session.get(APIPath("tokens", accessor)),
                invocation
            )
        },
        Command(
            "token revoke",
            "revoke a token at once and for ever",
            operands: [accessor],
            requests: ["DELETE /v1/tokens/{accessor}"]
        ) { invocation, session async throws(Failure) in
            let accessor = try invocation.operand("ACCESSOR")
            let answer = try await session.send(.delete, APIPath("tokens", accessor))
            return session.conclude(answer, invocation, "revoked\n")
        },
    ]

    private static func createToken(
        _ invocation: Invocation,
        _ session: Session
    ) async throws(Failure) -> ExitCode {
        let lifetime = try invocation.duration("--ttl")
        let answer = try await session.send(
            .post,
            APIPath("tokens"),
            body: .fields([
                "display_name": .string(invocation.option("--name") ?? ""),
                "policies": .list(invocation.all("--policy")),
                "ttl": lifetime.map { .duration($0) },
            ])
        )
        if invocation.isJSON {
            session.printJSON(answer)
            return .success
        }
        guard let token = answer["token"]?.text else {
            throw Failure(.unreachable, "the server's answer holds no token")
        }
        session.note(
            Terminal.line(
                "token \(answer.shown("accessor")) lives until \(answer.shown("expires_at"));"
                    + " it is printed this once:"
            ) + "\n"
        )
        session.print(token + "\n")
        return .success
    }

    private static let policies = [
        Command(
            "policy list",
            "list policies",
            options: [.limit],
            requests: ["GET /v1/policies"]
        ) { invocation, session async throws(Failure) in
            let limit = try invocation.number("--limit", in: 1...100_000)
            let (items, next) = try await session.list(APIPath("policies"), limit: limit)
            return session.printList(
                items,
                [
                    Column("POLICY", "name"),
                    Column("PATHS") { "\($0["paths"]?.entries?.count ?? 0)" },
                    Column("VERSION", "version"), Column("UPDATED", "updated_at"),
                ],
                invocation,
                next: next
            )
        },
        Command(
            "policy show",
            "show a policy",
            operands: [policyName],
            requests: ["GET /v1/policies/{policy}"]
        ) { invocation, session async throws(Failure) in
            let name = try invocation.operand("NAME")
            return session.printResource(
                try await session.get(APIPath("policies", name)),
                invocation
            )
        },
        Command(
            "policy put",
            "create or replace a policy",
            operands: [policyName],
            options: [
                Command.Option(
                    name: "--path",
                    value: "GLOB=CAPABILITY,...",
                    summary: "what it grants, such as `services/team/*=read,update`",
                    isRepeatable: true,
                    isRequired: true
                )
            ],
            requests: ["PUT /v1/policies/{policy}"]
        ) { invocation, session async throws(Failure) in
            let resource = Resource.policy(try policy(invocation))
            let answer = try await session.send(
                .put,
                APIPath(resource),
                body: resource.document
            )
            return session.conclude(
                answer,
                invocation,
                "\(resource.path) at version \(answer.shown("version"))\n"
            )
        },
        Command(
            "policy delete",
            "delete a policy that no live token names",
            operands: [policyName],
            requests: ["DELETE /v1/policies/{policy}"]
        ) { invocation, session async throws(Failure) in
            let name = try invocation.operand("NAME")
            let answer = try await session.send(.delete, APIPath("policies", name))
            return session.conclude(answer, invocation, "deleted\n")
        },
    ]

    static func policy(_ invocation: Invocation) throws(Failure) -> AccessPolicy {
        var rules: [AccessPolicy.Rule] = []
        for text in invocation.all("--path") {
            let parts = text.split(separator: "=", omittingEmptySubsequences: false)
            guard parts.count == 2 else {
                throw .usage("--path must be written GLOB=CAPABILITY,...")
            }
            let glob = try Invocation.value(String(parts[0]), of: "--path") {
                text throws(NameError) in try PathGlob(text)
            }
            var capabilities: Set<Capability> = []
            for word in parts[1].split(separator: ",", omittingEmptySubsequences: false) {
                guard let capability = Capability(rawValue: String(word)) else {
                    let known = Capability.allCases.map(\.rawValue).joined(separator: ", ")
                    throw .usage("--path names an unknown capability", hint: "there are \(known)")
                }
                capabilities.insert(capability)
            }
            rules.append(AccessPolicy.Rule(path: glob, capabilities: capabilities))
        }
        do {
            return try AccessPolicy(name: try invocation.operand("NAME"), rules: rules)
        } catch let error as InvalidField {
            throw .usage(error.description)
        } catch let failure as Failure {
            throw failure
        } catch {
            throw .usage("\(error)")
        }
    }
}
