import Control
import HTTP
import Mesh
import Reactor
import Testing
import Transport
import Wire

@testable import API

/// The framework on a small table of its own: what every route gets without asking for it.
@Suite struct APIServiceTests {
    /// Remembers what operations saw, so that a test can say that none ran.
    final class Log: @unchecked Sendable {
        // One task at a time owns it: each test awaits its own requests.
        var ran: [String] = []
        var denied: [RequiredRight] = []
        var claims: [String: (hash: [UInt8], answer: StoredAnswer?)] = [:]

        func claim(_ key: String, _ hash: [UInt8]) -> CreationClaim {
            guard let known = claims[key] else {
                claims[key] = (hash, nil)
                return .claimed
            }
            guard known.hash == hash else { return .mismatched }
            return known.answer.map { .answered($0) } ?? .inProgress
        }
    }

    let log = Log()

    private func service() -> APIService {
        let log = log
        var services = APIServices(enrolmentServerName: "enroll.example.org")
        services.authenticate = { token, _, _, _ throws(ControlError) in
            switch token?.secret {
            case "admin": return try Self.caller("*", [.create, .read, .update, .delete, .list])
            case "reader": return try Self.caller("things/*", [.read, .list])
            default:
                throw .unauthenticated(Complaint("token.unknown", "the token is not known"))
            }
        }
        services.recordDenial = { _, right in log.denied.append(right) }
        services.claim = { caller, key, hash in log.claim(caller.principal + key.text, hash) }
        services.complete = { caller, key, answer in
            log.claims[caller.principal + key.text]?.answer = answer
        }
        services.abandon = { caller, key in log.claims[caller.principal + key.text] = nil }
        services.waitEnforced = { revision, _ in
            .init(revision: revision, acknowledged: ["a"], pending: ["b"], isComplete: false)
        }
        let routes = [
            Route(
                .get,
                "/v1/things/{name}",
                "getThing",
                room: "things",
                "One",
                access: .resource(.read) { "things/\($0.capture("name"))" }
            ) { request throws(ControlError) in
                log.ran.append("get \(request.capture("name"))")
                return Answer(
                    .fields(["name": .string(request.capture("name"))]),
                    entityRevision: 7
                )
            },
            Route(
                .put,
                "/v1/things/{name}",
                "putThing",
                room: "things",
                "Set",
                access: .resource(.update) { "things/\($0.capture("name"))" }
            ) { request throws(ControlError) in
                let size = try request.read { value throws(FieldError) in
                    try FieldReader.read(value.document) { fields throws(FieldError) in
                        try fields.int("size", in: 1...10)
                    }
                }
                if let condition = request.condition, !condition.admits(7) {
                    throw .preconditionFailed(Complaint("thing.changed", "it is at 7"))
                }
                log.ran.append("put \(size)")
                return Answer(.fields(["size": .number(size)]), changedRevision: 8)
            }
            .taking(.object([.required("size", .integer(1...10), "How large")]), limit: 128)
            .supporting(.conditional, .waitsEnforced),
            Route(
                .post,
                "/v1/things",
                "createThing",
                room: "things",
                "New",
                access: .objects { _ in [RequiredRight(.create, on: "things/new")] }
            ) { _ throws(ControlError) in
                log.ran.append("post")
                return Answer(.fields(["made": .number(log.ran.count)]))
            }
            .taking(.any).answering(.any, status: .created).supporting(.idempotencyKey),
            Route(
                .post,
                "/v1/enroll",
                "enroll",
                room: "things",
                "Enrol",
                access: .enrolment
            ) { _ throws(ControlError) in
                log.ran.append("enrol")
                return Answer(.null)
            }.taking(.any),
        ]
        return APIService(RouteTable(routes), services: services)
    }

    private static func caller(
        _ glob: String,
        _ capabilities: Set<Capability>
    ) throws(ControlError) -> Caller {
        let policy = try? AccessPolicy(
            name: "p",
            rules: [.init(path: PathGlob(glob), capabilities: capabilities)]
        )
        return Caller(principal: "token/1", policies: policy.map { [$0] } ?? [])
    }

