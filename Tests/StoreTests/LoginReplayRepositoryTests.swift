import Postgres
import Store
import Support
import Testing
import Wire

/// What a login used up counts for nobody else.
struct LoginReplayRepositoryTests {
    @Test func aDigestCountsOnce() async throws {
        try await TestDatabase.withMigrated { database in
            let pool = database.pool()
            func use(_ digest: [UInt8], for life: Duration) async throws(PostgresError) -> Bool {
                try await pool.withTransaction(isolation: .readCommitted) {
                    transaction throws(PostgresError) in
                    let now = try await ServerRepository.time(in: transaction)
                    return try await LoginReplayRepository.use(
                        digest,
                        until: now + life,
                        in: transaction
                    )
                }
            }
            let outcomes = [
                try await use([1], for: .seconds(60)), try await use([1], for: .seconds(60)),
                try await use([2], for: .seconds(-1)), try await use([2], for: .seconds(60)),
                try await use([2], for: .seconds(60)),
            ]
            // What nobody takes any more is forgotten.
            #expect(outcomes == [true, false, true, true, false])
            await pool.close()
        }
    }
}
