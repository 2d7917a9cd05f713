import DataPlane
import Testing
import Wire

/// Sessions end before their lease does: idle ones first.
@Suite struct LeaseDeadlineTests {
    private static let issued = Timestamp(secondsSinceEpoch: 1_000)

    @Test func idleSessionsDrainAndTheOthersEndAtTheEnd() {
        let deadline = LeaseDeadline(issued: Self.issued, lifetime: .seconds(600))
        func duty(_ seconds: Int64, isIdle: Bool) -> LeaseDeadline.Duty {
            deadline.duty(at: Self.issued + .seconds(seconds), isIdle: isIdle)
        }
        #expect(deadline.renewal == Self.issued + .seconds(400))
        #expect(duty(538, isIdle: true) == .serve)
        #expect(duty(539, isIdle: true) == .end)
        #expect(duty(539, isIdle: false) == .drain)
        #expect(duty(598, isIdle: false) == .drain)
        #expect(duty(599, isIdle: false) == .end)
        #expect(duty(100_000, isIdle: false) == .end)
    }

    /// Short leases leave time for the successor; those that are over leave none.
    @Test(arguments: [0, 1, 5, 30, 3_600] as [Int64])
    func stepsAreInOrder(seconds: Int64) {
        let deadline = LeaseDeadline(issued: Self.issued, lifetime: .seconds(seconds))
        #expect(Self.issued <= deadline.renewal && deadline.renewal <= deadline.draining)
        #expect(deadline.end <= Self.issued + .seconds(seconds))
        #expect(
            deadline.duty(at: Self.issued + .seconds(seconds), isIdle: false) == .end
        )
    }
}
