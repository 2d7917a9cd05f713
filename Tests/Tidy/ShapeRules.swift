/// Files and functions stay small enough to be read in one go, and lie where the plan says.
enum ShapeRules {
    static let sourceLinesMax = 500
    static let testLinesMax = 800
    static let functionLinesMax = 100
    static let foldersBelowTargetMax = 2

    static func fileLength(of file: SourceFile) -> [Finding] {
        let limit = file.isSource ? sourceLinesMax : testLinesMax
        guard file.lineCount > limit else { return [] }
        return [
            Finding(
                path: file.path,
                line: 1,
                advice: "\(file.lineCount) lines, the limit is \(limit): move one concern into"
                    + " `\(file.name)+Concern.swift` or a type of its own"
            )
        ]
    }

    static func functionLength(in file: SourceFile) -> [Finding] {
        functions(in: file).compactMap { function in
            guard function.lineCount > functionLinesMax else { return nil }
            return Finding(
                path: file.path,
                line: function.line,
                advice: "`\(function.name)` has \(function.lineCount) lines, the limit is"
                    + " \(functionLinesMax): name its steps"
            )
        }
    }

    struct Function: Equatable {
        var name: String
        var line: Int
        /// From the line of the name to the line of the closing brace.
        var lineCount: Int
    }

    static func functions(in file: SourceFile) -> [Function] {
        file.code.indices.compactMap { index in
            let word = file.code[index]
            guard word.kind == .word, file.token(index, -1)?.isSign(".") != true else { return nil }
            let name: String
            switch word.text {
            case "func": name = file.token(index, 1)?.text ?? ""
            case "init", "deinit", "subscript": name = word.text
            default: return nil
            }
            guard let end = lastLine(ofBodyAfter: index, in: file) else { return nil }
            return Function(name: name, line: word.line, lineCount: end - word.line + 1)
        }
    }

    /// The line of the brace that closes the body, or none where there is no body (a requirement of a protocol).
    private static func lastLine(ofBodyAfter index: Int, in file: SourceFile) -> Int? {
        var parentheses = 0
        var braces = 0
        for place in (index + 1)..<max(file.code.count, index + 1) {
            let token = file.code[place]
            guard token.kind == .sign else {
                let startsNextDeclaration =
                    token.kind == .word && parentheses == 0 && braces == 0 && place > index + 1
                    && bodyless.contains(token.text) && token.line > file.code[place - 1].line
                if startsNextDeclaration { return nil }
                continue
            }
            switch token.text {
            case "(", "[": parentheses += 1
            case ")", "]": parentheses -= 1
            case "{" where parentheses == 0: braces += 1
            case "}" where parentheses == 0:
                if braces == 0 { return nil }
                braces -= 1
                if braces == 0 { return token.line }
            default: break
            }
        }
        return nil
    }

    private static let bodyless: Set<String> = [
        "func", "var", "let", "init", "static", "mutating", "associatedtype", "subscript", "case",
        "package", "private",
    ]

    static func place(of file: SourceFile) -> [Finding] {
        guard file.isSource else { return [] }
        let folders = file.folders
        let advice: String
        if folders.count < 3 {
            advice = "no Swift file lies directly in a floor: move it into a room"
        } else if !House.floors.contains(String(folders[1])) {
            advice = "the floors are \(House.floors.joined(separator: ", ")); there is no fourth"
        } else if folders.count - 3 > foldersBelowTargetMax {
            advice =
                "\(folders.count - 3) folders below its target; \(foldersBelowTargetMax) is the"
                + " deepest that people still find"
        } else {
            return []
        }
        return [Finding(path: file.path, line: 1, advice: advice)]
    }
}
