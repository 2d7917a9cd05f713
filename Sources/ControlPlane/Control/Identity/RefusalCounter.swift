import Synchronization
import Wire

/// Refused calls, counted per source and minute, so that whoever floods the server with refusals
/// floods neither its database nor its audit trail.
final class RefusalCounter: Sendable {
    /// Different counts at one time; what comes beyond is counted under the source `others`.
    static let keysMax = 4_096

    struct Key: Hashable, Sendable {
        let minute: Int64
        let source: String
        /// Empty when nobody was authenticated.
        let principal: String
        /// A stable word such as `token_expired`.
        let reason: String
        /// What was asked for, of authenticated callers only.
        let resource: String
    }

    struct Count: Equatable, Sendable {
        let key: Key
        let count: Int
    }

    private let counts = Mutex<[Key: Int]>([:])

    /// Counts one refusal.
    func count(
        source: String,
        principal: String = "",
        reason: String,
        resource: String = "",
        now: Timestamp
    ) {
        let minute = now.secondsSinceEpoch / 60
        let key = Key(
            minute: minute,
            source: source,
            principal: principal,
            reason: reason,
            resource: resource
        )
        counts.withLock { counts in
            if counts[key] == nil, counts.count >= Self.keysMax {
                let others = Key(
                    minute: minute,
                    source: "others",
                    principal: "",
                    reason: reason,
                    resource: ""
                )
                counts[others, default: 0] += 1
            } else {
                counts[key, default: 0] += 1
            }
        }
    }

    /// Takes the counts of minutes that are over, or all of them, in a stable order.
    func takeDue(now: Timestamp, includingCurrentMinute: Bool = false) -> [Count] {
        let minute = now.secondsSinceEpoch / 60
        return counts.withLock { counts in
            let due = counts.filter { includingCurrentMinute || $0.key.minute < minute }
            for key in due.keys { counts[key] = nil }
            return due.map { Count(key: $0.key, count: $0.value) }
        }.sorted { left, right in
            (left.key.minute, left.key.source, left.key.principal, left.key.reason)
                < (right.key.minute, right.key.source, right.key.principal, right.key.reason)
        }
    }

    /// Puts back what could not be stored.
    func restore(_ taken: [Count]) {
        counts.withLock { counts in
            for entry in taken where counts[entry.key] != nil || counts.count < Self.keysMax {
                counts[entry.key, default: 0] += entry.count
            }
        }
    }
}
