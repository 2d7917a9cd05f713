import Mesh
import Store
import Wire

/// What an agent's status says about its instances.
struct AgentHealth: Equatable {
    /// The most instances of one agent that are taken.
    static let findingsMax = 10_000
    /// The longest problem that is kept.
    static let problemMaxBytes = 256

    let findings: [InstanceFinding]

    private struct Subject: Hashable {
        let service: ServiceName
        let name: InstanceName
    }

    /// Reads the part that concerns health; nil if the agent says nothing about it.
    ///
    /// Entries that cannot be read are left out: what they speak of counts as up.
    init?(_ status: Document) {
        guard let items = status["health"]?.items else { return nil }
        var seen: Set<Subject> = []
        findings = items.prefix(Self.findingsMax).compactMap { item in
            guard let service = (item["service"]?.text).flatMap({ try? ServiceName($0) }),
                let name = (item["instance"]?.text).flatMap({ try? InstanceName($0) }),
                let state = item["state"]?.text, state == "up" || state == "down",
                let since = try? FieldValue(item["since"] ?? .null).timestamp(),
                seen.insert(Subject(service: service, name: name)).inserted
            else { return nil }
            let problem = (item["problem"]?.text ?? "").utf8.prefix(Self.problemMaxBytes)
            return InstanceFinding(
                service: service,
                name: name,
                isUp: state == "up",
                since: since,
                // The database takes no NUL.
                problem: String(decoding: problem.filter { $0 >= 32 }, as: UTF8.self)
            )
        }
    }
}
