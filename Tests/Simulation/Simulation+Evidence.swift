import Crypto
import DataPlane
import Mesh
import Reactor
import Snapshot
import Synchronization
import Wire

/// The spool's files of one agent, which outlive its process.
///
/// Only ever used by the one thread of its run; the lock is what makes it shareable.
final class FakeEvidenceFiles: EvidenceFiles {
    /// What happens to the writes from the one that is named on.
    enum Fault {
        /// The disk refuses one.
        case refusal
        /// The process is killed before it.
        case kill
    }

    private struct State {
        var files: [String: [UInt8]] = [:]
        var fault: Fault?
        var stepsBefore = 0
        var isKilled = false
    }

    private let state = Mutex(State())

    /// Whether the process that used it was killed in the middle.
    var hasKilled: Bool { state.withLock(\.isKilled) }

    /// A new process opens it.
    func reopen() {
        state.withLock { state in
            state.isKilled = false
            state.fault = nil
        }
    }

    func plan(_ fault: Fault, after steps: Int) {
        state.withLock { state in
            state.fault = fault
            state.stepsBefore = steps
        }
    }

    func list() throws(FileError) -> [(name: String, byteCount: Int)] {
        state.withLock { state in
            state.files.sorted { $0.key < $1.key }.map { ($0.key, $0.value.count) }
        }
    }

    func read(_ name: String) throws(FileError) -> [UInt8]? {
        state.withLock { $0.files[name] }
    }

    func replace(_ name: String, with bytes: [UInt8]) throws(FileError) {
        try step(name) { $0[name] = bytes }
    }

    func remove(_ name: String) throws(FileError) {
        try step(name) { $0[name] = nil }
    }

    private func step(
        _ name: String,
        _ work: (inout [String: [UInt8]]) -> Void
    ) throws(FileError) {
        let isDone = state.withLock { state in
            guard !state.isKilled else { return false }
            if let fault = state.fault {
                guard state.stepsBefore > 0 else {
                    state.fault = nil
                    if case .kill = fault { state.isKilled = true }
                    return false
                }
                state.stepsBefore -= 1
            }
            work(&state.files)
            return true
        }
        guard isDone else { throw FileError(path: name, reason: .outOfSpace) }
    }
}

/// What the database holds of the decisions of all agents, and what it must hold in the end.
struct EvidenceLedger {
    private var heads: [Int: EvidencePosition] = [:]
    private var batches: Set<SHA256Digest> = []
    private var stored: Set<UUIDv7> = []
    private var made: Set<UUIDv7> = []
    private var durable: Set<UUIDv7> = []

    var storedCount: Int { stored.count }

    mutating func make(_ id: UUIDv7) { made.insert(id) }

    /// These are on an agent's disk, so no fault may lose them any more.
    mutating func keep(_ ids: [UUIDv7]) { durable.formUnion(ids) }

    /// Enters a batch as the server does, once by its digest; gives what is wrong with it.
    mutating func store(_ batch: EvidenceBatch, of agent: Int, beginning: EvidencePosition)
        -> String?
    {
        let digest = SHA256.digest(of: JSON.canonical(batch.document))
        guard batches.insert(digest).inserted else { return nil }
        guard batch.previous == heads[agent] ?? beginning else {
            return "batch \(batch.batch) does not follow what is stored"
        }
        guard batch.dropped == 0 else { return "decisions were dropped" }
        heads[agent] = batch.head
        for decision in batch.decisions {
            guard made.contains(decision.id) else { return "a decision that nobody made" }
            guard stored.insert(decision.id).inserted else { return "a decision appears twice" }
        }
        return nil
    }

    /// How many decisions that were on disk never arrived.
    var missingCount: Int { durable.subtracting(stored).count }
}

// The agent's evidence: decisions on their way to the spool, the disk and the server.
extension Simulation {
    func planDecisions(of agent: SimulatedAgent) {
        plan(random.milliseconds(500...(isCalm ? 5_000 : 40_000))) { [self] in
            if agent.isRunning { tick(agent) }
            planDecisions(of: agent)
        }
    }

