/// Decides what a process near its memory limit does about it; pure.
///
/// From `shedShare` of the limit on no connection is admitted, until it is below `calmShare`. From `cutShare` on the connections
/// whose peers read so slowly that bytes are held for them are cut, those with the most first,
/// until the process would be back under `shedShare`: what is held is all that grows without a new
/// connection, and being killed would cut everybody.
struct MemoryBudget: Hashable, Sendable {
    /// How often the process is measured while it has connections.
    static let interval = Duration.milliseconds(100)
    /// How often the heap is trimmed while the limit is near.
    static let trimInterval = Duration.milliseconds(500)
    /// Percent of the limit.
    static let shedShare = 80
    /// Percent of the limit.
    static let cutShare = 88
    /// Percent of the limit; a single threshold would be crossed again and again.
    static let calmShare = 75

    /// Bytes that the process may occupy.
    let limit: Int
    /// Whether new connections are refused.
    private(set) var isShedding = false

    init(limit: Int) {
        self.limit = limit
    }

    /// Takes what the process occupies now; gives how many bytes it has to let go of.
    mutating func measured(_ residentByteCount: Int) -> Int {
        isShedding =
            residentByteCount >= share(isShedding ? Self.calmShare : Self.shedShare)
        guard residentByteCount >= share(Self.cutShare) else { return 0 }
        return residentByteCount - share(Self.shedShare)
    }

    /// Which of the connections to cut to get so many bytes back: their places, those that hold
    /// the most first.
    static func victims(of heldByteCounts: [Int], releasing byteCount: Int) -> [Int] {
        var released = 0
        var victims: [Int] = []
        let order = heldByteCounts.indices.sorted { heldByteCounts[$0] > heldByteCounts[$1] }
        for index in order where heldByteCounts[index] > 0 && released < byteCount {
            released += heldByteCounts[index]
            victims.append(index)
        }
        return victims
    }

    private func share(_ percent: Int) -> Int { limit / 100 * percent }
}
