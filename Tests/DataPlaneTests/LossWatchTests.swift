import Reactor
import Testing

@testable import DataPlane

@Suite struct LossWatchTests {
    private let start = Reactor.Instant.now
    private let timeout = Duration.seconds(150)

    private func observe(
        _ watch: inout LossWatch,
        at second: Int,
        isUnderWay: Bool = true,
        silence: Int
    ) -> Bool {
        watch.observed(
            Socket.Delivery(isUnderWay: isUnderWay, silence: .seconds(silence)),
            now: start.advanced(by: .seconds(second)),
            timeout: timeout
        )
    }

    @Test func aPeerThatAcknowledgesNothingIsGivenUpAtTheTimeout() {
        var watch = LossWatch()
        #expect(!observe(&watch, at: 0, silence: 0))
        #expect(!observe(&watch, at: 149, silence: 149))
        #expect(observe(&watch, at: 150, silence: 150))
    }

    @Test func theQuietBeforeTheFirstBytesSaysNothing() {
        var watch = LossWatch()
        #expect(!observe(&watch, at: 0, silence: 86_400))
        #expect(!observe(&watch, at: 30, silence: 86_430))
        #expect(observe(&watch, at: 160, silence: 86_560))
    }

    @Test func everyAcknowledgementBeginsAnew() {
        var watch = LossWatch()
        #expect(!observe(&watch, at: 0, silence: 0))
        #expect(!observe(&watch, at: 140, silence: 20))
        #expect(!observe(&watch, at: 200, silence: 80))
        #expect(!observe(&watch, at: 289, silence: 169))
        #expect(observe(&watch, at: 290, silence: 170))
    }

    @Test func aShutWindowIsNoLossHoweverLong() {
        var watch = LossWatch()
        #expect(!observe(&watch, at: 0, silence: 0))
        #expect(!observe(&watch, at: 140, isUnderWay: false, silence: 120))
        #expect(!observe(&watch, at: 9_000, silence: 120))
    }
}
