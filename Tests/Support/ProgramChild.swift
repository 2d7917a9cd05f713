package import Foundation

/// The programs of this package, which lie beside the test runner.
package enum TestProgram: String, Sendable {
    case server = "turnpike-server"
    case agent = "turnpike-agent"
    case commandLine = "turnpike"

    /// Where the executable is.
    package var path: String {
        let runner = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        return runner.deletingLastPathComponent().path + "/" + rawValue
    }
}

/// How a program ended and what it said.
package struct ProgramEnd: Sendable {
    /// The exit code, or the signal as a negative number.
    package let code: Int32
    package let output: String
    package let errors: String
}

/// A real program as a child process, with both of its streams in files.
///
/// Killed with the last reference, and by the `Reaper` if the test run itself is killed.
package final class ProgramChild: @unchecked Sendable {
    // `Process` is started once, then only asked for what it is safe to ask from any thread.
    private let process = Process()
    private let files: ScratchDirectory

    /// Starts a program with nothing in its environment but what is given.
    package init(
        _ program: String,
        _ arguments: [String],
        environment: [String: String] = [:],
        input: FileHandle = .nullDevice,
        in directory: String? = nil
    ) throws {
        files = try ScratchDirectory("child")
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        // A sanitizer in the program hears what the run as a whole was told.
        let told = ProcessInfo.processInfo.environment.filter {
            ["ASAN_OPTIONS", "TSAN_OPTIONS"].contains($0.key)
        }
        process.environment = environment.merging(told) { own, _ in own }
        process.standardInput = input
        if let directory { process.currentDirectoryURL = URL(fileURLWithPath: directory) }
        process.standardOutput = try Self.open(files.path + "/output")
        process.standardError = try Self.open(files.path + "/errors")
        try process.run()
        files.note(process.processIdentifier)
    }

    deinit {
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    }

    private static func open(_ path: String) throws -> FileHandle {
        _ = FileManager.default.createFile(atPath: path, contents: nil)
        return try FileHandle(forWritingTo: URL(fileURLWithPath: path))
    }

    package var processIdentifier: Int32 { process.processIdentifier }
    package var isRunning: Bool { process.isRunning }
    /// What it has written to standard output so far.
    package var output: String { text("output") }
    /// What it has written to standard error so far.
    package var errors: String { text("errors") }

    private func text(_ name: String) -> String {
        let data = FileManager.default.contents(atPath: files.path + "/" + name) ?? Data()
        return String(decoding: data, as: UTF8.self)
    }

    /// Sends a signal.
    package func signal(_ number: Int32) {
        if process.isRunning { kill(process.processIdentifier, number) }
    }

    /// Waits until standard output holds a text; false when the program ended first or in vain.
    package func waitForOutput(
        _ text: String,
        within limit: Duration = .seconds(60)
    ) async -> Bool {
        let deadline = ContinuousClock.now + limit
        while !output.contains(text) {
            guard process.isRunning, ContinuousClock.now < deadline else {
                return output.contains(text)
            }
            try? await Task.sleep(for: .milliseconds(10))
        }
        return true
    }

    /// Waits for the end; gives the exit code, or the signal as a negative number.
    package func wait() async -> Int32 {
        let code = await onThread { [self] in
            process.waitUntilExit()
            return process.terminationReason == .exit
                ? process.terminationStatus : -process.terminationStatus
        }
        files.forget(process.processIdentifier)
        return code
    }

    /// Runs a program to its end.
    package static func run(
        _ program: String,
        _ arguments: [String],
        environment: [String: String] = [:],
        input text: String? = nil,
        in directory: String? = nil
    ) async throws -> ProgramEnd {
        let scratch = try ScratchDirectory("input")
        var input = FileHandle.nullDevice
        if let text {
            let file = scratch.path + "/input"
            try text.write(toFile: file, atomically: false, encoding: .utf8)
            input = try FileHandle(forReadingFrom: URL(fileURLWithPath: file))
        }
        let child = try ProgramChild(
            program,
            arguments,
            environment: environment,
            input: input,
            in: directory
        )
        let code = await child.wait()
        return ProgramEnd(code: code, output: child.output, errors: child.errors)
    }
}
