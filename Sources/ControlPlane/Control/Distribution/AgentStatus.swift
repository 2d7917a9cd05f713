import Mesh
import Store
import Wire

/// What an agent says of its own state, kept for people as far as it is not too long.
struct AgentStatus {
    /// The longest status that is kept.
    static let byteCountMax = 32 << 10
    /// The longest outage budget there can be: the longest life of a leaf.
    static let budgetMax = Int64(86_400)

    private let document: Document

    /// Takes everything but the health of instances, which has a table of its own.
    init(_ document: Document) {
        self.document =
            document["health"] == nil
            ? document
            : Document(.map((document.entries ?? []).filter { $0.key != "health" }))
    }

    /// How long the agent's leaves still hold; nil if it does not say, or waits for its first ones.
    var budget: Duration? {
        let isWaiting = (document["certificates"]?.items ?? []).contains {
            $0["state"]?.text == "missing" && $0["subject"]?.text != "agent"
        }
        guard !isWaiting, let seconds = document["budget_seconds"]?.integer, seconds >= 0 else {
            return nil
        }
        return .seconds(min(seconds, Self.budgetMax))
    }

    func store(of agent: AgentName, _ control: ControlPlane) async throws(ControlError) {
        let isKept = JSON.canonical(document).count <= Self.byteCountMax
        let kept = isKept ? document : Document.fields(["omitted": .bool(true)])
        let budget = budget
        try await control.write { database in
            try await AgentStateRepository.report(kept, budget: budget, of: agent, in: database)
        }
    }
}
