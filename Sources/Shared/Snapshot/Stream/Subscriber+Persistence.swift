import Crypto
package import Wire

// What became of the work that the driver was given: disk and reactors.
extension Subscriber {
    /// The trust document is on disk.
    package mutating func trustPersisted(now: Timestamp) -> [Action] {
        guard let next = pendingTrust else { return [] }
        pendingTrust = nil
        unpersistedTrust = []
        diskBackoff.succeeded()
        verifier.trust = next
        let waiting = queuedTrust
        queuedTrust = []
        // What is being fetched was signed with keys that may just have been taken away.
        if case .fetching(let fetch) = step {
            step = .idle
            if queuedManifest == nil { queuedManifest = fetch.manifest.encoded }
        }
        var actions: [Action] = [.adoptTrust(next)]
        for encoded in waiting { actions += trustReceived(encoded) }
        return actions + resume(now: now)
    }

    /// The trust document could not be brought to disk; the one before still holds.
    package mutating func trustPersistFailed(_ reason: String, now: Timestamp) -> [Action] {
        if let next = pendingTrust { unpersistedTrust = [next.envelope.encoded] + queuedTrust }
        pendingTrust = nil
        queuedTrust = []
        return [.refused("trust document: not persisted: \(reason)")] + planRetry()
            + resume(now: now)
    }

    /// The time has come to try again what the disk refused.
    package mutating func retryDue(now: Timestamp) -> [Action] {
        isRetryPlanned = false
        let trust = unpersistedTrust
        unpersistedTrust = []
        var actions: [Action] = []
        for encoded in trust { actions += trustReceived(encoded) }
        // A newer one that is on its way takes its place.
        if let envelope = unpersistedManifest, queuedManifest == nil, case .idle = step {
            unpersistedManifest = nil
            if pendingTrust == nil {
                actions += judge(envelope, now: now)
            } else {
                queuedManifest = envelope
            }
        }
        return actions
    }

    private mutating func planRetry() -> [Action] {
        guard !isRetryPlanned else { return [] }
        isRetryPlanned = true
        return [.retry(after: diskBackoff.failed(jitter: 1))]
    }

    /// The snapshot is on disk, synced.
    package mutating func persisted() -> [Action] {
        guard case .persisting(let snapshot, let sections) = step else { return [] }
        self.sections = sections
        verified = snapshot.sections
        fetched = [:]
        unpersistedManifest = nil
        diskBackoff.succeeded()
        head = snapshot.manifest.encoded
        verifier.mark = snapshot.mark
        verifier.isSnapshotLost = false
        step = .applying(snapshot)
        return [.apply(snapshot)]
    }

    /// The snapshot could not be brought to disk; the one before still holds.
    package mutating func persistFailed(_ reason: String, now: Timestamp) -> [Action] {
        guard case .persisting(let snapshot, _) = step else { return [] }
        unpersistedManifest = snapshot.manifest.encoded
        return refuse(snapshot.manifest.hash, "not_persisted", reason) + planRetry()
            + resume(now: now)
    }

    /// The last reactor has swapped and decided again.
    package mutating func applied(at time: Timestamp) -> [Action] {
        guard case .applying(let snapshot) = step else { return [] }
        step = .idle
        backoff.succeeded()
        return acknowledge(snapshot.manifest.hash, appliedAt: time) + resume(now: time)
    }
}
