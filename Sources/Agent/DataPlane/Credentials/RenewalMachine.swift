package import Mesh
import Snapshot
package import Wire

/// Whose certificate it is.
package enum CertificateSubject: Hashable, Sendable, CustomStringConvertible {
    /// The agent's own.
    case agent
    /// That of a service it hosts or connects for.
    case service(ServiceName)

    /// The service; nil for the agent itself.
    package var service: ServiceName? {
        if case .service(let name) = self { name } else { nil }
    }

    package var description: String { service?.description ?? "agent" }
}

/// Decides which certificates to ask for, and when.
///
/// Every subject that the snapshot names has a certificate or is asked for; an answer that never
/// comes is given up when the connection ends or after `answerTimeout`, and failures are repeated
/// with growing pauses.
package struct RenewalMachine: Sendable {
    /// How long an answer may take.
    package static let answerTimeout = Duration.seconds(30)
    /// The longest pause between attempts once 90 % of a life are over, and after it.
    package static let criticalPause = Duration.seconds(10)
    /// The most requests under way at once.
    package static let pendingMax = 16

    /// What the driver has to do.
    package enum Action: Equatable, Sendable {
        /// Make a key and a CSR and send it under this number.
        case request(id: UInt64, CertificateSubject)
        /// No answer came in time: report it as `failed`, so that it is repeated after a pause.
        case giveUp(id: UInt64)
        /// The service is no longer placed here: remove key and certificate.
        case forget(ServiceName)
    }

    private struct Entry {
        var schedule: RenewalSchedule?
        var nextAttempt = Timestamp.distantPast
        var backoff = Backoff()
        var pending: (id: UInt64, since: Timestamp)?
    }

    private var entries: [CertificateSubject: Entry] = [:]
    private var nextID: UInt64 = 1

    /// Knows of the agent's own certificate alone.
    package init() {
        entries[.agent] = Entry()
    }

    /// The certificate that is held, if there is one.
    package func schedule(of subject: CertificateSubject) -> RenewalSchedule? {
        entries[subject]?.schedule
    }

    /// Every subject that needs a certificate.
    package var subjects: Set<CertificateSubject> { Set(entries.keys) }

    /// A certificate is held from now on.
    package mutating func held(_ subject: CertificateSubject, _ schedule: RenewalSchedule) {
        var entry = entries[subject] ?? Entry()
        entry.schedule = schedule
        entry.nextAttempt = schedule.renewAt
        entry.backoff.succeeded()
        entry.pending = nil
        entries[subject] = entry
    }

    /// The snapshot names these services.
    package mutating func placed(_ services: Set<ServiceName>) -> [Action] {
        for service in services where entries[.service(service)] == nil {
            entries[.service(service)] = Entry()
        }
        let gone = entries.keys.compactMap(\.service).filter { !services.contains($0) }.sorted()
        for service in gone { entries[.service(service)] = nil }
        return gone.map(Action.forget)
    }

    /// Time has passed while a server is connected; gives what is due.
    package mutating func ticked(now: Timestamp) -> [Action] {
        let overdue = entries.values.compactMap(\.pending).filter {
            // A clock that was set back must not make an answer overdue for ever.
            now - $0.since > Self.answerTimeout || now < $0.since
        }
        var actions = overdue.map(\.id).sorted().map { Action.giveUp(id: $0) }
        var room = Self.pendingMax - entries.values.count { $0.pending != nil }
        let due = entries.filter { $0.value.pending == nil && $0.value.nextAttempt <= now }
            .sorted { left, right in
                (left.value.schedule?.notAfter ?? .distantPast, left.key.description)
                    < (right.value.schedule?.notAfter ?? .distantPast, right.key.description)
            }
        for (subject, _) in due where room > 0 {
            room -= 1
            entries[subject]?.pending = (nextID, now)
            actions.append(.request(id: nextID, subject))
            nextID += 1
        }
        return actions
    }

    /// The certificate that is held should be replaced by then; what is planned earlier stays.
    package mutating func hasten(_ subject: CertificateSubject, to time: Timestamp) {
        guard var entry = entries[subject], entry.schedule != nil else { return }
        entry.nextAttempt = min(entry.nextAttempt, time)
        entries[subject] = entry
    }

    /// Whose answer it is; nil for one that nobody waits for.
    package func subject(of id: UInt64) -> CertificateSubject? {
        entries.first { $0.value.pending?.id == id }?.key
    }

    /// The request failed; it is repeated after a pause, at least `retryAfter`.
    package mutating func failed(
        _ id: UInt64,
        retryAfter: Duration?,
        now: Timestamp,
        jitter: Double
    ) {
        guard let subject = subject(of: id), var entry = entries[subject] else { return }
        var pause = entry.backoff.failed(jitter: jitter)
        if let zone = entry.schedule?.zone(at: now), zone == .critical || zone == .expired {
            pause = min(pause, Self.criticalPause)
        }
        entry.nextAttempt = now + max(pause, retryAfter ?? .zero)
        entry.pending = nil
        entries[subject] = entry
    }

    /// Nothing that was asked will be answered any more.
    package mutating func disconnected() {
        for subject in entries.keys { entries[subject]?.pending = nil }
    }
}
