import Postgres
import Testing

@Suite struct PoolMachineTests {
    private let start = ContinuousClock.Instant.now

    private var limits: PoolLimits {
        var limits = PoolLimits()
        limits.connectionsMax = 2
        limits.waitersMax = 3
        limits.acquireTimeout = .seconds(5)
        limits.validateAfterIdle = .seconds(15)
        limits.idleTimeout = .seconds(60)
        limits.lifetimeMax = .seconds(1_000)
        limits.lifetimeJitter = 0.2
        limits.backoffMin = .seconds(1)
        limits.backoffMax = .seconds(8)
        return limits
    }

    /// A machine with one idle connection, number 1.
    private func machineWithIdle() -> PoolMachine {
        var machine = PoolMachine(limits: limits)
        _ = machine.connectionRequested(by: 100, now: start)
        _ = machine.connected(1, now: start, random: 0)
        _ = machine.returned(1, isReusable: true, now: start)
        return machine
    }

    @Test func connectsOnDemandUpToTheLimit() {
        var machine = PoolMachine(limits: limits)
        #expect(machine.connectionRequested(by: 1, now: start) == [.connect(1)])
        #expect(machine.connectionRequested(by: 2, now: start) == [.connect(2)])
        #expect(machine.connectionRequested(by: 3, now: start) == [])
        #expect(machine.connected(2, now: start, random: 0) == [.lend(2, to: 1)])
        #expect(machine.connected(1, now: start, random: 0) == [.lend(1, to: 2)])
        #expect(machine.returned(2, isReusable: true, now: start) == [.lend(2, to: 3)])
        #expect(machine.connectionCount == 2)
    }

    @Test func refusesMoreWaitersThanAllowed() {
        var machine = PoolMachine(limits: limits)
        for id in 1...3 { _ = machine.connectionRequested(by: UInt64(id), now: start) }
        #expect(machine.connectionRequested(by: 4, now: start) == [.refuse(4, .tooManyWaiting)])
    }

    @Test func waitersTimeOutInOrder() {
        var machine = PoolMachine(limits: limits)
        _ = machine.connectionRequested(by: 1, now: start)
        _ = machine.connectionRequested(by: 2, now: start + .seconds(1))
        #expect(machine.nextWake == start + .seconds(5))
        #expect(machine.timePassed(now: start + .seconds(5)) == [.refuse(1, .timedOut)])
        #expect(machine.timePassed(now: start + .seconds(6)) == [.refuse(2, .timedOut)])
        #expect(machine.nextWake == nil)
        #expect(machine.connected(1, now: start + .seconds(7), random: 0) == [])
        #expect(machine.idleCount == 1)
    }

    @Test func cancelledRequestsGetNothing() {
        var machine = PoolMachine(limits: limits)
        _ = machine.connectionRequested(by: 1, now: start)
        machine.requestCancelled(1)
        #expect(machine.connected(1, now: start, random: 0) == [])
        #expect(machine.waiterCount == 0)
    }

    @Test func brokenConnectionsAreReplaced() {
        var machine = PoolMachine(limits: limits)
        _ = machine.connectionRequested(by: 1, now: start)
        _ = machine.connected(1, now: start, random: 0)
        _ = machine.connectionRequested(by: 2, now: start)
        _ = machine.connectionRequested(by: 3, now: start)
        let actions = machine.returned(1, isReusable: false, now: start)
        #expect(actions == [.disconnect(1), .connect(3)])
    }

    @Test func idleConnectionsThatEndAreDropped() {
        var machine = machineWithIdle()
        #expect(machine.connectionLost(1, now: start) == [.disconnect(1)])
        #expect(machine.connectionCount == 0)
        #expect(machine.connectionLost(1, now: start) == [])
    }

    @Test func longIdleConnectionsAreAskedFirst() {
        var machine = machineWithIdle()
        let later = start + .seconds(15)
        #expect(machine.connectionRequested(by: 1, now: later) == [.validate(1)])
        #expect(machine.validated(1, now: later) == [.lend(1, to: 1)])
    }

    @Test func deafConnectionsMakeWayForNewOnes() {
        var machine = machineWithIdle()
        let later = start + .seconds(15)
        _ = machine.connectionRequested(by: 1, now: later)
        #expect(machine.connectionLost(1, now: later) == [.disconnect(1), .connect(2)])
    }

    @Test func idleConnectionsAge() {
        var machine = machineWithIdle()
        #expect(machine.nextWake == start + .seconds(60))
        #expect(machine.timePassed(now: start + .seconds(60)) == [.disconnect(1)])
        #expect(machine.connectionCount == 0)
    }

    @Test(arguments: [(0.0, 1_000), (0.5, 900)])
    func connectionsEndAfterTheirJitteredLifetime(random: Double, seconds: Int) {
        var machine = PoolMachine(limits: limits)
        _ = machine.connectionRequested(by: 1, now: start)
        _ = machine.connected(1, now: start, random: random)
        let end = start + .seconds(seconds)
        #expect(machine.returned(1, isReusable: true, now: end) == [.disconnect(1)])
        #expect(machine.connectionCount == 0)
    }

    @Test func failuresBackOffAndProbeOneByOne() {
        var machine = PoolMachine(limits: limits)
        _ = machine.connectionRequested(by: 1, now: start)
        _ = machine.connectionRequested(by: 2, now: start)
        #expect(machine.connectFailed(1, now: start, random: 1) == [])
        #expect(machine.connectFailed(2, now: start, random: 1) == [])
        #expect(machine.nextWake == start + .seconds(2))
        #expect(machine.timePassed(now: start + .seconds(1)) == [])
        #expect(machine.timePassed(now: start + .seconds(2)) == [.connect(3)])
        let up = start + .seconds(3)
        #expect(machine.connected(3, now: up, random: 0) == [.lend(3, to: 1), .connect(4)])
        #expect(machine.failureCount == 0)
    }

    @Test func theBackoffIsBounded() {
        var machine = PoolMachine(limits: limits)
        var now = start
        _ = machine.connectionRequested(by: 1, now: now)
        for id in 1...40 {
            #expect(machine.connectFailed(UInt64(id), now: now, random: 1) == [])
            now += .seconds(8)
            _ = machine.timePassed(now: now)
            let actions = machine.connectionRequested(by: UInt64(1_000 + id), now: now)
            #expect(actions == [.connect(UInt64(id + 1))] || machine.connectionCount == 1)
        }
    }

    @Test func closingRefusesAndDropsEverything() {
        var machine = machineWithIdle()
        _ = machine.connectionRequested(by: 1, now: start)
        _ = machine.connectionRequested(by: 2, now: start)
        #expect(machine.closeRequested() == [.refuse(2, .closed)])
        #expect(machine.connectionRequested(by: 3, now: start) == [.refuse(3, .closed)])
        #expect(machine.returned(1, isReusable: true, now: start) == [.disconnect(1)])
        #expect(machine.connected(2, now: start, random: 0) == [.disconnect(2)])
        #expect(machine.connectionCount == 0)
    }
}
