import Foundation
import Reactor
import Wire

/// What became of the embedded database's directory: moved away, or in the middle of an upgrade.
///
/// A directory that is not there must never be taken for a mesh that does not exist yet.
struct EmbeddedState: Sendable {
    let directory: String
    /// Where an upgrade makes the new cluster.
    let newDirectory: String

    private static let roles = ["turnpike_runtime", "turnpike_dashboard"]

    init(_ configuration: ServerConfiguration) {
        directory = configuration.dataDirectory + "/database"
        newDirectory = configuration.dataDirectory + "/database.new"
    }

    private var movedFile: String { directory + "/moved" }
    private var completeFile: String { newDirectory + "/complete" }

    private func exists(_ path: String) throws(StartFailure) -> Bool {
        do throws(FileError) {
            return try FileSystem.status(path) != nil
        } catch {
            throw .work("\(error)")
        }
    }

    /// Refuses to serve or copy what was moved, or what an interrupted upgrade left.
    func checkUsable() throws(StartFailure) {
        try checkNotMoved()
        if try !exists(directory), try exists(completeFile) {
            throw .work(
                "an upgrade of the embedded database was interrupted: run"
                    + " `turnpike-server database upgrade` again"
            )
        }
    }

    /// Refuses what `database move` has copied elsewhere.
    func checkNotMoved() throws(StartFailure) {
        guard try exists(movedFile) else { return }
        let bytes = (try? FileSystem.read(movedFile, byteCountMax: 4_096)) ?? []
        let target = String(decoding: bytes, as: UTF8.self)
            .trimmingCharacters(in: .whitespacesAndNewlines)
        throw .work(
            "the embedded database was moved to \(target): set database.url. Agents follow the new"
                + " one; only if nothing was ever changed there, remove \(movedFile) to go back"
        )
    }

    /// Refuses a directory without a cluster.
    func demandCluster() throws(StartFailure) {
        guard try exists(directory + "/cluster/data/PG_VERSION") else {
            throw .work("\(directory) holds no embedded database")
        }
    }

    /// From now on nobody serves it.
    func markMoved(to target: String) throws(StartFailure) {
        try attempt { () throws(FileError) in
            try FileSystem.replace(movedFile, with: Array((target + "\n").utf8))
        }
    }

    /// Removes what an earlier attempt left.
    func prepareUpgrade() throws(StartFailure) {
        guard try exists(newDirectory) else { return }
        try attempt { () throws(FileError) in try FileSystem.removeTree(newDirectory) }
    }

    /// Puts the new cluster into the place of the old one; gives where the old one is kept.
    func completeUpgrade(from major: Int, now: Timestamp) throws(StartFailure) -> String {
        let kept = "\(directory).\(major)-\(now.secondsSinceEpoch)"
        try attempt { () throws(FileError) in
            // Whoever reads the dashboards keeps their password.
            for role in Self.roles {
                let file = "/\(role).password"
                guard try FileSystem.status(directory + file) != nil else { continue }
                let password = try FileSystem.readSecret(directory + file, byteCountMax: 256)
                try FileSystem.replace(newDirectory + file, with: password)
            }
            try FileSystem.replace(completeFile, with: [])
            try FileSystem.rename(directory, to: kept)
        }
        _ = try finishUpgrade()
        return kept
    }

    /// Completes an upgrade whose new cluster is whole; false if there is none.
    func finishUpgrade() throws(StartFailure) -> Bool {
        guard try !exists(directory), try exists(completeFile) else { return false }
        try attempt { () throws(FileError) in
            try FileSystem.rename(newDirectory, to: directory)
            try FileSystem.syncDirectory(FileSystem.parent(of: directory))
            try FileSystem.remove(directory + "/complete")
        }
        return true
    }

    private func attempt(_ work: () throws(FileError) -> Void) throws(StartFailure) {
        do throws(FileError) {
            try work()
        } catch {
            throw .work("\(error)")
        }
    }
}
