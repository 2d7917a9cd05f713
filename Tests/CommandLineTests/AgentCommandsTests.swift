import Testing

@testable import turnpike

@Suite(.timeLimit(.minutes(1))) struct AgentCommandsTests {
    @Test func inviteMakesTheAgentAndPrintsTheTokenAlone() async throws {
        let server = try await ScriptedServer([
            "PUT /v1/agents/host-1": (201, #"{"name":"host-1","state":"invited"}"#),
            "POST /v1/agents/host-1/join-tokens": (
                201, #"{"id":"1","token":"tpj1.abc","expires_at":"2027-01-15T09:00:00Z"}"#
            ),
        ])
        let outcome = await server.run(
            "agent",
            "invite",
            "host-1",
            "--place",
            "web",
            "--ttl",
            "30m",
            "--description",
            "d"
        )
        #expect(outcome.code == .success, "\(outcome)")
        #expect(outcome.output == "tpj1.abc\n")
        #expect(outcome.errors.contains("turnpike-agent join --token-file FILE"))
        #expect(!outcome.errors.contains("tpj1."))
        #expect(
            server.requests.map(\.body) == [
                #"{"description":"d"}"#, #"{"placements":["default/web"],"ttl":"30m"}"#,
            ]
        )
        await server.finish()
    }

    @Test func inviteLeavesAnAgentAsItIs() async throws {
        let server = try await ScriptedServer([
            "POST /v1/agents/host-1/join-tokens": (201, #"{"token":"tpj1.abc"}"#)
        ])
        #expect(await server.run("agent", "invite", "host-1").code == .success)
        #expect(server.requests.map(\.method) == ["POST"])
        await server.finish()
    }

    @Test func listShowsHowFarBehindAgentsAre() async throws {
        let server = try await ScriptedServer([
            "GET /v1/agents": (
                200,
                #"{"items":[{"name":"host-1","state":"enrolled","enforced_revision":40,"lag":2,"#
                    + #""last_seen":"2027-01-15T07:59:55Z","budget_seconds":3000,"#
                    + #""mesh_address":"10.0.0.1:7443","version":"0.1.0"},"#
                    + #"{"name":"host-2","state":"invited"}],"next":null}"#
            )
        ])
        let outcome = await server.run("agent", "list")
        #expect(
            outcome.output == """
                AGENT   STATE     REVISION  LAG  LAST SEEN  OUTAGE BUDGET  MESH ADDRESS   VERSION
                host-1  enrolled  40        2    5s ago     50m            10.0.0.1:7443  0.1.0
                host-2  invited   -         -    -          -              -              -

                """
        )
        await server.finish()
    }

    @Test func commandsAreThose() {
        #expect(AgentCommands.all.map(\.name).contains("agent revoke"))
        #expect(AgentCommands.joinTokens.count == 2)
    }

    @Test(arguments: [
        (["join-token", "list", "host-1"], "GET /v1/agents/host-1/join-tokens"),
        (["join-token", "revoke", "host-1", "t1"], "DELETE /v1/agents/host-1/join-tokens/t1"),
        (["agent", "show", "host-1"], "GET /v1/agents/host-1"),
        (["agent", "revoke", "host-1"], "DELETE /v1/agents/host-1"),
    ])
    func eachCommandAsksOneRoute(_ words: [String], _ line: String) async throws {
        let server = try await ScriptedServer([line: (200, #"{"items":[],"next":null}"#)])
        let outcome = await server.run(words)
        #expect(outcome.code == .success, "\(outcome)")
        #expect(server.requests.map(\.line) == [line])
        await server.finish()
    }
}

extension AgentCommandsTests {
    /// A change that some agents cannot enforce is not called enforced.
    @Test func aRevocationNamesAgentsThatAreTooOld() async throws {
        let server = try await ScriptedServer([
            "DELETE /v1/agents/host-1": (
                200,
                #"{"revision":9,"certificates":2,"cannot_enforce":["old-1"],"enforced":{"#
                    + #""revision":9,"acknowledged":["new-1"],"pending":[],"#
                    + #""cannot_enforce":["old-1"],"complete":false}}"#
            )
        ])
        let outcome = await server.run("agent", "revoke", "host-1", "--wait", "enforced")
        #expect(outcome.code == .waitTimedOut, "\(outcome)")
        #expect(outcome.output == "revoked at revision 9: 2 certificates are denied\n")
        #expect(outcome.errors.contains("too old to be told of revocations"))
        #expect(outcome.errors.contains("revision 9 is not enforced by old-1\n"))
        #expect(!outcome.errors.contains("not enforced yet"))
        await server.finish()
    }
}
