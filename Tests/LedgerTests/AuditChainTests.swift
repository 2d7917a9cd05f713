import Crypto
import Ledger
import Testing
import Wire

@Suite struct AuditChainTests {
    private let start = AuditHead.beginning(of: "server-1", at: .epoch)

    private func record(_ number: Int) throws -> AuditRecord {
        AuditRecord(
            id: UUIDv7(
                timestamp: Timestamp(secondsSinceEpoch: 1_900_000_000 + Int64(number)),
                random: Array(repeating: UInt8(number), count: 10)
            ),
            time: Timestamp(secondsSinceEpoch: 1_900_000_000 + Int64(number)),
            writer: "server-1",
            sequence: 1,
            previousHash: AuditChain.beginning(of: "server-1"),
            actor: "token:ops",
            action: "intention.update",
            resource: "intentions/shop/db/shop/web",
            outcome: "allowed",
            reason: "policy",
            sourceAddress: "127.0.0.1:4000",
            requestID: "r\(number)",
            revision: UInt64(number),
            detail: "{\"n\":\(number)}"
        )
    }

    private func chain(_ count: Int) throws -> [StoredAuditRecord] {
        var records: [AuditRecord] = []
        for number in 1...count {
            let next = try record(number)
            records.append(records.last?.linking(next) ?? next)
        }
        return records.map { StoredAuditRecord(record: $0, hash: $0.hash) }
    }

    private func fault(_ records: [StoredAuditRecord], heads: [AuditHead] = []) -> AuditFault? {
        do {
            _ = try AuditChain.verify(records, after: start, heads: heads)
            return nil
        } catch {
            return error
        }
    }

    @Test func anUntouchedChainVerifiesInOneRunOrTwo() throws {
        let records = try chain(6)
        let end = try AuditChain.verify(records, after: start)
        #expect(end.sequence == 6)
        let middle = try AuditChain.verify(records[..<3], after: start)
        #expect(try AuditChain.verify(records[3...], after: middle).hash == end.hash)
        #expect(try AuditChain.verify([], after: start) == start)
    }

    private static let edits: [@Sendable (inout AuditRecord) -> Void] = [
        { $0.time = $0.time + .microseconds(1) },
        { $0.actor = "token:other" },
        { $0.action += "d" },
        { $0.resource = "intentions/shop/db/shop/we" },
        { $0.outcome = "denied" },
        { $0.reason = nil },
        { $0.reason = "" },
        { $0.sourceAddress = nil },
        { $0.requestID = "r" },
        { $0.revision = 99 },
        { $0.revision = nil },
        { $0.detail = "{}" },
        // A byte moved across the border of two fields.
        { record in
            record.actor += "i"
            record.action = String(record.action.dropFirst())
        },
        // What one field loses as absent, its neighbour gains.
        { record in
            record.sourceAddress = record.reason
            record.reason = nil
        },
    ]

    @Test(arguments: AuditChainTests.edits.indices)
    func everyEditShows(index: Int) throws {
        var records = try chain(5)
        var edited = records[2].record
        Self.edits[index](&edited)
        records[2] = StoredAuditRecord(record: edited, hash: records[2].hash)
        #expect(fault(records) == .edited(sequence: 3))
        // Whoever recomputes the hash breaks the link of the next record.
        records[2] = StoredAuditRecord(record: edited, hash: edited.hash)
        #expect(fault(records) == .unlinked(sequence: 4))
    }

    @Test func deletesSwapsAndInsertsShow() throws {
        let records = try chain(5)
        var deleted = records
        deleted.remove(at: 2)
        #expect(fault(deleted) == .missing(expected: 3, found: 4))
        var swapped = records
        swapped.swapAt(1, 2)
        #expect(fault(swapped) == .missing(expected: 2, found: 3))
        var doubled = records
        doubled.insert(records[2], at: 3)
        #expect(fault(doubled) == .missing(expected: 4, found: 3))
        var foreign = records[4].record
        foreign.writer = "server-2"
        var inserted = records
        inserted[4] = StoredAuditRecord(record: foreign, hash: foreign.hash)
        #expect(fault(inserted) == .foreignWriter(sequence: 5))
    }

    @Test func aHeadShowsCutTailsAndRewrites() throws {
        let records = try chain(5)
        let head = AuditHead(after: records[3].record, at: .epoch)
        #expect(fault(records, heads: [head]) == nil)
        #expect(fault(Array(records[..<3]), heads: [head]) == .tailCut(last: 3, head: 4))
        #expect(fault([], heads: [head]) == .tailCut(last: 0, head: 4))
        var rewritten: [AuditRecord] = []
        for number in 1...5 {
            var next = try record(number)
            next.actor = "token:other"
            rewritten.append(rewritten.last?.linking(next) ?? next)
        }
        let stored = rewritten.map { StoredAuditRecord(record: $0, hash: $0.hash) }
        #expect(fault(stored) == nil)
        #expect(fault(stored, heads: [head]) == .rewritten(sequence: 4))
    }

    @Test func chainsOfTwoWritersDoNotBeginAlike() {
        #expect(AuditChain.beginning(of: "a") != AuditChain.beginning(of: "b"))
    }

    @Test func headsAreSigned() throws {
        let key = try SigningKey.generate(.ed25519)
        let other = try SigningKey.generate(.ed25519)
        let head = AuditHead(after: try record(1), at: .epoch)
        let signed = try head.signed(by: key)
        #expect(signed.verified(by: [other.publicKey, key.publicKey]) == head)
        #expect(signed.verified(by: [other.publicKey]) == nil)
        var altered = head
        altered.sequence = 2
        let forged = SignedAuditHead(
            head: altered,
            keyID: signed.keyID,
            signature: signed.signature
        )
        #expect(forged.verified(by: [key.publicKey]) == nil)
    }
}
