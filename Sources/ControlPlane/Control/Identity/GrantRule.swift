import Mesh

/// Nobody grants rights that they lack: which rights of a policy its writer does not have.
enum GrantRule {
    /// One right that is lacking.
    struct Lack: Equatable, Sendable {
        let path: String
        let capability: Capability
    }

    /// The first right of `granted` that `holder` does not have everywhere the glob reaches.
    ///
    /// Of the holder's globs that cover the granted one, only those count that win somewhere in
    /// it; each of them, and each that meets it in part, must give the capability. Denying is
    /// nobody's right to lack.
    static func firstLack(of granted: AccessPolicy, holder: [AccessPolicy]) -> Lack? {
        for rule in granted.rules {
            for capability in rule.capabilities.sorted() where capability != .deny {
                guard !holds(capability, on: rule.path, holder) else { continue }
                return Lack(path: rule.path.text, capability: capability)
            }
        }
        return nil
    }

    /// Whether a capability is granted on every path that a glob matches, and on none of them denied by
    /// another path of the same object.
    static func holds(
        _ capability: Capability,
        on glob: PathGlob,
        _ policies: [AccessPolicy]
    ) -> Bool {
        let wanted = GlobShape(glob)
        let isDenied = policies.flatMap(\.rules).contains { rule in
            rule.capabilities.contains(.deny)
                && aliases(of: rule.path).contains { GlobShape($0).meets(wanted) }
        }
        guard !isDenied else { return false }
        guard capability == .list else { return isGranted(capability, on: glob, policies) }
        return isGranted(.list, on: glob, policies) && holdsLists(of: glob, policies)
    }

    /// Globs of other paths of the objects that a glob reaches, rather too wide than too narrow.
    private static func aliases(of glob: PathGlob) -> [PathGlob] {
        let shape = GlobShape(glob)
        func meets(_ text: String) -> Bool {
            (try? PathGlob(text)).map { GlobShape($0).meets(shape) } ?? false
        }
        var texts: [String] = []
        for prefix in ResourceAliases.policies where meets(prefix + "*") {
            let isBelow = glob.text.utf8.starts(with: prefix.utf8)
            let rest = isBelow ? String(glob.text.dropFirst(prefix.count)) : "*"
            texts += ResourceAliases.policies.filter { $0 != prefix }.map { $0 + rest }
        }
        if ResourceAliases.policyLists.contains(where: meets) {
            texts += ResourceAliases.policyLists
        }
        for (native, paths) in ResourceAliases.tokens {
            if meets(native) { texts += paths }
            if paths.contains(where: meets) { texts.append(native) }
        }
        return texts.compactMap { try? PathGlob($0) }
    }

    /// A list of `a/b/` is given by a right on exactly `a/b` too, so whoever grants either must have it
    /// on both.
    private static func holdsLists(of glob: PathGlob, _ policies: [AccessPolicy]) -> Bool {
        let slash = UInt8(ascii: "/")
        if glob.isExact {
            guard glob.text.utf8.last != slash else { return true }
            return AccessEvaluation.allows(.list, on: glob.text + "/", policies: policies)
        }
        // What is said about exactly `a/b` decides about the list of `a/b/`, whatever covers that.
        return policies.flatMap(\.rules).allSatisfy { rule in
            guard rule.path.isExact, rule.path.text.utf8.last != slash,
                glob.matches(rule.path.text + "/")
            else { return true }
            return AccessEvaluation.allows(.list, on: rule.path.text + "/", policies: policies)
        }
    }

    private static func isGranted(
        _ capability: Capability,
        on glob: PathGlob,
        _ policies: [AccessPolicy]
    ) -> Bool {
        if glob.isExact {
            return AccessEvaluation.allows(capability, on: glob.text, policies: policies)
        }
        let wanted = GlobShape(glob)
        let rules = policies.flatMap(\.rules)
        let meeting = Set(rules.map(\.path)).filter { GlobShape($0).meets(wanted) }
        let covering = meeting.filter { GlobShape($0).covers(wanted) }
        guard !covering.isEmpty else { return false }
        return meeting.allSatisfy { own in
            if covering.contains(where: { own.yields(to: $0) }) { return true }
            let granted = rules.filter { $0.path == own }
                .reduce(into: Set<Capability>()) { $0.formUnion($1.capabilities) }
            return granted.contains(capability) && !granted.contains(.deny)
        }
    }
}

/// A glob taken apart, to compare it with another one.
struct GlobShape: Equatable, Sendable {
    /// Whole segments; nil stands for any.
    private let segments: [String?]
    /// What the rest must begin with, if the glob ends in `*`.
    private let tail: String?

    init(_ glob: PathGlob) {
        let isOpen = glob.text.hasSuffix("*")
        let body = isOpen ? String(glob.text.dropLast()) : glob.text
        var parts = body.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        tail = isOpen ? parts.popLast() ?? "" : nil
        segments = parts.map { $0 == "+" ? nil : $0 }
    }

    /// Whether some path matches both.
    func meets(_ other: GlobShape) -> Bool {
        let common = min(segments.count, other.segments.count)
        for index in 0..<common {
            guard let mine = segments[index], let theirs = other.segments[index] else { continue }
            if mine != theirs { return false }
        }
        switch (tail, other.tail) {
        case (nil, nil): return segments.count == other.segments.count
        case (let tail?, nil): return Self.rest(tail, reaches: other.segments, from: common)
        case (nil, let tail?): return Self.rest(tail, reaches: segments, from: common)
        case (let mine?, let theirs?):
            if segments.count == other.segments.count {
                return Self.isTailAny(mine) || Self.isTailAny(theirs) || mine.hasPrefix(theirs)
                    || theirs.hasPrefix(mine)
            }
            return segments.count < other.segments.count
                ? Self.rest(mine, reaches: other.segments, from: common)
                : Self.rest(theirs, reaches: segments, from: common)
        }
    }

    /// Whether every path that matches the other one matches this one.
    func covers(_ other: GlobShape) -> Bool {
        guard let tail else {
            return other.tail == nil && segments.count == other.segments.count
                && coversSegments(of: other, count: segments.count)
        }
        guard other.segments.count >= segments.count,
            coversSegments(of: other, count: segments.count)
        else { return false }
        if tail.isEmpty { return true }
        if other.segments.count > segments.count {
            guard let next = other.segments[segments.count] else { return Self.isTailAny(tail) }
            return Self.isTailAny(tail) || next.hasPrefix(tail)
        }
        guard let otherTail = other.tail else { return false }
        return otherTail.hasPrefix(tail) && !Self.isTailAny(otherTail) || tail == otherTail
    }

    private func coversSegments(of other: GlobShape, count: Int) -> Bool {
        (0..<count).allSatisfy { index in
            guard let mine = segments[index] else {
                return other.segments[index].map { !$0.isEmpty } ?? true
            }
            return mine == other.segments[index]
        }
    }

    /// `+*` is a segment that must exist and any rest.
    private static func isTailAny(_ tail: String) -> Bool { tail == "+" }

    /// Whether an open end meets the segments of the other glob that come after the common ones.
    private static func rest(_ tail: String, reaches segments: [String?], from index: Int) -> Bool {
        guard index < segments.count else { return false }
        guard let next = segments[index] else { return true }
        return isTailAny(tail) ? !next.isEmpty : next.hasPrefix(tail)
    }
}
