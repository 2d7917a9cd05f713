package import Postgres

/// What is known about a creation that its caller may repeat.
package enum IdempotencyClaim: Equatable, Sendable {
    /// Nobody has used the key: the caller works, then completes or abandons.
    case claimed
    /// The answer that the same request was given.
    case answered(status: Int, body: [UInt8])
    /// The key belongs to another request.
    case mismatched
    /// The same request is being worked on.
    case inProgress
}

/// Answers of creations, kept per principal for a day.
package enum IdempotencyRepository {
    /// How long a claim without an answer blocks its key: its worker died.
    private static let claimSeconds: Int32 = 60
    private static let keepHours: Int32 = 24

    /// Claims a key for a request, or says what happened to it.
    package static func claim(
        principal: String,
        key: String,
        requestHash: [UInt8],
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> IdempotencyClaim {
        try await transaction.query(
            """
            DELETE FROM turnpike.idempotency_keys
            WHERE created_at < statement_timestamp() - make_interval(hours => \(keepHours))
            OR (principal = \(principal) AND key = \(key) AND status IS NULL
                AND created_at < clock_timestamp() - make_interval(secs => \(claimSeconds)))
            """
        )
        let inserted = try await transaction.execute(
            """
            INSERT INTO turnpike.idempotency_keys (principal, key, request_hash)
            VALUES (\(principal), \(key), \(requestHash)) ON CONFLICT DO NOTHING
            """
        )
        if inserted == 1 { return .claimed }
        let row = try await transaction.query(
            """
            SELECT request_hash, status, body FROM turnpike.idempotency_keys
            WHERE principal = \(principal) AND key = \(key)
            """
        ).optional()
        guard let row else { return .inProgress }
        guard try row.decode("request_hash", as: [UInt8].self) == requestHash else {
            return .mismatched
        }
        guard let status = try row.decodeIfPresent("status", as: Int32.self) else {
            return .inProgress
        }
        return .answered(
            status: Int(status),
            body: try row.decodeIfPresent("body") ?? []
        )
    }

    /// Keeps the answer of a claimed request.
    ///
    /// - Returns: false if the claim has lapsed meanwhile.
    @discardableResult
    package static func complete(
        principal: String,
        key: String,
        status: Int,
        body: [UInt8],
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Bool {
        try await transaction.execute(
            """
            UPDATE turnpike.idempotency_keys
            SET status = \(Int32(clamping: status)), body = \(body)
            WHERE principal = \(principal) AND key = \(key) AND status IS NULL
            """
        ) == 1
    }

    /// Gives a claimed key back after a request that had no effect.
    package static func abandon(
        principal: String,
        key: String,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.query(
            """
            DELETE FROM turnpike.idempotency_keys
            WHERE principal = \(principal) AND key = \(key) AND status IS NULL
            """
        )
    }
}
