package import Mesh
import Store
package import Wire

/// An agent as the API shows it.
package struct AgentView: Equatable, Sendable {
    package let name: AgentName
    /// The revision of its last change: its entity tag.
    package let revision: Int64
    package let document: Document

    init(_ row: Stored<AgentRow>, _ report: AgentReport?) {
        name = row.value.name
        revision = row.revision
        let agent = row.value
        var document = Document.fields([
            "name": .string(agent.name.text),
            "description": .string(agent.description),
            "state": .string(agent.state.rawValue),
            "mesh_address": .string(agent.meshAddress),
            "key_sha256": agent.spkiHash.map { .string(Hex.encode($0)) } ?? .null,
            "enrolled_at": agent.enrolledAt.map(Document.timestamp) ?? .null,
            "revision": .number(row.revision),
            "created_at": .timestamp(row.createdAt),
            "updated_at": .timestamp(row.updatedAt),
            "created_by": .string(row.createdBy),
        ])
        if let report {
            let lag = report.publishedRevision.map { max(0, $0 - report.enforcedRevision) }
            document.set("connected_server", report.connectedServer.map { .string($0) } ?? .null)
            document.set("last_seen", .timestamp(report.lastSeen))
            document.set("version", .string(report.version))
            document.set("epoch", .number(report.epoch))
            document.set("enforced_revision", .number(report.enforcedRevision))
            document.set(
                "published_revision",
                report.publishedRevision.map { .number($0) } ?? .null
            )
            document.set("lag", lag.map { .number($0) } ?? .null)
            document.set(
                "acknowledged_at",
                report.acknowledgedAt.map(Document.timestamp) ?? .null
            )
            document.set("errors", .list(report.errors))
            document.set("budget_seconds", report.budgetSeconds.map { .number($0) } ?? .null)
        }
        self.document = document
    }
}

/// A part of the list of agents.
package struct AgentPage: Equatable, Sendable {
    package let items: [AgentView]
    /// Where the next page begins; nil at the end.
    package let next: String?
}

extension Agents {
    /// Makes an agent or changes its description.
    ///
    /// - Returns: the revision of the agent, which is an old one if nothing had to change.
    package func write(
        _ name: AgentName,
        description: String,
        if condition: RevisionCondition,
        by caller: Caller
    ) async throws(ControlError) -> (revision: Int64, isNew: Bool) {
        let (row, isNew) = try await put(
            name,
            description: description,
            if: condition,
            by: caller
        )
        return (row.revision, isNew)
    }

    /// The agent of a name, with what it says of itself.
    package func view(_ name: AgentName) async throws(ControlError) -> AgentView {
        let (row, report) = try await control.read { database in
            (
                try await AgentRepository.find(
                    name,
                    guardedBy: control.rowGuard,
                    in: database
                ),
                try await AgentStateRepository.reports(of: [name], in: database).first
            )
        }
        guard let row else { throw Self.notFound(name) }
        return AgentView(row, report)
    }

    /// One page of agents in order of name, with what they say of themselves.
    package func views(after: String?, limit: Int) async throws(ControlError) -> AgentPage {
        let (page, reports) = try await control.read { database in
            let page = try await AgentRepository.list(
                after: after,
                limit: limit,
                guardedBy: control.rowGuard,
                in: database
            )
            let reports = try await AgentStateRepository.reports(
                of: page.items.map(\.value.name),
                in: database
            )
            return (page, reports)
        }
        var known: [AgentName: AgentReport] = [:]
        for report in reports { known[report.agent] = report }
        return AgentPage(
            items: page.items.map { AgentView($0, known[$0.value.name]) },
            next: page.next
        )
    }
}
