/// Nothing in Sources trusts a value so far that it would trap, and nothing is public.
enum TrustRules {
    private static let declarations: Set<String> = [
        "func", "var", "let", "struct", "class", "enum", "actor", "protocol", "extension", "init",
        "static", "final", "typealias", "import", "subscript", "mutating", "nonisolated",
        "consuming", "borrowing", "convenience", "override", "lazy", "weak", "indirect",
        "associatedtype",
    ]

    static func publicDeclarations(in file: SourceFile) -> [Finding] {
        file.code.indices.compactMap { index in
            let word = file.code[index]
            guard word.isWord("public") || word.isWord("open"),
                file.token(index, -1)?.isSign(".") != true,
                let next = file.token(index, 1), declarations.contains(next.text),
                next.kind == .word
            else { return nil }
            return Finding(
                path: file.path,
                line: word.line,
                advice: "we ship programs, not a library: write `package` for what other targets"
                    + " use, nothing otherwise"
            )
        }
    }

    static func traps(in file: SourceFile) -> [Finding] {
        file.code.indices.compactMap { index in
            guard let advice = trap(at: index, in: file) else { return nil }
            return Finding(path: file.path, line: file.code[index].line, advice: advice)
        }
    }

    private static func trap(at index: Int, in file: SourceFile) -> String? {
        let token = file.code[index]
        if token.isWord("fatalError"), file.token(index, 1)?.isSign("(") == true {
            return "`fatalError` ends the process: throw, or `precondition` if only our own bug can"
                + " lead here"
        }
        guard token.isSign("!"), !token.followsBlank, let before = file.token(index, -1) else {
            return nil
        }
        if before.isWord("try") { return "`try!` traps on an error: handle it or declare it" }
        if before.isWord("as") { return "`as!` traps on another type: use `as?` and answer nil" }
        let closes = before.isSign(")") || before.isSign("]") || before.isSign("}")
        let isOperand = before.kind == .word || before.kind == .literal || closes
        let isInequality = file.token(index, 1).map { $0.isSign("=") && !$0.followsBlank } == true
        guard isOperand, !isInequality else { return nil }
        return "`!` traps on nil: bind with `guard let` and say what happens otherwise"
    }
}
