package import Crypto
package import Wire

/// How tokens of one mount are verified: keys that are given, or where an issuer publishes them.
package struct JWTConfiguration: Equatable, Sendable {
    /// Public keys and certificates, PEM.
    package var publicKeys: [String] = []
    /// A key set as it is.
    package var jwks: Document?
    package var jwksURL = ""
    /// The authorities of that server; empty for those of the system.
    package var jwksCAPEM = ""
    /// Whether that server may have a private or loopback address.
    package var allowsPrivateAddresses = false
    /// Empty for any.
    package var boundIssuer = ""
    /// Names of algorithms; empty for `algorithmsDefault`.
    package var algorithms: [String] = []
    package var defaultRole = ""

    package static let keysMax = 16
    package static let algorithmsDefault: Set<JWSAlgorithm> = [.rs256, .es256, .edDSA]

    package init() {}

    /// Whether a text names an algorithm that a configuration may allow.
    package static func mayName(_ algorithm: String) -> Bool {
        JWSAlgorithm.asymmetric.contains { $0.rawValue.utf8.elementsEqual(algorithm.utf8) }
    }

    /// The algorithms that tokens may have.
    package var allowed: Set<JWSAlgorithm> {
        let named = Set(algorithms.compactMap(JWSAlgorithm.init(rawValue:)))
        return algorithms.isEmpty
            ? Self.algorithmsDefault : named.intersection(JWSAlgorithm.asymmetric)
    }

    /// What a key set is kept as: the members of keys that are texts or lists of texts, as all are that
    /// a key has; nil for what is no key set.
    package static func kept(_ set: Document) -> Document? {
        guard let keys = set["keys"]?.items else { return nil }
        var kept: [Document] = []
        for key in keys {
            guard let entries = key.entries else { return nil }
            var members: [String: Document] = [:]
            for entry in entries {
                let texts = entry.value.items?.map(\.text) ?? [entry.value.text]
                guard texts.allSatisfy({ $0 != nil }) else { continue }
                let all = [entry.key] + texts.compactMap(\.self)
                guard !all.contains(where: { $0.utf8.contains(0) }) else { return nil }
                members[entry.key] = entry.value
            }
            kept.append(.map(members))
        }
        return .fields(["keys": .list(kept)])
    }

    /// The keys that were given; nil where an issuer publishes them.
    package func givenKeys() throws(JOSEError) -> JSONWebKeySet? {
        if let jwks {
            return try JSONWebKeySet(publicText: JSON.compact(jwks))
        }
        guard !publicKeys.isEmpty else { return nil }
        var keys: [JSONWebKey] = []
        for text in publicKeys { keys.append(try JSONWebKey(try Self.publicKey(text))) }
        return try JSONWebKeySet(trying: keys)
    }

    private static func publicKey(_ text: String) throws(JOSEError) -> PublicKey {
        guard let blocks = try? PEM.decode(text), blocks.count == 1, let block = blocks.first else {
            throw .unusableKey(problem: "a public key is one PEM block")
        }
        do throws(CryptoError) {
            switch block.label {
            case "PUBLIC KEY": return try PublicKey(spki: block.bytes)
            case "CERTIFICATE": return try Certificate(der: block.bytes).publicKey()
            default: break
            }
        } catch {
            throw .unusableKey(problem: error.description)
        }
        throw .unusableKey(problem: "the PEM block must be a PUBLIC KEY or a CERTIFICATE")
    }
}

extension JWTConfiguration {
    /// As it is stored.
    package var document: Document {
        .fields([
            "public_keys": .list(publicKeys),
            "jwks": jwks,
            "jwks_url": .string(jwksURL),
            "jwks_ca_pem": .string(jwksCAPEM),
            "private_addresses": .bool(allowsPrivateAddresses),
            "bound_issuer": .string(boundIssuer),
            "algorithms": .list(algorithms),
            "default_role": .string(defaultRole),
        ])
    }

    /// Nil for what no server wrote.
    package init?(_ document: Document) {
        guard let url = document["jwks_url"]?.text, let roots = document["jwks_ca_pem"]?.text,
            let isPrivate = document["private_addresses"]?.bool,
            let issuer = document["bound_issuer"]?.text,
            let role = document["default_role"]?.text
        else { return nil }
        publicKeys = document["public_keys"]?.items?.compactMap(\.text) ?? []
        jwks = document["jwks"]
        jwksURL = url
        jwksCAPEM = roots
        allowsPrivateAddresses = isPrivate
        boundIssuer = issuer
        algorithms = document["algorithms"]?.items?.compactMap(\.text) ?? []
        defaultRole = role
        guard self.document == document else { return nil }
    }
}
