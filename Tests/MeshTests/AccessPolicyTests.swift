import Mesh
import Testing

@Suite struct AccessPolicyTests {
    private func policy(_ name: String, _ rules: [String: Set<Capability>]) throws -> AccessPolicy {
        try AccessPolicy(
            name: name,
            rules: rules.map {
                AccessPolicy.Rule(path: try PathGlob($0.key), capabilities: $0.value)
            }
        )
    }

    @Test(arguments: [
        ("secret/foo", "secret/foo", true), ("secret/foo", "secret/foo/x", false),
        ("secret/*", "secret/foo/x", true), ("secret/*", "secret/", true),
        ("secret/*", "secret", false), ("secret/f*", "secret/foo/x", true),
        ("secret/f*", "secret/bar", false), ("*", "anything/at/all", true),
        ("secret/+/x", "secret/a/x", true), ("secret/+/x", "secret/a/b/x", false),
        ("secret/+/x", "secret//x", false), ("secret/+/*", "secret/a/b/c", true),
        ("+/x", "a/x", true), ("intentions/shop/+/+/+", "intentions/shop/db/a/b", true),
        ("intentions/shop/*", "intentions/shopping/db/a/b", false),
        ("intentions/shop/db/*", "intentions/shop/*/a/b", false),
    ])
    func globs(glob: String, path: String, expected: Bool) throws {
        #expect(try PathGlob(glob).matches(path) == expected)
    }

    @Test(arguments: ["", "/secret", "a/*/b", "a*b", "a/+b/c", "**"])
    func malformedGlobs(text: String) {
        #expect(throws: NameError.self) { try PathGlob(text) }
    }

    @Test func noMatchGrantsNothing() throws {
        let policies = [try policy("p", ["secret/*": [.read]])]
        #expect(AccessEvaluation.capabilities(on: "other", policies: policies).isEmpty)
        #expect(!AccessEvaluation.allows(.read, on: "other", policies: policies))
    }

    @Test func theMostSpecificPathAloneDecides() throws {
        let policies = [
            try policy("p", ["secret/*": [.read, .list], "secret/own/*": [.update]]),
            try policy("q", ["secret/own/one": [.delete]]),
        ]
        func granted(_ path: String) -> Set<Capability> {
            AccessEvaluation.capabilities(on: path, policies: policies)
        }
        #expect(granted("secret/x") == [.read, .list])
        #expect(granted("secret/own/x") == [.update])
        #expect(granted("secret/own/one") == [.delete])
    }

    @Test func policiesOnTheSamePathAddUpAndDenyOverrides() throws {
        let first = try policy("p", ["a/*": [.read]])
        let second = try policy("q", ["a/*": [.update]])
        let third = try policy("r", ["a/*": [.deny, .read]])
        #expect(
            AccessEvaluation.capabilities(on: "a/x", policies: [first, second]) == [.read, .update]
        )
        #expect(
            AccessEvaluation.capabilities(on: "a/x", policies: [first, second, third]) == [.deny]
        )
        #expect(!AccessEvaluation.allows(.deny, on: "a/x", policies: [third]))
    }

    @Test(arguments: [
        ("a/+/c", "a/b/*", "a/b/c"), ("a/b/*", "a/b/c", "a/b/c"), ("a/+/+", "a/+/c", "a/b/c"),
        ("a/*", "a/+/c", "a/b/c"), ("*", "a/*", "a/b/c"), ("+/b/c", "a/+/c", "a/b/c"),
        ("a/b*", "a/bc*", "a/bcd"),
    ])
    func specificityOrder(loser: String, winner: String, path: String) throws {
        for order in [[loser, winner], [winner, loser]] {
            let policies = try order.map { glob in
                try policy("p", [glob: glob == winner ? [.read] : [.deny]])
            }
            #expect(AccessEvaluation.capabilities(on: path, policies: policies) == [.read])
        }
    }

    /// `LIST a/b` asks about `a/b/`; a rule about exactly `a/b` counts too, but not before one about
    /// exactly `a/b/`.
    private static let lists: [(rules: [String: Set<Capability>], expected: Bool)] = [
        (["a/b": [.list]], true), (["a/b/": [.list]], true),
        (["a/b/": [.read], "a/b": [.list]], false), (["a/b/": [.list], "a/b": [.deny]], true),
        (["a/b/*": [.list]], true), (["a/*": [.list], "a/b": [.read]], false),
        (["a/+": [.list]], false), (["a/b*": [.list]], true),
    ]

    @Test(arguments: lists)
    func aListHasASlashAtItsEnd(rules: [String: Set<Capability>], expected: Bool) throws {
        let policies = [try policy("p", rules)]
        #expect(AccessEvaluation.allows(.list, on: "a/b/", policies: policies) == expected)
        let granted = AccessEvaluation.capabilities(listing: "a/b/", policies: policies)
        #expect(granted.contains(.list) == expected)
        let elsewhere = [try policy("p", ["a/b": [.list]])]
        #expect(!AccessEvaluation.allows(.list, on: "a/c/", policies: elsewhere))
    }

    @Test func aPathStandsOnceInAPolicy() throws {
        let rule = AccessPolicy.Rule(path: try PathGlob("a"), capabilities: [.read])
        #expect(throws: InvalidField("paths", .duplicate)) {
            try AccessPolicy(name: "p", rules: [rule, rule])
        }
    }
}
