/// How many bytes wait to be written, and since when none was.
struct OutputMeter {
    private(set) var unsentByteCount = 0
    private var progressedAt: ContinuousClock.Instant?

    mutating func queued(byteCount: Int, now: ContinuousClock.Instant) {
        guard byteCount > 0 else { return }
        if unsentByteCount == 0 { progressedAt = now }
        unsentByteCount += byteCount
    }

    mutating func written(byteCount: Int, now: ContinuousClock.Instant) {
        guard byteCount > 0 else { return }
        unsentByteCount = max(0, unsentByteCount - byteCount)
        progressedAt = unsentByteCount == 0 ? nil : now
    }

    func deadline(_ timeout: Duration) -> ContinuousClock.Instant? {
        progressedAt.map { $0 + timeout }
    }
}
