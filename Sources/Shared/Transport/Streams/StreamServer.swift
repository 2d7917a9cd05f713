package import Reactor
package import TLS

/// Accepts byte streams, such as the agents' on port 7401, and runs one task for each.
package final class StreamServer: Sendable {
    /// Serves one stream; the connection is closed when it returns.
    ///
    /// Runs on the connection's reactor. Cancelled when the server drains.
    package typealias StreamHandler = @Sendable (StreamConnection, StreamIdentity) async -> Void

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
        security: TLSContext?,
        limits: ConnectionLimits = ConnectionLimits(),
        observe: @escaping @Sendable (ServerEvent) -> Void = { _ in },
        handler: @escaping StreamHandler
    ) async throws(SystemError) -> StreamServer {
        let protection = security.map(StreamSecurity.server) ?? .none
        let lanes = try await ServerLanes.open(
            on: address,
            reactors: reactors,
            limits: limits,
            observe: observe
        ) { (socket, peer, lane) throws(StreamError) in
            let connection = try StreamConnection(
                socket,
                peerAddress: peer,
                on: lane.reactor,
                security: protection
            )
            return ServedStream(
                connection,
                lane: lane,
                handshakeTimeout: limits.handshakeTimeout,
                handler: handler
            )
        }
        return StreamServer(lanes)
    }

    /// Connections at this moment.
    package func connectionCount() async -> Int { await lanes.connectionCount() }

    /// Stops accepting, cancels every handler's task, and cuts what has not ended after `grace`.
    package func drain(grace: Duration) async { await lanes.drain(grace: grace) }
}

/// One accepted stream and the task that serves it.
private actor ServedStream: ServedConnection, ReactorBound {
    nonisolated let reactor: Reactor
    private let connection: StreamConnection
    private let lane: ServerLane
    private let handshakeTimeout: Duration
    private let handler: StreamServer.StreamHandler
    private var task: Task<Void, Never>?

    init(
        _ connection: StreamConnection,
        lane: ServerLane,
        handshakeTimeout: Duration,
        handler: @escaping StreamServer.StreamHandler
    ) {
        reactor = lane.reactor
        self.connection = connection
        self.lane = lane
        self.handshakeTimeout = handshakeTimeout
        self.handler = handler
    }

    nonisolated func start() {
        assumeIsolated { stream in
            stream.task = Task(executorPreference: stream.reactor) { await stream.serve() }
        }
    }

    nonisolated func shutDown() {
        assumeIsolated { $0.task?.cancel() }
    }

    nonisolated func cut() {
        assumeIsolated { stream in
            stream.task?.cancel()
            stream.connection.assumeIsolated { $0.abort() }
        }
    }

    private func serve() async {
        do throws(StreamError) {
            let deadline = Reactor.Instant.now.advanced(by: handshakeTimeout)
            try await connection.handshake(deadline: deadline)
            await handler(connection, await connection.identity)
        } catch {
            lane.observe(.connectionFailed(connection.peerAddress, error))
        }
        await connection.close()
        await lane.ended(self, connection.peerAddress)
    }
}
