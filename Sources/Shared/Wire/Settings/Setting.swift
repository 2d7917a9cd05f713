/// One thing an operator can set: in the file, as a flag and as an environment variable.
package struct Setting: Sendable {
    /// What a value may be; the kind decides how the text is read, never its look.
    package enum Kind: Sendable, Equatable {
        case text
        case boolean
        case integer(ClosedRange<Int>)
        case duration(ClosedRange<Duration>)
        case byteCount(ClosedRange<ByteCount>)
        case choice([String])
        case list
    }

    /// Where the setting stands in the file: `api.listen`.
    package let key: String
    package let kind: Kind
    /// The value where nobody sets one, as text; a list is separated by commas.
    package let fallback: String
    /// One line for `--help`.
    package let summary: String

    package init(_ key: String, _ kind: Kind = .text, fallback: String = "", _ summary: String) {
        self.key = key
        self.kind = kind
        self.fallback = fallback
        self.summary = summary
    }

    /// The flag: `api.listen` is `--api-listen`.
    package var flag: String {
        "--" + String(key.map { $0 == "." || $0 == "_" ? "-" : $0 })
    }

    /// The environment variable: `api.listen` is `TURNPIKE_API_LISTEN` under the prefix `TURNPIKE`.
    package func variable(prefix: String) -> String {
        prefix + "_" + String(key.map { $0 == "." ? "_" : $0 }).uppercased()
    }
}