    /// What the agent does once a second: evidence to disk, and to the server.
    private func tick(_ agent: SimulatedAgent) {
        guard var spool = agent.spool else { return }
        // In the calm nothing new is decided, so that everything can arrive.
        let count = isCalm ? 0 : random.number(below: 4)
        var batch = EvidenceQueue.Batch()
        for _ in 0..<count { batch.decisions.append(decision(of: agent)) }
        spool.add(batch)
        agent.undurable += batch.decisions.map(\.id)
        if !isCalm, random.chance(8) {
            let steps = random.number(below: 3)
            agent.evidenceFiles.plan(random.chance(50) ? .kill : .refusal, after: steps)
        }
        do throws(FileError) {
            try spool.write(now: timeline.now + agent.skew)
        } catch {
            trace(agent.index, "cannot write evidence")
        }
        if spool.waitingCount == 0 {
            ledger.keep(agent.undurable)
            agent.undurable = []
        }
        agent.spool = spool
        if agent.evidenceFiles.hasKilled { return kill(agent) }
        sendOldestEvidence(of: agent)
    }

    private func decision(of agent: SimulatedAgent) -> Decision {
        let now = timeline.now + agent.skew
        let bytes = (0..<10).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        let decision = Decision(
            id: UUIDv7(timestamp: now, random: bytes),
            time: now,
            agent: authority.fixture.agents[agent.index],
            source: nil,
            destination: authority.fixture.services[agent.index],
            ruling: .refused(.defaultDeny),
            revision: agent.enforced?.mark.revision ?? 0,
            peerAddress: nil
        )
        ledger.make(decision.id)
        return decision
    }

    private func sendOldestEvidence(of agent: SimulatedAgent) {
        guard let link = agent.link, link.isOpen, agent.evidenceInFlight == nil,
            let batch = agent.spool?.oldest()
        else { return }
        agent.evidenceInFlight = batch.batch
        attempt("an evidence frame") {
            deliver(try Frame.encode(.evidence(batch)), overToServer: link)
        }
    }

    /// A replica stores a batch and says so, unless the connection ends in between.
    func received(_ batch: EvidenceBatch, on link: Link) {
        let beginning = EvidencePosition.beginning(of: authority.fixture.agents[link.agent])
        if let fault = ledger.store(batch, of: link.agent, beginning: beginning) {
            return violated("agent \(link.agent): \(fault)")
        }
        if !isCalm, random.chance(10) { return breakLink(link) }
        attempt("an answer to evidence") {
            let frame = try Frame.encode(.evidenceAcknowledgement(batch: batch.batch))
            deliver(frame, overToAgent: link, isPublished: false)
        }
    }

    func evidenceAcknowledged(_ batch: UInt64, on agent: SimulatedAgent) {
        guard agent.evidenceInFlight == batch else { return }
        agent.evidenceInFlight = nil
        if !isCalm, random.chance(5) {
            agent.evidenceFiles.plan(.kill, after: random.number(below: 2))
        }
        do throws(FileError) {
            try agent.spool?.acknowledged(batch)
        } catch {
            trace(agent.index, "cannot remove evidence")
        }
        if agent.evidenceFiles.hasKilled { return kill(agent) }
        sendOldestEvidence(of: agent)
    }

    /// Opens the spool of a process that starts.
    func openSpool(of agent: SimulatedAgent) {
        agent.evidenceFiles.reopen()
        agent.undurable = []
        agent.evidenceInFlight = nil
        attempt("the spool of agent \(agent.index)") {
            let spool = try EvidenceSpool(
                in: agent.evidenceFiles,
                agent: authority.fixture.agents[agent.index],
                byteCountMax: .mebibytes(16)
            )
            if let fault = spool.faults.first { violated("agent \(agent.index): \(fault)") }
            agent.spool = spool
        }
    }

    func checkEvidence() {
        guard violations.isEmpty, ledger.missingCount > 0 else { return }
        violated("\(ledger.missingCount) decisions that were on disk never arrived")
    }
}
