import Testing
import Wire

@Suite struct ByteQueueTests {
    @Test func refusesPastItsCapacity() throws {
        var queue = ByteQueue(capacity: 4)
        try queue.append([1, 2, 3])
        #expect(throws: WireError.tooLarge(limit: 4)) { try queue.append([4, 5]) }
        #expect(queue.count == 3 && queue.space == 1)
        #expect(queue.appendPrefix(of: [4, 5]) == 1)
        #expect(queue.prefix(10) == [1, 2, 3, 4])
        queue.consume(2)
        try queue.append([6, 7])
        #expect(Array(queue.slice) == [3, 4, 6, 7])
        #expect(queue.firstIndex(of: 6) == 2)
        #expect(queue.firstIndex(of: 3, from: 1) == nil)
        #expect(queue.firstIndex(of: 3, from: 9) == nil)
        #expect(queue[0] == 3 && queue[4] == nil && queue[-1] == nil)
        #expect(queue.take(100) == [3, 4, 6, 7])
        #expect(queue.isEmpty)
        queue.consume(5)
        #expect(queue.isEmpty)
    }

    @Test func keepsOrderOverManyRounds() throws {
        var queue = ByteQueue(capacity: 1000)
        var written: UInt8 = 0
        var read: UInt8 = 0
        for round in 0..<2000 {
            for _ in 0..<(round % 37) where queue.space > 0 {
                try queue.append([written])
                written &+= 1
            }
            for byte in queue.take(round % 41) {
                #expect(byte == read)
                read &+= 1
            }
        }
        #expect(queue.count <= queue.capacity)
    }
}
