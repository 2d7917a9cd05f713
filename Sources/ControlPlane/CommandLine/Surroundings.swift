import Reactor
import Wire

/// Everything that a run takes from its process.
struct Surroundings: Sendable {
    var environment: [String: String]
    let reactor: Reactor
    let readInput: @Sendable () -> [UInt8]
    let writeOutput: @Sendable (String) -> Void
    let writeError: @Sendable (String) -> Void
    let now: @Sendable () -> Timestamp
}
