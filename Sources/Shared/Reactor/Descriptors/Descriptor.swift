import CLinux

/// What one read, write, receive or send came to.
package enum TransferResult: Hashable, Sendable {
    /// So many bytes were moved, at least one.
    case bytes(Int)
    /// Nothing to move now; the descriptor's next edge is reported by the reactor.
    case wouldBlock
    /// The peer finished sending. Never the answer to a write.
    case endOfFile
    case failed(SystemError)
}

/// The owner of one open file descriptor; closes it when it goes away.
///
/// Used from one thread at a time. A descriptor that is registered with a reactor is closed through
/// `Reactor.deregister(_:closing:)`, or deregistered first.
package struct Descriptor: ~Copyable, Sendable {
    /// The kernel's number, -1 once closed.
    package private(set) var number: Int32

    /// Takes ownership of an open descriptor.
    package init(owning number: Int32) {
        self.number = number
    }

    /// A descriptor that is closed already: the initial value of an owner's property.
    package static var closed: Descriptor { Descriptor(owning: -1) }

    deinit {
        if number >= 0 { clinux_close(number) }
    }

    package var isOpen: Bool { number >= 0 }

    /// Closes now; later calls do nothing.
    package mutating func close() {
        guard number >= 0 else { return }
        clinux_close(number)
        number = -1
    }

    /// Gives up ownership: the caller closes the number it gets.
    package consuming func relinquish() -> Int32 {
        let relinquished = number
        number = -1
        return relinquished
    }

    /// Hands the descriptor over and leaves a closed one behind.
    package mutating func take() -> Descriptor {
        let taken = Descriptor(owning: number)
        number = -1
        return taken
    }

    /// A second owner of the same open file (close-on-exec).
    package borrowing func duplicate() throws(SystemError) -> Descriptor {
        Descriptor(owning: try SystemError.check(clinux_duplicate(number), .fcntl))
    }

    /// Makes reads and writes return `.wouldBlock` instead of waiting.
    package borrowing func setNonBlocking() throws(SystemError) {
        try SystemError.check(clinux_set_nonblocking(number), .fcntl)
    }
}

extension Descriptor {
    /// Reads from a file or pipe.
    package borrowing func read(into bytes: inout MutableSpan<UInt8>) -> TransferResult {
        let count = unsafe bytes.withUnsafeMutableBytes { buffer in
            unsafe clinux_read(number, buffer.baseAddress, buffer.count)
        }
        return Self.incoming(count, .read)
    }

    /// Receives from a socket.
    package borrowing func receive(into bytes: inout MutableSpan<UInt8>) -> TransferResult {
        let count = unsafe bytes.withUnsafeMutableBytes { buffer in
            unsafe clinux_receive(number, buffer.baseAddress, buffer.count)
        }
        return Self.incoming(count, .recv)
    }

    /// Writes to a file or pipe; may write less than all.
    package borrowing func write(_ bytes: Span<UInt8>) -> TransferResult {
        let count = unsafe bytes.withUnsafeBytes { buffer in
            unsafe clinux_write(number, buffer.baseAddress, buffer.count)
        }
        return Self.outgoing(count, .write)
    }

    /// Sends on a socket without raising SIGPIPE; may send less than all.
    package borrowing func send(_ bytes: Span<UInt8>) -> TransferResult {
        let count = unsafe bytes.withUnsafeBytes { buffer in
            unsafe clinux_send(number, buffer.baseAddress, buffer.count)
        }
        return Self.outgoing(count, .send)
    }

    /// Sends an array from an offset on.
    ///
    /// For bytes kept in a class's property, of which the compiler lets no span escape.
    package borrowing func send(_ bytes: [UInt8], droppingFirst offset: Int = 0) -> TransferResult {
        send(bytes.span.extracting(droppingFirst: offset))
    }

    /// Writes an array from an offset on; see `send(_:droppingFirst:)`.
    package borrowing func write(_ bytes: [UInt8], droppingFirst offset: Int = 0) -> TransferResult
    {
        write(bytes.span.extracting(droppingFirst: offset))
    }

    private static func incoming(_ count: Int64, _ call: SystemCall) -> TransferResult {
        if count > 0 { return .bytes(Int(count)) }
        return count == 0 ? .endOfFile : failure(count, call)
    }

    private static func outgoing(_ count: Int64, _ call: SystemCall) -> TransferResult {
        count >= 0 ? .bytes(Int(count)) : failure(count, call)
    }

    private static func failure(_ count: Int64, _ call: SystemCall) -> TransferResult {
        let errno = Int32(truncatingIfNeeded: 0 &- count)
        return errno == EAGAIN ? .wouldBlock : .failed(SystemError(errno: errno, call: call))
    }
}

extension Descriptor {
    /// A pipe whose both ends are non-blocking.
    package static func pipe() throws(SystemError) -> PipeEnds {
        let pipe = try blockingPipe()
        try pipe.reading.setNonBlocking()
        try pipe.writing.setNonBlocking()
        return pipe
    }

    /// A pipe for a child, which expects its end to block.
    static func blockingPipe() throws(SystemError) -> PipeEnds {
        var ends: (Int32, Int32) = (-1, -1)
        let result = unsafe withUnsafeMutablePointer(to: &ends) { pointer in
            unsafe pointer.withMemoryRebound(to: Int32.self, capacity: 2) { unsafe clinux_pipe($0) }
        }
        try SystemError.check(result, .pipe)
        return PipeEnds(reading: Descriptor(owning: ends.0), writing: Descriptor(owning: ends.1))
    }
}

/// The two ends of a pipe.
package struct PipeEnds: ~Copyable, Sendable {
    package var reading: Descriptor
    package var writing: Descriptor
}
