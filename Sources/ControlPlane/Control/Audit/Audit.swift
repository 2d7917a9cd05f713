package import Ledger
package import Store
import Wire

/// What the check of a chain found.
package struct AuditVerification: Equatable, Sendable {
    package let writer: String
    package let recordCount: Int
    /// The end of the checked run; nil when the chain has no such record.
    package let end: AuditHead?
    /// The first fault, if the run is not as it was written.
    package let fault: AuditFault?

    package var isIntact: Bool { fault == nil }
}

/// The audit trail: what happened, by whom, and proof that nobody changed it afterwards.
package struct Audit: Sendable {
    private let control: ControlPlane

    init(_ control: ControlPlane) { self.control = control }

    /// One page, newest first; `next` continues it, or is nil at its end.
    package func list(
        _ filter: AuditFilter = AuditFilter(),
        before cursor: AuditCursor? = nil,
        limit: Int = 100
    ) async throws(ControlError) -> (records: [StoredAuditRecord], next: AuditCursor?) {
        let limit = max(1, min(limit, AuditRepository.pageMax))
        let records = try await control.read { database in
            try await AuditRepository.list(filter, before: cursor, limit: limit, in: database)
        }
        let last = records.count == limit ? records.last?.record : nil
        return (records, last.map { AuditCursor(at: $0.time, id: $0.id) })
    }

    /// The end of every chain, for those who keep it outside of this database.
    package func heads() async throws(ControlError) -> [AuditHead] {
        let at = control.now()
        return try await control.read { database in
            try await AuditRepository.heads(at: at, in: database)
        }
    }

    /// Recomputes a writer's chain and compares it with its head and with heads that somebody
    /// else remembers.
    package func verify(
        writer: String,
        witnessed: [AuditHead] = []
    ) async throws(ControlError) -> AuditVerification {
        let at = control.now()
        return try await control.read { database in
            let stored = try await AuditRepository.heads(at: at, in: database)
                .filter { $0.writer == writer }
            var end = AuditHead.beginning(of: writer, at: at)
            var count = 0
            while true {
                let page = try await AuditRepository.chain(
                    of: writer,
                    from: Int64(clamping: end.sequence &+ 1),
                    in: database
                )
                let isLast = page.count < AuditRepository.pageMax
                let known = (stored + witnessed).filter { head in
                    isLast || page.last.map { head.sequence <= $0.record.sequence } ?? true
                }
                do throws(AuditFault) {
                    let heads = known.filter { $0.sequence >= end.sequence }
                    end = try AuditChain.verify(page, after: end, heads: heads)
                } catch {
                    return AuditVerification(
                        writer: writer,
                        recordCount: count,
                        end: end,
                        fault: error
                    )
                }
                count += page.count
                guard !isLast else { break }
            }
            guard count > 0 || !stored.isEmpty || !witnessed.isEmpty else {
                throw ControlError.notFound(
                    Complaint(
                        "audit.unknown_writer",
                        "nobody of this name writes a chain; GET /v1/audit/heads names them all"
                    )
                )
            }
            return AuditVerification(writer: writer, recordCount: count, end: end, fault: nil)
        }
    }
}

extension ControlPlane {
    /// The audit trail.
    package var audit: Audit { Audit(self) }
}
