import Testing

@testable import Control

struct EnforcementTests {
    @Test func lookingTakesAFifthOfTheTimeAtMost() {
        #expect(
            Enforcement.pause(afterLooks: 1, of: .milliseconds(1), waiters: 1) == .milliseconds(25)
        )
        #expect(
            Enforcement.pause(afterLooks: 1, of: .milliseconds(20), waiters: 1)
                == .milliseconds(80)
        )
    }

    @Test func aLookThatWaitedForItsTurnDelaysTheNextByNoMoreThanABusyMeshTakes() {
        #expect(
            Enforcement.pause(afterLooks: 1, of: .seconds(1), waiters: 1) == .milliseconds(200)
        )
    }

    @Test func theMoreWaitTheLessOftenEachLooks() {
        #expect(
            Enforcement.pause(afterLooks: 1, of: .zero, waiters: 64) == .milliseconds(400)
        )
        #expect(
            Enforcement.pause(afterLooks: 80, of: .zero, waiters: 64) == .milliseconds(3200)
        )
    }
}
