package import Mesh

/// Where other agents reach an agent: an address and the port of its mesh listener.
package struct MeshAddress: Hashable, Sendable, CustomStringConvertible {
    package let address: IPAddress
    package let port: UInt16

    package init(address: IPAddress, port: UInt16) {
        self.address = address
        self.port = port
    }

    /// What an agent says of itself: an unspecified address (`0.0.0.0:7443`) stands for the one that
    /// it connects from.
    package init(reported text: String, seenFrom source: String) throws(NameError) {
        for unspecified in ["0.0.0.0:", "[::]:"] where text.hasPrefix(unspecified) {
            let port = text.dropFirst(unspecified.count)
            try self.init(source.contains(":") ? "[\(source)]:\(port)" : "\(source):\(port)")
            return
        }
        try self.init(text)
    }

    /// Reads `192.0.2.7:7443` or `[2001:db8::7]:7443`; a DNS name would be trusted by whoever
    /// resolves it, so none is taken.
    package init(_ text: String) throws(NameError) {
        guard let colon = text.lastIndex(of: ":"),
            let port = UInt16(text[text.index(after: colon)...]), port != 0
        else { throw .malformed("must be an IP address, ':' and a port") }
        var host = text[..<colon]
        if host.first == "[", host.last == "]" {
            host = host.dropFirst().dropLast()
            guard host.contains(":") else { throw .malformed("only IPv6 stands in brackets") }
        } else if host.contains(":") {
            throw .malformed("an IPv6 address must stand in brackets")
        }
        let address = try IPAddress(String(host))
        guard !address.isUnspecified else { throw .malformed("must name one host") }
        self.init(address: address, port: port)
    }

    package var description: String {
        address.isVersion6 ? "[\(address)]:\(port)" : "\(address):\(port)"
    }
}
