import Control
import Crypto
import Mesh
import Postgres
import Store
import Support
import Testing
import Wire

/// Credentials with an end: what they are good for, and for how long.
@Suite struct LeasesTests {
    @Test func leasedRoleMayDoWhatItsGroupMayAndNothingElse() async throws {
        try await LeaseFixture.with { fixture in
            let credential = try await fixture.issue(ttl: .seconds(120))
            let session = try await fixture.connect(as: credential.username)
            let count = try await session.query("SELECT count(*) FROM app.orders").single()
            #expect(try count.decode(at: 0, as: Int.self) == 2)
            let limit = try await session.query("SHOW work_mem").single()
            #expect(try limit.decode(at: 0, as: String.self) == "7MB")
            await #expect(throws: PostgresError.self) {
                try await session.query("SELECT count(*) FROM app.salaries")
            }
            await #expect(throws: PostgresError.self) {
                try await session.query("CREATE ROLE other")
            }
            await session.close()
            // By the target's clock, the password ends when the lease does.
            let difference: Double = try await fixture.value(
                """
                SELECT abs(extract(epoch FROM rolvaliduntil - leases.expires_at))::float8
                FROM pg_roles, turnpike.leases WHERE rolname = \(credential.username)
                """
            )
            #expect(difference < 2)
            #expect(credential.remaining <= .seconds(120))
            #expect(credential.remaining > .seconds(100))
            #expect(try await fixture.base.audited("lease.issue").map(\.outcome) == ["success"])
            #expect(try await fixture.base.audited("lease.create").map(\.outcome) == ["success"])
        }
    }

    /// What logs in never comes here: the target gets the very verifier that the holder made.
    @Test func holdersMayKeepThePasswordToThemselves() async throws {
        try await LeaseFixture.with { fixture in
            func make(_ password: String) throws -> SCRAMVerifier {
                try SCRAMVerifier(
                    SCRAM.Keys(
                        of: SecretBytes(copying: Array(password.utf8)),
                        salt: [UInt8](repeating: 5, count: SCRAM.saltByteCount)
                    ).verifier
                )
            }
            let request = LeaseRequest(
                profile: try ProfileName("reader"),
                idempotencyKey: "host-a"
            )
            let leases = fixture.control.leases
            for password in ["first of the holder's", "second of the holder's"] {
                let verifier = try make(password)
                let role = try await leases.issue(request, verifier: verifier, by: fixture.admin)
                let stored: String = try await fixture.value(
                    "SELECT rolpassword FROM pg_authid WHERE rolname = \(role.username)"
                )
                #expect(stored == verifier.text)
                let session = try await fixture.connect(as: role.username)
                await session.close()
            }
            #expect(try await leases.list().items.count == 1)
        }
    }

    @Test func oneRequestIsAnsweredSoOftenAndNoMore() async throws {
        try await LeaseFixture.with { fixture in
            var refused: ControlError?
            for _ in 0...Leases.repetitionsMax + 1 where refused == nil {
                refused = await refusal { try await fixture.issue(key: "again") }
            }
            #expect(refused?.code == "lease.too_many")
            let open: Int = try await fixture.openCount()
            #expect(open == 1)
        }
    }

    @Test func passwordIsKeptNowhere() async throws {
        try await LeaseFixture.with { fixture in
            let credential = try await fixture.issue()
            let verifier: String = try await fixture.value(
                "SELECT rolpassword FROM pg_authid WHERE rolname = \(credential.username)"
            )
            #expect(verifier.hasPrefix("SCRAM-SHA-256$4096:"))
            let secrets = [credential.password, LeaseFixture.password]
            for secret in secrets {
                for table in [
                    "SELECT string_agg(leases::text, ' ') FROM turnpike.leases",
                    "SELECT string_agg(lease_targets::text, ' ') FROM turnpike.lease_targets",
                    "SELECT string_agg(audit::text, ' ') FROM turnpike.audit",
                ] as [SQL] {
                    let text: String = try await fixture.value(table)
                    #expect(!text.contains(secret))
                    #expect(!text.contains(Hex.encode(Array(secret.utf8))))
                }
            }
            #expect(!"\(credential.lease)".contains(credential.password))
        }
    }

    @Test func termIsCutByTheProfileAndSaysSo() async throws {
        try await LeaseFixture.with { fixture in
            let credential = try await fixture.issue(ttl: .seconds(3_000))
            #expect(credential.remaining <= .seconds(600))
            #expect(credential.warnings.count == 1)
            #expect(credential.warnings.first?.contains("the profile reader") == true)
        }
    }

    @Test func renewalMovesBothEndsUpToTheLast() async throws {
        try await LeaseFixture.with { fixture in
            let credential = try await fixture.issue(ttl: .seconds(60))
            let name = credential.lease.name
            let renewed = try await fixture.control.leases.renew(
                name,
                by: .seconds(40),
                by: fixture.admin
            )
            #expect(renewed.remaining <= .seconds(40) && renewed.remaining > .seconds(35))
            let long = try await fixture.control.leases.renew(
                name,
                by: .seconds(9_000),
                by: fixture.admin
            )
            #expect(long.lease.expiresAt <= credential.lease.maxExpiresAt)
            #expect(long.warnings.count == 1)
            let difference: Double = try await fixture.value(
                """
                SELECT abs(extract(epoch FROM rolvaliduntil - leases.expires_at))::float8
                FROM pg_roles, turnpike.leases WHERE rolname = \(credential.username)
                """
            )
            #expect(difference < 2)
            // At its last end it cannot be renewed any more, nor after its expiry.
            try await fixture.base.tamper(
                "UPDATE turnpike.leases SET expires_at = clock_timestamp() - interval '1 ms'"
            )
            let late = await refusal {
                try await fixture.control.leases.renew(name, by: nil, by: fixture.admin)
            }
            #expect(late?.code == "lease.ending")
        }
    }

    @Test func revocationEndsSessionsAndGivesWhatWasMadeToTheOwner() async throws {
        try await LeaseFixture.with { fixture in
            let credential = try await fixture.issue()
            let session = try await fixture.connect(as: credential.username)
            try await session.query("CREATE TABLE app.made (id integer)")
            try await session.query("INSERT INTO app.made VALUES (7)")
            let row = try await fixture.control.leases.revoke(
                credential.lease.name,
                isAwaited: true,
                by: fixture.admin
            )
            #expect(row.accessEndedAt != nil)
            await #expect(throws: PostgresError.self) { try await session.query("SELECT 1") }
            await #expect(throws: PostgresError.self) {
                try await fixture.connect(as: credential.username)
            }
            try await fixture.control.leaseWork.run()
            let ended = try await fixture.control.leases.find(credential.lease.name)
            #expect(ended.state == .revoked)
            #expect(ended.cleanedAt != nil)
            #expect(try await fixture.exists(credential.username) == false)
            let owner: String = try await fixture.value(
                "SELECT tableowner::text FROM pg_tables WHERE tablename = 'made'"
            )
            #expect(owner == fixture.owner)
            let kept: Int = try await fixture.value("SELECT sum(id)::bigint FROM app.made")
            #expect(kept == 7)
            // Again, and for ever.
            _ = try await fixture.control.leases.revoke(
                credential.lease.name,
                isAwaited: true,
                by: fixture.admin
            )
            let outcomes = try await fixture.base.audited("lease.revoke").map(\.outcome)
            #expect(outcomes == ["success", "unchanged"])
            #expect(try await fixture.base.audited("lease.end").map(\.reason) == ["revoked"])
        }
    }

    @Test func repeatedRequestGetsTheSameRoleWithAnotherPassword() async throws {
        try await LeaseFixture.with { fixture in
            let first = try await fixture.issue(key: "request-1")
            let again = try await fixture.issue(key: "request-1")
            #expect(again.username == first.username)
            #expect(again.password != first.password)
            #expect(again.lease.generation == 2)
            #expect(try await fixture.roleCount() == 1)
            let other = try await fixture.issue(key: "request-2")
            #expect(other.username != first.username)
            try await fixture.put(fixture.profile("writer"))
            let mixed = await refusal { try await fixture.issue("writer", key: "request-1") }
            #expect(mixed?.code == "lease.other_request")
            // Another principal's key of the same text is another key.
            let stranger = ControlFixture.caller("stranger", BuiltInPolicies.all)
            let theirs = try await fixture.issue(key: "request-1", by: stranger)
            #expect(theirs.username != first.username)
        }
    }

    @Test func quotasRefuseBeforeAnythingIsMade() async throws {
        try await LeaseFixture.with { fixture in
            try await fixture.put(fixture.profile("few") { $0.leasesMax = 2 })
            _ = try await fixture.issue("few")
            _ = try await fixture.issue("few")
            let error = await refusal { try await fixture.issue("few") }
            guard case .tooMany(let complaint, let wait)? = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(complaint.code == "lease.too_many")
            #expect(wait > .zero)
            #expect(try await fixture.roleCount() == 2)
            #expect(try await fixture.openCount() == 2)
            // Other profiles are not concerned.
            _ = try await fixture.issue()
        }
    }

    @Test func targetThatIsAwayLeavesNothing() async throws {
        try await LeaseFixture.with { fixture in
            try await fixture.asSuperuser("ALTER ROLE \(fixture.administrator) NOLOGIN")
            await fixture.control.leaseDesk.close()
            let error = await refusal { try await fixture.issue() }
            guard case .unavailable(let complaint)? = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(complaint.code == "target.unreachable")
            #expect(complaint.text.contains("orders"))
            #expect(try await fixture.openCount() == 0)
            #expect(try await fixture.roleCount() == 0)
            // The next is refused at once, and nothing is written for it.
            let next = await refusal { try await fixture.issue() }
            #expect(next?.code == "target.unreachable")
            #expect(
                try await fixture.value("SELECT count(*) FROM turnpike.leases", as: Int.self) == 1
            )
        }
    }

    @Test func groupThatIsGoneIsSaidAndLeavesNothing() async throws {
        try await LeaseFixture.with { fixture in
            try await fixture.asSuperuser(
                "ALTER ROLE \(fixture.group) RENAME TO gone_\(fixture.group)"
            )
            let error = await refusal { try await fixture.issue() }
            #expect(error?.code == "target.refused")
            #expect(error?.complaint.text.contains("42704") == true)
            #expect(try await fixture.openCount() == 0)
            #expect(try await fixture.roleCount() == 0)
        }
    }

    @Test func leasesEndWithTheTokenThatAsked() async throws {
        try await LeaseFixture.with { fixture in
            let request = TokenRequest(displayName: "ci", policies: ["admin"])
            _ = try await fixture.control.tokens.create(request, by: fixture.admin)
            let (token, _) = try await fixture.control.tokens.create(request, by: fixture.admin)
            let holder = Caller(
                principal: "token/\(token.accessor)",
                accessor: token.accessor,
                policies: BuiltInPolicies.all
            )
            let credential = try await fixture.issue(by: holder)
            let other = try await fixture.issue()
            try await fixture.control.tokens.revoke(token.accessor, by: fixture.admin)
            try await fixture.control.leaseWork.run()
            #expect(try await fixture.exists(credential.username) == false)
            #expect(try await fixture.exists(other.username))
            let row = try await fixture.control.leases.find(credential.lease.name)
            #expect(row.revokeReason == "token_revoked")
            // One who was let in before the revocation gets nothing after it.
            let late = await refusal { try await fixture.issue(by: holder) }
            #expect(late != nil)
            #expect(try await fixture.roleCount() == 1)
        }
    }

    /// A bound holds also for those who ask at the same moment.
    @Test func quotasHoldForThoseWhoAskAtOnce() async throws {
        try await LeaseFixture.with { fixture in
            try await fixture.put(fixture.profile("few") { $0.leasesMax = 2 })
            let codes = await withTaskGroup(of: String?.self) { group in
                for index in 0..<8 {
                    group.addTask {
                        let caller = ControlFixture.caller("asker-\(index)", BuiltInPolicies.all)
                        return await refusal { try await fixture.issue("few", by: caller) }?.code
                    }
                }
                return await group.reduce(into: [String?]()) { $0.append($1) }
            }
            #expect(codes.count { $0 == nil } == 2)
            #expect(codes.count { $0 == "lease.too_many" } == 6, "\(codes)")
            #expect(try await fixture.roleCount() == 2)
        }
    }

    @Test func childrenShareTheBoundOfTheirTree() async throws {
        try await LeaseFixture.with(settings: { $0.principalMax = 2 }) { fixture in
            let top = try await fixture.holder()
            let child = try await fixture.holder(childOf: top)
            let below = try await fixture.holder(childOf: child)
            _ = try await fixture.issue(by: top)
            _ = try await fixture.issue(by: child)
            for caller in [top, child, below] {
                let error = await refusal { try await fixture.issue(by: caller) }
                #expect(error?.code == "lease.too_many")
            }
            // Who stands alone has a bound alone.
            _ = try await fixture.issue(by: try await fixture.holder())
        }
    }

    /// A token that merely expires takes along what it leased, and what was leased below it.
    @Test func leasesEndWithATokenThatExpires() async throws {
        try await LeaseFixture.with { fixture in
            let top = try await fixture.holder()
            let child = try await fixture.holder(childOf: top)
            let mine = try await fixture.issue(by: top)
            let below = try await fixture.issue(by: child)
            let other = try await fixture.issue(by: try await fixture.holder())
            try await fixture.control.leaseWork.run()
            #expect(try await fixture.roleCount() == 3)
            let accessor = try #require(top.accessor)
            try await fixture.base.tamper(
                """
                UPDATE turnpike.tokens SET expires_at = clock_timestamp()
                WHERE accessor = \(accessor)
                """
            )
            try await fixture.base.tamper(
                "UPDATE turnpike.lease_hold SET held_at = now(), reason = 'restored'"
            )
            try await fixture.control.leaseWork.run()
            #expect(try await fixture.roleCount() == 3)
            _ = try await fixture.control.leases.release(by: fixture.admin)
            try await fixture.control.leaseWork.run()
            #expect(try await fixture.exists(mine.username) == false)
            #expect(try await fixture.exists(below.username) == false)
            #expect(try await fixture.exists(other.username))
            let row = try await fixture.control.leases.find(below.lease.name)
            #expect(row.revokeReason == "token_expired")
        }
    }

    @Test func whatExpiredWhileNobodyLookedIsFoundByTheSweep() async throws {
        try await LeaseFixture.with { fixture in
            let holder = try await fixture.holder()
            let credential = try await fixture.issue(by: holder)
            let accessor = try #require(holder.accessor)
            try await fixture.base.tamper(
                """
                UPDATE turnpike.tokens SET expires_at = now() - interval '1 hour'
                WHERE accessor = \(accessor)
                """
            )
            try await fixture.control.leaseSweep.runDue()
            try await fixture.control.leaseWork.run()
            #expect(try await fixture.exists(credential.username) == false)
        }
    }

    /// However many tokens are below one, what they leased ends in the commit that ends it.
    @Test func leasesOfEveryDescendantEnd() async throws {
        try await LeaseFixture.with { fixture in
            let top = try await fixture.holder()
            let parent = try #require(top.accessor)
            let credential = try await fixture.issue(by: top)
            // More than are ended one by one, and each before the last in the order of names.
            try await fixture.base.tamper(
                """
                INSERT INTO turnpike.tokens (accessor, token_hmac, display_name, kind, policies,
                    created_at, expires_at, created_by, parent, traits, mac)
                SELECT ('01000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid,
                    decode(lpad(to_hex(n), 64, '0'), 'hex'), 'x', 'service', '{}', now(),
                    now() + interval '1 day', 'x', \(parent), '{}', ''
                FROM generate_series(1, \(TokenRepository.descendantsMax + 1)) AS n
                """
            )
            try await fixture.base.tamper(
                """
                UPDATE turnpike.leases SET token = (SELECT max(accessor::text)::uuid
                    FROM turnpike.tokens WHERE parent = \(parent))
                """
            )
            let count = try await fixture.control.write { database in
                try await LeaseRepository.requestRevocation(
                    of: .tokens(below: parent),
                    because: "token_revoked",
                    in: database
                )
            }
            #expect(count == 1)
            try await fixture.control.leaseWork.run()
            #expect(try await fixture.exists(credential.username) == false)
        }
    }

    @Test func planThatWasForgedIsNotCarriedOut() async throws {
        try await LeaseFixture.with { fixture in
            let credential = try await fixture.issue()
            var forged = try fixture.profile("reader")
            forged.plan = .raw(
                LeaseProfile.Raw(
                    creation: ["CREATE ROLE \"{{name}}\""],
                    revocation: ["CREATE ROLE forged_\(fixture.name)"]
                )
            )
            let text = JSONText(String(decoding: JSON.canonical(forged.document), as: UTF8.self))
            try await fixture.base.tamper("UPDATE turnpike.leases SET plan = \(text)")
            _ = try? await fixture.control.leases.revoke(
                credential.lease.name,
                isAwaited: true,
                by: fixture.admin
            )
            try await fixture.control.leaseWork.run()
            #expect(try await fixture.exists("forged_\(fixture.name)") == false)
            #expect(try await fixture.exists(credential.username) == false)
            #expect(try await fixture.base.audited("row.alarm").map(\.reason) == ["mac_mismatch"])
        }
    }

    /// PostgreSQL refuses the second of two who change one role at the same moment, whatever it wanted.
    @Test func changeOfARoleThatMeetsAnotherIsTriedAgain() async throws {
        try await LeaseFixture.with { fixture in
            let credential = try await fixture.issue()
            let other = try await fixture.base.database.connect()
            try await other.query("BEGIN")
            let change = "ALTER ROLE \(credential.username) CONNECTION LIMIT 3"
            try await other.run(try #require(SQLScript(fileBytes: Array(change.utf8))))
            async let renewal = refusal {
                try await fixture.control.leases.renew(
                    credential.lease.name,
                    by: .seconds(30),
                    by: fixture.admin
                )
            }
            var isWaiting = false
            while !isWaiting {
                isWaiting = try await fixture.value(
                    """
                    SELECT EXISTS (SELECT FROM pg_stat_activity
                        WHERE wait_event_type = 'Lock' AND datname = current_database())
                    """
                )
            }
            try await other.query("COMMIT")
            let failure = await renewal
            #expect(failure == nil, "\(String(describing: failure))")
            await other.close()
        }
    }

    /// L7 of the fault cases: whoever comes first, the lease ends.
    @Test func renewalRacingRevocationNeverWins() async throws {
        try await LeaseFixture.with { fixture in
            for _ in 0..<20 {
                let credential = try await fixture.issue()
                let name = credential.lease.name
                async let renewal = refusal {
                    try await fixture.control.leases.renew(name, by: nil, by: fixture.admin)
                }
                async let revocation = refusal {
                    try await fixture.control.leases.revoke(
                        name,
                        isAwaited: true,
                        by: fixture.admin
                    )
                }
                let (late, failed) = await (renewal, revocation)
                #expect(failed == nil)
                #expect(late == nil || late?.code == "lease.ending", "\(String(describing: late))")
                let row = try await fixture.control.leases.find(name)
                #expect(row.accessEndedAt != nil)
                await #expect(throws: PostgresError.self) {
                    try await fixture.connect(as: credential.username)
                }
            }
        }
    }
}
