/// A right on one path of the admin API.
package enum Capability: String, Hashable, Sendable, CaseIterable, Comparable {
    case create
    case read
    case update
    case patch
    case delete
    case list
    case sudo
    /// Overrides every other one on the same path.
    case deny

    package static func < (left: Capability, right: Capability) -> Bool {
        left.rawValue < right.rawValue
    }
}

/// A path with wildcards, as Vault writes it: `+` stands for one whole segment, `*` at the very
/// end for any rest.
package struct PathGlob: Hashable, Sendable, CustomStringConvertible {
    /// The longest glob.
    package static let lengthMaxBytes = 512

    /// The text as it is written.
    package let text: String
    private let segments: [String]
    private let isOpenEnded: Bool

    /// Refuses a leading slash, NUL, `*` elsewhere than at the end, and `+` as part of a segment.
    package init(_ text: String) throws(NameError) {
        guard !text.isEmpty else { throw .empty }
        guard text.utf8.count <= Self.lengthMaxBytes else {
            throw .tooLong(limit: Self.lengthMaxBytes)
        }
        guard text.utf8.first != UInt8(ascii: "/") else {
            throw .malformed("must not begin with '/'")
        }
        guard !text.utf8.contains(0) else { throw .malformed("must not hold NUL") }
        let body = text.utf8.last == UInt8(ascii: "*") ? String(text.dropLast()) : text
        guard !body.utf8.contains(UInt8(ascii: "*")) else {
            throw .malformed("must have '*' only as its last character")
        }
        self.text = text
        isOpenEnded = body.utf8.count < text.utf8.count
        segments = body.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        let hasPartialPlus = segments.contains { $0 != "+" && $0.utf8.contains(UInt8(ascii: "+")) }
        guard !hasPartialPlus else { throw .malformed("must have '+' only as a whole segment") }
    }

    package var description: String { text }

    /// Whether it has no wildcard.
    package var isExact: Bool { !isOpenEnded && !segments.contains("+") }

    /// Whether a path without leading slash is covered.
    package func matches(_ path: String) -> Bool {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        guard isOpenEnded ? parts.count >= segments.count : parts.count == segments.count else {
            return false
        }
        for (index, segment) in segments.enumerated() {
            let part = parts[index]
            let isLast = index == segments.count - 1
            if segment == "+" {
                // `+*` cannot be told from `+` followed by a rest; the segment must exist.
                if part.isEmpty { return false }
            } else if isLast && isOpenEnded {
                guard part.utf8.starts(with: segment.utf8) else { return false }
            } else if !part.utf8.elementsEqual(segment.utf8) {
                return false
            }
        }
        return true
    }

    /// Whether this glob yields to `other` when both match, by Vault's order: the one whose
    /// first wildcard stands earlier, the one that ends in `*`, the one with more `+`, the
    /// shorter one, and at last the one that sorts first.
    package func yields(to other: PathGlob) -> Bool {
        if firstWildcard != other.firstWildcard { return firstWildcard < other.firstWildcard }
        if isOpenEnded != other.isOpenEnded { return isOpenEnded }
        if plusCount != other.plusCount { return plusCount > other.plusCount }
        if text.utf8.count != other.text.utf8.count {
            return text.utf8.count < other.text.utf8.count
        }
        return text < other.text
    }

    private var plusCount: Int { segments.count { $0 == "+" } }

    private var firstWildcard: Int {
        var offset = 0
        for segment in segments {
            if segment == "+" { return offset }
            offset += segment.utf8.count + 1
        }
        return isOpenEnded ? offset - 1 : .max
    }
}

/// Rights on the admin API: capabilities by path.
package struct AccessPolicy: Hashable, Sendable {
    /// The most rules of one policy.
    package static let rulesMax = 1024

    /// One path and what may be done there.
    package struct Rule: Hashable, Sendable {
        /// Where the capabilities hold.
        package let path: PathGlob
        /// What may be done there.
        package let capabilities: Set<Capability>

        package init(path: PathGlob, capabilities: Set<Capability>) {
            self.path = path
            self.capabilities = capabilities
        }
    }

    /// The name by which tokens and roles refer to it.
    package let name: String
    /// Every path at most once.
    package let rules: [Rule]

    /// Refuses a name that is no DNS label, and a path that stands twice.
    package init(name: String, rules: [Rule]) throws(InvalidField) {
        do {
            try DNSLabel.check(name)
        } catch {
            throw InvalidField("name", .name(error))
        }
        guard rules.count <= Self.rulesMax else {
            throw InvalidField("paths", .tooMany(limit: Self.rulesMax))
        }
        guard Set(rules.map(\.path)).count == rules.count else {
            throw InvalidField("paths", .duplicate)
        }
        self.name = name
        self.rules = rules
    }
}

/// What a set of policies grants together.
package enum AccessEvaluation {
    /// The capabilities that `policies` give on `path`.
    ///
    /// Of all globs that match, the most specific alone decides; where several policies hold
    /// that very glob, their capabilities add up, and deny overrides them all. Without a match
    /// there is none.
    package static func capabilities(
        on path: String,
        policies: some Sequence<AccessPolicy>
    ) -> Set<Capability> {
        var winner: PathGlob?
        var granted: Set<Capability> = []
        for rule in policies.lazy.flatMap(\.rules) where rule.path.matches(path) {
            if let current = winner, current != rule.path {
                guard current.yields(to: rule.path) else { continue }
                granted = []
            }
            winner = rule.path
            granted.formUnion(rule.capabilities)
        }
        return granted.contains(.deny) ? [.deny] : granted
    }

    /// Whether `capability` is granted on `path`.
    package static func allows(
        _ capability: Capability,
        on path: String,
        policies: some Sequence<AccessPolicy>
    ) -> Bool {
        guard capability != .deny else { return false }
        let granted =
            capability == .list
            ? capabilities(listing: path, policies: policies)
            : capabilities(on: path, policies: policies)
        return granted.contains(capability)
    }

    /// The capabilities that count for a list: `a/b/` is listed by whoever may list exactly `a/b` too,
    /// unless a rule is about exactly `a/b/`.
    package static func capabilities(
        listing path: String,
        policies: some Sequence<AccessPolicy>
    ) -> Set<Capability> {
        guard path.utf8.last == UInt8(ascii: "/") else {
            return capabilities(on: path, policies: policies)
        }
        let trimmed = String(path.dropLast())
        var isAboutTrimmed = false
        for rule in policies.lazy.flatMap(\.rules) where rule.path.isExact {
            if rule.path.text == path { return capabilities(on: path, policies: policies) }
            if rule.path.text == trimmed { isAboutTrimmed = true }
        }
        return capabilities(on: isAboutTrimmed ? trimmed : path, policies: policies)
    }
}
