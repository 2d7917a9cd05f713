import COpenSSL

/// AES-GCM (NIST SP 800-38D) with a 96-bit nonce and a 128-bit tag.
///
/// The key's length chooses AES-128, AES-192 or AES-256. A nonce must never be used twice with one
/// key: the caller draws it at random under a key that seals few messages, or counts.
package enum AEAD {
    /// The length of a nonce.
    package static let nonceByteCount = 12
    /// The length of a tag, which ends every sealed message.
    package static let tagByteCount = 16
    /// The longest plaintext or associated data; far below what GCM itself allows.
    package static let messageBytesMax = 1 << 30

    /// Encrypts: the ciphertext followed by the tag.
    package static func seal(
        _ plaintext: Span<UInt8>,
        key: SecretBytes,
        nonce: [UInt8],
        associatedData: [UInt8]
    ) throws(CryptoError) -> [UInt8] {
        try check(nonce: nonce, byteCount: plaintext.count, associatedData: associatedData)
        let context = try CipherContext(key: key, nonce: nonce, isSealing: true)
        try context.authenticate(associatedData)
        var sealed = [UInt8](repeating: 0, count: plaintext.count + tagByteCount)
        try context.update(plaintext, into: &sealed)
        guard context.finish() else { throw .refused("finish AES-GCM") }
        try context.writeTag(into: &sealed, at: plaintext.count)
        return sealed
    }

    /// Encrypts: the ciphertext followed by the tag.
    package static func seal(
        _ plaintext: [UInt8],
        key: SecretBytes,
        nonce: [UInt8],
        associatedData: [UInt8]
    ) throws(CryptoError) -> [UInt8] {
        try seal(plaintext.span, key: key, nonce: nonce, associatedData: associatedData)
    }

    /// Decrypts what `seal` gave; throws `authenticationFailed` and no plaintext if a bit differs.
    package static func open(
        _ sealed: [UInt8],
        key: SecretBytes,
        nonce: [UInt8],
        associatedData: [UInt8]
    ) throws(CryptoError) -> [UInt8] {
        guard sealed.count >= tagByteCount else {
            throw .malformed(field: "ciphertext", problem: "it is shorter than its tag")
        }
        let count = sealed.count - tagByteCount
        try check(nonce: nonce, byteCount: count, associatedData: associatedData)
        let context = try CipherContext(key: key, nonce: nonce, isSealing: false)
        try context.authenticate(associatedData)
        var plaintext = [UInt8](repeating: 0, count: count)
        try context.update(sealed.span.extracting(first: count), into: &plaintext)
        try context.expectTag(Array(sealed[count...]))
        guard context.finish() else {
            SecretBytes.wipe(&plaintext)
            throw .authenticationFailed
        }
        return plaintext
    }

    private static func check(
        nonce: [UInt8],
        byteCount: Int,
        associatedData: [UInt8]
    ) throws(CryptoError) {
        guard nonce.count == nonceByteCount else {
            throw .unsupported(field: "nonce", problem: "it must be 12 bytes long")
        }
        guard byteCount <= messageBytesMax, associatedData.count <= messageBytesMax else {
            throw .malformed(field: "message", problem: "at most \(messageBytesMax) bytes")
        }
    }
}

/// One EVP_CIPHER_CTX in the middle of one message.
///
/// Ownership: this value alone owns the context and frees it, which also wipes the key schedule.
@safe
private struct CipherContext: ~Copyable {
    private let context: OpaquePointer

    init(key: SecretBytes, nonce: [UInt8], isSealing: Bool) throws(CryptoError) {
        guard let cipher = Ciphers.forKey(byteCount: key.count) else {
            throw .malformed(field: "key", problem: "an AES key has 16, 24 or 32 bytes")
        }
        guard let context = unsafe EVP_CIPHER_CTX_new() else {
            throw .refused("make a cipher context")
        }
        let result = key.withBytes { bytes in
            unsafe bytes.withUnsafeBufferPointer { pointer in
                unsafe EVP_CipherInit_ex2(
                    context,
                    cipher.pointer,
                    pointer.baseAddress,
                    nonce,
                    isSealing ? 1 : 0,
                    nil
                )
            }
        }
        guard result == 1 else {
            unsafe EVP_CIPHER_CTX_free(context)
            throw .refused("start AES-GCM")
        }
        unsafe self.context = context
    }

    deinit {
        unsafe EVP_CIPHER_CTX_free(context)
    }

    func authenticate(_ associatedData: [UInt8]) throws(CryptoError) {
        guard !associatedData.isEmpty else { return }
        var written: Int32 = 0
        let result = unsafe EVP_CipherUpdate(
            context,
            nil,
            &written,
            associatedData,
            Int32(associatedData.count)
        )
        guard result == 1 else { throw .refused("authenticate associated data") }
    }

    func update(_ input: Span<UInt8>, into output: inout [UInt8]) throws(CryptoError) {
        guard input.count > 0 else { return }
        var written: Int32 = 0
        let result = unsafe input.withUnsafeBufferPointer { bytes in
            unsafe EVP_CipherUpdate(
                context,
                &output,
                &written,
                bytes.baseAddress,
                Int32(bytes.count)
            )
        }
        guard result == 1, Int(written) == input.count else {
            throw .refused("run AES-GCM")
        }
    }

    /// True when sealing; when opening, whether the tag is right.
    func finish() -> Bool {
        var nothing: [UInt8] = [UInt8](repeating: 0, count: 16)
        var written: Int32 = 0
        let result = unsafe EVP_CipherFinal_ex(context, &nothing, &written)
        if result != 1 { ERR_clear_error() }
        return result == 1 && written == 0
    }

    func writeTag(into output: inout [UInt8], at offset: Int) throws(CryptoError) {
        var tag = [UInt8](repeating: 0, count: AEAD.tagByteCount)
        let result = unsafe EVP_CIPHER_CTX_ctrl(
            context,
            EVP_CTRL_AEAD_GET_TAG,
            Int32(tag.count),
            &tag
        )
        guard result == 1 else { throw .refused("read the AES-GCM tag") }
        output.replaceSubrange(offset..., with: tag)
    }

    func expectTag(_ tag: [UInt8]) throws(CryptoError) {
        var expected = tag
        let result = unsafe EVP_CIPHER_CTX_ctrl(
            context,
            EVP_CTRL_AEAD_SET_TAG,
            Int32(expected.count),
            &expected
        )
        guard result == 1 else { throw .refused("set the AES-GCM tag") }
    }
}
