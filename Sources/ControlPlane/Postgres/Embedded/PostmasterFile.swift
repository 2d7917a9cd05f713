import Foundation
import Reactor

/// The lock file of a running server (`postmaster.pid`, or the lock beside its socket).
struct PostmasterFile: Equatable, Sendable {
    let processID: Int32
    let dataDirectory: String
    /// The port of socket and listeners; nil in the lock beside a socket.
    let port: UInt16?
    /// The first address that the server listens on; empty for the socket alone.
    let listenAddress: String

    private static let byteCountMax = 4_096

    init?(text: String) {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.count >= 2, let number = Int32(lines[0]) else { return nil }
        // A server in single-user mode writes its number negated.
        processID = number < 0 ? 0 &- number : number
        guard processID > 1 else { return nil }
        dataDirectory = String(lines[1])
        port = lines.count > 3 ? UInt16(lines[3]) : nil
        listenAddress = lines.count > 5 ? String(lines[5]) : ""
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

    /// Whether the running server listens where the settings want it to.
    func listensAs(_ settings: EmbeddedSettings) -> Bool {
        port == settings.port && listenAddress == settings.listenAddresses
    }

    /// What became of the process that wrote the file.
    enum Holder: Equatable { case server, gone, stranger, unknown }

    /// A server's working directory is its data directory; the number may be another's by now.
    var holder: Holder {
        guard PostmasterFile.exists(processID) else { return .gone }
        // The server itself would take the number of a dead process for that of a living one.
        guard PostmasterFile.isAlive(processID) else { return .stranger }
        let link = "/proc/\(processID)/cwd"
        guard
            let directory = try? FileManager.default.destinationOfSymbolicLink(atPath: link)
        else { return PostmasterFile.isAlive(processID) ? .unknown : .gone }
        let own = URL(fileURLWithPath: dataDirectory).resolvingSymlinksInPath().path
        return directory == own ? .server : .stranger
    }

    /// Whether a process of that number exists and has not ended.
    ///
    /// One that ended but whose parent never asked, as in a container without an init, has a
    /// number still and holds nothing.
    static func isAlive(_ processID: Int32) -> Bool {
        guard exists(processID) else { return false }
        return !isDead(
            stat: try? String(contentsOfFile: "/proc/\(processID)/stat", encoding: .utf8)
        )
    }

    private static func exists(_ processID: Int32) -> Bool {
        kill(processID, 0) == 0 || errno == EPERM
    }

    /// Whether a process still works in a data directory.
    ///
    /// The sessions of a server that was killed live on for a moment, and a second server beside
    /// them would destroy the data.
    static func hasProcesses(in dataDirectory: String) -> Bool {
        let own = URL(fileURLWithPath: dataDirectory).resolvingSymlinksInPath().path
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { Int32($0) }.contains { number in
            let link = "/proc/\(number)/cwd"
            return (try? FileManager.default.destinationOfSymbolicLink(atPath: link)) == own
        }
    }

    /// Whether the state in a process's `stat` line (proc(5)) is that of one that has ended.
    ///
    /// The name before it stands in parentheses and may hold any character.
    static func isDead(stat: String?) -> Bool {
        guard let stat, let end = stat.lastIndex(of: ")") else { return false }
        let state = stat[stat.index(after: end)...].split(separator: " ").first
        return state == "Z" || state == "X"
    }
}
