import Control
import Mesh
import Postgres
import Store
import Support
import Testing
import Wire

/// A control plane with two hosts, ready for a small shop.
struct CatalogFixture: Sendable {
    let base: ControlFixture
    var control: ControlPlane { base.control }
    var admin: Caller { base.admin }

    /// May change everything, but holds no `sudo`.
    var editor: Caller {
        get throws {
            ControlFixture.caller(
                "editor",
                [try AccessPolicy.of("editor", ["*": [.create, .read, .update, .delete, .list]])]
            )
        }
    }

    @discardableResult
    static func with<Value>(
        _ body: (CatalogFixture) async throws -> Value
    ) async throws -> Value {
        try await ControlFixture.with { base in
            try await base.addAgents(["web-1", "db-1", "db-2"])
            return try await body(CatalogFixture(base: base))
        }
    }

    /// Everything that changed since the first start.
    func feed() async throws -> [RecordedChange] {
        try await control.read { database in
            try await RevisionRepository.changes(after: 0, in: database)
        }
    }

    func applyShop() async throws {
        _ = try await control.catalog.apply(Self.shop(), by: admin)
    }

    static func read(_ yaml: String) throws -> Resource {
        try Resource(reading: FieldValue(try YAML.parse(yaml, source: "test").first ?? .null))
    }

    static func rule(_ source: String, _ destination: String, _ verdict: Verdict) throws -> Resource
    {
        .intention(
            Intention(
                id: .unassigned,
                source: try ServicePattern(source),
                destination: try ServicePattern(destination),
                effect: .action(verdict)
            )
        )
    }

    /// Every kind once or more, in the order in which they depend on each other.
    static func shop() throws -> [Resource] {
        let texts = [
            """
            kind: namespace
            name: empty
            description: Nothing in it
            """,
            """
            kind: service
            name: orders
            leaf_ttl: 30m
            meta:
              team: sales
            """,
            """
            kind: service
            name: web
            protocol: http
            """,
            """
            kind: placement
            service: orders
            agent: db-1
            """,
            """
            kind: placement
            service: web
            agent: web-1
            """,
            """
            kind: instance
            service: web
            agent: web-1
            port: 8080
            weight: 3
            """,
            """
            kind: upstream
            agent: web-1
            source: web
            destination: orders
            port: 9001
            uids: [33, 1000]
            """,
            """
            kind: intention
            source: web
            destination: orders
            action: allow
            owner: team-sales
            reason: The shop needs its orders
            not_after: 2100-01-01T00:00:00.1234567Z
            """,
        ]
        return try texts.map(read)
    }
}

/// One resource that must be refused on top of the shop.
struct CatalogRefusal: Sendable, CustomTestStringConvertible {
    let code: String
    /// A part of the text.
    let says: String
    let yaml: String

    var testDescription: String { "\(code): \(says)" }

    static let all: [CatalogRefusal] = [
        CatalogRefusal(
            code: "namespace.unknown",
            says: "there is no namespace nowhere",
            yaml: "kind: service\nname: web\nnamespace: nowhere\n"
        ),
        CatalogRefusal(
            code: "service.leaf_ttl",
            says: "whole seconds",
            yaml: "kind: service\nname: web\nleaf_ttl: 300500ms\n"
        ),
        CatalogRefusal(
            code: "service.nested",
            says: "POST /v1/apply",
            yaml: "kind: service\nname: web\nplacements: [\"db-1\"]\n"
        ),
        CatalogRefusal(
            code: "service.unknown",
            says: "there is no service default/nobody",
            yaml: "kind: placement\nservice: nobody\nagent: db-1\n"
        ),
        CatalogRefusal(
            code: "agent.unknown",
            says: "there is no agent db-9",
            yaml: "kind: placement\nservice: orders\nagent: db-9\n"
        ),
        CatalogRefusal(
            code: "instance.not_placed",
            says: "write placements/default/orders/web-1 first",
            yaml: "kind: instance\nservice: orders\nagent: web-1\nport: 5432\n"
        ),
        CatalogRefusal(
            code: "instance.address_needs_sudo",
            says: "`sudo` on `instances/default/web/web-1/port-80`",
            yaml: "kind: instance\nservice: web\nagent: web-1\naddress: 192.0.2.9\nport: 80\n"
        ),
        CatalogRefusal(
            code: "instance.address",
            says: "names no host",
            yaml: "kind: instance\nservice: web\nagent: web-1\naddress: 0.0.0.0\nport: 80\n"
        ),
        CatalogRefusal(
            code: "instance.port_taken",
            says: "already instance port-8080 of default/web",
            yaml: "kind: instance\nservice: web\nagent: web-1\nname: second\nport: 8080\n"
        ),
        CatalogRefusal(
            code: "instance.port_taken",
            says: "already the upstream of default/web to default/orders",
            yaml: "kind: instance\nservice: web\nagent: web-1\nport: 9001\n"
        ),
        CatalogRefusal(
            code: "upstream.port_taken",
            says: "already instance port-8080",
            yaml: """
                kind: upstream
                agent: web-1
                source: web
                destination: orders
                port: 8080
                """
        ),
        CatalogRefusal(
            code: "upstream.source_not_placed",
            says: "default/web is not placed on db-1",
            yaml: """
                kind: upstream
                agent: db-1
                source: web
                destination: orders
                port: 9002
                """
        ),
        CatalogRefusal(
            code: "service.unknown",
            says: "there is no service default/nobody",
            yaml: """
                kind: upstream
                agent: web-1
                source: web
                destination: nobody
                port: 9002
                """
        ),
        CatalogRefusal(
            code: "intention.permissions_not_enforceable",
            says: "no agent can enforce this yet",
            yaml: """
                kind: intention
                source: orders
                destination: web
                permissions:
                  - action: allow
                    http:
                      path_prefix: /v1
                """
        ),
        CatalogRefusal(
            code: "intention.permissions_need_http",
            says: "default/orders speaks tcp",
            yaml: """
                kind: intention
                source: web
                destination: orders
                permissions:
                  - action: allow
                    http:
                      path_prefix: /v1
                """
        ),
        CatalogRefusal(
            code: "intention.mode_not_enforceable",
            says: "no agent can enforce this yet",
            yaml: "kind: intention\nsource: web\ndestination: web\naction: deny\nmode: shadow\n"
        ),
        CatalogRefusal(
            code: "intention.source_trust_domain_not_enforceable",
            says: "no agent can enforce this yet",
            yaml: """
                kind: intention
                source: web
                source_trust_domain: other.example
                destination: web
                action: deny
                """
        ),
        CatalogRefusal(
            code: "policy.elsewhere",
            says: "no part of the catalog",
            yaml: "kind: policy\nname: a\npaths:\n  secret: [\"read\"]\n"
        ),
    ]
}
