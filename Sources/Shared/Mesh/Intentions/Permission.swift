/// One HTTP clause of an intention: the first that matches decides the request.
package struct Permission: Hashable, Sendable {
    /// The verdict where this clause matches.
    package var action: Verdict
    /// What a request must be like for that.
    package var http: HTTPCondition

    package init(action: Verdict, http: HTTPCondition) {
        self.action = action
        self.http = http
    }
}

/// What a request must be like; every part that is given must hold.
package struct HTTPCondition: Hashable, Sendable {
    /// What the canonical path must be like.
    package var path: PathCondition?
    /// Upper case and unique; empty means any method.
    package var methods: [String]
    /// All of them must hold.
    package var headers: [HeaderCondition]

    package init(
        path: PathCondition? = nil,
        methods: [String] = [],
        headers: [HeaderCondition] = []
    ) {
        self.path = path
        self.methods = methods
        self.headers = headers
    }

    /// Whether it says nothing, which is refused.
    package var isEmpty: Bool { path == nil && methods.isEmpty && headers.isEmpty }
}

/// A condition on the canonical path.
package enum PathCondition: Hashable, Sendable {
    case exact(String)
    /// Whole segments: `/v1` covers `/v1` and `/v1/x`, not `/v10`.
    case prefix(String)
    /// Bytes, as Consul's prefix: `/admin` also covers `/administrator`.
    case rawPrefix(String)
    case regex(String)
}

/// A condition on all values of one header.
package struct HeaderCondition: Hashable, Sendable {
    /// Compared without regard to case.
    package var name: String
    /// What the values are compared with.
    package var comparison: Comparison
    /// Whether the outcome of the comparison is turned round.
    package var isInverted: Bool
    /// Whether ASCII letters are compared without regard to case.
    package var ignoresCase: Bool

    package init(
        name: String,
        comparison: Comparison,
        isInverted: Bool = false,
        ignoresCase: Bool = false
    ) {
        self.name = name
        self.comparison = comparison
        self.isInverted = isInverted
        self.ignoresCase = ignoresCase
    }

    /// The one comparator of a condition.
    package enum Comparison: Hashable, Sendable {
        /// Stands in the request with any value; absence is the inverted condition.
        case present
        case exact(String)
        case prefix(String)
        case suffix(String)
        case contains(String)
        case regex(String)
    }
}
