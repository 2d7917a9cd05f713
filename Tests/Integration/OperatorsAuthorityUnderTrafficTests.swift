import Foundation
import Support
import Testing

/// An operator's own CA takes over while connections are open.
@Suite(.timeLimit(.minutes(10))) struct OperatorsAuthorityUnderTrafficTests {
    @Test func leavesComeToChainToTheOperatorsRootAndNoConnectionIsDropped() async throws {
        let origin = EchoOrigin()
        defer { withExtendedLifetime(origin) {} }
        let hosts = try await TwoHosts(instance: origin.port)
        let (source, destination) = try await hosts.startBoth()
        defer { withExtendedLifetime((source, destination)) {} }
        let steps = RotationSteps(site: hosts.site, server: hosts.server)
        let traffic = try #require(await EchoTraffic(through: hosts.webPort))
        let owner = try OperatorAuthority(key: "RSA")

        // Nothing in what is brought is trusted before the trust keys say so.
        let request = try await steps.take(["ca", "csr"]).output
        let first = try owner.sign(request)
        try await steps.propose(importing(first, owner))
        #expect(try verifies(hosts.destinationHome.path + "/agent.pem", owner) == false)
        try await steps.propose(["rotate", "root", "activate"])

        // Agents replace what is under the root that is leaving, spread over a minute.
        for file in [
            hosts.sourceHome.path + "/leaves/default.web.pem",
            hosts.sourceHome.path + "/agent.pem",
            hosts.destinationHome.path + "/leaves/default.db.pem",
            hosts.destinationHome.path + "/agent.pem",
        ] {
            let isReplaced = try await eventually(within: .seconds(120)) {
                try verifies(file, owner)
            }
            #expect(isReplaced, "\(file)")
        }
        let revision = try await hosts.decide("allow", from: "reports")
        try await destination.wait(forRevision: revision)

        // The next intermediate is a request again, and signs as soon as it is back.
        let refused = try await hosts.server.turnpike(["rotate", "intermediate", "replace"])
        #expect(refused.code == 5 && refused.errors.contains("turnpike ca csr"))
        let second = try owner.sign(try await steps.take(["ca", "csr"]).output)
        let taken = try await steps.take(importing(second, owner))
        #expect(taken.output.isEmpty && taken.errors.contains("signs from now on"))
        let newcomer = try await hosts.server.enrol("host-c")
        #expect(try verifies(newcomer.path + "/agent.pem", owner))
        #expect(try chain(newcomer.path + "/agent.pem").contains(body(of: second)))

        let (rounds, failures) = await traffic.end()
        #expect(failures.isEmpty && rounds > 10, "\(failures)\n\(source.child.log)")
        // The operator's keys were never here: not on a disk of the server's, not in its log.
        let secret = try #require(owner.signerKey.split(separator: "\n").dropFirst().first)
        #expect(!hosts.server.log.contains(secret))
    }

    private func importing(_ certificate: String, _ owner: OperatorAuthority) throws -> [String] {
        let path = "\(owner.directory)/\(UUID().uuidString)"
        try certificate.write(toFile: path + ".pem", atomically: true, encoding: .utf8)
        try owner.chain.write(toFile: path + ".chain", atomically: true, encoding: .utf8)
        return ["ca", "import", "--certificate", path + ".pem", "--chain", path + ".chain"]
    }

    /// Whether the chain in a file leads to the operator's root, by another's judgement.
    private func verifies(_ file: String, _ owner: OperatorAuthority) throws -> Bool {
        let copy = "\(owner.directory)/\(UUID().uuidString).pem"
        try chain(file).write(toFile: copy, atomically: true, encoding: .utf8)
        return OpenSSLCommand.run([
            "verify", "-x509_strict", "-CAfile", owner.rootPath, "-untrusted", copy, copy,
        ]).status == 0
    }

    private func chain(_ file: String) throws -> String {
        try String(contentsOfFile: file, encoding: .utf8)
    }

    private func body(of pem: String) -> String {
        pem.split(separator: "\n").filter { !$0.hasPrefix("-") }.joined(separator: "\n")
    }
}
