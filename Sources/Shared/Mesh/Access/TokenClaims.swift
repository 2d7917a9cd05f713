package import Wire

/// The claims of a token whose signature was verified (RFC 7519 §4).
///
/// Dates are whole seconds from 1970 on; fractions, texts and what a double could not hold are refused,
/// as is a token without an end.
package struct TokenClaims: Equatable, Sendable {
    private static let limits = DocumentLimits(bytes: .kibibytes(16), depth: 16, nodes: 4_096)
    /// Whole seconds beyond this lose their exactness in many readers (2 to the power of 53).
    private static let secondsMax: Int64 = 9_007_199_254_740_992
    private static let audiencesMax = 64
    private static let pointerStepsMax = 16

    /// All claims, in the order of the token.
    package let document: Document
    package let issuer: String?
    package let subject: String?
    /// Nil for a token without `aud`.
    package let audiences: [String]?
    package let expiresAt: Timestamp
    package let notBefore: Timestamp?
    package let issuedAt: Timestamp?

    /// Reads the contents of a verified token.
    package init(payload: [UInt8]) throws(ClaimRefusal) {
        guard let document = try? JSON.parse(payload, source: "claims", limits: Self.limits),
            document.entries != nil
        else { throw .malformed(claim: "set") }
        self.document = document
        issuer = try Self.text(document, "iss")
        subject = try Self.text(document, "sub")
        audiences = try Self.audiences(document)
        guard let expiresAt = try Self.date(document, "exp") else { throw .missing(claim: "exp") }
        self.expiresAt = expiresAt
        notBefore = try Self.date(document, "nbf")
        issuedAt = try Self.date(document, "iat")
    }

    /// The value of a claim by its name, or by a JSON pointer (RFC 6901) where it begins with a slash.
    package func value(at path: String) -> Document? {
        guard path.utf8.first == UInt8(ascii: "/") else { return document[path] }
        let steps = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        guard steps.count <= Self.pointerStepsMax else { return nil }
        var value = document
        for step in steps {
            let name = Self.unescaped(step)
            let next = value.items == nil ? value[name] : Int(name).flatMap { value[$0] }
            guard let next else { return nil }
            value = next
        }
        return value
    }

    /// The texts of a claim that is a text, a number, a truth value or a list of such; nil for others.
    package func texts(at path: String) -> [String]? {
        guard let value = value(at: path) else { return nil }
        guard let items = value.items else { return Self.scalar(value).map { [$0] } }
        var texts: [String] = []
        for item in items {
            guard let text = Self.scalar(item) else { return nil }
            texts.append(text)
        }
        return texts
    }

    private static func scalar(_ value: Document) -> String? {
        switch value.node {
        case .string(let text), .plain(let text): text
        case .number(let number): number.text
        case .bool(let flag): flag ? "true" : "false"
        case .null, .list, .map: nil
        }
    }

    /// Every escape once, from the left: `~01` is `~1` (RFC 6901 §4).
    private static func unescaped(_ step: Substring) -> String {
        step.parts(separatedBy: "~1").map { part in
            part.parts(separatedBy: "~0").joined(separator: "~")
        }
        .joined(separator: "/")
    }

    private static func text(
        _ document: Document,
        _ claim: String
    ) throws(ClaimRefusal) -> String? {
        guard let value = document[claim] else { return nil }
        guard let text = value.text else { throw .malformed(claim: claim) }
        return text
    }

    private static func date(
        _ document: Document,
        _ claim: String
    ) throws(ClaimRefusal) -> Timestamp? {
        guard let value = document[claim] else { return nil }
        guard let seconds = value.integer, 0...secondsMax ~= seconds else {
            throw .malformed(claim: claim)
        }
        return Timestamp(secondsSinceEpoch: seconds)
    }

    private static func audiences(_ document: Document) throws(ClaimRefusal) -> [String]? {
        guard let value = document["aud"] else { return nil }
        if let text = value.text { return [text] }
        guard let items = value.items, items.count <= audiencesMax else {
            throw .malformed(claim: "aud")
        }
        let texts = items.compactMap(\.text)
        guard texts.count == items.count else { throw .malformed(claim: "aud") }
        return texts
    }
}
