package import Reactor

/// Where a spool keeps its files; each is there as a whole or not at all.
package protocol EvidenceFiles: Sendable {
    /// All names with their sizes, in order of the names.
    func list() throws(FileError) -> [(name: String, byteCount: Int)]
    /// The bytes of a file; nil when there is none.
    func read(_ name: String) throws(FileError) -> [UInt8]?
    /// Writes a file that lasts once this returns.
    func replace(_ name: String, with bytes: [UInt8]) throws(FileError)
    /// Removes a file.
    func remove(_ name: String) throws(FileError)
}

/// The files of a spool in the agent's data directory.
struct EvidenceFolder: EvidenceFiles {
    private let path: String

    init(_ folder: AgentFolder) { path = folder.evidencePath }

    func list() throws(FileError) -> [(name: String, byteCount: Int)] {
        var found: [(name: String, byteCount: Int)] = []
        for name in try FileSystem.list(path) {
            found.append((name, try FileSystem.status("\(path)/\(name)")?.byteCount ?? 0))
        }
        return found
    }

    func read(_ name: String) throws(FileError) -> [UInt8]? {
        try AgentFolder.readIfPresent("\(path)/\(name)")
    }

    func replace(_ name: String, with bytes: [UInt8]) throws(FileError) {
        try FileSystem.replace("\(path)/\(name)", with: bytes)
    }

    func remove(_ name: String) throws(FileError) {
        try FileSystem.remove("\(path)/\(name)")
    }
}
