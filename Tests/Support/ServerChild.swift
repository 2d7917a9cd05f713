import Foundation
package import HTTP
package import Reactor
import Wire

/// A real `turnpike-server serve` as a child process.
package final class ServerChild: @unchecked Sendable {
    // The addresses are set once, by the task that waits for the start.
    package let site: ServerSite
    private let child: ProgramChild
    private var client: APIClient?
    package private(set) var agentAddress: SocketAddress?

    init(
        _ arguments: [String],
        environment: [String: String],
        site: ServerSite
    ) throws {
        self.site = site
        var environment = environment
        environment["PATH"] = environment["PATH"] ?? "/usr/bin:/bin"
        child = try ProgramChild(
            TestProgram.server.path,
            arguments,
            environment: environment,
            in: "/"
        )
    }

    package var processIdentifier: Int32 { child.processIdentifier }
    package var isRunning: Bool { child.isRunning }
    /// What it has logged so far.
    package var log: String { child.errors }
    package var output: String { child.output }

    /// Waits until it listens and `/readyz` says yes.
    package func waitUntilReady(within limit: Duration = .seconds(60)) async throws {
        let deadline = ContinuousClock.now + limit
        guard await child.waitForOutput("listening agents", within: limit),
            let api = address("api"), let agents = address("agents")
        else {
            child.signal(SIGKILL)
            throw ServerChildError(text: "the server did not start: \(log)")
        }
        site.remember(api: api, agents: agents)
        agentAddress = agents
        let client = try APIClient(api, authorityFile: site.authorityFile)
        self.client = client
        while true {
            let answer = try await client.send(.get, "/readyz", token: nil)
            if answer.status == 200 { return }
            guard ContinuousClock.now < deadline else {
                throw ServerChildError(text: "the server is not ready: \(answer.text)\n\(log)")
            }
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    private func address(_ name: String) -> SocketAddress? {
        for line in child.output.split(separator: "\n") where line.hasPrefix("listening \(name) ") {
            return line.split(separator: " ").last.flatMap { SocketAddress(String($0)) }
        }
        return nil
    }

    /// The client of its API.
    package var api: APIClient {
        get throws {
            guard let client else { throw ServerChildError(text: "the server is not ready yet") }
            return client
        }
    }

    /// Waits until agents are connected to some replica and enforce what was signed for them.
    package func waitUntilEnforcing(
        _ agents: [String],
        token: String? = nil,
        within limit: Duration = .seconds(30)
    ) async throws {
        var administrator = token
        if administrator == nil { administrator = try await site.administratorToken(self) }
        let deadline = ContinuousClock.now + limit
        for agent in agents {
            while true {
                let answer = try await api.send(
                    .get,
                    "/v1/agents/\(agent)",
                    token: administrator
                )
                let isConnected = answer.body["connected_server"]?.text != nil
                let enforced = answer.body["enforced_revision"]?.integer ?? 0
                if isConnected, enforced > 0, answer.body["lag"]?.integer == 0 { break }
                guard ContinuousClock.now < deadline else {
                    throw ServerChildError(text: "\(agent) enforces nothing: \(answer.text)")
                }
                try await Task.sleep(for: .milliseconds(20))
            }
        }
    }

    /// A client with a connection of its own.
    package func newClient() throws -> APIClient {
        try APIClient(try api.address, authorityFile: site.authorityFile)
    }

    /// Sends one request as the administrator.
    package func send(
        _ method: HTTP.Method,
        _ target: String,
        body: String = "",
        fields: [(String, String)] = []
    ) async throws -> APIClient.Answer {
        try await api.send(
            method,
            target,
            token: try await site.administratorToken(self),
            body: body,
            fields: fields
        )
    }

    /// A token with a policy of its own, made by the administrator: `paths` is JSON.
    package func token(paths: String, name: String = "limited") async throws -> String {
        let policy = try await send(
            .put,
            "/v1/policies/\(name)",
            body: #"{"paths":\#(paths)}"#
        )
        guard (200...201).contains(policy.status) else {
            throw ServerChildError(text: "no policy: \(policy.status) \(policy.text)")
        }
        let token = try await send(
            .post,
            "/v1/tokens",
            body: #"{"display_name":"\#(name)","policies":["\#(name)"],"ttl":"1h"}"#
        )
        guard let text = token.body["token"]?.text else {
            throw ServerChildError(text: "no token: \(token.status) \(token.text)")
        }
        return text
    }

    /// Runs `turnpike` against it, as the administrator unless a token is given.
    package func turnpike(
        _ arguments: [String],
        token: String? = nil,
        input: String? = nil
    ) async throws -> ProgramEnd {
        var own = token ?? ""
        if token == nil { own = try await site.administratorToken(self) }
        return try await ProgramChild.run(
            TestProgram.commandLine.path,
            arguments,
            environment: site.environment(token: own),
            input: input
        )
    }

    /// Invites an agent and lets it join.
    package func enrol(
        _ agent: String,
        placing services: [String] = []
    ) async throws -> JoinedAgent {
        let places = services.flatMap { ["--place", $0] }
        let invited = try await turnpike(["agent", "invite", agent] + places)
        guard invited.code == 0 else { throw ServerChildError(text: invited.errors) }
        let home = try JoinedAgent(agent)
        let joined = try await AgentChild.run(
            ["join", "--token-file", "-", "--data-directory", home.path],
            input: invited.output
        )
        guard joined.code == 0 else { throw ServerChildError(text: joined.errors) }
        return home
    }

    /// Sends a signal.
    package func signal(_ number: Int32) { child.signal(number) }

    /// Waits for the end; gives the exit code, or the signal as a negative number.
    @discardableResult
    package func wait() async -> Int32 { await child.wait() }

    /// Kills it (SIGKILL) and waits; the embedded PostgreSQL lives on.
    package func kill() async {
        child.signal(SIGKILL)
        await wait()
    }

    /// Asks it to end (SIGTERM) and waits; gives the exit code.
    @discardableResult
    package func stop() async -> Int32 {
        child.signal(SIGTERM)
        return await wait()
    }
}

/// The data directory of an agent that joined; it goes with the last reference, also those of its
/// running agents.
package final class JoinedAgent: Sendable {
    private let scratch: ScratchDirectory
    package let name: String

    init(_ name: String) throws {
        self.name = name
        scratch = try ScratchDirectory("agent")
    }

    package var path: String { scratch.path + "/" + name }

    /// Starts it and waits until it listens.
    package func start(
        _ more: [String] = [],
        environment: [String: String] = [:]
    ) async throws -> AgentChild {
        let agent = try AgentChild(
            directory: path,
            more,
            environment: environment,
            keeping: self
        )
        guard await agent.waitForListeners() else { throw ServerChildError(text: agent.log) }
        return agent
    }
}

/// Why a server is not there to test with.
package struct ServerChildError: Error, CustomStringConvertible {
    let text: String

    package var description: String { text }
}
