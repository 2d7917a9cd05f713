import Crypto
import Mesh
import Reactor
import Snapshot
import Store
import Synchronization

/// Verifies, plans, signs and encodes manifests on threads of its own: a change that concerns a thousand
/// agents is a thousand signatures, and the reactor has everybody else to serve meanwhile.
final class ManifestSigner: Sendable {
    /// What one agent's manifest follows from.
    struct Order: Sendable {
        let agent: AgentName
        /// What was signed for it last, and its hash.
        let previous: (manifest: Manifest, hash: SHA256Digest)?
        /// The same as it was stored, where its stream has not been shown it yet.
        let unshown: StoredManifest?
        let floor: SnapshotMark?
        let sections: [EncodedSection]
        let lifetime: Duration
    }

    enum Outcome: Sendable {
        /// What the agent was shown holds.
        case nothing
        /// What was stored holds and has to be shown.
        case shown(PublishedSnapshot)
        case signed(PublishedSnapshot)
        case conflicting(AgentName)
        case failed(AgentName)
    }

    /// Manifests of one piece of work: few enough to spread over the threads.
    private static let portion = 25
    /// Signatures that are not verified again.
    private static let rememberedMax = 32_768

    private let reactor: Reactor
    private let pool: Mutex<WorkerPool?> = Mutex(nil)
    /// An agent that comes back has the manifest that it had, mostly one that was signed here.
    private let memory = SignatureMemory(countMax: rememberedMax)

    init(on reactor: Reactor) { self.reactor = reactor }

    /// What becomes of each order, in their order.
    func outcomes(
        of orders: [Order],
        _ plan: ManifestPlan,
        _ key: SigningKey
    ) async -> [Outcome] {
        await spread(orders) { [memory] in Self.decide($0, plan, key, memory) }
    }

    /// What each row says, in their order; nil for one that no server of this mesh wrote.
    func verified(
        _ rows: [PublishedManifest],
        signedBy keys: [PublicKey]
    ) async -> [StoredManifest?] {
        await spread(rows) { [memory] in
            StoredManifest($0, signedBy: keys, remembering: memory)
        }
    }

    private func spread<Item: Sendable, Output: Sendable>(
        _ items: [Item],
        _ work: @escaping @Sendable (Item) -> Output
    ) async -> [Output] {
        let portions = stride(from: 0, to: items.count, by: Self.portion).map { start in
            Array(items[start..<min(start + Self.portion, items.count)])
        }
        guard portions.count > 1, let pool = startedPool() else {
            return await here(items, work)
        }
        return await withTaskGroup(of: (Int, [Output]).self) { group in
            for (index, portion) in portions.enumerated() {
                group.addTask { [self] in
                    do throws(WorkerPool.Refusal) {
                        return (index, try await pool.run { portion.map(work) })
                    } catch {
                        return (index, await here(portion, work))
                    }
                }
            }
            var results = [[Output]](repeating: [], count: portions.count)
            for await (index, portion) in group { results[index] = portion }
            return Array(results.joined())
        }
    }

    /// A few are not worth the way to another thread and back; everybody else has turns between.
    private func here<Item: Sendable, Output: Sendable>(
        _ items: [Item],
        _ work: @Sendable (Item) -> Output
    ) async -> [Output] {
        var results: [Output] = []
        for item in items {
            await reactor.breathe()
            results.append(work(item))
        }
        return results
    }

    /// The threads come with the first burst; where the host has none left, the reactor works.
    private func startedPool() -> WorkerPool? {
        pool.withLock { pool in
            if pool == nil { pool = try? WorkerPool(name: "signer", queuedMax: 1_024) }
            return pool
        }
    }

    private static func decide(
        _ order: Order,
        _ plan: ManifestPlan,
        _ key: SigningKey,
        _ memory: SignatureMemory
    ) -> Outcome {
        let next = plan.next(
            for: order.agent,
            after: order.previous,
            floor: order.floor,
            sections: order.sections,
            lifetime: order.lifetime
        )
        switch next {
        case .keep:
            guard let stored = order.unshown,
                let snapshot = PublishedSnapshot(
                    manifest: stored.manifest,
                    envelope: stored.envelope,
                    sections: order.sections
                )
            else { return .nothing }
            return .shown(snapshot)
        case .sign(let manifest):
            guard let envelope = try? manifest.signed(by: key, remembering: memory),
                let snapshot = PublishedSnapshot(
                    manifest: manifest,
                    envelope: envelope,
                    sections: order.sections
                )
            else { return .failed(order.agent) }
            return .signed(snapshot)
        case .supersede: return .conflicting(order.agent)
        }
    }
}
