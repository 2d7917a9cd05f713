package import Reactor
import Snapshot

/// The data directory of an agent: which file is where, and how each is written.
///
/// Every write is durable before it returns, replaces the file as a whole, and never follows a
/// link. Whatever is read back is judged by those who read it: nothing is trusted because it lies
/// on our disk.
package struct AgentFolder: Sendable {
    /// The most bytes of any file that is not a section.
    package static let fileBytesMax = 4 << 20

    /// Where it is, without a slash at the end.
    package let path: String

    /// Uses a directory that `prepare` may still have to make.
    package init(_ path: String) {
        self.path = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
    }

    /// The agent's private key, where it is kept apart from the certificate.
    package var keyPath: String { "\(path)/\(AgentFiles.key)" }
    /// The key of an enrolment that is under way.
    package var newKeyPath: String { "\(path)/\(AgentFiles.key).new" }
    /// The agent's certificate chain with its key.
    package var certificatePath: String { "\(path)/\(AgentFiles.certificate)" }
    /// Who the agent is and which servers it knows.
    package var enrolmentPath: String { "\(path)/\(AgentFiles.enrolment)" }
    /// The trust document's envelope.
    package var trustPath: String { "\(path)/\(SnapshotFiles.trustName)" }
    /// Manifest, mark and sections.
    package var snapshotPath: String { "\(path)/\(AgentFiles.snapshot)" }
    /// Certificates and keys of services.
    package var leavesPath: String { "\(path)/\(AgentFiles.leaves)" }
    /// Decisions and flows that no server has acknowledged.
    package var evidencePath: String { "\(path)/\(AgentFiles.evidence)" }
    /// Held by the one process that runs with this directory.
    package var lockPath: String { "\(path)/agent.lock" }

    /// Where a newer process asks for the place of the one that runs.
    package var handoverPath: String { "\(path)/handover.sock" }

    private var directories: [String] { [path, snapshotPath, leavesPath, evidencePath] }

    /// Makes the directories with mode 0700 and refuses one that lets others in.
    ///
    /// Another process may be writing there.
    package func makeDirectories() throws(FileError) {
        for directory in directories {
            try FileSystem.makeDirectory(directory)
            try FileSystem.demandPrivate(directory)
        }
    }

    /// Makes the directories and removes what a process left unfinished; none may run with them.
    package func prepare() throws(FileError) {
        try makeDirectories()
        for directory in directories { try removeTemporaries(in: directory) }
    }

    /// Removes what a write that was cut off left behind.
    private func removeTemporaries(in directory: String) throws(FileError) {
        for name in try FileSystem.list(directory)
        where name.hasPrefix(".") && name.utf8.count > 2 {
            guard try FileSystem.status("\(directory)/\(name)")?.kind == .regular else { continue }
            try FileSystem.remove("\(directory)/\(name)")
        }
    }

    /// The content of a file, nil if there is none.
    package static func readIfPresent(
        _ path: String,
        byteCountMax: Int = fileBytesMax
    ) throws(FileError) -> [UInt8]? {
        do throws(FileError) {
            return try FileSystem.read(path, byteCountMax: byteCountMax)
        } catch {
            if error.reason == .notFound { return nil }
            throw error
        }
    }
}
