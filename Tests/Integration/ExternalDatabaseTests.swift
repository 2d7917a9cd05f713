import Foundation
import HTTP
import Postgres
import Support
import Testing
import Wire

@Suite(.serialized) struct ExternalDatabaseTests {
    /// A database whose owner may make roles, but is no superuser, as on somebody else's cluster.
    ///
    /// Roles belong to the whole cluster: whoever migrates first makes them, so it is always this one.
    func makeDatabase(_ name: String) async throws -> String {
        let cluster = try await TestCluster.shared
        try await cluster.administer(
            """
            DO $$
            BEGIN
                CREATE ROLE operator LOGIN CREATEROLE;
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;
            END
            $$
            """
        )
        try await cluster.administer("CREATE DATABASE \(name) OWNER operator")
        return "postgresql://operator@/\(name)?host=\(cluster.socketDirectory)"
    }

    func site(_ url: String, _ more: [String] = []) throws -> ServerSite {
        try ServerSite(["--database-url", url] + more)
    }

    @Test func itIsMigratedServedAndFoundAgain() async throws {
        let site = try site(try await makeDatabase("owner_one"))
        let first = try await site.start()
        #expect(first.log.contains("migrating"))
        #expect(!FileManager.default.fileExists(atPath: site.dataDirectory + "/database"))
        #expect(try await first.send(.put, "/v1/services/default/kept", body: "{}").status == 201)
        #expect(await first.stop() == 0)
        let second = try await site.start()
        #expect(!second.log.contains("migrating"))
        #expect(try await second.send(.get, "/v1/services/default/kept").status == 200)
        #expect(await second.stop() == 0)
        // What serves can neither rewrite the audit trail nor become its owner.
        let database = try await TestCluster.shared
        var settings = PostgresSettings(url: database.url(database: "owner_one"))
        settings.role = PostgresName(literal: "turnpike_runtime")
        let connection = try await PostgresConnection.connect(settings, on: TestDatabase.reactor)
        await #expect(throws: PostgresError.self) {
            try await connection.query("DELETE FROM turnpike.audit")
        }
        await connection.close()
    }

    @Test func twoReplicasSeeEachOthersChanges() async throws {
        let url = try await makeDatabase("owner_two")
        let one = try site(url)
        let first = try await one.start()
        let admin = try await one.administratorToken(first)
        let two = try site(url, ["--name", "server-2", "--keys-kek-file", one.kekFile])
        let second = try await two.start()
        func ask(
            _ server: ServerChild,
            _ method: HTTP.Method,
            _ target: String,
            _ token: String,
            body: String = ""
        ) async throws -> APIClient.Answer {
            try await server.api.send(method, target, token: token, body: body)
        }
        let put = "/v1/services/default/shared"
        #expect(try await ask(first, .put, put, admin, body: "{}").status == 201)
        #expect(try await ask(second, .get, put, admin).status == 200)
        // An agent of one replica enforces what the other was told.
        let home = try await first.enrol("host-two")
        let agent = try await home.start(["--servers", "\(try #require(second.agentAddress))"])
        try await second.waitUntilEnforcing(["host-two"], token: admin)
        let change = try await ask(
            first,
            .put,
            "/v1/placements/default/shared/host-two?wait=enforced&timeout=20s",
            admin,
            body: "{}"
        )
        #expect(change.body["enforced"]?["complete"]?.bool == true, "\(change.text)")
        #expect(change.body["enforced"]?["acknowledged"]?[0]?.text == "host-two")
        let status = try await ask(second, .get, "/v1/agents/host-two", admin)
        #expect(status.body["connected_server"]?.text == "server-2", "\(status.text)")
        // A token that one replica revokes ends at the other within a second.
        let limited = try await first.token(paths: #"{"status":["read"]}"#)
        let own = try await ask(second, .get, "/v1/tokens/self", limited)
        let accessor = try #require(own.body["accessor"]?.text)
        #expect(try await ask(first, .delete, "/v1/tokens/\(accessor)", admin).status == 200)
        try await Task.sleep(for: .milliseconds(1_100))
        #expect(try await ask(second, .get, "/v1/status", limited).status == 401)
        let both = try await ask(second, .get, "/v1/status", admin)
        #expect(both.body["servers"]?.items?.count == 2, "\(both.text)")
        await first.kill()
        #expect(try await ask(second, .get, put, admin).status == 200)
        agent.signal(SIGTERM)
        #expect(await agent.wait() == 0)
        #expect(await second.stop() == 0)
    }

    @Test func aReplicaWithAnotherKeyIsRefused() async throws {
        let url = try await makeDatabase("owner_three")
        let first = try await site(url).start()
        // Its own key is made when the database is new, and never else.
        let without = try site(url, ["--name", "server-2"]).launch()
        #expect(await without.wait() == 1)
        #expect(without.log.contains("keys/kek"), "\(without.log)")
        let other = try site(url, ["--name", "server-2"])
        let key = Data((0..<32).map { UInt8($0) })
        #expect(
            FileManager.default.createFile(
                atPath: other.kekFile,
                contents: key,
                attributes: [.posixPermissions: 0o600]
            )
        )
        let wrong = try other.launch()
        #expect(await wrong.wait() == 1)
        #expect(wrong.log.contains("this database was sealed with"), "\(wrong.log)")
        #expect(await first.stop() == 0)
    }

    @Test(arguments: [
        "postgresql://u:hush-hush@db.example.test/d", "postgresql://u:hush-hush@192.0.2.1/d",
        "postgresql://u:hush-hush@localhost,db.example.test/d?sslmode=require",
        "postgresql://u:hush-hush@db.example.test/d?sslmode=verify-ca&sslrootcert=/ca.pem",
    ])
    func aRemoteHostThatIsNotVerifiedIsRefusedBeforeAnythingStarts(url: String) async throws {
        for more in [["--check-config"], []] {
            let end = try await ProgramChild.run(
                TestProgram.server.path,
                ["serve", "--database-url", url] + more
            )
            #expect(end.code == 2)
            #expect(end.errors.hasPrefix("--database-url: "), "\(end.errors)")
            #expect(end.errors.contains("sslmode=verify-full is required"), "\(end.errors)")
            #expect(!end.errors.contains("hush"))
        }
    }
}
