package import HTTP
package import Reactor
package import TLS

/// How an HTTP server treats its connections and requests.
package struct HTTPServerConfiguration: Sendable {
    /// Nil serves plain TCP.
    package var security: TLSContext?
    /// Sizes and times of HTTP itself.
    package var policy = RequestPolicy.standard
    /// How many connections, and how long their handshake may take.
    package var connectionLimits = ConnectionLimits()
    /// The body limit of a request's route; never above the policy's.
    package var bodyByteCountMax: @Sendable (RequestHead) -> Int
    /// Told about connections and requests that no handler saw.
    package var observe: @Sendable (ServerEvent) -> Void

    /// The defaults: 1 MiB of body for every route, nothing observed.
    package init(security: TLSContext?) {
        self.security = security
        bodyByteCountMax = { _ in .max }
        observe = { _ in }
    }
}

/// An HTTP/1.1 server: one async handler for all requests, run on each connection's own reactor.
package final class HTTPServer: Sendable {
    /// Answers one request; cancelled when the peer is gone.
    package typealias RequestHandler = @Sendable (HTTPRequest) async -> HTTPResponse

    /// Where it listens, with the port that the kernel chose.
    package let localAddress: SocketAddress
    private let lanes: ServerLanes

    private init(_ lanes: ServerLanes) {
        self.lanes = lanes
        localAddress = lanes.localAddress
    }

    /// Begins to serve, on every reactor given.
    package static func start(
        on address: SocketAddress,
        reactors: [Reactor],
        configuration: HTTPServerConfiguration,
        handler: @escaping RequestHandler
    ) async throws(SystemError) -> HTTPServer {
        let lanes = try await ServerLanes.open(
            on: address,
            reactors: reactors,
            limits: configuration.connectionLimits,
            observe: configuration.observe
        ) { (socket, peer, lane) throws(StreamError) in
            try HTTPServerConnection(
                socket,
                peerAddress: peer,
                lane: lane,
                configuration: configuration,
                handler: handler
            )
        }
        return HTTPServer(lanes)
    }

    /// Connections at this moment.
    package func connectionCount() async -> Int { await lanes.connectionCount() }

    /// Stops accepting, closes idle connections, lets requests in service finish.
    ///
    /// What has not finished after `grace` is cut.
    package func drain(grace: Duration) async { await lanes.drain(grace: grace) }
}
