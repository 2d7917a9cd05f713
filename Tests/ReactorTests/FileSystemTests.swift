import Testing

@testable import Reactor

/// A directory that goes away with its owner.
private final class ScratchDirectory {
    let path: String

    init() throws {
        path = "/tmp/turnpike-files-\(String(try Entropy.random(), radix: 36))"
        try FileSystem.makeDirectory(path)
    }

    deinit {
        try? FileSystem.removeTree(path)
    }
}

struct FileSystemTests {
    private let directory: ScratchDirectory

    init() throws {
        directory = try ScratchDirectory()
    }

    private func path(_ name: String) -> String { "\(directory.path)/\(name)" }

    private func reason(_ body: () throws(FileError) -> Void) -> FileError.Reason? {
        do throws(FileError) {
            try body()
            return nil
        } catch {
            return error.reason
        }
    }

    @Test func replacedFileIsPrivateAndLeavesNoOther() throws {
        let file = path("state")
        try FileSystem.replace(file, with: [1, 2, 3])
        try FileSystem.replace(file, with: [4])
        #expect(try FileSystem.read(file, byteCountMax: 10) == [4])
        #expect(try FileSystem.status(file)?.mode == 0o600)
        #expect(try FileSystem.list(directory.path) == ["state"])
        #expect(try FileSystem.status(directory.path)?.mode == 0o700)
    }

