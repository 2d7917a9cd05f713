import HTTP
import Reactor
import Support
import TLS
import Testing
import Transport

/// A server on one reactor, and raw and proper clients for it.
final class HTTPFixture {
    let lane: TestReactor
    let server: HTTPServer
    let events: Log<ServerEvent>
    var reactor: Reactor { lane.reactor }

    init(
        security: TLSContext? = nil,
        _ configure: (inout HTTPServerConfiguration) -> Void = { _ in },
        handler: @escaping HTTPServer.RequestHandler = HTTPFixture.echo
    ) async throws {
        let lane = try TestReactor()
        let events = Log<ServerEvent>()
        var configuration = HTTPServerConfiguration(security: security)
        configuration.observe = { events.append($0) }
        configure(&configuration)
        self.lane = lane
        self.events = events
        server = try await HTTPServer.start(
            on: .loopback(),
            reactors: [lane.reactor],
            configuration: configuration,
            handler: handler
        )
    }

    /// Answers with the request's body, and its path in a field.
    static let echo: HTTPServer.RequestHandler = { request in
        var response = HTTPResponse(status: .ok, body: request.body)
        try? response.fields.append(name: "x-path", value: request.head.path)
        return response
    }

    func client(_ security: StreamSecurity = .none) throws -> HTTPClient {
        let authority = try #require(Authority("localhost:7400"))
        return HTTPClient(
            on: reactor,
            configuration: HTTPClientConfiguration(
                addresses: [server.localAddress],
                authority: authority,
                security: security
            )
        )
    }

    func connect(_ security: StreamSecurity = .none) async throws -> StreamConnection {
        try await StreamConnection.connect(
            to: server.localAddress,
            on: reactor,
            security: security,
            deadline: Reactor.soon
        )
    }

    /// Sends bytes as they are and returns everything until the server ends.
    func converse(_ text: String, finishing: Bool = false) async throws -> String {
        let connection = try await connect()
        try await connection.write(Array(text.utf8))
        if finishing { try await connection.finishWriting() }
        var read: [UInt8] = []
        do throws(StreamError) {
            while let more = try await connection.read(deadline: Reactor.soon) { read += more }
        } catch {
            guard case .system(let error) = error, error.isConnectionReset else { throw error }
        }
        await connection.close()
        return String(decoding: read, as: UTF8.self)
    }

    func finish() async {
        await server.drain(grace: .seconds(5))
        #expect(await server.connectionCount() == 0)
    }
}

