import Control
import Postgres
import Support
import Testing
import Wire

/// What people read of tokens and keys: who holds what, and never what it opens.
@Suite struct AccountViewsTests {
    @Test func whoHoldsALeaseIsThereUntilTheTokenEnds() async throws {
        try await LeaseFixture.with { fixture in
            let holder = try await fixture.holder()
            // The last administrator's token cannot be revoked.
            _ = try await fixture.holder()
            _ = try await fixture.issue(by: holder)
            let live: SQL = """
                SELECT live_leases FROM dashboard.principals WHERE principal = \(holder.principal)
                """
            #expect(try await fixture.value(live, as: Int64.self) == 1)
            let acted: SQL = """
                SELECT last_act IS NOT NULL FROM dashboard.principals
                WHERE principal = \(holder.principal)
                """
            #expect(try await fixture.value(acted, as: Bool.self))
            let accessor = try #require(holder.accessor)
            try await fixture.control.tokens.revoke(accessor, by: fixture.admin)
            let left: SQL = """
                SELECT count(*) FROM dashboard.principals WHERE principal = \(holder.principal)
                """
            #expect(try await fixture.value(left, as: Int64.self) == 0)
        }
    }

    @Test func aTokenThatSomebodyForgedIsNotThere() async throws {
        try await LeaseFixture.with { fixture in
            let holder = try await fixture.holder()
            let accessor = try #require(holder.accessor)
            try await fixture.asSuperuser(
                "INSERT INTO turnpike.row_alarms (table_name, key) VALUES ('tokens', '\(accessor)')"
            )
            let count: SQL = """
                SELECT count(*) FROM dashboard.principals WHERE principal = \(holder.principal)
                """
            #expect(try await fixture.value(count, as: Int64.self) == 0)
        }
    }

    @Test func everyPurposeHasOneActiveVersionAndTheRootItsWraps() async throws {
        try await ControlFixture.with { fixture in
            let connection = try await fixture.database.connect()
            let active: Int64 = try await connection.query(
                "SELECT count(*) FROM dashboard.key_versions WHERE state = 'active' AND purpose <> 'root'"
            ).single().decode(at: 0)
            let purposes: Int64 = try await connection.query(
                "SELECT count(DISTINCT purpose) FROM turnpike.keyring"
            ).single().decode(at: 0)
            let wraps: Int64 = try await connection.query(
                "SELECT root_wraps FROM dashboard.key_versions WHERE purpose = 'root'"
            ).single().decode(at: 0)
            let rows: Int64 = try await connection.query(
                "SELECT count(*) FROM turnpike.root_keys"
            ).single().decode(at: 0)
            await connection.close()
            #expect(active == purposes)
            #expect(purposes > 3)
            #expect(wraps == rows)
        }
    }
}
