package import Mesh
import Synchronization
package import Wire

/// A right that a caller lacked.
package struct CallDenial: Equatable, Sendable {
    package let requestID: String
    package let principal: String
    package let capability: Capability
    /// The canonical path without leading slash.
    package let path: String
    package let at: Timestamp
}

/// What was refused lately, by request, so that whoever was refused can ask why; the audit trail
/// keeps no more than counts.
final class RecentDenials: Sendable {
    static let denialsMax = 4_096

    private struct State: Sendable {
        var byRequest: [String: CallDenial] = [:]
        /// In the order of their arrival, as a ring.
        var order: [String] = []
        var next = 0
    }

    private let state = Mutex(State())

    /// Keeps a denial and forgets the oldest when there are too many.
    func keep(_ denial: CallDenial) {
        guard !denial.requestID.isEmpty else { return }
        state.withLock { state in
            guard state.byRequest.updateValue(denial, forKey: denial.requestID) == nil else {
                return
            }
            if state.order.count < Self.denialsMax {
                state.order.append(denial.requestID)
            } else {
                state.byRequest[state.order[state.next]] = nil
                state.order[state.next] = denial.requestID
                state.next = (state.next + 1) % Self.denialsMax
            }
        }
    }

    /// What a request lacked, as long as that is remembered.
    func find(_ requestID: String) -> CallDenial? {
        state.withLock { $0.byRequest[requestID] }
    }
}
