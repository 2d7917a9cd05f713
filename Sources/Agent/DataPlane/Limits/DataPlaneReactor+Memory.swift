import Mesh
import Observability
import Reactor

// Staying under the limit of memory.
extension DataPlaneReactor {
    /// Measures from now on, as long as there are connections or new ones are refused.
    func armMemory() {
        guard let memory, memoryTimer == .none, live.count > 0 || memory.isShedding else { return }
        memoryTimer = reactor.schedule(after: MemoryBudget.interval) { [weak self] _ in
            self?.memoryTimer = .none
            self?.watchMemory()
            self?.armMemory()
        }
    }

    private func watchMemory() {
        guard let resident = settings.residentByteCount(), let limit = memory?.limit else { return }
        let wasShedding = memory?.isShedding == true
        let excess = memory?.measured(resident) ?? 0
        let isShedding = memory?.isShedding == true
        if isShedding != wasShedding {
            logger.warning(
                isShedding
                    ? "near the memory limit: new connections are refused"
                    : "below the memory limit again: connections are admitted",
                ["resident": .integer(resident), "limit": .integer(limit)]
            )
        }
        // What ended connections gave back may lie in the heap.
        if isShedding, reactor.now - latestMemoryTrim >= MemoryBudget.trimInterval {
            latestMemoryTrim = reactor.now
            ProcessLimits.trimHeap()
        }
        guard excess > 0 else { return }
        let connections = live.all
        let held = connections.map { $0.heldForPlain.count + $0.heldForSecure.count }
        // The other reactors see the same process and do their part.
        let share = excess / max(1, settings.reactorCount)
        for index in MemoryBudget.victims(of: held, releasing: share) {
            connections[index].cut(.refused(.overloaded))
        }
    }
}
