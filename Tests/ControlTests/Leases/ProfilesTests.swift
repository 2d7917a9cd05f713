import Crypto
import Mesh
import Postgres
import Store
import Support
import Testing
import Wire

@testable import Control

/// Profiles: none is accepted that was not tried on its real target.
@Suite struct ProfilesTests {
    @Test func trialLeavesNothing() async throws {
        try await LeaseFixture.with { fixture in
            try await fixture.put(
                fixture.profile("quiet") { profile in
                    guard case .managed(var managed) = profile.plan else { return }
                    managed.settings.append(
                        LeaseProfile.Setting(name: "default_transaction_read_only", value: "on")
                    )
                    profile.plan = .managed(managed)
                }
            )
            #expect(try await fixture.roleCount() == 0)
            let objects: Int = try await fixture.value(
                "SELECT count(*) FROM pg_largeobject_metadata"
            )
            #expect(objects == 0)
            let (page, row) = try await (
                fixture.control.profiles.list(), fixture.control.profiles.find(ProfileName("quiet"))
            )
            #expect(page.items.map(\.profile.name.text) == ["quiet", "reader"])
            #expect(row.version == 1)
        }
    }

    @Test func groupThatDoesNotExistIsRefused() async throws {
        try await LeaseFixture.with { fixture in
            var profile = try fixture.profile("wrong")
            profile.plan = .managed(LeaseProfile.Managed(groupRole: "no_such_group"))
            let wrong = profile
            let error = await refusal { try await fixture.put(wrong) }
            #expect(error?.code == "profile.preflight")
            #expect(error?.complaint.text.contains("at the step issue") == true)
            #expect(try await fixture.roleCount() == 0)
        }
    }

    @Test func groupThatMayNotConnectIsRefused() async throws {
        try await LeaseFixture.with { fixture in
            try await fixture.asSuperuser(
                "REVOKE CONNECT ON DATABASE \(fixture.name) FROM \(fixture.group)"
            )
            let error = await refusal { try await fixture.put(fixture.profile("wrong")) }
            #expect(error?.complaint.text.contains("at the step use") == true)
            #expect(try await fixture.roleCount() == 0)
        }
    }

    @Test(arguments: [true, false])
    func heirThatCannotInheritIsRefused(canLeaveSomething: Bool) async throws {
        try await LeaseFixture.with { fixture in
            if !canLeaveSomething {
                try await fixture.asSuperuser(
                    "REVOKE EXECUTE ON FUNCTION lo_create(oid) FROM PUBLIC"
                )
            }
            try await fixture.asSuperuser("REVOKE \(fixture.owner) FROM \(fixture.administrator)")
            let error = await refusal { try await fixture.put(fixture.profile("wrong")) }
            #expect(error?.complaint.text.contains("at the step revoke") == true)
            let issued = await refusal { try await fixture.issue("wrong") }
            #expect(issued?.code == "profile.not_found")
            #expect(try await fixture.roleCount() == 0)
        }
    }

    @Test func sessionsThatCannotBeEndedAreRefused() async throws {
        try await LeaseFixture.with { fixture in
            try await fixture.asSuperuser(
                "REVOKE pg_signal_backend FROM \(fixture.administrator)"
            )
            let error = await refusal { try await fixture.put(fixture.profile("endless")) }
            #expect(error?.code == "profile.preflight")
            #expect(error?.complaint.text.contains("at the step revoke") == true)
            #expect(error?.complaint.text.contains("pg_signal_backend") == true)
        }
    }

    @Test func aTrialIsToldWhateverComesOfIt() async throws {
        try await LeaseFixture.with { fixture in
            let creation = ["CREATE ROLE \"{{name}}\" NOLOGIN"]
            let wrong = try fixture.profile("useless") {
                $0.plan = .raw(LeaseProfile.Raw(creation: creation))
            }
            let error = await refusal { try await fixture.put(wrong) }
            #expect(error?.code == "profile.preflight")
            let records = try await fixture.base.audited("profile.trial")
            #expect(records.map(\.resource).contains("database/roles/useless"))
        }
    }

