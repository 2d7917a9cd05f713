import HTTP
import Mesh
import Reactor
import Wire

/// Commands about whole files of resources: apply, diff, export.
enum FileCommands {
    private static let file = Command.Option(
        name: "-f",
        value: "FILE|DIR|-",
        summary: "a file, all .yaml, .yml and .json of a directory, or standard input",
        isRepeatable: true,
        isRequired: true
    )

    static let all = [
        Command(
            "apply",
            "create and replace resources as files say; delete nothing",
            options: [file] + Command.Option.writing,
            requests: ["POST /v1/apply", "GET|PUT /v1/policies/{policy}"],
            notes: [
                "Files are checked completely before anything is sent. All resources but policies"
                    + " are written in one transaction, or none; policies follow one by one.",
                "A file holds documents with `kind:` and the fields of that kind; a service may"
                    + " nest its placements, instances, externals, upstreams and intentions.",
            ],
            operation: apply
        ),
        Command(
            "diff",
            "show what `apply` would change, field by field",
            options: [file],
            requests: ["POST /v1/apply?dry_run=true", "GET /v1/policies/{policy}"],
            notes: ["Exits with 1 when there are differences."],
            operation: diff
        ),
        Command(
            "export",
            "write everything that the token may read as YAML that `apply` takes back",
            options: [
                Command.Option(name: "-f", value: "FILE", summary: "a file instead of the terminal")
            ],
            requests: ["GET /v1/export", "GET /v1/policies"],
            operation: export
        ),
    ]

    private struct Load {
        let catalog: [FiledResource]
        let policies: [AccessPolicy]

        init(_ invocation: Invocation, _ session: Session) throws(Failure) {
            let files = ResourceFiles(readInput: session.surroundings.readInput)
            let resources = try files.load(invocation.all("-f"))
            catalog = resources.filter { $0.resource.kind != .policy }
            policies = resources.compactMap { filed in
                if case .policy(let policy) = filed.resource { policy } else { nil }
            }
        }
    }

    private static func apply(
        _ invocation: Invocation,
        _ session: Session
    ) async throws(Failure) -> ExitCode {
        let load = try Load(invocation, session)
        var answer = Document.fields(["results": .list([Document]())])
        if !load.catalog.isEmpty {
            answer = try await post(load.catalog, dryRun: false, invocation, session)
        }
        var steps = answer.list("results")
        for policy in load.policies {
            let (action, _) = try await compare(policy, session)
            if action != "unchanged" {
                let resource = Resource.policy(policy)
                _ = try await session.send(.put, APIPath(resource), body: resource.document)
            }
            steps.append(step(policy, action, []))
        }
        answer.set("results", .list(steps))
        let words = ["create": "created", "update": "updated"]
        let lines = steps.map { step in
            let action = step.shown("action")
            let word = (words[action] ?? action).padded(to: 10)
            return "\(word)\(Terminal.line(step.shown("path")))\n"
        }
        return session.conclude(answer, invocation, lines.joined())
    }

    private static func diff(
        _ invocation: Invocation,
        _ session: Session
    ) async throws(Failure) -> ExitCode {
        let load = try Load(invocation, session)
        var steps: [Document] = []
        if !load.catalog.isEmpty {
            steps = try await post(load.catalog, dryRun: true, invocation, session).list("results")
        }
        for policy in load.policies {
            let (action, differences) = try await compare(policy, session)
            steps.append(step(policy, action, differences))
        }
        let changed = steps.filter { $0.shown("action") != "unchanged" }
        if invocation.isJSON {
            session.printJSON(.fields(["dry_run": .bool(true), "results": .list(steps)]))
        } else if changed.isEmpty {
            session.note("no differences in \(steps.count) resources\n")
        } else {
            session.print(changed.map(text).joined())
        }
        return changed.isEmpty ? .success : .difference
    }

    private static func text(_ step: Document) -> String {
        let sign = step.shown("action") == "create" ? "+" : "~"
        var text = "\(sign) \(Terminal.line(step.shown("path")))\n"
        for difference in step.list("differences") {
            let line =
                "\(difference.shown("field")): \(difference.shown("from")) -> "
                + difference.shown("to")
            text += "    \(Terminal.line(line))\n"
        }
        return text
    }

    private static func post(
        _ filed: [FiledResource],
        dryRun: Bool,
        _ invocation: Invocation,
        _ session: Session
    ) async throws(Failure) -> Document {
        let body = Document.fields(["resources": .list(filed.map(\.resource.fileDocument))])
        let path = APIPath("apply")
        do {
            return dryRun
                ? try await session.send(.post, path.with("dry_run", "true"), body: body)
                : try await session.write(.post, path, body: body, invocation)
        } catch {
            throw Failure(
                error.code,
                error.problems.map { FiledResource.located($0, filed) },
                hint: error.hint
            )
        }
    }

    private static func compare(
        _ policy: AccessPolicy,
        _ session: Session
    ) async throws(Failure) -> (action: String, differences: [Document]) {
        let wanted = policy.document
        guard let stored = try await session.find(APIPath(.policy(policy))) else {
            return ("create", [])
        }
        let old = Self.policy(stored)?.document["paths"] ?? .null
        let new = wanted["paths"] ?? .null
        if old == new { return ("unchanged", []) }
        return ("update", [.fields(["field": "paths", "from": old, "to": new])])
    }

    private static func step(
        _ policy: AccessPolicy,
        _ action: String,
        _ differences: [Document]
    ) -> Document {
        .fields([
            "kind": "policy",
            "path": .string(Resource.policy(policy).path),
            "action": .string(action),
            "differences": .list(differences),
        ])
    }

    /// A policy of an answer, without what the server adds to it.
    private static func policy(_ answer: Document) -> AccessPolicy? {
        let own = Document.fields(["name": answer["name"], "paths": answer["paths"]])
        guard let resource = try? Resource(.policy, reading: FieldValue(own)),
            case .policy(let policy) = resource
        else { return nil }
        return policy
    }

    private static func export(
        _ invocation: Invocation,
        _ session: Session
    ) async throws(Failure) -> ExitCode {
        var documents: [Document] = []
        for item in try await session.get(APIPath("export")).list("resources") {
            do {
                documents.append(try Resource(reading: FieldValue(item)).fileDocument)
            } catch {
                throw Failure(
                    .unreachable,
                    "the server sent a resource that this version does not know: \(error)",
                    hint: "use the command line of the server's version"
                )
            }
        }
        do {
            let builtIn: Set<String> = ["admin", "read-only"]
            documents += try await session.list(APIPath("policies")).items
                .compactMap(policy).filter { !builtIn.contains($0.name) }
                .map { Resource.policy($0).fileDocument }
        } catch {
            guard error.code == .refused else { throw error }
            session.note("without policies: the token may not list them\n")
        }
        if invocation.isJSON {
            session.printJSON(.fields(["resources": .list(documents)]))
            return .success
        }
        let bytes = YAML.write(documents)
        guard let path = invocation.option("-f"), path != "-" else {
            session.print(String(decoding: bytes, as: UTF8.self))
            return .success
        }
        do {
            try FileSystem.replace(path, with: bytes, mode: 0o644)
        } catch {
            throw .usage("\(error)")
        }
        session.note("\(documents.count) resources written to \(path)\n")
        return .success
    }
}

extension String {
    /// With spaces behind it up to a width.
    func padded(to width: Int) -> String {
        self + String(repeating: " ", count: max(1, width - count))
    }
}
