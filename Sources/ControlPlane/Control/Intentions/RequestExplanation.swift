import Ledger
import Mesh
import Store
package import Wire

/// What became of a request to the API, in words.
package struct RequestExplanation: Equatable, Sendable {
    private let id: UUIDv7
    private let denial: CallDenial?
    private let records: [StoredAuditRecord]

    /// Nil for a request that left nothing.
    init?(_ id: UUIDv7, denial: CallDenial?, records: [StoredAuditRecord]) {
        guard denial != nil || !records.isEmpty else { return nil }
        self.id = id
        self.denial = denial
        self.records = records
    }

    /// Whether a caller may see it: its own principal, and whoever reads the audit trail.
    package func isVisible(to caller: Caller) -> Bool {
        if caller.may(.read, on: "audit") { return true }
        let actors = Set(records.map(\.record.actor) + [denial?.principal].compactMap { $0 })
        return actors == [caller.principal]
    }

    /// The answer of the API.
    package var document: Document {
        if let denial {
            return .fields([
                "id": .string(id.description),
                "at": .timestamp(denial.at),
                "principal": .string(denial.principal),
                "verdict": .string(Verdict.deny.rawValue),
                "reason": "access.denied",
                "sentence": .string(
                    "\(denial.principal) lacked \(denial.capability.rawValue) on \(denial.path):"
                        + " a policy must grant it."
                ),
                "capability": .string(denial.capability.rawValue),
                "path": .string(denial.path),
            ])
        }
        let first = records.first?.record
        let isRefused = records.contains { ["refused", "denied"].contains($0.record.outcome) }
        return .fields([
            "id": .string(id.description),
            "at": first.map { .timestamp($0.time) },
            "principal": first.map { .string($0.actor) },
            "verdict": .string((isRefused ? Verdict.deny : .allow).rawValue),
            "reason": .string(first?.reason ?? first?.outcome ?? ""),
            "sentence": .string(sentence),
            "records": .list(records.map(\.document)),
        ])
    }

    private var sentence: String {
        guard let first = records.first?.record else { return "" }
        let more = records.count > 1 ? ", and \(records.count - 1) more" : ""
        return "\(first.actor) did \(first.action) on \(first.resource): \(first.outcome)\(more)."
    }
}
