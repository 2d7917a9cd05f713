import Wire

/// The fake clock with what is still to happen, each at its moment and in the order of planning.
struct Timeline {
    typealias Work = () -> Void

    private struct Entry {
        let at: Timestamp
        let order: Int
        let work: Work

        static func < (left: Entry, right: Entry) -> Bool {
            left.at == right.at ? left.order < right.order : left.at < right.at
        }
    }

    private(set) var now: Timestamp
    private var heap: [Entry] = []
    private var planned = 0

    init(now: Timestamp) {
        self.now = now
    }

    mutating func plan(at moment: Timestamp, _ work: @escaping Work) {
        planned += 1
        heap.append(Entry(at: max(moment, now), order: planned, work: work))
        var child = heap.count - 1
        while child > 0, heap[child] < heap[(child - 1) / 2] {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    /// Moves the clock to the next work and gives it; nil when there is none before `end`.
    mutating func takeNext(before end: Timestamp) -> Work? {
        guard let first = heap.first, first.at < end else {
            now = max(now, end)
            return nil
        }
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < heap.count && heap[child] < heap[least] {
                least = child
            }
            guard least != parent else { break }
            heap.swapAt(parent, least)
            parent = least
        }
        now = first.at
        return first.work
    }
}
