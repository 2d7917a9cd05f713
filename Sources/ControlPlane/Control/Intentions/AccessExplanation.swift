package import Mesh
import Store
package import Wire

/// Whether a source may reach a destination, and everything that this follows from.
package struct AccessExplanation: Equatable, Sendable {
    /// One agent that hosts the destination.
    package struct Host: Equatable, Sendable {
        package let agent: AgentName
        /// What it enforces; nil before it ever said so.
        package let revision: Int64?
        package let acknowledgedAt: Timestamp?
    }

    /// Who enforces what was explained.
    package struct Enforcement: Equatable, Sendable {
        /// The last revision that changed anything about the destination.
        package let revision: Int64
        package let hosts: [Host]
    }

    package let source: ServiceName
    package let destination: ServiceName
    /// Those of the two that do not exist.
    package let unknown: [ServiceName]
    package let explanation: Explanation
    /// The rules that speak of the destination.
    package let rules: [Intention]
    /// The revision of the catalog that was read.
    package let revision: Int64
    package let enforcement: Enforcement
    package let latestRefusal: DecisionExplanation?

    /// The answer of the API.
    package var document: Document {
        let ruling = explanation.ruling
        let rule = rules.first { $0.id == ruling.ruleID }
        return .fields([
            "source": .string(source.description),
            "destination": .string(destination.description),
            "verdict": .string(ruling.verdict.rawValue),
            "reason": .string(ruling.reason.rawValue),
            "sentence": .string(sentence(rule)),
            "rule_id": ruling.ruleID.map { .string($0.text) },
            "precedence": ruling.precedence.map { .number($0) },
            "intention": rule?.document,
            "unknown_services": unknown.isEmpty ? nil : .list(unknown.map(\.description)),
            "considered": .list(considered),
            "revision": .number(revision),
            "enforcement": .fields([
                "revision": .number(enforcement.revision),
                "agents": .list(enforcement.hosts.map(document)),
            ]),
            "latest_refusal": latestRefusal?.document ?? .null,
        ])
    }

    private func sentence(_ rule: Intention?) -> String {
        guard let rule else { return explanation.ruling.reason.sentence }
        let word = explanation.ruling.verdict == .allow ? "allows" : "denies"
        return "The intention from \(rule.source) to \(rule.destination) \(word) it, with"
            + " precedence \(rule.precedence)."
    }

    /// Rules that had a say, and a bounded number of those that had none.
    private var considered: [Document] {
        var bystanders = 0
        return explanation.considered.compactMap { entry in
            if entry.outcome.isBystander {
                bystanders += 1
                if bystanders > Explainer.bystandersMax { return nil }
            }
            let rule = rules.first { $0.id == entry.ruleID }
            return .fields([
                "rule_id": .string(entry.ruleID.text),
                "source": rule.map { .string($0.source.description) },
                "destination": rule.map { .string($0.destination.description) },
                "action": rule.flatMap { rule in
                    if case .action(let verdict) = rule.effect {
                        .string(verdict.rawValue)
                    } else {
                        nil
                    }
                },
                "precedence": .number(entry.precedence),
                "outcome": .string(entry.outcome.rawValue),
                "sentence": .string(entry.outcome.sentence),
            ])
        }
    }

    private func document(_ host: Host) -> Document {
        .fields([
            "agent": .string(host.agent.text),
            "revision": host.revision.map { .number($0) } ?? .null,
            // Null is unknown: an agent that never answered may enforce anything or nothing.
            "applied": host.revision.map { .bool($0 >= enforcement.revision) } ?? .null,
            "acknowledged_at": host.acknowledgedAt.map { .timestamp($0) } ?? .null,
        ])
    }
}

/// A decision of an agent in words.
package struct DecisionExplanation: Equatable, Sendable {
    private let row: DecisionRow

    init(_ row: DecisionRow) { self.row = row }

    /// The destination as it stands in resource paths; nil where the agent did not know it.
    package var destination: ServiceName? { try? ServiceName(row.destination) }

    /// Why, for people.
    package var sentence: String {
        DecisionReason(rawValue: row.reason)?.sentence ?? "The reason is \(row.reason)."
    }

    /// The answer of the API.
    package var document: Document {
        .fields([
            "id": .string(row.id.description),
            "at": .timestamp(row.at),
            "agent": .string(row.agent),
            "source": .string(row.source),
            "destination": .string(row.destination),
            "verdict": .string(row.verdict),
            "reason": .string(row.reason),
            "sentence": .string(sentence),
            "rule_id": row.ruleID.isEmpty ? nil : .string(row.ruleID),
            "precedence": row.precedence == 0 ? nil : .number(row.precedence),
            "revision": .number(row.revision),
            "peer_address": row.peerAddress.isEmpty ? nil : .string(row.peerAddress),
        ])
    }
}

extension ConsideredRule.Outcome {
    /// Whether the rule had nothing to say about the two.
    fileprivate var isBystander: Bool {
        switch self {
        case .won, .lostByPrecedence, .lostToDeny, .lostByRuleID: false
        case .otherDestination, .otherSource, .otherTrustDomain, .notYetActive, .noLongerActive,
            .notEnforced:
            true
        }
    }

    /// Why the rule won or not, for people.
    fileprivate var sentence: String {
        switch self {
        case .won: "It decides."
        case .lostByPrecedence: "A rule with a higher precedence decides."
        case .lostToDeny: "A rule of the same precedence denies, and deny comes first."
        case .lostByRuleID: "A rule of the same precedence and effect has the smaller id."
        case .otherDestination: "It speaks of another destination."
        case .otherSource: "It speaks of another source."
        case .otherTrustDomain: "It speaks of sources of another trust domain."
        case .notYetActive: "It is not in force yet."
        case .noLongerActive: "It is not in force any more."
        case .notEnforced: "It is only watched, not enforced."
        }
    }
}
