import Control
import Crypto
import Mesh
import Postgres
import Store
import Support
import Testing
import Wire

/// Leases that are due, and what crashes leave behind.
@Suite struct LeaseWorkTests {
    @Test func expiredLeasesEndByThemselves() async throws {
        try await LeaseFixture.with { fixture in
            let credentials = try await [fixture.issue(), fixture.issue(), fixture.issue()]
            let session = try await fixture.connect(as: credentials[1].username)
            try await fixture.control.leaseWork.run()
            #expect(try await fixture.roleCount() == 3)
            try await fixture.expire()
            try await fixture.control.leaseWork.run()
            #expect(try await fixture.roleCount() == 0)
            #expect(try await fixture.openCount() == 0)
            await #expect(throws: PostgresError.self) { try await session.query("SELECT 1") }
            let reasons = try await fixture.base.audited("lease.end").map(\.reason)
            #expect(reasons == ["expired", "expired", "expired"])
            let late: Double = try await fixture.value(
                "SELECT extract(epoch FROM max(time_to_end))::float8 FROM dashboard.leases"
            )
            #expect(late > 0)
        }
    }

    @Test func crashBeforeTheRoleIsMadeLeavesAnAbortedLease() async throws {
        try await LeaseFixture.with { fixture in
            let young = try await fixture.intend()
            let old = try await fixture.intend(createdAgo: .seconds(61))
            try await fixture.control.leaseWork.run()
            #expect(try await fixture.control.leases.find(old.name).state == .aborted)
            // It may still be made: nobody touches it.
            #expect(try await fixture.control.leases.find(young.name).state == .creating)
            #expect(try await fixture.base.audited("lease.end").map(\.reason) == ["not_issued"])
        }
    }

    @Test func crashAfterTheRoleIsMadeRemovesIt() async throws {
        try await LeaseFixture.with { fixture in
            let lease = try await fixture.intend(createdAgo: .seconds(61))
            let role = try await fixture.makeRole(of: lease.id)
            try await fixture.control.leaseWork.run()
            #expect(try await fixture.exists(role) == false)
            #expect(try await fixture.control.leases.find(lease.name).state == .aborted)
        }
    }

    /// A worker that was only paused: its role comes too late on the target's own clock.
    @Test func roleIsNotMadeAfterItsTime() async throws {
        try await LeaseFixture.with { fixture in
            let role = LeasedRole(
                lease: fixture.control.makeID(),
                cluster: fixture.control.cluster.id,
                generation: 1
            )
            let connection = try await fixture.connect(as: fixture.administrator)
            let managed = LeaseProfile.Managed(groupRole: fixture.group)
            let late = TargetRoles.Creation(
                role: role,
                verifier: "SCRAM-SHA-256$1:AA==$AA==:AA==",
                deadline: Timestamp(secondsSinceEpoch: 1_700_000_000),
                lifetime: .seconds(60)
            )
            do throws(PostgresError) {
                try await connection.withTransaction(isolation: .readCommitted) {
                    database throws(PostgresError) in
                    try await TargetRoles.create(late, as: managed, in: database)
                }
                Issue.record("a role was made after its time")
            } catch {
                #expect(error.state == TargetRoles.givenUp)
            }
            await connection.close()
            #expect(try await fixture.exists(role.name) == false)
        }
    }

    @Test func revocationDuringTheCreationWins() async throws {
        try await LeaseFixture.with { fixture in
            let lease = try await fixture.intend()
            _ = try await fixture.control.leases.revoke(
                lease.name,
                isAwaited: false,
                by: fixture.admin
            )
            let activated = try await fixture.control.write { database in
                try await LeaseRepository.activate(
                    [lease.id],
                    at: lease.createdAt,
                    in: database
                )
            }
            #expect(activated.isEmpty)
        }
    }

