import Foundation
package import Reactor

/// A private PostgreSQL cluster, run as a child process and started again when it dies.
///
/// Reached through a socket in a private directory only, with SCRAM passwords from 0600 files.
/// A server that outlives this process is found by the next one and used on.
package actor EmbeddedCluster {
    package nonisolated let reactor: Reactor
    package nonisolated let settings: EmbeddedSettings
    /// The version of the server's programs, such as `15.18`.
    package nonisolated let version: String
    /// Where its programs are.
    package nonisolated var binaryDirectory: String { binaries.directory }

    private let files: ClusterFiles
    private let binaries: ServerBinaries
    private let superuserPassword: String
    private let random: @Sendable (Int) -> [UInt8]
    private let report: @Sendable (EmbeddedEvent) -> Void
    private var lock: FileLock?
    private var server: Server?
    private var supervisor: Task<Void, Never>?
    private var isStopping = false

    private static let pollInterval: Duration = .milliseconds(50)
    /// A server that lived for longer did not die of its start.
    private static let healthyAfter: Duration = .seconds(60)

    /// The running server: our own child, or one that an earlier process left behind.
    private enum Server {
        case child(ChildProcess)
        case adopted(PostmasterFile)
    }

    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        unsafe reactor.asUnownedSerialExecutor()
    }

    /// Makes the cluster if there is none, starts it or takes over a running one, until it answers.
    ///
    /// `random` gives that many unpredictable bytes; `report` is called from any thread.
    package static func start(
        _ settings: EmbeddedSettings,
        on reactor: Reactor,
        random: @escaping @Sendable (Int) -> [UInt8],
        report: @escaping @Sendable (EmbeddedEvent) -> Void = { _ in }
    ) async throws(EmbeddedClusterError) -> EmbeddedCluster {
        let files = try ClusterFiles(settings)
        try await offReactor { () throws(EmbeddedClusterError) in try files.prepare() }
        var lock = try takeLock(settings)
        let dataVersion = try files.dataVersion()
        let wanted = dataVersion.flatMap(ServerBinaries.majorVersion)
        let binaries = try await ServerBinaries.find(settings, wanted: wanted, on: reactor)
        if let dataVersion, wanted != binaries.majorVersion {
            throw .versionMismatch(
                data: dataVersion,
                binaries: binaries.version,
                directory: settings.dataDirectory
            )
        }
        let password: String
        if dataVersion == nil {
            report(.creating(directory: settings.dataDirectory))
            password = try await create(files, binaries, on: reactor, random: random)
        } else {
            guard let kept = try files.password(of: EmbeddedSettings.superuser) else {
                throw .passwordMissing(path: settings.passwordFile(of: EmbeddedSettings.superuser))
            }
            password = kept
        }
        let cluster = EmbeddedCluster(
            files,
            binaries,
            password: password,
            on: reactor,
            random: random,
            report: report
        )
        await cluster.keep(lock.take())
        try await cluster.begin()
        return cluster
    }

    private init(
        _ files: ClusterFiles,
        _ binaries: ServerBinaries,
        password: String,
        on reactor: Reactor,
        random: @escaping @Sendable (Int) -> [UInt8],
        report: @escaping @Sendable (EmbeddedEvent) -> Void
    ) {
        self.files = files
        self.binaries = binaries
        self.reactor = reactor
        self.random = random
        self.report = report
        settings = files.settings
        version = binaries.version
        superuserPassword = password
    }

    private func keep(_ lock: consuming FileLock?) { self.lock = lock }

    private func begin() async throws(EmbeddedClusterError) {
        do throws(EmbeddedClusterError) {
            try await launch()
        } catch {
            await halt()
            lock = nil
            throw error
        }
        supervisor = Task(executorPreference: reactor) { await self.supervise() }
    }
}

// MARK: - Access

extension EmbeddedCluster {
    /// Connects as the superuser: for creating roles and databases, and for migrations.
    package nonisolated func superuserURL(database: String = "postgres") -> DatabaseURL {
        DatabaseURL(
            socketDirectory: settings.effectiveSocketDirectory,
            port: settings.port,
            user: EmbeddedSettings.superuser,
            password: superuserPassword,
            database: database
        )
    }

