import Foundation
import Support
import Testing

@testable import turnpike

@Suite(.timeLimit(.minutes(1))) struct AuthorityImportCommandsTests {
    /// A file in a directory of its own.
    private func file(_ text: String, mode: Int = 0o600) throws -> String {
        let path = NSTemporaryDirectory() + "turnpike-import-\(UUID().uuidString).pem"
        let made = FileManager.default.createFile(
            atPath: path,
            contents: Data(text.utf8),
            attributes: [.posixPermissions: mode]
        )
        try #require(made)
        return path
    }

    @Test func theRequestIsAllThatIsPrinted() async throws {
        let server = try await ScriptedServer([
            "POST /v1/ca/csr": (
                200,
                #"{"csr":"-----BEGIN","key_sha256":"ab","created_at":"2027-01-15T08:00:00Z","#
                    + #""new":false}"#
            )
        ])
        let outcome = await server.run("ca", "csr", "--new")
        #expect(outcome.code == .success, "\(outcome)")
        #expect(outcome.output == "-----BEGIN")
        #expect(outcome.errors.contains("made at 2027-01-15T08:00:00Z"))
        #expect(server.requests.map(\.body) == [#"{"new":true}"#])
        await server.finish()
    }

    @Test func anImportSendsTheFilesAndPrintsTheProposal() async throws {
        let server = try await ScriptedServer([
            "GET /v1/ca/trust": (200, #"{"envelope":"Y3VycmVudA=="}"#),
            "POST /v1/ca/import": (
                200,
                #"{"summary":"imported","proposal":"bmV4dA==","differences":["root x: added"],"#
                    + #""warnings":["loose"]}"#
            ),
        ])
        let outcome = await server.run(
            "ca",
            "import",
            "--certificate",
            try file("C", mode: 0o644),
            "--chain",
            try file("R"),
            "--key",
            try file("K")
        )
        #expect(outcome.code == .success, "\(outcome)")
        #expect(outcome.output.contains(#""current": "Y3VycmVudA==""#), "\(outcome.output)")
        #expect(outcome.output.contains(#""next": "bmV4dA==""#))
        #expect(outcome.errors.contains("imported\n  root x: added\nturnpike: warning: loose\n"))
        #expect(
            server.requests.last?.body == #"{"certificate":"C","chain":"R","private_key":"K"}"#
        )
        await server.finish()
    }

    @Test func aKeyComesFromStandardInputToo() async throws {
        let server = try await ScriptedServer([
            "GET /v1/ca/trust": (200, "{}"), "POST /v1/ca/import": (200, #"{"summary":"done"}"#),
        ])
        let outcome = await server.run(
            "ca",
            "import",
            "--certificate",
            try file("C"),
            "--key",
            "-",
            input: "K"
        )
        #expect(outcome.code == .success, "\(outcome)")
        #expect(outcome.output.isEmpty)
        #expect(server.requests.last?.body == #"{"certificate":"C","private_key":"K"}"#)
        await server.finish()
    }

    @Test func aKeyThatOthersMayReadIsNotSent() async throws {
        let server = try await ScriptedServer()
        let open = await server.run(
            "ca",
            "import",
            "--certificate",
            try file("C"),
            "--key",
            try file("K", mode: 0o640)
        )
        #expect(open.code == .usage)
        #expect(open.errors.contains("--key") && open.errors.contains("chmod 600"), "\(open)")
        let missing = await server.run("ca", "import", "--certificate", "/nowhere/c.pem")
        #expect(missing.code == .usage)
        let nothing = await server.run("ca", "import")
        #expect(nothing.code == .usage)
        #expect(server.requests.isEmpty)
        await server.finish()
    }

    @Test func theShorterCommandIsStillThere() async throws {
        let server = try await ScriptedServer([
            "GET /v1/ca": (200, #"{"trust_domain":"example.org","root_key":"outside"}"#)
        ])
        let outcome = await server.run("ca")
        #expect(outcome.code == .success, "\(outcome)")
        #expect(outcome.output.contains("the key of the root is outside"))
        #expect(AuthorityImportCommands.all.map(\.name) == ["ca csr", "ca import"])
        await server.finish()
    }
}
