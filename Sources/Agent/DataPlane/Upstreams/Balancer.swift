import Mesh
import Reactor

/// Where a connection may go, as the snapshot says.
struct Target: Hashable {
    let address: Mesh.IPAddress
    let port: UInt16
    let weight: Int
}

/// Orders the addresses of a service, so that each gets its share of the first attempts.
///
/// Of one reactor. Weighted round robin by smooth credits: the shares hold from one connection to
/// the next, not only in the long run. What comes after the first is for failover.
struct Balancer {
    /// Services whose turns are remembered; beyond it all turns begin anew.
    static let servicesMax = 4_096

    private var credits: [ServiceName: [Target: Int]] = [:]

    /// The addresses in the order from last to first choice; weight 0 takes no new connections.
    mutating func order(_ targets: [Target], of service: ServiceName) -> [SocketAddress] {
        let usable = targets.filter { $0.weight > 0 }
        guard usable.count > 1 else { return usable.map(\.socketAddress) }
        if credits.count >= Self.servicesMax { credits = [:] }
        var current: [Target: Int] = [:]
        for target in usable {
            current[target] = (credits[service]?[target] ?? 0) + target.weight
        }
        let ordered = usable.sorted { (current[$0] ?? 0) < (current[$1] ?? 0) }
        if let winner = ordered.last {
            current[winner, default: 0] -= usable.reduce(0) { $0 + $1.weight }
        }
        credits[service] = current
        return ordered.map(\.socketAddress)
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
