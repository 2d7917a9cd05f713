import Reactor

/// Accepts connections on one reactor and keeps count of them.
///
/// When the process is out of descriptors, the reactor's listener leaves connections in the kernel's
/// queue and tries again. Confined to its reactor's thread.
final class ConnectionListener {
    let localAddress: SocketAddress
    private(set) var connectionCount = 0
    private let limits: ConnectionLimits
    private let listener: Listener
    private let state: State

    /// What the accept closure shares with its owner.
    private final class State {
        var perSource: [IPAddress: Int] = [:]
        weak var owner: ConnectionListener?
    }

    /// `open` gets each admitted connection; `refuse` hears of each one over a source's limit.
    init(
        _ socket: consuming Descriptor,
        on reactor: Reactor,
        limits: ConnectionLimits,
        open: @escaping (consuming Descriptor, SocketAddress) -> Void,
        refuse: @escaping (SocketAddress) -> Void
    ) throws(SystemError) {
        let state = State()
        self.state = state
        self.limits = limits
        listener = try Listener(socket, on: reactor) { descriptor, peer, _ in
            guard let owner = state.owner else { return }
            if owner.admit(peer) { open(descriptor, peer) } else { refuse(peer) }
        }
        localAddress = listener.localAddress
        state.owner = self
    }

    /// A connection that `open` got is over.
    func ended(_ peer: SocketAddress) {
        connectionCount -= 1
        if let source = peer.ipAddress, let count = state.perSource[source] {
            state.perSource[source] = count > 1 ? count - 1 : nil
        }
        if connectionCount < limits.connectionCountMax { listener.resume() }
    }

    /// Stops listening.
    func close() {
        listener.close()
    }

    private func admit(_ peer: SocketAddress) -> Bool {
        if let most = limits.connectionsPerSourceMax, let source = peer.ipAddress {
            let count = state.perSource[source, default: 0]
            guard count < most else { return false }
            state.perSource[source] = count + 1
        }
        connectionCount += 1
        if connectionCount >= limits.connectionCountMax { listener.pause() }
        return true
    }
}
