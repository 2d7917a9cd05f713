/// A bounded first-in first-out queue of bytes; it never holds more than its capacity.
package struct ByteQueue: Sendable {
    /// The most bytes the queue holds at once.
    package let capacity: Int

    private var storage: [UInt8] = []
    private var head = 0

    /// An empty queue that will hold at most `capacity` bytes.
    package init(capacity: Int) {
        precondition(capacity >= 0, "a capacity is not negative")
        self.capacity = capacity
    }

    /// How many bytes wait.
    package var count: Int { storage.count - head }

    /// Whether nothing waits.
    package var isEmpty: Bool { count == 0 }

    /// How many more bytes would be accepted.
    package var space: Int { capacity - count }

    /// The byte at `index` from the front, or nil past the end.
    package subscript(index: Int) -> UInt8? {
        index >= 0 && index < count ? storage[head + index] : nil
    }

    /// The waiting bytes as one slice, without copying while it is not kept.
    package var slice: ArraySlice<UInt8> { storage[head...] }

    /// Takes all of `bytes`, or throws `tooLarge` and takes none.
    package mutating func append(_ bytes: [UInt8]) throws(WireError) {
        try append(bytes[...])
    }

    /// Takes all of `bytes`, or throws `tooLarge` and takes none.
    package mutating func append(_ bytes: ArraySlice<UInt8>) throws(WireError) {
        guard bytes.count <= space else { throw .tooLarge(limit: capacity) }
        storage.append(contentsOf: bytes)
    }

    /// Takes as many leading bytes as there is space for and returns how many.
    package mutating func appendPrefix(of bytes: ArraySlice<UInt8>) -> Int {
        let accepted = min(bytes.count, space)
        storage.append(contentsOf: bytes.prefix(accepted))
        return accepted
    }

    /// A copy of at most `limit` bytes from the front.
    package func prefix(_ limit: Int) -> [UInt8] {
        Array(storage[head..<head + min(max(limit, 0), count)])
    }

    /// Where `byte` first occurs, counted from the front and at or after `start`.
    package func firstIndex(of byte: UInt8, from start: Int = 0) -> Int? {
        guard start >= 0, start < count else { return nil }
        return storage[(head + start)...].firstIndex(of: byte).map { $0 - head }
    }

    /// Drops `count` bytes from the front; asking for more than wait drops all of them.
    package mutating func consume(_ count: Int) {
        head += min(max(count, 0), self.count)
        if head == storage.count {
            storage.removeAll(keepingCapacity: true)
            head = 0
        } else if head > storage.count / 2 {
            storage.removeSubrange(0..<head)
            head = 0
        }
    }

    /// Takes at most `limit` bytes from the front.
    package mutating func take(_ limit: Int) -> [UInt8] {
        let bytes = prefix(limit)
        consume(bytes.count)
        return bytes
    }

    /// Drops everything and gives the memory back.
    package mutating func removeAll() {
        storage = []
        head = 0
    }
}
