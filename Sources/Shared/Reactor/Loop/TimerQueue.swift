/// Names one armed timer; worthless once it fired or was cancelled.
package struct TimerToken: Hashable, Sendable {
    let index: Int32
    let generation: UInt32

    /// A token that never named anything: the initial value of an owner's property.
    package static let none = TimerToken(index: -1, generation: 0)
}

/// Something that a reactor calls when a time has come.
package protocol TimerHandler: AnyObject {
    /// Called on the reactor's thread, once per arming.
    func timerFired(_ timer: TimerToken, on reactor: Reactor)
}

/// The timers of one reactor: a four-way heap of deadlines over slots that carry a generation.
///
/// Moving a timer later only writes its new deadline (the heap finds out when the old one comes), so
/// "push the idle timeout back on every byte" costs no heap work for ten thousand connections.
struct TimerQueue {
    typealias Instant = ContinuousClock.Instant

    private struct Slot {
        var generation: UInt32 = 0
        var position: Int32 = -1
        var deadline: Instant
        var handler: (any TimerHandler)?
    }

    private struct Entry {
        var key: Instant
        var slot: Int32
    }

    private var heap: [Entry] = []
    private var slots: [Slot] = []
    private var free: [Int32] = []

    var count: Int { heap.count }

    /// When to look again; may be earlier than the earliest deadline, never later.
    var nextCheck: Instant? { heap.first?.key }

    mutating func insert(at deadline: Instant, handler: any TimerHandler) -> TimerToken {
        let index: Int32
        if let reused = free.popLast() {
            index = reused
            slots[Int(index)].deadline = deadline
            slots[Int(index)].handler = handler
        } else {
            index = Int32(slots.count)
            slots.append(Slot(deadline: deadline, handler: handler))
        }
        heap.append(Entry(key: deadline, slot: index))
        slots[Int(index)].position = Int32(heap.count - 1)
        siftUp(heap.count - 1)
        return TimerToken(index: index, generation: slots[Int(index)].generation)
    }

    func contains(_ token: TimerToken) -> Bool {
        let index = Int(token.index)
        return index >= 0 && index < slots.count && slots[index].generation == token.generation
            && slots[index].handler != nil
    }

    func deadline(of token: TimerToken) -> Instant? {
        contains(token) ? slots[Int(token.index)].deadline : nil
    }

    /// Gives a timer another deadline; false when it is not armed any more.
    mutating func move(_ token: TimerToken, to deadline: Instant) -> Bool {
        guard contains(token) else { return false }
        slots[Int(token.index)].deadline = deadline
        let position = Int(slots[Int(token.index)].position)
        if deadline < heap[position].key {
            heap[position].key = deadline
            siftUp(position)
        }
        return true
    }

    mutating func cancel(_ token: TimerToken) -> Bool {
        guard contains(token) else { return false }
        removeEntry(at: Int(slots[Int(token.index)].position))
        release(token.index)
        return true
    }

    /// Takes one timer whose deadline has come, or nil.
    mutating func popExpired(now: Instant) -> (token: TimerToken, handler: any TimerHandler)? {
        while let first = heap.first, first.key <= now {
            let index = Int(first.slot)
            let deadline = slots[index].deadline
            // Moved since it got its place: give it the right one, even if it is due as well.
            if deadline > first.key {
                heap[0].key = deadline
                siftDown(0)
                continue
            }
            guard let handler = slots[index].handler else { return nil }
            let token = TimerToken(index: first.slot, generation: slots[index].generation)
            removeEntry(at: 0)
            release(first.slot)
            return (token, handler)
        }
        return nil
    }

    mutating func removeAll() {
        heap.removeAll()
        slots.removeAll()
        free.removeAll()
    }

    private mutating func release(_ index: Int32) {
        slots[Int(index)].generation &+= 1
        slots[Int(index)].handler = nil
        slots[Int(index)].position = -1
        free.append(index)
    }

    private mutating func removeEntry(at position: Int) {
        let last = heap.removeLast()
        guard position < heap.count else { return }
        heap[position] = last
        slots[Int(last.slot)].position = Int32(position)
        siftDown(position)
        siftUp(position)
    }

    private mutating func siftUp(_ start: Int) {
        var position = start
        let entry = heap[position]
        while position > 0 {
            let parent = (position - 1) / 4
            guard entry.key < heap[parent].key else { break }
            place(heap[parent], at: position)
            position = parent
        }
        place(entry, at: position)
    }

    private mutating func siftDown(_ start: Int) {
        var position = start
        let entry = heap[position]
        while true {
            let first = position * 4 + 1
            guard first < heap.count else { break }
            var least = first
            for child in (first + 1)..<max(first + 1, min(first + 4, heap.count))
            where heap[child].key < heap[least].key {
                least = child
            }
            guard heap[least].key < entry.key else { break }
            place(heap[least], at: position)
            position = least
        }
        place(entry, at: position)
    }

    private mutating func place(_ entry: Entry, at position: Int) {
        heap[position] = entry
        slots[Int(entry.slot)].position = Int32(position)
    }
}
