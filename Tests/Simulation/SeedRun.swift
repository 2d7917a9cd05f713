import Foundation

/// Many seeds, as many at a time as there are processors, until one fails or the time is up.
struct SeedRun {
    /// What came of it.
    struct Outcome {
        var count = 0
        var tally = Simulation.Tally()
        /// One sentence each, with the seed; at best nothing.
        var violations: [String] = []

        static func += (left: inout Outcome, right: Outcome) {
            left.count += right.count
            left.tally += right.tally
            left.violations += right.violations
        }
    }

    let seeds: Range<UInt64>
    var end = Date.distantFuture
    /// Prints what happens; for a single seed.
    var isTraced = false
    /// Hears how many more seeds have passed, from any thread.
    var progress: @Sendable (Int) -> Void = { _ in }

    func perform() async throws -> Outcome {
        let fixture = try Fixture()
        let workers = UInt64(max(1, ProcessInfo.processInfo.activeProcessorCount))
        return try await withThrowingTaskGroup(of: Outcome.self) { group in
            for worker in 0..<workers {
                // Neighbours take about equally long, so every worker ends at about the same time.
                let share = stride(
                    from: seeds.lowerBound + worker,
                    to: seeds.upperBound,
                    by: Int(workers)
                )
                group.addTask { try perform(share, fixture) }
            }
            return try await group.reduce(into: Outcome()) { $0 += $1 }
        }
    }

    private func perform(_ share: StrideTo<UInt64>, _ fixture: Fixture) throws -> Outcome {
        var outcome = Outcome()
        for seed in share where outcome.violations.isEmpty && Date() < end {
            let simulation = try Simulation(seed: seed, fixture: fixture, isTraced: isTraced)
            outcome.violations = try simulation.run()
            outcome.count += 1
            outcome.tally += simulation.tally
            progress(1)
        }
        return outcome
    }
}
