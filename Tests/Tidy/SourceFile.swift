/// One Swift file of the tree, read once and cut into tokens.
struct SourceFile: Sendable {
    /// Relative to the root of the tree, with `/` between folders.
    let path: String
    let lineCount: Int
    /// All tokens except comments.
    let code: [Token]
    let comments: [Token]

    init(path: String, text: String) {
        self.path = path
        let tokens = Lexer.tokens(of: text)
        code = tokens.filter { $0.kind != .comment }
        comments = tokens.filter { $0.kind == .comment }
        var lineCount = 0
        for byte in text.utf8 where byte == UInt8(ascii: "\n") { lineCount += 1 }
        self.lineCount = lineCount
    }

    var folders: [Substring] { path.split(separator: "/").dropLast() }

    /// The file's name without folders and without `.swift`.
    var name: String {
        String(path.split(separator: "/").last?.dropLast(".swift".count) ?? "")
    }

    var isSource: Bool { path.hasPrefix("Sources/") }

    /// The folder that is the file's target: `Sources/<floor>/<target>/…`, or `Tests/<target>/…`.
    var target: String {
        let folders = folders
        let depth = isSource ? 2 : 1
        return folders.count > depth ? String(folders[depth]) : ""
    }

    /// The token `offset` places from `index`, or none past either end.
    func token(_ index: Int, _ offset: Int = 0) -> Token? {
        code.indices.contains(index + offset) ? code[index + offset] : nil
    }

    /// The text of the unbroken block of comments whose last line is directly above `line` or on it.
    func comment(above line: Int) -> String {
        var expected = line
        var block: [String] = []
        for comment in comments.reversed() where comment.lastLine <= line {
            guard comment.lastLine >= expected - 1 else { break }
            block.append(comment.text)
            expected = comment.line
        }
        return block.reversed().joined(separator: "\n")
    }

    static let typeKeywords: Set<String> = [
        "struct", "class", "enum", "actor", "protocol", "typealias",
    ]

    /// The types that the file declares, with the token of each name.
    var declaredTypes: [Token] {
        code.indices.compactMap { index in
            guard code[index].kind == .word, Self.typeKeywords.contains(code[index].text),
                token(index, -1)?.isSign(".") != true,
                let name = token(index, 1), name.kind == .word, name.text != "func",
                name.text != "var", name.text != "let"
            else { return nil }
            return name
        }
    }

    /// Every name that a test could call: types, functions and stored values of the file.
    var declaredNames: Set<String> {
        var names = Set(declaredTypes.map(\.text))
        for index in code.indices
        where code[index].isWord("func") || code[index].isWord("extension")
            || code[index].isWord("let") || code[index].isWord("var")
        {
            if let name = token(index, 1), name.kind == .word { names.insert(name.text) }
        }
        return names
    }
}
