import Foundation
import Testing

@testable import Postgres

@Suite struct PostmasterFileTests {
    @Test func readsProcessAndDirectory() throws {
        let file = try #require(PostmasterFile(text: "123\n/data\n1700000000\n5432\n/run\n\n"))
        #expect(file.processID == 123)
        #expect(file.dataDirectory == "/data")
    }

    @Test(arguments: ["", "abc\n/data\n", "12", "0\n/data\n", "1\n/data\n", "-1\n/data\n"])
    func refusesWhatMakesNoSense(text: String) {
        #expect(PostmasterFile(text: text) == nil)
    }

    @Test func knowsAServerByItsDirectory() throws {
        let here = FileManager.default.currentDirectoryPath
        let own = try #require(PostmasterFile(text: "\(getpid())\n\(here)\n"))
        #expect(own.holder == .server)
        let other = try #require(PostmasterFile(text: "\(getpid())\n/nowhere\n"))
        #expect(other.holder == .stranger)
        let gone = try #require(PostmasterFile(text: "\(Int32.max)\n\(here)\n"))
        #expect(gone.holder == .gone)
    }

    @Test(arguments: [
        ("812 (postgres) Z 1 812 812 0 -1 4227084", true),
        ("812 (post) gres) X 1 812", true), ("812 (postgres) S 1 812 812 0 -1", false),
        ("812 (Z) R 1 812", false), ("", false), ("812 postgres Z", false),
    ])
    func aZombieHoldsNothing(stat: String, isDead: Bool) {
        #expect(PostmasterFile.isDead(stat: stat) == isDead)
    }

    @Test func aProcessWorksInItsDirectory() {
        #expect(PostmasterFile.hasProcesses(in: FileManager.default.currentDirectoryPath))
        #expect(!PostmasterFile.hasProcesses(in: "/nowhere"))
    }
}
