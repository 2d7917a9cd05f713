import Foundation
import HTTP
import Support
import Testing
import Wire

/// A real PostgreSQL that takes nothing but TLS, behind an egress agent: the client speaks plain.
@Suite(.serialized, .timeLimit(.minutes(10))) struct ExternalDatabaseServiceTests {
    private func query(_ database: VerifiedPostgres, _ port: UInt16) async -> String {
        await onThread {
            database.psql(
                "SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
                port: port
            )
        }
    }

    @Test func aDatabaseIsReachedInTLSThatTheAgentVerifies() async throws {
        let database = try await VerifiedPostgres(name: "db.example.com")
        let origin = EchoOrigin()
        let hosts = try await TwoHosts(instance: origin.port)
        let (source, destination) = try await hosts.startBoth()
        let port = LoopbackSocket.freePort()
        func target(_ name: String) -> [String] {
            [
                "external", "put", "orders", "host-b", "127.0.0.1:\(database.port)",
                "--server-name", name, "--ca", database.authorityPath, "--negotiation",
                "postgresql", "--allow-local",
            ]
        }
        let commands = [
            ["service", "put", "orders"], ["placement", "put", "orders", "host-b"],
            target("db.example.com"),
            ["upstream", "put", "host-a", "\(port)", "web", "orders", "--uid", "\(getuid())"],
            ["intention", "create", "web", "orders", "--allow"],
        ]
        for command in commands {
            let done = try await hosts.server.turnpike(command)
            try #require(done.code == 0, "\(command): \(done.errors)")
        }
        // Its own port takes no plain connection; through the mesh the backend sees TLS.
        #expect(await query(database, database.port).contains("no encryption"))
        let passes = try await eventually { await query(database, port).hasPrefix("t|TLSv1.3") }
        let answer = await query(database, port)
        #expect(passes, "\(answer)\n\(destination.child.log)")

        // The same server under a name that it cannot prove is no longer reached.
        let moved = try await hosts.server.turnpike(target("other.example.com"))
        try #require(moved.code == 0, "\(moved.errors)")
        let isRefused = try await eventually { await !query(database, port).hasPrefix("t|") }
        #expect(isRefused)
        // A query that the change cut in the middle is refused as well, for another reason: ask until
        // one was refused for the name.
        let denials = try await eventually {
            _ = await query(database, port)
            return destination.child.log.contains("reason=outside_name_mismatch")
        }
        #expect(denials, "\(destination.child.log)")
        _ = await source.end()
        _ = await destination.end()
        _ = await hosts.server.stop()
    }
}
