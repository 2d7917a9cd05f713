/// Bounds and times of a pool.
package struct PoolLimits: Equatable, Sendable {
    package var connectionsMax = 8
    /// Connections being made at one time.
    package var connectingMax = 4
    /// Requests that may wait for a connection; the next one is refused.
    package var waitersMax = 1_024
    package var acquireTimeout: Duration = .seconds(5)
    /// An idle connection is closed after this long.
    package var idleTimeout: Duration = .seconds(300)
    /// A connection idle for longer is asked for a sign of life before it is lent.
    package var validateAfterIdle: Duration = .seconds(15)
    /// A connection is replaced after this long, less up to `lifetimeJitter` of it.
    package var lifetimeMax: Duration = .seconds(1_800)
    /// From 0 to 1.
    package var lifetimeJitter = 0.2
    package var backoffMin: Duration = .milliseconds(100)
    package var backoffMax: Duration = .seconds(10)

    package init() {}
}

/// The rules of a connection pool, whose driver is `PostgresPool`.
///
/// Who gets which connection, when one is made, asked for a sign of life or dropped.
///
/// A connection is connecting, idle, validating or leased. Requests wait in order of arrival.
/// At most `connectionsMax` connections exist in all states together. After a failed attempt
/// no other starts before a delay that doubles up to `backoffMax`, with jitter.
package struct PoolMachine: Sendable {
    package typealias Instant = ContinuousClock.Instant
    package typealias ConnectionID = UInt64
    package typealias RequestID = UInt64

    /// What the driver has to do; it reports back with an event.
    package enum Action: Equatable, Sendable {
        case connect(ConnectionID)
        case validate(ConnectionID)
        case lend(ConnectionID, to: RequestID)
        case refuse(RequestID, Refusal)
        case disconnect(ConnectionID)
    }

    /// Why a request gets no connection.
    package enum Refusal: Equatable, Sendable { case tooManyWaiting, timedOut, closed }

    private enum State: Equatable {
        case connecting, validating, leased
        case idle(since: Instant)
    }

    private struct Connection {
        var state: State
        var expires: Instant
    }

    private struct Waiter {
        let id: RequestID
        let deadline: Instant
    }

    private let limits: PoolLimits
    private var connections: [ConnectionID: Connection] = [:]
    /// Idle connections, the most recently used last: lending that one lets the others age out.
    private var idle: [ConnectionID] = []
    private var waiters: [Waiter] = []
    private var nextConnection: ConnectionID = 1
    private var failures = 0
    private var nextAttempt: Instant?
    private var isClosed = false

    package init(limits: PoolLimits) {
        self.limits = limits
    }

    /// Connections in all states.
    package var connectionCount: Int { connections.count }
    package var idleCount: Int { idle.count }
    package var waiterCount: Int { waiters.count }
    /// Failed attempts since the last success.
    package var failureCount: Int { failures }

    // MARK: Events

    /// Somebody wants a connection; answered by `lend` or `refuse`, now or later.
    package mutating func connectionRequested(by id: RequestID, now: Instant) -> [Action] {
        guard !isClosed else { return [.refuse(id, .closed)] }
        guard waiters.count < limits.waitersMax else { return [.refuse(id, .tooManyWaiting)] }
        waiters.append(Waiter(id: id, deadline: now + limits.acquireTimeout))
        return serve(now: now)
    }

    /// A waiting request was given up by its owner.
    package mutating func requestCancelled(_ id: RequestID) {
        waiters.removeAll { $0.id == id }
    }

    /// An attempt succeeded; `random` is from 0 up to 1.
    package mutating func connected(
        _ id: ConnectionID,
        now: Instant,
        random: Double
    ) -> [Action] {
        failures = 0
        nextAttempt = nil
        guard !isClosed, connections[id]?.state == .connecting else {
            connections[id] = nil
            return [.disconnect(id)]
        }
        let expires = now + limits.lifetimeMax * (1 - limits.lifetimeJitter * random)
        connections[id] = Connection(state: .idle(since: now), expires: expires)
        idle.append(id)
        return serve(now: now)
    }

    /// An attempt failed; `random` is from 0 up to 1.
    package mutating func connectFailed(
        _ id: ConnectionID,
        now: Instant,
        random: Double
    ) -> [Action] {
        connections[id] = nil
        guard !isClosed else { return [] }
        let doubled = limits.backoffMin * (1 << min(failures, 16))
        let delay = min(doubled, limits.backoffMax) * (0.5 + 0.5 * random)
        failures += 1
        nextAttempt = now + delay
        return serve(now: now)
    }

    /// A connection gave the sign of life that it was asked for.
    package mutating func validated(_ id: ConnectionID, now: Instant) -> [Action] {
        guard connections[id]?.state == .validating else { return [] }
        guard !isClosed else {
            connections[id] = nil
            return [.disconnect(id)]
        }
        connections[id]?.state = .idle(since: now)
        idle.append(id)
        return serve(now: now)
    }

    /// A connection came back; one that is not reusable is dropped.
    package mutating func returned(
        _ id: ConnectionID,
        isReusable: Bool,
        now: Instant
    ) -> [Action] {
        guard let connection = connections[id], connection.state == .leased else { return [] }
        guard isReusable, !isClosed, connection.expires > now else {
            connections[id] = nil
            return [.disconnect(id)] + serve(now: now)
        }
        connections[id]?.state = .idle(since: now)
        idle.append(id)
        return serve(now: now)
    }

    /// A connection ended on its own; a leased one is dropped when it comes back.
    package mutating func connectionLost(_ id: ConnectionID, now: Instant) -> [Action] {
        guard let connection = connections[id] else { return [] }
        switch connection.state {
        case .leased, .connecting: return []
        case .idle, .validating:
            connections[id] = nil
            idle.removeAll { $0 == id }
            return [.disconnect(id)] + serve(now: now)
        }
    }

    /// The time of `nextWake` has come.
    package mutating func timePassed(now: Instant) -> [Action] {
        var actions: [Action] = []
        for waiter in waiters where waiter.deadline <= now {
            actions.append(.refuse(waiter.id, .timedOut))
        }
        waiters.removeAll { $0.deadline <= now }
        actions += dropAged(now: now)
        return actions + serve(now: now)
    }

    /// Refuses every waiter and drops what is idle; leased connections end as they come back.
    package mutating func closeRequested() -> [Action] {
        isClosed = true
        var actions: [Action] = waiters.map { .refuse($0.id, .closed) }
        waiters = []
        for id in idle {
            connections[id] = nil
            actions.append(.disconnect(id))
        }
        idle = []
        return actions
    }

    /// When `timePassed` should be called next.
    package var nextWake: Instant? {
        var wake = waiters.map(\.deadline).min()
        func consider(_ instant: Instant) { wake = wake.map { min($0, instant) } ?? instant }
        if !waiters.isEmpty, let nextAttempt { consider(nextAttempt) }
        for id in idle { if let end = end(ofIdle: id) { consider(end) } }
        return wake
    }

    // MARK: Rules

    private func end(ofIdle id: ConnectionID) -> Instant? {
        guard let connection = connections[id], case .idle(let since) = connection.state else {
            return nil
        }
        return min(connection.expires, since + limits.idleTimeout)
    }

    private mutating func dropAged(now: Instant) -> [Action] {
        var actions: [Action] = []
        for id in idle {
            guard let end = end(ofIdle: id), end <= now else { continue }
            connections[id] = nil
            actions.append(.disconnect(id))
        }
        idle.removeAll { connections[$0] == nil }
        return actions
    }

    private func count(_ state: State) -> Int {
        connections.values.count { $0.state == state }
    }

    private mutating func serve(now: Instant) -> [Action] {
        guard !isClosed else { return [] }
        var actions = dropAged(now: now)
        // A connection under validation is on its way to a waiter, so it is not counted twice.
        var waiting = waiters.count - count(.validating)
        while waiting > 0, let id = idle.popLast() {
            guard case .idle(let since) = connections[id]?.state else { continue }
            if since + limits.validateAfterIdle <= now {
                connections[id]?.state = .validating
                actions.append(.validate(id))
            } else {
                let waiter = waiters.removeFirst()
                connections[id]?.state = .leased
                actions.append(.lend(id, to: waiter.id))
            }
            waiting -= 1
        }
        return actions + startConnecting(waiting: waiting, now: now)
    }

    private mutating func startConnecting(waiting: Int, now: Instant) -> [Action] {
        if let nextAttempt, nextAttempt > now { return [] }
        var actions: [Action] = []
        var connecting = count(.connecting)
        // After a failure one attempt at a time probes whether the server is back.
        let connectingMax = failures > 0 ? 1 : limits.connectingMax
        while connecting < waiting, connecting < connectingMax,
            connections.count < limits.connectionsMax
        {
            let id = nextConnection
            nextConnection += 1
            connections[id] = Connection(state: .connecting, expires: now)
            actions.append(.connect(id))
            connecting += 1
        }
        return actions
    }
}
