@testable import Control
import Crypto
import Foundation
import Mesh
import Postgres
import Store
import Support
import Testing
import Wire

/// Two administrators of a target who take turns.
@Suite struct TargetRotationsTests {
    /// Runs a body with a second administrator like the first.
    private func withDeputy(
        _ body: (LeaseFixture, String) async throws -> Void
    ) async throws {
        try await LeaseFixture.with { fixture in
            let deputy = "second_\(fixture.name)"
            try await fixture.asSuperuser(
                """
                CREATE ROLE \(deputy) LOGIN CREATEROLE;
                GRANT pg_signal_backend, \(fixture.group), \(fixture.owner) TO \(deputy);
                GRANT CONNECT ON DATABASE \(fixture.name) TO \(deputy);
                """
            )
            var target = fixture.leaseTarget
            target.rotationUser = deputy
            _ = try await fixture.control.targets.put(target, password: nil, by: fixture.admin)
            try await body(fixture, deputy)
        }
    }

    private func user(_ fixture: LeaseFixture) async throws -> String {
        try await fixture.control.targets.find(fixture.target).target.user
    }

    private func rotate(_ fixture: LeaseFixture) async -> ControlError? {
        await refusal {
            try await fixture.control.targetRotations.rotate(fixture.target, by: fixture.admin)
        }
    }

    /// As if time had passed, and whoever was at it had been killed.
    private func letItBeDue(_ fixture: LeaseFixture) async throws {
        try await fixture.base.tamper(
            "UPDATE turnpike.target_rotations SET next_attempt_at = now(), claimed_until = NULL"
        )
    }

    private func pending(_ fixture: LeaseFixture) async throws -> Int {
        try await fixture.value("SELECT count(*) FROM turnpike.target_rotations")
    }

    private func verifier(_ role: String, _ fixture: LeaseFixture) async throws -> String {
        try await fixture.value(
            "SELECT coalesce(rolpassword, '') FROM pg_authid WHERE rolname = \(role)"
        )
    }

    /// With passwords that count: the old one logs in nowhere once the other has taken over.
    @Test func oldPasswordIsWorthlessAndLeasesGoOn() async throws {
        let postgres = try await VerifiedPostgres(
            name: "localhost",
            method: "scram-sha-256",
            setup: """
                CREATE ROLE readers NOLOGIN;
                GRANT CONNECT ON DATABASE postgres TO readers;
                CREATE ROLE first LOGIN CREATEROLE PASSWORD 'the first password';
                CREATE ROLE second LOGIN CREATEROLE;
                GRANT pg_signal_backend, readers TO first, second;
                """
        )
        let directory = try ScratchDirectory("rotation")
        try await LeaseFixture.with(settings: { $0.directory = directory.path + "/own" }) {
            fixture in
            let control = fixture.control
            let target = LeaseTarget(
                name: try TargetName("books"),
                place: .host(try OutsideHost("localhost"), port: postgres.port),
                security: try .verified(
                    pem: String(contentsOfFile: postgres.authorityPath, encoding: .utf8),
                    field: "ca"
                ),
                database: "postgres",
                user: "first",
                rotationUser: "second"
            )
            _ = try await control.targets.put(
                target,
                password: SecretBytes(copying: Array("the first password".utf8)),
                by: fixture.admin
            )
            let plan = try fixture.profile("books") { profile in
                profile.target = target.name
                profile.plan = .managed(LeaseProfile.Managed(groupRole: "readers"))
            }
            try await fixture.put(plan)
            let credential = try await fixture.issue("books")
            let row = try await control.targetRotations.rotate(target.name, by: fixture.admin)
            #expect(row.target.user == "second")
            #expect(row.target.rotationUser == "first")
            // Whoever read the target a moment ago may still log in as before.
            #expect(await login(target, "the first password", control) == nil)
            _ = try await control.leases.renew(
                credential.lease.name,
                by: .seconds(30),
                by: fixture.admin
            )
            try await letItBeDue(fixture)
            await control.targetRotations.runDue()
            #expect(try await pending(fixture) == 0)
            #expect(await login(target, "the first password", control) != nil)
            _ = try await fixture.issue("books")
            let back = try await control.targetRotations.rotate(target.name, by: fixture.admin)
            #expect(back.target.user == "first")
            _ = try await fixture.issue("books")
            #expect(await login(target, "the first password", control) != nil)
        }
    }

    private func login(
        _ target: LeaseTarget,
        _ password: String,
        _ control: ControlPlane
    ) async -> TargetFailure? {
        do throws(TargetFailure) {
            try await control.leaseDesk.sessions.connect(
                to: target,
                as: target.user,
                password: password
            ) { _ throws(PostgresError) in }
            return nil
        } catch {
            return error
        }
    }

