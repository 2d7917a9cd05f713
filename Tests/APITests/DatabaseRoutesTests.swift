import API
import Control
import HTTP
import Postgres
import Support
import Testing
import Wire

/// Database accounts and their leases as a client of Vault meets them.
@Suite struct DatabaseRoutesTests {
    private func prepare(_ api: APIFixture) async throws -> String {
        let group = "group_\(api.database.name)"
        try await api.database.cluster.administer("CREATE ROLE \(group) NOLOGIN")
        try await api.database.cluster.administer(
            "GRANT CONNECT ON DATABASE \(api.database.name) TO \(group)"
        )
        let connection = try await post(
            api,
            "database/config/orders",
            """
            {"plugin_name":"postgresql-database-plugin","allowed_roles":"reader,writer*",
             "connection_url":"\(url(api))","username":"postgres","password":"not for anybody",
             "max_open_connections":4,"username_template":"","root_rotation_statements":[]}
            """
        )
        #expect(connection.status == 204, "\(connection.body)")
        let role = try await post(
            api,
            "database/roles/reader",
            """
            {"db_name":"orders","group_role":"\(group)","default_ttl":"5m","max_ttl":600,
             "creation_statements":[],"credential_type":"password","credential_config":null}
            """
        )
        #expect(role.status == 204, "\(role.body)")
        return group
    }

    private func url(_ api: APIFixture) -> String {
        "postgresql://{{username}}:{{password}}@/\(api.database.name)"
            + "?host=\(api.database.cluster.socketDirectory)"
    }

    private func post(
        _ api: APIFixture,
        _ path: String,
        _ body: String = "{}",
        token: String? = nil
    ) async throws -> APIFixture.Reply {
        try await api.send(.put, "/v1/\(path)", token: token ?? api.admin, body: body)
    }

    private func get(
        _ api: APIFixture,
        _ path: String,
        token: String? = nil
    ) async throws -> APIFixture.Reply {
        try await api.send(.get, "/v1/\(path)", token: token ?? api.admin)
    }

    private func list(_ api: APIFixture, _ path: String) async throws -> [String]? {
        let reply = try await api.send(.list, "/v1/\(path)", token: api.admin)
        if reply.status == 404 { return nil }
        return reply.body["data"]?["keys"]?.items?.compactMap(\.text)
    }

    private func errors(_ reply: APIFixture.Reply) -> [String]? {
        reply.body["errors"]?.items?.compactMap(\.text)
    }

    @Test func aConnectionGoesThroughItsLife() async throws {
        try await APIFixture.with { api in
            let group = try await prepare(api)
            #expect(try await list(api, "database/config") == ["orders"])
            let shown = try await get(api, "database/config/orders")
            let details = shown.body["data"]?["connection_details"]
            #expect(details?["username"]?.text == "postgres")
            #expect(details?["password"] == nil)
            #expect(details?["connection_url"]?.text?.contains("{{password}}") == true)
            #expect(!"\(shown.body)".contains("not for anybody"))
            let allowed = shown.body["data"]?["allowed_roles"]?.items?.compactMap(\.text)
            #expect(allowed == ["reader", "writer*"])
            // What is not said stays, the password too.
            let narrowed = try await post(
                api,
                "database/config/orders",
                #"{"allowed_roles":["writer*"]}"#
            )
            #expect(narrowed.status == 204, "\(narrowed.body)")
            let native = try await get(api, "targets/orders")
            #expect(native.body["allowed_profiles"]?.items?.compactMap(\.text) == ["writer*"])
            #expect(native.body["username"]?.text == "postgres")
            let denied = try await get(api, "database/creds/reader")
            #expect(denied.status == 403)
            #expect(errors(denied)?.last?.contains("does not allow") == true)
            let refused = try await post(
                api,
                "database/roles/other",
                #"{"db_name":"orders","group_role":"\#(group)"}"#
            )
            #expect(refused.status == 403, "\(refused.body)")
            #expect(try await post(api, "database/reset/orders").status == 204)
            #expect(try await post(api, "database/reset/nothing").status == 404)
            let used = try await api.send(.delete, "/v1/database/config/orders", token: api.admin)
            #expect(used.status == 400)
            for path in ["database/roles/reader", "database/config/orders"] {
                for _ in 0..<2 {
                    let gone = try await api.send(.delete, "/v1/\(path)", token: api.admin)
                    #expect(gone.status == 204, "\(gone.body)")
                }
                #expect(try await get(api, path).status == 404)
            }
            #expect(try await list(api, "database/config") == nil)
            #expect(try await list(api, "database/roles") == nil)
        }
    }

