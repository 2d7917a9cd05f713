import HTTP
import Support
import Testing

struct StaleWriteIsRefusedTests {
    @Test func ifMatchHoldsTheRevisionThatWasRead() async throws {
        let server = try await SharedServer.get()
        let target = "/v1/services/default/conditional"
        func put(_ description: String, _ tag: String?) async throws -> APIClient.Answer {
            try await server.send(
                .put,
                target,
                body: #"{"description":"\#(description)"}"#,
                fields: tag.map { [("if-match", $0)] } ?? []
            )
        }
        #expect(try await put("a", "*").status == 412, "it does not exist yet")
        let made = try await put("a", nil)
        let first = try #require(made.fields.first(.etag))
        let changed = try await put("b", first)
        #expect(changed.status == 200, "\(changed.text)")
        let second = try #require(changed.fields.first(.etag))
        #expect(second != first)
        #expect(try await put("c", first).status == 412)
        #expect(try await put("c", "\"0\", \(first)").status == 412)
        let stale = try await server.send(.delete, target, fields: [("if-match", first)])
        #expect(stale.status == 412)
        let read = try await server.send(.get, target)
        #expect(read.text.contains("\"b\""))
        #expect(read.fields.first(.etag) == second)
        let gone = try await server.send(.delete, target, fields: [("if-match", second)])
        #expect(gone.status == 200, "\(gone.text)")
    }

    @Test func aConditionWhereNobodyWouldLookAtItIsRefused() async throws {
        let server = try await SharedServer.get()
        let answer = try await server.send(
            .post,
            "/v1/apply",
            body: #"{"resources":[{"kind":"service","name":"never"}]}"#,
            fields: [("if-match", "\"1\"")]
        )
        #expect(answer.status == 400, "\(answer.text)")
        #expect(try await server.send(.get, "/v1/services/default/never").status == 404)
    }
}
