import Foundation
import Reactor

/// The directories, owners and modes of the private cluster, and its passwords.
struct ClusterFiles: Sendable {
    let settings: EmbeddedSettings
    /// Who runs the cluster; nil when it is this process's user.
    let runner: Command.User?

    private static let passwordByteCount = 32
    private static let passwordFileByteCountMax = 256

    /// Checks the paths and finds the user; touches nothing.
    init(_ settings: EmbeddedSettings) throws(EmbeddedClusterError) {
        self.settings = settings
        for path in [settings.directory, settings.effectiveSocketDirectory] {
            guard path.hasPrefix("/") else { throw .relativePath(path) }
            // The paths stand in the server's settings, where these have a meaning.
            let isPlain = path.unicodeScalars.allSatisfy {
                $0.value > 32 && $0.value != 127 && !"\\'\",".unicodeScalars.contains($0)
            }
            guard isPlain else { throw .unsuitablePath(path) }
        }
        let byteCount = settings.socketPath.utf8.count
        guard byteCount <= EmbeddedSettings.socketPathByteCountMax else {
            throw .socketPathTooLong(path: settings.socketPath, byteCount: byteCount)
        }
        guard geteuid() == 0 else {
            runner = nil
            return
        }
        guard let user = try? Command.User.named(settings.user), user.uid != 0 else {
            throw .unknownUser(settings.user)
        }
        runner = user
    }

    /// Makes what is missing and refuses what is wrong.
    func prepare() throws(EmbeddedClusterError) {
        do throws(FileError) {
            // The cluster's user has to pass through, but may not look around.
            try makeDirectories(to: settings.directory, mode: runner == nil ? 0o700 : 0o711)
        } catch {
            throw .file(error)
        }
        try checkTraversal(of: settings.directory)
        try prepareOwned(settings.clusterDirectory)
        if let socket = settings.socketDirectory {
            try checkTraversal(of: FileSystem.parent(of: socket))
        }
        try prepareOwned(settings.effectiveSocketDirectory)
        try checkSocket()
    }

    /// The major version that made the data, or nil when there are none yet.
    func dataVersion() throws(EmbeddedClusterError) -> String? {
        do {
            guard let status = try FileSystem.status(settings.dataDirectory) else { return nil }
            try check(settings.dataDirectory, status)
            let file = settings.dataDirectory + "/PG_VERSION"
            guard try FileSystem.status(file) != nil else {
                throw EmbeddedClusterError.notACluster(path: settings.dataDirectory)
            }
            let bytes = try FileSystem.read(file, byteCountMax: 64)
            let text = String(decoding: bytes, as: UTF8.self)
            return text.split(whereSeparator: \.isNewline).first.map(String.init) ?? ""
        } catch let error as FileError {
            throw .file(error)
        } catch let error as EmbeddedClusterError {
            throw error
        } catch {
            throw .notACluster(path: settings.dataDirectory)
        }
    }

    // MARK: Passwords

    /// The password of a role, from its 0600 file; nil when there is no file.
    func password(of role: String) throws(EmbeddedClusterError) -> String? {
        let path = settings.passwordFile(of: role)
        do throws(FileError) {
            guard try FileSystem.status(path) != nil else { return nil }
            let bytes = try FileSystem.readSecret(
                path,
                byteCountMax: ClusterFiles.passwordFileByteCountMax
            )
            return String(decoding: bytes.filter { $0 > 32 }, as: UTF8.self)
        } catch {
            throw .file(error)
        }
    }