    @Test func whatWouldBeAnotherConnectionIsRefused() async throws {
        try await APIFixture.with { api in
            for (body, field) in [
                (#"{"plugin_name":"mysql-database-plugin"}"#, "plugin_name"),
                ("{}", "connection_url"),
                (#"{"connection_url":"postgresql://u:p@localhost/x"}"#, "connection_url"),
                (#"{"connection_url":"postgresql://{{username}}@localhost/x"}"#, "username"),
                (
                    #"{"connection_url":"postgresql://u@localhost/x","username":"v"}"#,
                    "connection_url"
                ),
                (#"{"connection_url":"postgresql://u@localhost/x?sslmode=verify-full"}"#, "tls_ca"),
                (
                    #"{"connection_url":"postgresql://u@localhost/x?sslmode=verify-full","tls_ca":"x"}"#,
                    "tls_ca"
                ),
                (#"{"connection_url":"postgresql://u@localhost/x"}"#, "password"),
                (#"{"username_template":"v-{{random 20}}"}"#, "username_template"),
                (#"{"password_policy":"strong"}"#, "password_policy"),
                (#"{"root_rotation_statements":["ALTER"]}"#, "root_rotation_statements"),
                (#"{"private_key":"x"}"#, "private_key"), (#"{"password":"a\u0000b"}"#, "password"),
            ] {
                let reply = try await post(api, "database/config/orders", body)
                #expect(reply.status == 400, "\(body): \(reply.body)")
                #expect(errors(reply)?.first?.hasPrefix(field) == true, "\(body): \(reply.body)")
            }
            for path in ["database/static-roles/x", "database/rotate-role/x"] {
                let reply = try await post(api, path)
                #expect(reply.status == 501, "\(path)")
                #expect(errors(reply)?.first?.isEmpty == false)
            }
            #expect(try await get(api, "database/static-creds/x").status == 501)
            #expect(try await get(api, "database/nothing").status == 404)
        }
    }

    @Test func secondAdministratorTakesOver() async throws {
        try await APIFixture.with { api in
            _ = try await prepare(api)
            let alone = try await post(api, "database/rotate-root/orders")
            #expect(alone.status == 400)
            #expect(errors(alone)?.first?.hasPrefix("rotation_username") == true)
            let second = "second_\(api.database.name)"
            let change = try await post(
                api,
                "database/config/orders",
                #"{"rotation_username":"\#(second)"}"#
            )
            #expect(change.status == 204, "\(change.body)")
            #expect(try await post(api, "database/rotate-root/orders").status == 400)
            try await api.database.cluster.administer("CREATE ROLE \(second) LOGIN SUPERUSER")
            let rotated = try await post(api, "database/rotate-root/orders")
            #expect(rotated.status == 204, "\(rotated.body)")
            let details = try await get(api, "database/config/orders").body["data"]?[
                "connection_details"
            ]
            #expect(details?["username"]?.text == second)
            #expect(details?["rotation_username"]?.text == "postgres")
            #expect(try await get(api, "database/creds/reader").status == 200)
            #expect(try await post(api, "database/rotate-root/none").status == 404)
        }
    }

    @Test func aRoleIsTriedAndItsTermsAreCut() async throws {
        try await APIFixture.with { api in
            let group = try await prepare(api)
            let shown = try await get(api, "database/roles/reader")
            #expect(shown.body["data"]?["db_name"]?.text == "orders")
            #expect(shown.body["data"]?["group_role"]?.text == group)
            #expect(shown.body["data"]?["default_ttl"]?.integer == 300)
            #expect(shown.body["data"]?["max_ttl"]?.integer == 600)
            let statement =
                #"CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}' IN ROLE \#(group)"#
            let raw = try await post(
                api,
                "database/roles/writer",
                """
                {"db_name":"orders","creation_statements":"\(statement)","default_ttl":"2h",
                 "max_ttl":"24h"}
                """
            )
            #expect(raw.status == 200, "\(raw.body)")
            #expect(raw.body["warnings"]?.items?.count == 2)
            let written = try await get(api, "database/roles/writer")
            #expect(written.body["data"]?["max_ttl"]?.integer == 3_600)
            #expect(written.body["data"]?["creation_statements"]?.items?.count == 1)
            // What is not said stays.
            let changed = try await post(api, "database/roles/writer", #"{"max_ttl":"30m"}"#)
            #expect(changed.status == 200, "\(changed.body)")
            let again = try await get(api, "database/roles/writer")
            #expect(again.body["data"]?["creation_statements"]?.items?.count == 1)
            #expect(again.body["data"]?["max_ttl"]?.integer == 1_800)
            #expect(try await list(api, "database/roles") == ["reader", "writer"])
            for (body, field) in [
                ("{}", "db_name"), (#"{"db_name":"orders"}"#, "creation_statements"),
                (#"{"db_name":"a/b"}"#, "db_name"),
                (#"{"db_name":"nothing","group_role":"g"}"#, "target"),
                (
                    #"{"db_name":"orders","creation_statements":["SELECT 1"]}"#,
                    "creation_statements"
                ),
                (#"{"renew_statements":["x"]}"#, "renew_statements"),
                (#"{"rollback_statements":["x"]}"#, "rollback_statements"),
                (#"{"credential_type":"rsa_private_key"}"#, "credential_type"),
                (#"{"credential_config":{"a":"b"}}"#, "credential_config"),
                (#"{"db_name":"orders","group_role":"g","max_ttl":"1s"}"#, "max_ttl"),
                (#"{"db_name":"orders","default_ttl":"2m","max_ttl":"1m"}"#, "default_ttl"),
                (#"{"db_name":"orders","group_role":"nobody_there"}"#, "a trial lease"),
            ] {
                let reply = try await post(api, "database/roles/writer2", body)
                #expect(reply.status == 400, "\(body): \(reply.body)")
                #expect(errors(reply)?.first?.hasPrefix(field) == true, "\(body): \(reply.body)")
            }
        }
    }

    @Test func aLeaseGoesThroughItsLife() async throws {
        try await APIFixture.with { api in
            _ = try await prepare(api)
            let given = try await get(api, "database/creds/reader")
            #expect(given.status == 200, "\(given.body)")
            let id = try #require(given.body["lease_id"]?.text)
            #expect(id.hasPrefix("database/creds/reader/") && id.utf8.count == 48)
            #expect(given.body["renewable"]?.bool == true)
            #expect((200...300).contains(given.body["lease_duration"]?.integer ?? 0))
            #expect(given.body["data"]?["username"]?.text?.hasPrefix("tp_") == true)
            #expect(given.body["data"]?["password"]?.text?.utf8.count == 43)
            let body = #"{"lease_id":"\#(id)"}"#
            let found = try await post(api, "sys/leases/lookup", body)
            #expect(found.status == 200)
            #expect(found.body["data"]?["id"]?.text == id)
            #expect(found.body["data"]?["last_renewal"]?.isNull == true)
            #expect((found.body["data"]?["ttl"]?.integer ?? 0) > 200)
            #expect(try await list(api, "sys/leases/lookup") == ["database/"])
            #expect(try await list(api, "sys/leases/lookup/database") == ["creds/"])
            #expect(try await list(api, "sys/leases/lookup/database/creds/") == ["reader/"])
            let key = String(id.dropFirst("database/creds/reader/".utf8.count))
            #expect(try await list(api, "sys/leases/lookup/database/creds/reader") == [key])
            #expect(try await list(api, "sys/leases/lookup/auth") == nil)
            for path in [
                "sys/leases/renew", "sys/renew", "sys/leases/renew/\(id)", "sys/renew/\(id)",
            ] {
                let renewed = try await post(
                    api,
                    path,
                    #"{"lease_id":"\#(id)","increment":30}"#
                )
                #expect(renewed.status == 200, "\(renewed.body)")
                #expect(renewed.body["lease_id"]?.text == id)
                #expect(renewed.body["lease_duration"]?.integer == 30)
            }
            let longest = try await post(
                api,
                "sys/leases/renew",
                #"{"lease_id":"\#(id)","increment":"10h"}"#
            )
            #expect(longest.body["warnings"]?.items?.count == 1)
            let ended = try await post(
                api,
                "sys/leases/revoke",
                #"{"lease_id":"\#(id)","sync":true}"#
            )
            #expect(ended.status == 204)
            // Ending it again changes nothing.
            #expect(try await post(api, "sys/revoke/\(id)", #"{"sync":true}"#).status == 204)
            #expect(try await post(api, "sys/leases/revoke", body).status == 202)
            let gone = try await post(api, "sys/leases/lookup", body)
            #expect(gone.status == 400)
            #expect(errors(gone) == ["invalid lease"])
            let late = try await post(api, "sys/leases/renew", body)
            #expect(late.status == 400)
            #expect(errors(late) == ["lease not found"])
            #expect(try await list(api, "sys/leases/lookup/database/creds/reader") == nil)
        }
    }

    @Test func namesOfNoLeaseAreRefused() async throws {
        try await APIFixture.with { api in
            let unknown = "database/creds/reader/agequxnmsz3uxpgowmbatguak4"
            for text in [unknown, "auth/token/create/x", "x"] {
                let body = #"{"lease_id":"\#(text)"}"#
                let found = try await post(api, "sys/leases/lookup", body)
                #expect(found.status == 400)
                #expect(errors(found) == ["invalid lease"])
                let renewed = try await post(api, "sys/leases/renew", body)
                #expect(renewed.status == 400)
                #expect(errors(renewed) == ["lease not found"])
                #expect(try await post(api, "sys/leases/revoke", body).status == 400)
            }
            for path in ["lookup", "renew", "revoke"] {
                let reply = try await post(api, "sys/leases/\(path)")
                #expect(reply.status == 400)
                #expect(errors(reply)?.first?.hasPrefix("lease_id") == true)
            }
            let role = try await get(api, "database/creds/nothing")
            #expect(role.status == 400)
            #expect(errors(role) == ["unknown role: nothing"])
            let prefix = try await post(api, "sys/leases/revoke-prefix/auth/token")
            #expect(prefix.status == 400)
            #expect(try await get(api, "sys/leases/count").status == 400)
            let count = try await get(api, "sys/leases/count?type=irrevocable")
            #expect(count.body["data"]?["lease_count"]?.integer == 0)
            let stuck = try await get(api, "sys/leases?type=irrevocable&limit=none")
            #expect(stuck.body["data"]?["leases"]?.items?.isEmpty == true)
            #expect(try await get(api, "sys/leases?type=irrevocable&limit=0").status == 400)
            let tidy = try await post(api, "sys/leases/tidy")
            #expect(tidy.status == 202)
            #expect(tidy.body["warnings"]?.items?.count == 1)
        }
    }

    @Test func manyLeasesEndByTheirPrefix() async throws {
        try await APIFixture.with { api in
            _ = try await prepare(api)
            for _ in 0..<3 { _ = try await get(api, "database/creds/reader") }
            let other = try await post(
                api,
                "sys/leases/revoke-prefix/database/creds/read",
                #"{"sync":true}"#
            )
            #expect(other.status == 204)
            #expect(try await list(api, "sys/leases/lookup/database/creds/reader")?.count == 3)
            let accepted = try await post(
                api,
                "sys/revoke-prefix/database/creds/reader",
                #"{"prefix":"database/creds/reader"}"#
            )
            #expect(accepted.status == 202)
            #expect(try await post(api, "sys/leases/revoke-force/database").status == 204)
            #expect(try await list(api, "sys/leases/lookup/database/creds/reader") == nil)
        }
    }

    /// What Vault's policy `default` gives everybody for the leases they know, here it is for those of
    /// the very token.
    @Test func aHolderKeepsItsOwnLeasesAndNobodyElses() async throws {
        try await APIFixture.with { api in
            _ = try await prepare(api)
            for (name, path) in [
                ("holder", "database/creds/reader\":[\"read\"]"),
                ("keeper", "sys/leases/renew\":[\"update\"]"),
            ] {
                _ = try await api.send(
                    .put,
                    "/v1/policies/\(name)",
                    token: api.admin,
                    body: #"{"paths":{"\#(path)}}"#
                )
            }
            let holder = try await api.token(policies: ["holder"])
            let other = try await api.token(policies: ["holder"])
            let keeper = try await api.token(policies: ["keeper"])
            let given = try await get(api, "database/creds/reader", token: holder)
            let id = try #require(given.body["lease_id"]?.text)
            let body = #"{"lease_id":"\#(id)","sync":true}"#
            let unknown = #"{"lease_id":"database/creds/reader/agequxnmsz3uxpgowmbatguak4"}"#
            for path in ["sys/leases/lookup", "sys/leases/renew", "sys/leases/revoke"] {
                // Theirs and what does not exist look the same to whoever may not.
                for foreign in [body, unknown] {
                    let reply = try await post(api, path, foreign, token: other)
                    #expect(reply.status == 403, "\(path)")
                    #expect(errors(reply) == ["permission denied"])
                }
                if path != "sys/leases/renew" {
                    #expect(try await post(api, path, body, token: keeper).status == 403)
                }
            }
            #expect(try await post(api, "sys/leases/renew", body, token: keeper).status == 200)
            #expect(try await post(api, "sys/leases/lookup", body, token: holder).status == 200)
            #expect(try await post(api, "sys/leases/renew", body, token: holder).status == 200)
            #expect(try await post(api, "sys/leases/revoke", body, token: holder).status == 204)
            let prefix = try await post(
                api,
                "sys/leases/revoke-prefix/database/creds/reader",
                token: holder
            )
            #expect(prefix.status == 403)
        }
    }

    @Test func whoIsDeniedIsDeniedTheirOwn() async throws {
        try await APIFixture.with { api in
            _ = try await prepare(api)
            let policy = #"""
                {"paths":{"database/creds/reader":["read"],"sys/leases/renew":["deny"]}}
                """#
            _ = try await api.send(
                .put,
                "/v1/policies/once",
                token: api.admin,
                body: policy
            )
            let token = try await api.token(policies: ["once"])
            let given = try await get(api, "database/creds/reader", token: token)
            let id = try #require(given.body["lease_id"]?.text)
            let body = #"{"lease_id":"\#(id)"}"#
            #expect(try await post(api, "sys/leases/renew", body, token: token).status == 403)
            #expect(try await post(api, "sys/leases/lookup", body, token: token).status == 200)
        }
    }

    @Test func whatATokenLeasedEndsWithItsLastUse() async throws {
        try await APIFixture.with { api in
            _ = try await prepare(api)
            let made = try await post(
                api,
                "auth/token/create",
                #"{"policies":["admin"],"num_uses":2}"#
            )
            let token = try #require(made.body["auth"]?["client_token"]?.text)
            let given = try await get(api, "database/creds/reader", token: token)
            let id = try #require(given.body["lease_id"]?.text)
            // The last use leases nothing, since it would end at once.
            let last = try await get(api, "database/creds/reader", token: token)
            #expect(last.status == 400, "\(last.body)")
            let connection = try await api.database.connect()
            let states: String = try await connection.query(
                "SELECT string_agg(state, ',') FROM turnpike.leases"
            ).single().decode(at: 0)
            #expect(states != "active", "\(id)")
            await connection.close()
        }
    }
}
