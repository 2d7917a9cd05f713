/// The options of a start-up message that may be passed on: those of a list, and none that is guarded.
struct PostgresOptions {
    /// Settings that change how values look, how long work may last, and nothing about who acts.
    private static let allowed: Set<String> = [
        "application_name", "bytea_output", "client_encoding", "client_min_messages", "datestyle",
        "default_transaction_deferrable", "default_transaction_isolation",
        "default_transaction_read_only", "extra_float_digits", "geqo",
        "idle_in_transaction_session_timeout", "idle_session_timeout", "intervalstyle", "jit",
        "lock_timeout", "search_path", "standard_conforming_strings", "statement_timeout",
        "timezone", "tcp_user_timeout", "work_mem",
    ]
    /// Settings that change who the session is.
    private static let identities: Set<String> = ["role", "session_authorization", "replication"]

    private let rules: StatementRules
    private(set) var taken: [PostgresStart.Option] = []

    init(rules: StatementRules) {
        self.rules = rules
    }

    /// Takes one option, or each of those that `options` holds as a command line.
    mutating func take(_ name: String, _ value: String) throws(PostgresRefusal) {
        let name = name.asciiLowercased
        guard name != "options" else {
            for (name, value) in try Self.split(value) { try takeSetting(name, value) }
            return
        }
        // What asks for no replication asks for an ordinary session.
        if name == "replication", ["false", "off", "no", "0"].contains(value.asciiLowercased) {
            return
        }
        try takeSetting(name, value)
    }

    private mutating func takeSetting(
        _ name: String,
        _ value: String
    ) throws(PostgresRefusal) {
        let name = name.asciiLowercased
        guard !Self.identities.contains(name), !rules.guarded.contains(name) else {
            throw .guardedOption(name)
        }
        guard Self.allowed.contains(name) else { throw .option(name) }
        if name == "client_encoding", !ClientEncoding.isSafe(value) { throw .option(name) }
        if name == "standard_conforming_strings",
            !["on", "true", "yes", "1"].contains(value.asciiLowercased)
        {
            throw .option(name)
        }
        taken.removeAll { $0.name == name }
        taken.append(PostgresStart.Option(name: name, value: value))
    }

    /// The settings of a command line: `-c name=value`, `-cname=value` or `--name=value`, with
    /// backslashes before spaces that belong to a value.
    private static func split(_ text: String) throws(PostgresRefusal) -> [(String, String)] {
        var words: [String] = []
        var word = ""
        var isEscaped = false
        for scalar in text.unicodeScalars {
            if isEscaped {
                word.unicodeScalars.append(scalar)
                isEscaped = false
            } else if scalar == "\\" {
                isEscaped = true
            } else if " \t\n\r\u{0B}\u{0C}".unicodeScalars.contains(scalar) {
                if !word.isEmpty { words.append(word) }
                word = ""
            } else {
                word.unicodeScalars.append(scalar)
            }
        }
        if !word.isEmpty { words.append(word) }
        var settings: [(String, String)] = []
        var rest = words[...]
        while let first = rest.popFirst() {
            var setting = first
            if first == "-c" {
                guard let next = rest.popFirst() else { throw .option("options") }
                setting = next
            } else if first.hasPrefix("--") || first.hasPrefix("-c") {
                setting = String(first.dropFirst(2))
            } else {
                throw .option("options")
            }
            guard let equals = setting.firstIndex(of: "=") else { throw .option("options") }
            let name = setting[..<equals].map { $0 == "-" ? "_" : $0 }
            settings.append((String(name), String(setting[setting.index(after: equals)...])))
        }
        return settings
    }
}

/// Which encodings of a program can be read byte by byte.
enum ClientEncoding {
    /// Those in which no byte of a longer character is an ASCII one, and which the agent reads: in
    /// others a character may hide a quote or a backslash.
    private static let safe: Set<String> = [
        "utf8", "unicode", "sqlascii", "latin1", "iso88591", "latin9", "iso885915", "win1252",
        "windows1252",
    ]

    /// Whether statements in this encoding can be judged; names are compared as PostgreSQL does.
    static func isSafe(_ name: String) -> Bool {
        let plain = name.utf8.filter { byte in
            0x30...0x39 ~= byte || 0x41...0x5A ~= byte || 0x61...0x7A ~= byte
        }
        return safe.contains(String(decoding: plain, as: UTF8.self).asciiLowercased)
    }
}

extension String {
    /// With the letters from A to Z in lower case, and nothing else changed.
    var asciiLowercased: String {
        String(decoding: utf8.map { 0x41...0x5A ~= $0 ? $0 | 0x20 : $0 }, as: UTF8.self)
    }
}
