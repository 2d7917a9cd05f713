import HTTP
import Mesh
import Wire

/// How one kind of resource is spoken of; its list, show, put and delete follow from this.
struct CatalogNoun: Sendable {
    let word: String
    /// With its article.
    let phrase: String
    let collection: String
    /// The REST template of one, such as `{namespace}/{service}`.
    let template: String
    /// What names one.
    let identity: [Command.Operand]
    /// What `put` needs beyond the identity.
    var content: [Command.Operand] = []
    var contentOptions: [Command.Option] = []
    var filters: [Command.Option] = []
    let columns: [Column]
    let path: @Sendable (Invocation) throws(Failure) -> APIPath
    let resource: @Sendable (Invocation) throws(Failure) -> Resource

    var commands: [Command] { [listCommand, showCommand, putCommand, deleteCommand] }

    private var listCommand: Command {
        Command(
            "\(word) list",
            "list \(collection) that the token may read",
            options: filters + [.limit],
            requests: ["GET /v1/\(collection)"]
        ) { [self] invocation, session async throws(Failure) in
            let limit = try invocation.number("--limit", in: 1...100_000)
            let (items, next) = try await session.list(
                try invocation.filtered(APIPath(collection), by: filters),
                limit: limit
            )
            return session.printList(items, columns, invocation, next: next)
        }
    }

    private var showCommand: Command {
        Command(
            "\(word) show",
            "show \(phrase)",
            operands: identity,
            requests: ["GET /v1/\(collection)/\(template)"]
        ) { [self] invocation, session async throws(Failure) in
            session.printResource(try await session.get(try path(invocation)), invocation)
        }
    }

    private var putCommand: Command {
        Command(
            "\(word) put",
            "create or replace \(phrase)",
            operands: identity + content,
            options: contentOptions + Command.Option.writing,
            requests: ["PUT /v1/\(collection)/\(template)"]
        ) { [self] invocation, session async throws(Failure) in
            let resource = try resource(invocation)
            let answer = try await session.write(
                .put,
                APIPath(resource),
                body: resource.requestBody,
                invocation
            )
            return session.conclude(
                answer,
                invocation,
                "\(resource.path) at revision \(answer.shown("revision"))\n"
            )
        }
    }

    private var deleteCommand: Command {
        Command(
            "\(word) delete",
            "delete \(phrase)",
            operands: identity,
            options: Command.Option.writing,
            requests: ["DELETE /v1/\(collection)/\(template)"]
        ) { [self] invocation, session async throws(Failure) in
            let answer = try await session.write(.delete, try path(invocation), invocation)
            return session.conclude(
                answer,
                invocation,
                "deleted at revision \(answer.shown("revision"))\n"
            )
        }
    }
}

extension Invocation {
    /// The path with the filters that are given, each under its own name with underscores.
    func filtered(_ path: APIPath, by filters: [Command.Option]) throws(Failure) -> APIPath {
        filters.reduce(path) { path, filter in
            let words = filter.name.dropFirst(2).split(separator: "-")
            return path.with(words.joined(separator: "_"), option(filter.name))
        }
    }
}

extension Resource {
    /// The fields that a request carries; what the server sets is left out.
    var requestBody: Document {
        Document(.map((fileDocument.entries ?? []).filter { $0.key != "kind" }))
    }
}
