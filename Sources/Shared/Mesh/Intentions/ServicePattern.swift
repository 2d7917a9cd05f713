/// Which services a rule speaks of; a wildcard is always a whole part, and none can be written
/// in a way that means nothing (an exact name in any namespace).
package enum ServicePattern: Hashable, Sendable {
    /// `*/*`
    case any
    /// `<namespace>/*`
    case namespace(NamespaceName)
    /// `<namespace>/<service>`
    case exact(ServiceName)

    /// Reads the two parts as they stand in a path or an object; `*` is the wildcard.
    package init(namespace: String, name: String) throws(NameError) {
        switch (namespace, name) {
        case ("*", "*"):
            self = .any
        case ("*", _):
            throw .malformed("must be '*' when the namespace is '*'")
        case (_, "*"):
            self = .namespace(try NamespaceName(namespace))
        default:
            self = .exact(
                ServiceName(
                    namespace: try NamespaceName(namespace),
                    name: try ServiceLabel(name)
                )
            )
        }
    }

    /// Reads `*`, `<namespace>/*`, `<namespace>/<service>`, or `<service>` in the default
    /// namespace.
    package init(_ text: String) throws(NameError) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        switch parts.count {
        case 1 where text == "*":
            self = .any
        case 1:
            self = .exact(try ServiceName(text))
        case 2:
            try self.init(namespace: parts[0], name: parts[1])
        default:
            throw .malformed("must be written <namespace>/<service>")
        }
    }

    /// The namespace part as it stands in a resource path.
    package var namespaceText: String {
        switch self {
        case .any: "*"
        case .namespace(let namespace): namespace.text
        case .exact(let service): service.namespace.text
        }
    }

    /// The name part as it stands in a resource path.
    package var nameText: String {
        switch self {
        case .any, .namespace: "*"
        case .exact(let service): service.name.text
        }
    }

    /// Whether it names one service.
    package var isExact: Bool { exactness == 2 }

    /// 0 for any, 1 for a namespace, 2 for one service.
    package var exactness: Int {
        switch self {
        case .any: 0
        case .namespace: 1
        case .exact: 2
        }
    }

    /// Whether the service is covered.
    package func matches(_ service: ServiceName) -> Bool {
        switch self {
        case .any: true
        case .namespace(let namespace): service.namespace == namespace
        case .exact(let exact): service == exact
        }
    }
}

extension ServicePattern: CustomStringConvertible {
    package var description: String {
        self == .any ? "*" : "\(namespaceText)/\(nameText)"
    }
}
