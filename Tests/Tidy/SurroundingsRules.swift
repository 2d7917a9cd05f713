/// Environment, clocks, randomness and standard output are arguments, except in the rooms that own them.
enum SurroundingsRules {
    private static let environmentWords: Set<String> = [
        "getenv", "secure_getenv", "setenv", "unsetenv", "environ", "ProcessInfo",
    ]

    /// Reactor may read the environment for the executables: C's answer is a pointer.
    static func environment(in file: SourceFile) -> [Finding] {
        guard !House.executables.contains(file.target), file.target != "Reactor" else { return [] }
        return file.code.indices.compactMap { index in
            let word = file.code[index]
            guard word.kind == .word, environmentWords.contains(word.text),
                word.text != "environ" || file.token(index, -1)?.isSign(".") != true
            else { return nil }
            return Finding(
                path: file.path,
                line: word.line,
                advice: "only an executable reads the environment (`\(word.text)`): parse it there"
                    + " once and pass the value in"
            )
        }
    }

    static func output(in file: SourceFile) -> [Finding] {
        guard !House.executables.contains(file.target) else { return [] }
        let words: Set<String> = ["print", "debugPrint", "dump", "puts", "printf"]
        return file.code.indices.compactMap { index in
            let word = file.code[index]
            guard word.kind == .word, words.contains(word.text), isFreeCall(index, in: file) else {
                return nil
            }
            return Finding(
                path: file.path,
                line: word.line,
                advice:
                    "`\(word.text)` writes past the log: record through Observability, or return"
                    + " the text to an executable"
            )
        }
    }

    private static let clockFunctions: Set<String> = [
        "clock_gettime", "gettimeofday", "time", "mach_absolute_time",
    ]

    static func clocks(in file: SourceFile) -> [Finding] {
        guard !House.executables.contains(file.target), file.target != "Reactor" else { return [] }
        return file.code.indices.compactMap { index in
            guard readsClock(index, in: file) else { return nil }
            return Finding(
                path: file.path,
                line: file.code[index].line,
                advice: "`\(file.code[index].text)` reads a clock here: take the instant or the"
                    + " timestamp as an argument; Reactor and the executables read clocks"
            )
        }
    }

    private static func readsClock(_ index: Int, in file: SourceFile) -> Bool {
        let word = file.code[index]
        guard word.kind == .word else { return false }
        func next(_ offset: Int, is sign: String) -> Bool {
            file.token(index, offset)?.isSign(sign) == true
        }
        switch word.text {
        case "Date":
            return next(1, is: "(") && next(2, is: ")")
                || next(1, is: ".") && file.token(index, 2)?.isWord("now") == true
        case "ContinuousClock", "SuspendingClock":
            return next(1, is: ".") && file.token(index, 2)?.isWord("now") == true
                || next(1, is: "(")
        case "DispatchTime", "DispatchWallTime": return true
        case _ where clockFunctions.contains(word.text): return isFreeCall(index, in: file)
        default: return false
        }
    }

    static func randomness(in file: SourceFile) -> [Finding] {
        let owners: Set<String> = ["Crypto", "Reactor"]
        guard !owners.contains(file.target), !House.executables.contains(file.target) else {
            return []
        }
        return file.code.indices.compactMap { index in
            let word = file.code[index]
            let isRandom =
                word.isWord("random") && file.token(index, -1)?.isSign(".") == true
                && file.token(index, 1)?.isSign("(") == true && !isSeeded(index, in: file)
            guard isRandom || word.isWord("SystemRandomNumberGenerator") else { return nil }
            return Finding(
                path: file.path,
                line: word.line,
                advice:
                    "randomness is an argument: take a generator (`using:`) or the bytes, so that"
                    + " a seed repeats the run"
            )
        }
    }

    private static func isSeeded(_ index: Int, in file: SourceFile) -> Bool {
        var depth = 0
        for token in file.code[(index + 1)...] {
            if token.isSign("(") { depth += 1 }
            if token.isSign(")") { depth -= 1 }
            if token.isWord("using") { return true }
            if depth == 0 { return false }
        }
        return false
    }

    /// A call of a global function, not a method or a declaration of that name.
    private static func isFreeCall(_ index: Int, in file: SourceFile) -> Bool {
        guard let next = file.token(index, 1), next.isSign("("), !next.followsBlank else {
            return false
        }
        guard let before = file.token(index, -1) else { return true }
        return !before.isSign(".") && !before.isWord("func")
    }
}