    /// What is not due is not read: a look costs the same with a million leases as with one.
    @Test func whatIsNotDueIsNotLookedAt() async throws {
        try await LeaseFixture.with { fixture in
            _ = try await fixture.intend()
            try await fixture.asSuperuser(
                """
                INSERT INTO turnpike.leases (id, profile, target, plan, principal, source_address,
                    state, created_at, create_before, issued_at, expires_at, max_expires_at,
                    next_attempt_at, holder, mac)
                SELECT gen_random_uuid(), profile, target, plan, principal, source_address,
                    'active', now(), now(), now(), now() + interval '1 day',
                    now() + interval '1 day', now() + interval '1 day', holder, mac
                FROM turnpike.leases, generate_series(1, 5000);
                ANALYZE turnpike.leases;
                """
            )
            let read = try await fixture.control.write { database in
                let targets = try await LeaseWorkRepository.dueTargets(
                    for: .access,
                    except: [],
                    in: database
                )
                let claimed = try await LeaseWorkRepository.claim(
                    .access,
                    of: fixture.target,
                    by: fixture.control.makeID(),
                    limit: 500,
                    guardedBy: fixture.control.rowGuard,
                    in: database
                )
                #expect(targets.isEmpty)
                #expect(claimed.isEmpty)
                return try await database.query(
                    """
                    SELECT (coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::bigint
                    FROM pg_stat_xact_user_tables WHERE relname = 'leases'
                    """
                ).single().decode(at: 0, as: Int64.self)
            }
            #expect(read < 50)
        }
    }

    @Test func targetThatIsAwayIsAskedAgainUntilItAnswers() async throws {
        try await LeaseFixture.with { fixture in
            let credential = try await fixture.issue()
            try await fixture.expire()
            try await fixture.asSuperuser("ALTER ROLE \(fixture.administrator) NOLOGIN")
            await fixture.control.leaseDesk.close()
            try await fixture.control.leaseWork.run()
            let waiting = try await fixture.control.leases.find(credential.lease.name)
            #expect(waiting.state == .revoking)
            #expect(waiting.accessEndedAt == nil)
            #expect(waiting.lastError == "unreachable")
            #expect(waiting.attempts == 1)
            // While the target is not to be asked, nothing is.
            try await fixture.base.tamper("UPDATE turnpike.leases SET next_attempt_at = now()")
            try await fixture.control.leaseWork.run()
            #expect(try await fixture.control.leases.find(credential.lease.name).attempts == 1)
            try await fixture.asSuperuser("ALTER ROLE \(fixture.administrator) LOGIN")
            // Another replica asks at once.
            let other = try await LeaseFixture.open(fixture.base.pool, server: "two")
            try await other.leaseWork.run()
            await other.leaseDesk.close()
            #expect(try await fixture.control.leases.find(credential.lease.name).state == .revoked)
            #expect(try await fixture.roleCount() == 0)
        }
    }

