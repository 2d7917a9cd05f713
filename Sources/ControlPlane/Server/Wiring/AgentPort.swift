import Control
import Crypto
import Mesh
import Observability
import Reactor
import TLS
import Transport
import Wire

/// Port 7401: mutual TLS, agents only.
enum AgentPort {
    /// The application protocol of the stream.
    static let applicationProtocol = "turnpike-agent/1"

    static func services(
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
            trustChain: { authority.trustChain }
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
        let agents = "spiffe://\(trustDomain)/agent/"
        let verifier = SVIDVerifier(
            trustDomain: trustDomain.text,
            roots: [authority.root],
            clock: { Console.now },
            accepts: { id, _ in id.hasPrefix(agents) }
        )
        do {
            let context = try TLSContext(
                server: TLSServerConfiguration(
                    credentials: { certificates.agentCredentials(for: $0) },
                    clientCertificate: .required,
                    verifier: verifier.verifier,
                    applicationProtocols: [applicationProtocol],
                    requiresApplicationProtocol: true
                )
            )
            return try await StreamServer.start(
                on: address,
                reactors: [reactor],
                security: context,
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
