import Testing

@testable import Reactor

struct SocketAddressTests {
    @Test(arguments: [
        "127.0.0.1:7443", "0.0.0.0:0", "[::1]:80", "[2001:db8::1]:65535", "unix:/run/x.sock",
        "unix:@abstract",
    ])
    func readsWhatItWrites(_ text: String) throws {
        #expect(try #require(SocketAddress(text)).description == text)
    }

    @Test(arguments: [
        "", ":", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:+80", "127.0.0.1:-1",
        "127.0.0.1: 80", "127.0.0.1:80 ", "127.0.0.01:80", "127.0.0.256:80", "127.1:80",
        "::1:80", "[::1]", "[::1:80", "::1]:80", "[127.0.0.1]:80", "[::1%lo]:80", "localhost:80",
        "unix:", "127.0.0.1\0:80", "127.0.0.1:000080",
    ])
    func refusesWhatIsNoAddress(_ text: String) {
        #expect(SocketAddress(text) == nil)
    }

    @Test func mappedAddressIsTheIPv4Address() {
        #expect(IPAddress("::ffff:127.0.0.1") == .loopbackV4)
        #expect(SocketAddress("[::ffff:10.0.0.1]:1")?.description == "10.0.0.1:1")
    }

    @Test(arguments: [
        ("127.0.0.1", true), ("127.255.0.9", true), ("128.0.0.1", false), ("::1", true),
        ("::2", false), ("0.0.0.0", false), ("::ffff:127.0.0.1", true),
    ])
    func knowsLoopback(_ text: String, _ isLoopback: Bool) throws {
        #expect(try #require(IPAddress(text)).isLoopback == isLoopback)
    }

    @Test func unixPathHasALimit() throws {
        let fits = String(repeating: "a", count: SocketAddress.unixPathByteCountMax)
        #expect(SocketAddress("unix:\(fits)") != nil)
        #expect(SocketAddress("unix:\(fits)a") == nil)
        #expect(throws: SystemError.self) { _ = try Socket.connect(to: .unix(path: fits + "a")) }
    }

    @Test func addressBytesAreInNetworkOrder() {
        #expect(IPAddress.loopbackV4.bytes == [127, 0, 0, 1])
        #expect(IPAddress.loopbackV6.bytes == Array(repeating: 0, count: 15) + [1])
    }
}
