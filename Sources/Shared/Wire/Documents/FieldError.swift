/// Why a field of a document was refused; holds no part of the field's value.
package struct FieldError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The field from the top of the document, such as `sources[2].name`; empty for the top itself.
    package let path: String
    package let position: SourcePosition
    /// What is wrong.
    package let problem: String
    /// What would be right.
    package let hint: String

    package init(path: String, position: SourcePosition, problem: String, hint: String) {
        self.path = path
        self.position = position
        self.problem = problem
        self.hint = hint
    }

    /// `path (line l, column c): problem; hint`, without the place when the document has none.
    package var description: String {
        let name = path.isEmpty ? "the document" : path
        let place =
            position == .none ? "" : " (line \(position.line), column \(position.column))"
        return "\(name)\(place): \(problem); \(hint)"
    }
}
