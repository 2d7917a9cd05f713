package import Crypto
package import Mesh
package import Postgres
import Wire

/// How far the evidence of an agent is stored.
package struct EvidenceHead: Equatable, Sendable {
    /// Counts the breaks of the chain; each begins a new one.
    package var chain: Int
    /// Of the last decision; 0 before the first.
    package var sequence: Int64
    /// Of the last link.
    package var hash: SHA256Digest
    /// The number of the last batch; 0 before the first.
    package var batch: Int64
    /// Decisions that the agent had to drop, in all.
    package var dropped: Int64

    package init(chain: Int, sequence: Int64, hash: SHA256Digest, batch: Int64, dropped: Int64) {
        self.chain = chain
        self.sequence = sequence
        self.hash = hash
        self.batch = batch
        self.dropped = dropped
    }
}

/// A decision with its place in the chain of its agent.
package struct ChainedDecision: Equatable, Sendable {
    package let decision: Decision
    package let sequence: Int64
    package let hash: SHA256Digest

    package init(_ decision: Decision, sequence: Int64, hash: SHA256Digest) {
        self.decision = decision
        self.sequence = sequence
        self.hash = hash
    }
}

/// Decisions and flows of agents.
package enum EvidenceRepository {
    /// Batches older than this are forgotten; no agent repeats one so late.
    private static let batchesKept: SQL = "interval '7 days'"

    /// Locks the head of an agent's chain until the end of the transaction.
    package static func lockHead(
        of agent: AgentName,
        beginning: SHA256Digest,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> EvidenceHead {
        try await transaction.query(
            """
            INSERT INTO turnpike.evidence_heads (agent, chain, sequence, hash, batch)
            VALUES (\(agent.text), 1, 0, \(beginning.bytes), 0) ON CONFLICT DO NOTHING
            """
        )
        let row = try await transaction.query(
            """
            SELECT chain, sequence, hash, batch, dropped FROM turnpike.evidence_heads
            WHERE agent = \(agent.text) FOR UPDATE
            """
        ).single()
        return EvidenceHead(
            chain: Int(try row.decode("chain", as: Int32.self)),
            sequence: try row.decode("sequence"),
            hash: try row.digest("hash"),
            batch: try row.decode("batch"),
            dropped: try row.decode("dropped")
        )
    }

    /// Enters a batch by the digest of its content.
    ///
    /// - Returns: false if it is stored already.
    package static func enter(
        batch: Int64,
        digest: SHA256Digest,
        of agent: AgentName,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Bool {
        try await transaction.execute(
            """
            INSERT INTO turnpike.evidence_batches (agent, digest, batch)
            VALUES (\(agent.text), \(digest.bytes), \(batch)) ON CONFLICT DO NOTHING
            """
        ) == 1
    }

    /// Those of these services that are or ever were placed on an agent: evidence may arrive after
    /// the placement ended.
    package static func everPlaced(
        _ services: Set<ServiceName>,
        on agent: AgentName,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Set<ServiceName> {
        let byKey = Dictionary(
            services.map { ("\($0)/\(agent)", $0) },
            uniquingKeysWith: { first, _ in first }
        )
        guard !byKey.isEmpty else { return [] }
        let keys: [String] = try await transaction.query(
            """
            SELECT DISTINCT key FROM turnpike.changes
            WHERE kind = 'placement' AND key = ANY(\(byKey.keys.sorted()))
            """
        ).column()
        return Set(keys.compactMap { byKey[$0] })
    }

    /// Stores decisions in their places; an id that is stored already is left as it is.
    ///
    /// - Returns: how many were stored.
    @discardableResult
    package static func append(
        _ decisions: [ChainedDecision],
        of agent: AgentName,
        chain: Int,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Int {
        guard !decisions.isEmpty else { return 0 }
        var statements: [SQL] = []
        for entry in decisions {
            let decision = entry.decision
            statements.append(
                """
                INSERT INTO turnpike.decisions (
                    agent, chain, sequence, id, at, verdict, reason, source, destination, rule_id,
                    precedence, permission, path, revision, peer_address, hash
                ) VALUES (
                    \(agent.text), \(Int32(clamping: chain)), \(entry.sequence), \(decision.id),
                    \(decision.time), \(decision.verdict.rawValue), \(decision.reason.rawValue),
                    \(decision.source?.description ?? ""),
                    \(decision.destination?.description ?? ""),
                    \(decision.ruling.ruleID?.text ?? ""),
                    \(Int16(clamping: decision.ruling.precedence ?? 0)),
                    \(decision.ruling.permissionIndex.map { Int32(clamping: $0) }),
                    \(decision.canonicalPath), \(Int64(clamping: decision.revision)),
                    \(decision.peerAddress ?? ""), \(entry.hash.bytes)
                ) ON CONFLICT (id) DO NOTHING
                """
            )
        }
        var count = 0
        let step = PostgresLimits.statementsPerBatchMax
        for start in stride(from: 0, to: statements.count, by: step) {
            let end = min(start + step, statements.count)
            for rows in try await transaction.batch(Array(statements[start..<end])) {
                count += rows.affectedCount
            }
        }
        return count
    }

    /// Adds flows to those of the same minute.
    package static func add(
        _ flows: [Flow],
        of agent: AgentName,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        guard !flows.isEmpty else { return }
        func numbers(_ value: (Flow) -> UInt64) -> [Int64] {
            flows.map { Int64(clamping: value($0)) }
        }
        try await transaction.query(
            """
            INSERT INTO turnpike.flows (
                agent, source, destination, rule_id, minute, opened, closed,
                bytes_to_destination, bytes_to_source
            )
            SELECT \(agent.text), source, destination, rule_id, minute, least(sum(opened), \(Int64.max)),
                least(sum(closed), \(Int64.max)), least(sum(sent), \(Int64.max)),
                least(sum(received), \(Int64.max))
            FROM unnest(
                \(flows.map(\.source.description)), \(flows.map(\.destination.description)),
                \(flows.map { $0.ruleID?.text ?? "" }), \(flows.map(\.minute)),
                \(numbers(\.opened)), \(numbers(\.closed)), \(numbers(\.bytesSent)),
                \(numbers(\.bytesReceived))
            ) AS flow (source, destination, rule_id, minute, opened, closed, sent, received)
            GROUP BY source, destination, rule_id, minute
            ON CONFLICT (agent, source, destination, rule_id, minute) DO UPDATE SET
                opened = least(flows.opened::numeric + excluded.opened, \(Int64.max)),
                closed = least(flows.closed::numeric + excluded.closed, \(Int64.max)),
                bytes_to_destination = least(
                    flows.bytes_to_destination::numeric + excluded.bytes_to_destination,
                    \(Int64.max)
                ),
                bytes_to_source = least(
                    flows.bytes_to_source::numeric + excluded.bytes_to_source, \(Int64.max)
                )
            """
        )
    }

    /// Moves the head of an agent's chain.
    package static func setHead(
        _ head: EvidenceHead,
        of agent: AgentName,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.query(
            """
            UPDATE turnpike.evidence_heads SET chain = \(Int32(clamping: head.chain)),
                sequence = \(head.sequence), hash = \(head.hash.bytes), batch = \(head.batch),
                dropped = \(head.dropped)
            WHERE agent = \(agent.text)
            """
        )
    }

    /// Forgets batches that no agent will repeat.
    package static func forgetBatches(
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.query(
            """
            DELETE FROM turnpike.evidence_batches
            WHERE received_at < now() - \(fragment: batchesKept)
            """
        )
    }
}
