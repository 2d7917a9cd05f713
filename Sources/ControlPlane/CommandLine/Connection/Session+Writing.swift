import HTTP
import Wire

extension Session {
    /// The longest that a server lets a change wait.
    private static let waitMax = Duration.seconds(60)
    private static let waitDefault = Duration.seconds(5)

    /// Sends a change, with the wait that its options ask for.
    func write(
        _ method: Method,
        _ path: APIPath,
        body: Document? = nil,
        fields: [(FieldName, String)] = [],
        _ invocation: Invocation
    ) async throws(Failure) -> Document {
        let timeout = try invocation.duration("--timeout")
        guard let wait = invocation.option("--wait") else {
            guard timeout == nil else {
                throw .usage("--timeout goes with --wait enforced", hint: "add --wait enforced")
            }
            return try await send(method, path, body: body, fields: fields)
        }
        let longest = timeout ?? Self.waitDefault
        guard longest > .zero, longest <= Self.waitMax else {
            throw .usage("--timeout must be at most \(DurationText.format(Self.waitMax))")
        }
        return try await send(
            method,
            path.with("wait", wait).with("timeout", DurationText.format(longest)),
            body: body,
            fields: fields,
            waiting: longest
        )
    }

    /// Tells how a change ended, and whether it is enforced where somebody waited for that.
    func conclude(_ answer: Document, _ invocation: Invocation, _ text: String) -> ExitCode {
        if invocation.isJSON { printJSON(answer) } else { print(text) }
        guard let enforced = answer["enforced"] else { return .success }
        let agents = enforced.list("acknowledged").map(\.shown)
        guard enforced["complete"]?.bool == true else {
            noteMissing(enforced)
            return .waitTimedOut
        }
        if !invocation.isJSON {
            let whom =
                agents.isEmpty ? "no live agent is concerned" : agents.joined(separator: ", ")
            let pause = enforced["milliseconds"]?.integer.map { " after \($0) ms" } ?? ""
            note(
                "enforced at revision \(enforced.shown("revision"))\(pause):"
                    + " \(Terminal.line(whom))\n"
            )
        }
        return .success
    }

    /// Names who does not enforce a change: not yet, or not at all.
    private func noteMissing(_ enforced: Document) {
        let revision = enforced.shown("revision")
        let pending = enforced.list("pending").map(\.shown).joined(separator: ", ")
        let cannot = enforced.list("cannot_enforce").map(\.shown).joined(separator: ", ")
        if !pending.isEmpty || cannot.isEmpty {
            note(
                "turnpike: revision \(revision) is not enforced yet by \(Terminal.line(pending))\n"
                    + "  it is stored and will be enforced; see `turnpike agent list`\n"
            )
        }
        if !cannot.isEmpty {
            note(
                "turnpike: revision \(revision) is not enforced by \(Terminal.line(cannot))\n"
                    + "  they are too old for what it asks: bring them up to date\n"
            )
        }
    }

    /// Prints a list as a table or as the server's JSON.
    func printList(
        _ items: [Document],
        _ columns: [Column],
        _ invocation: Invocation,
        next: String? = nil
    ) -> ExitCode {
        if invocation.isJSON {
            printJSON(
                .fields(["items": .list(items), "next": next.map { .string($0) } ?? .null])
            )
        } else if items.isEmpty {
            note("none\n")
        } else {
            print(items.table(columns).text())
        }
        return .success
    }

    /// Prints one resource as YAML or as the server's JSON.
    func printResource(_ document: Document, _ invocation: Invocation) -> ExitCode {
        if invocation.isJSON {
            printJSON(document)
        } else {
            print(String(decoding: YAML.write(document), as: UTF8.self))
        }
        return .success
    }
}
