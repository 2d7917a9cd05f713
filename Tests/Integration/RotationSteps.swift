import Foundation
import Support
import Testing

/// What an operator types for a rotation: steps at the server, signatures where the trust key is.
struct RotationSteps {
    let site: ServerSite
    let server: ServerChild

    /// Repeats a command until all agents have acknowledged what it relies on.
    @discardableResult
    func take(_ command: [String], input: String? = nil) async throws -> ProgramEnd {
        var end = try await server.turnpike(command, input: input)
        for _ in 0..<200 where end.errors.contains("is not acknowledged") {
            try await Task.sleep(for: .milliseconds(100))
            end = try await server.turnpike(command, input: input)
        }
        try #require(end.code == 0, "\(command): \(end.errors)")
        return end
    }

    /// Takes a step, signs its proposal and gives it to the server.
    func propose(_ command: [String], trustKey: String? = nil) async throws {
        let end = try await take(command)
        let signed = try await sign(end.output, trustKey: trustKey)
        try await submit(signed)
    }

    /// The signed document of a proposal.
    func sign(_ proposal: String, trustKey: String? = nil) async throws -> String {
        let end = try await attempt(proposal, trustKey: trustKey)
        try #require(end.code == 0, "\(end.errors)")
        return try String(contentsOfFile: signedFile, encoding: .utf8)
    }

    /// Signs a proposal, or tells why it cannot.
    func attempt(_ proposal: String, trustKey: String? = nil) async throws -> ProgramEnd {
        try proposal.write(toFile: proposalFile, atomically: true, encoding: .utf8)
        return try await trust([
            "sign", "--proposal", proposalFile, "--trust-key", trustKey ?? site.trustKeyFile,
            "--out", signedFile,
        ])
    }

    /// Gives a signed document to the server.
    func submit(_ signed: String, _ more: [String] = []) async throws {
        try await take(["trust", "submit"] + more, input: signed)
    }

    /// Runs the offline half.
    func trust(_ arguments: [String]) async throws -> ProgramEnd {
        try await ProgramChild.run(TestProgram.server.path, ["trust"] + arguments)
    }

    var signedFile: String { "\(site.path)/keys/signed.json" }
    private var proposalFile: String { "\(site.path)/keys/proposal.json" }
}

/// Traffic that goes on while something is replaced: connections that stay, and new ones.
final class EchoTraffic: Sendable {
    private let connections: [LoopbackSocket]
    private let task: Task<(rounds: Int, failures: [String]), Never>

    /// Opens connections through a port and keeps them busy; nil if one cannot be opened.
    init?(through port: UInt16, connections count: Int = 8) async {
        var opened: [LoopbackSocket] = []
        for _ in 0..<count {
            guard let socket = await onThread({ LoopbackSocket.connect(port: port) }) else {
                return nil
            }
            opened.append(socket)
        }
        let connections = opened
        self.connections = connections
        task = Task {
            var rounds = 0
            var failures: [String] = []
            while !Task.isCancelled {
                rounds += 1
                for (index, socket) in connections.enumerated()
                where await !Self.echoes(socket) {
                    failures.append("connection \(index) in round \(rounds)")
                }
                let isNew = await onThread {
                    LoopbackSocket.connect(port: port).map { Self.exchange($0) } ?? false
                }
                if !isNew { failures.append("a new connection in round \(rounds)") }
                guard failures.count < 20 else { break }
                try? await Task.sleep(for: .milliseconds(50))
            }
            return (rounds, failures)
        }
    }

    /// Ends the traffic; gives how often it went round, and everything that went wrong.
    func end() async -> (rounds: Int, failures: [String]) {
        task.cancel()
        return await task.value
    }

    private static func echoes(_ socket: LoopbackSocket) async -> Bool {
        await onThread { exchange(socket) }
    }

    private static func exchange(_ socket: LoopbackSocket) -> Bool {
        socket.send([4, 2]) && socket.receive(exactly: 2) == [4, 2]
    }
}
