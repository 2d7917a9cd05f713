package import Crypto
package import Mesh
package import Snapshot
package import Wire

/// The peer of a stream on port 7401, whose certificate led to a root of the mesh.
package struct AgentPeer: Equatable, Sendable {
    /// As the leaf says it.
    package let spiffeID: String
    /// Of the leaf, big-endian.
    package let serialNumber: [UInt8]
    /// SHA-256 of the leaf's DER.
    package let leafDigest: [UInt8]
    /// The end of the leaf, which the stream does not outlive.
    package let notAfter: Timestamp
    /// The address without port, for audit records.
    package let address: String

    package init(
        spiffeID: String,
        serialNumber: [UInt8],
        leafDigest: [UInt8],
        notAfter: Timestamp = .distantFuture,
        address: String
    ) {
        self.spiffeID = spiffeID
        self.serialNumber = serialNumber
        self.leafDigest = leafDigest
        self.notAfter = notAfter
        self.address = address
    }
}

/// What distribution needs of the authority.
package struct DistributionServices: Sendable {
    /// A request for a leaf, of a connected agent.
    package struct LeafRequest: Equatable, Sendable {
        package let agent: AgentName
        package let peer: AgentPeer
        /// Nil for the agent's own certificate.
        package let service: ServiceName?
        /// PKCS#10, DER.
        package let csr: [UInt8]

        package init(agent: AgentName, peer: AgentPeer, service: ServiceName?, csr: [UInt8]) {
            self.agent = agent
            self.peer = peer
            self.service = service
            self.csr = csr
        }
    }

    /// The enrolled agent that a peer is; refuses one that is unknown, revoked, or whose key was
    /// replaced.
    package let agentIdentity: @Sendable (AgentPeer) async throws(ControlError) -> AgentName
    /// The chain for a CSR, DER, leaf first.
    package let issueLeaf: @Sendable (LeafRequest) async throws(ControlError) -> [[UInt8]]
    /// The key that signs manifests now.
    package let snapshotKey: @Sendable () async throws(ControlError) -> SigningKey
    /// The trust documents since the first, ascending.
    package let trustChain: @Sendable () async throws(ControlError) -> [TrustAnchor]

    package init(
        agentIdentity: @escaping @Sendable (AgentPeer) async throws(ControlError) -> AgentName,
        issueLeaf: @escaping @Sendable (LeafRequest) async throws(ControlError) -> [[UInt8]],
        snapshotKey: @escaping @Sendable () async throws(ControlError) -> SigningKey,
        trustChain: @escaping @Sendable () async throws(ControlError) -> [TrustAnchor]
    ) {
        self.agentIdentity = agentIdentity
        self.issueLeaf = issueLeaf
        self.snapshotKey = snapshotKey
        self.trustChain = trustChain
    }
}
