/// What another target can use says in one line what it is.
///
/// `swift format` asks this of `public` only, and nothing here is public. Asked are types, functions, and initialisers and
/// properties that do more than store or than one line shows. Stored properties and constants are explained by their type's
/// comment and their name with its unit; what a protocol demands is explained at the protocol.
enum DocumentationRule {
    /// Names whose meaning a protocol of the standard library fixes.
    private static let known: Set<String> = [
        "hash", "description", "debugDescription", "errorDescription", "customMirror",
        "rawValue", "allCases", "encode", "makeIterator", "next", "startIndex", "endIndex",
        "index", "enqueue", "unownedExecutor", "asUnownedSerialExecutor",
        "asUnownedTaskExecutor", "checkIsolated", "isIsolatingCurrentContext", "appendLiteral",
    ]

    private static let modifiers: Set<String> = [
        "package", "static", "final", "mutating", "nonmutating", "nonisolated", "consuming",
        "borrowing", "override", "indirect", "lazy", "weak", "unowned", "unsafe", "convenience",
        "private", "class",
    ]

    private static let declarations: Set<String> = [
        "func", "var", "let", "struct", "class", "enum", "actor", "protocol", "init", "subscript",
    ]

    /// Names of the requirements that the protocols of these files declare.
    static func requirements(in files: [SourceFile]) -> Set<String> {
        var names: Set<String> = []
        for file in files {
            for index in file.code.indices where file.code[index].isWord("protocol") {
                names.formUnion(requirements(ofProtocolAt: index, in: file))
            }
        }
        return names
    }

    private static func requirements(ofProtocolAt index: Int, in file: SourceFile) -> [String] {
        var names: [String] = []
        var depth = 0
        for place in (index + 1)..<max(file.code.count, index + 1) {
            let token = file.code[place]
            if token.isSign("{") { depth += 1 }
            if token.isSign("}") {
                depth -= 1
                if depth == 0 { break }
            }
            guard depth == 1, token.kind == .word, declarations.contains(token.text) else {
                continue
            }
            names.append(name(ofDeclarationAt: place, in: file))
        }
        return names
    }

    /// The name that a declaration is known by; initialisers are known by their first label.
    private static func name(ofDeclarationAt keyword: Int, in file: SourceFile) -> String {
        file.code[keyword].isWord("init")
            ? "init(\(file.token(keyword, 2)?.text ?? "")" : file.token(keyword, 1)?.text ?? ""
    }

    static func findings(in file: SourceFile, inherited: Set<String> = []) -> [Finding] {
        let documented = Set(file.comments.filter(\.isDocumentation).map(\.lastLine))
        return file.code.indices.compactMap { index in
            guard file.code[index].isWord("package"),
                let keyword = keyword(after: index, in: file), needsSentence(keyword, in: file)
            else { return nil }
            let line = firstLine(ofDeclarationAt: index, in: file)
            let name = name(ofDeclarationAt: keyword, in: file)
            guard !documented.contains(line - 1), !inherited.contains(name) else { return nil }
            let keywordText = file.code[keyword].text
            let shown =
                keywordText == "init" ? "`package \(name):)`" : "`package \(keywordText) \(name)`"
            return Finding(
                path: file.path,
                line: file.code[index].line,
                advice:
                    "\(shown) has no doc comment: one line on what it is, then only what the signature"
                    + " cannot say"
            )
        }
    }

    /// The declaration keyword that a `package` belongs to; none for imports and extensions.
    private static func keyword(after index: Int, in file: SourceFile) -> Int? {
        guard file.token(index, -1)?.isSign(".") != true else { return nil }
        var place = index + 1
        while let token = file.token(place), place < index + 12 {
            if token.isWord("class"), file.token(place, 1)?.isWord("func") == true {
                place += 1
            } else if token.kind == .word, declarations.contains(token.text) {
                return place
            } else if token.isSign("(") || token.isSign(")") || modifiers.contains(token.text)
                || token.isWord("set")
            {
                // `package(set)` speaks of a setter only.
                if place == index + 1, token.isSign("(") { return nil }
                place += 1
            } else {
                return nil
            }
        }
        return nil
    }

    private static func needsSentence(_ keyword: Int, in file: SourceFile) -> Bool {
        guard let name = file.token(keyword, 1) else { return false }
        if file.code[keyword].isWord("init") { return !isMemberwise(keyword, in: file) }
        guard name.kind == .word, !isPlain(keyword, in: file) else { return false }
        return !known.contains(name.text)
    }

    /// Whether a property holds a value, or computes one in a line that is its own summary.
    private static func isPlain(_ keyword: Int, in file: SourceFile) -> Bool {
        if file.code[keyword].isWord("let") { return true }
        guard file.code[keyword].isWord("var") else { return false }
        var place = keyword + 1
        while let token = file.token(place) {
            if token.isSign("{") {
                let next = file.token(place, 1)
                if next?.isWord("didSet") == true || next?.isWord("willSet") == true { return true }
                return file.code[place...].first { $0.isSign("}") }?.line == token.line
            }
            let startsAnother = token.kind == .word && declarations.contains(token.text)
            if token.isSign("=") || token.isSign("}") || startsAnother { return true }
            place += 1
        }
        return true
    }

    /// Whether an initialiser only stores its parameters, or is one that a protocol demands.
    private static func isMemberwise(_ keyword: Int, in file: SourceFile) -> Bool {
        var place = keyword + 1
        var depth = 0
        if let label = file.token(keyword, 2)?.text,
            ["rawValue", "from"].contains(label) || label.hasPrefix("literal")
                || label.hasSuffix("Literal")
                || label == "stringInterpolation"
        {
            return true
        }
        while let token = file.token(place) {
            if token.isSign("(") { depth += 1 }
            if token.isSign(")") { depth -= 1 }
            if depth == 0, token.isSign("{") { break }
            if depth < 0 || token.isSign("}") { return false }
            place += 1
        }
        place += 1
        while let token = file.token(place), !token.isSign("}") {
            if token.isWord("self"), file.token(place, 1)?.isSign(".") == true {
                place += 2
            }
            guard let stored = file.token(place), stored.kind == .word,
                file.token(place, 1)?.isSign("=") == true,
                file.token(place, 2)?.kind == .word, let next = file.token(place, 3),
                next.line > stored.line || next.isSign("}")
            else { return false }
            place += 3
        }
        return true
    }

    /// The line where the declaration begins: its attributes may stand above it.
    private static func firstLine(ofDeclarationAt index: Int, in file: SourceFile) -> Int {
        var line = file.code[index].line
        var place = index - 1
        while let token = file.token(place) {
            if token.line == line {
                place -= 1
                continue
            }
            guard let start = file.code[...place].firstIndex(where: { $0.line == token.line }),
                token.line == line - 1, file.code[start].isSign("@")
            else { break }
            line = token.line
            place = start - 1
        }
        return line
    }
}
