import DataPlane
import Mesh
import Observability
import Reactor
import Synchronization
import Wire

/// The process whose place this one takes.
final class Predecessor: Sendable {
    let inheritance: Handover.Inheritance
    private let connection: PassedDescriptors

    private init(_ inheritance: Handover.Inheritance, _ connection: PassedDescriptors) {
        self.inheritance = inheritance
        self.connection = connection
    }

    /// Asks whoever listens at the path; nil if nobody does.
    ///
    /// Blocks, so it is for the time before the reactor runs.
    static func ask(_ path: String) throws -> Predecessor? {
        guard try FileSystem.status(path) != nil else { return nil }
        let descriptor: Descriptor
        do throws(SystemError) {
            var connecting = try Socket.connect(to: .unix(path: path))
            descriptor = connecting.descriptor.take()
        } catch {
            // Nobody listens: the file is what a process left that was killed.
            if error.isConnectionRefused { return nil }
            throw error
        }
        let inheritance = try Handover.take(over: descriptor)
        let connection = PassedDescriptors()
        connection.append(descriptor)
        return Predecessor(inheritance, connection)
    }

    /// Says that connections are accepted here; an error means that the other goes on, so that
    /// this process must end.
    func declareReady() throws(HandoverError) {
        let descriptor = connection.takeFirst()
        try Handover.declareReady(over: descriptor)
        connection.append(descriptor)
    }

    /// Takes the other's last evidence.
    ///
    /// Blocks until the other has ended, or `isOver`.
    func release(
        to agent: AgentName,
        isOver: () -> Bool,
        _ took: (EvidenceQueue.Batch) -> Void
    ) -> HandoverError? {
        let descriptor = connection.takeFirst()
        do throws(HandoverError) {
            try Handover.receiveEvidence(of: agent, over: descriptor, isOver: isOver, took)
            return nil
        } catch {
            return error
        }
    }
}

/// The agent from the moment that its data path exists: control side, status, and the end.
struct AgentService: Sendable {
    /// How long the status port is tried for after a hand-over that failed.
    private static let statusPatience = Duration.seconds(60)
    /// How long a newer process is let wait for the end of the hand-over before.
    private static let inheritancePatience = Duration.seconds(2)

    let folder: AgentFolder
    let lock: PassedDescriptors
    let dataPlane: DataPlane
    let control: Reactor
    let resolver: WorkerPool
    let metrics: MetricRegistry
    let logger: Logger
    let statusAddress: SocketAddress
    let drainTimeout: Duration
    let requests: RequestBox
    let notify: @Sendable (ServiceNotification) -> Void

    /// Runs until it is asked to end, or a newer process has taken its place.
    func run(
        mesh: SocketAddress,
        settings: SubscriptionSettings,
        after predecessor: Predecessor?,
        announce: (SocketAddress) -> Void
    ) async throws {
        var predecessor = predecessor
        var isAgain = false
        while true {
            let subscription = try Subscription(
                folder: folder,
                settings: settings,
                dataPlane: dataPlane,
                reactor: control,
                resolver: resolver,
                metrics: metrics,
                logger: logger
            )
            await subscription.start()
            let status = try await openStatus(subscription, isAgain: isAgain)
            isAgain = true
            let port = try openPort()
            if predecessor != nil {
                // Only now: before, there was nothing by which a connection could be judged, and
                // what may still fail would take along those that were accepted.
                _ = try await dataPlane.start()
                await dataPlane.adoptRemaining()
                try predecessor?.declareReady()
            }
            announce(status.address)
            let inheriting = predecessor.map { inherit(from: $0, into: subscription) }
            predecessor = nil
            let request = await nextRequest(inheriting, port)
            switch request {
            case .end:
                notify(.stopping)
                logger.info("draining", ["for": .duration(drainTimeout)])
                await port?.close(removingFile: true)
                await dataPlane.drain()
                await inheriting?.task.value
                await subscription.stop()
                await status.stop()
                return
            case .handOver(let connection):
                logger.info("a newer process asks for this one's place")
                await subscription.stop()
                await status.stop()
                let isTaken = await give(to: connection, mesh, subscription, port)
                await port?.close(removingFile: !isTaken)
                if isTaken { return }
            }
        }
    }

    /// What is asked for next; a newer process only once the one before this one has ended.
    ///
    /// That one may drain for long. Whoever asks meanwhile is told so at once, and may ask again.
    private func nextRequest(
        _ inheriting: InheritedEvidence?,
        _ port: SuccessionPort?
    ) async -> Request {
        while true {
            let request = await requests.next()
            guard case .handOver(let connection) = request, let inheriting else { return request }
            let deadline = control.now.advanced(by: Self.inheritancePatience)
            while !inheriting.isOver, !requests.isEnding, control.now < deadline {
                try? await control.sleep(for: .milliseconds(50))
            }
            if inheriting.isOver { return request }
            logger.warning("a newer process asked for this one's place too early")
            _ = await port?.wait {
                try? Handover.refuse(
                    "it is still taking over from the process before it: try again",
                    over: connection.takeFirst()
                )
            }
        }
    }

