import Wire

/// What a server keeps of a password for SCRAM-SHA-256 (RFC 5802 section 3, RFC 7677).
package enum SCRAM {
    /// As many rounds as drivers expect at least (RFC 7677 section 4).
    package static let iterationsDefault = 4_096
    /// The salt's length, as PostgreSQL makes it.
    package static let saltByteCount = 16

    /// The verifier in PostgreSQL's form: `SCRAM-SHA-256$<rounds>:<salt>$<StoredKey>:<ServerKey>`.
    ///
    /// The password is ASCII, which SASLprep (RFC 4013) leaves as it is. Throws for no rounds.
    package static func verifier(
        of password: SecretBytes,
        salt: [UInt8],
        iterations: Int = iterationsDefault
    ) throws(CryptoError) -> String {
        try Keys(of: password, salt: salt, iterations: iterations).verifier
    }

    /// What a client that logs in keeps in place of the password (RFC 5802 section 3).
    ///
    /// They let their holder log in wherever the same salt and rounds are kept, and nowhere else.
    package struct Keys: Sendable {
        /// The salt that they were made with.
        package let salt: [UInt8]
        /// The rounds that they were made with.
        package let iterations: Int
        let client: SecretBytes
        let server: SecretBytes

        /// Derives them once, so that no later login pays for the rounds; throws for no rounds.
        ///
        /// The password is ASCII, which SASLprep (RFC 4013) leaves as it is.
        package init(
            of password: SecretBytes,
            salt: [UInt8],
            iterations: Int = iterationsDefault
        ) throws(CryptoError) {
            guard iterations > 0 else {
                throw .malformed(field: "SCRAM rounds", problem: "there must be one at least")
            }
            let salted = SCRAM.saltedPassword(password, salt: salt, iterations: iterations)
            var client = HMACSHA256.tag(of: Array("Client Key".utf8), key: salted).bytes
            var server = HMACSHA256.tag(of: Array("Server Key".utf8), key: salted).bytes
            self.client = SecretBytes(taking: &client)
            self.server = SecretBytes(taking: &server)
            self.salt = salt
            self.iterations = iterations
        }

        /// SHA-256 of the client's key.
        var stored: [UInt8] { client.withBytes { SHA256.digest(of: $0).bytes } }

        /// What a server may keep, in PostgreSQL's form; nobody can log in with it.
        package var verifier: String {
            "SCRAM-SHA-256$\(iterations):\(Base64.encode(salt))$\(Base64.encode(stored)):"
                + server.withBytes { key in
                    var bytes: [UInt8] = []
                    for index in 0..<key.count { bytes.append(key[index]) }
                    return Base64.encode(bytes)
                }
        }
    }

    /// `Hi(password, salt, i)`: PBKDF2 with HMAC-SHA-256 and one block of output.
    private static func saltedPassword(
        _ password: SecretBytes,
        salt: [UInt8],
        iterations: Int
    ) -> SecretBytes {
        password.withBytes { password in
            // The key's two blocks are hashed once, and copied for every round.
            let keyed = HMACSHA256(key: password)
            var first = keyed
            first.update(salt)
            first.update([0, 0, 0, 1])
            var round = first.finalize().bytes
            var output = round
            for _ in 1..<iterations {
                var next = keyed
                next.update(round)
                round = next.finalize().bytes
                for index in output.indices { output[index] ^= round[index] }
            }
            SecretBytes.wipe(&round)
            return SecretBytes(taking: &output)
        }
    }
}
