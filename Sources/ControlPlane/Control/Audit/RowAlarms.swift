import Observability
import Store
import Synchronization

/// Rows whose MAC did not hold, on their way into the log, the counters and the database.
final class RowAlarms: Sendable {
    /// More forged rows than this are counted and logged, but not kept one by one.
    private static let rowsMax = 10_000

    private struct State: Sendable {
        var seen: Set<RowAlarm> = []
        var pending: [RowAlarm] = []
    }

    private let state = Mutex(State())
    private let logger: Logger
    private let metrics: MetricRegistry

    init(logger: Logger, metrics: MetricRegistry) {
        self.logger = logger
        self.metrics = metrics
    }

    /// Counts a forged row and, the first time, logs it and keeps it for the database.
    func raise(_ alarm: RowAlarm) {
        metrics.counter(MetricNames.rowMACFailures, labels: [alarm.table]).increment()
        let isNew = state.withLock { state in
            guard state.seen.count < Self.rowsMax, state.seen.insert(alarm).inserted else {
                return false
            }
            state.pending.append(alarm)
            return true
        }
        guard isNew else { return }
        logger.error(
            "a row was written behind the server's back and counts as absent",
            ["table": .text(alarm.table), "key": .text(alarm.key)]
        )
    }

    /// Takes what was not kept yet.
    func takePending() -> [RowAlarm] {
        state.withLock { state in
            defer { state.pending = [] }
            return state.pending
        }
    }

    /// Gives back what could not be kept.
    func returnPending(_ alarms: [RowAlarm]) {
        state.withLock { $0.pending += alarms }
    }
}

/// Another replica kept the alarm first, so the audit record is its own to write.
private struct KnownAlarm: Error {}

extension ControlPlane {
    /// Stores alarms that were raised, with one audit record for each row ever.
    func keepAlarms() async {
        var pending = alarms.takePending()
        while let alarm = pending.first {
            let entry = server.entry(
                action: "row.alarm",
                resource: "\(alarm.table)/\(alarm.key)",
                outcome: "alarm",
                reason: "mac_mismatch"
            )
            do throws(SpineFailure) {
                try await spine.act(entry) { act in
                    let isNew = try await RowAlarmRepository.insert(alarm, in: act.database)
                    if !isNew { throw KnownAlarm() }
                }
            } catch {
                if case .body(let error) = error, error is KnownAlarm {
                    pending.removeFirst()
                    continue
                }
                // The database is away: the next transaction tries again.
                return alarms.returnPending(pending)
            }
            pending.removeFirst()
        }
    }
}
