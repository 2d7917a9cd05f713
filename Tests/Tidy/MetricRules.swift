/// A metric is declared once, in MetricNames.swift, and explained once, in docs/metrics.md.
enum MetricRules {
    static let declarationPath = "Sources/Shared/Observability/MetricNames.swift"
    static let documentPath = "docs/metrics.md"

    private static let prefix = "turnpike_"
    private static let units = ["_total", "_seconds", "_bytes", "_ratio"]

    static func declaredNames(in file: SourceFile) -> [Token] {
        file.code.filter { $0.kind == .literal && isName($0.text) }
    }

    static func isName(_ text: String) -> Bool {
        text.hasPrefix(prefix)
            && text.utf8.allSatisfy { byte in
                byte == UInt8(ascii: "_") || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
            }
    }

    /// Metric names written out elsewhere, which the document would never hear of.
    static func strays(in file: SourceFile, declared: Set<String>) -> [Finding] {
        guard file.path != declarationPath else { return [] }
        return file.code.compactMap { token in
            guard token.kind == .literal, isName(token.text),
                declared.contains(token.text) || units.contains(where: token.text.hasSuffix)
            else { return nil }
            return Finding(
                path: file.path,
                line: token.line,
                advice:
                    "`\(token.text)`: use its constant of MetricNames.swift, so that the name is"
                    + " written once"
            )
        }
    }

    static func undocumented(_ declared: [Token], document: String) -> [Finding] {
        declared.compactMap { token in
            guard !document.contains("`\(token.text)`") else { return nil }
            return Finding(
                path: declarationPath,
                line: token.line,
                advice:
                    "`\(token.text)` is missing in \(documentPath): say there what it counts and"
                    + " when to worry"
            )
        }
    }

    /// Names that the document explains and no code declares.
    static func gone(declared: Set<String>, document: String) -> [Finding] {
        var findings: [Finding] = []
        for (index, line) in document.split(separator: "\n", omittingEmptySubsequences: false)
            .enumerated()
        {
            for part in line.split(separator: "`") where isName(String(part)) {
                guard !declared.contains(String(part)) else { continue }
                findings.append(
                    Finding(
                        path: documentPath,
                        line: index + 1,
                        advice:
                            "`\(part)` is not in MetricNames.swift: remove it here or declare it"
                    )
                )
            }
        }
        return findings
    }
}
