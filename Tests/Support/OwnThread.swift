import Glibc

/// Runs work on a thread with a descriptor table of its own in which no place is free.
///
/// Nil where the kernel gives no such table; other threads notice nothing.
package func withoutDescriptors<Value: Sendable>(
    _ work: @escaping @Sendable () -> Value
) async -> Value? {
    await onOwnThread(0x400) {
        while open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0 {}
        return work()
    }
}

/// Runs work on a thread with a network of its own, whose only interface is loopback, down.
///
/// Nil without the right to have one; other threads notice nothing.
package func inNetworkNamespace<Value: Sendable>(
    _ work: @escaping @Sendable () -> Value
) async -> Value? {
    await onOwnThread(0x4000_0000, work)
}

/// Runs work on a thread that shares some things no longer with the others, by the kernel's flags.
private func onOwnThread<Value: Sendable>(
    _ flags: Int32,
    _ work: @escaping @Sendable () -> Value
) async -> Value? {
    await onThread {
        guard let symbol = dlsym(nil, "unshare") else { return nil }
        // The overlay of the C library does not show it.
        let unshare = unsafeBitCast(symbol, to: (@convention(c) (Int32) -> Int32).self)
        guard unshare(flags) == 0 else { return nil }
        return work()
    }
}
