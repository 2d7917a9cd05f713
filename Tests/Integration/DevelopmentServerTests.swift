import Foundation
import HTTP
import Support
import Testing

struct DevelopmentServerTests {
    private func start(_ more: [String] = []) async throws -> ProgramChild {
        let child = try ProgramChild(
            TestProgram.server.path,
            ["dev"] + more,
            environment: ["PATH": "/usr/bin:/bin"],
            in: "/"
        )
        try #require(await child.waitForOutput("TURNPIKE_CACERT"), "\(child.errors)")
        return child
    }

    /// The directory that it says it works in.
    private func directory(_ child: ProgramChild) throws -> String {
        let line = try #require(child.errors.split(separator: "\n").first)
        return try #require(line.components(separatedBy: "starting in ").last)
    }

    @Test func threeLinesForEvalAndNothingLeftAfterTheEnd() async throws {
        let child = try await start()
        let lines = child.output.split(separator: "\n")
        #expect(lines.count == 3)
        for (line, name) in zip(lines, ["ADDR", "TOKEN", "CACERT"]) {
            #expect(line.hasPrefix("export TURNPIKE_\(name)="))
        }
        let status = try await ProgramChild.run(
            "/bin/sh",
            ["-c", "eval \"$1\"; exec \"$2\" status", "sh", child.output]
                + [TestProgram.commandLine.path]
        )
        #expect(status.code == 0, "\(status.errors)")
        #expect(status.output.contains("turnpike.internal"), "\(status.output)")
        let directory = try directory(child)
        #expect(FileManager.default.fileExists(atPath: directory + "/database"))
        child.signal(SIGTERM)
        #expect(await child.wait() == 0)
        #expect(!FileManager.default.fileExists(atPath: directory))
    }

    @Test func aNamedDirectoryIsKeptAndUsedAgain() async throws {
        let scratch = try ScratchDirectory("dev")
        let data = scratch.path + "/data"
        let first = try await start(["--data", data])
        let made = try await ProgramChild.run(
            "/bin/sh",
            ["-c", "eval \"$1\"; exec \"$2\" service put kept", "sh", first.output]
                + [TestProgram.commandLine.path]
        )
        #expect(made.code == 0, "\(made.errors)")
        first.signal(SIGTERM)
        #expect(await first.wait() == 0)
        #expect(FileManager.default.fileExists(atPath: data + "/database"))
        let second = try await start(["--data", data])
        let shown = try await ProgramChild.run(
            "/bin/sh",
            ["-c", "eval \"$1\"; exec \"$2\" service list", "sh", second.output]
                + [TestProgram.commandLine.path]
        )
        #expect(shown.output.contains("kept"), "\(shown.errors)")
        second.signal(SIGINT)
        #expect(await second.wait() == 0)
    }

    @Test func nothingElseIsTaken() async throws {
        let end = try await ProgramChild.run(TestProgram.server.path, ["dev", "--port", "1"])
        #expect(end.code == 2)
        #expect(end.errors.contains("[--data DIRECTORY]"))
    }
}