    @Test func whatStatementsSetForTheirSessionEndsWithThem() async throws {
        try await LeaseFixture.with { fixture in
            let creation = [
                "CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'",
                "GRANT \(fixture.group) TO \"{{username}}\"",
            ]
            let revocation = ["SET search_path TO public; SET statement_timeout TO 1"]
            try await fixture.put(
                fixture.profile("raw") {
                    $0.plan = .raw(
                        LeaseProfile.Raw(creation: creation, revocation: revocation)
                    )
                }
            )
            let row = try await fixture.control.targets.find(fixture.target)
            for _ in 0..<8 {
                let path = try await fixture.control.targets.run(on: row) {
                    database throws(PostgresError) -> String in
                    try await database.query("SHOW search_path").single().decode(at: 0)
                }
                #expect(path == "pg_catalog")
            }
        }
    }

    @Test func administratorsStatementsAreTriedAndMarked() async throws {
        try await LeaseFixture.with { fixture in
            let creation = [
                "CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'",
                "GRANT \(fixture.group) TO \"{{username}}\"",
            ]
            try await fixture.put(
                fixture.profile("raw") {
                    $0.plan = .raw(LeaseProfile.Raw(creation: creation))
                }
            )
            let credential = try await fixture.issue("raw")
            let verifier: String = try await fixture.value(
                "SELECT rolpassword FROM pg_authid WHERE rolname = \(credential.username)"
            )
            #expect(verifier.hasPrefix("SCRAM-SHA-256$"))
            #expect(try await fixture.roleCount() == 1)
            let session = try await fixture.connect(as: credential.username)
            try await session.query("SELECT count(*) FROM app.orders")
            await session.close()
            try await fixture.expire()
            try await fixture.control.leaseWork.run()
            #expect(try await fixture.exists(credential.username) == false)
        }
    }

    @Test func statementsThatMakeAnotherRoleAreRefused() async throws {
        try await LeaseFixture.with { fixture in
            var profile = try fixture.profile("raw")
            profile.plan = .raw(LeaseProfile.Raw(creation: ["SELECT '{{name}}'"]))
            let raw = profile
            let error = await refusal { try await fixture.put(raw) }
            #expect(error?.code == "profile.preflight")
        }
    }

    @Test func targetDecidesWhichProfilesThereAre() async throws {
        try await LeaseFixture.with { fixture in
            var target = fixture.leaseTarget
            target.allowedProfiles = ["read*"]
            _ = try await fixture.control.targets.put(target, password: nil, by: fixture.admin)
            let error = await refusal { try await fixture.put(fixture.profile("writer")) }
            #expect(error?.code == "profile.not_allowed")
            _ = try await fixture.issue()
            target.allowedProfiles = []
            _ = try await fixture.control.targets.put(target, password: nil, by: fixture.admin)
            let issued = await refusal { try await fixture.issue() }
            #expect(issued?.code == "profile.not_allowed")
        }
    }

    @Test func leasesOutliveTheirProfile() async throws {
        try await LeaseFixture.with { fixture in
            let credential = try await fixture.issue()
            try await fixture.control.profiles.delete(ProfileName("reader"), by: fixture.admin)
            let issued = await refusal { try await fixture.issue() }
            #expect(issued?.code == "profile.not_found")
            _ = try await fixture.control.leases.renew(
                credential.lease.name,
                by: .seconds(60),
                by: fixture.admin
            )
            try await fixture.expire()
            try await fixture.control.leaseWork.run()
            #expect(try await fixture.exists(credential.username) == false)
        }
    }

    @Test func profileThatWasPutBackIsAbsent() async throws {
        try await LeaseFixture.with { fixture in
            try await fixture.asSuperuser(
                "CREATE TABLE public.kept AS SELECT * FROM turnpike.lease_profiles"
            )
            try await fixture.control.profiles.delete(ProfileName("reader"), by: fixture.admin)
            try await fixture.asSuperuser(
                "INSERT INTO turnpike.lease_profiles SELECT * FROM public.kept"
            )
            let issued = await refusal { try await fixture.issue() }
            #expect(issued?.code == "profile.not_found")
            #expect(try await fixture.base.audited("row.alarm").count == 1)
        }
    }
}
