package import Postgres
package import Wire

extension TargetRoles {
    /// Why a role cannot stand in for the administrator who asks.
    package enum DeputyProblem: String, Sendable, CaseIterable {
        case absent
        case noLogin = "no_login"
        case noRoles = "no_roles"
        /// From PostgreSQL 16 on each administrator is the only one over the roles it made.
        case ownRoles = "own_roles"
        /// A member of less than who asks.
        case memberships
    }

    /// Whether a role could do what the administrator who runs this does; nil where it could.
    package static func problem(
        ofDeputy deputy: String,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> DeputyProblem? {
        let word: String? = try await transaction.query(
            """
            SELECT CASE
                WHEN deputy.oid IS NULL THEN 'absent'
                WHEN NOT deputy.rolcanlogin THEN 'no_login'
                WHEN NOT (deputy.rolsuper OR deputy.rolcreaterole) THEN 'no_roles'
                WHEN current_setting('server_version_num')::integer >= 160000
                    AND NOT (deputy.rolsuper AND self.rolsuper) THEN 'own_roles'
                WHEN EXISTS (
                    SELECT FROM pg_roles AS held WHERE held.oid NOT IN (self.oid, deputy.oid)
                    AND pg_has_role(self.oid, held.oid, 'MEMBER')
                    AND NOT pg_has_role(deputy.oid, held.oid, 'MEMBER')
                ) THEN 'memberships'
            END AS problem
            FROM pg_roles AS self
            LEFT JOIN pg_roles AS deputy ON deputy.rolname = \(deputy)
            WHERE self.rolname = current_user
            """
        ).single().decodeIfPresent("problem")
        guard let word else { return nil }
        return DeputyProblem(rawValue: word) ?? .memberships
    }

    /// Gives an administrator another password; throws `givenUp` after a time of the target's clock.
    package static func setPassword(
        of user: String,
        toVerifier verifier: String,
        before deadline: Timestamp,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.batch([
            set("role", user),
            set("verifier", verifier),
            set("deadline", deadline.rfc3339),
            """
            DO $turnpike$
            BEGIN
                IF clock_timestamp() > current_setting('turnpike_lease.deadline')::timestamptz THEN
                    RAISE 'the rotation was given up' USING ERRCODE = 'TP001';
                END IF;
                EXECUTE format(
                    'ALTER ROLE %I PASSWORD %L', current_setting('turnpike_lease.role'),
                    current_setting('turnpike_lease.verifier'));
            END
            $turnpike$
            """,
        ])
    }
}
