package import Mesh

/// What the names of external targets lead to now.
///
/// It grants nothing: names come from the signed snapshot only, and each connection asks the target
/// whether it may go to an address.
package struct OutsideAddresses: Equatable, Sendable {
    /// Ascending by their bytes; empty for a name that has none, or that nobody could find.
    ///
    /// A name that is missing here was not asked for yet.
    package var byName: [HostName: [IPAddress]]
    /// The addresses of the host itself; nil while they are not known.
    package var own: Set<IPAddress>?

    package init(byName: [HostName: [IPAddress]] = [:], own: Set<IPAddress>? = nil) {
        self.byName = byName
        self.own = own
    }

    /// Where a target is; nil while the first answer about its name is under way.
    package func addresses(of target: ExternalTarget) -> [IPAddress]? {
        switch target.host {
        case .address(let address): [address]
        case .name(let name): byName[name]
        }
    }

    /// The addresses that connections and probes for a target may go to; nil while that is not known.
    package func admitted(_ target: ExternalTarget) -> [IPAddress]? {
        guard let known = addresses(of: target) else { return nil }
        if target.allowsLocal { return known.filter { target.admits($0) } }
        // Whether an address leads back to the host cannot be told by its look.
        guard let own else { return nil }
        return known.filter { target.admits($0) && !own.contains($0.unwrapped) }
    }
}

extension InstanceKey {
    /// What one address of an external target is called where instances have their names.
    package init(outside address: IPAddress, of service: ServiceName) {
        let digits = address.bytes.map { byte in
            (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }
        // Letters and digits, 35 of them at most: always a label.
        let name = try? InstanceName("ip-" + digits.joined())
        self.init(service: service, name: name ?? .ofPort(0))
    }
}
