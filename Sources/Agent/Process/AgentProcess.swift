import Crypto
import DataPlane
import Observability
import Reactor
import TLS
import Wire

/// The running daemon: one control reactor on the main thread, the traffic's reactors beside it.
final class AgentProcess: Sendable {
    private let configuration: AgentConfiguration
    private let logger: Logger
    private let notifyAddress: String?
    private let printsListeners: Bool
    private let takesOver: Bool
    private let control: Reactor
    private let requests = RequestBox()

    init(
        configuration: AgentConfiguration,
        logger: Logger,
        notifyAddress: String?,
        printsListeners: Bool,
        takesOver: Bool
    ) throws(StartFailure) {
        self.configuration = configuration
        self.logger = logger
        self.notifyAddress = notifyAddress
        self.printsListeners = printsListeners
        self.takesOver = takesOver
        do throws(SystemError) {
            control = try Reactor()
        } catch {
            throw .work("cannot start: \(error)")
        }
    }

    /// Runs until SIGTERM or SIGINT; a second one ends at once.
    func run() throws(StartFailure) {
        let folder = AgentFolder(configuration.dataDirectory)
        // Before descriptors come from another process, which may have many.
        let dataPlane = configuration.dataPlaneSettings(descriptorLimit: descriptorLimit())
        let predecessor = try askPredecessor(folder)
        let lock = try takeFolder(folder, predecessor)
        let second = PassedDescriptors()
        do throws(SystemError) {
            second.append(try lock.duplicate())
        } catch {
            throw .work("\(error)")
        }
        let signals = try signalSource()
        let outcome: Result<Void, StartFailure> = control.runUntilFinished {
            do throws(StartFailure) {
                try await self.serve(folder, dataPlane, predecessor, lock: second)
                return .success(())
            } catch {
                return .failure(error)
            }
        }
        signals.close()
        _ = consume lock
        try outcome.get()
    }

    /// What a process may have at least, wherever the limit cannot be asked for.
    private static let descriptorLimitFallback: UInt64 = 1_024

    private func descriptorLimit() -> UInt64 {
        let limit: UInt64
        do throws(SystemError) {
            limit = try ProcessLimits.raiseDescriptorLimit()
        } catch {
            limit = Self.descriptorLimitFallback
            logger.warning("the descriptor limit stays low", ["problem": .describing(error)])
        }
        let affordable = configuration.connections(within: limit)
        if affordable < configuration.connectionsMax {
            logger.warning(
                "fewer connections than limits.connections allows: raise the limit of descriptors",
                [
                    "descriptors": .integer(limit), "connections": .integer(affordable),
                    "wanted": .integer(configuration.connectionsMax),
                ]
            )
        }
        return limit
    }

    private func takeFolder(
        _ folder: AgentFolder,
        _ predecessor: Predecessor?
    ) throws(StartFailure) -> FileLock {
        if let predecessor {
            let lock = predecessor.inheritance.lock.takeFirst()
            guard lock.isOpen else { throw .work("the running agent gave no lock away") }
            return FileLock(adopting: lock)
        }
        do throws(FileError) {
            try folder.prepare()
            return try FileLock(folder.lockPath)
        } catch {
            if error.reason == .locked {
                throw .work(
                    "another agent runs with \(folder.path); one directory, one agent:"
                        + " `turnpike-agent run --take-over` takes its place"
                )
            }
            throw .work("\(error)")
        }
    }

    /// Made before any other thread, so that every thread has the signals blocked.
    private func signalSource() throws(StartFailure) -> SignalSource {
        let (logger, requests) = (logger, requests)
        do throws(SystemError) {
            return try SignalSource([.terminate, .interrupt, .hangup], on: control) {
                signal,
                _ in
                guard signal != .hangup else {
                    logger.info("SIGHUP: nothing to read again; settings take a restart")
                    return
                }
                if requests.end() { return }
                logger.warning("a second signal: ending at once")
                ProcessLimits.exit(1)
            }
        } catch {
            throw .work("cannot watch signals: \(error)")
        }
    }

    private func serve(
        _ folder: AgentFolder,
        _ dataPlaneSettings: DataPlaneSettings,
        _ predecessor: Predecessor?,
        lock: PassedDescriptors
    ) async throws(StartFailure) {
        do {
            let group = try ReactorGroup(count: configuration.reactorCount, name: "traffic")
            let resolver = try WorkerPool(name: "resolver", threadCount: 1, queuedMax: 16)
            let metrics = MetricRegistry()
            let dataPlane = try DataPlane(
                settings: dataPlaneSettings,
                reactors: group.reactors,
                metrics: metrics,
                logger: logger
            )
            if let predecessor { await dataPlane.inherit(predecessor.inheritance.sockets) }
            let service = AgentService(
                folder: folder,
                lock: lock,
                dataPlane: dataPlane,
                control: control,
                resolver: resolver,
                metrics: metrics,
                logger: logger,
                statusAddress: configuration.statusAddress,
                drainTimeout: configuration.drainTimeout,
                requests: requests,
                notify: { [self] in notify($0) }
            )
            let mesh: SocketAddress
            if let predecessor {
                mesh = predecessor.inheritance.meshAddress
            } else {
                mesh = try await dataPlane.start()
            }
            try await service.run(
                mesh: mesh,
                settings: subscriptionSettings(mesh),
                after: predecessor
            ) { status in announce(mesh, status, isSuccessor: predecessor != nil) }
            resolver.stop()
            group.stop()
            logger.info("ended")
        } catch {
            throw .work("\(error)")
        }
    }

    /// The agent that runs with the directory, if there is one and this one shall take its place.
    private func askPredecessor(_ folder: AgentFolder) throws(StartFailure) -> Predecessor? {
        guard takesOver else { return nil }
        do {
            // Whoever could write here could give us sockets of its own.
            try folder.makeDirectories()
            guard let predecessor = try Predecessor.ask(folder.handoverPath) else {
                logger.info("no agent runs with the directory: nothing to take over")
                return nil
            }
            logger.info(
                "taking over",
                ["mesh": .describing(predecessor.inheritance.meshAddress)]
            )
            return predecessor
        } catch {
            throw .work("the running agent does not give its place away: \(error)")
        }
    }

    private func announce(_ mesh: SocketAddress, _ status: SocketAddress, isSuccessor: Bool) {
        if printsListeners {
            StandardStreams.print("listening mesh \(mesh)")
            StandardStreams.print("listening status \(status)")
        }
        logger.info(
            "running",
            ["mesh": .describing(mesh), "status": .describing(status)]
        )
        if isSuccessor { notify(.mainProcess(ProcessLimits.processIdentity)) }
        notify(.ready)
    }

    private func notify(_ notification: ServiceNotification) {
        guard let notifyAddress else { return }
        do throws(SystemError) {
            try notification.send(to: notifyAddress)
        } catch {
            logger.warning("the service manager was not told", ["problem": .describing(error)])
        }
    }

    private func subscriptionSettings(_ mesh: SocketAddress) -> SubscriptionSettings {
        var settings = SubscriptionSettings(
            software: "turnpike-agent \(Program.version)",
            now: StandardStreams.now,
            jitter: { Double(Randomness.bytes(1).first ?? 0) / 255 }
        )
        settings.servers = configuration.servers
        settings.evidenceByteCountMax = configuration.evidenceByteCountMax
        // For an unspecified address the server takes the one that we connect from.
        settings.meshAddress = configuration.advertisedAddress ?? mesh.description
        return settings
    }
}
