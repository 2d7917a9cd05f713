package import Mesh
package import Postgres

extension TargetRoles {
    /// Lets nobody log in as any of these any more.
    package static func lockOut(
        _ roles: [String],
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.batch([
            set("roles", roles.joined(separator: ",")),
            """
            DO $turnpike$
            DECLARE role text;
            BEGIN
                FOR role IN
                    SELECT rolname FROM pg_roles WHERE rolname = ANY (
                        string_to_array(current_setting('turnpike_lease.roles'), ','))
                LOOP
                    EXECUTE format(
                        'ALTER ROLE %I NOLOGIN VALID UNTIL ''-infinity''', role);
                END LOOP;
            END
            $turnpike$
            """,
        ])
    }

    /// Ends the sessions of these.
    ///
    /// - Returns: how many there were.
    package static func terminateSessions(
        of roles: [String],
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Int {
        try await transaction.query(
            """
            SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
            WHERE usename = ANY(\(roles))
            """
        ).single().decode(at: 0)
    }

    /// Which of these still have a session or may still log in.
    package static func withAccess(
        among roles: [String],
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> [String] {
        try await transaction.query(
            """
            SELECT rolname::text FROM pg_roles
            WHERE rolname = ANY(\(roles))
            AND (rolcanlogin OR EXISTS (
                SELECT FROM pg_stat_activity WHERE usesysid = pg_roles.oid))
            """
        ).column()
    }

    /// Where something belongs to one of these, or is granted to it; what belongs to no database is
    /// dealt with in this one.
    package static func belongings(
        of roles: [String],
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> [(role: String, database: String)] {
        try await transaction.query(
            """
            SELECT DISTINCT rolname::text AS role,
                coalesce(datname::text, current_database()::text) AS database
            FROM pg_roles
            JOIN pg_shdepend ON refclassid = 'pg_authid'::regclass AND refobjid = pg_roles.oid
            LEFT JOIN pg_database ON pg_database.oid = pg_shdepend.dbid
            WHERE rolname = ANY(\(roles))
            ORDER BY 1, 2
            """
        ).items { row throws(PostgresError) in
            (role: try row.decode("role"), database: try row.decode("database"))
        }
    }

    /// Gives what belongs to a role in this database to its heir, and takes its grants away; nothing
    /// that it made is lost.
    ///
    /// Throws `ownsObjects` where there is something and nobody to give it to. What it wrote must not
    /// run with the heir's rights, so functions and views run with the caller's from here on.
    package static func bequeath(
        from role: String,
        to heir: String?,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.batch([
            set("role", role),
            set("heir", heir ?? ""),
            """
            DO $turnpike$
            DECLARE
                role text := current_setting('turnpike_lease.role');
                heir text := current_setting('turnpike_lease.heir');
                made regprocedure;
                shown regclass;
            BEGIN
                IF to_regrole(quote_ident(role)) IS NULL THEN
                    RETURN;
                END IF;
                IF NOT pg_has_role(current_user, role, 'USAGE') THEN
                    EXECUTE format('GRANT %I TO %I', role, current_user);
                END IF;
                IF heir = '' THEN
                    IF EXISTS (
                        SELECT FROM pg_shdepend
                        WHERE refclassid = 'pg_authid'::regclass AND deptype = 'o'
                        AND refobjid = to_regrole(quote_ident(role))
                    ) THEN
                        RAISE 'it owns objects and has no heir' USING ERRCODE = 'TP003';
                    END IF;
                ELSE
                    FOR made IN
                        SELECT oid FROM pg_proc
                        WHERE proowner = to_regrole(quote_ident(role)) AND prosecdef
                    LOOP
                        EXECUTE format('ALTER ROUTINE %s SECURITY INVOKER', made);
                    END LOOP;
                    IF current_setting('server_version_num')::integer >= 150000 THEN
                        FOR shown IN
                            SELECT oid FROM pg_class
                            WHERE relowner = to_regrole(quote_ident(role)) AND relkind = 'v'
                        LOOP
                            EXECUTE format('ALTER VIEW %s SET (security_invoker = true)', shown);
                        END LOOP;
                    END IF;
                    EXECUTE format('REASSIGN OWNED BY %I TO %I', role, heir);
                END IF;
                EXECUTE format('DROP OWNED BY %I', role);
            END
            $turnpike$
            """,
        ])
    }

    /// Runs one of an administrator's statements.
    package static func run(
        _ statement: StatementTemplate,
        role: String,
        password: String = "",
        expiration: String = "",
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        guard
            let text = statement.filled(name: role, password: password, expiration: expiration),
            let script = SQLScript(fileBytes: Array(text.utf8))
        else { throw .protocolViolation("a statement cannot be filled") }
        try await transaction.run(script)
        // The connection is used on by others: what the statements set for their session ends here.
        try await transaction.batch(["RESET SESSION AUTHORIZATION", "RESET ROLE", "RESET ALL"])
    }

    /// Removes roles that own nothing.
    package static func drop(
        _ roles: [String],
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.batch([
            set("roles", roles.joined(separator: ",")),
            """
            DO $turnpike$
            DECLARE role text;
            BEGIN
                FOREACH role IN ARRAY
                    string_to_array(current_setting('turnpike_lease.roles'), ',')
                LOOP
                    EXECUTE format('DROP ROLE IF EXISTS %I', role);
                END LOOP;
            END
            $turnpike$
            """,
        ])
    }

    /// Which of these are there.
    package static func present(
        among roles: [String],
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> [String] {
        try await transaction.query(
            "SELECT rolname::text FROM pg_roles WHERE rolname = ANY(\(roles))"
        ).column()
    }
}
