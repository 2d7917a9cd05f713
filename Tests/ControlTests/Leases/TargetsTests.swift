import Control
import Crypto
import Foundation
import Mesh
import Postgres
import Store
import Support
import Testing
import Wire

/// Servers on which roles are leased.
@Suite struct TargetsTests {
    private func put(
        _ target: LeaseTarget,
        _ fixture: LeaseFixture,
        password: String? = "another password"
    ) async -> ControlError? {
        await refusal {
            try await fixture.control.targets.put(
                target,
                password: password.map { SecretBytes(copying: Array($0.utf8)) },
                by: fixture.admin
            )
        }
    }

    @Test func whoMayNotMakeRolesIsRefused() async throws {
        try await LeaseFixture.with { fixture in
            var target = fixture.leaseTarget
            try await fixture.asSuperuser(
                "CREATE ROLE weak_\(fixture.name) LOGIN IN ROLE \(fixture.group)"
            )
            target.user = "weak_\(fixture.name)"
            #expect(await put(target, fixture)?.code == "target.rights")
            target.user = "nobody_\(fixture.name)"
            let error = await put(target, fixture)
            #expect(error?.code == "target.unreachable")
            #expect(error?.complaint.text.contains("another password") == false)
        }
    }

    @Test func socketsNeedTheOperatorsWord() async throws {
        try await ControlFixture.with { fixture in
            let error = await refusal {
                try await fixture.control.targets.put(
                    LeaseTarget(
                        name: TargetName("local"),
                        place: .socket(directory: "/run/postgresql", port: 5_432),
                        security: .plain,
                        database: "postgres",
                        user: "postgres"
                    ),
                    password: SecretBytes(copying: [1]),
                    by: fixture.admin
                )
            }
            #expect(error?.code == "target.socket")
        }
    }

    @Test func newTargetNeedsAPassword() async throws {
        try await LeaseFixture.with { fixture in
            var target = fixture.leaseTarget
            target.name = try TargetName("second")
            #expect(await put(target, fixture, password: nil)?.code == "target.password")
        }
    }

    @Test func versionsGoOnAcrossADeletion() async throws {
        try await LeaseFixture.with { fixture in
            #expect(await put(fixture.leaseTarget, fixture) == nil)
            let before = try await fixture.control.targets.find(fixture.target)
            #expect(before.version == 2)
            let inUse = await refusal {
                try await fixture.control.targets.delete(fixture.target, by: fixture.admin)
            }
            #expect(inUse?.code == "target.in_use")
            try await fixture.control.profiles.delete(ProfileName("reader"), by: fixture.admin)
            try await fixture.control.targets.delete(fixture.target, by: fixture.admin)
            let absent = await refusal { try await fixture.control.targets.find(fixture.target) }
            #expect(absent?.code == "target.not_found")
            #expect(await put(fixture.leaseTarget, fixture) == nil)
            #expect(try await fixture.control.targets.find(fixture.target).version == 4)
        }
    }

    @Test func olderVersionThatWasPutBackIsAbsent() async throws {
        try await LeaseFixture.with { fixture in
            try await fixture.asSuperuser(
                "CREATE TABLE public.kept AS SELECT * FROM turnpike.lease_targets"
            )
            #expect(await put(fixture.leaseTarget, fixture) == nil)
            try await fixture.asSuperuser(
                """
                UPDATE turnpike.lease_targets SET document = kept.document, mac = kept.mac,
                    version = kept.version, sealed_password = kept.sealed_password
                FROM public.kept
                """
            )
            let absent = await refusal { try await fixture.control.targets.find(fixture.target) }
            #expect(absent?.code == "target.not_found")
        }
    }

    @Test func storedPasswordIsShownToNobodyElse() async throws {
        try await LeaseFixture.with { fixture in
            var target = fixture.leaseTarget
            target.place = .socket(directory: "/elsewhere", port: 5_432)
            #expect(await put(target, fixture, password: nil)?.code == "target.password")
            target = fixture.leaseTarget
            target.user = "postgres"
            #expect(await put(target, fixture, password: nil)?.code == "target.password")
            target = fixture.leaseTarget
            target.leasesMax = 7
            #expect(await put(target, fixture, password: nil) == nil)
        }
    }

    /// Two who try targets of one name at once must not be verified by each other's authorities.
    @Test func trialsShareNoFileOfAuthorities() async throws {
        let directory = try ScratchDirectory("authorities")
        try await LeaseFixture.with(settings: { $0.directory = directory.path + "/own" }) {
            fixture in
            for authority: [UInt8] in [[1, 2, 3], [4, 5, 6]] {
                var target = fixture.leaseTarget
                target.name = try TargetName("tried")
                target.place = .host(
                    .address(try IPAddress("127.0.0.1")),
                    port: LoopbackSocket.freePort()
                )
                target.security = .verified(authorities: [authority])
                #expect(await put(target, fixture)?.code == "target.unreachable")
            }
            let files = try FileManager.default.contentsOfDirectory(
                atPath: directory.path + "/own"
            )
            #expect(files.count == 2)
        }
    }

    @Test func targetWithOpenLeasesStaysWhereItIs() async throws {
        try await LeaseFixture.with { fixture in
            let credential = try await fixture.issue()
            var target = fixture.leaseTarget
            target.place = .host(.address(try IPAddress("127.0.0.1")), port: 1)
            let moved = await refusal {
                try await fixture.control.targets.put(
                    target,
                    password: SecretBytes(copying: [1]),
                    isVerified: false,
                    by: fixture.admin
                )
            }
            #expect(moved?.code == "target.has_leases")
            #expect(try await fixture.exists(credential.username))
        }
    }

    @Test func leaseOfAForgedTargetWaits() async throws {
        try await LeaseFixture.with { fixture in
            let credential = try await fixture.issue()
            try await fixture.base.tamper(
                "UPDATE turnpike.lease_targets SET document = jsonb_set(document, '{port}', '1')"
            )
            try await fixture.expire()
            try await fixture.control.leaseWork.run()
            let row = try await fixture.control.leases.find(credential.lease.name)
            #expect(row.lastError == "target_absent")
            #expect(row.state == .revoking)
        }
    }

    @Test func administratorWithAnotherPasswordTakesOver() async throws {
        try await LeaseFixture.with { fixture in
            let credential = try await fixture.issue()
            #expect(await put(fixture.leaseTarget, fixture) == nil)
            _ = try await fixture.control.leases.renew(
                credential.lease.name,
                by: .seconds(30),
                by: fixture.admin
            )
            #expect(try await fixture.base.audited("target.put").count == 2)
        }
    }
}
