package import Crypto

/// A record as it was stored, beside the hash that was stored with it.
package struct StoredAuditRecord: Hashable, Sendable {
    /// The fields as they are read now.
    package let record: AuditRecord
    /// The hash as it was stored.
    package let hash: SHA256Digest

    package init(record: AuditRecord, hash: SHA256Digest) {
        self.record = record
        self.hash = hash
    }
}

/// What is wrong with a run of records, and where.
package enum AuditFault: Error, Hashable, Sendable {
    /// The fields no longer give the stored hash.
    case edited(sequence: UInt64)
    /// The record does not name the one before it.
    case unlinked(sequence: UInt64)
    /// Another sequence stands where `expected` should.
    case missing(expected: UInt64, found: UInt64)
    case foreignWriter(sequence: UInt64)
    /// The run ends before what a signed head has seen.
    case tailCut(last: UInt64, head: UInt64)
    /// The record that a signed head has seen is another one: the chain was rewritten.
    case rewritten(sequence: UInt64)
}

/// Checks runs of one writer's chain.
package enum AuditChain {
    /// What the first record of a chain names as the record before it.
    package static func beginning(of writer: String) -> SHA256Digest {
        var image = HashImage("turnpike audit chain 1")
        image.add(writer)
        return image.digest
    }

    /// Checks that `records` follow `start` without a gap and, where heads are known, that they
    /// hold what the heads have seen; gives the end of the run.
    ///
    /// - Parameters:
    ///   - records: ascending, as they are stored.
    ///   - start: the beginning of the chain, or an end that an earlier run has given.
    ///   - heads: verified heads of the same writer, in any order.
    /// - Returns: where the next run starts.
    /// - Throws: the first fault.
    package static func verify(
        _ records: some Sequence<StoredAuditRecord>,
        after start: AuditHead,
        heads: [AuditHead] = []
    ) throws(AuditFault) -> AuditHead {
        var end = start
        var seen: [UInt64: SHA256Digest] = [start.sequence: start.hash]
        let watched = Set(heads.map(\.sequence))
        for stored in records {
            let record = stored.record
            guard record.writer == start.writer else {
                throw .foreignWriter(sequence: record.sequence)
            }
            let (expected, isOverflow) = end.sequence.addingReportingOverflow(1)
            guard !isOverflow, record.sequence == expected else {
                throw .missing(expected: expected, found: record.sequence)
            }
            guard record.hash == stored.hash else { throw .edited(sequence: record.sequence) }
            guard record.previousHash == end.hash else {
                throw .unlinked(sequence: record.sequence)
            }
            if watched.contains(record.sequence) { seen[record.sequence] = stored.hash }
            end = AuditHead(after: record, at: record.time)
        }
        for head in heads.sorted(by: { $0.sequence < $1.sequence }) {
            guard head.writer == start.writer else { throw .foreignWriter(sequence: head.sequence) }
            guard head.sequence <= end.sequence else {
                throw .tailCut(last: end.sequence, head: head.sequence)
            }
            if let hash = seen[head.sequence], hash != head.hash {
                throw .rewritten(sequence: head.sequence)
            }
        }
        return end
    }
}
