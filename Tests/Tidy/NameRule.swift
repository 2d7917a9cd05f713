/// Names say what a thing is; these endings say only that nobody decided.
enum NameRule {
    private static let banned = [
        "Utils", "Util", "Utilities", "Utility", "Helper", "Helpers", "Manager", "Common", "Base",
        "Misc", "Data", "Info",
    ]

    static func findings(in file: SourceFile) -> [Finding] {
        var findings = file.declaredTypes.compactMap { type -> Finding? in
            guard let word = emptyWord(in: type.text) else { return nil }
            return Finding(
                path: file.path,
                line: type.line,
                advice: "`\(type.text)`: \"\(word)\" says nothing; use the field's own noun"
            )
        }
        for part in file.folders.map(String.init) + [file.name] {
            guard let word = emptyWord(in: part) else { continue }
            findings.append(
                Finding(
                    path: file.path,
                    line: 1,
                    advice: "\"\(word)\" in the path `\(part)` says nothing; name what lives there"
                )
            )
        }
        return findings
    }

    static func emptyWord(in name: String) -> String? {
        if name == "Handler" { return name }
        return name.split(separator: "+").lazy.compactMap { part in
            banned.first { part.hasSuffix($0) }
        }.first
    }
}
