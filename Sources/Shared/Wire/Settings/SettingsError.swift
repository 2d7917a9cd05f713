/// Why settings were refused: where the value stood, what is wrong and what would be right.
///
/// It never holds the value itself: a setting may be a URL with a password.
package struct SettingsError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The file with line and column, the flag or the variable.
    package let origin: String
    package let problem: String
    package let hint: String

    package init(origin: String, problem: String, hint: String) {
        self.origin = origin
        self.problem = problem
        self.hint = hint
    }

    package var description: String { "\(origin): \(problem); \(hint)" }
}
