package import Mesh
import Postgres
import Store
package import Wire

/// Says who may reach whom and why, by the evaluator that agents use.
package struct Explainer: Sendable {
    /// The most rules about one destination that are looked at.
    static let rulesMax = 10_000
    /// The most rules without a say that an answer names.
    static let bystandersMax = 100

    private let control: ControlPlane

    init(_ control: ControlPlane) { self.control = control }

    /// Whether a source may reach a destination now, every rule that was considered, which agents
    /// enforce that already, and the latest refusal between the two.
    ///
    /// Of services that `isVisible` does not admit it is not said whether they exist.
    package func explain(
        source: ServiceName,
        destination: ServiceName,
        isVisible: (ServiceName) -> Bool = { _ in true }
    ) async throws(ControlError) -> AccessExplanation {
        try await control.read { database in
            let rows = try await IntentionRepository.find(
                about: destination,
                limit: Self.rulesMax + 1,
                guardedBy: control.rowGuard,
                in: database
            )
            guard rows.count <= Self.rulesMax else {
                throw ControlError.unavailable(
                    Complaint("explain.too_large", "too many intentions speak of \(destination)")
                )
            }
            let identity = SourceIdentity(trustDomain: control.trustDomain, service: source)
            let explanation = Mesh.explain(
                source: identity,
                destination: destination,
                question: .connection(requestsAreJudged: false),
                rules: rows.map(\.value),
                context: EvaluationContext(trustDomain: control.trustDomain, now: control.now())
            )
            let known = try await ServiceRepository.find(
                [source, destination],
                guardedBy: control.rowGuard,
                in: database
            )
            return AccessExplanation(
                source: source,
                destination: destination,
                unknown: [source, destination].filter { name in
                    isVisible(name) && !known.contains { $0.value.name == name }
                },
                explanation: explanation,
                rules: rows.map(\.value),
                revision: try await RevisionRepository.current(in: database),
                enforcement: try await enforcement(of: destination, in: database),
                latestRefusal: try await EnforcementRepository.latestRefusal(
                    sources: [identity.description, source.description],
                    destination: destination,
                    in: database
                ).map(DecisionExplanation.init)
            )
        }
    }

    /// A decision by the id that its caller was told.
    package func explain(
        decision id: UUIDv7
    ) async throws(ControlError) -> DecisionExplanation {
        let row = try await control.read { database in
            try await EnforcementRepository.decision(id, in: database)
        }
        guard let row else {
            throw .notFound(
                Complaint(
                    "decision.not_found",
                    "no decision or request \(id) is known: agents deliver theirs within seconds"
                        + " while they are connected, and keep refusals only; a request that was"
                        + " denied is remembered for a while by the replica that it was sent to"
                )
            )
        }
        return DecisionExplanation(row)
    }

    /// A request to the API by its id: the right that it lacked, or what it did; nil if nobody
    /// remembers it.
    package func explain(
        request id: UUIDv7
    ) async throws(ControlError) -> RequestExplanation? {
        let denial = control.denials.find(id.description)
        var filter = AuditFilter()
        filter.requestID = id.description
        filter.since = id.timestamp - Self.requestSpan
        filter.until = id.timestamp + Self.requestSpan
        let records = try await control.audit.list(filter, limit: Self.recordsMax).records
        return RequestExplanation(id, denial: denial, records: records.reversed())
    }

    /// The most audit records of one request that an answer holds.
    private static let recordsMax = 100
    /// How far the time in a request's id may lie from that of its records.
    private static let requestSpan: Duration = .seconds(3_600)

    private func enforcement(
        of destination: ServiceName,
        in database: PostgresTransaction
    ) async throws(PostgresError) -> AccessExplanation.Enforcement {
        let hosts = try await PlacementRepository.list(
            service: destination,
            after: nil,
            limit: Page<Stored<Placement>>.limitMax,
            guardedBy: control.rowGuard,
            in: database
        ).items.map(\.value.agent)
        let states = try await EnforcementRepository.states(of: hosts, in: database)
        return AccessExplanation.Enforcement(
            revision: try await EnforcementRepository.lastChange(of: destination, in: database),
            hosts: hosts.map { agent in
                let state = states.first { $0.agent == agent }
                return AccessExplanation.Host(
                    agent: agent,
                    revision: state?.revision,
                    acknowledgedAt: state?.acknowledgedAt
                )
            }
        )
    }
}

extension ControlPlane {
    /// Says who may reach whom and why.
    package var explainer: Explainer { Explainer(self) }
}
