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

@Suite struct RenewalStormTests {
    @Test func aThousandLeavesOfOneMomentRenewOverTheWholeWindow() {
        let start = Timestamp(secondsSinceEpoch: 1_900_000_000)
        let life = Duration.seconds(3_600)
        var generator = SystemRandomNumberGenerator()
        var slots: [Int: Int] = [:]
        for _ in 0..<1_000 {
            let schedule = RenewalSchedule(
                notBefore: start,
                notAfter: start + life,
                jitter: Double.random(in: 0...1, using: &generator)
            )
            let pause = schedule.renewAt - start
            #expect(pause >= life * 0.5 && pause <= life * 0.7)
            slots[Int(pause.components.seconds - 1_800) / 72, default: 0] += 1
        }
        // Ten slots of 72 s: 100 each, and half as many again would be a storm.
        #expect(slots.filter { $0.key < 10 }.count == 10)
        #expect(slots.values.allSatisfy { $0 < 160 }, "\(slots)")
    }

    @Test func whatLeavesIsReplacedEarlyAndNothingIsPutOff() throws {
        var machine = RenewalMachine()
        let start = Timestamp(secondsSinceEpoch: 1_900_000_000)
        machine.held(
            .agent,
            RenewalSchedule(notBefore: start, notAfter: start + .seconds(3_600), jitter: 0)
        )
        machine.hasten(.agent, to: start + .seconds(2_000))
        #expect(machine.ticked(now: start + .seconds(1_700)).isEmpty)
        machine.hasten(.agent, to: start + .seconds(60))
        #expect(machine.ticked(now: start + .seconds(59)).isEmpty)
        #expect(machine.ticked(now: start + .seconds(60)) == [.request(id: 1, .agent)])
    }

    @Test func nearTheEndItIsTriedEveryTenSeconds() {
        var machine = RenewalMachine()
        let start = Timestamp(secondsSinceEpoch: 1_900_000_000)
        let schedule = RenewalSchedule(
            notBefore: start,
            notAfter: start + .seconds(36_000),
            jitter: 0
        )
        machine.held(.agent, schedule)
        var now = start + .seconds(32_400)
        #expect(schedule.zone(at: now) == .critical && schedule.share(at: now) == 0.9)
        for id in 1...UInt64(9) {
            #expect(machine.ticked(now: now) == [.request(id: id, .agent)])
            machine.failed(id, retryAfter: nil, now: now, jitter: 1)
            now = now + RenewalMachine.criticalPause
        }
        // Who says when to come back is heard.
        #expect(machine.ticked(now: now) == [.request(id: 10, .agent)])
        machine.failed(10, retryAfter: .seconds(60), now: now, jitter: 1)
        #expect(machine.ticked(now: now + .seconds(59)).isEmpty)
    }
}
