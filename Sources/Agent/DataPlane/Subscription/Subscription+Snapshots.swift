import Crypto
import Mesh
import Observability
import Reactor
import Snapshot
import Wire

extension Subscription {
    /// Does what the subscriber's machine asks for, in its order.
    func perform(_ actions: [Subscriber.Action]) async {
        for action in actions {
            switch action {
            case .connect(let server): connect(to: server, after: .zero)
            case .reconnect(let pause, let server): connect(to: server, after: pause)
            case .send(let message): send(message)
            case .persist(let stored): await persist(stored)
            case .persistTrust(let anchor): await persist(anchor)
            case .apply(let snapshot): apply(snapshot)
            case .adoptTrust(let anchor): await adopt(anchor)
            case .refused(let reason): refused(reason)
            case .retry(let pause): retry(after: pause)
            case .close(let reason): breakLink(reason)
            }
        }
    }

    private func persist(_ stored: StoredSnapshot) async {
        do throws(FileError) {
            try snapshots.persist(stored)
            await perform(subscriber?.persisted() ?? [])
        } catch {
            logger.error("a snapshot was not persisted", ["problem": .describing(error)])
            await perform(
                subscriber?.persistFailed(error.description, now: settings.now()) ?? []
            )
        }
    }

    private func persist(_ anchor: TrustAnchor) async {
        do {
            // A root that nobody can read would leave the agent without any.
            _ = try Self.roots(of: anchor, file: "the new trust document")
            try snapshots.persist(anchor)
            await perform(subscriber?.trustPersisted(now: settings.now()) ?? [])
        } catch {
            await perform(
                subscriber?.trustPersistFailed("\(error)", now: settings.now()) ?? []
            )
        }
    }

    private func retry(after pause: Duration) {
        Task {
            do throws(CancellationError) {
                try await self.reactor.sleep(for: pause)
            } catch {
                return
            }
            guard !self.isStopping else { return }
            await self.perform(self.subscriber?.retryDue(now: self.settings.now()) ?? [])
        }
    }

    private func adopt(_ anchor: TrustAnchor) async {
        guard let next = try? Self.roots(of: anchor, file: folder.trustPath) else { return }
        trust = anchor
        roots = next
        trustedRoots.follow(anchor.document)
        logger.info(
            "trusting a new trust document",
            [
                "version": .integer(anchor.document.version),
                "epoch": .integer(anchor.document.epoch),
            ]
        )
        await enforce()
        renewWhatIsLeaving()
    }

    /// Swaps and decides again beside the reading of the stream, so that newer manifests are
    /// noticed meanwhile.
    private func apply(_ snapshot: ValidatedSnapshot) {
        self.snapshot = snapshot
        for action in renewals.placed(snapshot.servicesWithLeaf) { perform(action) }
        readLeaves(of: snapshot.servicesWithLeaf.subtracting(identities.keys))
        Task {
            await self.enforce()
            let now = self.settings.now()
            self.metrics.revision.set(Int64(clamping: snapshot.revision))
            self.logger.info(
                "enforcing a snapshot",
                [
                    "revision": .integer(snapshot.revision),
                    "hash": .describing(snapshot.mark.manifestHash),
                ]
            )
            await self.perform(self.subscriber?.applied(at: now) ?? [])
            self.replaceRevoked()
            self.requestDueCertificates()
            self.reportStatus()
        }
    }

    private func refused(_ reason: String) {
        lastRefusal = (reason, settings.now())
        metrics.refusals.increment()
        logger.warning("refused what a server sent", ["reason": .text(reason)])
    }

    /// Gives snapshot, certificates and trust to every reactor, one configuration after the other;
    /// returns when this one, or a newer one, is in force everywhere.
    func enforce() async {
        guard let snapshot else { return }
        let configuration = EnforcedConfiguration(
            snapshot: snapshot,
            identities: identities,
            validator: roots.validator,
            trustedRoots: trustedRoots,
            trustHash: trust.hash
        )
        let before = enforcing
        let dataPlane = dataPlane
        let task = Task {
            await before?.value
            await dataPlane.apply(configuration)
        }
        enforcing = task
        await task.value
        isEnforced = true
        probe(snapshot)
        lookUp(snapshot)
        followLeases()
    }
}
