import Foundation
import HTTP
import Support
import Testing
import Wire

struct OneFileOnboardsAServiceTests {
    /// Everything that a new service needs, as a person writes it.
    private static let file = """
        kind: service
        name: shop          # reached as shop.default.svc.<trust domain>
        placements: ["shop-host"]
        instances:
          - agent: shop-host
            port: 8080
        upstreams:
          - agent: shop-host
            port: 15432
            destination: orders-db
            uids: [1000]
        intentions:
          - source: gateway
            action: allow
        """

    @Test func applyMakesItDiffFindsNothingAndExportGivesItBack() async throws {
        let lines = Self.file.split(separator: "\n")
        #expect(lines.count <= 15)
        #expect(lines.allSatisfy { $0.count <= 100 })
        let site = try ServerSite()
        let server = try await site.start()
        let file = site.path + "/shop.yaml"
        try Self.file.write(toFile: file, atomically: true, encoding: .utf8)
        let invited = try await server.turnpike(["agent", "invite", "shop-host"])
        #expect(invited.code == 0, "\(invited.errors)")
        let needed = try await server.turnpike(
            ["apply", "-f", "-"],
            input: "kind: service\nname: orders-db\n"
        )
        #expect(needed.code == 0, "\(needed.errors)")
        let before = try await server.turnpike(["diff", "-f", file])
        #expect(before.code == 1)
        #expect(before.output.contains("+ services/default/shop"))
        let applied = try await server.turnpike(["apply", "-f", file])
        #expect(applied.code == 0, "\(applied.errors)")
        try await expectAll(server)
        let after = try await server.turnpike(["diff", "-f", file])
        #expect(after.code == 0, "\(after.output)\(after.errors)")
        let again = try await server.turnpike(["apply", "-f", file])
        #expect(again.code == 0 && !again.output.contains("created"), "\(again.output)")
        try await expectRoundTrip(server, site)
        #expect(await server.stop() == 0)
    }

    private func expectAll(_ server: ServerChild) async throws {
        let instance = try await server.send(
            .get,
            "/v1/instances/default/shop/shop-host/port-8080"
        )
        #expect(instance.body["port"]?.integer == 8080, "\(instance.text)")
        let upstream = try await server.send(.get, "/v1/upstreams/shop-host/15432")
        #expect(upstream.body["destination"]?.text == "default/orders-db", "\(upstream.text)")
        #expect(upstream.body["source"]?.text == "default/shop")
        #expect(upstream.body["uids"]?[0]?.integer == 1000)
        let intention = try await server.send(
            .get,
            "/v1/intentions/default/shop/default/gateway"
        )
        #expect(intention.body["action"]?.text == "allow", "\(intention.text)")
        let placement = try await server.send(.get, "/v1/placements/default/shop/shop-host")
        #expect(placement.status == 200, "\(placement.text)")
        let explained = try await server.turnpike(["explain", "gateway", "shop"])
        #expect(explained.code == 0, "\(explained.output)")
    }

    private func expectRoundTrip(_ server: ServerChild, _ site: ServerSite) async throws {
        let exported = try await server.turnpike(["export"])
        #expect(exported.code == 0, "\(exported.errors)")
        #expect(exported.output.contains("shop"))
        let same = try await server.turnpike(["diff", "-f", "-"], input: exported.output)
        #expect(same.code == 0, "\(same.output)\(same.errors)")
        // Into another cluster that knows the host.
        let other = try await ServerSite().start()
        #expect(try await other.turnpike(["agent", "invite", "shop-host"]).code == 0)
        let copied = try await other.turnpike(["apply", "-f", "-"], input: exported.output)
        #expect(copied.code == 0, "\(copied.errors)")
        let copy = try await other.turnpike(["export"])
        #expect(copy.output == exported.output)
        await other.stop()
    }
}