    private func send(
        _ method: HTTP.Method,
        _ target: String,
        token: String? = "admin",
        body: String = "",
        serverName: String? = nil,
        _ fields: [(String, String)] = []
    ) async throws -> (status: Int, body: Document, fields: HeaderFields) {
        var head = RequestHead(
            method: method,
            target: try #require(RequestTarget(target)),
            authority: try #require(Authority("localhost"))
        )
        if let token { try head.fields.append(.authorization, "Bearer \(token)") }
        for (name, value) in fields { try head.fields.append(name: name, value: value) }
        var identity = StreamIdentity()
        identity.serverName = serverName
        let request = HTTPRequest(
            head: head,
            body: Array(body.utf8),
            context: RequestContext(
                peerAddress: try #require(SocketAddress("127.0.0.1:5000")),
                identity: identity,
                requestID: "r-1"
            )
        )
        let response = await service().handle(request)
        guard case .bytes(let bytes) = response.body else {
            throw ControlError.faulted(Complaint("test", "a stream"))
        }
        return (response.status.code, try JSON.parse(bytes, source: "answer"), response.fields)
    }

    @Test func answersCarryTagAndRequestID() async throws {
        let answer = try await send(.get, "/v1/things/a")
        #expect(answer.status == 200)
        #expect(answer.body["name"]?.text == "a")
        #expect(answer.fields.first(.etag) == "\"7\"")
        #expect(answer.fields.first(.xRequestID) == "r-1")
        #expect(answer.fields.first(.cacheControl) == "no-store")
    }

    @Test(arguments: [
        (nil as String?, 401, "token.unknown"), ("garbage", 401, "token.unknown"),
        ("reader", 403, "access.denied"),
    ])
    func withoutTheRightNothingRuns(token: String?, status: Int, code: String) async throws {
        let answer = try await send(
            .put,
            "/v1/things/a",
            token: token,
            body: #"{"size":3}"#
        )
        #expect(answer.status == status)
        #expect(answer.body["code"]?.text == code)
        #expect(answer.body["request_id"]?.text == "r-1")
        #expect(log.ran.isEmpty)
    }

