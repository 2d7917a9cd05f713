import Support
import TLS
import Testing

/// Every refusal: who refuses, for which reason, with which alert on the other side.
@Suite struct TLSRefusalTests {
    private let beta: TLSCredentials

    init() throws {
        beta = try TestCertificates.beta.credentials()
    }

    @Test(arguments: [nil, "beta.default.svc.example.test", "example.test"])
    func absentOrUnknownServerName(_ name: String?) throws {
        let pair = try TLSPair(server: .test(), serverName: name, credentials: beta)
        pair.run()
        #expect(pair.server.failure?.kind == .unknownServerName)
        #expect(pair.server.failure?.alert == .unrecognizedName)
        #expect(pair.client.failure?.kind == .peerAlert)
        #expect(pair.client.failure?.alert == .unrecognizedName)
    }

    @Test func serverNameIsFoundInAnyCase() throws {
        let pair = try TLSPair(
            server: .test(),
            serverName: "ALPHA.default.svc.example.TEST",
            credentials: beta
        )
        pair.run()
        #expect(pair.server.status == .open)
        #expect(pair.server.serverName == "alpha.default.svc.example.test")
    }

    @Test(arguments: ["127.0.0.1", "::1", "a..b", "", "a b", String(repeating: "a", count: 254)])
    func namesThatAreNoNames(_ name: String) throws {
        #expect(throws: TLSConfigurationError.invalidServerName) {
            _ = try TLSPair(server: .test(), serverName: name)
        }
    }

    @Test func missingClientCertificate() throws {
        let pair = try TLSPair(server: .test())
        pair.run()
        #expect(pair.server.failure?.kind == .noPeerCertificate)
        #expect(pair.server.failure?.alert == .certificateRequired)
        #expect(pair.client.failure?.kind == .peerAlert)
        #expect(pair.client.failure?.alert == .certificateRequired)
    }

    @Test(arguments: [ClientCertificatePolicy.none, .optional])
    func clientCertificateMayBeAbsent(_ policy: ClientCertificatePolicy) throws {
        let pair = try TLSPair(server: .test(clientCertificate: policy))
        pair.run()
        #expect(pair.server.status == .open)
        #expect(pair.server.peer == nil)
    }

    @Test func optionalClientCertificateIsVerifiedAndNamed() throws {
        let known = try TLSPair(server: .test(clientCertificate: .optional), credentials: beta)
        known.run()
        #expect(known.server.peer?.name == "beta")
        let impostor = try TLSPair(
            server: .test(clientCertificate: .optional),
            credentials: try TestCertificates.impostor.credentials()
        )
        impostor.run()
        #expect(impostor.server.failure?.kind == .peerRefused)
    }

    @Test func unknownCertificateOfTheClient() throws {
        let pair = try TLSPair(
            server: .test(),
            credentials: try TestCertificates.impostor.credentials()
        )
        pair.run()
        #expect(pair.server.failure?.kind == .peerRefused)
        #expect(pair.server.failure?.alert == .unknownCA)
        #expect(pair.server.failure?.reason == "no root that we trust")
        #expect(pair.server.peer == nil)
        #expect(pair.client.failure?.alert == .unknownCA)
    }

    @Test func unknownCertificateOfTheServer() throws {
        let pair = try TLSPair(
            server: .test(),
            client: TLSClientConfiguration(verifier: accepting(TestCertificates.beta)),
            credentials: beta
        )
        pair.run()
        #expect(pair.client.failure?.kind == .peerRefused)
        #expect(pair.server.failure?.kind == .peerAlert)
        #expect(pair.server.failure?.alert == .unknownCA)
    }

    @Test(arguments: [
        (PeerRefusal.Kind.badCertificate, TLSAlert.badCertificate),
        (.unsupportedCertificate, .unsupportedCertificate),
        (.revoked, .certificateRevoked),
        (.expired, .certificateExpired),
        (.unknownCA, .unknownCA),
        (.otherIdentity, .handshakeFailure),
    ])
    func refusalsTellThePeerWhy(_ kind: PeerRefusal.Kind, _ alert: TLSAlert) throws {
        let pair = try TLSPair(
            server: .test(),
            client: TLSClientConfiguration { _ in
                .refuse(PeerRefusal(kind, reason: "private words"))
            },
            credentials: beta
        )
        pair.run()
        #expect(pair.client.failure?.alert == alert)
        #expect(pair.server.failure?.alert == alert)
        #expect(pair.server.failure?.description.contains("private words") == false)
    }

    @Test func verifierOfTheSessionWins() throws {
        let client = try TLSSession(
            client: try TLSContext(client: .test()),
            serverName: "alpha.default.svc.example.test",
            credentials: beta,
            verifier: accepting(TestCertificates.beta)
        )
        let pair = TLSPair(
            client: client,
            server: try TLSSession(server: try TLSContext(server: .test()))
        )
        pair.run()
        #expect(client.failure?.kind == .peerRefused)
    }

    @Test(arguments: [
        (["turnpike/1"], ["turnpike/1"], "turnpike/1"),
        (["h2", "http/1.1"], ["http/1.1", "h2"], "http/1.1"),
        ([], ["turnpike/1"], nil),
    ])
    func agreedProtocol(_ offered: [String], _ known: [String], _ agreed: String?) throws {
        let pair = try TLSPair(
            server: .test(applicationProtocols: known),
            client: .test(applicationProtocols: offered),
            credentials: beta
        )
        pair.run()
        #expect(pair.server.status == .open)
        #expect(pair.server.applicationProtocol == agreed)
        #expect(pair.client.applicationProtocol == agreed)
    }

    @Test(arguments: [
        (["other/1"], ["turnpike/1"], false),
        (["other/1"], [], false),
        ([], ["turnpike/1"], true),
        (["turnpike"], ["turnpike/1"], true),
    ])
    func protocolMismatch(_ offered: [String], _ known: [String], _ isRequired: Bool) throws {
        let pair = try TLSPair(
            server: .test(
                applicationProtocols: known,
                requiresApplicationProtocol: isRequired
            ),
            client: .test(applicationProtocols: offered),
            credentials: beta
        )
        pair.run()
        #expect(pair.server.failure?.kind == .noApplicationProtocol)
        #expect(pair.client.failure?.alert == .noApplicationProtocol)
    }

    @Test func clientMayInsistOnAProtocol() throws {
        let server = try TLSServerConfiguration.test()
        let pair = try TLSPair(
            server: server,
            client: .test(applicationProtocols: [], requiresApplicationProtocol: true),
            credentials: beta
        )
        pair.run()
        #expect(pair.client.failure?.kind == .noApplicationProtocol)
        #expect(pair.client.peer == nil)
    }

    @Test func longChainIsRefused() throws {
        let leaf = TestCertificates.beta
        let padding = [[UInt8]](
            repeating: TestCertificates.root.leaf,
            count: TLSLimits.peerChainCountMax
        )
        let key = try #require(TestKey.der(of: leaf))
        let long = try TLSCredentials(chain: [leaf.leaf] + padding, privateKey: key)
        let pair = try TLSPair(server: .test(), credentials: long)
        pair.run()
        #expect(pair.server.failure?.kind == .peerChainTooLong)
        #expect(pair.client.failure?.kind == .peerAlert)
    }

    @Test func credentialsChangeBetweenConnectionsOnly() throws {
        let box = CredentialsBox(try TestCertificates.alpha.credentials())
        let server = try TLSContext(
            server: TLSServerConfiguration(
                credentials: { _ in box.current },
                clientCertificate: .none,
                verifier: accepting()
            )
        )
        let client = try TLSContext(
            client: TLSClientConfiguration(
                verifier: accepting(TestCertificates.alpha, TestCertificates.beta)
            )
        )
        func connect() throws -> TLSPair {
            let pair = TLSPair(
                client: try TLSSession(client: client, serverName: "any.example.test"),
                server: try TLSSession(server: server)
            )
            pair.run()
            return pair
        }
        let before = try connect()
        box.current = beta
        let after = try connect()
        #expect(before.client.peer?.name == "alpha")
        #expect(after.client.peer?.name == "beta")
        before.clientSends([1, 2])
        before.run()
        #expect(before.serverRead == [1, 2])
    }
}
