import Control
import Crypto
import Mesh
import Observability
import Postgres
import Store
import Support
import Testing
import Wire

/// The comparison of leases with roles, in both directions.
@Suite struct LeaseSweepTests {
    private func oldID(_ fixture: LeaseFixture) -> UUIDv7 {
        fixture.control.surroundings.makeID(fixture.control.now() - .seconds(600))
    }

    @Test func roleThatBelongsToNoLeaseIsRemoved() async throws {
        try await LeaseFixture.with { fixture in
            let kept = try await fixture.issue()
            let orphan = try await fixture.makeRole(of: oldID(fixture))
            let young = try await fixture.makeRole(of: fixture.control.makeID())
            let foreign = try await fixture.makeRole(
                of: oldID(fixture),
                cluster: fixture.control.makeID()
            )
            let findings = try await fixture.control.leaseSweep.run(fixture.target)
            #expect(findings == LeaseSweep.Findings(orphans: 1, orphansLeft: 0, missing: 0))
            #expect(try await fixture.exists(orphan) == false)
            #expect(try await fixture.exists(young))
            #expect(try await fixture.exists(foreign))
            #expect(try await fixture.exists(kept.username))
            #expect(try await fixture.base.audited("lease.sweep").map(\.reason) == ["orphan_roles"])
            let left: Int = try await fixture.value(
                "SELECT orphan_roles FROM dashboard.targets WHERE name = 'orders'"
            )
            #expect(left == 0)
        }
    }

    @Test func leaseWithoutItsRoleIsEnded() async throws {
        try await LeaseFixture.with { fixture in
            let credential = try await fixture.issue()
            try await fixture.asSuperuser("DROP ROLE \(credential.username)")
            #expect(try await fixture.control.leaseSweep.run(fixture.target).missing == 0)
            try await fixture.base.tamper(
                "UPDATE turnpike.leases SET issued_at = issued_at - interval '10 min'"
            )
            #expect(try await fixture.control.leaseSweep.run(fixture.target).missing == 1)
            try await fixture.control.leaseWork.run()
            let row = try await fixture.control.leases.find(credential.lease.name)
            #expect(row.state == .revoked)
            #expect(row.revokeReason == "missing")
        }
    }

    @Test func nothingIsRemovedWhileHeld() async throws {
        try await LeaseFixture.with { fixture in
            let orphan = try await fixture.makeRole(of: oldID(fixture))
            _ = try await fixture.control.write { database in
                try await LeaseSweepRepository.setHold("restored", in: database)
            }
            let findings = try await fixture.control.leaseSweep.run(fixture.target)
            #expect(findings.orphansLeft == 1)
            #expect(try await fixture.exists(orphan))
        }
    }

    @Test func restoreHoldsWhereThereIsATarget() async throws {
        try await LeaseFixture.with { fixture in
            let leases = fixture.control.leases
            #expect(try await leases.hold(because: "restored", by: fixture.admin))
            #expect(try await leases.hold()?.reason == "restored")
            // Twice is as good as once.
            #expect(try await leases.hold(because: "restored", by: fixture.admin))
            let outcomes = try await fixture.base.audited("lease.hold").map(\.outcome)
            #expect(outcomes == ["success", "unchanged"])
            #expect(try await leases.release(by: fixture.admin))
        }
        try await ControlFixture.with { fixture in
            let leases = fixture.control.leases
            let isHeld = try await leases.hold(because: "restored", by: fixture.admin)
            #expect(!isHeld)
            #expect(try await leases.hold() == nil)
        }
    }

    @Test func everyTargetHasItsTurn() async throws {
        try await LeaseFixture.with { fixture in
            _ = try await fixture.issue()
            let orphan = try await fixture.makeRole(of: oldID(fixture))
            try await fixture.control.leaseSweep.runDue()
            #expect(try await fixture.exists(orphan) == false)
            // It has just been swept.
            let another = try await fixture.makeRole(of: oldID(fixture))
            try await fixture.control.leaseSweep.runDue()
            #expect(try await fixture.exists(another))
            let text = fixture.control.metrics.prometheusText()
            #expect(text.contains("turnpike_leases_open{target=\"orders\",state=\"active\"} 1"))
        }
    }
}
