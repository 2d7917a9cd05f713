import Control
import HTTP
import Postgres
import Support
import Testing
import Wire

@testable import API

/// Whoever acknowledges a revision and cannot do what it asks for has not enforced it.
@Suite struct EnforcementAnswerTests {
    private func report(pending: [String] = []) -> APIServices.Enforcement {
        APIServices.Enforcement(
            revision: 7,
            acknowledged: ["new", "old"],
            pending: pending,
            isComplete: pending.isEmpty,
            elapsed: .milliseconds(12)
        )
    }

    private func names(_ document: Document, _ field: String) -> [String] {
        (document[field]?.items ?? []).compactMap(\.text)
    }

    @Test func itIsCompleteOnlyIfEverybodyCan() {
        let all = report().document(besides: [])
        #expect(all["complete"]?.bool == true && all["milliseconds"]?.integer == 12)
        #expect(names(all, "acknowledged") == ["new", "old"])
        #expect(all["cannot_enforce"]?.items?.isEmpty == true)
        let some = report().document(besides: ["old"])
        #expect(some["complete"]?.bool == false)
        #expect(names(some, "acknowledged") == ["new"])
        #expect(names(some, "cannot_enforce") == ["old"])
        let waiting = report(pending: ["old", "slow"]).document(besides: ["old"])
        #expect(names(waiting, "pending") == ["slow"] && waiting["complete"]?.bool == false)
    }

    /// An agent that said nothing of revocations when it connected.
    private func addOldAgent(_ api: APIFixture) async throws {
        let made = try await api.send(.put, "/v1/agents/old-1", token: api.admin, body: "{}")
        try #require(made.status == 201)
        let owner = try await api.database.connect()
        try await owner.query(
            """
            INSERT INTO turnpike.agent_state (agent, connected_server, last_seen, version, features)
            VALUES ('old-1', 'one', clock_timestamp(), '0.1.0', '{}')
            """
        )
        await owner.close()
    }

    @Test func everyRevocationNamesWhoGoesOnBelieving() async throws {
        try await APIFixture.with { api in
            try await addOldAgent(api)
            for (path, body) in [
                ("services/default/web", "{}"), ("agents/web-1", #"{"description":"x"}"#),
            ] {
                let made = try await api.send(.put, "/v1/\(path)", token: api.admin, body: body)
                try #require(made.status == 201)
            }
            let query = "?wait=enforced&timeout=100ms"
            for (method, path) in [
                (HTTP.Method.put, "/v1/ca/revocations/services/default/web"),
                (.put, "/v1/ca/revocations/agents/web-1"), (.delete, "/v1/agents/web-1"),
            ] {
                let reply = try await api.send(
                    method,
                    path + query,
                    token: api.admin,
                    body: method == .put ? "{}" : ""
                )
                #expect(reply.status == 200, "\(path): \(reply.body)")
                #expect(names(reply.body, "cannot_enforce") == ["old-1"], "\(path)")
                #expect(reply.body["certificates"]?.integer == 0)
                let enforced = try #require(reply.body["enforced"])
                #expect(enforced["complete"]?.bool == false)
                #expect(names(enforced, "cannot_enforce") == ["old-1"])
                #expect(!names(enforced, "acknowledged").contains("old-1"))
            }
            // Who is put out itself is nobody to wait for.
            let itself = try await api.send(.delete, "/v1/agents/old-1", token: api.admin)
            #expect(itself.status == 200 && names(itself.body, "cannot_enforce") == [])
        }
    }

    @Test func theDescriptionSaysWhatIsAnswered() async throws {
        try await APIFixture.with { api in
            let document = try await api.send(.get, "/v1/openapi.json", token: nil).body
            func answer(_ path: String, _ method: String) -> Document? {
                document["paths"]?[path]?[method]?["responses"]?["200"]?["content"]?[
                    "application/json"
                ]?["schema"]?["properties"]
            }
            let revoked = answer("/v1/agents/{agent}", "delete")
            #expect(revoked?["cannot_enforce"]?["type"]?.text == "array")
            #expect(revoked?["enforced"]?["properties"]?["cannot_enforce"] != nil)
            #expect(answer("/v1/agents", "get")?["enforced"] == nil)
            #expect(answer("/v1/ca/import", "post")?["proposal"] != nil)
        }
    }
}
