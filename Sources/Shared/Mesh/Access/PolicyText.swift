package import Wire

/// Why a text is no policy; holds no part of the text but names of attributes.
package struct PolicyTextError: Error, Equatable, Sendable, CustomStringConvertible {
    /// In HCL, where it is; `none` for JSON's fields.
    package let position: SourcePosition
    /// What is wrong and what would be right.
    package let problem: String

    package var description: String {
        position == .none ? problem : "line \(position.line), column \(position.column): \(problem)"
    }
}

/// Policies as clients of Vault write them: HCL's `path` blocks, or the same as JSON.
///
/// What would narrow a right and is not enforced here (`allowed_parameters`, `min_wrapping_ttl` …) is
/// refused: to leave it out would grant more than was written.
package enum PolicyText {
    /// The longest text, in bytes.
    package static let textBytesMax = 64 * 1_024

    /// Reads the text of a policy; the form is JSON where it begins with a brace.
    package static func parse(
        _ text: String,
        name: String
    ) throws(PolicyTextError) -> AccessPolicy {
        guard text.utf8.count <= textBytesMax else {
            throw PolicyTextError(
                position: .none,
                problem: "a policy has at most \(textBytesMax) bytes"
            )
        }
        let isJSON = text.utf8.first { !isBlank($0) } == UInt8(ascii: "{")
        let blocks: [PathBlock]
        if isJSON {
            blocks = try json(text)
        } else {
            var reader = PolicyBlockReader(text)
            blocks = try reader.blocks()
        }
        var rules: [AccessPolicy.Rule] = []
        for block in blocks { rules.append(try block.rule()) }
        do {
            return try AccessPolicy(name: name, rules: rules)
        } catch {
            throw PolicyTextError(position: .none, problem: error.description)
        }
    }

    /// The policy in HCL, which `parse` reads as the same policy.
    package static func format(_ policy: AccessPolicy) -> String {
        policy.rules.map { rule in
            let capabilities = rule.capabilities.sorted().map { "\"\($0.rawValue)\"" }
            return """
                path \(quoted(rule.path.text)) {
                  capabilities = [\(capabilities.joined(separator: ", "))]
                }

                """
        }.joined(separator: "\n")
    }

    static func isBlank(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D
    }

    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for character in text.unicodeScalars {
            switch character {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case "\r": quoted += "\\r"
            case "\t": quoted += "\\t"
            default: quoted.unicodeScalars.append(character)
            }
        }
        return quoted + "\""
    }

    // MARK: JSON

    private static func json(_ text: String) throws(PolicyTextError) -> [PathBlock] {
        let document: Document
        do {
            document = try JSON.parse(text, source: "policy", limits: .request)
        } catch {
            throw PolicyTextError(position: error.position, problem: error.problem)
        }
        var blocks: [PathBlock] = []
        for entry in document.entries ?? [] {
            guard entry.key == "path" else { throw unknown(entry.key) }
            for group in entry.value.items ?? [entry.value] {
                guard let paths = group.entries else { throw shape("path") }
                for path in paths {
                    for body in path.value.items ?? [path.value] {
                        blocks.append(try block(path.key, body))
                    }
                }
            }
        }
        return blocks
    }

    private static func block(
        _ path: String,
        _ body: Document
    ) throws(PolicyTextError) -> PathBlock {
        guard let attributes = body.entries else { throw shape("path") }
        var block = PathBlock(path: path, position: .none)
        for attribute in attributes {
            let values = attribute.value.items ?? [attribute.value]
            var texts: [String] = []
            for value in values {
                guard let text = value.text else { throw shape(attribute.key) }
                texts.append(text)
            }
            try block.set(attribute.key, texts, at: .none)
        }
        return block
    }

    private static func unknown(_ key: String) -> PolicyTextError {
        PolicyTextError(
            position: .none,
            problem: "a policy holds `path` only, with a map from paths to their capabilities"
        )
    }

    private static func shape(_ key: String) -> PolicyTextError {
        PolicyTextError(
            position: .none,
            problem: "write {\"path\": {\"secret/data/*\": {\"capabilities\": [\"read\"]}}}"
        )
    }
}

/// One `path` block as it was read.
struct PathBlock {
    let path: String
    let position: SourcePosition
    private var capabilities: Set<Capability>?

    init(path: String, position: SourcePosition) {
        self.path = path
        self.position = position
    }

    /// Takes one attribute; each may stand once, and only those that are enforced are taken.
    mutating func set(
        _ name: String,
        _ values: [String],
        at position: SourcePosition
    ) throws(PolicyTextError) {
        guard name == "capabilities" else {
            let known = Self.narrowing.contains(name)
            throw PolicyTextError(
                position: position,
                problem: known
                    ? "`\(name)` is not enforced here, so a policy with it is refused"
                    : "a path has `capabilities` only"
            )
        }
        guard capabilities == nil else {
            throw PolicyTextError(position: position, problem: "`capabilities` stands twice")
        }
        var granted: Set<Capability> = []
        for value in values {
            guard let capability = Capability(rawValue: value) else {
                let all = Capability.allCases.map(\.rawValue).joined(separator: ", ")
                throw PolicyTextError(position: position, problem: "the capabilities are \(all)")
            }
            granted.insert(capability)
        }
        capabilities = granted
    }

    func rule() throws(PolicyTextError) -> AccessPolicy.Rule {
        guard let capabilities else {
            throw PolicyTextError(position: position, problem: "a path needs `capabilities`")
        }
        // Vault takes a slash at the beginning and drops it.
        let text = path.utf8.first == UInt8(ascii: "/") ? String(path.dropFirst()) : path
        do {
            return AccessPolicy.Rule(path: try PathGlob(text), capabilities: capabilities)
        } catch {
            throw PolicyTextError(position: position, problem: "the path \(error)")
        }
    }

    private static let narrowing: Set<String> = [
        "allowed_parameters", "denied_parameters", "required_parameters", "min_wrapping_ttl",
        "max_wrapping_ttl", "control_group", "mfa_methods", "policy", "pagination_limit",
        "list_scan_response_keys_filter_path", "expiration", "comment",
        "subscribe_event_types",
    ]
}
