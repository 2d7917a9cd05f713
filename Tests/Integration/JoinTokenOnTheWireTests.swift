import Crypto
import Foundation
import HTTP
import Snapshot
import Support
import Testing
import Wire

/// What a join token is good for, with the real programs at both ends.
@Suite(.timeLimit(.minutes(10))) struct JoinTokenOnTheWireTests {
    /// The directory of a host that has not joined.
    private func emptyHome() throws -> ScratchDirectory {
        try ScratchDirectory("host")
    }

    private func join(_ token: String, _ home: ScratchDirectory) async throws -> ProgramEnd {
        try await AgentChild.run(
            ["join", "--token-file", "-", "--data-directory", home.path + "/agent"],
            input: token
        )
    }

    private func invite(_ server: ServerChild, _ agent: String) async throws -> String {
        let invited = try await server.turnpike(["agent", "invite", agent])
        try #require(invited.code == 0, "\(invited.errors)")
        return invited.output
    }

    /// The reasons on record for refused enrolments, oldest first.
    private func refusals(_ site: ServerSite) async throws -> [String] {
        try await site.sql(
            """
            SELECT reason FROM dashboard.audit
            WHERE action = 'agent.enrol' AND outcome = 'denied' ORDER BY at, sequence
            """
        ).split(separator: "\n").map(String.init)
    }

    @Test func aTokenIsGoodForOneKeyUntilItEnds() async throws {
        let site = try ServerSite()
        let server = try await site.start()
        let token = try await invite(server, "host-1")
        let (first, second) = (try emptyHome(), try emptyHome())

        // An answer that was lost on the way: redeemed, but nothing is written here.
        let inTheWay = first.path + "/agent/trust.json"
        try FileManager.default.createDirectory(
            atPath: first.path + "/agent",
            withIntermediateDirectories: false,
            attributes: [.posixPermissions: 0o700]
        )
        try FileManager.default.createDirectory(
            atPath: inTheWay,
            withIntermediateDirectories: false
        )
        #expect(try await join(token, first).code == 1)
        try FileManager.default.removeItem(atPath: inTheWay)

        let other = try await join(token, second)
        #expect(other.code == 1)
        #expect(other.errors.contains("refused the token (401)"), "\(other.errors)")
        #expect(other.errors.contains("turnpike agent invite"), "\(other.errors)")
        #expect(!other.errors.contains(token.prefix(40)))
        #expect(try await refusals(site) == ["join token used by another key"])

        // The same key may have its answer again.
        let again = try await join(token, first)
        #expect(again.code == 0, "\(again.errors)")
        // With the certificate in its place a further join makes a new key, which is another one.
        #expect(try await join(token, first).code == 1)

        let ended = try await invite(server, "host-2")
        let listed = try await server.send(.get, "/v1/agents/host-2/join-tokens")
        let id = try #require(listed.body["items"]?[0]?["id"]?.text)
        let revoked = try await server.send(.delete, "/v1/agents/host-2/join-tokens/\(id)")
        #expect(revoked.status == 200, "\(revoked.text)")
        #expect(try await join(ended, try emptyHome()).code == 1)
        #expect(try await refusals(site).last == "revoked join token")
        await server.stop()
    }

    @Test func aTokenOfAnotherTrustDocumentIsNeverSent() async throws {
        let site = try ServerSite()
        let server = try await site.start()
        let text = try await invite(server, "host-1")
        let token = try JoinToken(text)
        let wrong = JoinToken(
            agent: token.agent,
            servers: token.servers,
            trustDomain: token.trustDomain,
            trustHash: SHA256.digest(of: [1, 2, 3]),
            secret: token.secret
        )
        let refused = try await join(wrong.text, try emptyHome())
        #expect(refused.code == 1)
        #expect(refused.errors.contains("the secret was not sent"), "\(refused.errors)")
        let listed = try await server.send(.get, "/v1/agents/host-1/join-tokens")
        #expect(listed.body["items"]?[0]?["redeemed_at"]?.text == nil)
        #expect(try await refusals(site) == [])
        // So it is still good for whoever knows the right one.
        let joined = try await join(text, try emptyHome())
        #expect(joined.code == 0, "\(joined.errors)")
        await server.stop()
    }

    @Test func joiningElsewhereEndsThePreviousKeyAndItsStream() async throws {
        let site = try ServerSite()
        let server = try await site.start()
        let (oldHome, newHome) = (try await server.enrol("host-1"), try emptyHome())
        let old = try await RunningAgent(oldHome.start())
        try await old.wait(for: "a server") { $0["connected_server"] != nil }
        let joined = try await join(try await invite(server, "host-1"), newHome)
        #expect(joined.code == 0, "\(joined.errors)")
        // The stream that stood ends, and no other begins.
        let status = try await old.wait(for: "the end of the old stream") {
            $0["connected_server"] == nil && $0["connection_problem"] != nil
        }
        let told = "\(status["last_refusal"]?["reason"]?.text ?? "")"
        #expect(told.contains("agent.not_enrolled"), "\(told)")
        let new = try await RunningAgent(AgentChild(directory: newHome.path + "/agent"))
        try await new.wait(for: "a server") { $0["connected_server"] != nil }
        try await Task.sleep(for: .seconds(2))
        #expect(try await old.status()["connected_server"] == nil)
        #expect(try await new.status()["connected_server"] != nil)
        for agent in [old, new] { #expect(await agent.end() == 0) }
        await server.stop()
    }
}
