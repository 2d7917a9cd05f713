import COpenSSL

/// A public key of one of the listed kinds, ready to verify.
///
/// Ownership: the object alone owns its EVP_PKEY, which nobody changes after `init`; OpenSSL guards
/// the caches inside by its own locks, so that any thread may verify.
@safe
package final class PublicKey: @unchecked Sendable, Hashable {
    /// What kind of key it is.
    package let kind: KeyKind
    /// The DER SubjectPublicKeyInfo, in its only encoding.
    package let spki: [UInt8]
    /// The key alone: the uncompressed point, the 32 bytes of Ed25519, or a PKCS#1 RSAPublicKey.
    package let keyBytes: [UInt8]
    /// SHA-256 of the SubjectPublicKeyInfo: the name of this key.
    package let keyID: SHA256Digest

    private let pointer: OpaquePointer

    /// Reads a DER SubjectPublicKeyInfo; refuses every kind and encoding that is not listed.
    package convenience init(spki: [UInt8]) throws(CryptoError) {
        try self.init(SubjectPublicKey(spki))
    }

    init(_ key: SubjectPublicKey) throws(CryptoError) {
        kind = key.kind
        spki = key.encoded
        keyBytes = key.keyBytes
        keyID = SHA256.digest(of: key.encoded)
        unsafe pointer = try Self.load(key)
    }

    deinit {
        unsafe EVP_PKEY_free(pointer)
    }

    /// Whether `signature` is this key's signature of `message`; false for every malformed one.
    package func isValid(
        signature: [UInt8],
        of message: [UInt8],
        as scheme: SignatureScheme
    ) -> Bool {
        isValid(signature: signature, of: message.span, as: scheme)
    }

    /// Whether `signature` is this key's signature of `message`; false for every malformed one.
    package func isValid(
        signature: [UInt8],
        of message: Span<UInt8>,
        as scheme: SignatureScheme
    ) -> Bool {
        guard kind.fits(scheme), let encoded = backendForm(of: signature, as: scheme) else {
            return false
        }
        if kind.orderByteCount != nil, let hash = scheme.hash {
            return isValid(encoded, ofDigest: hash.digest(of: message))
        }
        guard let context = unsafe EVP_MD_CTX_new() else { return false }
        defer { unsafe EVP_MD_CTX_free(context) }
        var keyContext: OpaquePointer?
        let isReady = unsafe EVP_DigestVerifyInit(
            context,
            &keyContext,
            scheme.hash?.fetched.pointer,
            nil,
            pointer
        )
        guard isReady == 1, unsafe Self.apply(scheme, to: keyContext) else {
            ERR_clear_error()
            return false
        }
        let result = unsafe message.withUnsafeBufferPointer { bytes in
            unsafe tp_digest_verify(
                context,
                encoded,
                encoded.count,
                bytes.baseAddress,
                bytes.count
            )
        }
        if result != 1 { ERR_clear_error() }
        return result == 1
    }

    /// ECDSA over a digest of our own: the verification that a handshake waits for, some
    /// microseconds shorter than when OpenSSL sets up a digest for it.
    private func isValid(_ signature: [UInt8], ofDigest digest: [UInt8]) -> Bool {
        guard let context = unsafe EVP_PKEY_CTX_new_from_pkey(nil, pointer, nil) else {
            return false
        }
        defer { unsafe EVP_PKEY_CTX_free(context) }
        guard unsafe EVP_PKEY_verify_init(context) == 1 else {
            ERR_clear_error()
            return false
        }
        let result = unsafe EVP_PKEY_verify(
            context,
            signature,
            signature.count,
            digest,
            digest.count
        )
        if result != 1 { ERR_clear_error() }
        return result == 1
    }

    /// Same kind and same bytes.
    package static func == (left: PublicKey, right: PublicKey) -> Bool {
        left === right || left.spki == right.spki
    }

    /// Hashes the encoding.
    package func hash(into hasher: inout Hasher) {
        hasher.combine(spki)
    }

    /// Sets the padding of RSA; other algorithms need nothing.
    static func apply(_ scheme: SignatureScheme, to context: OpaquePointer?) -> Bool {
        switch scheme {
        case .ed25519, .ecdsaDER, .ecdsaP1363:
            true
        case .rsaPKCS1:
            unsafe EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1
        case .rsaPSS:
            unsafe EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1
                && EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1
        }
    }

    /// The signature as OpenSSL wants it, or nil when its form is wrong.
    private func backendForm(of signature: [UInt8], as scheme: SignatureScheme) -> [UInt8]? {
        switch scheme {
        case .ed25519:
            return Ed25519Signature.isCanonical(signature) ? signature : nil
        case .ecdsaDER:
            guard let count = kind.orderByteCount else { return nil }
            return ECDSASignature.isCanonicalDER(signature, orderByteCount: count) ? signature : nil
        case .ecdsaP1363:
            guard let count = kind.orderByteCount else { return nil }
            return ECDSASignature.der(p1363: signature, orderByteCount: count)
        case .rsaPKCS1, .rsaPSS:
            guard case .rsa(let bits) = kind, signature.count == (bits + 7) / 8 else { return nil }
            return signature
        }
    }

    private static func load(_ key: SubjectPublicKey) throws(CryptoError) -> OpaquePointer {
        let pointer: OpaquePointer?
        switch key.kind {
        case .ed25519:
            unsafe pointer = EVP_PKEY_new_raw_public_key(
                EVP_PKEY_ED25519,
                nil,
                key.keyBytes,
                key.keyBytes.count
            )
        case .ecdsaP256:
            unsafe pointer = CurveTemplate.p256.key(point: key.keyBytes)
        case .ecdsaP384:
            unsafe pointer = CurveTemplate.p384.key(point: key.keyBytes)
        case .ecdsaP521:
            unsafe pointer = CurveTemplate.p521.key(point: key.keyBytes)
        case .rsa:
            unsafe pointer = key.keyBytes.withUnsafeBufferPointer { bytes in
                var position = bytes.baseAddress
                return unsafe d2i_PublicKey(EVP_PKEY_RSA, nil, &position, bytes.count)
            }
        }
        guard let pointer = unsafe pointer else {
            ERR_clear_error()
            throw .malformed(field: "public key", problem: "it is not a valid \(key.kind) key")
        }
        return unsafe pointer
    }
}

/// The parameters of one curve, from which keys are made four times faster than by name.
///
/// Ownership: the process owns the EVP_PKEY; it is only read, so any thread may copy from it.
@safe
private struct CurveTemplate: @unchecked Sendable {
    static let p256 = CurveTemplate("P-256")
    static let p384 = CurveTemplate("P-384")
    static let p521 = CurveTemplate("P-521")

    private let parameters: OpaquePointer

    private init(_ name: String) {
        guard let made = unsafe tp_ec_generate(name), let bare = unsafe EVP_PKEY_new() else {
            preconditionFailure("OpenSSL's default provider lacks the curve \(name)")
        }
        let copied = unsafe EVP_PKEY_copy_parameters(bare, made)
        precondition(copied == 1)
        unsafe EVP_PKEY_free(made)
        unsafe parameters = bare
    }

    /// A key with this point, or nil when the point is not on the curve.
    func key(point: [UInt8]) -> OpaquePointer? {
        guard let key = unsafe EVP_PKEY_new() else { return nil }
        guard
            unsafe EVP_PKEY_copy_parameters(key, parameters) == 1,
            unsafe EVP_PKEY_set1_encoded_public_key(key, point, point.count) == 1
        else {
            unsafe EVP_PKEY_free(key)
            return nil
        }
        return unsafe key
    }
}
