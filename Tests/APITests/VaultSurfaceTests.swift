@testable import API
import Control
import HTTP
import Support
import Testing
import Wire

/// Vault's manners: envelope, statuses, tolerance, and nothing without a right.
@Suite struct VaultSurfaceTests {
    private static let envelope: Set<String> = [
        "request_id", "lease_id", "renewable", "lease_duration", "data", "wrap_info", "warnings",
        "auth", "mount_type",
    ]

    /// A target of a template with every capture filled in.
    private func target(_ route: Route) -> String {
        var target = ""
        for part in route.template.split(separator: "/") {
            target += "/" + (part.first == "{" ? "x" : part)
        }
        return target
    }

    private func errors(_ reply: APIFixture.Reply) -> [String]? {
        reply.body["errors"]?.items?.compactMap(\.text)
    }

    @Test func aTargetHasOneSpelling() throws {
        let plain = try #require(VaultTarget(.get, path: "/v1/sys/health", query: nil))
        for path in ["/v1//sys/health", "/v1/sys/health/", "//v1/sys///health//"] {
            #expect(VaultTarget(.get, path: path, query: "a=b") == plain)
        }
        let list = VaultTarget(.list, path: "/v1/secret/metadata", query: nil)
        #expect(VaultTarget(.get, path: "/v1/secret/metadata/", query: "list=true") == list)
        #expect(VaultTarget(.get, path: "/v1/secret/metadata/", query: "list=false") != list)
        #expect(VaultTarget(.put, path: "/v1/sys/policy/x", query: nil)?.method == .post)
        for path in ["/v1/services", "/v1", "/", "/v1/sysx/health", "/v2/sys/health", "/v1/SYS/x"] {
            #expect(VaultTarget(.get, path: path, query: nil) == nil)
        }
    }

