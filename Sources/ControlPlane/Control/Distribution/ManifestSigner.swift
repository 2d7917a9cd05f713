import Crypto
import Mesh
import Reactor
import Snapshot
import Synchronization

/// Plans, signs and encodes manifests on threads of its own: a change that concerns a thousand
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

    /// Orders of one piece of work: few enough to spread over the threads, and for the reactor
    /// where there are none.
    private static let portion = 25

    private let reactor: Reactor
    private let pool: Mutex<WorkerPool?> = Mutex(nil)

    init(on reactor: Reactor) { self.reactor = reactor }

    /// What becomes of each order, in their order.
    func outcomes(
        of orders: [Order],
        _ plan: ManifestPlan,
        _ key: SigningKey
    ) async -> [Outcome] {
        let portions = stride(from: 0, to: orders.count, by: Self.portion).map { start in
            Array(orders[start..<min(start + Self.portion, orders.count)])
        }
        guard portions.count > 1, let pool = startedPool() else {
            return await here(portions, plan, key)
        }
        return await withTaskGroup(of: (Int, [Outcome]).self) { group in
            for (index, portion) in portions.enumerated() {
                group.addTask { [reactor] in
                    do throws(WorkerPool.Refusal) {
                        return (index, try await pool.run { Self.decide(portion, plan, key) })
                    } catch {
                        return (index, await Self.decide(portion, plan, key, on: reactor))
                    }
                }
            }
            var results = [[Outcome]](repeating: [], count: portions.count)
            for await (index, outcomes) in group { results[index] = outcomes }
            return Array(results.joined())
        }
    }

    /// A few signatures are not worth the way to another thread and back.
    private func here(
        _ portions: [[Order]],
        _ plan: ManifestPlan,
        _ key: SigningKey
    ) async -> [Outcome] {
        var outcomes: [Outcome] = []
        for portion in portions {
            outcomes += await Self.decide(portion, plan, key, on: reactor)
        }
        return outcomes
    }

    /// The threads come with the first burst; where the host has none left, the reactor works.
    private func startedPool() -> WorkerPool? {
        pool.withLock { pool in
            if pool == nil { pool = try? WorkerPool(name: "signer", queuedMax: 1_024) }
            return pool
        }
    }

    private static func decide(
        _ orders: [Order],
        _ plan: ManifestPlan,
        _ key: SigningKey,
        on reactor: Reactor
    ) async -> [Outcome] {
        // Lets everybody else have a turn first.
        try? await reactor.sleep(for: .zero)
        return decide(orders, plan, key)
    }

    private static func decide(
        _ orders: [Order],
        _ plan: ManifestPlan,
        _ key: SigningKey
    ) -> [Outcome] {
        orders.map { decide($0, plan, key) }
    }

    private static func decide(
        _ order: Order,
        _ plan: ManifestPlan,
        _ key: SigningKey
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
            guard let envelope = try? manifest.signed(by: key),
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
