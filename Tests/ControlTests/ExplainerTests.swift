import Control
import Mesh
import Postgres
import Store
import Testing
import Wire

@Suite struct ExplainerTests {
    private let services = ["a", "b", "other/a"]
    private let patterns = ["a", "b", "default/*", "other/a", "other/*", "*"]

    @Test func theWinnerIsThatOfTheEvaluator() async throws {
        try await CatalogFixture.with { fixture in
            var generator = SystemRandomNumberGenerator()
            var resources: [Resource] = [
                .namespace(Namespace(name: try NamespaceName("other")))
            ]
            for source in patterns {
                for destination in patterns where Bool.random(using: &generator) {
                    resources.append(
                        try CatalogFixture.rule(
                            source,
                            destination,
                            Bool.random(using: &generator) ? .allow : .deny
                        )
                    )
                }
            }
            _ = try await fixture.control.catalog.apply(resources, by: fixture.admin)
            let stored = try await fixture.control.catalog.list(
                CatalogQuery(.intention),
                limit: 1000
            )
            let rules = stored.items.compactMap { item in
                if case .intention(let rule) = item.resource { rule } else { nil }
            }
            for source in try services.map({ try ServiceName($0) }) {
                for destination in try services.map({ try ServiceName($0) }) {
                    let explained = try await fixture.control.explainer.explain(
                        source: source,
                        destination: destination
                    )
                    let ruling = evaluate(
                        source: SourceIdentity(
                            trustDomain: fixture.control.trustDomain,
                            service: source
                        ),
                        destination: destination,
                        question: .connection(requestsAreJudged: false),
                        rules: rules,
                        context: EvaluationContext(
                            trustDomain: fixture.control.trustDomain,
                            now: fixture.control.now()
                        )
                    )
                    #expect(explained.explanation.ruling == ruling)
                    #expect(
                        explained.document["verdict"] == .string(ruling.verdict.rawValue)
                    )
                }
            }
        }
    }

    @Test func anAnswerNamesEveryRuleAndEveryHost() async throws {
        try await CatalogFixture.with { fixture in
            try await fixture.applyShop()
            for (source, verdict) in [("*", Verdict.deny), ("default/*", .allow), ("a", .allow)] {
                _ = try await fixture.control.catalog.put(
                    try CatalogFixture.rule(source, "orders", verdict),
                    by: fixture.admin
                )
            }
            let explanation = try await fixture.control.explainer.explain(
                source: try ServiceName("web"),
                destination: try ServiceName("orders")
            )
            let document = explanation.document
            #expect(document["verdict"] == "allow")
            #expect(document["precedence"] == 9)
            #expect(document["unknown_services"] == nil)
            let outcomes = document["considered"]?.items?.map { $0["outcome"]?.text }
            #expect(
                outcomes == [
                    "won", "lost_by_precedence", "lost_by_precedence", "other_source",
                ]
            )
            let enforcement = try #require(document["enforcement"])
            #expect(enforcement["revision"] == 4)
            let host = try #require(enforcement["agents"]?[0])
            #expect(host["agent"] == "db-1")
            #expect(host["applied"] == .null)
            #expect(document["latest_refusal"] == .null)
        }
    }

    @Test func enforcementAndRefusalsAreReported() async throws {
        try await CatalogFixture.with { fixture in
            try await fixture.applyShop()
            let id = fixture.control.makeID()
            try await fixture.base.tamper(
                """
                INSERT INTO turnpike.agent_state (agent, last_seen, revision, acknowledged_at)
                VALUES ('db-1', now(), 1, now())
                """
            )
            try await fixture.base.tamper(
                """
                INSERT INTO turnpike.decisions (agent, chain, sequence, id, at, verdict, reason,
                    source, destination, revision, hash)
                VALUES ('db-1', 1, 1, \(id), now(), 'deny', 'default_deny',
                    'spiffe://example.org/ns/default/svc/web', 'default/orders', 1,
                    sha256('x'::bytea))
                """
            )
            let explainer = fixture.control.explainer
            let document = try await explainer.explain(
                source: try ServiceName("web"),
                destination: try ServiceName("orders")
            ).document
            #expect(document["enforcement"]?["agents"]?[0]?["applied"] == true)
            #expect(document["latest_refusal"]?["id"] == .string(id.description))
            let decision = try await explainer.explain(decision: id)
            #expect(decision.destination == (try ServiceName("orders")))
            #expect(decision.sentence == DecisionReason.defaultDeny.sentence)
            // A change that the host has not acknowledged is not applied yet.
            _ = try await fixture.control.catalog.put(
                try CatalogFixture.rule("*", "orders", .deny),
                by: fixture.admin
            )
            let later = try await explainer.explain(
                source: try ServiceName("web"),
                destination: try ServiceName("orders")
            ).document
            #expect(later["enforcement"]?["agents"]?[0]?["applied"] == false)
        }
    }

    @Test func aRequestIsExplainedByItsID() async throws {
        try await CatalogFixture.with { fixture in
            let explainer = fixture.control.explainer
            let id = fixture.control.makeID()
            let caller = Caller(
                principal: "token/x",
                policies: [],
                sourceAddress: "192.0.2.1",
                requestID: id.description
            )
            #expect(try await explainer.explain(request: id) == nil)
            #expect(throws: ControlError.self) {
                try fixture.control.identity.authorise(caller, .update, on: "services/default/x")
            }
            let denied = try #require(try await explainer.explain(request: id))
            #expect(denied.document["verdict"] == "deny")
            #expect(denied.document["capability"] == "update")
            #expect(denied.document["path"] == "services/default/x")
            #expect(denied.isVisible(to: caller))
            #expect(!denied.isVisible(to: Caller(principal: "token/y")))
            #expect(denied.isVisible(to: fixture.admin))
            let done = fixture.control.makeID()
            let admin = fixture.admin.during(requestID: done.description, sourceAddress: "")
            _ = try await fixture.control.catalog.put(
                try CatalogFixture.read("kind: service\nname: fresh\n"),
                by: admin
            )
            let made = try #require(try await explainer.explain(request: done)).document
            #expect(made["verdict"] == "allow")
            #expect(made["records"]?[0]?["action"] == "service.put")
        }
    }

    @Test func whetherAForeignSourceExistsIsNotSaid() async throws {
        try await CatalogFixture.with { fixture in
            let orders = try ServiceName("orders")
            let explanation = try await fixture.control.explainer.explain(
                source: try ServiceName("secret/thing"),
                destination: orders
            ) { $0 == orders }
            #expect(explanation.unknown == [orders])
        }
    }

    @Test func unknownServicesAndDecisionsAreSaid() async throws {
        try await CatalogFixture.with { fixture in
            let explainer = fixture.control.explainer
            let explanation = try await explainer.explain(
                source: try ServiceName("nobody"),
                destination: try ServiceName("nothing")
            )
            #expect(explanation.unknown.count == 2)
            #expect(explanation.document["reason"] == "default_deny")
            let error = await refusal {
                try await explainer.explain(decision: fixture.control.makeID())
            }
            #expect(error?.code == "decision.not_found")
        }
    }
}
