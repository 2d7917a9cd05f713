/// Why a text is not a document; holds no part of the text.
package struct DocumentError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The file's name, or what the text is, such as `request body`.
    package let source: String
    package let position: SourcePosition
    /// What is wrong.
    package let problem: String
    /// What would be right.
    package let hint: String

    package init(source: String, position: SourcePosition, problem: String, hint: String) {
        self.source = source
        self.position = position
        self.problem = problem
        self.hint = hint
    }

    /// `file:line:column: problem; hint`.
    package var description: String { "\(source):\(position): \(problem); \(hint)" }
}
