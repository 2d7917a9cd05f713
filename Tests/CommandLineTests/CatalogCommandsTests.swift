import Testing
import Wire

@testable import turnpike

@Suite(.timeLimit(.minutes(1))) struct CatalogCommandsTests {
    @Test(arguments: [
        (
            ["namespace", "put", "billing", "--description", "money"],
            "PUT /v1/namespaces/billing", #"{"name":"billing","description":"money"}"#
        ),
        (
            ["service", "put", "web", "--protocol", "http", "--leaf-ttl", "2h"],
            "PUT /v1/services/default/web",
            #"{"namespace":"default","name":"web","protocol":"http","leaf_ttl":"2h"}"#
        ),
        (
            ["placement", "put", "billing/ledger", "host-1"],
            "PUT /v1/placements/billing/ledger/host-1",
            #"{"service":"billing/ledger","agent":"host-1"}"#
        ),
        (
            ["instance", "put", "web", "host-1", "8080", "--weight", "3"],
            "PUT /v1/instances/default/web/host-1/port-8080",
            #"{"service":"default/web","agent":"host-1","name":"port-8080","#
                + #""address":"127.0.0.1","port":8080,"weight":3}"#
        ),
        (
            ["external", "put", "web", "egress-1", "[2001:db8::1]:80", "--no-tls"],
            "PUT /v1/externals/default/web/egress-1",
            #"{"service":"default/web","agent":"egress-1","host":"2001:db8::1","port":80,"#
                + #""tls":{"mode":"none"},"allow_local":false}"#
        ),
        (
            ["external", "put", "web", "egress-1", "localhost:80", "--no-tls", "--allow-local"],
            "PUT /v1/externals/default/web/egress-1",
            #"{"service":"default/web","agent":"egress-1","host":"localhost","port":80,"#
                + #""tls":{"mode":"none"},"allow_local":true}"#
        ),
        (
            ["external", "delete", "web", "egress-1"],
            "DELETE /v1/externals/default/web/egress-1", ""
        ),
        (
            ["upstream", "put", "host-1", "9000", "web", "orders-db", "--uid", "1000"],
            "PUT /v1/upstreams/host-1/9000",
            #"{"agent":"host-1","source":"default/web","destination":"default/orders-db","#
                + #""port":9000,"uids":[1000]}"#
        ),
        (
            ["upstream", "put", "host-1", "9000", "web", "orders-db", "--any-uid"],
            "PUT /v1/upstreams/host-1/9000",
            #"{"agent":"host-1","source":"default/web","destination":"default/orders-db","#
                + #""port":9000,"uids":"any"}"#
        ),
        (["namespace", "delete", "billing"], "DELETE /v1/namespaces/billing", ""),
        (["service", "delete", "web"], "DELETE /v1/services/default/web", ""),
        (
            ["placement", "delete", "web", "host-1"],
            "DELETE /v1/placements/default/web/host-1", ""
        ),
        (
            ["instance", "delete", "web", "host-1", "8080"],
            "DELETE /v1/instances/default/web/host-1/port-8080", ""
        ),
        (
            ["instance", "show", "web", "host-1", "blue"],
            "GET /v1/instances/default/web/host-1/blue", ""
        ),
        (["upstream", "delete", "host-1", "9000"], "DELETE /v1/upstreams/host-1/9000", ""),
        (
            ["service", "list", "--namespace", "billing", "--limit", "5"],
            "GET /v1/services?namespace=billing&limit=5", ""
        ),
        (
            ["instance", "list", "--service", "web"],
            "GET /v1/instances?service=web&limit=1000", ""
        ),
    ])
    func eachCommandAsksOneRoute(_ words: [String], _ line: String, _ body: String) async throws {
        let server = try await ScriptedServer([
            line: (200, #"{"items":[],"next":null,"revision":7}"#)
        ])
        let outcome = await server.run(words)
        #expect(outcome.code == .success, "\(outcome)")
        #expect(server.requests.map(\.line) == [line])
        #expect(server.requests.map(\.body) == [body])
        #expect(server.requests.map(\.authorization) == ["Bearer tp.secret"])
        await server.finish()
    }

    @Test(arguments: [
        (["service", "put", "Web"], "SERVICE must consist of"),
        (["service", "put", "web", "--leaf-ttl", "1m"], "leaf_ttl: must lie between"),
        (["service", "put", "web", "--leaf-ttl", "soon"], "--leaf-ttl is no duration"),
        (["instance", "put", "web", "h", "0"], "PORT must be a number"),
        (["external", "put", "web", "h", "db.example.com"], "TARGET has no port"),
        (["external", "put", "web", "h", "2001:db8::1:80", "--no-tls"], "TARGET is ambiguous"),
        (["external", "put", "web", "h", "db.example.com:1"], "--ca is missing"),
        (["external", "put", "web", "h", "127.0.0.1:1", "--no-tls"], "allow_local"),
        (
            ["external", "put", "web", "h", "a.example:1", "--no-tls", "--server-name", "b"],
            "--no-tls verifies nothing"
        ),
        (["instance", "put", "web", "h", "80", "--address", "x"], "--address"),
        (["upstream", "put", "h", "1", "a", "b", "--uid", "root"], "--uid must be a number"),
        (["upstream", "put", "h", "1", "a", "b", "--uid", "1", "--any-uid"], "contradict"),
        (["service", "list", "--limit", "0"], "--limit must be a number"),
        (["service", "put", "web", "--timeout", "5s"], "--timeout goes with"),
    ])
    func mistakesAreToldBeforeAnythingIsSent(_ words: [String], _ problem: String) async {
        let outcome = await Outcome.run(words)
        #expect(outcome.code == .usage)
        #expect(outcome.errors.contains(problem), "\(outcome)")
        #expect(outcome.output.isEmpty)
    }

    @Test func listsAreTablesOfAllPages() async throws {
        let server = try await ScriptedServer([
            "GET /v1/services?limit=1000&after=m1": (
                200,
                #"{"items":[{"namespace":"billing","name":"ledger","protocol":"http","#
                    + #""leaf_ttl":"1h","revision":12}],"next":null}"#
            ),
            "GET /v1/services?limit=1000": (
                200,
                #"{"items":[{"namespace":"default","name":"web","protocol":"tcp","#
                    + #""leaf_ttl":"1h","revision":3,"description":"shop"}],"next":"m1"}"#
            ),
            "GET /v1/services?limit=1": (200, #"{"items":[{"name":"web"}],"next":"m1"}"#),
        ])
        let outcome = await server.run("service", "list")
        #expect(
            outcome.output == """
                SERVICE         PROTOCOL  LEAF TTL  REVISION  DESCRIPTION
                default/web     tcp       1h        3         shop
                billing/ledger  http      1h        12        -

                """
        )
        let json = await server.run("service", "list", "--limit", "1", "--json")
        #expect(json.code == .success)
        let document = try JSON.parse(json.output)
        #expect(document["items"]?.items?.count == 1)
        #expect(document["next"]?.text == "m1")
        await server.finish()
    }

    @Test func showPrintsYAML() async throws {
        let server = try await ScriptedServer([
            "GET": (200, #"{"name":"web","meta":{"team":"shop"},"revision":3}"#)
        ])
        let outcome = await server.run("service", "show", "web")
        #expect(outcome.output == "name: web\nmeta:\n  team: shop\nrevision: 3\n")
        await server.finish()
    }

    @Test func nounsCoverTheirKinds() {
        let words = Set(CatalogCommands.all.compactMap(\.words.first))
        #expect(
            words == ["namespace", "service", "placement", "instance", "external", "upstream"]
        )
        #expect(CatalogCommands.all.count == words.count * 4)
    }
}