@Suite(.timeLimit(.minutes(1))) struct HTTPServerTests {
    private static let get = "GET /a HTTP/1.1\r\nhost: x\r\n\r\n"

    @Test func keepAliveServesManyRequests() async throws {
        let fixture = try await HTTPFixture()
        let client = try fixture.client()
        for number in 0..<50 {
            let body = [UInt8](repeating: UInt8(number), count: number * 997)
            let answer = try await client.send(.post, "/echo/\(number)", body: body)
            #expect(answer.head.status == .ok)
            #expect(answer.body == body)
            #expect(answer.head.fields.first(.xRequestID)?.count == 36)
        }
        #expect(await fixture.server.connectionCount() == 1)
        await client.close()
        await fixture.finish()
    }

    @Test func pipelinedRequestsAreAnsweredInOrder() async throws {
        let fixture = try await HTTPFixture()
        var text = ""
        for number in 0..<20 { text += "GET /\(number) HTTP/1.1\r\nhost: x\r\n\r\n" }
        text += "GET /last HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
        let answer = try await fixture.converse(text)
        let paths = answer.split(separator: "\r\n").filter { $0.hasPrefix("x-path") }
        #expect(paths == (0..<20).map { "x-path: /\($0)" } + ["x-path: /last"])
        await fixture.finish()
    }

    @Test(arguments: [
        ("\u{1}\u{2}garbage\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\n\r\n", "400"),
        ("GET /%00%zz HTTP/1.1\r\nhost: x\r\n\r\n", "400"),
        ("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nab", "400"),
        ("GET / HTTP/1.1\r\nhost: x\r\nx: \(String(repeating: "y", count: 9_000))\r\n\r\n", "431"),
        ("GET /\(String(repeating: "y", count: 9_000)) HTTP/1.1\r\nhost: x\r\n\r\n", "414"),
        ("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9999999\r\n\r\n", "413"),
        ("POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nFFFFFF\r\n", "413"),
        ("POST /small HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nabcde", "413"),
        ("GET / HTTP/3.1\r\nhost: x\r\n\r\n", "505"),
    ])
    func refusedBytesGetOneAnswerAndTheEnd(_ text: String, _ status: String) async throws {
        let fixture = try await HTTPFixture { configuration in
            configuration.bodyByteCountMax = { $0.path == "/small" ? 4 : .max }
        }
        let answer = try await fixture.converse(text)
        let isAnswered = answer.hasPrefix("HTTP/1.1 \(status) ")
        #expect(isAnswered || status == "505" && answer.hasPrefix("HTTP/1.1 400 "), "\(answer)")
        #expect(answer.contains("connection: close"))
        #expect(!fixture.events.all.isEmpty)
        // The server is unharmed.
        #expect(try await fixture.converse(Self.get, finishing: true).hasPrefix("HTTP/1.1 200 "))
        await fixture.finish()
    }

    @Test func slowHeadIsTold408() async throws {
        let fixture = try await HTTPFixture { $0.policy.limits.headTimeout = .milliseconds(300) }
        let answer = try await fixture.converse("GET / HTTP/1.1\r\nhost")
        // On a busy host the first bytes may come too late to begin a head.
        #expect(answer.hasPrefix("HTTP/1.1 408 ") || answer.isEmpty)
        // A connection without a single byte is closed without a word.
        #expect(try await fixture.converse("") == "")
        await fixture.finish()
    }

    @Test func slowBodyIsTold408() async throws {
        let fixture = try await HTTPFixture {
            $0.policy.limits.bodyRateWindow = .seconds(1)
        }
        let answer = try await fixture.converse(
            "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nabc"
        )
        #expect(answer.hasPrefix("HTTP/1.1 408 "))
        await fixture.finish()
    }

    @Test func idleConnectionEnds() async throws {
        let fixture = try await HTTPFixture { $0.policy.limits.idleTimeout = .milliseconds(80) }
        let answer = try await fixture.converse(Self.get)
        #expect(answer.hasPrefix("HTTP/1.1 200 "))
        #expect(!answer.contains("408"))
        await fixture.finish()
    }

    @Test func halfClosedClientIsStillAnswered() async throws {
        let fixture = try await HTTPFixture { _ in
        } handler: { request in
            await Task.yield()
            return HTTPResponse(status: .ok, body: Array(request.head.path.utf8))
        }
        let answer = try await fixture.converse(Self.get, finishing: true)
        #expect(answer.hasPrefix("HTTP/1.1 200 "))
        #expect(answer.hasSuffix("\r\n\r\n/a"))
        await fixture.finish()
    }

    @Test func expectContinueIsAnswered() async throws {
        let fixture = try await HTTPFixture()
        let connection = try await fixture.connect()
        let head =
            "POST /c HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n"
        try await connection.write(Array(head.utf8))
        let first = try #require(try await connection.read(deadline: Reactor.soon))
        #expect(String(decoding: first, as: UTF8.self) == "HTTP/1.1 100 Continue\r\n\r\n")
        try await connection.write([65, 66])
        let second = try #require(try await connection.read(deadline: Reactor.soon))
        #expect(String(decoding: second, as: UTF8.self).hasSuffix("\r\n\r\nAB"))
        await connection.close()
        await fixture.finish()
    }

    @Test func twoHundredConnectionsAtOnce() async throws {
        let fixture = try await HTTPFixture()
        let (address, reactor) = (fixture.server.localAddress, fixture.reactor)
        let authority = try #require(Authority("x"))
        let good = await withTaskGroup(of: Int.self) { group in
            for number in 0..<200 {
                group.addTask(executorPreference: reactor) {
                    let client = HTTPClient(
                        on: reactor,
                        configuration: HTTPClientConfiguration(
                            addresses: [address],
                            authority: authority,
                            security: .none
                        )
                    )
                    var good = 0
                    for round in 0..<5 {
                        let body = Array("\(number).\(round)".utf8)
                        let answer = try? await client.send(.post, "/x", body: body)
                        if answer?.body == body { good += 1 }
                    }
                    await client.close()
                    return good
                }
            }
            return await group.reduce(0, +)
        }
        #expect(good == 1000)
        await fixture.finish()
    }

    @Test func drainLetsTheRequestInServiceFinish() async throws {
        let gate = Log<Int>()
        let fixture = try await HTTPFixture { _ in
        } handler: { request in
            gate.append(1)
            while gate.all.count < 2 { await Task.yield() }
            return HTTPResponse(status: .ok, body: request.body)
        }
        let client = try fixture.client()
        let idle = try await fixture.connect()
        async let answer = client.send(.post, "/slow", body: [1, 2, 3])
        while gate.all.isEmpty { try await fixture.reactor.sleep(for: .milliseconds(2)) }
        async let drained: Void = fixture.server.drain(grace: .seconds(20))
        // The idle connection ends first, while the request is still in service.
        #expect(try await idle.read(deadline: Reactor.soon) == nil)
        gate.append(2)
        let received = try await answer
        #expect(received.body == [1, 2, 3])
        #expect(!received.head.allowsReuse)
        await drained
        #expect(await fixture.server.connectionCount() == 0)
        await idle.close()
        await client.close()
        await #expect(throws: HTTPClientError.self) { _ = try await client.send(.get, "/") }
    }

    @Test func streamedBodyArrivesWhole() async throws {
        let fixture = try await HTTPFixture { _ in
        } handler: { _ in
            HTTPResponse(
                status: .ok,
                stream: { writer in
                    for number in 0..<100 {
                        try await writer.write([UInt8](repeating: UInt8(number), count: 5_000))
                    }
                }
            )
        }
        let client = try fixture.client()
        let answer = try await client.send(.get, "/stream")
        #expect(answer.head.framing == .chunked)
        #expect(answer.body == (0..<100).flatMap { [UInt8](repeating: $0, count: 5_000) })
        await client.close()
        await fixture.finish()
    }

    @Test func brokenStreamLooksBroken() async throws {
        let fixture = try await HTTPFixture { _ in
        } handler: { _ in
            HTTPResponse(
                status: .ok,
                stream: { writer in
                    try await writer.write([1, 2, 3])
                    throw CancellationError()
                }
            )
        }
        let client = try fixture.client()
        await #expect(throws: HTTPClientError.self) { _ = try await client.send(.get, "/") }
        await client.close()
        await fixture.finish()
    }

    @Test func vanishedClientCancelsItsHandler() async throws {
        let log = Log<String>()
        let fixture = try await HTTPFixture { _ in
        } handler: { _ in
            log.append("begun")
            while !Task.isCancelled { await Task.yield() }
            log.append("cancelled")
            return HTTPResponse(status: .ok)
        }
        let connection = try await fixture.connect()
        try await connection.write(Array(Self.get.utf8))
        while log.all.isEmpty { try await fixture.reactor.sleep(for: .milliseconds(2)) }
        await connection.abort()
        while log.all.count < 2 { try await fixture.reactor.sleep(for: .milliseconds(2)) }
        #expect(log.all == ["begun", "cancelled"])
        await fixture.finish()
    }
}
