import HTTP
import Support
import Testing
import Wire

struct RepeatedCreationTests {
    private func create(
        _ source: String,
        _ key: String,
        _ server: ServerChild
    ) async throws -> APIClient.Answer {
        let client = try server.newClient()
        let answer = try await client.send(
            .post,
            "/v1/intentions",
            token: try await server.site.administratorToken(server),
            body: #"{"source":"\#(source)","destination":"repeated","action":"allow"}"#,
            fields: [("idempotency-key", key)]
        )
        await client.close()
        return answer
    }

    @Test func theSameBodyGetsTheSameAnswerAndAnotherBodyIsRefused() async throws {
        let server = try await SharedServer.get()
        let first = try await create("one", "key-1", server)
        #expect(first.status == 201, "\(first.text)")
        let again = try await create("one", "key-1", server)
        #expect(again.status == 201)
        #expect(again.body == first.body)
        let other = try await create("two", "key-1", server)
        #expect(other.status == 409)
        #expect(other.code == "request.idempotency_key")
        let none = try await server.send(.get, "/v1/intentions/default/repeated/default/two")
        #expect(none.status == 404)
        // Without the key the second creation is a second one.
        let bare = try await server.send(
            .post,
            "/v1/intentions",
            body: #"{"source":"one","destination":"repeated","action":"allow"}"#
        )
        #expect(bare.status == 409)
    }

    @Test func manyAtOnceCreateOne() async throws {
        let server = try await SharedServer.get()
        let answers = try await withThrowingTaskGroup(of: APIClient.Answer.self) { group in
            for _ in 0..<8 { group.addTask { try await create("many", "key-2", server) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        let made = answers.filter { $0.status == 201 }
        #expect(!made.isEmpty)
        #expect(made.allSatisfy { $0.body == made.first?.body })
        // Whoever came while the first was at work is told to come again, not that it exists.
        for answer in answers where answer.status != 201 {
            #expect(answer.status == 409 && answer.code == "request.in_progress", "\(answer.text)")
        }
        #expect(try await create("many", "key-2", server).body == made.first?.body)
    }

    @Test func aRefusedCreationLeavesItsKeyFree() async throws {
        let server = try await SharedServer.get()
        let bad = try await create("Not-A-Name", "key-3", server)
        #expect(bad.status == 400, "\(bad.text)")
        let good = try await create("good", "key-3", server)
        #expect(good.status == 201, "\(good.text)")
    }

    @Test func aKeyWhereNobodyWouldLookAtItIsRefused() async throws {
        let server = try await SharedServer.get()
        let answer = try await server.send(
            .post,
            "/v1/tokens",
            body: #"{"display_name":"x","policies":["read-only"]}"#,
            fields: [("idempotency-key", "key-4")]
        )
        #expect(answer.status == 400)
        #expect(answer.errors.contains { $0.contains("Idempotency-Key") })
    }
}
