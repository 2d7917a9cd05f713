import Foundation
import HTTP
import Support
import Testing
import Wire

struct EnrolledAgentEnforcesTests {
    @Test func anInvitedAgentJoinsAndEnforcesTheLatestRevision() async throws {
        let site = try ServerSite()
        let server = try await site.start()
        let home = try await server.enrol("host-1")
        let agent = try await home.start()
        try await server.waitUntilEnforcing(["host-1"])
        let made = try await server.send(.put, "/v1/services/default/web", body: "{}")
        #expect(made.status == 201, "\(made.text)")
        let change = try await server.send(
            .put,
            "/v1/placements/default/web/host-1?wait=enforced&timeout=20s",
            body: "{}"
        )
        #expect(change.status == 201, "\(change.text)")
        #expect(change.body["enforced"]?["complete"]?.bool == true, "\(change.text)")
        #expect(change.body["enforced"]?["acknowledged"]?[0]?.text == "host-1")
        let listed = try await server.turnpike(["agent", "list"])
        #expect(listed.code == 0, "\(listed.errors)")
        #expect(listed.output.contains("host-1"))
        agent.signal(SIGTERM)
        #expect(await agent.wait() == 0)
        #expect(await server.stop() == 0)
    }
}
