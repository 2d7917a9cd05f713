import Foundation
import HTTP
import Support
import Testing
import Wire

/// Programs reach a real database through their agent without any password, as a leased role.
@Suite(.timeLimit(.minutes(5))) struct PasswordlessPostgresTests {
    private static let adminPassword = "administrator-of-leases"

    private static func database() async throws -> VerifiedPostgres {
        try await VerifiedPostgres(
            name: "localhost",
            method: "scram-sha-256",
            setup: """
                CREATE ROLE orders_read NOLOGIN;
                CREATE ROLE turnpike_leases LOGIN CREATEROLE PASSWORD '\(adminPassword)';
                GRANT pg_signal_backend, orders_read TO turnpike_leases WITH ADMIN OPTION;
                CREATE TABLE orders AS SELECT generate_series(1, 1000) AS amount;
                GRANT SELECT ON orders TO orders_read;
                """
        )
    }

    /// What the target says of its leased roles.
    private static func roles(_ database: VerifiedPostgres) async throws -> String {
        let directory = String(database.authorityPath.dropLast("/ca.pem".count))
        return try await ProgramChild.run(
            "\(database.binaries)/psql",
            [
                "-X", "-A", "-t", "-h", directory, "-p", "\(database.port)", "-U", "postgres",
                "-c", "SELECT rolname FROM pg_roles WHERE rolname LIKE 'tp\\_%'", "postgres",
            ],
            in: "/"
        ).output
    }

    private static func accept(_ end: ProgramEnd) throws {
        try #require(end.code == 0, "\(end.output) \(end.errors)")
    }

    private static func prepare(
        _ server: ServerChild,
        _ database: VerifiedPostgres,
        port: UInt16
    ) async throws {
        try accept(
            try await server.turnpike(
                [
                    "target", "put", "orders", "--host", "localhost", "--port",
                    "\(database.port)", "--database", "postgres", "--username",
                    "turnpike_leases", "--password-file", "-", "--ca-file",
                    database.authorityPath,
                ],
                input: adminPassword
            )
        )
        try accept(
            try await server.turnpike([
                "profile", "put", "orders-reader", "--target", "orders", "--group-role",
                "orders_read", "--max-ttl", "5m", "--setting", "statement_timeout=60s",
            ])
        )
        try accept(
            try await server.turnpike(
                ["apply", "-f", "-"],
                input: """
                    kind: service
                    name: orders-db
                    ---
                    kind: service
                    name: reports
                    placements: ["host-a"]
                    upstreams:
                      - agent: host-a
                        port: \(port)
                        destination: orders-db
                        uids: [\(getuid())]
                        postgres:
                          profile: orders-reader
                    """
            )
        )
    }

    private static func decide(_ action: String, _ server: ServerChild) async throws {
        let answer = try await server.send(
            .put,
            "/v1/intentions/default/orders-db/default/reports",
            body: #"{"action":"\#(action)"}"#
        )
        try #require((200...201).contains(answer.status), "\(answer.text)")
    }

    @Test func aProgramReadsWithoutAPasswordAndIsCutWithItsIntention() async throws {
        let database = try await Self.database()
        let server = try await ServerSite().start()
        let port = LoopbackSocket.freePort()
        let home = try await server.enrol("host-a")
        try await Self.prepare(server, database, port: port)
        let agent = try await RunningAgent(home.start())
        let psql = { (statements: [String]) in
            await onThread { database.psql(statements, port: port) }
        }
        // What no intention allows is refused, with a decision and without any role.
        try await agent.wait(for: "the port") { !($0["upstreams"]?.items ?? []).isEmpty }
        let refused = await psql(["SELECT 1"])
        #expect(refused.contains("the agent refuses the session: decision"), "\(refused)")
        #expect(try await Self.roles(database).isEmpty)

        try await Self.decide("allow", server)
        let isOpen = try await eventually { await psql(["SELECT 1"]) == "1\n" }
        let why = await psql(["SELECT 1"])
        try #require(isOpen, "\(why)\n\(agent.child.log)")
        let rows = await psql([
            "SELECT current_user LIKE 'tp\\_%', ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
            "SELECT sum(amount) FROM orders",
        ])
        #expect(rows == "t|t\n500500\n")
        // Privileges are the boundary; what leads past them is refused by the agent, with a reason.
        #expect(await psql(["DELETE FROM orders"]).contains("42501: permission denied"))
        let past = await psql(["SET statement_timeout = 0"])
        #expect(past.contains("refused by the agent: the setting is fixed"), "\(past)")
        let role = try await Self.roles(database)
        #expect(role.split(separator: "\n").count == 1, "\(role)")

        let open = database.start("psql", ["-X", "-c", "SELECT pg_sleep(50)"], port: port)
        try await agent.wait(for: "the session") { ($0["connections"]?.integer ?? 0) >= 1 }
        try await Self.decide("deny", server)
        let end = await onThread { open.output() }
        #expect(end.contains("the agent ended the session: decision"), "\(end)")
        #expect(await psql(["SELECT 1"]).contains("decision"))
        // The agent gives the lease back, and its role goes.
        let isGone = try await eventually { try await Self.roles(database).isEmpty }
        #expect(isGone, "\(agent.child.log)")
        let secrets = ["SCRAM-SHA-256", Self.adminPassword]
        #expect(secrets.allSatisfy { !agent.child.log.contains($0) })
        #expect(await agent.end() == 0)
        await server.stop()
    }

    /// Whoever writes such a port lends what the profile gives, so that needs a right on the profile.
    @Test func aPortIsRefusedWithoutItsProfile() async throws {
        let server = try await SharedServer.get()
        _ = try await server.enrol("passwordless-a")
        let made = try await server.turnpike(
            ["apply", "-f", "-"],
            input: """
                kind: service
                name: passwordless-db
                ---
                kind: service
                name: passwordless
                placements: ["passwordless-a"]
                """
        )
        try #require(made.code == 0, "\(made.errors)")
        let put = try await server.turnpike([
            "upstream", "put", "passwordless-a", "15432", "passwordless", "passwordless-db",
            "--any-uid", "--postgres-profile", "nothing",
        ])
        #expect(put.code != 0)
        #expect(put.errors.contains("there is no profile nothing"), "\(put.errors)")
    }
}
