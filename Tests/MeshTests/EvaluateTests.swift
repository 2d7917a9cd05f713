import Mesh
import Testing
import Wire

@Suite struct EvaluateTests {
    private func decide(
        _ source: String,
        _ destination: String,
        _ rules: [Intention],
        question: AccessQuestion = Rules.connection,
        default verdict: Verdict = .deny
    ) throws -> Ruling {
        evaluate(
            source: Rules.source(source),
            destination: try ServiceName(destination),
            question: question,
            rules: rules,
            context: Rules.context(default: verdict)
        )
    }

    @Test(arguments: [
        ("a/x", "b/y", 9), ("a/*", "b/y", 8), ("*", "b/y", 7), ("a/x", "b/*", 6),
        ("a/*", "b/*", 5), ("*", "b/*", 4), ("a/x", "*", 3), ("a/*", "*", 2), ("*", "*", 1),
    ])
    func precedenceNumbers(source: String, destination: String, precedence: Int) {
        let rule = Rules.rule("r", source, destination, .action(.allow))
        #expect(rule.precedence == precedence)
    }

    @Test func nothingDecidesMeansDenied() throws {
        #expect(try decide("a/x", "b/y", []) == Ruling(verdict: .deny, reason: .defaultDeny))
        #expect(try decide("a/x", "b/y", [], default: .allow).reason == .defaultAllow)
    }

    @Test func destinationExactnessDominates() throws {
        let rules = [
            Rules.rule("1", "*", "b/y", .action(.deny)),
            Rules.rule("2", "a/x", "*", .action(.allow)),
        ]
        let ruling = try decide("a/x", "b/y", rules)
        #expect(ruling.verdict == .deny)
        #expect(ruling.precedence == 7)
        #expect(ruling.ruleID?.text == "1")
    }

    @Test func denyWinsTiesThenTheSmallerID() throws {
        let deny = Rules.rule("z", "a/x", "b/y", .action(.deny))
        let allow = Rules.rule("a", "a/x", "b/y", .action(.allow))
        #expect(try decide("a/x", "b/y", [allow, deny]).ruleID?.text == "z")
        let second = Rules.rule("b", "a/x", "b/y", .action(.allow))
        #expect(try decide("a/x", "b/y", [second, allow]).ruleID?.text == "a")
    }

    @Test func foreignTrustDomainIsAnotherSource() throws {
        let rules = [Rules.rule("1", "*", "b/y", .action(.allow))]
        let ruling = evaluate(
            source: Rules.source("a/x", in: try TrustDomain("other.example")),
            destination: try ServiceName("b/y"),
            question: Rules.connection,
            rules: rules,
            context: Rules.context()
        )
        #expect(ruling.reason == .defaultDeny)
    }

    @Test func timeBoundsAreHalfOpen() throws {
        var rule = Rules.rule("1", "a/x", "b/y", .action(.allow))
        rule.notBefore = Rules.now
        #expect(try decide("a/x", "b/y", [rule]).isAllowed)
        rule.notBefore = Rules.now + .nanoseconds(1)
        #expect(try !decide("a/x", "b/y", [rule]).isAllowed)
        rule.notBefore = nil
        rule.notAfter = Rules.now
        #expect(try !decide("a/x", "b/y", [rule]).isAllowed)
        rule.notAfter = Rules.now + .nanoseconds(1)
        #expect(try decide("a/x", "b/y", [rule]).isAllowed)
    }

    @Test func anExpiredExceptionUncoversTheRuleBeneath() throws {
        var exception = Rules.rule("1", "a/x", "b/y", .action(.allow))
        exception.notAfter = Rules.now
        let rules = [exception, Rules.rule("2", "*", "b/y", .action(.deny))]
        #expect(try decide("a/x", "b/y", rules).ruleID?.text == "2")
    }

    @Test func shadowRulesDecideNothing() throws {
        var rule = Rules.rule("1", "a/x", "b/y", .action(.allow))
        rule.mode = .shadow
        #expect(try decide("a/x", "b/y", [rule]).reason == .defaultDeny)
    }

