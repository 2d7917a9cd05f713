import API
import Control
import HTTP
import Postgres
import Support
import Testing
import Wire

/// Tokens from Vault's side: made, renewed, bound, and ended with all below them.
@Suite struct VaultTokenRoutesTests {
    private func create(
        _ api: APIFixture,
        _ token: String,
        _ body: String = "{}",
        at path: String = "create"
    ) async throws -> (token: String, auth: Document, reply: APIFixture.Reply) {
        let reply = try await api.send(
            .post,
            "/v1/auth/token/\(path)",
            token: token,
            body: body
        )
        let auth = reply.body["auth"] ?? .null
        return (auth["client_token"]?.text ?? "", auth, reply)
    }

    private func look(_ api: APIFixture, _ token: String) async throws -> APIFixture.Reply {
        try await api.send(.get, "/v1/auth/token/lookup-self", token: token)
    }

    /// An administrator who is not the bootstrap token, which has no children.
    private func administrator(_ api: APIFixture) async throws -> String {
        try await api.token(policies: ["admin"])
    }

    @Test func aTokenIsMadeAndLookedUp() async throws {
        try await APIFixture.with { api in
            let admin = try await administrator(api)
            let made = try await create(
                api,
                admin,
                """
                {"policies":["read-only","default"],"ttl":"1h","meta":{"team":"web"},
                 "display_name":"ci","num_uses":0,"period":"","id":null,"unknown":true}
                """
            )
            #expect(made.reply.status == 200)
            #expect(made.auth["lease_duration"]?.integer == 3_600)
            #expect(made.auth["policies"]?.items?.compactMap(\.text) == ["read-only"])
            #expect(made.auth["orphan"]?.bool == false)
            #expect(made.auth["token_type"]?.text == "service")
            #expect(made.reply.body["warnings"]?.items?.count == 1)
            let own = try await look(api, made.token)
            let data = try #require(own.body["data"])
            #expect(data["id"]?.text == made.token)
            #expect(data["display_name"]?.text == "token-ci")
            #expect(data["meta"]?["team"]?.text == "web")
            #expect((data["ttl"]?.integer ?? 0) > 3_500)
            #expect(data["creation_ttl"]?.integer == 3_600)
            let accessor = try #require(made.auth["accessor"]?.text)
            let behind = try await api.send(
                .post,
                "/v1/auth/token/lookup-accessor",
                token: admin,
                body: #"{"accessor":"\#(accessor)"}"#
            )
            #expect(behind.body["data"]?["id"]?.text == "")
            let other = try await api.send(
                .post,
                "/v1/auth/token/lookup",
                token: admin,
                body: #"{"token":"\#(made.token)"}"#
            )
            #expect(other.body["data"]?["accessor"]?.text == accessor)
            let list = try await api.send(.list, "/v1/auth/token/accessors", token: admin)
            #expect(list.body["data"]?["keys"]?.items?.contains { $0.text == accessor } == true)
            let mayNot = try await api.send(.list, "/v1/auth/token/accessors", token: made.token)
            #expect(mayNot.status == 403)
            let native = try await api.send(.get, "/v1/tokens/\(accessor)", token: admin)
            #expect(native.body["display_name"]?.text == "token-ci")
        }
    }

    @Test func childrenEndWithTheirParentInTheSameCommit() async throws {
        try await APIFixture.with { api in
            let admin = try await administrator(api)
            let parent = try await create(api, admin)
            let child = try await create(api, parent.token)
            let orphan = try await create(api, parent.token, at: "create-orphan")
            #expect(orphan.auth["orphan"]?.bool == true)
            let grandchild = try await create(api, child.token)
            #expect(try await look(api, grandchild.token).status == 200)
            let end = try await api.send(.post, "/v1/auth/token/revoke-self", token: parent.token)
            #expect(end.status == 204)
            for token in [parent.token, child.token, grandchild.token] {
                let reply = try await look(api, token)
                #expect(reply.status == 403)
                #expect(reply.body["errors"]?[0]?.text == "permission denied")
            }
            #expect(try await look(api, orphan.token).status == 200)
            let audit = try await api.send(
                .get,
                "/v1/audit?action=token.revoke&limit=100",
                token: admin
            )
            let reasons = audit.body["items"]?.items?.compactMap { $0["reason"]?.text } ?? []
            #expect(reasons.filter { $0 == "parent_revoked" }.count == 2)
        }
    }

