/// Every `import` of Sources stands in the table of the house.
enum ImportRule {
    static func findings(in file: SourceFile) -> [Finding] {
        imports(of: file).compactMap { module in
            guard !House.isAllowed(module.text, in: file.target) else { return nil }
            let reason = House.reason(against: module.text, in: file.target)
            return Finding(
                path: file.path,
                line: module.line,
                advice: "\(file.target) may not import \(module.text): \(reason)"
            )
        }
    }

    private static let kinds: Set<String> = [
        "struct", "class", "enum", "protocol", "typealias", "func", "let", "var",
    ]

    static func imports(of file: SourceFile) -> [Token] {
        file.code.indices.compactMap { index in
            guard file.code[index].isWord("import"), file.token(index, -1)?.isSign(".") != true,
                let next = file.token(index, 1), next.kind == .word,
                next.line == file.code[index].line
            else { return nil }
            return kinds.contains(next.text) ? file.token(index, 2) : next
        }
    }

    /// A folder that is a target but not in the table would escape every rule.
    static func unknownTargets(in files: [SourceFile]) -> [Finding] {
        var seen: Set<String> = []
        return files.compactMap { file in
            guard file.isSource, file.folders.count > 2, House.mayImport[file.target] == nil,
                seen.insert(file.target).inserted
            else { return nil }
            return Finding(
                path: file.path,
                line: 1,
                advice: "\(file.target) is not in the table of House.swift: enter it there with"
                    + " what it may import, or move the file into a room that is"
            )
        }
    }
}
