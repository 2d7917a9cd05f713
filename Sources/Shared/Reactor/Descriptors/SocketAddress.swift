import CLinux

/// Where a stream socket listens or connects to.
package enum SocketAddress: Hashable, Sendable {
    case ip(IPAddress, port: UInt16)
    /// A path in the file system, or `@name` for an abstract one; empty for an unnamed end.
    case unix(path: String)

    /// Bytes that a unix socket's path may have.
    package static let unixPathByteCountMax = 107

    /// Reads `127.0.0.1:7443`, `[::1]:80` or `unix:/path`.
    package init?(_ text: String) {
        if text.hasPrefix("unix:") {
            let path = String(text.dropFirst(5))
            guard !path.isEmpty, path.utf8.count <= Self.unixPathByteCountMax,
                !path.utf8.contains(0)
            else { return nil }
            self = .unix(path: path)
            return
        }
        guard let colon = text.utf8.lastIndex(of: UInt8(ascii: ":")),
            let port = Self.port(text[text.utf8.index(after: colon)...])
        else { return nil }
        let host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            guard let address = IPAddress(String(host.dropFirst().dropLast())),
                host.utf8.contains(UInt8(ascii: ":"))
            else { return nil }
            self = .ip(address, port: port)
        } else {
            guard let address = IPAddress(String(host)), case .v4 = address,
                !host.utf8.contains(UInt8(ascii: ":"))
            else { return nil }
            self = .ip(address, port: port)
        }
    }

    /// Digits only: `UInt16("+80")` would be a port too.
    private static func port(_ text: Substring) -> UInt16? {
        guard (1...5).contains(text.utf8.count), text.utf8.allSatisfy({ (48...57).contains($0) })
        else { return nil }
        return UInt16(text)
    }

    /// 127.0.0.1 with the port, by default any free one.
    package static func loopback(port: UInt16 = 0) -> SocketAddress {
        .ip(.loopbackV4, port: port)
    }

    /// Whether only this host can be at the other end.
    package var isLoopback: Bool {
        switch self {
        case .ip(let address, _): address.isLoopback
        case .unix: true
        }
    }

    /// The address; nil for a unix socket.
    package var ipAddress: IPAddress? {
        if case .ip(let address, _) = self { address } else { nil }
    }

    /// The port; nil for a unix socket.
    package var port: UInt16? {
        if case .ip(_, let port) = self { port } else { nil }
    }
}

extension SocketAddress: CustomStringConvertible {
    package var description: String {
        switch self {
        case .ip(.v4(let address), let port): "\(IPAddress.v4(address)):\(port)"
        case .ip(let address, let port): "[\(address)]:\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }
}

extension SocketAddress {
    /// The kernel's form; throws when a unix path is too long.
    func kernelForm(for call: SystemCall) throws(SystemError) -> clinux_address {
        var form = clinux_address()
        switch self {
        case .ip(.v4(let address), let port):
            form.family = CLINUX_FAMILY_IPV4
            form.low = UInt64(address)
            form.port = port
        case .ip(.v6(let high, let low, let scope), let port):
            form.family = CLINUX_FAMILY_IPV6
            form.high = high
            form.low = low
            form.scope = scope
            form.port = port
        case .unix(let path):
            guard path.utf8.count <= Self.unixPathByteCountMax, !path.utf8.contains(0) else {
                throw SystemError(errno: ENAMETOOLONG, call: call)
            }
            form.family = CLINUX_FAMILY_UNIX
            form.path_count = UInt16(path.utf8.count)
            unsafe withUnsafeMutableBytes(of: &form.path) { bytes in
                unsafe bytes.copyBytes(from: path.utf8)
            }
        }
        return form
    }

    /// Nil for a family that this house does not use.
    init?(_ form: clinux_address) {
        switch form.family {
        case CLINUX_FAMILY_IPV4:
            self = .ip(.v4(UInt32(truncatingIfNeeded: form.low)), port: form.port)
        case CLINUX_FAMILY_IPV6:
            let address = IPAddress(high: form.high, low: form.low, scope: form.scope)
            self = .ip(address, port: form.port)
        case CLINUX_FAMILY_UNIX:
            var path = form.path
            let count = Int(form.path_count)
            self = unsafe withUnsafeBytes(of: &path) { bytes in
                unsafe .unix(path: String(decoding: bytes.prefix(count), as: UTF8.self))
            }
        default:
            return nil
        }
    }
}
