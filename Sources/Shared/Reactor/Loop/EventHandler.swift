import CLinux

/// Something that a reactor tells about the readiness of a descriptor.
package protocol EventHandler: AnyObject {
    /// Called on the reactor's thread; work must be bounded (see `Reactor.revisit(_:as:)`).
    func ready(_ events: ReadyEvents, on reactor: Reactor)
}

/// Which edges a descriptor has seen since the last call.
///
/// Edges are reported once: a reader goes on until `.wouldBlock`, or asks to be called again with
/// `Reactor.revisit(_:as:)`. A short read means "drained" only while `isPeerClosed` is false.
package struct ReadyEvents: Hashable, Sendable {
    let flags: UInt32

    /// The number given at registration: tells a handler's descriptors apart.
    package let tag: UInt32

    init(flags: UInt32, tag: UInt32 = 0) {
        self.flags = flags
        self.tag = tag
    }

    /// Bytes, a connection, or the end may be there to read.
    package var isReadable: Bool {
        flags & (CLINUX_EVENT_IN | CLINUX_EVENT_PEER_CLOSED | Self.ended) != 0
    }

    /// Room to write, or the answer to a connect (ask `takeError`).
    package var isWritable: Bool { flags & (CLINUX_EVENT_OUT | Self.ended) != 0 }

    /// The peer shut its sending side, or the connection is gone.
    package var isPeerClosed: Bool { flags & (CLINUX_EVENT_PEER_CLOSED | Self.ended) != 0 }

    /// Both directions are gone.
    package var isHangup: Bool { flags & CLINUX_EVENT_HANGUP != 0 }

    /// An error waits in the socket.
    package var isError: Bool { flags & CLINUX_EVENT_ERROR != 0 }

    /// For `Reactor.revisit(_:as:)`.
    package static let readable = ReadyEvents(flags: CLINUX_EVENT_IN)
    package static let writable = ReadyEvents(flags: CLINUX_EVENT_OUT)
    package static let readableAndWritable = ReadyEvents(flags: CLINUX_EVENT_IN | CLINUX_EVENT_OUT)

    private static let ended = CLINUX_EVENT_HANGUP | CLINUX_EVENT_ERROR
}

/// Names one registration of a descriptor; worthless after its end, even if the slot is used again.
package struct DescriptorToken: Hashable, Sendable {
    let rawValue: UInt64

    init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    init(index: Int, generation: UInt32) {
        rawValue = UInt64(generation) << 32 | UInt64(UInt32(truncatingIfNeeded: index))
    }

    var index: Int { Int(rawValue & 0xffff_ffff) }
    var generation: UInt32 { UInt32(truncatingIfNeeded: rawValue >> 32) }

    /// A token that never named anything: the initial value of an owner's property.
    package static let none = DescriptorToken(rawValue: UInt64.max - 1)

    static let wake = DescriptorToken(rawValue: UInt64.max)
}
