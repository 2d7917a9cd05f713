/// Pointers and unchecked concurrency stay behind four fences, each with its sentence.
enum FenceRules {
    static func unsafeWords(in file: SourceFile) -> [Finding] {
        guard !House.fences.contains(file.target) else { return [] }
        return file.code.filter { $0.isWord("unsafe") }.map {
            Finding(
                path: file.path,
                line: $0.line,
                advice: "`unsafe` lives only in \(House.fences.sorted().joined(separator: ", ")):"
                    + " move the C call or pointer behind that fence and call a safe function"
            )
        }
    }

    private static let ownershipWords = [
        "thread", "loop", "reactor", "lock", "mutex", "owner", "owns", "owned", "confined",
        "immutable", "atomic", "never changes", "read-only", "written once",
    ]

    static func uncheckedConcurrency(in file: SourceFile) -> [Finding] {
        file.code.indices.compactMap { index in
            let word = file.code[index]
            let isUnchecked =
                word.isWord("unchecked") && file.token(index, -1)?.isSign("@") == true
                && file.token(index, 1)?.isWord("Sendable") == true
            let isNonisolated =
                word.isWord("nonisolated") && file.token(index, 1)?.isSign("(") == true
                && file.token(index, 2)?.isWord("unsafe") == true
            guard isUnchecked || isNonisolated else { return nil }
            let spelling = isUnchecked ? "@unchecked Sendable" : "nonisolated(unsafe)"
            guard House.fences.contains(file.target) else {
                return Finding(
                    path: file.path,
                    line: word.line,
                    advice: "`\(spelling)` is allowed only in a fence: use a value, an actor or"
                        + " Mutex"
                )
            }
            let comment = file.comment(above: firstLine(of: index, in: file)).lowercased()
            guard !ownershipWords.contains(where: comment.contains) else { return nil }
            return Finding(
                path: file.path,
                line: word.line,
                advice: "`\(spelling)` needs a comment directly above that says which thread owns"
                    + " it, or which lock guards it"
            )
        }
    }

    /// The first line of the statement around a token: attributes and modifiers may stand above it.
    private static func firstLine(of index: Int, in file: SourceFile) -> Int {
        var line = file.code[index].line
        var place = index
        while let before = file.token(place, -1), before.line >= line - 1,
            !before.isSign("{"), !before.isSign("}"), !before.isSign(";")
        {
            let isContinuation =
                before.line == line || before.isSign(",") || before.isSign(":")
                || before.isSign("(") || isAttribute(onLine: before.line, in: file)
            guard isContinuation else { break }
            line = before.line
            place -= 1
        }
        return line
    }

    private static func isAttribute(onLine line: Int, in file: SourceFile) -> Bool {
        file.code.first { $0.line == line }?.isSign("@") == true
    }
}
