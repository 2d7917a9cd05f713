import API
import Control
import HTTP
import Support
import Testing
import Wire

/// Policies, tokens, audit and status, from the request to the row.
@Suite struct IdentityRoutesTests {
    @Test func aPolicyGoesThroughItsLife() async throws {
        try await APIFixture.with { api in
            let body = #"{"paths":{"services/default/*":["read","list"]}}"#
            let created = try await api.send(
                .put,
                "/v1/policies/team",
                token: api.admin,
                body: body
            )
            #expect(created.status == 201)
            #expect(created.body["name"]?.text == "team")
            #expect(created.fields.first(.etag) == "\"1\"")
            let stale = try await api.send(
                .put,
                "/v1/policies/team",
                token: api.admin,
                body: #"{"paths":{}}"#,
                [("if-match", "\"7\"")]
            )
            #expect(stale.status == 412)
            let other = try await api.send(
                .put,
                "/v1/policies/team",
                token: api.admin,
                body: #"{"name":"other","paths":{}}"#
            )
            #expect(other.code == "policy.name")
            let list = try await api.send(.get, "/v1/policies?limit=2", token: api.admin)
            #expect(
                list.body["items"]?.items?.compactMap { $0["name"]?.text }
                    == ["admin", "read-only"]
            )
            #expect(list.body["next"]?.text == "read-only")
            let nul = try await api.send(
                .put,
                "/v1/policies/team",
                token: api.admin,
                body: #"{"paths":{"a\u0000":["read"]}}"#
            )
            #expect(nul.status == 400)
            let gone = try await api.send(.delete, "/v1/policies/team", token: api.admin)
            #expect(gone.status == 200)
            let absent = try await api.send(.get, "/v1/policies/team", token: api.admin)
            #expect(absent.status == 404)
            let builtIn = try await api.send(.delete, "/v1/policies/admin", token: api.admin)
            #expect(builtIn.status == 409)
            #expect(builtIn.code == "policy.built_in")
        }
    }

    @Test func aTokenGoesThroughItsLife() async throws {
        try await APIFixture.with { api in
            let body = #"{"display_name":"ci","policies":["read-only"],"ttl":"24h"}"#
            let made = try await api.send(.post, "/v1/tokens", token: api.admin, body: body)
            #expect(made.status == 201)
            let token = try #require(made.body["token"]?.text)
            let accessor = try #require(made.body["accessor"]?.text)
            let own = try await api.send(.get, "/v1/tokens/self", token: token)
            #expect(own.body["accessor"]?.text == accessor)
            #expect(own.body["token"] == nil)
            let one = try await api.send(.get, "/v1/tokens/\(accessor)", token: token)
            #expect(one.body["display_name"]?.text == "ci")
            let denied = try await api.send(.delete, "/v1/tokens/\(accessor)", token: token)
            #expect(denied.status == 403)
            let revoked = try await api.send(
                .delete,
                "/v1/tokens/\(accessor)",
                token: api.admin
            )
            #expect(revoked.body["revoked_at"]?.text != nil)
            let after = try await api.send(.get, "/v1/tokens/self", token: token)
            #expect(after.status == 401)
            #expect(after.code == "token.revoked")
            let list = try await api.send(.get, "/v1/tokens", token: api.admin)
            #expect(list.body["items"]?.items?.count == 2)
            let wrong = try await api.send(.get, "/v1/tokens/nobody", token: api.admin)
            #expect(wrong.status == 400)
        }
    }

    @Test(arguments: [
        #"{"display_name":"ci"}"#, #"{"display_name":"ci","policies":["nothing"]}"#,
        #"{"display_name":"ci","policies":["admin"],"ttl":"1s"}"#,
        #"{"display_name":"ci","policies":["admin"],"extra":1}"#,
        #"{"display_name":7,"policies":["admin"]}"#,
        #"{"display_name":"ci","policies":["a\u0000"]}"#,
    ])
    func aWrongTokenRequestIsRefused(body: String) async throws {
        try await APIFixture.with { api in
            let reply = try await api.send(.post, "/v1/tokens", token: api.admin, body: body)
            #expect(reply.status == 400)
        }
    }

    @Test func theAuditTrailIsReadAndChecked() async throws {
        try await APIFixture.with { api in
            _ = try await api.token(policies: ["read-only"])
            let found = try await api.send(
                .get,
                "/v1/audit?action=token.create&resource=tokens/&limit=1",
                token: api.admin
            )
            #expect(found.body["items"]?.items?.count == 1)
            let record = try #require(found.body["items"]?[0])
            #expect(record["request_id"]?.text == "r-1")
            #expect(record["source_address"]?.text == "192.0.2.1")
            let next = try #require(found.body["next"]?.text)
            let second = try await api.send(
                .get,
                "/v1/audit?action=token.create&after=\(next)",
                token: api.admin
            )
            #expect(second.body["items"]?.items?.count == 1)
            #expect(second.body["items"]?[0] != record)
            let heads = try await api.send(.get, "/v1/audit/heads", token: api.admin)
            #expect(heads.body["items"]?[0]?["writer"]?.text == "server/one")
            let verdict = try await api.send(
                .get,
                "/v1/audit/verification?writer=server/one",
                token: api.admin
            )
            #expect(verdict.body["intact"]?.bool == true)
            let bad = try await api.send(.get, "/v1/audit?after=x", token: api.admin)
            #expect(bad.status == 400)
            let time = try await api.send(.get, "/v1/audit?since=today", token: api.admin)
            #expect(time.status == 400)
        }
    }

    /// A refused caller may ask why with the id of its own request, and nobody else may.
    @Test func aDeniedRequestIsExplainedToItsOwnPrincipal() async throws {
        try await APIFixture.with { api in
            let id = "01890a5d-ac96-774b-bcce-b302099a8057"
            let mine = try await api.token(policies: ["read-only"])
            let denied = try await api.send(
                .put,
                "/v1/services/default/x",
                token: mine,
                body: "{}",
                requestID: id
            )
            #expect(denied.status == 403)
            _ = try await api.send(
                .put,
                "/v1/policies/few",
                token: api.admin,
                body: #"{"paths":{"services/default/*":["read"]}}"#
            )
            let few = try await api.token(policies: ["few"])
            let lacking = try await api.send(
                .put,
                "/v1/services/default/x",
                token: few,
                body: "{}",
                requestID: "01890a5d-ac96-774b-bcce-b302099a8058"
            )
            #expect(lacking.status == 403)
            let target = "/v1/explain?id=01890a5d-ac96-774b-bcce-b302099a805"
            let own = try await api.send(.get, "\(target)8", token: few)
            #expect(own.status == 200)
            #expect(own.body["capability"]?.text == "update")
            #expect(own.body["path"]?.text == "services/default/x")
            let foreign = try await api.send(.get, "\(target)7", token: few)
            #expect(foreign.status == 403)
            // The same answer as for an id that nobody ever saw.
            let unknown = try await api.send(.get, "\(target)0", token: few)
            #expect(unknown.status == 403)
            let reader = try await api.send(.get, "\(target)8", token: api.admin)
            #expect(reader.status == 200)
        }
    }

    @Test func listsOfTokensAndPoliciesHoldWhatMayBeRead() async throws {
        try await APIFixture.with { api in
            _ = try await api.send(
                .put,
                "/v1/policies/lister",
                token: api.admin,
                body: #"{"paths":{"tokens":["list"],"policies":["list"],"#
                    + #""policies/lister":["read"]}}"#
            )
            let lister = try await api.token(policies: ["lister"])
            let tokens = try await api.send(.get, "/v1/tokens", token: lister)
            #expect(tokens.status == 200)
            #expect(tokens.body["items"]?.items?.isEmpty == true)
            let policies = try await api.send(.get, "/v1/policies", token: lister)
            #expect(policies.body["items"]?.items?.compactMap { $0["name"]?.text } == ["lister"])
        }
    }

    @Test func statusAndProbesAnswer() async throws {
        try await APIFixture.with { api in
            let status = try await api.send(.get, "/v1/status", token: api.admin)
            #expect(status.body["trust_domain"]?.text == "example.org")
            #expect(status.body["administrators"]?.integer == 1)
            let ready = try await api.send(.get, "/readyz", token: nil)
            #expect(ready.status == 200)
            let metrics = try await api.send(.get, "/metrics", token: api.admin)
            #expect(metrics.status == 200)
        }
    }

    /// Every route of the table without a token, with garbage and without the right.
    @Test func noRouteAnswersWhoMayNot() async throws {
        try await APIFixture.with { api in
            let reply = try await api.send(
                .put,
                "/v1/policies/nothing",
                token: api.admin,
                body: #"{"paths":{"nowhere":["read"]}}"#
            )
            #expect(reply.status == 201)
            let powerless = try await api.token(policies: ["nothing"])
            // Vault's surface refuses in its own way, and has the same test of its own.
            for route in api.service.table.routes where route.surface == .native {
                let target = filled(route.template)
                switch route.access {
                case .open, .enrolment: continue
                case .authenticated, .resource, .anyOf, .objects: break
                }
                for token in [nil, "garbage", "tp.\(String(repeating: "A", count: 43))"] {
                    let answer = try await api.send(
                        route.method,
                        target,
                        token: token,
                        body: route.request == nil ? "" : "{}"
                    )
                    #expect(answer.status == 401, "\(route.name)")
                }
                guard case .resource = route.access else { continue }
                let query = route.parameters.filter(\.isRequired).map { "\($0.name)=x" }
                let answer = try await api.send(
                    route.method,
                    query.isEmpty ? target : "\(target)?\(query.joined(separator: "&"))",
                    token: powerless,
                    body: route.request == nil ? "" : "{}"
                )
                #expect(answer.status == 403, "\(route.name): \(answer.body)")
            }
        }
    }

    private func filled(_ template: String) -> String {
        template.split(separator: "/", omittingEmptySubsequences: false).map { segment in
            switch segment {
            case "{accessor}": "01890a5d-ac96-774b-bcce-b302099a8057"
            case "{lease}": "agequxnmsz3uxpgowmbatguak4"
            case "{port}": "8080"
            case _ where segment.hasPrefix("{"): "name"
            default: String(segment)
            }
        }.joined(separator: "/")
    }
}
