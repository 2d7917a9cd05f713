import Mesh
import Synchronization

/// How much of each upstream port is in use, over all reactors.
///
/// Looked up once for a connection and counted at its begin and end: the relay never comes here.
final class CircuitTable: Sendable {
    private let circuits = Mutex<[UInt16: Circuit]>([:])

    /// The counts of one port, made when they are asked for first.
    func circuit(of port: UInt16) -> Circuit {
        circuits.withLock { circuits in
            if let known = circuits[port] { return known }
            let new = Circuit()
            circuits[port] = new
            return new
        }
    }

    /// Forgets ports that are gone; connections that they have still go on counting for themselves.
    func keep(_ ports: Set<UInt16>) {
        circuits.withLock { circuits in circuits = circuits.filter { ports.contains($0.key) } }
    }
}

/// The connections of one upstream port.
final class Circuit: Sendable {
    private let openCount = Atomic(0)
    private let pendingCount = Atomic(0)

    /// Connections now, those that wait for their destination included.
    var open: Int { openCount.load(ordering: .relaxed) }
    /// Connections that wait for their destination.
    var pending: Int { pendingCount.load(ordering: .relaxed) }

    /// Takes a place for a connection that has to be made; the reason why there is none.
    ///
    /// Every connection that got one gives it back with `settled`, then `ended`.
    func enter(_ traffic: UpstreamTraffic) -> DecisionReason? {
        let open = openCount.wrappingAdd(1, ordering: .relaxed).newValue
        if let limit = traffic.connectionsMax, open > limit {
            openCount.wrappingSubtract(1, ordering: .relaxed)
            return .upstreamConnectionsExceeded
        }
        let pending = pendingCount.wrappingAdd(1, ordering: .relaxed).newValue
        if let limit = traffic.pendingMax, pending > limit {
            openCount.wrappingSubtract(1, ordering: .relaxed)
            pendingCount.wrappingSubtract(1, ordering: .relaxed)
            return .upstreamPendingExceeded
        }
        return nil
    }

    /// The connection is made, or given up.
    func settled() { pendingCount.wrappingSubtract(1, ordering: .relaxed) }

    /// The connection is over.
    func ended() { openCount.wrappingSubtract(1, ordering: .relaxed) }
}
