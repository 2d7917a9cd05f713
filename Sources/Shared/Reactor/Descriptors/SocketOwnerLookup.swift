import CLinux

/// Asks the kernel who owns the client side of a loopback connection; one netlink socket, kept open.
struct SocketOwnerLookup: ~Copyable {
    var descriptor: Descriptor = .closed
    var sequence: UInt32 = 0
}
