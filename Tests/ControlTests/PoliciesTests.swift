import Control
import Mesh
import Postgres
import Store
import Support
import Testing

@Suite struct PoliciesTests {
    @Test func aPolicyIsWrittenReadAndDeleted() async throws {
        try await ControlFixture.with { fixture in
            let policies = fixture.control.policies
            let first = try AccessPolicy.of("team", ["services/default/*": [.read, .list]])
            let created = try await policies.put(first, by: fixture.admin)
            #expect(created.isNew)
            #expect(created.row.version == 1)
            let same = try await policies.put(first, by: fixture.admin)
            #expect(!same.isNew)
            #expect(same.row == created.row)
            let second = try AccessPolicy.of("team", ["services/+/web": [.update]])
            let changed = try await policies.put(second, if: { $0 == 1 }, by: fixture.admin)
            #expect(changed.row.version == 2)
            #expect(try await policies.find("team") == changed.row)
            let stale = await refusal {
                try await policies.put(first, if: { $0 == 1 }, by: fixture.admin)
            }
            #expect(stale?.code == "policy.changed")
            #expect(
                try await policies.list().items.map(\.policy.name) == [
                    "admin", "read-only", "team",
                ]
            )
            try await policies.delete("team", if: { $0 == 2 }, by: fixture.admin)
            #expect(await refusal { try await policies.find("team") }?.code == "policy.not_found")
            let outcomes = try await fixture.audited("policy.put").map(\.outcome)
            #expect(outcomes == ["success", "unchanged", "success"])
        }
    }

    @Test(arguments: ["admin", "read-only"])
    func builtInPoliciesStayAsTheyAre(name: String) async throws {
        try await ControlFixture.with { fixture in
            let policies = fixture.control.policies
            let policy = try AccessPolicy.of(name, ["*": [.read]])
            let put = await refusal { try await policies.put(policy, by: fixture.admin) }
            #expect(put?.code == "policy.built_in")
            let delete = await refusal { try await policies.delete(name, by: fixture.admin) }
            #expect(delete?.code == "policy.built_in")
        }
    }

    @Test func aPolicyInUseStays() async throws {
        try await ControlFixture.with { fixture in
            let control = fixture.control
            let policy = try AccessPolicy.of("team", ["services/*": [.read]])
            _ = try await control.policies.put(policy, by: fixture.admin)
            let (row, _) = try await control.tokens.create(
                TokenRequest(displayName: "ci", policies: ["team"]),
                by: fixture.admin
            )
            let error = await refusal {
                try await control.policies.delete("team", by: fixture.admin)
            }
            #expect(error?.code == "policy.in_use")
            try await control.tokens.revoke(row.accessor, by: fixture.admin)
            try await control.policies.delete("team", by: fixture.admin)
        }
    }

    @Test func aPageAtATime() async throws {
        try await ControlFixture.with { fixture in
            for name in ["a", "b", "z"] {
                let policy = try AccessPolicy.of(name, ["services/*": [.read]])
                _ = try await fixture.control.policies.put(policy, by: fixture.admin)
            }
            let first = try await fixture.control.policies.list(limit: 2)
            #expect(first.items.map(\.policy.name) == ["a", "admin"] && first.next == "admin")
            let second = try await fixture.control.policies.list(after: "admin", limit: 9)
            #expect(second.items.map(\.policy.name) == ["b", "read-only", "z"])
            #expect(second.next == nil)
            // One that counts as absent makes a page shorter, and not the last one.
            try await fixture.tamper("UPDATE turnpike.policies SET version = 7 WHERE name = 'a'")
            let short = try await fixture.control.policies.list(limit: 1)
            #expect(short.items.isEmpty && short.next == "a")
        }
    }

    @Test(arguments: [
        // What the writer has, what it wants to grant, whether it may.
        ("services/*", "services/default/web", true),
        ("services/*", "services/+/web", true),
        ("services/*", "services/default/*", true),
        ("services/default/*", "services/*", false),
        ("services/default/*", "services/+/web", false),
        ("services/+/web", "services/default/web", true),
        ("services/+/web", "services/default/*", false),
        ("services/default/we*", "services/default/web*", true),
        ("services/default/web*", "services/default/we*", false),
        ("*", "+/default/x", true),
        ("services/default/web", "services/default/web", true),
        ("services/default/web", "services/default/web2", false),
    ])
    func nobodyWritesRightsThatTheyLack(own: String, wanted: String, isAllowed: Bool) async throws {
        try await ControlFixture.with { fixture in
            let caller = ControlFixture.caller(
                "team",
                [try AccessPolicy.of("team", [own: [.read]])]
            )
            let policy = try AccessPolicy.of("new", [wanted: [.read]])
            let error = await refusal {
                try await fixture.control.policies.put(policy, by: caller)
            }
            #expect((error == nil) == isAllowed)
            let more = try AccessPolicy.of("more", [wanted: [.read, .update]])
            let refused = await refusal {
                try await fixture.control.policies.put(more, by: caller)
            }
            #expect(refused?.code == "policy.beyond_own_rights")
        }
    }

    @Test func aNarrowerDenialCountsAgainstItsHolder() async throws {
        try await ControlFixture.with { fixture in
            let own = try AccessPolicy.of(
                "team",
                ["services/*": [.read, .update], "services/default/vault": [.deny]]
            )
            let caller = ControlFixture.caller("team", [own])
            let wide = try AccessPolicy.of("wide", ["services/*": [.read]])
            let error = await refusal { try await fixture.control.policies.put(wide, by: caller) }
            #expect(error?.code == "policy.beyond_own_rights")
            let beside = try AccessPolicy.of("beside", ["services/other/*": [.read]])
            _ = try await fixture.control.policies.put(beside, by: caller)
        }
    }
}