    /// Makes a password for a role and keeps it in a 0600 file of this process's user.
    func makePassword(
        of role: String,
        random: (Int) -> [UInt8]
    ) throws(EmbeddedClusterError) -> String {
        let bytes = random(ClusterFiles.passwordByteCount)
        precondition(bytes.count == ClusterFiles.passwordByteCount, "too little randomness")
        let digits = Array("0123456789abcdef".utf8)
        let text = bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
        do throws(FileError) {
            try FileSystem.replace(settings.passwordFile(of: role), with: text)
        } catch {
            throw .file(error)
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Writes the superuser's password where `initdb` reads it; removed when `initdb` has run.
    func writeInitialPassword(_ password: String) throws(EmbeddedClusterError) -> String {
        let path = settings.clusterDirectory + "/initial.password"
        do throws(FileError) {
            try FileSystem.remove(path)
            try FileSystem.create(path, with: Array(password.utf8))
            if let runner { try FileSystem.changeOwner(path, uid: runner.uid, gid: runner.gid) }
        } catch {
            throw .file(error)
        }
        return path
    }

    /// Writes who may log in, for the server that starts next.
    func writeClientAuthentication() throws(EmbeddedClusterError) {
        let path = settings.clientAuthenticationFile
        let rules = ClientAuthentication.rules(for: settings.readerPort)
        do throws(FileError) {
            try FileSystem.replace(path, with: Array(rules.utf8))
            if let runner { try FileSystem.changeOwner(path, uid: runner.uid, gid: runner.gid) }
        } catch {
            throw .file(error)
        }
    }

    // MARK: Rights

    private func makeDirectories(to path: String, mode: UInt32) throws(FileError) {
        if try FileSystem.status(path) != nil { return }
        let parent = FileSystem.parent(of: path)
        if parent != path, parent != "/" { try makeDirectories(to: parent, mode: 0o755) }
        try FileSystem.makeDirectory(path, mode: mode)
    }

    /// Makes a private directory of the cluster's user, or checks that it is one.
    private func prepareOwned(_ path: String) throws(EmbeddedClusterError) {
        do {
            if let status = try FileSystem.status(path) {
                try check(path, status)
            } else {
                try FileSystem.makeDirectory(path, mode: 0o700)
                if let runner { try FileSystem.changeOwner(path, uid: runner.uid, gid: runner.gid) }
            }
        } catch let error as FileError {
            throw .file(error)
        } catch let error as EmbeddedClusterError {
            throw error
        } catch {
            throw .notACluster(path: path)
        }
    }

    private func check(
        _ path: String,
        _ status: FileSystem.Status
    ) throws(EmbeddedClusterError) {
        guard status.kind == .directory else {
            throw .file(FileError(path: path, reason: .notADirectory))
        }
        let expected = runner?.uid ?? geteuid()
        guard status.uid == expected else {
            throw .wrongOwner(path: path, uid: status.uid, expected: expected)
        }
        guard status.mode & 0o077 == 0 else {
            throw .openToOthers(path: path, mode: status.mode & 0o777)
        }
    }

    /// Every directory on the way must let the cluster's user through.
    private func checkTraversal(of path: String) throws(EmbeddedClusterError) {
        guard let runner else { return }
        var directory = "/"
        for name in [""] + path.split(separator: "/").map(String.init) {
            if !name.isEmpty { directory += directory == "/" ? name : "/" + name }
            guard let status = try? FileSystem.status(directory), status.kind != .symbolicLink
            else { continue }
            let bit: UInt32 =
                if status.uid == runner.uid {
                    0o100
                } else if status.gid == runner.gid || runner.groups.contains(status.gid) {
                    0o010
                } else {
                    0o001
                }
            guard status.mode & bit != 0 else {
                throw .untraversable(directory: directory, user: settings.user)
            }
        }
    }

    /// Refuses a socket directory where a server of other data lives.
    private func checkSocket() throws(EmbeddedClusterError) {
        do {
            guard let file = try PostmasterFile.read(settings.socketPath + ".lock") else { return }
            guard file.dataDirectory != settings.dataDirectory, file.holder == .server else {
                return
            }
            throw EmbeddedClusterError.socketBusy(
                path: settings.socketPath,
                processID: file.processID
            )
        } catch let error as FileError {
            throw .file(error)
        } catch let error as EmbeddedClusterError {
            throw error
        } catch {
            throw .notACluster(path: settings.socketPath)
        }
    }
}
