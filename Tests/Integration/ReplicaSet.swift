import Foundation
import HTTP
import Reactor
import Support
import Synchronization
import Testing
import Wire

/// Replicas of one control plane on one PostgreSQL, each a real process with a site of its own.
final class ReplicaSet: Sendable {
    let sites: [ServerSite]
    /// The token of an administrator, good at every replica.
    let token: String
    private let running: Mutex<[ServerChild]>

    /// Starts replicas one after the other.
    init(_ count: Int, on url: String, _ more: [String] = []) async throws {
        let first = try ServerSite(["--database-url", url] + more)
        var sites = [first]
        for number in 2...max(2, count) where number <= count {
            sites.append(
                try ServerSite(
                    [
                        "--database-url", url, "--name", "server-\(number)",
                        "--keys-kek-file", first.kekFile,
                    ] + more
                )
            )
        }
        var children: [ServerChild] = []
        for site in sites { children.append(try await site.start()) }
        token = try await first.administratorToken(children[0])
        self.sites = sites
        running = Mutex(children)
    }

    /// A replica as it runs now.
    subscript(index: Int) -> ServerChild { running.withLock { $0[index] } }

    /// The agents' ports of all, as the agents' setting wants them.
    var agentAddresses: String {
        running.withLock { $0.compactMap(\.agentAddress).map { "\($0)" }.joined(separator: ",") }
    }

    /// Starts a replica again that has ended.
    func start(_ index: Int) async throws {
        let child = try await sites[index].start()
        running.withLock { $0[index] = child }
    }

    /// Asks one replica; nil if it cannot be reached.
    func ask(
        _ index: Int,
        _ method: HTTP.Method,
        _ target: String,
        body: String = "",
        fields: [(String, String)] = [],
        timeout: Duration = .seconds(30)
    ) async throws -> APIClient.Answer? {
        let client = try self[index].newClient()
        let answer = try? await client.send(
            method,
            target,
            token: token,
            body: body,
            fields: fields,
            timeout: timeout
        )
        await client.close()
        return answer
    }

    /// Writes what must succeed.
    @discardableResult
    func put(
        _ target: String,
        at index: Int,
        body: String = "{}"
    ) async throws -> APIClient.Answer {
        let answer = try #require(try await ask(index, .put, target, body: body))
        try #require((200...201).contains(answer.status), "\(answer.text)")
        return answer
    }

    /// Which replica each agent is connected to; nil while it is connected to none.
    func connections(of agents: [String], asking index: Int = 0) async throws -> [String?] {
        var servers: [String?] = []
        for agent in agents {
            let answer = try await ask(index, .get, "/v1/agents/\(agent)")
            servers.append(answer?.body["connected_server"]?.text)
        }
        return servers
    }

    /// Stops all that run.
    func stop() async {
        for child in running.withLock({ $0 }) where child.isRunning { await child.stop() }
    }
}

/// Connections through an upstream port, one after the other, until told to end.
final class SteadyTraffic: Sendable {
    private struct State {
        var isOver = false
        var served = 0
        var failures: [Date] = []
    }

    private final class Shared: Sendable {
        let value = Mutex(State())
    }

    private let shared: Shared
    private let task: Task<Void, Never>

    /// Every request is a new connection that must come back with what was sent.
    init(through hosts: ReplicaHosts) {
        let (state, port) = (Shared(), hosts.upstreamPort)
        shared = state
        task = Task {
            while !state.value.withLock({ $0.isOver }) {
                let isServed = await onThread {
                    guard let socket = LoopbackSocket.connect(port: port) else { return false }
                    return socket.send([1, 2, 3]) && socket.receive(exactly: 3) == [1, 2, 3]
                }
                state.value.withLock { state in
                    if isServed { state.served += 1 } else { state.failures.append(Date()) }
                }
                try? await Task.sleep(for: .milliseconds(10))
            }
        }
    }

    /// Ends it; gives how many requests were served and when others were not.
    func end() async -> (served: Int, failures: [Date]) {
        shared.value.withLock { $0.isOver = true }
        await task.value
        return shared.value.withLock { ($0.served, $0.failures) }
    }
}
