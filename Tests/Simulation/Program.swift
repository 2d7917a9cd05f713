import Foundation
import Synchronization

/// `turnpike-simulation [FIRST [LAST]]`: runs the seeds from FIRST to LAST, 1 to 10,000 unless
/// named; a single one is told step by step.
///
/// Exits 0 if none violates an invariant, 1 with the seeds that do, 2 for a wrong call.
@main
enum Program {
    private static let countUnlessNamed: UInt64 = 10_000
    private static let progressPause = 5.0

    private final class Progress: Sendable {
        private let state = Mutex((count: 0, next: Date(timeIntervalSinceNow: progressPause)))

        func passed(_ count: Int) {
            state.withLock { state in
                state.count += count
                guard Date() >= state.next else { return }
                state.next = Date(timeIntervalSinceNow: progressPause)
                complain("simulation: \(state.count) seeds")
            }
        }
    }

    static func main() async throws {
        let numbers = CommandLine.arguments.dropFirst().map { UInt64($0) }
        guard numbers.count <= 2, !numbers.contains(nil) else { usage() }
        let first = numbers.first.flatMap(\.self) ?? 1
        let last = numbers.isEmpty ? countUnlessNamed : numbers.last.flatMap(\.self) ?? first
        guard first <= last, last < .max else { usage() }
        let start = Date()
        let progress = Progress()
        var run = SeedRun(seeds: first..<(last + 1))
        run.isTraced = first == last
        run.progress = progress.passed
        let outcome = try await run.perform()
        let seconds = Int(Date().timeIntervalSince(start).rounded())
        print("simulation: \(outcome.count) seeds in \(seconds) s: \(outcome.tally)")
        for violation in outcome.violations { print("simulation: \(violation)") }
        exit(outcome.violations.isEmpty ? 0 : 1)
    }

    private static func usage() -> Never {
        complain("usage: turnpike-simulation [FIRST [LAST]], two numbers of seeds")
        exit(2)
    }

    private static func complain(_ text: String) {
        FileHandle.standardError.write(Data((text + "\n").utf8))
    }
}
