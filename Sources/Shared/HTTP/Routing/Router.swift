/// The values that a path gave to the captures of its template, decoded.
package struct Captures: Equatable, Sendable {
    /// Name and value in the template's order.
    package let all: [Capture]

    /// One captured value.
    package struct Capture: Equatable, Sendable {
        package let name: String
        package let value: String
    }

    /// The value of that name; nil when the template has no such capture.
    package subscript(name: String) -> String? {
        all.first { $0.name == name }?.value
    }
}

/// What a router says about a method and a path.
package enum RouteMatch<Payload: Sendable>: Sendable {
    case found(Payload, template: RouteTemplate, captures: Captures)
    /// The path exists, not with this method: 405 with these in `Allow`.
    case methodNotAllowed(allow: [Method])
    /// 404.
    case notFound
    /// 400: the path can be no route's.
    case refused(TextFault)
}

extension RouteMatch: Equatable where Payload: Equatable {}

/// Finds the route of a path: a trie over the segments of templates.
///
/// Segments are decoded once, then compared; a segment that is empty, `.` or `..`, or that holds a
/// slash, backslash or control character after decoding, is refused whatever the table says. At
/// each segment a literal wins over a capture and a capture over a rest; the path alone decides, the
/// method only then. HEAD is answered by GET's route when it has none of its own. A slash at the
/// end is significant, and only a rest accepts it.
package struct Router<Payload: Sendable>: Sendable {
    /// Most segments of a path.
    package static var segmentCountMax: Int { 64 }

    private struct Leaf: Sendable {
        let template: RouteTemplate
        var payloads: [Method: Payload] = [:]
    }

    private struct Node: Sendable {
        var literals: [String: Int] = [:]
        var capture: Int?
        var leaf: Leaf?
        var rest: Leaf?
    }

    /// Nodes refer to each other by position; 0 is the root.
    private var nodes = [Node()]

    /// A router without routes.
    package init() {}

    /// Adds a route; refuses one that another already serves.
    package mutating func add(
        _ method: Method,
        _ template: RouteTemplate,
        _ payload: Payload
    ) throws(RouteConflict) {
        var place = 0
        for segment in template.segments {
            switch segment {
            case .literal(let text):
                place = child(of: place, nodes[place].literals[text]) {
                    $0.literals[text] = $1
                }
            case .capture:
                place = child(of: place, nodes[place].capture) { $0.capture = $1 }
            case .rest:
                nodes[place].rest = try joined(
                    nodes[place].rest,
                    method,
                    template,
                    payload
                )
                return
            }
        }
        nodes[place].leaf = try joined(nodes[place].leaf, method, template, payload)
    }

    /// Adds a route from the text of its template.
    package mutating func add(
        _ method: Method,
        _ template: String,
        _ payload: Payload
    ) throws(RouteConflict) {
        try add(method, RouteTemplate(template), payload)
    }

    /// The route of a path that is still percent-encoded and has no query.
    package func match(_ method: Method, path: String) -> RouteMatch<Payload> {
        guard path.utf8.first == .slash else { return .notFound }
        let parts = path.utf8.dropFirst().split(
            separator: .slash,
            maxSplits: Self.segmentCountMax,
            omittingEmptySubsequences: false
        )
        guard parts.count <= Self.segmentCountMax else { return .refused(.tooMany) }
        var segments: [String] = []
        do throws(TextFault) {
            for (index, part) in parts.enumerated() {
                let isEnd = index == parts.count - 1
                segments.append(
                    isEnd && part.isEmpty ? "" : try PercentDecoding.segment(part)
                )
            }
        } catch {
            return .refused(error)
        }
        if segments == [""] { segments = [] }
        guard let leaf = leaf(at: 0, segments[...]) else { return .notFound }
        return answer(leaf, method, segments)
    }

    private mutating func child(
        of place: Int,
        _ existing: Int?,
        link: (inout Node, Int) -> Void
    ) -> Int {
        if let existing { return existing }
        nodes.append(Node())
        link(&nodes[place], nodes.count - 1)
        return nodes.count - 1
    }

    private func joined(
        _ leaf: Leaf?,
        _ method: Method,
        _ template: RouteTemplate,
        _ payload: Payload
    ) throws(RouteConflict) -> Leaf {
        var leaf = leaf ?? Leaf(template: template)
        guard leaf.template == template else {
            throw .capturesDiffer(
                template: template.description,
                other: leaf.template.description
            )
        }
        guard leaf.payloads.updateValue(payload, forKey: method) == nil else {
            throw .routeRepeated(method: method.token, template: template.description)
        }
        return leaf
    }

    /// The best leaf below a node; each node is visited at most once per path.
    private func leaf(at place: Int, _ segments: ArraySlice<String>) -> Leaf? {
        let node = nodes[place]
        guard let first = segments.first else { return node.leaf }
        let others = segments.dropFirst()
        if !first.isEmpty {
            if let next = node.literals[first], let found = leaf(at: next, others) {
                return found
            }
            if let next = node.capture, let found = leaf(at: next, others) { return found }
            return node.rest
        }
        return nil
    }

    private func answer(
        _ leaf: Leaf,
        _ method: Method,
        _ segments: [String]
    ) -> RouteMatch<Payload> {
        let payload =
            leaf.payloads[method] ?? (method == .head ? leaf.payloads[.get] : nil)
        guard let payload else {
            var allow = Set(leaf.payloads.keys)
            if allow.contains(.get) { allow.insert(.head) }
            return .methodNotAllowed(allow: allow.sorted { $0.token < $1.token })
        }
        var captures: [Captures.Capture] = []
        for (index, segment) in leaf.template.segments.enumerated() {
            switch segment {
            case .literal: break
            case .capture(let name): captures.append(.init(name: name, value: segments[index]))
            case .rest(let name):
                let value = segments[index...].joined(separator: "/")
                captures.append(.init(name: name, value: value))
            }
        }
        return .found(payload, template: leaf.template, captures: Captures(all: captures))
    }
}