    @Test func whatWasBegunIsEndedByAnotherReplica() async throws {
        try await withDeputy { fixture, deputy in
            let begun = try await fixture.control.targetRotations.begin(
                fixture.target,
                by: fixture.admin
            )
            #expect(begun.user == deputy)
            #expect(try await verifier(deputy, fixture) == "")
            // Whoever has it is not disturbed.
            #expect(await rotate(fixture)?.code == "target.rotating")
            let other = try await LeaseFixture.open(fixture.base.pool, server: "two")
            await other.targetRotations.runDue()
            #expect(try await user(fixture) == fixture.administrator)
            try await letItBeDue(fixture)
            await other.targetRotations.runDue()
            #expect(try await user(fixture) == deputy)
            #expect(try await verifier(deputy, fixture).hasPrefix("SCRAM-SHA-256$"))
            let credential = try await fixture.issue()
            #expect(try await fixture.exists(credential.username))
            #expect(try await verifier(fixture.administrator, fixture) == "")
            try await letItBeDue(fixture)
            await other.targetRotations.runDue()
            await other.leaseDesk.close()
            #expect(try await verifier(fixture.administrator, fixture).hasPrefix("SCRAM-SHA-256$"))
            #expect(try await pending(fixture) == 0)
            let steps = try await fixture.base.audited("target.rotate")
            #expect(steps.count == 2)
        }
    }

    @Test func effectWithoutARecordIsDoneAgain() async throws {
        try await withDeputy { fixture, deputy in
            _ = try await fixture.control.targetRotations.begin(fixture.target, by: fixture.admin)
            // What was set before the crash, whatever it was.
            try await fixture.asSuperuser("ALTER ROLE \(deputy) PASSWORD 'set before the crash'")
            let before = try await verifier(deputy, fixture)
            try await letItBeDue(fixture)
            #expect(await rotate(fixture) == nil)
            #expect(try await user(fixture) == deputy)
            #expect(try await verifier(deputy, fixture) != before)
        }
    }

    @Test func whoCannotStandInIsRefusedBeforeAnythingHappens() async throws {
        try await withDeputy { fixture, deputy in
            for (statement, words) in [
                ("REVOKE \(fixture.owner) FROM \(deputy)", "member of less"),
                ("ALTER ROLE \(deputy) NOCREATEROLE", "may not make roles"),
                ("ALTER ROLE \(deputy) NOLOGIN", "may not log in"),
                (
                    "REVOKE ALL ON DATABASE \(fixture.name) FROM \(deputy); DROP ROLE \(deputy)",
                    "no such role"
                ),
            ] {
                try await fixture.asSuperuser(statement)
                let error = await rotate(fixture)
                #expect(error?.code == "target.rotation_username")
                #expect(error?.complaint.text.contains(words) == true, "\(statement)")
            }
            #expect(try await pending(fixture) == 0)
            #expect(try await user(fixture) == fixture.administrator)
        }
    }

    @Test func withoutASecondAdministratorNothingIsRotated() async throws {
        try await LeaseFixture.with { fixture in
            #expect(await rotate(fixture)?.code == "target.rotation_username")
            let count = try await pending(fixture)
            #expect(count == 0)
        }
    }

    @Test func loginThatDoesNotWorkChangesNothing() async throws {
        try await withDeputy { fixture, deputy in
            _ = try await fixture.control.targetRotations.begin(fixture.target, by: fixture.admin)
            try await fixture.asSuperuser("ALTER ROLE \(deputy) NOLOGIN")
            try await letItBeDue(fixture)
            #expect(await rotate(fixture)?.code == "target.rotation_unproved")
            #expect(try await user(fixture) == fixture.administrator)
            _ = try await fixture.issue()
            try await fixture.asSuperuser("ALTER ROLE \(deputy) LOGIN")
            try await letItBeDue(fixture)
            await fixture.control.targetRotations.runDue()
            #expect(try await user(fixture) == deputy)
        }
    }

    @Test func changedTargetGivesItUp() async throws {
        try await withDeputy { fixture, deputy in
            _ = try await fixture.control.targetRotations.begin(fixture.target, by: fixture.admin)
            var target = fixture.leaseTarget
            target.user = deputy
            let password = SecretBytes(copying: [1])
            // Whose password may just be set is nobody's to name.
            let named = await refusal {
                try await fixture.control.targets.put(target, password: password, by: fixture.admin)
            }
            #expect(named?.code == "target.rotating")
            target = fixture.leaseTarget
            target.leasesMax = 7
            target.rotationUser = deputy
            _ = try await fixture.control.targets.put(target, password: nil, by: fixture.admin)
            try await letItBeDue(fixture)
            await fixture.control.targetRotations.runDue()
            #expect(try await user(fixture) == fixture.administrator)
            #expect(try await verifier(deputy, fixture) == "")
            #expect(try await pending(fixture) == 0)
        }
    }

    /// Whoever writes into the database names nobody whose password is set.
    @Test func forgedRotationIsAbsent() async throws {
        try await withDeputy { fixture, deputy in
            _ = try await fixture.control.targetRotations.begin(fixture.target, by: fixture.admin)
            try await fixture.base.tamper(
                "UPDATE turnpike.target_rotations SET username = \(fixture.owner)"
            )
            try await letItBeDue(fixture)
            await fixture.control.targetRotations.runDue()
            #expect(try await user(fixture) == fixture.administrator)
            #expect(try await verifier(fixture.owner, fixture) == "")
            #expect(await rotate(fixture) == nil)
            #expect(try await user(fixture) == deputy)
        }
    }
}
