import HTTP
import Reactor
import Support
import TLS
import Testing
import Transport

/// Port 7400 asks for a certificate: whoever has none is served, whoever shows one that is not the
/// mesh's is not.
struct ForeignCertificateIsNobodyTests {
    private func status(
        _ server: ServerChild,
        _ certificate: TestCertificate?
    ) async throws -> Int? {
        let address = try server.api.address
        let security = try APIClient.security(address, authorityFile: server.site.authorityFile)
        guard case .client(let context, let name, _, let verifier) = security else { return nil }
        let credentials = try certificate.map {
            try TLSCredentials(chainPEM: $0.chainPEM, privateKeyPEM: $0.privateKeyPEM)
        }
        let host = "\(address.ipAddress.map { "\($0)" } ?? ""):\(address.port ?? 0)"
        let client = HTTPClient(
            on: TestDatabase.reactor,
            configuration: HTTPClientConfiguration(
                addresses: [address],
                authority: try #require(Authority(host)),
                security: .client(
                    context,
                    serverName: name,
                    credentials: credentials,
                    verifier: verifier
                )
            )
        )
        let answer = try? await client.send(.get, "/v1/sys/health", timeout: .seconds(20))
        await client.close()
        return answer?.head.status.code
    }

    @Test func aForeignCertificateEndsTheHandshake() async throws {
        let server = try await SharedServer.get()
        #expect(try await status(server, nil) == 200)
        #expect(try await status(server, TestCertificates.alpha) == nil)
        #expect(try await status(server, TestCertificates.impostor) == nil)
        #expect(try await status(server, nil) == 200)
    }
}
