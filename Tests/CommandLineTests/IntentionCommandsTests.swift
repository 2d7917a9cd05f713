import Mesh
import Testing
import Wire

@testable import turnpike

@Suite(.timeLimit(.minutes(1))) struct IntentionCommandsTests {
    private static let stored =
        #"{"id":"r1","source":"default/web","destination":"default/orders-db","#
        + #""action":"allow","precedence":9,"revision":5"#

    @Test func createPostsOnceUnderAKey() async throws {
        let server = try await ScriptedServer(["POST /v1/intentions": (201, Self.stored + "}")])
        let outcome = await server.run(
            "intention",
            "create",
            "web",
            "orders-db",
            "--allow",
            "--description",
            "orders"
        )
        #expect(outcome.code == .success)
        #expect(
            outcome.output
                == "default/web may reach default/orders-db (precedence 9, revision 5)\n"
        )
        #expect(
            server.requests.map(\.body) == [
                #"{"source":"default/web","destination":"default/orders-db","action":"allow","#
                    + #""description":"orders"}"#
            ]
        )
        await server.finish()
    }

    @Test(arguments: [
        (["intention", "delete", "web", "orders-db"], "DELETE"),
        (["intention", "show", "web", "orders-db"], "GET"),
        (["intention", "put", "web", "orders-db", "--deny"], "PUT"),
    ])
    func pathsNameTheDestinationFirst(_ words: [String], _ method: String) async throws {
        let server = try await ScriptedServer([method: (200, #"{"revision":6}"#)])
        let outcome = await server.run(words)
        #expect(outcome.code == .success)
        let path = "/v1/intentions/default/orders-db/default/web"
        #expect(server.requests.map(\.line) == ["\(method) \(path)"])
        await server.finish()
    }

    @Test func wildcardsStandInPathsAsTheyAre() async throws {
        let server = try await ScriptedServer(["DELETE": (200, #"{"revision":6}"#)])
        _ = await server.run("intention", "delete", "*", "billing/*")
        #expect(server.requests.map(\.target) == ["/v1/intentions/billing/*/*/*"])
        await server.finish()
    }

    @Test(arguments: [[], ["--allow", "--deny"]])
    func aRuleAllowsOrDenies(_ flags: [String]) async {
        let outcome = await Outcome.run(["intention", "create", "web", "db"] + flags)
        #expect(outcome.code == .usage)
        #expect(outcome.errors.contains("either --allow or --deny"))
    }

    @Test func duplicatesAreConflicts() async throws {
        let server = try await ScriptedServer([
            "POST": (409, #"{"errors":["it exists; use put"],"code":"intention.duplicate"}"#)
        ])
        let outcome = await server.run("intention", "create", "web", "db", "--deny")
        #expect(outcome.code == .conflict)
        #expect(outcome.errors == "turnpike: it exists; use put\n")
        await server.finish()
    }

    @Test func listIsInTheOrderOfEvaluation() async throws {
        func rule(_ source: String, _ action: String, _ precedence: Int, _ id: String) -> String {
            #"{"id":"\#(id)","source":"\#(source)","destination":"default/db","#
                + #""action":"\#(action)","precedence":\#(precedence),"revision":1}"#
        }
        let rules = [
            rule("*", "deny", 7, "a"), rule("default/b", "allow", 9, "c"),
            rule("default/a", "allow", 9, "b"), rule("default/c", "deny", 9, "d"),
        ]
        let server = try await ScriptedServer([
            "GET /v1/intentions?destination=default%2Fdb": (
                200, #"{"items":[\#(rules.joined(separator: ","))],"next":null}"#
            )
        ])
        let outcome = await server.run("intention", "list", "--destination", "db")
        #expect(
            outcome.output == """
                PRECEDENCE  SOURCE     DESTINATION  ACTION  REVISION  DESCRIPTION
                9           default/c  default/db   deny    1         -
                9           default/a  default/db   allow   1         -
                9           default/b  default/db   allow   1         -
                7           *          default/db   deny    1         -

                """
        )
        await server.finish()
    }

    @Test(arguments: [(true, ExitCode.success), (false, .waitTimedOut)])
    func waitingEndsWithEnforcement(_ isComplete: Bool, _ code: ExitCode) async throws {
        let enforced =
            #","enforced":{"revision":5,"acknowledged":["host-1"],"#
            + #""pending":\#(isComplete ? "[]" : #"["host-2"]"#),"complete":\#(isComplete)}}"#
        let server = try await ScriptedServer(["POST": (201, Self.stored + enforced)])
        let outcome = await server.run(
            "intention",
            "create",
            "web",
            "orders-db",
            "--allow",
            "--wait",
            "enforced",
            "--timeout",
            "2s"
        )
        #expect(outcome.code == code)
        #expect(server.requests.map(\.target) == ["/v1/intentions?wait=enforced&timeout=2s"])
        #expect(outcome.errors.contains(isComplete ? "host-1" : "host-2"))
        await server.finish()
    }

    @Test func commandsAreThose() {
        #expect(IntentionCommands.all.count == 5)
    }
}
