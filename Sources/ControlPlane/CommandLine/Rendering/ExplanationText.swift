import Wire

/// Why something is allowed or denied, for people.
enum ExplanationText {
    static func text(_ answer: Document, now: Timestamp) -> String {
        if answer["agent"] != nil { return decision(answer) }
        return answer["principal"] == nil ? access(answer, now: now) : request(answer)
    }

    private static func request(_ answer: Document) -> String {
        var text = "request \(Terminal.line(answer.shown("id"))): \(verdict(answer))\n"
        text += "  \(Terminal.line(answer.shown("sentence")))\n"
        text += "  at \(Terminal.line(answer.shown("at"))), reason"
        text += " \(Terminal.line(answer.shown("reason")))\n"
        for record in answer.list("records") {
            let what = "\(record.shown("action")) \(record.shown("resource"))"
            text += "  \(Terminal.line("\(what): \(record.shown("outcome"))"))\n"
        }
        return text
    }

    private static func verdict(_ answer: Document) -> String {
        switch answer.shown("verdict") {
        case "allow": "ALLOWED"
        case "deny": "DENIED"
        case let other: Terminal.line(other)
        }
    }

    private static func pair(_ answer: Document) -> String {
        Terminal.line("\(answer.shown("source")) -> \(answer.shown("destination"))")
    }

    private static func decision(_ answer: Document) -> String {
        var text = "\(pair(answer)): \(verdict(answer))\n"
        func line(_ sentence: String) { text += "  \(Terminal.line(sentence))\n" }
        line(answer.shown("sentence"))
        line("decided at \(answer.shown("at")) by the agent \(answer.shown("agent"))")
        if let rule = answer["rule_id"] {
            line("by the rule \(rule.shown), precedence \(answer.shown("precedence"))")
        }
        line("enforcing revision \(answer.shown("revision"))")
        if let peer = answer["peer_address"] { line("the connection came from \(peer.shown)") }
        line("decision \(answer.shown("id")), reason \(answer.shown("reason"))")
        return text
    }

    private static func access(_ answer: Document, now: Timestamp) -> String {
        var text = "\(pair(answer)): \(verdict(answer))\n"
        text += "  \(Terminal.line(answer.shown("sentence")))\n"
        let unknown = answer.list("unknown_services").map(\.shown)
        if !unknown.isEmpty {
            let verb = unknown.count == 1 ? "does" : "do"
            let names = unknown.joined(separator: " and ")
            text += "  Note: \(Terminal.line(names)) \(verb) not exist.\n"
        }
        text += considered(answer) + enforcement(answer, now: now)
        if let refusal = answer["latest_refusal"], !refusal.isNull {
            text += "\nlast refusal between them\n"
            text += "  \(Age.text(refusal["at"], now: now))"
            text += " by the agent \(Terminal.line(refusal.shown("agent"))):"
            text += " \(Terminal.line(refusal.shown("sentence")))\n"
            text += "  turnpike explain \(Terminal.line(refusal.shown("id")))\n"
        }
        return text
    }

    private static func considered(_ answer: Document) -> String {
        let rules = answer.list("considered")
        guard !rules.isEmpty else {
            return "\nno intention speaks of the destination; without one, the answer is deny\n"
        }
        return "\nintentions considered\n"
            + rules.table([
                Column("PRECEDENCE", "precedence"), Column("SOURCE", "source"),
                Column("DESTINATION", "destination"),
                Column("ACTION") { $0["action"]?.shown ?? "permissions" },
                Column("WHY", "sentence"),
            ]).text(indent: "  ")
    }

    private static func enforcement(_ answer: Document, now: Timestamp) -> String {
        guard let enforcement = answer["enforcement"] else { return "" }
        let agents = enforcement.list("agents")
        let revision = Terminal.line(enforcement.shown("revision"))
        guard !agents.isEmpty else {
            return "\nno agent hosts the destination, so nobody enforces this yet\n"
        }
        return "\nenforced since revision \(revision) by\n"
            + agents.table([
                Column("AGENT", "agent"),
                Column("APPLIED") { agent in
                    switch agent["applied"]?.bool {
                    case true?: "yes"
                    case false?: "NOT YET"
                    case nil: "unknown"
                    }
                },
                Column("AT REVISION", "revision"),
                Column("ACKNOWLEDGED") { Age.text($0["acknowledged_at"], now: now) },
            ]).text(indent: "  ")
    }
}
