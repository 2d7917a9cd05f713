extension IPAddress {
    /// Whom an address leads to.
    package enum Reach: Hashable, Sendable {
        /// No single host: unspecified, multicast, broadcast, reserved.
        case nowhere
        /// The host itself or its link, where metadata services of clouds answer too.
        case local
        /// Any other, private networks included.
        case outside
    }

    /// Whom the address leads to; an IPv4 address inside an IPv6 one counts as what it holds.
    package var reach: Reach {
        guard isVersion6 else { return Self.reach(ofVersion4: bytes[...]) }
        if bytes == Array(repeating: 0, count: 15) + [1] { return .local }
        if let inner = embeddedVersion4 { return Self.reach(ofVersion4: inner) }
        switch (bytes[0], bytes[1]) {
        case (0xFF, _): return .nowhere
        case (0xFE, 0x80...0xBF): return .local
        // Site-local addresses, which RFC 3879 took back.
        case (0xFE, 0xC0...0xFF): return .nowhere
        default: break
        }
        // The instance metadata of a large cloud has an address among the private ones.
        let metadata: [UInt8] = [0xFD, 0, 0x0E, 0xC2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0x54]
        return bytes == metadata ? .local : .outside
    }

    private static func reach(ofVersion4 bytes: ArraySlice<UInt8>) -> Reach {
        let bytes = Array(bytes)
        switch (bytes[0], bytes[1]) {
        case (0, _), (224...255, _): return .nowhere
        case (127, _), (169, 254): return .local
        default: return .outside
        }
    }

    /// The IPv4 address that an IPv6 one stands for, or itself.
    package var unwrapped: IPAddress {
        guard isVersion6, let inner = embeddedVersion4 else { return self }
        return IPAddress(bytes: Array(inner)) ?? self
    }

    /// The IPv4 address that a mapped, compatible, translated or 6to4 address stands for.
    private var embeddedVersion4: ArraySlice<UInt8>? {
        let zeros = { (range: Range<Int>) in self.bytes[range].allSatisfy { $0 == 0 } }
        if zeros(0..<10), bytes[10] == bytes[11], [0, 0xFF].contains(bytes[10]) {
            return bytes[12...]
        }
        // RFC 6052: the well-known prefix of translators, and the one for local use.
        if bytes[0..<4].elementsEqual([0, 0x64, 0xFF, 0x9B]) { return bytes[12...] }
        // RFC 3056.
        if bytes[0] == 0x20, bytes[1] == 0x02 { return bytes[2..<6] }
        return nil
    }
}
