import DataPlane
import Mesh
import Testing
import Wire

struct RenewalScheduleTests {
    private let start = Timestamp(secondsSinceEpoch: 1_900_000_000)

    @Test(arguments: [(0.0, 500), (0.5, 600), (1.0, 700), (-3, 500), (7, 700)])
    func renewalBeginsBetweenHalfAndSeventyPercent(_ jitter: Double, _ second: Int) {
        let schedule = RenewalSchedule(
            notBefore: start,
            notAfter: start + .seconds(1_000),
            jitter: jitter
        )
        #expect(schedule.renewAt == start + .seconds(second))
    }

    @Test(arguments: [
        (0, RenewalSchedule.Zone.fresh), (799, .fresh), (800, .late), (899, .late),
        (900, .critical), (1_000, .critical), (1_001, .expired),
    ])
    func zonesTellHowCloseTheEndIs(_ second: Int, _ zone: RenewalSchedule.Zone) {
        let schedule = RenewalSchedule(
            notBefore: start,
            notAfter: start + .seconds(1_000),
            jitter: 0
        )
        #expect(schedule.zone(at: start + .seconds(second)) == zone)
    }

    @Test func theBudgetNeverGoesBelowZero() {
        let schedule = RenewalSchedule(notBefore: start, notAfter: start + .seconds(9), jitter: 0)
        #expect(schedule.budget(at: start + .seconds(4)) == .seconds(5))
        #expect(schedule.budget(at: start + .seconds(40)) == .zero)
    }
}

struct RenewalMachineTests {
    private let now = Timestamp(secondsSinceEpoch: 1_900_000_000)
    private let web: ServiceName
    private let database: ServiceName

    init() throws {
        web = try ServiceName("web")
        database = try ServiceName("db")
    }

    private func schedule(_ seconds: Int) -> RenewalSchedule {
        RenewalSchedule(notBefore: now, notAfter: now + .seconds(seconds), jitter: 0)
    }

    private func machine(placed: Set<ServiceName>) -> RenewalMachine {
        var machine = RenewalMachine()
        machine.held(.agent, schedule(100_000))
        _ = machine.placed(placed)
        return machine
    }

    @Test func aPlacedServiceIsAskedForOnce() {
        var machine = machine(placed: [web])
        #expect(machine.ticked(now: now) == [.request(id: 1, .service(web))])
        #expect(machine.ticked(now: now) == [])
    }

    @Test func whatIsHeldIsAskedForAgainAtItsTime() {
        var machine = machine(placed: [web])
        machine.held(.service(web), schedule(1_000))
        #expect(machine.ticked(now: now + .seconds(499)) == [])
        #expect(machine.ticked(now: now + .seconds(500)) == [.request(id: 1, .service(web))])
    }

    @Test func whatIsNoLongerPlacedIsForgotten() {
        var machine = machine(placed: [web, database])
        #expect(machine.placed([database]) == [.forget(web)])
        #expect(machine.schedule(of: .service(web)) == nil)
        #expect(machine.ticked(now: now) == [.request(id: 1, .service(database))])
    }

    @Test func aFailureIsRepeatedAfterAPauseOfAtLeastWhatTheServerAsks() {
        var machine = machine(placed: [web])
        _ = machine.ticked(now: now)
        machine.failed(1, retryAfter: .seconds(90), now: now, jitter: 0)
        #expect(machine.ticked(now: now + .seconds(89)) == [])
        #expect(machine.ticked(now: now + .seconds(90)) == [.request(id: 2, .service(web))])
    }

    @Test func anAnswerThatNeverComesIsGivenUp() {
        var machine = machine(placed: [web])
        _ = machine.ticked(now: now)
        let later = now + .seconds(31)
        #expect(machine.ticked(now: now + .seconds(30)) == [])
        #expect(machine.ticked(now: later) == [.giveUp(id: 1)])
        machine.failed(1, retryAfter: nil, now: later, jitter: 0)
        #expect(machine.subject(of: 1) == nil)
        // With a pause, like every failure.
        #expect(machine.ticked(now: later + .milliseconds(249)) == [])
        #expect(
            machine.ticked(now: later + .milliseconds(250)) == [.request(id: 2, .service(web))]
        )
        // What was given up already fails nothing else.
        machine.failed(1, retryAfter: nil, now: later, jitter: 0)
        #expect(machine.subject(of: 2) == .service(web))
    }

    @Test func aClockThatIsSetBackKeepsNoRequestUnderWay() {
        var machine = machine(placed: [web])
        _ = machine.ticked(now: now)
        #expect(machine.ticked(now: now - .seconds(3_600)) == [.giveUp(id: 1)])
    }

    @Test func anEndedConnectionFreesEveryRequest() {
        var machine = machine(placed: [web, database])
        #expect(machine.ticked(now: now).count == 2)
        machine.disconnected()
        #expect(machine.ticked(now: now).count == 2)
    }

    @Test func noMoreThanTheLimitAreUnderWay() throws {
        let services = try Set((0..<40).map { try ServiceName("svc-\($0)") })
        var machine = machine(placed: services)
        #expect(machine.ticked(now: now).count == RenewalMachine.pendingMax)
        #expect(machine.ticked(now: now) == [])
    }

    @Test func theAgentsOwnCertificateIsNeverForgotten() {
        var machine = machine(placed: [])
        #expect(machine.placed([]) == [])
        #expect(machine.subjects == [.agent])
        #expect(machine.ticked(now: now + .seconds(50_000)) == [.request(id: 1, .agent)])
    }
}
