import CLinux

/// The exclusive right to something, held as a lock on a file until it goes away.
///
/// The kernel drops the lock with the process, however it ends. The file stays.
package struct FileLock: ~Copyable, Sendable {
    private let descriptor: Descriptor

    /// Takes the lock or throws `.locked` at once; the file is made with mode 0600 if missing.
    package init(_ path: String) throws(FileError) {
        let taken = try Self.take(path)
        descriptor = Descriptor(owning: taken)
    }

    /// Takes over a lock that another process holds: the last of its owners gives it back.
    package init(adopting descriptor: consuming Descriptor) {
        self.descriptor = descriptor
    }

    /// A second owner of the lock, for another process.
    package borrowing func duplicate() throws(SystemError) -> Descriptor {
        try descriptor.duplicate()
    }

    private static func take(_ path: String) throws(FileError) -> Int32 {
        try FileSystem.check(path)
        let result = unsafe clinux_open_lock(path)
        try FileSystem.demand(result, .open, path)
        let locked = clinux_lock_exclusive(result)
        guard locked < 0 else { return result }
        clinux_close(result)
        if locked == 0 &- EAGAIN { throw FileError(path: path, reason: .locked) }
        throw FileError(path: path, SystemError(errno: 0 &- locked, call: .flock))
    }
}
