import Mesh

/// One of several places where a new connection may go, as far as the choice depends on it.
struct BalancingCandidate: Equatable {
    /// Its share; 0 takes no new connections.
    var weight: Int
    /// Connections that go there now, those that are being made included.
    var load: Int
    /// Whether its health check, or that of everything behind it, failed.
    var isDown = false
    /// Whether connections to it failed lately.
    var isEjected = false
}

/// Where a new connection goes: pure choices among candidates, by index.
enum BalancingRules {
    /// The candidates that take new connections.
    ///
    /// A check or a run of failures takes candidates out only as long as others are left: the last
    /// are never ejected, for a check that fails everywhere more likely fails itself. Failures lately
    /// count less than a check, so they are disregarded first.
    static func eligible(_ candidates: [BalancingCandidate]) -> [Int] {
        let weighted = candidates.indices.filter { candidates[$0].weight > 0 }
        let healthy = weighted.filter { !candidates[$0].isDown }
        let sound = healthy.filter { !candidates[$0].isEjected }
        if !sound.isEmpty { return sound }
        return healthy.isEmpty ? weighted : healthy
    }

    /// Of two that are drawn by weight, the one with fewer connections for its weight; nil when
    /// there is none.
    static func leastRequest(
        _ candidates: [BalancingCandidate],
        among indices: [Int],
        random: inout SeededDraw
    ) -> Int? {
        guard let first = draw(candidates, among: indices, random: &random) else { return nil }
        let others = indices.filter { $0 != first }
        guard let second = draw(candidates, among: others, random: &random) else { return first }
        // (load + 1) / weight, compared without dividing.
        let left = (candidates[first].load + 1) * candidates[second].weight
        let right = (candidates[second].load + 1) * candidates[first].weight
        return right < left ? second : first
    }

    private static func draw(
        _ candidates: [BalancingCandidate],
        among indices: [Int],
        random: inout SeededDraw
    ) -> Int? {
        let total = indices.reduce(0) { $0 + candidates[$1].weight }
        guard total > 0 else { return nil }
        var place = random.next(below: total)
        for index in indices {
            place -= candidates[index].weight
            if place < 0 { return index }
        }
        return indices.last
    }

    /// The one whose turn it is, by smooth credits: the shares hold from one connection to the
    /// next, not only in the long run.
    ///
    /// `credits` has one for each candidate and is changed by the choice.
    static func roundRobin(
        _ candidates: [BalancingCandidate],
        among indices: [Int],
        credits: inout [Int]
    ) -> Int? {
        var winner: Int?
        for index in indices {
            credits[index] += candidates[index].weight
            if winner.map({ credits[index] > credits[$0] }) ?? true { winner = index }
        }
        if let winner {
            credits[winner] -= indices.reduce(0) { $0 + candidates[$1].weight }
        }
        return winner
    }
}

/// A cheap sequence of draws from one seed; good enough to share load out, and for nothing else.
struct SeededDraw: Equatable {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// A number from 0 to one less than `limit`, which is positive.
    mutating func next(below limit: Int) -> Int {
        Int(truncatingIfNeeded: next() >> 1) % max(1, limit)
    }
}

/// Whether a place is left out for a while since connections to it failed one after the other.
struct FailureEjection: Equatable {
    /// Failures in a row after which it is left out.
    static let failuresMax = 3
    /// The first time out; each further one is twice as long.
    static let pauseMin = Duration.seconds(1)
    /// The longest time out.
    static let pauseMax = Duration.seconds(60)

    private(set) var failures = 0
    private(set) var rounds = 0
    private(set) var until: ContinuousClock.Instant?

    init() {}

    /// Whether it is left out now; afterwards the next failure leaves it out again at once.
    func isEjected(at now: ContinuousClock.Instant) -> Bool { until.map { now < $0 } ?? false }

    /// A connection could not be made; true when that begins a time out.
    ///
    /// `jitter` is from 0 to 1: a pause lasts 75 to 125 % of its length.
    mutating func failed(at now: ContinuousClock.Instant, jitter: Double) -> Bool {
        guard !isEjected(at: now) else { return false }
        failures += 1
        guard failures >= Self.failuresMax || rounds > 0 else { return false }
        let doubled = Self.pauseMin * Double(1 << min(rounds, 10))
        until = now.advanced(by: min(doubled, Self.pauseMax) * (0.75 + jitter / 2))
        rounds += 1
        failures = 0
        return true
    }

    /// A connection was made.
    mutating func succeeded() {
        self = FailureEjection()
    }
}
