import Foundation
import HTTP
import Support
import Testing
import Wire

/// An origin that can be taken away and brought back at the same port.
private final class FlakyOrigin: @unchecked Sendable {
    // Used by the one task of the test.
    let port: UInt16
    private var listener: LoopbackSocket?

    init() {
        let listener = LoopbackSocket.listen()
        port = listener.port
        self.listener = listener
        Self.serve(listener)
    }

    private static func serve(_ listener: LoopbackSocket) {
        inBackground {
            while let connection = listener.acceptNext() {
                inBackground { StandHost.echo(connection) }
            }
        }
    }

    func fail() {
        listener?.shutDown()
        listener = nil
    }

    func comeBack() {
        let listener = LoopbackSocket.listen(port: port)
        self.listener = listener
        Self.serve(listener)
    }
}

@Suite(.serialized, .timeLimit(.minutes(10))) struct InstancesFailAndComeBackTests {
    private func health(_ hosts: TwoHosts, _ port: UInt16) async throws -> String? {
        let answer = try await hosts.server.send(
            .get,
            "/v1/instances/default/db/host-b/port-\(port)"
        )
        return answer.body["health"]?.text
    }

    @Test func requestsGoOnWhileInstancesComeAndGo() async throws {
        let steady = EchoOrigin()
        let flaky = FlakyOrigin()
        let hosts = try await TwoHosts(instance: steady.port)
        let applied = try await hosts.server.turnpike(
            ["apply", "-f", "-"],
            input: """
                kind: service
                name: db
                health_check:
                  interval: 1s
                  timeout: 500ms
                  failures: 2
                instances:
                  - agent: host-b
                    port: \(steady.port)
                  - agent: host-b
                    port: \(flaky.port)
                """
        )
        try #require(applied.code == 0, "\(applied.errors)")
        let (source, destination) = try await hosts.startBoth()
        let isUp = try await eventually { try await health(hosts, flaky.port) == "up" }
        #expect(isUp)
        let before = try await hosts.server.send(.get, "/v1/status").body["revision"]
        flaky.fail()
        var failures = 0
        let isDown = try await eventually {
            if await !hosts.echoes(hosts.webPort) { failures += 1 }
            return try await health(hosts, flaky.port) == "down"
        }
        #expect(isDown)
        #expect(failures == 0)
        let listed = try await hosts.server.turnpike(["instance", "list"])
        #expect(listed.output.contains("down"), "\(listed.output)")
        let view = try await hosts.server.turnpike(["instance", "list", "--json"])
        #expect(view.output.contains("health_problem"))
        flaky.comeBack()
        let isBack = try await eventually { try await health(hosts, flaky.port) == "up" }
        #expect(isBack)
        // Nothing of this was a change of configuration.
        let after = try await hosts.server.send(.get, "/v1/status").body["revision"]
        #expect(before == after)
        _ = await source.end()
        _ = await destination.end()
        flaky.fail()
        _ = await hosts.server.stop()
    }
}
