import CLinux

/// Stream sockets: TCP and unix.
///
/// All are non-blocking and close-on-exec.
package enum Socket {
    /// Connections that may wait in a listener's queue, if not said otherwise.
    package static let backlogDefault = 1_024

    /// A connection as `accept` gives it.
    package struct Accepted: ~Copyable, Sendable {
        package var descriptor: Descriptor
        /// Where it came from; an unnamed unix end has an empty path.
        package let peer: SocketAddress
    }

    /// What an attempt to accept came to.
    package enum AcceptResult: ~Copyable, Sendable {
        case accepted(Accepted)
        case wouldBlock
        /// `isOutOfDescriptors` is a reason to pause, any other to go on with the next one.
        case failed(SystemError)
    }

    /// A socket on its way to a peer.
    package struct Connecting: ~Copyable, Sendable {
        package var descriptor: Descriptor
        /// True: wait until it is writable, then ask `takeError`.
        ///
        /// False: connected already.
        package let isPending: Bool
    }

    /// The user at the other end of a unix socket, as the kernel saw it at connect or listen.
    package struct PeerCredentials: Hashable, Sendable {
        package let uid: UInt32
        package let gid: UInt32
        /// 0 when the peer lives in another process namespace.
        package let pid: Int32
    }

    /// What a TCP socket has sent and its peer has not acknowledged.
    package struct Delivery: Hashable, Sendable {
        /// Whether any segment is not acknowledged.
        package let isUnderWay: Bool
        /// Since the peer acknowledged anything.
        package let silence: Duration

        package init(isUnderWay: Bool, silence: Duration) {
            self.isUnderWay = isUnderWay
            self.silence = silence
        }
    }

    /// Listens with SO_REUSEADDR; with `sharesPort` (SO_REUSEPORT) several listeners split the work.
    ///
    /// An IPv6 wildcard takes IPv6 only. The file of a unix socket must not exist yet.
    package static func listen(
        on address: SocketAddress,
        backlog: Int = backlogDefault,
        sharesPort: Bool = false
    ) throws(SystemError) -> Descriptor {
        var form = try address.kernelForm(for: .bind)
        let backlog = Int32(clamping: backlog)
        let result = unsafe clinux_listen(&form, backlog, sharesPort ? 1 : 0)
        return Descriptor(owning: try SystemError.check(result, .listen))
    }

    /// Takes one waiting connection.
    package static func accept(from listener: borrowing Descriptor) -> AcceptResult {
        var form = clinux_address()
        let result = unsafe clinux_accept(listener.number, &form)
        guard result >= 0 else {
            let error = SystemError(errno: 0 &- result, call: .accept)
            return error.isWouldBlock ? .wouldBlock : .failed(error)
        }
        let descriptor = Descriptor(owning: result)
        guard let peer = SocketAddress(form) else {
            return .failed(SystemError(errno: EAFNOSUPPORT, call: .accept))
        }
        return .accepted(Accepted(descriptor: descriptor, peer: peer))
    }

    /// Begins a connection, from a given own address if wanted (port 0: any).
    package static func connect(
        to peer: SocketAddress,
        from source: SocketAddress? = nil
    ) throws(SystemError) -> Connecting {
        var form = try peer.kernelForm(for: .connect)
        var isPending: Int32 = 0
        let result: Int32
        if let source {
            var own = try source.kernelForm(for: .bind)
            result = unsafe clinux_connect(&form, &own, &isPending)
        } else {
            result = unsafe clinux_connect(&form, nil, &isPending)
        }
        let number = try SystemError.check(result, .connect)
        return Connecting(descriptor: Descriptor(owning: number), isPending: isPending != 0)
    }

    /// Two connected unix sockets.
    package static func pair() throws(SystemError) -> SocketPair {
        var ends: (Int32, Int32) = (-1, -1)
        let result = unsafe withUnsafeMutablePointer(to: &ends) { pointer in
            unsafe pointer.withMemoryRebound(to: Int32.self, capacity: 2) {
                unsafe clinux_socket_pair($0)
            }
        }
        try SystemError.check(result, .socket)
        return SocketPair(first: Descriptor(owning: ends.0), second: Descriptor(owning: ends.1))
    }
}

