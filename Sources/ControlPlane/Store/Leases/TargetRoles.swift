package import Mesh
package import Postgres
package import Wire

/// Roles on a target.
///
/// What stands here runs on somebody else's server: every text is a literal, names and values travel
/// as settings of the transaction, and the server itself quotes them (`format`). Each step may be
/// done twice, and one about a role that is not there does nothing.
package enum TargetRoles {
    /// What a server of ours raises there: the lease was given up before its role was made.
    package static let givenUp = SQLState(code: "TP001")
    /// What a server of ours raises there: the role is gone, or locked out.
    package static let notThere = SQLState(code: "TP002")

    /// What a server of ours raises there: a role owns something and has no heir.
    package static let ownsObjects = SQLState(code: "TP003")

    /// What a role is made with.
    package struct Creation: Sendable {
        package let role: LeasedRole
        /// SCRAM-SHA-256, never a password.
        package let verifier: String
        /// Nothing is made after this time of the target's clock.
        package let deadline: Timestamp
        /// From now, by the target's clock.
        package let lifetime: Duration

        package init(
            role: LeasedRole,
            verifier: String,
            deadline: Timestamp,
            lifetime: Duration
        ) {
            self.role = role
            self.verifier = verifier
            self.deadline = deadline
            self.lifetime = lifetime
        }

        fileprivate var seconds: Double { lifetime / .seconds(1) }
    }

    /// The target's clock.
    package static func time(
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Timestamp {
        try await transaction.query("SELECT clock_timestamp()").single().decode(at: 0)
    }

    /// Whether who runs this may make roles.
    package static func mayMakeRoles(
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Bool {
        try await transaction.query(
            "SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user"
        ).single().decode(at: 0)
    }

    /// Makes the role of a lease: a member of one group, with settings, and marked as ours.
    package static func create(
        _ creation: Creation,
        as managed: LeaseProfile.Managed,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        var settings = Document.fields([:])
        for setting in managed.settings { settings.set(setting.name, .string(setting.value)) }
        let text = String(decoding: JSON.canonical(settings), as: UTF8.self)
        try await transaction.batch([
            set("role", creation.role.name),
            set("marker", creation.role.marker),
            set("verifier", creation.verifier),
            set("deadline", creation.deadline.rfc3339),
            set("seconds", String(creation.seconds)),
            set("member_of", managed.groupRole),
            set("connections", String(managed.connectionLimit)),
            set("settings", text),
            """
            DO $turnpike$
            DECLARE
                role text := current_setting('turnpike_lease.role');
                setting record;
            BEGIN
                IF clock_timestamp() > current_setting('turnpike_lease.deadline')::timestamptz THEN
                    RAISE 'the lease was given up' USING ERRCODE = 'TP001';
                END IF;
                EXECUTE format(
                    'CREATE ROLE %I LOGIN INHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION'
                    || ' NOBYPASSRLS CONNECTION LIMIT %s PASSWORD %L VALID UNTIL %L IN ROLE %I',
                    role,
                    current_setting('turnpike_lease.connections')::integer,
                    current_setting('turnpike_lease.verifier'),
                    clock_timestamp() + make_interval(
                        secs => current_setting('turnpike_lease.seconds')::double precision),
                    current_setting('turnpike_lease.member_of'));
                EXECUTE format(
                    'COMMENT ON ROLE %I IS %L', role, current_setting('turnpike_lease.marker'));
                FOR setting IN
                    SELECT * FROM jsonb_each_text(current_setting('turnpike_lease.settings')::jsonb)
                LOOP
                    EXECUTE format('ALTER ROLE %I SET %I = %L', role, setting.key, setting.value);
                END LOOP;
            END
            $turnpike$
            """,
        ])
    }

    /// Makes the role of a lease by an administrator's statements, and marks it as ours.
    ///
    /// Throws `notThere` if they made no role of that name.
    package static func create(
        _ creation: Creation,
        by statements: [StatementTemplate],
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        let now = try await Self.time(in: transaction)
        guard now <= creation.deadline else {
            throw .server(ServerError(state: givenUp))
        }
        for statement in statements {
            try await run(
                statement,
                role: creation.role.name,
                password: creation.verifier,
                expiration: (now + creation.lifetime).rfc3339,
                in: transaction
            )
        }
        try await mark(creation.role, in: transaction)
        try await renew(creation.role, for: creation.lifetime, in: transaction)
    }

    /// Marks a role that is there as that of a lease.
    private static func mark(
        _ role: LeasedRole,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.batch([
            set("role", role.name),
            set("marker", role.marker),
            """
            DO $turnpike$
            DECLARE role text := current_setting('turnpike_lease.role');
            BEGIN
                IF to_regrole(quote_ident(role)) IS NULL THEN
                    RAISE 'no role of this name was made' USING ERRCODE = 'TP002';
                END IF;
                EXECUTE format(
                    'COMMENT ON ROLE %I IS %L', role, current_setting('turnpike_lease.marker'));
            END
            $turnpike$
            """,
        ])
    }

    /// Lets the password of a role that is not locked out be good for a time from now; throws
    /// `notThere` otherwise.
    package static func renew(
        _ role: LeasedRole,
        for lifetime: Duration,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.batch([
            set("role", role.name),
            set("seconds", String(lifetime / .seconds(1))),
            """
            DO $turnpike$
            DECLARE role text := current_setting('turnpike_lease.role');
            BEGIN
                IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role AND rolcanlogin) THEN
                    RAISE 'the role is gone or locked out' USING ERRCODE = 'TP002';
                END IF;
                EXECUTE format(
                    'ALTER ROLE %I VALID UNTIL %L', role,
                    clock_timestamp() + make_interval(
                        secs => current_setting('turnpike_lease.seconds')::double precision));
            END
            $turnpike$
            """,
        ])
    }

    /// Gives a role that is not locked out another password and marks it with its new generation.
    package static func change(
        _ role: LeasedRole,
        toVerifier verifier: String,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.batch([
            set("role", role.name),
            set("marker", role.marker),
            set("verifier", verifier),
            """
            DO $turnpike$
            DECLARE role text := current_setting('turnpike_lease.role');
            BEGIN
                IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role AND rolcanlogin) THEN
                    RAISE 'the role is gone or locked out' USING ERRCODE = 'TP002';
                END IF;
                EXECUTE format(
                    'ALTER ROLE %I PASSWORD %L', role, current_setting('turnpike_lease.verifier'));
                EXECUTE format(
                    'COMMENT ON ROLE %I IS %L', role, current_setting('turnpike_lease.marker'));
            END
            $turnpike$
            """,
        ])
    }

    /// Every role that is marked as a lease of a cluster's.
    package static func marked(
        by cluster: UUIDv7,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> [LeasedRole] {
        try await transaction.query(
            """
            SELECT rolname::text AS name, shobj_description(oid, 'pg_authid') AS marker
            FROM pg_roles
            WHERE starts_with(rolname::text, \(LeasedRole.prefix))
            AND shobj_description(oid, 'pg_authid') LIKE 'turnpike cluster=%'
            """
        ).items { row throws(PostgresError) in
            LeasedRole(name: try row.decode("name"), marker: try row.decode("marker"))
        }.filter { $0.cluster == cluster }
    }

    /// Whether who runs this may give to a role what belongs to another.
    package static func mayGive(
        to heir: String,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Bool {
        try await transaction.query(
            """
            SELECT coalesce(
                (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
                OR pg_has_role(current_user, to_regrole(quote_ident(\(heir))), 'MEMBER'), false)
            """
        ).single().decode(at: 0)
    }

    /// As the role itself: makes a large object, so that there is something to inherit; nil where this
    /// is not for everybody.
    package static func leaveSomething(
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Int64? {
        let isAllowed: Bool = try await transaction.query(
            "SELECT has_function_privilege('lo_create(oid)', 'EXECUTE')"
        ).single().decode(at: 0)
        guard isAllowed else { return nil }
        return try await transaction.query("SELECT lo_create(0)::bigint").single().decode(at: 0)
    }

    /// Whether a session still answers.
    package static func goesOn(_ connection: PostgresConnection) async -> Bool {
        (try? await connection.query("SELECT 1")) != nil
    }

    /// Removes what `leaveSomething` made; whether it is the administrator's to remove says whether
    /// the heir got it.
    package static func removeLegacy(
        _ object: Int64,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.query("SELECT lo_unlink(\(object)::oid)")
    }

    static func set(_ name: String, _ value: String) -> SQL {
        "SELECT set_config(\("turnpike_lease." + name), \(value), true)"
    }
}
