/// The bounds that a peer cannot push beyond.
package enum TLSLimits {
    /// Ciphertext bytes that one side may spend before its handshake completes.
    ///
    /// An honest peer with two intermediates needs under 8 KiB.
    package static let handshakeByteCountMax = 64 * 1024

    /// Bytes of one peer's Certificate message.
    package static let peerChainByteCountMax = 32 * 1024

    /// Certificates in one peer's chain, leaf included.
    package static let peerChainCountMax = 8

    /// Plaintext bytes in one record (RFC 8446 section 5.1).
    package static let recordPlaintextByteCountMax = 16 * 1024

    /// Header, explicit nonce and AEAD tag of one record: TLS 1.2 with AES-GCM has the most (RFC 5288
    /// section 3), TLS 1.3 has 22.
    package static let recordOverheadByteCount = 29

    /// Room that `send` leaves free for a KeyUpdate answer that OpenSSL may put before the data.
    package static let postHandshakeReserveByteCount = 128

    /// Plaintext room with which one `receive` of `count` ciphertext bytes always consumes all.
    ///
    /// The extra record is the one that an earlier call may have left unfinished in the session.
    package static func plaintextRoom(forCiphertext count: Int) -> Int {
        count + recordPlaintextByteCountMax
    }

    /// Ciphertext room with which one `send` of `count` plaintext bytes always consumes all.
    package static func ciphertextRoom(forPlaintext count: Int) -> Int {
        let records = count / recordPlaintextByteCountMax + 1
        return count + records * recordOverheadByteCount + postHandshakeReserveByteCount
    }

    /// The longest server name of RFC 1035, in bytes.
    package static let serverNameByteCountMax = 253
}
