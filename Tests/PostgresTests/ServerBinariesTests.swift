import Foundation
import Support
import Testing

@testable import Postgres

@Suite struct ServerBinariesTests {
    @Test(arguments: [("15.18", 15), ("17", 17), ("18beta1", 18), ("9.6.24", 9)])
    func readsMajorVersions(text: String, major: Int) {
        #expect(ServerBinaries.majorVersion(in: text) == major)
    }

    @Test func findsTheInstalledServer() async throws {
        let settings = EmbeddedSettings(directory: "/tmp/unused")
        let found = try await ServerBinaries.find(settings, wanted: nil, on: TestDatabase.reactor)
        #expect(found.majorVersion >= 14)
        #expect(FileManager.default.isExecutableFile(atPath: found.directory + "/initdb"))
    }
}
