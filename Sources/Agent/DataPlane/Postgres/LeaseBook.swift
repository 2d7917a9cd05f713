package import Crypto
package import Mesh
package import Snapshot
package import Wire

/// Whose sessions share a lease: those of one workload with one profile.
package struct LeaseNeed: Hashable, Sendable {
    package let source: ServiceName
    package let profile: ProfileName

    package init(source: ServiceName, profile: ProfileName) {
        self.source = source
        self.profile = profile
    }
}

/// A leased role as sessions use it.
package struct PostgresLease: Sendable {
    package let account: LeasedAccount
    package let keys: SCRAM.Keys
    package let deadline: LeaseDeadline

    package init(account: LeasedAccount, keys: SCRAM.Keys, deadline: LeaseDeadline) {
        self.account = account
        self.keys = keys
        self.deadline = deadline
    }
}

/// Which leases the agent holds, which it asks for, and when.
///
/// Pure: what it says is to be sent, and what comes back is told. A lease is asked for before anybody
/// needs it, renewed at two thirds of its life, and replaced where that would not make it live much
/// longer: the old one goes on for the sessions that it has.
package struct LeaseBook: Sendable {
    /// The longest pause after failures.
    package static let pauseMax = Duration.seconds(30)

    private struct Entry: Sendable {
        var port: UInt16
        var held: PostgresLease?
        /// When the held one ends however often it is renewed.
        var latestEnd = Timestamp.distantPast
        /// The request under way, when it was sent, and the keys of a new role.
        var request: (id: UInt64, at: Timestamp, keys: SCRAM.Keys?)?
        var retryAt = Timestamp.distantPast
        var failures = 0
        var mayRenew = true
    }

    private var entries: [LeaseNeed: Entry] = [:]
    private var unwanted: Set<LeaseID> = []
    private var latestID: UInt64 = 0

    /// Holds nothing.
    package init() {}

    /// Whether nothing is held, wanted or to be given back.
    package var isEmpty: Bool { entries.isEmpty && unwanted.isEmpty }

    /// What sessions may use, by whose they are.
    package var leases: [LeaseNeed: PostgresLease] { entries.compactMapValues(\.held) }

    /// Where the databases are.
    package var hosts: [OutsideHost] { entries.values.compactMap { $0.held?.account.host } }

    /// Leases for these from now on, each through one of its ports, and for nobody else.
    ///
    /// True where something that was held is not any more.
    package mutating func follow(_ needs: [LeaseNeed: UInt16]) -> Bool {
        var isChanged = false
        for (need, entry) in entries where needs[need] == nil {
            entries[need] = nil
            guard let held = entry.held else { continue }
            unwanted.insert(held.account.lease)
            isChanged = true
        }
        for (need, port) in needs { entries[need, default: Entry(port: port)].port = port }
        return isChanged
    }

    /// A database does not take the role: it is given back, and another one is asked for at once.
    package mutating func discard(_ leases: Set<LeaseID>) -> Bool {
        var isChanged = false
        for (need, entry) in entries {
            guard let held = entry.held, leases.contains(held.account.lease) else { continue }
            unwanted.insert(held.account.lease)
            entries[need]?.held = nil
            isChanged = true
        }
        return isChanged
    }

    /// What to ask the server now; `keys` makes those of a password that was never used.
    package mutating func due(
        now: Timestamp,
        keys: () -> SCRAM.Keys?
    ) -> [AgentLeaseRequest] {
        var requests: [AgentLeaseRequest] = []
        for lease in unwanted { requests.append(request(.revoke(lease))) }
        unwanted = []
        for (need, known) in entries {
            var entry = known
            if let held = entry.held, now >= held.deadline.end { entry.held = nil }
            if entry.request == nil, now >= entry.retryAt,
                entry.held.map({ now >= $0.deadline.renewal }) ?? true
            {
                if let act = act(of: need, &entry, now: now, keys: keys) {
                    let next = request(act)
                    entry.request?.id = next.id
                    requests.append(next)
                }
            }
            entries[need] = entry
        }
        return requests
    }

    private func act(
        of need: LeaseNeed,
        _ entry: inout Entry,
        now: Timestamp,
        keys: () -> SCRAM.Keys?
    ) -> AgentLeaseRequest.Act? {
        // Worth it if it gains as much as is left at least.
        if let held = entry.held, entry.mayRenew,
            entry.latestEnd - held.deadline.end > held.deadline.end - now
        {
            entry.request = (0, now, nil)
            return .renew(held.account.lease)
        }
        guard let keys = keys(), let verifier = try? SCRAMVerifier(keys.verifier) else {
            return nil
        }
        entry.request = (0, now, keys)
        return .issue(port: entry.port, profile: need.profile, verifier: verifier)
    }

    private mutating func request(_ act: AgentLeaseRequest.Act) -> AgentLeaseRequest {
        latestID += 1
        return AgentLeaseRequest(id: latestID, act: act)
    }

    /// Takes an answer in; true if sessions may use another lease now, or the same one for longer.
    package mutating func received(
        _ answer: AgentLeaseAnswer,
        now: Timestamp,
        jitter: Double
    ) -> Bool {
        guard let (need, known) = entries.first(where: { $0.value.request?.id == answer.id }),
            let request = known.request
        else {
            // Nobody waits for it any more: what it gives is given back.
            if let account = answer.account { unwanted.insert(account.lease) }
            return false
        }
        var entry = known
        entry.request = nil
        defer { entries[need] = entry }
        guard let account = answer.account, let keys = request.keys ?? entry.held?.keys,
            request.keys != nil || entry.held?.account.lease == account.lease
        else {
            // What cannot be renewed is replaced.
            if request.keys == nil { entry.mayRenew = false } else { entry.failures += 1 }
            let pause = min(Self.pauseMax, .seconds(1 << min(entry.failures, 5)))
            entry.retryAt = now + max(answer.retryAfter ?? .zero, pause * (0.5 + jitter / 2))
            return false
        }
        if request.keys != nil { entry.mayRenew = true }
        entry.failures = 0
        // From when it was asked for: no later than the server began to count.
        entry.latestEnd = request.at + account.mostRemaining
        entry.held = PostgresLease(
            account: account,
            keys: keys,
            deadline: LeaseDeadline(issued: request.at, lifetime: account.remaining)
        )
        return true
    }

    /// What was asked for will not be answered.
    package mutating func disconnected() {
        for need in entries.keys { entries[need]?.request = nil }
    }
}
