package import Wire

/// What a server keeps of a password for SCRAM-SHA-256, as somebody else made it of a password that
/// stays with them (RFC 5803, in PostgreSQL's form).
///
/// Anything that a server might take for a password in clear is refused.
package struct SCRAMVerifier: Hashable, Sendable {
    /// Rounds that cost a guesser enough, and the target not too much (RFC 7677 section 4): PostgreSQL
    /// tries every verifier that it is given on an empty password.
    package static let rounds = 4_096...16_384
    package static let saltByteCounts = 16...64
    package static let textBytesMax = 256
    private static let scheme = "SCRAM-SHA-256"
    private static let keyByteCount = 32

    /// `SCRAM-SHA-256$<rounds>:<salt>$<StoredKey>:<ServerKey>`.
    package let text: String

    /// Reads the one spelling; the error names the field `verifier`.
    package init(_ text: String) throws(InvalidField) {
        guard text.utf8.count <= Self.textBytesMax, Self.isWellFormed(text) else {
            throw InvalidField(
                "verifier",
                .wrong(
                    "must be SCRAM-SHA-256$<rounds>:<salt>$<StoredKey>:<ServerKey> with 4096 to"
                        + " 16384 rounds, a salt of 16 to 64 bytes and keys of 32, all in base64"
                )
            )
        }
        self.text = text
    }

    private static func isWellFormed(_ text: String) -> Bool {
        let parts = text.split(separator: "$", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == scheme else { return false }
        let terms = parts[1].split(separator: ":", omittingEmptySubsequences: false)
        let keys = parts[2].split(separator: ":", omittingEmptySubsequences: false)
        guard terms.count == 2, keys.count == 2, let count = Int(terms[0]),
            String(count) == terms[0], rounds.contains(count),
            let salt = try? Base64.decode(String(terms[1])), saltByteCounts.contains(salt.count)
        else { return false }
        return keys.allSatisfy { (try? Base64.decode(String($0)))?.count == keyByteCount }
    }
}

extension FieldValue {
    /// Reads a verifier; the error does not repeat it.
    package func scramVerifier() throws(FieldError) -> SCRAMVerifier {
        let text = try string(bytes: 1...SCRAMVerifier.textBytesMax)
        do {
            return try SCRAMVerifier(text)
        } catch {
            throw FieldError(
                path: path,
                position: document.position,
                problem: "this is no verifier",
                hint: "it \(error.problem)"
            )
        }
    }
}
