import Crypto
import Reactor
import Synchronization
import Testing
import Transport
import Wire

@testable import Control

/// The keys of issuers, while what says where they are changes.
@Suite(.timeLimit(.minutes(1))) struct KeySetsTests {
    /// Time that a test moves on.
    private final class Clock: Sendable {
        private let time = Mutex(ContinuousClock.now)

        var now: ContinuousClock.Instant { time.withLock { $0 } }

        func advance(by pause: Duration) { time.withLock { $0 += pause } }
    }

    @Test func aRequestOfAReplacedConfigurationKeepsNobodyWaiting() async throws {
        let thread = try ReactorThread(name: "issuers")
        defer { thread.stop() }
        let clock = Clock()
        let surroundings = Surroundings(
            now: { Timestamp(secondsSinceEpoch: 1_800_000_000) },
            instant: { clock.now },
            randomBytes: Randomness.bytes
        )
        let sets = KeySets(surroundings, OutsideServers(surroundings, on: thread.reactor))
        var configuration = JWTConfiguration()
        // An address that is refused before anything is asked.
        configuration.jwksURL = "https://127.0.0.1/keys"
        let asked = configuration
        for version: Int64 in [2, 1, 2] {
            let keys = await sets.keys(
                for: asked,
                at: "auth/jwt/config",
                version: version,
                keyID: "k",
                isPlausible: true
            )
            #expect(keys == nil)
            clock.advance(by: .seconds(10))
        }
    }
}
