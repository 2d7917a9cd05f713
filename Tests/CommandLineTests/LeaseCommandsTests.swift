import Foundation
import Support
import Testing

@testable import turnpike

/// Targets, profiles and leases from the command line.
@Suite(.timeLimit(.minutes(1))) struct LeaseCommandsTests {
    private static let id = "database/creds/reader/agequxnmsz3uxpgowmbatguak4"
    private static let issued = """
        {"lease_id":"\(id)","profile":"reader","expires_at":"2027-02-14T08:00:00Z",
         "max_expires_at":"2027-02-14T09:00:00Z","username":"tp_a","password":"very secret",
         "warnings":["1h was asked for; the profile reader allows 10m"]}
        """

    @Test(arguments: [
        (["target", "list"], "GET /v1/targets?limit=1000"),
        (["target", "show", "orders"], "GET /v1/targets/orders"),
        (["target", "delete", "orders"], "DELETE /v1/targets/orders"),
        (
            ["target", "decommission", "orders", "--reason", "burnt"],
            "POST /v1/targets/orders/decommission"
        ),
        (["target", "rotate", "orders"], "POST /v1/targets/orders/rotate"),
        (["profile", "list"], "GET /v1/profiles?limit=1000"),
        (["profile", "show", "reader"], "GET /v1/profiles/reader"),
        (["profile", "delete", "reader"], "DELETE /v1/profiles/reader"),
        (["lease", "list"], "GET /v1/leases?limit=1000"),
        (
            ["lease", "list", "--profile", "reader", "--all"],
            "GET /v1/leases?profile=reader&all=true&limit=1000"
        ),
        (["lease", "show", id], "GET /v1/leases/\(id)"),
        (["lease", "renew", id], "POST /v1/leases/\(id)/renew"),
        (["lease", "revoke", id], "DELETE /v1/leases/\(id)"),
        (["lease", "release"], "POST /v1/leases/release"),
    ])
    func eachCommandAsksOneRoute(_ words: [String], _ line: String) async throws {
        let server = try await ScriptedServer([line: (200, #"{"items":[],"next":null}"#)])
        let outcome = await server.run(words)
        #expect(outcome.code == .success, "\(outcome)")
        #expect(server.requests.map(\.line) == [line])
        await server.finish()
    }

    /// A password is seen by everybody on the machine where it is an argument.
    @Test func passwordComesFromAFileOrStandardInput() async throws {
        let server = try await ScriptedServer([
            "PUT /v1/targets/orders": (201, #"{"name":"orders","version":1}"#)
        ])
        let words = [
            "target", "put", "orders", "--host", "127.0.0.1", "--port", "5433", "--database", "d",
            "--username", "u", "--allowed-profile", "r*", "--password-file",
        ]
        let input = await server.run(words + ["-"], input: "very secret\n")
        #expect(input.code == .success, "\(input)")
        #expect(input.output == "target orders at version 1\n")
        let body = try #require(server.requests.first?.body)
        #expect(
            body == #"{"host":"127.0.0.1","port":5433,"database":"d","username":"u","#
                + #""password":"very secret","allowed_profiles":["r*"]}"#
        )
        let directory = try ScratchDirectory("cli")
        let file = directory.path + "/password"
        try Data("x".utf8).write(to: URL(fileURLWithPath: file))
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: file)
        let open = await server.run(words + [file])
        #expect(open.code == .usage)
        #expect(server.requests.count == 1)
        let empty = await server.run(words + ["-"])
        #expect(empty.code == .usage)
        await server.finish()
    }

    @Test func profileIsPutTogetherFromItsOptions() async throws {
        let server = try await ScriptedServer([
            "PUT /v1/profiles/reader": (
                201, #"{"name":"reader","version":1,"target":"orders"}"#
            )
        ])
        let words = [
            "profile", "put", "reader", "--target", "orders", "--group-role", "g", "--setting",
            "statement_timeout=30s", "--max-ttl", "10m",
        ]
        let outcome = await server.run(words)
        #expect(outcome.output == "profile reader at version 1, tried on orders\n")
        #expect(
            server.requests.map(\.body) == [
                #"{"target":"orders","group_role":"g","settings":{"statement_timeout":"30s"},"#
                    + #""max_ttl":"10m"}"#
            ]
        )
        for wrong in ["x", "statement_timeout=1s"] {
            #expect(await server.run(words + ["--setting", wrong]).code == .usage)
        }
        await server.finish()
    }

    @Test func credentialIsShownOnceOrWrittenForPsql() async throws {
        let server = try await ScriptedServer(["POST /v1/leases": (201, Self.issued)])
        let shown = await server.run("lease", "issue", "reader", "--ttl", "1h")
        #expect(shown.code == .success, "\(shown)")
        #expect(shown.output.contains(#"password: "very secret""#))
        #expect(shown.errors.contains("allows 10m"))
        #expect(!shown.errors.contains("very secret"))
        #expect(server.requests.map(\.body) == [#"{"profile":"reader","ttl":"1h"}"#])
        let directory = try ScratchDirectory("cli")
        let file = directory.path + "/pgpass"
        for json in [[], ["--json"]] {
            let kept = await server.run(["lease", "issue", "reader", "--pgpass", file] + json)
            #expect(kept.code == .success)
            #expect(kept.output.contains("tp_a"))
            #expect(!kept.output.contains("very secret"))
        }
        let text = try String(contentsOfFile: file, encoding: .utf8)
        #expect(text == "*:*:*:tp_a:very secret\n")
        let attributes = try FileManager.default.attributesOfItem(atPath: file)
        #expect(attributes[.posixPermissions] as? Int == 0o600)
        await server.finish()
    }

    @Test func whoWaitedForTheEndHearsWhetherItCame() async throws {
        let path = "DELETE /v1/leases/\(Self.id)?sync=true"
        let server = try await ScriptedServer([
            path: (200, #"{"access_ended_at":"2027-01-15T08:00:00Z"}"#)
        ])
        let ended = await server.run("lease", "revoke", Self.id, "--sync")
        #expect(ended.code == .success)
        #expect(ended.output == "revoked; its access ended at 2027-01-15T08:00:00Z\n")
        await server.finish()
        let slow = try await ScriptedServer([path: (202, #"{"access_ended_at":null}"#)])
        let late = await slow.run("lease", "revoke", Self.id, "--sync")
        #expect(late.code == .waitTimedOut)
        #expect(await slow.run("lease", "revoke", "reader/x").code == .usage)
        await slow.finish()
    }
}
