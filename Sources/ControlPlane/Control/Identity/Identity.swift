import Crypto
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
    /// `token` is nil when the request holds no credential; `certificate` is what the connection has shown,
    /// which counts for tokens that are bound to it and for nothing else. Refusals are counted per source and
    /// minute; nobody is ever locked out for the wrong tokens of others.
    package func authenticate(
        token: String?,
        sourceAddress: String,
        requestID: String,
        certificate: PresentedCertificate? = nil
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
        let (row, policies, now, isAbove) = try await control.read { database in
            let (row, now) = try await TokenRepository.find(
                anyHMAC: hmacs,
                guardedBy: control.rowGuard,
                in: database
            )
            let policies = try await control.policies.resolve(row?.policies ?? [], in: database)
            guard let row, row.traits?.parent != nil else { return (row, policies, now, true) }
            let isAbove = try await control.tokens.isLive(row, at: now, in: database)
            return (row, policies, now, isAbove)
        }
        guard let row else { throw refusal(.unknown, sourceAddress) }
        if row.revokedAt != nil { throw refusal(.revoked, sourceAddress) }
        guard row.isLive(at: now) else { throw refusal(.expired, sourceAddress) }
        // A token ends with any token above it.
        guard isAbove else { throw refusal(.revoked, sourceAddress) }
        let caller = Caller(
            principal: "token/\(row.accessor)",
            accessor: row.accessor,
            displayName: row.displayName,
            policies: policies,
            sourceAddress: sourceAddress,
            requestID: requestID
        )
        if let traits = row.traits {
            guard Self.mayCome(from: sourceAddress, traits.boundCIDRs) else {
                throw refusal(.elsewhere, sourceAddress)
            }
            if let bound = traits.certificate {
                guard try await isShown(bound, certificate) else {
                    throw refusal(.certificate, sourceAddress)
                }
            }
            if traits.usesLeft != nil { try await use(row, sourceAddress) }
            // What is bound to an address, a certificate or a number of uses is looked at each time.
            if traits.usesLeft != nil || !traits.boundCIDRs.isEmpty || traits.certificate != nil {
                return caller
            }
        }
        let lifetime = min(PrincipalCache.lifetime, row.expiresAt.duration(since: now))
        control.principals.insert(
            caller,
            hmac: hmac,
            until: instant.advanced(by: lifetime),
            generation: generation
        )
        return caller
    }

    /// Whether a connection has shown the certificate of a thumbprint, and it still stands.
    private func isShown(
        _ thumbprint: String,
        _ certificate: PresentedCertificate?
    ) async throws(ControlError) -> Bool {
        guard let certificate,
            constantTimeEquals(Array(certificate.thumbprint.utf8), Array(thumbprint.utf8))
        else { return false }
        return try await control.read { database in
            let now = try await ServerRepository.time(in: database)
            return try await certificate.isStanding(at: now, in: database)
        }
    }

    static func mayCome(from source: String, _ ranges: [String]) -> Bool {
        if ranges.isEmpty { return true }
        guard let address = try? IPAddress(source) else { return false }
        return ranges.contains { text in
            (try? AddressRange(text))?.contains(address) ?? false
        }
    }

    /// Takes one use from a token; two requests never take the same.
    private func use(_ row: TokenRow, _ sourceAddress: String) async throws(ControlError) {
        let isTaken = try await control.write { database in
            let found = try await TokenRepository.lock(
                accessor: row.accessor,
                guardedBy: control.rowGuard,
                in: database
            )
            let now = try await ServerRepository.time(in: database)
            guard var token = found, token.isLive(at: now), let left = token.traits?.usesLeft,
                left > 0
            else { return false }
            token.traits?.usesLeft = left - 1
            try await TokenRepository.update(token, guardedBy: control.rowGuard, in: database)
            // With its last use it has ended, and so does what it leased.
            if left == 1 {
                _ = try await LeaseRepository.requestRevocation(
                    of: .tokens(below: token.accessor),
                    because: "token_used_up",
                    in: database
                )
            }
            return true
        }
        guard isTaken else { throw refusal(.expired, sourceAddress) }
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
        case missing, malformed, unknown, expired, revoked, elsewhere, certificate

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
            case .certificate:
                Complaint(
                    "token.certificate",
                    "the token counts only together with the certificate that it was made for"
                )
            case .elsewhere:
                Complaint("token.elsewhere", "the token may not be used from this address")
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
