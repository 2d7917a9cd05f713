import CLinux

/// What went wrong with a file, and with which.
package struct FileError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What was in the way.
    package enum Reason: Hashable, Sendable {
        case notFound
        case alreadyExists
        case permissionDenied
        /// A symbolic link where none is followed.
        case symbolicLink
        case notARegularFile
        case notADirectory
        case tooLarge(byteCountMax: Int)
        /// A secret that others than its owner may read or change; the mode's last nine bits.
        case openToOthers(mode: UInt32)
        /// A secret that belongs neither to this process's user nor to root.
        case foreignOwner(uid: UInt32)
        /// No space or no quota is left.
        case outOfSpace
        /// Another process holds the lock.
        case locked
        /// Empty, or with a zero byte in it.
        case invalidPath
        case system(SystemError)
    }

    package let path: String
    package let reason: Reason

    package init(path: String, reason: Reason) {
        self.path = path
        self.reason = reason
    }

    init(path: String, _ error: SystemError) {
        self.path = path
        reason =
            switch error.errno {
            case ENOENT: .notFound
            case EEXIST: .alreadyExists
            case EACCES, EPERM: .permissionDenied
            case ELOOP: .symbolicLink
            case ENOTDIR: .notADirectory
            case ENOSPC, EDQUOT: .outOfSpace
            default: .system(error)
            }
    }

    /// Whether the process or the host only lacks something now, which says nothing of the file.
    package var isShortage: Bool {
        guard case .system(let error) = reason else { return false }
        return error.isOutOfDescriptors
            || [ENOMEM, ENOBUFS, EAGAIN, EINTR].contains(error.errno)
    }

    package var description: String {
        switch reason {
        case .notFound: "\(path): does not exist"
        case .alreadyExists: "\(path): exists already"
        case .permissionDenied: "\(path): permission denied"
        case .symbolicLink: "\(path): is a symbolic link, which is not followed here"
        case .notARegularFile: "\(path): is not a regular file"
        case .notADirectory: "\(path): is not a directory"
        case .tooLarge(let limit): "\(path): is larger than \(limit) bytes"
        case .openToOthers(let mode):
            "\(path): mode 0\(String(mode, radix: 8)) lets others in; make it 0600"
        case .foreignOwner(let uid):
            "\(path): belongs to uid \(uid); it must belong to this process's user or to root"
        case .outOfSpace: "\(path): no space left"
        case .locked: "\(path): locked by another process"
        case .invalidPath: "a path must not be empty or hold a zero byte"
        case .system(let error): "\(path): \(error)"
        }
    }
}
