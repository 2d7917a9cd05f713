import COpenSSL
package import Crypto
import Wire

/// A certificate chain and its private key, parsed once and shared by any number of sessions.
///
/// `@unchecked Sendable`: immutable after `init`; OpenSSL counts the references of its objects
/// atomically, so any thread may hand them to a session of its own.
@safe
package final class TLSCredentials: @unchecked Sendable {
    let leaf: OpaquePointer
    let intermediates: OpaquePointer
    let privateKey: OpaquePointer

    /// Takes the chain as DER, leaf first and without the root, and the key as PKCS#8 or SEC 1 DER.
    package convenience init(
        chain: [[UInt8]],
        privateKey keyBytes: [UInt8]
    ) throws(TLSConfigurationError) {
        guard let key = unsafe Self.key(keyBytes) else { throw .invalidPrivateKey }
        try unsafe self.init(chain: chain, adopting: key)
    }

    /// Takes the chain as DER, leaf first and without the root, and its key without a copy of it.
    package convenience init(
        chain: [[UInt8]],
        key: SigningKey
    ) throws(TLSConfigurationError) {
        let shared = unsafe key.withPointer { pointer in
            unsafe EVP_PKEY_up_ref(pointer) == 1 ? pointer : nil
        }
        guard let shared = unsafe shared else { throw .invalidPrivateKey }
        try unsafe self.init(chain: chain, adopting: shared)
    }

    /// Takes ownership of the key, also when it throws.
    private init(chain: [[UInt8]], adopting key: OpaquePointer) throws(TLSConfigurationError) {
        let (leaf, intermediates): (OpaquePointer, OpaquePointer)
        do throws(TLSConfigurationError) {
            unsafe (leaf, intermediates) = try Self.parse(chain)
        } catch {
            unsafe EVP_PKEY_free(key)
            throw error
        }
        unsafe self.leaf = leaf
        unsafe self.intermediates = intermediates
        unsafe self.privateKey = key
        guard unsafe X509_check_private_key(leaf, key) == 1 else {
            ERR_clear_error()
            throw .privateKeyMismatch
        }
    }

    /// Takes PEM texts: CERTIFICATE blocks, leaf first, and one unencrypted private key.
    package convenience init(
        chainPEM: String,
        privateKeyPEM: String
    ) throws(TLSConfigurationError) {
        let chain: [PEM.Block]
        let keys: [PEM.Block]
        do {
            chain = try PEM.decode(chainPEM)
        } catch {
            throw .invalidCertificate(index: 0)
        }
        do {
            keys = try PEM.decode(privateKeyPEM)
        } catch {
            throw .invalidPrivateKey
        }
        if let index = chain.firstIndex(where: { $0.label != "CERTIFICATE" }) {
            throw .invalidCertificate(index: index)
        }
        let accepted = keys.filter { $0.label == "PRIVATE KEY" || $0.label == "EC PRIVATE KEY" }
        guard accepted.count == 1, let key = accepted.first else { throw .invalidPrivateKey }
        try self.init(chain: chain.map(\.bytes), privateKey: key.bytes)
    }

    deinit {
        unsafe X509_free(leaf)
        unsafe tp_x509_stack_free(intermediates)
        unsafe EVP_PKEY_free(privateKey)
    }

    /// Gives a session its own references; later replacement of these credentials leaves it alone.
    func install(in session: OpaquePointer) -> Bool {
        guard
            unsafe SSL_use_cert_and_key(session, leaf, privateKey, intermediates, 1) == 1
        else {
            ERR_clear_error()
            return false
        }
        return true
    }

    private static func parse(
        _ chain: [[UInt8]]
    ) throws(TLSConfigurationError) -> (leaf: OpaquePointer, intermediates: OpaquePointer) {
        guard let first = chain.first else { throw .emptyChain }
        guard let leaf = unsafe certificate(first) else { throw .invalidCertificate(index: 0) }
        guard let stack = unsafe tp_x509_stack_new() else {
            unsafe X509_free(leaf)
            throw .openSSL(reason: "out of memory")
        }
        for (index, bytes) in chain.enumerated().dropFirst() {
            guard let certificate = unsafe certificate(bytes),
                unsafe tp_x509_stack_push(stack, certificate) > 0
            else {
                unsafe X509_free(leaf)
                unsafe tp_x509_stack_free(stack)
                throw .invalidCertificate(index: index)
            }
        }
        return unsafe (leaf, stack)
    }

    private static func certificate(_ bytes: [UInt8]) -> OpaquePointer? {
        unsafe bytes.withUnsafeBufferPointer { buffer in
            var cursor = buffer.baseAddress
            guard let parsed = unsafe d2i_X509(nil, &cursor, buffer.count) else {
                ERR_clear_error()
                return nil
            }
            guard unsafe cursor == buffer.baseAddress.map({ unsafe $0 + buffer.count }) else {
                unsafe X509_free(parsed)
                return nil
            }
            return unsafe parsed
        }
    }

    private static func key(_ bytes: [UInt8]) -> OpaquePointer? {
        unsafe bytes.withUnsafeBufferPointer { buffer in
            var cursor = buffer.baseAddress
            guard let parsed = unsafe d2i_AutoPrivateKey(nil, &cursor, buffer.count) else {
                ERR_clear_error()
                return nil
            }
            return unsafe parsed
        }
    }
}
