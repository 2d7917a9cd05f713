import Crypto
package import Mesh
import Observability
import Postgres
package import Snapshot
import Store
import Wire

/// Takes over what agents have decided: each batch once, each chain without a silent gap.
package struct EvidenceIntake: Sendable {
    /// What is not as it should be; the batch is stored all the same as far as it may be.
    fileprivate enum Finding: String {
        /// The batch does not follow what is stored: something was lost or rewritten.
        case brokenChain = "broken_chain"
        /// The numbers of batches do not follow each other, so flows may be missing.
        case skippedBatch = "skipped_batch"
        /// Decisions or flows of services that were never placed on the agent; not stored.
        case foreignService = "foreign_service"
        /// The agent had to drop decisions.
        case dropped = "dropped"
        /// Decisions under ids that are stored already.
        case knownID = "known_id"
    }

    /// What one batch came to.
    fileprivate struct Receipt {
        var decisionCount = 0
        var findings: [(finding: Finding, detail: Document)] = []
    }

    /// Undoes a transaction that must be audited and was not begun as such.
    private struct NeedsAudit: Error {}

    private let control: ControlPlane

    init(_ control: ControlPlane) { self.control = control }

    /// Stores a batch, or nothing of it; a batch that is stored already changes nothing.
    ///
    /// - Throws: `invalid` for a batch that speaks for another agent.
    package func store(
        _ batch: EvidenceBatch,
        from agent: AgentName
    ) async throws(ControlError) {
        guard batch.decisions.allSatisfy({ $0.agent == agent }) else {
            throw .invalid("evidence.other_agent", field: "decisions", "must be the agent's own")
        }
        let receipt: Receipt
        do throws(SpineFailure) {
            receipt = try await control.spine.write { database in
                let receipt = try await enter(batch, agent, database)
                guard receipt.findings.isEmpty else { throw NeedsAudit() }
                return receipt
            }
        } catch {
            guard case .body(let failure) = error, failure is NeedsAudit else {
                throw ControlError(error, logger: control.logger)
            }
            receipt = try await storeAudited(batch, agent)
        }
        control.metrics.counter(MetricNames.evidenceReceived).increment(by: receipt.decisionCount)
    }

    private func storeAudited(
        _ batch: EvidenceBatch,
        _ agent: AgentName
    ) async throws(ControlError) -> Receipt {
        let receipt = try await control.act(
            control.server,
            action: "evidence.store",
            resource: "agents/\(agent)"
        ) { act in
            let receipt = try await enter(batch, agent, act.database)
            let words = receipt.findings.map(\.finding.rawValue)
            act.conclude(outcome: "alarm", reason: words.first ?? "none")
            act.describe(
                .fields([
                    "batch": .number(batch.batch),
                    "findings": .list(
                        receipt.findings.map { finding in
                            .fields([
                                "finding": .string(finding.finding.rawValue),
                                "detail": finding.detail,
                            ])
                        }
                    ),
                ])
            )
            return receipt
        }
        for (finding, _) in receipt.findings {
            control.metrics.counter(MetricNames.evidenceAlarms, labels: [finding.rawValue])
                .increment()
            control.logger.error(
                "evidence of an agent is not as it should be",
                ["agent": .text(agent.text), "finding": .text(finding.rawValue)]
            )
        }
        control.metrics.counter(MetricNames.evidenceDropped)
            .increment(by: Int(clamping: batch.dropped))
        return receipt
    }

    private func enter(
        _ batch: EvidenceBatch,
        _ agent: AgentName,
        _ database: PostgresTransaction
    ) async throws -> Receipt {
        var receipt = Receipt()
        var head = try await EvidenceRepository.lockHead(
            of: agent,
            beginning: EvidencePosition.beginning(of: agent).hash,
            in: database
        )
        let isNew = try await EvidenceRepository.enter(
            batch: Int64(clamping: batch.batch),
            digest: SHA256.digest(of: JSON.canonical(batch.document)),
            of: agent,
            in: database
        )
        guard isNew else { return receipt }
        check(batch, against: &head, &receipt)
        let placed = try await EvidenceRepository.everPlaced(
            services(of: batch),
            on: agent,
            in: database
        )
        let entries = zip(batch.decisions, batch.positions).map { decision, position in
            ChainedDecision(
                decision,
                sequence: Int64(clamping: position.sequence),
                hash: position.hash
            )
        }
        let own = entries.filter { isOwn($0.decision, placed) }
        let flows = batch.flows.filter { placed.contains($0.destination) }
        let foreignCount = entries.count - own.count + batch.flows.count - flows.count
        if foreignCount > 0 { receipt.note(.foreignService, ["count": .number(foreignCount)]) }
        let stored = try await EvidenceRepository.append(
            own,
            of: agent,
            chain: head.chain,
            in: database
        )
        if stored < own.count { receipt.note(.knownID, ["count": .number(own.count - stored)]) }
        try await EvidenceRepository.add(flows, of: agent, in: database)
        let end = batch.head
        head.sequence = Int64(clamping: end.sequence)
        head.hash = end.hash
        head.batch = Int64(clamping: batch.batch)
        let (dropped, isOverflow) = head.dropped.addingReportingOverflow(
            Int64(clamping: batch.dropped)
        )
        head.dropped = isOverflow ? .max : dropped
        if batch.dropped > 0 { receipt.note(.dropped, ["count": .number(batch.dropped)]) }
        try await EvidenceRepository.setHead(head, of: agent, in: database)
        receipt.decisionCount = stored
        return receipt
    }

    /// A break begins a new chain, so that places are never given twice.
    private func check(
        _ batch: EvidenceBatch,
        against head: inout EvidenceHead,
        _ receipt: inout Receipt
    ) {
        let isLinked =
            Int64(clamping: batch.previous.sequence) == head.sequence
            && batch.previous.hash == head.hash
        if !isLinked {
            head.chain += 1
            receipt.note(
                .brokenChain,
                [
                    "chain": .number(head.chain),
                    "stored_sequence": .number(head.sequence),
                    "stored_hash": .string(head.hash.hex),
                    "shown_sequence": .number(batch.previous.sequence),
                    "shown_hash": .string(batch.previous.hash.hex),
                ]
            )
        } else if Int64(clamping: batch.batch) != head.batch &+ 1 {
            receipt.note(
                .skippedBatch,
                ["stored": .number(head.batch), "shown": .number(batch.batch)]
            )
        }
    }

    /// The services that decide whether the agent may speak of them.
    private func services(of batch: EvidenceBatch) -> Set<ServiceName> {
        var services = Set(batch.flows.map(\.destination))
        for decision in batch.decisions {
            if let destination = decision.destination { services.insert(destination) }
            if let source = service(decision.source) { services.insert(source) }
        }
        return services
    }

    private func service(_ id: SPIFFEID?) -> ServiceName? {
        guard let id, id.trustDomain == control.trustDomain, case .service(let name) = id.subject
        else { return nil }
        return name
    }

    /// The destination's agent decides; the source's agent records its own refusals; who asked for
    /// nothing that exists was refused by whoever was asked.
    private func isOwn(_ decision: Decision, _ placed: Set<ServiceName>) -> Bool {
        if let destination = decision.destination, placed.contains(destination) { return true }
        guard decision.verdict == .deny else { return false }
        if let source = service(decision.source), placed.contains(source) { return true }
        return decision.destination == nil
    }
}

extension EvidenceIntake.Receipt {
    fileprivate mutating func note(
        _ finding: EvidenceIntake.Finding,
        _ detail: KeyValuePairs<String, Document?>
    ) {
        findings.append((finding, .fields(detail)))
    }
}

extension ControlPlane {
    /// Where agents' decisions go.
    package var evidence: EvidenceIntake { EvidenceIntake(self) }
}
