import Store
import Synchronization

/// Whether the database answers, asked once for everybody who wants to know within a while: anybody
/// may ask for readiness, so asking must cost nothing.
final class DatabaseProbe: Sendable {
    /// How long an answer is given again.
    static let lifetime: Duration = .seconds(1)

    typealias Instant = ContinuousClock.Instant

    private struct State: Sendable {
        /// Nil is a database that answers.
        var problem: String?
        var end: Instant?
    }

    private let state = Mutex(State())

    /// The problem as it was found last; asked anew once that is too old, by one caller at a time.
    func problem(now: Instant, _ ask: () async -> String?) async -> String? {
        let known: String?? = state.withLock { state in
            if let end = state.end, end > now { return .some(state.problem) }
            // Whoever comes while the question is open hears the answer before.
            let isFirst = state.end == nil
            state.end = now + Self.lifetime
            if isFirst { state.problem = "the database has not been asked yet" }
            return nil
        }
        if let known { return known }
        let answer = await ask()
        state.withLock { $0.problem = answer }
        return answer
    }
}

extension ControlPlane {
    /// Why the database cannot be used now; nil if it answers.
    package func databaseProblem() async -> String? {
        await probe.problem(now: surroundings.instant()) {
            do throws(ControlError) {
                _ = try await read { database in try await ServerRepository.time(in: database) }
                return nil
            } catch {
                return error.complaint.text
            }
        }
    }
}
