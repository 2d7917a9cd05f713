import Mesh
import Postgres
import Store
import Support
import Testing
import Wire

@testable import Control

/// Requests for leases that share commits are judged one by one.
@Suite struct LeaseIntentsTests {
    private static let count = 24

    @Test func manyAtOnceShareCommitsAndEachHasItsRecords() async throws {
        try await LeaseFixture.with { fixture in
            try await fixture.put(fixture.profile("few") { $0.leasesMax = 4 })
            // A third asks for more than there is; those are refused and the others are not.
            let codes = await withTaskGroup(of: String?.self) { group in
                for index in 0..<Self.count {
                    group.addTask {
                        let caller = ControlFixture.caller("asker-\(index)", BuiltInPolicies.all)
                        let profile = index.isMultiple(of: 3) ? "few" : "reader"
                        return await refusal { try await fixture.issue(profile, by: caller) }?.code
                    }
                }
                return await group.reduce(into: [String?]()) { $0.append($1) }
            }
            #expect(codes.count { $0 == "lease.too_many" } == Self.count / 3 - 4, "\(codes)")
            let issued = Self.count - (Self.count / 3 - 4)
            #expect(codes.count { $0 == nil } == issued, "\(codes)")
            #expect(try await fixture.roleCount() == issued)
            for action in ["lease.create", "lease.issue"] {
                let records = try await fixture.value(
                    """
                    SELECT count(DISTINCT resource) FROM turnpike.audit
                    WHERE action = \(action) AND outcome = 'success'
                    AND actor LIKE '%asker-%'
                    """,
                    as: Int.self
                )
                #expect(records == issued, "\(action)")
            }
            // Rows of one commit have one transaction's number.
            let commits = try await fixture.value(
                """
                SELECT count(DISTINCT xmin::text) FROM turnpike.audit
                WHERE action = 'lease.create' AND actor LIKE '%asker-%'
                """,
                as: Int.self
            )
            #expect(commits < issued, "\(commits)")
        }
    }

    @Test func oneKeyAtOnceMakesOneRole() async throws {
        try await LeaseFixture.with { fixture in
            let codes = await withTaskGroup(of: String?.self) { group in
                for _ in 0..<6 {
                    group.addTask { await refusal { try await fixture.issue(key: "k") }?.code }
                }
                return await group.reduce(into: [String?]()) { $0.append($1) }
            }
            #expect(codes.contains { $0 == nil })
            #expect(codes.allSatisfy { $0 == nil || $0 == "lease.in_progress" }, "\(codes)")
            let roles = try await fixture.roleCount()
            #expect(roles == 1)
        }
    }

    @Test func roomIsCountedDownAsItIsTaken() throws {
        let target = LeaseTarget(
            name: try TargetName("orders"),
            place: .socket(directory: "/tmp", port: 5_432),
            security: .plain,
            database: "orders",
            user: "leaser",
            leasesMax: 3
        )
        let profile = LeaseProfile(
            name: try ProfileName("reader"),
            target: target.name,
            plan: .raw(LeaseProfile.Raw(creation: [])),
            defaultTTL: .seconds(60),
            maxTTL: .seconds(60)
        )
        var room = LeaseRoom(
            LeaseRepository.OpenCounts(ofHolders: ["a": 1], ofProfiles: [:], ofTarget: 0),
            holderMax: 2
        )
        #expect(room.take(profile, target, for: "a") == nil)
        let full = room.take(profile, target, for: "a")
        #expect(full?.complaint.text.contains("this token") == true, "\(String(describing: full))")
        #expect(room.take(profile, target, for: "b") == nil)
        #expect(room.take(profile, target, for: "b") == nil)
        let last = room.take(profile, target, for: "c")
        #expect(last?.complaint.text.contains("the target orders has 3") == true)
    }
}
