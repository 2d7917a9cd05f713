import Foundation
import HTTP
import Mesh
import Wire

/// Who may reach whom.
enum IntentionCommands {
    private static let operands = [
        Command.Operand(
            name: "SOURCE",
            summary: "`name`, `namespace/name`, `namespace/*`, or `*` for any"
        ),
        Command.Operand(name: "DESTINATION", summary: "written like the source"),
    ]

    private static let contentOptions = [
        Command.Option(name: "--allow", value: nil, summary: "the source may reach it"),
        Command.Option(name: "--deny", value: nil, summary: "the source may not reach it"),
        .description,
        Command.Option(name: "--owner", value: "TEXT", summary: "who answers for the rule"),
        Command.Option(name: "--reason", value: "TEXT", summary: "why the rule exists"),
        Command.Option(name: "--not-before", value: "TIME", summary: "in force from then on"),
        Command.Option(name: "--not-after", value: "TIME", summary: "in force until then"),
    ]

    private static let filters = [
        Command.Option(
            name: "--destination",
            value: "PATTERN",
            summary: "only those to it, compared as written"
        ),
        Command.Option(
            name: "--source",
            value: "PATTERN",
            summary: "only those of it, compared as written"
        ),
    ]

    private static let template =
        "{destination_namespace}/{destination}/{source_namespace}/{source}"

    static let all = [
        Command(
            "intention create",
            "say whether a source may reach a destination; refuse to replace another rule",
            operands: operands,
            options: contentOptions + Command.Option.writing,
            requests: ["POST /v1/intentions"]
        ) { invocation, session async throws(Failure) in
            let resource = Resource.intention(try rule(invocation))
            let answer = try await session.write(
                .post,
                APIPath("intentions"),
                body: resource.requestBody,
                fields: [(.idempotencyKey, UUID().uuidString.lowercased())],
                invocation
            )
            return session.conclude(answer, invocation, sentence(answer))
        },
        Command(
            "intention put",
            "create or replace the rule between a source and a destination",
            operands: operands,
            options: contentOptions + Command.Option.writing,
            requests: ["PUT /v1/intentions/\(template)"]
        ) { invocation, session async throws(Failure) in
            let resource = Resource.intention(try rule(invocation))
            let answer = try await session.write(
                .put,
                APIPath(resource),
                body: resource.requestBody,
                invocation
            )
            return session.conclude(answer, invocation, sentence(answer))
        },
        Command(
            "intention list",
            "list intentions in the order in which they are asked",
            options: filters + [.limit],
            requests: ["GET /v1/intentions"],
            notes: ["The first that speaks of a source and a destination decides; none is deny."],
            operation: list
        ),
        Command(
            "intention show",
            "show the rule between a source and a destination",
            operands: operands,
            requests: ["GET /v1/intentions/\(template)"]
        ) { invocation, session async throws(Failure) in
            session.printResource(try await session.get(try path(invocation)), invocation)
        },
        Command(
            "intention delete",
            "delete the rule between a source and a destination",
            operands: operands,
            options: Command.Option.writing,
            requests: ["DELETE /v1/intentions/\(template)"]
        ) { invocation, session async throws(Failure) in
            let answer = try await session.write(.delete, try path(invocation), invocation)
            return session.conclude(
                answer,
                invocation,
                "deleted at revision \(answer.shown("revision"))\n"
            )
        },
    ]

    private static func pattern(
        _ name: String,
        _ invocation: Invocation
    ) throws(Failure) -> ServicePattern {
        try invocation.operand(name) { text throws(NameError) in try ServicePattern(text) }
    }

    private static func path(_ invocation: Invocation) throws(Failure) -> APIPath {
        let destination = try pattern("DESTINATION", invocation)
        let source = try pattern("SOURCE", invocation)
        return APIPath(
            "intentions",
            destination.namespaceText,
            destination.nameText,
            source.namespaceText,
            source.nameText
        )
    }

    private static func rule(_ invocation: Invocation) throws(Failure) -> Intention {
        guard invocation.has("--allow") != invocation.has("--deny") else {
            throw .usage("a rule allows or denies", hint: "give either --allow or --deny")
        }
        let rule = Intention(
            id: .unassigned,
            source: try pattern("SOURCE", invocation),
            destination: try pattern("DESTINATION", invocation),
            effect: .action(invocation.has("--allow") ? .allow : .deny),
            description: invocation.option("--description") ?? "",
            owner: invocation.option("--owner"),
            reason: invocation.option("--reason"),
            notBefore: try invocation.timestamp("--not-before"),
            notAfter: try invocation.timestamp("--not-after")
        )
        try Failure.checking { () throws(InvalidField) in try rule.validate() }
        return rule
    }

    private static func sentence(_ answer: Document) -> String {
        let verb = answer.shown("action") == "allow" ? "may" : "may not"
        return Terminal.line(
            "\(answer.shown("source")) \(verb) reach \(answer.shown("destination"))"
                + " (precedence \(answer.shown("precedence")), revision"
                + " \(answer.shown("revision")))"
        ) + "\n"
    }

    private static func list(
        _ invocation: Invocation,
        _ session: Session
    ) async throws(Failure) -> ExitCode {
        var path = APIPath("intentions")
        for filter in filters {
            let pattern = try invocation.value(filter.name) { text throws(NameError) in
                try ServicePattern(text)
            }
            path = path.with(String(filter.name.dropFirst(2)), pattern?.description)
        }
        let limit = try invocation.number("--limit", in: 1...100_000)
        let (items, next) = try await session.list(path, limit: limit)
        return session.printList(
            items.sorted(by: isAskedBefore),
            [
                Column("PRECEDENCE", "precedence"), Column("SOURCE", "source"),
                Column("DESTINATION", "destination"),
                Column("ACTION") { $0["action"]?.shown ?? "permissions" },
                Column("REVISION", "revision"), Column("DESCRIPTION", "description"),
            ],
            invocation,
            next: next
        )
    }

    /// Precedence first, then deny before allow, then the id.
    static func isAskedBefore(_ left: Document, _ right: Document) -> Bool {
        let order = (left["precedence"]?.integer ?? 0, right["precedence"]?.integer ?? 0)
        if order.0 != order.1 { return order.0 > order.1 }
        let denies = (left.shown("action") == "deny", right.shown("action") == "deny")
        if denies.0 != denies.1 { return denies.0 }
        return left.shown("id") < right.shown("id")
    }
}
