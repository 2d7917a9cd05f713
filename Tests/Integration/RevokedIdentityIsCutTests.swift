import Foundation
import HTTP
import Support
import Testing
import Wire

extension OneAtATime {
    @Suite(.serialized, .timeLimit(.minutes(10))) struct RevokedIdentityIsCutTests {
        @Test func aRevokedServiceIsCutInTimeAndComesBackWithNewCertificates() async throws {
            let origin = EchoOrigin()
            defer { withExtendedLifetime(origin) {} }
            let hosts = try await TwoHosts(instance: origin.port)
            let (source, destination) = try await hosts.startBoth()
            let revision = try await hosts.decide("allow", from: "reports")
            try await destination.wait(forRevision: revision)
            try #require(try await eventually { await hosts.echoes(hosts.reportsPort) })
            let web = try #require(await onThread { LoopbackSocket.connect(port: hosts.webPort) })
            let reports = try #require(
                await onThread { LoopbackSocket.connect(port: hosts.reportsPort) }
            )
            for socket in [web, reports] { #expect(await echoes(socket)) }

            let revoked = try await hosts.server.turnpike([
                "revoke", "identity", "web", "--reason", "key was published", "--wait", "enforced",
                "--timeout", "20s", "--json",
            ])
            #expect(revoked.code == 0, "\(revoked.errors)")
            let answer = try JSON.parse(Array(revoked.output.utf8), source: "answer")
            #expect(answer["certificates"]?.integer ?? 0 >= 1)
            #expect(answer["cannot_enforce"]?.items?.isEmpty == true)
            #expect(answer["enforced"]?["complete"]?.bool == true, "\(revoked.output)")
            // Both agents have cut before the answer; the bound is the issue's.
            let pause = try #require(answer["enforced"]?["milliseconds"]?.integer)
            #expect(pause <= 1_000, "\(revoked.output)")
            #expect(await onThread { web.receive().end } != .open)
            #expect(await echoes(reports))
            #expect(await !hosts.echoes(hosts.webPort))

            let listed = try await hosts.server.turnpike(["revoke", "list"])
            #expect(listed.output.contains("default/web") && listed.output.contains("published"))
            let allowed = try await hosts.server.turnpike(["identity", "allow", "web"])
            #expect(allowed.code == 0, "\(allowed.errors)")
            #expect(
                try await eventually(within: .seconds(90)) { await hosts.echoes(hosts.webPort) },
                "\(source.child.log)"
            )
            #expect(await echoes(reports))
            let again = try await hosts.server.turnpike(["identity", "allow", "web"])
            #expect(again.code == 3, "\(again.errors)")
        }

        @Test func anAgentThatIsPutOutIsCutEverywhere() async throws {
            let origin = EchoOrigin()
            defer { withExtendedLifetime(origin) {} }
            let hosts = try await TwoHosts(instance: origin.port)
            let (source, destination) = try await hosts.startBoth()
            // A process goes with its last reference.
            defer { withExtendedLifetime(source) {} }
            let web = try #require(await onThread { LoopbackSocket.connect(port: hosts.webPort) })
            #expect(await echoes(web))
            let revoked = try await hosts.server.turnpike([
                "revoke", "agent", "host-a", "--reason", "host was broken into", "--wait",
                "enforced",
                "--timeout", "20s",
            ])
            #expect(revoked.code == 0, "\(revoked.errors)")
            #expect(revoked.output.contains("certificates are denied"), "\(revoked.output)")
            #expect(revoked.errors.contains(" ms: host-b"), "\(revoked.errors)")
            #expect(await onThread { web.receive().end } != .open)
            #expect(await !hosts.echoes(hosts.webPort))
            #expect(try await eventually { destination.child.log.contains("leaf_revoked") })
        }

        private func echoes(_ socket: LoopbackSocket) async -> Bool {
            await onThread {
                socket.send([4, 2])
                return socket.receive(exactly: 2) == [4, 2]
            }
        }
    }
}
