/// How the connections of an upstream port are shared out, and how many there may be.
package struct UpstreamTraffic: Hashable, Sendable {
    /// How the host is chosen to which a connection goes.
    package enum Balance: String, Hashable, Sendable, CaseIterable {
        /// Of two chosen at random, the one with fewer connections for its weight.
        case leastRequest = "least_request"
        /// Each in its turn, by weight.
        case roundRobin = "round_robin"
    }

    /// The largest limit.
    package static let limitMax = 10_000_000
    /// What holds where nothing is said.
    package static let standard = UpstreamTraffic()

    package var balance: Balance
    /// Connections that may be open at once; nil leaves it to the agent's own limit.
    package var connectionsMax: Int?
    /// Connections that may wait for their destination at once; nil leaves it to the agent's limit.
    package var pendingMax: Int?

    package init(
        balance: Balance = .leastRequest,
        connectionsMax: Int? = nil,
        pendingMax: Int? = nil
    ) {
        self.balance = balance
        self.connectionsMax = connectionsMax
        self.pendingMax = pendingMax
    }

    /// Checks ranges; the error names the field.
    package func validate() throws(InvalidField) {
        for (field, limit) in [("connections_max", connectionsMax), ("pending_max", pendingMax)] {
            guard let limit, !(1...Self.limitMax).contains(limit) else { continue }
            throw InvalidField(field, .outOfRange(least: 1, most: Self.limitMax))
        }
    }
}
