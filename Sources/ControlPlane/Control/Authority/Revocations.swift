package import Mesh
import Observability
import Snapshot
package import Store
package import Wire

/// Identities that are put out before their certificates end.
///
/// What was signed for them is denied by serial number in the next snapshot of every agent, and
/// nothing is signed for them until somebody allows them again; then new serial numbers pass.
package struct Revocations: Sendable {
    /// The longest reason, in bytes.
    package static let reasonMaxBytes = 256
    /// What is recorded where nobody said why.
    package static let reasonDefault = "unspecified"
    /// How long a certificate stays on the list after its end, for clocks that go slow.
    private static let slack = Duration.seconds(60)
    /// How long a cut-off stays: an agent that was away for longer than a manifest lives has cut
    /// what outlived its certificates by itself.
    private static let cutoffLife = Duration.seconds(25 * 3_600)

    let control: ControlPlane

    package init(_ control: ControlPlane) { self.control = control }

    /// What a revocation did.
    package struct Outcome: Sendable {
        /// From which revision on it is enforced.
        package let revision: Int64
        /// How many certificates are denied by it.
        package let certificateCount: Int
        /// Connected agents that are too old to be told.
        package let cannotEnforce: [AgentName]

        package init(revision: Int64, certificateCount: Int, cannotEnforce: [AgentName]) {
            self.revision = revision
            self.certificateCount = certificateCount
            self.cannotEnforce = cannotEnforce
        }
    }

    /// Signs no more for a service and denies all that was signed for it.
    package func revoke(
        _ service: ServiceName,
        reason: String,
        by caller: Caller
    ) async throws(ControlError) -> Outcome {
        try Self.check(reason)
        // Before: what is done must not be answered as a failure.
        let cannotEnforce = try await cannotEnforce()
        let (revision, count) = try await control.change(
            caller,
            action: "identity.revoke",
            resource: "services/\(service)"
        ) { change in
            try await RevocationRepository.lockForRevocation(of: service, in: change.database)
            let stored = try await ServiceRepository.find(
                [service],
                guardedBy: control.rowGuard,
                in: change.database
            )
            let isNew = try await RevocationRepository.insert(
                RevokedService(
                    service: service,
                    reason: reason,
                    revokedAt: change.at,
                    revokedBy: caller.principal
                ),
                in: change.database
            )
            let count = try await RevocationRepository.deny(
                service: service,
                reason: reason,
                in: change.database
            )
            // A name that never had an identity is a slip of the keyboard.
            guard !stored.isEmpty || count > 0 || !isNew else {
                throw ControlError.notFound(
                    Complaint("service.not_found", "there is no service \(service)")
                )
            }
            guard isNew || count > 0 else {
                change.audited.conclude(outcome: "unchanged")
                return (change.revision - 1, 0)
            }
            try await RevocationRepository.cutOff(service: service, in: change.database)
            try await conclude(change, count: count, reason: reason, by: caller)
            return (change.revision, count)
        }
        return Outcome(
            revision: revision,
            certificateCount: count,
            cannotEnforce: cannotEnforce
        )
    }

    /// Signs again for a service; what was denied stays denied.
    package func allow(
        _ service: ServiceName,
        by caller: Caller
    ) async throws(ControlError) -> Int64 {
        try await control.change(
            caller,
            action: "identity.allow",
            resource: "services/\(service)"
        ) { change in
            guard try await RevocationRepository.remove(service, in: change.database) else {
                throw ControlError.notFound(
                    Complaint("identity.not_revoked", "\(service) is not revoked")
                )
            }
            change.record(.trust, key: "revocations", .update)
            return change.revision
        }
    }

    /// The services that are out.
    package func list() async throws(ControlError) -> [RevokedService] {
        try await control.read { database in try await RevocationRepository.list(in: database) }
    }

    /// The services that are out, as the API shows them.
    package func documents() async throws(ControlError) -> [Document] {
        try await list().map { row in
            .fields([
                "service": .string(row.service.description),
                "reason": .string(row.reason),
                "revoked_at": .timestamp(row.revokedAt),
                "revoked_by": .string(row.revokedBy),
            ])
        }
    }

    /// Takes certificates that have ended off the list; costs a revision only where there are any.
    package func collect() async throws(ControlError) {
        let limit = control.now() - Self.slack
        let cut = control.now() - Self.cutoffLife
        let isDue = try await control.read { database in
            try await RevocationRepository.hasEnded(
                before: limit,
                cutBefore: cut,
                in: database
            )
        }
        guard isDue else { return }
        try await control.change(
            control.server,
            action: "revocations.collect",
            resource: "ca/revocations"
        ) { change in
            let count = try await RevocationRepository.forget(
                endedBefore: limit,
                cutBefore: cut,
                in: change.database
            )
            // Another replica was quicker.
            guard count > 0 else { return change.audited.conclude(outcome: "unchanged") }
            change.describe(.fields(["certificates": .number(count)]))
            change.record(.trust, key: "revocations", .update)
        }
    }

    /// Connected agents that cannot be told of revocations.
    package func cannotEnforce() async throws(ControlError) -> [AgentName] {
        let old = try await control.read { database in
            try await AgentStateRepository.connected(
                without: Feature.revocations.word,
                in: database
            )
        }
        for (agent, version) in old {
            control.logger.error(
                "an agent is too old to enforce revocations: bring it up to date",
                ["agent": .text(agent.text), "version": .text(version)]
            )
        }
        return old.map(\.agent)
    }

    /// Records a revocation in the feed and in the audit trail; refuses one that would make a
    /// list longer than agents take: whoever cannot read it believes nobody any more.
    ///
    /// The tokens that were given for these certificates end with them, and what these leased.
    func conclude(
        _ change: ChangeTransaction,
        count: Int,
        reason: String,
        by caller: Caller
    ) async throws {
        try await ClusterRepository.lockIdentity(in: change.database)
        try await control.tokens.endDenied(by: caller, change.audited)
        let cutoffs = try await RevocationRepository.cutoffs(in: change.database)
        guard cutoffs.count <= RevocationsSection.cutoffsMax else {
            throw ControlError.conflict(
                Complaint(
                    "revocation.too_many",
                    "connections of \(cutoffs.count) services would be cut off, more than"
                        + " \(RevocationsSection.cutoffsMax): rotate the intermediate or the root"
                        + " instead"
                )
            )
        }
        let denied = try await RevocationRepository.denied(in: change.database)
        guard denied.count <= RevocationsSection.serialsMax else {
            throw ControlError.conflict(
                Complaint(
                    "revocation.too_many",
                    "\(denied.count) certificates would be denied, more than"
                        + " \(RevocationsSection.serialsMax): rotate the intermediate or the root"
                        + " instead"
                )
            )
        }
        change.describe(
            .fields(["reason": .string(reason), "certificates": .number(count)])
        )
        // An older server takes this for a change of the trust document and looks at it again.
        change.record(.trust, key: "revocations", .update)
    }

    static func check(_ reason: String) throws(ControlError) {
        guard (1...reasonMaxBytes).contains(reason.utf8.count), Text.isPrintable(reason) else {
            throw .invalid(
                "revocation.invalid",
                field: "reason",
                "must have 1 to \(reasonMaxBytes) bytes and no control characters"
            )
        }
    }

    static func complaint(about revoked: RevokedService) -> Complaint {
        Complaint(
            "identity.revoked",
            "\(revoked.service) is revoked (\(revoked.reason)): nothing is signed for it until"
                + " `turnpike identity allow \(revoked.service)`"
        )
    }
}
