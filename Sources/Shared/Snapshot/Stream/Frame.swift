/// Why bytes of a stream are no frames; the connection ends.
package enum FrameError: Error, Hashable, Sendable {
    /// The length field says more than a frame may hold.
    case tooLong(byteCount: Int)
    case unknownKind(UInt8)
    case malformed(FrameKind, SnapshotFormatError)
}

/// The layout on the wire: u32 length of the payload, u8 kind, payload.
package enum Frame {
    /// The most bytes of a payload.
    package static let payloadMaxBytes = 1 << 20
    /// The bytes in front of the payload.
    package static let headerByteCount = 5

    /// The bytes of one message; one that does not fit a frame is the sender's to split.
    package static func encode(_ message: Message) throws(FrameError) -> [UInt8] {
        let payload = message.payload
        guard payload.count <= payloadMaxBytes else { throw .tooLong(byteCount: payload.count) }
        let count = UInt32(clamping: payload.count)
        return [
            UInt8(truncatingIfNeeded: count >> 24), UInt8(truncatingIfNeeded: count >> 16),
            UInt8(truncatingIfNeeded: count >> 8), UInt8(truncatingIfNeeded: count),
            message.kind.rawValue,
        ] + payload
    }
}

/// Cuts a stream into messages, wherever the stream itself was cut.
///
/// Holds at most one incomplete frame and what was appended last; the header is judged as soon
/// as it is there, before its payload is waited for.
package struct FrameDecoder: Sendable {
    private var buffer: [UInt8] = []
    private var start = 0

    package init() {}

    /// How many bytes wait for the rest of their frame.
    package var bufferedByteCount: Int { buffer.count - start }

    /// Takes what was received.
    package mutating func append(_ bytes: some Collection<UInt8>) {
        if start > 0 {
            buffer.removeFirst(start)
            start = 0
        }
        buffer += bytes
    }

    /// The next message, or nil until more bytes come; call until nil.
    package mutating func next() throws(FrameError) -> Message? {
        let available = buffer.count - start
        guard available >= Frame.headerByteCount else { return nil }
        let header = buffer[start..<(start + Frame.headerByteCount)]
        let byteCount = header.prefix(4).reduce(0) { $0 << 8 | Int($1) }
        guard byteCount <= Frame.payloadMaxBytes else { throw .tooLong(byteCount: byteCount) }
        let number = buffer[start + 4]
        guard let kind = FrameKind(rawValue: number) else { throw .unknownKind(number) }
        guard available >= Frame.headerByteCount + byteCount else { return nil }
        let payloadStart = start + Frame.headerByteCount
        let payload = Array(buffer[payloadStart..<(payloadStart + byteCount)])
        start = payloadStart + byteCount
        if start == buffer.count {
            // A quiet stream keeps no room for its longest frame.
            buffer = []
            start = 0
        }
        do throws(SnapshotFormatError) {
            return try Message(kind, payload: payload)
        } catch {
            throw .malformed(kind, error)
        }
    }
}
