import Crypto
import Synchronization

/// Signatures that were found genuine in this process, so that the same one is not computed again
/// when the same bytes are shown again: to a server whose agents come back, to many agents of one
/// process.
///
/// What is kept is a hash over key, message and signature, all that the answer depends on; what was
/// not genuine is not kept. From any thread.
package final class SignatureMemory: Sendable {
    /// At most so many are remembered; one more, and all are forgotten.
    private let countMax: Int
    private let genuine = Mutex<Set<SHA256Digest>>([])

    package init(countMax: Int) { self.countMax = countMax }

    /// How many are remembered.
    package var count: Int { genuine.withLock { $0.count } }

    /// Whether a key has signed the message whose hash is given; asks `verify` unless it is known.
    func holds(
        _ signature: Envelope.Signature,
        of messageHash: SHA256Digest,
        verify: () -> Bool
    ) -> Bool {
        let entry = Self.entry(signature, messageHash)
        if genuine.withLock({ $0.contains(entry) }) { return true }
        guard verify() else { return false }
        insert(entry)
        return true
    }

    /// The signature was made in this process just now.
    func remember(_ signature: Envelope.Signature, of messageHash: SHA256Digest) {
        insert(Self.entry(signature, messageHash))
    }

    private func insert(_ entry: SHA256Digest) {
        genuine.withLock { genuine in
            if genuine.count >= countMax { genuine = [] }
            genuine.insert(entry)
        }
    }

    private static func entry(
        _ signature: Envelope.Signature,
        _ messageHash: SHA256Digest
    ) -> SHA256Digest {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(2 * SHA256Digest.byteCount + signature.bytes.count)
        // Both hashes have one length, so that nothing can run into the signature.
        signature.keyID.append(to: &bytes)
        messageHash.append(to: &bytes)
        bytes += signature.bytes
        return SHA256.digest(of: bytes)
    }
}
