/// Where a session stands.
package enum TLSStatus: Equatable, Sendable {
    /// No application byte may pass yet.
    case handshaking
    /// Both directions carry application bytes.
    case open
    /// The peer sent close_notify: nothing more will be read; writing still works.
    case peerFinished
    /// See `TLSSession.failure`; send what ciphertext there is (an alert), then close the socket.
    case failed
}

/// What one call on a session took and gave.
package struct TLSProgress: Equatable, Sendable {
    /// Bytes taken from the caller's input; what is left must be offered again.
    package var consumedByteCount = 0
    /// Bytes written at the start of the caller's plaintext buffer.
    package var plaintextByteCount = 0
    /// Bytes written at the start of the caller's ciphertext buffer: send them.
    package var ciphertextByteCount = 0
    /// Where the session stands after the call.
    package var status = TLSStatus.handshaking

    package init() {}
}
