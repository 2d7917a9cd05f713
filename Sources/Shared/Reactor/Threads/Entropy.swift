import CLinux

/// Random bytes from the kernel, for rooms that do not import Crypto.
package enum Entropy {
    /// Fills all bytes; blocks only before the kernel's first seeding.
    package static func fill(_ bytes: inout MutableSpan<UInt8>) throws(SystemError) {
        let result = unsafe bytes.withUnsafeMutableBytes { buffer in
            unsafe clinux_random(buffer.baseAddress, buffer.count)
        }
        try SystemError.check(result, .getrandom)
    }

    /// A number that nobody can foresee.
    package static func random() throws(SystemError) -> UInt64 {
        var value: UInt64 = 0
        let result = unsafe withUnsafeMutableBytes(of: &value) { buffer in
            unsafe clinux_random(buffer.baseAddress, buffer.count)
        }
        try SystemError.check(result, .getrandom)
        return value
    }
}
