import Crypto
import Foundation
package import HTTP
package import Reactor
import Synchronization
import TLS
package import Transport
package import Wire

/// A client of a running control plane's API, over TLS; one connection, one request at a time.
package final class APIClient: Sendable {
    package let address: SocketAddress
    private let client: HTTPClient
    private let lastUse = Mutex(ContinuousClock.now)

    /// An answer of the API.
    package struct Answer: Sendable {
        package let status: Int
        package let fields: HeaderFields
        /// The body as it came.
        package let text: String
        /// The body, where it is JSON.
        package let body: Document

        /// The code of a refusal.
        package var code: String? { body["code"]?.text }
        /// The sentences of a refusal.
        package var errors: [String] { (body["errors"]?.items ?? []).compactMap(\.text) }
    }

    /// A client that trusts the authority in a file of PEM.
    package init(
        _ address: SocketAddress,
        authorityFile: String,
        on reactor: Reactor = TestDatabase.reactor
    ) throws {
        self.address = address
        let host = "\(address.ipAddress.map { "\($0)" } ?? "localhost"):\(address.port ?? 0)"
        guard let authority = Authority(host) else {
            throw APIClientError(text: "no host: \(host)")
        }
        var configuration = HTTPClientConfiguration(
            addresses: [address],
            authority: authority,
            security: try Self.security(address, authorityFile: authorityFile)
        )
        configuration.limits.bodyByteCountMax = 64 * 1_024 * 1_024
        client = HTTPClient(on: reactor, configuration: configuration)
    }

    /// TLS towards the API, for clients that send bytes of their own.
    package static func security(
        _ address: SocketAddress,
        authorityFile: String
    ) throws -> StreamSecurity {
        let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: authorityFile)))
        let verifier = HostNameVerifier(
            roots: try PEM.decode(bytes).map { try Certificate(der: $0.bytes) },
            host: address.ipAddress.map { "\($0)" } ?? "localhost",
            clock: { Timestamp(nanosecondsSinceEpoch: WallClock.nanoseconds()) }
        ).verifier
        return .client(
            try TLSContext(
                client: TLSClientConfiguration(verifier: verifier, signatures: .ecdsaOrRSA)
            ),
            serverName: nil,
            credentials: nil,
            verifier: nil
        )
    }

    /// Sends one request; nil as a token sends none.
    package func send(
        _ method: HTTP.Method,
        _ target: String,
        token: String?,
        body: String = "",
        fields: [(String, String)] = [],
        timeout: Duration = .seconds(60)
    ) async throws -> Answer {
        var head = HeaderFields()
        if let token { try head.append(.authorization, "Bearer \(token)") }
        for (name, value) in fields { try head.append(name: name, value: value) }
        // The server ends a connection that is idle for a minute, and a POST is not sent twice.
        let idle = lastUse.withLock { last in
            defer { last = .now }
            return ContinuousClock.now - last
        }
        if idle > .seconds(20) { await client.close() }
        let response = try await client.send(
            method,
            target,
            fields: head,
            body: Array(body.utf8),
            timeout: timeout
        )
        return Answer(
            status: response.head.status.code,
            fields: response.head.fields,
            text: String(decoding: response.body, as: UTF8.self),
            body: (try? JSON.parse(response.body, source: "answer")) ?? .null
        )
    }

    /// Closes the connection; a later request makes a new one.
    package func close() async { await client.close() }
}

/// Why there is no client.
package struct APIClientError: Error, CustomStringConvertible {
    let text: String

    package var description: String { text }
}
