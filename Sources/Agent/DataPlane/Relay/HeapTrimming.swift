/// Decides when freed memory goes back to the kernel; pure.
///
/// Connections that fall quiet give TLS's buffers back to the allocator, which keeps them between
/// what lives on: a host with many quiet connections would go on paying for buffers that nobody
/// has. Going through the heap takes a while, so it waits for a lull and is not done often.
struct HeapTrimming {
    /// Connections that must have fallen quiet since the last time to make it worth while.
    static let releasedMin = 256
    /// The shortest time from one to the next.
    static let interval = Duration.seconds(10)

    private var releasedCount = 0
    private var latest: ContinuousClock.Instant?

    /// Tells what one sweep did; true: trim now.
    mutating func swept(released count: Int, now: ContinuousClock.Instant) -> Bool {
        releasedCount += count
        // As long as more fall quiet, the lull is not there yet.
        guard count == 0, releasedCount >= Self.releasedMin else { return false }
        if let latest, now - latest < Self.interval { return false }
        releasedCount = 0
        latest = now
        return true
    }

    /// Whether a later sweep may have to trim, so that one must come.
    var isWaiting: Bool { releasedCount >= Self.releasedMin }
}
