import Ledger
package import Wire

/// Takes credentials out of what is about to be hashed and kept for ever.
///
/// Query strings go altogether, since callers put secrets there; words that look like our tokens
/// or follow `Bearer` or `Basic` go too, and so do the values of fields whose names say what they
/// hold.
package enum Redaction {
    /// What stands in the place of a credential.
    package static let mark = "[redacted]"

    private static let tokenPrefixes = [
        "tp.", "tpw.", "tps.", "tpj1.", "hvs.", "hvb.", "s.", "eyJ",
    ]
    /// A prefix alone is no secret, nor is a short word such as `s.internal`.
    private static let tokenBytesMin = 20
    private static let secretWords: Set<String> = [
        "token", "secret", "password", "passphrase", "authorization", "credential", "credentials",
        "private_key", "client_secret", "api_key", "cookie", "secret_id",
    ]

    /// The text without credentials, query strings and control characters, cut to what a record
    /// holds.
    package static func text(_ text: String) -> String {
        var words: [String] = []
        var followsScheme = false
        for word in text.split(separator: " ", omittingEmptySubsequences: false) {
            words.append(followsScheme && !word.isEmpty ? mark : Self.word(word))
            let lowered = word.lowercased()
            followsScheme = lowered.hasSuffix("bearer") || lowered.hasSuffix("basic")
        }
        return cut(printable(words.joined(separator: " ")), toBytes: AuditRecord.textMaxBytes)
    }

    /// The document with redacted texts; fields that hold a secret by name lose it.
    package static func document(_ document: Document) -> Document {
        switch document.node {
        case .null, .bool, .number: return document
        case .string(let text), .plain(let text): return .string(Redaction.text(text))
        case .list(let items): return .list(items.map(Redaction.document))
        case .map(let entries):
            let kept = entries.map { entry in
                let isSecret = secretWords.contains(entry.key.lowercased())
                return Document.Entry(
                    key: entry.key,
                    value: isSecret ? .string(mark) : Redaction.document(entry.value)
                )
            }
            return Document(.map(kept))
        }
    }

    /// Canonical JSON of a redacted detail; one that is too large is replaced by its size.
    package static func detail(_ document: Document) -> String {
        let bytes = JSON.canonical(Redaction.document(document))
        guard bytes.count <= AuditRecord.detailMaxBytes else {
            return String(
                decoding: JSON.canonical(["omitted_bytes": .number(bytes.count)]),
                as: UTF8.self
            )
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func word(_ word: Substring) -> String {
        let path = word.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = path.first else { return "" }
        return masked(first) + (path.count > 1 ? "?\(mark)" : "")
    }

    /// Tokens stand between other signs too, as in `token=tp.…` or in quotes.
    private static func masked(_ text: Substring) -> String {
        var clean = ""
        var rest = text
        while let first = rest.first {
            let run = rest.prefix { character in
                character.isASCII
                    && (character.isLetter || character.isNumber || "-_.".contains(character))
            }
            guard !run.isEmpty else {
                clean.append(first)
                rest = rest.dropFirst()
                continue
            }
            clean += isToken(run) ? mark : String(run)
            rest = rest.dropFirst(run.count)
        }
        return clean
    }

    private static func isToken(_ part: Substring) -> Bool {
        part.utf8.count >= tokenBytesMin && tokenPrefixes.contains { part.hasPrefix($0) }
    }

    /// PostgreSQL keeps no NUL, and a terminal obeys the other control characters.
    private static func printable(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isControl) else { return text }
        var clean = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            clean.append(isControl(scalar) ? "\u{FFFD}" : scalar)
        }
        return String(clean)
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
    }

    private static func cut(_ text: String, toBytes limit: Int) -> String {
        guard text.utf8.count > limit else { return text }
        var shortened = String.UnicodeScalarView()
        var count = 0
        for scalar in text.unicodeScalars {
            count += UTF8.width(scalar)
            guard count <= limit else { break }
            shortened.append(scalar)
        }
        return String(shortened)
    }
}
