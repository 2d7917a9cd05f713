import Mesh
import Testing

@testable import turnpike

@Suite(.timeLimit(.minutes(1))) struct IdentityCommandsTests {
    @Test func createPrintsTheSecretOnceAndAlone() async throws {
        let server = try await ScriptedServer([
            "POST /v1/tokens": (
                201,
                #"{"accessor":"a1","token":"tp.new","expires_at":"2027-02-14T08:00:00Z"}"#
            )
        ])
        let outcome = await server.run(
            "token",
            "create",
            "--policy",
            "admin",
            "--ttl",
            "30d",
            "--name",
            "me"
        )
        #expect(outcome.code == .success)
        #expect(outcome.output == "tp.new\n")
        #expect(outcome.errors.contains("2027-02-14T08:00:00Z"))
        #expect(!outcome.errors.contains("tp.new"))
        #expect(
            server.requests.map(\.body) == [
                #"{"display_name":"me","policies":["admin"],"ttl":"30d"}"#
            ]
        )
        await server.finish()
    }

    @Test(arguments: [
        (["token", "show"], "GET /v1/tokens/self"), (["token", "show", "a1"], "GET /v1/tokens/a1"),
        (["token", "revoke", "a1"], "DELETE /v1/tokens/a1"),
        (["token", "list"], "GET /v1/tokens?limit=1000"),
        (["policy", "list"], "GET /v1/policies?limit=1000"),
        (["policy", "show", "ops"], "GET /v1/policies/ops"),
        (["policy", "delete", "ops"], "DELETE /v1/policies/ops"),
        (["policy", "put", "ops", "--path", "services/*=read"], "PUT /v1/policies/ops"),
    ])
    func eachCommandAsksOneRoute(_ words: [String], _ line: String) async throws {
        let server = try await ScriptedServer([line: (200, #"{"items":[],"next":null}"#)])
        let outcome = await server.run(words)
        #expect(outcome.code == .success, "\(outcome)")
        #expect(server.requests.map(\.line) == [line])
        await server.finish()
    }

    @Test func pathsBecomeRules() throws {
        var invocation = Invocation()
        invocation.setOperand("NAME", "ops")
        invocation.addOption("--path", "services/+/web=read,update")
        invocation.addOption("--path", "audit=read")
        let policy = try IdentityCommands.policy(invocation)
        #expect(policy.rules.map(\.path.text) == ["services/+/web", "audit"])
        #expect(policy.rules.first?.capabilities == [.read, .update])
    }

    @Test(arguments: ["services/*", "=", "a=fly", "/a=read", "a=read,"])
    func wrongPathsAreRefused(_ text: String) {
        var invocation = Invocation()
        invocation.setOperand("NAME", "ops")
        invocation.addOption("--path", text)
        #expect(throws: Failure.self) { try IdentityCommands.policy(invocation) }
    }
}
