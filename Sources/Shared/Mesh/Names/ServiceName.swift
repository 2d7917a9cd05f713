/// The full name of a service: its namespace and its label.
package struct ServiceName: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The namespace of the service.
    package let namespace: NamespaceName
    /// The label within the namespace.
    package let name: ServiceLabel

    package init(namespace: NamespaceName, name: ServiceLabel) {
        self.namespace = namespace
        self.name = name
    }

    /// Reads `<namespace>/<service>`, or `<service>` in the default namespace.
    package init(_ text: String) throws(NameError) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        switch parts.count {
        case 1:
            namespace = .default
            name = try ServiceLabel(text)
        case 2:
            namespace = try NamespaceName(String(parts[0]))
            name = try ServiceLabel(String(parts[1]))
        default:
            throw .malformed("must be written <namespace>/<service>")
        }
    }

    /// The form that people and logs see: `<namespace>/<service>`.
    package var description: String { "\(namespace.text)/\(name.text)" }

    package static func < (left: ServiceName, right: ServiceName) -> Bool {
        left.namespace == right.namespace
            ? left.name < right.name : left.namespace < right.namespace
    }
}
