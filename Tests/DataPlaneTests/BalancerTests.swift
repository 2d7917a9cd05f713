@testable import DataPlane
import Mesh
import Reactor
import Testing

@Suite struct BalancerTests {
    private func target(_ port: UInt16, weight: Int = 1) -> Target {
        Target(address: .loopback, port: port, weight: weight)
    }

    @Test func firstChoicesFollowTheWeights() throws {
        var balancer = Balancer()
        let service = try ServiceName("db")
        let targets = [target(1, weight: 3), target(2), target(3, weight: 0)]
        var counts: [UInt16: Int] = [:]
        for _ in 0..<400 {
            let order = balancer.order(targets, of: service)
            #expect(order.count == 2)
            counts[try #require(order.last?.port), default: 0] += 1
        }
        #expect(counts == [1: 300, 2: 100])
    }

    @Test func theOthersAreKeptForFailover() throws {
        var balancer = Balancer()
        let service = try ServiceName("db")
        let targets = [target(1), target(2), target(3)]
        for _ in 0..<9 {
            let ports = balancer.order(targets, of: service).compactMap(\.port)
            #expect(Set(ports) == [1, 2, 3])
        }
        #expect(balancer.order([], of: service).isEmpty)
    }

    @Test(arguments: ["127.0.0.1", "10.255.0.7", "::1", "fd00::12:34"])
    func addressesAreTheSameInTheKernelsForm(text: String) throws {
        let address = try Mesh.IPAddress(text)
        let socket = Target(address: address, port: 80, weight: 1).socketAddress
        #expect(socket.ipAddress?.description == text)
        #expect(socket.port == 80)
    }
}