    @Test func createdFileMustBeNew() throws {
        let file = path("new")
        try FileSystem.create(file, with: [1])
        #expect(
            reason { () throws(FileError) in try FileSystem.create(file, with: [2]) }
                == .alreadyExists
        )
        #expect(try FileSystem.read(file, byteCountMax: 1) == [1])
    }

    @Test func readRefusesWhatIsTooLargeOrNoFile() async throws {
        let file = path("large")
        try FileSystem.replace(file, with: [UInt8](repeating: 0, count: 100))
        let directory = directory.path
        let link = path("link")
        let outcome = try await Self.shell("ln -s \(file) \(link); mkfifo \(path("fifo"))")
        #expect(outcome.status.isSuccess)
        let fifo = path("fifo")
        let cases: [(String, FileError.Reason)] = [
            (file, .tooLarge(byteCountMax: 99)), (directory, .notARegularFile),
            (link, .symbolicLink), (fifo, .notARegularFile), (path("absent"), .notFound),
            ("", .invalidPath), ("a\0b", .invalidPath),
        ]
        for (path, expected) in cases {
            let found = reason { () throws(FileError) in
                _ = try FileSystem.read(path, byteCountMax: 99)
            }
            #expect(found == expected, "\(path)")
        }
        #expect(try FileSystem.read(link, byteCountMax: 100, followsLinks: true).count == 100)
        // Files without a size are read to their end all the same.
        #expect(try !FileSystem.read("/proc/self/status", byteCountMax: 100_000).isEmpty)
    }

    @Test(arguments: [0o640, 0o604, 0o620, 0o601] as [UInt32])
    func secretThatOthersMayTouchIsRefused(_ mode: UInt32) async throws {
        let file = path("secret")
        try FileSystem.replace(file, with: [7])
        #expect(try FileSystem.readSecret(file, byteCountMax: 1) == [7])
        let text = String(mode, radix: 8)
        #expect(try await Self.shell("chmod \(text) \(file)").status.isSuccess)
        let found = reason { () throws(FileError) in
            _ = try FileSystem.readSecret(file, byteCountMax: 1)
        }
        #expect(found == .openToOthers(mode: mode))
        #expect(reason { () throws(FileError) in try FileSystem.demandPrivate(file) } == found)
    }

    @Test(.enabled(if: ProcessLimits.effectiveUser == 0, "needs root to give a file away"))
    func secretOfAStrangerIsRefused() throws {
        let file = path("foreign")
        try FileSystem.replace(file, with: [7])
        try FileSystem.changeOwner(file, uid: 54_321, gid: 54_321)
        let found = reason { () throws(FileError) in
            _ = try FileSystem.readSecret(file, byteCountMax: 1)
        }
        #expect(found == .foreignOwner(uid: 54_321))
    }

    @Test func lockIsExclusiveUntilItGoesAway() async throws {
        let file = path("lock")
        do {
            let held = try FileLock(file)
            let second = reason { () throws(FileError) in _ = try FileLock(file) }
            #expect(second == .locked)
            withExtendedLifetime(held) {}
        }
        // A child that another test is just starting holds a copy of every descriptor until it runs
        // its program, and with it the lock: given back is when the last copy is closed.
        var again = reason { () throws(FileError) in _ = try FileLock(file) }
        for _ in 0..<500 where again == .locked {
            try await Task.sleep(for: .milliseconds(10))
            again = reason { () throws(FileError) in _ = try FileLock(file) }
        }
        #expect(again == nil)
    }

    @Test func appendedRecordsSurviveATruncation() throws {
        let file = path("spool")
        let spool = try FileSystem.openForAppending(file)
        try FileSystem.writeAll([1, 2, 3], to: spool, path: file)
        try FileSystem.truncate(spool, to: 2, path: file)
        try FileSystem.writeAll([9], to: spool, path: file)
        try FileSystem.sync(spool, path: file)
        #expect(try FileSystem.read(file, byteCountMax: 10) == [1, 2, 9])
    }

    @Test func directoriesAreMadeListedAndRemoved() throws {
        let inner = path("a")
        try FileSystem.makeDirectory(inner)
        try FileSystem.makeDirectory(inner)
        try FileSystem.create("\(inner)/x", with: [])
        #expect(
            reason { () throws(FileError) in
                try FileSystem.makeDirectory("\(inner)/x")
            } == .notADirectory
        )
        try FileSystem.rename("\(inner)/x", to: "\(inner)/y")
        #expect(try FileSystem.list(inner) == ["y"])
        #expect(try FileSystem.remove("\(inner)/y"))
        #expect(try !FileSystem.remove("\(inner)/y"))
        try FileSystem.removeTree(inner)
        #expect(try FileSystem.status(inner) == nil)
        #expect(FileSystem.isExecutable("/bin/sh"))
        #expect(!FileSystem.isExecutable("/etc/passwd"))
        #expect(!FileSystem.isExecutable("/bin"))
    }

    /// A full disk must be told as such and must leave the old content alone.
    @Test(.enabled(if: ProcessLimits.effectiveUser == 0, "needs root to mount"))
    func fullDiskIsReportedAndKeepsTheOldContent() async throws {
        let thread = try ReactorThread(name: "disk")
        defer { thread.stop() }
        let reactor = thread.reactor
        let mount = path("small")
        try FileSystem.makeDirectory(mount)
        let script = "mount -t tmpfs -o size=1m none \(mount) && echo mounted && exec sleep 600"
        var command = Command(
            "/usr/bin/unshare",
            ["-m", "/bin/sh", "-c", script],
            environment: ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin"]
        )
        command.output = .pipe
        let child = try await ChildProcess.start(command, on: reactor)
        let output = Descriptor(
            owning: await reactor.perform { _ in child.takeOutput().relinquish() }
        )
        var line = [UInt8](repeating: 0, count: 64)
        var count = 0
        for _ in 0..<2_000 where count == 0 {
            var span = line.mutableSpan
            switch output.read(into: &span) {
            case .bytes(let read): count = read
            case .wouldBlock: try await reactor.sleep(for: .milliseconds(5))
            case .endOfFile: count = -1
            case .failed: count = -1
            }
        }
        guard count > 0 else {
            withKnownIssue("this host does not let root mount a tmpfs in a namespace of its own") {
                Issue.record("unshare or mount was refused")
            }
            return
        }
        // The child's view of the file system, through /proc.
        let file = "/proc/\(child.identity)/root\(mount)/state"
        try FileSystem.replace(file, with: [1, 2, 3])
        let large = [UInt8](repeating: 9, count: 2 << 20)
        let replaced = reason { () throws(FileError) in
            try FileSystem.replace(file, with: large)
        }
        #expect(replaced == .outOfSpace)
        let created = reason { () throws(FileError) in
            try FileSystem.create(file + "2", with: large)
        }
        #expect(created == .outOfSpace)
        #expect(try FileSystem.read(file, byteCountMax: 10) == [1, 2, 3])
        #expect(try FileSystem.list(FileSystem.parent(of: file)) == ["state"])
        _ = await child.stop(.kill, grace: .seconds(10))
    }

    private static func shell(_ script: String) async throws -> CommandOutcome {
        let thread = try ReactorThread(name: "shell")
        defer { thread.stop() }
        return try await Command(
            "/bin/sh",
            ["-c", script],
            environment: ["PATH": "/usr/bin:/bin"]
        ).run(on: thread.reactor, deadline: .seconds(60))
    }
}
