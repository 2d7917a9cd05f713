package import Crypto
package import Mesh
package import Wire

/// How far the chain of one agent's decisions has come.
///
/// Every decision is linked to the one before, so that the server, which keeps the last position,
/// notices a gap, an edit and a second history.
package struct EvidencePosition: Hashable, Sendable {
    /// The sequence of the last decision; 0 before the first.
    package var sequence: UInt64
    /// The hash of the last link.
    package var hash: SHA256Digest

    package init(sequence: UInt64, hash: SHA256Digest) {
        self.sequence = sequence
        self.hash = hash
    }

    /// Where the chain of an agent begins.
    package static func beginning(of agent: AgentName) -> EvidencePosition {
        EvidencePosition(
            sequence: 0,
            hash: SHA256.digest(of: Array("turnpike evidence chain 1 \(agent.text)".utf8))
        )
    }

    /// The position after one more decision.
    ///
    /// The link is SHA-256 over a label, the previous hash, the sequence and the canonical JSON of
    /// the decision; all but the last have a fixed length.
    package func after(_ decision: Decision) -> EvidencePosition {
        link("turnpike decision 1", sequence &+ 1, JSON.canonical(decision.document))
    }

    /// The position after a note that decisions were dropped; takes no sequence of its own.
    package func after(dropped: UInt64) -> EvidencePosition {
        dropped == 0 ? self : link("turnpike dropped 1 ", sequence, Array(String(dropped).utf8))
    }

    private func link(
        _ label: String,
        _ sequence: UInt64,
        _ content: [UInt8]
    ) -> EvidencePosition {
        var writer = ByteWriter(reservingCapacity: content.count + 64)
        writer.writeText(label)
        writer.writeBytes(hash.bytes)
        writer.writeUInt64(sequence)
        writer.writeBytes(content)
        return EvidencePosition(sequence: sequence, hash: SHA256.digest(of: writer.bytes))
    }
}

/// Decisions and flows, numbered so that a batch that is sent twice is stored once.
package struct EvidenceBatch: Equatable, Sendable {
    /// The most decisions or flows of one batch.
    package static let entriesMax = 1024

    /// Ascending per agent from 1; survives restarts.
    package var batch: UInt64
    /// The position that this batch follows; the first decision has the next sequence.
    package var previous: EvidencePosition
    /// Decisions that were dropped since the batch before; linked in front of `decisions`.
    package var dropped: UInt64
    /// In the order in which they happened.
    package var decisions: [Decision]
    /// Of minutes that are over.
    package var flows: [Flow]

    package init(
        batch: UInt64,
        previous: EvidencePosition,
        dropped: UInt64,
        decisions: [Decision],
        flows: [Flow]
    ) {
        self.batch = batch
        self.previous = previous
        self.dropped = dropped
        self.decisions = decisions
        self.flows = flows
    }

    /// The positions of the decisions, in order: sequence and hash as they are stored.
    package var positions: [EvidencePosition] {
        var position = previous.after(dropped: dropped)
        return decisions.map { decision in
            position = position.after(decision)
            return position
        }
    }

    /// What the next batch must follow.
    package var head: EvidencePosition {
        positions.last ?? previous.after(dropped: dropped)
    }
}

extension EvidencePosition {
    /// The position as a document.
    package var document: Document {
        .fields(["sequence": .number(sequence), "hash": .string(hash.hex)])
    }

    /// Reads a position.
    package init(from reader: inout FieldReader) throws(FieldError) {
        self.init(
            sequence: UInt64(try reader.int("sequence", in: 0...Int.max)),
            hash: try reader.required("hash").digest()
        )
    }
}

extension EvidenceBatch {
    /// The batch as a document.
    package var document: Document {
        .fields([
            "batch": .number(batch),
            "previous": previous.document,
            "dropped": .number(dropped),
            "decisions": .list(decisions.map(\.document)),
            "flows": .list(flows.map(\.document)),
        ])
    }

    /// Reads a batch.
    package init(from reader: inout FieldReader) throws(FieldError) {
        self.init(
            batch: try reader.required("batch").counter(),
            previous: try reader.map("previous", EvidencePosition.init(from:)),
            dropped: try reader.required("dropped").counter(),
            decisions: try reader.maps(
                "decisions",
                limit: Self.entriesMax,
                Decision.init(from:)
            ),
            flows: try reader.maps("flows", limit: Self.entriesMax, Flow.init(from:))
        )
    }
}
