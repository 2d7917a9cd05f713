package import Mesh
package import Reactor
import Snapshot

/// What the older process has to tell until its last connection is gone, in order.
///
/// What the newer one takes no more is kept and left in the data directory, for whoever starts there
/// next. Beyond the limit decisions are dropped and counted, the newest ones, as in the spool.
package struct RemainingEvidence: Sendable {
    /// The most bytes that are kept.
    static let byteCountMax = 3 << 20
    static let filePrefix = "left-"

    private struct Piece: Sendable {
        let frame: [UInt8]
        let decisionCount: Int
    }

    private let agent: AgentName
    private var pieces: [Piece] = []
    private var byteCount = 0
    private var dropped: UInt64 = 0
    /// Why the newer process takes nothing more; nil as long as it does.
    package private(set) var problem: HandoverError?

    package init(of agent: AgentName) { self.agent = agent }

    /// Decisions that the newer process has not got.
    package var decisionCount: Int { pieces.reduce(0) { $0 + $1.decisionCount } }

    /// Takes what a reactor's queue gave.
    package mutating func add(_ batch: EvidenceQueue.Batch) {
        guard !batch.isEmpty else { return }
        guard let frames = try? Handover.frames(of: batch, agent: agent) else {
            dropped &+= UInt64(batch.decisions.count) &+ batch.droppedDecisionCount
            return
        }
        for frame in frames {
            var decoder = FrameDecoder()
            decoder.append(frame)
            let content = (try? decoder.next()).flatMap { Handover.batch(of: $0, agent: agent) }
            let count = content?.decisions.count ?? 0
            guard byteCount + frame.count <= Self.byteCountMax else {
                dropped &+= UInt64(count) &+ (content?.droppedDecisionCount ?? 0)
                continue
            }
            pieces.append(Piece(frame: frame, decisionCount: count))
            byteCount += frame.count
        }
    }

    /// Sends all of it, unless the newer process failed to take something before.
    ///
    /// Blocks. After an error nothing more may be sent over the connection, for nobody knows how much of
    /// a frame has arrived: close it.
    package mutating func send(over connection: borrowing Descriptor) {
        guard problem == nil else { return }
        if dropped > 0 { noteDropped() }
        var sent = 0
        for piece in pieces {
            do throws(SystemError) {
                try PassedDescriptors().send(
                    with: piece.frame,
                    over: connection,
                    timeout: Handover.patience
                )
            } catch {
                problem = HandoverError("\(error)")
                break
            }
            sent += 1
            byteCount -= piece.frame.count
        }
        pieces.removeFirst(sent)
    }

    /// Leaves what was not taken where the next start finds it, under a name of its own.
    ///
    /// - Returns: whether there was anything.
    package mutating func leave(in folder: AgentFolder, as name: String) throws(FileError) -> Bool {
        if dropped > 0 { noteDropped() }
        guard !pieces.isEmpty else { return false }
        try EvidenceFolder(folder).replace(
            Self.filePrefix + name,
            with: pieces.flatMap(\.frame)
        )
        return true
    }

    private mutating func noteDropped() {
        var batch = EvidenceQueue.Batch()
        batch.droppedDecisionCount = dropped
        dropped = 0
        let frames = (try? Handover.frames(of: batch, agent: agent)) ?? []
        pieces += frames.map { Piece(frame: $0, decisionCount: 0) }
        byteCount += frames.reduce(0) { $0 + $1.count }
    }

    /// What such a file holds; nil where it holds something else, or of another agent.
    static func batches(in bytes: [UInt8], of agent: AgentName) -> [EvidenceQueue.Batch]? {
        var decoder = FrameDecoder()
        decoder.append(bytes)
        var batches: [EvidenceQueue.Batch] = []
        do throws(FrameError) {
            while let message = try decoder.next() {
                guard let batch = Handover.batch(of: message, agent: agent) else { return nil }
                batches.append(batch)
            }
        } catch {
            return nil
        }
        return decoder.bufferedByteCount == 0 ? batches : nil
    }
}
