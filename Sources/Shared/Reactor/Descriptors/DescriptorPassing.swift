import CLinux
import Synchronization

/// Open descriptors on their way to another owner; what nobody takes is closed with the last
/// reference.
package final class PassedDescriptors: Sendable {
    /// The most in one message.
    package static let countMax = Int(CLINUX_PASSED_MAX)

    private let numbers: Mutex<[Int32]>

    /// None yet.
    package init() { numbers = Mutex([]) }

    private init(owning numbers: [Int32]) { self.numbers = Mutex(numbers) }

    deinit {
        for number in numbers.withLock({ $0 }) { clinux_close(number) }
    }

    package var count: Int { numbers.withLock(\.count) }

    /// Adds one at the end.
    package func append(_ descriptor: consuming Descriptor) {
        let number = descriptor.relinquish()
        guard number >= 0 else { return }
        numbers.withLock { $0.append(number) }
    }

    /// Takes the first one out; closed if there is none.
    package func takeFirst() -> Descriptor {
        let number = numbers.withLock { numbers in
            numbers.isEmpty ? -1 : numbers.removeFirst()
        }
        return Descriptor(owning: number)
    }

    /// Sends bytes, at least one, over a unix socket, and up to `countMax` descriptors from the
    /// front with the first of them; this process closes its own.
    ///
    /// Blocks: for a thread that may wait. Each wait for room ends after `timeout`.
    package func send(
        with bytes: [UInt8],
        over socket: borrowing Descriptor,
        timeout: Duration
    ) throws(SystemError) {
        let taken = numbers.withLock { numbers in
            let first = Array(numbers.prefix(Self.countMax))
            numbers.removeFirst(first.count)
            return first
        }
        let batch = PassedDescriptors(owning: taken)
        try batch.sendAll(bytes, over: socket, milliseconds: Self.milliseconds(timeout))
    }

    private func sendAll(
        _ bytes: [UInt8],
        over socket: borrowing Descriptor,
        milliseconds: Int32
    ) throws(SystemError) {
        let passed = numbers.withLock { $0 }
        let number = socket.number
        var offset = 0
        while offset < bytes.count {
            let count = offset == 0 ? passed.count : 0
            let sent = unsafe bytes.withUnsafeBytes { buffer in
                unsafe passed.withUnsafeBufferPointer { descriptors in
                    unsafe clinux_send_passing(
                        number,
                        buffer.baseAddress?.advanced(by: offset),
                        buffer.count - offset,
                        descriptors.baseAddress,
                        Int32(clamping: count),
                        milliseconds
                    )
                }
            }
            guard sent > 0 else {
                throw SystemError(errno: Int32(clamping: 0 &- sent), call: .send)
            }
            offset += Int(sent)
        }
    }

    /// Receives up to `byteCountMax` bytes and keeps the descriptors that came with them.
    ///
    /// Blocks: for a thread that may wait, at most `timeout`. Empty at the end of the stream.
    package func receive(
        byteCountMax: Int,
        over socket: borrowing Descriptor,
        timeout: Duration
    ) throws(SystemError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: max(1, byteCountMax))
        var passed = [Int32](repeating: -1, count: Self.countMax)
        var count: Int32 = 0
        let number = socket.number
        let milliseconds = Self.milliseconds(timeout)
        let received = unsafe bytes.withUnsafeMutableBytes { buffer in
            unsafe passed.withUnsafeMutableBufferPointer { descriptors in
                unsafe clinux_receive_passed(
                    number,
                    buffer.baseAddress,
                    buffer.count,
                    descriptors.baseAddress,
                    &count,
                    milliseconds
                )
            }
        }
        let taken = Array(passed.prefix(Int(max(0, count))))
        numbers.withLock { $0 += taken }
        guard received >= 0 else {
            throw SystemError(errno: Int32(clamping: 0 &- received), call: .recv)
        }
        return Array(bytes.prefix(Int(received)))
    }

    private static func milliseconds(_ timeout: Duration) -> Int32 {
        let (seconds, attoseconds) = timeout.components
        return Int32(clamping: seconds * 1_000 + attoseconds / 1_000_000_000_000_000)
    }
}
