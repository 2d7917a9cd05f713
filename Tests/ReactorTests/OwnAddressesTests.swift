import Glibc
import Support
import Testing

@testable import Reactor

@Suite struct OwnAddressesTests {
    @Test func loopbackIsAmongThem() throws {
        #expect(try OwnAddresses.read().contains(.loopbackV4))
    }

    /// Two addresses of one subnet, of which the kernel uses the first for what goes out, and many.
    @Test func secondaryAddressesAreAmongThem() async throws {
        let found = await inNetworkNamespace { () -> [Set<IPAddress>] in
            var found: [Set<IPAddress>] = []
            for numbers in [5...6, 7...120] {
                for number in numbers {
                    Self.run(
                        "/usr/sbin/ip",
                        ["address", "add", "10.9.0.\(number)/24", "dev", "lo"]
                    )
                }
                found.append((try? OwnAddresses.read()) ?? [])
            }
            return found
        }
        // Without the right to make a namespace there is nothing to see.
        guard let found else { return }
        #expect(found.first == [.v4(0x0A09_0005), .v4(0x0A09_0006)])
        #expect(found.last?.count == 116)
    }

    private static func run(_ program: String, _ arguments: [String]) {
        var words = ([program] + arguments).map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        var child: pid_t = 0
        guard posix_spawn(&child, program, nil, nil, &words, nil) == 0 else { return }
        waitpid(child, nil, 0)
    }
}
