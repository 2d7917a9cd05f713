/// SQL text is in Store and nowhere else; Postgres holds the vocabulary of its own sessions.
enum SQLRule {
    static func findings(in file: SourceFile) -> [Finding] {
        guard file.target != "Store" else { return [] }
        return file.code.compactMap { token in
            guard token.kind == .literal, isStatement(token.text),
                !(file.target == "Postgres" && isSessionVocabulary(token.text))
            else { return nil }
            return Finding(
                path: file.path,
                line: token.line,
                advice: "SQL text belongs in a repository of Store, where it is reviewed and tested"
                    + " against a real database: give Store a function and call it"
            )
        }
    }

    private static func words(_ text: String) -> [Substring] {
        text.prefix(400).split { $0 == " " || $0 == "\n" || $0 == "\t" || $0 == ";" }
    }

    private static let objects: Set<Substring> = [
        "TABLE", "INDEX", "UNIQUE", "VIEW", "MATERIALIZED", "ROLE", "USER", "DATABASE", "SCHEMA",
        "FUNCTION", "EXTENSION", "TYPE", "TRIGGER", "POLICY", "SEQUENCE", "OR", "DEFAULT", "OWNED",
        "TEMPORARY", "TEMP", "UNLOGGED", "DOMAIN", "AGGREGATE",
    ]

    /// Whether a literal opens as a statement does.
    ///
    /// Keywords alone are not enough: `DELETE` is a method of HTTP and "Update the agent" is English.
    static func isStatement(_ text: String) -> Bool {
        let words = words(text)
        guard let first = words.first else { return false }
        let second = words.count > 1 ? words[1] : ""
        switch first {
        case "SELECT", "EXPLAIN": return words.count > 1
        case "INSERT", "insert": return ["INTO", "into"].contains(second)
        case "DELETE", "delete": return ["FROM", "from"].contains(second) && first != second
        case "UPDATE", "update": return words.contains("SET") || words.contains("set")
        case "select": return words.contains("from") || second.hasPrefix("pg_") || second == "1"
        case "CREATE", "ALTER", "DROP": return objects.contains(second)
        case "GRANT", "REVOKE":
            return words.contains("ON") || words.contains("TO")
                || words.contains("FROM")
        case "WITH": return words.contains("AS")
        case "TRUNCATE", "COPY", "LISTEN", "UNLISTEN", "NOTIFY", "SAVEPOINT", "ROLLBACK":
            return !second.isEmpty || first == "ROLLBACK"
        case "BEGIN":
            return words.count == 1 || ["ISOLATION", "READ", "TRANSACTION"].contains(second)
        case "COMMIT": return words.count == 1
        case "SET":
            return words.contains("TO") || words.contains("=")
                || ["LOCAL", "ROLE"].contains(second)
        default: return false
        }
    }

    /// What a connection, a pool and an embedded cluster need to say of themselves; no table of ours is named in it.
    static func isSessionVocabulary(_ text: String) -> Bool {
        let words = words(text)
        guard let first = words.first else { return false }
        let second = words.count > 1 ? words[1] : ""
        switch first {
        case "BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "LISTEN", "UNLISTEN", "NOTIFY", "SET",
            "SHOW":
            return true
        case "REVOKE":
            return words.contains("DATABASE")
        case "SELECT", "select":
            guard let from = words.firstIndex(where: { $0 == "FROM" || $0 == "from" }) else {
                return true
            }
            return words.indices.contains(from + 1) && words[from + 1].hasPrefix("pg_")
        case "CREATE", "ALTER", "DROP": return ["ROLE", "USER", "DATABASE"].contains(second)
        default: return false
        }
    }

    /// Migrations are embedded under names made from their files, so the names must be regular.
    static func migrationNames(among paths: [String]) -> [Finding] {
        var numbers: Set<String> = []
        return paths.filter { $0.hasPrefix("Sources/") && $0.hasSuffix(".sql") }.compactMap {
            path in
            func finding(_ advice: String) -> Finding {
                Finding(path: path, line: 1, advice: advice)
            }
            guard path.hasPrefix("Sources/ControlPlane/Store/Migrations/") else {
                return finding("SQL files live only in Store/Migrations")
            }
            let name = path.split(separator: "/").last ?? ""
            let number = String(name.prefix(5))
            guard name.first == "m", number.dropFirst().allSatisfy(\.isNumber), number.count == 5,
                name.dropFirst(5).first == "_"
            else {
                return finding("name it m0001_subject.sql: the letter keeps 0001 and 1001 apart")
            }
            return numbers.insert(number).inserted
                ? nil : finding("two migrations are numbered \(number): the later takes the next")
        }
    }
}
