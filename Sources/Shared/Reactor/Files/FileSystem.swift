import CLinux

/// Short, synchronous file work for the edges of the program: start, configuration, persisted state.
///
/// From any thread. Every call may wait for the disk.
package enum FileSystem {
    /// What a file is.
    package enum Kind: Hashable, Sendable {
        case regular, directory, symbolicLink, other
    }

    /// What the file system says about a file.
    package struct Status: Hashable, Sendable {
        package let kind: Kind
        package let byteCount: Int
        /// Permission bits, at most 0o7777.
        package let mode: UInt32
        package let uid: UInt32
        package let gid: UInt32
        /// The file system that holds it.
        package let device: UInt64
        /// Since 1970-01-01T00:00:00Z.
        package let modifiedNanoseconds: Int64

        init(_ form: clinux_file_status) {
            kind =
                switch form.mode & CLINUX_MODE_TYPE {
                case CLINUX_MODE_REGULAR: .regular
                case CLINUX_MODE_DIRECTORY: .directory
                case CLINUX_MODE_LINK: .symbolicLink
                default: .other
                }
            byteCount = Int(clamping: form.byte_count)
            mode = form.mode & 0o7777
            uid = form.uid
            gid = form.gid
            device = form.device
            modifiedNanoseconds = form.modified_nanoseconds
        }
    }

    /// Bytes of all names together that `list` takes.
    static let listByteCountMax = 4 << 20

    // MARK: Asking

    /// What is at a path, without following a link there; nil when nothing is.
    package static func status(_ path: String) throws(FileError) -> Status? {
        try check(path)
        var form = clinux_file_status()
        let result = unsafe clinux_status_at(path, &form)
        if result == 0 &- ENOENT { return nil }
        try demand(result, .stat, path)
        return Status(form)
    }

    /// Whether a regular file is there that this process may execute; links are followed.
    package static func isExecutable(_ path: String) -> Bool {
        guard !path.isEmpty, !path.utf8.contains(0) else { return false }
        return unsafe clinux_is_executable(path) == 0
    }

    /// The names in a directory, sorted, without `.` and `..`.
    package static func list(_ path: String) throws(FileError) -> [String] {
        try check(path)
        var capacity = 64 << 10
        while true {
            var bytes = [CChar](repeating: 0, count: capacity)
            let count = unsafe bytes.withUnsafeMutableBufferPointer { buffer in
                unsafe clinux_list(path, buffer.baseAddress, buffer.count)
            }
            if count == Int64(0 &- ERANGE), capacity < listByteCountMax {
                capacity *= 4
                continue
            }
            try demand(Int32(clamping: count), .readdir, path)
            return bytes.prefix(Int(count)).split(separator: 0)
                .map { name in
                    String(decoding: name.map { UInt8(bitPattern: $0) }, as: UTF8.self)
                }
                .sorted()
        }
    }

    // MARK: Reading

    /// Reads a whole regular file of at most `byteCountMax` bytes.
    package static func read(
        _ path: String,
        byteCountMax: Int,
        followsLinks: Bool = false
    ) throws(FileError) -> [UInt8] {
        let descriptor = try open(path, followsLinks: followsLinks)
        let status = try regularStatus(descriptor, path)
        return try readAll(descriptor, path, status, byteCountMax)
    }

    /// Reads a secret: as `read`, but only if nobody else than its owner may read or change it.
    ///
    /// The owner must be this process's user or root. The open file is judged, not its name.
    package static func readSecret(
        _ path: String,
        byteCountMax: Int
    ) throws(FileError) -> [UInt8] {
        let descriptor = try open(path, followsLinks: false)
        let status = try regularStatus(descriptor, path)
        try demandPrivate(status, path)
        return try readAll(descriptor, path, status, byteCountMax)
    }

    /// Refuses a file or directory whose group or others have any right, or with a foreign owner.
    package static func demandPrivate(_ path: String) throws(FileError) {
        guard let status = try status(path) else {
            throw FileError(path: path, reason: .notFound)
        }
        if status.kind == .symbolicLink { throw FileError(path: path, reason: .symbolicLink) }
        try demandPrivate(status, path)
    }

    private static func demandPrivate(_ status: Status, _ path: String) throws(FileError) {
        guard status.mode & 0o077 == 0 else {
            throw FileError(path: path, reason: .openToOthers(mode: status.mode & 0o777))
        }
        guard status.uid == 0 || status.uid == clinux_effective_user() else {
            throw FileError(path: path, reason: .foreignOwner(uid: status.uid))
        }
    }

    private static func open(_ path: String, followsLinks: Bool) throws(FileError) -> Descriptor {
        try check(path)
        let result = unsafe clinux_open_read(path, followsLinks ? 1 : 0)
        try demand(result, .open, path)
        return Descriptor(owning: result)
    }

    private static func regularStatus(
        _ descriptor: borrowing Descriptor,
        _ path: String
    ) throws(FileError) -> Status {
        var form = clinux_file_status()
        try demand(unsafe clinux_status(descriptor.number, &form), .stat, path)
        let status = Status(form)
        guard status.kind == .regular else {
            throw FileError(path: path, reason: .notARegularFile)
        }
        return status
    }

    /// Reads until the end: the size is only a hint, since the file may grow or have none (/proc).
    private static func readAll(
        _ descriptor: borrowing Descriptor,
        _ path: String,
        _ status: Status,
        _ byteCountMax: Int
    ) throws(FileError) -> [UInt8] {
        guard status.byteCount <= byteCountMax else {
            throw FileError(path: path, reason: .tooLarge(byteCountMax: byteCountMax))
        }
        var content: [UInt8] = []
        content.reserveCapacity(status.byteCount)
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let result: TransferResult
            do {
                var bytes = chunk.mutableSpan
                result = descriptor.read(into: &bytes)
            }
            switch result {
            case .bytes(let count):
                guard content.count + count <= byteCountMax else {
                    throw FileError(path: path, reason: .tooLarge(byteCountMax: byteCountMax))
                }
                content += chunk[..<count]
            case .endOfFile: return content
            case .wouldBlock: throw FileError(path: path, reason: .notARegularFile)
            case .failed(let error): throw FileError(path: path, error)
            }
        }
    }

    // MARK: Checks

    static func check(_ path: String) throws(FileError) {
        guard !path.isEmpty, !path.utf8.contains(0) else {
            throw FileError(path: path, reason: .invalidPath)
        }
    }

    static func demand(
        _ result: Int32,
        _ call: SystemCall,
        _ path: String
    ) throws(FileError) {
        guard result < 0 else { return }
        throw FileError(path: path, SystemError(errno: 0 &- result, call: call))
    }
}
