import CLinux

/// What a process tells its service manager (sd_notify).
package enum ServiceNotification: Hashable, Sendable {
    case ready
    case reloading
    case stopping
    case watchdog
    /// The process that is the service from now on.
    case mainProcess(Int32)
    /// One line for people; line ends become spaces.
    case status(String)

    /// Sends to the address that the service manager gave in NOTIFY_SOCKET (`/path` or `@name`).
    package func send(to address: String) throws(SystemError) {
        guard address.hasPrefix("/") || address.hasPrefix("@"), !address.utf8.contains(0) else {
            throw SystemError(errno: EINVAL, call: .send)
        }
        let bytes = Array(text.utf8)
        let result = unsafe bytes.withUnsafeBytes { buffer in
            unsafe clinux_notify_send(address, buffer.baseAddress, buffer.count)
        }
        try SystemError.check(result, .send)
    }

    var text: String {
        switch self {
        case .ready: "READY=1"
        case .reloading: "RELOADING=1"
        case .stopping: "STOPPING=1"
        case .watchdog: "WATCHDOG=1"
        case .mainProcess(let identity): "MAINPID=\(identity)"
        case .status(let line):
            "STATUS=" + String(line.map { $0.isNewline ? " " : $0 })
        }
    }
}
