import Foundation
import Testing

/// Runs the program as it is run in earnest: one case in, one answer out, line by line.
@Suite struct ConformanceTests {
    private func run(_ suite: String, _ input: String) throws -> (answers: [String], status: Int32)
    {
        let process = Process()
        process.executableURL = Bundle.main.bundleURL
            .deletingLastPathComponent()
            .appendingPathComponent("turnpike-conformance")
        if !FileManager.default.isExecutableFile(atPath: process.executableURL?.path ?? "") {
            process.executableURL = URL(fileURLWithPath: CommandLine.arguments[0])
                .deletingLastPathComponent()
                .appendingPathComponent("turnpike-conformance")
        }
        process.arguments = [suite]
        let stdin = Pipe()
        let stdout = Pipe()
        process.standardInput = stdin
        process.standardOutput = stdout
        process.standardError = FileHandle.nullDevice
        try process.run()
        stdin.fileHandleForWriting.write(Data(input.utf8))
        try stdin.fileHandleForWriting.close()
        let output = stdout.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        let text = String(decoding: output, as: UTF8.self)
        return (text.split(separator: "\n").map(String.init), process.terminationStatus)
    }

    private func results(_ suite: String, _ cases: [String]) throws -> [String] {
        let output = try run(suite, cases.joined(separator: "\n") + "\n")
        #expect(output.status == 0)
        return try output.answers.map { answer in
            let object = try JSONSerialization.jsonObject(with: Data(answer.utf8))
            let result = (object as? [String: Any])?["result"]
            if let list = result as? [Bool] { return "\(list)" }
            return result as? String ?? "none"
        }
    }

    private let rules = #"""
        "rules": [{"source": "a", "destination": "b", "permissions": [\#
        {"action": "deny", "http": {"path_prefix": "/admin"}}, \#
        {"action": "allow", "http": {"path_regex": "/v[0-9]+/.*"}}, \#
        {"action": "allow", "http": {"path_exact": "/", "methods": ["GET"]}}]}, \#
        {"source": "*", "destination": "b", "action": "allow"}], "src": "a", "dst": "b"
        """#

    @Test func intentions() throws {
        let answers = try results(
            "intentions",
            [
                #"{"id": "1", "default": "deny", \#(rules)}"#,
                #"{"id": "2", "default": "deny", \#(rules), "check": "l4", "allow_permissions": true}"#,
                #"{"id": "3", "default": "deny", \#(rules), "request": {"method": "GET", "path": "/"}}"#,
                #"{"id": "4", "default": "deny", \#(rules), "request": {"method": "PUT", "path": "/"}}"#,
                #"{"id": "5", "default": "allow", \#(rules), "request": {"method": "PUT", "path": "/"}}"#,
                #"{"id": "6", "default": "allow", \#(rules), "request": {"method": "GET", "path": "/v1/../admin"}}"#,
                #"{"id": "7", "default": "deny", \#(rules), "request": {"method": "GET", "path": "/v12/x"}}"#,
                #"{"id": "8"}"#,
            ]
        )
        #expect(
            answers == ["deny", "allow", "allow", "deny", "allow", "deny", "allow", "deny"]
        )
    }

    @Test func paths() throws {
        let targets = ["/v1/x?y", "/%61dmin", "/v1/%2e%2e/admin", "/v1/..%2fadmin", "/v1/x;y", "*"]
        let answers = try results(
            "paths",
            targets.map { #"{"id": "1", "default": "deny", \#(rules), "raw_target": "\#($0)"}"# }
        )
        #expect(answers == ["allow", "deny", "deny", "reject", "reject", "reject"])
    }

    @Test func intentionValidation() throws {
        let answers = try results(
            "intention-validation",
            [
                #"{"id": "1", "body": {"name": "b", "sources": [{"name": "*", "action": "deny"}]}}"#,
                #"{"id": "2", "body": {"name": "b", "sources": []}}"#,
                #"{"id": "3"}"#,
            ]
        )
        #expect(answers == ["accept", "reject", "reject"])
    }

    @Test func keyRotation() throws {
        let answers = try results(
            "key-rotation",
            [
                #"{"id": "1", "versions": [{"keys": [1], "threshold": 1, "signed_by": [1]}, "#
                    + #"{"keys": [2], "threshold": 1, "signed_by": [2]}, "#
                    + #"{"keys": [2], "threshold": 1, "signed_by": [1, 2]}, {}]}"#
            ]
        )
        #expect(answers == ["[true, false, true, false]"])
    }

    @Test func anUnknownSuiteReadsNothing() throws {
        let output = try run("nonsense", "")
        #expect(output.status == 2)
        #expect(output.answers.isEmpty)
    }

    @Test func whatCannotBeReadEndsNothing() throws {
        let input = "garbage\n{\"id\": 7}\n\n{\"id\": \"x\"}"
        let output = try run("intentions", input)
        #expect(output.status == 0)
        #expect(output.answers.count == 1)
    }
}
