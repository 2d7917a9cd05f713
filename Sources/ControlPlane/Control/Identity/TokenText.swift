import Wire

/// How a token is written: `tp.` and 32 random bytes in base64url.
enum TokenText {
    /// Keeps these secrets apart from other kinds under the same key.
    static let label = "token"
    static let secretByteCount = 32
    private static let prefix = "tp."

    static func text(of secret: [UInt8]) -> String {
        prefix + Base64URL.encode(secret)
    }

    /// The secret of a well-formed token; anything else costs no look-up.
    static func secret(of text: String) -> [UInt8]? {
        guard text.utf8.count == prefix.utf8.count + 43, text.hasPrefix(prefix),
            let secret = try? Base64URL.decode(String(text.dropFirst(prefix.count))),
            secret.count == secretByteCount
        else { return nil }
        return secret
    }
}
