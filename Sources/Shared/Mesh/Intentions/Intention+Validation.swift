/// The limits of a rule.
package enum IntentionLimits {
    /// The longest description, owner or reason.
    package static let descriptionMaxBytes = 512
    /// The most keys of `meta`.
    package static let metaKeysMax = 64
    /// The longest key of `meta`.
    package static let metaKeyMaxBytes = 128
    /// The longest value of `meta`.
    package static let metaValueMaxBytes = 512
    /// The most permissions of one rule.
    package static let permissionsMax = 128
    /// The most header conditions of one permission.
    package static let headersMax = 32
    /// The longest text of a header condition.
    package static let headerValueMaxBytes = 1024
    /// The longest path.
    package static let pathMaxBytes = 1024
}

extension Intention {
    /// Checks what the types alone don't: lengths, counts, and that the parts fit each other.
    ///
    /// Does not say whether the rule can be enforced; `checkEnforceable` does.
    package func validate() throws(InvalidField) {
        guard description.utf8.count <= IntentionLimits.descriptionMaxBytes else {
            throw InvalidField(
                "description",
                .tooLong(limitBytes: IntentionLimits.descriptionMaxBytes)
            )
        }
        try IntentionLimits.check(meta: meta)
        for (field, text) in [("owner", owner), ("reason", reason)] {
            guard (text ?? "").utf8.count <= IntentionLimits.descriptionMaxBytes else {
                throw InvalidField(field, .tooLong(limitBytes: IntentionLimits.descriptionMaxBytes))
            }
        }
        if let notBefore, let notAfter, notAfter <= notBefore {
            throw InvalidField("not_after", .wrong("must be later than not_before"))
        }
        guard case .permissions(let permissions) = effect else { return }
        guard destination.isExact else {
            throw InvalidField(
                "permissions",
                .wrong("must be absent when the destination is a wildcard")
            )
        }
        try Permission.validate(permissions)
    }

    /// Refuses what is modelled but what no agent can enforce yet.
    package func checkEnforceable() throws(InvalidField) {
        if case .permissions = effect { throw InvalidField("permissions", .notYetEnforceable) }
        if mode != .enforce { throw InvalidField("mode", .notYetEnforceable) }
        if sourceTrustDomain != nil {
            throw InvalidField("source_trust_domain", .notYetEnforceable)
        }
    }
}

extension IntentionLimits {
    /// Checks keys and values of `meta`.
    package static func check(meta: [String: String]) throws(InvalidField) {
        guard meta.count <= metaKeysMax else {
            throw InvalidField("meta", .tooMany(limit: metaKeysMax))
        }
        for (key, value) in meta {
            guard !key.isEmpty else { throw InvalidField("meta", .wrong("must have no empty key")) }
            guard key.utf8.count <= metaKeyMaxBytes else {
                throw InvalidField("meta", .wrong("must have keys of at most 128 bytes"))
            }
            guard value.utf8.count <= metaValueMaxBytes else {
                throw InvalidField("meta.\(key)", .tooLong(limitBytes: metaValueMaxBytes))
            }
        }
    }
}

extension Permission {
    /// Checks a list of clauses; the field names are those of the list's entries.
    package static func validate(_ permissions: [Permission]) throws(InvalidField) {
        guard !permissions.isEmpty else {
            throw InvalidField("permissions", .wrong("must hold at least one entry"))
        }
        guard permissions.count <= IntentionLimits.permissionsMax else {
            throw InvalidField("permissions", .tooMany(limit: IntentionLimits.permissionsMax))
        }
        for (index, permission) in permissions.enumerated() {
            do {
                try permission.http.validate()
            } catch {
                throw error.inside("permissions[\(index)].http")
            }
        }
    }
}

extension HTTPCondition {
    /// The methods that a permission may name.
    package static let methodsKnown = [
        "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE",
    ]

    /// Checks lengths, ranges and that the parts fit each other; the error names the field.
    package func validate() throws(InvalidField) {
        guard !isEmpty else {
            throw InvalidField("", .wrong("must have a path, methods or headers"))
        }
        try path?.validate()
        for method in methods where !Self.methodsKnown.contains(method) {
            throw InvalidField("methods", .wrong("must be standard HTTP methods in upper case"))
        }
        guard Set(methods).count == methods.count else { throw InvalidField("methods", .duplicate) }
        guard headers.count <= IntentionLimits.headersMax else {
            throw InvalidField("header", .tooMany(limit: IntentionLimits.headersMax))
        }
        for (index, header) in headers.enumerated() {
            do {
                try header.validate()
            } catch {
                throw error.inside("header[\(index)]")
            }
        }
    }
}

extension PathCondition {
    /// The field that holds this kind of condition.
    package var field: String {
        switch self {
        case .exact: "path_exact"
        case .prefix: "path_prefix"
        case .rawPrefix: "path_prefix_raw"
        case .regex: "path_regex"
        }
    }

    /// The path or expression itself.
    package var text: String {
        switch self {
        case .exact(let text), .prefix(let text), .rawPrefix(let text), .regex(let text): text
        }
    }

    /// Checks lengths, ranges and that the parts fit each other; the error names the field.
    package func validate() throws(InvalidField) {
        guard text.utf8.count <= IntentionLimits.pathMaxBytes else {
            throw InvalidField(field, .tooLong(limitBytes: IntentionLimits.pathMaxBytes))
        }
        if case .regex = self {
            guard !text.isEmpty, (try? RegularExpression(text)) != nil else {
                throw InvalidField(field, .wrong("must be an expression of the supported subset"))
            }
            return
        }
        guard text.utf8.first == UInt8(ascii: "/") else {
            throw InvalidField(field, .wrong("must begin with '/'"))
        }
    }
}

extension HeaderCondition {
    /// Checks lengths, ranges and that the parts fit each other; the error names the field.
    package func validate() throws(InvalidField) {
        guard !name.isEmpty else { throw InvalidField("name", .missing) }
        let isToken = name.utf8.allSatisfy { byte in
            DNSLabel.isLetterOrDigit(byte | 0x20) || "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
        guard isToken else { throw InvalidField("name", .wrong("must be a header name")) }
        let (field, text) =
            switch comparison {
            case .present: ("present", "true")
            case .exact(let text): ("exact", text)
            case .prefix(let text): ("prefix", text)
            case .suffix(let text): ("suffix", text)
            case .contains(let text): ("contains", text)
            case .regex(let text): ("regex", text)
            }
        guard !text.isEmpty else { throw InvalidField(field, .wrong("must not be empty")) }
        guard text.utf8.count <= IntentionLimits.headerValueMaxBytes else {
            throw InvalidField(field, .tooLong(limitBytes: IntentionLimits.headerValueMaxBytes))
        }
        if case .regex = comparison, (try? RegularExpression(text)) == nil {
            throw InvalidField(field, .wrong("must be an expression of the supported subset"))
        }
    }
}
