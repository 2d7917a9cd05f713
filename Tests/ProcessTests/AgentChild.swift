import Foundation
import Support

/// The real agent as a child process.
final class AgentChild: @unchecked Sendable {
    // Everything here is used by one test's task only.
    private let process = Process()
    private let output = Pipe()
    private let errors = Pipe()
    private(set) var listeners: [String: String] = [:]

    /// The executable beside the test runner.
    static let executable: String = {
        let runner = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        return runner.deletingLastPathComponent().path + "/turnpike-agent"
    }()

    /// Starts `run` with every listener on a free loopback port.
    init(directory: String, _ more: [String] = []) throws {
        process.executableURL = URL(fileURLWithPath: Self.executable)
        process.arguments =
            [
                "run", "--data-directory", directory, "--print-listeners",
                "--mesh-listen", "127.0.0.1:0", "--status-listen", "127.0.0.1:0",
                "--limits-reactors", "1", "--limits-drain", "1s",
            ] + more
        process.environment = [:]
        process.standardOutput = output
        process.standardError = errors
        try process.run()
    }

    var processIdentifier: Int32 { process.processIdentifier }

    /// Reads standard output until both listeners are announced.
    func waitForListeners() async -> Bool {
        let handle = output.fileHandleForReading
        let text = await onThread {
            var text = ""
            while !text.contains("listening status"), let line = Self.readLine(handle) {
                text += line + "\n"
            }
            return text
        }
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count == 3, words[0] == "listening" {
                listeners[String(words[1])] = String(words[2])
            }
        }
        return listeners["status"] != nil
    }

    private static func readLine(_ handle: FileHandle) -> String? {
        var bytes: [UInt8] = []
        while true {
            guard let byte = handle.readData(ofLength: 1).first else { return nil }
            if byte == 0x0A { return String(decoding: bytes, as: UTF8.self) }
            bytes.append(byte)
        }
    }

    func signal(_ number: Int32) {
        kill(process.processIdentifier, number)
    }

    /// Waits for the end; gives the exit code, or the signal as a negative number.
    func wait() async -> Int32 {
        let process = process
        return await onThread {
            process.waitUntilExit()
            return process.terminationReason == .exit
                ? process.terminationStatus : -process.terminationStatus
        }
    }

    /// Everything on standard error until the end.
    func complaints() async -> String {
        let handle = errors.fileHandleForReading
        return await onThread {
            String(decoding: handle.readDataToEndOfFile(), as: UTF8.self)
        }
    }

    /// Runs a command to its end.
    static func run(_ arguments: [String]) async throws -> (
        code: Int32, output: String, errors: String
    ) {
        let process = Process()
        let output = Pipe()
        let errors = Pipe()
        process.executableURL = URL(fileURLWithPath: executable)
        process.arguments = arguments
        process.environment = [:]
        process.standardOutput = output
        process.standardError = errors
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let (out, err) = (output.fileHandleForReading, errors.fileHandleForReading)
        let texts = await onThread {
            let first = String(decoding: out.readDataToEndOfFile(), as: UTF8.self)
            return (first, String(decoding: err.readDataToEndOfFile(), as: UTF8.self))
        }
        let ended = process
        return await onThread {
            ended.waitUntilExit()
            return (ended.terminationStatus, texts.0, texts.1)
        }
    }
}
