import Foundation
import Reactor

/// The lock file of a running server (`postmaster.pid`, or the lock beside its socket).
struct PostmasterFile: Equatable, Sendable {
    let processID: Int32
    let dataDirectory: String

    private static let byteCountMax = 4_096

    init?(text: String) {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.count >= 2, let number = Int32(lines[0]) else { return nil }
        // A server in single-user mode writes its number negated.
        processID = number < 0 ? 0 &- number : number
        guard processID > 1 else { return nil }
        dataDirectory = String(lines[1])
    }

    /// Reads a lock file; nil when there is none or it makes no sense.
    static func read(_ path: String) throws(FileError) -> PostmasterFile? {
        let bytes: [UInt8]
        do throws(FileError) {
            bytes = try FileSystem.read(path, byteCountMax: byteCountMax)
        } catch {
            if error.reason == .notFound { return nil }
            throw error
        }
        return PostmasterFile(text: String(decoding: bytes, as: UTF8.self))
    }

    /// What became of the process that wrote the file.
    enum Holder: Equatable { case server, gone, stranger, unknown }

    /// A server's working directory is its data directory; the number may be another's by now.
    var holder: Holder {
        guard PostmasterFile.isAlive(processID) else { return .gone }
        let link = "/proc/\(processID)/cwd"
        guard
            let directory = try? FileManager.default.destinationOfSymbolicLink(atPath: link)
        else { return PostmasterFile.isAlive(processID) ? .unknown : .gone }
        let own = URL(fileURLWithPath: dataDirectory).resolvingSymlinksInPath().path
        return directory == own ? .server : .stranger
    }

    /// Whether a process of that number exists.
    static func isAlive(_ processID: Int32) -> Bool {
        kill(processID, 0) == 0 || errno == EPERM
    }
}
