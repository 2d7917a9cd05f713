import COpenSSL

/// What a password is stretched by: scrypt (RFC 7914), whose cost is memory and time.
package struct Scrypt: Equatable, Sendable {
    /// The most memory of one digest.
    package static let memoryBytesMax = 64 << 20
    /// The most lanes, which are worked off one after another.
    package static let parallelismMax = 16
    package static let saltByteCount = 16
    package static let outputByteCount = 32
    /// 32 MiB, and some 0.2 s of one core.
    package static let standard = Scrypt(unchecked: 1 << 15, blockSize: 8, parallelism: 3)

    /// How many blocks a lane has: a power of two.
    package let cost: Int
    /// In units of 128 bytes.
    package let blockSize: Int
    package let parallelism: Int

    private init(unchecked cost: Int, blockSize: Int, parallelism: Int) {
        self.cost = cost
        self.blockSize = blockSize
        self.parallelism = parallelism
    }

    /// Nil for numbers that are no parameters, or that cost more than `memoryBytesMax`.
    package init?(cost: Int, blockSize: Int, parallelism: Int) {
        guard 2...(1 << 24) ~= cost, cost & (cost - 1) == 0, 1...1024 ~= blockSize,
            1...Self.parallelismMax ~= parallelism,
            cost * blockSize <= Self.memoryBytesMax / 128
        else { return nil }
        self.init(unchecked: cost, blockSize: blockSize, parallelism: parallelism)
    }

    /// The digest of a password; blocks its thread for as long as it takes.
    package func digest(
        of password: SecretBytes,
        salt: [UInt8]
    ) throws(CryptoError) -> SecretBytes {
        var output = [UInt8](repeating: 0, count: Self.outputByteCount)
        let result = password.withBytes { password in
            unsafe password.withUnsafeBufferPointer { password in
                unsafe tp_scrypt(
                    password.baseAddress,
                    password.count,
                    salt,
                    salt.count,
                    UInt64(cost),
                    UInt64(blockSize),
                    UInt64(parallelism),
                    // The block itself, and what OpenSSL needs beside it.
                    UInt64(Self.memoryBytesMax + (4 << 20)),
                    &output,
                    output.count
                )
            }
        }
        guard result == 1 else { throw .refused("stretch a password") }
        return SecretBytes(taking: &output)
    }
}
