import HTTP
import Reactor
import Synchronization
import TLS
import Transport
import Wire

/// The conversation of one command with the server; connects with the first request.
final class Session: Sendable {
    let surroundings: Surroundings
    private let opened = Mutex<Connection?>(nil)

    private struct Connection {
        let client: HTTPClient
        let access: ServerAccess
    }

    private static let answerByteCountMax = 64 * 1024 * 1024
    private static let timeoutDefault = Duration.seconds(30)

    init(_ surroundings: Surroundings) {
        self.surroundings = surroundings
    }

    /// Sends a request and returns the body of its success.
    func send(
        _ method: Method,
        _ path: APIPath,
        body: Document? = nil,
        fields extra: [(FieldName, String)] = [],
        waiting: Duration = .zero
    ) async throws(Failure) -> Document {
        let (status, document) = try await exchange(method, path, body, extra, waiting)
        guard (200..<300).contains(status) else {
            throw Failure(status: status, document)
        }
        return document
    }

    func get(_ path: APIPath) async throws(Failure) -> Document {
        try await send(.get, path)
    }

    /// A resource, or nil when there is none.
    func find(_ path: APIPath) async throws(Failure) -> Document? {
        let (status, document) = try await exchange(.get, path, nil, [], .zero)
        if status == 404 { return nil }
        guard (200..<300).contains(status) else { throw Failure(status: status, document) }
        return document
    }

    /// All items of a list, or the first `limit`, and where the rest begins.
    func list(
        _ path: APIPath,
        limit: Int? = nil,
        after: String? = nil
    ) async throws(Failure) -> (items: [Document], next: String?) {
        var items: [Document] = []
        var next = after
        repeat {
            let wanted = limit.map { min(Self.pageMax, $0 - items.count) } ?? Self.pageMax
            let page = try await get(path.with("limit", "\(wanted)").with("after", next))
            items += page.list("items")
            next = page["next"]?.text
            guard items.count <= Self.itemsMax else {
                throw .usage("there are more than \(Self.itemsMax)", hint: "narrow it by --limit")
            }
        } while next != nil && items.count < limit ?? .max
        return (items, next)
    }

    func close() async {
        await opened.withLock { $0 }?.client.close()
    }

    private static let pageMax = 1000
    private static let itemsMax = 100_000

    private func exchange(
        _ method: Method,
        _ path: APIPath,
        _ body: Document?,
        _ extra: [(FieldName, String)],
        _ waiting: Duration
    ) async throws(Failure) -> (status: Int, Document) {
        let connection = try connection()
        var fields = HeaderFields()
        do {
            try fields.append(.authorization, "Bearer \(connection.access.token)")
            try fields.append(.accept, "application/json")
            if body != nil { try fields.append(.contentType, "application/json") }
            for (name, value) in extra { try fields.append(name, value) }
        } catch {
            throw .usage("the request cannot be sent: \(error.sentence)")
        }
        let answer: HTTPClientResponse
        do {
            answer = try await connection.client.send(
                method,
                path.text,
                fields: fields,
                body: body.map { JSON.compact($0) } ?? [],
                timeout: Self.timeoutDefault + waiting
            )
        } catch {
            throw Failure(error, connection.access)
        }
        let status = answer.head.status.code
        guard !answer.body.isEmpty else { return (status, .null) }
        do {
            return (status, try JSON.parse(answer.body, source: "the server's answer"))
        } catch {
            if status >= 400 { return (status, .null) }
            throw Failure(
                .unreachable,
                "the server's answer is no JSON (status \(status))",
                hint: "does TURNPIKE_ADDR name a Turnpike server?"
            )
        }
    }

    private func connection() throws(Failure) -> Connection {
        if let connection = opened.withLock({ $0 }) { return connection }
        let access = try ServerAccess(surroundings.environment)
        let addresses: [SocketAddress]
        let context: TLSContext
        do {
            addresses = try NameResolver.addresses(of: access.host, port: access.port)
        } catch {
            throw Failure(.unreachable, "TURNPIKE_ADDR: \(error)")
        }
        let verifier = HostNameVerifier(
            roots: access.roots,
            host: access.host,
            clock: surroundings.now
        ).verifier
        do {
            context = try TLSContext(
                client: TLSClientConfiguration(verifier: verifier, signatures: .ecdsaOrRSA)
            )
        } catch {
            throw Failure(.unreachable, "TLS cannot be set up: \(error)")
        }
        let isAddress = IPAddress(access.host) != nil
        var configuration = HTTPClientConfiguration(
            addresses: addresses,
            authority: access.authority,
            security: .client(
                context,
                serverName: isAddress ? nil : access.host,
                credentials: nil,
                verifier: nil
            )
        )
        configuration.limits.bodyByteCountMax = Self.answerByteCountMax
        let connection = Connection(
            client: HTTPClient(on: surroundings.reactor, configuration: configuration),
            access: access
        )
        opened.withLock { $0 = connection }
        return connection
    }
}

extension Session {
    /// Prints to standard output.
    func print(_ text: String) { surroundings.writeOutput(text) }

    /// Tells a person something that is no result.
    func note(_ text: String) { surroundings.writeError(text) }

    /// Prints the server's own answer.
    func printJSON(_ document: Document) {
        print(String(decoding: JSON.pretty(document), as: UTF8.self))
    }
}
