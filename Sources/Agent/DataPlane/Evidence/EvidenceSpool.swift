package import Mesh
package import Reactor
package import Snapshot
package import Wire

/// Decisions and flows on disk until a server has stored them.
///
/// Each batch is a file of its own, named by its number and written as a whole, so that a kill at
/// any point loses at most what was not written yet. Batches are linked before they are written:
/// when the disk budget is used up the newest decisions are dropped, since dropping older ones would
/// break links that are already made, and the first ones of a flood tell what it is. The number of
/// the dropped is part of the next link.
package struct EvidenceSpool: Sendable {
    /// The most bytes of one batch, so that it fits a frame.
    package static let batchBytesMax = 768 << 10
    /// Decisions that wait in memory while the disk refuses them.
    package static let waitingMax = 16_384
    /// Distinct flows of minutes that are not on disk yet.
    package static let flowsMax = 16_384

    private struct FlowKey: Hashable {
        let minute: Timestamp
        let source: SPIFFEID
        let destination: ServiceName
        let ruleID: RuleID?
    }

    private let files: any EvidenceFiles
    private let byteCountMax: Int
    /// Numbers and sizes of the batches on disk, oldest first.
    private var stored: [(batch: UInt64, byteCount: Int)] = []
    private var nextBatch: UInt64
    /// What the next batch follows.
    private var position: EvidencePosition
    private var dropped: UInt64
    private var waiting: [Decision] = []
    private var flows: [FlowKey: Flow] = [:]
    /// Flow counts that found no room; they show in metrics only.
    package private(set) var droppedFlowCount: UInt64 = 0
    /// What was wrong with the files that were found at the start.
    package private(set) var faults: [String] = []

    /// Opens the spool of an agent; what is not in order at its end is cut off and counted.
    package init(
        in files: any EvidenceFiles,
        agent: AgentName,
        byteCountMax: ByteCount
    ) throws(FileError) {
        self.files = files
        self.byteCountMax = byteCountMax.bytes
        let head = try Self.readHead(files) ?? Head(agent: agent)
        nextBatch = head.nextBatch
        position = head.position
        dropped = head.dropped
        try restore()
        try takeWhatWasLeft(by: agent)
    }

    /// Bytes on disk.
    package var byteCount: Int { stored.reduce(0) { $0 + $1.byteCount } }
    /// Batches on disk that no server has acknowledged.
    package var batchCount: Int { stored.count }
    /// Decisions that were dropped and not yet reported.
    package var droppedCount: UInt64 { dropped }
    /// Decisions that are not on disk yet.
    package var waitingCount: Int { waiting.count }

    /// Takes what a reactor's queue gave.
    package mutating func add(_ batch: EvidenceQueue.Batch) {
        dropped &+= batch.droppedDecisionCount
        droppedFlowCount &+= batch.droppedFlowCount
        let room = max(0, Self.waitingMax - waiting.count)
        waiting += batch.decisions.prefix(room)
        dropped &+= UInt64(batch.decisions.dropFirst(room).count)
        for flow in batch.flows { merge(flow) }
    }

    private mutating func merge(_ flow: Flow) {
        let key = FlowKey(
            minute: flow.minute,
            source: flow.source,
            destination: flow.destination,
            ruleID: flow.ruleID
        )
        guard var known = flows[key] else {
            guard flows.count < Self.flowsMax else {
                droppedFlowCount &+= 1
                return
            }
            flows[key] = flow
            return
        }
        known.opened &+= flow.opened
        known.closed &+= flow.closed
        known.bytesSent &+= flow.bytesSent
        known.bytesReceived &+= flow.bytesReceived
        flows[key] = known
    }

    /// Writes what waits: all decisions, and the flows of minutes that are over, or all at the end.
    ///
    /// When the budget is used up, decisions are dropped and counted, and flows keep adding up in
    /// memory. When the disk refuses a write, everything stays in memory for the next attempt.
    package mutating func write(now: Timestamp, isEnding: Bool = false) throws(FileError) {
        let minute = Timestamp(secondsSinceEpoch: now.secondsSinceEpoch / 60 * 60)
        while true {
            let over = flows.filter { isEnding || $0.value.minute < minute }
                .sorted { $0.value.minute < $1.value.minute }
                .prefix(EvidenceBatch.entriesMax / 4)
            guard !waiting.isEmpty || !over.isEmpty else { return }
            guard byteCount < byteCountMax else { return try dropWaiting() }
            var batch = EvidenceBatch(
                batch: nextBatch,
                previous: position,
                dropped: dropped,
                decisions: Array(waiting.prefix(EvidenceBatch.entriesMax)),
                flows: over.map(\.value)
            )
            var bytes = JSON.canonical(batch.document)
            while bytes.count > Self.batchBytesMax, batch.decisions.count > 1 {
                batch.decisions.removeLast(batch.decisions.count / 2)
                bytes = JSON.canonical(batch.document)
            }
            guard byteCount + bytes.count <= byteCountMax else { return try dropWaiting() }
            try files.replace(Self.name(of: nextBatch), with: bytes)
            stored.append((nextBatch, bytes.count))
            waiting.removeFirst(batch.decisions.count)
            for (key, _) in over { flows[key] = nil }
            dropped = 0
            nextBatch += 1
            position = batch.head
        }
    }

    /// The oldest batch that is not acknowledged.
    ///
    /// One that cannot be read any more is given up, loudly: the server then sees the gap. While the
    /// process has no descriptor or memory left to read it with, there is none: whoever exhausts an
    /// agent must not thereby remove what it has recorded.
    package mutating func oldest() -> EvidenceBatch? {
        while let first = stored.first {
            do throws(FileError) {
                if let batch = try read(Self.name(of: first.batch)) { return batch }
            } catch {
                return nil
            }
            faults.append("evidence batch \(first.batch) is unreadable and was given up")
            stored.removeFirst()
            try? files.remove(Self.name(of: first.batch))
        }
        return nil
    }

    /// A server has stored this batch for good.
    package mutating func acknowledged(_ batch: UInt64) throws(FileError) {
        guard let first = stored.first, first.batch == batch else { return }
        if stored.count == 1 {
            // Where the chain goes on must be on disk before its last witness is removed.
            try writeHead()
        }
        stored.removeFirst()
        try files.remove(Self.name(of: batch))
    }

    private mutating func dropWaiting() throws(FileError) {
        guard !waiting.isEmpty else { return }
        dropped &+= UInt64(waiting.count)
        waiting = []
        try writeHead()
    }

    private static func name(of batch: UInt64) -> String {
        let digits = String(batch)
        let padding = String(repeating: "0", count: max(0, 20 - digits.utf8.count))
        return "batch-\(padding)\(digits).json"
    }

    // MARK: Files

    private static let headName = "head.json"

    private struct Head {
        var nextBatch: UInt64
        var position: EvidencePosition
        var dropped: UInt64

        init(agent: AgentName) {
            nextBatch = 1
            position = .beginning(of: agent)
            dropped = 0
        }

        init(from reader: inout FieldReader) throws(FieldError) {
            nextBatch = UInt64(try reader.int("next_batch", in: 1...Int.max))
            position = try reader.map("position", EvidencePosition.init(from:))
            dropped = UInt64(try reader.int("dropped", in: 0...Int.max))
        }
    }

    private func writeHead() throws(FileError) {
        let document = Document.fields([
            "next_batch": .number(nextBatch),
            "position": position.document,
            "dropped": .number(dropped),
        ])
        try files.replace(Self.headName, with: JSON.canonical(document))
    }

    private static func readHead(_ files: any EvidenceFiles) throws(FileError) -> Head? {
        guard let bytes = try files.read(headName) else { return nil }
        guard let document = try? JSON.parse(bytes, source: headName) else { return nil }
        return try? FieldReader.read(document) { reader throws(FieldError) in
            try Head(from: &reader)
        }
    }

    /// Nil for what is no batch; throws only when nothing can be read at the moment.
    private func read(_ name: String) throws(FileError) -> EvidenceBatch? {
        let bytes: [UInt8]?
        do throws(FileError) {
            bytes = try files.read(name)
        } catch {
            if error.isShortage { throw error }
            return nil
        }
        guard let bytes, let document = try? JSON.parse(bytes, source: name, limits: .request)
        else { return nil }
        return try? FieldReader.read(document) { reader throws(FieldError) in
            try EvidenceBatch(from: &reader)
        }
    }

    /// Takes up what a process left that was replaced and could not tell it to its successor.
    ///
    /// Of a file that cannot be taken up now, nothing is: it waits for the next start.
    private mutating func takeWhatWasLeft(by agent: AgentName) throws(FileError) {
        for (name, _) in try files.list() where name.hasPrefix(RemainingEvidence.filePrefix) {
            let bytes: [UInt8]?
            do throws(FileError) {
                bytes = try files.read(name)
            } catch {
                if error.isShortage { throw error }
                bytes = nil
            }
            if let bytes, let batches = RemainingEvidence.batches(in: bytes, of: agent) {
                for batch in batches { add(batch) }
                do throws(FileError) {
                    try write(now: .distantPast, isEnding: true)
                } catch {
                    faults.append("evidence that was left in \(name) cannot be stored: \(error)")
                    (waiting, flows) = ([], [:])
                    continue
                }
            } else {
                faults.append("evidence that was left in \(name) is unreadable and was given up")
            }
            try files.remove(name)
        }
    }

    private mutating func restore() throws(FileError) {
        for (name, byteCount) in try files.list() where name.hasPrefix("batch-") {
            let digits = name.dropFirst("batch-".count).prefix { $0.isNumber }
            guard let number = UInt64(digits), Self.name(of: number) == name else { continue }
            guard let batch = try read(name), batch.batch == number else {
                faults.append("evidence batch \(number) is unreadable and was given up")
                try files.remove(name)
                nextBatch = max(nextBatch, number + 1)
                continue
            }
            stored.append((number, byteCount))
            if number >= nextBatch {
                nextBatch = number + 1
                position = batch.head
                dropped = 0
            }
        }
    }
}
