import Control
import Mesh
import Store
import Testing
import Wire

@Suite struct ApplyTests {
    @Test func aWholeFileIsOneRevision() async throws {
        try await CatalogFixture.with { fixture in
            let catalog = fixture.control.catalog
            // In the wrong order: dependencies are found, not written down.
            let shop = Array(try CatalogFixture.shop().reversed())
            let planned = try await catalog.dryRun(shop, by: fixture.admin)
            #expect(planned.isDryRun)
            #expect(planned.steps.allSatisfy { $0.action == .create })
            #expect(try await fixture.feed().isEmpty)

            let applied = try await catalog.apply(shop, by: fixture.admin)
            #expect(applied.revision == 1)
            #expect(Set(try await fixture.feed().map(\.revision)) == [1])
            #expect(try await fixture.feed().count == shop.count)
            #expect(
                try await fixture.base.audited("placement.put").map(\.resource).sorted() == [
                    "placements/default/orders/db-1", "placements/default/web/web-1",
                ]
            )

            let again = try await catalog.apply(shop, by: fixture.admin)
            #expect(again.revision == nil)
            #expect(again.steps.allSatisfy { $0.action == .unchanged })
        }
    }

    @Test func aDryRunSaysWhichFieldsChange() async throws {
        try await CatalogFixture.with { fixture in
            try await fixture.applyShop()
            let resource = try CatalogFixture.read(
                "kind: service\nname: web\nprotocol: tcp\ndescription: Front\n"
            )
            let plan = try await fixture.control.catalog.dryRun([resource], by: fixture.admin)
            let step = try #require(plan.steps.first)
            #expect(step.action == .update)
            #expect(
                step.differences == [
                    FieldDifference(field: "protocol", old: "http", new: "tcp"),
                    FieldDifference(field: "description", old: .null, new: "Front"),
                ]
            )
        }
    }

    @Test func aServiceBringsWhatIsNestedInIt() async throws {
        try await CatalogFixture.with { fixture in
            let text = """
                kind: service
                name: cart
                placements: ["web-1"]
                instances:
                  - agent: web-1
                    port: 7000
                upstreams:
                  - agent: web-1
                    destination: cart
                    port: 7001
                    uids: any
                intentions:
                  - source: "*"
                    action: deny
                """
            let resource = try CatalogFixture.read(text)
            let catalog = fixture.control.catalog
            #expect(
                Catalog.rights(toApply: [resource], dryRun: false).map(\.path) == [
                    "services/default/cart", "placements/default/cart/web-1",
                    "instances/default/cart/web-1/port-7000", "upstreams/web-1/7001",
                    "intentions/default/cart/*/*",
                ]
            )
            let outcome = try await catalog.apply([resource], by: fixture.admin)
            #expect(outcome.steps.map(\.key.path).count == 5)
            let exported = try await catalog.export { $0.hasPrefix("intentions/") }
            #expect(exported.revision == 1)
            #expect(exported.resources.map(\.path) == ["intentions/default/cart/*/*"])
            let everything = try await catalog.export { _ in true }
            let again = try await catalog.apply(everything.resources, by: fixture.admin)
            #expect(again.revision == nil)
        }
    }

    @Test func everythingThatIsWrongIsNamedAndNothingHappens() async throws {
        try await CatalogFixture.with { fixture in
            let texts = [
                "kind: namespace\nname: good\n",
                "kind: service\nname: lost\nnamespace: nowhere\nplacements: [\"web-1\"]\n",
                "kind: placement\nservice: nobody\nagent: db-9\n",
                "kind: namespace\nname: good\ndescription: twice\n",
                "kind: policy\nname: p\npaths:\n  a: [\"read\"]\n",
            ]
            let error = await refusal {
                try await fixture.control.catalog.apply(
                    texts.map { try CatalogFixture.read($0) },
                    by: fixture.admin
                )
            }
            guard case .invalid(let complaint, let fields)? = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(complaint.code == "apply.invalid")
            #expect(
                Set(fields.map(\.field)) == [
                    "resources[1].namespace", "resources[2].agent", "resources[2].service",
                    "resources[3]", "resources[4].kind",
                ]
            )
            let feed = try await fixture.feed()
            #expect(feed.isEmpty)
        }
    }

    @Test func instancesMaySwapTheirPorts() async throws {
        try await CatalogFixture.with { fixture in
            let catalog = fixture.control.catalog
            func instances(_ first: Int, _ second: Int) throws -> [Resource] {
                try [("a", first), ("b", second)].map { name, port in
                    try CatalogFixture.read(
                        "kind: instance\nservice: web\nagent: web-1\nname: \(name)\nport: \(port)\n"
                    )
                }
            }
            try await fixture.applyShop()
            _ = try await catalog.apply(try instances(7000, 7001), by: fixture.admin)
            let swapped = try await catalog.apply(try instances(7001, 7000), by: fixture.admin)
            #expect(swapped.steps.map(\.action) == [.update, .update])
            let same = await refusal {
                try await catalog.apply(try instances(7002, 7002), by: fixture.admin)
            }
            guard case .invalid(_, let fields)? = same else {
                Issue.record("\(String(describing: same))")
                return
            }
            #expect(fields.map(\.field) == ["resources[0].port", "resources[1].port"])
        }
    }

    @Test func rightsOutsideOfLoopbackIncludeSudo() throws {
        let resource = try CatalogFixture.read(
            "kind: instance\nservice: web\nagent: web-1\naddress: 192.0.2.9\nport: 80\n"
        )
        let rights = Catalog.rights(toApply: [resource], dryRun: false)
        #expect(rights.map(\.capability) == [.update, .sudo])
        #expect(Catalog.rights(toApply: [resource], dryRun: true).first?.capability == .read)
    }
}
