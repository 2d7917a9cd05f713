/// What is wrong with one field of a resource, and what would be right.
package struct InvalidField: Error, Hashable, Sendable, CustomStringConvertible {
    /// The field as the writer spelled it, with its way from the root: `permissions[2].http.path`.
    package let field: String
    /// What is wrong, and what would be right.
    package let problem: Problem

    package init(_ field: String, _ problem: Problem) {
        self.field = field
        self.problem = problem
    }

    /// What can be wrong with a field.
    package enum Problem: Hashable, Sendable {
        case missing
        /// Known to nobody; the name is the field itself.
        case unknown
        case name(NameError)
        case tooLong(limitBytes: Int)
        case tooMany(limit: Int)
        case outOfRange(least: Int, most: Int)
        case duplicate
        /// Well formed, but no agent can enforce it yet; refusing it is the only safe answer.
        case notYetEnforceable
        /// A sentence fragment that says what would be right: "must …".
        case wrong(String)
    }

    package var description: String {
        field.isEmpty ? problem.description : "\(field): \(problem)"
    }

    /// The same error, seen from an object that holds this one under `parent`.
    package func inside(_ parent: String) -> InvalidField {
        if parent.isEmpty { return self }
        if field.isEmpty { return InvalidField(parent, problem) }
        return InvalidField(field.first == "[" ? parent + field : "\(parent).\(field)", problem)
    }
}

extension InvalidField.Problem: CustomStringConvertible {
    package var description: String {
        switch self {
        case .missing: "is required"
        case .unknown: "is not a field of this resource"
        case .name(let error): error.description
        case .tooLong(let limit): "must be at most \(limit) bytes long"
        case .tooMany(let limit): "must hold at most \(limit) entries"
        case .outOfRange(let least, let most): "must lie between \(least) and \(most)"
        case .duplicate: "is given more than once"
        case .notYetEnforceable: "cannot be enforced yet, so it is refused"
        case .wrong(let expectation): expectation
        }
    }
}
