import Foundation
package import Postgres

/// The private PostgreSQL cluster of a test run: started once per process, on first use.
///
/// Listens on a socket in its own directory only. A shell holds it and reads a pipe from this
/// process: when the process ends in whatever way, the pipe does, and the shell stops the
/// cluster and removes its files. Started by root, it runs as the user `postgres`.
package struct TestCluster: Sendable {
    package let socketDirectory: String
    package let binaryDirectory: String

    package static let superuser = "postgres"
    private static let running = OnceTask { try TestCluster.start() }

    /// The cluster of this process, started if need be.
    package static var shared: TestCluster {
        get async throws { try await running.value }
    }

    /// The URL of a database of this cluster; every role is let in without a password.
    package func url(
        database: String = "postgres",
        user: String = TestCluster.superuser,
        password: String? = nil
    ) -> DatabaseURL {
        DatabaseURL(
            socketDirectory: socketDirectory,
            user: user,
            password: password,
            database: database
        )
    }

    private static let script = """
        trap '' INT TERM HUP
        directory=$(mktemp -d /tmp/turnpike-XXXXXX) || exit 1
        trap 'rm -rf "$directory"' EXIT
        echo "$directory"
        "$1"/initdb --pgdata="$directory/data" --username=postgres --auth=trust --no-sync \
            --locale=C.UTF-8 --encoding=UTF8 >"$directory/initdb.log" 2>&1 \
            || { cat "$directory/initdb.log"; exit 1; }
        "$1"/pg_ctl --pgdata="$directory/data" --wait --timeout=120 --silent \
            --log="$directory/log" --options="-c listen_addresses= \
            -c unix_socket_directories=$directory -c fsync=off -c synchronous_commit=off \
            -c full_page_writes=off -c shared_buffers=32MB -c max_connections=600 \
            -c max_wal_size=256MB -c log_min_messages=fatal -c autovacuum=off" start </dev/null \
            || { cat "$directory/log"; exit 1; }
        echo ready
        read -r _
        "$1"/pg_ctl --pgdata="$directory/data" --silent --mode=immediate stop </dev/null
        """

    private static func start() throws -> TestCluster {
        let binaries = try findBinaries()
        let process = Process()
        let shell = ["/bin/sh", "-c", script, "turnpike-test-cluster", binaries]
        if geteuid() == 0 {
            process.executableURL = URL(fileURLWithPath: "/usr/bin/setpriv")
            process.arguments =
                ["--reuid=postgres", "--regid=postgres", "--init-groups", "--"] + shell
        } else {
            process.executableURL = URL(fileURLWithPath: "/bin/sh")
            process.arguments = Array(shell.dropFirst())
        }
        process.currentDirectoryURL = URL(fileURLWithPath: "/")
        let holder = Pipe()
        let output = Pipe()
        process.standardInput = holder
        process.standardOutput = output
        process.standardError = output
        try process.run()
        var lines = LineReader(output.fileHandleForReading)
        guard let directory = lines.next(), directory.hasPrefix("/tmp/turnpike-"),
            lines.next() == "ready"
        else {
            throw TestClusterError(text: "the test cluster did not start: \(lines.rest())")
        }
        // Closing the pipe is what ends the cluster, so nothing ever closes it but our own end.
        LifeLine.keep(holder)
        return TestCluster(socketDirectory: directory, binaryDirectory: binaries)
    }

    private static func findBinaries() throws -> String {
        let root = "/usr/lib/postgresql"
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
        let newest = versions.compactMap(Int.init).max()
        let candidates = [newest.map { "\(root)/\($0)/bin" }, "/usr/local/pgsql/bin", "/usr/bin"]
        for candidate in candidates.compactMap({ $0 })
        where FileManager.default.isExecutableFile(atPath: "\(candidate)/initdb") {
            return candidate
        }
        throw TestClusterError(text: "no initdb found: install the PostgreSQL server")
    }
}

/// Why there is no cluster to test with.
package struct TestClusterError: Error, CustomStringConvertible {
    let text: String

    package var description: String { text }
}

/// Work that is done once, by whoever asks first, on a thread of its own.
final class OnceTask<Value: Sendable>: Sendable {
    private let task: Task<Value, any Error>

    init(_ work: @escaping @Sendable () throws -> Value) {
        task = Task {
            try await withCheckedThrowingContinuation { continuation in
                Thread.detachNewThread {
                    continuation.resume(with: Result { try work() })
                }
            }
        }
    }

    var value: Value {
        get async throws { try await task.value }
    }
}

/// Keeps pipes open until the process ends.
private enum LifeLine {
    private static let lock = NSLock()
    nonisolated(unsafe) private static var pipes: [Pipe] = []

    static func keep(_ pipe: Pipe) {
        lock.withLock { pipes.append(pipe) }
    }
}

/// Lines of a pipe, read as they come.
private struct LineReader {
    private let handle: FileHandle
    private var buffer = Data()

    init(_ handle: FileHandle) { self.handle = handle }

    mutating func next() -> String? {
        while true {
            if let end = buffer.firstIndex(of: 10) {
                let line = String(decoding: buffer[buffer.startIndex..<end], as: UTF8.self)
                buffer = Data(buffer[buffer.index(after: end)...])
                return line
            }
            let more = handle.availableData
            if more.isEmpty { return nil }
            buffer.append(more)
        }
    }

    mutating func rest() -> String {
        buffer.append((try? handle.readToEnd()) ?? Data())
        return String(decoding: buffer, as: UTF8.self)
    }
}
