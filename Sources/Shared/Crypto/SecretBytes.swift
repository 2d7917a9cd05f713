import COpenSSL

/// Key material: overwritten when the last reference goes, never printed, compared in constant time.
///
/// Ownership: the object alone owns its memory; nobody writes to it after `init`, so that any thread
/// may read it. A copy that a caller makes with `withBytes` is the caller's to wipe.
@safe
package final class SecretBytes: @unchecked Sendable, CustomReflectable {
    /// How many bytes there are.
    package let count: Int

    private let storage: UnsafeMutableBufferPointer<UInt8>

    /// Copies `bytes`; the caller's array should be short-lived, or wiped with `SecretBytes.wipe`.
    package convenience init(copying bytes: [UInt8]) {
        self.init(copying: bytes.span)
    }

    /// Copies `bytes`.
    package init(copying bytes: Span<UInt8>) {
        count = bytes.count
        unsafe storage = .allocate(capacity: bytes.count)
        for index in 0..<bytes.count {
            unsafe storage.initializeElement(at: index, to: bytes[index])
        }
    }

    /// Takes the bytes and overwrites the array.
    package convenience init(taking bytes: inout [UInt8]) {
        self.init(copying: bytes.span)
        Self.wipe(&bytes)
    }

    /// Bytes of `count` from the system's generator.
    package static func random(count: Int) -> SecretBytes {
        var bytes = Randomness.bytes(count)
        return SecretBytes(taking: &bytes)
    }

    deinit {
        unsafe tp_cleanse(storage.baseAddress, count)
        unsafe storage.deallocate()
    }

    /// Gives the bytes to `body` for the length of the call.
    package func withBytes<Result, Failure: Error>(
        _ body: (Span<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(unsafe UnsafeBufferPointer(storage).span)
    }

    /// Whether both hold the same bytes, in time that depends on their lengths only.
    package func equalsInConstantTime(_ other: SecretBytes) -> Bool {
        withBytes { mine in other.withBytes { theirs in constantTimeEquals(mine, theirs) } }
    }

    /// Shows nothing.
    package var customMirror: Mirror { Mirror(self, children: []) }

    /// Overwrites an array that held a secret, in place when it is the only reference, and empties it.
    package static func wipe(_ bytes: inout [UInt8]) {
        unsafe bytes.withUnsafeMutableBufferPointer { unsafe tp_cleanse($0.baseAddress, $0.count) }
        bytes = []
    }
}
