import Control
import Crypto
import Mesh
import Postgres
import Store
import Support
import Testing
import Wire

/// A control plane with a target: the same test database, whose administrator may make roles and is
/// no superuser.
struct LeaseFixture: Sendable {
    let base: ControlFixture
    let target: TargetName
    /// The role that leased roles are members of.
    let group: String
    /// Who owns what they made.
    let owner: String
    let administrator: String

    var control: ControlPlane { base.control }
    var admin: Caller { base.admin }
    var name: String { base.database.name }

    static let password = "the administrator's own password"

    static func settings(
        _ server: String = "one",
        _ change: (inout LeaseSettings) -> Void = { _ in }
    ) throws -> ControlSettings {
        var leases = LeaseSettings()
        leases.allowsSockets = true
        leases.principalMax = 400
        change(&leases)
        return ControlSettings(
            trustDomain: try TrustDomain("example.org"),
            serverName: try Mesh.ServerName(server),
            version: "0.0.0-test",
            leases: leases
        )
    }

    static func open(
        _ pool: PostgresPool,
        server: String = "one",
        _ change: (inout LeaseSettings) -> Void = { _ in }
    ) async throws -> ControlPlane {
        try await ControlPlane.open(
            settings(server, change),
            pool: pool,
            key: ControlFixture.key,
            surroundings: ControlFixture.surroundings(),
            firstStart: FirstStart(
                steps: [],
                writeBootstrapToken: ControlFixture.BootstrapFile().write
            )
        )
    }

    /// Runs a body with a target and a profile `reader`.
    static func with(
        settings change: (inout LeaseSettings) -> Void = { _ in },
        _ body: (LeaseFixture) async throws -> Void
    ) async throws {
        try await ControlFixture.withPool { database, pool in
            let control = try await open(pool, change)
            let fixture = LeaseFixture(
                base: ControlFixture(
                    database: database,
                    pool: pool,
                    control: control,
                    file: ControlFixture.BootstrapFile(),
                    admin: ControlFixture.administrator
                ),
                target: try TargetName("orders"),
                group: "reader_\(database.name)",
                owner: "owner_\(database.name)",
                administrator: "leaser_\(database.name)"
            )
            let outcome: Result<Void, any Error>
            do {
                try await fixture.prepare()
                try await body(fixture)
                outcome = .success(())
            } catch {
                outcome = .failure(error)
            }
            await control.leaseDesk.close()
            try outcome.get()
        }
    }

    /// What an operator does once on a target.
    private func prepare() async throws {
        try await asSuperuser(
            """
            CREATE ROLE \(group) NOLOGIN;
            CREATE ROLE \(owner) NOLOGIN;
            CREATE ROLE \(administrator) LOGIN CREATEROLE;
            GRANT pg_signal_backend, \(group), \(owner) TO \(administrator) WITH ADMIN OPTION;
            GRANT CONNECT ON DATABASE \(name) TO \(group), \(administrator);
            CREATE SCHEMA app;
            GRANT USAGE, CREATE ON SCHEMA app TO \(group), \(owner);
            CREATE TABLE app.orders (id integer);
            CREATE TABLE app.salaries (id integer);
            INSERT INTO app.orders VALUES (1), (2);
            GRANT SELECT ON app.orders TO \(group);
            GRANT EXECUTE ON FUNCTION lo_create(oid), lo_unlink(oid) TO PUBLIC;
            """
        )
        _ = try await control.targets.put(
            leaseTarget,
            password: SecretBytes(copying: Array(Self.password.utf8)),
            by: admin
        )
        try await put(profile("reader"))
    }

    var leaseTarget: LeaseTarget {
        LeaseTarget(
            name: target,
            place: .socket(directory: base.database.cluster.socketDirectory, port: 5_432),
            security: .plain,
            database: name,
            user: administrator
        )
    }

    func profile(
        _ name: String,
        _ change: (inout LeaseProfile) -> Void = { _ in }
    ) throws -> LeaseProfile {
        var profile = LeaseProfile(
            name: try ProfileName(name),
            target: target,
            plan: .managed(
                LeaseProfile.Managed(
                    groupRole: group,
                    ownerRole: owner,
                    settings: [LeaseProfile.Setting(name: "work_mem", value: "7MB")]
                )
            ),
            defaultTTL: .seconds(300),
            maxTTL: .seconds(600)
        )
        change(&profile)
        return profile
    }

    func put(_ profile: LeaseProfile) async throws {
        _ = try await control.profiles.put(profile, by: admin)
    }

