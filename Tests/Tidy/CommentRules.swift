/// Comments say why; they hold no dead code, no banners and no promises.
enum CommentRules {
    static func deadCode(in file: SourceFile) -> [Finding] {
        file.comments.compactMap { comment in
            guard !comment.isDocumentation, comment.text.hasPrefix("//"),
                looksLikeCode(String(comment.text.dropFirst(2)))
            else { return nil }
            return Finding(
                path: file.path,
                line: comment.line,
                advice: "this comment looks like code: delete it, git remembers"
            )
        }
    }

    private static let statementWords: Set<Substring> = [
        "let", "var", "func", "import", "guard", "struct", "class", "enum", "package", "private",
        "static", "@Test", "#expect", "#require",
    ]

    static func looksLikeCode(_ comment: String) -> Bool {
        var text = comment[...]
        while text.first == " " { text.removeFirst() }
        while text.last == " " { text.removeLast() }
        if text == "}" || text == "})" || text.hasSuffix("{") || text.hasSuffix(";") { return true }
        let first = text.prefix { $0 != " " && $0 != "(" }
        if statementWords.contains(first), text.contains("=") || text.contains("(") {
            return !text.hasSuffix(".")
        }
        let isCall =
            text.hasSuffix(")") && !first.contains(" ") && text.dropFirst(first.count).first == "("
        return isCall && first.contains(".") && !text.dropLast().contains(")")
    }

    static func banners(in file: SourceFile) -> [Finding] {
        file.comments.compactMap { comment in
            guard
                ["=====", "-----", "*****", "#####", "/////"].contains(where: comment.text.contains)
            else { return nil }
            return Finding(
                path: file.path,
                line: comment.line,
                advice: "a banner takes the eye and says nothing: a type or a file is the divider"
            )
        }
    }

    /// Words that defer work, spelt in halves so that this file does not find itself.
    private static let promises = ["TO" + "DO", "FIX" + "ME", "XX" + "X:", "HA" + "CK:"]

    static func promises(in text: SourceTree.TextFile) -> [Finding] {
        lines(of: text, containing: promises) { word in
            "\(word) is a promise to nobody: do it now, or write it where the team plans"
        }
    }

    /// Folders of the machines we happen to work on, again in halves.
    private static let machineFolders = [
        "/wo" + "rk/", "/ro" + "ot/", "/ho" + "me/", "/tmp/" + "tp",
    ]

    static func machinePaths(in text: SourceTree.TextFile) -> [Finding] {
        lines(of: text, containing: machineFolders) { folder in
            "`\(folder)` exists on one machine only: derive the path, or use another example"
        }
    }

    private static func lines(
        of file: SourceTree.TextFile,
        containing words: [String],
        advice: (String) -> String
    ) -> [Finding] {
        // Most files hold none, so the whole text is asked before its lines.
        guard words.contains(where: { file.text.contains($0) }) else { return [] }
        var findings: [Finding] = []
        for (index, line) in file.text.split(separator: "\n", omittingEmptySubsequences: false)
            .enumerated()
        {
            for word in words where line.contains(word) {
                findings.append(Finding(path: file.path, line: index + 1, advice: advice(word)))
            }
        }
        return findings
    }
}
