package import Mesh
import Observability
import Snapshot
import TLS
import Wire

/// All connections of one reactor, from before their first decision to their end.
///
/// Dense, so that deciding ten thousand of them again is one pass over an array.
struct LiveConnections {
    private var connections: [RelayConnection] = []

    var count: Int { connections.count }

    mutating func insert(_ connection: RelayConnection) {
        connection.registryIndex = connections.count
        connections.append(connection)
    }

    /// Takes a connection out; the last one takes its place.
    mutating func remove(_ connection: RelayConnection) {
        let index = connection.registryIndex
        guard connections.indices.contains(index), connections[index] === connection else { return }
        connection.registryIndex = -1
        let last = connections.removeLast()
        guard last !== connection else { return }
        connections[index] = last
        last.registryIndex = index
    }

    /// A copy for a pass in which connections may end.
    var all: [RelayConnection] { connections }

    /// How many relayed connections there are for each source, destination and rule.
    var flowCounts: [LiveFlow: Int] {
        var counts: [LiveFlow: Int] = [:]
        for connection in connections {
            guard connection.phase == .relaying, let permit = connection.permit else { continue }
            let flow = LiveFlow(
                isInbound: connection.isInbound,
                source: permit.source,
                destination: permit.destination,
                ruleID: permit.ruling?.ruleID
            )
            counts[flow, default: 0] += 1
        }
        return counts
    }
}

/// What open connections are counted by.
package struct LiveFlow: Hashable, Sendable {
    /// Whether this agent is the destination's.
    package let isInbound: Bool
    /// In whose name they were made.
    package let source: SPIFFEID
    /// Who is reached.
    package let destination: ServiceName
    /// The rule that allows them, at the destination.
    package let ruleID: RuleID?
}