    /// A target that takes its time keeps the ends of no other waiting.
    @Test func slowTargetDelaysNoOther() async throws {
        try await LeaseFixture.with { fixture in
            var slow = fixture.leaseTarget
            slow.name = try TargetName("slow")
            _ = try await fixture.control.targets.put(
                slow,
                password: SecretBytes(copying: [1]),
                by: fixture.admin
            )
            let waiting = try await fixture.intend(createdAgo: .seconds(61)) { plan in
                plan.target = slow.name
            }
            let role = try await fixture.makeRole(of: waiting.id)
            let credential = try await fixture.issue()
            // Nobody may change that role before this one is done with it.
            let holder = try await fixture.base.database.connect()
            try await holder.query("BEGIN")
            let change = "ALTER ROLE \(role) CONNECTION LIMIT 3"
            try await holder.run(try #require(SQLScript(fileBytes: Array(change.utf8))))
            let work = Task { await fixture.control.leaseWork.run(every: .milliseconds(10)) }
            var state = LeaseState.creating
            while state != .revoking {
                state = try await fixture.control.leases.find(waiting.name).state
            }
            try await fixture.expire()
            var end: Timestamp?
            while end == nil {
                end = try await fixture.control.leases.find(credential.lease.name).accessEndedAt
            }
            // It is still being tried for the first time.
            let stuck = try await fixture.control.leases.find(waiting.name)
            #expect(stuck.attempts == 0)
            #expect(stuck.accessEndedAt == nil)
            await holder.close()
            work.cancel()
            await work.value
        }
    }

    @Test func leasesOfADecommissionedTargetEndWithoutGoingThere() async throws {
        try await LeaseFixture.with { fixture in
            let credential = try await fixture.issue()
            let count = try await fixture.control.targets.decommission(
                fixture.target,
                because: "the machine burnt down",
                by: fixture.admin
            )
            #expect(count == 1)
            try await fixture.control.leaseWork.run()
            let row = try await fixture.control.leases.find(credential.lease.name)
            #expect(row.state == .revoked)
            #expect(try await fixture.exists(credential.username))
            #expect(try await fixture.base.audited("lease.end").map(\.reason) == ["decommissioned"])
            let error = await refusal { try await fixture.issue() }
            #expect(error?.code == "target.decommissioned")
        }
    }

    @Test func twoReplicasEndEachLeaseOnce() async throws {
        try await LeaseFixture.with { fixture in
            var count = 0
            for _ in 0..<30 {
                _ = try await fixture.issue()
                count += 1
            }
            try await fixture.expire()
            let other = try await LeaseFixture.open(fixture.base.pool, server: "two")
            async let mine: Void = fixture.control.leaseWork.run()
            async let theirs: Void = other.leaseWork.run()
            _ = try await (mine, theirs)
            // Whoever came second may have found the rest still claimed.
            try await fixture.control.leaseWork.run()
            await other.leaseDesk.close()
            #expect(try await fixture.roleCount() == 0)
            #expect(try await fixture.openCount() == 0)
            let ends = try await fixture.base.audited("lease.end")
            #expect(ends.filter { $0.outcome == "success" }.count == count)
            #expect(Set(ends.map(\.resource)).count == count)
        }
    }

    @Test func whoLostItsClaimFinishesNothing() async throws {
        try await LeaseFixture.with { fixture in
            let credential = try await fixture.issue()
            try await fixture.expire()
            let (paused, awake) = (fixture.control.makeID(), fixture.control.makeID())
            func claim(_ worker: UUIDv7) async throws -> Int {
                try await fixture.control.write { database in
                    try await LeaseWorkRepository.claim(
                        .access,
                        of: fixture.target,
                        by: worker,
                        limit: 10,
                        guardedBy: fixture.control.rowGuard,
                        in: database
                    ).count
                }
            }
            func finish(_ worker: UUIDv7) async throws -> Int {
                try await fixture.control.write { database in
                    try await LeaseWorkRepository.endAccess(
                        of: [credential.lease.id],
                        by: worker,
                        at: try await ServerRepository.time(in: database),
                        in: database
                    ).count
                }
            }
            #expect(try await claim(paused) == 1)
            #expect(try await claim(awake) == 0)
            try await fixture.base.tamper(
                "UPDATE turnpike.leases SET claimed_until = now() - interval '1 s'"
            )
            #expect(try await claim(awake) == 1)
            #expect(try await finish(paused) == 0)
            #expect(try await finish(awake) == 1)
        }
    }

    @Test func nothingEndsByItselfWhileHeld() async throws {
        try await LeaseFixture.with { fixture in
            let credential = try await fixture.issue()
            try await fixture.expire()
            _ = try await fixture.control.write { database in
                try await LeaseSweepRepository.setHold("restored", in: database)
            }
            try await fixture.control.leaseWork.run()
            #expect(try await fixture.exists(credential.username))
            #expect(try await fixture.control.leases.hold()?.reason == "restored")
            // What somebody revokes is revoked all the same.
            let other = try await fixture.issue()
            _ = try await fixture.control.leases.revoke(
                other.lease.name,
                isAwaited: true,
                by: fixture.admin
            )
            #expect(try await fixture.control.leases.find(other.lease.name).accessEndedAt != nil)
            #expect(try await fixture.control.leases.release(by: fixture.admin))
            #expect(try await fixture.control.leases.release(by: fixture.admin) == false)
            try await fixture.control.leaseWork.run()
            #expect(try await fixture.exists(credential.username) == false)
        }
    }

    @Test func whatBelongsToTheRoleInAnotherDatabaseIsInheritedToo() async throws {
        try await LeaseFixture.with { fixture in
            let other = "other_\(fixture.name)"
            try await fixture.base.database.cluster.administer("CREATE DATABASE \(other)")
            let credential = try await fixture.issue()
            let connection = try await PostgresConnection.connect(
                PostgresSettings(url: fixture.base.database.cluster.url(database: other)),
                on: TestDatabase.reactor
            )
            try await connection.query("CREATE TABLE public.made (id integer)")
            let script = "ALTER TABLE public.made OWNER TO \(credential.username)"
            try await connection.run(try #require(SQLScript(fileBytes: Array(script.utf8))))
            try await fixture.expire()
            try await fixture.control.leaseWork.run()
            #expect(try await fixture.exists(credential.username) == false)
            let owner = try await connection.query(
                "SELECT tableowner::text FROM pg_tables WHERE tablename = 'made'"
            ).single().decode(at: 0, as: String.self)
            #expect(owner == fixture.owner)
            await connection.close()
            await fixture.control.leaseDesk.close()
            try await fixture.base.database.cluster.administer(
                "DROP DATABASE \(other) WITH (FORCE)"
            )
        }
    }

    /// What a leased role wrote never runs with the rights of whoever inherits it.
    @Test func whatIsInheritedLendsNoRights() async throws {
        try await LeaseFixture.with { fixture in
            let credential = try await fixture.issue()
            let session = try await fixture.connect(as: credential.username)
            try await session.query(
                """
                CREATE FUNCTION app.door() RETURNS bigint LANGUAGE sql SECURITY DEFINER
                AS 'SELECT count(*) FROM app.salaries'
                """
            )
            try await fixture.expire()
            try await fixture.control.leaseWork.run()
            #expect(try await fixture.exists(credential.username) == false)
            let isDefiner: Bool = try await fixture.value(
                "SELECT prosecdef FROM pg_proc WHERE proname = 'door'"
            )
            #expect(isDefiner == false)
        }
    }

    /// Nobody inherits by default: least of all the administrator.
    @Test func roleWithoutAnHeirStaysLockedOut() async throws {
        try await LeaseFixture.with { fixture in
            var profile = try fixture.profile("raw")
            profile.plan = .raw(
                LeaseProfile.Raw(
                    creation: [
                        "CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}' IN ROLE \(fixture.group)"
                    ]
                )
            )
            try await fixture.put(profile)
            let credential = try await fixture.issue("raw")
            let session = try await fixture.connect(as: credential.username)
            try await session.query("CREATE TABLE app.made (id integer)")
            try await fixture.expire()
            try await fixture.control.leaseWork.run()
            let row = try await fixture.control.leases.find(credential.lease.name)
            #expect(row.state == .revoking)
            #expect(row.accessEndedAt != nil)
            #expect(row.lastError == "refused_\(TargetRoles.ownsObjects)")
            await #expect(throws: PostgresError.self) {
                try await fixture.connect(as: credential.username)
            }
        }
    }

    /// A lease that cannot be ended stays where it is, says why, and keeps no other.
    @Test func leaseThatCannotEndKeepsNoOther() async throws {
        try await LeaseFixture.with { fixture in
            let stuck = try await fixture.issue()
            let other = try await fixture.issue()
            // What the administrator may not give away: it is no member of this owner.
            try await fixture.asSuperuser(
                """
                ALTER TABLE app.salaries OWNER TO \(stuck.username);
                REVOKE \(fixture.owner) FROM \(fixture.administrator);
                """
            )
            try await fixture.expire()
            try await fixture.control.leaseWork.run()
            #expect(try await fixture.exists(other.username) == false)
            let row = try await fixture.control.leases.find(stuck.lease.name)
            #expect(row.state == .revoking)
            #expect(row.accessEndedAt != nil)
            #expect(row.lastError?.hasPrefix("refused_") == true)
            await #expect(throws: PostgresError.self) {
                try await fixture.connect(as: stuck.username)
            }
            try await fixture.asSuperuser("GRANT \(fixture.owner) TO \(fixture.administrator)")
            try await fixture.base.tamper("UPDATE turnpike.leases SET next_attempt_at = now()")
            try await fixture.control.leaseWork.run()
            #expect(try await fixture.control.leases.find(stuck.lease.name).state == .revoked)
        }
    }
}
