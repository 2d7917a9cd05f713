package import Mesh
package import Wire

/// When to probe which instance, and what the answers make of it.
///
/// Pure: the driver probes and tells. An instance that nobody has probed yet counts as up; one that
/// is down comes up after so many answers in a row, one that is up goes down after so many failures.
package struct HealthMachine: Sendable {
    package typealias Instant = ContinuousClock.Instant

    /// Probes under way at once; the others wait, so that a host with many instances is not flooded.
    package static let probesMax = 64
    /// How much earlier or later than the interval a probe may come.
    package static let jitterShare = 0.1

    /// What is known of an instance.
    package enum State: String, Equatable, Sendable {
        /// Not probed often enough yet; takes connections.
        case unknown
        case up
        case down
    }

    /// An instance that shall be probed.
    package struct Subject: Hashable, Sendable {
        package let key: InstanceKey
        package let address: IPAddress
        package let port: UInt16
        package let check: HealthCheck

        package init(key: InstanceKey, address: IPAddress, port: UInt16, check: HealthCheck) {
            self.key = key
            self.address = address
            self.port = port
            self.check = check
        }
    }

    /// An instance as it is seen now.
    package struct Finding: Equatable, Sendable {
        package let key: InstanceKey
        package let state: State
        /// Since when it is in this state.
        package let since: Timestamp
        /// Why the latest probe failed; empty if it did not.
        package let problem: String
    }

    fileprivate struct Entry {
        var subject: Subject
        var state = State.unknown
        var since: Timestamp
        /// Answers in a row that speak against the state, or for the first one.
        var streak = 0
        var problem = ""
        var due: Instant
        var isProbing = false
    }

    private var entries: [InstanceKey: Entry] = [:]
    private var probingCount = 0

    package init() {}

    /// Other instances, or other checks: what has changed begins anew, all else goes on.
    ///
    /// `jitter` gives random numbers from 0 to 1, which spread the first probes.
    package mutating func configured(
        _ subjects: [Subject],
        now: Instant,
        wall: Timestamp,
        jitter: () -> Double
    ) {
        var next: [InstanceKey: Entry] = [:]
        for subject in subjects where subject.check.kind != .none {
            if let entry = entries[subject.key], entry.subject == subject {
                next[subject.key] = entry
                continue
            }
            let spread = min(subject.check.interval, .seconds(1))
            next[subject.key] = Entry(
                subject: subject,
                since: wall,
                due: now.advanced(by: spread * jitter())
            )
        }
        probingCount = next.values.count(where: \.isProbing)
        entries = next
    }

    /// The instances to probe now, as many as may be under way.
    package mutating func takeDue(now: Instant) -> [Subject] {
        guard probingCount < Self.probesMax else { return [] }
        let due = entries.values.filter { !$0.isProbing && $0.due <= now }
            .sorted { ($0.due, $0.subject.key) < ($1.due, $1.subject.key) }
            .prefix(Self.probesMax - probingCount)
        for entry in due { entries[entry.subject.key]?.isProbing = true }
        probingCount += due.count
        return due.map(\.subject)
    }

    /// When the next probe is due; nil while none may begin before another ends.
    package var nextDue: Instant? {
        guard probingCount < Self.probesMax else { return nil }
        return entries.values.lazy.filter { !$0.isProbing }.map(\.due).min()
    }

    /// What a probe came to; true when that changes the state of the instance.
    ///
    /// `subject` is as it was taken: an answer for one that has changed meanwhile counts nothing.
    /// `problem` tells why it failed and is nil if the instance answered; `jitter` is from 0 to 1.
    package mutating func answered(
        _ subject: Subject,
        problem: String?,
        now: Instant,
        wall: Timestamp,
        jitter: Double
    ) -> Bool {
        guard var entry = entries[subject.key], entry.subject == subject, entry.isProbing else {
            return false
        }
        entry.isProbing = false
        probingCount -= 1
        let factor = 1 + Self.jitterShare * (2 * jitter - 1)
        entry.due = now.advanced(by: subject.check.interval * factor)
        let isChanged = entry.judge(problem, wall)
        entries[subject.key] = entry
        return isChanged
    }

    /// Instances that get no new connections as long as others are left.
    package var down: Set<InstanceKey> {
        Set(entries.values.lazy.filter { $0.state == .down }.map(\.subject.key))
    }

    /// All instances that are probed, in the order of their keys.
    package var findings: [Finding] {
        entries.values.sorted { $0.subject.key < $1.subject.key }.map { entry in
            Finding(
                key: entry.subject.key,
                state: entry.state,
                since: entry.since,
                problem: entry.problem
            )
        }
    }
}

extension HealthMachine.Entry {
    fileprivate mutating func judge(_ problem: String?, _ wall: Timestamp) -> Bool {
        let wasFailing = !self.problem.isEmpty
        self.problem = problem ?? ""
        let next: HealthMachine.State = problem == nil ? .up : .down
        guard next != state else {
            streak = 0
            return false
        }
        // A streak is of one kind: an answer ends the failures before it, and the reverse.
        streak = wasFailing == (problem != nil) || streak == 0 ? streak + 1 : 1
        let threshold = next == .up ? subject.check.successes : subject.check.failures
        guard streak >= threshold else { return false }
        state = next
        since = wall
        streak = 0
        return true
    }
}
