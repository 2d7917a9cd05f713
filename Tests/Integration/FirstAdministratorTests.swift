import Foundation
import HTTP
import Support
import Testing
import Wire

struct FirstAdministratorTests {
    private func mode(_ path: String) throws -> Int {
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        return try #require(attributes[.posixPermissions] as? Int)
    }

    @Test func theBootstrapTokenIsPrivateAndDiesWhenAnAdministratorExists() async throws {
        let site = try ServerSite()
        var server = try await site.start()
        #expect(try mode(site.bootstrapTokenFile) == 0o600)
        #expect(try mode(site.kekFile) == 0o600)
        #expect(try mode(site.trustKeyFile) == 0o600)
        let bootstrap = try site.bootstrapToken()
        func status(_ token: String) async throws -> APIClient.Answer {
            try await server.api.send(.get, "/v1/status", token: token)
        }
        let early = try await status(bootstrap)
        #expect(early.status == 200)
        // It ends after a day, whatever happens.
        let until = try #require(early.body["bootstrap_expires_at"]?.text)
        #expect(try Timestamp(rfc3339: until) <= now() + .seconds(86_401))
        // A token that may less changes nothing about it.
        let reader = try await server.api.send(
            .post,
            "/v1/tokens",
            token: bootstrap,
            body: #"{"display_name":"reader","policies":["read-only"]}"#
        )
        #expect(reader.status == 201, "\(reader.text)")
        #expect(try await status(bootstrap).status == 200)
        let admin = try await site.administratorToken(server)
        let refused = try await status(bootstrap)
        #expect(refused.status == 401 && refused.code == "token.revoked", "\(refused.text)")
        #expect(try await status(admin).body["bootstrap_expires_at"]?.isNull == true)
        // Nor does it come back with the next start.
        #expect(await server.stop() == 0)
        server = try await site.start()
        #expect(try await status(bootstrap).status == 401)
        #expect(try await status(admin).status == 200)
        try await expectLastAdministratorStays(admin, server)
        #expect(await server.stop() == 0)
    }

    private func now() -> Timestamp {
        Timestamp(secondsSinceEpoch: Int64(Date().timeIntervalSince1970))
    }

    private func expectLastAdministratorStays(
        _ admin: String,
        _ server: ServerChild
    ) async throws {
        func accessor(_ token: String) async throws -> String {
            let own = try await server.api.send(.get, "/v1/tokens/self", token: token)
            return try #require(own.body["accessor"]?.text, "\(own.text)")
        }
        let own = try await accessor(admin)
        let last = try await server.send(.delete, "/v1/tokens/\(own)")
        #expect(last.status == 409 && last.code == "token.last_administrator", "\(last.text)")
        let byCommand = try await server.turnpike(["token", "revoke", own])
        #expect(byCommand.code == 5, "\(byCommand.errors)")
        let policy = try await server.send(.delete, "/v1/policies/admin")
        #expect(policy.status >= 400, "\(policy.text)")
        let second = try await server.turnpike([
            "token", "create", "--policy", "admin", "--name", "two",
        ])
        #expect(second.code == 0, "\(second.errors)")
        let token = second.output.trimmingCharacters(in: .whitespacesAndNewlines)
        let gone = try await server.api.send(.delete, "/v1/tokens/\(own)", token: token)
        #expect(gone.status == 200, "\(gone.text)")
        #expect(try await server.api.send(.get, "/v1/status", token: admin).status == 401)
    }
}
