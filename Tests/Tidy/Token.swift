/// One word, number, literal, sign or comment of a Swift file, with the place where it stands.
struct Token: Equatable, Sendable {
    enum Kind: Equatable, Sendable {
        case word, number, literal, sign, comment
    }

    var kind: Kind
    /// A literal's text is what lies between its quotes, with `\()` for each interpolation.
    var text: String
    var line: Int
    var lastLine: Int
    /// Whether a blank or a line break stands before it: tells `a!` from `a && !b`.
    var followsBlank: Bool

    func isWord(_ expected: String) -> Bool {
        kind == .word && text == expected
    }

    func isSign(_ expected: String) -> Bool {
        kind == .sign && text == expected
    }

    var isDocumentation: Bool {
        kind == .comment && (text.hasPrefix("///") || text.hasPrefix("/**"))
    }
}
