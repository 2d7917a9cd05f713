/// Bytes that were received and may not be parsed yet; gives its memory back when it is empty.
struct HeldInput {
    private(set) var bytes: [UInt8] = []
    private(set) var start = 0

    var byteCount: Int { bytes.count - start }
    var isEmpty: Bool { byteCount == 0 }

    mutating func append(_ more: Span<UInt8>, from offset: Int) {
        guard offset < more.count else { return }
        bytes.reserveCapacity(bytes.count + more.count - offset)
        for index in offset..<more.count { bytes.append(more[index]) }
    }

    /// Moves all bytes out, for parsing; `restore` puts back what was not taken.
    mutating func take() -> (bytes: [UInt8], start: Int) {
        var taken: [UInt8] = []
        swap(&taken, &bytes)
        defer { start = 0 }
        return (taken, start)
    }

    mutating func restore(_ taken: consuming [UInt8], from offset: Int) {
        guard offset < taken.count else { return }
        // Moving the rest to the front now and then keeps the memory in proportion to it.
        if offset > taken.count / 2 {
            bytes = Array(taken[offset...])
            start = 0
        } else {
            bytes = taken
            start = offset
        }
    }

    mutating func removeAll() {
        bytes = []
        start = 0
    }
}
