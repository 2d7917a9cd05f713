import Reactor
import Testing

@Suite struct NameResolverTests {
    @Test func addressesStandForThemselves() throws {
        #expect(try NameResolver.addresses(of: "127.0.0.1", port: 80) == [.loopback(port: 80)])
        #expect(
            try NameResolver.addresses(of: "::1", port: 80) == [.ip(.loopbackV6, port: 80)]
        )
    }

    @Test func localhostIsLoopback() throws {
        let addresses = try NameResolver.addresses(of: "localhost", port: 7400)
        #expect(!addresses.isEmpty)
        #expect(addresses.allSatisfy { $0.isLoopback && $0.port == 7400 })
    }

    @Test(arguments: ["", "a\0b", String(repeating: "a", count: 300)])
    func namesThatCannotExist(_ host: String) {
        #expect(throws: NameResolutionError.unknownHost(host)) {
            _ = try NameResolver.addresses(of: host, port: 1)
        }
    }
}
