package import Mesh
import Observability
import Store
import Wire

/// Who calls, and may they.
package struct Identity: Sendable {
    private let control: ControlPlane

    init(_ control: ControlPlane) { self.control = control }

    /// The caller who shows a token; the database's clock decides about its end.
    ///
    /// `token` is nil when the request holds no credential. Refusals are counted per source and
    /// minute; nobody is ever locked out for the wrong tokens of others.
    package func authenticate(
        token: String?,
        sourceAddress: String,
        requestID: String
    ) async throws(ControlError) -> Caller {
        guard let token else { throw refusal(.missing, sourceAddress) }
        guard let secret = TokenText.secret(of: token) else {
            throw refusal(.malformed, sourceAddress)
        }
        let hmacs = control.keyring.hmacs(of: secret, label: TokenText.label)
        guard let hmac = hmacs.first else { throw refusal(.unknown, sourceAddress) }
        let instant = control.surroundings.instant()
        if let known = control.principals.find(hmac, now: instant) {
            return known.during(requestID: requestID, sourceAddress: sourceAddress)
        }
        guard control.lookups.enter(sourceAddress) else { throw tooMany(sourceAddress) }
        defer { control.lookups.leave(sourceAddress) }
        let generation = control.principals.generation
        let (row, policies, now) = try await control.read { database in
            let (row, now) = try await TokenRepository.find(
                anyHMAC: hmacs,
                guardedBy: control.rowGuard,
                in: database
            )
            let names = row?.policies ?? []
            let policies = try await control.policies.resolve(names, in: database)
            return (row, policies, now)
        }
        guard let row else { throw refusal(.unknown, sourceAddress) }
        if row.revokedAt != nil { throw refusal(.revoked, sourceAddress) }
        guard row.isLive(at: now) else { throw refusal(.expired, sourceAddress) }
        let caller = Caller(
            principal: "token/\(row.accessor)",
            accessor: row.accessor,
            displayName: row.displayName,
            policies: policies,
            sourceAddress: sourceAddress,
            requestID: requestID
        )
        let lifetime = min(PrincipalCache.lifetime, row.expiresAt.duration(since: now))
        control.principals.insert(
            caller,
            hmac: hmac,
            until: instant.advanced(by: lifetime),
            generation: generation
        )
        return caller
    }

    /// Refuses a caller who lacks a capability on a canonical path without leading slash.
    package func authorise(
        _ caller: Caller,
        _ capability: Capability,
        on path: String
    ) throws(ControlError) {
        guard !caller.may(capability, on: path) else { return }
        recordDenial(of: caller, capability, on: path)
        throw .forbidden(
            Complaint(
                "access.denied",
                "\(caller.principal) lacks the capability \(capability.rawValue) on \(path):"
                    + " a policy must grant it"
            )
        )
    }

    /// Counts a right that a caller lacked, for the audit trail, and remembers it for `explain`.
    package func recordDenial(of caller: Caller, _ capability: Capability, on path: String) {
        control.denials.keep(
            CallDenial(
                requestID: caller.requestID,
                principal: caller.principal,
                capability: capability,
                path: Redaction.text(path),
                at: control.now()
            )
        )
        control.metrics.counter(MetricNames.callRefusals, labels: ["denied"]).increment()
        control.refusals.count(
            source: caller.sourceAddress,
            principal: caller.principal,
            reason: "denied",
            resource: Redaction.text(path),
            now: control.now()
        )
    }

    /// Why nobody could be recognised.
    private enum Refusal: String {
        case missing, malformed, unknown, expired, revoked

        var complaint: Complaint {
            switch self {
            case .missing:
                Complaint(
                    "token.missing",
                    "a token is needed: send it as Authorization: Bearer or X-Vault-Token"
                )
            case .malformed:
                Complaint("token.unknown", "this is no token of this server: they begin with tp.")
            case .unknown: Complaint("token.unknown", "the token is unknown: ask for a new one")
            case .expired: Complaint("token.expired", "the token has expired: ask for a new one")
            case .revoked: Complaint("token.revoked", "the token was revoked: ask for a new one")
            }
        }
    }

    private func tooMany(_ sourceAddress: String) -> ControlError {
        let reason = "too_many_lookups"
        control.metrics.counter(MetricNames.callRefusals, labels: [reason]).increment()
        control.refusals.count(source: sourceAddress, reason: reason, now: control.now())
        return .tooMany(
            Complaint("token.too_many", "too many new tokens at once from this address: slow down"),
            retryAfter: .seconds(1)
        )
    }

    private func refusal(_ refusal: Refusal, _ sourceAddress: String) -> ControlError {
        let reason = "token_\(refusal.rawValue)"
        control.metrics.counter(MetricNames.callRefusals, labels: [reason]).increment()
        control.refusals.count(source: sourceAddress, reason: reason, now: control.now())
        return .unauthenticated(refusal.complaint)
    }
}

extension ControlPlane {
    /// Who calls, and may they.
    package var identity: Identity { Identity(self) }

    /// Writes the refusals of minutes that are over into the audit trail, one record for each
    /// source, principal and reason.
    package func keepRefusals(includingCurrentMinute: Bool = false) async throws(ControlError) {
        let due = refusals.takeDue(
            now: now(),
            includingCurrentMinute: includingCurrentMinute
        )
        guard !due.isEmpty else { return }
        let entries = due.map(entry)
        do throws(SpineFailure) {
            try await spine.act(entries[0]) { act in
                for entry in entries.dropFirst() { act.audit(entry) }
            }
        } catch {
            refusals.restore(due)
            throw ControlError(error, logger: logger)
        }
    }

    private func entry(_ refused: RefusalCounter.Count) -> AuditEntry {
        let key = refused.key
        let minute = Timestamp(secondsSinceEpoch: key.minute * 60)
        return AuditEntry(
            actor: key.principal.isEmpty ? "unauthenticated" : key.principal,
            action: "call.refused",
            resource: key.resource,
            outcome: "refused",
            reason: key.reason,
            sourceAddress: key.source.isEmpty ? nil : key.source,
            detail: ["count": .number(refused.count), "minute": .timestamp(minute)]
        )
    }
}