/// Two connected sockets.
package struct SocketPair: ~Copyable, Sendable {
    package var first: Descriptor
    package var second: Descriptor
}

// The addresses and options of one socket.
extension Descriptor {
    /// The socket's own address.
    package borrowing func localAddress() throws(SystemError) -> SocketAddress {
        var form = clinux_address()
        try SystemError.check(unsafe clinux_local_address(number, &form), .getsockname)
        guard let address = SocketAddress(form) else {
            throw SystemError(errno: EAFNOSUPPORT, call: .getsockname)
        }
        return address
    }

    /// The address at the other end.
    package borrowing func peerAddress() throws(SystemError) -> SocketAddress {
        var form = clinux_address()
        try SystemError.check(unsafe clinux_peer_address(number, &form), .getpeername)
        guard let address = SocketAddress(form) else {
            throw SystemError(errno: EAFNOSUPPORT, call: .getpeername)
        }
        return address
    }

    /// The user at the other end of a unix socket.
    package borrowing func peerCredentials() throws(SystemError) -> Socket.PeerCredentials {
        var uid: UInt32 = 0
        var gid: UInt32 = 0
        var pid: Int32 = 0
        let result = unsafe clinux_peer_credentials(number, &uid, &gid, &pid)
        try SystemError.check(result, .setsockopt)
        return Socket.PeerCredentials(uid: uid, gid: gid, pid: pid)
    }

    /// Sends small segments at once (TCP_NODELAY).
    package borrowing func setNoDelay() throws(SystemError) {
        try SystemError.check(clinux_set_no_delay(number, 1), .setsockopt)
    }

    /// Probes an idle peer: after `idle`, every `interval`, `probeCount` times, in whole seconds.
    package borrowing func setKeepAlive(
        idle: Duration = .seconds(60),
        interval: Duration = .seconds(15),
        probeCount: Int = 4
    ) throws(SystemError) {
        let result = clinux_set_keepalive(
            number,
            Int32(clamping: max(1, idle.components.seconds)),
            Int32(clamping: max(1, interval.components.seconds)),
            Int32(clamping: max(1, probeCount))
        )
        try SystemError.check(result, .setsockopt)
    }

    /// Whether bytes are under way to a TCP peer, and how long it has acknowledged nothing.
    ///
    /// What waits for a peer that keeps its window shut is not under way. TCP_USER_TIMEOUT cannot
    /// tell the two apart: it would end a connection whose reader pauses.
    package borrowing func delivery() throws(SystemError) -> Socket.Delivery {
        var unacknowledged: UInt32 = 0
        var silence: UInt32 = 0
        let result = unsafe clinux_delivery(number, &unacknowledged, &silence)
        try SystemError.check(result, .getsockopt)
        return Socket.Delivery(isUnderWay: unacknowledged > 0, silence: .milliseconds(silence))
    }

    /// Chooses the congestion control of this socket; false when the kernel does not have it.
    ///
    /// `cubic` on loopback legs costs less than the host's default where that is BBR.
    @discardableResult
    package borrowing func setCongestionControl(_ name: String) -> Bool {
        unsafe clinux_set_congestion(number, name) == 0
    }

    /// Makes the close send RST and drop what was not sent yet (SO_LINGER 0).
    package borrowing func setResetOnClose() throws(SystemError) {
        try SystemError.check(clinux_set_reset_on_close(number), .setsockopt)
    }

    /// The socket's pending error, such as the refusal of a connect; nil when there is none.
    package borrowing func takeError() -> SystemError? {
        let errno = clinux_take_socket_error(number)
        return errno == 0 ? nil : SystemError(errno: Int32(errno.magnitude), call: .connect)
    }

    /// Tells the peer that nothing more will be sent; receiving goes on.
    package borrowing func shutdownWrite() throws(SystemError) {
        try SystemError.check(clinux_shutdown_write(number), .shutdown)
    }
}
