import Testing
import Wire

@testable import turnpike

@Suite(.timeLimit(.minutes(1))) struct EvidenceCommandsTests {
    private static let allowed =
        #"{"source":"default/web","destination":"default/db","verdict":"allow","#
        + #""reason":"rule","sentence":"The intention allows it.","considered":["#
        + #"{"rule_id":"1","source":"default/web","destination":"default/db","action":"allow","#
        + #""precedence":9,"outcome":"won","sentence":"It decides."}],"revision":5,"#
        + #""enforcement":{"revision":5,"agents":[{"agent":"host-1","revision":4,"#
        + #""applied":false,"acknowledged_at":"2027-01-15T07:59:50Z"}]},"#
        + #""latest_refusal":{"id":"0190","at":"2027-01-15T07:00:00Z","agent":"host-1","#
        + #""sentence":"No intention allows it."}}"#

    @Test func explainReadsLikeAnExplanation() async throws {
        let server = try await ScriptedServer(["GET /v1/explain": (200, Self.allowed)])
        let outcome = await server.run("explain", "web", "db")
        #expect(outcome.code == .success)
        #expect(
            outcome.output == """
                default/web -> default/db: ALLOWED
                  The intention allows it.

                intentions considered
                  PRECEDENCE  SOURCE       DESTINATION  ACTION  WHY
                  9           default/web  default/db   allow   It decides.

                enforced since revision 5 by
                  AGENT   APPLIED  AT REVISION  ACKNOWLEDGED
                  host-1  NOT YET  4            10s ago

                last refusal between them
                  1h ago by the agent host-1: No intention allows it.
                  turnpike explain 0190

                """
        )
        #expect(
            server.requests.map(\.target)
                == ["/v1/explain?source=default%2Fweb&destination=default%2Fdb"]
        )
        await server.finish()
    }

    @Test func denialsExitWithOne() async throws {
        let server = try await ScriptedServer([
            "GET": (
                200,
                #"{"source":"default/x","destination":"default/db","verdict":"deny","#
                    + #""sentence":"No intention allows it.","unknown_services":["default/x"],"#
                    + #""considered":[],"enforcement":{"revision":0,"agents":[]},"#
                    + #""latest_refusal":null}"#
            )
        ])
        let outcome = await server.run("explain", "x", "db")
        #expect(outcome.code == .difference)
        #expect(outcome.output.hasPrefix("default/x -> default/db: DENIED\n"))
        #expect(outcome.output.contains("Note: default/x does not exist."))
        #expect(outcome.output.contains("no agent hosts the destination"))
        await server.finish()
    }

    @Test func decisionsAreExplainedById() async throws {
        let id = "019b76da-a800-7000-8000-000000000001"
        let server = try await ScriptedServer([
            "GET": (
                200,
                #"{"id":"\#(id)","at":"2027-01-15T07:00:00Z","agent":"host-1","#
                    + #""source":"default/web","destination":"default/db","verdict":"deny","#
                    + #""reason":"default","sentence":"No intention allows it.","revision":4,"#
                    + #""peer_address":"10.0.0.2:5555"}"#
            )
        ])
        let outcome = await server.run("explain", id)
        #expect(outcome.code == .difference)
        #expect(outcome.output.contains("decided at 2027-01-15T07:00:00Z by the agent host-1"))
        #expect(outcome.output.contains("the connection came from 10.0.0.2:5555"))
        #expect(server.requests.map(\.target) == ["/v1/explain?id=\(id)"])
        await server.finish()
    }

    @Test func requestsAreExplainedById() async throws {
        let id = "019b76da-a800-7000-8000-000000000002"
        let server = try await ScriptedServer([
            "GET": (
                200,
                #"{"id":"\#(id)","at":"2027-01-15T07:00:00Z","principal":"token/1","#
                    + #""verdict":"deny","reason":"access.denied","#
                    + #""sentence":"token/1 lacked update on services/default/x."}"#
            )
        ])
        let outcome = await server.run("explain", id)
        #expect(outcome.code == .difference)
        #expect(outcome.output.contains("request \(id): DENIED"))
        #expect(outcome.output.contains("lacked update on services/default/x"))
        await server.finish()
    }

    @Test func aServiceAloneIsNoDecision() async {
        let outcome = await Outcome.run(["explain", "web"])
        #expect(outcome.code == .usage)
        #expect(outcome.errors.contains("turnpike explain SOURCE DESTINATION"))
    }

    @Test func statusShowsAlarmsAndTheBootstrap() async throws {
        let server = try await ScriptedServer([
            "GET /v1/status": (
                200,
                #"{"cluster_id":"c1","trust_domain":"example.test","server":"s1","#
                    + #""version":"0.1.0","revision":42,"administrators":0,"#
                    + #""bootstrap_expires_at":"2027-01-16T08:00:00Z","servers":[{"name":"s1","#
                    + #""last_seen":"2027-01-15T07:59:59Z","version":"0.1.0","#
                    + #""api_address":"a:7400","agent_address":"a:7401"}],"#
                    + #""row_alarms":[{"table":"tokens","key":"x"}],"news":"yes"}"#
            )
        ])
        let outcome = await server.run("status")
        #expect(outcome.code == .success)
        for text in ["example.test", "42", "ends in 1d", "ALARM", "tokens", "1s ago", "news"] {
            #expect(outcome.output.contains(text), "\(text)")
        }
        await server.finish()
    }

    @Test func auditFiltersPagesAndHidesControlCharacters() async throws {
        let server = try await ScriptedServer([
            "GET /v1/audit?actor=token%2Fa1&since=2027-01-01T00%3A00%3A00Z&limit=1": (
                200,
                #"{"items":[{"at":"2027-01-15T07:00:00Z","actor":"token/a1","action":"a.b","#
                    + #""resource":"x\u001b[2J","outcome":"success"}],"next":"m9"}"#
            )
        ])
        let outcome = await server.run(
            "audit",
            "list",
            "--actor",
            "token/a1",
            "--since",
            "2027-01-01T00:00:00Z",
            "--limit",
            "1"
        )
        #expect(outcome.code == .success, "\(outcome)")
        #expect(outcome.output.contains("x?[2J"))
        #expect(outcome.errors.contains("--after m9"))
        await server.finish()
    }

    @Test func brokenChainsExitWithOne() async throws {
        let server = try await ScriptedServer([
            "GET /v1/audit/heads": (200, #"{"items":[{"writer":"s1"},{"writer":"s2"}]}"#),
            "GET /v1/audit/verification?writer=s1": (200, #"{"writer":"s1","intact":true}"#),
            "GET /v1/audit/verification?writer=s2": (200, #"{"writer":"s2","intact":false}"#),
        ])
        let outcome = await server.run("audit", "verify")
        #expect(outcome.code == .difference)
        #expect(outcome.output.contains("BROKEN"))
        #expect(await server.run("audit", "verify", "--writer", "s1").code == .success)
        await server.finish()
    }

    @Test(arguments: [
        (["ca"], "GET /v1/ca"), (["certificate", "list"], "GET /v1/ca/certificates?limit=1000"),
        (
            ["certificate", "list", "--spiffe-id", "x", "--limit", "5"],
            "GET /v1/ca/certificates?spiffe_id=x&limit=5"
        ),
    ])
    func certificatesAreListed(_ words: [String], _ line: String) async throws {
        let server = try await ScriptedServer([line: (200, #"{"items":[],"next":null}"#)])
        #expect(await server.run(words).code == .success)
        #expect(server.requests.map(\.line) == [line])
        await server.finish()
    }

    @Test func textsComeFromTheirRenderers() {
        #expect(
            ExplanationText.text(["verdict": "allow"], now: ScriptedServer.now).contains("ALLOWED")
        )
        let authority = Document.fields([
            "trust_domain": "example.test",
            "roots": .list([["state": "active", "sha256": "ab"] as Document]),
            "trust_document": ["version": 3],
        ])
        let text = AuthorityText.text(authority, now: ScriptedServer.now)
        #expect(text.contains("active") && text.contains("version     3"))
        #expect(StatusText.text([:], now: ScriptedServer.now).contains("trust domain"))
        #expect(EvidenceCommands.all.map(\.name).contains("status"))
    }
}
