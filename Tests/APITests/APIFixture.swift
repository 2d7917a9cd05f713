import API
import Control
import Crypto
import HTTP
import Mesh
import Postgres
import Reactor
import Support
import Synchronization
import Testing
import Transport
import Wire

/// The whole API over a fresh database, without sockets.
struct APIFixture: Sendable {
    let database: TestDatabase
    let control: ControlPlane
    let service: APIService
    /// An administrator's token.
    let admin: String

    struct Reply {
        let status: Int
        let body: Document
        let fields: HeaderFields

        var code: String? { body["code"]?.text }
    }

    /// Runs a body with the API of a control plane at its first start.
    static func with(_ body: (APIFixture) async throws -> Void) async throws {
        try await TestDatabase.withMigrated { database in
            let pool = database.pool()
            let token = Mutex("")
            var key = [UInt8](repeating: 1, count: KeyEncryptionKey.byteCount)
            key[0] = 2
            var leases = LeaseSettings()
            leases.allowsSockets = true
            let control = try await ControlPlane.open(
                ControlSettings(
                    trustDomain: try TrustDomain("example.org"),
                    serverName: try Mesh.ServerName("one"),
                    version: "0.0.0-test",
                    leases: leases
                ),
                pool: pool,
                key: try #require(KeyEncryptionKey(SecretBytes(copying: key))),
                surroundings: Surroundings(
                    now: { Timestamp(nanosecondsSinceEpoch: WallClock.nanoseconds()) },
                    instant: { ContinuousClock.now },
                    randomBytes: Randomness.bytes
                ),
                firstStart: FirstStart(
                    steps: [AuthorityFounding { _ in }.step],
                    writeBootstrapToken: { text in token.withLock { $0 = text } }
                )
            )
            let mesh = MeshRooms(
                control,
                try await Control.Authority.open(control),
                ServerAddresses(api: ["tp.example.org:7400"], agents: ["tp.example.org:7401"])
            )
            let services = APIServices(control)
            let table = AllRoutes.table(
                control: control,
                mesh: mesh,
                services: services,
                version: "0.0.0"
            )
            let fixture = APIFixture(
                database: database,
                control: control,
                service: APIService(table, services: services),
                admin: token.withLock { $0 }
            )
            let outcome: Result<Void, any Error>
            do {
                outcome = .success(try await body(fixture))
            } catch {
                outcome = .failure(error)
            }
            await control.leaseDesk.close()
            await pool.close()
            try outcome.get()
        }
    }

    /// Sends one request; nil as a token sends none.
    func send(
        _ method: HTTP.Method,
        _ target: String,
        token: String?,
        body: String = "",
        serverName: String? = nil,
        requestID: String = "r-1",
        identity shown: StreamIdentity = StreamIdentity(),
        _ fields: [(String, String)] = []
    ) async throws -> Reply {
        var head = RequestHead(
            method: method,
            target: try #require(RequestTarget(target)),
            authority: try #require(Authority("localhost"))
        )
        if let token { try head.fields.append(.authorization, "Bearer \(token)") }
        for (name, value) in fields { try head.fields.append(name: name, value: value) }
        var identity = shown
        identity.serverName = serverName
        let request = HTTPRequest(
            head: head,
            body: Array(body.utf8),
            context: RequestContext(
                peerAddress: try #require(SocketAddress("192.0.2.1:5000")),
                identity: identity,
                requestID: requestID
            )
        )
        let response = await service.handle(request)
        guard case .bytes(let bytes) = response.body else {
            throw ControlError.faulted(Complaint("test", "a stream"))
        }
        return Reply(
            status: response.status.code,
            body: (try? JSON.parse(bytes, source: "answer")) ?? .null,
            fields: response.fields
        )
    }

    /// A token with some policies, made by the administrator.
    func token(policies: [String]) async throws -> String {
        let list = policies.map { "\"\($0)\"" }.joined(separator: ",")
        let reply = try await send(
            .post,
            "/v1/tokens",
            token: admin,
            body: #"{"display_name":"test","policies":[\#(list)]}"#
        )
        return try #require(reply.body["token"]?.text)
    }
}
