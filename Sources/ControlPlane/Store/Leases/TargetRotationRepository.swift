package import Mesh
package import Postgres
package import Wire

/// One administrator of a target who takes over from another.
package struct TargetRotationRow: Equatable, Sendable {
    package let target: TargetName
    /// The version of the target that it began from.
    package let targetVersion: Int64
    /// Who takes over.
    package let user: String
    package let formerUser: String
    /// The password of who takes over.
    package let sealedPassword: [UInt8]
    package let createdAt: Timestamp
    package let createdBy: String
    /// Since when who takes over is in use; nil until the login was seen to work.
    package var activatedAt: Timestamp?
    package var attempts = 0

    package init(
        target: TargetName,
        targetVersion: Int64,
        user: String,
        formerUser: String,
        sealedPassword: [UInt8],
        createdAt: Timestamp,
        createdBy: String
    ) {
        self.target = target
        self.targetVersion = targetVersion
        self.user = user
        self.formerUser = formerUser
        self.sealedPassword = sealedPassword
        self.createdAt = createdAt
        self.createdBy = createdBy
    }

    var content: RowContent {
        var content = RowContent(table: "target_rotations", key: target.text)
        content.add("target_version", targetVersion)
        content.add("username", user)
        content.add("former_username", formerUser)
        content.add("sealed_password", sealedPassword)
        content.add("created_by", createdBy)
        return content
    }
}

/// Rotations that are under way, at most one for each target; forged rows are absent.
package enum TargetRotationRepository {
    /// How long whoever took a rotation up has it for itself.
    package static let claimSeconds: Double = 90
    /// The most that are taken up at a time.
    private static let claimsMax = 8

    private static let columns: SQL = """
        target, target_version, username, former_username, sealed_password, created_at, created_by,
            activated_at, attempts, mac
        """

    /// Keeps a rotation that begins, taken up by who keeps it, in place of a forged one if there is one.
    ///
    /// Whoever asks holds the target's row and has found none.
    package static func insert(
        _ row: TargetRotationRow,
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.query(
            """
            INSERT INTO turnpike.target_rotations (
                target, target_version, username, former_username, sealed_password, created_at,
                created_by, next_attempt_at, claimed_until, mac
            ) VALUES (
                \(row.target.text), \(row.targetVersion), \(row.user), \(row.formerUser),
                \(row.sealedPassword), \(row.createdAt), \(row.createdBy), clock_timestamp(),
                clock_timestamp() + make_interval(secs => \(claimSeconds)),
                \(rowGuard.tag(row.content))
            )
            ON CONFLICT (target) DO UPDATE SET target_version = excluded.target_version,
                username = excluded.username, former_username = excluded.former_username,
                sealed_password = excluded.sealed_password, created_at = excluded.created_at,
                created_by = excluded.created_by, activated_at = NULL, attempts = 0,
                next_attempt_at = excluded.next_attempt_at, last_error = NULL,
                claimed_until = excluded.claimed_until, mac = excluded.mac
            """
        )
    }

    /// The rotation of a target.
    package static func find(
        _ target: TargetName,
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> TargetRotationRow? {
        let rows = try await transaction.query(
            """
            SELECT \(fragment: columns) FROM turnpike.target_rotations
            WHERE target = \(target.text)
            """
        )
        return try authentic(rows, rowGuard).first
    }

    /// Takes up the rotation of a target, due or not; nil where somebody else has it, or nobody.
    package static func claim(
        _ target: TargetName,
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> TargetRotationRow? {
        let rows = try await transaction.query(
            """
            UPDATE turnpike.target_rotations
            SET claimed_until = clock_timestamp() + make_interval(secs => \(claimSeconds)),
                attempts = attempts + 1
            WHERE target = \(target.text)
            AND (claimed_until IS NULL OR claimed_until < clock_timestamp())
            RETURNING \(fragment: columns)
            """
        )
        return try authentic(rows, rowGuard).first
    }

    /// Takes up what is due and nobody has.
    package static func claimDue(
        except parked: [TargetName],
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> [TargetRotationRow] {
        let rows = try await transaction.query(
            """
            UPDATE turnpike.target_rotations
            SET claimed_until = clock_timestamp() + make_interval(secs => \(claimSeconds)),
                attempts = attempts + 1
            WHERE target IN (
                SELECT target FROM turnpike.target_rotations
                WHERE next_attempt_at <= clock_timestamp()
                AND (claimed_until IS NULL OR claimed_until < clock_timestamp())
                AND target <> ALL(\(parked.map(\.text)))
                ORDER BY next_attempt_at LIMIT \(claimsMax) FOR UPDATE SKIP LOCKED
            )
            RETURNING \(fragment: columns)
            """
        )
        return try authentic(rows, rowGuard)
    }

    /// Lets a rotation wait, with the reason.
    package static func postpone(
        _ row: TargetRotationRow,
        seconds: Double,
        because error: String,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.query(
            """
            UPDATE turnpike.target_rotations
            SET claimed_until = NULL, last_error = \(error),
                next_attempt_at = clock_timestamp() + make_interval(secs => \(seconds))
            WHERE target = \(row.target.text) AND target_version = \(row.targetVersion)
            """
        )
    }

    /// Keeps that who takes over is in use; what is left to do waits for `grace` seconds.
    package static func activate(
        _ row: TargetRotationRow,
        at now: Timestamp,
        grace: Double,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Bool {
        try await transaction.execute(
            """
            UPDATE turnpike.target_rotations
            SET activated_at = \(now), claimed_until = NULL, last_error = NULL, attempts = 0,
                next_attempt_at = clock_timestamp() + make_interval(secs => \(grace))
            WHERE target = \(row.target.text) AND target_version = \(row.targetVersion)
            AND activated_at IS NULL
            """
        ) == 1
    }

    /// Forgets a rotation that is done, or void.
    package static func delete(
        _ row: TargetRotationRow,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Bool {
        try await transaction.execute(
            """
            DELETE FROM turnpike.target_rotations
            WHERE target = \(row.target.text) AND target_version = \(row.targetVersion)
            """
        ) == 1
    }

    private static func authentic(
        _ rows: some Sequence<Row>,
        _ rowGuard: RowGuard
    ) throws(PostgresError) -> [TargetRotationRow] {
        var found: [TargetRotationRow] = []
        for row in rows {
            var rotation = TargetRotationRow(
                target: try row.parsed("target") { text throws(NameError) in try TargetName(text) },
                targetVersion: try row.decode("target_version"),
                user: try row.decode("username"),
                formerUser: try row.decode("former_username"),
                sealedPassword: try row.decode("sealed_password"),
                createdAt: try row.decode("created_at"),
                createdBy: try row.decode("created_by")
            )
            rotation.activatedAt = try row.decodeIfPresent("activated_at")
            rotation.attempts = try row.decode("attempts")
            if rowGuard.isAuthentic(rotation.content, tag: try row.decode("mac")) {
                found.append(rotation)
            }
        }
        return found
    }
}
