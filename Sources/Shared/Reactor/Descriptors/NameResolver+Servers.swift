extension NameResolver {
    /// The addresses of `host:port`; an IPv6 address stands in brackets.
    ///
    /// Blocks as `addresses(of:port:)` does. A text without a port is an unknown host.
    package static func addresses(
        ofServer text: String
    ) throws(NameResolutionError) -> [SocketAddress] {
        if let address = SocketAddress(text), address.port != nil { return [address] }
        guard let colon = text.lastIndex(of: ":"),
            let port = UInt16(text[text.index(after: colon)...]), port != 0
        else { throw .unknownHost(text) }
        return try addresses(of: String(text[..<colon]), port: port)
    }
}
