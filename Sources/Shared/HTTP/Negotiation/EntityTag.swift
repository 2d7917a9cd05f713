/// Why a condition of a request is refused with 400.
package enum ConditionFault: Error, Equatable, Sendable, CaseIterable {
    case malformed
    /// `If-Match` compares strongly, so a weak tag never matches (RFC 9110 section 13.1.1).
    case weakTag
    case tooMany

    /// What is wrong and what would be right.
    package var sentence: String {
        switch self {
        case .malformed: "An entity tag is \"…\" in double quotes, or * alone."
        case .weakTag: "If-Match needs a strong entity tag, without W/."
        case .tooMany: "At most \(EntityTag.countMax) entity tags are read."
        }
    }
}

/// The version of a resource as clients hold it (RFC 9110 section 8.8.3).
package struct EntityTag: Hashable, Sendable, CustomStringConvertible {
    /// Most tags in one condition.
    package static let countMax = 32
    /// Longest tag, in bytes, without its quotes.
    package static let byteCountMax = 128

    /// What stands between the quotes.
    package let opaque: String
    package let isWeak: Bool

    /// A tag; nil when a character of it may not stand between the quotes.
    package init?(_ opaque: String, isWeak: Bool = false) {
        guard opaque.utf8.count <= EntityTag.byteCountMax,
            opaque.utf8.allSatisfy({ $0.isVisible && $0 != .quote })
        else { return nil }
        self.opaque = opaque
        self.isWeak = isWeak
    }

    /// As it stands in a field.
    package var description: String { (isWeak ? "W/" : "") + "\"\(opaque)\"" }
}

/// The tags of `If-Match` or `If-None-Match`.
package enum EntityCondition: Equatable, Sendable {
    /// `*`: any version that exists.
    case any
    case tags([EntityTag])

    /// `If-Match` of a request: nil when absent; weak tags are refused.
    package static func ifMatch(_ fields: HeaderFields) throws(ConditionFault) -> EntityCondition? {
        let condition = try parse(fields.values(.ifMatch))
        if case .tags(let tags) = condition, tags.contains(where: \.isWeak) { throw .weakTag }
        return condition
    }

    /// `If-None-Match` of a request: nil when absent.
    package static func ifNoneMatch(
        _ fields: HeaderFields
    ) throws(ConditionFault) -> EntityCondition? {
        try parse(fields.values(.ifNoneMatch))
    }

    /// Whether the condition names the current version: strongly for `If-Match`; nil is a
    /// resource that does not exist, which nothing names.
    package func matches(_ current: EntityTag?, strongly: Bool) -> Bool {
        guard let current else { return false }
        switch self {
        case .any: return true
        case .tags(let tags):
            return tags.contains { tag in
                tag.opaque == current.opaque && (!strongly || !(tag.isWeak || current.isWeak))
            }
        }
    }

    private static func parse(_ values: [String]) throws(ConditionFault) -> EntityCondition? {
        guard !values.isEmpty else { return nil }
        let text = values.joined(separator: ",")
        if text.trimmingBlanks == "*" { return .any }
        var tags: [EntityTag] = []
        var rest = text.trimmingBlanks.utf8[...]
        while !rest.isEmpty {
            let isWeak = rest.starts(with: "W/".utf8)
            if isWeak { rest = rest.dropFirst(2) }
            guard rest.popFirst() == .quote, let close = rest.firstIndex(of: .quote),
                let tag = EntityTag(
                    String(decoding: rest[..<close], as: UTF8.self),
                    isWeak: isWeak
                )
            else { throw .malformed }
            guard tags.count < EntityTag.countMax else { throw .tooMany }
            tags.append(tag)
            rest = rest[rest.index(after: close)...].drop(while: \.isBlank)
            guard !rest.isEmpty else { break }
            guard rest.popFirst() == .comma else { throw .malformed }
            rest = rest.drop(while: \.isBlank)
            guard !rest.isEmpty else { throw .malformed }
        }
        guard !tags.isEmpty else { throw .malformed }
        return .tags(tags)
    }
}
