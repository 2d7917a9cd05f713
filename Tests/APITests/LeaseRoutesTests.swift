import API
import HTTP
import Support
import Testing
import Wire

/// Targets, profiles and leases as a client meets them.
@Suite struct LeaseRoutesTests {
    private func prepare(_ api: APIFixture) async throws -> String {
        let group = "group_\(api.database.name)"
        try await api.database.cluster.administer("CREATE ROLE \(group) NOLOGIN")
        try await api.database.cluster.administer(
            "GRANT CONNECT ON DATABASE \(api.database.name) TO \(group)"
        )
        let target = try await api.send(
            .put,
            "/v1/targets/orders",
            token: api.admin,
            body: """
                {"host":"\(api.database.cluster.socketDirectory)","database":"\(api.database.name)",
                "username":"postgres","password":"not for anybody"}
                """
        )
        #expect(target.status == 201, "\(target.body)")
        #expect(target.body["password"] == nil)
        let profile = try await api.send(
            .put,
            "/v1/profiles/reader",
            token: api.admin,
            body: #"{"target":"orders","group_role":"\#(group)","max_ttl":"10m"}"#
        )
        #expect(profile.status == 201, "\(profile.body)")
        return group
    }

    @Test func credentialIsGivenRenewedAndTakenBack() async throws {
        try await APIFixture.with { api in
            _ = try await prepare(api)
            let issued = try await api.send(
                .post,
                "/v1/leases",
                token: api.admin,
                body: #"{"profile":"reader","ttl":"1h"}"#
            )
            #expect(issued.status == 201, "\(issued.body)")
            let id = try #require(issued.body["lease_id"]?.text)
            #expect(id.hasPrefix("database/creds/reader/"))
            #expect(issued.body["username"]?.text?.hasPrefix("tp_") == true)
            #expect(issued.body["password"]?.text?.utf8.count == 43)
            #expect(issued.body["warnings"]?.items?.count == 1)
            let path = "/v1/leases/\(id)"
            let read = try await api.send(.get, path, token: api.admin)
            #expect(read.body["state"]?.text == "active")
            #expect(read.body["password"] == nil)
            let renewed = try await api.send(
                .post,
                path + "/renew",
                token: api.admin,
                body: #"{"increment":"30s"}"#
            )
            #expect(renewed.status == 200, "\(renewed.body)")
            #expect(renewed.body["lease_duration"]?.integer == 30)
            let ended = try await api.send(.delete, path + "?sync=true", token: api.admin)
            #expect(ended.status == 200)
            #expect(ended.body["access_ended_at"]?.text != nil)
            let late = try await api.send(.post, path + "/renew", token: api.admin, body: "{}")
            #expect(late.status == 409)
            #expect(late.code == "lease.ending")
            let list = try await api.send(.get, "/v1/leases?all=true", token: api.admin)
            #expect(list.body["items"]?.items?.count == 1)
        }
    }

    @Test func verifierTakesThePlaceOfAPassword() async throws {
        try await APIFixture.with { api in
            _ = try await prepare(api)
            let salt = Base64.encode([UInt8](repeating: 1, count: 16))
            let key = Base64.encode([UInt8](repeating: 2, count: 32))
            let verifier = "SCRAM-SHA-256$4096:\(salt)$\(key):\(key)"
            let issued = try await api.send(
                .post,
                "/v1/leases",
                token: api.admin,
                body: #"{"profile":"reader","verifier":"\#(verifier)"}"#
            )
            #expect(issued.status == 201, "\(issued.body)")
            #expect(issued.body["username"]?.text?.hasPrefix("tp_") == true)
            #expect(issued.body["password"] == nil)
            let refused = try await api.send(
                .post,
                "/v1/leases",
                token: api.admin,
                body: #"{"profile":"reader","verifier":"a password in clear"}"#
            )
            #expect(refused.status == 400 || refused.status == 422, "\(refused.status)")
            #expect("\(refused.body)".contains("verifier"))
            #expect(!"\(refused.body)".contains("a password in clear"))
        }
    }

    @Test func rightOnTheProfileDecides() async throws {
        try await APIFixture.with { api in
            _ = try await prepare(api)
            let policy = try await api.send(
                .put,
                "/v1/policies/reader",
                token: api.admin,
                body: #"{"paths":{"database/creds/reader":["read"]}}"#
            )
            #expect(policy.status == 201)
            let holder = try await api.token(policies: ["reader"])
            let issued = try await api.send(
                .post,
                "/v1/leases",
                token: holder,
                body: #"{"profile":"reader"}"#
            )
            #expect(issued.status == 201, "\(issued.body)")
            for (method, path, body) in [
                (HTTP.Method.post, "/v1/leases", #"{"profile":"other"}"#),
                (.get, "/v1/targets/orders", ""), (.get, "/v1/profiles/reader", ""),
                (.get, "/v1/leases", ""),
                (.delete, "/v1/leases/\(issued.body["lease_id"]?.text ?? "")", ""),
            ] {
                let answer = try await api.send(method, path, token: holder, body: body)
                #expect(answer.status == 403, "\(path)")
            }
        }
    }

    @Test func wrongFieldsAreNamed() async throws {
        try await APIFixture.with { api in
            for (method, path, body, field) in [
                (HTTP.Method.put, "/v1/targets/orders", #"{"host":"db.example.com"}"#, "database"),
                (.put, "/v1/profiles/reader", #"{"target":"orders"}"#, "group_role"),
                (.post, "/v1/leases", #"{"profile":"reader","ttl":"0s"}"#, "ttl"),
                (.post, "/v1/leases", #"{"profile":"a/b"}"#, "profile"),
            ] {
                let answer = try await api.send(method, path, token: api.admin, body: body)
                #expect(answer.status == 400, "\(path): \(answer.body)")
                #expect("\(answer.body)".contains(field), "\(path): \(answer.body)")
            }
            let absent = try await api.send(
                .post,
                "/v1/leases",
                token: api.admin,
                body: #"{"profile":"reader"}"#
            )
            #expect(absent.status == 404)
        }
    }
}
