/// Why a table of routes can not be built: our own mistake, found at start.
package enum RouteConflict: Error, Equatable, Sendable {
    /// A template is `/` or segments of `literal`, `{name}`, and last perhaps `{name...}`.
    case templateMalformed(String)
    /// The same method twice on templates that match the same paths.
    case routeRepeated(method: String, template: String)
    /// Templates that match the same paths name their captures differently.
    case capturesDiffer(template: String, other: String)

    /// What is wrong and where.
    package var sentence: String {
        switch self {
        case .templateMalformed(let template): "The path template \(template) is malformed."
        case .routeRepeated(let method, let template):
            "\(method) \(template) is declared twice."
        case .capturesDiffer(let template, let other):
            "\(template) and \(other) match the same paths but name their captures differently."
        }
    }
}

/// A path with places for captures, such as `/v1/services/{namespace}/{service}`.
package struct RouteTemplate: Hashable, Sendable, CustomStringConvertible {
    /// One part of a template.
    package enum Segment: Hashable, Sendable {
        case literal(String)
        /// Exactly one segment.
        case capture(String)
        /// One segment or more, up to the end; a slash at the end stays part of it.
        case rest(String)
    }

    /// The template as written.
    package let description: String
    /// Its parts in order; none for `/`.
    package let segments: [Segment]

    /// A template from text; capture names are letters, digits and `_`, each used once.
    package init(_ text: String) throws(RouteConflict) {
        description = text
        guard text.first == "/" else { throw .templateMalformed(text) }
        guard text != "/" else {
            segments = []
            return
        }
        var segments: [Segment] = []
        for part in text.dropFirst().split(separator: "/", omittingEmptySubsequences: false) {
            if case .rest = segments.last { throw .templateMalformed(text) }
            guard let segment = RouteTemplate.segment(part) else {
                throw .templateMalformed(text)
            }
            segments.append(segment)
        }
        self.segments = segments
        guard Set(captureNames).count == captureNames.count else {
            throw .templateMalformed(text)
        }
    }

    /// The names of the captures, in order.
    package var captureNames: [String] {
        segments.compactMap { segment in
            switch segment {
            case .literal: nil
            case .capture(let name), .rest(let name): name
            }
        }
    }

    private static func segment(_ part: Substring) -> Segment? {
        guard part.first == "{" else {
            let isPlain = part.utf8.allSatisfy {
                $0.isLetter || $0.isDigit || "-._~".utf8.contains($0)
            }
            guard isPlain, !part.isEmpty, part != ".", part != ".." else { return nil }
            return .literal(String(part))
        }
        guard part.last == "}" else { return nil }
        var name = part.dropFirst().dropLast()
        let isRest = name.hasSuffix("...")
        if isRest { name = name.dropLast(3) }
        guard !name.isEmpty,
            name.utf8.allSatisfy({ $0.isLetter || $0.isDigit || $0 == UInt8(ascii: "_") })
        else { return nil }
        return isRest ? .rest(String(name)) : .capture(String(name))
    }
}
