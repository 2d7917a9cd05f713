package import Wire

/// The identity of a rule; its byte order is the last tie-break between rules.
package struct RuleID: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The longest text that is accepted.
    package static let lengthMaxBytes = 64

    /// The text as it is written.
    package let text: String

    /// Takes `[A-Za-z0-9._-]`, 1 to 64 bytes; the server gives UUIDs.
    package init(_ text: String) throws(NameError) {
        guard !text.isEmpty else { throw .empty }
        guard text.utf8.count <= Self.lengthMaxBytes else {
            throw .tooLong(limit: Self.lengthMaxBytes)
        }
        let isAllowed = text.utf8.allSatisfy { byte in
            DNSLabel.isLetterOrDigit(byte) || DNSLabel.isLetterOrDigit(byte | 0x20)
                || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
                || byte == UInt8(ascii: ".")
        }
        guard isAllowed else { throw .malformed("must consist of letters, digits, '.', '_', '-'") }
        self.text = text
    }

    /// Stands for the id that the server has not given yet.
    package static let unassigned = RuleID(trusted: "unassigned")

    private init(trusted text: String) { self.text = text }

    package var description: String { text }

    package static func < (left: RuleID, right: RuleID) -> Bool { left.text < right.text }
}

/// One rule: may this source reach this destination.
package struct Intention: Hashable, Sendable {
    /// The identity; also the last tie-break.
    package var id: RuleID
    /// Who may or may not reach the destination.
    package var source: ServicePattern
    /// Reserved: the source's trust domain where it is not our own.
    package var sourceTrustDomain: TrustDomain?
    /// What is reached.
    package var destination: ServicePattern
    /// What the rule says once it wins.
    package var effect: Effect
    package var description: String
    /// Free texts for people and tools.
    package var meta: [String: String]
    /// Who answers for the rule.
    package var owner: String?
    /// Why the rule exists.
    package var reason: String?
    /// From this moment on; nil: since ever.
    package var notBefore: Timestamp?
    /// Until before this moment; nil: for ever.
    package var notAfter: Timestamp?
    /// Whether the rule is enforced.
    package var mode: Mode

    package init(
        id: RuleID,
        source: ServicePattern,
        sourceTrustDomain: TrustDomain? = nil,
        destination: ServicePattern,
        effect: Effect,
        description: String = "",
        meta: [String: String] = [:],
        owner: String? = nil,
        reason: String? = nil,
        notBefore: Timestamp? = nil,
        notAfter: Timestamp? = nil,
        mode: Mode = .enforce
    ) {
        self.id = id
        self.source = source
        self.sourceTrustDomain = sourceTrustDomain
        self.destination = destination
        self.effect = effect
        self.description = description
        self.meta = meta
        self.owner = owner
        self.reason = reason
        self.notBefore = notBefore
        self.notAfter = notAfter
        self.mode = mode
    }

    /// Either a verdict for everything, or clauses for HTTP requests; never both.
    package enum Effect: Hashable, Sendable {
        case action(Verdict)
        case permissions([Permission])
    }

    /// Whether a rule is enforced or only watched.
    package enum Mode: String, Hashable, Sendable, CaseIterable {
        case enforce
        /// Reserved: evaluated and reported, never enforced.
        case shadow
    }

    /// How specific the rule is, 9 down to 1; the exactness of the destination dominates.
    package var precedence: Int {
        let ceiling =
            switch destination.exactness {
            case 2: 9
            case 1: 6
            default: 3
            }
        return ceiling - (2 - source.exactness)
    }

    /// Whether the rule exists at that moment as far as its own time bounds go.
    package func isActive(at now: Timestamp) -> Bool {
        if let notBefore, now < notBefore { return false }
        if let notAfter, now >= notAfter { return false }
        return true
    }

    /// Whether its time bounds can ever matter.
    package var isTimeBound: Bool { notBefore != nil || notAfter != nil }
}
