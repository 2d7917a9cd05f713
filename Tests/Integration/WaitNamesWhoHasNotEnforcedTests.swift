import Foundation
import HTTP
import Support
import Testing
import Wire

struct WaitNamesWhoHasNotEnforcedTests {
    @Test func aStoppedAgentIsPendingUntilItGoesOn() async throws {
        let site = try ServerSite()
        let server = try await site.start()
        for name in ["quick", "stuck"] {
            #expect(
                try await server.send(.put, "/v1/services/default/\(name)-db", body: "{}").status
                    == 201
            )
        }
        let quick = try await server.enrol("quick", placing: ["quick-db", "stuck-db"]).start()
        let stuckHome = try await server.enrol("stuck", placing: ["quick-db", "stuck-db"])
        let stuck = try await stuckHome.start()
        try await server.waitUntilEnforcing(["quick", "stuck"])
        func allow(_ source: String, timeout: String) async throws -> Document {
            let target = "/v1/intentions/default/quick-db/default/\(source)"
            let answer = try await server.send(
                .put,
                "\(target)?wait=enforced&timeout=\(timeout)",
                body: #"{"action":"allow"}"#
            )
            #expect(answer.status == 201, "\(answer.text)")
            return try #require(answer.body["enforced"])
        }
        func names(_ document: Document, _ field: String) -> [String] {
            (document[field]?.items ?? []).compactMap(\.text).sorted()
        }
        let both = try await allow("first", timeout: "20s")
        #expect(both["complete"]?.bool == true, "\(both)")
        #expect(names(both, "acknowledged") == ["quick", "stuck"])
        stuck.signal(SIGSTOP)
        let one = try await allow("second", timeout: "1s")
        #expect(one["complete"]?.bool == false)
        #expect(names(one, "pending") == ["stuck"], "\(one)")
        #expect(names(one, "acknowledged") == ["quick"])
        let told = try await server.turnpike([
            "intention", "create", "third", "quick-db", "--allow", "--wait", "enforced",
            "--timeout", "1s",
        ])
        #expect(told.code == 7)
        #expect(told.errors.contains("not enforced yet by stuck"), "\(told.errors)")
        stuck.signal(SIGCONT)
        let later = try await allow("fourth", timeout: "20s")
        #expect(later["complete"]?.bool == true, "\(later)")
        #expect(names(later, "pending") == [])
        for agent in [quick, stuck] {
            agent.signal(SIGTERM)
            #expect(await agent.wait() == 0)
        }
        #expect(await server.stop() == 0)
    }
}
