package import Reactor

extension StreamConnection {
    /// Connects to a peer and performs the TLS handshake, both before the deadline.
    ///
    /// From any task; the connection lives on the reactor given.
    package static func connect(
        to peer: SocketAddress,
        on reactor: Reactor,
        security: StreamSecurity,
        deadline: Reactor.Instant
    ) async throws(StreamError) -> StreamConnection {
        let connection = try await open(
            to: peer,
            on: reactor,
            security: security,
            deadline: deadline
        )
        do throws(StreamError) {
            try await connection.handshake(deadline: deadline)
        } catch {
            await connection.close()
            throw error
        }
        return connection
    }

    /// Connects to a peer and leaves the TLS handshake to the caller: for protocols in which TLS is
    /// asked for first (`ask`).
    package static func open(
        to peer: SocketAddress,
        on reactor: Reactor,
        security: StreamSecurity,
        deadline: Reactor.Instant
    ) async throws(StreamError) -> StreamConnection {
        let attempt = ConnectAttempt(on: reactor)
        let connection = try await attempt.connect(to: peer, security: security)
        do throws(StreamError) {
            try await connection.finishConnecting(deadline: deadline)
        } catch {
            await connection.close()
            throw error
        }
        return connection
    }
}

/// The isolation that a connection is made in.
private actor ConnectAttempt: ReactorBound {
    nonisolated let reactor: Reactor

    init(on reactor: Reactor) {
        self.reactor = reactor
    }

    func connect(
        to peer: SocketAddress,
        security: StreamSecurity
    ) throws(StreamError) -> StreamConnection {
        var connecting: Socket.Connecting
        do throws(SystemError) {
            connecting = try Socket.connect(to: peer)
        } catch {
            throw .system(error)
        }
        return try StreamConnection(
            connecting.descriptor.take(),
            peerAddress: peer,
            on: reactor,
            security: security
        )
    }
}
