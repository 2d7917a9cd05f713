/// Which settings a session may change.
struct SettingRules {
    private typealias Word = StatementReader.Word

    private let rules: StatementRules

    init(_ rules: StatementRules) {
        self.rules = rules
    }

    /// Judges a change of a setting to a value; nil stands for a value that cannot be told.
    ///
    /// Both are in lower case.
    func refusal(ofSetting name: String, value: String?) -> StatementRefusal? {
        switch name {
        case "role", "session_authorization": return .roleChange
        // Whatever the session began with could be judged, and can be returned to.
        case "client_encoding":
            guard let value, value == "default" || ClientEncoding.isSafe(value) else {
                return .encoding
            }
        case "standard_conforming_strings":
            guard let value, ["on", "true", "yes", "1", "default"].contains(value) else {
                return .guardedSetting
            }
        default: break
        }
        return rules.guarded.contains(name) ? .guardedSetting : nil
    }

    /// Judges `SET …` by its first words.
    func refusal(ofSet words: ArraySlice<StatementReader.Word>) -> StatementRefusal? {
        var rest = words.dropFirst()
        if let refusal = refusal(ofIdentity: rest) { return refusal }
        if let first = rest.first, [.word("local"), .word("session")].contains(first),
            let next = rest.dropFirst().first, ![.sign("="), .word("to")].contains(next)
        {
            rest = rest.dropFirst()
            if let refusal = refusal(ofIdentity: rest) { return refusal }
        }
        let second = rest.dropFirst().first
        guard let first = rest.first else { return .unreadableSetting }
        switch first {
        case .word("time") where second == .word("zone"):
            return refusal(ofSetting: "timezone", value: nil)
        case .word("names"):
            return refusal(ofSetting: "client_encoding", value: second.map(\.text) ?? "default")
        case .word("schema") where second?.kind == .string:
            return refusal(ofSetting: "search_path", value: nil)
        case .word("transaction"), .word("constraints"), .word("xml"), .word("catalog"):
            return nil
        default: break
        }
        guard let name = name(at: &rest) else { return .unreadableSetting }
        if [.sign("="), .word("to")].contains(rest.first) { rest = rest.dropFirst() }
        return refusal(ofSetting: name, value: rest.first?.text)
    }

    /// Judges `RESET …` by its first words; what is guarded goes back to what the profile fixed.
    func refusal(ofReset words: ArraySlice<StatementReader.Word>) -> StatementRefusal? {
        var rest = words.dropFirst()
        if let refusal = refusal(ofIdentity: rest) { return refusal }
        guard let name = name(at: &rest) else { return .unreadableSetting }
        return ["role", "session_authorization"].contains(name) ? .roleChange : nil
    }

    private func refusal(ofIdentity words: ArraySlice<Word>) -> StatementRefusal? {
        if words.first == .word("role") { return .roleChange }
        let isSession =
            words.first == .word("session")
            && words.dropFirst().first == .word("authorization")
        return isSession ? .roleChange : nil
    }

    /// A name of parts with dots between them; nil for one that cannot be told.
    private func name(at words: inout ArraySlice<Word>) -> String? {
        var parts: [String] = []
        while let part = words.first {
            guard [.word, .quotedName].contains(part.kind), let text = part.text else { return nil }
            parts.append(text)
            words = words.dropFirst()
            guard words.first == .sign(".") else { break }
            words = words.dropFirst()
        }
        return parts.isEmpty ? nil : parts.joined(separator: ".")
    }
}
