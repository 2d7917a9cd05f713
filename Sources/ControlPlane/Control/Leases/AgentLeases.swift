import Mesh
import Snapshot
import Store
import Wire

/// Leases that agents ask for in the name of the workloads on their hosts.
///
/// The password is made by the agent and stays there; what comes here is a verifier.
struct AgentLeases: Sendable {
    private let control: ControlPlane

    init(_ control: ControlPlane) { self.control = control }

    /// Who the leases of an agent belong to, in audit records and bounds.
    private static func caller(_ agent: AgentName, at address: String) -> Caller {
        Caller(principal: "agent/\(agent)", displayName: agent.text, sourceAddress: address)
    }

    /// Does what an agent asks for; the lease as it is then, nil for one that was revoked.
    func perform(
        _ act: AgentLeaseRequest.Act,
        for agent: AgentName,
        at address: String,
        by distribution: Distribution
    ) async throws(ControlError) -> LeasedAccount? {
        let caller = Self.caller(agent, at: address)
        switch act {
        case .issue(let port, let profile, let verifier):
            let rights = try await distribution.leaseRights(
                of: agent,
                profile: profile,
                port: port
            )
            try await decide(rights.first, profile, port, by: caller)
            let target = try await target(of: control.profiles.find(profile).profile)
            let role = try await control.leases.issue(
                LeaseRequest(profile: profile),
                verifier: verifier,
                by: caller
            )
            return account(role.lease, remaining: role.remaining, on: target)
        case .renew(let name):
            let lease = try await own(name, of: caller)
            let rights = try await distribution.leaseRights(
                of: agent,
                profile: lease.plan.name,
                port: nil
            )
            guard let right = rights.first, right.ruling.isAllowed else {
                throw Self.refusal(rights.first, lease.plan.name)
            }
            let target = try await target(of: lease.plan)
            let (renewed, remaining, _) = try await control.leases.renew(name, by: nil, by: caller)
            return account(renewed, remaining: remaining, on: target)
        case .revoke(let name):
            _ = try await own(name, of: caller)
            try await control.leases.revoke(name, isAwaited: false, by: caller)
            return nil
        }
    }

    /// Puts on record for which workload a lease is asked for, and what the rules say about that.
    private func decide(
        _ right: LeaseRight?,
        _ profile: ProfileName,
        _ port: UInt16,
        by caller: Caller
    ) async throws(ControlError) {
        try await control.act(
            caller,
            action: "lease.ask",
            resource: Leases.path(profile)
        ) { act in
            var detail = Document.fields(["port": .number(port)])
            if let right {
                detail.set("source", .string(right.upstream.source.description))
                detail.set("destination", .string(right.upstream.destination.description))
                detail.set("rule", right.ruling.ruleID.map { .string("\($0)") } ?? Document.null)
                detail.set("revision", .number(right.revision))
            }
            act.describe(detail)
            if right?.ruling.isAllowed != true {
                act.conclude(
                    outcome: "refused",
                    reason: right?.ruling.reason.rawValue ?? "no_such_upstream"
                )
            }
        }
        guard right?.ruling.isAllowed == true else { throw Self.refusal(right, profile) }
    }

    private static func refusal(_ right: LeaseRight?, _ profile: ProfileName) -> ControlError {
        guard let right else {
            return .forbidden(
                Complaint(
                    "lease.no_upstream",
                    "no upstream port of this agent leases from the profile \(profile) for a"
                        + " service that is placed on it"
                )
            )
        }
        return .forbidden(
            Complaint(
                "lease.not_allowed",
                "\(right.upstream.source) may not reach \(right.upstream.destination):"
                    + " \(right.ruling.reason.sentence)"
            )
        )
    }

    /// A lease that this very agent asked for.
    private func own(_ name: LeaseID, of caller: Caller) async throws(ControlError) -> LeaseRow {
        let lease = try await control.leases.find(name)
        guard lease.isAuthentic, lease.principal == caller.principal else {
            throw .forbidden(
                Complaint("lease.not_own", "the lease \(name) is none of this agent's")
            )
        }
        return lease
    }

    private struct Place {
        let host: OutsideHost
        let port: UInt16
        let authorities: [[UInt8]]
        let database: String
    }

    /// Where an agent finds the database; only what it can verify is of use to it.
    private func target(of profile: LeaseProfile) async throws(ControlError) -> Place {
        let row = try await control.targets.find(profile.target)
        guard case .host(let host, let port) = row.target.place,
            case .verified(let authorities) = row.target.security
        else {
            throw .conflict(
                Complaint(
                    "lease.target_in_clear",
                    "the target \(profile.target) is reached in clear, by this server alone: give it"
                        + " a host and tls with a ca, so that agents can verify it"
                )
            )
        }
        return Place(
            host: host,
            port: port,
            authorities: authorities,
            database: row.target.database
        )
    }

    private func account(
        _ lease: LeaseRow,
        remaining: Duration,
        on place: Place
    ) -> LeasedAccount {
        var settings: [String] = []
        if case .managed(let plan) = lease.plan.plan { settings = plan.settings.map(\.name) }
        return LeasedAccount(
            lease: lease.name,
            remaining: remaining,
            mostRemaining: remaining + (lease.maxExpiresAt - lease.expiresAt),
            host: place.host,
            port: place.port,
            authorities: place.authorities,
            database: place.database,
            settings: settings
        )
    }
}
