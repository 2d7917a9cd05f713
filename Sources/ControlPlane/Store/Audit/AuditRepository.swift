package import Crypto
package import Ledger
package import Postgres
package import Wire

/// The audit trail: appended to inside of the transaction that it is about, read, never changed.
package enum AuditRepository {
    /// The most records of one page.
    package static let pageMax = 1_000
    /// The most records of one transaction.
    package static let entriesMax = 10_000
    private static let statementsPerBatch = 500

    /// Appends records to a writer's chain and then runs what must commit with them.
    ///
    /// Takes the lock of the chain, so it must come last in its transaction.
    static func append(
        _ entries: [AuditEntry],
        revision: Int64?,
        to writer: String,
        makeID: @Sendable (Timestamp) -> UUIDv7,
        followedBy statements: [SQL],
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        guard entries.count <= entriesMax else { throw .statementTooLarge }
        var (head, at) = try await lockHead(of: writer, in: transaction)
        var pending: [SQL] = []
        for entry in entries {
            let record = record(entry, revision: revision, id: makeID(at), after: head, at: at)
            pending.append(insert(record))
            head = AuditHead(after: record, at: at)
        }
        pending.append(
            """
            UPDATE turnpike.audit_heads
            SET sequence = \(Int64(clamping: head.sequence)), hash = \(head.hash.bytes)
            WHERE writer = \(writer)
            """
        )
        pending += statements
        while !pending.isEmpty {
            try await transaction.batch(Array(pending.prefix(statementsPerBatch)))
            pending.removeFirst(min(statementsPerBatch, pending.count))
        }
    }

    private static func lockHead(
        of writer: String,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> (AuditHead, Timestamp) {
        let lock: [SQL] = [
            "SELECT sequence, hash FROM turnpike.audit_heads WHERE writer = \(writer) FOR UPDATE",
            "SELECT clock_timestamp()",
        ]
        var answers = try await transaction.batch(lock)
        if answers.first?.isEmpty == true {
            let beginning = AuditChain.beginning(of: writer).bytes
            try await transaction.query(
                """
                INSERT INTO turnpike.audit_heads (writer, sequence, hash)
                VALUES (\(writer), 0, \(beginning)) ON CONFLICT (writer) DO NOTHING
                """
            )
            answers = try await transaction.batch(lock)
        }
        guard answers.count == 2 else { throw .unexpectedRowCount(answers.count) }
        let at: Timestamp = try answers[1].single().decode(at: 0)
        return (try head(answers[0].single(), writer: writer, at: at), at)
    }

    private static func record(
        _ entry: AuditEntry,
        revision: Int64?,
        id: UUIDv7,
        after head: AuditHead,
        at: Timestamp
    ) -> AuditRecord {
        AuditRecord(
            id: id,
            time: at,
            writer: head.writer,
            sequence: head.sequence &+ 1,
            previousHash: head.hash,
            actor: Redaction.text(entry.actor),
            action: Redaction.text(entry.action),
            resource: Redaction.text(entry.resource),
            outcome: Redaction.text(entry.outcome),
            reason: entry.reason.map(Redaction.text),
            sourceAddress: entry.sourceAddress.map(Redaction.text),
            requestID: entry.requestID.map(Redaction.text),
            revision: revision.map { UInt64(clamping: $0) },
            detail: entry.detail.map(Redaction.detail)
        )
    }

    private static func insert(_ record: AuditRecord) -> SQL {
        """
        INSERT INTO turnpike.audit (
            writer, sequence, id, at, previous_hash, hash, actor, action, resource, outcome,
            reason, source_address, request_id, revision, detail
        ) VALUES (
            \(record.writer), \(Int64(clamping: record.sequence)), \(record.id), \(record.time),
            \(record.previousHash.bytes), \(record.hash.bytes), \(record.actor),
            \(record.action), \(record.resource), \(record.outcome), \(record.reason),
            \(record.sourceAddress), \(record.requestID),
            \(record.revision.map { Int64(clamping: $0) }), \(record.detail)
        )
        """
    }

    // MARK: Reading

    /// One page, newest first, of the records before a cursor.
    package static func list(
        _ filter: AuditFilter,
        before cursor: AuditCursor? = nil,
        limit: Int,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> [StoredAuditRecord] {
        let rows = try await transaction.query(
            """
            \(fragment: columns) WHERE true
            \(fragment: conditions(filter))
            \(fragment: cursor.map { "AND (at, id) < (\($0.at), \($0.id))" } ?? "")
            ORDER BY at DESC, id DESC LIMIT \(max(1, min(limit, pageMax)))
            """
        )
        return try records(rows)
    }

    /// A run of one writer's chain in its order, from a sequence on.
    package static func chain(
        of writer: String,
        from sequence: Int64,
        limit: Int = pageMax,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> [StoredAuditRecord] {
        let rows = try await transaction.query(
            """
            \(fragment: columns) WHERE writer = \(writer) AND sequence >= \(sequence)
            ORDER BY sequence LIMIT \(max(1, min(limit, pageMax)))
            """
        )
        return try records(rows)
    }

    /// The writers of those of these records that are not there, or not with this hash.
    package static func writersWithout(
        _ records: [(writer: String, sequence: Int64, hash: SHA256Digest)],
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> [String] {
        guard !records.isEmpty else { return [] }
        return try await transaction.query(
            """
            SELECT DISTINCT seen.writer FROM unnest(
                \(records.map(\.writer)), \(records.map(\.sequence)),
                \(records.map(\.hash.bytes))
            ) AS seen (writer, sequence, hash)
            WHERE NOT EXISTS (
                SELECT FROM turnpike.audit WHERE audit.writer = seen.writer
                AND audit.sequence = seen.sequence AND audit.hash = seen.hash
            ) ORDER BY 1
            """
        ).column()
    }

    /// The end of every chain, by writer.
    package static func heads(
        at: Timestamp,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> [AuditHead] {
        let rows = try await transaction.query(
            "SELECT writer, sequence, hash FROM turnpike.audit_heads ORDER BY writer"
        )
        var heads: [AuditHead] = []
        for row in rows { heads.append(try head(row, writer: row.decode("writer"), at: at)) }
        return heads
    }

    private static let columns: SQL = """
        SELECT writer, sequence, id, at, previous_hash, hash, actor, action, resource, outcome,
            reason, source_address, request_id, revision, detail
        FROM turnpike.audit
        """

    private static func conditions(_ filter: AuditFilter) -> SQL {
        var conditions: [SQL] = []
        if let actor = filter.actor { conditions.append("AND actor = \(actor)") }
        if let action = filter.action { conditions.append("AND action = \(action)") }
        if let prefix = filter.resourcePrefix {
            conditions.append("AND starts_with(resource, \(prefix))")
        }
        if let outcome = filter.outcome { conditions.append("AND outcome = \(outcome)") }
        if let id = filter.requestID { conditions.append("AND request_id = \(id)") }
        if let since = filter.since { conditions.append("AND at >= \(since)") }
        if let until = filter.until { conditions.append("AND at < \(until)") }
        return SQL.joined(conditions, separator: "\n")
    }

    private static func head(
        _ row: Row,
        writer: String,
        at: Timestamp
    ) throws(PostgresError) -> AuditHead {
        AuditHead(
            writer: writer,
            sequence: UInt64(clamping: try row.decode("sequence", as: Int64.self)),
            hash: try digest(row, "hash"),
            time: at
        )
    }

    private static func digest(
        _ row: Row,
        _ column: String
    ) throws(PostgresError) -> SHA256Digest {
        guard let digest = SHA256Digest(try row.decode(column, as: [UInt8].self)) else {
            throw .undecodable(column: column, type: .bytea, .wrongLength)
        }
        return digest
    }

    private static func records(_ rows: Rows) throws(PostgresError) -> [StoredAuditRecord] {
        var records: [StoredAuditRecord] = []
        records.reserveCapacity(rows.count)
        for row in rows {
            let revision: Int64? = try row.decodeIfPresent("revision")
            let record = AuditRecord(
                id: try row.decode("id"),
                time: try row.decode("at"),
                writer: try row.decode("writer"),
                sequence: UInt64(clamping: try row.decode("sequence", as: Int64.self)),
                previousHash: try digest(row, "previous_hash"),
                actor: try row.decode("actor"),
                action: try row.decode("action"),
                resource: try row.decode("resource"),
                outcome: try row.decode("outcome"),
                reason: try row.decodeIfPresent("reason"),
                sourceAddress: try row.decodeIfPresent("source_address"),
                requestID: try row.decodeIfPresent("request_id"),
                revision: revision.map { UInt64(clamping: $0) },
                detail: try row.decodeIfPresent("detail")
            )
            records.append(StoredAuditRecord(record: record, hash: try digest(row, "hash")))
        }
        return records
    }
}
