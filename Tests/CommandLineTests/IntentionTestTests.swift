import Foundation
import Testing

@testable import turnpike

@Suite(.timeLimit(.minutes(1))) struct IntentionTestTests {
    private let directory = NSTemporaryDirectory() + "turnpike-expect-\(UUID().uuidString)"

    init() throws {
        try FileManager.default.createDirectory(
            atPath: directory,
            withIntermediateDirectories: true
        )
        try write(
            "rules.yaml",
            """
            kind: intention
            source: "*"
            destination: orders-db
            action: deny
            ---
            kind: service
            name: orders-db
            intentions:
              - source: reports
                action: allow
              - source: audit
                action: allow
                not_after: 2030-01-01T00:00:00Z
            """
        )
    }

    private func write(_ name: String, _ text: String) throws {
        try text.write(toFile: path(name), atomically: false, encoding: .utf8)
    }

    private func path(_ name: String) -> String { "\(directory)/\(name)" }

    private func run(_ expectations: String, _ more: String...) async throws -> Outcome {
        try write("expect.json", expectations)
        let arguments = [
            "intention", "test", "-f", path("rules.yaml"), "--expect", path("expect.json"),
        ]
        return await Outcome.run(arguments + more)
    }

    private static func row(_ source: String, _ destination: String, _ verdict: String) -> String {
        #"{"source": "\#(source)", "destination": "\#(destination)", "verdict": "\#(verdict)"}"#
    }

    private static func list(_ rows: String...) -> String {
        "{\"expectations\": [\(rows.joined(separator: ","))]}"
    }

    @Test func theMostSpecificRuleDecidesAndNoRuleDenies() async throws {
        let outcome = try await run(
            Self.list(
                Self.row("reports", "orders-db", "allow"),
                Self.row("web", "orders-db", "deny"),
                Self.row("web", "billing", "deny"),
                Self.row("other/reports", "orders-db", "deny")
            )
        )
        #expect(outcome.code == .success, "\(outcome)")
        #expect(outcome.errors.contains("4 of 4 as expected"))
        let lines = outcome.output.split(separator: "\n")
        #expect(lines[1].hasSuffix("rules.yaml:6"))
        #expect(lines[2].hasSuffix("rules.yaml:1"))
        #expect(lines[3].hasSuffix("default"))
    }

    @Test func anUnmetExpectationFailsTheRun() async throws {
        let outcome = try await run(
            Self.list(
                Self.row("web", "orders-db", "allow"),
                Self.row("reports", "orders-db", "allow")
            ),
            "--json"
        )
        #expect(outcome.code == .difference)
        #expect(outcome.output.contains(#""failed":1"#) || outcome.output.contains(#""failed": 1"#))
    }

    @Test func timeBoundsAreJudgedAtTheMomentAskedFor() async throws {
        let audit = Self.list(Self.row("audit", "orders-db", "allow"))
        #expect(try await run(audit, "--at", "2029-12-31T23:59:59Z").code == .success)
        #expect(try await run(audit, "--at", "2030-01-01T00:00:00Z").code == .difference)
    }

    @Test(arguments: [
        (#"{"expectations": []}"#, "holds no expectation"),
        (
            #"{"expectations": [{"source": "a", "destination": "b", "verdict": "perhaps"}]}"#,
            "verdict"
        ),
        (
            #"{"expectations": [{"source": "a-*", "destination": "b", "verdict": "deny"}]}"#,
            "source"
        ),
        (#"{"expectation": []}"#, "expectation"),
    ])
    func badExpectationsAreNamed(text: String, word: String) async throws {
        let outcome = try await run(text)
        #expect(outcome.code == .usage)
        #expect(outcome.errors.contains(word), "\(outcome)")
    }

    @Test func twoRulesOfOnePairAreRefused() async throws {
        try write(
            "more.yaml",
            "kind: intention\nsource: reports\ndestination: default/orders-db\naction: deny\n"
        )
        let outcome = try await run(
            Self.list(Self.row("reports", "orders-db", "deny")),
            "-f",
            path("more.yaml")
        )
        #expect(outcome.code == .usage)
        #expect(outcome.errors.contains("already decides default/reports -> default/orders-db"))
    }
}
