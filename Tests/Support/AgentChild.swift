import Foundation

/// The real agent as a child process.
package final class AgentChild: @unchecked Sendable {
    // The listeners are read once, by the task of the test that waits for them.
    private let child: ProgramChild
    /// What must not go before the agent does.
    private let owner: AnyObject?
    package private(set) var listeners: [String: String] = [:]

    /// The executable beside the test runner.
    package static var executable: String { TestProgram.agent.path }

    /// Starts `run` with every listener on a free loopback port, unless `more` says otherwise.
    ///
    /// `launcher` is a program with its arguments that becomes the agent in the end.
    package init(
        directory: String,
        _ more: [String] = [],
        environment: [String: String] = [:],
        launcher: [String] = [],
        keeping owner: AnyObject? = nil
    ) throws {
        self.owner = owner
        var arguments = ["run", "--data-directory", directory, "--print-listeners"] + more
        let usual = [
            ("--mesh-listen", "127.0.0.1:0"), ("--status-listen", "127.0.0.1:0"),
            ("--limits-reactors", "1"), ("--limits-drain", "1s"),
        ]
        for (flag, value) in usual where !more.contains(flag) { arguments += [flag, value] }
        let command = launcher + [Self.executable]
        child = try ProgramChild(
            command[0],
            command.dropFirst() + arguments,
            environment: environment
        )
    }

    package var processIdentifier: Int32 { child.processIdentifier }
    package var isRunning: Bool { child.isRunning }
    /// What it has logged so far.
    package var log: String { child.errors }

    /// Waits until both listeners are announced.
    package func waitForListeners() async -> Bool {
        guard await child.waitForOutput("listening status") else { return false }
        for line in child.output.split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count == 3, words[0] == "listening" {
                listeners[String(words[1])] = String(words[2])
            }
        }
        return listeners["status"] != nil
    }

    /// Sends a signal.
    package func signal(_ number: Int32) { child.signal(number) }

    /// Waits for the end; gives the exit code, or the signal as a negative number.
    package func wait() async -> Int32 { await child.wait() }

    /// Everything on standard error until the end.
    package func complaints() async -> String {
        _ = await child.wait()
        return child.errors
    }

    /// Runs a command to its end.
    package static func run(
        _ arguments: [String],
        input: String? = nil
    ) async throws -> ProgramEnd {
        try await ProgramChild.run(executable, arguments, input: input)
    }
}
