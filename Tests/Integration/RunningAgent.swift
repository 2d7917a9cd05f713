import Foundation
import Observability
import Support
import Testing
import Wire

/// An agent's process that has announced its ports, and what it says of itself.
struct RunningAgent: Sendable {
    let child: AgentChild
    let meshPort: UInt16
    let statusPort: UInt16

    /// Waits until the agent listens.
    init(_ child: AgentChild) async throws {
        let listens = await child.waitForListeners()
        try #require(listens, "the agent did not start: \(child.log)")
        self.child = child
        meshPort = try #require(Self.port(child.listeners["mesh"]))
        statusPort = try #require(Self.port(child.listeners["status"]))
    }

    private static func port(_ address: String?) -> UInt16? {
        address?.split(separator: ":").last.flatMap { UInt16($0) }
    }

    /// What `/status` says.
    func status() async throws -> Document {
        try JSON.parse(await page("/status"))
    }

    /// The revision that it enforces; nil for none.
    func revision() async throws -> Int64? {
        try await status()["revision"]?.integer
    }

    /// The sum of a metric over the label sets that hold all of these values; 0 without any.
    func metric(_ metric: MetricDefinition, _ values: String...) async throws -> Int {
        let lines = try await page("/metrics").split(separator: "\n").filter { line in
            line.hasPrefix(metric.name + "{") || line.hasPrefix(metric.name + " ")
        }
        return lines.reduce(0) { sum, line in
            guard values.allSatisfy({ line.contains("\"\($0)\"") }) else { return sum }
            return sum + (line.split(separator: " ").last.flatMap { Int($0) } ?? 0)
        }
    }

    private func page(_ path: String) async throws -> String {
        let port = statusPort
        let answer = await onThread { () -> String? in
            guard let socket = LoopbackSocket.connect(port: port) else { return nil }
            socket.send(
                Array("GET \(path) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".utf8)
            )
            return String(decoding: socket.receiveAll().bytes, as: UTF8.self)
        }
        let text = try #require(answer, "the status port does not answer: \(child.log)")
        let end = try #require(text.range(of: "\r\n\r\n"), "\(text)")
        return String(text[end.upperBound...])
    }

    /// Waits until the status is as wished; gives it, or records what it was in the end.
    @discardableResult
    func wait(
        for what: String,
        within limit: Duration = .seconds(20),
        sourceLocation: SourceLocation = #_sourceLocation,
        _ isReached: (Document) -> Bool
    ) async throws -> Document {
        let deadline = ContinuousClock.now + limit
        while true {
            let document = try await status()
            if isReached(document) { return document }
            guard ContinuousClock.now < deadline else {
                Issue.record(
                    "\(what): \(String(decoding: JSON.canonical(document), as: UTF8.self))",
                    sourceLocation: sourceLocation
                )
                throw WaitedInVain(what: what)
            }
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    /// Waits until it enforces a revision or a later one.
    func wait(
        forRevision revision: Int64,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        try await wait(for: "revision \(revision)", sourceLocation: sourceLocation) {
            ($0["revision"]?.integer ?? 0) >= revision
        }
    }

    /// Resident memory in bytes.
    var residentByteCount: Int {
        let path = "/proc/\(child.processIdentifier)/status"
        let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
        return (line?.split(separator: " ").dropLast().last.flatMap { Int($0) } ?? 0) << 10
    }

    /// Descriptors that it has open; 0 if that cannot be told.
    var descriptorCount: Int {
        let folder = "/proc/\(child.processIdentifier)/fd"
        return (try? FileManager.default.contentsOfDirectory(atPath: folder))?.count ?? 0
    }

    /// What it has spent of the processor.
    var processorTime: Duration {
        let path = "/proc/\(child.processIdentifier)/stat"
        let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
        // The name in parentheses may hold spaces; user and system time are the 14th and 15th.
        let fields = text.split(separator: ")").last?.split(separator: " ") ?? []
        let ticks = fields.dropFirst(11).prefix(2).reduce(0) { $0 + (Int($1) ?? 0) }
        return .milliseconds(ticks * 1_000 / max(1, sysconf(Int32(_SC_CLK_TCK))))
    }

    /// Stops all of its threads and waits until they stand: the signal alone returns before that.
    func freeze() async throws {
        child.signal(SIGSTOP)
        let tasks = "/proc/\(child.processIdentifier)/task"
        let stands = try await eventually {
            let threads = try FileManager.default.contentsOfDirectory(atPath: tasks)
            return threads.allSatisfy { thread in
                let stat = try? String(contentsOfFile: "\(tasks)/\(thread)/stat", encoding: .utf8)
                return stat?.contains(") T ") ?? true
            }
        }
        try #require(stands)
    }

    /// Lets a frozen agent go on.
    func thaw() {
        child.signal(SIGCONT)
    }

    /// Ends it at once and waits until it is gone.
    func killNow() async {
        child.signal(SIGKILL)
        _ = await child.wait()
    }

    /// Asks it to end and waits; gives the exit code.
    func end() async -> Int32 {
        child.signal(SIGTERM)
        return await child.wait()
    }
}

/// Something that a test waits for did not come.
struct WaitedInVain: Error {
    let what: String
}

/// Waits until something holds; false after the limit.
func eventually(
    within limit: Duration = .seconds(20),
    _ condition: () async throws -> Bool
) async throws -> Bool {
    let deadline = ContinuousClock.now + limit
    while try await !condition() {
        guard ContinuousClock.now < deadline else { return false }
        try await Task.sleep(for: .milliseconds(10))
    }
    return true
}
