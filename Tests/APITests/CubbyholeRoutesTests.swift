import API
import Control
import HTTP
import Postgres
import Support
import Testing
import Wire

/// What a token keeps for itself.
@Suite struct CubbyholeRoutesTests {
    private func send(
        _ api: APIFixture,
        _ method: HTTP.Method,
        _ path: String,
        _ token: String,
        _ body: String = ""
    ) async throws -> APIFixture.Reply {
        try await api.send(method, "/v1/cubbyhole\(path)", token: token, body: body)
    }

    @Test func eachTokenHasItsOwn() async throws {
        try await APIFixture.with { api in
            let one = try await api.token(policies: ["read-only"])
            let other = try await api.token(policies: ["admin"])
            let value = #"{"user":"planted-secret","n":[1]}"#
            #expect(try await send(api, .post, "/a/b", one, value).status == 204)
            #expect(try await send(api, .put, "/c", one, #"{"x":1}"#).status == 204)
            let read = try await send(api, .get, "/a/b", one)
            #expect(read.body["data"]?["user"]?.text == "planted-secret")
            #expect(try await send(api, .get, "/a/b", other).status == 404)
            #expect(try await send(api, .list, "/", other).status == 404)
            let top = try await send(api, .list, "", one)
            #expect(top.body["data"]?["keys"]?.items?.compactMap(\.text) == ["a/", "c"])
            let folder = try await send(api, .list, "/a", one)
            #expect(folder.body["data"]?["keys"]?.items?.compactMap(\.text) == ["b"])
            #expect(try await send(api, .post, "/c", one, #"{"x":2}"#).status == 204)
            #expect(try await send(api, .get, "/c", one).body["data"]?["x"]?.integer == 2)
            #expect(try await send(api, .delete, "/c", one).status == 204)
            #expect(try await send(api, .get, "/c", one).status == 404)
            #expect(try await send(api, .post, "/c", one, "{}").status == 400)
            let long = #"{"x":"\#(String(repeating: "y", count: 70_000))"}"#
            #expect(try await send(api, .post, "/c", one, long).status == 400)
        }
    }

    @Test func itIsSealedAndGoesWithItsToken() async throws {
        try await APIFixture.with { api in
            let token = try await api.token(policies: ["read-only"])
            _ = try await send(api, .post, "/a", token, #"{"user":"planted-secret"}"#)
            let connection = try await api.database.connect()
            let count: Int64 = try await connection.query(
                """
                SELECT count(*) FROM turnpike.cubbyholes
                WHERE position('planted' IN encode(sealed, 'escape')) = 0
                """
            ).single().decode(at: 0)
            #expect(count == 1)
            // A value opens in its own place only.
            try await connection.query("UPDATE turnpike.cubbyholes SET path = 'b'")
            #expect(try await send(api, .get, "/b", token).status == 500)
            let ended = try await api.send(.post, "/v1/auth/token/revoke-self", token: token)
            #expect(ended.status == 204)
            let left: Int64 = try await connection.query("SELECT count(*) FROM turnpike.cubbyholes")
                .single().decode(at: 0)
            #expect(left == 0)
            await connection.close()
        }
    }

    @Test func aPolicyMayDenyIt() async throws {
        try await APIFixture.with { api in
            let policy = #"{"policy":"path \"cubbyhole/*\" {capabilities=[\"deny\"]}"}"#
            _ = try await api.send(
                .post,
                "/v1/sys/policies/acl/none",
                token: api.admin,
                body: policy
            )
            let token = try await api.token(policies: ["none"])
            #expect(try await send(api, .post, "/a", token, #"{"x":1}"#).status == 403)
            #expect(try await send(api, .get, "/a", token).status == 403)
        }
    }
}
