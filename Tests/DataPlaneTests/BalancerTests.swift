@testable import DataPlane
import Mesh
import Reactor
import Testing

@Suite struct BalancerTests {
    private let now = ContinuousClock.now
    private let pool = Balancer.Pool.upstream(1)

    private func target(_ port: UInt16, weight: Int = 1, isDown: Bool = false) -> Target {
        Target(address: .loopback, port: port, weight: weight, isDown: isDown)
    }

    @Test func anotherPlaceIsFoundForTheSecondAttempt() {
        var balancer = Balancer(seed: 7)
        let targets = [target(1), target(2)]
        for _ in 0..<20 {
            let first = balancer.choose(
                among: targets,
                of: pool,
                by: .leastRequest,
                without: nil,
                now: now
            )
            let second = balancer.choose(
                among: targets,
                of: pool,
                by: .leastRequest,
                without: first,
                now: now
            )
            #expect(Set([first, second].map { $0?.address.port }) == [1, 2])
        }
        let only = balancer.choose(
            among: [target(1)],
            of: pool,
            by: .roundRobin,
            without: nil,
            now: now
        )
        #expect(only?.address.port == 1)
        #expect(
            balancer.choose(
                among: [target(1)],
                of: pool,
                by: .roundRobin,
                without: only,
                now: now
            ) == nil
        )
    }

    @Test func whatFailsIsLeftOutAsLongAsOthersAreLeft() throws {
        var balancer = Balancer(seed: 7)
        let targets = [target(1), target(2)]
        func choice() -> UInt16? {
            balancer.choose(among: targets, of: pool, by: .roundRobin, without: nil, now: now)?
                .address.port
        }
        func failing(_ port: UInt16) throws -> Destination {
            let found = balancer.choose(
                among: [target(port)],
                of: pool,
                by: .roundRobin,
                without: nil,
                now: now
            )
            return try #require(found)
        }
        let first = try failing(1)
        let ejections = (1...3).map { _ in balancer.failed(first, now: now) }
        #expect(ejections == [false, false, true])
        #expect(balancer.ejectedCount(at: now) == 1)
        #expect((0..<10).allSatisfy { _ in choice() == 2 })
        let second = try failing(2)
        for _ in 1...3 { _ = balancer.failed(second, now: now) }
        // Both fail: neither is left out.
        #expect(Set((0..<10).map { _ in choice() }) == [1, 2])
        balancer.succeeded(first)
        #expect((0..<10).allSatisfy { _ in choice() == 1 })
    }

    @Test func connectionsToAnInstanceThatIsGoneMayFinishForAWhile() throws {
        var balancer = Balancer(seed: 1)
        let pool = Balancer.Pool.instances(try ServiceName("db"))
        let found = balancer.choose(
            among: [target(1)],
            of: pool,
            by: .leastRequest,
            without: nil,
            now: now
        )
        let destination = try #require(found)
        balancer.began(destination)
        let end = now.advanced(by: .seconds(10))
        func follow(_ port: UInt16?, until end: Reactor.Instant) -> Bool {
            balancer.follow(drainEnd: end) { _ in port.map { [target($0)] } ?? [] }
        }
        #expect(!follow(1, until: end))
        #expect(destination.drainEnd == nil)
        #expect(follow(2, until: end))
        #expect(destination.drainEnd == end)
        // A further snapshot does not put the end off.
        #expect(!follow(nil, until: end.advanced(by: .seconds(5))))
        #expect(destination.drainEnd == end)
        // It is back: its connections stay.
        #expect(!follow(1, until: end))
        #expect(destination.drainEnd == nil)
    }

    @Test(arguments: ["127.0.0.1", "10.255.0.7", "::1", "fd00::12:34"])
    func addressesAreTheSameInTheKernelsForm(text: String) throws {
        let address = try Mesh.IPAddress(text)
        let socket = Target(address: address, port: 80, weight: 1).socketAddress
        #expect(socket.ipAddress?.description == text)
        #expect(socket.port == 80)
    }
}
