package import Reactor

/// Why the private cluster cannot be made, started or used.
package enum EmbeddedClusterError: Error, Equatable, Sendable {
    case noBinaries(searched: [String])
    case unsupportedVersion(String, directory: String)
    case versionMismatch(data: String, binaries: String, directory: String)
    case unknownUser(String)
    case untraversable(directory: String, user: String)
    case wrongOwner(path: String, uid: UInt32, expected: UInt32)
    case openToOthers(path: String, mode: UInt32)
    case notACluster(path: String)
    case relativePath(String)
    case unsuitablePath(String)
    case socketPathTooLong(path: String, byteCount: Int)
    case socketBusy(path: String, processID: Int32)
    case inUse(directory: String)
    case passwordMissing(path: String)
    case commandFailed(program: String, reason: String)
    case notReady(reason: String)
    case file(FileError)
    case database(PostgresError)
    case stopped
}

extension EmbeddedClusterError: CustomStringConvertible {
    package var description: String {
        "private database: " + problem
    }

    private var problem: String {
        switch self {
        case .noBinaries(let searched):
            "no PostgreSQL server found in \(searched.joined(separator: ", "));"
                + " install one (Debian: postgresql) or give --database-url"
        case .unsupportedVersion(let version, let directory):
            "\(directory) holds PostgreSQL \(version);"
                + " \(PostgresLimits.serverVersionMin / 10_000) or newer is needed"
        case .versionMismatch(let data, let binaries, let directory):
            "\(directory) was made by PostgreSQL \(data), but the installed server is \(binaries);"
                + " install PostgreSQL \(data) beside it, then run `turnpike-server database upgrade`"
        case .unknownUser(let name):
            "there is no user \(name); PostgreSQL does not run as root, so name another user"
        case .untraversable(let directory, let user):
            "user \(user) may not enter \(directory); run: chmod o+x \(directory)"
        case .wrongOwner(let path, let uid, let expected):
            "\(path) belongs to uid \(uid) and must belong to uid \(expected)"
        case .openToOthers(let path, let mode):
            "\(path) has mode 0\(String(mode, radix: 8)) and must have 0700"
        case .notACluster(let path):
            "\(path) is neither empty nor a PostgreSQL cluster; it was left alone"
        case .relativePath(let path): "\(path) must be an absolute path"
        case .unsuitablePath(let path):
            "\(path) holds a comma, a quote, a backslash, a space or a control character"
        case .socketPathTooLong(let path, let count):
            "the socket path \(path) has \(count) bytes and may have"
                + " \(EmbeddedSettings.socketPathByteCountMax); name a shorter socket directory"
        case .socketBusy(let path, let processID):
            "the socket \(path) is held by process \(processID), another PostgreSQL"
        case .inUse(let directory): "another process uses \(directory)"
        case .passwordMissing(let path):
            "the cluster exists, but its password file \(path) does not; restore it"
        case .commandFailed(let program, let reason): "\(program) failed: \(reason)"
        case .notReady(let reason): "the server did not get ready: \(reason)"
        case .file(let error): error.description
        case .database(let error): error.description
        case .stopped: "it was stopped"
        }
    }
}
