import CLinux

extension SocketAddress {
    /// The most addresses of one name that are tried.
    package static let resolvedMax = 16
    /// The longest name.
    package static let hostMaxBytes = 255

    /// The addresses of `host:port`, where host is a name or an address (IPv6 in brackets).
    ///
    /// Waits for the resolver, possibly for seconds: run it on a `WorkerPool`, never on a reactor.
    /// Throws ENOENT for a name without addresses and EINVAL for a text that is no `host:port`.
    package static func resolve(_ text: String) throws(SystemError) -> [SocketAddress] {
        if let address = SocketAddress(text), address.port != nil { return [address] }
        guard let colon = text.utf8.lastIndex(of: UInt8(ascii: ":")),
            let port = UInt16(text[text.utf8.index(after: colon)...]), port != 0
        else { throw SystemError(errno: EINVAL, call: .getaddrinfo) }
        let host = String(text[..<colon])
        guard !host.isEmpty, host.utf8.count <= hostMaxBytes,
            host.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: ":") })
        else { throw SystemError(errno: EINVAL, call: .getaddrinfo) }
        var forms = [clinux_address](repeating: clinux_address(), count: resolvedMax)
        let count = unsafe forms.withUnsafeMutableBufferPointer { buffer in
            unsafe clinux_resolve(host, port, buffer.baseAddress, Int32(buffer.count))
        }
        try SystemError.check(count, .getaddrinfo)
        return forms.prefix(Int(count)).compactMap { SocketAddress($0) }
    }
}
