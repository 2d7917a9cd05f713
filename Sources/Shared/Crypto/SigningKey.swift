import COpenSSL
import Wire

/// A private key with its public half.
///
/// Ownership: the object alone owns its EVP_PKEY and frees it, which wipes the secret; nobody changes
/// it after `init`, and OpenSSL guards its caches by its own locks, so that any thread may sign.
@safe
package final class SigningKey: @unchecked Sendable, CustomReflectable {
    /// The label of a PKCS#8 block in PEM (RFC 7468 §10).
    package static let pemLabel = "PRIVATE KEY"
    /// The longest PKCS#8 that is looked at: RSA 8192 with room for the frame.
    package static let pkcs8BytesMax = 8192

    /// The public half.
    package let publicKey: PublicKey

    private let pointer: OpaquePointer

    // A signature context set up for `kind.certificateScheme`; copying it takes a few microseconds
    // less than setting one up, which is what issuing certificates pays for.
    private let preparedContext: OpaquePointer

    /// A new key; RSA with 2048 to 8192 bits in whole bytes.
    package static func generate(_ kind: KeyKind) throws(CryptoError) -> SigningKey {
        let made: OpaquePointer?
        switch kind {
        case .ed25519: unsafe made = tp_ed25519_generate()
        case .ecdsaP256: unsafe made = tp_ec_generate("P-256")
        case .ecdsaP384: unsafe made = tp_ec_generate("P-384")
        case .ecdsaP521:
            throw .unsupported(field: "key kind", problem: "P-521 keys are verified, never made")
        case .rsa(let bits):
            guard SubjectPublicKey.rsaBitsMin...SubjectPublicKey.rsaBitsMax ~= bits else {
                throw .unsupported(field: "key kind", problem: "RSA needs 2048 to 8192 bits")
            }
            unsafe made = tp_rsa_generate(bits)
        }
        guard let made = unsafe made else { throw .refused("generate a key") }
        return try unsafe SigningKey(owning: made)
    }

    /// Reads an unencrypted DER PKCS#8 PrivateKeyInfo and nothing after it (RFC 5208).
    package convenience init(pkcs8 bytes: [UInt8]) throws(CryptoError) {
        guard bytes.count <= Self.pkcs8BytesMax else {
            throw .malformed(field: "private key", problem: "at most \(Self.pkcs8BytesMax) bytes")
        }
        let parsed: OpaquePointer? = unsafe bytes.withUnsafeBufferPointer { buffer in
            var position = buffer.baseAddress
            guard
                let container = unsafe d2i_PKCS8_PRIV_KEY_INFO(nil, &position, buffer.count)
            else { return nil }
            defer { unsafe PKCS8_PRIV_KEY_INFO_free(container) }
            let isWhole = unsafe position == buffer.baseAddress.map { unsafe $0 + buffer.count }
            return isWhole ? unsafe EVP_PKCS82PKEY(container) : nil
        }
        guard let parsed = unsafe parsed else {
            ERR_clear_error()
            throw .malformed(
                field: "private key",
                problem: "it must be one unencrypted PKCS#8 value"
            )
        }
        try unsafe self.init(owning: parsed)
        guard isPairConsistent else {
            throw .malformed(field: "private key", problem: "its halves do not belong together")
        }
    }

    /// Reads exactly one `PRIVATE KEY` block.
    package convenience init(pem text: String) throws(CryptoError) {
        guard let blocks = try? PEM.decode(text), blocks.count == 1, let block = blocks.first,
            block.label == Self.pemLabel
        else {
            throw .malformed(
                field: "private key",
                problem: "the text must hold one PEM block labelled '\(Self.pemLabel)'"
            )
        }
        try self.init(pkcs8: block.bytes)
    }

    private init(owning pointer: OpaquePointer) throws(CryptoError) {
        do {
            publicKey = try PublicKey(spki: unsafe Self.encodedPublicHalf(of: pointer))
            unsafe preparedContext = try Self.start(publicKey.kind.certificateScheme, pointer)
        } catch {
            unsafe EVP_PKEY_free(pointer)
            throw error
        }
        unsafe self.pointer = pointer
    }

    deinit {
        unsafe EVP_MD_CTX_free(preparedContext)
        unsafe EVP_PKEY_free(pointer)
    }

    /// What kind of key it is.
    package var kind: KeyKind { publicKey.kind }

    /// The unencrypted DER PKCS#8 PrivateKeyInfo.
    package func pkcs8() throws(CryptoError) -> SecretBytes {
        guard let container = unsafe EVP_PKEY2PKCS8(pointer) else {
            throw .refused("encode a private key")
        }
        defer { unsafe PKCS8_PRIV_KEY_INFO_free(container) }
        let count = Int(unsafe i2d_PKCS8_PRIV_KEY_INFO(container, nil))
        guard count > 0 else { throw .refused("encode a private key") }
        var bytes = [UInt8](repeating: 0, count: count)
        unsafe bytes.withUnsafeMutableBufferPointer { buffer in
            var position = buffer.baseAddress
            _ = unsafe i2d_PKCS8_PRIV_KEY_INFO(container, &position)
        }
        return SecretBytes(taking: &bytes)
    }

    /// The unencrypted PKCS#8 as PEM; the caller keeps the text short-lived and out of logs.
    package func pem() throws(CryptoError) -> String {
        try pkcs8().withBytes { bytes in
            var copy: [UInt8] = []
            for index in 0..<bytes.count { copy.append(bytes[index]) }
            defer { SecretBytes.wipe(&copy) }
            return PEM.encode(PEM.Block(label: Self.pemLabel, bytes: copy))
        }
    }

    /// Signs; throws `unsupported` when the key's kind does not fit the scheme.
    package func sign(
        _ message: [UInt8],
        as scheme: SignatureScheme
    ) throws(CryptoError) -> [UInt8] {
        guard kind.fits(scheme) else {
            throw .unsupported(field: "signature scheme", problem: "it does not fit a \(kind) key")
        }
        let context = try unsafe startedContext(as: scheme)
        defer { unsafe EVP_MD_CTX_free(context) }
        var count = Int(unsafe EVP_PKEY_get_size(pointer))
        var signature = [UInt8](repeating: 0, count: count)
        guard
            unsafe EVP_DigestSign(context, &signature, &count, message, message.count) == 1,
            count <= signature.count
        else {
            ERR_clear_error()
            throw .refused("sign")
        }
        signature.removeLast(signature.count - count)
        guard case .ecdsaP1363 = scheme, let order = kind.orderByteCount else { return signature }
        guard let flat = ECDSASignature.p1363(der: signature, orderByteCount: order) else {
            throw .refused("sign")
        }
        return flat
    }

    /// Signs in the scheme in which a key of this kind signs certificates and documents.
    package func sign(_ message: [UInt8]) throws(CryptoError) -> [UInt8] {
        try sign(message, as: kind.certificateScheme)
    }

    /// Shows the public half alone.
    package var customMirror: Mirror { Mirror(self, children: ["publicKey": publicKey.keyID]) }

    /// Runs `body` with the EVP_PKEY, for the fence of TLS; it must not keep the pointer.
    package func withPointer<Result>(_ body: (OpaquePointer) -> Result) -> Result {
        unsafe body(pointer)
    }

    /// A context of the caller's own, ready to sign.
    private func startedContext(as scheme: SignatureScheme) throws(CryptoError) -> OpaquePointer {
        guard scheme == kind.certificateScheme else {
            return try unsafe Self.start(scheme, pointer)
        }
        guard let context = unsafe EVP_MD_CTX_new() else {
            throw .refused("make a signature context")
        }
        guard unsafe EVP_MD_CTX_copy_ex(context, preparedContext) == 1 else {
            unsafe EVP_MD_CTX_free(context)
            throw .refused("start a signature")
        }
        return unsafe context
    }

    private static func start(
        _ scheme: SignatureScheme,
        _ key: OpaquePointer
    ) throws(CryptoError) -> OpaquePointer {
        guard let context = unsafe EVP_MD_CTX_new() else {
            throw .refused("make a signature context")
        }
        var keyContext: OpaquePointer?
        let isReady = unsafe EVP_DigestSignInit(
            context,
            &keyContext,
            scheme.hash?.fetched.pointer,
            nil,
            key
        )
        guard isReady == 1, unsafe PublicKey.apply(scheme, to: keyContext) else {
            unsafe EVP_MD_CTX_free(context)
            ERR_clear_error()
            throw .refused("start a signature")
        }
        return unsafe context
    }

    // An Ed25519 public half is always derived from the secret, so only the others can disagree.
    private var isPairConsistent: Bool {
        if kind == .ed25519 { return true }
        guard let context = unsafe EVP_PKEY_CTX_new_from_pkey(nil, pointer, nil) else {
            return false
        }
        defer { unsafe EVP_PKEY_CTX_free(context) }
        let result = unsafe EVP_PKEY_pairwise_check(context)
        if result != 1 { ERR_clear_error() }
        return result == 1
    }

    private static func encodedPublicHalf(
        of pointer: OpaquePointer
    ) throws(CryptoError) -> [UInt8] {
        let count = Int(unsafe i2d_PUBKEY(pointer, nil))
        guard 1...SubjectPublicKey.encodedBytesMax ~= count else {
            ERR_clear_error()
            throw .unsupported(field: "private key", problem: "its kind is not one of the listed")
        }
        var bytes = [UInt8](repeating: 0, count: count)
        unsafe bytes.withUnsafeMutableBufferPointer { buffer in
            var position = buffer.baseAddress
            _ = unsafe i2d_PUBKEY(pointer, &position)
        }
        return bytes
    }
}
