import Foundation
import HTTP
import Support
import Testing
import Wire

/// Everything that signs is replaced while connections are open.
@Suite(.timeLimit(.minutes(10))) struct RotationUnderTrafficTests {
    @Test func keysAreReplacedWithoutAConnectionNoticing() async throws {
        let origin = EchoOrigin()
        defer { withExtendedLifetime(origin) {} }
        let hosts = try await TwoHosts(instance: origin.port)
        let (source, destination) = try await hosts.startBoth()
        // A process goes with its last reference.
        defer { withExtendedLifetime(source) {} }
        let live = try #require(await onThread { LoopbackSocket.connect(port: hosts.webPort) })
        let keys = hosts.site.path + "/keys"
        try #require(await echoes(live))

        // A key for a key: announced, known, used, and the old one out.
        try await propose(["snapshot-key", "prepare"], hosts)
        try await taken(["rotate", "snapshot-key", "activate"], hosts)
        try await enforcesAnew(hosts, destination)
        try await propose(["snapshot-key", "retire"], hosts)
        try await enforcesAnew(hosts, destination)
        #expect(await echoes(live))

        // Other trust keys: the old one alone signs no more.
        let trustKey = try await replaceTrustKey(hosts)
        let step = try await hosts.server.turnpike(["rotate", "root", "prepare"])
        #expect(step.code == 0, "\(step.errors)")
        try step.output.write(
            toFile: "\(keys)/proposal.json",
            atomically: true,
            encoding: .utf8
        )
        let old = try await sign(proposal(hosts, hosts.site.trustKeyFile))
        #expect(old.code != 0 && old.errors.contains("do not suffice"), "\(old.errors)")

        // A stolen snapshot key goes at once, and the epoch with it.
        try await propose(["snapshot-key", "replace"], hosts, trustKey)
        try await destination.wait(for: "the new epoch") { $0["epoch"]?.integer == 2 }
        try await enforcesAnew(hosts, destination)
        #expect(await echoes(live))
    }

    @Test func nothingIsDroppedUntilAnOldRootIsTakenOutByForce() async throws {
        let origin = EchoOrigin()
        defer { withExtendedLifetime(origin) {} }
        let hosts = try await TwoHosts(instance: origin.port)
        let (source, destination) = try await hosts.startBoth()
        let live = try #require(await onThread { LoopbackSocket.connect(port: hosts.webPort) })
        let signedFile = hosts.site.path + "/keys/signed.json"

        // The intermediate is nobody's business but the server's.
        let intermediate = try await hosts.server.turnpike(["rotate", "intermediate", "replace"])
        #expect(intermediate.code == 0, "\(intermediate.errors)")

        // A root: known to all before it signs.
        try await propose(["root", "prepare"], hosts)
        try await propose(["root", "activate"], hosts)
        #expect(await echoes(live))
        try await enforcesAnew(hosts, destination)
        let early = try await hosts.server.turnpike(["rotate", "root", "retire"])
        try early.output.write(
            toFile: hosts.site.path + "/keys/proposal.json",
            atomically: true,
            encoding: .utf8
        )
        let signed = try await sign(proposal(hosts, hosts.site.trustKeyFile))
        #expect(signed.code == 0, "\(signed.errors)")
        let inUse = try await hosts.server.turnpike(
            ["trust", "submit"],
            input: String(decoding: try read(signedFile), as: UTF8.self)
        )
        #expect(inUse.code == 5 && inUse.errors.contains("have not ended"), "\(inUse.errors)")
        #expect(await echoes(live))

        // By force: what was verified under the old root is cut, and all goes on under the new one.
        try await submit(signedFile, hosts, ["--force"])
        #expect(await onThread { live.receive().end } != .open)
        // Whichever side hears of it first.
        #expect(
            try await eventually {
                (source.child.log + destination.child.log).contains("untrusted_chain")
            }
        )
        #expect(
            try await eventually(within: .seconds(30)) { await hosts.echoes(hosts.webPort) },
            "\(source.child.log)"
        )
    }

    /// Puts another trust key in the place of the first; gives its file.
    private func replaceTrustKey(_ hosts: TwoHosts) async throws -> String {
        let keys = hosts.site.path + "/keys"
        let document = try await hosts.server.turnpike(["trust", "show"])
        let current = "\(keys)/current.json"
        try document.output.write(toFile: current, atomically: true, encoding: .utf8)
        let replaced = try await sign([
            "replace-keys", "--current", current, "--trust-key", hosts.site.trustKeyFile,
            "--new-trust-key", "\(keys)/trust-2.key", "--out", "\(keys)/signed.json",
        ])
        try #require(replaced.code == 0, "\(replaced.errors)")
        try await submit("\(keys)/signed.json", hosts)
        return "\(keys)/trust-2.key"
    }

    private func proposal(_ hosts: TwoHosts, _ trustKey: String) -> [String] {
        let keys = hosts.site.path + "/keys"
        return [
            "sign", "--proposal", "\(keys)/proposal.json", "--trust-key", trustKey, "--out",
            "\(keys)/signed.json",
        ]
    }

    /// A change of rules still reaches the agent.
    private func enforcesAnew(_ hosts: TwoHosts, _ agent: RunningAgent) async throws {
        for action in ["deny", "allow"] {
            let revision = try await hosts.decide(action, from: "reports")
            try await agent.wait(forRevision: revision)
        }
    }

    /// Takes a step, signs its proposal and gives it to the server.
    private func propose(
        _ step: [String],
        _ hosts: TwoHosts,
        _ trustKey: String? = nil
    ) async throws {
        let keys = hosts.site.path + "/keys"
        let end = try await taken(["rotate"] + step, hosts)
        try end.output.write(
            toFile: "\(keys)/proposal.json",
            atomically: true,
            encoding: .utf8
        )
        let signed = try await sign(proposal(hosts, trustKey ?? hosts.site.trustKeyFile))
        try #require(signed.code == 0, "\(step): \(signed.errors)")
        try await submit("\(keys)/signed.json", hosts)
    }

    /// Repeats a command until all agents have acknowledged what it relies on.
    @discardableResult
    private func taken(_ command: [String], _ hosts: TwoHosts) async throws -> ProgramEnd {
        var end = try await hosts.server.turnpike(command)
        for _ in 0..<200 where end.errors.contains("is not acknowledged") {
            try await Task.sleep(for: .milliseconds(100))
            end = try await hosts.server.turnpike(command)
        }
        try #require(end.code == 0, "\(command): \(end.errors)")
        return end
    }

    private func submit(_ path: String, _ hosts: TwoHosts, _ more: [String] = []) async throws {
        let text = String(decoding: try read(path), as: UTF8.self)
        var end = try await hosts.server.turnpike(["trust", "submit"] + more, input: text)
        for _ in 0..<200 where end.errors.contains("is not acknowledged") {
            try await Task.sleep(for: .milliseconds(100))
            end = try await hosts.server.turnpike(["trust", "submit"] + more, input: text)
        }
        try #require(end.code == 0, "\(end.errors)")
    }

    private func read(_ path: String) throws -> Data {
        try Data(contentsOf: URL(fileURLWithPath: path))
    }

    private func sign(_ arguments: [String]) async throws -> ProgramEnd {
        try await ProgramChild.run(TestProgram.server.path, ["trust"] + arguments)
    }

    private func echoes(_ socket: LoopbackSocket) async -> Bool {
        await onThread {
            socket.send([4, 2])
            return socket.receive(exactly: 2) == [4, 2]
        }
    }
}
