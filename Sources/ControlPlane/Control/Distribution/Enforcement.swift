package import Mesh
import Postgres
import Reactor
import Store
import Wire

/// Which live agents enforce a revision.
package struct EnforcementReport: Equatable, Sendable {
    package let revision: Int64
    package let acknowledged: [AgentName]
    package let pending: [AgentName]
    /// Whether every replica has published the revision and every live agent it concerns enforces
    /// it or a later one.
    package let isComplete: Bool
}

/// Answers whether a change has reached the hosts, from any replica: what agents acknowledge is in
/// the database.
package struct Enforcement: Sendable {
    /// Between two looks.
    private static let pause = Duration.milliseconds(25)
    /// The longest that anybody may wait.
    package static let timeoutMax = Duration.seconds(60)

    private let control: ControlPlane

    init(_ control: ControlPlane) { self.control = control }

    /// Waits until every live agent that a revision concerns has acknowledged it, or until the
    /// time is up; the report says who has not.
    package func wait(
        for revision: Int64,
        timeout: Duration
    ) async throws(ControlError) -> EnforcementReport {
        let deadline = control.surroundings.instant() + min(timeout, Self.timeoutMax)
        while true {
            let progress = try await control.read { database in
                try await AgentStateRepository.progress(of: revision, in: database)
            }
            let isComplete = progress.isPublished && progress.pending.isEmpty
            let isOver = control.surroundings.instant() >= deadline || Task.isCancelled
            if isComplete || isOver {
                return EnforcementReport(
                    revision: revision,
                    acknowledged: progress.acknowledged,
                    pending: progress.pending,
                    isComplete: isComplete
                )
            }
            try? await control.pool.reactor.sleep(for: Self.pause)
        }
    }
}

extension ControlPlane {
    /// Which agents enforce what.
    package var enforcement: Enforcement { Enforcement(self) }
}
