package import HTTP
import Reactor
package import Synchronization
import TLS
import Transport

/// An HTTPS server of somebody else, as `localhost` under the tests' root: it answers one text.
package final class KeyServer: Sendable {
    /// What it answers and how often it was asked.
    package struct State {
        package var text = ""
        package var status = 200
        package var fields: [(String, String)] = []
        package var requests = 0
        /// The last request.
        package var head: RequestHead?
        package var body: [UInt8] = []
    }

    package let state = Mutex(State())
    private let thread: ReactorThread
    private let server = Mutex<HTTPServer?>(nil)

    /// A server that does not listen yet.
    package init(_ text: String) throws {
        thread = try ReactorThread(name: "keys")
        state.withLock { $0.text = text }
    }

    /// Listens on a free port and gives the address of its document.
    package func start() async throws -> String {
        let web = TestCertificates.web
        let credentials = try TLSCredentials(
            chainPEM: web.chainPEM,
            privateKeyPEM: web.privateKeyPEM
        )
        let context = try TLSContext(
            server: TLSServerConfiguration(
                credentials: { _ in credentials },
                clientCertificate: .none,
                verifier: { _ in .refuse(PeerRefusal(.badCertificate, reason: "none is asked for"))
                },
                signatures: .ecdsaOrRSA
            )
        )
        let started = try await HTTPServer.start(
            on: .loopback(),
            reactors: [thread.reactor],
            configuration: HTTPServerConfiguration(security: context)
        ) { [self] request in
            let (text, status, fields) = state.withLock { state in
                state.requests += 1
                state.head = request.head
                state.body = request.body
                return (state.text, state.status, state.fields)
            }
            var response = HTTPResponse(status: Status(status) ?? .ok, body: Array(text.utf8))
            for (name, value) in fields { try? response.fields.append(name: name, value: value) }
            return response
        }
        server.withLock { $0 = started }
        return "https://localhost:\(started.localAddress.port ?? 0)/keys?set=1"
    }

    /// Ends it.
    package func stop() async {
        let server = server.withLock { server in
            defer { server = nil }
            return server
        }
        await server?.drain(grace: .zero)
        thread.stop()
    }

    /// How often it was asked.
    package var requests: Int { state.withLock { $0.requests } }
}
