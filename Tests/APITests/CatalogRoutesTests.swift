import API
import Control
import HTTP
import Support
import Testing
import Wire

/// The catalog, apply and explain, from the request to the row.
@Suite struct CatalogRoutesTests {
    private static let shop = #"""
        {"resources":[{"kind":"service","name":"web","protocol":"http"},
        {"kind":"service","name":"orders",
        "intentions":[{"source":"web","action":"allow"}]}]}
        """#

    @Test func aServiceGoesThroughItsLife() async throws {
        try await APIFixture.with { api in
            let path = "/v1/services/default/web"
            let created = try await api.send(.put, path, token: api.admin, body: "{}")
            #expect(created.status == 201)
            #expect(created.body["leaf_ttl"]?.text == "1h")
            // The founding of the cluster is revision 1.
            #expect(created.fields.first(.etag) == "\"2\"")
            let same = try await api.send(.put, path, token: api.admin, body: "{}")
            #expect(same.status == 200)
            #expect(same.body == created.body)
            let stale = try await api.send(
                .put,
                path,
                token: api.admin,
                body: #"{"protocol":"http"}"#,
                [("if-match", "\"9\"")]
            )
            #expect(stale.status == 412)
            let other = try await api.send(.put, path, token: api.admin, body: #"{"name":"x"}"#)
            #expect(other.code == "request.path")
            let unknown = try await api.send(.put, path, token: api.admin, body: #"{"ttl":1}"#)
            #expect(unknown.status == 400)
            let list = try await api.send(
                .get,
                "/v1/services?namespace=default",
                token: api.admin
            )
            #expect(list.body["items"]?.items == [created.body])
            let deleted = try await api.send(.delete, path, token: api.admin)
            #expect(deleted.body["revision"] == 3)
            let gone = try await api.send(.get, path, token: api.admin)
            #expect(gone.code == "service.not_found")
        }
    }

    @Test func anIntentionIsCreatedOnceAndOwnedByItsDestination() async throws {
        try await APIFixture.with { api in
            _ = try await api.send(
                .put,
                "/v1/policies/team",
                token: api.admin,
                body: #"{"paths":{"intentions/default/orders/*":["create","read","update"]}}"#
            )
            let team = try await api.token(policies: ["team"])
            let body = #"{"source":"web","destination":"orders","action":"allow"}"#
            let first = try await api.send(.post, "/v1/intentions", token: team, body: body)
            #expect(first.status == 201)
            #expect(first.body["precedence"] == 9)
            let second = try await api.send(.post, "/v1/intentions", token: team, body: body)
            #expect(second.status == 409)
            #expect(second.code == "intention.duplicate")
            let foreign = try await api.send(
                .post,
                "/v1/intentions",
                token: team,
                body: #"{"source":"*","destination":"*","action":"allow"}"#
            )
            #expect(foreign.status == 403)
            let wildcard = try await api.send(
                .put,
                "/v1/intentions/*/*/default/web",
                token: api.admin,
                body: #"{"action":"deny"}"#
            )
            #expect(wildcard.status == 201)
            #expect(wildcard.body["precedence"] == 3)
            let list = try await api.send(.get, "/v1/intentions", token: team)
            #expect(list.body["items"]?.items == [first.body])
            let refused = try await api.send(
                .delete,
                "/v1/intentions/default/orders/default/web",
                token: team
            )
            #expect(refused.status == 403)
        }
    }

    /// Who has no right on one service must not get round that by speaking of all.
    @Test func aWildcardNeedsTheRightOnAllThatItSpeaksFor() async throws {
        try await APIFixture.with { api in
            _ = try await api.send(
                .put,
                "/v1/policies/most",
                token: api.admin,
                body: #"{"paths":{"intentions/default/*":["create","read","update","delete"],"#
                    + #""intentions/default/payments/*":["deny"]}}"#
            )
            let most = try await api.token(policies: ["most"])
            let rule = #""source":"web","destination":"default/*","action":"allow"}"#
            let around = #"{"kind":"intention",\#(rule)"#
            for (method, path, body) in [
                (HTTP.Method.put, "/v1/intentions/default/*/default/web", #"{"action":"allow"}"#),
                (.post, "/v1/intentions", "{\(rule)"),
                (.post, "/v1/apply", #"{"resources":[\#(around)]}"#),
            ] {
                let reply = try await api.send(method, path, token: most, body: body)
                #expect(reply.status == 403, "\(path)")
                #expect(reply.code == "intention.beyond_own_rights")
            }
            let own = try await api.send(
                .put,
                "/v1/intentions/default/orders/*/*",
                token: most,
                body: #"{"action":"deny"}"#
            )
            #expect(own.status == 201)
            _ = try await api.send(
                .put,
                "/v1/intentions/default/*/default/web",
                token: api.admin,
                body: #"{"action":"deny"}"#
            )
            let deleted = try await api.send(
                .delete,
                "/v1/intentions/default/*/default/web",
                token: most
            )
            #expect(deleted.status == 403)
            let reader = try await api.token(policies: ["read-only"])
            let dry = try await api.send(
                .post,
                "/v1/apply?dry_run=true",
                token: reader,
                body: #"{"resources":[\#(around)]}"#
            )
            #expect(dry.status == 200)
        }
    }

    @Test func aListIsAppliedComparedAndExported() async throws {
        try await APIFixture.with { api in
            let plan = try await api.send(
                .post,
                "/v1/apply?dry_run=true",
                token: api.admin,
                body: Self.shop
            )
            #expect(plan.status == 200)
            #expect(plan.body["revision"]?.isNull == true)
            let applied = try await api.send(
                .post,
                "/v1/apply",
                token: api.admin,
                body: Self.shop
            )
            #expect(applied.body["revision"] == 2)
            #expect(
                applied.body["results"]?.items?.compactMap { $0["path"]?.text } == [
                    "services/default/web", "services/default/orders",
                    "intentions/default/orders/default/web",
                ]
            )
            let exported = try await api.send(.get, "/v1/export", token: api.admin)
            #expect(exported.body["resources"]?.items?.count == 4)
            let malformed = try await api.send(
                .post,
                "/v1/apply",
                token: api.admin,
                body: #"{"resources":[{"kind":"service"},{"kind":"nothing"}]}"#
            )
            #expect(malformed.status == 400)
            #expect(malformed.body["errors"]?.items?.count == 2)
        }
    }

    @Test func applyAsksForEveryObject() async throws {
        try await APIFixture.with { api in
            _ = try await api.send(
                .put,
                "/v1/policies/team",
                token: api.admin,
                body: #"{"paths":{"services/*":["update"],"explain/default/web":["read"]}}"#
            )
            let team = try await api.token(policies: ["team"])
            let denied = try await api.send(.post, "/v1/apply", token: team, body: Self.shop)
            #expect(denied.status == 403)
            let nothing = try await api.send(.get, "/v1/export", token: api.admin)
            #expect(nothing.body["revision"] == 1)
            let explained = try await api.send(
                .get,
                "/v1/explain?source=web&destination=web",
                token: team
            )
            #expect(explained.body["reason"]?.text == "default_deny")
            let foreign = try await api.send(
                .get,
                "/v1/explain?source=web&destination=orders",
                token: team
            )
            #expect(foreign.status == 403)
            // Whether a decision exists is nobody's business who may not read it.
            let id = api.control.makeID()
            let unknown = try await api.send(.get, "/v1/explain?id=\(id)", token: team)
            #expect(unknown.status == 403)
            let absent = try await api.send(.get, "/v1/explain?id=\(id)", token: api.admin)
            #expect(absent.status == 404)
        }
    }
}
