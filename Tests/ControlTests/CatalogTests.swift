import Control
import Mesh
import Postgres
import Store
import Support
import Testing
import Wire

@Suite struct CatalogTests {
    @Test func everyKindIsCreatedReadListedAndDeletedAgain() async throws {
        try await CatalogFixture.with { fixture in
            let catalog = fixture.control.catalog
            var keys: [ResourceKey] = []
            for resource in try CatalogFixture.shop() {
                let (item, action) = try await catalog.put(resource, by: fixture.admin)
                #expect(action == .create)
                #expect(item.createdBy == fixture.admin.principal)
                #expect(try await catalog.find(item.key) == item)
                #expect(try await catalog.list(CatalogQuery(resource.kind)).items.contains(item))
                keys.append(item.key)
            }
            let revisions = try await fixture.feed().map(\.revision)
            #expect(revisions == Array(Int64(1)...Int64(keys.count)))
            for key in keys.reversed() {
                try await catalog.delete(key, by: fixture.admin)
                let again = await refusal { try await catalog.delete(key, by: fixture.admin) }
                #expect(again?.code == "\(key.kind.rawValue).not_found")
            }
            let changes = try await fixture.feed().map(\.change)
            #expect(changes.map(\.key) == (keys + keys.reversed()).map(\.text))
            #expect(changes.suffix(keys.count).allSatisfy { $0.action == .delete })
        }
    }

