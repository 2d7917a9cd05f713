/// Decides what to do next with the two ends of one relayed connection, without touching them.
///
/// Two directions, each from a source to a sink. A direction moves only while its sink holds
/// nothing back, so that a connection never holds more than one transfer each way; an end is
/// passed on only after all bytes before it; the connection is over when both directions ended.
/// The driver reports what happened (past-tense methods), then asks `next()` until `.wait`.
package struct RelayMachine: Equatable, Sendable {
    /// The two ends of a connection.
    package enum Side: UInt32, Equatable, Sendable {
        /// The local program, in plain TCP.
        case plain
        /// The other agent, in TLS.
        case secure

        package var other: Side { self == .plain ? .secure : .plain }
    }

    /// What the driver shall do now.
    package enum Action: Equatable, Sendable {
        /// Send what is held for this side.
        case flush(Side)
        /// Receive from this side once and pass it on to the other.
        case transfer(from: Side)
        /// Tell this side that nothing more comes.
        case finish(Side)
        /// Both directions ended and all is sent.
        case close
        /// Nothing to do until a socket reports an edge.
        case wait
    }

    private struct End: Equatable, Sendable {
        var canReceive = false
        var canSend = false
        /// The side sent its end: nothing more will be received from it.
        var hasEnded = false
        /// The side was told that nothing more comes.
        var isFinished = false
        /// Bytes that wait for room in the side's socket.
        var heldByteCount = 0
    }

    private var plain = End()
    private var secure = End()
    /// Which side gave bytes last, so that two busy directions take turns.
    private var latestSource = Side.plain

    /// A machine whose both ends are not ready for anything.
    package init() {}

    /// Bytes, or an end, may wait in the side's socket.
    package mutating func becameReadable(_ side: Side) {
        with(side) { $0.canReceive = true }
    }

    /// The side's socket has room.
    package mutating func becameWritable(_ side: Side) {
        with(side) { $0.canSend = true }
    }

    /// The side's socket has nothing more now.
    package mutating func wasDrained(_ side: Side) {
        with(side) { $0.canReceive = false }
    }

    /// The side's socket has no room now, and so many bytes wait for it.
    package mutating func wasHeld(_ byteCount: Int, for side: Side) {
        with(side) { end in
            end.heldByteCount = byteCount
            end.canSend = false
        }
    }

    /// All that waited for the side was sent.
    package mutating func wasFlushed(_ side: Side) {
        with(side) { $0.heldByteCount = 0 }
    }

    /// The side's socket was closed, to be replaced by another one.
    package mutating func lostSocket(_ side: Side) {
        with(side) { end in
            end.canReceive = false
            end.canSend = false
        }
    }

    /// The side ended its direction cleanly.
    package mutating func ended(_ side: Side) {
        with(side) { end in
            end.hasEnded = true
            end.canReceive = false
        }
    }

    /// The side was told that nothing more comes; `wasHeld` tells about what that left unsent.
    package mutating func finished(_ side: Side) {
        with(side) { $0.isFinished = true }
    }

    /// How many bytes wait for room in the side's socket.
    package func heldByteCount(for side: Side) -> Int { end(side).heldByteCount }

    /// Whether the side ended its direction.
    package func hasEnded(_ side: Side) -> Bool { end(side).hasEnded }

    /// Whether bytes may be offered to the side's socket now.
    package func maySend(to side: Side) -> Bool {
        end(side).canSend && end(side).heldByteCount == 0
    }

    /// Whether what is held may be offered to the side's socket now.
    package func canFlush(_ side: Side) -> Bool { end(side).canSend }

    /// Whether the side's socket may have something to receive.
    package func mayReceive(from side: Side) -> Bool {
        end(side).canReceive && !end(side).hasEnded
    }

    /// What to do now; the same until something is reported.
    package mutating func next() -> Action {
        if secure.heldByteCount > 0, secure.canSend { return .flush(.secure) }
        if plain.heldByteCount > 0, plain.canSend { return .flush(.plain) }
        if plain.hasEnded, !secure.isFinished, secure.heldByteCount == 0 {
            return .finish(.secure)
        }
        if secure.hasEnded, !plain.isFinished, plain.heldByteCount == 0 { return .finish(.plain) }
        if plain.isFinished, secure.isFinished, plain.heldByteCount == 0,
            secure.heldByteCount == 0
        {
            return .close
        }
        if mayTransfer(from: latestSource.other) {
            latestSource = latestSource.other
            return .transfer(from: latestSource)
        }
        return mayTransfer(from: latestSource) ? .transfer(from: latestSource) : .wait
    }

    private func mayTransfer(from side: Side) -> Bool {
        let source = end(side)
        return source.canReceive && !source.hasEnded && end(side.other).heldByteCount == 0
    }

    private func end(_ side: Side) -> End {
        side == .plain ? plain : secure
    }

    private mutating func with(_ side: Side, _ body: (inout End) -> Void) {
        if side == .plain { body(&plain) } else { body(&secure) }
    }
}
