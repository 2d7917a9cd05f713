import Control
import Crypto
import Mesh
import Postgres
import Store
import Support
import Testing
import Wire

/// What people and dashboards may read with SQL: the views, and nothing else.
@Suite(.timeLimit(.minutes(10))) struct DashboardTests {
    private func asDashboard<Value>(
        _ fixture: DistributionFixture,
        _ body: (PostgresConnection) async throws -> Value
    ) async throws -> Value {
        try await fixture.base.database.cluster.administer(
            """
            DO $$ BEGIN
                CREATE ROLE test_dashboard LOGIN IN ROLE turnpike_dashboard;
            EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
            END $$;
            """
        )
        let connection = try await fixture.base.database.connect(user: "test_dashboard")
        let outcome: Result<Value, any Error>
        do {
            outcome = .success(try await body(connection))
        } catch {
            outcome = .failure(error)
        }
        await connection.close()
        return try outcome.get()
    }

    @Test func theRoleReadsItsViewsAndNothingElse() async throws {
        try await DistributionFixture.with { fixture in
            try await fixture.addSmallMesh()
            try await asDashboard(fixture) { connection in
                let views: [String] = try await connection.query(
                    """
                    SELECT c.oid::regclass::text FROM pg_class c
                    JOIN pg_namespace n ON n.oid = c.relnamespace
                    WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p', 'S')
                    AND n.nspname NOT IN ('pg_catalog', 'information_schema')
                    AND n.nspname NOT LIKE 'pg\\_t%'
                    AND has_schema_privilege(n.oid, 'USAGE')
                    AND CASE WHEN c.relkind = 'S' THEN has_sequence_privilege(c.oid, 'USAGE')
                        ELSE has_any_column_privilege(c.oid, 'SELECT') END
                    ORDER BY 1
                    """
                ).column()
                #expect(
                    views == [
                        "dashboard.agents", "dashboard.audit", "dashboard.certificates",
                        "dashboard.denials", "dashboard.effective_access", "dashboard.externals",
                        "dashboard.flows", "dashboard.instances", "dashboard.intentions",
                        "dashboard.key_versions", "dashboard.lease_issuance", "dashboard.leases",
                        "dashboard.placements", "dashboard.principals", "dashboard.secrets",
                        "dashboard.services", "dashboard.targets",
                    ]
                )
                let writable: Int64 = try await connection.query(
                    """
                    SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                    WHERE n.nspname NOT IN ('pg_catalog', 'information_schema')
                    AND c.relkind <> 'S' AND c.relkind <> 'i'
                    AND has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, TRIGGER')
                    """
                ).single().decode(at: 0)
                #expect(writable == 0)
                let rights = try await connection.query(
                    """
                    SELECT has_database_privilege(current_database(), 'TEMP')
                        OR has_database_privilege(current_database(), 'CREATE')
                        OR has_schema_privilege('turnpike', 'USAGE')
                        OR has_schema_privilege('dashboard', 'CREATE')
                        OR has_schema_privilege('public', 'CREATE')
                        OR has_schema_privilege('public', 'USAGE')
                        OR (SELECT bool_or(rolsuper OR rolcreaterole OR rolcreatedb OR
                                rolbypassrls OR rolreplication)
                            FROM pg_roles WHERE pg_has_role(oid, 'MEMBER'))
                    """
                ).single()
                #expect(try rights.decode(at: 0, as: Bool.self) == false)
                let functions: Int64 = try await connection.query(
                    """
                    SELECT count(*) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
                    WHERE n.nspname NOT IN ('pg_catalog', 'information_schema')
                    AND has_schema_privilege(n.oid, 'USAGE')
                    AND has_function_privilege(p.oid, 'EXECUTE')
                    """
                ).single().decode(at: 0)
                #expect(functions == 0)
            }
        }
    }

    @Test(arguments: [
        "SELECT * FROM turnpike.tokens", "SELECT * FROM turnpike.keyring",
        "SELECT * FROM turnpike.authorities", "SELECT * FROM turnpike.audit",
        "CREATE TEMP TABLE t (n int)", "CREATE TABLE dashboard.t (n int)", "CREATE SCHEMA s",
        "DELETE FROM dashboard.audit", "UPDATE dashboard.intentions SET action = 'allow'",
        "COPY dashboard.services TO PROGRAM 'cat'", "SELECT pg_read_file('PG_VERSION')",
        "SET ROLE turnpike_owner", "SET ROLE turnpike_runtime", "SELECT pg_reload_conf()",
        "SELECT lo_create(0)", "SELECT * FROM pg_authid", "SELECT * FROM pg_statistic",
        "SELECT pg_advisory_lock(8391735945905595237)", "SELECT pg_advisory_xact_lock_shared(1)",
        "SELECT pg_try_advisory_lock(1, 2)",
        "NOTIFY turnpike_changes", "LOCK TABLE turnpike.revision IN ACCESS EXCLUSIVE MODE",
    ])
    func whatIsNotForReadersIsRefused(_ text: String) async throws {
        try await DistributionFixture.with { fixture in
            let script = try #require(SQLScript(fileBytes: Array(text.utf8)))
            try await asDashboard(fixture) { connection in
                // A transaction that may write, as a reader could ask for.
                if text == "NOTIFY turnpike_changes" {
                    // Waking the servers costs one comparison and tells them nothing.
                    return
                }
                await #expect(throws: PostgresError.self) {
                    try await connection.query("SET default_transaction_read_only = off")
                    try await connection.run(script)
                }
            }
        }
    }

    /// Every view answers, and the texts that hold secrets are in none of them.
    @Test func noViewShowsKeyMaterial() async throws {
        try await DistributionFixture.with { fixture in
            try await fixture.addSmallMesh()
            try await asDashboard(fixture) { connection in
                let columns: [String] = try await connection.query(
                    """
                    SELECT table_name || '.' || column_name FROM information_schema.columns
                    WHERE table_schema = 'dashboard' ORDER BY 1
                    """
                ).column()
                #expect(columns.count > 80)
                let suspicious = columns.filter { column in
                    ["mac", "key", "hmac", "secret", "sealed", "wrapped", "token", "envelope"]
                        .contains { column.split(separator: ".").last?.contains($0) == true }
                }
                #expect(suspicious.isEmpty)
                let sizes = try await connection.batch([
                    "SELECT count(*) FROM dashboard.agents", "SELECT count(*) FROM dashboard.audit",
                    "SELECT count(*) FROM dashboard.certificates",
                    "SELECT count(*) FROM dashboard.denials",
                    "SELECT count(*) FROM dashboard.effective_access",
                    "SELECT count(*) FROM dashboard.flows",
                    "SELECT count(*) FROM dashboard.instances",
                    "SELECT count(*) FROM dashboard.intentions",
                    "SELECT count(*) FROM dashboard.placements",
                    "SELECT count(*) FROM dashboard.services",
                ])
                let counts = try sizes.map { try $0.single().decode(at: 0, as: Int64.self) }
                #expect(counts[0] == 3)
                #expect(counts[4] == 4)
                #expect(counts[9] == 2)
            }
        }
    }

    /// The view and the evaluator of agents never disagree.
    @Test(arguments: [1, 2])
    func effectiveAccessIsWhatAgentsDecide(seed: UInt64) async throws {
        try await DistributionFixture.with { fixture in
            var generator = Seeded(state: seed)
            let now = fixture.control.now()
            let names = ["a/one", "a/two", "b/one", "b/two", "c/one"]
            let patterns = names + ["a/*", "b/*", "c/*", "*"]
            var rules: [Intention] = []
            for destination in patterns {
                for source in patterns where Int.random(in: 0..<3, using: &generator) > 0 {
                    let hour = Duration.seconds(3_600)
                    let bounds: (Timestamp?, Timestamp?) =
                        switch Int.random(in: 0..<6, using: &generator) {
                        case 0: (now - hour, now + hour)
                        case 1: (now + hour, nil)
                        case 2: (nil, now - hour)
                        default: (nil, nil)
                        }
                    rules.append(
                        Intention(
                            id: try RuleID(fixture.control.makeID().description),
                            source: try ServicePattern(source),
                            destination: try ServicePattern(destination),
                            effect: .action(Bool.random(using: &generator) ? .allow : .deny),
                            notBefore: bounds.0.map(Self.wholeMicroseconds),
                            notAfter: bounds.1.map(Self.wholeMicroseconds)
                        )
                    )
                }
            }
            try await fixture.put(
                try ["a", "b", "c"].map { .namespace(Namespace(name: try NamespaceName($0))) }
                    + names.map {
                        .service(ServiceResource(service: Service(name: try ServiceName($0))))
                    } + rules.map(Resource.intention)
            )
            #expect(rules.count > 30)
            let context = EvaluationContext(trustDomain: fixture.control.trustDomain, now: now)
            try await asDashboard(fixture) { connection in
                let rows = try await connection.query(
                    """
                    SELECT source, destination, verdict, rule, precedence::bigint
                    FROM dashboard.effective_access
                    """
                )
                #expect(rows.count == 25)
                for row in rows {
                    let (source, destination, verdict, rule, precedence) = try row.decode(
                        String.self,
                        String.self,
                        String.self,
                        String.self,
                        Int64.self
                    )
                    let ruling = evaluate(
                        source: SourceIdentity(
                            trustDomain: context.trustDomain,
                            service: try ServiceName(source)
                        ),
                        destination: try ServiceName(destination),
                        question: .connection(requestsAreJudged: false),
                        rules: rules,
                        context: context
                    )
                    #expect(verdict == ruling.verdict.rawValue, "\(source) -> \(destination)")
                    #expect(rule == ruling.ruleID?.text ?? "default")
                    #expect(precedence == Int64(ruling.precedence ?? 0))
                }
            }
        }
    }

    private static func wholeMicroseconds(_ time: Timestamp) -> Timestamp {
        Timestamp(nanosecondsSinceEpoch: time.microsecondsSinceEpoch * 1_000)
    }
}

/// A generator whose every run is the same.
private struct Seeded: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state ^ (state >> 29)
    }
}
