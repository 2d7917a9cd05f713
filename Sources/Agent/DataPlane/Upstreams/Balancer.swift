import Mesh
import Reactor

/// Where a connection may go, as the snapshot says.
struct Target: Hashable {
    let address: Mesh.IPAddress
    let port: UInt16
    let weight: Int
    /// Whether its health check, or that of everything behind it, failed.
    var isDown = false
}

/// A place that connections of this reactor go to.
///
/// Connections hold it for as long as they live; it is counted at their begin and end only.
final class Destination {
    let address: SocketAddress
    /// Connections that go there now, those that are being made included.
    fileprivate(set) var load = 0
    fileprivate(set) var ejection = FailureEjection()
    fileprivate var credit = 0
    /// Until when connections to it may finish, since it was deregistered; nil while it is not.
    fileprivate(set) var drainEnd: Reactor.Instant?

    init(_ address: SocketAddress) { self.address = address }
}

/// Chooses among the addresses of a service, keeps count of the connections to each, and leaves
/// those out for a while to which no connection can be made.
///
/// Of one reactor: each has its own counts.
struct Balancer {
    /// What the places of one choice are kept under.
    enum Pool: Hashable {
        /// The local instances of a service.
        case instances(ServiceName)
        /// The addresses of a service's external target.
        case outside(ServiceName)
        /// The agents that an upstream port leads to.
        case upstream(UInt16)
    }

    private struct Place: Hashable {
        let address: Mesh.IPAddress
        let port: UInt16
    }

    private var pools: [Pool: [Place: Destination]] = [:]
    private var random: SeededDraw

    init(seed: UInt64) { random = SeededDraw(seed: seed) }

    /// The place for a connection; nil when there is none, or none that was not tried.
    mutating func choose(
        among targets: [Target],
        of pool: Pool,
        by balance: UpstreamTraffic.Balance,
        without tried: Destination?,
        now: Reactor.Instant
    ) -> Destination? {
        let destinations = targets.map { destination($0, of: pool) }
        let candidates = targets.indices.map { index in
            BalancingCandidate(
                weight: destinations[index] === tried ? 0 : targets[index].weight,
                load: destinations[index].load,
                isDown: targets[index].isDown,
                isEjected: destinations[index].ejection.isEjected(at: now)
            )
        }
        let eligible = BalancingRules.eligible(candidates)
        let choice: Int?
        switch balance {
        case .leastRequest:
            choice = BalancingRules.leastRequest(candidates, among: eligible, random: &random)
        case .roundRobin:
            var credits = destinations.map(\.credit)
            choice = BalancingRules.roundRobin(candidates, among: eligible, credits: &credits)
            for index in destinations.indices { destinations[index].credit = credits[index] }
        }
        return choice.map { destinations[$0] }
    }

    private mutating func destination(_ target: Target, of pool: Pool) -> Destination {
        let place = Place(address: target.address, port: target.port)
        if let known = pools[pool]?[place] { return known }
        let new = Destination(target.socketAddress)
        pools[pool, default: [:]][place] = new
        return new
    }

    /// A connection to the place is being made.
    func began(_ destination: Destination) { destination.load += 1 }

    /// The connection to the place is over, or did not come about.
    func ended(_ destination: Destination) { destination.load -= 1 }

    /// A connection was made.
    func succeeded(_ destination: Destination) { destination.ejection.succeeded() }

    /// A connection could not be made; true when the place is left out from now on.
    mutating func failed(_ destination: Destination, now: Reactor.Instant) -> Bool {
        destination.ejection.failed(
            at: now,
            jitter: Double(random.next(below: 1_000)) / 1_000
        )
    }

    /// Another snapshot: instances that it does not name any more take no connection and may finish
    /// those that they have until `drainEnd`; what nobody uses is forgotten.
    ///
    /// - Returns: whether connections are drained that were not before.
    mutating func follow(drainEnd: Reactor.Instant, _ targets: (Pool) -> [Target]) -> Bool {
        var drains = false
        for (pool, places) in pools {
            let named = Set(targets(pool).map { Place(address: $0.address, port: $0.port) })
            for (place, destination) in places {
                if named.contains(place) {
                    destination.drainEnd = nil
                } else if destination.load == 0 {
                    pools[pool]?[place] = nil
                } else if case .instances = pool, destination.drainEnd == nil {
                    destination.drainEnd = drainEnd
                    drains = true
                }
            }
            if pools[pool]?.isEmpty == true { pools[pool] = nil }
        }
        return drains
    }

    /// How many places are left out now.
    func ejectedCount(at now: Reactor.Instant) -> Int {
        pools.values.reduce(0) { count, places in
            count + places.values.count { $0.ejection.isEjected(at: now) }
        }
    }
}

extension Target {
    /// The address as the kernel takes it; 4 and 16 bytes are all there are.
    var socketAddress: SocketAddress {
        let word = { (bytes: ArraySlice<UInt8>) in bytes.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        }
        let bytes = address.bytes
        return bytes.count == 4
            ? .ip(.v4(UInt32(truncatingIfNeeded: word(bytes[...]))), port: port)
            : .ip(
                .v6(high: word(bytes.prefix(8)), low: word(bytes.suffix(8)), scope: 0),
                port: port
            )
    }
}
