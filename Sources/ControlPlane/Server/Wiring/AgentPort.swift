import Control
import Crypto
import Mesh
import Observability
import Reactor
import Synchronization
import TLS
import Transport
import Wire

/// Port 7401: mutual TLS, agents only.
enum AgentPort {
    /// The application protocol of the stream.
    static let applicationProtocol = "turnpike-agent/1"
    /// Many agents may stand behind one address, but not all that there is room for.
    private static let connectionsPerSourceMax = 4_096

    static func services(
        _ control: ControlPlane,
        _ enrolment: Enrolment,
        _ authority: Authority
    ) -> DistributionServices {
        DistributionServices(
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
                return try await enrolment.issuance.issueServiceLeaf(
                    service,
                    for: request.agent,
                    connectedWith: request.peer.serialNumber,
                    request: request.csr,
                    by: caller
                ).chain
            },
            snapshotKey: { authority.snapshotKey },
            trustChain: {
                await authority.refresh(control)
                return authority.trustChain
            }
        )
    }

    static func start(
        on address: SocketAddress,
        reactor: Reactor,
        certificates: ServerCertificates,
        authority: Authority,
        trustDomain: TrustDomain,
        distribution: Distribution,
        logger: Logger
    ) async throws(StartFailure) -> StreamServer {
        let verifier = CurrentSVIDVerifier(authority, trustDomain, below: "agent")
        var limits = ConnectionLimits()
        limits.connectionCountMax = ServerProcess.descriptorLimit * 11 / 16
        limits.connectionsPerSourceMax = connectionsPerSourceMax
        do {
            let context = try TLSContext(
                server: TLSServerConfiguration(
                    credentials: { certificates.agentCredentials(for: $0) },
                    clientCertificate: .required,
                    verifier: { verifier.current($0) },
                    applicationProtocols: [applicationProtocol],
                    requiresApplicationProtocol: true
                )
            )
            return try await StreamServer.start(
                on: address,
                reactors: [reactor],
                security: context,
                limits: limits,
                observe: { event in
                    logger.debug("agents' port", ["event": .text("\(event)")])
                },
                handler: { connection, identity in
                    guard let peer = identity.peer else { return await connection.abort() }
                    await distribution.serve(
                        connection,
                        peer: AgentPeer(
                            spiffeID: peer.name,
                            serialNumber: peer.serialNumber,
                            leafDigest: peer.leafDigest,
                            notAfter: peer.notAfter,
                            address: connection.peerAddress.ipAddress.map { "\($0)" } ?? ""
                        )
                    )
                }
            )
        } catch {
            throw .work("the agents' port \(address): \(error)")
        }
    }
}
