import Foundation
import Testing
import Wire

@testable import turnpike

@Suite(.timeLimit(.minutes(1))) struct SessionTests {
    @Test(arguments: [
        (400, ExitCode.usage), (401, .refused), (403, .refused), (404, .notFound),
        (409, .conflict), (412, .conflict), (410, .notFound), (429, .unreachable),
        (500, .unreachable), (503, .unreachable),
    ])
    func statusesBecomeExitCodes(_ status: Int, _ code: ExitCode) async throws {
        let server = try await ScriptedServer([
            "GET": (status, #"{"errors":["first","second"],"code":"x","request_id":"r1"}"#)
        ])
        let outcome = await server.run("status")
        #expect(outcome.code == code)
        #expect(outcome.errors.hasPrefix("turnpike: first\nturnpike: second\n"))
        #expect(outcome.output.isEmpty)
        #expect(!outcome.errors.contains("tp.secret"))
        await server.finish()
    }

    @Test func aForeignAuthorityIsToldByItsFile() async throws {
        let server = try await ScriptedServer(["GET": (200, "{}")])
        let foreign = try await ScriptedServer()
        var environment = server.environment
        environment["TURNPIKE_CACERT"] = foreign.caPath
        let outcome = await server.run("status", environment: environment)
        #expect(outcome.code == .unreachable)
        #expect(outcome.errors.contains(foreign.caPath))
        #expect(server.requests.isEmpty)
        await server.finish()
        await foreign.finish()
    }

    @Test func nobodyListeningIsTold() async throws {
        let server = try await ScriptedServer()
        var environment = server.environment
        environment["TURNPIKE_ADDR"] = "https://127.0.0.1:1"
        let outcome = await server.run("status", environment: environment)
        #expect(outcome.code == .unreachable)
        #expect(outcome.errors.contains("TURNPIKE_ADDR (127.0.0.1:1)"))
        await server.finish()
    }

    @Test func anotherServerIsTold() async throws {
        let server = try await ScriptedServer(["GET": (200, "<html>")])
        let outcome = await server.run("status")
        #expect(outcome.code == .unreachable)
        #expect(outcome.errors.contains("is no JSON"))
        await server.finish()
    }

    @Test(arguments: [([], 2), (["help"], 0), (["version"], 0), (["nonsense"], 2)])
    func noServerIsNeededForHelp(_ words: [String], _ code: Int) async {
        let outcome = await Outcome.run(words)
        #expect(Int(outcome.code.rawValue) == code)
        #expect(!(outcome.output + outcome.errors).isEmpty)
    }

    @Test func settingsComeFromSurroundings() async throws {
        let outcome = await Outcome.run(["status"])
        #expect(outcome.code == .usage)
        #expect(outcome.errors.contains("export TURNPIKE_ADDR=https://HOST:7400"))
    }
}
