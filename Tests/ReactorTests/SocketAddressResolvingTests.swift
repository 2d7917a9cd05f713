import Reactor
import Testing

struct SocketAddressResolvingTests {
    @Test func namesAndAddressesResolve() throws {
        #expect(try SocketAddress.resolve("127.0.0.1:80") == [.loopback(port: 80)])
        let local = try SocketAddress.resolve("localhost:7401")
        #expect(!local.isEmpty)
        #expect(local.allSatisfy { $0.isLoopback && $0.port == 7401 })
    }

    @Test(arguments: [
        "", "host", "host:", "host:0", "host:x", ":80", "a b:80", "a:b:80", "h:99999",
    ])
    func whatIsNoHostAndPortIsRefused(_ text: String) {
        #expect(throws: SystemError.self) { try SocketAddress.resolve(text) }
    }

    @Test func anUnknownNameSaysSo() {
        #expect(throws: SystemError.self) { try SocketAddress.resolve("no-such-host.invalid:80") }
    }
}
