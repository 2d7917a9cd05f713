import HTTP
import Support
import Testing

struct SecondServerOnOneDirectoryTests {
    @Test func itIsRefusedInClearWordsAndTheFirstGoesOn() async throws {
        let server = try await SharedServer.get()
        let postmaster = server.site.postmaster
        let second = try server.site.launch([
            "--api-listen", "127.0.0.1:0", "--agents-listen", "127.0.0.1:0",
        ])
        #expect(await second.wait() == 1)
        let words = "another process uses \(server.site.dataDirectory)/database"
        #expect(second.log.contains(words), "\(second.log)")
        #expect(server.site.postmaster == postmaster)
        #expect(try await server.send(.get, "/v1/status").status == 200)
    }
}
