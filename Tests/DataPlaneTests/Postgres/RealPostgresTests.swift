import Crypto
import Foundation
import Support
import Testing

@testable import DataPlane

/// The core between PostgreSQL's own programs and a real server: no password on the program's side.
@Suite(.serialized, .timeLimit(.minutes(5))) struct RealPostgresTests {
    private static let salt = [UInt8](repeating: 3, count: 16)

    private static func account(_ password: String) throws -> PostgresLogin.Account {
        PostgresLogin.Account(
            role: "tp_lease",
            database: "postgres",
            keys: try SCRAM.Keys(of: SecretBytes(copying: Array(password.utf8)), salt: salt)
        )
    }

    private static func database() async throws -> VerifiedPostgres {
        try await VerifiedPostgres(
            name: "db.example.com",
            method: "scram-sha-256",
            setup: """
                CREATE ROLE boss NOLOGIN;
                CREATE ROLE tp_lease LOGIN PASSWORD '\(try account("right").keys.verifier)';
                GRANT boss TO tp_lease;
                GRANT CREATE ON SCHEMA public TO tp_lease;
                CREATE TABLE items (id int, name text);
                GRANT ALL ON items TO tp_lease;
                """
        )
    }

    private func gateway(
        _ database: VerifiedPostgres,
        password: String = "right",
        rules: StatementRules = StatementRules(),
        breaksBinding: Bool = false
    ) throws -> ClearGateway {
        try ClearGateway(
            to: database.port,
            trusting: database.authorityPath,
            account: try Self.account(password),
            rules: rules,
            breaksBinding: breaksBinding
        )
    }

    @Test func programsOfPostgreSQLWorkWithoutAPassword() async throws {
        let database = try await Self.database()
        let gateway = try gateway(
            database,
            rules: StatementRules(settings: ["statement_timeout"])
        )
        let port = gateway.port
        let who = await onThread {
            database.psql(
                "SELECT current_user, ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
                "INSERT INTO items VALUES (1, 'hidden'), (2, 'hidden')",
                "SELECT count(*) FROM items",
                port: port
            )
        }
        #expect(who == "tp_lease|t\n2\n")
        var ends = gateway.taken()
        #expect(ends.bindings == 1 && ends.faults.isEmpty)
        #expect(
            ends.records.map { $0.fingerprint?.shape ?? "-" }.suffix(2) == [
                "insert into items values(?)", "select count(*) from items",
            ]
        )
        #expect(ends.records.map(\.outcome).suffix(2) == [.done(rows: 2), .done(rows: 1)])

        // Refused by the agent in a transaction: the server's own state follows.
        for (statement, refusal) in [
            ("SET ROLE boss", StatementRefusal.roleChange),
            ("SET LOCAL statement_timeout = 0", .guardedSetting),
            ("SELECT 1; COPY items FROM PROGRAM 'id'", .copyOnServer),
        ] {
            let answer = await onThread {
                database.psql("BEGIN", statement, "COMMIT", port: port)
            }
            #expect(answer.contains(refusal.message), "\(answer)")
            #expect(answer.contains("42501") && !answer.contains("turnpike_refused"), "\(answer)")
            ends = gateway.taken()
            #expect(ends.records.last?.outcome == .refused(refusal))
        }
        let goesOn = await onThread {
            database.psql(
                port: port,
                input: "BEGIN;\nSET ROLE boss;\nSELECT 1;\nROLLBACK;\nSELECT 41 + 1;\n"
            )
        }
        #expect(goesOn.contains("42501"), "\(goesOn)")
        gateway.stop()
    }

    /// Copies at volume, prepared statements, pipelines.
    @Test func benchmarksRunThroughIt() async throws {
        let database = try await Self.database()
        let gateway = try gateway(database)
        let port = gateway.port
        let made = await onThread {
            database.start("pgbench", ["-i", "-q", "-s", "1"], port: port).output()
        }
        #expect(made.contains("done in"), "\(made)")
        #expect(
            gateway.taken().records.contains {
                $0.kind == .copyIn && $0.outcome == .done(rows: 100_000)
            }
        )
        for mode in ["prepared", "extended", "simple"] {
            let arguments = ["-n", "-S", "-c", "2", "-t", "50", "-M", mode]
            let done = await onThread {
                database.start("pgbench", arguments, port: port).output()
            }
            #expect(done.contains("processed: 100/100"), "\(done)")
            let selects = gateway.taken().records.filter { $0.kind == .select }
            #expect(selects.count { $0.outcome == .done(rows: 1) } >= 100)
            let shapes = Set(
                selects.compactMap { $0.fingerprint?.shape }.filter { $0.contains("abalance") }
            )
            #expect(shapes == ["select abalance from pgbench_accounts where aid = ?"])
        }
        let copied = await onThread {
            database.psql("\\copy pgbench_branches TO STDOUT", port: port)
        }
        #expect(copied.hasPrefix("1\t0\t"), "\(copied)")
        #expect(gateway.taken().faults.isEmpty)
        gateway.stop()
    }

    @Test func cancellationsReachTheTargetByTheAgentsKey() async throws {
        let database = try await Self.database()
        let gateway = try gateway(database)
        let port = gateway.port
        let answer = await onThread { () -> String in
            guard let program = LoopbackSocket.connect(port: port) else { return "no gateway" }
            program.send(PostgresWire.start([("user", "any")]))
            guard let key = Self.cancelKey(program) else { return "no key" }
            program.send(PostgresWire.query("SELECT pg_sleep(15)"))
            // Until it sleeps there is nothing to cancel, and a key that is not whole cancels nothing.
            let asleep = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
            var answers: [String] = []
            for _ in 0..<200 where answers.last != "1\n" {
                answers.append(database.psql(asleep, port: port))
            }
            for secret in [key.secret.map { $0 ^ 1 }, key.secret] {
                let body = PostgresWire.number(80_877_102) + PostgresWire.number(key.process)
                let other = LoopbackSocket.connect(port: port)
                other?.send(PostgresWire.number(body.count + 4 + secret.count) + body + secret)
                _ = other?.receiveAll()
            }
            return String(decoding: program.receive().bytes, as: UTF8.self)
        }
        #expect(answer.contains("C57014"), "\(answer) \(gateway.taken().faults)")
        gateway.stop()
    }

    /// Reads until the session is ready.
    private static func cancelKey(_ program: LoopbackSocket) -> (process: Int, secret: [UInt8])? {
        var key: (process: Int, secret: [UInt8])?
        while true {
            let header = program.receive(exactly: 5)
            guard header.count == 5 else { return nil }
            let length = header.dropFirst().reduce(0) { $0 << 8 | Int($1) }
            let body = program.receive(exactly: length - 4)
            if header[0] == UInt8(ascii: "Z") { return key }
            guard header[0] == UInt8(ascii: "K") else { continue }
            key = (body.prefix(4).reduce(0) { $0 << 8 | Int($1) }, Array(body.dropFirst(4)))
        }
    }

    /// What is bound to another session, or proved by other keys, opens nothing.
    @Test func wrongProofsAreRefusedByEitherSide() async throws {
        let database = try await Self.database()
        let unbound = try gateway(database, breaksBinding: true)
        let other = try ClearGateway(
            to: database.port,
            trusting: database.authorityPath,
            account: PostgresLogin.Account(
                role: "tp_lease",
                database: "postgres",
                keys: try SCRAM.Keys(
                    of: SecretBytes(copying: Array("right".utf8)),
                    salt: [UInt8](repeating: 4, count: 16)
                )
            )
        )
        let wrong = try gateway(database, password: "wrong")
        for (gateway, fault) in [
            (unbound, "28000"), (other, "otherVerifier"),
            (wrong, "28P01"),
        ] {
            let port = gateway.port
            let answer = await onThread { database.psql("SELECT 1", port: port) }
            #expect(!answer.hasPrefix("1"), "\(answer)")
            let faults = gateway.taken().faults
            #expect(faults.count == 1 && faults[0].contains(fault), "\(faults)")
            gateway.stop()
        }
    }
}
