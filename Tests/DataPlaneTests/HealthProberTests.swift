@testable import DataPlane
import Mesh
import Reactor
import Support
import Synchronization
import Testing
import Wire

@Suite(.timeLimit(.minutes(1))) struct HealthProberTests {
    private final class Seen: Sendable {
        let states = Mutex<[HealthMachine.State]>([])

        func wait(for state: HealthMachine.State) async throws -> Bool {
            for _ in 0..<1_000 {
                if states.withLock({ $0.last }) == state { return true }
                try await Task.sleep(for: .milliseconds(10))
            }
            return false
        }
    }

    @Test func aRealPortGoesDownAndComesBack() async throws {
        let group = try ReactorGroup(count: 1, name: "probes")
        let reactor = try #require(group.reactors.first)
        let seen = Seen()
        let port = LoopbackSocket.freePort()
        let subject = HealthMachine.Subject(
            key: InstanceKey(service: try ServiceName("db"), name: .ofPort(port)),
            address: .loopback,
            port: port,
            check: HealthCheck(
                interval: .seconds(1),
                timeout: .milliseconds(500),
                successes: 1,
                failures: 1
            )
        )
        let prober = await withCheckedContinuation { continuation in
            reactor.execute { reactor in
                let prober = HealthProber(
                    reactor: reactor,
                    now: { Timestamp(secondsSinceEpoch: 1_900_000_000) },
                    jitter: { 0 },
                    changed: { finding in seen.states.withLock { $0.append(finding.state) } }
                )
                prober.configure([subject])
                continuation.resume(returning: Confined(prober, to: reactor))
            }
        }
        #expect(try await seen.wait(for: .down))
        let instance = LoopbackSocket.listen(port: port)
        inBackground { while instance.acceptNext() != nil {} }
        #expect(try await seen.wait(for: .up))
        await withCheckedContinuation { continuation in
            reactor.execute { _ in
                prober.value.stop()
                continuation.resume()
            }
        }
        instance.shutDown()
        await onThread { group.stop() }
    }
}
