import Crypto
import Mesh

// What holds of services that no agent hosts.
extension CatalogPlan {
    mutating func check(_ target: ExternalTarget, _ part: Part) -> Bool {
        if target.allowsLocal, !caller.may(.sudo, on: part.resource.path) {
            refuse(
                part,
                "external.local_needs_sudo",
                "allow_local",
                "opens what only the host of \(target.agent) or its link can reach, which needs"
                    + " `sudo` on `\(part.resource.path)`",
                .forbidden
            )
        }
        if case .verified(_, let authorities) = target.security {
            for (index, bytes) in authorities.enumerated() {
                guard let problem = Self.problem(ofAuthority: bytes) else { continue }
                refuse(part, "external.ca", "tls.ca", "certificate \(index + 1) \(problem)")
            }
        }
        if state.lacksExternal(target.agent) {
            refuse(
                part,
                "external.agent_too_old",
                "agent",
                "the agent \(target.agent) is too old to connect outward: bring it up to date first",
                .conflict
            )
        }
        return require(.placement(target.service, target.agent), part) { plan in
            plan.refuse(
                part,
                "external.not_placed",
                "agent",
                "\(target.service) is not placed on \(target.agent): write"
                    + " placements/\(target.service)/\(target.agent) first"
            )
        }
    }

    /// Refuses what would make an agent host a service and connect outward for it.
    mutating func checkHosting(_ part: Part) {
        switch part.resource {
        case .instance(let instance):
            guard
                state.externals.contains(where: {
                    $0.service == instance.service && $0.agent == instance.agent
                })
            else { return }
            refuse(
                part,
                "instance.service_external",
                "service",
                "\(instance.agent) connects outward for \(instance.service): delete"
                    + " externals/\(instance.service)/\(instance.agent) first",
                .conflict
            )
        case .external(let target):
            let instance = state.instances.first {
                $0.service == target.service && $0.agent == target.agent
            }
            if let instance {
                refuse(
                    part,
                    "external.service_hosted",
                    "service",
                    "\(target.agent) hosts instance \(instance.name) of \(target.service): delete"
                        + " it first, or use another agent",
                    .conflict
                )
            }
            let count = state.externals.count { $0.agent == target.agent }
            guard count > ExternalTarget.perAgentMax else { return }
            refuse(
                part,
                "external.too_many",
                "agent",
                "\(target.agent) would have \(count) external targets, at most"
                    + " \(ExternalTarget.perAgentMax) are allowed: use a further agent",
                .conflict
            )
        case .namespace, .service, .placement, .upstream, .intention, .policy: return
        }
    }

    /// Why a certificate can vouch for nobody; its dates are for the agent to judge.
    private static func problem(ofAuthority bytes: [UInt8]) -> String? {
        do throws(CryptoError) {
            let certificate = try Certificate(der: bytes)
            _ = try certificate.publicKey()
            return certificate.isCA ? nil : "is no authority's: give the CA that signs the host's"
        } catch {
            return "cannot be read: \(error)"
        }
    }
}
