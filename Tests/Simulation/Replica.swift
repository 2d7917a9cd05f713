import Crypto
import Mesh
import Snapshot
import Wire

/// One replica of the control plane: what it has seen of the database, and whether it runs.
final class Replica {
    let index: Int
    var isUp = true
    /// It runs, but learns nothing new: a database that is away, or a process that was paused.
    var isFrozen = false
    /// How many states of the authority it has seen.
    private(set) var seen = 1
    private var publications: [Int: Publication] = [:]

    init(index: Int) {
        self.index = index
    }

    /// Catches up with the database; true if there was anything new.
    func learn(_ authority: Authority) -> Bool {
        guard isUp, !isFrozen, seen < authority.states.count else { return false }
        seen = authority.states.count
        publications = [:]
        return true
    }

    func state(_ authority: Authority) -> Authority.State { authority.states[seen - 1] }

    /// What it publishes to an agent; signed once for each state, or again after `forgetSignatures`.
    func publication(
        for agent: Int,
        _ authority: Authority,
        at now: Timestamp
    ) throws -> Publication? {
        if let known = publications[agent] { return known }
        let made = try authority.publication(state(authority), for: agent, at: now)
        publications[agent] = made
        return made
    }

    func forgetSignatures() {
        publications = [:]
    }
}

/// One connection between an agent and a replica, or somebody who took the replica's place.
///
/// Bytes arrive in order, in any pieces and late, until it breaks; then none of them arrives.
final class Link {
    let agent: Int
    let replica: Int
    let isRogue: Bool
    var publisher: Publisher
    var isOpen = true
    var agentDecoder = FrameDecoder()
    var serverDecoder = FrameDecoder()
    var latestToAgent: Timestamp
    var latestToServer: Timestamp

    init(agent: Int, replica: Int, isRogue: Bool, publisher: Publisher, now: Timestamp) {
        self.agent = agent
        self.replica = replica
        self.isRogue = isRogue
        self.publisher = publisher
        latestToAgent = now
        latestToServer = now
    }
}