    @Test func unchangedContentMakesNoRevision() async throws {
        try await CatalogFixture.with { fixture in
            let catalog = fixture.control.catalog
            for resource in try CatalogFixture.shop() {
                _ = try await catalog.put(resource, by: fixture.admin)
            }
            let before = try await fixture.feed()
            for resource in try CatalogFixture.shop() {
                let (item, action) = try await catalog.put(resource, by: fixture.admin)
                #expect(action == .unchanged)
                #expect(try await catalog.find(item.key) == item)
            }
            #expect(try await fixture.feed() == before)
            #expect(
                try await fixture.base.audited("intention.put").map(\.outcome) == [
                    "success", "unchanged",
                ]
            )
        }
    }

    @Test func aChangeKeepsWhoMadeTheRowAndItsIdentity() async throws {
        try await CatalogFixture.with { fixture in
            try await fixture.applyShop()
            let catalog = fixture.control.catalog
            let other = ControlFixture.caller("other", BuiltInPolicies.all)
            let rule = try CatalogFixture.rule("default/web", "default/orders", .deny)
            let key = try #require(rule.key)
            let old = try await catalog.find(key)
            let (new, action) = try await catalog.put(rule, by: other)
            #expect(action == .update)
            #expect(new.createdBy == fixture.admin.principal)
            #expect(new.createdAt == old.createdAt)
            #expect(new.revision == old.revision + 1)
            #expect(new.document["id"] == old.document["id"])
            #expect(new.document["action"] == "deny")
            #expect(new.document["precedence"] == 9)
        }
    }

    @Test func aConditionHoldsOrNothingHappens() async throws {
        try await CatalogFixture.with { fixture in
            let catalog = fixture.control.catalog
            let named = Resource.namespace(Namespace(name: try NamespaceName("shop")))
            let absent = await refusal {
                try await catalog.put(named, if: .exists, by: fixture.admin)
            }
            #expect(absent?.code == "revision.mismatch")
            let (item, _) = try await catalog.put(named, by: fixture.admin)
            let changed = Resource.namespace(
                Namespace(name: try NamespaceName("shop"), description: "Sales")
            )
            let stale = await refusal {
                try await catalog.put(changed, if: .revisions([77]), by: fixture.admin)
            }
            #expect(stale?.code == "revision.mismatch")
            _ = try await catalog.put(
                changed,
                if: .revisions([77, item.revision]),
                by: fixture.admin
            )
            let staleDelete = await refusal {
                try await catalog.delete(item.key, if: .revisions([1]), by: fixture.admin)
            }
            #expect(staleDelete?.code == "revision.mismatch")
            #expect(try await fixture.feed().count == 2)
        }
    }

    @Test(arguments: CatalogRefusal.all)
    func whatBreaksARuleIsRefused(_ refused: CatalogRefusal) async throws {
        try await CatalogFixture.with { fixture in
            try await fixture.applyShop()
            let before = try await fixture.feed()
            let resource = try CatalogFixture.read(refused.yaml)
            let error = await refusal {
                try await fixture.control.catalog.put(resource, by: fixture.editor)
            }
            #expect(error?.code == refused.code, "\(String(describing: error))")
            #expect(error.map { "\($0)" }?.contains(refused.says) == true)
            #expect(try await fixture.feed() == before)
        }
    }

    @Test(arguments: [
        (ResourceKeys.namespace, "services/default/"),
        (ResourceKeys.service, "placements/default/orders/db-1"),
        (ResourceKeys.service, "upstreams/web-1/9001"),
        (ResourceKeys.placement, "instances/default/web/web-1/port-8080"),
        (ResourceKeys.placement, "upstreams/web-1/9001"),
    ])
    func whatIsInUseStaysAndNamesItsUsers(key: ResourceKeys, user: String) async throws {
        try await CatalogFixture.with { fixture in
            try await fixture.applyShop()
            if key == .namespace {
                let error = await refusal {
                    try await fixture.control.catalog.delete(
                        .namespace(.default),
                        by: fixture.admin
                    )
                }
                #expect(error?.code == "namespace.default")
                return
            }
            let error = await refusal {
                try await fixture.control.catalog.delete(try key.key, by: fixture.admin)
            }
            #expect(error?.code.hasSuffix(".in_use") == true)
            #expect(error.map { "\($0)" }?.contains(user) == true)
        }
    }

    @Test func addressesOutsideOfLoopbackNeedSudo() async throws {
        try await CatalogFixture.with { fixture in
            try await fixture.applyShop()
            let resource = try CatalogFixture.read(
                """
                kind: instance
                service: web
                agent: web-1
                address: 192.0.2.9
                port: 80
                """
            )
            let (item, _) = try await fixture.control.catalog.put(resource, by: fixture.admin)
            #expect(item.document["address"] == "192.0.2.9")
        }
    }

    @Test func ofTwoCreationsOfOneIntentionExactlyOneWins() async throws {
        try await CatalogFixture.with { fixture in
            let rule = try CatalogFixture.rule("default/a", "default/b", .allow)
            let outcomes = await withTaskGroup(of: String.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        await refusal {
                            try await fixture.control.catalog.create(rule, by: fixture.admin)
                        }?.code ?? "created"
                    }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            #expect(
                outcomes.sorted() == [
                    "created", "intention.duplicate", "intention.duplicate", "intention.duplicate",
                ]
            )
            #expect(try await fixture.feed().count == 1)
        }
    }

    @Test func forgedIntentionsAndPlacementsAreAbsentAndAlarmed() async throws {
        try await CatalogFixture.with { fixture in
            try await fixture.applyShop()
            let catalog = fixture.control.catalog
            try await fixture.base.tamper(
                """
                INSERT INTO turnpike.intentions (id, destination_namespace, destination_name,
                    source_namespace, source_name, precedence, action, description, meta, revision,
                    created_at, updated_at, created_by, mac)
                VALUES (gen_random_uuid(), '*', '*', '*', '*', 1, 'allow', '', '{}', 1, now(), now(),
                    'x', '\\x00')
                """
            )
            try await fixture.base.tamper(
                """
                UPDATE turnpike.intentions SET action = 'deny'
                WHERE source_name = 'web' AND destination_name = 'orders'
                """
            )
            try await fixture.base.tamper(
                "UPDATE turnpike.placements SET agent = 'db-2' WHERE agent = 'db-1'"
            )
            #expect(try await catalog.list(CatalogQuery(.intention)).items.isEmpty)
            let placements = try await catalog.list(CatalogQuery(.placement)).items
            #expect(placements.map(\.key.text) == ["default/web/web-1"])
            let alarms = try await fixture.base.audited("row.alarm").map(\.resource)
            #expect(
                alarms.sorted() == [
                    "intentions/*/*/*/*", "intentions/default/orders/default/web",
                    "placements/default/orders/db-2",
                ]
            )
            let explanation = try await fixture.control.explainer.explain(
                source: try ServiceName("web"),
                destination: try ServiceName("orders")
            )
            #expect(explanation.explanation.ruling.reason == .defaultDeny)
            // Written again by a server, the rule is back.
            let rule = try CatalogFixture.rule("default/web", "default/orders", .allow)
            #expect(try await catalog.put(rule, by: fixture.admin).action == .create)
            #expect(try await catalog.list(CatalogQuery(.intention)).items.count == 1)
        }
    }

    @Test func listsComeInPagesAndAreFiltered() async throws {
        try await CatalogFixture.with { fixture in
            let catalog = fixture.control.catalog
            try await fixture.applyShop()
            for name in ["a", "b", "c"] {
                let service = Service(name: try ServiceName(name))
                _ = try await catalog.put(
                    .service(ServiceResource(service: service)),
                    by: fixture.admin
                )
            }
            var names: [String] = []
            var after: String?
            repeat {
                let page = try await catalog.list(CatalogQuery(.service), after: after, limit: 2)
                #expect(page.items.count <= 2)
                names += page.items.map(\.key.text)
                after = page.next
            } while after != nil
            #expect(names == ["a", "b", "c", "orders", "web"].map { "default/\($0)" })
            var query = CatalogQuery(.placement)
            query.agent = try AgentName("web-1")
            #expect(try await catalog.list(query).items.map(\.key.text) == ["default/web/web-1"])
            query = CatalogQuery(.service)
            query.namespace = try NamespaceName("elsewhere")
            #expect(try await catalog.list(query).items.isEmpty)
            query = CatalogQuery(.upstream)
            query.destination = .exact(try ServiceName("orders"))
            #expect(try await catalog.list(query).items.map(\.key.text) == ["web-1/9001"])
        }
    }
}

/// The keys of the shop, as test arguments.
enum ResourceKeys: String, Sendable {
    case namespace, service, placement

    var key: ResourceKey {
        get throws {
            switch self {
            case .namespace: .namespace(.default)
            case .service: .service(try ServiceName("orders"))
            case .placement: .placement(try ServiceName("web"), try AgentName("web-1"))
            }
        }
    }
}
