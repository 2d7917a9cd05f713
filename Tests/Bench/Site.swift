import Crypto
import Foundation
import HTTP
import Reactor
import TLS
import Transport
import Wire

/// The control plane that is measured: where its API is, and who vouches for it.
struct Site: Sendable {
    let address: SocketAddress
    private let roots: [Certificate]

    init(address: String, authorityFile: String) throws {
        guard let parsed = SocketAddress(address) else {
            throw BenchError("'\(address)' is no address with a port")
        }
        self.address = parsed
        let bytes = [UInt8](try Data(contentsOf: URL(filePath: authorityFile)))
        roots = try PEM.decode(bytes).map { try Certificate(der: $0.bytes) }
    }

    /// One connection for requests, made when the first is sent.
    func client(on reactor: Reactor) throws -> HTTPClient {
        let host = address.ipAddress.map { "\($0)" } ?? "localhost"
        let verifier = HostNameVerifier(roots: roots, host: host, clock: { Cost.now })
        let context = try TLSContext(
            client: TLSClientConfiguration(verifier: verifier.verifier, signatures: .ecdsaOrRSA)
        )
        return try client(
            "\(host):\(address.port ?? 0)",
            .client(context, serverName: nil, credentials: nil, verifier: nil),
            on: reactor
        )
    }

    /// One connection under the enrolment name; `verifier` decides on the server.
    func enrolmentClient(
        _ name: String,
        verifier: @escaping PeerVerifier,
        on reactor: Reactor
    ) throws -> HTTPClient {
        let context = try TLSContext(
            client: TLSClientConfiguration(verifier: verifier, applicationProtocols: ["http/1.1"])
        )
        return try client(
            name,
            .client(context, serverName: name, credentials: nil, verifier: nil),
            on: reactor
        )
    }

    private func client(
        _ host: String,
        _ security: StreamSecurity,
        on reactor: Reactor
    ) throws -> HTTPClient {
        guard let authority = Authority(host) else { throw BenchError("no host: \(host)") }
        var configuration = HTTPClientConfiguration(
            addresses: [address],
            authority: authority,
            security: security
        )
        configuration.limits.bodyByteCountMax = 16 << 20
        return HTTPClient(on: reactor, configuration: configuration)
    }
}
