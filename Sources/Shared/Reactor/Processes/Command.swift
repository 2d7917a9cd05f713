import CLinux

/// A program to run as a child: what, as whom, with which streams.
package struct Command: Sendable {
    /// Where standard input comes from.
    package enum Input: Hashable, Sendable {
        case null
        /// A pipe whose other end is `ChildProcess.takeInput()`.
        case pipe
        case inherited
    }

    /// Where standard output or standard error goes.
    package enum Output: Hashable, Sendable {
        case null
        /// A pipe whose other end is `ChildProcess.takeOutput()` or `takeError()`.
        case pipe
        case inherited
        /// Appended to a file, made with mode 0600 if missing; links are not followed.
        case file(path: String)
    }

    /// Which process group the child is in.
    package enum Group: Hashable, Sendable {
        case inherited
        /// A group of its own: signals go to it and to its children.
        case own
        /// A session of its own, without a terminal: also a group of its own.
        case session
    }

    /// Whom the child runs as, with exactly these supplementary groups.
    package struct User: Hashable, Sendable {
        package var uid: UInt32
        package var gid: UInt32
        package var groups: [UInt32]

        package init(uid: UInt32, gid: UInt32, groups: [UInt32] = []) {
            self.uid = uid
            self.gid = gid
            self.groups = groups
        }

        /// A user of this host by name, with its groups; nil when there is none.
        package static func named(_ name: String) throws(SystemError) -> User? {
            guard !name.utf8.contains(0) else { return nil }
            var uid: UInt32 = 0
            var gid: UInt32 = 0
            var groups = [UInt32](repeating: 0, count: 1_024)
            var count = Int32(groups.count)
            let result = unsafe groups.withUnsafeMutableBufferPointer { buffer in
                unsafe clinux_find_user(name, &uid, &gid, buffer.baseAddress, &count)
            }
            if result == 0 &- ENOENT { return nil }
            try SystemError.check(result, .getpwnam)
            return User(uid: uid, gid: gid, groups: Array(groups.prefix(Int(count))))
        }
    }

    /// The program's path; PATH is not searched.
    package var program: String
    /// What follows the program's name.
    package var arguments: [String]
    /// The whole environment: nothing is inherited.
    package var environment: [String: String]
    /// Where it starts; nil for where this process is.
    package var directory: String?
    /// Nil for the user of this process.
    package var user: User?
    package var input = Input.null
    package var output = Output.null
    package var error = Output.null
    package var group = Group.own
    /// Sent to the child when the thread that spawned it ends: keep that thread alive.
    package var signalAtParentsEnd: Signal?

    package init(
        _ program: String,
        _ arguments: [String] = [],
        environment: [String: String] = [:],
        directory: String? = nil,
        user: User? = nil
    ) {
        self.program = program
        self.arguments = arguments
        self.environment = environment
        self.directory = directory
        self.user = user
    }
}

/// How a child ended.
package enum ChildStatus: Hashable, Sendable, CustomStringConvertible {
    case exited(code: Int32)
    case killed(signal: Int32)

    package var isSuccess: Bool { self == .exited(code: 0) }

    package var description: String {
        switch self {
        case .exited(let code): "exit code \(code)"
        case .killed(let signal): "killed by signal \(signal)"
        }
    }
}

/// Why a child could not be started.
package struct SpawnError: Error, Hashable, Sendable, CustomStringConvertible {
    /// How far it came.
    package enum Stage: Hashable, Sendable {
        case arguments, streams, fork, session, redirect, identity, directory, execute
    }

    package let program: String
    package let stage: Stage
    package let cause: SystemError

    package var description: String { "\(program): \(stage): \(cause)" }
}
