import Crypto
import Mesh
import Snapshot

extension DistributionServices {
    /// What the opened authority gives.
    package init(_ control: ControlPlane, _ authority: Authority) {
        let issuance = Issuance(control, authority)
        let enrolment = Enrolment(control, authority)
        self.init(
            agentIdentity: { peer throws(ControlError) in
                try await enrolment.agent(
                    spiffeID: peer.spiffeID,
                    serialNumber: peer.serialNumber
                )
            },
            issueLeaf: { request throws(ControlError) in
                guard let service = request.service else {
                    return try await enrolment.renew(request.agent, request: request.csr).chain
                }
                let caller = Caller(
                    principal: "agent/\(request.agent)",
                    displayName: request.agent.text,
                    sourceAddress: request.peer.address
                )
                return try await issuance.issueServiceLeaf(
                    service,
                    for: request.agent,
                    request: request.csr,
                    by: caller
                ).chain
            },
            snapshotKey: { () throws(ControlError) in authority.snapshotKey },
            trustChain: { () throws(ControlError) in authority.trustChain }
        )
    }
}
