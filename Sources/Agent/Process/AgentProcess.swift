import Crypto
import DataPlane
import Observability
import Reactor
import Synchronization
import TLS
import Wire

/// The running daemon: one control reactor on the main thread, the traffic's reactors beside it.
final class AgentProcess: Sendable {
    private let configuration: AgentConfiguration
    private let logger: Logger
    private let notifyAddress: String?
    private let printsListeners: Bool
    private let control: Reactor

    init(
        configuration: AgentConfiguration,
        logger: Logger,
        notifyAddress: String?,
        printsListeners: Bool
    ) throws(StartFailure) {
        self.configuration = configuration
        self.logger = logger
        self.notifyAddress = notifyAddress
        self.printsListeners = printsListeners
        do throws(SystemError) {
            control = try Reactor()
        } catch {
            throw .work("cannot start: \(error)")
        }
    }

    /// Runs until SIGTERM or SIGINT; a second one ends at once.
    func run() throws(StartFailure) {
        let folder = AgentFolder(configuration.dataDirectory)
        let lock = try takeFolder(folder)
        let dataPlane = configuration.dataPlaneSettings(descriptorLimit: descriptorLimit())
        let stopRequest = StopRequest()
        let signals = try signalSource(stopRequest)
        let outcome: Result<Void, StartFailure> = control.runUntilFinished {
            do throws(StartFailure) {
                try await self.serve(folder, dataPlane, stopRequest)
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

    private func takeFolder(_ folder: AgentFolder) throws(StartFailure) -> FileLock {
        do throws(FileError) {
            try folder.prepare()
            return try FileLock(folder.lockPath)
        } catch {
            if error.reason == .locked {
                throw .work("another agent runs with \(folder.path); one directory, one agent")
            }
            throw .work("\(error)")
        }
    }

    /// Made before any other thread, so that every thread has the signals blocked.
    private func signalSource(_ stop: StopRequest) throws(StartFailure) -> SignalSource {
        let logger = logger
        do throws(SystemError) {
            return try SignalSource([.terminate, .interrupt, .hangup], on: control) {
                signal,
                _ in
                guard signal != .hangup else {
                    logger.info("SIGHUP: nothing to read again; settings take a restart")
                    return
                }
                if stop.request() { return }
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
        _ stop: StopRequest
    ) async throws(StartFailure) {
        let metrics = MetricRegistry()
        do {
            let group = try ReactorGroup(count: configuration.reactorCount, name: "traffic")
            let resolver = try WorkerPool(name: "resolver", threadCount: 1, queuedMax: 16)
            let dataPlane = try DataPlane(
                settings: dataPlaneSettings,
                reactors: group.reactors,
                metrics: metrics,
                logger: logger
            )
            let mesh = try await dataPlane.start()
            let subscription = try Subscription(
                folder: folder,
                settings: subscriptionSettings(mesh),
                dataPlane: dataPlane,
                reactor: control,
                resolver: resolver,
                metrics: metrics,
                logger: logger
            )
            await subscription.start()
            let status = try await StatusEndpoint.start(
                on: configuration.statusAddress,
                reactor: control,
                subscription: subscription,
                metrics: metrics
            )
            announce(mesh, status.address)
            await stop.wait()
            notify(.stopping)
            logger.info("draining", ["for": .duration(configuration.drainTimeout)])
            await dataPlane.drain()
            await subscription.stop()
            await status.stop()
            resolver.stop()
            group.stop()
            logger.info("ended")
        } catch {
            throw .work("\(error)")
        }
    }

    private func announce(_ mesh: SocketAddress, _ status: SocketAddress) {
        if printsListeners {
            StandardStreams.print("listening mesh \(mesh)")
            StandardStreams.print("listening status \(status)")
        }
        logger.info(
            "running",
            ["mesh": .describing(mesh), "status": .describing(status)]
        )
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

/// The wish to end, from a signal to the task that waits for it.
private final class StopRequest: Sendable {
    private struct State {
        var isRequested = false
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    /// False if it was requested before.
    func request() -> Bool {
        let (isFirst, waiter) = state.withLock { state in
            defer {
                state.isRequested = true
                state.waiter = nil
            }
            return (!state.isRequested, state.waiter)
        }
        waiter?.resume()
        return isFirst
    }

    func wait() async {
        await withCheckedContinuation { continuation in
            let isRequested = state.withLock { state in
                if !state.isRequested { state.waiter = continuation }
                return state.isRequested
            }
            if isRequested { continuation.resume() }
        }
    }
}
