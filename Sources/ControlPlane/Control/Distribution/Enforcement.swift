package import Mesh
import Postgres
import Reactor
import Store
import Synchronization
import Wire

/// Which live agents enforce a revision.
package struct EnforcementReport: Equatable, Sendable {
    package let revision: Int64
    package let acknowledged: [AgentName]
    package let pending: [AgentName]
    /// Whether every live agent that the revision concerns enforces it or a later one.
    package let isComplete: Bool
    /// From the commit to the last acknowledgement, by the database's clock; nil without any.
    package let elapsed: Duration?
}

/// Answers whether a change has reached the hosts, from any replica: what agents acknowledge is in
/// the database.
package struct Enforcement: Sendable {
    /// Between two looks, at first and later on.
    private static let pauses = (Duration.milliseconds(25), Duration.milliseconds(200))
    private static let looksInARow = 80
    /// The pause after a look is so many times as long as the look took: of a large mesh, whose agents
    /// are busy with the very change that is waited for, looking costs something.
    private static let pausePerLook = 4
    /// And no longer than this: a look that waited for its turn on a busy server says nothing about
    /// what looking costs, and the answer would come as late as four such turns.
    private static let pausePerLookMax = Duration.milliseconds(200)
    private static let waitersPerPause = 4
    /// The most requests that wait at one time; whoever comes beyond gets one look and no more, so
    /// that waiting leaves the database to everybody else.
    package static let waitersMax = 64
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
        let mayWait = control.enforcementWaiters.withLock { count in
            count += 1
            return count <= Self.waitersMax
        }
        defer { control.enforcementWaiters.withLock { $0 -= 1 } }
        var looks = 0
        while true {
            let began = control.surroundings.instant()
            let isComplete = try await control.read { database in
                try await AgentStateRepository.isEnforced(revision, in: database)
            }
            let isOver =
                !mayWait || control.surroundings.instant() >= deadline || Task.isCancelled
            if isComplete || isOver { return try await report(revision) }
            looks += 1
            let pause = Self.pause(
                afterLooks: looks,
                of: began.duration(to: control.surroundings.instant()),
                waiters: control.enforcementWaiters.withLock { $0 }
            )
            try? await control.pool.reactor.sleep(for: pause)
        }
    }

    /// How long to wait before the next look, given how long the last one took: the more there are
    /// who wait, the less often each looks.
    static func pause(afterLooks looks: Int, of length: Duration, waiters: Int) -> Duration {
        let crowd = max(1, waiters / waitersPerPause)
        let pause = (looks < looksInARow ? pauses.0 : pauses.1) * crowd
        return max(pause, min(length * pausePerLook, pausePerLookMax))
    }

    /// Names everybody, which for a large mesh costs too much to be done with every look.
    private func report(_ revision: Int64) async throws(ControlError) -> EnforcementReport {
        let progress = try await control.read { database in
            try await AgentStateRepository.progress(of: revision, in: database)
        }
        return EnforcementReport(
            revision: revision,
            acknowledged: progress.acknowledged,
            pending: progress.pending,
            isComplete: progress.pending.isEmpty,
            elapsed: progress.elapsed
        )
    }
}

extension ControlPlane {
    /// Which agents enforce what.
    package var enforcement: Enforcement { Enforcement(self) }
}
