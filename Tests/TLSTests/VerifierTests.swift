import Crypto
import Synchronization
import Support
import TLS
import Testing
import Wire

/// A root, an intermediate and leaves of one trust domain, made by our own authority.
struct TestAuthority {
    static let now = Timestamp(secondsSinceEpoch: 1_800_000_000)
    let root: CertificateAuthority
    let intermediate: CertificateAuthority

    init(trustDomain: String = "example.test") throws {
        let day = Duration.seconds(86_400)
        root = try CertificateAuthority.root(
            CertificateTemplate(
                serialBytes: Self.serial(1),
                notBefore: Self.now - day,
                notAfter: Self.now + day,
                subject: DistinguishedName(commonName: "root"),
                purpose: .root
            ),
            key: SigningKey.generate(.ecdsaP256)
        )
        intermediate = try root.intermediate(
            CertificateTemplate(
                serialBytes: Self.serial(2),
                notBefore: Self.now - day,
                notAfter: Self.now + day,
                subject: DistinguishedName(commonName: "intermediate"),
                purpose: .intermediate(trustDomain: trustDomain)
            ),
            key: SigningKey.generate(.ecdsaP256)
        )
    }

    func service(
        _ name: String,
        serial: UInt8 = 9,
        notAfter: Timestamp = now + .seconds(3600)
    ) throws -> TLSCredentials {
        let key = try SigningKey.generate(.ecdsaP256)
        let leaf = try intermediate.issue(
            CertificateTemplate(
                serialBytes: Self.serial(serial),
                notBefore: Self.now - .seconds(60),
                notAfter: notAfter,
                purpose: .leaf(
                    spiffeID: "spiffe://example.test/ns/default/svc/\(name)",
                    dnsNames: ["\(name).default.svc.example.test"]
                )
            ),
            for: key.publicKey
        )
        return try TLSCredentials(chain: [leaf, intermediate.certificate.encoded], key: key)
    }

    static func serial(_ last: UInt8) -> [UInt8] {
        [UInt8](repeating: 1, count: CertificateTemplate.serialByteCount - 1) + [last]
    }
}

@Suite struct VerifierTests {
    private let authority: TestAuthority

    init() throws {
        authority = try TestAuthority()
    }

    private func connect(
        server: TLSCredentials,
        client: TLSCredentials,
        serverVerifier: PeerVerifier? = nil,
        clientVerifier: @escaping PeerVerifier
    ) throws -> TLSPair {
        let serverSide = serverVerifier ?? mesh(accepting: "beta").verifier
        let pair = TLSPair(
            client: try TLSSession(
                client: try TLSContext(client: TLSClientConfiguration(verifier: clientVerifier)),
                serverName: "alpha.default.svc.example.test",
                credentials: client
            ),
            server: try TLSSession(
                server: try TLSContext(
                    server: TLSServerConfiguration(
                        credentials: { _ in server },
                        clientCertificate: .required,
                        verifier: serverSide
                    )
                )
            )
        )
        pair.run()
        return pair
    }

    private func mesh(
        accepting name: String,
        roots: [Certificate]? = nil,
        at time: Timestamp = TestAuthority.now,
        isRevoked: @escaping @Sendable ([UInt8]) -> Bool = { _ in false }
    ) -> SVIDVerifier {
        SVIDVerifier(
            trustDomain: "example.test",
            roots: roots ?? [authority.root.certificate],
            clock: { time },
            isRevoked: isRevoked
        ) { id, _ in id == "spiffe://example.test/ns/default/svc/\(name)" }
    }

    @Test func workloadsKnowEachOther() throws {
        let (alpha, beta) = (try authority.service("alpha"), try authority.service("beta"))
        let verifier = mesh(accepting: "alpha")
        // Twice, so that the second handshake finds the remembered path.
        for _ in 0..<2 {
            let pair = try connect(server: alpha, client: beta, clientVerifier: verifier.verifier)
            #expect(pair.client.peer?.name == "spiffe://example.test/ns/default/svc/alpha")
            #expect(pair.server.peer?.name == "spiffe://example.test/ns/default/svc/beta")
            #expect(pair.client.peer?.notAfter == TestAuthority.now + .seconds(3600))
            #expect(pair.client.peer?.leafDigest.count == 32)
        }
    }

    @Test func anotherWorkloadIsRefused() throws {
        let gamma = try authority.service("gamma")
        let pair = try connect(
            server: gamma,
            client: try authority.service("beta"),
            clientVerifier: mesh(accepting: "alpha").verifier
        )
        #expect(pair.client.failure?.kind == .peerRefused)
        #expect(pair.server.failure?.alert == .handshakeFailure)
    }

    @Test func anotherRootIsRefused() throws {
        let foreign = try TestAuthority()
        let pair = try connect(
            server: try foreign.service("alpha"),
            client: try authority.service("beta"),
            clientVerifier: mesh(accepting: "alpha").verifier
        )
        #expect(pair.client.failure?.alert == .unknownCA)
    }

    @Test func revocationCountsAlsoForARememberedPath() throws {
        let (alpha, beta) = (try authority.service("alpha"), try authority.service("beta"))
        let revoked = RevokedSerials()
        let verifier = mesh(accepting: "alpha", isRevoked: { revoked.contains($0) })
        let before = try connect(server: alpha, client: beta, clientVerifier: verifier.verifier)
        #expect(before.client.status == .open)
        let serial = try #require(before.client.peer?.serialNumber)
        revoked.insert(serial)
        let after = try connect(server: alpha, client: beta, clientVerifier: verifier.verifier)
        #expect(after.client.failure?.alert == .certificateRevoked)
    }

    @Test func expiredLeafIsRefused() throws {
        let alpha = try authority.service("alpha")
        let pair = try connect(
            server: alpha,
            client: try authority.service("beta"),
            clientVerifier: mesh(
                accepting: "alpha",
                at: TestAuthority.now + .seconds(3_601)
            ).verifier
        )
        #expect(pair.client.failure?.kind == .peerRefused)
    }

    @Test(arguments: [
        ("alpha.default.svc.example.test", true), ("ALPHA.default.svc.example.test", true),
        ("beta.default.svc.example.test", false), ("127.0.0.1", false),
    ])
    func hostNameMustBeNamed(_ host: String, _ isAccepted: Bool) throws {
        let verifier = HostNameVerifier(
            roots: [authority.root.certificate],
            host: host,
            clock: { TestAuthority.now }
        )
        let pair = try connect(
            server: try authority.service("alpha"),
            client: try authority.service("beta"),
            clientVerifier: verifier.verifier
        )
        #expect((pair.client.status == .open) == isAccepted)
        #expect(isAccepted || pair.client.failure?.kind == .peerRefused)
    }
}

/// Serial numbers that a test revokes.
final class RevokedSerials: Sendable {
    private let serials = Mutex<Set<[UInt8]>>([])

    func insert(_ serial: [UInt8]) {
        _ = serials.withLock { $0.insert(serial) }
    }

    func contains(_ serial: [UInt8]) -> Bool {
        serials.withLock { $0.contains(serial) }
    }
}
