import Support
import Synchronization
import TLS
import Testing
import Wire

/// The DER behind a test certificate's PEM key.
enum TestKey {
    static func der(of certificate: TestCertificate) -> [UInt8]? {
        (try? PEM.decode(certificate.privateKeyPEM))?.first?.bytes
    }
}

/// Credentials that a test replaces.
final class CredentialsBox: Sendable {
    private let value: Mutex<TLSCredentials>

    init(_ credentials: TLSCredentials) {
        value = Mutex(credentials)
    }

    var current: TLSCredentials {
        get { value.withLock { $0 } }
        set { value.withLock { $0 = newValue } }
    }
}

@Suite struct TLSCredentialsTests {
    @Test func keyOfAnotherCertificate() throws {
        #expect(throws: TLSConfigurationError.privateKeyMismatch) {
            _ = try TLSCredentials(
                chainPEM: TestCertificates.alpha.chainPEM,
                privateKeyPEM: TestCertificates.beta.privateKeyPEM
            )
        }
    }

    @Test func nothingOrGarbage() throws {
        let alpha = TestCertificates.alpha
        let key = try #require(TestKey.der(of: alpha))
        #expect(throws: TLSConfigurationError.emptyChain) {
            _ = try TLSCredentials(chain: [], privateKey: key)
        }
        #expect(throws: TLSConfigurationError.invalidCertificate(index: 0)) {
            _ = try TLSCredentials(chain: [[1, 2, 3]], privateKey: key)
        }
        #expect(throws: TLSConfigurationError.invalidCertificate(index: 1)) {
            _ = try TLSCredentials(chain: [alpha.leaf, alpha.leaf + [0]], privateKey: key)
        }
        #expect(throws: TLSConfigurationError.invalidPrivateKey) {
            _ = try TLSCredentials(chain: [alpha.leaf], privateKey: [])
        }
        #expect(throws: TLSConfigurationError.invalidPrivateKey) {
            _ = try TLSCredentials(
                chainPEM: alpha.chainPEM,
                privateKeyPEM: alpha.chainPEM
            )
        }
    }
}
