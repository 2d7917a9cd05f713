import Crypto
package import Mesh
import Observability
import Snapshot
import Store
import Wire

/// How a host becomes an agent, stays one, and is recognised.
package struct Enrolment: Sendable {
    let control: ControlPlane
    let authority: Authority
    /// What signs for it.
    package let issuance: Issuance

    package init(_ control: ControlPlane, _ authority: Authority) {
        self.control = control
        self.authority = authority
        issuance = Issuance(control, authority)
    }

    /// The trust document that a host checks against its join token before it sends anything.
    package func trustEnvelope() throws(ControlError) -> [UInt8] {
        guard let trust = authority.trust else { throw AuthorityView.noTrust }
        return trust.envelope.encoded
    }

    /// Redeems a join token: the host's key becomes the agent's, an earlier one is revoked.
    ///
    /// The same key may redeem it again until it ends, since an answer may be lost; another key
    /// may not. The caller learns one reason for every kind of bad token, the audit trail the
    /// true one.
    package func enrol(
        secret: [UInt8],
        request: [UInt8],
        by caller: Caller
    ) async throws(ControlError) -> (agent: AgentName, certificate: IssuedCertificate) {
        let key = try issuance.publicKey(of: request)
        let hmacs = control.keyring.hmacs(of: secret, label: JoinTokens.label)
        try await requireKnown(hmacs, caller)
        let outcome = try await control.change(
            caller,
            action: "agent.enrol",
            resource: "agents"
        ) { change -> EnrolmentOutcome in
            let found = try await JoinTokenRepository.lock(
                anyHMAC: hmacs,
                guardedBy: control.rowGuard,
                in: change.database
            )
            guard let token = found else { return refuse("unknown join token", change) }
            change.audited.concern("agents/\(token.agent)")
            guard
                let existing = try await AgentRepository.find(
                    token.agent,
                    guardedBy: control.rowGuard,
                    in: change.database
                )
            else { throw Agents.notFound(token.agent) }
            if let reason = reasonAgainst(token, key, of: existing.value, at: change.at) {
                return refuse(reason, change)
            }
            return .enrolled(token.agent, try await redeem(token, key, existing, change))
        }
        switch outcome {
        case .enrolled(let agent, let certificate): return (agent, certificate)
        case .refused: throw Self.refusal
        }
    }

    private static var refusal: ControlError {
        .unauthenticated(
            Complaint(
                "join_token.refused",
                "this join token does not count: it is unknown, has ended, or was used by"
                    + " another key; ask for a fresh one (`turnpike agent invite NAME`)"
            )
        )
    }

    /// Refuses a secret that nobody made before any lock is taken and any record written.
    ///
    /// Whoever guesses floods neither; such refusals are counted per source and minute.
    private func requireKnown(
        _ hmacs: [[UInt8]],
        _ caller: Caller
    ) async throws(ControlError) {
        let source = caller.sourceAddress
        guard control.lookups.enter(source) else {
            throw .tooMany(
                Complaint("join_token.too_many", "too many attempts from here at once; wait"),
                retryAfter: .seconds(1)
            )
        }
        defer { control.lookups.leave(source) }
        let known = try await control.read { database in
            try await JoinTokenRepository.find(
                anyHMAC: hmacs,
                guardedBy: control.rowGuard,
                in: database
            )
        }
        guard known == nil else { return }
        let reason = "join_token_unknown"
        control.metrics.counter(MetricNames.callRefusals, labels: [reason]).increment()
        control.refusals.count(source: source, reason: reason, now: control.now())
        throw Self.refusal
    }

    /// A new certificate for an agent that is connected with its current key; the key stays.
    ///
    /// A new key needs a new join token: whoever stole a running host's connection cannot move
    /// its identity to a key of their own.
    package func renew(
        _ agent: AgentName,
        request: [UInt8]
    ) async throws(ControlError) -> IssuedCertificate {
        try authority.allowances.take(for: agent, now: control.surroundings.instant())
        let key = try issuance.publicKey(of: request)
        let caller = Caller(principal: "agent/\(agent)", displayName: agent.text)
        return try await control.act(caller, action: "agent.renew", resource: "agents/\(agent)") {
            act in
            try await RevocationRepository.lockForIssuance(of: nil, to: agent, in: act.database)
            let found = try await AgentRepository.find(
                agent,
                guardedBy: control.rowGuard,
                in: act.database
            )
            guard let row = found,
                row.value.state == .enrolled, row.value.spkiHash == key.keyID.bytes
            else {
                throw ControlError.forbidden(
                    Complaint(
                        "agent.other_key",
                        "only the key that \(agent) was enrolled with is renewed; enrol again for"
                            + " a new one"
                    )
                )
            }
            return try await issuance.issueAgentLeaf(agent, for: key, in: act)
        }
    }

    /// The agent behind a verified certificate of a connection, if it still counts.
    package func agent(
        id: SPIFFEID,
        spkiHash: [UInt8]
    ) async throws(ControlError) -> AgentName {
        guard case .agent(let name) = id.subject, id.trustDomain == control.trustDomain else {
            throw .forbidden(
                Complaint("agent.required", "this port is for agents; \(id) is none")
            )
        }
        let row = try await control.look { reader in
            try await AgentRepository.find(name, guardedBy: control.rowGuard, in: reader)
        }
        guard let row, row.value.state == .enrolled, row.value.spkiHash == spkiHash else {
            throw .forbidden(
                Complaint(
                    "agent.not_enrolled",
                    "\(name) is not enrolled with this key; run `turnpike agent invite \(name)`"
                        + " and join again"
                )
            )
        }
        return name
    }

    /// The agent behind a verified leaf: enrolled, with the key that this leaf was issued for, and
    /// the leaf not revoked.
    package func agent(
        spiffeID: String,
        serialNumber: [UInt8]
    ) async throws(ControlError) -> AgentName {
        let id: SPIFFEID
        do {
            id = try SPIFFEID(spiffeID)
        } catch {
            throw .forbidden(Complaint("agent.required", "this port is for agents: \(error)"))
        }
        // All agents come at once to a server that starts: as looks they share round trips, where as
        // transactions they would keep everybody else from the database.
        let certificate = try await control.look { reader in
            try await CertificateRepository.find(serialNumber, in: reader)
        }
        guard let certificate, certificate.kind == .agent, certificate.spiffeID == spiffeID,
            certificate.revokedAt == nil
        else {
            throw .forbidden(
                Complaint(
                    "agent.not_enrolled",
                    "this certificate counts no longer; run `turnpike agent invite` and join again"
                )
            )
        }
        return try await agent(id: id, spkiHash: certificate.spkiHash)
    }

    private enum EnrolmentOutcome: Sendable {
        case enrolled(AgentName, IssuedCertificate)
        case refused
    }

    /// A refusal is committed with its audit record, so it is an outcome, not an error.
    private func refuse(_ reason: String, _ change: ChangeTransaction) -> EnrolmentOutcome {
        change.audited.conclude(outcome: "denied", reason: reason)
        return .refused
    }

    private func reasonAgainst(
        _ token: JoinTokenRow,
        _ key: PublicKey,
        of agent: AgentRow,
        at now: Timestamp
    ) -> String? {
        if token.revokedAt != nil { return "revoked join token" }
        if token.expiresAt <= now { return "expired join token" }
        guard let redeemed = token.redeemedSPKI else { return nil }
        let spki = key.keyID.bytes
        guard redeemed == spki else { return "join token used by another key" }
        // The key was replaced or put out since: its old token must not bring it back.
        return agent.spkiHash == spki ? nil : "join token of a replaced key"
    }

    private func redeem(
        _ token: JoinTokenRow,
        _ key: PublicKey,
        _ existing: Stored<AgentRow>,
        _ change: ChangeTransaction
    ) async throws -> IssuedCertificate {
        let spki = key.keyID.bytes
        var token = token
        token.redeemedSPKI = spki
        token.redeemedAt = token.redeemedAt ?? change.at
        try await JoinTokenRepository.put(
            token,
            guardedBy: control.rowGuard,
            in: change.database
        )
        if existing.value.state != .enrolled || existing.value.spkiHash != spki {
            var agent = existing.value
            agent.state = .enrolled
            agent.spkiHash = spki
            agent.enrolledAt = change.at
            try await AgentRepository.put(
                Agents.row(agent, existing, change, control.server),
                guardedBy: control.rowGuard,
                in: change.database
            )
            try await CertificateRepository.revokeAgent(
                token.agent,
                keeping: spki,
                in: change.database
            )
            change.record(.agent, key: token.agent.text, .update)
        }
        return try await issuance.issueAgentLeaf(token.agent, for: key, in: change.audited)
    }
}