    /// Lets an existing role log in with a password from a 0600 file, made on first use.
    package func loginURL(
        role: PostgresName,
        database: PostgresName
    ) async throws(EmbeddedClusterError) -> DatabaseURL {
        let kept = try files.password(of: role.text)
        let password =
            if let kept { kept } else { try files.makePassword(of: role.text, random: random) }
        try await administer { connection throws(PostgresError) in
            let verifier = try await connection.scramVerifier(of: password, for: role)
            try await connection.query(
                SQL(command: "ALTER ROLE \(role.text) LOGIN PASSWORD '\(verifier)'")
            )
        }
        return superuserURL(database: database.text).withUser(role.text, password: password)
    }

    func administer(
        _ work: (PostgresConnection) async throws(PostgresError) -> Void
    ) async throws(EmbeddedClusterError) {
        do throws(PostgresError) {
            let connection = try await PostgresConnection.connect(
                administrationSettings,
                on: reactor
            )
            do throws(PostgresError) {
                try await work(connection)
            } catch {
                await connection.close()
                throw error
            }
            await connection.close()
        } catch {
            throw .database(error)
        }
    }

    private var administrationSettings: PostgresSettings {
        var settings = PostgresSettings(url: superuserURL())
        settings.applicationName = "turnpike-cluster"
        settings.statementTimeout = .seconds(60)
        settings.searchPath = ["pg_catalog"]
        settings.requiresReadWrite = false
        return settings
    }
}

// MARK: - Starting

extension EmbeddedCluster {
    /// Takes over a running server or starts one, and waits until it answers.
    private func launch() async throws(EmbeddedClusterError) {
        let file = settings.dataDirectory + "/postmaster.pid"
        let left: PostmasterFile?
        do throws(FileError) {
            left = try PostmasterFile.read(file)
            if let left, left.holder == .gone || left.holder == .stranger {
                await waitForOrphans()
            }
            // The number belongs to something else now; the server itself would not dare to say so.
            if left?.holder == .stranger { try FileSystem.remove(file) }
            let socketFile = settings.socketPath + ".lock"
            if try PostmasterFile.read(socketFile)?.holder == .stranger {
                try FileSystem.remove(socketFile)
            }
        } catch {
            throw .file(error)
        }
        if PostmasterFile.hasProcesses(in: settings.dataDirectory), left?.holder != .server {
            throw .inUse(directory: settings.dataDirectory)
        }
        if let left, left.holder == .unknown { throw .inUse(directory: settings.dataDirectory) }
        if let left, left.holder == .server {
            report(.adopted(processID: left.processID))
            server = .adopted(left)
            if left.listensAs(settings) {
                do throws(EmbeddedClusterError) {
                    return try await waitUntilReady()
                } catch {
                    // It may have been on its way down: then ours can start.
                    guard left.holder != .server else { throw error }
                }
            } else {
                // It was started with another port, which takes a start to change.
                await halt()
            }
        }
        try await startServer()
        try await waitUntilReady()
    }

    private func startServer() async throws(EmbeddedClusterError) {
        report(.starting(version: version))
        try files.writeClientAuthentication()
        _ = try? FileSystem.remove(settings.startLog)
        var command = Command(
            binaries.directory + "/postgres",
            settings.serverArguments,
            environment: ServerBinaries.environment,
            directory: "/",
            user: files.runner
        )
        command.output = .file(path: settings.startLog)
        command.error = .file(path: settings.startLog)
        // A session of its own: the keys of a terminal end us, and we end the server in order.
        command.group = .session
        do throws(SpawnError) {
            server = .child(try await ChildProcess.start(command, on: reactor))
        } catch {
            throw .commandFailed(program: command.program, reason: "\(error)")
        }
    }

