package import Wire

/// Who asks: a service of a trust domain, as its certificate says.
package struct SourceIdentity: Hashable, Sendable, CustomStringConvertible {
    /// The trust domain that vouches for it.
    package let trustDomain: TrustDomain
    /// The service that asks.
    package let service: ServiceName

    package init(trustDomain: TrustDomain, service: ServiceName) {
        self.trustDomain = trustDomain
        self.service = service
    }

    package var description: String { SPIFFEID(service: service, in: trustDomain).description }
}

/// What is known of an HTTP request when it is judged.
package struct RequestFacts: Hashable, Sendable {
    /// One header field as it was received.
    package struct Header: Hashable, Sendable {
        /// The field name in any case.
        package let name: String
        /// The field value.
        package let value: String

        package init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    /// The method, case-sensitive.
    package var method: String
    /// Canonical, without the query: what `PathCanonicalizer` gave, and what is forwarded.
    package var path: String
    /// Every field, repeated ones as often as they stand.
    package var headers: [Header]

    package init(method: String, path: String, headers: [Header] = []) {
        self.method = method
        self.path = path
        self.headers = headers
    }
}

/// What is asked about.
package enum AccessQuestion: Hashable, Sendable {
    /// A connection as a whole. A winning rule with permissions decides only requests, so it
    /// counts as deny, unless the caller will judge each request of the connection by itself.
    case connection(requestsAreJudged: Bool)
    case request(RequestFacts)
}

/// What every evaluation stands on.
package struct EvaluationContext: Hashable, Sendable {
    /// The trust domain that rules without one of their own speak of.
    package var trustDomain: TrustDomain
    /// The moment for which time bounds are judged.
    package var now: Timestamp
    /// `deny`, except in the bootstrap mode.
    package var defaultVerdict: Verdict

    package init(trustDomain: TrustDomain, now: Timestamp, defaultVerdict: Verdict = .deny) {
        self.trustDomain = trustDomain
        self.now = now
        self.defaultVerdict = defaultVerdict
    }
}

/// The answer to one question, with the rule that gave it.
package struct Ruling: Hashable, Sendable {
    /// The answer.
    package let verdict: Verdict
    /// Why.
    package let reason: DecisionReason
    /// The winner; nil where none decided.
    package let ruleID: RuleID?
    /// The winner's precedence, 9 to 1.
    package let precedence: Int?
    /// Which permission of the rule decided, counted from 0.
    package let permissionIndex: Int?

    package init(
        verdict: Verdict,
        reason: DecisionReason,
        ruleID: RuleID? = nil,
        precedence: Int? = nil,
        permissionIndex: Int? = nil
    ) {
        self.verdict = verdict
        self.reason = reason
        self.ruleID = ruleID
        self.precedence = precedence
        self.permissionIndex = permissionIndex
    }

    /// Whether the verdict is allow.
    package var isAllowed: Bool { verdict == .allow }

    /// What holds where no rule matches.
    static func byDefault(_ verdict: Verdict) -> Ruling {
        switch verdict {
        case .allow: Ruling(verdict: .allow, reason: .defaultAllow)
        case .deny: Ruling(verdict: .deny, reason: .defaultDeny)
        }
    }
}
