import HTTP
package import Reactor
import TLS
package import Wire

/// The address of a document on an HTTPS server: no user, no fragment.
package struct DocumentAddress: Hashable, Sendable, CustomStringConvertible {
    /// The longest address.
    package static let bytesMax = 2048

    /// As it was written.
    package let description: String
    package let host: String
    package let port: UInt16
    let authority: Authority
    let target: String

    /// Nil for everything but `https://host[:port]/path[?query]`.
    package init?(_ text: String) {
        let scheme = "https://"
        guard text.utf8.count <= Self.bytesMax, text.utf8.starts(with: scheme.utf8) else {
            return nil
        }
        let rest = text.utf8.dropFirst(scheme.utf8.count)
        let end = rest.firstIndex(of: UInt8(ascii: "/")) ?? rest.endIndex
        let target = end == rest.endIndex ? "/" : String(Substring(rest[end...]))
        guard let authority = Authority(String(Substring(rest[..<end]))),
            RequestTarget(target) != nil, !target.utf8.contains(UInt8(ascii: "#"))
        else { return nil }
        description = text
        self.authority = authority
        self.target = target
        let name = authority.host
        host = name.utf8.first == UInt8(ascii: "[") ? String(name.dropFirst().dropLast()) : name
        port = authority.port ?? 443
    }
}

/// Why a document could not be fetched; for whoever configured its address.
package enum DocumentFetchError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The name has no address, or none that may be asked.
    case noAddress(String)
    /// No authority could be read that the server could be verified with.
    case noRoots
    case failed(String)
    /// Anything but 200: redirects are not followed.
    case status(Int)

    /// One sentence for people.
    package var description: String {
        switch self {
        case .noAddress(let problem): problem
        case .noRoots: "no certificate authority to verify the server with"
        case .failed(let problem): problem
        case .status(let code): "the server answered \(code) where 200 is expected"
        }
    }
}

