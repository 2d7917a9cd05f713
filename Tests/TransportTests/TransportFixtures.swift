import Reactor
import Support
import Synchronization
import TLS
import Transport
import Wire

/// One reactor for a test, stopped when the test lets go of it.
final class TestReactor {
    let thread: ReactorThread
    var reactor: Reactor { thread.reactor }

    init() throws {
        thread = try ReactorThread(name: "transport-test")
    }

    deinit {
        thread.stop()
    }
}

/// A list that server tasks write and the test reads.
final class Log<Element: Sendable>: Sendable {
    private let elements = Mutex<[Element]>([])

    func append(_ element: Element) {
        elements.withLock { $0.append(element) }
    }

    var all: [Element] { elements.withLock { $0 } }
}

extension TestCertificate {
    func credentials() throws -> TLSCredentials {
        try TLSCredentials(chainPEM: chainPEM, privateKeyPEM: privateKeyPEM)
    }
}

/// Accepts exactly these leaves.
func accepting(_ certificates: TestCertificate...) -> PeerVerifier {
    { chain in
        for certificate in certificates where chain.certificates.first == certificate.leaf {
            return .accept(
                PeerIdentity(
                    name: certificate.name,
                    serialNumber: [1],
                    leafDigest: [],
                    notAfter: .distantFuture
                )
            )
        }
        return .refuse(PeerRefusal(.unknownCA, reason: "no root that we trust"))
    }
}

enum TestContexts {
    static let name = "alpha.default.svc.example.test"

    /// A server that shows alpha for alpha's name, web for localhost, and knows beta.
    static func server(
        _ policy: ClientCertificatePolicy,
        applicationProtocols: [String] = []
    ) throws -> TLSContext {
        let alpha = try TestCertificates.alpha.credentials()
        let web = try TestCertificates.web.credentials()
        return try TLSContext(
            server: TLSServerConfiguration(
                credentials: { serverName in
                    switch serverName {
                    case name, "enroll.example.test": alpha
                    case "localhost", nil: web
                    default: nil
                    }
                },
                clientCertificate: policy,
                verifier: accepting(TestCertificates.beta),
                applicationProtocols: applicationProtocols,
                signatures: .ecdsaOrRSA
            )
        )
    }

    static func client() throws -> TLSContext {
        try TLSContext(
            client: TLSClientConfiguration(
                verifier: accepting(TestCertificates.alpha, TestCertificates.web),
                signatures: .ecdsaOrRSA
            )
        )
    }

    static func clientSecurity(
        serverName: String? = name,
        certificate: TestCertificate? = TestCertificates.beta
    ) throws -> StreamSecurity {
        .client(
            try client(),
            serverName: serverName,
            credentials: try certificate?.credentials(),
            verifier: nil
        )
    }
}

extension Reactor {
    /// A deadline that a healthy test never meets.
    static var soon: Instant { Instant.now.advanced(by: .seconds(20)) }
}
