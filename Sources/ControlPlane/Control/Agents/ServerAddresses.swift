import Snapshot
import Store
import Wire

/// Where hosts reach the servers, `host:port` each.
///
/// What the operator says counts; where nothing is said, what the replicas announce does.
package struct ServerAddresses: Equatable, Sendable {
    /// Of the API (7400), where hosts enrol.
    package let api: [String]
    /// Of the agent port (7401).
    package let agents: [String]

    package init(api: [String] = [], agents: [String] = []) {
        self.api = api
        self.agents = agents
    }

    /// The addresses for a new host: of the API to enrol at, and of the agent port from then on.
    func resolved(
        _ control: ControlPlane
    ) async throws(ControlError) -> ServerAddresses {
        guard api.isEmpty || agents.isEmpty else { return self }
        let servers = try await control.read { database in
            try await ServerRepository.list(in: database)
        }.sorted { left, right in left.lastSeen > right.lastSeen }
        return ServerAddresses(
            api: api.isEmpty ? Self.given(servers.map(\.apiAddress)) : api,
            agents: agents.isEmpty ? Self.given(servers.map(\.agentAddress)) : agents
        )
    }

    private static func given(_ addresses: [String]) -> [String] {
        Array(addresses.filter { !$0.isEmpty }.prefix(JoinToken.serversMax))
    }
}
