import Foundation
import Testing

@testable import turnpike

@Suite struct ReferenceTests {
    @Test func documentationFollowsTheTable() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let path = root.appendingPathComponent("docs/cli.md")
        let text = try String(contentsOf: path, encoding: .utf8)
        #expect(
            text == Reference.markdown(CommandTable.all),
            "run `turnpike reference > docs/cli.md`"
        )
    }

    @Test func exitCodesAreFixed() {
        #expect(ExitCode.allCases.map(\.rawValue) == [0, 1, 2, 3, 4, 5, 6, 7])
        #expect(ExitCode.waitTimedOut.rawValue == 7)
    }

    @Test(arguments: [
        (["turnpike", "serv"], 1, "service"), (["turnpike", "service", "l"], 2, "list"),
        (["turnpike", "explain", "web", "--js"], 3, "--json"),
        (["turnpike", "token", "create", "--po"], 3, "--policy"),
        (["turnpike", "apply", "--wait", ""], 3, "enforced"),
    ])
    func bashCompletes(_ words: [String], _ place: Int, _ expected: String) throws {
        let quoted = words.map { "'\($0)'" }.joined(separator: " ")
        let script =
            Completion.bash(CommandTable.all)
            + "COMP_WORDS=(\(quoted))\nCOMP_CWORD=\(place)\n_turnpike\necho \"${COMPREPLY[*]}\"\n"
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/bash")
        process.arguments = ["-c", script]
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let output = String(
            decoding: pipe.fileHandleForReading.readDataToEndOfFile(),
            as: UTF8.self
        )
        process.waitUntilExit()
        #expect(output.split(whereSeparator: \.isWhitespace).contains(Substring(expected)))
    }
}