    @Test func permissionsDecideRequestsOnlyAndNothingFallsThrough() throws {
        let permission = Permission(
            action: .allow,
            http: HTTPCondition(path: .prefix("/v1"), methods: ["GET"])
        )
        let rules = [
            Rules.rule("1", "a/x", "b/y", .permissions([permission])),
            Rules.rule("2", "*", "b/y", .action(.allow)),
        ]
        #expect(try decide("a/x", "b/y", rules).reason == .permissionsNeedHTTP)
        #expect(
            try decide("a/x", "b/y", rules, question: .connection(requestsAreJudged: true))
                .isAllowed
        )
        let matching = AccessQuestion.request(RequestFacts(method: "GET", path: "/v1/x"))
        #expect(try decide("a/x", "b/y", rules, question: matching).permissionIndex == 0)
        let other = AccessQuestion.request(RequestFacts(method: "GET", path: "/v10"))
        let refused = try decide("a/x", "b/y", rules, question: other)
        #expect(refused.reason == .noPermissionMatched)
        #expect(refused.verdict == .deny)
        #expect(refused.ruleID?.text == "1")
        #expect(try decide("a/x", "b/y", rules, question: other, default: .allow).isAllowed)
    }

    @Test func explainAccountsForEveryRule() throws {
        var late = Rules.rule("5", "a/x", "b/y", .action(.allow))
        late.notAfter = Rules.now
        let rules = [
            Rules.rule("1", "a/x", "b/y", .action(.deny)),
            Rules.rule("2", "a/x", "b/y", .action(.allow)),
            Rules.rule("3", "*", "b/y", .action(.allow)),
            Rules.rule("4", "c/z", "b/y", .action(.allow)),
            late,
            Rules.rule("6", "a/x", "b/z", .action(.allow)),
            Rules.rule("7", "a/x", "b/y", .action(.deny)),
        ]
        let explanation = explain(
            source: Rules.source("a/x"),
            destination: try ServiceName("b/y"),
            question: Rules.connection,
            rules: rules,
            context: Rules.context()
        )
        let outcomes = Dictionary(
            uniqueKeysWithValues: explanation.considered.map { ($0.ruleID.text, $0.outcome) }
        )
        #expect(
            outcomes == [
                "1": .won, "2": .lostToDeny, "3": .lostByPrecedence, "4": .otherSource,
                "5": .noLongerActive, "6": .otherDestination, "7": .lostByRuleID,
            ]
        )
        #expect(explanation.ruling.ruleID?.text == "1")
        #expect(explanation.considered.first?.outcome == .won)
    }

    /// The fast forms against the plain definition, over random rule sets on few names, so that
    /// collisions of every kind happen.
    @Test func compiledAndPlainFormsAgreeWithTheReference() throws {
        var generator = SeededGenerator(seed: 20_310_203)
        let names = ["a/x", "a/y", "b/x", "b/y"]
        let patterns = names + ["a/*", "b/*", "*"]
        let foreign = try TrustDomain("other.example")
        for _ in 0..<4000 {
            let count = Int.random(in: 0...12, using: &generator)
            let rules = (0..<count).map { _ in
                randomRule(patterns: patterns, foreign: foreign, using: &generator)
            }
            let source = Rules.source(
                names[Int.random(in: names.indices, using: &generator)],
                in: Int.random(in: 0...5, using: &generator) == 0 ? foreign : Rules.domain
            )
            let destination = try ServiceName(
                names[Int.random(in: names.indices, using: &generator)]
            )
            let expected = referenceWinner(
                source: source,
                destination: destination,
                rules: rules,
                context: Rules.context()
            )
            let plain = evaluate(
                source: source,
                destination: destination,
                question: Rules.connection,
                rules: rules,
                context: Rules.context()
            )
            #expect(plain.ruleID == expected)
            let policy = InboundPolicy(
                destination: destination,
                trustDomain: Rules.domain,
                rules: rules
            )
            let compiled = policy.decide(
                source: source,
                question: Rules.connection,
                now: Rules.now
            )
            #expect(compiled == plain)
            let explained = explain(
                source: source,
                destination: destination,
                question: Rules.connection,
                rules: rules,
                context: Rules.context()
            )
            #expect(explained.ruling == plain)
            #expect(explained.considered.count == rules.count)
        }
    }

    private func randomRule(
        patterns: [String],
        foreign: TrustDomain,
        using generator: inout SeededGenerator
    ) -> Intention {
        let permission = Permission(action: .allow, http: HTTPCondition(path: .prefix("/")))
        let effects: [Intention.Effect] = [
            .action(.allow), .action(.deny), .permissions([permission]),
        ]
        var rule = Rules.rule(
            "r\(UInt32.random(in: 0...9_999_999, using: &generator))",
            patterns[Int.random(in: patterns.indices, using: &generator)],
            patterns[Int.random(in: patterns.indices, using: &generator)],
            effects[Int.random(in: effects.indices, using: &generator)]
        )
        switch Int.random(in: 0...9, using: &generator) {
        case 0: rule.notBefore = Rules.now + .seconds(1)
        case 1: rule.notAfter = Rules.now
        case 2: rule.notAfter = Rules.now + .seconds(1)
        case 3: rule.sourceTrustDomain = foreign
        case 4: rule.mode = .shadow
        default: break
        }
        return rule
    }

    @Test func transitionsAreTheMomentsOfChange() throws {
        var first = Rules.rule("1", "a/x", "b/y", .action(.allow))
        first.notAfter = Rules.now + .seconds(60)
        var second = Rules.rule("2", "a/x", "b/y", .action(.deny))
        second.notBefore = Rules.now + .seconds(30)
        let policy = InboundPolicy(
            destination: try ServiceName("b/y"),
            trustDomain: Rules.domain,
            rules: [first, second]
        )
        #expect(policy.nextTransition(after: Rules.now) == second.notBefore)
        #expect(policy.nextTransition(after: Rules.now + .seconds(30)) == first.notAfter)
        #expect(policy.nextTransition(after: Rules.now + .seconds(60)) == nil)
        let source = Rules.source("a/x")
        func verdict(at time: Timestamp) -> Verdict {
            policy.decide(source: source, question: Rules.connection, now: time).verdict
        }
        #expect(verdict(at: Rules.now) == .allow)
        #expect(verdict(at: Rules.now + .seconds(30)) == .deny)
    }
}
