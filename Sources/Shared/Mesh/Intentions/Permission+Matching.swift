extension Permission {
    /// Whether this clause speaks of the request.
    ///
    /// Where a header stands several times, an allow clause needs every value to fit and a deny
    /// clause fires on any, so that no extra header can talk a request in.
    package func matches(_ request: RequestFacts) -> Bool {
        if !http.methods.isEmpty, !http.methods.contains(request.method) { return false }
        if let path = http.path, !path.matches(request.path, whenUndecided: action == .deny) {
            return false
        }
        return http.headers.allSatisfy { $0.matches(request.headers, action: action) }
    }
}

extension PathCondition {
    /// Whether the path fits; `undecided` is the answer for an expression that cannot be judged,
    /// chosen by the caller so that the request is denied.
    func matches(_ path: String, whenUndecided undecided: Bool) -> Bool {
        switch self {
        case .exact(let exact):
            return path.utf8.elementsEqual(exact.utf8)
        case .prefix(let prefix):
            guard path.utf8.starts(with: prefix.utf8) else { return false }
            if path.utf8.count == prefix.utf8.count || prefix.utf8.last == UInt8(ascii: "/") {
                return true
            }
            return path.utf8.dropFirst(prefix.utf8.count).first == UInt8(ascii: "/")
        case .rawPrefix(let prefix):
            return path.utf8.starts(with: prefix.utf8)
        case .regex(let pattern):
            guard let expression = try? RegularExpression(pattern) else { return undecided }
            return expression.matches(path)
        }
    }
}

extension HeaderCondition {
    func matches(_ headers: [RequestFacts.Header], action: Verdict) -> Bool {
        let values = headers.filter { Self.fold($0.name) == Self.fold(name) }.map(\.value)
        if comparison == .present {
            return !values.isEmpty != isInverted
        }
        // An absent header fits nothing, so only the inverted condition holds for it.
        guard !values.isEmpty else { return isInverted }
        switch action {
        case .allow: return values.allSatisfy { fits($0, action: action) != isInverted }
        case .deny: return values.contains { fits($0, action: action) != isInverted }
        }
    }

    private func fits(_ value: String, action: Verdict) -> Bool {
        let value = ignoresCase ? Self.fold(value) : value
        func wanted(_ text: String) -> String { ignoresCase ? Self.fold(text) : text }
        switch comparison {
        case .present: return true
        case .exact(let text): return value.utf8.elementsEqual(wanted(text).utf8)
        case .prefix(let text): return value.utf8.starts(with: wanted(text).utf8)
        case .suffix(let text):
            return value.utf8.reversed().starts(with: wanted(text).utf8.reversed())
        case .contains(let text):
            return Self.contains(Array(value.utf8), Array(wanted(text).utf8))
        case .regex(let pattern):
            guard let expression = try? RegularExpression(wanted(pattern)) else {
                // An allow must not hold and a deny must not lapse, inverted or not.
                return (action == .deny) != isInverted
            }
            return expression.matches(value)
        }
    }

    /// By bytes: a combining character behind the text must not hide it.
    private static func contains(_ value: [UInt8], _ text: [UInt8]) -> Bool {
        guard value.count >= text.count else { return false }
        return (0...(value.count - text.count)).contains { start in
            value[start...].starts(with: text)
        }
    }

    /// ASCII lower case; bytes beyond ASCII stay as they are.
    private static func fold(_ text: String) -> String {
        String(
            decoding: text.utf8.map { byte in
                (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
            },
            as: UTF8.self
        )
    }
}
