import CLinux

/// Why a host name has no address.
package enum NameResolutionError: Error, Hashable, Sendable, CustomStringConvertible {
    case unknownHost(String)
    case noAnswer(String)

    /// One sentence for people.
    package var description: String {
        switch self {
        case .unknownHost(let host): "the host name \(host) does not exist"
        case .noAnswer(let host): "no name server answered for \(host)"
        }
    }
}

/// Turns host names into addresses with the host's own resolver.
package enum NameResolver {
    /// Addresses that one name gives at most.
    package static let addressCountMax = 16

    /// The addresses of a name, best first; an address in text gives itself.
    ///
    /// Blocks for as long as name servers take: never on a reactor that serves others.
    package static func addresses(
        of host: String,
        port: UInt16
    ) throws(NameResolutionError) -> [SocketAddress] {
        if let address = IPAddress(host) { return [.ip(address, port: port)] }
        guard !host.isEmpty, !host.utf8.contains(0), host.utf8.count <= 253 else {
            throw .unknownHost(host)
        }
        var found = [clinux_address](repeating: clinux_address(), count: addressCountMax)
        let result = unsafe found.withUnsafeMutableBufferPointer { buffer in
            unsafe clinux_resolve(host, port, buffer.baseAddress, Int32(buffer.count))
        }
        guard result >= 0 else {
            throw result == -ENOENT ? .unknownHost(host) : .noAnswer(host)
        }
        let addresses = found.prefix(Int(result)).compactMap { SocketAddress($0) }
        guard !addresses.isEmpty else { throw .unknownHost(host) }
        return addresses
    }
}
