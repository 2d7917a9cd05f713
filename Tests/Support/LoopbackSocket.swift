import Glibc
import Synchronization

/// A blocking TCP socket on loopback: what the programs around an agent are in tests.
package final class LoopbackSocket: Sendable {
    /// How a transfer ended.
    package enum End: Equatable, Sendable {
        case open
        case ended
        case reset
        case timedOut
    }

    private let number: Int32

    private init(number: Int32) {
        self.number = number
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(number, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
        setsockopt(number, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
    }

    deinit {
        close(number)
    }

    /// Listens on a free port, or on a given one.
    package static func listen(port: UInt16 = 0) -> LoopbackSocket {
        let number = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var on: Int32 = 1
        setsockopt(number, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        withAddress(port: port) { _ = bind(number, $0, $1) }
        Glibc.listen(number, 512)
        return LoopbackSocket(number: number)
    }

    /// A port that was free a moment ago.
    ///
    /// Below those that the kernel gives to sockets without a wish: listeners that share ports would
    /// otherwise come to share this one, and get each other's connections.
    package static func freePort() -> UInt16 {
        for _ in 0..<10_000 {
            let port = nextPort.withLock { next in
                next = next >= 32_000 ? 12_000 : next + 1
                return next
            }
            let number = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            defer { close(number) }
            var result: Int32 = -1
            withAddress(port: port) { result = bind(number, $0, $1) }
            if result == 0 { return port }
        }
        return 0
    }

    private static let nextPort = Mutex(UInt16.random(in: 12_000..<32_000))

    /// The socket's own port.
    package var port: UInt16 {
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = getsockname(number, $0, &length)
            }
        }
        return UInt16(bigEndian: address.sin_port)
    }

    /// Connects, with a small receive buffer if asked; nil when nobody listens.
    package static func connect(port: UInt16, receiveByteCount: Int32? = nil) -> LoopbackSocket? {
        let number = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        if var count = receiveByteCount {
            setsockopt(number, SOL_SOCKET, SO_RCVBUF, &count, socklen_t(MemoryLayout<Int32>.size))
        }
        var result: Int32 = -1
        withAddress(port: port) { result = Glibc.connect(number, $0, $1) }
        let connected = LoopbackSocket(number: number)
        return result == 0 ? connected : nil
    }

    /// Waits for a connection; nil after the socket was shut down or 20 s.
    package func accept() -> LoopbackSocket? {
        let accepted = Glibc.accept(number, nil, nil)
        return accepted < 0 ? nil : LoopbackSocket(number: accepted)
    }

    /// Waits for a connection for as long as it takes; nil after the socket was shut down.
    package func acceptNext() -> LoopbackSocket? {
        while true {
            let accepted = Glibc.accept(number, nil, nil)
            if accepted >= 0 { return LoopbackSocket(number: accepted) }
            guard errno == EAGAIN || errno == EINTR else { return nil }
        }
    }

    /// Sends all; false when the other side is gone.
    @discardableResult
    package func send(_ bytes: [UInt8]) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(
                    number,
                    $0.baseAddress.map { $0 + sent },
                    bytes.count - sent,
                    Int32(MSG_NOSIGNAL)
                )
            }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }

    /// Receives what is there, at least one byte unless it ended.
    package func receive(upTo limit: Int = 64 * 1_024) -> (bytes: [UInt8], end: End) {
        var bytes = [UInt8](repeating: 0, count: limit)
        let count = recv(number, &bytes, limit, 0)
        let failure = errno
        if count > 0 { return (Array(bytes.prefix(count)), .open) }
        if count == 0 { return ([], .ended) }
        return ([], failure == EAGAIN ? .timedOut : .reset)
    }

    /// Receives so many bytes, or fewer when it ends before.
    package func receive(exactly count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count {
            let part = receive(upTo: count - bytes.count)
            guard part.end == .open else { break }
            bytes += part.bytes
        }
        return bytes
    }

    /// Receives until the end and says which end it was.
    package func receiveAll() -> (bytes: [UInt8], end: End) {
        var bytes: [UInt8] = []
        while true {
            let part = receive()
            guard part.end == .open else { return (bytes, part.end) }
            bytes += part.bytes
        }
    }

    /// Sends an end and goes on receiving.
    package func finishSending() {
        shutdown(number, Int32(SHUT_WR))
    }

    /// Ends both directions; a waiting `accept` or `receive` returns.
    package func shutDown() {
        shutdown(number, Int32(SHUT_RDWR))
    }

    /// Makes the close a reset.
    package func resetOnClose() {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(number, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
    }

    private static func withAddress(
        port: UInt16,
        _ body: (UnsafePointer<sockaddr>, socklen_t) -> Void
    ) {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}
