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
        let steps = RotationSteps(site: hosts.site, server: hosts.server)
        try #require(await echoes(live))

        // A key for a key: announced, known, used, and the old one out.
        try await steps.propose(["rotate", "snapshot-key", "prepare"])
        try await steps.take(["rotate", "snapshot-key", "activate"])
        try await enforcesAnew(hosts, destination)
        try await steps.propose(["rotate", "snapshot-key", "retire"])
        try await enforcesAnew(hosts, destination)
        #expect(await echoes(live))

        // Other trust keys: the old one alone signs no more.
        let trustKey = try await replaceTrustKey(hosts)
        let step = try await steps.take(["rotate", "root", "prepare"])
        let old = try await steps.attempt(step.output)
        #expect(old.code != 0 && old.errors.contains("do not suffice"), "\(old.errors)")

        // A stolen snapshot key goes at once, and the epoch with it.
        try await steps.propose(["rotate", "snapshot-key", "replace"], trustKey: trustKey)
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
        let steps = RotationSteps(site: hosts.site, server: hosts.server)

        // The intermediate is nobody's business but the server's.
        let intermediate = try await hosts.server.turnpike(["rotate", "intermediate", "replace"])
        #expect(intermediate.code == 0, "\(intermediate.errors)")

        // A root: known to all before it signs.
        try await steps.propose(["rotate", "root", "prepare"])
        try await steps.propose(["rotate", "root", "activate"])
        #expect(await echoes(live))
        try await enforcesAnew(hosts, destination)
        let early = try await steps.take(["rotate", "root", "retire"])
        let signed = try await steps.sign(early.output)
        let inUse = try await hosts.server.turnpike(["trust", "submit"], input: signed)
        #expect(inUse.code == 5 && inUse.errors.contains("have not ended"), "\(inUse.errors)")
        #expect(await echoes(live))

        // By force: what was verified under the old root is cut, and all goes on under the new one.
        try await steps.submit(signed, ["--force"])
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
        let steps = RotationSteps(site: hosts.site, server: hosts.server)
        let keys = hosts.site.path + "/keys"
        let current = "\(keys)/current.json"
        try await steps.take(["trust", "show"]).output
            .write(toFile: current, atomically: true, encoding: .utf8)
        let replaced = try await steps.trust([
            "replace-keys", "--current", current, "--trust-key", hosts.site.trustKeyFile,
            "--new-trust-key", "\(keys)/trust-2.key", "--out", steps.signedFile,
        ])
        try #require(replaced.code == 0, "\(replaced.errors)")
        try await steps.submit(try String(contentsOfFile: steps.signedFile, encoding: .utf8))
        return "\(keys)/trust-2.key"
    }

    /// A change of rules still reaches the agent.
    private func enforcesAnew(_ hosts: TwoHosts, _ agent: RunningAgent) async throws {
        for action in ["deny", "allow"] {
            let revision = try await hosts.decide(action, from: "reports")
            try await agent.wait(forRevision: revision)
        }
    }

    private func echoes(_ socket: LoopbackSocket) async -> Bool {
        await onThread {
            socket.send([4, 2])
            return socket.receive(exactly: 2) == [4, 2]
        }
    }
}
