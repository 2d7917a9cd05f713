import Observability
import Reactor
import Snapshot

extension Subscription {
    /// Once a second: evidence to disk and to the server, due certificates, pings and reports.
    func tickUntilStopped() async {
        while !isStopping, !Task.isCancelled {
            do throws(CancellationError) {
                try await reactor.sleep(for: SubscriptionLimits.tickInterval)
            } catch {
                return
            }
            guard !isStopping else { return }
            collectEvidence(isEnding: false)
            sendOldestEvidence()
            requestDueCertificates()
            countCertificates()
            forgetStaleHealth()
            lookUpDue()
            followLeases()
            pingAndReport()
        }
    }

    private func pingAndReport() {
        guard connection != nil else { return }
        ticksToPing -= 1
        if ticksToPing <= 0 {
            ticksToPing = SubscriptionLimits.pingInterval.wholeTicks
            pingNumber += 1
            send(.ping(pingNumber))
        }
        ticksToStatus -= 1
        if ticksToStatus <= 0 { reportStatus() }
    }

    /// Takes what the reactors queued and brings it to disk.
    func collectEvidence(isEnding: Bool) {
        for queue in dataPlane.evidenceQueues {
            let batch = queue.takeAll()
            if !batch.isEmpty { spool.add(batch) }
        }
        do throws(FileError) {
            try spool.write(now: settings.now(), isEnding: isEnding)
        } catch {
            logger.error("evidence cannot be written", ["problem": .describing(error)])
        }
        metrics.spooledBytes.set(Int64(clamping: spool.byteCount))
        metrics.droppedDecisions.set(Int64(clamping: spool.droppedCount))
    }

    /// One batch at a time, the oldest first.
    func sendOldestEvidence() {
        guard connection != nil, evidenceInFlight == nil, let batch = spool.oldest() else {
            return
        }
        evidenceInFlight = batch.batch
        send(.evidence(batch))
    }

    func evidenceAcknowledged(_ batch: UInt64) {
        guard evidenceInFlight == batch else { return }
        evidenceInFlight = nil
        do throws(FileError) {
            try spool.acknowledged(batch)
        } catch {
            logger.error("delivered evidence cannot be removed", ["problem": .describing(error)])
        }
        sendOldestEvidence()
    }
}

extension Duration {
    var wholeTicks: Int {
        Int(components.seconds / SubscriptionLimits.tickInterval.components.seconds)
    }
}
