package import Reactor

/// What the connections of a server tell about those that got nowhere, for logs and metrics.
package enum ServerEvent: Sendable {
    /// Over `ConnectionLimits.connectionsPerSourceMax`.
    case sourceOverLimit(SocketAddress)
    /// The TLS handshake failed, or the socket did before it was served.
    case connectionFailed(SocketAddress, StreamError)
    /// A request that no handler saw, or one that died in service.
    case requestRefused(SocketAddress, code: String)
}

/// A connection that a lane serves until it ends by itself, is asked to, or is cut.
protocol ServedConnection: AnyObject, Sendable {
    /// Begins to serve; on the reactor's thread.
    func start()
    /// Finishes what is in service and then ends.
    func shutDown()
    /// Ends at once.
    func cut()
}

/// One reactor's share of a server: its listener and the connections that came through it.
actor ServerLane: ReactorBound {
    typealias Opener =
        @Sendable (consuming Descriptor, SocketAddress, ServerLane) throws(StreamError) ->
        any ServedConnection

    nonisolated let reactor: Reactor
    nonisolated let observe: @Sendable (ServerEvent) -> Void
    private let limits: ConnectionLimits
    private let opener: Opener
    private var listener: ConnectionListener?
    private var connections: [ObjectIdentifier: any ServedConnection] = [:]
    private var waitingForEnd: [CheckedContinuation<Void, Never>] = []

    init(
        on reactor: Reactor,
        limits: ConnectionLimits,
        observe: @escaping @Sendable (ServerEvent) -> Void,
        opener: @escaping Opener
    ) {
        self.reactor = reactor
        self.limits = limits
        self.observe = observe
        self.opener = opener
    }

    var connectionCount: Int { connections.count }

    /// Begins to accept; returns the address with the port that the kernel chose.
    func listen(
        on address: SocketAddress,
        sharesPort: Bool
    ) throws(SystemError) -> SocketAddress {
        let socket = try Socket.listen(
            on: address,
            backlog: limits.backlog,
            sharesPort: sharesPort
        )
        let listener = try ConnectionListener(
            socket,
            on: reactor,
            limits: limits,
            open: { [weak self] descriptor, peer in
                let number = descriptor.relinquish()
                guard let self else {
                    var orphan = Descriptor(owning: number)
                    return orphan.close()
                }
                self.assumeIsolated { $0.open(Descriptor(owning: number), peer) }
            },
            refuse: { [observe] in observe(.sourceOverLimit($0)) }
        )
        self.listener = listener
        return listener.localAddress
    }

    /// A connection is over, for whatever reason.
    func ended(_ connection: any ServedConnection, _ peer: SocketAddress) {
        guard connections.removeValue(forKey: ObjectIdentifier(connection)) != nil else { return }
        listener?.ended(peer)
        if connections.isEmpty { wakeWaiting() }
    }

    /// Stops accepting, lets what is in service finish, and cuts what is left after `grace`.
    func drain(grace: Duration) async {
        listener?.close()
        listener = nil
        for connection in connections.values { connection.shutDown() }
        guard !connections.isEmpty else { return }
        let timer = reactor.schedule(after: grace) { [weak self] _ in
            self?.assumeIsolated { lane in
                for connection in lane.connections.values { connection.cut() }
                lane.wakeWaiting()
            }
        }
        await withCheckedContinuation { waitingForEnd.append($0) }
        reactor.cancel(timer)
    }

    private func open(_ socket: consuming Descriptor, _ peer: SocketAddress) {
        do throws(StreamError) {
            let connection = try opener(socket, peer, self)
            connections[ObjectIdentifier(connection)] = connection
            connection.start()
        } catch {
            observe(.connectionFailed(peer, error))
            listener?.ended(peer)
        }
    }

    private func wakeWaiting() {
        for waiting in waitingForEnd { waiting.resume() }
        waitingForEnd = []
    }
}

/// The lanes of one server on one address, one per reactor.
struct ServerLanes: Sendable {
    let lanes: [ServerLane]
    let localAddress: SocketAddress

    /// Listens with every reactor; with several, the kernel spreads connections among them.
    static func open(
        on address: SocketAddress,
        reactors: [Reactor],
        limits: ConnectionLimits,
        observe: @escaping @Sendable (ServerEvent) -> Void,
        opener: @escaping ServerLane.Opener
    ) async throws(SystemError) -> ServerLanes {
        var lanes: [ServerLane] = []
        var bound = address
        for reactor in reactors {
            let lane = ServerLane(on: reactor, limits: limits, observe: observe, opener: opener)
            do throws(SystemError) {
                bound = try await lane.listen(on: bound, sharesPort: reactors.count > 1)
            } catch {
                for opened in lanes { await opened.drain(grace: .zero) }
                throw error
            }
            lanes.append(lane)
        }
        return ServerLanes(lanes: lanes, localAddress: bound)
    }

    func drain(grace: Duration) async {
        await withTaskGroup(of: Void.self) { group in
            for lane in lanes { group.addTask { await lane.drain(grace: grace) } }
        }
    }

    func connectionCount() async -> Int {
        var count = 0
        for lane in lanes { count += await lane.connectionCount }
        return count
    }
}
