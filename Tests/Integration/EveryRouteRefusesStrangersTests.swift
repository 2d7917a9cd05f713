import Foundation
import HTTP
import Support
import Testing
import Wire

struct EveryRouteRefusesStrangersTests {
    /// Operations that need no right: they show what the caller may see, which may be nothing.
    private static let openToAnyToken: Set<String> = [
        "getOwnToken", "export", "listAgents", "listNamespaces", "listServices",
        "listPlacements", "listInstances", "listExternals", "listUpstreams", "listIntentions",
    ]

    /// Every operation of the table that needs a token; the walk must not become empty.
    private func guarded(_ server: ServerChild) async throws -> [RouteTable.Operation] {
        let operations = try await RouteTable(of: server).operations
        #expect(operations.count >= 45)
        let open = Set(operations.filter { !$0.needsToken }.map(\.template))
        #expect(
            open == ["/livez", "/readyz", "/v1/openapi.json", "/v1/trust", "/v1/enroll"],
            "what needs no token is decided here, on purpose"
        )
        return operations.filter(\.needsToken)
    }

    private func expect401(
        _ code: String,
        _ token: String?,
        _ server: ServerChild,
        _ place: SourceLocation = #_sourceLocation
    ) async throws {
        let client = try server.newClient()
        for operation in try await guarded(server) {
            let answer = try await client.send(
                operation.method,
                operation.target(),
                token: token,
                body: operation.body()
            )
            #expect(answer.status == 401, "\(operation) \(answer.text)", sourceLocation: place)
            #expect(answer.code == code, "\(operation) \(answer.text)", sourceLocation: place)
            #expect(
                answer.fields.first(.wwwAuthenticate) != nil,
                "\(operation)",
                sourceLocation: place
            )
            if let token, token.utf8.count > 3 {
                #expect(!answer.text.contains(token), sourceLocation: place)
            }
        }
        await client.close()
    }

    @Test func withoutAToken() async throws {
        try await expect401("token.missing", nil, try await SharedServer.get())
    }

    @Test(arguments: ["garbage", "tp.", "tp.AAAA", "tp." + String(repeating: "A", count: 43)])
    func withGarbage(token: String) async throws {
        try await expect401("token.unknown", token, try await SharedServer.get())
    }

    @Test func withATokenThatWasRevoked() async throws {
        let server = try await SharedServer.get()
        let token = try await server.token(paths: #"{"*":["read"]}"#, name: "revoked")
        let own = try await server.api.send(.get, "/v1/tokens/self", token: token)
        let accessor = try #require(own.body["accessor"]?.text)
        #expect(try await server.send(.delete, "/v1/tokens/\(accessor)").status == 200)
        try await expect401("token.revoked", token, server)
    }

    @Test func withATokenThatHasExpired() async throws {
        let server = try await SharedServer.get()
        let made = try await server.send(
            .post,
            "/v1/tokens",
            body: #"{"display_name":"short","policies":["read-only"],"ttl":"1m"}"#
        )
        let token = try #require(made.body["token"]?.text)
        #expect(try await server.api.send(.get, "/v1/status", token: token).status == 200)
        // The shortest life that there is.
        try await Task.sleep(for: .seconds(60))
        try await expect401("token.expired", token, server)
    }

    @Test func withoutTheCapabilityTheAnswerIsTheSameWhetherTheThingExists() async throws {
        let server = try await SharedServer.get()
        let token = try await server.token(paths: #"{"nothing":["read"]}"#, name: "nobody")
        let table = try await guarded(server)
        for operation in table where ["putService", "putAgent", "putPolicy"].contains(operation.id)
        {
            let made = try await server.send(
                operation.method,
                operation.target(),
                body: operation.body()
            )
            #expect((200...201).contains(made.status), "\(made.text)")
        }
        let client = try server.newClient()
        for operation in table {
            var answers: [String] = []
            for name in ["present", "missing"] {
                let answer = try await client.send(
                    operation.method,
                    operation.target(naming: name),
                    token: token,
                    body: operation.body(naming: name)
                )
                if Self.openToAnyToken.contains(operation.id) {
                    #expect(answer.status == 200, "\(operation) \(answer.text)")
                    #expect(!answer.text.contains("present"), "\(operation) \(answer.text)")
                    let items = answer.body["items"] ?? answer.body["resources"]
                    #expect(items?.items?.isEmpty ?? (operation.id == "getOwnToken"))
                    continue
                }
                #expect(answer.status == 403, "\(operation) \(answer.text)")
                #expect(answer.code == "access.denied", "\(operation) \(answer.text)")
                let id = answer.body["request_id"]?.text ?? "no id"
                answers.append(
                    answer.text.replacingOccurrences(of: id, with: "")
                        .replacingOccurrences(of: name, with: "NAME")
                        .replacingOccurrences(of: "default", with: "NAME")
                )
            }
            #expect(Set(answers).count <= 1, "\(operation) \(answers)")
        }
        await client.close()
    }

    @Test func enrolmentRoutesAreUnderTheirOwnServerNameOnly() async throws {
        let server = try await SharedServer.get()
        for operation in try await RouteTable(of: server).operations
        where ["getTrust", "enroll"].contains(operation.id) {
            let answer = try await server.send(
                operation.method,
                operation.target(),
                body: operation.body()
            )
            #expect(answer.status == 404, "\(operation) \(answer.text)")
        }
    }
}
