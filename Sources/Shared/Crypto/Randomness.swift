import COpenSSL

/// The system's generator of unpredictable bytes.
///
/// Pure code takes bytes as arguments; only those who wire it up call this.
package enum Randomness {
    /// Unpredictable bytes; a generator that fails ends the process, since every secret rests on it.
    package static func bytes(_ count: Int) -> [UInt8] {
        precondition(count >= 0 && count <= 1 << 20)
        guard count > 0 else { return [] }
        var bytes = [UInt8](repeating: 0, count: count)
        let result = unsafe RAND_bytes(&bytes, Int32(count))
        precondition(result == 1, "the random generator failed")
        return bytes
    }
}
