package import Wire

/// One key that verifies signatures, from a JWK (RFC 7517, RFC 7518 §6, RFC 8037 §2) or a public key.
///
/// What the key says in `alg`, `use` and `key_ops` binds; a private key is refused, since whoever
/// published it has lost it.
package struct JSONWebKey: Sendable {
    /// The longest shared key.
    static let secretBytesMax = 1024

    private static let privateFields = ["d", "p", "q", "dp", "dq", "qi", "oth"]
    private static let signingOperations: Set<String> = ["sign", "verify"]
    private static let operationsMax = 8

    /// What verifies.
    enum Material: Sendable {
        case asymmetric(PublicKey)
        /// A shared key: whoever verifies with it can sign.
        case shared(SecretBytes)
    }

    /// Its name in the set, as opaque bytes.
    package let keyID: String?
    /// What it may be used for: its kind decides, narrowed by its `alg`.
    package let algorithms: Set<JWSAlgorithm>

    let material: Material

    /// A public key without a name, for every algorithm of its kind.
    package init(_ key: PublicKey) throws(JOSEError) {
        try Self.checkStrength(key)
        keyID = nil
        algorithms = JWSAlgorithm.fitting(key.kind)
        material = .asymmetric(key)
    }

    /// Reads a JWK.
    package init(_ document: Document) throws(JOSEError) {
        guard document.entries != nil else {
            throw .unusableKey(problem: "a key is a JSON object")
        }
        keyID = try Self.text(document, "kid", bytesMax: CompactJWS.keyIDBytesMax)
        try Self.checkPurpose(document)
        let stated = try Self.statedAlgorithm(document)
        material = try Self.material(document)
        var fitting: Set<JWSAlgorithm>
        switch material {
        case .asymmetric(let key): fitting = JWSAlgorithm.fitting(key.kind)
        case .shared(let secret): fitting = JWSAlgorithm.fitting(secretByteCount: secret.count)
        }
        if let stated { fitting.formIntersection([stated]) }
        guard !fitting.isEmpty else {
            throw .unusableKey(problem: "its alg does not go with its kind and length")
        }
        algorithms = fitting
    }

    /// Whether it is a shared key.
    var isShared: Bool {
        if case .shared = material { true } else { false }
    }

    /// Whether `signature` is this key's.
    func isValid(_ jws: CompactJWS) -> Bool {
        guard algorithms.contains(jws.algorithm) else { return false }
        switch (material, jws.algorithm.scheme) {
        case (.asymmetric(let key), let scheme?):
            return key.isValid(signature: jws.signature, of: jws.signingInput, as: scheme)
        case (.shared(let secret), nil):
            return HMAC.isValid(
                tag: jws.signature,
                of: jws.signingInput,
                key: secret,
                hash: jws.algorithm.hash
            )
        case (.asymmetric, nil), (.shared, _): return false
        }
    }

    // MARK: Purpose

    private static func checkPurpose(_ document: Document) throws(JOSEError) {
        if let use = try text(document, "use"), use != "sig" {
            throw .otherPurpose(problem: "its use is not sig")
        }
        guard let value = document["key_ops"] else { return }
        guard let items = value.items, items.count <= operationsMax else {
            throw .unusableKey(problem: "key_ops must be a short list")
        }
        var operations: Set<String> = []
        for item in items {
            guard let text = item.text, operations.insert(text).inserted else {
                throw .unusableKey(problem: "key_ops must hold different strings")
            }
        }
        guard operations.contains("verify") else {
            throw .otherPurpose(problem: "its key_ops do not have verify")
        }
        guard operations.isSubset(of: signingOperations) else {
            throw .unusableKey(problem: "its key_ops are for more than signatures")
        }
    }

    private static func statedAlgorithm(_ document: Document) throws(JOSEError) -> JWSAlgorithm? {
        guard let name = try text(document, "alg") else { return nil }
        if let algorithm = JWSAlgorithm(name: name) { return algorithm }
        guard !JWSAlgorithm.leftOut.contains(name) else {
            throw .unsupported(problem: "the key's algorithm is left out here")
        }
        throw .otherPurpose(problem: "its alg is none that signs")
    }

    // MARK: Material

    private static func material(_ document: Document) throws(JOSEError) -> Material {
        switch try text(document, "kty") {
        case "RSA": return .asymmetric(try rsa(document))
        case "EC": return .asymmetric(try ec(document))
        case "OKP": return .asymmetric(try okp(document))
        case "oct": return .shared(try secret(document))
        case nil: throw .unusableKey(problem: "kty is missing")
        default: throw .otherPurpose(problem: "its kty is unknown")
        }
    }

    private static func rsa(_ document: Document) throws(JOSEError) -> PublicKey {
        let modulus = try bytes(document, "n")
        let exponent = try bytes(document, "e")
        // One key has one spelling (RFC 7518 §6.3.1.1).
        guard modulus.first != 0, exponent.first != 0 else {
            throw .unusableKey(problem: "n and e have no leading zeros")
        }
        var bits = DERWriter()
        bits.sequence { inner in
            inner.unsignedInteger(modulus)
            inner.unsignedInteger(exponent)
        }
        return try publicKey(SubjectPublicKey.rsaAlgorithm, bits.bytes, document)
    }

    private static func ec(_ document: Document) throws(JOSEError) -> PublicKey {
        let algorithm: [UInt8]
        let count: Int
        switch try text(document, "crv") {
        case "P-256": (algorithm, count) = (SubjectPublicKey.p256Algorithm, 32)
        case "P-384": (algorithm, count) = (SubjectPublicKey.p384Algorithm, 48)
        case "P-521": (algorithm, count) = (SubjectPublicKey.p521Algorithm, 66)
        case "secp256k1": throw .unsupported(problem: "the curve is left out here")
        case nil: throw .unusableKey(problem: "crv is missing")
        default: throw .otherPurpose(problem: "its curve is unknown")
        }
        let x = try bytes(document, "x")
        let y = try bytes(document, "y")
        guard x.count == count, y.count == count else {
            throw .unusableKey(problem: "x and y must have \(count) bytes each")
        }
        return try publicKey(algorithm, [0x04] + x + y, document)
    }

    private static func okp(_ document: Document) throws(JOSEError) -> PublicKey {
        switch try text(document, "crv") {
        case "Ed25519":
            return try publicKey(
                SubjectPublicKey.ed25519Algorithm,
                try bytes(document, "x"),
                document
            )
        case "Ed448": throw .unsupported(problem: "the curve is left out here")
        case nil: throw .unusableKey(problem: "crv is missing")
        default: throw .otherPurpose(problem: "its curve does not sign")
        }
    }

    private static func secret(_ document: Document) throws(JOSEError) -> SecretBytes {
        var bytes = try bytes(document, "k")
        guard bytes.count <= secretBytesMax else {
            throw .unusableKey(problem: "k is longer than \(secretBytesMax) bytes")
        }
        return SecretBytes(taking: &bytes)
    }

    private static func publicKey(
        _ algorithm: [UInt8],
        _ bits: [UInt8],
        _ document: Document
    ) throws(JOSEError) -> PublicKey {
        if let name = privateFields.first(where: { document[$0] != nil }) {
            throw .unusableKey(problem: "it is a private key: \(name) must not be there")
        }
        var writer = DERWriter()
        writer.sequence { inner in
            inner.raw(algorithm)
            inner.bitString(bits)
        }
        let key: PublicKey
        do {
            key = try PublicKey(spki: writer.bytes)
        } catch {
            throw .unusableKey(problem: error.description)
        }
        try checkStrength(key)
        return key
    }

    private static func checkStrength(_ key: PublicKey) throws(JOSEError) {
        guard case .rsa = key.kind else { return }
        guard let modulus = WeakModulus.modulus(of: key), !WeakModulus.isROCA(modulus) else {
            throw .unusableKey(problem: "its modulus is one that can be factored (CVE-2017-15361)")
        }
    }

    // MARK: Fields

    private static func text(
        _ document: Document,
        _ name: String,
        bytesMax: Int = 64
    ) throws(JOSEError) -> String? {
        guard let value = document[name] else { return nil }
        guard let text = value.text, text.utf8.count <= bytesMax else {
            throw .unusableKey(problem: "\(name) must be a string of at most \(bytesMax) bytes")
        }
        return text
    }

    private static func bytes(_ document: Document, _ name: String) throws(JOSEError) -> [UInt8] {
        guard let text = document[name]?.text,
            let bytes = try? Base64URL.decode(text), !bytes.isEmpty
        else {
            throw .unusableKey(problem: "\(name) must be base64url without padding")
        }
        return bytes
    }
}
