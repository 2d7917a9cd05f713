package import Wire

/// One allow or deny as it happened, with its reason: what evidence is made of.
package struct Decision: Hashable, Sendable {
    /// What the caller is told, and nothing else.
    package let id: UUIDv7
    /// When it was decided, by the agent's clock.
    package let time: Timestamp
    /// Who decided.
    package let agent: AgentName
    /// The source's SPIFFE id, as far as it is known.
    package let source: SPIFFEID?
    /// The destination, as far as it is known.
    package let destination: ServiceName?
    /// What was decided and why.
    package let ruling: Ruling
    /// The path that was judged, for HTTP.
    package let canonicalPath: String?
    /// The revision of the snapshot that was enforced; 0 without one.
    package let revision: UInt64
    /// `address:port` of the peer, for people.
    package let peerAddress: String?

    package init(
        id: UUIDv7,
        time: Timestamp,
        agent: AgentName,
        source: SPIFFEID?,
        destination: ServiceName?,
        ruling: Ruling,
        canonicalPath: String? = nil,
        revision: UInt64,
        peerAddress: String?
    ) {
        self.id = id
        self.time = time
        self.agent = agent
        self.source = source
        self.destination = destination
        self.ruling = ruling
        self.canonicalPath = canonicalPath
        self.revision = revision
        self.peerAddress = peerAddress
    }

    /// The verdict of the ruling.
    package var verdict: Verdict { ruling.verdict }
    /// The reason of the ruling.
    package var reason: DecisionReason { ruling.reason }
}

extension Ruling {
    /// A refusal that no rule gave.
    package static func refused(_ reason: DecisionReason) -> Ruling {
        Ruling(verdict: .deny, reason: reason)
    }
}