    @Test func deniedIsRecordedAndSaysWhichRight() async throws {
        let answer = try await send(.put, "/v1/things/a", token: "reader", body: #"{"size":3}"#)
        #expect(log.denied == [RequiredRight(.update, on: "things/a")])
        #expect(answer.body["errors"]?[0]?.text?.contains("`update` on `things/a`") == true)
    }

    @Test(arguments: [
        ("", "request.body"), ("{", "request.body"), (#"{"size":3,"x":1}"#, "request.field"),
        (#"{"size":"3"}"#, "request.field"), (#"{"size":11}"#, "request.field"),
        (#"{"size":3,"size":3}"#, "request.body"), ("{}", "request.field"),
        (String(repeating: " ", count: 200), "request.body"),
    ])
    func badBodiesAreRefused(body: String, code: String) async throws {
        let answer = try await send(.put, "/v1/things/a", body: body)
        #expect(answer.status == 400)
        #expect(answer.body["code"]?.text == code)
        #expect(log.ran.isEmpty)
    }

    @Test func twoCredentialsOrUnknownParametersAreRefused() async throws {
        let two = try await send(.get, "/v1/things/a", [("x-vault-token", "other")])
        #expect(two.status == 400)
        let parameter = try await send(.get, "/v1/things/a?sise=1")
        #expect(parameter.status == 400)
        #expect(parameter.body["errors"]?[0]?.text?.contains("sise") == true)
        let condition = try await send(.get, "/v1/things/a", [("if-match", "\"1\"")])
        #expect(condition.status == 400)
        let type = try await send(
            .put,
            "/v1/things/a",
            body: #"{"size":3}"#,
            [("content-type", "text/plain")]
        )
        #expect(type.status == 400)
        #expect(log.ran.isEmpty)
    }

    @Test func conditionsAreHeld() async throws {
        let body = #"{"size":3}"#
        let stale = try await send(.put, "/v1/things/a", body: body, [("if-match", "\"6\"")])
        #expect(stale.status == 412)
        let fresh = try await send(.put, "/v1/things/a", body: body, [("if-match", "\"7\"")])
        #expect(fresh.status == 200)
        let weak = try await send(.put, "/v1/things/a", body: body, [("if-match", "W/\"7\"")])
        #expect(weak.status == 400)
    }

    @Test func waitingNamesWhoHasNotAcknowledged() async throws {
        let answer = try await send(
            .put,
            "/v1/things/a?wait=enforced&timeout=2s",
            body: #"{"size":3}"#
        )
        let enforced = try #require(answer.body["enforced"])
        #expect(enforced["revision"]?.integer == 8)
        #expect(enforced["pending"]?[0]?.text == "b")
        #expect(enforced["complete"]?.bool == false)
        let bad = try await send(.put, "/v1/things/a?wait=soon", body: #"{"size":3}"#)
        #expect(bad.status == 400)
    }

    @Test func aCreationUnderAKeyHappensOnce() async throws {
        let key = [("idempotency-key", "k1")]
        let first = try await send(.post, "/v1/things", body: #"{"a":1}"#, key)
        let again = try await send(.post, "/v1/things", body: #"{"a":1}"#, key)
        #expect(first.status == 201 && again.status == 201)
        #expect(first.body == again.body)
        #expect(log.ran == ["post"])
        let other = try await send(.post, "/v1/things", body: #"{"a":2}"#, key)
        #expect(other.status == 409)
        #expect(other.body["code"]?.text == "request.idempotency_key")
    }

    @Test func aCreationThatIsBeingWorkedOnIsNotBegunAgain() async throws {
        // The digest of these services is the request itself.
        let request = Array("createThing\n/v1/things\n{\"a\":1}".utf8)
        log.claims["token/1k2"] = (request, nil)
        let key = [("idempotency-key", "k2")]
        let early = try await send(.post, "/v1/things", body: #"{"a":1}"#, key)
        #expect(early.status == 409)
        #expect(early.body["code"]?.text == "request.in_progress")
        #expect(log.ran.isEmpty)
    }

    @Test func enrolmentNeedsItsServerName() async throws {
        let outside = try await send(.post, "/v1/enroll", token: nil, body: "{}")
        #expect(outside.status == 404)
        let inside = try await send(
            .post,
            "/v1/enroll",
            token: nil,
            body: "{}",
            serverName: "enroll.example.org"
        )
        #expect(inside.status == 200)
        #expect(log.ran == ["enrol"])
    }

    @Test(arguments: [
        ("//v1/things/a", 404), ("/v1//things/a", 400), ("/v1/things/./a", 400),
        ("/v1/things/%2e%2e/a", 400), ("/v1/things%2Fa", 400), ("/v1/THINGS/a", 404),
        ("/v1/things/a/", 404), ("/v1/things/a%00", 400),
    ])
    func pathAliasesReachNoOtherRight(target: String, status: Int) async throws {
        let answer = try await send(.get, target, token: "reader")
        #expect(answer.status == status || answer.status == 400)
        #expect(log.ran.isEmpty)
    }

    @Test func wrongMethodNamesTheRightOnes() async throws {
        let answer = try await send(.delete, "/v1/things/a")
        #expect(answer.status == 405)
        #expect(answer.fields.first(.allow) == "GET, HEAD, PUT")
    }

    @Test func descriptionNamesEveryRoute() throws {
        let document = OpenAPIDocument.make(service().table.routes, version: "0")
        let put = try #require(document["paths"]?["/v1/things/{name}"]?["put"])
        #expect(put["operationId"]?.text == "putThing")
        let schema = put["requestBody"]?["content"]?["application/json"]?["schema"]
        #expect(schema?["required"]?[0]?.text == "size")
        #expect(document["paths"]?["/v1/things"]?["post"]?["responses"]?["201"] != nil)
    }
}
