import Reactor
import Wire

/// How many refusals of peers without an identity become decisions of their own.
///
/// Whoever reaches a port can be refused as often as it likes, so beyond these bounds refusals are
/// only counted: a flood must neither fill the audit trail nor displace what known peers did.
struct StrangerBudget {
    /// Decisions about one source address in a minute.
    static let perSourceMax = 120
    /// Decisions about all of them in a minute; also the most addresses that are remembered.
    static let perMinuteMax = 1_200

    private var minute: Int64 = .min
    private var count = 0
    private var perSource: [IPAddress?: Int] = [:]

    /// Whether one more refusal of this source is kept; local sockets without an address are one.
    mutating func admits(_ source: IPAddress?, now: Timestamp) -> Bool {
        let current = now.secondsSinceEpoch / 60
        if current != minute {
            minute = current
            count = 0
            perSource = [:]
        }
        guard count < Self.perMinuteMax, perSource[source, default: 0] < Self.perSourceMax else {
            return false
        }
        count += 1
        perSource[source, default: 0] += 1
        return true
    }
}