    func issue(
        _ profile: String = "reader",
        ttl: Duration? = nil,
        key: String? = nil,
        by caller: Caller? = nil
    ) async throws -> LeasedCredential {
        try await control.leases.issue(
            LeaseRequest(
                profile: try ProfileName(profile),
                ttl: ttl,
                idempotencyKey: key
            ),
            by: caller ?? admin
        )
    }

    /// A session as somebody, on the target.
    func connect(as role: String) async throws -> PostgresConnection {
        try await PostgresConnection.connect(
            base.database.settings(user: role),
            on: TestDatabase.reactor
        )
    }

    func asSuperuser(_ text: String) async throws {
        let connection = try await base.database.connect()
        do {
            let script = try #require(SQLScript(fileBytes: Array(text.utf8)))
            try await connection.run(script)
        } catch {
            await connection.close()
            throw error
        }
        await connection.close()
    }

    /// One value, seen by the superuser.
    func value<Value: PostgresCodable & Sendable>(
        _ statement: SQL,
        as type: Value.Type = Value.self
    ) async throws -> Value {
        let connection = try await base.database.connect()
        do {
            let value = try await connection.query(statement).single().decode(at: 0, as: type)
            await connection.close()
            return value
        } catch {
            await connection.close()
            throw error
        }
    }

    /// A caller with a token of its own that may do everything; a child of another's if one is given.
    func holder(childOf parent: Caller? = nil) async throws -> Caller {
        let accessor: UUIDv7
        if let parent {
            var request = ChildTokenRequest()
            request.policies = ["admin"]
            accessor = try await control.tokens.create(request, by: parent).row.accessor
        } else {
            let request = TokenRequest(displayName: "ci", policies: ["admin"])
            accessor = try await control.tokens.create(request, by: admin).token.accessor
        }
        return Caller(
            principal: "token/\(accessor)",
            accessor: accessor,
            policies: BuiltInPolicies.all
        )
    }

    /// The leased roles that exist for this database's cluster, whoever they belong to.
    func roleCount() async throws -> Int {
        let mark = "turnpike cluster=\(control.cluster.id) %"
        return try await value(
            """
            SELECT count(*) FROM pg_roles
            WHERE shobj_description(oid, 'pg_authid') LIKE \(mark)
            """
        )
    }

    /// Leases of which something may be left.
    func openCount() async throws -> Int {
        try await value(
            "SELECT count(*) FROM turnpike.leases WHERE state NOT IN ('revoked', 'aborted')"
        )
    }

    /// Lets leases be due, as if time had passed.
    func expire() async throws {
        try await base.tamper(
            """
            UPDATE turnpike.leases SET expires_at = now() - interval '1 second',
                next_attempt_at = now() - interval '1 second'
            WHERE state = 'active'
            """
        )
    }

    /// A lease as a process leaves it that died after its intent was committed.
    func intend(
        _ profile: String = "reader",
        createdAgo: Duration = .zero,
        _ change: (inout LeaseProfile) -> Void = { _ in }
    ) async throws -> LeaseRow {
        let now = try await control.read { try await ServerRepository.time(in: $0) }
        let row = LeaseRow(
            id: control.surroundings.makeID(now - createdAgo),
            plan: try self.profile(profile, change),
            principal: admin.principal,
            token: nil,
            sourceAddress: "",
            idempotencyKey: nil,
            createdAt: now - createdAgo,
            createBefore: now - createdAgo + .seconds(60),
            expiresAt: now - createdAgo + .seconds(300),
            maxExpiresAt: now - createdAgo + .seconds(600)
        )
        try await control.write { database in
            try await LeaseRepository.insert(row, guardedBy: control.rowGuard, in: database)
        }
        return row
    }

    /// Makes the role of a lease behind the server's back, marked as the server would.
    func makeRole(of lease: UUIDv7, cluster: UUIDv7? = nil) async throws -> String {
        let role = LeasedRole(
            lease: lease,
            cluster: cluster ?? control.cluster.id,
            generation: 1
        )
        try await asSuperuser(
            """
            CREATE ROLE \(role.name) LOGIN IN ROLE \(group);
            GRANT \(role.name) TO \(administrator) WITH ADMIN OPTION;
            COMMENT ON ROLE \(role.name) IS '\(role.marker)';
            """
        )
        return role.name
    }

    func exists(_ role: String) async throws -> Bool {
        try await value("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = \(role))")
    }
}
