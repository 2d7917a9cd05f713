import COpenSSL

/// A hash function that signatures and HKDF name.
package enum HashFunction: String, Sendable, Hashable, CaseIterable {
    case sha256
    case sha384
    case sha512

    /// The length of its digest.
    package var byteCount: Int {
        switch self {
        case .sha256: 32
        case .sha384: 48
        case .sha512: 64
        }
    }

    /// The hash of `bytes`.
    package func digest(of bytes: [UInt8]) -> [UInt8] {
        digest(of: bytes.span)
    }

    /// The hash of `bytes`.
    package func digest(of bytes: Span<UInt8>) -> [UInt8] {
        switch self {
        case .sha256: SHA256.digest(of: bytes).bytes
        case .sha384: SHA384.digest(of: bytes)
        case .sha512: SHA512.digest(of: bytes)
        }
    }

    var fetched: Fetched {
        switch self {
        case .sha256: Digests.sha256
        case .sha384: Digests.sha384
        case .sha512: Digests.sha512
        }
    }
}

/// A method object fetched from OpenSSL's provider once, since a look-up per use costs microseconds.
///
/// Ownership: the process owns it and never frees it; it is immutable, so any thread may use it.
@safe
struct Fetched: @unchecked Sendable {
    let pointer: OpaquePointer

    init(_ pointer: OpaquePointer?) {
        guard let pointer = unsafe pointer else {
            preconditionFailure("OpenSSL's default provider lacks an algorithm")
        }
        unsafe self.pointer = pointer
    }
}

/// The digests behind signatures.
enum Digests {
    static let sha256 = unsafe Fetched(EVP_MD_fetch(nil, "SHA256", nil))
    static let sha384 = unsafe Fetched(EVP_MD_fetch(nil, "SHA384", nil))
    static let sha512 = unsafe Fetched(EVP_MD_fetch(nil, "SHA512", nil))
}

/// The ciphers behind `AEAD`.
enum Ciphers {
    static let aes128 = unsafe Fetched(EVP_CIPHER_fetch(nil, "AES-128-GCM", nil))
    static let aes192 = unsafe Fetched(EVP_CIPHER_fetch(nil, "AES-192-GCM", nil))
    static let aes256 = unsafe Fetched(EVP_CIPHER_fetch(nil, "AES-256-GCM", nil))

    static func forKey(byteCount: Int) -> Fetched? {
        switch byteCount {
        case 16: aes128
        case 24: aes192
        case 32: aes256
        default: nil
        }
    }
}
