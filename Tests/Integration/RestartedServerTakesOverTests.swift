import Foundation
import HTTP
import Support
import Testing
import Wire

struct RestartedServerTakesOverTests {
    private func write(_ name: String, _ server: ServerChild) async throws -> Int {
        try await server.send(.put, "/v1/services/default/\(name)", body: "{}").status
    }

    private func reads(_ name: String, _ server: ServerChild) async throws -> Bool {
        try await server.send(.get, "/v1/services/default/\(name)").status == 200
    }

    @Test func aClusterThatOutlivedAKilledServerIsUsedOn() async throws {
        let site = try ServerSite()
        let first = try await site.start()
        #expect(try await write("kept", first) == 201)
        let postmaster = try #require(site.postmaster)
        await first.kill()
        #expect(kill(postmaster, 0) == 0, "the cluster outlives its server")
        let second = try await site.start()
        #expect(site.postmaster == postmaster)
        #expect(second.log.contains("adopted"))
        #expect(try await reads("kept", second))
        #expect(try await write("more", second) == 201)
        // What was taken over is also stopped.
        #expect(await second.stop() == 0)
        #expect(site.postmaster == nil)
    }

    @Test func aClusterThatDiedWithItsServerIsRecovered() async throws {
        let site = try ServerSite()
        let first = try await site.start()
        #expect(try await write("kept", first) == 201)
        site.killPostmaster()
        await first.kill()
        let second = try await site.start()
        #expect(try await reads("kept", second))
        #expect(await second.stop() == 0)
        #expect(site.postmaster == nil)
    }
}
