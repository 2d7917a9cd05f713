import Control
import Mesh
import Postgres
import Store
import Support
import Testing
import Wire

/// What the database may answer in place of rows, and what callers hear of it.
@Suite struct StorageFaultsTests {
    private func put(_ name: String, _ fixture: ControlFixture) async throws -> Int64 {
        try await fixture.control.catalog.put(
            .service(ServiceResource(service: Service(name: try ServiceName(name)))),
            by: fixture.admin
        ).item.revision
    }

    /// Lets writes of services fail with an SQLSTATE, the first `count` times.
    private func fail(
        with state: String,
        times count: Int,
        _ fixture: ControlFixture
    ) async throws {
        for statement in [
            "GRANT USAGE ON SCHEMA public TO PUBLIC",
            "CREATE SEQUENCE public.failures",
            "GRANT USAGE ON SEQUENCE public.failures TO PUBLIC",
            "CREATE TABLE public.failing (state text NOT NULL, times integer NOT NULL)",
            "GRANT SELECT ON public.failing TO PUBLIC",
            "INSERT INTO public.failing VALUES (\(state), \(Int32(count)))",
            """
            CREATE FUNCTION public.fail() RETURNS trigger LANGUAGE plpgsql AS $$
            DECLARE
                failing record;
            BEGIN
                SELECT * INTO failing FROM public.failing;
                IF nextval('public.failures') <= failing.times THEN
                    RAISE EXCEPTION 'on purpose' USING ERRCODE = failing.state;
                END IF;
                RETURN NEW;
            END $$
            """,
            """
            CREATE TRIGGER fail BEFORE INSERT ON turnpike.services
            FOR EACH ROW EXECUTE FUNCTION public.fail()
            """,
        ] as [SQL] {
            try await fixture.tamper(statement)
        }
    }

    @Test(arguments: ["40001", "40P01", "57P01", "57P03", "53300"])
    func whatPassesIsTriedAgain(state: String) async throws {
        try await ControlFixture.with { fixture in
            try await fail(with: state, times: 2, fixture)
            let revision = try await put("kept", fixture)
            let audited = try await fixture.audited("service.put")
            #expect(audited.map(\.revision) == [UInt64(clamping: revision)])
        }
    }

    @Test(arguments: [
        ("40001", "storage.busy"), ("40P01", "storage.busy"), ("53100", "storage.full"),
        ("53200", "storage.resources"), ("53300", "storage.connections"),
        ("57P03", "storage.busy"),
    ])
    func whatStaysIsSaid(state: String, code: String) async throws {
        try await ControlFixture.with { fixture in
            try await fail(with: state, times: 1_000, fixture)
            let error = await refusal { try await put("refused", fixture) }
            guard case .unavailable(let complaint) = error else {
                Issue.record("\(state): \(String(describing: error))")
                return
            }
            #expect(complaint.code == code)
            #expect(complaint.text.contains("nothing was changed"))
            #expect(try await fixture.audited("service.put").isEmpty)
        }
    }

    @Test func aDatabaseWithoutRoomForAnotherConnectionIsUnavailable() async throws {
        try await ControlFixture.with { fixture in
            var limits = PoolLimits()
            limits.acquireTimeout = .milliseconds(500)
            let pool = fixture.database.pool(limits: limits, user: "test_runtime")
            try await fixture.database.cluster.administer(
                "ALTER DATABASE \(fixture.database.name) CONNECTION LIMIT 0"
            )
            let error = await #expect(throws: PostgresError.self) {
                try await pool.query("SELECT 1")
            }
            guard case .connectFailed(let text) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(text.contains("too many connections"))
            await pool.close()
        }
    }
}
