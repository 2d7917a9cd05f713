import Observability
import Store
import Synchronization
import Wire

/// How many refused logins of one source get a record of their own in a minute; the rest is counted, so
/// that whoever floods the server with logins floods neither its database nor its audit trail.
final class LoginRecords: Sendable {
    static let recordsPerMinuteMax = 20
    static let sourcesMax = 4_096

    private struct State: Sendable {
        var minute: Int64 = 0
        var counts: [String: Int] = [:]
    }

    private let state = Mutex(State())

    /// Whether one more refusal of a source is recorded by itself.
    func mayRecord(_ source: String, now: Timestamp) -> Bool {
        state.withLock { state in
            let minute = now.secondsSinceEpoch / 60
            if state.minute != minute { state = State(minute: minute) }
            guard state.counts[source] != nil || state.counts.count < Self.sourcesMax else {
                return false
            }
            state.counts[source, default: 0] += 1
            return state.counts[source, default: 0] <= Self.recordsPerMinuteMax
        }
    }
}

extension ControlPlane {
    /// Records why a login is refused, and gives what its caller hears: no more than that it is.
    func refuseLogin(
        _ reason: String,
        _ caller: Caller,
        at resource: String
    ) async -> ControlError {
        metrics.counter(MetricNames.callRefusals, labels: ["login"]).increment()
        let refusal = ControlError.invalid(
            "auth.refused",
            field: "",
            "login refused: the audit trail says why under the id of this request"
        )
        if loginRecords.mayRecord(caller.sourceAddress, now: now()) {
            let entry = caller.entry(
                action: "auth.login",
                resource: resource,
                outcome: "refused",
                reason: reason
            )
            do throws(SpineFailure) {
                try await spine.act(entry) { _ in }
                return refusal
            } catch {
                logger.warning("a refused login could not be recorded and is counted")
            }
        }
        refusals.count(
            source: caller.sourceAddress,
            reason: "login_\(reason)",
            resource: resource,
            now: now()
        )
        return refusal
    }
}
