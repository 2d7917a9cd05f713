import Foundation

/// A directory of one test, removed with the last reference, and the processes that go with it.
///
/// If the test run is killed before, the `Reaper` ends these processes and removes the directory.
package final class ScratchDirectory: Sendable {
    package let path: String

    /// Short, since the path of a socket holds 107 bytes; every user may pass through it.
    package init(_ name: String) throws {
        path = "/tmp/turnpike-\(name)-\(UUID().uuidString.prefix(8).lowercased())"
        try FileManager.default.createDirectory(
            atPath: path,
            withIntermediateDirectories: false,
            attributes: [.posixPermissions: 0o711]
        )
        try Reaper.shared.get().watch(path)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    /// Counts a process in; it is killed with the directory's end if that comes first.
    package func note(_ process: Int32) {
        _ = FileManager.default.createFile(atPath: file(of: process), contents: nil)
    }

    /// Counts a process out, before its number can belong to another.
    package func forget(_ process: Int32) {
        try? FileManager.default.removeItem(atPath: file(of: process))
    }

    private func file(of process: Int32) -> String { "\(path)/process-\(process)" }
}

/// Cleans up after a test run that was killed: a shell that reads a pipe of this process.
///
/// When the process ends in whatever way, the pipe does; then the shell kills what the directories
/// name, their database servers too, and removes them.
private final class Reaper: @unchecked Sendable {
    static let shared = Result { try Reaper() }

    private static let script = """
        trap '' INT TERM HUP
        directories=
        while read -r directory; do directories="$directories $directory"; done
        for directory in $directories; do
            [ -d "$directory" ] || continue
            for file in "$directory"/process-*; do
                [ -e "$file" ] && kill -9 "${file##*-}" 2>/dev/null
            done
            for file in "$directory"/*/database/cluster/data/postmaster.pid; do
                [ -e "$file" ] && kill -QUIT "$(head -n 1 "$file")" 2>/dev/null
            done
            rm -rf "$directory"
        done
        """

    private let process = Process()
    private let pipe = Pipe()
    private let lock = NSLock()

    private init() throws {
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", Self.script]
        process.standardInput = pipe
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
    }

    func watch(_ directory: String) throws {
        try lock.withLock {
            try pipe.fileHandleForWriting.write(contentsOf: Data((directory + "\n").utf8))
        }
    }
}
