/// The descriptors of one reactor, in slots that carry a generation.
///
/// A token is valid while its generation is the slot's. Ending a registration raises the generation,
/// so an event that the kernel reported before is dropped, whoever has the slot by then.
struct RegistrationTable {
    struct Slot {
        var generation: UInt32 = 0
        var tag: UInt32 = 0
        var number: Int32 = -1
        /// Flags to deliver again; 0 when no revisit is queued.
        var revisit: UInt32 = 0
        var handler: (any EventHandler)?
    }

    private var slots: [Slot] = []
    private var free: [Int32] = []
    /// Slot by descriptor number: who registered that number last.
    private var latest: [Int32] = []

    var count: Int { slots.count - free.count }

    mutating func insert(number: Int32, tag: UInt32, handler: any EventHandler) -> DescriptorToken {
        let index: Int
        if let reused = free.popLast() {
            index = Int(reused)
        } else {
            index = slots.count
            slots.append(Slot())
        }
        slots[index].tag = tag
        slots[index].number = number
        slots[index].handler = handler
        while latest.count <= Int(number) { latest.append(-1) }
        latest[Int(number)] = Int32(index)
        return DescriptorToken(index: index, generation: slots[index].generation)
    }

    /// Ends a registration.
    ///
    /// Returns the descriptor number when it is still this registration's, or nil if the number was
    /// closed and registered again by another: taking it off the poll set would hit that one.
    mutating func remove(_ token: DescriptorToken) -> Int32? {
        guard contains(token) else { return nil }
        let index = token.index
        let number = slots[index].number
        slots[index].generation &+= 1
        slots[index].handler = nil
        slots[index].number = -1
        slots[index].revisit = 0
        free.append(Int32(index))
        guard latest[Int(number)] == Int32(index) else { return nil }
        latest[Int(number)] = -1
        return number
    }

    func contains(_ token: DescriptorToken) -> Bool {
        let index = token.index
        return index < slots.count && slots[index].generation == token.generation
            && slots[index].handler != nil
    }

    func handler(of token: DescriptorToken) -> (handler: any EventHandler, tag: UInt32)? {
        let index = token.index
        guard index < slots.count, slots[index].generation == token.generation,
            let handler = slots[index].handler
        else { return nil }
        return (handler, slots[index].tag)
    }

    /// Adds flags to deliver later; true when the token has to be queued for that.
    mutating func addRevisit(_ flags: UInt32, to token: DescriptorToken) -> Bool {
        guard contains(token) else { return false }
        let wasQueued = slots[token.index].revisit != 0
        slots[token.index].revisit |= flags
        return !wasQueued && flags != 0
    }

    mutating func takeRevisit(of token: DescriptorToken) -> UInt32 {
        guard contains(token) else { return 0 }
        let flags = slots[token.index].revisit
        slots[token.index].revisit = 0
        return flags
    }

    mutating func removeAll() {
        slots.removeAll()
        free.removeAll()
        latest.removeAll()
    }
}