    /// Even where a row below was missed, or put back: whoever is shown a token looks above it.
    @Test func aTokenIsNothingWithoutTheOnesAboveIt() async throws {
        try await APIFixture.with { api in
            let admin = try await administrator(api)
            let parent = try await create(api, admin)
            let child = try await create(api, parent.token)
            let connection = try await api.database.connect()
            let accessor = try #require(child.auth["accessor"]?.text)
            try await connection.query(
                "CREATE TABLE kept AS SELECT * FROM turnpike.tokens WHERE accessor::text = \(accessor)"
            )
            _ = try await api.send(.post, "/v1/auth/token/revoke-self", token: parent.token)
            try await connection.query(
                """
                UPDATE turnpike.tokens SET revoked_at = NULL, mac = kept.mac FROM kept
                WHERE kept.accessor = tokens.accessor
                """
            )
            #expect(try await look(api, child.token).status == 403)
            // Its parent taken away, it is not the row that was written.
            try await connection.query(
                "UPDATE turnpike.tokens SET parent = NULL WHERE accessor::text = \(accessor)"
            )
            #expect(try await look(api, child.token).status == 403)
            await connection.close()
        }
    }

    @Test func aRenewalCountsFromNowWithinItsBounds() async throws {
        try await APIFixture.with { api in
            let admin = try await administrator(api)
            let made = try await create(
                api,
                admin,
                #"{"ttl":60,"explicit_max_ttl":"2h"}"#
            )
            func renew(_ body: String) async throws -> APIFixture.Reply {
                try await api.send(
                    .put,
                    "/v1/auth/token/renew-self",
                    token: made.token,
                    body: body
                )
            }
            let hour = try await renew(#"{"increment":"1h"}"#)
            #expect(hour.body["auth"]?["lease_duration"]?.integer == 3_600)
            #expect(hour.body["auth"]?["client_token"]?.text == made.token)
            let same = try await renew("")
            #expect(same.body["auth"]?["lease_duration"]?.integer == 60)
            let long = try await renew(#"{"increment":999999}"#)
            let seconds = try #require(long.body["auth"]?["lease_duration"]?.integer)
            #expect((7_000...7_200).contains(seconds))
            #expect(long.body["warnings"]?.items?.count == 1)
            let child = try await create(api, made.token, #"{"ttl":"9h"}"#)
            #expect((child.auth["lease_duration"]?.integer ?? 9_999) <= 7_200)
            let fixed = try await create(api, admin, #"{"renewable":"false"}"#)
            let refused = try await api.send(
                .post,
                "/v1/auth/token/renew",
                token: admin,
                body: #"{"token":"\#(fixed.token)"}"#
            )
            #expect(refused.status == 400)
            let native = try await api.send(
                .post,
                "/v1/auth/token/renew-self",
                token: admin
            )
            #expect(native.status == 400)
        }
    }

    @Test func aTokenIsUsedAsOftenAsItMay() async throws {
        try await APIFixture.with { api in
            let admin = try await administrator(api)
            let made = try await create(api, admin, #"{"num_uses":2}"#)
            let first = try await look(api, made.token)
            #expect(first.body["data"]?["num_uses"]?.integer == 1)
            let child = try await create(api, made.token)
            #expect(child.reply.status == 400)
            #expect(try await look(api, made.token).status == 403)
            let once = try await create(api, admin, #"{"num_uses":1}"#)
            #expect(try await look(api, once.token).status == 200)
            #expect(try await look(api, once.token).status == 403)
        }
    }

    @Test func aTokenIsUsedFromWhereItMay() async throws {
        try await APIFixture.with { api in
            let admin = try await administrator(api)
            // The fixture's requests come from 192.0.2.1.
            let here = try await create(api, admin, #"{"bound_cidrs":"192.0.2.0/24"}"#)
            #expect(try await look(api, here.token).status == 200)
            #expect(try await look(api, here.token).status == 200)
            let there = try await create(api, admin, #"{"bound_cidrs":["198.51.100.7"]}"#)
            #expect(try await look(api, there.token).status == 403)
            let wider = try await create(api, here.token, #"{"bound_cidrs":["0.0.0.0/0"]}"#)
            #expect(wider.reply.status == 400)
            let inherited = try await create(api, here.token)
            let data = try await look(api, inherited.token).body["data"]
            #expect(data?["bound_cidrs"]?[0]?.text == "192.0.2.0/24")
            // Nor does it make one that stands alone, without bounds, by the native route.
            for maker in [here, inherited] {
                let alone = try await api.send(
                    .post,
                    "/v1/tokens",
                    token: maker.token,
                    body: #"{"display_name":"alone","policies":["read-only"]}"#
                )
                #expect(alone.status == 403, "\(alone.body)")
                #expect(alone.code == "token.bounded")
            }
        }
    }

    @Test func nobodyMakesMoreThanTheyHave() async throws {
        try await APIFixture.with { api in
            _ = try await api.send(
                .put,
                "/v1/policies/maker",
                token: api.admin,
                body: #"{"paths":{"auth/token/create":["update"]}}"#
            )
            let maker = try await api.token(policies: ["maker"])
            let same = try await create(api, maker)
            #expect(same.auth["policies"]?.items?.compactMap(\.text) == ["maker"])
            for (body, status) in [
                (#"{"policies":["admin"]}"#, 403), (#"{"no_parent":true}"#, 403),
                (#"{"policies":["nothing"]}"#, 400), (#"{"period":"1h"}"#, 400),
                (#"{"type":"batch"}"#, 400), (#"{"id":"mine"}"#, 400),
                (#"{"entity_alias":"x"}"#, 400), (#"{"ttl":"-1s"}"#, 400),
                (#"{"meta":{"a":1}}"#, 400), (#"{"meta":{"a":"b\u0000"}}"#, 400),
                (#"{"meta":{"a\u0000":"b"}}"#, 400), (#"{"policies":["a\u0000"]}"#, 400),
                (#"{"bound_cidrs":["x"]}"#, 400),
                (#"{"num_uses":-1}"#, 400),
            ] {
                let reply = try await create(api, maker, body).reply
                #expect(reply.status == status, "\(body)")
                #expect(reply.body["errors"]?.items?.isEmpty == false)
            }
            let orphan = try await create(api, maker, at: "create-orphan")
            #expect(orphan.reply.status == 403)
        }
    }

    @Test func theBootstrapTokenHasNoChildrenThatDieWithIt() async throws {
        try await APIFixture.with { api in
            let made = try await create(api, api.admin, #"{"policies":["admin"]}"#)
            #expect(made.auth["orphan"]?.bool == true)
            // The first administrator ended it.
            #expect(try await look(api, api.admin).status == 403)
            #expect(try await look(api, made.token).status == 200)
            let last = try await api.send(
                .post,
                "/v1/auth/token/revoke-self",
                token: made.token
            )
            #expect(last.status == 400)
        }
    }

    @Test func aTokenThatIsNoneIsDenied() async throws {
        try await APIFixture.with { api in
            for (path, body) in [
                ("lookup", #"{"token":"tp.x"}"#), ("renew", #"{"token":"tp.x"}"#),
                ("revoke", #"{"token":"tp.x"}"#), ("lookup-accessor", #"{"accessor":"x"}"#),
            ] {
                let reply = try await api.send(
                    .post,
                    "/v1/auth/token/\(path)",
                    token: api.admin,
                    body: body
                )
                #expect(reply.status == 403, "\(path)")
            }
            let none = try await api.send(.post, "/v1/auth/token/revoke", token: api.admin)
            #expect(none.status == 400)
        }
    }
}
