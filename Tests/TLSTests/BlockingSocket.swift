import Glibc
import TLS

/// A plain blocking loopback socket, enough to drive a session against the `openssl` command.
final class BlockingSocket {
    private let number: Int32

    private init(number: Int32) {
        self.number = number
    }

    deinit {
        close(number)
    }

    static func listen() -> (socket: BlockingSocket, port: UInt16) {
        let number = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = loopback(port: 0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                bind(number, generic, length)
                Glibc.listen(number, 4)
                getsockname(number, generic, &length)
            }
        }
        return (BlockingSocket(number: number), UInt16(bigEndian: address.sin_port))
    }

    static func connect(port: UInt16) -> BlockingSocket? {
        let number = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = loopback(port: port)
        let length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(number, $0, length)
            }
        }
        let connected = BlockingSocket(number: number)
        return result == 0 ? connected : nil
    }

    func accept() -> BlockingSocket {
        BlockingSocket(number: Glibc.accept(number, nil, nil))
    }

    func send(_ bytes: [UInt8]) {
        var left = bytes[...]
        while !left.isEmpty {
            let count = left.withUnsafeBytes {
                Glibc.send(number, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return }
            left = left.dropFirst(count)
        }
    }

    /// The next bytes; empty at the end.
    func receive() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 64 * 1024)
        let count = recv(number, &bytes, bytes.count, 0)
        return Array(bytes.prefix(max(0, count)))
    }

    /// Drives a session until both directions ended, it failed, or `isDone` says so.
    func drive(_ session: TLSSession, answering answer: ([UInt8]) -> [UInt8]?) {
        var room = [UInt8](repeating: 0, count: 64 * 1024)
        var span = room.mutableSpan
        let hello = session.start(ciphertext: &span).ciphertextByteCount
        send(Array(room.prefix(hello)))
        while true {
            let bytes = receive()
            guard !bytes.isEmpty else {
                _ = session.receiveEnd()
                return
            }
            var read: [UInt8] = []
            var reply: [UInt8] = []
            let progress = session.take(bytes, read: &read, reply: &reply)
            send(reply)
            guard progress.status != .failed else { return }
            guard let answered = answer(read) else {
                send(session.finishing())
                return
            }
            send(session.sealing(answered))
            if progress.status == .peerFinished { return send(session.finishing()) }
        }
    }

    private static func loopback(port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }
}
