package import Mesh
package import Wire

/// A person who logs in by name and password, and what the login gives.
package struct PasswordUser: Equatable, Sendable {
    /// What a password is checked with; never the password.
    package struct Verifier: Equatable, Sendable {
        /// The parameters of scrypt that it was made by.
        package let cost: Int64
        package let blockSize: Int64
        package let parallelism: Int64
        package let salt: [UInt8]
        /// A keyed hash of what scrypt gave.
        package let digest: [UInt8]

        package init(
            cost: Int64,
            blockSize: Int64,
            parallelism: Int64,
            salt: [UInt8],
            digest: [UInt8]
        ) {
            self.cost = cost
            self.blockSize = blockSize
            self.parallelism = parallelism
            self.salt = salt
            self.digest = digest
        }
    }

    /// In bytes; what is longer costs no more than it is worth.
    package static let passwordBytes = 8...1_024

    package var verifier: Verifier
    package var grant: TokenGrant

    package init(verifier: Verifier, grant: TokenGrant = TokenGrant()) {
        self.verifier = verifier
        self.grant = grant
    }

    /// What an audit record may show.
    package var shown: Document { .fields(["grant": grant.document]) }

    /// As it is stored.
    package var document: Document {
        .fields([
            "kdf": "scrypt",
            "cost": .number(verifier.cost),
            "block_size": .number(verifier.blockSize),
            "parallelism": .number(verifier.parallelism),
            "salt": .string(Base64URL.encode(verifier.salt)),
            "digest": .string(Base64URL.encode(verifier.digest)),
            "grant": grant.document,
        ])
    }

    /// Nil for what no server wrote.
    package init?(_ document: Document) {
        guard let cost = document["cost"]?.integer,
            let blockSize = document["block_size"]?.integer,
            let parallelism = document["parallelism"]?.integer,
            let salt = document["salt"]?.text.flatMap({ try? Base64URL.decode($0) }),
            let digest = document["digest"]?.text.flatMap({ try? Base64URL.decode($0) }),
            let grant = TokenGrant(document["grant"])
        else { return nil }
        self.init(
            verifier: Verifier(
                cost: cost,
                blockSize: blockSize,
                parallelism: parallelism,
                salt: salt,
                digest: digest
            ),
            grant: grant
        )
        guard !salt.isEmpty, !digest.isEmpty, self.document == document else { return nil }
    }
}
