import Control
import Crypto
import Observability
import Postgres
import Reactor
import Support
import Synchronization
import Testing
import Wire

@Suite struct DatabaseProbeTests {
    /// Readiness is asked by anybody, as often as they like.
    @Test func askingOftenAsksTheDatabaseOnce() async throws {
        try await ControlFixture.withPool { _, pool in
            let clock = Mutex(ContinuousClock.now)
            let control = try await ControlPlane.open(
                ControlFixture.settings(),
                pool: pool,
                key: ControlFixture.key,
                surroundings: Surroundings(
                    now: { Timestamp(nanosecondsSinceEpoch: WallClock.nanoseconds()) },
                    instant: { clock.withLock { $0 } },
                    randomBytes: Randomness.bytes
                ),
                firstStart: FirstStart { _ in }
            )
            #expect(await control.databaseProblem() == nil)
            await pool.close()
            // The answer of a moment ago still counts; the pool is not asked.
            for _ in 0..<100 { #expect(await control.databaseProblem() == nil) }
            clock.withLock { $0 += .seconds(2) }
            #expect(await control.databaseProblem() != nil)
        }
    }

    @Test func aClusterIsFoundedOnce() async throws {
        try await ControlFixture.withPool { _, pool in
            #expect(try await !ControlPlane.isFounded(pool, logger: .silent))
            _ = try await ControlFixture.open(pool)
            #expect(try await ControlPlane.isFounded(pool, logger: .silent))
        }
    }
}
