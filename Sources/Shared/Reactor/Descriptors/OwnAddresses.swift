import CLinux

/// The addresses that this host has itself, on every interface.
package enum OwnAddresses {
    /// More than any host has; a kernel that tells of more is not believed to be complete.
    private static let countMax = 1 << 16

    /// Every address, secondary ones and loopback included, as the kernel has them now.
    ///
    /// Asks the kernel and waits for nobody else.
    package static func read() throws(SystemError) -> Set<IPAddress> {
        var capacity = 64
        while capacity <= countMax {
            var found = [clinux_address](repeating: clinux_address(), count: capacity)
            let result = unsafe found.withUnsafeMutableBufferPointer { buffer in
                unsafe clinux_own_addresses(buffer.baseAddress, Int32(buffer.count))
            }
            guard result >= 0 else { throw SystemError(errno: -result, call: .getifaddrs) }
            if Int(result) <= capacity {
                return Set(
                    found.prefix(Int(result)).compactMap { SocketAddress($0)?.ipAddress }
                )
            }
            // Some came since, or there are many.
            capacity *= 8
        }
        throw SystemError(errno: EMSGSIZE, call: .getifaddrs)
    }
}
