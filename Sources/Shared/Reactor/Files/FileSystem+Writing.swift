import CLinux

extension FileSystem {
    /// Replaces a file at once and for good: readers see the old or the new content, never a part.
    ///
    /// Writes a new file beside it, syncs it, renames it and syncs the directory; when it returns, the
    /// content survives a power cut. When it throws, the old content is untouched. A symbolic link at
    /// the path is replaced, not followed. The mode is narrowed by the process's umask.
    package static func replace(
        _ path: String,
        with content: [UInt8],
        mode: UInt32 = 0o600
    ) throws(FileError) {
        try check(path)
        let temporary = try temporaryName(beside: path)
        do throws(FileError) {
            try writeNew(temporary, content, mode)
            try demand(unsafe clinux_rename(temporary, path), .rename, path)
        } catch {
            _ = unsafe clinux_remove(temporary)
            throw FileError(path: path, reason: error.reason)
        }
        try syncDirectory(parent(of: path))
    }

    /// Writes a file that must not exist yet, durably.
    ///
    /// A failed write leaves nothing behind.
    package static func create(
        _ path: String,
        with content: [UInt8],
        mode: UInt32 = 0o600
    ) throws(FileError) {
        try check(path)
        do throws(FileError) {
            try writeNew(path, content, mode)
        } catch {
            if error.reason != .alreadyExists { _ = unsafe clinux_remove(path) }
            throw error
        }
        try syncDirectory(parent(of: path))
    }

    /// Opens a file to append to, made with the mode if missing; links are not followed.
    package static func openForAppending(
        _ path: String,
        mode: UInt32 = 0o600
    ) throws(FileError) -> Descriptor {
        try check(path)
        let result = unsafe clinux_open_append(path, mode)
        try demand(result, .open, path)
        return Descriptor(owning: result)
    }

    /// Writes all bytes to a file.
    ///
    /// `path` is for the error only.
    package static func writeAll(
        _ content: [UInt8],
        to descriptor: borrowing Descriptor,
        path: String
    ) throws(FileError) {
        var written = 0
        while written < content.count {
            switch descriptor.write(content.span.extracting(written...)) {
            case .bytes(let count) where count > 0: written += count
            case .failed(let error): throw FileError(path: path, error)
            case .bytes, .wouldBlock, .endOfFile:
                throw FileError(path: path, SystemError(errno: EIO, call: .write))
            }
        }
    }

    /// Waits until a file's content is on the disk.
    ///
    /// `path` is for the error only.
    package static func sync(
        _ descriptor: borrowing Descriptor,
        path: String
    ) throws(FileError) {
        try demand(clinux_sync(descriptor.number), .fsync, path)
    }

    /// Cuts an open file to a length, such as after a torn record.
    package static func truncate(
        _ descriptor: borrowing Descriptor,
        to byteCount: Int,
        path: String
    ) throws(FileError) {
        try demand(clinux_truncate(descriptor.number, UInt64(clamping: byteCount)), .write, path)
    }

    // MARK: Directories and names

    /// Makes a directory; one that exists is fine if it is a directory.
    package static func makeDirectory(
        _ path: String,
        mode: UInt32 = 0o700
    ) throws(FileError) {
        try check(path)
        let result = unsafe clinux_make_directory(path, mode)
        if result == 0 &- EEXIST {
            guard try status(path)?.kind == .directory else {
                throw FileError(path: path, reason: .notADirectory)
            }
            return
        }
        try demand(result, .mkdir, path)
    }

    /// Removes a file or link; true if there was one.
    @discardableResult
    package static func remove(_ path: String) throws(FileError) -> Bool {
        try check(path)
        let result = unsafe clinux_remove(path)
        if result == 0 &- ENOENT { return false }
        try demand(result, .unlink, path)
        return true
    }

    /// Removes an empty directory.
    package static func removeDirectory(_ path: String) throws(FileError) {
        try check(path)
        try demand(unsafe clinux_remove_directory(path), .unlink, path)
    }

    /// How deep `removeTree` goes.
    static let treeDepthMax = 64

    /// Removes a directory with everything in it, without following links.
    ///
    /// Only for trees that no other user can write to.
    package static func removeTree(_ path: String) throws(FileError) {
        try removeTree(path, depth: 0)
    }

    private static func removeTree(_ path: String, depth: Int) throws(FileError) {
        guard depth < treeDepthMax else {
            throw FileError(path: path, SystemError(errno: ENAMETOOLONG, call: .unlink))
        }
        for name in try list(path) {
            let inner = "\(path)/\(name)"
            if try status(inner)?.kind == .directory {
                try removeTree(inner, depth: depth + 1)
            } else {
                try remove(inner)
            }
        }
        try removeDirectory(path)
    }

    /// Renames within one file system, replacing what has the new name.
    package static func rename(_ old: String, to new: String) throws(FileError) {
        try check(old)
        try check(new)
        try demand(unsafe clinux_rename(old, new), .rename, old)
    }

    /// Waits until a directory's names are on the disk.
    package static func syncDirectory(_ path: String) throws(FileError) {
        try check(path)
        let result = unsafe clinux_open_directory(path)
        try demand(result, .open, path)
        let directory = Descriptor(owning: result)
        try demand(clinux_sync(directory.number), .fsync, path)
    }

    /// Gives a file to another user; does not follow links.
    package static func changeOwner(
        _ path: String,
        uid: UInt32,
        gid: UInt32
    ) throws(FileError) {
        try check(path)
        try demand(unsafe clinux_change_owner(path, uid, gid), .fchown, path)
    }

    /// The directory that a path's last name is in.
    package static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    private static func temporaryName(beside path: String) throws(FileError) -> String {
        do throws(SystemError) {
            let suffix = String(try Entropy.random(), radix: 36)
            let name = path.split(separator: "/").last ?? ""
            return "\(parent(of: path))/.\(name).\(suffix)"
        } catch {
            throw FileError(path: path, error)
        }
    }

    private static func writeNew(
        _ path: String,
        _ content: [UInt8],
        _ mode: UInt32
    ) throws(FileError) {
        let result = unsafe clinux_open_new(path, mode)
        try demand(result, .open, path)
        let descriptor = Descriptor(owning: result)
        try writeAll(content, to: descriptor, path: path)
        try sync(descriptor, path: path)
    }
}
