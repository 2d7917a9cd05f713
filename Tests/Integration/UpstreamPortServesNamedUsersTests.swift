import Foundation
import Mesh
import Snapshot
import Support
import Synchronization
import Testing
import Wire

/// Who may use an upstream port, asked with processes of real users.
@Suite(
    .timeLimit(.minutes(10)),
    .enabled(if: getuid() == 0, "needs root: processes of other users are started")
)
struct UpstreamPortServesNamedUsersTests {
    private static let named: UInt32 = 64_101
    private static let other: UInt32 = 64_102

    /// What a user's process gets back for three bytes.
    private func answer(_ uid: UInt32, _ host: StandHost) async throws -> String {
        try await ProgramChild.run(
            "/usr/bin/setpriv",
            [
                "--reuid", "\(uid)", "--regid", "\(uid)", "--clear-groups", "/bin/bash", "-c",
                """
                exec 3<>/dev/tcp/127.0.0.1/\(host.upstreamPort) || exit 1
                printf abc >&3
                /usr/bin/timeout 10 /usr/bin/head -c 3 <&3
                """,
            ],
            in: "/"
        ).output
    }

    private func publish(
        _ users: Upstream.Users,
        revision: UInt64,
        _ host: StandHost,
        _ agent: RunningAgent
    ) async throws {
        let answer = try await host.publish(
            host.snapshot(revision: revision, through: agent.meshPort, users: users)
        )
        try #require(answer.errors == [])
    }

    @Test func theNamedUserPassesAndNobodyElse() async throws {
        let host = try await StandHost()
        let agent = try await host.start()
        try await host.allow(agent, users: .only([Self.named]))
        #expect(try await answer(Self.named, host) == "abc")
        #expect(try await answer(Self.other, host) == "")
        #expect(try await answer(0, host) == "")
        let decision = try #require(try await host.decision(.uidNotAllowed))
        #expect(decision.destination == host.database)
        #expect(decision.verdict == .deny)

        try await publish(.any, revision: 2, host, agent)
        #expect(try await answer(Self.named, host) == "abc")
        #expect(try await answer(Self.other, host) == "abc")
        #expect(try await agent.status()["upstreams"]?[0]?["uids"]?.text == "any")

        // Without a name the port is nobody's, not even root's.
        try await publish(.only([]), revision: 3, host, agent)
        #expect(try await answer(0, host) == "")
        #expect(try await answer(Self.named, host) == "")
        #expect(await agent.end() == 0)
        await host.stop()
    }

    /// A socket without a file would report uid 0, which is the one allowed here.
    @Test(arguments: [false, true]) func aSocketThatWasClosedBeforeItWasJudgedIsNobodys(
        onlyHalf: Bool
    ) async throws {
        let served = Mutex(0)
        let host = try await StandHost(serve: { _ in served.withLock { $0 += 1 } })
        let agent = try await host.start()
        try await host.allow(agent, users: .only([0]))
        try await agent.freeze()
        let socket = Mutex(LoopbackSocket.connect(port: host.upstreamPort))
        try #require(socket.withLock { $0 } != nil)
        socket.withLock { socket in
            _ = socket?.send([1])
            if onlyHalf { socket?.finishSending() } else { socket = nil }
        }
        agent.thaw()
        let found = try await host.decision(.socketOwnerUnknown)
        let decision = try #require(found, "\(agent.child.log)")
        #expect(decision.verdict == .deny)
        #expect(served.withLock { $0 } == 0)
        #expect(await agent.end() == 0)
        await host.stop()
    }
}
