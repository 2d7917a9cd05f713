import Crypto
import Ledger
import Store
package import Wire

/// A question to the audit trail in its REST form.
package struct AuditSearch: Equatable, Sendable {
    package var actor: String?
    package var action: String?
    /// The beginning of the resource's path.
    package var resourcePrefix: String?
    package var outcome: String?
    package var requestID: String?
    /// From this time on.
    package var since: Timestamp?
    /// Before this time.
    package var until: Timestamp?
    /// The `next` of the page before.
    package var after: String?
    package var limit = 100

    package init() {}

    var filter: AuditFilter {
        var filter = AuditFilter()
        filter.actor = actor
        filter.action = action
        filter.resourcePrefix = resourcePrefix
        filter.outcome = outcome
        filter.requestID = requestID
        filter.since = since
        filter.until = until
        return filter
    }
}

extension Audit {
    /// One page of records in their REST form, newest first.
    package func search(
        _ search: AuditSearch
    ) async throws(ControlError) -> (items: [Document], next: String?) {
        var cursor: AuditCursor?
        if let after = search.after {
            cursor = AuditCursor(text: after)
            if cursor == nil {
                throw .invalid(
                    "audit.invalid",
                    field: "after",
                    "must be the `next` of the page before"
                )
            }
        }
        let page = try await list(search.filter, before: cursor, limit: search.limit)
        return (page.records.map(\.document), page.next?.text)
    }

    /// The end of every chain in its REST form.
    package func headDocuments() async throws(ControlError) -> [Document] {
        try await heads().map { head in
            .fields([
                "writer": .string(head.writer),
                "sequence": .number(head.sequence),
                "hash": .string(head.hash.hex),
            ])
        }
    }
}

extension AuditVerification {
    /// The verdict in its REST form.
    package var document: Document {
        .fields([
            "writer": .string(writer),
            "intact": .bool(isIntact),
            "records": .number(recordCount),
            "sequence": end.map { .number($0.sequence) } ?? .null,
            "hash": end.map { .string($0.hash.hex) } ?? .null,
            "fault": fault.map { .string("\($0)") } ?? .null,
        ])
    }
}

extension StoredAuditRecord {
    /// The record in its REST form.
    var document: Document {
        .fields([
            "id": .string(record.id.description),
            "at": .timestamp(record.time),
            "writer": .string(record.writer),
            "sequence": .number(record.sequence),
            "actor": .string(record.actor),
            "action": .string(record.action),
            "resource": .string(record.resource),
            "outcome": .string(record.outcome),
            "reason": record.reason.map { .string($0) },
            "source_address": record.sourceAddress.map { .string($0) },
            "request_id": record.requestID.map { .string($0) },
            "revision": record.revision.map { .number($0) },
            "detail": record.detail.flatMap { try? JSON.parse($0, source: "detail") },
            "previous_hash": .string(record.previousHash.hex),
            "hash": .string(hash.hex),
        ])
    }
}

extension AuditCursor {
    init?(text: String) {
        let parts = text.split(separator: ".", maxSplits: 1)
        guard parts.count == 2, let microseconds = Int64(parts[0]),
            let id = try? UUIDv7(parsing: String(parts[1]))
        else { return nil }
        let (nanoseconds, isOverflow) = microseconds.multipliedReportingOverflow(by: 1_000)
        guard !isOverflow else { return nil }
        self.init(at: Timestamp(nanosecondsSinceEpoch: nanoseconds), id: id)
    }

    var text: String { "\(at.microsecondsSinceEpoch).\(id)" }
}
