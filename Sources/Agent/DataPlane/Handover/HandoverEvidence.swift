package import Mesh
package import Reactor
import Snapshot
import Wire

// The older process has no spool any more: what its last connections are about goes to the newer
// one, so that every decision is told once.
extension Handover {
    /// Decisions, and flows, in one frame.
    private static let entriesMax = 500
    /// What a frame calls flow counts that found no room, for which a batch has no place.
    private static let droppedFlows = "dropped_flows"

    /// The frames that carry what a reactor's queue gave.
    static func frames(
        of batch: EvidenceQueue.Batch,
        agent: AgentName
    ) throws(HandoverError) -> [[UInt8]] {
        var frames: [[UInt8]] = []
        var (decisions, flows) = (batch.decisions[...], batch.flows[...])
        var dropped = batch.droppedDecisionCount
        while !decisions.isEmpty || !flows.isEmpty || dropped > 0 {
            let message = Message.evidence(
                EvidenceBatch(
                    batch: 0,
                    previous: .beginning(of: agent),
                    dropped: dropped,
                    decisions: Array(decisions.prefix(entriesMax)),
                    flows: Array(flows.prefix(entriesMax))
                )
            )
            guard let frame = try? Frame.encode(message) else {
                throw HandoverError("evidence is too large for a frame")
            }
            frames.append(frame)
            decisions = decisions.dropFirst(entriesMax)
            flows = flows.dropFirst(entriesMax)
            dropped = 0
        }
        if batch.droppedFlowCount > 0 {
            let note = Document.fields([droppedFlows: .number(batch.droppedFlowCount)])
            guard let frame = try? Frame.encode(.status(note)) else {
                throw HandoverError("a count is too large for a frame")
            }
            frames.append(frame)
        }
        return frames
    }

    /// What a frame carries for the spool of an agent; nil for anything else.
    static func batch(of message: Message, agent: AgentName) -> EvidenceQueue.Batch? {
        var batch = EvidenceQueue.Batch()
        switch message {
        case .evidence(let evidence) where evidence.previous == .beginning(of: agent):
            batch.decisions = evidence.decisions
            batch.flows = evidence.flows
            batch.droppedDecisionCount = evidence.dropped
        case .status(let note):
            batch.droppedFlowCount = UInt64(exactly: note[droppedFlows]?.integer ?? 0) ?? 0
        default: return nil
        }
        return batch
    }

    /// The newer one takes evidence until the older one is gone, or `isOver` says so.
    package static func receiveEvidence(
        of agent: AgentName,
        over connection: borrowing Descriptor,
        isOver: () -> Bool,
        _ took: (EvidenceQueue.Batch) -> Void
    ) throws(HandoverError) {
        var decoder = FrameDecoder()
        while !isOver() {
            let bytes: [UInt8]
            do throws(SystemError) {
                bytes = try PassedDescriptors().receive(
                    byteCountMax: 65_536,
                    over: connection,
                    timeout: .seconds(1)
                )
            } catch {
                if error.isTimeout { continue }
                throw HandoverError("\(error)")
            }
            guard !bytes.isEmpty else { return }
            decoder.append(bytes)
            do {
                while let message = try decoder.next() {
                    if let batch = batch(of: message, agent: agent) { took(batch) }
                }
            } catch {
                throw HandoverError("\(error)")
            }
        }
    }
}

extension Subscription {
    /// Takes over what the process before this one could not tell any more.
    package func inherit(_ batch: EvidenceQueue.Batch) {
        spool.add(batch)
    }

    /// Enforces what the process after this one brought to disk, if it is newer: connections that
    /// are left here must be cut as soon as those over there.
    ///
    /// What cannot be read is read again the next time; the files change while they are read.
    package func followDisk() async {
        let mark = snapshots.path(of: SnapshotFiles.markName)
        let isNew = (try? AgentFolder.readIfPresent(mark)) != snapshot?.mark.encoded
        let isTrustNew =
            (try? AgentFolder.readIfPresent(folder.trustPath)) != trust.envelope.encoded
        guard isNew || isTrustNew else { return }
        let restored = snapshots.restore(
            agent: enrolment.agent,
            trustDomain: enrolment.trustDomain,
            now: settings.now()
        ).restoration
        guard let newer = restored.snapshot?.value, let anchor = restored.trust,
            newer.mark != snapshot?.mark || anchor.hash != trust.hash,
            let read = try? Self.roots(of: anchor, file: folder.trustPath)
        else { return }
        (trust, roots, snapshot) = (anchor, read, newer)
        trustedRoots.follow(anchor.document)
        await enforce()
    }

    /// Whose directory this is.
    package nonisolated var agent: AgentName { enrolment.agent }
}
