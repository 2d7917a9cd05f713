import Foundation
import HTTP
import Support
import Testing
import Wire

/// The server is killed between the steps of a rotation, and the rotation goes on.
@Suite(.timeLimit(.minutes(10))) struct RotationSurvivesKilledServersTests {
    @Test func aRootAndASnapshotKeyAreReplacedWithAKillAfterEveryStep() async throws {
        let origin = EchoOrigin()
        defer { withExtendedLifetime(origin) {} }
        let hosts = try await TwoHosts(instance: origin.port)
        let (source, destination) = try await hosts.startBoth()
        defer { withExtendedLifetime((source, destination)) {} }
        let traffic = try #require(await EchoTraffic(through: hosts.webPort))
        var servers = [hosts.server]

        /// One step, taken twice where it was not answered; then the server is gone and comes back.
        func killedAfter(
            _ step: (RotationSteps) async throws -> Void
        ) async throws {
            let server = try #require(servers.last)
            try await step(RotationSteps(site: hosts.site, server: server))
            await server.kill()
            servers.append(try await hosts.site.start())
        }

        for (subject, before, after) in [
            ("snapshot-key", ["prepare"], ["retire"]), ("root", ["prepare", "activate"], []),
        ] {
            for step in before {
                // The proposal is lost with the server; it is asked for again.
                try await killedAfter { try await $0.take(["rotate", subject, step]) }
                try await killedAfter { try await $0.propose(["rotate", subject, step]) }
            }
            if subject == "snapshot-key" {
                try await killedAfter { try await $0.take(["rotate", subject, "activate"]) }
            }
            for step in after {
                try await killedAfter { try await $0.take(["rotate", subject, step]) }
                try await killedAfter { try await $0.propose(["rotate", subject, step]) }
            }
        }
        let server = try #require(servers.last)
        #expect(servers.count > 8)

        // What signs now is what was announced, and a change still reaches both hosts.
        let ca = try await server.turnpike(["ca", "--json"])
        let answer = try JSON.parse(Array(ca.output.utf8), source: "ca")
        let roots = answer["roots"]?.items ?? []
        #expect(roots.compactMap { $0["state"]?.text }.sorted() == ["active", "retiring"])
        #expect(answer["trust_document"]?["snapshot_keys"]?.items?.count == 1)
        #expect(answer["trust_document"]?["version"]?.integer == 5)
        let reply = try await server.send(
            .put,
            "/v1/intentions/default/db/default/reports?wait=enforced&timeout=60s",
            body: #"{"action":"allow"}"#
        )
        #expect(reply.body["enforced"]?["complete"]?.bool == true, "\(reply.text)")
        #expect(reply.body["enforced"]?["acknowledged"]?.items?.isEmpty == false)
        #expect(try await eventually { await hosts.echoes(hosts.reportsPort) })
        let (rounds, failures) = await traffic.end()
        #expect(failures.isEmpty && rounds > 10, "\(failures)\n\(source.child.log)")
        let verified = try await server.turnpike(["audit", "verify"])
        #expect(verified.code == 0, "\(verified.errors)")
        #expect(await server.stop() == 0)
    }
}
