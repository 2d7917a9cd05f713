import Foundation
import Reactor
import Testing

@testable import Postgres

@Suite struct PostmasterFileTests {
    @Test func readsProcessAndDirectory() throws {
        let file = try #require(PostmasterFile(text: "123\n/data\n1700000000\n5432\n/run\n\n"))
        #expect(file.processID == 123)
        #expect(file.dataDirectory == "/data")
        var settings = EmbeddedSettings(directory: "/d")
        #expect(file.listensAs(settings))
        settings.readerPort = reader("127.0.0.1:5432")
        #expect(!file.listensAs(settings))
    }

    private func reader(_ address: String) -> ReaderPort? {
        SocketAddress(address).flatMap {
            ReaderPort(
                $0,
                role: PostgresName(literal: "reader"),
                database: PostgresName(literal: "sales")
            )
        }
    }

    @Test func onlyTheReaderMayLogInOverLoopback() {
        #expect(ClientAuthentication.rules(for: nil) == "local all all scram-sha-256\n")
        let rules = ClientAuthentication.rules(for: reader("127.0.0.1:7432"))
        #expect(rules.hasSuffix("\nhost sales reader 127.0.0.0/8 scram-sha-256\n"))
        let six = ClientAuthentication.rules(for: reader("[::1]:7432"))
        #expect(six.hasSuffix("\nhost sales reader ::1/128 scram-sha-256\n"))
        for address in ["10.0.0.1:7432", "0.0.0.0:7432", "127.0.0.1:0", "unix:/run/x"] {
            #expect(reader(address) == nil)
        }
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