    private func waitUntilReady() async throws(EmbeddedClusterError) {
        let deadline = ContinuousClock.Instant.now.advanced(by: settings.startTimeout)
        var reason = "no answer"
        var isRecovering = false
        while reactor.now < deadline {
            if isStopping { throw .stopped }
            do throws(PostgresError) {
                let connection = try await PostgresConnection.connect(
                    administrationSettings,
                    on: reactor
                )
                await connection.close()
                return report(.ready)
            } catch {
                reason = "\(error)"
                // With the server's own words, since no code comes with a refused connection.
                if reason.contains("password authentication failed") { throw .database(error) }
                if !isRecovering, reason.contains("starting up") || reason.contains("recover") {
                    isRecovering = true
                    report(.recovering)
                }
            }
            if let end = await serverEnd(within: EmbeddedCluster.pollInterval) {
                throw .notReady(reason: "\(end); \(startText)")
            }
        }
        throw .notReady(reason: reason)
    }

    private var startText: String {
        guard let bytes = try? FileSystem.read(settings.startLog, byteCountMax: 1 << 20) else {
            return "no log"
        }
        return EmbeddedCluster.lastLines(String(decoding: bytes, as: UTF8.self))
    }

    /// How the server ended, or nil when it still runs after a while.
    private func serverEnd(within duration: Duration) async -> String? {
        let deadline = ContinuousClock.Instant.now.advanced(by: duration)
        switch server {
        case .child(let child):
            return await child.exitStatus(deadline: deadline)?.description
        case .adopted(let file):
            while file.holder == .server {
                guard reactor.now < deadline, !Task.isCancelled else { return nil }
                _ = try? await reactor.sleep(for: EmbeddedCluster.pollInterval)
            }
            return "process \(file.processID) is gone"
        case nil:
            return "not started"
        }
    }
}

// MARK: - Supervision

extension EmbeddedCluster {
    private func supervise() async {
        var attempt = 0
        while !isStopping, !Task.isCancelled {
            let start = ContinuousClock.Instant.now
            guard let end = await serverEnd(within: .seconds(3_600)) else { continue }
            if isStopping { return }
            report(.died(end))
            if start.duration(to: .now) > EmbeddedCluster.healthyAfter { attempt = 0 }
            while !isStopping, !Task.isCancelled {
                attempt += 1
                let doubled = settings.restartPauseMin * (1 << min(attempt - 1, 16))
                let pause = min(doubled, settings.restartPauseMax)
                report(.restarting(after: pause, attempt: attempt))
                _ = try? await reactor.sleep(for: pause)
                if isStopping { return }
                do throws(EmbeddedClusterError) {
                    try await launch()
                    break
                } catch {
                    report(.restartFailed(error))
                    await halt()
                }
            }
        }
    }

    /// Stops the server: waits for sessions, then ends them, then gives up on tidiness.
    ///
    /// The cluster cannot be used after it.
    package func stop() async {
        guard !isStopping else { return }
        await endSupervision()
        // In a task of its own: the caller's may be cancelled, and the server still gets its time.
        await Task(executorPreference: reactor) { await self.halt() }.value
        lock = nil
        report(.stopped)
    }

    /// Lets go of the server without stopping it, so that the next start takes it over.
    ///
    /// The cluster cannot be used after it.
    package func leave() async {
        guard !isStopping else { return }
        await endSupervision()
        server = nil
        lock = nil
    }

    private func endSupervision() async {
        isStopping = true
        supervisor?.cancel()
        await supervisor?.value
        supervisor = nil
    }

    private func halt() async {
        for mode in EmbeddedEvent.StopMode.allCases {
            guard server != nil, await serverEnd(within: .zero) == nil else { break }
            report(.stopping(mode))
            signal(mode)
            if await serverEnd(within: timeout(of: mode)) != nil { break }
        }
        if await serverEnd(within: .zero) == nil, case .child(let child) = server {
            _ = await child.stop(.kill, grace: .seconds(5))
        }
        server = nil
    }

    private func timeout(of mode: EmbeddedEvent.StopMode) -> Duration {
        switch mode {
        case .smart: settings.smartStopTimeout
        case .fast: settings.fastStopTimeout
        case .immediate: settings.immediateStopTimeout
        }
    }

    private func signal(_ mode: EmbeddedEvent.StopMode) {
        let signal: Signal =
            switch mode {
            case .smart: .terminate
            case .fast: .interrupt
            case .immediate: .quit
            }
        switch server {
        case .child(let child): child.send(signal)
        case .adopted(let file):
            if file.holder == .server { kill(file.processID, signal.rawValue) }
        case nil: break
        }
    }
}