    @Test func everyRouteRefusesStrangersAsVaultDoes() async throws {
        try await APIFixture.with { api in
            let open = api.service.table.routes.filter { route in
                if route.surface == .vault, case .open = route.access { true } else { false }
            }
            #expect(
                Set(open.map(\.name)) == [
                    "vaultHealth", "vaultSealStatus", "vaultUnseal", "vaultInitialization",
                    "vaultInitialize", "vaultLeader", "vaultAbsentAuthPost", "vaultLogin",
                    "vaultLoginByPassword", "vaultLoginNonce", "vaultUnwrap", "vaultLookupWrapping",
                    "vaultRewrap",
                ],
                "what needs no token is decided here, on purpose"
            )
            _ = try await api.send(
                .put,
                "/v1/policies/nothing",
                token: api.admin,
                body: #"{"paths":{"nothing":["read"]}}"#
            )
            let nobody = try await api.token(policies: ["nothing"])
            let unknown = "tp." + String(repeating: "A", count: 43)
            var walked = 0
            for route in api.service.table.routes where route.surface == .vault {
                if case .open = route.access { continue }
                walked += 1
                for token in [nil, "garbage", unknown] {
                    let reply = try await api.send(route.method, target(route), token: token)
                    #expect(reply.status == 403, "\(route.name)")
                    #expect(errors(reply) == ["permission denied"], "\(route.name)")
                    #expect(reply.fields.first(.contentType) == "application/json")
                    #expect(reply.fields.first(.cacheControl) == "no-store")
                }
                if case .authenticated = route.access { continue }
                let reply = try await api.send(route.method, target(route), token: nobody)
                #expect(reply.status == 403, "\(route.name)")
                #expect(errors(reply) == ["permission denied"], "\(route.name)")
                #expect(reply.body["request_id"]?.text == "r-1")
            }
            #expect(walked >= 30)
        }
    }

    @Test func aDeniedRequestIsExplainedByItsID() async throws {
        try await APIFixture.with { api in
            let id = "01890a5d-ac96-774b-bcce-b302099a8057"
            let token = try await api.token(policies: ["read-only"])
            let denied = try await api.send(
                .put,
                "/v1/sys/policies/acl/team/",
                token: token,
                requestID: id
            )
            #expect(denied.status == 403)
            let why = try await api.send(.get, "/v1/explain?id=\(id)", token: token)
            #expect(why.body["path"]?.text == "sys/policies/acl/team")
            #expect(why.body["capability"]?.text == "update")
        }
    }

    @Test func unknownPathsAndMethods() async throws {
        try await APIFixture.with { api in
            let absent = try await api.send(.get, "/v1/sys/nonsense", token: api.admin)
            #expect(absent.status == 404)
            #expect(errors(absent) == [])
            let method = try await api.send(.patch, "/v1/sys/health", token: nil)
            #expect(method.status == 405)
            #expect(errors(method) == ["unsupported operation"])
            #expect(method.fields.first(.allow) == "GET, HEAD")
            let head = try await api.send(.head, "/v1/database/creds/reports", token: api.admin)
            #expect(head.status == 405)
            #expect(head.fields.first(.allow) == "GET")
            let later = try await api.send(.put, "/v1/sys/rotate", token: api.admin)
            #expect(later.status == 501)
            #expect(errors(later)?.count == 1)
            let login = try await api.send(.post, "/v1/auth/oidc/login", token: nil)
            #expect(login.status == 501)
            let other = try await api.send(.post, "/v1/auth/nothing/login", token: nil)
            #expect(other.status == 404)
            let dots = try await api.send(.get, "/v1/sys/../sys/policy", token: api.admin)
            #expect(dots.status == 400)
        }
    }

    @Test func whatAClientAsksByHeader() async throws {
        try await APIFixture.with { api in
            func read(_ fields: [(String, String)]) async throws -> APIFixture.Reply {
                try await api.send(.get, "/v1/sys/policy", token: nil, fields)
            }
            let token = ("x-vault-token", api.admin)
            #expect(try await read([token, ("x-vault-request", "true")]).status == 200)
            #expect(try await read([token, ("x-vault-namespace", "root")]).status == 200)
            let other = try await read([token, ("x-vault-namespace", "team/")])
            #expect(other.status == 400)
            // What was to be wrapped is not shown.
            for lifetime in ["nonsense", "-1", "99999h"] {
                let wrapped = try await read([token, ("x-vault-wrap-ttl", lifetime)])
                #expect(wrapped.status == 400)
                #expect(wrapped.body["data"] == nil)
            }
            let jwt = try await read([
                token, ("x-vault-wrap-ttl", "60"), ("x-vault-wrap-format", "jwt"),
            ])
            #expect(jwt.status == 400)
            let two = try await read([token, ("authorization", "Bearer tp.other")])
            #expect(two.status == 400)
        }
    }

    @Test func healthAnswersAsItIsTold() async throws {
        try await APIFixture.with { api in
            let health = try await api.send(.get, "/v1/sys/health?standbyok=True&x=y", token: nil)
            #expect(health.status == 200)
            #expect(health.body["initialized"]?.bool == true)
            #expect(health.body["sealed"]?.bool == false)
            #expect(health.body["cluster_name"]?.text == "example.org")
            #expect(health.body["request_id"] == nil)
            let head = try await api.send(.head, "/v1/sys/health?activecode=204", token: nil)
            #expect(head.status == 204)
            #expect(head.fields.first(.contentType) == nil)
            let bad = try await api.send(.get, "/v1/sys/health?activecode=9", token: nil)
            #expect(bad.status == 400)
            let seal = try await api.send(.get, "/v1/sys/seal-status", token: nil)
            #expect(seal.body["storage_type"]?.text == "postgresql")
            let again = try await api.send(.put, "/v1/sys/init", token: api.admin, body: "{}")
            #expect(again.status == 400)
            let initialised = try await api.send(.get, "/v1/sys/init", token: nil)
            #expect(initialised.body["initialized"]?.bool == true)
            let leader = try await api.send(.get, "/v1/sys/leader", token: nil)
            #expect(leader.body["is_self"]?.bool == true)
        }
    }

    @Test func anUnreadyServerIsNotHealthy() async throws {
        try await APIFixture.with { api in
            var services = APIServices(api.control)
            services.readiness = [APIServices.ReadinessCheck("x") { "broken" }]
            let broken = APIFixture(
                database: api.database,
                control: api.control,
                service: APIService(
                    RouteTable(SystemRoutes.routes(api.control, services)),
                    services: services
                ),
                admin: api.admin
            )
            for (query, status) in [("", 503), ("?sealedcode=299", 299), ("?activecode=299", 503)] {
                let reply = try await broken.send(.get, "/v1/sys/health\(query)", token: nil)
                #expect(reply.status == status)
            }
        }
    }

    @Test func theEnvelopeHasAllItsKeys() async throws {
        try await APIFixture.with { api in
            let list = try await api.send(.list, "/v1/sys/policies/acl/", token: api.admin)
            #expect(Set(list.body.entries?.map(\.key) ?? []) == Self.envelope)
            #expect(list.body["lease_id"]?.text == "")
            #expect(list.body["warnings"]?.isNull == true)
            #expect(
                list.body["data"]?["keys"]?.items?.compactMap(\.text) == ["admin", "read-only"]
            )
            let same = try await api.send(
                .get,
                "/v1//sys/policies/acl?list=true",
                token: api.admin
            )
            #expect(same.body["data"] == list.body["data"])
        }
    }

    @Test func aPolicyGoesThroughItsLife() async throws {
        try await APIFixture.with { api in
            let text = #"path \"secret/data/*\" { capabilities = [\"read\"] }"#
            let made = try await api.send(
                .put,
                "/v1/sys/policies/acl/Team",
                token: api.admin,
                body: #"{"policy":"\#(text)","unknown":1,"other":null}"#
            )
            #expect(made.status == 204)
            let native = try await api.send(.get, "/v1/policies/team", token: api.admin)
            #expect(native.body["paths"]?["secret/data/*"]?[0]?.text == "read")
            let read = try await api.send(.get, "/v1/sys/policies/acl/team", token: api.admin)
            let hcl = "path \"secret/data/*\" {\n  capabilities = [\"read\"]\n}\n"
            #expect(read.body["data"]?["policy"]?.text == hcl)
            #expect(read.body["policy"]?.text == hcl)
            let legacy = try await api.send(.get, "/v1/sys/policy/team", token: api.admin)
            #expect(legacy.body["rules"]?.text == hcl)
            let json = #"{\"path\":{\"x/*\":{\"capabilities\":[\"list\"]}}}"#
            let again = try await api.send(
                .post,
                "/v1/sys/policy/team",
                token: api.admin,
                body: #"{"policy":"\#(json)"}"#
            )
            #expect(again.status == 204)
            for body in ["", "null", "{}", #"{"policy":"path"}"#, #"{"policy":1}"#, "[]", "x"] {
                let bad = try await api.send(
                    .put,
                    "/v1/sys/policies/acl/team",
                    token: api.admin,
                    body: body
                )
                #expect(bad.status == 400, "\(body)")
                #expect(errors(bad)?.isEmpty == false)
            }
            let builtIn = try await api.send(
                .put,
                "/v1/sys/policies/acl/admin",
                token: api.admin,
                body: #"{"policy":"\#(text)"}"#
            )
            #expect(builtIn.status == 400)
            for _ in 0..<2 {
                let gone = try await api.send(
                    .delete,
                    "/v1/sys/policies/acl/team",
                    token: api.admin
                )
                #expect(gone.status == 204)
            }
            let absent = try await api.send(.get, "/v1/sys/policies/acl/team", token: api.admin)
            #expect(absent.status == 404)
            #expect(errors(absent) == [])
        }
    }

    @Test func nobodyWritesAPolicyBeyondOwnRights() async throws {
        try await APIFixture.with { api in
            for (name, extra) in [("writer", ""), ("ruler", #","sudo""#)] {
                _ = try await api.send(
                    .put,
                    "/v1/policies/\(name)",
                    token: api.admin,
                    body: #"{"paths":{"sys/policies/acl/*":["update"\#(extra)]}}"#
                )
                let token = try await api.token(policies: [name])
                let reply = try await api.send(
                    .put,
                    "/v1/sys/policies/acl/more",
                    token: token,
                    body: #"{"policy":"path \"*\" { capabilities = [\"sudo\"] }"}"#
                )
                #expect(reply.status == (name == "ruler" ? 204 : 403))
                if name == "writer" { #expect(errors(reply)?.first == "permission denied") }
            }
        }
    }

    @Test func capabilitiesOfATokenAreKnownBeforehand() async throws {
        try await APIFixture.with { api in
            let token = try await api.token(policies: ["read-only"])
            let own = try await api.send(
                .post,
                "/v1/sys/capabilities-self",
                token: token,
                body: #"{"paths":["secret/metadata/x","/y"]}"#
            )
            #expect(own.status == 200)
            for place in [own.body, own.body["data"] ?? .null] {
                #expect(place["secret/metadata/x"]?.items?.compactMap(\.text) == ["list", "read"])
                #expect(place["capabilities"]?.items?.count == 2)
                #expect(place["/y"]?.items?.count == 2)
            }
            let other = try await api.send(
                .post,
                "/v1/sys/capabilities",
                token: api.admin,
                body: #"{"path":"a","token":"\#(token)"}"#
            )
            #expect(other.body["data"]?["a"]?.items?.compactMap(\.text) == ["list", "read"])
            let accessor = try #require(
                try await api.send(.get, "/v1/tokens/self", token: token).body["accessor"]?.text
            )
            let behind = try await api.send(
                .post,
                "/v1/sys/capabilities-accessor",
                token: api.admin,
                body: #"{"path":"a","accessor":"\#(accessor)"}"#
            )
            #expect(behind.body["data"] == other.body["data"])
            _ = try await api.send(.delete, "/v1/tokens/\(accessor)", token: api.admin)
            for body in [
                #"{"path":"a","token":"\#(token)"}"#, #"{"path":"a","token":"tp.x"}"#,
            ] {
                let dead = try await api.send(
                    .post,
                    "/v1/sys/capabilities",
                    token: api.admin,
                    body: body
                )
                #expect(dead.status == 403)
            }
            let none = try await api.send(.post, "/v1/sys/capabilities-self", token: api.admin)
            #expect(none.status == 400)
        }
    }

    @Test func aMountIsSeenByWhoeverMayDoAnythingBelow() async throws {
        try await APIFixture.with { api in
            _ = try await api.send(
                .put,
                "/v1/policies/few",
                token: api.admin,
                body: #"{"paths":{"sys/leases/renew":["update"],"secret/x":["deny"]}}"#
            )
            let few = try await api.token(policies: ["few"])
            let one = try await api.send(.get, "/v1/sys/internal/ui/mounts/sys", token: few)
            #expect(one.body["data"]?["path"]?.text == "sys/")
            for path in ["nothing", "secret", "se"] {
                let hidden = try await api.send(
                    .get,
                    "/v1/sys/internal/ui/mounts/\(path)",
                    token: few
                )
                #expect(hidden.status == 403)
            }
            let all = try await api.send(.get, "/v1/sys/internal/ui/mounts", token: few)
            #expect(all.body["data"]?["secret"]?.entries?.map(\.key) == ["sys/"])
            #expect(all.body["data"]?["auth"]?.entries?.isEmpty == true)
            let mounts = try await api.send(.get, "/v1/sys/mounts", token: api.admin)
            #expect(mounts.body["sys/"]?["type"]?.text == "system")
            let auth = try await api.send(.get, "/v1/sys/auth", token: api.admin)
            #expect(auth.body["data"]?["token/"]?["type"]?.text == "token")
        }
    }
}