    /// The status port; one that a newer process has not let go of yet is tried for a while, for
    /// it is no reason to end what goes on.
    private func openStatus(
        _ subscription: Subscription,
        isAgain: Bool
    ) async throws -> StatusEndpoint {
        let deadline = control.now.advanced(by: Self.statusPatience)
        while true {
            do {
                return try await StatusEndpoint.start(
                    on: statusAddress,
                    reactor: control,
                    subscription: subscription,
                    metrics: metrics
                )
            } catch {
                guard isAgain, control.now < deadline else { throw error }
                try? await control.sleep(for: .milliseconds(200))
            }
        }
    }

    private func openPort() throws -> SuccessionPort? {
        do throws(SystemError) {
            return try SuccessionPort(
                folder.handoverPath,
                on: control,
                requests: requests,
                logger: logger
            )
        } catch {
            // Such as a path that is too long for a unix socket.
            logger.warning(
                "no newer process can take this one's place without a gap",
                ["path": .text(folder.handoverPath), "problem": .describing(error)]
            )
            return nil
        }
    }

    /// Takes the evidence of the process before this one until that has ended.
    private func inherit(
        from predecessor: Predecessor,
        into subscription: Subscription
    ) -> InheritedEvidence {
        let (requests, logger, agent) = (requests, logger, subscription.agent)
        return InheritedEvidence {
            guard let threads = try? WorkerPool(name: "inherit", threadCount: 1, queuedMax: 1)
            else { return }
            let problem = try? await threads.run {
                predecessor.release(to: agent, isOver: { requests.isEnding }) { batch in
                    Task { await subscription.inherit(batch) }
                }
            }
            if let problem = problem.flatMap({ $0 }) {
                logger.warning(
                    "the process before this one was lost",
                    ["problem": .describing(problem)]
                )
            }
            threads.stop()
        }
    }

    /// Hands everything over and drains; false if the newer process did not become ready.
    private func give(
        to connection: PassedDescriptors,
        _ mesh: SocketAddress,
        _ subscription: Subscription,
        _ port: SuccessionPort?
    ) async -> Bool {
        guard let port else { return false }
        do {
            let copy = PassedDescriptors()
            let own = lock.takeFirst()
            copy.append(try own.duplicate())
            lock.append(own)
            let inheritance = Handover.Inheritance(
                meshAddress: mesh,
                sockets: try await dataPlane.listeningSockets(),
                lock: copy
            )
            // From now on the other one brings snapshots to disk, and this one still accepts.
            let following = Task { await follow(subscription) }
            defer { following.cancel() }
            let outcome = await port.wait { () -> HandoverError? in
                let descriptor = connection.takeFirst()
                do throws(HandoverError) {
                    try Handover.give(inheritance, over: descriptor)
                } catch {
                    return error
                }
                connection.append(descriptor)
                return nil
            }
            guard case .some(.none) = outcome else {
                logger.warning(
                    "going on: the newer process did not take over",
                    ["problem": .text(outcome.flatMap { $0 }.map { "\($0)" } ?? "no thread")]
                )
                return false
            }
        } catch {
            logger.warning("going on: nothing was handed over", ["problem": .describing(error)])
            return false
        }
        logger.info("a newer process accepts connections; draining")
        await drain(telling: connection, subscription, port)
        return true
    }

    private func follow(_ subscription: Subscription) async {
        while !Task.isCancelled {
            try? await control.sleep(for: .milliseconds(200))
            await subscription.followDisk()
        }
    }

    private func drain(
        telling connection: PassedDescriptors,
        _ subscription: Subscription,
        _ port: SuccessionPort
    ) async {
        let dataPlane = dataPlane
        var remaining = RemainingEvidence(of: subscription.agent)
        let draining = Task { await dataPlane.drain() }
        let isDrained = Mutex(false)
        let watch = Task {
            await draining.value
            isDrained.withLock { $0 = true }
        }
        var isLast = false
        while !isLast {
            isLast = isDrained.withLock { $0 }
            try? await control.sleep(for: .milliseconds(200))
            await subscription.followDisk()
            for queue in dataPlane.evidenceQueues { remaining.add(queue.takeAll()) }
            remaining = await send(remaining, over: connection, port)
        }
        await watch.value
        while connection.count > 0 { _ = connection.takeFirst() }
        leave(remaining)
    }

    /// Sends on a thread that may wait; gives back what the newer process did not take.
    private func send(
        _ evidence: RemainingEvidence,
        over connection: PassedDescriptors,
        _ port: SuccessionPort
    ) async -> RemainingEvidence {
        guard evidence.problem == nil else { return evidence }
        let left = await port.wait {
            var evidence = evidence
            let descriptor = connection.takeFirst()
            evidence.send(over: descriptor)
            // Closed otherwise: what arrived of a frame must not be taken for the next one's beginning.
            if evidence.problem == nil { connection.append(descriptor) }
            return evidence
        }
        return left ?? evidence
    }

    /// What the newer process did not take is found by the next start.
    private func leave(_ evidence: RemainingEvidence) {
        var evidence = evidence
        let details: Logger.Fields = [
            "decisions": .integer(evidence.decisionCount),
            "problem": .text(evidence.problem.map { "\($0)" } ?? "no thread"),
        ]
        do throws(FileError) {
            guard try evidence.leave(in: folder, as: String(WallClock.nanoseconds())) else {
                return
            }
            logger.warning("the newer process did not take all evidence: it is kept", details)
        } catch {
            logger.error("evidence is lost: nobody took it, and it cannot be kept", details)
        }
    }
}
