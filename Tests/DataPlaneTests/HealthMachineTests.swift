import DataPlane
import Mesh
import Testing
import Wire

@Suite struct HealthMachineTests {
    private let start = ContinuousClock.now
    private let wall = Timestamp(secondsSinceEpoch: 1_900_000_000)

    private func subject(
        _ port: UInt16,
        _ check: HealthCheck = .standard
    ) throws -> HealthMachine.Subject {
        HealthMachine.Subject(
            key: InstanceKey(service: try ServiceName("db"), name: .ofPort(port)),
            address: .loopback,
            port: port,
            check: check
        )
    }

    /// Answers every probe of one instance in turn; gives the state after each.
    private func states(
        _ check: HealthCheck,
        _ answers: [Bool]
    ) throws -> [HealthMachine.State] {
        var machine = HealthMachine()
        let subject = try subject(1, check)
        machine.configured([subject], now: start, wall: wall) { 0 }
        var now = start
        return try answers.map { answer in
            now = try #require(machine.nextDue)
            let due = machine.takeDue(now: now)
            #expect(due == [subject])
            #expect(machine.nextDue == nil)
            let before = machine.findings.first?.state
            let isChanged = machine.answered(
                subject,
                problem: answer ? nil : "refused",
                now: now,
                wall: wall,
                jitter: 0.5
            )
            let after = try #require(machine.findings.first).state
            #expect(isChanged == (before != after))
            #expect(machine.down.isEmpty == (after != .down))
            #expect(machine.nextDue == now.advanced(by: check.interval))
            return after
        }
    }

    @Test func twoUpThreeDown() throws {
        let seen = try states(
            .standard,
            [true, true, false, false, true, false, false, false, true, false, true, true]
        )
        #expect(
            seen == [
                .unknown, .up, .up, .up, .up, .up, .up, .down, .down, .down, .down, .up,
            ]
        )
    }

    @Test func whatWasNeverProbedGoesDownByTheSameCount() throws {
        #expect(
            try states(.standard, [false, true, false, false, false])
                == [.unknown, .unknown, .unknown, .unknown, .down]
        )
        let quick = HealthCheck(interval: .seconds(1), successes: 1, failures: 1)
        #expect(try states(quick, [false, true, false]) == [.down, .up, .down])
    }

    @Test func probesAreSpreadAndBounded() throws {
        var machine = HealthMachine()
        let subjects = try (1...200).map { try subject(UInt16($0)) }
        var draw = 0.0
        machine.configured(subjects, now: start, wall: wall) {
            draw = (draw + 0.37).truncatingRemainder(dividingBy: 1)
            return draw
        }
        let first = machine.takeDue(now: start.advanced(by: .seconds(1)))
        #expect(first.count == HealthMachine.probesMax)
        #expect(machine.takeDue(now: start.advanced(by: .seconds(1))).isEmpty)
        let now = start.advanced(by: .seconds(2))
        let dues = try [0.0, 1.0].map { jitter in
            let answered = try #require(jitter == 0 ? first.first : first.last)
            _ = machine.answered(answered, problem: nil, now: now, wall: wall, jitter: jitter)
            return machine.takeDue(now: now).count
        }
        #expect(dues == [1, 1])
    }

    @Test func jitterMovesTheNextProbe() throws {
        for (jitter, seconds) in [(0.0, 4.5), (1.0, 5.5)] {
            var machine = HealthMachine()
            let subject = try subject(1)
            machine.configured([subject], now: start, wall: wall) { 0 }
            _ = machine.takeDue(now: start)
            _ = machine.answered(subject, problem: nil, now: start, wall: wall, jitter: jitter)
            #expect(machine.nextDue == start.advanced(by: .seconds(seconds)))
        }
    }

    @Test func anotherConfigurationKeepsWhatIsTheSame() throws {
        var machine = HealthMachine()
        let quick = HealthCheck(interval: .seconds(1), successes: 1, failures: 1)
        let both = [try subject(1, quick), try subject(2, quick)]
        machine.configured(both, now: start, wall: wall) { 0 }
        for subject in machine.takeDue(now: start) {
            _ = machine.answered(
                subject,
                problem: "refused",
                now: start,
                wall: wall,
                jitter: 0.5
            )
        }
        #expect(machine.down.count == 2)
        let moved = try subject(2)
        machine.configured([both[0], moved], now: start, wall: wall) { 0 }
        #expect(machine.down == [both[0].key])
        // The old probe's answer says nothing about the new check.
        #expect(
            machine.answered(both[1], problem: nil, now: start, wall: wall, jitter: 0.5) == false
        )
        let none = try subject(1, HealthCheck(kind: .none))
        machine.configured([none], now: start, wall: wall) { 0 }
        #expect(machine.findings.isEmpty)
        #expect(machine.nextDue == nil)
    }
}
