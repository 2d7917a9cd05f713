package import Mesh
import Synchronization
package import Wire

/// Decisions and flow counters of one reactor on their way to the spool.
///
/// Any thread may call anything; the reactor calls it per connection, never per record. What does
/// not fit is dropped and counted, so that evidence can never hold up traffic.
package final class EvidenceQueue: Sendable {
    /// Decisions that may wait; the newest are dropped, the first of a flood tell what it is.
    package static let decisionsMax = 8_192
    /// Distinct flows of the minutes that were not taken yet.
    package static let flowsMax = 16_384

    /// What the spool takes at a time.
    package struct Batch: Equatable, Sendable {
        /// In the order in which they happened.
        package var decisions: [Decision] = []
        /// Each minute, source, destination and rule once.
        package var flows: [Flow] = []
        /// Decisions that did not fit since the last batch.
        package var droppedDecisionCount: UInt64 = 0
        /// Counts that did not fit since the last batch.
        package var droppedFlowCount: UInt64 = 0

        package init() {}

        /// Whether there is nothing to write, not even a count.
        package var isEmpty: Bool {
            decisions.isEmpty && flows.isEmpty && droppedDecisionCount == 0
                && droppedFlowCount == 0
        }
    }

    private struct FlowKey: Hashable {
        let minute: Int64
        let source: SPIFFEID
        let destination: ServiceName
        let ruleID: RuleID?
    }

    private struct State {
        var decisions: [Decision] = []
        var flows: [FlowKey: Flow] = [:]
        var droppedDecisionCount: UInt64 = 0
        var droppedFlowCount: UInt64 = 0
    }

    private let state = Mutex(State())

    package init() {}

    /// Adds a decision.
    package func add(_ decision: Decision) {
        state.withLock { state in
            guard state.decisions.count < Self.decisionsMax else {
                state.droppedDecisionCount &+= 1
                return
            }
            state.decisions.append(decision)
        }
    }

    /// Counts a decision that is not kept.
    package func drop() {
        state.withLock { $0.droppedDecisionCount &+= 1 }
    }

    /// Adds to the counters of a flow in the minute of `now`.
    package func count(_ permit: ConnectionPermit, _ amounts: FlowAmounts, now: Timestamp) {
        let minute = now.secondsSinceEpoch / 60
        let key = FlowKey(
            minute: minute,
            source: permit.source,
            destination: permit.destination,
            ruleID: permit.ruling?.ruleID
        )
        state.withLock { state in
            if state.flows[key] == nil {
                guard state.flows.count < Self.flowsMax else {
                    state.droppedFlowCount &+= 1
                    return
                }
                state.flows[key] = Flow(
                    minute: Timestamp(secondsSinceEpoch: minute * 60),
                    source: key.source,
                    destination: key.destination,
                    ruleID: key.ruleID
                )
            }
            state.flows[key]?.opened &+= amounts.opened
            state.flows[key]?.closed &+= amounts.closed
            state.flows[key]?.bytesSent &+= amounts.bytesSent
            state.flows[key]?.bytesReceived &+= amounts.bytesReceived
        }
    }

    /// Takes everything and leaves the queue empty.
    package func takeAll() -> Batch {
        let taken = state.withLock { state in
            defer { state = State() }
            return state
        }
        var batch = Batch()
        batch.decisions = taken.decisions
        batch.flows = Array(taken.flows.values)
        batch.droppedDecisionCount = taken.droppedDecisionCount
        batch.droppedFlowCount = taken.droppedFlowCount
        return batch
    }
}

/// What is added to a flow.
package struct FlowAmounts: Equatable, Sendable {
    /// Connections that began.
    package var opened: UInt64 = 0
    /// Connections that ended.
    package var closed: UInt64 = 0
    /// Bytes from source to destination.
    package var bytesSent: UInt64 = 0
    /// Bytes from destination to source.
    package var bytesReceived: UInt64 = 0

    package init() {}
}
