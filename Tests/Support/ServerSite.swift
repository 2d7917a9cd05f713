import Foundation
import HTTP
import Reactor
import Synchronization
import Wire

/// What one replica has on this host: its data directory, its keys, its ports; and its processes.
///
/// The first start takes free ports, every later one the same. The data directory, with the
/// embedded cluster in it, goes with the last reference.
package final class ServerSite: Sendable {
    private struct State {
        var apiAddress: SocketAddress?
        var agentAddress: SocketAddress?
        var token: String?
    }

    private let scratch: ScratchDirectory
    private let state = Mutex(State())
    /// Settings of every start, as flags.
    private let settings: [String]

    /// A site where nothing has run yet.
    package init(_ settings: [String] = []) throws {
        scratch = try ScratchDirectory("server")
        self.settings = settings
        try FileManager.default.createDirectory(
            atPath: path + "/keys",
            withIntermediateDirectories: false,
            attributes: [.posixPermissions: 0o700]
        )
    }

    deinit {
        // The processes themselves ended with their references.
        killPostmaster()
    }

    package var path: String { scratch.path }
    package var dataDirectory: String { path + "/data" }
    package var clusterDirectory: String { dataDirectory + "/database/cluster/data" }
    package var socketDirectory: String { dataDirectory + "/database/cluster/socket" }
    package var kekFile: String { path + "/keys/kek" }
    package var trustKeyFile: String { path + "/keys/trust.key" }
    package var bootstrapTokenFile: String { path + "/keys/bootstrap-token" }
    package var authorityFile: String { dataDirectory + "/api-ca.pem" }

    /// The flags of `serve` and `sql` that say where everything is.
    package var flags: [String] {
        let (api, agents) = state.withLock { ($0.apiAddress, $0.agentAddress) }
        return [
            "--trust-domain", "example.test", "--data-directory", dataDirectory,
            "--keys-kek-file", kekFile, "--keys-trust-key-file", trustKeyFile,
            "--keys-bootstrap-token-file", bootstrapTokenFile,
            "--api-listen", api.map { "\($0)" } ?? "127.0.0.1:0",
            "--agents-listen", agents.map { "\($0)" } ?? "127.0.0.1:0",
            "--shutdown-drain", "2s",
        ] + settings
    }

    /// Starts `serve` without waiting for anything.
    package func launch(
        _ more: [String] = [],
        environment: [String: String] = [:]
    ) throws -> ServerChild {
        try ServerChild(
            ["serve", "--print-listeners"] + flags + more,
            environment: environment,
            site: self
        )
    }

    /// Starts `serve` and waits until it is ready.
    package func start(_ more: [String] = []) async throws -> ServerChild {
        await StartTurn.shared.take()
        do {
            let server = try launch(more)
            try await server.waitUntilReady()
            await StartTurn.shared.end()
            return server
        } catch {
            await StartTurn.shared.end()
            throw error
        }
    }

    func remember(api: SocketAddress, agents: SocketAddress) {
        state.withLock { state in
            state.apiAddress = api
            state.agentAddress = agents
        }
    }

    /// The token of an administrator, made with the bootstrap token when first asked for.
    package func administratorToken(_ server: ServerChild) async throws -> String {
        if let token = state.withLock({ $0.token }) { return token }
        let answer = try await server.api.send(
            .post,
            "/v1/tokens",
            token: try bootstrapToken(),
            body: #"{"display_name":"test","policies":["admin"],"ttl":"24h"}"#
        )
        guard let token = answer.body["token"]?.text else {
            throw ServerChildError(text: "no administrator: \(answer.status) \(answer.text)")
        }
        state.withLock { $0.token = token }
        return token
    }

    /// The token in the bootstrap file.
    package func bootstrapToken() throws -> String {
        try String(contentsOfFile: bootstrapTokenFile, encoding: .utf8)
            .trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// The environment of `turnpike` for this site.
    package func environment(token: String) -> [String: String] {
        let address = state.withLock { $0.apiAddress }
        return [
            "TURNPIKE_ADDR": "https://\(address.map { "\($0)" } ?? "")",
            "TURNPIKE_TOKEN": token,
            "TURNPIKE_CACERT": authorityFile,
        ]
    }
}

extension ServerSite {
    /// The process of the embedded PostgreSQL; nil when its file names none.
    package var postmaster: Int32? {
        let file = clusterDirectory + "/postmaster.pid"
        let text = try? String(contentsOfFile: file, encoding: .utf8)
        return text?.split(separator: "\n").first.flatMap { Int32($0) }
    }

    /// Kills the embedded PostgreSQL at once (SIGKILL), if it runs.
    package func killPostmaster() {
        guard let postmaster, postmaster > 1 else { return }
        kill(postmaster, SIGKILL)
    }

    /// Runs SQL as the owner of the whole embedded cluster, behind the server's back.
    ///
    /// The answer is one line for each row, columns separated by `|`.
    @discardableResult
    package func sql(_ text: String) async throws -> String {
        let password = try String(
            contentsOfFile: dataDirectory + "/database/postgres.password",
            encoding: .utf8
        )
        let end = try await ProgramChild.run(
            "/usr/bin/env",
            [
                "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", socketDirectory,
                "-U", "postgres", "-d", "turnpike",
            ],
            environment: [
                "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8",
                "PGPASSWORD": password.trimmingCharacters(in: .whitespacesAndNewlines),
            ],
            input: text
        )
        guard end.code == 0 else { throw ServerChildError(text: "psql: \(end.errors)") }
        return end.output.trimmingCharacters(in: .newlines)
    }
}

/// Lets few servers start at once: making a cluster costs a processor, and the tests that wait for
/// the first one should not wait for all.
private actor StartTurn {
    static let shared = StartTurn()

    private var free = 2
    private var waiting: [CheckedContinuation<Void, Never>] = []

    func take() async {
        if free > 0 {
            free -= 1
        } else {
            await withCheckedContinuation { waiting.append($0) }
        }
    }

    func end() {
        if waiting.isEmpty { free += 1 } else { waiting.removeFirst().resume() }
    }
}
