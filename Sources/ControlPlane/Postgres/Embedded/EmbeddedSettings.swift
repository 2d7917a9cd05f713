/// Where the private cluster lives and how it is run.
package struct EmbeddedSettings: Equatable, Sendable {
    /// Holds the cluster, its socket and its passwords; made if missing.
    package var directory: String
    /// The directory of `postgres` and `initdb`; nil looks for it.
    package var binaryDirectory: String?
    /// The directories of PATH, as the executable read them.
    package var executablePath: [String] = []
    /// Who runs the cluster when this process is root.
    package var user = "postgres"
    /// A directory for the socket alone; nil takes one inside of `directory`.
    package var socketDirectory: String?
    /// A loopback port for readers; nil listens on the socket alone.
    package var readerPort: ReaderPort?
    package var connectionsMax = 100
    package var sharedBuffersMegabytes = 64
    /// How long a start may take; crash recovery counts in.
    package var startTimeout: Duration = .seconds(120)
    package var smartStopTimeout: Duration = .seconds(2)
    package var fastStopTimeout: Duration = .seconds(20)
    package var immediateStopTimeout: Duration = .seconds(10)
    package var restartPauseMin: Duration = .milliseconds(200)
    package var restartPauseMax: Duration = .seconds(30)

    package init(directory: String) {
        self.directory = directory
    }

    /// Where the cluster's own files are: belongs to the user that runs it.
    var clusterDirectory: String { directory + "/cluster" }
    var dataDirectory: String { clusterDirectory + "/data" }
    /// A cluster in the making, renamed when complete.
    var unfinishedDirectory: String { clusterDirectory + "/data.unfinished" }
    var effectiveSocketDirectory: String { socketDirectory ?? clusterDirectory + "/socket" }
    /// Names the socket too.
    package var port: UInt16 { readerPort?.port ?? DatabaseURL.defaultPort }
    var socketPath: String { effectiveSocketDirectory + "/.s.PGSQL.\(port)" }
    /// What the server listens on beside its socket; empty for nothing.
    var listenAddresses: String { readerPort.map { "\($0.host)" } ?? "" }
    var clientAuthenticationFile: String { clusterDirectory + "/pg_hba.conf" }
    /// What the server says before its own log begins.
    var startLog: String { directory + "/start.log" }

    func passwordFile(of role: String) -> String { directory + "/" + role + ".password" }

    static let superuser = "postgres"
    /// What `sockaddr_un` holds, less the final zero.
    package static let socketPathByteCountMax = 107

    /// The command line of the server: these settings cannot be changed by SQL.
    var serverArguments: [String] {
        let settings = [
            "listen_addresses=\(listenAddresses)",
            "port=\(port)",
            "hba_file=\(clientAuthenticationFile)",
            "unix_socket_directories=\(effectiveSocketDirectory)",
            "unix_socket_permissions=0700",
            "max_connections=\(connectionsMax)",
            "shared_buffers=\(sharedBuffersMegabytes)MB",
            // Parallel queries take their memory from /dev/shm, which may be as small as 64 MiB.
            "max_parallel_workers_per_gather=0",
            "max_parallel_maintenance_workers=0",
            "jit=off",
            "fsync=on",
            "full_page_writes=on",
            "synchronous_commit=on",
            "max_wal_size=512MB",
            "password_encryption=scram-sha-256",
            "timezone=UTC",
            "log_timezone=UTC",
            // Statements carry no values, but parameters and the details of errors do.
            "log_parameter_max_length=0",
            "log_parameter_max_length_on_error=0",
            "log_error_verbosity=terse",
            "logging_collector=on",
            "log_directory=\(clusterDirectory)/log",
            "log_filename=postgres-%H.log",
            "log_truncate_on_rotation=on",
            "log_rotation_age=60",
            "log_rotation_size=0",
        ]
        return ["-D", dataDirectory] + settings.flatMap { ["-c", $0] }
    }
}

/// What happens to the private cluster.
package enum EmbeddedEvent: Equatable, Sendable {
    case creating(directory: String)
    case starting(version: String)
    /// The server is up but still replays its log.
    case recovering
    /// A server that outlived its Turnpike was found and is used on.
    case adopted(processID: Int32)
    case ready
    case died(String)
    case restarting(after: Duration, attempt: Int)
    case restartFailed(EmbeddedClusterError)
    case stopping(StopMode)
    case stopped

    /// How hard a stop is, in the order in which they are tried.
    package enum StopMode: Equatable, Sendable, CaseIterable { case smart, fast, immediate }
}