/// Fetches small documents of other people's servers: HTTPS with the name verified, no redirects, bounded
/// in size and time.
package struct DocumentFetch: Sendable {
    private static let connectTimeout: Duration = .milliseconds(1_500)
    private static let totalTimeout: Duration = .seconds(5)
    /// The addresses of a name that are tried.
    private static let addressesMax = 4

    /// A document with how long its server says that it holds.
    package struct Answer: Equatable, Sendable {
        package let body: [UInt8]
        /// From `Cache-Control: max-age`.
        package let maxAge: Duration?
    }

    /// What is asked for.
    package struct Request: Sendable {
        /// Which host the request is for, if not the address's.
        package var host: String?
        package var fields: [(name: String, value: String)]
        /// Nil for `GET`; what is sent is sent by `POST`.
        package var body: [UInt8]?

        package init(
            host: String? = nil,
            fields: [(name: String, value: String)],
            body: [UInt8]? = nil
        ) {
            self.host = host
            self.fields = fields
            self.body = body
        }
    }

    /// What a server said, whatever its status.
    package struct Reply: Equatable, Sendable {
        package let status: Int
        /// Type and subtype in lower case, without parameters; empty for none.
        package let mediaType: String
        package let body: [UInt8]
        /// From `Cache-Control: max-age`.
        package let maxAge: Duration?
    }

    /// The authorities that the server must be verified under, PEM.
    package var rootsPEM: [UInt8]
    /// The longest document.
    package var byteCountMax: Int
    /// Whether an address may be asked, by its bytes; asked after the name was resolved, once.
    package var admits: @Sendable ([UInt8]) -> Bool
    package var clock: @Sendable () -> Timestamp

    package init(
        rootsPEM: [UInt8],
        byteCountMax: Int,
        admits: @escaping @Sendable ([UInt8]) -> Bool,
        clock: @escaping @Sendable () -> Timestamp
    ) {
        self.rootsPEM = rootsPEM
        self.byteCountMax = byteCountMax
        self.admits = admits
        self.clock = clock
    }

    /// Fetches one document within 5 s; `resolver` is where names are looked up, which blocks.
    package func get(
        _ address: DocumentAddress,
        on reactor: Reactor,
        resolver: WorkerPool
    ) async throws(DocumentFetchError) -> Answer {
        let request = Request(fields: [("accept", "application/json")])
        let reply = try await send(request, to: address, on: reactor, resolver: resolver)
        guard reply.status == Status.ok.code else { throw .status(reply.status) }
        return Answer(body: reply.body, maxAge: reply.maxAge)
    }

    /// Sends one request within 5 s and gives the answer whatever its status; no redirects.
    package func send(
        _ request: Request,
        to address: DocumentAddress,
        on reactor: Reactor,
        resolver: WorkerPool
    ) async throws(DocumentFetchError) -> Reply {
        guard let authority = request.host.map({ Authority($0) }) ?? address.authority else {
            throw .failed("the host of the request is no host")
        }
        var fields = HeaderFields()
        for field in request.fields {
            do {
                try fields.append(name: field.name, value: field.value)
            } catch {
                throw .failed("a field of the request is none")
            }
        }
        let addresses = try await addresses(of: address, resolver)
        guard
            let verifier = HostNameVerifier(rootsPEM: rootsPEM, host: address.host, clock: clock)
        else { throw .noRoots }
        let client: HTTPClient
        do throws(TLSConfigurationError) {
            let context = try TLSContext(
                client: TLSClientConfiguration(
                    verifier: verifier.verifier,
                    signatures: .ecdsaOrRSA,
                    versions: .from12
                )
            )
            var configuration = HTTPClientConfiguration(
                addresses: addresses,
                authority: authority,
                security: .client(
                    context,
                    serverName: IPAddress(address.host) == nil ? address.host : nil,
                    credentials: nil,
                    verifier: nil
                )
            )
            configuration.connectTimeout = Self.connectTimeout
            configuration.limits.bodyByteCountMax = byteCountMax
            client = HTTPClient(on: reactor, configuration: configuration)
        } catch {
            throw .failed("TLS cannot be set up: \(error)")
        }
        let answer = await Self.answer(client, address, fields, request.body)
        await client.close()
        switch answer {
        case .success(let response):
            let type = response.head.fields.first(.contentType).flatMap { MediaType($0) }
            return Reply(
                status: response.head.status.code,
                mediaType: type.map { "\($0.type)/\($0.subtype)" } ?? "",
                body: response.body,
                maxAge: Self.maxAge(response.head.fields)
            )
        case .failure(let error): throw .failed("\(error)")
        }
    }

    private static func answer(
        _ client: HTTPClient,
        _ address: DocumentAddress,
        _ fields: HeaderFields,
        _ body: [UInt8]?
    ) async -> Result<HTTPClientResponse, HTTPClientError> {
        do throws(HTTPClientError) {
            return .success(
                try await client.send(
                    body == nil ? .get : .post,
                    address.target,
                    fields: fields,
                    body: body ?? [],
                    timeout: totalTimeout
                )
            )
        } catch {
            return .failure(error)
        }
    }

    private func addresses(
        of address: DocumentAddress,
        _ resolver: WorkerPool
    ) async throws(DocumentFetchError) -> [SocketAddress] {
        let found: Result<[SocketAddress], NameResolutionError>
        do throws(WorkerPool.Refusal) {
            found = try await resolver.run {
                Result { () throws(NameResolutionError) in
                    try NameResolver.addresses(of: address.host, port: address.port)
                }
            }
        } catch {
            throw .failed("\(error)")
        }
        switch found {
        case .failure(let error): throw .noAddress("\(error)")
        case .success(let all):
            let admitted = all.filter { $0.ipAddress.map { admits($0.bytes) } ?? false }
            guard !admitted.isEmpty else {
                throw .noAddress("no address of \(address.host) may be asked from here")
            }
            return Array(admitted.prefix(Self.addressesMax))
        }
    }

    private static func maxAge(_ fields: HeaderFields) -> Duration? {
        guard let name = FieldName("cache-control") else { return nil }
        for value in fields.values(name) {
            for directive in value.split(separator: ",") {
                let parts = directive.split(separator: "=", maxSplits: 1)
                guard parts.count == 2,
                    parts[0].drop(while: { $0 == " " }).lowercased() == "max-age",
                    let seconds = Int64(parts[1]), 0...31_536_000 ~= seconds
                else { continue }
                return .seconds(seconds)
            }
        }
        return nil
    }
}
