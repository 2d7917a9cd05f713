import CLinux

/// The kernel calls that can fail, by the name people know from the manual.
package enum SystemCall: String, Sendable {
    case accept, bind, close, connect, epoll, eventfd, fchown, fcntl, flock, fork, fsync
    case getifaddrs, getpeername, getrandom, getsockname, getsockopt, kill, listen, mkdir, netlink,
        open, pipe
    case prctl, pthread, read, readdir, recv, rename, send, setrlimit, setsockopt, shutdown
    case signalfd, socket, stat, unlink, waitid, write
    case execve, getpwnam, setsid, setuid, chdir, dup
}

/// A failed kernel call: what failed and with which errno.
package struct SystemError: Error, Hashable, Sendable {
    /// The errno, always positive.
    package let errno: Int32
    package let call: SystemCall

    package init(errno: Int32, call: SystemCall) {
        self.errno = errno
        self.call = call
    }
}

extension SystemError {
    /// The errno's symbolic name, such as `ECONNREFUSED`, or its number when it is a rare one.
    package var name: String {
        Self.texts[errno]?.name ?? "errno \(errno)"
    }

    private static let texts: [Int32: (name: String, text: String)] = [
        EACCES: ("EACCES", "permission denied"),
        EADDRINUSE: ("EADDRINUSE", "address already in use"),
        EADDRNOTAVAIL: ("EADDRNOTAVAIL", "this host does not have that address"),
        EAFNOSUPPORT: ("EAFNOSUPPORT", "address family not supported"),
        EAGAIN: ("EAGAIN", "not now"),
        EBADF: ("EBADF", "not an open descriptor"),
        EBADMSG: ("EBADMSG", "unintelligible answer"),
        EBUSY: ("EBUSY", "in use"),
        ECHILD: ("ECHILD", "no such child"),
        ECONNABORTED: ("ECONNABORTED", "connection aborted"),
        ECONNREFUSED: ("ECONNREFUSED", "connection refused"),
        ECONNRESET: ("ECONNRESET", "connection reset by peer"),
        EDQUOT: ("EDQUOT", "disk quota exceeded"),
        EEXIST: ("EEXIST", "exists already"),
        EHOSTUNREACH: ("EHOSTUNREACH", "no route to host"),
        EINPROGRESS: ("EINPROGRESS", "still connecting"),
        EINTR: ("EINTR", "interrupted"),
        EINVAL: ("EINVAL", "invalid argument"),
        EIO: ("EIO", "input or output error"),
        EISDIR: ("EISDIR", "is a directory"),
        ELOOP: ("ELOOP", "a symbolic link where none may be"),
        EMFILE: ("EMFILE", "this process has no descriptor left"),
        ENAMETOOLONG: ("ENAMETOOLONG", "name too long"),
        ENETUNREACH: ("ENETUNREACH", "network unreachable"),
        ENFILE: ("ENFILE", "this host has no descriptor left"),
        ENOBUFS: ("ENOBUFS", "no buffer space"),
        ENOENT: ("ENOENT", "does not exist"),
        ENOMEM: ("ENOMEM", "out of memory"),
        ENOSPC: ("ENOSPC", "no space left on the device"),
        ENOSYS: ("ENOSYS", "this kernel lacks the call"),
        ENOTCONN: ("ENOTCONN", "not connected"),
        ENOTDIR: ("ENOTDIR", "not a directory"),
        ENOTEMPTY: ("ENOTEMPTY", "directory not empty"),
        ENOTSOCK: ("ENOTSOCK", "not a socket"),
        EPERM: ("EPERM", "not permitted"),
        EPIPE: ("EPIPE", "the reader is gone"),
        ERANGE: ("ERANGE", "over the limit"),
        EROFS: ("EROFS", "read-only file system"),
        ESRCH: ("ESRCH", "no such process"),
        ETIMEDOUT: ("ETIMEDOUT", "timed out"),
        ETXTBSY: ("ETXTBSY", "program is being written"),
    ]

    package var isConnectionReset: Bool { errno == ECONNRESET || errno == EPIPE }
    package var isConnectionRefused: Bool { errno == ECONNREFUSED }
    package var isOutOfSpace: Bool { errno == ENOSPC || errno == EDQUOT }
    package var isOutOfDescriptors: Bool { errno == EMFILE || errno == ENFILE }
    package var isNotFound: Bool { errno == ENOENT }
    package var isPermissionDenied: Bool { errno == EACCES || errno == EPERM }
    package var isAddressInUse: Bool { errno == EADDRINUSE }
    package var isTimeout: Bool { errno == ETIMEDOUT }
    var isWouldBlock: Bool { errno == EAGAIN }
}

extension SystemError: CustomStringConvertible {
    package var description: String {
        guard let known = Self.texts[errno] else { return "\(call.rawValue): errno \(errno)" }
        return "\(call.rawValue): \(known.text) (\(known.name))"
    }
}

extension SystemError {
    /// Turns a shim's "negated errno or value" into a value or a throw.
    @discardableResult
    static func check(_ result: Int32, _ call: SystemCall) throws(SystemError) -> Int32 {
        guard result >= 0 else { throw SystemError(errno: 0 &- result, call: call) }
        return result
    }
}
